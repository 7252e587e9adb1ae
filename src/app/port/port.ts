// `mode: port`: a service that the job runs itself, or a command that starts one. Used by app.ts.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { raceSignal } from '../../shared/abort.ts';
import { describeAppPort } from '../../shared/app-authority.ts';
import { AppError, isTimeout } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';
import type { Upstream } from '../../shared/state.ts';
import { findFreePort, isFreePort } from '../process/free-port.ts';
import { LOOPBACK_HOSTS, startListener } from '../process/listener.ts';
import { findListening, waitForListening } from '../process/readiness.ts';
import type { AppSpec, Program, ProgramContext } from '../program.ts';
import { resolveService, type ServiceAddress } from './service-address.ts';

/** Each attempt may ask the network's DNS. */
const REMOTE_POLL_MS = 250;
/** The options of bash in a `run:` step with `shell: bash`. */
const BASH_ARGS = ['--noprofile', '--norc', '-eo', 'pipefail', '-c'];

/** What only a command gets. */
export interface CommandOptions {
  env: Readonly<Record<string, string>>;
  /** The value of PORT if the port is chosen here, and this one is free. */
  preferredPort: number | undefined;
}

/** Starts the command, or finds the running service. */
export async function startPort(
  spec: Extract<AppSpec, { mode: 'port' }>,
  options: CommandOptions,
  context: ProgramContext,
): Promise<Program> {
  if (spec.command !== undefined) return await startCommand(spec, spec.command, options, context);
  if (spec.port !== undefined) return await findService({ ...spec, port: spec.port }, context);
  throw new AppError('mode: port needs `port`, `command` or both; give one of them', { restartable: false });
}

async function startCommand(
  spec: { path: string; port?: number | undefined },
  command: string,
  { env, preferredPort }: CommandOptions,
  context: ProgramContext,
): Promise<Program> {
  const port = spec.port ?? (await choosePort(preferredPort));
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

async function choosePort(preferred: number | undefined): Promise<number> {
  return preferred !== undefined && (await isFreePort(preferred)) ? preferred : await findFreePort();
}

/** A service that another step started is neither restarted nor ended: `ended` never resolves, `stop` does nothing. */
async function findService(
  { port, service }: { port: number; service?: string | undefined },
  { signal }: ProgramContext,
): Promise<Program> {
  const upstream = await (service === undefined
    ? findLocal(port, signal)
    : findRemote({ host: service, port }, signal));
  return { upstream, ended: new Promise(() => undefined), stop: async () => undefined };
}

async function findLocal(port: number, signal: AbortSignal): Promise<Upstream> {
  try {
    return await waitForListening({ hosts: LOOPBACK_HOSTS, port }, signal);
  } catch (error) {
    if (!isTimeout(error)) throw error;
    throw new AppError(
      `nothing listens on port ${port} (127.0.0.1 and ::1 were tried); ` +
        'start the service in an earlier step, or give `command`',
      { cause: error },
    );
  }
}

/**
 * Waits until one address of the host accepts, and keeps to that address: a name that leads elsewhere later has no
 * effect.
 */
async function findRemote(target: ServiceAddress, signal: AbortSignal): Promise<Upstream> {
  const { host, port } = target;
  let last: unknown;
  try {
    for (;;) {
      const hosts = await raceSignal(resolveService(host), signal).catch(error => {
        if (error instanceof AppError || signal.aborted) throw error;
        last = error;
        return [];
      });
      const found = await findListening({ hosts, port });
      if (found !== undefined) return { ...found, service: host };
      if (hosts.length > 0) last = undefined;
      await delay(REMOTE_POLL_MS, undefined, { signal });
    }
  } catch (error) {
    if (!isTimeout(signal.reason) || error instanceof AppError) throw error;
    throw new AppError(describeUnreachable(target, last), { cause: last ?? signal.reason });
  }
}

/** `failure` is what the resolver answered; undefined if it knew the host. */
function describeUnreachable({ host, port }: ServiceAddress, failure: unknown): string {
  const service = describeAppPort({ port, service: host });
  if (failure === undefined)
    return `nothing listens on ${service}; is it the port inside of the service's container, and does the service start in time?`;
  return (
    `\`port\` names ${service}, and the host ${sanitise(host)} is not known here; services of the job have names only ` +
    `in a job with \`container:\`. In other jobs, publish the port (\`ports: ["${port}:${port}"]\`) and write \`port: ${port}\``
  );
}

/** On Windows the first `bash` of PATH may be that of WSL, which sees another file system. */
function findBash(environment: Readonly<Record<string, string>>): string {
  const programs = environment.ProgramFiles;
  const bash = programs === undefined ? undefined : join(programs, 'Git', 'bin', 'bash.exe');
  return process.platform === 'win32' && bash !== undefined && existsSync(bash) ? bash : 'bash';
}
