// Connections to the app serve one request after the other, of different visitors: what one of them left behind must never
// reach the next. The app writes exact bytes at exact moments.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDoor, runningOn, sendRaw } from '../../support/gateway-door.ts';
import { listen } from '../../support/listen.ts';
import { OK, startRawApp } from '../../support/raw-app.ts';
import { readAnswers } from '../../support/read-answers.ts';
import { readRequests } from '../../support/read-requests.ts';
import { HOST, letRead, type Scripted, startScripted } from '../../support/scripted-app.ts';
import { waitUntil } from '../../support/wait-until.ts';

let scripted: Scripted;
beforeEach(async () => {
  scripted = await startScripted();
});
afterEach(() => scripted.stop());

const EVIL = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';
const sized = (body: string, fields = '') =>
  `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
const chunked = (body: string) =>
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

/** What a visitor of its own gets: `200 body`, or `200 body…` if that is not whole. */
async function ask(path: string, method = 'GET', more = ''): Promise<string> {
  const bytes = `${method} ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n${more}`;
  const received = await sendRaw(scripted.door.port, more.endsWith('\r\n\r\n') ? bytes : `${bytes}\r\n`);
  const { answers, rest } = readAnswers(received, [method]);
  expect(rest).toBe('');
  const [answer] = answers;
  return answer === undefined ? 'nothing' : `${answer.status} ${answer.body}${answer.isWhole ? '' : '…'}`;
}

/** The path of the last request on a connection. */
const readPath = (socket: Socket) => lastPaths.get(socket) ?? '';
const lastPaths = new WeakMap<Socket, string>();

/** Answers each request by its path. */
function answerPaths(answer: (socket: Socket, path: string) => unknown): void {
  scripted.answer = (socket, count) => {
    const index = sockets.includes(socket) ? sockets.indexOf(socket) : sockets.push(socket) - 1;
    const line = scripted.app.streams[index]?.match(/^[A-Z]+ \S+ HTTP\/1\.1\r$/gm)?.[count - 1] ?? '';
    lastPaths.set(socket, line.split(' ')[1] ?? '');
    return answer(socket, readPath(socket));
  };
}
let sockets: Socket[] = [];
beforeEach(() => {
  sockets = [];
});

describe('bytes behind an answer', () => {
  it.each([
    ['a length', 'GET', sized('first'), '200 first'],
    ['no bytes of body', 'GET', sized(''), '200 '],
    ['chunks', 'GET', chunked('first'), '200 first'],
    ['a head alone: HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', '200 '],
    ['a head alone: HEAD of chunks', 'HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '200 '],
    ['a head alone: 204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n', '204 '],
    ['a head alone: 304', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', '304 '],
    ['an error', 'GET', 'HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno', '500 no'],
  ])(
    'are never the answer to the next request, in the same packet or another: %s',
    async (_, method, answer, seen) => {
      for (const behind of [
        EVIL,
        '\r\n'.repeat(3) + EVIL,
        'HTTP/1.1 100 Continue\r\n\r\n',
        'evil',
        '0\r\n\r\n',
      ])
        for (const isLater of [false, true]) {
          const sent = Promise.withResolvers<void>();
          answerPaths(async (socket, path) => {
            if (path === '/second') return void socket.write(sized('second'));
            socket.write(isLater ? answer : answer + behind);
            await letRead();
            if (isLater) socket.write(behind);
            await letRead();
            sent.resolve();
          });
          expect(await ask('/first', method)).toBe(seen);
          await sent.promise;
          expect(await ask('/second')).toBe('200 second');
        }
    },
  );

  it('that belong to a body which HEAD, 204 and 304 must not have are never an answer', async () => {
    for (const [method, line] of [
      ['HEAD', 'HTTP/1.1 200 OK'],
      ['GET', 'HTTP/1.1 204 No Content'],
      ['GET', 'HTTP/1.1 304 Not Modified'],
    ] as const) {
      answerPaths(async (socket, path) => {
        if (path === '/second') socket.write(sized('second'));
        else socket.write(`${line}\r\nContent-Length: ${EVIL.length}\r\n\r\n${EVIL}`);
      });
      expect((await ask('/first', method)).slice(4)).toBe('');
      expect(await ask('/second')).toBe('200 second');
    }
  });

  it('may be empty lines at most: the connection is as good as before, or another is used', async () => {
    answerPaths((socket, path) => socket.write(`${sized(path)}\r\n`));
    for (const path of ['/1', '/2', '/3']) expect(await ask(path)).toBe(`200 ${path}`);
  });
});

describe('a connection that nobody uses at the moment', () => {
  it.each([
    [
      'a time-out of the app',
      'HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
    ],
    ['a whole answer', EVIL],
    ['half an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nevil'],
    ['an interim answer', 'HTTP/1.1 103 Early Hints\r\nX-Evil: evil\r\n\r\n'],
    ['other bytes', 'evil'],
  ])('is given up if the app sends on it: %s', async (_, bytes) => {
    for (const end of ['keeps', 'ends']) {
      answerPaths((socket, path) => socket.write(sized(path)));
      expect(await ask('/1')).toBe('200 /1');
      const [idle] = sockets.slice(-1);
      if (end === 'ends') idle?.end(bytes);
      else idle?.write(bytes);
      await letRead();
      await letRead();
      expect(await ask('/2')).toBe('200 /2');
      await waitUntil(
        () => idle?.readableEnded === true || idle?.destroyed === true,
        'the gateway closes it',
      );
    }
  });

  it.each(['ends', 'resets'])('is not used again after the app %s it', async how => {
    answerPaths((socket, path) => socket.write(sized(path)));
    for (let round = 1; round <= 5; round += 1) {
      expect(await ask(`/${round}`, 'POST', 'Content-Length: 0\r\n')).toBe(`200 /${round}`);
      const [idle] = sockets.slice(-1);
      if (how === 'ends') idle?.end();
      else idle?.resetAndDestroy();
      await waitUntil(() => idle?.destroyed === true, 'it is closed');
      await letRead();
    }
    expect(scripted.app.requestLines).toHaveLength(5);
    expect(scripted.app.connections).toBe(5);
  });

  it('is not used again after the app has ended it in the packet of its answer', async () => {
    answerPaths((socket, path) => socket.end(sized(path)));
    for (let round = 1; round <= 5; round += 1)
      expect(await ask(`/${round}`, 'POST', 'Content-Length: 0\r\n')).toBe(`200 /${round}`);
    expect(scripted.app.requestLines).toHaveLength(5);
  });

  it.each([
    ['Connection: close', 'HTTP/1.1', 'Connection: close\r\n'],
    ['Connection: close among others, in another case', 'HTTP/1.1', 'connection: x, CLOSE\r\n'],
    ['HTTP/1.0', 'HTTP/1.0', ''],
  ])('is closed if the answer says so: %s', async (_, version, fields) => {
    answerPaths((socket, path) => socket.write(sized(path, fields).replace('HTTP/1.1', version)));
    expect(await ask('/1')).toBe('200 /1');
    await waitUntil(() => sockets[0]?.readableEnded === true, 'the gateway ends it');
    expect(await ask('/2')).toBe('200 /2');
    expect(scripted.app.connections).toBe(2);
  });

  it.each([
    ['HTTP/1.1 says nothing', ''],
    ['HTTP/1.1 says keep-alive', 'Connection: keep-alive\r\n'],
    ['HTTP/1.1 names a long time', 'Keep-Alive: timeout=60, max=100\r\n'],
  ])('is used again if %s', async (_, fields) => {
    answerPaths((socket, path) => socket.write(sized(path, fields)));
    for (const path of ['/1', '/2', '/3']) expect(await ask(path)).toBe(`200 ${path}`);
    expect(scripted.app.connections).toBe(1);
  });

  it('is closed before the app does so, if the app says when: Keep-Alive: timeout=1', async () => {
    const ended: string[] = [];
    answerPaths(socket => {
      socket.write(sized('ok', 'Connection: keep-alive\r\nKeep-Alive: timeout=1\r\n'));
      const timer = setTimeout(() => ended.push('the app'), 1_000);
      socket.once('end', () => {
        clearTimeout(timer);
        ended.push('the gateway');
      });
    });
    expect(await ask('/1')).toBe('200 ok');
    await waitUntil(() => ended.length > 0, 'somebody ends it');
    expect(ended).toEqual(['the gateway']);
  });
});

describe('a request', () => {
  it.each(['GET', 'HEAD', 'OPTIONS', 'DELETE'])(
    'is sent a second time, and not more often, if the app breaks the connection: %s',
    async method => {
      answerPaths(socket => void socket.resetAndDestroy());
      expect(await ask('/', method)).toMatch(/^502 /);
      expect(scripted.app.requestLines).toHaveLength(2);
    },
  );

  it.each([
    ['POST', 'Content-Length: 0\r\n'],
    ['PATCH', ''],
    ['POST', 'Content-Length: 4\r\n\r\nbody\r\n\r\n'],
    ['PUT', 'Content-Length: 4\r\n\r\nbody\r\n\r\n'],
    ['DELETE', 'Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n'],
  ])(
    'is sent once if it must not be repeated, also on a connection used before: %s, %j',
    async (method, more) => {
      answerPaths((socket, path) => (path === '/1' ? socket.write(OK) : socket.resetAndDestroy()));
      expect(await ask('/1')).toBe('200 ok');
      expect(await ask('/2', method, more)).toMatch(/^502 /);
      expect(scripted.app.requestLines.slice(1)).toEqual([`${method} /2 HTTP/1.1`]);
    },
  );

  it('has a connection of its own while it lasts: each answer goes to the visitor who asked', async () => {
    const open = new Map<Socket, number>();
    let most = 0;
    answerPaths(async (socket, path) => {
      open.set(socket, (open.get(socket) ?? 0) + 1);
      most = Math.max(most, ...open.values());
      for (let turns = (path.length * 7) % 13; turns > 0; turns -= 1) await letRead();
      open.set(socket, (open.get(socket) ?? 0) - 1);
      socket.write(path.length % 2 === 0 ? sized(path) : chunked(path));
    });
    const paths = Array.from({ length: 80 }, (_, index) => `/${'x'.repeat(index % 11)}${index}`);
    const waiting = [...paths];
    const visitors = Array.from({ length: 16 }, async () => {
      for (let path = waiting.shift(); path !== undefined; path = waiting.shift())
        expect(await ask(path)).toBe(`200 ${path}`);
    });
    await Promise.all(visitors);
    expect(most).toBe(1);
    expect(scripted.app.connections).toBeLessThanOrEqual(17);
  });

  it('gets a whole answer or a 502 from an app that answers every connection before it has read anything', async () => {
    const server = createServer(socket => {
      socket
        .on('error', () => {})
        .end('HTTP/1.1 503 Full\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfull');
    });
    const door = await openDoor(await listen(server));
    for (let round = 0; round < 10; round += 1) {
      const method = round % 2 === 0 ? 'GET' : 'POST';
      const bytes = await sendRaw(
        door.port,
        `${method} / HTTP/1.1\r\n${HOST}Connection: close\r\nContent-Length: 0\r\n\r\n`,
      );
      const [answer] = readAnswers(bytes, [method]).answers;
      expect(answer?.isWhole).toBe(true);
      expect([`503 full`, `502 ${answer?.body}`]).toContain(`${answer?.status} ${answer?.body}`);
    }
    await door.stop();
    server.close();
  });
});

describe('an app that listens at another port from now on', () => {
  it('gets the next request there; requests under way at the old one end, and its connections too', async () => {
    const other = await startRawApp(socket => socket.write(sized('new')));
    let state = runningOn(scripted.app.port);
    const door = await openDoor(() => state);
    answerPaths((socket, path) => {
      if (path === '/idle') socket.write(OK);
      if (path === '/begun') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
    });
    const get = (path: string) =>
      sendRaw(door.port, `GET ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
    const [begun, waiting] = [get('/begun'), get('/waiting')];
    await waitUntil(() => scripted.app.requestLines.length === 2, 'both are at the old app');
    expect(await get('/idle')).toMatch(/ok$/);
    state = runningOn(other.port);
    expect(await get('/new')).toMatch(/new$/);
    expect(readAnswers(await begun, ['GET']).answers[0]?.isWhole ?? false).toBe(false);
    expect(await waiting).toMatch(/^HTTP\/1.1 502 /);
    await waitUntil(() => sockets.every(socket => socket.destroyed), 'the old connections are closed');
    expect(other.requestLines).toEqual(['GET /new HTTP/1.1']);
    await door.stop();
    await other.stop();
  });
});

