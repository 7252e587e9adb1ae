// What the control API says about an exposure, on the wire and in outcome.json: one schema for both ends.

import * as v from 'valibot';
import type { EndReason, ExposureState, TunnelState } from '../shared/state.ts';

const END_REASONS = [
  'job ended',
  'duration over',
  'continue file',
  'stopped',
  'cancelled',
  'runner gone',
] as const satisfies readonly EndReason[];

const PhaseSchema = v.variant('phase', [
  v.object({ phase: v.literal('starting') }),
  v.object({ phase: v.literal('live'), live_at: v.string(), expires_at: v.nullable(v.string()) }),
  v.object({
    phase: v.literal('ended'),
    reason: v.picklist(END_REASONS),
    live_at: v.nullable(v.string()),
    ended_at: v.string(),
  }),
  v.object({
    phase: v.literal('failed'),
    reason: v.string(),
    last_lines: v.array(v.string()),
    live_at: v.nullable(v.string()),
    ended_at: v.string(),
  }),
]);

export const StateMessageSchema = v.object({
  mode: v.picklist(['os', 'exec', 'web', 'port']),
  /** wasmrun's word for the tunnel. */
  status: v.picklist(['Not started', 'Disconnected', 'Connecting', 'Connected', 'Reconnecting', 'Failed']),
  public_url: v.nullable(v.string()),
  preview_url: v.nullable(v.string()),
  public_host: v.nullable(v.string()),
  public_port: v.nullable(v.number()),
  tunnel_reason: v.nullable(v.string()),
  verified: v.nullable(v.boolean()),
  doubt: v.nullable(v.picklist(['silent', 'unproved', 'app away'])),
  app: v.object({
    status: v.picklist(['starting', 'running', 'restarting', 'stopped', 'failed']),
    port: v.nullable(v.number()),
    reason: v.nullable(v.string()),
  }),
  restarts: v.number(),
  reconnects: v.number(),
  address_changes: v.number(),
  visits: v.number(),
  warnings: v.array(v.string()),
  exposure: PhaseSchema,
});

/** One snapshot as JSON; times are ISO 8601, what does not apply is null. */
export type StateMessage = v.InferOutput<typeof StateMessageSchema>;

export function describeState(state: ExposureState): StateMessage {
  const { tunnel, app } = state;
  const hasAddress = tunnel.status === 'Connected' || tunnel.status === 'Reconnecting';
  return {
    mode: state.mode,
    status: tunnel.status,
    public_url: hasAddress ? (state.url ?? null) : null,
    preview_url: hasAddress ? (state.link ?? null) : null,
    public_host: hasAddress ? tunnel.host : null,
    public_port: hasAddress ? tunnel.port : null,
    tunnel_reason: ('reason' in tunnel ? tunnel.reason : undefined) ?? null,
    verified: state.verified ?? null,
    doubt: state.doubt ?? null,
    app: {
      status: app.status,
      port: app.status === 'running' && app.upstream.kind === 'address' ? app.upstream.port : null,
      reason: 'reason' in app ? app.reason : null,
    },
    restarts: state.restarts,
    reconnects: state.reconnects,
    address_changes: state.moves,
    visits: state.visits,
    warnings: [...state.warnings],
    exposure: describePhase(state.phase),
  };
}

function describePhase(phase: ExposureState['phase']): StateMessage['exposure'] {
  if (phase.phase === 'starting') return phase;
  const live_at = phase.liveAt?.toISOString() ?? null;
  if (phase.phase === 'live')
    return {
      phase: 'live',
      live_at: phase.liveAt.toISOString(),
      expires_at: phase.expiresAt?.toISOString() ?? null,
    };
  const ended_at = phase.endedAt.toISOString();
  if (phase.phase === 'ended') return { phase: 'ended', reason: phase.reason, live_at, ended_at };
  return { phase: 'failed', reason: phase.reason, last_lines: [...phase.lastLines], live_at, ended_at };
}

/** The state a message was made from, fit for reading: an upstream behind it cannot be called. */
export function reviveState(message: StateMessage): ExposureState {
  return {
    mode: message.mode,
    phase: revivePhase(message.exposure),
    tunnel: reviveTunnel(message),
    app: reviveApp(message.app),
    url: message.public_url ?? undefined,
    link: message.preview_url ?? undefined,
    verified: message.verified ?? undefined,
    doubt: message.doubt ?? undefined,
    restarts: message.restarts,
    reconnects: message.reconnects,
    moves: message.address_changes,
    visits: message.visits,
    warnings: message.warnings,
  };
}

function revivePhase(exposure: StateMessage['exposure']): ExposureState['phase'] {
  if (exposure.phase === 'starting') return exposure;
  const liveAt = exposure.live_at === null ? {} : { liveAt: new Date(exposure.live_at) };
  if (exposure.phase === 'live') {
    const expiresAt = exposure.expires_at === null ? {} : { expiresAt: new Date(exposure.expires_at) };
    return { phase: 'live', liveAt: new Date(exposure.live_at), ...expiresAt };
  }
  const endedAt = new Date(exposure.ended_at);
  if (exposure.phase === 'ended') return { phase: 'ended', reason: exposure.reason, ...liveAt, endedAt };
  return { phase: 'failed', reason: exposure.reason, lastLines: exposure.last_lines, ...liveAt, endedAt };
}

function reviveTunnel(message: StateMessage): TunnelState {
  const { status, public_host: host, public_port: port, tunnel_reason } = message;
  const reason = tunnel_reason ?? '';
  if (status === 'Connected' && host !== null && port !== null) return { status, host, port };
  if (status === 'Reconnecting' && host !== null && port !== null) return { status, host, port, reason };
  if (status === 'Failed') return { status, reason };
  return { status: status === 'Not started' || status === 'Connecting' ? status : 'Disconnected' };
}

function reviveApp({ status, port, reason }: StateMessage['app']): ExposureState['app'] {
  switch (status) {
    case 'running':
      return { status, upstream: { kind: 'address', host: '127.0.0.1', port: port ?? 0 } };
    case 'restarting':
      return { status, reason: reason ?? '', attempt: 0 };
    case 'failed':
      return { status, reason: reason ?? '', lastLines: [] };
    default:
      return { status };
  }
}
