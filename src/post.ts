// Entry of the post step: takes the preview down, whatever main came to. Never fails the job.

import { describeError } from './shared/errors.ts';
import { tolerateBrokenOutput } from './shared/output.ts';
import { print } from './step/print.ts';
import { tearDown } from './step/teardown.ts';

tolerateBrokenOutput();

void tearDown().catch(error =>
  print.warning(`the preview may not be taken down wholly: ${describeError(error)}`),
);
