// The machine that a preview runs on, read from its environment once: by step/machine.ts in a job, by
// commands/shell.ts in a shell. All other code gets this object, not the environment.

import { type CommandEnvironment, selectCommandEnvironment } from '../app/command-environment.ts';
import {
  anchorCertificates,
  selectEnvironment,
  selectInstallEnvironment,
  selectWasmrunEnvironment,
} from '../app/environment.ts';
import { type ProxyEnvironment, selectProxyVariables } from '../shared/proxy.ts';

const RELEASES_URL = 'https://api.github.com/repos/anistark/wasmrun/releases';

type Environment = Readonly<Record<string, string>>;

export interface HostContext {
  /** Where session folders are made. */
  tempFolder: string;
  /** PATH: where wasmrun is looked for first. */
  pathVariable: string;
  /** RUNNER_TOOL_CACHE: where wasmrun is installed; undefined outside of a job. */
  toolCache: string | undefined;
  /** The `releases` address of GitHub's API, from which wasmrun is installed. */
  releasesUrl: string;
  /** Whether connections to a far bore server may be opened ahead of visitors. */
  spareConnections: boolean;
  /** For our own requests to GitHub. */
  proxy: ProxyEnvironment;
  /** What child processes see: the allow-listed parts of the environment. */
  childEnvironments: {
    /** Of the supervisor, and of the app in `mode: web`. */
    program: Environment;
    /** Of the app in `mode: os` and `exec`. */
    wasmrun: Environment;
    /** Of the programs that install wasmrun. */
    installation: Environment;
  };
  /** What a `command` sees, and the names of what it does not. */
  commandEnvironment: CommandEnvironment;
}

/** Reads everything of the environment that a preview needs. */
export function readHost(variables: NodeJS.ProcessEnv, tempFolder: string): HostContext {
  const environment = anchorCertificates(variables, process.cwd());
  return {
    tempFolder,
    pathVariable: environment.PATH ?? '',
    toolCache: environment.RUNNER_TOOL_CACHE || undefined,
    releasesUrl: environment.EXPOSE_WASMRUN_RELEASES_URL || RELEASES_URL,
    spareConnections: !/^(off|false|0)$/i.test(environment.EXPOSE_WARM_CONNECTIONS?.trim() ?? ''),
    proxy: selectProxyVariables(environment),
    childEnvironments: {
      program: selectEnvironment(environment),
      wasmrun: selectWasmrunEnvironment(environment),
      installation: selectInstallEnvironment(environment),
    },
    commandEnvironment: selectCommandEnvironment(environment),
  };
}
