// `mode: web`: a folder with a built web app, answered by a handler inside this process. Used by app.ts.

import { realpath } from 'node:fs/promises';
import { AppError } from '../../shared/errors.ts';
import type { HttpRequest, HttpResponse } from '../../shared/http-message.ts';
import { sanitise } from '../../shared/sanitise.ts';
import type { Handler, Refuse } from '../../shared/state.ts';
import type { AppSpec, Program } from '../program.ts';
import { INDEX, lookUp, type OpenFile, openFile } from './lookup.ts';
import { chooseEncoding, sendFile } from './response.ts';

type WebSpec = Extract<AppSpec, { mode: 'web' }>;

/** Sent with status 404 (all static hosts), and with 200 for pages that the app's own router knows (Surge, sirv). */
const ERROR_PAGE = '/404.html';
const FALLBACK_PAGE = '/200.html';

/** Starts no process. Files are looked up with every request, so that a rebuilt app is served at once. */
export async function startWeb(spec: WebSpec): Promise<Program> {
  const root = await realpath(spec.path).catch((cause: unknown) => {
    throw new AppError(`the folder ${sanitise(spec.path)} cannot be read; check \`path\``, {
      cause,
      restartable: false,
    });
  });
  const index = await openFile(root, `/${INDEX}`);
  if (index === undefined)
    throw new AppError(
      `${sanitise(root)} has no ${INDEX} to serve; give \`path\` the folder of the built app`,
      {
        restartable: false,
      },
    );
  await index.file.handle.close();
  return {
    upstream: { kind: 'handler', handle: createHandler({ ...spec, path: root }) },
    ended: new Promise(() => undefined),
    stop: async () => undefined,
  };
}

/** Answers GET and HEAD from the folder `path`, a real path. Never rejects and never throws. */
export function createHandler(spec: WebSpec): Handler {
  return (request, response, refuse) => {
    answer(spec, request, response, refuse).catch(() => {
      // The visitor left, or the file vanished while it was sent.
      if (response.headersSent) response.destroy();
      else refuse(500);
    });
  };
}

async function answer(
  spec: WebSpec,
  request: HttpRequest,
  response: HttpResponse,
  refuse: Refuse,
): Promise<void> {
  if (spec.crossOriginIsolation) setIsolation(response);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return refuse(405);
  }
  const target = request.url ?? '/';
  const path = target.replace(/[?#].*$/s, '');
  const found = await lookUp(spec.path, path);
  switch (found.kind) {
    case 'redirect':
      return sendRedirect(response, `${found.location}${target.slice(path.length)}`);
    case 'file':
      return await send(spec, found, request, response);
    default:
      return await answerMissing(spec, { path, hidden: found.kind === 'refused' }, request, response, refuse);
  }
}

/** The page of an app with a router of its own, the folder's own error page, or the gateway's. */
async function answerMissing(
  spec: WebSpec,
  { path, hidden }: { path: string; hidden: boolean },
  request: HttpRequest,
  response: HttpResponse,
  refuse: Refuse,
): Promise<void> {
  const fallback = hidden || !asksForPage(request, path) ? undefined : await openFallback(spec);
  if (fallback !== undefined) return await send(spec, fallback, request, response);
  const errorPage = await openFile(spec.path, ERROR_PAGE);
  if (errorPage === undefined) return refuse(404);
  await send(spec, errorPage, request, response, 404);
}

/**
 * Builds that prerender some pages write a 200.html beside index.html for all others (SvelteKit, Nuxt): its name says
 * what it is for, so it needs no `spa`.
 */
async function openFallback(spec: WebSpec): Promise<OpenFile | undefined> {
  const page = await openFile(spec.path, FALLBACK_PAGE);
  return page ?? (spec.spa ? await openFile(spec.path, `/${INDEX}`) : undefined);
}

async function send(
  spec: WebSpec,
  { path, file }: OpenFile,
  request: HttpRequest,
  response: HttpResponse,
  status = 200,
): Promise<void> {
  const encoded = await chooseEncoding(spec.path, path, file, request.headers['accept-encoding']);
  await sendFile({ request, response, path, status, ...encoded });
}

/** A missing script or image is a 404: a page in its place would hide the mistake. */
function asksForPage(request: HttpRequest, path: string): boolean {
  return acceptsHtml(request) || !path.slice(path.lastIndexOf('/')).includes('.');
}

/** SharedArrayBuffer needs these on the page and on what it loads (HTML Standard, cross-origin isolation). */
function setIsolation(response: HttpResponse): void {
  response.setHeader('cross-origin-opener-policy', 'same-origin');
  response.setHeader('cross-origin-embedder-policy', 'require-corp');
  response.setHeader('cross-origin-resource-policy', 'same-origin');
}

function sendRedirect(response: HttpResponse, location: string): void {
  response.setHeader('location', location);
  response.setHeader('cache-control', 'no-store');
  response.statusCode = 302;
  response.end();
}

function acceptsHtml(request: HttpRequest): boolean {
  return request.headers.accept?.includes('text/html') ?? false;
}
