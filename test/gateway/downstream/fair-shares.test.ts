// The promise of docs/threat-model.md about attackers that hold as many connections and requests as they can: a
// reviewer is still served, over HTTP/1.1 and HTTP/2, and the gateway's memory and descriptors stay limited. Uses the
// real limits.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, request as requestHttp } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useClosers } from '../../support/closers.ts';
import { FRAME, listRequestFields, renderFrame, renderHeaders } from '../../support/http2-frames.ts';
import { openVisitor, type ProtocolApp, startProtocolApp } from '../../support/protocols.ts';
import { TestCa, type TestCertificate } from '../../support/test-ca.ts';
import { waitUntil } from '../../support/wait-until.ts';

const KEY = 'K3y-of-this-preview_0123456789';
const KEYED = { access: { kind: 'link', key: KEY }, publicPaths: ['/public/**'] };
/** How soon a reviewer must be served, and what the gateway may use while it is at its limits. */
const SERVED_WITHIN_MS = 2_000;
const MAX_DESCRIPTORS = 3_000;
const MAX_GROWTH_MB = 400;
const REVIEWS = 6;

const closers = useClosers();
let ca: TestCa;
let tls: TestCertificate;
beforeAll(() => {
  ca = new TestCa();
  tls = ca.issue(['IP:127.0.0.1']);
});
afterAll(() => ca.remove());

interface Target {
  app: ProtocolApp;
  port: number;
  pid: number;
  isTls: boolean;
  key: string | undefined;
}

