// The updater for DuckDNS in self-host/duckdns, with the real curl, against a server that plays DuckDNS's API.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { startDuckdnsServer } from '../support/duckdns-server.ts';
import { startMachines } from '../support/machines.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { bootSystemd } from '../support/systemd-machine.ts';
import { TestCa } from '../support/test-ca.ts';
import { waitUntil } from '../support/wait-until.ts';

const FOLDER = resolve('self-host/duckdns');
const UPDATER = join(FOLDER, 'duckdns-update');
const TOKEN = 'a1b2c3d4-0000-4000-8000-fedcba987654';
const ca = new TestCa();
afterAll(() => ca.remove());

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'duckdns-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A server, and the updater with a configuration for it. */
async function start(config: Record<string, string> = {}) {
  const server = await startDuckdnsServer(ca.issue(['DNS:localhost']), { name: 'myname', token: TOKEN });
  onTestFinished(() => server.stop());
  const folder = makeFolder();
  const lines = { NAME: 'myname', TOKEN, SERVER: `https://localhost:${server.port}`, WAIT: '0', ...config };
  const file = join(folder, 'duckdns.conf');
  writeFileSync(
    file,
    Object.entries(lines)
      .map(line => `${line.join('=')}\n`)
      .join(''),
    { mode: 0o600 },
  );
  const update = (args: string[] = [], env: NodeJS.ProcessEnv = {}) =>
    run(UPDATER, args, { DUCKDNS_CONF: file, ...env });
  return { server, folder, file, update };
}

async function run(program: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, CURL_CA_BUNDLE: ca.file, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const [out, err, [code]] = await output;
  return { code, said: `${out}${err}`.trim() };
}

/** Programs that show the token to everybody (arguments), or to other programs of the same user (environment). */
function findToken(): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name)))
    for (const file of ['cmdline', 'environ'])
      try {
        if (readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(TOKEN)) found.push(file);
      } catch {
        // it has ended, or is another user's
      }
  return found;
}

describe.concurrent('the updater for DuckDNS', () => {
  it('tells the IPv4 address from which it is seen, and says whether that changed something', async () => {
    const { update, server } = await start();
    expect(await update()).toEqual({ code: 0, said: 'myname.duckdns.org leads to 127.0.0.1; changed now' });
    expect(server.records).toEqual({ ip: '127.0.0.1', ipv6: '', txt: '' });
    expect(await update()).toEqual({ code: 0, said: 'myname.duckdns.org leads to 127.0.0.1' });
  });

  it.each([
    [{ IPV4: '192.0.2.1' }, '192.0.2.1', ''],
    [{ IPV4: 'off', IPV6: '2001:db8::1' }, '', '2001:db8::1'],
    [{ IPV4: '192.0.2.1', IPV6: '2001:db8::1' }, '192.0.2.1', '2001:db8::1'],
    [{ NAME: 'myname.duckdns.org', IPV6: '2001:db8::1\r' }, '127.0.0.1', '2001:db8::1'],
  ])('tells the addresses that it was given: %o', async (config, ip, ipv6) => {
    const { update, server } = await start(config);
    const addresses = `${ip} ${ipv6}`.trim();
    expect(await update()).toEqual({
      code: 0,
      said: `myname.duckdns.org leads to ${addresses}; changed now`,
    });
    expect(server.records).toEqual({ ip, ipv6, txt: '' });
  });

  it('fails where DuckDNS refuses with KO, although the status is 200', async () => {
    const { update } = await start({ NAME: 'another' });
    const { code, said } = await update();
    expect(code).toBe(1);
    expect(said).toMatch(
      /^duckdns-update: DuckDNS refused: .*is 'another' one of the domains of this account/,
    );
  });

  it.each([
    [302, 'moved', 'DuckDNS answered with status 302: moved'],
    [200, '<html>sign in</html>', 'DuckDNS answered with status 200: <html>sign in</html>'],
    [404, 'gone', 'no answer from DuckDNS: curl: (22) The requested URL returned error: 404'],
    [200, `no ${TOKEN} \u001b[2J`, 'DuckDNS answered with status 200: no …  [2J'],
  ])('fails with the reason where the answer is %i %s', async (status, body, reason) => {
    const { update, server } = await start();
    server.faults.push({ status, body });
    const { code, said } = await update();
    expect([code, said]).toEqual([1, `duckdns-update: ${reason}`]);
  });

  it('asks again where DuckDNS is busy', async () => {
    const { update, server } = await start();
    server.faults.push({ status: 503, body: 'busy' });
    expect(await update()).toEqual({ code: 0, said: 'myname.duckdns.org leads to 127.0.0.1; changed now' });
    expect(server.requests).toHaveLength(2);
  });

  it('does not give the token to a server whose certificate is of somebody else', async () => {
    const { update, server } = await start();
    const { code, said } = await update([], { CURL_CA_BUNDLE: '/etc/ssl/certs/ca-certificates.crt' });
    expect(code).toBe(1);
    expect(said).toMatch(/^duckdns-update: no answer from DuckDNS: curl: \(60\) SSL certificate problem/);
    expect(server.requests).toEqual([]);
  });

  it.each([
    [{ NAME: 'my name' }, "NAME must be the part before .duckdns.org, in small letters, not 'my name'"],
    [{ NAME: 'a&token=x' }, "NAME must be the part before .duckdns.org, in small letters, not 'a&token=x'"],
    [{ TOKEN: 'YOUR_TOKEN' }, 'is not a token of DuckDNS'],
    [{ IPV4: 'yes' }, "IPV4 must be auto, off or an IPv4 address, not 'yes'"],
    [{ IPV6: 'eth0' }, "IPV6 must be auto, off or an IPv6 address, not 'eth0'"],
    [{ IPV4: 'off' }, 'IPV4 and IPV6 are both off: nothing to tell'],
    [{ WAIT: 'long' }, "WAIT must be a number of seconds, not 'long'"],
    [{ SERVER: 'file:///etc/passwd' }, "SERVER must be https://HOST, not 'file:///etc/passwd'"],
    [{ DOMAINS: 'x' }, "has the unknown line 'DOMAINS'"],
    [{ [TOKEN]: 'the token in the wrong place' }, "has the unknown line '…'"],
    [{ IPV4: TOKEN }, "IPV4 must be auto, off or an IPv4 address, not '…'"],
  ])('refuses a wrong configuration before it sends anything: %o', async (config, reason) => {
    const { update, server } = await start(config);
    const { code, said } = await update();
    expect(code).toBe(2);
    expect(said).toContain(reason);
    expect(said).not.toContain(TOKEN.slice(0, 8));
    expect(server.requests).toEqual([]);
  });

  it('sets the TXT record for certbot, and removes it', async () => {
    const { update, server } = await start();
    expect(await update(['certbot-auth'], { CERTBOT_VALIDATION: 'abc_-1' })).toEqual({ code: 0, said: '' });
    expect(server.records).toEqual({ ip: '', ipv6: '', txt: 'abc_-1' });
    expect(await update(['certbot-cleanup'])).toEqual({ code: 0, said: '' });
    expect(server.records.txt).toBe('');
    expect((await update(['certbot-auth'])).code).toBe(2);
    expect((await update(['certbot'])).said).toBe("duckdns-update: there is no command 'certbot'");
  });
});

