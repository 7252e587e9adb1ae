// wasmrun between two jobs: through dist/cache, the program that calls the cache service, and a server that plays the
// service. cargo is a stand-in that "builds" a shell script, so nothing is downloaded. test/e2e/act-cache.test.ts has the
// real wasmrun and act's own service.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findOrInstallWasmrun } from '../../src/app/wasmrun/install.ts';
import { type NewInstallation, nameEntries } from '../../src/app/wasmrun/kept.ts';
import { createLogger } from '../../src/shared/log.ts';
import type { AppMode } from '../../src/shared/state.ts';
import { selectCacheEnvironment } from '../../src/step/cache-service.ts';
import {
  type CacheMachine,
  keepInstallation,
  openInstallationStore,
} from '../../src/step/installation-cache.ts';
import { readHost } from '../../src/supervisor/host.ts';
import { type CacheEntry, type CacheFault, startCacheServer } from '../support/cache-server.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { RunnerJob } from '../support/runner.ts';
import { isRunning } from '../support/running.ts';
import { isFull } from '../support/scale.ts';
import { TestCa } from '../support/test-ca.ts';
import { waitUntil } from '../support/wait-until.ts';

const SYSTEM_PATH = ['/usr/bin', '/bin'].join(delimiter);
const { program: PROGRAM_ENTRY, withRuntimes: RUNTIMES_ENTRY } = nameEntries('1.0.0');
/** As wasmrun 1.0.0 prints its version. */
const PROGRAM = "#!/bin/sh\nprintf 'wasmrun v1.0.0\\n'\n";

