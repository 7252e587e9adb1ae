// Entry of the step. The runner cancels with SIGINT and kills ten seconds later, so main leaves at once and lets post
// take the preview down.

import { Cancellation } from './shared/cancellation.ts';
import { tolerateBrokenOutput } from './shared/output.ts';
import { reportFailure, runPreview } from './step/preview.ts';
import { print } from './step/print.ts';

tolerateBrokenOutput();

const cancellation = new Cancellation(['SIGINT', 'SIGTERM'], {
  exitCode: 1,
  // Post undoes the rest.
  undoMs: 900,
  // Plain text: while the preview's log is repeated, the runner would show a command as it stands.
  onCancel: () => print.info('cancelled; the post step takes the preview down'),
});

void runPreview(cancellation).catch(error => {
  if (!cancellation.signal.aborted) reportFailure(error);
});
