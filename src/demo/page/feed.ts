// What the page shows, kept for the browsers that watch it. The demo's story changes it, and server.ts sends it.

import type { LogLine } from '../runner/log.ts';
import type { Documents, NumberedLine } from './documents.ts';

/** Changes that come together are sent together. */
const GATHER_MS = 40;

export type FeedEvent = { type: 'state'; data: Documents } | { type: 'log'; data: readonly NumberedLine[] };

export class Feed {
  #documents: Documents;
  #lines: NumberedLine[] = [];
  #newLines: NumberedLine[] = [];
  #isChanged = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #watchers = new Set<(event: FeedEvent) => void>();

  constructor(documents: Documents) {
    this.#documents = documents;
  }

  get documents(): Documents {
    return this.#documents;
  }

  change(changes: Partial<Documents>): void {
    this.replace({ ...this.#documents, ...changes });
  }

  replace(documents: Documents): void {
    this.#documents = documents;
    this.#isChanged = true;
    this.#gather();
  }

  addLine(line: LogLine): void {
    const run = this.#documents.run.number;
    if (this.#lines[0] !== undefined && this.#lines[0].run !== run) this.#lines = [];
    const numbered = { ...line, run, index: this.#lines.length };
    this.#lines.push(numbered);
    this.#newLines.push(numbered);
    this.#gather();
  }

  /** Calls back with everything, and then with every change, until the returned function is called. */
  watch(watcher: (event: FeedEvent) => void): () => void {
    this.flush();
    watcher({ type: 'state', data: this.#documents });
    if (this.#lines.length > 0) watcher({ type: 'log', data: this.#lines });
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** Sends what is waiting. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#newLines;
    this.#newLines = [];
    if (this.#isChanged) this.#send({ type: 'state', data: this.#documents });
    this.#isChanged = false;
    if (lines.length > 0) this.#send({ type: 'log', data: lines });
  }

  #gather(): void {
    this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  #send(event: FeedEvent): void {
    for (const watcher of this.#watchers) watcher(event);
  }
}
