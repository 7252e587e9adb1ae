// `GET /api/requests/wait` over real sockets: what it answers, at once and after a wait.

import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startControlApi } from '../../../src/control/api.ts';
import type { Controls } from '../../../src/control/call.ts';
import { readWaitQuery } from '../../../src/control/wait/query.ts';
import { RequestRecorder } from '../../../src/gateway/webhooks/record/recorder.ts';
import type { Capture } from '../../../src/shared/captured-request.ts';
import type { ExposureState } from '../../../src/shared/state.ts';
import { useClosers } from '../../support/closers.ts';
import { controlsWith } from '../../support/controls.ts';
import { openDoor, sendRaw } from '../../support/gateway-door.ts';
import { OPEN_GATEWAY } from '../../support/open-gateway.ts';
import { startRawApp } from '../../support/raw-app.ts';
import { FakeRequestLog } from '../../support/request-log.ts';
import { LIVE } from '../../support/sample-state.ts';
import { Seeded } from '../../support/seeded.ts';
import { waitUntil } from '../../support/wait-until.ts';

const closers = useClosers();
const TOKEN = 'a-token-of-this-test';
const HOOKS: Capture = { kind: 'paths', patterns: ['/hooks/**'] };

interface Answer {
  status: number;
  body: {
    success: boolean;
    error?: string;
    requests?: {
      id: number;
      body?: string;
      status: number | null;
      reason?: string | null;
      matched?: boolean;
    }[];
    refused_requests?: { id: number; reason: string }[];
    count?: number;
    last_id?: number;
    matched?: number;
  };
}

async function startApi(changes: Partial<Controls>) {
  const api = await startControlApi(controlsWith(changes), TOKEN);
  closers.push(() => api.stop());
  const wait = async (query: string, init: RequestInit = {}): Promise<Answer> => {
    const headers = { Authorization: `Bearer ${TOKEN}` };
    const response = await fetch(`${api.url}/api/requests/wait?${query}`, { ...init, headers });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  };
  return { api, wait };
}

async function start(capture: Capture = HOOKS, changes: Partial<Controls> = {}) {
  const log = new FakeRequestLog(capture);
  return { log, ...(await startApi({ requests: log, ...changes })) };
}

const POST = { body: Buffer.from('{"action":"opened"}'), rawHeaders: ['Content-Type', 'application/json'] };

