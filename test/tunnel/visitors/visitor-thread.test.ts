import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

import { probeTcp } from '../../../src/exposure/tcp-probe.ts';
import { Relay, type WorkerRelay } from '../../../src/tunnel/relay/relay.ts';

import { describeWithReal } from '../../support/real-parts.ts';
import { closed, openTunnel, portOf, startRealServer } from '../../support/tunnel-rig.ts';
import { waitUntil } from '../../support/wait-until.ts';

const HOST = '127.0.1.10';
const SCRIPT = resolve('src/visitor-thread.ts');
const BUNDLE = resolve('dist/visitor-thread/index.js');
/** Enough visitors for both threads: after the first eight, the second thread gets every other one. */
const VISITORS = 24;

/** A relay that keeps the second thread's handle. */
class CountingRelay extends Relay {
  second: WorkerRelay | undefined;

  override addWorker(worker: WorkerRelay): void {
    this.second = worker;
    super.addWorker(worker);
  }
}

/** An app that sends `greeting` and then echoes. */
async function startApp(greeting = ''): Promise<number> {
  const app = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {});
    if (greeting !== '') socket.write(greeting);
    socket.pipe(socket);
  });
  await once(app.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void app.close());
  return (app.address() as { port: number }).port;
}

/** A tunnel to an app that echoes; the second thread is started as soon as there are enough visitors. */
async function expose(script = SCRIPT) {
  let app = await startApp();
  const { address } = await startRealServer(HOST, { secret: 'sesame' });
  const log: string[] = [];
  const note = (line: string) => void log.push(line);
  const logger = { debug: note, info: note, warn: note, error: note };
  const relay = new CountingRelay({
    target: () => ({ host: '127.0.0.1', port: app }),
    logger,
    secondThread: { script, busyShare: 0, busyMs: 0 },
  });
  const { tunnel } = await openTunnel({ server: address, secret: 'sesame', destination: relay, logger });
  const moveTo = (port: number) => {
    app = port;
    relay.updateTarget();
  };
  return { tunnel, relay, log, port: portOf(tunnel), moveTo };
}

/** Connects, and resolves once something was echoed. */
async function visit(port: number, word: string): Promise<Socket> {
  const socket = connect({ host: HOST, port, allowHalfOpen: true }).on('error', () => {});
  onTestFinished(() => void socket.destroy());
  socket.write(word);
  const [echo] = await once(socket, 'data');
  expect(String(echo)).toBe(word);
  return socket;
}

/** Opens visitors in pairs until the second thread has one of them. */
async function fillBoth({ relay, port }: { relay: CountingRelay; port: number }): Promise<Socket[]> {
  const visitors: Socket[] = [];
  await waitUntil(async () => {
    visitors.push(await visit(port, `visitor ${visitors.length}`));
    return visitors.length >= VISITORS && (relay.second?.open ?? 0) > 0;
  }, 'the second thread carries visitors');
  return visitors;
}

describeWithReal(['bore'], 'raw visitors on two threads', () => {
  it.each([
    ['source', SCRIPT],
    ['bundle', BUNDLE],
  ])('are carried by both, and counted together: %s', async (_, script) => {
    const world = await expose(script);
    const visitors = await fillBoth(world);
    const { relay, tunnel } = world;
    expect(relay.second?.visits).toBeGreaterThan(0);
    expect(relay.visits).toBe(visitors.length);
    expect(tunnel.openVisitors).toBe(visitors.length);
    for (const visitor of visitors) visitor.end();
    await Promise.all(visitors.map(closed));
    await waitUntil(() => tunnel.openVisitors === 0 && relay.open === 0, 'all visitors have left');
    expect(relay.visits).toBe(visitors.length);
  });

  it('keep a half-close on both', async () => {
    const world = await expose();
    for (const visitor of await fillBoth(world)) {
      visitor.end('last words');
      expect(String(Buffer.concat(await visitor.toArray()))).toBe('last words');
    }
  });

  it('are cut off at the end on both, and are still counted', async () => {
    const { tunnel, relay, ...world } = await expose();
    const visitors = await fillBoth({ relay, ...world });
    const hungUp = Promise.all(visitors.map(visitor => once(visitor, 'end')));
    await tunnel.stop({ drainMs: 0 });
    await hungUp;
    expect([relay.visits, tunnel.openVisitors]).toEqual([visitors.length, 0]);
  });

  it('may finish on both before the end', async () => {
    const { tunnel, relay, ...world } = await expose();
    const visitors = await fillBoth({ relay, ...world });
    const stopped = tunnel.stop({ drainMs: 20_000 });
    for (const visitor of visitors) {
      visitor.end('last words');
      expect(String(Buffer.concat(await visitor.toArray()))).toBe('last words');
    }
    await stopped;
  });

  it('do not disturb our own probe, which the first thread serves', async () => {
    const world = await expose();
    await fillBoth(world);
    const url = `tcp://${HOST}:${world.port}`;
    for (let probe = 0; probe < 5; probe += 1)
      expect(await probeTcp(url, world.relay, AbortSignal.timeout(10_000))).toEqual({ kind: 'proved' });
  });

  it('reach the app at its new port, on both', async () => {
    const world = await expose();
    await fillBoth(world);
    const visits = () => world.relay.second?.visits ?? 0;
    const before = visits();
    world.moveTo(await startApp('moved'));
    await waitUntil(async () => {
      const socket = connect({ host: HOST, port: world.port }).on('error', () => {});
      onTestFinished(() => void socket.destroy());
      const [greeting] = await once(socket, 'data');
      expect(String(greeting)).toBe('moved');
      return visits() >= before + 3;
    }, 'the second thread took some of them');
  });

  it('stay on the first thread if the second one cannot be started', async () => {
    const { tunnel, log, port } = await expose('no-such-script-and-no-path');
    for (let count = 0; count < VISITORS; count += 1) await visit(port, `visitor ${count}`);
    expect(tunnel.openVisitors).toBe(VISITORS);
    expect(log.filter(line => line.includes('could not start a second thread'))).toHaveLength(1);
  });

  it('stay on the first thread after the second broke', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'visitor-thread-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const script = join(folder, 'broken.mjs');
    writeFileSync(script, 'throw new Error("no such luck")');
    const { tunnel, log, port } = await expose(script);
    const visitors: Socket[] = [];
    await waitUntil(async () => {
      visitors.push(await visit(port, `visitor ${visitors.length}`));
      return log.some(line => line.includes('no such luck')) && visitors.length >= VISITORS;
    }, 'the end of the thread is logged');
    expect(tunnel.openVisitors).toBe(visitors.length);
    await tunnel.stop({ drainMs: 0 });
  });
});
