// When a program counts as up: its port accepts, and its health path answers. Used by app.ts, listener.ts, `mode:
// port`, and exposure/ingress.ts.

import { get, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { hasCode } from '../../shared/errors.ts';
import {
  explainInvalidAnswer,
  type InvalidAnswer,
  MAX_ANSWER_HEAD_BYTES,
  SPEAKS_TLS,
} from '../../shared/invalid-answer.ts';
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
    const fail = () => {
      socket.destroy();
      resolve(false);
    };
    socket.once('timeout', fail);
    socket.on('error', fail);
    socket.once('connect', () => {
      // Where nobody listens, TCP may connect a socket to itself, if the system gives it this very port (RFC 9293, 3.5:
      // simultaneous open). Reset, it does not keep the port from the program.
      if (socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress) {
        socket.resetAndDestroy();
        resolve(false);
        return;
      }
      // Not destroyed: a program that greets its visitors would get a reset, and many end because of it.
      socket.end().resume().unref();
      resolve(true);
    });
  });
}

interface HealthRequest {
  address: Address;
  /** The Host header that the gateway sends later. */
  host: string;
  path: string;
}

/**
 * One attempt to get an answer:
 * - `answer`: its status and header fields.
 * - `invalid`: bytes came that are not HTTP/1.1.
 * - `closed`: the connection was closed without a byte.
 * - `none`: nothing came, in time or before the connection broke.
 */
export type HealthOutcome =
  | { kind: 'answer'; status: number; headers: IncomingHttpHeaders }
  | ({ kind: 'invalid' } & InvalidAnswer)
  | { kind: 'closed' }
  | { kind: 'none' };

/**
 * Resolves with the first answer to GET `path` with a status below 500. `onAttempt` is called with the outcome of each
 * other attempt. Rejects with the signal's reason.
 */
export async function waitForHealth(
  target: HealthRequest & { onAttempt: (outcome: HealthOutcome) => void },
  signal: AbortSignal,
): Promise<Extract<HealthOutcome, { kind: 'answer' }>> {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    const outcome = await askOnce(target, isPowerOfTwo(attempt), signal);
    if (outcome.kind === 'answer' && outcome.status < 500) return outcome;
    // An attempt that was cut off by the deadline says nothing about the app.
    signal.throwIfAborted();
    target.onAttempt(outcome);
    await delay(POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Rarer and rarer: a program that is only slow to start should not get many connections with TLS. */
function isPowerOfTwo(attempt: number): boolean {
  return (attempt & (attempt - 1)) === 0;
}

/**
 * Some servers refuse plain HTTP on their TLS port with 400, and some close the connection without a word. `tryTls`:
 * whether to try a handshake in the second case.
 */
async function askOnce(request: HealthRequest, tryTls: boolean, signal: AbortSignal): Promise<HealthOutcome> {
  const outcome = await sendRequest(request, signal);
  const mayBeTls =
    (outcome.kind === 'closed' && tryTls) || (outcome.kind === 'answer' && outcome.status === 400);
  return mayBeTls && (await speaksTls(request.address)) ? { kind: 'invalid', ...SPEAKS_TLS } : outcome;
}

async function sendRequest(
  { address, host, path }: HealthRequest,
  signal: AbortSignal,
): Promise<HealthOutcome> {
  return await new Promise(resolve => {
    const request = get({
      host: address.host,
      port: address.port,
      path,
      headers: { host, 'user-agent': 'expose-action' },
      agent: false,
      maxHeaderSize: MAX_ANSWER_HEAD_BYTES,
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]),
    });
    request.once('response', response => {
      resolve({ kind: 'answer', status: response.statusCode ?? 0, headers: response.headers });
      response.destroy();
    });
    request.once('error', error => {
      const invalid = explainInvalidAnswer(error);
      if (invalid !== undefined) resolve({ kind: 'invalid', ...invalid });
      else resolve({ kind: hasCode(error, 'ECONNRESET', 'EPIPE') ? 'closed' : 'none' });
    });
  });
}

/** Whether a TLS handshake succeeds there, with any certificate. */
async function speaksTls({ host, port }: Address): Promise<boolean> {
  return await new Promise(resolve => {
    const socket = connectTls({ host, port, rejectUnauthorized: false, timeout: CONNECT_TIMEOUT_MS });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('secureConnect', () => finish(true));
    socket.once('timeout', () => finish(false));
    socket.once('error', () => finish(false));
    socket.once('close', () => finish(false));
  });
}
