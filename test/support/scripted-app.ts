// An app that answers with exactly the bytes that a test gives it, in pieces, and ends the connection as told; a gateway
// in front of it, and visitors who send bytes. Used by the tests of what the gateway makes of an app's answers.

import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { resetSocket } from '../../src/shared/reset.ts';
import { type Door, openDoor, sendRaw } from './gateway-door.ts';
import { type RawApp, startRawApp } from './raw-app.ts';
import { readAnswers, type SeenAnswer, type SeenBytes } from './read-answers.ts';

export interface Script {
  /** In latin1; each piece is a write of its own, which the gateway has read before the next. */
  pieces: readonly string[];
  /** How the app ends the connection then; absent: it keeps the connection. */
  end?: 'close' | 'reset';
}

export interface Scripted {
  app: RawApp;
  door: Door;
  /** Decides about each request of each connection. */
  answer: (socket: Socket, count: number) => unknown;
  /** What a visitor gets who asks once, while the app answers like this. */
  ask(script: Script | string, method?: string): Promise<Seen>;
  stop(): Promise<void>;
}

/** `answer` is undefined if the visitor's connection ended without a complete head. */
export interface Seen extends Pick<SeenBytes, 'rest'> {
  answer: SeenAnswer | undefined;
}

/** The Host of the gateway of `openDoor`. */
export const HOST = 'Host: bore.example:4321\r\n';

/** Without compression, which changes fields. */
export async function startScripted(options: Parameters<typeof openDoor>[1] = {}): Promise<Scripted> {
  // Without delay: a second write would wait in the kernel until the first is acknowledged, up to 40 ms.
  const app = await startRawApp((socket, count) => void scripted.answer(socket.setNoDelay(true), count));
  const door = await openDoor(app.port, { ...options, rules: { compress: false, ...options.rules } });
  const scripted: Scripted = {
    app,
    door,
    answer: () => {},
    ask: async (script, method = 'GET') => {
      scripted.answer = socket => play(socket, script);
      const bytes = await sendRaw(door.port, `${method} / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
      const { answers, rest } = readAnswers(bytes, [method]);
      return { answer: answers[0], rest };
    },
    stop: async () => {
      await door.stop();
      await app.stop();
    },
  };
  return scripted;
}

/** Writes the pieces, and ends. */
export async function play(socket: Socket, script: Script | string): Promise<void> {
  const { pieces, end } = typeof script === 'string' ? { pieces: [script], end: undefined } : script;
  for (const piece of pieces) {
    if (socket.destroyed) return;
    socket.write(piece, 'latin1');
    if (pieces.length > 1) await letRead();
  }
  if (end === 'close') socket.end();
  else if (end === 'reset') socket.write('', () => resetSocket(socket));
}

/** Until the gateway, in the same process, has read what was written before. */
export async function letRead(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await nextTurn();
}

/** The bytes cut into pieces of this many. */
export function cut(bytes: string, size: number): string[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.slice(index * size, (index + 1) * size),
  );
}
