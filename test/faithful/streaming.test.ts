// When data arrives: each piece before the next is sent, in both directions, and how visitors and apps see each other
// end. No clock is used: a piece that is held back makes the test time out.

import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { Noise } from '../support/noise.ts';
import { readRequest } from './programmable-app.ts';
import { type Door, describeFaithful, type World } from './routes.ts';
import { type Ask, type Exchange, readAnswer, type Seen, selectCompared } from './visitor.ts';

interface Visit {
  exchange: Exchange;
  request: IncomingMessage;
  response: ServerResponse;
}

/** Runs `play` in both worlds, with an exchange whose request is in the app's hands. */
async function stage<T>(world: World, question: Ask, play: (visit: Visit) => Promise<T>): Promise<T> {
  return await world.compare(async (door: Door) => {
    const visitor = door.openVisitor();
    const arrived = Promise.withResolvers<[IncomingMessage, ServerResponse]>();
    world.app.handle((...both) => arrived.resolve(both));
    const exchange = visitor.request(question);
    // The gateway holds a head back until the first piece of its body.
    if (question.open) await exchange.write('first');
    const [request, response] = await arrived.promise;
    try {
      return await play({ exchange, request, response });
    } finally {
      visitor.close();
    }
  });
}

/** The next thing seen, in a form that can be compared. */
async function see(exchange: Exchange): Promise<unknown> {
  const seen: Seen = await exchange.next();
  if (seen.kind === 'data') return String(seen.bytes);
  return 'headers' in seen ? { ...seen, headers: selectCompared(seen.headers) } : seen.kind;
}

/** Resolves when the app knows that nobody listens any more; whether the request had come whole. */
async function awaitLeft({ request, response }: Pick<Visit, 'request' | 'response'>): Promise<unknown[]> {
  if (!response.closed) await new Promise(resolve => response.once('close', resolve));
  return [request.complete, response.writableFinished];
}

describeFaithful('a piece', '127.0.0.29', world => {
  it('of an answer arrives before the next is sent, the head before the first', async () => {
    const seen = await stage(world, {}, async ({ exchange, response }) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).flushHeaders();
      const seen = [await see(exchange)];
      for (const piece of ['one', 'two', 'x'.repeat(5_000), 'y']) {
        response.write(piece);
        seen.push(await see(exchange));
      }
      response.end();
      return [...seen, await see(exchange)];
    });
    expect(seen.slice(1)).toEqual(['one', 'two', 'x'.repeat(5_000), 'y', 'end']);
  });

  it('of an answer with a known length arrives before the next is sent', async () => {
    await stage(world, {}, async ({ exchange, response }) => {
      response.writeHead(200, { 'content-length': 6 }).flushHeaders();
      const seen = [await see(exchange)];
      for (const piece of ['one', 'two']) {
        response.write(piece);
        seen.push(await see(exchange));
      }
      response.end();
      return [...seen, await see(exchange)];
    });
  });

  it('that is a server-sent event arrives alone, and so do the comments that keep the line open', async () => {
    const events = [
      ': hello\n\n',
      'id: 1\ndata: a\n\n',
      'event: b\ndata: \xfc\n\n',
      ':\n\n',
      'data: c\ndata: d\n\n',
    ];
    const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' };
    const seen = await stage(
      world,
      { headers: [['Accept', 'text/event-stream']] },
      async ({ exchange, response }) => {
        response.writeHead(200, headers).flushHeaders();
        const seen = [await see(exchange)];
        for (const event of events) {
          response.write(event);
          seen.push(await see(exchange));
        }
        return seen;
      },
    );
    expect(seen.slice(1)).toEqual(events);
  });

  it('of an upload arrives before the next is sent, and may be answered at once', async () => {
    const seen = await stage(
      world,
      { method: 'POST', open: true },
      async ({ exchange, request, response }) => {
        const body = request[Symbol.asyncIterator]();
        const seen: unknown[] = [String((await body.next()).value)];
        response.writeHead(200).flushHeaders();
        seen.push(await see(exchange));
        for (const piece of ['ping', 'pong']) {
          await exchange.write(piece);
          seen.push(String((await body.next()).value));
          response.write(`${piece} too`);
          seen.push(await see(exchange));
        }
        exchange.end();
        seen.push((await body.next()).done);
        response.end();
        return [...seen, await see(exchange)];
      },
    );
    expect(seen.filter(one => typeof one === 'string')).toEqual([
      'first',
      'ping',
      'ping too',
      'pong',
      'pong too',
      'end',
    ]);
  });
});

