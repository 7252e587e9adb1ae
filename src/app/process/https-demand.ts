// Finds out whether an app sends browsers to https although its preview is plain http: its pages then stay empty, or
// cannot be opened, while everything looks well from here. Used by app.ts.

import type { IncomingHttpHeaders } from 'node:http';
import { sanitise } from '../../shared/sanitise.ts';

const REMEDY = 'switch that off for previews, or give the preview https (`tls-cert`, or a proxy in front)';

/** Browsers treat these like https (W3C Secure Contexts, 3.1), and upgrade nothing. */
const TRUSTWORTHY = /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/;

/** A warning about the app's answer to `path`, or undefined. `publicUrl`: the address that visitors open. */
export function findHttpsDemand(
  answer: { status: number; headers: IncomingHttpHeaders },
  path: string,
  publicUrl: string,
): string | undefined {
  const url = URL.parse(publicUrl);
  if (url?.protocol !== 'http:' || TRUSTWORTHY.test(url.hostname)) return undefined;
  const { location = '', 'content-security-policy': policy = '' } = answer.headers;
  const target = answer.status >= 300 && answer.status < 400 ? URL.parse(location) : null;
  if (
    target?.protocol === 'https:' &&
    (TRUSTWORTHY.test(target.hostname) || target.hostname === url.hostname)
  )
    return `the app redirects GET ${path} to ${sanitise(target.origin)}, but the preview is plain http, so visitors get an error: ${REMEDY}`;
  if (/(?:^|[;,])\s*upgrade-insecure-requests\s*(?:[;,]|$)/i.test([policy].flat().join(',')))
    return `the app's Content-Security-Policy has upgrade-insecure-requests, as helmet sets it, so browsers load its scripts and send its forms with https, but the preview is plain http: ${REMEDY}`;
  return undefined;
}
