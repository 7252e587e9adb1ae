// Entry of the post step: takes the preview down, however main ended, and keeps what main installed. Never fails the
// job.

import { describeError } from './shared/errors.ts';
import { tolerateBrokenOutput } from './shared/output.ts';
import { print } from './step/print.ts';
import { keepInstalled, tearDown } from './step/teardown.ts';

tolerateBrokenOutput();

void tearDown()
  .catch(error => print.warning(`parts of the preview may still be running: ${describeError(error)}`))
  .then(keepInstalled);
