// Sends a visitor every 20 ms until one of them gets an answer. Used by the cases about outages and silence.

import { startVisitor } from './visitors.ts';

/** How long the visitors try. Counts as the time of a visit that never succeeded, because JSON has no infinity. */
export const GIVE_UP_S = 45;

export interface Probing {
  /** Time of the first whole answer, on the scale of performance.now(); undefined if there was none within 45 s. */
  answered: Promise<number | undefined>;
}

/** Starts at once. Each visitor has a connection of its own and does not wait for earlier ones. */
export function startProbing(address: { host: string; port: number }, namespace?: string): Probing {
  const visitors = startVisitor('probe', ['-address', `${address.host}:${address.port}`], namespace);
  const readTime = (text: string) => (JSON.parse(text) as { at?: number }).at;
  const answered = visitors
    .waitFor(readTime, 'an answer', GIVE_UP_S * 1_000)
    // The visitors report Unix time.
    .then(({ value }) => value - performance.timeOrigin)
    .catch(() => undefined)
    .finally(() => {
      visitors.closeInput();
      return visitors.stop();
    });
  return { answered };
}
