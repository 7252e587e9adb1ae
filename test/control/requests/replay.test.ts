// The route that sends a captured request again, over a real socket.

import { expect, it } from 'vitest';
import { startControlApi } from '../../../src/control/api.ts';
import { callControl } from '../../../src/control/client.ts';
import { type ReplayAnswer, ReplayError, type ReplayOrder } from '../../../src/shared/replay.ts';
import { useClosers } from '../../support/closers.ts';
import { controlsWith } from '../../support/controls.ts';
import { FakeRequestLog } from '../../support/request-log.ts';

const closers = useClosers();
const TOKEN = 'a-token-of-this-test';
const ANSWER: ReplayAnswer = {
  id: 2,
  status: 500,
  headers: ['X-App', 'here'],
  body: Buffer.from([0xff, 0x41]),
  bodyBytes: 9,
  durationMs: 3,
  hint: undefined,
};

/** An exposure with one captured request. `answer` gets each order. */
async function start(answer: (order: ReplayOrder) => ReplayAnswer = () => ANSWER) {
  const requests = new FakeRequestLog({ kind: 'unsafe methods' });
  requests.add();
  const replay = async (_: unknown, order: ReplayOrder) => answer(order);
  const api = await startControlApi(controlsWith({ requests, replay }), TOKEN);
  closers.push(() => api.stop());
  const ask = async (body: string, path = '/api/requests/1/replay') => {
    const headers = { Authorization: `Bearer ${TOKEN}` };
    const response = await fetch(`${api.url}${path}`, { method: 'POST', headers, body });
    return [response.status, await response.json()];
  };
  return { api, ask };
}

it('passes the order on, and answers with what came back', async () => {
  const orders: ReplayOrder[] = [];
  const { api, ask } = await start(order => {
    orders.push(order);
    return ANSWER;
  });
  const message = {
    ...{ success: true, id: 2, status: 500, duration_ms: 3, headers: [['X-App', 'here']] },
    ...{ body: '/0E=', body_encoding: 'base64', body_bytes: 9, hint: null },
  };
  expect(await ask('')).toEqual([200, message]);
  expect(await ask('{"to":"https://example.com/hooks?a=b","re_sign":true}')).toEqual([200, message]);
  const address = { controlUrl: api.url, controlToken: TOKEN };
  expect(await callControl(address, 'POST /api/requests/1/replay', 5_000, { re_sign: false })).toEqual(
    message,
  );
  expect(orders).toEqual([
    { to: undefined, reSign: false },
    { to: new URL('https://example.com/hooks?a=b'), reSign: true },
    { to: undefined, reSign: false },
  ]);
});

it.each([
  ['no JSON', '{', /not JSON/],
  ['a list', '[]', /not like/],
  ['an unknown word', '{"too":"http://a"}', /not like/],
  ['a word for a boolean', '{"re_sign":"yes"}', /not like/],
  ['no URL', '{"to":"localhost:3000"}', /`to` is not a URL/],
  ['another scheme', '{"to":"file:///etc/passwd"}', /`to` is not a URL/],
  ['a password', '{"to":"http://a:hunter2@b/"}', /^`to` has a user or a password(?!.*hunter2)/],
])('refuses an order with %s', async (_, body, error) => {
  const { ask } = await start(() => expect.fail('was sent'));
  expect(await ask(body)).toEqual([400, { success: false, error: expect.stringMatching(error) }]);
});

it('refuses an order that is too long, and unknown ids', async () => {
  const { ask } = await start(() => expect.fail('was sent'));
  expect((await ask(' '.repeat(20_000)))[0]).toBe(413);
  expect((await ask('', '/api/requests/2/replay'))[0]).toBe(404);
  expect((await ask('', '/api/requests/x/replay'))[0]).toBe(400);
});

it.each([
  ['impossible', 409],
  ['no answer', 502],
  ['app away', 503],
] as const)('answers "%s" with %d and the reason', async (kind, status) => {
  const { ask } = await start(() => {
    throw new ReplayError(kind, 'this is why');
  });
  expect(await ask('')).toEqual([status, { success: false, error: 'this is why' }]);
});