/** Writes down that it ran, and puts the program where cargo would. */
const CARGO = `#!/bin/sh
echo > "$0.ran"; while [ "$1" != --root ]; do shift; done
mkdir -p "$2/bin"; printf '%s' '${PROGRAM.replaceAll("'", `'\\''`)}' > "$2/bin/wasmrun"; chmod +x "$2/bin/wasmrun"
`;

interface JobOptions {
  mode?: AppMode;
  environment?: Record<string, string>;
  /** Until when the service has to answer. */
  limitMs?: number;
  signal?: AbortSignal;
}

/** A job on a machine of its own: home folder, temp folder and tool cache are new. */
class Job {
  readonly folder = mkdtempSync(join(tmpdir(), 'installation-cache-'));
  readonly home = this.#makeFolder('home');
  readonly temp = this.#makeFolder('temp');
  readonly runtimes = join(this.home, '.wasmrun', 'runtimes');
  readonly log: string[] = [];
  readonly warnings: string[] = [];
  /** What the job started, by its program. */
  readonly processes: { pid: number; role: string }[] = [];
  installation: NewInstallation | undefined;
  readonly #options: JobOptions;

  constructor(options: JobOptions = {}) {
    this.#options = options;
    onTestFinished(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  /** Finds or installs wasmrun as main does; resolves with the program's path. */
  async main(): Promise<string> {
    const { mode = 'exec', limitMs = 30_000, signal = new AbortController().signal } = this.#options;
    const machine = this.#describeMachine();
    const store = openInstallationStore({
      mode,
      folder: join(this.temp, 'wasmrun'),
      machine,
      script: resolve('dist/cache/index.js'),
      logger: this.#logger,
      limitMs,
      onChild: child => this.processes.push(child),
      noteInstalled: installation => {
        this.installation = installation;
      },
    });
    return await findOrInstallWasmrun({
      pathVariable: this.#writeCargo(),
      toolCache: join(this.folder, 'tools'),
      tempFolder: this.temp,
      releasesUrl: 'http://127.0.0.1:9/releases',
      store,
      environment: { PATH: SYSTEM_PATH },
      logger: this.#logger,
      signal,
    });
  }

  /** Keeps what main has installed, as post does. */
  async post(): Promise<void> {
    const { mode = 'exec', limitMs = 30_000 } = this.#options;
    if (this.installation === undefined) return;
    await keepInstallation({
      mode,
      installation: this.installation,
      machine: this.#describeMachine(),
      script: resolve('dist/cache/index.js'),
      logger: this.#logger,
      limitMs,
    });
  }

  /** Whether it was installed here, and did not come from elsewhere. */
  get hasBuilt(): boolean {
    return existsSync(join(this.folder, 'bin', 'cargo.ran'));
  }

  /** Writes what wasmrun has downloaded. */
  writeRuntime(text: string): void {
    mkdirSync(this.runtimes, { recursive: true });
    writeFileSync(join(this.runtimes, 'nodejs.json'), text);
    writeFileSync(join(this.runtimes, 'nodejs-20.wasm'), text);
  }

  readonly #logger = createLogger({
    level: 'info',
    write: (line, level) => {
      this.log.push(line);
      if (level !== 'info') this.warnings.push(line);
    },
  });

  #describeMachine(): CacheMachine {
    const variables = {
      PATH: SYSTEM_PATH,
      HOME: this.home,
      SECRET_OF_THE_JOB: 'never handed on',
      ...this.#options.environment,
    };
    return { ...readHost(variables, this.temp), variables };
  }

  #writeCargo(): string {
    const bin = this.#makeFolder('bin');
    writeFileSync(join(bin, 'cargo'), CARGO, { mode: 0o755 });
    return bin;
  }

  #makeFolder(name: string): string {
    const folder = join(this.folder, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }
}

async function startService() {
  const server = await startCacheServer();
  onTestFinished(() => server.close());
  return server;
}

/** A service in which an earlier job has left an installation; `change` alters it, as somebody else could. */
async function startFilledService(change?: (folder: string) => void, name = PROGRAM_ENTRY) {
  kept ??= keepOnce();
  const entry = { ...(await kept), name };
  if (change !== undefined) rewrite(entry, change);
  const server = await startService();
  server.entries.push(entry);
  return server;
}

let kept: Promise<CacheEntry> | undefined;

async function keepOnce(): Promise<CacheEntry> {
  const server = await startService();
  const job = new Job({ environment: server.environment(2) });
  await job.main();
  await job.post();
  const [entry] = server.entries;
  if (entry === undefined) throw new Error(`nothing was kept: ${job.log.join('\n')}`);
  return entry;
}

const rareFaults: [string, 1 | 2, CacheFault, RegExp][] = [
  ['answers 404', 2, { at: 'look-up', status: 404, body: '{}' }, /404/],
  ['answers 500', 1, { at: 'look-up', status: 500 }, /Cache service responded with 500/],
  ['answers no JSON', 2, { at: 'look-up', status: 200, body: '<html>' }, /within 4 s: .*not valid JSON/],
  ['hangs', 2, { at: 'look-up', hang: true }, /no answer within 1 s/],
  ['has lost the archive', 2, { at: 'download', status: 404 }, /tar" failed/],
  ['hangs in the download', 2, { at: 'download', hang: true }, /no answer within 1 s/],
  ['sends an empty file', 1, { at: 'download', content: Buffer.alloc(0) }, /tar" failed/],
];

const rareRefusals: [string, CacheFault, RegExp][] = [
  [
    'refuses the upload as Azure does',
    {
      at: 'upload',
      status: 403,
      body: '<?xml version="1.0"?><Error><Code>AuthenticationFailed</Code><Message>no access</Message></Error>',
      type: 'application/xml',
    },
    /no access/,
  ],
  ['hangs at once', { at: 'reserve', hang: true }, /no answer within 1 s/],
];

const rareDamages: [string, (folder: string) => void, RegExp][] = [
  ['is missing', folder => rmSync(join(folder, 'bin/wasmrun')), /\(it holds no program\)/],
  [
    'is described as another version',
    folder => writeFileSync(join(folder, 'installation.json'), describeInstallation('9.9.9')),
    /\(it is wasmrun 9\.9\.9\)/,
  ],
  ['is not described', folder => rmSync(join(folder, 'installation.json')), /\(it is not described\)/],
  [
    'has a description that is no JSON',
    folder => writeFileSync(join(folder, 'installation.json'), '{'),
    /\(its description cannot be read: /,
  ],
];

/** Version 2 tries again and again after 3 s and more if an answer is no refusal. */
function chooseLimit(fault: CacheFault): number {
  if ('hang' in fault) return 1_000;
  return 'status' in fault && (fault.status === 500 || fault.status === 200) ? 4_000 : 30_000;
}

/** Unpacks the entry, lets `change` alter the folder, and packs it again as the library does. */
function rewrite(entry: CacheEntry, change: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'cache-entry-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const tar = (...args: string[]) =>
    execFileSync('tar', [
      ...args,
      '-C',
      folder,
      ...(args[0] === '-xf' ? [] : ['-P', '-T', `${folder}.list`]),
    ]);
  writeFileSync(`${folder}.tar`, entry.archive);
  onTestFinished(() => {
    for (const end of ['list', 'tar']) rmSync(`${folder}.${end}`);
  });
  tar('-xf', `${folder}.tar`);
  writeFileSync(`${folder}.list`, 'kept\n');
  change(folder);
  const isZstd = entry.archive.readUInt32LE() === 0xfd2fb528;
  tar('-cf', `${folder}.tar`, isZstd ? '--zstd' : '--gzip');
  entry.archive = readFileSync(`${folder}.tar`);
}

const expectInstalled = async (job: Job) => {
  const path = await job.main();
  expect(execFileSync(path, ['--version'], { encoding: 'utf8' })).toBe('wasmrun v1.0.0\n');
  expect(job.hasBuilt).toBe(true);
  expect(path).toContain(join(job.folder, 'tools'));
};

/** The service of github.com; that of Enterprise servers and act differs in what goes over the network only. */
const VERSIONS = isFull ? ([2, 1] as const) : ([2] as const);

describe.skipIf(process.platform === 'win32').each(VERSIONS)('with version %d of the service', version => {
  it('a job finds what the first one has built, and the log says what that saved', async () => {
    const server = await startService();
    const first = new Job({ environment: server.environment(version) });
    await expectInstalled(first);
    expect(first.log[0]).toBe('wasmrun 1.0.0: not in the cache yet');
    await first.post();
    expect(first.log.at(-1)).toMatch(
      new RegExp(
        `^wasmrun 1\\.0\\.0: kept in the cache for later jobs as ${PROGRAM_ENTRY}, in \\d+\\.\\d s$`,
      ),
    );
    expect(readdirSync(first.temp)).toEqual(['wasmrun']);

    const second = new Job({ environment: server.environment(version) });
    const path = await second.main();
    expect(execFileSync(path, ['--version'], { encoding: 'utf8' })).toBe('wasmrun v1.0.0\n');
    expect(second.hasBuilt).toBe(false);
    expect(second.log).toEqual([
      expect.stringMatching(/^wasmrun 1\.0\.0: from the cache, in \d+\.\d s \(building it took \d+\.\d s\)$/),
    ]);
    // It is this job's alone, and is not kept again.
    expect(path).toContain(join(second.temp, 'wasmrun'));
    expect(existsSync(join(second.folder, 'tools'))).toBe(false);
    expect(second.installation).toBeUndefined();
  });

  it('two jobs that save at once do not disturb each other', async () => {
    const server = await startService();
    const jobs = [1, 2].map(() => new Job({ environment: server.environment(version) }));
    await Promise.all(jobs.map(job => job.main()));
    for (const job of jobs) await job.post();
    expect(jobs[0]?.log.at(-1)).toContain('kept in the cache');
    expect(jobs[1]?.log.at(-1)).toMatch(
      /^wasmrun 1\.0\.0: not kept in the cache \(Unable to reserve cache with key .*, another job may be creating this cache/,
    );
    expect(server.entries).toHaveLength(1);
  });

  it('a job that may only read is told why nothing is kept', async () => {
    const server = await startService();
    const job = new Job({ environment: server.environment(version) });
    await job.main();
    const body = JSON.stringify({ ok: false, message: 'cache write denied: read-only' });
    server.fault = { at: 'reserve', status: version === 1 ? 403 : 200, body };
    await job.post();
    expect(job.log.at(-1)).toMatch(
      /^wasmrun 1\.0\.0: not kept in the cache \(.*cache write denied: read-only/,
    );
    expect(job.warnings).toEqual([]);
  });
});

describe.skipIf(process.platform === 'win32')('wasmrun', () => {
  /** What the service does, in which version, and what the log says; the last group only at night. */
  const faults: readonly [string, 1 | 2, CacheFault, RegExp][] = [
    ['answers 404', 1, { at: 'look-up', status: 404 }, /Cache service responded with 404/],
    ['answers 500 for ever', 2, { at: 'look-up', status: 500, body: '{}' }, /no answer within 4 s: .*500/],
    ['hangs', 1, { at: 'look-up', hang: true }, /no answer within 1 s/],
    ['breaks off', 2, { at: 'download', cut: true }, /aborted/],
    ['sends another file', 2, { at: 'download', content: Buffer.from('<html>') }, /tar" failed/],
    ['gives another entry', 2, { at: 'look-up', name: `${PROGRAM_ENTRY}-2` }, /it holds expose-.*-2 instead/],
    ...(isFull ? rareFaults : []),
  ];

  it.each(faults)('is installed if the cache service %s (version %d)', async (_, version, fault, reason) => {
    const server = await startFilledService();
    server.fault = fault;
    const job = new Job({ environment: server.environment(version), limitMs: chooseLimit(fault) });
    await expectInstalled(job);
    expect(job.log[0]).toMatch(reason);
    expect(job.log[0]).toMatch(/^wasmrun 1\.0\.0: the cache cannot be used \(.*\), so it is installed$/);
    expect(job.warnings).toEqual([]);
    expect(job.log.join('\n')).not.toContain('the-signature-of-an-address');
    expect(job.processes.filter(({ pid }) => isRunning(pid))).toEqual([]);
  });

  const damages: readonly [string, (folder: string) => void, RegExp][] = [
    ['does not run', folder => writeFileSync(join(folder, 'bin/wasmrun'), 'no program'), /\(wasmrun/],
    [
      'has another version',
      folder => writeFileSync(join(folder, 'bin/wasmrun'), PROGRAM.replace('1.0.0', '1.0.1')),
      /\(it says that it is version 1\.0\.1\)/,
    ],
    ...(isFull ? rareDamages : []),
  ];

  it.each(damages)(
    'is installed if what the cache gives %s, with a warning that names the entry',
    async (_, change, reason) => {
      const server = await startFilledService(folder => change(join(folder, 'kept')));
      const job = new Job({ environment: server.environment(2) });
      await expectInstalled(job);
      expect(job.warnings).toEqual([expect.stringMatching(reason)]);
      expect(job.warnings[0]).toMatch(
        new RegExp(
          `^wasmrun 1\\.0\\.0 from the cache cannot be used \\(.*\\), so it is installed; delete the cache entry ${PROGRAM_ENTRY}: entries are never replaced$`,
        ),
      );
    },
  );

  it('writes no file outside of its folder, and no link is followed', async () => {
    const target = mkdtempSync(join(tmpdir(), 'outside-'));
    onTestFinished(() => rmSync(target, { recursive: true }));
    const mark = `escaped-${process.pid}`;
    const server = await startFilledService(folder => {
      const absolute = join(target, 'absolute');
      for (const path of [absolute, join(folder, '..', mark)]) writeFileSync(path, 'x');
      // A link, and then a file that has its place behind the link.
      symlinkSync(target, join(folder, 'kept', 'through'));
      writeFileSync(join(target, 'leaked'), 'x');
      writeFileSync(`${folder}.list`, ['kept', 'kept/through/leaked', absolute, `../${mark}`].join('\n'));
      for (const name of ['bin/wasmrun', 'installation.json']) rmSync(join(folder, 'kept', name));
      writeFileSync(join(target, 'wasmrun'), PROGRAM, { mode: 0o755 });
      symlinkSync(join(target, 'wasmrun'), join(folder, 'kept', 'bin', 'wasmrun'));
      writeFileSync(join(folder, 'kept', 'installation.json'), describeInstallation('1.0.0'));
    });
    for (const path of [join(target, 'absolute'), join(target, 'leaked'), join(tmpdir(), mark)]) rmSync(path);
    const job = new Job({ environment: server.environment(2) });
    await expectInstalled(job);
    // It was unpacked, so the others would have been written.
    expect(job.warnings).toEqual([expect.stringContaining('(it holds no program)')]);
    expect(readdirSync(target)).toEqual(['wasmrun']);
    expect(readdirSync(job.temp)).toEqual(['wasmrun']);
    expect(readdirSync(join(job.temp, 'wasmrun'))).toEqual(['kept']);
  });

  it('is not saved if something changed it after it was installed', async () => {
    const server = await startService();
    const job = new Job({ environment: server.environment(2) });
    writeFileSync(await job.main(), '#!/bin/sh\necho another program\n');
    await job.post();
    expect(job.log.at(-1)).toMatch(
      /^wasmrun 1\.0\.0: not kept in the cache \(.*wasmrun was changed after its installation\)$/,
    );
    expect(server.entries).toEqual([]);
  });

  const refusals: readonly [string, CacheFault, RegExp][] = [
    ['hangs in the upload', { at: 'upload', hang: true }, /no answer within 1 s/],
    ['fails at the end', { at: 'commit', status: 400, body: '{"msg":"too late"}' }, /too late/],
    ...(isFull ? rareRefusals : []),
  ];

  it.each(refusals)('costs the post step little if the cache service %s', async (_, fault, reason) => {
    const server = await startService();
    const job = new Job({ environment: server.environment(2), limitMs: chooseLimit(fault) });
    await job.main();
    server.fault = fault;
    await job.post();
    expect(job.log.at(-1)).toMatch(/^wasmrun 1\.0\.0: not kept in the cache \(.*\)$/);
    expect(job.log.at(-1)).toMatch(reason);
    expect(job.warnings).toEqual([]);
    expect(readdirSync(job.temp)).toEqual(['wasmrun']);
  });

  it('is installed without a word about the cache where there is no service', async () => {
    const job = new Job();
    await expectInstalled(job);
    await job.post();
    expect(job.log.filter(line => line.includes('cache'))).toEqual([]);
    expect(job.processes.map(({ role }) => role)).not.toContain('node');
  });

  it('reaches a service with TLS of an authority of its own, through a proxy', async () => {
    const ca = new TestCa();
    onTestFinished(() => ca.remove());
    const host = 'cache.test';
    const server = await startCacheServer({ ...ca.issue([`DNS:${host}`]), host });
    onTestFinished(() => server.close());
    const proxy = await startConnectProxy({ names: { [host]: server.port } });
    onTestFinished(() => proxy.stop());
    const network = { HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: ca.file };
    const environment = { ...server.environment(2), ...network };
    const first = new Job({ environment });
    await first.main();
    await first.post();
    const second = new Job({ environment });
    await second.main();
    expect(second.hasBuilt).toBe(false);
    expect(server.steps).toEqual(['look-up', 'reserve', 'upload', 'commit', 'look-up', 'download']);
    expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT ${host}:443`]));
  });

  it('is not waited for when the job is cancelled, and the call to the service ends with it', async () => {
    const server = await startFilledService();
    server.fault = { at: 'look-up', hang: true };
    const cancel = new AbortController();
    const job = new Job({ environment: server.environment(2), signal: cancel.signal });
    const finding = job.main();
    await expect.poll(() => server.steps, { timeout: 30_000 }).toEqual(['look-up']);
    cancel.abort(new Error('cancelled'));
    await expect(finding).rejects.toThrow('cancelled');
    expect(job.hasBuilt).toBe(false);
    const [call] = job.processes;
    expect(isRunning(call?.pid ?? 0)).toBe(false);
  });
});

