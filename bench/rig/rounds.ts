// Measures in rounds of A B C C B A, so that slow changes of the machine affect all tunnels equally. Used by the cases.

/** The figures of one measurement by name, such as `mbPerSecond`. */
export type Figures = Readonly<Record<string, number>>;

/** For each name one entry per round, with the means of its two measurements. */
export type Rounds<N extends string> = Readonly<Record<N, readonly Figures[]>>;

/** Measures every name twice per round: in the order of `names`, then in reverse. */
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

/** Returns one figure of each round. */
export function pick(figures: readonly Figures[], key: string): number[] {
  return figures.map(one => one[key] ?? Number.NaN);
}

/** Divides our figure by the peer's, for each round. */
export function divideRounds(ours: readonly number[], peer: readonly number[]): number[] {
  return ours.map((value, round) => value / (peer[round] ?? Number.NaN));
}
