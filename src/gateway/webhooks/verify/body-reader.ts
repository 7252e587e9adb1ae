// Reads bodies whole for the check of their signatures, within limits: anybody can send some. Used by signed-paths.ts.

import type { Visit } from '../../visit.ts';
import { readWhole } from '../../whole-body.ts';

/** Of one body. Webhooks have a few KB; GitHub's longest are rarely near this. */
export const MAX_BODY_BYTES = 1024 ** 2;

/** Of all bodies that are being read. */
const MAX_TOTAL_BYTES = 64 * 1024 ** 2;

interface Reading {
  bytes: number;
  isCut: boolean;
  cut(): void;
}

/** Why a body was not read. `too many`: all bodies together exceed their limit. */
export type Unread = 'too long' | 'too many' | 'sender left';

export class BodyReader {
  /** Those that began first come first. */
  readonly #readings = new Set<Reading>();
  #heldBytes = 0;

  /** Keeps the body in `visit.body`, too. The caller answers if it is not read. Never rejects. */
  async read(visit: Visit): Promise<Buffer | Unread> {
    if (Number(visit.request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return 'too long';
    const { promise: cut, resolve } = Promise.withResolvers<Unread>();
    const reading: Reading = {
      bytes: 0,
      isCut: false,
      cut: () => {
        reading.isCut = true;
        this.#end(reading);
        resolve('too many');
      },
    };
    this.#readings.add(reading);
    const mayGrow = (bytes: number, total: number) => {
      if (reading.isCut || total > MAX_BODY_BYTES) return false;
      reading.bytes = total;
      this.#grow(bytes);
      return !reading.isCut;
    };
    const result = await Promise.race([readWhole(visit, mayGrow), cut]);
    this.#end(reading);
    return result;
  }

  /**
   * If there is no room, cuts the body that began first: a webhook comes within milliseconds, so the oldest belongs to
   * somebody who wants to fill the room.
   */
  #grow(bytes: number): void {
    this.#heldBytes += bytes;
    for (const oldest of this.#readings) {
      if (this.#heldBytes <= MAX_TOTAL_BYTES) return;
      oldest.cut();
    }
  }

  #end(reading: Reading): void {
    if (this.#readings.delete(reading)) this.#heldBytes -= reading.bytes;
  }
}
