// The routes of the captured requests. Used by api.ts.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CapturedRequest, RequestLog } from '../shared/captured-request.ts';
import type { HttpResponse } from '../shared/http-message.ts';
import { describeRequest } from '../shared/request-json.ts';
import { type Call, CallError, checkParameters, readBoolean, send } from './call.ts';
import { FILTER_PARAMETERS, parseId, readFilter } from './request-filter.ts';

/** So much is written before other work gets its turn: about a millisecond. */
const PART_LENGTH = 256 * 1024;

/** Oldest first, refused ones included. */
export async function listRequests({ controls, query, response }: Call): Promise<void> {
  checkParameters(query, [...FILTER_PARAMETERS, 'bodies']);
  const { requests } = controls;
  const { since, hasPath, hasMethod } = readFilter(query, requests.lastId);
  const withBody = readBoolean(query, 'bodies', true);
  const listed = requests
    .list()
    .filter(request => request.id > since && hasPath(request) && hasMethod(request));
  await sendList(response, listed, requests.lastId, withBody);
}

/** In parts: 64 MB of bodies as one text would need twice their memory, and would stop all other work. */
async function sendList(
  response: HttpResponse,
  requests: readonly CapturedRequest[],
  lastId: number,
  withBody: boolean,
): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  let part = '{"success":true,"requests":[';
  for (const [index, request] of requests.entries()) {
    part += `${index === 0 ? '' : ','}${JSON.stringify(describeRequest(request, { withBody }))}`;
    if (part.length < PART_LENGTH) continue;
    await write(response, part);
    if (response.destroyed) return;
    part = '';
  }
  response.end(`${part}],"last_id":${lastId}}\n`);
}

/** Resolves when more may be written, or the client is gone. */
async function write(response: HttpResponse, part: string): Promise<void> {
  if (response.write(part)) return void (await nextTurn());
  await new Promise<void>(resolve => {
    const go = () => {
      response.off('drain', go).off('close', go);
      // A socket that takes everything at once would drain in the same turn.
      setImmediate(resolve);
    };
    response.on('drain', go).on('close', go);
  });
}

export function showRequest({ controls, path, query, response }: Call): void {
  checkParameters(query, ['bodies']);
  const request = findRequest(controls.requests, path.id ?? '');
  const withBody = readBoolean(query, 'bodies', true);
  send(response, 200, { success: true, request: describeRequest(request, { withBody }) });
}

/** Throws an InputError if the text is not an id, and a CallError if there is no such request. */
export function findRequest(requests: RequestLog, idText: string): CapturedRequest {
  const id = parseId(idText, 'id');
  const request = requests.find(id);
  if (request === undefined) throw new CallError(404, describeMissing(id, requests.lastId));
  return request;
}

function describeMissing(id: number, lastId: number): string {
  if (lastId === 0) return `there is no request ${id}: none has been captured yet`;
  if (id > lastId || id === 0) return `there is no request ${id}: the newest is ${lastId}`;
  return `request ${id} is not kept any more: newer requests took its place, or the list was cleared`;
}

export function clearRequests({ controls, query, response }: Call): void {
  checkParameters(query, []);
  controls.requests.clear();
  send(response, 200, { success: true, message: 'Requests removed' });
}
