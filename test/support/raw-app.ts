// A lenient app that takes anything for HTTP and records every byte, to show what the gateway let through.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

export interface RawApp {
  port: number;
  /** Every byte of every connection, in the order of arrival, as latin1. */
  readonly seen: string;
  /** Everything in `seen` that looks like a request line. */
  readonly requestLines: readonly string[];
  readonly connections: number;
  /** How many of them are open now. */
  readonly open: number;
  /** The bytes of each connection, in the order in which they were opened. */
  readonly streams: readonly string[];
  stop(): Promise<void>;
}

// Not only at the start of a line: the body before it may end without a line break.
const REQUEST_LINE = /[A-Z]+ [^\r\n]* HTTP\/\d\.\d(?=\r$)/gm;

/** A complete answer. */
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** `answer` gets each connection once per request line seen on it, `count` from 1; by default it sends `OK`. */
export async function startRawApp(
  answer: (socket: Socket, count: number) => void = socket => socket.write(OK),
): Promise<RawApp> {
  let seen = '';
  const streams: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    let answered = 0;
    const index = streams.push('') - 1;
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.on('data', chunk => {
      seen += chunk.toString('latin1');
      const received = `${streams[index]}${chunk.toString('latin1')}`;
      streams[index] = received;
      const asked = received.includes('\r\n\r\n') ? (received.match(REQUEST_LINE)?.length ?? 0) : 0;
      while (answered < asked) answer(socket, ++answered);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    get seen() {
      return seen;
    },
    get requestLines() {
      return seen.match(REQUEST_LINE) ?? [];
    },
    get connections() {
      return streams.length;
    },
    get open() {
      return sockets.size;
    },
    streams,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
