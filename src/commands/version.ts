// The version of this package, for `expose --version`. Used by commands.ts, and by scripts/build.ts, which puts it into
// the bundle.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';

const PACKAGE = join(import.meta.dirname, '../../package.json');

/** From package.json. A build has a constant in place of this module. */
export function readVersion(): string {
  return v.parse(v.object({ version: v.string() }), JSON.parse(readFileSync(PACKAGE, 'utf8'))).version;
}
