// A bore server that plays any script, connection by connection: well-behaved, broken, mute or hostile. Used by
// test/tunnel/session-fuzz.test.ts; plays are data, so that a failing one can be printed and run again.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { resetSocket } from '../../src/shared/reset.ts';
import type { ServerAddress } from '../../src/tunnel/address.ts';

const CHALLENGE = `{"Challenge":"${idOf(0)}"}\0`;
/** After the client would have given up on a server that asks for a secret; see EARLY_END_MS of the test. */
export const LATE_MS = 1_300;

/** How a connection begins. `say` is anything, in place of the first frame the client waits for. */
export type Opening =
  | { opening: 'well' }
  | { opening: 'mute' }
  | { opening: 'hang up' }
  | { opening: 'hang up late' }
  | { opening: 'reset' }
  | { opening: 'say'; text: string; after: 'stay' | 'end' | 'reset' }
  /** In place of the answer to the request: behind the challenge where there is one. */
  | { opening: 'answer'; text: string };

/** What comes after a good opening: on a control connection frames, on a visitor's its bytes. */
export type Step =
  | { do: 'say'; text: string }
  /** Announces `count` visitors; from an id that is always the same, or one that nobody had before. */
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
  /** Connections the client has not ended yet, in any way. */
  readonly held: number;
  /** Connections the client opened and got nothing on, not even a challenge, at this moment. */
  readonly waiting: number;
  /** What each client asked for, for its connection. */
  readonly requests: readonly (string | undefined)[];
  stop(): Promise<void>;
}

/** `plays` are given in turn, again from the first when they are over. */
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
    open.set(socket, play.start.opening === 'mute');
    socket.on('error', () => {}).once('close', () => open.delete(socket));
    const line = new Line(socket, play.slice, stopping.signal);
    const hear = (request: string) => {
      requests[number] = request;
    };
    void perform(line, play, hear, () => (nextId += 1));
  });
  const perform = async (
    line: Line,
    { start, steps }: Play,
    onRequest: (request: string) => void,
    newId: () => number,
  ) => {
    const request = await begin(line, start, asksForSecret, onRequest);
    if (request === undefined) return;
    for (const step of steps) await take(line, step, request, newId);
  };
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const bound = server.address();
  return {
    address: { host: '127.0.0.1', port: typeof bound === 'object' && bound !== null ? bound.port : 0 },
    played,
    requests,
    get waiting() {
      return [...open].filter(([socket, isMute]) => isMute && isHeld(socket)).length;
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

/** Half an end is enough: who hangs up does not wait for ours. */
function isHeld(socket: Socket): boolean {
  return !socket.readableEnded && !socket.errored;
}

/** Opens a connection as `start` says; the client's request where all was well. */
async function begin(
  line: Line,
  start: Opening,
  asksForSecret: boolean,
  onRequest: (request: string) => void,
): Promise<string | undefined> {
  switch (start.opening) {
    case 'mute':
      return undefined;
    case 'hang up':
      return void line.socket.end();
    case 'hang up late':
      await line.pause(LATE_MS);
      return void line.socket.end();
    case 'reset':
      return void resetSocket(line.socket);
    case 'say':
      await line.write(start.text);
      if (start.after === 'end') line.socket.end();
      if (start.after === 'reset') resetSocket(line.socket);
      return undefined;
    case 'well':
    case 'answer': {
      if (asksForSecret) await line.write(CHALLENGE);
      const request = await line.hearRequest();
      if (request === undefined) return undefined;
      onRequest(request);
      const asked = /"Hello":(\d+)/.exec(request)?.[1];
      if (asked === undefined) return request;
      await line.write(start.opening === 'answer' ? start.text : `{"Hello":${Number(asked) || 5_000}}\0`);
      return request;
    }
  }
}

async function take(line: Line, step: Step, request: string, newId: () => number): Promise<void> {
  switch (step.do) {
    case 'say':
      return await line.write(step.text);
    case 'announce': {
      if (!request.includes('"Hello"')) return;
      const ids = Array.from({ length: step.count }, (_, at) => (step.ids === 'old' ? at % 4 : newId()));
      return await line.write(ids.map(id => `{"Connection":"${idOf(id)}"}\0`).join(''));
    }
    case 'pause':
      return await line.pause(step.ms);
    case 'reset':
      return void resetSocket(line.socket);
    case 'end':
      return void line.socket.end();
  }
}

/** One connection: writes in pieces, and listens for the client's request. */
class Line {
  readonly socket: Socket;
  readonly #slice: number;
  readonly #stopped: AbortSignal;
  #heard = '';

  constructor(socket: Socket, slice: number, stopped: AbortSignal) {
    this.socket = socket;
    this.#slice = slice;
    this.#stopped = stopped;
    socket.on('data', chunk => {
      // Enough for a request; a visitor's echo may be long.
      if (this.#heard.length < 1_000) this.#heard += chunk.toString('latin1');
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

  /** Undefined where the client left without one. */
  hearRequest(): Promise<string | undefined> {
    return new Promise(resolve => {
      const look = () => {
        if (/"(?:Hello|Accept)":[^\0]*\0/.test(this.#heard)) resolve(this.#heard);
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