describe('a visitor who leaves', () => {
  it.each([
    ['a long answer', 'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegin'],
    ['an answer in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n'],
    ['an answer without an end', 'HTTP/1.1 200 OK\r\n\r\nbegin'],
  ])('in the middle of %s ends it at the app, and leaves nothing of it to the next', async (_, bytes) => {
    answerPaths((socket, path) => socket.write(path === '/1' || path === '/3' ? sized(path) : bytes));
    expect(await ask('/1')).toBe('200 /1');
    const visitor = connect(scripted.door.port, '127.0.0.1');
    visitor.write(`GET /2 HTTP/1.1\r\n${HOST}\r\n`);
    await once(visitor, 'data');
    visitor.destroy();
    const [used] = sockets;
    await waitUntil(() => used?.destroyed === true, 'the app sees the end');
    expect(await ask('/3')).toBe('200 /3');
  });

  it.each(['Content-Length: 100\r\n', 'Transfer-Encoding: chunked\r\n'])(
    'in the middle of an upload ends it at the app, and the rest is no request: %j',
    async framing => {
      const lines: string[] = [];
      answerPaths((socket, path) => {
        lines.push(path);
        if (path !== '/upload') socket.write(sized(path));
      });
      expect(await ask('/1')).toBe('200 /1');
      const visitor = connect(scripted.door.port, '127.0.0.1');
      visitor.write(`POST /upload HTTP/1.1\r\n${HOST}${framing}\r\n5\r\nfirst\r\n`);
      await waitUntil(() => scripted.app.seen.includes('first'), 'the app has the first piece');
      visitor.destroy();
      await waitUntil(() => sockets.every(socket => socket.destroyed), 'the app sees the end');
      expect(await ask('/2')).toBe('200 /2');
      expect(lines).toEqual(['/1', '/upload', '/2']);
    },
  );
});

