// One connection to the server that fetches one visitor: dials, proves the secret, and then carries the visitor's
// bytes. Opened by visitors.ts for a visitor who waits, or before one comes (spare-connections.ts). It uses callbacks
// and one timer instead of promises, because many short visits spend most of their time here (bench B4).

import type { KeyObject } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { resetSocket } from '../../shared/reset.ts';
import type { ServerAddress } from '../address.ts';
import type { PipeEnd } from '../relay/pipe.ts';
import { NO_PROOF, renderAuthentication, sendRequest } from '../wire/handshake.ts';
import { FrameDecoder } from '../wire/protocol.ts';

/** The server that announced visitors: its IP address, and the key that proves the secret. */
export interface VisitorSource {
  address: ServerAddress;
  key: KeyObject | undefined;
  /** Whether connections may be opened ahead of visitors. */
  allowsSpares: boolean;
}

export interface DataConnectionLimits {
  /** For the dial and the challenge together, in milliseconds. */
  timeoutMs: number;
  /** A connection waits for a visitor until it is this old; the server hangs up after NETWORK_TIMEOUT_MS. */
  holdMs: number;
}

export interface DataConnectionEvents {
  /** Every byte from now on is the visitor's, also those in `first` (mostly none). */
  onVisitor: (socket: Socket, first: Buffer, end: PipeEnd | undefined) => void;
  /** The connection cannot fetch a visitor any more; never called after `onVisitor`. */
  onFailed: (reason: string) => void;
}

const UNEXPECTED = 'the server sent something unexpected';

export class DataConnection {
  readonly source: VisitorSource;
  readonly #holdMs: number;
  readonly #onDialled: ((roundTripMs: number) => void) | undefined;
  #onFailed: (reason: string) => void;
  readonly #end: PipeEnd | undefined;
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #dialledAt = performance.now();
  #timer: NodeJS.Timeout;
  /** What proves the secret; undefined until the server has sent its challenge. */
  #proof: string | undefined;
  #visitor: { id: string; onVisitor: DataConnectionEvents['onVisitor'] } | undefined;
  #isOver = false;

  /**
   * Dials at once. `end` reads the bytes; without it they are read as a stream. A failure calls this `onFailed`; after
   * `accept` it calls the one given there.
   */
  constructor(
    source: VisitorSource,
    end: PipeEnd | undefined,
    limits: DataConnectionLimits,
    events: {
      onDialled?: (roundTripMs: number) => void;
      onFailed?: (connection: DataConnection) => void;
    },
  ) {
    this.source = source;
    this.#holdMs = limits.holdMs;
    this.#onDialled = events.onDialled;
    this.#onFailed = () => events.onFailed?.(this);
    this.#end = end;
    this.#socket = connect({
      ...source.address,
      noDelay: true,
      allowHalfOpen: true,
      ...end?.socketOptions,
    });
    this.#timer = setTimeout(() => this.#fail('no answer in time'), limits.timeoutMs);
    this.#socket.on('error', error => this.#fail(error.message)); // never removed: later readers rely on 'close' alone
    this.#socket.on('end', this.#onEnd);
    this.#socket.on('connect', () => this.#onConnect());
    if (end) end.onData = chunk => this.#onData(chunk);
    else this.#socket.on('readable', this.#onReadable);
  }

  /** The server may hang up at any moment, because it has received nothing since we dialled. */
  get isStale(): boolean {
    return this.#ageMs >= this.#holdMs;
  }

  get #ageMs(): number {
    return performance.now() - this.#dialledAt;
  }

  /** Fetches the visitor `id`, now or as soon as the server has sent its challenge. To be called once. */
  accept(id: string, { onVisitor, onFailed }: DataConnectionEvents): void {
    this.#visitor = { id, onVisitor };
    this.#onFailed = onFailed;
    if (this.#proof !== undefined) this.#fetch(this.#visitor, this.#proof);
  }

  /** Hangs up and calls no event; does nothing if a visitor was fetched. */
  abandon(): void {
    if (this.#isOver) return;
    this.#finish();
    this.#socket.destroy();
  }

  #onConnect(): void {
    this.#onDialled?.(this.#ageMs);
    if (this.source.key === undefined) this.#setProof(NO_PROOF);
  }

  readonly #onReadable = (): void => {
    const chunk: unknown = this.#socket.read();
    if (Buffer.isBuffer(chunk)) this.#onData(chunk);
  };

  readonly #onEnd = (): void => this.#fail('the server hung up');

  #onData(chunk: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#decoder.push(chunk);
      const frame = this.#decoder.next();
      if (frame === undefined) return;
      const { key } = this.source;
      const proof = key && renderAuthentication(key, frame);
      if (proof === undefined) this.#fail(UNEXPECTED);
      else this.#setProof(proof);
    } catch {
      this.#fail(UNEXPECTED); // more bytes than a frame has
    }
  }

  #setProof(proof: string): void {
    this.#proof = proof;
    clearTimeout(this.#timer);
    if (this.#visitor !== undefined) this.#fetch(this.#visitor, proof);
    else
      this.#timer = setTimeout(() => this.#fail('no visitor came'), Math.max(0, this.#holdMs - this.#ageMs));
  }

  #fetch(
    { id, onVisitor }: { id: string; onVisitor: DataConnectionEvents['onVisitor'] },
    proof: string,
  ): void {
    this.#finish();
    this.#socket.off('end', this.#onEnd).off('readable', this.#onReadable);
    sendRequest(this.#socket, proof, { Accept: id });
    onVisitor(this.#socket, this.#decoder.takeRest(), this.#end);
  }

  #fail(reason: string): void {
    if (this.#isOver) return;
    this.#finish();
    resetSocket(this.#socket);
    this.#onFailed(reason);
  }

  #finish(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
