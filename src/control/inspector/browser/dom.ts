// Builds the page's elements. Whatever a stranger sent becomes text nodes here, and nothing else: the page has no other
// way to show it.

type Child = Node | string | undefined;
type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

const SVG = 'http://www.w3.org/2000/svg';

/** An element with attributes (`false` and undefined are left out) and children. Strings become plain text nodes. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children.filter(child => child !== undefined));
  return element;
}

export function svg(tag: string, attributes: Attributes, ...children: Child[]): SVGElement {
  const element = document.createElementNS(SVG, tag) as SVGElement;
  setAttributes(element, attributes);
  element.append(...children.filter(child => child !== undefined));
  return element;
}

/** A button that calls back; `attributes` may give it a class or a name for screen readers. */
export function button(label: string, onClick: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const element = el('button', { type: 'button', ...attributes }, label);
  element.addEventListener('click', onClick);
  return element;
}

function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined && value !== false)
      element.setAttribute(name, value === true ? '' : String(value));
}

/** The element of page.html with this id. Throws if there is none of this kind. */
export function byId<Type extends HTMLElement>(id: string, type: new () => Type): Type {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`page.html has no ${type.name} with the id ${id}`);
  return element;
}

/**
 * Characters that are not seen, or that change how their neighbours are seen: controls, bidirectional controls
 * (CVE-2021-42574), zero width ones, tags, and halves of surrogate pairs. Joiners stay: emoji and several scripts need them.
 */
const HIDDEN =
  /[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}\p{Cs}]/gu;

/** Text from outside, as one line: hidden characters, tabs and line ends are shown as escapes. */
export function line(text: string): DocumentFragment {
  return escaped(text, new RegExp(`${HIDDEN.source}|[\\t\\n]`, 'gu'));
}

/** Text from outside that has lines of its own. */
export function lines(text: string): DocumentFragment {
  return escaped(text.replaceAll('\r\n', '\n'), HIDDEN);
}

function escaped(text: string, hidden: RegExp): DocumentFragment {
  const fragment = document.createDocumentFragment();
  let from = 0;
  for (const { 0: character, index } of text.matchAll(hidden)) {
    fragment.append(text.slice(from, index), el('span', { class: 'escape' }, nameCharacter(character)));
    from = index + character.length;
  }
  fragment.append(text.slice(from));
  return fragment;
}

const SHORT_NAMES: Readonly<Record<string, string>> = { '\0': '\\0', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function nameCharacter(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return SHORT_NAMES[character] ?? (code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`);
}

/** As one line in an attribute or in a title, where there is no room for elements. */
export function plainLine(text: string): string {
  return line(text).textContent ?? '';
}
