// Output to the terminal, sanitised because names and paths contain untrusted text, and terminals obey control
// characters. Used by every command; while a preview runs, foreground.ts has its own output.

import { renderJson, sanitiseLines } from '../shared/sanitise.ts';

/** Prints a command's result, for people. */
export function print(text: string): void {
  process.stdout.write(`${sanitiseLines(text)}\n`);
}

/** Prints a command's result for programs: one line of JSON. */
export function printJson(value: unknown): void {
  process.stdout.write(`${renderJson(value)}\n`);
}

/** Prints everything other than the result, on standard error. */
export function printAside(text: string): void {
  process.stderr.write(`${sanitiseLines(text)}\n`);
}

/** The same for JSON of any length; resolves when all of it is written, or nobody reads it. */
export function printWholeJson(value: unknown): Promise<void> {
  return new Promise(resolve => {
    process.stdout.write(`${renderJson(value)}\n`, () => resolve());
  });
}

/** Goes to the start of a terminal's line, and clears it. */
export const CLEAR_LINE = '\r\u001b[2K';
