// Builds the page's elements. Texts from outside become text nodes here; only markdown.ts makes elements of them.

                                       
                                                                         

/** An element with attributes (`false` and undefined are left out) and children. */
export function el                                         (
  tag     ,
  attributes             = {},
  ...children         
)                             {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  element.append(...children.filter(child => child !== undefined));
  return element;
}

/** The element of page.html with this id. Throws if there is none of this kind. */
export function byId                          (id        , type                )       {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`page.html has no ${type.name} with the id ${id}`);
  return element;
}

/** Writes only what is new: a live region would be read again, and a selection would be lost. */
export function setText(id        , text        )       {
  const element = byId(id, HTMLElement);
  if (element.textContent !== text) element.textContent = text;
}

export function setHidden(id        , isHidden         )       {
  byId(id, HTMLElement).hidden = isHidden;
}

/** `14:03:22`, in the reader's own time zone. */
export function renderTime(at        )                  {
  return el('time', { datetime: at }, new Date(at).toLocaleTimeString('en-GB'));
}

/** Calls back only with values that differ from the last one. */
export function onChange       (show                        )                         {
  let last                    ;
  return value => {
    const text = JSON.stringify(value) ?? '';
    if (text === last) return;
    last = text;
    show(value);
  };
}
