export const id = 66;
export const ids = [66];
export const modules = {

/***/ 5066:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  V: () => (/* binding */ SECRET_VARIABLES),
  $: () => (/* binding */ isSecret),
  readShell: () => (/* binding */ readShell)
});

// EXTERNAL MODULE: external "node:os"
var external_node_os_ = __webpack_require__(8161);
// EXTERNAL MODULE: external "node:fs"
var external_node_fs_ = __webpack_require__(3024);
// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __webpack_require__(6760);
;// CONCATENATED MODULE: ./build/js/app/environment.js
// Which of the job's environment variables a program may see: allow-lists. Used by supervisor/host.ts, and by
// command-environment.ts, which adds to them.

/** Needed to run at all, to speak the user's language, and to be cleaned up by the runner (RUNNER_TRACKING_ID). */
const SYSTEM = 'PATH HOME USER SHELL LANG TZ TMPDIR TERM CI RUNNER_TRACKING_ID';
/** Without these nothing reaches the network behind a company proxy; tools read both spellings. */
const NETWORK = 'HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy ' +
    'SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS NODE_USE_SYSTEM_CA CURL_CA_BUNDLE REQUESTS_CA_BUNDLE GIT_SSL_CAINFO';
/** Windows programs do not start without their system folders; names are case-insensitive there. */
const WINDOWS = 'SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT TEMP TMP OS USERNAME USERPROFILE USERDOMAIN HOMEDRIVE HOMEPATH ' +
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
function anchorCertificates(job, folder) {
    const anchored = CERTIFICATE_FILES.flatMap(name => {
        const file = job[name];
        return file ? [[name, (0,external_node_path_.resolve)(folder, file)]] : [];
    });
    return { ...job, ...Object.fromEntries(anchored) };
}
/** The variables that any program may see: for the supervisor, and for the app in `mode: web`. */
function selectEnvironment(job, platform = process.platform) {
    return pick(job, name => isAllowed(name, platform));
}
/** These variables and `WASMRUN_*`, without the secret of wasmrun's own tunnel: for `mode: os` and `exec`. */
function selectWasmrunEnvironment(job, platform = process.platform) {
    return pick(job, name => isAllowed(name, platform) || (name.startsWith('WASMRUN_') && name !== 'WASMRUN_TUNNEL_SECRET'));
}
/** The variables that any program may see, and those of Rust: for the installation of wasmrun. */
function selectInstallEnvironment(job, platform = process.platform) {
    return pick(job, name => isAllowed(name, platform) || ALLOWED_FOR_INSTALLATION.has(name));
}
function isAllowed(name, platform) {
    if (platform === 'win32')
        return ALLOWED_ON_WINDOWS.has(name.toUpperCase()) || /^LC_/i.test(name);
    return ALLOWED.has(name) || name.startsWith('LC_');
}
function pick(job, keep) {
    const picked = {};
    for (const [name, value] of Object.entries(job))
        if (value !== undefined && keep(name))
            picked[name] = value;
    return picked;
}

;// CONCATENATED MODULE: ./build/js/app/command-environment.js
// Which of the job's environment variables a `command` sees: what tells it where the tools of the job are and how they
// are set, as in any other step, and nothing that is or points at a credential. Used by supervisor/host.ts.
//
// Not simply everything that a `run:` step gets: the command's answers are public, and error pages and debug routes of
// many frameworks show their whole environment. So it is still a list of what passes, but one of kinds, not of names:
// the settings of known tools, and the folders of any tool. `env` passes the rest, by name.



/** What describes the machine; RUNNER_TOOL_CACHE is where setup-actions put their tools. */
const OF_THE_RUNNER = /^RUNNER_/;
/**
 * Of the run, not of its tools: the token, the files through which a step gives the runner orders, and the folder with
 * the files of all steps.
 */
