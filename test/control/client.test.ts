// The client of the control API, with servers that send bad responses, or die.

import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type ControlAddress, callControl, followStates } from '../../src/control/client.ts';
import { describeError } from '../../src/shared/errors.ts';
import { describeState } from '../../src/shared/state-json.ts';
import { listen } from '../support/listen.ts';
import { sampleEnd } from '../support/sample-state.ts';

/** 600 KB arrive in many chunks, and some chunks end inside a character. */
const REASON = '€'.repeat(200_000);
const STATE = JSON.stringify(
  describeState(
    sampleEnd(
      { kind: 'failed', reason: REASON, lastLines: [], endedAt: new Date(0) },
      { tunnel: { status: 'Not started' } },
    ),
  ),
);

/** A server in place of the API. */
async function startServer(answer: RequestListener): Promise<ControlAddress> {
  const server = createServer(answer);
  const port = await listen(server);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { controlUrl: `http://127.0.0.1:${port}`, controlToken: 'a-token' };
}

/** An address at which nothing listens any more. */
async function findDeadAddress(): Promise<ControlAddress> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, 'close');
  return { controlUrl: `http://127.0.0.1:${port}`, controlToken: 'a-token' };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const inTime = () => AbortSignal.timeout(20_000);

describe('a call', () => {
  it('reads characters that are split over chunks', async () => {
    const address = await startServer((_, response) => response.end(JSON.stringify({ reason: REASON })));
    expect(await callControl(address, 'GET /api/app')).toEqual({ reason: REASON });
  });

  it('fails with the error of the API, or with its status', async () => {
    const answers = ['{"success":false,"error":"not now"}', '{}'];
    const address = await startServer((_, response) => response.writeHead(503).end(answers.shift()));
    await expect(callControl(address, 'POST /api/stop')).rejects.toThrow(/^not now$/);
    await expect(callControl(address, 'POST /api/stop')).rejects.toThrow(/^the API answered 503$/);
  });

  it('fails with ECONNREFUSED if nothing listens at the address', async () => {
    const error: unknown = await callControl(await findDeadAddress(), 'GET /api/app').catch(thrown => thrown);
    expect(describeError(error)).toContain('ECONNREFUSED');
  });

  it.each([
    ['does not answer', () => {}],
    ['stops in the middle of its answer', (_, response) => response.write('{')],
  ] satisfies [string, RequestListener][])('fails at its time limit if the API %s', async (_, answer) => {
    const address = await startServer(answer);
    await expect(callControl(address, 'GET /api/app', 100)).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('fails if the API dies in the middle of its response', async () => {
    const address = await startServer((_, response) => {
      response.write('{', () => response.destroy());
    });
    await expect(callControl(address, 'GET /api/app')).rejects.toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('the stream of states', () => {
  it('reads characters that are split over chunks', async () => {
    const address = await startServer((_, response) =>
      response.end(`event: request\ndata: {}\n\nevent: state\ndata: ${STATE}\n\n`),
    );
    const states = await collect(followStates(address, inTime()));
    expect(states).toMatchObject([{ exposure: { phase: 'failed', reason: REASON } }]);
  });

  it('ends without an error if the process is gone, before or during the stream', async () => {
    expect(await collect(followStates(await findDeadAddress(), inTime()))).toEqual([]);
    const seen = Promise.withResolvers<void>();
    const address = await startServer(async (_, response) => {
      response.write(`event: state\ndata: ${STATE}\n\ndata: {"half`);
      await seen.promise;
      response.socket?.resetAndDestroy();
    });
    const states = followStates(address, inTime());
    expect((await states.next()).done).toBe(false);
    seen.resolve();
    expect((await states.next()).done).toBe(true);
    const silent = await startServer(request => void request.socket.destroy());
    expect(await collect(followStates(silent, inTime()))).toEqual([]);
  });

  it('ends without an error, and closes its connection, if the API refuses', async () => {
    const closed = Promise.withResolvers<void>();
    const address = await startServer((_, response) => {
      response.writeHead(401).write('{');
      response.once('close', closed.resolve);
    });
    const signal = inTime();
    expect(await collect(followStates(address, signal))).toEqual([]);
    await closed.promise;
    expect(signal.aborted).toBe(false);
  });

  it('ends when its signal is aborted, before the response and during it', async () => {
    for (const isAnswered of [false, true]) {
      const asked = Promise.withResolvers<void>();
      const closed = Promise.withResolvers<void>();
      const address = await startServer((_, response) => {
        if (isAnswered) response.write(`event: state\ndata: ${STATE}\n\n`);
        response.once('close', closed.resolve);
        asked.resolve();
      });
      const over = new AbortController();
      const states = followStates(address, over.signal);
      if (isAnswered) expect((await states.next()).done).toBe(false);
      const next = states.next();
      await asked.promise;
      over.abort();
      expect((await next).done).toBe(true);
      await closed.promise;
    }
  });

  it('fails on data that is not a state', async () => {
    for (const data of ['{}', '{']) {
      const address = await startServer((_, response) => response.end(`event: state\ndata: ${data}\n\n`));
      await expect(collect(followStates(address, inTime()))).rejects.toThrow();
    }
  });
});
