// What is blanked in a captured request before people see it.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redactForm, redactJson } from '../../src/shared/body-redaction.ts';
import { createRedactor, isSecretParameter, redactRequest } from '../../src/shared/redaction.ts';
import { describeRequest, type RequestMessage } from '../../src/shared/request-json.ts';
import { FakeRequestLog } from '../support/request-log.ts';
import { scale } from '../support/scale.ts';

const log = new FakeRequestLog({ kind: 'none' });

interface Parts {
  target?: string;
  headers?: readonly [string, string][];
  body?: string | Buffer;
}

function make({ target = '/hooks/gh', headers = [], body = '' }: Parts): RequestMessage {
  return describeRequest(log.add({ target, rawHeaders: headers.flat(), body: Buffer.from(body) }));
}

function redactHeader(name: string, value: string): string | undefined {
  return redactRequest(make({ headers: [[name, value]] })).headers[0]?.[1];
}

describe('a header', () => {
  it.each([
    ['Authorization', 'Bearer abc.def', 'Bearer [redacted]'],
    ['authorization', 'Basic dXNlcjpwYXNz', 'Basic [redacted]'],
    ['Authorization', 'Digest username="ada", response="6629"', 'Digest [redacted]'],
    ['Authorization', 'abcdef', '[redacted]'],
    ['Authorization', 'my secret words', '[redacted]'],
    ['Proxy-Authorization', 'Basic dXNlcjpwYXNz', 'Basic [redacted]'],
    ['Cookie', 'a=1; session=abc', '[redacted]'],
    ['X-Session-Id', 'abc', '[redacted]'],
    ['Authentication', 'Bearer abc', '[redacted]'],
    ['Authentication-Results', 'mx.example; spf=pass', 'mx.example; spf=pass'],
    [
      'Stripe-Signature',
      't=1492774577,v1=5257a8,v1=6ffbb5,v0=99',
      't=1492774577,v1=[redacted],v1=[redacted],v0=[redacted]',
    ],
    ['X-Hub-Signature-256', 'sha256=757107ea', 'sha256=[redacted]'],
    ['X-Hub-Signature', 'sha1=7d38cdd6', 'sha1=[redacted]'],
    ['X-Slack-Signature', 'v0=a2114d57', 'v0=[redacted]'],
    ['webhook-signature', 'v1,K5oZfzN95Z9U v1,abc= v1a,hnO3f9', 'v1,[redacted] v1,[redacted] v1a,[redacted]'],
    ['svix-signature', 'v1,g0hM9SsE', 'v1,[redacted]'],
    ['X-Signature', 'ts=1704908010,v1=618c8534', 'ts=1704908010,v1=[redacted]'],
    ['X-Shopify-Hmac-Sha256', 'XWmrwMey6OsLMeiZKwP4FppHH3cmAiiJJAweH5Jo4bM=', '[redacted]'],
    ['X-Twilio-Signature', '0/KCTR6DLpKmkAf8muzZqo1nDgQ=', '[redacted]'],
    ['x-square-hmacsha256-signature', '2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og=', '[redacted]'],
    ['X-Gitlab-Token', 'abc', '[redacted]'],
    ['X-Telegram-Bot-Api-Secret-Token', 'abc', '[redacted]'],
    ['X-Api-Key', 'abc', '[redacted]'],
    ['apikey', 'abc', '[redacted]'],
    ['X-Functions-Key', 'abc', '[redacted]'],
    ['Paypal-Transmission-Sig', 'abc', '[redacted]'],
    ['X-Goog-IAP-JWT-Assertion', 'abc', '[redacted]'],
    [
      'Referer',
      'https://ada:pw@x.example/a?token=abc&b=2#access_token=def',
      'https://[redacted]@x.example/a?token=[redacted]&b=2#access_token=[redacted]',
    ],
  ])('%s: %s becomes %s', (name, value, redacted) => {
    expect(redactHeader(name, value)).toBe(redacted);
  });

  it.each([
    ['X-GitHub-Delivery', '72d3162e-cc78-11e3-81ab-4c9367dc0958'],
    ['X-Event-Key', 'repo:push'],
    ['Idempotency-Key', 'abc'],
    ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ['webhook-id', 'msg_p5jXN8AQM9LWM0D4loKWxJek'],
    ['X-Slack-Request-Timestamp', '1531420618'],
    ['Content-Type', 'application/json; charset=utf-8'],
    ['Accept', 'text/html;q=0.9'],
    ['User-Agent', 'GitHub-Hookshot/044aadd'],
    ['Digest', 'sha-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE='],
  ])('%s: %s is shown', (name, value) => {
    expect(redactHeader(name, value)).toBe(value);
  });

  it('that only a rule of `verify` names is blanked, in any case', () => {
    const redact = createRedactor(['X-Acme-Check']);
    expect(redact(make({ headers: [['x-acme-CHECK', 'abc']] })).headers).toEqual([
      ['x-acme-CHECK', '[redacted]'],
    ]);
  });
});

