// Where TLS ends: tells TLS from plain HTTP by a visitor's first byte, shakes hands, and hands the visitor on to
// HTTP/1.1 or HTTP/2, whichever was agreed on. Used by gateway.ts in place of a bare visitor server.

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer, type TLSSocket } from 'node:tls';
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
  /** Those of whom nobody knows yet what they speak. */
  const greeting = new Set<Duplex>();
  const http1 = startVisitorServer(limits, doors.secure);
  const http2 = startHttp2Server(limits, doors.secure);
  const plain = startVisitorServer(limits, doors.plain);
  let stopped = false;
  const handshakes = createServer({
    cert: tls.cert,
    key: tls.key,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: limits.handshakeTimeoutMs,
  });
  handshakes.on('secureConnection', (socket: TLSSocket) => {
    (socket.alpnProtocol === 'h2' ? http2 : http1).admit(socket);
  });
  // A failed handshake is the visitor's affair; Node closes its connection.
  handshakes.on('tlsClientError', (_, socket) => socket.destroy());
  return {
    admit: visitor => {
      visitor.on('error', ignore);
      if (stopped || visitors.size >= limits.sockets || visitor.destroyed) {
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
        greeting.delete(visitor);
        if (byte === HANDSHAKE_RECORD) handshakes.emit('connection', visitor);
        else plain.admit(visitor);
      });
      return true;
    },
    stop: async (drainMs = 0) => {
      stopped = true;
      for (const visitor of greeting) visitor.destroy();
      await Promise.all([http1, http2, plain].map(server => server.stop(drainMs)));
      // Handshakes that were under way, and connections that TLS has finished with.
      const closed = [...visitors].map(visitor => new Promise(resolve => visitor.once('close', resolve)));
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
