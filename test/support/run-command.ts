// Runs a command of `expose` to its end in this process, and keeps what it prints. Used by the tests of commands.

import { vi } from 'vitest';
import { runCommand } from '../../src/commands/commands.ts';
import { readShell } from '../../src/commands/shell.ts';

/** `temp`: the folder in which the command looks for sessions. `printed` has what it has printed while it still runs. */
export async function runPrinting(
  args: readonly string[],
  temp: string,
  printed = { out: '', err: '' },
): Promise<{ code: number; out: string; err: string }> {
  const spies = (
    [
      ['stdout', 'out'],
      ['stderr', 'err'],
    ] as const
  ).map(([stream, name]) =>
    vi.spyOn(process[stream], 'write').mockImplementation((chunk, ...rest) => {
      printed[name] += chunk;
      for (const callback of rest) if (typeof callback === 'function') callback();
      return true;
    }),
  );
  try {
    return { code: await runCommand(args, readShell({ RUNNER_TEMP: temp })), ...printed };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
