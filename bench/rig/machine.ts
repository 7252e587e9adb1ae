// What a result depends on: the machine, the versions, and whether anything else was running. Used by main.ts.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import type { Machine, Versions } from '../results.ts';
import { PROGRAMS } from './programs.ts';

/** Mean number of processes that want to run, over the last minute, above which the machine is busy. */
export const MAX_LOAD = 0.3;

export function readLoad(): number {
  return loadavg()[0] ?? 0;
}

/** Names of machines and users stay out of it. */
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
    commit: firstMatch('git', ['rev-parse', '--short', 'HEAD'], /[0-9a-f]+/),
    node: process.versions.node,
    bore: firstMatch(PROGRAMS.bore, ['--version'], /[\d.]+/),
    wasmrun: firstMatch(PROGRAMS.wasmrun, ['--version'], /\d+\.\d+\.\d+/),
    wrk: firstMatch('wrk', ['-v'], /\d+\.\d+\.\d+/),
    iperf3: firstMatch('iperf3', ['--version'], /\d+\.\d+/),
    go: firstMatch('go', ['version'], /\d+\.\d+(\.\d+)?/),
  };
}

function firstMatch(command: string, args: readonly string[], pattern: RegExp): string {
  try {
    const text = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return pattern.exec(text)?.[0] ?? 'unknown';
  } catch (error) {
    // wrk shows its version and its usage, and fails.
    const { stdout } = error as { stdout?: string };
    return pattern.exec(stdout ?? '')?.[0] ?? 'not installed';
  }
}
