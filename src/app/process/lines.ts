// Bytes of a program's console into lines. Used by child.ts.

import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** A program that never ends its line must not fill our memory; longer lines are handed on in pieces. */
const MAX_LINE_LENGTH = 16_384;

/**
 * What is taken of one stream: a burst, and so many lines a second after it. A program that prints without pause is held
 * up by its pipe, as on a slow terminal; making every line of `yes` harmless would keep visitors waiting instead.
 */
const BURST_LINES = 20_000;
const LINES_PER_SECOND = 5_000;

/** A line that is this long counts as two, and so on. */
const LINE_BYTES = 512;

/** Hands on every line of a stream without its end (LF or CRLF), and after `end()` the unfinished last one. */
export class LineSplitter {
  readonly #stream: Readable;
  readonly #decoder = new StringDecoder('utf8');
  readonly #onLine: (line: string) => void;
  #rest = '';
  #budget = BURST_LINES;
  /** Of performance.now(). */
  #budgetAt = performance.now();
  #pause: NodeJS.Timeout | undefined;
  #isHurried = false;

  constructor(stream: Readable, onLine: (line: string) => void) {
    this.#stream = stream;
    this.#onLine = onLine;
    stream.on('data', (chunk: Buffer) => {
      const lines = this.#add(this.#decoder.write(chunk));
      this.#spend(Math.max(lines, chunk.length / LINE_BYTES));
    });
    // The other end may vanish with the process; its end is reported elsewhere.
    stream.on('error', () => undefined);
  }

  /** The program has ended: what it left in the pipe is its last words, and is not held up. */
  hurry(): void {
    this.#isHurried = true;
    clearTimeout(this.#pause);
    this.#stream.resume();
  }

  /** No more is expected: hands on what has no line end. Bytes that still come begin a new line. */
  end(): void {
    this.hurry();
    this.#add(this.#decoder.end());
    if (this.#rest !== '') this.#onLine(this.#rest);
    this.#rest = '';
    // What comes now is of a process that outlives its program, and may be as noisy.
    this.#isHurried = false;
  }

  #spend(lines: number): void {
    const now = performance.now();
    const earned = ((now - this.#budgetAt) / 1000) * LINES_PER_SECOND;
    this.#budget = Math.min(BURST_LINES, this.#budget + earned) - lines;
    this.#budgetAt = now;
    if (this.#budget >= 0 || this.#isHurried) return;
    this.#stream.pause();
    this.#pause = setTimeout(() => this.#stream.resume(), (-this.#budget / LINES_PER_SECOND) * 1000);
  }

  /** Returns how many lines it handed on. */
  #add(text: string): number {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
    while (this.#rest.length > MAX_LINE_LENGTH) {
      this.#onLine(this.#rest.slice(0, MAX_LINE_LENGTH));
      this.#rest = this.#rest.slice(MAX_LINE_LENGTH);
    }
    return lines.length;
  }
}