describe('the query', () => {
  it.each([
    ['/a;v=1?token=x&b=2', '/a;v=1?token=[redacted]&b=2'],
    ['/a?next=/b?token=x?y&b=2', '/a?next=/b?token=[redacted]&b=2'],
    ['/a;jsessionid=x', '/a;jsessionid=[redacted]'],
    ['/a?PHPSESSID=x', '/a?PHPSESSID=[redacted]'],
    ['/a?token=abc&b=2&b=&c', '/a?token=[redacted]&b=2&b=&c'],
    ['/a?sig=abc', '/a?sig=[redacted]'],
    ['/a?x=1&Signature=abc%20d', '/a?x=1&Signature=[redacted]'],
    ['/a?access_token=abc', '/a?access_token=[redacted]'],
    ['/a?code=abc&state=def', '/a?code=[redacted]&state=def'],
    ['/a?api_key=abc&apiKey=d&key=e', '/a?api_key=[redacted]&apiKey=[redacted]&key=[redacted]'],
    ['/a?%74oken=abc', '/a?%74oken=[redacted]'],
    ['/a?X-Amz-Signature=abc&X-Amz-Expires=60', '/a?X-Amz-Signature=[redacted]&X-Amz-Expires=60'],
    ['http://u:p@x/a?b=1', 'http://[redacted]@x/a?b=1'],
    ['/a?monkeys=3&codes=4&hub.mode=subscribe', '/a?monkeys=3&codes=4&hub.mode=subscribe'],
    ['/a=b', '/a=b'],
  ])('%s becomes %s', (target, redacted) => {
    expect(redactRequest(make({ target })).target).toBe(redacted);
  });
});

describe('a JSON body', () => {
  it.each([
    ['{"token":"abc","type":"event"}', '{"token":"[redacted]","type":"event"}'],
    ['{ "Access_Token" : "a\\"b" , "b" : 1.50 }', '{ "Access_Token" : "[redacted]" , "b" : 1.50 }'],
    [
      '{"a":[{"clientSecret":"x"}],"password":12345}',
      '{"a":[{"clientSecret":"[redacted]"}],"password":"[redacted]"}',
    ],
    ['{"tokens":["a",["b"],true,null],"n":1}', '{"tokens":["[redacted]",["[redacted]"],true,null],"n":1}'],
    [
      '{"signature":{"timestamp":"1","token":"t"},"n":1}',
      '{"signature":{"timestamp":"[redacted]","token":"[redacted]"},"n":1}',
    ],
    ['{"\\u0074oken":"abc"}', '{"\\u0074oken":"[redacted]"}'],
    ['{"token":null,"b":"c"}', '{"token":null,"b":"c"}'],
    ['{"token":"cut off', '{"token":"[redacted]"'],
    ['{"tokens":["a","cut off', '{"tokens":["[redacted]","[redacted]"'],
    ['{"token":', '{"token":'],
    [
      '{"text":"a \\"token\\": \\"b\\"","token_type":"bearer"}',
      '{"text":"a \\"token\\": \\"b\\"","token_type":"bearer"}',
    ],
    [
      '{"access_tokens_url":"u","label":"token","key":"v"}',
      '{"access_tokens_url":"u","label":"token","key":"v"}',
    ],
  ])('%s becomes %s', (body, redacted) => {
    expect(redactJson(body)).toBe(redacted);
  });

  it('is found by its type, or by its first character', () => {
    const body = '{"token":"abc"}';
    const json = make({ body, headers: [['Content-Type', 'application/vnd.api+JSON']] });
    expect(redactRequest(json).body).toBe('{"token":"[redacted]"}');
    expect(redactRequest(make({ body: ` ${body}` })).body).toBe(' {"token":"[redacted]"}');
    expect(redactRequest(make({ body: 'token=abc' })).body).toBe('token=abc');
  });

  it('that is not UTF-8 is searched too, and keeps its other bytes', () => {
    const bytes = Buffer.concat([
      Buffer.from('{"a":"'),
      Buffer.from([0xff, 0xe9]),
      Buffer.from('","token":"abc"}'),
    ]);
    const message = make({ body: bytes });
    expect(message.body_encoding).toBe('base64');
    const redacted = Buffer.from(redactRequest(message).body ?? '', 'base64').toString('latin1');
    expect(redacted).toBe('{"a":"\xff\xe9","token":"[redacted]"}');
  });

  it.each([
    '"token":',
    '[',
    '{"a":',
    '\\"',
    '"tokens":[',
    'token" ',
    '\\u0074',
    '=',
    '%7b&',
    '://',
    'a',
    '?a',
  ])(
    'of 2 MB that repeats %s is searched before the test is over, because no part is searched twice',
    part => {
      const text = part.repeat((2 * 1024 ** 2) / part.length);
      const head = text.slice(0, 16_000);
      expect(redactJson(text).length).toBeGreaterThan(0);
      expect(redactForm(text, isSecretParameter).length).toBeGreaterThan(0);
      expect(redactRequest(make({ target: `/?${head}`, headers: [['Referer', head]] })).headers).toHaveLength(
        1,
      );
    },
  );
});

