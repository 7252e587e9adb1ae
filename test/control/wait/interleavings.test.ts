// Random interleavings of requests, their answers and waits, against a model: each wait sees exactly the right requests,
// in order, whether it began before, between or after them.

import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { type ControlApi, startControlApi } from '../../../src/control/api.ts';
import { readWaitQuery } from '../../../src/control/wait/query.ts';
import { type Outcome, Wait } from '../../../src/control/wait/wait.ts';
import type { Capture, CapturedRequest } from '../../../src/shared/captured-request.ts';
import { controlsWith } from '../../support/controls.ts';
import { FakeRequestLog } from '../../support/request-log.ts';
import { scale } from '../../support/scale.ts';
import { waitUntil } from '../../support/wait-until.ts';

const TOKEN = 'a-token-of-this-test';

interface Arrival {
  kind: 'arrival';
  method: 'POST' | 'PUT' | 'GET';
  target: '/hooks/a' | '/hooks/b?x=1';
  action: 'opened' | 'closed';
  refusal: string | undefined;
  verified: string | undefined;
  handshake: string | undefined;
  isFinished: boolean;
}

interface Start {
  kind: 'wait';
  count: number;
  /** How many of the ids so far it leaves out, in percent. */
  since: number;
  path: '/hooks/**' | '/hooks/a' | undefined;
  method: 'post' | 'GET,PUT' | undefined;
  action: 'opened' | undefined;
}

type Step = Arrival | Start | { kind: 'finish'; which: number } | { kind: 'clear' } | { kind: 'turn' };

const rarely = <T>(value: T) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constant(value) });

const arrival: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('arrival'),
  method: fc.constantFrom('POST', 'POST', 'PUT', 'GET'),
  target: fc.constantFrom('/hooks/a', '/hooks/b?x=1'),
  action: fc.constantFrom('opened', 'closed'),
  refusal: rarely('no key'),
  verified: rarely('github'),
  handshake: rarely('slack'),
  isFinished: fc.boolean(),
});
const start: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('wait'),
  count: fc.integer({ min: 1, max: 3 }),
  since: fc.constantFrom(0, 0, 50, 100),
  path: fc.constantFrom('/hooks/**', '/hooks/a', undefined),
  method: fc.constantFrom('post', 'GET,PUT', undefined),
  action: fc.constantFrom('opened', undefined),
});
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: arrival },
    { weight: 3, arbitrary: start },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('finish'), which: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: 'clear' }) },
    { weight: 3, arbitrary: fc.constant<Step>({ kind: 'turn' }) },
  ),
  { minLength: 3, maxLength: 16 },
);

/** A wait that goes on, what it may see, and how it ended if it did. */
interface Running {
  asked: Start;
  since: number;
  handle: Handle;
  /** Ids that were gone from the log when it began. */
  gone: ReadonlySet<number>;
}

/** A wait as one of the two ways to wait shows it. */
interface Handle {
  /** The ids that it found: undefined if they cannot be seen before its end. */
  readonly found: readonly number[] | undefined;
  readonly isOver: boolean;
  drop(): void;
}

/** Begins a wait; resolves when it has begun. */
type Begin = (query: URLSearchParams, log: FakeRequestLog) => Handle | Promise<Handle>;

/** The model: may this request count for this wait? */
function counts(arrived: Arrival, { path, method, action }: Start): boolean {
  const { refusal, handshake, verified } = arrived;
  if (refusal !== undefined) return false;
  if (path === '/hooks/a' && arrived.target !== '/hooks/a') return false;
  if (action !== undefined && arrived.action !== action) return false;
  if (arrived.method === 'GET')
    return (
      method === 'GET,PUT' || (method === undefined && verified !== undefined && handshake === undefined)
    );
  if (handshake !== undefined) return false;
  return method === undefined || (method === 'post' ? arrived.method === 'POST' : arrived.method === 'PUT');
}

class World {
  readonly #log: FakeRequestLog;
  readonly #begin: Begin;
  readonly #arrived: { arrived: Arrival; request: ReturnType<FakeRequestLog['add']> }[] = [];
  readonly #running: Running[] = [];
  readonly #gone = new Set<number>();

  constructor(log: FakeRequestLog, begin: Begin) {
    this.#log = log;
    this.#begin = begin;
  }

