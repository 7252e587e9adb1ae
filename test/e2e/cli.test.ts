// The `expose` command as people use it on a laptop: the built bundle in a process of its own, a temp folder of its
// own, a second terminal beside it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { click } from '../support/reviewer.ts';
import { isRunning } from '../support/running.ts';
import { accepts } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const SCRIPT = resolve('dist/cli/index.js');
const SITE = resolve('examples/web-hello');
const SECRET = 'a-secret-of-the-bore-server';

let temp: string;
let started: Cli[];
beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), 'cli-test-'));
  started = [];
});
afterEach(async () => {
  for (const cli of started) cli.child.kill('SIGKILL');
  await Promise.all(started.map(cli => cli.code));
  rmSync(temp, { recursive: true, force: true });
});

class Cli {
  readonly child: ChildProcess;
  out = '';
  err = '';
  #isClosed = false;

  constructor(args: readonly string[], environment: Record<string, string> = {}) {
    const { BORE_SECRET: _, RUNNER_TEMP: __, ...rest } = process.env;
    this.child = spawn(process.execPath, [SCRIPT, ...args], {
      env: { ...rest, TMPDIR: temp, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
    this.child.once('close', () => {
      this.#isClosed = true;
    });
    started.push(this);
  }

  /** Its exit code, once it has ended and all it said was read. */
  get code(): Promise<number | null> {
    const isOver = () => this.#isClosed;
    return waitUntil(isOver, `it ended; it said:\n${this.out}${this.err}`).then(() => this.child.exitCode);
  }

  /** The first group of what it prints sooner or later. */
  async printed(pattern: RegExp): Promise<string> {
    await waitUntil(() => pattern.test(this.out + this.err), `${pattern} in:\n${this.out}${this.err}`);
    return pattern.exec(this.out + this.err)?.[1] ?? '';
  }
}

/** Runs a command to its end. */
async function expose(args: readonly string[], environment?: Record<string, string>) {
  const cli = new Cli(args, environment);
  const code = await cli.code;
  return { code, out: cli.out, err: cli.err };
}

async function findClosedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

// Every command's help and misuse is in test/commands/commands.test.ts; this is the way from the process to them.
describe('the command line', () => {
  it('prints the list of commands, with exit code 0', async () => {
    const { code, out, err } = await expose(['--help']);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^Usage: expose /);
  });

  it.each<[string, string[], string | RegExp]>([
    ['no command', [], ''],
    ['an unknown command', ['bogus'], /^expose: there is no command 'bogus'\n\nUsage: /],
    [
      'a secret in the arguments',
      ['run', '--secret', SECRET],
      /^expose run: a secret .*BORE_SECRET.*--secret-file/,
    ],
  ])('with %s is exit code 2', async (_, args, message) => {
    const { code, err } = await expose(args);
    if (typeof message === 'string') expect(err).toBe(message);
    else expect(err).toMatch(message);
    expect(err).not.toContain(SECRET);
    expect(code).toBe(2);
  });
});

describe('expose run', () => {
  it('ends with exit code 1 if it cannot start, says why, and leaves nothing', async () => {
    const server = `127.0.0.1:${await findClosedPort()}`;
    const { code, err } = await expose(['run', SITE, '--server', server, '--startup-timeout', '1s']);
    expect(code).toBe(1);
    expect(err).toMatch(
      /^expose: not ready within 1s, .*could not reach 127\.0\.0\.1:\d+: connect ECONNREFUSED/m,
    );
    expect(readdirSync(temp)).toEqual([]);
  });

  it('shows the last lines of an app that ends, harmless for a terminal', async () => {
    const server = new Cli(['server', '--port', '0', '--json']);
    const port = await server.printed(/"port":(\d+)/);
    const command = "printf '\\033[2Jno database\\n'; exit 3";
    const cli = ['run', temp, '--command', command, '--server', `127.0.0.1:${port}`];
    const { code, out, err } = await expose(cli);
    expect(code).toBe(1);
    expect(err).toContain('expose: the command ended with exit code 3\n  \\x1b[2Jno database\n');
    expect(out + err).not.toContain('\u001b');
  });

  it('records webhooks, which a second terminal waits for and lists', async () => {
    const server = new Cli(['server', '--port', '0', '--json']);
    const port = await server.printed(/"port":(\d+)/);
    const app = "require('http').createServer((q, s) => s.writeHead(204).end()).listen(process.env.PORT)";
    const command = `'${process.execPath}' -e "${app}"`;
    const capture = ['--public-paths', '/hooks/**'];
    const run = new Cli(['run', temp, '--command', command, ...capture, '--server', `127.0.0.1:${port}`]);
    try {
      const { url } = await click(await run.printed(/^ {2}(http:\S+)$/m));

      const match = ['--match', 'json:$.action=opened'];
      const waiting = new Cli(['wait', '/hooks/*', ...match, '--json']);
      for (const action of ['closed', 'opened'])
        await fetch(`${url}/hooks/gh`, { method: 'POST', body: JSON.stringify({ action }) });
      expect(await waiting.code).toBe(0);
      expect(JSON.parse(waiting.out)).toMatchObject({
        count: 1,
        last_id: 2,
        requests: [{ method: 'POST', target: '/hooks/gh', body: '{"action":"opened"}', status: 204 }],
      });
      expect((await expose(['requests'])).out).toMatch(/^ +1 .* → 204 .*\n +2 .* → 204 .*\n$/);
      const late = await expose(['wait', '--since', '2', '--timeout', '1s']);
      expect(late).toMatchObject({
        code: 124,
        err: expect.stringContaining(`Nothing has come since request 2`),
      });
    } finally {
      // The app would outlive a killed preview.
      await expose(['stop']);
    }
    expect(await run.code).toBe(0);
  });

  it('can be watched and ended from a second terminal, with a server of its own and a secret from a file', async () => {
    writeFileSync(join(temp, 'secret'), `${SECRET}\n`);
    const server = new Cli(['server', '--port', '0', '--secret-file', join(temp, 'secret')]);
    const port = await server.printed(/listening on 127\.0\.0\.1:(\d+), .*secret required/);
    const environment = { BORE_SECRET: SECRET };
    const run = new Cli(['run', SITE, '--mode', 'web', '--server', `127.0.0.1:${port}`], environment);
    const link = await run.printed(/^ {2}(http:\S+)$/m);
    const { url, visit } = await click(link);
    expect(await (await visit()).text()).toContain('<!doctype html>');

    const inspector = new URL(await run.printed(/^inspector: (http:\S+)$/m));
    expect(await (await fetch(inspector)).text()).toContain('<!doctype html>');
    const authorization = `Bearer ${inspector.hash.replace('#key=', '')}`;
    const document = await fetch(new URL('/api/inspector', inspector), { headers: { authorization } });
    expect(await document.json()).toMatchObject({ is_public: false, link });
    expect(await expose(['url'])).toEqual({ code: 0, out: `${url}\n`, err: '' });
    expect(await expose(['url', '--link'])).toEqual({ code: 0, out: `${link}\n`, err: '' });
    expect(JSON.parse((await expose(['url', '--json'])).out)).toEqual({
      url,
      preview_url: link,
      inspector_url: null,
      status: 'Connected',
    });
    expect(await expose(['url', '--inspector'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('there is no public inspector'),
    });
    const status = await expose(['status']);
    expect(status.out).toMatch(
      /^tunnel +Connected\nurl +http:.*\nlink +http:.*\napp +running \(mode web\)\nexposure +live\n/,
    );
    expect(JSON.parse((await expose(['status', '--json'])).out)).toMatchObject({
      visits: 1,
      public_url: url,
    });

    const stop = await expose(['stop']);
    expect(stop).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/^expose-\S+ stopped\n$/) });
    expect(await run.code).toBe(0);
    expect(run.out).toMatch(/ended: stopped\n$/);
    expect(run.out + run.err + server.out + server.err).not.toContain(SECRET);
    expect(readdirSync(temp)).toEqual(['secret']);
    server.child.kill('SIGINT');
    expect(await server.code).toBe(0);
    expect(await accepts('127.0.0.1', Number(port))).toBe(false);
  });

  it('has the same address in every run of a folder, and another one under another name', async () => {
    const server = new Cli(['server', '--port', '0']);
    const port = await server.printed(/listening on 127\.0\.0\.1:(\d+)/);
    const urls: string[] = [];
    // Below the ports that the kernel gives to connections: one of them could have the preview's port for a moment.
    const common = [
      'run',
      SITE,
      '--server',
      `127.0.0.1:${port}`,
      '--mode',
      'web',
      '--port-range',
      '14000-14999',
    ];
    for (const more of [[], [], ['--name', 'other']]) {
      const run = new Cli([...common, ...more]);
      urls.push(new URL(await run.printed(/^ {2}(http:\S+)$/m)).origin);
      run.child.kill('SIGINT');
      expect(await run.code).toBe(0);
    }
    expect(urls[1]).toBe(urls[0]);
    expect(urls[2]).not.toBe(urls[0]);
  });

  it('ends by itself when nobody has used it for so long', async () => {
    const server = new Cli(['server', '--port', '0']);
    const port = await server.printed(/listening on 127\.0\.0\.1:(\d+)/);
    const address = ['--server', `127.0.0.1:${port}`, '--mode', 'web'];
    const { code, out } = await expose(['run', SITE, ...address, '--idle-timeout', '1s']);
    expect(out).toContain('nobody has used the preview for 1s');
    expect(out).toMatch(/ended: idle timeout\n$/);
    expect(code).toBe(0);
    expect(readdirSync(temp)).toEqual([]);
  });

  it('shows the address and a line to paste for raw bytes', async () => {
    const service = createServer(socket => void socket.on('error', () => {}).end('hello')).listen(
      0,
      '127.0.0.1',
    );
    await once(service, 'listening');
    onTestFinished(() => void service.close());
    const { port } = service.address() as { port: number };
    const server = new Cli(['server', '--port', '0']);
    const control = await server.printed(/listening on 127\.0\.0\.1:(\d+)/);
    const raw = ['--protocol', 'tcp', '--port', String(port), '--access', 'open'];
    const run = new Cli(['run', temp, '--server', `127.0.0.1:${control}`, ...raw]);
    const url = await run.printed(/^ {2}(tcp:\S+)$/m);
    const own = new URL(url).port;
    expect(run.out).toContain(`\n  ${url}\n  nc 127.0.0.1 ${own}\n`);
    expect((await expose(['status'])).out).toContain(`\nconnect   nc 127.0.0.1 ${own}\n`);
    const visitor = connect(Number(own), '127.0.0.1');
    const [said] = await once(visitor, 'data');
    expect(String(said)).toBe('hello');
    visitor.destroy();
    run.child.kill('SIGINT');
    expect(await run.code).toBe(0);
  });

  const stubborn = `trap '' TERM; node -e "${[
    "process.on('SIGTERM', () => {});",
    "require('http').createServer((q, s) => s.end(String(process.pid))).listen(process.env.PORT)",
  ].join('')}"`;
  it.each([
    [
      'Ctrl-C',
      'exec node -e "require(\'http\').createServer((q, s) => s.end(String(process.pid))).listen(process.env.PORT)"',
      ['SIGINT'],
      0,
    ],
    [
      'a closed terminal',
      'node -e "require(\'http\').createServer((q, s) => s.end(String(process.pid))).listen(process.env.PORT); "',
      ['SIGHUP'],
      0,
    ],
    ['a second Ctrl-C, which does not wait', stubborn, ['SIGINT', 'SIGINT'], 1],
  ] as const)('leaves no process, port or folder after %s', async (_, command, signals, code) => {
    const server = new Cli(['server', '--port', '0']);
    const port = await server.printed(/listening on 127\.0\.0\.1:(\d+)/);
    const run = new Cli(['run', temp, '--command', command, '--server', `127.0.0.1:${port}`]);
    const { url, visit } = await click(await run.printed(/^ {2}(http:\S+)$/m));
    const pid = Number(await (await visit()).text());
    expect(isRunning(pid)).toBe(true);
    const [first, ...more] = signals;
    run.child.kill(first);
    if (more.length > 0) await run.printed(/(tunnel Disconnected)/);
    for (const signal of more) run.child.kill(signal);
    expect(await run.code).toBe(code);
    expect(isRunning(pid)).toBe(false);
    await waitUntil(async () => !(await accepts('127.0.0.1', Number(new URL(url).port))), 'the port is free');
    expect(readdirSync(temp)).toEqual([]);
  });
});

describe('expose demo', () => {
  it('with --json prints nothing but a state a line, up to the end', async () => {
    const demo = new Cli(['demo', '--json']);
    await demo.printed(/("phase":"live")/);
    const states = () =>
      demo.out
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as { preview_url: string | null });
    const { url, visit } = await click(states().findLast(state => state.preview_url)?.preview_url ?? '');
    expect(await (await visit()).text()).toContain('<!doctype html>');
    demo.child.kill('SIGINT');
    expect(await demo.code).toBe(0);
    expect(states().at(-1)).toMatchObject({
      status: 'Disconnected',
      exposure: { phase: 'ended', reason: 'job ended' },
    });
    expect(await accepts('127.0.0.1', Number(new URL(url).port))).toBe(false);
    expect(readdirSync(temp)).toEqual([]);
  });
});
