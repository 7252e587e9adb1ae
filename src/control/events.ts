// The event stream of the control API. Used by api.ts.

import type { ExposureState } from '../shared/state.ts';
import { describeState } from '../shared/state-json.ts';
import type { Call } from './call.ts';

/** A comment line now and then shows a client that a quiet stream is not dead. */
const KEEPALIVE_MS = 15_000;

/** Server-sent events (WHATWG HTML §9.2): `event: state` with a StateMessage, the current one first. */
export function streamEvents({ controls, streams, response }: Call): void {
  streams.add(response);
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const write = (state: ExposureState) =>
    response.write(`event: state\ndata: ${JSON.stringify(describeState(state))}\n\n`);
  write(controls.state);
  const unsubscribe = controls.subscribe(write);
  const keepalive = setInterval(() => response.write(':\n\n'), KEEPALIVE_MS);
  response.once('close', () => {
    streams.delete(response);
    unsubscribe();
    clearInterval(keepalive);
  });
}
