// The hooks with which certbot gives HAProxy and Caddy a renewed certificate, and the form of Caddy's files.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { bootSystemd, type SystemdMachine } from '../support/systemd-machine.ts';

const LIVE = '/etc/letsencrypt/live/preview.example.com';
/** Shows at a reload what the proxy would read then. */
const service = (files: string) => ({
  text: `[Service]\nExecStart=sleep infinity\nExecReload=sh -c 'cat ${files} >/run/read-at-reload'\n`,
});

describeWithReal(['systemd', 'haproxy', 'caddy'], "certbot's hooks of self-host", () => {
  let machine: SystemdMachine;
  beforeAll(async () => {
    machine = await bootSystemd({
      [`${LIVE}/fullchain.pem`]: { text: 'the certificate\n' },
      [`${LIVE}/privkey.pem`]: { text: 'the key\n' },
      '/var/checkout': { from: 'self-host' },
      '/etc/haproxy/haproxy.cfg': { from: 'self-host/haproxy/haproxy.cfg' },
      '/etc/caddy': { from: 'self-host/caddy' },
      '/etc/systemd/system/haproxy.service': service('/etc/haproxy/preview.example.com.pem'),
      '/etc/systemd/system/caddy.service': service('/etc/caddy/certificate/*.pem'),
    });
  });
  afterAll(() => machine?.stop());

  it.each([
    ['haproxy', '/etc/haproxy/preview.example.com.pem', '600 root:root'],
    ['caddy', '/etc/caddy/certificate/privkey.pem', '640 root:caddy'],
  ])('gives %s both files, and the key to nobody else, before the reload', async (proxy, file, access) => {
    const { code, output } = await machine.run(
      `systemctl start ${proxy} && /var/checkout/${proxy}/deploy-hook && cat /run/read-at-reload && stat -c '%a %U:%G' ${file}`,
    );
    expect([code, output]).toEqual([0, `the certificate\nthe key\n${access}`]);
  });
});

describeWithReal(['caddy'], "Caddy's files", () => {
  const files = readdirSync('self-host/caddy', { recursive: true, encoding: 'utf8' }).filter(name =>
    /(?:^Caddyfile|\.caddy)$/.test(name),
  );

  it.each(files.map(name => [join('self-host/caddy', name)]))('%s has the form of caddy fmt', file => {
    expect(execFileSync(requirePart('caddy'), ['fmt', file], { encoding: 'utf8' })).toBe(
      readFileSync(file, 'utf8'),
    );
  });
});
