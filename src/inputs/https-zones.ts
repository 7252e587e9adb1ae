// Warns of a plain http link under a top-level domain where browsers open only https (HSTS preload list): a click there
// shows an error page of the browser, although everything here works. Used by inputs.ts.

import { renderPublicUrl, SAMPLE_PORT } from '../shared/public-url.ts';
import type { TunnelInputs } from './tunnel.ts';

/**
 * The top-level domains of the HSTS preload list with `include_subdomains`: Chromium's
 * net/http/transport_security_state_static.json, which Firefox and Safari use too. As of November 2026: every
 * top-level domain of the Public Suffix List, opened over http in Chromium 156.
 */
const HTTPS_ONLY: ReadonlySet<string> = new Set(
  `amazon android app audible azure bank bing boo channel chrome dad day dev eat esq fire fly foo fujitsu gle gmail
  google hangout hotmail imdb ing insurance kindle meet meme microsoft mov new nexus office page phd play prime prof
  rsvp search silk skype windows xbox xn--cckwcxetd xn--jlq480n2rg youtube zappos zip`.split(/\s+/),
);

/** One warning for each server whose link browsers would refuse. */
export function listHttpsWarnings({
  servers,
  publicUrl,
}: Pick<TunnelInputs, 'servers' | 'publicUrl'>): string[] {
  const hosts = servers.flatMap(({ address }) => findHttpsOnlyHost(publicUrl, address.host) ?? []);
  return [...new Set(hosts)].map(host => {
    const zone = host.slice(host.lastIndexOf('.'));
    return `browsers open names under ${zone} only with https, so the link to ${host.replace(`${SAMPLE_PORT}`, '{port}')} will show an error: set \`tls-cert\`, or put a proxy with https in front and set \`public-url\` to https://…`;
  });
}

function findHttpsOnlyHost(publicUrl: string, server: string): string | undefined {
  const url = URL.parse(renderPublicUrl(publicUrl, server, SAMPLE_PORT));
  if (url?.protocol !== 'http:') return undefined;
  // A name may end with the dot of the root.
  const host = url.hostname.replace(/\.$/, '');
  return HTTPS_ONLY.has(host.slice(host.lastIndexOf('.') + 1)) ? host : undefined;
}
