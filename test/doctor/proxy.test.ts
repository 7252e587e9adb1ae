// What the doctor says about a server behind nginx with https: the recommended configuration, and that configuration
// with one thing broken at a time. bore, nginx and openssl are the real ones.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { CheckName } from '../../src/doctor/check.ts';
import { listen } from '../support/listen.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { TestCa, type TestCertificate } from '../support/test-ca.ts';
import { launchRealServer, type RealServer } from '../support/tunnel-rig.ts';
import { type Examined, examineServer, RANGE, startNginx } from './rig.ts';

const SECRET = 'a secret of these tests';
const BORE = '127.0.16.10';
/** Where bore opens the public ports, which only nginx reaches. */
const TUNNELS = '127.0.16.11';
const NGINX = '127.0.16.12';
/** A server whose answers have no end. */
const ENDLESS = '127.0.16.15';
const NAME = '*.preview.test';

let ca: TestCa;
let certificate: TestCertificate;
let bore: RealServer;
const authorities = tls.getCACertificates('default');

interface Broken {
  /** In the server block. */
  server?: string;
  /** The lines of `location /`, instead of the good ones; `without` leaves out some of them. */
  without?: RegExp;
  pass?: string;
  more?: string;
  pattern?: string;
  listen?: string;
  certificate?: TestCertificate;
}

const GOOD = [
  'proxy_http_version 1.1;',
  'proxy_set_header Host $host;',
  'proxy_set_header Upgrade $http_upgrade;',
  'proxy_set_header Connection $connection_upgrade;',
  'proxy_set_header X-Forwarded-For $remote_addr;',
  'proxy_buffering off;',
  'proxy_request_buffering off;',
  'client_max_body_size 0;',
];

async function examineBehind(broken: Broken, trustedProxy = true, bore = BORE): Promise<Examined> {
  const keys = 'ssl_certificate cert.pem; ssl_certificate_key key.pem;';
  const listen = `${NGINX}:443 ${broken.listen ?? 'ssl http2'}`;
  await startNginx(NGINX, renderServers(broken, listen, keys), broken.certificate ?? certificate);
  return examineNames('https://{port}.preview.test', NGINX, bore, trustedProxy);
}

function renderServers(broken: Broken, listen: string, keys: string): string {
  const lines = GOOD.filter(line => !broken.without?.test(line));
  return `
    server { listen ${listen} default_server; ${keys} return 404; }
    server {
      listen ${listen};
      server_name "~^(?<tunnel>${broken.pattern ?? '2[0-9]{4}'})\\.preview\\.test$";
      ${keys}
      ${broken.server ?? ''}
      location / { proxy_pass http://${broken.pass ?? `${TUNNELS}:$tunnel`}; ${lines.join(' ')} ${broken.more ?? ''} }
    }`;
}

/** With all names leading to `address`. */
function examineNames(
  publicUrl: string,
  address = NGINX,
  host = BORE,
  trustedProxy = false,
): Promise<Examined> {
  return examineServer(host, { secret: SECRET, publicUrl, trustedProxy, lookup: async () => [{ address }] });
}

