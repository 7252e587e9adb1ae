import { once } from 'node:events';
import { Agent, request as sendRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { GatewayOptions } from '../../src/gateway/gateway.ts';
import { useClosers } from '../support/closers.ts';
import { type Door, openDoor, sendRaw } from '../support/gateway-door.ts';
import { OPEN_GATEWAY } from '../support/open-gateway.ts';
import { OK, startRawApp } from '../support/raw-app.ts';
import { waitUntil } from '../support/wait-until.ts';

const MAX = 100_000;
const RULES = { ...OPEN_GATEWAY, maxBodyBytes: MAX };
const POST = 'POST /up HTTP/1.1\r\nHost: bore.example:4321\r\n';
const NEXT = 'GET /next HTTP/1.1\r\nHost: bore.example:4321\r\nConnection: close\r\n\r\n';

const closers = useClosers();

async function open(options: Partial<GatewayOptions> = {}, answer?: Parameters<typeof startRawApp>[0]) {
  const app = await startRawApp(answer);
  const door = await openDoor(app.port, { rules: RULES, ...options });
  closers.push(app.stop, door.stop);
  return { app, door };
}

/** A visitor that records the bytes it receives. */
async function visit(door: Door) {
  const socket = connect(door.port, '127.0.0.1').setEncoding('latin1');
  closers.push(() => socket.destroy());
  let received = '';
  socket
    .on('error', () => {})
    .on('data', text => {
      received += text;
    });
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()));
  await once(socket, 'connect');
  return {
    socket,
    closed,
    get received() {
      return received;
    },
    receives: (pattern: RegExp) => waitUntil(() => pattern.test(received), `${pattern} is received`),
  };
}

const chunk = (bytes: number) => `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`;
const sendAll = (socket: Socket, bytes: string) =>
  new Promise(resolve => socket.write(bytes, 'latin1', resolve));

