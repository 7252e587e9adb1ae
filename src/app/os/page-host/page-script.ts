// The functions that run inside wasmrun's page. They must be self-contained: a browser gets their source text. Used by
// browser.ts and node-page.ts.

import type { PageMessage } from './page-message.ts';

export interface WorkerLike {
  postMessage(message: unknown, transfer?: unknown): void;
  terminate(): unknown;
  addEventListener(type: string, listener: (event: { data?: unknown; message?: unknown }) => void): void;
}

/** The globals of the page that `watchPage` replaces. */
export interface PageScope {
  Worker: new (url: string, options?: unknown) => WorkerLike;
  fetch(input: unknown, init?: unknown): Promise<Response>;
}

export interface PageDocument {
  querySelectorAll(selector: string): Iterable<{ textContent: string | null; click(): void }>;
}

/**
 * Reports the messages between the page and its Worker, except those of sockets, which carry visitors' bytes. Must run
 * before the page's script.
 */
export function watchPage(scope: PageScope, report: (message: PageMessage) => void): void {
  const reported = ['stdout', 'stderr', 'status', 'exit', 'error'];
  const OriginalWorker = scope.Worker;
  scope.Worker = class extends OriginalWorker {
    constructor(url: string, options?: unknown) {
      super(url, options);
      this.addEventListener('message', ({ data }) => {
        const message = data as PageMessage;
        if (reported.includes(message?.type)) report(message);
      });
      this.addEventListener('error', ({ message }) =>
        report({ type: 'error', message: String(message || 'the VM worker failed') }),
      );
    }
    override postMessage(message: unknown, transfer?: unknown) {
      const start = message as { type?: string; net?: { address: string } };
      if (start?.type === 'start') report({ type: 'start', address: start.net?.address ?? null });
      super.postMessage(message, transfer);
    }
    override terminate() {
      report({ type: 'terminated' });
      return super.terminate();
    }
  };
  const originalFetch = scope.fetch;
  scope.fetch = async (input, init) => {
    const response = await originalFetch(input, init);
    const path = String(input);
    if (!response.ok && /^\/api\/(runtime|project\/files)/.test(path)) {
      const reason = await response.clone().text();
      report({ type: 'request-failed', path, status: response.status, reason: reason.slice(0, 2000) });
    }
    return response;
  };
}

/** For the browser: runs `source` in the page's Worker, before the Worker's own script. `base` is the page's address. */
export function addToWorker(scope: PageScope, base: string, source: string): void {
  const OriginalWorker = scope.Worker;
  scope.Worker = class extends OriginalWorker {
    constructor(url: string, options?: unknown) {
      const original = new URL(url, base).href;
      const script = `${source}\nimportScripts(${JSON.stringify(original)});`;
      super(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), options);
    }
  };
}

/**
 * For the browser, whose page must not wait: output is dropped while 256 reports are being sent, and the next report
 * says how much. All other messages are always sent.
 */
export function limitOutput(
  send: (message: PageMessage) => Promise<unknown>,
): (message: PageMessage) => void {
  let waiting = 0;
  let dropped = 0;
  const deliver = (message: PageMessage) => {
    waiting += 1;
    send(message).finally(() => {
      waiting -= 1;
    });
  };
  return message => {
    const isOutput = message.type === 'stdout' || message.type === 'stderr';
    if (isOutput && waiting >= 256) {
      dropped += 1;
      return;
    }
    if (dropped > 0) deliver({ type: 'stderr', text: `[${dropped} pieces of output were dropped]\n` });
    dropped = 0;
    deliver(message);
  };
}

/** Presses Run, if it is there yet. */
export function pressRun(document: PageDocument): boolean {
  for (const button of document.querySelectorAll('button')) {
    if (!/^▶\s*Run$/u.test(button.textContent?.trim() ?? '')) continue;
    button.click();
    return true;
  }
  return false;
}
