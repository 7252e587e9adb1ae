// The state of an exposure as JSON: what the control API sends, outcome.json holds, and comment, summary and commands
// read. One schema for both ends.

import * as v from 'valibot';
import {
  type AddressState,
  APP_MODES,
  type AppState,
  END_REASONS,
  type ExposureState,
  type TunnelState,
  UNVERIFIED_REASONS,
} from './state.ts';

const TUNNEL_STATUSES = [
  'Not started',
  'Connecting',
  'Connected',
  'Reconnecting',
  'Disconnected',
  'Failed',
] as const satisfies readonly TunnelState['status'][];

const APP_STATUSES = [
  'starting',
  'running',
  'restarting',
  'stopped',
  'failed',
] as const satisfies readonly AppState['status'][];

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
  mode: v.picklist(APP_MODES),
  status: v.picklist(TUNNEL_STATUSES),
  /** Null unless the tunnel is Connected or Reconnecting. */
  public_url: v.nullable(v.string()),
  preview_url: v.nullable(v.string()),
  /** Null without a public inspector, and where a given key or password protects the preview. */
  inspector_url: v.nullable(v.string()),
  public_host: v.nullable(v.string()),
  public_port: v.nullable(v.number()),
  /** Null unless the tunnel is Connected. */
  connected_at: v.nullable(v.string()),
  tunnel_reason: v.nullable(v.string()),
  verified: v.nullable(v.boolean()),
  doubt: v.nullable(v.picklist(UNVERIFIED_REASONS)),
  app: v.object({
    status: v.picklist(APP_STATUSES),
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
  const { tunnel, app, address } = state;
  const hasAddress = tunnel.status === 'Connected' || tunnel.status === 'Reconnecting';
  return {
    mode: state.mode,
    status: tunnel.status,
    public_url: hasAddress && address.kind !== 'none' ? address.url : null,
    preview_url: hasAddress ? (state.link ?? null) : null,
    inspector_url: state.inspectorLink ?? null,
    public_host: hasAddress ? tunnel.host : null,
    public_port: hasAddress ? tunnel.port : null,
    connected_at: (tunnel.status === 'Connected' && state.connectedAt?.toISOString()) || null,
    tunnel_reason: ('reason' in tunnel ? tunnel.reason : undefined) ?? null,
    verified: isVerified(address),
    doubt: address.kind === 'unverified' ? address.reason : null,
    app: {
      status: app.status,
      port: app.status === 'running' && app.upstream.kind === 'address' ? app.upstream.port : null,
      reason: 'reason' in app ? app.reason : null,
    },
    restarts: state.restarts,
    reconnects: state.reconnects,
    address_changes: state.addressChanges,
    visits: state.visits,
    warnings: [...state.warnings],
    exposure: describePhase(state.phase),
  };
}

function describePhase(phase: ExposureState['phase']): StateMessage['exposure'] {
  if (phase.kind === 'starting') return { phase: 'starting' };
  const live_at = phase.liveAt?.toISOString() ?? null;
  if (phase.kind === 'live')
    return {
      phase: 'live',
      live_at: phase.liveAt.toISOString(),
      expires_at: phase.expiresAt?.toISOString() ?? null,
    };
  const ended_at = phase.endedAt.toISOString();
  if (phase.kind === 'ended') return { phase: 'ended', reason: phase.reason, live_at, ended_at };
  return { phase: 'failed', reason: phase.reason, last_lines: [...phase.lastLines], live_at, ended_at };
}

/** Null before the first check. */
function isVerified({ kind }: AddressState): boolean | null {
  return kind === 'verified' || (kind === 'unverified' ? false : null);
}
