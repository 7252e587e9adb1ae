// A request that a visitor sent to a captured path, and the log of them. gateway/webhooks/record/ writes it; control/
// reads it.

/**
 * A request on a captured path. `id`, `refusal` and everything of the head never change; `answer` and `delivery` come
 * later.
 */
export interface CapturedRequest {
  /** 1, 2, 3 … in the order in which requests were complete, with their bodies, or were refused. */
  readonly id: number;
  /** When its head came. */
  readonly receivedAt: Date;
  readonly method: string;
  /** The request target as it came, without the preview's key. */
  readonly target: string;
  readonly httpVersion: string;
  /** The IP address of its sender; undefined without `trusted-proxy`, and if the proxy did not report one. */
  readonly visitorAddress?: string | undefined;
  /** Names and values in turn, in the order and the case in which they came, without the preview's own credentials. */
  readonly rawHeaders: readonly string[];
  /** The body as it came; only its beginning if `bodyBytes` is larger. */
  readonly body: Buffer;
  /** Length of the whole body; of one that did not come whole, as much as has come. */
  readonly bodyBytes: number;
  /** Set if its body ended too early, so that nobody knows the rest. */
  readonly isBroken?: true | undefined;
  /** Set if the request never reached the app, and why, in a sentence for people. It does not count for a wait. */
  readonly refusal: string | undefined;
  /** The provider of the `verify` rule whose secret has signed it, such as `github`. */
  readonly verified: string | undefined;
  /** Which handshake it is, such as `graph`: a sender's question whether the address exists, not a delivery. */
  readonly handshake: string | undefined;
  /** The first request that carried the same delivery, if the sender has sent it before. Only of verified requests. */
  readonly duplicateOf: number | undefined;
  /** What went wrong after it was let in, in a sentence for people: for instance, that the app gave no answer. */
  readonly problem: string | undefined;
  /** The answer that its sender got; undefined while there is none, or if the sender left before it. */
  readonly answer: CapturedAnswer | undefined;
  /** True once its answer was sent, or its sender is gone. */
  readonly isFinished: boolean;
  /** Set if the app was away when it came; `answer` is then the 202 that its sender got. */
  readonly delivery?: CapturedDelivery | undefined;
  /** Set if this is a replay: the id of the request that was sent again. */
  readonly replayOf?: number | undefined;
}

/** A request that was kept while the app was away. Each change is a new object. */
export interface CapturedDelivery {
  readonly queuedAt: Date;
  /** How often the app was tried; only the last time can have reached it. */
  readonly attempts: number;
  readonly outcome: DeliveryOutcome;
}

export type DeliveryOutcome =
  | { kind: 'waiting' }
  /** `status` is the app's, whatever it is; `durationMs` from the beginning of the delivery to the end of the answer. */
  | { kind: 'delivered'; at: Date; status: number; durationMs: number }
  /** It is not tried again. `reason` is a sentence for people; the app may have had it. */
  | { kind: 'dropped'; at: Date; reason: string };

export interface CapturedAnswer {
  readonly status: number;
  /** From the head of the request to the end of the answer, in milliseconds. */
  readonly durationMs: number;
}

/** Which requests are recorded. `unsafe methods`: those that may change something (RFC 9110, 9.2.1), on any path. */
export type Capture = { kind: 'paths'; patterns: string[] } | { kind: 'unsafe methods' } | { kind: 'none' };

/** What was captured so far: the newest ones, within limits of count and bytes. */
export interface RequestLog {
  /** The largest id so far; 0 at first. Ids are not used twice, also after `clear`. */
  readonly lastId: number;
  readonly capture: Capture;
  /** Headers that hold signatures, though only a `verify` rule says so: for createRedactor (redaction.ts). */
  readonly signatureHeaders: readonly string[];
  /** Those with larger ids than `since` (default 0), oldest first, refused ones included. */
  list(since?: number): readonly CapturedRequest[];
  find(id: number): CapturedRequest | undefined;
  clear(): void;
  /** Whether requests with this method and path (target without its query) are recorded. */
  isCaptured(method: string, path: string): boolean;
  /** Calls back with each new request in the order of ids, and again when one changes. Returns the unsubscriber. */
  subscribe(listener: (request: CapturedRequest) => void): () => void;
  /** Calls back after each `clear`. Returns the unsubscriber. */
  subscribeToClear(listener: () => void): () => void;
}