describe.skipIf(process.platform === 'win32')("wasmrun's runtimes", () => {
  /** A service in which a job in OS mode has left program and runtime. */
  const startWithRuntime = () =>
    startFilledService(folder => {
      writeFileSync(join(folder, 'kept/runtimes/nodejs.json'), 'kept');
      writeFileSync(join(folder, 'kept/runtimes/nodejs-20.wasm'), 'kept');
    }, RUNTIMES_ENTRY);

  it('are kept with it in OS mode, and nothing else of their folder is', async () => {
    const server = await startService();
    const job = new Job({ mode: 'os', environment: server.environment(2) });
    await job.main();
    job.writeRuntime('downloaded');
    writeFileSync(join(job.runtimes, 'notes.txt'), "the user's");
    await job.post();
    expect(server.entries.map(({ name }) => name)).toEqual([RUNTIMES_ENTRY]);
    const later = new Job({ mode: 'os', environment: server.environment(2) });
    await later.main();
    expect(later.hasBuilt).toBe(false);
    expect(readdirSync(later.runtimes).sort()).toEqual(['nodejs-20.wasm', 'nodejs.json']);
  });

  it('do not replace those of the machine', async () => {
    const server = await startWithRuntime();
    const job = new Job({ mode: 'os', environment: server.environment(2) });
    job.writeRuntime('of the machine');
    await job.main();
    expect(job.hasBuilt).toBe(false);
    expect(readFileSync(join(job.runtimes, 'nodejs-20.wasm'), 'utf8')).toBe('of the machine');
  });

  it('do not reach the home folder of a self-hosted runner, which other repositories use', async () => {
    const server = await startWithRuntime();
    const environment = { ...server.environment(2), RUNNER_ENVIRONMENT: 'self-hosted' };
    const job = new Job({ mode: 'os', environment });
    await job.main();
    expect(job.hasBuilt).toBe(false);
    expect(readdirSync(job.home)).toEqual([]);
  });

  it('leave the program usable for a job that needs none', async () => {
    const server = await startWithRuntime();
    const job = new Job({ environment: server.environment(2) });
    await job.main();
    expect(job.hasBuilt).toBe(false);
    expect(readdirSync(job.home)).toEqual([]);
  });
});

