// What a tunnel is to the rest of the program: reconnect.ts makes one, exposure/public-tunnel.ts uses it.

import type { Logger } from '../shared/log.ts';
import type { TunnelState } from '../shared/state.ts';
import type { ServerAddress } from './address.ts';
import type { Timings } from './timings.ts';
import type { VisitorSink } from './visitors/visitor-sink.ts';

export interface TunnelServer {
  address: ServerAddress;
  /** Undefined if the server has none; never in any message. */
  secret?: string | undefined;
}

/**
 * The public port to ask for: exactly this one, any, or one of a range (both ends included) that is the same in every run
 * of a preview.
 */
export type RemotePort =
  | { kind: 'fixed'; port: number }
  | { kind: 'random' }
  | { kind: 'auto'; min: number; max: number };

/** All addresses of a host, in the order to try them. */
export type Lookup = (host: string) => Promise<readonly { address: string }[]>;

export interface TunnelOptions {
  /**
   * At least one. At the start each is tried for 3 s, in the preview's own order; the next one takes over when the one in
   * use stays away for 30 s. A server that is down, or is not a bore server, is logged and passed over. But if the secret
   * is wrong or the port out of range, the start fails, because the workflow has to change.
   */
  servers: readonly TunnelServer[];
  /** Names the preview, the same in every run: the order of the servers and the ports of `auto` come from it. */
  identity: string;
  remotePort: RemotePort;
  /** Where the tunnel was before it was stopped: tried first, if `remotePort` allows it. */
  preferred?: { host: string; port: number } | undefined;
  /** Gets the visitors' connections: a stream sink for the gateway, or a relay that carries their bytes to a port. */
  destination: VisitorSink;
  onState: (state: TunnelState) => void;
  logger: Logger;
  /** Whether connections to a far server may be opened ahead of visitors (never on bore.pub); default true. */
  spareConnections?: boolean | undefined;
  /** Bounds the first connect only. */
  signal: AbortSignal;
  /** Replaces the system's name resolution; for tests. */
  lookup?: Lookup;
  /** Replace numbers of TIMINGS and the limits; for tests. */
  timings?: Partial<Timings>;
  maxVisitors?: number;
  maxDials?: number;
}

export interface Tunnel {
  /** Visitors whose connection was handed on and is not closed yet. Tests find leaks by it. */
  readonly openVisitors: number;
  /**
   * Another program answers at our address: asks for another port, and never for this one again. Resolves when Connected
   * there; rejects with TunnelError, always with a fixed port.
   */
  changePort(): Promise<void>;
  /**
   * Gives the public port back at once, lets visitors finish for `drainMs` (5 s), then cuts them off. A second call
   * may shorten the wait. Never rejects.
   */
  stop(options?: { drainMs?: number }): Promise<void>;
}
