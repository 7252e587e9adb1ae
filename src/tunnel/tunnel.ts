// What a tunnel is to the rest of the program: reconnect.ts makes one, exposure.ts uses it.

import type { Duplex } from 'node:stream';
import type { Logger } from '../log.ts';
import type { TunnelState } from '../state.ts';
import type { ServerAddress } from './address.ts';
import type { Timings } from './timings.ts';

export interface TunnelOptions {
  server: ServerAddress;
  /** Undefined for none; never in any message. */
  secret?: string;
  remotePort: number | 'random';
  /** With 'random': asked for first, given up where it is refused or stays taken. */
  preferredPort?: number;
  /** A visitor's own byte stream: noDelay, allowHalfOpen. The receiver ends both directions. */
  onVisitor: (socket: Duplex) => void;
  onState: (state: TunnelState) => void;
  logger: Logger;
  /** Bounds the first connect only. */
  signal: AbortSignal;
  /** Other numbers than the usual ones; for tests. */
  timings?: Partial<Timings>;
  maxVisitors?: number;
  maxDials?: number;
}

export interface Tunnel {
  readonly state: TunnelState;
  readonly openVisitors: number;
  /** How often the control connection was lost and came back. */
  readonly reconnects: number;
  /**
   * A stranger answers at our address: with 'random' takes another port. Resolves when Connected there; rejects with
   * TunnelError, with a fixed port always.
   */
  move(): Promise<void>;
  /**
   * Gives the public port back at once, lets visitors finish for `drainMs` (5 s), then cuts them off. A second call
   * may shorten the wait. Never rejects.
   */
  stop(options?: { drainMs?: number }): Promise<void>;
}
