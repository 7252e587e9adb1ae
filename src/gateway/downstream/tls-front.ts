// Where TLS ends. Distinguishes TLS from plain HTTP by a visitor's first byte, does the TLS handshake, and passes the
// connection to the HTTP/1.1 or HTTP/2 server, as negotiated (ALPN). Used by gateway.ts in place of a bare HTTP/1.1
// server.

import type { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import type { VisitHandler } from '../visit.ts';
import { ignoreErrors } from './closing.ts';
import { ConnectionSet } from './connection-set.ts';
import { ConnectionSlots } from './connection-slots.ts';
import { Http1Server } from './http1-server.ts';
import { Http2Server } from './http2-server.ts';
import type { VisitorLimits, VisitorServer } from './visitor-server.ts';

/** PEM; the certificate first, then its intermediates. */
export interface TlsIdentity {
  cert: string;
  key: string;
}

/**
 * In order of preference (RFC 7301). A proxy gets HTTP/1.1 only: over one HTTP/2 connection it would send requests of many
 * visitors, and limits and groups of connection-slots.ts are for the requests of one.
 */
const PROTOCOLS = { visitor: ['h2', 'http/1.1'], proxy: ['http/1.1'] };

export interface TlsHandlers {
  /** For requests over TLS. */
  secure: VisitHandler;
  /** For requests in plain HTTP, which must never reach the app. */
  plain: VisitHandler;
  /** Whether all connections come from a proxy. */
  isBehindProxy: boolean;
}

/** The type of the first TLS record of a connection (RFC 8446, 5.1); no HTTP method begins with this byte. */
const HANDSHAKE_RECORD = 0x16;

export class TlsFront implements VisitorServer {
  readonly #limits: VisitorLimits;
  readonly #slots: ConnectionSlots;
  readonly #secureContext: SecureContext;
  /** All TCP connections, with TLS or plain HTTP. */
  readonly #connections: ConnectionSet;
  /** The connections that have not sent a byte yet, or are in the handshake. */
  readonly #handshaking = new Set<Duplex>();
  readonly #http1: Http1Server;
  readonly #http2: Http2Server;
  readonly #plain: Http1Server;
  readonly #protocols: string[];

  /** Ready at once; throws if certificate and key do not match. */
  constructor(
    { cert, key }: TlsIdentity,
    limits: VisitorLimits,
    { secure, plain, isBehindProxy }: TlsHandlers,
  ) {
    this.#limits = limits;
    this.#slots = new ConnectionSlots(limits);
    this.#connections = new ConnectionSet(this.#slots);
    this.#secureContext = createSecureContext({ cert, key, minVersion: 'TLSv1.2' });
    this.#http1 = new Http1Server(limits, secure, this.#slots);
    this.#http2 = new Http2Server(limits, secure, this.#slots);
    this.#plain = new Http1Server(limits, plain, this.#slots);
    this.#protocols = PROTOCOLS[isBehindProxy ? 'proxy' : 'visitor'];
  }

  admit(connection: Duplex): boolean {
    if (!this.#connections.admit(connection)) return false;
    this.#handshaking.add(connection);
    connection.once('close', () => this.#handshaking.delete(connection));
    readFirstByte(connection, this.#limits.handshakeTimeoutMs, byte => {
      if (byte === HANDSHAKE_RECORD) return this.#shakeHands(connection);
      this.#handshaking.delete(connection);
      this.#plain.admit(connection);
    });
    return true;
  }

  async stop(drainMs = 0): Promise<void> {
    this.#connections.refuseNew();
    for (const connection of this.#handshaking) connection.destroy();
    await Promise.all([this.#http1, this.#http2, this.#plain].map(server => server.stop(drainMs)));
    // Now only TCP connections are left whose TLS has ended.
    await this.#connections.stop(0, () => {});
  }

  #shakeHands(connection: Duplex): void {
    const socket = new TLSSocket(connection, {
      isServer: true,
      secureContext: this.#secureContext,
      ALPNProtocols: this.#protocols,
    });
    this.#slots.join(socket, connection);
    const timer = setTimeout(() => socket.destroy(), this.#limits.handshakeTimeoutMs);
    socket.once('close', () => clearTimeout(timer));
    // After the handshake Node reports a TLS error only with this event, and drops what was to be written. It would
    // emit 'error' and destroy the socket only for a tls.Server, which releases the socket's control (_tls_wrap.js).
    socket.on('_tlsError', () => connection.destroy());
    // A failed handshake is the visitor's problem; Node closes its connection.
    ignoreErrors(socket);
    socket.once('secure', () => {
      clearTimeout(timer);
      this.#handshaking.delete(connection);
      // http2 waits for this. Node's tls.Server would set it, but does not show which connection its socket belongs to.
      Object.assign(socket, { secureConnecting: false });
      (socket.alpnProtocol === 'h2' ? this.#http2 : this.#http1).admit(socket);
    });
  }
}

/**
 * Calls `onByte` with the first byte, which stays in the stream. Closes a connection that sends nothing in time, or
 * ends.
 */
function readFirstByte(
  connection: Duplex,
  timeoutMs: number,
  onByte: (byte: number | undefined) => void,
): void {
  const timer = setTimeout(() => connection.destroy(), timeoutMs);
  const leave = () => connection.destroy();
  const read = () => {
    const chunk: unknown = connection.read();
    if (!Buffer.isBuffer(chunk)) return;
    clearTimeout(timer);
    connection.off('readable', read).off('end', leave);
    connection.unshift(chunk);
    onByte(chunk[0]);
  };
  connection.on('readable', read).once('end', leave);
  connection.once('close', () => clearTimeout(timer));
}
