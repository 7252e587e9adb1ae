// The page once it has a key: joins the list, the details, the console and the head, and keeps them in step.

import type { StateMessage } from '../../../shared/state-json.ts';
import type { Api, InspectorDocument, RequestHead } from './api.ts';
import { countUp, renderChart } from './chart.ts';
import { type ConsoleLine, ConsoleView } from './console.ts';
import { DetailPane } from './detail-pane.ts';
import { byId } from './dom.ts';
import { EmptyView } from './empty.ts';
import { FilterBar } from './filter-bar.ts';
import { countOf, formatCount } from './format.ts';
import { listenToKeys } from './keys.ts';
import { RequestList } from './list.ts';
import { type Connection, type Listener, Live } from './live.ts';
import { showQrCode } from './qr-code.ts';
import { MOST_REQUESTS, Requests } from './requests.ts';
import { StatusBar } from './status.ts';
import { Tabs } from './tabs.ts';
import { Toast } from './toast.ts';

/** Requests that come within this time change the page once. */
const BATCH_MS = 100;
const CHART_PAUSE_MS = 1_000;

export class Page implements Listener {
  readonly #api: Api;
  readonly #toast = new Toast();
  readonly #live: Live;
  readonly #status: StatusBar;
  readonly #filter = new FilterBar(filter => {
    this.#requests.applyFilter(filter);
    this.#draw();
  });
  readonly #requests = new Requests(this.#filter.value);
  readonly #list: RequestList;
  readonly #detail: DetailPane;
  readonly #console = new ConsoleView(byId('console', HTMLElement));
  readonly #empty = new EmptyView({
    resetFilter: () => this.#filter.reset(),
    showCleared: () => this.#clear(0),
    removeCleared: () => void this.#removeFromPreview(),
  });
  readonly #pause = byId('pause', HTMLButtonElement);
  /** By id: the latest of each. */
  readonly #incoming = new Map<number, RequestHead>();
  #batchTimer: ReturnType<typeof setTimeout> | undefined;
  #isPaused = false;
  #onAccepted = () => {};
  #document: InspectorDocument | undefined;

  constructor(api: Api) {
    this.#api = api;
    this.#live = new Live(api, this);
    this.#status = new StatusBar(this.#toast, {
      retry: () => this.#live.hurry(),
      showQrCode: () => void showQrCode(api),
    });
    this.#list = new RequestList(byId('list', HTMLElement), {
      open: id => this.#detail.open(id, { focus: true }),
      activate: id => this.#detail.follow(id),
      scroll: isAtTop => this.#drawToTop(isAtTop),
    });
    this.#detail = new DetailPane(api, this.#toast, {
      publicUrl: () => this.#status.publicUrl,
      signingRules: () => this.#document?.signing_rules ?? [],
      opened: id => this.#list.markOpen(id),
      closed: () => {
        this.#list.markOpen(undefined);
        this.#list.focus();
      },
      readBody: (id, text) => this.#requests.addBody(id, text),
    });
    this.#listenToButtons();
    setInterval(() => this.#drawChart(), CHART_PAUSE_MS);
  }

  /** Resolves when the key is refused. Calls back when it is accepted for the first time. */
  async run(onAccepted: () => void): Promise<void> {
    this.#onAccepted = onAccepted;
    this.#draw();
    this.#detail.openFromAddress();
    await this.#live.run();
  }

  showConnection(connection: Connection): void {
    if (connection.kind === 'connected') {
      this.#onAccepted();
      void this.#readDocument();
    }
    this.#toast.showConnection(connection.kind);
    this.#status.showConnection(connection);
  }

  /** Without it, the page only offers less. */
  async #readDocument(): Promise<void> {
    try {
      this.#document = await this.#api.readDocument();
      this.#status.showPublicInspector(this.#document.public_inspector_url);
    } catch {
      // The event stream notices that the preview is gone.
    }
  }

  showState(state: StateMessage): void {
    this.#status.show(state);
    this.#drawEmpty();
  }

  addRequest(request: RequestHead): void {
    this.#incoming.set(request.id, request);
    // A page that is paused for hours keeps no more than others.
    const [oldest = 0] = this.#incoming.keys();
    if (this.#incoming.size > MOST_REQUESTS) this.#incoming.delete(oldest);
    this.#batchTimer ??= setTimeout(() => this.#takeIncoming(), BATCH_MS);
  }

  removeRequests(upTo: number): void {
    for (const id of this.#incoming.keys()) if (id <= upTo) this.#incoming.delete(id);
    this.#requests.remove(upTo);
    this.#draw();
  }

  addConsoleLine(line: ConsoleLine): void {
    this.#console.add(line);
  }

  #takeIncoming(): void {
    this.#batchTimer = undefined;
    if (this.#isPaused) this.#drawCount();
    else this.#showIncoming();
  }

  #showIncoming(): void {
    const heads = [...this.#incoming.values()];
    this.#incoming.clear();
    this.#requests.put(heads);
    this.#filter.offerMethods(heads.map(({ method }) => method));
    this.#detail.update(heads);
    this.#toast.countRequests(this.#requests.all.length);
    this.#draw();
  }

  #listenToButtons(): void {
    this.#pause.addEventListener('click', () => this.#togglePause());
    byId('clear', HTMLButtonElement).addEventListener('click', () => this.#clear());
    byId('to-top', HTMLButtonElement).addEventListener('click', () => this.#list.scrollToTop());
    const help = byId('help', HTMLDialogElement);
    byId('help-button', HTMLButtonElement).addEventListener('click', () => help.showModal());
    const tabs = new Tabs(name => {
      if (name === 'console') this.#console.scrollToEnd();
    });
    listenToKeys({
      list: this.#list,
      isListShown: () => tabs.chosen === 'requests',
      search: () => {
        tabs.choose('requests');
        this.#filter.focus();
      },
      togglePause: () => this.#togglePause(),
      help: () => help.showModal(),
      close: () => this.#detail.close(),
    });
  }

  #togglePause(): void {
    this.#isPaused = !this.#isPaused;
    this.#pause.ariaPressed = String(this.#isPaused);
    this.#pause.textContent = this.#isPaused ? 'Go on' : 'Pause';
    this.#toast.say(this.#isPaused ? 'Paused' : 'Live again');
    this.#takeIncoming();
  }

  #clear(upTo = this.#requests.lastId): void {
    this.#requests.clear(upTo);
    this.#draw();
  }

  /** The preview then tells all pages that they are gone. */
  async #removeFromPreview(): Promise<void> {
    try {
      await this.#api.clearRequests();
    } catch (error) {
      this.#toast.say(`Not removed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #draw(): void {
    this.#list.show(this.#requests.shown);
    this.#drawCount();
    this.#drawEmpty();
    // At once: a chart that appears later moves the rows away under a finger.
    if (byId('chart', HTMLElement).hidden === this.#requests.shown.length > 0) this.#drawChart();
  }

  #drawCount(): void {
    const { all, shown, clearedCount } = this.#requests;
    const refused = shown.filter(({ head }) => head.refusal !== null).length;
    const parts = [
      shown.length === all.length - clearedCount
        ? countOf(shown.length, 'request')
        : `${formatCount(shown.length)} of ${countOf(all.length - clearedCount, 'request')}`,
      ...(refused > 0 ? [`${formatCount(refused)} refused`] : []),
      ...(this.#isPaused ? [`paused, ${formatCount(this.#incoming.size)} waiting`] : []),
    ];
    byId('count', HTMLElement).textContent = parts.join(' · ');
  }

  #drawToTop(isAtTop: boolean): void {
    byId('to-top', HTMLButtonElement).hidden = isAtTop;
  }

  #drawEmpty(): void {
    const { shown, clearedCount } = this.#requests;
    const emptiness = {
      isFiltering: this.#filter.isFiltering,
      clearedCount,
      publicUrl: this.#status.publicUrl,
    };
    this.#empty.show(shown.length > 0 ? undefined : emptiness);
  }

  #drawChart(): void {
    const { shown } = this.#requests;
    const chart = byId('chart', HTMLElement);
    chart.hidden = shown.length === 0;
    if (!chart.hidden && !document.hidden) chart.replaceChildren(...renderChart(countUp(shown, Date.now())));
  }
}
