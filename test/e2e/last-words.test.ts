// A preview that cannot write: the disk is full, a folder cannot be removed, a terminal or a pipe is gone. It goes on
// or ends as it should, the comment stays correct, and signals keep working. Driven through the built bundles.

import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { isRunning } from '../support/running.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { ask, awaitGone, createPreview, goLive, type Preview, SECRET, startHold } from './job-rig.ts';

const CLI = resolve('dist/cli/index.js');
const SERVER = `require('node:http').createServer((request, response) => {
  if (request.url === '/say') console.log('x'.repeat(200));
  if (request.url === '/die') process.exit(1);
  response.end('hi');
}).listen(process.env.PORT, '127.0.0.1');`;
const INPUTS = { mode: 'port', command: 'node server.js' };

/** Needs the rights of root, which CI has. */
const isRoot = process.getuid?.() === 0;

function mountSmall(folder: string, size: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
  onTestFinished(() => void execFileSync('umount', ['-l', folder]));
}

/** Writes until there is no room for another byte. */
function fill(folder: string): void {
  const file = openSync(join(folder, 'fill'), 'a');
  try {
    for (;;) writeSync(file, Buffer.alloc(256));
  } catch {
    closeSync(file);
  }
}

async function end({ job, processes }: Preview): Promise<string> {
  const records = processes();
  const { code, log } = await job.post();
  expect(code).toBe(0);
  await awaitGone(records);
  return log;
}

describeWithReal(['bore'], 'a preview', () => {
  it.skipIf(!isRoot)(
    'on a full disk goes on, reports that its log is incomplete, and ends well',
    async () => {
      const host = '127.0.1.91';
      await startRealServer(host, { secret: SECRET });
      const preview = await createPreview({ ...INPUTS, server: host }, { 'server.js': SERVER });
      mountSmall(preview.job.temp, '1m');
      const url = await goLive(preview);
      fill(preview.job.temp);
      for (let count = 0; count < 40; count += 1) {
        fill(preview.job.temp);
        expect(await ask(`${url}/say`)).toBe('hi');
      }
      expect(await ask(url)).toBe('hi');
      const comment = () => preview.github.state.comments[0]?.body ?? '';
      await waitUntil(
        () => comment().includes('the log of the preview is incomplete'),
        'the comment says so',
      );
      const log = await end(preview);
      expect(log).toMatch(/^::warning::the log of the preview is incomplete: ENOSPC/m);
      expect(preview.titles().at(-1)).toBe('has ended');
      expect(preview.titles()).not.toContain('failed');
    },
  );

  it.skipIf(!isRoot)('ends although the disk is full by then', async () => {
    const host = '127.0.1.92';
    await startRealServer(host, { secret: SECRET });
    const inputs = { ...INPUTS, server: host, duration: '2s' };
    const preview = await createPreview(inputs, { 'server.js': SERVER });
    mountSmall(preview.job.temp, '1m');
    await goLive(preview);
    fill(preview.job.temp);
    const [supervisor] = preview.processes();
    await waitUntil(() => supervisor !== undefined && !isRunning(supervisor.pid), 'it has ended by itself');
    expect(await end(preview)).toContain('the preview has ended: duration over');
    expect(preview.titles()).toEqual(['is starting', 'is live', 'has ended']);
  });

  it('is asked for its outcome by post if it could not write it down', async () => {
    const host = '127.0.1.93';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ ...INPUTS, server: host }, { 'server.js': SERVER });
    await goLive(preview);
    // Nobody, root included, can write to a folder.
    rmSync(join(preview.folder(), 'outcome.json'));
    mkdirSync(join(preview.folder(), 'outcome.json'));
    expect(await end(preview)).toContain('the preview has ended: job ended');
    expect(preview.titles().at(-1)).toBe('has ended');
  });

  it('goes on without a journal, and says so', async () => {
    const host = '127.0.1.94';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ ...INPUTS, server: host }, { 'server.js': SERVER });
    const url = await goLive(preview);
    const records = preview.processes();
    // A folder in its place cannot be written to.
    rmSync(join(preview.folder(), 'journal'));
    mkdirSync(join(preview.folder(), 'journal'));
    await ask(`${url}/die`);
    await preview.awaitStatus(({ restarts }) => restarts > 0, 'the app is started again');
    await waitUntil(async () => (await ask(url)) === 'hi', 'and answers');
    const { log } = await preview.job.post();
    await awaitGone(records);
    expect(log).toMatch(
      /^::warning::.* could not be recorded, and would keep running if this process is killed: EISDIR/m,
    );
  });

  it.skipIf(!isRoot)('ends in time although its folder cannot be removed', async () => {
    const host = '127.0.1.95';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ ...INPUTS, server: host, hold: '2s' }, { 'server.js': SERVER });
    await startHold(preview);
    const stuck = join(preview.folder(), 'app', 'stuck');
    mkdirSync(stuck);
    mountSmall(stuck, '64k');
    const main = await preview.job.finished();
    expect([main.code, preview.titles().at(-1)]).toEqual([0, 'has ended']);
    expect(main.log).toMatch(/^::warning::.*could not be removed: EBUSY/m);
    expect(await end(preview)).toMatch(/^::warning::.*could not be removed: EBUSY/m);
    expect(preview.titles()).not.toContain('failed');
  });
});

