// Installs wasmrun from the .deb of its GitHub release: looks it up, downloads, checks and unpacks it, without root.
// Used by install.ts.

import { createHash } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Dispatcher, Response } from 'undici';
import * as v from 'valibot';
import { AppError, describeError, hasCode } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { createDispatcher } from '../../shared/proxy.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { runCommand } from '../process/command.ts';
import type { OnChild } from '../program.ts';
import { formatMegabytes, reportProgress } from './progress.ts';

export interface ReleaseOptions {
  /** Folder for intermediate files; the program goes to `program`. */
  stage: string;
  program: string;
  version: string;
  /** The `releases` address of GitHub's API. */
  releasesUrl: string;
  gitHub?: GitHubAccess | undefined;
  environment: Readonly<Record<string, string>>;
  logger: Logger;
  onChild?: OnChild;
  /** How often the log says how far the download is. */
  progressIntervalMs?: number;
  signal: AbortSignal;
}

/** The job's token, and the API that issued it. Without a token, GitHub allows 60 requests per hour and address. */
export interface GitHubAccess {
  token: string;
  /** The token is sent to this origin only: another host, or another company's GitHub, must not see it. */
  apiUrl: string;
}

/** The API refused the request: a bad token, or the rate limit. A request without the token may succeed. */
class RefusalError extends AppError {}

/** The rate limit is used up. */
export class RateLimitError extends RefusalError {}

/** What was downloaded is not what was published. No other way is tried then: a person should look at it. */
export class DigestError extends AppError {}

/** The .deb needs glibc, whose loader is at a fixed place; names of the architectures as the release has them. */
const TARGETS: Readonly<Record<string, { name: string; loader: string }>> = {
  x64: { name: 'x86_64', loader: '/lib64/ld-linux-x86-64.so.2' },
  arm64: { name: 'aarch64', loader: '/lib/ld-linux-aarch64.so.1' },
};

/** The answer of the API is 30 KB. */
const MAX_ANSWER_BYTES = 1 << 20;
/** The .deb of 1.0.0 has a few MB. */
const MAX_DOWNLOAD_BYTES = 128 << 20;
const ANSWER_TIMEOUT_MS = 30_000;
const DOWNLOAD_TIMEOUT_MS = 5 * 60_000;
/** A download that broke off is tried once more. */
const DOWNLOAD_ATTEMPTS = 2;
/** On a fast line the download is over before. */
const PROGRESS_INTERVAL_MS = 5_000;

const Asset = v.object({
  name: v.string(),
  browser_download_url: v.pipe(v.string(), v.url()),
  size: v.pipe(v.number(), v.integer(), v.maxValue(MAX_DOWNLOAD_BYTES)),
  digest: v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/)),
});
type Asset = v.InferOutput<typeof Asset>;
/** Assets are checked when one is chosen: those for other systems do not matter. */
const Release = v.object({ assets: v.array(v.looseObject({ name: v.string() })) });

/** Puts the program of the release at `program`; rejects with an AppError that says why this way failed. */
export async function installFromRelease(options: ReleaseOptions): Promise<void> {
  const name = `wasmrun-v${options.version}-${findTarget()}.deb`;
  const dispatcher = await createDispatcher(options.environment);
  try {
    const asset = await findAsset(name, options, dispatcher);
    const file = join(options.stage, 'download.deb');
    options.logger.info(`wasmrun ${options.version}: downloading ${name}, ${formatMegabytes(asset.size)}`);
    await downloadAsset(asset, file, options, dispatcher);
    options.logger.info(`wasmrun ${options.version}: unpacking`);
    await unpack(file, options);
  } finally {
    await dispatcher.close();
  }
}

/** The name that the release has for this machine's architecture. */
function findTarget(): string {
  const target = TARGETS[process.arch];
  if (process.platform !== 'linux' || target === undefined)
    throw new AppError(`there is no ready-made wasmrun for ${process.platform} ${process.arch}`);
  if (existsSync(target.loader)) return target.name;
  throw new AppError(
    'the ready-made wasmrun needs glibc, which this system (musl, as in Alpine) does not have',
  );
}

