// The demo's story: a pull request, a workflow run that exposes its app, and what the page's buttons do to it. Tells the
// feed all that happens. Used by demo.ts.

import { randomBytes } from 'node:crypto';
import { callControl } from '../control/client.ts';
import { renderKeyFragment } from '../shared/public-url.ts';
import type { RequestMessage } from '../shared/request-json.ts';
import type { StateMessage } from '../shared/state-json.ts';
import type { Session } from '../supervisor/session-folder.ts';
import { DemoBoreServer } from './bore.ts';
import { type GitHubServer, startGitHubServer } from './github/server.ts';
import type { Action, Conclusion, Delivery, Run } from './page/documents.ts';
import type { Feed } from './page/feed.ts';
import { type DemoMachine, idOfRun, listInputs, planRun } from './plan.ts';
import { watchPreview } from './preview-watch.ts';
import { PULL, PULL_ON_GITHUB } from './pull-request.ts';
import type { Entry } from './runner/job.ts';
import { StepLog } from './runner/log.ts';
import type { News } from './runner/messages.ts';
import { WorkflowRun } from './runner/run.ts';
import { describeDeployment, describePreview, describeRecorded, readTitle } from './views.ts';
import { sendWebhook } from './webhook.ts';

/** More than a person reads in the page's lists; each change sends them whole. */
const MAX_EVENTS = 50;
const MAX_RECORDED = 50;

export interface StoryOptions extends DemoMachine {
  feed: Feed;
  /** The program that plays the runner. */
  runnerScript: string;
  onSession: (session: Session) => void;
  onState: (state: StateMessage) => void;
}

export class Story {
  readonly #options: StoryOptions;
  readonly #feed: Feed;
  readonly #bore = new DemoBoreServer();
  readonly #webhookSecret = randomBytes(16).toString('hex');
  #gitHub: GitHubServer | undefined;
  #run: WorkflowRun | undefined;
  #session: Session | undefined;
  #isCancelled = false;
  #isStopped = false;

  constructor(options: StoryOptions) {
    this.#options = options;
    this.#feed = options.feed;
  }

  /** Starts the servers and the first run. */
  async start(): Promise<void> {
    await this.#bore.start();
    // Other users of this machine can reach the server: it tells and obeys only who has the token.
    const token = `ghs_${randomBytes(18).toString('hex')}`;
    const state = { repository: PULL.repository, token, isPrivate: true, pulls: [PULL_ON_GITHUB] };
    this.#gitHub = await startGitHubServer(state, () => this.#readGitHub());
    this.#showServer();
    this.#startRun();
  }

  /** Does what a button of the page says, where that makes sense at the moment. */
  act(action: Action): void {
    if (this.#isStopped) return;
    const { run } = this.#feed.documents;
    switch (action) {
      case 'cut':
        return void this.#cut();
      case 'restore':
        return void this.#bore.restore().then(() => this.#showBack());
      case 'end':
        return void this.#end();
      case 'cancel':
        return void this.#cancel();
      case 'again':
        if (run.phase === 'over') this.#startRun();
        return;
      case 'signed':
      case 'unsigned':
        return void this.#send(action === 'signed');
    }
  }

  /** Cancels the run and stops the servers. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    // The end of the preview is easier to follow with a server; the action does not need one.
    await this.#bore.restore();
    this.#cancel();
    await this.#run?.over;
    await this.#close();
  }

  /** The same at once, without the post step. */
  async leave(): Promise<void> {
    this.#isStopped = true;
    await this.#run?.leave();
    await this.#close();
  }

  async #close(): Promise<void> {
    await Promise.all([this.#bore.stop(), this.#gitHub?.stop()]);
    this.#feed.change({ isOver: true });
  }

  #startRun(): void {
    const number = this.#feed.documents.run.number + 1;
    const run: Run = { number, phase: 'main', startedAt: new Date().toISOString() };
    const { preview: _, ...rest } = this.#feed.documents;
    this.#feed.replace({ ...rest, run, recorded: [] });
    this.#note(`Workflow run ${number} has started.`);
    this.#isCancelled = false;
    if (this.#gitHub)
      this.#gitHub.state.runs[idOfRun(number)] = {
        attempt: 1,
        event: 'pull_request',
        headSha: PULL.commit,
      };
    const masks = new Set([this.#bore.secret, this.#webhookSecret, this.#gitHub?.state.token ?? '']);
    const logs = new Map<Entry, StepLog>();
    const logOf = (entry: Entry) => {
      const log = logs.get(entry) ?? this.#openLog(entry, masks);
      logs.set(entry, log);
      return log;
    };
    logOf('main');
    const over = new AbortController();
    const plan = planRun(this.#options, { number, inputs: this.#inputs(), apiUrl: this.#gitHub?.url ?? '' });
    const workflow = new WorkflowRun(this.#options.runnerScript, plan, news =>
      this.#hear(news, logOf, over.signal),
    );
    this.#run = workflow;
    void workflow.over.then(() => {
      over.abort();
      this.#endRun();
    });
  }

  #inputs(): Record<string, string> {
    const { address, secret } = this.#bore;
    const token = this.#gitHub?.state.token ?? '';
    return listInputs(this.#options.app, { address, secret, webhookSecret: this.#webhookSecret, token });
  }

  /** A step's log begins with lines of the runner: what it runs, with which inputs. */
  #openLog(entry: Entry, masks: Set<string>): StepLog {
    const log = new StepLog(entry, masks, line => this.#feed.addLine(line));
    if (entry !== 'main') return log;
    log.add('group', 'Run wasmrun/expose-action@v1');
    log.add('text', 'with:');
    for (const [name, value] of Object.entries(this.#inputs())) log.add('text', `  ${name}: ${value}`);
    log.add('end of group', '');
    return log;
  }

  #hear(news: News, logOf: (entry: Entry) => StepLog, signal: AbortSignal): void {
    switch (news.news) {
      case 'started':
        return void this.#follow(news.temp, signal);
      case 'text':
        return void logOf(news.entry).write(news.text);
      case 'ended':
        logOf(news.entry).end();
        return void this.#endStep(news, logOf(news.entry));
      case 'done':
    }
  }

  #endStep({ entry, code, summary }: News & { news: 'ended' }, log: StepLog): void {
    const { run } = this.#feed.documents;
    const text = `${run.summary ?? ''}${log.mask(summary)}`;
    const shown = text === '' ? run : { ...run, summary: text };
    if (entry !== 'main') return void this.#feed.change({ run: shown });
    const conclusion: Conclusion = this.#isCancelled ? 'cancelled' : code === 0 ? 'success' : 'failure';
    this.#feed.change({ run: { ...shown, phase: 'post', conclusion } });
    this.#note('The step has ended. Now its post step cleans up.');
  }

  #endRun(): void {
    const { run, preview } = this.#feed.documents;
    const conclusion = run.conclusion ?? (this.#isCancelled ? 'cancelled' : 'failure');
    this.#feed.change({
      run: { ...run, phase: 'over', conclusion, endedAt: new Date().toISOString() },
      ...(preview?.phase === 'live' && { preview: { ...preview, phase: 'ended' as const } }),
    });
    this.#note(`Workflow run ${run.number} is over. No process and no port of it is left on the runner.`);
  }

  #follow(temp: string, signal: AbortSignal): Promise<void> {
    let inspector = '';
    return watchPreview(
      temp,
      {
        onSession: session => {
          this.#session = session;
          inspector = renderKeyFragment(session.controlUrl, session.controlToken);
          this.#options.onSession(session);
        },
        onState: state => {
          const { preview } = this.#feed.documents;
          this.#feed.change({ preview: { ...describePreview(state, preview), inspector } });
          this.#options.onState(state);
        },
        onRequest: request => this.#showRequest(request),
      },
      signal,
    );
  }

  #showRequest(request: RequestMessage): void {
    const others = this.#feed.documents.recorded.filter(({ id }) => id !== request.id);
    this.#feed.change({ recorded: [...others, describeRecorded(request)].slice(-MAX_RECORDED) });
  }

