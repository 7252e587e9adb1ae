// What the documentation says, held against what is there: tables, links, messages.

import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  explainDial,
  explainErrorFrame,
  explainNotBore,
  explainSecretRequired,
  explainSecretUnwanted,
  explainWrongPort,
} from '../../src/tunnel/failure.ts';
import { ERROR_TEXT } from '../../src/tunnel/wire/protocol.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const PAGES = ['README.md', 'AGENTS.md', 'CHANGELOG.md', ...globSync('docs/**/*.md', { cwd: ROOT })];

/** The text below a heading of the second level, up to the next one. */
function readSection(page: string, title: string): string {
  return page.split(/^## /m).find(section => section.startsWith(`${title}\n`)) ?? '';
}

/** Cells of every table row but head and rule; a code span alone in its cell loses its backticks. */
function readRows(text: string): string[][] {
  return [...text.matchAll(/^\|(.*)\|$/gm)]
    .map(([, row = '']) => row.split('|').map(cell => cell.trim().replace(/^`([^`]*)`$/, '$1')))
    .filter(([first = '', second]) => !/^-+$/.test(first) && !['meaning', 'default'].includes(second ?? ''));
}

describe('the tables of README', () => {
  const readme = read('README.md');
  const action = parse(read('action.yml')) as Record<
    'inputs' | 'outputs',
    Record<string, { default?: string }>
  >;

  it('list the inputs of action.yml in its order, with its defaults', () => {
    const listed = readRows(readSection(readme, 'Inputs')).map(([name, fallback]) => [name, fallback]);
    const declared = Object.entries(action.inputs).map(([name, input]) => [name, input.default ?? '']);
    expect(listed).toEqual(declared);
  });

  it('list the outputs of action.yml in its order', () => {
    const listed = readRows(readSection(readme, 'Outputs')).map(([name]) => name);
    expect(listed).toEqual(Object.keys(action.outputs));
  });
});

describe('the links of the documentation', () => {
  const links = PAGES.flatMap(page =>
    [...read(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => ({ page, target }))
      .filter(({ target }) => !/^[a-z]+:/.test(target)),
  );

  /** As GitHub makes them: lower case, no punctuation, a hyphen for each space. */
  const listAnchors = (file: string) =>
    [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );

  it('are found by this test', () => {
    expect(links.length).toBeGreaterThan(20);
    expect(links).toContainEqual({ page: 'README.md', target: 'docs/images/comment.png' });
  });

  it.each(links)('have a target: $target in $page', ({ page, target }) => {
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? page : join(dirname(page), path);
    expect(existsSync(join(ROOT, file))).toBe(true);
    if (anchor !== undefined) expect(listAnchors(file)).toContain(anchor);
  });
});

it.each(PAGES)('%s names no secret that GitHub would not take', page => {
  // "Must not start with the GITHUB_ prefix": https://docs.github.com/en/actions/reference/security/secrets
  expect(read(page)).not.toMatch(/secrets\.GITHUB_(?!TOKEN\b)/i);
});

describe('the tests in docs/threat-model.md', () => {
  const [, ...rows] = readRows(read('docs/threat-model.md'));
  const named = rows.map(([threat = '', , test = '']) => {
    const [, file = '', title = ''] = /^`(test\/\S+)`: (.+)$/.exec(test) ?? [];
    return { threat, file, title };
  });

  it('are found by this test', () => {
    expect(named.length).toBeGreaterThan(20);
  });

  it.each(named)('exist: $title in $file', ({ file, title }) => {
    expect(existsSync(join(ROOT, file))).toBe(true);
    // As a title stands in the source: behind a quote, be it the start of one that names its case.
    const source = read(file);
    expect([`'${title}`, `"${title}`].some(start => source.includes(start))).toBe(true);
  });
});

describe('the messages in docs/troubleshooting.md', () => {
  const quoted = [...read('docs/troubleshooting.md').matchAll(/^\| `([^`]+)` \|/gm)].map(
    ([, message = '']) => message,
  );
  const listPieces = (message: string) =>
    message
      .split('…')
      .map(piece => piece.trim())
      .filter(piece => piece !== '');
  // A message may be cut in two by the line width.
  const sources = globSync('src/**/*.ts', { cwd: ROOT })
    .map(read)
    .join('\n')
    .replaceAll(/(['`]) \+\s+\1/g, '')
    .replaceAll("\\'", "'");

  it.each(quoted)('are in the code: %s', message => {
    expect(listPieces(message).filter(piece => !sources.includes(piece))).toEqual([]);
  });

  const server = { host: 'bore.example.com', port: 7835 };
  const failures = [
    explainDial(server, Object.assign(new Error('not found'), { code: 'ENOTFOUND' })),
    explainDial(server, Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })),
    ...Object.values(ERROR_TEXT).map(text => explainErrorFrame(server, 20_000, text, false)),
    explainErrorFrame(server, 20_000, 'something new', false),
    explainSecretRequired(server),
    explainSecretUnwanted(server),
    explainNotBore(server, Buffer.from('HTTP/1.1 400 Bad Request')),
    explainNotBore(server, Buffer.alloc(0)),
    explainWrongPort(server, 20_000, 20_001),
  ].map(({ message }) => message);

  it.each(failures)('include every failure of the tunnel: %s', failure => {
    const found = quoted.filter(message => listPieces(message).every(piece => failure.includes(piece)));
    expect(found).not.toEqual([]);
  });
});
