// What the client takes and gives: a request, and the events of its answer. Used by whoever sends a request to the app,
// and by the files of client/.

import type { Duplex } from 'node:stream';
import type { RawHeaders } from '../../raw-headers.ts';

export interface RequestMessage {
  method: string;
  /** Begins with `/`. */
  target: string;
  /** With `host`, and without the fields about the connection, which the client writes. */
  headers: RawHeaders;
  body: Buffer | BodySource | undefined;
  /** The protocol to switch to, such as `websocket`. Only then may the answer be a 101. */
  upgrade?: string;
}

/** A body that is sent piece by piece. */
export interface BodySource {
  /** Called at most once: there is a connection for the body now. */
  start(sink: BodySink): void;
  /** The sink takes more, after a `write` that returned false. */
  resume(): void;
  /** The sink takes no more; only after `start`. */
  stop(): void;
}

export interface BodySink {
  /** `chunk` must not change any more. False: wait for `resume`. */
  write(chunk: Buffer): boolean;
  end(): void;
  /** Ends the request, and its answer, with this error. */
  fail(error: Error): void;
}

export interface AnswerHead {
  status: number;
  /** The phrase behind the status; often empty. */
  reason: string;
  headers: RawHeaders;
}

/** Gets the answer to one request. The last call is one of `onEnd`, `onError` and `onUpgrade`. */
export interface AnswerHandler {
  /** There is a connection; nothing of the request has been sent yet. */
  onConnected(exchange: Exchange): void;
  /** The first bytes of an answer have come, whatever they are. */
  onBegun?(): void;
  /** Once for each interim answer (1xx, except 100 and 101), and once for the final one. */
  onHead(head: AnswerHead): void;
  /**
   * A piece of the body. Without `giveBack` it must be copied before the call returns, if it is kept. With it, it stays
   * as it is until `giveBack` is called, which must be once; with an error, the buffer is never used again.
   */
  onData(chunk: Buffer, giveBack: GiveBack | undefined): void;
  onEnd(trailers: RawHeaders): void;
  onError(error: Error): void;
  /** The answer was a 101. From now on, the caller owns the connection, which is paused. */
  onUpgrade?(head: AnswerHead, socket: Duplex): void;
}

export type GiveBack = (error?: Error | null) => void;

/** One request and its answer, while they are under way. After the last event, its methods do nothing. */
export interface Exchange {
  /** Asks for no more data; what has been read already still comes. */
  pause(): void;
  resume(): void;
  /** Destroys the connection; `onError` gets `reason`. */
  abort(reason: Error): void;
}
