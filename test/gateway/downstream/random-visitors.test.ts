// Random visitors, and a random app, against a gateway in a process of its own. Nothing that they do may cause an
// uncaught error there, keep an ended connection open, or stop the gateway from answering. Variables change the run:
// EXPOSE_FUZZ_VISITS (visits in each case), EXPOSE_SEED, EXPOSE_FUZZ_SOURCES (a folder in place of src), and
// EXPOSE_FUZZ_VISIT (the seed of one visit, to repeat only that).

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROBE_PATH, renderProof } from '../../../src/gateway/probe.ts';
import { useClosers } from '../../support/closers.ts';
import { PROOF_KEY } from '../../support/gateway-door.ts';
import type { ChildMessage, ParentCommand, Report, Setup } from '../../support/gateway-under-fire.ts';
import { openVisitor, type Protocol, usesHttp2, usesTls } from '../../support/protocols.ts';
import { startRandomApp } from '../../support/random-app.ts';
import { KEY, makeVisit, PUBLIC_PATHS, planVisit } from '../../support/random-visitors.ts';
import { chooseSeed, scale } from '../../support/scale.ts';
import { TestCa, type TestCertificate } from '../../support/test-ca.ts';
import { waitUntil } from '../../support/wait-until.ts';

/** Visits in each case. With a thousand, all cases together take about 40 s on one processor. */
const VISITS = Number(process.env.EXPOSE_FUZZ_VISITS ?? scale(600, 5_000));
const SEED = chooseSeed(20_260_000);
const ONE_VISIT = Number(process.env.EXPOSE_FUZZ_VISIT ?? 0);
const SOURCES = resolve(process.env.EXPOSE_FUZZ_SOURCES ?? join(import.meta.dirname, '../../../src'));
/** Visitors at a time. */
const WIDTH = 50;
/** Only stops a run that hangs: a visit takes about 100 ms, and 50 run at a time. */
const TIMEOUT_MS = 120_000 + VISITS * 40;
/** Longer than any limit of the gateway: one direction of a WebSocket may outlive the other by 30 s. */
const GONE_DEADLINE_MS = 45_000;
const EXIT_DEADLINE_MS = 10_000;
/**
 * At least this share of the visits must reach the app, otherwise the test would prove nothing; usually every fifth
 * does.
 */
const LEAST_SHARE = 1 / 25;

/** Short, so that many visits reach every limit; and slightly more connections than there are visitors. */
const LIMITS: Setup['limits'] = {
  headersTimeoutMs: 300,
  requestTimeoutMs: 1_500,
  keepAliveMs: 400,
  handshakeTimeoutMs: 400,
  lingerMs: 150,
  lingerBytes: 5_000,
  stalledMs: 800,
  sockets: 60,
  strangers: 20,
};
const RULES: Setup['rules'] = {
  access: { kind: 'open' },
  publicPaths: [],
  maxBodyBytes: 20_000,
  compress: true,
};
const LINK_RULES: Setup['rules'] = {
  ...RULES,
  access: { kind: 'link', key: KEY },
  publicPaths: [PUBLIC_PATHS],
};

const PROTOCOLS: readonly Protocol[] = ['HTTP/1.1', 'TLS and HTTP/1.1', 'TLS and HTTP/2'];
const CASES = PROTOCOLS.flatMap(protocol => [
  { protocol, access: 'open', rules: RULES },
  { protocol, access: 'link', rules: LINK_RULES },
]).map((row, index) => ({ ...row, seed: SEED + index * 1_000_000 }));

const closers = useClosers();
let ca: TestCa;
let tls: TestCertificate;
beforeAll(() => {
  ca = new TestCa();
  tls = ca.issue(['IP:127.0.0.1']);
});
afterAll(() => ca.remove());

interface GatewayUnderFire {
  readonly port: number;
  /** Uncaught errors, each once, and an unexpected end of the process. */
  readonly unhandled: ReadonlySet<string>;
  /** Log lines above the level debug, each once. */
  readonly log: ReadonlySet<string>;
  report(): Promise<Report>;
  /** Resolves when the process has ended by itself; one that does not is killed, and reported in `unhandled`. */
  stop(): Promise<void>;
}

async function startGatewayUnderFire(setup: Setup): Promise<GatewayUnderFire> {
  const script = fileURLToPath(new URL('../../support/gateway-under-fire.ts', import.meta.url));
  const child = fork(script, [JSON.stringify(setup)]);
  closers.push(() => child.kill('SIGKILL'));
  const [unhandled, log] = [new Set<string>(), new Set<string>()];
  const ready = Promise.withResolvers<number>();
  let reported = Promise.withResolvers<Report>();
  child.on('message', message => {
    const received = message as ChildMessage;
    if (received.event === 'ready') ready.resolve(received.port);
    else if (received.event === 'log') log.add(received.line);
    else if (received.event === 'unhandled') unhandled.add(received.text);
    else reported.resolve(received.report);
  });
  child.once('exit', (code, signal) => {
    if (code !== 0) unhandled.add(`the process ended with ${signal ?? code}`);
    const error = new Error(`the gateway's process is gone: ${[...unhandled].join('\n')}`);
    for (const one of [ready, reported]) {
      // After a failed test, nothing handles this rejection.
      one.promise.catch(() => {});
      one.reject(error);
    }
  });
  const ask = (question: ParentCommand): Promise<Report> => {
    reported = Promise.withResolvers();
    child.send(question);
    return reported.promise;
  };
  const port = await ready.promise;
  const stop = async () => {
    const gone = once(child, 'exit');
    await ask('stop');
    const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_DEADLINE_MS);
    await gone;
    clearTimeout(timer);
  };
  return { port, unhandled, log, report: () => ask('report'), stop };
}

