// `mode: port`: commands that are started, and services that run already.

import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startApp } from '../../../src/app/app.ts';
import { findFreePort } from '../../../src/app/process/free-port.ts';
import { createLogger } from '../../../src/shared/log.ts';
import type { AppState } from '../../../src/shared/state.ts';
import {
  ask,
  base,
  createOptions,
  fail,
  folder,
  listen,
  logTo,
  node,
  occupy,
  SERVE,
  start,
} from '../../support/apps.ts';
import { isRunning } from '../../support/running.ts';

describe('mode: port with a command', () => {
  it('gives the command a free port, waits until it answers, and reports the address', async () => {
    const { app, states } = await start({ mode: 'port', path: folder, command: node(SERVE) });
    expect(states.map(state => state.status)).toEqual(['starting', 'running']);
    expect(await ask(app)).toMatch(/^\d+ {2}http:\/\/preview\.test:7$/);
    expect(app.consoleTail()).toEqual(['up']);
    await app.stop();
    expect(app.state).toEqual({ status: 'stopped' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('replaces {url} in env and command by the public address', async () => {
    const command = `echo "I am {url}"; ${node(SERVE)}`;
    const { app } = await start({ mode: 'port', path: folder, command }, { env: { GREETING: 'at {url}/x' } });
    expect(await ask(app)).toContain('at http://preview.test:7/x');
    expect(app.consoleTail()[0]).toBe('I am http://preview.test:7');
  });

  it('gives the command only the environment that was selected for it', async () => {
    process.env.SECRET_OF_THE_JOB = 'leak';
    const { app } = await start({ mode: 'port', path: folder, command: `env; ${node(SERVE)}` });
    delete process.env.SECRET_OF_THE_JOB;
    const names = app
      .consoleTail()
      .filter(line => line.includes('='))
      .map(line => line.split('=')[0]);
    expect(names.sort()).toEqual(['EXPOSE_URL', 'PATH', 'PORT', 'PWD', 'SHLVL', '_']);
  });

  it('gives the command the number of the public port as PORT, again after a restart', async () => {
    const port = await findFreePort();
    const publicUrl = () => `http://preview.test:${port}`;
    const { app } = await start(
      { mode: 'port', path: folder, command: `exec ${node(SERVE)}` },
      { publicUrl },
    );
    expect(base(app)).toBe(`http://127.0.0.1:${port}`);
    process.kill(Number.parseInt(await ask(app), 10), 'SIGKILL');
    await expect.poll(() => [app.restarts, app.state.status], { timeout: 10_000 }).toEqual([1, 'running']);
    expect(base(app)).toBe(`http://127.0.0.1:${port}`);
  });

  it.each(['127.0.0.1', '127.0.0.9', '::1', '0.0.0.0', '::'])(
    'gives the command another port if that number is taken on the runner: %s',
    async host => {
      const taken = createTcpServer(socket => socket.destroy()).listen(0, host);
      await once(taken, 'listening');
      onTestFinished(() => void taken.close());
      const { port } = taken.address() as AddressInfo;
      const publicUrl = () => `http://preview.test:${port}`;
      const { app } = await start(
        { mode: 'port', path: folder, command: `exec ${node(SERVE)}` },
        { publicUrl },
      );
      expect(base(app)).not.toContain(`:${port}`);
    },
  );

  it('gives the command another port if it could not be started with that of the public address', async () => {
    const port = await findFreePort();
    const publicUrl = () => `http://preview.test:${port}`;
    const command = `test -e broken -a "$PORT" = ${port} && exit 1; touch broken; exec ${node(SERVE)}`;
    const { app } = await start({ mode: 'port', path: folder, command }, { publicUrl });
    process.kill(Number.parseInt(await ask(app), 10), 'SIGKILL');
    await expect.poll(() => [app.restarts, app.state.status], { timeout: 10_000 }).toEqual([2, 'running']);
    expect(base(app)).not.toContain(`:${port}`);
  });

  it('uses the port that was given, on IPv6 too', async () => {
    const port = await findFreePort();
    const command = node(`require('node:http').createServer((q, s) => s.end('six')).listen(${port}, '::1')`);
    const { app } = await start({ mode: 'port', path: folder, port, command });
    expect(app.state).toMatchObject({ status: 'running', upstream: { kind: 'address', host: '::1', port } });
  });

  it('refuses a port that is already taken', async () => {
    const port = await occupy();
    const failure = await fail({ mode: 'port', path: folder, port, command: 'sleep 600' });
    expect(failure.message).toContain(
      `port ${port} is taken by another process (node, ${process.pid}), so the command cannot use it`,
    );
  });

  it('does not mistake another process for a command that is still starting', async () => {
    const port = await findFreePort();
    const command = `echo starting; sleep 600`;
    const failure = await fail(
      { mode: 'port', path: folder, port, command },
      { logger: logTo(() => void occupy(port)) },
    );
    expect(failure.message).toMatch(
      new RegExp(`port ${port} is taken by another process \\(\\S+, ${process.pid}\\)`),
    );
  });

  it('accepts a daemon of the command, although it left the process group', async () => {
    const command = `setsid ${node(SERVE)} & echo "daemon: $!"; sleep 600`;
    const { app } = await start({ mode: 'port', path: folder, command });
    process.kill(Number.parseInt(await ask(app), 10));
  });

  it('says which processes did not stop in time, and were killed', async () => {
    const log: string[] = [];
    const command = `trap '' TERM; ${node(SERVE)} & while :; do wait; done`;
    const options = {
      stopTimeoutMs: 1_000,
      logger: createLogger({ level: 'info', write: line => log.push(line) }),
    };
    const { app } = await start({ mode: 'port', path: folder, command }, options);
    const { pid } = app;
    await app.stop();
    const killed = log.find(line => line.includes('was killed'));
    expect(killed).toBe(
      `the command did not stop within 1s, the \`stop-timeout\`, and was killed: bash (${pid})`,
    );
  });

  it('reports exit code and last lines of a command that ends', async () => {
    const states: AppState[] = [];
    const failure = await fail(
      { mode: 'port', path: folder, command: 'seq 1 30; exit 4' },
      { onState: state => states.push(state) },
    );
    expect(failure.message).toBe('the command ended with exit code 4');
    expect(failure.exitCode).toBe(4);
    expect(failure.lastLines).toHaveLength(20);
    expect(failure.lastLines.at(-1)).toBe('30');
    expect(states.at(-1)).toMatchObject({ status: 'failed', exitCode: 4, lastLines: failure.lastLines });
  });

  it('ends a command at its first failing line, as in a run step', async () => {
    const failure = await fail({ mode: 'port', path: folder, command: `false\n${node(SERVE)}` });
    expect(failure.message).toBe('the command ended with exit code 1');
  });

  it('names startup-timeout if a command never listens, and ends its processes', async () => {
    const failure = await fail(
      { mode: 'port', path: folder, command: 'echo waiting; sleep 600 & echo $!; wait' },
      { signal: AbortSignal.timeout(500) },
    );
    expect(failure.message).toContain('did not listen on port');
    expect(failure.message).toContain('startup-timeout');
    expect(failure.lastLines[0]).toBe('waiting');
    expect(isRunning(Number(failure.lastLines[1]))).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('reports what the health path answered if it never becomes healthy', async () => {
    const command = node(
      `require('node:http').createServer((q, s) => { s.statusCode = 503; s.end(); }).listen(process.env.PORT)`,
    );
    const failure = await fail(
      { mode: 'port', path: folder, command },
      { signal: AbortSignal.timeout(5_000), healthPath: '/health' },
    );
    expect(failure.message).toContain('the app answered GET /health on port ');
    expect(failure.message).toContain('with status 503 until');
  });

  it('accepts any status below 500', async () => {
    const command = node(
      `require('node:http').createServer((q, s) => { s.statusCode = 404; s.end(); }).listen(process.env.PORT)`,
    );
    const { app } = await start({ mode: 'port', path: folder, command });
    expect(app.state.status).toBe('running');
  });

  it('needs no HTTP without a health path', async () => {
    const command = node(`require('node:net').createServer(s => s.end('hi')).listen(process.env.PORT)`);
    const { app } = await start({ mode: 'port', path: folder, command }, { healthPath: undefined });
    expect(app.state.status).toBe('running');
  });

  it('rejects with the reason of its signal when it is cancelled', async () => {
    const controller = new AbortController();
    const failing = startApp(
      createOptions({ mode: 'port', path: folder, command: 'sleep 600' }, { signal: controller.signal }),
    );
    controller.abort(new Error('cancelled'));
    await expect(failing).rejects.toThrow('cancelled');
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('mode: port without a command', () => {
  it('finds a service that runs already, and does not end it', async () => {
    const port = await occupy();
    const { app } = await start({ mode: 'port', path: folder, port });
    expect(await ask(app)).toBe('another program');
    await app.stop();
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('another program');
  });

  it('reports that nothing listens', async () => {
    const port = await findFreePort();
    const failure = await fail({ mode: 'port', path: folder, port }, { signal: AbortSignal.timeout(300) });
    expect(failure.message).toContain(`nothing listens on port ${port} (127.0.0.1 and ::1 were tried`);
    expect(failure.message).toContain('give `command`');
  });

  it('reports the last answer if the deadline cuts an attempt off', async () => {
    const timeUp = new AbortController();
    const onSecondRequest = () => timeUp.abort(new DOMException('the time is over', 'TimeoutError'));
    const server = createServer((_, response) => response.writeHead(503).end());
    server.once('request', () => server.removeAllListeners('request').once('request', onSecondRequest));
    await listen(server, 0);
    const { port } = server.address() as AddressInfo;
    const failure = await fail({ mode: 'port', path: folder, port }, { signal: timeUp.signal });
    expect(failure.message).toContain('with status 503 until the time was over');
  });
});
