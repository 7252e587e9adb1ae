// Talks to the runner's cache service, for step/cache-service.ts. A program of its own, because the library for it is
// large, prints to the log as it likes, and cannot be told to stop: a process can be.

import { callCache } from './step/cache-call.ts';

/** The caller has its own limit, and kills this process. If it was killed itself, this one must end all the same. */
const MAX_LIFE_MS = 60_000;

setTimeout(() => process.exit(1), MAX_LIFE_MS).unref();
void callCache(process.argv.slice(2)).catch(error => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
