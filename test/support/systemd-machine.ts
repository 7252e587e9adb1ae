// A machine with a systemd of its own as PID 1, for the tests of units: they are started, killed and restarted by the real
// one. Root only; it changes nothing of the machine that runs the tests.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { Machine } from './machines.ts';
import { requirePart } from './real-parts.ts';

/** Long: it only stops a test that hangs. */
const COMMAND_DEADLINE_MS = 60_000;

export interface SystemdMachine {
  /** Runs a line of bash on the machine, where only loopback is up. Both outputs are in `output`. */
  run(line: string): Promise<{ code: number | null; output: string }>;
  /** Kills everything on it. May be called twice. */
  stop(): Promise<void>;
}

/** A file of the machine, by its path there: a copy of a file or folder of ours, or a text that only root may read. */
export type MachineFiles = Readonly<Record<string, { readonly from: string } | { readonly text: string }>>;

/**
 * Resolves when systemd has started, which takes about a second. `on` gives it the network, the name and the files of one
 * of the machines of machines.ts.
 */
export async function bootSystemd(files: MachineFiles, on?: Machine): Promise<SystemdMachine> {
  const folder = await mkdtemp(join(tmpdir(), 'systemd-files-'));
  await chmod(folder, 0o755);
  for (const [path, content] of Object.entries(files)) await place(join(folder, path), content);
  const child = startBoot(folder, on);
  const exited = once(child, 'exit').catch(() => {});
  const complaints = text(child.stderr);
  const stop = async () => {
    child.stdin.end();
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  child.stdin.on('error', () => {}); // its end is seen on stdout
  const { value: line = '' } = await createInterface(child.stdout)[Symbol.asyncIterator]().next();
  const pid = /^ready (\d+)$/.exec(line)?.[1];
  if (pid === undefined) {
    await stop();
    throw new Error(`systemd did not start: ${await complaints}`);
  }
  return { run: bash => runInside(pid, bash), stop };
}

function startBoot(folder: string, on: Machine | undefined): ChildProcessWithoutNullStreams {
  const [command, ...args] = [requirePart('systemd'), folder];
  if (on === undefined) return spawn(command, args, { stdio: 'pipe' });
  const env = { ...process.env, KEEP_NETWORK: '1' };
  return spawn('nsenter', [`--target=${on.pid}`, '--mount', '--net', '--uts', command, ...args], {
    env,
    stdio: 'pipe',
  });
}

async function place(path: string, content: MachineFiles[string]): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  if ('from' in content) await cp(content.from, path, { recursive: true });
  else await writeFile(path, content.text, { mode: 0o600 });
}

async function runInside(pid: string, line: string): ReturnType<SystemdMachine['run']> {
  const namespaces = ['--mount', '--net', '--pid', '--uts', '--ipc', '--cgroup'];
  const args = [`--target=${pid}`, ...namespaces, '--wd=/', 'bash', '-c', line];
  const child = spawn('nsenter', args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: COMMAND_DEADLINE_MS,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', chunk => {
      output += String(chunk);
    });
  const [code] = await once(child, 'close');
  return { code, output: output.trimEnd() };
}
