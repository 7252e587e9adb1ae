// Sends one file as an HTTP response: type, encoding, validators, ranges (RFC 9110). Used by web.ts.

import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { HttpRequest, HttpResponse } from '../../shared/http-message.ts';
import { type FoundFile, findFile } from './files.ts';
import { findMediaType } from './media-types.ts';

export interface FileAnswer {
  request: HttpRequest;
  response: HttpResponse;
  /** URL path of the file; its ending decides the type. */
  path: string;
  /** Closed when the answer is sent. */
  file: FoundFile;
  /** Name of the encoding the file is stored in. */
  encoding?: string;
  /** 200, or 404 for an error page, which has neither validators nor ranges. */
  status: number;
}

const ENCODINGS: readonly { name: string; ending: string }[] = [
  { name: 'br', ending: '.br' },
  { name: 'gzip', ending: '.gz' },
];

/** The precompressed sibling that the visitor accepts, or the file itself. Only the chosen one stays open. */
export async function chooseEncoding(
  root: string,
  path: string,
  file: FoundFile,
  accepted: string | string[] | undefined,
): Promise<{ file: FoundFile; encoding?: string }> {
  for (const { name, ending } of ENCODINGS) {
    if (!acceptsEncoding(String(accepted ?? ''), name)) continue;
    const sibling = await findFile(root, path + ending);
    if (sibling.kind !== 'file') continue;
    // One older than the file is left over from an earlier build. Archives keep whole seconds only.
    const fresh = sibling.stats.mtimeMs / 1000n >= file.stats.mtimeMs / 1000n;
    await (fresh ? file : sibling).handle.close();
    if (fresh) return { file: sibling, encoding: name };
  }
  return { file };
}

function acceptsEncoding(accepted: string, name: string): boolean {
  return accepted.split(',').some(part => {
    const [coding, ...parameters] = part.split(';').map(text => text.trim().toLowerCase());
    return coding === name && !parameters.some(parameter => /^q=0(\.0*)?$/.test(parameter));
  });
}

/** Sends the file, or the part of it that was asked for. Rejects when the visitor leaves or the file gets shorter. */
export async function sendFile(answer: FileAnswer): Promise<void> {
  const { request, response, file } = answer;
  try {
    if (answer.status !== 200) return await sendErrorPage(answer);
    const etag = createETag(file.stats);
    setHeaders(answer, etag);
    if (isNotModified(request, etag, file.stats)) {
      response.statusCode = 304;
      response.end();
      return;
    }
    response.setHeader('content-type', findMediaType(answer.path));
    const size = Number(file.stats.size);
    const range = isRangeValid(request, etag, file.stats) ? parseRange(request.headers.range, size) : 'whole';
    if (range === 'unsatisfiable') return sendUnsatisfiable(response, size);
    if (range !== 'whole') {
      response.statusCode = 206;
      response.setHeader('content-range', `bytes ${range.start}-${range.end}/${size}`);
    }
    await sendBytes(answer, range === 'whole' ? { start: 0, end: size - 1 } : range);
  } finally {
    await file.handle.close();
  }
}

async function sendErrorPage(answer: FileAnswer): Promise<void> {
  const { response, file, status } = answer;
  response.statusCode = status;
  response.setHeader('content-type', findMediaType(answer.path));
  response.setHeader('cache-control', 'no-store');
  response.setHeader('vary', 'Accept-Encoding');
  if (answer.encoding !== undefined) response.setHeader('content-encoding', answer.encoding);
  await sendBytes(answer, { start: 0, end: Number(file.stats.size) - 1 });
}

function setHeaders({ response, file, encoding }: FileAnswer, etag: string): void {
  response.setHeader('etag', etag);
  response.setHeader('last-modified', file.stats.mtime.toUTCString());
  response.setHeader('accept-ranges', 'bytes');
  // The file of the next commit has the same URL.
  response.setHeader('cache-control', 'no-cache');
  response.setHeader('vary', 'Accept-Encoding');
  if (encoding !== undefined) response.setHeader('content-encoding', encoding);
}

/** Changes with every write and every replacement of the file. */
function createETag(stats: BigIntStats): string {
  return `"${stats.size.toString(36)}-${stats.mtimeNs.toString(36)}-${stats.ino.toString(36)}"`;
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

const CHUNK_BYTES = 64 * 1024;

/** Throws if the file is shorter than promised: the visitor must see a broken response, not wait for the rest. */
async function* readBytes(handle: FileHandle, { start, end }: ByteRange): AsyncGenerator<Buffer> {
  for (let position = start; position <= end; ) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - position + 1));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) throw new Error('the file became shorter while it was sent');
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
