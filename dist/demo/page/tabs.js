// The three tabs, as WAI-ARIA describes tabs: arrow keys move between them.

import { byId } from './dom.js';

export const TABS = ['conversation', 'run', 'webhooks']         ;
                                        

const buttonOf = (tab     ) => byId(`tab-${tab}`, HTMLButtonElement);

export function showTab(chosen     )       {
  for (const tab of TABS) {
    const isChosen = tab === chosen;
    byId(tab, HTMLElement).hidden = !isChosen;
    buttonOf(tab).setAttribute('aria-selected', String(isChosen));
    buttonOf(tab).tabIndex = isChosen ? 0 : -1;
  }
}

export function startTabs()       {
  for (const [index, tab] of TABS.entries()) {
    buttonOf(tab).addEventListener('click', () => showTab(tab));
    buttonOf(tab).addEventListener('keydown', ({ key }) => {
      const step = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? TABS.length - 1 : 0;
      const next = TABS[(index + step) % TABS.length] ?? tab;
      if (step === 0) return;
      showTab(next);
      buttonOf(next).focus();
    });
  }
}
