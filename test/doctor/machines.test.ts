// What `expose doctor` says where names, firewalls, routers and versions of bore matter: the command on one machine, the
// server on another one, with a DNS server between them.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import {
  type Finished,
  type Machine,
  type Machines,
  type MachinesOptions,
  startMachines,
} from '../support/machines.ts';
import { writeNginxConfig } from '../support/nginx-config.ts';
import { describeWithReal, type RealPart, requirePart } from '../support/real-parts.ts';
import { isFull } from '../support/scale.ts';
import { TestCa, type TestCertificate } from '../support/test-ca.ts';
import { waitUntil } from '../support/wait-until.ts';
import { isExplained } from './rig.ts';

const SECRET = 'a secret of these tests';
const HOST = 'bore.example.com';
const RANGE = ['--min-port', '20000', '--max-port', '29999'];

interface Said {
  code: number | null;
  faults: string[];
  warnings: string[];
}

interface Json {
  servers: { checks: { findings: { status: string; message: string }[] }[] }[];
}

/** Runs the command on a machine, as a user does. */
function run(machine: Machine, flags: readonly string[], environment = {}): Promise<Finished> {
  const command = [
    '--disable-warning=ExperimentalWarning',
    'src/cli.ts',
    'doctor',
    '--port-range',
    '20000-29999',
  ];
  const server = flags.includes('--server') ? [] : ['--server', HOST];
  const env = { ...process.env, BORE_SECRET: SECRET, ...environment };
  return machine.finish(process.execPath, [...command, ...server, ...flags], { env });
}

/** What it finds. Every message must be in docs/troubleshooting.md. */
async function examine(machine: Machine, flags: readonly string[] = [], environment = {}): Promise<Said> {
  const { code, stdout, stderr } = await run(machine, [...flags, '--json'], environment);
  expect(stderr).toBe('');
  const { servers }: Json = JSON.parse(stdout);
  const findings = servers.flatMap(({ checks }) => checks.flatMap(check => check.findings));
  const list = (status: string) => findings.flatMap(one => (one.status === status ? one.message : []));
  const said = { code, faults: list('fault'), warnings: list('warning') };
  for (const message of [...said.faults, ...said.warnings]) expect(isExplained(message), message).toBe(true);
  return said;
}

async function startBore(
  machine: Machine,
  part: RealPart = 'bore',
  flags: readonly string[] = RANGE,
): Promise<void> {
  const child = machine.run(requirePart(part), ['server', ...flags], {
    env: { ...process.env, BORE_SECRET: SECRET },
    stdio: 'ignore',
  });
  await waitUntil(async () => {
    const { code } = await machine.finish('bash', ['-c', '</dev/tcp/127.0.0.1/7835']);
    if (child.exitCode !== null) throw new Error(`bore exited with ${child.exitCode}`);
    return code === 0;
  }, `${part} listens`);
}

async function start<Name extends string>(options: MachinesOptions<Name>) {
  const rig = await startMachines(options);
  onTestFinished(() => rig.stop());
  return rig;
}

