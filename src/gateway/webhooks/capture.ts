// Which requests are recorded. Used by recorder.ts, and by inputs/ and exposure/config.ts for the type.

import type { Capture } from '../../shared/captured-request.ts';
import { compilePatterns } from '../../shared/path-patterns.ts';

export type { Capture };

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Returns a function: is a request with this method and path (target without its query) recorded? */
export function compileCapture(capture: Capture): (method: string, path: string) => boolean {
  switch (capture.kind) {
    case 'none':
      return () => false;
    case 'unsafe methods':
      return method => !SAFE_METHODS.has(method);
    case 'paths': {
      const matches = compilePatterns(capture.patterns);
      return (_, path) => matches(path);
    }
  }
}
