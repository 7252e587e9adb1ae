// Whether a visitor reaches our tunnel over http: at the server's own address, or at the http address of `public-url`.
// Behind an https proxy: whether the plain port is closed, as `trusted-proxy` needs it.

import { isIP } from 'node:net';
import { PLAIN_PUBLIC_URLS, renderPublicUrl } from '../../shared/public-url.ts';
import { ONLY_WAY_IN } from '../../tunnel/server-options.ts';
import { type Check, type Finding, fault, ok, Skip } from '../check.ts';
import type { OwnTunnel } from '../own-tunnel.ts';
import { findMostTelling, isUnreached, type Reached } from '../reach.ts';
import type { Subject } from '../subject.ts';
import { describeArrival, explainForeign, explainOthers, explainUnreached } from '../unreached.ts';
import { NoVisit } from '../visit.ts';

export const publicPort: Check = {
  name: 'public-port',
  title: 'Public port',
  needs: ['public-dns', 'secret', 'port-range'],
  deadlineMs: 8_000,
  async run(subject) {
    const tunnel = await subject.tunnel();
    if (subject.isProxied) return checkPlainPort(subject, tunnel);
    const reached = await subject.reach();
    const first = findMostTelling(reached);
    if (first === undefined) return new Skip('its name has no address');
    const ours = reached.find(({ isOurs }) => isOurs);
    if (ours === undefined) return [await explain(subject, first, reached)];
    return [ok(describeArrival(ours.target.url, reached)), ...explainOthers(subject, reached)];
  },
};

async function explain(subject: Subject, first: Reached, reached: readonly Reached[]): Promise<Finding> {
  const { target, answer } = first;
  if (!(answer instanceof NoVisit) || answer.kind === 'broken')
    return explainForeign(target, answer, await adviseOnForeign(subject, first));
  return explainUnreached(subject, reached.filter(isUnreached));
}

async function adviseOnForeign(subject: Subject, { target }: Reached): Promise<string> {
  const server = await subject.resolve(subject.question.server.host);
  if (!server.includes(target.address) && isIP(target.url.hostname) === 0)
    return `${target.url.hostname} leads to ${target.address}, and the bore server is at ${server[0]}; correct the DNS record`;
  return 'another program on the machine has the port, or a proxy is in between; nothing but bore may use the ports of its range';
}

/** Visitors who reach the plain port can send the app any X-Forwarded-For. */
async function checkPlainPort(subject: Subject, { port }: OwnTunnel): Promise<Finding[]> {
  const { server, trustedProxy } = subject.question;
  const origin = renderPublicUrl(PLAIN_PUBLIC_URLS.http, server.host, port);
  if ((await subject.findBareTarget()) === undefined)
    return [ok(`${origin} is closed: visitors can come only through the proxy`)];
  if (!trustedProxy) return [ok(`${origin} is open, too: the preview can also be opened without the proxy`)];
  const message = `visitors can go around the proxy: ${origin} is open, and there they can claim any address in X-Forwarded-For; ${ONLY_WAY_IN}`;
  return [{ ...fault(message), blocks: false }];
}
