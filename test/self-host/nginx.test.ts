// self-host/nginx in front of previews: the suite for every proxy, and whom its limits count as one visitor.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { accepts } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createPlace } from './proxy-process.ts';
import { describeProxy } from './proxy-suite.ts';
import type { ProxyPlace, RunningProxy } from './proxy-world.ts';
import { readAll } from './visitor.ts';

const run = promisify(execFile);

describeProxy('nginx', {
  ...{ part: 'nginx', network: '127.0.8', triesAgain: false },
  start: place => startNginx(place),
});

describeWithReal(['nginx'], 'the limits of nginx', () => {
  it('count an IPv4 address, or a /64 of IPv6, as one visitor', async () => {
    const host = '127.0.8.30';
    const place = createPlace(host, '127.0.8.31', { httpsPort: 8_443, httpPort: 8_080 });
    // Shows who nginx takes a visitor for that comes from the address in X-Visitor.
    const more = `server { listen ${host}:8081; set_real_ip_from ${host}; real_ip_header X-Visitor;
      location / { return 200 $preview_visitor; } }`;
    const nginx = await startNginx(place, more);
    onTestFinished(() => nginx.stop());
    const find = async (address: string) => {
      const options = { host, port: 8_081, localAddress: host, headers: { 'x-visitor': address } };
      const [response] = await once(get(options), 'response');
      return String(await readAll(response));
    };
    expect([await find('198.51.100.7'), await find('198.51.100.8')]).toEqual([
      '198.51.100.7',
      '198.51.100.8',
    ]);
    const [home, neighbour] = ['2001:db8:1:2', '2001:db8:1:3'];
    const own = await Promise.all(
      [`${home}::1`, `${home}:3:4:5:6`, `${home}:0:0:1:0`, `${home}::ffff`].map(find),
    );
    expect(new Set(own).size).toBe(1);
    expect(await find(`${neighbour}::1`)).not.toBe(own[0]);
    const short = await Promise.all(['2001:db8::1', '2001:db8::2:3', '2001:db8::'].map(find));
    expect([new Set(short).size, short[0] === own[0]]).toEqual([1, false]);
    expect(await find('2001:db9::1')).not.toBe(short[0]);
  });
});

/** Debian's own nginx.conf around the file of self-host/, as on a server; started without a daemon. */
async function startNginx(place: ProxyPlace, more = ''): Promise<RunningProxy> {
  const { folder } = place;
  const file = join(folder, 'nginx.conf');
  mkdirSync(join(folder, 'buffers'));
  writeFileSync(
    join(folder, 'previews.conf'),
    adapt(readFileSync('self-host/nginx/previews.conf', 'utf8'), place) + more,
  );
  writeFileSync(file, adaptMain(readFileSync('/etc/nginx/nginx.conf', 'utf8'), folder));
  const nginx = requirePart('nginx');
  const args = ['-c', file, '-e', join(folder, 'start.log'), '-p', folder];
  const { stderr } = await run(nginx, [...args, '-t']);
  // From nginx 1.25.1 on, the file's form of `http2` draws a warning; older ones know no other.
  const complaints = stderr
    .split('\n')
    .filter(line => /\[\w+\]/.test(line) && !/"listen ... http2"/.test(line));
  if (complaints.length > 0) throw new Error(stderr);
  const child = spawn(nginx, [...args, '-g', 'daemon off;'], { stdio: 'ignore' });
  await waitUntil(() => accepts(place.host, place.httpsPort), 'nginx listens');
  return {
    readLog: () =>
      readdirSync(folder)
        .filter(name => name.endsWith('.log'))
        .map(name => readFileSync(join(folder, name), 'utf8'))
        .join(''),
    reload: () => reloadNginx(child),
    stop: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function adapt(text: string, place: ProxyPlace): string {
  const { folder, host, httpsPort, httpPort, ipv6, tunnels, certificate, key } = place;
  return text
    .replaceAll(/^( *listen) 443 /gm, `$1 ${host}:${httpsPort} `)
    .replaceAll(/^( *listen) 80;/gm, `$1 ${host}:${httpPort};`)
    .replaceAll(/^ *listen \[::\]:443 (.*)\n/gm, ipv6 ? `listen [::1]:${ipv6.httpsPort} $1\n` : '')
    .replaceAll(/^ *listen \[::\]:80;\n/gm, ipv6 ? `listen [::1]:${ipv6.httpPort};\n` : '')
    .replaceAll('http://127.0.0.2:', `http://${tunnels}:`)
    .replaceAll('/etc/letsencrypt/live/preview.example.com/fullchain.pem', certificate)
    .replaceAll('/etc/letsencrypt/live/preview.example.com/privkey.pem', key)
    .replaceAll('/var/log/nginx/', `${folder}/`);
}

/** Paths for this test; other sites of the machine are left out. */
function adaptMain(text: string, folder: string): string {
  const buffers = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    kind => `${kind}_temp_path ${folder}/buffers/${kind};`,
  );
  return text
    .replaceAll('/run/nginx.pid', `${folder}/nginx.pid`)
    .replaceAll('/var/log/nginx/', `${folder}/`)
    .replace(/^\s*include \/etc\/nginx\/modules-enabled.*$/m, '')
    .replace(/^\s*include \/etc\/nginx\/sites-enabled.*$/m, '')
    .replace(/^user .*$/m, '')
    .replace('/etc/nginx/conf.d/*.conf', join(folder, 'previews.conf'))
    .replace('http {', `http {\n${buffers.join('\n')}`);
}

/** The main process starts new workers for new visitors; resolves when there is one. */
async function reloadNginx(main: ChildProcess): Promise<void> {
  const before = listWorkers(main);
  main.kill('SIGHUP');
  await waitUntil(() => listWorkers(main).some(pid => !before.includes(pid)), 'there is a new worker');
}

function listWorkers({ pid }: ChildProcess): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
}
