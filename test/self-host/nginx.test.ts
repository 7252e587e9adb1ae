// self-host/nginx in front of previews: the suite for every proxy.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requirePart } from '../support/real-parts.ts';
import { accepts } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { describeProxy } from './proxy-suite.ts';
import type { ProxyPlace, RunningProxy } from './proxy-world.ts';
import { reloadWorkers } from './reload-workers.ts';

const run = promisify(execFile);

describeProxy('nginx', { part: 'nginx', network: '127.0.8', start: startNginx, triesAgain: false });

/** Debian's own nginx.conf around the file of self-host/, as on a server; started without a daemon. */
async function startNginx(place: ProxyPlace): Promise<RunningProxy> {
  const { folder } = place;
  const file = join(folder, 'nginx.conf');
  mkdirSync(join(folder, 'buffers'));
  writeFileSync(
    join(folder, 'previews.conf'),
    adapt(readFileSync('self-host/nginx/previews.conf', 'utf8'), place),
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
    reload: () => reloadWorkers(child, 'SIGHUP'),
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
