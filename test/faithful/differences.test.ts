// Where a request through the gateway differs from one at the app's port on purpose: each difference has its row here.
// What is not listed here, in NOT_COMPARED of visitor.ts or in differInHead of requests.test.ts must be the same.

import { expect, it } from 'vitest';
import { waitUntil } from '../support/wait-until.ts';
import { readRequest, type SeenRequest } from './programmable-app.ts';
import { describeFaithful, exchangeBytes, type World } from './routes.ts';
import { type Ask, type Field, readAnswer } from './visitor.ts';

/** What the app sees of a question, directly and through the gateway. */
async function tell(
  world: World,
  question: Ask,
  trailers?: readonly Field[],
): Promise<Record<'direct' | 'through', SeenRequest>> {
  const seen: SeenRequest[] = [];
  world.app.handle(
    (request, response) =>
      void readRequest(request).then(one => {
        seen.push(one);
        response.end();
      }),
  );
  for (const door of [world.direct, world.through]) {
    const visitor = door.openVisitor();
    const exchange = visitor.request(question);
    if (question.open) {
      await exchange.write('body');
      exchange.end(trailers);
    }
    await readAnswer(exchange);
    visitor.close();
  }
  const [direct, through] = seen;
  if (direct === undefined || through === undefined) throw new Error('the app saw less than two requests');
  return { direct, through };
}

const values = (request: SeenRequest, name: string) =>
  request.headers.filter(([one]) => one === name).map(([, value]) => value);

describeFaithful('on purpose', '127.0.0.46', world => {
  it('Host is the app’s own', async () => {
    const { direct, through } = await tell(world, {});
    expect(values(direct, 'host')).toEqual([world.direct.url.host]);
    expect(values(through, 'host')).toEqual([`localhost:${world.app.port}`]);
  });

  it.each([
    ['X-Forwarded-Host', 'evil.example', () => []],
    ['X-Forwarded-Proto', 'gopher', () => []],
    ['X-Forwarded-For', '10.0.0.1', () => []],
    ['X-Forwarded-Port', '1', () => []],
    ['X-Forwarded-Prefix', '/evil', () => []],
    ['Forwarded', 'for=10.0.0.1', () => []],
    ['X-Real-IP', '10.0.0.1', () => []],
    ['TE', 'gzip', () => []],
    ['Proxy-Authorization', 'Basic YTpi', () => []],
  ])('%s is the gateway’s to say, not the visitor’s', async (name, value, expected) => {
    if (world.through.protocol === 'h2' && name === 'TE') return;
    const { direct, through } = await tell(world, { headers: [[name, value]] });
    expect(values(direct, name.toLowerCase())).toEqual([value]);
    expect(values(through, name.toLowerCase())).toEqual(expected());
  });

  it('Expect is answered by the gateway as soon as there is an app, which does not see it', async () => {
    const question: Ask = { method: 'POST', headers: [['Expect', '100-continue']], body: Buffer.from('x') };
    const { direct, through } = await tell(world, question);
    expect([values(direct, 'expect'), values(through, 'expect')]).toEqual([['100-continue'], []]);
    // An app that would rather not have the body is asked too late.
    world.app.handleExpectation((_, response) => void response.writeHead(417).end());
    const act = async (door: typeof world.direct) => {
      const visitor = door.openVisitor();
      const exchange = visitor.request({ ...question, open: true });
      const first = await exchange.next();
      exchange.end();
      await readAnswer(exchange);
      visitor.close();
      return [first.kind, 'status' in first && first.status];
    };
    world.app.handle((_, response) => void response.end());
    expect(await world.compare(act, () => ['interim', 100])).toEqual(['head', 417]);
    world.app.handleExpectation(undefined);
  });

  it('trailers of a request are dropped at the gateway, and so is their announcement', async () => {
    const question: Ask = { method: 'POST', open: true, headers: [['Trailer', 'X-Sum']] };
    const { direct, through } = await tell(world, question, [['X-Sum', '42']]);
    expect([direct.trailers, through.trailers]).toEqual([[['x-sum', '42']], []]);
    expect([values(direct, 'trailer'), values(through, 'trailer')]).toEqual([['X-Sum'], []]);
    expect(through).toMatchObject({ body: { bytes: 4 }, isWhole: true });
  });

  it('the head of an upload reaches the app with the first piece of its body', async () => {
    let heads = 0;
    const act = async (door: typeof world.direct) => {
      heads = 0;
      world.app.handle((request, response) => {
        heads += 1;
        request.resume().on('end', () => response.end());
      });
      const visitor = door.openVisitor();
      const exchange = visitor.request({ method: 'POST', open: true });
      // What was sent before on a connection of its own has arrived when this one has.
      await readAnswer(visitor.request({ method: 'POST', body: Buffer.from('x') }));
      const early = heads;
      await exchange.write('body');
      await waitUntil(() => heads === 2, 'the app has the head');
      exchange.end();
      await readAnswer(exchange);
      visitor.close();
      return early;
    };
    expect(await world.compare(act, () => 1)).toBe(2);
  });

  it('the length that a 204 must not have is left out', async () => {
    world.app.handle(
      ({ socket }) =>
        void socket.end('HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'),
    );
    const act = async (door: typeof world.direct) => {
      const visitor = door.openVisitor();
      const { status, headers, end } = await readAnswer(visitor.request({}));
      visitor.close();
      return { status, headers, end };
    };
    await world.compare(act, direct => ({ ...direct, headers: [] }));
  });

  it.each([
    ['request', 20_000, 431],
    ['answer', 70_000, 502],
  ])('a head of more than so much is refused: %s', async (kind, size, status) => {
    const long = 'x'.repeat(size);
    const question: Ask = kind === 'request' ? { headers: [['X-Long', long]] } : {};
    world.app.handle((_, response) => void response.writeHead(200, kind === 'answer' ? { long } : {}).end());
    const visitor = world.through.openVisitor();
    expect((await readAnswer(visitor.request(question))).status).toBe(status);
    visitor.close();
  });

  it('an answer without a date gets one', async () => {
    world.app.handle((_, response) => {
      response.sendDate = false;
      response.end('timeless');
    });
    const dates = [];
    for (const door of [world.direct, world.through]) {
      const visitor = door.openVisitor();
      const head = await visitor.request({}).next();
      dates.push(head.kind === 'head' && head.headers.some(([name]) => name === 'date'));
      visitor.close();
    }
    expect(dates).toEqual([false, true]);
  });

  it('an answer that would be compressed for another visitor says that it varies', async () => {
    world.app.handle((_, response) => void response.writeHead(200, { 'content-type': 'text/css' }).end('{}'));
    const seen = [];
    for (const door of [world.direct, world.through]) {
      const visitor = door.openVisitor();
      const head = await visitor.request({}).next();
      seen.push(head.kind === 'head' && head.headers.find(([name]) => name === 'vary')?.[1]);
      visitor.close();
    }
    expect(seen).toEqual([undefined, 'Accept-Encoding']);
  });

  it.each(['/__expose', '/__expose/', '/__expose/x?y'])('%s is the gateway’s own', async path => {
    world.app.handle((_, response) => void response.end('the app'));
    const act = async (door: typeof world.direct) => {
      const visitor = door.openVisitor();
      const { status, text } = await readAnswer(visitor.request({ path }));
      visitor.close();
      return [status, text];
    };
    expect(await world.compare(act, () => [404, 'not found\n'])).toEqual([200, 'the app']);
  });
});

