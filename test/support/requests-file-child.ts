// Writes captured requests without end, in bursts, to be killed. Run as `node requests-file-child.ts PATH`. Prints a
// line when it begins.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { RequestsFile } from '../../src/gateway/webhooks/record/requests-file.ts';
import { FakeRequestLog } from './request-log.ts';

const requests = new FakeRequestLog({ kind: 'none' });
const path = process.argv[2] ?? '';
new RequestsFile({
  path,
  requests,
  redact: message => message,
  onProblem: problem => console.error(problem),
});
process.stdout.write('ready\n');
for (;;) {
  for (let index = 0; index < 20; index += 1)
    requests.forget(requests.add({ body: Buffer.alloc(2_000, 'x') }).id);
  await nextTurn();
}