describeWithReal(['bore', 'nginx'], 'the doctor, on a server behind nginx with https,', () => {
  beforeAll(async () => {
    ca = new TestCa();
    certificate = ca.issue([`DNS:${NAME}`], { days: 60 });
    tls.setDefaultCACertificates([...authorities, ca.pem]);
    bore = await launchRealServer(BORE, {
      secret: SECRET,
      minPort: RANGE.min,
      maxPort: RANGE.max,
      bindTunnels: TUNNELS,
    });
  });
  afterAll(async () => {
    tls.setDefaultCACertificates(authorities);
    await bore.kill();
    ca.remove();
  });

  it('finds nothing wrong with a good one, in every check', async () => {
    const { report, faults, warnings } = await examineBehind({});
    expect([faults, warnings]).toEqual([[], []]);
    // The plain port is closed, so the version cannot be told.
    const skipped = report.checks.filter(({ status }) => status === 'skipped').map(({ name }) => name);
    expect(skipped).toEqual(['version']);
    expect(report.checks).toHaveLength(19);
  });

  it.each<[string, Broken, CheckName, RegExp]>([
    [
      'leads to the wrong port',
      { pass: `${TUNNELS}:81` },
      'proxy',
      /answered 502, so it does not reach port \d+ of the bore server/,
    ],
    ['leads to the wrong address', { pass: '127.0.16.13:$tunnel' }, 'proxy', /answered 502/],
    [
      'leads to another program',
      { server: 'return 200 hello;' },
      'proxy',
      /another program answers at .* \(the answer was 200 "hello"\)/,
    ],
    [
      'has a pattern without the port',
      { pattern: '3[0-9]{4}' },
      'proxy',
      /its pattern does not contain 2\d{4}/,
    ],
    [
      'replaces Host',
      { without: /Host/ },
      'proxy',
      /passes on Host 127\.0\.16\.11:\d+ instead of \d+\.preview\.test/,
    ],
    [
      'does not pass on the upgrade',
      { without: /Upgrade|Connection/ },
      'websocket',
      /does not let a WebSocket through \(the answer was 426\)/,
    ],
    [
      'has the default limit for uploads',
      { without: /max_body/ },
      'upload',
      /refuses an upload of 2 MB with 413/,
    ],
    ['buffers answers', { without: /proxy_buffering/ }, 'event-stream', /holds an event stream back/],
    [
      'appends to X-Forwarded-For',
      { without: /Forwarded/, more: 'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;' },
      'forwarded-for',
      /198\.51\.100\.99, 127\.0\.0\.1 arrived/,
    ],
    [
      'leaves X-Forwarded-For as it is',
      { without: /Forwarded/ },
      'forwarded-for',
      /passes on the X-Forwarded-For of visitors/,
    ],
    [
      'removes X-Forwarded-For',
      { without: /Forwarded/, more: "proxy_set_header X-Forwarded-For '';" },
      'forwarded-for',
      /sends no X-Forwarded-For, which `trusted-proxy` needs/,
    ],
    ['passes on to any port', { pattern: '[0-9]+' }, 'other-ports', /passes on to port 30000 /],
  ])('names a proxy that %s', async (_, broken, check, message) => {
    const { faults, find } = await examineBehind(broken);
    expect(find(check)?.status).toBe('fault');
    expect(faults).toEqual([expect.stringMatching(message)]);
  });

  it('names a proxy that does not run', async () => {
    const { faults } = await examineNames('https://{port}.preview.test');
    expect(faults).toEqual([
      expect.stringMatching(
        /^https:\S+ refuses connections .*: the proxy does not run, or does not listen there, or a firewall rejects what comes to TCP 443; or \d+\.preview\.test leads to another machine$/,
      ),
    ]);
  });

  it('names a proxy that refuses the name in the TLS handshake', async () => {
    await startNginx(
      NGINX,
      `server { listen ${NGINX}:443 ssl default_server; ssl_reject_handshake on; }`,
      certificate,
    );
    const { faults } = await examineNames('https://{port}.preview.test');
    expect(faults).toEqual([
      expect.stringMatching(
        /does not speak TLS with us for the name \d+\.preview\.test .*check that the proxy has a certificate for this name/,
      ),
    ]);
  });

  it('names an https address where no proxy ends TLS', async () => {
    const { faults } = await examineNames('https://preview.test:{port}', TUNNELS);
    expect(faults).toEqual([
      expect.stringMatching(
        /the TLS of a visit to https:\/\/preview\.test:\d+ arrives in the tunnel: nothing in front ends it/,
      ),
    ]);
  });

  it('names visitors who can go around the proxy', async () => {
    const open = '127.0.16.14';
    const server = await launchRealServer(open, { secret: SECRET, minPort: RANGE.min, maxPort: RANGE.max });
    onTestFinished(server.kill);
    const { faults, find } = await examineBehind({ pass: `${open}:$tunnel` }, true, open);
    expect(faults).toEqual([
      expect.stringMatching(/^visitors can go around the proxy: http:\/\/127\.0\.16\.14:\d+ is open/),
    ]);
    expect(find('version')?.status).toBe('ok');
    expect((await examineNames('https://{port}.preview.test', NGINX, open)).faults).toEqual([]);
  });

  it('finds nothing wrong with a proxy without TLS', async () => {
    await startNginx(NGINX, renderServers({}, `${NGINX}:80`, ''), undefined, 80);
    const { faults, warnings, find } = await examineNames('http://{port}.preview.test');
    expect([faults, warnings]).toEqual([[], []]);
    expect(find('websocket')?.status).toBe('ok');
    expect(find('certificate')).toBeUndefined();
  });

  it.each<[string, () => TestCertificate, RegExp]>([
    [
      'has expired',
      () => issue([NAME], '20250101000000Z', '20260101000000Z'),
      /expired at 2026-01-01T00:00:00\.000Z, and it is 20/,
    ],
    [
      'is not valid yet',
      () => issue([NAME], '20900101000000Z', '20910101000000Z'),
      /is not valid before 2090-01-01T00:00:00\.000Z/,
    ],
    [
      'is for another name',
      () => issue(['*.example.com', 'example.com']),
      /is not for \d+\.preview\.test, which visitors use, but for \*\.example\.com, example\.com: get one for \*\.preview\.test/,
    ],
    [
      'is sent without its intermediate',
      () => issueByIntermediate().leaf,
      /chain of the certificate is not complete: that of its issuer \(CN=an intermediate\) is missing; give the proxy fullchain\.pem/,
    ],
    [
      'has a chain to an unknown authority',
      () => issueByIntermediate().chain,
      /from an authority that this machine does not know \(CN=an authority\)/,
    ],
    ['is signed by itself', signItself, /is signed by nobody but itself, so browsers warn every visitor/],
    [
      'is from an unknown authority',
      issueElsewhere,
      /the chain of the certificate is not complete: that of its issuer \(CN=expose test CA\)/,
    ],
  ])('names a certificate that %s, and goes on with the other checks', async (_, create, message) => {
    const { faults, find } = await examineBehind({ certificate: create() });
    expect(faults).toEqual([expect.stringMatching(message)]);
    expect(find('certificate')?.status).toBe('fault');
    expect(find('websocket')?.status).toBe('ok');
  });

  it.each<[string, Broken, CheckName, RegExp]>([
    [
      'keeps uploads until they are complete',
      { without: /request_buffering/ },
      'upload',
      /keeps an upload until it is complete/,
    ],
    ['speaks HTTP/1.1 only', { listen: 'ssl' }, 'http2', /speaks HTTP\/1\.1 only/],
    [
      'takes only short heads',
      { server: 'client_header_buffer_size 1k; large_client_header_buffers 4 2k;' },
      'large-head',
      /refuses a request head of 15 KB \(the answer was 400\)/,
    ],
  ])('warns of a proxy that %s, which is no fault', async (_, broken, check, message) => {
    const { faults, warnings, find } = await examineBehind(broken);
    expect(faults).toEqual([]);
    expect(find(check)?.status).toBe('warning');
    expect(warnings).toEqual([expect.stringMatching(message)]);
  });

  it('reads only the beginning of an answer over HTTP/2, which may have no end', async () => {
    const endless = createServer((_, response) => {
      const send = () => {
        while (response.write('x'.repeat(65_536)));
      };
      response.on('drain', send);
      send();
    });
    await listen(endless, { host: ENDLESS, port: 81 });
    onTestFinished(() => {
      endless.close();
      endless.closeAllConnections();
    });
    const server = `set $up ${TUNNELS}:$tunnel; if ($server_protocol = HTTP/2.0) { set $up ${ENDLESS}:81; }`;
    const { find } = await examineBehind({ server, pass: '$up' });
    expect(find('http2')?.messages).toEqual([
      { status: 'fault', message: expect.stringContaining('a visit with it does not arrive in the tunnel') },
    ]);
  });

  it('warns of a certificate that ends within two weeks', async () => {
    const { faults, warnings } = await examineBehind({
      certificate: ca.issue([`DNS:${NAME}`], { days: 10 }),
    });
    expect(faults).toEqual([]);
    expect(warnings).toEqual([expect.stringMatching(/^the certificate ends soon, at 20/)]);
  });

  it('only warns of a forged X-Forwarded-For where nobody believes it', async () => {
    const { faults, warnings } = await examineBehind({ without: /Forwarded/ }, false);
    expect(faults).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining('harmless while `trusted-proxy` is off')]);
  });
});

