// The first thread's handle of the second one, which fetches raw visitors and relays their bytes. The program of the
// second thread is src/visitor-thread.ts. Used by shared-visitors.ts.

import { Worker } from 'node:worker_threads';
import { describeError } from '../../shared/errors.ts';
import type { IdleLimits, Target } from '../relay/pipe.ts';
import type { Relay, WorkerRelay } from '../relay/relay.ts';
import type { Timings } from '../timings.ts';
import type { VisitorSource } from './data-connection.ts';
import type { VisitorFetcher, VisitorOptions } from './visitors.ts';

/** When stopped, the thread gets this much more time than its visitors have to finish; then it is terminated. */
const END_MS = 1_000;

/** The `workerData` of the thread. */
export interface ThreadData {
  /** An Int32Array of THREAD_COUNTS; while the thread lives, only the thread writes it. */
  counts: SharedArrayBuffer;
  timings: Timings;
  maxVisitors: number;
  maxDials: number;
  limits: IdleLimits;
}

/** Positions in the shared counts. `fetched` counts the ids received; the others are those of Visitors and Relay. */
export const THREAD_COUNTS = { fetched: 0, load: 1, open: 2, visits: 3 } as const;

export type ThreadCommand =
  | {
      kind: 'fetch';
      ids: readonly string[];
      /** Set only if it differs from the source of the last command. */
      source?: VisitorSource;
    }
  /** Where the app is from now on; undefined while it is away. */
  | { kind: 'target'; target: Target | undefined }
  | { kind: 'stop'; drainMs: number };

export type ThreadEvent =
  /** The thread carries out commands from now on. */
  { kind: 'ready' } | { kind: 'log'; level: 'debug' | 'info' | 'warn' | 'error'; text: string };

export class ThreadHandle implements VisitorFetcher, WorkerRelay {
  readonly #worker: Worker;
  readonly #counts: Int32Array;
  readonly #ended: Promise<void>;
  #isReady = false;
  #sent = 0;
  #source: VisitorSource | undefined;
  #hasNewSource = false;
  #target: Target | undefined;
  #ids: string[] = [];

  /**
   * Starts the thread. If it breaks later, a warning is logged, and it takes no more visitors. Throws if the system
   * refuses a thread or there is no such script.
   */
  constructor(script: string, relay: Relay, options: VisitorOptions) {
    const { logger, timings, maxVisitors, maxDials } = options;
    const counts = new SharedArrayBuffer(Object.keys(THREAD_COUNTS).length * Int32Array.BYTES_PER_ELEMENT);
    const data: ThreadData = { counts, timings, maxVisitors, maxDials, limits: relay.idleLimits };
    this.#counts = new Int32Array(counts);
    // Without environment and arguments: both may hold secrets that the thread does not need.
    this.#worker = new Worker(script, { workerData: data, env: {}, argv: [], name: 'visitors' });
    this.#worker.unref();
    this.setTarget(relay.target);
    this.#worker.on('message', (event: ThreadEvent) => {
      if (event.kind === 'ready') this.#isReady = true;
      else logger[event.level](event.text);
    });
    this.#worker.on('error', error => {
      this.#isReady = false;
      logger.warn(
        `the second thread for visitors broke, so the first one serves all; visitors on it have to connect again: ${describeError(error)}`,
      );
    });
    this.#ended = new Promise(resolve =>
      this.#worker.once('exit', () => {
        this.#isReady = false;
        this.#source = undefined;
        this.#forgetVisitors();
        resolve();
      }),
    );
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Visitors connected or being fetched, also those in commands that the thread has not read yet. */
  get load(): number {
    return this.#sent - this.#read('fetched') + this.#read('load');
  }

  get open(): number {
    return this.#read('open');
  }

  get visits(): number {
    return this.#read('visits');
  }

  fetch(id: string, source: VisitorSource): void {
    if (this.#source?.address !== source.address) this.#changeSource(source);
    this.#sent += 1;
    this.#ids.push(id);
    if (this.#ids.length === 1) queueMicrotask(() => this.#sendIds());
  }

  /** Sent at once, not with the next visitor: another program may already use the port that the app left. */
  setTarget(target: Target | undefined): void {
    if (target?.host === this.#target?.host && target?.port === this.#target?.port) return;
    this.#target = target && { host: target.host, port: target.port };
    this.#send({ kind: 'target', target: this.#target });
  }

  async stop(drainMs: number): Promise<void> {
    this.#send({ kind: 'stop', drainMs });
    const timer = setTimeout(() => void this.#worker.terminate(), drainMs + END_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #changeSource(source: VisitorSource): void {
    this.#sendIds();
    this.#source = source;
    this.#hasNewSource = true;
  }

  /** All ids that came in one read of the control connection, in one command. */
  #sendIds(): void {
    if (this.#ids.length === 0) return;
    this.#send({
      kind: 'fetch',
      ids: this.#ids,
      ...(this.#hasNewSource && this.#source && { source: this.#source }),
    });
    this.#ids = [];
    this.#hasNewSource = false;
  }

  #send(command: ThreadCommand): void {
    this.#worker.postMessage(command);
  }

  #read(name: keyof typeof THREAD_COUNTS): number {
    return Atomics.load(this.#counts, THREAD_COUNTS[name]);
  }

  /** The visits that the thread has served still count. */
  #forgetVisitors(): void {
    this.#sent = this.#read('fetched');
    Atomics.store(this.#counts, THREAD_COUNTS.load, 0);
    Atomics.store(this.#counts, THREAD_COUNTS.open, 0);
  }
}
