// What a page loads, and whether it shows anything, read from its HTML. Used by page-check.ts
// and source-page.ts.

import { Parser } from 'htmlparser2';
import { dropUpgrade } from '../../shared/upgrade-policy.ts';

/** `import` is a module that another script imports (modulepreload); `other` can be missing without harm, like icons. */
export interface Reference {
  kind: 'module' | 'script' | 'import' | 'style' | 'other';
  /** As it is written in the page. */
  url: string;
}

export interface Page {
  /** The first `<base href>`, which relative references are resolved against (HTML Standard, document base URL). */
  base: string | undefined;
  references: readonly Reference[];
  /** What runs without a file: a script in the page itself, `module` if it can import files. */
  inline: 'none' | 'script' | 'module';
  /** Without one, a module cannot import packages by name. */
  hasImportMap: boolean;
  /** Its own policy makes browsers load everything with https (`upgrade-insecure-requests`). */
  wantsHttps: boolean;
  /** Text, or an element that shows something by itself. */
  hasContent: boolean;
  /** Characters of its text. Beside a few words (`Loading…`), a script is the app; beside many, it may only add to them. */
  textLength: number;
  /** Trunk's instructions for its build (https://trunkrs.dev/assets/): a browser ignores them. */
  isTrunkSource: boolean;
}

type Inline = Page['inline'];
type Attributes = Readonly<Record<string, string>>;

/** Modules, and the JavaScript types of the MIME Sniffing Standard, 4.6: browsers run the old ones, too. */
const SCRIPT_TYPES =
  /^(|module|(text|application)\/(x-)?(java|ecma)script|text\/(javascript1\.[0-5]|jscript|livescript))$/i;
/** `rel` of links whose files a page can do without. */
const OPTIONAL_LINKS = ['preload', 'prefetch', 'icon', 'apple-touch-icon', 'manifest'];
/** Browsers with scripts ignore what is in these. */
const INERT_ELEMENTS = ['noscript', 'template'];
/** Text in these is not shown either. */
const HIDDEN_ELEMENTS = [...INERT_ELEMENTS, 'title', 'script', 'style'];
const SHOWN_ELEMENTS = [
  'img',
  'picture',
  'svg',
  'canvas',
  'video',
  'audio',
  'iframe',
  'frame',
  'object',
  'embed',
  'input',
  'button',
  'select',
  'textarea',
  'hr',
  'table',
];

/** Never throws: as in a browser, any text is a page. */
export function readPage(html: string): Page {
  const references: Reference[] = [];
  const page = {
    base: undefined as string | undefined,
    inline: 'none' as Inline,
    hasImportMap: false,
    wantsHttps: false,
    hasContent: false,
    textLength: 0,
    isTrunkSource: false,
  };
  const open: string[] = [];
  const isIn = (elements: readonly string[]) => open.some(name => elements.includes(name));
  const parser = new Parser({
    onopentag(name, attributes) {
      if (!isIn(INERT_ELEMENTS)) {
        page.isTrunkSource ||= 'data-trunk' in attributes;
        page.hasContent ||=
          SHOWN_ELEMENTS.includes(name) || /^refresh$/i.test(attributes['http-equiv'] ?? '');
        page.hasImportMap ||= name === 'script' && /^importmap$/i.test(attributes.type?.trim() ?? '');
        page.wantsHttps ||= name === 'meta' && hasUpgrade(attributes);
        if (name === 'base') page.base ??= attributes.href;
        if (name === 'script') page.inline = strongest(page.inline, addScript(attributes, references));
        if (name === 'link') addLink(attributes, references);
      }
      if (HIDDEN_ELEMENTS.includes(name)) open.push(name);
    },
    onclosetag(name) {
      const last = open.lastIndexOf(name);
      if (last >= 0) open.splice(last, 1);
    },
    ontext(text) {
      if (isIn(HIDDEN_ELEMENTS)) return;
      page.textLength += text.trim().length;
      page.hasContent ||= page.textLength > 0;
    },
  });
  parser.end(html);
  return { ...page, references };
}

function hasUpgrade({ 'http-equiv': field = '', content = '' }: Attributes): boolean {
  return /^content-security-policy$/i.test(field.trim()) && dropUpgrade(content) !== content;
}

function strongest(one: Inline, other: Inline): Inline {
  return one === 'module' || other === 'none' ? one : other;
}

/** Returns how a script without a file runs; `none` for one with a file, or for data. */
function addScript(attributes: Attributes, references: Reference[]): Inline {
  const { src, type = '' } = attributes;
  if (!SCRIPT_TYPES.test(type.trim())) return 'none';
  const kind = /^module$/i.test(type.trim()) ? 'module' : 'script';
  if (src === undefined) return kind;
  // It loads nothing, and what is in it is not run (HTML Standard, "prepare the script element").
  if (src.trim() === '') return 'none';
  // Browsers with modules do not load what is there for those without.
  if (!('nomodule' in attributes)) references.push({ kind, url: src });
  return 'none';
}

function addLink({ rel = '', href }: Attributes, references: Reference[]): void {
  const relations = rel.toLowerCase().split(/\s+/);
  const has = (...names: string[]) => names.some(name => relations.includes(name));
  if (href === undefined || href.trim() === '') return;
  if (has('modulepreload')) references.push({ kind: 'import', url: href });
  else if (has('stylesheet') && !has('alternate')) references.push({ kind: 'style', url: href });
  else if (has(...OPTIONAL_LINKS)) references.push({ kind: 'other', url: href });
}
