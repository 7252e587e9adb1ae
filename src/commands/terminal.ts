// The output of the commands that end at once (the foreground has its own): sanitised, because names and paths contain
// untrusted text, and terminals obey control characters.

import { sanitiseLines } from '../shared/sanitise.ts';

/** The answer to the command, for people. */
export function print(text: string): void {
  process.stdout.write(`${sanitiseLines(text)}\n`);
}

/** The answer for programs: one line of JSON. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Everything that is not the answer, on standard error. */
export function printAside(text: string): void {
  process.stderr.write(`${sanitiseLines(text)}\n`);
}