/** `expose demo` in a temp folder of its own. */
function startDemo(args: readonly string[] = ['demo']) {
  const temp = mkdtempSync(join(tmpdir(), 'last-words-'));
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, TMPDIR: temp },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const demo = { child, temp, out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', text => {
    demo.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', text => {
    demo.err += text;
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
    rmSync(temp, { recursive: true, force: true });
  });
  return demo;
}

/** Of the process, in bytes (proc(5)). */
function readMemory(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

describe('in a terminal', () => {
  it.each([
    ['standard output', false],
    ['both outputs', true],
  ])('a preview whose reader of %s is gone goes on, and ends with Ctrl-C', async (_, both) => {
    const demo = startDemo();
    await waitUntil(() => demo.out.includes('expose-key'), 'it is live');
    const url = /http:\S+expose-key=\S+/.exec(demo.out)?.[0] ?? '';
    demo.child.stdout.destroy();
    if (both) demo.child.stderr.destroy();
    // The counters of its status are written all the time.
    for (let count = 0; count < 3; count += 1)
      expect((await fetch(url, { redirect: 'manual' })).status).toBe(303);
    demo.child.kill('SIGINT');
    await waitUntil(() => demo.child.exitCode !== null, 'it ends');
    expect(demo.child.exitCode).toBe(0);
    expect(readdirSync(demo.temp)).toEqual([]);
    if (!both) expect(demo.err).toMatch(/^warning: nobody reads standard output any more \(.*EPIPE\)/m);
  });

  it.skipIf(process.platform === 'win32')(
    'a preview ends and leaves nothing when its window is closed',
    async () => {
      const temp = mkdtempSync(join(tmpdir(), 'last-words-'));
      onTestFinished(() => rmSync(temp, { recursive: true, force: true }));
      const script = join(temp, 'window.py');
      writeFileSync(
        script,
        `import os, pty, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
shown = b''
while b'expose-key' not in shown:
    shown += os.read(terminal, 4096)
os.close(terminal)
end = time.time() + 20
while time.time() < end:
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        sys.exit(os.waitstatus_to_exitcode(status))
    time.sleep(0.05)
os.kill(pid, 9)
sys.exit(99)
`,
      );
      execFileSync('python3', [script, process.execPath, CLI, 'demo'], {
        env: { ...process.env, TMPDIR: temp },
        stdio: 'ignore',
      });
      expect(readdirSync(temp)).toEqual(['window.py']);
    },
  );
});

describeWithReal(['bore'], 'in a pipe that nobody reads', () => {
  it.skipIf(process.platform !== 'linux')('a noisy app costs little, and Ctrl-C ends it', async () => {
    const { address } = await startRealServer('127.0.1.96');
    const folder = mkdtempSync(join(tmpdir(), 'noisy-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'server.js'), SERVER);
    const noisy = startDemo([
      ...['run', folder, '--command', 'node server.js & exec yes', '--access', 'open'],
      ...['--server', address.host],
    ]);
    await waitUntil(() => /tunnel Connected · app running/.test(noisy.out), 'it is live');
    const url = /http:\/\/127\.0\.1\.96:\d+/.exec(noisy.out)?.[0] ?? '';
    noisy.child.stdout.pause();
    for (let count = 0; count < 20; count += 1) expect(await ask(url)).toBe('hi');
    expect(readMemory(noisy.child.pid ?? 0)).toBeLessThan(300 << 20);
    noisy.child.kill('SIGINT');
    await waitUntil(() => noisy.child.exitCode !== null, 'it ends');
    expect(noisy.child.exitCode).toBe(0);
  });
});
