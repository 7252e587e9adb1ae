// Requests from published bad-request suites, sent to the gateway: the tests check what a lenient app receives of them.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BAD_REQUESTS, ODD_REQUESTS } from '../support/bad-requests.ts';
import { type Door, openDoor, sendRaw } from '../support/gateway-door.ts';
import { type RawApp, startRawApp } from '../support/raw-app.ts';

/** Refused because of its target, so that the connection ends even if the case before it was accepted. */
const LAST = 'GET //end HTTP/1.1\r\nHost: bore.example:4321\r\n\r\n';

let app: RawApp;
let door: Door;
beforeAll(async () => {
  app = await startRawApp();
  door = await openDoor(app.port);
});
afterAll(async () => {
  await door.stop();
  await app.stop();
});

/** The outcome: the statuses of the answers, what the app saw, and what the gateway counted. */
async function send(bytes: string) {
  const [seen, lines, visits] = [app.seen.length, app.requestLines.length, door.gateway.visits];
  const answer = await sendRaw(door.port, bytes);
  return {
    statuses: [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)),
    seen: app.seen.slice(seen),
    lines: app.requestLines.slice(lines),
    visits: door.gateway.visits - visits,
  };
}

describe('request smuggling: a bad request', () => {
  it('is tested in more than a hundred variants', () => {
    expect(BAD_REQUESTS.length).toBeGreaterThanOrEqual(100);
    expect(new Set(BAD_REQUESTS.map(([title]) => title)).size).toBe(BAD_REQUESTS.length);
  });

  it.each(BAD_REQUESTS)('is refused, and nothing after it is read: %s', async (_, bytes) => {
    const { statuses, seen, lines, visits } = await send(`${bytes}${LAST}`);
    expect(statuses).toHaveLength(1);
    expect(String(statuses[0])).toMatch(/^(?:4\d\d|501|505)$/);
    // A body is streamed: the app may see its beginning, but never another request.
    expect(lines.length).toBeLessThanOrEqual(visits);
    expect(seen).not.toMatch(/smuggled|evil|\/end/);
    if (!/\r\ntransfer-encoding: chunked\r\n/i.test(bytes)) expect([seen, visits]).toEqual(['', 0]);
  });

  it.each(ODD_REQUESTS)(
    'is distinguished from an unusual valid one, which arrives complete: %s',
    async (_, bytes, body) => {
      const { statuses, seen, lines, visits } = await send(`${bytes}${LAST}`);
      expect(statuses).toEqual([200, 400]);
      expect(visits).toBe(1);
      expect(lines[0]).toMatch(/^(?:GET|PUT|POST) \/case HTTP\/1\.1$/);
      const end = seen.indexOf('\r\n\r\n') + 4;
      const isChunked = /\r\ntransfer-encoding: chunked\r\n/i.test(seen.slice(0, end));
      expect(isChunked ? joinChunks(seen.slice(end)) : seen.slice(end)).toBe(body);
    },
  );
});

function joinChunks(text: string): string {
  let [rest, joined] = [text, ''];
  for (;;) {
    const end = rest.indexOf('\r\n');
    const size = Number.parseInt(rest.slice(0, end), 16);
    if (!(size > 0)) return joined;
    joined += rest.slice(end + 2, end + 2 + size);
    rest = rest.slice(end + 4 + size);
  }
}
