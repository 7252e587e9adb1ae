// Chooses the mode of an app, and checks that its path suits it. Used by inputs before anything starts.

import { readdirSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { InputError } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';
import type { AppMode } from '../../shared/state.ts';
import { DETECTED_FILES, ENTRY_FILES, isFile, readPackage, statPath } from './entry-file.ts';
import { checkExecFile, checkOtherName } from './exec-file.ts';
import { readProjectConfig } from './project-config.ts';
import { leadsOut, readProjectFile } from './project-file.ts';
import { findBuiltFolder, findStartPage } from './start-page.ts';

export interface ModeInput {
  mode: 'auto' | AppMode;
  /** Absolute. */
  path: string;
  port?: number | undefined;
  command?: string | undefined;
}

export interface ModeChoice {
  mode: AppMode;
  /** For the log: `server.js is a Node.js program`. */
  reason: string;
  /** What is allowed but may not work. */
  warning?: string;
}

/** Chooses and checks the mode. Throws an InputError that says what was looked for, or which inputs contradict. */
export function chooseMode(input: ModeInput): ModeChoice {
  const path = sanitise(input.path);
  const found = statPath(input.path);
  if (found === undefined)
    throw new InputError(`path: ${path} does not exist; was it built in an earlier step?`);
  const service = input.port === undefined ? 'command' : 'port';
  if (input.port === undefined && input.command === undefined) {
    const choice =
      input.mode === 'auto' ? findMode(input.path, found) : checkMode(input.mode, input.path, found);
    checkProjectFiles(choice.mode, input.path);
    const warning = choice.mode === 'exec' ? checkExecFile(input.path) : undefined;
    return { ...choice, ...(warning !== undefined && { warning }) };
  }
  if (input.mode !== 'auto' && input.mode !== 'port')
    throw new InputError(
      `mode: ${input.mode} contradicts \`${service}\`, which means mode: port; leave one of the two out`,
    );
  if (input.command !== undefined && !found.isDirectory())
    throw new InputError(`path: ${path} is not a folder, and \`command\` runs in it; give a folder`);
  return { mode: 'port', reason: `\`${service}\` is given` };
}

function findMode(path: string, found: Stats): ModeChoice {
  if (found.isFile() && path.endsWith('.wasm')) return { mode: 'exec', reason: 'the path is a .wasm file' };
  if (!found.isDirectory()) {
    checkOtherName(path, found);
    throw new InputError(`path: ${sanitise(path)} is neither a folder nor a .wasm file; give one of them`);
  }
  const program = findProgram(path);
  if (program !== undefined) return { mode: 'os', reason: program };
  const page = findStartPage(path);
  if (page !== undefined)
    return { mode: 'web', reason: `the folder has ${page === 'index.html' ? 'an' : 'a'} ${page}` };
  throw new InputError(
    `path: nothing to run in ${sanitise(path)}. Looked for [os] in wasmrun.toml, \`main\` of package.json and ` +
      `${ENTRY_FILES.join(', ')} (mode: os), and for index.html (mode: web). ` +
      `Give the folder that has one of them, a .wasm file${listWasmFiles(path)}, or \`port\` or \`command\`${suggestBuiltFolder(path)}`,
  );
}

const ANGULAR_PAGE = 'index.csr.html';

/** The rest of a sentence: people often give the project instead of its build. */
function suggestBuiltFolder(project: string): string {
  if (isFile(join(project, ANGULAR_PAGE)))
    return `; ${ANGULAR_PAGE} is Angular's page without server rendering: copy it to index.html`;
  const folder = findBuiltFolder(project);
  return folder === undefined ? '' : `; ${sanitise(folder)} has a built page: is it the \`path\`?`;
}

/** ` (app.wasm)`: a program that was built into the folder. */
function listWasmFiles(folder: string): string {
  const names = readdirSync(folder).filter(name => name.endsWith('.wasm'));
  return names.length === 0 ? '' : ` (${sanitise(names.sort().join(', '))})`;
}

/** Why OS mode can run the folder; undefined if it cannot. */
function findProgram(folder: string): string | undefined {
  if (readProjectConfig(folder).os !== undefined) return 'wasmrun.toml has an [os] table';
  const { main } = readPackage(folder);
  if (main !== undefined && !leadsOut(main) && isFile(join(folder, main)))
    return `${sanitise(main)} is \`main\` of package.json`;
  const hasPackage = readProjectFile(folder, 'package.json') !== undefined;
  const entry = (hasPackage ? ENTRY_FILES : DETECTED_FILES).find(name => isFile(join(folder, name)));
  if (entry === undefined) return undefined;
  // Emscripten writes index.html, index.js and index.wasm: without a package, a script beside a page belongs to the
  // page.
  if (findStartPage(folder) !== undefined && !hasPackage) return undefined;
  return `${entry} is a Node.js program`;
}

function checkMode(mode: AppMode, path: string, found: Stats): ModeChoice {
  const shown = sanitise(path);
  const choice = { mode, reason: 'as given' };
  if (mode === 'port') throw new InputError('mode: port needs `port`, `command` or both; give one of them');
  if (mode === 'exec') {
    if (found.isFile() && path.endsWith('.wasm')) return choice;
    checkOtherName(path, found);
    throw new InputError(
      `path: mode: exec runs one .wasm file, and ${shown} is not one; give the path of the file`,
    );
  }
  if (!found.isDirectory())
    throw new InputError(`path: mode: ${mode} needs a folder, and ${shown} is not one; give the folder`);
  if (mode === 'web' && findStartPage(path) === undefined)
    throw new InputError(
      `path: ${shown} has no index.html, which mode: web serves; give the folder of the built app${suggestBuiltFolder(path)}`,
    );
  return choice;
}

/** The start would refuse these files, too, but then the preview has failed; here it is a wrong input. */
function checkProjectFiles(mode: AppMode, path: string): void {
  if (mode === 'os') {
    readProjectConfig(path);
    for (const name of ['package.json', '.gitignore']) readProjectFile(path, name);
  } else if (mode === 'exec') readProjectFile(dirname(path), '.gitignore');
}
