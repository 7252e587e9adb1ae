// Checks that the public address leads to this exposure, before it is published. Used by public-tunnel.

import { setTimeout as delay } from 'node:timers/promises';
import type { ProbeAnswer } from '../gateway/probe.ts';
import { TunnelError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import type { AddressState, UnverifiedReason } from '../shared/state.ts';

/** How long to wait for an answer. Without hairpin NAT, none ever comes. */
const CHECK_TIMEOUT_MS = 5_000;
const RETRY_MS = 250;
/** How many ports are tried if another program answers on each: even one such port is rare. */
const MAX_FOREIGN_ANSWERS = 3;

/** The outcome of one probe; `app away`: nothing was sent, because the app, which is needed for it, is down. */
export type AddressAnswer = ProbeAnswer | { kind: 'app away'; detail: string };

export interface AddressCheck {
  /** The address at this moment: it changes with `changePort`, and there is none while the tunnel is away. */
  readUrl: () => string | undefined;
  /** Sends one probe, and never rejects. */
  probe: (url: string, signal: AbortSignal) => Promise<AddressAnswer>;
  /**
   * Whether an answer without our proof is treated as another program's. Not with a proxy in front, because the answer
   * may be the proxy's, and not for a fixed port without a gateway.
   */
  isPlain: boolean;
  /** Whether an answer without our proof can only come from another program. */
  isCertain: boolean;
  /** Asks for another port; rejects with a TunnelError if the port is fixed. */
  changePort: () => Promise<void>;
  logger: Logger;
  signal: AbortSignal;
}

/** The address with the outcome of its check. */
export type CheckedAddress = Extract<AddressState, { kind: 'verified' | 'unverified' }>;

/**
 * Probes the address until our own proof comes back, for 5 s from its last change. Resolves with undefined if there was
 * no address, or the signal was aborted. With `isPlain`, an answer without our proof means that another program has the
 * port: asks for another port, and rejects with a TunnelError if there is none. If `isCertain` is false, it keeps the
 * last port instead.
 */
export async function checkAddress(check: AddressCheck): Promise<CheckedAddress | undefined> {
  let url = check.readUrl();
  let deadline = startClock();
  let lastAnswer: Exclude<AddressAnswer, { kind: 'proved' }> = { kind: 'silent', detail: '' };
  let foreignAnswers = 0;
  while (performance.now() < deadline && !check.signal.aborted) {
    const current = check.readUrl();
    if (current !== url) [url, deadline] = [current, startClock()];
    const answer = await probeOnce(check, url, deadline);
    if (check.signal.aborted) return undefined;
    if (check.readUrl() !== url) continue; // the URL changed meanwhile: drop this answer
    if (url !== undefined && answer.kind === 'proved') return { kind: 'verified', url };
    // A probe that the deadline cut off says the least, so the previous answer is kept.
    const isInTime = performance.now() < deadline;
    if (answer.kind !== 'proved' && (isInTime || lastAnswer.detail === '')) lastAnswer = answer;
    if (url !== undefined && answer.kind === 'unproved' && check.isPlain) {
      foreignAnswers += 1;
      if (!(await leavePort(check, url, foreignAnswers))) break;
    } else await delay(RETRY_MS, undefined, { signal: check.signal }).catch(() => {});
  }
  if (check.signal.aborted || url === undefined) return undefined;
  check.logger.warn(explain(url, lastAnswer));
  return { kind: 'unverified', url, reason: lastAnswer.kind };
}

function explain(url: string, { kind, detail }: { kind: UnverifiedReason; detail: string }): string {
  switch (kind) {
    case 'silent':
      return `${url} did not answer from here (${detail}); that is normal if a network does not route back to itself, so the link is published anyway`;
    case 'unproved':
      return `${url} could not be verified (${detail}): another program may have this address, or a proxy in between answers for it; it is published anyway, so try it from elsewhere`;
    case 'app away':
      return `${url} could not be checked (${detail}); it is published anyway`;
  }
}

function startClock(): number {
  return performance.now() + CHECK_TIMEOUT_MS;
}

async function probeOnce(
  check: AddressCheck,
  url: string | undefined,
  deadline: number,
): Promise<AddressAnswer> {
  if (url === undefined) return { kind: 'silent', detail: 'the tunnel is away' };
  const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(deadline - performance.now())));
  return await check.probe(url, AbortSignal.any([check.signal, timeout]));
}

/** Another program answers at the port: asks for a different one. False if this port is to be kept, unverified. */
async function leavePort(check: AddressCheck, url: string, foreignAnswers: number): Promise<boolean> {
  const message = `another program answers at ${url}: the bore server gave out an address that leads elsewhere`;
  if (foreignAnswers >= MAX_FOREIGN_ANSWERS) {
    if (check.isCertain) throw new TunnelError(message, { retryable: false });
    return false;
  }
  check.logger.warn(`${message}; asking for another port`);
  try {
    await check.changePort();
    return true;
  } catch (error) {
    if (check.isCertain || check.signal.aborted) throw error;
    return false;
  }
}
