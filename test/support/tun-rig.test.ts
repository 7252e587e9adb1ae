import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { describeWithReal } from './real-parts.ts';
import { isRunning } from './running.ts';
import { SERVER_ADDRESS, startTunRig, type TunRig } from './tun-rig.ts';
import { waitUntil } from './wait-until.ts';

const PORT = 7000;
/** Answers each chunk with itself. */
const ECHO = `require('node:net').createServer(s => s.on('error', () => {}).pipe(s))
  .listen(${PORT}, '${SERVER_ADDRESS}', () => console.log('listening'))`;
/** Says how many milliseconds the connection took; then sends its input and says what comes back, each a line. */
const CALL = `const began = performance.now();
  const socket = require('node:net').connect({ port: ${PORT}, host: '${SERVER_ADDRESS}', noDelay: true });
  socket.once('connect', () => console.log('connected', performance.now() - began));
  process.stdin.on('data', text => socket.write(text));
  socket.on('data', text => process.stdout.write(text))`;

async function startRig(rttMs: number): Promise<TunRig> {
  const rig = await startTunRig({ rttMs });
  onTestFinished(() => rig.stop());
  return rig;
}

/** A Node.js program inside, and what it prints. */
const runNode = (rig: TunRig, namespace: string, code: string) =>
  runProgram(rig, namespace, process.execPath, ['-e', code]);

function runProgram(rig: TunRig, namespace: string, command: string, args: string[]) {
  const child = rig.run(namespace, command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  if (child.stdin === null || child.stdout === null) throw new Error('no pipes');
  const said: string[] = [];
  createInterface(child.stdout).on('line', line => said.push(line));
  return { child, said, stdin: child.stdin };
}

/** A connection over the link on which both have spoken; and how long it took. */
async function openCall(rig: TunRig) {
  const server = runNode(rig, rig.server, ECHO);
  await waitUntil(() => server.said.length > 0, 'the server listens');
  const call = runNode(rig, rig.runner, CALL);
  await waitUntil(() => call.said.length === 1, 'it is connected');
  call.stdin.write('hello\n');
  await waitUntil(() => call.said.includes('hello'), 'the answer is there');
  return { ...call, server: server.child, connectMs: Number(call.said[0]?.split(' ')[1]) };
}

/** Gives each connection 250 KB. */
const GIVE = `require('node:net').createServer(s => s.on('error', () => {}).end(Buffer.alloc(250_000)))
  .listen(${PORT}, '${SERVER_ADDRESS}', () => console.log('listening'))`;
/** Says how many bytes it was given, and in how many milliseconds. */
const TAKE = `const socket = require('node:net').connect({ port: ${PORT}, host: '${SERVER_ADDRESS}' });
  let began, bytes = 0;
  socket.once('connect', () => { began = performance.now(); });
  socket.on('data', chunk => { bytes += chunk.length; });
  socket.on('end', () => console.log(bytes, performance.now() - began))`;

describeWithReal(['tun-rig'], 'a link between two namespaces', () => {
  it('takes the round-trip time to connect, also after that was changed', async () => {
    const rig = await startRig(120);
    expect((await openCall(rig)).connectMs).toBeGreaterThanOrEqual(120);
    await rig.setRtt(240);
    const call = runNode(rig, rig.runner, CALL);
    await waitUntil(() => call.said.length === 1, 'it is connected');
    expect(Number(call.said[0]?.split(' ')[1])).toBeGreaterThanOrEqual(240);
  });

  it('passes on only as many bytes as it is told to, and loses none for good', async () => {
    const rig = await startRig(0);
    await rig.setRate(4);
    const server = runNode(rig, rig.server, GIVE);
    await waitUntil(() => server.said.length > 0, 'the server listens');
    const call = runNode(rig, rig.runner, TAKE);
    await waitUntil(() => call.said.length === 1, 'it has everything');
    const [bytes, millis] = (call.said[0] ?? '').split(' ').map(Number);
    expect(bytes).toBe(250_000);
    // 2 Mbit, without what the rig may send late because it was late itself.
    expect(millis).toBeGreaterThan(400);
  });

  it.each(['both', 'toServer', 'toClient'] as const)(
    'is silent while packets are dropped (%s), and TCP goes on when it is healed',
    async direction => {
      const rig = await startRig(4);
      const { said, stdin } = await openCall(rig);
      await rig.drop(direction);
      stdin.write('lost\n');
      const another = runNode(rig, rig.runner, CALL);
      await waitUntil(async () => (await countRepeats(rig)) >= 4, 'the runner has repeated both in vain');
      expect([said.includes('lost'), another.said]).toEqual([false, []]);
      await rig.heal();
      await waitUntil(() => said.includes('lost') && another.said.length === 1, 'both are through');
    },
  );

  it('refuses what it does not understand', async () => {
    const rig = await startRig(0);
    await expect(rig.setRtt(-1)).rejects.toThrow("'-0.5ms' is no delay");
    await rig.setRtt(0);
  });

  it('is separate from other links', async () => {
    const rigs = await Promise.all([startRig(0), startRig(0)]);
    for (const rig of rigs) await openCall(rig);
    expect(new Set(rigs.flatMap(rig => [rig.server, rig.runner])).size).toBe(4);
  });

  it('ends with everything that runs inside when it is stopped or its owner is killed', async () => {
    const rig = await startTunRig({ rttMs: 0 });
    const { server } = await openCall(rig);
    const gone = once(server, 'exit');
    await rig.stop();
    await gone;
    expect(existsSync(`/run/netns/${rig.server}`)).toBe(false);
    const owner = spawnOwner();
    const [, namespace = '', inside = ''] = /^(\S+) (\d+)$/.exec(await nextLine(owner.lines)) ?? [];
    expect(existsSync(`/run/netns/${namespace}`)).toBe(true);
    owner.child.kill('SIGKILL');
    await waitUntil(() => !existsSync(`/run/netns/${namespace}`), 'the namespace is gone');
    expect(isRunning(Number(inside))).toBe(false);
  });

  it('removes what an earlier rig left behind when it was killed', async () => {
    const rig = await startTunRig({ rttMs: 0 });
    const pid = Number(/\d+/.exec(rig.server)?.[0]);
    process.kill(pid, 'SIGKILL');
    await rig.stop();
    expect(existsSync(`/run/netns/${rig.server}`)).toBe(true);
    await startRig(0);
    expect([rig.server, rig.runner].filter(name => existsSync(`/run/netns/${name}`))).toEqual([]);
  });
});

/** Segments that the runner's end has sent again. */
async function countRepeats(rig: TunRig): Promise<number> {
  const { child, said } = runProgram(rig, rig.runner, 'cat', ['/proc/net/snmp']);
  await once(child, 'close');
  const [names, values] = said.filter(line => line.startsWith('Tcp:')).map(line => line.split(' '));
  return Number(values?.[names?.indexOf('RetransSegs') ?? -1]);
}

/** A process that starts a rig and a program in it, prints their names, and lives on. */
function spawnOwner() {
  const module = JSON.stringify(new URL('./tun-rig.ts', import.meta.url).href);
  const code = `const { startTunRig } = await import(${module});
    const rig = await startTunRig({ rttMs: 0 });
    const inside = rig.run(rig.server, 'sleep', ['600']);
    inside.once('spawn', () => console.log(rig.server, inside.pid));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, lines: createInterface(child.stdout) };
}

async function nextLine(lines: Interface): Promise<string> {
  const [line] = await once(lines, 'line');
  return String(line);
}
