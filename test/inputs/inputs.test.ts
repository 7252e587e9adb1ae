// Every input: the message for a wrong value, and the result for a right one.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { INPUT_DEFAULTS, type Inputs, parseInputs } from '../../src/inputs/inputs.ts';
import { InputError } from '../../src/shared/errors.ts';
import { readActionInputs } from '../../src/step/action-inputs.ts';
import { readMachine } from '../../src/step/machine.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'inputs-'));
  mkdirSync(join(base, 'site'));
  writeFileSync(join(base, 'site', 'index.html'), '');
  mkdirSync(join(base, 'node'));
  writeFileSync(join(base, 'node', 'server.js'), '');
  mkdirSync(join(base, 'empty'));
  mkdirSync(join(base, 'broken'));
  writeFileSync(join(base, 'broken', 'index.html'), '<link rel="stylesheet" href="gone.css">Text');
  mkdirSync(join(base, 'source'));
  writeFileSync(join(base, 'source', 'index.html'), '<script type="module" src="/src/main.ts"></script>');
});
afterEach(() => rmSync(base, { recursive: true }));

/** The inputs of a preview of raw bytes, to a service that the job runs. */
const RAW = { protocol: 'tcp', port: '6379' };

const LONG_KEY = 'a-key-of-16-characters-or-more';

/** The inputs of a working step (`path: site`), with some of them replaced. */
function parse(given: Record<string, string> = {}, environment: NodeJS.ProcessEnv = {}): Inputs {
  const source = (name: string) => given[name] ?? (name === 'path' ? 'site' : INPUT_DEFAULTS[name]) ?? '';
  return parseInputs(source, environment, base);
}

function findProblems(given: Record<string, string>): readonly string[] {
  try {
    parse(given);
  } catch (error) {
    if (error instanceof InputError) return error.problems;
    throw error;
  }
  return [];
}

