import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  request as sendRequest,
} from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import type { VisitorLimits } from '../../../src/gateway/downstream/visitor-server.ts';
import { useClosers } from '../../support/closers.ts';
import { type Door, openDoor, sendRaw } from '../../support/gateway-door.ts';
import { OPEN_GATEWAY } from '../../support/open-gateway.ts';

const closers = useClosers();

async function openApp(
  app: RequestListener | Server,
  limits: Partial<VisitorLimits> = {},
): Promise<Door & { server: Server }> {
  const server = (typeof app === 'function' ? createServer(app) : app).listen(0, '127.0.0.1');
  closers.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const door = await openDoor(port, { limits, rules: { ...OPEN_GATEWAY, maxBodyBytes: 1 << 30 } });
  closers.push(door.stop);
  return Object.assign(door, { server });
}

async function hashBody(message: IncomingMessage): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of message) hash.update(chunk);
  return hash.digest('hex');
}

async function readText(message: IncomingMessage): Promise<string> {
  return (await message.setEncoding('latin1').toArray()).join('');
}

/** The peak resident memory of the process, in bytes (proc(5)). */
function readPeakMemory(pid: number | undefined): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1024;
}

/** `count` pieces of 1 MiB, produced only as fast as they are read. */
function makeUpload(piece: Buffer, count: number, onPiece: (index: number) => void = () => {}): Readable {
  return Readable.from(
    (function* () {
      for (let index = 0; index < count; index += 1) {
        onPiece(index);
        yield piece;
      }
    })(),
    { objectMode: false },
  );
}

