// Visits our own tunnel at every address of its public name. Used by subject.ts.

import type { OwnTunnel } from './own-tunnel.ts';
import { NoVisit, type Target, type Visit, visit } from './visit.ts';

/** From TEST-NET-2 (RFC 5737): no visitor has it. */
export const FORGED_ADDRESS = '198.51.100.99';

export interface Reached {
  target: Target;
  answer: Visit | NoVisit;
  /** The visit arrived in our tunnel. */
  isOurs: boolean;
  /** Of the visit. */
  path: string;
}

/** One visit to each address of the name, with a forged X-Forwarded-For. */
export function reachAll(
  targets: readonly Target[],
  tunnel: OwnTunnel,
  signal: AbortSignal,
): Promise<Reached[]> {
  return Promise.all(targets.map(target => reach(target, tunnel, signal)));
}

/** Whether there was no valid answer: the tunnel was not reached, nor another program. */
export function isUnreached(one: Reached): one is Reached & { answer: NoVisit } {
  return one.answer instanceof NoVisit;
}

/** Where none is ours, the one that says most: there was a connection. */
export function findMostTelling<T extends { answer: Visit | NoVisit }>(tried: readonly T[]): T | undefined {
  const isConnected = ({ answer }: T) => !(answer instanceof NoVisit) || answer.kind === 'broken';
  return tried.find(isConnected) ?? tried[0];
}

async function reach(target: Target, { app }: OwnTunnel, signal: AbortSignal): Promise<Reached> {
  const path = app.pathOf('proof');
  try {
    const answer = await visit(target, path, signal, { headers: { 'X-Forwarded-For': FORGED_ADDRESS } });
    return { target, answer, isOurs: answer.body === app.proof, path };
  } catch (error) {
    if (error instanceof NoVisit) return { target, answer: error, isOurs: false, path };
    throw error;
  }
}
