// The app of all benchmarks (bench/app), listening on a port of 127.0.0.1. Used by the cases.

import { startProgram } from './process.ts';
import { PROGRAMS } from './programs.ts';

export interface BenchApp {
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
}

export async function startApp(namespace?: string): Promise<BenchApp> {
  const program = startProgram(PROGRAMS.app, [], { namespace });
  const { value: port } = await program.waitFor(text => Number(text) || undefined, "the app's port");
  return { host: '127.0.0.1', port, stop: () => program.stop() };
}
