// Finds wasmrun, or installs it: PATH, tool cache, the release's .deb, cargo. Used by supervisor/plan.ts.

import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { formatDuration } from '../../shared/duration.ts';
import { AppError, describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { runCommand } from '../process/command.ts';
import type { OnChild } from '../program.ts';
import {
  copyRuntimes,
  digestFile,
  type InstallationStore,
  type NewInstallation,
  openKept,
  PROGRAM,
} from './kept.ts';
import { CargoProgress, formatTime, reportProgress } from './progress.ts';
import { DigestError, type GitHubAccess, installFromRelease, RateLimitError } from './release.ts';
import { isTooOld, parseWasmrunVersion } from './version.ts';

export interface WasmrunOptions {
  /** Exactly this version; undefined: the one on PATH, otherwise the pinned one. */
  version?: string | undefined;
  pathVariable: string;
  /** RUNNER_TOOL_CACHE, or a folder of our own with the same layout. */
  toolCache: string;
  tempFolder: string;
  /** The `releases` address of GitHub's API. */
  releasesUrl: string;
  /** For the API only. */
  gitHub?: GitHubAccess | undefined;
  /** Where installations are kept between jobs; undefined: nowhere. */
  store?: InstallationStore | undefined;
  /** What the installation sees of the job (selectInstallEnvironment). */
  environment: Readonly<Record<string, string>>;
  logger: Logger;
  /** Called for every program that installs; cargo may take minutes, and has a process group of its own. */
  onChild?: OnChild;
  /** Called with the installation's own folder before it is made; the folder is gone when the promise settles. */
  onFolder?: (folder: string) => void;
  /** How often the log says how far an installation is; by default what suits a download, and cargo. */
  progressIntervalMs?: number;
  signal: AbortSignal;
}

/** The version this action was tested with. */
const PINNED_VERSION = '1.0.0';
const MODES_WITHOUT = 'or use `mode: web` or `mode: port`, which need no wasmrun';
/** `wasmrun --version` prints and exits; from a cold disk that may take seconds. */
const VERSION_TIMEOUT_MS = 20_000;
/** cargo takes minutes. */
const CARGO_PROGRESS_INTERVAL_MS = 30_000;

/**
 * The absolute path of a wasmrun that runs. Throws an InputError for an impossible version, and an AppError that says
 * what was tried.
 */
export async function findOrInstallWasmrun(options: WasmrunOptions): Promise<string> {
  const version = options.version === undefined ? undefined : parseWasmrunVersion(options.version);
  const found = await findOnPath(options, version);
  if (found !== undefined) return found;
  const wanted = version ?? PINNED_VERSION;
  const cached = join(options.toolCache, 'wasmrun', wanted, process.arch);
  if (existsSync(`${cached}.complete`) && isExecutable(join(cached, 'bin', PROGRAM))) {
    options.logger.info(`wasmrun ${wanted}: from the tool cache`);
    return join(cached, 'bin', PROGRAM);
  }
  return (await restoreKept(wanted, options)) ?? (await installInto(cached, wanted, options));
}

/**
 * The program of an installation that an earlier job kept; undefined if there is none that runs. It stays in a folder
 * of this job's: it is never put into the tool cache, which on a runner of your own serves other jobs, too.
 */
async function restoreKept(version: string, options: WasmrunOptions): Promise<string | undefined> {
  const { store, logger, signal } = options;
  const began = performance.now();
  const kept = await store?.restore(version, signal);
  if (store === undefined || kept === undefined) return undefined;
  try {
    const { program, record, runtimes } = await openKept(kept.folder, version);
    const found = await readVersion(program, options);
    if (found !== version) throw new AppError(`it says that it is version ${found}`);
    if (store.runtimesFolder !== undefined) await copyRuntimes(runtimes, store.runtimesFolder);
    const before = `${record.way === 'build' ? 'building' : 'installing'} it took ${formatTime(record.tookMs)}`;
    logger.info(
      `wasmrun ${version}: from the cache, in ${formatTime(performance.now() - began)} (${before})`,
    );
    return program;
  } catch (error) {
    signal.throwIfAborted();
    logger.warn(
      `wasmrun ${version} from the cache cannot be used (${describeError(error)}), so it is installed; ` +
        `delete the cache entry ${kept.name}: entries are never replaced`,
    );
    return undefined;
  }
}

/** Without a wanted version, the first on PATH is used. If that is too old, throws, because the job chose it. */
async function findOnPath(options: WasmrunOptions, wanted: string | undefined): Promise<string | undefined> {
  const path = findProgram(PROGRAM, options.pathVariable);
  if (path === undefined) return undefined;
  const version = await readVersion(path, options).catch((error: unknown) => {
    options.signal.throwIfAborted();
    options.logger.warn(`${path} does not run (${describeError(error)}), so wasmrun is installed`);
    return undefined;
  });
  if (version === undefined || (wanted !== undefined && version !== wanted)) return undefined;
  if (isTooOld(version))
    throw new AppError(
      `wasmrun ${version} at ${path} is too old, 1.0.0 is the first that works; ` +
        `update it, set wasmrun-version: ${PINNED_VERSION} to have that installed, ${MODES_WITHOUT}`,
      { restartable: false },
    );
  options.logger.info(`wasmrun ${version}: ${path}`);
  return path;
}

/** The program's path, absolute, as a shell would find it. */
function findProgram(name: string, pathVariable: string): string | undefined {
  const folders = pathVariable.split(delimiter).filter(folder => isAbsolute(folder));
  return folders.map(folder => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The version that `--version` prints among colours and a frame. */
async function readVersion(path: string, options: WasmrunOptions): Promise<string> {
  const lines = await runCommand({
    command: path,
    args: ['--version'],
    cwd: options.tempFolder,
    environment: options.environment,
    signal: AbortSignal.any([options.signal, AbortSignal.timeout(VERSION_TIMEOUT_MS)]),
  });
  const version = /wasmrun v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)/.exec(lines.join('\n'))?.[1];
  if (version === undefined) throw new AppError(`${path} --version names no version`);
  return version;
}

/**
 * Installs into a folder beside the cached one and renames it when it runs: a cache folder is complete or absent.
 * The layout and the `.complete` file are those of @actions/tool-cache. Resolves with the program's path.
 */
async function installInto(cached: string, version: string, options: WasmrunOptions): Promise<string> {
  const stage = await createStage(cached, options);
  const began = performance.now();
  try {
    const way = await install(stage, version, options);
    const tookMs = Math.round(performance.now() - began);
    options.logger.info(`wasmrun ${version}: installed, in ${formatTime(tookMs)}`);
    const digest = await digestFile(join(stage, 'bin', PROGRAM));
    const folder = await publishStage(stage, stage.startsWith(cached) ? cached : `${stage}-installed`);
    const program = join(folder, 'bin', PROGRAM);
    options.store?.noteInstalled({ version, program, digest, way, tookMs });
    return program;
  } finally {
    await rm(stage, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** A tool cache that cannot be written to (a read-only image) is skipped. */
async function createStage(cached: string, options: WasmrunOptions): Promise<string> {
  const suffix = `-installing-${randomBytes(6).toString('hex')}`;
  const stages = [cached + suffix, join(options.tempFolder, `wasmrun${suffix}`)];
  const failures: unknown[] = [];
  for (const stage of stages) {
    try {
      options.onFolder?.(stage);
      await mkdir(join(stage, 'bin'), { recursive: true });
      return stage;
    } catch (error) {
      failures.push(error);
    }
  }
  const [first] = failures;
  throw new AppError(
    `wasmrun cannot be installed: neither ${options.toolCache} nor ${options.tempFolder} can be written to`,
    {
      cause: first,
      restartable: false,
    },
  );
}

/** Another job on this machine may have been faster: then its folder stays, because it may be in use. */
async function publishStage(stage: string, target: string): Promise<string> {
  const marker = `${target}.complete`;
  if (existsSync(marker) && existsSync(target)) return target;
  await rm(target, { recursive: true, force: true, maxRetries: 3 });
  await rename(stage, target).catch((error: unknown) => {
    if (!existsSync(target)) throw error;
  });
  await writeFile(marker, '');
  return target;
}

/** The .deb, then cargo. If both fail, the error gives both reasons. */
async function install(
  stage: string,
  version: string,
  options: WasmrunOptions,
): Promise<NewInstallation['way']> {
  const program = join(stage, 'bin', PROGRAM);
  const check = async () => {
    const installed = await readVersion(program, options);
    if (installed !== version) throw new AppError(`version ${installed} was installed instead`);
  };
  const failures: unknown[] = [];
  for (const [way, attempt] of WAYS) {
    try {
      await attempt({ ...options, stage, program, version, failure: failures[0] });
      await check();
      return way;
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof DigestError) throw error;
      failures.push(error);
    }
  }
  throw new AppError(
    `wasmrun ${version} was not found and could not be installed: ${failures.map(describeError).join('; and ')}. ` +
      `Install it in an earlier step (cargo install wasmrun), ${MODES_WITHOUT}`,
    { restartable: false },
  );
}

/** One way to install: puts the program at `program`, inside the folder `stage`. */
export type Installation = WasmrunOptions & {
  stage: string;
  program: string;
  version: string;
  /** Why the first way failed. */
  failure: unknown;
};

const WAYS = [
  ['download', installFromRelease],
  ['build', installWithCargo],
] as const;

async function installWithCargo(options: Installation): Promise<void> {
  const { stage, version, failure, environment, signal, logger } = options;
  const cargo = findProgram(process.platform === 'win32' ? 'cargo.exe' : 'cargo', options.pathVariable);
  if (cargo === undefined) throw new AppError('cargo is not on PATH (https://rustup.rs)');
  const notice = `wasmrun ${version} is built with cargo, which takes 5 to 10 minutes (${describeError(failure)})`;
  // A token would save these minutes, and the message says so: a warning is seen.
  if (failure instanceof RateLimitError) logger.warn(notice);
  else logger.info(notice);
  // Beside the program, not in the system's temp folder, where a killed cargo would leave its files.
  const build = join(stage, 'build');
  const progress = new CargoProgress();
  const began = performance.now();
  const describe = () =>
    `wasmrun ${version}: cargo has run for ${formatDuration(performance.now() - began)}, ${progress.describe()}`;
  const run = () =>
    runCommand({
      command: cargo,
      args: ['install', 'wasmrun', '--version', version, '--locked', '--root', stage],
      cwd: stage,
      environment: { ...environment, CARGO_TARGET_DIR: build },
      signal,
      onLine: line => {
        logger.debug(`cargo: ${line}`);
        progress.read(line);
      },
      ...(options.onChild && { onChild: options.onChild }),
    });
  const { progressIntervalMs: intervalMs = CARGO_PROGRESS_INTERVAL_MS } = options;
  await reportProgress({ logger, intervalMs, describe }, run);
  await rm(build, { recursive: true, force: true, maxRetries: 3 });
}
