// Captured requests that are sent again, to the app and to other URLs.

import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { openSigner } from '../../../src/gateway/webhooks/verify/providers.ts';
import type { CapturedRequest } from '../../../src/shared/captured-request.ts';
import type { ReplayAnswer, ReplayError } from '../../../src/shared/replay.ts';
import type { AppState } from '../../../src/shared/state.ts';
import { useClosers } from '../../support/closers.ts';
import { PUBLIC_URL, runningOn, sendRaw } from '../../support/gateway-door.ts';
import { listen } from '../../support/listen.ts';
import {
  openWebhookStage,
  type ReceivedWebhook,
  type StageOptions,
  WebhookApp,
} from '../../support/webhook-app.ts';

import { makeRule, SAMPLE_LINES } from './verify/sample-rules.ts';

const closers = useClosers();
const BYTES = Buffer.from([0xff, 0x00, 0xe2, 0x80, 0xa8, 0x0d, 0x0a]);
const HEAD =
  'POST /hooks/a%20b?x=%2F HTTP/1.1\r\nHost: bore.example:4321\r\nX-Second: 2\r\nx-first: \xe4\r\nOrigin: http://bore.example:4321\r\n';

/** A stage on which one request was captured. */
async function open(options: StageOptions = {}) {
  const stage = await openWebhookStage(options);
  closers.push(() => stage.app.kill(), stage.door.stop);
  const bytes = `${HEAD}Content-Length: 7\r\nConnection: close\r\n\r\n${BYTES.toString('latin1')}`;
  await sendRaw(stage.door.port, bytes);
  const captured = stage.recorder.list()[0];
  if (captured === undefined) throw new Error('nothing was captured');
  const replay = (changes: Partial<CapturedRequest> = {}, to?: string): Promise<ReplayAnswer> =>
    stage.door.gateway.replay(
      { ...captured, ...changes },
      { to: to === undefined ? undefined : new URL(to), reSign: false },
    );
  const refusal = (changes: Partial<CapturedRequest> = {}, to?: string): Promise<ReplayError> =>
    replay(changes, to).then(
      () => expect.fail('was answered'),
      error => error,
    );
  return { ...stage, captured, replay, refusal };
}

it('the app gets the same method, target, header fields and bytes again, and its answer comes back', async () => {
  const { app, replay } = await open();
  app.answer = () => 418;
  const answer = await replay();
  const [first, second] = app.received;
  expect(second?.line).toBe('POST /hooks/a%20b?x=%2F');
  expect(second?.body).toEqual(BYTES);
  const withoutConnection = (raw: string[] = []) => {
    const at = raw.findIndex(name => name.toLowerCase() === 'connection');
    return raw.toSpliced(at, 2);
  };
  expect(withoutConnection(second?.rawHeaders)).toEqual(withoutConnection(first?.rawHeaders));
  expect(answer).toMatchObject({ status: 418, body: Buffer.from('done'), bodyBytes: 4, hint: undefined });
  expect(answer.headers.slice(0, 2)).toEqual(['X-App', 'here']);
});

it('a chunked body, which may come in any pieces, has its length', async () => {
  const { app, door, recorder, captured } = await open();
  await sendRaw(
    door.port,
    `${HEAD}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`,
  );
  const chunked = recorder.find(captured.id + 1) ?? captured;
  await door.gateway.replay(chunked, { to: undefined, reSign: false });
  expect(app.bodies.slice(1)).toEqual(['abcde', 'abcde']);
  expect(app.received[2]?.rawHeaders.map(part => part.toLowerCase())).toContain('content-length');
});

it('a request that was refused can be sent to the app', async () => {
  const { app, replay } = await open();
  expect((await replay({ refusal: 'its signature is wrong' })).status).toBe(200);
  expect(app.received).toHaveLength(2);
});

it('another server gets it with its own name as Host, and no redirect is followed', async () => {
  const { app, replay } = await open();
  const other = new WebhookApp();
  await other.start();
  closers.push(() => other.kill());
  other.answer = () => 307;
  const answer = await replay({}, `http://127.0.0.1:${other.port}/in?y=2`);
  expect(answer.status).toBe(307);
  expect(other.received[0]?.line).toBe('POST /in?y=2');
  expect(other.received[0]?.rawHeaders.slice(0, 2)).toEqual(['host', `127.0.0.1:${other.port}`]);
  expect(other.received[0]?.rawHeaders).toContain('http://bore.example:4321');
  expect(other.received[0]?.body).toEqual(BYTES);
  await replay({}, `http://127.0.0.1:${other.port}`);
  expect(other.received[1]?.line).toBe('POST /hooks/a%20b?x=%2F');
  expect(app.received).toHaveLength(1);
});

it('only the beginning of a long answer is kept, and all of it is counted', async () => {
  const { replay } = await open();
  const server = createServer((_, response) => void response.end(Buffer.alloc(3 * 1024 ** 2, 'a')));
  closers.push(() => void server.close());
  const answer = await replay({}, `http://127.0.0.1:${await listen(server)}`);
  expect([answer.body.length, answer.bodyBytes]).toEqual([1024 ** 2, 3 * 1024 ** 2]);
});

