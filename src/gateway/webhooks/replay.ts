// Sends a captured request again: to the app, as if its sender had sent it now, or to another URL. Made by gateway.ts.

import type { Dispatcher } from 'undici';
import type { CapturedRequest } from '../../shared/captured-request.ts';
import { describeError, isTimeout } from '../../shared/errors.ts';
import { explainInvalidAnswer } from '../../shared/invalid-answer.ts';
import { type ReplayAnswer, ReplayError, type ReplayOrder } from '../../shared/replay.ts';
import type { AppState } from '../../shared/state.ts';
import type { OwnAddress } from '../own-address.ts';
import { type AppAddress, AppLink, openPool } from '../upstream/app-link.ts';
import type { Compression } from '../upstream/compression.ts';
import { type Delivery, hidesRequest, renderForApp, renderForUrl, sendMessage } from './delivery.ts';
import { readValue, type WholeRequest } from './verify/whole-request.ts';

/** As for the queue. Somebody waits for this answer, so it is also long enough. */
const ANSWER_MS = 60_000;

/** How much of the answer is shown. */
const MAX_ANSWER_BYTES = 1024 ** 2;

export interface ReplayerOptions {
  readApp: () => AppState;
  readAddress: () => OwnAddress | undefined;
  /** Undefined with `compress: false`. */
  compression: Compression | undefined;
}

export class Replayer {
  readonly #options: ReplayerOptions;
  readonly #link = new AppLink();
  readonly #stopped = new AbortController();

  constructor(options: ReplayerOptions) {
    this.#options = options;
  }

  /** Rejects with a ReplayError. */
  async replay(captured: CapturedRequest, { to, reSign }: ReplayOrder): Promise<ReplayAnswer> {
    checkWhole(captured);
    if (reSign)
      throw new ReplayError(
        'impossible',
        `request ${captured.id} cannot be signed: no rule of \`verify\` is for its path`,
      );
    const delivery = await (to === undefined ? this.#sendToApp(captured) : this.#sendToUrl(to, captured));
    if (delivery.kind !== 'answered') throw explainLoss(delivery, to);
    return { ...delivery, hint: undefined };
  }

  /** Ends the replays that are under way. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the preview has ended'));
    await this.#link.forget();
  }

  async #sendToApp(request: WholeRequest): Promise<Delivery> {
    const { readApp, readAddress, compression } = this.#options;
    const app = findApp(readApp());
    if (hidesRequest(request, app))
      throw new ReplayError(
        'impossible',
        'its body contains the first line of another request, which this app could run',
      );
    const kept = this.#link.select(app);
    return await this.#send(
      this.#link.selectFresh(app) ?? kept,
      renderForApp(request, app, readAddress(), compression),
    );
  }

  async #sendToUrl(url: URL, request: WholeRequest): Promise<Delivery> {
    const pool = openPool(url.origin, 0);
    try {
      return await this.#send(pool, renderForUrl(request, url));
    } finally {
      await pool.destroy();
    }
  }

  #send(connections: Dispatcher, message: Dispatcher.DispatchOptions): Promise<Delivery> {
    const rules = { timeoutMs: ANSWER_MS, keepBytes: MAX_ANSWER_BYTES, signal: this.#stopped.signal };
    return sendMessage(connections, message, rules);
  }
}

/** A request without its whole body is another request. */
function checkWhole({ id, body, bodyBytes, rawHeaders, method, target }: CapturedRequest): void {
  const announced = Number(readValue(rawHeaders, 'content-length') ?? body.length);
  if (body.length !== bodyBytes || body.length !== announced)
    throw new ReplayError(
      'impossible',
      `request ${id} cannot be sent again: only ${body.length} of the ${Math.max(bodyBytes, announced)} bytes of its body were kept`,
    );
  if (method === 'CONNECT' || !target.startsWith('/'))
    throw new ReplayError('impossible', `request ${id} cannot be sent again: it asks for no path of the app`);
}

function findApp(state: AppState): AppAddress {
  if (state.status !== 'running')
    throw new ReplayError('app away', `the app is ${state.status}: wait until it is running`);
  if (state.upstream.kind !== 'address')
    throw new ReplayError(
      'impossible',
      'with `mode: web` there is no app that takes requests: give another address with `to`',
    );
  return state.upstream;
}

function explainLoss(lost: Exclude<Delivery, { kind: 'answered' }>, to: URL | undefined): ReplayError {
  const { kind, error } = lost;
  const receiver = to === undefined ? 'the app' : to.host;
  return new ReplayError('no answer', `${receiver} ${describeLoss(kind, error)}`, { cause: error });
}

function describeLoss(kind: 'unreached' | 'no answer', error: Error): string {
  if (kind === 'unreached') return `cannot be reached: ${describeError(error)}`;
  if (isTimeout(error)) return `did not answer within ${ANSWER_MS / 1_000}s`;
  const invalid = explainInvalidAnswer(error);
  return invalid === undefined
    ? `gave no answer: ${describeError(error)}`
    : `gave an answer that is not valid HTTP: ${invalid.problem}`;
}
