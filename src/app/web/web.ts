// `mode: web`: a folder with a built web app, answered by a handler inside this process. Used by app.ts.

import { realpath } from 'node:fs/promises';
import { AppError } from '../../shared/errors.ts';
import type { HttpRequest, HttpResponse } from '../../shared/http-message.ts';
import { sanitise } from '../../shared/sanitise.ts';
import type { Handler, Refuse } from '../../shared/state.ts';
import type { AppSpec, Program } from '../program.ts';
import { type FoundFile, findFile } from './files.ts';
import { chooseEncoding, sendFile } from './response.ts';

type WebSpec = Extract<AppSpec, { mode: 'web' }>;

const INDEX = 'index.html';

/** Starts no process. Files are looked up with every request, so that a rebuilt app is served at once. */
export async function startWeb(spec: WebSpec): Promise<Program> {
  const root = await realpath(spec.path).catch((cause: unknown) => {
    throw new AppError(`the folder ${sanitise(spec.path)} cannot be read; check \`path\``, {
      cause,
      restartable: false,
    });
  });
  const index = await findFile(root, `/${INDEX}`);
  if (index.kind !== 'file')
    throw new AppError(
      `${sanitise(root)} has no ${INDEX} to serve; give \`path\` the folder of the built app`,
      {
        restartable: false,
      },
    );
  await index.handle.close();
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
  const found = await findFile(spec.path, path.endsWith('/') ? `${path}${INDEX}` : path);
  if (found.kind === 'folder') return sendRedirect(response, path, target.slice(path.length));
  if (found.kind === 'file') return await sendFound(spec, path, found, request, response);
  const index =
    spec.spa && found.kind === 'missing' && asksForPage(request, path)
      ? await findFile(spec.path, `/${INDEX}`)
      : found;
  if (index.kind === 'file') return await sendFound(spec, `/${INDEX}`, index, request, response);
  refuse(404);
}

async function sendFound(
  spec: WebSpec,
  path: string,
  found: FoundFile,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const plainPath = path.endsWith('/') ? `${path}${INDEX}` : path;
  const encoded = await chooseEncoding(spec.path, plainPath, found, request.headers['accept-encoding']);
  await sendFile({ request, response, path: plainPath, ...encoded });
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

/** To the same path with a slash, so that relative links work. Relative itself: `//x/` would be another host. */
function sendRedirect(response: HttpResponse, path: string, query: string): void {
  const name = path.slice(path.lastIndexOf('/') + 1);
  response.setHeader('location', `./${name}/${query}`);
  response.setHeader('cache-control', 'no-store');
  response.statusCode = 302;
  response.end();
}

function acceptsHtml(request: HttpRequest): boolean {
  return request.headers.accept?.includes('text/html') ?? false;
}
