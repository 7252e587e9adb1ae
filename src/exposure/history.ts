// Records what happens to one exposure, for the summary at its end: visits a minute, outages, and the recorded requests.
// Owned by exposure.ts. Memory and time are bounded, however long it lives and whatever visitors send.

import type { CapturedRequest, RequestLog } from '../shared/captured-request.ts';
import type { HistoryMessage, Part } from '../shared/history.ts';
import { cutQuery } from '../shared/http-message.ts';
import type { ResponseTimes } from '../shared/response-times.ts';
import { createMask } from '../shared/secrets.ts';
import type { ExposureState } from '../shared/state.ts';
import { VisitCounts } from './visit-counts.ts';

/** How often the visits are read. */
const SAMPLE_MS = 5_000;
const MAX_OUTAGES = 50;
const MAX_MOVES = 10;
const MAX_PATHS = 30;
/** More of a path or a reason would not be shown. */
const MAX_TEXT = 200;

type Outage = HistoryMessage['outages'][number];
type Observed = Pick<ExposureState, 'phase' | 'tunnel' | 'app' | 'address'>;

export interface HistoryOptions {
  /** Visits since the start. */
  readVisits: () => number;
  /** Undefined with `protocol: tcp`. */
  times: ResponseTimes | undefined;
  requests: RequestLog;
  /** Texts that must not be shown. */
  secrets: readonly string[];
}

export class History {
  readonly #options: HistoryOptions;
  readonly #visits = new VisitCounts(Date.now());
  readonly #away: Record<Part, Away> = { tunnel: new Away('tunnel'), app: new Away('app') };
  readonly #webhooks = new Webhooks();
  readonly #mask: (text: string) => string;
  readonly #moves: HistoryMessage['moves'] = [];
  #address: string | undefined;
  /** When the end began: a time of Date.now(). */
  #endAt: number | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #unsubscribe: () => void;

