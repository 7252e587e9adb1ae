// Sends a list of captured requests in parts: 64 MB of bodies as one text would need twice their memory, and would stop
// all other work. Used by routes.ts and wait/.

import type { CapturedRequest } from '../../shared/captured-request.ts';
import type { HttpResponse } from '../../shared/http-message.ts';
import { describeRequest, type RequestMessage } from '../../shared/request-json.ts';
import { renderJson } from '../../shared/sanitise.ts';

/** So much is written before other work gets its turn: about a millisecond. */
const PART_LENGTH = 256 * 1024;

/** The parts of `{"success":true,"requests":[…],…fields}`, on one line. */
export function* renderList(
  requests: readonly CapturedRequest[],
  fields: Readonly<Record<string, number>>,
  describe: (request: CapturedRequest) => RequestMessage = request => describeRequest(request),
): Generator<string> {
  let part = '{"success":true,"requests":[';
  for (const [index, request] of requests.entries()) {
    part += `${index === 0 ? '' : ','}${renderJson(describe(request))}`;
    if (part.length < PART_LENGTH) continue;
    yield part;
    part = '';
  }
  yield `${part}],${JSON.stringify(fields).slice(1)}`;
}

/** Writes as fast as the client reads; resolves early if it is gone. */
export async function writeParts(response: HttpResponse, parts: Iterable<string>): Promise<void> {
  for (const part of parts) {
    if (response.destroyed) return;
    await write(response, part);
  }
}

/** Resolves when more may be written, or the client is gone. */
function write(response: HttpResponse, part: string): Promise<void> {
  return new Promise(resolve => {
    const goOn = () => {
      response.off('drain', goOn).off('close', goOn);
      // A socket that takes everything at once drains in the same turn: others get theirs first.
      setImmediate(resolve);
    };
    if (response.write(part)) return goOn();
    response.on('drain', goOn).on('close', goOn);
  });
}
