// The state of an exposure for tests of what reads it.

import type { ExposureState } from '../../src/shared/state.ts';

const URL = 'http://bore.example:12345';

/** A live preview in OS mode on http://bore.example:12345, without an end. */
export const LIVE: ExposureState = {
  mode: 'os',
  phase: { kind: 'live', liveAt: new Date(0) },
  tunnel: { status: 'Connected', host: 'bore.example', port: 12345 },
  connectedAt: new Date(0),
  app: { status: 'running', upstream: { kind: 'address', host: '127.0.0.1', port: 3000 } },
  address: { kind: 'verified', url: URL },
  link: URL,
  inspectorLink: undefined,
  restarts: 0,
  reconnects: 0,
  addressChanges: 0,
  visits: 7,
  warnings: [],
};

/** A preview whose tunnel and app are gone; `phase` says how it came to that. */
export function sampleEnd(
  phase: ExposureState['phase'],
  changes: Partial<ExposureState> = {},
): ExposureState {
  return {
    ...LIVE,
    mode: 'web',
    phase,
    tunnel: { status: 'Disconnected' },
    app: { status: 'stopped' },
    address: { kind: 'none' },
    link: undefined,
    visits: 0,
    ...changes,
  };
}
