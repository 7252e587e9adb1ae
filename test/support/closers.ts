// What a test has opened, closed after it. Used by the tests of the gateway's servers.

import { afterEach } from 'vitest';

/** A list of functions that are called after each test of this file, the last one first. */
export function useClosers(): (() => unknown)[] {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  return closers;
}
