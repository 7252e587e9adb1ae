// A second thread that fetches raw visitors and carries their bytes, as the first one sees it. Its own side is
// src/visitor-thread.ts. Used by shared-visitors.ts.

import { Worker } from 'node:worker_threads';
import { describeError } from '../../shared/errors.ts';
import type { Relay, RelayOptions, WorkerRelay } from '../relay/relay.ts';
import type { Timings } from '../timings.ts';
import type { VisitorSource } from './data-connection.ts';
import type { VisitorFetcher, VisitorOptions } from './visitors.ts';

/** Beyond the visitors' time to finish, for the thread to end by itself. */
const END_MS = 1_000;

/** What the thread starts with. */
export interface ThreadData {
  /** An Int32Array of THREAD_COUNTS, written by the thread alone while it lives. */
  counts: SharedArrayBuffer;
  timings: Timings;
  maxVisitors: number;
  maxDials: number;
  limits: Pick<RelayOptions, 'idleMs' | 'halfClosedIdleMs'>;
}

/** Places in the shared counts. */
export const THREAD_COUNTS = { invited: 0, load: 1, open: 2, visits: 3 } as const;

export type ThreadCommand =
  | {
      kind: 'invite';
      ids: readonly string[];
      /** Only where it is another than before. */
      source?: VisitorSource;
    }
  /** Where the app is from now on; undefined while it is away. */
  | { kind: 'target'; target: Address | undefined }
  | { kind: 'stop'; drainMs: number };

interface Address {
  host: string;
  port: number;
}

/** That it takes orders from now on, or a line for the log. */
export type ThreadEvent =
  | { kind: 'ready' }
  | { kind: 'log'; level: 'debug' | 'info' | 'warn' | 'error'; text: string };

export class ThreadHandle implements VisitorFetcher, WorkerRelay {
  readonly #worker: Worker;
  readonly #counts: Int32Array;
  readonly #ended: Promise<void>;
  #isReady = false;
  #invited = 0;
  #source: VisitorSource | undefined;
  #hasNewSource = false;
  #target: Address | undefined;
  #ids: string[] = [];

  /**
   * Starts the thread; one that breaks later is told of, and takes nobody any more. Throws where the system gives no
   * more threads, or there is no such script.
   */
  constructor(script: string, options: VisitorOptions & { destination: Relay }) {
    const { destination, logger, timings, maxVisitors, maxDials } = options;
    const { idleMs, halfClosedIdleMs } = destination.options;
    const counts = new SharedArrayBuffer(Object.keys(THREAD_COUNTS).length * Int32Array.BYTES_PER_ELEMENT);
    const data: ThreadData = {
      counts,
      timings,
      maxVisitors,
      maxDials,
      limits: {
        ...(idleMs !== undefined && { idleMs }),
        ...(halfClosedIdleMs !== undefined && { halfClosedIdleMs }),
      },
    };
    this.#counts = new Int32Array(counts);
    // Neither the environment nor the arguments, for both may hold what only the first thread has to know.
    this.#worker = new Worker(script, { workerData: data, env: {}, argv: [], name: 'visitors' });
    this.#worker.unref();
    this.follow(destination.options.target());
    this.#worker.on('message', (word: ThreadEvent) => {
      if (word.kind === 'ready') this.#isReady = true;
      else logger[word.level](word.text);
    });
    this.#worker.on('error', error => {
      this.#isReady = false;
      logger.warn(
        `the second thread for visitors broke, and the first one goes on alone; who was on it has to connect again: ${describeError(error)}`,
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

  /** Visitors who are there or on their way, those it has not heard of yet among them. */
  get load(): number {
    return this.#invited - this.#read('invited') + this.#read('load');
  }

  get open(): number {
    return this.#read('open');
  }

  get visits(): number {
    return this.#read('visits');
  }

  invite(id: string, source: VisitorSource): void {
    if (this.#source?.address !== source.address) this.#changeSource(source);
    this.#invited += 1;
    this.#ids.push(id);
    if (this.#ids.length === 1) queueMicrotask(() => this.#sendInvitations());
  }

  /** The port of an app that is away may be somebody else's by now: told at once, not with the next visitor. */
  follow(target: Address | undefined): void {
    if (target?.host === this.#target?.host && target?.port === this.#target?.port) return;
    this.#target = target && { host: target.host, port: target.port };
    this.#tell({ kind: 'target', target: this.#target });
  }

  async stop(drainMs: number): Promise<void> {
    this.#tell({ kind: 'stop', drainMs });
    const timer = setTimeout(() => void this.#worker.terminate(), drainMs + END_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #changeSource(source: VisitorSource): void {
    this.#sendInvitations();
    this.#source = source;
    this.#hasNewSource = true;
  }

  /** Those of one read of the control connection together. */
  #sendInvitations(): void {
    if (this.#ids.length === 0) return;
    this.#tell({
      kind: 'invite',
      ids: this.#ids,
      ...(this.#hasNewSource && this.#source && { source: this.#source }),
    });
    this.#ids = [];
    this.#hasNewSource = false;
  }

  #tell(order: ThreadCommand): void {
    this.#worker.postMessage(order);
  }

  #read(name: keyof typeof THREAD_COUNTS): number {
    return Atomics.load(this.#counts, THREAD_COUNTS[name]);
  }

  /** What it had served still counts. */
  #forgetVisitors(): void {
    this.#invited = this.#read('invited');
    Atomics.store(this.#counts, THREAD_COUNTS.load, 0);
    Atomics.store(this.#counts, THREAD_COUNTS.open, 0);
  }
}
