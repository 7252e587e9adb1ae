// What one line of `verify` says. Made by parse-rules.ts; part of the configuration of an exposure.

import type { UnsignedHandshake } from '../handshakes.ts';

export const NAMED_PROVIDERS = [
  'github',
  'stripe',
  'slack',
  'standard-webhooks',
  'shopify',
  'twilio',
  'square',
] as const;

export const HMAC_PROVIDERS = ['hmac-sha256', 'hmac-sha1'] as const;

export const ENCODINGS = ['hex', 'base64'] as const;

interface CommonRule {
  /** Pattern of the paths that it is for. */
  path: string;
  /** As the provider writes it. */
  secret: string;
  /** The unsigned handshakes that are let through. */
  handshakes: UnsignedHandshake[];
}

/** Where a provider that has no word of its own puts its signature. */
export interface SignatureFormat {
  header: string;
  encoding: (typeof ENCODINGS)[number];
  /** What stands before each signature; may be empty. */
  prefix: string;
  /** What stands between several signatures; empty: there is only one. */
  separator: string;
}

export type NamedRule = CommonRule & { provider: (typeof NAMED_PROVIDERS)[number] };
export type HmacRule = CommonRule & SignatureFormat & { provider: (typeof HMAC_PROVIDERS)[number] };
export type SignatureRule = NamedRule | HmacRule;
export type ProviderName = SignatureRule['provider'];
