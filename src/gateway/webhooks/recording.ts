// What the passes tell the recorder about one request. Made by recorder.ts.

import type { CapturedDelivery } from '../../shared/captured-request.ts';

/** One request that is being recorded. Exactly one of `complete` and `refuse` has an effect: the first one. */
export interface Recording {
  /** The next bytes of its body. */
  take(chunk: Buffer): void;
  /** What is known about it once its body has come; to be told before `complete`. */
  identify(identity: Identity): void;
  /** The whole request has come, and is let in. */
  complete(): void;
  /** It will not reach the app. `reason` is a sentence for people, without text from the request. */
  refuse(reason: string): void;
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
  delivery?: string | undefined;
}
