// Entry of the background process: reads its configuration from stdin and runs one exposure to its end.

import { text } from 'node:stream/consumers';
import * as v from 'valibot';
import { listSecrets } from './exposure/config.ts';
import { describeError } from './shared/errors.ts';
import { createLogger } from './shared/log.ts';
import { renderLogLine } from './shared/log-line.ts';
import { LogFile, tolerateBrokenOutput } from './shared/output.ts';
import { sanitiseLines } from './shared/sanitise.ts';
import { SupervisorConfigSchema } from './supervisor/config.ts';
import { startSupervision } from './supervisor/supervision.ts';

async function run(): Promise<void> {
  const config = v.parse(SupervisorConfigSchema, JSON.parse(await text(process.stdin)));
  const secrets = [...listSecrets(config.exposure), config.github?.token, config.controlToken];
  let warn = (_message: string) => {};
  // Standard output is the log file.
  const log = new LogFile(STDOUT, MAX_LOG_BYTES, reason =>
    warn(`the log of the preview is incomplete: ${reason}`),
  );
  const logger = createLogger({
    level: config.logLevel,
    hidden: secrets.filter(secret => secret !== undefined),
    write: (line, level) => log.writeLine(renderLogLine(line, level, new Date()), level === 'error'),
    isFull: () => log.isFull,
  });
  const { exposure, controlUrl, finished, failOnBug } = await startSupervision(config, logger);
  process.on('uncaughtException', failOnBug);
  warn = message => exposure.warn(message);
  process.on('SIGTERM', () => void exposure.stop('job ended'));
  // If main is gone by now, it was cancelled, and post will end this process.
  process.send?.({ controlUrl }, undefined, {}, () => {});
  await finished;
}

const STDOUT = 1;
/** An app that prints a lot must not fill the runner's disk. */
const MAX_LOG_BYTES = 10 * 1024 * 1024;

tolerateBrokenOutput();
void run().catch(error => {
  process.stderr.write(`error: ${sanitiseLines(describeError(error))}\n`);
  process.exitCode = 1;
});
