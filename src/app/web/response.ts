// Sends one file as an HTTP response: type, encoding, validators, ranges (RFC 9110). Used by web.ts.

import type { BigIntStats } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip } from 'node:zlib';
import type { Coding } from '../../shared/content-coding.ts';
import type { HttpRequest, HttpResponse } from '../../shared/http-message.ts';
import { createETag, readBytes } from './files.ts';
import { findMediaType } from './media-types.ts';
import type { Stored } from './stored-encoding.ts';
import type { Variants } from './variants.ts';

/** The file is closed when the answer is sent. */
export interface FileAnswer extends Stored {
  request: HttpRequest;
  response: HttpResponse;
  /** Undefined: nothing is compressed here. */
  variants: Variants | undefined;
  /** 200, or 404 for an error page, which has neither validators nor ranges. */
  status: number;
}

/** Sends the file, or the part of it that was asked for. Rejects when the visitor leaves or the file gets shorter. */
export async function sendFile(answer: FileAnswer): Promise<void> {
  const { request, response, file } = answer;
  const type = findMediaType(answer.path);
  try {
    const coding =
      answer.encoding === undefined ? await answer.variants?.choose(request, type, file) : undefined;
    const etag = createETag(file.stats, answer.decode ? 'identity' : coding);
    setHeaders(answer, etag, coding);
    if (answer.status === 200 && isNotModified(request, etag, file.stats)) {
      response.statusCode = 304;
      response.end();
      return;
    }
    response.statusCode = answer.status;
    response.setHeader('content-type', type);
    if (coding !== undefined) await sendVariant(answer, etag, coding);
    else if (answer.decode) await sendDecoded(answer);
    else if (answer.status === 200) await sendRange(answer, etag);
    else await sendBytes(answer, { start: 0, end: Number(file.stats.size) - 1 });
  } finally {
    await file.handle.close();
  }
}

/** `coding`: of the variant that is sent. Variants and decompressed files have no ranges. */
function setHeaders(
  { response, file, encoding, decode, status }: FileAnswer,
  etag: string,
  coding: Coding | undefined,
): void {
  response.setHeader('vary', 'Accept-Encoding');
  const sent = decode ? undefined : (encoding ?? coding);
  if (sent !== undefined) response.setHeader('content-encoding', sent);
  if (status !== 200) {
    response.setHeader('cache-control', 'no-store');
    return;
  }
  response.setHeader('etag', etag);
  response.setHeader('last-modified', file.stats.mtime.toUTCString());
  if (coding === undefined && !decode) response.setHeader('accept-ranges', 'bytes');
  // The file of the next commit has the same URL.
  response.setHeader('cache-control', 'no-cache');
}

async function sendVariant(
  { request, response, file, variants }: FileAnswer,
  tag: string,
  coding: Coding,
): Promise<void> {
  const length = variants?.findLength(tag);
  if (length !== undefined) response.setHeader('content-length', length);
  if (request.method === 'HEAD' || variants === undefined) {
    response.end();
    return;
  }
  const variant = variants.open(tag, file, coding);
  await variant.send(response).finally(() => variant.settled);
}

/** The length is not known before. */
async function sendDecoded({ request, response, file, encoding }: FileAnswer): Promise<void> {
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const decoder = encoding === 'br' ? createBrotliDecompress() : createGunzip();
  await pipeline(readBytes(file.handle, { start: 0, end: Number(file.stats.size) - 1 }), decoder, response);
}

async function sendRange(answer: FileAnswer, etag: string): Promise<void> {
  const { request, response, file } = answer;
  const size = Number(file.stats.size);
  // Of HEAD, too, a range would be ignored (RFC 9110 §14.2).
  const hasRange = request.method === 'GET' && isRangeValid(request, etag, file.stats);
  const range = hasRange ? parseRange(request.headers.range, size) : 'whole';
  if (range === 'unsatisfiable') return sendUnsatisfiable(response, size);
  if (range !== 'whole') {
    response.statusCode = 206;
    response.setHeader('content-range', `bytes ${range.start}-${range.end}/${size}`);
  }
  await sendBytes(answer, range === 'whole' ? { start: 0, end: size - 1 } : range);
}

/** RFC 9110 §13.2.2: the date counts only if no tag was sent. */
function isNotModified(request: HttpRequest, etag: string, stats: BigIntStats): boolean {
  const tags = request.headers['if-none-match'];
  if (tags !== undefined)
    return tags.split(',').some(tag => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
  const since = Date.parse(request.headers['if-modified-since'] ?? '');
  return !Number.isNaN(since) && toSeconds(stats) <= Math.floor(since / 1000);
}

/** RFC 9110 §13.1.5: a part of another version must not be appended to what the visitor has. */
function isRangeValid(request: HttpRequest, etag: string, stats: BigIntStats): boolean {
  const condition = request.headers['if-range'];
  if (typeof condition !== 'string') return true;
  if (condition.includes('"')) return condition === etag;
  return Math.floor(Date.parse(condition) / 1000) === toSeconds(stats);
}

function toSeconds(stats: BigIntStats): number {
  return Number(stats.mtimeMs / 1000n);
}

/** Both ends are included. */
interface ByteRange {
  start: number;
  end: number;
}

/** One range; several at once, and malformed ones, may be answered with the whole file (RFC 9110 §14.2). */
export function parseRange(header: string | undefined, size: number): ByteRange | 'whole' | 'unsatisfiable' {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  const [first, last] = [match?.[1] ?? '', match?.[2] ?? ''];
  if (first === '' && last === '') return 'whole';
  if (first === '')
    return last === '0' || size === 0
      ? 'unsatisfiable'
      : { start: Math.max(0, size - Number(last)), end: size - 1 };
  if (last !== '' && Number(last) < Number(first)) return 'whole';
  if (Number(first) >= size) return 'unsatisfiable';
  return { start: Number(first), end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

function sendUnsatisfiable(response: HttpResponse, size: number): void {
  response.statusCode = 416;
  response.setHeader('content-range', `bytes */${size}`);
  response.end();
}

async function sendBytes({ request, response, file }: FileAnswer, range: ByteRange): Promise<void> {
  const length = range.end - range.start + 1;
  response.setHeader('content-length', length);
  if (request.method === 'HEAD' || length === 0) {
    response.end();
    return;
  }
  await pipeline(readBytes(file.handle, range), response);
}
