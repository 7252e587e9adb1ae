// Every workflow of the project, and every one its documentation tells users to paste, in the eyes of actionlint, which
// finds mistakes, and of zizmor, which finds what an attacker could use.

import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { extractWorkflows, type Workflow } from '../support/workflows.ts';

const ROOT = resolve(import.meta.dirname, '../..');

const OWN = [...list('.github/workflows', '.yml'), ...list('test/e2e/act', '.yml')].map(file => ({
  name: relative(ROOT, file),
  text: readFileSync(file, 'utf8'),
}));
const PAGES = ['README.md', ...globSync(['docs/**/*.md', 'examples/**/*.md'], { cwd: ROOT })];
const PASTED = PAGES.flatMap(page => extractWorkflows(join(ROOT, page)));

function list(folder: string, extension: string): string[] {
  return readdirSync(join(ROOT, folder))
    .filter(file => file.endsWith(extension))
    .map(file => join(ROOT, folder, file));
}

/** What actionlint has to say; '' where it is content. */
function lint(text: string): string {
  const { stdout, stderr, error } = spawnSync(requirePart('actionlint'), ['-no-color', '-'], {
    cwd: ROOT,
    input: text,
    encoding: 'utf8',
  });
  return error ? String(error) : stdout + stderr;
}

describeWithReal(['actionlint'], 'workflows', () => {
  it.each([...OWN, ...PASTED])('$name is a workflow that actionlint accepts', ({ text }) => {
    expect(lint(text)).toBe('');
  });

  it('notices a workflow that could not run', () => {
    expect(lint('on: push\njobs:\n  a:\n    steps: []\n')).toContain('"runs-on" section is missing');
  });
});

/** What users paste names versions they can read, is as short as may be, and in docs/forks.md about such triggers. */
const FOR_PASTED = `
rules:
  unpinned-uses: { config: { policies: { "*": ref-pin } } }
  artipacked: { disable: true }
  dangerous-triggers: { disable: true }
`;

/** What zizmor finds in these files and folders, as text; '' where it is content. */
function audit(args: readonly string[]): string {
  const options = ['--offline', '--no-progress', '--strict-collection', '--quiet', '--color=never'];
  const { status, stdout, stderr } = spawnSync(requirePart('zizmor'), [...options, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return status === 0 ? '' : `${status}: ${stdout}${stderr}`;
}

/** Copies of the workflows, and a configuration for them, in a folder of the test's own. */
function auditCopies(workflows: readonly Workflow[], config: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'zizmor-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'config'), config);
  const files = workflows.map(({ name, text }) => {
    const file = join(folder, `${name.replaceAll(/[^\w.]/g, '-')}.yml`);
    writeFileSync(file, text);
    return file;
  });
  return audit(['--config', join(folder, 'config'), ...files]);
}

describeWithReal(['zizmor'], 'attackers find nothing', () => {
  it('in the workflows, actions and updates of this repository, in the strictest reading', () => {
    expect(audit(['--pedantic', '.github', 'action.yml', 'stop/action.yml', 'wait/action.yml'])).toBe('');
  });

  it('in the workflows that tests run', () => {
    expect(audit(['--config', '.github/zizmor.yml', ...globSync('test/e2e/act/*.yml', { cwd: ROOT })])).toBe(
      '',
    );
  });

  it('in what users paste', () => {
    expect(auditCopies(PASTED, FOR_PASTED)).toBe('');
  });

  it('but zizmor would tell of a title in a script', () => {
    const step = { run: `echo "\${{ github.event.pull_request.title }}"` };
    const text = JSON.stringify({
      on: 'pull_request',
      permissions: {},
      jobs: { a: { 'runs-on': 'ubuntu-latest', steps: [step] } },
    });
    expect(auditCopies([{ name: 'injection', text }], FOR_PASTED)).toContain('template-injection');
  });
});

it('act runs every workflow that users paste', () => {
  const tests = globSync('test/e2e/*.test.ts', { cwd: ROOT })
    .map(file => readFileSync(join(ROOT, file), 'utf8'))
    .filter(text => text.includes(`from '../support/act.ts'`));
  const named = tests.flatMap(text => [...text.matchAll(/\breadDocumented\('([^']+)'(?:, (\d+))?\)/g)]);
  const run = new Set(named.map(([, page, index = '0']) => `${page}, workflow ${index}`));
  expect(PAGES.flatMap(nameWorkflows).filter(name => !run.has(name))).toEqual([]);
});

function nameWorkflows(page: string): string[] {
  return extractWorkflows(join(ROOT, page)).map((_, index) => `${page}, workflow ${index}`);
}

it.each([...OWN, ...PASTED])('$name gives the actions only inputs that exist', ({ text }) => {
  const unknown = listSteps(parse(text)).flatMap(({ uses = '', with: inputs = {} }) => {
    const [, folder] = /^wasmrun\/expose-action(|\/\w+)@/.exec(uses) ?? [];
    if (folder === undefined) return [];
    const action = parse(readFileSync(join(ROOT, folder, 'action.yml'), 'utf8')) as { inputs: object };
    return Object.keys(inputs).filter(name => !(name in action.inputs));
  });
  expect(unknown).toEqual([]);
});

it.each(OWN)('$name grants nothing by default', ({ text }) => {
  expect(parse(text)).toMatchObject({ permissions: {} });
});

it('the one required check waits for every other job of CI', () => {
  const { jobs } = parse(readFileSync(join(ROOT, '.github/workflows/ci.yml'), 'utf8')) as ParsedWorkflow;
  const { 'all-passed': check, ...others } = jobs;
  expect(check).toMatchObject({ if: 'always()', needs: Object.keys(others) });
});

it.each(list('.github/workflows', '.yml'))('every job of %s has a time limit', file => {
  const { jobs } = parse(readFileSync(file, 'utf8')) as ParsedWorkflow;
  // A called workflow has its own.
  const unlimited = Object.entries(jobs).filter(([, job]) => !job.uses && !job['timeout-minutes']);
  expect(unlimited.map(([name]) => name)).toEqual([]);
});

it.each(list('.github/workflows', '.yml'))('%s says the version of each action beside its commit', file => {
  const lines = readFileSync(file, 'utf8').split('\n');
  const pinned = lines.filter(line => /uses: .*@/.test(line));
  expect(pinned.filter(line => !/@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([]);
});

it.each(OWN)('$name pins every action to a commit', ({ text }) => {
  const foreign = listSteps(parse(text))
    .flatMap(({ uses }) => uses ?? [])
    .filter(uses => !uses.startsWith('wasmrun/') && !uses.startsWith('./'));
  for (const uses of foreign) expect(uses).toMatch(/^\S+@[0-9a-f]{40}$/);
});

interface Step {
  uses?: string;
  with?: Record<string, unknown>;
}

interface ParsedWorkflow {
  jobs: Record<string, { steps?: Step[]; uses?: string; needs?: string[]; 'timeout-minutes'?: number }>;
}

function listSteps(workflow: ParsedWorkflow): Step[] {
  return Object.values(workflow.jobs).flatMap(({ steps = [] }) => steps);
}
