// Draws ratios.svg: every figure that has a target. The first panel compares figures with another tunnel, the second
// with a limit of their own. Further right is better. Used by main.ts.

import { describeRow, renderLimit, renderNumber } from './report.ts';
import { type CaseResult, computeFigure, type Row, scoreRow, scoreValue } from './results.ts';
import { describeSpread } from './statistics.ts';

/** All lengths are in the SVG's own pixels. */
const WIDTH = 1_140;
const MARGIN = 20;
const LEFT = 590;
const RIGHT = 920;
const FIGURES = 1_012;
const TARGETS = WIDTH - MARGIN;
const ROW = 19;
/** The title of a case, with some space above. */
const CASE = 27;
const HEAD = 104;
/** The title of a panel and the labels of its scale. */
const PANEL = 62;
const GAP = 30;
const DOT = 4.5;
/** The ends of the scale. A score beyond them is drawn at the end. */
const LEAST = 1 / 4;
const MOST = 8;

/** Readable on white and on black, because GitHub shows the same file on both. */
const STYLE = `
  text { font: 12.5px -apple-system, "Segoe UI", "DejaVu Sans", Helvetica, Arial, sans-serif; fill: #1f2328; }
  .title { font-size: 17px; font-weight: 600; } .panel { font-size: 14.5px; font-weight: 600; } .case { font-weight: 600; }
  .quiet { fill: #59636e; } .grid { stroke: #d1d9e0; } .even { stroke: #59636e; stroke-width: 1.5; }
  .better { fill: #1a7f37; fill-opacity: 0.07; } .goal { stroke: #1f2328; stroke-width: 2; }
  .met { fill: #1a7f37; stroke: #1a7f37; } .missed { fill: #cf222e; stroke: #cf222e; } .spread { stroke-width: 2; stroke-opacity: 0.4; }
  text.missed { stroke: none; font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .quiet { fill: #9198a1; } .grid { stroke: #3d444d; } .even { stroke: #9198a1; }
    .better { fill: #3fb950; } .goal { stroke: #f0f6fc; }
    .met { fill: #3fb950; stroke: #3fb950; } .missed { fill: #f85149; stroke: #f85149; }
  }`;

interface Panel {
  title: string;
  /** The label of the scale's 1. */
  even: string;
  includes: (row: Row) => boolean;
  /** How good a figure is: 1 is as good as the peer or the limit, and more is better. */
  toScore: (value: number, row: Row) => number;
}

const isRatio = ({ peer }: Row) => peer !== undefined && peer !== 'browser host';

const PANELS: readonly Panel[] = [
  {
    title: 'Compared with another tunnel: how many times better or worse',
    even: 'equal',
    includes: isRatio,
    toScore: (value, { better }) => (better === 'higher' ? value : 1 / value),
  },
  {
    title: 'Compared with a fixed limit: how many times better or worse',
    even: 'the limit',
    includes: row => !isRatio(row),
    toScore: (value, { better, reach = 1 }) => scoreValue(value, reach, better),
  },
];

