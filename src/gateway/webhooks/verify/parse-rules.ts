// Turns the text of `verify` into rules. Used by inputs/webhooks.ts, and by exposure/signature-check.ts for a rule that is
// given to the control API or the command line. No message contains a secret, nor a word that may be a part of one.

import { InputError } from '../../../shared/errors.ts';
import { findPatternProblem } from '../../../shared/path-patterns.ts';
import type { GivenRule } from '../../../shared/signature-check.ts';
import { isUnsigned, UNSIGNED_HANDSHAKES, type UnsignedHandshake } from '../handshakes.ts';
import { PROVIDERS } from './providers.ts';
import {
  ENCODINGS,
  HMAC_PROVIDERS,
  type HmacRule,
  NAMED_PROVIDERS,
  type SignatureFormat,
  type SignatureRule,
} from './rule.ts';

const OPTIONS = ['header', 'encoding', 'prefix', 'separator', 'handshake'] as const;
type Options = Partial<Record<(typeof OPTIONS)[number], string>>;

/** The words of one line; a quoted one without its quotes. */
interface Line {
  /** From 1. */
  number: number;
  provider: string;
  path: string;
  secret: string;
  options: string[];
}

const EXAMPLE = 'write PROVIDER PATH SECRET, like github /webhooks/github SECRET';

/** One rule a line; empty lines and those that begin with # are skipped. Throws an InputError with every problem. */
export function parseRules(text: string): SignatureRule[] {
  const problems: string[] = [];
  const rules: SignatureRule[] = [];
  const seen = new Map<string, number>();
  for (const line of splitLines(text)) {
    const fail = (problem: string) => problems.push(`\`verify\`, line ${line.number}${problem}`);
    try {
      const rule = parseRule(line);
      const key = JSON.stringify([rule.provider, rule.path, rule.secret]);
      const before = seen.get(key);
      if (before !== undefined)
        fail(` (${rule.provider} ${rule.path}): it is the same rule as line ${before}`);
      else rules.push(rule);
      seen.set(key, line.number);
    } catch (error) {
      if (!(error instanceof RuleError)) throw error;
      fail(error.message);
    }
  }
  if (problems.length > 0) throw new InputError(problems);
  return rules;
}

/**
 * The texts of all lines that are secrets, or may be parts of one that is written wrongly: to be masked before anything
 * is printed. Never throws.
 */
export function listRuleSecrets(text: string): string[] {
  return splitLines(text).flatMap(({ provider, path, secret, options }) => [
    ...(isPlainWord(provider) ? [] : [provider]),
    ...(path.startsWith('/') && secret !== '' ? [] : [path]),
    secret,
    ...options.filter(option => !isOption(option)),
  ]);
}

/** The rule, for any path. Throws an InputError. */
export function makeRule({ provider, secret, options }: GivenRule): SignatureRule {
  const words = Object.entries(options).map(([name, value]) => `${name}=${value}`);
  try {
    return parseRule({ number: 0, provider, path: '/**', secret: secret.trim(), options: words });
  } catch (error) {
    if (error instanceof RuleError) throw new InputError(`the rule${error.message}`);
    throw error;
  }
}

class RuleError extends Error {}

function splitLines(text: string): Line[] {
  return text.split('\n').flatMap((line, index) => {
    const words = splitWords(line);
    const [provider = '', path = '', third = ''] = words;
    if (provider === '' || provider.startsWith('#')) return [];
    // An expression without a value leaves no word, and the first option takes its place.
    const isMissing = !line.includes('"') && isOption(third);
    const secret = isMissing ? '' : third;
    return [{ number: index + 1, provider, path, secret, options: words.slice(isMissing ? 2 : 3) }];
  });
}

/** A word, or one in double quotes with `\"` and `\\` in it; the value of an option may be quoted too. */
const WORD = /((?:header|encoding|prefix|separator|handshake)=)?"((?:[^"\\]|\\.)*)"(?=\s|$)|(\S+)/g;

