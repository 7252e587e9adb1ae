// The tunnel: one session after the other, with the same public port wherever the server allows it. Used by
// exposure.ts.

import { setTimeout as delay } from 'node:timers/promises';
import { describeError, TunnelError } from '../errors.ts';
import type { TunnelState } from '../state.ts';
import { renderAddress, type ServerAddress } from './address.ts';
import { Backoff } from './backoff.ts';
import { type Session, startSession } from './client.ts';
import { hintAtFirewall, TunnelFailure } from './failure.ts';
import { PortChoice } from './port-choice.ts';
import { deriveKey } from './protocol.ts';
import { ATTEMPTS_BEFORE_HINT, MAX_DIALS, MAX_VISITORS, TIMINGS, type Timings } from './timings.ts';
import type { Tunnel, TunnelOptions } from './tunnel.ts';
import { Visitors } from './visitors.ts';

export type { Tunnel, TunnelOptions };

/**
 * Resolves at the first Connected. Rejects with TunnelError: at once where trying again cannot help (state Failed),
 * else when `signal` says so, with the last failure seen (state Disconnected).
 */
export async function startTunnel(options: TunnelOptions): Promise<Tunnel> {
  const tunnel = new ReconnectingTunnel(options);
  await tunnel.start(options.signal);
  return tunnel;
}

class ReconnectingTunnel implements Tunnel {
  readonly #options: TunnelOptions;
  readonly #server: ServerAddress;
  readonly #timings: Timings;
  readonly #key: ReturnType<typeof deriveKey> | undefined;
  readonly #visitors: Visitors;
  readonly #choice: PortChoice;
  readonly #backoff: Backoff;
  readonly #stopping = new AbortController();
  #session: Session | undefined;
  #state: TunnelState = { status: 'Not started' };
  #moved: PromiseWithResolvers<void> | undefined;
  #reconnects = 0;

  constructor(options: TunnelOptions) {
    this.#options = options;
    const [first] = options.servers;
    if (first === undefined) throw new Error('a tunnel needs a server');
    const { address, secret } = first;
    this.#server = address;
    this.#timings = { ...TIMINGS, ...options.timings };
    this.#key = secret === undefined ? undefined : deriveKey(secret);
    this.#choice = new PortChoice(options.remotePort, options.preferred?.port, this.#timings);
    this.#backoff = new Backoff(this.#timings);
    this.#visitors = new Visitors({
      destination: options.destination,
      logger: options.logger,
      timings: this.#timings,
      maxVisitors: options.maxVisitors ?? MAX_VISITORS,
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

  async move(): Promise<void> {
    const { host } = this.#server;
    if (this.#choice.fixed)
      throw new TunnelError(
        `somebody else answers at ${host}:${this.#choice.port}: choose another \`remote-port\``,
        { retryable: false },
      );
    if (this.#stopping.signal.aborted || this.#state.status === 'Failed') throw explainClosed();
    this.#moved ??= this.#startMove();
    const late = new TunnelError(`${host} gave no other port in time`, { retryable: true });
    const timer = setTimeout(() => this.#endMove(late), this.#timings.move);
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
      const wasGood = lostAt - session.startedAt >= this.#timings.goodSession;
      if (wasGood || this.#moved !== undefined) this.#backoff.reset();
      const { host } = this.#server;
      if (this.#moved === undefined)
        this.#enter({ status: 'Reconnecting', host, port: session.port, reason });
      this.#options.logger.info(`reconnecting to ${renderAddress(this.#server)}: ${reason}`);
      try {
        session = await this.#connect(this.#stopping.signal);
      } catch {
        return; // stopped, or Failed: the state says it
      }
      const seconds = ((performance.now() - lostAt) / 1_000).toFixed(1);
      this.#options.logger.info(`connected again after ${seconds} s, public port ${session.port}`);
    }
  }

  /** Tries until there is a session. Rejects with TunnelError where there is no hope, or `signal` ends it. */
  async #connect(signal: AbortSignal): Promise<Session> {
    let last: TunnelError | undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await delay(this.#nextPause(), undefined, { signal });
        const session = await this.#startSession(signal);
        this.#settle(session);
        return session;
      } catch (error) {
        if (signal.aborted) throw this.#giveUp(last);
        last = this.#judge(error, attempt);
      }
    }
  }

  #nextPause(): number {
    const now = performance.now();
    return this.#choice.isBeingFreed(now) ? this.#timings.portRetry : this.#backoff.next(now);
  }

  async #startSession(signal: AbortSignal): Promise<Session> {
    const server = this.#server;
    const { logger } = this.#options;
    const old = this.#session;
    const { port } = this.#choice;
    return await startSession({
      server,
      key: this.#key,
      port,
      visitors: this.#visitors,
      // Now, and not when it fell silent, the reset has a way to the server. The one we move away from stays until
      // there is another, which then cannot be the same.
      onDialled: () => {
        if (port !== 0) old?.stop();
      },
      logger,
      timings: this.#timings,
      signal,
    });
  }

  #settle(session: Session): void {
    if (this.#choice.connectedBefore && this.#moved === undefined) this.#reconnects += 1;
    this.#session?.stop();
    this.#session = session;
    this.#choice.settle(session.port);
    this.#enter({ status: 'Connected', host: this.#server.host, port: session.port });
    this.#moved?.resolve();
    this.#moved = undefined;
  }

  /** Returns a failure that is worth another attempt, as people are told of it, and throws any other. */
  #judge(error: unknown, attempt: number): TunnelError {
    const first = !this.#choice.connectedBefore;
    if (
      error instanceof TunnelFailure &&
      !isHopeless(error, first, attempt) &&
      this.#choice.survive(error, performance.now())
    ) {
      const reason = this.#tell(error, attempt);
      return new TunnelError(reason, { cause: error, retryable: true });
    }
    this.#session?.stop();
    const failure = error instanceof TunnelError ? error : explainBug(error);
    this.#enter({ status: 'Failed', reason: describeError(failure) });
    this.#endMove(failure);
    throw failure;
  }

