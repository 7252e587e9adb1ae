// Compressed variants of files, kept in memory for the next visitor. Used by response.ts.

import type { FileHandle } from 'node:fs/promises';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Coding, chooseCoding, MIN_BYTES, rateMediaType } from '../../shared/content-coding.ts';
import { compressAtOnce, openEncoder, savesEnough } from '../../shared/encoder.ts';
import { EncoderSlots } from '../../shared/encoder-slots.ts';
import type { HttpRequest, HttpResponse } from '../../shared/http-message.ts';
import { createETag, type FoundFile, readBytes } from './files.ts';

/** For all variants together. While a variant grows, its file's size counts, because it may get that large. */
const MAX_BYTES = 64 * 1024 ** 2;

/** While they grow. Each has an encoder, which takes 3 MB. */
const MAX_GROWING = 16;

/** Compressed at once, in about a millisecond; longer files in another thread. */
const AT_ONCE_BYTES = 64 * 1024;

export class Variants {
  readonly #slots = new EncoderSlots(MAX_GROWING);
  /** Entity tag → variant; the one used longest ago first. */
  readonly #kept = new Map<string, Variant>();
  readonly #maxBytes: number;

  /** `maxBytes`: another limit for tests. */
  constructor(maxBytes = MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** The coding in which to send a file of this media type. Undefined: as it is. */
  async choose(
    request: HttpRequest,
    type: string,
    { stats, handle }: FoundFile,
  ): Promise<Coding | undefined> {
    const { 'accept-encoding': accepted, range } = request.headers;
    const worth = rateMediaType(type);
    const size = Number(stats.size);
    if (worth === 'no' || size < MIN_BYTES || range !== undefined || request.httpVersion === '1.0')
      return undefined;
    const coding = chooseCoding(accepted?.toString());
    if (coding === undefined || this.#kept.has(createETag(stats, coding))) return coding;
    if (this.#slots.areFull || !this.#hasRoom(size)) return undefined;
    return worth === 'yes' || (await isCompressible(handle)) ? coding : undefined;
  }

  /** Length of the variant; undefined while it is not known. */
  findLength(tag: string): number | undefined {
    return this.#kept.get(tag)?.length;
  }

  /** The variant with this entity tag. One that does not exist begins to grow, and reads the file until `settled`. */
  open(tag: string, file: FoundFile, coding: Coding): Variant {
    const kept = this.#kept.get(tag);
    if (kept === undefined) this.#makeRoom(Number(file.stats.size));
    const variant = kept ?? this.#grow(file, coding, () => this.#kept.delete(tag));
    this.#kept.delete(tag);
    this.#kept.set(tag, variant);
    return variant;
  }

  #grow({ handle, stats }: FoundFile, coding: Coding, onFailure: () => void): Variant {
    const giveBack = this.#slots.take();
    const variant = new Variant(Number(stats.size));
    variant.settled = compressFile(handle, coding, variant, this.#slots)
      .then(
        () => variant.finish(),
        (error: unknown) => {
          onFailure();
          variant.fail(error);
        },
      )
      .finally(giveBack);
    return variant;
  }

  /** What still grows cannot be forgotten. */
  #hasRoom(bytes: number): boolean {
    let left = this.#maxBytes - bytes;
    for (const variant of this.#kept.values()) if (variant.length === undefined) left -= variant.weight;
    return left >= 0;
  }

  /** Forgets what was used longest ago. */
  #makeRoom(bytes: number): void {
    let left = this.#maxBytes - bytes;
    for (const { weight } of this.#kept.values()) left -= weight;
    for (const [tag, variant] of this.#kept) {
      if (left >= 0) return;
      if (variant.length === undefined) continue;
      this.#kept.delete(tag);
      left += variant.weight;
    }
  }
}

/** The compressed bytes of one file. Visitors read it while it grows. */
export class Variant {
  /** Resolves when no more is read from the file. */
  settled: Promise<void> = Promise.resolve();
  readonly fileSize: number;
  readonly #chunks: Buffer[] = [];
  #state: { kind: 'growing' | 'whole' } | { kind: 'failed'; error: unknown } = { kind: 'growing' };
  #readers = 0;
  #change = Promise.withResolvers<void>();
  #bytes = 0;

  constructor(fileSize: number) {
    this.fileSize = fileSize;
  }

  /** Undefined while it grows. */
  get length(): number | undefined {
    return this.#state.kind === 'whole' ? this.#bytes : undefined;
  }

  /** Bytes of memory that it takes, or may take. */
  get weight(): number {
    return this.length ?? this.fileSize;
  }

  /** Whether nobody waits for it. */
  get isAbandoned(): boolean {
    return this.#readers === 0;
  }

  /** Sends it to one visitor, as far as it has grown and then as it grows. Rejects if that fails, on either side. */
  async send(response: HttpResponse): Promise<void> {
    this.#readers += 1;
    try {
      await pipeline(this.#read(), response);
    } finally {
      this.#readers -= 1;
    }
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#notify();
  }

  finish(): void {
    this.#state = { kind: 'whole' };
    this.#notify();
  }

  fail(error: unknown): void {
    this.#state = { kind: 'failed', error };
    this.#notify();
  }

  async *#read(): AsyncGenerator<Buffer> {
    for (let index = 0; ; ) {
      const chunk = this.#chunks[index];
      if (chunk !== undefined) {
        index += 1;
        yield chunk;
      } else if (this.#state.kind === 'whole') return;
      else if (this.#state.kind === 'failed') throw this.#state.error;
      else await this.#change.promise;
    }
  }

  #notify(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}

async function isCompressible(handle: FileHandle): Promise<boolean> {
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(16 * 1024), 0, 16 * 1024, 0);
  return savesEnough(buffer.subarray(0, bytesRead));
}

/** Rejects if the file gets shorter, or when nobody waits for the variant any more. */
async function compressFile(
  handle: FileHandle,
  coding: Coding,
  variant: Variant,
  slots: EncoderSlots,
): Promise<void> {
  const whole = { start: 0, end: variant.fileSize - 1 };
  if (variant.fileSize <= AT_ONCE_BYTES) {
    const chunks: Buffer[] = [];
    for await (const chunk of readBytes(handle, whole)) chunks.push(chunk);
    variant.push(compressAtOnce(coding, 'small', Buffer.concat(chunks)));
    return;
  }
  const encoder = openEncoder(coding, 'small').on('data', chunk => variant.push(chunk));
  // The write that fails reports it.
  encoder.on('error', () => {});
  try {
    for await (const chunk of readBytes(handle, whole)) {
      if (variant.isAbandoned) throw new Error('no visitor waits for this file');
      await encode(encoder, chunk, slots);
    }
    await finish(encoder, slots);
  } finally {
    encoder.destroy();
  }
}

function encode(encoder: Transform, chunk: Buffer, slots: EncoderSlots): Promise<void> {
  return new Promise((resolve, reject) =>
    slots.work(done =>
      encoder.write(chunk, error => {
        done();
        if (error) reject(error);
        else resolve();
      }),
    ),
  );
}

function finish(encoder: Transform, slots: EncoderSlots): Promise<void> {
  return new Promise((resolve, reject) =>
    slots.work(done => encoder.once('close', done).once('end', resolve).once('error', reject).end()),
  );
}
