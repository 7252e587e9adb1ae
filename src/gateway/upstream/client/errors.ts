// What can go wrong between a request and its answer, apart from the errors of node:net and node:tls. Thrown by the
// files of client/; read by whoever explains to people why there was no answer.

/**
 * - `ERR_APP_CLOSED`: the connection ended before the answer did.
 * - `ERR_APP_CONNECT_TIMEOUT`: nothing accepted the connection in time.
 * - `ERR_APP_ANSWER_TIMEOUT`: the head of the answer did not come in time.
 * - `ERR_APP_LEFT`: the pool was closed, because the app stopped or moved.
 * - `ERR_APP_SWITCHED`: the answer was a 101 that was not asked for.
 * - `ERR_REQUEST_INVALID`: the request cannot be written, or not to its end.
 */
export type ClientErrorCode =
  | 'ERR_APP_CLOSED'
  | 'ERR_APP_CONNECT_TIMEOUT'
  | 'ERR_APP_ANSWER_TIMEOUT'
  | 'ERR_APP_LEFT'
  | 'ERR_APP_SWITCHED'
  | 'ERR_REQUEST_INVALID';

export class ClientError extends Error {
  readonly code: ClientErrorCode;

  constructor(code: ClientErrorCode, message: string) {
    super(message);
    this.name = 'ClientError';
    this.code = code;
  }
}

export function isClientError(error: unknown, ...codes: readonly ClientErrorCode[]): boolean {
  return error instanceof ClientError && codes.includes(error.code);
}

/** Bytes that are no answer in HTTP/1.1. Has the shape of the errors of Node's own parser. */
export class ParseError extends Error {
  /** llhttp's name of the error: `HPE_INVALID_STATUS`, … */
  readonly code: string;
  /** What came in the same read, from about where the parser stopped. */
  readonly rawPacket: Buffer;

  constructor(code: string, reason: string, rawPacket: Buffer) {
    super(`Parse Error: ${reason}`);
    this.name = 'ParseError';
    this.code = code;
    this.rawPacket = rawPacket;
  }
}
