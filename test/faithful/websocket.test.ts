// What WebSockets carry, as both ends see it: straight to the app, and through the tunnel and the gateway.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:zlib';
import { expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { Noise } from '../support/noise.ts';
import { waitUntil } from '../support/wait-until.ts';
import { describeFaithful } from './routes.ts';
import { dial, pair, receiveClose, serve } from './websocket-pair.ts';

async function receive(socket: WebSocket): Promise<{ sha256: string; bytes: number; isBinary: boolean }> {
  const [data, isBinary] = await once(socket, 'message');
  return { sha256: createHash('sha256').update(data).digest('hex'), bytes: data.length, isBinary };
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

    it('carries fragments, and control frames between them', async () => {
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

    it('carries pings and pongs with their payload', async () => {
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

    it('is negotiated by visitor and app alone: path, subprotocol, compression and header fields', async () => {
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

    it('makes the app wait while the visitor does not read, and loses nothing', async () => {
      const count = 64;
      const all = await pair(world, async ({ visitor, app }) => {
        visitor.pause();
        const piece = new Noise(23).take(1 << 20);
        let sent = 0;
        const send = () => app.send(piece, () => ++sent < count && send());
        send();
        // What neither kernels nor gateway take waits in the app.
        let [last, looks] = [0, 0];
        await waitUntil(() => {
          looks = sent > 0 && sent === last ? looks + 1 : 0;
          last = sent;
          return looks === 20;
        }, 'nothing more is taken');
        const waited = sent < count;
        let received = 0;
        visitor.on('message', () => {
          received += 1;
        });
        visitor.resume();
        await waitUntil(() => received === count, 'all of it is there');
        return [waited, sent];
      });
      expect(all).toEqual([true, count]);
    });

    it('works fifty times at once', async () => {
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
