// Plays wasmhub's release folder, so that wasmrun gets its runtime from this machine. Used by the OS mode tests.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

export interface WasmhubServer {
  /** For WASMRUN_WASMHUB_BASE_URL. */
  url: string;
  /** Paths asked for, in order. */
  requests: readonly string[];
  stop(): Promise<void>;
}

export interface WasmhubFaults {
  /** A checksum that is not that of the runtime. */
  sha256?: string;
  /** The path that is never answered. */
  silentAt?: string;
}

/** Serves `runtime` (path of a `.wasm`) as the nodejs runtime. */
export async function startWasmhub(options: WasmhubFaults & { runtime: string }): Promise<WasmhubServer> {
  const files = createFiles(readFileSync(options.runtime), options.sha256);
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    const file = files.get(request.url ?? '');
    if (request.url === options.silentAt) return;
    response.writeHead(file === undefined ? 404 : 200);
    response.end(file);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const stop = async () => {
    if (!server.listening) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { url: `http://127.0.0.1:${address.port}`, requests, stop };
}

/** The three files wasmrun asks for; the `-net` build is the one it prefers (wasmrun 1.0.0, runtime_cache.rs). */
function createFiles(wasm: Buffer, sha256 = createHash('sha256').update(wasm).digest('hex')) {
  const language = { latest: '20', versions: ['20'], source: 'https://nodejs.org', license: 'MIT' };
  const build = { size: wasm.length, sha256, released: '2026-01-01', wasi: 'preview1', features: [] };
  const manifest = { version: 'v0.6.0', build_date: '2026-01-01', languages: { nodejs: language } };
  const builds = {
    language: 'nodejs',
    latest: '20',
    versions: { '20-net': { file: 'nodejs-20-net.wasm', ...build } },
  };
  return new Map<string, string | Buffer>([
    ['/manifest.json', JSON.stringify(manifest)],
    ['/nodejs-manifest.json', JSON.stringify(builds)],
    ['/nodejs-20-net.wasm', wasm],
  ]);
}
