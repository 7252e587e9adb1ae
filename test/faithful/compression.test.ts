// Answers that the gateway compresses: decoded, they are the app's, piece by piece and however they end.

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { PassThrough, Readable, type Transform } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  brotliDecompressSync,
  createBrotliDecompress,
  createGunzip,
  createZstdDecompress,
  gunzipSync,
  zstdDecompressSync,
} from 'node:zlib';
import fc from 'fast-check';
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Noise } from '../support/noise.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { scale } from '../support/scale.ts';
import { hashPublicKey, TestCa } from '../support/test-ca.ts';
import { waitUntil } from '../support/wait-until.ts';
import { type Exposed, expose, openBrowser } from './exposed.ts';
import { startProgrammableApp } from './programmable-app.ts';
import { type Door, describeFaithful, type World } from './routes.ts';
import { type Answer, type Ask, describeBody, type Exchange, readAnswer } from './visitor.ts';

const CODINGS = ['gzip', 'br', 'zstd'] as const;
type Coding = (typeof CODINGS)[number];

const DECODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  br: brotliDecompressSync,
  gzip: gunzipSync,
  zstd: zstdDecompressSync,
};
const OPENERS: Readonly<Record<Coding, () => Transform>> = {
  br: createBrotliDecompress,
  gzip: createGunzip,
  zstd: createZstdDecompress,
};

/** Text that never repeats, and yet gets smaller. */
const noise = new Noise(11);
const makeText = (bytes: number) => Buffer.from(noise.take(bytes).toString('base64').slice(0, bytes));

const accepting = (coding: string): Ask => ({ headers: [['Accept-Encoding', coding]] });

/** The answer as it was before the gateway compressed it; fails if that was not as it was asked to. */
function undo(answer: Answer, coding: string): Answer {
  const fields = new Map(answer.headers);
  const decode = DECODERS[fields.get('content-encoding') ?? ''];
  const body = Buffer.from(answer.text, 'latin1');
  const decoded = decode?.(body) ?? body;
  if (decode !== undefined) expect(fields.get('content-encoding')).toBe(coding);
  const headers = answer.headers
    .filter(([name]) => !['content-encoding', 'content-length', 'accept-ranges'].includes(name))
    .map(([name, value]) => [name, name === 'etag' ? value.replace(/^W\//, '') : value] as const);
  return { ...answer, headers, body: describeBody(decoded), text: decoded.toString('latin1') };
}

async function compareDecoded(
  world: World,
  coding: string,
  listener: (response: ServerResponse) => unknown,
): Promise<boolean> {
  let isCoded = false;
  world.app.handle((_, response) => void listener(response));
  await world.compare(async door => {
    const visitor = door.openVisitor();
    const answer = await readAnswer(visitor.request(accepting(coding)));
    visitor.close();
    isCoded = answer.headers.some(([name]) => name === 'content-encoding');
    return undo(answer, coding);
  });
  return isCoded;
}

/** What has come of an answer, decoded as it comes. */
class Watched {
  text = '';
  end: 'whole' | 'broken' | undefined;

  constructor(exchange: Exchange) {
    void this.#read(exchange);
  }

  async #read(exchange: Exchange): Promise<void> {
    let decoder: Transform | undefined;
    for (;;) {
      const seen = await exchange.next();
      if (seen.kind === 'head') {
        const coding = new Map(seen.headers).get('content-encoding');
        decoder = coding === undefined ? undefined : OPENERS[coding as Coding]();
        decoder?.on('data', (bytes: Buffer) => this.#add(bytes)).on('error', () => {});
      } else if (seen.kind === 'data') {
        if (decoder === undefined) this.#add(seen.bytes);
        else decoder.write(seen.bytes);
      } else if (seen.kind === 'end' || seen.kind === 'broken') {
        // What was written before is decoded before this.
        await new Promise(resolve => (decoder ?? new PassThrough()).write('', resolve));
        this.end = seen.kind === 'end' ? 'whole' : 'broken';
        return;
      }
    }
  }

  #add(bytes: Buffer): void {
    this.text += bytes.toString('latin1');
  }
}

/** One thing that an app does while it answers. */
type Act = { write: number } | 'next turn' | 'visitor has it';

const act = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      write: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 200_000 })),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Act>('next turn') },
  { weight: 2, arbitrary: fc.constant<Act>('visitor has it') },
);
const play = fc.record({
  coding: fc.constantFrom(...CODINGS),
  acts: fc.array(act, { maxLength: 12 }),
  end: fc.constantFrom('whole', 'whole', 'broken', 'left'),
});

