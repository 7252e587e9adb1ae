// Providers that sign nothing but the body: GitHub, Shopify, and every other one by `hmac-sha256` and `hmac-sha1`.

import { isSame } from '../../../shared/secrets.ts';
import { readValue } from '../whole-request.ts';
import type { SignatureFormat } from './rule.ts';
import { findFieldProblem, MISMATCH, RIGHT, type Signer, sign } from './signer.ts';

const OLD_GITHUB =
  'it has only the old X-Hub-Signature, which is made with SHA-1: X-Hub-Signature-256 is required, which GitHub sends with it';

/** docs.github.com, "Validating webhook deliveries": `sha256=` and lower-case hex. */
export function signGitHub(secret: string): Signer {
  const render = (body: Buffer) => `sha256=${sign('sha256', secret, [body], 'hex')}`;
  return {
    headers: ['x-hub-signature-256'],
    check: ({ rawHeaders, body }) => {
      const problem = findFieldProblem(rawHeaders, ['X-Hub-Signature-256']);
      if (problem?.kind === 'missing' && readValue(rawHeaders, 'x-hub-signature') !== undefined)
        return { kind: 'malformed', reason: OLD_GITHUB };
      if (problem !== undefined) return problem;
      return isSame(readValue(rawHeaders, 'x-hub-signature-256') ?? '', render(body)) ? RIGHT : MISMATCH;
    },
    sign: ({ body }) => [['X-Hub-Signature-256', render(body)]],
    // Two hooks get the same event with the same delivery id, if each belongs to another App (github/docs #32822).
    findDeliveryId: ({ rawHeaders }) => {
      const delivery = readValue(rawHeaders, 'x-github-delivery');
      return delivery && `${delivery} ${readValue(rawHeaders, 'x-github-hook-id') ?? ''}`;
    },
  };
}

/** The second name is that of Shopify's newer events. */
const SHOPIFY_HEADERS = ['X-Shopify-Hmac-Sha256', 'Shopify-Hmac-Sha256'] as const;

/** shopify.dev, "Verify webhook deliveries": base64. */
export function signShopify(secret: string): Signer {
  const render = (body: Buffer) => sign('sha256', secret, [body], 'base64');
  return {
    headers: SHOPIFY_HEADERS.map(name => name.toLowerCase()),
    check: ({ rawHeaders, body }) => {
      const problems = SHOPIFY_HEADERS.map(name => findFieldProblem(rawHeaders, [name]));
      const problem = problems.find(one => one?.kind === 'malformed');
      if (problem !== undefined) return problem;
      const given = SHOPIFY_HEADERS.flatMap(name => readValue(rawHeaders, name.toLowerCase()) || []);
      if (given.length === 0) return { kind: 'missing', header: SHOPIFY_HEADERS[0] };
      return given.every(one => isSame(one, render(body))) ? RIGHT : MISMATCH;
    },
    sign: ({ rawHeaders, body }) => [
      [
        SHOPIFY_HEADERS.find(name => readValue(rawHeaders, name.toLowerCase())) ?? SHOPIFY_HEADERS[0],
        render(body),
      ],
    ],
    // Several subscriptions of one topic share the event's id.
    findDeliveryId: ({ rawHeaders }) =>
      ['x-shopify-webhook-id', 'shopify-webhook-id', 'x-shopify-event-id'].reduce<string | undefined>(
        (found, name) => found ?? readValue(rawHeaders, name),
        undefined,
      ),
  };
}

/** Any provider that puts the HMAC of the body into a header of its own. */
export function signBody(
  secret: string,
  algorithm: 'sha1' | 'sha256',
  { header, encoding, prefix, separator }: SignatureFormat,
): Signer {
  const name = header.toLowerCase();
  const normalise = encoding === 'hex' ? normaliseHex : normaliseBase64;
  const render = (body: Buffer) => sign(algorithm, secret, [body], encoding);
  return {
    headers: [name],
    check: ({ rawHeaders, body }) => {
      const problem = findFieldProblem(rawHeaders, [header]);
      if (problem !== undefined) return problem;
      const value = readValue(rawHeaders, name) ?? '';
      const parts = separator === '' ? [value] : value.split(separator).map(part => part.trim());
      const signatures = parts.filter(part => part.startsWith(prefix));
      if (signatures.length === 0)
        return {
          kind: 'malformed',
          reason: `its ${header} has no signature that begins with the prefix of the rule`,
        };
      const wanted = normalise(render(body));
      return signatures.some(one => isSame(normalise(one.slice(prefix.length)), wanted)) ? RIGHT : MISMATCH;
    },
    sign: ({ body }) => [[header, `${prefix}${render(body)}`]],
    findDeliveryId: () => undefined,
  };
}

/** Providers write hex in either case. */
function normaliseHex(text: string): string {
  return text.toLowerCase();
}

/** With or without padding, in either alphabet (RFC 4648, 4 and 5). */
function normaliseBase64(text: string): string {
  return text
    .replaceAll('-', '+')
    .replaceAll('_', '/')
    .replace(/={1,2}$/, '');
}
