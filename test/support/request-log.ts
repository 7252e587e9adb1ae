// A log of captured requests that a test fills itself. Tried in test/control/.

import type {
  Capture,
  CapturedAnswer,
  CapturedRequest,
  RequestLog,
} from '../../src/shared/captured-request.ts';

type Entry = { -readonly [Key in keyof CapturedRequest]: CapturedRequest[Key] };

const SAMPLE: Omit<Entry, 'id' | 'bodyBytes'> = {
  receivedAt: new Date(0),
  method: 'POST',
  target: '/hooks/gh',
  httpVersion: '1.1',
  rawHeaders: ['Host', 'bore.example:4321'],
  body: Buffer.alloc(0),
  refusal: undefined,
  verified: undefined,
  handshake: undefined,
  duplicateOf: undefined,
  problem: undefined,
  answer: { status: 200, durationMs: 5 },
  isFinished: true,
};

export class FakeRequestLog implements RequestLog {
  readonly capture: Capture;
  /** Called each time the method of a request is read: it is being listed. */
  onRead = () => {};
  readonly signatureHeaders = [];
  /** How often somebody has begun to listen. */
  subscriptions = 0;
  readonly #listeners = new Set<(request: CapturedRequest) => void>();
  readonly #clearListeners = new Set<() => void>();
  #requests: Entry[] = [];
  #lastId = 0;

  constructor(capture: Capture) {
    this.capture = capture;
  }

  get lastId(): number {
    return this.#lastId;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  list(since = 0): readonly CapturedRequest[] {
    return this.#requests.filter(({ id }) => id > since);
  }

  find(id: number): CapturedRequest | undefined {
    return this.#requests.find(request => request.id === id);
  }

  clear(): void {
    this.#requests = [];
    for (const listener of this.#clearListeners) listener();
  }

  isCaptured(): boolean {
    return true;
  }

  subscribe(listener: (request: CapturedRequest) => void): () => void {
    this.subscriptions += 1;
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  subscribeToClear(listener: () => void): () => void {
    this.#clearListeners.add(listener);
    return () => this.#clearListeners.delete(listener);
  }

  /** A POST that was answered with 200, unless told otherwise. */
  add(changes: Partial<Omit<CapturedRequest, 'id'>> = {}): Entry {
    this.#lastId += 1;
    const body = changes.body ?? SAMPLE.body;
    const onRead = () => this.onRead();
    const request: Entry = { ...SAMPLE, bodyBytes: body.length, ...changes, id: this.#lastId };
    const { httpVersion } = request;
    Object.defineProperty(request, 'httpVersion', {
      enumerable: true,
      get: () => {
        onRead();
        return httpVersion;
      },
    });
    this.#requests.push(request);
    this.#announce(request);
    return request;
  }

  /** Its answer was sent; or, with null, its sender left before. */
  finish(request: Entry, answer: CapturedAnswer | null = { status: 200, durationMs: 5 }): void {
    Object.assign(request, { answer: answer ?? undefined, isFinished: true });
    this.#announce(request);
  }

  /** As if newer requests had taken its place. */
  forget(id: number): void {
    this.#requests = this.#requests.filter(request => request.id !== id);
  }

  #announce(request: CapturedRequest): void {
    for (const listener of this.#listeners) listener(request);
  }
}
