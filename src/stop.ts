// Entry of the `stop` action: ends an exposure of this job before the job's end.

import { getInput, info, setFailed } from '@actions/core';
import { callControl } from './control/client.ts';
import { describeError } from './errors.ts';
import { readSurroundings } from './inputs.ts';
import { chooseSession, isRunning } from './session.ts';

/** Visitors are drained for 5 s, then the app has 5 s. */
const STOP_TIMEOUT_MS = 20_000;

async function run(): Promise<void> {
  const found = chooseSession(readSurroundings().tempFolder, getInput('session') || undefined);
  const { session } = found;
  if (!isRunning(found)) return info(`${session.name} had ended already`);
  await callControl(session, 'POST /api/stop', STOP_TIMEOUT_MS);
  info(`${session.name} has ended`);
}

void run().catch(error => setFailed(describeError(error)));