  #cancel(): void {
    if (this.#run === undefined || this.#feed.documents.run.phase === 'over') return;
    this.#isCancelled ||= this.#feed.documents.run.phase === 'main';
    void this.#run.cancel();
  }

  /** As `expose stop` does. */
  async #end(): Promise<void> {
    // The preview may have ended meanwhile.
    if (this.#session) await callControl(this.#session, 'POST /api/stop').catch(() => {});
  }

  async #cut(): Promise<void> {
    if (!this.#bore.isUp) return;
    const backAt = await this.#bore.cut(() => this.#showBack());
    this.#showServer(new Date(), backAt);
    this.#note('The bore server is down: no visitor can reach the preview.');
  }

  #showBack(): void {
    if (this.#feed.documents.server.isUp) return;
    this.#showServer();
    this.#note('The bore server is back.');
  }

  #showServer(cutAt?: Date, backAt?: Date): void {
    this.#feed.change({
      server: {
        address: this.#bore.address,
        isUp: this.#bore.isUp,
        ...(cutAt && { cutAt: cutAt.toISOString() }),
        ...(backAt && { backAt: backAt.toISOString() }),
      },
    });
  }

  async #send(isSigned: boolean): Promise<void> {
    const { preview, deliveries } = this.#feed.documents;
    if (preview?.url === undefined) return;
    const delivery: Delivery = { number: deliveries.length + 1, at: new Date().toISOString(), isSigned };
    this.#feed.change({ deliveries: [...deliveries, delivery] });
    const answer = await sendWebhook({
      url: preview.url,
      secret: isSigned ? this.#webhookSecret : undefined,
      repository: PULL.repository,
      pullRequest: PULL.number,
    });
    this.#feed.change({
      deliveries: this.#feed.documents.deliveries.map(one =>
        one.number === delivery.number ? { ...one, answer } : one,
      ),
    });
  }

  /** Looks at what the last request has changed. */
  #readGitHub(): void {
    const { state } = this.#gitHub ?? {};
    const before = this.#feed.documents;
    const comments = (state?.comments ?? []).map(({ id, login, body }) => {
      const known = before.comments.find(comment => comment.id === id)?.versions ?? [];
      const author = login ?? 'ghost';
      if (known.at(-1)?.body === body) return { id, author, versions: known };
      const verb = known.length === 0 ? 'wrote a comment' : 'edited its comment';
      this.#note(`The action ${verb}: ${readTitle(body)}`);
      return { id, author, versions: [...known, { body, at: new Date().toISOString() }] };
    });
    const deployments = (state?.deploymentList ?? []).map(describeDeployment);
    if (JSON.stringify([comments, deployments]) !== JSON.stringify([before.comments, before.deployments]))
      this.#feed.change({ comments, deployments });
  }

  #note(text: string): void {
    const event = { at: new Date().toISOString(), text };
    this.#feed.change({ events: [...this.#feed.documents.events, event].slice(-MAX_EVENTS) });
  }
}
