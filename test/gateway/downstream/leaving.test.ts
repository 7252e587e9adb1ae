// A visitor leaves in the middle of a request, in every possible way and over every protocol: the app's request must
// end, and no connection may be kept. bore passes on every end of a visitor's connection as a FIN.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useClosers } from '../../support/closers.ts';
import { type Door, openDoor } from '../../support/gateway-door.ts';
import {
  FRAME,
  FrameClient,
  listRequestFields,
  renderFrame,
  renderHeaders,
} from '../../support/http2-frames.ts';
import {
  openVisitor,
  PROTOCOLS,
  type Protocol,
  type ProtocolApp,
  type ProtocolVisitor,
  renderRequest,
  startProtocolApp,
  usesHttp2,
  usesTls,
  usesWebSocket,
} from '../../support/protocols.ts';
import { TestCa, type TestCertificate } from '../../support/test-ca.ts';
import { waitUntil } from '../../support/wait-until.ts';

/** So long that here a visit can end only because the visitor leaves. */
const NEVER_MS = 600_000;
const LIMITS = {
  headersTimeoutMs: NEVER_MS,
  requestTimeoutMs: NEVER_MS,
  stalledMs: NEVER_MS,
  keepAliveMs: NEVER_MS,
  handshakeTimeoutMs: NEVER_MS,
  lingerMs: NEVER_MS,
};

const VISITORS = 3;

const closers = useClosers();
let ca: TestCa;
let tls: TestCertificate;
beforeAll(() => {
  ca = new TestCa();
  tls = ca.issue(['IP:127.0.0.1', 'DNS:localhost']);
});
afterAll(() => ca.remove());

const goaway = renderFrame({ type: FRAME.goaway, flags: 0, stream: 0, payload: Buffer.alloc(8) });

interface Way {
  leave: (visitor: ProtocolVisitor) => void;
  /** The protocols in which this way exists; all by default. */
  over?: (protocol: Protocol) => boolean;
}

/** Sends the bytes, then ends the connection. */
const say = (visitor: ProtocolVisitor, bytes: Buffer) => {
  visitor.stream.write(bytes, () => visitor.raw.destroy());
};

const WAYS: Readonly<Record<string, Way>> = {
  'by FIN, and no longer reads': { leave: ({ raw }) => raw.destroy() },
  'by FIN, but still reads': { leave: ({ raw }) => raw.end() },
  'by RST': { leave: ({ raw }) => raw.resetAndDestroy() },
  'with an orderly end of TLS': { leave: ({ stream }) => stream.end(), over: usesTls },
  'in the middle of a TLS record': {
    leave: ({ raw }) => raw.end(Buffer.from('17030300ff0102', 'hex')),
    over: usesTls,
  },
  'with garbage in place of a TLS record': {
    leave: ({ raw }) => raw.end(Buffer.alloc(40, 0xfe)),
    over: usesTls,
  },
  'in the middle of a frame': {
    leave: visitor => say(visitor, Buffer.from('00001000', 'hex')),
    over: usesHttp2,
  },
  'by GOAWAY': { leave: visitor => say(visitor, goaway), over: usesHttp2 },
  'by GOAWAY and garbage': {
    leave: visitor => say(visitor, Buffer.concat([goaway, Buffer.alloc(40, 0xfe)])),
    over: usesHttp2,
  },
  'by garbage': { leave: visitor => say(visitor, Buffer.alloc(40, 0xfe)), over: usesHttp2 },
  'in the middle of the next request': {
    leave: visitor => say(visitor, Buffer.from('GET /next HTT')),
    over: protocol => !usesHttp2(protocol),
  },
  'behind a request that waits for its turn': {
    leave: visitor =>
      say(visitor, Buffer.from('POST /next HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab')),
    over: protocol => !usesHttp2(protocol),
  },
  'behind an upload that waits for its turn': {
    leave: visitor =>
      say(
        visitor,
        Buffer.concat([
          Buffer.from('POST /next HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n'),
          Buffer.alloc(300_000),
        ]),
      ),
    over: protocol => !usesHttp2(protocol) && !usesWebSocket(protocol),
  },
};

const REQUESTS = [
  ['without an answer yet', 'GET', '/hang'],
  ['in the middle of its answer', 'GET', '/begun'],
  ['in the middle of its upload', 'POST', '/hang'],
] as const;

const ROWS = PROTOCOLS.flatMap(protocol =>
  REQUESTS.filter(([, method]) => method === 'GET' || !usesWebSocket(protocol)).flatMap(
    ([when, method, path]) =>
      Object.entries(WAYS)
        .filter(([, { over }]) => over?.(protocol) ?? true)
        .map(([way, { leave }]) => ({ protocol, when, method, path, way, leave })),
  ),
);

