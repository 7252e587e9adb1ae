// The fields of a form in a body: application/x-www-form-urlencoded (WHATWG URL §5.1) and multipart/form-data (RFC
// 7578). Used by content.ts.

/** Name and value in the order of the body. */
export type FormFields = readonly (readonly [name: string, value: string])[];

/** Turns bytes into text, by the charset of the body. */
type Decode = (bytes: Buffer) => string;

/** A form with more fields is no webhook's. */
const MAX_FIELDS = 10_000;
const MAX_PART_HEADER_BYTES = 8 * 1024;

export function parseUrlEncoded(body: Buffer, decode: Decode): FormFields {
  return body
    .toString('latin1')
    .split('&', MAX_FIELDS)
    .filter(pair => pair !== '')
    .map(pair => {
      const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair) ?? [];
      return [decode(decodePercent(name)), decode(decodePercent(value))] as const;
    });
}

/** The bytes of a percent-encoded text; a `%` without two hexadecimal digits stays. */
function decodePercent(text: string): Buffer {
  const plain = text
    .replaceAll('+', ' ')
    .replaceAll(/%([\da-fA-F]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
  return Buffer.from(plain, 'latin1');
}

/** The text fields; files are left out. */
export function parseMultipart(body: Buffer, boundary: string, decode: Decode): FormFields {
  const fields: [string, string][] = [];
  for (const part of splitParts(body, `--${boundary}`)) {
    const end = part.subarray(0, MAX_PART_HEADER_BYTES).indexOf('\r\n\r\n');
    const disposition = /^content-disposition:\s*form-data(.*)$/im.exec(
      decode(part.subarray(0, Math.max(0, end))),
    );
    const name = readParameter(disposition?.[1] ?? '', 'name');
    if (end === -1 || name === undefined || readParameter(disposition?.[1] ?? '', 'filename') !== undefined)
      continue;
    fields.push([name, decode(part.subarray(end + 4))]);
  }
  return fields;
}

/** What stands between the delimiters, each of which begins a line. */
function* splitParts(body: Buffer, delimiter: string): Generator<Buffer> {
  // The first delimiter may begin the body.
  const whole = Buffer.concat([Buffer.from('\r\n'), body]);
  const mark = Buffer.from(`\r\n${delimiter}`, 'latin1');
  let start = whole.indexOf(mark);
  for (let count = 0; start !== -1 && count < MAX_FIELDS; count += 1) {
    const from = start + mark.length;
    const end = whole.indexOf(mark, from);
    // The header of a part begins on the line after the delimiter; the last delimiter ends with `--`.
    if (end === -1) return;
    yield whole.subarray(from + 2, end);
    start = end;
  }
}

/** Browsers write `"` in a name as `%22` (WHATWG HTML §4.10.21.8), others as `\"`. */
function readParameter(text: string, name: string): string | undefined {
  const found = new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]+))`, 'i').exec(text);
  return found?.[1]?.replaceAll(/\\(["\\])/g, '$1').replaceAll('%22', '"') ?? found?.[2];
}
