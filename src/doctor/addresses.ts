// What an IP address says about where it is. Used by the checks.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

/**
 * Addresses that no other network reaches: IANA's special-purpose registries (RFC 6890), as of November 2026
 * https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry.
 */
const KINDS: readonly (readonly [kind: AddressKind, subnets: string])[] = [
  ['unspecified', '0.0.0.0/8 ::/128'],
  ['loopback', '127.0.0.0/8 ::1/128'],
  ['link-local', '169.254.0.0/16 fe80::/10'],
  ['private', '10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7'],
];
export type AddressKind = 'unspecified' | 'loopback' | 'link-local' | 'private' | 'public';

/** Cloudflare's proxies: https://www.cloudflare.com/ips-v4 and …/ips-v6, unchanged since 2021. */
const CLOUDFLARE = listSubnets(
  `173.245.48.0/20 103.21.244.0/22 103.22.200.0/22 103.31.4.0/22 141.101.64.0/18 108.162.192.0/18 190.93.240.0/20
   188.114.96.0/20 197.234.240.0/22 198.41.128.0/17 162.158.0.0/15 104.16.0.0/13 104.24.0.0/14 172.64.0.0/13
   131.0.72.0/22 2400:cb00::/32 2606:4700::/32 2803:f800::/32 2405:b500::/32 2405:8100::/32 2a06:98c0::/29
   2c0f:f248::/32`,
);

/** Names that only a local network knows (RFC 6762, RFC 6761, RFC 8375, ICANN's .internal), and bare ones. */
const LOCAL_NAME = /^[^.]+$|\.(?:local|localhost|test|internal|lan|home|corp|home\.arpa)$/;

const DISCARD_PORT = 9;

const LISTS = KINDS.map(([kind, subnets]) => [kind, listSubnets(subnets)] as const);

export function kindOf(address: string): AddressKind {
  return LISTS.find(([, list]) => has(list, address))?.[0] ?? 'public';
}

export function isCloudflare(address: string): boolean {
  return has(CLOUDFLARE, address);
}

/** Whether a name belongs to the public DNS. */
export function isPublicName(host: string): boolean {
  return isIP(host) === 0 && !LOCAL_NAME.test(host);
}

/** Whether the address belongs to this machine, or is one that only this network reaches. */
export function isNear(address: string): boolean {
  return kindOf(address) !== 'public' || isOwn(address);
}

/** Whether this machine has a route to the address: many have none for IPv6. Sends nothing. */
export async function isRoutable(address: string): Promise<boolean> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  try {
    // For UDP, the kernel only looks up the route.
    socket.connect(DISCARD_PORT, address);
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}

function isOwn(address: string): boolean {
  return Object.values(networkInterfaces()).some(all => all?.some(one => one.address === address));
}

function listSubnets(text: string): BlockList {
  const list = new BlockList();
  for (const subnet of text.split(/\s+/)) {
    const [address = '', prefix] = subnet.split('/');
    list.addSubnet(address, Number(prefix), isIPv6(address) ? 'ipv6' : 'ipv4');
  }
  return list;
}

function has(list: BlockList, address: string): boolean {
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
