// What the runner sees of main's log and of the supervisor's. step/log.ts writes to the output of its process, so each test runs it
// in a process of its own.

import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { renderLogLine } from '../../src/shared/log-line.ts';

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

const NOON = new Date('2026-05-04T12:00:00Z');
const write = (lines: readonly string[], more = '') => writeFileSync(file, `${lines.join('\n')}\n${more}`);
const say = (text: string) => renderLogLine(text, 'info', NOON);
const warn = (text: string) => renderLogLine(text, 'warn', NOON);

/** Runs `script` with a StepLog that has read the file. */
function runStepLog(script: string, level = 'info'): string[] {
  return run(`const step = new log.StepLog('${level}'); ${script}; step.stop();`);
}

/** Without the lines that switch the command parser off and on. */
const withoutPauses = (lines: readonly string[]) =>
  lines.filter(line => !/^::(?:stop-commands::)?[0-9a-f]{32}(?:::)?$/.test(line));

it("main's log contains no runner command of the app or of a crash, whatever is in it", () => {
  const hostile = [
    '::add-path::/evil',
    '::set-env name=A::b',
    '##[add-mask]x',
    '::stop-commands::mine',
    '::mine::',
  ];
  write([...hostile, ...hostile.map(line => say(`app | ${line}`)), ...hostile.map(say)]);
  const lines = runStepLog('step.follow(file); step.endStart(); step.stop(); console.log("::notice::ours");');
  expect(lines.join('\n')).toContain('/evil');
  expect(findCommands(lines)).toEqual(['::group::Start of the preview', '::endgroup::', '::notice::ours']);
});

it('the start is one group, and a warning in it stands outside, once', () => {
  write([say('mode web'), warn('port 6000 is blocked'), say('app | hello'), warn('port 6000 is blocked')]);
  const lines = runStepLog(`step.logger.info('access open'); step.follow(file); step.endStart();
    step.tell('the link'); step.warn('port 6000 is blocked');`);
  expect(withoutPauses(lines)).toEqual([
    '::group::Start of the preview',
    'access open',
    'mode web',
    '::endgroup::',
    '::warning::port 6000 is blocked',
    '::group::Start of the preview, continued',
    'app | hello',
    'warning: port 6000 is blocked',
    '::endgroup::',
    'the link',
  ]);
});

it('in a hold its lines stand alone, and the console of the app comes at the end, as one group', () => {
  write([say('tunnel connected')]);
  const lines = runStepLog(`step.follow(file); step.endStart();
    const { appendFileSync } = await import('node:fs');
    appendFileSync(file, ${JSON.stringify(`${[say('reconnecting'), say('app | ::error::x'), warn('away')].join('\n')}\n`)});
    step.stop();`);
  expect(withoutPauses(lines)).toEqual([
    '::group::Start of the preview',
    'tunnel connected',
    '::endgroup::',
    'reconnecting',
    '::warning::away',
    '::group::Console of the app',
    '12:00:00 ::error::x',
    '::endgroup::',
  ]);
});

it('at debug level, the console of the app is shown as it comes', () => {
  write([say('tunnel connected')]);
  const lines = runStepLog(
    `step.follow(file); step.endStart();
    (await import('node:fs')).appendFileSync(file, ${JSON.stringify(`${say('app | hello')}\n`)});
    step.stop();`,
    'debug',
  );
  expect(withoutPauses(lines).slice(-2)).toEqual(['::endgroup::', 'app | hello']);
});

it('sections of the start are groups of their own, and empty ones are not shown', () => {
  const lines = runStepLog(`step.logger.info('a'); step.beginSection('Installation'); step.logger.info('b');
    step.beginSection('Nothing'); step.beginSection('Start of the preview'); step.logger.info('c'); step.stop();`);
  expect(lines.filter(line => line.startsWith('::group'))).toEqual([
    '::group::Start of the preview',
    '::group::Installation',
    '::group::Start of the preview, continued',
  ]);
});

/** What post shows of the file from byte `from` on. */
const showRest = (from = 0, level = 'info') =>
  run(`const post = new log.StepLog('${level}'); post.showRest(file, ${from});`);

