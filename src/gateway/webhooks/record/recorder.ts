// Records the requests on captured paths: the newest in memory, each with its answer. Never delays or changes a request.
// The exposure owns it; passes.ts starts a recording for each request.

import type { CapturedAnswer, CapturedRequest, RequestLog } from '../../../shared/captured-request.ts';
import { isOwnPath } from '../../own-pages.ts';
import { readPath, type Visit } from '../../visit.ts';
import type { WholeRequest } from '../whole-request.ts';
import { BodyBudget, BodyStore, MAX_BODY_BYTES } from './arriving-body.ts';
import { type Capture, compileCapture } from './capture.ts';
import { KnownDeliveries } from './known-deliveries.ts';
import type { Recording } from './recording.ts';
import { RequestRing } from './request-ring.ts';
import { type Book, type Mutable, type NewRequest, VisitRecording } from './visit-recording.ts';

/** A test waits for a handful, a load test for thousands. */
const MAX_REQUESTS = 10_000;

/** With the bodies that still arrive. The runner's memory is the app's, and its smallest has 7 GB. */
const MAX_BYTES = 64 * 1024 ** 2;

/** Of that, for bodies that still arrive: a body may have half of it at most. */
const MAX_ARRIVING_BYTES = 2 * MAX_BODY_BYTES;

/** Refused requests are kept apart: whoever sends without a key pushes out no request that was let in. */
const MAX_REFUSED = 500;
const MAX_REFUSED_BYTES = 4 * 1024 ** 2;

/** Shorter texts may occur anywhere. */
const MIN_HIDDEN_LENGTH = 8;

export interface RecorderOptions {
  /** The preview's key or password: never recorded, wherever it is in a target or a header. */
  secrets?: readonly string[];
  /** Headers with signatures that only the `verify` rules name, in any case. */
  signatureHeaders?: readonly string[];
  /** Gets what a listener throws: a request must not fail because of that. */
  onError?: (error: unknown) => void;
}

export class RequestRecorder implements RequestLog {
  readonly capture: Capture;
  readonly isCaptured: (method: string, path: string) => boolean;
  readonly signatureHeaders: readonly string[];
  readonly #secrets: readonly string[];
  readonly #onError: (error: unknown) => void;
  readonly #listeners = new Set<(request: CapturedRequest) => void>();
  readonly #clearListeners = new Set<() => void>();
  readonly #knownDeliveries = new KnownDeliveries();
  readonly #arriving = new BodyBudget(MAX_ARRIVING_BYTES);
  readonly #letIn = new RequestRing(MAX_REQUESTS);
  readonly #refused = new RequestRing(MAX_REFUSED);
  readonly #book: Book = {
    budget: this.#arriving,
    store: new BodyStore(),
    onGrowth: () => this.#limitMemory(),
    hide: text => this.#hide(text),
    hideAll: texts => (this.#secrets.length === 0 ? texts : texts.map(text => this.#hide(text))),
    add: request => this.#add(request),
    announce: request => this.#announce(request),
  };
  #lastId = 0;

  constructor(
    capture: Capture,
    { secrets = [], signatureHeaders = [], onError = () => {} }: RecorderOptions = {},
  ) {
    this.capture = capture;
    const isCaptured = compileCapture(capture);
    this.isCaptured = (method, path) => isCaptured(method, path) && !isOwnPath(path);
    this.#secrets = secrets.filter(secret => secret.length >= MIN_HIDDEN_LENGTH);
    this.signatureHeaders = signatureHeaders;
    this.#onError = onError;
  }

  get lastId(): number {
    return this.#lastId;
  }

  list(since = 0): readonly CapturedRequest[] {
    return mergeById(this.#letIn.listAfter(since), this.#refused.listAfter(since));
  }

  find(id: number): CapturedRequest | undefined {
    return this.#letIn.find(id) ?? this.#refused.find(id);
  }

  clear(): void {
    this.#letIn.clear();
    this.#refused.clear();
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
    if (!this.isCaptured(visit.request.method ?? '', readPath(visit.request))) return undefined;
    return new VisitRecording(visit, this.#book);
  }

  /**
   * Records a request that is sent again, as `sent`; `refusal` if it does not go to the app. The function is to be called
   * once with its end: the answer, or what went wrong.
   */
  startReplay(original: CapturedRequest, sent: ReplayedRequest, refusal: string | undefined): StartedReplay {
    const request = this.#add({
      receivedAt: new Date(),
      method: sent.method,
      target: sent.target,
      httpVersion: original.httpVersion,
      visitorAddress: sent.visitorAddress,
      rawHeaders: [...sent.rawHeaders],
      body: sent.body,
      bodyBytes: sent.body.length,
      refusal,
      verified: sent.verified,
      handshake: original.handshake,
      deliveryId: undefined,
      problem: undefined,
      answer: undefined,
      isFinished: false,
      replayOf: original.id,
    });
    this.#announce(request);
    const end: StartedReplay['end'] = ({ answer, problem }) => {
      Object.assign(request, { answer, problem, isFinished: true });
      this.#announce(request);
    };
    return { id: request.id, end };
  }

  #add(found: NewRequest): Mutable<CapturedRequest> {
    this.#lastId += 1;
    const { deliveryId, ...request } = found;
    const duplicateOf = this.#knownDeliveries.findFirst(deliveryId, this.#lastId);
    const added: Mutable<CapturedRequest> = { id: this.#lastId, ...request, duplicateOf };
    if (added.refusal === undefined) this.#letIn.add(added);
    else this.#refused.add(added);
    this.#limitMemory();
    return added;
  }

  #limitMemory(): void {
    this.#refused.trim(MAX_REFUSED_BYTES);
    this.#letIn.trim(MAX_BYTES - MAX_REFUSED_BYTES - this.#arriving.usedBytes);
  }

  #hide(text: string): string {
    let hidden = text;
    for (const secret of this.#secrets)
      if (hidden.includes(secret)) hidden = hidden.replaceAll(secret, '[redacted]');
    return hidden;
  }

  #announce(request: CapturedRequest): void {
    for (const listener of this.#listeners) {
      try {
        listener(request);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}

/** What a replay sends, and the provider for whose rule it is signed. */
export type ReplayedRequest = WholeRequest & Pick<CapturedRequest, 'verified'>;

/** A replay whose answer is awaited. */
export interface StartedReplay {
  readonly id: number;
  end(end: { answer?: CapturedAnswer | undefined; problem?: string | undefined }): void;
}

function mergeById(some: CapturedRequest[], others: CapturedRequest[]): CapturedRequest[] {
  if (others.length === 0) return some;
  return [...some, ...others].sort((one, other) => one.id - other.id);
}
