// The way in: opens the tunnel, proves that its address leads here, closes and reopens it on command, and says what
// became of the address. Used by exposure, which owns the state.

import type { Place } from '../gateway/own-address.ts';
import { TunnelError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { isPlainPublicUrl, renderPublicUrl } from '../shared/public-url.ts';
import type { TunnelState } from '../shared/state.ts';
import { startTunnel, type Tunnel } from '../tunnel/reconnect.ts';
import { isBlockedPort } from '../tunnel/retry/blocked-ports.ts';
import { isWholeRange } from '../tunnel/retry/port-choice.ts';
import { type Finding, proveAddress } from './address-check.ts';
import type { ExposureConfig } from './config.ts';
import type { Entrance } from './ingress.ts';
import { type WayIn, WayInRecord } from './tunnel-status.ts';

/** Of 64,512 ports 19 are blocked: even one move is rare. */
const MAX_MOVES = 5;
/** `tunnel/start` answers within the API client's patience. */
const RESTART_TIMEOUT_MS = 8_000;

export interface PublicTunnelOptions {
  config: ExposureConfig['tunnel'];
  entrance: Entrance;
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
  /** The same, from the moment it begins: its first address may have to be left before it is there. */
  #starting: Promise<Tunnel> | undefined;
  #turn: Promise<void> = Promise.resolve();
  readonly #wayIn: WayInRecord;
  #place: Place | undefined;
  /** Asked for again after a stop. */
  #lastPlace: Place | undefined;
  /** The address people were told; undefined before they were. */
  #announced: string | undefined;
  #closed = new AbortController();
  /** Of the tunnel whose new address is being checked. */
  #checking: AbortController | undefined;

  constructor(options: PublicTunnelOptions) {
    this.#options = options;
    this.#wayIn = new WayInRecord(options.onChange);
  }

  get wayIn(): WayIn {
    return this.#wayIn.now;
  }

  /** Where visitors come in, or came in last, announced or not; `wayIn` has it only when it is proved. */
  get lastPlace(): Place | undefined {
    return this.#lastPlace;
  }

  /** The first start; resolves when Connected, the address not proved yet. Rejects with TunnelError. */
  open(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      await this.#open(signal);
      await this.#leaveBlockedPort();
    });
  }

  /**
   * Asks for a proof through the address, and leaves it where a stranger answers. From now on it counts as announced: a
   * later change of it is proved first. A tunnel that is away is waited for, until the signal, after which nothing
   * is announced. Rejects with TunnelError where a stranger cannot be helped.
   */
  async verify(signal: AbortSignal): Promise<void> {
    let finding = await this.#prove(signal);
    while (finding === undefined || (this.#place !== undefined && finding.url !== this.#place.url)) {
      if (signal.aborted) return;
      await this.#wayIn.awaitConnected(signal);
      finding = await this.#prove(signal);
    }
    this.#wayIn.change({ verified: finding.verified, doubt: finding.doubt });
    this.#announced = this.#wayIn.now.url;
  }

  /** `tunnel/start`: the same port first. Resolves when Connected; rejects with a TunnelError. */
  start(): Promise<void> {
    return this.#inTurn(() => this.#startAgain());
  }

  /** `tunnel/stop`: gives the public port back. */
  stop(drainMs: number): Promise<void> {
    return this.#inTurn(async () => {
      await this.close(drainMs);
      if (this.#options.signal.aborted) return;
      this.#wayIn.change({
        tunnel: { status: 'Disconnected' },
        url: undefined,
        verified: undefined,
        doubt: undefined,
      });
    });
  }

  /** Gives the public port back at once, which is told, and lets visitors finish. */
  async close(drainMs: number): Promise<void> {
    const tunnel = this.#tunnel;
    this.#tunnel = undefined;
    this.#place = undefined;
    this.#closed.abort();
    if (tunnel !== undefined && this.#wayIn.now.tunnel.status !== 'Failed')
      this.#wayIn.change({ tunnel: { status: 'Disconnected' } });
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
    if (this.#wayIn.now.tunnel.status === 'Connected') return;
    const signal = AbortSignal.any([AbortSignal.timeout(RESTART_TIMEOUT_MS), this.#options.signal]);
    if (this.#tunnel === undefined) await this.#open(signal);
    await this.#wayIn.awaitConnected(signal);
  }

  async #open(signal: AbortSignal): Promise<void> {
    const { config, entrance, logger } = this.#options;
    const { servers, identity, remotePort, spareConnections } = config;
    this.#closed = new AbortController();
    const { signal: closed } = this.#closed;
    this.#starting = startTunnel({
      servers,
      identity,
      remotePort,
      preferred: this.#lastPlace,
      destination: entrance.destination,
      spareConnections,
      onState: state => {
        if (!closed.aborted) this.#follow(state);
      },
      logger,
      signal,
    });
    const tunnel = await this.#starting;
    if (closed.aborted) await tunnel.stop({ drainMs: 0 });
    else this.#tunnel = tunnel;
  }

  async #move(): Promise<void> {
    const tunnel = await this.#starting;
    await tunnel?.changePort();
  }

  #follow(tunnel: TunnelState): void {
    if (this.#options.signal.aborted) return;
    if (tunnel.status !== 'Connected') {
      this.#place = undefined;
      this.#wayIn.change({ tunnel });
      return;
    }
    const { host, port } = tunnel;
    this.#place = { host, port, url: renderPublicUrl(this.#options.config.publicUrl, host, port) };
    this.#lastPlace = this.#place;
    const { url, verified } = this.#wayIn.now;
    const isKnown = this.#place.url === url && verified !== undefined;
    if (this.#announced === undefined || isKnown) this.#wayIn.connect(this.#place);
    else void this.#checkNewPlace();
  }

  /** People hear of a new address when it is known to lead here; until then the tunnel is on its way. */
  async #checkNewPlace(): Promise<void> {
    this.#wayIn.withhold('the new address is being checked');
    const closed = this.#closed;
    if (this.#checking === closed) return; // that check goes on with where the tunnel is by then
    this.#checking = closed;
    try {
      const signal = AbortSignal.any([this.#options.signal, closed.signal]);
      // Where the tunnel is lost again, the next Connected begins anew.
      while (this.#place !== undefined && !signal.aborted) {
        await this.#leaveBlockedPort();
        const finding = await this.#prove(signal);
        if (finding === undefined || finding.url !== this.#place?.url) continue;
        this.#announce(this.#place, finding);
        return;
      }
    } catch (error) {
      if (!closed.signal.aborted) this.#options.onLost(error);
    } finally {
      if (this.#checking === closed) this.#checking = undefined;
    }
  }

  #announce(place: Place, { url, verified, doubt }: Finding): void {
    const hasMoved = url !== this.#announced;
    this.#announced = url;
    this.#wayIn.connect(place, { verified, doubt, moves: this.#wayIn.now.moves + (hasMoved ? 1 : 0) });
    if (hasMoved) this.#options.logger.warn(`the public address changed: it is ${url} now`);
  }

  #prove(signal: AbortSignal): Promise<Finding | undefined> {
    const { config, entrance, logger } = this.#options;
    // Without a gateway, whatever accepts every connection looks like a stranger: a port of the user's choice is kept.
    const isCertain = !entrance.needsApp;
    return proveAddress({
      readUrl: () => this.#place?.url,
      ask: (url, limit) => entrance.ask(url, limit),
      isPlain:
        isPlainPublicUrl(config.publicUrl, entrance.endsTls) &&
        (isCertain || config.remotePort.kind !== 'fixed'),
      isCertain,
      move: () => this.#move(),
      logger,
      signal,
    });
  }

  /** A link no browser opens is no link: where the server chose such a port, it is asked for another. */
  async #leaveBlockedPort(): Promise<void> {
    const { config, entrance } = this.#options;
    const { remotePort, publicUrl } = config;
    if (!/^https?:/.test(publicUrl) || !isPlainPublicUrl(publicUrl, entrance.endsTls)) return;
    for (let moves = 0; isBlockedPort(this.#place?.port); moves += 1) {
      this.#options.logger.warn(
        `browsers refuse to open port ${this.#place?.port}: another \`remote-port\` is better`,
      );
      if (!isServersChoice(remotePort) || moves === MAX_MOVES) return;
      await this.#move();
    }
  }
}

/** `auto` asks for blocked ports only where its range has no others; in the whole range such a port was the server's. */
function isServersChoice(wish: ExposureConfig['tunnel']['remotePort']): boolean {
  if (wish.kind === 'auto') return isWholeRange(wish);
  return wish.kind === 'random';
}