describe('the token', () => {
  it('is in no argument and no environment while the updater runs', async () => {
    const { update, server } = await start();
    let shown = ['not asked'];
    server.onRequest = () => {
      shown = findToken();
    };
    expect((await update()).code).toBe(0);
    expect(shown).toEqual([]);
  });

  it('must be in a file that only its owner can read', async () => {
    const folder = makeFolder();
    const file = join(folder, 'duckdns.conf');
    writeFileSync(file, 'NAME=myname\n', { mode: 0o644 });
    const update = () => run(UPDATER, [], { DUCKDNS_CONF: file });
    const reason = `duckdns-update: others can read the token: chmod 600 ${file}`;
    expect(await update()).toEqual({ code: 2, said: reason });
    chmodSync(file, 0o600);
    expect((await update()).said).toContain('is not a token of DuckDNS');
    rmSync(file);
    expect((await update()).said).toContain(`cannot read ${file}`);
  });
});

/** What many guides, and the first specification of this project, put into a crontab. */
const ONE_LINE = 'curl "$SERVER/update?domains=$NAME&token=$TOKEN&ip="';

describe('one line of cron', () => {
  const runLine = (port: number, name: string, token = TOKEN) => {
    const line = ONE_LINE.replace('$SERVER', `https://localhost:${port}`)
      .replace('$NAME', name)
      .replace('$TOKEN', token);
    return run('sh', ['-c', line]);
  };

  it('shows the token to everybody on the machine, and takes a refusal and an error page for success', async () => {
    const { server } = await start();
    let shown: string[] = [];
    server.onRequest = () => {
      shown = findToken();
    };
    expect((await runLine(server.port, 'myname')).code).toBe(0);
    expect(shown).toContain('cmdline');
    expect(await runLine(server.port, 'another')).toMatchObject({
      code: 0,
      said: expect.stringMatching(/^KO/),
    });
    server.faults.push({ status: 500, body: 'error' });
    expect((await runLine(server.port, 'myname')).code).toBe(0);
  });
});

