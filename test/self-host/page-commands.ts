// The blocks of commands in docs/, for tests that run what a page tells people to paste.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** The commands of the page's one block that contains `mark`, without the installation of packages. */
export function readCommands([page, mark]: readonly [page: string, mark: string]): string {
  const text = readFileSync(resolve('docs', page), 'utf8');
  const blocks = [...text.matchAll(/^( *)```sh\n([\s\S]*?)^\1```/gm)].map(([, indent = '', block = '']) =>
    block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
  const [found = '', ...others] = blocks.filter(block => block.includes(mark));
  if (found === '' || others.length > 0) throw new Error(`docs/${page} has not one block with '${mark}'`);
  return found.replaceAll(/^apt install .*\n/gm, '');
}
