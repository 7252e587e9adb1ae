// `mode: os`: the project in wasmrun's own page, hosted on this machine, with Run pressed. Used by app.ts.
//
//   staged copy ◄── wasmrun os ◄── page host (node │ browser) ──► Worker: the program
//                      └── wasmnet: the program's port ◄── gateway

import { join } from 'node:path';
import { raceSignal } from '../../shared/abort.ts';
import { AppError, describeError, isTimeout } from '../../shared/errors.ts';
import { raceEnd } from '../process/listener.ts';
import type { AppSpec, Program, ProgramContext } from '../program.ts';
import { describeUnsuited, stageProject } from '../project/staging.ts';
import { type OsServer, startOsServer } from './os-server.ts';
import { startBrowserHost } from './page-host/browser.ts';
import { startNodeHost } from './page-host/node.ts';
import { type PageHost, PageHostError, type PageHostOptions } from './page-host/page-host.ts';
import { PageProgram } from './page-program.ts';

type OsSpec = Extract<AppSpec, { mode: 'os' }>;
type HostName = 'node' | 'browser';

interface RunningPage {
  host: PageHost;
  program: PageProgram;
  port: number;
}

/**
 * Starts the program and resolves when it runs and its port accepts. Both happen before the program calls `listen`, so
 * only an answer proves that it serves. Rejects with an AppError or the signal's reason after all processes have ended.
 */
export async function startOs(spec: OsSpec, context: ProgramContext): Promise<Program> {
  const project = join(context.folder, 'project');
  await stageProject(spec.path, project, context.logger);
  const server = await startOsServer(spec.wasmrun, project, context);
  try {
    if (server.language !== 'nodejs') throw await describeUnsuited(spec.path, server.language);
    const page = await startPage(spec, server, context);
    return createProgram(server, page);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function createProgram(server: OsServer, { host, program, port }: RunningPage): Program {
  return {
    // wasmhub's runtime 0.6.0 takes the unread rest of a body for the next request on the connection, and its answer
    // would go to the next visitor.
    upstream: { kind: 'address', host: '127.0.0.1', port, leavesBodies: true },
    pid: host.pid,
    ended: Promise.race([program.ended, server.ended]),
    stop: async () => void (await Promise.all([host.stop(), server.stop()])),
  };
}

/** `auto` uses the browser only if the page does not start under Node.js, and logs why. */
async function startPage(spec: OsSpec, server: OsServer, context: ProgramContext): Promise<RunningPage> {
  const wanted: HostName = spec.vm === 'browser' ? 'browser' : 'node';
  try {
    return await runPage(wanted, spec, server, context);
  } catch (error) {
    if (spec.vm !== 'auto' || !(error instanceof PageHostError)) throw error;
    context.logger.warn(`${describeError(error)}; trying a browser`);
    return await runPage('browser', spec, server, context);
  }
}

async function runPage(
  name: HostName,
  spec: OsSpec,
  server: OsServer,
  context: ProgramContext,
): Promise<RunningPage> {
  const program = new PageProgram(context.onOutput);
  const options = { url: server.url, context, onMessage: program.receive.bind(program) };
  let host: PageHost | undefined;
  try {
    host = await startHost(name, spec, options);
    void host.ended.then(reason => program.endWithHost(reason));
    const ended = Promise.race([program.ended, server.ended]);
    const port = await raceEnd(signal => raceSignal(program.started, signal), ended, context.signal);
    return { host, program, port };
  } catch (error) {
    await host?.stop();
    throw describeAbort(error, program);
  }
}

async function startHost(name: HostName, spec: OsSpec, options: PageHostOptions): Promise<PageHost> {
  return name === 'node'
    ? await startNodeHost({ ...options, script: spec.pageHostScript })
    : await startBrowserHost({ ...options, browser: spec.browser });
}

/** After a time-out: an AppError that says what the start was waiting for. Otherwise the error itself. */
function describeAbort(error: unknown, program: PageProgram): unknown {
  if (!isTimeout(error)) return error;
  return new AppError(`the program did not start in time (${program.stage}); raise \`startup-timeout\``, {
    cause: error,
    lastLines: program.lastLines(),
  });
}
