import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeHttp, renderProof } from '../../src/gateway/probe.ts';
import { useClosers } from '../support/closers.ts';
import { type Door, openDoor, PROOF_KEY, sendRaw } from '../support/gateway-door.ts';
import { startRawApp } from '../support/raw-app.ts';
import { TestCa, type TestCertificate } from '../support/test-ca.ts';

const closers = useClosers();

async function openSilentDoor(): Promise<Door> {
  const door = await openDoor(() => ({ status: 'starting' }));
  closers.push(door.stop);
  return door;
}

/** Another program's server at the address. */
async function openImpostor(listener: RequestListener): Promise<{ url: string; server: Server }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  closers.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  await once(server, 'listening');
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, server };
}

const ask = (url: string, signal = AbortSignal.timeout(10_000)) => probeHttp(url, PROOF_KEY, signal);

describe('a public address', () => {
  it('is proved by the gateway that has the key, even before the app runs, and the probe is not counted as a visit', async () => {
    const door = await openSilentDoor();
    expect(await ask(door.url)).toEqual({ kind: 'proved' });
    expect(door.gateway.visits).toBe(0);
  });

  it('is probed over a new connection every time', async () => {
    const { url, server } = await openImpostor((_, response) => response.end('hello'));
    let connections = 0;
    server.on('connection', () => {
      connections += 1;
    });
    await ask(url);
    await ask(url);
    expect(connections).toBe(2);
  });

  it('is unproved by another exposure', async () => {
    const door = await openSilentDoor();
    const answer = await probeHttp(door.url, Buffer.alloc(32, 8), AbortSignal.timeout(10_000));
    expect(answer).toEqual({ kind: 'unproved', detail: expect.stringContaining('200') });
  });

  it.each([200, 204, 404, 401])('is unproved by another program that answers %i', async status => {
    const { url } = await openImpostor((_, response) => response.writeHead(status).end());
    expect(await ask(url)).toEqual({ kind: 'unproved', detail: expect.stringContaining(String(status)) });
  });

  it('is unproved by an answer that belongs to an earlier challenge', async () => {
    const old = renderProof(PROOF_KEY, '0'.repeat(64));
    const { url } = await openImpostor((_, response) => response.end(old));
    expect((await ask(url)).kind).toBe('unproved');
  });

  it('is unproved by a redirect to us, which is not followed', async () => {
    const door = await openSilentDoor();
    const { url } = await openImpostor((request, response) =>
      response.writeHead(302, { location: `${door.url}${request.url}` }).end(),
    );
    expect((await ask(url)).kind).toBe('unproved');
  });

  it('is unproved by an endless answer, of which only the start is read', async () => {
    const { url, server } = await openImpostor((_, response) => {
      const pour = () => {
        while (response.write('x'.repeat(4_096)));
      };
      response.on('drain', pour);
      pour();
    });
    const gone = once(server, 'connection').then(
      // Closed in any way.
      ([socket]) => new Promise(resolve => socket.once('close', resolve)),
    );
    expect((await ask(url)).kind).toBe('unproved');
    await gone;
  });

  it('is unproved by something that is not HTTP', async () => {
    const app = await startRawApp(socket => socket.end('SSH-2.0-OpenSSH_9.6\x1b[31m\r\n'));
    closers.push(app.stop);
    const answer = await ask(`http://127.0.0.1:${app.port}`);
    expect(answer).toEqual({
      kind: 'unproved',
      detail: expect.stringMatching(/^the answer was not HTTP: [\x20-\x7e]+$/),
    });
  });

  it.each([502, 503, 530])('is silent behind a proxy that answers %i', async status => {
    const { url } = await openImpostor((_, response) => response.writeHead(status).end('<h1>Bad gateway'));
    expect(await ask(url)).toEqual({ kind: 'silent', detail: `the answer was ${status}` });
  });

  it('is silent if nothing listens, if the connection is closed, and if time runs out', async () => {
    const closed = await startRawApp();
    await closed.stop();
    expect((await ask(`http://127.0.0.1:${closed.port}`)).kind).toBe('silent');
    const mute = await startRawApp(socket => socket.end());
    closers.push(mute.stop);
    expect((await ask(`http://127.0.0.1:${mute.port}`)).kind).toBe('silent');
    const slow = await startRawApp(() => {});
    closers.push(slow.stop);
    const answer = await ask(`http://127.0.0.1:${slow.port}`, AbortSignal.timeout(50));
    expect(answer).toEqual({ kind: 'silent', detail: 'no answer in time' });
  });

  it('is silent if the answer stops half-way', async () => {
    const app = await startRawApp(socket => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\nabc'));
    closers.push(app.stop);
    const answer = await ask(`http://127.0.0.1:${app.port}`, AbortSignal.timeout(50));
    expect(answer).toEqual({ kind: 'silent', detail: 'no answer in time' });
  });

  it('is silent, and nothing is thrown, if it is not an address', async () => {
    expect((await ask('http://a b')).kind).toBe('silent');
  });
});

describe('a public address whose TLS ends at the gateway', () => {
  let ca: TestCa;
  beforeAll(() => {
    ca = new TestCa();
  });
  afterAll(() => ca.remove());

  const askTls = (port: number, cert: string) =>
    probeHttp(
      `https://localhost:${port}`,
      PROOF_KEY,
      AbortSignal.timeout(10_000),
      new X509Certificate(cert).fingerprint256,
    );

  async function openTlsDoor(tls: TestCertificate, proofKey = PROOF_KEY) {
    const door = await openDoor(() => ({ status: 'starting' }), { tls, proofKey });
    closers.push(door.stop);
    return door;
  }

  it('is proved with a certificate that this machine does not trust', async () => {
    const tls = ca.issue(['DNS:localhost']);
    const door = await openTlsDoor(tls);
    expect(await askTls(door.port, tls.cert)).toEqual({ kind: 'proved' });
    expect(await ask(`https://localhost:${door.port}`)).toMatchObject({ kind: 'silent' });
  });

  it('is unproved by another certificate, even of the same authority, and no request is sent to it', async () => {
    const door = await openTlsDoor(ca.issue(['DNS:localhost']));
    expect(await askTls(door.port, ca.issue(['DNS:localhost']).cert)).toEqual({
      kind: 'unproved',
      detail: expect.stringMatching(/^the answer was not our TLS: a certificate that is not ours/),
    });
  });

  it('is unproved by our certificate without our proof', async () => {
    const tls = ca.issue(['DNS:localhost']);
    const door = await openTlsDoor(tls, Buffer.alloc(32, 9));
    expect((await askTls(door.port, tls.cert)).kind).toBe('unproved');
  });

  it('is unproved by a program that does not speak TLS', async () => {
    const { cert } = ca.issue(['DNS:localhost']);
    const { url } = await openImpostor((_, response) => response.end('hello'));
    expect(await askTls(Number(new URL(url).port), cert)).toEqual({
      kind: 'unproved',
      detail: expect.stringMatching(/^the answer was not our TLS/),
    });
  });

  it('is silent if nothing listens, and if time runs out', async () => {
    const { cert } = ca.issue(['DNS:localhost']);
    const fingerprint = new X509Certificate(cert).fingerprint256;
    const closed = await startRawApp();
    await closed.stop();
    expect((await askTls(closed.port, cert)).kind).toBe('silent');
    const mute = createTcpServer().listen(0, '127.0.0.1');
    closers.push(() => mute.close());
    await once(mute, 'listening');
    const { port } = mute.address() as AddressInfo;
    const soon = AbortSignal.timeout(50);
    const answer = await probeHttp(`https://localhost:${port}`, PROOF_KEY, soon, fingerprint);
    expect(answer).toEqual({ kind: 'silent', detail: 'no answer in time' });
  });
});

describe('the probe page', () => {
  it.each([
    '',
    '?challenge=',
    '?challenge=abc',
    `?challenge=${'A'.repeat(64)}`,
    `?challenge=${'a'.repeat(129)}`,
  ])('signs only challenges: %s', async query => {
    const door = await openSilentDoor();
    expect((await fetch(`${door.url}/__expose/probe${query}`)).status).toBe(404);
  });

  it('never reaches the app, nor does any other path under /__expose', async () => {
    const app = await startRawApp();
    const door = await openDoor(app.port);
    closers.push(app.stop, door.stop);
    for (const target of ['/__expose', '/__expose/', '/__expose?a', '/__expose/probe/x', '/__expose/..;/a']) {
      const answer = await sendRaw(
        door.port,
        `POST ${target} HTTP/1.1\r\nHost: bore.example:4321\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1.1 404 /);
    }
    expect(app.connections).toBe(0);
    expect((await fetch(`${door.url}/__exposed`)).status).toBe(200);
  });
});
