// Closes a connection so that the other side notices at once. Used by tunnel and gateway.

import type { Socket } from 'node:net';

/**
 * Sends a TCP reset, which arrives even if the other side does not read. Two kinds of socket are destroyed instead:
 * one with a FIN under way, because libuv refuses to reset it (EINVAL) and Node.js 24 then takes it for closed, so that
 * nothing is sent and the process never exits; and one that is still connecting, because Node.js would wait for the
 * connection in order to reset it, on a dead link for two minutes.
 */
export function resetSocket(socket: Socket): void {
  if (socket.connecting || (socket.writableEnded && !socket.writableFinished)) socket.destroy();
  else socket.resetAndDestroy();
}
