// Reads secrets from a file or the environment, never from an argument, because every user of the machine can read
// those. Used by run and server.

import { readFileSync } from 'node:fs';
import { describeError, InputError } from '../shared/errors.ts';
import type { CommandCall } from './command.ts';
import type { SecretName } from './shell.ts';

/** Reads a secret from the flag's file, otherwise from the environment; '' if neither is set. Throws an InputError. */
export function readSecret(name: SecretName, { flags, shell }: CommandCall): string {
  const file = flags[`${name}-file`];
  return typeof file === 'string' ? readFlagFile(`${name}-file`, file) : shell.secrets[name];
}

export function readFlagFile(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new InputError(`--${flag} ${file} cannot be read: ${describeError(cause)}`, { cause });
  }
}
