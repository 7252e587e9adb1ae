// How the inspector's page is served on the control address.

import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { startControlApi } from '../../../src/control/api.ts';
import { readPageFiles } from '../../../src/control/inspector/files.ts';
import { useClosers } from '../../support/closers.ts';
import { controlsWith } from '../../support/controls.ts';

const TOKEN = 'a-token-of-this-test';
const closers = useClosers();

async function start() {
  const api = await startControlApi(controlsWith(), TOKEN);
  closers.push(() => api.stop());
  return api.url;
}

it('anybody gets the page and its files, which may run nothing but themselves and are not kept', async () => {
  const url = await start();
  for (const [path, file] of Object.entries(readPageFiles())) {
    const answer = await fetch(url + path);
    expect([path, answer.status, answer.headers.get('content-type')]).toEqual([path, 200, file.type]);
    const policy = answer.headers.get('content-security-policy');
    expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(await answer.text()).toBe(file.text);
  }
});

it('HEAD gets the same head', async () => {
  const url = await start();
  const [get, head] = [await fetch(url), await fetch(url, { method: 'HEAD' })];
  expect(head.status).toBe(200);
  expect(head.headers.get('content-length')).toBe(get.headers.get('content-length'));
  expect(await head.text()).toBe('');
});

it('a query does not keep the page away, and nothing else is served without the token', async () => {
  const url = await start();
  expect((await fetch(`${url}/?from=comment`)).status).toBe(200);
  expect((await fetch(url, { method: 'POST' })).status).toBe(401);
  for (const path of [
    '/index.html',
    '/toString',
    '/__proto__',
    '//',
    '/api',
    '/api/inspector',
    '/favicon.ico',
  ])
    expect([path, (await fetch(url + path)).status]).toEqual([path, 401]);
});

it('a host name that points to 127.0.0.1 does not get the page (DNS rebinding)', async () => {
  const socket = connect(Number(new URL(await start()).port), '127.0.0.1');
  socket.end('GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 403 /);
});
