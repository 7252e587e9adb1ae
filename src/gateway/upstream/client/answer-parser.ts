// Reads the answers of one connection, one at a time. llhttp reads the heads, and bodies in a transfer coding; other
// bodies are only counted, so that their bytes need not be copied into its memory. Used by connection.ts.

import { MAX_ANSWER_HEAD_BYTES } from '../../../shared/invalid-answer.ts';
import { forEachField, type RawHeaders } from '../../raw-headers.ts';
import { ClientError, ParseError } from './errors.ts';
import { type Findings, Llhttp, MAX_FEED_BYTES } from './llhttp.ts';
import type { AnswerHead } from './message.ts';

/** How much is read at a time to look for a head: most are shorter, and the body behind it need not be copied. */
const HEAD_FEED_BYTES = 4 * 1_024;

/** Statuses whose answers have no body (RFC 9110, 15). */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);

export interface AnswerEvents {
  /** The final answer, and interim ones apart from 100. */
  onHead(head: AnswerHead): void;
  /** `chunk` is a part of what was given to `read`. */
  onData(chunk: Buffer): void;
  /** `idleMs`: how long the connection may be kept for another request; 0 if it may not. */
  onEnd(trailers: RawHeaders, idleMs: number): void;
  /** A 101 that was asked for. */
  onUpgrade(head: AnswerHead): void;
}

export interface Expected {
  /** The method of the request: an answer to HEAD has no body. */
  method: string;
  /** Whether the request asked for another protocol. */
  upgrades: boolean;
}

/** What is read next. `coded`: a body in a transfer coding. */
type Stage = 'nothing' | 'head' | 'counted' | 'coded' | 'until close';

/** What the fields of a head say about the bytes behind it. */
interface Framing {
  length: number | undefined;
  isCoded: boolean;
  /** How long the app keeps an idle connection. */
  idleMs: number;
}

export class AnswerParser implements Findings {
  readonly #events: AnswerEvents;
  readonly #llhttp = new Llhttp();
  #expected: Expected = { method: 'GET', upgrades: false };
  #stage: Stage = 'nothing';
  /** Of the body, in the stage `counted`. */
  #left = 0;
  #idleMs = 0;
  // What llhttp has found, and nobody has been told of yet.
  #reason = '';
  #fields: string[] = [];
  #fieldBytes = 0;
  #isInName = false;
  #found: { status: number; isUpgrade: boolean; keepsAlive: boolean } | undefined;
  /** Where pieces of the body begin and end, in turn. */
  #pieces: number[] = [];
  #isComplete = false;

  constructor(events: AnswerEvents) {
    this.#events = events;
  }

  /** An answer is expected from now on. */
  begin(expected: Expected): void {
    this.#expected = expected;
    this.#expectHead();
  }

  /** Returns how many of the bytes belong to the answer. Throws a ParseError. */
  read(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length && this.#stage !== 'nothing') at += this.#advance(bytes, at);
    return at;
  }

  /** The connection has ended. False: before the answer did. */
  finish(): boolean {
    const isWhole = this.#stage === 'until close' || (this.#stage === 'coded' && this.#llhttp.finish(this));
    if (isWhole) this.#complete([], 0);
    return isWhole;
  }

  /** Nothing more is reported. */
  stop(): void {
    this.#stage = 'nothing';
  }

  free(): void {
    this.stop();
    this.#llhttp.free();
  }

  onReason(piece: string): void {
    this.#reason += piece;
    this.#fieldBytes += piece.length;
  }

  onName(piece: string): void {
    if (this.#isInName) this.#extendLast(piece);
    else this.#fields.push(piece);
    this.#isInName = true;
    this.#fieldBytes += piece.length;
  }

  onValue(piece: string): void {
    if (this.#isInName) this.#fields.push(piece);
    else this.#extendLast(piece);
    this.#isInName = false;
    this.#fieldBytes += piece.length;
  }

  onHeadComplete(status: number, isUpgrade: boolean, keepsAlive: boolean): void {
    this.#found = { status, isUpgrade, keepsAlive };
  }

  onBody(start: number, end: number): void {
    this.#pieces.push(start, end);
  }

  onMessageComplete(): void {
    this.#isComplete = true;
  }

  #extendLast(piece: string): void {
    const last = this.#fields.length - 1;
    this.#fields[last] += piece;
  }

  #advance(bytes: Buffer, at: number): number {
    switch (this.#stage) {
      case 'head':
        return this.#readHead(bytes.subarray(at, at + HEAD_FEED_BYTES));
      case 'counted':
        return this.#readCounted(bytes.subarray(at, at + this.#left));
      case 'coded':
        return this.#readCoded(bytes.subarray(at, at + MAX_FEED_BYTES));
      default:
        this.#events.onData(bytes.subarray(at));
        return bytes.length - at;
    }
  }

  #readHead(bytes: Buffer): number {
    const used = this.#execute(bytes);
    if (this.#found !== undefined) this.#endHead(this.#found);
    return used;
  }

