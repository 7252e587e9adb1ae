#!/usr/bin/env node
// Entry of the `expose` command: runs a preview in the foreground, or reads and ends one that is running.

import { leaveWith, tolerateBrokenOutput } from './shared/output.ts';

const OLDEST_NODE = 24;

async function run(): Promise<number> {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    process.stderr.write(
      `expose needs Node ${OLDEST_NODE} or later, and this is ${process.versions.node} (${process.execPath}): install a newer one from nodejs.org; in a checkout, \`npm ci && npm run demo\` brings its own\n`,
    );
    return 2;
  }
  // Loaded only now: an older Node would fail on the first module that it does not understand.
  const { runCommand } = await import('./commands/commands.ts');
  const { readShell } = await import('./commands/shell.ts');
  return runCommand(process.argv.slice(2), readShell(process.env));
}

tolerateBrokenOutput();
void run().then(leaveWith);
