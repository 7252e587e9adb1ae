// How long the tunnel waits, and for how many: every number with its reason. Tests hand in shorter ones.

import { NETWORK_TIMEOUT_MS, PENDING_VISITOR_MS } from './wire/protocol.ts';

/** All in milliseconds. */
export const TIMINGS = {
  /** For each address of the server: a SYN lost once is repeated after 1 s, lost twice after 3 s. */
  dialAddress: 3_000,
  /**
   * After this the next address is dialled too, or the same once more: above nearly any round trip, and below the
   * kernel's own second attempt, so that a link is in use again soon after it was healed.
   */
  dialNext: 400,
  /** For all addresses together, the name's resolution included. */
  dial: 10_000,
  /** For the server's `Challenge`. One without a secret hangs up after NETWORK_TIMEOUT_MS, which is worth waiting for. */
  challenge: NETWORK_TIMEOUT_MS + 500,
  /** Hanging up earlier than this has other reasons than a secret nobody asked for. */
  earlyEnd: NETWORK_TIMEOUT_MS - 500,
  /** For the answer to `Hello`. */
  hello: NETWORK_TIMEOUT_MS,
  /** Ten heartbeats missed. */
  heartbeat: 5_000,
  /** A session that lasted this long was a good one: the next loss starts with an attempt at once. */
  goodSession: 5_000,
  /**
   * Between attempts, with as much again at random: a server that restarts does not get everybody in one moment, and
   * who lost it for half a minute at most is served 0.6 s after it is back.
   */
  retry: 200,
  /** After an outage of this length the pauses double, */
  fastRetry: 30_000,
  /** up to this one. */
  slowRetry: 10_000,
  /** Between attempts to get the same port back, which the server frees 0.25 s after a reset. */
  portRetry: 100,
  /** At the start each server of several is tried this long before the next: one that restarts is back by then. */
  serverFirst: 3_000,
  /** A server that is away this long loses the tunnel to the next: a restart is no reason to change the address. */
  serverAway: 30_000,
  /** A first connect waits this long for a taken port: an older job may be dying. */
  portFirst: 10_000,
  /** A reconnect waits this long before it takes another port, where it may. */
  portAgain: 5_000,
  /** A move to another port. */
  changePort: 10_000,
  /** For one attempt to fetch a visitor: two of them fit before the server drops it. */
  dataConnection: 4_000,
  /** A line opened ahead waits this long for a visitor; with half a second for the way, the server still listens. */
  spareHold: NETWORK_TIMEOUT_MS - 500,
  /** From this distance on lines are opened ahead; nearer, a dial costs less than the book-keeping. */
  spareRoundTrip: 5,
  /** Between attempts to fetch a visitor, */
  visitorRetry: 100,
  /** until a second before the server drops them. */
  visitor: PENDING_VISITOR_MS - 1_000,
  /** Visitors in the middle of something, at the end. */
  drain: 5_000,
} as const;

export type Timings = Readonly<Record<keyof typeof TIMINGS, number>>;

/** Visitors at a time, fetched and waiting together. Each is two sockets, and a process has 4,096 or more. */
export const MAX_VISITORS = 1_024;
/** The same where the receiver bounds itself, as the gateway does: who comes makes a stranger leave, and waiting costs no socket. */
export const MAX_GATEWAY_VISITORS = 4_096;
/** Connections to the server being opened at a time, by each thread: the usual backlog of a listening socket. */
export const MAX_DIALS = 128;
/** Attempts before a failure is worth a hint, and before an unknown name is believed. */
export const ATTEMPTS_BEFORE_HINT = 3;
