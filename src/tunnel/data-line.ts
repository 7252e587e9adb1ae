// One connection to the server that fetches one visitor: dialled, proved, and then the visitor's own. Made by
// visitors.ts for a visitor who waits, or ahead of one (warm). Callbacks and one timer: of many short visits, this is
// where the time goes (bench B4).

import type { KeyObject } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { ServerAddress } from './address.ts';
import { answerChallenge, decodeServerMessage, FrameDecoder, renderFrame } from './protocol.ts';
import type { VisitorLeg } from './relay.ts';
import { resetSocket } from './reset.ts';

/** A server that announced visitors: where exactly it is, and the key to prove the secret with. */
export interface VisitorSource {
  address: ServerAddress;
  key: KeyObject | undefined;
}

export interface DataLineEvents {
  /** Every byte from here on is the visitor's, `first` in front of them; mostly it is empty. */
  onVisitor: (socket: Socket, leg: VisitorLeg | undefined, first: Buffer) => void;
  /** It can fetch nobody any more. Not after `onVisitor`. */
  onLost: (reason: string) => void;
}

const UNEXPECTED = 'the server said something unexpected';

export class DataLine {
  readonly source: VisitorSource;
  readonly #events: DataLineEvents;
  readonly #leg: VisitorLeg | undefined;
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #dialledAt = performance.now();
  #timer: NodeJS.Timeout;
  #roundTripMs: number | undefined;
  /** The frames that answer the server's challenge, '' where it asks for none. */
  #proof: string | undefined;
  #visitor: string | undefined;
  #isOver = false;

  /** Dials at once. With `leg` the bytes are read by it, else by whoever gets the socket. */
  constructor(
    source: VisitorSource,
    leg: VisitorLeg | undefined,
    limits: { timeoutMs: number },
    events: DataLineEvents,
  ) {
    this.source = source;
    this.#events = events;
    this.#leg = leg;
    this.#socket = connect({
      ...source.address,
      noDelay: true,
      allowHalfOpen: true,
      ...leg?.socketOptions,
    });
    this.#timer = setTimeout(() => this.#lose('no answer in time'), limits.timeoutMs);
    this.#socket.on('error', error => this.#lose(error.message)); // and stays: later readers see 'close'
    this.#socket.on('end', this.#onEnd);
    this.#socket.on('connect', () => this.#connected());
    if (leg) leg.hear = chunk => this.#hear(chunk);
    else this.#socket.on('readable', this.#onReadable);
  }

  /** How long the connection took to stand, in milliseconds; undefined until it does. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** Fetches the visitor `id`, now or as soon as the server lets us. Once. */
  accept(id: string): void {
    this.#visitor = id;
    if (this.#proof !== undefined) this.#send(id, this.#proof);
  }

  /** Where nobody was fetched, says nothing any more and hangs up. */
  abandon(): void {
    if (this.#isOver) return;
    this.#settle();
    this.#socket.destroy();
  }

  #connected(): void {
    this.#roundTripMs = performance.now() - this.#dialledAt;
    if (this.source.key === undefined) this.#prove('');
  }

  readonly #onReadable = (): void => {
    const chunk: unknown = this.#socket.read();
    if (Buffer.isBuffer(chunk)) this.#hear(chunk);
  };

  readonly #onEnd = (): void => this.#lose('the server hung up');

  #hear(chunk: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#decoder.push(chunk);
      const frame = this.#decoder.next();
      if (frame === undefined) return;
      const message = decodeServerMessage(frame);
      const { key } = this.source;
      if (key !== undefined && typeof message === 'object' && 'Challenge' in message)
        this.#prove(renderFrame({ Authenticate: answerChallenge(key, message.Challenge) }));
      else this.#lose(UNEXPECTED);
    } catch {
      this.#lose(UNEXPECTED);
    }
  }

  #prove(proof: string): void {
    this.#proof = proof;
    if (this.#visitor !== undefined) this.#send(this.#visitor, proof);
  }

  /** In one write: a second small one would wait a round trip for the first one's acknowledgement. */
  #send(id: string, proof: string): void {
    this.#settle();
    this.#socket.off('end', this.#onEnd).off('readable', this.#onReadable);
    this.#socket.write(`${proof}${renderFrame({ Accept: id })}`, 'latin1');
    this.#events.onVisitor(this.#socket, this.#leg, this.#decoder.takeRest());
  }

  #lose(reason: string): void {
    if (this.#isOver) return;
    this.#settle();
    resetSocket(this.#socket);
    this.#events.onLost(reason);
  }

  #settle(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
