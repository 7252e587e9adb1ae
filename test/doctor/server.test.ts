// What the doctor says about a bore server without a proxy: good ones, and each broken set-up that loopback can have.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { reply, startBadBoreServer } from '../support/bad-bore-server.ts';
import { listen } from '../support/listen.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { runPrinting } from '../support/run-command.ts';
import { startSilentAddress } from '../support/silent-address.ts';
import { TestCa } from '../support/test-ca.ts';
import { startForwarder, startRealServer } from '../support/tunnel-rig.ts';
import { examineServer, RANGE } from './rig.ts';

const SECRET = 'a secret of these tests';
const PORTS = { minPort: RANGE.min, maxPort: RANGE.max };

async function startOther(server: Server, port = 0): Promise<number> {
  onTestFinished(() => void server.close());
  return listen(server, { port });
}

describeWithReal(['bore'], 'the doctor, on a server without a proxy,', () => {
  it('finds no fault in a good server with a secret', async () => {
    const host = '127.0.15.10';
    await startRealServer(host, { secret: SECRET, ...PORTS });
    const { report, faults, warnings, find } = await examineServer(host, { secret: SECRET });
    expect([faults, warnings]).toEqual([[], []]);
    for (const name of [
      'dns',
      'control-port',
      'secret',
      'port-range',
      'public-port',
      'version',
      'latency',
    ] as const)
      expect(find(name)?.status, name).toBe('ok');
    expect(find('websocket')).toBeUndefined();
    expect(JSON.stringify(report)).not.toContain(SECRET);
  });

  it('opens at most six connections to the control port, and leaves none', async () => {
    const host = '127.0.15.13';
    const { address } = await startRealServer(host, { secret: SECRET, ...PORTS });
    const { address: server, pairs } = await startForwarder(address);
    const { faults } = await examineServer(host, {
      server,
      secret: SECRET,
      publicUrl: `http://${host}:{port}`,
    });
    expect(faults).toEqual([]);
    expect(pairs.length).toBeGreaterThan(3);
    expect(pairs.length).toBeLessThanOrEqual(6);
    await expect.poll(() => pairs.every(({ near }) => near.destroyed)).toBe(true);
  });

  it('finds no fault in a good server without a secret, and says that anybody can use it', async () => {
    const host = '127.0.15.11';
    await startRealServer(host, PORTS);
    const { faults, find } = await examineServer(host);
    expect(faults).toEqual([]);
    expect(find('secret')?.messages[0]?.message).toContain('anybody can open tunnels');
  });

  it('gives back every port that it asked for', async () => {
    const host = '127.0.15.12';
    await startRealServer(host, { minPort: 20_000, maxPort: 20_001 });
    const question = { range: { min: 20_000, max: 20_001 } };
    expect((await examineServer(host, question)).faults).toEqual([]);
    // Bore frees a port 0.25 s after a reset.
    await expect
      .poll(async () => (await examineServer(host, question)).find('port-range')?.messages)
      .toEqual([
        {
          status: 'ok',
          message: expect.stringMatching(
            /^127\.0\.15\.12:7835 gave port 2000[01], and gives out 20000 to 20001/,
          ),
        },
      ]);
  });

  it.each([
    [
      'a wrong secret',
      '127.0.15.20',
      SECRET,
      'another',
      'refused the secret: `secret` must be the one the server was started with',
    ],
    ['a missing secret', '127.0.15.21', SECRET, undefined, 'requires a secret: set the `secret` input'],
  ])('names %s', async (_, host, secret, given, message) => {
    await startRealServer(host, { ...(secret !== undefined && { secret }), ...PORTS });
    const { faults, find } = await examineServer(host, { secret: given });
    expect(faults).toEqual([expect.stringContaining(message)]);
    expect(find('public-port')?.messages[0]?.message).toBe('skipped: needs Secret');
  });

  it.each([
    [
      'ends below it',
      '127.0.15.23',
      { min: 20_000, max: 30_000 },
      'does not give out port 30000: set `port-range`',
    ],
    [
      'begins above it',
      '127.0.15.24',
      { min: 19_999, max: 29_999 },
      'does not give out port 19999: set `port-range`',
    ],
    [
      'is another one',
      '127.0.15.25',
      { min: 30_000, max: 31_000 },
      /does not give out port 30000, and gives 2\d{4} if it may choose/,
    ],
  ])('names a range of the server that %s', async (_, host, range, message) => {
    await startRealServer(host, PORTS);
    const { faults } = await examineServer(host, { range });
    expect(faults).toEqual([
      typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
    ]);
  });

  it('warns of a server whose range is wider than the one that was given', async () => {
    const host = '127.0.15.26';
    await startRealServer(host, PORTS);
    const { faults, warnings } = await examineServer(host, { range: { min: 20_000, max: 25_000 } });
    expect(faults).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /also gives out port 25001, .*: make this the same as .*BORE_MAX_PORT.* that visitors cannot reach$/,
      ),
    ]);
  });

  it('tells a port in use from one that is out of range', async () => {
    const host = '127.0.15.27';
    await startRealServer(host, PORTS);
    const taken = createServer();
    onTestFinished(() => void taken.close());
    await listen(taken, { host, port: RANGE.max });
    const { faults, find } = await examineServer(host);
    expect(faults).toEqual([]);
    expect(find('port-range')?.messages[0]?.message).toContain('29999 in use now');
  });

  it('asks for `port-range` if the server does not give out the default one', async () => {
    const host = '127.0.15.28';
    await startRealServer(host, PORTS);
    const { faults, warnings } = await examineServer(host, { range: undefined });
    expect(faults).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining('set `port-range` to the --min-port and --max-port')]);
  });

  it('names a server that is not running', async () => {
    const { faults } = await examineServer('127.0.15.30');
    expect(faults).toEqual([
      expect.stringMatching(
        /^could not reach 127\.0\.15\.30:7835: .*nothing listens there, or a firewall rejects; start the bore server, check its --bind-addr \(BORE_BIND_ADDR\)/,
      ),
    ]);
  });

  it('names what else answers at the control port, and a firewall, in one round of waiting', async () => {
    const ca = new TestCa();
    onTestFinished(() => ca.remove());
    const silent = await startSilentAddress('127.0.15.31');
    await startRealServer('127.0.15.22', PORTS);
    const ports = {
      ssh: await startOther(
        createServer(socket => void socket.on('error', () => {}).end('SSH-2.0-OpenSSH_9.2\r\n')),
      ),
      web: await startOther(createWebServer()),
      nothing: await startOther(createServer(socket => void socket.on('error', () => {}))),
      hangUp: await startOther(createServer(socket => void socket.on('error', () => {}).destroy())),
      tls: await startOther(createTlsServer(ca.issue(['DNS:bore.test'])).on('tlsClientError', () => {})),
    };
    const ask = async (port: number, secret: string | undefined, host = '127.0.0.1') =>
      (await examineServer('', { server: { host, port }, secret })).faults;
    const [found, unwanted, dropped] = await Promise.all([
      Promise.all([undefined, SECRET].flatMap(secret => Object.values(ports).map(port => ask(port, secret)))),
      ask(7835, SECRET, '127.0.15.22'),
      ask(silent.port, undefined, '127.0.15.31'),
    ]);
    const notBore = (what: string) => [
      expect.stringContaining(`does not answer like a bore server (${what})`),
    ];
    const expected = [
      notBore('it sent "SSH-2.0-OpenSSH_9.2"'),
      notBore('it sent "HTTP/1.1 400 Bad Request"'),
      notBore('it accepts connections and sends nothing'),
      [expect.stringContaining('closed the connection during the handshake: a proxy is in between')],
      notBore('it speaks TLS'),
    ];
    expect(found).toEqual([...expected, ...expected]);
    expect(unwanted).toEqual([expect.stringContaining('requires no secret, but one was given')]);
    expect(dropped).toEqual([
      expect.stringMatching(
        /^could not reach .*: no answer .*does a firewall block port \d+: at the server, at its cloud, or on the way out from here\?$/,
      ),
    ]);
  });

  it('names public ports that refuse visitors', async () => {
    const host = '127.0.15.40';
    await startRealServer(host, { ...PORTS, bindTunnels: '127.0.15.41' });
    const { faults } = await examineServer(host);
    expect(faults).toEqual([
      expect.stringMatching(
        /^http:\/\/127\.0\.15\.40:\d+ refuses connections .*--bind-tunnels, BORE_BIND_TUNNELS\), as it should .* through a proxy: then give --public-url/,
      ),
    ]);
  });

  it('names a public name that leads to another machine, where another program answers', async () => {
    const host = '127.0.15.42';
    await startRealServer(host, { ...PORTS, minPort: 20_042, maxPort: 20_042 });
    const other = createWebServer();
    onTestFinished(() => void other.close());
    await listen(other, { host: '127.0.15.43', port: 20_042 });
    const { faults } = await examineServer(host, {
      range: { min: 20_042, max: 20_042 },
      publicUrl: 'http://preview.test:{port}',
      lookup: async () => [{ address: '127.0.15.43' }],
    });
    expect(faults).toEqual([
      expect.stringContaining(
        'preview.test leads to 127.0.15.43, and the bore server is at 127.0.15.42; correct the DNS record',
      ),
    ]);
  });

  it('names the second of several machines behind one name', async () => {
    const host = '127.0.15.44';
    await startRealServer(host, PORTS);
    await startRealServer('127.0.15.45', PORTS);
    const { faults } = await examineServer(host, {
      server: { host: 'bore.test', port: 7835 },
      lookup: async () => [{ address: host }, { address: '127.0.15.45' }],
    });
    expect(faults).toEqual([
      expect.stringMatching(
        /^127\.0\.15\.45:\d+, another address of bore\.test, does not lead to the tunnel .*Several machines behind one name do not work/,
      ),
    ]);
  });

  it('names a zone whose http links no browser opens', async () => {
    const host = '127.0.15.46';
    await startRealServer(host, PORTS);
    const { faults } = await examineServer(host, {
      server: { host: 'bore.example.dev', port: 7835 },
      lookup: async () => [{ address: host }],
    });
    expect(faults).toEqual([expect.stringContaining('browsers open names under .dev only with https')]);
  });

  it("warns if this machine's clock is not the server's", async () => {
    const host = '127.0.15.47';
    await startRealServer(host, PORTS);
    const ca = new TestCa();
    const date = new Date(Date.now() - 3_600_000).toUTCString();
    const site = createHttpsServer(ca.issue(['DNS:bore.test']), (_, response) =>
      response.setHeader('Date', date).end(),
    );
    onTestFinished(() => ca.remove());
    onTestFinished(() => void site.close());
    await listen(site, { host, port: 443 });
    const { faults, warnings } = await examineServer(host, {
      server: { host: 'bore.test', port: 7835 },
      lookup: async () => [{ address: host }],
    });
    expect(faults).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(/^this machine's clock is 3(?:599|600|601) s ahead of the server's/),
    ]);
  });

  it('names a server that has no port left, and a server that breaks the protocol', async () => {
    const full = await startBadBoreServer(reply('{"Error":"failed to find an available port"}\0'));
    const { faults, find } = await examineServer('', { server: full.address });
    expect(faults).toEqual([
      expect.stringMatching(/could not open a port \(failed to find an available port\): it may be full$/),
    ]);
    expect(find('control-port')?.status).toBe('ok');
    const bad = await startBadBoreServer(reply('{"Hello":80}\0'));
    expect((await examineServer('', { server: bad.address })).faults).toEqual([
      expect.stringMatching(/answered with port 80 instead of 2\d{4}: it cannot be relied on/),
    ]);
  });

  it('says nothing of https where the public address is not for browsers', async () => {
    const host = '127.0.15.51';
    await startRealServer(host, PORTS);
    const question = {
      server: { host: 'bore.example.dev', port: 7835 },
      lookup: async () => [{ address: host }],
    };
    const { faults, find } = await examineServer(host, { ...question, isWebPage: false });
    expect(faults).toEqual([]);
    expect(find('https-only')).toBeUndefined();
  });

  it('examines several servers at the same time, each with its own section', async () => {
    const hosts = ['127.0.15.48', '127.0.15.49'] as const;
    await startRealServer(hosts[0], { secret: SECRET, ...PORTS });
    const file = join(mkdtempSync(join(tmpdir(), 'doctor-')), 'secret');
    onTestFinished(() => rmSync(dirname(file), { recursive: true }));
    writeFileSync(file, `${SECRET}\n`);
    const flags = ['--server', hosts.join(','), '--secret-file', file, '--port-range', '20000-29999'];
    const { code, out, err } = await runPrinting(['doctor', ...flags], tmpdir());
    expect([code, err]).toEqual([1, '']);
    const [good = '', bad = '', sum] = out.split('\n\n');
    expect(good).toMatch(/^127\.0\.15\.48:7835\n/);
    expect(good).not.toContain('✗');
    expect(bad).toMatch(/^127\.0\.15\.49:7835\n(?:.*\n)+? {2}✗ Control port {2}could not reach /);
    expect(sum).toMatch(/^1 fault: https:/);
    const { out: json } = await runPrinting(['doctor', ...flags, '--json'], tmpdir());
    const secret = {
      check: 'secret',
      status: 'ok',
      findings: [{ status: 'ok', message: 'the server takes it' }],
    };
    expect(JSON.parse(json)).toMatchObject({
      ...{ success: false, faults: 1, warnings: 0 },
      servers: [
        { server: '127.0.15.48:7835', checks: expect.arrayContaining([secret]) },
        { server: '127.0.15.49:7835' },
      ],
    });
  });

  it('names a name that does not exist, and skips what depends on it', async () => {
    const { faults, report } = await examineServer('', {
      server: { host: 'bore.example.com', port: 7835 },
      lookup: async () => {
        throw Object.assign(new Error('getaddrinfo ENOTFOUND bore.example.com'), { code: 'ENOTFOUND' });
      },
    });
    expect(faults).toEqual([
      expect.stringMatching(/^there is no host bore\.example\.com .*check `server` for a typo$/),
    ]);
    expect(report.checks.slice(1).map(({ status }) => status)).not.toContain('ok');
  });
});

/** Answers bytes that are not HTTP with 400, as web servers do. */
function createWebServer(): Server {
  return createServer(socket => {
    socket
      .on('error', () => {})
      .once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
  });
}
