// Opens the tunnel, checks that its address leads here, and closes and reopens it on command. Used by exposure, which
// owns the state.
//
// It keeps three facts: the current public address (`#location`), the URL that was published (`#publishedUrl`), and
// what the state says (`#status`). A new URL is checked before it replaces the published one.

import type { PublicAddress } from '../gateway/own-address.ts';
import { TunnelError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { isPlainPublicUrl, renderPublicUrl } from '../shared/public-url.ts';
import type { TunnelState } from '../shared/state.ts';
import { startTunnel } from '../tunnel/reconnect.ts';
import { isBlockedPort } from '../tunnel/retry/blocked-ports.ts';
import { isWholeRange } from '../tunnel/retry/port-choice.ts';
import type { Tunnel } from '../tunnel/tunnel.ts';
import { type CheckedAddress, checkAddress } from './address-check.ts';
import type { ExposureConfig } from './config.ts';
import type { Ingress } from './ingress.ts';
import { type TunnelStatus, TunnelStatusRecord } from './tunnel-status.ts';

/** Of 64,512 ports 19 are blocked: even one change is rare. */
const MAX_PORT_CHANGES = 5;
/** `tunnel/start` must answer before the client of the API gives up. */
const RESTART_TIMEOUT_MS = 8_000;

export interface PublicTunnelOptions {
  config: ExposureConfig['tunnel'];
  ingress: Ingress;
  /** The address of another tunnel of the exposure; read at each start. */
  occupied?: () => PublicAddress | undefined;
  /** Called with every change. */
  onChange: (status: TunnelStatus) => void;
  /** Called if another program has the address of a live exposure. */
  onLost: (error: unknown) => void;
  logger: Logger;
  /** The end of the exposure, which ends every wait. */
  signal: AbortSignal;
}

export class PublicTunnel {
  readonly #options: PublicTunnelOptions;
  readonly #status: TunnelStatusRecord;
  #tunnel: Tunnel | undefined;
  /** Set while the tunnel starts, so that the port can be changed before `startTunnel` resolves. */
  #starting: Promise<Tunnel> | undefined;
  #turn: Promise<void> = Promise.resolve();
  /** The current public address, or the last one: it is requested again after a stop. */
  #location: { address: PublicAddress; isConnected: boolean } | undefined;
  /** Undefined until an address was published. */
  #publishedUrl: string | undefined;
  #closed = new AbortController();
  /** `#closed` of the tunnel whose new address is being checked. */
  #checking: AbortController | undefined;

  constructor(options: PublicTunnelOptions) {
    this.#options = options;
    this.#status = new TunnelStatusRecord(options.onChange);
  }

  get status(): TunnelStatus {
    return this.#status.now;
  }

  /** Where visitors come in, or came in last, published or not. */
  get lastAddress(): PublicAddress | undefined {
    return this.#location?.address;
  }

  /** Undefined while the tunnel is away. */
  get #address(): PublicAddress | undefined {
    return this.#location?.isConnected ? this.#location.address : undefined;
  }

  /** The first start; resolves when Connected, with an unchecked address. Rejects with a TunnelError. */
  open(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      await this.#open(signal);
      await this.#leaveBlockedPort();
    });
  }

  /**
   * Checks the address, and changes the port if another program has it. From now on the address counts as published: a
   * later change is checked first. While the tunnel is away, waits for it; once the signal is aborted, publishes
   * nothing. Rejects with a TunnelError if another program has the address and there is no other port.
   */
  async verify(signal: AbortSignal): Promise<void> {
    for (;;) {
      const checked = await this.#check(signal);
      if (checked !== undefined && (this.#address === undefined || this.#address.url === checked.url)) {
        this.#status.change({ address: checked });
        this.#publishedUrl = checked.url;
        return;
      }
      if (signal.aborted) return;
      await this.#status.waitUntilConnected(signal);
    }
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
      this.#status.change({ tunnel: { status: 'Disconnected' }, address: { kind: 'none' } });
    });
  }

  /** Gives the public port back at once, updates the state, and lets visitors finish for `drainMs`. */
  async close(drainMs: number): Promise<void> {
    const tunnel = this.#tunnel;
    this.#tunnel = undefined;
    this.#disconnect();
    this.#closed.abort();
    if (tunnel !== undefined && this.#status.now.tunnel.status !== 'Failed')
      this.#status.change({ tunnel: { status: 'Disconnected' } });
    await tunnel?.stop({ drainMs });
  }

  /** Runs one piece of work after the other: two starts at once would open two tunnels. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {}); // the caller gets the failure
    return turn;
  }

  async #startAgain(): Promise<void> {
    if (this.#options.signal.aborted) throw new TunnelError('the exposure has ended', { retryable: false });
    if (this.#status.now.tunnel.status === 'Connected') return;
    const signal = AbortSignal.any([AbortSignal.timeout(RESTART_TIMEOUT_MS), this.#options.signal]);
    if (this.#tunnel === undefined) await this.#open(signal);
    await this.#status.waitUntilConnected(signal);
  }

  async #open(signal: AbortSignal): Promise<void> {
    const { config, ingress, logger } = this.#options;
    const { servers, identity, remotePort, spareConnections } = config;
    this.#closed = new AbortController();
    const { signal: closed } = this.#closed;
    this.#starting = startTunnel({
      servers,
      identity,
      remotePort,
      preferred: this.lastAddress,
      occupied: this.#options.occupied?.(),
      destination: ingress.destination,
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

  async #changePort(): Promise<void> {
    const tunnel = await this.#starting;
    await tunnel?.changePort();
  }

  #disconnect(): void {
    if (this.#location !== undefined) this.#location = { ...this.#location, isConnected: false };
  }

  #follow(tunnel: TunnelState): void {
    if (this.#options.signal.aborted) return;
    if (tunnel.status !== 'Connected') {
      this.#disconnect();
      this.#status.change({ tunnel });
      return;
    }
    const { host, port } = tunnel;
    const url = renderPublicUrl(this.#options.config.publicUrl, host, port);
    this.#location = { address: { host, port, url }, isConnected: true };
    const { address } = this.#status.now;
    const isChecked = address.kind === 'verified' || address.kind === 'unverified';
    if (isChecked && address.url === url) this.#status.connect(tunnel, address);
    else if (this.#publishedUrl === undefined) this.#status.connect(tunnel, { kind: 'unchecked', url });
    else void this.#checkNewAddress();
  }

  /** A new address is published when its check is over; until then the state says that the tunnel reconnects. */
  async #checkNewAddress(): Promise<void> {
    this.#status.withhold('the new address is being checked');
    const closed = this.#closed;
    if (this.#checking === closed) return; // the running check reads the new address by itself
    this.#checking = closed;
    try {
      const signal = AbortSignal.any([this.#options.signal, closed.signal]);
      // If the tunnel is lost again, the next Connected begins a new check.
      while (this.#address !== undefined && !signal.aborted) {
        await this.#leaveBlockedPort();
        const checked = await this.#check(signal);
        if (checked === undefined || checked.url !== this.#address?.url) continue;
        this.#publish(this.#address, checked);
        return;
      }
    } catch (error) {
      if (!closed.signal.aborted) this.#options.onLost(error);
    } finally {
      if (this.#checking === closed) this.#checking = undefined;
    }
  }

  #publish(server: { host: string; port: number }, address: CheckedAddress): void {
    const hasChanged = address.url !== this.#publishedUrl;
    this.#publishedUrl = address.url;
    this.#status.connect(server, address, hasChanged ? 1 : 0);
    if (hasChanged) this.#options.logger.warn(`the public address changed: it is ${address.url} now`);
  }

  #check(signal: AbortSignal): Promise<CheckedAddress | undefined> {
    const { config, ingress, logger } = this.#options;
    // Without a gateway, anything that accepts every connection looks like another program: a fixed port is kept then.
    const isCertain = !ingress.needsApp;
    return checkAddress({
      readUrl: () => this.#address?.url,
      probe: (url, limit) => ingress.probe(url, limit),
      isPlain:
        isPlainPublicUrl(config.publicUrl, ingress.endsTls) &&
        (isCertain || config.remotePort.kind !== 'fixed'),
      isCertain,
      changePort: () => this.#changePort(),
      logger,
      signal,
    });
  }

  /** Browsers refuse to open some ports: if the server chose one of them, changes the port. */
  async #leaveBlockedPort(): Promise<void> {
    const { config, ingress, logger } = this.#options;
    const { remotePort, publicUrl } = config;
    if (!/^https?:/.test(publicUrl) || !isPlainPublicUrl(publicUrl, ingress.endsTls)) return;
    for (let changes = 0; isBlockedPort(this.#address?.port); changes += 1) {
      const canChange = isServersChoice(remotePort) && changes < MAX_PORT_CHANGES;
      const remedy = canChange ? 'asking for another port' : 'choose another `remote-port`';
      logger.warn(`browsers refuse to open port ${this.#address?.port}: ${remedy}`);
      if (!canChange) return;
      await this.#changePort();
    }
  }
}

/** Whether the server chose the blocked port: `auto` asks for one itself only if a narrower range has no other. */
function isServersChoice(remotePort: ExposureConfig['tunnel']['remotePort']): boolean {
  return remotePort.kind === 'auto' ? isWholeRange(remotePort) : remotePort.kind === 'random';
}
