// A gateway in a process of its own, so that its memory can be measured. Run as `node gateway-child.ts APP_PORT
// [OPTIONS]`, with the options of `openDoor` as JSON, and two more: `capture` says which requests are recorded, and
// `requestsFile` where they are written. Prints its port as the first line, and ends with its standard input. With
// `node --expose-gc`, each line there is answered by the number of bytes that are in use after a garbage collection.

import { RequestRecorder } from '../../src/gateway/webhooks/record/recorder.ts';
import { RequestsFile } from '../../src/gateway/webhooks/record/requests-file.ts';
import { redactRequest } from '../../src/shared/redaction.ts';
import { openDoor } from './gateway-door.ts';

const { capture, requestsFile, ...options } = JSON.parse(process.argv[3] ?? '{}');
const recorder = capture && new RequestRecorder(capture);
if (requestsFile !== undefined)
  new RequestsFile({
    path: requestsFile,
    requests: recorder,
    redact: redactRequest,
    onProblem: console.error,
  });
const maxBodyBytes = 16 * 1024 ** 3;
const door = await openDoor(Number(process.argv[2]), {
  ...options,
  ...(capture && { recorder }),
  rules: { maxBodyBytes, ...options.rules },
});
process.stdout.write(`${door.port}\n`);
process.stdin.on('data', () => {
  global.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  process.stdout.write(`${heapUsed + external}\n`);
});
process.stdin.once('end', () => void door.stop());