describe.skipIf(process.platform === 'win32')('the action', () => {
  /** Runs main until wasmrun is installed and the supervisor started, cancels it, and runs post. Resolves with post's log. */
  async function cancelAndPost(
    inputs: Record<string, string>,
    environment: Record<string, string>,
  ): Promise<string> {
    const programs = mkdtempSync(join(tmpdir(), 'programs-'));
    const job = new RunnerJob({
      inputs: { path: 'app', mode: 'os', access: 'open', comment: 'false', server: '127.0.0.1', ...inputs },
      event: { repository: { private: false } },
      environment: {
        PATH: `${programs}${delimiter}${dirname(process.execPath)}${delimiter}${SYSTEM_PATH}`,
        EXPOSE_WASMRUN_RELEASES_URL: 'http://127.0.0.1:9/releases',
        ...environment,
      },
    });
    onTestFinished(() => {
      job.signal('SIGKILL');
      job.remove();
      rmSync(programs, { recursive: true });
    });
    mkdirSync(join(job.workspace, 'app'));
    writeFileSync(join(job.workspace, 'app', 'index.js'), '');
    writeFileSync(join(programs, 'cargo'), CARGO, { mode: 0o755 });
    job.start();
    const sessions = () => readdirSync(job.temp).map(name => join(job.temp, name, 'session.json'));
    await waitUntil(() => sessions().some(file => existsSync(file)), 'the supervisor runs');
    job.signal('SIGINT');
    await job.finished();
    const { code, log } = await job.post();
    expect(code).toBe(0);
    return log;
  }

  it('keeps what it installed, also when it is cancelled', async () => {
    const server = await startService();
    expect(await cancelAndPost({}, server.environment(2))).toContain(
      `wasmrun 1.0.0: kept in the cache for later jobs as ${PROGRAM_ENTRY}, in `,
    );
    expect(server.entries.map(({ name }) => name)).toEqual([PROGRAM_ENTRY]);
  });

  it('keeps nothing where code from outside may have run, and asks for what is kept', async () => {
    const server = await startService();
    const log = await cancelAndPost({ 'allow-untrusted-head': 'true' }, server.environment(2));
    expect(log).not.toContain('in the cache');
    expect(server.steps).toEqual(['look-up']);
  });

  it('asks nothing of the service with `cache: false`', async () => {
    const server = await startService();
    await cancelAndPost({ cache: 'false' }, server.environment(2));
    expect(server.steps).toEqual([]);
  });

  it('says nothing about it with `log-level: quiet`', async () => {
    const server = await startService();
    expect(await cancelAndPost({ 'log-level': 'quiet' }, server.environment(2))).not.toContain('cache');
    expect(server.steps).toEqual(['look-up', 'reserve', 'upload', 'commit']);
  });
});

