// Blanks fields of JSON and form bodies by their names. Used by redaction.ts. Everything else stays byte for byte, and a
// body that is not well formed, or was cut off, is treated as far as it goes. Takes time in proportion to the length,
// whatever a sender writes.

/** What stands in place of a value. */
export const REDACTED = '[redacted]';

/**
 * The end of the name of a JSON field that holds a credential, up to its value; or of a name in which characters are
 * written as `\uXXXX`. Inside of a string, no quote is without a backslash.
 */
const SECRET_NAME_END =
  /(?:tokens?|secrets?|pass[-_.]?words?|passwd|pwd|pass[-_.]?phrase|(?:api|access|private)[-_.]?keys?|signatures?|hmac|jwt|credentials?|authorization|(\\u[0-9a-f]{4}[^"\\]{0,50}))"\s*:\s*/gi;

/** Longer names are not those of credentials. */
const MAX_NAME_LENGTH = 200;

/** The beginning of a string, a bracket, or another value. */
const TOKEN = /["[\]{}]|[^\s"[\]{},:]+/g;

/**
 * Blanks the strings and numbers in fields whose names end in one of those words; of a list or an object, all of them.
 */
export function redactJson(text: string): string {
  const parts: string[] = [];
  let done = 0;
  const nameEnd = new RegExp(SECRET_NAME_END);
  for (let found = nameEnd.exec(text); found !== null; found = nameEnd.exec(text)) {
    const start = nameEnd.lastIndex;
    if (found[1] !== undefined && !hasSecretName(text, found.index + found[0].indexOf('"'))) continue;
    const { values, end } = readValue(text, start);
    for (const [from, to] of values) {
      parts.push(text.slice(done, from), `"${REDACTED}"`);
      done = to;
    }
    nameEnd.lastIndex = end;
  }
  return parts.length === 0 ? text : [...parts, text.slice(done)].join('');
}

/** `isSecret` gets a name as it came. JSON in a field, as GitHub and Slack send it, is searched too. */
export function redactForm(text: string, isSecret: (name: string) => boolean): string {
  return text
    .split('&')
    .map(pair => {
      const equals = pair.indexOf('=');
      if (equals === -1 || equals === pair.length - 1) return pair;
      const name = pair.slice(0, equals);
      return `${name}=${isSecret(name) ? REDACTED : redactFormValue(pair.slice(equals + 1))}`;
    })
    .join('&');
}

function redactFormValue(value: string): string {
  if (!/^(?:[[{]|%5b|%7b|\+|%20)/i.test(value)) return value;
  const text = decode(value);
  if (text === undefined || !/^\s*[[{]/.test(text)) return value;
  const redacted = redactJson(text);
  return redacted === text ? value : encodeURIComponent(redacted);
}

function decode(value: string): string | undefined {
  try {
    return decodeURIComponent(value.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

/**
 * Where the strings and numbers of the value at `start` are (of a list or an object, all but the names), and where it
 * ends.
 */
function readValue(text: string, start: number): { values: [from: number, to: number][]; end: number } {
  const values: [from: number, to: number][] = [];
  const token = new RegExp(TOKEN);
  token.lastIndex = start;
  let depth = 0;
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    const [sign] = found;
    if (sign === '[' || sign === '{') depth += 1;
    else if (sign === ']' || sign === '}') depth -= 1;
    else {
      if (sign === '"') token.lastIndex = findEnd(text, found.index);
      const isName = depth > 0 && sign === '"' && isBefore(text, token.lastIndex, ':');
      if (!isName && !/^(?:true|false|null)$/.test(sign)) values.push([found.index, token.lastIndex]);
    }
    if (depth <= 0) return { values, end: token.lastIndex };
  }
  return { values, end: text.length };
}

/** The index behind the closing quote of the string that begins at `start`; the length of the text if there is none. */
function findEnd(text: string, start: number): number {
  for (let from = start + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote === -1) return text.length;
    let slashes = 0;
    while (quote - slashes > from && text[quote - 1 - slashes] === '\\') slashes += 1;
    from = quote + 1;
    if (slashes % 2 === 0) return from;
  }
}

function isBefore(text: string, index: number, sign: string): boolean {
  let next = index;
  while (/\s/.test(text[next] ?? '')) next += 1;
  return text[next] === sign;
}

/** Whether the string whose closing quote is at `quote` is the name of such a field, once it is decoded. */
function hasSecretName(text: string, quote: number): boolean {
  const start = text.lastIndexOf('"', quote - 1);
  if (start === -1 || quote - start > MAX_NAME_LENGTH) return false;
  try {
    const name = String(JSON.parse(text.slice(start, quote + 1)));
    return new RegExp(SECRET_NAME_END).test(`${name}":`);
  } catch {
    return false;
  }
}
