// The loopback addresses of the tests' servers: test files run at the same time, and two servers on one address and port
// would answer each other's clients.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const TESTS = resolve('test');

/** 127.0.0.1 is for ports that the system chooses, and those up to 127.0.0.9 for texts that nobody connects to. */
const SERVER_ADDRESS = /\b127\.0\.\d+\.\d{2,3}\b/g;

it('the address of a server in a test is used by no other test file', () => {
  const users = new Map<string, string[]>();
  const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter(file =>
    file.endsWith('.test.ts'),
  );
  for (const file of files)
    for (const address of new Set(readFileSync(join(TESTS, file), 'utf8').match(SERVER_ADDRESS)))
      users.set(address, [...(users.get(address) ?? []), file]);
  expect(users.size).toBeGreaterThan(100);
  expect([...users].filter(([, some]) => some.length > 1)).toEqual([]);
});
