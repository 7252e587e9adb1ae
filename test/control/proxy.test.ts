// Requests to this machine do not go through a proxy, even in a job with NODE_USE_ENV_PROXY=1 and HTTP_PROXY but
// without NO_PROXY: for the proxy, 127.0.0.1 is another machine. Node reads the variables when it starts, so each test
// runs a process.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { startControlApi } from '../../src/control/api.ts';
import { type ConnectProxy, runScript, startConnectProxy } from '../support/connect-proxy.ts';
import { controlsWith } from '../support/controls.ts';
import { listen } from '../support/listen.ts';

const TOKEN = 'a-token-of-this-test';

let proxy: ConnectProxy;
let appPort: number;

beforeEach(async () => {
  const app = createServer((_, response) => response.end('the app'));
  appPort = await listen(app);
  proxy = await startConnectProxy({ names: { 'elsewhere.test': appPort } });
  onTestFinished(async () => {
    await proxy.stop();
    app.closeAllConnections();
    app.close();
  });
});

const source = (path: string) => JSON.stringify(resolve(path));

/**
 * Resolves with the lines that the code printed. A first request, to another machine, shows that the proxy is in use.
 */
async function runBehindProxy(code: string): Promise<string[]> {
  const printed = await runScript(`await fetch('http://elsewhere.test/');\n${code}`, {
    NODE_USE_ENV_PROXY: '1',
    HTTP_PROXY: proxy.url,
    HTTPS_PROXY: proxy.url,
  });
  expect(proxy.asked[0]).toBe('CONNECT elsewhere.test:80');
  return printed.trimEnd().split('\n');
}

it('requests to the control API do not go through the proxy', async () => {
  const api = await startControlApi(controlsWith(), TOKEN);
  onTestFinished(() => api.stop());
  const address = JSON.stringify({ controlUrl: api.url, controlToken: TOKEN });
  const printed = await runBehindProxy(`
    const { callControl, followStates, readState } = await import(${source('src/control/client.ts')});
    console.log((await readState(${address})).visits);
    for await (const { status } of followStates(${address}, AbortSignal.timeout(30_000))) {
      console.log(status);
      break;
    }
    console.log((await callControl(${address}, 'POST /api/stop')).success);`);
  expect(printed).toEqual(['7', 'Connected', 'true']);
  expect(proxy.asked).toHaveLength(1);
});

it('requests to wasmrun do not go through the proxy', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'loopback-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  // A stand-in for `wasmrun os PROJECT -P PORT`.
  const wasmrun = join(folder, 'wasmrun');
  writeFileSync(
    wasmrun,
    `#!${process.execPath}
    const answer = (_, response) => response.end('{"detected_language":"nodejs"}');
    require('node:http').createServer(answer).listen(Number(process.argv.at(-1)), '127.0.0.1');`,
  );
  chmodSync(wasmrun, 0o755);
  const printed = await runBehindProxy(`
    const { startOsServer } = await import(${source('src/app/os/os-server.ts')});
    const { silentLogger } = await import(${source('src/shared/log.ts')});
    const server = await startOsServer(${JSON.stringify(wasmrun)}, ${JSON.stringify(folder)}, {
      folder: ${JSON.stringify(folder)},
      environment: {},
      logger: silentLogger,
      onOutput() {},
      onChild() {},
      signal: AbortSignal.timeout(10_000),
    });
    console.log(server.language);
    await server.stop();`);
  expect(printed).toEqual(['nodejs']);
  expect(proxy.asked).toHaveLength(1);
});

it('requests to the app and to the public address do not go through the proxy', async () => {
  const printed = await runBehindProxy(`
    const { waitForHealth } = await import(${source('src/app/process/readiness.ts')});
    const { probeHttp } = await import(${source('src/gateway/probe.ts')});
    const { openDoor, PROOF_KEY, sendRaw } = await import(${source('test/support/gateway-door.ts')});
    const signal = AbortSignal.timeout(10_000);
    const address = { kind: 'address', host: '127.0.0.1', port: ${appPort} };
    await waitForHealth({ address, host: 'localhost', path: '/', onAttempt: console.log }, signal);
    const door = await openDoor(${appPort});
    console.log((await probeHttp(door.url, PROOF_KEY, signal)).kind);
    // The gateway does not speak TLS: this probe finds that out without the proxy, too.
    console.log((await probeHttp(door.url.replace('http:', 'https:'), PROOF_KEY, signal)).kind);
    const visit = \`GET / HTTP/1.1\\r\\nHost: 127.0.0.1:\${door.port}\\r\\nConnection: close\\r\\n\\r\\n\`;
    console.log((await sendRaw(door.port, visit)).split('\\r\\n').at(-1));
    await door.stop();`);
  expect(printed).toEqual(['proved', 'silent', 'the app']);
  expect(proxy.asked).toHaveLength(1);
});
