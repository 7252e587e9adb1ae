// The folder of one exposure on this machine. Main, post, stop and the `expose` command find the exposure through it.
//
//   expose-XXXXXX/   0700, in RUNNER_TEMP or the system's temp folder
//     session.json   how to reach it (0600: it holds the control token)
//     journal        every process it started
//     expose.log     its log
//     outcome.json   its last state and history, written when it ends; until then blanks, which reserve the space
//     latest.json    the same while it lives, half a minute old at most, for the case that it is killed
//     requests.ndjson  the captured requests (0600)
//     bin/           the `expose` command for later steps
//     app/           whatever the app needs: staged copy, profile of the browser
//     wasmrun/       a wasmrun from the runner's cache service

import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import * as v from 'valibot';
import { InputError } from '../shared/errors.ts';
import { isAlive, type ProcessRecord } from '../shared/processes.ts';
import type { SupervisorConfig } from './config.ts';

const PREFIX = 'expose-';
/** How many previews a message names. */
const MAX_NAMED = 10;

/**
 * Enough for any last state: it has up to twenty lines of the app, of 1,000 characters of up to six bytes each, and a
 * history with about a hundred texts of 200 such characters.
 */
export const OUTCOME_BYTES = 320 * 1024;

const SessionSchema = v.object({
  /** What people see; not unique. */
  name: v.string(),
  pid: v.number(),
  startTime: v.string(),
  controlUrl: v.pipe(v.string(), v.regex(/^http:\/\/127\.0\.0\.1:\d{1,5}$/)),
  controlToken: v.string(),
});

/** What `session.json` holds: the exposure's process, and its API on loopback. */
export type Session = v.InferOutput<typeof SessionSchema>;

/** The files of a session folder. */
export function sessionFiles(folder: string) {
  return {
    session: join(folder, 'session.json'),
    journal: join(folder, 'journal'),
    log: join(folder, 'expose.log'),
    outcome: join(folder, 'outcome.json'),
    latest: join(folder, 'latest.json'),
    requests: join(folder, 'requests.ndjson'),
    bin: join(folder, 'bin'),
    app: join(folder, 'app'),
    wasmrun: join(folder, 'wasmrun'),
  };
}

/** Makes a folder only this user can enter. */
export function createSessionFolder(parent: string): string {
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, PREFIX));
  mkdirSync(sessionFiles(folder).app, { mode: 0o700 });
  writeFileSync(sessionFiles(folder).outcome, ' '.repeat(OUTCOME_BYTES), { mode: 0o600 });
  return folder;
}

/** Writes and returns the session of a preview whose API listens. Throws if its folder has one already. */
export function writeSession(
  { folder, name, controlToken }: Pick<SupervisorConfig, 'folder' | 'name' | 'controlToken'>,
  { pid, startTime }: ProcessRecord,
  controlUrl: string,
): Session {
  const session = { name, pid, startTime, controlUrl, controlToken };
  writeFileSync(sessionFiles(folder).session, JSON.stringify(session), { mode: 0o600, flag: 'wx' });
  return session;
}

/** The session of a folder, or undefined if its supervisor never got ready. */
export function readSession(folder: string): Session | undefined {
  return readDocument(sessionFiles(folder).session, SessionSchema);
}

/** A file of the folder as JSON; undefined if it is missing, or not whole. */
export function readDocument<Schema extends v.GenericSchema>(
  file: string,
  schema: Schema,
): v.InferOutput<Schema> | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return v.parse(schema, JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined; // a document cut off in mid-write is as good as none
  }
}

/**
 * The session a command is meant for: the only one with the wanted name, or the only one at all. Ended ones count only
 * if none runs. Throws an InputError if there is none, and one that lists them if there are several.
 */
export function chooseSession(
  parent: string,
  wanted: string | undefined,
): { folder: string; session: Session } {
  const all = listSessions(parent);
  const meant = wanted ? all.filter(one => isCalled(one, wanted)) : all;
  const running = meant.filter(isRunning);
  if (wanted && meant.length === 0)
    throw new InputError(
      `no exposure is called '${wanted}' here; there ${describeList(all.filter(isRunning))}`,
    );
  const candidates = running.length > 0 ? running : meant;
  const [only] = candidates;
  if (only === undefined)
    throw new InputError(
      `nothing is exposed here (looked for ${join(parent, `${PREFIX}*`)}): start it first`,
    );
  if (candidates.length > 1)
    throw new InputError(
      `several exposures are here; choose one with \`session\`: there ${describeList(candidates)}`,
    );
  return only;
}

/** False from the end on, even while its process still writes the last comment. */
export function isRunning({ folder, session }: { folder: string; session: Session }): boolean {
  return isAlive(session) && readDocument(sessionFiles(folder).outcome, v.object({})) === undefined;
}

/** Whether `wanted` is its `session` output, the folder's path or name, or the name people see, which is not unique. */
function isCalled({ folder, session }: { folder: string; session: Session }, wanted: string): boolean {
  return [sessionFiles(folder).session, folder, basename(folder), session.name].includes(wanted);
}

/** The sessions whose control API was started, running or ended; a skipped preview leaves none. */
export function listSessions(parent: string): { folder: string; session: Session }[] {
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .filter(entry => entry.startsWith(PREFIX) && isPrivate(join(parent, entry)))
    .flatMap(entry => {
      const folder = join(parent, entry);
      const session = readSession(folder);
      return session ? [{ folder, session }] : [];
    });
}

/** Whether only this user can have written there: anybody can make a folder of that name in a shared temp folder. */
function isPrivate(folder: string): boolean {
  if (process.getuid === undefined) return true; // Windows: its temp folder is the user's own
  const found = lstatSync(folder, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === process.getuid() && (found.mode & 0o077) === 0;
}

/** The first ones: killed processes leave their folders, and nobody reads hundreds of names. */
function describeList(all: { folder: string; session: Session }[]): string {
  if (all.length === 0) return 'are none that run';
  const names = all.slice(0, MAX_NAMED).map(one => `${basename(one.folder)} (${one.session.name})`);
  const left = all.length - names.length;
  return `are ${names.join(', ')}${left > 0 ? ` and ${left} more` : ''}`;
}

/** Writes the `expose` command for later steps: it runs this bundle with this Node. Returns the folder for PATH. */
export function writeCommand(folder: string, cliScript: string): string {
  const { bin } = sessionFiles(folder);
  mkdirSync(bin, { recursive: true, mode: 0o700 });
  const quoted = [process.execPath, cliScript].map(path => `'${path.replaceAll("'", `'\\''`)}'`).join(' ');
  writeFileSync(join(bin, 'expose'), `#!/bin/sh\nexec ${quoted} "$@"\n`);
  chmodSync(join(bin, 'expose'), 0o755);
  writeFileSync(join(bin, 'expose.cmd'), `@"${process.execPath}" "${cliScript}" %*\r\n`);
  return bin;
}
