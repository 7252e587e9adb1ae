// The routes that show and change the preview itself: wasmrun's three tunnel routes, the end, and the app. Used by
// api.ts.

import type { EndReason } from '../shared/state.ts';
import { describeState } from '../shared/state-json.ts';
import { type Call, refuse, send } from './call.ts';

/** The reasons that a client may give. */
const CALLER_REASONS: readonly EndReason[] = ['stopped', 'job ended'];

export async function startTunnel({ controls, response }: Call): Promise<void> {
  await controls.startTunnel();
  const { public_url, status } = describeState(controls.state);
  send(response, 200, { success: true, public_url, status });
}

export function showTunnel({ controls, response }: Call): void {
  const { status, public_url, public_port, ...rest } = describeState(controls.state);
  send(response, 200, { success: true, status, public_url, public_port, ...rest });
}

export async function stopTunnel({ controls, response }: Call): Promise<void> {
  await controls.stopTunnel();
  send(response, 200, { success: true, message: 'Tunnel stopped' });
}

export async function stopExposure({ controls, query, response }: Call): Promise<void> {
  const given = query.get('reason') ?? 'stopped';
  const reason = CALLER_REASONS.find(known => known === given);
  if (reason === undefined) return refuse(response, 400, `\`reason\` is one of ${CALLER_REASONS.join(', ')}`);
  await controls.stop(reason);
  send(response, 200, { success: true, message: 'Exposure stopped', state: describeState(controls.state) });
}

export function showApp({ controls, response }: Call): void {
  const { mode, app, restarts } = describeState(controls.state);
  const { pid, console } = controls.describeApp();
  send(response, 200, {
    success: true,
    mode,
    pid: pid ?? null,
    port: app.port,
    status: app.status,
    restarts,
    console,
  });
}
