// What happens on one connection: many requests, requests in one packet, HTTP/1.0 clients, answers without a length.

import type { RequestListener } from 'node:http';
import { expect, it } from 'vitest';
import { readRequest } from './programmable-app.ts';
import { compareAnswer, type Door, describeFaithful, exchangeBytes, type World } from './routes.ts';
import { readAnswer } from './visitor.ts';

/** Bytes of an answer without the fields that may differ: those of the connection, the date, and the framing. */
function strip(answer: string): string {
  return answer.replaceAll(/^(?:connection|date|keep-alive|transfer-encoding): [^\r]*\r\n/gim, '');
}

async function compareBytes(world: World, bytes: string, listener: RequestListener): Promise<string> {
  world.app.handle(listener);
  return await world.compare(async door => strip(await exchangeBytes(door, bytes)));
}

const echo: RequestListener = async (request, response) => {
  const { body } = await readRequest(request);
  const text = `${request.method} ${request.url} ${body.bytes}\n`;
  response.writeHead(200, { 'content-length': text.length }).end(request.method === 'HEAD' ? '' : text);
};

describeFaithful('one connection', '127.0.0.38', world => {
  it('carries twenty requests, one after the other', async () => {
    world.app.handle(echo);
    const [answers] = await world.compare(async door => {
      const visitor = door.openVisitor();
      const answers = [];
      for (let index = 0; index < 20; index += 1) {
        const method = ['GET', 'POST', 'HEAD', 'PUT'][index % 4] ?? '';
        const body = index % 2 === 0 ? {} : { body: Buffer.alloc(index * 1_000) };
        answers.push(await readAnswer(visitor.request({ method, path: `/${index}`, ...body })));
      }
      visitor.close();
      return [answers, visitor.connections] as const;
    });
    expect(answers.map(({ text }) => text).slice(0, 4)).toEqual([
      'GET /0 0\n',
      'POST /1 1000\n',
      '',
      'PUT /3 3000\n',
    ]);
  });

  it('goes on after an answer without a body, and after one to a request whose body was not read', async () => {
    world.app.handle((request, response) => {
      const status = Number(request.url?.slice(1));
      response.writeHead(status).end(status === 200 ? 'fine' : '');
    });
    await world.compare(
      async door => {
        const visitor = door.openVisitor();
        const answers = [];
        for (const [path, method] of [
          ['/204', 'GET'],
          ['/304', 'GET'],
          ['/200', 'POST'],
          ['/404', 'HEAD'],
          ['/200', 'GET'],
        ] as const)
          answers.push(
            await readAnswer(
              visitor.request({ path, method, ...(method === 'POST' && { body: Buffer.alloc(9_000) }) }),
            ),
          );
        visitor.close();
        return [answers, visitor.connections] as const;
      },
      ([answers, connections]) => [answers, world.through.protocol === 'h2' ? 1 : connections],
    );
  });

  it('carries eight requests at once over as many connections', async () => {
    world.app.handle(echo);
    await world.compare(async door => {
      const visitor = door.openVisitor();
      const paths = Array.from({ length: 8 }, (_, index) => `/${index}`);
      const answers = await Promise.all(paths.map(path => readAnswer(visitor.request({ path }))));
      visitor.close();
      return answers;
    });
  });
});

describeFaithful(
  'the bytes of a connection',
  '127.0.0.39',
  world => {
    const host = 'Host: HERE\r\n';

    it('may hold many requests in one packet, which are answered in order', async () => {
      const requests = Array.from({ length: 20 }, (_, index) => {
        const body = 'x'.repeat(index);
        return index % 3 === 0
          ? `POST /${index} HTTP/1.1\r\n${host}Content-Length: ${index}\r\n\r\n${body}`
          : `GET /${index} HTTP/1.1\r\n${host}\r\n`;
      });
      // What comes first takes longest. The gateway hands on the next one only then, so none can be kept for the end.
      const bytes = `${requests.join('')}GET /end HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;
      const answer = await compareBytes(world, bytes, (request, response) => {
        const turns = 20 - (Number(request.url?.slice(1)) || 0);
        const later = (left: number) =>
          left === 0 ? void echo(request, response) : void setImmediate(() => later(left - 1));
        later(turns);
      });
      const order = [...answer.matchAll(/^(?:GET|POST) \/(\w+) \d+$/gm)].map(([, name]) => name);
      expect(order).toEqual([...requests.keys(), 'end'].map(String));
    });

    it.each([
      ['that keeps nothing alive', ''],
      ['that says so', 'Connection: close\r\n'],
    ])('may come from an HTTP/1.0 client %s', async (_, connection) => {
      const answer = await compareBytes(world, `GET /old HTTP/1.0\r\n${host}${connection}\r\n`, echo);
      expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nGET \/old 0\n$/);
    });

    it('may come from an HTTP/1.0 client that asks to keep the connection', async () => {
      const bytes = `GET /1 HTTP/1.0\r\n${host}Connection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n${host}\r\n`;
      const answer = await compareBytes(world, bytes, echo);
      expect(answer.match(/^GET \/\d 0$/gm)).toEqual(['GET /1 0', 'GET /2 0']);
    });

    it('end after an answer without a length to an HTTP/1.0 client', async () => {
      const answer = await compareBytes(world, `GET / HTTP/1.0\r\n${host}\r\n`, (_, response) => {
        response.write('one ');
        response.end('two');
      });
      expect(answer).toMatch(/\r\n\r\none two$/);
    });

    it('end where the visitor asked for it', async () => {
      const bytes = `POST / HTTP/1.1\r\n${host}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n`;
      expect(await compareBytes(world, bytes, echo)).toMatch(/POST \/ 3\n$/);
    });

    it.each(['HTTP/1.1', 'HTTP/1.0'])(
      'arrive completely from an app whose answer ends with its connection, %s',
      async version => {
        const body = 'z'.repeat(100_000);
        const answer = await compareAnswer(world, {}, ({ socket }) => {
          socket.end(`${version} 200 Fine\r\nX-A: b\r\nConnection: close\r\n\r\n${body}`);
        });
        expect(answer).toMatchObject({ reason: 'Fine', headers: [['x-a', 'b']], text: body, end: 'whole' });
      },
    );

    it('are the answer of an app that offers another protocol', async () => {
      const head =
        'HTTP/1.1 200 OK\r\nUpgrade: h2,h2c\r\nConnection: Upgrade, close\r\nContent-Length: 2\r\n\r\nok';
      const answer = await compareAnswer(
        world,
        {},
        ({ socket }) => void socket.end(head),
        // The offer is for the next hop alone, which is the gateway.
        direct => ({ ...direct, headers: direct.headers.filter(([name]) => name !== 'upgrade') }),
      );
      expect(answer).toMatchObject({ status: 200, text: 'ok' });
    });

    it.each(['before', 'after'])(
      "do not look complete if the app's connection breaks %s its head",
      async when => {
        world.app.handle(request => {
          const { socket } = request;
          if (when === 'before') socket.resetAndDestroy();
          else
            socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', () =>
              socket.resetAndDestroy(),
            );
        });
        const act = async (door: Door) => {
          const visitor = door.openVisitor();
          const answer = await readAnswer(visitor.request({ method: 'POST', body: Buffer.from('x') }));
          visitor.close();
          return [answer.status, answer.end] as const;
        };
        // The gateway has the visitor's ear where the app said nothing at all.
        await world.compare(act, direct => (when === 'before' ? [502, 'whole'] : direct));
      },
    );
  },
  'http/1.1',
);
