// Splits text into lines: text that arrives in pieces, for the consoles of programs (app) and the log file (step), and
// lists that people have written (inputs and control).

/** A program that never ends its line must not fill our memory; longer lines are passed on in pieces. */
const MAX_LINE_LENGTH = 16_384;
/** How many lines an error carries: more would not be read. */
export const LAST_LINES = 20;

/** Cuts text at line ends, LF or CRLF. */
export class LineBuffer {
  #rest = '';

  /** The unfinished last line. */
  get rest(): string {
    return this.#rest;
  }

  /** Returns the lines that end in `text`, without their line ends, and the pieces of a line that is too long. */
  add(text: string): string[] {
    const parts = (this.#rest + text).split('\n');
    let rest = parts.pop() ?? '';
    const lines = parts.map(line => (line.endsWith('\r') ? line.slice(0, -1) : line));
    for (; rest.length > MAX_LINE_LENGTH; rest = rest.slice(MAX_LINE_LENGTH))
      lines.push(rest.slice(0, MAX_LINE_LENGTH));
    this.#rest = rest;
    return lines;
  }

  /** Returns the unfinished last line, if there is one; later text begins a new line. */
  end(): string[] {
    const rest = this.#rest;
    this.#rest = '';
    return rest === '' ? [] : [rest];
  }
}

/** The last lines of a console, oldest first. */
export class LastLines {
  readonly #limit: number;
  readonly #lines: string[] = [];

  constructor(limit = LAST_LINES) {
    this.#limit = limit;
  }

  add(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > this.#limit) this.#lines.shift();
  }

  /** All that are kept, or only the last `count` of them. */
  list(count = this.#limit): string[] {
    return this.#lines.slice(-count);
  }
}

/** The items of a list that a person has written: one per line, or with commas between them. */
export function splitItems(text: string): string[] {
  return text
    .split(/[\n,]/)
    .map(item => item.trim())
    .filter(item => item !== '');
}
