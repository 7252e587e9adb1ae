// `mode: exec`: one .wasm file in wasmrun's interpreter, with a socket handed in. Used by app.ts.

import { basename, dirname } from 'node:path';
import type { AppSpec, Program, ProgramContext } from './app.ts';
import { findFreePort } from './child.ts';
import { startListener } from './listener.ts';

/**
 * Starts the program. It sees a staged copy of the file's folder at `/`, `env`, and no network but its socket.
 * `env` stands in wasmrun's argv, where other processes of the machine can read it: wasmrun 1.0.0 has no other way.
 */
export async function startExec(
  spec: Extract<AppSpec, { mode: 'exec' }>,
  env: Readonly<Record<string, string>>,
  context: ProgramContext,
): Promise<Program> {
  const port = await findFreePort();
  const folder = dirname(spec.path);
  return await startListener({
    command: spec.wasmrun,
    args: [
      ...['exec', '--quiet', '--tcplisten', `127.0.0.1:${port}`, '--dir', `${folder}:/`],
      ...Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      ...[spec.path, '--', ...spec.args],
    ],
    cwd: folder,
    environment: { ...context.environment, TMPDIR: context.folder },
    role: `wasmrun exec ${basename(spec.path)}`,
    port,
    context,
  });
}
