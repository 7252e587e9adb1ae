import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Direction, type FaultRelay, startFaultRelay } from './fault-relay.ts';
import { waitUntil } from './wait-until.ts';

const HELLO = '{"Hello":0}\0';
const ACCEPT = '{"Authenticate":"00"}\0{"Accept":"6ba7b810-9dad-11d1-80b4-00c04fd430c8"}\0';
const DIRECTIONS: Direction[] = ['toServer', 'toClient'];

/** One end of a connection, with what it received. */
interface End {
  socket: Socket;
  text: string;
  chunks: number;
  /** Time of the last chunk. */
  at: number;
  events: string[];
}

interface Pair {
  client: End;
  server: End;
  /** The end that sends in that direction, and the one that receives. */
  ends(direction: Direction): [from: End, to: End];
}

async function startRig(): Promise<{ relay: FaultRelay; open: (request?: string) => Promise<Pair> }> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const relay = await startFaultRelay({ host: '127.0.0.1', port });
  onTestFinished(async () => {
    await relay.stop();
    server.close();
  });
  const open = async (request = HELLO) => {
    const accepted = once(server, 'connection');
    const socket = connect({ ...relay.address, allowHalfOpen: true, noDelay: true });
    onTestFinished(() => void socket.destroy());
    const client = listen(socket);
    socket.write(request);
    const far = listen((await accepted)[0]);
    if (request !== '') await waitUntil(() => far.text === request, 'the request is there');
    far.text = '';
    far.chunks = 0;
    const pair: Pair = {
      client,
      server: far,
      ends: direction => (direction === 'toServer' ? [client, far] : [far, client]),
    };
    return pair;
  };
  return { relay, open };
}

function listen(socket: Socket): End {
  const end: End = { socket, text: '', chunks: 0, at: 0, events: [] };
  socket.on('data', chunk => {
    end.text += chunk.toString('latin1');
    end.chunks += 1;
    end.at = performance.now();
  });
  socket.on('end', () => end.events.push('end')).on('error', error => end.events.push(error.message));
  return end;
}

const isReset = ({ events }: End) => events.includes('read ECONNRESET');

describe('a relay without faults', () => {
  it('carries bytes, ends and resets both ways, and counts the bytes', async () => {
    const { relay, open } = await startRig();
    const { client, server } = await open();
    client.socket.end('question');
    await waitUntil(() => server.text === 'question' && server.events.length > 0, 'the question is there');
    server.socket.write('answer');
    await waitUntil(() => client.text === 'answer', 'the answer is there');
    expect(relay.connections[0]?.passed).toEqual({ toServer: HELLO.length + 8, toClient: 6 });
    server.socket.resetAndDestroy();
    await waitUntil(() => isReset(client), 'the reset is there');
    expect(server.events).toEqual(['end']);
    await waitUntil(() => relay.connections.length === 0, 'the relay has removed the connection');
  });

  it('knows the role by the client’s request', async () => {
    const { relay, open } = await startRig();
    for (const request of [HELLO, ACCEPT, ACCEPT, '{"Authenticate":"00"}\0{"Hello":5}\0'])
      await open(request);
    expect(relay.connections.map(({ role }) => role)).toEqual(['control', 'data', 'data', 'control']);
  });

  it('treats the first connection as control until its request came, and the next one as data', async () => {
    const { relay, open } = await startRig();
    await open('');
    await open('');
    expect(relay.connections.map(({ role }) => role)).toEqual(['control', 'data']);
  });

  it('resets connections while the server is down, and refuses them after `refuse()`', async () => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const bound = server.address();
    server.close();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    const relay = await startFaultRelay({ host: '127.0.0.1', port });
    onTestFinished(() => relay.stop());
    const first = listen(connect(relay.address));
    await waitUntil(() => isReset(first), 'the connection is reset');
    await relay.refuse();
    const second = listen(connect(relay.address));
    await waitUntil(
      () => second.events.some(event => event.includes('ECONNREFUSED')),
      'the connection is refused',
    );
    await relay.admit();
    const third = listen(connect(relay.address));
    await waitUntil(() => isReset(third), 'connections are accepted again');
  });
});