describe('a wait', () => {
  it('answers with the first requests that match, and with the id behind which the next wait goes on', async () => {
    const { log, wait } = await start();
    for (const target of ['/hooks/a', '/hooks/b', '/hooks/a', '/hooks/a']) log.add({ target });
    const first = await wait('path=/hooks/a&count=2');
    expect([first.status, first.body.success, first.body.count, first.body.last_id]).toEqual([
      200,
      true,
      2,
      3,
    ]);
    expect(first.body.requests?.map(({ id }) => id)).toEqual([1, 3]);
    const next = await wait('path=/hooks/a&since=3');
    expect(next.body.requests?.map(({ id }) => id)).toEqual([4]);
  });

  it('answers when the request has its answer, and not when it has only come', async () => {
    const { log, wait } = await start();
    const waiting = wait('');
    await waitUntil(() => log.listeners === 2, 'it waits');
    const request = log.add({ answer: undefined, isFinished: false });
    let isOver = false;
    void waiting.then(() => {
      isOver = true;
    });
    await wait('since=1&timeout=1s');
    expect(isOver).toBe(false);
    log.finish(request, { status: 204, durationMs: 3 });
    expect((await waiting).body.requests?.[0]).toMatchObject({ id: 1, status: 204 });
  });

  it('answers when the sender of the request has left', async () => {
    const { log, wait } = await start();
    const request = log.add({ answer: undefined, isFinished: false });
    const waiting = wait('');
    await waitUntil(() => log.listeners === 2, 'it waits');
    log.finish(request, null);
    expect((await waiting).body.requests?.[0]).toMatchObject({ id: 1, status: null });
  });

  it('is dropped when its client leaves', async () => {
    const { log, wait } = await start();
    const leave = new AbortController();
    const waiting = wait('', { signal: leave.signal });
    await waitUntil(() => log.listeners === 2, 'it waits');
    leave.abort();
    await expect(waiting).rejects.toThrow();
    await waitUntil(() => log.listeners === 1, 'nothing waits any more');
  });

  it('goes on beside 200 others, and each gets its own request', async () => {
    const { log, wait } = await start();
    const waits = Array.from({ length: 200 }, (_, index) => wait(`path=/hooks/${index}`));
    await waitUntil(() => log.listeners === 201, 'all wait');
    for (let index = 199; index >= 0; index -= 1) log.add({ target: `/hooks/${index}` });
    const answers = await Promise.all(waits);
    expect(answers.map(({ body }) => body.requests?.[0]?.id)).toEqual(waits.map((_, index) => 200 - index));
  });

  it('answers at once when the exposure ends', async () => {
    const ending = new AbortController();
    const { log, wait } = await start(HOOKS, { ending: ending.signal });
    log.add({ method: 'GET' });
    const waiting = wait('');
    await waitUntil(() => log.listeners === 2, 'it waits');
    ending.abort(new Error('the preview has ended: stopped'));
    const { status, body } = await waiting;
    expect([status, body.error]).toEqual([410, 'the preview has ended: stopped']);
    expect((await wait('')).status).toBe(410);
    expect(log.listeners).toBe(1);
  });

  it('gives up when what matched holds more than all captured requests may', async () => {
    const { log, wait } = await start();
    const body = Buffer.alloc(1024 * 1024);
    for (let count = 0; count < 65; count += 1) log.add({ body });
    const { status, body: answer } = await wait('count=65');
    expect([status, answer.error]).toEqual([
      409,
      expect.stringMatching(/wait for fewer at a time, with `since`/),
    ]);
  });

  it('reports its progress to a client that reads events', async () => {
    const { log, api } = await start();
    log.add({ refusal: 'no key' });
    const events = await readEvents(`${api.url}/api/requests/wait?count=2`, async text => {
      if (text.includes('"refused":1') && log.lastId === 1) log.add();
      if (text.includes('"matched":1') && log.lastId === 2) log.add();
    });
    expect(events.map(({ event }) => event)).toEqual(
      ['progress', 'progress', 'progress', 'result'].slice(4 - events.length),
    );
    expect(events.at(-1)?.data).toMatchObject({ success: true, count: 2, last_id: 3 });
    const failed = await readEvents(`${api.url}/api/requests/wait?since=3&timeout=1s`);
    expect(failed.at(-1)).toMatchObject({
      event: 'error',
      data: { success: false, status: 408, matched: 0 },
    });
  });
});

/** Reads server-sent events to the end. */
function readEvents(
  url: string,
  onText = async (_text: string) => {},
): Promise<{ event: string; data: unknown }[]> {
  const headers = { Authorization: `Bearer ${TOKEN}`, Accept: 'text/event-stream' };
  return new Promise((resolve, reject) => {
    httpRequest(url, { headers }, response => {
      let text = '';
      response.setEncoding('utf8').on('data', async chunk => {
        text += chunk;
        await onText(chunk);
      });
      response.on('end', () =>
        resolve(
          [...text.matchAll(/event: (.*)\ndata: (.*)\n\n/g)].map(([, event = '', data = '']) => ({
            event,
            data: JSON.parse(data) as unknown,
          })),
        ),
      );
    })
      .on('error', reject)
      .end();
  });
}

