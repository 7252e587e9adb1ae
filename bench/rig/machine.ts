// Reads what a result depends on: the machine, the programs' versions and the machine's load. Used by main.ts.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import type { Machine, Versions } from '../results.ts';
import { PROGRAMS } from './programs.ts';

/** The machine is busy if its load average of the last minute is above this. */
export const MAX_LOAD = 0.3;

export function readLoad(): number {
  return loadavg()[0] ?? 0;
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
    commit: firstMatch('git', ['rev-parse', '--short', 'HEAD'], /[0-9a-f]+/),
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
