// The entry of `npm run bench`: prints the plan, runs the cases, saves each result, and writes the report of all
// results.

import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Bench, Case, Findings } from './case.ts';
import { CASES } from './cases.ts';
import { type Options, parseOptions, USAGE } from './options.ts';
import { renderPlot } from './plot.ts';
import { readMisses, renderCase, renderReport } from './report.ts';
import { type CaseResult, readResults, writeResult } from './results.ts';
import { awaitQuietMachine, describeMachine, MAX_BUSY_CORES, readVersions } from './rig/machine.ts';
import { killAll } from './rig/process.ts';
import { buildPrograms } from './rig/programs.ts';

const HERE = import.meta.dirname;
const RESULTS = join(HERE, 'results');
/** Git ignores this folder. */
const QUICK_RESULTS = resolve(HERE, '../build/bench');
/** Takes an hour, so it runs only if it is named on the command line. */
const SOAK = 'B15';
/** How long `--wait` waits before each case. */
const WAIT_LIMIT_MS = 15 * 60_000;
/** Without it: how long the programs of the previous case may take to end. */
const SETTLE_LIMIT_MS = 30_000;
const MINUTE_MS = 60_000;

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
    if (!options.busy) refuseWhenBusy(await awaitQuietMachine(options.wait ? WAIT_LIMIT_MS : 0));
    await runCases(chosen, bench, options);
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

function refuseWhenBusy(load: number): void {
  if (load <= MAX_BUSY_CORES) return;
  throw new Error(
    `the machine is busy: other programs use ${load.toFixed(2)} cores, and the limit is ${MAX_BUSY_CORES}; ` +
      'wait until it is quiet (--wait does that), or start anyway with --busy',
  );
}

/** If a case fails, the others still run, and the exit code is 1. */
async function runCases(chosen: readonly Case[], bench: Bench, options: Options): Promise<void> {
  const failed: string[] = [];
  for (const one of chosen) {
    print(`${one.id}  ${one.title}`);
    try {
      const result = await runCase(one, bench, options);
      writeResult(options.quick ? QUICK_RESULTS : RESULTS, result);
      print(`${renderCase(result)}\n`);
    } catch (error) {
      print(`  failed: ${error instanceof Error ? error.stack : String(error)}\n`);
      failed.push(one.id);
    } finally {
      killAll();
    }
  }
  if (failed.length === 0) return;
  process.exitCode = 1;
  print(
    `${failed.length} of ${chosen.length} failed; run them again: npm run bench -- ${failed.join(' ')}\n`,
  );
}

async function runCase(one: Case, bench: Bench, options: Options): Promise<CaseResult> {
  const load = await awaitQuietMachine(options.busy ? 0 : options.wait ? WAIT_LIMIT_MS : SETTLE_LIMIT_MS);
  if (!options.busy) refuseWhenBusy(load);
  const began = performance.now();
  const { rows, notes = [], curves = [] } = await limitTime(one, bench);
  return {
    id: one.id,
    date: new Date().toISOString(),
    seconds: (performance.now() - began) / 1_000,
    ...{ rounds: options.rounds, quick: options.quick, load, busy: load > MAX_BUSY_CORES },
    source: options.fromSource ? 'src' : 'dist',
    ...{ machine: describeMachine(), versions: readVersions(), rows, notes, curves },
  };
}

/** Rejects if a case takes three times as long as planned, and ten minutes at least. */
async function limitTime(one: Case, bench: Bench): Promise<Findings> {
  const limit = Math.max(10, 3 * one.minutes(bench));
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`it was not over after ${limit.toFixed(0)} minutes`)),
    limit * MINUTE_MS,
  );
  try {
    return await Promise.race([one.run(bench), late]);
  } finally {
    clearTimeout(timer);
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
// What a failed case leaves behind must not end the cases after it.
process.on('unhandledRejection', error => print(`  after a failure: ${String(error)}`));
void run(process.argv.slice(2)).catch(error => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