describe('a form body', () => {
  it.each([
    ['token=abc&team_id=T1&text=94070', 'token=[redacted]&team_id=T1&text=94070'],
    ['client%5Fsecret=a%26b&x=1', 'client%5Fsecret=[redacted]&x=1'],
    ['a&token&b=&=c', 'a&token&b=&=c'],
    ['payload=%7B%22token%22%3A%22abc%22%7D', `payload=${encodeURIComponent('{"token":"[redacted]"}')}`],
    ['payload=%7B%22a%22%3A+1%7D', 'payload=%7B%22a%22%3A+1%7D'],
  ])('%s becomes %s', (body, redacted) => {
    const headers: [string, string][] = [['content-type', 'application/x-www-form-urlencoded;charset=utf-8']];
    expect(redactRequest(make({ body, headers })).body).toBe(redacted);
  });
});

it('leaves everything else as it is', () => {
  const message = make({ target: '/a?b=1', headers: [['X-A', '1']], body: '{"a":1}' });
  expect(redactRequest(message)).toEqual(message);
  expect(redactRequest({ ...message, body: null, body_encoding: null }).body).toBeNull();
});

describe('no secret is left', () => {
  // Long enough not to be a part of anything else; without the characters that end it in one of the places.
  const secret = fc.stringMatching(/^[A-Za-z0-9_.~+/=-]{12,40}$/).filter(text => /[a-zA-Z]/.test(text));
  const plain = fc.stringMatching(/^[a-z0-9]{0,8}$/);
  const header = fc.constantFrom(
    ...[
      'Authorization',
      'proxy-authorization',
      'COOKIE',
      'X-Api-Key',
      'Api-Key',
      'X-Auth-Token',
      'X-Hub-Signature',
    ],
    ...[
      'X-Hub-Signature-256',
      'Stripe-Signature',
      'X-Slack-Signature',
      'Webhook-Signature',
      'Svix-Signature',
    ],
    ...['X-Shopify-Hmac-Sha256', 'X-Twilio-Signature', 'X-Square-HmacSha256-Signature', 'X-Gitlab-Token'],
    ...['X-Telegram-Bot-Api-Secret-Token', 'My-Token-2', 'A-Secret', 'The-Password', 'X-Acme-Check'],
  );
  const value = fc.constantFrom(
    ...[
      'S',
      'Bearer S',
      'Basic S',
      'S S',
      't=1492774577,v1=S',
      'sha256=S',
      'v1,S v1,S',
      'a=S; b=S',
      't=S',
      'S=1',
      'S,S',
    ],
  );
  const field = fc.constantFrom(
    'token',
    'sig',
    'signature',
    'access_token',
    'code',
    'api_key',
    'key',
    'Client-Secret',
  );
  const jsonField = fc.constantFrom(
    'token',
    'accessToken',
    'client_secret',
    'PASSWORD',
    'api-key',
    'signature',
  );
  const redact = createRedactor(['x-acme-check']);

  const shows = (parts: Parts, hidden: string) => JSON.stringify(redact(make(parts))).includes(hidden);

  it('in a header', () => {
    fc.assert(
      fc.property(
        header,
        value,
        secret,
        (name, form, hidden) => !shows({ headers: [[name, form.replaceAll('S', () => hidden)]] }, hidden),
      ),
      { numRuns: scale(2_000, 50_000) },
    );
  });

  it('in a query, or in the address of a header', () => {
    const address = fc.tuple(
      plain,
      field,
      secret.filter(text => !/[&#;]/.test(text)),
      plain,
    );
    fc.assert(
      fc.property(address, ([before, name, hidden, after]) => {
        const target = `/a?b=${before}&${name}=${hidden}&c=${after}`;
        const url = `https://ada:${hidden.replaceAll('/', '.')}@x.example${target}`;
        return !shows(
          {
            target,
            headers: [
              ['Referer', url],
              ['Origin', url],
            ],
          },
          hidden,
        );
      }),
      { numRuns: scale(2_000, 50_000) },
    );
  });

  it('in a JSON body, however it is written', () => {
    fc.assert(
      fc.property(
        jsonField,
        secret,
        fc.jsonValue(),
        fc.nat({ max: 3 }),
        fc.boolean(),
        (name, hidden, other, depth, isList) => {
          let json: unknown = { a: other, [name]: isList ? [hidden, { b: [hidden] }] : hidden, z: other };
          for (let level = 0; level < depth; level += 1)
            json = level % 2 === 0 ? { nested: json } : [other, json];
          return !shows({ body: JSON.stringify(json, null, depth) }, hidden);
        },
      ),
      { numRuns: scale(2_000, 50_000) },
    );
  });

  it('in a form body', () => {
    const headers: [string, string][] = [['content-type', 'application/x-www-form-urlencoded']];
    fc.assert(
      fc.property(field, jsonField, secret, (name, inner, hidden) => {
        const body = new URLSearchParams({
          a: '1',
          [name]: hidden,
          payload: JSON.stringify({ [inner]: hidden }),
        });
        return (
          !shows({ headers, body: body.toString() }, encodeURIComponent(hidden)) &&
          !shows({ headers, body: body.toString() }, hidden)
        );
      }),
      { numRuns: scale(2_000, 50_000) },
    );
  });
});
