// The `trusted-proxy` input: whether visitors' addresses are read from the `X-Forwarded-For` of the proxy in front. Used by
// inputs.

import { InputError } from '../shared/errors.ts';
import { renderPublicUrl, SAMPLE_PORT } from '../shared/public-url.ts';
import type { Protocol } from '../shared/state.ts';
import type { Checked } from './problems.ts';
import type { TlsInputs } from './tls.ts';
import type { TunnelInputs } from './tunnel.ts';
import { parseBoolean } from './values.ts';

const EXAMPLE = 'https://{port}.preview.example.com';

/** Throws if there can be no proxy that sets the field. */
export function parseTrustedProxy(
  text: string,
  context: { protocol: Protocol; tunnel: Checked<TunnelInputs>; tls: Checked<TlsInputs | undefined> },
): boolean {
  const { protocol, tunnel, tls } = context;
  if (!parseBoolean(text, 'trusted-proxy', false)) return false;
  if (protocol === 'tcp')
    throw new InputError(
      '`trusted-proxy` cannot be used with `protocol: tcp`: raw bytes have no X-Forwarded-For; leave it out',
    );
  const publicUrl = tls.value?.publicUrl ?? tunnel.value.publicUrl;
  if (leadsToServer(publicUrl, tunnel.value, tls.value !== undefined))
    throw new InputError(
      `\`trusted-proxy\` is true, and \`public-url\` is '${publicUrl}', the address of the bore server itself, where no proxy sets X-Forwarded-For and visitors could forge it: set \`public-url\` to the address of your proxy, like ${EXAMPLE}, or leave \`trusted-proxy\` out`,
    );
  return true;
}

/**
 * Whether visitors who open the URL come to the bore server, without a proxy. bore has no TLS: https on its host and port
 * is a proxy that listens there, unless TLS ends on the runner.
 */
function leadsToServer(publicUrl: string, { servers, remotePort }: TunnelInputs, endsTls: boolean): boolean {
  if (publicUrl.startsWith('https:') && !endsTls) return false;
  const port = remotePort.kind === 'fixed' ? remotePort.port : SAMPLE_PORT;
  return servers.some(({ address: { host } }) => {
    const url = URL.parse(renderPublicUrl(publicUrl, host, port));
    const own = URL.parse(renderPublicUrl(`${url?.protocol}//{host}:{port}`, host, port));
    return url !== null && url.host === own?.host;
  });
}
