// The two views of the page, as tabs (WAI-ARIA): the arrow keys choose.

import { byId } from './dom.ts';

const NAMES = ['requests', 'console'] as const;
type Name = (typeof NAMES)[number];

export class Tabs {
  readonly #onChange: (name: Name) => void;
  chosen: Name = 'requests';

  constructor(onChange: (name: Name) => void) {
    this.#onChange = onChange;
    for (const name of NAMES) {
      const tab = byId(`${name}-tab`, HTMLButtonElement);
      tab.addEventListener('click', () => this.choose(name));
      tab.addEventListener('keydown', ({ key }) => {
        if (key === 'ArrowLeft' || key === 'ArrowRight') this.choose(other(name)).focus();
      });
    }
  }

  /** Returns the tab. */
  choose(chosen: Name): HTMLElement {
    this.chosen = chosen;
    for (const name of NAMES) {
      const tab = byId(`${name}-tab`, HTMLButtonElement);
      tab.ariaSelected = String(name === chosen);
      tab.tabIndex = name === chosen ? 0 : -1;
      byId(`${name}-view`, HTMLElement).hidden = name !== chosen;
    }
    this.#onChange(chosen);
    return byId(`${chosen}-tab`, HTMLButtonElement);
  }
}

function other(name: Name): Name {
  return name === 'requests' ? 'console' : 'requests';
}
