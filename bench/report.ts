// Renders RESULTS.md, and the rows of one case for the terminal. Used by main.ts.

import { existsSync, readFileSync } from 'node:fs';
import { type CaseResult, type Curve, computeFigure, type Row, scoreRow } from './results.ts';
import { describeSpread } from './statistics.ts';

/** Case id → the reasons why it misses its targets, in Markdown. */
export type Misses = ReadonlyMap<string, string>;

/** Reads misses.md, in which each case has a section such as `## B4`. Without the file, there are no reasons. */
export function readMisses(file: string): Misses {
  if (!existsSync(file)) return new Map();
  const sections = readFileSync(file, 'utf8').split(/^## /m).slice(1);
  return new Map(
    sections.map(section => {
      const [id = '', ...lines] = section.split('\n');
      return [id.trim(), lines.join('\n').trim()];
    }),
  );
}

/** Renders one line for each row and note, for the terminal. */
export function renderCase(result: CaseResult): string {
  const lines = result.rows.map(row => {
    const cells = [describeRow(row).padEnd(60), renderValue(row).padEnd(24), renderTarget(row).padEnd(16)];
    const rest = [renderVerdict(row), renderAbsolute(row), renderCpu(row)].filter(cell => cell !== '');
    return `  ${cells.join(' ')} ${rest.join(' · ')}`;
  });
  const curves = (result.curves ?? []).flatMap(curve => renderCurve(curve).split('\n'));
  return [...lines, ...[...result.notes, ...curves].map(line => `  ${line}`)]
    .map(line => line.trimEnd())
    .join('\n');
}

/** Renders RESULTS.md. `titles`: id → title of every case, also of those without a result. */
export function renderReport(
  results: readonly CaseResult[],
  titles: ReadonlyMap<string, string>,
  misses: Misses,
): string {
  if (results.length === 0) return `${[HEAD, renderMissing(results, titles)].join('\n\n')}\n`;
  const parts = [
    HEAD,
    renderConditions(results),
    '## Slower than a peer',
    renderSlower(results),
    '## Every case',
    '![Each figure against its target, on one scale](ratios.svg)',
    ...results.flatMap(result => renderSection(result, titles.get(result.id) ?? '', misses)),
    renderMissing(results, titles),
  ];
  return `${parts.filter(part => part !== '').join('\n\n')}\n`;
}

const HEAD = `# Results of the benchmarks

This file is written by \`npm run bench\`. [README.md](README.md) explains the cases and how they are measured. A ratio (×)
is our figure divided by the peer's figure of the same round. It is shown as the median, with the lowest and the highest
in brackets. Absolute figures depend on the machine and are not a target.`;

function renderConditions(results: readonly CaseResult[]): string {
  const lines = groupBy(results, describeConditions).map(([conditions, group]) => {
    const ids = group.length === results.length ? 'All cases' : group.map(({ id }) => id).join(', ');
    return `- ${ids}: ${describeDates(group)}, ${conditions}`;
  });
  return lines.join('\n');
}

/** The days on which the first and the last case of a group were measured. */
function describeDates(group: readonly CaseResult[]): string {
  const days = group.map(({ date }) => date.slice(0, 10)).sort();
  const [first = '', last = ''] = [days[0], days.at(-1)];
  return first === last ? first : `${first} to ${last}`;
}

function describeConditions(result: CaseResult): string {
  const { machine, versions } = result;
  const entries = Object.entries(versions).filter(([name]) => !['expose', 'commit', 'node'].includes(name));
  return [
    `${machine.cores} cores (${machine.processor}), ${machine.memoryGb} GB, Linux ${machine.kernel}`,
    `expose ${versions.expose} (${versions.commit}${result.source === 'src' ? ', from its sources' : ''}) on Node ${versions.node}`,
    entries.map(([name, version]) => `${name} ${version}`).join(', '),
    `${result.rounds} rounds${result.quick ? ', **shortened**' : ''}${result.busy ? `, **on a busy machine (load ${result.load})**` : ''}`,
  ].join(' · ');
}

function groupBy(
  results: readonly CaseResult[],
  keyOf: (result: CaseResult) => string,
): [string, CaseResult[]][] {
  const groups = new Map<string, CaseResult[]>();
  for (const result of results) groups.set(keyOf(result), [...(groups.get(keyOf(result)) ?? []), result]);
  return [...groups];
}

/** Lists every row in which a peer is better, with a target or without, the largest difference first. */
function renderSlower(results: readonly CaseResult[]): string {
  const slower = results
    .flatMap(({ id, rows }) => rows.map(row => ({ id, row, lag: measureLag(row) })))
    .filter(({ lag }) => lag > 1)
    .sort((a, b) => b.lag - a.lag);
  if (slower.length === 0) return 'Nothing.';
  const lines = slower.map(({ id, row }) =>
    renderCells([id, row.what, row.peer ?? '', renderValue(row), renderAbsolute(row)]),
  );
  return ['| | what | peer | ours ÷ peer | ours, peer |', '|---|---|---|---|---|', ...lines].join('\n');
}

/** How many times better the peer is; 0 without a peer. */
function measureLag(row: Row): number {
  if (row.peer === undefined) return 0;
  return row.better === 'lower' ? computeFigure(row) : 1 / computeFigure(row);
}

function renderSection(result: CaseResult, title: string, misses: Misses): string[] {
  const rows = result.rows.map(row =>
    renderCells([
      describeRow(row),
      renderTarget(row),
      renderValue(row),
      renderAbsolute(row),
      renderCpu(row),
      renderVerdict(row),
    ]),
  );
  const table = [
    '| what | target | figure | ours, peer | processor time: ours, peer | |',
    '|---|---|---|---|---|---|',
  ];
  const isMissed = result.rows.some(row => (scoreRow(row) ?? 1) < 1);
  const why = misses.get(result.id) ?? (isMissed ? 'The reason for the missed target is not known yet.' : '');
  return [
    `### ${result.id} · ${title}`,
    [...table, ...rows].join('\n'),
    ...(result.curves ?? []).map(renderCurve),
    result.notes.map(note => `- ${note}`).join('\n'),
    why,
  ];
}

/** A table with one column for each number. */
function renderCurve({ of, figures, points }: Curve): string {
  const rows = figures.map((name, index) => [
    name,
    ...points.map(({ values }) => renderNumber(values[index] ?? Number.NaN)),
  ]);
  const head = [of, ...points.map(({ at }) => renderNumber(at))];
  return [head, head.map(() => '---'), ...rows].map(renderCells).join('\n');
}

/** The row's name and its peer, such as `raw, 600 MB down ÷ bore local`. */
export function describeRow({ what, peer }: Row): string {
  return peer === undefined ? what : `${what} ÷ ${peer}`;
}

function renderMissing(results: readonly CaseResult[], titles: ReadonlyMap<string, string>): string {
  const missing = [...titles].filter(([id]) => !results.some(result => result.id === id));
  if (missing.length === 0) return '';
  return ['## Not measured\n', ...missing.map(([id, title]) => `- ${id} · ${title}`)].join('\n');
}

/** Figure and spread, such as `1.25 × (1.21–1.30)`; only the figure if there is one sample. */
export function renderValue(row: Row): string {
  if (row.samples.length === 1) return `${renderNumber(computeFigure(row))} ${row.unit}`.trim();
  const { low, high } = describeSpread(row.samples);
  const named = { median: '', p95: 'p95 ', worst: 'worst ' }[row.take];
  const unit = row.unit && ` ${row.unit}`;
  return `${named}${renderNumber(computeFigure(row))}${unit} (${renderNumber(low)}–${renderNumber(high)})`;
}

export function renderTarget(row: Row): string {
  return renderLimit(row) + (row.goal === undefined ? '' : `, goal ${renderNumber(row.goal)}`);
}

/** The target, such as `≥ 1.2 ×`, or a dash if there is none. */
export function renderLimit({ reach, better, unit }: Row): string {
  if (reach === undefined) return '–';
  return `${better === 'higher' ? '≥' : '≤'} ${renderNumber(reach)} ${unit}`.trim();
}

/** Whether the target is met, or by how many per cent it is missed; empty without a target. */
export function renderVerdict(row: Row): string {
  const score = scoreRow(row);
  if (score === undefined || row.reach === undefined) return '';
  if (score >= 1) return 'met';
  if (row.reach === 0) return '**missed**';
  return `**missed by ${renderNumber(Math.abs(computeFigure(row) / row.reach - 1) * 100)} %**`;
}

function renderAbsolute({ absolute }: Row): string {
  if (absolute === undefined) return '';
  return `${renderNumber(absolute.ours)}, ${renderNumber(absolute.peer)} ${absolute.unit}`;
}

function renderCpu({ cpu }: Row): string {
  if (cpu === undefined) return '';
  const peer = cpu.peer === undefined ? '' : `, ${renderNumber(cpu.peer)}`;
  return `${renderNumber(cpu.ours)}${peer} ${cpu.unit}`;
}

/** Three digits, with a comma for thousands. */
export function renderNumber(value: number): string {
  if (!Number.isFinite(value)) return '?';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

function renderCells(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
