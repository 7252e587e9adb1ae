// Starts the small app of all benchmarks (bench/app). Used by the testbed, the far link and the cases.

import { startProgram } from './process.ts';
import { PROGRAMS } from './programs.ts';

export interface BenchApp {
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** Resolves when the app listens, on a free port of 127.0.0.1. */
export async function startApp(namespace?: string): Promise<BenchApp> {
  const program = startProgram(PROGRAMS.app, [], { namespace });
  const { value: port } = await program.waitFor(text => Number(text) || undefined, "the app's port");
  return { host: '127.0.0.1', port, stop: () => program.stop() };
}
