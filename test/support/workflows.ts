// The workflows that the documentation tells users to paste.

import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

export interface Workflow {
  /** File, and the line it starts at. */
  name: string;
  text: string;
}

/**
 * A workflow of a page, counted from 0, as users paste it. test/contract/workflows.test.ts reads the calls of the tests
 * that run act, and misses the workflows that none of them names: both arguments must be written out.
 */
export function readDocumented(page: string, index = 0): string {
  const found = extractWorkflows(resolve(ROOT, page))[index];
  if (found === undefined) throw new Error(`${page} has no workflow ${index}`);
  return found.text;
}

/** The fenced yaml blocks of a page that are whole workflows. */
export function extractWorkflows(file: string): Workflow[] {
  const page = readFileSync(file, 'utf8');
  return [...page.matchAll(/^( *)```ya?ml\n([\s\S]*?)^\1```/gm)].flatMap(
    ({ index, 1: indent = '', 2: block = '' }) => {
      const text = block.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
      const line = page.slice(0, index).split('\n').length + 1;
      return /^(#.*\n)*(name|on):/.test(text) ? [{ name: `${relative(ROOT, file)}:${line}`, text }] : [];
    },
  );
}
