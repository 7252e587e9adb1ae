// Leaving a connection so that the other side knows at once. Used wherever tunnel, gateway or our bore server hangs up.

import type { Socket } from 'node:net';

/**
 * Sends a reset, for which nobody has to read what was sent before. A socket whose end is on its way out is destroyed
 * instead: libuv refuses to reset it (EINVAL), and Node.js 24 then takes it for closed, so that the other side hears
 * nothing and the process never exits. One that is still being dialled is destroyed, too: Node.js would wait for the
 * connection in order to reset it, on a dead link for two minutes.
 */
export function resetSocket(socket: Socket): void {
  if (socket.connecting || (socket.writableEnded && !socket.writableFinished)) socket.destroy();
  else socket.resetAndDestroy();
}
