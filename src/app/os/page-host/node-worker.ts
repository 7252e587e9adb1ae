// A Worker as wasmrun's page expects it, on a thread of Node.js. Used by node-page.ts.

import { Worker } from 'node:worker_threads';
import { joinWrites } from './join-writes.ts';

/** For the VM's JavaScript around the WASM: mostly the project's files as base64, at most 67 MB. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 64 };
/** A program that prints faster than its lines are read must wait, as it would at a terminal. */
const MAX_WAITING_LINES = 256;

/** Maps what the page's worker script uses onto the thread. */
const PRELUDE = `{
  const { parentPort, workerData } = require('node:worker_threads');
  const waiting = new Int32Array(workerData);
  globalThis.self = globalThis;
  self.postMessage = message => {
    if (message.type === 'stdout' || message.type === 'stderr') {
      Atomics.add(waiting, 0, 1);
      for (let count; (count = Atomics.load(waiting, 0)) > ${MAX_WAITING_LINES}; ) Atomics.wait(waiting, 0, count);
    }
    parentPort.postMessage(message);
  };
  parentPort.on('message', data => self.onmessage({ data }));
}
(${joinWrites})(self);
`;

type Handler = ((event: Event) => void) | null;

export class NodeWorker extends EventTarget {
  onmessage: Handler = null;
  onerror: Handler = null;
  readonly #thread: Worker;
  readonly #waiting = new Int32Array(new SharedArrayBuffer(4));

  /** `url` is a `data:` URL: the page uses one because it finds no Blob. */
  constructor(url: string) {
    super();
    const source = decodeURIComponent(url.slice(url.indexOf(',') + 1));
    this.#thread = new Worker(PRELUDE + source, {
      eval: true,
      env: {},
      argv: [],
      execArgv: [],
      stdout: true,
      stderr: true,
      workerData: this.#waiting.buffer,
      resourceLimits: RESOURCE_LIMITS,
    });
    this.#thread.on('message', data => this.#receive(data));
    this.#thread.on('error', error =>
      this.#dispatch(Object.assign(new Event('error'), { message: String(error) })),
    );
  }

  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void {
    this.#thread.postMessage(message, transfer);
  }

  async terminate(): Promise<number> {
    return await this.#thread.terminate();
  }

  #receive(data: { type?: unknown }): void {
    if (data.type === 'stdout' || data.type === 'stderr') {
      Atomics.sub(this.#waiting, 0, 1);
      Atomics.notify(this.#waiting, 0);
    }
    this.#dispatch(new MessageEvent('message', { data }));
  }

  #dispatch(event: Event): void {
    this.dispatchEvent(event);
    (event.type === 'message' ? this.onmessage : this.onerror)?.(event);
  }
}
