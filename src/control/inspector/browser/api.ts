// The control API as this page uses it (openapi.yaml). Answers are not checked: page and API are of one build, and share
// their types.

import type { ReplayMessage } from '../../../shared/replay-json.ts';
import type { RequestMessage } from '../../../shared/request-json.ts';
import { type ServerEvent, splitEvents } from './server-events.ts';

/** A request as the list shows it. Bodies are fetched one at a time. */
export type RequestHead = Omit<RequestMessage, 'body' | 'body_encoding'>;

/** `GET /api/inspector` */
export interface InspectorDocument {
  /** Names of the `verify` rules that a replay can be signed for again. */
  readonly signing_rules: readonly string[];
  /** The link as rows of a QR code, `1` is dark; null if there is no link that a browser opens. */
  readonly qr: readonly string[] | null;
  /** The link of the public inspector, with its key; null if there is none. */
  readonly public_inspector_url: string | null;
}

/** The key was refused. */
export class KeyError extends Error {}

/** Without a byte for so long (the API sends a comment every 15 s), an event stream is taken for dead. */
const SILENCE_MS = 40_000;
const ANSWER_TIMEOUT_MS = 30_000;

interface Options {
  headers?: Record<string, string>;
  body?: string;
  signal: AbortSignal;
}

export class Api {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  async readRequest(id: number): Promise<RequestMessage> {
    const { request } = await this.#json<{ request: RequestMessage }>(
      'GET',
      `api/requests/${id}?redact=auto`,
    );
    return request;
  }

  /** Removes all requests from the preview's log. */
  async clearRequests(): Promise<void> {
    await this.#json('DELETE', 'api/requests');
  }

  /** Sends a captured request to the app again. */
  async replay(id: number, order: { re_sign: boolean }): Promise<ReplayMessage> {
    return this.#json('POST', `api/requests/${id}/replay?redact=auto`, order);
  }

  /** What is not sent as events. */
  async readDocument(): Promise<InspectorDocument> {
    return this.#json('GET', 'api/inspector');
  }

  /**
   * Events until the stream ends or the signal aborts; throws if it breaks off or falls silent. With the id of the last
   * event that was read, none after it is missed.
   */
  async *follow(
    types: readonly string[],
    lastEventId: string,
    signal: AbortSignal,
  ): AsyncGenerator<ServerEvent> {
    const silence = new AbortController();
    const watch = () => setTimeout(() => silence.abort(), SILENCE_MS);
    let timer = watch();
    const heard = () => {
      clearTimeout(timer);
      timer = watch();
    };
    try {
      const response = await this.#send('GET', `api/events?redact=auto&types=${types.join(',')}`, {
        headers: lastEventId === '' ? {} : { 'Last-Event-ID': lastEventId },
        signal: AbortSignal.any([signal, silence.signal]),
      });
      if (response.body !== null) yield* splitEvents(response.body, heard);
    } finally {
      clearTimeout(timer);
    }
  }

  async #json<Answer>(method: string, path: string, body?: object): Promise<Answer> {
    const response = await this.#send(method, path, {
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return response.json();
  }

  /** Rejects with the API's own words if it refuses. */
  async #send(method: string, path: string, options: Options): Promise<Response> {
    const response = await fetch(path, {
      ...options,
      method,
      headers: { ...options.headers, Authorization: `Bearer ${this.#key}` },
      credentials: 'omit',
      cache: 'no-store',
    });
    if (response.ok) return response;
    const error = await readError(response);
    throw response.status === 401 ? new KeyError(error) : new Error(error);
  }
}

async function readError(response: Response): Promise<string> {
  const text = await response.text();
  try {
    return String(JSON.parse(text).error);
  } catch {
    return `the preview answered ${response.status}`;
  }
}