  #tell(failure: TunnelFailure, attempt: number): string {
    const server = this.#server;
    const { logger } = this.#options;
    const hint =
      failure.kind === 'transient' && attempt >= ATTEMPTS_BEFORE_HINT ? `; ${hintAtFirewall(server)}` : '';
    const reason = `${describeError(failure)}${hint}`;
    if (this.#state.status === 'Connecting') {
      this.#enter({ status: 'Connecting', reason });
      if (attempt === ATTEMPTS_BEFORE_HINT) logger.warn(reason);
    } else if (this.#state.status === 'Reconnecting' && this.#state.reason !== reason)
      this.#enter({ ...this.#state, reason });
    logger.debug(`attempt ${attempt} failed: ${reason}`);
    return reason;
  }

  #giveUp(last: TunnelError | undefined): TunnelError {
    if (this.#state.status === 'Connecting') this.#enter({ status: 'Disconnected' });
    const where = renderAddress(this.#server);
    return last ?? new TunnelError(`${where} did not answer in time`, { retryable: true });
  }

  #startMove(): PromiseWithResolvers<void> {
    this.#choice.giveUp();
    this.#session?.leave('somebody else answers at our address; asking for another port');
    return Promise.withResolvers<void>();
  }

  #endMove(failure: TunnelError): void {
    this.#moved?.reject(failure);
    this.#moved = undefined;
  }

  #enter(state: TunnelState): void {
    this.#state = state;
    this.#options.onState(state);
  }
}

function isHopeless(failure: TunnelFailure, first: boolean, attempt: number): boolean {
  if (failure.kind === 'fatal') return true;
  if (failure.kind === 'doubtful') return first;
  return failure.kind === 'unknown-host' && first && attempt >= ATTEMPTS_BEFORE_HINT;
}

function explainClosed(): TunnelError {
  return new TunnelError('the tunnel is closed', { retryable: false });
}

function explainBug(error: unknown): TunnelError {
  return new TunnelError(`this is a bug: ${describeError(error)}`, { cause: error, retryable: false });
}
