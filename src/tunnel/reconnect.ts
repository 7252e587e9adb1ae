// The tunnel: one session after the other, on the same server and port if possible. Used by exposure/public-tunnel.ts.
// retry/retry-policy.ts decides when and where the next attempt is made.

import { setTimeout as delay } from 'node:timers/promises';
import { describeError, TunnelError } from '../shared/errors.ts';
import type { TunnelState } from '../shared/state.ts';
import { explainTimeout } from './failure.ts';
import { RetryPolicy } from './retry/retry-policy.ts';
import { type Session, startSession } from './session/session.ts';
import { MAX_DIALS, TIMINGS, type Timings } from './timings.ts';
import type { Tunnel, TunnelOptions } from './tunnel.ts';
import { createVisitors } from './visitors/shared-visitors.ts';
import type { VisitorFetcher } from './visitors/visitors.ts';

/**
 * Resolves at the first Connected. Rejects with TunnelError: at once if trying again cannot help (state Failed),
 * otherwise when `signal` is aborted, with the last failures (state Disconnected).
 */
export async function startTunnel(options: TunnelOptions): Promise<Tunnel> {
  const tunnel = new ReconnectingTunnel(options);
  await tunnel.start(options.signal);
  return tunnel;
}

class ReconnectingTunnel implements Tunnel {
  readonly #options: TunnelOptions;
  readonly #timings: Timings;
  readonly #retryPolicy: RetryPolicy;
  readonly #visitors: VisitorFetcher;
  readonly #stopping = new AbortController();
  #session: Session | undefined;
  #state: TunnelState = { status: 'Not started' };
  /** Set while we change to another port: resolved when Connected there. */
  #portChange: PromiseWithResolvers<void> | undefined;

