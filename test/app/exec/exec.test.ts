// `mode: exec` with the real wasmrun.

import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AppSpec } from '../../../src/app/program.ts';
import { ask, base, EXAMPLES, fail, folder, start } from '../../support/apps.ts';
import { describeWithReal, requirePart } from '../../support/real-parts.ts';

describeWithReal(['wasmrun'], 'mode: exec', () => {
  it('runs the program with its arguments, env and folder, and starts it again after a crash', async () => {
    const path = join(EXAMPLES, 'exec-hello', 'exec-hello.wasm');
    const spec: AppSpec = { mode: 'exec', path, wasmrun: requirePart('wasmrun'), args: ['--at', '{url}'] };
    const { app, states } = await start(spec, { env: { GREETING: 'hi' } });
    expect(await ask(app)).toContain('Hello from WebAssembly');
    const seen = await ask(app, '/environment');
    expect(seen).toContain('arguments: ["--at", "http://preview.test:7"]');
    expect(seen).toContain('EXPOSE_URL=http://preview.test:7');
    expect(seen).toContain('GREETING=hi');
    expect(seen).not.toContain('PATH=');
    await fetch(`${base(app)}/crash`, { method: 'POST' }).catch(() => undefined);
    await expect.poll(() => [app.restarts, app.state.status], { timeout: 20_000 }).toEqual([1, 'running']);
    expect(states[2]).toMatchObject({ status: 'restarting', reason: expect.stringContaining('exit code 3') });
    expect(await ask(app)).toContain('Hello from WebAssembly');
  });

  it('gives the program a copy of the folder, without dotfiles, links and ignored files', async () => {
    const source = join(folder, 'source');
    cpSync(join(EXAMPLES, 'exec-hello', 'exec-hello.wasm'), join(source, 'app.wasm'));
    for (const name of ['greeting.txt', '.env', 'ignored.log']) writeFileSync(join(source, name), name);
    writeFileSync(join(source, '.gitignore'), '*.log');
    symlinkSync('/etc/passwd', join(source, 'link'));
    mkdirSync(join(source, '.well-known'));
    const spec: AppSpec = {
      mode: 'exec',
      path: join(source, 'app.wasm'),
      wasmrun: requirePart('wasmrun'),
      args: [],
    };
    const { app } = await start(spec);
    expect(await ask(app, '/files')).toBe('.well-known\ngreeting.txt\n');
    await fetch(`${base(app)}/greeting`, { method: 'POST', body: 'changed' });
    expect(await ask(app)).toContain('changed');
    expect(readFileSync(join(source, 'greeting.txt'), 'utf8')).toBe('greeting.txt');
  });

  it('reports why a file that is not a program does not start', async () => {
    const path = join(folder, 'broken.wasm');
    writeFileSync(path, 'no wasm');
    const failure = await fail({ mode: 'exec', path, wasmrun: requirePart('wasmrun'), args: [] });
    expect(failure.message).toContain('wasmrun exec broken.wasm ended with exit code 1');
    expect(failure.lastLines.join('\n')).not.toBe('');
  });
});

describe('the memory of the program', () => {
  it('is limited', async () => {
    const wasmrun = join(folder, 'wasmrun');
    writeFileSync(wasmrun, '#!/bin/sh\necho "$@"\nexit 1\n', { mode: 0o755 });
    writeFileSync(join(folder, 'app.wasm'), '');
    const failure = await fail({ mode: 'exec', path: join(folder, 'app.wasm'), wasmrun, args: ['--at'] });
    expect(failure.lastLines.join(' ')).toMatch(/^exec .*--max-memory-mb 2048 .*app\.wasm -- --at$/);
  });
});