it("post's part of the log is one group, shows times, and counts the lines before the last 200", () => {
  write([
    say('the first'),
    ...Array.from({ length: 199 }, (_, at) => say(`line ${at}`)),
    '::error::not ours',
  ]);
  const lines = showRest();
  expect(lines[0]).toBe('::group::Log of the preview');
  expect(lines).toContain('… 1 earlier line');
  expect(lines).toContain('12:00:00 line 0');
  expect(lines.join('\n')).not.toContain('the first');
  expect(findCommands(lines)).toEqual(['::group::Log of the preview', '::endgroup::']);
});

it('post continues where main ended', () => {
  writeFileSync(file, 'one\ntwö\nhalf');
  const script = `const step = new log.StepLog('info'); step.follow(file); const shown = step.stop();
    (await import('node:fs')).appendFileSync(file, ' and half\\n');
    console.log('---');
    new log.StepLog('info').showRest(file, shown);`;
  const lines = run(script);
  const rest = lines.slice(lines.indexOf('---'));
  expect(rest.filter(line => !line.startsWith('::'))).toEqual(['---', 'half and half']);
});

it('an empty log gets no group', () => {
  expect(showRest()).toEqual(['']);
  expect(runStepLog('step.follow(file); step.endStart(); step.stop();')).toEqual(['']);
});

it.each(['info', 'quiet'])(
  'at %s, post annotates the warnings and errors that came after main, once',
  level => {
    write([warn('seen in main')]);
    const shown = readFileSync(file).length;
    const error = renderLogLine('worse', 'error', NOON);
    appendFileSync(
      file,
      `${[warn('seen in main'), warn('late'), say('app | warning: hers'), error].join('\n')}\n`,
    );
    appendFileSync(file, `${warn('late')}\n`);
    const script = `const post = new log.StepLog('${level}'); post.showRest(file, ${shown}); post.warn('late');`;
    const lines = withoutPauses(run(script));
    expect(lines).toEqual([
      '::group::Log of the preview, continued',
      '12:00:00 warning: seen in main',
      '12:00:00 app | warning: hers',
      '12:00:00 warning: late',
      '::endgroup::',
      '::warning::late',
      '::error::worse',
    ]);
  },
);

it('post keeps annotations free for what it has to say itself', () => {
  write([say('in main'), ...Array.from({ length: 9 }, (_, at) => warn(`warning ${at}`))]);
  const lines = showRest(`${say('in main')}\n`.length);
  expect(lines.filter(line => line.startsWith('::warning::'))).toHaveLength(6);
  expect(lines).toContain('12:00:00 warning: warning 8');
});

it('post repeats no annotation of a main that was cancelled and could not say how much it had shown', () => {
  write([warn('seen in main')]);
  expect(showRest()).toContain('12:00:00 warning: seen in main');
  expect(showRest().filter(line => line.startsWith('::warning::'))).toEqual([]);
});

it('uses a fresh stop-commands token each time', () => {
  write(['crash']);
  const script =
    'for (const _ of [1, 2]) { const step = new log.StepLog("info"); step.follow(file); step.stop(); }';
  const tokens = run(script).filter(line => line.startsWith('::stop-commands::'));
  expect(tokens).toHaveLength(2);
  expect(tokens[0]).toMatch(/^::stop-commands::[0-9a-f]{32}$/);
  expect(tokens[1]).not.toBe(tokens[0]);
});

it('control characters of a crash do not reach the log', () => {
  write(['a\u001b[2Jb\u0007c']);
  expect(runStepLog('step.follow(file); step.stop();').join('')).not.toMatch(/[\u0007\u001b]/);
});

it('warnings become annotations, and messages below the level are left out', () => {
  const script =
    'const l = log.createStepLogger("info"); l.debug("a"); l.info("b"); l.warn("c"); l.error("d");';
  expect(run(script)).toEqual(['b', '::warning::c', '::error::d']);
  const quiet = runStepLog('const l = step.logger; l.info("a"); l.warn("b"); step.tell("link");', 'quiet');
  expect(quiet).toEqual(['::warning::b', 'link']);
});
