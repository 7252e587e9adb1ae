// What is exposed: the one interface of all four modes.

import type { AppError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { AppState, Upstream } from '../state.ts';

/** What to run; everything is checked and found before it comes here. Paths are absolute. */
export type AppSpec =
  | {
      mode: 'os';
      path: string;
      wasmrun: string;
      vm: 'auto' | 'node' | 'browser';
      /** Chrome or Chromium; where undefined, the usual places are searched when it is needed. */
      browser?: string;
      /** The bundle (or source) that hosts the page under Node. */
      pageHostScript: string;
    }
  | { mode: 'exec'; path: string; wasmrun: string; args: readonly string[] }
  | { mode: 'web'; path: string; spa: boolean; crossOriginIsolation: boolean }
  | { mode: 'port'; path: string; port?: number; command?: string };

/** What every mode gets to start its program with. */
export interface ProgramContext {
  /** Private folder (0700) of this start, empty; removed by the caller afterwards. */
  folder: string;
  /** The whole environment of the program's process. */
  environment: Readonly<Record<string, string>>;
  logger: Logger;
  /** One line of the program's console, as it came; not sanitised. */
  onOutput: (line: string) => void;
  /** Called in the same turn as the spawn, so that a child is on record before it can be lost. */
  onChild: (child: { pid: number; role: string }) => void;
  /** Ends the start; rejects with the signal's reason. */
  signal: AbortSignal;
}

/** A program that listens. `ended` resolves, never rejects, with why it is gone. */
export interface Program {
  upstream: Upstream;
  pid?: number;
  ended: Promise<AppError>;
  /** Resolves when nothing of it is left; may be called twice. */
  stop(): Promise<void>;
}

export interface AppOptions {
  spec: AppSpec;
  /** Base URL, known before the app starts: `EXPOSE_URL`, and `{url}` in `env`, `args` and `command`. */
  publicUrl: string;
  /** What the app may see of the job's environment (see environment.ts), without `env`. */
  baseEnvironment: Readonly<Record<string, string>>;
  /** The `env` input. */
  env: Readonly<Record<string, string>>;
  healthPath: string;
  /** Private folder (0700) of the exposure. */
  folder: string;
  logger: Logger;
  onChild: ProgramContext['onChild'];
  onState: (state: AppState) => void;
  /** Bounds the first start only. */
  signal: AbortSignal;
}

export interface App {
  readonly state: AppState;
  /** Process id of the program's process where it has one. */
  readonly pid: number | undefined;
  readonly restarts: number;
  /** The last lines of its console, oldest first; at most 200. */
  consoleTail(): readonly string[];
  stop(): Promise<void>;
}
