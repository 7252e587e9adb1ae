// Whether the proxy speaks HTTP/2 with browsers.

import { connect } from 'node:http2';
import { raceSignal } from '../../shared/abort.ts';
import { describeError } from '../../shared/errors.ts';
import { readStart } from '../../shared/read-start.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { type Check, fault, ok, warning } from '../check.ts';
import { openTcp, openTls } from '../visit.ts';

const WAIT_MS = 3_000;

export const http2: Check = {
  name: 'http2',
  title: 'HTTP/2',
  needs: ['proxy'],
  applies: subject => subject.isHttps,
  deadlineMs: 8_000,
  async run(subject, signal) {
    const { target, app, limit } = await subject.beginVisit(WAIT_MS, signal);
    const socket = await openTls(await openTcp(target, limit), target, ['h2', 'http/1.1'], limit);
    if (socket.alpnProtocol !== 'h2') {
      socket.destroy();
      return [
        warning(
          'the proxy speaks HTTP/1.1 only: pages of many files load faster with HTTP/2 (nginx: listen 443 ssl http2)',
        ),
      ];
    }
    const session = connect(target.url.origin, { createConnection: () => socket });
    session.on('error', () => {});
    try {
      const stream = session.request({ ':path': app.pathOf('proof') });
      const body = await raceSignal(readStart(stream), limit);
      if (body === app.proof) return [ok('passes')];
      return [
        fault('the proxy offers HTTP/2, but a visit with it does not arrive in the tunnel: see its log'),
      ];
    } catch (error) {
      return [
        fault(
          `the proxy offers HTTP/2, but a visit with it fails (${sanitise(describeError(error))}): see its log`,
        ),
      ];
    } finally {
      session.destroy();
    }
  },
};
