// Rules of `verify` for tests, and requests that are signed by them.

import { parseRules } from '../../../../src/gateway/webhooks/verify/parse-rules.ts';
import type { SignatureRule } from '../../../../src/gateway/webhooks/verify/rule.ts';

/** The rule that one line of `verify` makes. */
export function makeRule(line: string): SignatureRule {
  const [rule] = parseRules(line);
  if (rule === undefined) throw new Error(`no rule: ${line}`);
  return rule;
}

/** One rule for each provider, each with a path of its own. */
export const SAMPLE_LINES: Readonly<Record<string, string>> = {
  github: 'github /hooks/github It-is-a-secret-to-everybody',
  stripe: 'stripe /hooks/stripe whsec_4f2cda0b7d9d4f8a9f3b',
  slack: 'slack /hooks/slack 8f742231b10e8888abcd99yyyzzz85a5',
  'standard-webhooks': 'standard-webhooks /hooks/standard whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  shopify: 'shopify /hooks/shopify shpss_0123456789abcdef',
  twilio: 'twilio /hooks/twilio 0123456789abcdef0123456789abcdef',
  square: 'square /hooks/square asdf1234-signature-key',
  'hmac-sha256': 'hmac-sha256 /hooks/other other-secret header=X-Signature prefix=sha256= separator=,',
  'hmac-sha1': 'hmac-sha1 /hooks/old old-secret header=X-Old encoding=base64',
};
