// WebSockets as both ends see them: straight to the app, and through the tunnel and the gateway.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { constants } from 'node:zlib';
import { expect, it } from 'vitest';
import { type ClientOptions, type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { Noise } from '../support/noise.ts';
import { waitUntil } from '../support/wait-until.ts';
import { type Door, describeFaithful, type World } from './ways-in.ts';

const MAX_BYTES = 64 << 20;

interface Pair {
  visitor: WebSocket;
  app: WebSocket;
  request: IncomingMessage;
}

/** Every WebSocket of the app is `listen`'s from now on. */
function serve(
  world: World,
  options: ServerOptions,
  listen: (socket: WebSocket, request: IncomingMessage) => void,
) {
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_BYTES, ...options });
  world.app.handleUpgrade((request, socket, head) =>
    server.handleUpgrade(request, socket, head, opened => listen(opened, request)),
  );
}

function dial(door: Door, path = '/', protocols: string[] = [], options: ClientOptions = {}): WebSocket {
  const url = new URL(path, door.url);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return new WebSocket(url, protocols, Object.assign({ maxPayload: MAX_BYTES }, door.tls, options));
}

/** Both ends of an open WebSocket, in both worlds. */
async function pair<T>(
  world: World,
  act: (pair: Pair, door: Door) => Promise<T>,
  wish: { server?: ServerOptions; client?: ClientOptions; protocols?: string[] } = {},
): Promise<T> {
  return await world.compare(async door => {
    const arrived = Promise.withResolvers<[WebSocket, IncomingMessage]>();
    serve(world, wish.server ?? {}, (...both) => arrived.resolve(both));
    const visitor = dial(door, '/socket?a=b', wish.protocols, wish.client);
    await once(visitor, 'open');
    const [app, request] = await arrived.promise;
    try {
      return await act({ visitor, app, request }, door);
    } finally {
      visitor.terminate();
    }
  });
}

async function receive(socket: WebSocket): Promise<{ sha256: string; bytes: number; isBinary: boolean }> {
  const [data, isBinary] = await once(socket, 'message');
  return { sha256: createHash('sha256').update(data).digest('hex'), bytes: data.length, isBinary };
}

async function receiveClose(socket: WebSocket): Promise<[number, string]> {
  const [code, reason] = await once(socket, 'close');
  return [code, String(reason)];
}

