// The route that says whether a request is signed rightly, over a real socket.

import { expect, it } from 'vitest';
import { startControlApi } from '../../../src/control/api.ts';
import { checkSignature } from '../../../src/exposure/signature-check.ts';
import { parseRules } from '../../../src/gateway/webhooks/verify/parse-rules.ts';
import { openSigner } from '../../../src/gateway/webhooks/verify/providers.ts';
import { useClosers } from '../../support/closers.ts';
import { controlsWith } from '../../support/controls.ts';
import { FakeRequestLog } from '../../support/request-log.ts';

const closers = useClosers();
const TOKEN = 'a-token-of-this-test';
const SECRET = 'the-secret-of-square';
const URL_CALLED = 'https://preview.example/hooks/square?a=%20b';
const BODY = Buffer.from([0xff, 0, 0x7b]);
const RULES = parseRules(`square /hooks/square ${SECRET}\nslack /hooks/slack another-secret`);

const signAs = (provider: string, url: string, nowS: number) => {
  const rule = RULES.find(one => one.provider === provider);
  if (rule === undefined) throw new Error(`no rule for ${provider}`);
  return openSigner(rule).sign(
    {
      method: 'POST',
      target: url.slice(new URL(url).origin.length),
      rawHeaders: [],
      body: BODY,
      origins: [new URL(url).origin],
    },
    nowS,
  );
};

async function start() {
  const requests = new FakeRequestLog({ kind: 'unsafe methods' });
  const receivedAt = new Date(1_600_000_000_000);
  const rawHeaders = signAs('slack', 'https://x.example/hooks/slack', 1_600_000_000).flat();
  requests.add({ target: '/hooks/slack', receivedAt, rawHeaders, body: BODY, bodyBytes: BODY.length });
  requests.add({ target: '/hooks/slack', receivedAt, rawHeaders, body: BODY, bodyBytes: 99 });
  const check = (question: Parameters<typeof checkSignature>[0]) =>
    checkSignature(question, RULES, 'https://preview.example');
  const api = await startControlApi(controlsWith({ requests, checkSignature: check }), TOKEN);
  closers.push(() => api.stop());
  return async (order: unknown) => {
    const response = await fetch(`${api.url}/api/verify`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${TOKEN}` },
      body: typeof order === 'string' ? order : JSON.stringify(order),
    });
    const answer: unknown = await response.json();
    return { status: response.status, answer };
  };
}

const SENT = {
  url: URL_CALLED,
  headers: signAs('square', URL_CALLED, 0),
  body: BODY.toString('base64'),
  body_encoding: 'base64',
};

it('checks a request that is sent to it, byte for byte, by the rules of the preview', async () => {
  const ask = await start();
  const right = { success: true, right: true, verified: 'square', handshake: null, reason: null };
  expect(await ask({ request: SENT })).toEqual({ status: 200, answer: right });
  const { answer: wrong } = await ask({ request: { ...SENT, url: URL_CALLED.replace('%20', '+') } });
  expect(wrong).toMatchObject({
    right: false,
    verified: null,
    reason: expect.stringContaining('public URL'),
  });
});

it('compares the timestamp of a recorded request with the time when it was recorded, unless another is given', async () => {
  const ask = await start();
  expect(await ask({ id: 1 })).toMatchObject({ status: 200, answer: { right: true, verified: 'slack' } });
  expect(await ask({ id: 1, at: '2020-09-13T12:40:00Z' })).toMatchObject({
    status: 200,
    answer: { right: false, reason: expect.stringContaining('13m 20s old') },
  });
});

it('checks by a rule that is given', async () => {
  const ask = await start();
  const rule = { provider: 'square', secret: SECRET };
  const url = 'https://preview.example/else';
  expect(await ask({ request: { ...SENT, url, headers: signAs('square', url, 0) }, rule })).toMatchObject({
    status: 200,
    answer: { right: true },
  });
});

it.each([
  ['not JSON', 400, /not JSON/],
  [[], 400, /not like/],
  [{}, 400, /either `id`/],
  [{ id: 1, request: SENT }, 400, /either `id`/],
  [{ id: 7 }, 404, /no request 7/],
  [{ id: 2 }, 409, /only the first 3 of the 99 bytes/],
  [{ id: 1, rule: { provider: 'nobody', secret: SECRET } }, 400, /'nobody' is not a provider/],
  [{ id: 1, rule: { provider: 'github', secret: '' } }, 400, /secret is empty/],
  [{ id: 1, rule: { provider: 'github', secret: SECRET, more: SECRET } }, 400, /look at `rule\.more`/],
  [{ id: 1, at: 'noon' }, 400, /look at `at`/],
  [{ request: { ...SENT, url: '/x' } }, 400, /`url` is not a URL/],
  [{ request: { ...SENT, url: 'https://preview.example/other' } }, 400, /no rule of `verify`/],
  ['x'.repeat(4 * 1024 ** 2 + 1), 413, /longer than/],
])('refuses an order that cannot be answered, without its secret: %#', async (order, status, message) => {
  const ask = await start();
  const refused = await ask(order);
  expect(refused).toEqual({ status, answer: { success: false, error: expect.stringMatching(message) } });
  expect(JSON.stringify(refused)).not.toContain(SECRET);
});
