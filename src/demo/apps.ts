// The apps that the demo exposes: what a checkout and a build leave in the job's workspace, and the inputs for it. Used
// by the demo's story.

import { join } from 'node:path';

export type AppKind = 'os' | 'web';

export interface DemoApp {
  /** Path in the workspace → folder that is copied there. */
  checkout: Record<string, string>;
  inputs: Record<string, string>;
  /** For the page: one sentence. */
  description: string;
}

/** `root` holds `examples`. */
export function describeApp(kind: AppKind, root: string): DemoApp {
  const example = (name: string) => join(root, 'examples', name);
  if (kind === 'os')
    return {
      checkout: { '': example('os-hello') },
      inputs: { path: '.', mode: 'os' },
      description: 'A Node.js program that runs in the OS mode of wasmrun, a WebAssembly runtime.',
    };
  return {
    checkout: { '': example('demo'), dist: example('web-hello') },
    inputs: { command: 'node server.js' },
    description: 'A web app whose pixels come from WebAssembly, sent by a small server.',
  };
}
