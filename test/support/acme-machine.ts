// A machine of machines.ts as Let's Encrypt: Pebble, its ACME server for tests, under the names of the real one. So
// certbot and other clients run there as they are, without options for tests.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine, Machines } from './machines.ts';
import { writeNginxConfig } from './nginx-config.ts';
import { requirePart } from './real-parts.ts';
import type { TestCa } from './test-ca.ts';
import { waitUntil } from './wait-until.ts';

const NAMES = ['acme-v02.api.letsencrypt.org', 'acme-staging-v02.api.letsencrypt.org'];

/**
 * Resolves with the authority's root certificate (PEM), new in each run. `ca` issues the certificate of the API itself:
 * machines that use it have to trust both, see `trust`.
 */
export async function startAcme(
  machine: Machine,
  { dnsAddress, setRecord }: Pick<Machines<string>, 'dnsAddress' | 'setRecord'>,
  ca: TestCa,
): Promise<string> {
  const file = (name: string) => join(ca.folder, `acme-${name}`);
  const { cert, key } = ca.issue([...NAMES.map(name => `DNS:${name}`), 'IP:127.0.0.1']);
  await Promise.all([
    writeFile(file('cert.pem'), cert),
    writeFile(file('key.pem'), key),
    writeFile(file('pebble.json'), JSON.stringify(configurePebble(file))),
    ...NAMES.map(name => setRecord(name, [machine.ipv4])),
  ]);
  // Without the random waits and refused nonces with which it teases clients.
  const env = { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' };
  const pebble = ['-config', file('pebble.json'), '-dnsserver', `${dnsAddress}:53`];
  machine.run(requirePart('pebble'), pebble, { env, stdio: 'ignore' });
  machine.run(requirePart('nginx'), writeNginxConfig(ca.folder, renderSite(file)), { stdio: 'ignore' });
  const curl = (url: string) => machine.finish('curl', ['-sf', '--cacert', ca.file, url]);
  await waitUntil(
    async () => (await curl(`https://${NAMES[0]}/directory`)).code === 0,
    'the ACME server answers',
  );
  return (await curl('https://127.0.0.1:15000/roots/0')).stdout;
}

/** Adds certificates (PEM) to those that curl, certbot and other programs on the machine trust. */
export async function trust(machine: Machine, certificates: readonly string[]): Promise<void> {
  await writeFile(machine.path('/etc/ssl/certs/ca-certificates.crt'), `\n${certificates.join('\n')}\n`, {
    flag: 'a',
  });
}

function configurePebble(file: (name: string) => string) {
  return {
    pebble: {
      listenAddress: '127.0.0.1:14000',
      managementListenAddress: '127.0.0.1:15000',
      certificate: file('cert.pem'),
      privateKey: file('key.pem'),
      httpPort: 80,
      tlsPort: 443,
      retryAfter: { authz: 1, order: 1 },
      keyAlgorithm: 'ecdsa',
      profiles: { default: { description: 'as long as the real one', validityPeriod: 90 * 24 * 3600 } },
    },
  };
}

/** Pebble's directory has another path. */
function renderSite(file: (name: string) => string): string {
  return `server {
    listen 443 ssl;
    ssl_certificate ${file('cert.pem')}; ssl_certificate_key ${file('key.pem')};
    proxy_set_header Host $host;
    location = /directory { proxy_pass https://127.0.0.1:14000/dir; }
    location / { proxy_pass https://127.0.0.1:14000; }
  }`;
}
