// TLS that ends at the gateway, with certificates of a test CA, curl, and visitors who break the rules.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VISITOR_LIMITS } from '../../../src/gateway/downstream/visitor-server.ts';
import type { GatewayOptions } from '../../../src/gateway/gateway.ts';
import { useClosers } from '../../support/closers.ts';
import { type Door, openDoor, sendRaw } from '../../support/gateway-door.ts';
import { OPEN_GATEWAY } from '../../support/open-gateway.ts';
import { startRawApp } from '../../support/raw-app.ts';
import { TestCa, type TestCertificate } from '../../support/test-ca.ts';
import { waitUntil } from '../../support/wait-until.ts';

const run = promisify(execFile);
const closers = useClosers();
let ca: TestCa;
let identity: TestCertificate;
beforeAll(() => {
  ca = new TestCa();
  identity = ca.issue(['DNS:localhost', 'IP:127.0.0.1']);
});
afterAll(() => ca.remove());

async function openTls(options: Partial<GatewayOptions> = {}, answer?: Parameters<typeof startRawApp>[0]) {
  const app = await startRawApp(answer);
  const publicUrl = 'https://preview.test:4321';
  const door = await openDoor(app.port, { tls: identity, publicUrl, ...options });
  closers.push(app.stop, door.stop);
  return { app, door };
}

async function openVisitor(door: Door, options: object = {}): Promise<TLSSocket> {
  const visitor = connectTls({ port: door.port, host: 'localhost', ca: ca.pem, ...options });
  visitor.on('error', () => {});
  closers.push(() => visitor.destroy());
  await once(visitor, 'secureConnect');
  return visitor;
}

function openRaw(door: Door): Socket {
  const visitor = connect(door.port, '127.0.0.1').on('error', () => {});
  closers.push(() => visitor.destroy());
  return visitor;
}

const curl = async (...args: string[]) => {
  const { stdout } = await run('curl', ['-sS', '--max-time', '20', '--cacert', ca.file, ...args]);
  return stdout;
};

const limits = (changes: Partial<typeof VISITOR_LIMITS>) => ({ limits: { ...VISITOR_LIMITS, ...changes } });

describe('a visitor who speaks TLS', () => {
  it.each(['--tlsv1.2 --tls-max 1.2', '--tlsv1.3'])('reaches the app with curl %s', async version => {
    const { app, door } = await openTls();
    const args = [...version.split(' '), '--http1.1', '-w', ' %{http_version}'];
    expect(await curl(...args, `https://localhost:${door.port}/a?b`)).toBe('ok 1.1');
    expect(app.requestLines).toEqual(['GET /a?b HTTP/1.1']);
  });

  it('is refused with a version below TLS 1.2', async () => {
    const { app, door } = await openTls();
    const options = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    const refused = openVisitor(door, options);
    await expect(refused).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
    expect(app.connections).toBe(0);
  });

  it('gets HTTP/1.1 if it is a proxy that sends requests of many visitors over one connection', async () => {
    const { door } = await openTls({ rules: { ...OPEN_GATEWAY, trustedProxy: true } });
    const proxy = await openVisitor(door, { ALPNProtocols: ['h2', 'http/1.1'] });
    expect(proxy.alpnProtocol).toBe('http/1.1');
    const visitor = await openVisitor((await openTls()).door, { ALPNProtocols: ['h2', 'http/1.1'] });
    expect(visitor.alpnProtocol).toBe('h2');
  });

  it('gets HTTP/1.1 without ALPN, and is closed if it offers neither protocol', async () => {
    const { door } = await openTls();
    const visitor = await openVisitor(door);
    visitor.write('GET / HTTP/1.1\r\nHost: preview.test:4321\r\nConnection: close\r\n\r\n');
    expect(await text(visitor)).toMatch(/^HTTP\/1.1 200 [\s\S]*ok$/);
    await expect(openVisitor(door, { ALPNProtocols: ['spdy/3'] })).rejects.toThrow();
  });

  it('can be any stream of bytes, not only a socket', async () => {
    const { door } = await openTls();
    const [near, far] = duplexPair();
    door.gateway.accept(far);
    const visitor = connectTls({ socket: near, ca: ca.pem, servername: 'localhost' });
    visitor.write('GET / HTTP/1.1\r\nHost: preview.test:4321\r\nConnection: close\r\n\r\n');
    expect(await text(visitor)).toMatch(/^HTTP\/1.1 200 [\s\S]*ok$/);
  });

  it('may send its hello in pieces', async () => {
    const { door } = await openTls();
    const [near, far] = duplexPair();
    door.gateway.accept(far);
    const [hidden, shown] = duplexPair();
    // One byte at a time.
    hidden.on('data', (chunk: Buffer) => {
      for (const byte of chunk) near.write(Buffer.of(byte));
    });
    near.on('data', chunk => hidden.write(chunk));
    const visitor = connectTls({ socket: shown, ca: ca.pem, servername: 'localhost' });
    visitor.write('GET / HTTP/1.1\r\nHost: preview.test:4321\r\nConnection: close\r\n\r\n');
    let answer = '';
    visitor.setEncoding('latin1').on('data', chunk => {
      answer += chunk;
    });
    await waitUntil(() => answer.endsWith('ok'), 'the answer is there');
  });
});

