// What a wait that timed out says: what came instead, why each request did not match, and what to do. Used by route.ts.

import type { CapturedRequest } from '../../shared/captured-request.ts';
import { renderCount } from '../../shared/count.ts';
import { formatDuration } from '../../shared/duration.ts';
import { cutQuery } from '../../shared/http-message.ts';
import { sanitise } from '../../shared/sanitise.ts';
import type { ExposureState } from '../../shared/state.ts';
import type { WaitQuery } from './matching.ts';
import type { ArrivedMessage } from './messages.ts';
import type { Miss, Wait } from './wait.ts';

/** Requests of each kind in the text; the JSON has more. */
const MAX_LISTED = 10;
const MAX_PATH_LENGTH = 80;

/** `before` is the state when the wait began, `now` that at its end. */
export function renderTimeout(
  query: WaitQuery,
  wait: Wait,
  before: ExposureState,
  now: ExposureState,
): string {
  const { matched, counts } = wait;
  const found = matched.length === 0 ? 'no request' : `${matched.length} of ${query.count} requests`;
  const lines = [
    `${found} matched within ${formatDuration(query.timeoutMs)}; waited for ${describeQuery(query)}`,
    ...listRequests('matched', matched.length, matched.map(renderMatch)),
    ...listRequests('did not match', counts.other, wait.others.map(renderMiss)),
    ...listRequests('refused, so the app did not get them', counts.refused, wait.refused.map(renderMiss)),
    ...(matched.length + counts.other + counts.refused === 0 ? [describeSilence(query, before, now)] : []),
    ...describeTunnel(before, now),
    ...(wait.refused.some(({ result }) => result.reason.includes('public-paths'))
      ? ['A service that cannot send the key needs its path in `public-paths`, or a rule in `verify`.']
      : []),
  ];
  return lines.join('\n');
}

/** `2 POST to /hooks/** with json:$.action=closed, after request 4`. */
function describeQuery({ filter, conditions, count }: WaitQuery): string {
  const methods = filter.methods?.join(' or ');
  const wantedKind = count === 1 ? (methods ?? 'a request') : `${count} ${methods ?? 'requests'}`;
  const paths = filter.patterns?.join(' or ') ?? 'any captured path';
  const wanted = conditions.map(({ text }) => text).join(' and ');
  return [
    `${wantedKind} to ${paths}`,
    wanted === '' ? '' : ` with ${wanted}`,
    filter.since === 0 ? '' : `, after request ${filter.since}`,
  ].join('');
}

function listRequests(title: string, total: number, lines: readonly string[]): string[] {
  if (total === 0) return [];
  const shown = lines.slice(-MAX_LISTED);
  const left = total - shown.length;
  return [`${title}:`, ...(left > 0 ? [`  … ${left} earlier`] : []), ...shown.map(line => `  ${line}`)];
}

function renderMatch(request: CapturedRequest): string {
  return `${renderRequest(request)}${request.isFinished ? '' : ': the app has not answered it yet'}`;
}

function renderMiss({ request, result }: Miss): string {
  return `${renderRequest(request)}: ${result.reason}`;
}

/** Without the query of its target, which may hold a secret. */
function renderRequest({ id, method, target, answer }: CapturedRequest): string {
  const path = sanitise(cutQuery(target), MAX_PATH_LENGTH);
  return `${id} ${sanitise(method, 20)} ${path}${answer === undefined ? '' : ` → ${answer.status}`}`;
}

function describeSilence({ filter }: WaitQuery, before: ExposureState, now: ExposureState): string {
  const { address } = now;
  const [path = ''] = filter.patterns?.filter(pattern => !/[*?]/.test(pattern)) ?? [];
  const url = address.kind === 'none' ? 'the public address' : `${address.url}${path}`;
  const visits = now.visits - before.visits;
  const others = visits > 0 ? ` ${renderCount(visits, 'request')} came to paths that are not captured.` : '';
  const since = filter.since === 0 ? '' : ` since request ${filter.since}`;
  return `Nothing has come${since}: does the service send to ${url}?${others}`;
}

/** Whether visitors could come in at all. */
function describeTunnel(before: ExposureState, now: ExposureState): string[] {
  const { tunnel, connectedAt, reconnects } = now;
  if (tunnel.status !== 'Connected') {
    const reason = 'reason' in tunnel && tunnel.reason !== undefined ? `: ${tunnel.reason}` : '';
    return [`The tunnel is ${tunnel.status}, so nothing can come${reason}`];
  }
  const upTime =
    connectedAt === undefined ? '' : ` for ${formatDuration(Date.now() - connectedAt.getTime())}`;
  const lost = reconnects - before.reconnects;
  const losses = lost > 0 ? ` It was lost ${renderCount(lost, 'time')} during the wait.` : '';
  return [`The tunnel has been connected${upTime}.${losses}`];
}

export function describeMatch(request: CapturedRequest): ArrivedMessage {
  const { id, receivedAt, method, target, answer } = request;
  const status = answer?.status ?? null;
  return { id, received_at: receivedAt.toISOString(), method, target, status, matched: true, reason: null };
}

export function describeMiss({ request, result }: Miss): ArrivedMessage {
  return { ...describeMatch(request), matched: false, reason: result.reason };
}
