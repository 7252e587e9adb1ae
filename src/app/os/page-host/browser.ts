// wasmrun's page in a headless Chrome, driven over a pipe. Used by os.ts if Node.js cannot run the page, and as
// the reference in tests.

import { constants } from 'node:fs';
import { access, mkdir, readlink, rm } from 'node:fs/promises';
import { basename, delimiter, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, Page } from 'puppeteer-core';
import { ProcessGroup } from '../../../shared/processes.ts';
import { sanitise } from '../../../shared/sanitise.ts';
import { joinWrites } from './join-writes.ts';
import {
  PAGE_TIMEOUT_MS,
  type PageHost,
  PageHostError,
  type PageHostOptions,
  selectHostEnvironment,
} from './page-host.ts';
import { readPageMessage } from './page-message.ts';
import { addToWorker, limitOutput, pressRun, watchPage } from './page-script.ts';

const NAMES = ['google-chrome', 'google-chrome-stable', 'chromium', 'chromium-browser', 'chrome.exe'];
/** Where the installers of macOS and Windows put Chrome. */
const PLACES = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe',
];
const FLAGS = [
  '--disable-gpu',
  // Containers give /dev/shm 64 MB, less than the runtime needs.
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--no-proxy-server',
];
/** In the folder of this start. */
const PROFILE = 'chrome-profile';
/** The function through which the page reports to this process. */
const REPORT = '__exposeReport';
/** Chrome writes its profile when it is closed; the profile is thrown away. */
const CLOSE_TIMEOUT_MS = 3_000;
const POLL_MS = 20;

/** Starts Chrome with a throw-away profile; resolves when Run has been pressed. */
export async function startBrowserHost(
  options: PageHostOptions & { browser?: string | undefined },
): Promise<PageHost> {
  const { context } = options;
  const executable = options.browser ?? (await findBrowser(context.environment.PATH ?? ''));
  context.signal.throwIfAborted();
  const browser = await launchBrowser(executable, options);
  const chrome = browser.process();
  const pid = chrome?.pid;
  // puppeteer removes its listeners before the pipe is gone, and a killed Chrome was seen to reset it (ECONNRESET).
  for (const stream of chrome?.stdio ?? []) stream?.on('error', () => undefined);
  if (pid === undefined) throw new PageHostError('Chrome was started, but has no process id');
  context.onChild({ pid, role: 'Chrome' });
  const socketFolder = await findSocketFolder(context.folder);
  const stop = async () => {
    await stopBrowser(browser, pid);
    if (socketFolder !== undefined) await rm(socketFolder, { recursive: true, force: true });
  };
  context.signal.addEventListener('abort', stop, { once: true });
  try {
    const page = (await browser.pages())[0] ?? (await browser.newPage());
    const ended = watchEnd(browser, page);
    await openPage(page, options);
    return { pid, ended, stop };
  } catch (cause) {
    await stop();
    context.signal.throwIfAborted();
    throw new PageHostError("wasmrun's page could not be started in Chrome (`vm: browser`)", { cause });
  } finally {
    context.signal.removeEventListener('abort', stop);
  }
}

/**
 * Chrome keeps its socket in the system's temp folder, where it stays if Chrome is killed. Our own folder cannot be its
 * TMPDIR: a socket's path is limited to 107 bytes, and Chrome aborts if it is longer.
 */
async function findSocketFolder(folder: string): Promise<string | undefined> {
  const link = await readlink(join(folder, PROFILE, 'SingletonSocket')).catch(() => '');
  const found = dirname(link);
  return /^(org\.chromium|com\.google)\./.test(basename(found)) ? found : undefined;
}

/** Path of an installed Chrome or Chromium. */
async function findBrowser(path: string): Promise<string> {
  const onPath = path.split(delimiter).flatMap(folder => NAMES.map(name => join(folder, name)));
  for (const candidate of [...onPath, ...PLACES]) if (await isExecutable(candidate)) return candidate;
  throw new PageHostError(
    'no Chrome or Chromium was found; install the package chromium or google-chrome-stable, ' +
      'give its path as `browser`, or use `vm: node`, which needs none',
  );
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function launchBrowser(executable: string, { context }: PageHostOptions): Promise<Browser> {
  const profile = join(context.folder, PROFILE);
  await mkdir(profile, { recursive: true });
  const puppeteer = await import('puppeteer-core');
  try {
    return await puppeteer.launch({
      executablePath: executable,
      headless: true,
      pipe: true,
      userDataDir: profile,
      // Nobody sees the page, and painting its animations cost more processor time than the program.
      defaultViewport: { width: 1, height: 1 },
      args: process.getuid?.() === 0 ? [...FLAGS, '--no-sandbox'] : FLAGS,
      env: { ...selectHostEnvironment(context.environment), HOME: profile },
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
      timeout: PAGE_TIMEOUT_MS,
      signal: context.signal,
    });
  } catch (cause) {
    context.signal.throwIfAborted();
    throw new PageHostError(
      `Chrome at ${sanitise(executable)} does not start; check \`browser\`, or use \`vm: node\``,
      { cause },
    );
  }
}

async function watchEnd(browser: Browser, page: Page): Promise<string> {
  return await new Promise(resolve => {
    browser.once('disconnected', () => resolve('Chrome ended'));
    page.once('error', () => resolve('the page crashed in Chrome'));
    page.once('close', () => resolve('the page was closed in Chrome'));
  });
}

/** Resolves when Run has been pressed. */
async function openPage(page: Page, options: PageHostOptions): Promise<void> {
  page.on('pageerror', error => options.context.logger.debug(`page: ${String(error)}`));
  await watchInBrowser(page, options);
  await page.goto(options.url, { timeout: PAGE_TIMEOUT_MS, waitUntil: 'domcontentloaded' });
  await page.waitForFunction(`(${pressRun})(document)`, { timeout: PAGE_TIMEOUT_MS, polling: POLL_MS });
}

async function watchInBrowser(page: Page, { onMessage }: PageHostOptions): Promise<void> {
  await page.exposeFunction(REPORT, (value: unknown) => {
    const message = readPageMessage(value);
    if (message !== undefined) onMessage(message);
  });
  const workerSource = JSON.stringify(`(${joinWrites})(self);`);
  await page.evaluateOnNewDocument(
    `(${addToWorker})(globalThis, location.href, ${workerSource});
    (${watchPage})(globalThis, (${limitOutput})(globalThis.${REPORT}));`,
  );
}

/** Closes Chrome, and kills what is left of its process group: puppeteer gives it one of its own. */
async function stopBrowser(browser: Browser, pid: number): Promise<void> {
  const closed = browser.close().catch(() => undefined);
  await Promise.race([closed, delay(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
  await new ProcessGroup(pid).end(0);
}
