// Runs before every test file: every request to a server that plays GitHub, and every answer of it, must be valid by
// GitHub's own description of its API, in every test. github-api.ts does the checking.

import { afterEach } from 'vitest';
import { type Exchange, exchangeListeners } from '../../src/demo/github/exchange.ts';
import type { CheckExchange } from './github-api.ts';
import { realPart } from './real-parts.ts';

const seen: Exchange[] = [];
let check: CheckExchange | undefined;

exchangeListeners.add(exchange => seen.push(exchange));

afterEach(async () => {
  const exchanges = seen.splice(0);
  if (exchanges.length === 0) return;
  const required = Boolean(process.env.CI || process.env.REQUIRE_REAL);
  if (realPart('github-api') === undefined && !required) return;
  // Loaded only by files that need it: the description takes a moment to read.
  check ??= (await import('./github-api.ts')).createApiCheck();
  const problems = new Set(exchanges.flatMap(check));
  if (problems.size > 0)
    throw new Error(`not valid by GitHub's description of its API:\n${[...problems].join('\n')}`);
});
