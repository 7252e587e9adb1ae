// The table of providers: how each one signs, and what a rule for it must know. Used by verifier.ts and parse-rules.ts.

import { signBody, signGitHub, signShopify } from './body-hmac.ts';
import type { NamedRule, SignatureRule } from './rule.ts';
import type { Signer } from './signer.ts';
import { signSlack, signStandardWebhooks, signStripe, stripPrefix } from './timestamped.ts';
import { signSquare, signTwilio } from './url-hmac.ts';

interface Provider {
  open(secret: string): Signer;
  /** Why the secret cannot be one of this provider, as the end of "the secret …"; undefined if it can. */
  findSecretProblem?(secret: string): string | undefined;
  /** How people know it. */
  title: string;
  /** What it sends to https addresses only (see inputs/webhooks.ts). */
  httpsOnly?: 'webhooks' | 'webhooks of live mode';
}

export const PROVIDERS: Readonly<Record<NamedRule['provider'], Provider>> = {
  github: { title: 'GitHub', open: signGitHub },
  stripe: {
    title: 'Stripe',
    open: signStripe,
    findSecretProblem: secret =>
      /^(?:sk|rk|pk)_/.test(secret)
        ? "is an API key: take the endpoint's signing secret, which begins with whsec_"
        : undefined,
    // 'URLs in livemode must begin with "https://"', its API says; test mode takes http.
    httpsOnly: 'webhooks of live mode',
  },
  slack: {
    title: 'Slack',
    open: signSlack,
    findSecretProblem: secret =>
      /^xox[a-z]-|^xapp-/.test(secret)
        ? "is a token: take the app's Signing Secret, under Basic Information"
        : undefined,
    httpsOnly: 'webhooks',
  },
  'standard-webhooks': {
    title: 'Standard Webhooks',
    open: signStandardWebhooks,
    findSecretProblem: findBase64Problem,
  },
  shopify: { title: 'Shopify', open: signShopify, httpsOnly: 'webhooks' },
  twilio: { title: 'Twilio', open: signTwilio },
  square: { title: 'Square', open: signSquare, httpsOnly: 'webhooks' },
};

export function openSigner(rule: SignatureRule): Signer {
  switch (rule.provider) {
    case 'hmac-sha256':
      return signBody(rule.secret, 'sha256', rule);
    case 'hmac-sha1':
      return signBody(rule.secret, 'sha1', rule);
    default:
      return PROVIDERS[rule.provider].open(rule.secret);
  }
}

function findBase64Problem(secret: string): string | undefined {
  if (/^wh[ps]k_/.test(secret))
    return 'is a key of a key pair (v1a), which is not supported: take the one that begins with whsec_';
  const encoded = stripPrefix(secret);
  // The library of Standard Webhooks takes a missing padding, and nothing else that is not base64.
  const isBase64 = /^[A-Za-z\d+/]{2,}={0,2}$/.test(encoded) && encoded.replace(/=+$/, '').length % 4 !== 1;
  return isBase64 ? undefined : 'is not base64, with or without whsec_ before it';
}
