// Draws docs/images/previews-return.svg: for each interruption, when each preview was served again. Used by main.ts. Pure.

import { quantile } from '../statistics.ts';
import { type Results, type Returns, renderSeconds } from './results.ts';

/** All lengths are in the SVG's own pixels. */
const WIDTH = 960;
const MARGIN = 20;
const LEFT = 20;
const RIGHT = 800;
const HEAD = 92;
const ROW = 46;
const FOOT = 24;
/** The ends of the scale, in seconds. A time beyond them is drawn at the end. */
const LEAST = 0.03;
const MOST = 60;
const MARKS = [0.1, 1, 10, 60];
/** What docs/servers.md promises, in seconds. */
const TARGET = 10;

const TICK_OPACITY = 0.25;

/** Readable on white and on black, because GitHub shows the same file on both. */
const STYLE = `
  text { font: 12.5px -apple-system, "Segoe UI", "DejaVu Sans", Helvetica, Arial, sans-serif; fill: #1f2328; }
  .title { font-size: 17px; font-weight: 600; } .quiet { fill: #59636e; } .grid { stroke: #d1d9e0; }
  .target { stroke: #1f2328; stroke-width: 2; } .preview { stroke: #0969da; } .median { fill: #0969da; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .quiet { fill: #9198a1; } .grid { stroke: #3d444d; } .target { stroke: #f0f6fc; }
    .preview { stroke: #4493f8; } .median { fill: #4493f8; }
  }`;

/** Renders a whole SVG document. */
export function renderPlot({ sections }: Results): string {
  const shown = sections.flatMap(({ title, returns }) => (returns === undefined ? [] : [{ title, returns }]));
  const height = HEAD + shown.length * ROW + FOOT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    '<title>How soon previews are served again after their server was interrupted</title>',
    `<style>${STYLE}\n</style>`,
    renderText(MARGIN, 30, 'Served again: one line for each preview', 'title'),
    renderText(
      MARGIN,
      52,
      'Seconds after the server or the link works again; rows with a star: the whole outage. The dot is the median.',
      'quiet',
    ),
    ...renderScale(height - FOOT),
    ...shown.flatMap(({ title, returns }, index) => renderRow(title, returns, HEAD + index * ROW)),
    '</svg>',
    '',
  ].join('\n');
}

function renderScale(bottom: number): string[] {
  return [
    ...MARKS.map(mark => line('grid', toX(mark), HEAD, bottom)),
    ...MARKS.map(mark => renderText(toX(mark), HEAD - 10, `${mark} s`, 'quiet', 'middle')),
    line('target', toX(TARGET), HEAD, bottom),
    renderText(toX(TARGET), bottom + 16, 'the target', 'quiet', 'middle'),
  ];
}

function renderRow(title: string, { seconds, moved, previews, since }: Returns, top: number): string[] {
  const [middle, worst] = [quantile(seconds, 0.5), quantile(seconds, 1)];
  const y = top + 32;
  return [
    renderText(LEFT, top + 17, `${title}${since === 'loss' ? ' *' : ''}`),
    ...renderTicks(seconds, y),
    `<circle class="median" cx="${toX(middle)}" cy="${y}" r="4.5"/>`,
    renderText(WIDTH - MARGIN, top + 17, `longest ${renderSeconds(worst)} s`, '', 'end'),
    renderText(WIDTH - MARGIN, top + 34, `other URL: ${moved} of ${previews}`, 'quiet', 'end'),
  ];
}

/** One line for each preview; where several fall on one pixel, one that is as dark as they would be together. */
function renderTicks(seconds: readonly number[], y: number): string[] {
  const counts = new Map<number, number>();
  for (const x of seconds.map(one => Math.round(toX(one)))) counts.set(x, (counts.get(x) ?? 0) + 1);
  return [...counts].map(([x, count]) => {
    const opacity = (1 - (1 - TICK_OPACITY) ** count).toFixed(2);
    return `<line class="preview" stroke-opacity="${opacity}" x1="${x}" x2="${x}" y1="${y - 7}" y2="${y + 7}"/>`;
  });
}

function line(kind: string, x: number, top: number, bottom: number): string {
  return `<line class="${kind}" x1="${x}" x2="${x}" y1="${top}" y2="${bottom}"/>`;
}

/** The x position of a time in seconds; the scale is logarithmic. */
export function toX(seconds: number): number {
  const limited = Math.min(MOST, Math.max(LEAST, seconds));
  const share = Math.log(limited / LEAST) / Math.log(MOST / LEAST);
  return Math.round((LEFT + share * (RIGHT - LEFT)) * 10) / 10;
}

function renderText(x: number, y: number, text: string, kind = '', anchor = 'start'): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${x}" y="${y}"${kind && ` class="${kind}"`} text-anchor="${anchor}">${escaped}</text>`;
}
