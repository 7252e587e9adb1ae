import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from '../../support/listen.ts';
import { describeWithReal, requirePart } from '../../support/real-parts.ts';
import { scale } from '../../support/scale.ts';
import { startVisits } from '../../support/steady-visits.ts';
import { startTunnelProcess } from '../../support/tunnel-process.ts';
import { startRealServer } from '../../support/tunnel-rig.ts';

const KEY = 'K3y-of-this-preview_0123456789';
/** More than the 256 connections that may be open without the key. */
const CONNECTIONS = scale(300, 500);
/** How long an attack lasts; all connections are open after half of the shorter time. */
const SECONDS = scale(5, 12);
/** More than all buffers between the app and a visitor can hold. */
const BIG = Buffer.alloc(16 << 20, 'x');

const MODES: [string, string[]][] = [
  ['slow heads (slowloris)', ['-H', '-i', '2', '-x', '24']],
  ['slow bodies (R-U-D-Y)', ['-B', '-i', '2', '-s', '8192', '-x', '10']],
  ['many ranges (Apache killer)', ['-R', '-a', '1', '-b', '3000', '-t', 'HEAD']],
  ['slow readers', ['-X', '-w', '10', '-y', '20', '-n', '5', '-z', '32', '-k', '3']],
];

async function openApp(): Promise<number> {
  const server = createServer((request, response) => {
    response.on('error', () => {});
    // The app waits for the body, and slow readers get something large.
    const isLarge = request.method === 'GET' && request.url !== '/';
    request.resume().once('end', () => response.end(isLarge ? BIG : 'ok'));
  });
  const port = await listen(server, { backlog: 4_096 });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return port;
}

async function attack(options: string[], host: string, port: number): Promise<string> {
  const size = ['-c', `${CONNECTIONS}`, '-r', '200', '-l', `${SECONDS}`, '-p', '5'];
  const { stdout } = await promisify(execFile)(
    requirePart('slowhttptest'),
    [...options, ...size, '-u', `http://${host}:${port}/big`],
    { timeout: 60_000, maxBuffer: 64 << 20 },
  );
  return stdout;
}

describeWithReal(['bore', 'slowhttptest'], `${CONNECTIONS} connections of slowhttptest`, () => {
  it.each(MODES)(
    'make no visit fail, through bore and the tunnel, neither with a key nor in an open preview: %s',
    { timeout: 120_000 },
    async (mode, options) => {
      const { address } = await startRealServer('127.0.1.42');
      const { host } = address;
      const app = await openApp();
      const child = await startTunnelProcess([
        { mode: 'gateway', server: address, app, key: KEY },
        { mode: 'gateway', server: address, app },
      ]);
      onTestFinished(child.kill);
      const [keyed = 0, open = 0] = child.ports;
      const headers = { authorization: `Bearer ${KEY}` };
      const all = [startVisits({ host, port: keyed, headers }, 10), startVisits({ host, port: open }, 10)];
      const reports = await Promise.all([attack(options, host, keyed), attack(options, host, open)]);
      for (const report of reports) expect(report).toMatch(/test ending|Exit status|slow HTTP test status/i);
      for (const [index, visits] of all.entries()) {
        const { right, lost, p99Ms } = await visits.stop();
        console.log(`${mode}, ${index === 0 ? 'key' : 'open'}: ${right} visits, p99 ${p99Ms.toFixed(0)} ms`);
        expect(lost).toEqual([]);
        expect(right).toBeGreaterThan(10);
      }
      expect(child.unhandled).toEqual([]);
    },
  );
});
