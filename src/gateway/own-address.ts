// What the preview is called from outside: the one answer to "is this Host, or this Origin, ours?". Used by guard,
// access and proxy. Pure.

import { addBrackets } from '../shared/public-url.ts';

/** Where visitors come in: the URL they open, and the address of the bore server behind it. */
export interface PublicAddress {
  /** Without a trailing slash. */
  url: string;
  host: string;
  port: number;
}

export interface OwnAddress {
  readonly url: URL;
  /** What `Host` may be, in lower case, port included. */
  readonly hosts: ReadonlySet<string>;
  /** What `Origin` may be. */
  readonly origins: ReadonlySet<string>;
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/** Names of one's own machine, which stand for each other: none of them can be pointed elsewhere (DNS rebinding). */
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** Undefined where the address is no URL. */
export function describeAddress({ url: text, host, port }: PublicAddress): OwnAddress | undefined {
  const url = URL.parse(text) ?? undefined;
  if (url === undefined) return undefined;
  // A proxy in front may pass on the name it was called by, or the one it calls.
  const plain = URL.parse(`${url.protocol}//${addBrackets(host)}:${port}`) ?? url;
  const names = [url, plain].flatMap(listNames);
  return {
    url,
    hosts: new Set(names.flatMap(name => [name, addDefaultPort(name, url.protocol)])),
    origins: new Set(names.map(name => `${url.protocol}//${name}`)),
  };
}

/** Parses an address again only when it has changed: every request asks. */
export function rememberAddress(read: () => PublicAddress | undefined): () => OwnAddress | undefined {
  let last: PublicAddress | undefined;
  let own: OwnAddress | undefined;
  return () => {
    const current = read();
    if (current !== last) own = current && describeAddress(current);
    last = current;
    return own;
  };
}

/** `host:port` as a browser writes it, which leaves out the scheme's own port. */
function listNames({ hostname, port }: URL): string[] {
  const names = LOOPBACK.includes(hostname) ? LOOPBACK : [hostname];
  return names.map(name => (port === '' ? name : `${name}:${port}`));
}

function addDefaultPort(name: string, protocol: string): string {
  return /:\d+$/.test(name) ? name : `${name}:${DEFAULT_PORTS[protocol]}`;
}