describe('a wrong value', () => {
  it('of port still means mode port: nothing else is reported but a path that is not there', () => {
    expect(findProblems({ port: 'redis', path: 'empty' })).toHaveLength(1);
    expect(findProblems({ port: '0', path: 'nowhere' })).toEqual([
      expect.stringMatching(/^`port` is '0'/),
      expect.stringMatching(/^path: \S+nowhere does not exist/),
    ]);
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ path: 'nowhere' }, /^path: \S+nowhere does not exist; was it built in an earlier step\?$/],
    [{ path: 'empty' }, /^path: nothing to run in \S+empty\. Looked for .*index\.html/],
    [{ mode: 'docker' }, /^`mode` is 'docker': write one of auto, os, exec, web, port$/],
    [{ mode: 'port' }, /^mode: port needs `port`, `command` or both/],
    [{ mode: 'exec' }, /^path: mode: exec runs one \.wasm file/],
    [{ mode: 'web', path: 'empty' }, /^path: \S+empty has no index\.html/],
    [{ port: '0' }, /^`port` is '0': write a whole number from 1 to 65535$/],
    [{ port: '65536' }, /^`port` is '65536'/],
    [{ port: '80.5' }, /^`port` is '80\.5'/],
    [{ port: '0x50' }, /^`port` is '0x50'/],
    [{ 'stop-timeout': '21s' }, /^`stop-timeout` is '21s': write at most 20s; the post step/],
    [{ 'stop-timeout': 'soon' }, /^`stop-timeout` is 'soon', which is not a duration/],
    [{ port: '8080:80' }, /^`port` is '8080:80': write only the port on this machine, 8080$/],
    [{ port: '0.0.0.0:80' }, /^`port` is '0.0.0.0:80': .* only an address to listen on; write .* 80$/],
    [{ port: '[::]:80' }, /^`port` is '\[::\]:80': :: is only an address to listen on; write .* 80$/],
    [{ port: '*:80' }, /^`port` is '\*:80': \* is only an address to listen on; write .* 80$/],
    [{ port: 'redis' }, /^`port` is 'redis': add the port of the service, like redis:8080$/],
    [{ port: 'redis:' }, /^`port` is 'redis:': write a whole number from 1 to 65535, or host:port/],
    [{ port: 'redis:0' }, /^`port` is 'redis:0': write a whole number from 1 to 65535$/],
    [{ port: 'http://redis:8080/' }, /^`port` is 'http:\/\/redis:8080\/': write it without http:\/\//],
    [{ port: 'fd12::5' }, /^`port` is 'fd12::5': write an IPv6 address in brackets, and a port/],
    [{ port: '[redis]:80' }, /^`port` is '\[redis\]:80': write a whole number/],
    [
      { port: 'redis:6379', command: 'make' },
      /^`port` is 'redis:6379': `command` starts .* only the number, 6379$/,
    ],
    [
      { port: '169.254.169.254:80' },
      /^`port` is '169\.254\.169\.254:80': it leads to 169\.254\.169\.254, which is never/,
    ],
    [{ port: '0xA9FEA9FE:80' }, /it leads to 169\.254\.169\.254, which is never/],
    [{ port: '[::ffff:a9fe:a9fe]:80' }, /it leads to ::ffff:a9fe:a9fe, which is never/],
    [{ port: '80', mode: 'web' }, /^mode: web contradicts `port`/],
    [{ command: 'make', mode: 'exec' }, /^mode: exec contradicts `command`/],
    [{ command: 'make', path: 'site/index.html' }, /is not a folder, and `command` runs in it/],
    [{ env: '=1' }, /env/],
    [{ env: 'A=1', path: 'node' }, /^`env` cannot be used with `mode: os`: .* write the values into a file/],
    [{ 'wasmrun-version': 'latest' }, /^`wasmrun-version` is 'latest': write an exact version like 1\.0\.0/],
    [{ 'wasmrun-version': '0.9.0' }, /^`wasmrun-version` is '0\.9\.0', .* 1\.0\.0 is the first that works/],
    [{ vm: 'qemu' }, /^`vm` is 'qemu': write one of auto, node, browser$/],
    [{ spa: 'yes' }, /^`spa` is 'yes': write true or false$/],
    [
      { 'cross-origin-isolation': '1' },
      /^`cross-origin-isolation` is '1': write one of true, false, credentialless$/,
    ],
    [{ 'health-path': 'health' }, /^`health-path` is 'health': write a path that begins with one \/$/],
    [{ 'health-path': '//host/x' }, /^`health-path` is '\/\/host\/x'/],
    [{ 'startup-timeout': '2 min' }, /^`startup-timeout` is '2 min', which is not a duration/],
    [
      { server: '' },
      /^`server` is empty: is the variable it comes from set\? .*leave the input out to use bore\.pub/,
    ],
    [{ server: 'http://bore.pub' }, /^`server` 'http:\/\/bore\.pub' is not an address: write the host alone/],
    [{ server: 'host:99999' }, /^`server` 'host:99999' is not an address: the port must be/],
    [{ server: '::1' }, /^`server` '::1' is not an address: write an IPv6 address in brackets, \[::1\]$/],
    [
      { server: 'a.example,,b.example' },
      /^entry 2 of `server` is empty: is the variable it comes from set\?/,
    ],
    [{ server: ',b.example' }, /^entry 1 of `server` is empty/],
    [{ server: 'a.example, ' }, /^entry 2 of `server` is empty/],
    [{ server: '\nb.example\n' }, /^entry 1 of `server` is empty/],
    [{ server: 'a.example,\n\n' }, /^entry 2 of `server` is empty/],
    [{ server: 'a.example, A.example:7835' }, /^`server` names a\.example:7835 more than once: name each/],
    [{ secret: 'one\ntwo' }, /^`secret` has 2 lines, and `server` names one server: write one line for all/],
    [
      { server: 'a.example,b.example,c.example', secret: 'one\ntwo' },
      /^`secret` has 2 lines, and `server` names 3 servers: .* one line for each, in the same order$/,
    ],
    [{ server: 'a.example,b.example', secret: 'one\n\ntwo' }, /^entry 2 of `secret` is empty: is the/],
    [{ server: 'a.example,b.example', secret: '\ntwo\n' }, /^entry 1 of `secret` is empty/],
    [{ server: 'a.example,b.example', secret: 'one\n\n' }, /^entry 2 of `secret` is empty/],
    [{ 'remote-port': 'any' }, /^`remote-port` is 'any': write auto, random, or a whole number from 1 to/],
    [{ 'remote-port': '70000' }, /^`remote-port` is '70000': write a whole number from 1 to 65535$/],
    [{ 'port-range': '20000' }, /^`port-range` is '20000', which is not a range: write it like 20000-29999$/],
    [{ 'port-range': '20000..29999' }, /^`port-range` is '20000\.\.29999', which is not a range/],
    [{ 'port-range': '29999-20000' }, /^`port-range` is '29999-20000', which begins above its end/],
    [{ 'port-range': '0-100' }, /^`port-range` is '0-100', which has ports outside 1 to 65535/],
    [{ 'port-range': '1024-65536' }, /^`port-range` is '1024-65536', which has ports outside 1 to 65535/],
    [
      { 'remote-port': '9000', 'port-range': '20000-29999' },
      /^`remote-port` is 9000, which is outside `port-range`, 20000-29999: leave one of the two out$/,
    ],
    [
      { 'remote-port': 'random', 'port-range': '20000-29999' },
      /^`remote-port` is random, .* `port-range`, 20000-29999, has no effect: leave one of the two out$/,
    ],
    [{ protocol: 'udp' }, /^`protocol` is 'udp': write one of http, tcp$/],
    [{ protocol: 'tcp', mode: 'web' }, /^`protocol` is tcp, and `mode: web` has no port of its own/],
    [
      { protocol: 'tcp' },
      /^`protocol` is tcp, and what was found at `path` is a web app, .* give the `port`/,
    ],
    [{ ...RAW, 'health-path': '/up' }, /^`health-path` cannot be used with `protocol: tcp`: .*leave it out$/],
    [{ 'host-header': 'on' }, /^`host-header` is 'on': write one of auto, rewrite, preserve$/],
    [{ ...RAW, 'host-header': 'rewrite' }, /^`host-header` cannot be used with `protocol: tcp`/],
    [{ ...RAW, spa: 'true' }, /^`spa` cannot be used with `protocol: tcp`/],
    [{ 'base-path': 'https://ada.github.io/repo/' }, /^`base-path` is 'https:/],
    [{ ...RAW, 'base-path': '/repo/' }, /^`base-path` cannot be used with `prot/],
    [{ ...RAW, 'cross-origin-isolation': 'credentialless' }, /^`cross-origin-isolation` cannot be used with/],
    [{ ...RAW, 'cross-origin-isolation': 'true' }, /^`cross-origin-isolation` cannot be used with `prot/],
    [
      { ...RAW, 'public-url': 'https://{port}.x' },
      /which is not a tcp address, .*like tcp:\/\/preview\.example/,
    ],
    [{ ...RAW, 'public-url': 'tcp://{host}' }, /^`public-url` is 'tcp:\/\/\{host\}', which has no port/],
    [{ 'public-url': 'tcp://{host}:{port}' }, /which is not an http or https address/],
    [{ inspector: 'maybe' }, /^`inspector` is 'maybe'/],
    [{ ...RAW, inspector: 'true' }, /^`inspector` cannot be used with `protocol: tcp`: /],
    [
      { inspector: 'true', 'public-url': 'https://preview.example.com' },
      /^`inspector` is true, and `public-url` is 'https:\/\/preview\.example\.com', which leads to one port only, .*\{port\}/,
    ],
    [
      { inspector: 'true', 'public-url': 'https://{host}' },
      /^`inspector` is true, and `public-url` is 'https:\/\/\{host\}', which leads to one port only/,
    ],
    [
      { inspector: 'true', 'port-range': '20000-20000' },
      /^`inspector` is true, and `port-range` has one port only, 20000, which the preview takes/,
    ],
    [{ 'trusted-proxy': 'yes' }, /^`trusted-proxy` is 'yes': write true or false$/],
    [
      { ...RAW, 'trusted-proxy': 'true' },
      /^`trusted-proxy` cannot be used with `protocol: tcp`: .*leave it out$/,
    ],
    [
      { 'trusted-proxy': 'true' },
      /^`trusted-proxy` is true, and `public-url` is 'http:\/\/\{host\}:\{port\}', the address of the bore server itself, .*: set `public-url` to the address of your proxy, like https:/,
    ],
    [
      { 'trusted-proxy': 'true', server: 'Bore.example.com', 'public-url': 'http://bore.example.com:{port}' },
      /^`trusted-proxy` is true, and `public-url` is 'http:\/\/bore\.example\.com:\{port\}', the address of the bore/,
    ],
    [
      { 'trusted-proxy': 'true', 'remote-port': '9000', 'public-url': 'http://bore.pub:9000' },
      /^`trusted-proxy` is true, and `public-url` is 'http:\/\/bore\.pub:9000', the address of the bore server itself/,
    ],
    [{ 'public-url': 'ftp://x' }, /^`public-url` is 'ftp:\/\/x', which is not an http or https address: /],
    [{ 'public-url': 'https://{name}.x' }, /placeholder other than \{host\} and \{port\}/],
    [{ 'public-url': 'https://x/{port}' }, /has more than a host and a port/],
    [{ access: 'private' }, /^`access` is 'private': write one of auto, open, link, basic$/],
    [
      { access: 'open', 'access-key': LONG_KEY },
      /^`access-key` is given, and `access` is open, which does not/,
    ],
    [
      { access: 'basic', 'access-key': LONG_KEY },
      /^`access-key` is given, and `access` is basic, .*access: link/,
    ],
    [
      { access: 'link', 'basic-auth': 'a:b' },
      /^`basic-auth` is given, and `access` is link, .*access: basic/,
    ],
    [{ 'access-key': LONG_KEY, 'basic-auth': 'a:b' }, /^`access-key` and `basic-auth` are both given/],
    [{ access: 'basic' }, /^`access` is basic, and `basic-auth` is empty: is the secret it comes from set\?/],
    [{ 'access-key': 'hunter2hunter2' }, /^`access-key` has 14 characters, and could be guessed: use 16/],
    [{ 'access-key': 'hunter2 hunter2 hunter2' }, /^`access-key` has spaces, line breaks or special/],
    [{ 'basic-auth': 'hunter2' }, /^`basic-auth` is not written like user:password, on one line$/],
    [{ 'basic-auth': ':hunter2' }, /^`basic-auth` is not written like user:password/],
    [{ 'basic-auth': 'ada:' }, /^`basic-auth` is not written like user:password/],
    [{ 'basic-auth': 'ada:hunter\n2' }, /^`basic-auth` is not written like user:password/],
    [
      { 'public-paths': '/ok\nwebhooks/**' },
      /^`public-paths` has 'webhooks\/\*\*', which does not begin with \//,
    ],
    [{ 'public-paths': '/a/../b' }, /^`public-paths` has '\/a\/\.\.\/b', which is not a plain path: write/],
    [{ capture: '/ok\nhooks' }, /^`capture` has 'hooks', which does not begin with \/: write patterns like/],
    [{ capture: 'none, /a' }, /^`capture` has 'none', which does not begin with \//],
    [{ 'max-body': 'much' }, /^`max-body` is 'much', which is not a size: write it like 500KB, 25MB or 2GB$/],
    [{ compress: 'gzip' }, /^`compress` is 'gzip': write true or false$/],
    [{ 'max-body': '0' }, /^`max-body` is '0', which is not a size/],
    [{ ...RAW, access: 'link' }, /^`access` is link, and `protocol` is tcp, .*write access: open/],
    [{ ...RAW, 'access-key': LONG_KEY }, /^`access` is link, and `protocol` is tcp, .*write access: open/],
    [
      { ...RAW, access: 'link', 'access-key': LONG_KEY },
      /^`access` is link, and `protocol` is tcp, .*write access: open/,
    ],
    [
      { ...RAW, access: 'basic', 'basic-auth': 'ada:hunter2' },
      /^`access` is basic, and `protocol` is tcp, .*write access: open/,
    ],
    [
      { ...RAW, 'basic-auth': 'ada:hunter2' },
      /^`access` is basic, and `protocol` is tcp, .*write access: open/,
    ],
    [
      { ...RAW, 'public-paths': '/x' },
      /^`public-paths` cannot be used with `protocol: tcp`: .*leave it out$/,
    ],
    [{ ...RAW, capture: '/x' }, /^`capture` cannot be used with `protocol: tcp`: .*leave it out$/],
    [
      { ...RAW, verify: 'github /x a-secret' },
      /^`verify` cannot be used with `protocol: tcp`: .*leave it out$/,
    ],
    [{ verify: 'github /x' }, /^`verify`, line 1 \(github\): the secret is empty/],
    [{ ...RAW, queue: 'false' }, /^`queue` cannot be used with `protocol: tcp`: .*leave it out$/],
    [{ ...RAW, redact: 'false' }, /^`redact` cannot be used with `protocol: tcp`: .*leave it out$/],
    [{ redact: 'no' }, /^`redact` is 'no': write true or false$/],
    [{ queue: 'maybe' }, /^`queue` is 'maybe': write true or false$/],
    [{ ...RAW, 'max-body': '1GB' }, /^`max-body` cannot be used with `protocol: tcp`: .*leave it out$/],
    [{ hold: 'perhaps' }, /^`hold` is 'perhaps', which is not a duration/],
    [{ duration: 'long' }, /^`duration` is 'long', which is not a duration/],
    [{ hold: 'true', 'idle-timeout': '0s' }, /^`idle-timeout` is '0s', which is not a duration/],
    [
      { 'idle-timeout': '10m' },
      /^`idle-timeout` is '10m', but without `hold` later steps use the preview, .*: set `hold` as well, or remove/,
    ],
    [{ hold: '10m', duration: '20m' }, /^`hold` is '10m' and `duration` is '20m': give only one of them$/],
    [{ comment: 'no' }, /^`comment` is 'no': write true or false$/],
    [{ 'pr-number': '#7' }, /^`pr-number` is '#7': write a whole number from 1 to/],
    [{ 'allow-untrusted-head': 'ok' }, /^`allow-untrusted-head` is 'ok': write true or false$/],
    [{ 'fail-on-error': '0' }, /^`fail-on-error` is '0': write true or false$/],
    [{ 'log-level': 'loud' }, /^`log-level` is 'loud': write one of quiet, info, debug$/],
  ])('%j is reported once, with the input, the value and the remedy', (given, message) => {
    expect(findProblems(given)).toEqual([expect.stringMatching(message)]);
  });

  it('does not hide other wrong values', () => {
    const given = {
      protocol: 'x',
      port: 'x',
      vm: 'x',
      server: '',
      'port-range': 'x',
      'remote-port': 'x',
      hold: 'x',
      comment: 'x',
      'log-level': 'x',
    };
    expect(findProblems(given).map(problem => /`([a-z-]+)`/.exec(problem)?.[1])).toEqual(Object.keys(given));
  });

  it('of a mode does not hide that the protocol excludes the mode', () => {
    const problems = findProblems({ protocol: 'tcp', mode: 'web', path: 'empty' });
    expect(problems).toEqual([
      expect.stringMatching(/has no index\.html/),
      expect.stringMatching(/`mode: web` has no port/),
    ]);
  });

  it('of one server does not hide that of another', () => {
    const problems = findProblems({ server: 'http://x,b.example,c.example:x' });
    expect(problems).toEqual([
      expect.stringMatching(/^`server` 'http:\/\/x' is not an address/),
      expect.stringMatching(/^`server` 'c\.example:x' is not an address/),
    ]);
  });

  it('of a key or a password is never repeated', () => {
    const wrong = [
      { 'access-key': 'hunter2' },
      { 'access-key': 'hunter2 hunter2 hunter2' },
      { access: 'open', 'access-key': 'hunter2hunter2hunter2' },
      { 'basic-auth': 'hunter2' },
      { access: 'link', 'basic-auth': 'ada:hunter2' },
      { ...RAW, 'access-key': 'hunter2hunter2hunter2' },
    ];
    for (const given of wrong) {
      expect(findProblems(given)).toHaveLength(1);
      expect(findProblems(given).join()).not.toContain('hunter');
    }
  });

  it('of the secret is never repeated', () => {
    const servers = { server: 'a.example,b.example' };
    expect(findProblems({ secret: 'hunter2\nhunter3' }).join()).not.toContain('hunter');
    expect(findProblems({ ...servers, secret: 'hunter2\n\nhunter3' }).join()).not.toContain('hunter');
    expect(findProblems({ ...servers, secret: 'hunter2\nhunter3\nhunter4' })).toHaveLength(1);
  });
});

describe('the inputs of a step', () => {
  afterEach(() => vi.unstubAllEnvs());

  it.each([
    ['server', '\nb.example\n', 'entry 1 of `server` is empty'],
    ['secret', '\nsecond-secret\n', 'entry 1 of `secret` is empty'],
  ])('keep the empty lines of %s, which mean a variable that is not set', (name, text, message) => {
    for (const [input, value] of Object.entries({ ...INPUT_DEFAULTS, server: 'a.example\nb.example\n' }))
      vi.stubEnv(`INPUT_${input.toUpperCase()}`, input === name ? text : value);
    vi.stubEnv('INPUT_PATH', join(base, 'site'));
    expect(() => readActionInputs(readMachine())).toThrow(message);
  });
});

describe('a web app', () => {
  it.each([
    'repo',
    '//repo/',
    '/a//b/',
    '/../x/',
    '/%2e%2E/x/',
    '/a/.',
    '/a b/',
    '/a?b',
    '/a#b',
    '/a\\b',
    '/a%2fb/',
    '/%/',
  ])('cannot have the base path %s', path => {
    expect(findProblems({ 'base-path': path })).toEqual([
      `\`base-path\` is '${path}': write auto, or a path that begins with one /, like /repo/`,
    ]);
  });

  it('that can only show a blank page is refused', () => {
    expect(findProblems({ path: 'source' })).toEqual([
      expect.stringMatching(/^path: index\.html loads \/src\/main\.ts, which no browser can run: .*build it/),
    ]);
  });

  it('behind https may be isolated without a warning', () => {
    const given = { 'cross-origin-isolation': 'true', 'public-url': 'https://{port}.x.example' };
    expect(parse(given).warnings).toEqual([]);
  });
});

describe('the defaults', () => {
  it('mean a preview in the background over bore.pub, with a comment', () => {
    expect(parse()).toMatchObject({
      app: {
        mode: 'web',
        path: join(base, 'site'),
        vm: 'auto',
        healthPath: '/',
        hostHeader: 'auto',
        startupTimeoutMs: 120_000,
      },
      protocol: 'http',
      tunnel: {
        servers: [{ address: { host: 'bore.pub', port: 7835 }, secret: undefined }],
        remotePort: { kind: 'auto', min: 1024, max: 65_535 },
        publicUrl: 'http://{host}:{port}',
      },
      gateway: { access: { kind: 'auto' }, publicPaths: [], maxBodyBytes: 25 * 1024 ** 2, compress: true },
      hold: false,
      durationMs: undefined,
      comment: true,
      deployment: false,
      failOnError: true,
      logLevel: 'info',
      warnings: [],
    });
  });

  it.each(Object.keys(INPUT_DEFAULTS).filter(name => name !== 'path' && name !== 'server'))(
    'include one for %s, which is used if an expression leaves the input empty',
    name => {
      expect(parse({ [name]: '' })).toEqual(parse());
    },
  );
});

describe('a right value', () => {
  it.each<[Record<string, string>, object]>([
    [{ hold: 'true' }, { hold: true, durationMs: 30 * 60_000 }],
    [
      { hold: 'TRUE', duration: '1h' },
      { hold: true, durationMs: 3_600_000 },
    ],
    [
      { hold: '10m', duration: '600s' },
      { hold: true, durationMs: 600_000 },
    ],
    [{ duration: '5m' }, { hold: false, durationMs: 300_000 }],
    [
      { hold: '1h', 'idle-timeout': ' 10m ' },
      { hold: true, durationMs: 3_600_000, idleTimeoutMs: 600_000 },
    ],
    [{ secret: '\n  a-long-secret\n\n' }, { tunnel: { servers: [{ secret: 'a-long-secret' }] } }],
    [{ server: '[::1]:99' }, { tunnel: { servers: [{ address: { host: '::1', port: 99 } }] } }],
    [{ 'remote-port': '9000' }, { tunnel: { remotePort: { kind: 'fixed', port: 9000 } } }],
    [{ 'remote-port': 'Random' }, { tunnel: { remotePort: { kind: 'random' } } }],
    [
      { 'port-range': '20000 - 29999' },
      { tunnel: { remotePort: { kind: 'auto', min: 20_000, max: 29_999 } } },
    ],
    [
      { inspector: 'true', 'remote-port': '9000' },
      {
        inspector: true,
        tunnel: {
          remotePort: { kind: 'fixed', port: 9_000 },
          inspectorPort: { kind: 'auto', min: 1_024, max: 65_535 },
        },
      },
    ],
    [
      { inspector: 'true', 'remote-port': '20000', 'port-range': '20000-29999' },
      { tunnel: { inspectorPort: { kind: 'auto', min: 20_000, max: 29_999 } } },
    ],
    [
      { inspector: 'true', 'remote-port': 'random', 'public-url': 'https://{port}.x.example' },
      { inspector: true, tunnel: { inspectorPort: { kind: 'random' } } },
    ],
    [
      { 'trusted-proxy': 'True', 'public-url': 'https://{port}.preview.example.com' },
      { trustedProxy: true, tunnel: { publicUrl: 'https://{port}.preview.example.com' } },
    ],
    // bore has no TLS, so a proxy listens there.
    [{ 'trusted-proxy': 'true', 'public-url': 'https://{host}:{port}' }, { trustedProxy: true }],
    [{ 'trusted-proxy': 'true', 'public-url': 'http://{host}' }, { trustedProxy: true }],
    [{ 'public-url': 'https://{port}.preview.example.com' }, { trustedProxy: false }],
    [{ 'port-range': '20000–29999' }, { tunnel: { remotePort: { min: 20_000, max: 29_999 } } }],
    [{ 'port-range': '20000:29999' }, { tunnel: { remotePort: { min: 20_000, max: 29_999 } } }],
    [{ 'remote-port': 'random', 'port-range': '1024-65535' }, { tunnel: { remotePort: { kind: 'random' } } }],
    [
      { 'remote-port': '20000', 'port-range': '20000-29999' },
      { tunnel: { remotePort: { kind: 'fixed', port: 20_000 } } },
    ],
    // The default range contradicts nothing.
    [{ 'remote-port': '80', 'port-range': '1024-65535' }, { tunnel: { remotePort: { kind: 'fixed' } } }],
    [
      { server: 'a.example, b.example:99,\r\n[::1]\n', secret: 'for-all-of-them' },
      {
        tunnel: {
          servers: [
            { address: { host: 'a.example', port: 7835 }, secret: 'for-all-of-them' },
            { address: { host: 'b.example', port: 99 }, secret: 'for-all-of-them' },
            { address: { host: '::1', port: 7835 }, secret: 'for-all-of-them' },
          ],
        },
      },
    ],
    [
      { server: 'a.example\nb.example', secret: ' first-secret \n second-secret\n' },
      { tunnel: { servers: [{ secret: 'first-secret' }, { secret: 'second-secret' }] } },
    ],
    [
      RAW,
      {
        protocol: 'tcp',
        app: { mode: 'port', port: 6379, healthPath: undefined, hostHeader: undefined },
        tunnel: { publicUrl: 'tcp://{host}:{port}' },
      },
    ],
    [
      { ...RAW, 'public-url': 'tcp://x.example:{port}/' },
      { tunnel: { publicUrl: 'tcp://x.example:{port}' } },
    ],
    [{ 'public-url': 'https://{port}.x.example/' }, { tunnel: { publicUrl: 'https://{port}.x.example' } }],
    [{ access: 'Link' }, { gateway: { access: { kind: 'link', key: undefined } } }],
    [{ 'access-key': ` ${LONG_KEY}\n` }, { gateway: { access: { kind: 'link', key: LONG_KEY } } }],
    [
      { 'basic-auth': 'ada:a:long:password' },
      { gateway: { access: { kind: 'basic', user: 'ada', password: 'a:long:password' } } },
    ],
    [{ 'public-paths': '/a/**\n\n /b , /c' }, { gateway: { publicPaths: ['/a/**', '/b', '/c'] } }],
    [{}, { webhooks: { capture: { kind: 'unsafe methods' } } }],
    [{ capture: 'None' }, { webhooks: { capture: { kind: 'none' } } }],
    [{ ...RAW, capture: 'none' }, { webhooks: { capture: { kind: 'none' } } }],
    [
      { capture: 'Auto', 'public-paths': '/a/**' },
      { webhooks: { capture: { kind: 'paths', patterns: ['/a/**'] } } },
    ],
    [
      { capture: '/b, /c/*', 'public-paths': '/a/**' },
      { webhooks: { capture: { kind: 'paths', patterns: ['/b', '/c/*'] } } },
    ],
    [
      { 'public-paths': '/a/**', verify: 'github /b one-secret\nslack /b another-secret\n' },
      { webhooks: { capture: { kind: 'paths', patterns: ['/a/**', '/b'] } } },
    ],
    [
      { verify: 'github /b one-secret' },
      { webhooks: { verify: [{ provider: 'github', path: '/b', secret: 'one-secret', handshakes: [] }] } },
    ],
    [{}, { webhooks: { queue: true, redact: true, verify: [] } }],
    [{ redact: 'False' }, { webhooks: { redact: false } }],
    [{ queue: 'False' }, { webhooks: { queue: false } }],
    [{ 'max-body': '500KB' }, { gateway: { maxBodyBytes: 512_000 } }],
    [{ 'max-body': '1.5 gb' }, { gateway: { maxBodyBytes: 1_610_612_736 } }],
    [{ 'max-body': '10MiB' }, { gateway: { maxBodyBytes: 10_485_760 } }],
    [{ 'max-body': '1000' }, { gateway: { maxBodyBytes: 1_000 } }],
    [{ compress: 'False' }, { gateway: { compress: false } }],
    [{ ...RAW, compress: 'true' }, { gateway: { compress: true } }],
    [{ ...RAW, access: 'open' }, { gateway: { access: { kind: 'open' } } }],
    [{ port: '3000' }, { app: { mode: 'port', port: 3000 } }],
    [{}, { app: { stopTimeoutMs: 5_000 } }],
    [{ 'stop-timeout': '20s' }, { app: { stopTimeoutMs: 20_000 } }],
    [{ port: ' Redis:6379 ' }, { app: { mode: 'port', port: 6379, service: 'redis' } }],
    [{ port: 'my_db.internal:5432' }, { app: { port: 5432, service: 'my_db.internal' } }],
    [{ port: '[FD12::0005]:80' }, { app: { port: 80, service: 'fd12::5' } }],
    [{ port: 'localhost:3000' }, { app: { port: 3000, service: undefined } }],
    [{ path: 'node' }, { app: { mode: 'os' } }],
    [{}, { app: { basePath: '/', crossOriginIsolation: false } }],
    [
      { 'base-path': '/org/repo' },
      { app: { basePath: '/org/repo/', modeReason: expect.stringMatching(/\/org\/repo\/$/) } },
    ],
    [{ 'base-path': '/caf%C3%A9/' }, { app: { basePath: '/caf%C3%A9/' } }],
    [{ 'base-path': '/café/' }, { app: { basePath: '/caf%C3%A9/' } }],
    [{ 'base-path': '/' }, { app: { basePath: '/' } }],
    [{ 'base-path': 'AUTO' }, { app: { basePath: '/' } }],
    [{ 'cross-origin-isolation': 'True' }, { app: { crossOriginIsolation: true } }],
    [{ 'cross-origin-isolation': 'credentialless' }, { app: { crossOriginIsolation: 'credentialless' } }],
    [{ 'wasmrun-version': 'v1.0.0' }, { app: { wasmrunVersion: '1.0.0' } }],
    [{ args: ' --a \n\nb c\n' }, { app: { args: ['--a', 'b c'] } }],
    [
      { 'log-level': 'Debug', name: ' web ' },
      { logLevel: 'debug', name: 'web' },
    ],
  ])('%j is understood', (given, inputs) => {
    expect(parse(given)).toMatchObject(inputs);
  });

  it('of env may copy a variable of the job', () => {
    const { app } = parse({ command: 'make', env: 'A=1\nTOKEN' }, { TOKEN: 'abc' });
    expect(app.env).toEqual({ A: '1', TOKEN: 'abc' });
  });

  it.each([
    [{ secret: 'short' }, /shorter than 8 characters/],
    [{ secret: 'bore.pub' }, /occurs in the server's address/],
    [{ 'basic-auth': 'ada:short' }, /password of `basic-auth` is shorter than 8 characters/],
    [{ duration: '25h' }, /above 24 hours/],
    [{ hold: 'true', 'idle-timeout': '30m' }, /^`idle-timeout` has no effect: the preview ends after 30m/],
    [{ 'cross-origin-isolation': 'true' }, /^`cross-origin-isolation` has no effect over http/],
    [{ path: 'broken' }, /^index\.html loads \/gone\.css, missing from /],
    [
      { server: 'bore.example.dev' },
      /^browsers open names under \.dev only with https, .*bore\.example\.dev .*`tls-cert`.*`public-url`/,
    ],
    [{ server: 'BORE.Example.PAGE:7000' }, /under \.page .*bore\.example\.page/],
    [{ server: 'bore.example.zip.' }, /under \.zip/],
    [{ 'public-url': 'http://{port}.x.app' }, /under \.app .*link to \{port\}\.x\.app/],
    [
      { server: 'a.example,b.example', 'public-url': 'https://{port}.x.example' },
      /^`public-url` has no \{host\}, .* write it like https:\/\/\{port\}\.\{host\}$/,
    ],
    [{ verify: 'stripe /hooks whsec_abcdef' }, /^Stripe sends webhooks of live mode to https addresses only/],
    [{ verify: 'square /hooks a-signature-key' }, /^Square sends webhooks to https addresses only/],
    [{ verify: 'github /hooks short' }, /^the secret of `verify` for github \/hooks is shorter than 8/],
  ])('%j is allowed with a warning', (given, warning) => {
    expect(parse(given).warnings).toEqual([expect.stringMatching(warning)]);
  });

  it.each<Record<string, string>>([
    { server: 'bore.example.dev', 'public-url': 'https://{port}.example.dev' },
    { ...RAW, access: 'open', server: 'bore.example.dev' },
    { server: 'dev.example.com' },
    { verify: 'github /hooks a-secret-of-the-webhook\ntwilio /sms an-auth-token' },
    { verify: 'stripe /hooks whsec_abcdef', 'public-url': 'https://{port}.example.com' },
    { server: 'bore.mydev' },
    { server: '203.0.113.1' },
    { server: '[2001:db8::1]' },
  ])('%j draws no warning about https', given => {
    expect(parse(given).warnings).toEqual([]);
  });
});