describe('a wait that cannot succeed is refused at once', () => {
  it.each<[string, Capture, RegExp]>([
    [
      'path=/other',
      HOOKS,
      /requests to \/other are not captured, only those to \/hooks\/\*\*: add the path to `capture`, or to `public-paths`/,
    ],
    ['path=/hooks/a,/x', HOOKS, /requests to \/x are not captured/],
    ['', { kind: 'none' }, /no request is captured here \(`capture: none`/],
    ['method=get', { kind: 'unsafe methods' }, /GET requests are captured only on paths that `capture`/],
    ['match=json:a=1', HOOKS, /`match` has 'json:a=…': its path does not begin with \$/],
    ['match=header:a=1&match=nonsense', HOOKS, /`match` has 'nonsense'/],
    ['count=0', HOOKS, /`count` is '0': write a whole number from 1 to 1000/],
    ['count=1.5', HOOKS, /`count` is '1\.5'/],
    ['timeout=60', HOOKS, /`timeout` is '60', which is not a duration/],
    ['timeout=25h', HOOKS, /`timeout` is '25h': a wait takes at most 24h/],
    ['since=5', HOOKS, /`since` is 5, but no request has come yet/],
    ['path=hooks', HOOKS, /`path` has 'hooks', which does not begin with \//],
    ['patch=/hooks/a', HOOKS, /no parameter `patch`/],
  ])('?%s', async (query, capture, message) => {
    const { wait } = await start(capture);
    const { status, body } = await wait(query);
    expect([status, body.success, body.error]).toEqual([400, false, expect.stringMatching(message)]);
  });

  it.each<[string, Capture]>([
    ['path=/hooks/a/b', HOOKS],
    ['path=/**', HOOKS],
    ['path=/hooks/*/x', HOOKS],
    ['path=/anything&method=GET,POST', { kind: 'unsafe methods' }],
  ])('and ?%s is none of these', (query, capture) => {
    const log = new FakeRequestLog(capture);
    expect(readWaitQuery(new URLSearchParams(query), log).count).toBe(1);
  });
});

describe('a wait that timed out', () => {
  it('says what came instead and why it did not match, what was refused, and what to do', async () => {
    const { log, wait } = await start();
    log.add({ ...POST, target: '/hooks/gh?token=geheim' });
    log.add({ method: 'GET' });
    log.add({ handshake: 'slack' });
    log.add({
      refusal: 'it has no key, and its path is not one of `public-paths`',
      answer: { status: 401, durationMs: 1 },
    });
    log.add({ ...POST, target: '/hooks/\u001b[31mred' });
    const { status, body } = await wait(
      'path=/hooks/*&match=json:$.action=closed&match=header:X=1&timeout=1s',
    );
    expect(status).toBe(408);
    expect(body.error?.split('\n').slice(0, -2)).toEqual([
      'no request matched within 1s; waited for a request to /hooks/* with json:$.action=closed and header:x=1',
      'did not match:',
      '  1 POST /hooks/gh → 200: json:$.action is "opened", not "closed"',
      '  2 GET /hooks/gh → 200: GET counts only if `method` names it',
      '  3 POST /hooks/gh → 200: it is a handshake (slack), which does not count',
      '  5 POST /hooks/\\x1b[31mred → 200: json:$.action is "opened", not "closed"',
      'refused, so the app did not get them:',
      '  4 POST /hooks/gh → 401: it has no key, and its path is not one of `public-paths`',
    ]);
    expect(body.error).toMatch(
      /The tunnel has been connected for .*\.\nA service that cannot send the key needs its path in `public-paths`, or a rule in `verify`\.$/,
    );
    expect(body.requests?.map(({ id, reason }) => [id, reason])).toContainEqual([
      1,
      'json:$.action is "opened", not "closed"',
    ]);
    expect(body.refused_requests?.map(({ id }) => id)).toEqual([4]);
    expect(body.last_id).toBe(5);
  });

  it('counts what matched, and says which request the app has not answered', async () => {
    const { log, wait } = await start();
    log.add();
    log.add({ answer: undefined, isFinished: false });
    const { body } = await wait('count=3&method=post&timeout=1s');
    expect(body.error).toMatch(
      /^2 of 3 requests matched within 1s; waited for 3 POST to any captured path\nmatched:\n {2}1 POST \/hooks\/gh → 200\n {2}2 POST \/hooks\/gh: the app has not answered it yet\n/,
    );
    expect(body.requests?.map(({ id, matched }) => [id, matched])).toEqual([
      [1, true],
      [2, true],
    ]);
    expect((await wait('count=2&timeout=1s')).status).toBe(408);
  });

  it('shows the newest of many requests, and how many came earlier', async () => {
    const { log, wait } = await start();
    for (let count = 0; count < 500; count += 1) log.add({ target: '/hooks/other' });
    const { body } = await wait('path=/hooks/a&timeout=1s');
    expect(body.error).toContain(
      'did not match:\n  … 490 earlier\n  491 POST /hooks/other → 200: its path is not /hooks/a\n',
    );
    expect(body.requests?.length).toBe(20);
  });

  it('says where to send the request if nothing has come, and whether something came to other paths', async () => {
    let visits = 7;
    const { wait } = await startApi({
      requests: new FakeRequestLog(HOOKS),
      get state(): ExposureState {
        return { ...LIVE, visits: visits++ };
      },
    });
    const { body } = await wait('path=/hooks/gh&timeout=1s');
    expect(body.error).toMatch(
      /Nothing has come: does the service send to http:\/\/bore\.example:12345\/hooks\/gh\? 1 request came to paths that are not captured\./,
    );
  });

  it('says that the tunnel is down', async () => {
    const tunnel = {
      status: 'Reconnecting',
      host: 'bore.example',
      port: 1,
      reason: 'the server is away',
    } as const;
    const { wait } = await start(HOOKS, { state: { ...LIVE, tunnel } });
    const { body } = await wait('timeout=1s');
    expect(body.error).toMatch(/\nThe tunnel is Reconnecting, so nothing can come: the server is away$/);
  });
});

describe('a wait for real requests through the gateway', () => {
  async function open(rules = {}) {
    const app = await startRawApp();
    const recorder = new RequestRecorder(HOOKS);
    const door = await openDoor(app.port, { rules: { ...OPEN_GATEWAY, ...rules }, recorder });
    closers.push(app.stop, door.stop);
    const post = (body: string) =>
      sendRaw(
        door.port,
        `POST /hooks/a HTTP/1.1\r\nHost: bore.example:4321\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
    return { app, recorder, post, ...(await startApi({ requests: recorder })) };
  }

  it('sees a request that comes within a millisecond before or after it, and never one twice', async () => {
    const { recorder, post, wait } = await open();
    const random = new Seeded(13);
    for (let round = 0; round < 100; round += 1) {
      const since = recorder.lastId;
      const body = `round ${round}`;
      const [sendAfter, waitAfter] = [random.below(2), random.below(2)];
      const [, answer] = await Promise.all([
        delay(sendAfter).then(() => post(body)),
        delay(waitAfter).then(() => wait(`since=${since}&path=/hooks/*`)),
      ]);
      expect(answer.body.requests).toMatchObject([{ id: round + 1, body, status: 200, finished: true }]);
    }
  });

  it('sees all of a burst of 500 requests on 64 connections, in the order of ids', async () => {
    const { post, wait } = await open();
    const waiting = wait('count=500&timeout=5m');
    let next = 0;
    const sendNext = async (): Promise<void> => {
      if (next === 500) return;
      next += 1;
      await post(`number ${next}`);
      return sendNext();
    };
    await Promise.all(Array.from({ length: 64 }, sendNext));
    const { body } = await waiting;
    expect(body.requests?.map(({ id }) => id)).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
    expect(new Set(body.requests?.map(one => one.body)).size).toBe(500);
  });

  it('says which request had no key, and what to do, if the path is captured and not public', async () => {
    const { app, post, wait } = await open({ access: { kind: 'link', key: 'K'.repeat(32) } });
    await post('a webhook');
    const { status, body } = await wait('path=/hooks/a&timeout=1s');
    expect([status, app.requestLines]).toEqual([408, []]);
    expect(body.error).toMatch(
      /refused, so the app did not get them:\n {2}1 POST \/hooks\/a → 401: .*public-paths/,
    );
    expect(body.error).toMatch(/\nA service that cannot send the key needs its path in `public-paths`/);
  });
});

describe('openapi.yaml', () => {
  const document = parse(readFileSync(resolve('src/control/openapi.yaml'), 'utf8'));
  const { schemas, responses } = document.components;
  const { responses: answers } = document.paths['/api/requests/wait'].get;

  /** The object has exactly the fields of the schema, all of which are required. */
  function expectFields(value: object | undefined, schema: { required: string[]; properties: object }): void {
    expect(Object.keys(value ?? {}).sort()).toEqual([...schema.required].sort());
    expect(Object.keys(schema.properties).sort()).toEqual([...schema.required].sort());
  }

  it('names every field of what a wait answers', async () => {
    const { log, wait } = await start();
    log.add({ refusal: 'no key' });
    log.add();
    const { body } = await wait('');
    expectFields(body, answers['200'].content['application/json'].schema);
    expectFields(body.requests?.[0], schemas.Request);
    const { body: late } = await wait('path=/hooks/other&timeout=1s');
    expectFields(late, responses.WaitFailure.content['application/json'].schema);
    for (const one of [late.requests?.[0], late.refused_requests?.[0]]) expectFields(one, schemas.Arrived);
  });

  it('names the statuses of a wait', () => {
    expect(Object.keys(answers)).toEqual(['200', '400', '408', '409', '410', 'default']);
  });
});
