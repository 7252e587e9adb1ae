// A folder served by `mode: web`, and requests to it. Used by the tests of this folder.

import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { AppSpec } from '../../../src/app/program.ts';
import { createHandler } from '../../../src/app/web/web.ts';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Site {
  /** The real path of the folder. */
  folder: string;
  url: string;
  /** GET unless `method` says otherwise. The path is sent as it is; fetch would tidy it up. */
  ask(
    path: string,
    headers?: Readonly<Record<string, string>>,
    method?: string,
  ): Promise<Answer & { text: string }>;
  close(): void;
}

type WebSpec = Extract<AppSpec, { mode: 'web' }>;
/** Path in the folder → content. */
export type Files = Readonly<Record<string, string | Buffer>>;

/** Creates a folder with these files; the caller removes it. */
export function writeSite(files: Files): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'expose-site-test-')));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

/** Serves a new folder with these files; `close` removes it. */
export async function serveSite(files: Files, spec: Partial<WebSpec> = {}): Promise<Site> {
  const folder = writeSite(files);
  const handle = createHandler({
    mode: 'web',
    path: folder,
    spa: false,
    crossOriginIsolation: false,
    ...spec,
  });
  // The gateway sends a page of its own for a refusal; here the status is enough.
  const server = createServer((request, response) =>
    handle(request, response, status => response.writeHead(status).end()),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    folder,
    url: `http://127.0.0.1:${port}`,
    async ask(path, headers = {}, method = 'GET') {
      const request = httpRequest({ host: '127.0.0.1', port, path, agent: false, headers, method }).end();
      const [response] = await once(request, 'response');
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      return { status: response.statusCode, headers: response.headers, body, text: body.toString() };
    },
    close() {
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
}
