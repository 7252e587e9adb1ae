// Headless Chromium for the tests of what people see; run as CI does, as root and offline.

import puppeteer, { type Browser } from 'puppeteer-core';
import { onTestFinished } from 'vitest';
import { requirePart } from './real-parts.ts';

/** Closed after the test. */
export async function openChromium(args: readonly string[] = []): Promise<Browser> {
  const browser = await launchChromium(args);
  onTestFinished(() => browser.close());
  return browser;
}

/** For all tests of a file: whoever calls closes it. */
export function launchChromium(args: readonly string[] = []): Promise<Browser> {
  return puppeteer.launch({
    executablePath: requirePart('chromium'),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', ...args],
  });
}
