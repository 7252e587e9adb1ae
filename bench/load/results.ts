// The figures of the simulator, in results.json. Written by main.ts, read by report.ts and plot.ts.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { quantile } from '../statistics.ts';

const FILE = join(import.meta.dirname, 'results.json');

export interface Row {
  what: string;
  /** Empty or `–` is never a figure: a text says what happened. */
  value: number | string;
  unit: string;
}

export interface Section {
  /** Such as `three-killed`; the key in the file. */
  id: string;
  title: string;
  rows: readonly Row[];
  /** For each preview: seconds from the server's return (or its loss) to the first good visit. For the plot. */
  curve?: readonly number[];
}

export interface Results {
  /** When the last section was measured (ISO 8601). */
  date: string;
  /** Sentences about machine and versions. */
  conditions: string;
  sections: readonly Section[];
}

export function readResults(): Results | undefined {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Results) : undefined;
}

/** Replaces sections of the same id and keeps the others. */
export function writeResults(fresh: Results): Results {
  const kept = readResults()?.sections.filter(({ id }) => !fresh.sections.some(one => one.id === id)) ?? [];
  const results = { ...fresh, sections: [...kept, ...fresh.sections] };
  writeFileSync(FILE, `${JSON.stringify(results, null, 1)}\n`);
  return results;
}

/** Median, p95 and maximum of times in milliseconds, in seconds. */
export function describeTimes(what: string, samples: readonly number[]): Row {
  const [median = 0, most = 0, worst = 0] = [0.5, 0.95, 1].map(share => quantile(samples, share) / 1_000);
  const show = (seconds: number) => seconds.toFixed(seconds < 10 ? 2 : 1);
  return { what, value: `${show(median)} / ${show(most)} / ${show(worst)}`, unit: 's' };
}
