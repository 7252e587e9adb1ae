import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { Noise } from '../support/noise.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { scale } from '../support/scale.ts';
import { startTunnelProcess, type TunnelProcess } from '../support/tunnel-process.ts';
import { accepts, startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const SECRET = 'sesame';
const IDLE_MS = scale(5_000, 600_000);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Runs the program until it ends. Resolves with its output. */
async function run(program: string, args: string[], input: Buffer | string = ''): Promise<Buffer> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => endProcess(child));
  child.stdin.on('error', () => {}).end(input);
  const [output, [code]] = await Promise.all([child.stdout.toArray(), once(child, 'exit')]);
  expect(code).toBe(0);
  return Buffer.concat(output);
}

async function startRedis(): Promise<number> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'expose-redis-'));
  const args = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
  ];
  const child = spawn(requirePart('redis-server'), args, { stdio: 'ignore' });
  onTestFinished(async () => {
    await endProcess(child);
    rmSync(folder, { recursive: true, force: true });
  });
  await waitUntil(() => accepts('127.0.0.1', port), 'redis listens');
  return port;
}

/** A raw tunnel to `app`, and its public address. */
async function expose(
  host: string,
  app: number,
  idleMs?: number,
): Promise<{ host: string; port: number; child: TunnelProcess }> {
  const { address } = await startRealServer(host, { secret: SECRET });
  const wish = {
    mode: 'raw',
    server: address,
    secret: SECRET,
    app,
    ...(idleMs !== undefined && { idleMs }),
  } as const;
  const child = await startTunnelProcess([wish]);
  onTestFinished(child.kill);
  return { host, port: child.ports[0] ?? 0, child };
}

/** Sends PING and resolves with the answer; rejects if the connection ends instead. */
async function ping(socket: ReturnType<typeof connect>): Promise<string> {
  if (socket.closed) return 'the connection was closed';
  socket.write('PING\r\n');
  const [answer] = await Promise.race([
    once(socket, 'data'),
    once(socket, 'close').then(() => ['the connection was closed']),
  ]);
  return String(answer);
}

/** Remote addresses, as `host:port`, of connections for which the kernel runs a keep-alive timer (proc(5), tcp). */
function readKeptAlive(): string[] {
  const lines = readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1);
  return lines.flatMap(line => {
    const [, , remote = '', state, , timer = ''] = line.trim().split(/\s+/);
    const [address = '', port = ''] = remote.split(':');
    const host = Buffer.from(address, 'hex').reverse().join('.');
    return state === '01' && timer.startsWith('02:') ? [`${host}:${Number.parseInt(port, 16)}`] : [];
  });
}

describeWithReal(['bore', 'redis-server', 'redis-cli'], 'redis-cli through raw mode', () => {
  it('stores and reads 5 MB values, and 10,000 commands in one pipe', async () => {
    const { host, port } = await expose('127.0.0.217', await startRedis());
    const cli = (args: string[], input?: Buffer | string) =>
      run(requirePart('redis-cli'), ['-h', host, '-p', `${port}`, ...args], input);
    for (const seed of [1, 2]) {
      const value = new Noise(seed).take(5_000_000);
      expect(String(await cli(['-x', 'SET', `big${seed}`], value))).toBe('OK\n');
      const read = await cli(['--raw', 'GET', `big${seed}`]);
      expect(read.subarray(0, -1).equals(value)).toBe(true);
    }
    const commands = Array.from({ length: 10_000 }, (_, at) => `SET key${at} ${'v'.repeat(at % 500)}x\r\n`);
    expect(String(await cli(['--pipe'], commands.join('')))).toContain('errors: 0, replies: 10000');
    expect(String(await cli(['DBSIZE']))).toBe('10002\n');
  });

  it('receives published messages in order', async () => {
    const { host, port } = await expose('127.0.0.218', await startRedis());
    const where = ['-h', host, '-p', `${port}`];
    const subscriber = spawn(requirePart('redis-cli'), [...where, 'SUBSCRIBE', 'news']);
    onTestFinished(() => endProcess(subscriber));
    let received = '';
    subscriber.stdout.on('data', chunk => {
      received += String(chunk);
    });
    await waitUntil(() => received.includes('subscribe'), 'redis-cli has subscribed');
    const numbers = Array.from({ length: 200 }, (_, at) => at);
    const commands = numbers.map(at => `PUBLISH news message-${at}\r\n`).join('');
    expect(String(await run(requirePart('redis-cli'), [...where, '--pipe'], commands))).toContain(
      'replies: 200',
    );
    await waitUntil(() => received.includes('message-199\n'), 'the last message came');
    expect(received.match(/message-\d+/g)).toEqual(numbers.map(at => `message-${at}`));
  });
});

describeWithReal(['bore', 'redis-server'], 'a long session through raw mode', () => {
  it('can be used again after it was idle', { timeout: IDLE_MS + 60_000 }, async () => {
    const { host, port } = await expose('127.0.0.219', await startRedis());
    const session = connect({ host, port });
    onTestFinished(() => void session.destroy());
    expect(await ping(session)).toBe('+PONG\r\n');
    await delay(IDLE_MS); // a fixed sleep, because the test is about this silence
    expect(await ping(session)).toBe('+PONG\r\n');
  });

  it('has keep-alive on both sides, and is not cut as idle while a few bytes are sent sometimes', async () => {
    const app = await startRedis();
    const idleMs = 2_000;
    const { host, port } = await expose('127.0.0.220', app, idleMs);
    const session = connect({ host, port });
    onTestFinished(() => void session.destroy());
    let isProbed = false;
    for (let at = 0; at < 8; at += 1) {
      expect(await ping(session)).toBe('+PONG\r\n');
      await delay(idleMs / 2);
      const kept = readKeptAlive();
      isProbed ||= [`${host}:7835`, `127.0.0.1:${app}`].every(remote => kept.includes(remote));
    }
    expect(isProbed).toBe(true);
    await once(session, 'close');
  });
});

describeWithReal(['bore', 'iperf3'], 'iperf3 through raw mode', () => {
  it.each([
    ['from the visitor', []],
    ['to the visitor', ['--reverse']],
    ['both ways at once', ['--bidir']],
  ])('measures a stream %s', async (_, direction) => {
    const app = await freePort();
    const server = spawn(requirePart('iperf3'), ['--server', '--bind', '127.0.0.1', '--port', `${app}`]);
    onTestFinished(() => endProcess(server));
    await waitUntil(() => accepts('127.0.0.1', app), 'iperf3 listens');
    const { host, port, child } = await expose('127.0.0.221', app);
    const where = ['--client', host, '--port', `${port}`, '--json', '--bytes', '100M', '--parallel', '2'];
    const report = JSON.parse(String(await run(requirePart('iperf3'), [...where, ...direction]))) as {
      error?: string;
      end: Record<string, { bytes: number }>;
    };
    expect(report.error).toBeUndefined();
    // With both directions at once, iperf3 ends when one of them is done.
    const { sum_sent, sum_received, sum_sent_bidir_reverse } = report.end;
    const sent = Math.max(sum_sent?.bytes ?? 0, sum_sent_bidir_reverse?.bytes ?? 0);
    expect(sent).toBeGreaterThanOrEqual(100_000_000);
    expect(sum_received?.bytes).toBeGreaterThan(10_000_000);
    expect(child.unhandled).toEqual([]);
  });
});
