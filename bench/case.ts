// What a case is, and what it is given. Implemented by bench/cases, run by main.ts.

import type { Row } from './results.ts';

export interface Bench {
  /** Rounds A B C C B A of a comparison. */
  rounds: number;
  /** Repetitions where there is nothing to alternate with: starts, outages. */
  runs: number;
  /** Everything as short as it can be: for trying out, not for figures. */
  quick: boolean;
  fromSource: boolean;
  /** Length of the soak. */
  soakMinutes: number;
  /** One line for whoever watches. */
  say(line: string): void;
}

export interface Findings {
  rows: Row[];
  notes?: string[];
}

export interface Case {
  id: string;
  title: string;
  /** How long it takes, about. */
  minutes(bench: Bench): number;
  run(bench: Bench): Promise<Findings>;
}

/** Seconds for one measurement, or the shortest that says anything. */
export function chooseSeconds(bench: Bench, seconds: number): number {
  return bench.quick ? 1 : seconds;
}

/**
 * Seconds of load that each tunnel gets before the first round: Node.js compiles what is busy only then, and rounds that
 * begin earlier measure that.
 */
export const WARM_UP_SECONDS = 4;
