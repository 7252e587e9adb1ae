// The first words on the control connection. Used by session.ts; a visitor's connection has its own, in data-connection.ts.

import type { KeyObject } from 'node:crypto';
import type { Socket } from 'node:net';
import type { FrameReader } from '../wire/frame-reader.ts';
import { answerChallenge, type ClientMessage, decodeServerMessage, encodeFrame } from '../wire/protocol.ts';

/** A frame came, but not one that has its place there. */
export class UnexpectedFrame extends Error {
  readonly frame: Buffer;

  constructor(frame: Buffer) {
    super('the server said something unexpected');
    this.name = 'UnexpectedFrame';
    this.frame = Buffer.from(frame);
  }
}

/**
 * Proves the secret where there is one, and makes the request. Both in one write: the server does not confirm the
 * proof, and a second small write would wait a round trip for the first one's acknowledgement.
 * Rejects with NoFrame, FrameTooLong or UnexpectedFrame, all of them before anything of the request was sent.
 */
export async function greet(
  socket: Socket,
  reader: FrameReader,
  key: KeyObject | undefined,
  request: ClientMessage,
  timeoutMs: number,
): Promise<void> {
  if (key === undefined) {
    socket.write(encodeFrame(request));
    return;
  }
  const frame = await reader.next(timeoutMs);
  const message = decodeServerMessage(frame);
  if (typeof message !== 'object' || !('Challenge' in message)) throw new UnexpectedFrame(frame);
  const proof = { Authenticate: answerChallenge(key, message.Challenge) };
  socket.write(Buffer.concat([encodeFrame(proof), encodeFrame(request)]));
}
