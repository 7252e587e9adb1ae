// The app of a preview behind a proxy, in the process of the tests. Used by proxy-world.ts.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import { listen } from '../support/listen.ts';

function echoMessages(socket: WebSocket): void {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
}

/** Keeps what it has seen. */
export class TestApp {
  readonly name: string;
  readonly requests: IncomingMessage[] = [];
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: 64 << 20 });
  /** Answers all requests from now on. */
  answer: (request: IncomingMessage, response: ServerResponse) => void;
  /** Gets each WebSocket; by default sends back what it gets. */
  onSocket = echoMessages;

  constructor(name: string) {
    this.name = name;
    this.answer = (_, response) => response.end(`this is ${name}`);
    this.#server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      this.requests.push(request);
      this.answer(request, response);
    });
    this.#server.on('upgrade', (request, socket, head) => {
      this.requests.push(request);
      this.#sockets.handleUpgrade(request, socket, head, opened => this.onSocket(opened));
    });
  }

  /** Forgets the requests and the answers of the test before. */
  reset(): void {
    this.requests.length = 0;
    this.answer = (_, response) => response.end(`this is ${this.name}`);
    this.onSocket = echoMessages;
  }

  start(): Promise<number> {
    return listen(this.#server);
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
