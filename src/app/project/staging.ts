// Makes the copy of a project that OS mode runs on. The checkout itself is not used, because wasmrun's API can write
// into the folder it serves, and our network policy becomes a part of it. Used by os.ts and, for a plain copy, exec.ts.

import { readFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, realpath, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { AppError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { DETECTED_FILES, ENTRY_FILES, isFile, readPackage } from './entry-file.ts';
import { type IgnoreRules, parseIgnoreRules } from './ignore-rules.ts';
import {
  DEFAULT_BIND_PORTS,
  findRefusedPorts,
  listOwnAddresses,
  renderStagedConfig,
} from './network-policy.ts';
import { CONFIG_FILE, readProjectConfig } from './project-config.ts';
import { leadsOut, readProjectFile } from './project-file.ts';
import { checkProgram } from './runtime-modules.ts';

/** wasmrun 1.0.0 ships no more than this into the VM (project_files.rs); larger files would be missing silently. */
const MAX_FILE_BYTES = 10 * 1024 * 1024;
const MAX_TOTAL_BYTES = 50 * 1024 * 1024;
const MAX_FILES = 5_000;

interface Walk {
  from: string;
  to: string;
  rules: IgnoreRules;
  /** Relative paths with `/`. */
  files: Set<string>;
  bytes: number;
  /** Each rule that left something out, with how many files or folders. */
  leftOut: Map<string, number>;
}

/**
 * Copies the project into `target` (which must not exist), with our network policy in its wasmrun.toml. Throws an
 * InputError for a broken wasmrun.toml, and an AppError if the program's entry file would be left out.
 */
export async function stageProject(source: string, target: string, logger: Logger): Promise<void> {
  const config = readProjectConfig(source);
  const rules = parseIgnoreRules(readProjectFile(source, '.gitignore') ?? '');
  const walk = await createWalk(source, target, rules);
  await copyFolder(walk, '');
  await writeFile(join(target, CONFIG_FILE), renderStagedConfig(config, listOwnAddresses()));
  logger.info(describeStaging(walk, 'for the VM'));
  const refused = findRefusedPorts(config);
  if (refused !== undefined)
    logger.warn(
      `wasmrun.toml: os.network.bind_ports ${sanitise(refused)} is not within ${DEFAULT_BIND_PORTS}, which is used instead`,
    );
  const entry = await checkEntry(walk, config.os?.entry);
  if (entry === undefined || !entry.endsWith('.js')) return;
  const read = (path: string) =>
    walk.files.has(path) ? readFileSync(join(walk.to, path), 'utf8') : undefined;
  for (const warning of checkProgram(entry, read)) logger.warn(warning);
}

/**
 * Copies a folder into `target` (which must not exist) for a program that gets it as its root directory: by the same
 * rules, and without dotfiles except `.well-known`, because the program may show visitors what it can read.
 */
export async function stageFolder(source: string, target: string, logger: Logger): Promise<void> {
  const ignored = parseIgnoreRules(readProjectFile(source, '.gitignore') ?? '');
  const rules: IgnoreRules = (path, isFolder) =>
    posix.basename(path).startsWith('.') && path !== '.well-known' ? 'dotfiles' : ignored(path, isFolder);
  const walk = await createWalk(source, target, rules);
  await copyFolder(walk, '');
  logger.info(describeStaging(walk, 'for the program to read'));
}

/** Real paths, so that a copy inside its own source (a project in the temp folder) is recognised and left out. */
async function createWalk(source: string, target: string, rules: IgnoreRules): Promise<Walk> {
  const [from, parent] = await Promise.all([realpath(source), realpath(dirname(target))]);
  return { from, to: join(parent, basename(target)), rules, files: new Set(), bytes: 0, leftOut: new Map() };
}

async function copyFolder(walk: Walk, folder: string): Promise<void> {
  await mkdir(join(walk.to, folder), { mode: 0o700 });
  const entries = await readdir(join(walk.from, folder), { withFileTypes: true });
  // Sorted, so that a project over the limits loses the same files each time.
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = posix.join(folder, entry.name);
    const reason = findReason(walk, path, entry);
    if (reason !== undefined) count(walk, reason);
    else if (entry.isDirectory()) await copyFolder(walk, path);
    else await copyOne(walk, path);
  }
}

function findReason(
  walk: Walk,
  path: string,
  entry: { isDirectory(): boolean; isFile(): boolean; isSymbolicLink(): boolean },
): string | undefined {
  if (join(walk.from, path) === walk.to) return 'this copy';
  if (entry.isSymbolicLink()) return 'links';
  if (!entry.isDirectory() && !entry.isFile()) return 'devices, sockets and pipes';
  return walk.rules(path, entry.isDirectory());
}

async function copyOne(walk: Walk, path: string): Promise<void> {
  const { size } = await stat(join(walk.from, path));
  if (size > MAX_FILE_BYTES) return count(walk, 'files over 10 MB');
  if (walk.bytes + size > MAX_TOTAL_BYTES) return count(walk, 'beyond 50 MB');
  if (walk.files.size >= MAX_FILES) return count(walk, 'beyond 5,000 files');
  await copyFile(join(walk.from, path), join(walk.to, path));
  walk.files.add(path);
  walk.bytes += size;
}

function count(walk: Walk, rule: string): void {
  walk.leftOut.set(rule, (walk.leftOut.get(rule) ?? 0) + 1);
}

function describeStaging({ files, bytes, leftOut }: Walk, use: string): string {
  const copied = `${files.size} file${files.size === 1 ? '' : 's'} (${Math.ceil(bytes / 1024)} KB) ${use}`;
  const rules = [...leftOut].map(([rule, times]) => `${sanitise(rule)} (${times})`);
  return rules.length === 0 ? copied : `${copied}; left out: ${rules.join(', ')}`;
}

/**
 * The file the page will run: named by wasmrun.toml, otherwise by package.json, otherwise one of the usual names.
 * Undefined if the page takes any script.
 */
async function checkEntry(walk: Walk, configured: string | undefined): Promise<string | undefined> {
  const wanted = configured ?? readPackageEntry(walk.from);
  const entry = wanted === undefined ? undefined : posix.normalize(wanted);
  if (entry !== undefined && walk.files.has(entry)) return entry;
  if (entry !== undefined && (configured !== undefined || isFile(join(walk.from, entry))))
    throw describeLostEntry(walk, entry);
  const usual = ENTRY_FILES.find(name => walk.files.has(name));
  if (usual !== undefined) return usual;
  for (const name of ENTRY_FILES) if (isFile(join(walk.from, name))) throw describeLostEntry(walk, name);
  // As a last resort the page takes any script of the root; without one there is nothing to run.
  if (![...walk.files].some(path => path.endsWith('.js'))) throw await describeUnsuited(walk.from);
  return undefined;
}

function describeLostEntry(walk: Walk, entry: string): AppError {
  const shown = sanitise(entry);
  if (!isFile(join(walk.from, entry)))
    return new AppError(`the entry file ${shown} does not exist; correct [os] entry in wasmrun.toml`, {
      restartable: false,
    });
  const parts = entry.split('/');
  const rule = parts
    .map((_, index) => walk.rules(parts.slice(0, index + 1).join('/'), index + 1 < parts.length))
    .find(found => found !== undefined);
  return new AppError(
    `the entry file ${shown} is not shipped into wasmrun's VM (${sanitise(rule ?? 'a link, or over the size limits')}); ` +
      'move it, or change the rule, or name another file as [os] entry in wasmrun.toml',
    { restartable: false },
  );
}

/** The entry that the page takes from package.json; undefined if it leads out of the project. */
function readPackageEntry(folder: string): string | undefined {
  const { main, module } = readPackage(folder);
  const entry = main ?? module;
  return entry === undefined || leadsOut(entry) ? undefined : entry;
}

/** An AppError that says why OS mode cannot run this folder, and which mode can. */
export async function describeUnsuited(source: string, language?: string): Promise<AppError> {
  const names: string[] = await readdir(source).catch(() => []);
  const wasm = names.find(name => name.endsWith('.wasm'));
  const other = names.includes('index.html')
    ? '`mode: web` serves its index.html'
    : wasm === undefined
      ? '`mode: port` with a `command` runs anything that listens on a port'
      : `\`mode: exec\` with \`path\` set to ${sanitise(wasm)} runs that file`;
  const found =
    language === undefined || language === 'unknown' ? 'has no Node.js program' : `is ${language}`;
  return new AppError(
    `wasmrun could not start ${sanitise(source)} in OS mode: it runs Node.js projects, and this one ${sanitise(found)} ` +
      `(looked for package.json, ${DETECTED_FILES.join(', ')}); ${other}`,
    { restartable: false },
  );
}
