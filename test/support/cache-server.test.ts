// The server that plays the cache service, against the library that real jobs use.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '../../src/shared/log.ts';
import { type CacheAnswer, callCacheService, KEPT_FOLDER } from '../../src/step/cache-service.ts';
import { type CacheServer, startCacheServer } from './cache-server.ts';

async function start(): Promise<CacheServer> {
  const server = await startCacheServer();
  onTestFinished(() => server.close());
  return server;
}

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cache-server-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function call(
  verb: 'restore' | 'save',
  names: readonly string[],
  folder: string,
  environment: Record<string, string>,
): Promise<CacheAnswer> {
  return callCacheService({
    script: resolve('src/cache.ts'),
    verb,
    names,
    folder,
    environment: { PATH: process.env.PATH ?? '', ...environment },
    limitMs: 30_000,
    signal: new AbortController().signal,
    logger: silentLogger,
  });
}

it.each([1, 2] as const)('keeps what the library saves, as version %d', async version => {
  const server = await start();
  const environment = server.environment(version);
  const [before, after] = [createFolder(), createFolder()];
  mkdirSync(join(before, KEPT_FOLDER));
  writeFileSync(join(before, KEPT_FOLDER, 'file'), 'content');

  expect(await call('restore', ['one'], after, environment)).toEqual({ kind: 'missing' });
  expect(await call('save', ['one'], before, environment)).toEqual({ kind: 'saved' });
  expect(await call('restore', ['other', 'one'], after, environment)).toEqual({
    kind: 'restored',
    name: 'one',
  });
  expect(readFileSync(join(after, KEPT_FOLDER, 'file'), 'utf8')).toBe('content');
  expect(await call('save', ['one'], before, environment)).toMatchObject({ kind: 'failed' });
  const saved = ['reserve', 'upload', 'commit'];
  expect(server.steps).toEqual(['look-up', ...saved, 'look-up', 'download', 'reserve']);
  expect(server.entries.map(({ name }) => name)).toEqual(['one']);
});

it('knows the job by its token', async () => {
  const server = await start();
  const environment = { ...server.environment(1), ACTIONS_RUNTIME_TOKEN: 'another' };
  expect(await call('restore', ['one'], createFolder(), environment)).toEqual({
    kind: 'failed',
    reason: 'Cache service responded with 401',
  });
});
