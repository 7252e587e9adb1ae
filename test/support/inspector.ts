// The inspector's page in Chromium, over the real control API and a log that the test fills. Used by
// test/control/inspector/.

import type { Browser, Page } from 'puppeteer-core';
import { afterAll, onTestFinished } from 'vitest';
import { startControlApi } from '../../src/control/api.ts';
import type { Controls } from '../../src/control/call.ts';
import { ConsoleLines } from '../../src/shared/console-lines.ts';
import { launchChromium } from './chromium.ts';
import { controlsWith } from './controls.ts';
import { FakeRequestLog } from './request-log.ts';
import { LIVE } from './sample-state.ts';

/** With `&`, which a fragment needs escaped. */
export const INSPECTOR_KEY = 'a-key&of=this-test';

/** One for all tests of a file: a start takes longer than most of them. */
let browser: Promise<Browser> | undefined;
afterAll(async () => (await browser)?.close());

export interface Inspector {
  page: Page;
  requests: FakeRequestLog;
  consoleLines: ConsoleLines;
  /** `http://127.0.0.1:PORT` */
  url: string;
  /** What the page must never do: script errors, violations of its policy, requests to anywhere else. */
  faults: string[];
}

/** The API alone, for a test that opens the page itself. */
export async function startInspectorApi(changes: Partial<Controls> = {}) {
  const requests = new FakeRequestLog({ kind: 'paths', patterns: ['/**'] });
  const consoleLines = new ConsoleLines();
  const state = { ...LIVE, link: 'http://bore.example:12345/?expose-key=secret' };
  const api = await startControlApi(
    controlsWith({ state, requests, consoleLines, ...changes }),
    INSPECTOR_KEY,
  );
  onTestFinished(() => api.stop());
  return { url: api.url, requests, consoleLines, stop: () => api.stop() };
}

/** Opens the page with its key; `prepare` fills the log before. */
export async function openInspector(
  prepare: (api: { requests: FakeRequestLog; consoleLines: ConsoleLines }) => void = () => {},
  changes: Partial<Controls> = {},
): Promise<Inspector> {
  const { url, requests, consoleLines } = await startInspectorApi(changes);
  prepare({ requests, consoleLines });
  return { ...(await openPage(url)), requests, consoleLines };
}

/** Opens the page of the API at `url`. */
export async function openPage(url: string): Promise<Omit<Inspector, 'requests' | 'consoleLines'>> {
  const page = await openTab();
  const faults = watchFaults(page, url);
  await page.goto(`${url}/#${new URLSearchParams({ key: INSPECTOR_KEY })}`);
  await page.waitForSelector('#app:not([hidden])');
  return { page, url, faults };
}

/** An empty tab that shares nothing with those of other tests. */
export async function openTab(): Promise<Page> {
  browser ??= launchChromium();
  const context = await (await browser).createBrowserContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  await page.setViewport({ width: 1280, height: 800 });
  return page;
}

/** The list to which faults are added as they happen. */
export function watchFaults(page: Page, url: string): string[] {
  const faults: string[] = [];
  page.on('pageerror', error => faults.push(`error: ${error}`));
  page.on('dialog', dialog => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warn') faults.push(`console: ${message.text()}`);
  });
  page.on('request', request => {
    if (!request.url().startsWith(`${url}/`)) faults.push(`request: ${request.url()}`);
    const { pathname, search } = new URL(request.url());
    if (`${pathname}${search}`.includes('this-test')) faults.push(`key in a URL: ${request.url()}`);
  });
  return faults;
}