const OF_THE_RUN = /^(GITHUB_|RUNNER_TEMP$)/;
/** Settings of compilers, package managers and runtimes, by the first word of their name. */
const TOOLS = new Set(('ANDROID BUN CARGO CGO CMAKE COMPOSE CONAN CONDA COREPACK CPLUS DENO DOTNET DYLD ELECTRON ERL ERLANG FLUTTER ' +
    'GEM GO GRADLE HEX JAVA JDK JRE KOTLIN LD LIBRARY MAMBA MAVEN MESON MIX NEXT NIX NODE NPM NUGET NUXT NVM OPAM ' +
    'PERL PERL5 PHP PIP PIPX PIXI PKG PLAYWRIGHT PNPM POETRY PUB PUPPETEER PYENV PYTHON R RACK RAILS RBENV RUBY ' +
    'RUBYLIB RUBYOPT RUST RUSTC RUSTUP SDKMAN STACK SWIFT TESTCONTAINERS TURBO UV VCPKG VIRTUAL VITE VOLTA XDG YARN ZIG').split(' '));
const TOOL_NAMES = new Set(('AR CC CFLAGS CLASSPATH CONTAINER_HOST CPATH CPP CPPFLAGS CXX CXXFLAGS DEBIAN_FRONTEND DISPLAY DJANGO_SETTINGS_MODULE ' +
    'DOCKER_BUILDKIT DOCKER_CONTEXT DOCKER_DEFAULT_PLATFORM DOCKER_HOST FLASK_APP FLASK_ENV FORCE_COLOR BUNDLE_GEMFILE ' +
    'IMAGEOS IMAGEVERSION LDFLAGS MAKEFLAGS MANPATH NM NO_COLOR RANLIB RUSTFLAGS').split(' '));
/** A tool's folder, or a list of folders: `LLVM_ROOT`, `NVM_DIR`, `JAVA_HOME_17_X64`. */
const FOLDER_WORDS = /(^|_)(HOME|ROOT|DIR|DIRS|PATH|PATHS|PREFIX|BIN|LIB|SDK|LOCATION|INSTALL|INSTALLATION)(_|$)/;
/** The name of a credential: a word of it, or a part that is part of no other word. */
const CREDENTIAL_WORDS = /(^|_)(AUTH|CERT|CERTIFICATE|COOKIE|CRED|CREDS|DSN|IDENTITY|JWT|KEY|KEYCHAIN|KEYRING|KEYS|KEYSTORE|LOGIN|OAUTH|PASS|PASSFILE|PAT|PWD|SALT|SAS|SESSION|SIGNING|SSH|WEBHOOK)(_|$)/;
const CREDENTIAL_PARTS = /TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|PRIVATE|ACCESS_?KEY|ASKPASS|XAUTHORITY|AUTHTOKEN|_AUTH$/;
/** Where tools keep credentials, and the variables of clouds, which point at theirs. */
const CREDENTIAL_PLACES = /^(ACTIONS|ALIYUN|ARM|AWS|AZURE|BORE|CLOUDSDK|DOCKER_CONFIG|EXPOSE|GCLOUD|GCP|GIT_CONFIG|GNUPGHOME|GOOGLE|GPG|HELM|INPUT|KUBE|NETRC|NPM_CONFIG_(GLOBAL|USER)CONFIG|OCI|PGSERVICEFILE|PIP_CONFIG_FILE|STATE|VAULT|WASMRUN_TUNNEL)/;
/** `https://user:password@host`, and the beginnings of well-known tokens and keys. */
const CREDENTIAL_VALUES = /\/\/[^/@\s]*:[^/@\s]+@|\b(gh[a-z]_|github_pat_|glpat-|npm_[A-Za-z0-9]{30}|sk_(live|test)_|xox[a-z]-|AKIA|eyJ[A-Za-z0-9])|-----BEGIN /;
/** What the runner gives every step, and what bash sets by itself: nobody misses these. */
const NOT_WORTH_A_WORD = /^((ACTIONS|GITHUB|INPUT|STATE)_.*|RUNNER_TEMP|_|OLDPWD|PWD|SHLVL|BASH.*|COLUMNS|LINES)$/;
function selectCommandEnvironment(job, platform = process.platform) {
    const passed = selectEnvironment(job, platform);
    const leftOut = [];
    for (const [name, value] of Object.entries(job)) {
        if (value === undefined || name in passed)
            continue;
        const key = name.toUpperCase();
        if (isForCommand(key, value, platform))
            passed[name] = value;
        else if (!NOT_WORTH_A_WORD.test(key))
            leftOut.push(name);
    }
    return { passed, leftOut: leftOut.sort() };
}
function isForCommand(name, value, platform) {
    if (isCredential(name, value) || OF_THE_RUN.test(name))
        return false;
    const [word = ''] = name.split('_');
    return (OF_THE_RUNNER.test(name) ||
        TOOL_NAMES.has(name) ||
        TOOLS.has(word) ||
        // setup-python's pythonLocation; GOROOT, GOPATH and GOFLAGS.
        /^(PYTHON|GO(ROOT|PATH|FLAGS|PROXY|BIN|CACHE|MODCACHE|TOOLCHAIN|OS|ARCH|ENV|NOPROXY|NOSUMDB|SUMDB|EXPERIMENT))/.test(name) ||
        isFolder(name, value, platform));
}
function isCredential(name, value) {
    return (CREDENTIAL_PLACES.test(name) ||
        CREDENTIAL_WORDS.test(name) ||
        CREDENTIAL_PARTS.test(name) ||
        CREDENTIAL_VALUES.test(value));
}
/** An absolute path, or a list of them: by the variable's name, or because the first one is there. */
function isFolder(name, value, platform) {
    const { isAbsolute, delimiter } = platform === 'win32' ? external_node_path_.win32 : external_node_path_.posix;
    const entries = value.split(delimiter).filter(entry => entry !== '');
    const [first] = entries;
    if (first === undefined || !entries.every(entry => isAbsolute(entry)))
        return false;
    return FOLDER_WORDS.test(name) || (0,external_node_fs_.existsSync)(first);
}

