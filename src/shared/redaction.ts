// Blanks the credentials and signatures of a captured request, for pages and files that people see. Used by
// gateway/webhooks/record/requests-file.ts and control/. Conditions of a wait, and the app, see the request as it came.
//
// What is blanked: headers, fields of the query (also of addresses in headers), user and password of addresses, and
// fields of JSON and form bodies, by their names. What no name shows cannot be found: a secret in a path, in other text,
// or in a compressed or multipart body.

import { REDACTED, redactForm, redactJson } from './body-redaction.ts';
import type { RequestMessage } from './request-json.ts';

/** Headers with one of these in their names. */
const SECRET_HEADER =
  /authorization|authentication$|session-?id$|cookie|signature|token|secret|passw(?:or)?d|hmac|credential|jwt|api-?key|access-?key|auth-?key|private-?key|function-?key|functions-key|subscription-key|(?:^|-)auth(?:-|$)|(?:^|-)sig(?:-|$)/;

/** Fields of a query or a form with one of these in their names, in lower case and without `-`, `_` and `.`. */
const SECRET_PARAMETER =
  /token|secret|passw(?:or)?d|passphrase|signature|hmac|credential|jwt|assertion|authorization|sess(?:ion)?id$|^(?:auth|code|sig|sign|pwd|pin|otp|sid|session)$|key$/;

/** The schemes of IANA's "HTTP Authentication Schemes", and others in use. Any other first word may be a secret. */
const SCHEMES: ReadonlySet<string> = new Set([
  ...[
    'apikey',
    'aws4-hmac-sha256',
    'basic',
    'bearer',
    'concealed',
    'digest',
    'dpop',
    'gnap',
    'hawk',
    'hmac',
    'hoba',
  ],
  ...[
    'key',
    'mutual',
    'negotiate',
    'ntlm',
    'oauth',
    'privatetoken',
    'scram-sha-1',
    'scram-sha-256',
    'signature',
  ],
  ...['token', 'vapid'],
]);

/** `user:password@` behind the scheme of an address. */
const USERINFO = /(:\/\/)[^\s/?#"'<>]*@/g;

/** `name=` of a query, a fragment or a matrix parameter. It may stand in the value of another one: `;v=1?token=x`. */
const PARAMETER = /[?&#;]([^=&#;?\s"'<>]+)=/g;
const PARAMETER_END = /[&#;\s"'<>]|$/g;

/** A request, or an answer without a target. */
type Redactable = Pick<RequestMessage, 'headers' | 'body' | 'body_encoding'> & { target?: string };

export type Redactor = <Message extends Redactable>(message: Message) => Message;

/** `headers`: further names of headers with credentials or signatures, in any case. */
export function createRedactor(headers: Iterable<string> = []): Redactor {
  const named = new Set([...headers].map(name => name.toLowerCase()));
  const redactHeader = (name: string, value: string) => {
    const key = name.toLowerCase();
    return named.has(key) || isSecretHeader(key) ? redactValue(key, value) : redactAddresses(value);
  };
  return message => ({
    ...message,
    ...(message.target !== undefined && { target: redactAddresses(message.target) }),
    headers: message.headers.map(([name, value]) => [name, redactHeader(name, value)]),
    ...redactBody(message),
  });
}

export const redactRequest: Redactor = createRedactor();

/** Whether a header may hold a credential or a signature. */
export function isSecretHeader(name: string): boolean {
  return SECRET_HEADER.test(name.toLowerCase());
}

/** Whether a field of a JSON body may hold a credential. */
export function isSecretField(name: string): boolean {
  const sample = `{${JSON.stringify(name)}:"x"}`;
  return redactJson(sample) !== sample;
}

/** Whether a field of a query or a form may hold a credential; `name` as it came. */
export function isSecretParameter(name: string): boolean {
  return SECRET_PARAMETER.test(simplify(decode(name)));
}

/** Keeps what helps and is no secret: the scheme, the algorithm, and the time of a signature. */
function redactValue(name: string, value: string): string {
  if (/authorization$/.test(name)) {
    const [scheme = '', rest] = value.split(/ +/, 2);
    return rest && SCHEMES.has(scheme.toLowerCase()) ? `${scheme} ${REDACTED}` : REDACTED;
  }
  // Stripe: `t=1492774577,v1=5257…,v0=6ffb…`. GitHub: `sha256=7fc1…`.
  if (/^(?:t|ts|[sv]\w{1,6})=[^,]*(?:,(?:t|ts|[sv]\w{1,6})=[^,]*)*$/.test(value))
    return value.replaceAll(/(^|,)(\w+)=([^,]*)/g, (_, comma: string, key: string, part: string) =>
      /^ts?$/.test(key) && /^\d{1,13}$/.test(part)
        ? `${comma}${key}=${part}`
        : `${comma}${nameKey(key)}=${REDACTED}`,
    );
  // Standard Webhooks: `v1,K5oZ… v1a,hnO3…`.
  if (/^v\d[a-z]?,\S*(?: v\d[a-z]?,\S*)*$/.test(value))
    return value.replaceAll(/(v\d[a-z]?),\S*/g, `$1,${REDACTED}`);
  return REDACTED;
}

/** A key that is no known name may be a secret itself. */
function nameKey(key: string): string {
  return /^(?:t|ts|s|v\d[a-z]?|sha\d{1,3})$/.test(key) ? key : REDACTED;
}

function redactAddresses(text: string): string {
  if (!text.includes('=') && !text.includes('@')) return text;
  return redactParameters(text.replaceAll(USERINFO, `$1${REDACTED}@`));
}

function redactParameters(text: string): string {
  const parts: string[] = [];
  let done = 0;
  const parameter = new RegExp(PARAMETER);
  for (let found = parameter.exec(text); found !== null; found = parameter.exec(text)) {
    if (!isSecretParameter(found[1] ?? '')) continue;
    const start = parameter.lastIndex;
    const end = findFrom(text, PARAMETER_END, start);
    if (end === start) continue;
    parts.push(text.slice(done, start), REDACTED);
    [done, parameter.lastIndex] = [end, end];
  }
  return parts.length === 0 ? text : [...parts, text.slice(done)].join('');
}

function findFrom(text: string, pattern: RegExp, start: number): number {
  const search = new RegExp(pattern);
  search.lastIndex = start;
  return search.exec(text)?.index ?? text.length;
}

function redactBody(message: Redactable): Pick<RequestMessage, 'body' | 'body_encoding'> {
  const { body, body_encoding } = message;
  if (body === null || body === '') return { body, body_encoding };
  // Byte for byte, also if some of them are not UTF-8.
  const isBase64 = body_encoding === 'base64';
  const text = isBase64 ? Buffer.from(body, 'base64').toString('latin1') : body;
  const redacted = redactText(text, readType(message));
  return { body: isBase64 ? Buffer.from(redacted, 'latin1').toString('base64') : redacted, body_encoding };
}

function redactText(text: string, type: string): string {
  if (type.includes('x-www-form-urlencoded')) return redactForm(text, isSecretParameter);
  return type.includes('json') || /^\s*[[{]/.test(text) ? redactJson(text) : text;
}

function readType({ headers }: Redactable): string {
  return (headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '').toLowerCase();
}

function simplify(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.\s]/g, '');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
