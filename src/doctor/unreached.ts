// What is wrong if a visit to a public address does not arrive in our tunnel. Used by the checks public-port, https and
// proxy.

import { isIP, isIPv6 } from 'node:net';
import { renderAddress } from '../tunnel/address.ts';
import { quote } from '../tunnel/failure.ts';
import { BIND_TUNNELS, SERVER_RANGE } from '../tunnel/server-options.ts';
import { isNear } from './addresses.ts';
import { type Finding, fault, warning } from './check.ts';
import type { Reached } from './reach.ts';
import type { Subject } from './subject.ts';
import { NoVisit, portOf, type Target, type Visit } from './visit.ts';

/** A visit to one address of a name, without a connection to our tunnel. */
export interface Unreached {
  target: Target;
  answer: NoVisit;
}

/** What an `ok` says of the visits that arrived: at least one. */
export function describeArrival(url: URL, reached: readonly Reached[]): string {
  const count = reached.filter(({ isOurs }) => isOurs).length;
  return `a visit to ${url.origin} arrives in the tunnel${count === 1 ? '' : `, at each of ${count} addresses`}`;
}

/** Other addresses of the name do not lead to the tunnel, and one does. */
export function explainOthers(subject: Subject, reached: readonly Reached[]): Finding[] {
  const ours = reached.find(({ isOurs }) => isOurs);
  if (ours === undefined) return [];
  return reached
    .filter(one => !one.isOurs && !cannotTry(one))
    .map(one => explainOther(subject, one, ours.target));
}

function explainOther(subject: Subject, { target, answer }: Reached, ours: Target): Finding {
  const said = answer instanceof NoVisit ? answer.message : `the answer was ${answer.status}`;
  const what = `${where(target)}, another address of ${target.url.hostname}, does not lead to the tunnel (${said}), and ${where(ours)} does`;
  if (answer instanceof NoVisit && (answer.kind === 'silent' || answer.kind === 'unreachable'))
    return fault(
      `${what}: a firewall drops what comes to ${describePorts(subject)} there; let it in for ${isIPv6(target.address) ? 'IPv6' : 'IPv4'}, too, at the machine and at its cloud's firewall, or remove the record if it is another machine's`,
    );
  // bore listens on IPv4 alone unless it is told otherwise, and browsers then take the other address at once.
  if (answer instanceof NoVisit && answer.kind === 'refused' && isIP(target.address) !== isIP(ours.address))
    return warning(
      `${what}: programs that try one address alone fail there; let ${subject.isProxied ? 'the proxy' : `bore (${BIND_TUNNELS})`} listen on it and the firewall let it in, or remove the record`,
    );
  return fault(
    `${what}: visitors may be sent there. Several machines behind one name do not work; give each its own name, or remove the record`,
  );
}

/** Without IPv6 here, nothing can be said about an IPv6 address. */
function cannotTry({ target, answer }: Reached): boolean {
  return answer instanceof NoVisit && answer.kind === 'unreachable' && isIPv6(target.address);
}

/** There was no connection to the public address, at any address of its name. `failed`: at least one. */
export async function explainUnreached(subject: Subject, failed: readonly Unreached[]): Promise<Finding> {
  const [first] = failed;
  if (first === undefined) throw new Error('nothing has failed');
  const { target, answer } = first;
  if (await isHairpin(subject, target)) return explainHairpin(target, answer);
  const { origin, hostname } = target.url;
  const ports = describePorts(subject);
  const said = describeAnswers(failed.filter(one => one.answer.kind === answer.kind));
  if (answer.kind !== 'refused') {
    const other = subject.isProxied ? '' : '; if visitors come through a proxy instead, give --public-url';
    return fault(
      `${origin} did not answer from here (${said}): a firewall drops what comes to ${ports}; let it in, at the machine and at its cloud's firewall${other}`,
    );
  }
  const cause = subject.isProxied
    ? `the proxy does not run, or does not listen there, or a firewall rejects what comes to ${ports}`
    : `a firewall rejects what comes to ${ports}, or bore listens on another address (${BIND_TUNNELS}), as it should if visitors come through a proxy: then give --public-url`;
  return fault(`${origin} refuses connections (${said}): ${cause}; or ${hostname} leads to another machine`);
}

/** The system's messages name the address, ours do not. */
function describeAnswers(failed: readonly Unreached[]): string {
  const messages = [...new Set(failed.map(({ answer }) => answer.message))].join('; ');
  const isNamed = failed.every(({ target, answer }) => answer.message.includes(target.address));
  return isNamed ? messages : `${messages} at ${listWhere(failed.map(({ target }) => target))}`;
}

/** `203.0.113.7:443 and [2001:db8::7]:443`. */
export function listWhere(targets: readonly Target[]): string {
  return targets.map(where).join(' and ');
}

function where(target: Target): string {
  return renderAddress({ host: target.address, port: portOf(target) });
}

function describePorts(subject: Subject): string {
  return subject.isProxied
    ? `TCP ${portOf({ url: subject.publicUrl() })}`
    : `the public ports (${describeRange(subject)})`;
}

function describeRange({ question: { range } }: Subject): string {
  return range === undefined ? `from ${SERVER_RANGE}` : `${range.min}-${range.max}`;
}

/**
 * The server is in this network, and the public address is not: most routers do not lead their own network back to
 * itself (hairpin NAT), so nothing can be said from here.
 */
async function isHairpin(subject: Subject, { address }: Target): Promise<boolean> {
  const server = await subject.resolve(subject.question.server.host);
  return server.some(isNear) && !server.includes(address) && !isNear(address);
}

function explainHairpin(target: Target, { message }: NoVisit): Finding {
  return {
    status: 'warning',
    message: `${target.url.origin} did not answer from here (${message}); that is normal if a network does not route back to itself (no hairpin NAT), and the server is in this network: run the doctor from another network, too`,
    blocks: true,
  };
}

/** Something answered that is not our tunnel. */
export function explainForeign(target: Target, answer: Visit | NoVisit, remedy: string): Finding {
  const said =
    answer instanceof NoVisit
      ? `the answer was not HTTP: ${answer.message}`
      : `the answer was ${answer.status}${answer.body === '' ? '' : ` ${quote(firstWords(answer.body))}`}`;
  return fault(`another program answers at ${target.url.origin} (${said}): ${remedy}`);
}

function firstWords(body: string): string {
  return body
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}
