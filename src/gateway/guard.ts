// The first pass: refuses every request that two HTTP implementations could read differently. Node's parser refuses the
// rest (two lengths, bare LF, folded lines, a space before the colon). Used by passes.ts.

import { Memo } from '../shared/memo.ts';
import { foldName, type RawHeaders } from './raw-headers.ts';
import { readTarget, type Visit } from './visit.ts';

export interface Refusal {
  status: 400 | 405 | 417 | 421 | 431 | 501 | 505;
  /** A fixed sentence without any text from the request. */
  reason: string;
}

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

/** `alias`: it could be read as a field that frames the message. */
type NameKind = 'host' | 'alias' | 'other';

const NAME_KINDS = new Memo<NameKind>(name => {
  const key = name.toLowerCase();
  const folded = foldName(key);
  if (folded !== key && FRAMING_FIELDS.has(folded)) return 'alias';
  return key === 'host' ? 'host' : 'other';
});

/** The first reason to refuse this request, or undefined. */
export function findRefusal(visit: Visit): Refusal | undefined {
  return (
    checkMethod(visit) ??
    checkVersion(visit) ??
    checkFieldCount(visit) ??
    checkTarget(visit) ??
    checkNames(visit) ??
    checkTransferEncoding(visit) ??
    checkExpectation(visit) ??
    checkUpgradeBody(visit)
  );
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

function checkNames(visit: Visit): Refusal | undefined {
  const { hosts, hasAlias } = readNames(visit.request.rawHeaders);
  if (hosts !== 1) return { status: 400, reason: 'the request must have exactly one Host' };
  return checkOwnHost(visit) ?? (hasAlias ? ALIAS : undefined);
}

function readNames(raw: RawHeaders): { hosts: number; hasAlias: boolean } {
  let hosts = 0;
  let hasAlias = false;
  for (let index = 0; index < raw.length; index += 2) {
    const kind = NAME_KINDS.read(raw[index] ?? '');
    if (kind === 'host') hosts += 1;
    else if (kind === 'alias') hasAlias = true;
  }
  return { hosts, hasAlias };
}

const ALIAS: Refusal = {
  status: 400,
  reason: 'a header name with an underscore or another such character looks like one that frames the message',
};

/** Host must be one of the preview's own names: any other name that points here is refused (DNS rebinding). */
function checkOwnHost({ request, address }: Visit): Refusal | undefined {
  if (address?.hosts.has(request.headers.host?.toLowerCase() ?? '')) return undefined;
  return { status: 421, reason: 'this Host is not the address of this preview' };
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
