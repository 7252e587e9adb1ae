// The step's log. What people must see stands outside of groups: the link, warnings, errors, and in a hold what happens
// to the preview. The details are in folded groups: the start, and what the app prints. Used by main's part of the step,
// report-target and teardown.

import { renderCount } from '../shared/count.ts';
import { LastLines } from '../shared/lines.ts';
import { createLogger, type Logger, type LogLevel } from '../shared/log.ts';
import { CONSOLE_PREFIX, cutDate, type LineLevel, parseLogLine } from '../shared/log-line.ts';
import { sanitiseLines } from '../shared/sanitise.ts';
import { followLog, type LogTail, readLines } from './log-tail.ts';
import { openGroup, print, suspendCommands } from './print.ts';

/** The group of everything up to the link. */
export const START_SECTION = 'Start of the preview';

/** More of the app's console is in the output `log-file`. */
const CONSOLE_LINES = 200;

/** The whole log is the output `log-file`; this much of it is worth a group in post's log. */
const REST_LINES = 200;

/** Of the ten that GitHub shows for a step; the others are for what post itself has to say. More are in the group. */
const REST_ANNOTATIONS = 6;

/** A logger that prints to the step's log; warnings and errors become annotations. */
export function createStepLogger(level: LogLevel = 'info'): Logger {
  return createLogger({
    level,
    write: (line, kind) => {
      if (isProblem(kind)) annotate(line, kind);
      else print.info(line);
    },
  });
}

/**
 * main's log: until `endStart` all details go into groups, and afterwards the app's console is left out, but at
 * `log-level: debug`. While the app's own lines are printed, the runner obeys no command, not even ours.
 */
export class StepLog {
  readonly level: LogLevel;
  /** For main's own lines. */
  readonly logger: Logger;
  #title = START_SECTION;
  readonly #shownTitles = new Set<string>();
  #endGroup: (() => void) | undefined;
  #resume: (() => void) | undefined;
  #isStarting = true;
  #tail: LogTail | undefined;
  readonly #annotated = new Set<string>();
  readonly #console = new LastLines(CONSOLE_LINES);
  #consoleLines = 0;

  constructor(level: LogLevel) {
    this.level = level;
    this.logger = createLogger({ level, write: (line, kind) => this.#write(line, kind) });
  }

  /** The next lines of the start belong to a group with this title. */
  beginSection(title: string): void {
    this.#close();
    this.#title = title;
  }

  /** Shows the lines of the supervisor's log file as the file grows. */
  follow(file: string): void {
    this.#tail = followLog(file, line => this.#relay(line));
  }

  /** The start is over: from now on lines stand outside of groups. */
  endStart(): void {
    this.#tail?.readOn();
    this.#close();
    this.#isStarting = false;
  }

  /** A line that is shown at every level, outside of groups. */
  tell(text: string): void {
    this.#close();
    print.info(text);
  }

  /** An annotation outside of groups; none if the text was one already. */
  warn(text: string): void {
    const line = sanitiseLines(text);
    if (!this.#annotated.has(line)) this.#annotate(line, 'warn');
  }

  /**
   * Stops following, ends the group, and shows what the app has printed last, if that was left out. Returns how many bytes
   * of the file were read. May be called twice.
   */
  stop(): number {
    const tail = this.#tail;
    this.#tail = undefined;
    const read = tail?.stop() ?? 0;
    this.#close();
    this.#isStarting = false;
    const lines = this.#console.list();
    const skipped = this.#consoleLines - lines.length;
    if (tail !== undefined && lines.length > 0)
      print.group('Console of the app', withSkipped(lines, skipped));
    return read;
  }

  /**
   * For post: shows what the file has from byte `from` on, where main has stopped. Warnings and errors that nobody has
   * shown become annotations; the last of the other lines are one group. From 0 on, there are no annotations: main was killed,
   * or cancelled, and had shown nobody knows how much.
   */
  showRest(file: string, from: number): void {
    this.endStart();
    const rest = readLines(file, from);
    const all = readLines(file);
    const shownByMain = all.slice(0, all.length - rest.length).flatMap(readProblem);
    for (const { text } of shownByMain) this.#annotated.add(text);
    const problems = new Map<string, Problem>();
    const details: string[] = [];
    for (const line of rest) {
      const [problem] = readProblem(line);
      const isShown = problem && (problems.has(problem.text) || this.#annotated.has(problem.text));
      if (from > 0 && problem && !isShown && problems.size < REST_ANNOTATIONS)
        problems.set(problem.text, problem.level);
      else details.push(cutDate(line));
    }
    const lines = details.slice(-REST_LINES);
    const title = from === 0 ? 'Log of the preview' : 'Log of the preview, continued';
    if (lines.length > 0) print.group(title, withSkipped(lines, details.length - lines.length));
    for (const [text, level] of problems) this.#annotate(text, level);
  }

  #relay(line: string): void {
    const parsed = parseLogLine(line);
    // Only a crash of the supervisor prints lines that no logger has sanitised.
    if (parsed === undefined) this.#detail(line, true);
    else if (!parsed.isConsole) this.#write(parsed.text, parsed.level);
    else if (this.#isStarting || this.level === 'debug') this.#detail(parsed.text, true);
    else this.#keep(`${parsed.time} ${parsed.text.slice(CONSOLE_PREFIX.length)}`);
  }

  #keep(line: string): void {
    this.#console.add(line);
    this.#consoleLines += 1;
  }

  #write(line: string, level: LineLevel): void {
    if (isProblem(level)) this.#annotate(line, level);
    else this.#detail(level === 'debug' ? `debug: ${line}` : line, false);
  }

  /** A repeated text is only a line: each annotation costs one of the ten that GitHub shows for a step. */
  #annotate(line: string, level: Problem): void {
    if (this.#annotated.has(line)) {
      this.#detail(`${level === 'warn' ? 'warning' : 'error'}: ${line}`, false);
      return;
    }
    this.#annotated.add(line);
    this.#close();
    annotate(line, level);
  }

  #detail(line: string, isForeign: boolean): void {
    if (this.#isStarting) this.#endGroup ??= this.#openGroup();
    if (isForeign) this.#resume ??= suspendCommands();
    print.info(line);
  }

  #openGroup(): () => void {
    const isContinued = this.#shownTitles.has(this.#title);
    this.#shownTitles.add(this.#title);
    return openGroup(isContinued ? `${this.#title}, continued` : this.#title);
  }

  /** The runner obeys commands again, and the next line stands outside of a group. */
  #close(): void {
    this.#resume?.();
    this.#resume = undefined;
    this.#endGroup?.();
    this.#endGroup = undefined;
  }
}

type Problem = 'warn' | 'error';

function isProblem(level: LineLevel): level is Problem {
  return level === 'warn' || level === 'error';
}

/** The warning or error that a line of the file is; empty for other lines. */
function readProblem(line: string): { text: string; level: Problem }[] {
  const { level, text } = parseLogLine(line) ?? {};
  return text !== undefined && level !== undefined && isProblem(level) ? [{ text, level }] : [];
}

function annotate(line: string, level: Problem): void {
  if (level === 'warn') print.warning(line);
  else print.error(line);
}

function withSkipped(lines: readonly string[], skipped: number): readonly string[] {
  return skipped > 0 ? [`… ${renderCount(skipped, 'earlier line')}`, ...lines] : lines;
}
