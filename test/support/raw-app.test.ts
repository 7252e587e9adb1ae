import { afterEach, expect, it } from 'vitest';
import { sendRaw } from './gateway-door.ts';
import { OK, type RawApp, startRawApp } from './raw-app.ts';
import { waitUntil } from './wait-until.ts';

let app: RawApp | undefined;
afterEach(() => app?.stop());

it('answers anything that looks like a request, and records its bytes', async () => {
  app = await startRawApp((socket, count) => void (count === 1 ? socket.write(OK) : socket.end(OK)));
  const bytes = 'GET /a HTTP/1.1\r\nContent_Length : 3\r\n\r\nabcPOST //b HTTP/9.9\r\n\r\n';
  expect(await sendRaw(app.port, bytes)).toBe(OK + OK);
  expect(app.seen).toBe(bytes);
  expect(app.requestLines).toEqual(['GET /a HTTP/1.1', 'POST //b HTTP/9.9']);
  expect(app.connections).toBe(1);
  expect(app.streams).toEqual([bytes]);
  await waitUntil(() => app?.open === 0, 'its connection is closed');
});
