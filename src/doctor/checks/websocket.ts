// Whether a WebSocket passes the proxy, with bytes in both directions.

import { randomBytes } from 'node:crypto';
import { type Check, fault, ok } from '../check.ts';
import { NoVisit, openConnection, readUntil } from '../visit.ts';

const WAIT_MS = 3_000;
const REMEDY =
  'let it pass on the upgrade (nginx: proxy_http_version 1.1, and the fields Upgrade and Connection, as in self-host/nginx)';

export const websocket: Check = {
  name: 'websocket',
  title: 'WebSocket',
  needs: ['proxy'],
  applies: subject => subject.isProxied,
  deadlineMs: 8_000,
  async run(subject, signal) {
    const { target, app, limit } = await subject.beginVisit(WAIT_MS, signal);
    const path = app.pathOf('websocket');
    const socket = await openConnection(target, limit);
    try {
      const key = randomBytes(16).toString('base64');
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: ${target.url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
      );
      const head = await readUntil(socket, '\r\n\r\n', limit);
      const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 'none';
      if (status !== '101')
        return [fault(`the proxy does not let a WebSocket through (the answer was ${status}): ${REMEDY}`)];
      // A text frame, masked with zeros (RFC 6455, 5.2), which comes back as it is.
      socket.write(
        Buffer.concat([Buffer.from([0x81, 0x80 | app.proof.length, 0, 0, 0, 0]), Buffer.from(app.proof)]),
      );
      await readUntil(socket, app.proof, limit);
      return [ok('passes')];
    } catch (error) {
      if (!(error instanceof NoVisit)) throw error;
      return [fault(`the proxy does not let a WebSocket through (${error.message}): ${REMEDY}`)];
    } finally {
      socket.destroy();
    }
  },
};
