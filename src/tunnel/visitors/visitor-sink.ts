// The destination of visitors' connections: a Relay for raw bytes, or a receiver of streams. Made by
// exposure/ingress.ts, used by the other files of this folder.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { PipeEnd } from '../relay/pipe.ts';
import type { Relay, SecondThreadOptions } from '../relay/relay.ts';
import { KEEP_ALIVE_MS, MAX_GATEWAY_VISITORS } from '../timings.ts';

export interface VisitorSink {
  /** Visitors at a time, fetched and waiting together. */
  readonly maxVisitors: number;
  /** How to share the visitors with a second thread; undefined: one thread serves all. */
  readonly secondThread: (SecondThreadOptions & { relay: Relay }) | undefined;
  /** The reader for a connection that is about to be opened; undefined: the connection is read as a stream. */
  openEnd(): PipeEnd | undefined;
  /**
   * From this call on, the connection carries a visitor's bytes; `first` holds those already read (mostly none). `end`
   * is what `openEnd` returned for it. If this throws, the visitor is reset.
   */
  accept(socket: Socket, first: Buffer, end: PipeEnd | undefined): void;
  /** Cuts every connection that is still open. */
  cut(): void;
}

/** Receives each visitor's own byte stream: noDelay, allowHalfOpen. The receiver must end both directions. */
export type StreamReceiver = (visitor: Duplex) => void;

/** Gives each visitor to `receiver` as a stream. If `receiver` throws, only that visitor is lost. */
export function createStreamSink(receiver: StreamReceiver): VisitorSink {
  return {
    maxVisitors: MAX_GATEWAY_VISITORS,
    secondThread: undefined,
    openEnd: () => undefined,
    accept: (socket, first) => {
      // A visitor may wait long for an answer or an event, and cloud networks forget a connection that is silent for
      // four minutes (Azure's outbound connections, for instance, which GitHub's runners have).
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      if (first.length > 0) socket.unshift(first);
      receiver(socket);
    },
    cut: () => {},
  };
}
