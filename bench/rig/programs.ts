// The paths of the programs a benchmark runs: those that scripts/install-real-parts installed, and two small programs
// in Go that are built into the same cache folder. Used by the rig and main.ts.

import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { runProgram } from './process.ts';

const BENCH = resolve(import.meta.dirname, '..');
const CACHE =
  process.env.EXPOSE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'expose-action');
const BIN = join(CACHE, 'bin');
const BUILD_LIMIT_MS = 180_000;

export const PROGRAMS = {
  bore: join(BIN, 'bore'),
  wasmrun: join(BIN, 'wasmrun'),
  rathole: join(BIN, 'rathole'),
  app: join(BIN, 'bench-app'),
  visitor: join(BIN, 'bench-visitor'),
  /** The `expose` command, as a committed bundle. */
  expose: resolve(BENCH, '../dist/cli/index.js'),
  exposeSource: resolve(BENCH, '../src/cli.ts'),
  /** The background process of a job. */
  supervisor: resolve(BENCH, '../dist/supervisor/index.js'),
  supervisorSource: resolve(BENCH, '../src/supervisor.ts'),
} as const;

/** Builds the two Go programs. Go caches its builds, so only the first takes long. */
export async function buildPrograms(): Promise<void> {
  mkdirSync(BIN, { recursive: true });
  for (const [folder, output] of [
    ['./app', PROGRAMS.app],
    ['./visitor', PROGRAMS.visitor],
  ] as const)
    await runProgram('go', ['build', '-trimpath', '-o', output, folder], {
      cwd: BENCH,
      limitMs: BUILD_LIMIT_MS,
    });
}
