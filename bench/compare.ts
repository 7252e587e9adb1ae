// Turns measured rounds into rows: each of our tunnels divided by each peer. Used by the cases.

import type { Row } from './results.ts';
import { divideRounds, pick, type Rounds } from './rig/rounds.ts';
import { OURS, type OwnName, PEERS, type PeerName } from './rig/tunnels.ts';
import { median } from './statistics.ts';

type Peer = NonNullable<Row['peer']>;

export interface Comparison<O extends string = OwnName, P extends Peer = PeerName> {
  /** What was measured, such as `600 MB down`. A row's name is the tunnel's name and this. */
  what: string;
  measured: Partial<Rounds<O | P>>;
  /** Which figure of a round is divided. */
  key: string;
  /** The unit of that figure. */
  unit: string;
  better: Row['better'];
  /** Which figure of a round is the processor time of the tunnel's processes, and its unit. */
  cpu?: { key: string; unit: string };
  /** The targets of the ratios. A pair without a target has a row too. */
  targets?: Partial<Record<O, Partial<Record<P, { reach: number; goal?: number }>>>>;
}

/** One row for each pair of raw or gateway and a peer that were both measured. */
export function compare(comparison: Comparison): Row[] {
  return comparePairs(OURS, PEERS, comparison);
}

/** One row for each pair of one of `ours` and one of `peers` that were both measured. */
export function comparePairs<O extends string, P extends Peer>(
  ours: readonly O[],
  peers: readonly P[],
  comparison: Comparison<O, P>,
): Row[] {
  const wasMeasured = (name: O | P) => comparison.measured[name] !== undefined;
  return ours
    .filter(wasMeasured)
    .flatMap(own => peers.filter(wasMeasured).map(peer => comparePair(comparison, own, peer)));
}

function comparePair<O extends string, P extends Peer>(comparison: Comparison<O, P>, own: O, peer: P): Row {
  const { what, key, unit, better, cpu, targets } = comparison;
  const [ours = [], theirs = []] = [comparison.measured[own], comparison.measured[peer]];
  const medianOf = (figures: typeof ours, name: string) => median(pick(figures, name));
  return {
    what: `${own}, ${what}`,
    samples: divideRounds(pick(ours, key), pick(theirs, key)),
    unit: '×',
    take: 'median',
    better,
    peer,
    ...targets?.[own]?.[peer],
    absolute: { ours: medianOf(ours, key), peer: medianOf(theirs, key), unit },
    ...(cpu && { cpu: { ours: medianOf(ours, cpu.key), peer: medianOf(theirs, cpu.key), unit: cpu.unit } }),
  };
}
