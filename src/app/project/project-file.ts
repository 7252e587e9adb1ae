// Reads the small files of a project: wasmrun.toml, package.json, .gitignore, and of a build: _redirects, _headers.
// Used by the other files of this folder, and by web/host-files.ts. A pull request may commit anything under these names,
// even a link to a device or to a secret.

import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { hasCode, InputError } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';

/** Far more than a file written by hand has. */
const MAX_BYTES = 1024 * 1024;

/**
 * The text, or undefined if there is no such file. A link, a device or a pipe counts as absent and is never waited for.
 * Throws an InputError with the name for a file over 1 MB, or one that cannot be read.
 */
export function readProjectFile(folder: string, name: string): string | undefined {
  const file = openExisting(folder, name);
  if (file === undefined) return undefined;
  try {
    const found = fstatSync(file);
    if (!found.isFile()) return undefined;
    if (found.size > MAX_BYTES) throw new InputError(`path: ${name} is over 1 MB; make it smaller`);
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

function openExisting(folder: string, name: string): number | undefined {
  try {
    // Without O_NONBLOCK, opening a pipe waits for its writer.
    return openSync(join(folder, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    // A link is ELOOP, a socket ENXIO (EOPNOTSUPP on macOS).
    if (hasCode(cause, 'ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENXIO', 'ENODEV', 'EOPNOTSUPP'))
      return undefined;
    throw new InputError(`path: ${name} in ${sanitise(folder)} cannot be read; check its permissions`, {
      cause,
    });
  }
}

/** Whether a path from such a file leaves the project. */
export function leadsOut(path: string): boolean {
  return posix.isAbsolute(path) || posix.normalize(path).split('/')[0] === '..';
}
