// The figures of the simulator, in results.json. Written by main.ts, read by report.ts and plot.ts.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { quantile } from '../statistics.ts';

const FILE = join(import.meta.dirname, 'results.json');

export interface Row {
  what: string;
  value: number | string;
  unit: string;
}

export interface Section {
  /** The key in the file, such as `all-killed`. */
  id: string;
  title: string;
  rows: readonly Row[];
  /** Set if previews were interrupted. */
  returns?: Returns;
  /** Set if there were visitors all the time. */
  visitors?: Visitors;
}

/** What the visitors saw. An outage of a preview's own server explains a failure; the others are counted here. */
export interface Visitors {
  visits: number;
  failed: number;
  /** WebSockets at the end of the section, with those that were cut. */
  webSockets: number;
  cut: number;
}

export interface Returns {
  /** How many previews were interrupted. */
  previews: number;
  /** How many had another URL afterwards. */
  moved: number;
  /** Seconds until the first good visit: one for each preview, or for those that were watched. */
  seconds: readonly number[];
  /** Where the seconds begin: when the server (or the link) worked again, or when it was lost. */
  since: 'return' | 'loss';
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

/** Replaces sections of the same id, keeps the others, and stores all. */
export function writeResults(fresh: Results): Results {
  const old = readResults()?.sections ?? [];
  const find = (list: readonly Section[], id: string) => list.find(section => section.id === id);
  const sections = [
    ...old.map(section => find(fresh.sections, section.id) ?? section),
    ...fresh.sections.filter(({ id }) => find(old, id) === undefined),
  ];
  const results = { ...fresh, sections };
  writeFileSync(FILE, `${renderJson(results)}\n`);
  return results;
}

/** A list of numbers is one line. */
function renderJson(results: Results): string {
  const text = JSON.stringify(results, null, 1);
  return text.replaceAll(/\[[\s\d.,]+\]/g, list => list.replaceAll(/\s+/g, ' '));
}

/** Median, 95th percentile and maximum of times in milliseconds, as seconds. */
export function describeTimes(what: string, samples: readonly number[]): Row {
  return { what, value: renderTimes(samples.map(ms => ms / 1_000)), unit: 's' };
}

/** `0.41 / 0.55 / 1.02`: median, 95th percentile and maximum. */
export function renderTimes(seconds: readonly number[]): string {
  return [0.5, 0.95, 1].map(share => renderSeconds(quantile(seconds, share))).join(' / ');
}

export function renderSeconds(seconds: number): string {
  return seconds.toFixed(seconds < 10 ? 2 : 1);
}
