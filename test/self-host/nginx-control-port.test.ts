// The form of nginx in front of bore that older guides show: HTTP to port 7835. docs/https-proxy.md says why it cannot
// work, and this shows it with the real programs.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeNginxConfig } from '../support/nginx-config.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { accepts, failToOpen, launchRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

/** Two bore servers, and the ports of nginx that lead to them. */
const WITH_SECRET = { bore: '127.0.12.10', port: 8_080 };
const WITHOUT = { bore: '127.0.12.11', port: 8_081 };
const NGINX = '127.0.12.12';
const SECRET = 'the-secret-of-the-bore-server';

describeWithReal(['nginx', 'bore'], "nginx that sends HTTP to bore's port 7835", () => {
  const closers: (() => unknown)[] = [];
  beforeAll(async () => {
    closers.push((await launchRealServer(WITH_SECRET.bore, { secret: SECRET })).kill);
    closers.push((await launchRealServer(WITHOUT.bore)).kill);
    closers.push(await startNginx());
  });
  afterAll(async () => {
    for (const close of closers.reverse()) await close();
  });

  // At the same time, because bore waits 3 s each time.
  it.concurrent("gives visitors bore's own messages instead of a preview", async () => {
    // No HTTP at all: nginx takes it for HTTP/0.9, and browsers refuse it.
    expect(await get(WITH_SECRET.port)).toMatch(
      /^\{"Challenge":"[0-9a-f-]{36}"\}\0\{"Error":"timed out waiting for initial message"\}\0$/,
    );
  });

  it.concurrent('gives them 502 if the server has no secret', async () => {
    expect(await get(WITHOUT.port)).toMatch(/^HTTP\/1\.1 502 /);
  });

  it.concurrent('lets no client open a tunnel', async () => {
    const server = { host: NGINX, port: WITH_SECRET.port };
    const { message } = await failToOpen({ server, secret: SECRET });
    expect(message).toContain(`${NGINX}:${server.port}`);
    expect(message).toContain('does not answer like a bore server');
  });
});

/** Resolves with what ends it. */
async function startNginx(): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'nginx-control-port-'));
  const render = ({ bore, port }: typeof WITHOUT) => `
    server { listen ${NGINX}:${port}; server_name tunnel.example.com;
      location / {
        proxy_pass http://${bore}:7835;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
      } }`;
  const args = writeNginxConfig(folder, [WITH_SECRET, WITHOUT].map(render).join('\n'));
  const child = spawn(requirePart('nginx'), args, { stdio: 'ignore' });
  await Promise.all(
    [WITH_SECRET, WITHOUT].map(({ port }) => waitUntil(() => accepts(NGINX, port), 'nginx listens')),
  );
  return async () => {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
}

/** Everything that comes back for one request. */
async function get(port: number): Promise<string> {
  const socket = connect(port, NGINX);
  socket.write('GET / HTTP/1.1\r\nHost: tunnel.example.com\r\nConnection: close\r\n\r\n');
  let received = '';
  for await (const chunk of socket) received += chunk;
  return received;
}
