// Sending a captured request again: what is asked for, and what came back. gateway/webhooks/replay.ts does it, control/
// passes it on.

export interface ReplayOrder {
  /**
   * Where it is sent; undefined: to the app. If the URL has neither a path nor a query, those of the request are added.
   */
  readonly to: URL | undefined;
  /** Whether it gets a new signature, made with the secret of its rule. */
  readonly reSign: boolean;
}

export interface ReplayAnswer {
  /** Under which the replay itself is recorded; undefined if nothing is. */
  readonly id: number | undefined;
  readonly status: number;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  /** Its first MB, as it came. */
  readonly body: Buffer;
  readonly bodyBytes: number;
  /** From the beginning of the request to the end of the answer. */
  readonly durationMs: number;
  /** What people should know about this answer, in a sentence. */
  readonly hint: string | undefined;
}

/**
 * Why there is no answer. `impossible`: this request cannot be sent again like this; `app away`: it can be later; `no
 * answer`: it was sent, or nothing accepted the connection.
 */
export class ReplayError extends Error {
  readonly kind: 'impossible' | 'app away' | 'no answer';

  constructor(kind: ReplayError['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ReplayError';
    this.kind = kind;
  }
}
