// Renders the step's summary as Markdown: while a preview goes on beside later steps its link, and at the end what
// happened. Pure. Paths, reasons and names are strangers' text: they are shown as code only. Used by step/summary.ts.

import { renderCount } from '../../shared/count.ts';
import { formatDuration } from '../../shared/duration.ts';
import type { HistoryMessage, Part } from '../../shared/history.ts';
import type { Protocol } from '../../shared/state.ts';
import type { StateMessage } from '../../shared/state-json.ts';
import { renderTime } from '../../shared/utc.ts';
import { ENDINGS, renderAddress } from '../comment/markdown.ts';
import { renderCode, renderCodeBlock, renderLink, renderSentence } from '../escaping.ts';
import type { PreviewView } from '../view.ts';
import type { Access } from '../wording.ts';
import { renderAvailability, renderVisits } from './charts.ts';

/** Of everything that is listed, how much is shown. */
const MAX_ROWS = 10;
const MAX_WARNINGS = 10;
/** The median of fewer answers says nothing. */
const MIN_TIMES = 5;
const MAX_CONSOLE_LINES = 20;

/** How the preview was exposed; absent if main could not say. */
export interface ExposedAs {
  protocol: Protocol;
  access: Access;
  /** The bore servers, as the workflow names them. */
  servers: readonly string[];
}

export interface SummaryFacts {
  view: PreviewView;
  state: StateMessage;
  /** Absent if the preview's process was killed before it could tell. */
  history?: HistoryMessage | undefined;
  exposedAs?: ExposedAs | undefined;
}

/** The summary of a preview that goes on beside later steps. GitHub shows it when the step ends; it cannot be changed later. */
export function renderLiveSummary({ preview, state, updatedAt }: PreviewView): string {
  if (state.kind !== 'live') return '';
  const isWeb = /^https?:/i.test(state.url);
  const link = isWeb ? renderLink('Open it', state.url) : `Its address: ${renderAddress(state.url)}`;
  const end =
    state.endsAt === undefined ? 'until its job ends' : `until ${renderTime(state.endsAt)} at the latest`;
  const inspector =
    state.inspectorUrl === undefined ? [] : [renderLink('Open the inspector', state.inspectorUrl)];
  return [
    `### 🟢 Preview ${renderCode(preview.name, 100)} went live at ${renderTime(updatedAt)}`,
    `**${link}**, ${end}. When the job is over, the link is dead, and a report of the preview follows below.`,
    ...inspector,
    '',
  ].join('\n\n');
}

/** The summary of a preview that is over. */
export function renderFinalSummary(facts: SummaryFacts): string {
  const { view, state, history, exposedAs } = facts;
  const life = readLife(state);
  const paragraphs = [
    renderHeading(view),
    ...renderEnd(view),
    renderOverview(facts, life),
    ...renderCharts(state, history, exposedAs, life),
    ...renderSlowest(history),
    ...renderWebhooks(history),
    ...renderOutages(history),
    ...renderWarnings(view),
  ];
  return `${paragraphs.join('\n\n')}\n\n`;
}

interface Life {
  from: Date;
  until: Date;
}

/** Undefined if it was never live. */
function readLife({ exposure }: StateMessage): Life | undefined {
  if (exposure.phase === 'starting' || exposure.live_at === null) return undefined;
  const until = exposure.phase === 'live' ? new Date() : new Date(exposure.ended_at);
  return { from: new Date(exposure.live_at), until };
}

function renderHeading({ preview, state }: PreviewView): string {
  const [sign, words] = state.kind === 'failed' ? ['🔴', 'failed'] : ['⚪', 'has ended'];
  return `### ${sign} Preview ${renderCode(preview.name, 100)} ${words}`;
}

function renderEnd({ state }: PreviewView): string[] {
  if (state.kind === 'ended') return [`${ENDINGS[state.reason]} at ${renderTime(state.endedAt)}.`];
  if (state.kind !== 'failed') return [];
  const paragraphs = [renderCode(state.reason, 1_000), `It failed at ${renderTime(state.endedAt)}.`];
  const lines = state.lastLines.slice(-MAX_CONSOLE_LINES);
  if (lines.length === 0) return paragraphs;
  return [
    ...paragraphs,
    '<details><summary>Last lines of the app</summary>',
    renderCodeBlock(lines),
    '</details>',
  ];
}

function renderOverview({ view, state, history, exposedAs }: SummaryFacts, life: Life | undefined): string {
  const { preview } = view;
  const commit = renderLink(renderCode(preview.commit.slice(0, 7)), preview.commitUrl);
  const address = history?.address ?? state.public_url;
  // A table needs a head, and an empty one is an empty row.
  const head = ['Exposed', [`${preview.mode} mode`, ...describeExposure(exposedAs)].join(' · ')];
  const rows = [['Commit', `${commit} · ${renderLink('workflow run', preview.runUrl)}`]];
  if (address !== null)
    rows.push(['Address', `${renderAddress(address)}, which may be somebody else's by now`]);
  if (life !== undefined) {
    rows.push([
      'Live',
      `${formatDuration(roundSecond(life))}, from ${renderTime(life.from)} to ${renderTime(life.until)}`,
    ]);
    rows.push(['Visits', describeVisits(state, history)]);
    rows.push(['Interruptions', describeInterruptions(state, history)]);
  }
  return renderTable(head, rows);
}

function describeExposure(exposedAs: ExposedAs | undefined): string[] {
  if (exposedAs === undefined) return [];
  const { protocol, access, servers } = exposedAs;
  return [protocol, `over ${renderCode(servers.join(', '))}`, ACCESS[access]];
}

const ACCESS: Record<Access, string> = {
  open: 'open to everybody',
  link: 'open with the key in its link',
  'given key': "open with the workflow's key",
  basic: 'open with user and password',
};

