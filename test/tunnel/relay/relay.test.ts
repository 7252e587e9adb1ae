import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { Relay, type RelayOptions } from '../../../src/tunnel/relay/relay.ts';
import { describeWithReal } from '../../support/real-parts.ts';
import { closed, exchange, openTunnel, portOf, startRealServer } from '../../support/tunnel-rig.ts';
import { waitUntil } from '../../support/wait-until.ts';

const HOST = '127.0.0.25';

/** An app that serves every connection with `serve`. */
async function startApp(serve: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    sockets.add(socket.on('error', () => {}));
    serve(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  return { host: '127.0.0.1', port: typeof address === 'object' && address !== null ? address.port : 0 };
}

/** A tunnel whose visitors go to `target`; resolves with the public port. */
async function expose(
  target: { host: string; port: number } | undefined,
  options: Partial<RelayOptions> = {},
): Promise<{ relay: Relay; port: number; log: string[] }> {
  const { address } = await startRealServer(HOST, { secret: 'sesame' });
  const log: string[] = [];
  const logger = {
    debug: (line: string) => void log.push(line),
    info: () => {},
    warn: () => {},
    error: () => {},
  };
  const relay = new Relay({ target: () => target, logger, ...options });
  const { tunnel } = await openTunnel({ server: address, secret: 'sesame', destination: relay });
  return { relay, port: portOf(tunnel), log };
}

/** This process's own connections to `port`. */
function findSockets(port: number): Socket[] {
  const handles: unknown = Reflect.apply(Reflect.get(process, '_getActiveHandles'), process, []);
  return Array.isArray(handles)
    ? handles.filter(one => one instanceof Socket && one.remotePort === port)
    : [];
}

/** Bytes without two equal blocks at any distance: SHA-512 of a counter. */
function* makeBytes(seed: string, total: number): Generator<Buffer> {
  for (let sent = 0, block = 0; sent < total; block += 1) {
    const parts = Array.from({ length: 1_024 }, (_, part) =>
      createHash('sha512').update(`${seed}/${block}/${part}`).digest(),
    );
    const chunk = Buffer.concat(parts).subarray(0, total - sent);
    sent += chunk.length;
    yield chunk;
  }
}

async function send(socket: Socket, seed: string, total: number): Promise<string> {
  const hash = createHash('sha256');
  for (const chunk of makeBytes(seed, total)) {
    hash.update(chunk);
    if (!socket.write(chunk)) await once(socket, 'drain');
  }
  socket.end();
  return hash.digest('hex');
}

async function receive(socket: Socket): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of socket) hash.update(chunk);
  return hash.digest('hex');
}