async function open(protocol: Protocol): Promise<{ app: ProtocolApp; door: Door }> {
  const app = await startProtocolApp();
  const door = await openDoor(app.port, { limits: LIMITS, ...(usesTls(protocol) && { tls }) });
  closers.push(app.stop, door.stop);
  return { app, door };
}

/** Connections of this process: those of the app, of the gateway with it, and of visitors. */
function countSockets(): number {
  return process
    .getActiveResourcesInfo()
    .filter(name => name === 'TCPSocketWrap' || name === 'TCPWRAP' || name === 'TLSWRAP').length;
}

describe('a visitor who leaves', () => {
  it.each(ROWS)('$way, $when, is noticed over $protocol', async ({ protocol, method, path, leave }) => {
    const { app, door } = await open(protocol);
    const before = countSockets();
    const visitors = await Promise.all(Array.from({ length: VISITORS }, () => openVisitor(door, protocol)));
    for (const visitor of visitors) visitor.stream.write(renderRequest(door, protocol, path, method));
    await waitUntil(() => app.open === VISITORS, 'the app has the requests');
    expect(door.gateway.openVisits).toBeGreaterThanOrEqual(VISITORS);
    if (path === '/begun')
      await waitUntil(() => visitors.every(({ received }) => received.includes('begun')), 'begun');
    for (const visitor of visitors) leave(visitor);
    await waitUntil(() => app.open === 0, 'the app’s requests are over');
    for (const { raw } of visitors) raw.destroy();
    await waitUntil(() => countSockets() <= before + app.sockets, 'nothing is left of them');
    await waitUntil(() => door.gateway.openVisits === 0, 'no visit counts as open');
    expect(door.log.filter(line => !line.startsWith('debug'))).toEqual([]);
  });
});

describe('a visitor who breaks TLS after its last request', () => {
  it.each([
    ['CONNECT', (host: string) => `CONNECT evil.test:443 HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
    [
      'a WebSocket that is refused',
      (host: string) =>
        `GET //x HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n`,
    ],
  ])('and then leaves keeps no connection open: %s', async (_, render) => {
    const { door } = await open('TLS and HTTP/1.1');
    const before = countSockets();
    const visitors = await Promise.all(
      Array.from({ length: 20 }, () => openVisitor(door, 'TLS and HTTP/1.1')),
    );
    for (const { stream, raw } of visitors) {
      stream.write(render(`127.0.0.1:${door.port}`));
      raw.write(Buffer.alloc(40, 0xfe));
    }
    for (const { raw } of visitors) raw.end();
    await waitUntil(() => visitors.every(({ raw }) => raw.closed), 'the gateway has ended them');
    await waitUntil(() => countSockets() <= before, 'nothing is left of them');
  });
});

describe('a visitor who is refused while another request of its session is under way', () => {
  it('and breaks the protocol before it leaves is noticed', async () => {
    const app = await startProtocolApp();
    const rules = {
      access: { kind: 'link', key: 'K3y-of-this-preview_0123456789' },
      publicPaths: ['/public/**'],
    };
    const door = await openDoor(app.port, { limits: LIMITS, tls, rules: rules as never });
    closers.push(app.stop, door.stop);
    const client = await FrameClient.open(door.port, ca.pem);
    const ask = (stream: number, path: string) =>
      client.write(
        renderHeaders(stream, listRequestFields({ ':path': path, ':authority': `127.0.0.1:${door.port}` })),
      );
    ask(1, '/public/hang');
    await waitUntil(() => app.open === 1, 'the app has the first');
    ask(3, '/private');
    await waitUntil(() => client.goawayCode !== undefined, 'the session is closing');
    client.write(Buffer.alloc(40, 0xfe));
    await waitUntil(
      () => client.ofType(FRAME.goaway).length > 0 && app.open <= 1,
      'it has broken the protocol',
    );
    client.close();
    await waitUntil(() => app.open === 0, 'the app’s request is over');
  });
});

describe('a visitor who stays', () => {
  it('may send GOAWAY, wait for its answer, and acknowledge settings', async () => {
    const { app, door } = await open('TLS and HTTP/2');
    const client = await FrameClient.open(door.port, ca.pem);
    closers.push(() => client.close());
    const fields = listRequestFields({ ':path': '/begun', ':authority': `127.0.0.1:${door.port}` });
    const acknowledged = renderFrame({ type: FRAME.settings, flags: 1, stream: 0, payload: Buffer.alloc(0) });
    client.write(acknowledged, renderHeaders(1, fields), goaway);
    await waitUntil(() => client.ofType(FRAME.data, 1).length === 1, 'the answer has begun');
    let answered = 0;
    // Wait longer than the visitor may be silent.
    await waitUntil(() => {
      const asked = client.ofType(FRAME.settings).filter(({ flags }) => flags === 0);
      answered = asked.length;
      return answered >= 8;
    }, 'its presence was checked several times');
    expect([app.open, client.closed, client.resetCode(1)]).toEqual([1, false, undefined]);
  });
});