// EXTERNAL MODULE: ./build/js/shared/proxy.js
var proxy = __webpack_require__(5894);
;// CONCATENATED MODULE: ./build/js/supervisor/host.js
// The machine that a preview runs on, read from its environment once: by step/machine.ts in a job, by
// commands/shell.ts in a shell. All other code gets this object, not the environment.



const RELEASES_URL = 'https://api.github.com/repos/anistark/wasmrun/releases';
/** Reads everything of the environment that a preview needs. */
function readHost(variables, tempFolder) {
    const environment = anchorCertificates(variables, process.cwd());
    return {
        tempFolder,
        pathVariable: environment.PATH ?? '',
        toolCache: environment.RUNNER_TOOL_CACHE || undefined,
        releasesUrl: environment.EXPOSE_WASMRUN_RELEASES_URL || RELEASES_URL,
        spareConnections: !/^(off|false|0)$/i.test(environment.EXPOSE_WARM_CONNECTIONS?.trim() ?? ''),
        proxy: (0,proxy/* selectProxyVariables */.cp)(environment),
        childEnvironments: {
            program: selectEnvironment(environment),
            wasmrun: selectWasmrunEnvironment(environment),
            installation: selectInstallEnvironment(environment),
        },
        commandEnvironment: selectCommandEnvironment(environment),
    };
}

;// CONCATENATED MODULE: ./build/js/commands/shell.js
// What `expose` reads from the environment of the shell that called it. cli reads it once, and passes it to every
// command.


/** Secret input → the variable it comes from if no file is given. */
const SECRET_VARIABLES = {
    secret: 'BORE_SECRET',
    'access-key': 'EXPOSE_ACCESS_KEY',
    'basic-auth': 'EXPOSE_BASIC_AUTH',
    verify: 'EXPOSE_VERIFY',
};
function isSecret(name) {
    return Object.hasOwn(SECRET_VARIABLES, name);
}
function readShell(environment) {
    const readSecret = (name) => environment[SECRET_VARIABLES[name]] ?? '';
    return {
        host: readHost(environment, (0,external_node_os_.tmpdir)()),
        sessionsFolder: environment.RUNNER_TEMP || (0,external_node_os_.tmpdir)(),
        user: environment.USER || environment.USERNAME || '',
        secrets: {
            secret: readSecret('secret'),
            'access-key': readSecret('access-key'),
            'basic-auth': readSecret('basic-auth'),
            verify: readSecret('verify'),
        },
        variables: environment,
    };
}


