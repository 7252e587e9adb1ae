// Whether the names lead anywhere: the server's, and the one that visitors of a preview use.

import { resolve4 } from 'node:dns/promises';
import { raceSignal } from '../../shared/abort.ts';
import { describeError, hasCode } from '../../shared/errors.ts';
import { stripBrackets } from '../../shared/public-url.ts';
import { explainDial } from '../../tunnel/failure.ts';
import { isPublicName, kindOf } from '../addresses.ts';
import { type Check, type Finding, fault, ok, warning } from '../check.ts';
import type { Subject } from '../subject.ts';

/** Most addresses that a message lists. */
const MAX_LISTED = 4;

export const dns: Check = {
  name: 'dns',
  title: 'DNS',
  needs: [],
  deadlineMs: 8_000,
  async run(subject, signal) {
    const { host } = subject.question.server;
    const server = await judge(subject, host, signal, error => explainServer(subject, error, signal));
    const publicHost = stripBrackets(subject.publicUrl().hostname);
    if (publicHost === host) return server;
    const visitors = await judge(subject, publicHost, signal, async error => [
      explainPublicName(subject, error),
    ]);
    return [...server, ...visitors];
  },
};

async function judge(
  subject: Subject,
  host: string,
  signal: AbortSignal,
  explain: (error: unknown) => Promise<Finding[]>,
): Promise<Finding[]> {
  try {
    const addresses = await raceSignal(subject.resolve(host), signal);
    return addresses.length === 0
      ? await explain(new Error('the host name has no address'))
      : judgeAddresses(host, addresses);
  } catch (error) {
    signal.throwIfAborted();
    return explain(error);
  }
}

function judgeAddresses(host: string, addresses: readonly string[]): Finding[] {
  const listed = addresses.slice(0, MAX_LISTED).join(', ');
  if (addresses.includes(host)) return [ok(`${host} is an address, and needs no name`)];
  const dead = addresses.find(address => kindOf(address) === 'unspecified');
  if (dead !== undefined)
    return [
      fault(`${host} leads to ${dead}, which is no machine: a DNS filter of this network blocks the name`),
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

async function explainServer(subject: Subject, error: unknown, signal: AbortSignal): Promise<Finding[]> {
  const { server } = subject.question;
  const { message } = explainDial(server, error);
  if (hasCode(error, 'EAI_AGAIN'))
    return [fault(`${message}: no DNS server answered; check the network of this machine`)];
  if (!hasCode(error, 'ENOTFOUND')) return [fault(message)];
  // getaddrinfo says the same of a name without addresses as of one that does not exist.
  const hasOther = await raceSignal(resolve4(server.host), signal).catch(reason =>
    hasCode(reason, 'ENODATA'),
  );
  if (hasOther !== true) return [fault(message)];
  return [
    fault(`the name ${server.host} exists, but has no address: add an A record with the server's address`),
  ];
}

function explainPublicName(subject: Subject, error: unknown): Finding {
  if (!hasCode(error, 'ENOTFOUND', 'ENODATA'))
    return fault(
      `${subject.publicUrl().hostname}, which visitors use, was not found: ${describeError(error)}`,
    );
  const { hostname } = subject.publicUrl();
  const zone = hostname.slice(hostname.indexOf('.') + 1);
  const isWildcard = hostname !== subject.publicUrl(1).hostname;
  const remedy = isWildcard
    ? `add the wildcard record *.${zone}, which leads to the proxy`
    : 'check `public-url` for a typo, or add the record';
  return fault(`there is no host ${hostname}, which visitors use: ${remedy}`);
}
