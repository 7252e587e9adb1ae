// The address of a service on another machine, such as a service container of the job: `port: redis:6379`. Used by
// port.ts, and by the inputs before anything starts.

import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { AppError } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';

/** A host name or an IP address (IPv6 without brackets), and the port. */
export interface ServiceAddress {
  host: string;
  port: number;
}

/**
 * Addresses at which no service of a job listens, and at which clouds hand the credentials of the machine to everybody
 * who asks (169.254.169.254, fd00:ec2::254, 168.63.129.16, 100.100.100.200). A link in a pull request must not lead
 * there, even if a name in the workflow does. The rest is never the address of one machine.
 */
const NEVER_EXPOSED = new BlockList();
NEVER_EXPOSED.addSubnet('169.254.0.0', 16);
NEVER_EXPOSED.addSubnet('fe80::', 10, 'ipv6');
NEVER_EXPOSED.addAddress('168.63.129.16');
NEVER_EXPOSED.addAddress('100.100.100.200');
NEVER_EXPOSED.addAddress('fd00:ec2::254', 'ipv6');
NEVER_EXPOSED.addSubnet('0.0.0.0', 8);
NEVER_EXPOSED.addAddress('::', 'ipv6');
NEVER_EXPOSED.addSubnet('224.0.0.0', 3);
NEVER_EXPOSED.addSubnet('ff00::', 8, 'ipv6');

/** False for a name, and for the addresses above, also when written as IPv6 (`::ffff:169.254.169.254`). */
export function isNeverExposed(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && NEVER_EXPOSED.check(address, version === 4 ? 'ipv4' : 'ipv6');
}

/** Why it is refused, after the address. */
export const NEVER_EXPOSED_REASON =
  'which is never exposed: it belongs to the machine or the network itself, and clouds give out credentials there';

/**
 * All addresses of the host, in the system's order. Rejects with the resolver's error, or with an AppError if one of
 * them is never exposed: an attempt to connect could end at any of them.
 */
export async function resolveService(host: string): Promise<string[]> {
  const addresses = (await lookup(host, { all: true })).map(({ address }) => address);
  const refused = addresses.find(isNeverExposed);
  if (refused === undefined) return addresses;
  const where = refused === host ? host : `${sanitise(host)} is ${refused},`;
  throw new AppError(`\`port\`: ${where} ${NEVER_EXPOSED_REASON}`, { restartable: false });
}