function issue(names: readonly string[], from?: string, to?: string): TestCertificate {
  return ca.issue(
    names.map(name => `DNS:${name}`),
    from === undefined ? { days: 60 } : { from, to: to ?? from },
  );
}

function signItself(): TestCertificate {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-cert-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=preview.test', '-addext', `subjectAltName=DNS:${NAME}`];
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '60', ...subject];
  execFileSync('openssl', [...args, '-keyout', key, '-out', cert], { stdio: 'pipe' });
  const made = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  rmSync(folder, { recursive: true });
  return made;
}

/** The leaf alone, and with its intermediate, of an authority that nobody trusts. */
function issueByIntermediate(): { leaf: TestCertificate; chain: TestCertificate } {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-chain-'));
  const make = (name: string, subject: string, extension: string, issuer?: string) => {
    const signedBy = issuer === undefined ? [] : ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`];
    const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '60', '-subj', `/CN=${subject}`];
    const files = ['-addext', extension, '-keyout', `${name}.key`, '-out', `${name}.pem`];
    execFileSync('openssl', [...args, ...signedBy, ...files], { cwd: folder, stdio: 'pipe' });
    return readFileSync(join(folder, `${name}.pem`), 'utf8');
  };
  make('root', 'an authority', 'keyUsage=keyCertSign');
  const between = make('between', 'an intermediate', 'keyUsage=keyCertSign', 'root');
  const cert = make('leaf', 'preview.test', `subjectAltName=DNS:${NAME}`, 'between');
  const key = readFileSync(join(folder, 'leaf.key'), 'utf8');
  rmSync(folder, { recursive: true });
  return { leaf: { cert, key }, chain: { cert: cert + between, key } };
}

function issueElsewhere(): TestCertificate {
  const other = new TestCa();
  try {
    return other.issue([`DNS:${NAME}`], { days: 60 });
  } finally {
    other.remove();
  }
}
