// The limits of one end, added up. test/e2e/stop-timeout.test.ts measures a whole post at the longest of them.

import { expect, it } from 'vitest';
import { limitInPost, limitStop, MAX_STOP_TIMEOUT_MS, POST_LIMIT_MS } from '../../src/shared/stop-times.ts';

it('post has time for the longest end, and 3 s for what follows it', () => {
  expect(limitStop(MAX_STOP_TIMEOUT_MS) + 3_000).toBeLessThanOrEqual(POST_LIMIT_MS);
});

it('a wait in post is shortened to what is left of its time, and never below zero', () => {
  expect(limitInPost(1, 0)).toBe(performance.now() < POST_LIMIT_MS - 1 ? 1 : 0);
  expect(limitInPost(60_000, 0)).toBeLessThanOrEqual(POST_LIMIT_MS);
  expect(limitInPost(60_000, POST_LIMIT_MS)).toBe(0);
});
