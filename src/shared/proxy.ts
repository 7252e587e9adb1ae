// Requests that go through the job's proxy where one is set: those to GitHub. Used by github and app/wasmrun/release.
// Those to this machine never do: loopback.ts.

import type { Dispatcher } from 'undici';

/** HTTP_PROXY, HTTPS_PROXY and NO_PROXY, maybe among others. As with curl, the name in lower case comes first. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

const VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'] as const;
type Variable = (typeof VARIABLES)[number];

/** Of a whole environment, the variables that name a proxy. */
export function selectProxyVariables(environment: ProxyEnvironment): ProxyEnvironment {
  const names = VARIABLES.flatMap(name => [name, name.toLowerCase()]);
  return Object.fromEntries(
    names.flatMap(name => (environment[name] === undefined ? [] : [[name, environment[name]]])),
  );
}

/** A proxy variable holds something else. The message leaves its value out, which may hold a password. */
export class ProxyError extends Error {
  constructor(variable: string) {
    super(
      `${variable} is not the address of a proxy (its value is not shown, it may hold a password): ` +
        'write http://host:port or http://user:password@host:port, special characters as %XX',
    );
    this.name = 'ProxyError';
  }
}

/** The schemes undici speaks to a proxy. */
const SCHEMES: ReadonlySet<string> = new Set(['http:', 'https:', 'socks5:', 'socks:']);

/** What Octokit asks of a `fetch`. */
export interface FetchOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal;
}

type Fetch = (url: string, options: FetchOptions) => Promise<{ status: number }>;

/**
 * A `fetch` that honours the proxy variables; rejects with a ProxyError where one of them cannot be used. Its idle
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

/** undici would read the environment by itself; what counts is what was handed in. Throws a ProxyError. */
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

/** The proxy's URL; empty where there is none. */
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

/** A path means that a `/` of the password has cut the host short. */
function isProxy({ protocol, hostname, pathname, search, hash, username, password }: URL): boolean {
  if (!SCHEMES.has(protocol) || hostname === '' || pathname.length > 1 || search !== '' || hash !== '')
    return false;
  try {
    // As undici does later, without a message that says what it is about.
    for (const part of [username, password]) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}
