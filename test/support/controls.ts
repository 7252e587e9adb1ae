// The controls of an exposure that does nothing. Used by tests of the control API.

import type { Controls } from '../../src/control/call.ts';
import { RequestRecorder } from '../../src/gateway/webhooks/record/recorder.ts';
import { ConsoleLines } from '../../src/shared/console-lines.ts';
import { LIVE } from './sample-state.ts';

export function controlsWith(changes: Partial<Controls> = {}): Controls {
  const controls: Controls = {
    state: LIVE,
    requests: new RequestRecorder({ kind: 'none' }),
    consoleLines: new ConsoleLines(),
    subscribe: () => () => {},
    ending: new AbortController().signal,
    startTunnel: async () => {},
    stopTunnel: async () => {},
    stop: async () => {},
    replay: async () => {
      throw new Error('no replays here');
    },
    checkSignature: () => {
      throw new Error('no rules here');
    },
    inspection: { redacts: true, signingRules: [], publicLink: undefined },
    describeApp: () => ({ pid: undefined, console: [] }),
  };
  // Not spread: a change may be a getter.
  return Object.defineProperties(controls, Object.getOwnPropertyDescriptors(changes));
}
