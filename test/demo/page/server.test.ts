// The server of the demo's page: who may read, and who may press its buttons.

import { request } from 'node:http';
import { expect, it } from 'vitest';
import { DEMO_KEY, startDemoPage } from '../../support/demo-page.ts';

const authorization = `Bearer ${DEMO_KEY}`;

/** fetch does not send another Host. */
function askWithHost(origin: string, host: string, path = '/'): Promise<number> {
  return new Promise((resolve, reject) => {
    request(origin, { path, headers: { host, authorization } }, response => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

it('refuses names that only lead to it, so that no other site can read it through DNS', async () => {
  const { origin } = await startDemoPage();
  const { port } = new URL(origin);
  for (const host of [`evil.example:${port}`, '127.0.0.1', `127.0.0.1.evil.example:${port}`])
    for (const path of ['/', '/api/events']) expect(await askWithHost(origin, host, path)).toBe(421);
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`])
    expect(await askWithHost(origin, host)).toBe(200);
});

it('shows its data, and obeys its buttons, only with the key', async () => {
  const { origin, actions } = await startDemoPage();
  for (const [method, path] of [
    ['GET', '/api/events'],
    ['POST', '/api/cancel'],
  ])
    for (const headers of [{}, { authorization: 'Bearer wrong' }])
      expect((await fetch(`${origin}${path}`, { method: method ?? '', headers })).status).toBe(401);
  expect(actions).toEqual([]);
  const call = (method: string, path: string) =>
    fetch(`${origin}${path}`, { method, headers: { authorization } });
  expect((await call('POST', '/api/cancel')).status).toBe(204);
  expect((await call('GET', '/api/cancel')).status).toBe(404);
  expect((await call('POST', '/api/toString')).status).toBe(404);
  expect(actions).toEqual(['cancel']);
});

it('sends each file with its type and a policy, and nothing else', async () => {
  const { origin } = await startDemoPage();
  const types = { '/': 'text/html', '/octo/app/pull/7': 'text/html', '/main.js': 'text/javascript' };
  for (const [path, type] of Object.entries(types)) {
    const { headers } = await fetch(`${origin}${path}`);
    expect(headers.get('content-type')).toContain(type);
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; .*trusted-types dompurify$/);
  }
  const frame = await fetch(`${origin}/chart/frame.html`);
  expect(frame.headers.get('content-security-policy')).toMatch(
    /^sandbox allow-scripts; default-src 'none'; /,
  );
  for (const path of ['/page.ts', '/../package.json', '/%2e%2e/package.json', '/toString', '/main.js/'])
    expect((await fetch(`${origin}${path}`)).status).toBe(404);
  expect((await fetch(`${origin}/`, { method: 'POST' })).status).toBe(404);
});

it('goes on after a request whose path is no address', async () => {
  const { origin } = await startDemoPage();
  const { host } = new URL(origin);
  for (const path of ['//', '//[', '/\\', '/%', '*', 'http://[/'])
    expect(await askWithHost(origin, host, path)).toBe(404);
  expect(await askWithHost(origin, host)).toBe(200);
});

it('sends everything to each new watcher, then only what changes', async () => {
  const { origin, feed } = await startDemoPage();
  feed.addLine({ step: 'main', at: '', kind: 'text', text: 'first' });
  const { body } = await fetch(`${origin}/api/events`, { headers: { authorization } });
  const reader = (body ?? new ReadableStream<Uint8Array>()).pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const readUntil = async (part: string) => {
    while (!text.includes(part)) text += (await reader.read()).value ?? '';
  };
  await readUntil('"first"');
  expect(text).toMatch(/^event: state\ndata: \{.*\}\n\nevent: log\ndata: \[.*"index":0\}\]\n\n/);
  text = '';
  feed.addLine({ step: 'main', at: '', kind: 'text', text: 'second' });
  await readUntil('"second"');
  expect(text).not.toContain('first');
  await reader.cancel();
});
