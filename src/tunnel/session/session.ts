// One session with a bore server: connects, asks for a port, then receives visitors' announcements and heartbeats until
// the control connection is lost. Used by reconnect.ts, which decides what happens then.

import { describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { resetSocket } from '../../shared/reset.ts';
import { renderAddress, type ServerAddress } from '../address.ts';
import { quote } from '../failure.ts';
import type { Lookup } from '../tunnel.ts';
import type { VisitorFetcher } from '../visitors/visitors.ts';
import { FrameReader } from '../wire/frame-reader.ts';
import { decodeServerMessage } from '../wire/protocol.ts';
import { type ControlConnection, dialServer } from './dial.ts';
import { openPort, type PortRequest } from './open-port.ts';
import { startWatchdog } from './watchdog.ts';

/** This server limits the connections from each client address, so no spare connections are opened there. */
const SHARED_SERVER = 'bore.pub';

/** Whether many people use the server, so that it must be asked for little. */
export function isSharedServer({ host }: ServerAddress): boolean {
  return host === SHARED_SERVER;
}

export interface SessionOptions extends PortRequest {
  visitors: VisitorFetcher;
  /** Called when the control connection is open, before the first frame is sent. */
  onDialled: () => void;
  lookup: Lookup | undefined;
  logger: Logger;
  /** Ends the start, not the session. */
  signal: AbortSignal;
}

export interface Session {
  /** The public port. */
  readonly port: number;
  /** A time of performance.now(). */
  readonly startedAt: number;
  /** When the server last sent something, by the same clock. */
  readonly lastDataAt: number;
  /**
   * Resolves with the reason why this session must be replaced; never rejects. Its connection may still be open: a
   * reset that is sent while the link is dead gets lost, and then the server holds the port for seconds after the link
   * is back.
   */
  readonly ended: Promise<string>;
  /** Ends the session with `reason`; its connection stays open until `stop`. */
  retire(reason: string): void;
  /** Closes the connection with a reset, which frees the port at once. Visitors stay. May be called twice. */
  stop(): void;
}

/** Resolves when the server has opened the port. Rejects with TunnelFailure, or the signal's reason. */
export async function startSession(options: SessionOptions): Promise<Session> {
  const { signal } = options;
  const control = await dialServer(options.server, options);
  const abandon = () => resetSocket(control.socket);
  signal.addEventListener('abort', abandon, { once: true });
  try {
    signal.throwIfAborted();
    options.onDialled();
    const reader = new FrameReader(control.socket);
    return serve(options, control, reader, await openPort(control.socket, reader, options));
  } catch (error) {
    resetSocket(control.socket);
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', abandon);
  }
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
  const retire = (reason: string) => {
    watchdog.stop();
    resolve(reason);
  };
  const onFrame = createFrameHandler(options, address);
  reader.follow(
    frame => onFrame(frame),
    error => retire(describeError(error)),
  );
  socket.on('data', watchdog.onData);
  socket.once('end', () => retire('the server closed the control connection'));
  socket.once('close', () => retire(socket.errored?.message ?? 'the control connection was closed'));
  return {
    port,
    startedAt: performance.now(),
    get lastDataAt() {
      return watchdog.lastDataAt;
    },
    ended,
    retire,
    stop: () => void resetSocket(socket),
  };
}

/** Nothing a server sends after `Hello` ends the session: the first unexpected frame is logged, the rest ignored. */
function createFrameHandler(
  { visitors, logger, server, key }: SessionOptions,
  address: ServerAddress,
): (frame: Buffer) => void {
  let hasWarned = false;
  return frame => {
    const message = decodeServerMessage(frame);
    if (message === 'Heartbeat') return;
    // Use the IP address of this session: another address of the same name may be another server, without this visitor.
    if (message !== undefined && 'Connection' in message)
      return visitors.fetch(message.Connection, {
        address,
        key,
        allowsSpares: !isSharedServer(server),
      });
    if (hasWarned) return;
    hasWarned = true;
    const text = message !== undefined && 'Error' in message ? message.Error : frame;
    logger.warn(`${renderAddress(server)} sent ${quote(text)}; the tunnel goes on`);
  };
}
