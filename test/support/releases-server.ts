// Plays the releases part of GitHub's API and its download host, with the ways both can fail.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReleasesServer {
  /** What `releasesUrl` is in production. */
  url: string;
  /** Paths that were asked for, in order. */
  requests: string[];
  /** Authorization headers that came to the API and to the download host. */
  tokens: { api: Set<string>; download: Set<string> };
  close(): Promise<void>;
}

export interface PublishedAsset {
  name: string;
  content: Buffer;
  /** What the API says; by default the content's. */
  digest?: string | null;
  size?: number;
  /** How many bytes of the content are sent, and in how many of the first downloads, before the connection breaks. */
  breaks?: { after: number; times: number };
  /** Half of the content is sent, and the rest when this resolves. */
  pause?: Promise<unknown>;
}

export interface Refusal {
  status: number;
  headers?: Record<string, string>;
}

export interface ReleasesOptions {
  /** Makes the API refuse every request. */
  apiStatus?: number;
  /** Makes the API refuse some requests, by their Authorization header. */
  refuse?: (authorization: string | undefined) => Refusal | undefined;
  apiBody?: string;
  /** Origin that every request is redirected to, API and downloads alike. */
  redirectTo?: string;
}

/** Starts a server with one release, `v1.0.0`. */
export async function startReleasesServer(
  assets: readonly PublishedAsset[],
  options: ReleasesOptions = {},
): Promise<ReleasesServer> {
  const requests: string[] = [];
  const tokens = { api: new Set<string>(), download: new Set<string>() };
  const downloads = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.push(path);
    const kind = path.startsWith('/download/') ? 'download' : 'api';
    if (request.headers.authorization !== undefined) tokens[kind].add(request.headers.authorization);
    if (options.redirectTo !== undefined) {
      response.writeHead(302, { location: options.redirectTo + path }).end();
      return;
    }
    const refusal =
      options.apiStatus === undefined
        ? options.refuse?.(request.headers.authorization)
        : { status: options.apiStatus };
    const asset = assets.find(candidate => path === `/download/${candidate.name}`);
    if (asset !== undefined) {
      const count = (downloads.get(asset.name) ?? 0) + 1;
      downloads.set(asset.name, count);
      sendAsset(asset, count, response);
    } else if (path !== '/releases/tags/v1.0.0') {
      response.writeHead(404).end('{"message":"Not Found"}');
    } else if (refusal !== undefined) {
      response.writeHead(refusal.status, refusal.headers).end('{"message":"API rate limit exceeded"}');
    } else {
      response.end(options.apiBody ?? renderRelease(assets, `http://${request.headers.host}`));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { url: `http://127.0.0.1:${port}/releases`, requests, tokens, close };
}

function sendAsset(asset: PublishedAsset, count: number, response: ServerResponse): void {
  const { content, breaks, pause } = asset;
  response.setHeader('content-length', content.length);
  if (pause !== undefined) {
    const half = Math.ceil(content.length / 2);
    response.write(content.subarray(0, half));
    void pause.then(() => response.end(content.subarray(half)));
    return;
  }
  if (breaks === undefined || count > breaks.times) {
    response.end(content);
    return;
  }
  response.write(content.subarray(0, breaks.after), () => response.destroy());
}

function renderRelease(assets: readonly PublishedAsset[], base: string): string {
  return JSON.stringify({
    tag_name: 'v1.0.0',
    assets: assets.map(({ name, content, digest, size }) => ({
      name,
      size: size ?? content.length,
      digest: digest === undefined ? `sha256:${createHash('sha256').update(content).digest('hex')}` : digest,
      browser_download_url: `${base}/download/${name}`,
    })),
  });
}
