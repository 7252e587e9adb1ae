// A visitor, down to the bytes, in each of the protocols that a gateway speaks; for tests that run over all of them.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { Door } from './gateway-door.ts';
import { END_HEADERS, FRAME, listRequestFields, renderFrame, renderHeaders } from './http2-frames.ts';

export const PROTOCOLS = [
  'HTTP/1.1',
  'TLS and HTTP/1.1',
  'TLS and HTTP/2',
  'WebSocket',
  'TLS and WebSocket',
] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export const usesTls = (protocol: Protocol): boolean => protocol.startsWith('TLS');
export const usesHttp2 = (protocol: Protocol): boolean => protocol.endsWith('HTTP/2');
export const usesWebSocket = (protocol: Protocol): boolean => protocol.endsWith('WebSocket');

export interface ProtocolVisitor {
  /** The TCP connection. */
  readonly raw: Socket;
  /** The connection for the protocol: `raw`, or TLS over it. */
  readonly stream: Duplex;
  /** Everything received so far; nothing while `stream` is paused. */
  readonly received: string;
}

/** Connected, after the handshake of TLS and the preface of HTTP/2; reads everything. */
export async function openVisitor(door: Pick<Door, 'port'>, protocol: Protocol): Promise<ProtocolVisitor> {
  const raw = connect(door.port, '127.0.0.1');
  raw.on('error', () => {});
  await once(raw, 'connect');
  let stream: Duplex = raw;
  if (usesTls(protocol)) {
    const ALPNProtocols = [usesHttp2(protocol) ? 'h2' : 'http/1.1'];
    const secured = connectTls({ socket: raw, rejectUnauthorized: false, ALPNProtocols });
    secured.on('error', () => {});
    await once(secured, 'secureConnect');
    stream = secured;
  }
  let received = '';
  stream.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  if (usesHttp2(protocol)) {
    const settings = renderFrame({ type: FRAME.settings, flags: 0, stream: 0, payload: Buffer.alloc(0) });
    acknowledgeSettings(stream);
    stream.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings]));
  }
  return {
    raw,
    stream,
    get received() {
      return received;
    },
  };
}

/** As every client does: the gateway takes one that does not for gone after a while. */
function acknowledgeSettings(stream: Duplex): void {
  let rest: Buffer = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      if (rest[3] === FRAME.settings && rest[4] === 0)
        stream.write(renderFrame({ type: FRAME.settings, flags: 1, stream: 0, payload: Buffer.alloc(0) }));
      rest = rest.subarray(9 + rest.readUIntBE(0, 3));
    }
  });
}

/** The first request of a connection, with the door's own Host; a POST has only the beginning of its body. */
export function renderRequest(door: Door, protocol: Protocol, path: string, method = 'GET'): Buffer {
  const host = `127.0.0.1:${door.port}`;
  if (usesHttp2(protocol)) {
    const fields = listRequestFields({ ':method': method, ':path': path, ':authority': host });
    if (method !== 'POST') return renderHeaders(1, fields);
    const body = renderFrame({ type: FRAME.data, flags: 0, stream: 1, payload: Buffer.from('some') });
    return Buffer.concat([renderHeaders(1, fields, END_HEADERS), body]);
  }
  const more = usesWebSocket(protocol)
    ? 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n'
    : method === 'POST'
      ? 'Content-Length: 1000\r\n'
      : '';
  const body = method === 'POST' ? 'some' : '';
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n${body}`);
}

export interface ProtocolApp {
  readonly port: number;
  /** Requests and WebSockets that have not ended. */
  readonly open: number;
  /** Open connections. */
  readonly sockets: number;
  readonly server: Server;
  stop(): Promise<void>;
}

/**
 * Under `/` and `/public/`: `/hang` is never answered, `/begun` begins and never ends, `/flood` is endless and as fast
 * as it is read, anything else is answered at once. WebSockets behave likewise, and end with their visitor.
 */
export async function startProtocolApp(): Promise<ProtocolApp> {
  const [open, sockets] = [new Set<object>(), new Set<Socket>()];
  const pour = (stream: { write(piece: Buffer): boolean; on(event: 'drain', then: () => void): unknown }) => {
    const piece = Buffer.alloc(1 << 16, 'x');
    const fill = () => {
      while (stream.write(piece));
    };
    stream.on('drain', fill);
    fill();
  };
  const server = createServer((request, response) => {
    open.add(response);
    response.on('error', () => {}).once('close', () => open.delete(response));
    request.on('error', () => {}).resume();
    const path = request.url?.replace(/^\/public/, '');
    if (path === '/begun') response.write('begun');
    else if (path === '/flood') pour(response);
    else if (path !== '/hang') response.end('ok');
  });
  server.on('upgrade', (request, socket) => {
    open.add(socket);
    socket.on('error', () => {}).once('close', () => open.delete(socket));
    socket.once('end', () => socket.end());
    socket.resume();
    if (request.url === '/hang') return;
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nbegun',
    );
    if (request.url === '/flood') pour(socket);
  });
  server.on('connection', socket => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await once(server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get open() {
      return open.size;
    },
    get sockets() {
      return sockets.size;
    },
    server,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
