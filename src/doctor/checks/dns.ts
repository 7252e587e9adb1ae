// Whether the server's name leads anywhere.

import { resolve4 } from 'node:dns/promises';
import { raceSignal } from '../../shared/abort.ts';
import { hasCode } from '../../shared/errors.ts';
import { explainDial } from '../../tunnel/failure.ts';
import { type Check, type Finding, fault } from '../check.ts';
import { checkName } from '../names.ts';
import type { Subject } from '../subject.ts';

export const dns: Check = {
  name: 'dns',
  title: 'DNS',
  needs: [],
  deadlineMs: 10_000,
  run(subject, signal) {
    const { host } = subject.question.server;
    return checkName(subject, host, signal, error => explain(subject, error, signal));
  },
};

async function explain(subject: Subject, error: unknown, signal: AbortSignal): Promise<Finding> {
  const { server } = subject.question;
  const { message } = explainDial(server, error);
  if (hasCode(error, 'EAI_AGAIN'))
    return fault(`${message}: no DNS server answered; check the network of this machine`);
  if (!hasCode(error, 'ENOTFOUND')) return fault(message);
  // getaddrinfo says the same of a name without addresses as of one that does not exist.
  const hasOther = await raceSignal(resolve4(server.host), signal).catch(reason =>
    hasCode(reason, 'ENODATA'),
  );
  if (hasOther !== true) return fault(message);
  return fault(
    `the name ${server.host} exists, but has no address: add an A record with the server's address`,
  );
}
