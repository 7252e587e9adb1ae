// The tunnel's time limits and maximum numbers, each with its reason. Used everywhere in the tunnel; tests pass shorter
// times.

import { NETWORK_TIMEOUT_MS, PENDING_VISITOR_MS } from './wire/protocol.ts';

/** All in milliseconds. */
export const TIMINGS = {
  /** For each address of the server: the kernel repeats a lost SYN after 1 s, and after 3 s. */
  dialAddress: 3_000,
  /**
   * After this the next address is dialled too, or a silent one again: longer than nearly any round trip, and shorter
   * than the kernel's pause before its second attempt, so that a repaired link is soon in use again.
   */
  dialNext: 400,
  /** For all addresses together, name resolution included. */
  dial: 10_000,
  /** For the server's `Challenge`. A server without a secret hangs up after NETWORK_TIMEOUT_MS: we wait to see that. */
  challenge: NETWORK_TIMEOUT_MS + 500,
  /** If a server hangs up earlier than this, the reason is not that it runs without a secret. */
  earlyEnd: NETWORK_TIMEOUT_MS - 500,
  /** For the answer to `Hello`. */
  hello: NETWORK_TIMEOUT_MS,
  /** Ten heartbeats missed. */
  heartbeat: 5_000,
  /** A session that lasted this long was good: when it is lost, the first attempt is made at once. */
  goodSession: 5_000,
  /**
   * Between attempts, plus a random time of up to this length, so that all tunnels do not reconnect at one moment.
   * After an outage of up to half a minute, visitors are served 0.6 s after the server is back.
   */
  retry: 200,
  /** The first pause after a good session; the next ones double up to `retry`. A restarted server is back within 50 ms. */
  firstRetry: 50,
  /** After an outage of this length the pauses double with each attempt. */
  fastRetry: 30_000,
  /** The longest pause. */
  slowRetry: 8_000,
  /** Between attempts to get the same port back, which the server frees 0.25 s after a reset. */
  portRetry: 100,
  /** At the start each of several servers is tried this long before the next one: a restart takes less. */
  serverFirst: 3_000,
  /** A server that is away this long loses the tunnel to the next one. A restart takes less and keeps the address. */
  serverAway: 30_000,
  /** A first connect waits this long for a port in use: an older job may be ending. */
  portFirst: 10_000,
  /** A reconnect waits this long for its port before it asks for another one, if `remote-port` allows that. */
  portAgain: 5_000,
  /** For a change to another port. */
  changePort: 10_000,
  /** For one attempt to fetch a visitor: two of them fit before the server drops it. */
  dataConnection: 4_000,
  /** A spare connection waits this long for a visitor: half a second for the network, before the server hangs up. */
  spareHold: NETWORK_TIMEOUT_MS - 500,
  /** From this round trip on, spare connections are opened; below it, a dial costs less than the book-keeping. */
  spareRoundTrip: 5,
  /** Between attempts to fetch a visitor. */
  visitorRetry: 100,
  /** For all attempts to fetch a visitor: a second less than the server keeps a visitor waiting. */
  visitor: PENDING_VISITOR_MS - 1_000,
  /** For visitors to finish when the tunnel stops. */
  drain: 5_000,
} as const;

export type Timings = Readonly<Record<keyof typeof TIMINGS, number>>;

/** First probe of a visitor's connection after this much silence; the kernel notices a dead peer some minutes later. */
export const KEEP_ALIVE_MS = 30_000;
/** Visitors at a time, fetched and waiting together. Each is two sockets, and a process has 4,096 or more. */
export const MAX_VISITORS = 1_024;
/** Higher limit for the gateway, which evicts unauthenticated connections itself. Waiting visitors cost no socket. */
export const MAX_GATEWAY_VISITORS = 4_096;
/** Connections to the server being opened at a time, by each thread: the usual backlog of a listening socket. */
export const MAX_DIALS = 128;
/** Failed attempts before a hint is added to the failure, and before an unknown host name counts as permanent. */
export const ATTEMPTS_BEFORE_HINT = 3;
