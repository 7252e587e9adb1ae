// The routes of the captured requests, over a real socket.

import { request as httpRequest } from 'node:http';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { type ControlApi, startControlApi } from '../../../src/control/api.ts';
import { RequestMessageSchema } from '../../../src/shared/request-json.ts';
import { useClosers } from '../../support/closers.ts';
import { controlsWith } from '../../support/controls.ts';
import { FakeRequestLog } from '../../support/request-log.ts';
import { findCommands } from '../../support/runner-commands.ts';
import { waitUntil } from '../../support/wait-until.ts';

const closers = useClosers();
const TOKEN = 'a-token-of-this-test';

async function start(): Promise<{
  log: FakeRequestLog;
  api: ControlApi;
  ask: (route: string) => Promise<Answer>;
}> {
  const log = new FakeRequestLog({ kind: 'paths', patterns: ['/hooks/**'] });
  const api = await startControlApi(controlsWith({ requests: log }), TOKEN);
  closers.push(() => api.stop());
  const ask = async (route: string) => {
    const [method = '', path = ''] = route.split(' ');
    const response = await fetch(`${api.url}${path}`, {
      method,
      headers: { Authorization: `Bearer ${TOKEN}` },
    });
    return { status: response.status, body: v.parse(AnswerSchema, await response.json()) };
  };
  return { log, api, ask };
}

const AnswerSchema = v.looseObject({
  success: v.boolean(),
  error: v.optional(v.string()),
  requests: v.optional(v.array(RequestMessageSchema)),
  request: v.optional(RequestMessageSchema),
  last_id: v.optional(v.number()),
});

type Answer = { status: number; body: v.InferOutput<typeof AnswerSchema> };

const ids = ({ body }: Answer) => body.requests?.map(({ id }) => id);

it('an answer that a step prints has no workflow command of a sender', async () => {
  const { log, api } = await start();
  log.add({ target: '/hooks/a', body: Buffer.from('##[error]x') });
  for (const path of ['/api/requests', '/api/requests/1', '/api/requests/wait?timeout=1s']) {
    const response = await fetch(`${api.url}${path}`, { headers: { Authorization: `Bearer ${TOKEN}` } });
    const text = await response.text();
    expect(findCommands(text)).toEqual([]);
    expect(text).toContain('u0023[error]x');
  }
});

describe('GET /api/requests', () => {
  it('filters by path, method and id', async () => {
    const { log, ask } = await start();
    log.add({ target: '/hooks/a?x=1' });
    log.add({ target: '/hooks/b', method: 'PUT' });
    log.add({ target: '/hooks/a', method: 'DELETE' });
    log.add({ target: '/hooks/deep/a' });
    expect(ids(await ask('GET /api/requests'))).toEqual([1, 2, 3, 4]);
    expect(ids(await ask('GET /api/requests?path=/hooks/a'))).toEqual([1, 3]);
    expect(ids(await ask('GET /api/requests?path=/hooks/a,/hooks/b'))).toEqual([1, 2, 3]);
    expect(ids(await ask('GET /api/requests?path=/hooks/**&method=put,%20delete'))).toEqual([2, 3]);
    const since = await ask('GET /api/requests?path=/hooks/*&since=1');
    expect([ids(since), since.body.last_id]).toEqual([[2, 3], 4]);
  });

  it('leaves the bodies out if asked', async () => {
    const { log, ask } = await start();
    log.add({ body: Buffer.from('hi') });
    const { body } = await ask('GET /api/requests?bodies=false');
    expect(body.requests?.[0]).toMatchObject({
      body: null,
      body_encoding: null,
      body_bytes: 2,
      body_cut: false,
    });
  });

  it.each([
    ['patth=/x', /no parameter `patth` here: use path, method, since/],
    ['path=hooks', /`path` has 'hooks', which does not begin with \//],
    ['path=', /`path` is empty/],
    ['method=P%20T', /`method` has 'P T'/],
    ['method=psot', /`method` has 'PSOT', which is not a method of HTTP: write POST/],
    ['since=-1', /`since` is '-1'/],
    ['since=7', /`since` is 7, but no request has come yet/],
    ['bodies=no', /`bodies` is 'no': write true or false/],
    ['since=0&since=0', /`since` is given more than once/],
  ])('refuses ?%s and says what is wrong', async (query, message) => {
    const { ask } = await start();
    const { status, body } = await ask(`GET /api/requests?${query}`);
    expect([status, body.success]).toEqual([400, false]);
    expect(body.error).toMatch(message);
  });

  it('sends 64 MB of bodies in parts, and begins before it has read all of them', async () => {
    const { log, api } = await start();
    for (let count = 0; count < 1_000; count += 1) log.add({ body: Buffer.alloc(64 * 1024, 'x') });
    let read = 0;
    log.onRead = () => {
      read += 1;
    };
    const first = Promise.withResolvers<number>();
    const length = Promise.withResolvers<number>();
    httpRequest(`${api.url}/api/requests`, { headers: { Authorization: `Bearer ${TOKEN}` } }, response => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        first.resolve(read);
        bytes += chunk.length;
      });
      response.on('end', () => length.resolve(bytes));
    }).end();
    expect(await first.promise).toBeLessThan(100);
    expect(await length.promise).toBeGreaterThan(64e6);
    expect(read).toBe(1_000);
  });

  it('stops when its reader leaves', async () => {
    const { log, api, ask } = await start();
    for (let count = 0; count < 500; count += 1) log.add({ body: Buffer.alloc(64 * 1024, 'x') });
    let described = 0;
    log.onRead = () => {
      described += 1;
    };
    const read = httpRequest(
      `${api.url}/api/requests`,
      { headers: { Authorization: `Bearer ${TOKEN}` } },
      response => {
        response.once('data', () => response.destroy());
      },
    );
    read.on('error', () => {}).end();
    await waitUntil(() => read.destroyed, 'the reader is gone');
    expect((await ask('GET /api/requests?since=500')).status).toBe(200);
    expect(described).toBeLessThan(400);
  });
});

describe('GET /api/requests/{id}', () => {
  it('sends the request', async () => {
    const { log, ask } = await start();
    log.add({ target: '/hooks/a', body: Buffer.from([0xff]) });
    const { body } = await ask('GET /api/requests/1');
    expect(body.request).toMatchObject({ id: 1, target: '/hooks/a', body: '/w==', body_encoding: 'base64' });
  });

  it('says why there is no such request', async () => {
    const { log, ask } = await start();
    const errorOf = async (id: string) => {
      const { status, body } = await ask(`GET /api/requests/${id}`);
      return `${status} ${body.error}`;
    };
    expect(await errorOf('1')).toBe('404 there is no request 1: none has been captured yet');
    log.add();
    log.add();
    log.forget(1);
    expect(await errorOf('1')).toMatch(/^404 request 1 is not kept any more: newer requests took its place/);
    expect(await errorOf('3')).toBe('404 there is no request 3: the newest is 2');
    expect(await errorOf('0')).toBe('404 there is no request 0: the newest is 2');
    expect(await errorOf('one')).toMatch(/^400 `id` is 'one', which is not the id of a request/);
    expect(await errorOf('%ff')).toMatch(/^404 no such route/);
  });
});

describe('DELETE /api/requests', () => {
  it('forgets the requests, and not the last id', async () => {
    const { log, ask } = await start();
    log.add();
    expect((await ask('DELETE /api/requests')).body.success).toBe(true);
    expect((await ask('GET /api/requests')).body).toEqual({ success: true, requests: [], last_id: 1 });
  });
});