describeFaithful(
  'on purpose, in bytes',
  '127.0.0.47',
  world => {
    it.each([
      ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', 400],
      ['two Hosts', 'GET / HTTP/1.1\r\nHost: HERE\r\nHost: HERE\r\nConnection: close\r\n\r\n', 400],
      ['a Host of somebody else', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 421],
      ['a whole URL as target', 'GET http://a/ HTTP/1.1\r\nHost: HERE\r\nConnection: close\r\n\r\n', 400],
      [
        'a path that begins with two slashes',
        'GET //a HTTP/1.1\r\nHost: HERE\r\nConnection: close\r\n\r\n',
        400,
      ],
      ['a fragment', 'GET /#a HTTP/1.1\r\nHost: HERE\r\nConnection: close\r\n\r\n', 400],
      ['OPTIONS for the whole server', 'OPTIONS * HTTP/1.1\r\nHost: HERE\r\nConnection: close\r\n\r\n', 400],
      [
        'a field that only looks like a length',
        'GET / HTTP/1.1\r\nHost: HERE\r\nContent_Length: 5\r\nConnection: close\r\n\r\n',
        400,
      ],
    ])('%s is refused', async (_, bytes, status) => {
      world.app.handle((_, response) => void response.end('the app'));
      const act = async (door: typeof world.direct) =>
        Number((await exchangeBytes(door, bytes)).slice(9, 12));
      expect(await world.compare(act, () => status)).toBe(200);
    });

    it('a field that Connection names is not passed on', async () => {
      const seen: string[] = [];
      world.app.handle((request, response) => {
        seen.push(`${request.headers['x-mine']}`);
        response.end();
      });
      const bytes = 'GET / HTTP/1.1\r\nHost: HERE\r\nX-Mine: 1\r\nConnection: close, x-mine\r\n\r\n';
      for (const door of [world.direct, world.through]) await exchangeBytes(door, bytes);
      expect(seen).toEqual(['1', 'undefined']);
    });
  },
  'http/1.1',
);
