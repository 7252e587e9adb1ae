// Entry of the step. The runner cancels with SIGINT and kills ten seconds later, so main leaves at once and lets post
// take the preview down.

import { tolerateBrokenOutput } from './output.ts';
import { reportFailure, runPreview } from './step/preview.ts';

tolerateBrokenOutput();

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    // Plain text: while the preview's log is repeated, the runner would show a command as it stands.
    process.stdout.write('cancelled; the post step takes the preview down\n');
    process.exit(1);
  });

void runPreview().catch(reportFailure);
