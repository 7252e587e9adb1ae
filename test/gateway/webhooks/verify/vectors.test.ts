// The examples that providers publish in their documentation, and in the tests of their libraries.

import { describe, expect, it } from 'vitest';
import { openSigner } from '../../../../src/gateway/webhooks/verify/providers.ts';
import { makeRule } from './sample-rules.ts';

interface Vector {
  source: string;
  rule: string;
  /** Unix time in seconds. */
  now?: number;
  url?: string;
  headers: string[];
  body: string;
}

const VECTORS: Vector[] = [
  {
    source: 'docs.github.com, Validating webhook deliveries: Testing the webhook payload validation',
    rule: 'github /x "It\'s a Secret to Everybody"',
    headers: [
      'X-Hub-Signature-256',
      'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    ],
    body: 'Hello, World!',
  },
  {
    source: 'docs.slack.dev, Verifying requests from Slack',
    rule: 'slack /x 8f742231b10e8888abcd99yyyzzz85a5',
    now: 1_531_420_618,
    headers: [
      'X-Slack-Request-Timestamp',
      '1531420618',
      'X-Slack-Signature',
      'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    ],
    body: 'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
  },
  {
    source: 'docs.svix.com, Verifying webhooks manually',
    rule: 'standard-webhooks /x whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    now: 1_614_265_330,
    headers: [
      'svix-id',
      'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'svix-timestamp',
      '1614265330',
      'svix-signature',
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,bm9ldHUjKzFob2VudXRob2VodWUzMjRvdWVvdW9ldQo= v2,MzJsNDk4MzI0K2VvdSMjMTEjQEBAQDEyMzMzMzEyMwo=',
    ],
    body: '{"test": 2432232314}',
  },
  {
    source: 'github.com/standard-webhooks, test of the library: the same with the names of the standard',
    rule: 'standard-webhooks /x MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    now: 1_614_265_330,
    headers: [
      'webhook-id',
      'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp',
      '1614265330',
      'webhook-signature',
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    ],
    body: '{"test": 2432232314}',
  },
  {
    source: 'twilio-node, spec of validateRequest: a form',
    rule: 'twilio /x 12345',
    url: 'https://mycompany.com/myapp.php?foo=1&bar=2',
    headers: [
      'Content-Type',
      'application/x-www-form-urlencoded; charset=utf-8',
      'X-Twilio-Signature',
      'RSOYDt4T1cUTdK1PDd93/VVr8B8=',
    ],
    body: 'To=%2B18005551212&Digits=1234&CallSid=CA1234567890ABCDE&Caller=%2B14158675309&From=%2B14158675309',
  },
  {
    source: 'twilio-node, spec of validateRequestWithBody: JSON, whose hash is in the URL',
    rule: 'twilio /x 12345',
    url: 'https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620',
    headers: ['Content-Type', 'application/json', 'X-Twilio-Signature', 'a9nBmqA0ju/hNViExpshrM61xv4='],
    body: '{"property": "value", "boolean": true}',
  },
  {
    source: 'developer.squareup.com, Validate the notification',
    rule: 'square /x asdf1234',
    url: 'https://example.com/webhook',
    headers: ['X-Square-HmacSha256-Signature', '2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og='],
    body: '{"hello":"world"}',
  },
];

describe('a published example', () => {
  it.each(VECTORS)('of $source is right, and wrong with one changed byte of its body', vector => {
    const { rule, now = 0, url = 'https://preview.example/x', headers, body } = vector;
    const signer = openSigner(makeRule(rule));
    const { origin } = new URL(url);
    const check = (text: string) =>
      signer.check(
        {
          method: 'POST',
          target: url.slice(origin.length),
          rawHeaders: headers,
          body: Buffer.from(text),
          origins: [origin],
        },
        now,
      );
    expect(check(body)).toEqual({ kind: 'right' });
    expect(check(`${body.slice(0, -1)}x`)).not.toEqual({ kind: 'right' });
  });
});
