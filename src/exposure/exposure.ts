// One exposure: composes gateway, tunnel and app, owns the state, and is its only writer.
//
//   visitor ──► bore server ──► tunnel ──► ingress ──► app           ingress: gateway │ relay (raw bytes)
//                                  └─────────┴──────────┴───► state ──► control API, comment, summary
//
// Data flows to the right, state flows down. Started in the order gateway, tunnel, app, so that an early visitor
// finds a page that says "starting"; stopped in reverse, except that the tunnel's port is given back first.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type App, CONSOLE_LINES, startApp } from '../app/app.ts';
import { renderKeyLink } from '../gateway/access/credentials.ts';
import type { RequestRecorder } from '../gateway/webhooks/record/recorder.ts';
import type { RequestsFile } from '../gateway/webhooks/record/requests-file.ts';
import type { CapturedRequest, RequestLog } from '../shared/captured-request.ts';
import { ConsoleLines } from '../shared/console-lines.ts';
import { MAX_DURATION_MS } from '../shared/duration.ts';
import { AppError, describeError, TunnelError } from '../shared/errors.ts';
import { removeFolder } from '../shared/folders.ts';
import type { HistoryMessage } from '../shared/history.ts';
import type { Logger } from '../shared/log.ts';
import type { PublicInspector } from '../shared/public-inspector.ts';
import { renderKeyFragment } from '../shared/public-url.ts';
import type { ReplayAnswer, ReplayOrder } from '../shared/replay.ts';
import type { SignatureAnswer, SignatureQuestion } from '../shared/signature-check.ts';
import type { AppState, EndReason, ExposureState } from '../shared/state.ts';
import { DEFAULT_STOP_TIMEOUT_MS, DRAIN_MS } from '../shared/stop-times.ts';
import { type ExposureConfig, listPageSecrets } from './config.ts';
import { describeEnd, type EndPhase, explainStart, shortenLine } from './end.ts';
import { startEndClock } from './end-clock.ts';
import { History } from './history.ts';
import { type Ingress, openIngress } from './ingress.ts';
import { InspectorPort } from './inspector-port.ts';
import { ProxyCheck } from './proxy-check.ts';
import { PublicTunnel } from './public-tunnel.ts';
import { createRecorder, openRequestsFile } from './record.ts';
import { checkSignature } from './signature-check.ts';
import type { TunnelStatus } from './tunnel-status.ts';

/** How long the app waits for the check: another program answers at once, and without hairpin NAT no answer comes. */
const CHECK_HEAD_START_MS = 1_000;
/** How long a preview that is ready waits for the public inspector, which opens beside it. */
const INSPECTOR_HEAD_START_MS = 5_000;
/** Nobody would read more. */
const MAX_WARNINGS = 10;

export interface ExposureOptions {
  config: ExposureConfig;
  /** Private folder of the session; the app gets `app/` in it. */
  folder: string;
  /** Where captured requests are written; absent: nowhere. */
  requestsFile?: string;
  logger: Logger;
  onChild: (child: { pid: number; role: string }) => void;
  /** Makes the public inspector, for clients with this key; absent: none, whatever the configuration says. */
  inspect?: (key: string) => PublicInspector;
  /** Called when the end begins, with the state that it will have: visitors and app may need half a minute to stop. */
  onEnding?: (last: ExposureState) => void;
}

export class Exposure {
  readonly #options: ExposureOptions;
  readonly #listeners = new Set<(state: ExposureState) => void>();
  readonly #cancelled = new AbortController();
  readonly #recorder: RequestRecorder;
  readonly #requestsFile: RequestsFile | undefined;
  readonly #ingress: Ingress;
  readonly #tunnel: PublicTunnel;
  /** Undefined without `trusted-proxy`. */
  readonly #proxyCheck: ProxyCheck | undefined;
  /** What the app prints. */
  readonly consoleLines = new ConsoleLines();
  readonly #history: History;
  #inspector: InspectorPort | undefined;
  #app: App | undefined;
  #appStart: Promise<App> | undefined;
  #state: Omit<ExposureState, 'link' | 'inspectorLink' | 'visits'>;
  #stopClock = () => {};
  #ending: Promise<void> | undefined;
  #replays = 0;
  readonly #endBegins = new AbortController();

