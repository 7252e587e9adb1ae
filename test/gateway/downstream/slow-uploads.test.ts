// Uploads: those that go on may take any time, those that stand still or creep are ended.

import { once } from 'node:events';
import { createServer, type RequestListener, request as sendRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VisitorLimits } from '../../../src/gateway/downstream/visitor-server.ts';
import { useClosers } from '../../support/closers.ts';
import { type Door, openDoor, sendRaw } from '../../support/gateway-door.ts';
import { listen } from '../../support/listen.ts';
import { TestCa, type TestCertificate } from '../../support/test-ca.ts';

/** Never reached. */
const LONG_MS = 60_000;
const HEAD = 'POST / HTTP/1.1\r\nHost: bore.example:4321\r\nContent-Length: 100\r\n\r\n';

const closers = useClosers();
let ca: TestCa;
let tls: TestCertificate;
beforeAll(() => {
  ca = new TestCa();
  tls = ca.issue(['DNS:localhost']);
});
afterAll(() => ca.remove());

const READ: RequestListener = (request, response) => {
  let bytes = 0;
  request.on('data', chunk => {
    bytes += chunk.length;
  });
  request.once('end', () => response.end(`${bytes} bytes`));
};

/** By default, the app answers with the number of bytes in the body. */
async function open(limits: Partial<VisitorLimits>, { take = READ, useTls = false } = {}) {
  const aborted = Promise.withResolvers<void>();
  const app = createServer((request, response) => {
    request.on('error', () => {});
    request.socket.once('close', () => request.complete || aborted.resolve());
    take(request, response);
  });
  const port = await listen(app);
  const door = await openDoor(port, {
    limits,
    rules: { maxBodyBytes: 1 << 30 },
    ...(useTls && { tls, publicUrl: 'https://localhost:{port}' }),
  });
  closers.push(
    () => app.close(),
    () => app.closeAllConnections(),
    door.stop,
  );
  return { door, aborted: aborted.promise };
}

describe('an upload that goes on', () => {
  const LIMIT_MS = 600;
  const PIECE = Buffer.alloc(32 * 1024);

  it.each(['HTTP/1.1', 'HTTP/2'])(
    'may take longer than every limit: %s',
    async protocol => {
      let taken = () => {};
      const { door } = await open(
        { requestTimeoutMs: LIMIT_MS, stalledMs: LIMIT_MS },
        {
          take: (request, response) => {
            READ(request, response);
            request.on('data', () => taken());
          },
          useTls: protocol === 'HTTP/2',
        },
      );
      const session =
        protocol === 'HTTP/2' ? connectHttp2(`https://localhost:${door.port}`, { ca: ca.pem }) : undefined;
      closers.push(() => session?.destroy());
      const request =
        session?.request({ ':method': 'POST' }) ?? sendRequest(door.url, { method: 'POST', agent: false });
      const answered = once(request, 'response');
      answered.catch(() => {});
      const begun = performance.now();
      let sent = 0;
      // The next piece follows when the app has some of the last one.
      while (performance.now() - begun < 2.5 * LIMIT_MS) {
        const arrived = new Promise<void>(resolve => {
          taken = resolve;
        });
        await Promise.all([arrived, new Promise(resolve => request.write(PIECE, resolve))]);
        sent += PIECE.length;
      }
      request.end();
      const [response] = await answered;
      expect(await text(session ? request : response)).toBe(`${sent} bytes`);
    },
    30_000,
  );
});

describe('an upload that stands still', () => {
  it('is ended after a while, and so is the app’s request, long before it counts as slow', async () => {
    const { door, aborted } = await open({ stalledMs: 100, requestTimeoutMs: LONG_MS });
    expect(await sendRaw(door.port, `${HEAD}some`)).toMatch(/^HTTP\/1.1 408 [\s\S]*stood still/);
    await aborted;
  });

  it('is ended over HTTP/2 too, and its session goes on', async () => {
    const { door, aborted } = await open({ stalledMs: 100, requestTimeoutMs: LONG_MS }, { useTls: true });
    const session = connectHttp2(`https://localhost:${door.port}`, { ca: ca.pem });
    closers.push(() => session.destroy());
    const stream = session.request({ ':method': 'POST' }).on('error', () => {});
    stream.write('some');
    await once(stream, 'close');
    expect(stream.rstCode).toBe(8);
    await aborted;
    expect(session.closed).toBe(false);
  });

  it('gets no other status if its answer has begun', async () => {
    const { door, aborted } = await open(
      { stalledMs: 100, requestTimeoutMs: LONG_MS },
      { take: (request, response) => void request.once('data', () => response.write('begun')) },
    );
    const answer = await sendRaw(door.port, `${HEAD}some`);
    expect(answer).toMatch(/^HTTP\/1.1 200 [\s\S]*begun/);
    expect(answer).not.toContain('408');
    await aborted;
  });

  const SIZE = 8 << 20;

  function upload(door: Door): Socket {
    const visitor = connect(door.port, '127.0.0.1').setEncoding('latin1');
    visitor.on('error', () => {});
    closers.push(() => visitor.destroy());
    visitor.write(HEAD.replace('100', `${SIZE}\r\nConnection: close`));
    visitor.write(Buffer.alloc(SIZE));
    return visitor;
  }

  it('is not ended while the app takes nothing of it, because then the visitor cannot send', async () => {
    let resume = () => {};
    const { door } = await open(
      { stalledMs: 100, requestTimeoutMs: LONG_MS },
      {
        take: (request, response) => {
          if (request.headers['content-length'] !== `${SIZE}`) READ(request, response);
          else resume = () => READ(request, response);
        },
      },
    );
    const visitor = upload(door);
    // Others that stand still are ended in the meantime.
    for (let round = 0; round < 4; round += 1)
      expect(await sendRaw(door.port, `${HEAD}some`)).toMatch(/^HTTP\/1.1 408 /);
    resume();
    let answer = '';
    for await (const chunk of visitor) answer += chunk;
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 200 [\\s\\S]*${SIZE} bytes$`));
  }, 30_000);

  it('is ended if the app takes nothing for too long', async () => {
    const { door } = await open({ stalledMs: LONG_MS, requestTimeoutMs: 200 }, { take: () => {} });
    const visitor = upload(door).resume();
    await new Promise(resolve => visitor.once('close', resolve));
  });
});
