// A step's log as GitHub shows it: the runner's commands in it are obeyed (ActionCommandManager and ActionCommand of
// actions/runner), and what is masked is shown as ***. Used by the demo.

import type { Entry } from './job.ts';

export type LineKind =
  | 'text'
  | 'group'
  | 'end of group'
  | 'command'
  | 'notice'
  | 'warning'
  | 'error'
  | 'debug';

export interface LogLine {
  step: Entry;
  /** ISO 8601. */
  at: string;
  kind: LineKind;
  text: string;
}

interface Command {
  name: string;
  data: string;
}

/** Shown with their message, and listed on the run's page. */
const ANNOTATIONS = ['notice', 'warning', 'error'] as const;
/** Obeyed without a trace in the log. */
const SILENT = new Set(['add-mask', 'add-matcher', 'remove-matcher', 'echo', 'save-state', 'set-output']);

export class StepLog {
  readonly #step: Entry;
  readonly #masks: Set<string>;
  readonly #onLine: (line: LogLine) => void;
  #rest = '';
  /** Set while commands are not obeyed: the command that ends this. */
  #resume: string | undefined;

  /** `masks`: secrets of the job, to which the step's own are added; shared by the steps of a job. */
  constructor(step: Entry, masks: Set<string>, onLine: (line: LogLine) => void) {
    this.#step = step;
    this.#masks = masks;
    this.#onLine = onLine;
  }

  /** Takes what the step has printed, in pieces of any length. */
  write(text: string): void {
    // A CR at the end may be the first half of a CRLF.
    const lines = `${this.#rest}${text}`.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#readLine(line);
  }

  /** The step has ended. */
  end(): void {
    if (this.#rest !== '') this.#readLine(this.#rest.replace(/\r$/, ''));
    this.#rest = '';
  }

  /** A line of the runner itself. */
  add(kind: LineKind, text: string): void {
    this.#onLine({ step: this.#step, at: new Date().toISOString(), kind, text: this.mask(text) });
  }

  mask(text: string): string {
    // The longest first: one mask may be a part of another.
    const masks = [...this.#masks].sort((a, b) => b.length - a.length);
    return masks.reduce((masked, secret) => masked.replaceAll(secret, '***'), text);
  }

  #readLine(line: string): void {
    const command = parseCommand(line);
    if (command === undefined || !this.#obey(command, line)) this.add('text', line);
  }

  /** False if it is no command at the moment. */
  #obey({ name, data }: Command, line: string): boolean {
    const annotation = ANNOTATIONS.find(one => one === name);
    if (this.#resume !== undefined) {
      if (name !== this.#resume) return false;
      this.#resume = undefined;
      this.add('command', line);
    } else if (name === 'stop-commands') {
      this.#resume = data.toLowerCase();
      this.add('command', line);
    } else if (name === 'add-mask') {
      for (const secret of data.split(/[\r\n]+/)) if (secret.trim() !== '') this.#masks.add(secret);
    } else if (name === 'group') this.add('group', data);
    else if (name === 'endgroup') this.add('end of group', '');
    else if (annotation !== undefined) this.add(annotation, data);
    else if (name === 'debug')
      return true; // shown only in a run with debug logging
    else return SILENT.has(name);
    return true;
  }
}

/** `::name properties::data` at the start of a line, or `##[name properties]data` anywhere in it. */
function parseCommand(line: string): Command | undefined {
  const trimmed = line.trimStart();
  const end = trimmed.startsWith('::') ? trimmed.indexOf('::', 2) : -1;
  if (end > 0) return describeCommand(trimmed.slice(2, end), trimmed.slice(end + 2));
  const [, head, data] = /##\[([^\]]*)\](.*)$/s.exec(line) ?? [];
  return head === undefined ? undefined : describeCommand(head, data ?? '');
}

function describeCommand(head: string, data: string): Command {
  const [name = ''] = head.trim().split(' ');
  return { name: name.toLowerCase(), data: unescapeData(data) };
}

function unescapeData(text: string): string {
  return text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');
}
