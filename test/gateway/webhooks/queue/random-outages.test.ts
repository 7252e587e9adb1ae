// An app that goes away and comes back at random moments, while webhooks are sent: each one that was answered 202 is
// delivered once, in order, or recorded as dropped.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CapturedRequest } from '../../../../src/shared/captured-request.ts';
import type { AppState } from '../../../../src/shared/state.ts';
import { runningOn } from '../../../support/gateway-door.ts';
import { scale } from '../../../support/scale.ts';
import { waitUntil } from '../../../support/wait-until.ts';
import { openWebhookStage, type WebhookStage } from '../../../support/webhook-app.ts';

const AWAY: AppState = { status: 'restarting', reason: 'test', attempt: 1 };
const FAST = { retryMs: 2, pauseMs: 2 };

/** `turn`: the event loop runs once. `dies`: without anybody noticing it. `settle`: all senders have their answers. */
const STEPS = ['send', 'send poison', 'send more', 'turn', 'dies', 'noticed', 'starts', 'settle'] as const;
type Step = (typeof STEPS)[number];

class Play {
  readonly #stage: WebhookStage;
  readonly #sent: Promise<[body: string, status: number]>[] = [];
  #isUp = true;

  constructor(stage: WebhookStage) {
    this.#stage = stage;
    stage.app.answer = body => (body.startsWith('poison') ? 'crash' : 200);
    stage.app.onCrash = () => {
      this.#isUp = false;
    };
  }

  async act(step: Step): Promise<void> {
    const { app, become } = this.#stage;
    switch (step) {
      case 'send':
        return this.#send('hook');
      case 'send poison':
        return this.#send('poison');
      case 'send more':
        for (let left = 5; left > 0; left -= 1) this.#send('hook');
        return;
      case 'turn':
        return await new Promise(resolve => setImmediate(resolve));
      case 'dies':
        this.#isUp = false;
        return await app.kill();
      case 'noticed':
        if (!this.#isUp) become(AWAY);
        return;
      case 'starts':
        return await this.start();
      case 'settle':
        await Promise.all(this.#sent);
    }
  }

  /** Its state is announced also if nobody has noticed that it was away. */
  async start(): Promise<void> {
    const { app, become } = this.#stage;
    if (this.#isUp) return;
    await app.kill();
    await app.start();
    this.#isUp = true;
    become(runningOn(app.port));
  }

  #send(kind: string): void {
    const body = `${kind} ${this.#sent.length}`;
    const answered = fetch(`${this.#stage.door.url}/hooks/a`, { method: 'POST', body });
    this.#sent.push(answered.then(({ status }) => [body, status]));
  }

  /** Poison that is still kept ends the app again, and again. */
  async #finish(): Promise<Map<string, number>> {
    const { recorder } = this.#stage;
    await this.start();
    const answers = new Map(await Promise.all(this.#sent));
    await waitUntil(async () => {
      await this.start();
      return recorder.list().every(({ delivery }) => delivery?.outcome.kind !== 'waiting');
    }, 'everything is delivered or dropped');
    return answers;
  }

  async check(): Promise<void> {
    const answers = await this.#finish();
    const { app, recorder } = this.#stage;
    const counts = new Map<string, number>();
    for (const body of app.bodies) counts.set(body, (counts.get(body) ?? 0) + 1);
    const delivered: string[] = [];
    const records = new Map(recorder.list().map(record => [record.body.toString(), record]));
    for (const [body, status] of answers) {
      // 502 and 503: its connection to the app broke, so its sender sends it again.
      expect([200, 202, 502, 503]).toContain(status);
      const times = counts.get(body) ?? 0;
      expect(times, body).toBeLessThanOrEqual(1);
      if (status === 200) expect(times, body).toBe(1);
      if (status === 202) expect(describeFate(records.get(body), times), body).toBe('right');
    }
    for (const { body, delivery } of recorder.list())
      if (delivery?.outcome.kind === 'delivered') delivered.push(body.toString());
    expect(app.bodies.filter(body => delivered.includes(body))).toEqual(delivered);
  }
}

function describeFate(record: CapturedRequest | undefined, times: number): string {
  const outcome = record?.delivery?.outcome;
  if (outcome?.kind === 'delivered') return times === 1 ? 'right' : `delivered ${times} times`;
  if (outcome?.kind === 'dropped' && /^the app (stopped before|closed the connection)/.test(outcome.reason))
    return 'right';
  return `${JSON.stringify(outcome)}, and ${times} times at the app`;
}

it(
  'delivers each webhook that was answered 202 once and in order, or records why not',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...STEPS), { minLength: 3, maxLength: 30 }), async steps => {
        const stage = await openWebhookStage({ queueLimits: FAST });
        try {
          const play = new Play(stage);
          for (const step of steps) await play.act(step);
          await play.check();
        } finally {
          await stage.door.stop();
          await stage.app.kill();
        }
      }),
      { numRuns: scale(60, 3_000) },
    );
  },
  scale(60_000, 600_000),
);
