// Keeps the page in step with the preview: follows its events, and goes on after a break where it was.

import type { StateMessage } from '../../../shared/state-json.ts';
import { type Api, KeyError, type RequestHead } from './api.ts';
import type { ConsoleLine } from './console.ts';
import type { ServerEvent } from './server-events.ts';

export type Connection =
  | { kind: 'connecting' }
  | { kind: 'connected' }
  /** `retryAt` is a time as of `Date.now()`. */
  | { kind: 'disconnected'; retryAt: number }
  | { kind: 'refused' };

/** What the page does with what it is sent. */
export interface Listener {
  showConnection(connection: Connection): void;
  showState(state: StateMessage): void;
  /** A new request, or one that changed. */
  addRequest(request: RequestHead): void;
  /** The requests up to this id were removed from the preview's log. */
  removeRequests(upTo: number): void;
  addConsoleLine(line: ConsoleLine): void;
}

/** So long the page may take events in one go before it is drawn. */
const BUSY_MS = 10;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

export class Live {
  readonly #api: Api;
  readonly #listener: Listener;
  #lastEventId = '';
  #endWait = () => {};

  constructor(api: Api, listener: Listener) {
    this.#api = api;
    this.#listener = listener;
  }

  /** Resolves when the key is refused. */
  async run(): Promise<void> {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      this.#listener.showConnection({ kind: 'connecting' });
      const end = await this.#connectOnce();
      if (end === 'refused') return this.#listener.showConnection({ kind: 'refused' });
      if (end === 'was connected') waitMs = FIRST_WAIT_MS;
      this.#listener.showConnection({ kind: 'disconnected', retryAt: Date.now() + waitMs });
      await this.#wait(waitMs);
    }
  }

  /** Tries to connect at once, if it waits. */
  hurry(): void {
    this.#endWait();
  }

  #wait(ms: number): Promise<void> {
    return new Promise(resolve => {
      this.#endWait = resolve;
      setTimeout(resolve, ms);
    });
  }

  /** Resolves when the connection is gone. */
  async #connectOnce(): Promise<'refused' | 'was connected' | 'failed'> {
    const over = new AbortController();
    let isConnected = false;
    try {
      for await (const event of this.#api.follow(
        ['state', 'request', 'console'],
        this.#lastEventId,
        over.signal,
      )) {
        if (!isConnected) this.#listener.showConnection({ kind: 'connected' });
        isConnected = true;
        this.#take(event);
        await pause();
      }
    } catch (error) {
      if (error instanceof KeyError) return 'refused';
    } finally {
      over.abort();
    }
    return isConnected ? 'was connected' : 'failed';
  }

  #take({ type, id, data }: ServerEvent): void {
    if (id !== '') this.#lastEventId = id;
    const value = JSON.parse(data);
    if (type === 'state') this.#listener.showState(value);
    if (type === 'request') this.#listener.addRequest(value);
    if (type === 'cleared') this.#listener.removeRequests(value.last_id);
    if (type === 'console') this.#listener.addConsoleLine(value);
  }
}

let busySince = performance.now();

/** Resolves at once, or after a frame had the chance to be drawn: a stream may have thousands of events ready. */
async function pause(): Promise<void> {
  if (performance.now() - busySince < BUSY_MS) return;
  await new Promise(resolve => setTimeout(resolve));
  busySince = performance.now();
}
