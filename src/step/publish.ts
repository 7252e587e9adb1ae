// What the step shows once the preview is live: the outputs, and the link in the log. Used by preview.

import { existsSync } from 'node:fs';
import * as core from '@actions/core';
import { formatDuration } from '../shared/duration.ts';
import { describeError } from '../shared/errors.ts';
import { renderClientLine } from '../shared/public-url.ts';
import type { StateMessage } from '../shared/state-json.ts';
import { renderTime } from '../shared/utc.ts';
import { resolveBundle } from '../supervisor/plan.ts';
import { sessionFiles, writeCommand } from '../supervisor/session-folder.ts';
import type { StepLog } from './log.ts';
import { print } from './print.ts';
import type { Started } from './start.ts';

/** Writes the outputs and prints the link, outside of groups, at every log level. */
export function publish(
  state: StateMessage,
  started: Started,
  options: { hold: boolean; inspectorUrl: string | undefined; log: StepLog },
): void {
  const { hold, inspectorUrl, log } = options;
  try {
    writeOutputs(state, started, inspectorUrl);
  } catch (error) {
    // Without outputs, later steps would have no address. In a hold, no later step runs before the end: a warning is
    // enough.
    if (!hold) throw new Error('the outputs could not be written', { cause: error });
    log.warn(`the outputs could not be written: ${describeError(error)}`);
  }
  log.endStart();
  const url = state.preview_url ?? '';
  print.notice(`Preview: ${url}`);
  const line = renderClientLine(url);
  if (line !== undefined) log.tell(`Connect with: ${line}`);
  if (state.inspector_url !== null) log.tell(`Inspector: ${state.inspector_url}`);
  log.logger.info(describeLive(state, started.startedAt));
}

/** `live after 4s; it ends at 2026-05-04 10:32 UTC at the latest, in 30m` */
function describeLive({ exposure }: StateMessage, startedAt: number): string {
  const after = `live after ${formatDuration(performance.now() - startedAt)}`;
  if (exposure.phase !== 'live' || exposure.expires_at === null) return `${after}; it ends with its job`;
  const end = new Date(exposure.expires_at);
  const left = formatDuration(end.getTime() - Date.parse(exposure.live_at));
  return `${after}; it ends at ${renderTime(end)} at the latest, in ${left}`;
}

function writeOutputs(
  state: StateMessage,
  { session, folder, key }: Started,
  inspectorUrl: string | undefined,
): void {
  const expiresAt = state.exposure.phase === 'live' ? state.exposure.expires_at : null;
  const outputs = {
    url: state.public_url,
    'preview-url': state.preview_url,
    'inspector-url': inspectorUrl,
    host: state.public_host,
    port: state.public_port,
    status: state.status,
    'expires-at': expiresAt,
    'app-port': state.app.port,
    mode: state.mode,
    key,
    'control-url': session.controlUrl,
    'control-token': session.controlToken,
    session: sessionFiles(folder).session,
    'requests-file': existsSync(sessionFiles(folder).requests) ? sessionFiles(folder).requests : '',
    'log-file': sessionFiles(folder).log,
  };
  for (const [name, value] of Object.entries(outputs)) core.setOutput(name, value ?? '');
  core.addPath(writeCommand(folder, resolveBundle('cli')));
}
