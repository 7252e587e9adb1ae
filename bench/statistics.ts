// The few statistics of the benchmarks. Used by the cases and the report.

export interface Spread {
  median: number;
  low: number;
  high: number;
}

/** The value below which that share (0 to 1) of the samples lies, between neighbours in proportion. NaN for none. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) return Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** Smallest and largest beside the median: with a few rounds there is nothing finer to say. */
export function describeSpread(samples: readonly number[]): Spread {
  return { median: median(samples), low: quantile(samples, 0), high: quantile(samples, 1) };
}

/** Slope of the straight line nearest to the points `[x, y]`, in y per x. NaN for fewer than two. */
export function fitSlope(points: readonly (readonly [number, number])[]): number {
  const meanX = mean(points.map(([x]) => x));
  const meanY = mean(points.map(([, y]) => y));
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const variance = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return covariance / variance;
}

export function mean(samples: readonly number[]): number {
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
}
