// The client's side of bore's handshake, as `client_handshake` in bore's src/auth.rs. Used by the control connection
// (session/open-port.ts) and by each data connection (visitors/data-connection.ts).

import type { KeyObject } from 'node:crypto';
import type { Socket } from 'node:net';
import { answerChallenge } from './challenge.ts';
import { type ClientMessage, decodeServerMessage, renderFrame } from './protocol.ts';

/** The proof for a server without a secret, which sends no challenge: empty. */
export const NO_PROOF = '';

/** The frame that proves we know the secret, or undefined if `frame`, the server's first one, is not a challenge. */
export function renderAuthentication(key: KeyObject, frame: Buffer): string | undefined {
  const message = decodeServerMessage(frame);
  if (typeof message !== 'object' || !('Challenge' in message)) return undefined;
  return renderFrame({ Authenticate: answerChallenge(key, message.Challenge) });
}

/**
 * Sends proof and request in one write: the server does not confirm the proof, and a second small write would wait a
 * round trip for the acknowledgement of the first one.
 */
export function sendRequest(socket: Socket, proof: string, request: ClientMessage): void {
  socket.write(`${proof}${renderFrame(request)}`, 'latin1');
}
