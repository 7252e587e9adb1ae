// Whether the proxy passes on an event stream at once, instead of waiting for its end.

import { raceSignal } from '../../shared/abort.ts';
import { type Check, fault, ok } from '../check.ts';
import { ask, NoVisit, openConnection, readUntil } from '../visit.ts';

/** Shorter than the app's own patience, which then ends the stream. */
const WAIT_MS = 2_000;

export const eventStream: Check = {
  name: 'event-stream',
  title: 'Event stream',
  needs: ['proxy'],
  applies: subject => subject.isProxied,
  deadlineMs: 8_000,
  async run(subject, signal) {
    const { target, app, limit } = await subject.beginVisit(WAIT_MS, signal);
    const path = app.pathOf('events');
    const socket = await openConnection(target, limit);
    try {
      const headers = { Accept: 'text/event-stream' };
      const response = await raceSignal(ask(socket, target, path, { headers }), limit);
      await readUntil(response, app.proof, limit);
      return [ok('arrives as it is sent')];
    } catch (error) {
      if (!limit.aborted && !(error instanceof NoVisit)) throw error;
      return [
        fault(
          'the proxy holds an event stream back: live reload and server-sent events do not work; switch its buffering off (nginx: proxy_buffering off)',
        ),
      ];
    } finally {
      app.confirmEvent(path);
      socket.destroy();
    }
  },
};
