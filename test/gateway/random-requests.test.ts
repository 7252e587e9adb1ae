// Random bytes that are almost requests, many on a connection and in unusual packets. The app must never see a request
// that the gateway did not count, and no connection may stay open. EXPOSE_FUZZ_RUNS sets the number of requests.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessRules } from '../../src/gateway/access/access.ts';
import { useClosers } from '../support/closers.ts';
import { openDoor } from '../support/gateway-door.ts';
import { scale } from '../support/scale.ts';
import { waitUntil } from '../support/wait-until.ts';

const REQUESTS = Number(process.env.EXPOSE_FUZZ_RUNS ?? scale(20_000, 100_000));
/** Connections at a time. */
const WIDTH = 8;

const LINK: AccessRules = {
  access: { kind: 'link', key: 'K3y-of-this-preview_0123456789' },
  publicPaths: [],
};
const HOST = 'Host: bore.example:4321\r\n';
const END = `GET //end HTTP/1.1\r\n${HOST}\r\n`;

const method = fc.constantFrom(
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'PROPFIND',
  'QUERY',
);
const target = fc.constantFrom(
  '/',
  '/a?b=c',
  '/%2e%2e/x',
  '/a;b',
  '/a\\b',
  '/x?expose-key=no',
  '/__expose/x',
);
const field = fc.constantFrom(
  ...[
    'Accept: text/html',
    'Cookie: a=b; expose-session-1=x',
    'Authorization: Bearer no',
    'X-Odd:\t\xff ',
    'Empty:',
  ],
  ...[
    'Origin: null',
    'Connection: keep-alive, x-odd',
    'TE: trailers',
    'Upgrade: h2c',
    'Referer: /?expose-key=no',
  ],
);
const text = fc.string({ unit: 'binary-ascii', maxLength: 30 });
const head = fc
  .tuple(method, target, fc.array(field, { maxLength: 4 }))
  .map(
    ([verb, path, fields]) =>
      `${verb} ${path} HTTP/1.1\r\n${HOST}${fields.map(one => `${one}\r\n`).join('')}`,
  );
const sized = fc
  .tuple(head, text)
  .map(([start, body]) => `${start}Content-Length: ${body.length}\r\n\r\n${body}`);
const chunked = fc
  .tuple(
    head,
    fc.array(
      text.filter(chunk => chunk !== ''),
      { maxLength: 3 },
    ),
  )
  .map(
    ([start, chunks]) =>
      `${start}Transfer-Encoding: chunked\r\n\r\n${chunks.map(renderChunk).join('')}0\r\n\r\n`,
  );
const good = fc.oneof({ weight: 4, arbitrary: head.map(start => `${start}\r\n`) }, sized, chunked);
const CRUMBS = [
  ...[
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    ' ',
    '\t',
    '\0',
    ':',
    ';',
    ',',
    '_',
    '#',
    '//',
    '\x7f',
    '\xff',
    '0',
    '5',
    'f',
  ],
  ...[
    'HTTP/1.0',
    'HTTP/0.9',
    'HTTP/2.0',
    'CONNECT ',
    'http://evil',
    'Content-Length: 5\r\n',
    'Content_Length: 1\r\n',
  ],
  ...[
    'Transfer-Encoding: chunked\r\n',
    'Transfer-Encoding: x\r\n',
    HOST,
    'Host: evil\r\n',
    '0\r\n\r\n',
    '5;a=b\r\n',
  ],
  ...['Expect: 100-continue\r\n', 'Connection: close\r\n', 'GET /in HTTP/1.1\r\n'],
  ...['Connection: Upgrade\r\nUpgrade: websocket\r\n', 'Connection: Upgrade\r\nUpgrade: h2c\r\n'],
];
/** Inserts a fragment somewhere, or overwrites some bytes with it. */
const broken = fc
  .tuple(good, fc.constantFrom(...CRUMBS), fc.nat(), fc.nat({ max: 4 }))
  .map(([bytes, crumb, at, cut]) => {
    const from = at % (bytes.length + 1);
    return bytes.slice(0, from) + crumb + bytes.slice(from + cut);
  });
