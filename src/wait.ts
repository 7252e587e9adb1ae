// Entry of the `wait` action: waits for requests that a preview of this job captures.

import { describeError } from './shared/errors.ts';
import { tolerateBrokenOutput } from './shared/output.ts';
import { print } from './step/print.ts';
import { runWait } from './step/wait.ts';

tolerateBrokenOutput();
void runWait().catch(error => print.failure(describeError(error)));
