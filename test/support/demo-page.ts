// The demo's page in Chromium, with documents that the test fills: no run behind it. Used by test/demo/page/.

import { resolve } from 'node:path';
import type { Page } from 'puppeteer-core';
import { onTestFinished } from 'vitest';
import type { Action, Documents } from '../../src/demo/page/documents.ts';
import { Feed } from '../../src/demo/page/feed.ts';
import { compilePage } from '../../src/demo/page/files.ts';
import { startPageServer } from '../../src/demo/page/server.ts';
import { openTab, watchFaults } from './inspector.ts';

export const DEMO_KEY = 'the-key-of-this-page';
const LINK = 'http://127.0.0.1:23456/?expose-key=key';
const AT = '2026-05-04T10:00:00.000Z';

export const comment = (...bodies: string[]) => ({
  id: 1,
  author: 'github-actions[bot]',
  versions: bodies.map(body => ({ body, at: AT })),
});

export const LIVE_DEMO: Documents = {
  pull: {
    repository: 'octo/app',
    number: 7,
    title: 'Draw the picture',
    author: 'mona',
    branch: 'julia-set',
    base: 'main',
    commit: 'a'.repeat(40),
    body: 'Please have a look.',
  },
  app: 'A web app.',
  comments: [comment('### 🟡 Preview is starting', `### 🟢 Preview is live\n\n[Open](${LINK})`)],
  deployments: [],
  run: { number: 1, phase: 'main', startedAt: AT },
  preview: {
    mode: 'port',
    phase: 'live',
    status: 'Connected',
    url: 'http://127.0.0.1:23456',
    link: LINK,
    inspector: 'http://127.0.0.1:34567/#key=key',
    visits: 1,
    reconnects: 0,
  },
  server: { address: '127.0.0.1:7835', isUp: true },
  events: [{ at: AT, text: 'Workflow run 1 has started.' }],
  deliveries: [],
  recorded: [],
  isOver: false,
};

export interface DemoPage {
  page: Page;
  feed: Feed;
  /** What buttons have asked for. */
  actions: Action[];
  origin: string;
  /** What the page must never do: script errors, violations of its policy, requests to anywhere else. */
  faults: string[];
}

/** The server alone. */
export async function startDemoPage(changes: Partial<Documents> = {}) {
  const feed = new Feed({ ...LIVE_DEMO, ...changes });
  const actions: Action[] = [];
  const files = compilePage(resolve('.'));
  const act = (action: Action) => void actions.push(action);
  const server = await startPageServer({ port: 0, key: DEMO_KEY, files, feed, act });
  onTestFinished(() => server.stop());
  return { feed, actions, ...server };
}

export async function openDemoPage(changes: Partial<Documents> = {}): Promise<DemoPage> {
  const { feed, actions, origin, link } = await startDemoPage(changes);
  const page = await openTab();
  const faults = watchFaults(page, origin);
  await page.goto(link);
  await page.waitForSelector('#content:not([hidden])');
  return { page, feed, actions, origin, faults };
}
