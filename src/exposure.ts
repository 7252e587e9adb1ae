// One exposure: composes gateway, tunnel and app, owns the state, and is its only writer.
//
//   visitor ──► bore server ──► tunnel ──► gateway ──► app
//                                  └─────────┴──────────┴──► state ──► control API, comment, summary
//
// Data flows to the right, knowledge flows down. Started in the order gateway, tunnel, app, so that an early visitor
// finds a page that says "starting"; stopped in reverse, but for the tunnel's port, which is given back first.

import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type App, startApp } from './app/app.ts';
import type { ExposureConfig } from './config.ts';
import { formatDuration } from './duration.ts';
import { AppError, describeError, TunnelError } from './errors.ts';
import { type Gateway, startGateway } from './gateway/gateway.ts';
import type { Logger } from './log.ts';
import { isBlockedPort, PLAIN_PUBLIC_URL, proveAddress, renderPublicUrl } from './public-address.ts';
import type { AppState, EndReason, ExposureState, Phase, TunnelState } from './state.ts';
import { startTunnel, type Tunnel } from './tunnel/reconnect.ts';

/** Of 64,512 ports 19 are blocked: even one move is rare. */
const MAX_MOVES = 5;
/** Visitors in mid-download get this long at the end. */
const DRAIN_MS = 5_000;
/** `tunnel/start` answers within the API client's patience. */
const RESTART_TIMEOUT_MS = 8_000;
/** Two clocks are compared this often: a laptop that slept must not come back to an exposure past its end. */
const CLOCK_CHECK_MS = 1_000;

export interface ExposureOptions {
  config: ExposureConfig;
  /** Private folder for whatever the app needs. */
  folder: string;
  logger: Logger;
  onChild: (child: { pid: number; role: string }) => void;
}

export class Exposure {
  readonly #options: ExposureOptions;
  readonly #listeners = new Set<(state: ExposureState) => void>();
  readonly #cancelled = new AbortController();
  readonly #proofKey = randomBytes(32);
  readonly #gateway: Gateway;
  #tunnel: Tunnel | undefined;
  #tunnelTurn: Promise<void> = Promise.resolve();
  #app: App | undefined;
  #appStart: Promise<App> | undefined;
  #state: ExposureState;
  #clock: NodeJS.Timeout | undefined;
  #ending: Promise<void> | undefined;
  /** Asked for again after `tunnel/stop`. */
  #lastAddress: { host: string; port: number } | undefined;

