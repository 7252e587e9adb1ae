// Runs the checks of one server: each as soon as those that it needs are done, so that independent ones run at the same
// time. Used by doctor.ts.

import { raceSignal } from '../shared/abort.ts';
import { describeError, isTimeout } from '../shared/errors.ts';
import { sanitise } from '../shared/sanitise.ts';
import { type Check, type CheckName, type Finding, fault, Skip } from './check.ts';
import type { CheckReport } from './report.ts';
import type { Subject } from './subject.ts';

interface Done {
  report: CheckReport;
  isBlocking: boolean;
}

/** In the order of `checks`. A check must come after those that it needs. Never rejects. */
export async function runChecks(checks: readonly Check[], subject: Subject): Promise<CheckReport[]> {
  const applying = checks.filter(check => check.applies?.(subject) ?? true);
  const running = new Map<CheckName, Promise<Done>>();
  for (const check of applying) {
    const needed = check.needs.flatMap(name => running.get(name) ?? []);
    running.set(check.name, runAfter(check, needed, subject));
  }
  const done = await Promise.all(running.values());
  return done.map(({ report }) => report);
}

async function runAfter(check: Check, needed: readonly Promise<Done>[], subject: Subject): Promise<Done> {
  const before = await Promise.all(needed);
  const blocking = before.find(({ isBlocking }) => isBlocking);
  if (blocking !== undefined) return skip(check, `needs ${blocking.report.title}`, true);
  const found = await runCheck(check, subject);
  if (found instanceof Skip) return skip(check, found.reason, false);
  const { name, title } = check;
  const messages = found.map(({ status, message }) => ({ status, message }));
  const isBlocking = found.some(({ status, blocks }) => blocks ?? status === 'fault');
  return { report: { name, title, status: findWorst(found), messages }, isBlocking };
}

function skip({ name, title }: Check, reason: string, isBlocking: boolean): Done {
  const messages = [{ status: 'skipped' as const, message: `skipped: ${reason}` }];
  return { report: { name, title, status: 'skipped', messages }, isBlocking };
}

async function runCheck(check: Check, subject: Subject): Promise<Finding[] | Skip> {
  const limit = AbortSignal.any([subject.question.signal, AbortSignal.timeout(check.deadlineMs)]);
  try {
    return await raceSignal(check.run(subject, limit), limit);
  } catch (error) {
    const reason = isTimeout(error) ? 'it took too long' : sanitise(describeError(error));
    return [fault(`could not be checked: ${reason}`)];
  }
}

function findWorst(found: readonly Finding[]): Finding['status'] {
  if (found.some(({ status }) => status === 'fault')) return 'fault';
  return found.some(({ status }) => status === 'warning') ? 'warning' : 'ok';
}
