// The summary's charts as Mermaid's text: numbers, times and our own words, no text from outside. GitHub renders
// Mermaid 11, allows 50,000 characters a chart, and shows times in the reader's zone: so times are texts in UTC, which
// Mermaid takes for local ones at both ends.

import type { HistoryMessage, Part } from '../../shared/history.ts';

/** Each bar has a label below it, and more would overlap. */
const MAX_BARS = 36;
/** Of the bars' height: with less, Mermaid writes fractions of a visit beside the axis. */
const MIN_HEIGHT = 10;
/** Room above the highest bar, as a share of it: Mermaid cuts off a label at the very top. */
const HEADROOM = 0.1;
/** A bar of less than this share of the chart has no room for a word. */
const MIN_WORD_SHARE = 0.08;
/** An outage is drawn at least this wide, as a share of the whole chart: otherwise nobody would see it. */
const MIN_SHARE = 1 / 200;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Below the availability: so many have room on a phone, too. */
const MAX_LABELS = 3;
const LONGEST_TICK: [step: string, ms: number] = ['12hour', 12 * HOUR_MS];
/** Steps between two labels, from short to long. */
const TICKS: [step: string, ms: number][] = [
  ...[1, 2, 5, 10, 15, 30].map((n): [string, number] => [`${n}second`, n * 1_000]),
  ...[1, 2, 5, 10, 15, 30].map((n): [string, number] => [`${n}minute`, n * MINUTE_MS]),
  ...[1, 2, 3, 6].map((n): [string, number] => [`${n}hour`, n * HOUR_MS]),
  LONGEST_TICK,
];

const NAMES: Record<Part, string> = { tunnel: 'Tunnel', app: 'App' };

/** When tunnel and app were up, from `from` to `until`. */
export function renderAvailability(
  outages: HistoryMessage['outages'],
  { from, until }: { from: Date; until: Date },
): string {
  const span = { from: floorSecond(from), until: Math.max(floorSecond(until), floorSecond(from) + 1_000) };
  return [
    '```mermaid',
    '---',
    'displayMode: compact',
    'config:',
    '  gantt:',
    '    barHeight: 24',
    '---',
    'gantt',
    '  accTitle: When the preview could be used',
    '  dateFormat YYYY-MM-DD HH:mm:ss',
    // Otherwise a red line marks the time of the reader, who may take it for an outage.
    '  todayMarker off',
    ...renderAxis(span.until - span.from),
    ...renderPart('tunnel', outages, span),
    ...renderPart('app', outages, span),
    '```',
  ].join('\n');
}

/** Left to itself, Mermaid writes up to 17 labels, which run into each other. */
function renderAxis(ms: number): string[] {
  if (ms > 3 * DAY_MS)
    return ['  axisFormat %m-%d', `  tickInterval ${ms <= 14 * DAY_MS ? '1day' : '1week'}`];
  const [step] = TICKS.find(([, length]) => ms <= length * MAX_LABELS) ?? LONGEST_TICK;
  const format = ms > DAY_MS ? '%m-%d %H:%M' : step.endsWith('second') ? '%H:%M:%S' : '%H:%M';
  return [`  axisFormat ${format}`, `  tickInterval ${step}`];
}

interface Span {
  from: number;
  until: number;
}

function renderPart(part: Part, all: HistoryMessage['outages'], span: Span): string[] {
  const outages = all.filter(outage => outage.part === part);
  const lines = [`  section ${NAMES[part]}`];
  let at = span.from;
  const add = (state: 'up' | 'away', until: number) => {
    if (until <= at) return;
    const tag = state === 'up' ? 'done' : 'crit';
    const word = until - at < (span.until - span.from) * MIN_WORD_SHARE ? '·' : state;
    lines.push(`  ${word} :${tag}, ${renderTime(at)}, ${renderTime(until)}`);
    at = until;
  };
  for (const { from, until } of outages) {
    const begin = Math.min(floorSecond(new Date(from)), span.until - minimum(span));
    const end = until === null ? span.until : floorSecond(new Date(until));
    add('up', begin);
    add('away', Math.min(span.until, Math.max(end, begin + minimum(span))));
  }
  add('up', span.until);
  return lines;
}

function minimum({ from, until }: Span): number {
  return Math.max(1_000, Math.ceil(((until - from) * MIN_SHARE) / 1_000) * 1_000);
}

function floorSecond(time: Date): number {
  return Math.floor(time.getTime() / 1_000) * 1_000;
}

function renderTime(time: number): string {
  return new Date(time).toISOString().slice(0, 19).replace('T', ' ');
}

/** A title for people, and the chart of the visits. */
export function renderVisits(
  { minutes, counts }: HistoryMessage['visits'],
  noun: 'requests' | 'connections',
): { title: string; chart: string } {
  const merged = Math.max(1, Math.ceil(counts.length / MAX_BARS));
  const bars = Array.from({ length: Math.max(1, Math.ceil(counts.length / merged)) }, (_, at) =>
    counts.slice(at * merged, (at + 1) * merged).reduce((sum, count) => sum + count, 0),
  );
  const step = minutes * merged;
  const hours = (step * bars.length) / 60;
  const inHours = hours > 5;
  const labels = bars.map((_, at) =>
    inHours ? ((at * step) / 60).toFixed(hours > 48 ? 0 : 1) : String(at * step),
  );
  const height = Math.ceil(Math.max(MIN_HEIGHT, ...bars) * (1 + HEADROOM));
  const title =
    step === 1 ? `${capitalise(noun)} per minute` : `${capitalise(noun)} in each ${describeStep(step)}`;
  const chart = [
    '```mermaid',
    '---',
    'config:',
    '  xyChart:',
    '    width: 900',
    '    height: 260',
    '    xAxis:',
    '      labelFontSize: 12',
    '  themeVariables:',
    '    xyChart:',
    // Visible on white and on black.
    '      plotColorPalette: "#2f81f7"',
    '---',
    'xychart-beta',
    '  accTitle: Visits over time',
    `  x-axis "${inHours ? 'hours' : 'minutes'} since the start" [${labels.map(label => `"${label}"`).join(', ')}]`,
    `  y-axis "${noun}" 0 --> ${height}`,
    `  bar [${bars.join(', ')}]`,
    '```',
  ].join('\n');
  return { title, chart };
}

/** `8 minutes`, `2 hours` */
function describeStep(minutes: number): string {
  return minutes % 60 === 0 ? `${minutes / 60} hours` : `${minutes} minutes`;
}

function capitalise(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}
