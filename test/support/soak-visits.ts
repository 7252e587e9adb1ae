// The app of a soak and its visitors: every answer and every upload is noise of a seed, so that both sides recognise a
// wrong byte. Used by soak.ts.

import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { listen } from './listen.ts';
import { NoiseCheck, type Random, streamNoise } from './noise.ts';

/** Much longer than any fault: a visit that takes longer hangs, and is lost. */
const VISIT_DEADLINE_MS = 30_000;
const SLOW_PIECES = 8;
const SLOW_PAUSE_MS = 250;

/**
 * `GET /noise?seed=&length=` answers at once, `GET /slow?…` over two seconds, `POST /check?…` with a verdict on the
 * body, `GET /small` with two bytes. Listens on a port of 127.0.0.1.
 */
export async function startSoakApp(): Promise<{ port: number; stop(): Promise<void> }> {
  const server = createServer((message, response) => {
    response.on('error', () => {});
    void serve(message, response).catch(() => response.destroy());
  });
  return { port: await listen(server), stop: () => close(server) };
}

async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
  if (message.url === '/small') return void response.end('ok');
  const url = new URL(message.url ?? '/', 'http://app');
  const [seed, length] = ['seed', 'length'].map(name => Number(url.searchParams.get(name))) as [
    number,
    number,
  ];
  if (message.method === 'POST') return void response.end(await judge(message, seed, length));
  response.setHeader('content-length', length);
  if (url.pathname === '/noise') return void streamNoise(seed, length).pipe(response);
  for await (const piece of slice(seed, length)) {
    response.write(piece);
    await delay(SLOW_PAUSE_MS);
  }
  response.end();
}

async function* slice(seed: number, length: number): AsyncGenerator<Buffer> {
  const whole = Buffer.concat(await streamNoise(seed, length).toArray());
  const step = Math.ceil(length / SLOW_PIECES);
  for (let at = 0; at < length; at += step) yield whole.subarray(at, at + step);
}

async function judge(body: AsyncIterable<Buffer>, seed: number, length: number): Promise<string> {
  const check = new NoiseCheck(seed);
  for await (const chunk of body) check.take(chunk);
  return check.result(length);
}

export interface Visit {
  kind: string;
  /** Resolves if every byte was right; rejects with what was wrong. */
  run(host: string, port: number): Promise<void>;
}

/** A visit of some kind, chosen by `random`: most make a request; some leave early or send nothing. */
export function chooseVisit(random: Random): Visit {
  const seed = random(2 ** 31);
  const length = 1 + random(200_000);
  const kinds: Visit[] = [
    { kind: 'page', run: (host, port) => get(host, port, '/noise', seed, length) },
    { kind: 'page', run: (host, port) => get(host, port, '/noise', seed, length) },
    { kind: 'several pages', run: (host, port) => getSeveral(host, port, seed, length) },
    { kind: 'slow download', run: (host, port) => get(host, port, '/slow', seed, length) },
    { kind: 'upload', run: (host, port) => upload(host, port, seed, length) },
    { kind: 'leaves early', run: (host, port) => leave(host, port, random(300), '/slow') },
    { kind: 'says nothing', run: (host, port) => leave(host, port, random(300), undefined) },
  ];
  return kinds[random(kinds.length)] as Visit;
}

async function get(
  host: string,
  port: number,
  path: string,
  seed: number,
  length: number,
  agent: Agent | false = false,
): Promise<void> {
  const sent = request({
    host,
    port,
    path: `${path}?seed=${seed}&length=${length}`,
    agent,
    timeout: VISIT_DEADLINE_MS,
  });
  sent.once('timeout', () => sent.destroy(new Error('nothing came for too long'))).end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  expectRight(answer.statusCode === 200 ? await judge(answer, seed, length) : `status ${answer.statusCode}`);
}

async function getSeveral(host: string, port: number, seed: number, length: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    for (let page = 0; page < 3; page += 1) await get(host, port, '/noise', seed + page, length, agent);
  } finally {
    agent.destroy();
  }
}

async function upload(host: string, port: number, seed: number, length: number): Promise<void> {
  const sent = request({
    host,
    port,
    method: 'POST',
    path: `/check?seed=${seed}&length=${length}`,
    agent: false,
    timeout: VISIT_DEADLINE_MS,
    headers: { 'content-length': length },
  });
  sent.once('timeout', () => sent.destroy(new Error('nothing came for too long')));
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  streamNoise(seed, length).pipe(sent);
  const [answer] = await answered;
  expectRight(String(Buffer.concat(await answer.toArray())));
}

/** Leaves with a reset, however much it has received. */
async function leave(host: string, port: number, afterMs: number, path: string | undefined): Promise<void> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
    socket.on('error', () => {}).resume();
    if (path !== undefined) socket.write(`GET ${path}?seed=1&length=100000 HTTP/1.1\r\nHost: x\r\n\r\n`);
    await delay(afterMs);
  } finally {
    socket.resetAndDestroy();
  }
}

function expectRight(verdict: string): void {
  if (verdict !== 'right') throw new Error(verdict);
}

async function close(server: Server): Promise<void> {
  const closed = new Promise(resolve => server.close(resolve));
  server.closeAllConnections();
  await closed;
}
