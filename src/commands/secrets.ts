// Where the secrets of a laptop come from: a file, or the environment. Used by run and server.

import { readFileSync } from 'node:fs';
import { describeError, InputError } from '../shared/errors.ts';
import type { Flags } from './command.ts';

/** Inputs that are secrets → the variable they come from, where no file is given. */
export const SECRET_VARIABLES = {
  secret: 'BORE_SECRET',
  'access-key': 'EXPOSE_ACCESS_KEY',
  'basic-auth': 'EXPOSE_BASIC_AUTH',
} as const;

export function isSecret(name: string): name is keyof typeof SECRET_VARIABLES {
  return Object.hasOwn(SECRET_VARIABLES, name);
}

/** A secret of a laptop, '' where there is none. An argument would show it to every user of the machine. */
export function readSecret(
  name: keyof typeof SECRET_VARIABLES,
  flags: Flags,
  environment: NodeJS.ProcessEnv,
): string {
  const file = flags[`${name}-file`];
  if (typeof file !== 'string') return environment[SECRET_VARIABLES[name]] ?? '';
  return readFlagFile(`${name}-file`, file);
}

export function readFlagFile(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new InputError(`--${flag} ${file} cannot be read: ${describeError(cause)}`, { cause });
  }
}
