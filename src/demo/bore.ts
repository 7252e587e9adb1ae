// The demo's bore server, which can be cut and comes back on the same port. Used by the demo's story.

import { randomBytes } from 'node:crypto';
import { type BoreServer, startBoreServer } from '../tunnel/server/server.ts';

/** An outage shows in the comment after 15 s; so much longer it lasts, for people to read it. */
const CUT_MS = 25_000;

export class DemoBoreServer {
  readonly secret = randomBytes(16).toString('hex');
  #server: BoreServer | undefined;
  #port = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #work: Promise<void> = Promise.resolve();

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get isUp(): boolean {
    return this.#server !== undefined;
  }

  start(): Promise<void> {
    return this.#next(async () => {
      if (this.#server || this.#isStopped) return;
      this.#server = await startBoreServer({ secret: this.secret, controlPort: this.#port });
      this.#port = this.#server.controlPort;
    });
  }

  /** Stops it; it starts again by itself, and then `onBack` is called. Resolves with the time when that will be. */
  async cut(onBack: () => void): Promise<Date> {
    await this.#next(() => this.#close());
    this.#timer = setTimeout(() => void this.start().then(onBack), CUT_MS);
    return new Date(Date.now() + CUT_MS);
  }

  /** Starts it before its time. */
  async restore(): Promise<void> {
    clearTimeout(this.#timer);
    await this.start();
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    return this.#next(() => this.#close());
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.stop();
  }

  /** One step at a time: a button may be pressed twice. */
  #next(step: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(step);
    return this.#work;
  }
}
