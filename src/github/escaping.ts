// Renders untrusted text in Markdown, always as code with a fence that the text cannot close. Used by comment and
// summary for every value that they show.

import { sanitise } from '../shared/sanitise.ts';

/**
 * Text as inline code. CommonMark 6.1: a code span ends only at a run of as many backticks as it began with, and one
 * space on both sides is dropped. GitHub makes no links and no mentions inside a code span.
 */
export function renderCode(text: string, maxLength?: number): string {
  const line = sanitise(text, maxLength);
  if (line.trim() === '') return '(empty)';
  const fence = '`'.repeat(longestRun(line) + 1);
  const pad = /^[ `]|[ `]$/.test(line) ? ' ' : '';
  return `${fence}${pad}${line}${pad}${fence}`;
}

/** Lines as one code block. CommonMark 4.5: only a fence of at least the same length closes it. */
export function renderCodeBlock(lines: readonly string[]): string {
  const clean = lines.map(line => sanitise(line));
  const fence = '`'.repeat(Math.max(3, ...clean.map(line => longestRun(line) + 1)));
  return [`${fence}text`, ...clean, fence].join('\n');
}

/** Longer than any sentence, so that `renderCode` cuts nothing: `renderSentence` has already limited the text. */
const MAX_CODE_LENGTH = 2_000;

/** Plain words, short numbers, and the punctuation around them: nothing of this is Markdown, a link or a mention. */
const WORD = /^[("']*[A-Za-z]+(?:['’][A-Za-z]+|-[A-Za-z]+)*[)"']*[.,:;!?]?[)"']*$|^\d{1,4}[,;%]?$|^[–—.,:;]$/;

/** One of our own sentences. Names and values in it, and text in backticks, become inline code. */
export function renderSentence(text: string, maxLength = 500): string {
  const pieces = sanitise(text, maxLength).split('`');
  return pieces
    .map(piece => piece.trim())
    .map((piece, index) =>
      index % 2 === 0 || piece === '' ? renderWords(piece) : renderCode(piece, maxLength),
    )
    .filter(piece => piece !== '')
    .join(' ')
    .replaceAll(/` ([.,:;])(?= |$)/g, '`$1');
}

/** Neighbours that are not plain words share one code span. */
function renderWords(text: string): string {
  const runs: { plain: boolean; words: string[] }[] = [];
  for (const word of text.split(' ').filter(word => word !== '')) {
    const plain = WORD.test(word);
    const last = runs.at(-1);
    if (last?.plain === plain) last.words.push(word);
    else runs.push({ plain, words: [word] });
  }
  return runs
    .map(({ plain, words }) => (plain ? words.join(' ') : renderCode(words.join(' '), MAX_CODE_LENGTH)))
    .join(' ');
}

/** A link with trusted Markdown as its text. An address that is not http(s) is shown as inline code. */
export function renderLink(markdown: string, address: string): string {
  const url = URL.parse(address);
  if (url === null || !/^https?:$/.test(url.protocol)) return renderCode(address);
  // The URL parser has already encoded `<`, `>`, spaces and controls everywhere except in the fragment.
  const target = url.href.replace(/[\\<>`\s]/g, encodeURIComponent).replaceAll('&', '&amp;');
  return `[${markdown}](<${target}>)`;
}

function longestRun(text: string): number {
  return Math.max(0, ...(text.match(/`+/g) ?? []).map(run => run.length));
}
