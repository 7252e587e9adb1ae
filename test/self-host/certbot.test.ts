// The certificate of the proxy as docs/certificates.md gets and renews it: the real certbot, a DNS server that takes
// updates, Let's Encrypt's own ACME server for tests, and nginx.

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { startAcme, trust } from '../support/acme-machine.ts';
import { startDuckdnsMachine } from '../support/duckdns-machine.ts';
import { type Machine, startMachines } from '../support/machines.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { isFull } from '../support/scale.ts';
import { TestCa } from '../support/test-ca.ts';
import { waitUntil } from '../support/wait-until.ts';

const LIVE = '/etc/letsencrypt/live/preview.example.com';
const KEY = { name: 'certbot.', secret: Buffer.alloc(32, 'k').toString('base64') };
const ca = new TestCa();
afterAll(() => ca.remove());

/** A VM on which certbot trusts the authority, and whose only wildcard name is preview.example.com. */
async function start() {
  const rig = await startMachines({
    names: ['vm', 'authority', 'duckdns'],
    ownFolders: ['/var/lib', '/var/log', '/usr/local'],
    updates: { zone: '_acme-challenge.preview.example.com', key: KEY },
  });
  onTestFinished(() => rig.stop());
  const { vm, authority } = rig.machines;
  const root = await startAcme(authority, rig, ca);
  await trust(vm, [root, ca.pem]);
  const certbot = async (...args: string[]) => {
    const { code, stdout, stderr } = await vm.finish(requirePart('certbot'), args);
    if (code !== 0) throw new Error(`certbot: ${stdout}${stderr}`);
  };
  return { ...rig, vm, certbot };
}

const nightly = it.runIf(isFull);
const ASK = ['certonly', '--non-interactive', '--agree-tos', '--register-unsafely-without-email'];

const readCertificate = (vm: Machine) => new X509Certificate(readFileSync(vm.path(`${LIVE}/fullchain.pem`)));

describeWithReal(['machines', 'certbot', 'pebble', 'nginx'], "certbot's certificate", () => {
  nightly(
    'is a wildcard, proved by a DNS update, and nginx serves the next one after a renewal',
    async () => {
      const { vm, dnsAddress, certbot } = await start();
      const credentials = `dns_rfc2136_server = ${dnsAddress}
dns_rfc2136_name = ${KEY.name}
dns_rfc2136_secret = ${KEY.secret}
dns_rfc2136_algorithm = HMAC-SHA256
`;
      mkdirSync(vm.path('/etc/letsencrypt/renewal-hooks/deploy'), { recursive: true });
      writeFileSync(vm.path('/etc/letsencrypt/dns.ini'), credentials, { mode: 0o600 });
      const dns = ['--dns-rfc2136', '--dns-rfc2136-credentials', '/etc/letsencrypt/dns.ini'];
      const names = ['-d', '*.preview.example.com', '--cert-name', 'preview.example.com'];
      await certbot(...ASK, ...dns, '--dns-rfc2136-propagation-seconds', '1', ...names);
      const first = readCertificate(vm);
      expect(first.subjectAltName).toBe('DNS:*.preview.example.com');

      const readServed = await serve(vm);
      expect(await readServed()).toBe(first.serialNumber);
      copyFileSync(
        'self-host/certbot/reload-nginx',
        vm.path('/etc/letsencrypt/renewal-hooks/deploy/reload-nginx'),
      );
      await certbot('renew', '--force-renewal', '--no-random-sleep-on-renew');
      const second = readCertificate(vm).serialNumber;
      expect(second).not.toBe(first.serialNumber);
      await waitUntil(async () => (await readServed()) === second, 'nginx serves the new certificate');
    },
  );

  nightly(
    "comes by DuckDNS's one TXT record, which is too few for the name itself and all below it",
    async () => {
      const { machines, vm, certbot, setRecord } = await start();
      const token = 'a1b2c3d4-0000-4000-8000-fedcba987654';
      await startDuckdnsMachine(machines.duckdns, setRecord, ca, { name: 'myname', token });
      const updater = resolve('self-host/duckdns/duckdns-update');
      mkdirSync(vm.path('/etc/duckdns'));
      const config = `NAME=myname\nTOKEN=${token}\nWAIT=1\n`;
      writeFileSync(vm.path('/etc/duckdns/duckdns.conf'), config, { mode: 0o600 });
      const updated = await vm.finish(updater, []);
      expect(updated.stdout).toBe(`myname.duckdns.org leads to ${vm.ipv4}; changed now\n`);
      const lookUp = () => vm.finish('getent', ['hosts', '20042.myname.duckdns.org']);
      await waitUntil(
        async () => (await lookUp()).stdout.startsWith(vm.ipv4),
        'names below it lead there, too',
      );
      const hooks = [
        `--manual-auth-hook=${updater} certbot-auth`,
        `--manual-cleanup-hook=${updater} certbot-cleanup`,
      ];
      const manual = ['--manual', '--preferred-challenges=dns', ...hooks, '--cert-name=preview.example.com'];
      await certbot(...ASK, ...manual, '-d', '*.myname.duckdns.org');
      expect(readCertificate(vm).subjectAltName).toBe('DNS:*.myname.duckdns.org');
      const both = ['-d', 'myname.duckdns.org', '-d', '*.myname.duckdns.org', '--expand'];
      await expect(certbot(...ASK, ...manual, ...both)).rejects.toThrow('Some challenges have failed');
    },
  );
});

/**
 * nginx with the certificate, and `systemctl reload nginx` for a machine without systemd. Resolves with what asks nginx
 * for its certificate's serial number.
 */
async function serve(vm: Machine): Promise<() => Promise<string>> {
  const config = `events {}
http { access_log off; server { listen 443 ssl; ssl_certificate ${LIVE}/fullchain.pem; ssl_certificate_key ${LIVE}/privkey.pem; } }`;
  writeFileSync(vm.path('/etc/nginx/nginx.conf'), `pid /run/nginx.pid; ${config}`);
  mkdirSync(vm.path('/usr/local/bin'), { recursive: true });
  writeFileSync(
    vm.path('/usr/local/bin/systemctl'),
    '#!/bin/sh\n[ "$*" = "reload nginx" ] && exec nginx -s reload\n',
    { mode: 0o755 },
  );
  const nginx = vm.run(requirePart('nginx'), ['-g', 'daemon off;'], { stdio: 'ignore' });
  await once(nginx, 'spawn');
  const ask = async () => {
    const { stdout } = await vm.finish('sh', [
      '-c',
      'openssl s_client -connect 127.0.0.1:443 -servername 20000.preview.example.com </dev/null | openssl x509 -noout -serial',
    ]);
    return stdout.trim().replace('serial=', '');
  };
  await waitUntil(async () => (await ask()) !== '', 'nginx serves a certificate');
  return ask;
}
