// One session with a bore server: dials, greets, asks for a port, then listens for visitors and heartbeats until the
// control connection is lost. Used by reconnect.ts, which decides what to do about it.

import type { KeyObject } from 'node:crypto';
import { describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { resetSocket } from '../../shared/reset.ts';
import { renderAddress, type ServerAddress } from '../address.ts';
import {
  explainErrorFrame,
  explainNotBore,
  explainSecretRequired,
  explainSecretUnwanted,
  explainWrongPort,
  quote,
  TunnelFailure,
} from '../failure.ts';
import type { Timings } from '../timings.ts';
import type { Lookup } from '../tunnel.ts';
import type { VisitorFetcher } from '../visitors/visitors.ts';
import { FrameReader, NoFrame } from '../wire/frame-reader.ts';
import { decodeServerMessage, FrameTooLong } from '../wire/protocol.ts';
import { type ControlConnection, dialServer } from './dial.ts';
import { greet, UnexpectedFrame } from './greeting.ts';
import { startWatchdog } from './watchdog.ts';

/** Limits the connections of each address it serves: none is opened there that may not be needed. */
const SHARED_SERVER = 'bore.pub';

export interface SessionOptions {
  server: ServerAddress;
  key: KeyObject | undefined;
  /** The public port to ask for; 0 for any. */
  port: number;
  visitors: VisitorFetcher;
  /** The connection stands, nothing was said yet. */
  onDialled: () => void;
  lookup: Lookup | undefined;
  logger: Logger;
  timings: Timings;
  /** Ends the start, not the session. */
  signal: AbortSignal;
}

export interface Session {
  /** The public port. */
  readonly port: number;
  /** Of performance.now(). */
  readonly startedAt: number;
  /** When the server said something last, by the same clock. */
  readonly heardAt: number;
  /**
   * Resolves, never rejects, with the reason why this session is to be replaced. Its connection may still be open: a
   * reset sent into a dead link is lost, and the server would hold the port for seconds after the link is healed.
   */
  readonly ended: Promise<string>;
  /** Asks to be replaced. */
  leave(reason: string): void;
  /** Closes the connection with a reset, which frees the port at once. Visitors stay. May be called twice. */
  stop(): void;
}

/** Resolves when the server has opened the port. Rejects with TunnelFailure, or the signal's reason. */
export async function startSession(options: SessionOptions): Promise<Session> {
  const { signal } = options;
  const line = await dialServer(options.server, options);
  const abandon = () => resetSocket(line.socket);
  signal.addEventListener('abort', abandon, { once: true });
  try {
    signal.throwIfAborted();
    options.onDialled();
    const reader = new FrameReader(line.socket);
    return serve(options, line, reader, await askForPort(options, line, reader));
  } catch (error) {
    resetSocket(line.socket);
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', abandon);
  }
}

async function askForPort(
  options: SessionOptions,
  { socket }: ControlConnection,
  reader: FrameReader,
): Promise<number> {
  const { server, key, port, timings } = options;
  const connectedAt = performance.now();
  try {
    await greet(socket, reader, key, { Hello: port }, timings.challenge);
  } catch (error) {
    const late = performance.now() - connectedAt >= timings.earlyEnd;
    if (late && error instanceof NoFrame && error.why === 'ended' && error.said.length === 0)
      throw explainSecretUnwanted(server);
    throw explainGreeting(options, error);
  }
  try {
    return readPort(options, await reader.next(timings.hello));
  } catch (error) {
    throw explainGreeting(options, error);
  }
}

function readPort({ server, port }: SessionOptions, frame: Buffer): number {
  const message = decodeServerMessage(frame);
  if (typeof message !== 'object' || !('Hello' in message)) throw new UnexpectedFrame(frame);
  if (message.Hello === 0 || (port !== 0 && message.Hello !== port))
    throw explainWrongPort(server, port, message.Hello);
  return message.Hello;
}

function explainGreeting(options: SessionOptions, error: unknown): unknown {
  const { server } = options;
  if (error instanceof FrameTooLong) return explainNotBore(server, error.bytes);
  if (error instanceof UnexpectedFrame) return explainUnexpectedFrame(options, error.frame);
  if (!(error instanceof NoFrame)) return error;
  if (error.why === 'timeout' || error.said.length > 0) return explainNotBore(server, error.said);
  const message = `${renderAddress(server)} closed the connection during the handshake`;
  return new TunnelFailure('transient', message, { cause: error.cause });
}

function explainUnexpectedFrame({ server, key, port }: SessionOptions, frame: Buffer): TunnelFailure {
  const message = decodeServerMessage(frame);
  if (typeof message === 'object' && 'Error' in message)
    return explainErrorFrame(server, port, message.Error, key !== undefined);
  if (typeof message === 'object' && 'Challenge' in message) return explainSecretRequired(server);
  return explainNotBore(server, frame);
}

function serve(
  options: SessionOptions,
  { socket, address }: ControlConnection,
  reader: FrameReader,
  port: number,
): Session {
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  const { heartbeat } = options.timings;
  const watchdog = startWatchdog(heartbeat, () => resolve(`no heartbeat for ${heartbeat / 1_000} s`));
  const leave = (reason: string) => {
    watchdog.stop();
    resolve(reason);
  };
  const hear = listenForVisitors(options, address);
  reader.follow(
    frame => hear(frame),
    error => leave(describeError(error)),
  );
  socket.on('data', watchdog.hear);
  socket.once('end', () => leave('the server closed the control connection'));
  socket.once('close', () => leave(socket.errored?.message ?? 'the control connection was closed'));
  return {
    port,
    startedAt: performance.now(),
    get heardAt() {
      return watchdog.heardAt;
    },
    ended,
    leave,
    stop: () => void resetSocket(socket),
  };
}

/** Nothing a server says after `Hello` ends the session: the first oddity is told, the rest ignored. */
function listenForVisitors(
  { visitors, logger, server, key }: SessionOptions,
  address: ServerAddress,
): (frame: Buffer) => void {
  let told = false;
  return frame => {
    const message = decodeServerMessage(frame);
    if (message === 'Heartbeat') return;
    // To the very address of this session: another one of the same name may be another server, which knows nobody.
    if (message !== undefined && 'Connection' in message)
      return visitors.invite(message.Connection, {
        address,
        key,
        allowsSpares: server.host !== SHARED_SERVER,
      });
    if (told) return;
    told = true;
    const said = message !== undefined && 'Error' in message ? message.Error : frame;
    logger.warn(`${renderAddress(server)} says ${quote(said)}; the tunnel goes on`);
  };
}
