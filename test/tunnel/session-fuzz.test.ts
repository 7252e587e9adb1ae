import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '../../src/shared/log.ts';
import { resetSocket } from '../../src/shared/reset.ts';
import type { TunnelState } from '../../src/shared/state.ts';
import { Relay } from '../../src/tunnel/relay/relay.ts';
import type { Tunnel } from '../../src/tunnel/tunnel.ts';
import { listen } from '../support/listen.ts';
import { LATE_MS, type RandomBoreServer, startRandomBoreServer } from '../support/random-bore-server.ts';
import {
  ALL_PLAYS,
  expectedVerdict,
  FLOOD_PLAYS,
  HARMLESS_PLAYS,
  type Verdict,
} from '../support/random-plays.ts';
import { scale } from '../support/scale.ts';
import { echo } from '../support/tunnel-rig.ts';
import { startWatchedTunnel, type WatchedOptions } from '../support/watched-tunnel.ts';

/** All scenarios run at the same time, because they spend most of their time waiting. */
const SCENARIOS = 24;
const RUNS = scale(15, 60);
/** Closed sockets are freed after a few turns of the event loop; some dials end only with their time-out. */
const LEAVE_DEADLINE_MS = 3_000;
const MAX_VISITORS = 20;
const MAX_DIALS = 2;
/** Spare connections at a time, if they are switched on (spare-connections.ts). */
const SPARE_CONNECTIONS = 5;
/** Long time limits for handshakes, so that a busy machine does not look like a silent server. */
const TIMINGS = {
  challenge: 1_500,
  earlyEnd: LATE_MS - 100,
  hello: 1_500,
  heartbeat: 150,
  goodSession: 30,
  retry: 4,
  fastRetry: 100,
  slowRetry: 20,
  portRetry: 3,
  portFirst: 30,
  portAgain: 30,
  changePort: 200,
  visitorRetry: 3,
  visitor: 150,
  dataConnection: 150,
  spareRoundTrip: 0,
};
/** Far longer than a scenario, so that timers left running at its end are found. */
const PATIENT = { heartbeat: 30_000, visitor: 30_000, dataConnection: 30_000 };

/** The destination of visitors; in raw mode, a relay to an app that echoes. */
const RECEIVERS = {
  echoes: echo,
  ends: (visitor: Duplex) => void visitor.on('error', () => {}).end('bye'),
  resets: (visitor: Duplex) => resetSocket((visitor as Socket).on('error', () => {})),
  'never reads': (visitor: Duplex) => void visitor.on('error', () => {}),
  throws: () => {
    throw new Error('no room');
  },
  relays: () => new Relay({ target: () => ({ host: '127.0.0.1', port: appPort }), logger: silentLogger }),
  'relays to nobody': () => new Relay({ target: () => undefined, logger: silentLogger }),
};

let appPort = 0;
const app = createServer({ allowHalfOpen: true }, echo);
beforeAll(async () => {
  appPort = await listen(app);
});
afterAll(() => void app.close());

const scenario = fc.record({
  plays: fc.oneof(HARMLESS_PLAYS, ALL_PLAYS, FLOOD_PLAYS),
  hasSecret: fc.boolean(),
  receiver: fc.constantFrom(...(Object.keys(RECEIVERS) as (keyof typeof RECEIVERS)[])),
  // Sometimes long enough for every handshake to time out.
  livesMs: fc.oneof({ weight: 5, arbitrary: fc.nat(250) }, fc.constant(2_000)),
  changesPortAfterMs: fc.option(fc.nat(200), { nil: undefined }),
  drainMs: fc.constantFrom(0, 20),
  isPatient: fc.boolean(),
  spareConnections: fc.boolean(),
});
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

interface Outcome {
  server: RandomBoreServer;
  /** Connections that the tunnel did not close. */
  held: number;
  states: TunnelState[];
  started: boolean;
  mostVisitors: number;
  mostDials: number;
}

async function play(one: Scenario): Promise<Outcome> {
  const server = await startRandomBoreServer(one.plays, one.hasSecret);
  const states: TunnelState[] = [];
  const ending = AbortSignal.timeout(one.livesMs);
  const watch = { mostVisitors: 0, mostDials: 0 };
  let tunnel: Tunnel | undefined;
  const look = () => {
    watch.mostVisitors = Math.max(watch.mostVisitors, tunnel?.openVisitors ?? 0);
  };
  const watching = watchDials(server, watch, look, ending);
  try {
    tunnel = await startWatchedTunnel({
      servers: [{ address: server.address, secret: one.hasSecret ? 'sesame' : undefined }],
      identity: 'a preview',
      remotePort: { kind: 'random' },
      destination: openDestination(one.receiver, look),
      onState: state => void states.push(state),
      logger: silentLogger,
      signal: ending,
      timings: { ...TIMINGS, ...(one.isPatient && PATIENT) },
      spareConnections: one.spareConnections,
      maxVisitors: MAX_VISITORS,
      maxDials: MAX_DIALS,
    });
    await live(tunnel, one, ending);
    look();
    await Promise.all([tunnel.stop({ drainMs: one.drainMs }), tunnel.stop({ drainMs: one.drainMs })]);
  } catch (error) {
    expect(error).toMatchObject({ name: 'TunnelError' });
  }
  await watching;
  const deadline = performance.now() + LEAVE_DEADLINE_MS;
  while (server.held > 0 && performance.now() < deadline) await delay(5);
  const held = server.held;
  await server.stop();
  return { server, held, states, started: tunnel !== undefined, ...watch };
}

