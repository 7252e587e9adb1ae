// Reads the supervisor's log file: main follows it while it grows, and post reads the rest. Used by log.ts.

import { closeSync, openSync, readSync } from 'node:fs';
import { LineBuffer } from '../shared/lines.ts';

const POLL_MS = 200;
const CHUNK_BYTES = 64 * 1024;

export interface LogTail {
  /** Reads up to the present end. */
  readOn(): void;
  /** Reads up to the present end, then stops. Returns the position in bytes after the last line that was passed on. */
  stop(): number;
}

/** Calls `onLine` with every whole line of the file from byte `from` on, as the file grows. */
export function followLog(file: string, onLine: (line: string) => void, from = 0): LogTail {
  const reader = new LineReader(file, from);
  const readAll = () => {
    for (const line of reader.read()) onLine(line);
  };
  const timer = setInterval(readAll, POLL_MS);
  return {
    readOn: readAll,
    stop: () => {
      clearInterval(timer);
      readAll();
      return reader.passedOn;
    },
  };
}

/** Every whole line of the file from byte `from` on; none if the file does not exist. */
export function readLines(file: string, from = 0): string[] {
  return [...new LineReader(file, from).read()];
}

class LineReader {
  readonly #file: string;
  readonly #decoder = new TextDecoder();
  readonly #buffer = new LineBuffer();
  #position: number;

  constructor(file: string, position: number) {
    this.#file = file;
    this.#position = position;
  }

  get passedOn(): number {
    return this.#position - Buffer.byteLength(this.#buffer.rest);
  }

  *read(): Generator<string> {
    for (let chunk = this.#readChunk(); chunk.length > 0; chunk = this.#readChunk())
      yield* this.#buffer.add(this.#decoder.decode(chunk, { stream: true }));
  }

  #readChunk(): Uint8Array {
    let handle: number;
    try {
      handle = openSync(this.#file, 'r');
    } catch {
      return new Uint8Array(); // not written yet, or removed at the end
    }
    const buffer = Buffer.alloc(CHUNK_BYTES);
    try {
      const bytes = readSync(handle, buffer, 0, buffer.length, this.#position);
      this.#position += bytes;
      return buffer.subarray(0, bytes);
    } catch {
      return new Uint8Array(); // the disk cannot be read; this is only a copy of the log, so it may lack lines
    } finally {
      closeSync(handle);
    }
  }
}
