// Renders everything of one request, with what can be done with it: copy it, send it again.

import type { RequestMessage } from '../../../shared/request-json.ts';
import type { Api, RequestHead } from './api.ts';
import { renderBody, renderPairs } from './body.ts';
import { copyButton } from './copy.ts';
import { renderCurl } from './curl.ts';
import { button, el, line } from './dom.ts';
import { formatBytes, formatDuration, formatTime, formatTimeWithMs } from './format.ts';
import { renderReplay } from './replay.ts';
import { badge, badgesOf, nameAnswer, statusMark } from './row.ts';
import type { Toast } from './toast.ts';

export interface DetailContext {
  readonly api: Api;
  readonly toast: Toast;
  /** The preview's public URL without a slash at its end. */
  publicUrl(): string;
  /** The `verify` rules that a replay can be signed for again. */
  signingRules(): readonly string[];
  open(id: number): void;
  close(): void;
}

export async function renderDetail(message: RequestMessage, context: DetailContext): Promise<Node[]> {
  const { method, target, headers } = message;
  const query = [...new URLSearchParams(target.split('?').slice(1).join('?'))];
  const title = el(
    'h2',
    { tabindex: -1 },
    el('span', { class: 'method' }, line(method)),
    ' ',
    el('bdi', {}, line(target)),
  );
  const summary = el('div', { class: 'summary' });
  fillSummary(summary, message, context);
  return [
    el('div', { class: 'heading' }, title, closeButton(context)),
    summary,
    el(
      'div',
      { class: 'actions' },
      ...renderReplay(message, context.api, context.signingRules()),
      ...renderCopyButtons(message, context),
    ),
    section('Body', await renderBody(message)),
    ...(query.length === 0 ? [] : [section('Query', renderPairs(query, ['Name', 'Value']))]),
    section('Headers', renderPairs(headers, ['Name', 'Value'])),
  ];
}

/** In place of a request that cannot be read. */
export function renderNotice(title: string, reason: string, context: DetailContext): Node[] {
  return [
    el('div', { class: 'heading' }, el('h2', { tabindex: -1 }, title), closeButton(context)),
    el('p', { class: 'soft' }, line(reason)),
  ];
}

function closeButton(context: DetailContext): HTMLElement {
  return button('Close', () => context.close(), { class: 'small close', title: 'Close (Esc)' });
}

/** What may still change: the answer, and what became of the request. */
export function fillSummary(summary: Element, head: RequestHead, context: DetailContext): void {
  const { id, received_at, body_bytes, http_version, visitor_address } = head;
  const facts = [
    `#${id}`,
    formatTimeWithMs(Date.parse(received_at)),
    describeAnswer(head),
    formatBytes(body_bytes),
    `HTTP/${http_version}`,
    ...(visitor_address === null ? [] : [`from ${visitor_address}`]),
  ];
  summary.replaceChildren(
    el(
      'p',
      { class: 'facts' },
      statusMark(head),
      ' ',
      el('time', { datetime: received_at, title: received_at }, facts.join(' · ')),
    ),
    el('p', { class: 'badges' }, ...badgesOf(head).map(badge), ...renderRelatives(head, context)),
    ...renderCallouts(head),
  );
}

function describeAnswer(head: RequestHead): string {
  return head.duration_ms === null ? nameAnswer(head) : `answered after ${formatDuration(head.duration_ms)}`;
}

function renderCallouts({ refusal, problem, delivery }: RequestHead): HTMLElement[] {
  return [
    ...(refusal === null ? [] : [callout('bad', 'The app did not get it', refusal)]),
    ...(problem === null ? [] : [callout('bad', 'Problem', problem)]),
    ...(delivery === null ? [] : [renderDelivery(delivery)]),
  ];
}

type Delivery = NonNullable<RequestHead['delivery']>;

function renderDelivery(delivery: Delivery): HTMLElement {
  if (delivery.dropped !== null)
    return callout('bad', 'Kept while the app was away, and not delivered', delivery.dropped);
  if (delivery.delivered_at === null)
    return callout('odd', 'Kept', 'it will be delivered when the app is back');
  return callout('good', 'Kept while the app was away', describeDelivery(delivery));
}

function callout(tone: string, title: string, text: string): HTMLElement {
  return el('p', { class: `callout ${tone}` }, el('strong', {}, title), ': ', line(text));
}

function describeDelivery({ delivered_at, status, duration_ms }: Delivery): string {
  const time = formatTime(Date.parse(delivered_at ?? ''));
  return `delivered at ${time}; the app answered ${status} after ${formatDuration(duration_ms ?? 0)}`;
}

/** Buttons that lead to the requests this one belongs to. */
function renderRelatives({ duplicate_of, replay_of }: RequestHead, context: DetailContext): HTMLElement[] {
  const link = (id: number | null) =>
    id === null ? [] : [button(`Show request ${id}`, () => context.open(id), { class: 'small' })];
  return [...link(duplicate_of), ...link(replay_of)];
}

function renderCopyButtons(message: RequestMessage, { toast, publicUrl }: DetailContext): HTMLElement[] {
  const { body, body_encoding } = message;
  return [
    copyButton('Copy as curl', () => renderCurl(message, publicUrl()), toast),
    ...(body_encoding === 'utf8' && body ? [copyButton('Copy body', () => body, toast)] : []),
    copyButton('Copy JSON', () => JSON.stringify(message, null, 2), toast),
  ];
}

function section(title: string, content: Node): HTMLElement {
  return el('section', {}, el('h3', {}, title), content);
}
