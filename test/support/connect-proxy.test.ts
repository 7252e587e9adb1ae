import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EnvHttpProxyAgent, fetch } from 'undici';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  type ConnectProxy,
  type ConnectProxyOptions,
  runScript,
  startConnectProxy,
} from './connect-proxy.ts';

let server: Server;
let proxy: ConnectProxy;
beforeEach(async () => {
  server = createServer((request, response) => {
    response.end(`${request.url} of ${request.headers.host}, ${request.headers['proxy-authorization']}`);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterEach(async () => {
  await proxy.stop();
  server.closeAllConnections();
  server.close();
});

async function start(options: ConnectProxyOptions = {}): Promise<void> {
  const { port } = server.address() as AddressInfo;
  proxy = await startConnectProxy({ names: { 'inside.test': port }, ...options });
}

async function findDeadPort(): Promise<number> {
  const dead = createServer().listen(0, '127.0.0.1');
  await once(dead, 'listening');
  const { port } = dead.address() as AddressInfo;
  dead.close();
  await once(dead, 'close');
  return port;
}

async function ask(url: string, proxyUrl: string, proxyTunnel = false): Promise<string> {
  const dispatcher = new EnvHttpProxyAgent({ httpProxy: proxyUrl, noProxy: '', proxyTunnel });
  try {
    return await (await fetch(url, { dispatcher })).text();
  } finally {
    await dispatcher.close();
  }
}

it('forwards requests in absolute form, to names that only the proxy knows', async () => {
  await start();
  expect(await ask('http://inside.test/a?b', proxy.url)).toBe('/a?b of inside.test, undefined');
  expect(proxy.asked).toEqual(['GET http://inside.test/a?b']);
});

it('opens tunnels', async () => {
  await start();
  expect(await ask('http://inside.test/a', proxy.url, true)).toBe('/a of inside.test, undefined');
  expect(proxy.asked).toEqual(['CONNECT inside.test:80']);
});

it('reports that it cannot reach a host', async () => {
  await start({ names: { 'away.test': await findDeadPort() } });
  expect(await ask('http://away.test/', proxy.url)).toBe('');
  await expect(ask('http://away.test/', proxy.url, true)).rejects.toMatchObject({
    cause: { cause: { message: expect.stringContaining('(502)') } },
  });
});

it('requires its password, and does not pass it on', async () => {
  await start({ credentials: 'me:pass%40word' });
  for (const tunnelled of [false, true]) {
    await expect(ask('http://inside.test/', proxy.url, tunnelled)).rejects.toThrow('fetch failed');
    expect(await ask('http://inside.test/', proxy.fullUrl, tunnelled)).toBe('/ of inside.test, undefined');
  }
  expect(proxy.asked).toEqual([
    'GET http://inside.test/ 407',
    'GET http://inside.test/',
    'CONNECT inside.test:80 407',
    'CONNECT inside.test:80',
  ]);
});

it('is used by a process of Node.js with the proxy variables', async () => {
  await start();
  const environment = { HTTP_PROXY: proxy.url, NODE_USE_ENV_PROXY: '1' };
  const printed = await runScript(
    `console.log(await (await fetch('http://inside.test/x')).text())`,
    environment,
  );
  expect(printed).toBe('/x of inside.test, undefined\n');
  expect(proxy.asked).toEqual(['CONNECT inside.test:80']);
});
