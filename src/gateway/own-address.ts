// The preview's public address, and the values of Host and Origin that name it. Made by gateway.ts; the passes get it
// with every visit. Pure.

import { addBrackets } from '../shared/public-url.ts';

/** The address that visitors use: the URL they open, and the host and port at the bore server behind it. */
export interface PublicAddress {
  /** Without a trailing slash. */
  url: string;
  host: string;
  port: number;
}

export interface OwnAddress {
  readonly url: URL;
  /**
   * Each allowed value of `Host`, in lower case → the origin of the page that the visitor sees under it. With the port,
   * and without it, because some clients leave it out. That is safe: a browser names the port in Host (RFC 9110, 7.2),
   * so no page can make it send a Host without one.
   */
  readonly hosts: ReadonlyMap<string, string>;
  /** Allowed values of `Origin`. Without the port, it would be the page of another server: the one on port 80 or 443. */
  readonly origins: ReadonlySet<string>;
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/**
 * Names of the machine itself. One allows the others, because no attacker can make them lead elsewhere (DNS rebinding).
 */
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** Undefined if the address is not a URL. */
function describeAddress({ url: text, host, port }: PublicAddress): OwnAddress | undefined {
  const url = URL.parse(text) ?? undefined;
  if (url === undefined) return undefined;
  // A proxy in front may send the Host that visitors use, or the one that it connects to.
  const plain = URL.parse(`${url.protocol}//${addBrackets(host)}:${port}`) ?? url;
  const toOrigin = (name: string) => `${url.protocol}//${name}`;
  const own = listNames(url);
  const origins = new Set([...own, ...listNames(plain)].map(toOrigin));
  // A Host that is not in the URL was written by the proxy, whose visitors see the URL.
  const hosts = [
    ...listNames(plain).map(name => [name, url.origin]),
    ...own.map(name => [name, toOrigin(name)]),
  ];
  return {
    url,
    hosts: new Map(
      hosts.flatMap(([name = '', origin = '']) => [
        [name, origin],
        [withOtherPort(name, url.protocol), origin],
      ]),
    ),
    origins,
  };
}

/**
 * Reads the address at every request, but parses it again only when it has changed: the same object means the same
 * address, and access control and names.ts keep what depends on it.
 */
export function rememberAddress(read: () => PublicAddress | undefined): () => OwnAddress | undefined {
  let last: PublicAddress | undefined;
  let own: OwnAddress | undefined;
  return () => {
    const current = read();
    if (!isSameAddress(current, last)) own = current && describeAddress(current);
    last = current;
    return own;
  };
}

function isSameAddress(one: PublicAddress | undefined, other: PublicAddress | undefined): boolean {
  if (one === other) return true;
  return one?.url === other?.url && one?.host === other?.host && one?.port === other?.port;
}

/** `host:port` as a browser writes it, without the scheme's default port. */
function listNames({ hostname, port }: URL): string[] {
  const names = LOOPBACK.includes(hostname) ? LOOPBACK : [hostname];
  return names.map(name => (port === '' ? name : `${name}:${port}`));
}

/** The name without its port; a name without a port gets the default one. */
function withOtherPort(name: string, protocol: string): string {
  const plain = name.replace(/:\d+$/, '');
  return plain === name ? `${name}:${DEFAULT_PORTS[protocol]}` : plain;
}
