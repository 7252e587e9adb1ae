// Caddy gets the certificate for all previews by itself: self-host/caddy as it is, a DNS server that takes updates,
// Let's Encrypt's own ACME server for tests, a real bore server and a preview.

import { X509Certificate } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { startAcme, trust } from '../support/acme-machine.ts';
import { startDuckdnsMachine } from '../support/duckdns-machine.ts';
import { type Machine, type Machines, startMachines } from '../support/machines.ts';
import { describeWithReal, type RealPart, requirePart } from '../support/real-parts.ts';
import { isFull } from '../support/scale.ts';
import { TestCa } from '../support/test-ca.ts';
import { waitUntil } from '../support/wait-until.ts';

const KEY = { name: 'caddy.', secret: Buffer.alloc(32, 'k').toString('base64') };
const TOKEN = 'a1b2c3d4-0000-4000-8000-fedcba987654';
const PARTS: RealPart[] = ['machines', 'pebble', 'nginx', 'bore', 'caddy-dns'];
const ca = new TestCa();
afterAll(() => ca.remove());

// Outside the nightly run its parts are not installed.
describeWithReal(isFull ? PARTS : [], "Caddy's own certificate", () => {
  const nightly = it.runIf(isFull);

  nightly('is one wildcard for all previews, proved by DNS updates', { timeout: 180_000 }, async () => {
    const rig = await start('_acme-challenge.preview.example.com');
    const { vm } = rig.machines;
    await rig.setRecord('*.preview.example.com', [vm.ipv4]);
    install(vm, 'rfc2136', text =>
      text
        .replace('ns.example.com:53', `${rig.dnsAddress}:53`)
        .replace('A'.repeat(43).concat('='), KEY.secret),
    );
    await startPreview(rig);
    const log = startCaddy(vm);
    const first = await waitForPage(rig, '20042.preview.example.com', log);
    expect(first.subjectAltName).toBe('DNS:*.preview.example.com');
    const second = await waitForPage(rig, '29999.preview.example.com', log);
    expect(second.serialNumber).toBe(first.serialNumber);
    expect(log().match(/certificate obtained successfully/g)).toHaveLength(1);
    expect(log()).not.toContain(KEY.secret);
  });

  nightly(
    'is one wildcard for a name of DuckDNS, proved by its TXT record',
    { timeout: 180_000 },
    async () => {
      const rig = await start('duckdns.org');
      const { vm, duckdns } = rig.machines;
      await startDuckdnsMachine(duckdns, updateWith(rig), ca, { name: 'myname', token: TOKEN });
      await vm.finish('curl', [
        '-s',
        `https://www.duckdns.org/update?domains=myname&token=${TOKEN}&ip=${vm.ipv4}`,
      ]);
      install(vm, 'duckdns', text =>
        text
          .replaceAll('preview.example.com', 'myname.duckdns.org')
          .replace('00000000-0000-0000-0000-000000000000', TOKEN),
      );
      await startPreview(rig);
      const log = startCaddy(vm);
      const certificate = await waitForPage(rig, '20042.myname.duckdns.org', log);
      expect(certificate.subjectAltName).toBe('DNS:*.myname.duckdns.org');
      expect(log()).not.toContain(TOKEN);
    },
  );
});

type Rig = Machines<'vm' | 'visitor' | 'authority' | 'duckdns'> & { root: string };

async function start(zone: string): Promise<Rig> {
  const rig = await startMachines({
    names: ['vm', 'visitor', 'authority', 'duckdns'],
    ownFolders: ['/var/lib'],
    updates: { zone, key: KEY },
  });
  onTestFinished(() => rig.stop());
  const { vm, visitor, authority } = rig.machines;
  const root = await startAcme(authority, rig, ca);
  await trust(vm, [root, ca.pem]);
  await trust(visitor, [root]);
  return { ...rig, root };
}

/** Sets records as `setRecord` does, but in the zone that takes updates: Caddy looks for the top of DuckDNS's zone. */
function updateWith({ machines: { duckdns }, dnsAddress }: Rig): Rig['setRecord'] {
  return async (name, records) => {
    const add = records.map(one => `update add ${name}. 1 ${isIP(one) === 4 ? `A ${one}` : one}`);
    const input = [
      `server ${dnsAddress}`,
      'zone duckdns.org.',
      `update delete ${name}.`,
      ...add,
      'send',
      '',
    ].join('\n');
    const key = `hmac-sha256:${KEY.name}:${KEY.secret}`;
    const { code, stderr } = await duckdns.finish('knsupdate', ['-y', key], { input });
    if (code !== 0) throw new Error(`no update of ${name}: ${stderr}`);
  };
}

/** The files of self-host/caddy in /etc/caddy, with the names of this test instead of the examples. */
function install(vm: Machine, certificate: string, replace: (text: string) => string): void {
  const folder = vm.path('/etc/caddy');
  cpSync('self-host/caddy', folder, { recursive: true });
  for (const name of ['Caddyfile', `certificate/${certificate}.caddy`]) {
    const text = readFileSync(`${folder}/${name}`, 'utf8');
    const chosen = text.replace('import certificate/files.caddy', `import certificate/${certificate}.caddy`);
    writeFileSync(`${folder}/${name}`, replace(chosen));
  }
}

/** A bore server behind the proxy, and the same page on two ports. */
async function startPreview({ machines: { vm } }: Rig): Promise<void> {
  const bore = requirePart('bore');
  const ports = ['--min-port', '20000', '--max-port', '29999', '--bind-tunnels', '127.0.0.2'];
  vm.run(bore, ['server', ...ports], { stdio: 'ignore' });
  const app = 'require("http").createServer((_, r) => r.end("the page")).listen(3000, "127.0.0.1")';
  vm.run(process.execPath, ['-e', app], { stdio: 'ignore' });
  for (const port of ['20042', '29999']) {
    const client = () => vm.finish('curl', ['-s', `http://127.0.0.2:${port}`]);
    vm.run('sh', ['-c', `until "$0" local 3000 --to 127.0.0.1 --port ${port}; do :; done`, bore], {
      stdio: 'ignore',
    });
    await waitUntil(async () => (await client()).stdout === 'the page', `the preview on port ${port}`);
  }
}

/** Returns what reads its log. */
function startCaddy(vm: Machine): () => string {
  const home = '/var/lib/caddy';
  const caddy = vm.run(requirePart('caddy-dns'), ['run', '--config', '/etc/caddy/Caddyfile'], {
    env: { ...process.env, HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [caddy.stdout, caddy.stderr])
    stream?.on('data', chunk => {
      log += chunk;
    });
  return () => log;
}

/** Resolves with the certificate with which a visitor has got the page over https. */
async function waitForPage({ machines: { visitor } }: Rig, name: string, log: () => string) {
  const ask = async () => (await visitor.finish('curl', ['-s', `https://${name}/`])).stdout;
  try {
    await waitUntil(async () => (await ask()) === 'the page', `the page at ${name}`, 90_000);
  } catch (error) {
    throw new Error(`no page at ${name}; Caddy said:\n${log()}`, { cause: error });
  }
  const command = `openssl s_client -connect ${name}:443 -servername ${name} </dev/null | openssl x509`;
  return new X509Certificate((await visitor.finish('sh', ['-c', command])).stdout);
}
