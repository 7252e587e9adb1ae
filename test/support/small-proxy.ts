// Reverse proxies on loopback, as in front of a bore server: one that does to `X-Forwarded-For` what a test wants, and one
// that passes bytes on unread.

import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type RequestListener,
  request as sendHttp,
} from 'node:http';
import { createServer as createHttpsServer, request as sendHttps } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net';
import { onTestFinished } from 'vitest';

/** What the proxy makes of a visitor's headers. */
export type HeaderRule = (headers: IncomingHttpHeaders) => IncomingHttpHeaders;

/** Read for each request, or connection. */
type Target = () => { host: string; port: number };

/**
 * Passes each request on over a connection of its own, until the test ends. Resolves with its URL. `tls` (PEM): visitors
 * speak TLS, and so does the target.
 */
export async function startSmallProxy(
  rule: HeaderRule,
  target: Target,
  tls?: { cert: string; key: string },
): Promise<string> {
  const send = tls ? sendHttps : sendHttp;
  const passOn: RequestListener = (request, response) => {
    const { method = 'GET', url = '/', headers } = request;
    const question = { method, path: url, headers: rule(headers), agent: false, rejectUnauthorized: false };
    const onward = send({ ...target(), ...question }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.writeHead(502).end());
    request.pipe(onward);
  };
  const proxy = tls ? createHttpsServer(tls, passOn) : createHttpServer(passOn);
  onTestFinished(() => proxy.closeAllConnections());
  return tls ? `https://localhost:${await listen(proxy)}` : `http://127.0.0.1:${await listen(proxy)}`;
}

/** Passes each connection on, TLS undecrypted, until the test ends. Resolves with its https URL. */
export async function startBlindProxy(target: Target): Promise<string> {
  const proxy = createTcpServer({ allowHalfOpen: true }, near => {
    const far = connect({ ...target(), allowHalfOpen: true });
    near.on('error', () => {}).pipe(far);
    far.on('error', () => {}).pipe(near);
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
  });
  return `https://localhost:${await listen(proxy)}`;
}

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}
