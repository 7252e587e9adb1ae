// Entry of the background process: reads its configuration from stdin and runs one exposure to its end.

import { text } from 'node:stream/consumers';
import * as v from 'valibot';
import { SupervisorConfigSchema } from './config.ts';
import { describeError } from './errors.ts';
import { createLogger } from './log.ts';
import { startSupervision } from './supervision.ts';

async function run(): Promise<void> {
  const config = v.parse(SupervisorConfigSchema, JSON.parse(await text(process.stdin)));
  const secrets = [config.exposure.tunnel.secret, config.comment?.token, config.controlToken];
  const logger = createLogger({
    level: config.logLevel,
    hidden: secrets.filter(secret => secret !== undefined),
    write: (line, level) => process.stdout.write(`${PREFIXES[level]}${line}\n`),
  });
  const { exposure, controlUrl, finished } = await startSupervision(config, logger);
  process.on('SIGTERM', () => void exposure.stop('job ended'));
  process.send?.({ controlUrl });
  await finished;
}

const PREFIXES = { debug: 'debug: ', info: '', warn: 'warning: ', error: 'error: ' };

void run().catch(error => {
  process.stderr.write(`error: ${describeError(error)}\n`);
  process.exitCode = 1;
});
