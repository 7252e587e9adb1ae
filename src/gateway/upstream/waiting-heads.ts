// Heads of answers that wait for the first chunk of their body, so that both are sent in one write. Two small writes
// take 44 ms through bore (Nagle at the server meets a delayed ACK at the visitor). Used by answer-relay.ts.

import type { HttpResponse } from '../../shared/http-message.ts';

/** How long a head waits for its body. */
const HEAD_WAIT_MS = 5;

/** All heads share one timer: a timer for each answer would cost more time than parsing the answer. */
class WaitingHeads {
  /** Each waiting answer → since when (performance.now()); the oldest first. */
  readonly #since = new Map<HttpResponse, number>();
  #timer: NodeJS.Timeout | undefined;

  /** Sends the head after HEAD_WAIT_MS, unless `delete` is called before. */
  add(response: HttpResponse): void {
    this.#since.set(response, performance.now());
    this.#timer ??= setTimeout(() => this.#flush(), HEAD_WAIT_MS);
  }

  /** To be called when the body has begun, or never will. */
  delete(response: HttpResponse): void {
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
