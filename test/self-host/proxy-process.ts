// What the test files of the proxies share: the process of a proxy with its log, and a place for one with nothing behind it.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { TestCa } from '../support/test-ca.ts';
import { waitUntil } from '../support/wait-until.ts';
import type { ProxyPlace, RunningProxy } from './proxy-world.ts';

/** Resolves when the proxy is ready; rejects with its log, and ends it, if it is not. */
export async function watchProxy(
  child: ChildProcess,
  isReady: (log: string) => boolean | Promise<boolean>,
): Promise<Pick<RunningProxy, 'readLog' | 'stop'>> {
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', chunk => {
      log += chunk;
    });
  const stop = async () => {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  };
  try {
    await waitUntil(async () => isReady(log), 'the proxy is ready');
  } catch (error) {
    await stop();
    throw new Error(`the proxy does not listen; it said:\n${log}`, { cause: error });
  }
  return { readLog: () => log, stop };
}

/** Until the end of the test. Nothing listens on `tunnels`. */
export function createPlace(
  host: string,
  tunnels: string,
  ports: Pick<ProxyPlace, 'httpsPort' | 'httpPort'>,
): ProxyPlace {
  const ca = new TestCa();
  const folder = mkdtempSync(join(tmpdir(), 'proxy-place-'));
  onTestFinished(() => {
    ca.remove();
    rmSync(folder, { recursive: true, force: true });
  });
  const { cert, key } = ca.issue(['DNS:*.preview.example.com']);
  const files = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  writeFileSync(files.certificate, cert);
  writeFileSync(files.key, key);
  return { folder, host, tunnels, ...ports, ipv6: undefined, ...files };
}
