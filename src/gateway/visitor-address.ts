// The IP address of a visitor, as the proxy in front reports it in `X-Forwarded-For`. Read for each request, and only with
// `trusted-proxy: true`. Used by passes.ts.

import { isIPv4, isIPv6 } from 'node:net';
import type { HttpRequest } from '../shared/http-message.ts';
import type { Logger } from '../shared/log.ts';
import { sanitise } from '../shared/sanitise.ts';
import { isOwnPath } from './own-pages.ts';
import { forEachField, type RawHeaders } from './raw-headers.ts';
import { readPath } from './visit.ts';

const FIELD = 'x-forwarded-for';

/** The longest address has 45 characters; brackets, a zone and a port may surround it. */
const MAX_ELEMENT_LENGTH = 100;

/** Of a field in the log. */
const MAX_QUOTED_LENGTH = 100;

/** IPv4 with a port (Azure), or IPv6 in brackets, with or without a port. */
const WITH_PORT = /^(?:(?<v4>[\d.]+)(?=:)|\[(?<v6>[^[\]]+)\])(?::(?<port>\d{1,5}))?$/;
const MAX_PORT = 65_535;

/** IPv4 in IPv6 (RFC 4291, 2.5.5.2), as `URL` writes it. */
const MAPPED = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/;

/** What the field says. `unreadable` and `absent`: no address. */
export type ForwardedFor =
  | { kind: 'address'; address: string }
  | { kind: 'unreadable'; element: string }
  | { kind: 'absent' };

/** Reads the last element of the last field: the nearest proxy wrote it, and a visitor may have written all others. */
export function readForwardedFor(raw: RawHeaders): ForwardedFor {
  let value: string | undefined;
  forEachField(raw, (name, text) => {
    if (name.length === FIELD.length && name.toLowerCase() === FIELD) value = text;
  });
  if (value === undefined) return { kind: 'absent' };
  const element = value.slice(value.lastIndexOf(',') + 1);
  const address = parseAddress(element);
  return address === undefined ? { kind: 'unreadable', element } : { kind: 'address', address };
}

/**
 * One element, in any form that proxies write: with spaces around it, a port, brackets, or a zone. Returns the plain
 * address: IPv4, or IPv6 in its shortest form (RFC 5952); undefined if it is anything else.
 */
export function parseAddress(element: string): string | undefined {
  const text = element.replace(/^[ \t]+|[ \t]+$/g, '');
  if (text.length > MAX_ELEMENT_LENGTH) return undefined;
  if (isIPv4(text)) return text;
  const { v4, v6 = text, port = '0' } = WITH_PORT.exec(text)?.groups ?? {};
  if (Number(port) > MAX_PORT) return undefined;
  if (v4 !== undefined) return isIPv4(v4) ? v4 : undefined;
  return isIPv6(v6) ? shorten(v6) : undefined;
}

function shorten(address: string): string | undefined {
  // The zone means something on the proxy's machine only.
  const plain = address.split('%', 1)[0];
  const short = URL.parse(`http://[${plain}]`)?.hostname.slice(1, -1);
  const [, high, low] = MAPPED.exec(short ?? '') ?? [];
  if (high === undefined || low === undefined) return short;
  return [high, low].flatMap(splitBytes).join('.');
}

function splitBytes(word: string): [high: number, low: number] {
  const value = Number.parseInt(word, 16);
  return [value >> 8, value & 255];
}

/**
 * What one visitor cannot change: an IPv4 address, or the first 64 bits of an IPv6 address, whose other half devices choose
 * themselves (RFC 4291, 2.5.1). Takes what `parseAddress` returns.
 */
export function cutHostPart(address: string): string {
  if (!address.includes(':')) return address;
  const [head = [], tail] = address.split('::').map(part => part.split(':').filter(group => group !== ''));
  if (tail === undefined) return head.slice(0, 4).join(':');
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...tail].slice(0, 4).join(':');
}

/** A warning for requests without the field. */
export const NO_FORWARDED_FOR =
  '`trusted-proxy` is true, and a request came without X-Forwarded-For: either the proxy does not set it, or the request went around the proxy; see docs/security.md#the-visitors-address';

/** Reads the address of each visitor. Reports once what is wrong with the proxy's field. */
export class VisitorAddresses {
  readonly #logger: Logger;
  readonly #onWarning: (message: string) => void;
  #isUnreadableReported = false;
  #isAbsenceReported = false;

  /** `onWarning` gets fixed sentences; what quotes a request goes to the log only. */
  constructor(logger: Logger, onWarning: (message: string) => void) {
    this.#logger = logger;
    this.#onWarning = onWarning;
  }

  /** Undefined if the proxy reports none. */
  read(request: HttpRequest): string | undefined {
    const found = readForwardedFor(request.rawHeaders);
    if (found.kind === 'address') return found.address;
    if (found.kind === 'unreadable') this.#reportUnreadable(found.element);
    // The address check may come straight from the runner.
    else if (!isOwnPath(readPath(request))) this.#reportAbsence();
    return undefined;
  }

  #reportUnreadable(element: string): void {
    if (this.#isUnreadableReported) return;
    this.#isUnreadableReported = true;
    this.#logger.warn(
      `\`trusted-proxy\` is true, and a request came with an X-Forwarded-For that ends with '${sanitise(element.trim(), MAX_QUOTED_LENGTH)}', which is not an IP address: such requests have no visitor's address; let the proxy set the field to the visitor's address`,
    );
  }

  #reportAbsence(): void {
    if (this.#isAbsenceReported) return;
    this.#isAbsenceReported = true;
    this.#onWarning(NO_FORWARDED_FOR);
  }
}
