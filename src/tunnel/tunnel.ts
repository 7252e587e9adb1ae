// What a tunnel is to the rest of the program: reconnect.ts makes one, public-tunnel.ts uses it.

import type { Duplex } from 'node:stream';
import type { Logger } from '../shared/log.ts';
import type { TunnelState } from '../shared/state.ts';
import type { ServerAddress } from './address.ts';
import type { Relay } from './relay/relay.ts';
import type { Timings } from './timings.ts';

export interface TunnelServer {
  address: ServerAddress;
  /** Undefined for none; never in any message. */
  secret?: string | undefined;
}

/**
 * The public port: this one and no other, any, or one of a range (both ends included) that is the same in every run of
 * a preview.
 */
export type RemotePort =
  | { kind: 'fixed'; port: number }
  | { kind: 'random' }
  | { kind: 'auto'; min: number; max: number };

/** Gets each visitor's own byte stream: noDelay, allowHalfOpen. It ends both directions. */
export type StreamReceiver = (visitor: Duplex) => void;

/** All addresses of a host, in the order to try them. */
export type Lookup = (host: string) => Promise<readonly { address: string }[]>;

export interface TunnelOptions {
  /**
   * At least one. In the preview's own order each is tried for 3 s at the start; the next takes over when the one in
   * use stays away for 30 s. One that is down, or is no bore server, is told of and passed over; but where the secret
   * is wrong or the port out of range the start fails, because the workflow has to change.
   */
  servers: readonly TunnelServer[];
  /** Names the preview, the same in every run: the order of the servers and the ports of `auto` come from it. */
  identity: string;
  remotePort: RemotePort;
  /** Where the tunnel was before it was stopped: asked for first, where the wish allows it. */
  preferred?: { host: string; port: number } | undefined;
  /** Who gets the visitors: the gateway as streams, or a relay that carries their bytes to a port. */
  destination: StreamReceiver | Relay;
  onState: (state: TunnelState) => void;
  logger: Logger;
  /** Whether lines may be opened ahead of visitors where the server is far; true where absent. Never on bore.pub. */
  spareConnections?: boolean | undefined;
  /** Bounds the first connect only. */
  signal: AbortSignal;
  /** Other than that of the system; for tests. */
  lookup?: Lookup;
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
   * A stranger answers at our address: takes another port, and never comes back to this one. Resolves when Connected
   * there; rejects with TunnelError, with a fixed port always.
   */
  changePort(): Promise<void>;
  /**
   * Gives the public port back at once, lets visitors finish for `drainMs` (5 s), then cuts them off. A second call
   * may shorten the wait. Never rejects.
   */
  stop(options?: { drainMs?: number }): Promise<void>;
}
