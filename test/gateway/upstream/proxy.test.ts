import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  request as sendRequest,
} from 'node:http';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { useClosers } from '../../support/closers.ts';
import { type Door, openDoor, sendRaw } from '../../support/gateway-door.ts';
import { OK, startRawApp } from '../../support/raw-app.ts';

const HEAD = 'Host: bore.example:4321\r\nConnection: close\r\n';
const closers = useClosers();

async function openApp(listener: RequestListener): Promise<Door & { server: Server }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  closers.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  await once(server, 'listening');
  const address = server.address();
  const door = await openDoor(typeof address === 'object' && address !== null ? address.port : 0);
  closers.push(door.stop);
  return Object.assign(door, { server });
}

/** A raw app behind a door; closed after the test. */
async function openRaw(...answer: Parameters<typeof startRawApp>) {
  const app = await startRawApp(...answer);
  const door = await openDoor(app.port);
  closers.push(app.stop, door.stop);
  return { app, door };
}

async function readText(message: IncomingMessage): Promise<string> {
  message.setEncoding('utf8');
  let text = '';
  for await (const chunk of message) text += chunk;
  return text;
}

describe('a request', () => {
  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY'])(
    'arrives with its method, path, query and body: %s',
    async method => {
      const door = await openApp(async (request, response) => {
        response.end(`${request.method} ${request.url} ${await readText(request)}`);
      });
      const request = sendRequest(`${door.url}/a%2fb?c=d`, { method, headers: { 'content-length': 4 } });
      request.end('body');
      const [response] = await once(request, 'response');
      expect(await readText(response)).toBe(`${method} /a%2fb?c=d body`);
    },
  );

  it('reaches the app with the app’s own Host, and without the visitor’s forwarding fields', async () => {
    const { app, door } = await openRaw();
    await sendRaw(
      door.port,
      `GET / HTTP/1.1\r\n${HEAD}X-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\n\r\n`,
    );
    expect(app.seen).toContain(`host: localhost:${app.port}\r\n`);
    expect(app.seen).not.toContain('x-forwarded');
    expect(app.seen).not.toContain('10.0.0.1');
  });

  it('with an upgrade to h2c is served over HTTP/1.1, without that field at the app', async () => {
    const { app, door } = await openRaw();
    const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';
    const answer = await sendRaw(
      door.port,
      `GET / HTTP/1.1\r\nHost: bore.example:4321\r\n${offer}Connection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 200 OK/);
    expect(app.seen.toLowerCase()).not.toMatch(/upgrade|http2-settings/);
  });

  it('is sent once more if the app closes an idle connection at the same moment', async () => {
    const { app, door } = await openRaw(
      (socket, count) => void (count === 1 ? socket.write(OK) : socket.destroy()),
    );
    expect(await (await fetch(door.url)).text()).toBe('ok');
    expect(await (await fetch(`${door.url}/again`)).text()).toBe('ok');
    expect(app.requestLines).toEqual(['GET / HTTP/1.1', 'GET /again HTTP/1.1', 'GET /again HTTP/1.1']);
  });

  it('is never sent twice if its method is not idempotent or it has a body', async () => {
    const { app, door } = await openRaw(socket => socket.destroy());
    expect((await fetch(door.url, { method: 'POST' })).status).toBe(502);
    expect((await fetch(door.url, { method: 'PUT', body: 'x' })).status).toBe(502);
    expect(app.requestLines).toHaveLength(2);
  });

  it('is never sent twice after the app has worked on it', async () => {
    const { app, door } = await openRaw(socket => void setTimeout(() => socket.destroy(), 1_100));
    expect((await fetch(door.url)).status).toBe(502);
    expect(app.requestLines).toHaveLength(1);
  });

  it('ends at the app when the visitor leaves', async () => {
    const door = await openApp((_, response) => response.write('first'));
    const gone = once(door.server, 'request').then(([request]) => once(request.socket, 'close'));
    const visitor = connect(door.port, '127.0.0.1');
    visitor.write(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    await once(visitor, 'data');
    visitor.destroy();
    await gone;
  });

  it('ends at the app when the visitor leaves before any answer', async () => {
    const door = await openApp(() => {});
    const arrived = once(door.server, 'request');
    const visitor = connect(door.port, '127.0.0.1');
    visitor.write(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    const [request] = await arrived;
    const gone = once(request.socket, 'close');
    visitor.destroy();
    await gone;
  });
});

describe('an answer', () => {
  it('is passed on unchanged: status, reason, repeated fields, compressed body', async () => {
    const body = gzipSync('hello').toString('latin1');
    const head = `Content-Encoding: gzip\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: ${body.length}`;
    const { door } = await openRaw(socket =>
      socket.write(`HTTP/1.1 418 Short and stout\r\n${head}\r\n\r\n${body}`, 'latin1'),
    );
    const answer = await sendRaw(door.port, `GET / HTTP/1.1\r\n${HEAD}\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 418 Short and stout\r\n/);
    expect(answer).toContain('Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n');
    expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toBe(body);
  });

  it('keeps its reason if it arrives in two pieces', async () => {
    const { door } = await openRaw(async socket => {
      socket.setNoDelay(true);
      for (const piece of ['HTTP/1.1 404 Not Fo', 'und\r\nContent-Length: 2\r\n\r\nno']) {
        socket.write(piece);
        for (let turn = 0; turn < 3; turn += 1) await nextTurn(); // until the gateway, in the same process, has read it
      }
    });
    expect(await sendRaw(door.port, `GET / HTTP/1.1\r\n${HEAD}\r\n`)).toMatch(/^HTTP\/1.1 404 Not Found\r\n/);
  });

  it('keeps its trailers', async () => {
    const door = await openApp((_, response) => {
      response.writeHead(200, { trailer: 'X-Sum' });
      response.write('body');
      response.addTrailers({ 'X-Sum': '42' });
      response.end();
    });
    const answer = await sendRaw(door.port, `GET / HTTP/1.1\r\n${HEAD}\r\n`);
    expect(answer).toMatch(/trailer: X-Sum\r\n/i);
    expect(answer).toMatch(/0\r\nX-Sum: 42\r\n\r\n$/);
  });

  it('without a body ends with its head: HEAD, 204, 304, with announced trailers or without', async () => {
    const door = await openApp((request, response) => {
      const status = Number(request.url?.slice(1));
      response.writeHead(status, status === 200 ? { 'content-length': 7 } : { etag: '"a"' }).end();
    });
    const ask = (line: string) => sendRaw(door.port, `${line} HTTP/1.1\r\n${HEAD}\r\n`);
    expect(await ask('HEAD /200')).toMatch(/content-length: 7\r\n[\s\S]*\r\n\r\n$/i);
    expect(await ask('GET /204')).toMatch(/^HTTP\/1.1 204 [\s\S]*\r\n\r\n$/);
    expect(await ask('GET /304')).toMatch(/^HTTP\/1.1 304 [\s\S]*\r\n\r\n$/);
    const { door: raw } = await openRaw(socket =>
      socket.write('HTTP/1.1 204 No\r\nTrailer: a\r\nContent-Length: 5\r\n\r\n'),
    );
    expect(await sendRaw(raw.port, `GET / HTTP/1.1\r\n${HEAD}\r\n`)).not.toMatch(/trailer|content-length/i);
  });

  it('in HTTP/1.0 is not chunked, and ends with the connection', async () => {
    const door = await openApp((_, response) => {
      response.write('a');
      response.end('b');
    });
    const answer = await sendRaw(door.port, 'GET / HTTP/1.0\r\nHost: bore.example:4321\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 200 [\s\S]*\r\n\r\nab$/);
    expect(answer).not.toMatch(/transfer-encoding/i);
  });

  it('comes after interim answers, which HTTP/1.0 does not get', async () => {
    const hints =
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\nContent-Length: 5\r\nConnection: x\r\n\r\n';
    const { door } = await openRaw(socket => socket.write(`${hints}HTTP/1.1 102 Processing\r\n\r\n${OK}`));
    expect(await sendRaw(door.port, `GET / HTTP/1.1\r\n${HEAD}\r\n`)).toMatch(
      /^HTTP\/1.1 103 Early Hints\r\nLink: <\/a>\r\nLink: <\/b>\r\n\r\nHTTP\/1.1 102 Processing\r\n\r\nHTTP\/1.1 200 /,
    );
    expect(await sendRaw(door.port, `GET / HTTP/1.0\r\n${HEAD}\r\n`)).toMatch(/^HTTP\/1.1 200 /);
  });

  it('may come after a 100 that nobody asked for, which the visitor does not see', async () => {
    const { door } = await openRaw(socket => socket.write(`HTTP/1.1 100 Continue\r\n\r\n${OK}`));
    const answer = await sendRaw(door.port, `POST / HTTP/1.1\r\n${HEAD}Content-Length: 1\r\n\r\nx`);
    expect(answer).toMatch(/^HTTP\/1.1 200 [\s\S]*\r\n\r\nok$/);
  });

  it('is sent in one write: the head and the first piece', async () => {
    const { door } = await openRaw();
    const writes: string[] = [];
    const visitor = new Duplex({
      read() {},
      writev(chunks, done) {
        writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)).toString('latin1'));
        done();
      },
    });
    closers.push(() => visitor.destroy());
    door.gateway.accept(visitor);
    visitor.push('GET / HTTP/1.1\r\nHost: bore.example:4321\r\n\r\n');
    await vi.waitFor(() => expect(writes.join('')).toMatch(/ok$/), { timeout: 10_000 });
    expect(writes).toEqual([expect.stringMatching(/^HTTP\/1.1 200 OK\r\n[\s\S]*\r\n\r\nok$/)]);
  });

  it('delivers server-sent events one by one, the head before the first', async () => {
    let send: (text: string) => void = () => {};
    const door = await openApp((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      send = text => void response.write(text);
    });
    const response = await fetch(door.url);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    closers.push(() => reader?.cancel());
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      send(event);
      expect((await reader?.read())?.value).toBe(event);
    }
  });

  it('stays in the app while the visitor does not read', async () => {
    const piece = Buffer.alloc(1 << 20);
    let written = 0;
    const door = await openApp((_, response) => {
      const fill = () => {
        while (written < 200 && response.write(piece)) written += 1;
        written += 1;
      };
      response.on('drain', fill);
      fill();
    });
    const visitor = connect(door.port, '127.0.0.1');
    visitor.pause().write(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    const [request] = await once(door.server, 'request');
    await vi.waitFor(() => expect(request.socket.writableNeedDrain).toBe(true), { timeout: 10_000 });
    const stalled = await settle(() => written);
    expect(stalled).toBeLessThan(64);
    visitor.destroy();
  });

  it('that breaks off does not look complete', async () => {
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n';
    const { door } = await openRaw(socket => socket.write(chunked, () => socket.destroy()));
    const answer = await sendRaw(door.port, `GET / HTTP/1.1\r\n${HEAD}\r\n`);
    expect(answer).not.toContain('0\r\n\r\n');
    await expect(fetch(door.url).then(response => response.text())).rejects.toThrow();
  });

  it.each([
    ['not HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', 'could not be understood'],
    [
      'a switch of protocols that was not requested',
      'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
      '',
    ],
    ['only half a head', 'HTTP/1.1 200 OK\r\nContent-', 'closed the connection without an answer'],
  ])('that is %s becomes a 502', async (_, bytes, words) => {
    const { app, door } = await openRaw(socket => socket.end(bytes));
    const response = await fetch(door.url);
    expect(response.status).toBe(502);
    expect(app.requestLines).toHaveLength(1);
    expect(response.headers.get('retry-after')).toBe('5');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.text()).toContain(words);
  });
});

