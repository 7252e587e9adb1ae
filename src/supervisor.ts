// Entry of the background process: reads its configuration from stdin and runs one exposure to its end.

import { text } from 'node:stream/consumers';
import * as v from 'valibot';
import { listSecrets, SupervisorConfigSchema } from './config.ts';
import { describeError } from './errors.ts';
import { createLogger } from './log.ts';
import { startSupervision } from './supervision.ts';

async function run(): Promise<void> {
  const config = v.parse(SupervisorConfigSchema, JSON.parse(await text(process.stdin)));
  const secrets = [...listSecrets(config.exposure), config.comment?.token, config.controlToken];
  const logger = createLogger({
    level: config.logLevel,
    hidden: secrets.filter(secret => secret !== undefined),
    write: createBoundedWriter(MAX_LOG_BYTES),
  });
  const { exposure, controlUrl, finished } = await startSupervision(config, logger);
  process.on('SIGTERM', () => void exposure.stop('job ended'));
  // A main that is gone by now was cancelled: post comes to end this.
  process.send?.({ controlUrl }, undefined, {}, () => {});
  await finished;
}

/** A talkative app must not fill the runner's disk. */
const MAX_LOG_BYTES = 10 * 1024 * 1024;

/** Writes lines to stdout, which is the log file, until it holds `maxBytes`; errors are always written. */
function createBoundedWriter(maxBytes: number) {
  let bytes = 0;
  return (line: string, level: keyof typeof PREFIXES) => {
    const text = `${PREFIXES[level]}${line}\n`;
    const wasFull = bytes > maxBytes;
    bytes += Buffer.byteLength(text);
    if (!wasFull || level === 'error') process.stdout.write(text);
    if (!wasFull && bytes > maxBytes) process.stdout.write('the log is full; only errors follow\n');
  };
}

const PREFIXES = { debug: 'debug: ', info: '', warn: 'warning: ', error: 'error: ' };

void run().catch(error => {
  process.stderr.write(`error: ${describeError(error)}\n`);
  process.exitCode = 1;
});