/**
 * Makes all visits, WIDTH at a time; the seed of each is made of the case's seed and its number. Resolves with the
 * seeds, by the port of the visitor.
 */
async function makeVisits(port: number, protocol: Protocol, seed: number): Promise<Map<number, number>> {
  const seeds = new Map<number, number>();
  let number = 0;
  const makeSome = async () => {
    while (number < VISITS) {
      number += 1;
      const own = ONE_VISIT || seed + number;
      const visit = await planVisit(own, protocol, `127.0.0.1:${port}`);
      await makeVisit(port, visit, ownPort => seeds.set(ownPort, own));
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, makeSome));
  return seeds;
}

/** The gateway's answer to a plain visitor's probe. */
async function requestProof(port: number, protocol: Protocol): Promise<string> {
  const visitor = await openVisitor({ port }, usesHttp2(protocol) ? 'TLS and HTTP/1.1' : protocol);
  const closed = once(visitor.raw, 'close');
  visitor.stream.write(
    `GET ${PROBE_PATH}?challenge=${CHALLENGE} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`,
  );
  await closed;
  return visitor.received;
}

const NOTHING = { connections: 0, visits: [], busyInApp: 0 };
const CHALLENGE = '0123456789abcdef'.repeat(2);
const PROOF = renderProof(PROOF_KEY, CHALLENGE) ?? '';

describe(`${VISITS} random visitors, and a random app`, () => {
  it.each(CASES)(
    'cause no errors and leave nothing behind over $protocol, access $access, seed $seed',
    async ({ protocol, rules, seed }) => {
      const app = await startRandomApp(seed + 500_000);
      closers.push(app.stop);
      const sources = `${pathToFileURL(SOURCES)}/`;
      const setup = { sources, seed, app: app.port, rules, limits: LIMITS };
      const gateway = await startGatewayUnderFire({ ...setup, ...(usesTls(protocol) && { tls }) });
      const again = `repeat with EXPOSE_SEED=${SEED} EXPOSE_FUZZ_VISITS=${VISITS}, case of seed ${seed}`;
      const seeds = await makeVisits(gateway.port, protocol, seed);
      expect([...gateway.unhandled], again).toEqual([]);
      const answer = await requestProof(gateway.port, protocol);
      expect(answer, again).toMatch(/^HTTP\/1\.1 200 /);
      expect(answer, again).toContain(PROOF);
      const findLeft = async () => {
        const { connections, visitors } = await gateway.report();
        return { connections, visits: visitors.map(port => seeds.get(port)), busyInApp: app.busy };
      };
      const isOver = async () => isDeepStrictEqual(await findLeft(), NOTHING);
      await waitUntil(isOver, 'nothing is left', GONE_DEADLINE_MS).catch(() => {});
      expect(await findLeft(), again).toEqual(NOTHING);
      // A bug of the gateway would have been logged.
      expect([...gateway.log], again).toEqual([]);
      expect((await gateway.report()).visits).toBeGreaterThan(VISITS * LEAST_SHARE);
      expect(app.requests).toBeGreaterThan(VISITS * LEAST_SHARE);
      await gateway.stop();
      expect([...gateway.unhandled], again).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe('a gateway under fire', () => {
  it('reports an exception, a rejection and a leaked connection', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bad-gateway-'));
    closers.push(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, 'gateway'));
    writeFileSync(join(folder, 'gateway/gateway.ts'), BAD_GATEWAY);
    const setup = { sources: `${pathToFileURL(folder)}/`, seed: SEED, app: 1, rules: RULES, limits: LIMITS };
    const gateway = await startGatewayUnderFire(setup);
    expect((await gateway.report()).connections).toBe(0);
    const { raw } = await openVisitor(gateway, 'HTTP/1.1');
    raw.destroy();
    await waitUntil(() => gateway.unhandled.size === 2, 'both errors are reported');
    const texts = [...gateway.unhandled].join('\n');
    expect(texts).toContain('uncaughtException: Error: thrown');
    expect(texts).toContain('unhandledRejection: Error: rejected');
    expect((await gateway.report()).connections).toBe(1);
  });
});

const BAD_GATEWAY = `export const startGateway = () => ({
  accept: socket => {
    socket.on('error', () => {});
    void Promise.reject(new Error('rejected'));
    throw new Error('thrown');
  },
});
`;

describe('a random visit', () => {
  it.each(PROTOCOLS)('is identical for the same seed over %s', async protocol => {
    const plan = (seed: number) => planVisit(seed, protocol, '127.0.0.1:1');
    const seeds = Array.from({ length: 50 }, (_, index) => SEED + index);
    const [one, two] = [await Promise.all(seeds.map(plan)), await Promise.all(seeds.map(plan))];
    // A TLS handshake, even an incomplete one, has random numbers of its own.
    const isRepeatable = ({ tls }: { tls?: object }) => !usesTls(protocol) || tls !== undefined;
    expect(one.filter(isRepeatable)).toEqual(two.filter(isRepeatable));
    // With new seeds every night, two of the short visits may be alike by chance.
    const different = new Set(one.map(visit => JSON.stringify(visit))).size;
    expect(different).toBeGreaterThanOrEqual(scale(seeds.length, 45));
  });
});
