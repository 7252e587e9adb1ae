// `expose run PATH`: the action's exposure on a laptop; the flags are the action's inputs.

import { hostname } from 'node:os';
import { basename } from 'node:path';
import { INPUT_DEFAULTS, type Inputs, parseInputs } from '../inputs/inputs.ts';
import type { InputSource } from '../inputs/problems.ts';
import { Cancellation } from '../shared/cancellation.ts';
import { createLogger } from '../shared/log.ts';
import { resolveAccess } from '../supervisor/access.ts';
import { describeLeftOut, locateWasmrun, planSupervisor } from '../supervisor/plan.ts';
import { createSessionFolder } from '../supervisor/session-folder.ts';
import type { Command, CommandCall } from './command.ts';
import { LEAVE_SIGNALS, runForeground } from './foreground.ts';
import { readFlagFile, readSecret } from './secrets.ts';
import { isSecret } from './shell.ts';
import { printAside } from './terminal.ts';

/** The usual exit code after Ctrl-C: 128 + SIGINT. */
const CANCELLED = 130;
/**
 * How long cleaning up may take: an interrupted installation leaves thousands of files, and nothing removes them later.
 */
const UNDO_MS = 30_000;

/** Flag → its help. A flag has the name of its input; inputs that only make sense in a job have no flag. */
const INPUT_FLAGS: Readonly<Record<string, string>> = {
  'mode MODE': 'auto, os, exec, web or port (default auto)',
  'port PORT': 'a local port that something already serves, or HOST:PORT',
  'command LINE': 'a command to start first, with bash',
  'args LINES': 'arguments for the program in exec mode, one per line',
  'env LINES': 'KEY=VALUE lines for the app (exec and port mode)',
  'wasmrun-version V': 'install and use exactly this version',
  'vm HOST': 'host of the OS-mode page: node, browser or auto (default auto)',
  'browser PATH': 'Chrome or Chromium for --vm browser',
  spa: 'web mode: serve index.html for unknown paths',
  'base-path PATH': 'web mode: path the app was built for, like /repo/ (default auto)',
  'cross-origin-isolation[=KIND]': 'web mode: send COOP and COEP; KIND may be credentialless',
  'protocol PROTOCOL': 'http, or tcp for raw bytes (default http)',
  'health-path PATH': 'path that must answer before the URL is shown (default /)',
  'host-header RULE': 'the Host the app sees: rewrite, preserve or auto (default auto)',
  'startup-timeout TIME': 'how long app and tunnel together may take (default 120s)',
  'stop-timeout TIME': 'how long the app may take to stop (default 5s)',
  'server HOST': 'bore server, HOST or HOST:PORT; with commas (default bore.pub)',
  'remote-port PORT': 'public port: auto (always the same), random, or a number',
  'port-range RANGE': 'range of --remote-port auto (default 1024-65535)',
  'public-url URL': 'template of the address behind a proxy of your own',
  'trusted-proxy': 'believe the X-Forwarded-For of the proxy at --public-url',
  'tls-cert FILE': 'certificate (PEM, with its chain): TLS ends on this machine',
  'tls-key FILE': 'its key (PEM)',
  'access KIND': 'who may open it: link (with a key), basic or open (default link)',
  'public-paths PATTERNS': 'paths that need no key, for example /webhooks/**',
  'capture PATTERNS': 'paths to record: auto, none or patterns (default auto)',
  'redact WORD': 'blank credentials where requests are shown (default true)',
  'queue WORD': 'keep captured requests while the app is away (default true)',
  inspector: 'also open the inspector on a public port of its own',
  'max-body SIZE': 'longest upload (default 25MB)',
  'compress WORD': 'compress answers: true or false (default true)',
  'name NAME': 'tells previews of one folder apart: their ports, and --session',
  'duration TIME': 'how long it stays up, for example 45m (default: until Ctrl-C)',
  'idle-timeout TIME': 'end it when nobody has used it for so long, for example 10m',
  'log-level LEVEL': 'quiet, info or debug (default info)',
};

export const run: Command = {
  summary: 'Expose an app from this machine until Ctrl-C.',
  usage: '[PATH] [--server HOST] [--mode MODE] …',
  notes:
    'Secrets come from files, or from BORE_SECRET, EXPOSE_ACCESS_KEY, EXPOSE_BASIC_AUTH and\nEXPOSE_VERIFY, never from an argument.',
  maxArguments: 1,
  flags: {
    ...INPUT_FLAGS,
    'secret-file FILE': 'file that holds the secret of the bore server',
    'access-key-file FILE': 'file that holds the key of --access link (default: a new one)',
    'verify-file FILE': 'file with lines PROVIDER PATH SECRET: only such signed webhooks',
    'basic-auth-file FILE': 'file that holds user:password for --access basic',
  },
  async run(call) {
    const { flags, shell } = call;
    const { host } = shell;
    const inputs = parseInputs(createSource(call), shell.variables, process.cwd(), {
      inForeground: true,
    });
    for (const warning of inputs.warnings) printAside(`warning: ${warning}`);
    const logger = createLogger({ level: inputs.logLevel, write: printAside });
    logger.info(`mode ${inputs.app.mode}: ${inputs.app.modeReason}`);
    const leftOut = describeLeftOut(inputs.app, host);
    if (leftOut !== undefined) logger.debug(leftOut);
    // On a laptop `auto` never means open, because the repository is unknown here.
    const { access, reason } = resolveAccess(inputs.gateway.access, inputs.protocol, false);
    logger.info(`access ${access.kind}: ${reason}`);
    // Ctrl-C does not reach the programs that install wasmrun: they have their own process groups.
    const cancellation = new Cancellation(LEAVE_SIGNALS, { exitCode: CANCELLED, undoMs: UNDO_MS });
    const wasmrun = await cancellation.guard(signal => locateWasmrun(inputs.app, host, logger, { signal }));
    cancellation.stop();
    const config = planSupervisor({
      inputs,
      host,
      wasmrun,
      folder: createSessionFolder(host.tempFolder),
      name: inputs.name ?? basename(inputs.app.path),
      identity: identifyLocalPreview(inputs, shell.user),
      access,
      ends: { idleTimeoutMs: inputs.idleTimeoutMs },
    });
    return runForeground(config, flags.json === true);
  },
};

/**
 * The same for each run of one folder, port and name by this user on this machine. The public port is derived from it.
 */
function identifyLocalPreview({ app, name }: Inputs, user: string): string {
  // Only at the end, and only if given: all other previews keep the port that they have.
  const service = app.service === undefined ? [] : [app.service];
  return JSON.stringify([user, hostname(), app.path, app.port ?? '', name ?? '', ...service]);
}

function createSource(call: CommandCall): InputSource {
  const { flags, positionals } = call;
  return name => {
    if (name === 'path') return positionals[0] ?? '.';
    if (isSecret(name)) return readSecret(name, call);
    const flag = flags[name];
    if ((name === 'tls-cert' || name === 'tls-key') && typeof flag === 'string')
      return readFlagFile(name, flag);
    return flag === undefined ? (INPUT_DEFAULTS[name] ?? '') : String(flag);
  };
}
