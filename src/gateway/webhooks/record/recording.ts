// What the passes tell the recorder about one request. Implemented by visit-recording.ts.

import type { CapturedDelivery } from '../../../shared/captured-request.ts';

/**
 * One request that is being recorded. It becomes visible, and gets its id, with the first call of `complete` or
 * `refuse`; later ones have no effect. Without either, it counts as refused when it was answered, or its sender left.
 */
export interface Recording {
  /** The next bytes of its body. Whoever reads the body calls this. */
  take(chunk: Buffer): void;
  /** What is known about it once its body has come; to be told before `complete`. */
  identify(identity: Identity): void;
  /** The whole request has come, and is let in. */
  complete(): void;
  /**
   * It will not reach the app. `reason` is a sentence for people that says what to do, without text from the request. Only
   * the beginning of its body is kept.
   */
  refuse(reason: string): void;
  /** Something went wrong after it was let in: a sentence for people. The first one counts. */
  note(problem: string): void;
  /** The app has accepted a WebSocket, which is the answer. */
  upgrade(): void;
  /** What became of it while the app was away; after `complete`. */
  deliver(delivery: CapturedDelivery): void;
}

/** What a signature or a handshake says about a request. */
export interface Identity {
  /** The provider of the rule whose secret has signed it. */
  verified?: string;
  /** Which handshake it is. */
  handshake?: string | undefined;
  /** The same text for each attempt to deliver the same thing, and for nothing else. */
  deliveryId?: string | undefined;
}
