// The public inspector: the page and a part of the API for people away from the runner, with a key of its own. What it
// does not have: the end of the preview, the tunnel, replays to other addresses, and signatures with known secrets.
// Created by supervisor/supervision; the exposure puts a gateway and a tunnel in front of it.

import type { CapturedRequest } from '../../shared/captured-request.ts';
import type { PublicInspector } from '../../shared/public-inspector.ts';
import type { ReplayOrder } from '../../shared/replay.ts';
import type { ExposureState } from '../../shared/state.ts';
import { CallError, type Controls, type Route } from '../call.ts';
import { Endpoint } from '../endpoint.ts';
import { streamEvents } from '../events.ts';
import { showApp } from '../preview.ts';
import { replayRequest } from '../requests/replay.ts';
import { clearRequests, listRequests, showRequest } from '../requests/routes.ts';
import { showInspector } from './document.ts';

const PUBLIC_ROUTES: Readonly<Record<string, Route>> = {
  'GET /api/inspector': showInspector,
  'GET /api/app': showApp,
  'GET /api/requests': listRequests,
  'DELETE /api/requests': clearRequests,
  'GET /api/requests/{id}': showRequest,
  'POST /api/requests/{id}/replay': replayRequest,
  'GET /api/events': streamEvents,
};

/** The routes as `METHOD path`, for tests. */
export const PUBLIC_ROUTE_NAMES: readonly string[] = Object.keys(PUBLIC_ROUTES);

/** `mask` hides secrets in what the app has printed: unlike the log, this page is not masked by the runner. */
export function openPublicInspector(
  controls: Controls,
  key: string,
  mask: (text: string) => string,
): PublicInspector {
  const endpoint = new Endpoint({
    controls: restrictControls(controls, mask),
    routes: PUBLIC_ROUTES,
    key,
    keyRequired: "a bearer token is required: the key in the fragment of the inspector's link",
    audience: 'public',
  });
  return {
    handle: (request, response) => endpoint.handle(request, response),
    endStreams: () => endpoint.endStreams(),
  };
}

/** The same exposure, without the secrets that its app may have printed, and without replays that need trust. */
function restrictControls(controls: Controls, mask: (text: string) => string): Controls {
  const { consoleLines } = controls;
  return {
    get state() {
      return maskState(controls.state, mask);
    },
    get inspection() {
      return { ...controls.inspection, signingRules: [] };
    },
    ending: controls.ending,
    requests: controls.requests,
    consoleLines: {
      get lastNumber() {
        return consoleLines.lastNumber;
      },
      next: number => {
        const line = consoleLines.next(number);
        return line && { ...line, text: mask(line.text) };
      },
      subscribe: listener => consoleLines.subscribe(listener),
    },
    subscribe: listener => controls.subscribe(state => listener(maskState(state, mask))),
    replay: async (captured, order) => {
      checkReplay(captured, order);
      return controls.replay(captured, order);
    },
    checkSignature: question => controls.checkSignature(question),
    startTunnel: () => controls.startTunnel(),
    stopTunnel: () => controls.stopTunnel(),
    stop: reason => controls.stop(reason),
    describeApp: () => {
      const { console: lines, ...app } = controls.describeApp();
      return { ...app, console: lines.map(mask) };
    },
  };
}

/**
 * To the app only, and only what the app has had: a request that the gateway has refused, or a new signature, would give
 * strangers what `verify` and the preview's key keep from them.
 */
function checkReplay({ refusal }: CapturedRequest, { to, reSign }: ReplayOrder): void {
  if (to !== undefined || reSign)
    throw new CallError(403, 'the public inspector sends requests to the app only, and as they came');
  if (refusal !== undefined)
    throw new CallError(403, 'the public inspector does not send again what was refused');
}

function maskState(state: ExposureState, mask: (text: string) => string): ExposureState {
  const { app, phase } = state;
  return {
    ...state,
    app:
      app.status === 'failed'
        ? { ...app, reason: mask(app.reason), lastLines: app.lastLines.map(mask) }
        : app.status === 'restarting'
          ? { ...app, reason: mask(app.reason) }
          : app,
    phase:
      phase.kind === 'failed'
        ? { ...phase, reason: mask(phase.reason), lastLines: phase.lastLines.map(mask) }
        : phase,
  };
}
