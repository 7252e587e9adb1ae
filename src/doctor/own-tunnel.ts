// The doctor's own tunnel: one session with the server, with a tiny app behind it, which gives its port back at once.
// Used by subject.ts, for all checks; checks/port-range.ts asks for single ports with it.

import type { KeyObject } from 'node:crypto';
import type { PortRange } from '../inputs/tunnel.ts';
import type { Logger } from '../shared/log.ts';
import type { ServerAddress } from '../tunnel/address.ts';
import { TunnelFailure } from '../tunnel/failure.ts';
import { type Session, startSession } from '../tunnel/session/session.ts';
import { TIMINGS } from '../tunnel/timings.ts';
import type { Lookup } from '../tunnel/tunnel.ts';
import { createStreamSink } from '../tunnel/visitors/visitor-sink.ts';
import { Visitors } from '../tunnel/visitors/visitors.ts';
import { OwnApp } from './own-app.ts';

/** Of the whole dial, name resolution included: one silent address takes 3 s. */
const DIAL_MS = 4_000;
const MAX_VISITORS = 64;
const MAX_DIALS = 16;
/** A random port of the range may be in use. */
const RANDOM_ATTEMPTS = 3;

const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface TunnelRequest {
  server: ServerAddress;
  key: KeyObject | undefined;
  lookup: Lookup;
  signal: AbortSignal;
}

export interface OwnTunnel {
  /** The public port. */
  readonly port: number;
  /** Why the server did not give a port of the range; it chose `port` itself. */
  readonly refusal: TunnelFailure | undefined;
  readonly app: OwnApp;
  /** Of the TCP handshake with the server: one round trip. */
  readonly connectMs: number;
  /** From the end of it until the server had opened the port. */
  readonly openMs: number;
  stop(): Promise<void>;
}

/** `isConnected`: the TCP connection was opened, so the failure is about what the server said. */
export interface FailedTunnel {
  failure: TunnelFailure;
  isConnected: boolean;
}

/** The tunnel on a random port of the range; without a range, or if none of it is given, on the server's choice. */
export async function openOwnTunnel(
  request: TunnelRequest,
  range: PortRange | undefined,
): Promise<OwnTunnel | FailedTunnel> {
  let refusal: TunnelFailure | undefined;
  for (let attempt = 0; range !== undefined && attempt < RANDOM_ATTEMPTS; attempt += 1) {
    const port = range.min + Math.floor(Math.random() * (range.max - range.min + 1));
    const opened = await openPort(request, port);
    if (!('failure' in opened) || !isAboutPort(opened.failure)) return opened;
    refusal = opened.failure;
    if (refusal.kind === 'port-refused') break;
  }
  const opened = await openPort(request, 0);
  return 'failure' in opened ? opened : { ...opened, refusal };
}

/** What the server says to a request for one port, which is given back at once; undefined: it opened it. */
export async function askForPort(request: TunnelRequest, port: number): Promise<TunnelFailure | undefined> {
  const opened = await openPort(request, port);
  if ('failure' in opened) return opened.failure;
  await opened.stop();
  return undefined;
}

export function isAboutPort({ kind }: TunnelFailure): boolean {
  return kind === 'port-refused' || kind === 'port-taken';
}

async function openPort(request: TunnelRequest, port: number): Promise<OwnTunnel | FailedTunnel> {
  const app = new OwnApp();
  const timings = { ...TIMINGS, dial: DIAL_MS };
  const visitors = new Visitors({
    destination: createStreamSink(app.receive),
    logger: SILENT,
    timings,
    spareConnections: false,
    maxVisitors: MAX_VISITORS,
    maxDials: MAX_DIALS,
  });
  const startedAt = performance.now();
  let connectedAt: number | undefined;
  try {
    const session = await startSession({
      ...request,
      port,
      timings,
      visitors,
      logger: SILENT,
      onDialled: () => {
        connectedAt = performance.now();
      },
    });
    const connected = connectedAt ?? startedAt;
    return {
      port: session.port,
      refusal: undefined,
      app,
      connectMs: connected - startedAt,
      openMs: performance.now() - connected,
      stop: () => stop(session, visitors),
    };
  } catch (error) {
    if (!(error instanceof TunnelFailure)) throw error;
    return { failure: error, isConnected: connectedAt !== undefined };
  }
}

async function stop(session: Session, visitors: Visitors): Promise<void> {
  session.stop();
  await visitors.stop(0);
}
