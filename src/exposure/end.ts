// How an exposure ends, in words for people and for its last state. Pure. Used by exposure.ts.

import { formatDuration } from '../shared/duration.ts';
import { AppError, TunnelError } from '../shared/errors.ts';
import type { ExposureState, Phase } from '../shared/state.ts';

export type EndPhase = Extract<Phase, { kind: 'ended' | 'failed' }>;

const MAX_LINE_LENGTH = 1_000;

/** The last state of an exposure that ended in this phase, because of this error if there was one. */
export function describeEnd(
  phase: EndPhase,
  error: unknown,
): Pick<ExposureState, 'phase' | 'tunnel' | 'connectedAt' | 'app'> {
  const connectedAt = undefined;
  if (phase.kind !== 'failed')
    return { phase, tunnel: { status: 'Disconnected' }, connectedAt, app: { status: 'stopped' } };
  const { reason, lastLines } = phase;
  return {
    phase,
    tunnel: { status: 'Failed', reason },
    connectedAt,
    app: error instanceof TunnelError ? { status: 'stopped' } : { status: 'failed', reason, lastLines },
  };
}

/** A longer line is data, and nobody reads that in a comment. */
export function shortenLine(line: string): string {
  return line.length > MAX_LINE_LENGTH ? `${line.slice(0, MAX_LINE_LENGTH)}…` : line;
}

/** If the time limit ended the start: an error that says so, with the given one as its cause. */
export function explainStart(error: unknown, timeout: AbortSignal, timeoutMs: number): unknown {
  if (!timeout.aborted) return error;
  const message = `not ready within ${formatDuration(timeoutMs)}, the \`startup-timeout\``;
  if (error instanceof TunnelError) return new TunnelError(message, { cause: error, retryable: false });
  return new AppError(message, { cause: error, lastLines: error instanceof AppError ? error.lastLines : [] });
}
