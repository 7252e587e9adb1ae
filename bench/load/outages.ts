// What visitors saw: outages from probes, and failures that no outage explains. Pure; used by the scenarios.

import type { Failure, Probe } from './crowd.ts';

/**
 * How long each outage was, in milliseconds: from the start of the first probe that failed to the answer of the next one
 * that succeeded. `probes` are in the order in which they began; an outage that has no end yet is left out.
 */
export function measureOutages(probes: readonly Probe[]): number[] {
  const outages: number[] = [];
  let since: number | undefined;
  for (const { from, to, isGood } of probes) {
    if (!isGood) since ??= from;
    else if (since !== undefined) {
      outages.push(to - since);
      since = undefined;
    }
  }
  return outages;
}

/** A time in which these previews may be away. */
export interface Window {
  names: ReadonlySet<string>;
  from: number;
  to: number;
}

/** The failures that no window explains: visits to other previews, or at other times. */
export function listUnexplained<T extends Pick<Failure, 'name' | 'from' | 'to'>>(
  failures: readonly T[],
  windows: readonly Window[],
): T[] {
  return failures.filter(
    failure =>
      !windows.some(
        ({ names, from, to }) => names.has(failure.name) && failure.from <= to && failure.to >= from,
      ),
  );
}
