import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type App, type AppOptions, type AppSpec, startApp } from '../../src/app/app.ts';
import { findFreePort } from '../../src/app/child.ts';
import type { RestartTiming } from '../../src/app/restart.ts';
import { AppError } from '../../src/errors.ts';
import { createLogger } from '../../src/log.ts';
import type { AppState } from '../../src/state.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { isRunning } from '../support/running.ts';

const FAST: RestartTiming = { pausesMs: [20, 20, 20, 20, 20], resetAfterMs: 60_000, startMs: 20_000 };
const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples');
/** Answers with its pid; stays up until it is told to end. */
const SERVE = `require('node:http').createServer((q, s) => {
  if (q.url === '/exit') process.exit(5);
  s.end(process.pid + ' ' + (process.env.GREETING ?? '') + ' ' + process.env.EXPOSE_URL);
}).listen(process.env.PORT, '127.0.0.1', () => console.log('up'))`;

let folder: string;
let apps: App[];
let closers: (() => Promise<unknown>)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'expose-app-test-'));
  apps = [];
  closers = [];
});

afterEach(async () => {
  await Promise.all(apps.map(app => app.stop()));
  await Promise.all(closers.map(close => close()));
  rmSync(folder, { recursive: true, force: true });
});

describe('mode: port with a command', () => {
  it('hands a free port over, waits until it answers, and says where', async () => {
    const { app, states } = await start({ mode: 'port', path: folder, command: node(SERVE) });
    expect(states.map(state => state.status)).toEqual(['starting', 'running']);
    expect(await ask(app)).toMatch(/^\d+ {2}http:\/\/preview\.test:7$/);
    expect(app.consoleTail()).toEqual(['up']);
    await app.stop();
    expect(app.state).toEqual({ status: 'stopped' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('puts the public address in place of {url} in env and command', async () => {
    const command = `echo "I am {url}"; ${node(SERVE)}`;
    const { app } = await start({ mode: 'port', path: folder, command }, { env: { GREETING: 'at {url}/x' } });
    expect(await ask(app)).toContain('at http://preview.test:7/x');
    expect(app.consoleTail()[0]).toBe('I am http://preview.test:7');
  });

  it('gives the command nothing of the job but what it was handed', async () => {
    process.env.SECRET_OF_THE_JOB = 'leak';
    const { app } = await start({ mode: 'port', path: folder, command: `env; ${node(SERVE)}` });
    delete process.env.SECRET_OF_THE_JOB;
    const names = app
      .consoleTail()
      .filter(line => line.includes('='))
      .map(line => line.split('=')[0]);
    expect(names.sort()).toEqual(['EXPOSE_URL', 'PATH', 'PORT', 'PWD', 'SHLVL', '_']);
  });

  it('uses the port that was given, on IPv6 too', async () => {
    const port = await findFreePort();
    const command = node(`require('node:http').createServer((q, s) => s.end('six')).listen(${port}, '::1')`);
    const { app } = await start({ mode: 'port', path: folder, port, command });
    expect(app.state).toEqual({ status: 'running', upstream: { kind: 'address', host: '::1', port } });
  });

  it('refuses a port that something else has already', async () => {
    const port = await occupy();
    const failure = await fail({ mode: 'port', path: folder, port, command: 'sleep 600' });
    expect(failure.message).toContain(
      `port ${port} is taken by another process, so the command cannot have it`,
    );
  });

  it('does not take another process for a command that is still starting', async () => {
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

  it('knows a daemon of its own, though it left the process group', async () => {
    const command = `setsid ${node(SERVE)} & echo "daemon: $!"; sleep 600`;
    const { app } = await start({ mode: 'port', path: folder, command });
    process.kill(Number.parseInt(await ask(app), 10));
  });

  it('tells exit code and last lines of a command that ends', async () => {
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

  it('stops a command as at a failing line of a run step', async () => {
    const failure = await fail({ mode: 'port', path: folder, command: `false\n${node(SERVE)}` });
    expect(failure.message).toBe('the command ended with exit code 1');
  });

  it('names startup-timeout where a command never listens, and leaves nothing of it', async () => {
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

  it('says what the health path answered where it never gets well', async () => {
    const command = node(
      `require('node:http').createServer((q, s) => { s.statusCode = 503; s.end(); }).listen(process.env.PORT)`,
    );
    const failure = await fail(
      { mode: 'port', path: folder, command },
      { signal: AbortSignal.timeout(1_000), healthPath: '/health' },
    );
    expect(failure.message).toContain('GET /health did not answer with a status below 500');
    expect(failure.message).toContain('last: status 503');
  });

  it('takes any status below 500 for an answer', async () => {
    const command = node(
      `require('node:http').createServer((q, s) => { s.statusCode = 404; s.end(); }).listen(process.env.PORT)`,
    );
    const { app } = await start({ mode: 'port', path: folder, command });
    expect(app.state.status).toBe('running');
  });

  it('needs no HTTP where there is no health path', async () => {
    const command = node(`require('node:net').createServer(s => s.end('hi')).listen(process.env.PORT)`);
    const { app } = await start({ mode: 'port', path: folder, command }, { healthPath: undefined });
    expect(app.state.status).toBe('running');
  });

  it('passes a cancellation on as it came', async () => {
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
  it('finds the service that runs already, and leaves it alone at the end', async () => {
    const port = await occupy();
    const { app } = await start({ mode: 'port', path: folder, port });
    expect(await ask(app)).toBe('somebody else');
    await app.stop();
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('somebody else');
  });

  it('says so where nothing listens', async () => {
    const port = await findFreePort();
    const failure = await fail({ mode: 'port', path: folder, port }, { signal: AbortSignal.timeout(300) });
    expect(failure.message).toContain(`nothing listens on port ${port} (127.0.0.1 and ::1 were tried`);
    expect(failure.message).toContain('give `command`');
  });
});

describe('an app that is lost', () => {
  it('is forgotten at once when it is killed, and announced again only when it answers', async () => {
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

  it('never publishes the process that took its port', async () => {
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

  it('comes back when the port is free again', async () => {
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
      .poll(() => app.state, { interval: 1 })
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

  it('gets all its restarts back after it served for a while', async () => {
    const timing = { ...FAST, pausesMs: [10], resetAfterMs: 0 };
    const { app } = await start({ mode: 'port', path: folder, command: `exec ${node(SERVE)}` }, {}, timing);
    for (const restarts of [1, 2, 3]) {
      process.kill(app.pid ?? 0, 'SIGKILL');
      await expect
        .poll(() => [app.restarts, app.state.status], { timeout: 20_000 })
        .toEqual([restarts, 'running']);
    }
  });

  it('takes what is left of it along before it starts again', async () => {
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

describeWithReal(['wasmrun'], 'mode: exec', () => {
  it('runs the program with its arguments, env and folder, and starts it again after a crash', async () => {
    const path = join(EXAMPLES, 'exec-hello', 'exec-hello.wasm');
    const spec: AppSpec = { mode: 'exec', path, wasmrun: requirePart('wasmrun'), args: ['--at', '{url}'] };
    const { app, states } = await start(spec, { env: { GREETING: 'hi' } });
    expect(await ask(app)).toContain('Hello from WebAssembly');
    const seen = await ask(app, '/environment');
    expect(seen).toContain('arguments: ["--at", "http://preview.test:7"]');
    expect(seen).toContain('EXPOSE_URL=http://preview.test:7');
    expect(seen).toContain('GREETING=hi');
    expect(seen).not.toContain('PATH=');
    await fetch(`${base(app)}/crash`, { method: 'POST' }).catch(() => undefined);
    await expect.poll(() => [app.restarts, app.state.status], { timeout: 20_000 }).toEqual([1, 'running']);
    expect(states[2]).toMatchObject({ status: 'restarting', reason: expect.stringContaining('exit code 3') });
    expect(await ask(app)).toContain('Hello from WebAssembly');
  });

  it('gives the program a copy of the folder, without dotfiles, links and ignored files', async () => {
    const source = join(folder, 'source');
    cpSync(join(EXAMPLES, 'exec-hello', 'exec-hello.wasm'), join(source, 'app.wasm'));
    for (const name of ['greeting.txt', '.env', 'ignored.log']) writeFileSync(join(source, name), name);
    writeFileSync(join(source, '.gitignore'), '*.log');
    symlinkSync('/etc/passwd', join(source, 'link'));
    mkdirSync(join(source, '.well-known'));
    const spec: AppSpec = {
      mode: 'exec',
      path: join(source, 'app.wasm'),
      wasmrun: requirePart('wasmrun'),
      args: [],
    };
    const { app } = await start(spec);
    expect(await ask(app, '/files')).toBe('.well-known\ngreeting.txt\n');
    await fetch(`${base(app)}/greeting`, { method: 'POST', body: 'changed' });
    expect(await ask(app)).toContain('changed');
    expect(readFileSync(join(source, 'greeting.txt'), 'utf8')).toBe('greeting.txt');
  });

  it('tells why a file that is no program does not start', async () => {
    const path = join(folder, 'broken.wasm');
    writeFileSync(path, 'no wasm');
    const failure = await fail({ mode: 'exec', path, wasmrun: requirePart('wasmrun'), args: [] });
    expect(failure.message).toContain('wasmrun exec broken.wasm ended with exit code 1');
    expect(failure.lastLines.join('\n')).not.toBe('');
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

function createOptions(spec: AppSpec, options: Partial<AppOptions>): AppOptions {
  return {
    spec,
    publicUrl: 'http://preview.test:7',
    baseEnvironment: { PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}` },
    env: {},
    healthPath: '/',
    folder,
    logger: createLogger({ level: 'quiet', write: () => undefined }),
    onChild: () => undefined,
    onState: () => undefined,
    signal: AbortSignal.timeout(30_000),
    ...options,
  };
}

/** Hears the app's console. */
function logTo(onDebug: () => void) {
  return createLogger({ level: 'debug', write: onDebug });
}

async function start(spec: AppSpec, options: Partial<AppOptions> = {}, timing = FAST) {
  const states: AppState[] = [];
  const app = await startApp(
    createOptions(spec, { onState: state => states.push(state), ...options }),
    timing,
  );
  apps.push(app);
  return { app, states };
}

async function fail(spec: AppSpec, options: Partial<AppOptions> = {}): Promise<AppError> {
  const failure: unknown = await startApp(createOptions(spec, options), FAST).catch(error => error);
  if (failure instanceof AppError) return failure;
  throw new Error('the start did not fail with an AppError', { cause: failure });
}

function node(script: string): string {
  return `node -e '${script.replaceAll("'", `'\\''`)}'`;
}

function base(app: App): string {
  if (app.state.status !== 'running' || app.state.upstream.kind !== 'address') throw new Error('no address');
  const { host, port } = app.state.upstream;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function ask(app: App, path = '/'): Promise<string> {
  return await (await fetch(base(app) + path)).text();
}

async function occupy(port = 0): Promise<number> {
  const server = createServer((_, response) => response.end('somebody else'));
  await listen(server, port);
  return (server.address() as AddressInfo).port;
}

async function listen(server: Server | ReturnType<typeof createTcpServer>, port: number): Promise<void> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => new Promise(resolve => server.close(resolve)));
}
