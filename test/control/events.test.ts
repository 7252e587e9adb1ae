// The event stream: what each type sends, how a client goes on after a break, and what a client costs that does not
// read.

import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type ControlApi, startControlApi } from '../../src/control/api.ts';
import { ConsoleLines } from '../../src/shared/console-lines.ts';
import { useClosers } from '../support/closers.ts';
import { controlsWith } from '../support/controls.ts';
import { FakeRequestLog } from '../support/request-log.ts';
import { LIVE } from '../support/sample-state.ts';
import { waitUntil } from '../support/wait-until.ts';

const TOKEN = 'a-token-of-this-test';
/** The sender still waits for the answer. */
const PENDING = { answer: undefined, isFinished: false };
const closers = useClosers();

interface Event {
  event: string;
  id: string | undefined;
  data: Record<string, unknown>;
}

interface Stream {
  readonly events: Event[];
  readonly socket: Socket;
  /** Resolves with all events once there are this many. */
  wait(count: number): Promise<Event[]>;
  close(): void;
}

async function start() {
  const requests = new FakeRequestLog({ kind: 'unsafe methods' });
  const consoleLines = new ConsoleLines();
  const listeners = new Set<(state: typeof LIVE) => void>();
  const controls = {
    ...controlsWith({ requests, consoleLines }),
    subscribe: (listener: (state: typeof LIVE) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const api = await startControlApi(controls, TOKEN);
  closers.push(() => api.stop());
  const change = (visits: number) => {
    controls.state = { ...LIVE, visits };
    for (const listener of listeners) listener(controls.state);
  };
  return { api, requests, console: consoleLines, change, listeners };
}

/** Reads the stream over a socket of its own. */
async function follow(api: ControlApi, query: string, lastEventId?: string): Promise<Stream> {
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
  socket.on('error', () => {});
  closers.push(async () => void socket.destroy());
  const resume = lastEventId === undefined ? '' : `Last-Event-ID: ${lastEventId}\r\n`;
  socket.write(
    `GET /api/events${query} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n${resume}\r\n`,
  );
  const events: Event[] = [];
  let rest = '';
  socket.setEncoding('utf8').on('data', text => {
    const parts = `${rest}${text}`.split('\n\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(part)?.[1];
      const data = field('data');
      if (data !== undefined)
        events.push({ event: field('event') ?? '', id: field('id'), data: JSON.parse(data) });
    }
  });
  return {
    events,
    socket,
    wait: async count => {
      await waitUntil(() => events.length >= count, `${count} events`);
      return events;
    },
    close: () => socket.destroy(),
  };
}

const idsOf = (events: readonly Event[]) => events.map(({ data }) => data.id);

describe('the stream of requests', () => {
  it('sends what there is, then what is new, and again what has changed, without bodies', async () => {
    const { api, requests } = await start();
    const request = requests.add({ ...PENDING, target: '/hooks/first' });
    const stream = await follow(api, '?types=request');
    await stream.wait(1);
    requests.add();
    requests.finish(request, { status: 204, durationMs: 1 });
    const events = await stream.wait(3);
    expect(idsOf(events)).toEqual([1, 2, 1]);
    expect(events[0]).toMatchObject({
      event: 'request',
      data: { target: '/hooks/first', status: null, body: null },
    });
    expect(events[2]?.data).toMatchObject({ status: 204 });
  });

  it('misses nothing when the client comes again with the id of its last event', async () => {
    const { api, requests } = await start();
    const [one, two] = [requests.add(PENDING), requests.add(PENDING), requests.add()];
    const first = await follow(api, '?types=request');
    const last = (await first.wait(3)).at(-1);
    first.close();
    requests.finish(two);
    requests.add();
    requests.finish(one);
    const second = await follow(api, '?types=request', last?.id);
    expect(idsOf(await second.wait(3))).toEqual([2, 4, 1]);
  });

  it('begins anew for an id that it never gave', async () => {
    const { api, requests } = await start();
    requests.add();
    for (const id of ['999-0', 'nonsense', '1', '-1-0']) {
      const stream = await follow(api, '?types=request', id);
      expect(idsOf(await stream.wait(1))).toEqual([1]);
    }
  });

  it('leaves out the requests up to `since`, until they change', async () => {
    const { api, requests } = await start();
    const first = requests.add(PENDING);
    requests.add();
    const stream = await follow(api, '?types=request&since=1');
    expect(idsOf(await stream.wait(1))).toEqual([2]);
    requests.finish(first);
    expect(idsOf(await stream.wait(2))).toEqual([2, 1]);
  });

  it('says when the requests were removed, also to a client that was away, and not to a new one', async () => {
    const { api, requests } = await start();
    requests.add();
    const stream = await follow(api, '?types=request');
    const [first] = await stream.wait(1);
    requests.clear();
    requests.add();
    const events = await stream.wait(3);
    expect(events.map(({ event }) => event)).toEqual(['request', 'cleared', 'request']);
    expect(events[1]?.data).toEqual({ last_id: 1 });
    const back = await follow(api, '?types=request', first?.id);
    expect((await back.wait(2)).map(({ event }) => event)).toEqual(['cleared', 'request']);
    const fresh = await follow(api, '?types=request');
    expect((await fresh.wait(1)).map(({ event }) => event)).toEqual(['request']);
  });

  it('sends the requests that are left when the oldest were dropped, each as it is now', async () => {
    const { api, requests } = await start();
    for (let count = 0; count < 3_000; count += 1) {
      requests.finish(requests.add(PENDING));
      requests.forget(requests.lastId - 10);
    }
    const stream = await follow(api, '?types=request');
    const events = await stream.wait(10);
    expect(idsOf(events)).toEqual(Array.from({ length: 10 }, (_, index) => 2_991 + index));
    expect(events.every(({ data }) => data.status === 200)).toBe(true);
  });
});

describe('the stream of the console', () => {
  it('sends the last 200 lines, and then each as it comes, with the run of the app', async () => {
    const { api, console } = await start();
    console.beginRun();
    for (let line = 1; line <= 250; line += 1) console.add(`line ${line}`);
    const stream = await follow(api, '?types=console');
    const first = await stream.wait(200);
    expect(first[0]?.data).toMatchObject({ number: 51, run: 1, text: 'line 51', missed: 0 });
    console.beginRun();
    console.add('again');
    expect((await stream.wait(201))[200]?.data).toMatchObject({ number: 251, run: 2, text: 'again' });
  });

  it('goes on after the last line that the client has', async () => {
    const { api, console } = await start();
    for (let line = 1; line <= 3; line += 1) console.add(`line ${line}`);
    const stream = await follow(api, '?types=console');
    const id = (await stream.wait(3))[1]?.id;
    const again = await follow(api, '?types=console', id);
    expect((await again.wait(1))[0]?.data).toMatchObject({ text: 'line 3', missed: 0 });
  });
});

describe('the stream of states', () => {
  it('is what a client gets that names no type', async () => {
    const { api, requests, console, change } = await start();
    requests.add();
    console.add('a line');
    const stream = await follow(api, '');
    await stream.wait(1);
    change(8);
    const events = await stream.wait(2);
    expect(events.map(({ event, data }) => [event, data.visits])).toEqual([
      ['state', LIVE.visits],
      ['state', 8],
    ]);
  });

  it('comes together with the others in one stream', async () => {
    const { api, requests, console } = await start();
    requests.add();
    console.add('a line');
    const stream = await follow(api, '?types=console,state,request');
    expect((await stream.wait(3)).map(({ event }) => event)).toEqual(['state', 'request', 'console']);
  });
});

describe('a client that does not read', () => {
  it('costs no memory: it gets the latest state, and is told how many lines it missed', async () => {
    const { api, console, change } = await start();
    const stream = await follow(api, '?types=state,console');
    await stream.wait(1);
    stream.socket.pause();
    const text = 'x'.repeat(10_000);
    for (let line = 0; line < 3_000; line += 1) {
      console.add(text);
      change(line);
      // The stream writes when it can: let it.
      if (line % 50 === 0) await new Promise(setImmediate);
    }
    console.add('the last line');
    change(1_000_000);
    stream.socket.resume();
    await waitUntil(
      () => stream.events.some(({ data }) => data.text === 'the last line'),
      'the last line arrives',
    );
    const { events } = stream;
    const lines = events.filter(({ event }) => event === 'console').map(({ data }) => data);
    const missed = lines.reduce((sum, { missed }) => sum + Number(missed), 0);
    expect(missed).toBeGreaterThan(1_000);
    expect(missed + lines.length).toBe(3_001);
    expect(events.filter(({ event }) => event === 'state').at(-1)?.data.visits).toBe(1_000_000);
  });

  it('leaves nothing behind when it goes', async () => {
    const { api, listeners } = await start();
    const stream = await follow(api, '?types=state,request,console');
    await stream.wait(1);
    expect(listeners.size).toBe(1);
    stream.close();
    await waitUntil(() => listeners.size === 0, 'the stream is forgotten');
  });
});

describe('what is refused', () => {
  it.each([
    ['?types=state,nonsense', "`types` has 'nonsense': write some of state, request, console, with commas"],
    ['?types=', "`types` has '': write some of state, request, console, with commas"],
    ['?types=request&since=x', "`since` is 'x', which is not the id of a request: they are 1, 2, 3 …"],
    ['?types=request&since=-1', "`since` is '-1', which is not the id of a request: they are 1, 2, 3 …"],
  ])('a wrong query: %s', async (query, error) => {
    const { api } = await start();
    const answer = await fetch(`${api.url}/api/events${query}`, {
      headers: { Authorization: `Bearer ${TOKEN}` },
    });
    expect([answer.status, await answer.json()]).toEqual([400, { success: false, error }]);
  });

  it('the 65th stream', async () => {
    const { api } = await start();
    for (let count = 0; count < 64; count += 1) await (await follow(api, '')).wait(1);
    const answer = await fetch(`${api.url}/api/events`, { headers: { Authorization: `Bearer ${TOKEN}` } });
    expect(answer.status).toBe(503);
  });
});
