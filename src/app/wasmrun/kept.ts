// What is kept of an installation of wasmrun between jobs, and what is checked when it comes back. Used by install.ts,
// and by step/installation-cache.ts, which gives it to the runner's cache service and gets it back from there.
//
//   installation.json   the version, and how long the installation took
//   bin/wasmrun         the program
//   runtimes/           what wasmrun downloads on first use, flat: NAME.json and NAME.wasm

import { createHash } from 'node:crypto';
import { constants, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { basename, extname, join } from 'node:path';
import * as v from 'valibot';
import { AppError, hasCode } from '../../shared/errors.ts';

/** A place for installations that outlives the job. */
export interface InstallationStore {
  /**
   * Resolves with what is kept of this version; undefined if there is nothing, or if it cannot be had, which the log
   * then says. Rejects with the signal's reason when aborted.
   */
  restore(version: string, signal: AbortSignal): Promise<KeptInstallation | undefined>;
  /** Called when a version was installed, so that it can be kept later. */
  noteInstalled(installation: NewInstallation): void;
  /** wasmrun's own folder for runtimes; undefined if kept ones must not be put there. */
  readonly runtimesFolder: string | undefined;
}

export interface KeptInstallation {
  /** A folder of this job's, as shown above; nothing in it is checked yet. */
  folder: string;
  /** What the entry is called where it is kept: who has to delete it looks for this name. */
  name: string;
}

export const NewInstallationSchema = v.object({
  version: v.string(),
  /** Absolute path of the program. */
  program: v.string(),
  /** Of the program, right after its installation: code that ran later in the job may have changed the file. */
  digest: v.string(),
  /** Whether it was downloaded or compiled, and the milliseconds that took. */
  way: v.picklist(['download', 'build']),
  tookMs: v.number(),
});

/** An installation that this job made. */
export type NewInstallation = v.InferOutput<typeof NewInstallationSchema>;

const RecordSchema = v.object({
  version: v.string(),
  way: v.picklist(['download', 'build']),
  tookMs: v.pipe(v.number(), v.minValue(0), v.maxValue(24 * 3_600_000)),
});

type InstallationRecord = v.InferOutput<typeof RecordSchema>;

/** The program's file name. */
export const PROGRAM = process.platform === 'win32' ? 'wasmrun.exe' : 'wasmrun';
/** The names that wasmrun gives its runtimes and their descriptions. */
const RUNTIME_FILE = /^[A-Za-z0-9][\w.-]*\.(?:json|wasm)$/;

/** The names of the entry for a version: what makes a program unusable on another machine is part of them. */
export function nameEntries(version: string): { program: string; withRuntimes: string } {
  const program = `expose-wasmrun-${version}-${describeSystem()}-program`.toLowerCase();
  // A service that finds no entry of a name takes one that begins with it: so this name begins with the other one.
  return { program, withRuntimes: `${program}-runtimes` };
}

/**
 * `linux-x64-glibc2.39`, `darwin-arm64-24`, `win32-x64`. A program built on one system runs on the same one, and mostly
 * not on one with an older C library.
 */
function describeSystem(): string {
  const { platform, arch } = process;
  if (platform === 'linux') return `linux-${arch}-${readLibc()}`;
  return platform === 'darwin' ? `darwin-${arch}-${release().split('.')[0]}` : `${platform}-${arch}`;
}

function readLibc(): string {
  const { header } = v.parse(ReportSchema, process.report.getReport());
  return header.glibcVersionRuntime === undefined ? 'musl' : `glibc${header.glibcVersionRuntime}`;
}

const ReportSchema = v.object({ header: v.object({ glibcVersionRuntime: v.optional(v.string()) }) });

/** Hex SHA-256 of a file. */
export async function digestFile(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

/**
 * Fills the folder with the installation and the given runtimes. Throws an AppError if the program is no longer the one
 * that was installed.
 */
export async function packInstallation(
  folder: string,
  { version, program, digest, way, tookMs }: NewInstallation,
  runtimes: readonly string[],
): Promise<void> {
  const places = describeFolder(folder);
  for (const place of [places.bin, places.runtimes]) await mkdir(place, { recursive: true });
  await copyFile(program, places.program);
  if ((await digestFile(places.program)) !== digest)
    throw new AppError(`${program} was changed after its installation`);
  const record: InstallationRecord = { version, way, tookMs };
  await writeFile(places.record, JSON.stringify(record));
  await copyRuntimes(runtimes, places.runtimes);
}

/**
 * The program of a kept installation, and how it was made. Throws an AppError if the folder does not hold what
 * `packInstallation` writes: then something else wrote the entry. Whether the program runs is for the caller to see.
 */
export async function openKept(
  folder: string,
  version: string,
): Promise<{ program: string; record: InstallationRecord; runtimes: string[] }> {
  const places = describeFolder(folder);
  const record = readRecord(places.record);
  if (record.version !== version) throw new AppError(`it is wasmrun ${record.version}`);
  if (!isPlainFolder(places.bin) || !isPlainFile(places.program)) throw new AppError('it holds no program');
  await chmod(places.program, 0o755);
  return { program: places.program, record, runtimes: listRuntimes(places.runtimes) };
}

function describeFolder(folder: string) {
  const bin = join(folder, 'bin');
  return {
    bin,
    program: join(bin, PROGRAM),
    record: join(folder, 'installation.json'),
    runtimes: join(folder, 'runtimes'),
  };
}

function readRecord(file: string): InstallationRecord {
  if (!isPlainFile(file)) throw new AppError('it is not described');
  try {
    return v.parse(RecordSchema, JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new AppError('its description cannot be read', { cause });
  }
}

/** The runtimes in a folder of wasmrun's; none if there is no folder. */
export function listRuntimes(folder: string): string[] {
  if (!isPlainFolder(folder)) return [];
  return readdirSync(folder)
    .filter(name => RUNTIME_FILE.test(name))
    .map(name => join(folder, name))
    .filter(isPlainFile);
}

/** Adds runtimes to a folder of wasmrun's, and leaves those that are there as they are. */
export async function copyRuntimes(files: readonly string[], folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  // A description last: wasmrun may start at any time, and looks for it first.
  for (const file of [...files].sort((one, other) => extname(other).localeCompare(extname(one))))
    await copyFile(file, join(folder, basename(file)), constants.COPYFILE_EXCL).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
}

// A link could lead anywhere.

function isPlainFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function isPlainFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
