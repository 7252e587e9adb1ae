// A visitor that speaks HTTP/1.1, over TCP or TLS; used by the routes of routes.ts.

import { Agent, type ClientRequest, type IncomingMessage, request as sendPlain } from 'node:http';
import { Agent as SecureAgent, request as sendSecure } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { type Ask, type Exchange, pairFields, SeenQueue, type Visitor } from './visitor.ts';

/** Methods whose request has a length even where it has no body (RFC 9110, 8.6). */
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** As a browser, not as Node. */
const MAX_HEAD_BYTES = 256 << 10;

/** Keeps its connections alive, and opens as many as there are requests at a time. */
export function openHttp1Visitor(url: URL, tls: ConnectionOptions = {}): Visitor {
  const isSecure = url.protocol === 'https:';
  const agent = isSecure ? new SecureAgent({ keepAlive: true, ...tls }) : new Agent({ keepAlive: true });
  const send = isSecure ? sendSecure : sendPlain;
  const sockets = new Set<unknown>();
  return {
    request: ask => {
      const request = send({
        agent,
        host: url.hostname,
        port: url.port,
        method: ask.method ?? 'GET',
        path: ask.path ?? '/',
        headers: listHeaders(url, ask),
        maxHeaderSize: MAX_HEAD_BYTES,
      });
      request.maxHeadersCount = 0;
      request.once('socket', socket => sockets.add(socket));
      return openExchange(request, ask);
    },
    get connections() {
      return sockets.size;
    },
    close: () => agent.destroy(),
  };
}

/** As a flat list, which Node sends as it is. */
function listHeaders(url: URL, ask: Ask): string[] {
  const headers = ['Host', url.host, ...(ask.headers ?? []).flat()];
  if (ask.headers?.some(([name]) => name.toLowerCase() === 'content-length')) return headers;
  if (ask.open) return [...headers, 'Transfer-Encoding', 'chunked'];
  if (ask.body === undefined && !WITH_BODY.has(ask.method ?? 'GET')) return headers;
  return [...headers, 'Content-Length', String(ask.body?.length ?? 0)];
}

function openExchange(request: ClientRequest, ask: Ask): Exchange {
  const queue = new SeenQueue();
  request.on('information', ({ statusCode, rawHeaders }) => {
    queue.push({ kind: 'interim', status: statusCode, headers: pairFields(rawHeaders) });
  });
  request.on('response', response => watchAnswer(response, queue));
  request.on('error', () => {}).on('close', () => queue.push({ kind: 'broken' }));
  if (ask.open) request.flushHeaders();
  else request.end(ask.body);
  return {
    next: () => queue.next(),
    write: piece => new Promise(resolve => request.write(piece, () => resolve())),
    end: trailers => {
      if (trailers !== undefined)
        request.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]));
      request.end();
    },
    leave: () => void request.destroy(),
  };
}

function watchAnswer(response: IncomingMessage, queue: SeenQueue): void {
  const { statusCode: status = 0, statusMessage: reason = '', rawHeaders } = response;
  queue.push({ kind: 'head', status, reason, headers: pairFields(rawHeaders) });
  response.on('data', bytes => queue.push({ kind: 'data', bytes }));
  response.on('error', () => {});
  response.on('end', () => {
    if (response.rawTrailers.length > 0)
      queue.push({ kind: 'trailers', fields: pairFields(response.rawTrailers) });
    queue.push({ kind: 'end' });
  });
  response.on('close', () => queue.push({ kind: 'broken' }));
}
