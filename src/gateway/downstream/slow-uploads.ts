// Finds uploads that stand still, or come so slowly that only an attacker would send them like that (R-U-D-Y): they
// would keep their slot forever. An upload that goes on may take any time. Used by http1-server.ts and
// http2-session.ts.

import { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';

/** The body of a request that counts what has arrived of it. */
export interface Upload extends Readable {
  readonly receivedBytes: number;
  readonly complete: boolean;
}

export interface UploadLimits {
  /** How long no byte may come, while the gateway waits for one. */
  stalledMs: number;
  /** How long MIN_BYTES may take, also if the app takes nothing. */
  requestTimeoutMs: number;
}

/** Of a body, in `requestTimeoutMs`: 55 bytes a second with the usual limit, which every line can carry. */
const MIN_BYTES = 16 * 1024;

/** How many times the uploads are checked within the shorter limit. */
const SWEEPS_PER_LIMIT = 4;

/** Times are those of performance.now(). */
interface Progress {
  readonly cut: () => void;
  /** When the last byte came, or the gateway began to wait for one. */
  movedAt: number;
  movedBytes: number;
  /** When the last MIN_BYTES began. */
  pacedAt: number;
  pacedBytes: number;
}

export class SlowUploads {
  readonly #limits: UploadLimits;
  readonly #uploads = new Map<Upload, Progress>();
  readonly #timer: NodeJS.Timeout;

  constructor(limits: UploadLimits) {
    this.#limits = limits;
    const shorter = Math.min(limits.stalledMs, limits.requestTimeoutMs);
    this.#timer = setInterval(() => this.#sweep(), shorter / SWEEPS_PER_LIMIT).unref();
  }

  /** Calls `cut`, at most once, if the upload is too slow. Returns the function that ends the watch. */
  watch(upload: Upload, cut: () => void): () => void {
    const now = performance.now();
    const bytes = upload.receivedBytes;
    this.#uploads.set(upload, { cut, movedAt: now, movedBytes: bytes, pacedAt: now, pacedBytes: bytes });
    return () => void this.#uploads.delete(upload);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    const now = performance.now();
    for (const [upload, progress] of this.#uploads) {
      const isSlow = this.#isSlow(upload, progress, now);
      if (isSlow || upload.complete) this.#uploads.delete(upload);
      if (isSlow) progress.cut();
    }
  }

  #isSlow(upload: Upload, progress: Progress, now: number): boolean {
    if (upload.complete) return false;
    const bytes = upload.receivedBytes;
    // If the app does not read, the gateway does not either, and the visitor cannot send.
    if (bytes !== progress.movedBytes || upload.readableFlowing !== true) {
      progress.movedBytes = bytes;
      progress.movedAt = now;
    }
    if (bytes - progress.pacedBytes >= MIN_BYTES) {
      progress.pacedBytes = bytes;
      progress.pacedAt = now;
    }
    return (
      now - progress.movedAt >= this.#limits.stalledMs ||
      now - progress.pacedAt >= this.#limits.requestTimeoutMs
    );
  }
}

/** Node's request, which counts the bytes of its body. */
export class CountedRequest extends IncomingMessage implements Upload {
  receivedBytes = 0;

  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    this.receivedBytes += chunk?.length ?? 0;
    return super.push(chunk, encoding);
  }
}
