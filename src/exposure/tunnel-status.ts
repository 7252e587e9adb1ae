// What an exposure's state says about the way in, and who waits for it. Used by public-tunnel, whose
// record of it exposure follows.

import { TunnelError } from '../shared/errors.ts';
import type { ExposureState, TunnelState } from '../shared/state.ts';

export type WayIn = Pick<ExposureState, 'tunnel' | 'url' | 'verified' | 'doubt' | 'reconnects' | 'moves'>;

export class WayInRecord {
  readonly #onChange: (wayIn: WayIn) => void;
  readonly #waiting = new Set<() => void>();
  #now: WayIn = {
    tunnel: { status: 'Not started' },
    url: undefined,
    verified: undefined,
    doubt: undefined,
    reconnects: 0,
    moves: 0,
  };

  /** `onChange` is called with every change. */
  constructor(onChange: (wayIn: WayIn) => void) {
    this.#onChange = onChange;
  }

  get now(): WayIn {
    return this.#now;
  }

  change(change: Partial<WayIn>): void {
    this.#now = { ...this.#now, ...change };
    this.#onChange(this.#now);
    for (const look of this.#waiting) look();
  }

  /** The tunnel is connected, and its address known to lead here or not to be known. */
  connect(place: { host: string; port: number; url: string }, more: Partial<WayIn> = {}): void {
    const { host, port, url } = place;
    const { tunnel, reconnects } = this.#now;
    this.change({
      tunnel: { status: 'Connected', host, port },
      url,
      reconnects: reconnects + (tunnel.status === 'Reconnecting' ? 1 : 0),
      ...more,
    });
  }

  /** There is a connection, but its address is not for people's ears yet. */
  withhold(reason: string): void {
    const { tunnel } = this.#now;
    const isKnown = tunnel.status === 'Connected' || tunnel.status === 'Reconnecting';
    const held: TunnelState = isKnown
      ? { ...tunnel, status: 'Reconnecting', reason }
      : { status: 'Connecting', reason };
    this.change({ tunnel: held });
  }

  /** Resolves when it is Connected. Rejects with TunnelError when it has failed, or when the signal says so. */
  async awaitConnected(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (outcome: () => void) => {
        this.#waiting.delete(look);
        signal.removeEventListener('abort', giveUp);
        outcome();
      };
      const giveUp = () =>
        settle(() => reject(new TunnelError('the tunnel is not connected yet', { retryable: true })));
      const look = () => {
        const { tunnel } = this.#now;
        if (tunnel.status === 'Connected') settle(resolve);
        else if (tunnel.status === 'Failed')
          settle(() => reject(new TunnelError(tunnel.reason, { retryable: false })));
      };
      this.#waiting.add(look);
      signal.addEventListener('abort', giveUp, { once: true });
      look(); // it may have failed long ago
      if (signal.aborted) giveUp();
    });
  }
}