describeWithReal(['bore'], 'raw mode', () => {
  it('carries a protocol in which the server sends first', async () => {
    const app = await startApp(socket => void socket.end('220 ready\r\n'));
    const { port, relay } = await expose(app);
    expect(await receive(connect({ host: HOST, port, allowHalfOpen: true }))).toBe(
      createHash('sha256').update('220 ready\r\n').digest('hex'),
    );
    expect(relay.visits).toBe(1);
  });

  it('passes on the end of one direction, and leaves the other direction open', async () => {
    const app = await startApp(socket => {
      let received = '';
      socket.on('data', chunk => {
        received += String(chunk);
      });
      socket.on('end', () => setImmediate(() => socket.end(`you said ${received}`)));
    });
    const { port } = await expose(app);
    expect(await exchange(HOST, port, 'goodbye')).toBe('you said goodbye');
  });

  it('lets the app end first, and still carries what the visitor sends', async () => {
    let received: Promise<string> | undefined;
    const app = await startApp(socket => {
      socket.end('enough');
      received = receive(socket);
    });
    const { port } = await expose(app);
    const visitor = connect({ host: HOST, port, allowHalfOpen: true });
    visitor.resume();
    await once(visitor, 'end');
    const sent = await send(visitor, 'late', 300_000);
    expect(await received).toBe(sent);
  });

  it('carries 16 MB both ways at once on four connections, without a wrong byte', async () => {
    const received: Promise<string>[] = [];
    const sent: Promise<string>[] = [];
    const app = await startApp(socket => {
      received.push(receive(socket));
      sent.push(send(socket, `down ${sent.length}`, 16 << 20));
    });
    const { port } = await expose(app);
    const visitors = [0, 1, 2, 3].map(number => {
      const socket = connect({ host: HOST, port, allowHalfOpen: true });
      return Promise.all([send(socket, `up ${number}`, 16 << 20), receive(socket)]);
    });
    const seen = await Promise.all(visitors);
    expect(seen.map(([up]) => up).sort()).toEqual((await Promise.all(received)).sort());
    expect(seen.map(([, down]) => down).sort()).toEqual((await Promise.all(sent)).sort());
  });

  it('resets a visitor while the app is away, and when it refuses', async () => {
    const away = await expose(undefined);
    const visitor = connect(away.port, HOST);
    await closed(visitor);
    expect(away.relay.visits).toBe(0);
    expect(away.log).toContain('a visitor was reset: the app is away');
  });

  it('breaks the visitor when the app breaks, and the app when the visitor does', async () => {
    let atApp: Socket | undefined;
    const app = await startApp(socket => {
      atApp = socket.resume();
      socket.write('hello');
    });
    const { port } = await expose(app);
    const first = connect(port, HOST);
    await once(first, 'data');
    atApp?.resetAndDestroy();
    await closed(first);
    const second = connect(port, HOST);
    await once(second, 'data');
    // The real server turns a visitor's reset into a clean end.
    const ended = once(atApp as Socket, 'end');
    second.resetAndDestroy();
    await ended;
  });

  it('recognises its own probe, which is not counted as a visit and sends nothing to the app', async () => {
    const received: string[] = [];
    const app = await startApp(socket => void socket.on('data', chunk => received.push(String(chunk))));
    const { relay, port } = await expose(app);
    const token = randomBytes(32);
    const seen = relay.awaitToken(token, AbortSignal.timeout(20_000));
    const other = connect(port, HOST);
    other.write('another visitor');
    await waitUntil(() => received.length === 1, 'the first visitor is connected');
    const probe = connect(port, HOST);
    const gone = closed(probe);
    probe.write(token);
    expect(await seen).toBe(true);
    await gone;
    expect(relay.visits).toBe(1);
    expect(received).toEqual(['another visitor']);
    other.destroy();
  });

  it('cuts connections that were silent for too long, sooner after a half-close', async () => {
    const app = await startApp(socket => void socket.on('data', chunk => socket.write(chunk)));
    const { port, relay } = await expose(app, { idleMs: 60_000, halfClosedIdleMs: 250 });
    const idle = connect(port, HOST);
    const half = connect({ host: HOST, port, allowHalfOpen: true });
    await Promise.all([once(idle, 'connect'), once(half, 'connect')]);
    await waitUntil(() => relay.visits === 2, 'both visitors are connected');
    half.end('my say');
    half.resume();
    await closed(half);
    idle.write('still here');
    expect(String((await once(idle, 'data'))[0])).toBe('still here');
    idle.destroy();
  });

  it('waits for a slow reader instead of buffering', async () => {
    let written = 0;
    const app = await startApp(socket => {
      const block = Buffer.alloc(65_536);
      const write = () => {
        while (!socket.destroyed && socket.write(block)) written += block.length;
        socket.once('drain', write);
      };
      write();
    });
    const { port } = await expose(app);
    const reader = connect(port, HOST);
    await once(reader, 'readable');
    let before = -1;
    await waitUntil(() => {
      const isStill = written === before;
      before = written;
      return isStill;
    }, 'the app is made to wait');
    // The kernel's buffers of four sockets, and ours; more would mean that this process buffers.
    expect(written).toBeLessThan(64 << 20);
    reader.destroy();
  });
});

it('cuts the connection to an app that never reads its last bytes', async () => {
  const app = await startApp(socket => void socket.pause());
  const server = createServer({ allowHalfOpen: true });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  const bound = server.address();
  const limits = { idleMs: 300, halfClosedIdleMs: 300 };
  const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const relay = new Relay({ target: () => app, logger, ...limits });
  const end = relay.openEnd();
  const there = once(server, 'connection');
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const visitor = connect({ port, host: '127.0.0.1', allowHalfOpen: true, ...end.socketOptions });
  visitor.on('error', () => {});
  const [far] = (await there) as [Socket];
  relay.accept(visitor, Buffer.alloc(0), end);
  const pending = () => findSockets(app.port).reduce((sum, socket) => sum + socket.writableLength, 0);
  // Send until a little stays in this process. With more, the visitor would be paused, and its end would not be read.
  for (let sent = 0; pending() === 0; sent += 8_192) {
    expect(sent).toBeLessThan(64 << 20);
    far.write(Buffer.alloc(8_192));
    await new Promise(resolve => void setImmediate(resolve));
  }
  far.end();
  await waitUntil(() => visitor.readableEnded, 'its end is read');
  visitor.destroy();
  await waitUntil(() => visitor.closed, 'the visitor is gone');
  expect(relay.open).toBe(1);
  await waitUntil(() => relay.open === 0, 'it is over');
  expect(findSockets(app.port).every(socket => socket.destroyed)).toBe(true);
  far.destroy();
});