describeFaithful('an early end', '127.0.0.30', world => {
  it('by the app, in the middle of an upload, lets the visitor see the answer and send the rest', async () => {
    const rest = new Noise(3).take(3_000_000);
    const answer = await stage(world, { method: 'POST', open: true }, async ({ exchange, response }) => {
      response.writeHead(413, { 'content-type': 'text/plain' }).end('too much');
      const seen = [await see(exchange), await see(exchange)];
      await exchange.write(rest);
      exchange.end();
      return [...seen, await see(exchange)];
    });
    expect(answer.slice(1)).toEqual(['too much', 'end']);
  });

  it.each(['with a length', 'in chunks'])('of an answer, %s, is seen by the visitor', async kind => {
    const listener: RequestListener = (_, response) => {
      response.writeHead(200, kind === 'in chunks' ? {} : { 'content-length': 1_000 });
      response.write('half', () => response.destroy());
    };
    world.app.handle(listener);
    const answer = await world.compare(async door => {
      const visitor = door.openVisitor();
      const answer = await readAnswer(visitor.request({}));
      visitor.close();
      return answer;
    });
    expect(answer).toMatchObject({ status: 200, text: 'half', end: 'broken' });
  });

  it('of a visitor who reads an answer is seen by the app', async () => {
    const ends = await stage(world, {}, async visit => {
      visit.response.writeHead(200, { 'content-length': 100 }).write('some');
      await visit.exchange.next();
      visit.exchange.leave();
      return await awaitLeft(visit);
    });
    expect(ends).toEqual([true, false]);
  });

  it('of a visitor who waits for an answer is seen by the app', async () => {
    const ends = await stage(world, { method: 'POST', body: Buffer.from('all') }, async visit => {
      visit.request.resume();
      await once(visit.request, 'end');
      visit.exchange.leave();
      return await awaitLeft(visit);
    });
    expect(ends).toEqual([true, false]);
  });

  it.each(['with a length', 'in chunks'])(
    'of a visitor in the middle of an upload, %s, is seen by the app',
    async kind => {
      const question: Ask = { method: 'POST', open: true };
      if (kind === 'with a length') question.headers = [['Content-Length', '100000']];
      const seen = await stage(world, question, async visit => {
        const read = readRequest(visit.request);
        await once(visit.request, 'data');
        visit.exchange.leave();
        const { body, isWhole } = await read;
        return [body.bytes, isWhole, await awaitLeft(visit)];
      });
      expect(seen).toEqual([5, false, [false, false]]);
    },
  );
});

describeFaithful('a visitor who waits for 100 Continue', '127.0.0.37', world => {
  const question: Ask = {
    method: 'POST',
    open: true,
    headers: [
      ['Expect', '100-continue'],
      ['Content-Length', '4'],
    ],
  };

  it('gets 100 Continue when the app takes the body, and then its answer', async () => {
    world.app.handle(
      (request, response) =>
        void readRequest(request).then(({ body }) => response.end(`${body.bytes} bytes`)),
    );
    const seen = await world.compare(async door => {
      const visitor = door.openVisitor();
      const exchange = visitor.request(question);
      const first = await see(exchange);
      await exchange.write('body');
      exchange.end();
      const answer = await readAnswer(exchange);
      visitor.close();
      return [first, answer.status, answer.text];
    });
    expect(seen).toEqual([{ kind: 'interim', status: 100, headers: [] }, 200, '4 bytes']);
  });
});
