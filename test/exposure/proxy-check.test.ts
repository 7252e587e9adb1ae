// With `trusted-proxy`: what an exposure finds out about the proxy in front, over a bore server and a proxy on this machine.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Exposure } from '../../src/exposure/exposure.ts';
import { ProxyCheck } from '../../src/exposure/proxy-check.ts';
import { createLogger } from '../../src/shared/log.ts';
import { startBoreServer } from '../../src/tunnel/server/server.ts';
import { OPEN_GATEWAY } from '../support/open-gateway.ts';
import { type HeaderRule, startBlindProxy, startSmallProxy } from '../support/small-proxy.ts';
import { TestCa, type TestCertificate } from '../support/test-ca.ts';
import { waitUntil } from '../support/wait-until.ts';

/** Where bore listens for visitors, so that only the proxy leads there. */
const INNER = '127.0.14.10';
const VISITOR = '203.0.113.7';

const SET: HeaderRule = headers => ({ ...headers, 'x-forwarded-for': VISITOR });
const APPEND: HeaderRule = headers => ({
  ...headers,
  'x-forwarded-for': `${headers['x-forwarded-for']}, ${VISITOR}`,
});
const PASS_ON: HeaderRule = headers => headers;
const REMOVE: HeaderRule = ({ 'x-forwarded-for': _, ...headers }) => headers;

interface Setting {
  /** Where bore listens for visitors. */
  bindTunnels?: string;
  trustedProxy?: boolean;
  /** The certificate of the preview, and of the proxy if it reads the requests. */
  tls?: TestCertificate;
}

async function open(
  rule: HeaderRule | 'pass bytes on',
  { bindTunnels = INNER, trustedProxy = true, tls }: Setting = {},
) {
  const server = await startBoreServer({ bindTunnels });
  const folder = mkdtempSync(join(tmpdir(), 'proxy-check-'));
  writeFileSync(join(folder, 'index.html'), 'hello');
  const log: string[] = [];
  let port = 0;
  const target = () => ({ host: bindTunnels, port });
  const publicUrl = await (rule === 'pass bytes on'
    ? startBlindProxy(target)
    : startSmallProxy(rule, target, tls));
  const exposure = new Exposure({
    config: {
      protocol: 'http',
      spec: { mode: 'web', path: folder, spa: false, crossOriginIsolation: false },
      env: {},
      baseEnvironment: {},
      startupTimeoutMs: 20_000,
      gateway: { ...OPEN_GATEWAY, trustedProxy },
      tls,
      tunnel: {
        servers: [{ address: { host: '127.0.0.1', port: server.controlPort } }],
        identity: 'a preview',
        remotePort: { kind: 'random' },
        publicUrl,
      },
    },
    folder: join(folder, 'session'),
    logger: createLogger({ level: 'debug', write: line => log.push(line) }),
    onChild: () => {},
  });
  exposure.subscribe(({ tunnel }) => {
    if (tunnel.status === 'Connected') port = tunnel.port;
  });
  onTestFinished(async () => {
    await exposure.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await exposure.start();
  const isChecked = () =>
    [/the visitor's address at/, /bore's own address/].every(wanted => log.some(line => wanted.test(line)));
  if (trustedProxy) await waitUntil(isChecked, 'the proxy is checked');
  return { exposure, log, publicUrl, direct: () => `http://${bindTunnels}:${port}` };
}

describe('a proxy that is trusted', () => {
  it.each([
    ['sets the visitor’s address', SET],
    ['appends the visitor’s address', APPEND],
  ])('causes no warning if it %s, and is the only way in', async (_, rule) => {
    const { exposure } = await open(rule);
    expect(exposure.state).toMatchObject({ address: { kind: 'verified' }, warnings: [] });
  });

  it('causes a warning if it passes on what visitors claim', async () => {
    const { exposure, publicUrl } = await open(PASS_ON);
    expect(exposure.state.warnings).toEqual([
      expect.stringContaining(`the proxy at ${publicUrl} passes on the X-Forwarded-For of visitors`),
    ]);
  });

  it('causes one warning if it does not report the visitor’s address, also when visitors come', async () => {
    const { exposure, log, publicUrl } = await open(REMOVE);
    for (let visit = 0; visit < 3; visit += 1) expect((await fetch(publicUrl)).status).toBe(200);
    expect(exposure.state.warnings).toEqual([expect.stringContaining('came without X-Forwarded-For')]);
    expect(log.filter(line => line.includes('without X-Forwarded-For'))).toHaveLength(1);
  });

  it('causes a warning if visitors can go around it', async () => {
    const { exposure, direct } = await open(SET, { bindTunnels: '127.0.0.1' });
    expect(exposure.state.warnings).toEqual([
      expect.stringMatching(
        /visitors can go around the proxy: this preview also answers at .*--bind-tunnels/,
      ),
    ]);
    expect(exposure.state.warnings[0]).toContain(`answers at ${direct()},`);
  });

  it('causes a warning if it passes TLS on to the preview, and none if it decrypts and encrypts again', async () => {
    const ca = new TestCa();
    onTestFinished(() => ca.remove());
    const tls = ca.issue(['DNS:localhost', 'IP:127.0.0.1']);
    const blind = await open('pass bytes on', { tls });
    expect(blind.exposure.state.warnings).toEqual([
      expect.stringContaining('while it passes TLS on undecrypted'),
    ]);
    const reading = await open(SET, { tls });
    expect(reading.exposure.state).toMatchObject({ address: { kind: 'verified' }, warnings: [] });
  });

  it('is not asked about addresses if it is not trusted', async () => {
    const { exposure, log, publicUrl } = await open(PASS_ON, { trustedProxy: false });
    expect((await fetch(publicUrl)).status).toBe(200);
    expect(exposure.state.warnings).toEqual([]);
    expect(log.filter(line => /address at|own address/.test(line))).toEqual([]);
  });
});

it('is checked again at each new address, and only then', async () => {
  const asked: string[] = [];
  const check = new ProxyCheck({
    ingress: { endsTls: false, probeForwardedFor: async url => void asked.push(url) },
    onWarning: message => expect.fail(message),
    logger: createLogger({ level: 'quiet', write: () => {} }),
    signal: new AbortController().signal,
  });
  const url = 'https://preview.example';
  const at = (port: number, kind: 'verified' | 'unchecked') =>
    check.follow({
      tunnel: { status: 'Connected', host: '2001:db8::1', port },
      connectedAt: new Date(),
      address: { kind, url },
      reconnects: 0,
      addressChanges: 0,
    });
  at(20_042, 'unchecked');
  expect(asked).toEqual([]);
  at(20_042, 'verified');
  at(20_042, 'verified');
  expect(asked).toEqual([url, 'http://[2001:db8::1]:20042']);
  at(20_043, 'verified');
  expect(asked.slice(2)).toEqual([url, 'http://[2001:db8::1]:20043']);
});
