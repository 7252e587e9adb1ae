// How wasmrun is found and installed, with a server in place of GitHub.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
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
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findOrInstallWasmrun, type WasmrunOptions } from '../../../src/app/wasmrun/install.ts';
import { parseWasmrunVersion } from '../../../src/app/wasmrun/version.ts';
import { AppError, InputError } from '../../../src/shared/errors.ts';
import { createLogger } from '../../../src/shared/log.ts';
import { describeWithReal, requirePart } from '../../support/real-parts.ts';
import {
  type PublishedAsset,
  type ReleasesServer,
  startReleasesServer,
} from '../../support/releases-server.ts';
import { isRunning } from '../../support/running.ts';

const SYSTEM_PATH = ['/usr/bin', '/bin'];
const ARCH = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const DEB = `wasmrun-v1.0.0-${ARCH}.deb`;

let folder: string;
let server: ReleasesServer | undefined;
let log: string[];
let warnings: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'expose-wasmrun-test-'));
  mkdirSync(join(folder, 'temp'));
  mkdirSync(join(folder, 'bin'));
  log = [];
  warnings = [];
  server = undefined;
});

afterEach(async () => {
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('wasmrun on PATH', () => {
  it('is used, whatever its version, if the job names no version', async () => {
    const path = writeProgram('bin', 'wasmrun', printVersion('1.2.3'));
    expect(await find()).toBe(path);
    expect(log).toEqual([`wasmrun 1.2.3: ${path}`]);
  });

  it('is refused if it is too old', async () => {
    writeProgram('bin', 'wasmrun', printVersion('0.19.2'));
    const failure = await fail();
    expect(failure.message).toContain('wasmrun 0.19.2 at');
    expect(failure.message).toContain('is too old, 1.0.0 is the first that works');
    expect(failure.message).toContain('wasmrun-version: 1.0.0');
  });

  it('is ignored if another version is wanted', async () => {
    const cached = writeProgram(join('cache', 'wasmrun', '1.0.0', process.arch, 'bin'), 'wasmrun', '');
    writeFileSync(join(folder, 'cache', 'wasmrun', '1.0.0', `${process.arch}.complete`), '');
    writeProgram('bin', 'wasmrun', printVersion('1.2.3'));
    expect(await find({ version: 'v1.0.0' })).toBe(cached);
  });

  it('is used if it is exactly the wanted version', async () => {
    const path = writeProgram('bin', 'wasmrun', printVersion('1.2.3'));
    expect(await find({ version: '1.2.3' })).toBe(path);
  });

  it('is ignored if it does not run, and the log says why', async () => {
    const path = writeProgram('bin', 'wasmrun', 'echo no such library; exit 127');
    await publish();
    expect(await find()).toContain('cache');
    expect(log[0]).toBe(
      `${path} does not run (wasmrun ended with exit code 127 (no such library)), so wasmrun is installed`,
    );
  });
});

describe('the tool cache', () => {
  it('is used only if it is marked as complete', async () => {
    writeProgram(join('cache', 'wasmrun', '1.0.0', process.arch, 'bin'), 'wasmrun', 'half a download');
    await publish();
    const path = await find();
    expect(readFileSync(path, 'utf8')).toContain('v1.0.0');
  });

  it('is skipped if it cannot be written to', async () => {
    writeFileSync(join(folder, 'cache'), 'not a folder');
    await publish();
    expect(await find()).toContain(join(folder, 'temp'));
  });
});

describe('the .deb of the release', () => {
  it('is downloaded, checked, unpacked and kept in the layout of @actions/tool-cache', async () => {
    await publish();
    const path = await find();
    const cached = join(folder, 'cache', 'wasmrun', '1.0.0');
    expect(path).toBe(join(cached, process.arch, 'bin', 'wasmrun'));
    expect(readdirSync(cached).sort()).toEqual([process.arch, `${process.arch}.complete`]);
    expect(execFileSync(path, ['--version'], { encoding: 'utf8' })).toContain('v1.0.0');
    expect(readdirSync(join(folder, 'temp'))).toEqual([]);
    expect(await find()).toBe(path);
    expect(server?.requests).toEqual(['/releases/tags/v1.0.0', `/download/${DEB}`]);
  });

  it('is announced with its size, and while it lasts the log says how far it is', async () => {
    const seen = Promise.withResolvers<void>();
    await publish({ pause: seen.promise });
    const installing = find({ progressIntervalMs: 5 });
    await expect.poll(() => log.join('\n')).toMatch(/wasmrun 1\.0\.0: 0\.0 MB of 0\.0 MB downloaded, 50 %/);
    seen.resolve();
    await installing;
    const [first, ...others] = log;
    expect(first).toBe(`wasmrun 1.0.0: downloading ${DEB}, 0.0 MB`);
    expect(others.slice(-2)).toEqual([
      'wasmrun 1.0.0: unpacking',
      expect.stringMatching(/^wasmrun 1\.0\.0: installed, in \d+\.\d s$/),
    ]);
  });

  it('is unpacked with ar and tar without dpkg-deb', async () => {
    await publish();
    for (const name of ['ar', 'tar', 'gzip', 'xz', 'zstd', 'bash', 'echo'])
      for (const found of SYSTEM_PATH.map(path => join(path, name))
        .filter(existsSync)
        .slice(0, 1))
        symlinkSync(found, join(folder, 'bin', name));
    const environment = { PATH: join(folder, 'bin') };
    expect(await find({ environment, pathVariable: '' })).toContain('cache');
  });

  it('may be installed twice at the same time', async () => {
    await publish();
    const [one, two] = await Promise.all([find(), find()]);
    expect(one).toBe(two);
    expect(execFileSync(one, ['--version'], { encoding: 'utf8' })).toContain('v1.0.0');
  });

  it('is downloaded again if the connection broke', async () => {
    await publish({ breaks: { after: 50, times: 1 } });
    expect(await find()).toContain('cache');
    expect(server?.requests.slice(1)).toEqual([`/download/${DEB}`, `/download/${DEB}`]);
  });

  it('is never installed if its digest is wrong', async () => {
    writeProgram('bin', 'cargo', 'echo must not run > "$0.ran"');
    await publish({ digest: `sha256:${'0'.repeat(64)}` });
    const failure = await fail();
    expect(failure.message).toContain(`${DEB} is not what was published`);
    expect(failure.message).toContain('0000');
    expect(existsSync(join(folder, 'bin', 'cargo.ran'))).toBe(false);
    expectNothingInstalled();
  });

  it.each([
    ['a broken connection', () => ({ breaks: { after: 50, times: 9 } }), /broke off after \d+ of \d+ bytes/],
    ['a file shorter than published', () => ({ size: 1e6 }), /ended after \d+ of 1000000 bytes/],
    ['a file longer than published', () => ({ size: 10 }), /more than 10 bytes arrived/],
    ['no digest', () => ({ digest: null }), /without a usable digest/],
    ['another name', () => ({ name: 'wasmrun-v1.0.0-riscv.deb' }), /the release v1\.0\.0 has no wasmrun-v1/],
    ['not a package', () => ({ content: Buffer.from('no package') }), /dpkg-deb ended with exit code 2/],
    [
      'another version in it',
      () => ({ content: buildDeb('1.0.1') }),
      /version 1\.0\.1 was installed instead/,
    ],
    ['no program in it', () => ({ content: buildDeb('1.0.0', 'usr/share/x') }), /holds no usr\/bin\/wasmrun/],
  ])('cannot be used, and the error says why: %s', async (_, change, reason) => {
    await publish(change());
    const failure = await fail();
    expect(failure.message).toMatch(reason);
    expect(failure.message).toContain('cargo is not on PATH (https://rustup.rs)');
    expect(failure.message).toContain('or use `mode: web` or `mode: port`, which need no wasmrun');
    expectNothingInstalled();
  });

  it('is not found, and the error says whether the API refused, did not send JSON, or is away', async () => {
    server = await startReleasesServer([], { apiStatus: 403 });
    expect((await fail()).message).toContain('answered 403 (the limit of requests may be used up)');
    await server.close();
    server = await startReleasesServer([], { apiBody: '<html>' });
    expect((await fail()).message).toContain('did not answer with JSON');
    await server.close();
    expect((await fail()).message).toContain('cannot be reached');
    server = undefined;
  });
});

describe("the job's token", () => {
  const grant = (apiUrl: string) => ({ token: 'ghs_1', apiUrl });
  const limit = {
    'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': String(Date.UTC(2030, 0, 2, 14, 5) / 1_000),
  };

  it('is sent to the API, and not with the download', async () => {
    await publish();
    await find({ gitHub: grant(server?.url ?? '') });
    expect([...(server?.tokens.api ?? [])]).toEqual(['Bearer ghs_1']);
    expect([...(server?.tokens.download ?? [])]).toEqual([]);
    expect(log.join('\n')).not.toContain('ghs_1');
  });

  it.each([
    ['another host', 'https://api.github.com'],
    ['another port', 'http://127.0.0.1:1'],
    ['another scheme', 'https://127.0.0.1'],
    ['not an address', ''],
  ])('is not sent if the releases do not come from the origin of its API: %s', async (_, apiUrl) => {
    await publish();
    await find({ gitHub: grant(apiUrl) });
    expect([...(server?.tokens.api ?? [])]).toEqual([]);
  });

  it('is not sent on if the API redirects to another origin', async () => {
    await publish();
    const front = await startReleasesServer([], { redirectTo: new URL(server?.url ?? '').origin });
    await find({ releasesUrl: front.url, gitHub: grant(front.url) });
    expect([...front.tokens.api]).toEqual(['Bearer ghs_1']);
    expect(server?.requests).toEqual(['/releases/tags/v1.0.0', `/download/${DEB}`]);
    expect([...(server?.tokens.api ?? []), ...(server?.tokens.download ?? [])]).toEqual([]);
    await front.close();
  });

  it('is not in the environment of the programs that install', async () => {
    server = await startReleasesServer([]);
    const cargo = writeProgram('bin', 'cargo', 'env > "$0.env"; exit 1');
    await find({ gitHub: grant(server.url) }).catch(() => undefined);
    const environment = readFileSync(`${cargo}.env`, 'utf8');
    expect(environment).toContain('PATH=');
    expect(environment).not.toContain('ghs_1');
  });

  it.each([
    ['a bad token', { status: 401 }, /answered 401; trying again without the token$/],
    [
      'a rate limit',
      { status: 403, headers: limit },
      /^GitHub's rate limit for `github-token` is used up until 14:05 UTC; trying again without the token$/,
    ],
  ])('is left out of a second request if GitHub refuses the first: %s', async (_, refusal, message) => {
    server = await startReleasesServer([{ name: DEB, content: buildDeb('1.0.0') }], {
      refuse: token => (token === undefined ? undefined : refusal),
    });
    expect(await find({ gitHub: grant(server.url) })).toContain('cache');
    expect(log[0]).toMatch(message);
  });

  it.each([
    ['403', { status: 403, headers: limit }, /until 14:05 UTC; in a job, pass `github-token`\)$/],
    ['429', { status: 429, headers: { 'retry-after': '60' } }, /until \d\d:\d\d UTC; in a job, pass/],
  ])('is suggested before cargo runs if the rate limit is used up (%s)', async (_, refusal, advice) => {
    writeProgram('bin', 'cargo', 'exit 1');
    server = await startReleasesServer([], { refuse: () => refusal });
    await find().catch(() => undefined);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^wasmrun 1\.0\.0 is built with cargo, which takes 5 to 10 minutes \(GitHub's rate limit for requests without a token is used up /,
      ),
    ]);
    expect(warnings[0]).toMatch(advice);
  });
});

