// Session folders: what they hold, and which one a command finds.

import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { InputError } from '../../src/shared/errors.ts';
import { recordProcess } from '../../src/shared/processes.ts';
import { readOutcome, writeOutcome } from '../../src/supervisor/outcome.ts';
import {
  chooseSession,
  createSessionFolder,
  readSession,
  sessionFiles,
  writeCommand,
  writeSession,
} from '../../src/supervisor/session-folder.ts';
import { sampleEnd } from '../support/sample-state.ts';

const ENDED = sampleEnd(
  { kind: 'ended', reason: 'stopped', endedAt: new Date(0) },
  { reconnects: 2, visits: 3 },
);

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'session-'));
  onTestFinished(() => rmSync(parent, { recursive: true }));
});

/** A session folder of this name; the process is this one, or one that has ended. */
function create(name: string, state: 'running' | 'ended' = 'running'): string {
  const folder = createSessionFolder(parent);
  const own = recordProcess(process.pid, 'supervisor');
  const record = state === 'running' ? own : { ...own, startTime: '1' };
  writeSession({ folder, name, controlToken: 'a token' }, record, 'http://127.0.0.1:1');
  return folder;
}

function choose(wanted?: string): string {
  return chooseSession(parent, wanted).folder;
}

describe('a session folder', () => {
  it('can be entered, and its control token read, by its user alone', () => {
    const folder = create('app');
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(sessionFiles(folder).session).mode & 0o777).toBe(0o600);
    expect(readSession(folder)).toMatchObject({ name: 'app', controlToken: 'a token' });
  });

  it('has no session if the document was only partly written', () => {
    const folder = createSessionFolder(parent);
    expect(readSession(folder)).toBeUndefined();
    writeFileSync(sessionFiles(folder).session, '{"name":"app","pid":');
    expect(readSession(folder)).toBeUndefined();
  });

  it('keeps the last state', () => {
    const folder = createSessionFolder(parent);
    expect(readOutcome(folder)).toBeUndefined();
    writeOutcome(folder, ENDED);
    expect(readOutcome(folder)).toMatchObject({ status: 'Disconnected', reconnects: 2, visits: 3 });
    expect(readOutcome(folder)?.exposure).toMatchObject({ phase: 'ended', reason: 'stopped' });
  });
});

describe('the session that a command finds', () => {
  it('is not one that has ended, even while its process is busy with the comment', () => {
    writeOutcome(create('ended'), ENDED);
    const running = create('running');
    expect(choose()).toBe(running);
  });

  it('is the only one there is', () => {
    const folder = create('app');
    expect(choose()).toBe(folder);
    expect(choose('')).toBe(folder);
  });

  it('is the running one if all others have ended', () => {
    create('old', 'ended');
    const folder = create('new');
    expect(choose()).toBe(folder);
  });

  it('is one that has ended if there is no other', () => {
    const folder = create('app', 'ended');
    expect(choose()).toBe(folder);
  });

  it('is found by the session output, the folder, and the name', () => {
    const folder = create('app');
    create('other');
    for (const wanted of [sessionFiles(folder).session, folder, basename(folder), 'app'])
      expect(choose(wanted)).toBe(folder);
  });

  it('is not guessed if two run under one name', () => {
    const folders = [create('app'), create('app')];
    for (const wanted of [undefined, 'app']) {
      expect(() => choose(wanted)).toThrow(InputError);
      for (const folder of folders) expect(() => choose(wanted)).toThrow(basename(folder));
    }
    expect(folders.map(choose)).toEqual(folders);
  });

  it('is the running one if another of that name has ended', () => {
    create('app', 'ended');
    const folder = create('app');
    create('other');
    expect(choose('app')).toBe(folder);
  });

  it('is reported as missing, with a list of the others that run', () => {
    create('earlier', 'ended');
    const folder = create('app');
    expect(() => choose('typo')).toThrow(
      `no exposure is called 'typo' here; there are ${basename(folder)} (app)`,
    );
  });

  it('is not looked for in a list of hundreds: ten are named', () => {
    for (let count = 0; count < 12; count += 1) create('app');
    expect(() => choose()).toThrow(/there are (expose-\w+ \(app\), ){9}expose-\w+ \(app\) and 2 more$/);
  });

  it('is reported as missing if nothing was exposed', () => {
    expect(() => choose()).toThrow('nothing is exposed here');
    expect(() => choose('app')).toThrow("no exposure is called 'app' here; there are none");
    expect(() => chooseSession(join(parent, 'nowhere'), undefined)).toThrow('nothing is exposed here');
  });
});

describe('the expose command', () => {
  it('runs the bundle with this Node.js, whatever their paths are', async () => {
    const folder = createSessionFolder(parent);
    const script = join(parent, "it's a script.mjs");
    writeFileSync(script, 'console.log(process.execPath, ...process.argv.slice(2))');
    const bin = writeCommand(folder, script);
    const child = spawn(join(bin, 'expose'), ['status', 'a b'], { stdio: ['ignore', 'pipe', 'inherit'] });
    expect(await child.stdout.toArray().then(String)).toBe(`${process.execPath} status a b\n`);
    expect(readFileSync(join(bin, 'expose.cmd'), 'utf8')).toContain(`"${script}" %*`);
  });
});

describe('a session folder in a temp folder that all users share', () => {
  it('does not count if other users could have written to it, or if it is a link', () => {
    const folder = create('mine');
    expect(chooseSession(parent, undefined).folder).toBe(folder);
    symlinkSync(folder, join(parent, 'expose-link'));
    expect(chooseSession(parent, undefined).folder).toBe(folder);
    chmodSync(folder, 0o770);
    expect(() => chooseSession(parent, undefined)).toThrow('nothing is exposed here');
  });

  it('does not count if its API is on another machine', () => {
    const folder = createSessionFolder(parent);
    const { pid, startTime } = recordProcess(process.pid, 'test');
    const session = { name: 'x', pid, startTime, controlUrl: 'http://evil.example:80', controlToken: 'x' };
    writeFileSync(sessionFiles(folder).session, JSON.stringify(session));
    expect(() => chooseSession(parent, undefined)).toThrow('nothing is exposed here');
  });
});
