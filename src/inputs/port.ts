// The `port` input: a port of this machine, or `host:port` of another one. Used by inputs/app.ts.

import { isIPv6 } from 'node:net';
import { isNeverExposed, NEVER_EXPOSED_REASON } from '../app/port/service-address.ts';
import { InputError } from '../shared/errors.ts';
import { stripBrackets } from '../shared/public-url.ts';
import { sanitise } from '../shared/sanitise.ts';

export interface PortInput {
  port: number;
  /** Undefined for this machine. A name in its DNS form, or an IP address without brackets. */
  service: string | undefined;
}

/** `8080`, `redis:6379` or `[fd12::5]:8080`; undefined for an empty text. Throws an InputError. */
export function parsePortInput(text: string, command: string | undefined): PortInput | undefined {
  if (text === '') return undefined;
  if (/^\d+$/.test(text)) return { port: parsePort(text, text), service: undefined };
  const [, host = '', digits = ''] = /^(\[[^\]]*\]|[^:/@?#[\]\s]+):(\d+)$/.exec(text) ?? [];
  // The parser of URLs knows names in other scripts, and the many forms of an IP address.
  const name = URL.parse(`http://${host}`)?.hostname ?? '';
  if (name === '') throw refuse(text, describeForm(text));
  const port = parsePort(digits, text);
  const service = stripBrackets(name);
  if (service === 'localhost') return { port, service: undefined };
  const mistake = describeOwnPort(host, service, port);
  if (mistake !== undefined) throw refuse(text, mistake);
  if (isNeverExposed(service)) throw refuse(text, `it leads to ${service}, ${NEVER_EXPOSED_REASON}`);
  if (command !== undefined)
    throw refuse(text, `\`command\` starts the app on this machine; write only the number, ${port}`);
  return { port, service };
}

function parsePort(digits: string, text: string): number {
  const port = Number(digits);
  if (port >= 1 && port <= 65_535) return port;
  throw refuse(text, 'write a whole number from 1 to 65535');
}

/** Forms of a port of this machine that other programs take: of Docker (`8080:80`), and of servers (`0.0.0.0:80`). */
function describeOwnPort(host: string, service: string, port: number): string | undefined {
  if (/^\d{1,5}$/.test(host)) return `write only the port on this machine, ${host}`;
  if (service === '0.0.0.0' || service === '::' || service === '*')
    return `${service} is only an address to listen on; write only the number, ${port}`;
  return undefined;
}

function describeForm(text: string): string {
  if (text.includes('//')) return 'write it without http:// and without a path, like redis:6379';
  if (isIPv6(text)) return 'write an IPv6 address in brackets, and a port, like [fd12::5]:8080';
  if (/^[\w.-]*[a-z][\w.-]*$/i.test(text)) return `add the port of the service, like ${text}:8080`;
  return 'write a whole number from 1 to 65535, or host:port for a service on another machine';
}

function refuse(text: string, remedy: string): InputError {
  return new InputError(`\`port\` is '${sanitise(text)}': ${remedy}`);
}
