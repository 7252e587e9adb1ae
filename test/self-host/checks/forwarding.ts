// What a proxy says of the visitor: its own address, and nothing that the visitor has written. And what it logs.

import { expect, it } from 'vitest';
import type { World } from '../proxy-world.ts';
import { startRawServer } from '../raw-server.ts';
import { askHttp2 } from '../visitor.ts';

/** What a visitor claims to be. */
const FORGED = '203.0.113.66';
const FORGERIES: [string, Record<string, string | string[]>][] = [
  ['once', { 'X-Forwarded-For': FORGED }],
  ['twice', { 'X-Forwarded-For': [FORGED, `${FORGED}, 10.0.0.1`] }],
  ['in other letters', { 'x-FORWARDED-for': FORGED }],
  ['with underscores', { X_Forwarded_For: FORGED, x_real_ip: FORGED }],
  ['in other fields', { 'X-Real-IP': FORGED, Forwarded: `for=${FORGED}`, 'X-Forwarded-Host': FORGED }],
  ['named as a field of the connection', { 'X-Forwarded-For': FORGED, Connection: 'close, X-Forwarded-For' }],
];

const WEBSOCKET = {
  ...{ connection: 'Upgrade', upgrade: 'websocket' },
  ...{ 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' },
};

export function defineForwarding(read: () => World): void {
  it.each(FORGERIES)(
    "sends the visitor's own address instead of one that is forged %s",
    async (_, headers) => {
      const raw = await startRawServer(read());
      const { visitor } = read().first;
      await visitor.ask({ name: raw.name, headers });
      expect(listFields(raw.seen, 'x-forwarded-for')).toEqual([visitor.options.from]);
      expect(raw.seen).not.toContain(FORGED);
    },
  );

  it('sends it over HTTP/2, for a WebSocket and for IPv6 too', async () => {
    const raw = await startRawServer(read());
    const { first, place } = read();
    const session = await first.visitor.openHttp2(raw.name);
    await askHttp2(session, {
      name: raw.name,
      headers: { 'x-forwarded-for': FORGED, forwarded: `for=${FORGED}` },
    });
    session.close();
    const upgrade = { ...WEBSOCKET, 'x-forwarded-for': FORGED };
    await first.visitor.ask({ name: raw.name, headers: upgrade });
    const wanted = [first.visitor.options.from, first.visitor.options.from];
    if (place.ipv6 !== undefined) {
      const visitor = first.visitor.through({ host: '::1', port: place.ipv6.httpsPort, from: '::1' });
      await visitor.ask({ name: raw.name, headers: { 'x-forwarded-for': FORGED } });
      wanted.push('::1');
    }
    expect(listFields(raw.seen, 'x-forwarded-for')).toEqual(wanted);
    expect(raw.seen).not.toContain(FORGED);
  });

  it("lets the app behind a preview see the visitor's address, once, and the preview finds no way to claim one", async () => {
    const { first } = read();
    const headers = {
      'X-Forwarded-For': FORGED,
      'X-Real-IP': FORGED,
      Forwarded: `for=${FORGED}`,
      'Client-IP': FORGED,
    };
    await first.visitor.ask({ name: first.name, path: '/address', headers });
    const lines = Object.entries({ Host: first.host, ...WEBSOCKET, ...headers }).map(pair => pair.join(': '));
    const upgrade = ['GET /address HTTP/1.1', ...lines, '', ''].join('\r\n');
    expect(await first.visitor.send(first.name, upgrade, text => text.includes('\r\n\r\n'))).toContain(
      ' 101 ',
    );
    const seen = first.app.requests
      .filter(({ url }) => url === '/address')
      .map(({ rawHeaders }) => rawHeaders);
    expect(seen).toHaveLength(2);
    for (const raw of seen) {
      expect(raw).not.toContain(FORGED);
      expect(raw[raw.findIndex(text => text.toLowerCase() === 'x-forwarded-for') + 1]).toBe(
        first.visitor.options.from,
      );
    }
    await expect.poll(first.readOutput, { timeout: 10_000 }).toContain("bore's own address");
    const output = first.readOutput();
    expect(output).toMatch(/the visitor's address at https:\/\/20042\S*: reported/);
    expect(output).toContain('does not lead here');
    expect(output).not.toContain('`trusted-proxy` is true, and');
  });

  it('logs the address of the visitor and the port of the tunnel, and no key of a link', async () => {
    const { first, proxy } = read();
    const key = 'the-key-of-the-link';
    const headers = { referer: `https://${first.name}/?key=${key}` };
    const here = await first.visitor.ask({ name: first.name, path: `/logged?key=${key}`, headers });
    const gone = '20099.preview.example.com';
    const away = await first.visitor.ask({ name: gone, path: `/not-there?key=${key}`, headers });
    expect([here.status, away.status >= 502]).toEqual([200, true]);
    await expect.poll(() => proxy.readLog(), { timeout: 10_000 }).toContain('/not-there');
    const line = proxy
      .readLog()
      .split('\n')
      .find(one => one.includes('/logged'));
    expect(line).toContain(first.visitor.options.from);
    expect(line).toContain('20042');
    expect(proxy.readLog()).not.toContain(key);
  });
}

/** The values of a field in everything that arrived, under any spelling that a program could take for it. */
function listFields(text: string, name: string): string[] {
  return [...text.matchAll(/^([\w-]+):[ \t]*(.*)\r$/gm)].flatMap(([, field = '', value = '']) =>
    field.toLowerCase().replaceAll('_', '-') === name ? [value] : [],
  );
}
