// `mode: exec`: one .wasm file in wasmrun's interpreter, which gives it a listening socket. Used by app.ts.

import { basename, dirname, join } from 'node:path';
import { findFreePort } from '../process/free-port.ts';
import { startListener } from '../process/listener.ts';
import type { AppSpec, Program, ProgramContext } from '../program.ts';
import { stageFolder } from '../project/staging.ts';

/** As much as OS mode allows. Without a limit, a program could take all of the runner's memory. */
const MAX_MEMORY_MB = 2_048;

/**
 * Starts the program. It sees a staged copy of the file's folder at `/`, `env`, and no network except its socket.
 * `env` is passed in wasmrun's argv, which other processes of the machine can read: wasmrun 1.0.0 has no other way.
 */
export async function startExec(
  spec: Extract<AppSpec, { mode: 'exec' }>,
  env: Readonly<Record<string, string>>,
  context: ProgramContext,
): Promise<Program> {
  const port = await findFreePort();
  // wasmrun 1.0.0 mounts no folder read-only, so the program gets a copy.
  const root = join(context.folder, 'root');
  await stageFolder(dirname(spec.path), root, context.logger);
  return await startListener({
    command: spec.wasmrun,
    args: [
      ...['exec', '--quiet', '--tcplisten', `127.0.0.1:${port}`, '--dir', `${root}:/`],
      ...['--max-memory-mb', String(MAX_MEMORY_MB)],
      ...Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      ...[spec.path, '--', ...spec.args],
    ],
    cwd: context.folder,
    environment: { ...context.environment, TMPDIR: context.folder },
    role: `wasmrun exec ${basename(spec.path)}`,
    port,
    context,
  });
}
