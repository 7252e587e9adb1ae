// The charts in Mermaid itself, as GitHub runs it: what its parser refuses, people see as an error message.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { renderAvailability, renderVisits } from '../../../src/github/summary/charts.ts';
import type { HistoryMessage } from '../../../src/shared/history.ts';
import { launchChromium } from '../../support/chromium.ts';
import { describeWithReal } from '../../support/real-parts.ts';

const START = Date.parse('2026-05-04T10:00:13.700Z');
const at = (seconds: number) => new Date(START + seconds * 1_000);
const away = (part: 'tunnel' | 'app', from: number, until: number | null) => ({
  part,
  from: at(from).toISOString(),
  until: until === null ? null : at(until).toISOString(),
  reason: null,
});

/** Length in seconds → outages. */
const LIVES: Record<string, [seconds: number, HistoryMessage['outages']]> = {
  'a moment': [0.2, []],
  'a moment with an outage': [0.2, [away('app', 0.1, null)]],
  'a minute': [60, [away('tunnel', 0, 3), away('app', 50, null)]],
  'half an hour': [1_800, [away('tunnel', 300, 314), away('app', 310, 311), away('tunnel', 900, 1_000)]],
  'six hours with 25 outages': [
    21_600,
    Array.from({ length: 25 }, (_, n) => away('tunnel', n * 800, n * 800 + 4)),
  ],
  'outages that follow each other at once': [
    600,
    [away('app', 10, 11), away('app', 11, 12), away('app', 12, 13)],
  ],
  'two days': [172_800, []],
  '10,000 minutes': [600_000, [away('tunnel', 86_400, 90_000)]],
  '24 days': [2_073_600, [away('app', 2_073_599, null)]],
};

const many = (length: number) => Array.from({ length }, (_, n) => (n * 7_919) % 1_000);
const VISITS: Record<string, HistoryMessage['visits']> = {
  'no minute': { from: '', minutes: 1, counts: [] },
  'one visit': { from: '', minutes: 1, counts: [1] },
  'half an hour': { from: '', minutes: 1, counts: many(31) },
  'six hours': { from: '', minutes: 4, counts: many(90) },
  '24 days': { from: '', minutes: 512, counts: many(68) },
  millions: { from: '', minutes: 1, counts: [9_999_999, 0, 0] },
};

/** Runs in the page. */
const DRAW = `async function draw([text, theme]) {
  mermaid.initialize({ startOnLoad: false, theme, securityLevel: 'strict', suppressErrorRendering: true });
  const { diagramType } = await mermaid.parse(text);
  document.body.innerHTML = (await mermaid.render('chart', text)).svg;
  const list = selector => [...document.querySelectorAll(selector)];
  return {
    diagramType,
    bars: list('rect.task, .bar-plot-0 rect').length,
    widths: list('rect.task[class*=crit]').map(bar => bar.getBoundingClientRect().width),
    links: list('a, image, foreignObject').length,
    labels: list('text').map(one => one.textContent),
    ticks: list('.grid text').map(one => one.getBoundingClientRect()).map(({ left, right }) => ({ left, right })),
    markers: list('.today').length,
  };
}`;

describeWithReal(['chromium'], 'the charts in Mermaid', () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await launchChromium();
    page = await browser.newPage();
    const mermaid = createRequire(import.meta.url).resolve('@mermaid-js/tiny');
    await page.addScriptTag({ content: readFileSync(mermaid, 'utf8') });
    await page.addScriptTag({ content: DRAW });
  });
  afterAll(() => browser.close());

  /** The kind of diagram, its texts and the number of its bars; rejects if Mermaid refuses it. */
  async function draw(markdown: string, theme: string) {
    const text = /^```mermaid\n(.*)\n```$/s.exec(markdown)?.[1] ?? '';
    return (await page.evaluate(`draw(${JSON.stringify([text, theme])})`)) as {
      diagramType: string;
      bars: number;
      /** Of the outages, in pixels. */
      widths: number[];
      links: number;
      labels: string[];
      /** Where the labels of the axis stand, in pixels. */
      ticks: { left: number; right: number }[];
      /** Lines at the time of the reader. */
      markers: number;
    };
  }

  it.each(Object.entries(LIVES))('show the availability of %s', async (_, [seconds, outages]) => {
    for (const theme of ['default', 'dark']) {
      const chart = await draw(renderAvailability(outages, { from: at(0), until: at(seconds) }), theme);
      expect(chart).toMatchObject({ diagramType: 'gantt', links: 0 });
      expect(chart.bars).toBeGreaterThanOrEqual(2);
      expect(chart.labels).toEqual(expect.arrayContaining(['Tunnel', 'App']));
    }
  });

  it.each([5, 24, 79, 500, 3_600, 20_000, 80_000, 90_000, 250_000, 300_000, 1_200_000])(
    'label the axis of %d seconds so that no label touches the next one, and mark no time of the reader',
    async seconds => {
      // The width of a phone, but for days on end.
      await page.setViewport({ width: seconds < 86_400 ? 340 : 800, height: 600 });
      const chart = await draw(
        renderAvailability([], { from: new Date(Date.now() - seconds * 1_000), until: new Date() }),
        'default',
      );
      expect(chart.ticks.length).toBeGreaterThan(0);
      for (const [n, { left }] of chart.ticks.slice(1).entries())
        expect(left).toBeGreaterThan(chart.ticks[n]?.right ?? Number.NaN);
      expect(chart.markers).toBe(0);
    },
  );

  it('show a short outage of a long life wide enough to be seen', async () => {
    const outages = [away('tunnel', 10_000, 10_001)];
    const chart = await draw(renderAvailability(outages, { from: at(0), until: at(600_000) }), 'default');
    expect(chart.widths).toHaveLength(1);
    expect(chart.widths[0]).toBeGreaterThan(1);
  });

  it.each(Object.entries(VISITS))('show the visits of %s', async (_, visits) => {
    for (const theme of ['default', 'dark']) {
      const { chart } = renderVisits(visits, 'requests');
      const drawn = await draw(chart, theme);
      expect(drawn).toMatchObject({ diagramType: 'xychart', links: 0 });
      // One bar each: labels that were equal would share one place.
      expect(drawn.bars).toBe(chart.match(/bar \[(.*)\]/)?.[1]?.split(',').length);
      expect(new Set(drawn.labels).size).toBeGreaterThanOrEqual(drawn.bars);
    }
  });
});

it('the title says how long a step of the visits is', () => {
  const title = (minutes: number, length: number) =>
    renderVisits({ from: '', minutes, counts: many(length) }, 'requests').title;
  expect(title(1, 30)).toBe('Requests per minute');
  expect(title(4, 90)).toBe('Requests in each 12 minutes');
  expect(title(64, 90)).toBe('Requests in each 192 minutes');
  expect(title(4, 720)).toBe('Requests in each 80 minutes');
});
