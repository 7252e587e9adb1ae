// A reverse proxy on loopback, as in front of a bore server, that does to `X-Forwarded-For` what a test wants.

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** What the proxy makes of a visitor's headers. */
export type HeaderRule = (headers: IncomingHttpHeaders) => IncomingHttpHeaders;

/** Passes each request on to `target()` over a connection of its own, until the test ends. Resolves with its URL. */
export async function startSmallProxy(
  rule: HeaderRule,
  target: () => { host: string; port: number },
): Promise<string> {
  const proxy = createServer((request, response) => {
    const { method = 'GET', url = '/', headers } = request;
    const options = { ...target(), method, path: url, headers: rule(headers), agent: false };
    const onward = sendRequest(options, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.writeHead(502).end());
    request.pipe(onward);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}
