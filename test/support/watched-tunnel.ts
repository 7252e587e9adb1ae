// A tunnel that stores its state and counts its reconnects; the program itself gets both through `onState`. Used by
// tunnel-rig.ts, tunnel-child.ts and test/tunnel/session-fuzz.test.ts.

import type { TunnelState } from '../../src/shared/state.ts';
import { startTunnel } from '../../src/tunnel/reconnect.ts';
import type { Tunnel, TunnelOptions } from '../../src/tunnel/tunnel.ts';
import {
  createStreamSink,
  type StreamReceiver,
  type VisitorSink,
} from '../../src/tunnel/visitors/visitor-sink.ts';

export interface WatchedTunnel extends Tunnel {
  readonly state: TunnelState;
  /** How often the tunnel has reconnected. */
  readonly reconnects: number;
}

/** Options of a tunnel whose destination may also be a receiver of streams. */
export type WatchedOptions = Omit<TunnelOptions, 'destination'> & {
  destination: StreamReceiver | VisitorSink;
};

export async function startWatchedTunnel(options: WatchedOptions): Promise<WatchedTunnel> {
  const { destination, onState } = options;
  let state: TunnelState = { status: 'Not started' };
  let reconnects = 0;
  const tunnel = await startTunnel({
    ...options,
    destination: typeof destination === 'function' ? createStreamSink(destination) : destination,
    onState: next => {
      if (next.status === 'Connected' && state.status === 'Reconnecting') reconnects += 1;
      state = next;
      onState(next);
    },
  });
  return {
    get state() {
      return state;
    },
    get reconnects() {
      return reconnects;
    },
    get openVisitors() {
      return tunnel.openVisitors;
    },
    changePort: () => tunnel.changePort(),
    stop: stopOptions => tunnel.stop(stopOptions),
  };
}