  constructor(options: TunnelOptions) {
    this.#options = options;
    this.#timings = { ...TIMINGS, ...options.timings };
    this.#retryPolicy = new RetryPolicy(options, this.#timings);
    this.#visitors = createVisitors({
      destination: options.destination,
      logger: options.logger,
      timings: this.#timings,
      spareConnections: options.spareConnections ?? true,
      maxVisitors: options.maxVisitors ?? options.destination.maxVisitors,
      maxDials: options.maxDials ?? MAX_DIALS,
    });
  }

  get openVisitors(): number {
    return this.#visitors.open;
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#enter({ status: 'Connecting' });
    const session = await this.#connect(AbortSignal.any([signal, this.#stopping.signal]));
    void this.#replaceSessions(session);
  }

  async changePort(): Promise<void> {
    const { address, ports } = this.#retryPolicy.server;
    if (this.#stopping.signal.aborted || this.#state.status === 'Failed') throw explainClosed();
    const isPossible =
      this.#portChange !== undefined || (this.#options.remotePort.kind !== 'fixed' && ports.reject());
    if (!isPossible)
      throw new TunnelError(
        `another program answers at ${address.host}:${ports.port}: choose another \`remote-port\``,
        { retryable: false },
      );
    this.#portChange ??= this.#startPortChange();
    const late = new TunnelError(`${address.host} gave no other port in time`, { retryable: true });
    const timer = setTimeout(() => this.#failPortChange(late), this.#timings.changePort);
    await this.#portChange.promise.finally(() => clearTimeout(timer));
  }

  async stop({ drainMs = this.#timings.drain }: { drainMs?: number } = {}): Promise<void> {
    if (!this.#stopping.signal.aborted) {
      this.#stopping.abort();
      this.#session?.stop();
      this.#failPortChange(explainClosed());
      if (this.#state.status !== 'Failed') this.#enter({ status: 'Disconnected' });
    }
    await this.#visitors.stop(drainMs);
  }

  /** Replaces every session that ends, until we are stopped, or trying again cannot help. */
  async #replaceSessions(first: Session): Promise<void> {
    for (let session = first; ; ) {
      const reason = await session.ended;
      if (this.#stopping.signal.aborted) return;
      const lostAt = performance.now();
      this.#retryPolicy.markLost(session, reason, this.#portChange !== undefined);
      this.#reportReconnecting(reason);
      try {
        session = await this.#connect(this.#stopping.signal);
      } catch {
        return; // stopped, or Failed: `onState` has reported it
      }
      this.#retryPolicy.logReconnected(performance.now() - lostAt, session.port);
    }
  }

  /** Tries until there is a session. Rejects with TunnelError if that cannot succeed, or `signal` ends it. */
  async #connect(signal: AbortSignal): Promise<Session> {
    let pause = this.#retryPolicy.nextPause();
    for (;;) {
      try {
        await delay(pause, undefined, { signal });
        const session = await this.#startSession(signal);
        if (signal.aborted) session.stop(); // aborted at the moment of success
        signal.throwIfAborted();
        this.#use(session);
        return session;
      } catch (error) {
        if (signal.aborted) throw this.#explainAbort();
        pause = this.#decidePause(error);
      }
    }
  }

  async #startSession(signal: AbortSignal): Promise<Session> {
    const { server, lastServer } = this.#retryPolicy;
    const { port } = server.ports;
    const old = this.#session;
    const limit = this.#retryPolicy.createLimit();
    try {
      return await startSession({
        server: server.address,
        key: server.key,
        port,
        visitors: this.#visitors,
        // Only now can a reset reach the server and free the port: when the session fell silent, the link was dead. If
        // we change to another port, the old session stays open until the new one is ready, so that the server cannot
        // give us the old port again.
        onDialled: () => {
          if (server === lastServer && port === old?.port) old.stop();
        },
        lookup: this.#options.lookup,
        logger: this.#options.logger,
        timings: this.#timings,
        signal: limit === undefined ? signal : AbortSignal.any([signal, limit]),
      });
    } catch (error) {
      if (limit?.aborted && !signal.aborted) throw explainTimeout(server.address);
      throw error;
    }
  }

  #use(session: Session): void {
    this.#session?.stop();
    this.#session = session;
    this.#retryPolicy.markConnected(session.port);
    const { host } = this.#retryPolicy.server.address;
    this.#enter({ status: 'Connected', host, port: session.port });
    this.#portChange?.resolve();
    this.#portChange = undefined;
  }

  /** Milliseconds until the next attempt. Throws if trying again cannot help. */
  #decidePause(error: unknown): number {
    try {
      const { pauseMs, reason } = this.#retryPolicy.decideRetry(error);
      if (this.#state.status === 'Connecting') this.#enter({ status: 'Connecting', reason });
      else this.#reportReconnecting(reason);
      return pauseMs;
    } catch (failure) {
      this.#session?.stop();
      this.#enter({ status: 'Failed', reason: describeError(failure) });
      this.#failPortChange(failure);
      throw failure;
    }
  }

  /** Reports nothing during a change of port, which we wanted: the old address is shown until there is a new one. */
  #reportReconnecting(reason: string): void {
    if (this.#portChange !== undefined) return;
    const state = this.#state;
    if (state.status === 'Connected' || (state.status === 'Reconnecting' && state.reason !== reason))
      this.#enter({ status: 'Reconnecting', host: state.host, port: state.port, reason });
  }

  #explainAbort(): TunnelError {
    if (this.#state.status === 'Connecting') this.#enter({ status: 'Disconnected' });
    return this.#retryPolicy.explainEnd();
  }

  #startPortChange(): PromiseWithResolvers<void> {
    this.#session?.retire('another program answers at our address; asking for another port');
    return Promise.withResolvers<void>();
  }

  #failPortChange(failure: unknown): void {
    this.#portChange?.reject(failure);
    this.#portChange = undefined;
  }

  #enter(state: TunnelState): void {
    this.#state = state;
    this.#options.onState(state);
  }
}

function explainClosed(): TunnelError {
  return new TunnelError('the tunnel is closed', { retryable: false });
}
