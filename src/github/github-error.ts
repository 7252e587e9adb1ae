// What goes wrong with a request to GitHub. Thrown by api.ts and rate-limit.ts.

/** GitHub refused, could not be reached, or answered with something unexpected. */
export class GitHubError extends Error {
  /** HTTP status; undefined if there was no answer. */
  readonly status: number | undefined;
  /** Whether a later request may succeed. */
  readonly retryable: boolean;
  /** How long GitHub wants no further request; undefined if it did not say. */
  readonly retryAfterMs: number | undefined;
  /** True if GitHub says that the token lacks a permission. There are other reasons for 403. */
  readonly lacksPermission: boolean;

  constructor(message: string, options: ErrorOptions & GitHubErrorOptions) {
    super(message, options);
    this.name = 'GitHubError';
    this.status = options.status;
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs;
    this.lacksPermission = options.lacksPermission ?? false;
  }
}

interface GitHubErrorOptions {
  status?: number;
  retryable: boolean;
  retryAfterMs?: number | undefined;
  lacksPermission?: boolean;
}