function openDestination(name: keyof typeof RECEIVERS, look: () => void): WatchedOptions['destination'] {
  if (name === 'relays' || name === 'relays to nobody') return RECEIVERS[name]();
  return visitor => {
    look();
    RECEIVERS[name](visitor);
  };
}

async function live(tunnel: Tunnel, { changesPortAfterMs }: Scenario, ending: AbortSignal): Promise<void> {
  if (changesPortAfterMs !== undefined) {
    await delay(changesPortAfterMs, undefined, { signal: ending }).catch(() => {});
    await tunnel.changePort().catch(error => expect(error).toMatchObject({ name: 'TunnelError' }));
  }
  if (!ending.aborted) await delay(10_000, undefined, { signal: ending }).catch(() => {});
}

/** Counts the connections that wait for a silent server. */
async function watchDials(
  server: RandomBoreServer,
  watch: { mostDials: number },
  look: () => void,
  ending: AbortSignal,
): Promise<void> {
  while (!ending.aborted) {
    await delay(5);
    look();
    const before = server.waiting;
    // Connections that are being closed are freed a moment later.
    for (let i = 0; i < 5; i += 1) await turn();
    watch.mostDials = Math.max(watch.mostDials, Math.min(before, server.waiting));
  }
}

function check({ plays, hasSecret, spareConnections }: Scenario, outcome: Outcome): void {
  const { server, states, started } = outcome;
  const verdicts = server.played.map(({ start }, at) =>
    expectedVerdict(start, hasSecret, server.requests[at]),
  );
  const failed = states.find(state => state.status === 'Failed');
  const story = JSON.stringify({ plays, hasSecret, verdicts, states, requests: server.requests });
  const mayBe = (...those: Verdict[]) => verdicts.some(verdict => those.includes(verdict));
  const first = verdicts.find(verdict => verdict !== 'again');
  if (started) expect(['served', 'other port', 'either'], story).toContain(first);
  if (started && failed) expect(mayBe('fatal', 'other port', 'either'), story).toBe(true);
  if (!started && failed) expect(mayBe('fatal', 'doubtful', 'either'), story).toBe(true);
  expect(outcome.held, story).toBe(0);
  checkStates(states, story);
  expect(outcome.mostVisitors, story).toBeLessThanOrEqual(MAX_VISITORS);
  // One more is the control connection.
  const mostDials = MAX_DIALS + 1 + (spareConnections ? SPARE_CONNECTIONS : 0);
  if (hasSecret) expect(outcome.mostDials, story).toBeLessThanOrEqual(mostDials);
}

/** Expects that no state follows a final one, and that Reconnecting comes only after Connected. */
function checkStates(states: readonly TunnelState[], story: string): void {
  expect(states[0]?.status, story).toBe('Connecting');
  expect(['Disconnected', 'Failed'], story).toContain(states.at(-1)?.status);
  for (const [at, { status }] of states.entries()) {
    const before = states[at - 1]?.status;
    if (status === 'Reconnecting') expect(['Connected', 'Reconnecting'], story).toContain(before);
    // Connected may follow Connected: after a change of port.
    if (status === 'Connected') expect(['Connecting', 'Reconnecting', 'Connected'], story).toContain(before);
    expect(['Disconnected', 'Failed'], story).not.toContain(before);
  }
}

function countResources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** The kinds of resources of which there are more than `before`, once there are none or the deadline has passed. */
async function findLeft(before: Record<string, number>): Promise<string[]> {
  for (const deadline = performance.now() + LEAVE_DEADLINE_MS; ; await delay(10)) {
    const now = countResources();
    const left = Object.keys(now).filter(kind => (now[kind] ?? 0) > (before[kind] ?? 0));
    if (left.length === 0 || performance.now() > deadline) return left;
  }
}

it('whatever a server sends, the tunnel ends as the failure kinds define, keeps its limits, and leaves nothing behind', {
  timeout: RUNS * 8_000,
}, async () => {
  const unhandled: unknown[] = [];
  const keep = (error: unknown) => void unhandled.push(error);
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    process.on(event, keep);
    onTestFinished(() => void process.off(event, keep));
  }
  const all = fc.array(scenario, { minLength: SCENARIOS, maxLength: SCENARIOS });
  const property = fc.asyncProperty(all, async scenarios => {
    const before = countResources();
    const outcomes = await Promise.all(scenarios.map(play));
    for (const [at, one] of scenarios.entries()) check(one, outcomes[at] as Outcome);
    expect(await findLeft(before), JSON.stringify(scenarios)).toEqual([]);
    expect(unhandled.splice(0)).toEqual([]);
  });
  await fc.assert(property, { numRuns: RUNS, endOnFailure: true });
});