  constructor(options: ExposureOptions) {
    this.#options = options;
    const { config, logger } = options;
    this.#recorder = createRecorder(config.gateway, logger);
    this.#ingress = openIngress({
      protocol: config.protocol,
      app: () => this.#state.app,
      publicAddress: () => this.#tunnel.lastAddress,
      endsAt: () => this.#expiresAt,
      // Static files are never away.
      gateway: config.spec.mode === 'web' ? { ...config.gateway, queue: false } : config.gateway,
      recorder: this.#recorder,
      threadScript: config.tunnel.threadScript,
      tls: config.tls,
      onWarning: message => this.warn(message),
      logger,
    });
    this.#tunnel = new PublicTunnel({
      config: config.tunnel,
      ingress: this.#ingress,
      onChange: status => this.#followTunnel(status),
      onLost: error => void this.fail(error),
      logger,
      signal: this.#cancelled.signal,
    });
    this.#proxyCheck = config.gateway.trustedProxy
      ? new ProxyCheck({
          ingress: this.#ingress,
          onWarning: message => this.warn(message),
          logger,
          signal: this.#cancelled.signal,
        })
      : undefined;
    this.#state = {
      ...this.#tunnel.status,
      mode: config.spec.mode,
      phase: { kind: 'starting' },
      app: { status: 'starting' },
      restarts: 0,
      warnings: [],
    };
    this.#history = new History({
      readVisits: () => this.#ingress.visits,
      times: this.#ingress.times,
      requests: this.#recorder,
      secrets: listPageSecrets(config),
    });
    this.#requestsFile =
      options.requestsFile === undefined
        ? undefined
        : openRequestsFile(options.requestsFile, config, this.#recorder, problem => this.warn(problem));
  }

  get #expiresAt(): Date | undefined {
    const { phase } = this.#state;
    return phase.kind === 'live' ? phase.expiresAt : undefined;
  }

  get state(): ExposureState {
    const url = this.#url;
    const isOver = this.#state.phase.kind === 'ended' || this.#state.phase.kind === 'failed';
    const isInspectorShown = !isOver && this.#options.config.inspector?.isPublished;
    return {
      ...this.#state,
      visits: this.#ingress.visits,
      link: url && this.#renderLink(url),
      inspectorLink: isInspectorShown ? this.#inspectorLink : undefined,
    };
  }

  get #url(): string | undefined {
    const { address } = this.#state;
    return address.kind === 'none' ? undefined : address.url;
  }

  get #inspectorLink(): string | undefined {
    const { inspector } = this.#options.config;
    const url = this.#inspector?.url;
    return inspector && url && renderKeyFragment(url, inspector.key);
  }

  #renderLink(url: string): string {
    const { access } = this.#options.config.gateway;
    return access.kind === 'link' && access.isGenerated ? renderKeyLink(url, access.key) : url;
  }

  subscribe(listener: (state: ExposureState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Aborted when the end begins; the reason is an Error that says why it ends. */
  get ending(): AbortSignal {
    return this.#endBegins.signal;
  }

  /** What was captured so far; nothing with `protocol: tcp`. */
  get requests(): RequestLog {
    return this.#recorder;
  }

  /** Whether somebody uses the preview: `begun` grows with each visit and replay, `open` counts those not over yet. */
  get usage(): { begun: number; open: number } {
    return { begun: this.#ingress.visits + this.#replays, open: this.#ingress.openVisits };
  }

  /** What has happened so far. */
  describeHistory(): HistoryMessage {
    return this.#history.describe();
  }

  /** What the inspector shows apart from the state. */
  get inspection(): { redacts: boolean; signingRules: readonly string[]; publicLink: string | undefined } {
    const { verify = [], redact = true } = this.#options.config.gateway;
    const signingRules = [...new Set(verify.map(({ provider }) => provider))];
    return { redacts: redact, signingRules, publicLink: this.#inspectorLink };
  }

  /** Whether a request is signed rightly. Throws an InputError if no rule is for it. */
  checkSignature(question: SignatureQuestion): SignatureAnswer {
    const { verify = [] } = this.#options.config.gateway;
    const url = this.#url;
    return checkSignature(question, verify, url && new URL(url).origin);
  }

  /** Sends a captured request again. Rejects with a ReplayError. */
  replay(captured: CapturedRequest, order: ReplayOrder): Promise<ReplayAnswer> {
    this.#replays += 1;
    return this.#ingress.replay(captured, order);
  }

  describeApp(): { pid: number | undefined; console: readonly string[] } {
    return { pid: this.#app?.pid, console: this.consoleLines.tail(CONSOLE_LINES) };
  }

  /** Resolves when live. A failure ends the exposure (phase `failed`) and is thrown. */
  async start(): Promise<void> {
    const { startupTimeoutMs } = this.#options.config;
    const timeout = AbortSignal.timeout(Math.min(startupTimeoutMs, MAX_DURATION_MS));
    const signal = AbortSignal.any([timeout, this.#cancelled.signal]);
    try {
      await this.#tunnel.open(signal);
      this.#options.logger.info(`tunnel connected: ${this.#url}`);
      const inspector = this.#openInspector(signal);
      await this.#startBehind(signal);
      await Promise.race([inspector, delay(INSPECTOR_HEAD_START_MS, undefined, { ref: false })]);
      if (signal.aborted)
        throw new TunnelError('the public address was not checked in time', { retryable: false });
      this.#goLive();
    } catch (error) {
      if (this.#ending === undefined) await this.fail(explainStart(error, timeout, startupTimeoutMs));
      await this.#ending;
      throw error;
    }
  }

  /** Resolves when the public inspector is open, or when it is clear that there is none; never rejects. */
  async #openInspector(signal: AbortSignal): Promise<void> {
    const { config, inspect, logger } = this.#options;
    if (config.inspector === undefined || inspect === undefined) return;
    this.#inspector = new InspectorPort({
      config,
      inspector: inspect(config.inspector.key),
      previewAddress: () => this.#tunnel.lastAddress,
      onChange: () => this.#update({}),
      onWarning: message => this.warn(message),
      logger,
    });
    await this.#inspector.open(signal);
  }

  /** The app gets its public URL when it starts, so a port on which another program answers is changed before that. */
  async #startBehind(signal: AbortSignal): Promise<void> {
    if (this.#ingress.needsApp) {
      await this.#startApp(signal);
      return this.#tunnel.verify(signal);
    }
    const verified = this.#tunnel.verify(signal);
    await Promise.race([verified, delay(CHECK_HEAD_START_MS, undefined, { ref: false })]);
    await Promise.all([verified, this.#startApp(signal)]);
  }

  /** Ends the exposure as planned; resolves when all of it has ended. A second call changes nothing. */
  stop(reason: EndReason = 'stopped'): Promise<void> {
    return this.#end(liveAt => ({ kind: 'ended', reason, ...liveAt, endedAt: new Date() }));
  }

  /** `tunnel/start`: the same port first. Resolves when Connected; rejects with a TunnelError. */
  startTunnel(): Promise<void> {
    return this.#tunnel.start();
  }

  /** `tunnel/stop`: gives the public port back and leaves the app running. */
  stopTunnel(): Promise<void> {
    return this.#tunnel.stop(DRAIN_MS);
  }

  #followTunnel(status: TunnelStatus): void {
    if (this.#ending) return;
    this.#update(status);
    this.#proxyCheck?.follow(status);
    const { tunnel } = status;
    if (tunnel.status === 'Failed' && this.#state.phase.kind === 'live')
      void this.fail(new TunnelError(tunnel.reason, { retryable: false }));
  }

  async #startApp(signal: AbortSignal): Promise<void> {
    const { config, folder, logger, onChild } = this.#options;
    const appFolder = join(folder, 'app');
    mkdirSync(appFolder, { recursive: true, mode: 0o700 });
    this.#appStart = startApp({
      spec: config.spec,
      publicUrl: () => this.#url ?? '',
      baseEnvironment: config.baseEnvironment,
      env: config.env,
      healthPath: config.healthPath,
      hostHeader: config.hostHeader ?? 'auto',
      stopTimeoutMs: config.stopTimeoutMs ?? DEFAULT_STOP_TIMEOUT_MS,
      folder: appFolder,
      logger,
      onChild,
      onState: state => this.#followApp(state),
      console: this.consoleLines,
      onWarning: message => this.warn(message),
      signal,
    });
    this.#app = await this.#appStart;
  }

  #followApp(app: AppState): void {
    if (this.#ending) return;
    this.#update({ app, restarts: this.#state.restarts + (app.status === 'restarting' ? 1 : 0) });
    this.#ingress.followApp();
    if (app.status === 'failed' && this.#state.phase.kind === 'live')
      void this.fail(new AppError(app.reason, { lastLines: app.lastLines }));
  }

  #goLive(): void {
    const { durationMs } = this.#options.config;
    const liveAt = new Date();
    const expiresAt = durationMs === undefined ? undefined : new Date(liveAt.getTime() + durationMs);
    this.#update({ phase: { kind: 'live', liveAt, ...(expiresAt && { expiresAt }) } });
    if (durationMs !== undefined)
      this.#stopClock = startEndClock(durationMs, () => void this.stop('duration over'));
  }

  /** A problem that does not end the exposure: goes to the log, and into every state from now on. */
  warn(message: string): void {
    const { warnings } = this.#state;
    if (warnings.includes(message) || warnings.length >= MAX_WARNINGS) return;
    this.#update({ warnings: [...warnings, message] });
    this.#options.logger.warn(message);
  }

  /** Ends the exposure as failed; people read the message of `error`. May be called twice: the first error counts. */
  fail(error: unknown): Promise<void> {
    const lastLines = error instanceof AppError ? error.lastLines.map(shortenLine) : [];
    const reason = describeError(error);
    return this.#end(
      liveAt => ({ kind: 'failed', reason, lastLines, ...liveAt, endedAt: new Date() }),
      error,
    );
  }

  #end(finish: (live: { liveAt?: Date }) => EndPhase, error?: unknown): Promise<void> {
    this.#ending ??= this.#release(finish, error);
    return this.#ending;
  }

  async #release(finish: (live: { liveAt?: Date }) => EndPhase, error: unknown): Promise<void> {
    this.#stopClock();
    this.#history.end();
    this.#cancelled.abort();
    const { phase } = this.#state;
    const end = finish(phase.kind === 'live' ? { liveAt: phase.liveAt } : {});
    const last = describeEnd(end, error);
    this.#endBegins.abort(new Error(`the preview has ${end.kind}: ${end.reason}`));
    this.#announceEnd(last);
    this.#inspector?.release();
    // The port is free at once; gateway and app stay until downloads are over, or DRAIN_MS have passed.
    const drained = this.#tunnel.close(DRAIN_MS);
    await this.#attempt('the visitors', this.#ingress.stop(DRAIN_MS));
    await this.#attempt('the tunnel', drained);
    await this.#requestsFile?.close();
    await this.#appStart?.then(app => app.stop()).catch(() => {}); // a start that failed left nothing
    // On Windows an open file, or a mount, may keep the folder from being removed: the end is reported anyway.
    const left = await removeFolder(join(this.#options.folder, 'app'));
    if (left !== undefined) this.warn(left);
    this.#history.stop();
    this.#update(last);
    // Last of all: those who watch see the end.
    await this.#attempt('the public inspector', this.#inspector?.stop());
  }

  #announceEnd(last: Partial<ExposureState>): void {
    try {
      this.#options.onEnding?.({ ...this.state, ...last });
    } catch (error) {
      this.#options.logger.error(`the end could not be passed on: ${describeError(error)}`);
    }
  }

  /** Waits for one part of the end. If it fails, that is logged, and the other parts still end. */
  async #attempt(what: string, ending: Promise<void> | undefined): Promise<void> {
    await ending?.catch(error =>
      this.#options.logger.warn(`${what} did not end well: ${describeError(error)}`),
    );
  }

  #update(change: Partial<ExposureState>): void {
    this.#state = { ...this.#state, ...change };
    this.#history.observe(this.#state);
    for (const listener of this.#listeners) {
      try {
        listener(this.state);
      } catch (error) {
        this.#options.logger.error(`a change could not be passed on: ${describeError(error)}`);
      }
    }
  }
}
