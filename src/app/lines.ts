// Bytes of a program's console into lines. Used by child.ts.

import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** A program that never ends its line must not fill our memory; longer lines are handed on in pieces. */
const MAX_LINE_LENGTH = 16_384;

/** Hands on every line of a stream without its end (LF or CRLF), and after `end()` the unfinished last one. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #onLine: (line: string) => void;
  #rest = '';

  constructor(stream: Readable, onLine: (line: string) => void) {
    this.#onLine = onLine;
    stream.on('data', (chunk: Buffer) => this.#add(this.#decoder.write(chunk)));
    // The other end may vanish with the process; its end is reported elsewhere.
    stream.on('error', () => undefined);
  }

  /** No more is expected: hands on what has no line end. Bytes that still come begin a new line. */
  end(): void {
    this.#add(this.#decoder.end());
    if (this.#rest !== '') this.#onLine(this.#rest);
    this.#rest = '';
  }

  #add(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
    while (this.#rest.length > MAX_LINE_LENGTH) {
      this.#onLine(this.#rest.slice(0, MAX_LINE_LENGTH));
      this.#rest = this.#rest.slice(MAX_LINE_LENGTH);
    }
  }
}
