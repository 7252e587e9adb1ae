// Opens the probe's TLS connection to an address where TLS ends at our own gateway: this machine may not trust its
// certificate. Used by probe.ts.

import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { stripBrackets } from '../shared/public-url.ts';

/** Another program answered: with another certificate, or without TLS. */
export class ForeignPeerError extends Error {
  override name = 'ForeignPeerError';
}

/**
 * Opens a TLS connection. The server must have the certificate with this SHA-256 fingerprint, or, because a proxy may
 * be in between, one that the machine trusts for this name. Rejects with ForeignPeerError if it has neither.
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
      // The certificate is checked below, before the request is sent.
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

/** OpenSSL's own errors: the bytes received are not a TLS handshake. */
function isNoTls(error: Error): boolean {
  return 'code' in error && /^(?:EPROTO|ERR_SSL_)/.test(String(error.code));
}
