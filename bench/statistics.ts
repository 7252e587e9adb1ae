// Median, quantile, spread, slope and mean. Used by the cases, the report and the plot.

export interface Spread {
  median: number;
  low: number;
  high: number;
}

/**
 * The value below which a share (0 to 1) of the samples lies, interpolated between two samples. NaN without samples.
 */
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

/** Median, smallest and largest. A few rounds are not enough for a finer description. */
export function describeSpread(samples: readonly number[]): Spread {
  return { median: median(samples), low: quantile(samples, 0), high: quantile(samples, 1) };
}

/** The slope, in y per x, of the least-squares line through the points `[x, y]`. NaN for fewer than two points. */
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
