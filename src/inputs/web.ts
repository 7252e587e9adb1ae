// What may not work of a web app that is served as the inputs say. Used by inputs.ts.

import { checkFolder, nameFiles } from '../app/web/folder-check.ts';
import { readHostRules } from '../app/web/host-files.ts';
import { findHttpsPage } from '../app/web/page-check.ts';
import { isLoopbackName, renderPublicUrl, SAMPLE_PORT } from '../shared/public-url.ts';
import type { AppInputs } from './app.ts';
import type { TunnelInputs } from './tunnel.ts';

type WebInputs = Pick<AppInputs, 'mode' | 'path' | 'crossOriginIsolation'>;

const NEEDS_HTTPS = 'use `tls-cert`, or `public-url` with a proxy that has TLS';

/** Warnings; none for other modes than web. */
export function listWebWarnings(
  { mode, path, crossOriginIsolation }: WebInputs,
  tunnel: Pick<TunnelInputs, 'servers' | 'publicUrl'>,
): string[] {
  if (mode !== 'web') return [];
  const isSecure = tunnel.servers.every(({ address }) => isSecureContext(tunnel.publicUrl, address.host));
  const isWanted = crossOriginIsolation !== false;
  const { warnings, threads, brotli } = checkFolder(path);
  return [
    ...warnings,
    ...(isSecure ? [] : warnOfHttpsPage(path)),
    ...(isWanted && !isSecure ? [ISOLATION_WITHOUT_HTTPS] : []),
    ...(threads !== undefined && !isWanted
      ? warnOfThreads(threads, { isSecure, isIsolated: isIsolatedByFile(path) })
      : []),
    ...(brotli.length > 0 && !isSecure ? [describeBrotli(brotli)] : []),
  ];
}

/** As browsers see the address (W3C Secure Contexts, 3.1): with https, or on the machine itself. */
function isSecureContext(publicUrl: string, host: string): boolean {
  const url = URL.parse(renderPublicUrl(publicUrl, host, SAMPLE_PORT));
  return url !== null && (url.protocol === 'https:' || isLoopbackName(url.hostname));
}

function warnOfHttpsPage(folder: string): string[] {
  const page = findHttpsPage(folder);
  if (page === undefined) return [];
  return [
    `${page} has a policy with \`upgrade-insecure-requests\`, so browsers load its files with https, which this preview does not have: remove that, or ${NEEDS_HTTPS}`,
  ];
}

/** Browsers isolate a page only in a secure context (HTML Standard, cross-origin isolation). */
const ISOLATION_WITHOUT_HTTPS = `\`cross-origin-isolation\` has no effect over http, so there is no SharedArrayBuffer: ${NEEDS_HTTPS}`;

function warnOfThreads(
  file: string,
  { isSecure, isIsolated }: { isSecure: boolean; isIsolated: boolean },
): string[] {
  const missing = [
    ...(isIsolated ? [] : ['set `cross-origin-isolation: true`']),
    ...(isSecure ? [] : [NEEDS_HTTPS]),
  ];
  if (missing.length === 0) return [];
  return [
    `${nameFiles([file])} uses threads, which browsers allow only on isolated pages over https; otherwise it uses one thread, or does not start: ${missing.join(', and ')}`,
  ];
}

function describeBrotli(files: readonly string[]): string {
  return `compressed with brotli: ${nameFiles(files)}. Browsers accept that only over https; over http the files are sent decompressed, which takes longer: ${NEEDS_HTTPS}`;
}

/** `_headers` may isolate the page, too. */
function isIsolatedByFile(folder: string): boolean {
  const names = readHostRules(folder)
    .listFields('/')
    .map(([name]) => name.toLowerCase());
  return names.includes('cross-origin-embedder-policy') && names.includes('cross-origin-opener-policy');
}
