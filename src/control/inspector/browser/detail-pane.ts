// The pane of the chosen request: reads it, shows it, and keeps its id in the address, so that Back and a reload work.

import type { Api, RequestHead } from './api.ts';
import { type DetailContext, fillSummary, renderDetail, renderNotice } from './detail.ts';
import { byId } from './dom.ts';
import type { Toast } from './toast.ts';

export interface DetailEvents {
  publicUrl(): string;
  signingRules(): readonly string[];
  opened(id: number): void;
  closed(): void;
  readBody(id: number, text: string): void;
}

/** Someone who holds a key down passes many requests: only the one they stop at is read. */
const FOLLOW_PAUSE_MS = 100;

export class DetailPane {
  readonly #api: Api;
  readonly #events: DetailEvents;
  readonly #context: DetailContext;
  readonly #pane = byId('detail', HTMLElement);
  #openId: number | undefined;
  #followTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api, toast: Toast, events: DetailEvents) {
    this.#api = api;
    this.#events = events;
    this.#context = {
      api,
      publicUrl: events.publicUrl,
      signingRules: events.signingRules,
      toast,
      close: () => this.close(),
      open: id => this.open(id, { focus: true }),
    };
    addEventListener('popstate', () => this.openFromAddress());
    this.#showNothing();
  }

  /** Shows the request that the address names, or none. */
  openFromAddress(): void {
    const id = readAddress();
    if (id !== undefined) void this.#show(id, false);
    else if (this.#openId !== undefined) this.#leave();
  }

  open(id: number, { focus }: { focus: boolean }): void {
    const url = `#request=${id}`;
    if (this.#openId === undefined) history.pushState({ isInside: true }, '', url);
    else history.replaceState(history.state, '', url);
    void this.#show(id, focus);
  }

  /** The keys moved to this request: an open pane shows it, soon. */
  follow(id: number): void {
    clearTimeout(this.#followTimer);
    if (this.#openId !== undefined)
      this.#followTimer = setTimeout(() => this.open(id, { focus: false }), FOLLOW_PAUSE_MS);
  }

  close(): void {
    if (this.#openId === undefined) return;
    if (history.state?.isInside) history.back();
    else {
      history.replaceState(null, '', location.pathname + location.search);
      this.#leave();
    }
  }

  /** The open request may be among those that changed. */
  update(heads: readonly RequestHead[]): void {
    const head = heads.findLast(({ id }) => id === this.#openId);
    const summary = this.#pane.querySelector('.summary');
    if (head !== undefined && summary !== null) fillSummary(summary, head, this.#context);
  }

  async #show(id: number, focus: boolean): Promise<void> {
    clearTimeout(this.#followTimer);
    this.#openId = id;
    document.body.classList.add('is-open');
    this.#events.opened(id);
    const nodes = await this.#read(id);
    if (this.#openId !== id) return;
    this.#pane.replaceChildren(...nodes);
    this.#pane.scrollTop = 0;
    if (focus) this.#pane.querySelector('h2')?.focus({ preventScroll: true });
  }

  async #read(id: number): Promise<Node[]> {
    try {
      const message = await this.#api.readRequest(id);
      if (message.body_encoding === 'utf8') this.#events.readBody(id, message.body ?? '');
      return await renderDetail(message, this.#context);
    } catch (error) {
      return renderNotice(
        `Request ${id} cannot be read`,
        error instanceof Error ? error.message : '',
        this.#context,
      );
    }
  }

  #leave(): void {
    this.#openId = undefined;
    document.body.classList.remove('is-open');
    this.#events.closed();
    this.#showNothing();
  }

  #showNothing(): void {
    const hint = document.createElement('p');
    hint.className = 'hint';
    hint.textContent = 'Choose a request to see all of it.';
    this.#pane.replaceChildren(hint);
  }
}

function readAddress(): number | undefined {
  const id = Number(new URLSearchParams(location.hash.slice(1)).get('request'));
  return Number.isInteger(id) && id > 0 ? id : undefined;
}
