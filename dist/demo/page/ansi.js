// Colours of a terminal (ECMA-48, SGR) in a line of the log; other escape sequences are left out.

import { el } from './dom.js';

const COLOURS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

export function renderAnsi(text        )                   {
  const fragment = document.createDocumentFragment();
  let classes           = [];
  let from = 0;
  for (const match of text.matchAll(/\x1b\[([\d;]*)([A-Za-z])/g)) {
    append(fragment, text.slice(from, match.index), classes);
    if (match[2] === 'm') classes = applyCodes(classes, match[1] ?? '');
    from = match.index + match[0].length;
  }
  append(fragment, text.slice(from), classes);
  return fragment;
}

function append(fragment                  , text        , classes                   )       {
  if (text === '') return;
  fragment.append(classes.length === 0 ? text : el('span', { class: classes.join(' ') }, text));
}

function applyCodes(classes          , codes        )           {
  let result = classes;
  for (const code of codes.split(';').map(Number)) {
    const colour = COLOURS[code - 30] ?? COLOURS[code - 90];
    if (code === 0) result = [];
    else if (code === 1) result = [...result, 'bold'];
    else if (code === 39) result = result.filter(name => !name.startsWith('ansi-'));
    else if (colour !== undefined)
      result = [...result.filter(name => !name.startsWith('ansi-')), `ansi-${colour}`];
  }
  return result;
}
