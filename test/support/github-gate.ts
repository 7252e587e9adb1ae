// Stands before the server that plays GitHub, and keeps requests for the pull request back until it is opened: so a test
// decides what the first look at the pull request sees. Used by the tests of what ends a preview.

import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { listen } from './listen.ts';

export interface Gate {
  /** For GITHUB_API_URL. */
  url: string;
  /** Where requests go from now on: the address of the server that plays GitHub. */
  guard(target: string): void;
  open(): void;
}

/** `keep`: the requests to keep back, as `GET /path`. Ends with the test. */
export async function startGate(keep: RegExp): Promise<Gate> {
  let target = '';
  const opened = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    const { method = 'GET', url = '', headers } = request;
    const body = await text(request);
    if (keep.test(`${method} ${url}`)) await opened.promise;
    const { authorization = '' } = headers;
    const answer = await fetch(`${target}${url}`, {
      method,
      headers: { authorization, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body }),
    });
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(await answer.text());
  });
  const port = await listen(server);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${port}`,
    guard: address => {
      target = address;
    },
    open: opened.resolve,
  };
}
