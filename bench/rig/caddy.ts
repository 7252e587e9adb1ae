// Starts Caddy, configured as its users write it: a file server, or a proxy that asks for a password. Used by tunnels.ts
// and cases/web-app.ts.

import { execFileSync } from 'node:child_process';
import { findFreePort } from '../../src/app/process/free-port.ts';
import { PASSWORD, PASSWORD_VALUE, USER } from './credentials.ts';
import { startProgram } from './process.ts';

export interface Caddy {
  /** On 127.0.0.1. */
  port: number;
  pid: number;
  stop(): Promise<void>;
}

/** Types of the app's files. By itself, Caddy 2.6 does not compress WebAssembly, and would be no match. */
const COMPRESSED_TYPES = ['text/*', 'application/json*', 'image/svg+xml*', 'application/wasm*'];

/** With `encode` and `file_server`. */
export function startCaddyFiles(folder: string, namespace: string): Promise<Caddy> {
  const matches = COMPRESSED_TYPES.map(type => `header Content-Type ${type}`);
  const directives = `
    root * ${folder}
    encode zstd gzip {
      match {
        ${matches.join('\n')}
      }
    }
    file_server`;
  return startCaddy(directives, namespace);
}

/**
 * With `basicauth` (called basic_auth since 2.8) and `reverse_proxy` to a port of 127.0.0.1. It writes no access log and
 * keeps its connections to the app. Resolves after a first visit: bcrypt takes Caddy a second, until a password was
 * right once. It then remembers it, because a Caddyfile turns `hash_cache` on (`caddy adapt`, 2.6.2).
 */
export async function startCaddyProxy(appPort: number): Promise<Caddy> {
  const hash = execFileSync('caddy', ['hash-password', '--plaintext', PASSWORD], { encoding: 'utf8' });
  const caddy = await startCaddy(`
    basicauth {
      ${USER} ${hash.trim()}
    }
    reverse_proxy 127.0.0.1:${appPort}`);
  const answer = await fetch(`http://127.0.0.1:${caddy.port}/`, {
    headers: { Authorization: PASSWORD_VALUE },
  });
  if (answer.status !== 200) throw new Error(`Caddy answered ${answer.status} to the right password`);
  return caddy;
}

async function startCaddy(directives: string, namespace?: string): Promise<Caddy> {
  const port = await findFreePort();
  const input = `{
    admin off
    auto_https off
  }
  http://:${port} {
    bind 127.0.0.1
    ${directives}
  }`;
  // It logs to standard error.
  const program = startProgram('sh', ['-c', 'exec caddy run --adapter caddyfile --config - 2>&1'], {
    namespace,
    input,
  });
  await program.waitFor(text => text.includes('serving initial configuration') || undefined, 'Caddy');
  return { port, pid: program.pid, stop: () => program.stop() };
}

/** Undefined if it is not installed. */
export function readCaddyVersion(): string | undefined {
  try {
    return /[\d.]+/.exec(execFileSync('caddy', ['version'], { encoding: 'utf8' }))?.[0];
  } catch {
    return undefined;
  }
}