describe('cargo', () => {
  it('builds wasmrun if there is no .deb, and announces that it takes minutes', async () => {
    const script = `printf '%s\\n' "$*" > "$0.args"; while [ "$1" != --root ]; do shift; done
      mkdir -p "$2/bin"; printf '#!/bin/sh\\necho wasmrun v1.0.0\\n' > "$2/bin/wasmrun"; chmod +x "$2/bin/wasmrun"`;
    const cargo = writeProgram('bin', 'cargo', script);
    server = await startReleasesServer([]);
    expect(await find()).toContain('cache');
    expect(readFileSync(`${cargo}.args`, 'utf8')).toMatch(
      /^install wasmrun --version 1\.0\.0 --locked --root \//,
    );
    expect(log.join('\n')).toContain(
      `built with cargo, which takes 5 to 10 minutes (the release v1.0.0 has no ${DEB})`,
    );
  });

  it('is followed in the log: how long it has run, and what it compiles', async () => {
    const script = `while [ ! -e "$0.first" ]; do sleep 0.01; done; echo '   Compiling serde v1.0.228' >&2
      while [ ! -e "$0.second" ]; do sleep 0.01; done; exit 1`;
    const cargo = writeProgram('bin', 'cargo', script);
    server = await startReleasesServer([]);
    const failing = find({ progressIntervalMs: 5 }).catch(() => undefined);
    await expect
      .poll(() => log.join('\n'), { timeout: 10_000 })
      .toMatch(/cargo has run for 0s, it downloads/);
    writeFileSync(`${cargo}.first`, '');
    await expect
      .poll(() => log.join('\n'), { timeout: 10_000 })
      .toMatch(/^wasmrun 1\.0\.0: cargo has run for \ds, it compiles serde, crate 1$/m);
    writeFileSync(`${cargo}.second`, '');
    await failing;
  });

  it('has its last line in the error if it fails', async () => {
    writeProgram('bin', 'cargo', 'echo "error: linker cc not found" >&2; exit 101');
    server = await startReleasesServer([]);
    expect((await fail()).message).toContain('cargo ended with exit code 101 (error: linker cc not found)');
  });

  it('is killed, without a SIGTERM first, when the job is cancelled', async () => {
    const script = `trap 'echo > "$0.asked"' TERM; sleep 600 & echo $! > "$0.pid"; wait`;
    const cargo = writeProgram('bin', 'cargo', script);
    server = await startReleasesServer([]);
    const controller = new AbortController();
    const finding = find({ signal: controller.signal });
    await expect
      .poll(() => existsSync(`${cargo}.pid`) && readFileSync(`${cargo}.pid`, 'utf8'), { timeout: 10_000 })
      .toMatch(/\d/);
    controller.abort(new Error('cancelled'));
    await expect(finding).rejects.toThrow('cancelled');
    expect(isRunning(Number(readFileSync(`${cargo}.pid`, 'utf8')))).toBe(false);
    expect(existsSync(`${cargo}.asked`)).toBe(false);
    expectNothingInstalled();
  });
});

