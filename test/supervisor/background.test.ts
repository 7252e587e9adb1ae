// Starting and ending a supervisor, with scripts in its place that misbehave.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { isAlive, type ProcessRecord } from '../../src/shared/processes.ts';
import { startBackground, stopBackground } from '../../src/supervisor/background.ts';
import type { SupervisorConfig } from '../../src/supervisor/config.ts';
import { readJournal, reapJournal } from '../../src/supervisor/process-journal.ts';
import {
  createSessionFolder,
  readSession,
  type Session,
  sessionFiles,
} from '../../src/supervisor/session-folder.ts';
import { listen } from '../support/listen.ts';
import { OPEN_GATEWAY } from '../support/open-gateway.ts';
import { isRunning } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';

const SECRET = 'a-secret-of-the-bore-server';
const READY = `process.send({ controlUrl: process.env.CONTROL_URL ?? 'http://127.0.0.1:1' });`;
const STAY = 'setInterval(() => {}, 1_000);';

let folder: string;
beforeEach(() => {
  const parent = mkdtempSync(join(tmpdir(), 'background-'));
  folder = createSessionFolder(parent);
  onTestFinished(async () => {
    await reapJournal(sessionFiles(folder).journal, 100);
    rmSync(parent, { recursive: true });
  });
});

function createConfig(): SupervisorConfig {
  return {
    folder,
    name: 'app',
    controlToken: 'a-control-token',
    logLevel: 'info',
    exposure: {
      protocol: 'http',
      spec: { mode: 'web', path: '/nowhere', spa: false, crossOriginIsolation: false },
      env: {},
      baseEnvironment: {},
      healthPath: '/',
      startupTimeoutMs: 1_000,
      gateway: OPEN_GATEWAY,
      tunnel: {
        servers: [{ address: { host: '127.0.0.1', port: 1 }, secret: SECRET }],
        identity: 'a preview',
        remotePort: { kind: 'random' },
        publicUrl: 'http://{host}:{port}',
      },
    },
  };
}

function writeScript(text: string): string {
  const script = join(folder, 'supervisor.mjs');
  writeFileSync(script, text);
  return script;
}

/** Starts the script as supervisor; the record is there as soon as the process is. */
async function start(
  text: string,
  options: { environment?: Record<string, string>; readyTimeoutMs?: number } = {},
): Promise<{ session: Session; record: ProcessRecord }> {
  const records: ProcessRecord[] = [];
  const session = await startBackground({
    script: writeScript(text),
    config: createConfig(),
    environment: {},
    onSpawn: record => records.push(record),
    ...options,
  });
  const [record] = records;
  if (record === undefined) throw new Error('onSpawn was not called');
  return { session, record };
}

