// WebSockets: forwards the upgrade to the app, and joins the two connections only after its 101. Used by the last pass
// (pass.ts).

import type { Duplex } from 'node:stream';
import { forEachField, type RawHeaders } from '../raw-headers.ts';
import type { Upgrade, Visit } from '../visit.ts';
import type { Recording } from '../webhooks/record/recording.ts';
import { AnswerRelay } from './answer-relay.ts';
import type { AnswerHead, RequestMessage } from './client/message.ts';
import { renderResponseHeaders } from './headers.ts';
import { chooseNames, type Names } from './names.ts';
import { describeRequest, type Route } from './proxy.ts';

/** How long one side may go on after the other has ended; a WebSocket's closing handshake takes less. */
const HALF_CLOSED_MS = 30_000;

/** A visitor who has ended its stream has usually left. After that, the app may pause this long between two chunks. */
const VISITOR_LEFT_MS = 1_000;

/** What a visitor may send before the app's 101; it should send nothing (RFC 6455, 4.1). */
const MAX_EARLY_BYTES = 64 * 1024;

/** An answer other than 101 is relayed as for an ordinary request, and then the connection is closed. */
export function forwardUpgrade(visit: Visit, upgrade: Upgrade, route: Route): void {
  const names = chooseNames(visit, route.address);
  const request: RequestMessage = { ...describeRequest(visit, route, names), upgrade: 'websocket' };
  const early = new EarlyBytes(visit, upgrade);
  const relay = new UpgradeRelay(visit, names, { upgrade, early, onNoAnswer: route.onNoAnswer });
  route.link.select(route.address).dispatch(request, relay);
}

/**
 * Reads a visitor's stream until it is joined with the app's: otherwise the gateway would not notice that the visitor
 * leaves, and the app's request would continue. If a visitor ends its stream, or sends more than MAX_EARLY_BYTES, its
 * connection is closed unless the app answers soon.
 */
class EarlyBytes {
  readonly #socket: Duplex;
  readonly #chunks: Buffer[];
  #left: number;
  #timer: NodeJS.Timeout | undefined;
  readonly #onData = (chunk: Buffer) => this.#keep(chunk);
  readonly #onEnd = () => this.#limit();
  readonly #giveUp: () => void;

  constructor({ response }: Visit, { socket, head }: Upgrade) {
    this.#socket = socket;
    this.#chunks = [head];
    this.#left = MAX_EARLY_BYTES - head.length;
    // If a complete answer was sent, the stream ends by itself.
    this.#giveUp = () => {
      if (!response.writableEnded) socket.destroy();
    };
    socket.on('data', this.#onData).once('end', this.#onEnd);
    socket.once('close', () => clearTimeout(this.#timer));
  }

  /** The bytes so far; from now on the caller reads the stream. */
  take(): Buffer {
    clearTimeout(this.#timer);
    this.#socket.off('data', this.#onData).off('end', this.#onEnd).pause();
    return Buffer.concat(this.#chunks);
  }

  #keep(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#left -= chunk.length;
    if (this.#left >= 0) return;
    this.#socket.pause();
    this.#limit();
  }

  #limit(): void {
    this.#timer ??= setTimeout(this.#giveUp, VISITOR_LEFT_MS);
  }
}

class UpgradeRelay extends AnswerRelay {
  readonly #upgrade: Upgrade;
  readonly #early: EarlyBytes;
  readonly #recording: Recording | undefined;

  constructor(
    visit: Visit,
    names: Names,
    options: { upgrade: Upgrade; early: EarlyBytes; onNoAnswer: (error: Error) => void },
  ) {
    super(visit, names, options.onNoAnswer);
    this.#recording = visit.recording;
    this.#upgrade = options.upgrade;
    this.#early = options.early;
  }

  onUpgrade({ headers }: AnswerHead, app: Duplex): void {
    const { socket } = this.#upgrade;
    app.on('error', ignore);
    if (socket.destroyed) {
      app.destroy();
      return;
    }
    if (readUpgrade(headers).toLowerCase() !== 'websocket') {
      app.destroy();
      this.onNoAnswer(new Error('the app switched to a protocol that was not requested'));
      return;
    }
    this.#upgrade.detachResponse();
    this.#recording?.upgrade();
    socket.write(renderSwitch(headers, this.names), 'latin1');
    const early = this.#early.take();
    if (early.length > 0) app.write(early);
    joinStreams(socket, app);
  }
}

function readUpgrade(headers: RawHeaders): string {
  let protocol = '';
  forEachField(headers, (name, value) => {
    if (name.toLowerCase() === 'upgrade') protocol = value;
  });
  return protocol;
}

function renderSwitch(raw: RawHeaders, names: Names): string {
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'];
  const fields = renderResponseHeaders(raw, names, { status: 101, keepsTrailer: false });
  forEachField(fields, (name, value) => lines.push(`${name}: ${value}`));
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/**
 * Pipes both ways. Passes on the end of one direction. If a stream breaks, destroys the other. If the visitor's stream
 * has ended, destroys both once the app has been silent for a while.
 */
function joinStreams(visitor: Duplex, app: Duplex): void {
  let timer: NodeJS.Timeout | undefined;
  const cut = () => {
    clearTimeout(timer);
    clearTimeout(silence);
    visitor.destroy();
    app.destroy();
  };
  let silence: NodeJS.Timeout | undefined;
  const watchApp = () => {
    silence = setTimeout(cut, VISITOR_LEFT_MS);
    app.on('data', () => silence?.refresh());
  };
  if (visitor.readableEnded) watchApp();
  else visitor.once('end', watchApp);
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
      // The app no longer reads what the visitor sends. Read on, to notice when the visitor leaves.
      else if (from === app) visitor.resume();
    });
  }
}

function ignore(): void {}
