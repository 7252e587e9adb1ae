// Long answers and uploads, many at a time, with readers that stop again and again: every byte arrives, in order, and at the
// right place; and nothing is read much faster than it is passed on.

import { createServer, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { useClosers } from '../../support/closers.ts';
import { openDoor } from '../../support/gateway-door.ts';
import { listen } from '../../support/listen.ts';
import { NoiseCheck, streamNoise } from '../../support/noise.ts';
import { OPEN_GATEWAY } from '../../support/open-gateway.ts';
import { scale } from '../../support/scale.ts';
import { waitUntil } from '../../support/wait-until.ts';

const LENGTH = scale(2, 30) * 1_000_003;
const closers = useClosers();

async function openApp(listener: (request: IncomingMessage, response: ServerResponse) => unknown) {
  const server = createServer((request, response) => void listener(request, response));
  const port = await listen(server);
  const door = await openDoor(port, { rules: { ...OPEN_GATEWAY, compress: false, maxBodyBytes: 2 ** 30 } });
  closers.push(
    () => server.close(),
    () => server.closeAllConnections(),
    () => door.stop(),
  );
  return { server, door };
}

/** Reads everything, but stops for some turns of the loop after each half megabyte; says whether it is the noise of `seed`. */
async function checkSlowly(stream: Readable, seed: number): Promise<string> {
  const check = new NoiseCheck(seed);
  let untilStop = 500_000;
  for await (const chunk of stream) {
    check.take(chunk);
    untilStop -= chunk.length;
    if (untilStop > 0) continue;
    untilStop = 500_000;
    for (let turn = 0; turn < 30; turn += 1) await nextTurn();
  }
  return check.result(LENGTH);
}

/** Named by the path, `/FRAMING/SEED`. */
function openDownload(response: ServerResponse, path: string): void {
  const [, framing, seed] = path.split('/');
  if (framing === 'length') response.setHeader('content-length', LENGTH);
  if (framing === 'close') response.useChunkedEncodingByDefault = false;
  pipeline(streamNoise(Number(seed), LENGTH), response).catch(() => {});
}

it('long answers with and without a length arrive whole, four and four uploads at a time, whoever is slow', async () => {
  const { door } = await openApp(async (request, response) => {
    const path = request.url ?? '';
    if (request.method === 'GET') openDownload(response, path);
    else response.end(await checkSlowly(request, Number(path.split('/')[2])));
  });
  const download = async (framing: string, seed: number) => {
    const request = sendRequest(`${door.url}/${framing}/${seed}`).end();
    const [response] = await new Promise<[IncomingMessage]>((resolve, reject) => {
      request.once('response', answer => resolve([answer])).once('error', reject);
    });
    return await checkSlowly(response, seed);
  };
  const upload = async (framing: string, seed: number) => {
    const headers = framing === 'length' ? { 'content-length': LENGTH } : {};
    const request = sendRequest(`${door.url}/${framing}/${seed}`, { method: 'POST', headers });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject);
    });
    await pipeline(streamNoise(seed, LENGTH), request);
    return (await (await answered).setEncoding('utf8').toArray()).join('');
  };
  // Twice, so that the second round finds connections that were used before.
  for (const round of [10, 20]) {
    const results = await Promise.all([
      ...['length', 'chunked', 'close', 'length'].map((framing, index) => download(framing, round + index)),
      ...['length', 'chunked', 'length', 'chunked'].map((framing, index) =>
        upload(framing, round + 5 + index),
      ),
    ]);
    expect(results).toEqual(Array.from(results, () => 'right'));
  }
}, 300_000);

/** More than the buffers on the way can hold. */
const LONG = 48 * 2 ** 20;

/** Writes LONG bytes, as fast as they are taken; returns how many were written so far. */
function pour(stream: Writable): () => number {
  const piece = Buffer.alloc(64 * 1024, 'p');
  let sent = 0;
  const fill = () => {
    while (sent < LONG) {
      sent += piece.length;
      if (!stream.write(piece)) return;
    }
    stream.end();
  };
  stream.on('drain', fill).on('error', () => {});
  fill();
  return () => sent;
}

/** Resolves with the number once it has not changed for a while. */
async function settle(read: () => number): Promise<number> {
  let [last, same] = [-1, 0];
  await waitUntil(() => {
    same = read() === last ? same + 1 : 0;
    last = read();
    return same >= 5;
  }, 'nothing moves any more');
  return last;
}

it.each(['length', 'nothing'])(
  'a visitor who stops reading stops the app, and gets the rest when it reads again: an answer with %s',
  async framing => {
    let readSent = () => 0;
    const { door } = await openApp((_, response) => {
      if (framing === 'length') response.setHeader('content-length', LONG);
      if (framing === 'nothing') response.useChunkedEncodingByDefault = false;
      readSent = pour(response);
    });
    const request = sendRequest(door.url).end();
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject);
    });
    await waitUntil(() => readSent() > 0, 'the answer begins');
    expect(await settle(() => readSent())).toBeLessThan(LONG);
    let seen = 0;
    for await (const chunk of response) seen += chunk.length;
    expect([seen, response.complete]).toEqual([LONG, true]);
  },
);

it.each(['chunks', 'length'])(
  'an app that stops reading stops the upload, and gets the rest when it reads again: with %s',
  async framing => {
    const arrived = Promise.withResolvers<IncomingMessage>();
    const { door } = await openApp((request, response) => {
      request.pause().once('end', () => response.end('thanks'));
      arrived.resolve(request);
    });
    const headers = framing === 'length' ? { 'content-length': LONG } : {};
    const request = sendRequest(door.url, { method: 'PUT', headers });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject);
    });
    const readSent = pour(request);
    const app = await arrived.promise;
    expect(await settle(readSent)).toBeLessThan(LONG);
    let seen = 0;
    for await (const chunk of app) seen += chunk.length;
    expect([seen, app.complete]).toEqual([LONG, true]);
    expect((await answered).statusCode).toBe(200);
  },
);
