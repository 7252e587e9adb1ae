// `_redirects` and `_headers` of a build: the files that Netlify, Cloudflare Pages, GitLab Pages and others share. Used
// by web.ts, and by page-check.ts and inputs/web.ts before the start. Syntax: https://docs.netlify.com/manage/routing/redirects/overview/,
// https://developers.cloudflare.com/pages/configuration/headers/.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../shared/errors.ts';
import { readProjectFile } from '../project/project-file.ts';
import { fillIn, type PathPattern, parsePattern } from './path-pattern.ts';

/** Where a rule of `_redirects` leads. `rewrite`: the file at this path is sent under the address that was asked for. */
export type Redirection =
  | { kind: 'redirect'; location: string; status: number }
  | { kind: 'rewrite'; path: string; status: number };

export interface HostRules {
  /** The first rule for a path. `isForced`: only those that come before files (`200!`); otherwise the others. */
  redirect(path: string, isForced: boolean): Redirection | undefined;
  /** The fields for a path, in the order of the file. */
  listFields(path: string): readonly (readonly [name: string, value: string])[];
  /** What is not done here: `_redirects, line 3: /x /y Country=au`. */
  ignored: readonly string[];
}

interface RedirectRule {
  pattern: PathPattern;
  to: string;
  status: number;
  isForced: boolean;
}

interface HeaderRule {
  pattern: PathPattern;
  fields: [name: string, value: string][];
}

/** They belong to hosts that do more than send files, or to their command lines. */
const OTHER_FILES = [
  'vercel.json',
  'netlify.toml',
  'staticwebapp.config.json',
  'firebase.json',
  'serve.json',
  '_worker.js',
  '.htaccess',
  'web.config',
];
const REDIRECTS = [301, 302, 303, 307, 308];
const REWRITES = [200, 404];
/** Not permanent, because the next commit has the same address. */
const DEFAULT_STATUS = 302;
/**
 * Fields that `_headers` does not decide: those of the bytes and the connection, caches (they would show an old commit
 * under the same address), and what holds for the whole host, on which other previews are too. Netlify's Basic-Auth is
 * no field of answers at all.
 */
const OWN_FIELDS = new Set([
  ...['content-type', 'content-length', 'content-encoding', 'content-range', 'transfer-encoding', 'trailer'],
  ...['connection', 'keep-alive', 'upgrade', 'te', 'date', 'etag', 'last-modified', 'accept-ranges', 'vary'],
  ...['cache-control', 'cdn-cache-control', 'netlify-cdn-cache-control', 'expires', 'pragma', 'location'],
  ...['strict-transport-security', 'alt-svc', 'clear-site-data', 'set-cookie', 'basic-auth'],
]);
const FIELD = /^([!#$%&'*+.^_`|~\w-]+):\s*([\t\x20-\x7e]*)$/;

/** Reads both files of the folder. One that cannot be read is `ignored`: the app may work without it. */
export function readHostRules(root: string): HostRules {
  const ignored: string[] = [];
  const redirects = readLines(root, '_redirects', ignored).flatMap(
    line => parseRedirect(line) ?? note(ignored, line),
  );
  const [forced, usual] = [redirects.filter(rule => rule.isForced), redirects.filter(rule => !rule.isForced)];
  const headers = parseHeaders(readLines(root, '_headers', ignored), ignored);
  return {
    redirect: (path, isForced) => findRedirection(isForced ? forced : usual, path),
    listFields: path => headers.filter(({ pattern }) => pattern.match(path)).flatMap(({ fields }) => fields),
    ignored: [...ignored, ...OTHER_FILES.filter(name => existsSync(join(root, name)))],
  };
}

/** A line that says something. */
interface Line {
  file: string;
  number: number;
  text: string;
}

function readLines(root: string, file: string, ignored: string[]): Line[] {
  return readText(root, file, ignored)
    .split(/\r?\n/)
    .map((text, index) => ({ file, number: index + 1, text: text.replace(/(^|\s)#.*$/, '').trimEnd() }))
    .filter(({ text }) => text !== '');
}

function readText(root: string, file: string, ignored: string[]): string {
  try {
    return readProjectFile(root, file) ?? '';
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    ignored.push(error.message.replace(/^path: /, ''));
    return '';
  }
}

function note(ignored: string[], { file, number, text }: Line): [] {
  ignored.push(`${file}, line ${number}: ${text.trim()}`);
  return [];
}

/** Undefined for a rule that cannot be kept: for other hosts, for countries or roles, with query parameters, a proxy. */
function parseRedirect({ text }: Line): RedirectRule | undefined {
  const [from = '', to = '', code = String(DEFAULT_STATUS), ...conditions] = text.trim().split(/\s+/);
  const pattern = parsePattern(from);
  const [, digits = '', force = ''] = /^(\d{3})(!?)$/.exec(code) ?? [];
  const status = Number(digits);
  const isLocal = to.startsWith('/');
  // A placeholder in the host would let visitors choose where a link of the preview leads.
  const isAddress = /^https?:\/\/[^/:?#@\\]+(:\d+)?([/?#]|$)/i.test(to);
  const isKept = isLocal
    ? [...REDIRECTS, ...REWRITES].includes(status)
    : isAddress && REDIRECTS.includes(status);
  if (pattern === undefined || !isKept || conditions.length > 0) return undefined;
  return { pattern, to, status, isForced: force !== '' };
}

function findRedirection(rules: readonly RedirectRule[], path: string): Redirection | undefined {
  for (const { pattern, to, status } of rules) {
    const values = pattern.match(path);
    if (values === undefined) continue;
    const target = fillIn(to, values);
    if (REWRITES.includes(status)) return { kind: 'rewrite', path: target.replace(/[?#].*$/s, ''), status };
    return { kind: 'redirect', location: stayHere(target), status };
  }
  return undefined;
}

/** `//x` and `/\x` would be another host. */
function stayHere(target: string): string {
  return target.replace(/^[/\\]+/, '/');
}

function parseHeaders(lines: readonly Line[], ignored: string[]): HeaderRule[] {
  const rules: HeaderRule[] = [];
  let open: HeaderRule | undefined;
  for (const line of lines) {
    if (!/^\s/.test(line.text)) {
      const pattern = parsePattern(line.text);
      open = pattern && { pattern, fields: [] };
      if (open === undefined) note(ignored, line);
      else rules.push(open);
      continue;
    }
    const [, name = '', value = ''] = FIELD.exec(line.text.trim()) ?? [];
    if (name === '' || OWN_FIELDS.has(name.toLowerCase()) || open === undefined) note(ignored, line);
    else open.fields.push([name, value]);
  }
  return rules;
}
