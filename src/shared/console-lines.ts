// The last lines of the app's console, numbered. app/ writes them, the exposure owns them, and control/ shows them.

export interface ConsoleLine {
  /** 1, 2, 3 … */
  readonly number: number;
  /** When it came. */
  readonly at: Date;
  /** The start of the app that printed it: 1 for the first, one more for each restart. */
  readonly run: number;
  readonly text: string;
}

/** What a client that reads slowly can still get. */
const MAX_LINES = 1_000;
/** One line may have 16,384 characters. */
const MAX_CHARACTERS = 1024 ** 2;

export class ConsoleLines {
  readonly #listeners = new Set<() => void>();
  #lines: ConsoleLine[] = [];
  #characters = 0;
  #lastNumber = 0;
  #run = 0;

  /** The number of the last line; 0 at first. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** The app starts: later lines belong to a new run. */
  beginRun(): void {
    this.#run += 1;
  }

  add(text: string): void {
    this.#lastNumber += 1;
    this.#lines.push({ number: this.#lastNumber, at: new Date(), run: this.#run, text });
    this.#characters += text.length;
    while (this.#lines.length > MAX_LINES || (this.#characters > MAX_CHARACTERS && this.#lines.length > 1))
      this.#characters -= this.#lines.shift()?.text.length ?? 0;
    for (const listener of this.#listeners) listener();
  }

  /** The texts of the last `count` lines, oldest first. */
  tail(count: number): string[] {
    return this.#lines.slice(-count).map(({ text }) => text);
  }

  /** The oldest line after that number that is still kept. */
  next(number: number): ConsoleLine | undefined {
    const first = this.#lines[0]?.number ?? 0;
    return this.#lines[Math.max(0, number + 1 - first)];
  }

  /** Calls back after each new line; returns the function that unsubscribes. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
