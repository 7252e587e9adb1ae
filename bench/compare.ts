// From measured rounds to rows: each of ours against each peer. Used by the cases.

import type { Row } from './results.ts';
import { divideRounds, pick, type Rounds } from './rig/rounds.ts';
import { OURS, type OwnName, PEERS, type PeerName, type TunnelName } from './rig/tunnels.ts';
import { median } from './statistics.ts';

export interface Comparison {
  /** Follows the name of ours: `600 MB down`. */
  what: string;
  measured: Partial<Rounds<TunnelName>>;
  /** The figure that is divided. */
  key: string;
  /** Of that figure. */
  unit: string;
  better: Row['better'];
  /** Processor time of the tunnel's process. */
  cpu?: { key: string; unit: string };
  /** Targets; a pair without one is shown all the same. */
  targets?: Partial<Record<OwnName, Partial<Record<PeerName, { reach: number; goal?: number }>>>>;
}

/** A row for each of ours and each peer that was measured. */
export function compare(comparison: Comparison): Row[] {
  const { measured } = comparison;
  return OURS.filter(own => measured[own] !== undefined).flatMap(own =>
    PEERS.filter(peer => measured[peer] !== undefined).map(peer => comparePair(comparison, own, peer)),
  );
}

function comparePair(comparison: Comparison, own: OwnName, peer: PeerName): Row {
  const { what, key, unit, better, cpu, targets } = comparison;
  const [ours = [], theirs = []] = [comparison.measured[own], comparison.measured[peer]];
  const middle = (of: typeof ours, name: string) => median(pick(of, name));
  return {
    what: `${own}, ${what}`,
    samples: divideRounds(pick(ours, key), pick(theirs, key)),
    unit: '×',
    take: 'median',
    better,
    peer,
    ...targets?.[own]?.[peer],
    absolute: { ours: middle(ours, key), peer: middle(theirs, key), unit },
    ...(cpu && { cpu: { ours: middle(ours, cpu.key), peer: middle(theirs, cpu.key), unit: cpu.unit } }),
  };
}
