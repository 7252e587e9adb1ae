// What the passes tell the recorder about one request. Made by recorder.ts.

import type { CapturedDelivery } from '../../shared/captured-request.ts';

/** One request that is being recorded. Exactly one of `complete` and `refuse` has an effect: the first one. */
export interface Recording {
  /** The next bytes of its body. */
  take(chunk: Buffer): void;
  /** The whole request has come, and is let in. */
  complete(): void;
  /** It will not reach the app. `reason` is a sentence for people, without text from the request. */
  refuse(reason: string): void;
  /** What became of it while the app was away; after `complete`. */
  deliver(delivery: CapturedDelivery): void;
}