describe('parseWasmrunVersion', () => {
  it('refuses versions before 1.0.0, and what is not a version', () => {
    expect(parseWasmrunVersion(' v1.2.3 ')).toBe('1.2.3');
    for (const text of ['latest', '1.0', '../../x', '--git=x', ''])
      expect(() => parseWasmrunVersion(text)).toThrow(InputError);
    for (const text of ['0.19.0', '1.0.0-rc.1'])
      expect(() => parseWasmrunVersion(text)).toThrow('is too old');
  });
});

describeWithReal(['wasmrun'], 'the real wasmrun', () => {
  it('is recognised by its version', async () => {
    const path = requirePart('wasmrun');
    expect(await find({ pathVariable: dirname(path) })).toBe(path);
    expect(log[0]).toMatch(/^wasmrun 1\.\d+\.\d+: /);
  });
});

function createOptions(options: Partial<WasmrunOptions>): WasmrunOptions {
  return {
    pathVariable: join(folder, 'bin'),
    toolCache: join(folder, 'cache'),
    tempFolder: join(folder, 'temp'),
    releasesUrl: server?.url ?? 'http://127.0.0.1:9/releases',
    environment: { PATH: SYSTEM_PATH.join(delimiter) },
    logger: createLogger({
      level: 'info',
      write: (line, level) => {
        log.push(line);
        if (level === 'warn') warnings.push(line);
      },
    }),
    signal: AbortSignal.timeout(30_000),
    ...options,
  };
}