function splitWords(line: string): string[] {
  return [...line.matchAll(WORD)].map(([, name = '', quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : `${name}${quoted.replaceAll(/\\(.)/g, '$1')}`,
  );
}

function isOption(word: string): boolean {
  return OPTIONS.some(name => word.startsWith(`${name}=`));
}

/** A word that nobody uses as a secret, so that a message may show it. */
function isPlainWord(word: string): boolean {
  return /^(?:[a-z][a-z-]{0,19}|hmac-sha\d+)$/i.test(word);
}

/** Throws a RuleError, whose message goes behind "`verify`, line N". */
function parseRule({ provider, path, secret, options: words }: Line): SignatureRule {
  const word = provider.toLowerCase();
  const named = NAMED_PROVIDERS.find(name => name === word);
  const hmac = HMAC_PROVIDERS.find(name => name === word);
  const known = named ?? hmac;
  if (known === undefined) throw new RuleError(describeUnknown(word));
  if (!path.startsWith('/'))
    throw new RuleError(` (${known}): there is no path that begins with / behind it: ${EXAMPLE}`);
  if (secret === '')
    throw new RuleError(
      ` (${known}): the secret is empty: is the secret that it comes from set? If the provider shows it only after a first request succeeded, list the path in \`public-paths\` until then (docs/verify.md)`,
    );
  const fail = (problem: string) => new RuleError(` (${known} ${path}): ${problem}`);
  const problem = findPatternProblem(path);
  if (problem !== undefined) throw fail(`the path ${problem}: write a pattern like /webhooks/github`);
  if (/^".*[^"]$|^"$/.test(secret)) throw fail('the quotation mark before the secret is not closed');
  const options = parseOptions(words, fail);
  const handshakes = parseHandshakes(options.handshake, fail);
  if (hmac !== undefined)
    return { provider: hmac, path, secret, handshakes, ...parseFormat(hmac, options, fail) };
  if (named === undefined) throw new RuleError(describeUnknown(word));
  const superfluous = OPTIONS.find(name => name !== 'handshake' && options[name] !== undefined);
  if (superfluous !== undefined)
    throw fail(`\`${superfluous}\` is only for ${HMAC_PROVIDERS.join(' and ')}: leave it out`);
  const wrong = PROVIDERS[named].findSecretProblem?.(secret);
  if (wrong !== undefined) throw fail(`the secret ${wrong}`);
  return { provider: named, path, secret, handshakes };
}

type Fail = (problem: string) => RuleError;

function parseOptions(words: readonly string[], fail: Fail): Options {
  const options: Options = {};
  for (const word of words) {
    const name = OPTIONS.find(one => word.startsWith(`${one}=`));
    if (name === undefined) throw fail(describeUnknownOption(word));
    if (options[name] !== undefined) throw fail(`\`${name}\` is given twice`);
    options[name] = word.slice(name.length + 1);
  }
  return options;
}

/** The word may be a part of the secret, so only what was probably meant is shown. */
function describeUnknownOption(word: string): string {
  const meant = word.includes('=') ? findNearest(word.slice(0, word.indexOf('=')), OPTIONS) : undefined;
  return meant === undefined
    ? `there is something behind the secret that is not an option (${OPTIONS.map(name => `${name}=…`).join(', ')}): put a secret with spaces in double quotes`
    : `there is an option that is not known: did you mean ${meant}=…?`;
}

function parseHandshakes(text: string | undefined, fail: Fail): UnsignedHandshake[] {
  if (text === undefined) return [];
  const words = text.split(',').map(word => word.trim().toLowerCase());
  const handshakes = words.filter(isUnsigned);
  if (handshakes.length < words.length)
    throw fail(
      `\`handshake\` is '${text}': write ${UNSIGNED_HANDSHAKES.join(', ')}, or several with commas between them`,
    );
  return [...new Set(handshakes)];
}

function parseFormat(provider: HmacRule['provider'], options: Options, fail: Fail): SignatureFormat {
  const { header = '', encoding: encodingText = 'hex', prefix = '', separator = '' } = options;
  if (header === '')
    throw fail(
      `it does not say which header has the signature: write ${provider} PATH SECRET header=X-Signature encoding=hex`,
    );
  // RFC 9110, 5.6.2.
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(header)) throw fail('`header` is not the name of a header');
  const encoding = ENCODINGS.find(one => one === encodingText.toLowerCase());
  if (encoding === undefined)
    throw fail(`\`encoding\` is '${encodingText}': write ${ENCODINGS.join(' or ')}`);
  return { header, encoding, prefix, separator };
}

/** What people write who know a provider by another name → the rule for it. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  svix: 'standard-webhooks PATH SECRET',
  gitea: 'hmac-sha256 PATH SECRET header=X-Gitea-Signature',
  meta: 'hmac-sha256 PATH SECRET header=X-Hub-Signature-256 prefix=sha256= handshake=meta',
  facebook: 'hmac-sha256 PATH SECRET header=X-Hub-Signature-256 prefix=sha256= handshake=meta',
  whatsapp: 'hmac-sha256 PATH SECRET header=X-Hub-Signature-256 prefix=sha256= handshake=meta',
  linear: 'hmac-sha256 PATH SECRET header=Linear-Signature',
  dropbox: 'hmac-sha256 PATH SECRET header=X-Dropbox-Signature handshake=dropbox',
};

function describeUnknown(word: string): string {
  const shown = isPlainWord(word) ? `: '${word}' is not a provider` : ': it does not begin with a provider';
  const other = Object.hasOwn(OTHER_NAMES, word) ? OTHER_NAMES[word] : findNearest(word, NAMED_PROVIDERS);
  if (other !== undefined) return `${shown}: did you mean ${other}?`;
  return `${shown}: write one of ${NAMED_PROVIDERS.join(', ')}, or for any other ${HMAC_PROVIDERS.join(' or ')}`;
}

/** The one that needs fewest changes, if these are few. */
function findNearest(word: string, names: readonly string[]): string | undefined {
  const ranked = names
    .map(name => ({ name, changes: countChanges(word.toLowerCase().slice(0, 30), name) }))
    .sort((a, b) => a.changes - b.changes);
  return ranked.find(({ name, changes }) => changes <= Math.max(1, Math.floor(name.length / 3)))?.name;
}

/** Letters to insert, remove or replace (Levenshtein distance). */
function countChanges(from: string, to: string): number {
  let row = [...Array(to.length + 1).keys()];
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (const [column, wanted] of [...to].entries())
      next.push(
        Math.min(
          (next[column] ?? 0) + 1,
          (row[column + 1] ?? 0) + 1,
          (row[column] ?? 0) + (letter === wanted ? 0 : 1),
        ),
      );
    row = next;
  }
  return row.at(-1) ?? 0;
}
