// Which versions of wasmrun work. Used by install.ts, and by inputs before anything is started.

import { InputError } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';

/** `1.0.0` or `v1.0.0`, from 1.0.0 on. Throws an InputError. */
export function parseWasmrunVersion(text: string): string {
  const version = /^v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(text.trim())?.[1];
  const problem = `\`wasmrun-version\` is '${sanitise(text)}'`;
  if (version === undefined)
    throw new InputError(`${problem}: write an exact version like 1.0.0, or leave it out`);
  if (isTooOld(version))
    throw new InputError(`${problem}, which is too old: 1.0.0 is the first that works; leave it out`);
  return version;
}

/** Takes a version as the wasmrun on PATH prints it, or as `parseWasmrunVersion` returns it. */
export function isTooOld(version: string): boolean {
  return version.startsWith('0.') || version.startsWith('1.0.0-');
}
