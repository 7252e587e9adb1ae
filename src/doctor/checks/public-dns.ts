// Whether the name that visitors of a preview use leads anywhere: behind a proxy, a wildcard.

import { describeError, hasCode } from '../../shared/errors.ts';
import { stripBrackets } from '../../shared/public-url.ts';
import { type Check, type Finding, fault } from '../check.ts';
import { checkName } from '../names.ts';
import type { Subject } from '../subject.ts';

export const publicDns: Check = {
  name: 'public-dns',
  title: 'Public DNS',
  needs: [],
  applies: subject => readHost(subject) !== subject.question.server.host,
  deadlineMs: 10_000,
  run: (subject, signal) => checkName(subject, readHost(subject), signal, error => explain(subject, error)),
};

function readHost(subject: Subject): string {
  return stripBrackets(subject.publicUrl().hostname);
}

function explain(subject: Subject, error: unknown): Finding {
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
