// `expose demo` from dist, in a temp folder of its own, and a look at what it has left. Used by test/demo/.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { listProcesses } from '../../src/shared/processes.ts';
import { waitUntil } from './wait-until.ts';

const CLI = resolve('dist/cli/index.js');
/** It starts six processes one after another, beside other tests. */
const START_MS = 45_000;

export class DemoProcess {
  readonly temp = mkdtempSync(join(tmpdir(), 'demo-'));
  readonly child: ChildProcess;
  /** Resolves with its exit code, or its signal. */
  readonly ended: Promise<number | string>;
  out = '';
  err = '';

  /** `onFinished`: of the test's own context, if it runs beside others. */
  constructor(
    args: readonly string[] = ['--web'],
    onFinished: typeof onTestFinished = onTestFinished,
    environment: Record<string, string> = {},
  ) {
    this.child = spawn(process.execPath, [CLI, 'demo', ...args], {
      env: { ...process.env, TMPDIR: this.temp, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', text => {
      this.out += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', text => {
      this.err += text;
    });
    this.ended = new Promise(done =>
      this.child.once('close', (code, signal) => done(signal ?? code ?? 'unknown')),
    );
    onFinished(async () => {
      this.child.kill('SIGKILL');
      await waitUntil(() => this.processes().length === 0, 'the demo is gone');
      rmSync(this.temp, { recursive: true, force: true });
    });
  }

  /** The link of that name. */
  async link(name: 'pull request' | 'preview' | 'inspector'): Promise<string> {
    return (await this.printed(new RegExp(`^ {2}${name} +(http:\\S+)$`, 'm')))[1] ?? '';
  }

  /** Resolves with the match as soon as it has printed it; rejects if it ends before. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const { child } = this;
    const isOver = () => pattern.test(this.out) || child.exitCode !== null || child.signalCode !== null;
    await waitUntil(isOver, `${pattern} is printed`, START_MS).catch(() => {});
    const found = pattern.exec(this.out);
    if (found === null) throw new Error(`it has not printed ${pattern}:\n${this.out}${this.err}`);
    return found;
  }

  /** The command lines of all that runs in its temp folder, or was started by what does. */
  processes(): string[] {
    return listProcesses().flatMap(pid => {
      const read = (file: string) => {
        try {
          return readFileSync(`/proc/${pid}/${file}`, 'latin1').replaceAll('\0', ' ');
        } catch {
          return '';
        }
      };
      return pid !== process.pid && read('environ').includes(this.temp) ? [read('cmdline')] : [];
    });
  }

  /** What is left of its files. */
  files(): string[] {
    return readdirSync(this.temp, { recursive: true, encoding: 'utf8' });
  }
}
