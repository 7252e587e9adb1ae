// Whether a captured request counts for a wait and matches it; if not, why. Used by wait.ts.

import type { CapturedRequest } from '../../shared/captured-request.ts';
import { SAFE_METHODS } from '../../shared/http-message.ts';
import { sanitise } from '../../shared/sanitise.ts';
import type { RequestFilter } from '../requests/filter.ts';
import type { Condition } from './conditions.ts';
import { RequestContent } from './content.ts';

export interface WaitQuery {
  readonly filter: RequestFilter;
  readonly count: number;
  readonly timeoutMs: number;
  readonly conditions: readonly Condition[];
}

/** `reason` is a sentence for people; values of the request in it are sanitised, short and without secrets. */
export type MatchResult =
  | { kind: 'match' }
  | { kind: 'refused'; reason: string }
  | { kind: 'other'; reason: string };

/** A request was let in, is no handshake, and is no unsigned GET, HEAD or OPTIONS unless the wait names that method. */
export function matchRequest(request: CapturedRequest, query: WaitQuery): MatchResult {
  const { filter } = query;
  const { method, handshake } = request;
  if (request.refusal !== undefined) return { kind: 'refused', reason: request.refusal };
  if (!filter.hasPath(request))
    return { kind: 'other', reason: `its path is not ${filter.patterns?.join(', ')}` };
  if (!filter.hasMethod(request))
    return {
      kind: 'other',
      reason: `its method is ${sanitise(method, 20)}, not ${filter.methods?.join(' or ')}`,
    };
  // With these a sender only asks whether the address exists.
  const isSafe = SAFE_METHODS.has(method);
  const isNamed = isSafe && filter.methods !== undefined;
  if (handshake !== undefined && !isNamed)
    return { kind: 'other', reason: `it is a handshake (${handshake}), which does not count` };
  if (isSafe && request.verified === undefined && !isNamed)
    return { kind: 'other', reason: `${method} counts only if \`method\` names it` };
  return checkConditions(request, query.conditions);
}

function checkConditions(request: CapturedRequest, conditions: readonly Condition[]): MatchResult {
  const content = readContent(request);
  for (const { findProblem } of conditions) {
    const reason = findProblem(content);
    if (reason !== undefined) return { kind: 'other', reason };
  }
  return { kind: 'match' };
}

/** The one read in this turn of the event loop: waits that go on at the same time look at it one after the other. */
let latest: { request: CapturedRequest; content: RequestContent } | undefined;

function readContent(request: CapturedRequest): RequestContent {
  if (latest?.request === request) return latest.content;
  const content = new RequestContent(request);
  latest = { request, content };
  // It may hold many megabytes.
  setImmediate(() => {
    if (latest?.content === content) latest = undefined;
  });
  return content;
}
