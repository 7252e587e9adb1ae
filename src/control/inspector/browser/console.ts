// The program's console: its last lines. New ones stay in view unless the reader has scrolled up.

import { el, line } from './dom.ts';

/** As the API sends it. */
export interface ConsoleLine {
  readonly number: number;
  /** The start of the app that printed it; 1 for the first. */
  readonly run: number;
  readonly text: string;
  /** How many lines before it were left out because this page read too slowly. */
  readonly missed: number;
}

const MOST_LINES = 1_000;
/** Longer ones are cut. */
const LONGEST_LINE = 10_000;
/** A program may print faster than frames are drawn. */
const PAUSE_MS = 50;
/** So near the end, the reader is taken to follow. */
const NEAR_END_PX = 24;
/** Escape sequences of terminals (ECMA-48): CSI, OSC with its text, and the two-character ones. */
const ANSI = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]/g;

export class ConsoleView {
  readonly #box: HTMLElement;
  #waiting: ConsoleLine[] = [];
  #lastRun = 0;
  #lastNumber = 0;
  #isScheduled = false;

  constructor(box: HTMLElement) {
    this.#box = box;
    // So that it can be scrolled with keys.
    box.tabIndex = 0;
  }

  add(added: ConsoleLine): void {
    if (added.number <= this.#lastNumber) return;
    this.#lastNumber = added.number;
    this.#waiting.push(added);
    if (this.#waiting.length > MOST_LINES) this.#waiting.shift();
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setTimeout(() => this.#draw(), PAUSE_MS);
  }

  /** To the newest line, as when the console comes into view. */
  scrollToEnd(): void {
    this.#box.scrollTop = this.#box.scrollHeight;
  }

  #draw(): void {
    this.#isScheduled = false;
    const { scrollTop, clientHeight, scrollHeight } = this.#box;
    const follows = scrollTop + clientHeight > scrollHeight - NEAR_END_PX;
    this.#box.append(...this.#waiting.flatMap(one => this.#renderLine(one)));
    this.#waiting = [];
    while (this.#box.childElementCount > MOST_LINES) this.#box.firstElementChild?.remove();
    if (follows) this.scrollToEnd();
  }

  #renderLine({ run, text, missed }: ConsoleLine): HTMLElement[] {
    const elements: HTMLElement[] = [];
    if (missed > 0) elements.push(el('div', { class: 'mark' }, `${missed} lines are missing here`));
    if (run > 1 && run !== this.#lastRun)
      elements.push(el('div', { class: 'mark' }, `start ${run} of the app`));
    this.#lastRun = run;
    const plain = stripAnsi(text.slice(0, LONGEST_LINE));
    elements.push(el('div', {}, plain === '' ? ' ' : line(plain)));
    return elements;
  }
}

function stripAnsi(text: string): string {
  return text.replace(ANSI, '');
}
