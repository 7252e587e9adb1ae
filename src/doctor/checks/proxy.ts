// Whether the https address leads through its proxy to our tunnel, with the Host that the visitor used.

import { sanitise } from '../../shared/sanitise.ts';
import { type Check, type Finding, fault, ok, Skip } from '../check.ts';
import { findMostTelling, isUnreached, type Reached } from '../reach.ts';
import type { Subject } from '../subject.ts';
import { describeArrival, explainForeign, explainOthers, explainUnreached } from '../unreached.ts';
import { NoVisit } from '../visit.ts';

/** What proxies say when they cannot reach the server behind them (RFC 9110, 15.6). */
const GATEWAY_ERRORS: readonly number[] = [502, 503, 504];

export const proxy: Check = {
  name: 'proxy',
  title: 'Proxy',
  needs: ['public-dns', 'secret', 'port-range', 'https'],
  applies: subject => subject.isProxied,
  deadlineMs: 8_000,
  async run(subject) {
    const { port, app } = await subject.tunnel();
    const reached = await subject.reach();
    const first = findMostTelling(reached);
    if (first === undefined) return new Skip('its name has no address');
    const ours = reached.find(({ isOurs }) => isOurs);
    if (ours === undefined) return [await explain(subject, first, port, reached)];
    const { url } = ours.target;
    const host = app.arrivalAt(ours.path)?.headers.host ?? '';
    return [
      ok(describeArrival(url, reached)),
      ...checkHost(host, url.host),
      ...explainOthers(subject, reached),
    ];
  },
};

/** The other checks can go on: our app answers every name. */
function checkHost(arrived: string, asked: string): Finding[] {
  if (arrived === asked) return [];
  const message = `the proxy passes on Host ${sanitise(arrived)} instead of ${asked}, and the preview refuses names that are not its own: let it pass on the visitor's (nginx: proxy_set_header Host $host)`;
  return [{ ...fault(message), blocks: false }];
}

async function explain(
  subject: Subject,
  { target, answer }: Reached,
  port: number,
  reached: readonly Reached[],
): Promise<Finding> {
  const { origin, hostname } = target.url;
  if (answer instanceof NoVisit && answer.kind !== 'broken')
    return explainUnreached(subject, reached.filter(isUnreached));
  if (answer instanceof NoVisit)
    return fault(
      `${origin} gave no valid answer (${answer.message}): check the proxy's log, and that it passes on to port ${port} of the address of --bind-tunnels (BORE_BIND_TUNNELS)`,
    );
  const server = await subject.resolve(subject.question.server.host);
  const elsewhere = server.includes(target.address)
    ? ''
    : `; ${hostname} leads to ${target.address}, and the bore server is at ${server[0]}`;
  if (GATEWAY_ERRORS.includes(answer.status))
    return fault(
      `the proxy at ${origin} answered ${answer.status}, so it does not reach port ${port} of the bore server: it must pass on to the address of --bind-tunnels (BORE_BIND_TUNNELS), and to the port in the host name${elsewhere}`,
    );
  return explainForeign(
    target,
    answer,
    `the proxy leads to another port or machine, or its pattern does not contain ${port}; it must pass on to port ${port} of the bore server${elsewhere}`,
  );
}
