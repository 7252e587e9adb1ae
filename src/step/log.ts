// The step's log as main and post write it: the supervisor's lines are repeated with the runner's command parser off.

import { randomBytes } from 'node:crypto';
import * as core from '@actions/core';
import { createLogger, type Logger, type LogLevel, sanitise } from '../log.ts';
import { followLog, readTail } from '../log-tail.ts';

/** A logger that prints to the step's log; warnings and errors become annotations. */
export function createStepLogger(level: LogLevel): Logger {
  return createLogger({
    level,
    write: (line, kind) => {
      if (kind === 'warn') core.warning(line);
      else if (kind === 'error') core.error(line);
      else core.info(line);
    },
  });
}

/**
 * Repeats the file's lines in the step's log as they come. No command of ours is seen by the runner until the end.
 * `stop` returns how many bytes of the file were shown.
 */
export function relayLog(file: string): { stop(): number } {
  const resume = suspendCommands();
  const tail = followLog(file, printLine);
  return {
    stop: () => {
      const shown = tail.stop();
      resume();
      return shown;
    },
  };
}

/** Prints the last lines of the file, from byte `from` on, as one group. */
export function printTail(file: string, title: string, count: number, from = 0): void {
  const { lines, skipped } = readTail(file, count, from);
  if (lines.length === 0) return;
  core.startGroup(title);
  const resume = suspendCommands();
  if (skipped > 0) printLine(`… ${skipped} lines before`);
  for (const line of lines) printLine(line);
  resume();
  core.endGroup();
}

/** The lines were made harmless when they were written; a crash of the supervisor itself was not. */
function printLine(line: string): void {
  process.stdout.write(`${sanitise(line, Number.POSITIVE_INFINITY)}\n`);
}

function suspendCommands(): () => void {
  const token = randomBytes(16).toString('hex');
  process.stdout.write(`::stop-commands::${token}\n`);
  return () => process.stdout.write(`::${token}::\n`);
}