describe('a visitor who holds a connection open', () => {
  it('is closed after a while if it sends nothing', async () => {
    const { door } = await openTls(limits({ handshakeTimeoutMs: 100 }));
    expect(await sendRaw(door.port, '')).toBe('');
  });

  it('is closed after a while if it sends half a hello, or one byte at a time', async () => {
    const { door } = await openTls(limits({ handshakeTimeoutMs: 300 }));
    expect(await sendRaw(door.port, '\x16\x03\x01\x02')).toBe('');
    // What it sends after the end may be answered with a reset.
    const dribbler = openRaw(door).on('error', () => {});
    const closed = new Promise(resolve => dribbler.resume().once('close', resolve));
    dribbler.write(Buffer.from([0x16, 3, 1, 2, 0]));
    const timer = setInterval(() => dribbler.write(Buffer.of(1)), 50);
    closers.push(() => clearInterval(timer));
    await closed;
  });

  it('is closed after a while if it sends no request after the handshake', async () => {
    const { door } = await openTls(limits({ headersTimeoutMs: 100 }));
    const visitor = await openVisitor(door);
    expect(await text(visitor)).toMatch(/^HTTP\/1.1 408 /);
  });

  it('takes one slot, with TLS or without, and frees it when it leaves', async () => {
    const { door } = await openTls(limits({ sockets: 2 }));
    const silent = openRaw(door);
    await once(silent, 'connect');
    await openVisitor(door);
    const third = openRaw(door);
    await once(third.resume(), 'close');
    silent.destroy();
    await waitUntil(async () => {
      const answer = await curl('--http1.1', `https://localhost:${door.port}/`).catch(() => '');
      return answer === 'ok';
    }, 'there is room again');
  });

  it('leaves nothing behind if it leaves before its first byte', async () => {
    const { door } = await openTls(limits({ sockets: 1 }));
    const visitor = openRaw(door);
    await once(visitor, 'connect');
    visitor.end();
    await once(visitor.resume(), 'close');
    expect(await curl('--http1.1', `https://localhost:${door.port}/`)).toBe('ok');
  });
});

