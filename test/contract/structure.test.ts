// What must stay in step, and what must not be imported.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { INPUT_DEFAULTS } from '../../src/inputs/inputs.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SRC = join(ROOT, 'src');
const PARTS = ['app', 'tunnel', 'gateway', 'control', 'github'];
const isShared = (file: string) => file.startsWith('shared/');

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'));
const read = (file: string) => readFileSync(join(SRC, file), 'utf8');

/** `[importer, imported]`, both relative to src. */
const arrows = files.flatMap(file =>
  [...read(file).matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(
    ([, target = '']) => [file, relative(SRC, join(SRC, dirname(file), target))] as const,
  ),
);

const partOf = (file: string) => PARTS.find(part => file.startsWith(`${part}/`));

describe('the arrows between the folders', () => {
  it('are seen by this test', () => {
    expect(arrows.length).toBeGreaterThan(50);
    expect(arrows).toContainEqual(['exposure/ingress.ts', 'gateway/gateway.ts']);
  });

  it('lead out of app, tunnel, gateway, control and github only to what is shared', () => {
    const strange = arrows.filter(
      ([from, to]) => partOf(from) !== undefined && partOf(to) !== partOf(from) && !isShared(to),
    );
    expect(strange).toEqual([]);
  });

  it('do not lead out of what is shared', () => {
    expect(arrows.filter(([from, to]) => isShared(from) && !isShared(to))).toEqual([]);
  });
});

describe('the environment', () => {
  it('is read in step/runner and cli alone', () => {
    const readers = files.filter(file => /process\.env\b/.test(read(file)));
    expect(readers.sort()).toEqual(['cli.ts', 'step/runner.ts']);
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
