// The parameters of a wait. Wrong ones, and paths that are not captured, are refused before anything is waited for. Used
// by route.ts.

import type { Capture, RequestLog } from '../../shared/captured-request.ts';
import { parseDuration } from '../../shared/duration.ts';
import { InputError } from '../../shared/errors.ts';
import { SAFE_METHODS } from '../../shared/http-message.ts';
import { canOverlap } from '../../shared/path-patterns.ts';
import { checkParameters } from '../call.ts';
import { FILTER_PARAMETERS, type RequestFilter, readFilter } from '../requests/filter.ts';
import { parseCondition } from './conditions.ts';
import type { WaitQuery } from './matching.ts';
import { DEFAULT_TIMEOUT } from './messages.ts';

/** Longer than any job waits for one event. */
const MAX_TIMEOUT_MS = 24 * 3_600_000;
/** As many as a test can want; each that matched is kept until the wait is over. */
const MAX_COUNT = 1_000;
const MAX_CONDITIONS = 50;

/** Throws an InputError for what is wrong. */
export function readWaitQuery(query: URLSearchParams, log: RequestLog): WaitQuery {
  checkParameters(query, [...FILTER_PARAMETERS, 'count', 'timeout'], ['match']);
  const filter = readFilter(query, log.lastId);
  const problem = findCaptureProblem(log.capture, filter);
  if (problem !== undefined) throw new InputError(problem);
  return {
    filter,
    count: readCount(query.get('count') ?? '1'),
    timeoutMs: readTimeout(query.get('timeout') ?? DEFAULT_TIMEOUT),
    conditions: readConditions(query.getAll('match'), log.signatureHeaders),
  };
}

function readCount(text: string): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MAX_COUNT)
    throw new InputError(`\`count\` is '${text}': write a whole number from 1 to ${MAX_COUNT}`);
  return count;
}

function readTimeout(text: string): number {
  const timeoutMs = parseDuration(text, 'timeout');
  if (timeoutMs > MAX_TIMEOUT_MS) throw new InputError(`\`timeout\` is '${text}': a wait takes at most 24h`);
  return timeoutMs;
}

function readConditions(texts: readonly string[], signatureHeaders: readonly string[]) {
  const names = signatureHeaders.map(name => name.toLowerCase());
  if (texts.length > MAX_CONDITIONS)
    throw new InputError(`\`match\` has more than ${MAX_CONDITIONS} conditions`);
  return texts.map(text => parseCondition(text, names));
}

/** Why no request can ever be captured that the filter lets through. */
function findCaptureProblem(capture: Capture, { patterns, methods }: RequestFilter): string | undefined {
  switch (capture.kind) {
    case 'none':
      return 'no request is captured here (`capture: none`, or `protocol: tcp`), so there is nothing to wait for';
    case 'unsafe methods':
      return methods?.every(method => SAFE_METHODS.has(method))
        ? `${methods.join(' and ')} requests are captured only on paths that \`capture\`, \`public-paths\` or \`verify\` names`
        : undefined;
    case 'paths': {
      const missing = patterns?.find(pattern => !capture.patterns.some(one => canOverlap(one, pattern)));
      return missing === undefined
        ? undefined
        : `requests to ${missing} are not captured, only those to ${capture.patterns.join(', ')}: add the path to \`capture\`, or to \`public-paths\` if its sender has no key`;
    }
  }
}
