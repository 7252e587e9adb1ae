// HTTP/2 clients that begin without TLS, as gRPC clients do, are told what to do.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { openDoor, sendRaw } from '../../support/gateway-door.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

async function open() {
  let asked = 0;
  const app = createServer((_, response) => {
    asked += 1;
    response.end('an answer');
  }).listen(0, '127.0.0.1');
  await once(app, 'listening');
  const door = await openDoor((app.address() as AddressInfo).port);
  onTestFinished(async () => {
    await door.stop();
    app.close();
  });
  return { door, asked: () => asked };
}

it('a client of HTTP/2 without TLS is told to use protocol: tcp, and nothing reaches the app', async () => {
  const { door, asked } = await open();
  const answer = await sendRaw(door.port, PREFACE);
  expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  expect(answer).toContain('To expose a gRPC service, use `protocol: tcp`');
  expect(asked()).toBe(0);
});

it('a client that begins with it after a request gets nothing of that in its answer', async () => {
  const { door, asked } = await open();
  const answer = await sendRaw(door.port, `GET / HTTP/1.1\r\nHost: bore.example:4321\r\n\r\n${PREFACE}`);
  expect(answer).not.toContain('gRPC');
  expect(asked()).toBeLessThanOrEqual(1);
});
