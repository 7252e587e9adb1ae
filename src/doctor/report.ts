// What the checks have found on one server, as text for people and as JSON (docs/doctor.md). Used by commands/doctor.ts.

import { renderCount } from '../shared/count.ts';
import type { CheckName, Finding } from './check.ts';

export interface CheckReport {
  name: CheckName;
  title: string;
  /** The worst of its findings. */
  status: Finding['status'] | 'skipped';
  /** What was found; of a skipped check the reason. */
  messages: readonly { status: Finding['status'] | 'skipped'; message: string }[];
}

export interface ServerReport {
  /** `host:port`. */
  server: string;
  checks: readonly CheckReport[];
}

const TROUBLESHOOTING = 'https://github.com/wasmrun/expose-action/blob/main/docs/troubleshooting.md';

const MARKS = { ok: '✓', warning: '!', fault: '✗', skipped: '-' } as const;

export function countFindings(reports: readonly ServerReport[], status: Finding['status']): number {
  return reports
    .flatMap(({ checks }) => checks.flatMap(({ messages }) => messages))
    .filter(one => one.status === status).length;
}

/** A section for each server, and the sum. */
export function renderReports(reports: readonly ServerReport[]): string {
  const sections = reports.map(renderReport);
  return [...sections, renderSum(reports)].join('\n\n');
}

function renderReport({ server, checks }: ServerReport): string {
  const width = Math.max(...checks.map(({ title }) => title.length));
  const rows = checks.flatMap(({ title, messages }) =>
    messages.map(
      ({ status, message }, index) =>
        `  ${MARKS[status]} ${(index === 0 ? title : '').padEnd(width)}  ${message}`,
    ),
  );
  return [server, ...rows].join('\n');
}

function renderSum(reports: readonly ServerReport[]): string {
  const [faults, warnings] = [countFindings(reports, 'fault'), countFindings(reports, 'warning')];
  const others = warnings === 0 ? '' : `, ${renderCount(warnings, 'warning')}`;
  if (faults === 0) return `no faults${others}`;
  return `${renderCount(faults, 'fault')}${others}: ${TROUBLESHOOTING} explains the messages`;
}

/** The shape that docs/doctor.md describes. */
export function reportJson(reports: readonly ServerReport[]): object {
  const faults = countFindings(reports, 'fault');
  return {
    success: faults === 0,
    faults,
    warnings: countFindings(reports, 'warning'),
    servers: reports.map(({ server, checks }) => ({
      server,
      checks: checks.map(({ name, status, messages }) => ({ check: name, status, findings: messages })),
    })),
  };
}
