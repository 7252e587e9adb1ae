// docs/apps.md against the rows of the matrix: a row that changes, comes or goes must be driven again (`npm run apps`).

import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { ROWS } from '../apps/rows.ts';
import { renderLimits, renderTable } from '../apps/table.ts';

const read = (file: string) => readFileSync(resolve(file), 'utf8');

it('shows each row of the matrix with its versions, inputs and steps', () => {
  const listed = read('docs/apps.md')
    .split('\n')
    .filter(line => line.startsWith('|'));
  expect(listed).toEqual(renderTable(ROWS).split('\n'));
});

it('says what does not work, what people see then, and what helps', () => {
  expect(read('docs/apps.md').split('## What does not work\n\n')[1]).toBe(`${renderLimits(ROWS)}\n`);
});

it('gives each row an ID of its own, and uses every app of test/apps', () => {
  const ids = ROWS.map(({ id }) => id);
  expect(ids).toEqual([...new Set(ids)]);
  const folders = readdirSync(resolve('test/apps'), { withFileTypes: true }).filter(entry =>
    entry.isDirectory(),
  );
  expect([...new Set(ROWS.map(({ app }) => app))].sort()).toEqual(folders.map(({ name }) => name).sort());
});

it('is linked from README', () => {
  expect(read('README.md')).toContain('](docs/apps.md)');
});
