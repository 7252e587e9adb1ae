// `mode: web`: a folder with a built web app, answered by a handler inside this process. Used by app.ts.

import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../shared/errors.ts';
import type { HttpRequest, HttpResponse } from '../../shared/http-message.ts';
import { type Logger, silentLogger } from '../../shared/log.ts';
import { sanitise } from '../../shared/sanitise.ts';
import type { Handler, Refuse } from '../../shared/state.ts';
import { dropUpgrade } from '../../shared/upgrade-policy.ts';
import type { AppSpec, Program } from '../program.ts';
import { START_PAGES } from '../project/start-page.ts';
import { NO_BASE, stripBase } from './base-path.ts';
import { hasFile } from './files.ts';
import { type HostRules, type Redirection, readHostRules } from './host-files.ts';
import { INDEX, lookUp, type OpenFile, openFile, type Target } from './lookup.ts';
import { sendFile } from './response.ts';
import { chooseStored } from './stored-encoding.ts';
import { Variants } from './variants.ts';

type WebSpec = Extract<AppSpec, { mode: 'web' }>;

/** Sent with status 404 (all static hosts), and with 200 for pages that the app's own router knows (Surge, sirv). */
const ERROR_PAGE = '/404.html';
const FALLBACK_PAGE = '/200.html';

/** Characters of a log line. */
const MAX_LISTED = 1_000;

/** Starts no process. Files are looked up with every request, so that a rebuilt app is served at once. */
export async function startWeb(
  spec: WebSpec,
  { logger = silentLogger, isPlain = false }: { logger?: Logger; isPlain?: boolean } = {},
): Promise<Program> {
  const root = await realpath(spec.path).catch((cause: unknown) => {
    throw new AppError(`the folder ${sanitise(spec.path)} cannot be read; check \`path\``, {
      cause,
      restartable: false,
    });
  });
  const page = START_PAGES.find(name => hasFile(root, `/${name}`));
  if (page === undefined)
    throw new AppError(
      `${sanitise(root)} has no ${INDEX} to serve; give \`path\` the folder of the built app`,
      { restartable: false },
    );
  const { size } = await stat(join(root, page));
  if (size === 0) logger.warn(`${page} is empty, so visitors see a blank page: was the app built?`);
  const { ignored } = readHostRules(root);
  if (ignored.length > 0) logger.info(`not honoured here: ${sanitise(ignored.join('; '), MAX_LISTED)}`);
  return {
    upstream: { kind: 'handler', handle: createHandler({ ...spec, path: root }, isPlain) },
    ended: new Promise(() => undefined),
    stop: async () => undefined,
  };
}

/** One request, and what it needs to be answered. */
interface Visit {
  spec: WebSpec;
  variants: Variants | undefined;
  rules: HostRules;
  isPlain: boolean;
  request: HttpRequest;
  response: HttpResponse;
  /** Sends a page of the gateway's own. */
  refuse: Refuse;
  /** Percent-encoded. */
  path: string;
  /** With its question mark; empty without one. */
  query: string;
  base: string;
}

/**
 * Answers GET and HEAD from the folder `path`, a real path. Never rejects and never throws. `isPlain`: the preview has
 * no https.
 */
