// The order of a comparison: A B C, then C B A, round after round, so that whatever drifts drifts for all. Used by
// the cases.

/** Named figures of one measurement, such as `mbPerSecond`. */
export type Figures = Readonly<Record<string, number>>;

/** For each name, one entry a round: the means of its two measurements. */
export type Rounds<N extends string> = Readonly<Record<N, readonly Figures[]>>;

/** Measures every name twice a round. `names` in the order in which a round begins. */
export async function measureRounds<N extends string>(
  names: readonly N[],
  rounds: number,
  measure: (name: N, round: number) => Promise<Figures>,
): Promise<Rounds<N>> {
  const all = Object.fromEntries(names.map(name => [name, [] as Figures[]])) as Record<N, Figures[]>;
  for (let round = 0; round < rounds; round += 1) {
    const pairs = new Map<N, Figures[]>(names.map(name => [name, []]));
    for (const name of [...names, ...names.toReversed()]) pairs.get(name)?.push(await measure(name, round));
    for (const [name, pair] of pairs) all[name].push(averageFigures(pair));
  }
  return all;
}

export function averageFigures(several: readonly Figures[]): Figures {
  const keys = Object.keys(several[0] ?? {});
  return Object.fromEntries(
    keys.map(key => [key, several.reduce((sum, figures) => sum + (figures[key] ?? 0), 0) / several.length]),
  );
}

/** One figure of each round. */
export function pick(figures: readonly Figures[], key: string): number[] {
  return figures.map(one => one[key] ?? Number.NaN);
}

/** Ours divided by the peer's, round by round. */
export function divideRounds(ours: readonly number[], peer: readonly number[]): number[] {
  return ours.map((value, round) => value / (peer[round] ?? Number.NaN));
}
