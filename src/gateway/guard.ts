// The first pass: refuses every request that two HTTP implementations could read differently. Node's parser refuses the
// rest (two lengths, bare LF, folded lines, a space before the colon). Used by passes.ts.

import { countFields, foldName, forEachField } from './raw-headers.ts';
import { readTarget, type Visit } from './visit.ts';

export interface Refusal {
  status: 400 | 405 | 417 | 421 | 431 | 501 | 505;
  /** A fixed sentence without any text from the request. */
  reason: string;
}

type Check = (visit: Visit) => Refusal | undefined;

const CHECKS: readonly Check[] = [
  checkMethod,
  checkVersion,
  checkFieldCount,
  checkTarget,
  checkHost,
  checkOwnHost,
  checkAliases,
  checkTransferEncoding,
  checkExpectation,
  checkUpgradeBody,
];

/** Browsers send about twenty, and a proxy in front adds a few. */
const MAX_FIELDS = 256;

// Fields that frame or route a message. CGI-style servers would read `Content_Length` as a second one (see
// foldName).
const FRAMING_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The first reason to refuse this request, or undefined. */
export function findRefusal(visit: Visit): Refusal | undefined {
  for (const check of CHECKS) {
    const refusal = check(visit);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function checkMethod({ request }: Visit): Refusal | undefined {
  return request.method === 'CONNECT' ? { status: 405, reason: 'this is not a forward proxy' } : undefined;
}

function checkVersion({ request }: Visit): Refusal | undefined {
  const { httpVersion } = request;
  if (httpVersion === '1.1' || httpVersion === '1.0') return undefined;
  return { status: 505, reason: 'only HTTP/1.0 and HTTP/1.1 are supported' };
}

/** Node limits the size of a head (16 KB), not the number of its fields: thousands of empty fields would pass. */
function checkFieldCount({ request }: Visit): Refusal | undefined {
  if (request.rawHeaders.length <= 2 * MAX_FIELDS) return undefined;
  return { status: 431, reason: `a request may have at most ${MAX_FIELDS} header fields` };
}

function checkTarget({ request }: Visit): Refusal | undefined {
  const target = readTarget(request);
  if (!target.startsWith('/')) return { status: 400, reason: 'the request target must be a path' };
  // Browsers and many URL libraries read a host name after `//` and `/\`.
  if (/^\/[/\\]/.test(target)) return { status: 400, reason: 'the path must begin with a single slash' };
  if (target.includes('#')) return { status: 400, reason: 'the request target must have no fragment' };
  return undefined;
}

function checkHost({ request }: Visit): Refusal | undefined {
  if (countFields(request.rawHeaders, 'host') === 1) return undefined;
  return { status: 400, reason: 'the request must have exactly one Host' };
}

/** Host must be one of the preview's own names: any other name that points here is refused (DNS rebinding). */
function checkOwnHost({ request, address }: Visit): Refusal | undefined {
  if (address?.hosts.has(request.headers.host?.toLowerCase() ?? '')) return undefined;
  return { status: 421, reason: 'this Host is not the address of this preview' };
}

function checkAliases({ request }: Visit): Refusal | undefined {
  let hasAlias = false;
  forEachField(request.rawHeaders, name => {
    const key = name.toLowerCase();
    const folded = foldName(key);
    hasAlias ||= folded !== key && FRAMING_FIELDS.has(folded);
  });
  if (!hasAlias) return undefined;
  return {
    status: 400,
    reason:
      'a header name with an underscore or another such character looks like one that frames the message',
  };
}

function checkTransferEncoding({ request }: Visit): Refusal | undefined {
  const coding = request.headers['transfer-encoding'];
  if (coding === undefined) return undefined;
  if (request.httpVersion === '1.0') return { status: 400, reason: 'HTTP/1.0 has no Transfer-Encoding' };
  if (coding.toLowerCase() === 'chunked') return undefined;
  return { status: 501, reason: 'the only supported Transfer-Encoding is chunked' };
}

/** RFC 9110, 10.1.1 defines only one expectation. */
function checkExpectation({ request }: Visit): Refusal | undefined {
  const { expect } = request.headers;
  if (expect === undefined || expect.toLowerCase() === '100-continue') return undefined;
  return { status: 417, reason: 'the only supported expectation is 100-continue' };
}

function checkUpgradeBody({ request, upgrade }: Visit): Refusal | undefined {
  if (upgrade === undefined) return undefined;
  const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers;
  if (Number(length) === 0 && coding === undefined) return undefined;
  return { status: 400, reason: 'a request for a WebSocket must have no body' };
}
