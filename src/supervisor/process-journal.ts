// The journal of an exposure's processes: post and the foreground read it to end what a killed supervisor left behind.
// Used by background, supervision, step and commands.

import { appendFileSync, readFileSync } from 'node:fs';
import * as v from 'valibot';
import { endProcess, isPresent, type ProcessRecord } from '../shared/processes.ts';

const ProcessRecordSchema = v.object({
  pid: v.pipe(v.number(), v.integer(), v.minValue(2)),
  startTime: v.string(),
  role: v.string(),
});

/** Appends to the journal (0600). Called in the same tick as the spawn, so that every child is on record if we die. */
export function writeJournal(file: string, record: ProcessRecord): void {
  appendFileSync(file, `${JSON.stringify(record)}\n`, { mode: 0o600 });
}

/** The journal's records, newest first; skips a last line that was cut off. */
export function readJournal(file: string): ProcessRecord[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return text
    .split('\n')
    .flatMap(line => {
      try {
        return [v.parse(ProcessRecordSchema, JSON.parse(line))];
      } catch {
        return [];
      }
    })
    .reverse();
}

/** A process that still ran, and whether it had to be killed. */
export interface ReapedProcess extends ProcessRecord {
  killed: boolean;
}

/** Ends every recorded process that still runs, with SIGKILL after `graceMs`, and returns those. */
export async function reapJournal(file: string, graceMs: number): Promise<ReapedProcess[]> {
  const left = readJournal(file).filter(isPresent);
  return await Promise.all(left.map(async record => ({ ...record, ...(await endProcess(record, graceMs)) })));
}
