// What is wrong if a visit to a public address does not arrive in our tunnel. Used by the checks public-port, https and
// proxy.

import { isIP } from 'node:net';
import { renderAddress } from '../tunnel/address.ts';
import { quote } from '../tunnel/failure.ts';
import { isNear } from './addresses.ts';
import { type Finding, fault, warning } from './check.ts';
import type { Reached } from './reach.ts';
import type { Subject } from './subject.ts';
import { NoVisit, portOf, type Target, type Visit } from './visit.ts';

/** Other addresses of the name do not lead to the tunnel, and one does. */
export function explainOthers(reached: readonly Reached[]): Finding[] {
  const ours = reached.find(({ isOurs }) => isOurs);
  if (ours === undefined) return [];
  return reached.filter(one => !one.isOurs && !cannotTry(one)).map(one => explainOther(one, ours.target));
}

function explainOther({ target, answer }: Reached, ours: Target): Finding {
  const where = renderAddress({ host: target.address, port: portOf(target) });
  const said = answer instanceof NoVisit ? answer.message : `the answer was ${answer.status}`;
  const what = `${where}, another address of ${target.url.hostname}, does not lead to the tunnel (${said})`;
  // bore listens on IPv4 alone unless it is told otherwise, and browsers then take the other address at once.
  if (answer instanceof NoVisit && answer.kind === 'refused' && isIP(target.address) !== isIP(ours.address))
    return warning(
      `${what}: programs that try one address alone fail there; let bore and the proxy listen on it, or remove the record`,
    );
  return fault(
    `${what}: visitors may be sent there. Several machines behind one name do not work; give each its own name, or remove the record`,
  );
}

/** Without IPv6 here, nothing can be said about an IPv6 address. */
function cannotTry({ answer }: Reached): boolean {
  return answer instanceof NoVisit && answer.kind === 'unreachable';
}

/** There was no connection to the public address. */
export async function explainUnreached(subject: Subject, target: Target, answer: NoVisit): Promise<Finding> {
  const { origin, hostname } = target.url;
  if (await isHairpin(subject, target)) return explainHairpin(target, answer);
  const ports = subject.isProxied ? `TCP ${portOf(target)}` : `the public ports (${describeRange(subject)})`;
  if (answer.kind !== 'refused')
    return fault(
      `${origin} did not answer from here (${answer.message}): a firewall drops what comes to ${ports}; let it in, at the machine and at its cloud's firewall`,
    );
  const cause = subject.isProxied
    ? 'the proxy does not run, or does not listen there'
    : `a firewall rejects what comes to ${ports}, or bore listens on another address (--bind-tunnels)`;
  return fault(
    `${origin} refuses connections (${answer.message}): ${cause}, or ${hostname} leads to another machine`,
  );
}

function describeRange({ question: { range } }: Subject): string {
  return range === undefined ? 'from --min-port to --max-port of the server' : `${range.min}-${range.max}`;
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
