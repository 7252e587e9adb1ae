// The public inspector's port: a second tunnel to the same servers, with a gateway in front of the inspector. It is an
// extra: if it cannot be opened, or is lost, the preview goes on without it. Used by exposure.

import type { PublicAddress } from '../gateway/own-address.ts';
import { describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import type { PublicInspector } from '../shared/public-inspector.ts';
import type { ExposureConfig } from './config.ts';
import { type Ingress, openIngress } from './ingress.ts';
import { PublicTunnel } from './public-tunnel.ts';
import type { TunnelStatus } from './tunnel-status.ts';

/** What the inspector's routes take is a few names long. */
const MAX_BODY_BYTES = 64 * 1024;
/** Its streams have ended by then: only answers that are being sent are left. */
const DRAIN_MS = 500;
/** Longer than visitors and app may take to end: who watches sees that. */
const MAX_END_MS = 60_000;

export interface InspectorPortOptions {
  config: ExposureConfig;
  inspector: PublicInspector;
  /** The preview's own address. */
  previewAddress: () => PublicAddress | undefined;
  /** Called when the link appears, changes, or is gone. */
  onChange: () => void;
  /** Called once, if there is no public inspector any more. */
  onWarning: (message: string) => void;
  logger: Logger;
}

export class InspectorPort {
  readonly #options: InspectorPortOptions;
  readonly #stopping = new AbortController();
  readonly #ingress: Ingress;
  readonly #tunnel: PublicTunnel;
  #url: string | undefined;
  #isLost = false;
  #released: Promise<void> | undefined;

  constructor(options: InspectorPortOptions) {
    this.#options = options;
    const { config, inspector } = options;
    const logger = prefixLines(options.logger);
    this.#ingress = openIngress({
      protocol: 'http',
      app: () => ({ status: 'running', upstream: { kind: 'handler', handle: inspector.handle } }),
      publicAddress: () => this.#tunnel.lastAddress,
      endsAt: () => undefined,
      // The inspector asks for its key itself, in every request for data.
      gateway: {
        access: { kind: 'open' },
        publicPaths: [],
        maxBodyBytes: MAX_BODY_BYTES,
        compress: false,
      },
      recorder: undefined,
      threadScript: undefined,
      tls: config.tls,
      logger,
    });
    const { tunnel } = config;
    this.#tunnel = new PublicTunnel({
      config: {
        ...tunnel,
        // Another port than the preview's, and the same in every run.
        identity: JSON.stringify(['inspector', tunnel.identity]),
        remotePort: config.inspector?.remotePort ?? tunnel.remotePort,
        spareConnections: false,
      },
      ingress: this.#ingress,
      occupied: options.previewAddress,
      onChange: status => this.#follow(status),
      onLost: error => this.#lose(describeError(error)),
      logger,
      signal: this.#stopping.signal,
    });
  }

  /** The address, without a trailing slash; undefined unless it leads to the inspector. */
  get url(): string | undefined {
    return this.#url;
  }

  /** Resolves when the address was checked, or could not be had; never rejects. */
  async open(limit: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([limit, this.#stopping.signal]);
    try {
      await this.#tunnel.open(signal);
      await this.#tunnel.verify(signal);
      if (this.#url === undefined) this.#lose('its address was not checked in time');
    } catch (error) {
      this.#lose(describeError(error));
    }
  }

  /** Gives the public port back at once; those who are connected may stay until `stop`. May be called twice. */
  release(): void {
    this.#stopping.abort();
    this.#released ??= this.#tunnel.close(MAX_END_MS);
  }

  /** May be called twice. */
  async stop(): Promise<void> {
    this.release();
    this.#options.inspector.endStreams();
    await this.#ingress.stop(DRAIN_MS);
    await this.#released;
  }

  #follow({ address, tunnel }: TunnelStatus): void {
    if (tunnel.status === 'Failed') this.#lose(tunnel.reason);
    else this.#setUrl(address.kind === 'verified' || address.kind === 'unverified' ? address.url : undefined);
  }

  #lose(reason: string): void {
    if (this.#isLost || this.#stopping.signal.aborted) return;
    this.#isLost = true;
    this.#setUrl(undefined);
    this.#options.onWarning(`there is no public inspector: ${reason}; the preview itself goes on`);
    void this.stop().catch(() => {});
  }

  #setUrl(url: string | undefined): void {
    if (url === this.#url || (url !== undefined && this.#isLost)) return;
    this.#url = url;
    this.#options.onChange();
  }
}

/** Two tunnels log the same things. */
function prefixLines(logger: Logger): Logger {
  const prefix = (message: string) => `inspector: ${message}`;
  return {
    debug: message => logger.debug(prefix(message)),
    info: message => logger.info(prefix(message)),
    warn: message => logger.warn(prefix(message)),
    error: message => logger.error(prefix(message)),
  };
}
