// Runs Chromium in a network namespace, to load pages as reviewers do. Used by cases/pages.ts and
// cases/web-app.ts.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, launch } from 'puppeteer-core';

const CHROMIUM = '/usr/bin/chromium';
const LOAD_LIMIT_MS = 30_000;
/** Without background requests to Google, which would open connections during a measurement. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--no-default-browser-check',
];

export interface Browser {
  /** Name and version, such as `Chrome 156.0.8078.108`. */
  readonly version: string;
  /** Loads the page without an open connection and without a cache. Resolves with the ms until its `load` event. */
  loadPage(url: string): Promise<number>;
  stop(): Promise<void>;
}

/** A browser for web apps that tell when they run. */
export interface AppBrowser {
  readonly version: string;
  /**
   * Opens the app without a cache, and then again. Resolves with the ms until it ran, each time. Rejects unless it loaded
   * `objects` files.
   */
  visitTwice(url: string, objects: number): Promise<number[]>;
  stop(): Promise<void>;
}

/** `trusted`: the hash of the public key the browser accepts. */
export async function startAppBrowser(namespace: string, trusted: string): Promise<AppBrowser> {
  const { browser, version, stop } = await launchIn(namespace, trusted);
  return {
    version,
    stop,
    visitTwice: async (url, objects) => {
      const context = await browser.createBrowserContext();
      try {
        return [await visitApp(context, url, objects), await visitApp(context, url, objects)];
      } finally {
        await context.close();
      }
    },
  };
}

async function visitApp(context: BrowserContext, url: string, objects: number): Promise<number> {
  const page = await context.newPage();
  await page.goto(url, { waitUntil: 'load', timeout: LOAD_LIMIT_MS });
  await page.waitForFunction('globalThis.mainRanAt !== undefined', { timeout: LOAD_LIMIT_MS });
  const figures = await page.evaluate(
    `[mainRanAt, performance.getEntriesByType('resource').filter(one => [200, 304].includes(one.responseStatus)).length]`,
  );
  const [millis = Number.NaN, loaded] = figures as number[];
  if (loaded !== objects) throw new Error(`${url} has ${loaded} of its ${objects} objects`);
  await page.close();
  return millis;
}

async function launchIn(namespace: string, trusted: string) {
  const profile = mkdtempSync(join(tmpdir(), 'bench-chromium-'));
  const browser = await launch({
    // Controlled over a pipe, because a port would be in the other namespace.
    pipe: true,
    executablePath: '/usr/bin/env',
    ignoreDefaultArgs: true,
    args: [
      ...['ip', 'netns', 'exec', namespace, CHROMIUM, ...FLAGS, `--user-data-dir=${profile}`],
      `--ignore-certificate-errors-spki-list=${trusted}`,
    ],
  });
  return {
    browser,
    version: (await browser.version()).replace('/', ' ').replace('Headless', ''),
    stop: async () => {
      await browser.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Resolves with undefined if Chromium is not installed. `trusted`: the hash of the public key the browser accepts. */
export async function startBrowser(namespace: string, trusted: string): Promise<Browser | undefined> {
  if (!existsSync(CHROMIUM)) return undefined;
  const { browser, version, stop } = await launchIn(namespace, trusted);
  return {
    version,
    stop,
    loadPage: async url => {
      // A new context has no open connections.
      const context = await browser.createBrowserContext();
      try {
        const page = await context.newPage();
        const answer = await page.goto(url, { waitUntil: 'load', timeout: LOAD_LIMIT_MS });
        if (answer?.status() !== 200) throw new Error(`${url} answered ${answer?.status()}`);
        const figures = await page.evaluate(
          `(() => { const [page] = performance.getEntriesByType('navigation');
            const objects = performance.getEntriesByType('resource');
            return [page.loadEventStart, objects.filter(one => one.responseStatus === 200).length,
              objects.filter(one => one.nextHopProtocol === 'h2').length]; })()`,
        );
        const [millis = Number.NaN, objects, overHttp2] = figures as number[];
        if (objects !== 30) throw new Error(`${url} has ${objects} of its 30 objects`);
        if (overHttp2 !== (url.startsWith('https:') ? 30 : 0))
          throw new Error(`${url}: ${overHttp2} over HTTP/2`);
        return millis;
      } finally {
        await context.close();
      }
    },
  };
}