describeWithReal(['machines'], 'on a machine with an address of its own', () => {
  it('tells both public addresses, not a private or a temporary one', async () => {
    const { machines } = await startMachines({ names: ['vm'] }).then(rig => {
      onTestFinished(() => rig.stop());
      return rig;
    });
    const { folder, file } = await start({ IPV6: 'auto' });
    const { vm } = machines;
    // curl's stead, because the server is on another machine: it answers as DuckDNS does, and keeps what it was asked.
    const curl = join(folder, 'curl');
    writeFileSync(curl, `#!/bin/sh\ncat >>${folder}/asked\nprintf 'OK\\n192.0.2.7\\n\\nUPDATED\\n200'\n`, {
      mode: 0o755,
    });
    const prepare = `ip -6 addr add fd00::1/64 dev eth0 nodad`;
    await vm.finish('sh', ['-c', prepare]);
    const env = { PATH: `${folder}:${process.env.PATH}`, DUCKDNS_CONF: file };
    const updated = await vm.finish(UPDATER, [], { env });
    expect(updated.stdout).toBe(`myname.duckdns.org leads to 192.0.2.7 ${vm.ipv6}; changed now\n`);
    expect(readFileSync(`${folder}/asked`, 'utf8')).toContain(`ip=192.0.2.7&ipv6=${vm.ipv6}"`);
    await vm.finish('ip', ['-6', 'addr', 'flush', 'dev', 'eth0', 'scope', 'global']);
    const without = await vm.finish(UPDATER, [], { env });
    expect([without.code, without.stderr]).toEqual([
      1,
      `duckdns-update: this machine has no public IPv6 address: set IPV6=off in ${file}\n`,
    ]);
  });
});

/** DuckDNS's answers to one name and all others. */
const API = `events {}
http { access_log off; server {
  listen 127.0.0.1:443 ssl; ssl_certificate /etc/api.pem; ssl_certificate_key /etc/api.pem;
  if ($arg_domains = myname) { return 200 "OK\\n127.0.0.1\\n\\nUPDATED"; }
  return 200 KO;
} }
`;

describeWithReal(['systemd', 'nginx'], 'the service and the timer', () => {
  it('run at boot with next to no rights, and fail with a reason that does not show the token', async () => {
    const { cert, key } = ca.issue(['DNS:www.duckdns.org']);
    const units = '/etc/systemd/system';
    const machine = await bootSystemd({
      '/usr/local/bin/duckdns-update': { from: UPDATER },
      [`${units}/duckdns.service`]: { from: join(FOLDER, 'duckdns.service') },
      [`${units}/duckdns.timer`]: { from: join(FOLDER, 'duckdns.timer') },
      [`${units}/duckdns.service.d/ca.conf`]: { text: '[Service]\nEnvironment=CURL_CA_BUNDLE=/etc/ca.pem\n' },
      [`${units}/duckdns.timer.d/sooner.conf`]: {
        text: '[Timer]\nOnBootSec=\nOnBootSec=1s\nRandomizedDelaySec=0\nAccuracySec=1s\n',
      },
      '/etc/ca.pem': { from: ca.file },
      '/etc/api.pem': { text: cert + key },
      '/etc/api.conf': { text: API },
      '/etc/duckdns/duckdns.conf': { text: `NAME=myname\nTOKEN=${TOKEN}\n` },
    });
    onTestFinished(() => machine.stop());
    await machine.run("echo '127.0.0.1 www.duckdns.org' >/etc/hosts; chmod 644 /etc/hosts /etc/ca.pem");
    await machine.run("systemd-run --unit=api nginx -c /etc/api.conf -g 'daemon off;'");
    await waitUntil(async () => (await machine.run('ss -ltn')).output.includes(':443 '), 'the API listens');
    expect((await machine.run('systemd-analyze verify duckdns.service duckdns.timer')).output).toBe('');
    expect((await machine.run('systemd-analyze security --threshold=15 duckdns.service')).code).toBe(0);
    await machine.run('systemctl start duckdns.timer');
    const readLog = async () => (await machine.run('journalctl --no-pager -o cat -u duckdns')).output;
    const success = 'myname.duckdns.org leads to 127.0.0.1; changed now';
    await waitUntil(async () => (await readLog()).includes(success), 'the timer has started the service');
    await machine.run('sed -i s/myname/another/ /etc/duckdns/duckdns.conf; systemctl start duckdns');
    expect((await machine.run('systemctl --failed --plain')).output).toContain('duckdns.service');
    expect(await readLog()).toContain('duckdns-update: DuckDNS refused');
    expect((await machine.run('journalctl --no-pager')).output).not.toContain(TOKEN);
  });
});
