// The stand-in for wasmhub, tested by itself.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { startWasmhub, type WasmhubServer } from './wasmhub-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'wasmhub-'));
let server: WasmhubServer | undefined;
afterEach(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('serves the runtime under the name and with the checksum its manifest gives', async () => {
  writeFileSync(join(folder, 'some.wasm'), 'bytes');
  server = await startWasmhub({ runtime: join(folder, 'some.wasm') });
  const manifest = JSON.parse(await fetchText('/nodejs-manifest.json'));
  const build = manifest.versions[`${manifest.latest}-net`];
  const bytes = await fetchText(`/${build.file}`);
  expect(bytes).toBe('bytes');
  expect(build.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
  expect(JSON.parse(await fetchText('/manifest.json')).languages.nodejs.latest).toBe(manifest.latest);
  expect(server.requests).toHaveLength(3);
});

async function fetchText(path: string): Promise<string> {
  const response = await fetch(`${server?.url}${path}`);
  expect(response.status).toBe(200);
  return await response.text();
}
