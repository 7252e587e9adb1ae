// The step's log: a logger for main and post, and copies of the supervisor's log. The runner's command parser is off
// while such a copy is printed. Used by preview, report-target and teardown.

import { renderCount } from '../shared/count.ts';
import { createLogger, type Logger, type LogLevel } from '../shared/log.ts';
import { followLog, readTail } from './log-tail.ts';
import { print, suspendCommands } from './print.ts';

/** A logger that prints to the step's log; warnings and errors become annotations. */
export function createStepLogger(level: LogLevel): Logger {
  return createLogger({
    level,
    write: (line, kind) => {
      if (kind === 'warn') print.warning(line);
      else if (kind === 'error') print.error(line);
      else print.info(line);
    },
  });
}

/**
 * Copies the file's lines to the step's log as the file grows. Until `stop`, the runner obeys no command, not even
 * ours. `stop` returns how many bytes of the file were shown.
 */
export function relayLog(file: string): { stop(): number } {
  const resume = suspendCommands();
  // The supervisor's logger sanitises its lines, but a crash of the supervisor prints unsanitised text.
  const tail = followLog(file, print.info);
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
  print.group(title, skipped > 0 ? [`… ${renderCount(skipped, 'earlier line')}`, ...lines] : lines);
}
