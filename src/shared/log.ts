// The logger. Used in every folder; each program decides where the lines go.

import { sanitise } from './sanitise.ts';
import { createMask } from './secrets.ts';

export const LOG_LEVELS = ['quiet', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A sink for messages of one line each. Warnings and errors are shown at every level. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/**
 * A logger that passes finished lines (no line break) to `write`. Every line goes through the sanitiser without its
 * length limit, and each of the `hidden` texts is replaced by `***`.
 */
export function createLogger(options: {
  level: LogLevel;
  write: (line: string, level: 'debug' | 'info' | 'warn' | 'error') => void;
  hidden?: readonly string[];
  /** Whether lines other than errors would be dropped: then they are not even sanitised. */
  isFull?: () => boolean;
}): Logger {
  const mask = createMask(options.hidden ?? []);
  const logAt = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string) => {
    if (level === 'debug' && options.level !== 'debug') return;
    if (level === 'info' && options.level === 'quiet') return;
    if (level !== 'error' && options.isFull?.()) return;
    for (const line of mask(message).split('\n'))
      options.write(sanitise(line, Number.POSITIVE_INFINITY), level);
  };
  return { debug: logAt('debug'), info: logAt('info'), warn: logAt('warn'), error: logAt('error') };
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
