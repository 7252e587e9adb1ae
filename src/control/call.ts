// One call of the control API: what a route gets, how it answers, and how it refuses. Used by every file with routes.

import type { CapturedRequest, RequestLog } from '../shared/captured-request.ts';
import type { ConsoleLines } from '../shared/console-lines.ts';
import { InputError } from '../shared/errors.ts';
import type { HttpRequest, HttpResponse } from '../shared/http-message.ts';
import type { ReplayAnswer, ReplayOrder } from '../shared/replay.ts';
import { renderJson } from '../shared/sanitise.ts';
import type { SignatureAnswer, SignatureQuestion } from '../shared/signature-check.ts';
import type { EndReason, ExposureState } from '../shared/state.ts';
import type { RequestFeed } from './requests/feed.ts';

/** What an exposure tells the inspector apart from its state. */
export interface Inspection {
  /** The `redact` input: whether pages show requests without credentials and signatures. */
  readonly redacts: boolean;
  /** The providers of the `verify` rules: a replay of a request that one of them has signed can be signed again. */
  readonly signingRules: readonly string[];
  /** The public inspector's link, with its key; undefined if there is none. */
  readonly publicLink: string | undefined;
}

/** What the API may do with an exposure. */
export interface Controls {
  readonly state: ExposureState;
  readonly requests: RequestLog;
  /** What the app prints. */
  readonly consoleLines: Pick<ConsoleLines, 'lastNumber' | 'next' | 'subscribe'>;
  /** Sends a captured request again. Rejects with a ReplayError. */
  replay(captured: CapturedRequest, order: ReplayOrder): Promise<ReplayAnswer>;
  /** Whether a request is signed rightly. Throws an InputError if no rule is for it. */
  checkSignature(question: SignatureQuestion): SignatureAnswer;
  /** Calls back with every later state; returns the function that unsubscribes. */
  subscribe(listener: (state: ExposureState) => void): () => void;
  /** Aborted when the end begins, which may take half a minute; the reason is an Error that says why it ends. */
  readonly ending: AbortSignal;
  /** Resolves when Connected; otherwise rejects with a TunnelError. */
  startTunnel(): Promise<void>;
  stopTunnel(): Promise<void>;
  /** Ends the exposure; resolves when all its parts have ended. */
  stop(reason: EndReason): Promise<void>;
  readonly inspection: Inspection;
  describeApp(): { pid: number | undefined; console: readonly string[] };
}

export interface Call {
  readonly controls: Controls;
  /** Of `controls.requests`. */
  readonly feed: RequestFeed;
  /** Who calls: a client on the runner with the control token, or one of the public inspector with its key. */
  readonly audience: 'control' | 'public';
  /** The event streams that are open. */
  readonly streams: Set<HttpResponse>;
  /** What stands in the place of each `{name}` of the route's path, percent-decoded. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly request: HttpRequest;
  readonly response: HttpResponse;
}

/**
 * Answers one call. May throw instead: an InputError is answered with 400, a CallError with its status, a TunnelError
 * with 502, everything else with 500.
 */
export type Route = (call: Call) => Promise<void> | void;

/** A call that cannot be answered as asked; `status` is the HTTP status. */
export class CallError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'CallError';
    this.status = status;
  }
}

/** The header fields of every answer in JSON. */
export const JSON_FIELDS = {
  'Content-Type': 'application/json',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
} as const;

/** Answers with JSON, which is not cached. */
export function send(
  response: HttpResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { ...JSON_FIELDS, ...headers });
  response.end(`${renderJson(body)}\n`);
}

/** Answers `{"success":false,"error"}`. */
export function refuse(
  response: HttpResponse,
  status: number,
  error: string,
  headers?: Record<string, string>,
): void {
  send(response, status, { success: false, error }, headers);
}

/**
 * Throws an InputError if the query has a parameter that the route does not have, or has one twice that is not in
 * `repeatable`.
 */
export function checkParameters(
  query: URLSearchParams,
  known: readonly string[],
  repeatable: readonly string[] = [],
): void {
  const all = [...known, ...repeatable];
  for (const name of query.keys()) {
    if (!all.includes(name))
      throw new InputError(
        `there is no parameter \`${name}\` here: ${all.length === 0 ? 'this route has none' : `use ${all.join(', ')}`}`,
      );
    if (!repeatable.includes(name) && query.getAll(name).length > 1)
      throw new InputError(`\`${name}\` is given more than once`);
  }
}

/** A parameter that is `true` or `false`. */
export function readBoolean(query: URLSearchParams, name: string, absent: boolean): boolean {
  const text = query.get(name);
  if (text === null) return absent;
  if (text !== 'true' && text !== 'false')
    throw new InputError(`\`${name}\` is '${text}': write true or false`);
  return text === 'true';
}

/** The body of the call; throws a CallError if it is longer. */
export async function readText(request: HttpRequest, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > maxBytes) throw new CallError(413, `the body is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Throws an InputError. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InputError('the body is not JSON');
  }
}
