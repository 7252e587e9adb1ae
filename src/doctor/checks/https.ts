// Whether something speaks TLS at the https address of `public-url`.

import { renderAddress } from '../../tunnel/address.ts';
import { type Check, type Finding, fault, ok } from '../check.ts';
import type { Subject } from '../subject.ts';
import { explainUnreached } from '../unreached.ts';
import { NoVisit, openTcp, openTls, portOf, type Target } from '../visit.ts';

const WAIT_MS = 4_000;

export const https: Check = {
  name: 'https',
  title: 'https',
  needs: ['public-dns', 'secret', 'port-range'],
  applies: subject => subject.isHttps,
  deadlineMs: 8_000,
  async run(subject, signal) {
    const { target, app, limit } = await subject.beginVisit(WAIT_MS, signal);
    try {
      const socket = await openTcp(target, limit);
      (await openTls(socket, target, ['http/1.1'], limit)).destroy();
      return [ok(`${renderAddress({ host: target.address, port: portOf(target) })} speaks TLS`)];
    } catch (error) {
      if (!(error instanceof NoVisit)) throw error;
      return [await explain(subject, target, error, app.sawTls)];
    }
  },
};

async function explain(subject: Subject, target: Target, error: NoVisit, sawTls: boolean): Promise<Finding> {
  const { origin, hostname } = target.url;
  if (sawTls)
    return fault(
      `the TLS of a visit to ${origin} arrives in the tunnel: nothing in front ends it, so the preview must (\`tls-cert\`); with \`tls-cert\`, leave \`public-url\` out here`,
    );
  if (error.kind === 'broken')
    return fault(
      `${origin} does not speak TLS with us for the name ${hostname} (${error.message}): check that the proxy has a certificate for this name, and that its pattern contains the port`,
    );
  return explainUnreached(subject, target, error);
}
