import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, request as sendRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../support/listen.ts';
import { scale } from '../support/scale.ts';
import { waitUntil } from '../support/wait-until.ts';

const MB = 1 << 20;
const UPLOAD_MB = scale(2_048, 10_240);
/** Fills Node's buffer pools before the measurement. */
const WARM_UP_MB = UPLOAD_MB / scale(2, 4);
const SWING_MB = scale(40, 20);
const ANSWER_MB = 100;
const PIECE = Buffer.alloc(MB, 'x');

/** A gateway in a process of its own, in front of `app`. */
async function openChild(app: RequestListener): Promise<{ port: number; pid: number }> {
  const server = createServer(app);
  const appPort = await listen(server);
  const script = fileURLToPath(new URL('../support/gateway-child.ts', import.meta.url));
  const args = [script, String(appPort)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill();
    server.closeAllConnections();
    server.close();
  });
  const [port] = await once(child.stdout, 'data');
  return { port: Number(port), pid: child.pid ?? 0 };
}

/** The current resident memory of the process, in bytes (proc(5)). */
function readMemory(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

async function upload(port: number, megabytes: number, onPiece: (index: number) => void): Promise<string> {
  const request = sendRequest(`http://127.0.0.1:${port}/`, { method: 'POST' });
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  for (let index = 0; index < megabytes; index += 1) {
    onPiece(index);
    if (!request.write(PIECE)) await once(request, 'drain');
  }
  request.end();
  return (await (await answered)[0].setEncoding('latin1').toArray()).join('');
}

/** Requests the large answer, and reads `bytesPerSecond` of it. */
async function openReader(port: number, bytesPerSecond: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').pause();
  await once(socket, 'connect');
  socket.on('error', () => {}).write(`GET /large HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  const timer = setInterval(() => socket.read(bytesPerSecond / 10), 100);
  onTestFinished(() => {
    clearInterval(timer);
    socket.destroy();
  });
  return socket;
}

describe.runIf(process.platform === 'linux')('the memory of the gateway', () => {
  it(`does not grow during an upload of ${UPLOAD_MB} MB`, { timeout: 300_000 }, async () => {
    const { port, pid } = await openChild((request, response) => {
      let bytes = 0;
      request.on('data', chunk => {
        bytes += chunk.length;
      });
      request.once('end', () => response.end(String(bytes)));
    });
    const samples: number[] = [];
    const answer = await upload(port, UPLOAD_MB, index => {
      if (index % 32 === 0) samples.push(readMemory(pid));
    });
    expect(answer).toBe(String(UPLOAD_MB * MB));
    const settled = samples.slice(samples.length * (WARM_UP_MB / UPLOAD_MB));
    const middle = settled.toSorted((a, b) => a - b)[Math.floor(settled.length / 2)] ?? 0;
    const swing = Math.max(...settled.map(sample => Math.abs(sample - middle)));
    console.log(
      `at most ${(swing / MB).toFixed(1)} MB from the median, ${(Math.max(...samples) / MB).toFixed(0)} MB at most`,
    );
    expect(swing).toBeLessThan(SWING_MB * MB);
  });

  it('does not hold answers of 100 MB for slow readers', { timeout: 120_000 }, async () => {
    let taken = 0;
    const { port, pid } = await openChild(async (request, response) => {
      response.on('error', () => {});
      if (request.url !== '/large') return void response.end('ok');
      for (let sent = 0; sent < ANSWER_MB && !response.destroyed; sent += 1) {
        taken += MB;
        if (!response.write(PIECE)) await once(response, 'drain').catch(() => {});
      }
      response.end();
    });
    await Promise.all(
      Array.from({ length: 100 }, async () => (await fetch(`http://127.0.0.1:${port}/`)).text()),
    );
    const before = readMemory(pid);
    await Promise.all(Array.from({ length: 100 }, () => openReader(port, 1_000)));
    await waitUntil(() => taken >= 100 * MB, 'all are served');
    let [last, same] = [0, 0];
    const samples: number[] = [];
    await waitUntil(() => {
      samples.push(readMemory(pid));
      same = taken === last ? same + 1 : 0;
      last = taken;
      return same > 300;
    }, 'the app waits for the readers');
    const settled = samples.slice(-250);
    const growth = Math.max(...settled) - Math.min(...settled);
    console.log(
      `${(before / MB).toFixed(0)} MB before, ${(Math.max(...samples) / MB).toFixed(0)} MB at most, ${(growth / MB).toFixed(1)} MB of change; the app was relieved of ${taken / MB} MB`,
    );
    expect(growth).toBeLessThan(20 * MB);
    // Buffers on the way hold a few hundred KB of each answer, far less than its 100 MB.
    expect(Math.max(...samples) - before).toBeLessThan(200 * MB);
  });
});
