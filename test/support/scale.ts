// How much the long tests do: enough to find the same faults before a change lands, and all of it every night
// (EXPOSE_FULL=1, .github/workflows/nightly.yml).

export const isFull = process.env.EXPOSE_FULL === '1';

/** `gate` in the run that every change waits for, `full` in the nightly one. */
export function scale(gate: number, full: number): number {
  return isFull ? full : gate;
}

/**
 * The same random choices in every run of the gate, so that a failure is the change's own; new ones every night.
 * EXPOSE_SEED repeats those of a run that failed.
 */
export function chooseSeed(fixed: number): number {
  const { EXPOSE_SEED } = process.env;
  if (EXPOSE_SEED !== undefined) return Number(EXPOSE_SEED);
  return isFull ? Math.floor(Math.random() * 2 ** 31) : fixed;
}
