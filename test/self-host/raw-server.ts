// A server in the place of bore's public port: it shows every byte that a proxy sends there. Used by the checks of
// proxies.

import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { listen } from '../support/listen.ts';
import { RAW_PORT, type World } from './proxy-world.ts';

export interface RawServer {
  name: string;
  /** Everything that has arrived, as latin1. */
  readonly seen: string;
  readonly connections: number;
  /** Closes the server and its connections, as when a preview ends. */
  stop(): void;
}

/** Answers each head that ends with `text`, until the test ends or it is stopped. */
export async function startRawServer({ tunnels }: World, text = 'raw'): Promise<RawServer> {
  let [seen, connections] = ['', 0];
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    socket.on('data', chunk => {
      seen += chunk.toString('latin1');
      if (chunk.includes('\r\n\r\n'))
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
    });
  });
  await listen(server, { host: tunnels, port: RAW_PORT });
  const stop = () => {
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
  };
  onTestFinished(stop);
  return {
    name: `${RAW_PORT}.preview.example.com`,
    get seen() {
      return seen;
    },
    get connections() {
      return connections;
    },
    stop,
  };
}
