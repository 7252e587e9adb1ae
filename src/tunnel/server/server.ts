// A bore server, for `expose demo`, `expose server` and the tests. Behaves like the real one (bore 0.6.0,
// src/server.rs), but frees a port as soon as its owner hangs up. A connection that fails does not affect the others.

import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { hasCode } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { resetSocket } from '../../shared/reset.ts';
import { isSame } from '../../shared/secrets.ts';
import { answerChallenge, deriveKey } from '../wire/challenge.ts';
import { FrameReader } from '../wire/frame-reader.ts';
import {
  type ClientMessage,
  decodeClientMessage,
  ERROR_TEXT,
  encodeFrame,
  HEARTBEAT_INTERVAL_MS,
  NETWORK_TIMEOUT_MS,
  type ServerMessage,
} from '../wire/protocol.ts';
import { PendingVisitors } from './pending-visitors.ts';

/** As many as the real server makes: enough to find a free port among many that are in use. */
const RANDOM_PORT_ATTEMPTS = 150;

export interface BoreServerOptions {
  /** Address of the control port; default 127.0.0.1. */
  host?: string;
  /** 0 (default) for a free port. */
  controlPort?: number;
  /** Undefined: anyone may open tunnels. */
  secret?: string;
  /** Default 1024. */
  minPort?: number;
  /** Default 65535. */
  maxPort?: number;
  /** Address of the public ports; default `host`. */
  bindTunnels?: string;
  /** Visitors at a time, waiting and served together; default 1,024. Further visitors are reset. */
  maxVisitors?: number;
  logger?: Logger;
}

export interface BoreServer {
  readonly host: string;
  readonly controlPort: number;
  /** Public ports open now. */
  readonly tunnels: number;
  /** Visitors waiting or being served now. */
  readonly visitors: number;
  /** Closes all ports and cuts all connections. May be called twice. */
  stop(): Promise<void>;
}

/** Resolves when it listens; rejects with the error of node:net if it cannot. */
export async function startBoreServer(options: BoreServerOptions = {}): Promise<BoreServer> {
  const server = new Bore(options);
  await server.listen(options.controlPort ?? 0);
  return server;
}

class Bore implements BoreServer {
  readonly host: string;
  readonly #bindTunnels: string;
  readonly #range: readonly [number, number];
  readonly #key: KeyObject | undefined;
  readonly #logger: Logger | undefined;
  readonly #pending: PendingVisitors;
  readonly #sockets = new Set<Socket>();
  readonly #ports = new Set<Server>();
  readonly #control: Server;
  #controlPort = 0;

  constructor(options: BoreServerOptions) {
    this.host = options.host ?? '127.0.0.1';
    this.#bindTunnels = options.bindTunnels ?? this.host;
    this.#range = [options.minPort ?? 1_024, options.maxPort ?? 65_535];
    this.#key = options.secret === undefined ? undefined : deriveKey(options.secret);
    this.#logger = options.logger;
    this.#pending = new PendingVisitors(options.maxVisitors ?? 1_024);
    this.#control = createServer({ allowHalfOpen: true, noDelay: true }, socket => void this.#serve(socket));
  }

  get tunnels(): number {
    return this.#ports.size;
  }

  get visitors(): number {
    return this.#pending.size;
  }

  get controlPort(): number {
    return this.#controlPort;
  }

  async listen(port: number): Promise<void> {
    await once(this.#control.listen(port, this.host), 'listening');
    this.#controlPort = findPort(this.#control);
  }

  async stop(): Promise<void> {
    const servers = [this.#control, ...this.#ports];
    const closed = servers.map(server => new Promise(resolve => server.close(resolve)));
    for (const socket of this.#sockets) resetSocket(socket);
    this.#pending.stop();
    await Promise.all(closed);
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket));
    const reader = new FrameReader(socket);
    try {
      const refusal = this.#key && (await challenge(socket, reader, this.#key));
      if (refusal !== undefined) return refuse(socket, refusal);
      const request = await readRequest(reader);
      if (request !== undefined && 'Hello' in request) return await this.#openPort(socket, request.Hello);
      if (request === undefined || !('Accept' in request)) return void socket.destroy();
      reader.release();
      if (!this.#pending.connect(request.Accept, socket)) socket.destroy();
    } catch (error) {
      this.#logger?.debug(`a connection was dropped: ${String(error)}`);
      socket.destroy();
    }
  }

  async #openPort(control: Socket, wanted: number): Promise<void> {
    const listener = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, visitor => {
      const id = this.#pending.add(visitor);
      if (id !== undefined) send(control, { Connection: id });
    });
    const refusal = await this.#listenWithin(listener, wanted);
    if (refusal !== undefined) return refuse(control, refusal);
    const port = findPort(listener);
    this.#ports.add(listener);
    const heartbeat = setInterval(() => send(control, 'Heartbeat'), HEARTBEAT_INTERVAL_MS);
    const close = () => {
      clearInterval(heartbeat);
      listener.close();
      if (this.#ports.delete(listener)) this.#logger?.info(`port ${port} is free again`);
      control.destroy();
    };
    control.once('end', close).once('close', close).resume();
    if (control.destroyed) return close();
    this.#logger?.info(`port ${port} is open`);
    send(control, { Hello: port });
    send(control, 'Heartbeat');
  }

  /** Undefined when it listens, otherwise the error for the client. */
  async #listenWithin(listener: Server, wanted: number): Promise<string | undefined> {
    const [min, max] = this.#range;
    if (wanted !== 0) {
      if (wanted < min || wanted > max) return ERROR_TEXT.portOutOfRange;
      return await tryListen(listener, wanted, this.#bindTunnels);
    }
    for (let attempt = 0; attempt < RANDOM_PORT_ATTEMPTS; attempt += 1) {
      const port = min + Math.floor(Math.random() * (max - min + 1));
      if ((await tryListen(listener, port, this.#bindTunnels)) === undefined) return undefined;
    }
    return ERROR_TEXT.noPortFree;
  }
}

/** Undefined if the client proves that it knows the secret, otherwise the error for it. */
async function challenge(socket: Socket, reader: FrameReader, key: KeyObject): Promise<string | undefined> {
  const question = crypto.randomUUID();
  send(socket, { Challenge: question });
  const reply = await readRequest(reader);
  if (reply === undefined || !('Authenticate' in reply)) return ERROR_TEXT.secretRequired;
  const isRight = isSame(reply.Authenticate, answerChallenge(key, question));
  return isRight ? undefined : ERROR_TEXT.invalidSecret;
}

async function readRequest(reader: FrameReader): Promise<ClientMessage | undefined> {
  return decodeClientMessage(await reader.next(NETWORK_TIMEOUT_MS));
}

async function tryListen(listener: Server, port: number, host: string): Promise<string | undefined> {
  try {
    await once(listener.listen(port, host), 'listening');
    return undefined;
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE')) return ERROR_TEXT.portTaken;
    return hasCode(error, 'EACCES') ? ERROR_TEXT.portForbidden : ERROR_TEXT.bindFailed;
  }
}

function send(socket: Socket, message: ServerMessage): void {
  if (socket.writable) socket.write(encodeFrame(message));
}

function refuse(socket: Socket, text: string): void {
  socket.end(encodeFrame({ Error: text }), () => socket.destroy());
}

function findPort(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
