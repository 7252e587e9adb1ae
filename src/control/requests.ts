// The routes of the captured requests. Used by api.ts.

import type { CapturedRequest, RequestLog } from '../shared/captured-request.ts';
import { describeRequest } from '../shared/request-json.ts';
import { type Call, CallError, checkParameters, readBoolean, send } from './call.ts';
import { FILTER_PARAMETERS, parseId, readFilter } from './request-filter.ts';
import { renderList, writeParts } from './request-list.ts';

/** Oldest first, refused ones included. */
export async function listRequests({ controls, query, response }: Call): Promise<void> {
  checkParameters(query, [...FILTER_PARAMETERS, 'bodies']);
  const { requests } = controls;
  const { since, hasPath, hasMethod } = readFilter(query, requests.lastId);
  const withBody = readBoolean(query, 'bodies', true);
  const listed = requests.list(since).filter(request => hasPath(request) && hasMethod(request));
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  await writeParts(response, renderList(listed, { last_id: requests.lastId }, withBody));
  response.end('\n');
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
