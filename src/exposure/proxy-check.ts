// With `trusted-proxy`: checks that the proxy in front is the only way in, and that it reports visitors' addresses. Nothing
// waits for it. Used by exposure.

import { NO_FORWARDED_FOR } from '../gateway/visitor-address.ts';
import type { Logger } from '../shared/log.ts';
import { PLAIN_PUBLIC_URLS, renderPublicUrl, TLS_PUBLIC_URL } from '../shared/public-url.ts';
import { ONLY_WAY_IN } from '../tunnel/server-options.ts';
import type { Ingress } from './ingress.ts';
import type { TunnelStatus } from './tunnel-status.ts';

/** For one probe. A firewall that drops packets gives no answer. */
const PROBE_TIMEOUT_MS = 5_000;

const DOCS = 'see docs/security.md#the-visitors-address';

export interface ProxyCheckOptions {
  ingress: Pick<Ingress, 'probeForwardedFor' | 'endsTls'>;
  /** Gets each problem once. */
  onWarning: (message: string) => void;
  logger: Logger;
  /** The end of the exposure. */
  signal: AbortSignal;
}

export class ProxyCheck {
  readonly #options: ProxyCheckOptions;
  /** The addresses that were checked last. */
  #checked = '';

  constructor(options: ProxyCheckOptions) {
    this.#options = options;
  }

  /** To be called with every change: each new address is checked when it is published. */
  follow({ tunnel, address }: TunnelStatus): void {
    if (tunnel.status !== 'Connected' || (address.kind !== 'verified' && address.kind !== 'unverified'))
      return;
    const template = this.#options.ingress.endsTls ? TLS_PUBLIC_URL : PLAIN_PUBLIC_URLS.http;
    const direct = renderPublicUrl(template, tunnel.host, tunnel.port);
    const addresses = `${address.url} ${direct}`;
    if (addresses === this.#checked) return;
    this.#checked = addresses;
    void this.#checkProxy(address.url);
    void this.#checkDirect(direct);
  }

  async #checkProxy(url: string): Promise<void> {
    const found = await this.#probe(url);
    this.#options.logger.debug(`the visitor's address at ${url}: ${found ?? 'no answer'}`);
    if (found === 'absent') this.#options.onWarning(NO_FORWARDED_FOR);
    if (found === 'claimed')
      this.#options.onWarning(
        `\`trusted-proxy\` is true, and the proxy at ${url} passes on the X-Forwarded-For of visitors, who can so claim any address: let the proxy set it (nginx: proxy_set_header X-Forwarded-For $remote_addr), which it cannot while it passes TLS on undecrypted; ${DOCS}`,
      );
  }

  /** bore's own address should not answer, or another program may. */
  async #checkDirect(url: string): Promise<void> {
    const found = await this.#probe(url);
    this.#options.logger.debug(
      `bore's own address ${url}: ${found === undefined ? 'does not lead here' : 'leads here'}`,
    );
    if (found === 'claimed')
      this.#options.onWarning(
        `\`trusted-proxy\` is true, and visitors can go around the proxy: this preview also answers at ${url}, where they can claim any address in X-Forwarded-For: ${ONLY_WAY_IN}; ${DOCS}`,
      );
  }

  #probe(url: string) {
    const { ingress, signal } = this.#options;
    return ingress.probeForwardedFor(url, AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]));
  }
}
