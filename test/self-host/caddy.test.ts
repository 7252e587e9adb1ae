// self-host/caddy in front of previews: the suite for every proxy.

import { execFile, spawn } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requirePart } from '../support/real-parts.ts';
import { accepts } from '../support/tunnel-rig.ts';
import { watchProxy } from './proxy-process.ts';
import { describeProxy } from './proxy-suite.ts';
import type { ProxyPlace, RunningProxy } from './proxy-world.ts';

const run = promisify(execFile);

describeProxy('Caddy', {
  part: 'caddy',
  network: '127.0.28',
  start: startCaddy,
  hasRateLimits: false,
  reloadsSeamlessly: false,
});

async function startCaddy(place: ProxyPlace): Promise<RunningProxy> {
  const { folder } = place;
  cpSync('self-host/caddy', folder, { recursive: true });
  const tls = join(folder, 'certificate/files.caddy');
  writeFileSync(
    tls,
    readFileSync(tls, 'utf8')
      .replace('/etc/caddy/certificate/fullchain.pem', place.certificate)
      .replace('/etc/caddy/certificate/privkey.pem', place.key),
  );
  const caddy = requirePart('caddy');
  const { stdout } = await run(caddy, ['adapt', '--validate', '--config', join(folder, 'Caddyfile')]);
  const file = join(folder, 'caddy.json');
  writeFileSync(file, adapt(stdout, place));
  const env = { ...process.env, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const child = spawn(caddy, ['run', '--config', file], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const watched = await watchProxy(child, () => accepts(place.host, place.httpsPort));
  const reload = async () => {
    await run(caddy, ['reload', '--force', '--config', file], { env });
  };
  return { ...watched, reload };
}

/** Changes Caddy's own form of the file: there each address is a text of its own. */
function adapt(json: string, { folder, host, httpsPort, httpPort, ipv6, tunnels }: ProxyPlace): string {
  const listen = (port: number, port6: number | undefined) =>
    [`${host}:${port}`, ...(port6 === undefined ? [] : [`[::1]:${port6}`])].map(one => `"${one}"`).join();
  return json
    .replaceAll('":443"', listen(httpsPort, ipv6?.httpsPort))
    .replaceAll('":80"', listen(httpPort, ipv6?.httpPort))
    .replaceAll('localhost:2019', `unix/${folder}/admin.sock`)
    .replaceAll('127.0.0.2', tunnels);
}
