// Where TLS ends: tells TLS from plain HTTP by a visitor's first byte, shakes hands, and hands the visitor on to
// HTTP/1.1 or HTTP/2, whichever was agreed on. Used by gateway.ts in place of a bare visitor server.

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, TLSSocket } from 'node:tls';
import { awaitClose } from './closing.ts';
import { ConnectionSlots } from './connection-slots.ts';
import { startHttp2Server } from './http2-server.ts';
import {
  type Arrival,
  startVisitorServer,
  type VisitorLimits,
  type VisitorServer,
} from './visitor-server.ts';

/** PEM; the certificate first, then its intermediates. */
export interface TlsIdentity {
  cert: string;
  key: string;
}

export interface TlsDoors {
  /** A request that came through TLS. */
  secure: (arrival: Arrival) => void;
  /** A request in plain HTTP; it must not get anything of the app. */
  plain: (arrival: Arrival) => void;
}

/** The type of every TLS record that can begin a connection (RFC 8446, 5.1); no HTTP method begins with it. */
const HANDSHAKE_RECORD = 0x16;

/** Ready at once; throws where certificate and key are no pair. */
export function startTlsFront(tls: TlsIdentity, limits: VisitorLimits, doors: TlsDoors): VisitorServer {
  const visitors = new Set<Duplex>();
  /** Those who have not said what they speak, or are not done with the handshake. */
  const greeting = new Set<Duplex>();
  const slots = new ConnectionSlots(limits);
  const http1 = startVisitorServer(limits, doors.secure, slots);
  const http2 = startHttp2Server(limits, doors.secure, slots);
  const plain = startVisitorServer(limits, doors.plain, slots);
  const secureContext = createSecureContext({ cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2' });
  let stopped = false;
  const secure = (visitor: Duplex) => {
    const socket = new TLSSocket(visitor, {
      isServer: true,
      secureContext,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    slots.join(socket, visitor);
    const timer = setTimeout(() => socket.destroy(), limits.handshakeTimeoutMs);
    socket.once('close', () => clearTimeout(timer));
    // Behind the handshake Node tells nobody else of an error of TLS, and what was to be written is forgotten: only a
    // server of its own releases the socket's control (_tls_wrap.js), which makes it an 'error' that destroys.
    socket.on('_tlsError', () => visitor.destroy());
    // A failed handshake is the visitor's affair; Node closes its connection.
    socket.on('error', ignore);
    socket.once('secure', () => {
      clearTimeout(timer);
      greeting.delete(visitor);
      // As Node's own server does, which cannot tell whose slot a secured stream has; an HTTP/2 session waits for it.
      Object.assign(socket, { secureConnecting: false });
      (socket.alpnProtocol === 'h2' ? http2 : http1).admit(socket);
    });
  };
  return {
    admit: visitor => {
      visitor.on('error', ignore);
      if (stopped || visitor.destroyed || !slots.take(visitor)) {
        visitor.destroy();
        return false;
      }
      visitors.add(visitor);
      greeting.add(visitor);
      visitor.once('close', () => {
        visitors.delete(visitor);
        greeting.delete(visitor);
      });
      if (visitor instanceof Socket) visitor.setNoDelay(true);
      readFirstByte(visitor, limits.handshakeTimeoutMs, byte => {
        if (byte === HANDSHAKE_RECORD) return secure(visitor);
        greeting.delete(visitor);
        plain.admit(visitor);
      });
      return true;
    },
    stop: async (drainMs = 0) => {
      stopped = true;
      for (const visitor of greeting) visitor.destroy();
      await Promise.all([http1, http2, plain].map(server => server.stop(drainMs)));
      // Connections that TLS has finished with.
      const closed = [...visitors].map(awaitClose);
      for (const visitor of visitors) visitor.destroy();
      await Promise.all(closed);
    },
  };
}

/** Takes nothing away: the byte is put back. A visitor who says nothing in time, or leaves, is closed. */
function readFirstByte(visitor: Duplex, timeoutMs: number, onByte: (byte: number | undefined) => void): void {
  const timer = setTimeout(() => visitor.destroy(), timeoutMs);
  const leave = () => visitor.destroy();
  const read = () => {
    const chunk: unknown = visitor.read();
    if (!Buffer.isBuffer(chunk)) return;
    clearTimeout(timer);
    visitor.off('readable', read).off('end', leave);
    visitor.unshift(chunk);
    onByte(chunk[0]);
  };
  visitor.on('readable', read).once('end', leave);
  visitor.once('close', () => clearTimeout(timer));
}

function ignore(): void {}
