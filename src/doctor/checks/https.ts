// Whether something speaks TLS at the https address of `public-url`.

import { type Check, type Finding, fault, ok, Skip } from '../check.ts';
import { findMostTelling } from '../reach.ts';
import type { Subject } from '../subject.ts';
import { explainUnreached, listWhere, type Unreached } from '../unreached.ts';
import { NoVisit, openTcp, openTls, type Target } from '../visit.ts';

const WAIT_MS = 4_000;

export const https: Check = {
  name: 'https',
  title: 'https',
  needs: ['public-dns', 'secret', 'port-range'],
  applies: subject => subject.isHttps,
  deadlineMs: 8_000,
  async run(subject, signal) {
    const { app, port } = await subject.tunnel();
    const limit = await subject.limit(WAIT_MS, signal);
    const targets = await subject.targets(port);
    const trying = targets.map(async target => ({ target, answer: await tryTls(target, limit) }));
    // The next checks wait for these visits: where an address is silent, both wait at the same time.
    const [tried] = await Promise.all([Promise.all(trying), subject.reach()]);
    const spoken = tried.flatMap(({ target, answer }) => (answer === undefined ? target : []));
    // The check proxy names the other addresses of the name.
    if (spoken.length > 0)
      return [ok(`${listWhere(spoken)} ${spoken.length === 1 ? 'speaks' : 'speak'} TLS`)];
    const failed = tried.flatMap(({ target, answer }) => (answer === undefined ? [] : { target, answer }));
    const first = findMostTelling(failed);
    return first === undefined
      ? new Skip('its name has no address')
      : [await explain(subject, first, failed, app.sawTls)];
  },
};

/** Undefined: it speaks TLS. */
async function tryTls(target: Target, limit: AbortSignal): Promise<NoVisit | undefined> {
  try {
    const socket = await openTcp(target, limit);
    (await openTls(socket, target, ['http/1.1'], limit)).destroy();
    return undefined;
  } catch (error) {
    if (error instanceof NoVisit) return error;
    throw error;
  }
}

async function explain(
  subject: Subject,
  { target, answer }: Unreached,
  failed: readonly Unreached[],
  sawTls: boolean,
): Promise<Finding> {
  const { origin, hostname } = target.url;
  if (sawTls)
    return fault(
      `the TLS of a visit to ${origin} arrives in the tunnel: nothing in front ends it, so the preview must (\`tls-cert\`); with \`tls-cert\`, leave \`public-url\` out here`,
    );
  if (answer.kind === 'broken')
    return fault(
      `${origin} does not speak TLS with us for the name ${hostname} (${answer.message}): check that the proxy has a certificate for this name, and that its pattern contains the port`,
    );
  return explainUnreached(subject, failed);
}
