// 10,000 requests in the inspector, at full length only: no task of the page may hold up a frame.

import type { Page } from 'puppeteer-core';
import { expect, it } from 'vitest';
import { openInspector } from '../../support/inspector.ts';
import type { FakeRequestLog } from '../../support/request-log.ts';
import { isFull } from '../../support/scale.ts';
import { waitUntil } from '../../support/wait-until.ts';

const COUNT = 10_000;
/** Requests per second, for so many seconds, while the list is scrolled. */
const [RATE, SECONDS] = [100, 10];
const LONGEST_TASK_MS = 100;

const HEADERS = Array.from({ length: 15 }, (_, index) => [
  `X-Header-${index}`,
  `a value of usual length ${index}`,
]);

function addOne(requests: FakeRequestLog, index: number): void {
  requests.add({
    receivedAt: new Date(Date.now() - 1_000),
    target: `/hooks/${index % 7}?index=${index}`,
    rawHeaders: HEADERS.flat(),
    body: Buffer.from('{}'),
    ...(index % 11 === 0 ? { refusal: 'no signature', answer: { status: 401, durationMs: 1 } } : {}),
  });
}

/** Long tasks (W3C Long Tasks: over 50 ms) from now on, in milliseconds. */
async function watchTasks(page: Page): Promise<void> {
  await page.evaluate(`window.longTasks = [];
    new PerformanceObserver(list => {
      for (const { duration } of list.getEntries()) longTasks.push(duration);
    }).observe({ type: 'longtask', buffered: true });`);
}

/** Scrolls up and down, a step in each frame, until `window.scrollOver`. Returns the number of frames. */
const SCROLL = `new Promise(resolve => {
  const list = document.querySelector('#list');
  let [frames, step] = [0, 400];
  const next = () => {
    const before = list.scrollTop;
    list.scrollTop += step;
    if (list.scrollTop === before) step = -step;
    frames += 1;
    if (window.scrollOver) resolve(frames); else requestAnimationFrame(next);
  };
  next();
})`;

it.runIf(isFull)(
  '10,000 requests, scrolling, filtering and 100 new ones a second hold up no frame',
  async () => {
    const { page, requests } = await openInspector(api => {
      for (let index = 0; index < COUNT; index += 1) addOne(api.requests, index);
    });
    await watchTasks(page);
    await page.waitForFunction(`document.querySelector('#count').textContent.startsWith('10,000 requests')`);
    const scrolled = page.evaluate(SCROLL) as Promise<number>;
    const timer = setInterval(() => addOne(requests, requests.lastId), 1_000 / RATE);
    for (let second = 0; second < SECONDS; second += 1) {
      await page.select('#status', second % 2 === 0 ? '2' : '');
      if (second === 3) await page.type('#search', 'value of hooks');
      await waitUntil(() => requests.lastId >= COUNT + (second + 1) * RATE, 'requests keep coming');
    }
    clearInterval(timer);
    await page.evaluate('window.scrollOver = true');
    const frames = await scrolled;
    const tasks = (await page.evaluate('longTasks')) as number[];
    expect(frames).toBeGreaterThan(SECONDS * 10);
    expect(tasks.filter(duration => duration > LONGEST_TASK_MS)).toEqual([]);
    expect(await page.evaluate("document.querySelectorAll('[role=option]').length")).toBeLessThan(60);
  },
);
