// Requests and answer times over time, as a small SVG with its content in words for screen readers.

import { el, svg } from './dom.ts';
import { countOf, formatDuration, formatMinute, formatSpan } from './format.ts';
import type { Entry } from './requests.ts';

const BARS = 60;
const [WIDTH, HEIGHT] = [600, 64];
const [SECOND, MINUTE, HOUR] = [1_000, 60_000, 3_600_000];
/** How much time one bar stands for: the smallest with which all bars show all requests. */
const SPANS_MS = [
  ...[SECOND, MINUTE].flatMap(unit => [1, 2, 5, 10, 20, 30].map(count => count * unit)),
  ...[HOUR, 2 * HOUR],
];
const LONGEST_SPAN_MS = 6 * HOUR;

interface Bar {
  fine: number;
  bad: number;
  durations: number[];
}

export interface Timeline {
  readonly from: number;
  readonly barMs: number;
  readonly bars: readonly Bar[];
}

/** Oldest bar first. Requests before the first bar are left out. */
export function countUp(entries: readonly Entry[], now: number): Timeline {
  const age = now - (entries[0]?.time ?? now);
  const barMs = SPANS_MS.find(span => span * (BARS - 1) >= age) ?? LONGEST_SPAN_MS;
  const from = (Math.floor(now / barMs) - BARS + 1) * barMs;
  const bars = Array.from({ length: BARS }, (): Bar => ({ fine: 0, bad: 0, durations: [] }));
  for (const { time, head } of entries) {
    const bar = bars[Math.min(Math.floor((time - from) / barMs), BARS - 1)];
    if (bar === undefined) continue;
    if (head.refusal !== null || (head.status ?? 0) >= 400) bar.bad += 1;
    else bar.fine += 1;
    if (head.duration_ms !== null) bar.durations.push(head.duration_ms);
  }
  return { from, barMs, bars };
}

/** One sentence: how many, when most, and how long answers took. */
function describeTimeline({ bars, barMs, from }: Timeline): string {
  const counts = bars.map(({ fine, bad }) => fine + bad);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const span = formatSpan(barMs * BARS);
  if (total === 0) return `No requests in the last ${span}.`;
  const most = Math.max(...counts);
  const when = formatMinute(from + counts.indexOf(most) * barMs);
  const failed = bars.reduce((sum, { bad }) => sum + bad, 0);
  const times = bars.flatMap(({ durations }) => durations).sort((a, b) => a - b);
  const [middle, slowest] = [times[times.length >> 1], times.at(-1)];
  return [
    `${countOf(total, 'request')} in the last ${span}, ${failed} of them refused or failed`,
    `most at ${when}: ${most} in ${formatSpan(barMs)}`,
    ...(middle === undefined || slowest === undefined
      ? []
      : [`answers took ${formatDuration(middle)} (median) to ${formatDuration(slowest)}`]),
  ]
    .join('; ')
    .concat('.');
}

/** The picture, and its caption. */
export function renderChart(timeline: Timeline): [SVGElement, HTMLElement] {
  const span = formatSpan(timeline.barMs * BARS);
  const key = (kind: string, text: string) => el('span', { class: `key ${kind}` }, text);
  const keys = [key('fine', 'answered'), key('bad', 'refused or failed'), key('duration', 'time to answer')];
  return [renderBars(timeline), el('figcaption', { 'aria-hidden': 'true' }, `Last ${span}`, ...keys)];
}

function renderBars(timeline: Timeline): SVGElement {
  const { bars } = timeline;
  const highest = Math.max(1, ...bars.map(({ fine, bad }) => fine + bad));
  const slowest = Math.max(1, ...bars.flatMap(({ durations }) => durations));
  return svg(
    'svg',
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label': describeTimeline(timeline),
    },
    ...bars.flatMap((bar, index) => renderBar(bar, index, highest)),
    ...bars.flatMap((bar, index) => renderDuration(bar, index, slowest)),
  );
}

const BAR_WIDTH = WIDTH / BARS;

/** Failed ones below, the others on top of them. */
function renderBar({ fine, bad }: Bar, index: number, highest: number): SVGElement[] {
  const scale = (HEIGHT - 4) / highest;
  const column = (kind: string, from: number, count: number) =>
    svg('rect', {
      class: kind,
      x: index * BAR_WIDTH + 1,
      width: BAR_WIDTH - 2,
      y: HEIGHT - (from + count) * scale,
      height: count * scale,
    });
  return [...(bad > 0 ? [column('bad', 0, bad)] : []), ...(fine > 0 ? [column('fine', bad, fine)] : [])];
}

/** A short line at the median of the answer times; the slowest answer of all is at the top. */
function renderDuration({ durations }: Bar, index: number, slowest: number): SVGElement[] {
  const median = durations.sort((a, b) => a - b)[durations.length >> 1];
  if (median === undefined) return [];
  const y = HEIGHT - 2 - (median / slowest) * (HEIGHT - 6);
  return [
    svg('line', { class: 'duration', x1: index * BAR_WIDTH, x2: (index + 1) * BAR_WIDTH, y1: y, y2: y }),
  ];
}
