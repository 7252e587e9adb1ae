// Keeps an installed wasmrun in the runner's cache service between jobs: main takes what an earlier job left, post
// leaves what this job installed. Used by preview and teardown. No failure here fails the job.

import { mkdtemp } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { OnChild } from '../app/program.ts';
import {
  type InstallationStore,
  listRuntimes,
  type NewInstallation,
  nameEntries,
  packInstallation,
} from '../app/wasmrun/kept.ts';
import { formatTime } from '../app/wasmrun/progress.ts';
import { describeError } from '../shared/errors.ts';
import { removeFolder } from '../shared/folders.ts';
import type { Logger } from '../shared/log.ts';
import type { AppMode } from '../shared/state.ts';
import { type CacheCall, callCacheService, KEPT_FOLDER, selectCacheEnvironment } from './cache-service.ts';
import type { Machine } from './machine.ts';

/** An entry has some MB. A slow service costs this at most, and installing takes seconds to minutes. */
const RESTORE_LIMIT_MS = 15_000;

/** The parts of the machine that matter here. */
export type CacheMachine = Pick<Machine, 'childEnvironments' | 'tempFolder' | 'variables'>;

/** What both sides need. */
interface CacheContext {
  machine: CacheMachine;
  /** The program src/cache.ts. */
  script: string;
  logger: Logger;
  onChild?: OnChild;
}

/** The store for main. */
export function openInstallationStore(
  options: CacheContext & {
    mode: AppMode;
    /** For what comes from the cache; it is made when that is asked for. */
    folder: string;
    limitMs?: number;
    noteInstalled: (installation: NewInstallation) => void;
  },
): InstallationStore {
  const { mode, folder, machine, logger, limitMs = RESTORE_LIMIT_MS } = options;
  return {
    runtimesFolder: findRuntimes(mode, machine),
    noteInstalled: options.noteInstalled,
    async restore(version, signal) {
      const { program, withRuntimes } = nameEntries(version);
      const names = mode === 'os' ? [withRuntimes, program] : [program, withRuntimes];
      const call = createCall(options, { verb: 'restore', names, folder, limitMs, signal });
      const answer = await callCacheService(call);
      if (answer.kind === 'restored') return { folder: join(folder, KEPT_FOLDER), name: answer.name };
      if (answer.kind === 'missing') logger.info(`wasmrun ${version}: not in the cache yet`);
      if (answer.kind === 'failed')
        logger.info(`wasmrun ${version}: the cache cannot be used (${answer.reason}), so it is installed`);
      return undefined;
    },
  };
}

/** Saves what main has installed; for post. Resolves when it is saved, when that failed, or after `limitMs`. */
export async function keepInstallation(
  options: CacheContext & { mode: AppMode; installation: NewInstallation; limitMs: number },
): Promise<void> {
  const { mode, installation, machine, logger } = options;
  const began = performance.now();
  let folder: string | undefined;
  try {
    folder = await mkdtemp(join(machine.tempFolder, 'wasmrun-to-keep-'));
    const runtimes = findRuntimes(mode, machine);
    const files = runtimes === undefined ? [] : listRuntimes(runtimes);
    await packInstallation(join(folder, KEPT_FOLDER), installation, files);
    const { program, withRuntimes } = nameEntries(installation.version);
    const name = files.length > 0 ? withRuntimes : program;
    const call = { verb: 'save', names: [name], folder, limitMs: options.limitMs, signal: NEVER } as const;
    const answer = await callCacheService(createCall(options, call));
    if (answer.kind === 'saved')
      logger.info(
        `wasmrun ${installation.version}: kept in the cache for later jobs as ${name}, in ${formatTime(performance.now() - began)}`,
      );
    else if (answer.kind !== 'absent')
      logger.info(
        `wasmrun ${installation.version}: not kept in the cache (${answer.kind === 'failed' ? answer.reason : 'it gave no reason'})`,
      );
  } catch (error) {
    logger.info(`wasmrun ${installation.version}: not kept in the cache (${describeError(error)})`);
  } finally {
    const left = folder === undefined ? undefined : await removeFolder(folder);
    if (left !== undefined) logger.warn(left);
  }
}

/** Post is not cancelled: it has its time limit. */
const NEVER = new AbortController().signal;

function createCall(
  { machine, script, logger, onChild }: CacheContext,
  call: Pick<CacheCall, 'verb' | 'names' | 'folder' | 'limitMs' | 'signal'>,
): CacheCall {
  const environment = selectCacheEnvironment(machine.variables, machine.childEnvironments.program);
  return { ...call, script, environment, logger, ...(onChild && { onChild }) };
}

/**
 * wasmrun's own folder for what it downloads on first use, in OS mode; undefined on runners of your own. There the home
 * folder outlives the job and serves other repositories, and what is in this repository's cache must not get there.
 */
function findRuntimes(mode: AppMode, { variables }: CacheMachine): string | undefined {
  if (mode !== 'os' || variables.RUNNER_ENVIRONMENT === 'self-hosted') return undefined;
  const home = process.platform === 'win32' ? homedir() : (variables.HOME ?? homedir());
  return join(home, '.wasmrun', 'runtimes');
}
