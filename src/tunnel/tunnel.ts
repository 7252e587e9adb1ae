// The interface and the options of a tunnel: reconnect.ts implements it, exposure/public-tunnel.ts uses it.

import type { Logger } from '../shared/log.ts';
import type { TunnelState } from '../shared/state.ts';
import type { ServerAddress } from './address.ts';
import type { Timings } from './timings.ts';
import type { VisitorSink } from './visitors/visitor-sink.ts';

export interface TunnelServer {
  address: ServerAddress;
  /** Undefined if the server has no secret; never part of a message. */
  secret?: string | undefined;
}

/**
 * The public port to ask for: exactly this one; any; or one of a range (both ends included), the same port in every run
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
   * At least one. At the start each is tried for 3 s, in the preview's own order; the next one takes over when the one
   * in use is away for 30 s. A server that is down, or is not a bore server, is logged and skipped. But if the secret is
   * wrong or the port out of range, the start fails, because the workflow has to change.
   */
  servers: readonly TunnelServer[];
  /** Names the preview, the same name in every run: the order of the servers and the ports of `auto` depend on it. */
  identity: string;
  remotePort: RemotePort;
  /** Server and port of the tunnel before it was stopped: tried first, if `remotePort` allows the port. */
  preferred?: { host: string; port: number } | undefined;
  /** Server and port of another tunnel of ours: `auto` does not ask for it, because it would wait for it in vain. */
  occupied?: { host: string; port: number } | undefined;
  /** Gets the visitors' connections: a stream sink for the gateway, or a relay that carries their bytes to a port. */
  destination: VisitorSink;
  onState: (state: TunnelState) => void;
  logger: Logger;
  /** Whether connections to a far server may be opened ahead of visitors (never on bore.pub); default true. */
  spareConnections?: boolean | undefined;
  /** Ends the attempts of the first connect; without effect later. */
  signal: AbortSignal;
  /** Replaces the system's name resolution; for tests. */
  lookup?: Lookup;
  /** Replace numbers of TIMINGS and the limits; for tests. */
  timings?: Partial<Timings>;
  maxVisitors?: number;
  maxDials?: number;
}

export interface Tunnel {
  /** Visitors whose connection was given to the destination and is not closed yet. Tests use it to find leaks. */
  readonly openVisitors: number;
  /**
   * For when another program answers at our address: asks for another port, and never for this one again. Resolves when
   * connected there; rejects with TunnelError if that fails, and always if the port is fixed.
   */
  changePort(): Promise<void>;
  /**
   * Gives the public port back at once, lets visitors finish for `drainMs` (5 s), then cuts them off. A second call
   * may shorten the wait. Never rejects.
   */
  stop(options?: { drainMs?: number }): Promise<void>;
}
