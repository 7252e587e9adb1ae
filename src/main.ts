// Entry of the step. The runner cancels with SIGINT and kills ten seconds later, so main leaves at once and lets post
// take the preview down.

import { Cancellation } from './shared/cancellation.ts';
import { tolerateBrokenOutput } from './shared/output.ts';
import { reportFailure, runPreview } from './step/preview.ts';

tolerateBrokenOutput();

const cancellation = new Cancellation(['SIGINT', 'SIGTERM'], {
  exitCode: 1,
  // Post undoes what takes longer.
  undoMs: 900,
});

void runPreview(cancellation).catch(error => {
  if (!cancellation.signal.aborted) reportFailure(error);
});
