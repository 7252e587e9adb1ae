// Plays the runner's cache service, both the one of github.com (version 2: Twirp, and uploads as to Azure's storage) and
// the one of Enterprise servers and act (version 1), with the ways they can fail. What each answers was read in the
// source of @actions/cache 6.3.0 and of act 0.2.89; cache-server.test.ts holds it to the library.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { listen } from './listen.ts';

/** What a client asks for, in this order: the first two to restore, the others to save. */
export type CacheStep = 'look-up' | 'download' | 'reserve' | 'upload' | 'commit';

/** What happens at one step instead of the right answer. */
export type CacheFault =
  | { at: CacheStep; status: number; body?: string; type?: string }
  /** The request is never answered. */
  | { at: CacheStep; hang: true }
  /** The connection breaks in the middle of the archive. */
  | { at: 'download'; cut: true }
  | { at: 'download'; content: Buffer }
  /** The entry is said to have this name. */
  | { at: 'look-up'; name: string };

export interface CacheEntry {
  name: string;
  /** A hash of what the library stores, and how it packs it. */
  version: string;
  archive: Buffer;
}

export interface CacheServer {
  readonly port: number;
  /** The job's variables that lead to it. */
  environment(version: 1 | 2): Record<string, string>;
  /** In the order in which they were saved. */
  readonly entries: CacheEntry[];
  /** The steps that were asked for. */
  readonly steps: CacheStep[];
  fault: CacheFault | undefined;
  close(): Promise<void>;
}

const TOKEN = 'eyJ-the-token-of-the-job';