describe('an answer that comes before the end of its upload', () => {
  it.each(['Content-Length: 80\r\n', 'Transfer-Encoding: chunked\r\n'])(
    'leaves no connection on which the rest would be read as a request: %j',
    async framing => {
      answerPaths((socket, path) => socket.write(sized(path)));
      const visitor = connect(scripted.door.port, '127.0.0.1').setEncoding('latin1');
      let seen = '';
      visitor.on('data', chunk => {
        seen += chunk;
      });
      visitor.write(`POST /upload HTTP/1.1\r\n${HOST}${framing}\r\n10\r\n0123456789abcdef\r\n`);
      await waitUntil(() => seen.endsWith('/upload'), 'the answer is there');
      const next = ask('/2');
      visitor.write('1e\r\nGET /smuggled HTTP/1.1\r\nA: b\r\n\r\n0\r\n\r\n');
      expect(await next).toBe('200 /2');
      expect(await ask('/3')).toBe('200 /3');
      visitor.destroy();
      // A connection with an upload carries nothing before its end, and the smuggled line is not a request of any other.
      for (const stream of scripted.app.streams)
        expect(readRequests(stream).map(({ target }) => target)).not.toContain('/smuggled');
      expect(scripted.app.streams.filter(stream => stream.includes('POST /upload'))).toHaveLength(1);
    },
  );
});