describe('a body over max-body', () => {
  it('that announces its length is refused before it is sent, and nothing reaches the app', async () => {
    const { app, door } = await open();
    const visitor = await visit(door);
    visitor.socket.write(`${POST}Content-Length: ${MAX + 1}\r\n\r\n`);
    await visitor.receives(/^HTTP\/1.1 413 [\s\S]*at most 97.66 KB[\s\S]*max-body/);
    expect(visitor.received).toMatch(/\r\nconnection: close\r\n/i);
    expect(app.connections).toBe(0);
  });

  it('gets no 100 Continue', async () => {
    const { app, door } = await open({ limits: { lingerMs: 50 } });
    const answer = await sendRaw(
      door.port,
      `${POST}Expect: 100-continue\r\nContent-Length: ${MAX + 1}\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(app.connections).toBe(0);
  });

  it('is refused even if its length is not a safe integer', async () => {
    const { app, door } = await open({ limits: { lingerMs: 50 } });
    const answer = await sendRaw(door.port, `${POST}Content-Length: ${'9'.repeat(18)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(app.connections).toBe(0);
  });

  it('that comes in chunks is refused when it exceeds the limit, and the app’s request breaks off', async () => {
    let gone = false;
    const { app, door } = await open({}, socket => {
      socket.once('close', () => {
        gone = true;
      });
    });
    const visitor = await visit(door);
    visitor.socket.write(`${POST}Transfer-Encoding: chunked\r\n\r\n${chunk(MAX)}`);
    await waitUntil(() => app.seen.length > MAX, 'the app has what is allowed');
    expect(visitor.received).toBe('');
    visitor.socket.write(chunk(1));
    await visitor.receives(/^HTTP\/1.1 413 [\s\S]*max-body/);
    await waitUntil(() => gone, 'the request to the app is broken off');
    expect(app.seen).not.toMatch(/\r\n0\r\n/);
  });

  it('is cut off if the answer has begun', async () => {
    const { door } = await open({}, socket =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
    );
    const visitor = await visit(door);
    visitor.socket.write(`${POST}Transfer-Encoding: chunked\r\n\r\n${chunk(MAX)}`);
    await visitor.receives(/half$/);
    visitor.socket.write(chunk(1));
    await visitor.closed;
    expect(visitor.received).toMatch(/^HTTP\/1.1 200 [\s\S]*half$/);
  });

  it('is refused if the gateway itself is the app (mode: web)', async () => {
    let asked = 0;
    const handle = () => {
      asked += 1;
    };
    const door = await openDoor(() => ({ status: 'running', upstream: { kind: 'handler', handle } }), {
      rules: RULES,
    });
    closers.push(door.stop);
    const visitor = await visit(door);
    visitor.socket.write(`${POST}Content-Length: ${MAX + 1}\r\n\r\n`);
    await visitor.receives(/^HTTP\/1.1 413 /);
    expect(asked).toBe(0);
  });

  it('from a visitor without the key gets the usual 401', async () => {
    const rules = { ...RULES, access: { kind: 'link', key: 'K'.repeat(32) } } as const;
    const { door } = await open({ rules, limits: { lingerMs: 50 } });
    expect(await sendRaw(door.port, `${POST}Content-Length: ${MAX + 1}\r\n\r\n`)).toMatch(/^HTTP\/1.1 401 /);
  });

  it('does not include one of exactly that length, with a Content-Length or chunked', async () => {
    const { app, door } = await open();
    const body = 'x'.repeat(MAX);
    expect(await sendRaw(door.port, `${POST}Content-Length: ${MAX}\r\n\r\n${body}${NEXT}`)).toMatch(
      /^HTTP\/1.1 200 [\s\S]*HTTP\/1.1 200 /,
    );
    const chunked = `${POST}Transfer-Encoding: chunked\r\n\r\n${chunk(MAX - 1)}${chunk(1)}0\r\n\r\n`;
    expect(await sendRaw(door.port, `${chunked}${NEXT}`)).toMatch(/^HTTP\/1.1 200 [\s\S]*HTTP\/1.1 200 /);
    expect(app.requestLines).toHaveLength(4);
  });
});

const LARGE = { ...RULES, maxBodyBytes: 2e9 };
const KEYED = { ...RULES, access: { kind: 'link', key: 'K'.repeat(32) } } as const;

describe('an answer before the end of an upload', () => {
  const early: [string, Partial<GatewayOptions>, string, number][] = [
    ['to a visitor without the key', { rules: KEYED }, POST, 401],
    ['to a body over max-body', {}, POST, 413],
    ['to a malformed request', {}, POST.replace('/up', '//up'), 400],
    ['while the app starts', { app: () => ({ status: 'starting' }), rules: LARGE }, POST, 503],
  ];

  it.each(early)('%s arrives, because up to 1 MiB of the rest is read', async (_, options, head, status) => {
    const { door } = await open(options);
    const visitor = await visit(door);
    visitor.socket.write(`${head}Content-Length: 1000000\r\n\r\n`);
    await sendAll(visitor.socket, 'x'.repeat(999_999));
    await visitor.receives(new RegExp(`^HTTP/1.1 ${status} `));
    expect(visitor.socket.destroyed).toBe(false);
    await sendAll(visitor.socket, 'x');
  });

  it.each(early)('%s closes the connection if the rest is over 1 MiB', async (_, options, head, status) => {
    const { door } = await open({ ...options, limits: { lingerMs: 60_000 } });
    const visitor = await visit(door);
    visitor.socket.write(`${head}Content-Length: 1000000000\r\n\r\n`);
    await visitor.receives(new RegExp(`^HTTP/1.1 ${status} `));
    await sendAll(visitor.socket, 'x'.repeat(1_000_000));
    expect(visitor.socket.destroyed).toBe(false);
    const more = setInterval(() => visitor.socket.write('x'.repeat(10_000)), 1);
    await visitor.closed.finally(() => clearInterval(more));
  });

  it.each(early)('%s closes the connection if the rest takes too long', async (_, options, head, status) => {
    const { door } = await open({ ...options, limits: { lingerMs: 50 } });
    const answer = await sendRaw(door.port, `${head}Content-Length: 1000000000\r\n\r\nxxx`);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it('leaves no listeners behind on a connection that stays open', async () => {
    const warnings: string[] = [];
    const warn = (warning: Error) => void warnings.push(warning.name);
    process.on('warning', warn);
    onTestFinished(() => void process.off('warning', warn));
    const app = await startRawApp(socket => socket.write(OK));
    const door = await openDoor(app.port);
    closers.push(app.stop, door.stop);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let count = 0; count < 30; count += 1) {
      const request = sendRequest(door.url, { method: 'POST', agent, headers: { 'content-length': 5 } });
      request.write('a');
      const [response] = await once(request, 'response');
      request.end('bcde');
      await once(response.resume(), 'end');
    }
    agent.destroy();
    expect(warnings).toEqual([]);
  });

  it('leaves the connection usable if the rest of the upload is short', async () => {
    const { door } = await open({ app: () => ({ status: 'starting' }) });
    const visitor = await visit(door);
    visitor.socket.write(`${POST}Content-Length: 1000\r\n\r\n`);
    await visitor.receives(/^HTTP\/1.1 503 /);
    visitor.socket.write(`${'x'.repeat(1_000)}${NEXT}`);
    await visitor.receives(/HTTP\/1.1 503 [\s\S]*HTTP\/1.1 503 /);
    await visitor.closed;
  });

  it('with Connection: close is the last one: a request behind the rest of the upload is not served', async () => {
    const { app, door } = await open();
    const visitor = await visit(door);
    visitor.socket.write(`${POST}Content-Length: ${MAX + 1}\r\n\r\n`);
    await visitor.receives(/^HTTP\/1.1 413 /);
    visitor.socket.write(`${'x'.repeat(MAX + 1)}${NEXT}`);
    await visitor.closed;
    expect(visitor.received.match(/HTTP\/1.1/g)).toHaveLength(1);
    expect([app.connections, door.gateway.visits]).toEqual([0, 1]);
  });
});

it('a request whose head is over 16 KB or has over 256 fields gets a 431', async () => {
  const { app, door } = await open({ limits: { keepAliveMs: 50 } });
  const head = `GET / HTTP/1.1\r\nHost: bore.example:4321\r\n`;
  for (const flood of [`X: ${'x'.repeat(16_384)}\r\n`, 'a:\r\n'.repeat(300)])
    expect(await sendRaw(door.port, `${head}${flood}\r\n`)).toMatch(/^HTTP\/1.1 431 /);
  expect(app.connections).toBe(0);
});
