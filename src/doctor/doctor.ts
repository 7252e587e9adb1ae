// Examines bore servers from here: all checks, all servers at the same time. Used by commands/doctor.ts.

import { renderAddress } from '../tunnel/address.ts';
import { CHECKS } from './checks/checks.ts';
import type { ServerReport } from './report.ts';
import { runChecks } from './schedule.ts';
import { type Question, Subject } from './subject.ts';

/** One report for each server, in their order. Gives every port back before it resolves; never rejects. */
export function examine(questions: readonly Question[]): Promise<ServerReport[]> {
  return Promise.all(questions.map(examineOne));
}

async function examineOne(question: Question): Promise<ServerReport> {
  const subject = new Subject(question);
  try {
    return { server: renderAddress(question.server), checks: await runChecks(CHECKS, subject) };
  } finally {
    await subject.stop();
  }
}
