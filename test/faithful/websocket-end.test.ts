// How WebSockets begin and end, as both ends see it. Compared as in websocket.test.ts.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { describeFaithful } from './routes.ts';
import { dial, pair, receiveClose, serve } from './websocket-pair.ts';

describeFaithful(
  'a WebSocket',
  '127.0.0.135',
  world => {
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
      'ends without a code if the %s gives none, or vanishes',
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
  },
  'http/1.1',
);
