// Reads the beginning of an HTTP answer that may come from any program. Used by gateway/probe.ts and doctor/.

import type { Readable } from 'node:stream';

/** The answers that we expect are much shorter: a longer one is some other page, and is not read to its end. */
export const MAX_START_BYTES = 4_096;

/** The first 4 KB of the body, as latin1; then closes the connection. */
export async function readStart(answer: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer) {
    if (!Buffer.isBuffer(chunk)) break;
    chunks.push(chunk);
    length += chunk.length;
    if (length >= MAX_START_BYTES) break;
  }
  return Buffer.concat(chunks).toString('latin1');
}
