// Runs rows of the matrix of real apps: the app and `expose run` in one network namespace, a bore server and Chromium
// in another. A browser on the app's own machine would reach the app around the tunnel, and hide what is broken.

import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import * as v from 'valibot';
import { StateMessageSchema } from '../../src/shared/state-json.ts';
import { requirePart } from '../support/real-parts.ts';
import { SERVER_ADDRESS, startTunRig } from '../support/tun-rig.ts';
import { APPS_FOLDER, installedAt, isInstalled, RUN_PREFIX } from './installed.ts';
import { type Access, type AppRow, limitWith, type Seen } from './row.ts';

/** Under an IP address, servers that check host names check nothing. */
export const SERVER_NAME = 'preview.test';
const SECRET = 'a-secret-of-the-bore-server';
const LIVE_MS = 60_000;
const END_MS = 20_000;

export interface Drive {
  readonly browser: Browser;
  /** Starts the row's app, and does its steps in a browser of its own. `inputs` are added to those of the row. */
  visit(row: AppRow, access: Access, inputs?: Readonly<Record<string, string>>): Promise<Seen>;
  stop(): Promise<void>;
}

interface DriveOptions {
  chromiumFlags?: readonly string[];
  /** Gets each line that `expose run` logs. */
  log?: (line: string) => void;
}

