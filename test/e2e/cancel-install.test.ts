// A run that is cancelled while wasmrun is still being built: what was begun ends, and its folders go. cargo is a
// stand-in that builds for ever and leaves files in its build folder, as the real one does.

import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isRunning } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createPreview } from './job-rig.ts';

const PROGRAM = `require('node:http').createServer((_, response) => response.end('hi')).listen(3000);`;

/** A PATH with it, and where it writes its process id. */
function installCargo(): { path: string; pid: () => number } {
  const folder = mkdtempSync(join(tmpdir(), 'cargo-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const note = join(folder, 'pid');
  const script = `#!/bin/sh
mkdir -p "$CARGO_TARGET_DIR/release"
echo half > "$CARGO_TARGET_DIR/release/wasmrun"
trap '' TERM
sleep 300 &
echo $$ > '${note}.new' && mv '${note}.new' '${note}'
wait
wait
`;
  writeFileSync(join(folder, 'cargo'), script);
  chmodSync(join(folder, 'cargo'), 0o755);
  return {
    path: `${folder}:${dirname(process.execPath)}:/usr/bin:/bin`,
    pid: () => (existsSync(note) ? Number(readFileSync(note, 'utf8')) : 0),
  };
}

/** Every file and folder in it that is not an empty place of the tool cache. */
const listFiles = (folder: string) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => /installing|build/.test(name))
    : [];

describe.skipIf(process.platform === 'win32')('an installation', () => {
  it.each(['SIGINT', 'SIGKILL'] as const)(
    'that %s breaks off in a job leaves nothing behind',
    async signal => {
      const cargo = installCargo();
      const { job, titles, find, processes } = await createPreview(
        { mode: 'os', hold: '5m' },
        { 'index.js': PROGRAM },
        { PATH: cargo.path, EXPOSE_WASMRUN_RELEASES_URL: 'http://127.0.0.1:9/releases' },
      );
      job.start();
      await waitUntil(() => cargo.pid() > 0, 'cargo runs');
      // From this record post ends it if main is killed. On a busy machine cargo may run before main gets to write it.
      await waitUntil(() => processes().some(({ role }) => role === 'cargo'), 'cargo is on record');
      expect(find('cargo').pid).toBe(cargo.pid());
      const began = performance.now();
      job.signal(signal);
      await job.finished();
      if (signal === 'SIGINT') expect(performance.now() - began).toBeLessThan(5_000);
      expect((await job.post()).code).toBe(0);
      await waitUntil(() => !isRunning(cargo.pid()), 'cargo is gone');
      expect([readdirSync(job.temp), listFiles(job.folder)]).toEqual([[], []]);
      // There was no preview to speak of.
      expect(titles()).toEqual([]);
    },
  );

  it('leaves nothing behind on a laptop when Ctrl-C ends it', async () => {
    const cargo = installCargo();
    const home = mkdtempSync(join(tmpdir(), 'home-'));
    onTestFinished(() => rmSync(home, { recursive: true }));
    mkdirSync(join(home, 'app'));
    writeFileSync(join(home, 'app', 'index.js'), PROGRAM);
    const args = ['run', join(home, 'app'), '--mode', 'os', '--server', '127.0.0.1'];
    const child = spawn(process.execPath, [resolve('dist/cli/index.js'), ...args], {
      env: {
        PATH: cargo.path,
        HOME: home,
        TMPDIR: home,
        EXPOSE_WASMRUN_RELEASES_URL: 'http://127.0.0.1:9/releases',
      },
      stdio: 'ignore',
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    await waitUntil(() => cargo.pid() > 0, 'cargo runs');
    child.kill('SIGINT');
    await waitUntil(() => child.exitCode !== null, 'it ends');
    expect(child.exitCode).toBe(130);
    await waitUntil(() => !isRunning(cargo.pid()), 'cargo is gone');
    expect(listFiles(home)).toEqual([]);
  });
});
