// What the commands print, but for those that run in the foreground: names and paths hold what other people chose, and
// a terminal obeys control characters.

import { sanitiseLines } from '../shared/log.ts';

/** The answer to the command, for people. */
export function print(text: string): void {
  process.stdout.write(`${sanitiseLines(text)}\n`);
}

/** The same for programs: one line of JSON. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** What is said beside the answer. */
export function printAside(text: string): void {
  process.stderr.write(`${sanitiseLines(text)}\n`);
}
