// The results in bench/results, one JSON file for each case. Written by main.ts, read by report.ts and plot.ts.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median, quantile } from './statistics.ts';

/** One figure and its target, if it has one. */
export interface Row {
  /** What was measured, such as `raw, 600 MB down`. */
  what: string;
  /** One for each round or run. */
  samples: readonly number[];
  /** The unit of the samples: `×` if they are ratios ours ÷ peer. */
  unit: '×' | 'ms' | 's' | 'MB' | 'KB' | 'MB/h' | 'µs' | 'requests/s' | '';
  /** How the samples become one figure; with `p95`, 95 % of the samples are at least as good. */
  take: 'median' | 'p95' | 'worst';
  better: 'higher' | 'lower';
  /** The target: at least this if higher is better, at most this if lower is better. */
  reach?: number;
  /** A more ambitious value than the target. It is only shown. */
  goal?: number;
  /** What a ratio divides by. */
  peer?: 'bore local' | 'bore local with Caddy' | 'wasmrun' | 'rathole' | 'browser host';
  /** The medians of the two figures that a ratio divides. */
  absolute?: { ours: number; peer: number; unit: string };
  /** The medians of the processor time. */
  cpu?: { ours: number; peer?: number; unit: string };
}

/** How some figures change with a number. Shown as a table. */
export interface Curve {
  /** What is counted, such as `visitors`. */
  of: string;
  /** The names of the figures, with their units. */
  figures: readonly string[];
  points: readonly { at: number; values: readonly number[] }[];
}

export interface Machine {
  cores: number;
  processor: string;
  memoryGb: number;
  kernel: string;
}

export type Versions = Readonly<
  Record<
    'expose' | 'commit' | 'node' | 'bore' | 'wasmrun' | 'rathole' | 'caddy' | 'wrk' | 'iperf3' | 'go',
    string
  >
>;

export interface CaseResult {
  id: string;
  /** When it ended (ISO 8601). */
  date: string;
  /** How long the case took. */
  seconds: number;
  rounds: number;
  /** Run with `--quick`: the figures mean nothing. */
  quick: boolean;
  /** How many cores other programs kept busy right before the start. */
  load: number;
  /** The load was above the limit, and the run was started with `--busy`. */
  busy: boolean;
  /** What ran: the bundles in dist, or the sources. */
  source: 'dist' | 'src';
  machine: Machine;
  versions: Versions;
  rows: readonly Row[];
  /** Sentences that explain the rows. */
  notes: readonly string[];
  curves?: readonly Curve[];
}

/** The row's figure: the one number that is compared with the target. */
export function computeFigure(row: Row): number {
  if (row.take === 'median') return median(row.samples);
  const worseEnd = row.better === 'lower' ? 1 : 0;
  return quantile(row.samples, row.take === 'worst' ? worseEnd : Math.abs(worseEnd - 0.05));
}

/**
 * How good a row's figure is, compared with its target: 1 meets the target exactly, and more is better, whether the
 * figure should be high or low. Undefined without a target.
 */
export function scoreRow(row: Row): number | undefined {
  if (row.reach === undefined) return undefined;
  return scoreValue(computeFigure(row), row.reach, row.better);
}

export function scoreValue(value: number, reach: number, better: Row['better']): number {
  if (better === 'higher') return value / reach;
  // The ratio cannot be computed with a zero: a figure of 0 is perfect, and a target of 0 is either met or not.
  if (reach === 0) return value <= 0 ? 1 : 0;
  return value <= 0 ? Number.POSITIVE_INFINITY : reach / value;
}

export function writeResult(folder: string, result: CaseResult): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${result.id}.json`), `${JSON.stringify(roundNumbers(result), null, 2)}\n`);
}

/** Reads all results, in the order of the cases' numbers. */
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

/** Rounds every number to four digits. No figure is more precise than that. */
function roundNumbers(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? value : Number(value.toPrecision(4));
  if (Array.isArray(value)) return value.map(roundNumbers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, roundNumbers(inner)]));
}