async function find(options: Partial<WasmrunOptions> = {}): Promise<string> {
  return await findOrInstallWasmrun(createOptions(options));
}

async function fail(): Promise<AppError> {
  const failure: unknown = await findOrInstallWasmrun(createOptions({})).catch(error => error);
  if (failure instanceof AppError) return failure;
  throw new Error('it did not fail with an AppError', { cause: failure });
}

async function publish(change: Partial<PublishedAsset> = {}): Promise<void> {
  server = await startReleasesServer([{ name: DEB, content: buildDeb('1.0.0'), ...change }]);
}

/** A real package, with a program that can only print its version. */
function buildDeb(version: string, place = 'usr/bin/wasmrun'): Buffer {
  const tree = mkdtempSync(join(folder, 'deb-'));
  mkdirSync(join(tree, 'DEBIAN'));
  writeFileSync(
    join(tree, 'DEBIAN', 'control'),
    `Package: wasmrun\nVersion: ${version}\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: test\n`,
  );
  mkdirSync(join(tree, dirname(place)), { recursive: true });
  writeFileSync(join(tree, place), `#!/bin/sh\n${printVersion(version)}\n`, { mode: 0o755 });
  execFileSync('dpkg-deb', ['--build', '--root-owner-group', tree, `${tree}.deb`]);
  const content = readFileSync(`${tree}.deb`);
  rmSync(tree, { recursive: true });
  return content;
}

/** As wasmrun 1.0.0 prints it: in a box, with colours. */
function printVersion(version: string): string {
  return `printf '\\n\\033[1;34m│\\033[0m  \\033[1;36mwasmrun v${version}\\033[0m\\n'`;
}

function writeProgram(place: string, name: string, script: string): string {
  mkdirSync(join(folder, place), { recursive: true });
  const path = join(folder, place, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

function expectNothingInstalled(): void {
  const place = join(folder, 'cache', 'wasmrun', '1.0.0');
  expect(existsSync(place) ? readdirSync(place) : []).toEqual([]);
}
