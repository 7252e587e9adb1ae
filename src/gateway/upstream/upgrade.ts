// WebSockets: asks the app first and joins the two streams only after its 101; the last pass of an upgrade.

import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Visit } from '../visit.ts';
import { AnswerRelay, readRaw } from './answer-relay.ts';
import { renderResponseHeaders } from './headers.ts';
import { describeRequest, type Route } from './proxy.ts';

/** After one side said its last word, how long the other may go on; a WebSocket's closing handshake is done by then. */
const HALF_CLOSED_MS = 30_000;

/** Any answer but 101 is relayed like that of an ordinary request, and the connection is closed behind it. */
export function forwardUpgrade(visit: Visit, upgrade: NonNullable<Visit['upgrade']>, route: Route): void {
  const request = { ...describeRequest(visit, route), upgrade: 'websocket' };
  route.link.select(route.address).dispatch(request, new UpgradeRelay(visit, upgrade, route.onNoAnswer));
}

class UpgradeRelay extends AnswerRelay {
  readonly #upgrade: NonNullable<Visit['upgrade']>;

  constructor(visit: Visit, upgrade: NonNullable<Visit['upgrade']>, onNoAnswer: (error: Error) => void) {
    super(visit, onNoAnswer);
    this.#upgrade = upgrade;
  }

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    _: number,
    headers: Record<string, string | string[] | undefined>,
    app: Duplex,
  ): void {
    const { socket, head } = this.#upgrade;
    app.on('error', ignore);
    if (socket.destroyed) {
      app.destroy();
      return;
    }
    if (String(headers.upgrade).toLowerCase() !== 'websocket') {
      app.destroy();
      this.onNoAnswer(new Error('the app switched to a protocol nobody asked for'));
      return;
    }
    this.response.detachSocket(this.response.req.socket);
    socket.write(renderSwitch(readRaw(controller.rawHeaders)), 'latin1');
    if (head.length > 0) app.write(head);
    joinStreams(socket, app);
  }
}

function renderSwitch(raw: readonly string[]): string {
  const headers = renderResponseHeaders(raw, 101, false);
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'];
  for (let index = 0; index < headers.length; index += 2)
    lines.push(`${headers[index]}: ${headers[index + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** Pipes both ways. The end of one direction is passed on as such; a broken stream takes the other with it. */
function joinStreams(visitor: Duplex, app: Duplex): void {
  let timer: NodeJS.Timeout | undefined;
  const cut = () => {
    clearTimeout(timer);
    visitor.destroy();
    app.destroy();
  };
  for (const [from, to] of [
    [visitor, app],
    [app, visitor],
  ] as const) {
    from.allowHalfOpen = true;
    from.pipe(to);
    from.once('end', () => {
      timer ??= setTimeout(cut, HALF_CLOSED_MS);
    });
    from.once('close', () => {
      if (!from.readableEnded || to.closed) cut();
    });
  }
}

function ignore(): void {}
