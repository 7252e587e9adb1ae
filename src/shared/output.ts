// Writes to streams and files that may fail at any moment: a full disk, a closed terminal, a pipe whose reader is gone
// or slow. Used by the programs and by commands/foreground.ts. Nothing here throws, and every 'error' event has a
// listener: otherwise the handler for uncaught errors would run, and try to write again.

import { writeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { describeError } from './errors.ts';

/** How much waits for a slow reader. Beyond that, lines are left out, because an app may print without end. */
const MAX_WAITING_BYTES = 1024 * 1024;

const READER_GRACE_MS = 1_000;

/** From now on a failed write to stdout or stderr is not an exception. Called by every process but the page host. */
export function tolerateBrokenOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
}

/**
 * Sets the exit code. The process ends by itself once everything is written, or after a second: if nobody reads a pipe,
 * Node would wait for ever.
 */
export function leaveWith(code: number): void {
  process.exitCode = code;
  if (process.stdout.writableLength + process.stderr.writableLength > 0)
    setTimeout(() => process.exit(code), READER_GRACE_MS).unref();
}

/** Standard output or error: a terminal, a pipe or a file. */
type OutputStream = Writable & { isTTY?: boolean; columns?: number };

/** A stream of lines for a person or a pipe. */
export class LineOutput {
  readonly #stream: OutputStream;
  readonly #onLost: (reason: string) => void;
  readonly #onDrain = () => this.#reportSkipped();
  readonly #onError = (error: unknown) => {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#onLost(describeError(error));
  };
  #skipped = 0;
  #isLost = false;

  /** `onLost` is called once, with the reason, when the stream cannot be written to any more. */
  constructor(stream: OutputStream, onLost: (reason: string) => void = () => {}) {
    this.#stream = stream;
    this.#onLost = onLost;
    stream.on('drain', this.#onDrain).on('error', this.#onError);
  }

  /** Removes the listeners from the stream, which may outlive this. Nothing is to be written afterwards. */
  release(): void {
    this.#stream.off('drain', this.#onDrain).off('error', this.#onError);
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  get columns(): number {
    return this.#stream.columns || 80;
  }

  /** Writes the text as it is, and never leaves it out. */
  write(text: string): void {
    if (!this.#isLost) this.#stream.write(text);
  }

  /** Writes a line, or leaves it out if the reader is slow. Once the reader has caught up, a line gives the number. */
  writeLine(line: string): void {
    if (this.#stream.writableLength > MAX_WAITING_BYTES) this.#skipped += 1;
    else {
      this.#reportSkipped();
      this.write(`${line}\n`);
    }
  }

  #reportSkipped(): void {
    if (this.#skipped === 0) return;
    const count = this.#skipped;
    this.#skipped = 0;
    this.write(`… ${count} lines left out: they came faster than they were read\n`);
  }
}

/**
 * A log file of limited size, behind a descriptor. What cannot be written is lost and counted; when writing works
 * again, a line says so.
 */
export class LogFile {
  readonly #descriptor: number;
  readonly #maxBytes: number;
  readonly #onLost: (reason: string) => void;
  #bytes = 0;
  #lost = 0;
  #endsInLine = true;

  /** `onLost` is called each time writing begins to fail. */
  constructor(descriptor: number, maxBytes: number, onLost: (reason: string) => void) {
    this.#descriptor = descriptor;
    this.#maxBytes = maxBytes;
    this.#onLost = onLost;
  }

  /** Whether only errors are still written: a noisy app must not fill the runner's disk. */
  get isFull(): boolean {
    return this.#bytes > this.#maxBytes;
  }

  writeLine(line: string, isError: boolean): void {
    if (this.isFull && !isError) return;
    const wasFull = this.isFull;
    if (this.#lost > 0 && this.#append(`(lines missing here: ${this.#lost})\n`)) this.#lost = 0;
    if (this.#lost > 0 || !this.#append(`${line}\n`)) this.#lost += 1;
    if (!wasFull && this.isFull) this.#append('the log is full; only errors follow\n');
  }

  #append(text: string): boolean {
    const bytes = Buffer.from(this.#endsInLine ? text : `\n${text}`);
    this.#bytes += bytes.length;
    try {
      const written = writeSync(this.#descriptor, bytes);
      this.#endsInLine = written === bytes.length || bytes[written - 1] === 0x0a;
      if (written < bytes.length) throw new Error('no space is left');
      return true;
    } catch (error) {
      if (this.#lost === 0) this.#onLost(describeError(error));
      return false;
    }
  }
}