describeWithReal(['machines', 'bore'], 'expose doctor, on another machine than the server,', () => {
  let rig: Machines<'server' | 'other' | 'laptop'>;
  beforeAll(async () => {
    rig = await startMachines({ names: ['server', 'other', 'laptop'] });
    await startBore(rig.machines.server);
  });
  afterAll(() => rig.stop());
  beforeEach(async () => {
    await rig.setRecord(HOST, [rig.machines.server.ipv4]);
    onTestFinished(() => rig.machines.server.firewall(''));
  });

  it('finds nothing wrong with a good server, and exits with 0', async () => {
    const { code, stdout, stderr } = await run(rig.machines.laptop, []);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^bore\.example\.com:7835\n(?: {2}[✓-] .*\n)+\nno faults\n$/);
    expect(stdout).toContain('  ✓ Public port   a visit to http://bore.example.com:2');
    expect(stdout).not.toContain(SECRET);
  });

  it('names a name that does not exist', async () => {
    await rig.setRecord(HOST, []);
    const { code, faults } = await examine(rig.machines.laptop);
    expect(faults).toEqual([
      expect.stringMatching(/^there is no host bore\.example\.com .*: check `server` for a typo$/),
    ]);
    expect(code).toBe(1);
  });

  it('names a name that exists and has no address', async () => {
    await rig.setRecord(HOST, ['TXT "v=spf1 -all"']);
    const { faults } = await examine(rig.machines.laptop);
    expect(faults).toEqual([expect.stringContaining('the name bore.example.com exists, but has no address')]);
  });

  it('names a wildcard record that is missing', async () => {
    await rig.setRecord('preview.example.com', [rig.machines.server.ipv4]);
    const { faults } = await examine(rig.machines.laptop, [
      '--public-url',
      'https://{port}.preview.example.com',
    ]);
    expect(faults).toEqual([
      expect.stringContaining(
        'there is no host 20000.preview.example.com, which visitors use: add the wildcard record *.preview.example.com',
      ),
    ]);
  });

  it.each([
    [
      'drops what comes to the control port',
      'tcp dport 7835 drop',
      /^could not reach bore\.example\.com:7835: no answer within 3 s: is the bore server running, and does a firewall/,
    ],
    [
      'drops what comes to the public ports',
      'tcp dport 20000-29999 drop',
      /did not answer from here \(no answer in time at 203\.0\.113\.\d+:2\d{4}\): a firewall drops what comes to the public ports \(20000-29999\); .*; if visitors come through a proxy instead, give --public-url$/,
    ],
  ])('names a firewall that %s', async (_, rules, message) => {
    await rig.machines.server.firewall(rules);
    const { code, faults } = await examine(rig.machines.laptop);
    expect(faults).toEqual([expect.stringMatching(message)]);
    expect(code).toBe(1);
  });

  it('names a public name that leads to another machine', async () => {
    await rig.setRecord('preview.example.com', [rig.machines.other.ipv4]);
    const { faults } = await examine(rig.machines.laptop, [
      '--public-url',
      'http://preview.example.com:{port}',
    ]);
    expect(faults).toEqual([
      expect.stringMatching(/refuses connections .* or preview\.example\.com leads to another machine$/),
    ]);
  });

  it('warns of an IPv6 address on which bore does not listen', async () => {
    await rig.setRecord(HOST, [rig.machines.server.ipv4, rig.machines.server.ipv6 ?? '']);
    const { code, faults, warnings } = await examine(rig.machines.laptop);
    expect({ code, faults }).toEqual({ code: 0, faults: [] });
    expect(warnings).toEqual([
      expect.stringMatching(
        /^\[2001:db8:113::1\]:7835, another address of bore\.example\.com, does not answer .*BORE_BIND_ADDR/,
      ),
      expect.stringMatching(
        /^\[2001:db8:113::1\]:2\d{4}, another address of bore\.example\.com, does not lead to the tunnel .*let bore \(--bind-tunnels, BORE_BIND_TUNNELS\) listen/,
      ),
    ]);
  });

  it('leaves out IPv6 addresses where this machine has no IPv6', async () => {
    const { laptop } = rig.machines;
    await laptop.finish('ip', ['-6', 'addr', 'flush', 'dev', 'eth0']);
    onTestFinished(async () => {
      await laptop.finish('ip', ['-6', 'addr', 'add', `${laptop.ipv6}/64`, 'dev', 'eth0', 'nodad']);
    });
    await rig.setRecord(HOST, [rig.machines.server.ipv4, '2001:db8:77::1']);
    const { code, faults, warnings } = await examine(laptop);
    expect({ code, faults, warnings }).toEqual({ code: 0, faults: [], warnings: [] });
  });

  it("names Cloudflare's proxy, which does not pass on the control port", async () => {
    await rig.setRecord(HOST, ['104.16.0.7']);
    const { faults } = await examine(rig.machines.laptop);
    expect(faults).toEqual([
      expect.stringMatching(
        /: 104\.16\.0\.7 belongs to Cloudflare, .* set the record of bore\.example\.com to "DNS only"$/,
      ),
    ]);
  });

  it('warns of a private address behind a public name', async () => {
    await rig.machines.server.finish('ip', ['addr', 'add', '10.0.0.7/24', 'dev', 'eth0']);
    await rig.machines.laptop.finish('ip', ['addr', 'add', '10.0.0.8/24', 'dev', 'eth0']);
    await rig.setRecord(HOST, ['10.0.0.7']);
    const { faults, warnings } = await examine(rig.machines.laptop);
    expect(faults).toEqual([]);
    expect(warnings).toEqual([
      expect.stringContaining('bore.example.com leads to 10.0.0.7, a private address'),
    ]);
  });
});

