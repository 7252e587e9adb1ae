// How much memory the gateway takes while it records.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request as sendRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from '../../../support/listen.ts';
import { scale } from '../../../support/scale.ts';

const MB = 1024 ** 2;
/** Fills the memory of the record, which has 10,000 requests. */
const WARM_UP_REQUESTS = 11_000;
const REQUESTS = scale(10_000, 80_000);
const UPLOAD_MB = scale(192, 1_024);
/** Fills what is kept of one body. */
const WARM_UP_MB = UPLOAD_MB / 3;
/** The requests after the warm-up have more than twice this. What `requests-file` has not written yet counts, too. */
const GROWTH_MB = 12;
const CONNECTIONS = 32;

interface Recorder {
  port: number;
  /** How much memory is in use after a garbage collection, in megabytes. */
  measure(): Promise<number>;
}

/** A gateway that records in a process of its own, in front of an app that reads every body to its end. */
async function openRecorder(): Promise<Recorder> {
  const folder = mkdtempSync(join(tmpdir(), 'recorder-memory-'));
  const app = createServer((request, response) => request.resume().once('end', () => response.end('ok')));
  const script = fileURLToPath(new URL('../../../support/gateway-child.ts', import.meta.url));
  const capture = { kind: 'paths', patterns: ['/hooks/**'] };
  const options = JSON.stringify({ capture, requestsFile: join(folder, 'requests.ndjson') });
  const child = spawn(process.execPath, ['--expose-gc', script, String(await listen(app)), options], {
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
  const measure = async () => {
    child.stdin.write('measure\n');
    const [bytes] = await once(child.stdout, 'data');
    return Number(bytes) / MB;
  };
  return { port: Number(port), measure };
}

/** Sends the webhooks one after the other on each of the connections; resolves when all are answered. */
async function sendWebhooks(port: number, count: number): Promise<void> {
  const body = JSON.stringify({ text: 'x'.repeat(1_500), token: 'abc' });
  const head = `POST /hooks/gh HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: ${body.length}\r\n\r\n`;
  let sent = 0;
  const work = async () => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1');
    let received = '';
    socket.on('data', text => {
      received += text;
      if (!received.endsWith('ok')) return;
      received = '';
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
  const { port, measure } = await openRecorder();
  await sendWebhooks(port, WARM_UP_REQUESTS);
  const before = await measure();
  await sendWebhooks(port, REQUESTS);
  expect((await measure()) - before).toBeLessThan(GROWTH_MB);
});

it(`memory stays flat over a body of ${UPLOAD_MB} MB on a captured path`, { timeout: 300_000 }, async () => {
  const { port, measure } = await openRecorder();
  const piece = Buffer.alloc(MB, 'x');
  const request = sendRequest(`http://127.0.0.1:${port}/hooks/big`, { method: 'POST' });
  const answered = once(request, 'response');
  const upload = async (megabytes: number) => {
    for (let sent = 0; sent < megabytes; sent += 1) if (!request.write(piece)) await once(request, 'drain');
  };
  await upload(WARM_UP_MB);
  const before = await measure();
  await upload(UPLOAD_MB - WARM_UP_MB);
  // On a busy machine, 20 MB were on their way between the sockets.
  expect((await measure()) - before).toBeLessThan((UPLOAD_MB - WARM_UP_MB) / 3);
  request.end();
  const [response] = await answered;
  expect(response.resume().statusCode).toBe(200);
});
