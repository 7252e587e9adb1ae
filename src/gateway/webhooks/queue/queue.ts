// Keeps requests on captured paths while the app is away, and sends them to it, one after the other, when it is back.
// Made by gateway.ts; pass.ts puts requests into it.

import { setTimeout as delay } from 'node:timers/promises';
import type { DeliveryOutcome } from '../../../shared/captured-request.ts';
import { renderCount } from '../../../shared/count.ts';
import { formatDuration } from '../../../shared/duration.ts';
import { describeError, isTimeout } from '../../../shared/errors.ts';
import { explainInvalidAnswer } from '../../../shared/invalid-answer.ts';
import type { Logger } from '../../../shared/log.ts';
import type { AppState } from '../../../shared/state.ts';
import type { OwnAddress } from '../../own-address.ts';
import { type AppAddress, AppLink, findAppAddress } from '../../upstream/app-link.ts';
import type { Compression } from '../../upstream/compression.ts';
import type { Recording } from '../record/recording.ts';
import { hidesRequest, renderForApp, type SendResult, sendMessage } from '../sending.ts';
import type { WholeRequest } from '../whole-request.ts';
import { QUEUE_LIMITS, type QueueLimits, QueueRoom, type Reservation } from './limits.ts';

/** Of the pauses after requests without an answer. */
const LONGEST_PAUSE_MS = 15_000;
/** How often the oldest requests are looked at, so that those that came together are dropped together. */
const AGE_CHECK_MS = 5_000;

export interface QueueOptions {
  readApp: () => AppState;
  /** Restores the tags that compression has weakened; undefined with `compress: false`. */
  compression: Compression | undefined;
  logger: Logger;
  limits?: Partial<QueueLimits>;
}

/** What is put into the queue. */
export interface KeptRequest {
  readonly request: WholeRequest;
  /** The preview's address when the request came. */
  readonly address: OwnAddress | undefined;
  /** Whether nothing but the public path lets it in. */
  readonly isPublicOnly: boolean;
  readonly recording: Recording | undefined;
}

interface Entry extends KeptRequest {
  readonly bytes: number;
  readonly queuedAt: Date;
  readonly queuedMs: number;
  attempts: number;
}

export class DeliveryQueue {
  readonly room: QueueRoom;
  readonly #limits: QueueLimits;
  readonly #options: QueueOptions;
  readonly #link = new AppLink();
  readonly #waiting: Entry[] = [];
  /** The delivery that is under way. */
  #current: { app: AppAddress; cut: AbortController } | undefined;
  #isDelivering = false;
  #deliveries: Promise<void> = Promise.resolve();
  /** Until the next delivery. */
  #pause: NodeJS.Timeout | undefined;
  #ageTimer: NodeJS.Timeout | undefined;
  #pauseMs: number;
  #isClosed = false;
  /** Nothing more is sent. */
  #isOver = false;
  #delivered = 0;
  readonly #dropped = new Map<string, number>();

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#limits = { ...QUEUE_LIMITS, ...options.limits };
    this.room = new QueueRoom(this.#limits);
    this.#pauseMs = this.#limits.pauseMs;
  }

