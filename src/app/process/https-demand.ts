// Finds out whether an app sends browsers to https although its preview is plain http: its pages then cannot be opened,
// while everything looks well from here. Used by app.ts.

import type { IncomingHttpHeaders } from 'node:http';
import { isLoopbackName } from '../../shared/public-url.ts';
import { sanitise } from '../../shared/sanitise.ts';

/** A warning about the app's answer to `path`, or undefined. `publicUrl`: the address that visitors open. */
export function findHttpsDemand(
  answer: { status: number; headers: IncomingHttpHeaders },
  path: string,
  publicUrl: string,
): string | undefined {
  const url = URL.parse(publicUrl);
  if (url?.protocol !== 'http:' || answer.status < 300 || answer.status >= 400) return undefined;
  const target = URL.parse(answer.headers.location ?? '');
  if (target?.protocol !== 'https:') return undefined;
  if (!isLoopbackName(target.hostname) && target.hostname !== url.hostname) return undefined;
  return `the app redirects GET ${path} to ${sanitise(target.origin)}, but the preview is plain http, so visitors get an error: switch that off for previews, or give the preview https (\`tls-cert\`, or a proxy in front)`;
}
