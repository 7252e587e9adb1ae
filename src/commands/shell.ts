// What `expose` reads from the environment of the shell that called it. cli reads it once, and passes it to every
// command.

import { tmpdir } from 'node:os';
import { type HostContext, readHost } from '../supervisor/host.ts';

/** Secret input → the variable it comes from if no file is given. */
export const SECRET_VARIABLES = {
  secret: 'BORE_SECRET',
  'access-key': 'EXPOSE_ACCESS_KEY',
  'basic-auth': 'EXPOSE_BASIC_AUTH',
  verify: 'EXPOSE_VERIFY',
} as const;

export type SecretName = keyof typeof SECRET_VARIABLES;

export function isSecret(name: string): name is SecretName {
  return Object.hasOwn(SECRET_VARIABLES, name);
}

export interface ShellContext {
  host: HostContext;
  /** Where `url`, `status` and `stop` look for sessions: in a job RUNNER_TEMP, otherwise the system's temp folder. */
  sessionsFolder: string;
  /** The user's name; '' if the shell does not set it. */
  user: string;
  /** Secrets from variables; '' for those that are not set. */
  secrets: Readonly<Record<SecretName, string>>;
  /** The whole environment, only for lines of `--env` that copy a variable by its name. */
  variables: NodeJS.ProcessEnv;
}

export function readShell(environment: NodeJS.ProcessEnv): ShellContext {
  const readSecret = (name: SecretName) => environment[SECRET_VARIABLES[name]] ?? '';
  return {
    host: readHost(environment, tmpdir()),
    sessionsFolder: environment.RUNNER_TEMP || tmpdir(),
    user: environment.USER || environment.USERNAME || '',
    secrets: {
      secret: readSecret('secret'),
      'access-key': readSecret('access-key'),
      'basic-auth': readSecret('basic-auth'),
      verify: readSecret('verify'),
    },
    variables: environment,
  };
}
