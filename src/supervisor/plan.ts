// From checked inputs to the document a supervisor is started with; main and cli both go through here.

import { randomBytes } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { selectEnvironment, selectInstallEnvironment, selectWasmrunEnvironment } from '../app/environment.ts';
import type { AppSpec } from '../app/program.ts';
import { findOrInstallWasmrun, type WasmrunOptions } from '../app/wasmrun/find.ts';
import type { ExposureConfig } from '../exposure/config.ts';
import type { AppInputs } from '../inputs/app.ts';
import type { Inputs } from '../inputs/inputs.ts';
import type { Logger } from '../shared/log.ts';
import type { SupervisorConfig } from './config.ts';

/** Compiling wasmrun takes minutes; it does not count towards `startup-timeout`. */
const INSTALL_TIMEOUT_MS = 15 * 60_000;
const RELEASES_URL = 'https://api.github.com/repos/anistark/wasmrun/releases';
/** 256 bits. */
const TOKEN_BYTES = 32;

/** What a machine offers to whoever runs there. */
export interface Surroundings {
  /** The job's or the shell's environment, whole; only allow-listed parts of it go anywhere. */
  environment: NodeJS.ProcessEnv;
  /** Where session folders are made. */
  tempFolder: string;
}

export interface PreviewSurroundings extends Surroundings {
  /** Names the preview, the same in every run of it and in no other: its public port comes from it. */
  identity: string;
  /** How visitors are let in, by now settled. */
  access: ExposureConfig['gateway']['access'];
}

/** The bundle or source file of an entry, beside the one that runs now. */
export function findEntry(name: 'supervisor' | 'page-host' | 'visitor-thread' | 'cli'): string {
  const running = realpathSync(process.argv[1] ?? '');
  return running.endsWith('.ts')
    ? join(dirname(running), `${name}.ts`)
    : join(dirname(dirname(running)), name, 'index.js');
}

/** For an installation: what ends it, and who writes down what it starts and makes. */
export type InstallWatch = Pick<WasmrunOptions, 'signal' | 'onChild' | 'onFolder'>;

/** Finds or installs what the app needs, and writes down everything the exposure has to know. */
export async function planExposure(
  inputs: Inputs,
  surroundings: PreviewSurroundings,
  logger: Logger,
  watch?: InstallWatch,
): Promise<ExposureConfig> {
  const { app, tunnel, tls } = inputs;
  const needsWasmrun = app.mode === 'os' || app.mode === 'exec';
  const wasmrun = needsWasmrun ? await locateWasmrun(app, surroundings, logger, watch) : '';
  const select = needsWasmrun ? selectWasmrunEnvironment : selectEnvironment;
  return {
    protocol: inputs.protocol,
    spec: describeSpec(app, wasmrun),
    env: app.env,
    baseEnvironment: select(surroundings.environment),
    ...(app.healthPath !== undefined && { healthPath: app.healthPath }),
    startupTimeoutMs: app.startupTimeoutMs,
    ...(inputs.durationMs !== undefined && { durationMs: inputs.durationMs }),
    ...(tls !== undefined && { tls: { cert: tls.cert, key: tls.key } }),
    gateway: {
      access: surroundings.access,
      publicPaths: inputs.gateway.publicPaths,
      maxBodyBytes: inputs.gateway.maxBodyBytes,
    },
    tunnel: {
      servers: tunnel.servers.map(({ address, secret }) => ({
        address,
        ...(secret !== undefined && { secret }),
      })),
      identity: surroundings.identity,
      remotePort: tunnel.remotePort,
      publicUrl: tunnel.publicUrl,
      warm: !/^(off|false|0)$/i.test(surroundings.environment.EXPOSE_WARM_CONNECTIONS?.trim() ?? ''),
      ...(inputs.protocol === 'tcp' && { threadScript: findEntry('visitor-thread') }),
    },
  };
}

/** The rest of the document, as far as it is the same in a job and on a laptop. */
export function planSupervisor(
  inputs: Inputs,
  exposure: ExposureConfig,
  session: { folder: string; name: string },
): SupervisorConfig {
  return {
    ...session,
    controlToken: randomBytes(TOKEN_BYTES).toString('hex'),
    logLevel: inputs.logLevel,
    exposure,
    preview: { commit: '', warnings: [], showConsole: false },
  };
}

function locateWasmrun(
  app: AppInputs,
  surroundings: Surroundings,
  logger: Logger,
  watch?: InstallWatch,
): Promise<string> {
  const { environment, tempFolder } = surroundings;
  const limit = AbortSignal.timeout(INSTALL_TIMEOUT_MS);
  return findOrInstallWasmrun({
    ...watch,
    ...(app.wasmrunVersion !== undefined && { version: app.wasmrunVersion }),
    pathVariable: environment.PATH ?? '',
    toolCache: environment.RUNNER_TOOL_CACHE || join(homedir(), '.cache', 'expose-action', 'tools'),
    tempFolder,
    releasesUrl: environment.EXPOSE_WASMRUN_RELEASES_URL || RELEASES_URL,
    environment: selectInstallEnvironment(environment),
    logger,
    signal: watch ? AbortSignal.any([watch.signal, limit]) : limit,
  });
}

function describeSpec(app: AppInputs, wasmrun: string): AppSpec & ExposureConfig['spec'] {
  const { mode, path } = app;
  switch (mode) {
    case 'os':
      return {
        mode,
        path,
        wasmrun,
        vm: app.vm,
        ...(app.browser !== undefined && { browser: app.browser }),
        pageHostScript: findEntry('page-host'),
      };
    case 'exec':
      return { mode, path, wasmrun, args: app.args };
    case 'web':
      return { mode, path, spa: app.spa, crossOriginIsolation: app.crossOriginIsolation };
    case 'port':
      return {
        mode,
        path,
        ...(app.port !== undefined && { port: app.port }),
        ...(app.command !== undefined && { command: app.command }),
      };
  }
}