it.each<[string, Partial<CapturedRequest>]>([
  ['of which only the beginning was kept', { bodyBytes: 8 }],
  ['that broke off', { body: Buffer.from('abc'), bodyBytes: 3 }],
  ['of unknown length that broke off', { isBroken: true, rawHeaders: ['Host', 'bore.example:4321'] }],
])('a body %s is not sent: it would be another request', async (_, changes) => {
  const { app, refusal } = await open();
  expect(await refusal(changes)).toMatchObject({
    kind: 'impossible',
    message: expect.stringMatching(/^request 1 cannot be sent again: its body /),
  });
  expect(app.received).toHaveLength(1);
});

it.each<[string, AppState]>([
  ['starts', { status: 'starting' }],
  ['restarts', { status: 'restarting', reason: 'test', attempt: 1 }],
  ['has failed', { status: 'failed', reason: 'test', lastLines: [] }],
])('an app that %s gets nothing, not even later', async (_, state) => {
  const { app, become, refusal } = await open();
  become(state);
  expect(await refusal()).toMatchObject({ kind: 'app away', message: expect.stringContaining(state.status) });
  become(runningOn(app.port));
  expect(app.received).toHaveLength(1);
});

it('says that `mode: web` has no app that takes requests', async () => {
  const { become, refusal } = await open();
  become({ status: 'running', upstream: { kind: 'handler', handle: () => {} } });
  expect(await refusal()).toMatchObject({
    kind: 'impossible',
    message: expect.stringContaining('mode: web'),
  });
});

it('says that the app crashed, and that nothing listens', async () => {
  const { app, refusal } = await open();
  app.answer = () => 'crash';
  expect(await refusal()).toMatchObject({
    kind: 'no answer',
    message: expect.stringMatching(/^the app gave no answer/),
  });
  expect(await refusal()).toMatchObject({
    kind: 'no answer',
    message: expect.stringMatching(/^the app cannot be reached: .*ECONNREFUSED/),
  });
});

it('a body that this app could run as a request is not sent to it', async () => {
  const { app, become, refusal } = await open();
  const { upstream } = runningOn(app.port) as Extract<AppState, { status: 'running' }>;
  if (upstream.kind !== 'address') throw new Error('the app has no address');
  become({ status: 'running', upstream: { ...upstream, leavesBodies: true } });
  const body = Buffer.from('GET /admin HTTP/1.1\r\nHost: a\r\n\r\n');
  const rawHeaders = ['Host', 'bore.example:4321', 'Content-Length', `${body.length}`];
  expect(await refusal({ body, bodyBytes: body.length, rawHeaders })).toMatchObject({ kind: 'impossible' });
  expect(app.received).toHaveLength(1);
});

it('is recorded as a request of its own, with its answer', async () => {
  const { app, door, recorder, replay } = await open();
  const shown: (number | undefined)[] = [];
  recorder.subscribe(({ id, answer }) => void (id === 2 && shown.push(answer?.status)));
  app.answer = () => 500;
  expect((await replay()).id).toBe(2);
  expect(recorder.find(2)).toMatchObject({
    replayOf: 1,
    method: 'POST',
    target: '/hooks/a%20b?x=%2F',
    body: BYTES,
    refusal: undefined,
    answer: { status: 500 },
    isFinished: true,
  });
  expect(shown).toEqual([undefined, 500]);
  await door.gateway.replay(recorder.find(2) ?? expect.fail('no record'), { to: undefined, reSign: false });
  expect(recorder.find(3)?.replayOf).toBe(2);
});

it('without an answer is recorded with the reason, and one to another address counts for nobody who waits', async () => {
  const { app, recorder, refusal, replay } = await open();
  app.answer = () => 'crash';
  await refusal();
  expect(recorder.find(2)).toMatchObject({
    answer: undefined,
    isFinished: true,
    problem: expect.stringMatching(/^the app gave no answer/),
  });
  const other = new WebhookApp();
  await other.start();
  closers.push(() => other.kill());
  await replay({}, `http://127.0.0.1:${other.port}/`);
  expect(recorder.find(3)).toMatchObject({
    refusal: expect.stringContaining('another address'),
    replayOf: 1,
  });
});