  async play(step: Step): Promise<void> {
    if (step.kind === 'turn') await nextTurn();
    else if (step.kind === 'arrival') this.#arrive(step);
    else if (step.kind === 'wait') await this.#start(step);
    else if (step.kind === 'finish') this.#finish(step.which);
    else {
      for (const { id } of this.#log.list()) this.#gone.add(id);
      this.#log.clear();
    }
  }

  /**
   * Each wait has found exactly what the model says, and is over exactly if it should be. `settle` resolves when all have
   * seen everything.
   */
  async check(settle: (isReady: () => boolean) => Promise<void>): Promise<void> {
    const expected = this.#running.map(running => this.#expect(running));
    const isReady = () =>
      this.#running.every(({ handle }, index) => handle.isOver || !expected[index]?.isOver);
    await settle(isReady);
    for (const [index, { handle }] of this.#running.entries()) {
      const { ids, isOver } = expected[index] ?? {};
      expect(handle.isOver).toBe(isOver);
      if (handle.found !== undefined) expect(handle.found).toEqual(ids);
      handle.drop();
    }
  }

  #expect({ asked, since, gone }: Running): { ids: number[]; isOver: boolean } {
    const matching = this.#arrived
      .filter(({ arrived, request: { id } }) => id > since && !gone.has(id) && counts(arrived, asked))
      .slice(0, asked.count)
      .map(({ request }): CapturedRequest => request);
    return {
      ids: matching.map(({ id }) => id),
      isOver: matching.length === asked.count && matching.every(({ isFinished }) => isFinished),
    };
  }

  #arrive(arrived: Arrival): void {
    const { method, target, action, refusal, verified, handshake, isFinished } = arrived;
    const body = Buffer.from(JSON.stringify({ action }));
    const answer = isFinished ? { status: 200, durationMs: 1 } : undefined;
    const rawHeaders = ['Content-Type', 'application/json'];
    const fields = { method, target, body, refusal, verified, handshake, isFinished, answer, rawHeaders };
    this.#arrived.push({ arrived, request: this.#log.add(fields) });
  }

  async #start(asked: Start): Promise<void> {
    const { count, path, method, action } = asked;
    const since = Math.floor((this.#log.lastId * asked.since) / 100);
    const query = new URLSearchParams({ count: `${count}`, since: `${since}`, timeout: '1h' });
    if (path) query.set('path', path);
    if (method) query.set('method', method);
    if (action) query.set('match', `json:$.action=${action}`);
    const gone = new Set(this.#gone);
    this.#running.push({ asked, since, gone, handle: await this.#begin(query, this.#log) });
  }

  #finish(which: number): void {
    const { request } = this.#arrived[which] ?? {};
    if (request !== undefined && !request.isFinished) this.#log.finish(request);
  }
}

const HOOKS: Capture = { kind: 'paths', patterns: ['/hooks/**'] };

const beginInProcess: Begin = (query, log) => {
  const wait = new Wait(readWaitQuery(query, log), log, new AbortController().signal);
  let outcome: Outcome | undefined;
  void wait.outcome.then(ended => {
    outcome ??= ended;
  });
  return {
    get found() {
      return wait.matched.map(({ id }) => id);
    },
    get isOver() {
      return outcome?.kind === 'matched';
    },
    drop: () => wait.drop(),
  };
};

it('sees exactly the right requests in 10,000 random interleavings of requests, answers and waits', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async played => {
      const log = new FakeRequestLog(HOOKS);
      const world = new World(log, beginInProcess);
      for (const step of played) await world.play(step);
      await world.check(async () => {
        await nextTurn();
        await nextTurn();
      });
      expect(log.listeners).toBe(0);
    }),
    { numRuns: scale(10_000, 100_000) },
  );
});

/** Begins a wait over the API. */
function beginAt(api: ControlApi): Begin {
  return async (query, log) => {
    const leave = new AbortController();
    const before = log.subscriptions;
    let found: number[] | undefined;
    const headers = { Authorization: `Bearer ${TOKEN}` };
    const response = fetch(`${api.url}/api/requests/wait?${query}`, { headers, signal: leave.signal });
    const ended = response
      .then(answer => answer.json() as Promise<{ requests: { id: number }[] }>)
      .then(({ requests }) => {
        found = requests.map(({ id }) => id);
      })
      .catch(() => {});
    await waitUntil(() => log.subscriptions > before, 'the wait has begun');
    return {
      get found() {
        return found;
      },
      get isOver() {
        return found !== undefined;
      },
      drop: () => {
        leave.abort();
        void ended;
      },
    };
  };
}

it('sees exactly the right requests over the API, too', async () => {
  let log = new FakeRequestLog(HOOKS);
  const controls = controlsWith({
    get requests() {
      return log;
    },
  });
  const api = await startControlApi(controls, TOKEN);
  onTestFinished(() => api.stop());
  await fc.assert(
    fc.asyncProperty(steps, async played => {
      log = new FakeRequestLog(HOOKS);
      const world = new World(log, beginAt(api));
      for (const step of played) await world.play(step);
      await world.check(isReady => waitUntil(isReady, 'the waits are over that should be'));
      await waitUntil(() => log.listeners === 0, 'no wait is left');
    }),
    { numRuns: scale(100, 2_000) },
  );
});
