import { once } from 'node:events';
import { type ClientRequest, createServer as createHttpServer, get, type IncomingMessage } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from '../support/listen.ts';
import { Noise, NoiseCheck, streamNoise } from '../support/noise.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { scale } from '../support/scale.ts';
import { type ChildTunnel, startTunnelProcess, type TunnelProcess } from '../support/tunnel-process.ts';
import { startRealServer } from '../support/tunnel-rig.ts';

const SECRET = 'sesame';
/** Fewer than the 1,024 that a tunnel takes. Sockets suffice: Node raises its limit to the system's. */
const VISITORS = 1_000;
/** Several times as much as one read gets. */
const ANSWER_BYTES = scale(1 << 18, 1 << 20);
const UPLOAD_BYTES = 30_000_000;

async function openChild(host: string, mode: ChildTunnel['mode'], app: Server): Promise<TunnelProcess> {
  const { address } = await startRealServer(host, { secret: SECRET });
  // All connect at one moment: without room in the queue they would wait for seconds, not because of the tunnel.
  const port = await listen(app, { backlog: 2 * VISITORS });
  onTestFinished(() => void app.close());
  const child = await startTunnelProcess([{ mode, server: address, secret: SECRET, app: port }]);
  onTestFinished(child.kill);
  return child;
}

/** Answers once all visitors are here, each with noise of its own. */
function createDownloads(): Server {
  const waiting: (() => void)[] = [];
  return createHttpServer((request, response) => {
    const seed = Number(request.url?.slice(1));
    response.on('error', () => {}).setHeader('content-length', ANSWER_BYTES);
    waiting.push(() => streamNoise(seed, ANSWER_BYTES).pipe(response));
    if (waiting.length === VISITORS) for (const answer of waiting) answer();
  });
}

async function download(host: string, port: number, seed: number): Promise<string> {
  const check = new NoiseCheck(seed);
  const request: ClientRequest = get({ host, port, path: `/${seed}`, agent: false });
  try {
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    for await (const chunk of answer) check.take(chunk);
    return check.result(ANSWER_BYTES);
  } catch (error) {
    return String(error);
  }
}

/** Answers each upload with its verdict; the first four bytes are the seed. Reads more slowly than visitors send. */
function createSlowReader(): Server {
  return createServer({ allowHalfOpen: true }, async socket => {
    socket.on('error', () => {});
    const head = await readSeed(socket);
    const check = new NoiseCheck(head);
    let chunks = 0;
    for await (const chunk of socket) {
      check.take(chunk);
      chunks += 1;
      if (chunks % 40 === 0) await delay(1);
    }
    socket.end(check.result(UPLOAD_BYTES));
  });
}

async function readSeed(socket: Socket): Promise<number> {
  let head: Buffer | null = null;
  while (head === null) {
    await once(socket, 'readable');
    head = socket.read(4);
  }
  return head.readUInt32BE();
}

async function upload(host: string, port: number, seed: number): Promise<string> {
  const socket = connect({ host, port, allowHalfOpen: true });
  const head = Buffer.alloc(4);
  head.writeUInt32BE(seed);
  socket.write(head);
  const noise = new Noise(seed);
  for (let left = UPLOAD_BYTES; left > 0; left -= 60_000) {
    if (!socket.write(noise.take(Math.min(left, 60_000)))) await once(socket, 'drain');
  }
  socket.end();
  return String(Buffer.concat(await socket.toArray()));
}

function tally(verdicts: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const verdict of verdicts) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
}

describeWithReal(['bore'], 'a thousand visitors at once', () => {
  it.each([
    ['raw', '127.0.0.211'],
    ['raw on two threads', '127.0.1.11'],
    ['gateway', '127.0.0.212'],
  ] as const)(
    'get different bytes each, without a wrong byte: %s',
    { timeout: 120_000 },
    async (mode, host) => {
      const child = await openChild(host, mode, createDownloads());
      const [port = 0] = child.ports;
      const all = Array.from({ length: VISITORS }, (_, at) => download(host, port, at + 1));
      expect(tally(await Promise.all(all))).toEqual({ right: VISITORS });
      expect(child.unhandled).toEqual([]);
      expect(child.log.filter(line => line.startsWith('error'))).toEqual([]);
    },
  );
});

describeWithReal(['bore'], 'four uploads of 30 MB at once', () => {
  it.each([
    ['raw', '127.0.0.213'],
    ['raw on two threads', '127.0.1.12'],
    ['stream', '127.0.0.214'],
  ] as const)(
    'reach an app that reads slowly without a wrong byte: %s',
    { timeout: 120_000 },
    async (mode, host) => {
      const child = await openChild(host, mode, createSlowReader());
      const [port = 0] = child.ports;
      const all = [11, 12, 13, 14].map(seed => upload(host, port, seed));
      expect(tally(await Promise.all(all))).toEqual({ right: 4 });
      expect(child.unhandled).toEqual([]);
    },
  );
});