/** Resolves when the bore server and Chromium run. `rows`: all rows, which say how an app was built. */
export async function startDrive(rows: readonly AppRow[], options: DriveOptions = {}): Promise<Drive> {
  const { chromiumFlags = [], log = () => {} } = options;
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'apps-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const hosts = join(folder, 'hosts');
  writeFileSync(hosts, `127.0.0.1 localhost\n::1 localhost\n${SERVER_ADDRESS} ${SERVER_NAME}\n`);
  const rig = await startTunRig({ rttMs: 0 });
  stack.defer(() => rig.stop());
  // `ip netns exec` gives each program mounts of its own, so nobody else sees these hosts.
  const inside = ['sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts] as const;

  const bore = rig.run(rig.server, requirePart('bore'), ['server', '--bind-addr', SERVER_ADDRESS], {
    env: { ...process.env, BORE_SECRET: SECRET },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(bore.stdout as NodeJS.ReadableStream, 'data');
  bore.stdout?.resume();
  const browser = await puppeteer.launch({
    executablePath: requirePart('ip'),
    pipe: true,
    ignoreDefaultArgs: true,
    args: [
      ...['netns', 'exec', rig.server, ...inside, requirePart('chromium')],
      ...(await puppeteer.defaultArgs({ userDataDir: join(folder, 'profile') })),
      ...['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--remote-debugging-pipe'],
      // Rows with `tls-cert` have a certificate of their own making.
      '--ignore-certificate-errors',
      ...chromiumFlags,
    ],
  });
  stack.defer(() => browser.close());

  const wasmhub = rig.run(
    rig.runner,
    process.execPath,
    [resolve('test/support/wasmhub-child.ts'), requirePart('runtime')],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const [url] = await once(wasmhub.stdout as NodeJS.ReadableStream, 'data');
  // wasmrun keeps its runtime below HOME, where it would stay for other programs.
  const osEnvironment = { HOME: join(folder, 'home'), WASMRUN_WASMHUB_BASE_URL: String(url).trim() };
  mkdirSync(osEnvironment.HOME);

  const kept = stack.move();
  return {
    browser,
    visit: async (row, access, inputs = {}) => {
      await using run = copyApp(row, rows);
      const environment = { ...run.environment, ...(row.inputs.mode === 'os' && osEnvironment) };
      const flags = Object.entries({ ...row.inputs, access, ...inputs });
      const child = rig.run(
        rig.runner,
        inside[0],
        [
          ...inside.slice(1),
          ...[process.execPath, resolve('dist/cli/index.js'), 'run', '--server', SERVER_NAME, '--json'],
          ...flags.map(([name, value]) => writeFlag(name, value)),
        ],
        { cwd: run.folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'] },
      );
      await using preview = watchPreview(child, log);
      return await useApp(browser, row, access, await preview.link, run.folder);
    },
    stop: () => kept.disposeAsync(),
  };
}

/** An input as an argument of `expose run`. */
function writeFlag(name: string, value: string): string {
  if (name === 'path') return value;
  return value === 'true' ? `--${name}` : `--${name}=${value}`;
}

interface Run extends Disposable {
  /** Where the app is started. */
  folder: string;
  environment: NodeJS.ProcessEnv;
}

/** A copy of the installed app that the run may change; its packages are linked, not copied. */
function copyApp({ app }: AppRow, rows: readonly AppRow[]): Run {
  const installed = installedAt(app, rows);
  if (!isInstalled(app, rows)) throw new Error(`${app} is not installed: run scripts/install-real-parts`);
  const folder = mkdtempSync(join(APPS_FOLDER, RUN_PREFIX));
  for (const name of readdirSync(installed).filter(entry => entry !== 'venv'))
    execFileSync('cp', [name === 'node_modules' ? '-al' : '-a', join(installed, name), folder]);
  const path = [join(installed, 'venv/bin'), dirname(requirePart('wasmrun')), process.env.PATH].join(
    delimiter,
  );
  return {
    folder,
    // What a runner's steps have; without a prompt, and without questions to the network.
    environment: {
      ...process.env,
      PATH: path,
      CI: 'true',
      BORE_SECRET: SECRET,
      NODE_ENV: undefined,
      VITEST: undefined,
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}

interface RunningPreview extends AsyncDisposable {
  /** What people click; rejects with the log where the preview ends before. */
  link: Promise<string>;
}

/** Reads what `expose run --json` prints. */
function watchPreview(child: ChildProcess, onLine: (line: string) => void): RunningPreview {
  const log: string[] = [];
  const exited = once(child, 'exit');
  const link = Promise.withResolvers<string>();
  const fail = (why: string) => link.reject(new Error(`${why}:\n${log.slice(-40).join('\n')}`));
  const timer = setTimeout(() => fail('the preview is not live'), LIVE_MS);
  link.promise.catch(() => {}).finally(() => clearTimeout(timer));
  exited.then(() => fail('the preview has ended'));
  if (child.stdout === null || child.stderr === null) throw new Error('no pipes');
  createInterface(child.stderr).on('line', line => {
    log.push(line);
    onLine(line);
  });
  createInterface(child.stdout).on('line', line => {
    const state = v.parse(StateMessageSchema, JSON.parse(line));
    if (state.exposure.phase === 'live' && state.preview_url !== null) link.resolve(state.preview_url);
  });
  return {
    link: link.promise,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGINT');
      const late = setTimeout(() => child.kill('SIGKILL'), END_MS);
      await exited.finally(() => clearTimeout(late));
    },
  };
}

/** Opens the link and does the row's steps, one after the other on the same page; a failed one does not end it. */
async function useApp(
  browser: Browser,
  row: AppRow,
  access: Access,
  link: string,
  folder: string,
): Promise<Seen> {
  const context = await browser.createBrowserContext();
  try {
    const page = await context.newPage();
    const errors = watchErrors(page);
    const seen: Seen = {};
    const limit = limitWith(row, access);
    const response = await page.goto(link, { waitUntil: 'load', timeout: LIVE_MS });
    if (response?.status() !== 200) return { page: `HTTP ${response?.status()}` };
    for (const { name, run } of row.steps) {
      const outcome = run({ page, view: page, folder }).then(
        () => 'ok',
        error => String(error instanceof Error ? error.message : error),
      );
      const refusal = limit?.step === name ? [waitForRefusal(page, limit.seen, outcome)] : [];
      const found = await Promise.race([outcome, ...refusal]);
      // Several steps may share a column, which then shows the first that failed.
      if ((seen[name] ?? 'ok') === 'ok') seen[name] = found;
    }
    if (seen.page === 'ok' && errors.length > 0 && limit === undefined)
      seen.page = `the console says ${errors.join(' | ')}`;
    return seen;
  } finally {
    await context.close();
  }
}

/** Resolves with the text as soon as the page shows it, which is sooner than the step gives up. */
async function waitForRefusal(page: Page, text: string, otherwise: Promise<string>): Promise<string> {
  const shown = `document.body?.innerText.includes(${JSON.stringify(text)})`;
  // A text that is there before the step does not say how the step went.
  if (await page.evaluate(shown).catch(() => true)) return otherwise;
  return page.waitForFunction(shown).then(
    () => text,
    () => otherwise,
  );
}

/** Chromium's note on a header that has no effect over plain http; nothing fails by it. */
const IGNORED = /^The \S+ header has been ignored, because the URL's origin was untrustworthy/;

/** Loaders only warn if they cannot compile a module while it is loaded, and then compile it later. */
const SLOW_COMPILATION = /(instantiate|compile)Streaming|wasm streaming compile failed/;

/** What the browser's console shows in red, each once. */
function watchErrors(page: Page): string[] {
  const errors: string[] = [];
  const add = (text: string) => void (errors.includes(text) || errors.push(text));
  page.on('pageerror', error => add(String(error)));
  page.on('console', message => {
    const isError = message.type() === 'error' || SLOW_COMPILATION.test(message.text());
    if (isError && !IGNORED.test(message.text())) add(`${message.text()} (${message.location().url ?? ''})`);
  });
  return errors;
}
