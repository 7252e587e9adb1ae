// How the public address is written: the templates of `public-url`, IPv6 brackets, and the command to paste for TCP.
// Used wherever an address is parsed, printed or dialled.

/** The bore server's own address, without a proxy in front. */
export const PLAIN_PUBLIC_URLS = { http: 'http://{host}:{port}', tcp: 'tcp://{host}:{port}' } as const;

/** The bore server's own address if TLS ends on the runner. */
export const TLS_PUBLIC_URL = 'https://{host}:{port}';

/** Stands for the port while there is none: only the form of the address matters. */
export const SAMPLE_PORT = 12_345;

/** Whether this is the bore server's own address, without a proxy in front; `endsTls`: TLS ends on the runner. */
export function isPlainPublicUrl(template: string, endsTls: boolean): boolean {
  return endsTls ? template === TLS_PUBLIC_URL : Object.values<string>(PLAIN_PUBLIC_URLS).includes(template);
}

/** Fills `{host}` and `{port}`; an IPv6 address gets its brackets (RFC 3986, 3.2.2). */
export function renderPublicUrl(template: string, host: string, port: number): string {
  return template.replaceAll('{host}', addBrackets(host)).replaceAll('{port}', String(port));
}

/** An IPv6 address as it stands in a URL (RFC 3986, 3.2.2); names and IPv4 addresses as they are. */
export function addBrackets(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** The `hostname` of a URL as sockets and certificates want it: an IPv6 address without its brackets. */
export function stripBrackets(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/**
 * The link to an inspector: its key is in the fragment, which browsers send to nobody. `url` is without a trailing
 * slash.
 */
export function renderKeyFragment(url: string, key: string): string {
  return `${url}/#key=${key}`;
}

/** The command to paste for `tcp://host:port`; undefined for an http(s) URL. */
export function renderClientLine(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed?.protocol !== 'tcp:') return undefined;
  return `nc ${stripBrackets(parsed.hostname)} ${parsed.port}`;
}

/** Whether the `hostname` of a URL is a name of the machine itself: secure contexts in browsers, even over http. */
export function isLoopbackName(hostname: string): boolean {
  return /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

/** The client line, indented by two and with a newline; '' for http(s). */
export function renderClientRow(url: string): string {
  const line = renderClientLine(url);
  return line === undefined ? '' : `  ${line}\n`;
}
