// The names of the preview on both sides of the gateway: what the app sees as its own address, and how the addresses in
// its answers are mapped back. Which rule applies is chosen at each start of the app (app/host-header/). Used by
// headers.ts, for every request. Pure.
//
// The app must see one address: programs compare `Host` with `Origin`, `Referer` or `X-Forwarded-Host`, and refuse
// their own page if these differ (RFC 6455, 10.2; the CSRF checks of Django, SvelteKit, Next.js and others).

import { renderAppAuthority } from '../../shared/app-authority.ts';
import type { OwnAddress } from '../own-address.ts';
import type { Visit } from '../visit.ts';
import type { AppAddress } from './app-link.ts';

/** What a request needs. */
export interface RequestNames {
  /** `Host` for the app. */
  readonly host: string;
  /** Names and values in turn. */
  readonly forwardedFields: readonly string[];
  /** The value of a request's field for the app; undefined to leave the field out. `key` is the name in lower case. */
  toApp(key: string, value: string): string | undefined;
}

export interface Names extends RequestNames {
  /** Whether the visitor uses plain http, so that the preview has no https. */
  readonly isPlain: boolean;
  /** The value of an answer's field for the visitor. */
  toVisitor(key: string, value: string): string;
}

/** All that names depend on. */
interface Place {
  readonly address: OwnAddress | undefined;
  readonly app: AppAddress;
  /** The origin that the visitor sees; undefined if it is not known. */
  readonly visited: string | undefined;
}

/** The names of the last visit: the next one nearly always has the same. */
let last: (Place & { readonly names: Names }) | undefined;

/** The names for one visit. */
export function chooseNames(
  { request, address }: Pick<Visit, 'address'> & { request: Pick<Visit['request'], 'headers'> },
  app: AppAddress,
): Names {
  const { host = '', origin = '' } = request.headers;
  // Behind a proxy that writes a Host of its own, only Origin contains the address that the visitor uses.
  const visited = address?.origins.has(origin) ? origin : address?.hosts.get(host.toLowerCase());
  if (last?.visited !== visited || last?.app !== app || last.address !== address)
    last = { address, app, visited, names: createNames({ address, app, visited }) };
  return last.names;
}

function createNames({ address, app, visited }: Place): Names {
  return visited !== undefined && app.hostHeader === 'preserve'
    ? new PublicNames(visited)
    : new LocalNames(renderAppAuthority(app), address, visited);
}

/** `preserve`: the app sees the public address, so nothing needs to be mapped. */
class PublicNames implements Names {
  readonly host: string;
  readonly forwardedFields: readonly string[];
  readonly isPlain: boolean;

  constructor(origin: string) {
    const scheme = origin.slice(0, origin.indexOf(':'));
    this.isPlain = scheme === 'http';
    this.host = readAuthority(origin);
    const port = /:(\d+)$/.exec(this.host)?.[1] ?? (this.isPlain ? '80' : '443');
    this.forwardedFields = [
      ...['x-forwarded-host', this.host],
      ...['x-forwarded-proto', scheme],
      // Tomcat takes the port from here, and otherwise assumes the scheme's default.
      ...['x-forwarded-port', port],
    ];
  }

  toApp(_: string, value: string): string {
    return value;
  }

  toVisitor(_: string, value: string): string {
    return value;
  }
}

/**
 * `rewrite`: the app sees `http://localhost:PORT`, an origin that the gateway invents (for a service on another machine,
 * `http://redis:6379`). There are no forwarding fields: an app that trusts them would expect another `Origin` than it
 * gets.
 */
class LocalNames implements Names {
  readonly host: string;
  readonly forwardedFields: readonly string[] = [];
  readonly isPlain: boolean;
  readonly #address: OwnAddress | undefined;
  readonly #visited: string | undefined;

  constructor(host: string, address: OwnAddress | undefined, visited: string | undefined) {
    this.host = host;
    this.#address = address;
    this.#visited = visited;
    this.isPlain = visited?.startsWith('http:') === true;
  }

  toApp(key: string, value: string): string | undefined {
    if (key === 'origin') return this.#mapSource(value, 'null');
    // WebDAV servers compare the host of Destination with their own (RFC 4918, 10.3).
    if (key === 'referer' || key === 'destination') return this.#mapSource(value, undefined);
    return value;
  }

