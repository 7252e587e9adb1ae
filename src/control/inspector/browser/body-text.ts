// Makes a body readable: which kind it is, indented JSON, and a hex dump. Pure, apart from decompression.

/** What came, whole or only its beginning. */
export interface Body {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
  /** Whether `bytes` is only the beginning. */
  readonly isCut: boolean;
}

export type BodyKind = 'json' | 'form' | 'multipart' | 'text' | 'binary';

/** More would freeze the page, and nobody reads it indented. */
const LONGEST_JSON = 4_000_000;

/** The text of a body; undefined if the bytes are not UTF-8 or hold NUL. */
export function readText({ bytes, isCut }: Body): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut });
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

export function detectKind({ contentType }: Body, text: string | undefined): BodyKind {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === 'multipart/form-data') return 'multipart';
  if (text === undefined) return 'binary';
  if (type === 'application/x-www-form-urlencoded') return 'form';
  if (/[/+]json$/.test(type) || /^\s*[[{]/.test(text)) return isJson(text) ? 'json' : 'text';
  return 'text';
}

function isJson(text: string): boolean {
  if (text.length > LONGEST_JSON) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const JSON_TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g;

/** Indents valid JSON. Numbers, escapes, order and repeated names stay as they came. */
export function indentJson(text: string): string {
  let [out, depth] = ['', 0];
  let last = '';
  for (const [token] of text.matchAll(JSON_TOKEN)) {
    const closes = token === ']' || token === '}';
    if (closes) depth -= 1;
    if (needsLine(last, closes)) out += `\n${'  '.repeat(depth)}`;
    out += token;
    if (token === ':') out += ' ';
    if (token === '[' || token === '{') depth += 1;
    last = token;
  }
  return out;
}

/** Empty lists and objects stay on one line. */
function needsLine(last: string, closes: boolean): boolean {
  const opened = last === '[' || last === '{';
  return closes ? !opened : opened || last === ',';
}

/** Lines of `00000010  48 65 …  He…`, from this offset on. */
export function renderHex(bytes: Uint8Array, offset: number, perLine: number): string {
  const rows: string[] = [];
  for (let from = 0; from < bytes.length; from += perLine) {
    const row = bytes.subarray(from, from + perLine);
    const hex = [...row].map(byte => byte.toString(16).padStart(2, '0')).join(' ');
    const text = [...row]
      .map(byte => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : '.'))
      .join('');
    rows.push(`${(offset + from).toString(16).padStart(8, '0')}  ${hex.padEnd(perLine * 3 - 1)}  ${text}`);
  }
  return rows.join('\n');
}

/** Content codings that browsers can undo. */
const FORMATS: Readonly<Record<string, 'gzip' | 'deflate'>> = {
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
};

export interface Decoded {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether there would be more, which was not decoded. */
  readonly isCut: boolean;
}

/** Undoes one content coding, up to `most` bytes; undefined if it is unknown, or the bytes are not what it says. */
export async function decode(body: Body, coding: string, most: number): Promise<Decoded | undefined> {
  const format = FORMATS[coding.trim().toLowerCase()];
  if (format === undefined || body.bytes.length === 0) return undefined;
  const reader = new Blob([body.bytes]).stream().pipeThrough(new DecompressionStream(format)).getReader();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  try {
    for (let chunk = await reader.read(); !chunk.done && length < most; chunk = await reader.read()) {
      chunks.push(chunk.value);
      length += chunk.value.length;
    }
  } catch {
    // Cut in the middle, or broken: what was decoded so far is shown.
    if (length === 0) return undefined;
    return { bytes: await join(chunks, most), isCut: true };
  }
  void reader.cancel().catch(() => {});
  return { bytes: await join(chunks, most), isCut: length >= most };
}

async function join(chunks: Uint8Array<ArrayBuffer>[], most: number): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob(chunks).slice(0, most).arrayBuffer());
}

/** The bytes of text or base64, as the API sends a body. */
export function readBytes(body: string, encoding: 'utf8' | 'base64'): Uint8Array<ArrayBuffer> {
  if (encoding === 'utf8') return new TextEncoder().encode(body);
  return Uint8Array.from(atob(body), character => character.charCodeAt(0));
}
