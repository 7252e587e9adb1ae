// Sends a captured request again: to the app, as if its sender had sent it now, or to another URL. Made by gateway.ts.

import type { CapturedRequest } from '../../shared/captured-request.ts';
import { describeError, isTimeout } from '../../shared/errors.ts';
import { cutQuery } from '../../shared/http-message.ts';
import { explainInvalidAnswer } from '../../shared/invalid-answer.ts';
import { type ReplayAnswer, ReplayError, type ReplayOrder } from '../../shared/replay.ts';
import type { AppState } from '../../shared/state.ts';
import type { OwnAddress } from '../own-address.ts';
import { type AppAddress, AppLink, findAppAddress, openPool } from '../upstream/app-link.ts';
import type { RequestMessage } from '../upstream/client/message.ts';
import type { Client } from '../upstream/client/pool.ts';
import type { Compression } from '../upstream/compression.ts';
import type { ReplayedRequest, RequestRecorder } from './record/recorder.ts';
import { hidesRequest, renderForApp, renderForHost, type SendResult, sendMessage } from './sending.ts';
import { listOrigins, type SignedPaths } from './verify/signed-paths.ts';
import type { SignedRequest } from './verify/signer.ts';
import { readValue, type WholeRequest } from './whole-request.ts';

/** As for the queue. Somebody waits for this answer, so it is also long enough. */
const ANSWER_MS = 60_000;

/** How much of the answer is shown. */
const MAX_ANSWER_BYTES = 1024 ** 2;

/** Such a replay is no request to the app, so no wait counts it. */
const TO_ANOTHER = 'it is a replay that was sent to another address, not to the app';

const STALE =
  'the signature of this request is older than 5 minutes, and receivers refuse such signatures: add --re-sign (`re_sign` in the API) for a new one';

export interface ReplayerOptions {
  readApp: () => AppState;
  readAddress: () => OwnAddress | undefined;
  /** Undefined with `compress: false`. */
  compression: Compression | undefined;
  /** Undefined without rules of `verify`. */
  signedPaths: SignedPaths | undefined;
  recorder: RequestRecorder | undefined;
}

/** Where a request goes, and how it is written there. */
interface Passage {
  connections: Client;
  message: RequestMessage;
  /** To be called when the answer is there. */
  close(): Promise<void>;
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
    const { recorder, signedPaths } = this.#options;
    const original = this.#address(captured, to);
    const request = reSign ? this.#sign(original, captured) : { ...original, verified: captured.verified };
    const passage = to === undefined ? this.#openToApp(request) : openToUrl(to, request);
    const record = recorder?.startReplay(captured, request, to && TO_ANOTHER);
    const result = await this.#send(passage);
    if (result.kind !== 'answered') {
      const loss = explainLoss(result, to);
      record?.end({ problem: loss.message });
      throw loss;
    }
    const { status, durationMs } = result;
    record?.end({ answer: { status, durationMs } });
    const isStale = !reSign && signedPaths?.isStale(cutQuery(captured.target), original);
    return { ...result, id: record?.id, hint: isStale ? STALE : undefined };
  }

  /** Ends the replays that are under way. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the preview has ended'));
    await this.#link.forget();
  }

  /** With the target that it has there, and the origins under which the receiver knows itself: some sign their URL. */
  #address(captured: CapturedRequest, to: URL | undefined): SignedRequest {
    const { method, target, rawHeaders, body, visitorAddress } = captured;
    const request = { method, rawHeaders, body };
    // Only the app may know where visitors are.
    if (to !== undefined) return { ...request, target: chooseTarget(to, target), origins: [to.origin] };
    return {
      ...request,
      visitorAddress,
      target,
      origins: listOrigins(this.#options.readAddress(), readValue(rawHeaders, 'host')),
    };
  }

  #sign(request: SignedRequest, captured: CapturedRequest): ReplayedRequest {
    const { id, verified } = captured;
    const signed = this.#options.signedPaths?.sign(cutQuery(captured.target), request, verified);
    if (signed !== undefined) return signed;
    throw new ReplayError(
      'impossible',
      `request ${id} cannot be signed: no rule of \`verify\` is for its path`,
    );
  }

  #openToApp(request: WholeRequest): Passage {
    const { readApp, readAddress, compression } = this.#options;
    const app = findApp(readApp());
    if (hidesRequest(request, app))
      throw new ReplayError(
        'impossible',
        'its body contains the first line of another request, which this app could run',
      );
    const kept = this.#link.select(app);
    return {
      connections: this.#link.selectFresh(app) ?? kept,
      message: renderForApp(request, app, readAddress(), compression),
      close: async () => {},
    };
  }

  async #send({ connections, message, close }: Passage): Promise<SendResult> {
    const rules = { timeoutMs: ANSWER_MS, keepBytes: MAX_ANSWER_BYTES, signal: this.#stopped.signal };
    try {
      return await sendMessage(connections, message, rules);
    } finally {
      await close();
    }
  }
}

function openToUrl(url: URL, request: WholeRequest): Passage {
  const pool = openPool(url);
  return { connections: pool, message: renderForHost(request, url.host), close: () => pool.close() };
}

/** If the URL is no more than an origin, the target of the request is kept. */
function chooseTarget({ pathname, search }: URL, target: string): string {
  return pathname === '/' && search === '' ? target : `${pathname}${search}`;
}

/** A request without its whole body is another request. */
function checkWhole(captured: CapturedRequest): void {
  const { id, method, target } = captured;
  const gap = findGap(captured);
  if (gap !== undefined)
    throw new ReplayError('impossible', `request ${id} cannot be sent again: its body ${gap}`);
  if (method === 'CONNECT' || !target.startsWith('/'))
    throw new ReplayError('impossible', `request ${id} cannot be sent again: it asks for no path of the app`);
}

function findGap({ body, bodyBytes, rawHeaders, isBroken }: CapturedRequest): string | undefined {
  if (body.length < bodyBytes) return `has ${bodyBytes} bytes, and only the first ${body.length} were kept`;
  const announced = Number(readValue(rawHeaders, 'content-length') ?? bodyBytes);
  return isBroken || body.length !== announced ? 'did not come whole, or was not read' : undefined;
}

function findApp(state: AppState): AppAddress {
  const address = findAppAddress(state);
  if (address !== undefined) return address;
  if (state.status !== 'running')
    throw new ReplayError('app away', `the app is ${state.status}: wait until it is running`);
  throw new ReplayError(
    'impossible',
    'with `mode: web` there is no app that takes requests: give another address with `to`',
  );
}

function explainLoss(lost: Exclude<SendResult, { kind: 'answered' }>, to: URL | undefined): ReplayError {
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