  toVisitor(key: string, value: string): string {
    const map = ANSWER_FIELDS.get(key);
    if (map === undefined || this.#visited === undefined) return value;
    return map(value, { local: this.host.toLowerCase(), visited: this.#visited });
  }

  /**
   * Replaces the preview's own origin at the start of the URL. Other origins stay as they are, so that the app can
   * refuse them. An origin that the app would take for its own, a page at the same port of the visitor's own machine,
   * becomes `disguised`, which any page can make its browser send: so such a page gains nothing.
   */
  #mapSource<T>(value: string, disguised: T): string | T {
    const start = ORIGIN.exec(value)?.[0] ?? '';
    if (this.#address?.origins.has(start.toLowerCase()))
      return `http://${this.host}${value.slice(start.length)}`;
    return this.#namesApp(value) ? disguised : value;
  }

  #namesApp(source: string): boolean {
    const url = URL.parse(source);
    // The default port depends on the scheme, which some apps ignore.
    return url !== null && url.host === URL.parse(`${url.protocol}//${this.host}`)?.host;
  }
}

const ORIGIN = /^https?:\/\/[^/?#]*/i;

interface Mapping {
  /** The authority that the app takes for its own, in lower case. */
  local: string;
  /** The origin that the visitor sees. */
  visited: string;
}

type MapField = (value: string, mapping: Mapping) => string;

/** The fields of an answer in which apps name their own address. */
const ANSWER_FIELDS: ReadonlyMap<string, MapField> = new Map<string, MapField>([
  ['location', mapUrl],
  ['content-location', mapUrl],
  ['refresh', mapRefresh],
  ['link', mapLinks],
  ['set-cookie', dropDomain],
  ['access-control-allow-origin', mapUrl],
  ['content-security-policy', mapSources],
  ['content-security-policy-report-only', mapSources],
]);

/** Scheme and authority; what follows is `/`, `?`, `#` or nothing, so that no longer name can begin with ours. */
const URL_START = /^(https?:)?\/\/([^/?#]*)/i;

/** A URL with exactly the authority that the gateway invented gets the visitor's origin; all others stay unchanged. */
function mapUrl(url: string, { local, visited }: Mapping): string {
  const [start = '', scheme, authority] = URL_START.exec(url) ?? [];
  if (authority?.toLowerCase() !== local) return url;
  return `${scheme === undefined ? `//${readAuthority(visited)}` : visited}${url.slice(start.length)}`;
}

/** Seconds, then `url=` and the URL, which may be quoted (HTML Standard, 4.2.5.3). */
const REFRESH = /^([\d.\s]*[;,\s]\s*(?:url\s*=\s*)?)(?:(["'])(.*?)(?=\2|$)|(.*)$)/i;

function mapRefresh(value: string, mapping: Mapping): string {
  return value.replace(REFRESH, (_, before: string, quote = '', quoted?: string, plain = '') =>
    [before, quote, mapUrl(quoted ?? plain, mapping)].join(''),
  );
}

/**
 * A quoted parameter, which is passed over, or a target in angle brackets (RFC 8288, 3). No URL contains `<`: otherwise
 * many of them would take quadratic time, and apps put the visitor's own text into links to the next page.
 */
const LINK_PART = /"(?:[^"\\]|\\.)*"?|<([^<>]*)>/g;

function mapLinks(value: string, mapping: Mapping): string {
  return value.replace(LINK_PART, (part: string, target?: string) =>
    target === undefined ? part : `<${mapUrl(target, mapping)}>`,
  );
}

/** Browsers end the value of a cookie at the first semicolon, quoted or not (RFC 6265, 5.2). */
const DOMAIN = /;\s*domain\s*=\s*\.?([^;]*)/gi;

/** Without the attribute, the cookie belongs to the host that the visitor sees (RFC 6265, 5.3). */
function dropDomain(cookie: string, { local }: Mapping): string {
  const host = local.replace(/:\d+$/, '');
  return cookie.replace(DOMAIN, (attribute: string, domain: string) =>
    domain.trim().toLowerCase() === host ? '' : attribute,
  );
}

/** Host sources of a policy, with their delimiters (CSP 3, 2.3.1). */
const SOURCE = /(?<=^|[\s;,])(?:(http|ws)s?:\/\/)?([^\s;,/]+)(?=[\s;,/]|$)/gi;

function mapSources(policy: string, { local, visited }: Mapping): string {
  if (!policy.toLowerCase().includes(local)) return policy;
  return policy.replace(SOURCE, (source: string, scheme: string | undefined, host: string) => {
    if (host.toLowerCase() !== local) return source;
    if (scheme === undefined) return readAuthority(visited);
    return scheme.toLowerCase() === 'ws' ? visited.replace('http', 'ws') : visited;
  });
}

function readAuthority(origin: string): string {
  return origin.slice(origin.indexOf('//') + 2);
}
