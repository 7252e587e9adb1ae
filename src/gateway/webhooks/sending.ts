// Sends a whole request to the app, as if its sender had sent it just now, or to another server. Used by queue/ and
// replay.ts.

import { hasCode, toError } from '../../shared/errors.ts';
import { hasRequestLine } from '../hidden-request.ts';
import type { OwnAddress } from '../own-address.ts';
import { forEachField, type RawHeaders, rewriteFields } from '../raw-headers.ts';
import type { AppAddress } from '../upstream/app-link.ts';
import { isClientError } from '../upstream/client/errors.ts';
import type {
  AnswerHandler,
  AnswerHead,
  Exchange,
  GiveBack,
  RequestMessage,
} from '../upstream/client/message.ts';
import type { Client } from '../upstream/client/pool.ts';
import type { Compression } from '../upstream/compression.ts';
import { renderRequestHeaders } from '../upstream/headers.ts';
import { chooseNames, type RequestNames } from '../upstream/names.ts';
import type { WholeRequest } from './whole-request.ts';

export type SendResult =
  /** `body` is at most `keepBytes` long. */
  | {
      kind: 'answered';
      status: number;
      headers: RawHeaders;
      body: Buffer;
      bodyBytes: number;
      durationMs: number;
    }
  /** Nothing of the request was sent. */
  | { kind: 'unreached'; error: Error }
  /** The receiver may have read the request, and may have worked on it. */
  | { kind: 'no answer'; error: Error };

export interface SendRules {
  /** How long the whole answer may take, in milliseconds. If its head came in time, it counts, and the rest is cut off. */
  timeoutMs: number;
  /** How much of the answer's body is kept. */
  keepBytes: number;
  signal?: AbortSignal | undefined;
}

/** The message for the app: as for a live request (proxy.ts), except that a chunked body has a length now. */
export function renderForApp(
  request: WholeRequest,
  app: AppAddress,
  address: OwnAddress | undefined,
  compression: Compression | undefined,
): RequestMessage {
  const names = chooseNames({ request: { headers: readNames(request.rawHeaders) }, address }, app);
  const message = renderMessage(request, names);
  compression?.tags.restore(message.headers);
  return message;
}

/** The message for a server that is not the app. */
export function renderForHost(request: WholeRequest, host: string): RequestMessage {
  return renderMessage(request, { host, forwardedFields: [], toApp: (_, value) => value });
}

function renderMessage(
  { method, target, rawHeaders, body, visitorAddress }: WholeRequest,
  names: RequestNames,
): RequestMessage & { headers: string[] } {
  const headers = renderRequestHeaders(rawHeaders, names, visitorAddress);
  // The client writes the right length; the field that came may be repeated, or that of a refused request and wrong.
  rewriteFields(headers, 'content-length', () => '');
  return { method, target, headers, body: body.length > 0 ? body : undefined };
}

/** The fields by which names.ts chooses; the first one counts if a field is repeated. */
function readNames(raw: RawHeaders): { host?: string; origin?: string } {
  const found: { host?: string; origin?: string } = {};
  forEachField(raw, (name, value) => {
    const key = name.toLowerCase();
    if (key === 'host' || key === 'origin') found[key] ??= value;
  });
  return found;
}

/** Whether this app could run a part of the body as a request of its own (see hidden-request.ts). */
export function hidesRequest({ body }: WholeRequest, app: AppAddress): boolean {
  return app.leavesBodies === true && hasRequestLine(body);
}

/** Whether this error says that there was no connection: nothing of the request has been sent. */
export function isUnreached(error: unknown): boolean {
  return (
    isClientError(error, 'ERR_APP_CONNECT_TIMEOUT') ||
    hasCode(error, 'ECONNREFUSED', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENETUNREACH')
  );
}

/** Never rejects. */
export function sendMessage(
  connections: Client,
  message: RequestMessage,
  { timeoutMs, keepBytes, signal }: SendRules,
): Promise<SendResult> {
  return new Promise(resolve => {
    const reader = new AnswerReader(keepBytes, result => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      resolve(result);
    });
    const isLate = new DOMException('no answer in time', 'TimeoutError');
    const timer = setTimeout(() => reader.cut(isLate), timeoutMs);
    const abort = () => reader.cut(toError(signal?.reason));
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    else connections.dispatch(message, reader);
  });
}

/** Reads one answer, and calls back once. */
class AnswerReader implements AnswerHandler {
  readonly #keepBytes: number;
  readonly #onEnd: (result: SendResult) => void;
  readonly #begun = performance.now();
  readonly #chunks: Buffer[] = [];
  #head: { status: number; headers: RawHeaders } | undefined;
  #kept = 0;
  #bodyBytes = 0;
  #isOver = false;
  #exchange: Exchange | undefined;

  constructor(keepBytes: number, onEnd: (result: SendResult) => void) {
    this.#keepBytes = keepBytes;
    this.#onEnd = onEnd;
  }

  /** Ends the request; what has come of the answer counts. */
  cut(reason: Error): void {
    const exchange = this.#exchange;
    this.#finish(exchange === undefined ? { kind: 'unreached', error: reason } : this.#conclude(reason));
    exchange?.abort(reason);
  }

  /** Called when the connection is there, before the first byte is sent. */
  onConnected(exchange: Exchange): void {
    this.#exchange = exchange;
    if (this.#isOver) exchange.abort(new Error('the request is over'));
  }

  onHead({ status, headers }: AnswerHead): void {
    if (status >= 200) this.#head = { status, headers };
  }

  onData(chunk: Buffer, giveBack: GiveBack | undefined): void {
    this.#bodyBytes += chunk.length;
    const wanted = chunk.subarray(0, this.#keepBytes - this.#kept);
    this.#kept += wanted.length;
    if (wanted.length > 0) this.#chunks.push(Buffer.from(wanted));
    giveBack?.();
  }

  onEnd(): void {
    this.#finish(this.#conclude(new Error('the answer has no head')));
  }

  onError(error: Error): void {
    // Another try would be in vain if the request cannot be written at all.
    const isUnsent = this.#exchange === undefined && !isClientError(error, 'ERR_REQUEST_INVALID');
    this.#finish(isUnsent ? { kind: 'unreached', error } : this.#conclude(error));
  }

  /** What has come: an answer, if its head is there; otherwise the error. */
  #conclude(error: Error): SendResult {
    if (this.#head === undefined) return { kind: 'no answer', error };
    return {
      kind: 'answered',
      ...this.#head,
      body: Buffer.concat(this.#chunks),
      bodyBytes: this.#bodyBytes,
      durationMs: Math.round(performance.now() - this.#begun),
    };
  }

  #finish(result: SendResult): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onEnd(result);
  }
}
