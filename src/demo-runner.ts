// Entry of the process that plays GitHub's runner for `expose demo`, which starts it for each run.

import { startWorker } from './demo/runner/worker.ts';
import { tolerateBrokenOutput } from './shared/output.ts';

tolerateBrokenOutput();
startWorker();
