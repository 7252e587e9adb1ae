// Which of the job's environment variables a program may see: allow-lists. Used by supervisor/host.ts, and by
// command-environment.ts, which adds to them.

import { resolve } from 'node:path';

/** Needed to run at all, to speak the user's language, and to be cleaned up by the runner (RUNNER_TRACKING_ID). */
const SYSTEM = 'PATH HOME USER SHELL LANG TZ TMPDIR TERM CI RUNNER_TRACKING_ID';
/** Without these nothing reaches the network behind a company proxy; tools read both spellings. */
const NETWORK =
  'HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy ' +
  'SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS NODE_USE_SYSTEM_CA CURL_CA_BUNDLE REQUESTS_CA_BUNDLE GIT_SSL_CAINFO';
/** Windows programs do not start without their system folders; names are case-insensitive there. */
const WINDOWS =
  'SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT TEMP TMP OS USERNAME USERPROFILE USERDOMAIN HOMEDRIVE HOMEPATH ' +
  'APPDATA LOCALAPPDATA ALLUSERSPROFILE PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROGRAMW6432 ' +
  'COMMONPROGRAMFILES COMMONPROGRAMFILES(X86) COMMONPROGRAMW6432 NUMBER_OF_PROCESSORS PROCESSOR_ARCHITECTURE';
/** Where Rust is installed. Not all of CARGO_*: CARGO_REGISTRY_TOKEN is one of them. */
const RUST = 'CARGO_HOME RUSTUP_HOME RUSTUP_TOOLCHAIN CARGO_HTTP_CAINFO CARGO_HTTP_PROXY';

/** Each names a file with the certificates of a company's own authority. */
const CERTIFICATE_FILES = [
  'SSL_CERT_FILE',
  'NODE_EXTRA_CA_CERTS',
  'CURL_CA_BUNDLE',
  'REQUESTS_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'CARGO_HTTP_CAINFO',
];

const ALLOWED = new Set(`${SYSTEM} ${NETWORK}`.split(' '));
const ALLOWED_ON_WINDOWS = new Set(`${SYSTEM} ${NETWORK} ${WINDOWS}`.toUpperCase().split(' '));
const ALLOWED_FOR_INSTALLATION = new Set(RUST.split(' '));

/**
 * The environment with absolute paths of certificates, because the programs start in other folders than the step. A
 * program that does not find the file trusts fewer servers than the step does.
 */
export function anchorCertificates(job: NodeJS.ProcessEnv, folder: string): NodeJS.ProcessEnv {
  const anchored = CERTIFICATE_FILES.flatMap(name => {
    const file = job[name];
    return file ? [[name, resolve(folder, file)] as const] : [];
  });
  return { ...job, ...Object.fromEntries(anchored) };
}

/** The variables that any program may see: for the supervisor, and for the app in `mode: web`. */
export function selectEnvironment(
  job: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): Record<string, string> {
  return pick(job, name => isAllowed(name, platform));
}

/** These variables and `WASMRUN_*`, without the secret of wasmrun's own tunnel: for `mode: os` and `exec`. */
export function selectWasmrunEnvironment(
  job: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): Record<string, string> {
  return pick(
    job,
    name => isAllowed(name, platform) || (name.startsWith('WASMRUN_') && name !== 'WASMRUN_TUNNEL_SECRET'),
  );
}

/** The variables that any program may see, and those of Rust: for the installation of wasmrun. */
export function selectInstallEnvironment(
  job: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): Record<string, string> {
  return pick(job, name => isAllowed(name, platform) || ALLOWED_FOR_INSTALLATION.has(name));
}

function isAllowed(name: string, platform: NodeJS.Platform): boolean {
  if (platform === 'win32') return ALLOWED_ON_WINDOWS.has(name.toUpperCase()) || /^LC_/i.test(name);
  return ALLOWED.has(name) || name.startsWith('LC_');
}

function pick(job: NodeJS.ProcessEnv, keep: (name: string) => boolean): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const [name, value] of Object.entries(job))
    if (value !== undefined && keep(name)) picked[name] = value;
  return picked;
}
