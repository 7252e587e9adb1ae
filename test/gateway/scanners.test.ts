// Without a key, no request reaches the app: tries all methods, paths, encodings, protocols and upgrades, in every
// state of an app and every way to serve one. The app counts the requests that reach it.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { Access } from '../../src/gateway/access/access.ts';
import type { AppState } from '../../src/shared/state.ts';
import { useClosers } from '../support/closers.ts';
import { openDoor, runningOn, sendRaw } from '../support/gateway-door.ts';
import { startRawApp } from '../support/raw-app.ts';

const HOST = 'Host: bore.example:4321\r\n';
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY', 'TRACE'];
const PATHS = [
  ...[
    '/',
    '/index.html',
    '/a/../',
    '/%2e%2e/%2f',
    '/a\\b',
    '/;a=b',
    '/a//b',
    '/.env',
    '/%00',
    '/%',
    '/a?b=c',
    '/?',
  ],
  ...[
    '/__expose',
    '/__expose/',
    '/__expose/probe',
    '/__expose/probe?challenge=x',
    '/__expose/sign-in',
    '/__EXPOSE/x',
  ],
  ...[
    '/?expose-key',
    '/?expose-key=',
    '/?expose-key=undefined',
    '/?expose-key=x&expose-key=y',
    '/webhooks/../a',
  ],
];
const FIELDS: readonly string[] = [
  '',
  'Cookie: expose-session-4321=9999999999.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n',
  `Cookie: ${Array.from({ length: 800 }, (_, index) => `c${index}=expose`).join('; ')}\r\n`,
  'Authorization: Bearer undefined\r\n',
  'Authorization: Basic dW5kZWZpbmVkOnVuZGVmaW5lZA==\r\nAuthorization: Bearer x\r\n',
  'X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1;host=localhost\r\n',
  'X-Original-URL: /webhooks/a\r\nX-Rewrite-URL: /webhooks/a\r\n',
  'X-HTTP-Method-Override: OPTIONS\r\nSec-Fetch-Site: same-origin\r\n',
  'Origin: http://bore.example:4321\r\nReferer: http://bore.example:4321/?expose-key=x\r\n',
  'Connection: cookie, authorization, host\r\n',
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n',
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n',
];
const OTHER_PROTOCOLS = [
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n',
  'GET /\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  'SSH-2.0-x\r\n',
  '*1\r\n$4\r\nPING\r\n',
];

const closers = useClosers();

const ACCESS: Record<string, Access> = {
  link: { kind: 'link', key: 'K3y-of-this-preview_0123456789' },
  basic: { kind: 'basic', user: 'ada', password: 'secret word' },
};

describe.each(Object.keys(ACCESS))('scanners on public ports, without a key: %s', kind => {
  const rules = { access: ACCESS[kind] ?? { kind: 'open' as const }, publicPaths: ['/webhooks/**'] };

  /** Sends all of the above while the app has one state; returns the statuses of the answers. */
  async function scan(state: () => AppState) {
    const door = await openDoor(state, { rules });
    closers.push(door.stop);
    const statuses = new Set<string>();
    const send = async (bytes: string) => {
      const answer = await sendRaw(door.port, bytes);
      statuses.add(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? answer);
    };
    for (const version of ['1.0', '1.1'])
      for (const path of PATHS) {
        for (const method of METHODS) await send(`${method} ${path} HTTP/${version}\r\n${HOST}\r\n`);
        for (const fields of FIELDS) await send(`GET ${path} HTTP/${version}\r\n${HOST}${fields}\r\n`);
      }
    expect([...statuses]).toEqual(['401']);
    for (const bytes of OTHER_PROTOCOLS) await send(`${bytes}${'\r\n'.repeat(4)}\x01`);
    expect([...statuses].sort()).toEqual(['400', '401', '405', '505']);
    expect(door.gateway.visits).toBe(0);
    expect(door.log.filter(line => !line.startsWith('debug'))).toEqual([]);
  }

  it('see nothing of an app behind a port', async () => {
    const app = await startRawApp();
    closers.push(app.stop);
    await scan(() => runningOn(app.port));
    expect(app.connections).toBe(0);
  });

  it('see nothing of a built web app', async () => {
    let asked = 0;
    const handle = () => {
      asked += 1;
    };
    await scan(() => ({ status: 'running', upstream: { kind: 'handler', handle } }));
    expect(asked).toBe(0);
  });

  it.each<AppState>([
    { status: 'starting' },
    { status: 'restarting', reason: 'it ended', attempt: 1 },
    { status: 'stopped' },
    { status: 'failed', reason: 'it ended', lastLines: [] },
  ])('see nothing of an app that is $status', async state => {
    await scan(() => state);
  });

  it('cannot make the gateway connect elsewhere (SSRF)', async () => {
    let connections = 0;
    const canary = createServer(socket => {
      connections += 1;
      socket.destroy();
    });
    await once(canary.listen(0, '127.0.0.1'), 'listening');
    const address = canary.address();
    const host = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    closers.push(() => canary.close());
    const app = await startRawApp();
    const door = await openDoor(app.port);
    closers.push(app.stop, door.stop);
    const targets = [
      `http://${host}/`,
      `//${host}/`,
      `/\\${host}/`,
      `/@${host}/`,
      `/x?u=http://${host}/`,
      `/#@${host}/`,
    ];
    for (const target of targets)
      for (const fields of [HOST, `Host: ${host}\r\n`, `${HOST}X-Forwarded-Host: ${host}\r\n`])
        for (const upgrade of ['', FIELDS.at(-1)])
          await sendRaw(
            door.port,
            `GET ${target} HTTP/1.1\r\n${fields}${upgrade}${upgrade ? '' : 'Connection: close\r\n'}\r\n`,
          );
    await sendRaw(door.port, `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect(connections).toBe(0);
    expect(app.connections).toBeGreaterThan(0);
  });
});
