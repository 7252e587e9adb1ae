// Paths into a JSON document, such as `$.data.items[0].id`: the part of JSONPath (RFC 9535) that names values, without
// its filters. Used by conditions.ts.

import { InputError } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';

/** A member's name, an index (negative: from the end), or all members or items. */
type Step = { name: string } | { index: number } | 'all';

export interface JsonPath {
  readonly steps: readonly Step[];
}

/** A name behind a dot: more than RFC 9535 allows there, such as `object-id`, but nothing that looks like a comparison. */
const SHORT_NAME = /^\.([^\s.[\]='"!~<>*()?@,|&]+)/;
const QUOTED_NAME = /^\[\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*\]/s;
const INDEX = /^\[\s*(-?\d{1,9})\s*\]/;
const ALL = /^(?:\.\*|\[\s*\*\s*\])/;

/** Reads a path at the start of the text. Returns it with the rest of the text; throws an InputError with a reason. */
export function readJsonPath(text: string): { path: JsonPath; rest: string } {
  if (!text.startsWith('$')) throw new InputError('its path does not begin with $');
  const steps: Step[] = [];
  let rest = text.slice(1);
  while (/^[.[]/.test(rest)) {
    const { step, length } = readStep(rest);
    steps.push(step);
    rest = rest.slice(length);
  }
  return { path: { steps }, rest };
}

function readStep(text: string): { step: Step; length: number } {
  if (text.startsWith('..')) throw new InputError('`..` is not supported: write the whole path');
  const all = ALL.exec(text);
  if (all) return { step: 'all', length: all[0].length };
  const name = SHORT_NAME.exec(text);
  if (name?.[1] !== undefined) return { step: { name: name[1] }, length: name[0].length };
  const index = INDEX.exec(text);
  if (index) return { step: { index: Number(index[1]) }, length: index[0].length };
  const quoted = QUOTED_NAME.exec(text);
  if (quoted) return { step: { name: readEscapes(quoted[1] ?? quoted[2] ?? '') }, length: quoted[0].length };
  // Without VALUE, which may be a secret.
  const shown = sanitise(text.replace(/=.*/s, '=…'));
  throw new InputError(`its path cannot be read from '${shown}' on: write .name, ['any name'], [0] or [*]`);
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

function readEscapes(text: string): string {
  return text.replaceAll(/\\(?:u([\da-fA-F]{4})|(.))/gs, (_, code: string | undefined, sign: string) =>
    code === undefined ? (ESCAPES[sign] ?? sign) : String.fromCharCode(Number.parseInt(code, 16)),
  );
}

/** The values at the path: none, or one, or with `[*]` several. */
export function findValues(document: unknown, { steps }: JsonPath): unknown[] {
  let values = [document];
  for (const step of steps) values = values.flatMap(value => follow(value, step));
  return values;
}

function follow(value: unknown, step: Step): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  if (step === 'all') return Object.values(value);
  if ('name' in step)
    return !Array.isArray(value) && Object.hasOwn(value, step.name) ? [Reflect.get(value, step.name)] : [];
  if (!Array.isArray(value)) return [];
  const index = step.index < 0 ? value.length + step.index : step.index;
  return index in value ? [value[index]] : [];
}
