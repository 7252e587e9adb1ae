// The curl command that the inspector copies: run by a shell, it sends the same request.

import { execFile } from 'node:child_process';
import { createServer, type Socket } from 'node:net';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { renderCurl } from '../../../src/control/inspector/browser/curl.ts';
import { listen } from '../../support/listen.ts';
import { scale } from '../../support/scale.ts';

const run = promisify(execFile);

/** A server that answers each request with 204; `seen` is the last one, byte for byte (Latin-1). */
async function startServer(): Promise<{ base: string; last(): string }> {
  let seen = '';
  const server = createServer((socket: Socket) => {
    seen = '';
    socket.setEncoding('latin1').on('data', (data: string) => {
      seen += data;
      if (isWhole(seen)) socket.end('HTTP/1.1 204 No Content\r\n\r\n');
    });
    socket.on('error', () => {});
  });
  const port = await listen(server);
  onTestFinished(() => void server.close());
  return { base: `http://127.0.0.1:${port}`, last: () => seen };
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? 0);
  return end >= 0 && text.length >= end + 4 + length;
}

interface Sent {
  method: string;
  target: string;
  headers: [string, string][];
  body: Buffer;
}

function toMessage({ body, ...rest }: Sent) {
  const text = body.toString('utf8');
  const isText = Buffer.from(text).equals(body);
  return {
    ...rest,
    body: isText ? text : body.toString('base64'),
    body_encoding: isText ? ('utf8' as const) : ('base64' as const),
  };
}

/** First line, fields apart from those of the connection, and body. */
function readSeen(seen: string) {
  const end = seen.indexOf('\r\n\r\n');
  const [first = '', ...fields] = seen.slice(0, end).split('\r\n');
  const kept = fields.filter(field => !/^(host|content-length|expect|connection):/i.test(field));
  return { first, fields: kept, body: Buffer.from(seen.slice(end + 4), 'latin1') };
}

async function replay(sent: Sent) {
  const server = await startServer();
  // A POSIX shell, such as dash. The command may be longer than an argument.
  const shell = run('sh', { env: { PATH: process.env.PATH } });
  shell.child.stdin?.end(renderCurl(toMessage(sent), server.base));
  await shell;
  return readSeen(server.last());
}

function expectedOf({ method, target, headers, body }: Sent) {
  return {
    first: `${method} ${target} HTTP/1.1`,
    fields: headers.map(([name, value]) => (value === '' ? `${name}:` : `${name}: ${value}`)),
    body,
  };
}

it.each<[string, Partial<Sent>]>([
  ['text with quotes, dollars and newlines', { body: Buffer.from(`it's "$HOME" \`id\` \\n\n\n@file é 😀`) }],
  ['a body that begins like the name of a file', { body: Buffer.from('@/etc/passwd') }],
  ['bytes that are no text', { body: Buffer.from([0, 255, 13, 10, 39, 92, 0]) }],
  ['text with NUL and escape characters', { body: Buffer.from('a\0b\x1b[31mc') }],
  ['text that is too long for an argument', { body: Buffer.from("it's long\n".repeat(30_000)) }],
  ['a GET', { method: 'GET', body: Buffer.alloc(0) }],
  ['a GET with a body', { method: 'GET', body: Buffer.from('x') }],
  ['a POST without a body', { method: 'POST', body: Buffer.alloc(0) }],
  ['a HEAD', { method: 'HEAD', body: Buffer.alloc(0) }],
  ['a target with dots, brackets and a fragment', { target: "/a/../b/./{c}[1-3]?x=$y&z='q'#part" }],
  [
    'header fields that are empty, come twice, or hold quotes and bytes beyond ASCII',
    {
      headers: [
        ['X-Empty', ''],
        ['x-twice', '1'],
        ['X-Twice', `'2' "$3" %s \\`],
        ['X-Name', 'caf\xe9 1'],
        ['Content-Type', 'text/plain'],
      ],
    },
  ],
])('sends %s as it came', async (_, changes) => {
  const sent: Sent = {
    method: 'POST',
    target: '/hooks?a=b',
    headers: [],
    body: Buffer.from('x'),
    ...changes,
  };
  expect(await replay(sent)).toEqual(expectedOf(sent));
});

it('sends any bytes in body, target and header fields as they came', async () => {
  const visible = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map(code => String.fromCharCode(code)),
  });
  const value = fc
    .string({ unit: fc.constantFrom(...`aZ0 '"\\$\`%!*?;&|<>(){}[]~#=:,@-\xe9\xff\x80`), maxLength: 40 })
    .map(text => text.trim());
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)),
    fc.string({ unit: 'binary', maxLength: 200 }).map(text => Buffer.from(text)),
  );
  const request = fc.record({
    method: fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE', 'GET'),
    target: visible.map(text => `/${text}`),
    headers: fc.array(fc.tuple(fc.constantFrom('X-A', 'x-b', 'Content-Type', 'User-Agent'), value), {
      maxLength: 5,
    }),
    body,
  });
  await fc.assert(
    fc.asyncProperty(request, async sent => {
      expect(await replay(sent)).toEqual(expectedOf(sent));
    }),
    { numRuns: scale(15, 1_000) },
  );
});