it('the program that calls the service sees nothing of the job but the way to it', () => {
  const service = {
    ACTIONS_CACHE_URL: 'http://cache/',
    ACTIONS_RESULTS_URL: 'http://results/',
    ACTIONS_CACHE_SERVICE_V2: 'True',
    ACTIONS_CACHE_MODE: 'read',
    ACTIONS_RUNTIME_TOKEN: 'token',
    GITHUB_SERVER_URL: 'https://github.com',
  };
  const others = {
    INPUT_SECRET: 's',
    GITHUB_TOKEN: 't',
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'u',
    TAR_OPTIONS: '-v',
  };
  expect(selectCacheEnvironment({ ...service, ...others }, { PATH: '/bin' })).toEqual({
    PATH: '/bin',
    ...service,
  });
});

it('the names of entries tell systems apart on which a program of the other does not run', () => {
  const { platform, arch } = process;
  expect(PROGRAM_ENTRY).toMatch(new RegExp(`^expose-wasmrun-1\\.0\\.0-${platform}-${arch}.*-program$`));
  if (platform === 'linux') expect(PROGRAM_ENTRY).toMatch(/-(musl|glibc\d+\.\d+)-program$/);
  expect(RUNTIMES_ENTRY.startsWith(PROGRAM_ENTRY)).toBe(true);
});

/** `installation.json` of a kept installation. */
const describeInstallation = (version: string) => JSON.stringify({ version, way: 'build', tookMs: 1_000 });
