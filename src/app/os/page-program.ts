// The program inside wasmrun's page, as its page host reports it. Used by os.ts.

import { AppError } from '../../shared/errors.ts';
import { LastLines, LineBuffer } from '../../shared/lines.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { adviseOnOutput } from '../project/runtime-modules.ts';
import { PageHostError } from './page-host/page-host.ts';
import type { PageMessage } from './page-host/page-message.ts';

/** An error of the page may contain a whole stack trace. */
const MAX_REASON_LENGTH = 16_384;

/** Follows one program from Run to its end. */
export class PageProgram {
  readonly #onOutput: (line: string) => void;
  readonly #started = Promise.withResolvers<number>();
  readonly #ended = Promise.withResolvers<AppError>();
  readonly #lines = new LastLines();
  readonly #streams = { stdout: new LineBuffer(), stderr: new LineBuffer() };
  #port: number | undefined;
  #runs = false;
  #stage = 'the page is loading, or wasmrun is downloading the runtime';

  constructor(onOutput: (line: string) => void) {
    this.#onOutput = onOutput;
  }

  /**
   * The program's port, once its first instruction runs. wasmrun opened the port before, so it accepts connections even
   * if the program does not answer. Never rejects: failures are reported by `ended`.
   */
  get started(): Promise<number> {
    return this.#started.promise;
  }

  /** Resolves with the reason why the program ended; a PageHostError if another host may be able to run it. */
  get ended(): Promise<AppError> {
    return this.#ended.promise;
  }

  /** What a start that takes too long was waiting for. */
  get stage(): string {
    return this.#stage;
  }

  lastLines(): readonly string[] {
    return this.#lines.list();
  }

  receive(message: PageMessage): void {
    switch (message.type) {
      case 'stdout':
      case 'stderr':
        for (const line of this.#streams[message.type].add(message.text)) this.#addLine(line);
        break;
      case 'start':
        this.#setPort(message.address);
        break;
      case 'status':
        this.#setStatus(message.status);
        break;
      case 'exit':
        this.#end(describeExit(message.code), { exitCode: message.code });
        break;
      case 'error':
        this.#fail(message.message);
        break;
      case 'terminated':
        this.#end('the page ended the program; raise [os.limits] timeout_secs in wasmrun.toml');
        break;
      case 'request-failed':
        this.#end(describeRefusal(message));
    }
  }

  /** The host has ended, and the program with it. */
  endWithHost(reason: string): void {
    if (this.#runs) this.#end(reason);
    else this.#ended.resolve(new PageHostError(reason, { lastLines: this.lastLines() }));
  }

  #setPort(address: string | null): void {
    this.#stage = 'the runtime is being compiled';
    this.#port = Number(/^127\.0\.0\.1:(\d+)$/.exec(address ?? '')?.[1] ?? 0) || undefined;
    if (address === null)
      this.#end('wasmrun gave the program no network, so the program cannot listen; the log says why');
    else if (this.#port === undefined)
      this.#end(
        'wasmrun found no free port for the program; widen [os.network] bind_ports in wasmrun.toml ' +
          '(its first 32 ports are tried)',
      );
  }

  #setStatus(status: string): void {
    this.#stage = `the runtime is ${sanitise(status)}`;
    if (status !== 'running' || this.#port === undefined) return;
    this.#runs = true;
    this.#started.resolve(this.#port);
  }

  /** Before the first instruction the host may be at fault; afterwards the program is. */
  #fail(reason: string): void {
    const shown = sanitise(reason, MAX_REASON_LENGTH);
    if (this.#runs) this.#end(`the program crashed: ${shown}`);
    else
      this.#ended.resolve(
        new PageHostError(`the VM did not start: ${shown}`, { lastLines: this.lastLines() }),
      );
  }

  #end(message: string, options: { exitCode?: number } = {}): void {
    for (const stream of Object.values(this.#streams)) for (const line of stream.end()) this.#addLine(line);
    this.#ended.resolve(
      new AppError(`${message}${adviseOnOutput(this.lastLines())}`, {
        ...options,
        lastLines: this.lastLines(),
      }),
    );
  }

  #addLine(line: string): void {
    this.#lines.add(line);
    this.#onOutput(line);
  }
}

function describeExit(code: number): string {
  return code === 0
    ? 'the program ended with exit code 0; to be reachable for visitors, it must keep listening'
    : `the program ended with exit code ${code}`;
}

function describeRefusal({ path, status, reason }: Extract<PageMessage, { type: 'request-failed' }>): string {
  const shown = sanitise(readReason(reason), 500);
  return path.startsWith('/api/runtime')
    ? `wasmrun has no runtime for the program: ${shown}; it downloads one from github.com on first use, ` +
        'so check that the runner can reach it, or put the runtime into ~/.wasmrun/runtimes in an earlier step'
    : `wasmrun did not send the project's files (${sanitise(path)}, status ${status}): ${shown}`;
}

/** wasmrun answers `{"success":false,"error":"…"}`. */
function readReason(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'error' in parsed) return String(parsed.error);
  } catch {
    // not JSON: the text itself is the reason
  }
  return body;
}
