// Finds the real programs the tests run against; scripts/install-real-parts puts them there.

import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe } from 'vitest';

/** On PATH: Go, which builds the others, and what Debian's packages install. */
type PackagedPart =
  | 'go'
  | 'jq'
  | 'wrk'
  | 'iperf3'
  | 'redis-server'
  | 'redis-cli'
  | 'ip'
  | 'slowhttptest'
  | 'cmark-gfm'
  | 'nginx'
  | 'haproxy'
  | 'caddy'
  | 'nft'
  | 'systemd-analyze'
  | 'shellcheck'
  | 'podman'
  | 'knotd'
  | 'knotc'
  | 'knsupdate'
  | 'certbot';
export type RealPart =
  | (
      | 'bore'
      | 'bore-0.5'
      | 'wasmrun'
      | 'act'
      | 'actionlint'
      | 'chromium'
      | 'runtime'
      | 'os-frameworks'
      | 'provider-sdks'
      | 'github-api'
      | 'tun-rig'
      | 'machines'
      | 'systemd'
      | 'go-app'
      | 'compose-config'
      | 'podman-compose'
      | 'kube-check'
      | 'caddy-dns'
      | 'kosoku'
      | 'h2spec'
      | 'pebble'
      | 'jco'
      | 'pytest'
      | 'zizmor'
    )
  | PackagedPart;

const CACHE =
  process.env.EXPOSE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'expose-action');
/** The network of machines.ts. */
const SWITCH = join(import.meta.dirname, 'machines', 'switch');
/** The namespaces of systemd-machine.ts. */
const SYSTEMD = join(import.meta.dirname, 'systemd', 'boot');
/** What a part is called on PATH; the others are in the cache folder. */
const ON_PATH: Partial<Record<RealPart, readonly string[]>> = {
  chromium: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
  go: ['go'],
  jq: ['jq'],
  wrk: ['wrk'],
  iperf3: ['iperf3'],
  'redis-server': ['redis-server'],
  'redis-cli': ['redis-cli'],
  ip: ['ip'],
  slowhttptest: ['slowhttptest'],
  'cmark-gfm': ['cmark-gfm'],
  nginx: ['nginx'],
  haproxy: ['haproxy'],
  caddy: ['caddy'],
  nft: ['nft'],
  'systemd-analyze': ['systemd-analyze'],
  shellcheck: ['shellcheck'],
  podman: ['podman'],
  knotd: ['knotd'],
  knotc: ['knotc'],
  knsupdate: ['knsupdate'],
  certbot: ['certbot'],
};

/** Path of the program (of the file for `runtime` and `github-api`, of a folder for `os-frameworks` and `provider-sdks`), or undefined where it is not installed or may not run. */
export function realPart(part: RealPart): string | undefined {
  if (part === 'tun-rig' && !mayMakeLinks()) return undefined;
  if (part === 'machines') return mayMakeMachines() ? SWITCH : undefined;
  if (part === 'systemd') return mayBootSystemd() ? SYSTEMD : undefined;
  if (part === 'runtime') return [join(CACHE, 'wasmhub-nodejs.wasm')].find(isReadable);
  if (part === 'github-api') return [join(CACHE, 'github-api.json')].find(isReadable);
  if (part === 'os-frameworks' || part === 'provider-sdks')
    return [join(CACHE, part, 'node_modules')].find(isReadable);
  const folders = (process.env.PATH ?? '').split(delimiter);
  const names = ON_PATH[part]?.flatMap(name => folders.map(folder => join(folder, name)));
  return (names ?? [join(CACHE, 'bin', part)]).find(isReadable);
}

/** Path of a part inside `describeWithReal`, where it is known to be there. */
export function requirePart(part: RealPart): string {
  const path = realPart(part);
  if (path === undefined) throw new Error(`${part} is not installed: run scripts/install-real-parts`);
  return path;
}

/**
 * A suite that needs real programs: without them it is skipped and says so, or fails where CI or REQUIRE_REAL is set.
 */
export function describeWithReal(parts: readonly RealPart[], title: string, define: () => void): void {
  const missing = parts.filter(part => realPart(part) === undefined);
  const hints = {
    'tun-rig': 'root and /dev/net/tun',
    machines: 'root who may create namespaces, ip, nft, knotd and knsupdate',
    systemd: 'root who may create namespaces and control groups, ip and systemd',
  };
  const hint = Object.entries(hints)
    .map(([part, needs]) => (missing.some(one => one === part) ? `; ${part} needs ${needs}` : ''))
    .join('');
  const required = Boolean(process.env.CI || process.env.REQUIRE_REAL);
  if (missing.length === 0 || required) describe(title, define);
  else
    describe.skip(
      `${title} (skipped: ${missing.join(', ')} not installed, see scripts/install-real-parts${hint})`,
      define,
    );
}

/** TUN devices and network namespaces are root's. */
function mayMakeLinks(): boolean {
  return process.getuid?.() === 0 && isReadable('/dev/net/tun') && realPart('ip') !== undefined;
}

/** Being root is not enough in some containers. */
function mayMakeMachines(): boolean {
  const programs = ['ip', 'nft', 'knotd', 'knotc', 'knsupdate'] as const;
  if (process.getuid?.() !== 0 || programs.some(part => realPart(part) === undefined)) return false;
  return spawnSync('unshare', ['--net', '--mount', 'true']).status === 0;
}

function mayBootSystemd(): boolean {
  const programs = ['ip', 'systemd-analyze'] as const;
  if (process.getuid?.() !== 0 || programs.some(part => realPart(part) === undefined)) return false;
  return spawnSync(SYSTEMD, ['--possible']).status === 0;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
