// The keys of the page. page.html lists them for people.

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
  const { list } = actions;
  const everywhere: Readonly<Record<string, () => void>> = {
    j: () => list.move(1),
    k: () => list.move(-1),
    '/': () => actions.search(),
    p: () => actions.togglePause(),
    '?': () => actions.help(),
    Escape: () => actions.close(),
  };
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
  const isInList = target instanceof HTMLElement && target.role === 'listbox';
  const isMoveAway = (key === 'j' || key === 'k') && !actions.isListShown();
  const action = isMoveAway ? undefined : ((isInList ? inList[key] : undefined) ?? everywhere[key]);
  action?.();
  return action !== undefined;
}
