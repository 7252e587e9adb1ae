// A directive of Content-Security-Policy that a preview over plain http must not have. Used by gateway/upstream/headers.ts
// and by `mode: web`.

/**
 * Removes `upgrade-insecure-requests` from policies (W3C Upgrade Insecure Requests, 3.1), which helmet sets by default.
 * Browsers would load everything of the preview with https, which it does not have.
 */
export function dropUpgrade(policies: string): string {
  return policies.replace(/(^|[;,])(?:\s*upgrade-insecure-requests(?:\s[^;,]*)?(?:;|(?=,)|$))+/gi, '$1');
}
