// The inputs about access and limits: who may open the preview, which paths need no key, how large a body may be. Used
// by inputs; supervisor/access.ts resolves `auto` when it is known whether the repository is public.

import { InputError } from '../shared/errors.ts';
import { splitItems } from '../shared/lines.ts';
import { findPatternProblem } from '../shared/path-patterns.ts';
import type { Protocol } from '../shared/state.ts';
import type { InputSource, Problems } from './problems.ts';
import { parseBoolean, parseBytes, parseChoice } from './values.ts';

const ACCESS_WORDS = ['auto', 'open', 'link', 'basic'] as const;

export const DEFAULT_MAX_BODY = '25MB';

/** Shorter keys can be guessed; 16 characters of base64 are 96 bits, of hex 64. */
const MIN_KEY_LENGTH = 16;
/**
 * The access that the workflow requests. `auto` depends on the repository; a link without a key gets a generated one.
 */
export type RequestedAccess =
  | { kind: 'auto' }
  | { kind: 'open' }
  | { kind: 'link'; key: string | undefined }
  | { kind: 'basic'; user: string; password: string };

export interface GatewayInputs {
  access: RequestedAccess;
  publicPaths: string[];
  /** Longest body of a request, in bytes. */
  maxBodyBytes: number;
  /** Whether answers are compressed for visitors who accept that. */
  compress: boolean;
}

/** Notes every problem in `problems`; throws if there is one. */
export function parseGatewayInputs(read: InputSource, protocol: Protocol, problems: Problems): GatewayInputs {
  const text = (name: string) => read(name).trim();
  const access = problems.check(() => parseAccess(text('access'), text('access-key'), text('basic-auth')));
  const publicPaths = problems.check(() => parsePatterns(read('public-paths'), 'public-paths'));
  const maxBodyBytes = problems.check(() => parseBytes(text('max-body') || DEFAULT_MAX_BODY, 'max-body'));
  const compress = problems.check(() => parseBoolean(text('compress'), 'compress', true));
  if (protocol === 'tcp') {
    problems.check(() => checkTcpAccess(access.value));
    problems.check(() => checkTcpUse('public-paths', text('public-paths'), '', 'there are no paths'));
    problems.check(() =>
      checkTcpUse('max-body', text('max-body'), DEFAULT_MAX_BODY, 'there are no requests with a body'),
    );
  }
  return {
    access: access.value,
    publicPaths: publicPaths.value,
    maxBodyBytes: maxBodyBytes.value,
    compress: compress.value,
  };
}

/** With `access: auto`, a key means link and a password means basic. No message shows either of them. */
function parseAccess(accessText: string, key: string, basicAuth: string): RequestedAccess {
  const word = parseChoice(accessText || 'auto', 'access', ACCESS_WORDS);
  if (key !== '' && basicAuth !== '')
    throw new InputError('`access-key` and `basic-auth` are both given: leave one of the two out');
  const meant = word !== 'auto' ? word : key !== '' ? 'link' : basicAuth !== '' ? 'basic' : 'auto';
  if (key !== '' && meant !== 'link') throw refuseUnused('access-key', meant, 'link');
  if (basicAuth !== '' && meant !== 'basic') throw refuseUnused('basic-auth', meant, 'basic');
  switch (meant) {
    case 'link':
      return { kind: 'link', key: key === '' ? undefined : parseKey(key) };
    case 'basic':
      return { kind: 'basic', ...parseBasicAuth(basicAuth) };
    default:
      return { kind: meant };
  }
}

function refuseUnused(input: string, meant: string, wanted: string): InputError {
  return new InputError(
    `\`${input}\` is given, and \`access\` is ${meant}, which does not use it: write access: ${wanted}, or leave it out`,
  );
}

function parseKey(key: string): string {
  if (key.length < MIN_KEY_LENGTH)
    throw new InputError(
      `\`access-key\` has ${key.length} characters, and could be guessed: use ${MIN_KEY_LENGTH} or more, for instance those of \`openssl rand -hex 32\``,
    );
  if (/^[\x21-\x7e]{1,512}$/.test(key)) return key;
  throw new InputError(
    '`access-key` has spaces, line breaks or special characters, or is longer than 512 characters: use letters and digits, for instance those of `openssl rand -hex 32`',
  );
}

function parseBasicAuth(text: string): { user: string; password: string } {
  if (text === '')
    throw new InputError(
      '`access` is basic, and `basic-auth` is empty: is the secret it comes from set? Write user:password',
    );
  const colon = text.indexOf(':');
  const [user, password] = [text.slice(0, Math.max(0, colon)), text.slice(colon + 1)];
  if (user !== '' && password !== '' && !/\p{Cc}/u.test(text)) return { user, password };
  throw new InputError('`basic-auth` is not written like user:password, on one line');
}

/** The path patterns of an input: one per line, or separated by commas. */
export function parsePatterns(text: string, input: string): string[] {
  const patterns = splitItems(text);
  const problems = patterns.flatMap(pattern => {
    const problem = findPatternProblem(pattern);
    return problem === undefined
      ? []
      : [`\`${input}\` has '${pattern}', which ${problem}: write patterns like /webhooks/**`];
  });
  if (problems.length > 0) throw new InputError(problems);
  return patterns;
}

/** The gateway asks for keys and passwords, and with `protocol: tcp` there is no gateway. */
function checkTcpAccess({ kind }: RequestedAccess): void {
  if (kind === 'link' || kind === 'basic')
    throw new InputError(
      `\`access\` is ${kind}, and \`protocol\` is tcp, which has no gateway to ask for it: write access: open, and let the app have a password of its own`,
    );
}

/** Throws if an input that needs a gateway is given with `protocol: tcp`. */
export function checkTcpUse(input: string, text: string, fallback: string, why: string): void {
  if (text !== '' && text !== fallback)
    throw new InputError(`\`${input}\` cannot be used with \`protocol: tcp\`: ${why}; leave it out`);
}
