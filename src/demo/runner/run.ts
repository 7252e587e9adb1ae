// One run of the workflow, in a worker of its own, as the demo sees it. Used by the demo's story.

import { type ChildProcess, fork } from 'node:child_process';
import * as v from 'valibot';
import { type JobPlan, type News, NewsSchema, type Order } from './messages.ts';

/** Main is killed after 10 s; post takes less than 30 s. */
const END_TIMEOUT_MS = 45_000;

export class WorkflowRun {
  readonly #worker: ChildProcess;
  /** Resolves when the job is over and the worker is gone. */
  readonly over: Promise<void>;

  /** `script`: the program demo-runner. */
  constructor(script: string, plan: JobPlan, onNews: (news: News) => void) {
    // Not in the terminal's process group: Ctrl-C is the demo's, which then cancels the run.
    this.#worker = fork(script, { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    this.#worker.on('message', message => onNews(v.parse(NewsSchema, message)));
    this.#worker.on('error', () => {});
    this.over = new Promise(resolve => {
      this.#worker.once('exit', () => resolve());
    });
    this.#send({ order: 'run', plan });
  }

  /** Cancels the run, as GitHub's button does. Resolves when it is over. */
  async cancel(): Promise<void> {
    this.#send({ order: 'cancel' });
    const timer = setTimeout(() => this.#worker.kill('SIGKILL'), END_TIMEOUT_MS);
    await this.over;
    clearTimeout(timer);
  }

  /** Ends it at once, without the post step. */
  async leave(): Promise<void> {
    this.#send({ order: 'leave' });
    await this.over;
  }

  #send(order: Order): void {
    if (this.#worker.connected) this.#worker.send(order);
  }
}
