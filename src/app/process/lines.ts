// A program's console as lines, read no faster than they can be handled. Used by child.ts.

import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { LineBuffer } from '../../shared/lines.ts';

/**
 * How many lines are read from one stream: a burst, then so many per second. A program that prints without pause is
 * slowed down by its pipe, as on a slow terminal; sanitising every line of `yes` would keep visitors waiting instead.
 */
const BURST_LINES = 20_000;
const LINES_PER_SECOND = 5_000;

/** A longer line counts as several. */
const LINE_BYTES = 512;

/** Passes on every line of a stream without its line end (LF or CRLF), and after `end()` the unfinished last one. */
export class LineSplitter {
  readonly #stream: Readable;
  readonly #decoder = new StringDecoder('utf8');
  readonly #onLine: (line: string) => void;
  readonly #buffer = new LineBuffer();
  #budget = BURST_LINES;
  /** When `#budget` was computed, by performance.now(). */
  #budgetAt = performance.now();
  #pause: NodeJS.Timeout | undefined;
  #isHurried = false;

  constructor(stream: Readable, onLine: (line: string) => void) {
    this.#stream = stream;
    this.#onLine = onLine;
    stream.on('data', (chunk: Buffer) => {
      const lines = this.#buffer.add(this.#decoder.write(chunk));
      for (const line of lines) onLine(line);
      this.#spend(Math.max(lines.length, chunk.length / LINE_BYTES));
    });
    // The pipe may break when the process ends, which is reported elsewhere.
    stream.on('error', () => undefined);
  }

  /** The program has ended: from now on, what it left in the pipe is read without delay. */
  hurry(): void {
    this.#isHurried = true;
    clearTimeout(this.#pause);
    this.#stream.resume();
  }

  /** The program's output is over: passes on the unfinished line. Bytes that still arrive begin a new line. */
  end(): void {
    this.hurry();
    for (const line of this.#buffer.add(this.#decoder.end())) this.#onLine(line);
    for (const line of this.#buffer.end()) this.#onLine(line);
    // Later output comes from a process that outlives the program, and may be as noisy.
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
}
