// The tunnel: one session after the other, on the same server and port wherever that is possible. Used by
// public-tunnel.ts. When and where the next attempt is made is decided in attempts.ts.

import { setTimeout as delay } from 'node:timers/promises';
import { describeError, TunnelError } from '../shared/errors.ts';
import type { TunnelState } from '../shared/state.ts';
import { explainTimeout } from './failure.ts';
import { Relay } from './relay/relay.ts';
import { Attempts } from './retry/attempts.ts';
import { type Session, startSession } from './session/session.ts';
import { MAX_DIALS, MAX_GATEWAY_VISITORS, MAX_VISITORS, TIMINGS, type Timings } from './timings.ts';
import type { Tunnel, TunnelOptions } from './tunnel.ts';
import { openVisitors } from './visitors/shared-visitors.ts';
import type { VisitorFetcher } from './visitors/visitors.ts';

export type { Tunnel, TunnelOptions };

/**
 * Resolves at the first Connected. Rejects with TunnelError: at once where trying again cannot help (state Failed),
 * else when `signal` says so, with the last failures seen (state Disconnected).
 */
export async function startTunnel(options: TunnelOptions): Promise<Tunnel> {
  const tunnel = new ReconnectingTunnel(options);
  await tunnel.start(options.signal);
  return tunnel;
}

class ReconnectingTunnel implements Tunnel {
  readonly #options: TunnelOptions;
  readonly #timings: Timings;
  readonly #attempts: Attempts;
  readonly #visitors: VisitorFetcher;
  readonly #stopping = new AbortController();
  #session: Session | undefined;
  #state: TunnelState = { status: 'Not started' };
  #moved: PromiseWithResolvers<void> | undefined;
  #reconnects = 0;