describe('plain HTTP on the port', () => {
  it('is redirected to the public address, never to a host of the visitor’s choice, and does not reach the app', async () => {
    const { app, door } = await openTls();
    for (const method of ['GET', 'HEAD']) {
      const answer = await sendRaw(
        door.port,
        `${method} /a?b=%2f HTTP/1.1\r\nHost: 127.0.0.1:${door.port}\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1.1 308 /);
      expect(answer).toMatch(/\r\nlocation: https:\/\/preview\.test:4321\/a\?b=%2f\r\n/i);
      expect(answer).toMatch(/\r\ncache-control: no-store\r\n/i);
      const foreign = await sendRaw(door.port, `${method} / HTTP/1.1\r\nHost: evil.test\r\n\r\n`);
      expect(foreign).toMatch(/^HTTP\/1.1 421 /);
      expect(foreign).not.toContain('evil');
    }
    expect([app.connections, door.gateway.visits]).toEqual([0, 0]);
  });

  it.each([
    ['POST / HTTP/1.1\r\nHost: preview.test:4321\r\nContent-Length: 6\r\n\r\nsecret', 403],
    ['GET / HTTP/1.1\r\nHost: preview.test:4321\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n', 403],
    ['OPTIONS /a HTTP/1.1\r\nHost: preview.test:4321\r\n\r\n', 403],
    ['CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test\r\n\r\n', 405],
    ['GET http://evil.test/ HTTP/1.1\r\nHost: preview.test:4321\r\n\r\n', 400],
    ['GET //evil.test/ HTTP/1.1\r\nHost: preview.test:4321\r\n\r\n', 400],
    ['GET /\\evil.test/ HTTP/1.1\r\nHost: preview.test:4321\r\n\r\n', 400],
    ['SSH-2.0-OpenSSH_9.6\r\n', 400],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['\x00\x01\x02\r\n\r\n', 400],
    [
      'GET / HTTP/1.1\r\nHost: preview.test:4321\r\n\r\nGET /second HTTP/1.1\r\nHost: preview.test:4321\r\n\r\n',
      308,
    ],
  ])('that is %j gets a %i and is closed', async (bytes, status) => {
    const { app, door } = await openTls();
    const answer = await sendRaw(door.port, bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(app.connections).toBe(0);
  });

  it('is not redirected while there is no public address', async () => {
    const { door } = await openTls({ place: () => undefined });
    expect(await sendRaw(door.port, 'GET / HTTP/1.1\r\nHost: preview.test:4321\r\n\r\n')).toMatch(
      /^HTTP\/1.1 421 /,
    );
  });
});

describe('stopping the gateway, with TLS', () => {
  it('closes every connection, in a handshake or with a request, and may be done twice', async () => {
    const { app, door } = await openTls({}, () => {});
    const silent = openRaw(door);
    const half = openRaw(door);
    half.write('\x16\x03\x01');
    const asking = await openVisitor(door);
    asking.write('GET / HTTP/1.1\r\nHost: preview.test:4321\r\n\r\n');
    await waitUntil(() => app.requestLines.length === 1, 'the app has the request');
    const closed = [silent, half, asking].map(
      one => new Promise(resolve => one.resume().once('close', resolve)),
    );
    await Promise.all([door.gateway.stop(), door.gateway.stop()]);
    await Promise.all(closed);
    const late = openRaw(door);
    await once(late.resume(), 'close');
  });

  it('lets an answer finish', async () => {
    let finish: () => void = () => {};
    const { app, door } = await openTls({}, socket => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf');
      finish = () => void socket.write('half');
    });
    const visitor = await openVisitor(door);
    visitor.write('GET / HTTP/1.1\r\nHost: preview.test:4321\r\n\r\n');
    const answer = text(visitor);
    await waitUntil(() => app.requestLines.length === 1, 'the app has the request');
    const stopped = door.gateway.stop(10_000);
    finish();
    expect(await answer).toMatch(/halfhalf$/);
    await stopped;
  });
});

describe('unauthenticated connections, with TLS', () => {
  const KEY = 'K3y-of-this-preview_0123456789';
  const rules = { ...OPEN_GATEWAY, access: { kind: 'link', key: KEY } } as const;
  const HEAD = `Host: preview.test:4321\r\nAuthorization: Bearer ${KEY}\r\n`;

  it('are closed to make room, whether silent, in the handshake or after it; authenticated ones are not', async () => {
    const { door } = await openTls({ rules, ...limits({ strangers: 3 }) });
    const signedIn = await openVisitor(door);
    signedIn.write(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    expect(String(await once(signedIn, 'data'))).toMatch(/^HTTP\/1.1 200 /);
    const silent = openRaw(door);
    const half = openRaw(door);
    half.write('\x16\x03\x01');
    await Promise.all([once(silent, 'connect'), once(half, 'connect')]);
    const done = await openVisitor(door);
    const gone: unknown[] = [];
    for (const one of [silent, half, done]) one.once('close', () => gone.push(one));
    for (let count = 1; count <= 3; count += 1) {
      await openVisitor(door);
      await waitUntil(() => gone.length === count, `${count} of the oldest are gone`);
    }
    expect(gone).toEqual([silent, half, done]);
    expect(signedIn.closed).toBe(false);
  });

  it('over HTTP/2 take one slot for each session until that is authenticated; a refusal ends the session', async () => {
    const { door } = await openTls({ rules, ...limits({ strangers: 1 }) });
    const url = `https://localhost:${door.port}`;
    const open = () => {
      const session = connectHttp2(url, { ca: ca.pem });
      closers.push(() => session.destroy());
      return session.on('error', () => {});
    };
    const ask = async (session: ClientHttp2Session, headers: Record<string, string>) => {
      const stream = session.request({ ':path': '/', ...headers });
      const [answer] = await once(stream, 'response');
      stream.resume();
      return (answer as Record<string, unknown>)[':status'];
    };
    const signedIn = open();
    expect(await ask(signedIn, { authorization: `Bearer ${KEY}` })).toBe(200);
    const refused = open();
    const ended = once(refused, 'close');
    expect(await ask(refused, {})).toBe(401);
    await ended;
    const one = open();
    await once(one, 'remoteSettings');
    const later = open();
    await Promise.all([once(one, 'close'), once(later, 'remoteSettings')]);
    expect(await ask(signedIn, { authorization: `Bearer ${KEY}` })).toBe(200);
  });
});
