// Starts the plain file server that `mode: web` is compared with. Used by cases/web-app.ts.

import { startProgram } from './process.ts';
import { PROGRAMS } from './programs.ts';

export interface FileServer {
  /** On 127.0.0.1. */
  port: number;
  stop(): Promise<void>;
}

/** Sends files as they are. */
export async function startPlainServer(folder: string, namespace: string): Promise<FileServer> {
  const program = startProgram(PROGRAMS.app, ['127.0.0.1:0', folder], { namespace });
  const { value: port } = await program.waitFor(text => Number(text) || undefined, "the server's port");
  return { port, stop: () => program.stop() };
}
