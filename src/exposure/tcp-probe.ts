// Checks that a public address leads here when there is no gateway to answer: a token that is sent to the address must
// arrive at our relay. Used by ingress.

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { ProbeAnswer } from '../gateway/probe.ts';
import { describeError } from '../shared/errors.ts';
import { stripBrackets } from '../shared/public-url.ts';
import type { Relay } from '../tunnel/relay/relay.ts';
import { MAX_VISITORS } from '../tunnel/timings.ts';

/** 256 bits: no visitor sends them by chance. */
const TOKEN_BYTES = 32;
/** The token takes five round trips; over a satellite each takes half a second. */
const ARRIVAL_TIMEOUT_MS = 3_000;

/**
 * Connects to `url` (`tcp://host:port`), sends a token, and waits for it at the relay. `unproved`: the connection
 * opened, but the token did not arrive: another program has the port, or a proxy in between accepts every connection.
 */
export async function probeTcp(
  url: string,
  relay: Pick<Relay, 'awaitToken' | 'visits' | 'open'>,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const token = randomBytes(TOKEN_BYTES);
  const over = new AbortController();
  const limit = AbortSignal.any([signal, over.signal, AbortSignal.timeout(ARRIVAL_TIMEOUT_MS)]);
  const visitsBefore = relay.visits;
  const arrival = relay.awaitToken(token, limit);
  const sent = await send(url, token, limit);
  try {
    if (sent instanceof Error) return { kind: 'silent', detail: describeError(sent) };
    if (await arrival) return { kind: 'proved' };
    if (signal.aborted) return { kind: 'silent', detail: 'no answer in time' };
    // Visitors came through the same port, and may have taken the connection slot meant for the token.
    if (relay.visits > visitsBefore || relay.open >= MAX_VISITORS)
      return { kind: 'silent', detail: 'too many visitors came in between' };
    return {
      kind: 'unproved',
      detail: 'it accepts connections, but what is sent there does not arrive here',
    };
  } finally {
    over.abort();
    if (!(sent instanceof Error)) sent.destroy();
  }
}

/** Resolves with the connection once the bytes are sent, or with the error that kept it from opening. */
function send(url: string, bytes: Buffer, signal: AbortSignal): Promise<Socket | Error> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: stripBrackets(hostname), port: Number(port), noDelay: true });
  return new Promise(resolve => {
    const giveUp = () => {
      socket.destroy();
      resolve(new Error('no answer in time'));
    };
    if (signal.aborted) return giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    socket.on('error', resolve); // stays: the other side may break the connection later
    socket.once('connect', () => {
      signal.removeEventListener('abort', giveUp);
      socket.write(bytes);
      resolve(socket);
    });
  });
}