  constructor(options: TunnelOptions) {
    this.#options = options;
    this.#timings = { ...TIMINGS, ...options.timings };
    this.#attempts = new Attempts(options, this.#timings);
    this.#visitors = openVisitors({
      destination: options.destination,
      logger: options.logger,
      timings: this.#timings,
      spareConnections: options.spareConnections ?? true,
      maxVisitors:
        options.maxVisitors ?? (options.destination instanceof Relay ? MAX_VISITORS : MAX_GATEWAY_VISITORS),
      maxDials: options.maxDials ?? MAX_DIALS,
    });
  }

  get state(): TunnelState {
    return this.#state;
  }

  get openVisitors(): number {
    return this.#visitors.open;
  }

  get reconnects(): number {
    return this.#reconnects;
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#enter({ status: 'Connecting' });
    const session = await this.#connect(AbortSignal.any([signal, this.#stopping.signal]));
    void this.#keepUp(session);
  }

  async changePort(): Promise<void> {
    const { address, ports } = this.#attempts.place;
    if (this.#stopping.signal.aborted || this.#state.status === 'Failed') throw explainClosed();
    const mayMove = this.#moved !== undefined || (this.#options.remotePort.kind !== 'fixed' && ports.leave());
    if (!mayMove)
      throw new TunnelError(
        `another program answers at ${address.host}:${ports.port}: choose another \`remote-port\``,
        { retryable: false },
      );
    this.#moved ??= this.#startMove();
    const late = new TunnelError(`${address.host} gave no other port in time`, { retryable: true });
    const timer = setTimeout(() => this.#endMove(late), this.#timings.changePort);
    await this.#moved.promise.finally(() => clearTimeout(timer));
  }

  async stop({ drainMs = this.#timings.drain }: { drainMs?: number } = {}): Promise<void> {
    if (!this.#stopping.signal.aborted) {
      this.#stopping.abort();
      this.#session?.stop();
      this.#endMove(explainClosed());
      if (this.#state.status !== 'Failed') this.#enter({ status: 'Disconnected' });
    }
    await this.#visitors.stop(drainMs);
  }

  /** Replaces every session that ends, until we are stopped or there is no hope. */
  async #keepUp(first: Session): Promise<void> {
    for (let session = first; ; ) {
      const reason = await session.ended;
      if (this.#stopping.signal.aborted) return;
      const lostAt = performance.now();
      this.#attempts.lose(session, reason, this.#moved !== undefined);
      if (this.#moved === undefined) this.#reconnecting(reason);
      try {
        session = await this.#connect(this.#stopping.signal);
      } catch {
        return; // stopped, or Failed: the state says it
      }
      this.#attempts.logReconnected(performance.now() - lostAt, session.port);
    }
  }

  /** Tries until there is a session. Rejects with TunnelError where there is no hope, or `signal` ends it. */
  async #connect(signal: AbortSignal): Promise<Session> {
    let pause = this.#attempts.nextPause();
    for (;;) {
      try {
        await delay(pause, undefined, { signal });
        const session = await this.#startSession(signal);
        if (signal.aborted) session.stop(); // the end came in the very moment of success
        signal.throwIfAborted();
        this.#settle(session);
        return session;
      } catch (error) {
        if (signal.aborted) throw this.#giveUp();
        pause = this.#judge(error);
      }
    }
  }

  async #startSession(signal: AbortSignal): Promise<Session> {
    const { place, home } = this.#attempts;
    const { port } = place.ports;
    const old = this.#session;
    const limit = this.#attempts.limit();
    try {
      return await startSession({
        server: place.address,
        key: place.key,
        port,
        visitors: this.#visitors,
        // Now, and not when it fell silent, the reset has a way to the server. The one we move away from stays until
        // there is another, which then cannot be the same.
        onDialled: () => {
          if (place === home && port === old?.port) old.stop();
        },
        lookup: this.#options.lookup,
        logger: this.#options.logger,
        timings: this.#timings,
        signal: limit === undefined ? signal : AbortSignal.any([signal, limit]),
      });
    } catch (error) {
      if (limit?.aborted && !signal.aborted) throw explainTimeout(place.address);
      throw error;
    }
  }

  #settle(session: Session): void {
    const { place, home } = this.#attempts;
    if (home !== undefined && this.#moved === undefined) this.#reconnects += 1;
    this.#session?.stop();
    this.#session = session;
    this.#attempts.succeed(session.port);
    this.#enter({ status: 'Connected', host: place.address.host, port: session.port });
    this.#moved?.resolve();
    this.#moved = undefined;
  }

  /** Milliseconds until the next attempt; throws where none makes sense. */
  #judge(error: unknown): number {
    try {
      const { pauseMs, reason } = this.#attempts.judge(error);
      if (this.#state.status === 'Connecting') this.#enter({ status: 'Connecting', reason });
      else if (this.#moved === undefined) this.#reconnecting(reason);
      return pauseMs;
    } catch (failure) {
      this.#session?.stop();
      this.#enter({ status: 'Failed', reason: describeError(failure) });
      this.#endMove(failure);
      throw failure;
    }
  }

  #reconnecting(reason: string): void {
    const state = this.#state;
    if (state.status === 'Connected' || (state.status === 'Reconnecting' && state.reason !== reason))
      this.#enter({ status: 'Reconnecting', host: state.host, port: state.port, reason });
  }

  #giveUp(): TunnelError {
    if (this.#state.status === 'Connecting') this.#enter({ status: 'Disconnected' });
    return this.#attempts.explainEnd();
  }

  #startMove(): PromiseWithResolvers<void> {
    this.#session?.leave('another program answers at our address; asking for another port');
    return Promise.withResolvers<void>();
  }

  #endMove(failure: unknown): void {
    this.#moved?.reject(failure);
    this.#moved = undefined;
  }

  #enter(state: TunnelState): void {
    this.#state = state;
    this.#options.onState(state);
  }
}

function explainClosed(): TunnelError {
  return new TunnelError('the tunnel is closed', { retryable: false });
}
