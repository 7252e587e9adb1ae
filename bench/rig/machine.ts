// Reads what a result depends on: the machine, the programs' versions and how busy the machine is. Used by main.ts
// and load/main.ts.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Machine, Versions } from '../results.ts';
import { PROGRAMS } from './programs.ts';

/** The mean load of the last minute. */
export function readLoad(): number {
  return loadavg()[0] ?? 0;
}

/** The machine is busy if this many of its cores are. A load average would remember the previous case for minutes. */
export const MAX_BUSY_CORES = 0.3;
const BUSY_SECONDS = 3;

/** How many cores other programs keep busy, measured for three seconds. */
export async function measureBusyCores(): Promise<number> {
  const before = sumBusyMs();
  await delay(BUSY_SECONDS * 1_000);
  return (sumBusyMs() - before) / (BUSY_SECONDS * 1_000);
}

function sumBusyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

/**
 * Measures until the machine is quiet, or until `limitMs` have passed; at least once. Resolves with how many cores were
 * busy at last.
 */
export async function awaitQuietMachine(limitMs: number): Promise<number> {
  for (const deadline = performance.now() + limitMs; ; ) {
    const busyCores = await measureBusyCores();
    if (busyCores <= MAX_BUSY_CORES || performance.now() >= deadline) return busyCores;
  }
}

/** Describes the machine without its name or its user's name. */
export function describeMachine(): Machine {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release().split('-')[0] ?? '',
  };
}

export function readVersions(): Versions {
  const ours = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return {
    expose: ours.version,
    commit: describeCommit(),
    node: process.versions.node,
    bore: firstMatch(PROGRAMS.bore, ['--version'], /[\d.]+/),
    wasmrun: firstMatch(PROGRAMS.wasmrun, ['--version'], /\d+\.\d+\.\d+/),
    rathole: firstMatch(PROGRAMS.rathole, ['--version'], /\d+\.\d+\.\d+$/m),
    caddy: firstMatch('caddy', ['version'], /[\d.]+/),
    wrk: firstMatch('wrk', ['-v'], /\d+\.\d+\.\d+/),
    iperf3: firstMatch('iperf3', ['--version'], /\d+\.\d+/),
    go: firstMatch('go', ['version'], /\d+\.\d+(\.\d+)?/),
  };
}

const PROJECT = resolve(import.meta.dirname, '../..');
/** What a result depends on: the commits of other files do not change it. */
const PRODUCT = ['src', 'dist', 'package-lock.json'];

/** The last commit that changed the product, marked if files of the product differ from it. */
function describeCommit(): string {
  const commit = firstMatch(
    'git',
    ['-C', PROJECT, 'log', '-1', '--format=%h', '--', ...PRODUCT],
    /[0-9a-f]+/,
  );
  const changes = firstMatch('git', ['-C', PROJECT, 'status', '--porcelain', '--', ...PRODUCT], /\S/);
  return changes === 'unknown' ? commit : `${commit} with changes`;
}

function firstMatch(command: string, args: readonly string[], pattern: RegExp): string {
  try {
    const text = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return pattern.exec(text)?.[0] ?? 'unknown';
  } catch (error) {
    // wrk prints its version and its usage, and exits with an error.
    const { stdout } = error as { stdout?: string };
    return pattern.exec(stdout ?? '')?.[0] ?? 'not installed';
  }
}
