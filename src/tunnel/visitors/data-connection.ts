// One connection to the server that fetches one visitor: dialled, proved, and then the visitor's own. Made by
// visitors.ts for a visitor who waits, or ahead of one (warm). Callbacks and one timer: of many short visits, this is
// where the time goes (bench B4).

import type { KeyObject } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { resetSocket } from '../../shared/reset.ts';
import type { ServerAddress } from '../address.ts';
import type { VisitorPipeEnd } from '../relay/relay.ts';
import { answerChallenge, decodeServerMessage, FrameDecoder, renderFrame } from '../wire/protocol.ts';

/** A server that announced visitors: where exactly it is, and the key to prove the secret with. */
export interface VisitorSource {
  address: ServerAddress;
  key: KeyObject | undefined;
  /** Whether lines may be opened ahead of visitors. */
  allowsSpares: boolean;
}

export interface DataConnectionLimits {
  /** For the dial and the challenge together, in milliseconds. */
  timeoutMs: number;
  /** A line waits for a visitor until it is this old; the server hangs up after NETWORK_TIMEOUT_MS. */
  holdMs: number;
}

export interface DataConnectionEvents {
  /** Every byte from here on is the visitor's, `first` in front of them; mostly it is empty. */
  onVisitor: (socket: Socket, leg: VisitorPipeEnd | undefined, first: Buffer) => void;
  /** It can fetch nobody any more; never after `onVisitor`. */
  onLost: (reason: string) => void;
}

const UNEXPECTED = 'the server said something unexpected';

export class DataConnection {
  readonly source: VisitorSource;
  readonly #holdMs: number;
  readonly #onDialled: ((roundTripMs: number) => void) | undefined;
  #onLost: (reason: string) => void;
  readonly #leg: VisitorPipeEnd | undefined;
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #dialledAt = performance.now();
  #timer: NodeJS.Timeout;
  /** The frames that answer the server's challenge, '' where it asks for none. */
  #proof: string | undefined;
  #visitor: { id: string; onVisitor: DataConnectionEvents['onVisitor'] } | undefined;
  #isOver = false;

  /**
   * Dials at once. With `leg` the bytes are read by it, else by whoever gets the socket. `onLost` counts until a visitor
   * is asked for.
   */
  constructor(
    source: VisitorSource,
    leg: VisitorPipeEnd | undefined,
    limits: DataConnectionLimits,
    events: { onDialled?: (roundTripMs: number) => void; onLost?: (line: DataConnection) => void },
  ) {
    this.source = source;
    this.#holdMs = limits.holdMs;
    this.#onDialled = events.onDialled;
    this.#onLost = () => events.onLost?.(this);
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

  /** The server may hang up any moment, for it heard nothing since we dialled. */
  get isStale(): boolean {
    return this.#ageMs >= this.#holdMs;
  }

  get #ageMs(): number {
    return performance.now() - this.#dialledAt;
  }

  /** Fetches the visitor `id`, now or as soon as the server lets us. Once. */
  accept(id: string, { onVisitor, onLost }: DataConnectionEvents): void {
    this.#visitor = { id, onVisitor };
    this.#onLost = onLost;
    if (this.#proof !== undefined) this.#send(this.#visitor, this.#proof);
  }

  /** Where nobody was fetched, says nothing any more and hangs up. */
  abandon(): void {
    if (this.#isOver) return;
    this.#settle();
    this.#socket.destroy();
  }

  #connected(): void {
    this.#onDialled?.(this.#ageMs);
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
    clearTimeout(this.#timer);
    if (this.#visitor !== undefined) this.#send(this.#visitor, proof);
    else this.#timer = setTimeout(() => this.#lose('nobody came'), this.#holdMs - this.#ageMs);
  }

  /** In one write: a second small one would wait a round trip for the first one's acknowledgement. */
  #send(
    { id, onVisitor }: { id: string; onVisitor: DataConnectionEvents['onVisitor'] },
    proof: string,
  ): void {
    this.#settle();
    this.#socket.off('end', this.#onEnd).off('readable', this.#onReadable);
    this.#socket.write(`${proof}${renderFrame({ Accept: id })}`, 'latin1');
    onVisitor(this.#socket, this.#leg, this.#decoder.takeRest());
  }

  #lose(reason: string): void {
    if (this.#isOver) return;
    this.#settle();
    resetSocket(this.#socket);
    this.#onLost(reason);
  }

  #settle(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
