// Random interleavings of requests, their answers and waits, against a model: each wait sees exactly the right requests,
// in order, whether it began before, between or after them.

import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readWaitQuery } from '../../../src/control/wait/query.ts';
import { type Outcome, Wait } from '../../../src/control/wait/wait.ts';
import type { CapturedRequest } from '../../../src/shared/captured-request.ts';
import { FakeRequestLog } from '../../support/request-log.ts';
import { scale } from '../../support/scale.ts';

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
  wait: Wait;
  /** Ids that were gone from the log when it began. */
  gone: ReadonlySet<number>;
  outcome: Outcome | undefined;
}

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
  readonly #log = new FakeRequestLog({ kind: 'paths', patterns: ['/hooks/**'] });
  readonly #arrived: { arrived: Arrival; request: ReturnType<FakeRequestLog['add']> }[] = [];
  readonly #running: Running[] = [];
  readonly #gone = new Set<number>();

  async play(step: Step): Promise<void> {
    if (step.kind === 'turn') await nextTurn();
    else if (step.kind === 'arrival') this.#arrive(step);
    else if (step.kind === 'wait') this.#start(step);
    else if (step.kind === 'finish') this.#finish(step.which);
    else {
      for (const { id } of this.#log.list()) this.#gone.add(id);
      this.#log.clear();
    }
  }

  /** Each wait has found exactly what the model says, and is over exactly if it should be. */
  async check(): Promise<void> {
    await nextTurn();
    await nextTurn();
    for (const { asked, since, wait, gone, outcome } of this.#running) {
      const expected = this.#arrived
        .filter(({ arrived, request: { id } }) => id > since && !gone.has(id) && counts(arrived, asked))
        .slice(0, asked.count)
        .map(({ request }): CapturedRequest => request);
      expect(wait.matched.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
      const isDone = expected.length === asked.count && expected.every(({ isFinished }) => isFinished);
      expect(outcome?.kind).toBe(isDone ? 'matched' : undefined);
      wait.drop();
    }
    expect(this.#log.listeners).toBe(0);
  }

  #arrive(arrived: Arrival): void {
    const { method, target, action, refusal, verified, handshake, isFinished } = arrived;
    const body = Buffer.from(JSON.stringify({ action }));
    const answer = isFinished ? { status: 200, durationMs: 1 } : undefined;
    const rawHeaders = ['Content-Type', 'application/json'];
    const fields = { method, target, body, refusal, verified, handshake, isFinished, answer, rawHeaders };
    this.#arrived.push({ arrived, request: this.#log.add(fields) });
  }

  #start(asked: Start): void {
    const { count, path, method, action } = asked;
    const since = Math.floor((this.#log.lastId * asked.since) / 100);
    const query = new URLSearchParams({ count: `${count}`, since: `${since}`, timeout: '1h' });
    if (path) query.set('path', path);
    if (method) query.set('method', method);
    if (action) query.set('match', `json:$.action=${action}`);
    const wait = new Wait(readWaitQuery(query, this.#log), this.#log, new AbortController().signal);
    const running: Running = { asked, since, wait, gone: new Set(this.#gone), outcome: undefined };
    void wait.outcome.then(outcome => {
      running.outcome ??= outcome;
    });
    this.#running.push(running);
  }

  #finish(which: number): void {
    const { request } = this.#arrived[which] ?? {};
    if (request !== undefined && !request.isFinished) this.#log.finish(request);
  }
}

it('sees exactly the right requests in 10,000 random interleavings of requests, answers and waits', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async played => {
      const world = new World();
      for (const step of played) await world.play(step);
      await world.check();
    }),
    { numRuns: scale(10_000, 100_000) },
  );
});
