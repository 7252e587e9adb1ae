// Output for people is printed by few files, and these remove everything that the runner, or a terminal, would execute.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findCommands, hostileText } from '../support/runner-commands.ts';

const SRC = resolve('src');

/** Every file that writes to an output of its process, and why it may. */
const PRINTERS: Readonly<Record<string, string>> = {
  'step/print.ts': 'the action: sanitises every line',
  'commands/terminal.ts': 'the commands: sanitises every line',
  'commands/wait.ts': 'the progress of a wait, sanitised: a line that is drawn again in its place',
  'commands/foreground.ts': 'a preview in a terminal: its lines come from the logger, or are sanitised there',
  'demo/terminal.ts': 'the demo: sanitises every line',
  'shared/output.ts': 'writes what the foreground hands it, and listens for broken outputs',
  'supervisor.ts': 'its last message, sanitised, because there may be no logger',
  'cli.ts': 'one fixed sentence for a Node too old to load anything else',
  'cache.ts': 'its last message, for cache-service.ts, whose logger sanitises it',
  'step/cache-call.ts': 'one line of JSON for cache-service.ts, after what the library prints',
  'page-host.ts': 'messages as JSON for the process that started it, which sanitises what it shows',
};

const PRINTS =
  /process\.std(?:out|err)|(?<![#/])\bconsole\.\w|core\.(?:debug|info|notice|warning|error|setFailed|startGroup)\b|import \{[^}]*\b(?:debug|info|notice|warning|error|setFailed|startGroup)\b[^}]*\} from '@actions\/core'/;

describe('what is printed', () => {
  it('is printed by the files that sanitise it, and nowhere else', () => {
    const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(name =>
      name.endsWith('.ts'),
    );
    const printers = files.filter(name => PRINTS.test(readFileSync(join(SRC, name), 'utf8')));
    expect(printers.sort()).toEqual(Object.keys(PRINTERS).sort());
  });

  it.each(['step/print.ts', 'commands/terminal.ts'])('is sanitised in every function of %s', name => {
    const source = readFileSync(join(SRC, name), 'utf8');
    const calls = source.split('\n').filter(line => PRINTS.test(line));
    const isFine = (line: string) => /sanitiseLines\(|renderJson\(|JSON\.stringify\(|token/.test(line);
    expect(calls.filter(line => !isFine(line))).toEqual([]);
    expect(calls.length).toBeGreaterThan(2);
  });

  it('contains no foreign command, whatever names and paths are printed', () => {
    const texts = fc.sample(hostileText, { numRuns: 300, seed: 7 });
    const code = `const { print } = await import(${JSON.stringify(join(SRC, 'step/print.ts'))});
const { print: printOut, printAside } = await import(${JSON.stringify(join(SRC, 'commands/terminal.ts'))});
for (const text of ${JSON.stringify(texts)}) {
  print.info(text);
  for (const say of [print.notice, print.warning, print.error, print.debug]) say(text);
  print.failure(text);
  print.group(text, [text]);
  printOut(text);
  printAside(text);
}`;
    const { stdout: output } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    // Ours: annotations, groups, and the pauses of the command parser.
    const ours = /^::(?:notice|warning|error|debug|group|endgroup|stop-commands|[0-9a-f]{32})::/;
    const found = findCommands(output).filter(command => !ours.test(command));
    expect(found).toEqual([]);
    // Without our own lines nothing is left that begins like a command.
    const others = output.split('\n').filter(line => !ours.test(line));
    expect(findCommands(others.join('\n'))).toEqual([]);
    expect(output).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });
});
