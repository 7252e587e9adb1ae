// Looks up a name, and checks its addresses. Used by the checks dns and public-dns.

import { raceSignal } from '../shared/abort.ts';
import { isPublicName, kindOf } from './addresses.ts';
import { type Finding, fault, ok, warning } from './check.ts';
import type { Subject } from './subject.ts';

/** The system's resolver asks each server for 5 s, and then the next one. */
const LOOKUP_MS = 7_000;
/** Most addresses that a message lists. */
const MAX_LISTED = 4;

/** `explain`: what is wrong if the look-up fails with this error. */
export async function checkName(
  subject: Subject,
  host: string,
  signal: AbortSignal,
  explain: (error: unknown) => Finding | Promise<Finding>,
): Promise<Finding[]> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LOOKUP_MS)]);
  try {
    const addresses = await raceSignal(subject.resolve(host), limit);
    if (addresses.length > 0) return checkAddresses(host, addresses);
    return [fault(`the name ${host} exists, but has no address: add an A record with the server's address`)];
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted)
      return [
        fault(
          `${host} was not found within ${LOOKUP_MS / 1_000} s: no DNS server answered; check the network of this machine`,
        ),
      ];
    return [await explain(error)];
  }
}

function checkAddresses(host: string, addresses: readonly string[]): Finding[] {
  const listed = addresses.slice(0, MAX_LISTED).join(', ');
  if (addresses.includes(host)) return [ok(`${host} is an address, and needs no name`)];
  const dead = addresses.find(address => kindOf(address) === 'unspecified');
  if (dead !== undefined)
    return [
      fault(`${host} leads to ${dead}, which is not a machine: a DNS filter of this network blocks the name`),
    ];
  const near = addresses.find(address => kindOf(address) !== 'public');
  if (near !== undefined && isPublicName(host))
    return [
      warning(
        `${host} leads to ${near}, a ${kindOf(near)} address: nobody outside that network reaches it. If previews are for everybody, give the name the server's public address`,
      ),
    ];
  return [ok(`${host} leads to ${listed}`)];
}
