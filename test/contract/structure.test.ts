// What must stay in step, and what must not be imported.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { INPUT_DEFAULTS } from '../../src/inputs/inputs.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SRC = join(ROOT, 'src');
/**
 * Room → the rooms it may import, apart from itself. They stand on floors: a room imports from lower floors only. The
 * programs in the root of src are the top floor, and may import anything.
 */
const FLOORS: readonly Readonly<Record<string, readonly string[]>>[] = [
  { shared: [] },
  { app: ['shared'], gateway: ['shared'], tunnel: ['shared'], control: ['shared'], github: ['shared'] },
  {
    exposure: ['app', 'gateway', 'tunnel', 'shared'],
    inputs: ['app', 'gateway', 'tunnel', 'shared'],
  },
  {
    doctor: ['inputs', 'tunnel', 'shared'],
    supervisor: ['exposure', 'inputs', 'app', 'control', 'github', 'shared'],
  },
  { demo: ['supervisor', 'inputs', 'app', 'control', 'tunnel', 'shared'] },
  {
    step: ['supervisor', 'inputs', 'app', 'control', 'github', 'shared'],
    commands: ['demo', 'doctor', 'supervisor', 'inputs', 'exposure', 'control', 'tunnel', 'shared'],
  },
];
const ROOMS: Readonly<Record<string, readonly string[]>> = Object.assign({}, ...FLOORS);
const PROGRAMS = [
  'cache',
  'cli',
  'demo',
  'demo-runner',
  'main',
  'page-host',
  'post',
  'stop',
  'supervisor',
  'visitor-thread',
  'wait',
];

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'));
const read = (file: string) => readFileSync(join(SRC, file), 'utf8');

/** `[importer, imported]`, both relative to src. */
const arrows = files.flatMap(file =>
  [...read(file).matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(
    ([, target = '']) => [file, relative(SRC, join(SRC, dirname(file), target))] as const,
  ),
);

const roomOf = (file: string) => (file.includes('/') ? file.slice(0, file.indexOf('/')) : '');

/** The arrows that the table does not allow. */
const listForbidden = (all: readonly (readonly [string, string])[]) =>
  all.filter(([from, to]) => {
    const [room, target] = [roomOf(from), roomOf(to)];
    return room !== '' && target !== room && !ROOMS[room]?.includes(target);
  });

describe('the rooms of src', () => {
  it('and their imports are found by this test', () => {
    expect(arrows.length).toBeGreaterThan(300);
    expect(arrows).toContainEqual(['exposure/ingress.ts', 'gateway/gateway.ts']);
  });

  it('are the only folders, and the programs the only files', () => {
    const entries = readdirSync(SRC, { withFileTypes: true });
    const [rooms, programs] = [
      entries.filter(entry => entry.isDirectory()),
      entries.filter(entry => entry.isFile()),
    ];
    expect(rooms.map(({ name }) => name).sort()).toEqual(Object.keys(ROOMS).sort());
    expect(programs.map(({ name }) => name).sort()).toEqual(PROGRAMS.map(name => `${name}.ts`).sort());
  });

  it('import only from lower floors', () => {
    for (const [floor, rooms] of FLOORS.entries()) {
      const below = FLOORS.slice(0, floor).flatMap(lower => Object.keys(lower));
      for (const allowed of Object.values(rooms)) expect(below).toEqual(expect.arrayContaining([...allowed]));
    }
    expect(listForbidden(arrows)).toEqual([]);
  });

  it.each([
    ['an import upwards', ['tunnel/tunnel.ts', 'exposure/exposure.ts']],
    ['an import from the same floor', ['gateway/gateway.ts', 'tunnel/tunnel.ts']],
    ['an import of a program', ['shared/log.ts', 'main.ts']],
  ] as const)('are held to it: %s is found', (_, arrow) => {
    expect(listForbidden([...arrows, arrow])).toEqual([arrow]);
  });
});

describe.each([
  ["the inspector's page", 'control/inspector/browser/', /'\.\/[\w-]+\.ts';$/],
  // Two packages are files of this page.
  ["the demo's page", 'demo/page/browser/', /'(?:\.\/[\w-]+\.ts|marked|dompurify)';$/],
])('%s', (_, folder, own) => {
  it('imports only types from outside, because a browser gets its files as they are', () => {
    const page = files.filter(file => file.startsWith(folder));
    expect(page.length).toBeGreaterThan(10);
    const imports = page.flatMap(
      file => read(file).match(/^(?:import|export) (?!type )[^;]*'[^']+';$/gm) ?? [],
    );
    expect(imports.length).toBeGreaterThan(10);
    expect(imports.filter(text => !own.test(text))).toEqual([]);
  });
});

describe('the demo', () => {
  it('is imported by commands as a type only, because users of the action do not download it', () => {
    const imports = files
      .filter(file => !file.startsWith('demo/') && !file.startsWith('demo'))
      .flatMap(file => read(file).match(/^(?:import|export) [^;]*'[./]*demo\/[^']*';$/gm) ?? []);
    expect(imports).toHaveLength(1);
    expect(imports[0]).toMatch(/^import type /);
  });
});

describe('the environment', () => {
  it('is read only in step/job-environment and cli', () => {
    const readers = files.filter(file => /process\.env\b/.test(read(file)));
    expect(readers.sort()).toEqual(['cli.ts', 'step/job-environment.ts']);
  });
});

describe("the runner's toolkit", () => {
  it('is used by step alone', () => {
    const users = files.filter(file => /'@actions\//.test(read(file)) && !file.startsWith('step/'));
    expect(users).toEqual([]);
  });
});

describe('action.yml', () => {
  const action = parse(readFileSync(join(ROOT, 'action.yml'), 'utf8'));

  it('declares the inputs the code reads, with the same defaults', () => {
    const declared = Object.fromEntries(
      Object.entries<{ default?: string }>(action.inputs)
        .filter(([name]) => name !== 'matrix')
        .map(([name, input]) => [name, input.default ?? '']),
    );
    expect({ ...declared, 'github-token': '' }).toEqual(INPUT_DEFAULTS);
  });

  it('describes every input and output without the words YAML would read as a map', () => {
    for (const entry of [...Object.values(action.inputs), ...Object.values(action.outputs)])
      expect(typeof (entry as { description: unknown }).description).toBe('string');
  });
});

describe('package-lock.json', () => {
  it('names the packages of every platform, without which npm ci refuses to install', () => {
    const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    const wanted = Object.values(packages).flatMap(one => Object.keys(one.optionalDependencies ?? {}));
    expect(wanted.length).toBeGreaterThan(10);
    expect(wanted.filter(name => packages[`node_modules/${name}`] === undefined)).toEqual([]);
  });
});
