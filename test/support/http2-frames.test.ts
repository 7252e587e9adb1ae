import { once } from 'node:events';
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import {
  encodeInteger,
  FRAME,
  FrameClient,
  listRequestFields,
  renderHeaders,
  renderReset,
} from './http2-frames.ts';
import { TestCa } from './test-ca.ts';
import { waitUntil } from './wait-until.ts';

it('encodes integers as in RFC 7541, appendix C.1', () => {
  expect([...encodeInteger(10, 5)]).toEqual([10]);
  expect([...encodeInteger(1337, 5)]).toEqual([31, 154, 10]);
});

it('works with a real HTTP/2 server, in both directions', async () => {
  const ca = new TestCa();
  const server = createSecureServer(ca.issue(['DNS:localhost'])).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.close();
    ca.remove();
  });
  await once(server, 'listening');
  const seen: unknown[] = [];
  const resets: number[] = [];
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    seen.push([headers[':path'], headers['x-a']]);
    stream.on('error', () => {}).on('close', () => resets.push(stream.rstCode));
    if (headers[':path'] === '/a') stream.respond({ ':status': 404 }, { endStream: true });
  });
  const client = await FrameClient.open((server.address() as AddressInfo).port, ca.pem);
  onTestFinished(() => client.close());
  const long = 'v'.repeat(300);
  client.write(renderHeaders(1, listRequestFields({ ':path': '/a' }, ['x-a', long])));
  await client.settled(1);
  expect([client.status(1), client.resetCode(1)]).toEqual([404, undefined]);
  client.write(renderHeaders(3, listRequestFields({ ':path': '/b' })), renderReset(3));
  await waitUntil(() => resets.length === 2, 'both streams are closed');
  expect(seen).toEqual([
    ['/a', long],
    ['/b', undefined],
  ]);
  expect(resets[1]).toBe(8);
  client.write(renderHeaders(4, listRequestFields())); // even: a server's
  await waitUntil(() => client.closed, 'the connection is over');
  expect([client.goawayCode, client.ofType(FRAME.goaway).length]).toEqual([1, 1]);
});