/** Renders a whole SVG document. It says "no results yet" if no figure has a target. `titles`: case id → title. */
export function renderPlot(
  results: readonly CaseResult[],
  titles: ReadonlyMap<string, string> = new Map(),
): string {
  const parts: string[] = [];
  let y = HEAD;
  for (const panel of PANELS) {
    const { lines, height } = renderPanel(panel, results, titles, y);
    parts.push(...lines);
    y += height;
  }
  const height = Math.max(y, HEAD + GAP);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    '<title>Benchmarks: every figure compared with its peer and its target</title>',
    `<style>${STYLE}\n</style>`,
    ...(parts.length === 0
      ? [renderText(MARGIN, 30, 'The benchmarks: no results yet', 'title')]
      : renderHead(results)),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

const MEANING =
  'raw: passes bytes unchanged · gateway: what http previews use · figures in × are ours ÷ the other tunnel';

function renderHead(results: readonly CaseResult[]): string[] {
  const scores = results.flatMap(({ rows }) => rows.flatMap(row => scoreRow(row) ?? []));
  const met = scores.filter(one => one >= 1).length;
  return [
    renderText(MARGIN, 30, `The tunnel, measured: ${met} of ${scores.length} targets met`, 'title'),
    renderText(MARGIN, 52, 'Further right is better.', 'quiet'),
    `<circle class="met key" cx="190" cy="48" r="${DOT}"/>`,
    renderText(201, 52, 'target met', 'quiet'),
    `<rect class="missed key" x="281" y="${48 - DOT}" width="${2 * DOT}" height="${2 * DOT}"/>`,
    renderText(297, 52, 'missed', 'quiet'),
    '<line class="goal" x1="362" x2="362" y1="41" y2="55"/>',
    renderText(371, 52, 'the target', 'quiet'),
    '<line class="met spread" x1="455" x2="485" y1="48" y2="48"/>',
    renderText(494, 52, 'from the lowest to the highest', 'quiet'),
    renderText(MARGIN, 74, MEANING, 'quiet'),
  ];
}

function renderPanel(
  panel: Panel,
  results: readonly CaseResult[],
  titles: ReadonlyMap<string, string>,
  top: number,
): { lines: string[]; height: number } {
  const body: string[] = [];
  let y = top + PANEL;
  for (const { id, rows } of results) {
    const shown = rows.filter(
      row => row.reach !== undefined && panel.includes(row) && !Number.isNaN(computeFigure(row)),
    );
    if (shown.length === 0) continue;
    y += CASE;
    body.push(renderText(MARGIN, y - 6, `${id} · ${titles.get(id) ?? ''}`, 'case'));
    for (const row of shown) {
      body.push(renderRow(panel, row, y + ROW / 2));
      y += ROW;
    }
  }
  if (body.length === 0) return { lines: [], height: 0 };
  return { lines: [...renderScale(panel, top, y), ...body], height: y - top + GAP };
}

function renderScale({ title, even }: Panel, top: number, bottom: number): string[] {
  const marks = [1 / 4, 1 / 2, 1, 2, 4, 8];
  const [middle, labels, begin] = [scoreToX(1), top + PANEL - 6, top + PANEL];
  const describeMark = (mark: number) => (mark === 1 ? even : `${mark < 1 ? 1 / mark : mark} ×`);
  return [
    renderText(MARGIN, top + 16, title, 'panel'),
    renderText((LEFT + middle) / 2, labels - 16, '◂ worse', 'quiet', 'middle'),
    renderText((middle + RIGHT) / 2, labels - 16, 'better ▸', 'quiet', 'middle'),
    renderText(FIGURES, labels, 'figure', 'quiet', 'end'),
    renderText(TARGETS, labels, 'target', 'quiet', 'end'),
    `<rect class="better" x="${middle}" y="${begin}" width="${RIGHT - middle}" height="${bottom - begin}"/>`,
    ...marks.flatMap(mark => {
      const x = scoreToX(mark);
      return [
        `<line class="${mark === 1 ? 'even' : 'grid'}" x1="${x}" x2="${x}" y1="${begin}" y2="${bottom}"/>`,
        renderText(x, labels, describeMark(mark), 'quiet', 'middle'),
      ];
    }),
  ];
}

function renderRow(panel: Panel, row: Row, y: number): string {
  const value = computeFigure(row);
  const { low, high } = describeSpread(row.samples);
  const at = (figure: number) => scoreToX(panel.toScore(figure, row));
  const kind = (scoreRow(row) ?? 1) >= 1 ? 'met' : 'missed';
  const target = at(row.reach ?? 1);
  return [
    renderText(MARGIN + 14, y + 4, describeRow(row)),
    `<line class="${kind} spread" x1="${at(low)}" x2="${at(high)}" y1="${y}" y2="${y}"/>`,
    `<line class="goal" x1="${target}" x2="${target}" y1="${y - 7}" y2="${y + 7}"/>`,
    // A miss also has another shape, so that readers need not tell red from green.
    kind === 'met'
      ? `<circle class="met" cx="${at(value)}" cy="${y}" r="${DOT}"/>`
      : `<rect class="missed" x="${at(value) - DOT}" y="${y - DOT}" width="${2 * DOT}" height="${2 * DOT}"/>`,
    renderText(FIGURES, y + 4, `${renderNumber(value)} ${row.unit}`, kind === 'missed' ? kind : '', 'end'),
    renderText(TARGETS, y + 4, renderLimit(row), 'quiet', 'end'),
  ].join('\n');
}

/** The x position of a score. The scale is logarithmic: 2 is as far right of 1 as a half is left of it. */
export function scoreToX(value: number): number {
  const limited = Math.min(MOST, Math.max(LEAST, value));
  const share = Math.log2(limited / LEAST) / Math.log2(MOST / LEAST);
  return Math.round((LEFT + share * (RIGHT - LEFT)) * 10) / 10;
}

function renderText(x: number, y: number, text: string, kind = '', anchor = 'start'): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${x}" y="${y}"${kind && ` class="${kind}"`} text-anchor="${anchor}">${escaped}</text>`;
}
