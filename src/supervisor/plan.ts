// Turns checked inputs into the document that a supervisor is started with. Used by step and by the `expose` command.

import { randomBytes } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { findOrInstallWasmrun, type WasmrunOptions } from '../app/wasmrun/install.ts';
import type { ExposureConfig } from '../exposure/config.ts';
import type { AppInputs } from '../inputs/app.ts';
import type { Inputs } from '../inputs/inputs.ts';
import type { Logger } from '../shared/log.ts';
import { sanitise } from '../shared/sanitise.ts';
import type { AppMode } from '../shared/state.ts';
import type { SupervisorConfig } from './config.ts';
import type { HostContext } from './host.ts';

/** Compiling wasmrun takes minutes; it does not count towards `startup-timeout`. */
const INSTALL_TIMEOUT_MS = 15 * 60_000;
/** Characters of a list of names: a workflow has a few, a laptop many. */
const MAX_LEFT_OUT = 500;
/** 256 bits. */
const TOKEN_BYTES = 32;
/** 192 bits. */
const INSPECTOR_KEY_BYTES = 24;

/** Everything the document is made of. The optional members exist in a job only. */
export interface SupervisorPlan extends Pick<SupervisorConfig, 'ends' | 'github' | 'report'> {
  inputs: Inputs;
  host: HostContext;
  /** Program file, from locateWasmrun; '' for modes that need none. */
  wasmrun: string;
  /** Session folder, and the name people see. */
  folder: string;
  name: string;
  /** The same text in every run of this preview, and in no other preview: the public port is derived from it. */
  identity: string;
  /** Who may open the preview; `auto` is resolved. */
  access: ExposureConfig['gateway']['access'];
}

type Bundle = 'supervisor' | 'page-host' | 'visitor-thread' | 'cli' | 'cache' | 'demo' | 'demo-runner';

/** The bundle or source file of another program, beside the one that runs now. */
export function resolveBundle(name: Bundle): string {
  const running = realpathSync(process.argv[1] ?? '');
  return running.endsWith('.ts')
    ? join(dirname(running), `${name}.ts`)
    : join(dirname(dirname(running)), name, 'index.js');
}

/** The whole document, with a control token of its own. */
export function planSupervisor(plan: SupervisorPlan): SupervisorConfig {
  const { inputs, host, wasmrun, folder, name, identity, access } = plan;
  const { protocol, app, gateway, webhooks, tunnel, tls } = inputs;
  return {
    folder,
    name,
    controlToken: randomBytes(TOKEN_BYTES).toString('hex'),
    logLevel: inputs.logLevel,
    exposure: {
      protocol,
      spec: describeSpec(inputs, wasmrun),
      env: app.env,
      baseEnvironment: chooseEnvironment(app, host),
      healthPath: app.healthPath,
      hostHeader: app.hostHeader,
      startupTimeoutMs: app.startupTimeoutMs,
      stopTimeoutMs: app.stopTimeoutMs,
      durationMs: inputs.durationMs,
      gateway: { ...gateway, ...webhooks, access, trustedProxy: inputs.trustedProxy },
      tls: tls && { cert: tls.cert, key: tls.key },
      inspector: planInspector(inputs, access),
      tunnel: {
        servers: [...tunnel.servers],
        identity,
        remotePort: tunnel.remotePort,
        publicUrl: tunnel.publicUrl,
        spareConnections: host.spareConnections,
        threadScript: protocol === 'tcp' ? resolveBundle('visitor-thread') : undefined,
      },
    },
    ends: plan.ends,
    github: plan.github,
    report: plan.report,
  };
}

/**
 * The public inspector, with a key of its own. Its link is shown where the preview's own link is enough to get in; with
 * a given key or a password, that is nowhere.
 */
function planInspector(
  { inspector, tunnel }: Inputs,
  access: SupervisorPlan['access'],
): ExposureConfig['inspector'] {
  if (!inspector) return undefined;
  return {
    key: randomBytes(INSPECTOR_KEY_BYTES).toString('base64url'),
    isPublished: access.kind === 'open' || (access.kind === 'link' && access.isGenerated),
    remotePort: tunnel.inspectorPort,
  };
}

/**
 * For an installation: its signal, callbacks that record what it starts, and in a job the access to GitHub and to the
 * runner's cache service.
 */
export type InstallContext = Pick<WasmrunOptions, 'signal' | 'onChild' | 'onFolder' | 'gitHub' | 'store'>;

/**
 * Finds or installs wasmrun and resolves with its program file; '' if the app needs none. Rejects with an InputError,
 * an AppError, or the reason of the context's signal.
 */
export async function locateWasmrun(
  app: AppInputs,
  host: HostContext,
  logger: Logger,
  context: InstallContext,
): Promise<string> {
  if (!needsWasmrun(app.mode)) return '';
  const limit = AbortSignal.timeout(INSTALL_TIMEOUT_MS);
  return findOrInstallWasmrun({
    ...context,
    version: app.wasmrunVersion,
    pathVariable: host.pathVariable,
    // Read only now: without HOME and without an entry in passwd, there is no home folder.
    toolCache: host.toolCache ?? join(homedir(), '.cache', 'expose-action', 'tools'),
    tempFolder: host.tempFolder,
    releasesUrl: host.releasesUrl,
    environment: host.childEnvironments.installation,
    logger,
    signal: AbortSignal.any([context.signal, limit]),
  });
}

function chooseEnvironment(
  { mode, command }: AppInputs,
  { childEnvironments, commandEnvironment }: HostContext,
): Readonly<Record<string, string>> {
  if (needsWasmrun(mode)) return childEnvironments.wasmrun;
  return command === undefined ? childEnvironments.program : commandEnvironment.passed;
}

/**
 * A line for the log about the variables of the job that the command does not see; undefined if there are none. A
 * command that misses one may fail in any way, and its author looks here.
 */
export function describeLeftOut(
  { command, env }: AppInputs,
  { commandEnvironment }: HostContext,
): string | undefined {
  const names = commandEnvironment.leftOut.filter(name => !(name in env));
  if (command === undefined || names.length === 0) return undefined;
  return `variables of the job that \`command\` does not see, unless you name them in \`env\`: ${sanitise(names.join(', '), MAX_LEFT_OUT)}`;
}

/** Whether wasmrun is looked for, and installed, in this mode. */
export function needsWasmrun(mode: AppMode): boolean {
  return mode === 'os' || mode === 'exec';
}

function describeSpec({ app, gateway }: Inputs, wasmrun: string): ExposureConfig['spec'] {
  const { mode, path } = app;
  switch (mode) {
    case 'os':
      return {
        mode,
        path,
        wasmrun,
        vm: app.vm,
        browser: app.browser,
        pageHostScript: resolveBundle('page-host'),
      };
    case 'exec':
      return { mode, path, wasmrun, args: app.args };
    case 'web':
      return {
        mode,
        path,
        spa: app.spa,
        crossOriginIsolation: app.crossOriginIsolation,
        basePath: app.basePath,
        compress: gateway.compress,
      };
    case 'port':
      return { mode, path, port: app.port, service: app.service, command: app.command };
  }
}
