// `expose demo`: everything on this machine. Starts the page and its story, prints the links, and ends all of it on
// Ctrl-C. The program of the same name hands this to the `expose` command.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { findOrInstallWasmrun } from '../app/wasmrun/install.ts';
import { renderCount } from '../shared/count.ts';
import { formatDuration } from '../shared/duration.ts';
import { InputError } from '../shared/errors.ts';
import { removeFolder } from '../shared/folders.ts';
import { createLogger } from '../shared/log.ts';
import type { PageFiles } from '../shared/page-file.ts';
import { renderKeyFragment } from '../shared/public-url.ts';
import type { HostContext } from '../supervisor/host.ts';
import { type AppKind, describeApp } from './apps.ts';
import type { Documents } from './page/documents.ts';
import { Feed } from './page/feed.ts';
import { compilePage, readPage } from './page/files.ts';
import { type PageServer, startPageServer } from './page/server.ts';
import { Story } from './story.ts';
import { DemoTerminal, renderRows } from './terminal.ts';
import { describeStart } from './views.ts';

export interface DemoCall {
  /** `--app`'s choice; undefined: OS mode if all of it is on this machine. */
  app: AppKind | undefined;
  /** The page's port; 0 for a free one. */
  port: number;
  json: boolean;
  host: HostContext;
  /** Of the shell: wasmrun's own variables pass into the job. */
  variables: NodeJS.ProcessEnv;
  /** The demo's own program, and the one that plays the runner: bundles, or the sources of a checkout. */
  script: string;
  runnerScript: string;
}

export type RunDemo = (call: DemoCall) => Promise<0 | 1>;

/** SIGHUP: the terminal's window was closed. */
const LEAVE_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** 144 bits. */
const KEY_BYTES = 18;
const INSTALL_TIMEOUT_MS = 15 * 60_000;

/** Runs until Ctrl-C. A second one does not wait for the end of the run. */
export const runDemo: RunDemo = async call => {
  const terminal = new DemoTerminal(call.json);
  const toolCache = call.host.toolCache ?? join(homedir(), '.cache', 'expose-action', 'tools');
  const kind = call.app ?? (isOsReady(call.host, toolCache) ? 'os' : 'web');
  if (call.app === 'os') await installWasmrun(call.host, toolCache, terminal);
  const { root, files } = locateFiles(call.script);
  const app = describeApp(kind, root);
  const folder = mkdtempSync(join(call.host.tempFolder, 'expose-demo-'));
  const feed = new Feed(describeStart(app));
  let story: Story | undefined;
  let page: PageServer | undefined;
  const leaving = listenForLeave(async () => {
    await story?.leave();
    await removeFolder(folder);
    process.exit(1);
  });
  try {
    const key = randomBytes(KEY_BYTES).toString('base64url');
    page = await openPage({ port: call.port, key, files, feed, act: action => story?.act(action) });
    const { link } = page;
    const links = new Links(terminal, link, APPS[kind]);
    story = new Story({
      feed,
      root,
      runnerScript: call.runnerScript,
      tempFolder: folder,
      machine: describeMachine(call),
      environment: selectWasmrunVariables(call.variables),
      toolCache,
      app,
      serverUrl: page.origin,
      onSession: ({ controlUrl, controlToken }) =>
        links.setInspector(renderKeyFragment(controlUrl, controlToken)),
      onState: state => {
        terminal.printJson({ page_url: link, ...state });
        if (state.exposure.phase === 'live' && state.preview_url) links.show(state.preview_url);
      },
    });
    await story.start();
    terminal.show(isTerminal => renderStatus(feed.documents, isTerminal, leaving.isAsked()));
    feed.watch(({ type }) => type === 'state' && terminal.refresh());
    await leaving.asked;
    await story.stop();
    return 0;
  } finally {
    leaving.stop();
    await page?.stop();
    const left = await removeFolder(folder);
    if (left !== undefined) terminal.warn(left);
    terminal.close();
  }
};

/** The folder that holds `dist` and `examples`, and the page. */
function locateFiles(script: string): { root: string; files: PageFiles } {
  const folder = dirname(script);
  if (script.endsWith('.ts'))
    return { root: resolve(folder, '..'), files: compilePage(resolve(folder, '..')) };
  return { root: resolve(folder, '../..'), files: readPage(join(folder, 'page')) };
}

const APPS: Readonly<Record<AppKind, string>> = {
  os: "a Node.js program in wasmrun's OS mode (--web: a web app)",
  web: "a web app (--os: a Node.js program in wasmrun's OS mode)",
};

/** Prints the links when all of them are known, and again when one has changed. */
class Links {
  readonly #terminal: DemoTerminal;
  #inspector = '';
  #shown = '';

