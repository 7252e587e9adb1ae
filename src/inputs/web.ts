// What may not work of a web app that is served as the inputs say. Used by inputs.ts.

import { checkFolder, nameFiles } from '../app/web/folder-check.ts';
import type { AppInputs } from './app.ts';

const NEEDS_HTTPS = 'use `tls-cert`, or `public-url` with a proxy that has TLS';

/** Warnings; none for other modes than web. */
export function listWebWarnings(
  { mode, path, crossOriginIsolation }: Pick<AppInputs, 'mode' | 'path' | 'crossOriginIsolation'>,
  publicUrl: string,
): string[] {
  if (mode !== 'web') return [];
  const isSecure = publicUrl.startsWith('https:');
  const isIsolated = crossOriginIsolation !== false;
  const { warnings, threads, brotli } = checkFolder(path);
  return [
    ...warnings,
    // Browsers isolate a page only in a secure context (HTML Standard, cross-origin isolation).
    ...(isIsolated && !isSecure
      ? [
          `\`cross-origin-isolation\` has no effect over http, so there is no SharedArrayBuffer: ${NEEDS_HTTPS}`,
        ]
      : []),
    ...(threads !== undefined && !isIsolated
      ? [
          `${nameFiles([threads])} uses threads, and browsers allow those only on isolated pages over https: set \`cross-origin-isolation: true\`${isSecure ? '' : `, and ${NEEDS_HTTPS}`}`,
        ]
      : []),
    ...(brotli.length > 0 && !isSecure
      ? [
          `compressed with brotli: ${nameFiles(brotli)}. Browsers accept that only over https; over http the files are sent decompressed, which takes longer: ${NEEDS_HTTPS}`,
        ]
      : []),
  ];
}