/***/ }),

/***/ 5894:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   Hy: () => (/* binding */ createFetch),
/* harmony export */   SM: () => (/* binding */ createDispatcher),
/* harmony export */   T6: () => (/* binding */ ProxyError),
/* harmony export */   cp: () => (/* binding */ selectProxyVariables)
/* harmony export */ });
// Requests to GitHub, which go through the job's proxy if one is set. Used by github and app/wasmrun/release;
// supervisor passes the variables on. Requests to this machine never go through it: see loopback.ts.
const VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'];
/** The variables of an environment that name a proxy. */
function selectProxyVariables(environment) {
    const names = VARIABLES.flatMap(name => [name, name.toLowerCase()]);
    return Object.fromEntries(names.flatMap(name => (environment[name] === undefined ? [] : [[name, environment[name]]])));
}
/** A proxy variable is not the address of a proxy. The message leaves out its value, which may contain a password. */
class ProxyError extends Error {
    constructor(variable) {
        super(`${variable} is not the address of a proxy (its value is not shown, it may hold a password): ` +
            'write http://host:port or http://user:password@host:port, special characters as %XX');
        this.name = 'ProxyError';
    }
}
/** The schemes of proxies that undici supports. */
const SCHEMES = new Set(['http:', 'https:', 'socks5:', 'socks:']);
/**
 * A `fetch` that honours the proxy variables; rejects with a ProxyError if one of them cannot be used. Its idle
 * connections keep no process alive, so it need not be closed.
 */
async function createFetch(environment) {
    const isProxied = ['HTTP_PROXY', 'HTTPS_PROXY'].some(name => readVariable(environment, name).value !== '');
    if (!isProxied)
        return fetch;
    const dispatcher = await createDispatcher(environment);
    const { fetch: fetchThrough } = await Promise.all(/* import() */[__webpack_require__.e(752), __webpack_require__.e(913)]).then(__webpack_require__.t.bind(__webpack_require__, 6752, 19));
    return (url, options) => fetchThrough(url, { ...options, dispatcher });
}
/** Uses only the given variables; left alone, undici would read the environment. Rejects with a ProxyError. */
async function createDispatcher(environment) {
    const proxies = {
        httpProxy: readProxy(environment, 'HTTP_PROXY'),
        httpsProxy: readProxy(environment, 'HTTPS_PROXY'),
        noProxy: readVariable(environment, 'NO_PROXY').value,
    };
    // Loaded late: it takes 14 MB, and most supervisors have no proxy.
    const { EnvHttpProxyAgent } = await Promise.all(/* import() */[__webpack_require__.e(752), __webpack_require__.e(913)]).then(__webpack_require__.t.bind(__webpack_require__, 6752, 19));
    return new EnvHttpProxyAgent(proxies);
}
/** The proxy's URL; '' if there is none. */
function readProxy(environment, name) {
    const { variable, value } = readVariable(environment, name);
    if (value === '')
        return '';
    // Like curl, which takes `proxy:3128` too.
    const url = URL.parse(value.includes('://') ? value : `http://${value}`);
    if (url === null || !isProxy(url))
        throw new ProxyError(variable);
    return url.href;
}
function readVariable(environment, name) {
    const lower = name.toLowerCase();
    const variable = environment[lower] === undefined ? name : lower;
    return { variable, value: environment[variable]?.trim() ?? '' };
}
/** False if there is a path: then the password contains a `/`, and the host is only a part of it. */
function isProxy({ protocol, hostname, pathname, search, hash, username, password }) {
    if (!SCHEMES.has(protocol) || hostname === '' || pathname.length > 1 || search !== '' || hash !== '')
        return false;
    try {
        // undici decodes them later, and its error would not name the variable.
        for (const part of [username, password])
            decodeURIComponent(part);
        return true;
    }
    catch {
        return false;
    }
}


/***/ })

};
