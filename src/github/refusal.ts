// What GitHub says when it refuses a request, in one line. Used by api.ts and rate-limit.ts.

import * as v from 'valibot';
import { sanitise } from '../shared/sanitise.ts';

/** Octokit's error for an answer; without an answer there is no `response`. */
export const Answered = v.object({
  status: v.number(),
  response: v.object({
    status: v.number(),
    headers: v.optional(v.record(v.string(), v.unknown())),
    data: v.optional(v.unknown()),
  }),
});

const Detail = v.union([
  v.string(),
  v.pipe(
    v.object({ message: v.string() }),
    v.transform(({ message }) => message),
  ),
  v.pipe(
    v.object({ field: v.string(), code: v.string() }),
    v.transform(({ field, code }) => `${field} ${code}`),
  ),
]);

const Refusal = v.object({
  message: v.string(),
  errors: v.optional(v.array(v.fallback(Detail, '')), []),
});

/** A title comes early. The search for it takes time with the square of the length. */
const MAX_PAGE_LENGTH = 4_096;

/** GitHub's own words, without the link to its documentation. Load balancers in front of it answer with HTML pages. */
export function quoteRefusal(data: unknown): string {
  const refusal = v.safeParse(Refusal, data);
  if (refusal.success) {
    const { message, errors } = refusal.output;
    const details = errors.filter(detail => detail !== '');
    return sanitise(details.length === 0 ? message : `${message}: ${details.join(', ')}`);
  }
  if (typeof data !== 'string' || data.trim() === '') return 'an answer without words';
  const begin = data.slice(0, MAX_PAGE_LENGTH);
  const title = /<title[^>]*>([^<]*)<\/title>/i.exec(begin)?.[1]?.trim();
  if (title) return `a page with the title "${sanitise(title)}"`;
  return /<html|<!doctype/i.test(begin) ? 'a page without a title' : sanitise(begin.trim());
}
