// The frames and TLS records of HTTP/2 answers: through bore, each small write can wait for the acknowledgement of the
// one before it.

import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { openDoor } from '../../support/gateway-door.ts';
import {
  END_STREAM,
  FRAME,
  FrameClient,
  listRequestFields,
  renderHeaders,
} from '../../support/http2-frames.ts';
import { TestCa, type TestCertificate } from '../../support/test-ca.ts';
import { waitUntil } from '../../support/wait-until.ts';

let ca: TestCa;
let tls: TestCertificate;
beforeAll(() => {
  ca = new TestCa();
  tls = ca.issue(['DNS:localhost']);
});
afterAll(() => ca.remove());

async function open(listener: RequestListener): Promise<FrameClient> {
  const app = createServer(listener).listen(0, '127.0.0.1');
  await once(app, 'listening');
  const door = await openDoor((app.address() as AddressInfo).port, {
    tls,
    publicUrl: 'https://localhost:4321',
  });
  const client = await FrameClient.open(door.port, ca.pem);
  onTestFinished(async () => {
    client.close();
    await door.stop();
    app.close();
  });
  return client;
}

const request = (stream: number) =>
  renderHeaders(stream, listRequestFields({ ':authority': 'localhost:4321' }));
const endOf = (client: FrameClient, stream: number) =>
  client.ofType(FRAME.data, stream).some(({ flags }) => (flags & END_STREAM) !== 0);

it('the last frame of a short answer also ends it, even if its length was not announced', async () => {
  const client = await open((_, response) => {
    response.writeHead(200, { 'transfer-encoding': 'chunked' });
    response.end('an answer');
  });
  client.write(request(1));
  await waitUntil(() => endOf(client, 1), 'the answer has ended');
  expect(client.ofType(FRAME.data, 1).map(({ payload, flags }) => [String(payload), flags])).toEqual([
    ['an answer', END_STREAM],
  ]);
});

it('an answer whose end comes later than its body is sent at once, and ended then', async () => {
  const end: (() => void)[] = [];
  const client = await open((_, response) => {
    response.write('a part');
    end.push(() => response.end());
  });
  client.write(request(1));
  await waitUntil(() => client.ofType(FRAME.data, 1).length > 0, 'the part has come');
  expect(endOf(client, 1)).toBe(false);
  end[0]?.();
  await waitUntil(() => endOf(client, 1), 'the answer has ended');
  expect(Buffer.concat(client.ofType(FRAME.data, 1).map(({ payload }) => payload)).toString()).toBe('a part');
});
