// Calls the runner's cache service through the program src/cache.ts, within a time limit. Used by
// installation-cache.ts.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { runCommand } from '../app/process/command.ts';
import type { OnChild } from '../app/program.ts';
import { describeError } from '../shared/errors.ts';
import { removeFolder } from '../shared/folders.ts';
import type { Logger } from '../shared/log.ts';

export interface CacheCall {
  /** Bundle or source of the program. */
  script: string;
  verb: 'restore' | 'save';
  /** Names of entries: of the first one that exists, or of the one to be. */
  names: readonly string[];
  /** Holds the folder `KEPT_FOLDER` that is saved, or that is made. */
  folder: string;
  /** What the program sees, from selectCacheEnvironment. */
  environment: Readonly<Record<string, string>>;
  limitMs: number;
  signal: AbortSignal;
  logger: Logger;
  onChild?: OnChild;
}

export type CacheAnswer =
  /** There is no cache service. */
  | { kind: 'absent' }
  | { kind: 'restored'; name: string }
  | { kind: 'missing' }
  | { kind: 'saved' }
  | { kind: 'failed'; reason: string };

export const KEPT_FOLDER = 'kept';

/** The service's address and the job's token for it, as the runner names them; the library reads them. */
const SERVICE =
  /^(ACTIONS_(CACHE_URL|RESULTS_URL|CACHE_SERVICE_V2|CACHE_MODE|RUNTIME_TOKEN)|GITHUB_SERVER_URL)$/;

/**
 * For GNU tar, which the library tells to obey absolute names, and which then follows links that it has unpacked: with
 * these, nothing is unpacked outside of the folder, each link leads to its own folder, and as root the files become ours.
 * Other tars do not read the variable.
 */
const SAFE_UNPACKING = '--exclude=/* --exclude=?:* --exclude=.. --transform=s,.*,.,Rhs --no-same-owner';

/** The job's variables that the program needs, added to those that any program sees. */
export function selectCacheEnvironment(
  job: NodeJS.ProcessEnv,
  common: Readonly<Record<string, string>>,
): Record<string, string> {
  const service = Object.entries(job).flatMap(([name, value]) =>
    SERVICE.test(name) && value !== undefined ? [[name, value] as const] : [],
  );
  return { ...common, ...Object.fromEntries(service) };
}

/** Rejects with the signal's reason when aborted; every other failure is an answer. */
export async function callCacheService(call: CacheCall): Promise<CacheAnswer> {
  const { verb, folder, signal, logger } = call;
  if (!call.environment.ACTIONS_CACHE_URL && !call.environment.ACTIONS_RESULTS_URL) return { kind: 'absent' };
  const limit = AbortSignal.timeout(call.limitMs);
  const archive = join(folder, 'archive');
  const report = new LibraryReport();
  try {
    await mkdir(archive, { recursive: true });
    await runCommand({
      command: process.execPath,
      args: [call.script, verb, KEPT_FOLDER, ...call.names],
      cwd: folder,
      environment: {
        ...call.environment,
        // The library takes paths in the archive from the workspace, and puts the archive into the temp folder.
        GITHUB_WORKSPACE: folder,
        RUNNER_TEMP: archive,
        ...(verb === 'restore' && { TAR_OPTIONS: SAFE_UNPACKING }),
      },
      signal: AbortSignal.any([signal, limit]),
      onLine: line => {
        report.read(line);
        // The address of the archive gives access to it.
        if (!line.startsWith('::add-mask::')) logger.debug(`cache: ${hideQueries(line)}`);
      },
      ...(call.onChild && { onChild: call.onChild }),
    });
    return report.conclude(call.names);
  } catch (error) {
    signal.throwIfAborted();
    const reason = limit.aborted
      ? `no answer within ${Math.round(call.limitMs / 1_000)} s`
      : describeError(error);
    return { kind: 'failed', reason: [reason, report.problem].filter(text => text !== undefined).join(': ') };
  } finally {
    // What cannot be removed goes with the folder around it.
    await removeFolder(archive);
  }
}

const AnswerSchema = v.variant('cache', [
  v.object({ cache: v.literal('absent') }),
  v.object({ cache: v.literal('nothing') }),
  v.object({ cache: v.literal('restored'), name: v.string() }),
  v.object({ cache: v.literal('saved') }),
]);

/** A problem that the library reports: as a command of the runner (@actions/core, `issueCommand`), or as plain text. */
const PROBLEM =
  /^::(?:warning|error)[^:]*::(.*)|^(?:Failed to save: |Cache \w+ skipped: |Attempt \d+ of \d+ failed with error: )(.*)/;

/** Reads what the program prints: its answer, and before it what the library prints for the job's log. */
class LibraryReport {
  #answer: v.InferOutput<typeof AnswerSchema> | undefined;
  /** The last problem that the library reported: it throws none. */
  problem: string | undefined;

  read(line: string): void {
    const [, command, plain] = PROBLEM.exec(line) ?? [];
    const problem = command === undefined ? plain : decodeCommand(command);
    if (problem !== undefined) this.problem = hideQueries(problem.replace(/^Failed to (restore|save): /, ''));
    if (line.startsWith('{')) this.#answer = parseAnswer(line) ?? this.#answer;
  }

  conclude(wanted: readonly string[]): CacheAnswer {
    const answer = this.#answer;
    switch (answer?.cache) {
      case 'absent':
      case 'saved':
        return { kind: answer.cache };
      case 'restored':
        // A service takes an entry whose name begins like the wanted one if there is none of that name.
        return wanted.includes(answer.name)
          ? { kind: 'restored', name: answer.name }
          : { kind: 'failed', reason: `it holds ${answer.name} instead` };
      default:
        return this.problem === undefined ? { kind: 'missing' } : { kind: 'failed', reason: this.problem };
    }
  }
}

function parseAnswer(line: string): v.InferOutput<typeof AnswerSchema> | undefined {
  try {
    return v.parse(AnswerSchema, JSON.parse(line));
  } catch {
    return undefined;
  }
}

function decodeCommand(text: string): string {
  return text.replaceAll('%0A', ' ').replaceAll('%0D', '').replaceAll('%25', '%');
}

function hideQueries(text: string): string {
  return text.replaceAll(/(https?:\/\/[^\s?]+)\?\S+/g, '$1');
}
