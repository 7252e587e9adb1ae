// What a benchmark found, as it lies in bench/results: one file for each case. Written by main.ts, read by the report
// and the plot.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median, quantile } from './statistics.ts';

/** One figure and, where there is one, its target. */
export interface Row {
  /** What was measured, like `raw, 600 MB down`. */
  what: string;
  /** One for each round or run. */
  samples: readonly number[];
  /** Of the samples: `×` for a ratio ours/peer, else of the figure itself. */
  unit: '×' | 'ms' | 's' | 'MB' | 'KB' | 'MB/h' | 'µs' | 'requests/s' | '';
  /** Which of the samples' figures counts. */
  take: 'median' | 'p95' | 'worst';
  better: 'higher' | 'lower';
  /** What it has to be at least, or at most. */
  reach?: number;
  /** What it should be, beyond what it must. */
  goal?: number;
  /** The other side of a ratio. */
  peer?: 'bore local' | 'wasmrun' | 'browser host';
  /** Medians of what was divided. */
  absolute?: { ours: number; peer: number; unit: string };
  /** Medians of the processor time. */
  cpu?: { ours: number; peer?: number; unit: string };
}

export interface Machine {
  cores: number;
  processor: string;
  memoryGb: number;
  kernel: string;
}

export type Versions = Readonly<
  Record<'expose' | 'commit' | 'node' | 'bore' | 'wasmrun' | 'wrk' | 'iperf3' | 'go', string>
>;

export interface CaseResult {
  id: string;
  /** When it ended (ISO 8601). */
  date: string;
  /** How long it took. */
  seconds: number;
  rounds: number;
  /** Shortened for trying out: says nothing. */
  quick: boolean;
  /** Mean load of the machine in the minute before the start; `busy` where that was over the limit and overridden. */
  load: number;
  busy: boolean;
  /** What ran: the bundle that ships, or the sources. */
  source: 'dist' | 'src';
  machine: Machine;
  versions: Versions;
  rows: readonly Row[];
  /** What has to be known to read the rows. */
  notes: readonly string[];
}

/** The one number a row is judged by. */
export function judge(row: Row): number {
  if (row.take === 'median') return median(row.samples);
  const worseEnd = row.better === 'lower' ? 1 : 0;
  return quantile(row.samples, row.take === 'worst' ? worseEnd : Math.abs(worseEnd - 0.05));
}

/**
 * How good a row is against its target: 1 is exactly met, 1.1 is better by a tenth, whichever way the figure counts.
 * Undefined without a target.
 */
export function scoreOf(row: Row): number | undefined {
  if (row.reach === undefined) return undefined;
  return score(judge(row), row.reach, row.better);
}

export function score(value: number, reach: number, better: Row['better']): number {
  if (better === 'higher') return value / reach;
  // Nothing at all is as good as it gets, and where nothing is allowed, anything is as bad as it gets.
  if (reach === 0) return value <= 0 ? 1 : 0;
  return value <= 0 ? Number.POSITIVE_INFINITY : reach / value;
}

export function writeResult(folder: string, result: CaseResult): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${result.id}.json`), `${JSON.stringify(roundNumbers(result), null, 2)}\n`);
}

/** All results, in the order of the cases' numbers. */
export function readResults(folder: string): CaseResult[] {
  mkdirSync(folder, { recursive: true });
  return readdirSync(folder)
    .filter(name => /^B\d+\.json$/.test(name))
    .map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')) as CaseResult)
    .sort((a, b) => numberOf(a) - numberOf(b));
}

function numberOf(result: CaseResult): number {
  return Number(result.id.slice(1));
}

/** Four digits are more than any of these figures is worth. */
function roundNumbers(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? value : Number(value.toPrecision(4));
  if (Array.isArray(value)) return value.map(roundNumbers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, roundNumbers(inner)]));
}
