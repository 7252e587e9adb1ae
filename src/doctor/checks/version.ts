// Whether the server is bore 0.6, by what it does: 0.5 ends a connection in both directions when a visitor ends one.

import { type Check, fault, ok, Skip } from '../check.ts';
import { NoVisit, openTcp, readUntil, VISIT_MS } from '../visit.ts';

export const version: Check = {
  name: 'version',
  title: 'Version',
  needs: ['public-port'],
  deadlineMs: 8_000,
  async run(subject, signal) {
    // A proxy in between may end the connection in its own way.
    const target = await subject.findBareTarget();
    if (target === undefined) return new Skip('cannot be told through a proxy, and the plain port is closed');
    const { app } = await subject.tunnel();
    const limit = await subject.limit(VISIT_MS, signal);
    const path = app.pathOf('half-close');
    try {
      const socket = await openTcp(target, limit);
      socket.end(`GET ${path} HTTP/1.1\r\nHost: ${target.url.host}\r\n\r\n`);
      await readUntil(socket, app.proof, limit);
      return [ok('bore 0.6 or later: answers arrive after a visitor has ended its sending direction')];
    } catch (error) {
      if (!(error instanceof NoVisit)) throw error;
      if (error.kind !== 'broken') return new Skip(`cannot be told: ${error.message}`);
    }
    return [
      fault(
        'the server cuts the answer when a visitor ends its sending direction, as bore 0.5 does, so some clients get none: install bore 0.6.0',
      ),
    ];
  },
};
