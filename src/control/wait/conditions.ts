// The conditions of a wait: `header:NAME=VALUE`, `json:$.a.b=VALUE`, `form:NAME=VALUE`. Used by wait.ts.

import { REDACTED } from '../../shared/body-redaction.ts';
import { InputError } from '../../shared/errors.ts';
import { isSecretField, isSecretHeader, isSecretParameter } from '../../shared/redaction.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { type RequestContent, UnreadableError } from './content.ts';
import { ExactNumber, isSameNumber } from './exact-json.ts';
import { findValues, type JsonPath, readJsonPath } from './json-path.ts';

export interface Condition {
  /** As it was given, without a secret value. */
  readonly text: string;
  /** Why it does not hold, such as `json:$.action is "opened", not "closed"`; undefined if it holds. */
  findProblem(content: RequestContent): string | undefined;
}

/** Longest value in a message, and how many of several. */
const MAX_SHOWN_LENGTH = 60;
const MAX_SHOWN = 3;
/** JavaScript numbers tell all numbers of 15 digits apart. */
const MAX_PRECISE_LENGTH = 15;

const KINDS: Readonly<Record<string, (rest: string, signatureHeaders: readonly string[]) => Condition>> = {
  header: parseHeader,
  json: parseJson,
  form: parseForm,
};

/**
 * Throws an InputError that says what is wrong with the condition. `signatureHeaders`: names in lower case of header
 * fields whose values no message may show, beside those of redaction.ts.
 */
export function parseCondition(text: string, signatureHeaders: readonly string[] = []): Condition {
  const [, kind = '', rest = ''] = /^([a-z]+):(.*)$/s.exec(text.trim()) ?? [];
  const parse = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  try {
    if (parse === undefined)
      throw new InputError('write header:NAME=VALUE, json:$.a.b=VALUE or form:NAME=VALUE');
    return parse(rest, signatureHeaders);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // Without VALUE, which may be a secret.
    throw new InputError(`\`match\` has '${sanitise(text.replace(/=.*/s, '=…'))}': ${error.message}`);
  }
}

function parseHeader(rest: string, signatureHeaders: readonly string[]): Condition {
  const { name, wanted } = splitPair(rest);
  if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name))
    throw new InputError(`'${name}' is not the name of a header field`);
  // Node reads the bytes of a header as Latin-1; most senders write UTF-8.
  const accepted = [wanted, Buffer.from(wanted).toString('latin1')];
  const label = `header:${name.toLowerCase()}`;
  const isSecret = isSecretHeader(name) || signatureHeaders.includes(name.toLowerCase());
  return compareText(
    label,
    isSecret,
    wanted,
    content => content.header(name),
    value => accepted.includes(value),
  );
}

function parseForm(rest: string): Condition {
  const { name, wanted } = splitPair(rest);
  const read = (content: RequestContent) =>
    content.form().flatMap(([field, value]) => (field === name ? [value] : []));
  return compareText(`form:${name}`, isSecretParameter(name), wanted, read, value => value === wanted);
}

function splitPair(rest: string): { name: string; wanted: string } {
  const end = rest.indexOf('=');
  const name = rest.slice(0, end).trim();
  if (end === -1) throw new InputError('it has no =VALUE');
  if (name === '') throw new InputError('it has no NAME');
  return { name, wanted: rest.slice(end + 1) };
}

/** Holds if one of the values is the wanted one. */
function compareText(
  label: string,
  isSecret: boolean,
  wanted: string,
  read: (content: RequestContent) => string[],
  isWanted: (value: string) => boolean,
): Condition {
  const show = (value: string) => (isSecret ? REDACTED : quote(value));
  return {
    text: `${label}=${isSecret ? REDACTED : sanitise(wanted)}`,
    findProblem: content =>
      explain(label, () => {
        const values = read(content);
        return values.some(isWanted) ? undefined : describeDifference(values.map(show), show(wanted));
      }),
  };
}

/** What the VALUE of a `json:` condition stands for. */
type Wanted = { kind: 'number'; text: string } | { kind: 'other'; value: string | boolean | null };

function parseJson(rest: string): Condition {
  const { path, rest: behind } = readJsonPath(rest);
  const pathText = rest.slice(0, rest.length - behind.length);
  if (behind === '') throw new InputError('it has no =VALUE');
  if (!behind.startsWith('='))
    throw new InputError(
      `'=' is expected after '${pathText}', not '${sanitise(behind.replace(/=.*/s, '=…'), 20)}'`,
    );
  if (behind.startsWith('=='))
    throw new InputError('write one = only, or json:$.a="=…" for a text that begins with =');
  const wanted = parseWanted(behind.slice(1));
  const isSecret = path.steps.some(
    step => typeof step === 'object' && 'name' in step && isSecretField(step.name),
  );
  const show = (value: unknown) => (isSecret ? REDACTED : describeValue(value));
  const label = `json:${sanitise(pathText)}`;
  return {
    text: `${label}=${isSecret ? REDACTED : sanitise(behind.slice(1))}`,
    findProblem: content =>
      explain(label, () => {
        const values = readValues(content, path, wanted);
        return values.some(value => isWantedValue(value, wanted))
          ? undefined
          : describeDifference(
              values.map(show),
              show(wanted.kind === 'number' ? new ExactNumber(wanted.text) : wanted.value),
            );
      }),
  };
}

/** VALUE is read as JSON if it is a number, `true`, `false`, `null` or a text in quotes, and otherwise as a text. */
function parseWanted(text: string): Wanted {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'number') return { kind: 'number', text: text.trim() };
    if (typeof value === 'string' || typeof value === 'boolean' || value === null)
      return { kind: 'other', value };
  } catch {
    // A text without quotes.
  }
  return { kind: 'other', value: text };
}

/** The values at the path. They are read once more, exactly, if JavaScript may have rounded one that matters. */
function readValues(content: RequestContent, path: JsonPath, wanted: Wanted): unknown[] {
  const values = findValues(content.json(), path);
  const isLong = wanted.kind === 'number' && wanted.text.length > MAX_PRECISE_LENGTH;
  const isRounded = (value: unknown) =>
    typeof value === 'number' && (isLong || Math.abs(value) > Number.MAX_SAFE_INTEGER);
  return values.some(isRounded) ? findValues(content.exactJson(), path) : values;
}

function isWantedValue(value: unknown, wanted: Wanted): boolean {
  if (wanted.kind === 'other') return value === wanted.value;
  if (typeof value === 'number') return value === Number(wanted.text);
  return value instanceof ExactNumber && isSameNumber(value.text, wanted.text);
}

/** The problem, or why the body cannot be read. */
function explain(label: string, find: () => string | undefined): string | undefined {
  try {
    const difference = find();
    return difference === undefined ? undefined : `${label} ${difference}`;
  } catch (error) {
    if (error instanceof UnreadableError) return `${label} cannot be read: the body ${error.message}`;
    throw error;
  }
}

function describeDifference(found: readonly string[], wanted: string): string {
  if (found.length === 0) return 'is missing';
  const shown = found.slice(0, MAX_SHOWN).join(', ');
  const more = found.length > MAX_SHOWN ? ` … (${found.length} values)` : '';
  return `is ${shown}${more}, not ${wanted}`;
}

function describeValue(value: unknown): string {
  if (value instanceof ExactNumber) return `the number ${sanitise(value.text, MAX_SHOWN_LENGTH)}`;
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'number') return `the number ${value}`;
  return typeof value === 'string' ? quote(value) : String(value);
}

function quote(value: string): string {
  return `"${sanitise(value, MAX_SHOWN_LENGTH)}"`;
}
