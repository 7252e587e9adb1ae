// How the public address is written: the templates of `public-url`, and what people and sockets make of an address.
// Used by inputs, exposure, and whoever prints or dials an address.

/** The bore server's own address, without anything in between. */
export const PLAIN_PUBLIC_URLS = { http: 'http://{host}:{port}', tcp: 'tcp://{host}:{port}' } as const;

/** The same where TLS ends on the runner. */
export const TLS_PUBLIC_URL = 'https://{host}:{port}';

/** Whether nothing but the bore server stands before us at addresses of this template; `endsTls`: we speak TLS. */
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

/** A line to paste for an address that no browser opens (`tcp://host:port`); undefined for a web address. */
export function renderClientLine(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed?.protocol !== 'tcp:') return undefined;
  return `nc ${stripBrackets(parsed.hostname)} ${parsed.port}`;
}

/** The client line, indented by two and with a newline; '' for http(s). */
export function renderClientRow(url: string): string {
  const line = renderClientLine(url);
  return line === undefined ? '' : `  ${line}\n`;
}
