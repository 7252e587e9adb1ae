// The interface of a benchmark case: its input, its result. Implemented in cases/, used by main.ts.

import type { Curve, Row } from './results.ts';

export interface Bench {
  /** How many rounds a comparison takes. Each measures A B C C B A. */
  rounds: number;
  /** How often an outage is repeated. */
  runs: number;
  /** Everything as short as possible, to check that the benchmark works. The figures mean nothing. */
  quick: boolean;
  /** Run `src/cli.ts` instead of the bundle in dist. */
  fromSource: boolean;
  /** How long B15 runs. */
  soakMinutes: number;
  /** B15 sends as many visits as it can. */
  crowd: boolean;
  /** Prints one line to the terminal. */
  log(line: string): void;
}

export interface Findings {
  rows: Row[];
  /** Sentences that explain the rows; printed below them. */
  notes?: string[];
  curves?: Curve[];
}

export interface Case {
  /** `B1` to `B21`; also the name of its result file. */
  id: string;
  title: string;
  /** About how long it takes. */
  minutes(bench: Bench): number;
  run(bench: Bench): Promise<Findings>;
}

/** How many seconds one measurement takes: as asked, or 1 with `quick`. */
export function chooseSeconds(bench: Bench, seconds: number): number {
  return bench.quick ? 1 : seconds;
}

/**
 * Seconds of load on each tunnel before its first round. Node.js compiles only busy code, and earlier rounds would
 * measure code that is not compiled yet.
 */
export const WARM_UP_SECONDS = 4;
