// How the lines of `verify` are read, and what is said about those that cannot be.

import { describe, expect, it } from 'vitest';
import { listRuleSecrets, parseRules } from '../../../../src/gateway/webhooks/verify/parse-rules.ts';

const NAMED = { handshakes: [] };
const HMAC = { encoding: 'hex', prefix: '', separator: '', handshakes: [] };

describe('a line of verify', () => {
  it.each([
    ['github /hooks/gh a-secret', { provider: 'github', path: '/hooks/gh', secret: 'a-secret', ...NAMED }],
    [
      '  GitHub\t/hooks/*  a,secret  \r',
      { provider: 'github', path: '/hooks/*', secret: 'a,secret', ...NAMED },
    ],
    [
      'slack /s "a secret with \\"spaces\\" \\\\"',
      { provider: 'slack', secret: 'a secret with "spaces" \\' },
    ],
    ['stripe /s whsec_x=y', { provider: 'stripe', secret: 'whsec_x=y' }],
    [
      'standard-webhooks /s v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      { secret: 'v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
    ],
    ['shopify /s x handshake=GET,head', { handshakes: ['get', 'head'] }],
    ['hmac-sha256 /s x header=X-S', { provider: 'hmac-sha256', header: 'X-S', ...HMAC }],
    [
      'hmac-sha1 /s x separator=" " prefix=sha1= encoding=BASE64 header=X-S',
      { provider: 'hmac-sha1', header: 'X-S', encoding: 'base64', prefix: 'sha1=', separator: ' ' },
    ],
    ['hmac-sha256 /s "header=x" header=X-S', { secret: 'header=x', header: 'X-S' }],
  ])('is a rule: %s', (line, rule) => {
    expect(parseRules(line)).toEqual([expect.objectContaining(rule)]);
  });

  it('may be empty, or a comment', () => {
    expect(parseRules('\n \n# github /x secret\n')).toEqual([]);
  });

  it.each([
    ['gihub /x S3CR3T-S3CR3T', /line 1: 'gihub' is not a provider: did you mean github\?$/],
    ['hmac-sha512 /x S3CR3T-S3CR3T', /'hmac-sha512' is not a provider: .* hmac-sha256 or hmac-sha1$/],
    ['svix /x S3CR3T-S3CR3T', /did you mean standard-webhooks PATH SECRET\?$/],
    ['whatsapp /x S3CR3T-S3CR3T', /did you mean hmac-sha256 PATH SECRET header=X-Hub-Signature-256/],
    ['zzz /x S3CR3T-S3CR3T', /'zzz' is not a provider: write one of github, stripe/],
    ['S3CR3T-S3CR3T /x github', /line 1: it does not begin with a provider: write one of/],
    ['github', /\(github\): there is no path that begins with \//],
    ['github S3CR3T-S3CR3T', /\(github\): there is no path that begins with \//],
    ['github /x', /\(github\): the secret is empty: is the secret that it comes from set\? .*`public-paths`/],
    ['github /x ""', /the secret is empty/],
    ['\n\nhmac-sha256 /x header=X-S', /line 3 \(hmac-sha256\): the secret is empty/],
    ['github /x/*a* S3CR3T-S3CR3T', /\(github \/x\/\*a\*\): the path has more than one \* in a name/],
    ['github /x?a=b# S3CR3T-S3CR3T', /the path has a query/],
    ['github /x S3CR3T-S3CR3T with spaces', /put a secret with spaces in double quotes/],
    ['github /x "S3CR3T-S3CR3T with', /not closed|double quotes/],
    ['github /x S3CR3T-S3CR3T headr=X', /did you mean header=…\?/],
    ['github /x S3CR3T-S3CR3T header=X', /`header` is only for hmac-sha256 and hmac-sha1: leave it out/],
    ['github /x S3CR3T-S3CR3T handshake=graf', /`handshake` is 'graf': write graph, meta/],
    ['github /x S3CR3T-S3CR3T handshake=head handshake=get', /`handshake` is given twice/],
    ['hmac-sha256 /x S3CR3T-S3CR3T', /which header has the signature: write hmac-sha256 PATH SECRET header=/],
    ['hmac-sha256 /x S3CR3T-S3CR3T header=', /which header has the signature/],
    ['hmac-sha256 /x S3CR3T-S3CR3T header=a:b', /`header` is not the name of a header/],
    ['hmac-sha256 /x S3CR3T-S3CR3T header=X encoding=b64', /`encoding` is 'b64': write hex or base64/],
    ['standard-webhooks /x whsec_S3CR3T-S3CR3T', /the secret is not base64/],
    ['standard-webhooks /x whsec_', /the secret is not base64/],
    ['standard-webhooks /x whpk_S3CR3TS3CR3T', /key of a key pair \(v1a\)/],
    ['stripe /x sk_live_S3CR3TS3CR3T', /is an API key: take the endpoint's signing secret/],
    ['slack /x xoxb-S3CR3T-S3CR3T', /is a token: take the app's Signing Secret/],
    [
      'github /x S3CR3T-S3CR3T\ngithub /y s\ngithub /x S3CR3T-S3CR3T',
      /line 3 \(github \/x\): it is the same rule as line 1/,
    ],
  ])('is refused without its secret: %s', (text, message) => {
    const parse = () => parseRules(text);
    expect(parse).toThrow(message);
    expect(parse).not.toThrow(/S3CR3T/);
  });

  it('does not hide the problems of others', () => {
    expect(() => parseRules('github /x\nslak /x s')).toThrow(/line 1 .*\n.*line 2: 'slak'/);
  });
});

describe('the texts to mask', () => {
  it('are the secrets, and whatever may be a part of one', () => {
    const text = [
      'github /x one',
      'hmac-sha256 /y two header=X prefix="a b"',
      'slack /z "three and" four',
      'github five',
      'S1X /x seven',
    ];
    expect(listRuleSecrets(text.join('\n')).filter(secret => secret !== '')).toEqual(
      expect.arrayContaining(['one', 'two', 'three and', 'four', 'five', 'S1X', 'seven']),
    );
    expect(listRuleSecrets('github /x one\nhmac-sha256 /y two header=X')).toEqual(['one', 'two']);
  });
});
