// A tunnel that remembers its state and counts its reconnects, which the program itself follows through `onState`. Used
// by every test that opens a tunnel.

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
  /** How often the control connection was lost and came back. */
  readonly reconnects: number;
}

/** A receiver of streams may stand for its sink. */
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
