// A project in OS mode, from Run to its end. One suite for both hosts of the page.

import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startApp } from '../../../src/app/app.ts';
import { startOs } from '../../../src/app/os/os.ts';
import type { AppState } from '../../../src/shared/state.ts';
import { createOsRig, type OsRig } from '../../support/os-rig.ts';
import { describeWithReal } from '../../support/real-parts.ts';
import { isRunning } from '../../support/running.ts';
import { waitUntil } from '../../support/wait-until.ts';

const HELLO = resolve('examples/os-hello');
const serve = (body: string) => `
  const http = require('http');
  http.createServer((request, response) => { ${body} }).listen(3000);
`;

describeWithReal(['wasmrun', 'runtime', 'chromium'], 'mode: os', () => {
  let rig: OsRig;
  beforeAll(async () => {
    rig = await createOsRig();
  });
  afterAll(() => rig.stop());
  beforeEach(() => {
    for (const list of [rig.output, rig.log, rig.children]) list.length = 0;
  });

  describe.each(['node', 'browser'] as const)('with vm: %s', vm => {
    afterEach(async () => {
      await waitUntil(() => rig.children.every(({ pid }) => !isRunning(pid)), 'no process is left');
    });

    it('answers visitors at the port of the program, and reports its console', async () => {
      const { program, url } = await rig.start(HELLO, vm);
      const page = await fetch(url);
      expect(await page.text()).toContain('<h1>Hello from WebAssembly</h1>');
      expect(await (await fetch(`${url}/api/hello`)).json()).toEqual({ hello: 'world', visits: 1 });
      const message = 'ünïcode '.repeat(20_000);
      const echo = await fetch(`${url}/echo`, { method: 'POST', body: message });
      expect(await echo.text()).toBe(message);
      expect(rig.output).toEqual([`listening on port ${new URL(url).port}`, 'echo: 160000 characters']);
      await program.stop();
      await program.stop();
      await expect(fetch(url)).rejects.toThrow();
    });

    it('gives the program no environment, and wasmrun everything except its tunnel secret', async () => {
      const project = rig.createProject({ 'index.js': serve('response.end(JSON.stringify(process.env))') });
      const { program, url } = await rig.start(project, vm);
      const env = (await (await fetch(url)).json()) as Record<string, string>;
      expect(Object.keys(env).sort()).toEqual(['WASMHUB_LISTEN_ADDR', 'WASMHUB_LISTEN_FD']);
      const [wasmrun = '', host = ''] = rig.children.map(({ pid }) =>
        readFileSync(`/proc/${pid}/environ`, 'utf8'),
      );
      expect(wasmrun).toContain('WASMRUN_WASMHUB_BASE_URL');
      expect(wasmrun).not.toContain('not for wasmrun');
      expect(host).not.toContain('WASMRUN');
      expect(host).not.toContain('PATH=');
      await program.stop();
    });

    it('reports the exit code and the last lines of a program that ended', async () => {
      const project = rig.createProject({
        'index.js': serve('for (let i = 1; i <= 30; i++) console.error("line " + i); process.exit(3)'),
      });
      const { program, url } = await rig.start(project, vm);
      await fetch(url).catch(() => undefined);
      const loss = await program.ended;
      expect(loss.message).toBe('the program ended with exit code 3');
      expect(loss.exitCode).toBe(3);
      expect(loss.lastLines).toHaveLength(20);
      expect(loss.lastLines.at(-1)).toBe('line 30');
      await program.stop();
    });

    it('reports the end of a program that the page ended silently after timeout_secs', async () => {
      const project = rig.createProject({
        'index.js': serve('response.end("ok")'),
        'wasmrun.toml': '[os.limits]\ntimeout_secs = 1\n',
      });
      const { program } = await rig.start(project, vm);
      expect((await program.ended).message).toContain('timeout_secs');
      await program.stop();
    });

    it.each([0, 1])(
      'reports that one of its processes was killed, and leaves none when it is stopped (process %i)',
      async index => {
        const { program } = await rig.start(HELLO, vm);
        const victim = rig.children[index];
        process.kill(victim?.pid ?? 0, 'SIGKILL');
        const loss = await program.ended;
        expect(loss.message).toMatch(index === 0 ? /^wasmrun ended/ : /^the page host ended|^Chrome ended/);
        await program.stop();
      },
    );

    it('leaves nothing behind when the start is abandoned', async () => {
      const given = new AbortController();
      const started = startOs(
        rig.createSpec(HELLO, { vm }),
        rig.createContext({
          signal: given.signal,
          onChild: child => {
            rig.children.push(child);
            if (rig.children.length === 2) given.abort(new Error('no longer wanted'));
          },
        }),
      );
      await expect(started).rejects.toThrow('no longer wanted');
      expect(rig.children).toHaveLength(2);
    });

    it('starts again after a crash, in a new folder that is removed at the end', async () => {
      const project = rig.createProject({
        'index.js': serve('request.url === "/crash" ? undefinedFunction() : response.end("up")'),
      });
      const states: AppState[] = [];
      const context = rig.createContext();
      const app = await startApp(
        {
          ...context,
          spec: rig.createSpec(project, { vm }),
          publicUrl: () => 'http://example.test',
          baseEnvironment: context.environment,
          env: {},
          healthPath: '/',
          hostHeader: 'auto',
          onState: state => states.push(state),
        },
        { pausesMs: [10, 10], resetAfterMs: 60_000, startMs: 45_000 },
      );
      const running = () => states.filter(state => state.status === 'running');
      const upstream = running()[0]?.upstream;
      const port = upstream?.kind === 'address' ? upstream.port : 0;
      await fetch(`http://127.0.0.1:${port}/crash`).catch(() => undefined);
      await waitUntil(() => running().length === 2, 'it runs again');
      expect(states.map(({ status }) => status)).toEqual(['starting', 'running', 'restarting', 'running']);
      expect(app.consoleTail().join('\n')).toContain("'undefinedFunction' is not defined");
      await app.stop();
      expect(readdirSync(context.folder)).toEqual([]);
    });
  });
});
