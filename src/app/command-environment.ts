// Which of the job's environment variables a `command` sees: what tells it where the tools of the job are and how they
// are set, as in any other step, and nothing that is or points at a credential. Used by supervisor/host.ts.
//
// Not simply everything that a `run:` step gets: the command's answers are public, and error pages and debug routes of
// many frameworks show their whole environment. So it is still a list of what passes, but one of kinds, not of names:
// the settings of known tools, and the folders of any tool. `env` passes the rest, by name.

import { existsSync } from 'node:fs';
import { posix, win32 } from 'node:path';
import { selectEnvironment } from './environment.ts';

type Environment = Record<string, string>;

/** What describes the machine; RUNNER_TOOL_CACHE is where setup-actions put their tools. */
const OF_THE_RUNNER = /^RUNNER_/;
/**
 * Of the run, not of its tools: the token, the files through which a step gives the runner orders, and the folder with
 * the files of all steps.
 */
const OF_THE_RUN = /^(GITHUB_|RUNNER_TEMP$)/;

/** Settings of compilers, package managers and runtimes, by the first word of their name. */
const TOOLS = new Set(
  (
    'ANDROID BUN CARGO CGO CMAKE COMPOSE CONAN CONDA COREPACK CPLUS DENO DOTNET DYLD ELECTRON ERL ERLANG FLUTTER ' +
    'GEM GO GRADLE HEX JAVA JDK JRE KOTLIN LD LIBRARY MAMBA MAVEN MESON MIX NEXT NIX NODE NPM NUGET NUXT NVM OPAM ' +
    'PERL PERL5 PHP PIP PIPX PIXI PKG PLAYWRIGHT PNPM POETRY PUB PUPPETEER PYENV PYTHON R RACK RAILS RBENV RUBY ' +
    'RUBYLIB RUBYOPT RUST RUSTC RUSTUP SDKMAN STACK SWIFT TESTCONTAINERS TURBO UV VCPKG VIRTUAL VITE VOLTA XDG YARN ZIG'
  ).split(' '),
);
const TOOL_NAMES = new Set(
  (
    'AR CC CFLAGS CLASSPATH CONTAINER_HOST CPATH CPP CPPFLAGS CXX CXXFLAGS DEBIAN_FRONTEND DISPLAY DJANGO_SETTINGS_MODULE ' +
    'DOCKER_BUILDKIT DOCKER_CONTEXT DOCKER_DEFAULT_PLATFORM DOCKER_HOST FLASK_APP FLASK_ENV FORCE_COLOR BUNDLE_GEMFILE ' +
    'IMAGEOS IMAGEVERSION LDFLAGS MAKEFLAGS MANPATH NM NO_COLOR RANLIB RUSTFLAGS'
  ).split(' '),
);
/** A tool's folder, or a list of folders: `LLVM_ROOT`, `NVM_DIR`, `JAVA_HOME_17_X64`. */
const FOLDER_WORDS =
  /(^|_)(HOME|ROOT|DIR|DIRS|PATH|PATHS|PREFIX|BIN|LIB|SDK|LOCATION|INSTALL|INSTALLATION)(_|$)/;

/** The name of a credential: a word of it, or a part that is part of no other word. */
const CREDENTIAL_WORDS =
  /(^|_)(AUTH|CERT|CERTIFICATE|COOKIE|CRED|CREDS|DSN|IDENTITY|JWT|KEY|KEYCHAIN|KEYRING|KEYS|KEYSTORE|LOGIN|OAUTH|PASS|PASSFILE|PAT|PWD|SALT|SAS|SESSION|SIGNING|SSH|WEBHOOK)(_|$)/;
const CREDENTIAL_PARTS =
  /TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|PRIVATE|ACCESS_?KEY|ASKPASS|XAUTHORITY|AUTHTOKEN|_AUTH$/;
/** Where tools keep credentials, and the variables of clouds, which point at theirs. */
const CREDENTIAL_PLACES =
  /^(ACTIONS|ALIYUN|ARM|AWS|AZURE|BORE|CLOUDSDK|DOCKER_CONFIG|EXPOSE|GCLOUD|GCP|GIT_CONFIG|GNUPGHOME|GOOGLE|GPG|HELM|INPUT|KUBE|NETRC|NPM_CONFIG_(GLOBAL|USER)CONFIG|OCI|PGSERVICEFILE|PIP_CONFIG_FILE|STATE|VAULT|WASMRUN_TUNNEL)/;
/** `https://user:password@host`, and the beginnings of well-known tokens and keys. */
const CREDENTIAL_VALUES =
  /\/\/[^/@\s]*:[^/@\s]+@|\b(gh[a-z]_|github_pat_|glpat-|npm_[A-Za-z0-9]{30}|sk_(live|test)_|xox[a-z]-|AKIA|eyJ[A-Za-z0-9])|-----BEGIN /;
/** What the runner gives every step, and what bash sets by itself: nobody misses these. */
const NOT_WORTH_A_WORD =
  /^((ACTIONS|GITHUB|INPUT|STATE)_.*|RUNNER_TEMP|_|OLDPWD|PWD|SHLVL|BASH.*|COLUMNS|LINES)$/;

/** The variables that a command sees, and the names of those of the job that it does not. */
export interface CommandEnvironment {
  passed: Environment;
  /** Sorted; without what belongs to the runner and to the shell. */
  leftOut: string[];
}

export function selectCommandEnvironment(
  job: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): CommandEnvironment {
  const passed: Environment = selectEnvironment(job, platform);
  const leftOut: string[] = [];
  for (const [name, value] of Object.entries(job)) {
    if (value === undefined || name in passed) continue;
    const key = name.toUpperCase();
    if (isForCommand(key, value, platform)) passed[name] = value;
    else if (!NOT_WORTH_A_WORD.test(key)) leftOut.push(name);
  }
  return { passed, leftOut: leftOut.sort() };
}

function isForCommand(name: string, value: string, platform: NodeJS.Platform): boolean {
  if (isCredential(name, value) || OF_THE_RUN.test(name)) return false;
  const [word = ''] = name.split('_');
  return (
    OF_THE_RUNNER.test(name) ||
    TOOL_NAMES.has(name) ||
    TOOLS.has(word) ||
    // setup-python's pythonLocation; GOROOT, GOPATH and GOFLAGS.
    /^(PYTHON|GO(ROOT|PATH|FLAGS|PROXY|BIN|CACHE|MODCACHE|TOOLCHAIN|OS|ARCH|ENV|NOPROXY|NOSUMDB|SUMDB|EXPERIMENT))/.test(
      name,
    ) ||
    isFolder(name, value, platform)
  );
}

function isCredential(name: string, value: string): boolean {
  return (
    CREDENTIAL_PLACES.test(name) ||
    CREDENTIAL_WORDS.test(name) ||
    CREDENTIAL_PARTS.test(name) ||
    CREDENTIAL_VALUES.test(value)
  );
}

/** An absolute path, or a list of them: by the variable's name, or because the first one is there. */
function isFolder(name: string, value: string, platform: NodeJS.Platform): boolean {
  const { isAbsolute, delimiter } = platform === 'win32' ? win32 : posix;
  const entries = value.split(delimiter).filter(entry => entry !== '');
  const [first] = entries;
  if (first === undefined || !entries.every(entry => isAbsolute(entry))) return false;
  return FOLDER_WORDS.test(name) || existsSync(first);
}
