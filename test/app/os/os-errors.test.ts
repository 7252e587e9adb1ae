// What OS mode reports when it cannot start. With the real wasmrun, and a local server in place of wasmhub's releases.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { startApp } from '../../../src/app/app.ts';
import { startOs } from '../../../src/app/os/os.ts';
import { AppError } from '../../../src/shared/errors.ts';
import { createOsRig, type OsRig } from '../../support/os-rig.ts';
import { describeWithReal } from '../../support/real-parts.ts';
import { isRunning } from '../../support/running.ts';
import { waitUntil } from '../../support/wait-until.ts';

const PROGRAM = { 'index.js': 'require("http").createServer((q, r) => r.end("ok")).listen()' };

describeWithReal(['wasmrun', 'runtime', 'chromium'], 'mode: os, when it does not start', () => {
  let rig: OsRig;
  afterEach(async () => {
    await waitUntil(() => rig.children.every(({ pid }) => !isRunning(pid)), 'no process is left');
    await rig.stop();
  });

  /** Starts the program, which must fail, and resolves with the error. */
  async function fail(files: Record<string, string>, overrides: Parameters<OsRig['createSpec']>[1] = {}) {
    const spec = rig.createSpec(rig.createProject(files), overrides);
    const error: unknown = await startOs(spec, rig.createContext()).catch((thrown: unknown) => thrown);
    if (!(error instanceof AppError)) throw new Error('an AppError was expected', { cause: error });
    return error;
  }

  it('quotes the reason why wasmrun has no runtime', async () => {
    rig = await createOsRig({ sha256: '0'.repeat(64) });
    const error = await fail(PROGRAM);
    expect(error.message).toMatch(/^wasmrun has no runtime for the program: .*Checksum mismatch/);
  });

  it('names the language of a project that wasmrun cannot run, and the mode that can', async () => {
    rig = await createOsRig();
    const error = await fail({ 'Cargo.toml': '', 'build.js': '' });
    expect(error.message).toContain('this one is rust');
    expect(error.message).toContain('`mode: port`');
    expect(error.restartable).toBe(false);
  });

  it('quotes wasmrun’s own error about a wasmrun.toml that parses', async () => {
    rig = await createOsRig();
    const error = await fail({ ...PROGRAM, 'wasmrun.toml': '[os.network]\nmax_connection = 1\n' });
    expect(error.message).toMatch(/^wasmrun ended with exit code/);
    expect(error.lastLines.join('\n')).toContain('max_connection');
  });

  it('says what to do about a module that the runtime does not have, before and after the start', async () => {
    rig = await createOsRig();
    const context = rig.createContext();
    const files = { 'index.js': 'setTimeout(() => require("node:http2"), 100)' };
    const program = await startOs(rig.createSpec(rig.createProject(files)), context);
    const advice = "wasmrun's runtime has no node:http2: replace it when you bundle";
    expect(rig.log.join('\n')).toContain(`index.js: ${advice}`);
    expect((await program.ended).message).toContain(`exit code 1; ${advice}`);
    await program.stop();
  });

  it('refuses ES modules before anything starts', async () => {
    rig = await createOsRig();
    const error = await fail({ 'index.js': 'import http from "node:http";' });
    expect(error.message).toContain('runs only CommonJS: bundle the program');
    expect(rig.children).toEqual([]);
  });

  it('reports that no port of bind_ports is free', async () => {
    rig = await createOsRig();
    const { server, port } = await listen();
    const error = await fail({ ...PROGRAM, 'wasmrun.toml': `[os.network]\nbind_ports = "${port}"\n` });
    expect(error.message).toContain('bind_ports');
    server.close();
  });

  it('names the missing browser, and the host that needs none', async () => {
    rig = await createOsRig();
    const error = await fail(PROGRAM, { vm: 'browser', browser: '/nowhere/chrome' });
    expect(error.message).toContain('Chrome at /nowhere/chrome does not start');
    expect(error.message).toContain('`vm: node`');
    rig.environment.PATH = '/nowhere';
    expect((await fail(PROGRAM, { vm: 'browser' })).message).toMatch(/install the package .*`vm: node`/);
  });

  it('falls back to a browser if the page does not start under Node.js, but only with vm: auto', async () => {
    rig = await createOsRig();
    const broken = rig.createProject({ 'page-host.js': 'throw new Error("no such DOM")' });
    const pageHostScript = join(broken, 'page-host.js');
    const error = await fail(PROGRAM, { vm: 'node', pageHostScript });
    expect(error.message).toContain('`vm: node`');
    expect(error.lastLines.join('\n')).toContain('no such DOM');
    rig.log.length = 0;
    const spec = rig.createSpec(rig.createProject(PROGRAM), { vm: 'auto', pageHostScript });
    const program = await startOs(spec, rig.createContext());
    expect(rig.children.map(({ role }) => role).slice(-2)).toEqual(['page host', 'Chrome']);
    expect(rig.log.find(line => line.includes('trying a browser'))).toContain('the page host ended');
    await program.stop();
  });

  it.each([
    ['/manifest.json', /^wasmrun did not answer in time; .*wasmhub/],
    ['/nodejs-20-net.wasm', /^the program did not start .*wasmrun is downloading the runtime/],
  ])(
    'reports what the start was waiting for at its time limit (wasmhub does not answer %s)',
    async (path, message) => {
      rig = await createOsRig({ silentAt: path });
      const started = startOs(
        rig.createSpec(rig.createProject(PROGRAM)),
        rig.createContext({ signal: AbortSignal.timeout(5_000) }),
      );
      await expect(started).rejects.toThrow(message);
    },
  );

  it('reports that a program runs but does not answer', async () => {
    rig = await createOsRig();
    const context = rig.createContext({ signal: AbortSignal.timeout(10_000) });
    const started = startApp({
      ...context,
      spec: rig.createSpec(rig.createProject({ 'index.js': 'setInterval(() => undefined, 100)' })),
      publicUrl: () => 'http://example.test',
      baseEnvironment: context.environment,
      env: {},
      healthPath: '/',
      hostHeader: 'auto',
      onState: () => undefined,
    });
    await expect(started).rejects.toThrow(/^the app did not answer GET \/ on port \d+ in time/);
  });
});

/** Listens on the highest free port that a project may request. */
async function listen() {
  for (let port = 9_999; port >= 3_000; port -= 1) {
    const server = createServer().listen(port, '127.0.0.1');
    const listening = await once(server, 'listening').catch(() => undefined);
    if (listening !== undefined) return { server, port };
  }
  throw new Error('no port');
}
