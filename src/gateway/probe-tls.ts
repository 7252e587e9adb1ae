// The probe's way through TLS of our own: the certificate is one we know, whether the machine trusts it or not. Used by
// probe.ts.

import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { stripBrackets } from '../shared/public-url.ts';

/** Somebody answered, with TLS or without, and it was not us. */
export class ForeignPeerError extends Error {
  override name = 'ForeignPeerError';
}

/**
 * A connection on which nothing was said yet. It ends at the certificate with this SHA-256 fingerprint, or at one that
 * the machine trusts for the name: a proxy may stand in between. Rejects with ForeignPeerError where it does neither.
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
      // Not the last word: it is judged below, before a byte is sent.
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

/** OpenSSL's own errors: bytes came, and they were not those of a handshake that could be. */
function isNoTls(error: Error): boolean {
  return 'code' in error && /^(?:EPROTO|ERR_SSL_)/.test(String(error.code));
}
