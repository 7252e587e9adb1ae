// The keys of the page. page.html lists them for people.

import { byId } from './dom.ts';
import type { RequestList } from './list.ts';

export interface KeyActions {
  readonly list: RequestList;
  isListShown(): boolean;
  search(): void;
  togglePause(): void;
  help(): void;
  /** Closes the details, if they are open. */
  close(): void;
}

export function listenToKeys(actions: KeyActions): void {
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector('dialog[open]') !== null) return;
    const { target } = event;
    if (target instanceof HTMLElement && target.matches('input, select, textarea'))
      return leaveField(event, target);
    if (actOn(event, actions)) event.preventDefault();
  });
}

/** Esc leaves a field; all other keys are the field's own. */
function leaveField({ key }: KeyboardEvent, field: HTMLElement): void {
  if (key === 'Escape') field.blur();
}

/** Whether the key meant something. */
function actOn({ key, target }: KeyboardEvent, actions: KeyActions): boolean {
  const isInList = target instanceof HTMLElement && target.role === 'listbox';
  const isLetter = key.length === 1 && key !== ' ';
  const action = isLetter ? letterAction(key, actions, isInList) : namedAction(key, actions, isInList);
  action?.();
  return action !== undefined;
}

/** Letters work everywhere, unless they are turned off: voice control types them by accident (WCAG 2.1.4). */
function letterAction(key: string, actions: KeyActions, isInList: boolean): (() => void) | undefined {
  const { list } = actions;
  if (!byId('letters', HTMLInputElement).checked) return undefined;
  if (key === 'j' || key === 'k') {
    if (!actions.isListShown()) return undefined;
    const rows = key === 'j' ? 1 : -1;
    // The details stay where they are read, and show the next request.
    return isInList || list.hasOpen ? () => list.move(rows) : () => list.enter(rows);
  }
  if (key === '/') return () => actions.search();
  if (key === 'p') return () => actions.togglePause();
  return key === '?' ? () => actions.help() : undefined;
}

function namedAction(key: string, actions: KeyActions, isInList: boolean): (() => void) | undefined {
  const { list } = actions;
  const inList: Readonly<Record<string, () => void>> = {
    ArrowDown: () => list.move(1),
    ArrowUp: () => list.move(-1),
    PageDown: () => list.move(list.pageRows),
    PageUp: () => list.move(-list.pageRows),
    Home: () => list.move(-Infinity),
    End: () => list.move(Infinity),
    Enter: () => list.openActive(),
    ' ': () => list.openActive(),
  };
  if (key === 'Escape') return () => actions.close();
  return isInList ? inList[key] : undefined;
}
