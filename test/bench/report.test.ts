import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readMisses, renderReport, renderValue, renderVerdict } from '../../bench/report.ts';
import { computeFigure, readResults, scoreRow, writeResult } from '../../bench/results.ts';
import { createResult, createRow } from './samples.ts';

const TITLES = new Map([
  ['B1', 'One stream'],
  ['B2', 'Many streams'],
]);

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bench-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('a row', () => {
  it('has as its figure the median, the worst sample, or the sample that 95 % are at least as good as', () => {
    const samples = Array.from({ length: 21 }, (_, index) => index);
    expect(computeFigure(createRow({ samples }))).toBe(10);
    expect(computeFigure(createRow({ samples, take: 'worst', better: 'lower' }))).toBe(20);
    expect(computeFigure(createRow({ samples, take: 'worst', better: 'higher' }))).toBe(0);
    expect(computeFigure(createRow({ samples, take: 'p95', better: 'lower' }))).toBeCloseTo(19);
    expect(computeFigure(createRow({ samples, take: 'p95', better: 'higher' }))).toBeCloseTo(1);
  });

  it('has a score of 1 if it meets its target exactly, and more if it is better', () => {
    expect(scoreRow(createRow({ samples: [1.2], reach: 1.2 }))).toBe(1);
    expect(scoreRow(createRow({ samples: [2.4], reach: 1.2 }))).toBe(2);
    expect(scoreRow(createRow({ samples: [2.4], reach: 1.2, better: 'lower' }))).toBe(0.5);
    expect(scoreRow(createRow())).toBeUndefined();
  });

  it('shows by how many per cent it misses its target', () => {
    expect(renderVerdict(createRow({ samples: [1.2], reach: 1.2 }))).toBe('met');
    expect(renderVerdict(createRow({ samples: [0.9], reach: 1.2 }))).toBe('**missed by 25 %**');
    expect(renderVerdict(createRow({ samples: [90], reach: 30, better: 'lower' }))).toBe(
      '**missed by 200 %**',
    );
    expect(renderVerdict(createRow())).toBe('');
  });

  it('shows its figure, with the lowest and the highest sample', () => {
    expect(renderValue(createRow())).toBe('1.2 × (1.1–1.3)');
    expect(
      renderValue(createRow({ samples: [1234.5, 2000], unit: 'ms', take: 'worst', better: 'lower' })),
    ).toBe('worst 2,000 ms (1,235–2,000)');
  });
});

describe('the report', () => {
  it('lists the cases that were not measured, and says nothing about peers without any result', () => {
    const report = renderReport([], TITLES, new Map());
    expect(report).toContain('- B2 · Many streams');
    expect(report).not.toContain('Slower than a peer');
  });

  it('lists first where a peer is better, with a target or without, the largest difference first', () => {
    const rows = [
      createRow({ what: 'a bit slower', samples: [0.9] }),
      createRow({ what: 'takes three times as long', samples: [3], better: 'lower' }),
      createRow({ what: 'faster', samples: [1.5] }),
      createRow({ what: 'target met, and slower', samples: [0.65], reach: 0.6 }),
    ];
    const report = renderReport([createResult(rows)], TITLES, new Map());
    const first = report.slice(report.indexOf('## Slower'), report.indexOf('## Every case'));
    expect([...first.matchAll(/^\| B1 \| ([^|]+) \|/gm)].map(([, what]) => what)).toEqual([
      'takes three times as long',
      'target met, and slower',
      'a bit slower',
    ]);
  });

  it('says "Nothing." if no peer is better', () => {
    expect(renderReport([createResult([createRow()])], TITLES, new Map())).toContain('Nothing.');
  });

  it('contains every row of every case, and lists the cases that were not measured', () => {
    const rows = [createRow({ what: 'one', reach: 1.2 }), createRow({ what: 'two' })];
    const report = renderReport([createResult(rows)], TITLES, new Map());
    expect(report).toContain('| one ÷ bore local | ≥ 1.2 × | 1.2 × (1.1–1.3) |  |  | met |');
    expect(report).toContain('| two ÷ bore local | – | 1.2 × (1.1–1.3) |  |  |  |');
    expect(report).toContain('## Not measured\n\n- B2 · Many streams');
  });

  it('shows a curve as a table', () => {
    const curve = {
      of: 'visitors',
      figures: ['memory, MB'],
      points: [
        { at: 10, values: [61.23] },
        { at: 1000, values: [80] },
      ],
    };
    expect(renderReport([createResult([], { curves: [curve] })], TITLES, new Map())).toContain(
      '| visitors | 10 | 1,000 |\n| --- | --- | --- |\n| memory, MB | 61.2 | 80 |',
    );
  });

  it('shows the reason for a missed target, or says that it is not known', () => {
    const missed = [createResult([createRow({ samples: [0.5], reach: 0.9 })])];
    expect(renderReport(missed, TITLES, new Map([['B1', 'One thread is the limit.']]))).toContain(
      'One thread is the limit.',
    );
    expect(renderReport(missed, TITLES, new Map())).toContain(
      'The reason for the missed target is not known yet.',
    );
  });

  it('says if the machine was busy, the run was shortened, or the sources ran instead of the bundles', () => {
    const odd = createResult([], { busy: true, load: 2.5, quick: true, source: 'src' });
    const report = renderReport([odd], TITLES, new Map());
    expect(report).toContain('**on a busy machine (load 2.5)**');
    expect(report).toContain('**shortened**');
    expect(report).toContain('from its sources');
    const plain = renderReport([createResult([])], TITLES, new Map());
    expect(plain).not.toMatch(/busy|shortened|sources/);
    expect(plain).toContain('expose 1.2.3 (abc1234) on Node 24.0.0');
  });

  it('describes the conditions once if they are equal for all cases', () => {
    const later = createResult([], { id: 'B2', date: '2026-01-03T00:00:00.000Z' });
    const report = renderReport([createResult([]), later], TITLES, new Map());
    expect(report.match(/2 cores/g)).toHaveLength(1);
    expect(report).toContain('- All cases: 2026-01-02 to 2026-01-03, 2 cores');
  });
});

describe('the reasons for missed targets', () => {
  it('are read for each case', () => {
    const file = join(createFolder(), 'misses.md');
    writeFileSync(file, '# Misses\n\n## B1\n\nOne thread.\n\n- tried two\n\n## B4\n\nThe kernel.\n');
    expect([...readMisses(file)]).toEqual([
      ['B1', 'One thread.\n\n- tried two'],
      ['B4', 'The kernel.'],
    ]);
  });

  it('are empty without the file', () => {
    expect(readMisses(join(createFolder(), 'misses.md')).size).toBe(0);
  });
});

describe('the results', () => {
  it('are read back in the order of the cases', () => {
    const folder = createFolder();
    for (const id of ['B10', 'B2']) writeResult(folder, createResult([createRow()], { id }));
    writeFileSync(join(folder, 'notes.txt'), 'not a result');
    expect(readResults(folder).map(({ id }) => id)).toEqual(['B2', 'B10']);
    expect(readResults(folder)[0]?.rows).toEqual([createRow()]);
  });

  it('are saved with four digits', () => {
    const folder = createFolder();
    writeResult(folder, createResult([createRow({ samples: [1.234567, 12345.678, 3] })]));
    expect(readResults(folder)[0]?.rows[0]?.samples).toEqual([1.235, 12350, 3]);
  });
});
