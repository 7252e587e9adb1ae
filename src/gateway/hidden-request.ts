// Finds a request that hides in the body of another one, and the answer to it. Used by upload.ts, where the app may run
// what it leaves of a body as the next request, and by pass.ts.

import { sendText } from './own-pages.ts';
import type { Visit } from './visit.ts';

/**
 * The end of a request line. wasmhub's runtime 0.6.0 begins a request nowhere else (parseRequestHead in its main.js),
 * and takes no line that the frames of a chunked body complete: the line behind it would be no field.
 */
const END_OF_REQUEST_LINE = / HTTP\/\d\.\d\r\n/;
const END_LENGTH = ' HTTP/1.1\r\n'.length;

/** A body contained a request while it was being forwarded to the app. */
export class HiddenRequest extends Error {
  override readonly name = 'HiddenRequest';

  constructor() {
    super('its body contains the first line of another request');
  }
}

/** Returns a function that gets a body chunk by chunk, and returns true for the chunk that completes a request line. */
export function createRequestFinder(): (chunk: Buffer) => boolean {
  let end = '';
  return chunk => {
    const text = end + chunk.toString('latin1');
    end = text.slice(1 - END_LENGTH);
    return END_OF_REQUEST_LINE.test(text);
  };
}

/** The same for a body that was read whole; false if none was. */
export function hasRequestLine(body: Buffer | undefined): boolean {
  return body !== undefined && createRequestFinder()(body);
}

export function sendHiddenRequest(visit: Visit): void {
  const text =
    'the body contains the first line of another request, which this app could run. Send the key with it, or encode it\n';
  sendText(visit, 400, text, { connection: 'close' });
}
