// Whether a visitor reaches our tunnel over http: at the server's own address, or at the http address of `public-url`.
// Behind an https proxy: whether the plain port is closed, as `trusted-proxy` needs it.

import { isIP } from 'node:net';
import { type Check, type Finding, fault, ok, Skip } from '../check.ts';
import type { OwnApp } from '../own-app.ts';
import type { OwnTunnel } from '../own-tunnel.ts';
import type { Reached } from '../reach.ts';
import type { Subject } from '../subject.ts';
import { explainForeign, explainOthers, explainUnreached } from '../unreached.ts';
import { NoVisit, type Target, visit } from '../visit.ts';

/** A firewall that drops is the usual case, so nobody should wait long for it. */
const PLAIN_MS = 2_000;

export const publicPort: Check = {
  name: 'public-port',
  title: 'Public port',
  needs: ['public-dns', 'secret', 'port-range'],
  deadlineMs: 8_000,
  async run(subject, signal) {
    const tunnel = await subject.tunnel();
    if (subject.isProxied) return judgePlainPort(subject, tunnel, signal);
    const reached = await subject.reach();
    const [first] = reached;
    if (first === undefined) return new Skip('its name has no address');
    const ours = reached.find(({ isOurs }) => isOurs);
    if (ours === undefined) return [await explain(subject, first)];
    return [ok(`a visit to ${ours.target.url.origin} arrives in the tunnel`), ...explainOthers(reached)];
  },
};

async function explain(subject: Subject, reached: Reached): Promise<Finding> {
  const { target, answer } = reached;
  if (!(answer instanceof NoVisit) || answer.kind === 'broken')
    return explainForeign(target, answer, await adviseOnForeign(subject, reached));
  return explainUnreached(subject, target, answer);
}

async function adviseOnForeign(subject: Subject, { target }: Reached): Promise<string> {
  const server = await subject.resolve(subject.question.server.host);
  if (!server.includes(target.address) && isIP(target.url.hostname) === 0)
    return `${target.url.hostname} leads to ${target.address}, and the bore server is at ${server[0]}; correct the DNS record`;
  return 'another program on the machine has the port, or a proxy is in between; nothing but bore may use the ports of its range';
}

/** Who reaches the plain port can send the app any X-Forwarded-For. */
async function judgePlainPort(
  subject: Subject,
  { port, app }: OwnTunnel,
  signal: AbortSignal,
): Promise<Finding[] | Skip> {
  const { limit } = await subject.beginVisit(PLAIN_MS, signal);
  const [target] = await subject.plainTargets(port);
  if (target === undefined) return new Skip('the server has no address');
  const { origin } = target.url;
  if (!(await leadsToApp(target, app, limit)))
    return [ok(`${origin} is closed: visitors can come only through the proxy`)];
  if (!subject.question.trustedProxy)
    return [ok(`${origin} is open, too: the preview can also be opened without the proxy`)];
  const message = `visitors can go around the proxy: ${origin} is open, and there they can claim any address in X-Forwarded-For; start bore with --bind-tunnels 127.0.0.2, or close its public ports in the firewall`;
  return [{ ...fault(message), blocks: false }];
}

async function leadsToApp(target: Target, app: OwnApp, limit: AbortSignal): Promise<boolean> {
  try {
    return (await visit(target, app.pathOf('proof', 'plain'), limit)).body === app.proof;
  } catch (error) {
    if (error instanceof NoVisit) return false;
    throw error;
  }
}
