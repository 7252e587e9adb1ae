// Serves the demo's page on 127.0.0.1. The data and the buttons need the key, which is in the fragment of the printed
// link; a page of another site has no key, and a name that leads here is refused (DNS rebinding).

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { PageFile, PageFiles } from '../../shared/page-file.ts';
import { isSame } from '../../shared/secrets.ts';
import { ACTIONS, type Action } from './documents.ts';
import type { Feed } from './feed.ts';

/** Only files of this page run. Markdown becomes elements through DOMPurify alone (Trusted Types). */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "frame-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types dompurify',
].join('; ');

/** The frame of a chart has no origin: what Mermaid makes of a text can reach nothing. */
const renderChartPolicy = (origin: string) =>
  [
    'sandbox allow-scripts',
    "default-src 'none'",
    `script-src ${origin}`,
    "style-src 'unsafe-inline'",
    `frame-ancestors ${origin}`,
  ].join('; ');

const KEEPALIVE_MS = 15_000;
const LAST_STATE_MS = 300;

export interface PageServer {
  /** The link that people open, with the key. */
  readonly link: string;
  readonly origin: string;
  stop(): Promise<void>;
}

export interface PageOptions {
  /** 0 for a free port. */
  port: number;
  key: string;
  files: PageFiles;
  feed: Feed;
  act: (action: Action) => void;
}

/** Rejects with the error of node:net if the port cannot be had. */
export async function startPageServer(options: PageOptions): Promise<PageServer> {
  const streams = new Set<ServerResponse>();
  const server = createServer((request, response) => answer(request, response, { ...options, streams }));
  await once(server.listen(options.port, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the page has no port');
  const origin = `http://127.0.0.1:${address.port}`;
  return {
    origin,
    link: `${origin}/#key=${options.key}`,
    async stop() {
      options.feed.flush();
      const closed = new Promise(resolve => server.close(resolve));
      // The last state must reach the pages that still read.
      const sent = Promise.all([...streams].map(stream => new Promise<void>(done => stream.end(done))));
      await Promise.race([sent, delay(LAST_STATE_MS)]);
      server.closeAllConnections();
      await closed;
    },
  };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: PageOptions & { streams: Set<ServerResponse> },
): void {
  const { host = '', authorization = '' } = request.headers;
  const port = request.socket.localPort;
  if (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`)
    return void refuse(response, 421, `the demo's page is at http://127.0.0.1:${port}`);
  // As it was sent: for the URL parser, some paths are addresses (`//`), or none at all.
  const [pathname = '/'] = (request.url ?? '/').split('?');
  if (!pathname.startsWith('/api/'))
    return void sendFile(request, response, findFile(options.files, pathname));
  if (!isSame(authorization, `Bearer ${options.key}`))
    return void refuse(response, 401, 'the key of the printed link is needed');
  if (request.method === 'GET' && pathname === '/api/events') return void sendEvents(response, options);
  const action = ACTIONS.find(name => pathname === `/api/${name}`);
  if (request.method !== 'POST' || action === undefined)
    return void refuse(response, 404, 'there is nothing here');
  options.act(action);
  response.writeHead(204, { 'Cache-Control': 'no-store' }).end();
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' });
  response.end(`${text}\n`);
}

/** The page itself is also at the addresses of its pull request and run, to which the comment links. */
function findFile(files: PageFiles, path: string): [path: string, file: PageFile | undefined] {
  const name = path === '/' || path.startsWith('/octo/') ? '/page.html' : path;
  return [name, Object.hasOwn(files, name) ? files[name] : undefined];
}

function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  [path, file]: [string, PageFile | undefined],
): void {
  if (file === undefined || (request.method !== 'GET' && request.method !== 'HEAD'))
    return void refuse(response, 404, 'there is nothing here');
  response.writeHead(200, describeHead(file, path, `http://${request.headers.host}`));
  response.end(request.method === 'HEAD' ? undefined : file.text);
}

function describeHead({ type, text }: PageFile, path: string, origin: string): Record<string, string> {
  const isChart = path.startsWith('/chart/');
  return {
    'Content-Type': type,
    'Content-Length': String(Buffer.byteLength(text)),
    'Cache-Control': 'no-store',
    'Content-Security-Policy': isChart ? renderChartPolicy(origin) : POLICY,
    // A frame without an origin counts as another site, even for its own scripts.
    'Cross-Origin-Resource-Policy': isChart ? 'cross-origin' : 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    ...(!isChart && { 'X-Frame-Options': 'DENY' }),
  };
}

function sendEvents(
  response: ServerResponse,
  { feed, streams }: { feed: Feed; streams: Set<ServerResponse> },
): void {
  streams.add(response);
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const unwatch = feed.watch(({ type, data }) =>
    response.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`),
  );
  const timer = setInterval(() => response.write(': still here\n\n'), KEEPALIVE_MS);
  response.once('close', () => {
    unwatch();
    streams.delete(response);
    clearInterval(timer);
  });
}