  /** Whether a request that comes now must wait: the app is away and comes back, or others wait before it. */
  isNeeded(app: AppState): boolean {
    if (this.#isClosed) return false;
    if (app.status === 'running') return this.#isBusy && findAppAddress(app) !== undefined;
    return app.status === 'starting' || app.status === 'restarting';
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get #isBusy(): boolean {
    return this.#waiting.length > 0 || this.#current !== undefined;
  }

  /** Puts in a request that has come whole. */
  add(request: KeptRequest, reservation: Reservation): void {
    const bytes = reservation.keep();
    if (bytes === undefined) return;
    if (!this.#isBusy)
      this.#options.logger.info(
        'the app is away: webhooks are kept from now on, and sent to it when it is back',
      );
    const entry = { ...request, bytes, queuedAt: new Date(), queuedMs: performance.now(), attempts: 0 };
    this.#waiting.push(entry);
    this.#record(entry, { kind: 'waiting' });
    this.#ageTimer ??= this.#watchAge();
    if (this.#pause === undefined) this.#drain();
  }

  /** To be called when the app's state has changed. */
  follow(): void {
    const app = this.#options.readApp();
    const address = findAppAddress(app);
    if (this.#current !== undefined && !isSameAddress(this.#current.app, address)) this.#cut();
    if (address !== undefined) this.#drain();
    else if (app.status === 'failed') this.#dropAll('the app failed, and is not started again');
    else if (app.status === 'running') this.#dropAll('with `mode: web` there is no app that takes requests');
  }

  /**
   * Keeps no more requests. An app that is running gets `drainMs` for those that are left; whatever is left then is
   * dropped. Resolves when nothing is kept any more.
   */
  async stop(drainMs: number): Promise<void> {
    this.#isClosed = true;
    const over = new AbortController();
    const limit = delay(drainMs, undefined, { signal: over.signal }).catch(() => undefined);
    if (drainMs > 0) await Promise.race([this.#deliveries, limit]);
    over.abort();
    this.#isOver = true;
    this.#cut('the preview ended before the app answered');
    await this.#deliveries;
    clearTimeout(this.#pause);
    this.#dropAll('the preview ended before the app was back');
    await this.#link.forget();
  }

  /** Starts the deliveries, unless they are under way. */
  #drain(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    this.#deliveries = this.#deliverAll();
  }

  async #deliverAll(): Promise<void> {
    let pauseMs = 0;
    for (let next = this.#next(); next !== undefined && pauseMs === 0; next = this.#next())
      pauseMs = await this.#deliver(next.entry, next.app);
    this.#isDelivering = false;
    this.#report();
    if (pauseMs > 0 && !this.#isClosed) this.#pause = setTimeout(() => this.#drain(), pauseMs);
  }

  /** The oldest request, if the app is there. */
  #next(): { entry: Entry; app: AppAddress } | undefined {
    const [entry] = this.#waiting;
    const app = findAppAddress(this.#options.readApp());
    return this.#isOver || entry === undefined || app === undefined ? undefined : { entry, app };
  }

  /** Resolves with the time until the next delivery. */
  async #deliver(entry: Entry, app: AppAddress): Promise<number> {
    this.#waiting.shift();
    if (entry.isPublicOnly && hidesRequest(entry.request, app)) {
      this.#drop(entry, 'its body contains the first line of another request, which this app could run');
      return 0;
    }
    const cut = new AbortController();
    this.#current = { app, cut };
    try {
      return this.#settle(entry, await this.#send(entry, app, cut.signal));
    } catch (bug) {
      this.#drop(entry, `its delivery failed: ${describeError(bug)}`);
      return this.#limits.retryMs;
    } finally {
      this.#current = undefined;
    }
  }

  /** On a connection of its own: then an error says whether the app can have had the request. */
  #send(entry: Entry, app: AppAddress, signal: AbortSignal): Promise<SendResult> {
    entry.attempts += 1;
    const kept = this.#link.select(app);
    const message = renderForApp(entry.request, app, entry.address, this.#options.compression);
    const rules = { timeoutMs: this.#limits.answerMs, keepBytes: 0, signal };
    return sendMessage(this.#link.selectFresh(app) ?? kept, message, rules);
  }

  #settle(entry: Entry, result: SendResult): number {
    switch (result.kind) {
      case 'answered': {
        const { status, durationMs } = result;
        this.#end(entry, { kind: 'delivered', at: new Date(), status, durationMs });
        this.#delivered += 1;
        this.#pauseMs = this.#limits.pauseMs;
        return 0;
      }
      case 'unreached':
        this.#waiting.unshift(entry);
        return this.#limits.retryMs;
      case 'no answer': {
        this.#drop(entry, this.#describeLoss(result.error));
        const pauseMs = this.#pauseMs;
        this.#pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
        return pauseMs;
      }
    }
  }

  #describeLoss(error: Error): string {
    if (isTimeout(error)) return `the app did not answer within ${formatDuration(this.#limits.answerMs)}`;
    if (error instanceof DeliveryCut) return error.message;
    const invalid = explainInvalidAnswer(error);
    if (invalid !== undefined) return `the app's answer was not valid HTTP: ${invalid.problem}`;
    return 'the app closed the connection without an answer: it may have had the request, so that is not sent twice';
  }

  /** Ends the delivery that is under way: the app is gone, or the preview ends. */
  #cut(reason = 'the app stopped before it answered'): void {
    this.#current?.cut.abort(new DeliveryCut(reason));
  }

  #drop(entry: Entry, reason: string): void {
    this.#end(entry, { kind: 'dropped', at: new Date(), reason });
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + 1);
  }

  #dropAll(reason: string): void {
    for (const entry of this.#waiting.splice(0)) this.#drop(entry, reason);
    clearTimeout(this.#ageTimer);
    this.#ageTimer = undefined;
    this.#report();
  }

  #end(entry: Entry, outcome: DeliveryOutcome): void {
    this.room.free(entry.bytes);
    this.#record(entry, outcome);
  }

  #record({ recording, queuedAt, attempts }: Entry, outcome: DeliveryOutcome): void {
    recording?.deliver({ queuedAt, attempts, outcome });
  }

  #watchAge(): NodeJS.Timeout {
    const { ageMs } = this.#limits;
    return setTimeout(
      () => {
        const oldest = performance.now() - ageMs;
        const count = this.#waiting.findIndex(({ queuedMs }) => queuedMs > oldest);
        const old = this.#waiting.splice(0, count === -1 ? this.#waiting.length : count);
        for (const entry of old) this.#drop(entry, `not delivered within ${formatDuration(ageMs)}`);
        if (old.length > 0) this.#report();
        this.#ageTimer = this.#isBusy ? this.#watchAge() : undefined;
      },
      Math.min(AGE_CHECK_MS, ageMs),
    );
  }

  /** One line for all that were delivered since the last one, and one for each reason of those that were not. */
  #report(): void {
    const { logger } = this.#options;
    if (this.#delivered > 0) logger.info(`${renderCount(this.#delivered, 'webhook')} delivered`);
    this.#delivered = 0;
    for (const [reason, count] of this.#dropped)
      logger.warn(`${renderCount(count, 'webhook')} dropped: ${reason}`);
    this.#dropped.clear();
  }
}

/** The reason why a delivery was ended from here. */
class DeliveryCut extends Error {
  override readonly name = 'DeliveryCut';
}

function isSameAddress(one: AppAddress, other: AppAddress | undefined): boolean {
  return one.host === other?.host && one.port === other.port;
}
