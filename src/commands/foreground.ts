// Runs an exposure in the foreground of a terminal, with its status on one line, until Ctrl-C. Used by `run` and
// `demo`.

import { listSecrets } from '../exposure/config.ts';
import { renderCount } from '../shared/count.ts';
import { formatDuration } from '../shared/duration.ts';
import { describeError } from '../shared/errors.ts';
import { removeFolder } from '../shared/folders.ts';
import { createLogger } from '../shared/log.ts';
import { LineOutput } from '../shared/output.ts';
import { recordProcess } from '../shared/processes.ts';
import { renderClientRow, renderKeyFragment } from '../shared/public-url.ts';
import { sanitise, sanitiseLines } from '../shared/sanitise.ts';
import type { ExposureState } from '../shared/state.ts';
import { describeState } from '../shared/state-json.ts';
import type { SupervisorConfig } from '../supervisor/config.ts';
import { reapJournal } from '../supervisor/process-journal.ts';
import { sessionFiles, writeSession } from '../supervisor/session-folder.ts';
import { startSupervision } from '../supervisor/supervision.ts';
import type { ExitCode } from './command.ts';
import { CLEAR_LINE } from './terminal.ts';

const REDRAW_MS = 1_000;
/** SIGHUP: the terminal's window was closed. */
export const LEAVE_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** How long the processes may take to end after a second Ctrl-C. */
const END_NOW_MS = 500;

/** Runs the exposure until it ends or Ctrl-C is pressed; a second Ctrl-C does not wait for visitors. */
export async function runForeground(config: SupervisorConfig, json: boolean): Promise<ExitCode> {
  let warn = (_message: string) => {};
  const screen = new Screen(json, (name, reason) =>
    warn(`nobody reads ${name} any more (${reason}); the preview goes on until it is stopped`),
  );
  const logger = createLogger({
    level: config.logLevel,
    hidden: listSecrets(config.exposure),
    write: (line, level) => screen.log(level === 'warn' ? `warning: ${line}` : line),
  });
  const { exposure, controlUrl, finished, failOnBug } = await startSupervision(config, logger);
  if (!json) screen.log(`inspector: ${renderKeyFragment(controlUrl, config.controlToken)}`);
  process.on('uncaughtException', failOnBug);
  warn = message => exposure.warn(message);
  const self = recordProcess(process.pid, 'expose');
  const { folder } = config;
  try {
    writeSession(config, self, controlUrl);
  } catch (error) {
    warn(`\`expose url\`, \`status\` and \`stop\` will not find this preview: ${describeError(error)}`);
  }
  const endNow = async () => {
    await reapJournal(sessionFiles(folder).journal, END_NOW_MS);
    await removeFolder(folder);
    process.exit(1);
  };
  let asked = 0;
  const leave = () => {
    asked += 1;
    if (asked === 1) void exposure.stop('stopped');
    else if (asked === 2) void endNow();
  };
  for (const signal of LEAVE_SIGNALS) process.on(signal, leave);
  exposure.subscribe(() => screen.show(exposure.state));
  screen.watch(() => exposure.state);
  const state = await finished;
  screen.close();
  for (const signal of LEAVE_SIGNALS) process.off(signal, leave);
  const left = await removeFolder(folder);
  if (left !== undefined) screen.complain(`warning: ${left}`);
  const { phase } = state;
  if (phase.kind === 'failed')
    screen.complain(`expose: ${[phase.reason, ...phase.lastLines].map(line => sanitise(line)).join('\n  ')}`);
  process.off('uncaughtException', failOnBug);
  screen.release();
  return phase.kind === 'failed' ? 1 : 0;
}

/** What the user sees: on a terminal one status line that is kept up to date, otherwise a line for each change. */
class Screen {
  readonly #json: boolean;
  readonly #out: LineOutput;
  readonly #errors: LineOutput;
  readonly #live: boolean;
  #timer: NodeJS.Timeout | undefined;
  #last = '';
  #announced = '';

  /** `onLost`: one of the two streams cannot be written to any more. */
  constructor(json: boolean, onLost: (name: string, reason: string) => void) {
    this.#json = json;
    this.#out = new LineOutput(process.stdout, reason => onLost('standard output', reason));
    this.#errors = new LineOutput(process.stderr, reason => onLost('standard error', reason));
    this.#live = this.#out.isTerminal;
  }

  /** Redraws the clock and the counters of the status line. */
  watch(read: () => ExposureState): void {
    if (this.#live && !this.#json) this.#timer = setInterval(() => this.show(read()), REDRAW_MS);
  }

  show(state: ExposureState): void {
    if (this.#json) {
      this.#write(JSON.stringify(describeState(state)));
      return;
    }
    if (state.phase.kind === 'live') this.#announce(state);
    const line = sanitise(renderStatus(state, this.#live), Number.POSITIVE_INFINITY);
    // A longer line would wrap, and only its last row could be cleared.
    if (this.#live) this.#out.write(`${CLEAR_LINE}${line.slice(0, this.#out.columns - 1)}`);
    else this.#write(line);
  }

  /** The links, again when they change. */
  #announce({ link, inspectorLink }: ExposureState): void {
    if (link === undefined) return;
    const inspector = inspectorLink === undefined ? '' : `  public inspector: ${inspectorLink}\n`;
    const text = sanitiseLines(`\n  ${link}\n${renderClientRow(link)}${inspector}`);
    if (text === this.#announced) return;
    this.#announced = text;
    this.log(text);
  }

  log(line: string): void {
    if (this.#json || this.#out.isLost) this.#errors.writeLine(line);
    else this.#out.writeLine(`${this.#live ? CLEAR_LINE : ''}${line}`);
  }

  complain(text: string): void {
    this.#errors.write(`${text}\n`);
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#live && !this.#json) this.#out.write('\n');
  }

  /** After the last text. */
  release(): void {
    this.#out.release();
    this.#errors.release();
  }

  /** Leaves out repeated lines. */
  #write(line: string): void {
    if (line !== this.#last) this.#out.write(`${line}\n`);
    this.#last = line;
  }
}

function renderStatus(state: ExposureState, withCounters: boolean): string {
  const { phase, tunnel, app } = state;
  if (phase.kind === 'ended') return `ended: ${phase.reason}`;
  if (phase.kind === 'failed') return 'failed';
  const parts = [`tunnel ${tunnel.status}`, `app ${app.status}`];
  // Without a terminal, the reason is only in the log, once.
  if (withCounters && 'reason' in tunnel && tunnel.reason) parts.push(tunnel.reason);
  if (phase.kind !== 'live' || !withCounters) return parts.join(' · ');
  parts.push(renderCount(state.visits, 'visit'), `up ${formatDuration(Date.now() - phase.liveAt.getTime())}`);
  if (phase.expiresAt) parts.push(`${formatDuration(phase.expiresAt.getTime() - Date.now())} left`);
  return [...parts, 'Ctrl-C ends it'].join(' · ');
}