describe('an answer that is not valid HTTP', () => {
  const ok = 'Content-Length: 2\r\n\r\nok';
  it.each([
    ['bare line feeds', `HTTP/1.1 200 OK\n${ok}`, 'without CR LF'],
    ['one bare line feed', `HTTP/1.1 200 OK\r\nA: b\n${ok}`, 'without CR LF'],
    ['a space in a name', `HTTP/1.1 200 OK\r\nA b: c\r\n${ok}`, 'header line that is not valid'],
    ['no colon', `HTTP/1.1 200 OK\r\nnonsense\r\n${ok}`, 'header line that is not valid'],
    ['two lengths', `HTTP/1.1 200 OK\r\nContent-Length: 3\r\n${ok}`, 'two Content-Length fields'],
    ['the same length twice', `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${ok}`, 'two Content-Length fields'],
    ['a length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok', 'not a number'],
    [
      'a coding before a length',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${ok}`,
      'both Content-Length and Transfer-Encoding',
    ],
    [
      'a length before a coding',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'both Content-Length and Transfer-Encoding',
    ],
    ['a head over 64 KB', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(70_000)}\r\n${ok}`, 'longer than 64 KB'],
    ['another version', `HTTP/2 200 OK\r\n${ok}`, 'another version'],
    ['an odd status', `HTTP/1.1 99 OK\r\n${ok}`, 'its status is not'],
    ['a CGI script', `Content-Type: text/html\r\n\r\nok`, 'no status line'],
    ['HTML alone', '<html>hello</html>', 'begins with "<html>hello</html>"'],
    ['a TLS alert', '\x15\x03\x01\x00\x02\x02\x46', 'speaks TLS'],
    ['HTTP/2 alone', '\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80', 'speaks HTTP/2 only'],
    ['SSH', 'SSH-2.0-OpenSSH_9.6\r\n', 'speaks SSH'],
    ['MySQL', 'J\0\0\0\n8.0.36\0', 'speaks MySQL'],
    ['Redis', "-ERR unknown command 'GET'\r\n", 'speaks Redis'],
    ['hostile text', '::error::\x1b[31m<b>', 'begins with "'],
  ])('is a 502 that says what was wrong, and what to do: %s', async (_, bytes, problem) => {
    const { app, door } = await openRaw(socket => socket.end(bytes, 'latin1'));
    const response = await fetch(door.url);
    expect(response.status).toBe(502);
    const text = await response.text();
    expect(text).toContain('The app answered, but not with valid HTTP.');
    expect(text.split('\n')[1]).toMatch(/^What it sent could not be understood as an HTTP answer: \S.*\.$/);
    expect(text).toContain(problem);
    expect(text.split('\n')[2]).toMatch(/^[A-Z].*\.$/);
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f]|^::/m);
    expect(app.requestLines).toHaveLength(1);
  });
});

/** Resolves with the value once it has not changed for ten reads in a row. */
async function settle(read: () => number): Promise<number> {
  let [last, same] = [read(), 0];
  await vi.waitFor(
    () => {
      same = read() === last ? same + 1 : 0;
      last = read();
      expect(same).toBeGreaterThanOrEqual(10);
    },
    { timeout: 10_000, interval: 20 },
  );
  return last;
}
