// The output `requests-file`: each captured request as one line of JSON (NDJSON), for the steps that follow. Written by
// this process alone, in the background. Made by exposure/.
//
//   {"id":1,"method":"POST", …}      a RequestMessage (shared/request-json.ts), once the request is finished
//   {"id":1, …,"delivery":{…}}       again, if something has changed since
//   {"missing":{"count":3, …}}       so many could not be written here
//   {"cut":{"max_bytes":…, …}}       the last line of a file that has become too long

import { closeSync, openSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { CapturedRequest, RequestLog } from '../../../shared/captured-request.ts';
import { describeError } from '../../../shared/errors.ts';
import { describeRequest, type RequestMessage } from '../../../shared/request-json.ts';
import { renderJson } from '../../../shared/sanitise.ts';

/** A file that is uploaded as an artifact, and searched by people. */
export const MAX_FILE_BYTES = 256 * 1024 ** 2;
/** Of the file, and of what waits for the disk: strangers may send refused requests without end. */
const REFUSED_SHARE = 1 / 8;
/** Room for the last line. */
const CUT_LINE_BYTES = 1024;

/** Of one body: to render more would stop all other work for a tenth of a second. The API has all of it. */
const MAX_LINE_BODY_BYTES = 1024 ** 2;

/** So much is rendered and written at a time. */
const BATCH_LENGTH = 256 * 1024;

/** Between two writes: each costs about as much as ten lines. If the process is killed, the lines since then are lost. */
const PAUSE_MS = 20;

/** The end of the preview must not wait longer. */
const CLOSE_LIMIT_MS = 3_000;

/** What may wait for a slow disk, in bodies and with this for each head. */
const MAX_WAITING_BYTES = 16 * 1024 ** 2;
const HEAD_BYTES = 1024;

export interface RequestsFileOptions {
  path: string;
  requests: RequestLog;
  /** What people may see of a request. */
  redact: (message: RequestMessage) => RequestMessage;
  /** Called with a sentence for people when writing begins to fail, and when the file is cut. */
  onProblem: (problem: string) => void;
  /** For tests. */
  maxBytes?: number;
}

export class RequestsFile {
  readonly #options: RequestsFileOptions;
  readonly #maxBytes: number;
  readonly #unsubscribe: () => void;
  #handle: FileHandle | undefined;
  #waiting: CapturedRequest[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  /** Of the file: whole lines. */
  #bytes = 0;
  /** Of the file: lines of refused requests. */
  #refusedBytes = 0;
  #saysNoMoreRefused = false;
  #missing = 0;
  #isCut = false;
  #isClosing = false;

  /** Makes the file, empty, for this user alone. Throws if that is not possible. */
  constructor(options: RequestsFileOptions) {
    this.#options = options;
    this.#maxBytes = (options.maxBytes ?? MAX_FILE_BYTES) - CUT_LINE_BYTES;
    closeSync(openSync(options.path, 'w', 0o600));
    this.#unsubscribe = options.requests.subscribe(request => {
      if (request.isFinished) this.#add(request);
    });
  }

  /** Writes what is left, also of requests that are not finished; gives up on a disk that hangs. Never rejects. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#unsubscribe();
    for (const request of this.#options.requests.list()) if (!request.isFinished) this.#add(request);
    await Promise.race([this.#finish(), delay(CLOSE_LIMIT_MS, undefined, { ref: false })]);
  }

  async #finish(): Promise<void> {
    await this.#writing;
    if (this.#missing > 0) await this.#writeBatch();
    await this.#handle?.close().catch(() => {}); // nothing is left to write
  }

  #add(request: CapturedRequest): void {
    if (this.#isCut) return;
    const bytes = measure(request);
    if (request.refusal !== undefined && !this.#hasRoomForRefused(bytes)) return;
    if (this.#waitingBytes + bytes > MAX_WAITING_BYTES && this.#waiting.length > 0) {
      this.#miss(1, 'the disk is too slow');
      return;
    }
    this.#waiting.push(request);
    this.#waitingBytes += bytes;
    this.#writing ??= this.#write();
  }

  /** Otherwise strangers would fill the file, and requests that were let in would find no place. */
  #hasRoomForRefused(bytes: number): boolean {
    const isFull = this.#refusedBytes >= this.#maxBytes * REFUSED_SHARE;
    if (isFull && !this.#saysNoMoreRefused) {
      this.#saysNoMoreRefused = true;
      this.#options.onProblem(
        'requests-file gets no more refused requests: they have filled their share of it, and later ones are in the control API only',
      );
    }
    const fits = this.#waitingBytes + bytes <= MAX_WAITING_BYTES * REFUSED_SHARE;
    if (!isFull && !fits) this.#missing += 1;
    return !isFull && fits;
  }

  /** Ends when nothing waits. */
  async #write(): Promise<void> {
    await nextTurn();
    while (this.#waiting.length > 0 && !this.#isCut) {
      await this.#writeBatch();
      if (!this.#isClosing && this.#waitingBytes < BATCH_LENGTH) await delay(PAUSE_MS);
    }
    this.#writing = undefined;
  }

  async #writeBatch(): Promise<void> {
    const missing = this.#missing;
    const { bytes, count } = this.#takeBatch();
    try {
      if (this.#bytes + bytes.length > this.#maxBytes) await this.#cut();
      else await this.#append(bytes);
      this.#missing -= missing;
    } catch (error) {
      this.#miss(count, describeError(error));
    }
  }

  #takeBatch(): { bytes: Buffer; count: number } {
    const lines: Buffer[] = [];
    if (this.#missing > 0)
      lines.push(Buffer.from(`${JSON.stringify({ missing: { count: this.#missing } })}\n`));
    let length = 0;
    let count = 0;
    while (length < BATCH_LENGTH || count === 0) {
      const request = this.#waiting[count];
      if (request === undefined) break;
      const line = Buffer.from(`${this.#render(request)}\n`);
      lines.push(line);
      length += line.length;
      if (request.refusal !== undefined) this.#refusedBytes += line.length;
      this.#waitingBytes -= measure(request);
      count += 1;
    }
    this.#waiting.splice(0, count);
    return { bytes: Buffer.concat(lines), count };
  }

  /** A bug in here must not end the preview. */
  #render(request: CapturedRequest): string {
    try {
      const body = request.body.subarray(0, MAX_LINE_BODY_BYTES);
      return renderJson(this.#options.redact(describeRequest({ ...request, body })));
    } catch (error) {
      this.#options.onProblem(
        `requests-file misses a request that cannot be written: ${describeError(error)}`,
      );
      return JSON.stringify({ missing: { count: 1 } });
    }
  }

  async #cut(): Promise<void> {
    this.#isCut = true;
    this.#waiting = [];
    this.#unsubscribe();
    const cut = { at: new Date().toISOString(), max_bytes: this.#options.maxBytes ?? MAX_FILE_BYTES };
    await this.#append(Buffer.from(`${JSON.stringify({ cut })}\n`));
    this.#options.onProblem(
      `requests-file has reached ${cut.max_bytes} bytes, and ends there: later requests are in the control API only`,
    );
  }

  /** Writes all of it, or nothing. */
  async #append(bytes: Buffer): Promise<void> {
    this.#handle ??= await open(this.#options.path, 'r+');
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#handle.write(
          bytes,
          done,
          bytes.length - done,
          this.#bytes + done,
        );
        if (bytesWritten === 0) throw new Error('no space is left');
        done += bytesWritten;
      }
      this.#bytes += bytes.length;
    } catch (error) {
      await this.#handle.truncate(this.#bytes).catch(() => {}); // the next line overwrites the rest
      throw error;
    }
  }

  #miss(count: number, reason: string): void {
    if (this.#missing === 0)
      this.#options.onProblem(
        `requests-file misses requests, which the control API may still have: ${reason}`,
      );
    this.#missing += count;
  }
}

function measure({ body }: CapturedRequest): number {
  return HEAD_BYTES + Math.min(body.length, MAX_LINE_BODY_BYTES);
}
