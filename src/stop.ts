// Entry of the `stop` action: ends an exposure of this job before the job's end.

import { callControl } from './control/client.ts';
import { describeError } from './shared/errors.ts';
import { tolerateBrokenOutput } from './shared/output.ts';
import { limitStop, MAX_STOP_TIMEOUT_MS } from './shared/stop-times.ts';
import { readStopInputs, readTempFolder } from './step/job-environment.ts';
import { print } from './step/print.ts';
import { chooseSession, isRunning, listSessions } from './supervisor/session-folder.ts';

async function run(): Promise<void> {
  const tempFolder = readTempFolder();
  const { session: wanted } = readStopInputs();
  // If the preview was skipped (in a pull request of a fork), this step must not fail.
  if (wanted === undefined && listSessions(tempFolder).length === 0)
    return print.notice('nothing is exposed in this job, so there is nothing to stop');
  const found = chooseSession(tempFolder, wanted);
  const { session } = found;
  if (!isRunning(found)) return print.info(`${session.name} had ended already`);
  await callControl(session, 'POST /api/stop', limitStop(MAX_STOP_TIMEOUT_MS));
  print.info(`${session.name} has ended`);
}

tolerateBrokenOutput();
void run().catch(error => print.failure(describeError(error)));
