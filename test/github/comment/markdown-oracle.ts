// Finds the code in Markdown by the rules of CommonMark 0.31 for fenced blocks (4.5) and code spans (6.1),
// independently of src/. GitHub would interpret only the text outside the code. Used by escaping.test.ts and
// markdown.test.ts.

import fc from 'fast-check';

export interface Masked {
  /** The document with `▮` for each fenced block and each code span. */
  masked: string;
  /** What the masked pieces show, in order. */
  code: string[];
}

export function maskCode(markdown: string): Masked {
  const code: string[] = [];
  const lines: string[] = [];
  let fence: { run: string; content: string[] } | undefined;
  for (const line of markdown.split(/\r\n|\r|\n/)) {
    const run = /^ {0,3}(`{3,}|~{3,})([^`]*)$/.exec(line);
    if (fence) {
      const closes = /^ {0,3}(`{3,}|~{3,})[ \t]*$/.exec(line)?.[1];
      if (closes?.startsWith(fence.run)) {
        code.push(fence.content.join('\n'));
        lines.push('▮');
        fence = undefined;
      } else fence.content.push(line);
    } else if (run?.[1] !== undefined) fence = { run: run[1], content: [] };
    else lines.push(maskSpans(line, code));
  }
  if (fence) lines.push('an open fence');
  return { masked: lines.join('\n'), code };
}

/** A span opens at a run of backticks and ends at the next run of the same length; an unmatched run is text. */
function maskSpans(line: string, code: string[]): string {
  let masked = '';
  let position = 0;
  while (position < line.length) {
    const run = /^`+/.exec(line.slice(position))?.[0];
    if (run === undefined) {
      masked += line[position];
      position += 1;
      continue;
    }
    const start = position + run.length;
    const end = findRun(line, start, run.length);
    if (end === undefined) {
      masked += run;
      position = start;
      continue;
    }
    code.push(unpad(line.slice(start, end)));
    masked += '▮';
    position = end + run.length;
  }
  return masked;
}

function findRun(line: string, from: number, length: number): number | undefined {
  for (const match of line.slice(from).matchAll(/`+/g)) {
    if (match[0].length === length) return from + match.index;
  }
  return undefined;
}

function unpad(content: string): string {
  const padded = content.startsWith(' ') && content.endsWith(' ') && content.trim() !== '';
  return padded ? content.slice(1, -1) : content;
}

const BITS = [
  '`',
  '``',
  '```',
  '~~~',
  '\n',
  '\r',
  '\r\n',
  '-->',
  '<!--',
  '</details>',
  '<script>',
  '<img src=x>',
  '[x](http://e.vil)',
  '![',
  '](',
  '@mona',
  '#12',
  'http://e.vil',
  'www.e.vil',
  'a@e.vil',
  '|',
  '\\',
  '\\`',
  '**',
  '_',
  '~~',
  '&lt;',
  ':tada:',
  '$`x`$',
  '> ',
  '# ',
  '- ',
  '1. ',
  '\u202e',
  '\u2028',
  ' ',
  '  ',
  'GH-1',
  '[^1]',
  '---',
];

/** Text that tries to break out of code: special characters of Markdown and HTML, mixed with other text. */
export const hostileText = fc
  .array(fc.oneof(fc.constantFrom(...BITS), fc.string({ maxLength: 6, unit: 'grapheme' })), { maxLength: 12 })
  .map(parts => parts.join(''));
