// Downloads wasmrun's release in a job that needs its proxy: only the proxy can resolve the host name of the release.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { installFromRelease } from '../../../src/app/wasmrun/release.ts';
import { describeError } from '../../../src/shared/errors.ts';
import { silentLogger } from '../../../src/shared/log.ts';
import { type ConnectProxy, startConnectProxy } from '../../support/connect-proxy.ts';
import { startReleasesServer } from '../../support/releases-server.ts';

const DEB = `wasmrun-v1.0.0-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.deb`;

let proxy: ConnectProxy;
beforeEach(async () => {
  const server = await startReleasesServer([{ name: DEB, content: Buffer.from('no package') }]);
  const names = { 'github.inside.test': Number(new URL(server.url).port) };
  proxy = await startConnectProxy({ names, credentials: 'me:pass%40word' });
  onTestFinished(async () => {
    await proxy.stop();
    await server.close();
  });
});

/** Resolves with the error: the file that is published here is not a package, so no installation succeeds. */
async function fail(environment: Record<string, string>): Promise<string> {
  const stage = mkdtempSync(join(tmpdir(), 'wasmrun-proxy-'));
  onTestFinished(() => rmSync(stage, { recursive: true }));
  return await installFromRelease({
    stage,
    program: join(stage, 'wasmrun'),
    version: '1.0.0',
    releasesUrl: 'http://github.inside.test/releases',
    environment: { PATH: process.env.PATH ?? '', ...environment },
    logger: silentLogger,
    signal: AbortSignal.timeout(30_000),
  }).then(() => 'nothing', describeError);
}

it('the release is looked up and downloaded through the proxy', async () => {
  expect(await fail({ http_proxy: proxy.fullUrl })).not.toContain('cannot be reached');
  expect(proxy.asked).toEqual([
    'GET http://github.inside.test/releases/tags/v1.0.0',
    `GET http://github.inside.test/download/${DEB}`,
  ]);
});

it('a proxy variable that is not an address is named, without its value', async () => {
  const failure = await fail({ HTTPS_PROXY: 'http://me:hunter/2@squid.test' });
  expect(failure).toMatch(/^HTTPS_PROXY is not the address of a proxy /);
  expect(failure).not.toMatch(/hunter|squid/);
});
