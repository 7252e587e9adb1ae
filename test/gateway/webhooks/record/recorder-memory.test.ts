// How much memory the gateway takes while it records.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request as sendRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from '../../../support/listen.ts';
import { scale } from '../../../support/scale.ts';

const MB = 1024 ** 2;
const REQUESTS = scale(24_000, 100_000);
/** Fills the memory of the record, which has 10,000 requests. */
const WARM_UP_REQUESTS = scale(14_000, 30_000);
const UPLOAD_MB = scale(192, 1_024);
/** Fills what is kept of one body, and Node's buffer pools. */
const WARM_UP_MB = UPLOAD_MB / 3;
const SWING_MB = 40;
const CONNECTIONS = 32;

/** A gateway that records in a process of its own, in front of an app that reads every body to its end. */
async function openRecorder(): Promise<{ port: number; pid: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'recorder-memory-'));
  const app = createServer((request, response) => request.resume().once('end', () => response.end('ok')));
  const script = fileURLToPath(new URL('../../../support/gateway-child.ts', import.meta.url));
  const capture = { kind: 'paths', patterns: ['/hooks/**'] };
  const options = JSON.stringify({ capture, requestsFile: join(folder, 'requests.ndjson') });
  const child = spawn(process.execPath, [script, String(await listen(app)), options], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    child.kill();
    await once(child, 'exit');
    app.closeAllConnections();
    app.close();
    rmSync(folder, { recursive: true });
  });
  const [port] = await once(child.stdout, 'data');
  return { port: Number(port), pid: child.pid ?? 0 };
}

/** The current resident memory of the process, in megabytes (proc(5)). */
function readMemory(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Sends the webhooks one after the other on each of the connections; `onEach` gets how many are answered. */
async function sendWebhooks(port: number, count: number, onEach: (answered: number) => void): Promise<void> {
  const body = JSON.stringify({ text: 'x'.repeat(1_500), token: 'abc' });
  const head = `POST /hooks/gh HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: ${body.length}\r\n\r\n`;
  let [sent, answered] = [0, 0];
  const work = async () => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1');
    let received = '';
    socket.on('data', text => {
      received += text;
      if (!received.endsWith('ok')) return;
      received = '';
      onEach(++answered);
      if (sent < count) next();
      else socket.end();
    });
    const next = () => {
      sent += 1;
      socket.write(head + body);
    };
    next();
    await once(socket, 'close');
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
}

it(`memory stays flat over ${REQUESTS} captured requests`, { timeout: 300_000 }, async () => {
  const { port, pid } = await openRecorder();
  const samples: number[] = [];
  await sendWebhooks(port, REQUESTS, answered => {
    if (answered >= WARM_UP_REQUESTS && answered % 500 === 0) samples.push(readMemory(pid));
  });
  expect(samples.length).toBeGreaterThan(10);
  expectFlat(samples);
});

it(`memory stays flat over a body of ${UPLOAD_MB} MB on a captured path`, { timeout: 300_000 }, async () => {
  const { port, pid } = await openRecorder();
  const piece = Buffer.alloc(MB, 'x');
  const request = sendRequest(`http://127.0.0.1:${port}/hooks/big`, { method: 'POST' });
  const answered = once(request, 'response');
  const samples: number[] = [];
  for (let index = 0; index < UPLOAD_MB; index += 1) {
    if (index >= WARM_UP_MB) samples.push(readMemory(pid));
    if (!request.write(piece)) await once(request, 'drain');
  }
  request.end();
  const [response] = await answered;
  expect(response.resume().statusCode).toBe(200);
  expectFlat(samples);
});

function expectFlat(samples: readonly number[]): void {
  const [low, high] = [Math.min(...samples), Math.max(...samples)];
  console.log(`${low.toFixed(0)} to ${high.toFixed(0)} MB`);
  expect(high - low).toBeLessThan(SWING_MB);
}
