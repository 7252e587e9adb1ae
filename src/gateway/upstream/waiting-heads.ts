// Heads of answers that wait for the first chunk of their body, so that both are sent in one write. Two small writes
// take 44 ms through bore (Nagle at the server meets a delayed ACK at the visitor). Used by answer-relay.ts
// and encoded-answer.ts.

import { ServerResponse } from 'node:http';
import type { HttpResponse } from '../../shared/http-message.ts';

/** A first chunk up to this size is written as text, because Node then sends head and chunk in one write. */
const TEXT_BYTES = 4_096;

/** Writes the first chunk of a body, which is copied. */
export function writeFirst(response: HttpResponse, chunk: Buffer): boolean {
  if (chunk.length > TEXT_BYTES) return response.write(Buffer.from(chunk));
  const text = chunk.toString('latin1');
  return response instanceof ServerResponse && !response.chunkedEncoding
    ? writeAtOnce(response, text)
    : response.write(text, 'latin1');
}

/**
 * Node would leave the write to the next tick and add an empty one for the end of the answer. This way the bytes leave in a
 * write of one text, which costs less, and the end of an answer with a known length needs none.
 */
function writeAtOnce(response: ServerResponse, text: string): boolean {
  const { socket } = response;
  socket?.cork();
  const takesMore = response.write(text, 'latin1');
  socket?.uncork();
  return takesMore;
}

/** Ends an answer with the last chunk of its body, which may be the first one. */
export function endWith(response: HttpResponse, chunk: Buffer): void {
  if (chunk.length <= TEXT_BYTES) response.end(chunk.toString('latin1'), 'latin1');
  else response.end(chunk);
}

/** How long a head waits for its body. */
const HEAD_WAIT_MS = 5;

type WaitingHead = Pick<HttpResponse, 'flushHeaders'>;

/** All heads share one timer: a timer for each answer would cost more time than parsing the answer. */
class WaitingHeads {
  /** Each waiting answer → since when (performance.now()); the oldest first. */
  readonly #since = new Map<WaitingHead, number>();
  #timer: NodeJS.Timeout | undefined;

  /** Sends the head after HEAD_WAIT_MS, unless `delete` is called before. */
  add(response: WaitingHead): void {
    this.#since.set(response, performance.now());
    this.#timer ??= setTimeout(() => this.#flush(), HEAD_WAIT_MS);
  }

  /** To be called when the body has begun, or never will. */
  delete(response: WaitingHead): void {
    this.#since.delete(response);
  }

  #flush(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [response, since] of this.#since) {
      const leftMs = HEAD_WAIT_MS - (now - since);
      if (leftMs > 0) {
        this.#timer = setTimeout(() => this.#flush(), leftMs);
        return;
      }
      this.#since.delete(response);
      response.flushHeaders();
    }
  }
}

export const waitingHeads = new WaitingHeads();
