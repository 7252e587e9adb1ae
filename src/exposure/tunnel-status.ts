// The part of an exposure's state that describes the tunnel, and the wait until it is connected. Written by
// public-tunnel; exposure copies every change into its state.

import { raceSignal } from '../shared/abort.ts';
import { TunnelError } from '../shared/errors.ts';
import type { AddressState, ExposureState, TunnelState } from '../shared/state.ts';

export type TunnelStatus = Pick<
  ExposureState,
  'tunnel' | 'connectedAt' | 'address' | 'reconnects' | 'addressChanges'
>;

export class TunnelStatusRecord {
  readonly #onChange: (status: TunnelStatus) => void;
  readonly #waiting = new Set<() => void>();
  #now: TunnelStatus = {
    tunnel: { status: 'Not started' },
    connectedAt: undefined,
    address: { kind: 'none' },
    reconnects: 0,
    addressChanges: 0,
  };

  /** `onChange` is called with every change. */
  constructor(onChange: (status: TunnelStatus) => void) {
    this.#onChange = onChange;
  }

  get now(): TunnelStatus {
    return this.#now;
  }

  change(change: Partial<TunnelStatus>): void {
    const next = { ...this.#now, ...change };
    const connectedAt = next.tunnel.status === 'Connected' ? (next.connectedAt ?? new Date()) : undefined;
    this.#now = { ...next, connectedAt };
    this.#onChange(this.#now);
    for (const look of this.#waiting) look();
  }

  /** The tunnel is connected to that server and port, with that address in front. */
  connect({ host, port }: { host: string; port: number }, address: AddressState, addressChanges = 0): void {
    const { tunnel, reconnects } = this.#now;
    this.change({
      tunnel: { status: 'Connected', host, port },
      address,
      reconnects: reconnects + (tunnel.status === 'Reconnecting' ? 1 : 0),
      addressChanges: this.#now.addressChanges + addressChanges,
    });
  }

  /** Connected, but the address must not be published yet. */
  withhold(reason: string): void {
    const { tunnel } = this.#now;
    const hasAddress = tunnel.status === 'Connected' || tunnel.status === 'Reconnecting';
    const withheld: TunnelState = hasAddress
      ? { ...tunnel, status: 'Reconnecting', reason }
      : { status: 'Connecting', reason };
    this.change({ tunnel: withheld });
  }

  /** Resolves when Connected. Rejects with a TunnelError when the tunnel has failed, or when the signal is aborted. */
  async waitUntilConnected(signal: AbortSignal): Promise<void> {
    const connected = Promise.withResolvers<void>();
    const look = () => {
      const { tunnel } = this.#now;
      if (tunnel.status === 'Connected') connected.resolve();
      if (tunnel.status === 'Failed') connected.reject(new TunnelError(tunnel.reason, { retryable: false }));
    };
    this.#waiting.add(look);
    look(); // it may have failed long ago
    try {
      await raceSignal(connected.promise, signal);
    } catch (error) {
      throw error instanceof TunnelError
        ? error
        : new TunnelError('the tunnel is not connected yet', { retryable: true });
    } finally {
      this.#waiting.delete(look);
    }
  }
}
