#!/usr/bin/env node
// Entry of the `expose` command: on a laptop the same exposure in the foreground, in a job the way to ask about it.

import { runCommand } from './commands/commands.ts';

void runCommand(process.argv.slice(2), process.env).then(code => {
  process.exitCode = code;
});