async function findAsset(name: string, options: ReleaseOptions, dispatcher: Dispatcher): Promise<Asset> {
  const url = `${options.releasesUrl}/tags/v${options.version}`;
  const answer = await fetchRelease(url, options, dispatcher);
  const release = v.safeParse(Release, await readJson(answer, url));
  if (!release.success) throw new AppError(`${url} did not answer with a release`);
  const listed = release.output.assets.find(asset => asset.name === name);
  if (listed === undefined) throw new AppError(`the release v${options.version} has no ${name}`);
  const asset = v.safeParse(Asset, listed);
  if (asset.success) return asset.output;
  throw new AppError(`${name} is published without a usable digest, size or address`);
}

/** Sends the token if it may be sent to `url`. If GitHub refuses it, tries again without: the release is public. */
async function fetchRelease(url: string, options: ReleaseOptions, dispatcher: Dispatcher): Promise<Response> {
  const token = selectToken(url, options.gitHub);
  const headers = { accept: 'application/vnd.github+json', 'user-agent': 'expose-action' };
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
  if (token !== undefined) {
    const authorization = `Bearer ${token}`;
    try {
      return await fetchFrom(url, { headers: { ...headers, authorization }, signal, dispatcher });
    } catch (error) {
      if (!(error instanceof RefusalError)) throw error;
      options.logger.info(`${error.message}; trying again without the token`);
    }
  }
  return await fetchFrom(url, { headers, signal, dispatcher });
}

/** The token if it may be sent to `url`. undici drops it if a redirect leads to another origin (Fetch Standard). */
function selectToken(url: string, gitHub: GitHubAccess | undefined): string | undefined {
  if (gitHub === undefined || gitHub.token === '') return undefined;
  const origin = URL.parse(url)?.origin;
  return origin !== undefined && URL.parse(gitHub.apiUrl)?.origin === origin ? gitHub.token : undefined;
}

type FetchOptions = { headers?: Record<string, string>; signal: AbortSignal; dispatcher: Dispatcher };

async function fetchFrom(url: string, options: FetchOptions): Promise<Response> {
  // Loaded late: most jobs install nothing.
  const { fetch } = await import('undici');
  const answer = await fetch(url, options).catch((cause: unknown) => {
    throw new AppError(`${url} cannot be reached`, { cause });
  });
  if (answer.ok) return answer;
  await answer.body?.cancel();
  throw describeRefusal(url, answer, options.headers?.authorization !== undefined);
}

function describeRefusal(url: string, { status, headers }: Response, hasToken: boolean): AppError {
  if (![401, 403, 429].includes(status)) return new AppError(`${url} answered ${status}`);
  const end = readLimitEnd(headers);
  if (end !== undefined) {
    const until = `until ${end.toISOString().slice(11, 16)} UTC`;
    return new RateLimitError(
      hasToken
        ? `GitHub's rate limit for \`github-token\` is used up ${until}`
        : `GitHub's rate limit for requests without a token is used up ${until}; in a job, pass \`github-token\``,
    );
  }
  const hint = status === 401 ? '' : ' (the limit of requests may be used up)';
  return new RefusalError(`${url} answered ${status}${hint}`);
}

/** The end of the rate limit that refused the request; undefined if none did (docs.github.com, "Rate limits"). */
function readLimitEnd(headers: Response['headers']): Date | undefined {
  const reset = headers.get('x-ratelimit-remaining') === '0' ? headers.get('x-ratelimit-reset') : null;
  const pause = headers.get('retry-after');
  const end = new Date(
    reset !== null ? Number(reset) * 1_000 : Date.now() + Number(pause ?? Number.NaN) * 1_000,
  );
  return Number.isNaN(end.getTime()) ? undefined : end;
}

