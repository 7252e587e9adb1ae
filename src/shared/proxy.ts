// Requests to GitHub, which go through the job's proxy if one is set. Used by github and app/wasmrun/release;
// supervisor passes the variables on. Requests to this machine never go through it: see loopback.ts.

import type { Dispatcher } from 'undici';

/** HTTP_PROXY, HTTPS_PROXY and NO_PROXY, maybe among others. As with curl, the name in lower case comes first. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

const VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'] as const;
type Variable = (typeof VARIABLES)[number];

/** The variables of an environment that name a proxy. */
export function selectProxyVariables(environment: ProxyEnvironment): ProxyEnvironment {
  const names = VARIABLES.flatMap(name => [name, name.toLowerCase()]);
  return Object.fromEntries(
    names.flatMap(name => (environment[name] === undefined ? [] : [[name, environment[name]]])),
  );
}

/** A proxy variable is not the address of a proxy. The message leaves out its value, which may contain a password. */
export class ProxyError extends Error {
  constructor(variable: string) {
    super(
      `${variable} is not the address of a proxy (its value is not shown, it may hold a password): ` +
        'write http://host:port or http://user:password@host:port, special characters as %XX',
    );
    this.name = 'ProxyError';
  }
}

/** The schemes of proxies that undici supports. */
const SCHEMES: ReadonlySet<string> = new Set(['http:', 'https:', 'socks5:', 'socks:']);

/** The options that Octokit passes to `fetch`. */
export interface FetchOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal;
}

type Fetch = (url: string, options: FetchOptions) => Promise<{ status: number }>;

/**
 * A `fetch` that honours the proxy variables; rejects with a ProxyError if one of them cannot be used. Its idle
 * connections keep no process alive, so it need not be closed.
 */
export async function createFetch(environment: ProxyEnvironment): Promise<Fetch> {
  const isProxied = (['HTTP_PROXY', 'HTTPS_PROXY'] as const).some(
    name => readVariable(environment, name).value !== '',
  );
  if (!isProxied) return fetch;
  const dispatcher = await createDispatcher(environment);
  const { fetch: fetchThrough } = await import('undici');
  return (url, options) => fetchThrough(url, { ...options, dispatcher });
}

/** Uses only the given variables; left alone, undici would read the environment. Rejects with a ProxyError. */
export async function createDispatcher(environment: ProxyEnvironment): Promise<Dispatcher> {
  const proxies = {
    httpProxy: readProxy(environment, 'HTTP_PROXY'),
    httpsProxy: readProxy(environment, 'HTTPS_PROXY'),
    noProxy: readVariable(environment, 'NO_PROXY').value,
  };
  // Loaded late: it takes 14 MB, and most supervisors have no proxy.
  const { EnvHttpProxyAgent } = await import('undici');
  return new EnvHttpProxyAgent(proxies);
}

/** The proxy's URL; '' if there is none. */
function readProxy(environment: ProxyEnvironment, name: Variable): string {
  const { variable, value } = readVariable(environment, name);
  if (value === '') return '';
  // Like curl, which takes `proxy:3128` too.
  const url = URL.parse(value.includes('://') ? value : `http://${value}`);
  if (url === null || !isProxy(url)) throw new ProxyError(variable);
  return url.href;
}

function readVariable(environment: ProxyEnvironment, name: Variable): { variable: string; value: string } {
  const lower = name.toLowerCase();
  const variable = environment[lower] === undefined ? name : lower;
  return { variable, value: environment[variable]?.trim() ?? '' };
}

/** False if there is a path: then the password contains a `/`, and the host is only a part of it. */
function isProxy({ protocol, hostname, pathname, search, hash, username, password }: URL): boolean {
  if (!SCHEMES.has(protocol) || hostname === '' || pathname.length > 1 || search !== '' || hash !== '')
    return false;
  try {
    // undici decodes them later, and its error would not name the variable.
    for (const part of [username, password]) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}