async function open(options: { isTls: boolean; isKeyed: boolean }): Promise<Target> {
  const app = await startProtocolApp();
  const script = fileURLToPath(new URL('../../support/gateway-child.ts', import.meta.url));
  const door = { ...(options.isTls && { tls }), rules: options.isKeyed ? KEYED : {} };
  const args = [script, String(app.port), JSON.stringify(door)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  closers.push(app.stop, () => child.kill());
  const [port] = await once(child.stdout, 'data');
  return {
    app,
    port: Number(port),
    pid: child.pid ?? 0,
    isTls: options.isTls,
    key: options.isKeyed ? KEY : undefined,
  };
}

function measure({ pid }: Target): { descriptors: number; megabytes: number } {
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return { descriptors: readdirSync(`/proc/${pid}/fd`).length, megabytes: Number(resident) / 1024 };
}

/** One request over a new connection; its status, or why there is none. */
async function review(target: Target, http2: boolean): Promise<number | string> {
  const authorization = target.key === undefined ? {} : { authorization: `Bearer ${target.key}` };
  const origin = `${target.isTls ? 'https' : 'http'}://127.0.0.1:${target.port}`;
  const { promise, resolve } = Promise.withResolvers<number | string>();
  const timer = setTimeout(() => resolve('nothing in time'), SERVED_WITHIN_MS);
  if (http2) {
    const session = connectHttp2(origin, { rejectUnauthorized: false });
    session.on('error', error => resolve(error.message));
    const stream = session.request({ ':path': '/', ...authorization });
    stream.on('error', error => resolve(error.message)).resume();
    stream.on('response', head => resolve(Number(head[':status'])));
    await promise;
    session.destroy();
  } else {
    const send = target.isTls ? requestHttps : requestHttp;
    const agent = target.isTls ? { agent: false as const } : { agent: new Agent() };
    const request = send(origin, { ...agent, headers: authorization, rejectUnauthorized: false });
    request.on('error', error => resolve(error.message)).end();
    request.on('response', response => resolve(response.resume().statusCode ?? 0));
    await promise;
    request.destroy();
  }
  clearTimeout(timer);
  return promise;
}

/** A connection that sends these bytes, and reads nothing of the answers, or all of them. */
async function hold(target: Target, bytes: Buffer, reads = true): Promise<Socket> {
  const socket = connect(target.port, '127.0.0.1');
  closers.push(() => socket.destroy());
  socket.on('error', () => {});
  if (reads) socket.resume();
  else socket.pause();
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  socket.write(bytes);
  return socket;
}

/** An HTTP/2 session with that many requests. */
async function holdStreams(target: Target, path: string, count: number, method: string): Promise<void> {
  const visitor = await openVisitor({ port: target.port }, 'TLS and HTTP/2');
  closers.push(() => visitor.raw.destroy());
  const streams = Array.from({ length: count }, (_, index) => 2 * index + 1);
  const frames = streams.flatMap(stream => {
    const fields = listRequestFields({
      ':method': method,
      ':path': path,
      ':authority': `127.0.0.1:${target.port}`,
    });
    if (method === 'GET') return [renderHeaders(stream, fields)];
    return [
      renderHeaders(stream, fields, 4),
      renderFrame({ type: FRAME.data, flags: 0, stream, payload: Buffer.from('x') }),
    ];
  });
  visitor.stream.write(Buffer.concat(frames));
}

const times = async (count: number, act: () => Promise<unknown>) => {
  for (let done = 0; done < count; done += 50)
    await Promise.all(Array.from({ length: Math.min(50, count - done) }, act));
};

const get = (target: Target, path: string, count = 1) =>
  Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\n\r\n`.repeat(count));

interface Attack {
  name: string;
  isTls?: boolean;
  isKeyed?: boolean;
  /** Resolves when the attack holds all it can get. */
  run: (target: Target) => Promise<unknown>;
}

const ATTACKS: readonly Attack[] = [
  {
    name: '66 connections that pipeline 64 requests for endless answers, and read nothing',
    run: target => times(66, () => hold(target, get(target, '/flood', 64), false)),
  },
  {
    name: '17 connections with a full pipeline that is never answered',
    run: target => times(17, () => hold(target, get(target, '/hang', 64))),
  },
  {
    name: '1,100 connections that were served and stay open',
    run: target => times(1_100, () => hold(target, get(target, '/'))),
  },
  {
    name: '1,000 connections with a request that is never answered',
    run: target => times(1_000, () => hold(target, get(target, '/hang'))),
  },
  {
    name: '11 sessions with 100 uploads that do not end',
    isTls: true,
    run: target => times(11, () => holdStreams(target, '/hang', 100, 'POST')),
  },
  {
    name: '100 sessions with 100 requests each',
    isTls: true,
    run: target => times(100, () => holdStreams(target, '/begun', 100, 'GET')),
  },
  {
    name: '1,100 connections, without the key, that were served a public path and stay open',
    isKeyed: true,
    run: target => times(1_100, () => hold(target, get(target, '/public/x'))),
  },
  {
    name: '400 connections, without the key, that flood from a public path',
    isKeyed: true,
    run: target => times(400, () => hold(target, get(target, '/public/flood', 64), false)),
  },
  {
    name: '300 sessions, without the key, with 100 uploads to a public path',
    isTls: true,
    isKeyed: true,
    run: target => times(300, () => holdStreams(target, '/public/hang', 100, 'POST')),
  },
  {
    name: '300 sessions, without the key, with 100 uploads to the sign-in page',
    isTls: true,
    isKeyed: true,
    run: target => times(300, () => holdStreams(target, '/__expose/sign-in', 100, 'POST')),
  },
];

describe.runIf(process.platform === 'linux')('a reviewer is served', () => {
  it.each(ATTACKS)('beside $name', { timeout: 120_000 }, async ({ isTls = false, isKeyed = false, run }) => {
    const target = await open({ isTls, isKeyed });
    const kinds = isTls ? [false, true] : [false];
    for (const http2 of kinds) expect(await review(target, http2)).toBe(200);
    const before = measure(target);
    await run(target);
    // App and attackers run in this process, which must be idle while it measures the reviewer's time.
    let [last, same] = [-1, 0];
    await waitUntil(() => {
      same = target.app.sockets === last ? same + 1 : 0;
      last = target.app.sockets;
      return same > 30;
    }, 'the attack holds what it can get');
    const answers: (number | string)[] = [];
    for (let count = 0; count < REVIEWS; count += 1)
      for (const http2 of kinds) answers.push(await review(target, http2));
    const { descriptors, megabytes } = measure(target);
    console.log(
      `${target.app.open} requests at the app, ${descriptors} descriptors, +${Math.round(megabytes - before.megabytes)} MB`,
    );
    expect(answers.filter(answer => answer !== 200)).toEqual([]);
    expect(descriptors).toBeLessThan(MAX_DESCRIPTORS);
    expect(megabytes - before.megabytes).toBeLessThan(MAX_GROWTH_MB);
    if (isKeyed) expect(target.app.open).toBeLessThanOrEqual(256);
    else expect(target.app.open).toBeLessThanOrEqual(1_024);
  });
});