/** With `tls`, clients know it as that host, on port 443. */
export async function startCacheServer(tls?: {
  cert: string;
  key: string;
  host: string;
}): Promise<CacheServer> {
  const entries: CacheEntry[] = [];
  /** Entries that are reserved, by their number. */
  const drafts: CacheEntry[] = [];
  const steps: CacheStep[] = [];
  let port = 0;

  const find = (names: readonly string[], version: string) =>
    names
      .flatMap(name => [
        entries.filter(entry => entry.name === name),
        entries.filter(entry => entry.name.startsWith(name)),
      ])
      .flatMap(found => found.filter(entry => entry.version === version))
      .at(0);
  const reserve = (name: string, version: string) => {
    if (entries.some(entry => entry.name === name && entry.version === version)) return undefined;
    return drafts.push({ name, version, archive: Buffer.alloc(0) }) - 1;
  };
  const base = () => (tls === undefined ? `http://127.0.0.1:${port}` : `https://${tls.host}`);
  const addressOf = (path: string) => `${base()}/${path}?sig=the-signature-of-an-address`;
  const nameOf = (entry: CacheEntry) =>
    self.fault?.at === 'look-up' && 'name' in self.fault ? self.fault.name : entry.name;

  /** The answer to a request, after the step it belongs to. */
  const routes: readonly [RegExp, CacheStep, (request: CacheRequest) => Answer][] = [
    [
      /^GET \/_apis\/artifactcache\/cache\?/,
      'look-up',
      ({ query }) => {
        const entry = find((query.get('keys') ?? '').split(','), query.get('version') ?? '');
        if (entry === undefined) return { status: 204 };
        return {
          json: { cacheKey: nameOf(entry), archiveLocation: addressOf(`archive/${entries.indexOf(entry)}`) },
        };
      },
    ],
    [
      /^POST \/twirp\/github\.actions\.results\.api\.v1\.CacheService\/GetCacheEntryDownloadURL$/,
      'look-up',
      ({ json }) => {
        const names = [json.key, ...(Array.isArray(json.restore_keys) ? json.restore_keys : [])];
        const entry = find(names.map(String), String(json.version));
        if (entry === undefined) return { json: { ok: false } };
        const signed_download_url = addressOf(`archive/${entries.indexOf(entry)}`);
        return { json: { ok: true, signed_download_url, matched_key: nameOf(entry) } };
      },
    ],
    [/^GET \/archive\/(\d+)\?/, 'download', ({ id }) => ({ bytes: entries[id]?.archive ?? Buffer.alloc(0) })],
    [
      /^POST \/_apis\/artifactcache\/caches$/,
      'reserve',
      ({ json }) => {
        const id = reserve(String(json.key), String(json.version));
        return id === undefined ? EXISTS : { status: 201, json: { cacheId: id + 1 } };
      },
    ],
    [
      /^POST \/twirp\/github\.actions\.results\.api\.v1\.CacheService\/CreateCacheEntry$/,
      'reserve',
      ({ json }) => {
        const id = reserve(String(json.key), String(json.version));
        if (id === undefined) return EXISTS;
        return { json: { ok: true, signed_upload_url: addressOf(`account/container/${id + 1}`) } };
      },
    ],
    [
      /^(?:PATCH \/_apis\/artifactcache\/caches|PUT \/account\/container)\/(\d+)/,
      'upload',
      ({ id, body }) => {
        const draft = drafts[id - 1];
        if (draft === undefined) return { status: 404 };
        draft.archive = Buffer.concat([draft.archive, body]);
        return { status: 201 };
      },
    ],
    [
      /^POST \/_apis\/artifactcache\/caches\/(\d+)$/,
      'commit',
      ({ id, json }) => {
        const draft = drafts[id - 1];
        if (draft === undefined || draft.archive.length !== json.size) return { status: 400 };
        entries.push(draft);
        return { status: 204 };
      },
    ],
    [
      /^POST \/twirp\/github\.actions\.results\.api\.v1\.CacheService\/FinalizeCacheEntryUpload$/,
      'commit',
      ({ json }) => {
        const draft = drafts.findLast(one => one.name === json.key && one.version === json.version);
        if (draft === undefined || String(draft.archive.length) !== json.size_bytes) return { status: 400 };
        entries.push(draft);
        return { json: { ok: true, entry_id: String(entries.length) } };
      },
    ],
  ];

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const target = `${request.method} ${request.url}`;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const [pattern, step, answer] = routes.find(([route]) => route.test(target)) ?? [];
    if (pattern === undefined || step === undefined || answer === undefined)
      return void response.writeHead(404).end();
    steps.push(step);
    // Addresses of archives are signed: they take no token.
    const isSigned = /[?&]sig=/.test(target);
    if (!isSigned && request.headers.authorization !== `Bearer ${TOKEN}`)
      return void response.writeHead(401).end();
    const body = Buffer.concat(chunks);
    const given = {
      id: Number(pattern.exec(target)?.[1]),
      query: new URL(request.url ?? '', 'http://host').searchParams,
      json: parseJson(request, body),
      body,
    };
    const { fault } = self;
    if (fault?.at !== step || 'name' in fault) return send(response, answer(given));
    if ('hang' in fault) return;
    if ('status' in fault) {
      const { status, body = '', type = 'application/json' } = fault;
      return void response.writeHead(status, { 'content-type': type }).end(body);
    }
    const right = answer(given);
    if ('content' in fault) return send(response, { bytes: fault.content });
    if (right.bytes === undefined) return send(response, right);
    const { bytes } = right;
    response.setHeader('content-length', bytes.length);
    response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
  };
  const listener = (request: IncomingMessage, response: ServerResponse) =>
    void handle(request, response).catch(() => response.destroy());
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  port = await listen(server);
  const self: CacheServer = {
    port,
    entries,
    steps,
    fault: undefined,
    environment: version => ({
      ACTIONS_RUNTIME_TOKEN: TOKEN,
      ...(version === 2
        ? { ACTIONS_CACHE_SERVICE_V2: 'True', ACTIONS_RESULTS_URL: `${base()}/` }
        : { ACTIONS_CACHE_URL: `${base()}/` }),
    }),
    async close() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
  return self;
}

interface CacheRequest {
  /** The number in the path. */
  id: number;
  query: URLSearchParams;
  json: Record<string, unknown>;
  body: Buffer;
}

interface Answer {
  status?: number;
  json?: Record<string, unknown>;
  bytes?: Buffer;
}

/** Twirp's code for HTTP 409, and what version 1 says. */
const EXISTS: Answer = {
  status: 409,
  json: { code: 'already_exists', msg: 'the entry exists', message: 'the entry exists' },
};

function send(response: ServerResponse, { status = 200, json, bytes }: Answer): void {
  const body = bytes ?? (json === undefined ? undefined : Buffer.from(JSON.stringify(json)));
  const type = bytes === undefined ? 'application/json' : 'application/octet-stream';
  response.writeHead(status, { 'content-type': type, 'content-length': body?.length ?? 0 }).end(body);
}

function parseJson({ headers }: IncomingMessage, body: Buffer): Record<string, unknown> {
  if (!headers['content-type']?.startsWith('application/json')) return {};
  return JSON.parse(body.toString('utf8'));
}
