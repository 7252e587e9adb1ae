// What every mode has in common: what to run, what it is started with, and the program that comes of it. Used by app.ts
// and the modes.

import type { AppError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import type { Upstream } from '../shared/state.ts';

/** Called in the same turn as the spawn, so that a child is on record before it can be lost. */
export type OnChild = (child: { pid: number; role: string }) => void;

/** What to run; everything is checked and found before it comes here. Paths are absolute. */
export type AppSpec =
  | {
      mode: 'os';
      path: string;
      wasmrun: string;
      vm: 'auto' | 'node' | 'browser';
      /** Chrome or Chromium; where undefined, the usual places are searched when it is needed. */
      browser?: string | undefined;
      /** The bundle (or source) that hosts the page under Node. */
      pageHostScript: string;
    }
  | { mode: 'exec'; path: string; wasmrun: string; args: readonly string[] }
  | { mode: 'web'; path: string; spa: boolean; crossOriginIsolation: boolean }
  | { mode: 'port'; path: string; port?: number | undefined; command?: string | undefined };

/** What every mode gets to start its program with. */
export interface ProgramContext {
  /** Private folder (0700) of this start, empty; removed by the caller afterwards. */
  folder: string;
  /** The whole environment of the program's process. */
  environment: Readonly<Record<string, string>>;
  logger: Logger;
  /** One line of the program's console, as it came; not sanitised. */
  onOutput: (line: string) => void;
  onChild: OnChild;
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
