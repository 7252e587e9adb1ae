// The error classes of all folders. Lower layers throw them with a cause; the programs decide what is fatal.

/** The workflow (or the command line) must change. Carries every problem found, so that all are reported at once. */
export class InputError extends Error {
  readonly problems: readonly string[];

  constructor(problems: string | readonly string[], options?: ErrorOptions) {
    const list = typeof problems === 'string' ? [problems] : problems;
    super(list.join('\n'), options);
    this.name = 'InputError';
    this.problems = list;
  }
}

/** The tunnel could not be opened or kept. `retryable` says whether trying again may help. */
export class TunnelError extends Error {
  readonly retryable: boolean;

  constructor(message: string, options: ErrorOptions & { retryable: boolean }) {
    super(message, options);
    this.name = 'TunnelError';
    this.retryable = options.retryable;
  }
}

/** The app did not start, or ended. */
export class AppError extends Error {
  /** Exit code of the program; undefined if it did not exit, or not by itself. */
  readonly exitCode: number | undefined;
  /** The last lines it printed, oldest first; at most 20. */
  readonly lastLines: readonly string[];
  /** False if another start would fail in the same way. */
  readonly restartable: boolean;

  constructor(
    message: string,
    options: ErrorOptions & { exitCode?: number; lastLines?: readonly string[]; restartable?: boolean } = {},
  ) {
    super(message, options);
    this.name = 'AppError';
    this.exitCode = options.exitCode;
    this.lastLines = options.lastLines ?? [];
    this.restartable = options.restartable ?? true;
  }
}

/** What was thrown, as an Error: JavaScript can throw anything. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(describeError(thrown));
}

/** The message of anything thrown, followed by the messages of its causes: `a: b: c`. One line per problem. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // node:net tries all addresses of a name, and then throws an AggregateError without a message.
  const attempts = error instanceof AggregateError ? error.errors.map(describeError).join(', ') : '';
  const message = error.message || attempts;
  // A time-out as the cause adds nothing to a message that already says what was waited for.
  const cause =
    error.cause === undefined || (message !== '' && isTimeout(error.cause)) ? '' : describeError(error.cause);
  return cause === '' || message.includes(cause) ? message : `${message}: ${cause}`;
}

/** True for the reason of `AbortSignal.timeout`: a time limit was reached, and nobody cancelled the work. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}

/** True for an error of node:fs, node:net or node:dns with that `code`. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
