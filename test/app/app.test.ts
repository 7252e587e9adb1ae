// Restarts of an app, and the end of a start that takes too long.

import { writeFileSync } from 'node:fs';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { waitForStart } from '../../src/app/app.ts';
import { findFreePort } from '../../src/app/process/free-port.ts';
import type { Program } from '../../src/app/program.ts';
import { ask, EXAMPLES, FAST, fail, folder, listen, node, SERVE, start } from '../support/apps.ts';
import { isRunning } from '../support/running.ts';

describe('an app whose program has ended', () => {
  it('loses its address at once, and is announced again only when it answers', async () => {
    const { app, states } = await start({ mode: 'port', path: folder, command: `exec ${node(SERVE)}` });
    const first = await ask(app);
    process.kill(Number.parseInt(first, 10), 'SIGKILL');
    await expect.poll(() => states.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(4);
    expect(states[2]).toEqual({
      status: 'restarting',
      reason: 'the command ended by signal SIGKILL',
      attempt: 1,
    });
    expect(states[3]?.status).toBe('running');
    expect(await ask(app)).not.toBe(first);
    expect(app.restarts).toBe(1);
  });

  it('is asked again which address it takes, for it may be another program now', async () => {
    const script = `require('node:http').createServer((q, s) => {
      s.statusCode = require('node:fs').existsSync('strict') && !q.headers.host.startsWith('localhost') ? 403 : 200;
      s.end(String(process.pid));
    }).listen(process.env.PORT, '127.0.0.1')`;
    const { app, states } = await start({ mode: 'port', path: folder, command: `exec ${node(script)}` });
    writeFileSync(join(folder, 'strict'), '');
    process.kill(Number(await ask(app)), 'SIGKILL');
    await expect.poll(() => [app.restarts, app.state.status], { timeout: 10_000 }).toEqual([1, 'running']);
    const rules = states.map(state =>
      state.status === 'running' && state.upstream.kind === 'address' ? state.upstream.hostHeader : undefined,
    );
    expect(rules.filter(Boolean)).toEqual(['preserve', 'rewrite']);
  });

  it('is not replaced by another process that has taken its port', async () => {
    const port = await findFreePort();
    const command = `exec ${node(SERVE)}`;
    const { app, states } = await start({ mode: 'port', path: folder, port, command });
    process.kill(Number.parseInt(await ask(app), 10), 'SIGKILL');
    await expect.poll(() => app.state.status).toBe('restarting');
    let asked = 0;
    const canary = createTcpServer(socket => {
      socket.on('data', () => {
        asked += 1;
      });
    });
    await listen(canary, port);
    await expect.poll(() => app.state.status, { timeout: 20_000 }).toBe('failed');
    expect(states.filter(state => state.status === 'running')).toHaveLength(1);
    expect(app.state).toMatchObject({ reason: expect.stringContaining('taken by another process') });
    expect(asked).toBe(0);
  });

  it('is restarted when its port is free again', async () => {
    const port = await findFreePort();
    const timing = { ...FAST, pausesMs: [20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20] };
    const { app } = await start(
      { mode: 'port', path: folder, port, command: `exec ${node(SERVE)}` },
      {},
      timing,
    );
    process.kill(Number.parseInt(await ask(app), 10), 'SIGKILL');
    await expect.poll(() => app.state.status, { interval: 1 }).toBe('restarting');
    const canary = createTcpServer(socket => socket.destroy());
    await listen(canary, port);
    await expect
      .poll(() => app.state, { interval: 1, timeout: 20_000 })
      .toMatchObject({ reason: expect.stringContaining('taken') });
    canary.close();
    await expect.poll(() => app.state.status, { timeout: 20_000 }).toBe('running');
  });

  it('is given up after five restarts in a row', async () => {
    const marker = join(folder, 'started-once');
    const command = `if [ -e ${marker} ]; then echo broken; exit 9; fi; touch ${marker}; exec ${node(SERVE)}`;
    const { app, states } = await start({ mode: 'port', path: folder, command });
    process.kill(Number.parseInt(await ask(app), 10), 'SIGKILL');
    await expect.poll(() => app.state.status, { timeout: 20_000 }).toBe('failed');
    expect(states.filter(state => state.status === 'restarting').map(state => state.attempt)).toEqual([
      1, 2, 3, 4, 5,
    ]);
    expect(app.state).toEqual({
      status: 'failed',
      reason: 'the command ended with exit code 9; given up after 5 restarts',
      exitCode: 9,
      lastLines: ['broken'],
    });
  });

  it('gets all its restarts back after it has served for a while', async () => {
    const timing = { ...FAST, pausesMs: [10], resetAfterMs: 0 };
    const { app } = await start({ mode: 'port', path: folder, command: `exec ${node(SERVE)}` }, {}, timing);
    for (const restarts of [1, 2, 3]) {
      process.kill(app.pid ?? 0, 'SIGKILL');
      await expect
        .poll(() => [app.restarts, app.state.status], { timeout: 20_000 })
        .toEqual([restarts, 'running']);
    }
  });

  it('has its leftover processes killed before it starts again', async () => {
    const command = `sleep 600 & echo "left: $!"; ${node(SERVE)}`;
    const { app } = await start({ mode: 'port', path: folder, command });
    process.kill(app.pid ?? 0, 'SIGKILL');
    await expect.poll(() => [app.restarts, app.state.status], { timeout: 20_000 }).toEqual([1, 'running']);
    await app.stop();
    await app.stop();
    const left = app.consoleTail().filter(line => line.startsWith('left: '));
    expect(left.map(line => isRunning(Number(line.slice(6))))).toEqual([false, false]);
  });

  it('can be stopped while it is restarting', async () => {
    const timing = { ...FAST, pausesMs: [600_000] };
    const { app, states } = await start(
      { mode: 'port', path: folder, command: `exec ${node(SERVE)}` },
      {},
      timing,
    );
    process.kill(app.pid ?? 0, 'SIGKILL');
    await expect.poll(() => app.state.status).toBe('restarting');
    await app.stop();
    expect(states.at(-1)).toEqual({ status: 'stopped' });
  });
});

describe('a start that exceeds its time limit', () => {
  it('is abandoned, and the program is stopped if it starts after that', async () => {
    const start = Promise.withResolvers<Program>();
    const stopped = Promise.withResolvers<void>();
    await expect(waitForStart(start.promise, AbortSignal.timeout(1), 1)).rejects.toThrow(
      expect.objectContaining({ name: 'TimeoutError' }),
    );
    start.resolve({
      upstream: { kind: 'address', host: '127.0.0.1', port: 1 },
      ended: new Promise(() => {}),
      stop: async () => stopped.resolve(),
    });
    await stopped.promise;
  });

  it('fails with its own reason if it has one', async () => {
    const start = Promise.withResolvers<Program>();
    const signal = AbortSignal.timeout(1);
    signal.addEventListener('abort', () => start.reject(new Error('waited for a port')));
    await expect(waitForStart(start.promise, signal, 15_000)).rejects.toThrow('waited for a port');
  });
});

describe('mode: web', () => {
  it('answers from the folder without a process', async () => {
    const { app } = await start({
      mode: 'web',
      path: join(EXAMPLES, 'web-hello'),
      spa: false,
      crossOriginIsolation: false,
    });
    expect(app.state).toMatchObject({ status: 'running', upstream: { kind: 'handler' } });
    expect(app.pid).toBeUndefined();
  });

  it('needs an index.html', async () => {
    const failure = await fail({ mode: 'web', path: folder, spa: false, crossOriginIsolation: false });
    expect(failure.message).toContain('has no index.html to serve');
  });
});
