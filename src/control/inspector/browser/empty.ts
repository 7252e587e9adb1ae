// What stands in place of the list while it has no row: why that is, and what to do.

import { button, byId, el } from './dom.ts';
import { countOf } from './format.ts';

export interface Emptiness {
  readonly isFiltering: boolean;
  /** How many requests were cleared away. */
  readonly clearedCount: number;
  /** Empty if there is none. */
  readonly publicUrl: string;
}

export interface EmptyEvents {
  resetFilter(): void;
  showCleared(): void;
  /** For everybody: also out of the preview's log. */
  removeCleared(): void;
}

export class EmptyView {
  readonly #events: EmptyEvents;
  readonly #place = byId('empty', HTMLElement);
  #shown = '';

  constructor(events: EmptyEvents) {
    this.#events = events;
  }

  /** Undefined if the list has rows. */
  show(emptiness: Emptiness | undefined): void {
    // A button that has the focus is not replaced by its like.
    const wanted = JSON.stringify(emptiness ?? '');
    if (wanted === this.#shown) return;
    this.#shown = wanted;
    this.#place.hidden = emptiness === undefined;
    if (emptiness !== undefined) this.#place.replaceChildren(...this.#explain(emptiness));
  }

  #explain({ isFiltering, clearedCount, publicUrl }: Emptiness): HTMLElement[] {
    if (isFiltering)
      return [el('h2', {}, 'No request matches'), button('Show all', () => this.#events.resetFilter())];
    if (clearedCount > 0) return this.#explainCleared(clearedCount);
    return explainNothing(publicUrl);
  }

  #explainCleared(count: number): HTMLElement[] {
    const earlier = countOf(count, 'earlier request');
    return [
      el('h2', {}, 'Cleared'),
      el('p', {}, `New requests will appear here. The preview still has ${earlier}.`),
      button(`Show ${earlier}`, () => this.#events.showCleared()),
      button('Remove from the preview', () => this.#events.removeCleared(), { class: 'danger' }),
    ];
  }
}

function explainNothing(publicUrl: string): HTMLElement[] {
  return [
    el('h2', {}, 'No requests yet'),
    el(
      'p',
      {},
      'Those on captured paths appear here as they come: the paths of ',
      el('code', {}, 'public-paths'),
      ' and ',
      el('code', {}, 'verify'),
      ', or those that ',
      el('code', {}, 'capture'),
      ' names. Without any of these: every request but GET, HEAD and OPTIONS.',
    ),
    ...(publicUrl === '' ? [] : [el('pre', { tabindex: 0 }, `curl -d hello ${publicUrl}/PATH`)]),
  ];
}