/** A control API that calls `onStop` at every request. */
async function startApi(onStop: () => void): Promise<string> {
  const server = createServer((_, response) => {
    onStop();
    response.end('{"success":true}');
  });
  const port = await listen(server);
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${port}`;
}

describe('a supervisor', () => {
  it('gets its configuration on standard input only, and is found by its session', async () => {
    const script = `import { text } from 'node:stream/consumers';
import { readFileSync, writeFileSync } from 'node:fs';
const config = JSON.parse(await text(process.stdin));
const seen = ['cmdline', 'environ'].map(name => readFileSync('/proc/self/' + name, 'latin1')).join();
writeFileSync('seen.json', JSON.stringify({ secret: config.exposure.tunnel.servers[0].secret, seen, env: process.env.ONLY }));
${READY} ${STAY}`;
    const { session, record } = await start(script, { environment: { ONLY: 'this' } });
    const { secret, seen, env } = JSON.parse(readFileSync(join(folder, 'seen.json'), 'utf8'));
    expect({ secret, env }).toEqual({ secret: SECRET, env: 'this' });
    expect(seen).toContain('supervisor.mjs');
    expect(seen).not.toContain(SECRET);
    expect(seen).not.toContain('HOME=');
    expect(readSession(folder)).toEqual(session);
    expect(isAlive(session)).toBe(true);
    expect(readJournal(sessionFiles(folder).journal)).toEqual([record]);
  });

  it('is reported as failed if it exits before it is ready', async () => {
    await expect(start('process.exit(7)')).rejects.toThrow(
      'the supervisor ended before it was ready (exit code 7)',
    );
    await expect(start("process.kill(process.pid, 'SIGKILL')")).rejects.toThrow('(SIGKILL)');
  });

  it('leaves its last output in the log', async () => {
    await expect(start("throw new Error('no such luck')")).rejects.toThrow('exit code 1');
    expect(readFileSync(sessionFiles(folder).log, 'utf8')).toContain('no such luck');
  });

  it('is not ready when it sends an unexpected message', async () => {
    await expect(start(`process.send({ hello: 1 }); ${STAY}`)).rejects.toThrow('unexpected message');
  });

  it('does not keep the step waiting if it is never ready, and is recorded for post', async () => {
    const step = `import { startBackground } from ${JSON.stringify(resolve('src/supervisor/background.ts'))};
const [script, config] = process.argv.slice(1);
await startBackground({
  script, config: JSON.parse(config), environment: {}, onSpawn: () => {}, readyTimeoutMs: 300,
}).catch(error => console.log(error.message));`;
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', step, writeScript(STAY), JSON.stringify(createConfig())],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    // Ends when the step's process does.
    expect(await child.stdout.toArray().then(String)).toBe('the supervisor was not ready within 0.3 s\n');
    await waitUntil(() => child.exitCode === 0, 'the step ends by itself');
    const [record] = readJournal(sessionFiles(folder).journal);
    expect(record && isAlive(record)).toBe(true);
    expect((await stopBackground(folder, record)).reaped).toEqual([]);
    expect(record && isRunning(record.pid)).toBe(false);
  });
});

describe('the end of a supervisor', () => {
  it('is requested through its API and awaited', async () => {
    let asked = 0;
    let pid = 0;
    const CONTROL_URL = await startApi(() => {
      asked += 1;
      process.kill(pid, 'SIGUSR2');
    });
    // Ends half a second after the request; SIGTERM would leave a file.
    const script = `import { writeFileSync } from 'node:fs';
process.on('SIGTERM', () => { writeFileSync('terminated', ''); process.exit(); });
process.on('SIGUSR2', () => setTimeout(() => process.exit(), 500));
${READY} ${STAY}`;
    const { record } = await start(script, { environment: { CONTROL_URL } });
    pid = record.pid;
    expect((await stopBackground(folder, record)).reaped).toEqual([]);
    expect(isRunning(pid)).toBe(false);
    expect(asked).toBe(1);
    expect(existsSync(join(folder, 'terminated'))).toBe(false);
  });

  it('uses SIGTERM if its API is gone, and SIGKILL if it ignores that', async () => {
    const { record } = await start(`process.on('SIGTERM', () => {}); ${READY} ${STAY}`);
    await stopBackground(folder, record);
    expect(isRunning(record.pid)).toBe(false);
  });

  it('includes the processes that it left behind, and returns them', async () => {
    const script = `import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
const { pid } = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' });
const stat = readFileSync('/proc/' + pid + '/stat', 'utf8');
const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
appendFileSync('journal', JSON.stringify({ pid, startTime, role: 'the app' }) + '\\n');
${READY} ${STAY}`;
    const { record } = await start(script, { environment: { PATH: process.env.PATH ?? '' } });
    process.kill(record.pid, 'SIGKILL');
    await waitUntil(() => !isRunning(record.pid), 'the supervisor is dead');
    const orphan = readJournal(sessionFiles(folder).journal).find(({ role }) => role === 'the app');
    expect(orphan && isAlive(orphan)).toBe(true);
    expect((await stopBackground(folder, record)).reaped).toMatchObject([{ role: 'the app', killed: false }]);
    expect(orphan && isRunning(orphan.pid)).toBe(false);
  });

  it('does nothing when there is no supervisor', async () => {
    expect((await stopBackground(folder, undefined)).reaped).toEqual([]);
    const gone = { pid: 4_000_000, startTime: '1', role: 'x' };
    expect(await stopBackground(join(folder, 'nowhere'), gone)).toEqual({ reaped: [], outcome: undefined });
  });
});