  constructor(options: ExposureOptions) {
    this.#options = options;
    this.#state = {
      mode: options.config.spec.mode,
      phase: { phase: 'starting' },
      tunnel: { status: 'Not started' },
      app: { status: 'starting' },
      url: undefined,
      verified: undefined,
      restarts: 0,
      reconnects: 0,
      visits: 0,
    };
    this.#gateway = startGateway({
      app: () => this.#state.app,
      publicUrl: () => (this.#state.url === undefined ? undefined : new URL(this.#state.url)),
      proofKey: this.#proofKey,
      logger: options.logger,
    });
  }

  get state(): ExposureState {
    return { ...this.#state, visits: this.#gateway.visits };
  }

  subscribe(listener: (state: ExposureState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  describeApp(): { pid: number | undefined; console: readonly string[] } {
    return { pid: this.#app?.pid, console: this.#app?.consoleTail() ?? [] };
  }

  /** Resolves when live. A failure ends the exposure (phase `failed`) and is thrown. */
  async start(): Promise<void> {
    const { startupTimeoutMs } = this.#options.config;
    const timeout = AbortSignal.timeout(startupTimeoutMs);
    const signal = AbortSignal.any([timeout, this.#cancelled.signal]);
    try {
      await this.#inTurn(() => this.#openTunnel(signal));
      this.#options.logger.info(`tunnel connected: ${this.#state.url}`);
      await Promise.all([this.#verifyAddress(signal), this.#startApp(signal)]);
      this.#goLive();
    } catch (error) {
      if (this.#ending === undefined) await this.fail(explainStart(error, timeout, startupTimeoutMs));
      await this.#ending;
      throw error;
    }
  }

  /** Ends it well; resolves when nothing of it is left. May be called twice, the first reason counts. */
  stop(reason: EndReason = 'stopped'): Promise<void> {
    return this.#end(liveAt => ({ phase: 'ended', reason, ...liveAt, endedAt: new Date() }));
  }

  /** `tunnel/start`: the same port first. Resolves when Connected; rejects with a TunnelError. */
  startTunnel(): Promise<void> {
    return this.#inTurn(() => this.#startTunnelAgain());
  }

  /** `tunnel/stop`: gives the public port back and leaves the app running. */
  stopTunnel(): Promise<void> {
    return this.#inTurn(async () => {
      const tunnel = this.#tunnel;
      this.#tunnel = undefined;
      await tunnel?.stop({ drainMs: DRAIN_MS });
      if (!this.#ending)
        this.#update({ tunnel: { status: 'Disconnected' }, url: undefined, verified: undefined });
    });
  }

  /** One after the other: two starts at once would open two tunnels. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#tunnelTurn.then(work);
    this.#tunnelTurn = turn.catch(() => {}); // whoever asked for it hears of the failure
    return turn;
  }

  async #startTunnelAgain(): Promise<void> {
    if (this.#ending) throw new TunnelError('the exposure has ended', { retryable: false });
    if (this.#state.tunnel.status === 'Connected') return;
    const signal = AbortSignal.any([AbortSignal.timeout(RESTART_TIMEOUT_MS), this.#cancelled.signal]);
    if (this.#tunnel === undefined) {
      await this.#openTunnel(signal);
      await this.#verifyAddress(signal);
      return;
    }
    await this.#waitForTunnel(signal);
  }

  async #openTunnel(signal: AbortSignal): Promise<void> {
    const { servers, identity, remotePort } = this.#options.config.tunnel;
    this.#tunnel = await startTunnel({
      servers,
      identity,
      remotePort,
      preferred: this.#lastAddress,
      destination: socket => this.#gateway.accept(socket),
      onState: state => this.#followTunnel(state),
      logger: this.#options.logger,
      signal,
    });
    await this.#leaveBlockedPort(this.#tunnel);
  }

  async #waitForTunnel(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (outcome: () => void) => {
        unsubscribe();
        signal.removeEventListener('abort', giveUp);
        outcome();
      };
      const giveUp = () =>
        settle(() => reject(new TunnelError('the tunnel is not connected yet', { retryable: true })));
      const unsubscribe = this.subscribe(({ tunnel }) => {
        if (tunnel.status === 'Connected') settle(resolve);
        else if (tunnel.status === 'Failed')
          settle(() => reject(new TunnelError(tunnel.reason, { retryable: false })));
      });
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  #followTunnel(tunnel: TunnelState): void {
    if (this.#ending) return;
    const before = this.#state;
    if (tunnel.status !== 'Connected') {
      this.#update({ tunnel });
      if (tunnel.status === 'Failed' && before.phase.phase === 'live')
        void this.fail(new TunnelError(tunnel.reason, { retryable: false }));
      return;
    }
    const url = renderPublicUrl(this.#options.config.tunnel.publicUrl, tunnel.host, tunnel.port);
    const moved = before.url !== undefined && before.url !== url;
    const reconnected = before.tunnel.status === 'Reconnecting';
    this.#lastAddress = { host: tunnel.host, port: tunnel.port };
    this.#update({
      tunnel,
      url,
      ...(moved && { verified: undefined }),
      reconnects: before.reconnects + (reconnected ? 1 : 0),
    });
    if (moved && before.phase.phase === 'live') void this.#verifyAfterMove(url);
  }

  async #verifyAfterMove(url: string): Promise<void> {
    this.#options.logger.warn(`the public address changed: it is ${url} now`);
    try {
      await this.#verifyAddress(this.#cancelled.signal);
    } catch (error) {
      if (!this.#ending) await this.fail(error);
    }
  }

  async #verifyAddress(signal: AbortSignal): Promise<void> {
    const { config, logger } = this.#options;
    const verified = await proveAddress({
      readUrl: () => this.#state.url,
      proofKey: this.#proofKey,
      isPlain: config.tunnel.publicUrl === PLAIN_PUBLIC_URL,
      move: async () => this.#tunnel?.move(),
      logger,
      signal,
    });
    if (verified !== undefined) this.#update({ verified });
  }

  /** A link no browser opens is no link: where the server chose such a port, it is asked for another. */
  async #leaveBlockedPort(tunnel: Tunnel): Promise<void> {
    const { remotePort, publicUrl } = this.#options.config.tunnel;
    if (publicUrl !== PLAIN_PUBLIC_URL) return;
    for (let moves = 0; isBlockedPort(this.#lastAddress?.port); moves += 1) {
      this.#options.logger.warn(
        `browsers refuse to open port ${this.#lastAddress?.port}: another \`remote-port\` is better`,
      );
      if (remotePort.kind === 'fixed' || moves === MAX_MOVES) return;
      await tunnel.move();
    }
  }

  async #startApp(signal: AbortSignal): Promise<void> {
    const { config, folder, logger, onChild } = this.#options;
    const appFolder = join(folder, 'app');
    mkdirSync(appFolder, { recursive: true, mode: 0o700 });
    this.#appStart = startApp({
      spec: config.spec,
      publicUrl: this.#state.url ?? '',
      baseEnvironment: config.baseEnvironment,
      env: config.env,
      healthPath: config.healthPath,
      folder: appFolder,
      logger,
      onChild,
      onState: state => this.#followApp(state),
      signal,
    });
    this.#app = await this.#appStart;
  }

  #followApp(app: AppState): void {
    if (this.#ending) return;
    this.#update({ app, restarts: this.#state.restarts + (app.status === 'restarting' ? 1 : 0) });
    if (app.status === 'failed' && this.#state.phase.phase === 'live')
      void this.fail(new AppError(app.reason, { lastLines: app.lastLines }));
  }

  #goLive(): void {
    const { durationMs } = this.#options.config;
    const liveAt = new Date();
    const expiresAt = durationMs === undefined ? undefined : new Date(liveAt.getTime() + durationMs);
    this.#update({ phase: { phase: 'live', liveAt, ...(expiresAt && { expiresAt }) } });
    if (expiresAt && durationMs !== undefined)
      this.#watchClocks(expiresAt.getTime(), performance.now() + durationMs);
  }

  #watchClocks(wallEnd: number, monotonicEnd: number): void {
    const leftMs = Math.min(wallEnd - Date.now(), monotonicEnd - performance.now());
    if (leftMs <= 0) return void this.stop('duration over');
    this.#clock = setTimeout(
      () => this.#watchClocks(wallEnd, monotonicEnd),
      Math.min(leftMs, CLOCK_CHECK_MS),
    );
  }

  /** Ends it badly: `error` is what people are told. May be called twice, the first counts. */
  fail(error: unknown): Promise<void> {
    const lastLines = error instanceof AppError ? error.lastLines : [];
    const reason = describeError(error);
    return this.#end(
      liveAt => ({ phase: 'failed', reason, lastLines, ...liveAt, endedAt: new Date() }),
      error,
    );
  }

  #end(finish: (live: { liveAt?: Date }) => Phase, error?: unknown): Promise<void> {
    this.#ending ??= this.#release(finish, error);
    return this.#ending;
  }

  async #release(finish: (live: { liveAt?: Date }) => Phase, error: unknown): Promise<void> {
    clearTimeout(this.#clock);
    this.#cancelled.abort();
    const { phase } = this.#state;
    const outcome = finish(phase.phase === 'live' ? { liveAt: phase.liveAt } : {});
    // The port is free at once; who is in the middle of a download keeps gateway and app until the drain is over.
    const drained = this.#tunnel?.stop({ drainMs: DRAIN_MS });
    await this.#gateway.stop(DRAIN_MS);
    await drained;
    await this.#appStart?.then(app => app.stop()).catch(() => {}); // a start that failed left nothing
    rmSync(join(this.#options.folder, 'app'), { recursive: true, force: true });
    const failed = outcome.phase === 'failed';
    const lostTunnel = error instanceof TunnelError;
    this.#update({
      phase: outcome,
      tunnel: failed ? { status: 'Failed', reason: outcome.reason } : { status: 'Disconnected' },
      app:
        failed && !lostTunnel
          ? { status: 'failed', reason: outcome.reason, lastLines: outcome.lastLines }
          : { status: 'stopped' },
    });
  }

  #update(change: Partial<ExposureState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener(this.state);
  }
}

/** A start that ran into its deadline says so, together with what it was waiting for. */
function explainStart(error: unknown, timeout: AbortSignal, timeoutMs: number): unknown {
  if (!timeout.aborted) return error;
  const message = `not ready within ${formatDuration(timeoutMs)}, the \`startup-timeout\``;
  if (error instanceof TunnelError) return new TunnelError(message, { cause: error, retryable: false });
  return new AppError(message, { cause: error, lastLines: error instanceof AppError ? error.lastLines : [] });
}
