// self-host/health-check against real bore servers, and against what is not one.

import { execFile } from 'node:child_process';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../support/listen.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { startRealServer } from '../support/tunnel-rig.ts';

const SCRIPT = resolve('self-host/health-check');
const CHALLENGE = '{"Challenge":"0e4ab15f-3cbe-4c1a-9b44-b6ea3a16d512"}';

interface Answer {
  code: number;
  said: string;
}

/** bash alone, with nothing on PATH: the script may be used where nothing else is installed. */
function check(...args: string[]): Promise<Answer> {
  return new Promise(done => {
    execFile('/bin/bash', [SCRIPT, ...args], { env: { PATH: '/nowhere' } }, (error, stdout, stderr) =>
      done({ code: Number(error?.code ?? 0), said: `${stdout}${stderr}`.trimEnd() }),
    );
  });
}

/** A server that does `serve` with each connection; resolves with its HOST:PORT. */
async function startFake(serve: (socket: Socket) => void, host = '127.0.0.1'): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket.on('error', () => {}));
    serve(socket);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const port = await listen(server, { host });
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

describeWithReal(['bore'], 'the health check of a real bore server', () => {
  it('succeeds if the server asks for its secret', async () => {
    await startRealServer('127.0.88.10', { secret: 'a secret' });
    expect(await check('127.0.88.10')).toEqual({
      code: 0,
      said: '127.0.88.10:7835 is a bore server and asks for its secret',
    });
  });

  it('fails if the server asks for none, unless that is said to be fine', async () => {
    await startRealServer('127.0.88.11');
    const open = await check('127.0.88.11:7835');
    expect(open).toMatchObject({ code: 1, said: expect.stringMatching(/without a secret, open to anybody/) });
    expect(await check('--no-secret', '127.0.88.11')).toEqual({
      code: 0,
      said: '127.0.88.11:7835 is a bore server without a secret',
    });
  });

  it('reaches an IPv6 address, with and without brackets', async () => {
    await startRealServer('::1', { secret: 'a secret' });
    for (const server of ['::1', '[::1]', '[::1]:7835'])
      expect(await check(server)).toEqual({
        code: 0,
        said: '[::1]:7835 is a bore server and asks for its secret',
      });
  });
});

describe('the health check', () => {
  it.each([
    ['a challenge in one piece', [`${CHALLENGE}\0`]],
    ['a challenge in two pieces, with other spacing', ['{ "Challenge": ', `${CHALLENGE.slice(13)}\0`]],
    ['a challenge and more behind it', [`${CHALLENGE}\0"Heartbeat"\0`]],
  ])('accepts %s', async (_, pieces) => {
    const server = await startFake(async socket => {
      for (const piece of pieces) await new Promise(sent => socket.write(piece, sent));
    });
    expect(await check(server)).toMatchObject({ code: 0 });
  });

  it('names an HTTP server by its answer', async () => {
    const http = createHttpServer();
    onTestFinished(() => void http.close());
    const port = await listen(http);
    const { code, said } = await check(`127.0.0.1:${port}`);
    expect(code).toBe(1);
    expect(said).toMatch(/^127\.0\.0\.1:\d+ does not speak bore.*'HTTP\/1\.1 400 Bad Request/);
  });

  it.each([
    ['half a challenge', CHALLENGE.slice(0, 30)],
    ['a challenge without its end', CHALLENGE],
    ['a challenge that is not a UUID', '{"Challenge":"1234"}\0'],
    ['a message that is not the first of a server', '"Heartbeat"\0'],
    ['more bytes than a message may have', `{"Error":"${'x'.repeat(300)}"}\0`],
    ['an escape sequence', '\x1b[2J\x07{"Error":1}'],
    ["a command for GitHub's runner", 'x##[add-mask]the-name-of-the-server'],
  ])('refuses %s, and prints only readable text of it', async (_, text) => {
    const server = await startFake(socket => void socket.write(text));
    const { code, said } = await check('--timeout', '1', server);
    expect(code).toBe(1);
    expect(said).toMatch(/^127\.0\.0\.1:\d+ does not speak bore[ -~]{1,130}$/);
    expect(said).not.toContain('##[');
  });

  it('refuses a server that says nothing, with a status of its own for one that hangs', async () => {
    const server = await startFake(() => {});
    expect(await check('--timeout', '1', server)).toMatchObject({
      code: 3,
      said: expect.stringMatching(/sent nothing within 1 s: it hangs/),
    });
  });

  it('refuses a server that closes or resets the connection', async () => {
    for (const close of [(s: Socket) => s.end(), (s: Socket) => s.resetAndDestroy()]) {
      const { code, said } = await check(await startFake(close));
      expect(code).toBe(1);
      expect(said).toMatch(/closed the connection without an answer/);
    }
  });

  it('gives the reason why a server cannot be reached', async () => {
    expect(await check('127.0.88.12')).toEqual({
      code: 1,
      said: '127.0.88.12:7835 cannot be reached: Connection refused',
    });
    const { code, said } = await check('bore.invalid:7000');
    expect(code).toBe(1);
    expect(said).toMatch(/^bore\.invalid:7000 cannot be reached: .*name/i);
  });

  it('tries as often as it was told before it fails, and stops at the first success', async () => {
    let connections = 0;
    const server = await startFake(socket => {
      connections += 1;
      if (connections === 2) socket.write(`${CHALLENGE}\0`);
      else socket.end();
    });
    expect(await check('--tries', '3', server)).toMatchObject({ code: 0 });
    expect(connections).toBe(2);
    expect(await check(server)).toMatchObject({ code: 1 });
  });

  it.each([
    [['--timeout']],
    [['--timeout', '0']],
    [['--tries', '1.5']],
    [['--secret', 'x']],
    [['127.0.0.1:0']],
    [['127.0.0.1:65536']],
    [['127.0.0.1:']],
    [['[::1]:x']],
    [['http://127.0.0.1']],
    [['127.0.0.1/../x']],
    [['a b']],
    [['127.0.0.1', '127.0.0.2']],
  ])('refuses %j before it connects', async args => {
    const { code, said } = await check(...args);
    expect(code).toBe(2);
    expect(said).toMatch(/^health-check: [^\n]+$/);
  });
});
