// When a program counts as up: its port accepts, and its health path answers. Used by app.ts, listener.ts, `mode:
// port`, and exposure/ingress.ts.

import { get } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Upstream } from '../../shared/state.ts';

type Address = Extract<Upstream, { kind: 'address' }>;

const POLL_MS = 50;
/** A connection on loopback is accepted at once, or not at all. */
const CONNECT_TIMEOUT_MS = 1_000;
/** The first request may start a compilation of the project; a later attempt is then answered faster. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Resolves with the first of `hosts` that accepts on `port`; rejects with the signal's reason. */
export async function waitForListening(
  target: { hosts: readonly string[]; port: number },
  signal: AbortSignal,
): Promise<Address> {
  for (;;) {
    signal.throwIfAborted();
    const address = await findListening(target);
    if (address !== undefined) return address;
    await delay(POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** The first of `hosts` that accepts on `port` right now, or undefined. */
export async function findListening(target: {
  hosts: readonly string[];
  port: number;
}): Promise<Address | undefined> {
  for (const host of target.hosts)
    if (await acceptsConnection(host, target.port)) return { kind: 'address', host, port: target.port };
  return undefined;
}

async function acceptsConnection(host: string, port: number): Promise<boolean> {
  return await new Promise(resolve => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    const finish = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => finish(true));
    socket.once('timeout', () => finish(false));
    socket.once('error', () => finish(false));
  });
}

/**
 * Resolves when GET `path` answers with a status below 500; `host` is the Host header. `onAttempt` is called with the outcome of each other
 * attempt (`status 502`, `no answer`). Rejects with the signal's reason.
 */
export async function waitForHealth(
  target: { address: Address; host: string; path: string; onAttempt: (outcome: string) => void },
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const status = await fetchStatus(target, signal);
    if (status !== undefined && status < 500) return;
    // An attempt that was cut off by the deadline says nothing about the app.
    signal.throwIfAborted();
    target.onAttempt(status === undefined ? 'no answer' : `status ${status}`);
    await delay(POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function fetchStatus(
  { address, host, path }: { address: Address; host: string; path: string },
  signal: AbortSignal,
): Promise<number | undefined> {
  return await new Promise(resolve => {
    const request = get({
      host: address.host,
      port: address.port,
      path,
      headers: { host, 'user-agent': 'expose-action' },
      agent: false,
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]),
    });
    request.once('response', response => {
      resolve(response.statusCode);
      response.destroy();
    });
    request.once('error', () => resolve(undefined));
  });
}
