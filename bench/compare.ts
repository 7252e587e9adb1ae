// Turns measured rounds into rows: each of our two tunnels (raw, gateway) divided by each peer. Used by the cases.

import type { Row } from './results.ts';
import { divideRounds, pick, type Rounds } from './rig/rounds.ts';
import { OURS, type OwnName, PEERS, type PeerName, type TunnelName } from './rig/tunnels.ts';
import { median } from './statistics.ts';

export interface Comparison {
  /** What was measured, such as `600 MB down`. A row's name is the tunnel's name and this. */
  what: string;
  measured: Partial<Rounds<TunnelName>>;
  /** Which figure of a round is divided. */
  key: string;
  /** The unit of that figure. */
  unit: string;
  better: Row['better'];
  /** Which figure of a round is the processor time of the tunnel's process, and its unit. */
  cpu?: { key: string; unit: string };
  /** The targets of the ratios. A pair without a target has a row too. */
  targets?: Partial<Record<OwnName, Partial<Record<PeerName, { reach: number; goal?: number }>>>>;
}

/** One row for each pair of our tunnel and a peer that were both measured. */
export function compare(comparison: Comparison): Row[] {
  const { measured } = comparison;
  return OURS.filter(own => measured[own] !== undefined).flatMap(own =>
    PEERS.filter(peer => measured[peer] !== undefined).map(peer => comparePair(comparison, own, peer)),
  );
}

function comparePair(comparison: Comparison, own: OwnName, peer: PeerName): Row {
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
