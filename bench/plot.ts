// ratios.svg: each row with a target on one scale, where 1 is the target and right is better. Used by main.ts.

import { describeRow } from './report.ts';
import { type CaseResult, type Row, score, scoreOf } from './results.ts';
import { describeSpread } from './statistics.ts';

/** All lengths in pixels of the SVG's own scale. */
const WIDTH = 900;
const LABELS = 430;
const MARGIN = 24;
const ROW = 22;
const HEAD = 44;
const FOOT = 34;
const DOT = 4.5;
/** Better or worse than this is drawn at the edge. */
const MAX_SCORE = 8;
const MARKS = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8];

/** Readable on white and on black: GitHub shows the same file on both. */
const STYLE = `
  text { font: 13px -apple-system, "Segoe UI", "DejaVu Sans", Helvetica, Arial, sans-serif; fill: #1f2328; }
  .quiet { fill: #59636e; } .grid { stroke: #d1d9e0; } .target { stroke: #59636e; stroke-width: 1.5; }
  .met { fill: #1a7f37; stroke: #1a7f37; } .missed { fill: #cf222e; stroke: #cf222e; } .spread { stroke-width: 2; stroke-opacity: 0.45; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .quiet { fill: #9198a1; } .grid { stroke: #3d444d; } .target { stroke: #9198a1; }
    .met { fill: #3fb950; stroke: #3fb950; } .missed { fill: #f85149; stroke: #f85149; }
  }`;

interface Line {
  id: string;
  row: Row;
  value: number;
}

/** A whole SVG document; without rows that have a target, one that says so. */
export function renderPlot(results: readonly CaseResult[]): string {
  const lines = results.flatMap(({ id, rows }) =>
    rows.flatMap((row): Line[] => {
      const value = scoreOf(row);
      return value === undefined || Number.isNaN(value) ? [] : [{ id, row, value }];
    }),
  );
  const height = HEAD + Math.max(1, lines.length) * ROW + FOOT;
  const body =
    lines.length === 0 ? [renderText(MARGIN, HEAD + 14, 'no results yet')] : renderScale(lines.length);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>Benchmarks: every figure against its target</title>`,
    `<style>${STYLE}\n</style>`,
    renderText(MARGIN, 24, 'Each figure against its target: 1 is met, further right is better', 'quiet'),
    ...body,
    ...lines.map((line, index) => renderLine(line, HEAD + index * ROW + ROW / 2)),
    '</svg>',
    '',
  ].join('\n');
}

function renderScale(count: number): string[] {
  const bottom = HEAD + count * ROW;
  return MARKS.flatMap(mark => {
    const x = placeScore(mark);
    const label = mark < 1 ? `1/${1 / mark}` : `${mark}`;
    return [
      `<line class="${mark === 1 ? 'target' : 'grid'}" x1="${x}" x2="${x}" y1="${HEAD}" y2="${bottom}"/>`,
      renderText(x, bottom + 18, mark === 1 ? 'target' : label, 'quiet', 'middle'),
    ];
  });
}

function renderLine({ id, row, value }: Line, y: number): string {
  const { low, high } = describeSpread(row.samples);
  const ends = [low, high].map(end => placeScore(score(end, row.reach ?? 1, row.better)));
  const kind = value >= 1 ? 'met' : 'missed';
  return [
    renderText(MARGIN, y + 4, id),
    renderText(MARGIN + 38, y + 4, describeRow(row)),
    `<line class="${kind} spread" x1="${ends[0]}" x2="${ends[1]}" y1="${y}" y2="${y}"/>`,
    // A miss differs in form too, for whoever does not tell red from green.
    kind === 'met'
      ? `<circle class="met" cx="${placeScore(value)}" cy="${y}" r="${DOT}"/>`
      : `<rect class="missed" x="${placeScore(value) - DOT}" y="${y - DOT}" width="${2 * DOT}" height="${2 * DOT}"/>`,
  ].join('\n');
}

/** Logarithmic: twice as good is as far to the right as half as good is to the left. */
export function placeScore(value: number): number {
  const limited = Math.min(MAX_SCORE, Math.max(1 / MAX_SCORE, value));
  const share = (Math.log2(limited) + Math.log2(MAX_SCORE)) / (2 * Math.log2(MAX_SCORE));
  const left = LABELS + MARGIN;
  return Math.round((left + share * (WIDTH - MARGIN - left)) * 10) / 10;
}

function renderText(x: number, y: number, text: string, kind = '', anchor = 'start'): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${x}" y="${y}"${kind && ` class="${kind}"`} text-anchor="${anchor}">${escaped}</text>`;
}