export function createHandler(spec: WebSpec, isPlain = false): Handler {
  const variants = spec.compress === false ? undefined : new Variants();
  const rules = readHostRules(spec.path);
  return (request, response, refuse) => {
    const target = request.url ?? '/';
    const path = target.replace(/[?#].*$/s, '');
    const query = target.slice(path.length);
    const base = spec.basePath ?? NO_BASE;
    answer({ spec, variants, rules, isPlain, request, response, refuse, path, query, base }).catch(() => {
      // The visitor left, or the file vanished while it was sent.
      if (response.headersSent) response.destroy();
      else refuse(500);
    });
  };
}

async function answer(visit: Visit): Promise<void> {
  const { spec, rules, request, response, refuse, path, query, base } = visit;
  const localPath = stripBase(base, path) ?? path;
  for (const [name, value] of rules.listFields(localPath)) setField(visit, name, value);
  if (spec.crossOriginIsolation !== false) setIsolation(response, spec.crossOriginIsolation);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return refuse(405);
  }
  const forced = rules.redirect(localPath, true);
  if (forced !== undefined) return await follow(visit, forced);
  const found = await lookUpBelow(spec.path, base, path);
  switch (found.kind) {
    case 'redirect':
      return sendRedirect(response, `${found.location}${query}`);
    case 'file':
      return await send(visit, found);
    case 'missing': {
      const rule = rules.redirect(localPath, false);
      return rule === undefined ? await answerUnknown(visit) : await follow(visit, rule);
    }
    case 'refused':
      return await answerMissing(visit);
  }
}

/**
 * Below the base path, a file is also found under the path as it is: the folder may have one of that name. Elsewhere,
 * files are found, and pages are redirected to their place below the base path: routers start from there.
 */
async function lookUpBelow(root: string, base: string, path: string): Promise<Target> {
  const below = stripBase(base, path);
  if (below !== undefined) {
    const found = await lookUp(root, below);
    return found.kind === 'missing' && below !== path ? await lookUp(root, path) : found;
  }
  if (`${path}/` === base) return { kind: 'redirect', location: base };
  const found = await lookUp(root, path);
  if (found.kind !== 'file' || !found.path.endsWith('.html')) return found;
  await found.file.handle.close();
  return { kind: 'redirect', location: `${base}${path.slice(1)}` };
}

/** A page may have several links; of other fields, the last one counts. */
function setField({ response, isPlain }: Visit, name: string, value: string): void {
  const key = name.toLowerCase();
  const shown = isPlain && key === 'content-security-policy' ? dropUpgrade(value) : value;
  if (key === 'link') response.appendHeader(name, shown);
  else if (shown !== '') response.setHeader(name, shown);
}

/** As a rule of `_redirects` says. Missing scripts get no page, as with `spa`. */
async function follow(visit: Visit, rule: Redirection): Promise<void> {
  const { spec, request, response, path, query, base } = visit;
  if (rule.kind === 'redirect') {
    const { location, status } = rule;
    const isWhole = !location.startsWith('/') || stripBase(base, location) !== undefined;
    const target = isWhole ? location : `${base}${location.slice(1)}`;
    return sendRedirect(response, /[?#]/.test(target) ? target : `${target}${query}`, status);
  }
  const found = await lookUp(spec.path, stripBase(base, rule.path) ?? rule.path);
  if (found.kind !== 'file') return await answerMissing(visit);
  if (!found.path.endsWith('.html') || asksForPage(request, path))
    return await send(visit, found, rule.status);
  await found.file.handle.close();
  await answerMissing(visit);
}

/** With the page of an app that has a router of its own, if a page is asked for. */
async function answerUnknown(visit: Visit): Promise<void> {
  const { spec, request, response, path, query, base } = visit;
  const page = asksForPage(request, path) ? await openFallback(spec) : undefined;
  if (page === undefined) return await answerMissing(visit);
  if (stripBase(base, path) !== undefined) return await send(visit, page);
  await page.file.handle.close();
  sendRedirect(response, `${base}${path.slice(1)}${query}`);
}

/** With the folder's own error page, or the gateway's. */
async function answerMissing(visit: Visit): Promise<void> {
  const page = await openFile(visit.spec.path, ERROR_PAGE);
  if (page === undefined) return visit.refuse(404);
  await send(visit, page, 404);
}

/**
 * Builds that prerender some pages write a 200.html beside index.html for all others (SvelteKit, Nuxt): its name says
 * what it is for, so it needs no `spa`.
 */
async function openFallback({ path, spa }: WebSpec): Promise<OpenFile | undefined> {
  const page = await openFile(path, FALLBACK_PAGE);
  return page ?? (spa ? await openFile(path, `/${INDEX}`) : undefined);
}

async function send(
  { spec, variants, request, response }: Visit,
  found: OpenFile,
  status = 200,
): Promise<void> {
  const accepted = request.headers['accept-encoding']?.toString();
  const stored = await chooseStored(spec.path, found, accepted).catch(async (error: unknown) => {
    await found.file.handle.close();
    throw error;
  });
  await sendFile({ request, response, status, variants, ...stored });
}

/** A missing script or image is a 404: a page in its place would hide the mistake. */
function asksForPage(request: HttpRequest, path: string): boolean {
  return acceptsHtml(request) || !path.slice(path.lastIndexOf('/')).includes('.');
}

/** SharedArrayBuffer needs these on the page and on what it loads (HTML Standard, cross-origin isolation). */
function setIsolation(response: HttpResponse, kind: true | 'credentialless'): void {
  response.setHeader('cross-origin-opener-policy', 'same-origin');
  response.setHeader('cross-origin-embedder-policy', kind === true ? 'require-corp' : kind);
  response.setHeader('cross-origin-resource-policy', 'same-origin');
}

function sendRedirect(response: HttpResponse, location: string, status = 302): void {
  response.setHeader('location', location);
  response.setHeader('cache-control', 'no-store');
  response.statusCode = status;
  response.end();
}

function acceptsHtml(request: HttpRequest): boolean {
  return request.headers.accept?.includes('text/html') ?? false;
}
