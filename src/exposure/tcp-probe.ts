// The proof that a public address leads here where no gateway could answer: our own bytes, sent to the address, come
// out at our relay. Used by entrance.

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { ProbeAnswer } from '../gateway/probe.ts';
import { describeError } from '../shared/errors.ts';
import { stripBrackets } from '../shared/public-url.ts';
import type { Relay } from '../tunnel/relay/relay.ts';
import { MAX_VISITORS } from '../tunnel/timings.ts';

/** 256 bits: no visitor sends them by chance. */
const TOKEN_BYTES = 32;
/** The way out, through the server and back in takes five round trips; half a second each is a satellite's. */
const ARRIVAL_TIMEOUT_MS = 3_000;

/**
 * Connects to `url` (`tcp://host:port`), sends a token, and waits for it at the relay. `unproved`: the connection stood
 * and the token did not come; so it does with a stranger, and where something in between accepts every connection.
 */
export async function askForToken(
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
    // They came the same way, and may have taken the place that was meant for us.
    if (relay.visits > visitsBefore || relay.open >= MAX_VISITORS)
      return { kind: 'silent', detail: 'too many visitors came in between' };
    return { kind: 'unproved', detail: 'it takes connections, and what is sent there does not arrive here' };
  } finally {
    over.abort();
    if (!(sent instanceof Error)) sent.destroy();
  }
}

/** Resolves with the connection, the bytes on their way, or with why there is none. */
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
    socket.on('error', resolve); // and stays: whoever answers may break the connection
    socket.once('connect', () => {
      signal.removeEventListener('abort', giveUp);
      socket.write(bytes);
      resolve(socket);
    });
  });
}
