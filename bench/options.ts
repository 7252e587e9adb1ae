// The command line of `npm run bench`. Used by main.ts.

import { parseArgs } from 'node:util';

export interface Options {
  /** Ids of the cases to run. Empty: all cases that have no result yet. */
  names: string[];
  rounds: number;
  runs: number;
  quick: boolean;
  /** Start on a busy machine too. */
  busy: boolean;
  /** Wait until the machine is quiet, instead of failing at once. */
  wait: boolean;
  fromSource: boolean;
  /** Run cases again that have a result. */
  fresh: boolean;
  /** Only write the report of the existing results. */
  render: boolean;
  /** Only print what would run. */
  plan: boolean;
  soakMinutes: number;
  /** B15 sends as many visits as it can. */
  crowd: boolean;
}

export const USAGE = `npm run bench -- [B3 B4 …] [options]

Without names, it runs all cases but B15 that have no result yet.
  --fresh       run the cases that have a result too
  --plan        only print what would run, and how long it takes
  --render      only write RESULTS.md and ratios.svg, from the existing results
  --rounds N    how many rounds a comparison takes; each measures A B C C B A (default 5)
  --runs N      how often an outage is repeated (default 20)
  --minutes N   how long B15 runs; it runs only if it is named (default 60, with --crowd 10)
  --crowd       B15 sends as many visits as it can: in ten minutes as many as in eight hours or more at 20 per second
  --quick       a short check that everything works; its figures go to build/bench and mean nothing
  --busy        start even if the machine is busy; the result says so
  --wait        wait before each case until the machine is quiet, up to 15 minutes
  --from-src    run the sources instead of the bundles in dist; the result says so
`;

/** Throws an Error that says which argument is wrong. `known` are the ids of all cases. */
export function parseOptions(args: readonly string[], known: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      runs: { type: 'string' },
      minutes: { type: 'string' },
      crowd: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      busy: { type: 'boolean', default: false },
      wait: { type: 'boolean', default: false },
      'from-src': { type: 'boolean', default: false },
      fresh: { type: 'boolean', default: false },
      render: { type: 'boolean', default: false },
      plan: { type: 'boolean', default: false },
    },
  });
  const names = positionals.map(name => name.toUpperCase());
  const unknown = names.filter(name => !known.includes(name));
  if (unknown.length > 0)
    throw new Error(`no such case: ${unknown.join(', ')}; the cases are ${known.join(', ')}`);
  const { quick, busy, wait, fresh, render, plan, crowd } = values;
  return {
    ...{ names, quick, busy, wait, fresh, render, plan, crowd },
    fromSource: values['from-src'],
    rounds: parseCount('rounds', values.rounds ?? (quick ? '1' : '5')),
    runs: parseCount('runs', values.runs ?? (quick ? '2' : '20')),
    soakMinutes: parseCount('minutes', values.minutes ?? (quick ? '1' : crowd ? '10' : '60')),
  };
}

function parseCount(name: string, text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new Error(`--${name} ${text}: give a whole number of at least 1`);
  return count;
}