describeWithReal(
  ['machines', 'bore', 'nginx'],
  'expose doctor, on a proxy whose name has an IPv4 and an IPv6 address,',
  () => {
    const flags = ['--public-url', 'https://{port}.preview.example.com'];
    const ca = new TestCa();
    const folder = mkdtempSync(join(tmpdir(), 'doctor-proxy-'));
    const trust = { NODE_EXTRA_CA_CERTS: ca.file };
    let rig: Machines<'server' | 'laptop'>;
    beforeAll(async () => {
      rig = await startMachines({ names: ['server', 'laptop'] });
      const { server } = rig.machines;
      await rig.setRecord(HOST, [server.ipv4]);
      await rig.setRecord('*.preview.example.com', [server.ipv4, server.ipv6 ?? '']);
      await startBore(server, 'bore', [...RANGE, '--bind-tunnels', '127.0.0.2']);
      await startNginx(
        server,
        folder,
        ca.issue(['DNS:*.preview.example.com'], { days: 60 }),
        `server { listen 443 ssl http2; listen [::]:443 ssl http2 ipv6only=on;
           server_name "~^(?<tunnel>2[0-9]{4})\\.preview\\.example\\.com$";
           location / { proxy_pass http://127.0.0.2:$tunnel; proxy_http_version 1.1; proxy_set_header Host $host;
             proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;
             proxy_set_header X-Forwarded-For $remote_addr; proxy_buffering off; proxy_request_buffering off;
             client_max_body_size 0; } }
         server { listen 443 ssl default_server; listen [::]:443 ssl default_server; return 404; }`,
      );
    });
    afterAll(async () => {
      await rig.stop();
      ca.remove();
      rmSync(folder, { recursive: true, force: true });
    });
    beforeEach(() => {
      onTestFinished(() => rig.machines.server.firewall(''));
    });

    it('says that both work', async () => {
      const { stdout, code } = await run(rig.machines.laptop, flags, trust);
      expect([code, stdout]).toEqual([0, expect.stringMatching(/\nno faults\n$/)]);
      expect(stdout).toMatch(/ (\S+:443) and (?!\1)\S+:443 speak TLS\n/);
      expect(stdout).toMatch(/a visit to https:\S+ arrives in the tunnel, at each of 2 addresses\n/);
    });

    const dropsIpv4 = ['drops IPv4', 'ipv4', 'ipv6', 'drop', 'no answer in time'] as const;
    it.each([
      ...(isFull ? [dropsIpv4] : []),
      ['drops IPv6', 'ipv6', 'ipv4', 'drop', 'no answer in time'] as const,
      ['rejects IPv4', 'ipv4', 'ipv6', 'reject with icmp type host-prohibited', 'EHOSTUNREACH'] as const,
    ])('names a firewall that %s, and the address that works', async (_, blocked, open, verdict, said) => {
      const { server, laptop } = rig.machines;
      await server.firewall(`meta nfproto ${blocked} tcp dport 443 ${verdict}`);
      const { faults, warnings } = await examine(laptop, flags, trust);
      const show = (address = '') => (address.includes(':') ? `[${address}]` : address);
      expect([faults, warnings]).toEqual([[expect.stringContaining(said)], []]);
      expect(faults[0]).toContain(`${show(server[blocked])}:443, another address of 2`);
      expect(faults[0]).toContain(`), and ${show(server[open])}:443 does: a firewall drops`);
      expect(faults[0]).toContain(
        `TCP 443 there; let it in for ${blocked === 'ipv4' ? 'IPv4' : 'IPv6'}, too`,
      );
    });

    it('names a firewall that rejects IPv6, as the usual one of Fedora does, as a warning', async () => {
      const { server, laptop } = rig.machines;
      await server.firewall('meta nfproto ipv6 tcp dport 443 reject with icmpv6 type admin-prohibited');
      const { faults, warnings } = await examine(laptop, flags, trust);
      expect([faults, warnings]).toEqual([
        [],
        [expect.stringMatching(/EACCES.*let the proxy listen on it and the firewall let it in/)],
      ]);
    });

    it.runIf(isFull)('names both addresses if a firewall drops both', async () => {
      const { server, laptop } = rig.machines;
      await server.firewall('tcp dport 443 drop');
      const { faults } = await examine(laptop, flags, trust);
      expect(faults).toEqual([
        expect.stringMatching(/\(no answer in time at \S+:443 and \S+:443\): a firewall/),
      ]);
      expect(faults[0]).toContain(`${server.ipv4}:443`);
      expect(faults[0]).toContain(`[${server.ipv6}]:443`);
    });

    it('asks for --public-url where it was forgotten, instead of opening the ports behind the proxy', async () => {
      const { faults } = await examine(rig.machines.laptop);
      expect(faults).toEqual([
        expect.stringMatching(/as it should if visitors come through a proxy: then give --public-url/),
      ]);
    });
  },
);

