// `expose wait`: waits until requests have come that a running preview captures.

import { awaitRequests, renderProgress, WaitError, type WaitOrder } from '../control/wait/client.ts';
import type { WaitProgress } from '../control/wait/messages.ts';
import { redactRequest } from '../shared/redaction.ts';
import { sanitise } from '../shared/sanitise.ts';
import { isRunning } from '../supervisor/session-folder.ts';
import type { Command, CommandCall, ExitCode } from './command.ts';
import { renderTable } from './request-table.ts';
import { findSession, SESSION_FLAG } from './running.ts';
import { CLEAR_LINE, print, printAside, printWholeJson } from './terminal.ts';

/** How often the line of a terminal is redrawn. */
const REDRAW_MS = 1_000;
/** How often a log gets a line. */
const LINE_MS = 30_000;

export const wait: Command = {
  summary: 'Wait until a webhook or another request has come, and print it.',
  usage: '[PATH] [--method M] [--count N] [--timeout TIME] [--match CONDITION] …',
  notes:
    'PATH may be a pattern such as /webhooks/**. Requests that came before count, too:\n' +
    '--since leaves those out that you have seen. Exits with 124 when the time is up.\n' +
    'CONDITION is header:NAME=VALUE, json:$.a.b=VALUE or form:NAME=VALUE.',
  maxArguments: 1,
  flags: {
    'method METHODS': 'only these, with commas (default: all but unsigned GET, HEAD, OPTIONS)',
    'count N': 'how many requests must come (default 1)',
    'timeout TIME': 'how long to wait (default 60s)',
    'match CONDITION…': 'a condition; may be repeated, and then all must hold',
    'since ID': 'only requests after this one',
    ...SESSION_FLAG,
  },
  async run(call) {
    const found = findSession(call);
    if (!isRunning(found)) throw new Error(`${found.session.name} has ended, so no request can come`);
    const order = readOrder(call);
    const progress = call.flags.json ? undefined : new ProgressLine(order);
    try {
      const result = await awaitRequests(found.session, order, latest => progress?.show(latest));
      progress?.end();
      if (call.flags.json) await printWholeJson(result);
      else print(renderTable(result.requests.map(redactRequest)));
      return 0;
    } catch (error) {
      progress?.end();
      if (error instanceof WaitError) return await printFailure(error, call.flags.json === true);
      throw error;
    }
  },
};

function readOrder({ flags, positionals }: CommandCall): WaitOrder {
  const read = (name: string) => (typeof flags[name] === 'string' ? flags[name] : undefined);
  const { match } = flags;
  return {
    path: positionals[0],
    method: read('method'),
    count: read('count'),
    timeout: read('timeout'),
    since: read('since'),
    match: Array.isArray(match) ? match : [],
  };
}

async function printFailure(error: WaitError, json: boolean): Promise<ExitCode> {
  if (json) await printWholeJson(error.failure);
  else printAside(`expose wait: ${error.message}`);
  return error.isTimeout ? 124 : 1;
}

/** How far the wait is: on a terminal one line that is kept up to date, in a log a line now and then. */
class ProgressLine {
  readonly #order: WaitOrder;
  readonly #isTerminal = process.stderr.isTTY === true;
  readonly #begun = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #latest: WaitProgress | undefined;

  constructor(order: WaitOrder) {
    this.#order = order;
  }

  show(latest: WaitProgress): void {
    this.#latest = latest;
    this.#timer ??= setInterval(() => this.#draw(), this.#isTerminal ? REDRAW_MS : LINE_MS);
    if (this.#isTerminal) this.#draw();
  }

  end(): void {
    clearInterval(this.#timer);
    if (this.#isTerminal && this.#timer !== undefined) process.stderr.write(CLEAR_LINE);
  }

  #draw(): void {
    if (this.#latest === undefined) return;
    const line = sanitise(
      renderProgress(this.#order, this.#latest, performance.now() - this.#begun),
      // A longer line would wrap, and only its last row could be cleared.
      (process.stderr.columns || 80) - 1,
    );
    if (this.#isTerminal) process.stderr.write(`${CLEAR_LINE}${line}`);
    else process.stderr.write(`${line}\n`);
  }
}
