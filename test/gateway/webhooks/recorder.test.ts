// What is recorded of the requests on captured paths.

import { expect, it } from 'vitest';
import { RequestRecorder } from '../../../src/gateway/webhooks/recorder.ts';
import { useClosers } from '../../support/closers.ts';
import { openDoor, sendRaw } from '../../support/gateway-door.ts';
import { OPEN_GATEWAY } from '../../support/open-gateway.ts';
import { startRawApp } from '../../support/raw-app.ts';
import { waitUntil } from '../../support/wait-until.ts';

const closers = useClosers();
const HOST = 'Host: bore.example:4321\r\n';

async function open(rules = {}) {
  const app = await startRawApp();
  const recorder = new RequestRecorder({ kind: 'paths', patterns: ['/hooks/**'] });
  const door = await openDoor(app.port, { rules: { ...OPEN_GATEWAY, ...rules }, recorder });
  closers.push(app.stop, door.stop);
  return { app, door, recorder };
}

it('keeps method, target, header order and case, and body of a request as they came, and the status of its answer', async () => {
  const { door, recorder } = await open();
  const head = `POST /hooks/gh?a=%20b HTTP/1.1\r\n${HOST}X-Second: 2\r\nx-First: 1\r\nContent-Length: 5\r\n`;
  await sendRaw(door.port, `${head}Connection: close\r\n\r\n\xff\x00\r\n.`);
  await waitUntil(() => recorder.list()[0]?.answer !== undefined, 'the answer is recorded');
  const [request] = recorder.list();
  expect(request).toMatchObject({ id: 1, method: 'POST', target: '/hooks/gh?a=%20b', refusal: undefined });
  expect(request?.rawHeaders.slice(0, 6)).toEqual([
    'Host',
    'bore.example:4321',
    'X-Second',
    '2',
    'x-First',
    '1',
  ]);
  expect(request?.body).toEqual(Buffer.from([0xff, 0, 0x0d, 0x0a, 0x2e]));
  expect(request?.answer?.status).toBe(200);
});

it('keeps a refused request with the reason', async () => {
  const { door, recorder } = await open({ access: { kind: 'link', key: 'K'.repeat(32) } });
  await sendRaw(door.port, `POST /hooks/gh HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhi`);
  expect(recorder.list()[0]?.refusal).toMatch(/no key.*public-paths/);
});

it('keeps nothing of other paths', async () => {
  const { app, door, recorder } = await open();
  await sendRaw(door.port, `GET /other HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
  expect(app.requestLines).toHaveLength(1);
  expect(recorder.list()).toEqual([]);
});
