// Renders Markdown as GitHub does: GFM, alerts, and Mermaid charts in frames. Nothing but harmless elements is left of
// the HTML in it.

import DOMPurify from './package/dompurify.js';
import { marked } from './package/marked.js';
import { drawChart } from './chart.js';
import { el } from './dom.js';

/** GitHub's own list is longer; these are the ones that a comment or a summary may have. */
const TAGS =
  'a b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img input kbd li ol p pre q s samp span strong sub summary sup table tbody td th thead tr ul var';
const ATTRIBUTES =
  'align alt checked class colspan disabled height href open rowspan src start title type width';

/** `breaks`: a line break is one, as in comments. */
export function renderMarkdown(text        , { breaks }                     )                   {
  const html = marked.parse(text, { gfm: true, breaks, async: false });
  const fragment = DOMPurify.sanitize(html, {
    ALLOWED_TAGS: TAGS.split(' '),
    ALLOWED_ATTR: ATTRIBUTES.split(' '),
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
  for (const input of fragment.querySelectorAll('input')) if (input.type !== 'checkbox') input.remove();
  for (const quote of fragment.querySelectorAll('blockquote')) markAlert(quote);
  for (const code of fragment.querySelectorAll('pre > code.language-mermaid'))
    code.parentElement?.replaceWith(drawChart(code.textContent ?? ''));
  for (const link of fragment.querySelectorAll('a')) {
    link.target = '_blank';
    link.rel = 'noopener nofollow';
  }
  // A part that scrolls sideways must be reachable by keyboard.
  for (const block of fragment.querySelectorAll('pre, table')) block.setAttribute('tabindex', '0');
  return fragment;
}

const ALERT = /^\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]\s*/;

/** `> [!WARNING]` and a text. */
function markAlert(quote                  )       {
  const first = quote.querySelector('p')?.firstChild;
  const kind = ALERT.exec(first?.textContent ?? '')?.[1]?.toLowerCase();
  if (!(first instanceof Text) || kind === undefined) return;
  first.data = first.data.replace(ALERT, '');
  if (first.data === '' && first.nextSibling instanceof HTMLBRElement) first.nextSibling.remove();
  const name = `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
  const title = el('p', { class: 'markdown-alert-title' }, name);
  quote.replaceWith(
    el('div', { class: `markdown-alert markdown-alert-${kind}` }, title, ...quote.childNodes),
  );
}
