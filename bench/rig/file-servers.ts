// The two file servers that `mode: web` is compared with. Used by cases/web-app.ts.

import { execFileSync } from 'node:child_process';
import { type Program, startProgram } from './process.ts';
import { PROGRAMS } from './programs.ts';

export interface FileServer {
  /** On 127.0.0.1. */
  port: number;
  stop(): Promise<void>;
}

/** Sends files as they are. */
export async function startPlainServer(folder: string, namespace: string): Promise<FileServer> {
  const program = startProgram(PROGRAMS.app, ['127.0.0.1:0', folder], { namespace });
  const { value: port } = await program.waitFor(text => Number(text) || undefined, "the server's port");
  return { port, stop: () => program.stop() };
}

/** In a namespace of its own, any port is free. */
const CADDY_PORT = 8_016;

/** Types of the app's files. By itself, Caddy 2.6 does not compress WebAssembly, and would be no match. */
const CADDY_TYPES = ['text/*', 'application/json*', 'image/svg+xml*', 'application/wasm*'];

/** With `encode` and `file_server`, as its users write them for a folder. */
export async function startCaddy(folder: string, namespace: string): Promise<FileServer> {
  const config = `{
    admin off
    auto_https off
  }
  http://:${CADDY_PORT} {
    bind 127.0.0.1
    root * ${folder}
    encode zstd gzip {
      match {
        ${CADDY_TYPES.map(type => `header Content-Type ${type}`).join('\n')}
      }
    }
    file_server
  }`;
  // It logs to standard error.
  const program: Program = startProgram('sh', ['-c', 'exec caddy run --adapter caddyfile --config - 2>&1'], {
    namespace,
    input: config,
  });
  await program.waitFor(text => text.includes('serving initial configuration') || undefined, 'Caddy');
  return { port: CADDY_PORT, stop: () => program.stop() };
}

/** Undefined if it is not installed. */
export function readCaddyVersion(): string | undefined {
  try {
    return /[\d.]+/.exec(execFileSync('caddy', ['version'], { encoding: 'utf8' }))?.[0];
  } catch {
    return undefined;
  }
}
