// `expose url`, `status` and `stop`: they find a preview of this job or machine by its session folder, and send it
// requests.

import { basename } from 'node:path';
import { callControl, readInspectorUrl, readState } from '../control/client.ts';
import { renderCount } from '../shared/count.ts';
import { describeError } from '../shared/errors.ts';
import { isAlive } from '../shared/processes.ts';
import { renderClientLine } from '../shared/public-url.ts';
import type { StateMessage } from '../shared/state-json.ts';
import { limitStop, MAX_STOP_TIMEOUT_MS } from '../shared/stop-times.ts';
import { readOutcome } from '../supervisor/outcome.ts';
import { chooseSession, isRunning, type Session } from '../supervisor/session-folder.ts';
import type { Command, CommandCall, ExitCode } from './command.ts';
import { print, printAside, printJson } from './terminal.ts';

/** The longest name of a row, and a space. */
const NAME_WIDTH = 10;

/** The flag of every command that finds a running preview. */
export const SESSION_FLAG = {
  'session NAME': 'which preview, if there are several (its name, or the `session` output)',
};

export const url: Command = {
  summary: 'Print the public URL.',
  usage: '[--link | --inspector] [--session NAME]',
  flags: {
    link: 'the link to click, with its key if it has one',
    inspector: 'the link of the public inspector, with its key',
    ...SESSION_FLAG,
  },
  async run(call) {
    const state = await readCurrent(call);
    const { public_url: url, preview_url, status } = state;
    if (call.flags.inspector) return showInspectorUrl(call, state);
    const shown = call.flags.link ? preview_url : url;
    if (call.flags.json) printJson({ url, preview_url, inspector_url: state.inspector_url, status });
    else if (shown !== null) print(shown);
    else printAside(`expose url: there is no public address now: ${describeStatus(state)}`);
    return shown === null ? 1 : 0;
  },
};

export const status: Command = {
  summary: 'Print the state of the tunnel, the app and the preview.',
  usage: '[--session NAME]',
  flags: SESSION_FLAG,
  async run(call) {
    const state = await readCurrent(call);
    const fine = state.status !== 'Failed' && state.app.status !== 'failed';
    if (call.flags.json) printJson(state);
    else print(renderState(state));
    return fine ? 0 : 1;
  },
};

export const stop: Command = {
  summary: 'End a preview that is running.',
  usage: '[--session NAME]',
  flags: SESSION_FLAG,
  async run(call) {
    const found = findSession(call);
    const { folder, session } = found;
    const running = isRunning(found);
    if (running) await callControl(session, 'POST /api/stop', limitStop(MAX_STOP_TIMEOUT_MS));
    const message = running ? 'stopped' : 'had ended already';
    if (call.flags.json) printJson({ success: true, message });
    else print(`${basename(folder)} ${message}`);
    return 0;
  },
};

async function showInspectorUrl(call: CommandCall, { exposure }: StateMessage): Promise<ExitCode> {
  const isOver = exposure.phase === 'ended' || exposure.phase === 'failed';
  const inspectorUrl = isOver ? undefined : await readInspectorUrl(findSession(call).session);
  if (call.flags.json) printJson({ inspector_url: inspectorUrl ?? null });
  else if (inspectorUrl !== undefined) print(inspectorUrl);
  else printAside('expose url: there is no public inspector; the `inspector` input opens one');
  return inspectorUrl === undefined ? 1 : 0;
}

/** The preview that `--session` names, or the only one; throws an InputError if there are none or several. */
export function findSession({ flags, shell }: CommandCall): { folder: string; session: Session } {
  const wanted = typeof flags.session === 'string' ? flags.session : undefined;
  return chooseSession(shell.sessionsFolder, wanted);
}

/** The state now, or the last one after the end. */
async function readCurrent(call: CommandCall): Promise<StateMessage> {
  const { folder, session } = findSession(call);
  const outcome = readOutcome(folder);
  if (outcome !== undefined) return outcome;
  try {
    return await readState(session);
  } catch (cause) {
    const ended = readOutcome(folder);
    if (ended !== undefined) return ended;
    const reason = isAlive(session) ? describeError(cause) : 'its process died';
    throw new Error(`${session.name} does not answer: ${reason}`, { cause });
  }
}

function describeStatus({ status: word, tunnel_reason, exposure }: StateMessage): string {
  const reason = exposure.phase === 'failed' ? exposure.reason : tunnel_reason;
  return reason === null ? word : `${word} (${reason})`;
}

function renderState(state: StateMessage): string {
  const { app, exposure } = state;
  const rows: [string, string | null][] = [
    ['tunnel', describeStatus(state)],
    ['url', state.public_url],
    ['link', state.preview_url === state.public_url ? null : state.preview_url],
    ['inspector', state.inspector_url],
    ['connect', renderClientLine(state.public_url ?? '') ?? null],
    [
      'app',
      `${app.status} (mode ${state.mode}${app.port === null ? '' : `, port ${app.port}`})${app.reason === null ? '' : `: ${app.reason}`}`,
    ],
    ['exposure', exposure.phase === 'ended' ? `ended: ${exposure.reason}` : exposure.phase],
    [
      'ends',
      exposure.phase === 'live'
        ? (exposure.expires_at ?? 'when it is stopped, or with its job if it has one')
        : null,
    ],
    [
      'so far',
      [
        renderCount(state.visits, 'visit'),
        renderCount(state.reconnects, 'reconnect'),
        renderCount(state.address_changes, 'address change'),
        renderCount(state.restarts, 'restart'),
      ].join(', '),
    ],
    ...state.warnings.map((warning): [string, string] => ['warning', warning]),
  ];
  return rows
    .flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(NAME_WIDTH)}${value}`]))
    .join('\n');
}
