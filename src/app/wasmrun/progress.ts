// What the log says of an installation: how far it is, so that nobody thinks it hangs, and how long it took. Used by the
// installation of wasmrun.

import { formatDuration } from '../../shared/duration.ts';
import type { Logger } from '../../shared/log.ts';

/** Logs what `describe` says every `intervalMs` until the work has ended; nothing if it ends before. */
export async function reportProgress<Result>(
  { logger, intervalMs, describe }: { logger: Logger; intervalMs: number; describe: () => string },
  work: () => Promise<Result>,
): Promise<Result> {
  const timer = setInterval(() => logger.info(describe()), intervalMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** `6.1 MB`, decimal, as GitHub shows sizes of downloads. */
export function formatMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** `1.4 s`, `6m 12s`. */
export function formatTime(ms: number): string {
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : formatDuration(ms);
}

/** Counts the crates that cargo compiles, from the lines it prints. */
export class CargoProgress {
  #compiled = 0;
  #crate: string | undefined;

  /** Takes a line of cargo's: `   Compiling serde v1.0.228`. */
  read(line: string): void {
    const crate = /^\s*Compiling (\S+)/.exec(line)?.[1];
    if (crate === undefined) return;
    this.#compiled += 1;
    this.#crate = crate;
  }

  /** `it compiles serde, crate 12`. How many there are in all, cargo says to terminals only. */
  describe(): string {
    return this.#crate === undefined
      ? 'it downloads the sources'
      : `it compiles ${this.#crate}, crate ${this.#compiled}`;
  }
}
