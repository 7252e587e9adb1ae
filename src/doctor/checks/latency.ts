// How far away the server is, what a new visitor pays for it, and how fast it opened our port. Never a fault.

import { type Check, ok, Skip, warning } from '../check.ts';

/** A server with capacity opens a port within one or two round trips. */
const SLOW_MS = 1_000;

export const latency: Check = {
  name: 'latency',
  title: 'Latency',
  needs: ['secret'],
  deadlineMs: 12_000,
  async run(subject) {
    const opened = await subject.openTunnel();
    if ('failure' in opened) return new Skip('the server opened no port');
    const { connectMs, openMs } = opened;
    // For each visitor's connection: SYN, the challenge if there is a secret, the request, and the first bytes.
    const roundTrips = subject.question.secret === undefined ? 3 : 4;
    const text = `${show(connectMs)} to the server, so a new connection of a visitor costs about ${show(roundTrips * connectMs)} (${roundTrips} round trips); the port was open after ${show(openMs)}`;
    const isSlow = openMs - 2 * connectMs > SLOW_MS;
    return [isSlow ? warning(`${text}, which is slow: the server may be overloaded`) : ok(text)];
  },
};

function show(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}
