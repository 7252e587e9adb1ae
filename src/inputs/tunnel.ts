// The inputs about the tunnel: servers, secrets, public port and address. Used by inputs.

import { InputError } from '../shared/errors.ts';
import { PLAIN_PUBLIC_URLS } from '../shared/public-url.ts';
import type { Protocol } from '../shared/state.ts';
import { parseServerAddress, renderAddress, type ServerAddress } from '../tunnel/address.ts';
import type { RemotePort, TunnelServer } from '../tunnel/tunnel.ts';
import { type InputSource, Problems } from './problems.ts';
import { parsePublicUrl, parseWholeNumber } from './values.ts';

export interface PortRange {
  min: number;
  max: number;
}

/** Ports below 1024 need special rights at the server, and bore's own default begins here. */
export const DEFAULT_RANGE: PortRange = { min: 1024, max: 65_535 };
export const DEFAULT_PORT_RANGE = `${DEFAULT_RANGE.min}-${DEFAULT_RANGE.max}`;

export interface TunnelInputs {
  servers: readonly TunnelServer[];
  remotePort: RemotePort;
  /** The public inspector's: `auto` where the preview's is a number. */
  inspectorPort: RemotePort;
  /** Template; its scheme is tcp if the protocol is tcp. */
  publicUrl: string;
}

/** Notes every problem in `problems`; throws if there is one. */
export function parseTunnelInputs(read: InputSource, protocol: Protocol, problems: Problems): TunnelInputs {
  const text = (name: string) => read(name).trim();
  const entries = splitServers(read('server'));
  const addresses = problems.check(() => parseServers(entries));
  const secrets = problems.check(() => parseSecrets(read('secret'), entries.length));
  const range = problems.check(() => parsePortRange(text('port-range') || DEFAULT_PORT_RANGE));
  const port = problems.check(() => parseRemotePort(text('remote-port')));
  const remotePort = problems.check(() => combinePorts(port.value, range.value));
  const publicUrl = problems.check(() => parseTemplate(text('public-url'), protocol));
  const servers = addresses.value.map((address, index) => ({
    address,
    secret: secrets.value[index] ?? secrets.value[0],
  }));
  const inspectorPort: RemotePort =
    remotePort.value.kind === 'fixed' ? { kind: 'auto', ...range.value } : remotePort.value;
  return { servers, remotePort: remotePort.value, inspectorPort, publicUrl: publicUrl.value };
}

/**
 * Split at commas and line ends; a comma may stand before a line end. An empty entry is kept, because it means a
 * variable that is not set.
 */
function splitServers(text: string): string[] {
  if (text.trim() === '') return [];
  return takeFinalLineEnd(text)
    .split(/,?[ \t]*\r?\n|,/)
    .map(entry => entry.trim());
}

/** YAML ends a block with one line end; further ones are empty entries. */
function takeFinalLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '');
}

/** Throws with one problem for each entry that is wrong. */
function parseServers(entries: readonly string[]): ServerAddress[] {
  if (entries.length === 0)
    throw new InputError(
      '`server` is empty: is the variable it comes from set? Write host or host:port, or leave the input out to use bore.pub',
    );
  const problems = new Problems();
  const addresses = entries.map((entry, index) => problems.check(() => parseServer(entry, index)));
  problems.check(() => checkDuplicates(addresses.flatMap(({ known }) => known ?? [])));
  problems.throwIfAny();
  return addresses.map(({ value }) => value);
}

function checkDuplicates(addresses: readonly ServerAddress[]): void {
  const names = addresses.map(renderAddress);
  const doubled = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  if (doubled.size > 0)
    throw new InputError(
      [...doubled].map(name => `\`server\` names ${name} more than once: name each server once`),
    );
}

function parseServer(entry: string, index: number): ServerAddress {
  if (entry !== '') return parseServerAddress(entry);
  throw new InputError(
    `entry ${index + 1} of \`server\` is empty: is the variable it comes from set? Write one host or host:port in each line, or between commas`,
  );
}

/** The lines of the `secret` input, each trimmed; none if it was not given. A line may be blank. */
export function splitSecrets(text: string): string[] {
  if (text.trim() === '') return [];
  return takeFinalLineEnd(text)
    .split('\n')
    .map(line => line.trim());
}

/** One for all servers, one for each, or none. No message shows any of them. */
function parseSecrets(text: string, servers: number): string[] {
  const entries = splitSecrets(text);
  // With one server there is no order to keep: blank lines mean nothing.
  const lines = servers === 1 ? entries.filter(line => line !== '') : entries;
  const blank = lines.indexOf('');
  if (blank !== -1)
    throw new InputError(
      `entry ${blank + 1} of \`secret\` is empty: is the variable it comes from set? Write one line for all servers, or one line for each, in the order of \`server\``,
    );
  if (lines.length > 1 && servers > 0 && lines.length !== servers)
    throw new InputError(
      `\`secret\` has ${lines.length} lines, and \`server\` names ${servers === 1 ? 'one server' : `${servers} servers`}: write one line for all, or one line for each, in the same order`,
    );
  return lines;
}

function parseRemotePort(text: string): RemotePortKind {
  const word = text.toLowerCase();
  if (word === '' || word === 'auto') return { kind: 'auto' };
  if (word === 'random') return { kind: 'random' };
  if (/^\d+$/.test(text))
    return { kind: 'fixed', port: parseWholeNumber(text, 'remote-port', 1, 65_535) ?? 0 };
  throw new InputError(`\`remote-port\` is '${text}': write auto, random, or a whole number from 1 to 65535`);
}

/** The `remote-port` input; the range of `auto` is in `port-range`. */
type RemotePortKind = { kind: 'auto' } | Exclude<RemotePort, { kind: 'auto' }>;

/** Throws if `remote-port` contradicts the range; the default range fits every port. */
function combinePorts(port: RemotePortKind, range: PortRange): RemotePort {
  if (port.kind === 'auto') return { ...port, ...range };
  const shown = `${range.min}-${range.max}`;
  if (shown === DEFAULT_PORT_RANGE) return port;
  if (port.kind === 'random')
    throw new InputError(
      `\`remote-port\` is random, so the server picks the port, and \`port-range\`, ${shown}, has no effect: leave one of the two out`,
    );
  if (port.port < range.min || port.port > range.max)
    throw new InputError(
      `\`remote-port\` is ${port.port}, which is outside \`port-range\`, ${shown}: leave one of the two out`,
    );
  return port;
}

/** Accepts a hyphen, and what people paste: a dash, or the colon that firewalls use. */
function parsePortRange(text: string): PortRange {
  const [, low, high] = /^(\d{1,5})\s*[-–:]\s*(\d{1,5})$/.exec(text) ?? [];
  const [min, max] = [Number(low), Number(high)];
  const problem =
    low === undefined
      ? 'is not a range'
      : min < 1 || max > 65_535
        ? 'has ports outside 1 to 65535'
        : min > max
          ? 'begins above its end'
          : undefined;
  if (problem === undefined) return { min, max };
  throw new InputError(`\`port-range\` is '${text}', which ${problem}: write it like 20000-29999`);
}

/** The default means the bore server's own address, in the form of the protocol. */
function parseTemplate(text: string, protocol: Protocol): string {
  const isDefault = text === '' || text === PLAIN_PUBLIC_URLS.http;
  return isDefault ? PLAIN_PUBLIC_URLS[protocol] : parsePublicUrl(text, protocol);
}
