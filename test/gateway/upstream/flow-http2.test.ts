// Long answers to HTTP/2 visitors who read slowly, beside others: the bytes wait in more places there than over HTTP/1.1, and
// none of those places may be written over in the meantime.

import { createServer } from 'node:http';
import { type ClientHttp2Stream, connect } from 'node:http2';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDoor } from '../../support/gateway-door.ts';
import { listen } from '../../support/listen.ts';
import { NoiseCheck, streamNoise } from '../../support/noise.ts';
import { OPEN_GATEWAY } from '../../support/open-gateway.ts';
import { scale } from '../../support/scale.ts';
import { TestCa } from '../../support/test-ca.ts';

const LENGTH = scale(1, 30) * 1_000_003;
let ca: TestCa;
beforeAll(() => {
  ca = new TestCa();
});
afterAll(() => ca.remove());

async function checkSlowly(stream: ClientHttp2Stream, seed: number): Promise<string> {
  const check = new NoiseCheck(seed);
  for await (const chunk of stream) {
    check.take(chunk);
    for (let turn = 0; turn < seed % 5; turn += 1) await nextTurn();
  }
  return check.result(LENGTH);
}

it.each([
  ['as the app sends them', false],
  ['behind a small window', true],
])(
  'many long answers over two connections arrive whole, however slowly they are read: %s',
  async (_, isSmall) => {
    const server = createServer((request, response) => {
      const [, framing, seed] = request.url?.split('/') ?? [];
      if (framing === 'length') response.setHeader('content-length', LENGTH);
      pipeline(streamNoise(Number(seed), LENGTH), response).catch(() => {});
    });
    const door = await openDoor(await listen(server), {
      tls: ca.issue(['DNS:localhost']),
      publicUrl: 'https://localhost:4321',
      rules: { ...OPEN_GATEWAY, compress: false },
    });
    const settings = isSmall ? { initialWindowSize: 20_000 } : {};
    const open = () => connect(`https://localhost:${door.port}`, { ca: ca.pem, settings });
    const sessions = [open(), open()];
    const download = (path: string, seed: number, index: number) => {
      const headers = { ':path': path, ':authority': 'localhost:4321' };
      const stream = sessions[index % 2]?.request(headers);
      return stream === undefined ? 'no connection' : checkSlowly(stream, seed);
    };
    const results = await Promise.all(
      Array.from({ length: 8 }, (_none, index) =>
        download(`/${index % 3 === 0 ? 'chunked' : 'length'}/${index}`, index, index),
      ),
    );
    expect(results).toEqual(Array.from(results, () => 'right'));
    for (const session of sessions) session.destroy();
    await door.stop();
    server.closeAllConnections();
    server.close();
  },
  120_000,
);
