// All output of main, post, stop and wait goes through this file, which sanitises it: names, paths and messages contain
// untrusted text, and the runner executes commands that it finds in the log. Nothing else in step/ and these
// programs prints.

import { randomBytes } from 'node:crypto';
import * as core from '@actions/core';
import { sanitiseLines } from '../shared/sanitise.ts';

export const print = {
  debug: (text: string) => core.debug(sanitiseLines(text)),
  /** A plain line; also for use while the runner's command parser is off. */
  info: (text: string) => void process.stdout.write(`${sanitiseLines(text)}\n`),
  /** An annotation, like `warning` and `error`. */
  notice: (text: string) => core.notice(sanitiseLines(text)),
  warning: (text: string) => core.warning(sanitiseLines(text)),
  error: (text: string) => core.error(sanitiseLines(text)),
  /** An error that makes the step red. */
  failure: (text: string) => core.setFailed(sanitiseLines(text)),
  /** Lines in a folded group; the runner obeys no command in them. */
  group: (title: string, lines: readonly string[]) => {
    const end = openGroup(title);
    const resume = suspendCommands();
    for (const line of lines) print.info(line);
    resume();
    end();
  },
};

/** Begins a folded group, which ends when the returned function is called. The runner does not nest groups. */
export function openGroup(title: string): () => void {
  core.startGroup(sanitiseLines(title));
  return core.endGroup;
}

/** From now on the runner obeys no command in the output, until the returned function is called. */
export function suspendCommands(): () => void {
  const token = randomBytes(16).toString('hex');
  process.stdout.write(`::stop-commands::${token}\n`);
  return () => process.stdout.write(`::${token}::\n`);
}
