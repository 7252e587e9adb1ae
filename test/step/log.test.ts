// What the runner sees of the supervisor's log. step/log.ts writes to the output of its process, so each test runs it
// in a process of its own.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';

let file: string;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'step-log-'));
  file = join(folder, 'expose.log');
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

function run(script: string): string[] {
  const module = JSON.stringify(resolve('src/step/log.ts'));
  const code = `import * as log from ${module};\nconst file = ${JSON.stringify(file)};\n${script}`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })
    .trimEnd()
    .split('\n');
}

/** What the runner's command parser would act on. */
function findCommands(lines: readonly string[]): string[] {
  let token: string | undefined;
  return lines.filter(line => {
    const suspend = /^::stop-commands::(.+)$/.exec(line)?.[1];
    if (token === undefined && suspend !== undefined) {
      token = suspend;
      return false;
    }
    if (line === `::${token}::`) {
      token = undefined;
      return false;
    }
    return token === undefined && /^::|##\[/.test(line);
  });
}

it('a copied log contains no runner command, whatever is in it', () => {
  writeFileSync(
    file,
    '::add-path::/evil\n::set-env name=A::b\n##[add-mask]x\n::stop-commands::mine\n::mine::\n',
  );
  const lines = run('log.relayLog(file).stop(); console.log("::notice::ours");');
  expect(lines.join('\n')).toContain('/evil');
  expect(findCommands(lines)).toEqual(['::notice::ours']);
});

it('a log tail is one group and counts the lines before it', () => {
  writeFileSync(file, 'one\ntwo\n::error::not ours\n');
  const lines = run('log.printTail(file, "Log of the preview", 2);');
  expect(lines[0]).toBe('::group::Log of the preview');
  expect(lines).toContain('… 1 earlier line');
  expect(lines).not.toContain('one');
  expect(findCommands(lines)).toEqual(['::group::Log of the preview', '::endgroup::']);
});

it('a tail continues where the copy ended', () => {
  writeFileSync(file, 'one\ntwö\nhalf');
  const script = `const shown = log.relayLog(file).stop();
    (await import('node:fs')).appendFileSync(file, ' and half\\n');
    console.log('---');
    log.printTail(file, 'Rest', 9, shown);`;
  const lines = run(script);
  const rest = lines.slice(lines.indexOf('---'));
  expect(rest.filter(line => !line.startsWith('::'))).toEqual(['---', 'half and half']);
});

it('an empty log gets no group', () => {
  expect(run('log.printTail(file, "Log of the preview", 2);')).toEqual(['']);
});

it('uses a fresh stop-commands token each time', () => {
  const script = 'log.relayLog(file).stop(); log.relayLog(file).stop();';
  const [first, , second] = run(script);
  expect(first).toMatch(/^::stop-commands::[0-9a-f]{32}$/);
  expect(second).toMatch(/^::stop-commands::[0-9a-f]{32}$/);
  expect(first).not.toBe(second);
});

it('control characters of a crash do not reach the log', () => {
  writeFileSync(file, 'a\u001b[2Jb\u0007c\n');
  expect(run('log.relayLog(file).stop();').join('')).not.toMatch(/[\u0007\u001b]/);
});

it('warnings become annotations, and messages below the level are left out', () => {
  const script =
    'const l = log.createStepLogger("info"); l.debug("a"); l.info("b"); l.warn("c"); l.error("d");';
  expect(run(script)).toEqual(['b', '::warning::c', '::error::d']);
});
