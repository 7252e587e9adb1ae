// Connects the probe to an address where TLS ends at our own gateway, whose certificate the machine may not trust. Used by
// probe.ts.

import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { stripBrackets } from '../shared/public-url.ts';

/** Another program answered, with TLS or without. */
export class ForeignPeerError extends Error {
  override name = 'ForeignPeerError';
}

/**
 * A new TLS connection to a server with the certificate of this SHA-256 fingerprint, or with one that the machine trusts
 * for the name, because a proxy may be in between. Rejects with ForeignPeerError if it has neither.
 */
export function connectTls(url: string, fingerprint: string, signal: AbortSignal): Promise<TLSSocket> {
  const { hostname, port } = new URL(url);
  const host = stripBrackets(hostname);
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connect({
      host,
      port: Number(port || 443),
      ...(isIP(host) === 0 && { servername: host }),
      ALPNProtocols: ['http/1.1'],
      // It is checked below, before a byte is sent.
      rejectUnauthorized: false,
    });
    const giveUp = () => socket.destroy(new Error('no answer in time'));
    signal.addEventListener('abort', giveUp, { once: true });
    socket.once('close', () => signal.removeEventListener('abort', giveUp));
    socket.on('error', error => reject(isNoTls(error) ? new ForeignPeerError(error.message) : error));
    socket.once('secureConnect', () => {
      if (socket.authorized || socket.getPeerX509Certificate()?.fingerprint256 === fingerprint) {
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(new ForeignPeerError(`a certificate that is not ours (${socket.authorizationError})`));
    });
  });
}

/** OpenSSL's own errors: bytes came that are not a possible handshake. */
function isNoTls(error: Error): boolean {
  return 'code' in error && /^(?:EPROTO|ERR_SSL_)/.test(String(error.code));
}
