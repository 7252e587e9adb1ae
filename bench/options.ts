// The command line of `npm run bench`. Used by main.ts.

import { parseArgs } from 'node:util';

export interface Options {
  /** Cases that were named; empty: all that have no result yet. */
  names: string[];
  rounds: number;
  runs: number;
  quick: boolean;
  busy: boolean;
  /** Wait for a quiet machine instead of giving up at once. */
  wait: boolean;
  fromSource: boolean;
  /** All cases again, also those with a result. */
  fresh: boolean;
  /** Only render what is there. */
  render: boolean;
  /** Only say what would run. */
  plan: boolean;
  soakMinutes: number;
}

export const USAGE = `npm run bench -- [B3 B4 …] [options]

Without names: all cases from B1 to B14 that have no result yet.
  --fresh       all of them again
  --plan        say what would run, and how long it takes
  --render      write RESULTS.md and ratios.svg from the results that are there
  --rounds N    rounds A B C C B A of a comparison (default 5)
  --runs N      repetitions of an outage (default 20)
  --minutes N   length of the soak, B15, which runs only when it is named (default 60)
  --quick       everything short: to see that it works; the figures go to build/bench and say nothing
  --busy        start although the machine is busy; the result says so
  --wait        wait for the machine to become quiet, up to 15 minutes
  --from-src    run src/cli.ts instead of the bundle in dist; the result says so
`;

/** Throws an Error that says what is wrong with the arguments. */
export function parseOptions(args: readonly string[], known: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      runs: { type: 'string' },
      minutes: { type: 'string' },
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
    throw new Error(`no such case: ${unknown.join(', ')}; there are ${known.join(', ')}`);
  const { quick, busy, wait, fresh, render, plan } = values;
  return {
    ...{ names, quick, busy, wait, fresh, render, plan },
    fromSource: values['from-src'],
    rounds: parseCount('rounds', values.rounds ?? (quick ? '1' : '5')),
    runs: parseCount('runs', values.runs ?? (quick ? '2' : '20')),
    soakMinutes: parseCount('minutes', values.minutes ?? (quick ? '1' : '60')),
  };
}

function parseCount(name: string, text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new Error(`--${name} ${text}: give a whole number of at least 1`);
  return count;
}
