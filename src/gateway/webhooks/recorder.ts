// Records the requests on captured paths: the newest in memory, each with its answer. Never delays or changes a request.
// The exposure owns it; passes.ts starts a recording for each request.

import type { CapturedRequest, RequestLog } from '../../shared/captured-request.ts';
import { readPath, readTarget, type Visit } from '../visit.ts';
import { type Capture, compileCapture } from './capture.ts';
import { Deliveries } from './deliveries.ts';
import type { Identity, Recording } from './recording.ts';

export class RequestRecorder implements RequestLog {
  readonly capture: Capture;
  readonly isCaptured: (method: string, path: string) => boolean;
  readonly #listeners = new Set<(request: CapturedRequest) => void>();
  readonly #deliveries = new Deliveries();
  readonly #clearListeners = new Set<() => void>();
  #requests: CapturedRequest[] = [];
  #lastId = 0;

  constructor(capture: Capture) {
    this.capture = capture;
    this.isCaptured = compileCapture(capture);
  }

  get lastId(): number {
    return this.#lastId;
  }

  list(): readonly CapturedRequest[] {
    return this.#requests;
  }

  find(id: number): CapturedRequest | undefined {
    return this.#requests.find(request => request.id === id);
  }

  clear(): void {
    this.#requests = [];
    for (const listener of this.#clearListeners) listener();
  }

  subscribe(listener: (request: CapturedRequest) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  subscribeToClear(listener: () => void): () => void {
    this.#clearListeners.add(listener);
    return () => this.#clearListeners.delete(listener);
  }

  /** Undefined if the request is not on a captured path. */
  start(visit: Visit): Recording | undefined {
    const { request, response } = visit;
    if (!this.isCaptured(request.method ?? '', readPath(request))) return undefined;
    const [receivedAt, begun] = [new Date(), performance.now()];
    const chunks: Buffer[] = [];
    let identity: Identity = {};
    let settled: { -readonly [Key in keyof CapturedRequest]: CapturedRequest[Key] } | undefined;
    const settle = (refusal: string | undefined) => {
      if (settled !== undefined) return;
      const body = Buffer.concat(chunks);
      this.#lastId += 1;
      settled = {
        id: this.#lastId,
        receivedAt,
        method: request.method ?? '',
        // Only now: the passes have removed the key.
        target: readTarget(request),
        httpVersion: request.httpVersion,
        rawHeaders: [...request.rawHeaders],
        body,
        bodyBytes: body.length,
        refusal,
        verified: identity.verified,
        handshake: identity.handshake,
        duplicateOf: this.#deliveries.findFirst(identity.delivery, this.#lastId),
        answer: undefined,
        isFinished: false,
      };
      this.#requests.push(settled);
      this.#announce(settled);
    };
    response.once('close', () => {
      settle('the sender left before its request was complete');
      if (settled === undefined) return;
      settled.isFinished = true;
      if (response.writableFinished)
        settled.answer = { status: response.statusCode, durationMs: Math.round(performance.now() - begun) };
      this.#announce(settled);
    });
    return {
      take: chunk => chunks.push(chunk),
      identify: known => {
        identity = known;
      },
      complete: () => settle(undefined),
      refuse: settle,
      deliver: delivery => {
        if (settled === undefined) return;
        settled.delivery = delivery;
        this.#announce(settled);
      },
    };
  }

  #announce(request: CapturedRequest): void {
    for (const listener of this.#listeners) listener(request);
  }
}