const piece = fc.oneof({ weight: 80, arbitrary: good }, { weight: 2, arbitrary: broken });
const makeConnection = (length: number) =>
  fc.record({
    pieces: fc.array(piece, { minLength: length, maxLength: length, size: 'max' }),
    packet: fc.integer({ min: 1, max: 3_000 }),
  });

const closers = useClosers();

describe('request smuggling: random requests', () => {
  it.each([
    // Nothing is read after a refusal: more pieces on a connection would be useless.
    ['an open preview', undefined, 40],
    ['a visitor without the key', LINK, 2],
  ])(
    'never let the app see one that was not counted, and leave nothing behind: %s',
    async (_, rules, length) => {
      const app = await startLenientApp();
      const door = await openDoor(app.port, rules === undefined ? {} : { rules });
      closers.push(app.stop, door.stop);
      const connection = makeConnection(length);
      const before = countSockets();
      let sent = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(connection, { minLength: WIDTH, maxLength: WIDTH, size: 'max' }),
          async batch => {
            await Promise.all(
              batch.map(({ pieces, packet }) => converse(door.port, [...pieces, END].join(''), packet)),
            );
            sent += batch.length * length;
            // The counts are over all batches, because a request may reach the app only during the next batch.
            expect(app.requests).toBeLessThanOrEqual(door.gateway.visits);
          },
        ),
        { numRuns: Math.ceil(REQUESTS / length / WIDTH), endOnFailure: true },
      );
      const accepted = door.gateway.visits;
      // A connection ends after an upgrade that was not accepted, so most pieces are never read.
      if (rules === undefined) expect(accepted).toBeGreaterThan(sent / 20);
      else expect([app.connections, accepted]).toEqual([0, 0]);
      // The app may see a request that breaks off, because its visitor left; bytes that are not HTTP would be a bug.
      expect(app.problems).toEqual([]);
      // An exception in the gateway would have been logged; nothing that visitors send may cause one.
      expect(door.log.filter(line => !line.startsWith('debug'))).toEqual([]);
      await door.stop();
      await app.stop();
      await waitUntil(() => countSockets() <= before, 'every connection is gone');
    },
    600_000,
  );
});

/** Node's parser at its most lenient: it finds any smuggled request. */
async function startLenientApp() {
  const seen = { requests: 0, connections: 0, problems: [] as string[] };
  const server = createServer({ insecureHTTPParser: true, requireHostHeader: false }, (request, response) => {
    seen.requests += 1;
    request.resume();
    response.end('ok');
  });
  server.on('connection', () => {
    seen.connections += 1;
  });
  server.on('upgrade', (_, socket) => {
    seen.requests += 1;
    socket.on('error', () => {});
    socket.end('HTTP/1.1 400 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  });
  server.on('clientError', (error, socket) => {
    if ('code' in error && String(error.code).startsWith('HPE_') && error.code !== 'HPE_INVALID_EOF_STATE')
      seen.problems.push(String(error.code));
    socket.destroy();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const stop = async () => {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  };
  return Object.assign(seen, { port: (server.address() as AddressInfo).port, stop });
}

function renderChunk(chunk: string): string {
  return `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
}

function countSockets(): number {
  return process.getActiveResourcesInfo().filter(name => name === 'TCPSocketWrap').length;
}

/**
 * Sends the bytes in packets of that size, and waits for the end of the connection, because the last request is
 * refused.
 */
async function converse(port: number, bytes: string, packet: number): Promise<void> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  let hung = false;
  const timer = setTimeout(() => {
    hung = true;
    socket.destroy();
  }, 30_000);
  const closed = new Promise(resolve => socket.once('close', resolve));
  // The gateway closed it while we were still sending.
  socket.on('error', () => {});
  socket.resume();
  for (let at = 0; at < bytes.length; at += packet) socket.write(bytes.slice(at, at + packet), 'latin1');
  await closed;
  clearTimeout(timer);
  if (hung) throw new Error(`still open: ${JSON.stringify(bytes)}`);
}
