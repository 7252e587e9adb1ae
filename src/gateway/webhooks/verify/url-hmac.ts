// Providers that sign the URL that they call, together with the body: Twilio and Square. They know the preview by its
// public URL, which the gateway does not see in the request: it tries the few forms that the URL can have.

import { hash } from 'node:crypto';
import { parse, stringify } from 'node:querystring';
import { isSame } from '../../../shared/secrets.ts';
import { parseObject, readValue } from '../whole-request.ts';
import {
  findFieldProblem,
  MISMATCH,
  RIGHT,
  type SignedRequest,
  type Signer,
  sign,
  type Verdict,
} from './signer.ts';

const SQUARE_HEADER = 'X-Square-HmacSha256-Signature';

/** developer.squareup.com, "Validate the notification": the HMAC of URL and body, in base64. */
export function signSquare(secret: string): Signer {
  const render = (url: string, body: Buffer) => sign('sha256', secret, [url, body], 'base64');
  return {
    headers: [SQUARE_HEADER.toLowerCase()],
    check: ({ rawHeaders, body, origins, target }) => {
      const problem = findFieldProblem(rawHeaders, [SQUARE_HEADER]);
      if (problem !== undefined) return problem;
      const given = readValue(rawHeaders, SQUARE_HEADER.toLowerCase()) ?? '';
      const urls = unique(origins.map(origin => `${origin}${target}`).flatMap(url => [url, addPort(url)]));
      return urls.some(url => isSame(given, render(url, body))) ? RIGHT : MISMATCH;
    },
    sign: ({ body, origins, target }) => [[SQUARE_HEADER, render(`${origins[0] ?? ''}${target}`, body)]],
    findDeliveryId: ({ body }) => {
      const id = parseObject(body)?.event_id;
      return typeof id === 'string' && id !== '' ? id : undefined;
    },
  };
}

const TWILIO_HEADER = 'X-Twilio-Signature';
/** Only with a shared key in place of the auth token; names the algorithm. */
const TWILIO_SETTINGS = 'x-twilio-webhooks-signature-settings';

/**
 * twilio.com/docs/usage/security, "Validating requests": the HMAC of the URL and the sorted fields of the form, in
 * base64. A body that is not a form is covered by its hash in the URL (`bodySHA256`); without it, it is not covered, and
 * refused.
 */
export function signTwilio(secret: string): Signer {
  return {
    headers: [TWILIO_HEADER.toLowerCase()],
    check: request => {
      const { rawHeaders, origins, target } = request;
      const problem = findFieldProblem(rawHeaders, [TWILIO_HEADER]);
      if (problem !== undefined) return problem;
      const algorithm = findAlgorithm(readValue(rawHeaders, TWILIO_SETTINGS) ?? '');
      if (algorithm === undefined)
        return { kind: 'malformed', reason: 'it is signed with an algorithm that is not known here' };
      const content = readContent(request);
      if (typeof content !== 'string') return content;
      const given = readValue(rawHeaders, TWILIO_HEADER.toLowerCase()) ?? '';
      const urls = unique(origins.flatMap(origin => listTwilioUrls(`${origin}${target}`)));
      const isRight = urls.some(url => isSame(given, sign(algorithm, secret, [url, content], 'base64')));
      return isRight ? RIGHT : MISMATCH;
    },
    sign: request => {
      const algorithm = findAlgorithm(readValue(request.rawHeaders, TWILIO_SETTINGS) ?? '') ?? 'sha1';
      const content = readContent(request);
      const url = `${request.origins[0] ?? ''}${request.target}`;
      const parts = [url, typeof content === 'string' ? content : ''];
      return [[TWILIO_HEADER, sign(algorithm, secret, parts, 'base64')]];
    },
    findDeliveryId: ({ rawHeaders }) => readValue(rawHeaders, 'i-twilio-idempotency-token'),
  };
}

function findAlgorithm(settings: string): 'sha1' | 'sha256' | undefined {
  const parts = settings.split(',').map(part => part.split('=').map(text => text.trim()));
  const [, name = ''] = parts.find(([key, value]) => key === 'algorithm' && value) ?? [];
  switch (name.toUpperCase()) {
    case '':
    case 'HMAC_SHA1':
      return 'sha1';
    case 'HMAC_SHA256':
      return 'sha256';
    default:
      return undefined;
  }
}

/** What is signed behind the URL; a verdict if the body is not what the URL says, or is not covered. */
function readContent({ rawHeaders, target, body }: SignedRequest): string | Verdict {
  if (target.includes('bodySHA256')) {
    const query = target.includes('?') ? target.slice(target.indexOf('?') + 1) : '';
    const wanted = parseForm(query).get('bodySHA256') ?? '';
    return isSame(hash('sha256', body, 'hex'), wanted)
      ? ''
      : { kind: 'malformed', reason: 'its body is not the one whose SHA-256 is in its URL (bodySHA256)' };
  }
  if (body.length === 0) return '';
  const type = readValue(rawHeaders, 'content-type') ?? '';
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type))
    return {
      kind: 'malformed',
      reason: 'its body is not a form, and its URL has no bodySHA256: the signature would not cover the body',
    };
  return renderForm(parseForm(body.toString('utf8')));
}

/** URLSearchParams drops a question mark at the start of its text; here it belongs to the first name. */
function parseForm(text: string): URLSearchParams {
  return new URLSearchParams(`?${text}`);
}

/**
 * Each name with its values, sorted; a value that is there twice counts once, as in Twilio's own library. Strangers send
 * forms of a hundred thousand names: to look for the values of each would block the gateway for minutes.
 */
function renderForm(form: URLSearchParams): string {
  const fields = new Map<string, Set<string>>();
  for (const [name, value] of form) fields.set(name, (fields.get(name) ?? new Set()).add(value));
  return [...fields.keys()]
    .sort()
    .flatMap(name => [...(fields.get(name) ?? [])].sort().map(value => `${name}${value}`))
    .join('');
}

/**
 * The URLs that Twilio's own library tries (twilio-node 6, `validateRequest`): as received, and as `URL` and the old
 * `querystring` write it, each with and without its port.
 */
function listTwilioUrls(url: string): string[] {
  const normalised = URL.parse(url)?.href ?? url;
  const normalisedTwice = [removePort(normalised), addPort(normalised)];
  return [removePort(url), addPort(url), ...normalisedTwice, ...normalisedTwice.map(rewriteQuery)];
}

const AUTHORITY = /^(https?):\/\/(\[[^\]]*\]|[^/?#:]*)(:\d+)?/i;

function removePort(url: string): string {
  return url.replace(AUTHORITY, '$1://$2');
}

function addPort(url: string): string {
  return url.replace(
    AUTHORITY,
    (_, scheme: string, host: string, port?: string) =>
      `${scheme}://${host}${port ?? (scheme.toLowerCase() === 'https' ? ':443' : ':80')}`,
  );
}

function rewriteQuery(url: string): string {
  const start = url.indexOf('?');
  if (start === -1 || start === url.length - 1) return url;
  return `${url.slice(0, start)}?${stringify(parse(url.slice(start + 1)))}`;
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