describe('an upload', () => {
  const piece = randomBytes(1 << 20);

  it.each(['with a length', 'in chunks'])('of 100 MB arrives complete: %s', async kind => {
    const door = await openApp(async (request, response) => response.end(await hashBody(request)));
    const expected = createHash('sha256');
    for (let index = 0; index < 100; index += 1) expected.update(piece);
    const headers = kind === 'in chunks' ? {} : { 'content-length': 100 * piece.length };
    const request = sendRequest(door.url, { method: 'POST', headers });
    makeUpload(piece, 100).pipe(request);
    const [response] = await once(request, 'response');
    expect(await readText(response)).toBe(expected.digest('hex'));
  });

  it.runIf(process.platform === 'linux')('needs no more memory if it is longer', async () => {
    const { server } = await openApp(async (request, response) => response.end(await hashBody(request)));
    const address = server.address();
    const appPort = typeof address === 'object' && address !== null ? address.port : 0;
    const script = fileURLToPath(new URL('../../support/gateway-child.ts', import.meta.url));
    const child = spawn(process.execPath, [script, String(appPort)], { stdio: ['pipe', 'pipe', 'inherit'] });
    closers.push(() => child.kill());
    const [port] = await once(child.stdout, 'data');
    const upload = async (megabytes: number) => {
      const request = sendRequest(`http://127.0.0.1:${String(port).trim()}`, { method: 'POST' });
      makeUpload(piece, megabytes).pipe(request);
      const [response] = await once(request, 'response');
      await readText(response);
      return readPeakMemory(child.pid);
    };
    const peaks = [await upload(50), await upload(400)];
    expect(Number(peaks[1]) - Number(peaks[0])).toBeLessThan(100 << 20);
  });

  it('is read only as fast as the app reads it', async () => {
    const door = await openApp(() => {});
    let made = 0;
    const request = sendRequest(door.url, { method: 'POST' });
    request.on('error', () => {});
    makeUpload(piece, 200, index => {
      made = index;
    }).pipe(request);
    await once(door.server, 'request');
    let [last, same] = [-1, 0];
    await vi.waitFor(
      () => {
        same = made === last ? same + 1 : 0;
        last = made;
        expect(same).toBeGreaterThanOrEqual(10);
      },
      { timeout: 20_000, interval: 20 },
    );
    expect(made).toBeLessThan(64);
    request.destroy();
  });

  it('ends at the app if the visitor leaves in the middle', async () => {
    const door = await openApp(request => void request.resume().on('error', () => {}));
    const visitor = connect(door.port, '127.0.0.1');
    visitor.write('POST / HTTP/1.1\r\nHost: bore.example:4321\r\nContent-Length: 100\r\n\r\nfirst');
    const [request] = await once(door.server, 'request');
    const gone = new Promise(resolve => request.once('close', resolve));
    visitor.destroy();
    await gone;
    expect(request.complete).toBe(false);
  });

  it('may be answered before its end: the visitor gets the answer, and can send the rest', async () => {
    const door = await openApp((_, response) => response.writeHead(413).end('too much'));
    const visitor = connect(door.port, '127.0.0.1').setEncoding('latin1');
    closers.push(() => visitor.destroy());
    let answer = '';
    visitor.on('data', chunk => {
      answer += chunk;
    });
    visitor.write(
      `POST / HTTP/1.1\r\nHost: bore.example:4321\r\nContent-Length: ${2 * piece.length}\r\n\r\n`,
    );
    visitor.write(piece);
    await once(visitor, 'data');
    makeUpload(piece, 1).pipe(visitor);
    await once(visitor, 'finish');
    expect(answer).toMatch(/^HTTP\/1.1 413 [\s\S]*too much/);
  });

  it('that continues long after its answer is cut off', async () => {
    const door = await openApp((_, response) => response.end('enough'), { lingerMs: 50 });
    const answer = await sendRaw(
      door.port,
      'POST / HTTP/1.1\r\nHost: bore.example:4321\r\nContent-Length: 1000\r\n\r\nfirst',
    );
    expect(answer).toMatch(/^HTTP\/1.1 200 [\s\S]*enough$/);
  });

  it('leaves the connection usable for the next request', async () => {
    const door = await openApp(async (request, response) =>
      response.end(`${request.url} ${await hashBody(request)}`),
    );
    const head = 'POST /1 HTTP/1.1\r\nHost: bore.example:4321\r\nTransfer-Encoding: chunked\r\n\r\n';
    const body = '5\r\nhello\r\n0\r\nX-Trailer: lost\r\n\r\n';
    const answer = await sendRaw(
      door.port,
      `${head}${body}GET /2 HTTP/1.1\r\nHost: bore.example:4321\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toContain(`/1 ${createHash('sha256').update('hello').digest('hex')}`);
    expect(answer).toContain(`/2 ${createHash('sha256').digest('hex')}`);
  });
});

describe('Expect: 100-continue', () => {
  const ask = { method: 'POST', headers: { expect: '100-continue', 'content-length': 5 } };

  it('is answered with 100 when the app is connected', async () => {
    let expectation: string | undefined = 'unknown';
    const door = await openApp(async (request, response) => {
      expectation = request.headers.expect;
      response.end(await hashBody(request));
    });
    const request = sendRequest(door.url, ask);
    request.flushHeaders();
    await once(request, 'continue');
    request.end('hello');
    const [response] = await once(request, 'response');
    expect(await readText(response)).toBe(createHash('sha256').update('hello').digest('hex'));
    expect(expectation).toBeUndefined();
  });

  it('gets the final answer without the body if the app is not running', async () => {
    const door = await openDoor(() => ({ status: 'starting' }), { limits: { lingerMs: 50 } });
    closers.push(door.stop);
    const answer = await sendRaw(
      door.port,
      'POST / HTTP/1.1\r\nHost: bore.example:4321\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1.1 503 /);
    expect(answer).not.toContain('100 Continue');
  });

  it('is the only expectation that is accepted', async () => {
    const door = await openApp((_, response) => response.end());
    const answer = await sendRaw(
      door.port,
      'GET / HTTP/1.1\r\nHost: bore.example:4321\r\nExpect: 42\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1.1 417 /);
  });
});
