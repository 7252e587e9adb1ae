// wasmrun's page without a browser: its script runs against a DOM library, its Worker on a thread. Runs inside the page
// host's process: node.ts starts the process, and its program, src/page-host.ts, calls this.

import { setTimeout as delay } from 'node:timers/promises';
import { compileFunction } from 'node:vm';
import { Window } from 'happy-dom';
import { NodeWorker } from './node-worker.ts';
import { PAGE_TIMEOUT_MS } from './page-host.ts';
import type { PageMessage } from './page-message.ts';
import { type PageDocument, type PageScope, pressRun, watchPage } from './page-script.ts';

const POLL_MS = 10;
const FRAME_MS = 16;

/** The DOM library stays a DOM library: it evaluates, loads and visits nothing. */
const SETTINGS = {
  enableJavaScriptEvaluation: false,
  disableJavaScriptFileLoading: true,
  enableCSSFileLoading: false,
  enableImageFileLoading: false,
  enableIframePageLoading: false,
  disableComputedStyleRendering: true,
  handleDisabledFileLoadingAsSuccess: true,
  navigation: {
    disableMainFrameNavigation: true,
    disableChildFrameNavigation: true,
    disableChildPageNavigation: true,
    disableFallbackToSetURL: true,
  },
};

/** Runs the page's script and presses Run. Rejects if a request or the script fails, or no Run button appears. */
export async function runNodePage(url: string, report: (message: PageMessage) => void): Promise<void> {
  const html = await fetchText(url, '/');
  const window = new Window({ url, settings: SETTINGS });
  window.document.write(html);
  const script = window.document.querySelector('script[src]')?.getAttribute('src');
  if (!script) throw new Error('the page of wasmrun has no script');
  const source = await fetchText(url, script);
  runPageScript(source, createGlobals(window, url, html, report));
  await waitForRun(window.document);
  report({ type: 'run-pressed' });
}

async function fetchText(base: string, path: string): Promise<string> {
  const response = await fetch(new URL(path, base), { signal: AbortSignal.timeout(PAGE_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`GET ${path} answered with status ${response.status}`);
  return await response.text();
}

/** The globals of the page's script; all others are Node's own (`WebSocket`, `TextEncoder`, timers). */
function createGlobals(window: Window, url: string, html: string, report: (message: PageMessage) => void) {
  const scope: PageScope = {
    Worker: NodeWorker as PageScope['Worker'],
    fetch: async (input, init) => await fetch(new URL(String(input), url), init as RequestInit),
  };
  watchPage(scope, report);
  const silence = () => undefined;
  return {
    window: Object.assign(window, readPageValues(html)),
    document: window.document,
    // Without Blob the page hands its Worker over as a data: URL.
    self: {},
    Worker: scope.Worker,
    fetch: scope.fetch,
    requestAnimationFrame: (draw: (time: number) => void) =>
      setTimeout(() => draw(performance.now()), FRAME_MS),
    cancelAnimationFrame: clearTimeout,
    console: { log: silence, info: silence, warn: silence, error: silence, debug: silence },
  };
}

/** The values wasmrun writes into the page: `window.LANGUAGE = 'nodejs';` */
function readPageValues(html: string): Record<string, string> {
  const found = html.matchAll(/window\.([A-Z_]+)\s*=\s*'([^'\\\n]*)'/g);
  return Object.fromEntries([...found].map(([, name = '', value = '']) => [name, value]));
}

function runPageScript(source: string, globals: Record<string, unknown>): void {
  const run: unknown = compileFunction(source, Object.keys(globals), { filename: 'os.js' });
  if (typeof run === 'function') run(...Object.values(globals));
}

async function waitForRun(document: PageDocument): Promise<void> {
  for (const deadline = performance.now() + PAGE_TIMEOUT_MS; performance.now() < deadline; ) {
    if (pressRun(document)) return;
    await delay(POLL_MS);
  }
  throw new Error('the page shows no Run button');
}
