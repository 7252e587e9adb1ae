// Visitors who knock every 20 ms, until one of them gets an answer. Used by cases/outages.ts.

import { startVisitor } from './visitors.ts';

/** What a visit that never came counts as: JSON knows no infinity. */
export const GIVE_UP_S = 45;

export interface Probing {
  /** When the first whole answer was there, on the scale of performance.now(); undefined where there was none in 45 s. */
  answered: Promise<number | undefined>;
}

/** They knock from now on, each on a connection of its own and without waiting for those before. */
export function startProbing(address: { host: string; port: number }, namespace?: string): Probing {
  const visitors = startVisitor('probe', ['-address', `${address.host}:${address.port}`], namespace);
  const readTime = (text: string) => (JSON.parse(text) as { at?: number }).at;
  const answered = visitors
    .waitFor(readTime, 'an answer', GIVE_UP_S * 1_000)
    // The visitors' clock is that of the machine.
    .then(({ value }) => value - performance.timeOrigin)
    .catch(() => undefined)
    .finally(() => {
      visitors.closeInput();
      return visitors.stop();
    });
  return { answered };
}
