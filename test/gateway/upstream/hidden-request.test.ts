import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { GatewayOptions } from '../../../src/gateway/gateway.ts';
import { createRequestFinder } from '../../../src/gateway/hidden-request.ts';
import { useClosers } from '../../support/closers.ts';
import { openDoor, sendRaw } from '../../support/gateway-door.ts';
import { startRawApp } from '../../support/raw-app.ts';
import { waitUntil } from '../../support/wait-until.ts';

const KEY = 'K'.repeat(32);
const BODY = 'a GET /admin HTTP/1.1\r\nHost: a.example\r\n\r\n';
const FORBIDDEN = BODY.slice(0, BODY.indexOf('\n') + 1);
const POST = 'POST /hook HTTP/1.1\r\nHost: bore.example:4321\r\n';
const LENGTH = `Content-Length: ${BODY.length}\r\n`;
const REFUSED = /^HTTP\/1.1 400 [\s\S]*connection: close[\s\S]*the first line of another request/i;

const closers = useClosers();

type Rules = Partial<GatewayOptions['rules']>;
const LINK: Rules = { access: { kind: 'link', key: KEY }, publicPaths: ['/hook'] };
const BASIC: Rules = { access: { kind: 'basic', user: 'a', password: 'b' }, publicPaths: ['/hook'] };
const PASSWORD = `Authorization: Basic ${btoa('a:b')}\r\n`;

/** A gateway to a silent app; `leavesBodies`: the app may run what it leaves of a body. */
async function open(rules: Rules, leavesBodies: boolean) {
  const app = await startRawApp(() => {});
  const address = { kind: 'address', host: '127.0.0.1', port: app.port } as const;
  const upstream = leavesBodies ? ({ ...address, leavesBodies: true } as const) : address;
  const door = await openDoor(() => ({ status: 'running', upstream }), { rules, limits: { lingerMs: 50 } });
  closers.push(app.stop, door.stop);
  return { app, door };
}

/** A visitor that sends `bytes`, and may send more. */
function send(port: number, bytes: string) {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  closers.push(() => socket.destroy());
  let received = '';
  socket
    .on('error', () => {})
    .on('data', text => {
      received += text;
    });
  socket.write(bytes);
  return {
    socket,
    get received() {
      return received;
    },
  };
}

const chunk = (text: string) => (text === '' ? '' : `${text.length.toString(16)}\r\n${text}\r\n`);

describe('a request that is hidden in the body of another, at a public path', () => {
  it.each([
    ['with a length', LENGTH, (text: string) => text, ''],
    ['in chunks', 'Transfer-Encoding: chunked\r\n', chunk, '0\r\n\r\n'],
  ])('does not reach the app with its end, wherever its body is split: %s', async (_, head, frame, end) => {
    const { app, door } = await open(LINK, true);
    for (let at = 0; at < FORBIDDEN.length; at += 1) {
      const before = app.seen.length;
      const first = BODY.slice(0, at);
      const visitor = send(door.port, `${POST}${head}\r\n${frame(first)}`);
      const seen = () => app.seen.slice(before);
      await waitUntil(() => at === 0 || seen().endsWith(first), `the first ${at} bytes reach the app`);
      visitor.socket.write(`${frame(BODY.slice(at))}${end}`);
      await waitUntil(() => REFUSED.test(visitor.received), `split at ${at}: refused`);
    }
    expect(app.seen).toContain(FORBIDDEN.slice(0, -1));
    expect(app.seen).not.toContain(FORBIDDEN);
    expect(app.seen).not.toContain('a.example');
  });

  it('is refused with a foreign page and the password that its browser adds', async () => {
    const { app, door } = await open(BASIC, true);
    const foreign = `${POST}${PASSWORD}Origin: http://bore.example:1\r\n${LENGTH}\r\n${BODY}`;
    expect(await sendRaw(door.port, foreign)).toMatch(REFUSED);
    expect(app.seen).not.toContain(FORBIDDEN);
  });

  it.each([
    ['the visitor shows the key', LINK, true, `Authorization: Bearer ${KEY}\r\n`],
    ['the visitor sends the password', BASIC, true, PASSWORD],
    ['the preview is open', { publicPaths: ['/hook'] }, true, ''],
    ['the app reads or drops each body', LINK, false, ''],
  ] as const)('reaches the app if %s', async (_, rules, leavesBodies, field) => {
    const { app, door } = await open(rules, leavesBodies);
    send(door.port, `${POST}${field}${LENGTH}\r\n${BODY}`);
    await waitUntil(() => app.seen.endsWith(BODY), 'the body reaches the app');
  });

  it.each([
    ['JSON', JSON.stringify({ log: 'GET / HTTP/1.1\r\nHost: a\r\n' })],
    ['a form', String(new URLSearchParams({ log: 'GET / HTTP/1.1\r\nHost: a\r\n' }))],
    ['a text with line feeds only', 'GET / HTTP/1.1\nHost: a\n\n'],
  ])('is not what %s contains', async (_, body) => {
    const { app, door } = await open(LINK, true);
    send(door.port, `${POST}Content-Length: ${body.length}\r\n\r\n${body}`);
    await waitUntil(() => app.seen.endsWith(body), 'the body reaches the app');
  });
});

describe('the end of a request line', () => {
  const line = ' HTTP/1.1\r\n';

  it('is found in one chunk, byte by byte, and in three chunks split anywhere', () => {
    const cuts = [...line].flatMap((_, a) => [...line].map((_, b) => [a, Math.max(a, b)] as const));
    const ways = [
      [line],
      [...line],
      ...cuts.map(([a, b]) => [line.slice(0, a), line.slice(a, b), line.slice(b)]),
    ];
    for (const pieces of ways) {
      const find = createRequestFinder();
      expect(pieces.map(piece => find(Buffer.from(`${piece}`))).some(Boolean), pieces.join('|')).toBe(true);
    }
  });

  it.each([' HTTP/1.1\n', ' HTTP/1.1\rx\n', ' HTTP/11\r\n', 'HTTP/1.1\r\n', ' http/1.1\r\n'])(
    'is not %j',
    text => {
      expect(createRequestFinder()(Buffer.from(text))).toBe(false);
    },
  );
});
