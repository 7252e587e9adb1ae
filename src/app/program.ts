// The types that all modes share: what to run, what it is started with, and the running program. Used by app.ts and the
// modes; AppSpec is a part of the exposure's configuration, too.

import * as v from 'valibot';
import type { AppError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import type { Upstream } from '../shared/state.ts';

/** Called synchronously after the spawn, so that every child is recorded before its owner can die. */
export type OnChild = (child: { pid: number; role: string }) => void;

export const VM_HOSTS = ['auto', 'node', 'browser'] as const;

const Port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));

/** What to run: the inputs are checked, and wasmrun is installed. Paths are absolute. */
export const AppSpecSchema = v.variant('mode', [
  v.object({
    mode: v.literal('os'),
    path: v.string(),
    wasmrun: v.string(),
    vm: v.picklist(VM_HOSTS),
    /** Chrome or Chromium; absent: the usual places are searched when it is needed. */
    browser: v.optional(v.string()),
    /** The bundle (or source) that hosts the page under Node. */
    pageHostScript: v.string(),
  }),
  v.object({ mode: v.literal('exec'), path: v.string(), wasmrun: v.string(), args: v.array(v.string()) }),
  v.object({
    mode: v.literal('web'),
    path: v.string(),
    spa: v.boolean(),
    /** True sends COOP and COEP with `require-corp`. */
    crossOriginIsolation: v.union([v.boolean(), v.literal('credentialless')]),
    /** Where visitors see the folder, like /repo/; absent: at /. */
    basePath: v.optional(v.string()),
    /** Absent: yes. */
    compress: v.optional(v.boolean()),
  }),
  v.object({
    mode: v.literal('port'),
    path: v.string(),
    port: v.optional(Port),
    /** The machine of the port, if it is another one: a name, or an IP address without brackets. */
    service: v.optional(v.string()),
    command: v.optional(v.string()),
  }),
]);

export type AppSpec = v.InferOutput<typeof AppSpecSchema>;

/** What every mode gets to start its program with. */
export interface ProgramContext {
  /** Private folder (0700) of this start, empty; removed by the caller afterwards. */
  folder: string;
  /** The whole environment of the program's process. */
  environment: Readonly<Record<string, string>>;
  logger: Logger;
  /** Called with each line of the program's console; not sanitised. */
  onOutput: (line: string) => void;
  onChild: OnChild;
  /** How long the program may take to stop before it is killed. */
  stopTimeoutMs: number;
  /** Aborts the start, which then rejects with the signal's reason. */
  signal: AbortSignal;
}

/** A program that listens. `ended` resolves, never rejects, with the reason why it ended. */
export interface Program {
  upstream: Upstream;
  pid?: number;
  ended: Promise<AppError>;
  /** Resolves when all its processes are gone; may be called twice. */
  stop(): Promise<void>;
}
