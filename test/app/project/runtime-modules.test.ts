import { describe, expect, it } from 'vitest';
import { adviseOnOutput, checkProgram } from '../../../src/app/project/runtime-modules.ts';

function check(files: Record<string, string>, entry = 'index.js'): string[] {
  return checkProgram(entry, path => files[path]);
}

describe('the look at a program before it starts', () => {
  it('has nothing to say about a program that can run', () => {
    const source = `const http = require('node:http');\nconst { gzip } = require("zlib");\nrequire('./lib/a');`;
    expect(check({ 'index.js': source, 'lib/a.js': `require('../b.json'); require('fs/promises')` })).toEqual(
      [],
    );
  });

  it.each([
    [`// An app\nimport http from 'node:http';`, 'index.js, line 2 is an ES module'],
    [`export default 1;`, 'index.js, line 1 is an ES module'],
    [`const a = await fetch('http://a.test');`, 'index.js, line 1 is an ES module'],
    [`#!/usr/bin/env node\nrequire('http');`, 'index.js begins with #!'],
    [`const port: number = 3000;`, 'index.js, line 1 is not JavaScript'],
  ])('refuses an entry file that the runtime cannot parse: %j', (source, message) => {
    expect(() => check({ 'index.js': source })).toThrow(message);
  });

  it('takes words of ES modules in comments and texts for what they are', () => {
    const source = '/*\nimport a from "a";\n*/ const text = `\nexport default 1\n`; import("node:fs");';
    expect(check({ 'index.js': source })).toEqual([]);
  });

  it('warns of modules that the VM does not have, in all files that the program requires', () => {
    const files = {
      'server/index.js': `const routes = require('./routes');\nconst express = require('express');`,
      'server/routes/index.js': `const cluster = require('cluster'); require('node:http2');`,
    };
    const warnings = check(files, 'server/index.js');
    expect(warnings).toEqual([
      expect.stringMatching(/^server\/index\.js: express is not in the VM, .*bundle/),
      expect.stringMatching(/^server\/routes\/index\.js: wasmrun's runtime has no cluster: .*mode: port/),
      expect.stringMatching(/^server\/routes\/index\.js: wasmrun's runtime has no node:http2/),
    ]);
  });

  it('does not warn where a program says that it can do without', () => {
    const source = `try {\n  color = require('supports-color');\n} catch {}\n// require('a')\n/*\n * require('b')\n */\nobject.require('c')`;
    expect(check({ 'index.js': source })).toEqual([]);
  });

  it('ends with programs that require each other', () => {
    expect(check({ 'index.js': `require('./a.js')`, 'a.js': `require('./index.js')` })).toEqual([]);
  });
});

it.each([
  [["Error: Cannot find module 'node:v8' (from '/')", '    at req'], "wasmrun's runtime has no node:v8"],
  [["Error: Cannot find module 'koa' (from '/')"], 'koa is not in the VM'],
  [["Error: Cannot find module './x' (from '/')"], './x is not among the files in the VM'],
  [['Error: zlib.gzip() is not supported in this sandbox: no compression'], 'docs/os.md#the-runtime'],
])('says what to do about a program that ended with %j', (lines, advice) => {
  expect(adviseOnOutput(lines)).toContain(advice);
  expect(adviseOnOutput(['listening'])).toBe('');
});
