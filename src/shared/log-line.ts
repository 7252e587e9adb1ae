// One line of the log file of a preview: `2026-05-04T10:02:11Z warning: text`, in UTC. The supervisor writes them, and the
// step shows them.

/** What a logger calls the level of a line. */
export type LineLevel = 'debug' | 'info' | 'warn' | 'error';

const PREFIXES = { debug: 'debug: ', info: '', warn: 'warning: ', error: 'error: ' } as const;

/** How a line begins that the app has printed. */
export const CONSOLE_PREFIX = 'app | ';

export interface LogLine {
  level: LineLevel;
  text: string;
  /** Whether the app has printed it. */
  isConsole: boolean;
  /** `10:02:11`, in UTC. */
  time: string;
}

export function renderLogLine(text: string, level: LineLevel, at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z ${PREFIXES[level]}${text}`;
}

/** Undefined for a line that no logger wrote, such as one of a crash. */
export function parseLogLine(line: string): LogLine | undefined {
  const [, time, prefix, text] =
    /^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)Z (debug: |warning: |error: |)(.*)$/.exec(line) ?? [];
  if (time === undefined || text === undefined) return undefined;
  const level =
    prefix === 'debug: ' ? 'debug' : prefix === 'warning: ' ? 'warn' : prefix === '' ? 'info' : 'error';
  return { level, text, isConsole: level === 'info' && text.startsWith(CONSOLE_PREFIX), time };
}

/** The line as it stands in the file, without the date. */
export function cutDate(line: string): string {
  return line.replace(/^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)Z /, '$1 ');
}
