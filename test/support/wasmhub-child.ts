// Serves wasmhub's release folder in a process of its own, for another network namespace. Run as `node wasmhub-child.ts
// RUNTIME`, with the path of the runtime. Prints its URL. Used by test/apps/drive.ts.

import { startWasmhub } from './wasmhub-server.ts';

const { url } = await startWasmhub({ runtime: String(process.argv[2]) });
process.stdout.write(`${url}\n`);
