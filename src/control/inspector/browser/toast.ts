// What just happened, in a few words that vanish: for eyes at the foot of the page, and for screen readers as a polite
// live region. New requests are only counted now and then, however many come.

import { byId } from './dom.ts';
import { countOf } from './format.ts';

const SHOWN_MS = 4_000;
const COUNT_PAUSE_MS = 15_000;

export class Toast {
  readonly #region = byId('said', HTMLElement);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #countTimer: ReturnType<typeof setTimeout> | undefined;
  #count = 0;
  #announced = 0;
  #wasLost = false;

  say(text: string): void {
    this.#show(text, '');
  }

  /** Said to screen readers only: others see the count. */
  countRequests(count: number): void {
    this.#count = count;
    this.#countTimer ??= setTimeout(() => this.#announceCount(), COUNT_PAUSE_MS);
  }

  /** Says when the connection is lost, and when it is back. */
  showConnection(kind: 'connecting' | 'connected' | 'disconnected' | 'refused'): void {
    if (kind === 'disconnected' && !this.#wasLost) this.say('Disconnected from the preview');
    if (kind === 'connected' && this.#wasLost) this.say('Connected again');
    if (kind === 'connected' || kind === 'disconnected') this.#wasLost = kind === 'disconnected';
  }

  #announceCount(): void {
    this.#countTimer = undefined;
    if (this.#count > this.#announced) this.#show(countOf(this.#count, 'request'), 'unseen');
    this.#announced = this.#count;
  }

  #show(text: string, className: string): void {
    clearTimeout(this.#timer);
    this.#region.className = className;
    this.#region.textContent = text;
    this.#timer = setTimeout(() => this.#region.replaceChildren(), SHOWN_MS);
  }
}
