// The handshake on the control connection: proves the secret, asks for the public port, and explains what goes wrong.
// Used by session.ts.

import type { KeyObject } from 'node:crypto';
import type { Socket } from 'node:net';
import type { ServerAddress } from '../address.ts';
import {
  explainErrorFrame,
  explainHangUp,
  explainNotBore,
  explainSecretRequired,
  explainSecretUnwanted,
  explainWrongPort,
  type TunnelFailure,
} from '../failure.ts';
import type { Timings } from '../timings.ts';
import { type FrameReader, NoFrame } from '../wire/frame-reader.ts';
import { NO_PROOF, renderAuthentication, sendRequest } from '../wire/handshake.ts';
import { decodeServerMessage, FrameTooLong } from '../wire/protocol.ts';

export interface PortRequest {
  server: ServerAddress;
  key: KeyObject | undefined;
  /** The public port to ask for; 0 for any. */
  port: number;
  timings: Timings;
}

/** A frame came that the handshake does not allow at this point. */
class UnexpectedFrame extends Error {
  readonly frame: Buffer;

  constructor(frame: Buffer) {
    super('the server sent something unexpected');
    this.name = 'UnexpectedFrame';
    this.frame = Buffer.from(frame);
  }
}

/** Resolves with the public port the server opened for us. Rejects with TunnelFailure. */
export async function openPort(socket: Socket, reader: FrameReader, request: PortRequest): Promise<number> {
  const { port, timings } = request;
  const proof = await proveSecret(reader, request);
  sendRequest(socket, proof, { Hello: port });
  try {
    return readPort(request, await reader.next(timings.hello));
  } catch (error) {
    throw explainHandshake(request, error);
  }
}

async function proveSecret(reader: FrameReader, request: PortRequest): Promise<string> {
  const { server, key, timings } = request;
  if (key === undefined) return NO_PROOF;
  const connectedAt = performance.now();
  try {
    const frame = await reader.next(timings.challenge);
    const proof = renderAuthentication(key, frame);
    if (proof === undefined) throw new UnexpectedFrame(frame);
    return proof;
  } catch (error) {
    // A server without a secret waits for our first frame while we wait for its challenge, and then hangs up.
    const isLate = performance.now() - connectedAt >= timings.earlyEnd;
    const saidNothing = error instanceof NoFrame && error.reason === 'ended' && error.received.length === 0;
    if (isLate && saidNothing) throw explainSecretUnwanted(server);
    throw explainHandshake(request, error);
  }
}

function readPort({ server, port }: PortRequest, frame: Buffer): number {
  const message = decodeServerMessage(frame);
  if (typeof message !== 'object' || !('Hello' in message)) throw new UnexpectedFrame(frame);
  if (message.Hello === 0 || (port !== 0 && message.Hello !== port))
    throw explainWrongPort(server, port, message.Hello);
  return message.Hello;
}

function explainHandshake(request: PortRequest, error: unknown): unknown {
  const { server } = request;
  if (error instanceof FrameTooLong) return explainNotBore(server, error.bytes);
  if (error instanceof UnexpectedFrame) return explainUnexpectedFrame(request, error.frame);
  if (!(error instanceof NoFrame)) return error;
  if (error.reason === 'timeout' || error.received.length > 0) return explainNotBore(server, error.received);
  return explainHangUp(server, error.cause);
}

function explainUnexpectedFrame({ server, key, port }: PortRequest, frame: Buffer): TunnelFailure {
  const message = decodeServerMessage(frame);
  if (typeof message === 'object' && 'Error' in message)
    return explainErrorFrame(server, port, message.Error, key !== undefined);
  if (typeof message === 'object' && 'Challenge' in message) return explainSecretRequired(server);
  return explainNotBore(server, frame);
}
