import { once } from 'node:events';
import { createServer, type OutgoingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { VisitorLimits } from '../../../src/gateway/downstream/visitor-server.ts';
import { useClosers } from '../../support/closers.ts';
import { openDoor } from '../../support/gateway-door.ts';
import {
  FRAME,
  FrameClient,
  listRequestFields,
  renderFrame,
  renderHeaders,
} from '../../support/http2-frames.ts';
import { TestCa, type TestCertificate } from '../../support/test-ca.ts';
import { waitUntil } from '../../support/wait-until.ts';

const GET = 'GET / HTTP/1.1\r\nHost: bore.example:4321\r\n\r\n';
const UPGRADE = GET.replace(
  '\r\n\r\n',
  '\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n',
);
const STALLED_MS = 300;

const closers = useClosers();

async function open(
  app: RequestListener | Server,
  limits: Partial<VisitorLimits> = {},
  tls?: TestCertificate,
) {
  const server = typeof app === 'function' ? createServer(app) : app;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const door = await openDoor((server.address() as AddressInfo).port, {
    limits: { stalledMs: STALLED_MS, ...limits },
    ...(tls && { tls }),
  });
  closers.push(
    () => server.close(),
    () => server.closeAllConnections(),
    door.stop,
  );
  return door;
}

/** A visitor who reads nothing until it resumes. */
async function visit(port: number, bytes: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').pause();
  socket.on('error', () => {});
  closers.push(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(bytes);
  return socket;
}

/** An endless answer, as fast as it is read; `gone` counts the visitors who left. */
function createFlood(head: OutgoingHttpHeaders = {}) {
  const flood = {
    begun: 0,
    gone: 0,
    app: ((_, response) => {
      flood.begun += 1;
      const piece = Buffer.alloc(1 << 16, 'x');
      response.writeHead(200, head);
      const pour = () => {
        while (response.write(piece));
      };
      response
        .on('drain', pour)
        .on('error', () => {})
        .once('close', () => {
          flood.gone += 1;
        });
      pour();
    }) as RequestListener,
  };
  return flood;
}

describe('a visitor who does not read its answer', () => {
  it('is closed after a while, and so is the app’s request', async () => {
    const flood = createFlood();
    const door = await open(flood.app);
    await visit(door.port, GET);
    await waitUntil(() => flood.begun === 1 && flood.gone === 1, 'the app notices that the visitor is gone');
  });

  it('is closed after a while, even if it keeps sending', async () => {
    const flood = createFlood();
    const door = await open(flood.app);
    const visitor = await visit(door.port, GET);
    visitor.write('GET /');
    const timer = setInterval(() => visitor.write('x'), 20);
    await waitUntil(() => flood.gone === 1, 'the app notices that the visitor is gone').finally(() =>
      clearInterval(timer),
    );
  });

  it('is closed after a while on any stream of bytes, not only on a socket', async () => {
    const flood = createFlood();
    const door = await open(flood.app);
    const [visitor, stream] = duplexPair();
    visitor.on('error', () => {});
    door.gateway.accept(stream);
    visitor.write(GET);
    await waitUntil(() => flood.gone === 1, 'the app notices that the visitor is gone');
    expect(stream.destroyed).toBe(true);
  });

  it('is closed after a while on a WebSocket', async () => {
    let gone = false;
    const server = createServer();
    server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      const pour = () => {
        while (socket.write(Buffer.alloc(1 << 16)));
      };
      socket
        .on('drain', pour)
        .on('error', () => {})
        .once('close', () => {
          gone = true;
        });
      pour();
    });
    const door = await open(server);
    await visit(door.port, UPGRADE);
    await waitUntil(() => gone, 'the app notices that the visitor is gone');
  });

  it('does not delay the stop of the gateway for longer than the drain', async () => {
    const flood = createFlood();
    const door = await open(flood.app, { stalledMs: 60_000 });
    const visitors = await Promise.all(Array.from({ length: 20 }, () => visit(door.port, GET)));
    await waitUntil(() => flood.begun === visitors.length, 'all are served');
    await door.gateway.stop(100);
    await waitUntil(() => flood.gone === visitors.length, 'all are gone');
  });
});

describe('a visitor is not closed', () => {
  it('if it reads its answer slowly', async () => {
    const flood = createFlood();
    const door = await open(flood.app);
    const visitor = await visit(door.port, GET);
    let taken = 0;
    const timer = setInterval(() => {
      taken += visitor.read(1 << 19)?.length ?? visitor.read()?.length ?? 0;
    }, 20);
    await waitUntil(() => taken > 20 << 20, 'it has got 20 MB').finally(() => clearInterval(timer));
    expect([flood.gone, visitor.destroyed]).toEqual([0, false]);
  });

  it.each([
    ['known', { 'content-length': 1e9 }],
    ['unknown', {}],
  ])(
    'if it reads its answer of %s length slowly over HTTP/2, where most of it waits all the time',
    async (_, head) => {
      const ca = new TestCa();
      closers.push(() => ca.remove());
      const flood = createFlood(head);
      const door = await open(flood.app, {}, ca.issue(['DNS:localhost']));
      const client = await FrameClient.open(door.port, ca.pem);
      closers.push(() => client.close());
      client.write(renderHeaders(1, listRequestFields({ ':authority': `127.0.0.1:${door.port}` })));
      const payload = Buffer.alloc(4);
      payload.writeUInt32BE(16_384);
      const widen = () =>
        client.write(
          ...[0, 1].map(stream => renderFrame({ type: FRAME.windowUpdate, flags: 0, stream, payload })),
        );
      const count = () => client.ofType(FRAME.data).reduce((sum, frame) => sum + frame.payload.length, 0);
      const timer = setInterval(widen, 20);
      // Ten times the limit, at 800 KB a second.
      await waitUntil(() => count() > 2_400_000, 'it has got 2.4 MB').finally(() => clearInterval(timer));
      expect([flood.gone, client.closed]).toEqual([0, false]);
    },
  );

  it('if nothing waits for it: event streams and long polls may be silent', async () => {
    let say: (text: string) => void = () => {};
    const stalled = createFlood();
    const door = await open((request, response) => {
      if (request.url === '/flood') stalled.app(request, response);
      else {
        say = text => response.write(text);
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
      }
    });
    const visitor = await visit(door.port, GET);
    let received = '';
    visitor
      .setEncoding('latin1')
      .resume()
      .on('data', text => {
        received += text;
      });
    await waitUntil(() => received.includes('data: 1'), 'the stream has begun');
    // Two later visitors who do not read are closed, one after the other. That takes longer than the time limit of this
    // one.
    for (const gone of [1, 2]) {
      await visit(door.port, GET.replace('/', '/flood'));
      await waitUntil(() => stalled.gone === gone, 'the other one is closed');
    }
    say('data: 2\n\n');
    await waitUntil(() => received.includes('data: 2'), 'the stream goes on');
  });
});
