// Header fields as Node gives them: names and values in turn, as on the wire. Used by every file of the
// gateway that reads, changes or writes a whole head. Pure.

/** `[name, value, name, value, …]`; names in any case. */
export type RawHeaders = readonly string[];

/** Calls `onField` for each field, in order. */
export function forEachField(raw: RawHeaders, onField: (name: string, value: string) => void): void {
  for (let index = 0; index + 1 < raw.length; index += 2) onField(raw[index] ?? '', raw[index + 1] ?? '');
}

/** Letters, digits and hyphens, as most names have. */
const PLAIN_NAME = /^[a-z\d-]*$/;

/**
 * The name as CGI-style servers read it, which know letters, digits and one other character (RFC 3875, 4.1.18): they cannot
 * distinguish `X_Forwarded_For`, and some not even `X.Forwarded.For`, from `X-Forwarded-For`. `key` is in lower case.
 */
export function foldName(key: string): string {
  return PLAIN_NAME.test(key) ? key : key.replaceAll(/[^a-z\d]/g, '-');
}

/** `wanted` is in lower case. The length is compared first, because few names have it. */
function isName(name: string | undefined, wanted: string): boolean {
  return name?.length === wanted.length && name.toLowerCase() === wanted;
}

/** How many fields have this lower-case name. */
export function countFields(raw: RawHeaders, wanted: string): number {
  let count = 0;
  forEachField(raw, name => {
    if (isName(name, wanted)) count += 1;
  });
  return count;
}

/** Changes the value of each field of this lower-case name; a field whose value becomes empty is removed. */
export function rewriteFields(raw: string[], wanted: string, rewrite: (value: string) => string): void {
  for (let index = raw.length - 2; index >= 0; index -= 2) {
    if (!isName(raw[index], wanted)) continue;
    const value = rewrite(raw[index + 1] ?? '');
    if (value === '') raw.splice(index, 2);
    else raw[index + 1] = value;
  }
}
