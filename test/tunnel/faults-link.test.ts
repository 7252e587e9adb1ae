import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import type { TunnelState } from '../../src/shared/state.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { scale } from '../support/scale.ts';
import { SERVER_ADDRESS, startTunRig, type TunRig } from '../support/tun-rig.ts';
import type { ChildMessage, ChildTunnel } from '../support/tunnel-process.ts';
import { waitUntil } from '../support/wait-until.ts';

/** Much longer than the tunnel needs to notice the silence (heartbeat in src/tunnel/timings.ts). */
const SILENCE_MS = scale(10_000, 20_000);
const SECRET = 'a secret of some length';
const APP_PORT = 8_080;
const APP = `require('node:net').createServer({ allowHalfOpen: true }, s => s.on('error', () => {}).pipe(s))
  .listen(${APP_PORT}, '127.0.0.1', () => console.log('listening'))`;
/**
 * Keeps one connection open and prints what comes back on it; opens a new one every 50 ms and prints when it was
 * served.
 */
const VISITORS = `const { connect } = require('node:net');
  const [port, host] = [Number(process.argv[1]), '${SERVER_ADDRESS}'];
  const long = connect(port, host);
  process.stdin.on('data', text => long.write(text));
  long.on('data', text => process.stdout.write(text)).on('close', () => console.log('long one closed'));
  setInterval(() => {
    const socket = connect(port, host).on('error', () => {});
    socket.end('x');
    socket.once('data', () => console.log('served', Date.now()));
    setTimeout(() => socket.destroy(), 5_000);
  }, 50);`;

/** A program inside the namespace, and the lines it printed. */
function run(rig: TunRig, namespace: string, command: string, args: string[], env = process.env) {
  const child = rig.run(namespace, command, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const output: string[] = [];
  if (child.stdout) createInterface(child.stdout).on('line', line => output.push(line));
  return { child, output, write: (text: string) => void child.stdin?.write(text) };
}

/** The server at one end; app and tunnel at the other, with the tunnel's states. */
async function openOverLink(rig: TunRig) {
  const args = ['server', '--bind-addr', SERVER_ADDRESS];
  run(rig, rig.server, requirePart('bore'), args, { ...process.env, BORE_SECRET: SECRET });
  const app = run(rig, rig.runner, process.execPath, ['-e', APP]);
  await waitUntil(() => app.output.length > 0, 'the app listens');
  const script = fileURLToPath(new URL('../support/tunnel-child.ts', import.meta.url));
  const server = { host: SERVER_ADDRESS, port: 7835 };
  const settings: ChildTunnel = { mode: 'raw', server, secret: SECRET, app: APP_PORT };
  const child = rig.run(rig.runner, process.execPath, [script, JSON.stringify([settings])], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const states: TunnelState[] = [];
  const unhandled: string[] = [];
  child.on('message', received => {
    const message = received as ChildMessage;
    if (message.event === 'state') states.push(message.state);
    if (message.event === 'unhandled') unhandled.push(message.text);
  });
  await waitUntil(() => states.at(-1)?.status === 'Connected', 'the tunnel is open');
  return { child, states, unhandled };
}

const portOf = (state: TunnelState | undefined) => (state?.status === 'Connected' ? state.port : undefined);

describeWithReal(['bore', 'tun-rig'], 'a link to the server that falls silent', () => {
  it('is noticed; when it works again, port and visitors are as before, and no dial is left', async () => {
    const rig = await startTunRig({ rttMs: 50 });
    onTestFinished(() => rig.stop());
    const { child, states, unhandled } = await openOverLink(rig);
    const port = portOf(states.at(-1));
    const visitors = run(rig, rig.server, process.execPath, ['-e', VISITORS, `${port}`]);
    visitors.write('before\n');
    const served = (since = 0) =>
      visitors.output.some(line => line.startsWith('served') && Number(line.split(' ')[1]) > since);
    await waitUntil(() => visitors.output.includes('before') && served(), 'visitors are served');

    const began = performance.now();
    await rig.drop('both');
    await waitUntil(() => states.at(-1)?.status === 'Reconnecting', 'the silence is noticed');
    await waitUntil(() => performance.now() - began >= SILENCE_MS, 'the silence has lasted', 2 * SILENCE_MS);
    expect(states.at(-1)?.status).toBe('Reconnecting');

    const healedAt = Date.now();
    await rig.heal();
    await waitUntil(() => states.at(-1)?.status === 'Connected', 'the tunnel is back');
    await waitUntil(() => served(healedAt), 'visitors are served again');
    expect(portOf(states.at(-1))).toBe(port);
    visitors.write('after\n');
    await waitUntil(
      () => visitors.output.includes('after'),
      'the connection that was open before gets its answer',
    );
    expect(unhandled).toEqual([]);
    const gone = once(child, 'exit');
    child.disconnect();
    await gone;
    expect(child.exitCode).toBe(0);
  });
});
