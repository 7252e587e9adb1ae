// What a program in wasmrun's VM may connect to: our list of the runner's own ranges, merged into the project's
// wasmrun.toml. Used by staging.ts. wasmnet 0.2.0 checks its deny rules first, for every address a name resolves to,
// so nothing in `allow` can open these ranges again.

import { networkInterfaces } from 'node:os';
import { stringify } from 'smol-toml';
import type { ProjectConfig } from './project-config.ts';

/**
 * wasmnet's own list leaves `0.0.0.0`, `::1` and `::ffff:127.0.0.1` open, and with them wasmrun's file-writing API
 * (measured). These are the ranges of RFC 6890 that can lead to this machine or its network, in every notation.
 */
export const DENIED_RANGES: readonly string[] = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.168.0.0/16', '198.18.0.0/15'],
  // Azure's host agent, which GitHub's own runners can reach.
  '168.63.129.16/32',
  // IPv4 inside IPv6: compatible, mapped, NAT64 (RFC 6052, RFC 8215), 6to4; `::` and `::1` are in the first.
  ...['::/96', '::ffff:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '2002::/16'],
  ...['fc00::/7', 'fe80::/10', 'fec0::/10'],
];

/** The VM's memory if the project sets no limit or a higher one: a runner has 7 GB, and the job needs some of it. */
const MAX_MEMORY_MB = 2_048;
/**
 * What the page keeps for its Console panel, which nobody sees here. The page copies the whole list for every line, in
 * the thread that also moves the program's bytes. Our own log still gets every line.
 */
const MAX_PAGE_CONSOLE_MB = 1;

/** The default of wasmnet 0.2.0, which binds these ports on the runner: other ports may belong to other services. */
export const DEFAULT_BIND_PORTS = '3000-9999';
const [MIN_BIND_PORT, MAX_BIND_PORT] = [3_000, 9_999];
const MAX_CONNECTIONS = 50;
const MAX_BANDWIDTH_MBPS = 10;

/** The wasmrun.toml for our copy of the project: the project's own, narrowed by our rules and limits. */
export function renderStagedConfig(config: ProjectConfig, ownAddresses: readonly string[] = []): string {
  const { limits, network, ...os } = config.os ?? {};
  const { max_memory_mb, max_output_mb } = limits ?? {};
  const { deny = [], max_connections, max_bandwidth_mbps } = network ?? {};
  return stringify({
    os: {
      ...os,
      limits: {
        ...limits,
        ...(max_memory_mb === undefined ? {} : { max_memory_mb: narrow(max_memory_mb, MAX_MEMORY_MB) }),
        max_output_mb: narrow(max_output_mb ?? 0, MAX_PAGE_CONSOLE_MB),
      },
      network: {
        ...network,
        deny: [...new Set([...DENIED_RANGES, ...ownAddresses, ...deny])],
        ...(findRefusedPorts(config) === undefined ? {} : { bind_ports: DEFAULT_BIND_PORTS }),
        // Unlike in the other limits, 0 means none here.
        ...(max_connections === undefined
          ? {}
          : { max_connections: Math.min(max_connections, MAX_CONNECTIONS) }),
        ...(max_bandwidth_mbps === undefined
          ? {}
          : { max_bandwidth_mbps: narrow(max_bandwidth_mbps, MAX_BANDWIDTH_MBPS) }),
      },
    },
  });
}

/** The project's `bind_ports` if some lie outside of wasmnet's default range, which then replaces them. */
export function findRefusedPorts({ os }: ProjectConfig): string | undefined {
  const wanted = os?.network?.bind_ports;
  return wanted === undefined || wanted.split(',').every(isBindable) ? undefined : wanted;
}

/** Rust accepts more spellings of a number (`+22`) than this does: they are refused. */
function isBindable(part: string): boolean {
  const found = /^(\d{1,5})(?:\s*-\s*(\d{1,5}))?$/.exec(part.trim());
  if (found === null) return false;
  const [first, last] = [Number(found[1]), Number(found[2] ?? found[1])];
  return first >= MIN_BIND_PORT && last <= MAX_BIND_PORT && first <= last;
}

/** wasmrun reads 0 as "no limit". */
function narrow(wanted: number, limit: number): number {
  return wanted === 0 ? limit : Math.min(wanted, limit);
}

/** This machine's addresses as rules: a service on all interfaces would answer on a public one, too. */
export function listOwnAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .map(({ address, family }) => (family === 'IPv6' ? `${address.split('%')[0]}/128` : `${address}/32`));
}
