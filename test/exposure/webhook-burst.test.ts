// Many webhooks at once, through a real bore server to the app: none is lost or changed, and record and file agree.

import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, createServer, request as sendRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import * as v from 'valibot';
import { expect, it, onTestFinished } from 'vitest';
import { Exposure } from '../../src/exposure/exposure.ts';
import { createLogger } from '../../src/shared/log.ts';
import { describeRequest, RequestMessageSchema } from '../../src/shared/request-json.ts';
import { listen } from '../support/listen.ts';
import { OPEN_GATEWAY } from '../support/open-gateway.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { chooseSeed, scale } from '../support/scale.ts';
import { Seeded } from '../support/seeded.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const WEBHOOKS = scale(500, 5_000);
const CONNECTIONS = 64;
const SECRET = 'a secret';

/** Times are those of performance.now(). */
interface Sent {
  body: Buffer;
  begun: number;
  answered: number;
}

/** An app that keeps the body of each request under its path. */
async function startApp() {
  const bodies = new Map<string, Buffer[]>();
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    bodies.set(request.url ?? '', [...(bodies.get(request.url ?? '') ?? []), body]);
    response.writeHead(body.length % 2 === 0 ? 200 : 204).end();
  });
  onTestFinished(() => void server.close());
  return { bodies, port: await listen(server) };
}

async function expose(port: number, host: string) {
  await startRealServer(host, { secret: SECRET });
  const folder = mkdtempSync(join(tmpdir(), 'webhook-burst-'));
  const requestsFile = join(folder, 'requests.ndjson');
  mkdirSync(join(folder, 'session'));
  const exposure = new Exposure({
    config: {
      protocol: 'http',
      spec: { mode: 'port', path: folder, port },
      env: {},
      baseEnvironment: {},
      startupTimeoutMs: 20_000,
      gateway: { ...OPEN_GATEWAY, capture: { kind: 'paths', patterns: ['/hooks/*'] }, redact: false },
      tunnel: {
        servers: [{ address: { host, port: 7835 }, secret: SECRET }],
        identity: 'a preview',
        remotePort: { kind: 'random' },
        publicUrl: 'http://{host}:{port}',
      },
    },
    folder: join(folder, 'session'),
    requestsFile,
    logger: createLogger({ level: 'info', write: () => {} }),
    onChild: () => {},
  });
  onTestFinished(async () => {
    await exposure.stop();
    rmSync(folder, { recursive: true });
  });
  await exposure.start();
  return { exposure, requestsFile, url: exposure.state.link ?? '' };
}

/** Sends the webhooks, each to a path of its own, over kept connections. */
async function sendAll(url: string, random: Seeded): Promise<Sent[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  onTestFinished(() => agent.destroy());
  const send = async (index: number): Promise<Sent> => {
    const body = Buffer.from(Array.from({ length: random.below(4_000) }, () => random.below(256)));
    const isChunked = random.chance(30);
    const begun = performance.now();
    const request = sendRequest(`${url}/hooks/${index}`, {
      agent,
      method: 'POST',
      headers: isChunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': body.length },
    });
    request.end(body);
    const [response] = await once(request, 'response');
    await once(response.resume(), 'end');
    return { body, begun, answered: performance.now() };
  };
  const sent: Sent[] = [];
  let next = 0;
  const work = async () => {
    for (let index = next++; index < WEBHOOKS; index = next++) sent[index] = await send(index);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
  return sent;
}

describeWithReal(['bore'], `${WEBHOOKS} webhooks over ${CONNECTIONS} connections`, () => {
  it('all reach the app with the same bytes, get ids in the order in which they came, and are the same in memory and file', async () => {
    const app = await startApp();
    const { exposure, requestsFile, url } = await expose(app.port, '127.0.1.171');
    const sent = await sendAll(url, new Seeded(chooseSeed(13)));
    const { requests } = exposure;
    await waitUntil(() => requests.list().every(({ isFinished }) => isFinished), 'all are answered');
    const recorded = requests.list();
    expect(recorded.map(({ id }) => id)).toEqual(sent.map((_, index) => index + 1));
    const ids: number[] = [];
    for (const { id, target, body, bodyBytes, refusal, problem, answer } of recorded) {
      const index = Number(target.slice('/hooks/'.length));
      const original = sent[index]?.body;
      ids[index] = id;
      expect([refusal, problem, bodyBytes]).toEqual([undefined, undefined, original?.length]);
      expect(body.equals(original ?? Buffer.of(1))).toBe(true);
      expect(app.bodies.get(target)).toEqual([original]);
      expect(answer?.status).toBe(body.length % 2 === 0 ? 200 : 204);
    }
    expect(new Set(ids).size).toBe(WEBHOOKS);
    expect(listMisplaced(sent, ids)).toEqual([]);
    const messages = recorded.map(request => describeRequest(request));
    await exposure.stop();
    const lines = readFileSync(requestsFile, 'utf8').split('\n').slice(0, -1);
    const written = lines.map(line => v.parse(RequestMessageSchema, JSON.parse(line)));
    expect(written.sort((one, other) => one.id - other.id)).toEqual(messages);
  });
});

/** Webhooks that were sent after the answer to another one, and have a smaller id than that. */
function listMisplaced(sent: readonly Sent[], ids: readonly number[]): number[] {
  const byAnswer = sent
    .map((one, index) => ({ at: one.answered, id: ids[index] ?? 0 }))
    .sort((a, b) => a.at - b.at);
  return sent.flatMap(({ begun }, index) => {
    const before = byAnswer.filter(({ at }) => at < begun);
    return before.some(({ id }) => id > (ids[index] ?? 0)) ? [index] : [];
  });
}