  constructor(terminal: DemoTerminal, page: string, app: string) {
    this.#terminal = terminal;
    const rows = renderRows([
      ['app', app],
      ['pull request', page],
    ]);
    terminal.print(`\n${rows}`);
  }

  setInspector(link: string): void {
    this.#inspector = link;
  }

  show(preview: string): void {
    const rows = renderRows([
      ['preview     ', preview],
      ['inspector', this.#inspector],
    ]);
    if (rows === this.#shown) return;
    this.#shown = rows;
    this.#terminal.print(`${rows}\n`);
  }
}

interface Leaving {
  asked: Promise<void>;
  isAsked(): boolean;
  stop(): void;
}

/** The first signal resolves `asked`; the second calls `onHurry`. */
function listenForLeave(onHurry: () => Promise<void>): Leaving {
  let count = 0;
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const leave = () => {
    count += 1;
    if (count === 1) resolve();
    else if (count === 2) void onHurry();
  };
  for (const signal of LEAVE_SIGNALS) process.on(signal, leave);
  return {
    asked,
    isAsked: () => count > 0,
    stop: () => {
      for (const signal of LEAVE_SIGNALS) process.off(signal, leave);
    },
  };
}

async function openPage(options: Parameters<typeof startPageServer>[0]): Promise<PageServer> {
  try {
    return await startPageServer(options);
  } catch (cause) {
    throw new InputError(`the page cannot listen on port ${options.port}; give another --port, or none`, {
      cause,
    });
  }
}

function renderStatus(
  { run, preview, server, isOver }: Documents,
  withFigures: boolean,
  isLeaving: boolean,
): string {
  if (isOver) return 'the demo has ended';
  const parts = [`run ${run.number}`];
  if (!server.isUp) parts.push('the bore server is down');
  if (run.phase === 'over') parts.push(run.conclusion ?? 'over', 'the page can run it again');
  else if (run.phase === 'post') parts.push('cleaning up');
  else if (preview === undefined || preview.phase === 'starting') parts.push('starting');
  else parts.push(preview.status === 'Connected' ? 'live' : preview.status.toLowerCase());
  if (withFigures && preview?.phase === 'live') parts.push(renderCount(preview.visits, 'visit'));
  return [...parts, isLeaving ? 'Ctrl-C again ends it at once' : 'Ctrl-C ends it'].join(' · ');
}

/** `command: node …` finds this Node. */
function describeMachine({ host, variables }: DemoCall): { PATH: string; HOME?: string } {
  const PATH = [dirname(process.execPath), host.pathVariable].join(delimiter);
  const home = variables.HOME ?? variables.USERPROFILE;
  return { PATH, ...(home !== undefined && { HOME: home }) };
}

function selectWasmrunVariables(variables: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) =>
      /^WASMRUN_(?!TUNNEL)/.test(name) && value !== undefined ? [[name, value]] : [],
    ),
  );
}

/** Whether OS mode needs no download: wasmrun is here, and so is a runtime for it. */
function isOsReady({ pathVariable, childEnvironments }: HostContext, toolCache: string): boolean {
  const program = process.platform === 'win32' ? 'wasmrun.exe' : 'wasmrun';
  const isInstalled =
    existsSync(join(toolCache, 'wasmrun')) ||
    pathVariable.split(delimiter).some(folder => folder !== '' && existsSync(join(folder, program)));
  const { HOME, USERPROFILE } = childEnvironments.wasmrun;
  return isInstalled && hasEntries(join(HOME ?? USERPROFILE ?? '', '.wasmrun', 'runtimes'));
}

function hasEntries(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch {
    return false;
  }
}

/** Shows how long it has taken so far: without a release package it compiles for minutes. */
async function installWasmrun(host: HostContext, toolCache: string, terminal: DemoTerminal): Promise<void> {
  const began = Date.now();
  const cancelled = new AbortController();
  const leaving = listenForLeave(async () => process.exit(1));
  void leaving.asked.then(() => cancelled.abort(new InputError('the installation was interrupted')));
  terminal.show(
    () => `looking for wasmrun, or installing it · ${formatDuration(Date.now() - began)} · Ctrl-C ends it`,
  );
  try {
    await findOrInstallWasmrun({
      pathVariable: host.pathVariable,
      toolCache,
      tempFolder: host.tempFolder,
      releasesUrl: host.releasesUrl,
      environment: host.childEnvironments.installation,
      logger: createLogger({ level: 'info', write: line => terminal.print(line) }),
      signal: AbortSignal.any([cancelled.signal, AbortSignal.timeout(INSTALL_TIMEOUT_MS)]),
    });
  } finally {
    leaving.stop();
  }
}
