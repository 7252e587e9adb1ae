// Visits at a steady rate, each over a new connection, during an attack; counts which succeed, and why others fail.
// Used by the tests of the gateway's limits.

import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';

export interface VisitTally {
  right: number;
  /** Why each of the other visits failed. */
  lost: string[];
  /** Of the visits that succeeded, in milliseconds. */
  p99Ms: number;
}

export interface SteadyVisits {
  /** Begins no more visits; resolves when the last one has ended. */
  stop(): Promise<VisitTally>;
}

/** A visit succeeds with 200 and `ok` before a deadline. */
export function startVisits(
  where: { host: string; port: number; headers?: Record<string, string> },
  perSecond: number,
): SteadyVisits {
  const visits: Promise<number | string>[] = [];
  const timer = setInterval(() => visits.push(visit(where)), 1_000 / perSecond);
  return {
    stop: async () => {
      clearInterval(timer);
      const results = await Promise.all(visits);
      const times = results.filter(result => typeof result === 'number').sort((a, b) => a - b);
      return {
        right: times.length,
        lost: results.filter(result => typeof result === 'string'),
        p99Ms: times[Math.ceil(times.length * 0.99) - 1] ?? Number.NaN,
      };
    },
  };
}

/** The time it took, or why it failed. */
async function visit(where: Parameters<typeof startVisits>[0]): Promise<number | string> {
  const began = performance.now();
  try {
    const request = get({ ...where, path: '/', agent: false, signal: AbortSignal.timeout(20_000) });
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    const text = (await answer.setEncoding('latin1').toArray()).join('');
    if (answer.statusCode !== 200 || text !== 'ok') return `${answer.statusCode} ${text.slice(0, 80)}`;
    return performance.now() - began;
  } catch (error) {
    return String(error);
  }
}