function describeVisits({ visits }: StateMessage, history: HistoryMessage | undefined): string {
  const times = history?.times;
  if (!times || times.count < MIN_TIMES) return String(visits);
  return `${visits}; half of the answers within ${renderMs(times.median_ms)}, 95 % within ${renderMs(times.p95_ms)}`;
}

function describeInterruptions(state: StateMessage, history: HistoryMessage | undefined): string {
  const { reconnects, restarts, address_changes: moves } = state;
  const away = history?.away;
  if (reconnects + restarts + moves + (away?.tunnel.count ?? 0) + (away?.app.count ?? 0) === 0) return 'none';
  const parts = [
    countAway(reconnects, 'tunnel reconnect', away?.tunnel),
    countAway(restarts, 'app restart', away?.app),
    ...(moves > 0 ? [`${renderCount(moves, 'change')} of address`] : []),
  ];
  return parts.join(' · ');
}

function countAway(count: number, noun: string, away: { count: number; ms: number } | undefined): string {
  const text = renderCount(count, noun);
  return away === undefined || away.count === 0 ? text : `${text}, away for ${renderMs(away.ms)} in all`;
}

function renderCharts(
  { visits }: StateMessage,
  history: HistoryMessage | undefined,
  exposedAs: ExposedAs | undefined,
  life: Life | undefined,
): string[] {
  if (history === undefined || life === undefined) return [];
  const charts = ['#### Availability (UTC)', renderAvailability(history.outages, life)];
  if (visits === 0) return charts;
  const noun = exposedAs?.protocol === 'tcp' ? 'connections' : 'requests';
  const { title, chart } = renderVisits(history.visits, noun);
  return [...charts, `#### ${title}`, chart];
}

function renderSlowest(history: HistoryMessage | undefined): string[] {
  if (history === undefined || history.slowest.length === 0) return [];
  const rows = history.slowest
    .slice(0, MAX_ROWS)
    .map(({ method, path, status, duration_ms }) => [
      renderCode(`${method} ${path}`),
      String(status),
      renderMs(duration_ms),
    ]);
  return ['#### Slowest requests', renderTable(['Request', 'Status', 'Time'], rows)];
}

function renderWebhooks(history: HistoryMessage | undefined): string[] {
  if (history === undefined || (history.webhooks.count === 0 && history.webhooks.replayed === 0)) return [];
  const { count, refused, queued, dropped, replayed, paths } = history.webhooks;
  const counts = [
    `${renderCount(count, 'request')} recorded`,
    ...(refused > 0 ? [`${refused} refused`] : []),
    ...(queued > 0 ? [`${queued} kept while the app was away`] : []),
    ...(dropped > 0 ? [`${dropped} dropped`] : []),
    ...(replayed > 0 ? [`${replayed} sent again`] : []),
  ];
  const rows = paths
    .slice(0, MAX_ROWS)
    .map(({ method, path, status, isRefused, count }) => [
      renderCode(`${method} ${path}`),
      `${status ?? 'none'}${isRefused ? ', refused' : ''}`,
      String(count),
    ]);
  const shown = paths.slice(0, MAX_ROWS).reduce((sum, one) => sum + one.count, 0);
  return [
    '#### Recorded requests (webhooks)',
    `${counts.join(' · ')}.`,
    ...(rows.length > 0 ? [renderTable(['Request', 'Answer', 'Count'], rows)] : []),
    ...(shown < count ? [`${count - shown} more are not listed.`] : []),
  ];
}

const PARTS: Record<Part, string> = { tunnel: 'tunnel', app: 'app' };

function renderOutages(history: HistoryMessage | undefined): string[] {
  if (history === undefined || (history.outages.length === 0 && history.moves.length === 0)) return [];
  const rows = history.outages.slice(0, MAX_ROWS).map(({ part, from, until, reason }) => {
    const ms = until === null ? undefined : Date.parse(until) - Date.parse(from);
    return [
      renderMoment(from),
      ms === undefined ? 'to the end' : renderMs(ms),
      PARTS[part],
      reason === null ? '' : renderCode(reason),
    ];
  });
  const all = history.away.tunnel.count + history.away.app.count;
  const moves = history.moves.map(({ at, url }) => `- ${renderMoment(at)}: ${renderAddress(url)}`);
  return [
    ...(rows.length > 0
      ? ['#### Interruptions', renderTable(['Since (UTC)', 'For', 'What', 'Why'], rows)]
      : []),
    ...(all > rows.length ? [`${all - rows.length} more are not listed.`] : []),
    ...(moves.length > 0 ? ['#### New addresses (UTC)', moves.join('\n')] : []),
  ];
}

function renderWarnings({ preview }: PreviewView): string[] {
  if (preview.warnings.length === 0) return [];
  const shown = preview.warnings.slice(0, MAX_WARNINGS).map(warning => renderSentence(warning));
  return [`> [!WARNING]\n${shown.map(warning => `> ${warning}`).join('\n>\n')}`];
}

/**
 * A bar would end its cell, also inside code (GFM, 4.10), and `\\|` is read differently behind a backslash: so it is
 * written as in a URL.
 */
function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map(cell => cell.replaceAll('|', '%7C')).join(' | ')} |`;
  return [line(head), line(head.map(() => ':--')), ...rows.map(line)].join('\n');
}

/** `05-04 10:02:11` */
function renderMoment(time: string): string {
  return time.slice(5, 19).replace('T', ' ');
}

/** `8 ms`, `1.3 s`, `2m 5s` */
function renderMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : formatDuration(ms);
}

function roundSecond({ from, until }: Life): number {
  return Math.round((until.getTime() - from.getTime()) / 1_000) * 1_000;
}
