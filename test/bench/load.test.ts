// How the load simulator judges what visitors saw, and what it writes.

import { describe, expect, it } from 'vitest';
import { listUnexplained, measureOutages } from '../../bench/load/outages.ts';
import { renderPlot, toX } from '../../bench/load/plot.ts';
import { renderReport, replaceTables } from '../../bench/load/report.ts';
import type { Results } from '../../bench/load/results.ts';

const RESULTS: Results = {
  date: '2026-11-29T08:00:00.000Z',
  conditions: 'Measured on a machine.',
  sections: [
    {
      id: 'killed',
      title: 'One <server> is killed',
      rows: [{ what: 'from the signal', value: '0.10 / 0.12 / 0.15', unit: 's' }],
      visitors: { visits: 5_000, failed: 1, webSockets: 20, cut: 2 },
      returns: { previews: 4, moved: 1, seconds: [0.2, 0.4, 31, 31], since: 'return' },
    },
    { id: 'capacity', title: 'Capacity', rows: [{ what: 'memory', value: 27_000, unit: 'KB' }] },
  ],
};
const BEGIN = (table: string) => `<!-- npm run bench:load writes: ${table} -->`;
const END = '<!-- npm run bench:load: end -->';

describe('an outage', () => {
  const probe = (from: number, to: number, isGood: boolean) => ({ from, to, isGood });

  it('lasts from the first visit that failed to the answer of the next one that did not', () => {
    const probes = [
      probe(0, 5, true),
      probe(20, 21, false),
      probe(40, 90, false),
      probe(60, 75, true),
      probe(80, 85, true),
      probe(100, 101, false),
      probe(120, 150, true),
    ];
    expect(measureOutages(probes)).toEqual([55, 50]);
  });

  it('without an end is not counted, and good visits are none', () => {
    expect(measureOutages([probe(0, 5, true), probe(20, 21, false)])).toEqual([]);
    expect(measureOutages([probe(0, 5, true)])).toEqual([]);
  });
});

describe('a failed visit', () => {
  const window = { names: new Set(['a']), from: 100, to: 200 };
  const visit = (name: string, from: number, to: number) => ({ name, from, to });

  it('is explained only by an outage of its own preview that it touches', () => {
    const inside = [visit('a', 150, 160), visit('a', 50, 100), visit('a', 200, 300)];
    const outside = [visit('b', 150, 160), visit('a', 50, 99), visit('a', 201, 300)];
    expect(listUnexplained([...inside, ...outside], [window])).toEqual(outside);
  });
});

describe('the figures', () => {
  it('replace the tables of a page, and nothing else of it', () => {
    const page = ['before', BEGIN('restarts'), 'old', END, 'between', BEGIN('capacity'), 'old', END, 'after'];
    const written = replaceTables(page.join('\n'), RESULTS);
    expect(written).toMatch(/^before\n.*\nbetween\n.*\nafter$/s);
    expect(written).not.toContain('old');
    const [restarts = '', capacity = ''] = written.split('between');
    expect(restarts).toContain('| One <server> is killed | 4 | 15.7 / 31.0 / 31.0 | 1 |');
    expect(restarts).toMatch(/Of 5,000 visits, 1 failed .* Of\n20 WebSockets, 2 broke/);
    expect(capacity).toContain('| memory | 27,000 KB |');
    expect(replaceTables(written, RESULTS)).toBe(written);
    expect(() => replaceTables('no marks', RESULTS)).toThrow('the page has no lines');
  });

  it('are all in the report', () => {
    const report = renderReport(RESULTS);
    for (const text of [
      'with another URL: 1',
      'from the signal: 0.10 / 0.12 / 0.15 s',
      '1 of 5000',
      '2 of 20',
      'memory: 27000 KB',
    ])
      expect(report).toContain(text);
  });

  it('are drawn with a line for each preview, darker where several coincide, later ones further right, and with escaped titles', () => {
    const plot = renderPlot(RESULTS);
    const ticks = [...plot.matchAll(/class="preview" stroke-opacity="([\d.]+)"/g)].map(
      ([, opacity]) => opacity,
    );
    expect(ticks).toEqual(['0.25', '0.25', '0.44']);
    expect(plot).toContain('One &lt;server&gt; is killed');
    expect(plot).toContain('other URL: 1 of 4');
    expect(plot).toContain('longest 31.0 s');
    const places = [0, 0.1, 1, 10, 60, 1_000].map(toX);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places.at(-1)).toBe(toX(60));
  });
});
