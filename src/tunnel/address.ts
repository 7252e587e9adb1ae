// The address of a bore server: parsed from the `server` input (inputs/tunnel.ts), rendered in messages.

import { isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { InputError } from '../shared/errors.ts';
import { sanitise } from '../shared/sanitise.ts';
import { DEFAULT_CONTROL_PORT } from './wire/protocol.ts';

/** A host name or an IP address (IPv6 without brackets) and the port of bore's control connection. */
export interface ServerAddress {
  host: string;
  port: number;
}

/** `host`, `host:port`, `[::1]` or `[::1]:port`; white space around it is ignored. Throws InputError. */
export function parseServerAddress(text: string): ServerAddress {
  const trimmed = text.trim();
  if (trimmed === '') throw new InputError('`server` is empty; give the host of a bore server');
  const parts = /^(?:\[(?<v6>[^\]]*)\]|(?<name>[^:[\]]*))(?::(?<port>[^:]*))?$/su.exec(trimmed)?.groups;
  if (parts === undefined) throw refuseAddress(trimmed, describeForm(trimmed));
  return { host: parseHost(parts.v6, parts.name ?? '', trimmed), port: parsePort(parts.port, trimmed) };
}

/** `host:port`, with brackets if the host is an IPv6 address. */
export function renderAddress({ host, port }: ServerAddress): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseHost(v6: string | undefined, name: string, text: string): string {
  if (v6 !== undefined) {
    if (isIPv6(v6)) return v6;
    throw refuseAddress(text, 'the part in brackets must be an IPv6 address');
  }
  // Names in other scripts are converted to their form in the DNS. A final dot only marks the name as complete: without
  // it, a host has one form to compare.
  const host = domainToASCII(name).replace(/\.$/u, '');
  if (/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/u.test(host) && host.length <= 253) return host;
  throw refuseAddress(text, describeForm(text));
}

function parsePort(text: string | undefined, whole: string): number {
  if (text === undefined) return DEFAULT_CONTROL_PORT;
  const port = /^[0-9]{1,5}$/u.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw refuseAddress(
    whole,
    whole.includes('//') ? describeForm(whole) : 'the port must be a whole number from 1 to 65535',
  );
}

function describeForm(text: string): string {
  if (text.includes('//')) return 'write the host alone, without http:// or a path';
  if (isIPv6(text)) return `write an IPv6 address in brackets, [${text}]`;
  return 'write host or host:port';
}

function refuseAddress(text: string, remedy: string): InputError {
  // The whole sentence is made safe: an IPv6 address may begin with `::`, as the runner's commands do at the start of a
  // line.
  return new InputError(`${sanitise(`\`server\` '${text}`)}' is not an address: ${remedy}`);
}
