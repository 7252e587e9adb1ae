// Starts and ends the supervisor, a separate process that outlives the step. Used by main and post.

import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import * as v from 'valibot';
import { callControl } from '../control/client.ts';
import { endProcess, isAlive, type ProcessRecord, recordProcess, waitForEnd } from '../shared/processes.ts';
import { StateMessageSchema } from '../shared/state-json.ts';
import { DEFAULT_STOP_TIMEOUT_MS, limitStop } from '../shared/stop-times.ts';
import type { SupervisorConfig } from './config.ts';
import { type Outcome, readOutcome } from './outcome.ts';
import { type ReapedProcess, reapJournal, writeJournal } from './process-journal.ts';
import { readSession, type Session, sessionFiles, writeSession } from './session-folder.ts';

/** Until it is ready, the supervisor only loads its bundle and opens a loopback port. */
const READY_TIMEOUT_MS = 20_000;
/** After its answer the supervisor only waits for the last comment, which was begun with the end, within 8 s. */
const FINISH_TIMEOUT_MS = 9_000;
const SIGNAL_GRACE_MS = 3_000;

/**
 * For glibc's memory allocator; other systems ignore them. By default it would keep the memory that many visitors at a time
 * needed, in several heaps (bench B9): Node.js reads from each connection into a new block of 64 KB.
 */
export const ALLOCATOR_SETTINGS = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: `${128 * 1024}` } as const;

const StoppedSchema = v.object({ state: StateMessageSchema });

const ReadySchema = v.object({ controlUrl: v.string() });

/**
 * Spawns the supervisor, writes its configuration to its stdin, and resolves when its API listens. `onSpawn` is called
 * in the same tick as the spawn. Rejects if the supervisor exits first; its last output is in the log file.
 */
export async function startBackground(options: {
  script: string;
  config: SupervisorConfig;
  /** Environment of the supervisor: without inputs, secrets and tokens. */
  environment: Readonly<Record<string, string>>;
  onSpawn: (record: ProcessRecord) => void;
  readyTimeoutMs?: number;
}): Promise<Session> {
  const { script, config, environment, onSpawn, readyTimeoutMs = READY_TIMEOUT_MS } = options;
  const files = sessionFiles(config.folder);
  const log = openSync(files.log, 'a', 0o600);
  const child = spawn(process.execPath, [script], {
    cwd: config.folder,
    detached: true,
    env: { ...ALLOCATOR_SETTINGS, ...environment },
    stdio: ['pipe', log, log, 'ipc'],
    windowsHide: true,
  });
  closeSync(log);
  const ready = awaitReady(child, readyTimeoutMs).finally(() => {
    // In any case this process must not wait for the supervisor, which may live on until post ends it.
    if (child.connected) child.disconnect();
    child.unref();
  });
  if (child.pid === undefined)
    return ready.then(() => Promise.reject(new Error('the supervisor has no pid')));
  child.stdin?.on('error', () => {}); // the exit event reports an early death
  const record = recordProcess(child.pid, 'supervisor');
  try {
    writeJournal(files.journal, record);
    onSpawn(record);
  } catch (error) {
    // Post could not find a supervisor without a record, and would not end it.
    child.kill('SIGKILL');
    await ready.catch(() => {});
    throw error;
  }
  child.stdin?.end(JSON.stringify(config));
  const { controlUrl } = await ready;
  return writeSession(config, record, controlUrl);
}

function awaitReady(
  child: ReturnType<typeof spawn>,
  timeoutMs: number,
): Promise<v.InferOutput<typeof ReadySchema>> {
  return new Promise((resolve, reject) => {
    const finish = (report: () => void) => {
      clearTimeout(timer);
      child.removeAllListeners();
      child.on('error', () => {});
      report();
    };
    const timer = setTimeout(
      () => finish(() => reject(new Error(`the supervisor was not ready within ${timeoutMs / 1000} s`))),
      timeoutMs,
    );
    child.once('error', cause =>
      finish(() => reject(new Error('the supervisor could not be started', { cause }))),
    );
    child.once('exit', (code, signal) =>
      finish(() =>
        reject(new Error(`the supervisor ended before it was ready (${signal ?? `exit code ${code}`})`)),
      ),
    );
    child.once('message', message => {
      const parsed = v.safeParse(ReadySchema, message);
      finish(() =>
        parsed.success
          ? resolve(parsed.output)
          : reject(new Error('the supervisor sent an unexpected message')),
      );
    });
  });
}

/** How an exposure ended. */
export interface BackgroundEnd {
  /** The processes that were left behind; empty if everything ended by itself. */
  reaped: ReapedProcess[];
  /** Its last state, from its file or its API; undefined if it was killed. */
  outcome: Outcome | undefined;
}

export interface StopOptions {
  /** How long the app may take to stop. */
  stopTimeoutMs?: number;
  /** Shortens a wait to the time that the caller has left. */
  limit?: (wantedMs: number) => number;
}

/** Ends an exposure and everything it left: through its API, then with signals, then from its journal. */
export async function stopBackground(
  folder: string,
  supervisor: ProcessRecord | undefined,
  { stopTimeoutMs = DEFAULT_STOP_TIMEOUT_MS, limit = wantedMs => wantedMs }: StopOptions = {},
): Promise<BackgroundEnd> {
  const session = readSession(folder);
  let answer: unknown;
  if (supervisor && session && isAlive(supervisor)) {
    answer = await callControl(session, 'POST /api/stop?reason=job+ended', limitStop(stopTimeoutMs)).catch(
      () => undefined, // signals follow
    );
    if (answer !== undefined) await waitForEnd(supervisor, limit(FINISH_TIMEOUT_MS));
  }
  if (supervisor) await endProcess(supervisor, limit(SIGNAL_GRACE_MS));
  const reaped = await reapJournal(sessionFiles(folder).journal, limit(stopTimeoutMs));
  const stopped = v.safeParse(StoppedSchema, answer);
  // The file is newer, if it could be written.
  const outcome = readOutcome(folder) ?? (stopped.success ? stopped.output.state : undefined);
  return { reaped, outcome };
}
