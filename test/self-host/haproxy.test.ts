// self-host/haproxy in front of previews: the suite for every proxy.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createPlace, watchProxy } from './proxy-process.ts';
import { describeProxy } from './proxy-suite.ts';
import type { ProxyPlace, RunningProxy } from './proxy-world.ts';

describeProxy('HAProxy', {
  part: 'haproxy',
  network: '127.0.9',
  start: startHaproxy,
  offersHttp2WebSockets: true,
});

describeWithReal(['haproxy', 'tun-rig'], 'the limit of connections in haproxy.cfg', () => {
  it('counts those to the port of http too, so that one visitor cannot take the room of all', async () => {
    const host = '127.0.9.13';
    const proxy = await startHaproxy(createPlace(host, '127.0.9.14', { httpsPort: 443, httpPort: 80 }));
    const sockets: Socket[] = [];
    onTestFinished(async () => {
      for (const socket of sockets) socket.destroy();
      await proxy.stop();
    });
    /** Whether HAProxy answers on the connection that is opened last. */
    const isServed = async (localAddress: string) => {
      const socket = connect({ host, port: 80, localAddress });
      sockets.push(socket.on('error', () => {}));
      socket.write('GET / HTTP/1.1\r\nHost: 20042.preview.example.com\r\n\r\n');
      return new Promise(resolve =>
        socket.once('data', () => resolve(true)).once('close', () => resolve(false)),
      );
    };
    for (let count = 1; count <= 300; count += 1) expect(await isServed('127.0.9.21')).toBe(true);
    expect(await isServed('127.0.9.21')).toBe(false);
    expect(await isServed('127.0.9.22')).toBe(true);
  });
});

/** As Debian's unit starts it, with a master process, but logging to its output. */
async function startHaproxy(place: ProxyPlace): Promise<RunningProxy> {
  const { folder } = place;
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(
    join(folder, 'preview.example.com.pem'),
    readFileSync(place.certificate, 'utf8') + readFileSync(place.key, 'utf8'),
  );
  writeFileSync(file, adapt(readFileSync('self-host/haproxy/haproxy.cfg', 'utf8'), place));
  // Warnings are errors.
  execFileSync(requirePart('haproxy'), ['-c', '-dW', '-f', file]);
  const child = spawn(requirePart('haproxy'), ['-W', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  const countLoads = (log: string) => log.split('Loading success').length;
  const watched = await watchProxy(child, log => countLoads(log) > 1);
  const reload = async () => {
    const before = countLoads(watched.readLog());
    await waitUntil(() => catchesReload(child), 'HAProxy takes a signal to reload');
    child.kill('SIGUSR2');
    const hasLoaded = () => countLoads(watched.readLog()) > before;
    await waitUntil(hasLoaded, 'HAProxy has loaded its file again');
  };
  return { ...watched, reload };
}

/** The main process ignores signals for a moment after it has started or reloaded: see `SigCgt` in proc_pid_status(5). */
function catchesReload({ pid }: ChildProcess): boolean {
  const caught = /^SigCgt:\s+(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${caught}`) & (1n << BigInt(constants.signals.SIGUSR2 - 1))) !== 0n;
}

function adapt(text: string, place: ProxyPlace): string {
  const { folder, host, httpsPort, httpPort, ipv6, tunnels } = place;
  return text
    .replace('log /dev/log', 'log stdout format raw')
    .replaceAll('0.0.0.0:443', `${host}:${httpsPort}`)
    .replaceAll('0.0.0.0:80', `${host}:${httpPort}`)
    .replaceAll(/^\s*bind \[::\]:443 (.*)$/gm, ipv6 ? `bind [::1]:${ipv6.httpsPort} $1` : '')
    .replaceAll(/^\s*bind \[::\]:80 (.*)$/gm, ipv6 ? `bind [::1]:${ipv6.httpPort} $1` : '')
    .replaceAll('127.0.0.2', tunnels)
    .replaceAll(/\/(?:etc|run)\/haproxy\//g, `${folder}/`);
}
