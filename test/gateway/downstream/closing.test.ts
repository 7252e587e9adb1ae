// Every way in which the gateway itself closes a visitor's connection, over every protocol. Each runs from a timer or
// from an event of another visitor. An exception there would be uncaught and end the preview; Vitest fails if there is
// one.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VisitorLimits } from '../../../src/gateway/downstream/visitor-server.ts';
import { useClosers } from '../../support/closers.ts';
import { openDoor } from '../../support/gateway-door.ts';
import { FRAME, renderFrame } from '../../support/http2-frames.ts';
import {
  openVisitor,
  PROTOCOLS,
  type Protocol,
  renderRequest,
  startProtocolApp,
  usesHttp2,
  usesTls,
  usesWebSocket,
} from '../../support/protocols.ts';
import { TestCa, type TestCertificate } from '../../support/test-ca.ts';
import { waitUntil } from '../../support/wait-until.ts';

const KEY = 'K3y-of-this-preview_0123456789';
const NEVER_MS = 600_000;

const closers = useClosers();
let ca: TestCa;
let tls: TestCertificate;
beforeAll(() => {
  ca = new TestCa();
  tls = ca.issue(['IP:127.0.0.1']);
});
afterAll(() => ca.remove());

async function open(protocol: Protocol, limits: Partial<VisitorLimits>, rules = {}) {
  const app = await startProtocolApp();
  const door = await openDoor(app.port, { limits, rules, ...(usesTls(protocol) && { tls }) });
  closers.push(app.stop, door.stop);
  const visit = async (path: string, method?: string) => {
    const visitor = await openVisitor(door, protocol);
    closers.push(() => visitor.raw.destroy());
    visitor.stream.write(renderRequest(door, protocol, path, method));
    return visitor;
  };
  /** Opens the flow-control window of HTTP/2, so that unread bytes wait in TCP. */
  const widen = (visitor: Awaited<ReturnType<typeof visit>>) => {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(0x3fff0000);
    for (const stream of usesHttp2(protocol) ? [0, 1] : [])
      visitor.stream.write(renderFrame({ type: FRAME.windowUpdate, flags: 0, stream, payload }));
  };
  return { app, door, visit, widen };
}

describe.each(PROTOCOLS)('over %s', protocol => {
  it('a visitor who does not read is closed, and no other is', async () => {
    const { app, visit, widen } = await open(protocol, { stalledMs: 300 });
    const good = await visit('/begun');
    await waitUntil(() => good.received.includes('begun'), 'another visitor is served');
    const bad = await visit('/flood');
    widen(bad);
    bad.stream.pause();
    bad.raw.pause();
    await waitUntil(() => app.open === 2, 'the app serves both');
    await waitUntil(() => app.open === 1, 'the one who does not read is gone');
    expect([good.raw.closed, good.stream.destroyed]).toEqual([false, false]);
  });

  it('a visitor in any state can be closed to make room for another', async () => {
    const rules = { access: { kind: 'link', key: KEY }, publicPaths: ['/**'] };
    const { app, visit, widen } = await open(protocol, { strangers: 3, stalledMs: NEVER_MS }, rules);
    const stalled = await visit('/flood');
    widen(stalled);
    stalled.stream.pause();
    await waitUntil(() => app.open === 1, 'the first is served');
    const hanging = await visit('/hang');
    const begun = await visit('/begun');
    await waitUntil(() => app.open === 3, 'all are served');
    for (let count = 0; count < 3; count += 1) {
      const next = await visit('/begun');
      await waitUntil(() => next.received.includes('begun'), 'the next one is served');
    }
    await waitUntil(() => hanging.raw.closed && begun.raw.closed, 'all have made room');
    await waitUntil(() => app.open === 3, 'and so have their requests');
  });

  it('stopping closes busy visitors after the drain, and idle ones at once', async () => {
    const { app, door, visit, widen } = await open(protocol, { stalledMs: NEVER_MS });
    const stalled = await visit('/flood');
    widen(stalled);
    stalled.stream.pause();
    const visitors = [await visit('/hang'), await visit('/begun'), await openVisitor(door, protocol)];
    await waitUntil(() => app.open === 3, 'all are served');
    await door.gateway.stop(100);
    await waitUntil(() => app.open === 0, 'the app has no request left');
    await waitUntil(() => visitors.every(({ raw }) => raw.closed), 'all are closed');
  });

  // An upgrade has no body.
  it.skipIf(usesWebSocket(protocol))(
    'a visitor who keeps sending after its answer is closed after a while',
    async () => {
      const rules = { maxBodyBytes: 100 };
      const { app, visit } = await open(protocol, { lingerMs: 100 }, rules);
      const visitor = await visit('/hang', 'POST');
      await waitUntil(() => app.open + (visitor.received === '' ? 0 : 1) > 0, 'it is served');
      const piece = usesHttp2(protocol)
        ? renderFrame({ type: FRAME.data, flags: 0, stream: 1, payload: Buffer.alloc(20) })
        : Buffer.alloc(20);
      const timer = setInterval(() => visitor.stream.write(piece), 20);
      closers.push(() => clearInterval(timer));
      // Over HTTP/2 only the stream ends.
      await waitUntil(() => app.open === 0 && (usesHttp2(protocol) || visitor.raw.closed), 'it is over');
    },
  );
});
