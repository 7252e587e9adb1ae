// What GitHub would make of Markdown: renders it, and lists everything that is more than words. Two renderers: cmark-gfm
// is GitHub's own program (github.com renders with it, and it is the reference of the GFM specification), so it is the
// closest there is; marked is what the demo's page uses. What GitHub does after it, with the text outside of code
// (mentions, references, emoji, mathematics), is imitated here, more eagerly than GitHub does it.

import { execFileSync } from 'node:child_process';
import { marked } from 'marked';
import { requirePart } from './real-parts.ts';

export type Renderer = 'cmark-gfm' | 'marked';

const EXTENSIONS = ['table', 'strikethrough', 'autolink', 'tagfilter', 'tasklist', 'footnotes'].flatMap(
  name => ['-e', name],
);

export function renderHtml(markdown: string, renderer: Renderer): string {
  if (renderer === 'marked') return marked.parse(markdown, { gfm: true, async: false });
  // Raw HTML is passed on, as on GitHub, which filters it later: nothing foreign may get that far.
  return execFileSync(requirePart('cmark-gfm'), ['--unsafe', ...EXTENSIONS], {
    input: markdown,
    encoding: 'utf8',
  });
}

export interface Skeleton {
  /** All tags with their attributes, in order, without those of inline code. */
  tags: string[];
  /** What GitHub would turn into links, images, notifications and formulas. */
  live: string[];
  /** Mermaid's blocks. */
  charts: string[];
}

const LIVE = [
  /@[a-z0-9]/giu, // a mention
  /(?<![\w&])(?:#|GH-)\d/giu, // an issue
  /\b[0-9a-f]{7,40}\b/gu, // a commit
  /(?<!\w):[a-z0-9+_-]+:/giu, // an emoji
  /\$/gu, // mathematics
  /\b(?:https?:|www\.)/giu, // a link
  /%%\{/gu, // a directive of Mermaid
];

/** Everything in the HTML that is more than words. */
export function readSkeleton(html: string): Skeleton {
  const charts = [...html.matchAll(/<pre><code class="language-mermaid">.*?<\/code><\/pre>/gs)].map(
    ([all]) => all,
  );
  const tags = [...html.matchAll(/<!--.*?-->|<\/?[a-z][^>]*>/gis)]
    .map(([tag]) => tag)
    .filter(tag => !/^<\/?code>$/.test(tag));
  const words = html
    .replace(/<!--.*?-->/gs, ' ')
    .replace(/<pre>.*?<\/pre>|<pre><code.*?<\/pre>/gs, ' ')
    .replace(/<code>.*?<\/code>/gs, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'");
  return { tags, live: LIVE.flatMap(pattern => words.match(pattern) ?? []), charts };
}
