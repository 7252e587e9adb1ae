// Everything an OS mode test starts from: a wasmhub on this machine, a home of its own for wasmrun, and projects in
// a folder that goes away. `stop()` also ends what a failed test left running.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { startOs } from '../../src/app/os/os.ts';
import type { AppSpec, Program, ProgramContext } from '../../src/app/program.ts';
import { createLogger } from '../../src/shared/log.ts';
import { requirePart } from './real-parts.ts';
import { startWasmhub, type WasmhubFaults } from './wasmhub-server.ts';

export type OsSpec = Extract<AppSpec, { mode: 'os' }>;

export interface OsRun {
  program: Program;
  /** `http://127.0.0.1:PORT`. */
  url: string;
}

export interface OsRig {
  /** The program's console. */
  readonly output: string[];
  readonly log: string[];
  readonly children: { pid: number; role: string }[];
  readonly environment: Record<string, string>;
  /** A folder with these files. */
  createProject(files: Record<string, string>): string;
  createSpec(path: string, overrides?: Partial<OsSpec>): OsSpec;
  /** A context with a new private folder. */
  createContext(overrides?: Partial<ProgramContext>): ProgramContext;
  start(path: string, vm: OsSpec['vm'], overrides?: Partial<ProgramContext>): Promise<OsRun>;
  stop(): Promise<void>;
}

export async function createOsRig(faults: WasmhubFaults = {}): Promise<OsRig> {
  const root = mkdtempSync(join(tmpdir(), 'os-mode-'));
  const wasmhub = await startWasmhub({ runtime: requirePart('runtime'), ...faults });
  const programs: Program[] = [];
  const rig: OsRig = {
    output: [],
    log: [],
    children: [],
    environment: {
      PATH: process.env.PATH ?? '',
      HOME: join(root, 'home'),
      WASMRUN_WASMHUB_BASE_URL: wasmhub.url,
      WASMRUN_TUNNEL_SECRET: 'not for wasmrun',
    },
    createProject: files => {
      const folder = mkdtempSync(join(root, 'project-'));
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), text);
      }
      return folder;
    },
    createSpec: (path, overrides = {}) => ({
      mode: 'os',
      path,
      wasmrun: requirePart('wasmrun'),
      vm: 'node',
      pageHostScript: resolve('src/page-host.ts'),
      ...overrides,
    }),
    createContext: (overrides = {}) => ({
      folder: mkdtempSync(join(root, 'start-')),
      environment: rig.environment,
      logger: createLogger({ level: 'debug', write: line => rig.log.push(line) }),
      onOutput: line => rig.output.push(line),
      onChild: child => rig.children.push(child),
      stopTimeoutMs: 5_000,
      signal: AbortSignal.timeout(45_000),
      ...overrides,
    }),
    start: async (path, vm, overrides) => {
      const program = await startOs(rig.createSpec(path, { vm }), rig.createContext(overrides));
      programs.push(program);
      if (program.upstream.kind !== 'address') throw new Error('a program without an address');
      return { program, url: `http://127.0.0.1:${program.upstream.port}` };
    },
    stop: async () => {
      await Promise.all(programs.map(program => program.stop()));
      await wasmhub.stop();
      rmSync(root, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  mkdirSync(join(root, 'home'));
  return rig;
}