describe('the signature', () => {
  const TEN_MINUTES_MS = 600_000;

  /** A webhook that was rightly signed ten minutes ago, and captured then. */
  async function openSigned(line: string) {
    const rule = makeRule(line);
    const stage = await open({ rules: { verify: [rule] } });
    const signer = openSigner(rule);
    const cameAt = new Date(Date.now() - TEN_MINUTES_MS);
    // Twilio signs the fields of a form.
    const isForm = rule.provider === 'twilio';
    const request = {
      method: 'POST',
      target: rule.path,
      rawHeaders: [
        ...['Host', 'bore.example:4321'],
        ...['Content-Type', isForm ? 'application/x-www-form-urlencoded' : 'application/json'],
      ],
      body: isForm ? Buffer.from('a=1&b=%C3%A4') : BYTES,
    };
    const origins = [PUBLIC_URL];
    const fields = signer.sign({ ...request, origins }, Math.floor(cameAt.getTime() / 1_000));
    const captured = {
      ...request,
      rawHeaders: [...request.rawHeaders, ...fields.flat(), 'X-Last', '1'],
      bodyBytes: request.body.length,
      receivedAt: cameAt,
      verified: rule.provider,
    };
    const send = (reSign: boolean, to?: string, changes: Partial<CapturedRequest> = {}) =>
      stage.door.gateway.replay(
        { ...stage.captured, ...captured, ...changes },
        { to: to === undefined ? undefined : new URL(to), reSign },
      );
    const check = (received: ReceivedWebhook | undefined, origin: string) =>
      signer.check(
        {
          method: 'POST',
          target: received?.line.split(' ')[1] ?? '',
          rawHeaders: received?.rawHeaders ?? [],
          body: received?.body ?? Buffer.alloc(0),
          origins: [origin],
        },
        Math.floor(Date.now() / 1_000),
      );
    return { ...stage, send, check };
  }

  it.each(Object.entries(SAMPLE_LINES))(
    'of %s is made again, for the app and for another address',
    async (_, line) => {
      const { app, send, check } = await openSigned(line);
      expect((await send(true)).hint).toBeUndefined();
      expect(check(app.received[1], PUBLIC_URL)).toEqual({ kind: 'right' });
      expect(app.received[1]?.rawHeaders).toContain('X-Last');
      const other = new WebhookApp();
      await other.start();
      closers.push(() => other.kill());
      const origin = `http://127.0.0.1:${other.port}`;
      await send(true, `${origin}/elsewhere`);
      expect(check(other.received[0], origin)).toEqual({ kind: 'right' });
    },
  );

  it('of a refused request is right in the record, if it was made again', async () => {
    const { door, recorder } = await open({ rules: { verify: [makeRule('github /hooks/signed s3cret')] } });
    const wrong = `X-Hub-Signature-256: sha256=${'0'.repeat(64)}`;
    const head = `POST /hooks/signed HTTP/1.1\r\nHost: bore.example:4321\r\n${wrong}\r\nContent-Length: 2\r\n`;
    await sendRaw(door.port, `${head}Connection: close\r\n\r\nhi`);
    const refused = recorder.list().at(-1);
    if (refused === undefined) return expect.fail('was not captured');
    await door.gateway.replay(refused, { to: undefined, reSign: false });
    await door.gateway.replay(refused, { to: undefined, reSign: true });
    const [, ...records] = recorder.list().filter(({ target }) => target === '/hooks/signed');
    expect(records.map(({ verified }) => verified)).toEqual([undefined, 'github']);
  });

  it.each(['stripe', 'slack', 'standard-webhooks'])(
    'of %s that has become too old is sent as it is, and a hint says so',
    async provider => {
      const { app, send, check } = await openSigned(SAMPLE_LINES[provider] ?? '');
      expect((await send(false)).hint).toMatch(/older than 5 minutes.*--re-sign/);
      const refused = { receivedAt: new Date(), refusal: 'its timestamp is 10m old', verified: undefined };
      expect((await send(false, undefined, refused)).hint).toMatch(/older than 5 minutes/);
      expect(check(app.received[1], PUBLIC_URL).kind).toBe('stale');
    },
  );

  it('of a provider without timestamps stays right', async () => {
    const { app, send, check } = await openSigned(SAMPLE_LINES.github ?? '');
    expect((await send(false)).hint).toBeUndefined();
    expect(check(app.received[1], PUBLIC_URL)).toEqual({ kind: 'right' });
  });

  it('cannot be made without a rule for the path', async () => {
    const { app, door, captured } = await open({ rules: { verify: [makeRule('github /elsewhere s3cret')] } });
    await expect(door.gateway.replay(captured, { to: undefined, reSign: true })).rejects.toThrow(
      'request 1 cannot be signed: no rule of `verify` is for its path',
    );
    expect(app.received).toHaveLength(1);
  });
});

it("does not send the preview's key to another address", async () => {
  const key = 'K'.repeat(32);
  const { door, recorder } = await open({
    rules: { access: { kind: 'link', key }, publicPaths: ['/hooks/**'] },
  });
  const head = `POST /hooks/b?expose-key=${key}&a=1 HTTP/1.1\r\nHost: bore.example:4321\r\nAuthorization: Bearer ${key}\r\n`;
  await sendRaw(door.port, `${head}Content-Length: 2\r\nConnection: close\r\n\r\nhi`);
  const other = new WebhookApp();
  await other.start();
  closers.push(() => other.kill());
  const captured = recorder.list().at(-1) ?? expect.fail('nothing was captured');
  await door.gateway.replay(captured, { to: new URL(`http://127.0.0.1:${other.port}`), reSign: false });
  expect(other.bodies).toEqual(['hi']);
  expect(JSON.stringify(other.received)).not.toContain(key);
});
