// The app of the comparison suite: each test says how it answers; used by routes.ts.

import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { Duplex } from 'node:stream';
import { listen } from '../support/listen.ts';
import { describeBody, type Field, pairFields, selectCompared } from './visitor.ts';

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface ProgrammableApp {
  port: number;
  /** Answers every request from now on. */
  handle(listener: RequestListener): void;
  /** Asked about `Expect: 100-continue`; without it the visitor is told to go on as soon as a request is handled. */
  handleExpectation(listener: RequestListener | undefined): void;
  handleUpgrade(listener: UpgradeListener): void;
  stop(): Promise<void>;
}

export async function startProgrammableApp(): Promise<ProgrammableApp> {
  let listener: RequestListener = (_, response) => void response.end('ready');
  let expectation: RequestListener | undefined;
  let upgrade: UpgradeListener = (_, socket) => void socket.destroy();
  const server = createServer((request, response) => listener(request, response));
  // A body that stays away, or a connection that is idle, is for the test to end.
  server.requestTimeout = 0;
  server.on('checkContinue', (request, response) => {
    if (expectation === undefined) response.writeContinue();
    (expectation ?? listener)(request, response);
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    upgrade(request, socket, head);
  });
  server.on('connection', socket => socket.on('error', () => {}));
  const port = await listen(server);
  return {
    port,
    handle: next => {
      listener = next;
    },
    handleExpectation: next => {
      expectation = next;
    },
    handleUpgrade: next => {
      upgrade = next;
    },
    stop: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** What an app sees of a request that came whole. */
export interface SeenRequest {
  method: string | undefined;
  target: string | undefined;
  headers: Field[];
  body: { bytes: number; sha256: string };
  trailers: Field[];
  isWhole: boolean;
}

/** Reads the request to its end, or to the visitor's. */
export async function readRequest(request: IncomingMessage): Promise<SeenRequest> {
  const pieces: Buffer[] = [];
  request.on('data', piece => pieces.push(piece)).on('error', () => {});
  await new Promise(resolve => request.once('close', resolve).once('end', resolve));
  return {
    method: request.method,
    target: request.url,
    headers: selectCompared(pairFields(request.rawHeaders)),
    body: describeBody(Buffer.concat(pieces)),
    trailers: pairFields(request.rawTrailers),
    isWhole: request.complete,
  };
}