describeWithReal(['machines', 'bore'], 'expose doctor, behind the same router as the server,', () => {
  it('warns that the public address cannot be reached from there, and finds nothing wrong from outside', async () => {
    const { machines, routerAddress, setRecord } = await start({
      names: ['server', 'laptop', 'visitor'],
      home: { names: ['server', 'laptop'], forward: { to: 'server', ports: '7835, 20000-29999' } },
    });
    await startBore(machines.server);
    await setRecord(HOST, [routerAddress]);
    const inside = await examine(machines.laptop, [
      '--server',
      machines.server.ipv4,
      '--public-url',
      `http://${HOST}:{port}`,
    ]);
    expect({ code: inside.code, faults: inside.faults }).toEqual({ code: 0, faults: [] });
    expect(inside.warnings).toEqual([
      expect.stringMatching(
        /did not answer from here .*no hairpin NAT.*run the doctor from another network, too$/,
      ),
    ]);
    const outside = await examine(machines.visitor);
    expect([outside.code, outside.faults, outside.warnings]).toEqual([0, [], []]);
  });
});

describeWithReal(['machines', 'bore-0.5'], 'expose doctor, on a server with bore 0.5,', () => {
  it('names the version', async () => {
    const { machines, setRecord } = await start({ names: ['server', 'laptop'] });
    await startBore(machines.server, 'bore-0.5');
    await setRecord(HOST, [machines.server.ipv4]);
    const { faults } = await examine(machines.laptop);
    expect(faults).toEqual([
      expect.stringContaining('as bore 0.5 does, so some clients get none: install bore 0.6.0'),
    ]);
  });
});

describeWithReal(
  ['machines', 'bore', 'nginx'],
  'expose doctor, on a name whose domain has a web site,',
  () => {
    it('warns if the site asks for https on all names of the domain', async () => {
      const { machines, setRecord } = await start({ names: ['server', 'site', 'laptop'] });
      const ca = new TestCa();
      onTestFinished(() => ca.remove());
      await startBore(machines.server);
      await setRecord(HOST, [machines.server.ipv4]);
      await setRecord('example.com', [machines.site.ipv4]);
      await startSite(machines.site, ca, 'max-age=31536000; includeSubDomains');
      const trust = { NODE_EXTRA_CA_CERTS: ca.file };
      const { code, warnings } = await examine(machines.laptop, [], trust);
      expect(warnings).toEqual([
        expect.stringContaining('https://example.com sends Strict-Transport-Security with includeSubDomains'),
      ]);
      expect(code).toBe(0);
      // Browsers ignore the field if they do not trust the certificate (RFC 6797, 8.1).
      expect((await examine(machines.laptop)).warnings).toEqual([]);
    });
  },
);

async function startSite(machine: Machine, ca: TestCa, rule: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-site-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const child = await startNginx(
    machine,
    folder,
    ca.issue(['DNS:example.com']),
    `server { listen 443 ssl; add_header Strict-Transport-Security "${rule}" always; return 200 hello; }`,
  );
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
}

/** nginx on port 443 with one certificate; `servers` are its `server` blocks. */
async function startNginx(
  machine: Machine,
  folder: string,
  { cert, key }: TestCertificate,
  servers: string,
): Promise<ChildProcess> {
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key);
  const args = writeNginxConfig(
    folder,
    `large_client_header_buffers 4 16k; ssl_certificate cert.pem; ssl_certificate_key key.pem;\n${servers}`,
  );
  const child = machine.run(requirePart('nginx'), args, { stdio: 'ignore' });
  child.once('error', () => {});
  await waitUntil(
    async () => (await machine.finish('bash', ['-c', '</dev/tcp/127.0.0.1/443'])).code === 0,
    'nginx listens',
  );
  return child;
}
