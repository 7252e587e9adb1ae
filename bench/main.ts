// The entry of `npm run bench`: prints the plan, runs the cases, saves each result, and writes the report of all
// results.

import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench, Case } from './case.ts';
import { CASES } from './cases.ts';
import { type Options, parseOptions, USAGE } from './options.ts';
import { renderPlot } from './plot.ts';
import { readMisses, renderCase, renderReport } from './report.ts';
import { type CaseResult, readResults, writeResult } from './results.ts';
import { describeMachine, MAX_LOAD, readLoad, readVersions } from './rig/machine.ts';
import { killAll } from './rig/process.ts';
import { buildPrograms } from './rig/programs.ts';

const HERE = import.meta.dirname;
const RESULTS = join(HERE, 'results');
/** Git ignores this folder. */
const QUICK_RESULTS = resolve(HERE, '../build/bench');
/** Takes an hour, so it runs only if it is named on the command line. */
const SOAK = 'B15';
const QUIET_LIMIT_MS = 15 * 60_000;

const print = (line: string) => process.stdout.write(`${line}\n`);

async function run(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) return void print(USAGE);
  const options = parseOptions(
    args,
    CASES.map(({ id }) => id),
  );
  const bench: Bench = { ...options, log: line => print(`  ${line}`) };
  if (!options.render) {
    const chosen = chooseCases(options);
    printPlan(chosen, bench);
    if (options.plan) return;
    // First, because a build raises the load. Go builds only what has changed.
    await buildPrograms();
    if (options.wait) await waitForQuietMachine();
    const load = readLoad();
    refuseWhenBusy(load, options);
    await runCases(chosen, bench, options, load);
  }
  if (!options.quick) render();
}

function chooseCases(options: Options): Case[] {
  if (options.names.length > 0) return CASES.filter(({ id }) => options.names.includes(id));
  const measured = options.fresh || options.quick ? [] : readResults(RESULTS).map(({ id }) => id);
  return CASES.filter(({ id }) => id !== SOAK && !measured.includes(id));
}

function printPlan(chosen: readonly Case[], bench: Bench): void {
  for (const one of chosen)
    print(`${one.id.padEnd(4)} ${one.minutes(bench).toFixed(1).padStart(5)} min  ${one.title}`);
  const total = chosen.reduce((sum, one) => sum + one.minutes(bench), 0);
  print(chosen.length === 0 ? 'nothing to run: every case has a result (--fresh runs them again)' : '');
  if (chosen.length > 0)
    print(`about ${total.toFixed(0)} minutes in total; each case's result is saved when the case ends\n`);
}

/** Resolves when the machine is quiet, or after 15 minutes. */
async function waitForQuietMachine(): Promise<void> {
  for (
    const deadline = performance.now() + QUIET_LIMIT_MS;
    performance.now() < deadline;
    await delay(5_000)
  ) {
    if (readLoad() <= MAX_LOAD) return;
  }
}

function refuseWhenBusy(load: number, options: Options): void {
  if (load <= MAX_LOAD || options.busy) return;
  throw new Error(
    `the machine is busy: its load over the last minute was ${load.toFixed(2)}, and the limit is ${MAX_LOAD}; ` +
      'wait until it is quiet (--wait does that), or start anyway with --busy',
  );
}

/** If a case fails, the others still run, and the exit code is 1. */
async function runCases(
  chosen: readonly Case[],
  bench: Bench,
  options: Options,
  load: number,
): Promise<void> {
  for (const one of chosen) {
    print(`${one.id}  ${one.title}`);
    const began = performance.now();
    try {
      const { rows, notes = [] } = await one.run(bench);
      const result: CaseResult = {
        id: one.id,
        date: new Date().toISOString(),
        seconds: (performance.now() - began) / 1_000,
        ...{ rounds: options.rounds, quick: options.quick, load, busy: load > MAX_LOAD },
        source: options.fromSource ? 'src' : 'dist',
        ...{ machine: describeMachine(), versions: readVersions(), rows, notes },
      };
      writeResult(options.quick ? QUICK_RESULTS : RESULTS, result);
      print(`${renderCase(result)}\n`);
    } catch (error) {
      print(`  failed: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exitCode = 1;
    } finally {
      killAll();
    }
  }
}

function render(): void {
  const results = readResults(RESULTS);
  const titles = new Map(CASES.map(({ id, title }) => [id, title]));
  writeFileSync(join(HERE, 'RESULTS.md'), renderReport(results, titles, readMisses(join(HERE, 'misses.md'))));
  writeFileSync(join(HERE, 'ratios.svg'), renderPlot(results, titles));
  print('bench/RESULTS.md and bench/ratios.svg are up to date');
}

// An interrupted run exits like a finished one, so that `exit` handlers end the programs it started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
void run(process.argv.slice(2)).catch(error => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