  #readCounted(bytes: Buffer): number {
    this.#left -= bytes.length;
    this.#events.onData(bytes);
    this.#endIfCounted();
    return bytes.length;
  }

  #readCoded(bytes: Buffer): number {
    const used = this.#execute(bytes);
    const pieces = this.#pieces;
    this.#pieces = [];
    for (let index = 0; index < pieces.length && this.#stage === 'coded'; index += 2)
      this.#events.onData(bytes.subarray(pieces[index], pieces[index + 1]));
    if (!this.#isComplete || this.#stage !== 'coded') return used;
    trimValues(this.#fields);
    this.#complete(this.#fields, this.#idleMs);
    return used;
  }

  /** Both a head and trailers are limited, with what came before of the same. */
  #execute(bytes: Buffer): number {
    const used = this.#llhttp.execute(bytes, this);
    if (this.#fieldBytes < MAX_ANSWER_HEAD_BYTES) return used;
    throw new ParseError('HPE_HEADER_OVERFLOW', 'the head is too long', Buffer.alloc(0));
  }

  #endHead({ status, isUpgrade, keepsAlive }: { status: number; isUpgrade: boolean; keepsAlive: boolean }) {
    const head = { status, reason: this.#reason, headers: this.#fields };
    trimValues(head.headers);
    if (status < 100) throw new ParseError('HPE_INVALID_STATUS', 'Invalid response status', Buffer.alloc(0));
    if (status === 101) this.#upgrade(head, isUpgrade);
    else if (status < 200) this.#passInterim(head);
    else this.#beginBody(head, keepsAlive);
  }

  #upgrade(head: AnswerHead, isUpgrade: boolean): void {
    if (!this.#expected.upgrades || !isUpgrade)
      throw new ClientError('ERR_APP_SWITCHED', 'the app switched to a protocol that was not requested');
    this.stop();
    this.#events.onUpgrade(head);
  }

  #passInterim(head: AnswerHead): void {
    this.#expectHead();
    // The gateway answers `Expect` itself, and some servers send a 100 without being asked (RFC 9110, 15.2).
    if (head.status !== 100) this.#events.onHead(head);
  }

  #beginBody(head: AnswerHead, keepsAlive: boolean): void {
    const { length, isCoded, idleMs } = readFraming(head.headers);
    const isBodiless = this.#expected.method === 'HEAD' || BODILESS.has(head.status);
    // A server that announces a body where none belongs may send one, which would be read as the next answer.
    const isDoubtful = isBodiless && (isCoded || (length ?? 0) > 0);
    this.#idleMs = keepsAlive && !isDoubtful ? idleMs : 0;
    this.#left = isBodiless ? 0 : (length ?? 0);
    if (isBodiless || length !== undefined) this.#stage = 'counted';
    else this.#stage = isCoded ? 'coded' : 'until close';
    this.#forget();
    this.#events.onHead(head);
    this.#endIfCounted();
  }

  #endIfCounted(): void {
    if (this.#stage === 'counted' && this.#left === 0) this.#complete([], this.#idleMs);
  }

  #complete(trailers: RawHeaders, idleMs: number): void {
    this.stop();
    this.#events.onEnd(trailers, idleMs);
  }

  #expectHead(): void {
    this.#llhttp.reset();
    this.#stage = 'head';
    this.#forget();
  }

  #forget(): void {
    this.#reason = '';
    this.#fields = [];
    this.#fieldBytes = 0;
    this.#isInName = false;
    this.#found = undefined;
    this.#isComplete = false;
  }
}

/** White space behind a value is no part of it (RFC 9112, 5). llhttp drops only that before it. */
function trimValues(fields: string[]): void {
  for (let index = 1; index < fields.length; index += 2) {
    const value = fields[index] ?? '';
    let end = value.length;
    while (value[end - 1] === ' ' || value[end - 1] === '\t') end -= 1;
    if (end < value.length) fields[index] = value.slice(0, end);
  }
}

/** llhttp has checked that there is at most one length, of digits alone, and no coding beside it. */
function readFraming(headers: RawHeaders): Framing {
  const framing: Framing = { length: undefined, isCoded: false, idleMs: Number.POSITIVE_INFINITY };
  forEachField(headers, (name, value) => {
    // Lengths are compared first because that costs less, and almost all fields are others.
    if (name.length === 14 && name.toLowerCase() === 'content-length') framing.length = Number(value);
    else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      // Newer versions of llhttp refuse it, and this one takes it for a body until the connection ends.
      if (value === '')
        throw new ParseError('HPE_INVALID_TRANSFER_ENCODING', 'Empty Transfer-Encoding', Buffer.alloc(0));
      framing.isCoded = true;
    } else if (name.length === 10 && name.toLowerCase() === 'keep-alive') framing.idleMs = readIdleMs(value);
  });
  return framing;
}

/** So much earlier than the app we close an idle connection, so that no request meets its end. */
const MARGIN_MS = 1_000;

function readIdleMs(keepAlive: string): number {
  const [, seconds] = /timeout=(\d+)/i.exec(keepAlive) ?? [];
  return seconds === undefined ? Number.POSITIVE_INFINITY : Math.max(0, Number(seconds) * 1_000 - MARGIN_MS);
}