describeFaithful(
  'a WebSocket',
  '127.0.0.48',
  world => {
    it.each([0, 1, 125, 126, 65_535, 65_536, 1_000_000, 16 << 20])(
      'carries text and bytes both ways: %s of them, compressed and not',
      async size => {
        for (const perMessageDeflate of size > 1_000_000 ? [false] : [false, { threshold: 0 }])
          await pair(
            world,
            async ({ visitor, app }) => {
              const seen = [];
              for (const [from, to] of [
                [visitor, app],
                [app, visitor],
              ] as const)
                for (const data of ['ü'.repeat(size / 2), new Noise(size).take(size)]) {
                  const received = receive(to);
                  from.send(data);
                  seen.push(await received);
                }
              expect(seen[1]?.bytes).toBe(size);
              return seen;
            },
            { server: { perMessageDeflate }, client: { perMessageDeflate } },
          );
      },
    );

    it('carries fragments, and what comes between them', async () => {
      await pair(world, async ({ visitor, app }) => {
        const seen = [];
        for (const [from, to] of [
          [visitor, app],
          [app, visitor],
        ] as const) {
          const received = receive(to);
          for (const piece of ['one', 'two', '']) from.send(piece, { fin: false, binary: true });
          const pinged = once(to, 'ping');
          from.ping('between');
          seen.push(String((await pinged)[0]));
          from.send('three', { fin: true, binary: true });
          seen.push(await received);
        }
        return seen;
      });
    });

    it('carries pings and pongs with what they say', async () => {
      const seen = await pair(world, async ({ visitor, app }) => {
        const seen = [];
        for (const [from, to] of [
          [visitor, app],
          [app, visitor],
        ] as const)
          for (const payload of ['', 'hello', 'x'.repeat(125)]) {
            const [pinged, ponged] = [once(to, 'ping'), once(from, 'pong')];
            from.ping(payload);
            seen.push([String((await pinged)[0]), String((await ponged)[0])]);
            const unasked = once(to, 'pong');
            from.pong(`${payload}`.slice(1));
            seen.push(String((await unasked)[0]));
          }
        return seen;
      });
      expect(seen).toHaveLength(12);
    });

    it.each(['visitor', 'app'] as const)(
      'ends with every code and reason that the %s may give',
      async side => {
        const codes = [
          1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
        ];
        const reasons = ['', 'going', 'grün', 'x'.repeat(123)];
        const ends = await world.compare(async door => {
          const atApp = new Map<number, Promise<[number, string]>>();
          const choose = (code: number) => reasons[codes.indexOf(code) % reasons.length];
          serve(world, {}, (socket, { url }) => {
            const code = Number(url?.slice(1));
            atApp.set(code, receiveClose(socket));
            if (side === 'app') socket.close(code, choose(code));
          });
          return await Promise.all(
            codes.map(async code => {
              const visitor = dial(door, `/${code}`);
              const atVisitor = receiveClose(visitor);
              await once(visitor, 'open');
              if (side === 'visitor') visitor.close(code, choose(code));
              return [await atVisitor, await atApp.get(code)];
            }),
          );
        });
        expect(ends.map(([atVisitor]) => atVisitor?.[0])).toEqual(codes);
      },
    );

    it.each(['visitor', 'app'] as const)(
      'ends without a code where the %s gives none, or vanishes',
      async side => {
        const ends = await pair(world, async ({ visitor, app }) => {
          const closed = [receiveClose(visitor), receiveClose(app)];
          (side === 'app' ? app : visitor).close();
          return await Promise.all(closed);
        });
        expect(ends).toEqual([
          [1005, ''],
          [1005, ''],
        ]);
        const breaks = await pair(world, async ({ visitor, app }) => {
          const closed = [receiveClose(visitor), receiveClose(app)];
          (side === 'app' ? app : visitor).terminate();
          return await Promise.all(closed);
        });
        expect(breaks).toEqual([
          [1006, ''],
          [1006, ''],
        ]);
      },
    );

    it('is agreed on by visitor and app alone: path, subprotocol, compression, and what their heads say', async () => {
      const agreed = await pair(
        world,
        async ({ visitor, app, request }) => [
          request.url,
          visitor.protocol,
          app.protocol,
          visitor.extensions,
          app.extensions,
          [
            'cookie',
            'origin',
            'authorization',
            'sec-websocket-protocol',
            'sec-websocket-extensions',
            'sec-websocket-version',
          ].map(name => request.headers[name]),
        ],
        {
          server: {
            handleProtocols: protocols => [...protocols].at(-1) ?? false,
            perMessageDeflate: {
              serverNoContextTakeover: true,
              clientMaxWindowBits: 10,
              zlibDeflateOptions: { level: constants.Z_BEST_SPEED },
            },
          },
          client: {
            headers: { cookie: 'a=1; b=2', authorization: 'Basic YTpi' },
            origin: 'https://other.example',
          },
          protocols: ['chat.v1', 'chat.v2'],
        },
      );
      expect(agreed.slice(0, 4)).toEqual(['/socket?a=b', 'chat.v2', 'chat.v2', 'permessage-deflate']);
    });

    it('is answered with the head of the app', async () => {
      const head = await world.compare(async door => {
        const server = new WebSocketServer({ noServer: true });
        server.on('headers', headers => headers.push('Set-Cookie: a=1', 'Set-Cookie: b=2', 'X-Utf8: é'));
        world.app.handleUpgrade((request, socket, head) =>
          server.handleUpgrade(request, socket, head, () => {}),
        );
        const visitor = dial(door);
        const [response] = await once(visitor, 'upgrade');
        visitor.on('error', () => {}).terminate();
        return response.rawHeaders.filter((_: string, index: number) =>
          /^(set-cookie|x-utf8)$/i.test(response.rawHeaders[index - (index % 2)]),
        );
      });
      expect(head).toEqual(['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Utf8', 'Ã©']);
    });

    it.each([200, 302, 400, 401, 403, 404, 426, 503])(
      'that the app refuses gets its answer and body: %s',
      async status => {
        world.app.handleUpgrade((_, socket) => {
          const body = `no, ${status}`;
          socket.end(
            `HTTP/1.1 ${status} No\r\nX-Why: a\r\nWWW-Authenticate: Basic\r\nLocation: /x\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
          );
        });
        const answer = await world.compare(async door => {
          const visitor = dial(door);
          const [, response] = (await once(
            visitor.on('error', () => {}),
            'unexpected-response',
          )) as [unknown, IncomingMessage];
          const { 'x-why': why, 'www-authenticate': scheme, location } = response.headers;
          return [
            response.statusCode,
            response.statusMessage,
            why,
            scheme,
            location,
            String(Buffer.concat(await response.toArray())),
          ];
        });
        expect(answer).toEqual([status, 'No', 'a', 'Basic', '/x', `no, ${status}`]);
      },
    );

    it('makes the app wait while the visitor does not read, and loses nothing', async () => {
      const count = 64;
      const all = await pair(world, async ({ visitor, app }) => {
        visitor.pause();
        const piece = new Noise(23).take(1 << 20);
        for (let index = 0; index < count; index += 1) app.send(piece);
        // What neither kernels nor gateway took waits in the app.
        await waitUntil(() => app.bufferedAmount < count << 20, 'some of it is on its way');
        let last = -1;
        await waitUntil(() => {
          const isStill = app.bufferedAmount === last;
          last = app.bufferedAmount;
          return isStill;
        }, 'no more of it is');
        const waited = app.bufferedAmount > 16 << 20;
        let received = 0;
        visitor.on('message', () => {
          received += 1;
        });
        visitor.resume();
        await waitUntil(() => received === count, 'all of it is there');
        return [waited, app.bufferedAmount];
      });
      expect(all).toEqual([true, 0]);
    });

    it('is one of fifty at a time', async () => {
      const count = 50;
      serve(world, {}, (socket, { url }) => {
        socket.on('message', data => socket.send(`${url} ${data}`));
      });
      const said = await world.compare(async door => {
        const visitors = Array.from({ length: count }, (_, index) => dial(door, `/${index}`));
        await Promise.all(visitors.map(visitor => once(visitor, 'open')));
        const answers = visitors.map(async visitor => String((await once(visitor, 'message'))[0]));
        for (const [index, visitor] of visitors.entries()) visitor.send(`hello ${index}`);
        const said = await Promise.all(answers);
        const ends = visitors.map(receiveClose);
        for (const visitor of visitors) visitor.close(1000);
        await Promise.all(ends);
        return said;
      });
      expect(said).toEqual(Array.from({ length: count }, (_, index) => `/${index} hello ${index}`));
    });
  },
  'http/1.1',
);
