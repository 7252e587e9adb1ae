// The two hosts of wasmrun's page, with a small page in place of wasmrun's.

import { existsSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startBrowserHost } from '../../../../src/app/os/page-host/browser.ts';
import { startNodeHost } from '../../../../src/app/os/page-host/node.ts';
import { type PageHost, PageHostError } from '../../../../src/app/os/page-host/page-host.ts';
import type { PageMessage } from '../../../../src/app/os/page-host/page-message.ts';
import type { ProgramContext } from '../../../../src/app/program.ts';
import { createLogger } from '../../../../src/shared/log.ts';
import { type OsPageServer, startOsPage } from '../../../support/os-page-server.ts';
import { describeWithReal } from '../../../support/real-parts.ts';
import { waitUntil } from '../../../support/wait-until.ts';

let folder: string;
let messages: PageMessage[];
let page: OsPageServer | undefined;
let host: PageHost | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'page-host-'));
  messages = [];
});
afterEach(async () => {
  await host?.stop();
  await page?.stop();
  host = undefined;
  page = undefined;
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

async function start(vm: 'node' | 'browser', scripts: { worker: string; page?: string }): Promise<void> {
  page = await startOsPage(scripts);
  const context: ProgramContext = {
    folder,
    environment: { PATH: process.env.PATH ?? '', TOKEN: 'secret', RUNNER_TRACKING_ID: 'github_1' },
    logger: createLogger({ level: 'quiet', write: () => undefined }),
    onOutput: () => undefined,
    onChild: () => undefined,
    stopTimeoutMs: 5_000,
    signal: AbortSignal.timeout(45_000),
  };
  const options = {
    url: page.url,
    context,
    onMessage: (message: PageMessage) => void messages.push(message),
  };
  host = await (vm === 'node'
    ? startNodeHost({ ...options, script: resolve('src/page-host.ts') })
    : startBrowserHost(options));
}

const readOutput = () => messages.map(message => (message.type === 'stdout' ? message.text : '')).join('');
const exited = () => messages.some(({ type }) => type === 'exit');

/** The page reports each message of a socket that it got, once the program has ended. */
const LIST_WRITES = `
  const list = [];
  onMessage = ({ type, op, id, bytes }) => {
    if (type === 'exit') fetch('/api/runtime/' + list.join(';'));
    else list.push(id + ': ' + (op === 'send' ? bytes.join() : op));
  };`;
const readList = () =>
  messages
    .find(message => message.type === 'request-failed')
    ?.path.split('/')
    .at(-1)
    ?.split(';');

describeWithReal(['chromium'], 'a page host', () => {
  describe.each(['node', 'browser'] as const)('(%s)', vm => {
    it('reports the messages between page and Worker, except those of sockets', async () => {
      const worker = `self.onmessage = () => {
        for (const message of [
          { type: 'status', status: 'running' }, { type: 'stdout', text: 'out' }, { type: 'stderr', text: 'err' },
          { type: 'sock', op: 'close' }, { type: 'exit', code: 4 },
        ]) self.postMessage(message);
      }`;
      await start(vm, { worker });
      await waitUntil(exited, 'the exit is reported');
      expect(messages).toEqual([
        { type: 'start', address: '127.0.0.1:3000' },
        { type: 'status', status: 'running' },
        { type: 'stdout', text: 'out' },
        { type: 'stderr', text: 'err' },
        { type: 'exit', code: 4 },
      ]);
    });

    it('reports an error of the Worker, and that the page terminated it', async () => {
      const worker = 'self.onmessage = () => { self.postMessage({ type: "status", status: "end me" }); }';
      await start(vm, { worker, page: 'onMessage = (message, worker) => worker.terminate();' });
      await waitUntil(() => messages.some(({ type }) => type === 'terminated'), 'the end is reported');
      await host?.stop();
      await page?.stop();
      await start(vm, { worker: 'self.onmessage = () => { throw new Error("no such import"); }' });
      await waitUntil(() => messages.some(({ type }) => type === 'error'), 'the error is reported');
      const error = messages.find(message => message.type === 'error');
      expect(error?.message).toContain('no such import');
    });

    it('reports the requests that wasmrun refuses before the start', async () => {
      const fetching = 'fetch("/api/runtime/nodejs"); fetch("/api/kernel/stats");';
      await start(vm, { worker: '', page: fetching });
      await waitUntil(
        () => messages.some(({ type }) => type === 'request-failed'),
        'the refusal is reported',
      );
      const refusals = messages.filter(({ type }) => type === 'request-failed');
      expect(refusals).toEqual([
        {
          type: 'request-failed',
          path: '/api/runtime/nodejs',
          status: 404,
          reason: '{"error":"nothing here"}',
        },
      ]);
    });

    it('joins what the Worker writes to a connection, until it tells the page something else', async () => {
      const worker = `self.onmessage = () => {
        const write = (id, ...bytes) => self.postMessage({ type: 'sock', op: 'send', id, bytes: new Uint8Array(bytes) });
        write(1, 1, 2); write(2, 20); write(1, 3); write(1); write(1, 4, 5);
        self.postMessage({ type: 'sock', op: 'close', id: 1 });
        write(2, 21);
        self.postMessage({ type: 'exit', code: 0 });
      }`;
      await start(vm, { worker, page: LIST_WRITES });
      await waitUntil(() => messages.some(({ type }) => type === 'request-failed'), 'the list is reported');
      expect(readList()).toEqual(['1: 1,2,3,4,5', '2: 20', '1: close', '2: 21']);
    });

    it('cuts a write that is too large for one frame of the network proxy', async () => {
      const worker = `self.onmessage = () => {
        const bytes = new Uint8Array(9 * 1024 * 1024).map((_, index) => index % 251);
        self.postMessage({ type: 'sock', op: 'send', id: 1, bytes: bytes.subarray(0, 100) });
        self.postMessage({ type: 'sock', op: 'send', id: 1, bytes: bytes.subarray(100) });
        self.postMessage({ type: 'exit', code: 0 });
      }`;
      const page = `
        let next = 0;
        const sizes = [];
        onMessage = ({ type, bytes }) => {
          if (type === 'exit') fetch('/api/runtime/' + sizes.join());
          else if (bytes.every(byte => byte === next++ % 251)) sizes.push(bytes.length);
        };`;
      await start(vm, { worker, page });
      await waitUntil(() => messages.some(({ type }) => type === 'request-failed'), 'the sizes are reported');
      const report = messages.find(message => message.type === 'request-failed');
      const sizes = report?.path.split('/').at(-1)?.split(',').map(Number) ?? [];
      expect(Math.max(...sizes)).toBeLessThanOrEqual(4 * 1024 * 1024);
      expect(sizes.reduce((sum, size) => sum + size)).toBe(9 * 1024 * 1024);
    });

    it('survives a program that prints without end', async () => {
      const worker = `self.onmessage = () => {
        for (let i = 0; i < 20000; i++) self.postMessage({ type: 'stdout', text: i + '\\n' });
        self.postMessage({ type: 'exit', code: 0 });
      }`;
      await start(vm, { worker });
      await waitUntil(exited, 'the exit is reported');
      const lines = readOutput().trimEnd().split('\n').map(Number);
      expect(lines.length).toBeGreaterThan(200);
      expect(lines).toEqual([...lines].sort((a, b) => a - b));
      if (vm === 'node') expect(lines).toHaveLength(20_000);
    });
  });
});

describeWithReal(['chromium'], 'the page host of Chrome', () => {
  it.each(['stopped', 'killed'])('leaves nothing in the temp folder when it is %s', async how => {
    await start('browser', { worker: '' });
    const link = join(folder, 'chrome-profile', 'SingletonSocket');
    const left = dirname(readlinkSync(link));
    expect(existsSync(left)).toBe(true);
    if (how === 'killed') {
      process.kill(host?.pid ?? 0, 'SIGKILL');
      expect(await host?.ended).toBe('Chrome ended');
    }
    await host?.stop();
    expect(existsSync(left)).toBe(false);
  });
});

describe('the page host of Node.js', () => {
  it('reports a text that is longer than one line of its pipe', async () => {
    const worker = `self.onmessage = () => {
      self.postMessage({ type: 'stdout', text: '\\u0001'.repeat(100000) });
      self.postMessage({ type: 'exit', code: 0 });
    }`;
    await start('node', { worker });
    await waitUntil(exited, 'the exit is reported');
    expect(readOutput()).toBe('\u0001'.repeat(100_000));
  });

  it('makes a program that prints wait for its reader', async () => {
    // The page's thread is busy for a while: lines that it has not taken yet must not pile up in memory.
    const worker = `self.onmessage = () => {
      const counter = new Int32Array(new SharedArrayBuffer(4));
      self.postMessage({ type: 'status', status: 'counting', counter });
      for (let i = 1; i <= 5000; i++) {
        self.postMessage({ type: 'stdout', text: '.' });
        Atomics.store(counter, 0, i);
      }
      self.postMessage({ type: 'exit', code: 0 });
    }`;
    const busy = `onMessage = message => {
      if (message.type !== 'status') return;
      const end = Date.now() + 500;
      while (Date.now() < end);
      fetch('/api/runtime/' + Atomics.load(message.counter, 0));
    };`;
    await start('node', { worker, page: busy });
    await waitUntil(exited, 'the exit is reported');
    await waitUntil(() => messages.some(({ type }) => type === 'request-failed'), 'the count is reported');
    const report = messages.find(message => message.type === 'request-failed');
    expect(Number(report?.path.split('/').at(-1))).toBeLessThanOrEqual(256);
    expect(readOutput()).toHaveLength(5_000);
  });

  it('denies the page files, programs and the environment of the job', async () => {
    writeFileSync(join(folder, 'file'), 'a secret of the job');
    const attempts = [
      `process.getBuiltinModule('fs').readFileSync(${JSON.stringify(join(folder, 'file'))}, 'utf8')`,
      `process.getBuiltinModule('fs').writeFileSync(${JSON.stringify(join(folder, 'new'))}, '')`,
      `process.getBuiltinModule('child_process').execFileSync('/bin/true')`,
      `Object.keys(process.env).filter(name => !name.startsWith('__')).join()`,
    ];
    const tried = attempts.map(
      attempt => `try { results.push(String(${attempt})); } catch (error) { results.push(error.code); }`,
    );
    const reportResults = `const results = []; ${tried.join('\n')} fetch('/api/runtime/' + results.join('|'));`;
    await start('node', { worker: '', page: reportResults });
    await waitUntil(() => messages.some(({ type }) => type === 'request-failed'), 'the results are reported');
    const report = messages.find(message => message.type === 'request-failed');
    expect(report?.path).toBe(
      '/api/runtime/ERR_ACCESS_DENIED|ERR_ACCESS_DENIED|ERR_ACCESS_DENIED|RUNNER_TRACKING_ID',
    );
  });

  it('gives its Worker an empty environment', async () => {
    const worker = `self.onmessage = () => {
      self.postMessage({ type: 'stdout', text: JSON.stringify(process.env) });
      self.postMessage({ type: 'exit', code: 0 });
    }`;
    await start('node', { worker });
    await waitUntil(exited, 'the exit is reported');
    expect(readOutput()).toBe('{}');
  });

  it('reports the error that kept the page from starting', async () => {
    const started = start('node', { worker: '', page: 'document.noSuchThing();' });
    await expect(started).rejects.toThrow(PageHostError);
    await expect(started).rejects.toHaveProperty('cause.message', expect.stringContaining('noSuchThing'));
  });
});
