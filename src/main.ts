// Entry of the step. The runner cancels with SIGINT and kills ten seconds later, so main leaves at once and lets post
// take the preview down.

import { setFailed } from '@actions/core';
import { reportFailure, runPreview } from './preview.ts';

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    setFailed('cancelled; the post step takes the preview down');
    process.exit(1);
  });

void runPreview().catch(reportFailure);
