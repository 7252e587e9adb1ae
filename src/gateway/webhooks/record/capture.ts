// Which requests are recorded. Used by recorder.ts, and by inputs/ and exposure/config.ts for the type.

import type { Capture } from '../../../shared/captured-request.ts';
import { SAFE_METHODS } from '../../../shared/http-message.ts';
import { compileLoosePatterns } from '../../../shared/path-patterns.ts';

export type { Capture };

/** Absolute-form (RFC 9112, 3.2.2): the guard refuses it, which should be seen. */
const ORIGIN = /^https?:\/\/[^/?#]*/i;

/** Matching a path costs more than all else that the recorder does; webhooks come to few paths. */
const MAX_REMEMBERED = 256;

/** Returns a function: is a request with this method and path (target without its query) recorded? */
export function compileCapture(capture: Capture): (method: string, path: string) => boolean {
  switch (capture.kind) {
    case 'none':
      return () => false;
    case 'unsafe methods':
      return method => !SAFE_METHODS.has(method);
    case 'paths': {
      const matches = remember(compileLoosePatterns(capture.patterns));
      return (_, path) => matches(path);
    }
  }
}

function remember(matches: (path: string) => boolean): (path: string) => boolean {
  const known = new Map<string, boolean>();
  return path => {
    const before = known.get(path);
    if (before !== undefined) return before;
    const found = matches(path.replace(ORIGIN, ''));
    // Other paths come only from those who try all of them.
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(path, found);
    return found;
  };
}
