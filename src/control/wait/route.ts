// `GET /api/requests/wait`: answers when the requests have come that a client waits for, or when the time is up. Used by
// api.ts.

import { describeError } from '../../shared/errors.ts';
import type { HttpResponse } from '../../shared/http-message.ts';
import { renderJson } from '../../shared/sanitise.ts';
import type { ExposureState } from '../../shared/state.ts';
import { type Call, type Controls, JSON_FIELDS, send } from '../call.ts';
import { renderList, writeParts } from '../requests/list.ts';
import type { WaitQuery } from './matching.ts';
import type { WaitFailure, WaitProgress } from './messages.ts';
import { readWaitQuery } from './query.ts';
import { describeMatch, describeMiss, renderTimeout } from './report.ts';
import { type Outcome, Wait } from './wait.ts';

const PROGRESS_MS = 500;

/**
 * Answers with JSON; or, to a client that accepts `text/event-stream`, with `progress` events and then one `result` or
 * `error` event, whose data is that JSON.
 */
export async function waitForRequests(call: Call): Promise<void> {
  const { controls, query, request, response } = call;
  const waitQuery = readWaitQuery(query, controls.requests);
  const before = controls.state;
  const wait = new Wait(waitQuery, controls.requests, controls.ending);
  response.once('close', () => wait.drop());
  const wantsEvents = request.headers.accept?.includes('text/event-stream') ?? false;
  const sender = wantsEvents
    ? sendEvents(response, () => describeProgress(wait, waitQuery))
    : sendJson(response);
  const outcome = await wait.outcome;
  if (response.destroyed) return;
  if (outcome.kind === 'matched') await sender.succeed(wait);
  else sender.fail(describeFailure(outcome, waitQuery, wait, before, controls));
}

interface Sender {
  succeed(wait: Wait): Promise<void>;
  fail(failure: WaitFailure): void;
}

function sendJson(response: HttpResponse): Sender {
  return {
    succeed: async wait => {
      response.writeHead(200, JSON_FIELDS);
      await writeParts(response, renderMatched(wait));
      response.end('\n');
    },
    fail: ({ status, ...body }) => send(response, status, body),
  };
}

/** Server-sent events (WHATWG HTML, 9.2). */
function sendEvents(response: HttpResponse, readProgress: () => WaitProgress): Sender {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  let last = '';
  const report = () => {
    const progress = JSON.stringify(readProgress());
    if (progress !== last) response.write(`event: progress\ndata: ${progress}\n\n`);
    last = progress;
  };
  report();
  const timer = setInterval(report, PROGRESS_MS);
  response.once('close', () => clearInterval(timer));
  return {
    succeed: async wait => {
      clearInterval(timer);
      response.write('event: result\ndata: ');
      await writeParts(response, renderMatched(wait));
      response.end('\n\n');
    },
    fail: failure => {
      clearInterval(timer);
      response.end(`event: error\ndata: ${renderJson(failure)}\n\n`);
    },
  };
}

/** `last_id`: with it as `since`, the next wait goes on behind the last request that matched. */
function renderMatched({ matched }: Wait): Iterable<string> {
  return renderList(matched, { count: matched.length, last_id: matched.at(-1)?.id ?? 0 });
}

function describeProgress({ matched, counts }: Wait, { count }: WaitQuery): WaitProgress {
  return { matched: matched.length, count, refused: counts.refused, other: counts.other };
}

function describeFailure(
  outcome: Exclude<Outcome, { kind: 'matched' }>,
  query: WaitQuery,
  wait: Wait,
  before: ExposureState,
  { state, requests }: Controls,
): WaitFailure {
  const isTimeout = outcome.kind === 'timed out';
  return {
    status: isTimeout ? 408 : outcome.kind === 'ended' ? 410 : 409,
    success: false,
    error: isTimeout ? renderTimeout(query, wait, before, state) : describeError(outcome.error),
    ...describeProgress(wait, query),
    requests: [...wait.matched.map(describeMatch), ...wait.others.map(describeMiss)].sort(
      (a, b) => a.id - b.id,
    ),
    refused_requests: wait.refused.map(describeMiss),
    last_id: requests.lastId,
  };
}
