// The one sanitiser for every text that visitors, apps and pull requests can influence. Used wherever such a text is
// printed, logged or put into a message.

/** Longest piece of untrusted text that is shown, in characters. */
export const MAX_UNTRUSTED_LENGTH = 200;

// C0 and C1 controls (ANSI sequences begin with one), line and paragraph separators, bidi and zero-width controls.
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/**
 * Makes text harmless for a terminal and for the runner, which reads commands out of log lines: `::name::` at the
 * start of a line, `##[name]` anywhere in it, and a bare CR ends a line too (actions/runner, ActionCommand.cs).
 * The result is one line of at most `maxLength` characters.
 */
export function sanitise(text: string, maxLength = MAX_UNTRUSTED_LENGTH): string {
  const clean = shorten(text, maxLength)
    .replace(UNSAFE, escapeCharacter)
    .replaceAll('##[', '#\\x23[')
    .replace(/^(\s*:):/u, '$1\\x3a');
  // Cut again: escaping makes text longer.
  return shorten(clean, maxLength);
}

/** Makes text of several lines harmless, line by line, without a limit of length. */
export function sanitiseLines(text: string): string {
  return text
    .split('\n')
    .map(line => sanitise(line, Number.POSITIVE_INFINITY))
    .join('\n');
}

/**
 * JSON on one line, harmless for a terminal and for the runner, wherever it is printed or saved: the characters that could
 * harm are written as `\\uXXXX`, so that it says the same.
 */
export function renderJson(value: unknown): string {
  const json = JSON.stringify(value);
  const escaped = hasOnlyAscii(json)
    ? json
    : json.replace(UNSAFE, text =>
        Array.from({ length: text.length }, (_, at) => escapeUnit(text, at)).join(''),
      );
  return escaped.replaceAll('##[', '#\\u0023[');
}

/** Without DEL. JSON has no other control, and to search for each costs as much as to render it. */
function hasOnlyAscii(json: string): boolean {
  return Buffer.byteLength(json) === json.length && !json.includes('\u007f');
}

function escapeUnit(text: string, at: number): string {
  return `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`;
}

function shorten(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text.toWellFormed();
  return `${text.slice(0, Math.max(0, maxLength - 1)).toWellFormed()}…`;
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}
