// The fields that say which requests the list shows.

import { byId, el, plainLine } from './dom.ts';
import { type Filter, isFiltering, splitWords } from './filter.ts';

/** While someone types, the list is filtered when they stop for a moment. */
const TYPING_PAUSE_MS = 120;
/** Strangers choose the method: the menu stays short. */
const MOST_METHODS = 30;

export class FilterBar {
  readonly #search = byId('search', HTMLInputElement);
  readonly #method = byId('method', HTMLSelectElement);
  readonly #status = byId('status', HTMLSelectElement);
  readonly #refused = byId('refused', HTMLInputElement);
  readonly #onChange: (filter: Filter) => void;
  readonly #methods = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(onChange: (filter: Filter) => void) {
    this.#onChange = onChange;
    this.#search.addEventListener('input', () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#onChange(this.value), TYPING_PAUSE_MS);
    });
    for (const field of [this.#method, this.#status, this.#refused])
      field.addEventListener('change', () => this.#onChange(this.value));
  }

  get value(): Filter {
    return {
      words: splitWords(this.#search.value),
      method: this.#method.value,
      status: this.#status.value,
      refusedOnly: this.#refused.checked,
    };
  }

  get isFiltering(): boolean {
    return isFiltering(this.value);
  }

  focus(): void {
    this.#search.focus();
    this.#search.select();
  }

  reset(): void {
    this.#search.value = '';
    this.#method.value = '';
    this.#status.value = '';
    this.#refused.checked = false;
    this.#onChange(this.value);
  }

  /** Adds those that are not in the menu yet. */
  offerMethods(methods: readonly string[]): void {
    for (const method of methods) {
      if (this.#methods.has(method) || this.#methods.size >= MOST_METHODS) continue;
      this.#methods.add(method);
      this.#method.append(el('option', { value: method }, plainLine(method)));
    }
  }
}
