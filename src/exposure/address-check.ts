// The address visitors use: written from the `public-url` template, and proved to lead to this very exposure before
// anybody is told. Used by public-tunnel; its templates by the inputs.

import { setTimeout as delay } from 'node:timers/promises';
import type { ProbeAnswer } from '../gateway/probe.ts';
import { TunnelError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import type { Doubt } from '../shared/state.ts';

/** How long an answer is waited for. Where the network has no hairpin none ever comes. */
const PROOF_TIMEOUT_MS = 5_000;
const PROOF_RETRY_MS = 250;
/** Strangers met in a row before giving up: with ports chosen at random even one is rare. */
const MAX_STRANGERS = 3;

/** What came back from an address; `app away`: nothing was asked, for only the app could have answered. */
export type AddressAnswer = ProbeAnswer | { kind: 'app away'; detail: string };

export interface AddressCheck {
  /** The address now: it changes with `move`, and there is none while the tunnel is away. */
  readUrl: () => string | undefined;
  /** Asks once, and never rejects. */
  ask: (url: string, signal: AbortSignal) => Promise<AddressAnswer>;
  /** Whether the address is the bore server's own: behind a proxy of the user's, an odd answer may be the proxy's. */
  isPlain: boolean;
  /** Whether an answer without our proof can only be a stranger's. */
  isCertain: boolean;
  /** Leaves the port to the stranger who answers there; rejects with a TunnelError where it is fixed. */
  move: () => Promise<void>;
  logger: Logger;
  signal: AbortSignal;
}

/** What was found out about an address; `verified`: our own answer came through it, else `doubt` says why not. */
export type Finding = { url: string } & (
  | { verified: true; doubt: undefined }
  | { verified: false; doubt: Doubt }
);

/**
 * What was found out about the address, or undefined when there was none or the check was given up. An answer without
 * our proof means that somebody else is there: another port, or a TunnelError. Where that is not certain, the last
 * port is kept, unverified.
 */
export async function proveAddress(check: AddressCheck): Promise<Finding | undefined> {
  let strangers = 0;
  let last: Exclude<AddressAnswer, { kind: 'proved' }> = { kind: 'silent', detail: '' };
  let url: string | undefined;
  for (let end = startClock(); performance.now() < end; ) {
    const now = check.readUrl();
    if (now !== url) end = startClock();
    url = now;
    const answer = await askInTime(check, url, end);
    if (check.signal.aborted) return undefined;
    if (check.readUrl() !== url) continue; // what was asked is of no interest any more
    if (url !== undefined && answer.kind === 'proved') return { url, verified: true, doubt: undefined };
    // The last answer is cut off by the clock, and says the least.
    if (answer.kind !== 'proved' && (last.detail === '' || performance.now() < end)) last = answer;
    if (url !== undefined && answer.kind === 'unproved' && check.isPlain) {
      strangers += 1;
      if (strangers >= MAX_STRANGERS && !check.isCertain) break;
      if (!(await leaveStranger(check, url, strangers))) break;
    } else await delay(PROOF_RETRY_MS, undefined, { signal: check.signal }).catch(() => {});
  }
  if (check.signal.aborted || url === undefined) return undefined;
  check.logger.warn(explainDoubt(url, last));
  return { url, verified: false, doubt: last.kind };
}

function explainDoubt(url: string, { kind, detail }: { kind: Doubt; detail: string }): string {
  switch (kind) {
    case 'silent':
      return `${url} did not answer from here (${detail}); that is normal where a network does not route back to itself, so the link is handed out all the same`;
    case 'unproved':
      return `${url} is not known to lead here (${detail}): somebody else may have this address, or something in between answers for it; it is handed out all the same, so try it from elsewhere`;
    case 'app away':
      return `${url} could not be checked (${detail}); it is handed out all the same`;
  }
}

function startClock(): number {
  return performance.now() + PROOF_TIMEOUT_MS;
}

async function askInTime(check: AddressCheck, url: string | undefined, end: number): Promise<AddressAnswer> {
  if (url === undefined) return { kind: 'silent', detail: 'the tunnel is away' };
  const deadline = AbortSignal.timeout(Math.max(1, Math.ceil(end - performance.now())));
  return await check.ask(url, AbortSignal.any([check.signal, deadline]));
}

/** False where there is no other port, and it is not certain that this one is a stranger's. */
async function leaveStranger(check: AddressCheck, url: string, strangers: number): Promise<boolean> {
  const message = `somebody else answers at ${url}: the bore server gave out an address that leads elsewhere`;
  if (strangers >= MAX_STRANGERS) throw new TunnelError(message, { retryable: false });
  check.logger.warn(`${message}; asking for another port`);
  try {
    await check.move();
    return true;
  } catch (error) {
    if (check.isCertain || check.signal.aborted) throw error;
    return false;
  }
}