describeFaithful('an answer that is compressed', '127.0.2.11', world => {
  it.each(CODINGS)('is the app’s when it is decoded: %s, with a length and in pieces', async coding => {
    for (const size of [10, 1_023, 1_024, 16_384, 16_385, 65_536, 1_000_003]) {
      const body = makeText(size);
      const head = { 'content-type': 'text/plain', etag: '"a"' };
      const ways = [
        (response: ServerResponse) => response.writeHead(200, { ...head, 'content-length': size }).end(body),
        (response: ServerResponse) => {
          response.writeHead(200, head);
          Readable.from([body.subarray(0, size >> 1), body.subarray(size >> 1)]).pipe(response);
        },
      ];
      for (const way of ways) expect(await compareDecoded(world, coding, way)).toBe(size >= 1_024);
    }
  });

  it('keeps its trailers', async () => {
    const body = makeText(5_000);
    await compareDecoded(world, 'gzip', response => {
      response.writeHead(200, { 'content-type': 'text/plain', trailer: 'X-Sum' }).write(body);
      response.addTrailers({ 'X-Sum': '42' });
      response.end();
    });
  });

  it('is the same in random pieces, whoever ends it', async () => {
    let round = 0;
    const property = fc.asyncProperty(play, async ({ coding, acts, end }) => {
      round += 1;
      const results = [];
      for (const door of [world.direct, world.through])
        results.push(await perform(world, door, coding, acts, end, round));
      expect(results[1]).toEqual(results[0]);
    });
    await fc.assert(property, { numRuns: scale(25, 500) });
  });

  it.each([
    ['an event stream', { 'content-type': 'text/event-stream' }],
    ['what the app has encoded', { 'content-encoding': 'x-own', 'content-type': 'text/plain' }],
    ['what must not be transformed', { 'cache-control': 'no-transform', 'content-type': 'text/plain' }],
    ['an image', { 'content-type': 'image/png' }],
  ])('is not compressed, nor changed, if it is %s', async (_, headers) => {
    const body = makeText(5_000);
    world.app.handle((_, response) => void response.writeHead(200, headers).end(body));
    const { body: seen } = await world.compare(async door => {
      const visitor = door.openVisitor();
      const answer = await readAnswer(visitor.request(accepting('gzip, br, zstd')));
      visitor.close();
      return answer;
    });
    expect(seen.bytes).toBe(5_000);
  });
});

/** Has the app act; resolves with what visitor and app saw at the end. */
async function perform(
  world: World,
  door: Door,
  coding: Coding,
  acts: readonly Act[],
  end: string,
  seed: number,
): Promise<unknown> {
  const text = new Noise(seed);
  let sent = '';
  const arrived = Promise.withResolvers<ServerResponse>();
  world.app.handle((_, response) => arrived.resolve(response));
  const visitor = door.openVisitor();
  const exchange = visitor.request(accepting(coding));
  const response = await arrived.promise;
  response.writeHead(200, { 'content-type': 'text/html' }).flushHeaders();
  const watched = new Watched(exchange);
  for (const one of acts) {
    if (one === 'next turn') await nextTurn();
    else if (one === 'visitor has it')
      await waitUntil(() => watched.text.length === sent.length, 'the visitor has it');
    else {
      const piece = text.take(one.write).toString('base64');
      sent += piece;
      response.write(piece);
    }
  }
  if (end === 'whole') response.end();
  else if (end === 'broken') response.destroy();
  else exchange.leave();
  if (end === 'left') await (response.closed || once(response, 'close'));
  else await waitUntil(() => watched.end !== undefined, 'the answer has ended');
  visitor.close();
  const isRight = end === 'whole' ? watched.text === sent : sent.startsWith(watched.text);
  return { end: end === 'left' ? end : watched.end, isRight, complete: response.writableFinished };
}

/** A module whose function `add` adds two numbers, with a section of 3,000 bytes that nobody reads. */
const WASM = Buffer.concat([
  Buffer.from('0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b', 'hex'),
  Buffer.from('00ba170178', 'hex'),
  Buffer.alloc(3_000, 'a'),
]);

describeWithReal(['bore', 'chromium'], 'a browser', () => {
  const closers: (() => unknown)[] = [];
  let exposed: Exposed;
  let page: Page;
  const text = makeText(300_000).toString();

  beforeAll(async () => {
    const app = await startProgrammableApp();
    closers.push(app.stop);
    app.handle((request, response) => {
      const type = request.url === '/app.wasm' ? 'application/wasm' : 'text/html';
      response.writeHead(200, { 'content-type': type }).end(request.url === '/app.wasm' ? WASM : text);
    });
    const ca = new TestCa();
    closers.push(() => ca.remove());
    const identity = ca.issue(['IP:127.0.2.12']);
    exposed = await expose({ port: app.port }, '127.0.2.12', ({ tunnel }) => ({
      tls: identity,
      tunnel: { ...tunnel, publicUrl: 'https://{host}:{port}' },
    }));
    closers.push(exposed.stop);
    const browser = await openBrowser([
      `--ignore-certificate-errors-spki-list=${hashPublicKey(identity.cert)}`,
    ]);
    closers.push(() => browser.close());
    page = await browser.newPage();
    await page.goto(`${exposed.url.href}first`);
  });
  afterAll(async () => {
    for (const close of closers.reverse()) await close();
  });

  it.each(CODINGS)('decodes %s, and has the app’s text', async coding => {
    await page.setExtraHTTPHeaders({ 'Accept-Encoding': coding });
    const seen = await page.evaluate(`(async () => {
      const answer = await fetch('/${coding}', { cache: 'no-store' });
      const text = await answer.text();
      const [entry] = performance.getEntriesByName(answer.url);
      const isSmaller = entry.encodedBodySize < entry.decodedBodySize;
      return { coding: answer.headers.get('content-encoding'), text, isSmaller };
    })()`);
    expect(seen).toEqual({ coding, text, isSmaller: true });
  });

  it('compiles WebAssembly while it loads', async () => {
    const sum = `WebAssembly.instantiateStreaming(fetch('/app.wasm')).then(({ instance }) => instance.exports.add(2, 3))`;
    expect(await page.evaluate(sum)).toBe(5);
  });
});
