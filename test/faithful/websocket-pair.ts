// WebSockets between a visitor and the app of the comparison suite; used by its tests of WebSockets.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type ClientOptions, type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import type { Door, World } from './routes.ts';

const MAX_BYTES = 64 << 20;

interface Pair {
  visitor: WebSocket;
  app: WebSocket;
  request: IncomingMessage;
}

/** Every WebSocket of the app is `listen`'s from now on. */
export function serve(
  world: World,
  options: ServerOptions,
  listen: (socket: WebSocket, request: IncomingMessage) => void,
) {
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_BYTES, ...options });
  world.app.handleUpgrade((request, socket, head) =>
    server.handleUpgrade(request, socket, head, opened => listen(opened, request)),
  );
}

export function dial(
  door: Door,
  path = '/',
  protocols: string[] = [],
  options: ClientOptions = {},
): WebSocket {
  const url = new URL(path, door.url);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return new WebSocket(url, protocols, Object.assign({ maxPayload: MAX_BYTES }, door.tls, options));
}

/** Both ends of an open WebSocket, in both worlds. */
export async function pair<T>(
  world: World,
  act: (pair: Pair, door: Door) => Promise<T>,
  wish: { server?: ServerOptions; client?: ClientOptions; protocols?: string[] } = {},
): Promise<T> {
  return await world.compare(async door => {
    const arrived = Promise.withResolvers<[WebSocket, IncomingMessage]>();
    serve(world, wish.server ?? {}, (...both) => arrived.resolve(both));
    const visitor = dial(door, '/socket?a=b', wish.protocols, wish.client);
    await once(visitor, 'open');
    const [app, request] = await arrived.promise;
    try {
      return await act({ visitor, app, request }, door);
    } finally {
      visitor.terminate();
    }
  });
}

/** How a socket ended: its code and reason. */
export async function receiveClose(socket: WebSocket): Promise<[number, string]> {
  const [code, reason] = await once(socket, 'close');
  return [code, String(reason)];
}
