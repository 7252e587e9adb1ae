// What the demo prints: its links, once, then on a terminal one status line that is kept up to date, otherwise a line
// for each change. Used by demo.ts.

import { LineOutput } from '../shared/output.ts';
import { renderJson, sanitise, sanitiseLines } from '../shared/sanitise.ts';

/** Goes to the start of a terminal's line, and clears it. */
const CLEAR_LINE = '\r\u001b[2K';
const REDRAW_MS = 1_000;

export class DemoTerminal {
  readonly #isJson: boolean;
  readonly #out: LineOutput;
  readonly #errors: LineOutput;
  #timer: NodeJS.Timeout | undefined;
  #render: ((isTerminal: boolean) => string) | undefined;
  #last = '';

  constructor(isJson: boolean) {
    this.#isJson = isJson;
    this.#out = new LineOutput(process.stdout, reason => this.#complainOf('standard output', reason));
    this.#errors = new LineOutput(process.stderr, reason => this.#complainOf('standard error', reason));
  }

  /** Lines that stay. */
  print(text: string): void {
    if (this.#isJson) this.#errors.writeLine(sanitiseLines(text));
    else this.#out.write(`${this.#out.isTerminal ? CLEAR_LINE : ''}${sanitiseLines(text)}\n`);
    this.refresh();
  }

  /** One line of JSON, with --json. */
  printJson(value: unknown): void {
    if (this.#isJson) this.#out.write(`${renderJson(value)}\n`);
  }

  warn(text: string): void {
    if (this.#out.isTerminal) this.#out.write(CLEAR_LINE);
    this.#errors.writeLine(sanitise(`warning: ${text}`, 1_000));
    this.refresh();
  }

  /** The status line from now on. Without a terminal it should have no clock in it: each change is a line. */
  show(render: (isTerminal: boolean) => string): void {
    this.#render = render;
    if (this.#out.isTerminal) this.#timer ??= setInterval(() => this.refresh(), REDRAW_MS);
    this.refresh();
  }

  /** What the status line says has changed. */
  refresh(): void {
    if (this.#render === undefined || this.#isJson) return;
    const line = sanitise(this.#render(this.#out.isTerminal), 1_000);
    // A longer line would wrap, and only its last row could be cleared.
    if (this.#out.isTerminal) this.#out.write(`${CLEAR_LINE}${line.slice(0, this.#out.columns - 1)}`);
    else if (line !== this.#last) this.#out.write(`${line}\n`);
    this.#last = line;
  }

  close(): void {
    clearInterval(this.#timer);
    if (!this.#isJson && this.#out.isTerminal) this.#out.write('\n');
    this.#out.release();
    this.#errors.release();
  }

  #complainOf(name: string, reason: string): void {
    this.#errors.writeLine(
      `warning: nobody reads ${name} any more (${reason}); the demo goes on until it is stopped`,
    );
  }
}

/** `name  value` lines, the values in one column. */
export function renderRows(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
}
