// A bore server that plays any script, connection by connection: well-behaved, broken, silent or hostile. Used by
// test/tunnel/session-fuzz.test.ts; plays are data, so that a failing one can be printed and run again.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { resetSocket } from '../../src/shared/reset.ts';
import type { ServerAddress } from '../../src/tunnel/address.ts';

const CHALLENGE = `{"Challenge":"${idOf(0)}"}\0`;
/** Later than `earlyEnd` of the test, so that the client regards the server as one without a secret. */
export const LATE_MS = 1_300;

/** How a connection begins. `send` sends any text in place of the first frame that the client waits for. */
export type Opening =
  | { opening: 'well' }
  | { opening: 'silent' }
  | { opening: 'hang up' }
  | { opening: 'hang up late' }
  | { opening: 'reset' }
  | { opening: 'send'; text: string; after: 'stay' | 'end' | 'reset' }
  /** Sends any text in place of the answer to the request. */
  | { opening: 'answer'; text: string };

/** What follows a good opening: frames on a control connection, a visitor's bytes on a data connection. */
export type Step =
  | { do: 'send'; text: string }
  /** Announces `count` visitors, with ids that were used before, or new ones. */
  | { do: 'announce'; count: number; ids: 'new' | 'old' }
  | { do: 'pause'; ms: number }
  | { do: 'reset' }
  | { do: 'end' };

export interface Play {
  start: Opening;
  steps: Step[];
  /** Bytes in each piece that is written; 0 for everything at once. */
  slice: number;
}

export interface RandomBoreServer {
  readonly address: ServerAddress;
  /** The plays given so far, in the order of the connections. */
  readonly played: readonly Play[];
  /** Connections that the client has neither ended nor reset. */
  readonly held: number;
  /** Connections on which the client has received nothing so far, not even a challenge. */
  readonly waiting: number;
  /** The client's request on each connection. */
  readonly requests: readonly (string | undefined)[];
  stop(): Promise<void>;
}

/** `plays` are performed in turn, one for each connection, and again from the first after the last. */
export async function startRandomBoreServer(
  plays: readonly Play[],
  asksForSecret: boolean,
): Promise<RandomBoreServer> {
  const played: Play[] = [];
  const requests: (string | undefined)[] = [];
  const open = new Map<Socket, boolean>();
  const stopping = new AbortController();
  let nextId = 1_000;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    const number = played.length;
    const play = plays[number % plays.length];
    if (play === undefined) return void socket.destroy();
    played.push(play);
    requests.push(undefined);
    open.set(socket, play.start.opening === 'silent');
    socket.on('error', () => {}).once('close', () => open.delete(socket));
    const connection = new PlayedConnection(socket, play.slice, stopping.signal);
    const onRequest = (request: string) => {
      requests[number] = request;
    };
    void perform(connection, play, onRequest, () => (nextId += 1));
  });
  const perform = async (
    connection: PlayedConnection,
    { start, steps }: Play,
    onRequest: (request: string) => void,
    newId: () => number,
  ) => {
    const request = await begin(connection, start, asksForSecret, onRequest);
    if (request === undefined) return;
    for (const step of steps) await take(connection, step, request, newId);
  };
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const bound = server.address();
  return {
    address: { host: '127.0.0.1', port: typeof bound === 'object' && bound !== null ? bound.port : 0 },
    played,
    requests,
    get waiting() {
      return [...open].filter(([socket, isSilent]) => isSilent && isHeld(socket)).length;
    },
    get held() {
      return [...open.keys()].filter(isHeld).length;
    },
    stop: async () => {
      stopping.abort();
      const closed = new Promise(resolve => server.close(resolve));
      for (const socket of open.keys()) socket.destroy();
      await closed;
    },
  };
}

/** True until the client has ended or reset its direction; it need not wait for the end of ours. */
function isHeld(socket: Socket): boolean {
  return !socket.readableEnded && !socket.errored;
}

/** Begins a connection as `start` defines. Resolves with the client's request if the client sent it. */
async function begin(
  connection: PlayedConnection,
  start: Opening,
  asksForSecret: boolean,
  onRequest: (request: string) => void,
): Promise<string | undefined> {
  switch (start.opening) {
    case 'silent':
      return undefined;
    case 'hang up':
      return void connection.socket.end();
    case 'hang up late':
      await connection.pause(LATE_MS);
      return void connection.socket.end();
    case 'reset':
      return void resetSocket(connection.socket);
    case 'send':
      await connection.write(start.text);
      if (start.after === 'end') connection.socket.end();
      if (start.after === 'reset') resetSocket(connection.socket);
      return undefined;
    case 'well':
    case 'answer': {
      if (asksForSecret) await connection.write(CHALLENGE);
      const request = await connection.readRequest();
      if (request === undefined) return undefined;
      onRequest(request);
      const asked = /"Hello":(\d+)/.exec(request)?.[1];
      if (asked === undefined) return request;
      await connection.write(
        start.opening === 'answer' ? start.text : `{"Hello":${Number(asked) || 5_000}}\0`,
      );
      return request;
    }
  }
}

async function take(
  connection: PlayedConnection,
  step: Step,
  request: string,
  newId: () => number,
): Promise<void> {
  switch (step.do) {
    case 'send':
      return await connection.write(step.text);
    case 'announce': {
      if (!request.includes('"Hello"')) return;
      const ids = Array.from({ length: step.count }, (_, at) => (step.ids === 'old' ? at % 4 : newId()));
      return await connection.write(ids.map(id => `{"Connection":"${idOf(id)}"}\0`).join(''));
    }
    case 'pause':
      return await connection.pause(step.ms);
    case 'reset':
      return void resetSocket(connection.socket);
    case 'end':
      return void connection.socket.end();
  }
}

/** One connection: writes in pieces, and reads the client's request. */
class PlayedConnection {
  readonly socket: Socket;
  readonly #slice: number;
  readonly #stopped: AbortSignal;
  #received = '';

  constructor(socket: Socket, slice: number, stopped: AbortSignal) {
    this.socket = socket;
    this.#slice = slice;
    this.#stopped = stopped;
    socket.on('data', chunk => {
      // Enough for a request; a visitor's echo may be long.
      if (this.#received.length < 1_000) this.#received += chunk.toString('latin1');
    });
  }

  async write(text: string): Promise<void> {
    const bytes = Buffer.from(text, 'latin1');
    const step = this.#slice || bytes.length;
    for (let at = 0; at < bytes.length && this.socket.writable; at += step) {
      this.socket.write(bytes.subarray(at, at + step));
      if (this.#slice > 0 && at < 60) await this.pause(0);
    }
  }

  /** Undefined if the client left without a request. */
  readRequest(): Promise<string | undefined> {
    return new Promise(resolve => {
      const look = () => {
        if (/"(?:Hello|Accept)":[^\0]*\0/.test(this.#received)) resolve(this.#received);
      };
      this.socket.on('data', look).once('close', () => resolve(undefined));
      look();
    });
  }

  async pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopped }).catch(() => {});
  }
}

function idOf(number: number): string {
  return `6ba7b810-9dad-41d1-80b4-${number.toString(16).padStart(12, '0')}`;
}
