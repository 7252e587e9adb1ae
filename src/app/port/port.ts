// `mode: port`: a service that the job runs itself, or a command that starts one. Used by app.ts.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, isTimeout } from '../../shared/errors.ts';
import { findFreePort } from '../process/free-port.ts';
import { LOOPBACK_HOSTS, startListener } from '../process/listener.ts';
import { waitForListening } from '../process/readiness.ts';
import type { AppSpec, Program, ProgramContext } from '../program.ts';

/** The options of bash in a `run:` step with `shell: bash`. */
const BASH_ARGS = ['--noprofile', '--norc', '-eo', 'pipefail', '-c'];

/** Starts the command, or finds the running service. Only a command gets `env`. */
export async function startPort(
  spec: Extract<AppSpec, { mode: 'port' }>,
  env: Readonly<Record<string, string>>,
  context: ProgramContext,
): Promise<Program> {
  if (spec.command !== undefined) return await startCommand(spec, spec.command, env, context);
  if (spec.port !== undefined) return await findService(spec.port, context);
  throw new AppError('mode: port needs `port`, `command` or both; give one of them', { restartable: false });
}

async function startCommand(
  spec: { path: string; port?: number | undefined },
  command: string,
  env: Readonly<Record<string, string>>,
  context: ProgramContext,
): Promise<Program> {
  const port = spec.port ?? (await findFreePort());
  const handedOver = { PORT: String(port) };
  // Only the port chosen here is watched, so `env` must not replace it; with a given `port`, `env` may set PORT.
  const ports = spec.port === undefined ? { ...env, ...handedOver } : { ...handedOver, ...env };
  return await startListener({
    command: findBash(context.environment),
    args: [...BASH_ARGS, command],
    cwd: spec.path,
    environment: { ...context.environment, ...ports },
    role: 'the command',
    port,
    context,
  });
}

/** A service that another step started is neither restarted nor ended: `ended` never resolves, `stop` does nothing. */
async function findService(port: number, context: ProgramContext): Promise<Program> {
  try {
    const upstream = await waitForListening({ hosts: LOOPBACK_HOSTS, port }, context.signal);
    return { upstream, ended: new Promise(() => undefined), stop: async () => undefined };
  } catch (error) {
    if (!isTimeout(error)) throw error;
    throw new AppError(
      `nothing listens on port ${port} (127.0.0.1 and ::1 were tried); ` +
        'start the service in an earlier step, or give `command`',
      { cause: error },
    );
  }
}

/** On Windows the first `bash` of PATH may be that of WSL, which sees another file system. */
function findBash(environment: Readonly<Record<string, string>>): string {
  const programs = environment.ProgramFiles;
  const bash = programs === undefined ? undefined : join(programs, 'Git', 'bin', 'bash.exe');
  return process.platform === 'win32' && bash !== undefined && existsSync(bash) ? bash : 'bash';
}
