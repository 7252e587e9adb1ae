// One request in words: its row in the list, and its badges.

import type { RequestHead } from './api.ts';
import { el, line } from './dom.ts';
import { formatBytes, formatDuration, formatTime } from './format.ts';

export interface Badge {
  readonly text: string;
  readonly tone: 'good' | 'bad' | 'odd' | 'plain';
}

/** Longer targets are cut in the list; the details have them whole. */
const LONGEST_TARGET = 300;

export function fillRow(row: HTMLElement, head: RequestHead): void {
  const { method, target, body_bytes, received_at, duration_ms, visitor_address } = head;
  const time = Date.parse(received_at);
  const facts = [
    formatTime(time),
    duration_ms === null ? undefined : formatDuration(duration_ms),
    visitor_address ?? undefined,
  ];
  row.replaceChildren(
    el(
      'span',
      { class: 'first' },
      el('span', { class: 'method' }, line(method)),
      el('bdi', { class: 'target' }, line(target.slice(0, LONGEST_TARGET))),
      statusMark(head),
    ),
    el(
      'span',
      { class: 'second' },
      el(
        'span',
        { class: 'facts' },
        facts.filter(fact => fact !== undefined).join(' · '),
        el('span', { class: 'size' }, ` · ${formatBytes(body_bytes)}`),
      ),
      ...badgesOf(head).map(badge),
    ),
  );
}

/** The answer in words. */
export function nameAnswer({ status, finished }: RequestHead): string {
  if (status !== null) return `status ${status}`;
  return finished ? 'no answer: the sender left' : 'no answer yet';
}

/** The status as a coloured number; dots until there is one, and words for screen readers. */
export function statusMark(head: RequestHead): HTMLElement {
  const { status, finished } = head;
  if (status === null) {
    const sign = el('span', { 'aria-hidden': 'true' }, finished ? 'left' : '···');
    return el('span', { class: 'status none' }, sign, el('span', { class: 'unseen' }, nameAnswer(head)));
  }
  const tone = status < 300 ? 'good' : status < 400 ? 'plain' : 'bad';
  return el('span', { class: `status ${tone}` }, String(status));
}

export function badge({ text, tone }: Badge): HTMLElement {
  return el('span', { class: `badge ${tone}` }, line(text));
}

/** What is special about the request, the most important first. */
export function badgesOf(head: RequestHead): Badge[] {
  const { refusal, problem, verified, handshake, duplicate_of, replay_of } = head;
  const badges: (Badge | false | undefined)[] = [
    refusal !== null && { text: 'refused', tone: 'bad' },
    problem !== null && { text: 'problem', tone: 'bad' },
    verified !== null && { text: `verified ${verified}`, tone: 'good' },
    handshake !== null && { text: `handshake ${handshake}`, tone: 'plain' },
    duplicate_of !== null && { text: `duplicate of #${duplicate_of}`, tone: 'odd' },
    replay_of !== null && { text: `replay of #${replay_of}`, tone: 'plain' },
    deliveryBadge(head),
  ];
  return badges.filter(one => one !== false && one !== undefined);
}

function deliveryBadge({ delivery }: RequestHead): Badge | undefined {
  if (delivery === null) return undefined;
  if (delivery.dropped !== null) return { text: 'not delivered', tone: 'bad' };
  return delivery.delivered_at === null
    ? { text: 'queued', tone: 'odd' }
    : { text: `delivered later: ${delivery.status}`, tone: (delivery.status ?? 0) < 400 ? 'good' : 'bad' };
}