async function readJson(answer: Response, url: string): Promise<unknown> {
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of limitBytes(answer, MAX_ANSWER_BYTES)) chunks.push(chunk);
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new AppError(`${url} did not answer with JSON`, { cause });
  }
}

async function* limitBytes(answer: Response, limit: number): AsyncGenerator<Uint8Array> {
  let total = 0;
  for await (const chunk of answer.body ?? Readable.from([])) {
    total += chunk.length;
    if (total > limit) throw new AppError(`more than ${limit} bytes arrived`);
    yield chunk;
  }
}

async function downloadAsset(
  asset: Asset,
  file: string,
  options: ReleaseOptions,
  dispatcher: Dispatcher,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await downloadOnce(asset, file, options, dispatcher);
      return;
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof DigestError || attempt === DOWNLOAD_ATTEMPTS) throw error;
    }
  }
}

async function downloadOnce(
  asset: Asset,
  file: string,
  { version, logger, progressIntervalMs = PROGRESS_INTERVAL_MS, signal: outer }: ReleaseOptions,
  dispatcher: Dispatcher,
): Promise<void> {
  const signal = AbortSignal.any([outer, AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS)]);
  const answer = await fetchFrom(asset.browser_download_url, { signal, dispatcher });
  const hash = createHash('sha256');
  let size = 0;
  const observe = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  };
  const describe = () =>
    `wasmrun ${version}: ${formatMegabytes(size)} of ${formatMegabytes(asset.size)} downloaded, ` +
    `${Math.floor((100 * size) / asset.size)} %`;
  const write = () => pipeline(limitBytes(answer, asset.size), observe, createWriteStream(file), { signal });
  try {
    await reportProgress({ logger, intervalMs: progressIntervalMs, describe }, write);
  } catch (cause) {
    throw new AppError(`the download of ${asset.name} broke off after ${size} of ${asset.size} bytes`, {
      cause,
    });
  }
  if (size < asset.size)
    throw new AppError(`the download of ${asset.name} ended after ${size} of ${asset.size} bytes`);
  const digest = `sha256:${hash.digest('hex')}`;
  if (digest !== asset.digest)
    throw new DigestError(
      `${asset.name} is not what was published: its digest is ${digest}, and should be ${asset.digest}. ` +
        'Nothing was installed. Run the job again; if it happens again, report it to the maintainers of wasmrun',
      { restartable: false },
    );
}

/** Keeps only the program. Debian and Ubuntu have dpkg-deb; more systems have ar and tar. */
async function unpack(file: string, options: ReleaseOptions): Promise<void> {
  const folder = join(options.stage, 'unpacked');
  const { environment, signal, onChild } = options;
  const run = (command: string, ...args: string[]) =>
    runCommand({ command, args, cwd: folder, environment, signal, ...(onChild && { onChild }) });
  await mkdir(folder);
  await run('dpkg-deb', '-x', file, folder).catch(async (error: unknown) => {
    if (!(error instanceof AppError && hasCode(error.cause, 'ENOENT'))) throw error;
    await unpackWithAr(file, run);
  });
  try {
    await copyFile(join(folder, 'usr', 'bin', 'wasmrun'), options.program);
    await chmod(options.program, 0o755);
  } catch (cause) {
    throw new AppError('the .deb holds no usr/bin/wasmrun', { cause });
  }
  await Promise.all([folder, file].map(path => rm(path, { recursive: true, force: true })));
}

/** deb(5): an ar archive whose member data.tar, in whatever compression, holds the files. */
async function unpackWithAr(
  file: string,
  run: (command: string, ...args: string[]) => Promise<readonly string[]>,
): Promise<void> {
  try {
    const members = await run('ar', 't', file);
    const data = members.find(name => name.startsWith('data.tar')) ?? 'data.tar';
    await run('ar', 'x', file, data);
    await run('tar', '-xf', data);
  } catch (cause) {
    throw new AppError(
      `the .deb cannot be unpacked (that needs dpkg-deb, or ar and tar): ${sanitise(describeError(cause))}`,
      { cause },
    );
  }
}
