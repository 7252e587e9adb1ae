// Which file of a Node.js project is run. Used by mode.ts to recognise a project, and by staging.ts to check that the
// file is copied. wasmrun 1.0.0 recognises a project by fewer names than those under which its page finds the program.
// start-page.ts and web/source-page.ts also use `isFile`.

import { type Stats, statSync } from 'node:fs';
import * as v from 'valibot';
import { hasCode, InputError } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { readProjectFile } from './project-file.ts';

/** Where wasmrun's page looks for the program, in its order, after wasmrun.toml and package.json. */
export const ENTRY_FILES: readonly string[] = [
  'index',
  'src/index',
  'main',
  'app',
  'src/main',
  'src/app',
  'server',
  'src/server',
].map(name => `${name}.js`);

/** Those by which wasmrun recognises a Node.js project that has no package.json. */
export const DETECTED_FILES: readonly string[] = ENTRY_FILES.filter(name => !name.includes('/'));

/** A member of another type counts as absent. */
const EntryName = v.fallback(v.optional(v.string()), undefined);
const PackageSchema = v.object({ main: EntryName, module: EntryName });

/** The entry files that package.json names, as they are written there; none if it cannot be parsed. */
export function readPackage(folder: string): { main: string | undefined; module: string | undefined } {
  try {
    const { main, module } = v.parse(
      PackageSchema,
      JSON.parse(readProjectFile(folder, 'package.json') ?? ''),
    );
    return { main: main || undefined, module: module || undefined };
  } catch (error) {
    if (error instanceof InputError) throw error;
    return { main: undefined, module: undefined };
  }
}

export function isFile(path: string): boolean {
  return statPath(path)?.isFile() ?? false;
}

/** Undefined if nothing is at the path. Throws an InputError if that cannot be found out. */
export function statPath(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // The last two: `main` of package.json may be any text.
    if (hasCode(error, 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE')) return undefined;
    throw new InputError(`path: ${sanitise(path)} cannot be read; check its permissions`, { cause: error });
  }
}
