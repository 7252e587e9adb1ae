// What a look through the folder of a web app finds before it is served.

import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { checkFolder } from '../../../src/app/web/folder-check.ts';
import { listWebWarnings } from '../../../src/inputs/web.ts';
import { renderModule } from '../../support/wasm-bytes.ts';
import { type Files, writeSite } from './site.ts';

/** Node's, which TypeScript knows only with the types of browsers. */
declare const WebAssembly: { validate(bytes: Uint8Array): boolean };

const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`;
const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
/** One memory of 1 to 2 pages; the flag 2 makes it shared. */
const SHARED_MEMORY = Buffer.from([...MAGIC, 0x05, 0x04, 0x01, 0x03, 0x01, 0x02]);
const OWN_MEMORY = Buffer.from([...MAGIC, 0x05, 0x04, 0x01, 0x01, 0x01, 0x02]);
/** The same, imported as `e.m` after a function `e.f`. */
const IMPORTED_MEMORY = Buffer.from([
  ...[...MAGIC, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00],
  ...[0x02, 0x0f, 0x02, 0x01, 0x65, 0x01, 0x66, 0x00, 0x00, 0x01, 0x65, 0x01, 0x6d, 0x02, 0x03, 0x01, 0x02],
]);

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function create(files: Files): string {
  const folder = writeSite(files);
  folders.push(folder);
  return folder;
}

function warn(
  files: Files,
  {
    publicUrl = 'http://{host}:{port}',
    server = 'bore.example',
    isolation = false,
  }: { publicUrl?: string; server?: string; isolation?: boolean | 'credentialless' } = {},
): string[] {
  const servers = [{ address: { host: server, port: 7835 }, secret: undefined }];
  return listWebWarnings(
    { mode: 'web', path: create(files), crossOriginIsolation: isolation },
    { servers, publicUrl },
  );
}

it('finds nothing in a build that works', () => {
  expect(
    checkFolder(create({ 'index.html': 'start', 'a.wasm': OWN_MEMORY, 'b/x.js.br': '', 'b/x.js': '' })),
  ).toEqual({
    warnings: [],
    threads: undefined,
    brotli: [],
  });
});

it('names pointers of Git LFS, as .wasm and as any other file', () => {
  const { warnings } = checkFolder(
    create({ 'a/app.wasm': POINTER, 'model.onnx': POINTER, 'b.glb': POINTER }),
  );
  expect(warnings).toEqual([
    expect.stringMatching(/^a\/app\.wasm is a Git LFS pointer, .*`lfs: true`/),
    expect.stringMatching(/pointers of Git LFS: (b\.glb|model\.onnx) and 1 more; add `lfs: true`/),
  ]);
});

it('names a .wasm file that is something else', () => {
  expect(checkFolder(create({ 'app.wasm': '<!doctype html>' })).warnings).toEqual([
    expect.stringMatching(/^app\.wasm is an HTML or XML page/),
  ]);
});

describe('threads', () => {
  it.each([
    ['an own shared memory', SHARED_MEMORY],
    ['an imported shared memory', IMPORTED_MEMORY],
  ])('are told by %s', (_, module) => {
    expect(WebAssembly.validate(module)).toBe(true);
    expect(checkFolder(create({ 'pkg/app.wasm': module })).threads).toBe('pkg/app.wasm');
  });

  it('are not told by a memory of one thread', () => {
    for (const module of [OWN_MEMORY, renderModule({ imports: ['env f'] })])
      expect(checkFolder(create({ 'app.wasm': module })).threads).toBeUndefined();
  });

  it('need isolation and https, and the warning asks for what is missing', () => {
    const files = { 'app.wasm': SHARED_MEMORY };
    const https = 'https://{port}.x.example';
    expect(warn(files)).toEqual([
      expect.stringMatching(
        /^app\.wasm uses threads, .*set `cross-origin-isolation: true`, and use `tls-cert`/,
      ),
    ]);
    expect(warn(files, { publicUrl: https })).toEqual([
      expect.stringMatching(/^app\.wasm uses threads, .*set `cross-origin-isolation: true`$/),
    ]);
    const headers =
      '/*\n  Cross-Origin-Opener-Policy: same-origin\n  Cross-Origin-Embedder-Policy: require-corp\n';
    expect(warn({ ...files, _headers: headers }, { publicUrl: https })).toEqual([]);
    expect(warn({ ...files, _headers: headers })).toEqual([
      expect.stringMatching(/^app\.wasm uses threads, .* does not start: use `tls-cert`/),
    ]);
    for (const isolation of [true, 'credentialless'] as const) {
      expect(warn(files, { publicUrl: https, isolation })).toEqual([]);
      expect(warn(files, { isolation })).toEqual([
        expect.stringMatching(/^`cross-origin-isolation` has no effect over http/),
      ]);
    }
  });
});

it('names files that only exist as brotli, if visitors come over http', () => {
  const files = { 'Build/a.wasm.br': 'x', 'Build/b.data.br': 'x', 'c.js': '', 'c.js.br': 'x' };
  expect(warn(files)).toEqual([
    expect.stringMatching(/^compressed with brotli: Build\/a\.wasm\.br and 1 more\. .*only over https/),
  ]);
  expect(warn(files, { publicUrl: 'https://x.example' })).toEqual([]);
});

it.each(['http-equiv="Content-Security-Policy"', 'HTTP-EQUIV=content-security-policy'])(
  'warns of a page that makes browsers load its files with https, if visitors come over http: %s',
  field => {
    const meta = `<meta ${field} content="default-src 'self'; upgrade-insecure-requests">`;
    const files = { 'index.html': `${meta}<script src=a.js></script>`, 'a.js': '' };
    expect(warn(files)).toEqual([
      expect.stringMatching(/^index\.html has a policy .* which this preview does/),
    ]);
    expect(warn(files, { publicUrl: 'https://x.example' })).toEqual([]);
    expect(warn({ 'index.html': `${meta}Text` })).toEqual([]);
    expect(warn({ ...files, 'index.html': files['index.html'].replace('upgrade-', 'x-upgrade-') })).toEqual(
      [],
    );
  },
);

it('looks neither at hidden files, nor at packages, nor behind links', () => {
  const folder = create({ '.git/a.wasm': POINTER, 'node_modules/x/a.wasm': POINTER });
  symlinkSync(create({ 'a.wasm': POINTER }), join(folder, 'link'));
  expect(checkFolder(folder).warnings).toEqual([]);
});

it('takes a server on this machine for a secure context, as browsers do', () => {
  const files = { 'index.html': 'start', 'a.wasm.br': 'x' };
  for (const server of ['localhost', '127.0.0.1', '::1'])
    expect(warn(files, { server, isolation: true })).toEqual([]);
  expect(warn(files, { server: 'localhost.example', isolation: true })).toHaveLength(2);
});

it('stops after 10,000 files', () => {
  const many = Object.fromEntries(Array.from({ length: 10_050 }, (_, index) => [`${index}.txt`, '']));
  expect(checkFolder(create({ ...many, 'z/z.wasm': POINTER })).warnings).toEqual([]);
});
