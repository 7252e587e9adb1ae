// Builds the page's elements. Texts from outside become text nodes here; only markdown.ts makes elements of them.

type Child = Node | string | undefined;
type Attributes = Readonly<Record<string, string | boolean | undefined>>;

/** An element with attributes (`false` and undefined are left out) and children. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  element.append(...children.filter(child => child !== undefined));
  return element;
}

/** The element of page.html with this id. Throws if there is none of this kind. */
export function byId<Type extends HTMLElement>(id: string, type: new () => Type): Type {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`page.html has no ${type.name} with the id ${id}`);
  return element;
}

/** Writes only what is new: a live region would be read again, and a selection would be lost. */
export function setText(id: string, text: string): void {
  const element = byId(id, HTMLElement);
  if (element.textContent !== text) element.textContent = text;
}

export function setHidden(id: string, isHidden: boolean): void {
  byId(id, HTMLElement).hidden = isHidden;
}

/** `14:03:22`, in the reader's own time zone. */
export function renderTime(at: string): HTMLTimeElement {
  return el('time', { datetime: at }, new Date(at).toLocaleTimeString('en-GB'));
}

/** Calls back only with values that differ from the last one. */
export function onChange<Value>(show: (value: Value) => void): (value: Value) => void {
  let last: string | undefined;
  return value => {
    const text = JSON.stringify(value) ?? '';
    if (text === last) return;
    last = text;
    show(value);
  };
}
