// The head of the page: how the preview is, its link with a QR code, and whether this page is connected to it.

import type { StateMessage } from '../../../shared/state-json.ts';
import { copyButton } from './copy.ts';
import { button, byId, el, line } from './dom.ts';
import { formatCount, formatMinute, formatSpan } from './format.ts';
import type { Connection } from './live.ts';
import type { Toast } from './toast.ts';

type Tone = 'good' | 'busy' | 'bad' | 'off';

export interface StatusEvents {
  retry(): void;
  showQrCode(): void;
}

export class StatusBar {
  readonly #toast: Toast;
  readonly #events: StatusEvents;
  readonly #verdict = byId('verdict', HTMLElement);
  readonly #link = byId('link', HTMLElement);
  readonly #facts = byId('facts', HTMLElement);
  readonly #warnings = byId('warnings', HTMLElement);
  readonly #offline = byId('offline', HTMLElement);
  #state: StateMessage | undefined;
  #connection: Connection = { kind: 'connecting' };
  #isLost = false;
  #shownLink: string | null | undefined;

  constructor(toast: Toast, events: StatusEvents) {
    this.#toast = toast;
    this.#events = events;
    // Uptime and the time left go on between events.
    setInterval(() => this.#draw(), 1_000);
  }

  /** Without a slash at its end; empty if there is none. */
  get publicUrl(): string {
    return this.#state?.public_url ?? '';
  }

  show(state: StateMessage): void {
    this.#state = state;
    this.#draw();
  }

  /** The link of this page for people away from the runner; null if there is none. */
  showPublicInspector(url: string | null): void {
    const shown =
      url === null
        ? []
        : [
            copyButton(
              'Share',
              () => url,
              this.#toast,
              'Copy the link of this page for people away from the runner',
            ),
          ];
    byId('share', HTMLElement).replaceChildren(...shown);
  }

  showConnection(connection: Connection): void {
    this.#connection = connection;
    if (connection.kind === 'disconnected') this.#isLost = true;
    if (connection.kind === 'connected') this.#isLost = false;
    this.#draw();
  }

  #draw(): void {
    this.#drawConnection();
    const state = this.#state;
    if (state === undefined) return;
    const { text, tone } = summarise(state);
    setText(this.#verdict, text);
    this.#verdict.className = `pill ${tone}`;
    document.title = `${text} · expose inspector`;
    this.#drawLink(state.preview_url ?? state.public_url);
    this.#drawFacts(state);
    const warnings = state.warnings.map(warning => el('li', {}, line(warning)));
    if (this.#warnings.childElementCount !== warnings.length) this.#warnings.replaceChildren(...warnings);
  }

  #drawConnection(): void {
    this.#offline.hidden = !this.#isLost;
    document.body.classList.toggle('stale', this.#isLost);
    if (!this.#isLost) return;
    if (this.#offline.childElementCount === 0)
      this.#offline.append(
        el('span'),
        button('Try now', () => this.#events.retry(), { class: 'small' }),
      );
    const isOver = this.#state?.exposure.phase === 'ended' || this.#state?.exposure.phase === 'failed';
    const text = isOver
      ? 'The preview has ended. What you see is as of then. '
      : `Disconnected: what you see is as of then. ${describeRetry(this.#connection)}`;
    if (this.#offline.firstElementChild !== null) setText(this.#offline.firstElementChild, text);
  }

  #drawLink(url: string | null): void {
    if (url === this.#shownLink) return;
    this.#shownLink = url;
    const shown = url === null ? [el('span', { class: 'soft' }, 'no public link')] : this.#renderLink(url);
    this.#link.replaceChildren(...shown);
  }

  #renderLink(url: string): HTMLElement[] {
    return [
      // Only http and https lead anywhere: `protocol: tcp` has an address that browsers do not open.
      /^https?:/.test(url)
        ? el('a', { href: url, target: '_blank', rel: 'noopener noreferrer' }, line(hideKey(url)))
        : el('code', {}, line(url)),
      copyButton('Copy link', () => url, this.#toast),
      button('QR code', () => this.#events.showQrCode(), { class: 'small' }),
    ];
  }

  #drawFacts(state: StateMessage): void {
    const facts = listFacts(state, Date.now());
    const current = [...this.#facts.querySelectorAll('dd')];
    if (current.length !== facts.length)
      this.#facts.replaceChildren(
        ...facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, line(value)))),
      );
    else for (const [index, [name, value]] of facts.entries()) setFact(current[index], name, value);
  }
}

function describeRetry(connection: Connection): string {
  if (connection.kind !== 'disconnected') return 'Connecting …';
  return `Next try in ${Math.max(0, Math.ceil((connection.retryAt - Date.now()) / 1_000))} s.`;
}

function setFact(element: Element | undefined, name: string, value: string): void {
  if (element === undefined) return;
  if (element.previousElementSibling !== null) setText(element.previousElementSibling, name);
  if (element.textContent !== value) element.replaceChildren(line(value));
}

/** An element that shows the same already is left alone, so that screen readers and selections are not disturbed. */
function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** The key is in the link that is copied, and not on a screen that others may see. */
function hideKey(url: string): string {
  return url.replace(/([?&]expose-key=)[^&#]+/, '$1…');
}

/** The whole preview in a few words. */
function summarise({ exposure, status, app }: StateMessage): { text: string; tone: Tone } {
  if (exposure.phase === 'ended') return { text: `Ended: ${exposure.reason}`, tone: 'off' };
  if (exposure.phase === 'failed') return { text: 'Failed', tone: 'bad' };
  if (app.status === 'failed') return { text: 'App failed', tone: 'bad' };
  if (status === 'Failed' || status === 'Disconnected')
    return { text: `Tunnel ${status.toLowerCase()}`, tone: 'bad' };
  if (status !== 'Connected') return { text: `Tunnel ${status.toLowerCase()}`, tone: 'busy' };
  if (app.status !== 'running') return { text: `App ${app.status}`, tone: 'busy' };
  return { text: 'Live', tone: 'good' };
}

/** Name and value in turn. */
function listFacts(state: StateMessage, now: number): [string, string][] {
  const { exposure, app, mode } = state;
  const facts: [string, string | undefined][] = [
    ['Tunnel', withReason(state.status, state.tunnel_reason)],
    ['Up', state.connected_at === null ? undefined : formatSpan(now - Date.parse(state.connected_at))],
    ['Address', state.verified === false ? `not verified (${state.doubt})` : undefined],
    ['App', withReason(`${app.status} (${mode})`, app.reason)],
    ['Restarts', state.restarts === 0 ? undefined : String(state.restarts)],
    ['Reconnects', state.reconnects === 0 ? undefined : String(state.reconnects)],
    ['Visits', formatCount(state.visits)],
    ['Ends', describeEnd(exposure, now)],
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== undefined);
}

function withReason(status: string, reason: string | null): string {
  return reason === null ? status : `${status}: ${reason}`;
}

function describeEnd(exposure: StateMessage['exposure'], now: number): string | undefined {
  if (exposure.phase === 'failed') return exposure.reason;
  if (exposure.phase !== 'live' || exposure.expires_at === null) return undefined;
  const end = Date.parse(exposure.expires_at);
  return `${formatMinute(end)}, in ${formatSpan(end - now)}`;
}