describe.each(DIRECTIONS)('in the direction %s,', direction => {
  const opposite = direction === 'toServer' ? 'toClient' : 'toServer';

  /** A pair of ends, by the direction of the fault. */
  async function start(request?: string) {
    const { relay, open } = await startRig();
    const pair = await open(request);
    const [from, to] = pair.ends(direction);
    return { relay, open, pair, from, to };
  }

  it('a delay delays bytes and the end, in order, and nothing in the other direction', async () => {
    const { relay, from, to } = await start();
    relay.inject({ direction, fault: { kind: 'delay', ms: 400 } });
    const began = performance.now();
    from.socket.write('one ');
    to.socket.write('back');
    await waitUntil(() => from.text === 'back', 'the other direction is quick');
    expect(to.text).toBe('');
    from.socket.end('two');
    await waitUntil(() => to.events.length > 0, 'the end is there');
    expect(to.text).toBe('one two');
    expect(to.at - began).toBeGreaterThanOrEqual(395);
  });

  it('a cut resets the receiver at once, and the sender when it sends', async () => {
    const { relay, from, to } = await start();
    relay.inject({ direction, fault: { kind: 'cut' } });
    await waitUntil(() => isReset(to), 'the receiver is reset');
    expect(from.events).toEqual([]);
    from.socket.write('x');
    await waitUntil(() => isReset(from), 'the sender is reset');
  });

  it('a cut after some bytes passes exactly those', async () => {
    const { relay, from, to } = await start();
    relay.inject({ direction, fault: { kind: 'cut', after: 5 } });
    from.socket.write('abc');
    await waitUntil(() => to.text === 'abc', 'the first bytes have arrived');
    from.socket.write('defgh');
    await waitUntil(() => isReset(to), 'the connection is cut');
    expect(to.text).toMatch(/^abc(?:de)?$/); // a reset may overtake what was not read yet
  });

  it('an end after some bytes is clean', async () => {
    const { relay, from, to } = await start();
    relay.inject({ direction, fault: { kind: 'end', after: 5 } });
    from.socket.write('abcdefgh');
    await waitUntil(() => to.events.length > 0, 'the end is there');
    expect([to.text, to.events]).toEqual(['abcde', ['end']]);
    to.socket.write('back');
    await waitUntil(() => from.text === 'back', 'the other direction goes on');
  });

  it('a blackhole drops bytes, end and reset, and the connection stays open', async () => {
    const { relay, from, to } = await start();
    const heal = relay.inject({ direction, fault: { kind: 'blackhole', after: 2 } });
    from.socket.write('abc');
    to.socket.write('back');
    await waitUntil(
      () => to.text === 'ab' && from.text === 'back',
      'the bytes before the fault have arrived',
    );
    heal();
    from.socket.write('def');
    await waitUntil(() => to.text === 'abdef', 'later bytes pass again');
    relay.inject({ direction, fault: { kind: 'blackhole' } });
    from.socket.resetAndDestroy();
    // Two more connections come and go, which takes long enough for a reset to arrive.
    for (const _ of [1, 2]) await once(connect(relay.address), 'connect');
    expect(to.events).toEqual([]);
    relay.heal();
    await waitUntil(() => isReset(to), 'the reset arrives');
  });

  it('a stop fills the buffers of the sender, and nothing is lost when it is removed', async () => {
    const { relay, from, to } = await start();
    relay.inject({ direction, fault: { kind: 'stop', after: 10 } });
    const bytes = Buffer.from(Array.from({ length: 8_000_000 }, (_, i) => (i * 31 + (i >> 8)) & 0xff));
    const written = new Promise(resolve => from.socket.end(bytes, () => resolve('written')));
    await waitUntil(() => to.text.length === 10, 'the first bytes have arrived');
    // What the kernel's buffers cannot hold waits in the sender's own buffer.
    await waitUntil(
      () => from.socket.writableLength > 0 && from.socket.bytesWritten > 100_000,
      'the sender cannot write any more',
    );
    expect(to.text.length).toBe(10);
    relay.heal();
    await written;
    await waitUntil(() => to.events.length > 0, 'all bytes have arrived');
    expect(Buffer.from(to.text, 'latin1').equals(bytes)).toBe(true);
  });

  it('slices arrive in pieces, complete', async () => {
    const { relay, from, to } = await start();
    relay.inject({ direction, fault: { kind: 'slice', bytes: 1 } });
    const text = 'the quick brown fox jumps over the lazy dog';
    from.socket.end(text);
    await waitUntil(() => to.events.length > 0, 'all bytes have arrived');
    expect(to.text).toBe(text);
    expect(to.chunks).toBeGreaterThan(text.length / 2);
  });

  it('a throttle limits the rate', async () => {
    const { relay, from, to } = await start();
    relay.inject({ direction, fault: { kind: 'throttle', bytesPerSecond: 10_000 } });
    const began = performance.now();
    from.socket.end('x'.repeat(5_000));
    await waitUntil(() => to.events.length > 0, 'all bytes have arrived');
    expect(to.text).toHaveLength(5_000);
    expect(to.at - began).toBeGreaterThanOrEqual(450);
  });

  it('corruption changes one byte in every n, and not the length', async () => {
    const { relay, from, to } = await start();
    relay.inject({ direction, fault: { kind: 'corrupt', every: 4 } });
    for (const length of [6, 12]) {
      from.socket.write('aaaaaa');
      await waitUntil(() => to.text.length === length, 'the bytes have arrived');
    }
    expect(to.text).toBe('aaa4aaa4aaa4');
  });

  it('a fault applies only to its role and its direction', async () => {
    const { relay, open, pair: control } = await start(HELLO);
    relay.inject({ role: 'data', direction, fault: { kind: 'corrupt', every: 1 } });
    const data = await open('');
    data.client.socket.write(ACCEPT);
    await waitUntil(() => data.server.text.length === ACCEPT.length, 'the request is there');
    expect(data.server.text === ACCEPT).toBe(direction === 'toClient');
    data.server.text = '';
    for (const [role, way, expected] of [
      [data, direction, '4'],
      [data, opposite, 'a'],
      [control, direction, 'a'],
    ] as const) {
      const [from, to] = role.ends(way);
      from.socket.write('a');
      await waitUntil(() => to.text.length === 1, 'the bytes have arrived');
      expect(to.text).toBe(expected);
    }
  });

  it('a fault applies only to present connections, or only to the next one, if the injection asks for it', async () => {
    const { relay, open, pair: control } = await start(HELLO);
    const lift = relay.inject({ direction, connections: 'present', fault: { kind: 'corrupt', every: 1 } });
    relay.inject({ role: 'data', direction, connections: 'next', fault: { kind: 'slice', bytes: 1 } });
    const [next, after] = [await open(ACCEPT), await open(ACCEPT)];
    const said: string[] = [];
    for (const pair of [control, next, after]) {
      const [from, to] = pair.ends(direction);
      from.socket.write('aaaa');
      await waitUntil(() => to.text.length === 4, 'the bytes have arrived');
      said.push(`${to.text} ${to.chunks > 1}`);
    }
    expect(said).toEqual(['4444 false', 'aaaa true', 'aaaa false']);
    lift();
    const [from, to] = control.ends(direction);
    from.socket.write('a');
    await waitUntil(() => to.text === '4444a', 'the fault is removed');
  });
});
