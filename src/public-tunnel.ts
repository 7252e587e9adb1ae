// The way in: opens the tunnel, proves that its address leads here, closes and reopens it on command, and says what
// became of the address. Used by exposure, which owns the state.

import type { ExposureConfig } from './config.ts';
import { TunnelError } from './errors.ts';
import type { Logger } from './log.ts';
import { isBlockedPort, isPlainPublicUrl, proveAddress, renderPublicUrl } from './public-address.ts';
import type { ExposureState, TunnelState } from './state.ts';
import { startTunnel, type Tunnel } from './tunnel/reconnect.ts';
import type { StreamReceiver } from './tunnel/tunnel.ts';

/** Of 64,512 ports 19 are blocked: even one move is rare. */
const MAX_MOVES = 5;
/** `tunnel/start` answers within the API client's patience. */
const RESTART_TIMEOUT_MS = 8_000;

/** What an exposure's state says about the way in. */
export type WayIn = Pick<ExposureState, 'tunnel' | 'url' | 'verified' | 'reconnects'>;

export interface PublicTunnelOptions {
  config: ExposureConfig['tunnel'];
  destination: StreamReceiver;
  /** 32 random bytes, the same as the gateway's. */
  proofKey: Buffer;
  /** Called with every change. */
  onChange: (wayIn: WayIn) => void;
  /** The address of a live exposure turned out to be somebody else's. */
  onLost: (error: unknown) => void;
  logger: Logger;
  /** The end of the exposure, which ends every wait. */
  signal: AbortSignal;
}

export class PublicTunnel {
  readonly #options: PublicTunnelOptions;
  #tunnel: Tunnel | undefined;
  #turn: Promise<void> = Promise.resolve();
  #wayIn: WayIn = { tunnel: { status: 'Not started' }, url: undefined, verified: undefined, reconnects: 0 };
  #isAnnounced = false;
  readonly #waiting = new Set<() => void>();
  /** Asked for again after a stop. */
  #lastAddress: { host: string; port: number } | undefined;

  constructor(options: PublicTunnelOptions) {
    this.#options = options;
  }

  get wayIn(): WayIn {
    return this.#wayIn;
  }

  /** The first start; resolves when Connected, the address not proved yet. Rejects with TunnelError. */
  open(signal: AbortSignal): Promise<void> {
    return this.#inTurn(() => this.#open(signal));
  }

  /**
   * Asks for a proof through the address, and leaves it where a stranger answers. Rejects with TunnelError where that
   * cannot be helped.
   */
  async verify(signal: AbortSignal): Promise<void> {
    const { config, proofKey, logger } = this.#options;
    const verified = await proveAddress({
      readUrl: () => this.#wayIn.url,
      proofKey,
      isPlain: isPlainPublicUrl(config.publicUrl),
      move: async () => this.#tunnel?.move(),
      logger,
      signal,
    });
    if (verified !== undefined) this.#change({ verified });
  }

  /** The address is known from now on: a later change of it is news, and is proved first. */
  announce(): void {
    this.#isAnnounced = true;
  }

  /** `tunnel/start`: the same port first. Resolves when Connected; rejects with a TunnelError. */
  start(): Promise<void> {
    return this.#inTurn(() => this.#startAgain());
  }

  /** `tunnel/stop`: gives the public port back. */
  stop(drainMs: number): Promise<void> {
    return this.#inTurn(async () => {
      await this.close(drainMs);
      this.#change({ tunnel: { status: 'Disconnected' }, url: undefined, verified: undefined });
    });
  }

  /** Gives the public port back at once, and lets visitors finish; changes nothing that is known. */
  async close(drainMs: number): Promise<void> {
    const tunnel = this.#tunnel;
    this.#tunnel = undefined;
    await tunnel?.stop({ drainMs });
  }

  /** One after the other: two starts at once would open two tunnels. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {}); // whoever asked for it hears of the failure
    return turn;
  }

  async #startAgain(): Promise<void> {
    if (this.#options.signal.aborted) throw new TunnelError('the exposure has ended', { retryable: false });
    if (this.#wayIn.tunnel.status === 'Connected') return;
    const signal = AbortSignal.any([AbortSignal.timeout(RESTART_TIMEOUT_MS), this.#options.signal]);
    if (this.#tunnel === undefined) {
      await this.#open(signal);
      await this.verify(signal);
      return;
    }
    await this.#waitUntilConnected(signal);
  }

  async #open(signal: AbortSignal): Promise<void> {
    const { config, destination, logger } = this.#options;
    const { servers, identity, remotePort } = config;
    this.#tunnel = await startTunnel({
      servers,
      identity,
      remotePort,
      preferred: this.#lastAddress,
      destination,
      onState: state => this.#follow(state),
      logger,
      signal,
    });
    await this.#leaveBlockedPort(this.#tunnel);
  }

  async #waitUntilConnected(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (outcome: () => void) => {
        this.#waiting.delete(look);
        signal.removeEventListener('abort', giveUp);
        outcome();
      };
      const giveUp = () =>
        settle(() => reject(new TunnelError('the tunnel is not connected yet', { retryable: true })));
      const look = () => {
        const { tunnel } = this.#wayIn;
        if (tunnel.status === 'Connected') settle(resolve);
        else if (tunnel.status === 'Failed')
          settle(() => reject(new TunnelError(tunnel.reason, { retryable: false })));
      };
      this.#waiting.add(look);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  #follow(tunnel: TunnelState): void {
    if (this.#options.signal.aborted) return;
    if (tunnel.status !== 'Connected') {
      this.#change({ tunnel });
      return;
    }
    const { host, port } = tunnel;
    const before = this.#wayIn;
    const url = renderPublicUrl(this.#options.config.publicUrl, host, port);
    const moved = before.url !== undefined && before.url !== url;
    const reconnected = before.tunnel.status === 'Reconnecting';
    this.#lastAddress = { host, port };
    this.#change({
      tunnel,
      url,
      ...(moved && { verified: undefined }),
      reconnects: before.reconnects + (reconnected ? 1 : 0),
    });
    if (moved && this.#isAnnounced) void this.#verifyAfterMove(url);
  }

  async #verifyAfterMove(url: string): Promise<void> {
    this.#options.logger.warn(`the public address changed: it is ${url} now`);
    try {
      await this.verify(this.#options.signal);
    } catch (error) {
      this.#options.onLost(error);
    }
  }

  /** A link no browser opens is no link: where the server chose such a port, it is asked for another. */
  async #leaveBlockedPort(tunnel: Tunnel): Promise<void> {
    const { remotePort, publicUrl } = this.#options.config;
    if (!isPlainPublicUrl(publicUrl)) return;
    for (let moves = 0; isBlockedPort(this.#lastAddress?.port); moves += 1) {
      this.#options.logger.warn(
        `browsers refuse to open port ${this.#lastAddress?.port}: another \`remote-port\` is better`,
      );
      if (remotePort.kind === 'fixed' || moves === MAX_MOVES) return;
      await tunnel.move();
    }
  }

  #change(change: Partial<WayIn>): void {
    this.#wayIn = { ...this.#wayIn, ...change };
    this.#options.onChange(this.#wayIn);
    for (const look of this.#waiting) look();
  }
}
