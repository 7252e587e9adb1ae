// The routes that list, show and remove captured requests. Used by api.ts.

import type { CapturedRequest, RequestLog } from '../../shared/captured-request.ts';
import { type Call, CallError, checkParameters, JSON_FIELDS, readBoolean, send } from '../call.ts';
import { readDescription } from './description.ts';
import { FILTER_PARAMETERS, parseId, readFilter } from './filter.ts';
import { renderList, writeParts } from './list.ts';

/** Oldest first, refused ones included. */
export async function listRequests(call: Call): Promise<void> {
  const { controls, query, response } = call;
  checkParameters(query, [...FILTER_PARAMETERS, 'bodies', 'redact']);
  const { requests } = controls;
  const { since, hasPath, hasMethod } = readFilter(query, requests.lastId);
  const withBody = readBoolean(query, 'bodies', true);
  const description = readDescription(call);
  const listed = requests.list(since).filter(request => hasPath(request) && hasMethod(request));
  response.writeHead(200, JSON_FIELDS);
  const fields = { last_id: requests.lastId };
  await writeParts(
    response,
    renderList(listed, fields, request => description.ofRequest(request, { withBody })),
  );
  response.end('\n');
}

export function showRequest(call: Call): void {
  const { controls, path, query, response } = call;
  checkParameters(query, ['bodies', 'redact']);
  const request = findRequest(controls.requests, path.id ?? '');
  const withBody = readBoolean(query, 'bodies', true);
  send(response, 200, { success: true, request: readDescription(call).ofRequest(request, { withBody }) });
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
