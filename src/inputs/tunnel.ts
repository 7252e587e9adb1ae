// The inputs about the way in: servers, secrets, public port and address. Used by inputs.

import { InputError } from '../shared/errors.ts';
import { PLAIN_PUBLIC_URLS } from '../shared/public-url.ts';
import type { Protocol } from '../shared/state.ts';
import { parseServerAddress, renderAddress, type ServerAddress } from '../tunnel/address.ts';
import type { RemotePort, TunnelServer } from '../tunnel/tunnel.ts';
import type { InputSource, Problems } from './problems.ts';
import { parsePublicUrl, parseWholeNumber } from './values.ts';

/** Ports below 1024 take special rights at the server, and bore's own default begins here. */
export const DEFAULT_PORT_RANGE = '1024-65535';

export interface TunnelInputs {
  servers: readonly TunnelServer[];
  remotePort: RemotePort;
  /** Template; its scheme is tcp where the protocol is. */
  publicUrl: string;
}

/** Undefined after a problem was noted. */
export function parseTunnelInputs(
  read: InputSource,
  protocol: Protocol,
  problems: Problems,
): TunnelInputs | undefined {
  const entries = splitServers(read('server'));
  const addresses = parseServers(entries, problems);
  const secrets = problems.check(() => parseSecrets(read('secret'), entries.length));
  const remotePort = parsePortWish(read('remote-port').trim(), read('port-range').trim(), problems);
  const publicUrl = problems.check(() => parseTemplate(read('public-url').trim(), protocol));
  if (!addresses || !secrets || !remotePort || !publicUrl) return undefined;
  const servers = addresses.map((address, index) => ({ address, secret: secrets[index] ?? secrets[0] }));
  return { servers, remotePort, publicUrl };
}

/**
 * Between commas and line ends; a comma may stand before a line end. An empty entry is kept: it is where a variable
 * that is not set was to be written.
 */
function splitServers(text: string): string[] {
  if (text.trim() === '') return [];
  return takeFinalLineEnd(text)
    .split(/,?[ \t]*\r?\n|,/)
    .map(entry => entry.trim());
}

/** YAML ends a block with one; any more are lines of the list. */
function takeFinalLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '');
}

/** One problem for each entry that is wrong. */
function parseServers(entries: readonly string[], problems: Problems): ServerAddress[] | undefined {
  if (entries.length === 0)
    problems.found.push(
      '`server` is empty: is the variable it comes from set? Write host or host:port, or leave the input out to use bore.pub',
    );
  const found = entries.map((entry, index) => problems.check(() => parseServer(entry, index)));
  const addresses = found.filter(address => address !== undefined);
  const names = addresses.map(renderAddress);
  for (const name of new Set(names.filter((name, index) => names.indexOf(name) !== index)))
    problems.found.push(`\`server\` names ${name} more than once: name each server once`);
  return addresses.length === entries.length && addresses.length > 0 ? addresses : undefined;
}

function parseServer(entry: string, index: number): ServerAddress {
  if (entry !== '') return parseServerAddress(entry);
  throw new InputError(
    `entry ${index + 1} of \`server\` is empty: is the variable it comes from set? Write one host or host:port in each line, or between commas`,
  );
}

/** The lines of the `secret` input, each trimmed; none where it was not given. A line may be blank. */
export function splitSecrets(text: string): string[] {
  if (text.trim() === '') return [];
  return takeFinalLineEnd(text)
    .split('\n')
    .map(line => line.trim());
}

/** One for all servers, one for each, or none. No message shows any of them. */
function parseSecrets(text: string, servers: number): string[] {
  // One secret for one server: blank lines around it mean nothing.
  const lines = splitSecrets(servers === 1 ? text.trim() : text);
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

function parsePortWish(portText: string, rangeText: string, problems: Problems): RemotePort | undefined {
  const range = problems.check(() => parsePortRange(rangeText || DEFAULT_PORT_RANGE));
  const word = portText.toLowerCase();
  if (word === '' || word === 'auto') return range && { kind: 'auto', ...range };
  const wish = word === 'random' ? RANDOM : problems.check(() => parseRemotePort(portText));
  if (wish === undefined || range === undefined) return undefined;
  const conflict = findConflict(wish, range);
  if (conflict === undefined) return wish;
  problems.found.push(`${conflict}: leave one of the two out`);
  return undefined;
}

const RANDOM: RemotePort = { kind: 'random' };

/** What a range says that the wish does not; the default range is no wish of anybody's. */
function findConflict(wish: RemotePort, { min, max }: PortRange): string | undefined {
  const range = `${min}-${max}`;
  if (range === DEFAULT_PORT_RANGE) return undefined;
  if (wish.kind === 'random')
    return `\`remote-port\` is random, so the server picks, and \`port-range\`, ${range}, would not count`;
  const isOutside = wish.kind === 'fixed' && (wish.port < min || wish.port > max);
  return isOutside
    ? `\`remote-port\` is ${wish.port}, which is outside of \`port-range\`, ${range}`
    : undefined;
}

function parseRemotePort(text: string): RemotePort {
  if (/^\d+$/.test(text))
    return { kind: 'fixed', port: parseWholeNumber(text, 'remote-port', 1, 65_535) ?? 0 };
  throw new InputError(`\`remote-port\` is '${text}': write auto, random, or a whole number from 1 to 65535`);
}

interface PortRange {
  min: number;
  max: number;
}

/** With a hyphen, or what people paste: a dash, or the colon of firewalls. */
function parsePortRange(text: string): PortRange {
  const [, low, high] = /^(\d{1,5})\s*[-–:]\s*(\d{1,5})$/.exec(text) ?? [];
  const [min, max] = [Number(low), Number(high)];
  const problem =
    low === undefined
      ? 'is no range'
      : min < 1 || max > 65_535
        ? 'has ports outside of 1 to 65535'
        : min > max
          ? 'begins above its end'
          : undefined;
  if (problem === undefined) return { min, max };
  throw new InputError(`\`port-range\` is '${text}', which ${problem}: write it like 20000-29999`);
}

/** The default stands for the bore server's own address, in the protocol's words. */
function parseTemplate(text: string, protocol: Protocol): string {
  const isDefault = text === '' || text === PLAIN_PUBLIC_URLS.http;
  return isDefault ? PLAIN_PUBLIC_URLS[protocol] : parsePublicUrl(text, protocol);
}
