// docs/private-server.md and the pages it links, followed line by line from an empty VM to https links: with a real
// systemd, bore, nftables, certbot and nginx, a DNS server, and Let's Encrypt's ACME server for tests. The machine has no
// internet, so what the pages install is there already.

import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { startAcme, trust } from '../support/acme-machine.ts';
import { type Machine, startMachines } from '../support/machines.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { isFull } from '../support/scale.ts';
import { bootSystemd, type SystemdMachine } from '../support/systemd-machine.ts';
import { TestCa } from '../support/test-ca.ts';
import { readCommands } from './page-commands.ts';

/** Where the checkout is on the VM. */
const CHECKOUT = '/usr/local/src/expose-action';
const KEY = { name: 'certbot.', secret: Buffer.alloc(32, 'k').toString('base64') };
const PROXY = ['--public-url', 'https://{port}.preview.example.com', '--trusted-proxy'];
const SERVER = ['--server', 'bore.example.com', '--port-range', '20000-29999'];
const ca = new TestCa();
afterAll(() => ca.remove());

/** The pages' blocks of commands that are run: the page, and what only this block of it contains. */
const STEPS = {
  settings: ['bore-server.md', 'BORE_SECRET=$(openssl rand -hex 32)/" self-host/systemd'],
  install: ['bore-server.md', 'systemctl enable --now bore bore-health.timer'],
  firewall: ['bore-server.md', '/etc/nftables.d-bore.conf'],
  bindTunnels: ['private-server.md', 'BORE_BIND_TUNNELS=127.0.0.2'],
  certificate: ['certificates.md', 'dns_rfc2136_server'],
  nginx: ['private-server.md', 'self-host/nginx/previews.conf'],
  proxyPorts: ['private-server.md', 'define visitor_ports'],
  hook: ['certificates.md', 'self-host/certbot/reload-nginx'],
  renewal: ['certificates.md', 'certbot renew --dry-run'],
} as const;

async function start() {
  const rig = await startMachines({
    names: ['vm', 'runner', 'visitor', 'authority'],
    updates: { zone: '_acme-challenge.preview.example.com', key: KEY },
    ownFolders: ['/var', '/usr/local'],
  });
  onTestFinished(() => rig.stop());
  const { vm, runner, visitor, authority } = rig.machines;
  const root = await startAcme(authority, rig, ca);
  for (const machine of [vm, runner, visitor]) await trust(machine, [root, ca.pem]);
  const checkout = globSync('self-host/**/*', { withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => resolve(entry.parentPath, entry.name));
  const files = checkout.map(file => [file.replace(resolve('.'), CHECKOUT), { from: file }] as const);
  const bore = ['/usr/local/bin/bore', { from: requirePart('bore') }] as const;
  const systemd = await bootSystemd(Object.fromEntries([...files, bore]), vm);
  onTestFinished(() => systemd.stop());
  return { ...rig, systemd };
}

/** As somebody who pastes a block into a root shell. */
async function paste(systemd: SystemdMachine, commands: string): Promise<string> {
  const { code, output } = await systemd.run(`set -e; cd ${CHECKOUT}\n${commands}`);
  expect(code, `${commands}\n${output}`).toBe(0);
  return output;
}

const CLI = resolve('src/cli.ts');

/** What `expose` finds in its environment. */
const describeJob = (secret: string) => ({
  ...process.env,
  BORE_SECRET: secret,
  NODE_EXTRA_CA_CERTS: '/etc/ssl/certs/ca-certificates.crt',
});

async function diagnose(machine: Machine, secret: string, ...more: string[]): Promise<string> {
  const args = [CLI, 'doctor', ...SERVER, ...more];
  return (await machine.finish(process.execPath, args, { env: describeJob(secret) })).stdout;
}

/** Resolves with the link of a preview that runs to the end of the test. */
async function preview(machine: Machine, secret: string, ...more: string[]): Promise<string> {
  const args = [CLI, 'run', 'examples/web-hello', ...SERVER, ...more];
  const child = machine.run(process.execPath, args, {
    env: describeJob(secret),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (child.stdout === null) throw new Error('no pipe');
  for await (const line of createInterface(child.stdout)) {
    const link = /\bhttps?:\/\/\S+expose-key=\S+/.exec(line)?.[0];
    if (link !== undefined) return link;
  }
  throw new Error('the preview has ended without a link');
}

async function visit(machine: Machine, link: string): Promise<string> {
  const { stdout } = await machine.finish('curl', ['-sL', '--cookie-jar', '-', '--cookie', '', link]);
  return stdout;
}

it.each(Object.values(STEPS))('docs/%s has one block of commands with %s', (page, mark) => {
  expect(readCommands([page, mark])).toContain(mark);
});

describeWithReal(
  ['machines', 'systemd', 'bore', 'certbot', 'pebble', 'nginx'],
  'the guide for a server of your own',
  () => {
    it.runIf(isFull)(
      'leads from an empty VM to links, and on to https links',
      async () => {
        const { systemd, machines, setRecord, dnsAddress } = await start();
        const { vm, runner, visitor } = machines;
        await setRecord('bore.example.com', [vm.ipv4]);
        await setRecord('*.preview.example.com', [vm.ipv4]);
        await paste(systemd, readCommands(STEPS.settings));
        const installed = await paste(systemd, readCommands(STEPS.install));
        expect(installed).toContain('127.0.0.1:7835 is a bore server and asks for its secret');
        await paste(systemd, readCommands(STEPS.firewall));
        const secret = (await paste(systemd, "sed -n 's/^BORE_SECRET=//p' /etc/bore/bore.env")).trim();
        expect(secret).toMatch(/^[0-9a-f]{64}$/);
        expect(await diagnose(runner, secret)).toMatch(/\bno faults\n$/);
        expect(await visit(visitor, await preview(runner, secret))).toContain('<title>');

        await paste(systemd, readCommands(STEPS.bindTunnels));
        const certificate = readCommands(STEPS.certificate)
          .replace('203.0.113.53', dnsAddress)
          .replace('BASE64_OF_THE_KEY', KEY.secret);
        await paste(systemd, certificate);
        await paste(systemd, 'systemctl start nginx'); // as Debian does when it installs it
        await paste(systemd, readCommands(STEPS.nginx));
        await paste(systemd, readCommands(STEPS.proxyPorts));
        await paste(systemd, readCommands(STEPS.firewall));
        await paste(systemd, 'systemctl restart nftables'); // as at the next boot
        expect(await diagnose(runner, secret, ...PROXY)).toMatch(/\bno faults\n$/);
        const link = await preview(runner, secret, ...PROXY);
        expect(link).toMatch(/^https:\/\/2\d{4}\.preview\.example\.com\//);
        expect(await visit(visitor, link)).toContain('<title>');

        await paste(systemd, readCommands(STEPS.hook));
        await paste(systemd, readCommands(STEPS.renewal));
      },
      300_000,
    ); // certbot waits 10 s for the DNS, twice
  },
);