  /** Records from now on, until `stop`. */
  constructor(options: HistoryOptions) {
    this.#options = options;
    // In a path, a secret may be percent-encoded.
    this.#mask = createMask(
      options.secrets.flatMap(secret => [secret, encodeURIComponent(secret.toWellFormed())]),
    );
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS).unref();
    this.#unsubscribe = options.requests.subscribe(request => this.#webhooks.observe(request));
  }

  /** The end begins: tunnel and app are taken down on purpose from now on. */
  end(): void {
    this.#endAt ??= Date.now();
  }

  stop(): void {
    this.end();
    this.#sample();
    clearInterval(this.#timer);
    this.#unsubscribe();
  }

  /** To be called with each state. */
  observe({ phase, tunnel, app, address }: Observed): void {
    if (this.#endAt !== undefined) return;
    const now = Date.now();
    if (address.kind !== 'none') this.#follow(address.url, phase.kind === 'live', now);
    if (phase.kind !== 'live') return;
    const tunnelReason = 'reason' in tunnel ? tunnel.reason : undefined;
    this.#away.tunnel.observe(tunnel.status === 'Connected', tunnelReason, now);
    this.#away.app.observe(app.status === 'running', 'reason' in app ? app.reason : undefined, now);
  }

  describe(): HistoryMessage {
    this.#sample();
    const now = this.#endAt ?? Date.now();
    const show = (text: string) => this.#mask(text).slice(0, MAX_TEXT);
    const { tunnel, app } = this.#away;
    const outages = [...tunnel.list, ...app.list]
      .sort((one, other) => one.from.localeCompare(other.from))
      .map(outage => ({ ...outage, reason: outage.reason === null ? null : show(outage.reason) }));
    return {
      address: this.#address ?? null,
      visits: this.#visits.describe(),
      times: describeTimes(this.#options.times),
      slowest: (this.#options.times?.slowest ?? []).map(({ durationMs, method, path, status }) => ({
        method: show(method),
        path: show(path),
        status,
        duration_ms: Math.round(durationMs),
      })),
      outages,
      away: { tunnel: tunnel.describe(now), app: app.describe(now) },
      moves: [...this.#moves],
      webhooks: this.#webhooks.describe(show),
    };
  }

  #sample(): void {
    this.#visits.observe(this.#options.readVisits(), Date.now());
  }

  #follow(url: string, isLive: boolean, now: number): void {
    if (url === this.#address) return;
    if (this.#address !== undefined && isLive) {
      this.#moves.push({ at: new Date(now).toISOString(), url });
      if (this.#moves.length > MAX_MOVES) this.#moves.shift();
    }
    this.#address = url;
  }
}

function describeTimes(times: ResponseTimes | undefined): HistoryMessage['times'] {
  const [median, p95] = [times?.percentile(0.5), times?.percentile(0.95)];
  if (times === undefined || median === undefined || p95 === undefined) return null;
  return { count: times.count, median_ms: Math.round(median), p95_ms: Math.round(p95) };
}

/** The outages of one part. */
class Away {
  readonly #part: Part;
  readonly list: Outage[] = [];
  #count = 0;
  #ms = 0;
  /** Since when it is away; `outage` is undefined if it is not listed. */
  #open: { since: number; outage: Outage | undefined } | undefined;

  constructor(part: Part) {
    this.#part = part;
  }

  observe(isUp: boolean, reason: string | undefined, now: number): void {
    if (!isUp && this.#open === undefined) this.#begin(now);
    const outage = this.#open?.outage;
    if (!isUp && outage !== undefined) outage.reason ??= reason ?? null;
    if (!isUp || this.#open === undefined) return;
    this.#ms += Math.max(0, now - this.#open.since);
    if (outage !== undefined) outage.until = new Date(now).toISOString();
    this.#open = undefined;
  }

  describe(now: number): { count: number; ms: number } {
    const open = this.#open === undefined ? 0 : Math.max(0, now - this.#open.since);
    return { count: this.#count, ms: this.#ms + open };
  }

  #begin(now: number): void {
    this.#count += 1;
    const isListed = this.list.length < MAX_OUTAGES / 2;
    const outage: Outage | undefined = isListed
      ? { part: this.#part, from: new Date(now).toISOString(), until: null, reason: null }
      : undefined;
    if (outage !== undefined) this.list.push(outage);
    this.#open = { since: now, outage };
  }
}

/** Counts the recorded requests, once each, when they are over. */
class Webhooks {
  readonly #counted = new WeakSet<CapturedRequest>();
  readonly #queued = new WeakSet<CapturedRequest>();
  readonly #dropped = new WeakSet<CapturedRequest>();
  readonly #paths = new Map<string, HistoryMessage['webhooks']['paths'][number]>();
  readonly #counts = { count: 0, refused: 0, queued: 0, dropped: 0, replayed: 0 };

  observe(request: CapturedRequest): void {
    if (request.delivery !== undefined && isFirst(this.#queued, request)) this.#counts.queued += 1;
    if (request.delivery?.outcome.kind === 'dropped' && isFirst(this.#dropped, request))
      this.#counts.dropped += 1;
    if (!request.isFinished || !isFirst(this.#counted, request)) return;
    if (request.replayOf !== undefined) this.#counts.replayed += 1;
    else this.#count(request);
  }

  describe(show: (text: string) => string): HistoryMessage['webhooks'] {
    const paths = [...this.#paths.values()].map(one => ({
      ...one,
      method: show(one.method),
      path: show(one.path),
    }));
    return { ...this.#counts, paths: paths.sort((one, other) => other.count - one.count) };
  }

  #count({ method, target, refusal, answer }: CapturedRequest): void {
    const isRefused = refusal !== undefined;
    this.#counts.count += 1;
    if (isRefused) this.#counts.refused += 1;
    const path = cutQuery(target);
    const status = answer?.status ?? null;
    const key = JSON.stringify([method, path, status, isRefused]);
    const known = this.#paths.get(key);
    if (known !== undefined) known.count += 1;
    else if (this.#paths.size < MAX_PATHS)
      this.#paths.set(key, { method, path, status, isRefused, count: 1 });
  }
}

function isFirst(seen: WeakSet<CapturedRequest>, request: CapturedRequest): boolean {
  if (seen.has(request)) return false;
  seen.add(request);
  return true;
}
