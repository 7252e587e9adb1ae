// Every workflow of the project, and every one its documentation tells users to paste, in the eyes of actionlint.

import { spawnSync } from 'node:child_process';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { extractWorkflows } from '../support/workflows.ts';

const ROOT = resolve(import.meta.dirname, '../..');

const OWN = [...list('.github/workflows', '.yml'), ...list('test/e2e/act', '.yml')].map(file => ({
  name: relative(ROOT, file),
  text: readFileSync(file, 'utf8'),
}));
const PASTED = ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT })].flatMap(page =>
  extractWorkflows(join(ROOT, page)),
);

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

it.each(OWN)('$name pins every action to a commit', ({ text }) => {
  const foreign = listSteps(parse(text))
    .flatMap(({ uses }) => uses ?? [])
    .filter(uses => !uses.startsWith('wasmrun/'));
  for (const uses of foreign) expect(uses).toMatch(/^\S+@[0-9a-f]{40}$/);
});

interface Step {
  uses?: string;
  with?: Record<string, unknown>;
}

function listSteps(workflow: { jobs: Record<string, { steps?: Step[] }> }): Step[] {
  return Object.values(workflow.jobs).flatMap(({ steps = [] }) => steps);
}
