export const id = 763;
export const ids = [763];
export const modules = {

/***/ 1763:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  V: () => (/* binding */ SECRET_VARIABLES),
  $: () => (/* binding */ isSecret),
  readShell: () => (/* binding */ readShell)
});

// EXTERNAL MODULE: external "node:os"
var external_node_os_ = __webpack_require__(8161);
// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __webpack_require__(6760);
;// CONCATENATED MODULE: ./build/js/app/environment.js
// What of the job's environment a program gets to see: an allow-list. Used where an exposure is planned.
/** Needed to run at all, to speak the user's language, and to be cleaned up by the runner (RUNNER_TRACKING_ID). */
const SYSTEM = 'PATH HOME USER SHELL LANG TZ TMPDIR TERM CI RUNNER_TRACKING_ID';
/** Without these nothing reaches the network behind a company proxy; tools read them in both cases. */
const NETWORK = 'HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy ' +
    'SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS CURL_CA_BUNDLE REQUESTS_CA_BUNDLE GIT_SSL_CAINFO';
/** Windows programs do not start without their system folders; names are compared without case there. */
const WINDOWS = 'SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT TEMP TMP OS USERNAME USERPROFILE USERDOMAIN HOMEDRIVE HOMEPATH ' +
    'APPDATA LOCALAPPDATA ALLUSERSPROFILE PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROGRAMW6432 ' +
    'COMMONPROGRAMFILES COMMONPROGRAMFILES(X86) COMMONPROGRAMW6432 NUMBER_OF_PROCESSORS PROCESSOR_ARCHITECTURE';
/** Where Rust lives. Not all of CARGO_*: CARGO_REGISTRY_TOKEN is one of them. */
const RUST = 'CARGO_HOME RUSTUP_HOME RUSTUP_TOOLCHAIN CARGO_HTTP_CAINFO CARGO_HTTP_PROXY';
const ALLOWED = new Set(`${SYSTEM} ${NETWORK}`.split(' '));
const ALLOWED_ON_WINDOWS = new Set(`${SYSTEM} ${NETWORK} ${WINDOWS}`.toUpperCase().split(' '));
const ALLOWED_FOR_INSTALLATION = new Set(RUST.split(' '));
/** The part of the job's environment any program may see: for `mode: port`. */
function selectEnvironment(job, platform = process.platform) {
    return pick(job, name => isAllowed(name, platform));
}
/** The same with `WASMRUN_*` but without the secret of its own tunnel: for `mode: os` and `exec`. */
function selectWasmrunEnvironment(job, platform = process.platform) {
    return pick(job, name => isAllowed(name, platform) || (name.startsWith('WASMRUN_') && name !== 'WASMRUN_TUNNEL_SECRET'));
}
/** What the installation of wasmrun may see: also where Rust is installed. */
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

// EXTERNAL MODULE: ./build/js/shared/proxy.js
var proxy = __webpack_require__(5894);
;// CONCATENATED MODULE: ./build/js/supervisor/host.js
// The machine a preview runs on, read from its environment once: by step/runner.ts in a job, by commands/shell.ts in a
// shell. Nothing behind these two sees a variable that is not named here.




const RELEASES_URL = 'https://api.github.com/repos/anistark/wasmrun/releases';
/** Reads everything of the environment that a preview needs. */
function readHost(environment, tempFolder) {
    return {
        tempFolder,
        pathVariable: environment.PATH ?? '',
        toolCache: environment.RUNNER_TOOL_CACHE || (0,external_node_path_.join)((0,external_node_os_.homedir)(), '.cache', 'expose-action', 'tools'),
        releasesUrl: environment.EXPOSE_WASMRUN_RELEASES_URL || RELEASES_URL,
        opensSpareConnections: !/^(off|false|0)$/i.test(environment.EXPOSE_WARM_CONNECTIONS?.trim() ?? ''),
        proxy: (0,proxy/* selectProxyVariables */.cp)(environment),
        childEnvironments: {
            program: selectEnvironment(environment),
            wasmrun: selectWasmrunEnvironment(environment),
            installation: selectInstallEnvironment(environment),
        },
    };
}

;// CONCATENATED MODULE: ./build/js/commands/shell.js
// What `expose` knows of the shell it was called from, read from the environment once, when it starts. Used by cli, and
// handed to every command.


/** Inputs that are secrets → the variable they come from, where no file is given. */
const SECRET_VARIABLES = {
    secret: 'BORE_SECRET',
    'access-key': 'EXPOSE_ACCESS_KEY',
    'basic-auth': 'EXPOSE_BASIC_AUTH',
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
// Requests that go through the job's proxy where one is set: those to GitHub. Used by github and app/wasmrun/release.
// Those to this machine never do: loopback.ts.
const VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'];
/** Of a whole environment, the variables that name a proxy. */
function selectProxyVariables(environment) {
    const names = VARIABLES.flatMap(name => [name, name.toLowerCase()]);
    return Object.fromEntries(names.flatMap(name => (environment[name] === undefined ? [] : [[name, environment[name]]])));
}
/** A proxy variable holds something else. The message leaves its value out, which may hold a password. */
class ProxyError extends Error {
    constructor(variable) {
        super(`${variable} is not the address of a proxy (its value is not shown, it may hold a password): ` +
            'write http://host:port or http://user:password@host:port, special characters as %XX');
        this.name = 'ProxyError';
    }
}
/** The schemes undici speaks to a proxy. */
const SCHEMES = new Set(['http:', 'https:', 'socks5:', 'socks:']);
/**
 * A `fetch` that honours the proxy variables; rejects with a ProxyError where one of them cannot be used. Its idle
 * connections keep no process alive, so it need not be closed.
 */
async function createFetch(environment) {
    const isProxied = ['HTTP_PROXY', 'HTTPS_PROXY'].some(name => readVariable(environment, name).value !== '');
    if (!isProxied)
        return fetch;
    const dispatcher = await createDispatcher(environment);
    const { fetch: fetchThrough } = await __webpack_require__.e(/* import() */ 752).then(__webpack_require__.t.bind(__webpack_require__, 6752, 19));
    return (url, options) => fetchThrough(url, { ...options, dispatcher });
}
/** undici would read the environment by itself; what counts is what was handed in. Throws a ProxyError. */
async function createDispatcher(environment) {
    const proxies = {
        httpProxy: readProxy(environment, 'HTTP_PROXY'),
        httpsProxy: readProxy(environment, 'HTTPS_PROXY'),
        noProxy: readVariable(environment, 'NO_PROXY').value,
    };
    // Loaded late: it takes 14 MB, and most supervisors have no proxy.
    const { EnvHttpProxyAgent } = await __webpack_require__.e(/* import() */ 752).then(__webpack_require__.t.bind(__webpack_require__, 6752, 19));
    return new EnvHttpProxyAgent(proxies);
}
/** The proxy's URL; empty where there is none. */
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
/** A path means that a `/` of the password has cut the host short. */
function isProxy({ protocol, hostname, pathname, search, hash, username, password }) {
    if (!SCHEMES.has(protocol) || hostname === '' || pathname.length > 1 || search !== '' || hash !== '')
        return false;
    try {
        // As undici does later, without a message that says what it is about.
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
