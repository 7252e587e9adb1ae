// Evaluates the numbers of a soak: which lost visits a fault explains, and how fast memory grows. No I/O. Used by
// soak.ts, soak-faults.ts and test/tunnel/soak.test.ts.

/** A time in ms since the start during which a fault explains that visits are lost. */
export interface FaultWindow {
  from: number;
  /** When the tunnels had reconnected; Infinity if they did not. */
  until: number;
  /**
   * `arrivals`: only visits that began in it, because open visits survive a lost session; `all`: any that overlap with
   * it.
   */
  excuses: 'arrivals' | 'all';
  /** How many lost visits it explains; default: any number. */
  atMost?: number;
}

export interface LostVisit {
  /** In ms since the start. */
  from: number;
  until: number;
  mode: string;
  kind: string;
  reason: string;
}

export interface MemorySample {
  atSeconds: number;
  /** In bytes: what the process occupies, what its objects occupy after a garbage collection, and their buffers. */
  rss: number;
  heapUsed: number;
  external: number;
}

/** A visitor who comes just before a fault is lost, too: the announcement was in transit. */
const ANNOUNCED_MS = 500;

/** Divides the lost visits into those that a fault explains and the others. */
export function findLost(
  lost: readonly LostVisit[],
  windows: readonly FaultWindow[],
): { inside: LostVisit[]; outside: LostVisit[] } {
  const left = new Map(windows.map(window => [window, window.atMost ?? Number.POSITIVE_INFINITY]));
  const isExcused = (visit: LostVisit) => {
    const window = windows.find(one => explains(one, visit) && (left.get(one) ?? 0) > 0);
    if (window === undefined) return false;
    left.set(window, (left.get(window) ?? 0) - 1);
    return true;
  };
  const inside = lost.filter(isExcused);
  return { inside, outside: lost.filter(visit => !inside.includes(visit)) };
}

function explains({ from, until, excuses }: FaultWindow, visit: LostVisit): boolean {
  if (visit.from > until) return false;
  return excuses === 'all' ? visit.until >= from : visit.from >= from - ANNOUNCED_MS;
}

/** Growth of resident memory in MB per hour, by least squares, without the first quarter, which is warm-up. */
export function fitSlope(samples: readonly MemorySample[]): number {
  const steady = samples.slice(Math.floor(samples.length / 4));
  if (steady.length < 2) return 0;
  const mean = (pick: (sample: MemorySample) => number) =>
    steady.reduce((sum, sample) => sum + pick(sample), 0) / steady.length;
  const hours = (sample: MemorySample) => sample.atSeconds / 3_600;
  const megabytes = (sample: MemorySample) => sample.rss / 1e6;
  const [meanHours, meanMegabytes] = [mean(hours), mean(megabytes)];
  const covariance = mean(one => (hours(one) - meanHours) * (megabytes(one) - meanMegabytes));
  return covariance / mean(one => (hours(one) - meanHours) ** 2);
}
