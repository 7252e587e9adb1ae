export const id = 850;
export const ids = [850,763];
export const modules = {

/***/ 3850:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  runCommand: () => (/* binding */ commands_runCommand)
});

// EXTERNAL MODULE: external "node:util"
var external_node_util_ = __webpack_require__(7975);
// EXTERNAL MODULE: ./build/js/shared/errors.js
var errors = __webpack_require__(3903);
;// CONCATENATED MODULE: ./build/js/shared/log.js
// What is said in the log, and the one sanitiser that everything a stranger can influence passes through.
/** Longest piece of a stranger's text that is shown, in characters. */
const MAX_UNTRUSTED_LENGTH = 200;
// C0 and C1 controls (ANSI sequences begin with one), line and paragraph separators, bidi and zero-width controls.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
/**
 * Makes text harmless for a terminal and for the runner, which reads commands out of log lines: `::name::` at the
 * start of a line, `##[name]` anywhere in it, and a bare CR ends a line too (actions/runner, ActionCommand.cs).
 * The result is one line of at most `maxLength` characters.
 */
function sanitise(text, maxLength = MAX_UNTRUSTED_LENGTH) {
    const clean = shorten(text, maxLength)
        .replace(UNSAFE, escapeCharacter)
        .replaceAll('##[', '#\\x23[')
        .replace(/^(\s*:):/u, '$1\\x3a');
    // Once more, because what was made harmless has become longer.
    return shorten(clean, maxLength);
}
/** The same for text of several lines, each of whatever length. */
function sanitiseLines(text) {
    return text
        .split('\n')
        .map(line => sanitise(line, Number.POSITIVE_INFINITY))
        .join('\n');
}
function shorten(text, maxLength) {
    if (text.length <= maxLength)
        return text.toWellFormed();
    return `${text.slice(0, Math.max(0, maxLength - 1)).toWellFormed()}…`;
}
function escapeCharacter(character) {
    const code = character.codePointAt(0) ?? 0;
    return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}
/**
 * A logger that hands finished lines (no line break) to `write`. Every line goes through the sanitiser without its
 * length limit, and each of the `hidden` texts is replaced by `***`.
 */
function createLogger(options) {
    // The longest first: a secret that begins with another would else leave its end behind.
    const hidden = (options.hidden ?? []).filter(text => text !== '').sort((a, b) => b.length - a.length);
    const say = (level) => (message) => {
        if (level === 'debug' && options.level !== 'debug')
            return;
        if (level === 'info' && options.level === 'quiet')
            return;
        if (level !== 'error' && options.isFull?.())
            return;
        const clean = hidden.reduce((text, secret) => text.replaceAll(secret, '***'), message);
        for (const line of clean.split('\n'))
            options.write(sanitise(line, Number.POSITIVE_INFINITY), level);
    };
    return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
}
const silentLogger = { debug() { }, info() { }, warn() { }, error() { } };

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(7598);
// EXTERNAL MODULE: external "node:fs"
var external_node_fs_ = __webpack_require__(3024);
// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __webpack_require__(6760);
;// CONCATENATED MODULE: ./build/js/shared/duration.js
// Durations as people write them in workflows: `90s`, `45m`, `1h30m`. Used by inputs, log lines and reports.

/**
 * 24 days: the longest duration anywhere. Node's timers take 2^31 - 1 ms (24.8 days), and turn what is longer into 1 ms;
 * the rest is for what is added to a duration.
 */
const MAX_DURATION_MS = 24 * 24 * 3_600_000;
const UNITS_MS = { h: 3_600_000, m: 60_000, s: 1_000 };
/** Milliseconds of `1h30m`, `45m` or `90s`; `input` names the input in the InputError. */
function parseDuration(text, input) {
    const match = /^(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?$/.exec(text.trim().toLowerCase());
    const [hours, minutes, seconds] = (match ?? []).slice(1).map(part => Number(part ?? 0));
    const total = (hours ?? 0) * UNITS_MS.h + (minutes ?? 0) * UNITS_MS.m + (seconds ?? 0) * UNITS_MS.s;
    if (match === null || total === 0)
        throw new errors/* InputError */.dz(`\`${input}\` is '${text}', which is no duration: write it like 90s, 45m or 1h30m`);
    if (total > MAX_DURATION_MS)
        throw new errors/* InputError */.dz(`\`${input}\` is '${text}': no duration is longer than ${MAX_DURATION_MS / UNITS_MS.h}h (24 days)`);
    return total;
}
/** `1h 30m`, `45m`, `12s`: the two largest units, rounded down. */
function formatDuration(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const parts = [
        [Math.floor(seconds / 3600), 'h'],
        [Math.floor((seconds % 3600) / 60), 'm'],
        [seconds % 60, 's'],
    ];
    const first = parts.findIndex(([count]) => count > 0);
    if (first < 0)
        return '0s';
    const shown = parts.slice(first, first + 2).filter(([count]) => count > 0);
    return shown.map(([count, unit]) => `${count}${unit}`).join(' ');
}

;// CONCATENATED MODULE: ./build/js/shared/public-url.js
// How the public address is written: the templates of `public-url`, and what people and sockets make of an address.
// Used by inputs, exposure, and whoever prints or dials an address.
/** The bore server's own address, without anything in between. */
const PLAIN_PUBLIC_URLS = { http: 'http://{host}:{port}', tcp: 'tcp://{host}:{port}' };
/** The same where TLS ends on the runner. */
const TLS_PUBLIC_URL = 'https://{host}:{port}';
/** Whether nothing but the bore server stands before us at addresses of this template; `endsTls`: we speak TLS. */
function isPlainPublicUrl(template, endsTls) {
    return endsTls ? template === TLS_PUBLIC_URL : Object.values(PLAIN_PUBLIC_URLS).includes(template);
}
/** Fills `{host}` and `{port}`; an IPv6 address gets its brackets (RFC 3986, 3.2.2). */
function renderPublicUrl(template, host, port) {
    return template.replaceAll('{host}', addBrackets(host)).replaceAll('{port}', String(port));
}
/** An IPv6 address as it stands in a URL (RFC 3986, 3.2.2); names and IPv4 addresses as they are. */
function addBrackets(host) {
    return host.includes(':') ? `[${host}]` : host;
}
/** The `hostname` of a URL as sockets and certificates want it: an IPv6 address without its brackets. */
function stripBrackets(hostname) {
    return hostname.replace(/^\[|\]$/g, '');
}
/** A line to paste for an address that no browser opens (`tcp://host:port`); undefined for a web address. */
function renderClientLine(url) {
    const parsed = URL.parse(url);
    if (parsed?.protocol !== 'tcp:')
        return undefined;
    return `nc ${stripBrackets(parsed.hostname)} ${parsed.port}`;
}
/** The client line, indented by two and with a newline; '' for http(s). */
function renderClientRow(url) {
    const line = renderClientLine(url);
    return line === undefined ? '' : `  ${line}\n`;
}

;// CONCATENATED MODULE: ./build/js/shared/state.js
// What is known about one exposure: two facts (tunnel, app) and the phase they add up to.
// exposure.ts is the only writer; control, github and the gateway's pages only read.
/** What visitors' bytes are: requests for the gateway, or nobody's business but the app's. */
const PROTOCOLS = ['http', 'tcp'];

// EXTERNAL MODULE: ./node_modules/smol-toml/dist/index.js + 8 modules
var dist = __webpack_require__(3292);
;// CONCATENATED MODULE: ./build/js/app/project/project-file.js
// The small files of a project that are read here: wasmrun.toml, package.json, .gitignore. Used by mode.ts and
// staging.ts. A pull request may commit anything under these names, a link to a device or to a secret included.




/** Far more than such a file has; what is over it was not written by hand. */
const MAX_BYTES = 1024 * 1024;
/**
 * The text, or undefined where there is no such file; a link, a device or a pipe is none, and never waited for. Throws
 * an InputError with the name for a file over 1 MB, or one that cannot be read.
 */
function readProjectFile(folder, name) {
    const file = openExisting(folder, name);
    if (file === undefined)
        return undefined;
    try {
        const found = (0,external_node_fs_.fstatSync)(file);
        if (!found.isFile())
            return undefined;
        if (found.size > MAX_BYTES)
            throw new errors/* InputError */.dz(`path: ${name} is over 1 MB; make it smaller`);
        return (0,external_node_fs_.readFileSync)(file, 'utf8');
    }
    finally {
        (0,external_node_fs_.closeSync)(file);
    }
}
function openExisting(folder, name) {
    try {
        // Without O_NONBLOCK, opening a pipe waits for its writer.
        return (0,external_node_fs_.openSync)((0,external_node_path_.join)(folder, name), external_node_fs_.constants.O_RDONLY | external_node_fs_.constants.O_NOFOLLOW | external_node_fs_.constants.O_NONBLOCK);
    }
    catch (cause) {
        // A link is ELOOP, a socket ENXIO (EOPNOTSUPP on macOS).
        if ((0,errors/* hasCode */.up)(cause, 'ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENXIO', 'ENODEV', 'EOPNOTSUPP'))
            return undefined;
        throw new errors/* InputError */.dz(`path: ${name} in ${sanitise(folder)} cannot be read; check its permissions`, {
            cause,
        });
    }
}
/** True for a path in such a file that does not stay in the project. */
function leadsOut(path) {
    return external_node_path_.posix.isAbsolute(path) || external_node_path_.posix.normalize(path).split('/')[0] === '..';
}

;// CONCATENATED MODULE: ./build/js/app/project/mode.js
// Which of the four ways an app is run in, where `mode` is `auto`. Used by the entries before anything starts.






/** The entry files wasmrun 1.0.0 tries, in its order, after `main` of package.json. */
const ENTRIES = ['index.js', 'server.js', 'app.js', 'main.js'];
/** Chooses and checks the mode. Throws an InputError that says what was looked for, or what contradicts. */
function chooseMode(input) {
    const path = sanitise(input.path);
    const found = statPath(input.path);
    if (found === undefined)
        throw new errors/* InputError */.dz(`path: ${path} does not exist; was it built in an earlier step?`);
    const service = input.port === undefined ? 'command' : 'port';
    if (input.port === undefined && input.command === undefined)
        return input.mode === 'auto' ? findMode(input.path, found) : checkMode(input.mode, input.path, found);
    if (input.mode !== 'auto' && input.mode !== 'port')
        throw new errors/* InputError */.dz(`mode: ${input.mode} contradicts \`${service}\`, which means mode: port; leave one of the two out`);
    if (input.command !== undefined && !found.isDirectory())
        throw new errors/* InputError */.dz(`path: ${path} is not a folder, and \`command\` runs in it; give a folder`);
    return { mode: 'port', reason: `\`${service}\` is given` };
}
function findMode(path, found) {
    if (found.isFile() && path.endsWith('.wasm'))
        return { mode: 'exec', reason: 'the path is a .wasm file' };
    if (!found.isDirectory())
        throw new errors/* InputError */.dz(`path: ${sanitise(path)} is neither a folder nor a .wasm file; give one of them`);
    const program = findProgram(path);
    if (program !== undefined)
        return { mode: 'os', reason: program };
    if (isFile((0,external_node_path_.join)(path, 'index.html')))
        return { mode: 'web', reason: 'the folder has an index.html' };
    throw new errors/* InputError */.dz(`path: nothing to run in ${sanitise(path)}. Looked for [os] in wasmrun.toml, \`main\` of package.json and ` +
        `${ENTRIES.join(', ')} (mode: os), and for index.html (mode: web). ` +
        'Give the folder that has one of them, a .wasm file, or `port` or `command`');
}
/** Why OS mode can run the folder, or undefined. */
function findProgram(folder) {
    if (hasOsTable(folder))
        return 'wasmrun.toml has an [os] table';
    const packageText = readProjectFile(folder, 'package.json');
    const main = readMain(packageText);
    if (main !== undefined && isFile((0,external_node_path_.join)(folder, main)))
        return `${sanitise(main)} is \`main\` of package.json`;
    const entry = ENTRIES.find(name => isFile((0,external_node_path_.join)(folder, name)));
    if (entry === undefined)
        return undefined;
    // Emscripten writes index.html, index.js and index.wasm: a script beside a page, in no package, is the page's.
    if (isFile((0,external_node_path_.join)(folder, 'index.html')) && packageText === undefined)
        return undefined;
    return `${entry} is a Node.js program`;
}
/** A broken file is reported here: wasmrun itself would not start with it. */
function hasOsTable(folder) {
    const text = readProjectFile(folder, 'wasmrun.toml');
    if (text === undefined)
        return false;
    try {
        return 'os' in (0,dist/* parse */.qg)(text);
    }
    catch (error) {
        const place = error instanceof dist/* TomlError */.zx ? ` (line ${error.line}, column ${error.column})` : '';
        const reason = sanitise((0,errors/* describeError */.Uc)(error).split('\n')[0] ?? '');
        throw new errors/* InputError */.dz(`path: wasmrun.toml cannot be read${place}: ${reason}; correct the file`, {
            cause: error,
        });
    }
}
function readMain(packageText = '{}') {
    try {
        const content = JSON.parse(packageText);
        const main = typeof content === 'object' && content !== null && 'main' in content ? content.main : undefined;
        return typeof main === 'string' && main !== '' && !leadsOut(main) ? main : undefined;
    }
    catch {
        return undefined;
    }
}
function checkMode(mode, path, found) {
    const shown = sanitise(path);
    const choice = { mode, reason: 'as given' };
    if (mode === 'port')
        throw new errors/* InputError */.dz('mode: port needs `port`, `command` or both; give one of them');
    if (mode === 'exec') {
        if (found.isFile() && path.endsWith('.wasm'))
            return choice;
        throw new errors/* InputError */.dz(`path: mode: exec runs one .wasm file, and ${shown} is none; give the path of the file`);
    }
    if (!found.isDirectory())
        throw new errors/* InputError */.dz(`path: mode: ${mode} needs a folder, and ${shown} is none; give the folder`);
    if (mode === 'web' && !isFile((0,external_node_path_.join)(path, 'index.html')))
        throw new errors/* InputError */.dz(`path: ${shown} has no index.html, which mode: web serves; give the folder of the built app`);
    return choice;
}
function isFile(path) {
    return statPath(path)?.isFile() ?? false;
}
function statPath(path) {
    try {
        return (0,external_node_fs_.statSync)(path, { throwIfNoEntry: false });
    }
    catch (error) {
        if ((0,errors/* hasCode */.up)(error, 'ENOTDIR', 'ELOOP'))
            return undefined;
        throw new errors/* InputError */.dz(`path: ${sanitise(path)} cannot be read; check its permissions`, { cause: error });
    }
}

;// CONCATENATED MODULE: ./build/js/app/wasmrun/version.js
// Which versions of wasmrun will do. Used by find.ts, and by inputs before anything is started.


/** `1.0.0` or `v1.0.0`, from 1.0.0 on. Throws an InputError. */
function parseWasmrunVersion(text) {
    const version = /^v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(text.trim())?.[1];
    const problem = `\`wasmrun-version\` is '${sanitise(text)}'`;
    if (version === undefined)
        throw new errors/* InputError */.dz(`${problem}: write an exact version like 1.0.0, or leave it out`);
    if (isTooOld(version))
        throw new errors/* InputError */.dz(`${problem}, which is too old: 1.0.0 is the first that works; leave it out`);
    return version;
}
/** Takes a version as it is written on PATH and by `parseWasmrunVersion`. */
function isTooOld(version) {
    return version.startsWith('0.') || version.startsWith('1.0.0-');
}

;// CONCATENATED MODULE: ./build/js/inputs/env.js
// The `env` input: what the app is given beside the allow-list of app/environment.ts. Used by app.

/**
 * Reads the `env` input: `KEY=VALUE` lines, a bare `KEY` copies the job's value; empty lines and `#` lines are skipped.
 * Throws an InputError with every problem. Problems name line and key, never a value: those are often secrets.
 */
function parseEnv(text, job) {
    const env = new Map();
    const problems = [];
    for (const [index, line] of text.split(/\r?\n/).entries()) {
        if (line.trim() === '' || line.trimStart().startsWith('#'))
            continue;
        const at = line.indexOf('=');
        const key = (at < 0 ? line : line.slice(0, at)).trim();
        const value = at < 0 ? job[key] : line.slice(at + 1);
        const problem = findProblem(key, value, env);
        if (problem !== undefined)
            problems.push(`env, line ${index + 1}: ${problem}`);
        else if (value !== undefined)
            env.set(key, value);
    }
    if (problems.length > 0)
        throw new errors/* InputError */.dz(problems);
    return Object.fromEntries(env);
}
function findProblem(key, value, env) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key))
        return 'expected KEY=VALUE, the key of letters, digits and _; a value cannot span lines';
    if (key === 'EXPOSE_URL')
        return 'EXPOSE_URL is set by this action; leave the line out';
    if (env.has(key))
        return `${key} was given before; keep one of the two`;
    if (value === undefined)
        return `the job has no variable ${key} to copy; write ${key}=VALUE, or set it in the job`;
    if (value.includes('\0'))
        return `the value of ${key} contains a NUL character, which no program can be given`;
    return undefined;
}

;// CONCATENATED MODULE: ./build/js/inputs/values.js
// How single input values are written. Each parser names the input and the value in its InputError; used by inputs.

const DEFAULT_HEALTH_PATH = '/';
/** A template such as `https://{port}.preview.example.com`: of the protocol, and nothing after the port. */
function parsePublicUrl(template, protocol) {
    const sample = template.replaceAll('{host}', 'host.example').replaceAll('{port}', '12345');
    const url = URL.canParse(sample) ? new URL(sample) : undefined;
    const problem = url === undefined ? PUBLIC_URLS[protocol].problem : values_findProblem(url, sample, protocol);
    if (problem === undefined)
        return template.replace(/\/$/, '');
    throw new errors/* InputError */.dz(`\`public-url\` is '${template}', which ${problem}: write it like ${PUBLIC_URLS[protocol].example}`);
}
const PUBLIC_URLS = {
    http: {
        scheme: /^https?:$/,
        problem: 'is no http or https address',
        example: 'https://{port}.preview.example.com',
    },
    tcp: {
        scheme: /^tcp:$/,
        problem: 'is no tcp address, as `protocol: tcp` needs one',
        example: 'tcp://preview.example.com:{port}',
    },
};
function values_findProblem(url, sample, protocol) {
    if (!PUBLIC_URLS[protocol].scheme.test(url.protocol))
        return PUBLIC_URLS[protocol].problem;
    if (/[{}]/.test(sample))
        return 'has a placeholder other than {host} and {port}';
    const rest = `${url.pathname}${url.search}${url.hash}`;
    if ((rest !== '/' && rest !== '') || url.username !== '')
        return 'has more than a host and a port';
    return protocol === 'tcp' && url.port === '' ? 'has no port' : undefined;
}
function parseWholeNumber(text, input, min, max) {
    if (text === undefined)
        return undefined;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max)
        return value;
    throw new errors/* InputError */.dz(`\`${input}\` is '${text}': write a whole number from ${min} to ${max}`);
}
function parseBoolean(text, input, fallback) {
    const word = text.toLowerCase();
    if (word === '')
        return fallback;
    if (word === 'true' || word === 'false')
        return word === 'true';
    throw new errors/* InputError */.dz(`\`${input}\` is '${text}': write true or false`);
}
function parseChoice(text, input, choices) {
    const found = choices.find(choice => choice === text.toLowerCase());
    if (found !== undefined)
        return found;
    throw new errors/* InputError */.dz(`\`${input}\` is '${text}': write one of ${choices.join(', ')}`);
}
function parseHealthPath(text) {
    if (/^\/[^\s#]*$/.test(text) && !text.startsWith('//'))
        return text;
    throw new errors/* InputError */.dz(`\`health-path\` is '${text}': write a path that begins with one /`);
}
const BYTES = { '': 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };
/** Bytes of `500KB`, `25MB` or `2GB`; as with most servers, 1 KB is 1,024 bytes. */
function parseBytes(text, input) {
    const [, count, unit = ''] = /^(\d{1,12}(?:\.\d{1,3})?) ?([kmg]?i?b?)$/.exec(text.toLowerCase()) ?? [];
    const factor = Object.entries(BYTES).find(([name]) => name === unit.replace('i', '') || name === `${unit}b`);
    const bytes = Math.floor(Number(count) * (factor?.[1] ?? 0));
    if (bytes > 0 && Number.isSafeInteger(bytes))
        return bytes;
    throw new errors/* InputError */.dz(`\`${input}\` is '${text}', which is no size: write it like 500KB, 25MB or 2GB`);
}

;// CONCATENATED MODULE: ./build/js/inputs/app.js
// The inputs about the app: what is run, how, and when it counts as up. Used by inputs.






const MODES = ['auto', 'os', 'exec', 'web', 'port'];
const VMS = ['auto', 'node', 'browser'];
/** Undefined after a problem was noted. Relative paths are resolved against `base`. */
function parseAppInputs(read, context) {
    const { environment, base, protocol, problems } = context;
    const text = (name) => read(name).trim();
    const optional = (name) => text(name) || undefined;
    const path = (0,external_node_path_.resolve)(base, text('path') || '.');
    const port = problems.check(() => parseWholeNumber(optional('port'), 'port', 1, 65_535));
    const command = optional('command');
    const wanted = problems.check(() => parseChoice(text('mode') || 'auto', 'mode', MODES));
    const chosen = wanted && app_findMode(wanted, { path, port, command }, problems);
    const env = problems.check(() => parseEnv(read('env'), environment));
    if (chosen?.mode === 'os' && text('env'))
        problems.found.push('`env` cannot be used with `mode: os`: the page gives programs a fixed environment; write the values into a file of the project instead');
    const version = problems.check(() => parseVersion(optional('wasmrun-version')));
    const vm = problems.check(() => parseChoice(text('vm') || 'auto', 'vm', VMS));
    const spa = problems.check(() => parseBoolean(text('spa'), 'spa', false));
    const isolation = problems.check(() => parseBoolean(text('cross-origin-isolation'), 'cross-origin-isolation', false));
    const healthPath = problems.check(() => parseHealthPath(text('health-path') || DEFAULT_HEALTH_PATH));
    const startupTimeoutMs = problems.check(() => parseDuration(text('startup-timeout') || '120s', 'startup-timeout'));
    if (protocol === 'tcp')
        problems.found.push(...listGatewayWishes({ wanted, chosen, healthPath, spa, isolation }));
    if (!chosen || !env || !vm || !healthPath || !startupTimeoutMs)
        return undefined;
    return {
        path,
        mode: chosen.mode,
        modeReason: chosen.reason,
        port,
        command,
        args: read('args')
            .split('\n')
            .map(line => line.trim())
            .filter(line => line !== ''),
        env,
        wasmrunVersion: version,
        vm,
        browser: optional('browser'),
        spa: spa ?? false,
        crossOriginIsolation: isolation ?? false,
        healthPath: protocol === 'tcp' ? undefined : healthPath,
        startupTimeoutMs,
    };
}
function app_findMode(mode, { path, port, command }, problems) {
    return problems.check(() => chooseMode({
        mode,
        path,
        ...(port !== undefined && { port }),
        ...(command !== undefined && { command }),
    }));
}
function parseVersion(text) {
    return text === undefined ? undefined : parseWasmrunVersion(text);
}
/** What only the gateway can do, and there is none between raw bytes and the app. */
function listGatewayWishes(app) {
    const problems = [];
    if (app.wanted === 'web')
        problems.push('`protocol` is tcp, and `mode: web` has no port of its own to pass bytes to: use protocol: http, or a command that serves the folder');
    else if (app.chosen?.mode === 'web')
        problems.push('`protocol` is tcp, and what was found at `path` is a web app, which has no port of its own to pass bytes to: name the `port` that is meant, or a `command` that opens one');
    if (app.healthPath !== undefined && app.healthPath !== DEFAULT_HEALTH_PATH)
        problems.push('`health-path` cannot be used with `protocol: tcp`: the app is up when its port accepts; leave it out');
    if (app.spa)
        problems.push('`spa` cannot be used with `protocol: tcp`: no page is served for the app; leave it out');
    if (app.isolation)
        problems.push('`cross-origin-isolation` cannot be used with `protocol: tcp`: there are no headers to send; leave it out');
    return problems;
}

// EXTERNAL MODULE: ./node_modules/picomatch/index.js
var picomatch = __webpack_require__(4006);
;// CONCATENATED MODULE: ./build/js/gateway/access/public-paths.js
// Path patterns that need no key, such as `/webhooks/**`. Used by access, and by the inputs to check them.
//
// The app may read a path differently from us: decode it, twice even, take `\` for `/`, cut off what follows a `;`. So a
// path is public only where every such reading of it is; one with dot segments never is.

/** No path of an app is encoded more often than this; one that is counts as none of ours. */
const MAX_DECODINGS = 4;
/**
 * Longer paths are not public. Several stars in one pattern are matched by trying, which takes the power of the length:
 * seconds, in which everybody waits, for what a stranger may send without a key. For the same reason their number has a
 * limit.
 */
const MAX_LENGTH = 1_024;
const MAX_STARS_IN_NAME = 1;
const MAX_FOLDER_STARS = 2;
/** `**` any number of folders, `*` any part of a name, `?` one character. Upper and lower case count. */
const OPTIONS = {
    dot: true, // `/.well-known/x` is a path like any other
    nonegate: true,
    noextglob: true,
    nobracket: true,
    strictSlashes: true,
};
/** Why this is no pattern, to follow "`public-paths` has 'x', which …"; undefined where it is one. */
function findPatternProblem(pattern) {
    if (!pattern.startsWith('/'))
        return 'does not begin with /';
    if (/[\s\\;%#]|\/\/|\/\.{1,2}(?:\/|$)/.test(pattern))
        return 'is not a plain path';
    if (pattern.split('/').some(name => name !== '**' && name.split('*').length - 1 > MAX_STARS_IN_NAME))
        return 'has more than one * in a name';
    if (pattern.split('/').filter(name => name === '**').length > MAX_FOLDER_STARS)
        return 'has more than two **';
    if (/[()[\]{}!]/.test(pattern))
        return 'has more than the signs *, ** and ?';
    return undefined;
}
/** Tells whether a request's path (target without its query) matches one of the patterns in every reading. */
function compilePatterns(patterns) {
    if (patterns.length === 0)
        return () => false;
    const matches = picomatch([...patterns], OPTIONS);
    return path => {
        if (path.length > MAX_LENGTH)
            return false;
        const readings = listReadings(path);
        return readings?.every(reading => matches(reading)) ?? false;
    };
}
/** What a reader may make of the path; undefined where readers are too likely to disagree. */
function listReadings(path) {
    const readings = [path];
    for (let decoded = path, round = 0;; round += 1) {
        const variants = [decoded, decoded.replaceAll(/;[^/\\]*/g, '')].map(mergeSlashes);
        if (variants.some(hasDotSegment))
            return undefined;
        readings.push(...variants);
        const next = decode(decoded);
        if (next === decoded)
            return readings;
        if (next === undefined || round === MAX_DECODINGS)
            return undefined;
        decoded = next;
    }
}
function decode(text) {
    try {
        const decoded = decodeURIComponent(text);
        return decoded.includes('\0') ? undefined : decoded;
    }
    catch {
        return undefined;
    }
}
function mergeSlashes(path) {
    return path.replaceAll(/[/\\]+/g, '/');
}
/** Resolving them over empty folders, or over parameters, is done in more ways than one; no webhook needs them. */
function hasDotSegment(path) {
    return /\/\.{1,2}(?:\/|$)/.test(path);
}

;// CONCATENATED MODULE: ./build/js/inputs/gateway.js
// The inputs about who may come in, and with how much. Used by inputs; supervisor/access.ts decides what they come to
// when it is known whether the repository is public.



const ACCESS_WORDS = ['auto', 'open', 'link', 'basic'];
const DEFAULT_MAX_BODY = '25MB';
/** Shorter keys can be found by trying; 16 characters of base64 are 96 bits, of hex 64. */
const MIN_KEY_LENGTH = 16;
/** Undefined after a problem was noted. */
function parseGatewayInputs(read, protocol, problems) {
    const text = (name) => read(name).trim();
    const access = problems.check(() => parseAccess(text('access'), text('access-key'), text('basic-auth')));
    const publicPaths = problems.check(() => parsePatterns(read('public-paths')));
    const maxBodyBytes = problems.check(() => parseBytes(text('max-body') || DEFAULT_MAX_BODY, 'max-body'));
    if (protocol === 'tcp')
        problems.found.push(...listWishes(text, access));
    if (!access || !publicPaths || maxBodyBytes === undefined)
        return undefined;
    return { access, publicPaths, maxBodyBytes };
}
/** A key or a password says what is meant where `access` does not. No message shows either. */
function parseAccess(accessText, key, basicAuth) {
    const word = parseChoice(accessText || 'auto', 'access', ACCESS_WORDS);
    if (key !== '' && basicAuth !== '')
        throw new errors/* InputError */.dz('`access-key` and `basic-auth` are both given: leave one of the two out');
    const meant = word !== 'auto' ? word : key !== '' ? 'link' : basicAuth !== '' ? 'basic' : 'auto';
    if (key !== '' && meant !== 'link')
        throw refuseUnused('access-key', meant, 'link');
    if (basicAuth !== '' && meant !== 'basic')
        throw refuseUnused('basic-auth', meant, 'basic');
    switch (meant) {
        case 'link':
            return { kind: 'link', key: key === '' ? undefined : parseKey(key) };
        case 'basic':
            return { kind: 'basic', ...parseBasicAuth(basicAuth) };
        default:
            return { kind: meant };
    }
}
function refuseUnused(input, meant, wanted) {
    return new errors/* InputError */.dz(`\`${input}\` is given, and \`access\` is ${meant}, which does not use it: write access: ${wanted}, or leave it out`);
}
function parseKey(key) {
    if (key.length < MIN_KEY_LENGTH)
        throw new errors/* InputError */.dz(`\`access-key\` has ${key.length} characters, and could be found by trying: use ${MIN_KEY_LENGTH} or more, for instance those of \`openssl rand -hex 32\``);
    if (/^[\x21-\x7e]{1,512}$/.test(key))
        return key;
    throw new errors/* InputError */.dz('`access-key` has spaces, line breaks or special characters, or more than 512: use letters and digits, for instance those of `openssl rand -hex 32`');
}
function parseBasicAuth(text) {
    if (text === '')
        throw new errors/* InputError */.dz('`access` is basic, and `basic-auth` is empty: is the secret it comes from set? Write user:password');
    const colon = text.indexOf(':');
    const [user, password] = [text.slice(0, Math.max(0, colon)), text.slice(colon + 1)];
    if (user !== '' && password !== '' && !/\p{Cc}/u.test(text))
        return { user, password };
    throw new errors/* InputError */.dz('`basic-auth` is not written like user:password, on one line');
}
/** One a line, or between commas. */
function parsePatterns(text) {
    const patterns = text
        .split(/[\n,]/)
        .map(pattern => pattern.trim())
        .filter(pattern => pattern !== '');
    const problems = patterns.flatMap(pattern => {
        const problem = findPatternProblem(pattern);
        return problem === undefined
            ? []
            : [`\`public-paths\` has '${pattern}', which ${problem}: write patterns like /webhooks/**`];
    });
    if (problems.length > 0)
        throw new errors/* InputError */.dz(problems);
    return patterns;
}
/** What only the gateway can do, and there is none between raw bytes and the app. */
function listWishes(text, access) {
    const problems = [];
    const refuse = (input, why) => problems.push(`\`${input}\` cannot be used with \`protocol: tcp\`: ${why}; leave it out`);
    if (access?.kind === 'link' || access?.kind === 'basic')
        problems.push(`\`access\` is ${access.kind}, and \`protocol\` is tcp, which has no gateway to ask for it: write access: open, and let the app have a password of its own`);
    if (text('public-paths') !== '')
        refuse('public-paths', 'there are no paths');
    if (text('max-body') !== '' && text('max-body') !== DEFAULT_MAX_BODY)
        refuse('max-body', 'there are no requests with a body');
    return problems;
}

;// CONCATENATED MODULE: ./build/js/inputs/problems.js
// Collects what is wrong with the inputs, so that one run shows all of it. Used by inputs and its parts.

class Problems {
    found = [];
    /** The value, or undefined after its InputError was noted; other errors pass through. */
    check(parse) {
        try {
            return parse();
        }
        catch (error) {
            if (!(error instanceof errors/* InputError */.dz))
                throw error;
            this.found.push(...error.problems);
            return undefined;
        }
    }
    throwIfAny() {
        if (this.found.length > 0)
            throw new errors/* InputError */.dz(this.found);
    }
}

// EXTERNAL MODULE: external "node:net"
var external_node_net_ = __webpack_require__(7030);
// EXTERNAL MODULE: external "node:tls"
var external_node_tls_ = __webpack_require__(1692);
;// CONCATENATED MODULE: ./build/js/inputs/tls.js
// The inputs for TLS that ends on the runner: certificate and key, checked before anything is started. No message says
// anything of the key but what kind of text it is. Used by inputs; what of the key has to be hidden, by supervisor too.






/** Renewals come weeks before the end: who is this near to it has missed them. */
const NEAR_END_MS = 3 * 24 * 60 * 60_000;
/** Names of a certificate that are shown. */
const MAX_NAMES = 10;
/** Any: certificates know no ports. */
const SAMPLE_PORT = 12_345;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
/** Undefined where TLS is not wanted, and after a problem was noted. */
function parseTlsInputs(read, context) {
    const { protocol, tunnel, problems } = context;
    const [cert, key] = [read('tls-cert').trim(), read('tls-key').trim()];
    if (cert === '' && key === '')
        return undefined;
    if (protocol === 'tcp') {
        problems.found.push('`tls-cert` cannot be used with `protocol: tcp`: the bytes go to the app as they are, so let the app speak TLS; leave it out');
        return undefined;
    }
    const chain = problems.check(() => parseChain(cert));
    const privateKey = problems.check(() => tls_parseKey(key));
    // Where the order is wrong, what else is wrong is that of the one that is meant.
    const leaf = chain?.find(one => privateKey && one.checkPrivateKey(privateKey)) ?? chain?.[0];
    if (chain && leaf && privateKey)
        problems.check(() => checkPair(chain, privateKey, key));
    if (leaf)
        problems.check(() => checkDates(leaf, new Date()));
    const publicUrl = tunnel && problems.check(() => chooseTemplate(tunnel.publicUrl));
    if (leaf && tunnel && publicUrl)
        problems.check(() => checkNames(leaf, tunnel, publicUrl));
    if (!chain || !leaf || !privateKey || !publicUrl)
        return undefined;
    return { cert: renderChain(chain), key, publicUrl, expiresAt: new Date(leaf.validTo) };
}
/** What is allowed but unwise. */
function listTlsWarnings({ expiresAt }, durationMs) {
    const leftMs = expiresAt.getTime() - Date.now();
    if (durationMs !== undefined && leftMs < durationMs)
        return [
            `the certificate of \`tls-cert\` ends at ${expiresAt.toISOString()}, before the preview does: browsers will refuse the link from then on; renew it`,
        ];
    if (leftMs >= NEAR_END_MS)
        return [];
    return [`the certificate of \`tls-cert\` ends soon, at ${expiresAt.toISOString()}: renew it`];
}
function parseChain(text) {
    if (text === '')
        throw new errors/* InputError */.dz('`tls-key` is given without `tls-cert`: is the secret it comes from set? Give both, or leave both out');
    if (text.includes('PRIVATE KEY'))
        throw new errors/* InputError */.dz('`tls-cert` holds a private key: it belongs in `tls-key` alone; give the text of the certificate (fullchain.pem)');
    const blocks = text.match(CERTIFICATE);
    if (blocks === null)
        throw new errors/* InputError */.dz(`\`tls-cert\` is no PEM certificate, but ${describeText(text)}: give the text of the file (fullchain.pem), from -----BEGIN CERTIFICATE----- on`);
    return blocks.map((block, index) => parseCertificate(block, index));
}
function parseCertificate(block, index) {
    try {
        return new external_node_crypto_.X509Certificate(block);
    }
    catch (cause) {
        throw new errors/* InputError */.dz(`certificate ${index + 1} of \`tls-cert\` cannot be read (${(0,errors/* describeError */.Uc)(cause)}): give the text of the file as it is, line breaks included`, { cause });
    }
}
function tls_parseKey(text) {
    if (text === '')
        throw new errors/* InputError */.dz('`tls-cert` is given without `tls-key`: is the secret it comes from set? Give both, or leave both out');
    if (/ENCRYPTED/.test(text))
        throw new errors/* InputError */.dz('`tls-key` is protected by a passphrase: give the key without one (openssl pkey -in key.pem), as a secret of the repository');
    if (!/-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/.test(text))
        throw new errors/* InputError */.dz(`\`tls-key\` is no PEM private key, but ${describeText(text)}: give the text of the file (privkey.pem), from -----BEGIN PRIVATE KEY----- on`);
    try {
        return (0,external_node_crypto_.createPrivateKey)(text);
    }
    catch {
        // OpenSSL's words are no help here, and are not needed as a cause: nothing of the key may go any further.
        throw new errors/* InputError */.dz(`\`tls-key\` cannot be read as a private key (it is ${describeText(text)}): give the text of the file as it is, line breaks included`);
    }
}
/** What kind of text it is, and nothing of what it says. */
function describeText(text) {
    const size = `a text of ${text.length} characters in ${text.split('\n').length} lines`;
    if (text.includes('\\n'))
        return `${size}, in which line breaks are written as \\n`;
    const kind = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text)?.[1];
    if (kind !== undefined)
        return `${size}, which says it is a ${kind}`;
    return /^\S*[/\\]\S*$/.test(text) && text.length < 256 ? `${size}, a file name perhaps` : size;
}
function checkPair(chain, key, keyText) {
    const place = chain.findIndex(certificate => certificate.checkPrivateKey(key));
    if (place > 0)
        throw new errors/* InputError */.dz(`\`tls-key\` belongs to certificate ${place + 1} of \`tls-cert\`: put that one first, the intermediates behind it`);
    if (place === -1)
        throw new errors/* InputError */.dz(`\`tls-key\` is not the key of the certificate in \`tls-cert\` (${describeNames(chain[0])}): give the two files of one renewal`);
    try {
        (0,external_node_tls_.createSecureContext)({ cert: renderChain(chain), key: keyText, minVersion: 'TLSv1.2' });
    }
    catch (cause) {
        throw new errors/* InputError */.dz(`\`tls-cert\` and \`tls-key\` cannot be used for TLS (${sanitise((0,errors/* describeError */.Uc)(cause))}): make new ones, with a usual key (P-256, or RSA of 2048 bits)`);
    }
}
function checkDates(leaf, now) {
    const [from, to] = [new Date(leaf.validFrom), new Date(leaf.validTo)];
    if (now < from)
        throw new errors/* InputError */.dz(`the certificate of \`tls-cert\` is not valid before ${from.toISOString()}, and it is ${now.toISOString()}: wait, or set the clock of the machine`);
    if (now >= to)
        throw new errors/* InputError */.dz(`the certificate of \`tls-cert\` expired at ${to.toISOString()}, and it is ${now.toISOString()}: renew it, and bring the secret up to date`);
}
function chooseTemplate(publicUrl) {
    if (publicUrl === PLAIN_PUBLIC_URLS.http)
        return TLS_PUBLIC_URL;
    if (publicUrl.startsWith('https:'))
        return publicUrl;
    throw new errors/* InputError */.dz(`\`public-url\` is '${publicUrl}', and with \`tls-cert\` visitors speak https: write https://, or leave it out`);
}
/** Against what visitors type, for each server they may come through. */
function checkNames(leaf, { servers }, publicUrl) {
    const hosts = servers.map(({ address }) => new URL(renderPublicUrl(publicUrl, address.host, SAMPLE_PORT)).hostname);
    const missing = [...new Set(hosts)].filter(host => !isFor(leaf, host));
    if (missing.length > 0)
        throw new errors/* InputError */.dz(missing.map(host => `the certificate of \`tls-cert\` is not for ${sanitise(host)}, which visitors type, but ${describeNames(leaf)}: get one for that name, or change \`public-url\``));
}
function isFor(leaf, host) {
    const bare = stripBrackets(host);
    if ((0,external_node_net_.isIP)(bare) !== 0)
        return leaf.checkIP(bare) !== undefined;
    // Browsers look at the list of names alone, not at the subject.
    return leaf.checkHost(bare, { subject: 'never' }) !== undefined;
}
function describeNames(leaf) {
    const names = (leaf?.subjectAltName ?? '')
        .split(', ')
        .map(name => name.replace(/^(?:DNS|IP Address):/, ''));
    const [first = ''] = names;
    if (first === '')
        return 'for no name at all';
    const rest = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : '';
    return `for ${sanitise(names.slice(0, MAX_NAMES).join(', '))}${rest}`;
}
function renderChain(chain) {
    return chain.map(String).join('');
}

// EXTERNAL MODULE: external "node:url"
var external_node_url_ = __webpack_require__(3136);
// EXTERNAL MODULE: ./node_modules/valibot/dist/index.mjs
var valibot_dist = __webpack_require__(7934);
;// CONCATENATED MODULE: ./build/js/tunnel/wire/protocol.js
// The wire protocol of bore 0.5 and 0.6 (ekzhang/bore, src/shared.rs and src/auth.rs): messages, frames, HMAC.
// Pure; used by our client and our server.


/** The control port of every real bore server: it is compiled in. */
const DEFAULT_CONTROL_PORT = 7835;
/** Longest JSON of a frame, in bytes, the NUL not counted (bore's MAX_FRAME_LENGTH). */
const MAX_FRAME_LENGTH = 256;
/** The real server drops a client that says nothing for this long (bore's NETWORK_TIMEOUT). */
const NETWORK_TIMEOUT_MS = 3_000;
/** The real server sends a heartbeat at least this often. */
const HEARTBEAT_INTERVAL_MS = 500;
/** The real server keeps a visitor waiting for `Accept` this long. */
const PENDING_VISITOR_MS = 10_000;
/** What the server's `Error` frames say; the words are the only way to tell them apart (bore, src/server.rs). */
const ERROR_TEXT = {
    invalidSecret: 'invalid secret',
    secretRequired: 'server requires secret, but no secret was provided',
    portOutOfRange: 'client port number not in allowed range',
    portForbidden: 'permission denied',
    portTaken: 'port already in use',
    bindFailed: 'failed to bind to port',
    noPortFree: 'failed to find an available port',
};
const port = valibot_dist/* pipe */.FsL(valibot_dist/* number */.aig(), valibot_dist/* integer */.ndf(), valibot_dist/* minValue */.Wwf(0), valibot_dist/* maxValue */.cGV(65_535));
const id = valibot_dist/* pipe */.FsL(valibot_dist/* string */.YjP(), valibot_dist/* uuid */.uRe());
const clientMessage = valibot_dist/* union */.KCZ([
    valibot_dist/* strictObject */.rej({ Authenticate: valibot_dist/* string */.YjP() }),
    valibot_dist/* strictObject */.rej({ Hello: port }),
    valibot_dist/* strictObject */.rej({ Accept: id }),
]);
const serverMessage = valibot_dist/* union */.KCZ([
    valibot_dist/* literal */.euz('Heartbeat'),
    valibot_dist/* strictObject */.rej({ Connection: id }),
    valibot_dist/* strictObject */.rej({ Challenge: id }),
    valibot_dist/* strictObject */.rej({ Hello: port }),
    valibot_dist/* strictObject */.rej({ Error: valibot_dist/* string */.YjP() }),
]);
/** One message as it goes over the wire; all of it is ASCII, but for the text of an `Error`. */
function renderFrame(message) {
    return `${JSON.stringify(message)}\0`;
}
/** The same in bytes. */
function encodeFrame(message) {
    return Buffer.from(renderFrame(message));
}
const PLAIN_ID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;
/** In bytes. What is shorter need not be looked at: for every NUL of a storm, an error of JSON.parse would take 8 µs. */
const SHORTEST_MESSAGE = '{"Hello":0}'.length;
/** The message in a frame, or undefined where it is none that a bore server sends. */
function decodeServerMessage(frame) {
    if (frame.length < SHORTEST_MESSAGE)
        return undefined;
    return decodePlain(frame.toString('latin1')) ?? protocol_decode(serverMessage, frame);
}
/** The two messages that every visitor costs, exactly as the Rust server writes them: many times faster than the schema. */
function decodePlain(text) {
    const isChallenge = text.startsWith('{"Challenge":"');
    if (!(isChallenge || text.startsWith('{"Connection":"')) || !text.endsWith('"}'))
        return undefined;
    const id = text.slice(isChallenge ? 14 : 15, -2);
    if (!PLAIN_ID.test(id))
        return undefined;
    return isChallenge ? { Challenge: id } : { Connection: id };
}
/** The message in a frame, or undefined where it is none that a bore client sends. */
function decodeClientMessage(frame) {
    if (frame.length < SHORTEST_MESSAGE)
        return undefined;
    return protocol_decode(clientMessage, frame);
}
function protocol_decode(schema, frame) {
    try {
        const result = valibot_dist/* safeParse */.xLC(schema, JSON.parse(frame.toString('utf8')));
        return result.success ? result.output : undefined;
    }
    catch {
        return undefined; // not JSON
    }
}
/** Cuts a byte stream into frames. Holds less than one frame between two calls, whatever is pushed. */
class FrameDecoder {
    #rest = Buffer.alloc(0);
    push(chunk) {
        this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    }
    /** The next frame without its NUL, or undefined where more bytes are needed. Throws FrameTooLong. */
    next() {
        const end = this.#rest.subarray(0, MAX_FRAME_LENGTH + 1).indexOf(0);
        if (end === -1) {
            if (this.#rest.length <= MAX_FRAME_LENGTH)
                return undefined;
            throw new FrameTooLong(this.takeRest());
        }
        const frame = this.#rest.subarray(0, end);
        this.#rest = this.#rest.subarray(end + 1);
        return frame;
    }
    /** The bytes behind the last frame, which are not the decoder's any more. */
    takeRest() {
        const rest = this.#rest;
        this.#rest = Buffer.alloc(0);
        return rest;
    }
}
/** More bytes without a NUL than any message has. `bytes` are its first ones. */
class FrameTooLong extends Error {
    bytes;
    constructor(bytes) {
        super(`a frame is longer than ${MAX_FRAME_LENGTH} bytes`);
        this.name = 'FrameTooLong';
        this.bytes = Buffer.from(bytes.subarray(0, MAX_FRAME_LENGTH));
    }
}
/** A secret as an HMAC key. */
function deriveKey(secret) {
    return (0,external_node_crypto_.createSecretKey)((0,external_node_crypto_.createHash)('sha256').update(secret).digest());
}
/** SHA-256 works on blocks of this many bytes, which is what HMAC pads its key to (RFC 2104). */
const BLOCK_BYTES = 64;
const CHALLENGE_BYTES = 16;
const padsOf = new WeakMap();
/**
 * The hex answer to a challenge, a UUID of which the 16 raw bytes are signed: HMAC-SHA256 (RFC 2104). Two plain hashes
 * over prepared blocks take half the time of a `createHmac`, and every visitor needs one answer.
 */
function answerChallenge(key, challenge) {
    const { inner, outer } = padsOf.get(key) ?? preparePads(key);
    inner.write(challenge.replaceAll('-', ''), BLOCK_BYTES, 'hex');
    (0,external_node_crypto_.hash)('sha256', inner, 'buffer').copy(outer, BLOCK_BYTES);
    return (0,external_node_crypto_.hash)('sha256', outer, 'hex');
}
/** A derived key is 32 bytes, shorter than a block: it is padded, never hashed. */
function preparePads(key) {
    const bytes = key.export();
    const inner = Buffer.alloc(BLOCK_BYTES + CHALLENGE_BYTES, 0x36);
    const outer = Buffer.alloc(BLOCK_BYTES + 32, 0x5c);
    for (const pad of [inner, outer])
        for (const [index, byte] of bytes.entries())
            pad[index] = (pad[index] ?? 0) ^ byte;
    padsOf.set(key, { inner, outer });
    return { inner, outer };
}

;// CONCATENATED MODULE: ./build/js/tunnel/address.js
// Where a bore server is: read from the `server` input and the command line, shown in messages.






/** `host`, `host:port`, `[::1]` or `[::1]:port`; white space around it is no harm. Throws InputError. */
function parseServerAddress(text) {
    const trimmed = text.trim();
    if (trimmed === '')
        throw new errors/* InputError */.dz('`server` is empty; give the host of a bore server');
    const parts = /^(?:\[(?<v6>[^\]]*)\]|(?<name>[^:[\]]*))(?::(?<port>[^:]*))?$/su.exec(trimmed)?.groups;
    if (parts === undefined)
        throw refuseAddress(trimmed, describeForm(trimmed));
    return { host: parseHost(parts.v6, parts.name ?? '', trimmed), port: parsePort(parts.port, trimmed) };
}
/** `host:port`, with brackets where the host is an IPv6 address. */
function renderAddress({ host, port }) {
    return (0,external_node_net_.isIPv6)(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
function parseHost(v6, name, text) {
    if (v6 !== undefined) {
        if ((0,external_node_net_.isIPv6)(v6))
            return v6;
        throw refuseAddress(text, 'what stands in brackets must be an IPv6 address');
    }
    // The only characters of host names; the conversion gives names in other scripts their form in the DNS.
    // A dot at the end only says that the name is whole: without it there is one form to compare.
    const host = (0,external_node_url_.domainToASCII)(name).replace(/\.$/u, '');
    if (/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/u.test(host) && host.length <= 253)
        return host;
    throw refuseAddress(text, describeForm(text));
}
function parsePort(text, whole) {
    if (text === undefined)
        return DEFAULT_CONTROL_PORT;
    const port = /^[0-9]{1,5}$/u.test(text) ? Number(text) : 0;
    if (port >= 1 && port <= 65_535)
        return port;
    throw refuseAddress(whole, whole.includes('//') ? describeForm(whole) : 'the port must be a whole number from 1 to 65535');
}
function describeForm(text) {
    if (text.includes('//'))
        return 'write the host alone, without http:// or a path';
    if ((0,external_node_net_.isIPv6)(text))
        return `write an IPv6 address in brackets, [${text}]`;
    return 'write host or host:port';
}
function refuseAddress(text, remedy) {
    // As a whole: an IPv6 address may begin as the runner's commands do, but only on a line of its own.
    return new errors/* InputError */.dz(`${sanitise(`\`server\` '${text}`)}' is not an address: ${remedy}`);
}

;// CONCATENATED MODULE: ./build/js/inputs/tunnel.js
// The inputs about the way in: servers, secrets, public port and address. Used by inputs.




/** Ports below 1024 take special rights at the server, and bore's own default begins here. */
const DEFAULT_PORT_RANGE = '1024-65535';
/** Undefined after a problem was noted. */
function parseTunnelInputs(read, protocol, problems) {
    const entries = splitServers(read('server'));
    const addresses = parseServers(entries, problems);
    const secrets = problems.check(() => parseSecrets(read('secret'), entries.length));
    const remotePort = parsePortWish(read('remote-port').trim(), read('port-range').trim(), problems);
    const publicUrl = problems.check(() => parseTemplate(read('public-url').trim(), protocol));
    if (!addresses || !secrets || !remotePort || !publicUrl)
        return undefined;
    const servers = addresses.map((address, index) => ({ address, secret: secrets[index] ?? secrets[0] }));
    return { servers, remotePort, publicUrl };
}
/**
 * Between commas and line ends; a comma may stand before a line end. An empty entry is kept: it is where a variable
 * that is not set was to be written.
 */
function splitServers(text) {
    if (text.trim() === '')
        return [];
    return takeFinalLineEnd(text)
        .split(/,?[ \t]*\r?\n|,/)
        .map(entry => entry.trim());
}
/** YAML ends a block with one; any more are lines of the list. */
function takeFinalLineEnd(text) {
    return text.replace(/\r?\n$/, '');
}
/** One problem for each entry that is wrong. */
function parseServers(entries, problems) {
    if (entries.length === 0)
        problems.found.push('`server` is empty: is the variable it comes from set? Write host or host:port, or leave the input out to use bore.pub');
    const found = entries.map((entry, index) => problems.check(() => parseServer(entry, index)));
    const addresses = found.filter(address => address !== undefined);
    const names = addresses.map(renderAddress);
    for (const name of new Set(names.filter((name, index) => names.indexOf(name) !== index)))
        problems.found.push(`\`server\` names ${name} more than once: name each server once`);
    return addresses.length === entries.length && addresses.length > 0 ? addresses : undefined;
}
function parseServer(entry, index) {
    if (entry !== '')
        return parseServerAddress(entry);
    throw new errors/* InputError */.dz(`entry ${index + 1} of \`server\` is empty: is the variable it comes from set? Write one host or host:port in each line, or between commas`);
}
/** The lines of the `secret` input, each trimmed; none where it was not given. A line may be blank. */
function splitSecrets(text) {
    if (text.trim() === '')
        return [];
    return takeFinalLineEnd(text)
        .split('\n')
        .map(line => line.trim());
}
/** One for all servers, one for each, or none. No message shows any of them. */
function parseSecrets(text, servers) {
    // One secret for one server: blank lines around it mean nothing.
    const lines = splitSecrets(servers === 1 ? text.trim() : text);
    const blank = lines.indexOf('');
    if (blank !== -1)
        throw new errors/* InputError */.dz(`entry ${blank + 1} of \`secret\` is empty: is the variable it comes from set? Write one line for all servers, or one line for each, in the order of \`server\``);
    if (lines.length > 1 && servers > 0 && lines.length !== servers)
        throw new errors/* InputError */.dz(`\`secret\` has ${lines.length} lines, and \`server\` names ${servers === 1 ? 'one server' : `${servers} servers`}: write one line for all, or one line for each, in the same order`);
    return lines;
}
function parsePortWish(portText, rangeText, problems) {
    const range = problems.check(() => parsePortRange(rangeText || DEFAULT_PORT_RANGE));
    const word = portText.toLowerCase();
    if (word === '' || word === 'auto')
        return range && { kind: 'auto', ...range };
    const wish = word === 'random' ? RANDOM : problems.check(() => parseRemotePort(portText));
    if (wish === undefined || range === undefined)
        return undefined;
    const conflict = findConflict(wish, range);
    if (conflict === undefined)
        return wish;
    problems.found.push(`${conflict}: leave one of the two out`);
    return undefined;
}
const RANDOM = { kind: 'random' };
/** What a range says that the wish does not; the default range is no wish of anybody's. */
function findConflict(wish, { min, max }) {
    const range = `${min}-${max}`;
    if (range === DEFAULT_PORT_RANGE)
        return undefined;
    if (wish.kind === 'random')
        return `\`remote-port\` is random, so the server picks, and \`port-range\`, ${range}, would not count`;
    const isOutside = wish.kind === 'fixed' && (wish.port < min || wish.port > max);
    return isOutside
        ? `\`remote-port\` is ${wish.port}, which is outside of \`port-range\`, ${range}`
        : undefined;
}
function parseRemotePort(text) {
    if (/^\d+$/.test(text))
        return { kind: 'fixed', port: parseWholeNumber(text, 'remote-port', 1, 65_535) ?? 0 };
    throw new errors/* InputError */.dz(`\`remote-port\` is '${text}': write auto, random, or a whole number from 1 to 65535`);
}
/** With a hyphen, or what people paste: a dash, or the colon of firewalls. */
function parsePortRange(text) {
    const [, low, high] = /^(\d{1,5})\s*[-–:]\s*(\d{1,5})$/.exec(text) ?? [];
    const [min, max] = [Number(low), Number(high)];
    const problem = low === undefined
        ? 'is no range'
        : min < 1 || max > 65_535
            ? 'has ports outside of 1 to 65535'
            : min > max
                ? 'begins above its end'
                : undefined;
    if (problem === undefined)
        return { min, max };
    throw new errors/* InputError */.dz(`\`port-range\` is '${text}', which ${problem}: write it like 20000-29999`);
}
/** The default stands for the bore server's own address, in the protocol's words. */
function parseTemplate(text, protocol) {
    const isDefault = text === '' || text === PLAIN_PUBLIC_URLS.http;
    return isDefault ? PLAIN_PUBLIC_URLS[protocol] : parsePublicUrl(text, protocol);
}

;// CONCATENATED MODULE: ./build/js/inputs/inputs.js
// From the text of the inputs to checked values. Every problem is reported together, and an empty string means "not
// given". The action's inputs and the command line's flags pass through the same checks.










const DEFAULT_HOLD_MS = 30 * 60_000;
/** The job's own token dies after a day: a comment made later could not be edited any more. */
const LONG_DURATION_MS = 24 * 60 * 60_000;
/** Shorter secrets are not masked reliably by the runner, and are guessed quickly. */
const MIN_SECRET_LENGTH = 8;
/** Every name `action.yml` declares, with its default there; a test holds the two together. */
const INPUT_DEFAULTS = {
    path: '.',
    mode: 'auto',
    port: '',
    command: '',
    args: '',
    env: '',
    'wasmrun-version': '',
    vm: 'auto',
    browser: '',
    spa: 'false',
    'cross-origin-isolation': 'false',
    protocol: 'http',
    'health-path': DEFAULT_HEALTH_PATH,
    'startup-timeout': '120s',
    server: 'bore.pub',
    secret: '',
    'remote-port': 'auto',
    'port-range': DEFAULT_PORT_RANGE,
    'public-url': PLAIN_PUBLIC_URLS.http,
    'tls-cert': '',
    'tls-key': '',
    access: 'auto',
    'access-key': '',
    'basic-auth': '',
    'public-paths': '',
    'max-body': DEFAULT_MAX_BODY,
    hold: 'false',
    duration: '',
    'github-token': '',
    comment: 'true',
    name: '',
    'pr-number': '',
    'allow-untrusted-head': 'false',
    'fail-on-error': 'true',
    'log-level': 'info',
};
/** Checks every input; throws one InputError with all problems. Relative paths are resolved against `base`. */
function parseInputs(read, environment, base) {
    const problems = new Problems();
    const text = (name) => read(name).trim();
    const optional = (name) => text(name) || undefined;
    const wanted = problems.check(() => parseChoice(text('protocol') || 'http', 'protocol', PROTOCOLS));
    const protocol = wanted ?? 'http';
    const app = parseAppInputs(read, { environment, base, protocol, problems });
    const tunnel = parseTunnelInputs(read, protocol, problems);
    const gateway = parseGatewayInputs(read, protocol, problems);
    const tls = parseTlsInputs(read, { protocol, tunnel, problems });
    const lifetime = problems.check(() => parseLifetime(text('hold'), text('duration')));
    const prNumber = problems.check(() => parseWholeNumber(optional('pr-number'), 'pr-number', 1, 2 ** 31));
    const comment = problems.check(() => parseBoolean(text('comment'), 'comment', true));
    const failOnError = problems.check(() => parseBoolean(text('fail-on-error'), 'fail-on-error', true));
    problems.check(() => parseBoolean(text('allow-untrusted-head'), 'allow-untrusted-head', false));
    const logLevel = problems.check(() => parseChoice(text('log-level') || 'info', 'log-level', LOG_LEVELS));
    problems.throwIfAny();
    if (!app || !tunnel || !gateway || !lifetime || !logLevel)
        throw new Error('an input was refused without saying why');
    return {
        protocol,
        app,
        tunnel: tls ? { ...tunnel, publicUrl: tls.publicUrl } : tunnel,
        tls,
        gateway,
        ...lifetime,
        prNumber,
        comment: comment ?? true,
        failOnError: failOnError ?? true,
        name: optional('name'),
        logLevel,
        warnings: [
            ...listWarnings(tunnel, gateway, lifetime.durationMs),
            ...(tls ? listTlsWarnings(tls, lifetime.durationMs) : []),
        ],
    };
}
const LOG_LEVELS = ['quiet', 'info', 'debug'];
/** `hold` is false, true or a duration; a `duration` beside it must not say otherwise. */
function parseLifetime(holdText, durationText) {
    const duration = durationText === '' ? undefined : parseDuration(durationText, 'duration');
    const word = holdText.toLowerCase();
    if (word === '' || word === 'false')
        return { hold: false, durationMs: duration };
    if (word === 'true')
        return { hold: true, durationMs: duration ?? DEFAULT_HOLD_MS };
    const hold = parseDuration(holdText, 'hold');
    if (duration !== undefined && duration !== hold)
        throw new errors/* InputError */.dz(`\`hold\` is '${holdText}' and \`duration\` is '${durationText}': say it once`);
    return { hold: true, durationMs: hold };
}
function listWarnings(tunnel, { access }, durationMs) {
    const { servers, publicUrl } = tunnel;
    const secrets = servers.flatMap(({ secret }) => secret ?? []);
    const shown = [publicUrl, ...servers.map(({ address }) => address.host)].join(' ');
    return [
        ...(secrets.some(secret => secret.length < MIN_SECRET_LENGTH)
            ? [
                `the secret is shorter than ${MIN_SECRET_LENGTH} characters: it is easily guessed, and the runner masks every place where it happens to occur`,
            ]
            : []),
        ...(access.kind === 'basic' && access.password.length < MIN_SECRET_LENGTH
            ? [
                `the password of \`basic-auth\` is shorter than ${MIN_SECRET_LENGTH} characters: it is easily guessed`,
            ]
            : []),
        ...(secrets.some(secret => shown.includes(secret))
            ? [
                "the secret occurs in the server's address: the runner will mask the link, and drop outputs that hold it",
            ]
            : []),
        ...(servers.length > 1 && !publicUrl.includes('{host}')
            ? [
                `\`public-url\` has no {host}, so the address stays the same when another server takes over: let the proxy stand in front of all of them, or write it like ${publicUrl.startsWith('tcp:') ? 'tcp://{host}:{port}' : 'https://{port}.{host}'}`,
            ]
            : []),
        ...(durationMs !== undefined && durationMs > LONG_DURATION_MS
            ? [
                "the duration is above 24 hours: the job's token will be dead by then, and the comment cannot be brought up to date",
            ]
            : []),
    ];
}

;// CONCATENATED MODULE: ./build/js/supervisor/access.js
// What the `access` input means in this repository or on this machine. Used before an exposure is planned.


/** 192 bits. */
const GENERATED_KEY_BYTES = 24;
/**
 * Resolves `auto`: `open` if everybody can read the repository anyway, otherwise a link with a key. Throws an InputError
 * if raw bytes would be open to everybody without the workflow saying so.
 */
function resolveAccess(requested, protocol, isPublic) {
    switch (requested.kind) {
        case 'open':
            return { access: requested, reason: 'open to everybody, as `access` says' };
        case 'basic':
            return { access: requested, reason: 'a user and a password' };
        case 'link':
            return requested.key === undefined
                ? generateLink()
                : {
                    access: { kind: 'link', key: requested.key, isGenerated: false },
                    reason: 'the key that was given',
                };
        case 'auto': {
            if (isPublic)
                return { access: { kind: 'open' }, reason: 'open to everybody, because the repository is public' };
            if (protocol === 'tcp')
                throw new errors/* InputError */.dz('`protocol` is tcp, so anybody who finds the port can connect, and the repository is not known to be public: write access: open if you want that');
            return generateLink();
        }
    }
}
function generateLink() {
    const key = (0,external_node_crypto_.randomBytes)(GENERATED_KEY_BYTES).toString('base64url');
    return {
        access: { kind: 'link', key, isGenerated: true },
        reason: 'a key of this run, which is part of the link',
    };
}

// EXTERNAL MODULE: external "node:fs/promises"
var promises_ = __webpack_require__(1455);
// EXTERNAL MODULE: external "node:child_process"
var external_node_child_process_ = __webpack_require__(1421);
// EXTERNAL MODULE: external "node:events"
var external_node_events_ = __webpack_require__(8474);
// EXTERNAL MODULE: external "node:timers/promises"
var external_node_timers_promises_ = __webpack_require__(8500);
// EXTERNAL MODULE: external "node:string_decoder"
var external_node_string_decoder_ = __webpack_require__(6193);
;// CONCATENATED MODULE: ./build/js/app/process/lines.js
// Bytes of a program's console into lines. Used by child.ts.

/** A program that never ends its line must not fill our memory; longer lines are handed on in pieces. */
const MAX_LINE_LENGTH = 16_384;
/**
 * What is taken of one stream: a burst, and so many lines a second after it. A program that prints without pause is held
 * up by its pipe, as on a slow terminal; making every line of `yes` harmless would keep visitors waiting instead.
 */
const BURST_LINES = 20_000;
const LINES_PER_SECOND = 5_000;
/** A line that is this long counts as two, and so on. */
const LINE_BYTES = 512;
/** Hands on every line of a stream without its end (LF or CRLF), and after `end()` the unfinished last one. */
class LineSplitter {
    #stream;
    #decoder = new external_node_string_decoder_.StringDecoder('utf8');
    #onLine;
    #rest = '';
    #budget = BURST_LINES;
    /** Of performance.now(). */
    #budgetAt = performance.now();
    #pause;
    #isHurried = false;
    constructor(stream, onLine) {
        this.#stream = stream;
        this.#onLine = onLine;
        stream.on('data', (chunk) => {
            const lines = this.#add(this.#decoder.write(chunk));
            this.#spend(Math.max(lines, chunk.length / LINE_BYTES));
        });
        // The other end may vanish with the process; its end is reported elsewhere.
        stream.on('error', () => undefined);
    }
    /** The program has ended: what it left in the pipe is its last words, and is not held up. */
    hurry() {
        this.#isHurried = true;
        clearTimeout(this.#pause);
        this.#stream.resume();
    }
    /** No more is expected: hands on what has no line end. Bytes that still come begin a new line. */
    end() {
        this.hurry();
        this.#add(this.#decoder.end());
        if (this.#rest !== '')
            this.#onLine(this.#rest);
        this.#rest = '';
        // What comes now is of a process that outlives its program, and may be as noisy.
        this.#isHurried = false;
    }
    #spend(lines) {
        const now = performance.now();
        const earned = ((now - this.#budgetAt) / 1000) * LINES_PER_SECOND;
        this.#budget = Math.min(BURST_LINES, this.#budget + earned) - lines;
        this.#budgetAt = now;
        if (this.#budget >= 0 || this.#isHurried)
            return;
        this.#stream.pause();
        this.#pause = setTimeout(() => this.#stream.resume(), (-this.#budget / LINES_PER_SECOND) * 1000);
    }
    /** Returns how many lines it handed on. */
    #add(text) {
        const lines = (this.#rest + text).split('\n');
        this.#rest = lines.pop() ?? '';
        for (const line of lines)
            this.#onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
        while (this.#rest.length > MAX_LINE_LENGTH) {
            this.#onLine(this.#rest.slice(0, MAX_LINE_LENGTH));
            this.#rest = this.#rest.slice(MAX_LINE_LENGTH);
        }
        return lines.length;
    }
}

;// CONCATENATED MODULE: ./build/js/app/process/child.js
// A program in a process group of its own, read line by line and ended as a whole. Used by every mode that runs one,
// and by the installation of wasmrun.








/** As many lines as an error message can carry and still be read. */
const LAST_LINES = 20;
/** Time to finish open requests; the post step has 30 s for everything. */
const STOP_GRACE_MS = 5_000;
/** A grandchild may keep the pipes open after the program's end: no longer than this do we wait for its last lines. */
const DRAIN_MS = 50;
/** SIGKILL takes effect at once, save for a process in an uninterruptible call of the kernel. */
const REAP_MS = 1_000;
const POLL_MS = 20;
/** Starts a program; resolves when it was spawned. Rejects with an AppError that says what is missing. */
async function startChild(options) {
    const child = (0,external_node_child_process_.spawn)(options.command, options.args, {
        cwd: options.cwd,
        env: { ...options.environment },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: process.platform !== 'win32',
        windowsHide: true,
    });
    const { pid } = child;
    if (pid === undefined) {
        const [cause] = await (0,external_node_events_.once)(child, 'error');
        throw describeSpawnFailure(options, cause);
    }
    options.onChild({ pid, role: options.role });
    // A signal that cannot be delivered is no event of its own: `ended` tells the end.
    child.on('error', () => undefined);
    return watchChild(child, pid, options.onLine);
}
function watchChild(child, pid, onLine) {
    const lines = [];
    const keepLine = (line) => {
        lines.push(line);
        if (lines.length > LAST_LINES)
            lines.shift();
        onLine(line);
    };
    const splitters = [child.stdout, child.stderr].map(stream => new LineSplitter(stream, keepLine));
    child.once('exit', () => {
        for (const splitter of splitters)
            splitter.hurry();
    });
    const group = createGroup(child, pid);
    const ended = waitForEnd(child).then(end => {
        for (const splitter of splitters)
            splitter.end();
        return end;
    });
    let stopping;
    return {
        pid,
        ended,
        lastLines: () => [...lines],
        stop: (graceMs = STOP_GRACE_MS) => {
            stopping ??= group.stop(graceMs);
            return stopping;
        },
    };
}
/** The program's end, at most DRAIN_MS late. */
async function waitForEnd(child) {
    return await new Promise(resolve => {
        child.once('exit', (code, signal) => {
            const timer = setTimeout(() => resolve({ code, signal }), DRAIN_MS);
            child.once('close', () => {
                clearTimeout(timer);
                resolve({ code, signal });
            });
        });
    });
}
/** The process group of a child. Its number is not used any more once the group was seen empty: it may be reused. */
function createGroup(child, pid) {
    let gone = false;
    const signalGroup = (signal) => {
        if (gone)
            return false;
        try {
            process.kill(-pid, signal);
        }
        catch (error) {
            gone = (0,errors/* hasCode */.up)(error, 'ESRCH');
        }
        return !gone;
    };
    const isRunning = () => signalGroup(0) && !consistsOfZombies(pid);
    const waitUntilGone = async (limitMs) => {
        const deadline = performance.now() + limitMs;
        while (isRunning()) {
            if (performance.now() >= deadline)
                return false;
            await (0,external_node_timers_promises_.setTimeout)(POLL_MS);
        }
        return true;
    };
    child.once('exit', () => signalGroup(0));
    const stop = async (graceMs) => {
        signalGroup('SIGTERM');
        if (await waitUntilGone(graceMs))
            return;
        signalGroup('SIGKILL');
        await waitUntilGone(REAP_MS);
    };
    return process.platform === 'win32' ? { stop: () => stopTree(child, pid) } : { stop };
}
/** True where nothing of the group runs any more, but nobody reaps it: orphans in a container without an init. */
function consistsOfZombies(group) {
    if (process.platform !== 'linux')
        return false;
    const processes = (0,external_node_fs_.readdirSync)('/proc').filter(name => /^\d+$/.test(name));
    return !processes.some(name => isRunningIn(group, name));
}
function isRunningIn(group, pid) {
    try {
        // proc(5): pid (comm) state ppid pgrp …; comm may hold spaces and brackets.
        const stat = (0,external_node_fs_.readFileSync)(`/proc/${pid}/stat`, 'latin1');
        const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(pgrp) === group && state !== 'Z' && state !== 'X';
    }
    catch {
        return false;
    }
}
/** Windows has no process groups and no SIGTERM: `taskkill /T` ends the program with what it started. */
async function stopTree(child, pid) {
    if (child.exitCode !== null || child.signalCode !== null)
        return;
    const exited = (0,external_node_events_.once)(child, 'exit');
    const killer = (0,external_node_child_process_.spawn)('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore', windowsHide: true });
    killer.on('error', () => child.kill());
    await Promise.race([exited, (0,external_node_timers_promises_.setTimeout)(REAP_MS, undefined, { ref: false })]);
}
const REMEDIES = {
    bash: 'install bash: apt-get install bash, apk add bash, or Git for Windows',
    wasmrun: 'set wasmrun-version, so that it is installed, or install it in an earlier step',
    cargo: 'install Rust (https://rustup.rs)',
    ar: 'install binutils',
};
function describeSpawnFailure(options, cause) {
    const command = sanitise(options.command);
    if (!(0,external_node_fs_.existsSync)(options.cwd))
        return new errors/* AppError */.uV(`${options.role} cannot start: its folder ${sanitise(options.cwd)} does not exist; check \`path\``, { cause, restartable: false });
    const remedy = REMEDIES[options.command] ?? 'install it, or put its folder on PATH';
    const message = (0,errors/* hasCode */.up)(cause, 'ENOENT')
        ? `${options.role} cannot start: the program ${command} was not found; ${remedy}`
        : (0,errors/* hasCode */.up)(cause, 'EACCES')
            ? `${options.role} cannot start: ${command} may not be executed; make it executable (chmod +x)`
            : `${options.role} cannot start: ${command} could not be run`;
    return new errors/* AppError */.uV(message, { cause, restartable: false });
}
/** How a program ended, in words: `with exit code 1`, `by SIGKILL`. */
function describeEnd(end) {
    return end.signal === null ? `with exit code ${end.code ?? 'unknown'}` : `by signal ${end.signal}`;
}
/** A TCP port of 127.0.0.1 that was free a moment ago. */
async function findFreePort() {
    const server = (0,external_node_net_.createServer)().listen(0, '127.0.0.1');
    await (0,external_node_events_.once)(server, 'listening');
    const address = server.address();
    server.close();
    await (0,external_node_events_.once)(server, 'close');
    if (address === null || typeof address === 'string')
        throw new errors/* AppError */.uV('no free port on 127.0.0.1');
    return address.port;
}

;// CONCATENATED MODULE: ./build/js/app/process/command.js
// A program that is run to its end for what it does or prints. Used by the installation of wasmrun.




/** What is aborted here has nothing to finish: an installation is begun anew, or not at all. */
const ABORT_GRACE_MS = 200;
/** Resolves with the last 20 lines it printed; rejects with an AppError that quotes the last one, or when aborted. */
async function runCommand(options) {
    const { signal } = options;
    signal.throwIfAborted();
    const role = (0,external_node_path_.basename)(options.command);
    const child = await startChild({
        ...options,
        role,
        onLine: options.onLine ?? (() => undefined),
        onChild: options.onChild ?? (() => undefined),
    });
    const stop = () => void child.stop(ABORT_GRACE_MS);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted)
        stop();
    const end = await child.ended;
    signal.removeEventListener('abort', stop);
    await child.stop();
    signal.throwIfAborted();
    const lastLines = child.lastLines();
    if (end.code === 0)
        return lastLines;
    const last = sanitise(lastLines.findLast(line => line.trim() !== '') ?? 'it printed nothing');
    throw new errors/* AppError */.uV(`${role} ended ${describeEnd(end)} (${last})`, { lastLines });
}

// EXTERNAL MODULE: external "node:stream"
var external_node_stream_ = __webpack_require__(7075);
// EXTERNAL MODULE: external "node:stream/promises"
var external_node_stream_promises_ = __webpack_require__(6466);
// EXTERNAL MODULE: ./node_modules/undici/index.js
var undici = __webpack_require__(6752);
// EXTERNAL MODULE: ./build/js/shared/proxy.js
var shared_proxy = __webpack_require__(5894);
;// CONCATENATED MODULE: ./build/js/app/wasmrun/release.js
// wasmrun from the .deb of its GitHub release: looked up, downloaded, checked, unpacked without root. Used by find.ts.












/** What was downloaded is not what was published. Nothing else is tried then: somebody should look. */
class DigestError extends errors/* AppError */.uV {
}
/** The .deb needs glibc, whose loader is at a fixed place; names of the architectures as the release has them. */
const TARGETS = {
    x64: { name: 'x86_64', loader: '/lib64/ld-linux-x86-64.so.2' },
    arm64: { name: 'aarch64', loader: '/lib/ld-linux-aarch64.so.1' },
};
/** The answer of the API is 30 KB. */
const MAX_ANSWER_BYTES = 1 << 20;
/** The .deb of 1.0.0 has a few MB. */
const MAX_DOWNLOAD_BYTES = 128 << 20;
const ANSWER_TIMEOUT_MS = 30_000;
const DOWNLOAD_TIMEOUT_MS = 5 * 60_000;
/** A connection lost on the way is tried once more. */
const DOWNLOAD_ATTEMPTS = 2;
const Asset = valibot_dist/* object */.Ikc({
    name: valibot_dist/* string */.YjP(),
    browser_download_url: valibot_dist/* pipe */.FsL(valibot_dist/* string */.YjP(), valibot_dist/* url */.OZ5()),
    size: valibot_dist/* pipe */.FsL(valibot_dist/* number */.aig(), valibot_dist/* integer */.ndf(), valibot_dist/* maxValue */.cGV(MAX_DOWNLOAD_BYTES)),
    digest: valibot_dist/* pipe */.FsL(valibot_dist/* string */.YjP(), valibot_dist/* regex */.yGV(/^sha256:[0-9a-f]{64}$/)),
});
/** Assets are checked when one is chosen: those for other systems do not matter. */
const Release = valibot_dist/* object */.Ikc({ assets: valibot_dist/* array */.YOg(valibot_dist/* looseObject */._H3({ name: valibot_dist/* string */.YjP() })) });
/** Puts the program of the release at `program`; rejects with an AppError that says why it cannot be had this way. */
async function installFromRelease(options) {
    const name = `wasmrun-v${options.version}-${findTarget()}.deb`;
    const dispatcher = await (0,shared_proxy/* createDispatcher */.SM)(options.environment);
    try {
        const asset = await findAsset(name, options, dispatcher);
        const file = (0,external_node_path_.join)(options.stage, 'download.deb');
        options.logger.info(`wasmrun ${options.version}: downloading ${name}`);
        await downloadAsset(asset, file, options.signal, dispatcher);
        await unpack(file, options);
    }
    finally {
        await dispatcher.close();
    }
}
/** The release's name of this machine. */
function findTarget() {
    const target = TARGETS[process.arch];
    if (process.platform !== 'linux' || target === undefined)
        throw new errors/* AppError */.uV(`there is no ready-made wasmrun for ${process.platform} ${process.arch}`);
    if ((0,external_node_fs_.existsSync)(target.loader))
        return target.name;
    throw new errors/* AppError */.uV('the ready-made wasmrun needs glibc, which this system (musl, as in Alpine) does not have');
}
async function findAsset(name, options, dispatcher) {
    const url = `${options.releasesUrl}/tags/v${options.version}`;
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
    const authorization = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
    const headers = { accept: 'application/vnd.github+json', 'user-agent': 'expose-action', ...authorization };
    const answer = await fetchFrom(url, { headers, signal, dispatcher });
    const release = valibot_dist/* safeParse */.xLC(Release, await readJson(answer, url));
    if (!release.success)
        throw new errors/* AppError */.uV(`${url} answered something else than a release`);
    const listed = release.output.assets.find(asset => asset.name === name);
    if (listed === undefined)
        throw new errors/* AppError */.uV(`the release v${options.version} has no ${name}`);
    const asset = valibot_dist/* safeParse */.xLC(Asset, listed);
    if (asset.success)
        return asset.output;
    throw new errors/* AppError */.uV(`${name} is published without a usable digest, size or address`);
}
async function fetchFrom(url, options) {
    const answer = await (0,undici.fetch)(url, options).catch((cause) => {
        throw new errors/* AppError */.uV(`${url} cannot be reached`, { cause });
    });
    if (answer.ok)
        return answer;
    await answer.body?.cancel();
    const hint = answer.status === 403 || answer.status === 429 ? ' (the limit of requests may be used up)' : '';
    throw new errors/* AppError */.uV(`${url} answered ${answer.status}${hint}`);
}
async function readJson(answer, url) {
    try {
        const chunks = [];
        for await (const chunk of limitBytes(answer, MAX_ANSWER_BYTES))
            chunks.push(chunk);
        return JSON.parse(Buffer.concat(chunks).toString('utf8'));
    }
    catch (cause) {
        throw new errors/* AppError */.uV(`${url} did not answer with JSON`, { cause });
    }
}
async function* limitBytes(answer, limit) {
    let total = 0;
    for await (const chunk of answer.body ?? external_node_stream_.Readable.from([])) {
        total += chunk.length;
        if (total > limit)
            throw new errors/* AppError */.uV(`more than ${limit} bytes came`);
        yield chunk;
    }
}
async function downloadAsset(asset, file, signal, dispatcher) {
    for (let attempt = 1;; attempt += 1) {
        try {
            await downloadOnce(asset, file, signal, dispatcher);
            return;
        }
        catch (error) {
            signal.throwIfAborted();
            if (error instanceof DigestError || attempt === DOWNLOAD_ATTEMPTS)
                throw error;
        }
    }
}
async function downloadOnce(asset, file, outer, dispatcher) {
    const signal = AbortSignal.any([outer, AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS)]);
    const answer = await fetchFrom(asset.browser_download_url, { signal, dispatcher });
    const hash = (0,external_node_crypto_.createHash)('sha256');
    let size = 0;
    const observe = async function* (chunks) {
        for await (const chunk of chunks) {
            hash.update(chunk);
            size += chunk.length;
            yield chunk;
        }
    };
    try {
        await (0,external_node_stream_promises_.pipeline)(limitBytes(answer, asset.size), observe, (0,external_node_fs_.createWriteStream)(file), { signal });
    }
    catch (cause) {
        throw new errors/* AppError */.uV(`the download of ${asset.name} broke off after ${size} of ${asset.size} bytes`, {
            cause,
        });
    }
    if (size < asset.size)
        throw new errors/* AppError */.uV(`the download of ${asset.name} ended after ${size} of ${asset.size} bytes`);
    const digest = `sha256:${hash.digest('hex')}`;
    if (digest !== asset.digest)
        throw new DigestError(`${asset.name} is not what was published: its digest is ${digest}, and should be ${asset.digest}. ` +
            'Nothing was installed. Run the job again; should it stay so, tell the maintainers of wasmrun', { restartable: false });
}
/** Only the program is kept. dpkg-deb is on Debian and Ubuntu; ar and tar are on more. */
async function unpack(file, options) {
    const folder = (0,external_node_path_.join)(options.stage, 'unpacked');
    const { environment, signal, onChild } = options;
    const run = (command, ...args) => runCommand({ command, args, cwd: folder, environment, signal, ...(onChild && { onChild }) });
    await (0,promises_.mkdir)(folder);
    await run('dpkg-deb', '-x', file, folder).catch(async (error) => {
        if (!(error instanceof errors/* AppError */.uV && (0,errors/* hasCode */.up)(error.cause, 'ENOENT')))
            throw error;
        await unpackWithAr(file, run);
    });
    try {
        await (0,promises_.copyFile)((0,external_node_path_.join)(folder, 'usr', 'bin', 'wasmrun'), options.program);
        await (0,promises_.chmod)(options.program, 0o755);
    }
    catch (cause) {
        throw new errors/* AppError */.uV('the .deb holds no usr/bin/wasmrun', { cause });
    }
    await Promise.all([folder, file].map(path => (0,promises_.rm)(path, { recursive: true, force: true })));
}
/** deb(5): an ar archive whose member data.tar, in whatever compression, holds the files. */
async function unpackWithAr(file, run) {
    try {
        const members = await run('ar', 't', file);
        const data = members.find(name => name.startsWith('data.tar')) ?? 'data.tar';
        await run('ar', 'x', file, data);
        await run('tar', '-xf', data);
    }
    catch (cause) {
        throw new errors/* AppError */.uV(`the .deb cannot be unpacked, for which dpkg-deb, or ar and tar are needed: ${sanitise((0,errors/* describeError */.Uc)(cause))}`, { cause });
    }
}

;// CONCATENATED MODULE: ./build/js/app/wasmrun/find.js
// Finds wasmrun, or installs it: PATH, tool cache, the release's .deb, cargo. Used by the entries.








/** What this action was tested with. */
const PINNED_VERSION = '1.0.0';
const MODES_WITHOUT = 'or use `mode: web` or `mode: port`, which need no wasmrun';
/** It prints and exits; a cold disk may take seconds. */
const VERSION_TIMEOUT_MS = 20_000;
const PROGRAM = process.platform === 'win32' ? 'wasmrun.exe' : 'wasmrun';
/**
 * The absolute path of a wasmrun that runs. Throws an InputError for a version that cannot be meant, and an AppError
 * that says what was tried.
 */
async function findOrInstallWasmrun(options) {
    const version = options.version === undefined ? undefined : parseWasmrunVersion(options.version);
    const found = await findOnPath(options, version);
    if (found !== undefined)
        return found;
    const wanted = version ?? PINNED_VERSION;
    const cached = (0,external_node_path_.join)(options.toolCache, 'wasmrun', wanted, process.arch);
    if ((0,external_node_fs_.existsSync)(`${cached}.complete`) && isExecutable((0,external_node_path_.join)(cached, 'bin', PROGRAM))) {
        options.logger.info(`wasmrun ${wanted}: from the tool cache`);
        return (0,external_node_path_.join)(cached, 'bin', PROGRAM);
    }
    return (0,external_node_path_.join)(await installInto(cached, wanted, options), 'bin', PROGRAM);
}
/** Without a wanted version the first on PATH must do, and an old one is refused: it is what the job chose. */
async function findOnPath(options, wanted) {
    const path = find_findProgram(PROGRAM, options.pathVariable);
    if (path === undefined)
        return undefined;
    const version = await readVersion(path, options).catch((error) => {
        options.signal.throwIfAborted();
        options.logger.warn(`${path} does not run (${(0,errors/* describeError */.Uc)(error)}), so wasmrun is installed`);
        return undefined;
    });
    if (version === undefined || (wanted !== undefined && version !== wanted))
        return undefined;
    if (isTooOld(version))
        throw new errors/* AppError */.uV(`wasmrun ${version} at ${path} is too old, 1.0.0 is the first that works; ` +
            `update it, set wasmrun-version: ${PINNED_VERSION} to have that installed, ${MODES_WITHOUT}`, { restartable: false });
    options.logger.info(`wasmrun ${version}: ${path}`);
    return path;
}
/** The program's path, absolute, as a shell would find it. */
function find_findProgram(name, pathVariable) {
    const folders = pathVariable.split(external_node_path_.delimiter).filter(folder => (0,external_node_path_.isAbsolute)(folder));
    return folders.map(folder => (0,external_node_path_.join)(folder, name)).find(isExecutable);
}
function isExecutable(path) {
    try {
        (0,external_node_fs_.accessSync)(path, external_node_fs_.constants.X_OK);
        return (0,external_node_fs_.statSync)(path).isFile();
    }
    catch {
        return false;
    }
}
/** What `--version` says, without its colours and frame. */
async function readVersion(path, options) {
    const lines = await runCommand({
        command: path,
        args: ['--version'],
        cwd: options.tempFolder,
        environment: options.environment,
        signal: AbortSignal.any([options.signal, AbortSignal.timeout(VERSION_TIMEOUT_MS)]),
    });
    const version = /wasmrun v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)/.exec(lines.join('\n'))?.[1];
    if (version === undefined)
        throw new errors/* AppError */.uV(`${path} --version names no version`);
    return version;
}
/**
 * Installs into a folder beside the cached one and renames it when it runs: a cache folder is whole, or not there.
 * The layout and the `.complete` file are those of @actions/tool-cache.
 */
async function installInto(cached, version, options) {
    const stage = await createStage(cached, options);
    try {
        await install(stage, version, options);
        return await publishStage(stage, stage.startsWith(cached) ? cached : `${stage}-installed`);
    }
    finally {
        await (0,promises_.rm)(stage, { recursive: true, force: true, maxRetries: 3 });
    }
}
/** A tool cache that cannot be written to (a read-only image) is passed by. */
async function createStage(cached, options) {
    const suffix = `-installing-${(0,external_node_crypto_.randomBytes)(6).toString('hex')}`;
    const stages = [cached + suffix, (0,external_node_path_.join)(options.tempFolder, `wasmrun${suffix}`)];
    const failures = [];
    for (const stage of stages) {
        try {
            options.onFolder?.(stage);
            await (0,promises_.mkdir)((0,external_node_path_.join)(stage, 'bin'), { recursive: true });
            return stage;
        }
        catch (error) {
            failures.push(error);
        }
    }
    const [first] = failures;
    throw new errors/* AppError */.uV(`wasmrun cannot be installed: neither ${options.toolCache} nor ${options.tempFolder} can be written to`, {
        cause: first,
        restartable: false,
    });
}
/** Another job on the same machine may have been faster: then its folder stays, since it may be in use. */
async function publishStage(stage, target) {
    const marker = `${target}.complete`;
    if ((0,external_node_fs_.existsSync)(marker) && (0,external_node_fs_.existsSync)(target))
        return target;
    await (0,promises_.rm)(target, { recursive: true, force: true, maxRetries: 3 });
    await (0,promises_.rename)(stage, target).catch((error) => {
        if (!(0,external_node_fs_.existsSync)(target))
            throw error;
    });
    await (0,promises_.writeFile)(marker, '');
    return target;
}
/** The .deb, then cargo. What went wrong with the first is told with what went wrong with the second. */
async function install(stage, version, options) {
    const program = (0,external_node_path_.join)(stage, 'bin', PROGRAM);
    const check = async () => {
        const installed = await readVersion(program, options);
        if (installed !== version)
            throw new errors/* AppError */.uV(`version ${installed} was installed instead`);
    };
    const reasons = [];
    for (const attempt of [installFromRelease, installWithCargo]) {
        try {
            await attempt({ ...options, stage, program, version, reason: reasons[0] ?? '' });
            await check();
            options.logger.info(`wasmrun ${version}: installed`);
            return;
        }
        catch (error) {
            options.signal.throwIfAborted();
            if (error instanceof DigestError)
                throw error;
            reasons.push((0,errors/* describeError */.Uc)(error));
        }
    }
    throw new errors/* AppError */.uV(`wasmrun ${version} is not there and could not be installed: ${reasons.join('; and ')}. ` +
        `Install it in an earlier step (cargo install wasmrun), ${MODES_WITHOUT}`, { restartable: false });
}
async function installWithCargo(options) {
    const { stage, version, environment, signal, logger } = options;
    const cargo = find_findProgram(process.platform === 'win32' ? 'cargo.exe' : 'cargo', options.pathVariable);
    if (cargo === undefined)
        throw new errors/* AppError */.uV('cargo is not on PATH (https://rustup.rs)');
    logger.info(`wasmrun ${version} is built with cargo, which takes 5 to 10 minutes (${options.reason})`);
    // Beside the program, and not in the system's temp folder, where cargo that is killed would leave it.
    const build = (0,external_node_path_.join)(stage, 'build');
    await runCommand({
        command: cargo,
        args: ['install', 'wasmrun', '--version', version, '--locked', '--root', stage],
        cwd: stage,
        environment: { ...environment, CARGO_TARGET_DIR: build },
        signal,
        onLine: line => logger.debug(`cargo: ${line}`),
        ...(options.onChild && { onChild: options.onChild }),
    });
    await (0,promises_.rm)(build, { recursive: true, force: true, maxRetries: 3 });
}

;// CONCATENATED MODULE: ./build/js/supervisor/plan.js
// From checked inputs to the document a supervisor is started with; main and cli both go through here.




/** Compiling wasmrun takes minutes; it does not count towards `startup-timeout`. */
const INSTALL_TIMEOUT_MS = 15 * 60_000;
/** 256 bits. */
const TOKEN_BYTES = 32;
/** The bundle or source file of an entry, beside the one that runs now. */
function resolveBundle(name) {
    const running = (0,external_node_fs_.realpathSync)(process.argv[1] ?? '');
    return running.endsWith('.ts')
        ? (0,external_node_path_.join)((0,external_node_path_.dirname)(running), `${name}.ts`)
        : (0,external_node_path_.join)((0,external_node_path_.dirname)((0,external_node_path_.dirname)(running)), name, 'index.js');
}
/** The whole document, with a control token of its own. */
function planSupervisor(plan) {
    const { inputs, host, wasmrun, folder, name, identity, access } = plan;
    const { protocol, app, gateway, tunnel, tls } = inputs;
    const { childEnvironments } = host;
    return {
        folder,
        name,
        controlToken: (0,external_node_crypto_.randomBytes)(TOKEN_BYTES).toString('hex'),
        logLevel: inputs.logLevel,
        exposure: {
            protocol,
            spec: describeSpec(app, wasmrun),
            env: app.env,
            baseEnvironment: needsWasmrun(app.mode) ? childEnvironments.wasmrun : childEnvironments.program,
            healthPath: app.healthPath,
            startupTimeoutMs: app.startupTimeoutMs,
            durationMs: inputs.durationMs,
            gateway: { access, publicPaths: gateway.publicPaths, maxBodyBytes: gateway.maxBodyBytes },
            tls: tls && { cert: tls.cert, key: tls.key },
            tunnel: {
                servers: [...tunnel.servers],
                identity,
                remotePort: tunnel.remotePort,
                publicUrl: tunnel.publicUrl,
                warm: host.opensSpareConnections,
                threadScript: protocol === 'tcp' ? resolveBundle('visitor-thread') : undefined,
            },
        },
        continueFile: plan.continueFile,
        runner: plan.runner,
        comment: plan.comment,
    };
}
/**
 * Finds or installs wasmrun and resolves with its program file; '' where the app needs none. Rejects with an InputError,
 * an AppError, or the reason of the watch's signal.
 */
async function locateWasmrun(app, host, logger, watch) {
    if (!needsWasmrun(app.mode))
        return '';
    const limit = AbortSignal.timeout(INSTALL_TIMEOUT_MS);
    return findOrInstallWasmrun({
        ...watch,
        version: app.wasmrunVersion,
        pathVariable: host.pathVariable,
        toolCache: host.toolCache,
        tempFolder: host.tempFolder,
        releasesUrl: host.releasesUrl,
        environment: host.childEnvironments.installation,
        logger,
        signal: watch ? AbortSignal.any([watch.signal, limit]) : limit,
    });
}
function needsWasmrun(mode) {
    return mode === 'os' || mode === 'exec';
}
function describeSpec(app, wasmrun) {
    const { mode, path } = app;
    switch (mode) {
        case 'os':
            return {
                mode,
                path,
                wasmrun,
                vm: app.vm,
                browser: app.browser,
                pageHostScript: resolveBundle('page-host'),
            };
        case 'exec':
            return { mode, path, wasmrun, args: app.args };
        case 'web':
            return { mode, path, spa: app.spa, crossOriginIsolation: app.crossOriginIsolation };
        case 'port':
            return { mode, path, port: app.port, command: app.command };
    }
}

;// CONCATENATED MODULE: ./build/js/control/messages.js
// What the control API says about an exposure, on the wire and in outcome.json: one schema for both ends.

const END_REASONS = [
    'job ended',
    'duration over',
    'continue file',
    'stopped',
    'cancelled',
    'runner gone',
];
const PhaseSchema = valibot_dist/* variant */.Oxt('phase', [
    valibot_dist/* object */.Ikc({ phase: valibot_dist/* literal */.euz('starting') }),
    valibot_dist/* object */.Ikc({ phase: valibot_dist/* literal */.euz('live'), live_at: valibot_dist/* string */.YjP(), expires_at: valibot_dist/* nullable */.mee(valibot_dist/* string */.YjP()) }),
    valibot_dist/* object */.Ikc({
        phase: valibot_dist/* literal */.euz('ended'),
        reason: valibot_dist/* picklist */.KIO(END_REASONS),
        live_at: valibot_dist/* nullable */.mee(valibot_dist/* string */.YjP()),
        ended_at: valibot_dist/* string */.YjP(),
    }),
    valibot_dist/* object */.Ikc({
        phase: valibot_dist/* literal */.euz('failed'),
        reason: valibot_dist/* string */.YjP(),
        last_lines: valibot_dist/* array */.YOg(valibot_dist/* string */.YjP()),
        live_at: valibot_dist/* nullable */.mee(valibot_dist/* string */.YjP()),
        ended_at: valibot_dist/* string */.YjP(),
    }),
]);
const messages_StateMessageSchema = valibot_dist/* object */.Ikc({
    mode: valibot_dist/* picklist */.KIO(['os', 'exec', 'web', 'port']),
    /** wasmrun's word for the tunnel. */
    status: valibot_dist/* picklist */.KIO(['Not started', 'Disconnected', 'Connecting', 'Connected', 'Reconnecting', 'Failed']),
    public_url: valibot_dist/* nullable */.mee(valibot_dist/* string */.YjP()),
    preview_url: valibot_dist/* nullable */.mee(valibot_dist/* string */.YjP()),
    public_host: valibot_dist/* nullable */.mee(valibot_dist/* string */.YjP()),
    public_port: valibot_dist/* nullable */.mee(valibot_dist/* number */.aig()),
    tunnel_reason: valibot_dist/* nullable */.mee(valibot_dist/* string */.YjP()),
    verified: valibot_dist/* nullable */.mee(valibot_dist/* boolean */.zMY()),
    doubt: valibot_dist/* nullable */.mee(valibot_dist/* picklist */.KIO(['silent', 'unproved', 'app away'])),
    app: valibot_dist/* object */.Ikc({
        status: valibot_dist/* picklist */.KIO(['starting', 'running', 'restarting', 'stopped', 'failed']),
        port: valibot_dist/* nullable */.mee(valibot_dist/* number */.aig()),
        reason: valibot_dist/* nullable */.mee(valibot_dist/* string */.YjP()),
    }),
    restarts: valibot_dist/* number */.aig(),
    reconnects: valibot_dist/* number */.aig(),
    address_changes: valibot_dist/* number */.aig(),
    visits: valibot_dist/* number */.aig(),
    warnings: valibot_dist/* array */.YOg(valibot_dist/* string */.YjP()),
    exposure: PhaseSchema,
});
function describeState(state) {
    const { tunnel, app } = state;
    const hasAddress = tunnel.status === 'Connected' || tunnel.status === 'Reconnecting';
    return {
        mode: state.mode,
        status: tunnel.status,
        public_url: hasAddress ? (state.url ?? null) : null,
        preview_url: hasAddress ? (state.link ?? null) : null,
        public_host: hasAddress ? tunnel.host : null,
        public_port: hasAddress ? tunnel.port : null,
        tunnel_reason: ('reason' in tunnel ? tunnel.reason : undefined) ?? null,
        verified: state.verified ?? null,
        doubt: state.doubt ?? null,
        app: {
            status: app.status,
            port: app.status === 'running' && app.upstream.kind === 'address' ? app.upstream.port : null,
            reason: 'reason' in app ? app.reason : null,
        },
        restarts: state.restarts,
        reconnects: state.reconnects,
        address_changes: state.moves,
        visits: state.visits,
        warnings: [...state.warnings],
        exposure: describePhase(state.phase),
    };
}
function describePhase(phase) {
    if (phase.phase === 'starting')
        return phase;
    const live_at = phase.liveAt?.toISOString() ?? null;
    if (phase.phase === 'live')
        return {
            phase: 'live',
            live_at: phase.liveAt.toISOString(),
            expires_at: phase.expiresAt?.toISOString() ?? null,
        };
    const ended_at = phase.endedAt.toISOString();
    if (phase.phase === 'ended')
        return { phase: 'ended', reason: phase.reason, live_at, ended_at };
    return { phase: 'failed', reason: phase.reason, last_lines: [...phase.lastLines], live_at, ended_at };
}
/** The state a message was made from, fit for reading: an upstream behind it cannot be called. */
function reviveState(message) {
    return {
        mode: message.mode,
        phase: revivePhase(message.exposure),
        tunnel: reviveTunnel(message),
        app: reviveApp(message.app),
        url: message.public_url ?? undefined,
        link: message.preview_url ?? undefined,
        verified: message.verified ?? undefined,
        doubt: message.doubt ?? undefined,
        restarts: message.restarts,
        reconnects: message.reconnects,
        moves: message.address_changes,
        visits: message.visits,
        warnings: message.warnings,
    };
}
function revivePhase(exposure) {
    if (exposure.phase === 'starting')
        return exposure;
    const liveAt = exposure.live_at === null ? {} : { liveAt: new Date(exposure.live_at) };
    if (exposure.phase === 'live') {
        const expiresAt = exposure.expires_at === null ? {} : { expiresAt: new Date(exposure.expires_at) };
        return { phase: 'live', liveAt: new Date(exposure.live_at), ...expiresAt };
    }
    const endedAt = new Date(exposure.ended_at);
    if (exposure.phase === 'ended')
        return { phase: 'ended', reason: exposure.reason, ...liveAt, endedAt };
    return { phase: 'failed', reason: exposure.reason, lastLines: exposure.last_lines, ...liveAt, endedAt };
}
function reviveTunnel(message) {
    const { status, public_host: host, public_port: port, tunnel_reason } = message;
    const reason = tunnel_reason ?? '';
    if (status === 'Connected' && host !== null && port !== null)
        return { status, host, port };
    if (status === 'Reconnecting' && host !== null && port !== null)
        return { status, host, port, reason };
    if (status === 'Failed')
        return { status, reason };
    return { status: status === 'Not started' || status === 'Connecting' ? status : 'Disconnected' };
}
function reviveApp({ status, port, reason }) {
    switch (status) {
        case 'running':
            return { status, upstream: { kind: 'address', host: '127.0.0.1', port: port ?? 0 } };
        case 'restarting':
            return { status, reason: reason ?? '', attempt: 0 };
        case 'failed':
            return { status, reason: reason ?? '', lastLines: [] };
        default:
            return { status };
    }
}

;// CONCATENATED MODULE: ./build/js/shared/processes.js
// Processes by id, safe against recycled ids.
// A pid alone names nobody: it is trusted only together with the start time it was recorded with.



const processes_POLL_MS = 25;
/** When the process began, in a form that only serves comparison; undefined when there is no such process. */
function readStartTime(pid) {
    try {
        if (process.platform === 'linux')
            return readProcStat(pid)?.startTime;
        const [command, args] = process.platform === 'win32'
            ? ['powershell.exe', ['-NoProfile', '-Command', `(Get-Process -Id ${pid}).StartTime.Ticks`]]
            : ['ps', ['-o', 'lstart=', '-p', String(pid)]];
        const text = (0,external_node_child_process_.execFileSync)(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
        return text.trim() || undefined;
    }
    catch {
        return undefined;
    }
}
/** Linux: parent, group and start time (proc(5) fields 4, 5, 22: clock ticks since boot); undefined for zombies. */
function readProcStat(pid) {
    const stat = (0,external_node_fs_.readFileSync)(`/proc/${pid}/stat`, 'utf8');
    // The command's name may hold spaces and parentheses: fields are counted from its last ')'.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTime = fields[19];
    if (fields[0] === 'Z' || startTime === undefined)
        return undefined;
    return { parent: Number(fields[1]), group: Number(fields[2]), startTime };
}
function recordProcess(pid, role) {
    return { pid, startTime: readStartTime(pid) ?? 'unknown', role };
}
/** Whether the very process of the record still runs. */
function isAlive(record) {
    return readStartTime(record.pid) === record.startTime;
}
/**
 * Ends the process and its group: SIGTERM, then SIGKILL after `graceMs`. A group whose leader is gone is ended too:
 * its number cannot be given to another process while the group has members. Resolves when nothing is left or after
 * another `graceMs`.
 */
async function endProcess(record, graceMs) {
    for (const signal of ['SIGTERM', 'SIGKILL']) {
        if (!isPresent(record))
            return;
        signalGroup(record.pid, signal);
        for (const end = performance.now() + graceMs; performance.now() < end && isPresent(record);)
            await (0,external_node_timers_promises_.setTimeout)(processes_POLL_MS);
    }
}
/** Whether the process of the record, or a member of its group, still runs. */
function isPresent(record) {
    const startTime = readStartTime(record.pid);
    if (startTime !== undefined)
        return startTime === record.startTime;
    return process.platform === 'linux' && hasMembers(record.pid);
}
function signalGroup(pid, signal) {
    for (const target of process.platform === 'win32' ? [pid] : [-pid, pid]) {
        try {
            process.kill(target, signal);
        }
        catch {
            // gone already, or never a group of its own
        }
    }
}
/** Linux: whether a process group has living members. */
function hasMembers(group) {
    return (0,external_node_fs_.readdirSync)('/proc').some(entry => {
        try {
            return /^\d+$/.test(entry) && readProcStat(Number(entry))?.group === group;
        }
        catch {
            return false; // gone between the two reads
        }
    });
}
/**
 * The nearest ancestor of this process with that name. A parent is not taken for its place alone: under a shell or a
 * container it may end long before the job. Linux only; elsewhere undefined.
 */
function findAncestor(name) {
    if (process.platform !== 'linux')
        return undefined;
    try {
        for (let pid = process.ppid; pid > 1; pid = readProcStat(pid)?.parent ?? 0)
            if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name)
                return recordProcess(pid, name);
    }
    catch {
        // an ancestor that may not be read is no answer
    }
    return undefined;
}

;// CONCATENATED MODULE: ./build/js/supervisor/session.js
// The folder of one exposure on this machine, by which main, post, stop and the `expose` command find it.
//
//   expose-XXXXXX/   0700, in RUNNER_TEMP or the system's temp folder
//     session.json   how to reach it (0600: it holds the control token)
//     journal        every process it started
//     expose.log     what it said
//     outcome.json   its last state, written when it ends; blank before, so that its place on the disk is there then
//     bin/           the `expose` command for later steps
//     app/           whatever the app needs: staged copy, profile of the browser






const PREFIX = 'expose-';
/** More than a last state takes, with twenty lines of the app at their longest, 1,000 characters of up to six bytes. */
const OUTCOME_BYTES = 160 * 1024;
const SessionSchema = valibot_dist/* object */.Ikc({
    /** What people see; not unique. */
    name: valibot_dist/* string */.YjP(),
    pid: valibot_dist/* number */.aig(),
    startTime: valibot_dist/* string */.YjP(),
    controlUrl: valibot_dist/* pipe */.FsL(valibot_dist/* string */.YjP(), valibot_dist/* regex */.yGV(/^http:\/\/127\.0\.0\.1:\d{1,5}$/)),
    controlToken: valibot_dist/* string */.YjP(),
});
/** The files of a session folder. */
function sessionFiles(folder) {
    return {
        session: (0,external_node_path_.join)(folder, 'session.json'),
        journal: (0,external_node_path_.join)(folder, 'journal'),
        log: (0,external_node_path_.join)(folder, 'expose.log'),
        outcome: (0,external_node_path_.join)(folder, 'outcome.json'),
        bin: (0,external_node_path_.join)(folder, 'bin'),
        app: (0,external_node_path_.join)(folder, 'app'),
    };
}
/** Makes a folder only this user can enter. */
function createSessionFolder(parent) {
    (0,external_node_fs_.mkdirSync)(parent, { recursive: true });
    const folder = (0,external_node_fs_.mkdtempSync)((0,external_node_path_.join)(parent, PREFIX));
    (0,external_node_fs_.mkdirSync)(sessionFiles(folder).app, { mode: 0o700 });
    (0,external_node_fs_.writeFileSync)(sessionFiles(folder).outcome, ' '.repeat(OUTCOME_BYTES), { mode: 0o600 });
    return folder;
}
function writeSession(folder, session) {
    (0,external_node_fs_.writeFileSync)(sessionFiles(folder).session, JSON.stringify(session), { mode: 0o600, flag: 'wx' });
}
/** The session of a folder, or undefined where it got no further than the folder. */
function readSession(folder) {
    return readDocument(sessionFiles(folder).session, SessionSchema);
}
/**
 * The last state: for post, and for `expose status` after the end. Written over the blanks that were put there at the
 * start: on a full disk there is no room for a new file, and post would take the supervisor for killed.
 */
function writeOutcome(folder, state) {
    const text = Buffer.from(JSON.stringify(describeState(state)).padEnd(OUTCOME_BYTES));
    const file = (0,external_node_fs_.openSync)(sessionFiles(folder).outcome, external_node_fs_.constants.O_WRONLY | external_node_fs_.constants.O_CREAT, 0o600);
    try {
        if ((0,external_node_fs_.writeSync)(file, text, 0, text.length, 0) < text.length)
            throw new Error('no space is left');
    }
    finally {
        (0,external_node_fs_.closeSync)(file);
    }
}
function readOutcome(folder) {
    return readDocument(sessionFiles(folder).outcome, messages_StateMessageSchema);
}
function readDocument(file, schema) {
    if (!(0,external_node_fs_.existsSync)(file))
        return undefined;
    try {
        return valibot_dist/* parse */.qgA(schema, JSON.parse((0,external_node_fs_.readFileSync)(file, 'utf8')));
    }
    catch {
        return undefined; // a document cut off in mid-write is as good as none
    }
}
/**
 * The folder a command is meant for: of those with the wanted name, or of all, the only one; running ones win over
 * ended ones.
 * Throws an InputError that lists them where there are several.
 */
function chooseSession(parent, wanted) {
    const all = listSessions(parent);
    const meant = wanted ? all.filter(one => isCalled(one, wanted)) : all;
    if (wanted && meant.length === 0)
        throw new errors/* InputError */.dz(`no exposure is called '${wanted}' here; there ${describeList(all)}`);
    const running = meant.filter(isRunning);
    const candidates = running.length > 0 ? running : meant;
    const [only] = candidates;
    if (only === undefined)
        throw new errors/* InputError */.dz(`nothing is exposed here (looked for ${(0,external_node_path_.join)(parent, `${PREFIX}*`)}): start it first`);
    if (candidates.length > 1)
        throw new errors/* InputError */.dz(`several exposures are here, say which with \`session\`: there ${describeList(candidates)}`);
    return only;
}
/** One that has ended is over, although its process may still be busy with the last word in the comment. */
function isRunning({ folder, session }) {
    return isAlive(session) && readOutcome(folder) === undefined;
}
/** By the `session` output, the folder's path or name, or the name people see, which several may have. */
function isCalled({ folder, session }, wanted) {
    return [sessionFiles(folder).session, folder, (0,external_node_path_.basename)(folder), session.name].includes(wanted);
}
/** All that got as far as an API; a skipped preview leaves none. */
function listSessions(parent) {
    if (!(0,external_node_fs_.existsSync)(parent))
        return [];
    return (0,external_node_fs_.readdirSync)(parent)
        .filter(entry => entry.startsWith(PREFIX) && isPrivate((0,external_node_path_.join)(parent, entry)))
        .flatMap(entry => {
        const folder = (0,external_node_path_.join)(parent, entry);
        const session = readSession(folder);
        return session ? [{ folder, session }] : [];
    });
}
/** Whether only this user can have written there: anybody can make a folder of that name in a shared temp folder. */
function isPrivate(folder) {
    if (process.getuid === undefined)
        return true; // Windows: its temp folder is the user's own
    const found = (0,external_node_fs_.lstatSync)(folder, { throwIfNoEntry: false });
    return found?.isDirectory() === true && found.uid === process.getuid() && (found.mode & 0o077) === 0;
}
function describeList(all) {
    return all.length === 0
        ? 'are none'
        : `are ${all.map(one => `${(0,external_node_path_.basename)(one.folder)} (${one.session.name})`).join(', ')}`;
}
/** Writes the `expose` command for later steps: this very bundle, run by this very Node. Returns the folder for PATH. */
function writeCommand(folder, cliScript) {
    const { bin } = sessionFiles(folder);
    mkdirSync(bin, { recursive: true, mode: 0o700 });
    const quoted = [process.execPath, cliScript].map(path => `'${path.replaceAll("'", `'\\''`)}'`).join(' ');
    writeFileSync(join(bin, 'expose'), `#!/bin/sh\nexec ${quoted} "$@"\n`);
    chmodSync(join(bin, 'expose'), 0o755);
    writeFileSync(join(bin, 'expose.cmd'), `@"${process.execPath}" "${cliScript}" %*\r\n`);
    return bin;
}

;// CONCATENATED MODULE: ./build/js/shared/reset.js
// Leaving a connection so that the other side knows at once. Used wherever tunnel, gateway or our bore server hangs up.
/**
 * Sends a reset, for which nobody has to read what was sent before. A socket whose end is on its way out is destroyed
 * instead: libuv refuses to reset it (EINVAL), and Node.js 24 then takes it for closed, so that the other side hears
 * nothing and the process never exits. One that is still being dialled is destroyed, too: Node.js would wait for the
 * connection in order to reset it, on a dead link for two minutes.
 */
function resetSocket(socket) {
    if (socket.connecting || (socket.writableEnded && !socket.writableFinished))
        socket.destroy();
    else
        socket.resetAndDestroy();
}

;// CONCATENATED MODULE: ./build/js/tunnel/wire/frame-reader.js
// Reads frames off a socket: one by one in a handshake, then as they come, or not at all. Used by session.ts, and
// by server.ts on the other side.

/** No frame came: the other side hung up, or time was over. `said` are the bytes that were no frame yet. */
class NoFrame extends Error {
    why;
    said;
    constructor(why, said, options) {
        super(why === 'ended' ? 'the connection was closed' : 'nothing came in time', options);
        this.name = 'NoFrame';
        this.why = why;
        this.said = said;
    }
}
/** Expects that nobody else reads the socket, and that it has an 'error' handler. */
class FrameReader {
    #socket;
    #decoder = new FrameDecoder();
    constructor(socket) {
        this.#socket = socket;
    }
    /** Waits for one frame and consumes nothing behind it. Rejects with NoFrame or FrameTooLong. */
    async next(timeoutMs) {
        const { promise, resolve, reject } = Promise.withResolvers();
        const fail = (why) => reject(new NoFrame(why, this.#decoder.takeRest(), { cause: this.#socket.errored ?? undefined }));
        const look = () => {
            try {
                const frame = this.#take();
                if (frame !== undefined)
                    resolve(frame);
                else if (this.#socket.destroyed || this.#socket.readableEnded)
                    fail('ended');
            }
            catch (error) {
                reject(error);
            }
        };
        let isOver = false;
        // After a stall of this process the timer comes first, and what arrived in time is still to be read.
        const timer = setTimeout(() => setImmediate(() => isOver || fail('timeout')), timeoutMs);
        const events = ['readable', 'end', 'close'];
        for (const event of events)
            this.#socket.on(event, look);
        look();
        try {
            return await promise;
        }
        finally {
            isOver = true;
            clearTimeout(timer);
            for (const event of events)
                this.#socket.off(event, look);
        }
    }
    /** From now on every frame is handed over as it comes; `onBroken` gets what is no frame at all, once. */
    follow(onFrame, onBroken) {
        const onData = (chunk) => {
            try {
                this.#decoder.push(chunk);
                for (let frame = this.#decoder.next(); frame; frame = this.#decoder.next())
                    onFrame(frame);
            }
            catch (error) {
                this.#socket.off('data', onData).resume();
                onBroken(error);
            }
        };
        this.#socket.on('data', onData);
        onData(Buffer.alloc(0)); // what came behind the last frame that was waited for
    }
    /** Gives the socket back: what was read too far is put back in front. */
    release() {
        const rest = this.#decoder.takeRest();
        if (rest.length > 0)
            this.#socket.unshift(rest);
    }
    #take() {
        for (;;) {
            const frame = this.#decoder.next();
            if (frame !== undefined)
                return frame;
            const chunk = this.#socket.read();
            if (!Buffer.isBuffer(chunk))
                return undefined;
            this.#decoder.push(chunk);
        }
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/server/pending-visitors.js
// The visitors of our bore server: waiting for somebody to accept them, or connected. Used by server.ts.



class PendingVisitors {
    #max;
    #waiting = new Map();
    #all = new Set();
    constructor(max) {
        this.#max = max;
    }
    /** Visitors waiting or connected. */
    get size() {
        return this.#all.size;
    }
    /** Keeps a visitor, paused, for PENDING_VISITOR_MS; the id, or undefined where they had to be turned away. */
    add(visitor) {
        visitor.on('error', () => { });
        if (this.#all.size >= this.#max) {
            resetSocket(visitor);
            return undefined;
        }
        const id = (0,external_node_crypto_.randomUUID)();
        const timer = setTimeout(() => visitor.destroy(), PENDING_VISITOR_MS);
        this.#all.add(visitor);
        this.#waiting.set(id, { visitor, timer });
        visitor.once('close', () => {
            clearTimeout(timer);
            this.#waiting.delete(id);
            this.#all.delete(visitor);
        });
        return id;
    }
    /** Joins the visitor `id` with `socket`, both directions to their ends. False where nobody of that id waits. */
    connect(id, socket) {
        const waiting = this.#waiting.get(id);
        if (waiting === undefined)
            return false;
        clearTimeout(waiting.timer);
        this.#waiting.delete(id);
        pending_visitors_join(socket, waiting.visitor);
        return true;
    }
    stop() {
        for (const visitor of this.#all)
            resetSocket(visitor);
    }
}
/** Ends are passed on one by one; a connection that breaks takes the other with it. */
function pending_visitors_join(one, other) {
    for (const [from, to] of [
        [one, other],
        [other, one],
    ]) {
        from.pipe(to);
        from.once('close', () => {
            if (!from.readableEnded)
                resetSocket(to);
            else if (!from.writableFinished)
                to.destroy();
        });
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/server/server.js
// A bore-compatible server: for `expose demo`, `expose server` and the tests. Behaves like the real one (bore 0.6.0,
// src/server.rs), but frees a port as soon as its owner hangs up. One failing connection never harms another.








/** Like the real server: enough to find a free port among many taken ones. */
const RANDOM_PORT_ATTEMPTS = 150;
/** Resolves when it listens; rejects with the error of node:net where it cannot. */
async function startBoreServer(options = {}) {
    const host = options.host ?? '127.0.0.1';
    const server = new Bore(options, host);
    const controlPort = await server.listen(options.controlPort ?? 0);
    return {
        host,
        controlPort,
        get tunnels() {
            return server.tunnels;
        },
        get visitors() {
            return server.visitors;
        },
        stop: () => server.stop(),
    };
}
class Bore {
    #host;
    #bindTunnels;
    #range;
    #key;
    #logger;
    #pending;
    #sockets = new Set();
    #ports = new Set();
    #control;
    constructor(options, host) {
        this.#host = host;
        this.#bindTunnels = options.bindTunnels ?? host;
        this.#range = [options.minPort ?? 1_024, options.maxPort ?? 65_535];
        this.#key = options.secret === undefined ? undefined : deriveKey(options.secret);
        this.#logger = options.logger;
        this.#pending = new PendingVisitors(options.maxVisitors ?? 1_024);
        this.#control = (0,external_node_net_.createServer)({ allowHalfOpen: true, noDelay: true }, socket => void this.#serve(socket));
    }
    get tunnels() {
        return this.#ports.size;
    }
    get visitors() {
        return this.#pending.size;
    }
    async listen(port) {
        await (0,external_node_events_.once)(this.#control.listen(port, this.#host), 'listening');
        return readPort(this.#control);
    }
    async stop() {
        const servers = [this.#control, ...this.#ports];
        const closed = servers.map(server => new Promise(resolve => server.close(resolve)));
        for (const socket of this.#sockets)
            resetSocket(socket);
        this.#pending.stop();
        await Promise.all(closed);
    }
    async #serve(socket) {
        this.#sockets.add(socket);
        socket.on('error', () => { }).once('close', () => this.#sockets.delete(socket));
        const reader = new FrameReader(socket);
        try {
            const refusal = this.#key && (await challenge(socket, reader, this.#key));
            if (refusal !== undefined)
                return refuse(socket, refusal);
            const request = await readRequest(reader);
            if (request !== undefined && 'Hello' in request)
                return await this.#openPort(socket, request.Hello);
            if (request === undefined || !('Accept' in request))
                return void socket.destroy();
            reader.release();
            if (!this.#pending.connect(request.Accept, socket))
                socket.destroy();
        }
        catch (error) {
            this.#logger?.debug(`a connection was dropped: ${String(error)}`);
            socket.destroy();
        }
    }
    async #openPort(control, wanted) {
        const listener = (0,external_node_net_.createServer)({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, visitor => {
            const id = this.#pending.add(visitor);
            if (id !== undefined)
                send(control, { Connection: id });
        });
        const refusal = await this.#listenWithin(listener, wanted);
        if (refusal !== undefined)
            return refuse(control, refusal);
        const port = readPort(listener);
        this.#ports.add(listener);
        const heartbeat = setInterval(() => send(control, 'Heartbeat'), HEARTBEAT_INTERVAL_MS);
        const close = () => {
            clearInterval(heartbeat);
            listener.close();
            if (this.#ports.delete(listener))
                this.#logger?.info(`port ${port} is free again`);
            control.destroy();
        };
        control.once('end', close).once('close', close).resume();
        if (control.destroyed)
            return close();
        this.#logger?.info(`port ${port} is open`);
        send(control, { Hello: port });
        send(control, 'Heartbeat');
    }
    /** Undefined when it listens, else what to tell the client. */
    async #listenWithin(listener, wanted) {
        const [min, max] = this.#range;
        if (wanted !== 0) {
            if (wanted < min || wanted > max)
                return ERROR_TEXT.portOutOfRange;
            return await tryListen(listener, wanted, this.#bindTunnels);
        }
        for (let attempt = 0; attempt < RANDOM_PORT_ATTEMPTS; attempt += 1) {
            const port = min + Math.floor(Math.random() * (max - min + 1));
            if ((await tryListen(listener, port, this.#bindTunnels)) === undefined)
                return undefined;
        }
        return ERROR_TEXT.noPortFree;
    }
}
/** Undefined where the client knows the secret, else what to tell it. */
async function challenge(socket, reader, key) {
    const question = crypto.randomUUID();
    send(socket, { Challenge: question });
    const reply = await readRequest(reader);
    if (reply === undefined || !('Authenticate' in reply))
        return ERROR_TEXT.secretRequired;
    const right = Buffer.from(answerChallenge(key, question));
    const given = Buffer.from(reply.Authenticate);
    return given.length === right.length && (0,external_node_crypto_.timingSafeEqual)(given, right)
        ? undefined
        : ERROR_TEXT.invalidSecret;
}
async function readRequest(reader) {
    return decodeClientMessage(await reader.next(NETWORK_TIMEOUT_MS));
}
async function tryListen(listener, port, host) {
    try {
        await (0,external_node_events_.once)(listener.listen(port, host), 'listening');
        return undefined;
    }
    catch (error) {
        if ((0,errors/* hasCode */.up)(error, 'EADDRINUSE'))
            return ERROR_TEXT.portTaken;
        return (0,errors/* hasCode */.up)(error, 'EACCES') ? ERROR_TEXT.portForbidden : ERROR_TEXT.bindFailed;
    }
}
function send(socket, message) {
    if (socket.writable)
        socket.write(encodeFrame(message));
}
function refuse(socket, text) {
    socket.end(encodeFrame({ Error: text }), () => socket.destroy());
}
function readPort(server) {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
}

;// CONCATENATED MODULE: ./build/js/shared/secrets.js
// What is done with secrets: they are compared without telling, by the time it takes, how much of a guess was right,
// and hidden from logs. Used by gateway, inputs and exposure.

/** A shorter line of a key tells nothing, and masking it would blank out half the log. */
const MIN_HIDDEN_LENGTH = 8;
/** Whatever the lengths; for keys, passwords and MACs. */
function isSame(given, wanted) {
    return (0,external_node_crypto_.timingSafeEqual)((0,external_node_crypto_.hash)('sha256', given, 'buffer'), (0,external_node_crypto_.hash)('sha256', wanted, 'buffer'));
}
/** Everything of a key that must be hidden from logs: the whole of it, and each line, as the runner masks by lines. */
function listKeyTexts(key) {
    const lines = key.split('\n').map(line => line.trim());
    return [key.trim(), ...lines].filter(text => text.length >= MIN_HIDDEN_LENGTH && !/^-----.*-----$/.test(text));
}

;// CONCATENATED MODULE: ./build/js/exposure/config.js
// What one exposure has to know: the app, who may come in, and the servers. A part of the supervisor's document, and
// checked with it.




const Port = valibot_dist/* pipe */.FsL(valibot_dist/* number */.aig(), valibot_dist/* integer */.ndf(), valibot_dist/* minValue */.Wwf(1), valibot_dist/* maxValue */.cGV(65_535));
const Milliseconds = valibot_dist/* pipe */.FsL(valibot_dist/* number */.aig(), valibot_dist/* minValue */.Wwf(0), valibot_dist/* maxValue */.cGV(MAX_DURATION_MS));
const Environment = valibot_dist/* record */.g1P(valibot_dist/* string */.YjP(), valibot_dist/* string */.YjP());
const AppSpecSchema = valibot_dist/* variant */.Oxt('mode', [
    valibot_dist/* object */.Ikc({
        mode: valibot_dist/* literal */.euz('os'),
        path: valibot_dist/* string */.YjP(),
        wasmrun: valibot_dist/* string */.YjP(),
        vm: valibot_dist/* picklist */.KIO(['auto', 'node', 'browser']),
        browser: valibot_dist/* optional */.lqM(valibot_dist/* string */.YjP()),
        pageHostScript: valibot_dist/* string */.YjP(),
    }),
    valibot_dist/* object */.Ikc({ mode: valibot_dist/* literal */.euz('exec'), path: valibot_dist/* string */.YjP(), wasmrun: valibot_dist/* string */.YjP(), args: valibot_dist/* array */.YOg(valibot_dist/* string */.YjP()) }),
    valibot_dist/* object */.Ikc({ mode: valibot_dist/* literal */.euz('web'), path: valibot_dist/* string */.YjP(), spa: valibot_dist/* boolean */.zMY(), crossOriginIsolation: valibot_dist/* boolean */.zMY() }),
    valibot_dist/* object */.Ikc({
        mode: valibot_dist/* literal */.euz('port'),
        path: valibot_dist/* string */.YjP(),
        port: valibot_dist/* optional */.lqM(Port),
        command: valibot_dist/* optional */.lqM(valibot_dist/* string */.YjP()),
    }),
]);
const ExposureConfigSchema = valibot_dist/* object */.Ikc({
    /** `tcp`: visitors' bytes go to the app as they are. */
    protocol: valibot_dist/* picklist */.KIO(PROTOCOLS),
    spec: AppSpecSchema,
    env: Environment,
    baseEnvironment: Environment,
    /** Absent where an accepting port is enough. */
    healthPath: valibot_dist/* optional */.lqM(valibot_dist/* string */.YjP()),
    startupTimeoutMs: Milliseconds,
    /** From "live" on; absent: until it is stopped. */
    durationMs: valibot_dist/* optional */.lqM(Milliseconds),
    /** What the gateway is told; with `protocol: tcp` there is none. */
    gateway: valibot_dist/* object */.Ikc({
        access: valibot_dist/* variant */.Oxt('kind', [
            valibot_dist/* object */.Ikc({ kind: valibot_dist/* literal */.euz('open') }),
            valibot_dist/* object */.Ikc({
                kind: valibot_dist/* literal */.euz('link'),
                key: valibot_dist/* string */.YjP(),
                /** Made for this run, and as public as the link it is part of; a given one is shown nowhere. */
                isGenerated: valibot_dist/* boolean */.zMY(),
            }),
            valibot_dist/* object */.Ikc({ kind: valibot_dist/* literal */.euz('basic'), user: valibot_dist/* string */.YjP(), password: valibot_dist/* string */.YjP() }),
        ]),
        publicPaths: valibot_dist/* array */.YOg(valibot_dist/* string */.YjP()),
        maxBodyBytes: valibot_dist/* pipe */.FsL(valibot_dist/* number */.aig(), valibot_dist/* minValue */.Wwf(1)),
    }),
    /** PEM; absent: visitors speak plain HTTP with us. */
    tls: valibot_dist/* optional */.lqM(valibot_dist/* object */.Ikc({ cert: valibot_dist/* string */.YjP(), key: valibot_dist/* string */.YjP() })),
    tunnel: valibot_dist/* object */.Ikc({
        servers: valibot_dist/* pipe */.FsL(valibot_dist/* array */.YOg(valibot_dist/* object */.Ikc({
            address: valibot_dist/* object */.Ikc({ host: valibot_dist/* string */.YjP(), port: Port }),
            secret: valibot_dist/* optional */.lqM(valibot_dist/* string */.YjP()),
        })), valibot_dist/* minLength */.BpQ(1)),
        /** Names the preview, the same in every run. */
        identity: valibot_dist/* string */.YjP(),
        remotePort: valibot_dist/* variant */.Oxt('kind', [
            valibot_dist/* object */.Ikc({ kind: valibot_dist/* literal */.euz('fixed'), port: Port }),
            valibot_dist/* object */.Ikc({ kind: valibot_dist/* literal */.euz('random') }),
            valibot_dist/* object */.Ikc({ kind: valibot_dist/* literal */.euz('auto'), min: Port, max: Port }),
        ]),
        /** Template with `{host}` and `{port}`. */
        publicUrl: valibot_dist/* string */.YjP(),
        /** Whether connections to a far server may be opened ahead of visitors; yes where absent. */
        warm: valibot_dist/* optional */.lqM(valibot_dist/* boolean */.zMY()),
        /** The program of a second thread for raw visitors; absent: one thread for all. */
        threadScript: valibot_dist/* optional */.lqM(valibot_dist/* string */.YjP()),
    }),
});
/** What of it may stand in no log; a generated key is part of the link, which everybody may read. */
function listSecrets({ tunnel, gateway, tls }) {
    const { access } = gateway;
    return [
        ...tunnel.servers.flatMap(({ secret }) => secret ?? []),
        ...(access.kind === 'link' && !access.isGenerated ? [access.key] : []),
        ...(access.kind === 'basic' ? [access.password] : []),
        ...listKeyTexts(tls?.key ?? ''),
    ];
}

;// CONCATENATED MODULE: ./build/js/shared/folders.js
// Removing a folder that something may still hold on to. Used by the exposure, the app and the entries.




/**
 * An open file keeps its folder on Windows, a `.nfs` file on NFS; both are mostly gone a moment later. Counted here, for
 * with its own `maxRetries` Node waits anew at every level of a tree, which took a minute where a mount was in it.
 */
const ATTEMPTS = 3;
const RETRY_DELAY_MS = 200;
/** Removes it with everything in it, if it is there. Resolves with what is left, and why, for a warning; never rejects. */
async function removeFolder(folder) {
    for (let attempt = 1;; attempt += 1) {
        try {
            await (0,promises_.rm)(folder, { recursive: true, force: true });
            return undefined;
        }
        catch (error) {
            if (attempt === ATTEMPTS)
                return `${sanitise(folder)} could not be removed: ${sanitise((0,errors/* describeError */.Uc)(error))}`;
            await (0,external_node_timers_promises_.setTimeout)(RETRY_DELAY_MS);
        }
    }
}

// EXTERNAL MODULE: ./build/js/shared/output.js
var output = __webpack_require__(8185);
;// CONCATENATED MODULE: ./build/js/supervisor/journal.js
// The journal of an exposure's processes, from which post ends what a killed owner left behind.



const ProcessRecordSchema = valibot_dist/* object */.Ikc({
    pid: valibot_dist/* pipe */.FsL(valibot_dist/* number */.aig(), valibot_dist/* integer */.ndf(), valibot_dist/* minValue */.Wwf(2)),
    startTime: valibot_dist/* string */.YjP(),
    role: valibot_dist/* string */.YjP(),
});
/** Appends to the journal (0600) in the turn of the spawn, so that no child is unknown when its owner dies. */
function writeJournal(file, record) {
    (0,external_node_fs_.appendFileSync)(file, `${JSON.stringify(record)}\n`, { mode: 0o600 });
}
/** The journal's records, newest first; a torn last line is skipped. */
function readJournal(file) {
    let text;
    try {
        text = (0,external_node_fs_.readFileSync)(file, 'utf8');
    }
    catch {
        return [];
    }
    return text
        .split('\n')
        .flatMap(line => {
        try {
            return [valibot_dist/* parse */.qgA(ProcessRecordSchema, JSON.parse(line))];
        }
        catch {
            return [];
        }
    })
        .reverse();
}
/** Ends every recorded process that is still there; returns those that had been. */
async function reapJournal(file, graceMs) {
    const left = readJournal(file).filter(isPresent);
    await Promise.all(left.map(record => endProcess(record, graceMs)));
    return left;
}

// EXTERNAL MODULE: external "node:http"
var external_node_http_ = __webpack_require__(7067);
;// CONCATENATED MODULE: ./build/js/control/api.js
// The control API on the runner's loopback: wasmrun's three tunnel routes and what an exposure adds to them.
// openapi.yaml describes it for people and is held to it by a test. Used by supervisor and cli.




const ROUTES = {
    'POST /api/tunnel/start': startTunnel,
    'GET /api/tunnel/status': showTunnel,
    'POST /api/tunnel/stop': stopTunnel,
    'POST /api/stop': stopExposure,
    'GET /api/app': showApp,
    'GET /api/events': streamEvents,
};
/** The routes as `METHOD path`, for the test that compares them with openapi.yaml. */
const ROUTE_NAMES = Object.keys(ROUTES);
// A quiet stream is told from a dead one by a comment line now and then.
const KEEPALIVE_MS = 15_000;
/** Whoever asked for the end still reads the answer. */
const CLOSE_GRACE_MS = 1_000;
/** The ends a caller may give as `reason`. */
const CALLER_REASONS = ['stopped', 'job ended', 'cancelled'];
/** Listens on a free port of 127.0.0.1. Every request must carry `Authorization: Bearer TOKEN`. */
async function startControlApi(controls, token) {
    const streams = new Set();
    const server = (0,external_node_http_.createServer)((request, response) => {
        const query = new URLSearchParams(request.url?.split('?')[1]);
        void answer({ controls, streams, query, request, response }, token);
    });
    await new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address();
    return {
        url: `http://127.0.0.1:${port}`,
        stop: () => closeServer(server, streams),
    };
}
function closeServer(server, streams) {
    for (const stream of streams)
        stream.end();
    return new Promise(resolve => {
        const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
        server.close(() => {
            clearTimeout(timer);
            resolve();
        });
    });
}
async function answer(call, token) {
    const { request, response } = call;
    response.on('error', () => { }); // a caller who hung up needs no answer
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const route = ROUTES[`${request.method} ${path}`];
    const allowed = ROUTE_NAMES.filter(name => name.endsWith(` ${path}`)).map(name => name.split(' ')[0]);
    // The Host check keeps web pages out that point a name of theirs at 127.0.0.1 (DNS rebinding).
    if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? ''))
        return api_refuse(response, 403, 'this API answers only to its loopback address');
    if (!isAuthorised(request, token))
        return api_refuse(response, 401, 'a bearer token is required: the `control-token` output');
    if (allowed.length === 0)
        return api_refuse(response, 404, `no such route: ${path}`);
    if (route === undefined)
        return api_refuse(response, 405, `use ${allowed.join(' or ')}`, { Allow: allowed.join(', ') });
    try {
        await route(call);
    }
    catch (error) {
        api_refuse(response, error instanceof errors/* TunnelError */.Tm ? 502 : 500, (0,errors/* describeError */.Uc)(error));
    }
}
function isAuthorised(request, token) {
    const given = Buffer.from(request.headers.authorization ?? '');
    const wanted = Buffer.from(`Bearer ${token}`);
    return given.length === wanted.length && (0,external_node_crypto_.timingSafeEqual)(given, wanted);
}
function api_send(response, status, body, headers = {}) {
    response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers });
    response.end(`${JSON.stringify(body)}\n`);
}
function api_refuse(response, status, error, headers) {
    api_send(response, status, { success: false, error }, headers);
}
async function startTunnel({ controls, response }) {
    await controls.startTunnel();
    const { public_url, status } = describeState(controls.state);
    api_send(response, 200, { success: true, public_url, status });
}
function showTunnel({ controls, response }) {
    const { status, public_url, public_port, ...rest } = describeState(controls.state);
    api_send(response, 200, { success: true, status, public_url, public_port, ...rest });
}
async function stopTunnel({ controls, response }) {
    await controls.stopTunnel();
    api_send(response, 200, { success: true, message: 'Tunnel stopped' });
}
async function stopExposure({ controls, query, response }) {
    const given = query.get('reason') ?? 'stopped';
    const reason = CALLER_REASONS.find(known => known === given);
    if (reason === undefined)
        return api_refuse(response, 400, `\`reason\` is one of ${CALLER_REASONS.join(', ')}`);
    await controls.stop(reason);
    api_send(response, 200, { success: true, message: 'Exposure stopped', state: describeState(controls.state) });
}
function showApp({ controls, response }) {
    const { mode, app, restarts } = describeState(controls.state);
    const { pid, console } = controls.describeApp();
    api_send(response, 200, {
        success: true,
        mode,
        pid: pid ?? null,
        port: app.port,
        status: app.status,
        restarts,
        console,
    });
}
/** Server-sent events (WHATWG HTML §9.2): `event: state` with a StateMessage, the present one first. */
function streamEvents({ controls, streams, response }) {
    streams.add(response);
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const write = (state) => response.write(`event: state\ndata: ${JSON.stringify(describeState(state))}\n\n`);
    write(controls.state);
    const unsubscribe = controls.subscribe(write);
    const keepalive = setInterval(() => response.write(':\n\n'), KEEPALIVE_MS);
    response.once('close', () => {
        streams.delete(response);
        unsubscribe();
        clearInterval(keepalive);
    });
}

;// CONCATENATED MODULE: ./build/js/app/process/port-owner.js
// Whose process listens on a port: a program that is still starting may find its port taken, and what answers there
// meanwhile must not be published. Linux only; used by listener.ts.


/** `docker run -p` and its like are answered by a process of the container engine. */
const CONTAINER_PROXIES = ['docker-proxy', 'rootlessport', 'pasta', 'slirp4netns', 'conmon'];
/** proc_pid_net(5): the state LISTEN. */
const LISTEN = '0A';
/**
 * The process that listens on `port` of a loopback host where it is known and not ours; undefined where it is ours, or
 * cannot be told (another user's process, another system).
 */
async function findForeignOwner(address, ours) {
    if (process.platform !== 'linux')
        return undefined;
    const sockets = await listSockets(address);
    if (sockets.size === 0)
        return undefined;
    let foreign;
    for (const pid of (await (0,promises_.readdir)('/proc')).filter(name => /^\d+$/.test(name))) {
        if (!(await holdsSocket(pid, sockets)))
            continue;
        const stat = await readText(`/proc/${pid}/stat`);
        if (await isOurs(pid, stat, ours))
            return undefined;
        foreign = { pid: Number(pid), name: await readName(pid, stat) };
    }
    return foreign;
}
/** As people call it: the first word of its command line, for Node.js names its main thread `MainThread`. */
async function readName(pid, stat) {
    const [command = ''] = (await readText(`/proc/${pid}/cmdline`)).split('\0');
    return (0,external_node_path_.basename)(command) || stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
}
async function isOurs(pid, stat, ours) {
    // proc_pid_stat(5): pid (comm) state ppid pgrp …
    const end = stat.lastIndexOf(')');
    const group = Number(stat.slice(end + 2).split(' ')[2]);
    if (group === ours.group || CONTAINER_PROXIES.includes(stat.slice(stat.indexOf('(') + 1, end)))
        return true;
    return (await readText(`/proc/${pid}/environ`)).split('\0').includes(ours.variable);
}
/** Names of the listening sockets a connection to the address may end at, as links of /proc/PID/fd show them. */
async function listSockets({ host, port }) {
    const files = host === '127.0.0.1' ? ['tcp', 'tcp6'] : ['tcp6'];
    const tables = await Promise.all(files.map(name => readText(`/proc/net/${name}`)));
    const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    const rows = tables.flatMap(table => table.split('\n')).map(line => line.trim().split(/\s+/));
    const listening = rows.filter(row => row[1]?.endsWith(suffix) === true && row[3] === LISTEN);
    return new Set(listening.map(row => `socket:[${row[9] ?? ''}]`));
}
/** False for processes of other users, whose files cannot be seen. */
async function holdsSocket(pid, sockets) {
    const folder = `/proc/${pid}/fd`;
    const files = await (0,promises_.readdir)(folder).catch(() => []);
    for (const file of files)
        if (sockets.has(await (0,promises_.readlink)(`${folder}/${file}`).catch(() => '')))
            return true;
    return false;
}
async function readText(path) {
    return await (0,promises_.readFile)(path, 'utf8').catch(() => '');
}

;// CONCATENATED MODULE: ./build/js/app/process/readiness.js
// When a program counts as up: its port accepts, and its health path answers. Used by app.ts, os.ts, exec.ts, port.ts.



const readiness_POLL_MS = 50;
/** A connection on loopback is accepted at once, or not at all. */
const CONNECT_TIMEOUT_MS = 1_000;
/** A first answer may compile half a project; then the next attempt finds it warm. */
const readiness_ANSWER_TIMEOUT_MS = 10_000;
/** Resolves with the first of `hosts` that accepts on `port`; rejects with the signal's reason. */
async function waitForListening(target, signal) {
    for (;;) {
        signal.throwIfAborted();
        const address = await findListening(target);
        if (address !== undefined)
            return address;
        await (0,external_node_timers_promises_.setTimeout)(readiness_POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
}
/** The first of `hosts` that accepts on `port` right now, or undefined. */
async function findListening(target) {
    for (const host of target.hosts)
        if (await acceptsConnection(host, target.port))
            return { kind: 'address', host, port: target.port };
    return undefined;
}
async function acceptsConnection(host, port) {
    return await new Promise(resolve => {
        const socket = (0,external_node_net_.connect)({ host, port, timeout: CONNECT_TIMEOUT_MS });
        const finish = (accepted) => {
            socket.destroy();
            resolve(accepted);
        };
        socket.once('connect', () => finish(true));
        socket.once('timeout', () => finish(false));
        socket.once('error', () => finish(false));
    });
}
/**
 * Resolves when GET `path` answers with a status below 500. `onAttempt` hears what each attempt gave (`status 502`,
 * `no answer`). Rejects with the signal's reason.
 */
async function waitForHealth(target, signal) {
    for (;;) {
        signal.throwIfAborted();
        const status = await fetchStatus(target.address, target.path, signal);
        if (status !== undefined && status < 500)
            return;
        // An attempt that the end of the time cut off says nothing about the app.
        signal.throwIfAborted();
        target.onAttempt(status === undefined ? 'no answer' : `status ${status}`);
        await (0,external_node_timers_promises_.setTimeout)(readiness_POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
}
/** Asked as the gateway asks later: development servers refuse any Host but localhost. */
async function fetchStatus(address, path, signal) {
    return await new Promise(resolve => {
        const request = (0,external_node_http_.get)({
            host: address.host,
            port: address.port,
            path,
            headers: { host: `localhost:${address.port}`, 'user-agent': 'expose-action' },
            agent: false,
            signal: AbortSignal.any([signal, AbortSignal.timeout(readiness_ANSWER_TIMEOUT_MS)]),
        });
        request.once('response', response => {
            resolve(response.statusCode);
            response.destroy();
        });
        request.once('error', () => resolve(undefined));
    });
}

;// CONCATENATED MODULE: ./build/js/app/process/listener.js
// A child that must come to listen on a port: what `exec` and `port` have in common.





/** An app that listens on `localhost` may be found on either. */
const LOOPBACK_HOSTS = ['127.0.0.1', '::1'];
/**
 * Starts a program and resolves when it listens and is alive. A port that somebody else has, before the start or by
 * the time it accepts, is refused, as is one whose program has ended.
 */
async function startListener(options) {
    const { context, port, role } = options;
    const target = { hosts: LOOPBACK_HOSTS, port };
    const variable = `EXPOSE_URL=${options.environment.EXPOSE_URL ?? ''}`;
    const taken = await findListening(target);
    // Nothing has been started yet: no group is ours.
    if (taken !== undefined)
        throw describeTaken(port, role, await findForeignOwner(taken, { group: 0, variable }));
    context.signal.throwIfAborted();
    const child = await startChild(toChildOptions(options));
    const ended = child.ended.then(end => describeLoss(role, child, end));
    const waitForOwnPort = async (signal) => {
        const upstream = await waitForListening(target, signal);
        const owner = await findForeignOwner(upstream, { group: child.pid, variable });
        if (owner === undefined)
            return upstream;
        throw describeTaken(port, role, owner);
    };
    try {
        const upstream = await raceEnd(waitForOwnPort, ended, context.signal);
        return { upstream, pid: child.pid, ended, stop: () => child.stop() };
    }
    catch (error) {
        await child.stop();
        throw (0,errors/* isTimeout */.kL)(error) ? describeSilence(port, role, child, error) : error;
    }
}
function describeTaken(port, role, owner) {
    const who = owner === undefined ? '' : ` (${sanitise(owner.name)}, ${owner.pid})`;
    return new errors/* AppError */.uV(`port ${port} is taken by another process${who}, so ${role} cannot have it; ` +
        'choose another `port`, or leave `command` out where that process is the app');
}
function describeSilence(port, role, child, cause) {
    return new errors/* AppError */.uV(`${role} did not listen on port ${port} in time; ` +
        'let it listen there on 127.0.0.1, or raise `startup-timeout`', { cause, lastLines: child.lastLines() });
}
function describeLoss(role, child, end) {
    const hint = end.code === 0 ? '; it has to stay in the foreground' : '';
    return new errors/* AppError */.uV(`${role} ended ${describeEnd(end)}${hint}`, {
        lastLines: child.lastLines(),
        ...(end.code === null ? {} : { exitCode: end.code }),
    });
}
function toChildOptions(options) {
    const { command, args, cwd, environment, role, context } = options;
    return { command, args, cwd, environment, role, onLine: context.onOutput, onChild: context.onChild };
}
/** The result of `wait`, unless the program ends first: then the wait is given up and the program's error thrown. */
async function raceEnd(wait, ended, signal) {
    const over = new AbortController();
    const lost = ended.then(error => {
        throw error;
    });
    try {
        return await Promise.race([lost, wait(AbortSignal.any([signal, over.signal]))]);
    }
    finally {
        over.abort();
    }
}

;// CONCATENATED MODULE: ./build/js/app/project/ignore-rules.js
// Which files wasmrun ships into its VM: the rules of wasmrun 1.0.0 (project_files.rs), which are not quite git's.
// Used by staging.ts, so that what the VM will not see can be told before the start.
/** Left out wherever they are, files and folders alike. */
const IGNORED_NAMES = new Set([
    ...['.git', 'node_modules', 'target', 'dist', '__pycache__', '.venv', 'venv', '.DS_Store', '.idea'],
    ...['.vscode', '.cache', '.tox', '.mypy_cache', '.pytest_cache', '.eggs', '.cargo'],
]);
const IGNORED_SUFFIX = '.egg-info';
const IGNORED_EXTENSIONS = new Set(['pyc', 'pyo', 'o', 'so', 'dylib', 'dll', 'exe', 'class', 'jar', 'wasm']);
/** The rules of a project with this `.gitignore` in its root; others further down do not count. */
function parseIgnoreRules(gitignore) {
    const patterns = gitignore
        .split('\n')
        .map(line => line.trim())
        .filter(line => line !== '' && !line.startsWith('#'))
        .map(parsePattern);
    return (path, isFolder) => findBuiltIn(path, isFolder) ?? findPattern(patterns, path, isFolder);
}
function parsePattern(line) {
    const negated = line.startsWith('!');
    const positive = negated ? line.slice(1) : line;
    const foldersOnly = positive.endsWith('/');
    const text = foldersOnly ? positive.slice(0, -1) : positive;
    return { text, tokens: parseTokens(text), foldersOnly, negated };
}
function parseTokens(pattern) {
    const pieces = pattern.match(/\*\*\/?|[\s\S]/gu) ?? [];
    return pieces.map((piece) => {
        if (piece.startsWith('**'))
            return { kind: 'anything' };
        if (piece === '*')
            return { kind: 'segment' };
        return piece === '?' ? { kind: 'one' } : { kind: 'character', character: piece };
    });
}
function findBuiltIn(path, isFolder) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (IGNORED_NAMES.has(name))
        return name;
    if (name.endsWith(IGNORED_SUFFIX))
        return `*${IGNORED_SUFFIX}`;
    const dot = name.lastIndexOf('.');
    const extension = name.slice(dot + 1);
    return !isFolder && dot > 0 && IGNORED_EXTENSIONS.has(extension) ? `*.${extension}` : undefined;
}
/** The last pattern that matches decides. */
function findPattern(patterns, path, isFolder) {
    const last = patterns.findLast(pattern => (isFolder || !pattern.foldersOnly) && matchesPath(pattern, path, isFolder));
    return last === undefined || last.negated ? undefined : `.gitignore: ${last.text}`;
}
/** A pattern with a slash is held against the whole path, one without against the name, for files every name in it. */
function matchesPath(pattern, path, isFolder) {
    if (pattern.text.includes('/'))
        return matchesTokens(pattern.tokens, path);
    const names = path.split('/');
    return (isFolder ? names.slice(-1) : names).some(name => matchesTokens(pattern.tokens, name));
}
/** Follows all ways through the pattern at once: no pattern makes this slower than pattern times text. */
function matchesTokens(tokens, text) {
    let positions = skipRuns(tokens, new Set([0]));
    for (const character of text) {
        const next = new Set();
        for (const at of positions) {
            const token = tokens[at];
            if (token === undefined)
                continue;
            if (token.kind === 'anything' || (token.kind === 'segment' && character !== '/'))
                next.add(at);
            else if (token.kind === 'one' || (token.kind === 'character' && token.character === character))
                next.add(at + 1);
        }
        positions = skipRuns(tokens, next);
    }
    return positions.has(tokens.length);
}
/** A run may be empty: what stands behind it may come at once. */
function skipRuns(tokens, positions) {
    for (const at of positions) {
        const kind = tokens[at]?.kind;
        if (kind === 'anything' || kind === 'segment')
            positions.add(at + 1);
    }
    return positions;
}

// EXTERNAL MODULE: external "node:os"
var external_node_os_ = __webpack_require__(8161);
;// CONCATENATED MODULE: ./build/js/app/project/network-policy.js
// What a program in wasmrun's VM may connect to: our list of the runner's own ranges, merged into the project's
// wasmrun.toml. Used by staging.ts. wasmnet 0.2.0 asks its deny rules first, for every address a name resolves to,
// so nothing in `allow` can open them again.






/**
 * wasmnet's own list leaves `0.0.0.0`, `::1` and `::ffff:127.0.0.1` open, and with them wasmrun's file-writing API
 * (measured). These are the ranges of RFC 6890 that can mean this machine or its network, in every notation.
 */
const DENIED_RANGES = [
    ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
    ...['192.0.0.0/24', '192.168.0.0/16', '198.18.0.0/15'],
    // Azure's host agent, which GitHub's own runners can reach.
    '168.63.129.16/32',
    // IPv4 inside IPv6: compatible, mapped, NAT64 (RFC 6052, RFC 8215), 6to4; `::` and `::1` are in the first.
    ...['::/96', '::ffff:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '2002::/16'],
    ...['fc00::/7', 'fe80::/10', 'fec0::/10'],
];
/** The VM's memory where the project asks for none or no limit: a runner has 7 GB, and the job needs some of it. */
const MAX_MEMORY_MB = 2_048;
/**
 * What the page keeps for its Console panel, which nobody looks at here; it copies the whole list for every line, in
 * the thread that also moves the program's bytes. Our own log gets every line all the same.
 */
const MAX_PAGE_CONSOLE_MB = 1;
/** wasmnet 0.2.0's own policy: what it binds, it binds on the runner, where other ports are other services'. */
const DEFAULT_BIND_PORTS = '3000-9999';
const [MIN_BIND_PORT, MAX_BIND_PORT] = [3_000, 9_999];
const MAX_CONNECTIONS = 50;
const MAX_BANDWIDTH_MBPS = 10;
const Limit = valibot_dist/* optional */.lqM(valibot_dist/* pipe */.FsL(valibot_dist/* number */.aig(), valibot_dist/* integer */.ndf(), valibot_dist/* minValue */.Wwf(0)));
/** What is read here; all other keys are wasmrun's to judge. */
const ConfigSchema = valibot_dist/* looseObject */._H3({
    os: valibot_dist/* optional */.lqM(valibot_dist/* looseObject */._H3({
        entry: valibot_dist/* optional */.lqM(valibot_dist/* pipe */.FsL(valibot_dist/* string */.YjP(), valibot_dist/* check */.z6Y(entry => !leadsOut(entry), 'it leads out of the project; give a path in it'))),
        limits: valibot_dist/* optional */.lqM(valibot_dist/* looseObject */._H3({ max_memory_mb: Limit, max_output_mb: Limit }), {}),
        network: valibot_dist/* optional */.lqM(valibot_dist/* looseObject */._H3({
            deny: valibot_dist/* optional */.lqM(valibot_dist/* array */.YOg(valibot_dist/* string */.YjP()), []),
            bind_ports: valibot_dist/* optional */.lqM(valibot_dist/* string */.YjP()),
            max_connections: Limit,
            max_bandwidth_mbps: Limit,
        }), {}),
    }), {}),
});
/** Reads a project's wasmrun.toml. Throws an InputError that names the line. */
function parseProjectConfig(text) {
    let document;
    try {
        document = (0,dist/* parse */.qg)(text);
    }
    catch (cause) {
        const place = cause instanceof dist/* TomlError */.zx ? `, line ${cause.line}, column ${cause.column}` : '';
        const reason = cause instanceof Error ? sanitise(cause.message.split('\n')[0] ?? '') : 'unreadable';
        throw new errors/* InputError */.dz(`wasmrun.toml${place}: ${reason}; correct the file, wasmrun refuses it too`, {
            cause,
        });
    }
    const result = valibot_dist/* safeParse */.xLC(ConfigSchema, document);
    if (result.success)
        return result.output;
    const problems = result.issues.map(issue => `wasmrun.toml: ${valibot_dist/* getDotPath */.BuJ(issue) ?? 'the file'} is wrong: ${sanitise(issue.message)}`);
    throw new errors/* InputError */.dz(problems);
}
/** The text of the wasmrun.toml our copy of the project gets: the project's own, narrowed by our rules and limits. */
function renderStagedConfig(config, ownAddresses = []) {
    const { limits, network, ...os } = config.os;
    const { max_memory_mb, max_output_mb } = limits;
    const { max_connections, max_bandwidth_mbps } = network;
    return (0,dist/* stringify */.As)({
        os: {
            ...os,
            limits: {
                ...limits,
                ...(max_memory_mb === undefined ? {} : { max_memory_mb: narrow(max_memory_mb, MAX_MEMORY_MB) }),
                max_output_mb: narrow(max_output_mb ?? 0, MAX_PAGE_CONSOLE_MB),
            },
            network: {
                ...network,
                deny: [...new Set([...DENIED_RANGES, ...ownAddresses, ...network.deny])],
                ...(findRefusedPorts(config) === undefined ? {} : { bind_ports: DEFAULT_BIND_PORTS }),
                // Unlike the other limits, 0 connections are none.
                ...(max_connections === undefined
                    ? {}
                    : { max_connections: Math.min(max_connections, MAX_CONNECTIONS) }),
                ...(max_bandwidth_mbps === undefined
                    ? {}
                    : { max_bandwidth_mbps: narrow(max_bandwidth_mbps, MAX_BANDWIDTH_MBPS) }),
            },
        },
    });
}
/** The project's `bind_ports` where not all of it lies within wasmnet's default, which it gets instead. */
function findRefusedPorts({ os }) {
    const wanted = os.network.bind_ports;
    return wanted === undefined || wanted.split(',').every(isBindable) ? undefined : wanted;
}
/** Rust reads more as a number (`+22`) than this does: what is not understood is refused. */
function isBindable(part) {
    const found = /^(\d{1,5})(?:\s*-\s*(\d{1,5}))?$/.exec(part.trim());
    if (found === null)
        return false;
    const [first, last] = [Number(found[1]), Number(found[2] ?? found[1])];
    return first >= MIN_BIND_PORT && last <= MAX_BIND_PORT && first <= last;
}
/** wasmrun reads 0 as "no limit". */
function narrow(wanted, limit) {
    return wanted === 0 ? limit : Math.min(wanted, limit);
}
/** This machine's addresses as rules: what listens on all interfaces would answer on a public one too. */
function listOwnAddresses() {
    return Object.values((0,external_node_os_.networkInterfaces)())
        .flatMap(addresses => addresses ?? [])
        .map(({ address, family }) => (family === 'IPv6' ? `${address.split('%')[0]}/128` : `${address}/32`));
}

;// CONCATENATED MODULE: ./build/js/app/project/staging.js
// The copy of a project that OS mode runs on: wasmrun's API can write into the folder it serves, and the VM's network
// policy is part of the project, so neither is left to the checkout itself. Used by os.ts and, for a plain copy, exec.ts.








/** wasmrun 1.0.0 ships no more than this into the VM (project_files.rs); what is over it would be missing silently. */
const MAX_FILE_BYTES = 10 * 1024 * 1024;
const MAX_TOTAL_BYTES = 50 * 1024 * 1024;
const MAX_FILES = 5_000;
const CONFIG_FILE = 'wasmrun.toml';
/** Where wasmrun's page looks for the program, in its order. */
const ENTRY_FILES = ['index', 'src/index', 'main', 'app', 'src/main', 'src/app', 'server', 'src/server'].map(name => `${name}.js`);
/**
 * Copies the project into `target` (which must not exist), with our network policy in its wasmrun.toml. Throws an
 * InputError for a broken wasmrun.toml, and an AppError where the program's entry file would not come along.
 */
async function stageProject(source, target, logger) {
    const config = parseProjectConfig(readProjectFile(source, CONFIG_FILE) ?? '');
    const rules = parseIgnoreRules(readProjectFile(source, '.gitignore') ?? '');
    const walk = await createWalk(source, target, rules);
    await copyFolder(walk, '');
    await (0,promises_.writeFile)((0,external_node_path_.join)(target, CONFIG_FILE), renderStagedConfig(config, listOwnAddresses()));
    logger.info(describeStaging(walk, 'for the VM'));
    const refused = findRefusedPorts(config);
    if (refused !== undefined)
        logger.warn(`wasmrun.toml: os.network.bind_ports ${sanitise(refused)} is not within ${DEFAULT_BIND_PORTS}, which is taken instead`);
    await checkEntry(walk, config.os.entry);
    return walk;
}
/**
 * Copies a folder into `target` (which must not exist) for a program that gets it as its root directory: by the same
 * rules, and without dotfiles but `.well-known`, since what the program can read it may show to visitors.
 */
async function stageFolder(source, target, logger) {
    const ignored = parseIgnoreRules(readProjectFile(source, '.gitignore') ?? '');
    const rules = (path, isFolder) => external_node_path_.posix.basename(path).startsWith('.') && path !== '.well-known' ? 'dotfiles' : ignored(path, isFolder);
    const walk = await createWalk(source, target, rules);
    await copyFolder(walk, '');
    logger.info(describeStaging(walk, 'for the program to read'));
}
/** Real paths, so that a copy inside its own source (a project in the temp folder) is recognised and left out. */
async function createWalk(source, target, rules) {
    const [from, parent] = await Promise.all([(0,promises_.realpath)(source), (0,promises_.realpath)((0,external_node_path_.dirname)(target))]);
    return { from, to: (0,external_node_path_.join)(parent, (0,external_node_path_.basename)(target)), rules, files: new Set(), bytes: 0, leftOut: new Map() };
}
async function copyFolder(walk, folder) {
    await (0,promises_.mkdir)((0,external_node_path_.join)(walk.to, folder), { mode: 0o700 });
    const entries = await (0,promises_.readdir)((0,external_node_path_.join)(walk.from, folder), { withFileTypes: true });
    // Sorted, so that a project over the limits loses the same files each time.
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const path = external_node_path_.posix.join(folder, entry.name);
        const reason = findReason(walk, path, entry);
        if (reason !== undefined)
            count(walk, reason);
        else if (entry.isDirectory())
            await copyFolder(walk, path);
        else
            await copyOne(walk, path);
    }
}
function findReason(walk, path, entry) {
    if ((0,external_node_path_.join)(walk.from, path) === walk.to)
        return 'this copy';
    if (entry.isSymbolicLink())
        return 'links';
    if (!entry.isDirectory() && !entry.isFile())
        return 'devices, sockets and pipes';
    return walk.rules(path, entry.isDirectory());
}
async function copyOne(walk, path) {
    const { size } = await (0,promises_.stat)((0,external_node_path_.join)(walk.from, path));
    if (size > MAX_FILE_BYTES)
        return count(walk, 'files over 10 MB');
    if (walk.bytes + size > MAX_TOTAL_BYTES)
        return count(walk, 'beyond 50 MB');
    if (walk.files.size >= MAX_FILES)
        return count(walk, 'beyond 5,000 files');
    await (0,promises_.copyFile)((0,external_node_path_.join)(walk.from, path), (0,external_node_path_.join)(walk.to, path));
    walk.files.add(path);
    walk.bytes += size;
}
function count(walk, rule) {
    walk.leftOut.set(rule, (walk.leftOut.get(rule) ?? 0) + 1);
}
function describeStaging({ files, bytes, leftOut }, use) {
    const copied = `${files.size} file${files.size === 1 ? '' : 's'} (${Math.ceil(bytes / 1024)} KB) ${use}`;
    const rules = [...leftOut].map(([rule, times]) => `${sanitise(rule)} (${times})`);
    return rules.length === 0 ? copied : `${copied}; left out: ${rules.join(', ')}`;
}
/** The file the page will run: that of wasmrun.toml, else that of package.json, else the usual names. */
async function checkEntry(walk, configured) {
    const wanted = configured ?? staging_readMain(walk.from);
    const entry = wanted === undefined ? undefined : external_node_path_.posix.normalize(wanted);
    if (entry !== undefined && walk.files.has(entry))
        return;
    if (entry !== undefined && (configured !== undefined || (await staging_isFile((0,external_node_path_.join)(walk.from, entry)))))
        throw await describeLostEntry(walk, entry);
    if (ENTRY_FILES.some(name => walk.files.has(name)))
        return;
    for (const name of ENTRY_FILES)
        if (await staging_isFile((0,external_node_path_.join)(walk.from, name)))
            throw await describeLostEntry(walk, name);
    // As a last resort the page takes any script of the root; without one there is nothing to run.
    if (![...walk.files].some(path => path.endsWith('.js')))
        throw await describeUnsuited(walk.from);
}
async function describeLostEntry(walk, entry) {
    const shown = sanitise(entry);
    if (!(await staging_isFile((0,external_node_path_.join)(walk.from, entry))))
        return new errors/* AppError */.uV(`the entry file ${shown} does not exist; correct [os] entry in wasmrun.toml`, {
            restartable: false,
        });
    const parts = entry.split('/');
    const rule = parts
        .map((_, index) => walk.rules(parts.slice(0, index + 1).join('/'), index + 1 < parts.length))
        .find(found => found !== undefined);
    return new errors/* AppError */.uV(`the entry file ${shown} is not shipped into wasmrun's VM (${sanitise(rule ?? 'a link, or over the size limits')}); ` +
        'move it, or change the rule, or name another file as [os] entry in wasmrun.toml', { restartable: false });
}
/** An AppError that says why OS mode cannot run this folder, and which mode can. */
async function describeUnsuited(source, language) {
    const names = await (0,promises_.readdir)(source).catch(() => []);
    const wasm = names.find(name => name.endsWith('.wasm'));
    const other = names.includes('index.html')
        ? '`mode: web` serves its index.html'
        : wasm === undefined
            ? '`mode: port` with a `command` runs anything that listens on a port'
            : `\`mode: exec\` with \`path\` set to ${sanitise(wasm)} runs that file`;
    const found = language === undefined || language === 'unknown' ? 'has no Node.js program' : `is ${language}`;
    return new errors/* AppError */.uV(`wasmrun could not start ${sanitise(source)} in OS mode: it runs Node.js projects, and this one ${sanitise(found)} ` +
        `(looked for package.json, index.js, server.js, app.js, main.js); ${other}`, { restartable: false });
}
const PackageSchema = valibot_dist/* object */.Ikc({ main: valibot_dist/* optional */.lqM(valibot_dist/* string */.YjP()), module: valibot_dist/* optional */.lqM(valibot_dist/* string */.YjP()) });
/** A package.json that cannot be parsed names no entry, for the page as for us; nor does one that leads out. */
function staging_readMain(folder) {
    const text = readProjectFile(folder, 'package.json') ?? '';
    try {
        const { main, module } = valibot_dist/* parse */.qgA(PackageSchema, JSON.parse(text));
        const entry = main || module;
        return entry === undefined || entry === '' || leadsOut(entry) ? undefined : entry;
    }
    catch {
        return undefined;
    }
}
async function staging_isFile(path) {
    return await (0,promises_.stat)(path).then(found => found.isFile(), () => false);
}

;// CONCATENATED MODULE: ./build/js/app/exec.js
// `mode: exec`: one .wasm file in wasmrun's interpreter, with a socket handed in. Used by app.ts.




/** As much as OS mode gives at most: without it a program could take all of the runner's memory. */
const exec_MAX_MEMORY_MB = 2_048;
/**
 * Starts the program. It sees a staged copy of the file's folder at `/`, `env`, and no network but its socket.
 * `env` stands in wasmrun's argv, where other processes of the machine can read it: wasmrun 1.0.0 has no other way.
 */
async function startExec(spec, env, context) {
    const port = await findFreePort();
    // wasmrun 1.0.0 mounts no folder read-only, so the program gets a copy.
    const root = (0,external_node_path_.join)(context.folder, 'root');
    await stageFolder((0,external_node_path_.dirname)(spec.path), root, context.logger);
    return await startListener({
        command: spec.wasmrun,
        args: [
            ...['exec', '--quiet', '--tcplisten', `127.0.0.1:${port}`, '--dir', `${root}:/`],
            ...['--max-memory-mb', String(exec_MAX_MEMORY_MB)],
            ...Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
            ...[spec.path, '--', ...spec.args],
        ],
        cwd: context.folder,
        environment: { ...context.environment, TMPDIR: context.folder },
        role: `wasmrun exec ${(0,external_node_path_.basename)(spec.path)}`,
        port,
        context,
    });
}

// EXTERNAL MODULE: external "node:stream/consumers"
var consumers_ = __webpack_require__(8321);
;// CONCATENATED MODULE: ./build/js/shared/loopback.js
// Requests to a program on this machine, which never go through the job's proxy: that one has another loopback. Used by
// control/client and app/os-server.

/** Node gives the job's proxy to `fetch` and to its global agent where NODE_USE_ENV_PROXY is set; this one has none. */
const DIRECT = new external_node_http_.Agent();
/**
 * Asks a program on this machine over a connection of its own, never through a proxy. Resolves with the answer's head;
 * the signal ends the body, too.
 */
function askLoopback(url, options) {
    return new Promise((resolve, reject) => {
        (0,external_node_http_.request)(url, { ...options, agent: DIRECT }, resolve)
            .on('error', reject)
            .end();
    });
}

;// CONCATENATED MODULE: ./build/js/app/os/os-server.js
// `wasmrun os` on a staged project: its page and its API, which has no authentication and is never exposed. Used by
// os.ts.









/** wasmrun looks for wasmnet's port from 20 above its own on, up to the last one. */
const MAX_PORT = 65_000;
const os_server_POLL_MS = 20;
const RuntimesSchema = valibot_dist/* object */.Ikc({ detected_language: valibot_dist/* string */.YjP() });
/** Starts wasmrun on `project`; resolves when its API answers, by when its network proxy is up too. */
async function startOsServer(wasmrun, project, context) {
    const port = await findServerPort();
    const environment = await createEnvironment(context);
    const child = await startChild({
        command: wasmrun,
        args: ['os', project, '-P', String(port)],
        cwd: project,
        environment,
        role: 'wasmrun',
        onLine: line => context.logger.debug(`wasmrun: ${line}`),
        onChild: context.onChild,
    });
    const ended = child.ended.then(end => os_server_describeLoss(child, describeEnd(end), end.code));
    const url = `http://127.0.0.1:${port}/`;
    try {
        const language = await raceEnd(signal => readLanguage(url, signal), ended, context.signal);
        return { url, language, ended, stop: () => child.stop() };
    }
    catch (error) {
        await child.stop();
        if (!(0,errors/* isTimeout */.kL)(error))
            throw error;
        throw new errors/* AppError */.uV('wasmrun did not answer in time; its first answer waits for wasmhub on github.com, ' +
            'so check that the runner gets there, or raise `startup-timeout`', { cause: error, lastLines: child.lastLines() });
    }
}
async function findServerPort() {
    for (;;) {
        const port = await findFreePort();
        if (port <= MAX_PORT)
            return port;
    }
}
/**
 * wasmrun leaves its temporary files behind, so they lie in our folder. It makes its runtime folder only at its own
 * start, and a job that prunes caches may take it away.
 */
async function createEnvironment(context) {
    const { WASMRUN_TUNNEL_SECRET: _, ...environment } = context.environment;
    const temporary = (0,external_node_path_.join)(context.folder, 'tmp');
    await (0,promises_.mkdir)(temporary, { recursive: true });
    const home = environment.HOME ?? environment.USERPROFILE;
    if (home !== undefined)
        await (0,promises_.mkdir)((0,external_node_path_.join)(home, '.wasmrun', 'runtimes'), { recursive: true });
    return { ...environment, TMPDIR: temporary, TMP: temporary, TEMP: temporary };
}
/** Asked until it answers; the answer may wait for wasmhub's manifest, and only the start's own limit bounds that. */
async function readLanguage(url, signal) {
    for (;;) {
        try {
            const response = await askLoopback(new URL('/api/runtimes', url), { signal });
            return valibot_dist/* parse */.qgA(RuntimesSchema, await (0,consumers_.json)(response)).detected_language;
        }
        catch (error) {
            signal.throwIfAborted();
            if (error instanceof valibot_dist/* ValiError */.H6d)
                throw new errors/* AppError */.uV('wasmrun does not answer as version 1.0.0 does; set wasmrun-version to 1.0.0', {
                    cause: error,
                    restartable: false,
                });
            await (0,external_node_timers_promises_.setTimeout)(os_server_POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
        }
    }
}
function os_server_describeLoss(child, end, code) {
    return new errors/* AppError */.uV(`wasmrun ended ${end}`, {
        lastLines: child.lastLines(),
        ...(code === null ? {} : { exitCode: code }),
    });
}

;// CONCATENATED MODULE: ./build/js/app/os/page-host/page-host.js
// The one interface of the two hosts of wasmrun's page: a process of Node.js, or a headless Chrome.

/** The page cannot be brought up in this host; another one may do. */
class PageHostError extends errors/* AppError */.uV {
    constructor(message, options = {}) {
        super(message, { ...options, restartable: false });
        this.name = 'PageHostError';
    }
}
/** Page and script are 90 KB from loopback and up within a second; this is a busy machine's share. */
const PAGE_TIMEOUT_MS = 30_000;
/** The little environment a host needs: a system folder on Windows, and the mark by which a runner finds its own. */
function selectHostEnvironment(environment) {
    return Object.fromEntries(Object.entries(environment).filter(([name]) => /^(SYSTEMROOT|WINDIR|RUNNER_TRACKING_ID)$/i.test(name)));
}

;// CONCATENATED MODULE: ./build/js/app/os/page-host/page-message.js
// What a page host tells about wasmrun's page: the traffic between the page and its Worker, which is the only thing
// that is watched. Used by both hosts and by page-program.ts.

/** wasmrun's words where it has some (os.js of wasmrun 1.0.0); the kebab-case ones are ours. */
const PageMessageSchema = valibot_dist/* variant */.Oxt('type', [
    /** A piece of the program's console; lines may be cut anywhere. */
    valibot_dist/* object */.Ikc({ type: valibot_dist/* picklist */.KIO(['stdout', 'stderr']), text: valibot_dist/* string */.YjP() }),
    /** How far the Worker is; `running` comes right before the program's first instruction. */
    valibot_dist/* object */.Ikc({ type: valibot_dist/* literal */.euz('status'), status: valibot_dist/* string */.YjP() }),
    valibot_dist/* object */.Ikc({ type: valibot_dist/* literal */.euz('exit'), code: valibot_dist/* number */.aig() }),
    valibot_dist/* object */.Ikc({ type: valibot_dist/* literal */.euz('error'), message: valibot_dist/* string */.YjP() }),
    /** The page starts the program; `address` is `127.0.0.1:PORT`, empty without a port, null without a network. */
    valibot_dist/* object */.Ikc({ type: valibot_dist/* literal */.euz('start'), address: valibot_dist/* nullable */.mee(valibot_dist/* string */.YjP()) }),
    /** The page ended its Worker, as it does silently after `[os.limits] timeout_secs`. */
    valibot_dist/* object */.Ikc({ type: valibot_dist/* literal */.euz('terminated') }),
    /** Run was pressed. */
    valibot_dist/* object */.Ikc({ type: valibot_dist/* literal */.euz('run-pressed') }),
    /** wasmrun refused something the page needs before the program can start. */
    valibot_dist/* object */.Ikc({ type: valibot_dist/* literal */.euz('request-failed'), path: valibot_dist/* string */.YjP(), status: valibot_dist/* number */.aig(), reason: valibot_dist/* string */.YjP() }),
    /** The page itself broke. */
    valibot_dist/* object */.Ikc({ type: valibot_dist/* literal */.euz('page-error'), message: valibot_dist/* string */.YjP() }),
]);
/** Reads a message off a pipe; undefined for anything else. */
function readPageMessage(message) {
    const result = valibot_dist/* safeParse */.xLC(PageMessageSchema, message);
    return result.success ? result.output : undefined;
}

;// CONCATENATED MODULE: ./build/js/app/os/page-host/page-script.js
// The functions that run inside the page's own world. They must be self-contained: the browser gets their source text.
/**
 * Reports what the page and its Worker tell each other. Sockets are left out: their bytes are none of our business.
 * Must run before the page's script.
 */
function watchPage(scope, report) {
    const reported = ['stdout', 'stderr', 'status', 'exit', 'error'];
    const OriginalWorker = scope.Worker;
    scope.Worker = class extends OriginalWorker {
        constructor(url, options) {
            super(url, options);
            this.addEventListener('message', ({ data }) => {
                const message = data;
                if (reported.includes(message?.type))
                    report(message);
            });
            this.addEventListener('error', ({ message }) => report({ type: 'error', message: String(message || 'the VM worker failed') }));
        }
        postMessage(message, transfer) {
            const start = message;
            if (start?.type === 'start')
                report({ type: 'start', address: start.net?.address ?? null });
            super.postMessage(message, transfer);
        }
        terminate() {
            report({ type: 'terminated' });
            return super.terminate();
        }
    };
    const originalFetch = scope.fetch;
    scope.fetch = async (input, init) => {
        const response = await originalFetch(input, init);
        const path = String(input);
        if (!response.ok && /^\/api\/(runtime|project\/files)/.test(path)) {
            const reason = await response.clone().text();
            report({ type: 'request-failed', path, status: response.status, reason: reason.slice(0, 2000) });
        }
        return response;
    };
}
/**
 * For the browser, whose page must not wait: output is dropped while 256 reports are on their way, and the next line
 * says how much. Everything else is always sent.
 */
function limitOutput(send) {
    let waiting = 0;
    let dropped = 0;
    const deliver = (message) => {
        waiting += 1;
        send(message).finally(() => {
            waiting -= 1;
        });
    };
    return message => {
        const isOutput = message.type === 'stdout' || message.type === 'stderr';
        if (isOutput && waiting >= 256) {
            dropped += 1;
            return;
        }
        if (dropped > 0)
            deliver({ type: 'stderr', text: `[${dropped} pieces of output were dropped]\n` });
        dropped = 0;
        deliver(message);
    };
}
/** Presses Run, if it is there yet. */
function pressRun(document) {
    for (const button of document.querySelectorAll('button')) {
        if (!/^▶\s*Run$/u.test(button.textContent?.trim() ?? ''))
            continue;
        button.click();
        return true;
    }
    return false;
}

;// CONCATENATED MODULE: ./build/js/app/os/page-host/browser.js
// wasmrun's page in a headless Chrome, driven over a pipe. Used by os.ts where Node.js will not do, and as the
// reference in tests.









const NAMES = ['google-chrome', 'google-chrome-stable', 'chromium', 'chromium-browser', 'chrome.exe'];
/** Where the installers of macOS and Windows put it. */
const PLACES = [
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
    'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe',
];
const FLAGS = [
    '--disable-gpu',
    // Containers give /dev/shm 64 MB, less than the runtime needs.
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
    '--no-proxy-server',
];
/** In the folder of this start. */
const PROFILE = 'chrome-profile';
/** The page's way to this process. */
const REPORT = '__exposeReport';
/** Chrome writes its profile when it is closed; the profile is thrown away. */
const CLOSE_TIMEOUT_MS = 3_000;
const browser_POLL_MS = 20;
/** Starts Chrome with a throw-away profile and resolves when Run was pressed. */
async function startBrowserHost(options) {
    const { context } = options;
    const executable = options.browser ?? (await findBrowser(context.environment.PATH ?? ''));
    context.signal.throwIfAborted();
    const browser = await launchBrowser(executable, options);
    const chrome = browser.process();
    const pid = chrome?.pid;
    // puppeteer stops listening before the pipe is gone, and a killed Chrome resets it (ECONNRESET, seen).
    for (const stream of chrome?.stdio ?? [])
        stream?.on('error', () => undefined);
    if (pid === undefined)
        throw new PageHostError('Chrome was started, but has no process id');
    context.onChild({ pid, role: 'Chrome' });
    const socketFolder = await findSocketFolder(context.folder);
    const stop = async () => {
        await stopBrowser(browser, pid);
        if (socketFolder !== undefined)
            await (0,promises_.rm)(socketFolder, { recursive: true, force: true });
    };
    context.signal.addEventListener('abort', stop, { once: true });
    try {
        const page = (await browser.pages())[0] ?? (await browser.newPage());
        const ended = watchEnd(browser, page);
        await openPage(page, options);
        return { pid, ended, stop };
    }
    catch (cause) {
        await stop();
        context.signal.throwIfAborted();
        throw new PageHostError("wasmrun's page could not be brought up in Chrome (`vm: browser`)", { cause });
    }
    finally {
        context.signal.removeEventListener('abort', stop);
    }
}
/**
 * Chrome keeps its socket in the system's temp folder, where it stays when Chrome is killed. Our own folder would not
 * do as TMPDIR: a socket's path is limited to 107 bytes, and Chrome aborts over that.
 */
async function findSocketFolder(folder) {
    const link = await (0,promises_.readlink)((0,external_node_path_.join)(folder, PROFILE, 'SingletonSocket')).catch(() => '');
    const found = (0,external_node_path_.dirname)(link);
    return /^(org\.chromium|com\.google)\./.test((0,external_node_path_.basename)(found)) ? found : undefined;
}
/** Path of an installed Chrome or Chromium. */
async function findBrowser(path) {
    const onPath = path.split(external_node_path_.delimiter).flatMap(folder => NAMES.map(name => (0,external_node_path_.join)(folder, name)));
    for (const candidate of [...onPath, ...PLACES])
        if (await browser_isExecutable(candidate))
            return candidate;
    throw new PageHostError('no Chrome or Chromium was found; install the package chromium or google-chrome-stable, ' +
        'give its path as `browser`, or use `vm: node`, which needs none');
}
async function browser_isExecutable(path) {
    return await (0,promises_.access)(path, external_node_fs_.constants.X_OK).then(() => true, () => false);
}
async function launchBrowser(executable, { context }) {
    const profile = (0,external_node_path_.join)(context.folder, PROFILE);
    await (0,promises_.mkdir)(profile, { recursive: true });
    const puppeteer = await __webpack_require__.e(/* import() */ 846).then(__webpack_require__.bind(__webpack_require__, 6846));
    try {
        return await puppeteer.launch({
            executablePath: executable,
            headless: true,
            pipe: true,
            userDataDir: profile,
            args: process.getuid?.() === 0 ? [...FLAGS, '--no-sandbox'] : FLAGS,
            env: { ...selectHostEnvironment(context.environment), HOME: profile },
            handleSIGINT: false,
            handleSIGTERM: false,
            handleSIGHUP: false,
            timeout: PAGE_TIMEOUT_MS,
            signal: context.signal,
        });
    }
    catch (cause) {
        context.signal.throwIfAborted();
        throw new PageHostError(`Chrome at ${sanitise(executable)} does not start; check \`browser\`, or use \`vm: node\``, { cause });
    }
}
async function watchEnd(browser, page) {
    return await new Promise(resolve => {
        browser.once('disconnected', () => resolve('Chrome ended'));
        page.once('error', () => resolve('the page crashed in Chrome'));
        page.once('close', () => resolve('the page was closed in Chrome'));
    });
}
/** Resolves when Run was pressed. */
async function openPage(page, options) {
    page.on('pageerror', error => options.context.logger.debug(`page: ${String(error)}`));
    await watchInBrowser(page, options);
    await page.goto(options.url, { timeout: PAGE_TIMEOUT_MS, waitUntil: 'domcontentloaded' });
    await page.waitForFunction(`(${pressRun})(document)`, { timeout: PAGE_TIMEOUT_MS, polling: browser_POLL_MS });
}
async function watchInBrowser(page, { onMessage }) {
    await page.exposeFunction(REPORT, (value) => {
        const message = readPageMessage(value);
        if (message !== undefined)
            onMessage(message);
    });
    await page.evaluateOnNewDocument(`(${watchPage})(globalThis, (${limitOutput})(globalThis.${REPORT}))`);
}
/** Closes Chrome, and kills its whole process group if it does not close. */
async function stopBrowser(browser, pid) {
    const closed = browser.close().catch(() => undefined);
    await Promise.race([closed, (0,external_node_timers_promises_.setTimeout)(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
    for (const end = performance.now() + CLOSE_TIMEOUT_MS; performance.now() < end; await (0,external_node_timers_promises_.setTimeout)(browser_POLL_MS))
        if (!killGroup(pid))
            return;
}
/** False when nothing of the group is left. puppeteer gives Chrome a group of its own, but on Windows. */
function killGroup(pid) {
    try {
        process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
        return true;
    }
    catch (error) {
        if ((0,errors/* hasCode */.up)(error, 'ESRCH'))
            return false;
        throw new errors/* AppError */.uV(`Chrome (process ${pid}) could not be ended`, { cause: error });
    }
}

;// CONCATENATED MODULE: ./build/js/app/os/page-host/node.js
// wasmrun's page in a process of Node.js: no browser needed. Used by os.ts.






/** The page's own thread; files and runtime lie outside of this heap. */
const MAX_HEAP_MB = 512;
const ROLE = 'page host';
/** It has nothing to finish. */
const node_STOP_GRACE_MS = 1_000;
/**
 * Starts the process and resolves when Run was pressed. Its environment is empty, and Node's permission model keeps
 * the page's thread from files, programs and addons; the thread of the VM is not covered by it, nor is the network.
 */
async function startNodeHost(options) {
    const { context, onMessage } = options;
    const ready = Promise.withResolvers();
    const child = await startChild({
        command: process.execPath,
        args: [...selectFlags(options.script), options.script, options.url],
        cwd: context.folder,
        environment: selectHostEnvironment(context.environment),
        role: ROLE,
        onChild: context.onChild,
        onLine: line => {
            const message = readLine(line);
            if (message === undefined)
                context.logger.debug(`${ROLE}: ${line}`);
            else if (message.type === 'run-pressed')
                ready.resolve();
            else if (message.type === 'page-error')
                ready.reject(new PageHostError(message.message));
            else
                onMessage(message);
        },
    });
    const ended = child.ended.then(end => `the ${ROLE} ended ${describeEnd(end)}`);
    const stop = () => child.stop(node_STOP_GRACE_MS);
    try {
        await waitUntilReady(ready.promise, ended, context.signal);
        return { pid: child.pid, ended, stop };
    }
    catch (error) {
        await stop();
        throw describeFailure(error, child, context.signal);
    }
}
async function waitUntilReady(ready, ended, signal) {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(PAGE_TIMEOUT_MS)]);
    const lost = ended.then(reason => new PageHostError(reason));
    await raceEnd(over => Promise.race([ready, rejectOnAbort(over)]), lost, deadline);
}
async function rejectOnAbort(signal) {
    return await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        if (signal.aborted)
            reject(signal.reason);
    });
}
function describeFailure(error, child, signal) {
    if (signal.aborted)
        return signal.reason;
    return new PageHostError("wasmrun's page could not be brought up under Node.js (`vm: node`)", {
        cause: error,
        lastLines: child.lastLines().filter(line => readLine(line) === undefined),
    });
}
function readLine(line) {
    if (!line.startsWith('{'))
        return undefined;
    try {
        return readPageMessage(JSON.parse(line));
    }
    catch {
        return undefined;
    }
}
/** Read access to the bundle's folder; run from source, also to the packages it imports. */
function selectFlags(script) {
    const folder = (0,external_node_path_.dirname)((0,external_node_fs_.realpathSync)(script));
    const readable = script.endsWith('.ts') ? [folder, (0,external_node_path_.join)(folder, '..', 'node_modules')] : [folder];
    return [
        '--permission',
        '--allow-worker',
        ...readable.map(path => `--allow-fs-read=${path}`),
        `--max-old-space-size=${MAX_HEAP_MB}`,
        '--no-warnings',
    ];
}

;// CONCATENATED MODULE: ./build/js/app/os/page-program.js
// The program inside wasmrun's page, as its page host tells of it. Used by os.ts.



/** As many lines as an error message can carry and still be read. */
const page_program_LAST_LINES = 20;
/** A program that never ends its line must not fill our memory; longer lines are handed on in pieces. */
const page_program_MAX_LINE_LENGTH = 16_384;
/** Follows one program from Run to its end. */
class PageProgram {
    #onOutput;
    #started = Promise.withResolvers();
    #ended = Promise.withResolvers();
    #lines = [];
    #unfinished = { stdout: '', stderr: '' };
    #port;
    #runs = false;
    #stage = 'the page is loading, or wasmrun is downloading the runtime';
    constructor(onOutput) {
        this.#onOutput = onOutput;
    }
    /**
     * The program's port, once its first instruction runs. wasmrun bound and opened it before, so it accepts; whether
     * the program answers is seen when it is asked. Never rejects: `ended` tells.
     */
    get started() {
        return this.#started.promise;
    }
    /** Why the program is gone; a PageHostError where another host may do better. */
    get ended() {
        return this.#ended.promise;
    }
    /** What a start that takes too long was waiting for. */
    get stage() {
        return this.#stage;
    }
    lastLines() {
        return [...this.#lines];
    }
    receive(message) {
        switch (message.type) {
            case 'stdout':
            case 'stderr':
                this.#addOutput(message.type, message.text);
                break;
            case 'start':
                this.#setPort(message.address);
                break;
            case 'status':
                this.#setStatus(message.status);
                break;
            case 'exit':
                this.#end(describeExit(message.code), { exitCode: message.code });
                break;
            case 'error':
                this.#fail(message.message);
                break;
            case 'terminated':
                this.#end('the page ended the program; raise [os.limits] timeout_secs in wasmrun.toml');
                break;
            case 'request-failed':
                this.#end(describeRefusal(message));
        }
    }
    /** The host is gone, and the program with it. */
    lose(reason) {
        if (this.#runs)
            this.#end(reason);
        else
            this.#ended.resolve(new PageHostError(reason, { lastLines: this.lastLines() }));
    }
    #setPort(address) {
        this.#stage = 'the runtime is being compiled';
        this.#port = Number(/^127\.0\.0\.1:(\d+)$/.exec(address ?? '')?.[1] ?? 0) || undefined;
        if (address === null)
            this.#end('wasmrun has no network for the program, so that it cannot listen; see the log for its reason');
        else if (this.#port === undefined)
            this.#end('wasmrun found no free port for the program; widen [os.network] bind_ports in wasmrun.toml ' +
                '(its first 32 ports are tried)');
    }
    #setStatus(status) {
        this.#stage = `the runtime is ${sanitise(status)}`;
        if (status !== 'running' || this.#port === undefined)
            return;
        this.#runs = true;
        this.#started.resolve(this.#port);
    }
    /** Before the first instruction the host may be to blame; after it the program is. */
    #fail(reason) {
        const shown = sanitise(reason, page_program_MAX_LINE_LENGTH);
        if (this.#runs)
            this.#end(`the program crashed: ${shown}`);
        else
            this.#ended.resolve(new PageHostError(`the VM did not start: ${shown}`, { lastLines: this.lastLines() }));
    }
    #end(message, options = {}) {
        for (const stream of ['stdout', 'stderr']) {
            if (this.#unfinished[stream] !== '')
                this.#addOutput(stream, '\n');
        }
        this.#ended.resolve(new errors/* AppError */.uV(message, { ...options, lastLines: this.lastLines() }));
    }
    #addOutput(stream, text) {
        const lines = (this.#unfinished[stream] + text).split('\n');
        let rest = lines.pop() ?? '';
        for (; rest.length > page_program_MAX_LINE_LENGTH; rest = rest.slice(page_program_MAX_LINE_LENGTH))
            lines.push(rest.slice(0, page_program_MAX_LINE_LENGTH));
        this.#unfinished[stream] = rest;
        for (const line of lines)
            this.#addLine(line.endsWith('\r') ? line.slice(0, -1) : line);
    }
    #addLine(line) {
        this.#lines.push(line);
        if (this.#lines.length > page_program_LAST_LINES)
            this.#lines.shift();
        this.#onOutput(line);
    }
}
function describeExit(code) {
    return code === 0
        ? 'the program ended with exit code 0; one that is to be visited must keep listening'
        : `the program ended with exit code ${code}`;
}
function describeRefusal({ path, status, reason }) {
    const shown = sanitise(readReason(reason), 500);
    return path.startsWith('/api/runtime')
        ? `wasmrun has no runtime for the program: ${shown}; it downloads one from github.com on first use, ` +
            'so check that the runner gets there, or restore ~/.wasmrun/runtimes from a cache'
        : `wasmrun did not hand over the project (${sanitise(path)}, status ${status}): ${shown}`;
}
/** wasmrun answers `{"success":false,"error":"…"}`. */
function readReason(body) {
    try {
        const parsed = JSON.parse(body);
        if (typeof parsed === 'object' && parsed !== null && 'error' in parsed)
            return String(parsed.error);
    }
    catch {
        // not JSON: the text itself is the reason
    }
    return body;
}

;// CONCATENATED MODULE: ./build/js/app/os/os.js
// `mode: os`: the project in wasmrun's own page, hosted on this machine, with Run pressed. Used by app.ts.
//
//   staged copy ◄── wasmrun os ◄── page host (node │ browser) ──► Worker: the program
//                      └── wasmnet: the program's port ◄── gateway









/**
 * Starts the program and resolves when it runs and its port accepts; both come before its own `listen`, so only an
 * answer tells whether it serves. Rejects with an AppError, or with the signal's reason, with nothing left behind.
 */
async function startOs(spec, context) {
    const project = (0,external_node_path_.join)(context.folder, 'project');
    await stageProject(spec.path, project, context.logger);
    const server = await startOsServer(spec.wasmrun, project, context);
    try {
        if (server.language !== 'nodejs')
            throw await describeUnsuited(spec.path, server.language);
        const page = await startPage(spec, server, context);
        return createProgram(server, page);
    }
    catch (error) {
        await server.stop();
        throw error;
    }
}
function createProgram(server, { host, program, port }) {
    return {
        upstream: { kind: 'address', host: '127.0.0.1', port },
        pid: host.pid,
        ended: Promise.race([program.ended, server.ended]),
        stop: async () => void (await Promise.all([host.stop(), server.stop()])),
    };
}
/** `auto` takes the browser only where the page will not start under Node.js, and says why. */
async function startPage(spec, server, context) {
    const wanted = spec.vm === 'browser' ? 'browser' : 'node';
    try {
        return await runPage(wanted, spec, server, context);
    }
    catch (error) {
        if (spec.vm !== 'auto' || !(error instanceof PageHostError))
            throw error;
        context.logger.warn(`${(0,errors/* describeError */.Uc)(error)}; trying a browser`);
        return await runPage('browser', spec, server, context);
    }
}
async function runPage(name, spec, server, context) {
    const program = new PageProgram(context.onOutput);
    const options = { url: server.url, context, onMessage: program.receive.bind(program) };
    let host;
    try {
        host = await startHost(name, spec, options);
        void host.ended.then(reason => program.lose(reason));
        const ended = Promise.race([program.ended, server.ended]);
        const port = await raceEnd(signal => waitForStart(program, signal), ended, context.signal);
        return { host, program, port };
    }
    catch (error) {
        await host?.stop();
        throw describeAbort(error, program);
    }
}
async function startHost(name, spec, options) {
    return name === 'node'
        ? await startNodeHost({ ...options, script: spec.pageHostScript })
        : await startBrowserHost({ ...options, browser: spec.browser });
}
/** The program's port; rejects with the signal's reason. */
async function waitForStart(program, signal) {
    const aborted = Promise.withResolvers();
    const abort = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted)
        abort();
    try {
        return await Promise.race([program.started, aborted.promise]);
    }
    finally {
        signal.removeEventListener('abort', abort);
    }
}
/** Where the start's time is over, an AppError that says what it was waiting for; else the error itself. */
function describeAbort(error, program) {
    if (!(0,errors/* isTimeout */.kL)(error))
        return error;
    return new errors/* AppError */.uV(`the program did not start in time (${program.stage}); raise \`startup-timeout\``, {
        cause: error,
        lastLines: program.lastLines(),
    });
}

;// CONCATENATED MODULE: ./build/js/app/port.js
// `mode: port`: a service of the job's own, or a command that starts one. Used by app.ts.






/** The options a `run:` step has with `shell: bash`. */
const BASH_ARGS = ['--noprofile', '--norc', '-eo', 'pipefail', '-c'];
/** Starts the command, or finds the service that something else runs. `env` is for the command. */
async function startPort(spec, env, context) {
    if (spec.command !== undefined)
        return await startCommand(spec, spec.command, env, context);
    if (spec.port !== undefined)
        return await findService(spec.port, context);
    throw new errors/* AppError */.uV('mode: port needs `port`, `command` or both; give one of them', { restartable: false });
}
async function startCommand(spec, command, env, context) {
    const port = spec.port ?? (await findFreePort());
    const handedOver = { PORT: String(port) };
    // A port that was chosen here is the only one looked at; a given one may be called otherwise in `env`.
    const ports = spec.port === undefined ? { ...env, ...handedOver } : { ...handedOver, ...env };
    return await startListener({
        command: findBash(context.environment),
        args: [...BASH_ARGS, command],
        cwd: spec.path,
        environment: { ...context.environment, ...ports },
        role: 'the command',
        port,
        context,
    });
}
/** What something else started is not ours to end or to restart: `ended` never resolves, `stop` leaves it alone. */
async function findService(port, context) {
    try {
        const upstream = await waitForListening({ hosts: LOOPBACK_HOSTS, port }, context.signal);
        return { upstream, ended: new Promise(() => undefined), stop: async () => undefined };
    }
    catch (error) {
        if (!(0,errors/* isTimeout */.kL)(error))
            throw error;
        throw new errors/* AppError */.uV(`nothing listens on port ${port} (127.0.0.1 and ::1 were tried); ` +
            'start the service in an earlier step, or give `command`', { cause: error });
    }
}
/** On Windows the first `bash` of PATH may be that of WSL, which sees another file system. */
function findBash(environment) {
    const programs = environment.ProgramFiles;
    const bash = programs === undefined ? undefined : (0,external_node_path_.join)(programs, 'Git', 'bin', 'bash.exe');
    return process.platform === 'win32' && bash !== undefined && (0,external_node_fs_.existsSync)(bash) ? bash : 'bash';
}

;// CONCATENATED MODULE: ./build/js/app/restart.js
// The loop that keeps one program running: a lost one is started again, a limited number of times. Used by app.ts.


/** Five restarts in about half a minute: visitors wait that long. A program that served 5 minutes was not broken. */
const RESTART_TIMING = {
    pausesMs: [500, 1_000, 3_000, 8_000, 15_000],
    resetAfterMs: 5 * 60_000,
    startMs: 120_000,
};
/** Owns one program after the other, from `start` until `stop` or until no restart is left. */
class RestartLoop {
    #options;
    #timing;
    #stopped = new AbortController();
    #stopRequested;
    #state = { status: 'starting' };
    #program;
    #running = Promise.resolve();
    #used = 0;
    #restarts = 0;
    #stopping;
    constructor(options) {
        this.#options = options;
        this.#timing = options.timing ?? RESTART_TIMING;
        this.#stopRequested = new Promise(resolve => {
            this.#stopped.signal.addEventListener('abort', () => resolve(undefined), { once: true });
        });
    }
    get state() {
        return this.#state;
    }
    /** The program that answers now. */
    get program() {
        return this.#program;
    }
    get restarts() {
        return this.#restarts;
    }
    /** The first start; rejects as `startOnce` does. */
    async start(signal) {
        this.#setState({ status: 'starting' });
        try {
            const program = await this.#options.startOnce(signal);
            this.#running = this.#keepRunning(program);
        }
        catch (error) {
            this.#fail(toAppError(error));
            throw error;
        }
    }
    /** Resolves when nothing runs any more; may be called twice. */
    async stop() {
        this.#stopping ??= this.#stopAll();
        await this.#stopping;
    }
    async #stopAll() {
        this.#stopped.abort();
        await this.#running;
        if (this.#state.status !== 'failed')
            this.#setState({ status: 'stopped' });
    }
    async #keepRunning(first) {
        let program = first;
        while (program !== undefined) {
            const began = performance.now();
            const loss = await this.#serve(program);
            if (performance.now() - began >= this.#timing.resetAfterMs)
                this.#used = 0;
            program = loss === undefined ? undefined : await this.#restart(loss, program);
        }
    }
    /** Resolves with why the program is gone, or after a stop with undefined; its address is forgotten by then. */
    async #serve(program) {
        this.#program = program;
        if (!this.#stopped.signal.aborted)
            this.#setState({ status: 'running', upstream: program.upstream });
        const loss = await Promise.race([program.ended, this.#stopRequested]);
        this.#program = undefined;
        if (loss === undefined)
            await program.stop();
        return loss;
    }
    /** The next program that answers, or undefined after a stop or when no restart is left. */
    async #restart(loss, lost) {
        const { signal } = this.#stopped;
        let reason = loss;
        for (;;) {
            const pause = this.#timing.pausesMs[this.#used];
            const goesOn = pause !== undefined && reason.restartable;
            if (goesOn)
                this.#announceRestart(reason);
            else
                this.#fail(reason);
            // What is left of it may still hold the port, or write to the console.
            await lost.stop();
            if (!goesOn)
                return undefined;
            try {
                await (0,external_node_timers_promises_.setTimeout)(pause, undefined, { signal });
                this.#restarts += 1;
                return await this.#options.startOnce(AbortSignal.any([signal, AbortSignal.timeout(this.#timing.startMs)]));
            }
            catch (error) {
                if (signal.aborted)
                    return undefined;
                reason = toAppError(error);
            }
        }
    }
    #announceRestart(reason) {
        this.#used += 1;
        this.#setState({ status: 'restarting', reason: reason.message, attempt: this.#used });
        this.#options.logger.warn(`${reason.message}; it is started again (${this.#used} of ${this.#timing.pausesMs.length})`);
    }
    #fail(reason) {
        const { exitCode, lastLines } = reason;
        const spent = this.#used > 0 && reason.restartable;
        const message = spent ? `${reason.message}; given up after ${this.#used} restarts` : reason.message;
        this.#setState({
            status: 'failed',
            reason: message,
            ...(exitCode === undefined ? {} : { exitCode }),
            lastLines,
        });
    }
    #setState(state) {
        this.#state = state;
        this.#options.onState(state);
    }
}
function toAppError(error) {
    return error instanceof errors/* AppError */.uV ? error : new errors/* AppError */.uV((0,errors/* describeError */.Uc)(error), { cause: error });
}

;// CONCATENATED MODULE: ./build/js/app/web/files.js
// Which file of a folder a URL path means, and which it must not mean. Used by web.ts.




/** What says that a path leads nowhere. */
const MISSING = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'EACCES', 'EPERM'];
/** A FIFO must not block the open; a link put there after the check must not be followed. Neither exists on Windows. */
const OPEN_FLAGS = external_node_fs_.constants.O_RDONLY | (external_node_fs_.constants.O_NONBLOCK ?? 0) | (external_node_fs_.constants.O_NOFOLLOW ?? 0);
/**
 * Looks up a URL path (still percent-encoded, without query) below `root`, a real path. Only regular files whose real
 * path stays in the root are found, and no dotfiles but those in `.well-known` (RFC 8615).
 */
async function findFile(root, urlPath) {
    const segments = decodeSegments(urlPath);
    if (segments === undefined || !areVisible(segments))
        return { kind: 'refused' };
    try {
        const real = await (0,promises_.realpath)((0,external_node_path_.join)(root, ...segments));
        const inside = (0,external_node_path_.relative)(root, real);
        // The real path counts as well: links out of the root and to hidden files, short names on Windows (GIT~1).
        if ((0,external_node_path_.isAbsolute)(inside) || !areVisible(inside.split(external_node_path_.sep)))
            return { kind: 'refused' };
        const stats = await (0,promises_.stat)(real);
        if (stats.isDirectory())
            return { kind: 'folder' };
        return stats.isFile() ? await openFile(real) : { kind: 'refused' };
    }
    catch (error) {
        if ((0,errors/* hasCode */.up)(error, ...MISSING))
            return { kind: 'missing' };
        throw error;
    }
}
/** What is open decides, not what was there before. */
async function openFile(path) {
    const handle = await (0,promises_.open)(path, OPEN_FLAGS);
    const stats = await handle.stat({ bigint: true });
    if (stats.isFile())
        return { kind: 'file', handle, stats };
    await handle.close();
    return { kind: 'refused' };
}
/** The path's segments, or undefined where it is no path of a file: `..`, a NUL, separators in disguise. */
function decodeSegments(urlPath) {
    try {
        const segments = urlPath
            .split('/')
            .filter(segment => segment !== '')
            .map(decodeURIComponent);
        const forbidden = process.platform === 'win32' ? /[/\\\0:]/ : /[/\\\0]/;
        return segments.some(segment => forbidden.test(segment)) ? undefined : segments;
    }
    catch {
        return undefined;
    }
}
/** False for `..` too: it begins with a dot. */
function areVisible(segments) {
    return segments.every((segment, index) => !segment.startsWith('.') || (index === 0 && segment === '.well-known'));
}

;// CONCATENATED MODULE: ./build/js/app/web/media-types.js
// The media types of the files a web app is built of. Used by response.ts.
/** `application/wasm` decides whether a browser compiles while it loads; a module with a wrong type does not load. */
const MEDIA_TYPES = {
    html: 'text/html; charset=utf-8',
    htm: 'text/html; charset=utf-8',
    xhtml: 'application/xhtml+xml',
    css: 'text/css; charset=utf-8',
    js: 'text/javascript; charset=utf-8',
    mjs: 'text/javascript; charset=utf-8',
    cjs: 'text/javascript; charset=utf-8',
    wasm: 'application/wasm',
    json: 'application/json',
    map: 'application/json',
    webmanifest: 'application/manifest+json',
    txt: 'text/plain; charset=utf-8',
    md: 'text/markdown; charset=utf-8',
    csv: 'text/csv; charset=utf-8',
    xml: 'application/xml',
    wat: 'text/plain; charset=utf-8',
    vtt: 'text/vtt; charset=utf-8',
    svg: 'image/svg+xml',
    png: 'image/png',
    jpg: 'image/jpeg',
    jpeg: 'image/jpeg',
    gif: 'image/gif',
    webp: 'image/webp',
    avif: 'image/avif',
    ico: 'image/vnd.microsoft.icon',
    bmp: 'image/bmp',
    woff: 'font/woff',
    woff2: 'font/woff2',
    ttf: 'font/ttf',
    otf: 'font/otf',
    mp3: 'audio/mpeg',
    ogg: 'audio/ogg',
    opus: 'audio/ogg',
    wav: 'audio/wav',
    flac: 'audio/flac',
    m4a: 'audio/mp4',
    mp4: 'video/mp4',
    webm: 'video/webm',
    pdf: 'application/pdf',
    zip: 'application/zip',
    gz: 'application/gzip',
    glb: 'model/gltf-binary',
    gltf: 'model/gltf+json',
};
/** The type for the ending of `path`; bytes of an unknown kind are offered as a download. */
function findMediaType(path) {
    const ending = /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
    return (Object.hasOwn(MEDIA_TYPES, ending) ? MEDIA_TYPES[ending] : undefined) ?? 'application/octet-stream';
}

;// CONCATENATED MODULE: ./build/js/app/web/response.js
// One file as an HTTP answer: type, encoding, validators, ranges (RFC 9110). Used by web.ts.



const ENCODINGS = [
    { name: 'br', ending: '.br' },
    { name: 'gzip', ending: '.gz' },
];
/** The precompressed sibling the visitor accepts, or the file itself. Of the two only the chosen one stays open. */
async function chooseEncoding(root, path, file, accepted) {
    for (const { name, ending } of ENCODINGS) {
        if (!acceptsEncoding(String(accepted ?? ''), name))
            continue;
        const sibling = await findFile(root, path + ending);
        if (sibling.kind !== 'file')
            continue;
        // One older than the file is left over from an earlier build. Archives keep whole seconds only.
        const fresh = sibling.stats.mtimeMs / 1000n >= file.stats.mtimeMs / 1000n;
        await (fresh ? file : sibling).handle.close();
        if (fresh)
            return { file: sibling, encoding: name };
    }
    return { file };
}
function acceptsEncoding(accepted, name) {
    return accepted.split(',').some(part => {
        const [coding, ...parameters] = part.split(';').map(text => text.trim().toLowerCase());
        return coding === name && !parameters.some(parameter => /^q=0(\.0*)?$/.test(parameter));
    });
}
/** Sends the file, or the part of it that was asked for. Rejects when the visitor leaves or the file gets shorter. */
async function sendFile(answer) {
    const { request, response, file } = answer;
    try {
        const etag = createETag(file.stats);
        setHeaders(answer, etag);
        if (isNotModified(request, etag, file.stats)) {
            response.statusCode = 304;
            response.end();
            return;
        }
        response.setHeader('content-type', findMediaType(answer.path));
        const size = Number(file.stats.size);
        const range = isRangeValid(request, etag, file.stats) ? parseRange(request.headers.range, size) : 'whole';
        if (range === 'unsatisfiable')
            return sendUnsatisfiable(response, size);
        if (range !== 'whole') {
            response.statusCode = 206;
            response.setHeader('content-range', `bytes ${range.start}-${range.end}/${size}`);
        }
        await sendBytes(answer, range === 'whole' ? { start: 0, end: size - 1 } : range);
    }
    finally {
        await file.handle.close();
    }
}
function setHeaders({ response, file, encoding }, etag) {
    response.setHeader('etag', etag);
    response.setHeader('last-modified', file.stats.mtime.toUTCString());
    response.setHeader('accept-ranges', 'bytes');
    // The next commit's file has the same address.
    response.setHeader('cache-control', 'no-cache');
    response.setHeader('vary', 'Accept-Encoding');
    if (encoding !== undefined)
        response.setHeader('content-encoding', encoding);
}
/** Changes with every write and every replacement of the file. */
function createETag(stats) {
    return `"${stats.size.toString(36)}-${stats.mtimeNs.toString(36)}-${stats.ino.toString(36)}"`;
}
/** RFC 9110 §13.2.2: the date counts only where no tag was sent. */
function isNotModified(request, etag, stats) {
    const tags = request.headers['if-none-match'];
    if (tags !== undefined)
        return tags.split(',').some(tag => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
    const since = Date.parse(request.headers['if-modified-since'] ?? '');
    return !Number.isNaN(since) && toSeconds(stats) <= Math.floor(since / 1000);
}
/** RFC 9110 §13.1.5: a part of another version must not be appended to what the visitor has. */
function isRangeValid(request, etag, stats) {
    const condition = request.headers['if-range'];
    if (typeof condition !== 'string')
        return true;
    if (condition.includes('"'))
        return condition === etag;
    return Math.floor(Date.parse(condition) / 1000) === toSeconds(stats);
}
function toSeconds(stats) {
    return Number(stats.mtimeMs / 1000n);
}
/** One range; several at once, and what cannot be read, may be answered with the whole file (RFC 9110 §14.2). */
function parseRange(header, size) {
    const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
    const [first, last] = [match?.[1] ?? '', match?.[2] ?? ''];
    if (first === '' && last === '')
        return 'whole';
    if (first === '')
        return last === '0' || size === 0
            ? 'unsatisfiable'
            : { start: Math.max(0, size - Number(last)), end: size - 1 };
    if (last !== '' && Number(last) < Number(first))
        return 'whole';
    if (Number(first) >= size)
        return 'unsatisfiable';
    return { start: Number(first), end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}
function sendUnsatisfiable(response, size) {
    response.statusCode = 416;
    response.setHeader('content-range', `bytes */${size}`);
    response.end();
}
async function sendBytes({ request, response, file }, range) {
    const length = range.end - range.start + 1;
    response.setHeader('content-length', length);
    if (request.method === 'HEAD' || length === 0) {
        response.end();
        return;
    }
    await (0,external_node_stream_promises_.pipeline)(readBytes(file.handle, range), response);
}
const CHUNK_BYTES = 64 * 1024;
/** Throws where the file is shorter than promised: the visitor must see a broken answer, not wait for the rest. */
async function* readBytes(handle, { start, end }) {
    for (let position = start; position <= end;) {
        const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - position + 1));
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
        if (bytesRead === 0)
            throw new Error('the file became shorter while it was sent');
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
    }
}

;// CONCATENATED MODULE: ./build/js/app/web/web.js
// `mode: web`: a folder with a built web app, answered by a handler inside this process. Used by app.ts.





const INDEX = 'index.html';
/** Resolves at once: the files are looked up with every request, so that a rebuilt app is served fresh. */
async function startWeb(spec) {
    const root = await (0,promises_.realpath)(spec.path).catch((cause) => {
        throw new errors/* AppError */.uV(`the folder ${sanitise(spec.path)} cannot be read; check \`path\``, {
            cause,
            restartable: false,
        });
    });
    const index = await findFile(root, `/${INDEX}`);
    if (index.kind !== 'file')
        throw new errors/* AppError */.uV(`${sanitise(root)} has no ${INDEX} to serve; give \`path\` the folder of the built app`, {
            restartable: false,
        });
    await index.handle.close();
    return {
        upstream: { kind: 'handler', handle: createHandler({ ...spec, path: root }) },
        ended: new Promise(() => undefined),
        stop: async () => undefined,
    };
}
/** Answers GET and HEAD from the folder `path`, a real path. Never rejects and never throws. */
function createHandler(spec) {
    return (request, response, refuse) => {
        web_answer(spec, request, response, refuse).catch(() => {
            // A visitor who left, or a file that vanished while it was sent: nothing that can still be said.
            if (response.headersSent)
                response.destroy();
            else
                refuse(500);
        });
    };
}
async function web_answer(spec, request, response, refuse) {
    if (spec.crossOriginIsolation)
        setIsolation(response);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('allow', 'GET, HEAD');
        return refuse(405);
    }
    const target = request.url ?? '/';
    const path = target.replace(/[?#].*$/s, '');
    const found = await findFile(spec.path, path.endsWith('/') ? `${path}${INDEX}` : path);
    if (found.kind === 'folder')
        return sendRedirect(response, path, target.slice(path.length));
    if (found.kind === 'file')
        return await sendFound(spec, path, found, request, response);
    const index = spec.spa && found.kind === 'missing' && asksForPage(request, path)
        ? await findFile(spec.path, `/${INDEX}`)
        : found;
    if (index.kind === 'file')
        return await sendFound(spec, `/${INDEX}`, index, request, response);
    refuse(404);
}
async function sendFound(spec, path, found, request, response) {
    const plainPath = path.endsWith('/') ? `${path}${INDEX}` : path;
    const encoded = await chooseEncoding(spec.path, plainPath, found, request.headers['accept-encoding']);
    await sendFile({ request, response, path: plainPath, ...encoded });
}
/** A missing script or image stays missing: a page in its place would be a riddle. */
function asksForPage(request, path) {
    return acceptsHtml(request) || !path.slice(path.lastIndexOf('/')).includes('.');
}
/** SharedArrayBuffer needs these on the page and on what it loads (HTML Standard, cross-origin isolation). */
function setIsolation(response) {
    response.setHeader('cross-origin-opener-policy', 'same-origin');
    response.setHeader('cross-origin-embedder-policy', 'require-corp');
    response.setHeader('cross-origin-resource-policy', 'same-origin');
}
/** To the same path with a slash, so that relative links work. Relative itself: `//x/` would be another host. */
function sendRedirect(response, path, query) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    response.setHeader('location', `./${name}/${query}`);
    response.setHeader('cache-control', 'no-store');
    response.statusCode = 302;
    response.end();
}
function acceptsHtml(request) {
    return request.headers.accept?.includes('text/html') ?? false;
}

;// CONCATENATED MODULE: ./build/js/app/app.js
// What is exposed: the one interface of all four modes. Used by exposure.ts.












/** Enough to see what led to a crash, in the status page and in the failed comment. */
const CONSOLE_LINES = 200;
/** As many as an error carries. */
const app_LAST_LINES = 20;
/**
 * For a start to end by itself after its signal: it then says what it waited for, and has stopped its processes. Longer
 * than any of them is given to stop.
 */
const SETTLE_MS = 15_000;
/** A line that is longer is data, not a message. */
const CONSOLE_LINE_LENGTH = 1_000;
/**
 * Starts the app; resolves when it answered the first time. Rejects with an AppError, or with the signal's reason,
 * after everything of it was stopped. Lost later, it is started again, and `onState` hears of it at once.
 */
async function startApp(options, timing) {
    const lines = [];
    const onOutput = (line) => {
        lines.push(line);
        if (lines.length > CONSOLE_LINES)
            lines.shift();
        options.logger.info(`app | ${sanitise(line, CONSOLE_LINE_LENGTH)}`);
    };
    const lastLines = () => lines.slice(-app_LAST_LINES);
    const loop = new RestartLoop({
        startOnce: signal => startOnce(options, { onOutput, lastLines }, signal),
        onState: options.onState,
        logger: options.logger,
        ...(timing === undefined ? {} : { timing }),
    });
    await loop.start(options.signal);
    return {
        get state() {
            return loop.state;
        },
        get pid() {
            return loop.program?.pid;
        },
        get restarts() {
            return loop.restarts;
        },
        consoleTail: () => [...lines],
        stop: () => loop.stop(),
    };
}
/** One start: resolves when the program answered. Its folder goes when it is stopped. */
async function startOnce(options, { onOutput, lastLines }, signal) {
    const folder = await (0,promises_.mkdtemp)((0,external_node_path_.join)(options.folder, 'app-'));
    const removeOwnFolder = async () => {
        const left = await removeFolder(folder);
        if (left !== undefined)
            options.logger.warn(left);
    };
    const publicUrl = options.publicUrl();
    const environment = { ...options.baseEnvironment, EXPOSE_URL: publicUrl };
    const { logger, onChild } = options;
    try {
        const start = startProgram(options, publicUrl, {
            folder,
            environment,
            logger,
            onOutput,
            onChild,
            signal,
        });
        const program = await settleInTime(start, signal);
        await waitUntilHealthy(program, options.healthPath, lastLines, signal);
        return {
            upstream: program.upstream,
            ...(program.pid === undefined ? {} : { pid: program.pid }),
            ended: program.ended,
            stop: () => program.stop().then(removeOwnFolder),
        };
    }
    catch (error) {
        await removeOwnFolder();
        throw error;
    }
}
/**
 * The start's own end; where it has none by `settleMs` after its signal, rejects with the signal's reason, and stops
 * the program should it still arrive.
 */
async function settleInTime(start, signal, settleMs = SETTLE_MS) {
    const over = Promise.withResolvers();
    let timer;
    const giveUp = () => {
        over.reject(signal.reason);
        start.then(program => program.stop()).catch(() => undefined);
    };
    const abort = () => {
        timer = setTimeout(giveUp, settleMs);
    };
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted)
        abort();
    try {
        return await Promise.race([start, over.promise]);
    }
    finally {
        signal.removeEventListener('abort', abort);
        clearTimeout(timer);
    }
}
async function startProgram(options, publicUrl, context) {
    const { spec } = options;
    const fillIn = (text) => text.replaceAll('{url}', publicUrl);
    const env = Object.fromEntries(Object.entries(options.env).map(([key, value]) => [key, fillIn(value)]));
    switch (spec.mode) {
        case 'os':
            return await startOs(spec, context);
        case 'exec':
            return await startExec({ ...spec, args: spec.args.map(fillIn) }, { ...env, EXPOSE_URL: publicUrl }, context);
        case 'web':
            return await startWeb(spec);
        case 'port':
            return await startPort(spec.command === undefined ? spec : { ...spec, command: fillIn(spec.command) }, env, context);
    }
}
/** Stops the program where it does not become healthy. */
async function waitUntilHealthy(program, path, lastLines, signal) {
    const { upstream } = program;
    if (upstream.kind !== 'address' || path === undefined)
        return;
    let last = 'no answer';
    const onAttempt = (outcome) => {
        last = outcome;
    };
    const target = { address: upstream, path, onAttempt };
    try {
        await raceEnd(over => waitForHealth(target, over), program.ended, signal);
    }
    catch (error) {
        await program.stop();
        if (!(0,errors/* isTimeout */.kL)(error))
            throw error;
        // An open port is no sign of life: in OS mode it is wasmrun's, and open before the program listens.
        throw new errors/* AppError */.uV(last === 'no answer'
            ? `the app did not answer GET ${path} on port ${upstream.port} in time; let it listen there, check \`health-path\`, or raise \`startup-timeout\``
            : `the app answered GET ${path} on port ${upstream.port} with ${last} until the time was over; it is up when the status is below 500: check \`health-path\`, or raise \`startup-timeout\``, { cause: error, lastLines: lastLines() });
    }
}

;// CONCATENATED MODULE: ./build/js/gateway/visit.js
// One visit: what every pass of the gateway gets to decide on, and to answer with.
/** The request target exactly as it came; never parsed against a base, which would let `//host` choose a host. */
function readTarget(request) {
    return request.url ?? '';
}
/** The target without its query, which may hold a key: fit for a log once sanitised. */
function readPath(request) {
    const target = readTarget(request);
    const query = target.indexOf('?');
    return query === -1 ? target : target.slice(0, query);
}
/** True where the request announces a body (RFC 9112, 6.3). */
function hasBody(request) {
    return (request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0);
}

;// CONCATENATED MODULE: ./build/js/gateway/access/session-cookie.js
// The cookie of a visitor who showed the key once. Used by access.
//
// Cookies know no ports (RFC 6265, 8.5): whoever serves another port of the same host receives ours. So it never holds
// the key, only a MAC over the address, the exposure and the end, which is worth nothing anywhere else.

/** A preview without an end ends with its job, and jobs of hosted runners last six hours. */
const MAX_AGE_MS = 24 * 60 * 60_000;
/** Ours, of whatever port and exposure: no app has any use for them, and another preview's is not for it to see. */
const OWN_NAME = /^(?:__Host-)?expose-(?:session|seen)-\d{1,5}$/;
/** The cookies of one exposure. */
class SessionCookies {
    /** Of this exposure alone: what another one issued, be it at the same address, is refused. */
    #key = (0,external_node_crypto_.createSecretKey)((0,external_node_crypto_.randomBytes)(32)); // as raw bytes it would be set up anew in every request
    /** A `Set-Cookie` value for who came in at `url`; good until `endsAt`, or for a day. */
    issue(url, endsAt) {
        const latest = Date.now() + MAX_AGE_MS;
        const expiresMs = Math.min(endsAt?.getTime() ?? latest, latest);
        const expires = Math.ceil(expiresMs / 1000);
        return renderCookie(url, nameCookie(url, 'session'), `${expires}.${this.#sign(url, expires)}`, {
            maxAgeS: Math.max(0, expires - Math.floor(Date.now() / 1000)),
        });
    }
    /** Whether the `Cookie` field holds one of this exposure, for this address, that is not over. */
    accepts(header, url) {
        return readCookies(header, nameCookie(url, 'session')).some(value => this.#isValid(value, url));
    }
    #isValid(value, url) {
        const [, expires, mac] = /^(\d{1,12})\.([\w-]{43})$/.exec(value) ?? [];
        if (expires === undefined || mac === undefined || Number(expires) * 1000 <= Date.now())
            return false;
        return (0,external_node_crypto_.timingSafeEqual)(Buffer.from(mac), Buffer.from(this.#sign(url, Number(expires))));
    }
    #sign(url, expires) {
        return (0,external_node_crypto_.createHmac)('sha256', this.#key).update(`session\n${url.origin}\n${expires}`).digest('base64url');
    }
}
/** With the port in the name, so that two previews of one host do not sign each other's visitors out. */
function nameCookie(url, purpose) {
    const port = url.port || (url.protocol === 'https:' ? '443' : '80');
    // The prefix makes browsers refuse one that was set from elsewhere (RFC 6265bis, 4.1.3.2); it needs Secure.
    return `${url.protocol === 'https:' ? '__Host-' : ''}expose-${purpose}-${port}`;
}
/** Lax: the click in the comment comes from another site, and must bring it along. */
function renderCookie(url, name, value, { maxAgeS }) {
    const secure = url.protocol === 'https:' ? '; Secure' : '';
    return `${name}=${value}; Path=/; Max-Age=${maxAgeS}; HttpOnly; SameSite=Lax${secure}`;
}
/** All values of that name: a page of another port can put one of its own in front. */
function readCookies(header, name) {
    return splitCookies(header ?? '').flatMap(pair => pair.startsWith(`${name}=`) ? pair.slice(name.length + 1) : []);
}
/** A `Cookie` field without ours; '' where nothing is left. */
function withoutOwnCookies(header) {
    return splitCookies(header)
        .filter(pair => !OWN_NAME.test(pair.split('=', 1)[0] ?? ''))
        .join('; ');
}
function splitCookies(header) {
    return header
        .split(';')
        .map(pair => pair.trim())
        .filter(pair => pair !== '');
}

;// CONCATENATED MODULE: ./build/js/gateway/access/credentials.js
// What a visitor shows to be let in, read from the request and taken out of it: neither the app nor anything behind the
// gateway gets to see a key, a password or a session of ours. Used by access.


/** The parameter of the link that carries the key. */
const KEY_PARAMETER = 'expose-key';
/** The link to click: `url` (no trailing slash) with the key. */
function renderKeyLink(url, key) {
    return `${url}/?${KEY_PARAMETER}=${encodeURIComponent(key)}`;
}
/**
 * Takes the key's parameter out of a request target; the rest stays byte for byte. `key` is the first one's value, or
 * undefined where there was none.
 */
function splitKey(target) {
    const start = target.indexOf('?');
    if (start === -1 || !target.includes(KEY_PARAMETER, start))
        return { key: undefined, rest: target };
    const pairs = target.slice(start + 1).split('&');
    const isKey = (pair) => pair === KEY_PARAMETER || pair.startsWith(`${KEY_PARAMETER}=`);
    const found = pairs.find(isKey);
    if (found === undefined)
        return { key: undefined, rest: target };
    const others = pairs.filter(pair => !isKey(pair)).join('&');
    const path = target.slice(0, start);
    return {
        key: credentials_decode(found.slice(KEY_PARAMETER.length + 1)),
        rest: others === '' ? path : `${path}?${others}`,
    };
}
/** As forms write it: `+` is a space. What is no encoding is taken as it stands. */
function credentials_decode(text) {
    try {
        return decodeURIComponent(text.replaceAll('+', ' '));
    }
    catch {
        return text;
    }
}
/** The key in the query, which is gone from the request's target afterwards, and from its `Referer`. */
function takeKey(request) {
    const { key, rest } = splitKey(readTarget(request));
    if (key !== undefined)
        request.url = rest;
    const { referer } = request.headers;
    // What cannot be redirected, such as the answer to a form, leaves the key in the address of its page.
    if (referer?.includes(KEY_PARAMETER)) {
        rewriteField(request, 'referer', value => splitKey(value).rest);
        request.headers.referer = splitKey(referer).rest;
    }
    return key;
}
/** The token of `Authorization: Bearer` (RFC 6750, 2.1), or undefined. */
function readBearer(request) {
    return /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
}
/** `user:password` of `Authorization: Basic` (RFC 7617), or undefined. */
function readBasic(request) {
    const encoded = /^basic +([\w+/=-]+) *$/i.exec(request.headers.authorization ?? '')?.[1];
    return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
}
/** Takes our `Authorization` out of the request. */
function dropAuthorization(request) {
    rewriteField(request, 'authorization', () => '');
    delete request.headers.authorization;
}
/** Takes our cookies out of the request, be they of this preview or of another one on the same host. */
function dropOwnCookies(request) {
    const { cookie } = request.headers;
    if (!cookie?.includes('expose-'))
        return;
    rewriteField(request, 'cookie', withoutOwnCookies);
    const rest = withoutOwnCookies(cookie);
    if (rest === '')
        delete request.headers.cookie;
    else
        request.headers.cookie = rest;
}
/** Rewrites every field of that lower-case name; one that becomes empty is removed. */
function rewriteField({ rawHeaders }, wanted, rewrite) {
    for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
        if (rawHeaders[index]?.toLowerCase() !== wanted)
            continue;
        const value = rewrite(rawHeaders[index + 1] ?? '');
        if (value === '')
            rawHeaders.splice(index, 2);
        else
            rawHeaders[index + 1] = value;
    }
}

// EXTERNAL MODULE: external "node:https"
var external_node_https_ = __webpack_require__(4708);
;// CONCATENATED MODULE: ./build/js/gateway/probe-tls.js
// The probe's way through TLS of our own: the certificate is one we know, whether the machine trusts it or not. Used by
// probe.ts.



/** Somebody answered, with TLS or without, and it was not us. */
class ForeignPeerError extends Error {
    name = 'ForeignPeerError';
}
/**
 * A connection on which nothing was said yet. It ends at the certificate with this SHA-256 fingerprint, or at one that
 * the machine trusts for the name: a proxy may stand in between. Rejects with ForeignPeerError where it does neither.
 */
function connectTls(url, fingerprint, signal) {
    const { hostname, port } = new URL(url);
    const host = stripBrackets(hostname);
    return new Promise((resolve, reject) => {
        signal.throwIfAborted();
        const socket = (0,external_node_tls_.connect)({
            host,
            port: Number(port || 443),
            ...((0,external_node_net_.isIP)(host) === 0 && { servername: host }),
            ALPNProtocols: ['http/1.1'],
            // Not the last word: it is judged below, before a byte is sent.
            rejectUnauthorized: false,
        });
        const giveUp = () => socket.destroy(new Error('no answer in time'));
        signal.addEventListener('abort', giveUp, { once: true });
        socket.once('close', () => signal.removeEventListener('abort', giveUp));
        socket.on('error', error => reject(isNoTls(error) ? new ForeignPeerError(error.message) : error));
        socket.once('secureConnect', () => {
            if (socket.authorized || socket.getPeerX509Certificate()?.fingerprint256 === fingerprint) {
                resolve(socket);
                return;
            }
            socket.destroy();
            reject(new ForeignPeerError(`a certificate that is not ours (${socket.authorizationError})`));
        });
    });
}
/** OpenSSL's own errors: bytes came, and they were not those of a handshake that could be. */
function isNoTls(error) {
    return 'code' in error && /^(?:EPROTO|ERR_SSL_)/.test(String(error.code));
}

;// CONCATENATED MODULE: ./build/js/gateway/probe.js
// The proof that a public address leads to this very exposure: a challenge, answered with a key nobody else has.
// Asked by ingress.ts before a URL is announced; answered by the gateway's own pages.







/** Path of the probe on every exposure. */
const PROBE_PATH = '/__expose/probe';
/** A proof has 64 characters; what is longer than this is somebody's page, and is not read to its end. */
const probe_MAX_ANSWER_BYTES = 4_096;
const CHALLENGE = /^[0-9a-f]{32,128}$/;
/** The keyed answer to a challenge (lower-case hex, 16 to 64 bytes), or undefined where it is not one. */
function renderProof(proofKey, challenge) {
    if (!CHALLENGE.test(challenge))
        return undefined;
    return (0,external_node_crypto_.createHmac)('sha256', proofKey).update(`expose probe\n${challenge}`).digest('hex');
}
/**
 * Asks `url` (no trailing slash) once, over a connection of its own, following no redirect. `certificate`: the SHA-256
 * fingerprint of ours, where TLS ends here. Never rejects.
 */
async function askForProof(url, proofKey, signal, certificate) {
    const challenge = (0,external_node_crypto_.randomBytes)(32).toString('hex');
    try {
        const response = await probe_openPage(`${url}${PROBE_PATH}?challenge=${challenge}`, signal, certificate);
        const body = await readStart(response);
        const status = response.statusCode ?? 0;
        if (isProof(body, renderProof(proofKey, challenge)))
            return { kind: 'proved' };
        if (status >= 500)
            return { kind: 'silent', detail: `the answer was ${status}` };
        return { kind: 'unproved', detail: `the answer was ${status}, without the proof of this exposure` };
    }
    catch (error) {
        return probe_describeFailure(error, signal);
    }
}
async function probe_openPage(url, signal, certificate) {
    const get = url.startsWith('https:') ? external_node_https_.get : external_node_http_.get;
    const socket = certificate === undefined ? undefined : await connectTls(url, certificate, signal);
    // No agent: a connection kept alive might lead to where the address led before.
    const options = socket
        ? { createConnection: () => socket, signal }
        : { agent: false, signal };
    return new Promise((resolve, reject) => {
        get(url, options, resolve).once('error', reject);
    });
}
/** At most the first few KB; the connection is closed then, whatever else may be on its way. */
async function readStart(response) {
    const chunks = [];
    let length = 0;
    for await (const chunk of response) {
        if (!Buffer.isBuffer(chunk))
            break;
        chunks.push(chunk);
        length += chunk.length;
        if (length > probe_MAX_ANSWER_BYTES)
            break;
    }
    return Buffer.concat(chunks).toString('latin1');
}
function isProof(body, proof) {
    return proof !== undefined && isSame(body, proof);
}
function probe_describeFailure(error, signal) {
    if (signal.aborted)
        return { kind: 'silent', detail: 'no answer in time' };
    const detail = sanitise((0,errors/* describeError */.Uc)(error));
    if (error instanceof ForeignPeerError)
        return { kind: 'unproved', detail: `the answer was not our TLS: ${detail}` };
    // llhttp's own errors: bytes came, and they were no HTTP.
    const isForeign = error instanceof Error && 'code' in error && String(error.code).startsWith('HPE_');
    return isForeign
        ? { kind: 'unproved', detail: `the answer was not HTTP: ${detail}` }
        : { kind: 'silent', detail };
}

;// CONCATENATED MODULE: ./build/js/gateway/own-pages.js
// What the gateway answers itself under /__expose/, beside signing in (access.ts). Nothing there takes a cookie as
// authority: the app shares the origin.


const OWN_FOLDER = '/__expose';
/**
 * True for a challenge, which needs no key: it is our own way of finding out where an address leads. The connection ends
 * with it, for an unauthenticated visitor could else fill our buffers with answers it does not read.
 */
function answerProbe(visit, proofKey) {
    const proof = readPath(visit.request) === PROBE_PATH ? readProof(visit, proofKey) : undefined;
    if (proof === undefined)
        return false;
    sendText(visit, 200, proof, { connection: 'close' });
    return true;
}
/** True for all else under /__expose, which never reaches the app. */
function refuseOwnPath(visit) {
    const path = readPath(visit.request);
    if (path !== OWN_FOLDER && !path.startsWith(`${OWN_FOLDER}/`))
        return false;
    sendText(visit, 404, 'not found\n');
    return true;
}
function readProof({ request }, proofKey) {
    const query = new URLSearchParams(readTarget(request).slice(PROBE_PATH.length));
    return request.method === 'GET' ? renderProof(proofKey, query.get('challenge') ?? '') : undefined;
}
/** A short answer of the gateway's own, as plain text that nobody keeps. */
function sendText({ response }, status, text, headers = {}) {
    response.writeHead(status, {
        'content-type': 'text/plain; charset=utf-8',
        'content-length': Buffer.byteLength(text),
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        ...headers,
    });
    response.end(text);
}

;// CONCATENATED MODULE: ./build/js/gateway/pages/page.js
// The one look of the gateway's pages: no script, no outside assets, light and dark, from 320 px up. Pure.


const STYLE = `
:root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--line:#dfe3e8;--text:#1d2330;--soft:#566072;--waiting:#2563eb;--trouble:#b45309;--failed:#b42318;--action:#1d4ed8;--on-action:#fff}
@media (prefers-color-scheme:dark){:root{--ground:#12151b;--card:#1a1f28;--line:#2c3440;--text:#e8ebf0;--soft:#9ba6b6;--waiting:#7aa7ff;--trouble:#f0b35c;--failed:#ff8f82;--action:#8fb4ff;--on-action:#10182b}}
*{box-sizing:border-box;margin:0}
body{min-height:100vh;min-height:100svh;display:grid;place-items:center;padding:1rem;background:var(--ground);color:var(--text);font:1rem/1.55 system-ui,sans-serif}
main{width:100%;max-width:34rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}
.waiting{--mark:var(--waiting)}.trouble{--mark:var(--trouble)}.failed{--mark:var(--failed)}.ended,.locked{--mark:var(--soft)}
.mark{display:block;width:2.5rem;height:.25rem;margin-bottom:1.25rem;border-radius:1rem;background:var(--mark)}
h1{margin-bottom:.5rem;font-size:1.375rem;line-height:1.3;font-weight:600}
p+p{margin-top:.5rem}
.soft{color:var(--soft)}
pre{margin:1.25rem 0;padding:.75rem 1rem;border-left:3px solid var(--mark);border-radius:.25rem;background:var(--ground);font:.875rem/1.5 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
form{display:flex;flex-wrap:wrap;gap:.5rem;margin-top:1.25rem}
label{width:100%;font-size:.875rem;font-weight:600}
input,button,.button{min-height:2.75rem;padding:.5rem .875rem;border-radius:.5rem;font:inherit}
input{flex:1 1 12rem;min-width:0;border:1px solid var(--soft);background:var(--ground);color:inherit}
button,.button{flex:0 0 auto;border:0;background:var(--action);color:var(--on-action);font-weight:600;cursor:pointer}
:focus-visible{outline:2px solid var(--action);outline-offset:2px}
a.button{display:inline-block;margin-top:1.25rem;text-decoration:none}
footer{margin-top:1.5rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.8125rem}
@media (max-width:30rem){main{padding:1.5rem 1.25rem}button{flex:1 1 100%}}
`;
const STYLE_HASH = (0,external_node_crypto_.createHash)('sha256').update(STYLE).digest('base64');
/** The page's Content-Security-Policy: nothing but our own style sheet, named by its hash, and our own form. */
function renderPolicy({ keyForm }) {
    return [
        "default-src 'none'",
        `style-src 'sha256-${STYLE_HASH}'`,
        "base-uri 'none'",
        `form-action ${keyForm === undefined ? "'none'" : "'self'"}`,
        "frame-ancestors 'none'",
    ].join('; ');
}
/** A whole HTML document. */
function renderPage(notice) {
    const detail = notice.detail === undefined ? '' : `<pre>${escapeHtml(notice.detail)}</pre>\n`;
    const reload = notice.retryAfterS;
    return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${reload === undefined ? '' : `<meta http-equiv="refresh" content="${reload}">\n`}<title>${escapeHtml(notice.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main class="${notice.mood}">
<span class="mark"></span>
<h1>${escapeHtml(notice.title)}</h1>
<p>${escapeHtml(notice.what)}</p>
${detail}<p class="soft">${escapeHtml(notice.next)}</p>
${renderForm(notice.keyForm)}${notice.leadsHome ? '<a class="button" href="/">To the start page</a>\n' : ''}<footer>${notice.status} ${external_node_http_.STATUS_CODES[notice.status]}${reload === undefined ? '' : ` · next try in ${reload} s`}</footer>
</main>
</body>
</html>
`;
}
/** A password field, so that no keyboard learns the key and browsers offer to keep it. */
function renderForm(action) {
    if (action === undefined)
        return '';
    return `<form method="post" action="${escapeHtml(action)}">
<label for="key">Key</label>
<input id="key" name="key" type="password" required autofocus autocomplete="current-password" spellcheck="false">
<button>Open the preview</button>
</form>
`;
}
/** The same for a terminal. */
function renderText({ title, what, nextForScripts, detail, retryAfterS }) {
    const again = retryAfterS === undefined ? undefined : `Try again in ${retryAfterS} s.`;
    const lines = [`${title}.`, what, detail, nextForScripts, again];
    return `${lines.filter(line => line !== undefined).join('\n')}\n`;
}
/** The same for a program: `{"error","detail"?,"status","retry_after"}`, `retry_after` in seconds, where asking again may help. */
function renderJson(notice) {
    const { title, what, detail, status, retryAfterS } = notice;
    return `${JSON.stringify({ error: `${title}: ${what}`, detail, status, retry_after: retryAfterS })}\n`;
}
function escapeHtml(text) {
    return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
}

;// CONCATENATED MODULE: ./build/js/gateway/pages/answer.js
// Sends a notice in the form its reader asked for; used by the gateway's passes.

/** HTML only for those who name it: a browser's page, not its scripts, styles and images, nor curl. */
function sendNotice({ request, response }, notice, headers = {}) {
    const [type, body] = render(request.headers.accept ?? '', notice);
    response.writeHead(notice.status, {
        'content-type': type,
        'content-length': Buffer.byteLength(body),
        'cache-control': 'no-store',
        'content-security-policy': renderPolicy(notice),
        // A form is told where its page was, so that it can lead back there; nobody else is told anything.
        'referrer-policy': notice.keyForm === undefined ? 'no-referrer' : 'same-origin',
        ...(notice.retryAfterS !== undefined && { 'retry-after': String(notice.retryAfterS) }),
        vary: 'accept',
        'x-content-type-options': 'nosniff',
        ...headers,
    });
    response.end(body);
}
function render(accept, notice) {
    if (/\btext\/html\b/i.test(accept))
        return ['text/html; charset=utf-8', renderPage(notice)];
    if (/\bapplication\/(?:[\w.-]+\+)?json\b/i.test(accept))
        return ['application/json', renderJson(notice)];
    return ['text/plain; charset=utf-8', renderText(notice)];
}

;// CONCATENATED MODULE: ./build/js/gateway/pages/notice.js
// What a visitor is told by the gateway itself: one notice for each way of not getting the app's own answer.


/** A start takes seconds; twice as often would only be noise in the log. */
const STARTING_RETRY_S = 2;
/** Restarts back off; the page does too, but no reviewer should wait longer than this for an app that is back. */
const MAX_RESTARTING_RETRY_S = 15;
/** A running app that gave no answer to one request will usually answer the next. */
const NO_ANSWER_RETRY_S = 5;
/** Nothing is coming back by itself, but the next commit's preview has the same address. */
const OVER_RETRY_S = 30;
const RELOADS = 'This page reloads by itself.';
/** The notice for an app that is not running. */
function describeAway(app) {
    switch (app.status) {
        case 'starting':
            return {
                status: 503,
                mood: 'waiting',
                title: 'The app is starting',
                what: 'The preview is open, but its app does not answer yet.',
                next: `${RELOADS} It becomes the app as soon as there is one.`,
                retryAfterS: STARTING_RETRY_S,
            };
        case 'restarting':
            return {
                status: 503,
                mood: 'trouble',
                title: 'The app is restarting',
                what: `The app stopped and is being started again (attempt ${app.attempt}).`,
                next: `${RELOADS} It becomes the app as soon as it is back.`,
                detail: sanitise(app.reason),
                retryAfterS: Math.min(2 ** Math.max(1, app.attempt), MAX_RESTARTING_RETRY_S),
            };
        case 'failed':
            return {
                status: 502,
                mood: 'failed',
                title: 'The app has failed',
                what: `The app ended${app.exitCode === undefined ? '' : ` with exit code ${app.exitCode}`} and is not started again.`,
                next: "The log of the workflow run has its last lines. The next commit's preview may appear at this address.",
                detail: sanitise(app.reason),
                retryAfterS: OVER_RETRY_S,
            };
        case 'stopped':
            return {
                status: 503,
                mood: 'ended',
                title: 'This preview has ended',
                what: 'The app was stopped.',
                next: "The next commit's preview may appear at this address.",
                retryAfterS: OVER_RETRY_S,
            };
    }
}
/**
 * The notice for who may not come in. It is the same for everybody, and says nothing of the app; only who sent a key
 * that is `wrong` hears of that.
 */
function notice_describeRefusal(kind, wrong, keyForm) {
    const isLink = kind === 'link';
    return {
        status: 401,
        mood: 'locked',
        title: wrong ? 'That is not the key' : 'This preview is not open to everybody',
        what: isLink
            ? 'It needs a key, which is part of the link that was handed out.'
            : 'It needs a user and a password.',
        next: isLink
            ? 'Open it with the whole link, or paste the key here.'
            : 'The author of the workflow has them; reload the page to be asked again.',
        nextForScripts: isLink ? 'Send it as Authorization: Bearer KEY.' : 'Send them as HTTP Basic.',
        ...(isLink && { keyForm }),
    };
}
/** The notice for what a built web app cannot answer with. */
function describeFile(status) {
    const common = { status, next: 'The start page may lead to what you look for.', leadsHome: true };
    switch (status) {
        case 404:
            return {
                ...common,
                mood: 'trouble',
                title: 'Nothing is here',
                what: 'The app has no file of this name.',
            };
        case 405:
            return {
                ...common,
                mood: 'trouble',
                title: 'Files can only be read',
                what: 'Only GET and HEAD are answered.',
            };
        case 500:
            return {
                ...common,
                mood: 'failed',
                title: 'The file cannot be read',
                what: 'It is there, but not readable.',
            };
    }
}
const MAX_BODY_HINT = 'The author of the workflow can allow more with the input max-body.';
/** The notice for an upload that is longer than `max-body`. */
function describeTooLarge(maxBytes) {
    return {
        status: 413,
        mood: 'failed',
        title: 'This upload is too large',
        what: `The preview takes at most ${renderBytes(maxBytes)} in one request.`,
        next: MAX_BODY_HINT,
        nextForScripts: MAX_BODY_HINT,
    };
}
/** As `max-body` is written: the largest unit that leaves a number a reader takes in at once. */
function renderBytes(bytes) {
    for (const [unit, factor] of [
        ['GB', 1024 ** 3],
        ['MB', 1024 ** 2],
        ['KB', 1024],
    ])
        if (bytes >= factor)
            return `${Number((bytes / factor).toFixed(2))} ${unit}`;
    return bytes === 1 ? '1 byte' : `${bytes} bytes`;
}
/** The notice for an app that runs but gave no answer to this request. */
function describeNoAnswer(error) {
    const isLate = (0,errors/* hasCode */.up)(error, 'UND_ERR_HEADERS_TIMEOUT');
    return {
        status: isLate ? 504 : 502,
        mood: 'trouble',
        title: isLate ? 'The app did not answer in time' : 'The app did not answer',
        what: explainNoAnswer(error),
        next: `${RELOADS} If that does not help, the log of the workflow run shows what the app printed.`,
        retryAfterS: NO_ANSWER_RETRY_S,
    };
}
function explainNoAnswer(error) {
    if ((0,errors/* hasCode */.up)(error, 'UND_ERR_HEADERS_TIMEOUT'))
        return 'It took the request, and was silent for five minutes.';
    if ((0,errors/* hasCode */.up)(error, 'ECONNREFUSED', 'UND_ERR_CONNECT_TIMEOUT'))
        return 'Nothing accepts connections on its port.';
    if ((0,errors/* hasCode */.up)(error, 'UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'))
        return 'It closed the connection without an answer.';
    if ((0,errors/* hasCode */.up)(error, 'UND_ERR_DESTROYED', 'UND_ERR_ABORTED'))
        return 'It went away while the request was under way.';
    return 'What it sent could not be understood as an HTTP answer.';
}

;// CONCATENATED MODULE: ./build/js/gateway/access/access.js
// Who may come in: refuses strangers, all in the same way, and takes the key or password out of the request of whoever
// is let in, so that the app never sees it. The pass of gateway.ts before anything that tells whether there is an app.








/** Where the sign-in page sends its key. */
const SIGN_IN_PATH = '/__expose/sign-in';
/** A key and the name of its field are a few hundred bytes. */
const MAX_FORM_BYTES = 4_096;
/** Methods that only read (RFC 9110, 9.2.1): a stranger's page may make a browser send them. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
class AccessControl {
    #access;
    #isPublic;
    #cookies = new SessionCookies();
    #siteData;
    #endsAt;
    /** `endsAt`: when the exposure ends, where that is known; no session is longer. */
    constructor(rules, siteData, endsAt) {
        this.#access = rules.access;
        this.#isPublic = compilePatterns(rules.publicPaths);
        this.#siteData = siteData;
        this.#endsAt = endsAt;
    }
    /** True where the visit ends here: refused, or on its way to sign in. */
    check(visit) {
        const { request } = visit;
        const key = takeKey(request);
        if (this.#access.kind === 'open')
            return admit(visit);
        const hasSession = this.#hasSession(visit);
        const credential = this.#takeAuthorization(request);
        if (readPath(request) === SIGN_IN_PATH)
            return this.#answerSignIn(visit, hasSession);
        const isRightKey = this.#isKey(key);
        if (isRightKey && isPageLoad(visit))
            return this.#signIn(visit, readTarget(request));
        const grant = isRightKey ? 'shown' : this.#findGrant(visit, credential, hasSession);
        if (grant === undefined)
            return this.#refuse(visit);
        if (grant === 'ambient' && isCrossSite(visit))
            return refuseCrossSite(visit);
        // Whoever only asks for what needs no key has not shown one; but a browser shows its session there, too.
        return grant === 'public' && !hasSession && credential === undefined ? false : admit(visit);
    }
    #findGrant(visit, credential, hasSession) {
        if (credential === 'key')
            return 'shown';
        if (this.#isPublic(readPath(visit.request)))
            return 'public';
        if (credential === 'password') {
            // The app's scripts may send an `Authorization` of their own, in the place of the browser's.
            if (!hasSession && visit.address)
                visit.ownHeaders.push(['set-cookie', this.#issue(visit.address.url)]);
            return 'ambient';
        }
        return hasSession ? 'ambient' : undefined;
    }
    /** Out of the request wherever it is ours: browsers send a password to public paths, too. */
    #takeAuthorization(request) {
        const found = this.#isKey(readBearer(request))
            ? 'key'
            : this.#isPassword(readBasic(request))
                ? 'password'
                : undefined;
        if (found !== undefined)
            dropAuthorization(request);
        return found;
    }
    #isKey(given) {
        return this.#access.kind === 'link' && given !== undefined && isSame(given, this.#access.key);
    }
    #isPassword(given) {
        if (this.#access.kind !== 'basic' || given === undefined)
            return false;
        return isSame(given, `${this.#access.user}:${this.#access.password}`);
    }
    #hasSession({ request, address }) {
        return address !== undefined && this.#cookies.accepts(request.headers.cookie, address.url);
    }
    #issue(url) {
        return this.#cookies.issue(url, this.#endsAt());
    }
    /** To the same page without the key, which would else stay in the address bar, in histories and in `Referer`. */
    #signIn(visit, target) {
        const { request, response, address } = visit;
        if (address === undefined)
            return this.#refuse(visit);
        visit.markAuthenticated();
        response.writeHead(303, [
            ...['location', target],
            ...['set-cookie', this.#issue(address.url)],
            ...this.#siteData.renewFor(request, address.url).flat(),
            ...['content-length', '0'],
            ...['cache-control', 'no-store'],
            ...['referrer-policy', 'no-referrer'],
        ]);
        response.end();
        return true;
    }
    #answerSignIn(visit, hasSession) {
        const { request } = visit;
        if (request.method === 'POST' && visit.upgrade === undefined)
            this.#readForm(visit);
        else if (hasSession && isPageLoad(visit))
            this.#signIn(visit, '/');
        else
            this.#refuse(visit);
        return true;
    }
    /** The one body the gateway reads itself; it comes from whoever likes to send one. */
    #readForm(visit) {
        const { request, response, awaitsContinue } = visit;
        if (isCrossSite(visit))
            return void refuseCrossSite(visit);
        if (awaitsContinue)
            response.writeContinue();
        let form = '';
        request.setEncoding('latin1');
        request.on('data', (text) => {
            if (response.headersSent)
                return;
            form += text;
            if (form.length > MAX_FORM_BYTES)
                this.#refuse(visit);
        });
        request.once('end', () => {
            if (response.headersSent)
                return;
            const key = new URLSearchParams(form).get('key') ?? '';
            if (this.#isKey(key.trim()))
                this.#signIn(visit, readReturn(visit));
            else
                this.#refuse(visit, { wrongKey: key !== '' });
        });
    }
    /** The same for every path, method and upgrade, whether there is an app or not; and the connection is closed. */
    #refuse(visit, { wrongKey = false } = {}) {
        const kind = this.#access.kind === 'basic' ? 'basic' : 'link';
        sendNotice(visit, notice_describeRefusal(kind, wrongKey, SIGN_IN_PATH), {
            connection: 'close',
            'www-authenticate': kind === 'basic' ? 'Basic realm="preview", charset="UTF-8"' : 'Bearer realm="preview"',
        });
        return true;
    }
}
function admit(visit) {
    visit.markAuthenticated();
    return false;
}
function isPageLoad({ request, upgrade }) {
    return (request.method === 'GET' || request.method === 'HEAD') && upgrade === undefined;
}
/**
 * Where another site made the browser ask. `SameSite` does not help against it: another port of the same host is the
 * same site. Every browser sends `Origin` with what is not safe, and with WebSockets (Fetch Standard, 3.2).
 */
function isCrossSite({ request, upgrade, address }) {
    const { origin } = request.headers;
    if (origin === undefined || (SAFE.has(request.method ?? '') && upgrade === undefined))
        return false;
    return !address?.origins.has(origin.toLowerCase());
}
function refuseCrossSite(visit) {
    sendText(visit, 403, 'this request comes from another site\n', { connection: 'close' });
    return true;
}
/** The page that showed the sign-in form, which is where the visitor wanted to go. */
function readReturn({ request, address }) {
    const from = URL.parse(request.headers.referer ?? '');
    if (from === null || !address?.origins.has(from.origin))
        return '/';
    const target = splitKey(`${from.pathname}${from.search}`).rest;
    // Two slashes would lead to another host.
    return /^\/[/\\]/.test(target) || target.startsWith(SIGN_IN_PATH) ? '/' : target;
}

;// CONCATENATED MODULE: ./build/js/gateway/access/site-data.js
// What an earlier preview left in the visitor's browser under the same address: a service worker would go on serving
// that commit. Used by gateway and access.


/** Longer than any preview lives. */
const SEEN_MAX_AGE_S = 7 * 24 * 60 * 60;
/** Storage is where service workers are kept; clearing `cache` as well can take a browser many seconds. */
const CLEAR = '"storage"';
/** Loading a page, and looking for a newer service worker, which goes past the one that is there. */
const FIRST_REQUESTS = new Set(['document', 'serviceworker']);
class SiteData {
    /** Names this exposure in its visitors' browsers. */
    #exposure = (0,external_node_crypto_.randomBytes)(9).toString('base64url');
    /** Fields that make the browser forget, where it has not yet for this exposure; only https allows them to. */
    renewFor(request, url) {
        if (url.protocol !== 'https:' || this.#wasHere(request, url))
            return [];
        const seen = renderCookie(url, nameCookie(url, 'seen'), this.#exposure, { maxAgeS: SEEN_MAX_AGE_S });
        return [
            ['clear-site-data', CLEAR],
            ['set-cookie', seen],
        ];
    }
    /** The pass for what loads a page; never ends the visit. */
    renew({ request, address, ownHeaders }) {
        if (address !== undefined && FIRST_REQUESTS.has(String(request.headers['sec-fetch-dest'])))
            ownHeaders.push(...this.renewFor(request, address.url));
        return false;
    }
    #wasHere(request, url) {
        return readCookies(request.headers.cookie, nameCookie(url, 'seen')).includes(this.#exposure);
    }
}

;// CONCATENATED MODULE: ./build/js/gateway/body-limit.js
// The longest body a visitor may send (`max-body`). A pass of gateway.ts refuses what says beforehand that it is longer;
// upload.ts counts the rest.


/** A body turned out to be longer than allowed while it was on its way to the app. */
class BodyTooLarge extends Error {
    name = 'BodyTooLarge';
    constructor(maxBytes) {
        super(`the body is longer than the ${maxBytes} bytes of max-body`);
    }
}
/** True where the visit ends here, before the app hears of it, and before the visitor is told to go on (100-continue). */
function refuseLargeBody(visit, maxBytes) {
    // Node's parser lets nothing but digits pass.
    if (Number(visit.request.headers['content-length'] ?? 0) <= maxBytes)
        return false;
    sendTooLarge(visit, maxBytes);
    return true;
}
function sendTooLarge(visit, maxBytes) {
    sendNotice(visit, describeTooLarge(maxBytes), { connection: 'close' });
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/closing.js
// The end of visitors' streams, the same for every server of this folder.



/** Resolves when the stream is closed, which it may be already. */
function awaitClose(stream) {
    return new Promise(resolve => {
        if (stream.closed)
            resolve();
        else
            stream.once('close', () => resolve());
    });
}
/**
 * Closes the stream at once, a TCP connection with a reset, so that the system forgets what it still holds for a
 * visitor who does not take it. Never throws, whatever kind of stream it is: Node.js resets only a bare TCP socket, and
 * throws ERR_INVALID_HANDLE_TYPE for a TLSSocket, which is a Socket too.
 */
function cut(stream) {
    try {
        if (stream instanceof external_node_net_.Socket && !(stream instanceof external_node_tls_.TLSSocket))
            resetSocket(stream);
        else
            stream.destroy();
    }
    catch {
        stream.destroy();
    }
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/connection-slots.js
// Which visitors' connections may stay, and how many requests of each may be under way. One for all servers of a
// gateway, so that TLS, HTTP/1.1 and HTTP/2 share its limits.
//
// There are two groups, connections that have shown the key and all others, and neither can use up the room of the
// other. Within a group whoever holds most makes room, so that a newcomer gets in as long as anybody holds two of
// anything. What that guarantees stands in docs/threat-model.md.
/**
 * A connection may use this part of what is free in its group: the more are served, the fewer requests of one
 * connection run side by side. One always may.
 */
const PART_OF_FREE = 1 / 2;
class ConnectionSlots {
    #limits;
    #unauthenticated;
    #authenticated;
    /** The group a connection begins in. */
    #newcomers;
    #slots = new WeakMap();
    constructor(limits) {
        this.#limits = limits;
        this.#unauthenticated = connection_slots_createGroup(limits.strangers);
        this.#authenticated = connection_slots_createGroup(limits.sockets);
        this.#newcomers = limits.strangers === 0 ? this.#authenticated : this.#unauthenticated;
    }
    /**
     * A slot until the connection is closed, which counts as unauthenticated. False where none is free and nobody has to
     * make room. May be called twice.
     */
    take(connection) {
        if (this.#slots.has(connection))
            return true;
        if (!this.#freeSlot())
            return false;
        const slot = {
            connection,
            group: this.#newcomers,
            share: { active: 1, open: 1 },
            active: new Set(),
            waiting: new Set(),
            idleSince: performance.now(),
            isGone: false,
        };
        this.#slots.set(connection, slot);
        slot.group.slots.add(slot);
        connection.once('close', () => remove(slot));
        return true;
    }
    /** `stream`, for instance the plain text of a TLS connection, has the slot of `connection`. */
    join(stream, connection) {
        const slot = this.#slots.get(connection);
        if (slot !== undefined)
            this.#slots.set(stream, slot);
    }
    /** The connection that has the slot of this stream. */
    connectionOf(stream) {
        return this.#slots.get(stream)?.connection ?? stream;
    }
    /** It has shown the key, or needs none: from now on it is closed to make room only while it is idle. */
    markAuthenticated(stream) {
        const slot = this.#slots.get(stream);
        if (slot === undefined || slot.isGone || slot.group === this.#authenticated)
            return;
        leaveGroup(slot);
        joinGroup(slot, this.#authenticated);
        while (slot.group.open > slot.group.capacity && evictNewest(findBusiest(slot.group)))
            ;
        advance(slot);
    }
    isAuthenticated(stream) {
        return this.#slots.get(stream)?.group === this.#authenticated;
    }
    /** Whether a request is open there. */
    isBusy(stream) {
        const slot = this.#slots.get(stream);
        return slot !== undefined && countOpen(slot) > 0;
    }
    /**
     * Opens a request; returns what to call when it is over (calling it twice, or after its eviction, changes nothing).
     * Evicts it at once where the connection has too many, or its group has, and nobody in it holds more.
     */
    open(stream, share, turn) {
        const slot = this.#slots.get(stream);
        if (slot === undefined || slot.isGone || countOpen(slot) >= share.open || !makeRoom(slot)) {
            turn.evict();
            return () => { };
        }
        slot.share = share;
        slot.waiting.add(turn);
        slot.group.open += 1;
        advance(slot);
        return () => connection_slots_close(slot, turn);
    }
    /**
     * An idle connection makes room, and of unauthenticated ones also a busy one, where idle ones hold less than half of
     * their slots: newcomers, who are idle too, would else only push out one another.
     */
    #freeSlot() {
        const [strangers, authenticated] = [this.#unauthenticated, this.#authenticated];
        const isFull = strangers.slots.size + authenticated.slots.size >= this.#limits.sockets;
        const isCrowded = this.#newcomers === strangers && strangers.slots.size >= this.#limits.strangers;
        if (!isFull && !isCrowded)
            return true;
        const leaving = (isMostlyIdle(strangers) ? findIdle(strangers) : undefined) ??
            (isCrowded ? undefined : findIdle(authenticated)) ??
            findBusiest(strangers);
        if (leaving === undefined)
            return false;
        remove(leaving);
        leaving.connection.destroy();
        return true;
    }
}
function connection_slots_createGroup(capacity) {
    return { capacity, slots: new Set(), short: new Set(), open: 0, active: 0 };
}
function joinGroup(slot, group) {
    slot.group = group;
    group.slots.add(slot);
    group.open += countOpen(slot);
    group.active += slot.active.size;
}
function leaveGroup(slot) {
    const { group } = slot;
    group.slots.delete(slot);
    group.short.delete(slot);
    group.open -= countOpen(slot);
    group.active -= slot.active.size;
}
function remove(slot) {
    if (slot.isGone)
        return;
    slot.isGone = true;
    const { group } = slot;
    leaveGroup(slot);
    slot.active.clear();
    slot.waiting.clear();
    advanceOthers(group);
}
function connection_slots_close(slot, turn) {
    const { group } = slot;
    if (slot.active.delete(turn))
        group.active -= 1;
    else if (!slot.waiting.delete(turn))
        return;
    group.open -= 1;
    if (countOpen(slot) === 0)
        slot.idleSince = performance.now();
    advance(slot);
    advanceOthers(group);
}
/** Begins what may begin. */
function advance(slot) {
    const { group } = slot;
    for (const turn of slot.waiting) {
        if (slot.active.size >= findLimit(slot)) {
            if (slot.active.size < slot.share.active)
                group.short.add(slot);
            return;
        }
        slot.waiting.delete(turn);
        slot.active.add(turn);
        group.active += 1;
        turn.begin();
    }
    group.short.delete(slot);
}
function advanceOthers({ short }) {
    for (const slot of short)
        advance(slot);
}
/** How many requests of it may be under way now. */
function findLimit({ group, share }) {
    const free = group.capacity - group.active;
    return Math.max(1, Math.min(share.active, Math.floor(free * PART_OF_FREE)));
}
/** For one more request of this slot; only of one that holds more, or two connections would push each other out. */
function makeRoom(slot) {
    const { group } = slot;
    if (group.open < group.capacity)
        return true;
    const busiest = findBusiest(group);
    if (busiest === undefined || countOpen(busiest) < countOpen(slot) + 2)
        return false;
    return evictNewest(busiest);
}
/** What waits goes first: the app has not heard of it. */
function evictNewest(slot) {
    const newest = [...(slot?.active ?? []), ...(slot?.waiting ?? [])].at(-1);
    if (slot === undefined || newest === undefined)
        return false;
    connection_slots_close(slot, newest);
    newest.evict();
    return true;
}
function isMostlyIdle({ slots }) {
    let idle = 0;
    for (const slot of slots)
        if (countOpen(slot) === 0)
            idle += 1;
    return 2 * idle >= slots.size;
}
/** The one idle for longest. */
function findIdle({ slots }) {
    let found;
    for (const slot of slots)
        if (countOpen(slot) === 0 && (found === undefined || slot.idleSince < found.idleSince))
            found = slot;
    return found;
}
/** The one that holds most; the oldest of several. */
function findBusiest({ slots }) {
    let found;
    for (const slot of slots)
        if (found === undefined || countOpen(slot) > countOpen(found))
            found = slot;
    return found;
}
function countOpen({ active, waiting }) {
    return active.size + waiting.size;
}

// EXTERNAL MODULE: external "node:http2"
var external_node_http2_ = __webpack_require__(2467);
;// CONCATENATED MODULE: ./build/js/gateway/downstream/http2-request.js
// One HTTP/2 request as the gateway's passes know requests: what Node's IncomingMessage offers of it. Used by
// http2-server.ts.

/** Of a field that must stand once, the first counts, as in Node's own `headers`. */
const ONLY_FIRST = new Set([
    'authorization',
    'content-length',
    'content-type',
    'host',
    'origin',
    'referer',
    'user-agent',
]);
class Http2Request extends external_node_stream_.Readable {
    /** What depends on it in the passes is what HTTP/1.0 lacks. */
    httpVersion = '1.1';
    method;
    /** The target as it came, '' where there was none. */
    url;
    /** Without the pseudo fields, but with a `host`: names and values in turn. */
    rawHeaders;
    headers;
    /** What ends with this request, and with no other of the visitor. */
    socket;
    /** Whether all of the body has come. */
    complete;
    #isListening = false;
    constructor(stream, raw) {
        super();
        const { pseudo, fields } = splitHead(raw);
        this.socket = stream;
        this.method = pseudo.get(':method') ?? '';
        this.url = pseudo.get(':path') ?? '';
        this.rawHeaders = renderFields(pseudo.get(':authority'), fields);
        this.headers = renderHeaders(this.rawHeaders);
        // An empty body may be over before anybody asks for it.
        this.complete = stream.endAfterHeaders || stream.readableEnded;
        // A body of unknown length, in the words of HTTP/1.
        if (!this.complete && this.headers['content-length'] === undefined)
            this.headers['transfer-encoding'] = 'chunked';
        if (this.complete)
            this.push(null);
        stream.once('close', () => this.destroy());
    }
    _read() {
        if (this.complete)
            return;
        if (this.socket.readableEnded)
            this.#finish();
        else if (!this.#isListening)
            this.#listen();
        this.socket.resume();
    }
    /** Not before somebody wants the body: until then the visitor's window stays as it is. */
    #listen() {
        this.#isListening = true;
        this.socket.on('data', (chunk) => {
            if (!this.push(chunk))
                this.socket.pause();
        });
        this.socket.once('end', () => this.#finish());
    }
    /** Not where the visitor took the rest back: half a body must not look like a whole one. */
    #finish() {
        if (this.socket.aborted || this.complete)
            return;
        this.complete = true;
        this.push(null);
    }
}
function splitHead(raw) {
    const pseudo = new Map();
    const fields = [];
    for (let index = 0; index + 1 < raw.length; index += 2) {
        const [name = '', value = ''] = [raw[index], raw[index + 1]];
        if (name.startsWith(':'))
            pseudo.set(name, value);
        else
            fields.push([name, value]);
    }
    return { pseudo, fields };
}
/**
 * `:authority` becomes the Host; a Host beside it stays only where it says something else, for the guard to refuse
 * (RFC 9113, 8.3.1). The pieces of a cookie become one again (8.2.3).
 */
function renderFields(authority, fields) {
    const raw = authority === undefined ? [] : ['host', authority];
    const cookies = fields.flatMap(([name, value]) => (name === 'cookie' ? [value] : []));
    let isCookieDone = false;
    for (const [name, value] of fields) {
        if (name === 'host' && value === authority)
            continue;
        if (name !== 'cookie')
            raw.push(name, value);
        else if (!isCookieDone) {
            isCookieDone = true;
            raw.push(name, cookies.join('; '));
        }
    }
    return raw;
}
/** As Node's own: lower-case names, repeated fields joined. */
function renderHeaders(raw) {
    const headers = Object.create(null);
    for (let index = 0; index + 1 < raw.length; index += 2) {
        const [name = '', value = ''] = [raw[index]?.toLowerCase(), raw[index + 1]];
        const before = headers[name];
        if (before === undefined)
            headers[name] = value;
        else if (!ONLY_FIRST.has(name))
            headers[name] = `${before}, ${value}`;
    }
    return { ...headers };
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/http2-response.js
// The answer to one HTTP/2 request, written as the gateway's passes, and handlers in this process, write answers: what
// Node's ServerResponse offers of it. Used by http2-server.ts.


/** They speak about a connection of HTTP/1, and make an HTTP/2 answer malformed (RFC 9113, 8.2.2). */
const CONNECTION_FIELDS = new Set([
    'connection',
    'http2-settings',
    'keep-alive',
    'proxy-connection',
    'te',
    'transfer-encoding',
    'upgrade',
]);
/** RFC 9110, 15: with 204 and 205 there is nothing to announce either. */
const NO_BODY = new Set([204, 205, 304]);
/** As much of an answer as waits for a visitor who reads slowly; undici hands over pieces of this size. */
const BUFFER_BYTES = 64 * 1024;
class Http2Response extends external_node_stream_.Writable {
    statusCode = 200;
    /** True from `writeHead` on: nothing of the head can be changed any more. */
    headersSent = false;
    #stream;
    #isHead;
    #events;
    #fields = new Map();
    #trailers = {};
    #hasResponded = false;
    constructor(stream, method, events) {
        super({ highWaterMark: BUFFER_BYTES });
        this.#stream = stream;
        this.#events = events;
        this.#isHead = method === 'HEAD';
        // The visitor took the request back, or is gone.
        stream.once('close', () => this.destroy());
    }
    setHeader(name, value) {
        if (this.headersSent)
            throw new Error('the head of this answer was written already');
        this.#fields.set(name.toLowerCase(), typeof value === 'object' ? [...value] : String(value));
        return this;
    }
    appendHeader(name, value) {
        if (this.headersSent)
            throw new Error('the head of this answer was written already');
        this.#add(name, typeof value === 'object' ? [...value] : value);
        return this;
    }
    /** As Node's: `writeHead(status, headers)` or `writeHead(status, reason, headers)`; HTTP/2 has no reasons. */
    writeHead(status, ...rest) {
        const headers = rest.find(one => typeof one === 'object');
        this.statusCode = status;
        for (const [name, value] of listFields(headers))
            this.#add(name, value);
        this.headersSent = true;
        return this;
    }
    flushHeaders() {
        this.headersSent = true;
        this.#respond(false);
    }
    writeContinue() {
        if (this.#stream.closed || this.#stream.destroyed || this.#hasResponded)
            return;
        this.#try(() => this.#stream.additionalHeaders({ ':status': 100 }));
    }
    /** Only of use before `end`. */
    addTrailers(trailers) {
        const pairs = Array.isArray(trailers) ? trailers : Object.entries(trailers);
        for (const [name, value] of pairs) {
            const key = String(name).toLowerCase();
            if (CONNECTION_FIELDS.has(key))
                continue;
            const before = this.#trailers[key];
            this.#trailers[key] = before === undefined ? value : [before, value].flat().map(String);
        }
    }
    _write(chunk, _, done) {
        this.headersSent = true;
        this.#respond(false);
        // Of a body that nobody may have, or wants any more, nothing is sent.
        if (this.#hasNoBody() || !this.#stream.writable) {
            done();
            return;
        }
        const goOn = () => {
            this.#events.onTaken(chunk.length);
            done();
        };
        if (this.#stream.write(chunk))
            goOn();
        else
            this.#stream.once('drain', goOn);
    }
    _final(done) {
        this.headersSent = true;
        this.#respond(true);
        if (this.#stream.writableFinished || !this.#stream.writable)
            done();
        else
            this.#stream.end(() => done());
    }
    /** Half an answer must not look like a whole one. */
    _destroy(error, done) {
        if (!this.writableFinished && !this.#stream.closed)
            this.#stream.close(external_node_http2_.constants.NGHTTP2_INTERNAL_ERROR);
        done(error);
    }
    #hasNoBody() {
        return this.#isHead || NO_BODY.has(this.statusCode);
    }
    #add(name, value) {
        const key = name.toLowerCase();
        const before = this.#fields.get(key);
        if (before === undefined)
            this.#fields.set(key, value);
        else
            this.#fields.set(key, [before, value].flat());
    }
    /** Sends the head, once; `isEnd`: nothing follows it. */
    #respond(isEnd) {
        if (this.#hasResponded || this.#stream.closed || this.#stream.destroyed)
            return;
        this.#hasResponded = true;
        const head = { ':status': this.statusCode };
        for (const [name, value] of this.#fields)
            if (!CONNECTION_FIELDS.has(name))
                head[name] = value;
        if (this.#fields.get('connection') === 'close')
            this.#events.onLast();
        // Node sends no body with it, and a length without one would be an error to the visitor.
        if (this.statusCode === 205)
            delete head['content-length'];
        const endStream = this.#hasNoBody() || (isEnd && Object.keys(this.#trailers).length === 0);
        const waitForTrailers = !endStream && !this.#fields.has('content-length');
        if (waitForTrailers)
            this.#stream.once('wantTrailers', () => this.#try(() => this.#stream.sendTrailers(this.#trailers)));
        this.#try(() => this.#stream.respond(head, { endStream, waitForTrailers }));
    }
    /** A field that Node refuses after all costs this one answer. */
    #try(send) {
        try {
            send();
        }
        catch (error) {
            if (!this.#stream.closed)
                this.#stream.close(external_node_http2_.constants.NGHTTP2_INTERNAL_ERROR);
            this.destroy(error instanceof Error ? error : new Error(String(error)));
        }
    }
}
/** Of an object, or of names and values in turn. */
function listFields(headers) {
    if (headers === undefined || typeof headers === 'string')
        return [];
    if (isFlat(headers)) {
        const fields = [];
        for (let index = 0; index + 1 < headers.length; index += 2)
            fields.push([headers[index] ?? '', headers[index + 1] ?? '']);
        return fields;
    }
    return Object.entries(headers).flatMap(([name, value]) => value === undefined ? [] : [[name, Array.isArray(value) ? [...value] : String(value)]]);
}
function isFlat(headers) {
    return Array.isArray(headers);
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/stalled-readers.js
// Finds visitors who do not take what is sent to them, and would hold their place, and what waits for them, for ever.
// Used by visitor-server.ts, for WebSockets too.

/** How often they are looked for, as a part of the limit. */
const SWEEPS_PER_LIMIT = 4;
/**
 * Calls `close`, which must not throw, for the streams of `sockets` for which bytes wait, and none were taken for
 * `stalledMs`. Counted are the pieces a stream was given, which are of 64 KB at most; `countTaken` says how much, for
 * streams that do not count it themselves. A stream for which nothing waits may be silent as long as it likes.
 */
function watchStalledReaders(sockets, stalledMs, close, countTaken = countBytes) {
    const waits = new WeakMap();
    const check = (socket, now) => {
        if (socket.writableLength === 0)
            return void waits.delete(socket);
        const taken = countTaken(socket);
        const wait = waits.get(socket);
        if (wait === undefined || wait.taken !== taken)
            waits.set(socket, { taken, since: now });
        else if (now - wait.since >= stalledMs)
            close(socket);
    };
    const sweep = () => {
        const now = performance.now();
        for (const socket of sockets)
            check(socket, now);
    };
    const timer = setInterval(sweep, stalledMs / SWEEPS_PER_LIMIT).unref();
    return { stop: () => clearInterval(timer) };
}
/** Of a stream that does not count its bytes, that of those which wait is all there is to see. */
function countBytes(socket) {
    return (socket instanceof external_node_net_.Socket ? socket.bytesWritten : 0) - socket.writableLength;
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/http2-server.js
// HTTP/2 over streams that are handed in after their TLS handshake: turns every request of a session into the kind of
// visit that HTTP/1 makes, and bounds sessions in time, streams and heads. Used by tls-front.ts.





/** Requests at a time in one session; what browsers ask for at most, and what RFC 9113, 6.5.2 calls reasonable. */
const MAX_STREAMS = 100;
const HTTP2_SHARE = { active: MAX_STREAMS, open: MAX_STREAMS };
/** As much of a head as Node's HTTP/1 parser takes. */
const MAX_HEAD_BYTES = 16 * 1024;
/** Browsers send each cookie as a field of its own. */
const MAX_HEAD_FIELDS = 256;
/** How often sessions that are over are looked for. */
const FINISHED_INTERVAL_MS = 500;
/** While a session is closing: how often a visitor is asked whether it is still there, and for how long it may keep silent. */
const CLOSING_PRESENCE = { intervalMs: 250, timeoutMs: 1_000 };
/** As slow as a line may be, and as long as its queue may take, without its visitor being taken for gone. */
const SLOW_LINE_BYTES_PER_MS = 32;
const MAX_QUEUE_MS = 120_000;
const SESSION_OPTIONS = {
    settings: {
        maxConcurrentStreams: MAX_STREAMS,
        maxHeaderListSize: MAX_HEAD_BYTES,
        // Without it browsers open a connection with HTTP/1.1 for their WebSockets (RFC 8441).
        enableConnectProtocol: false,
    },
    maxHeaderListPairs: MAX_HEAD_FIELDS,
    // What the app says twice is passed on as it says it.
    strictSingleValueFields: false,
    // Rapid reset: a page that is left cancels its requests, but not hundreds again and again.
    streamResetBurst: 2 * MAX_STREAMS,
    streamResetRate: 33,
    maxSessionInvalidFrames: 100,
    // In megabytes: what nghttp2 may hold for one session beside the streams' own buffers.
    maxSessionMemory: 4,
};
function startHttp2Server(limits, serve, slots) {
    const sessions = new Map();
    /** Open requests. */
    const streams = new Set();
    /** Bytes of answers that visitors have taken, by stream and by session. */
    const taken = new WeakMap();
    const countTaken = (one) => taken.get(one) ?? 0;
    const stalledReaders = watchStalledReaders(streams, limits.stalledMs, stream => stream.destroy(), countTaken);
    /** Ends when its requests are over, or its visitor is gone. */
    const closeSession = (session) => {
        if (session.destroyed)
            return;
        session.close();
        watchPresence(session, { ...CLOSING_PRESENCE, isNeeded: () => true }, {
            countSent: () => countTaken(session),
            leave: () => sessions.get(session)?.destroy(),
        });
    };
    const finished = watchFinished(sessions, limits.lingerMs);
    let stopped = false;
    const openStream = (session, stream, raw) => {
        stream.on('error', ignore);
        const socket = sessions.get(session);
        if (socket === undefined)
            return stream.close(external_node_http2_.constants.NGHTTP2_REFUSED_STREAM);
        // A visitor who never acknowledges our settings is not held to them by Node.
        if (measureHead(raw) > MAX_HEAD_BYTES)
            return refuseHead(stream);
        if (stopped)
            return stream.close(external_node_http2_.constants.NGHTTP2_REFUSED_STREAM);
        streams.add(stream);
        let hasBegun = false;
        const begin = () => {
            if (stream.closed || stream.destroyed || session.destroyed)
                return;
            hasBegun = true;
            const arrival = openArrival(stream, raw, limits, {
                onLast: () => {
                    if (!slots.isAuthenticated(socket))
                        endAfter(stream, socket, limits, () => closeSession(session));
                },
                onTaken: bytes => {
                    for (const one of [stream, session])
                        taken.set(one, countTaken(one) + bytes);
                },
            });
            serve({ ...arrival, markAuthenticated: () => slots.markAuthenticated(socket) });
        };
        const close = slots.open(socket, HTTP2_SHARE, {
            // A stream that is reset in the packet it came in (rapid reset) has cost the app nothing.
            begin: () => void setImmediate(begin),
            evict: () => {
                stream.close(hasBegun ? external_node_http2_.constants.NGHTTP2_ENHANCE_YOUR_CALM : external_node_http2_.constants.NGHTTP2_REFUSED_STREAM);
                // A visitor who reads nothing would not let it end; the app's request must.
                setImmediate(() => stream.destroy());
            },
        });
        stream.once('close', () => {
            streams.delete(stream);
            close();
        });
    };
    return {
        admit: socket => {
            socket.on('error', ignore);
            if (stopped || socket.destroyed || !slots.take(socket)) {
                socket.destroy();
                return false;
            }
            const session = (0,external_node_http2_.performServerHandshake)(socket, SESSION_OPTIONS);
            sessions.set(session, socket);
            session.on('error', ignore);
            session.once('close', () => {
                sessions.delete(session);
                closeFlushed(socket, limits.lingerMs);
            });
            socket.once('close', () => session.destroy());
            // The tunnel's sockets stay half open, so that Node would wait for the answers of a visitor who has left.
            socket.once('end', () => session.destroy());
            session.once('goaway', () => closeSession(session));
            // Node also stops reading while a visitor takes nothing, and would never see that one leave either.
            const presence = { intervalMs: limits.stalledMs / 4, timeoutMs: limits.stalledMs };
            watchPresence(session, { ...presence, isNeeded: () => slots.isBusy(socket) }, {
                countSent: () => countTaken(session),
                leave: () => socket.destroy(),
            });
            const watch = watchIdleness(session, limits, () => endSession(session, socket, limits.lingerMs));
            session.on('stream', (stream, _head, _flags, raw) => {
                watch(stream);
                openStream(session, stream, raw);
            });
            return true;
        },
        stop: async (drainMs = 0) => {
            stopped = true;
            const closed = [...sessions.values()].map(awaitClose);
            // GOAWAY: idle sessions end with it, the others with their last stream.
            for (const session of sessions.keys())
                if (drainMs > 0)
                    session.close();
            const cut = () => {
                for (const socket of sessions.values())
                    socket.destroy();
            };
            if (drainMs === 0)
                cut();
            const timer = setTimeout(cut, drainMs);
            await Promise.all(closed);
            clearTimeout(timer);
            stalledReaders.stop();
            finished.stop();
        },
    };
}
/**
 * Cuts connections whose session is over. Node ends such a connection in an orderly way, and says that the session is
 * closed when the visitor has ended it, too: one who does not, or has left, would keep it for ever.
 */
function watchFinished(sessions, lingerMs) {
    const since = new WeakMap();
    const timer = setInterval(() => {
        const now = performance.now();
        for (const [session, socket] of sessions) {
            if (!session.destroyed)
                continue;
            const at = since.get(session);
            if (at === undefined)
                since.set(session, now);
            else if (now - at >= lingerMs)
                socket.destroy();
        }
    }, FINISHED_INTERVAL_MS).unref();
    return { stop: () => clearInterval(timer) };
}
/** Not where it is gone already: the visitor may have taken it back in the same packet. */
function refuseHead(stream) {
    if (stream.closed || stream.destroyed)
        return;
    try {
        stream.respond({ ':status': 431 }, { endStream: true });
    }
    catch {
        stream.close(external_node_http2_.constants.NGHTTP2_INTERNAL_ERROR);
    }
}
function openArrival(stream, raw, limits, events) {
    const request = new Http2Request(stream, raw);
    const response = new Http2Response(stream, request.method, events);
    if (!request.complete)
        boundUpload(stream, request, response, limits);
    return {
        // Both have what the passes, and handlers in this process, use of Node's own; see the tests of tls-front.
        request: request,
        response: response,
        awaitsContinue: !request.complete && request.headers.expect?.toLowerCase() === '100-continue',
        upgrade: undefined,
    };
}
/** As of HTTP/1 requests: so long for all of it, and so long for what is left after an early answer. */
function boundUpload(stream, request, response, limits) {
    let timer = setTimeout(() => stream.close(external_node_http2_.constants.NGHTTP2_CANCEL), limits.requestTimeoutMs);
    response.once('finish', () => {
        clearTimeout(timer);
        if (request.complete)
            return;
        request.resume();
        // The answer is whole, and the rest is not wanted (RFC 9113, 8.1).
        timer = setTimeout(() => stream.close(external_node_http2_.constants.NGHTTP2_NO_ERROR), limits.lingerMs);
    });
    request.once('end', () => clearTimeout(timer));
    stream.once('close', () => clearTimeout(timer));
}
/** Ends a session without a request: soon after the handshake, later between two requests. Pings keep none alive. */
function watchIdleness(session, limits, end) {
    let open = 0;
    let timer = setTimeout(end, limits.headersTimeoutMs);
    session.once('close', () => clearTimeout(timer));
    return stream => {
        clearTimeout(timer);
        open += 1;
        stream.once('close', () => {
            open -= 1;
            if (open > 0 || session.closed)
                return;
            clearTimeout(timer);
            timer = setTimeout(end, limits.keepAliveMs);
        });
    };
}
/** A session that was refused ends; its other requests may finish, but the refusal itself is taken soon or never. */
function endAfter(refused, socket, { lingerMs }, closeSession) {
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    refused.once('close', () => {
        clearTimeout(timer);
        closeSession();
    });
}
/** With a GOAWAY, if the visitor takes it: one who reads nothing is cut. */
function endSession(session, socket, lingerMs) {
    session.close();
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once('close', () => clearTimeout(timer));
}
/**
 * Asks a visitor again and again to acknowledge our settings (RFC 9113, 6.5.3), as long as `isNeeded`, and calls `leave`
 * where it does not: Node can have stopped reading, and would not see the visitor leave. It does so without a word
 * behind what is malformed on a session that is closing, be it by the visitor's GOAWAY or by ours. Such a session goes on
 * until its answers are out: Node's own client, for one, says GOAWAY and waits. (There are no pings on one that closes.)
 * Behind what was sent before, on a slow line, the answer takes longer.
 */
function watchPresence(session, { intervalMs, timeoutMs, isNeeded }, { countSent, leave }) {
    let askedAt;
    let sentBefore = 0;
    const ask = () => {
        // A session is destroyed some time before it is closed, and takes no settings any more.
        if (session.destroyed)
            return;
        const now = performance.now();
        if (askedAt !== undefined) {
            const queueMs = Math.min((countSent() - sentBefore) / SLOW_LINE_BYTES_PER_MS, MAX_QUEUE_MS);
            if (now - askedAt > timeoutMs + queueMs)
                leave();
            return;
        }
        if (!isNeeded())
            return;
        askedAt = now;
        session.settings(SESSION_OPTIONS.settings, () => {
            askedAt = undefined;
            sentBefore = countSent();
        });
    };
    const timer = setInterval(ask, intervalMs);
    session.once('close', () => clearInterval(timer));
}
/** Of a head as RFC 9113, 6.5.2 counts it. */
function measureHead(raw) {
    return raw.reduce((sum, text) => sum + text.length + 16, 0);
}
/** Lets the last frames out; a visitor who does not take them, or does not hang up, is cut. */
function closeFlushed(socket, lingerMs) {
    if (socket.destroyed)
        return;
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once('close', () => clearTimeout(timer));
    socket.end(() => socket.destroy());
}
function ignore() { }

;// CONCATENATED MODULE: ./build/js/gateway/downstream/linger.js
// The end of a connection whose visitor is still sending when its answer is out: what comes is read and dropped for a
// while, because closing on unread bytes may take the answer away again. Used by visitor-server.ts, for every answer.

class Linger {
    #limits;
    /** The request under way on each connection whose answer may be early. */
    #requests = new WeakMap();
    #last = new WeakSet();
    #drained = new WeakSet();
    constructor(limits) {
        this.#limits = limits;
    }
    /** True where the last answer of the connection is out: what else was asked for on it gets none (RFC 9112, 9.6). */
    isLast(socket) {
        return this.#last.has(socket);
    }
    /** Node reads on after an early answer, to find the next request behind the body; this says how long, and how much. */
    watch(request, response) {
        const { socket } = request;
        this.#holdOpen(socket, request);
        response.once('prefinish', () => {
            if (request.complete)
                return;
            // Before Node lets go of a body that nobody asked for, which nobody could count then.
            request.read(0);
            this.#drain(request, socket);
        });
    }
    /** The same for a stream that Node has let go of: it ends with the answer. */
    watchLast(response, socket) {
        response.once('finish', () => {
            socket.end();
            this.#bound(socket, socket);
            this.#startTimer(socket, socket);
            socket.resume();
        });
    }
    /** Node destroys a connection at once behind an answer with `Connection: close`; here the rest is waited for first. */
    #holdOpen(socket, request) {
        const isHeld = this.#requests.has(socket);
        this.#requests.set(socket, request);
        if (isHeld)
            return;
        socket.destroySoon = () => {
            this.#last.add(socket);
            const current = this.#requests.get(socket);
            if (current === undefined || current.complete)
                return closeSoon(socket);
            current.once('end', () => closeSoon(socket));
            // Where it came behind the one that had the last answer, nobody else reads it.
            this.#drain(current, socket);
        };
    }
    #drain(request, socket) {
        if (this.#drained.has(request))
            return;
        this.#drained.add(request);
        this.#bound(request, socket);
        this.#startTimer(request, socket);
        request.resume();
    }
    #bound(from, socket) {
        let left = this.#limits.lingerBytes;
        from.on('data', (chunk) => {
            left -= chunk.length;
            if (left < 0)
                socket.destroy();
        });
    }
    #startTimer(from, socket) {
        const timer = setTimeout(() => socket.destroy(), this.#limits.lingerMs);
        const stop = () => clearTimeout(timer);
        socket.once('close', stop);
        if (from === socket)
            return;
        from.once('end', () => {
            stop();
            socket.off('close', stop);
        });
    }
}
function closeSoon(socket) {
    if (socket instanceof external_node_net_.Socket)
        external_node_net_.Socket.prototype.destroySoon.call(socket);
    else
        socket.end(() => socket.destroy());
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/queued-requests.js
// Pipelined requests that wait for the answer before them, and how much memory they take. Used by visitor-server.ts.

/** For the heads and bodies in the queue of one connection, which is closed beyond it. */
const MAX_QUEUED_BYTES = 64 * 1024;
/**
 * How often the bodies in a queue are measured. One that is full stops the whole connection from being read, and the
 * gateway could not tell any more that the visitor has left.
 */
const MEASURE_INTERVAL_MS = 500;
class QueuedRequests {
    #queues = new WeakMap();
    /** The request waits from now on. */
    add(socket, request) {
        const queue = this.#queues.get(socket) ?? this.#open(socket);
        const measure = () => {
            if (isFull(queue))
                socket.destroy();
        };
        queue.requests.set(request, queued_requests_measureHead(request));
        if (hasBody(request))
            queue.timer ??= setInterval(measure, MEASURE_INTERVAL_MS);
        measure();
    }
    /** Its turn has come. */
    delete(socket, request) {
        const queue = this.#queues.get(socket);
        if (queue?.requests.delete(request) && queue.requests.size === 0)
            stopTimer(queue);
    }
    #open(socket) {
        const queue = { requests: new Map(), timer: undefined };
        this.#queues.set(socket, queue);
        socket.once('close', () => stopTimer(queue));
        return queue;
    }
}
function stopTimer(queue) {
    clearInterval(queue.timer);
    queue.timer = undefined;
}
function isFull({ requests }) {
    let bytes = 0;
    for (const [request, headBytes] of requests) {
        if (request.readableLength >= request.readableHighWaterMark)
            return true;
        bytes += headBytes + request.readableLength;
    }
    return bytes > MAX_QUEUED_BYTES;
}
function queued_requests_measureHead({ rawHeaders, url = '' }) {
    return rawHeaders.reduce((sum, text) => sum + text.length, url.length);
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/visitor-server.js
// Node's HTTP server over streams that are handed in: counts them, bounds them in time, and turns everything a visitor
// can ask for (request, upgrade, CONNECT) into one kind of visit. Used by gateway.ts.








const VISITOR_LIMITS = {
    sockets: 1_024,
    strangers: 256,
    headersTimeoutMs: 10_000,
    requestTimeoutMs: 300_000,
    stalledMs: 60_000,
    keepAliveMs: 75_000,
    handshakeTimeoutMs: 10_000,
    lingerMs: 5_000,
    lingerBytes: 1_024 ** 2,
};
/**
 * Pipelined requests wait until the answer before them is out, as it has to go first anyway. Browsers send one at a
 * time; a connection that has more than this in the queue is closed.
 */
const HTTP1_SHARE = { active: 1, open: 64 };
/** How often Node looks for requests over their time. */
const CHECK_INTERVAL_MS = 1_000;
/** `slots`: those it shares with other servers. */
function startVisitorServer(limits, serve, slots = new ConnectionSlots(limits)) {
    /** All that are not closed yet. */
    const sockets = new Set();
    const queued = new QueuedRequests();
    let stopped = false;
    const stalledReaders = watchStalledReaders(sockets, limits.stalledMs, socket => {
        cut(slots.connectionOf(socket));
        socket.destroy();
    });
    const linger = new Linger(limits);
    // What came in the same packet is still handed over after the end.
    const isOver = (socket) => socket.destroyed || linger.isLast(socket);
    const isBusy = (socket) => slots.isBusy(socket) || linger.isLast(socket);
    const server = openServer(limits, { linger, isBusy }, arrival => {
        const { request } = arrival;
        const { socket } = request;
        if (isOver(socket))
            return;
        if (slots.isBusy(socket))
            queued.add(socket, request);
        const close = slots.open(socket, HTTP1_SHARE, {
            begin: () => {
                queued.delete(socket, request);
                if (!isOver(socket))
                    serve({ ...arrival, markAuthenticated: () => slots.markAuthenticated(socket) });
            },
            evict: () => socket.destroy(),
        });
        // A WebSocket is a request until its connection is closed.
        if (arrival.upgrade !== undefined)
            return;
        arrival.response.once('close', () => {
            close();
            if (stopped && !slots.isBusy(socket))
                visitor_server_closeFlushed(socket);
        });
    });
    return {
        admit: socket => {
            socket.on('error', visitor_server_ignore);
            if (stopped || socket.destroyed || !slots.take(socket)) {
                socket.destroy();
                return false;
            }
            sockets.add(socket);
            socket.once('close', () => sockets.delete(socket));
            // As Node does to the connections it accepts itself.
            if (socket instanceof external_node_net_.Socket)
                socket.setNoDelay(true);
            return server.emit('connection', socket);
        },
        stop: async (drainMs = 0) => {
            stopped = true;
            for (const socket of sockets)
                if (drainMs === 0 || !slots.isBusy(socket))
                    socket.destroy();
            const timer = setTimeout(() => {
                for (const socket of sockets)
                    socket.destroy();
            }, drainMs);
            await Promise.all([...sockets].map(socket => awaitClose(socket)));
            clearTimeout(timer);
            stalledReaders.stop();
            server.close();
        },
    };
}
function openServer(limits, { linger, isBusy }, serve) {
    const server = (0,external_node_http_.createServer)({
        headersTimeout: limits.headersTimeoutMs,
        requestTimeout: limits.requestTimeoutMs,
        keepAliveTimeout: limits.keepAliveMs,
        connectionsCheckingInterval: CHECK_INTERVAL_MS,
        // Not even where NODE_OPTIONS asks for it.
        insecureHTTPParser: false,
        // The guard refuses a missing Host too, and lets nothing pass that came behind it; Node would.
        requireHostHeader: false,
        // Any other upgrade (h2c) is ignored, as RFC 9110, 7.8 allows, and its request served as usual.
        shouldUpgradeCallback: isWebSocket,
    });
    // No limit on their number, for Node would drop the rest without a word; the guard refuses too many.
    server.maxHeadersCount = 0;
    const serveRequest = (request, response, awaitsContinue) => {
        if (hasBody(request))
            linger.watch(request, response);
        // Behind an offer that was not taken Node reads no further request: better a new connection than one that stalls.
        if (request.headers.upgrade !== undefined)
            response.shouldKeepAlive = false;
        serve({ request, response, awaitsContinue, upgrade: undefined });
    };
    server.on('request', (request, response) => serveRequest(request, response, false));
    server.on('checkContinue', (request, response) => serveRequest(request, response, true));
    // Node would answer by itself what else is expected; the guard does, and nothing is answered that is not counted.
    server.on('checkExpectation', (request, response) => serveRequest(request, response, false));
    // Nobody who means well asks to change protocols before the answers to earlier requests are there.
    server.on('upgrade', (request, socket, head) => {
        if (isBusy(socket))
            return void socket.destroy();
        const response = openLastResponse(request, socket, linger);
        if (response)
            serve({ request, response, awaitsContinue: false, upgrade: { socket, head } });
    });
    server.on('connect', (request, socket) => {
        if (isBusy(socket))
            return void socket.destroy();
        const response = openLastResponse(request, socket, linger);
        if (response)
            serve({ request, response, awaitsContinue: false, upgrade: undefined });
    });
    // On a server that never listens this is what arms headersTimeout and requestTimeout.
    server.emit('listening');
    return server;
}
/** Closes a stream whose last bytes may still be on their way out of this process. */
function visitor_server_closeFlushed(socket) {
    socket.end(() => socket.destroy());
}
function isWebSocket(request) {
    return request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket';
}
/**
 * An ordinary response on a stream that Node has let go of; the stream ends with it. Undefined, and the stream closed,
 * where Node still has an answer of its own there.
 */
function openLastResponse(request, socket, linger) {
    const response = new external_node_http_.ServerResponse(request);
    response.shouldKeepAlive = false;
    try {
        response.assignSocket(request.socket);
    }
    catch {
        socket.destroy();
        return undefined;
    }
    // Node's own listeners left with its parser.
    socket.on('error', visitor_server_ignore).on('drain', () => response.emit('drain'));
    linger.watchLast(response, socket);
    return response;
}
function visitor_server_ignore() { }

;// CONCATENATED MODULE: ./build/js/gateway/downstream/tls-front.js
// Where TLS ends: tells TLS from plain HTTP by a visitor's first byte, shakes hands, and hands the visitor on to
// HTTP/1.1 or HTTP/2, whichever was agreed on. Used by gateway.ts in place of a bare visitor server.






/** The type of every TLS record that can begin a connection (RFC 8446, 5.1); no HTTP method begins with it. */
const HANDSHAKE_RECORD = 0x16;
/** Ready at once; throws where certificate and key are no pair. */
function startTlsFront(tls, limits, doors) {
    const visitors = new Set();
    /** Those who have not said what they speak, or are not done with the handshake. */
    const greeting = new Set();
    const slots = new ConnectionSlots(limits);
    const http1 = startVisitorServer(limits, doors.secure, slots);
    const http2 = startHttp2Server(limits, doors.secure, slots);
    const plain = startVisitorServer(limits, doors.plain, slots);
    const secureContext = (0,external_node_tls_.createSecureContext)({ cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2' });
    let stopped = false;
    const secure = (visitor) => {
        const socket = new external_node_tls_.TLSSocket(visitor, {
            isServer: true,
            secureContext,
            ALPNProtocols: ['h2', 'http/1.1'],
        });
        slots.join(socket, visitor);
        const timer = setTimeout(() => socket.destroy(), limits.handshakeTimeoutMs);
        socket.once('close', () => clearTimeout(timer));
        // Behind the handshake Node tells nobody else of an error of TLS, and what was to be written is forgotten: only a
        // server of its own releases the socket's control (_tls_wrap.js), which makes it an 'error' that destroys.
        socket.on('_tlsError', () => visitor.destroy());
        // A failed handshake is the visitor's affair; Node closes its connection.
        socket.on('error', tls_front_ignore);
        socket.once('secure', () => {
            clearTimeout(timer);
            greeting.delete(visitor);
            // As Node's own server does, which cannot tell whose slot a secured stream has; an HTTP/2 session waits for it.
            Object.assign(socket, { secureConnecting: false });
            (socket.alpnProtocol === 'h2' ? http2 : http1).admit(socket);
        });
    };
    return {
        admit: visitor => {
            visitor.on('error', tls_front_ignore);
            if (stopped || visitor.destroyed || !slots.take(visitor)) {
                visitor.destroy();
                return false;
            }
            visitors.add(visitor);
            greeting.add(visitor);
            visitor.once('close', () => {
                visitors.delete(visitor);
                greeting.delete(visitor);
            });
            if (visitor instanceof external_node_net_.Socket)
                visitor.setNoDelay(true);
            readFirstByte(visitor, limits.handshakeTimeoutMs, byte => {
                if (byte === HANDSHAKE_RECORD)
                    return secure(visitor);
                greeting.delete(visitor);
                plain.admit(visitor);
            });
            return true;
        },
        stop: async (drainMs = 0) => {
            stopped = true;
            for (const visitor of greeting)
                visitor.destroy();
            await Promise.all([http1, http2, plain].map(server => server.stop(drainMs)));
            // Connections that TLS has finished with.
            const closed = [...visitors].map(awaitClose);
            for (const visitor of visitors)
                visitor.destroy();
            await Promise.all(closed);
        },
    };
}
/** Takes nothing away: the byte is put back. A visitor who says nothing in time, or leaves, is closed. */
function readFirstByte(visitor, timeoutMs, onByte) {
    const timer = setTimeout(() => visitor.destroy(), timeoutMs);
    const leave = () => visitor.destroy();
    const read = () => {
        const chunk = visitor.read();
        if (!Buffer.isBuffer(chunk))
            return;
        clearTimeout(timer);
        visitor.off('readable', read).off('end', leave);
        visitor.unshift(chunk);
        onByte(chunk[0]);
    };
    visitor.on('readable', read).once('end', leave);
    visitor.once('close', () => clearTimeout(timer));
}
function tls_front_ignore() { }

;// CONCATENATED MODULE: ./build/js/gateway/guard.js
// What is refused before anything else looks at a request: whatever two HTTP implementations could read differently.
// Node's parser refuses the rest (two lengths, bare LF, folded lines, a space before the colon).

const CHECKS = [
    checkMethod,
    checkVersion,
    checkFieldCount,
    checkTarget,
    checkHost,
    checkOwnHost,
    checkAliases,
    checkTransferEncoding,
    checkExpectation,
    checkUpgradeBody,
];
/** Browsers send some twenty, and a proxy in front adds a few. */
const MAX_FIELDS = 256;
// Fields that frame or route a message. CGI-style servers fold `_` into `-`, so `Content_Length` would be a second one.
const FRAMING_FIELDS = new Set([
    'connection',
    'content-length',
    'expect',
    'host',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
]);
/** The first reason not to let this request in, or undefined. */
function findRefusal(visit) {
    for (const check of CHECKS) {
        const refusal = check(visit);
        if (refusal !== undefined)
            return refusal;
    }
    return undefined;
}
function checkMethod({ request }) {
    return request.method === 'CONNECT' ? { status: 405, reason: 'this is not a forward proxy' } : undefined;
}
function checkVersion({ request }) {
    const { httpVersion } = request;
    if (httpVersion === '1.1' || httpVersion === '1.0')
        return undefined;
    return { status: 505, reason: 'only HTTP/1.1 and HTTP/1.0 are spoken here' };
}
/** Node counts the letters of a head (16 KB), not its fields: thousands of empty ones would pass. */
function checkFieldCount({ request }) {
    if (request.rawHeaders.length <= 2 * MAX_FIELDS)
        return undefined;
    return { status: 431, reason: `a request may have ${MAX_FIELDS} header fields` };
}
function checkTarget({ request }) {
    const target = readTarget(request);
    if (!target.startsWith('/'))
        return { status: 400, reason: 'the request target must be a path' };
    // A browser, and many a URL library, reads both as the beginning of a host name.
    if (/^\/[/\\]/.test(target))
        return { status: 400, reason: 'the path must begin with a single slash' };
    if (target.includes('#'))
        return { status: 400, reason: 'the request target must have no fragment' };
    return undefined;
}
function checkHost({ request }) {
    const hosts = readNames(request.rawHeaders).filter(name => name === 'host');
    return hosts.length === 1 ? undefined : { status: 400, reason: 'the request must have exactly one Host' };
}
/** Exactly one of our names: a name of somebody else's that points here is none (DNS rebinding). */
function checkOwnHost({ request, address }) {
    if (address?.hosts.has(request.headers.host?.toLowerCase() ?? ''))
        return undefined;
    return { status: 421, reason: 'this Host is not the address of this preview' };
}
function checkAliases({ request }) {
    const isAlias = (name) => name.includes('_') && FRAMING_FIELDS.has(name.replaceAll('_', '-'));
    if (!readNames(request.rawHeaders).some(isAlias))
        return undefined;
    return {
        status: 400,
        reason: 'a header name looks like one that frames the message, but for an underscore',
    };
}
function checkTransferEncoding({ request }) {
    const coding = request.headers['transfer-encoding'];
    if (coding === undefined)
        return undefined;
    if (request.httpVersion === '1.0')
        return { status: 400, reason: 'HTTP/1.0 has no Transfer-Encoding' };
    if (coding.toLowerCase() === 'chunked')
        return undefined;
    return { status: 501, reason: 'the only Transfer-Encoding understood here is chunked' };
}
/** RFC 9110, 10.1.1: there is only the one. */
function checkExpectation({ request }) {
    const { expect } = request.headers;
    if (expect === undefined || expect.toLowerCase() === '100-continue')
        return undefined;
    return { status: 417, reason: 'the only expectation that can be met here is 100-continue' };
}
function checkUpgradeBody({ request, upgrade }) {
    if (upgrade === undefined)
        return undefined;
    const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers;
    if (Number(length) === 0 && coding === undefined)
        return undefined;
    return { status: 400, reason: 'a request for a WebSocket must have no body' };
}
function readNames(rawHeaders) {
    return rawHeaders.filter((_, index) => index % 2 === 0).map(name => name.toLowerCase());
}

;// CONCATENATED MODULE: ./build/js/gateway/https-only.js
// The answer to plain HTTP on a port that speaks TLS; used by gateway.ts. The app never hears of such a request.


/**
 * A redirect to the same path of the public address, never to a host the visitor named. Only for GET and HEAD: whatever
 * has a body was sent in the clear already, and is to fail visibly.
 */
function sendToHttps(visit) {
    const { request, upgrade, address } = visit;
    const publicUrl = address?.url;
    const mayRepeat = upgrade === undefined && (request.method === 'GET' || request.method === 'HEAD');
    const close = { connection: 'close' };
    if (!mayRepeat || publicUrl?.protocol !== 'https:') {
        sendText(visit, 403, 'only https is spoken here\n', close);
        return true;
    }
    const location = `${publicUrl.origin}${readTarget(request)}`;
    sendText(visit, 308, `only https is spoken here: ${location}\n`, { ...close, location });
    return true;
}

;// CONCATENATED MODULE: ./build/js/gateway/own-address.js
// What the preview is called from outside: the one answer to "is this Host, or this Origin, ours?". Used by guard,
// access and proxy. Pure.

const DEFAULT_PORTS = { 'http:': '80', 'https:': '443' };
/** Names of one's own machine, which stand for each other: none of them can be pointed elsewhere (DNS rebinding). */
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];
/** Undefined where the address is no URL. */
function describeAddress({ url: text, host, port }) {
    const url = URL.parse(text) ?? undefined;
    if (url === undefined)
        return undefined;
    // A proxy in front may pass on the name it was called by, or the one it calls.
    const plain = URL.parse(`${url.protocol}//${addBrackets(host)}:${port}`) ?? url;
    const names = [url, plain].flatMap(listNames);
    return {
        url,
        hosts: new Set(names.flatMap(name => [name, addDefaultPort(name, url.protocol)])),
        origins: new Set(names.map(name => `${url.protocol}//${name}`)),
    };
}
/** Parses an address again only when it has changed: every request asks. */
function rememberAddress(read) {
    let last;
    let address;
    return () => {
        const place = read();
        if (place !== last)
            address = place && describeAddress(place);
        last = place;
        return address;
    };
}
/** `host:port` as a browser writes it, which leaves out the scheme's own port. */
function listNames({ hostname, port }) {
    const names = LOOPBACK.includes(hostname) ? LOOPBACK : [hostname];
    return names.map(name => (port === '' ? name : `${name}:${port}`));
}
function addDefaultPort(name, protocol) {
    return /:\d+$/.test(name) ? name : `${name}:${DEFAULT_PORTS[protocol]}`;
}

// EXTERNAL MODULE: ./node_modules/undici/lib/dispatcher/pool.js
var pool = __webpack_require__(628);
;// CONCATENATED MODULE: ./build/js/gateway/upstream/app-link.js
// The connections to the app: one pool for the address it has now, thrown away the moment it has another or none,
// because the old port may already belong to another process. Used by gateway and proxy.


/** As many requests as connection-slots.ts lets begin, with the key and without, so that none waits for a connection. */
const app_link_MAX_CONNECTIONS = 1_280;
/** How long the app may think before its first byte; undici's own default, and longer than any proxy in front waits. */
const app_link_ANSWER_TIMEOUT_MS = 300_000;
/** The app is on this machine: a dial that takes longer is a full accept queue, not distance. */
const app_link_CONNECT_TIMEOUT_MS = 10_000;
/** Browsers take a quarter of a megabyte, and apps with long policies or many cookies go beyond Node's 16 KB. */
const MAX_ANSWER_HEAD_BYTES = 65_536;
/** Below the 5 s after which Node and many others close an idle connection, so that we are first. */
const KEEP_ALIVE_MS = 4_000;
class AppLink {
    #address;
    #kept;
    #fresh;
    /** Connections to this address, kept alive between requests. Those to any other address are cut. */
    select(address) {
        if (!this.leadsTo(address))
            void this.forget();
        this.#address = address;
        this.#kept ??= openPool(address, 1);
        return this.#kept;
    }
    /** Connections used once, for a second try; undefined where the app has moved since. */
    selectFresh(address) {
        if (!this.leadsTo(address))
            return undefined;
        this.#fresh ??= openPool(address, 0);
        return this.#fresh;
    }
    /** True while `address` is where the app was last seen. */
    leadsTo(address) {
        return this.#address?.host === address.host && this.#address.port === address.port;
    }
    /** Cuts every connection, so that requests under way fail; resolves when all are closed. May be called twice. */
    async forget() {
        const pools = [this.#kept, this.#fresh];
        this.#address = undefined;
        this.#kept = undefined;
        this.#fresh = undefined;
        await Promise.all(pools.map(pool => pool?.destroy()));
    }
}
/** `pipelining` in undici's sense: 1 keeps connections alive, 0 closes each after its request. */
function openPool({ host, port }, pipelining) {
    return new pool(`http://${addBrackets(host)}:${port}`, {
        connections: app_link_MAX_CONNECTIONS,
        pipelining,
        allowH2: false,
        connect: { timeout: app_link_CONNECT_TIMEOUT_MS },
        maxHeaderSize: MAX_ANSWER_HEAD_BYTES,
        headersTimeout: app_link_ANSWER_TIMEOUT_MS,
        // An event stream may be silent for as long as it likes; a visitor who left ends it.
        bodyTimeout: 0,
        keepAliveTimeout: KEEP_ALIVE_MS,
    });
}

;// CONCATENATED MODULE: ./build/js/gateway/upstream/headers.js
// What crosses the gateway in a head: fields of one connection stay behind, the forwarding fields become our own.
// Pure; used by proxy, answer relay and upgrade.
// RFC 9110, 7.6.1, with the older ones of RFC 2616, 13.5.1. They speak about one connection, never about two.
const HOP_BY_HOP = new Set([
    'connection',
    'keep-alive',
    'proxy-authenticate',
    'proxy-authorization',
    'proxy-connection',
    'te',
    'transfer-encoding',
    'upgrade',
]);
// Replaced by what we know, or answered by us; a visitor's word about itself is worth nothing to the app.
// `Trailer` goes because the trailers of a request stop here: undici has no way to send them. The two `-url` ones make
// some frameworks serve another path than the one that was asked for, and that may have been asked for a key.
const NOT_FROM_VISITORS = new Set([
    'expect',
    'forwarded',
    'host',
    'trailer',
    'x-original-url',
    'x-real-ip',
    'x-rewrite-url',
]);
// A trailer must not change what the head said about framing, routing or cookies (RFC 9110, 6.5.1).
const NOT_IN_TRAILERS = new Set(['content-length', 'host', 'set-cookie', 'trailer']);
/**
 * The head the app gets: `Host` as the app knows itself (dev servers refuse any other), and the address visitors typed
 * in `X-Forwarded-Host` and `-Proto`. There is no `X-Forwarded-For`: bore does not tell where a visitor comes from.
 */
function renderRequestHeaders(raw, address) {
    const headers = ['host', `localhost:${address.port}`];
    const isLost = findHopByHop(raw);
    for (const [name, value] of headers_listFields(raw)) {
        const key = name.toLowerCase();
        // CGI-style servers cannot tell X_Forwarded_Host from ours.
        const alias = key.replaceAll('_', '-');
        if (isLost(key) || NOT_FROM_VISITORS.has(alias) || alias.startsWith('x-forwarded-'))
            continue;
        headers.push(name, value);
    }
    if (address.publicUrl !== undefined) {
        headers.push('x-forwarded-host', address.publicUrl.host);
        headers.push('x-forwarded-proto', address.publicUrl.protocol.slice(0, -1));
    }
    return headers;
}
/** The head the visitor gets. `keepsTrailer`: whether the answer goes out chunked, the only form with trailers. */
function renderResponseHeaders(raw, status, keepsTrailer) {
    const isLost = findHopByHop(raw);
    const headers = [];
    for (const [name, value] of headers_listFields(raw)) {
        const key = name.toLowerCase();
        if (isLost(key) || (key === 'trailer' && !keepsTrailer))
            continue;
        // RFC 9110, 8.6: these have no length, and some clients would wait for that many bytes.
        if (key === 'content-length' && (status === 204 || status < 200))
            continue;
        headers.push(name, value);
    }
    return headers;
}
/** Trailers as `[name, value]` pairs, without those that are not allowed there. */
function renderTrailers(raw) {
    return headers_listFields(raw).filter(([name]) => {
        const key = name.toLowerCase();
        return !HOP_BY_HOP.has(key) && !NOT_IN_TRAILERS.has(key);
    });
}
/** True where the list has a field of that lower-case name. */
function hasField(raw, wanted) {
    return headers_listFields(raw).some(([name]) => name.toLowerCase() === wanted);
}
function findHopByHop(raw) {
    const named = new Set();
    for (const [name, value] of headers_listFields(raw)) {
        if (name.toLowerCase() !== 'connection')
            continue;
        for (const option of value.split(','))
            named.add(option.trim().toLowerCase());
    }
    return key => HOP_BY_HOP.has(key) || named.has(key);
}
function headers_listFields(raw) {
    const fields = [];
    for (let index = 0; index + 1 < raw.length; index += 2)
        fields.push([raw[index] ?? '', raw[index + 1] ?? '']);
    return fields;
}

;// CONCATENATED MODULE: ./build/js/gateway/upstream/waiting-heads.js
// Heads of answers that wait for the first piece of their body, so that both go out in one write: in two small ones they
// would take 44 ms through bore (Nagle at the server meets a delayed ACK at the visitor). Used by answer-relay.ts.
/** How long a head waits. */
const HEAD_WAIT_MS = 5;
/** One timer for all of them: one for each answer would cost more than parsing it. */
class WaitingHeads {
    /** With the time each came, of performance.now(); the oldest first. */
    #since = new Map();
    #timer;
    /** To be sent in HEAD_WAIT_MS, unless it is deleted before. */
    add(response) {
        this.#since.set(response, performance.now());
        this.#timer ??= setTimeout(() => this.#flush(), HEAD_WAIT_MS);
    }
    /** Its body has come, or will never. */
    delete(response) {
        this.#since.delete(response);
    }
    #flush() {
        this.#timer = undefined;
        const now = performance.now();
        for (const [response, since] of this.#since) {
            const leftMs = HEAD_WAIT_MS - (now - since);
            if (leftMs > 0) {
                this.#timer = setTimeout(() => this.#flush(), leftMs);
                return;
            }
            this.#since.delete(response);
            response.flushHeaders();
        }
    }
}
const waitingHeads = new WaitingHeads();

;// CONCATENATED MODULE: ./build/js/gateway/upstream/answer-relay.js
// Carries one answer of the app to one visitor, as undici hands it over; used by proxy and upgrade.



/** Up to this size a chunk goes out as text: Node then puts the head in front of it, and writes once. */
const TEXT_BYTES = 4_096;
class AnswerRelay {
    response;
    onNoAnswer;
    /** Whether anything of an answer has come, be it half a head. */
    hasBegun = false;
    #isHttp11;
    #hasBody;
    #ownHeaders;
    #bodyHasBegun = false;
    #controller;
    /** `onNoAnswer` is called at most once: the app's answer did not begin, and the visitor still waits for one. */
    constructor({ request, response, ownHeaders }, onNoAnswer) {
        this.response = response;
        this.#ownHeaders = ownHeaders;
        this.#isHttp11 = request.httpVersion === '1.1';
        this.#hasBody = request.method !== 'HEAD';
        this.onNoAnswer = onNoAnswer;
        response.once('close', () => this.#endWithVisitor());
        response.on('drain', () => this.#controller?.resume());
    }
    onRequestStart(controller) {
        this.#controller = controller;
        if (this.response.destroyed)
            this.#endWithVisitor();
    }
    onResponseStarted() {
        this.hasBegun = true;
    }
    onResponseStart(controller, status, _, reason = '') {
        const raw = readRaw(controller.rawHeaders);
        if (status < 200) {
            this.#passInterim(status, raw);
            return;
        }
        const isChunked = this.#isHttp11 && this.#hasBody && status !== 204 && status !== 304 && !hasField(raw, 'content-length');
        const headers = renderResponseHeaders(raw, status, isChunked);
        for (const [name, value] of this.#ownHeaders)
            headers.push(name, value);
        if (isOwnReason(status, reason))
            this.response.writeHead(status, reason, headers);
        else
            this.response.writeHead(status, headers);
        waitingHeads.add(this.response);
    }
    onResponseData(controller, chunk) {
        waitingHeads.delete(this.response);
        if (!this.#write(chunk))
            controller.pause();
    }
    onResponseEnd(controller) {
        waitingHeads.delete(this.response);
        const trailers = renderTrailers(readRaw(controller.rawTrailers));
        if (trailers.length > 0)
            this.response.addTrailers(trailers);
        this.response.end();
    }
    onResponseError(_, error) {
        waitingHeads.delete(this.response);
        if (this.response.destroyed)
            return;
        // Half an answer must not look like a whole one: without the end of its framing the visitor can tell.
        if (this.response.headersSent)
            this.response.destroy();
        else
            this.onNoAnswer(error);
    }
    /** Hints (103) and signs of life (102); HTTP/1.0 has none (RFC 9110, 15.2), and none is worth an answer. */
    #passInterim(status, raw) {
        if (!this.#isHttp11 || this.response.headersSent)
            return;
        // Node has it since 24.18, and the runner's may be older.
        const response = this.response;
        try {
            response.writeInformation?.(status, renderResponseHeaders(raw, status, false));
        }
        catch {
            // What Node would rather not write.
        }
    }
    #write(chunk) {
        const isFirst = !this.#bodyHasBegun;
        this.#bodyHasBegun = true;
        if (isFirst && chunk.length <= TEXT_BYTES)
            return this.response.write(chunk.toString('latin1'), 'latin1');
        return this.response.write(chunk);
    }
    #endWithVisitor() {
        waitingHeads.delete(this.response);
        if (!this.response.writableFinished)
            this.#controller?.abort(new Error('the visitor is gone'));
    }
}
/**
 * Whether the app's reason is worth passing on in place of the usual one. Where a status line comes in pieces, undici
 * has only the last of them: the end of the usual reason is not another.
 */
function isOwnReason(status, reason) {
    return /^[\t\x20-\x7e]+$/.test(reason) && external_node_http_.STATUS_CODES[status]?.endsWith(reason) !== true;
}
/** undici hands over what the parser saw: names and values in turn, as bytes. */
function readRaw(raw) {
    if (!Array.isArray(raw))
        return [];
    return raw.map(part => (Buffer.isBuffer(part) ? part.toString('latin1') : String(part)));
}

;// CONCATENATED MODULE: ./build/js/gateway/upstream/upload.js
// The body of a request on its way to the app; used by proxy.


/**
 * A stream of its own in front of the request's, read only as fast as the app takes it. undici destroys the body it
 * was given when the app answers before the upload is over; what is left of the upload is then read and dropped,
 * because the visitor may not look at the answer before it has sent everything. A visitor who leaves ends the whole
 * request, and this stream with it (see answer-relay.ts).
 *
 * A visitor that sent `Expect: 100-continue` is told to go on as soon as there is a connection to the app; where there is
 * none it gets its answer without a byte of the body on the way. The app itself is not asked: undici holds the head back
 * until the first piece of the body.
 *
 * More than `maxBytes` breaks the app's request off with BodyTooLarge, and the visitor's too where an answer has begun.
 */
function openUpload({ request, response, awaitsContinue }, maxBytes) {
    let asked = !awaitsContinue;
    let left = maxBytes;
    const body = new external_node_stream_.Readable({
        read() {
            if (!asked)
                response.writeContinue();
            asked = true;
            request.resume();
        },
        destroy(error, done) {
            request.resume();
            done(error);
        },
    });
    const onData = (chunk) => {
        left -= chunk.length;
        if (left < 0) {
            request.off('data', onData);
            if (body.destroyed)
                response.destroy();
            else
                body.destroy(new BodyTooLarge(maxBytes));
        }
        else if (!body.destroyed && !body.push(chunk))
            request.pause();
    };
    request.on('data', onData).pause();
    request.once('end', () => body.destroyed || body.push(null));
    // From here on linger.ts counts.
    response.once('prefinish', () => request.off('data', onData));
    return body;
}

;// CONCATENATED MODULE: ./build/js/gateway/upstream/proxy.js
// Hands a request to the app and its answer to the visitor, both as they come; the last pass of an ordinary visit.





/** The methods that may reach the app twice without harm (RFC 9110, 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);
/** Answers sooner or later, with the app's answer or through `onNoAnswer`; everything ends when the visitor leaves. */
function forwardRequest(visit, route) {
    const request = describeRequest(visit, route);
    const relay = new AnswerRelay(visit, error => {
        const mayAgain = !relay.hasBegun && mayTryAgain(visit.request, error);
        const again = mayAgain ? route.link.selectFresh(route.address) : undefined;
        if (again === undefined)
            route.onNoAnswer(error);
        else
            again.dispatch(request, new AnswerRelay(visit, route.onNoAnswer));
    });
    route.link.select(route.address).dispatch(request, relay);
}
/** The request as the app gets it: the target verbatim, the head ours, the body as it comes. */
function describeRequest(visit, route) {
    const { request } = visit;
    return {
        method: request.method ?? 'GET',
        path: readTarget(request),
        headers: renderRequestHeaders(request.rawHeaders, {
            port: route.address.port,
            publicUrl: visit.address?.url,
        }),
        body: hasBody(request) ? openUpload(visit, route.maxBodyBytes) : null,
    };
}
/** The app may close an idle connection in the moment we send on it; that is not the visitor's fault. */
function mayTryAgain(request, error) {
    return (IDEMPOTENT.has(request.method ?? '') &&
        !hasBody(request) &&
        (0,errors/* hasCode */.up)(error, 'UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'));
}

;// CONCATENATED MODULE: ./build/js/gateway/upstream/upgrade.js
// WebSockets: asks the app first and joins the two streams only after its 101; the last pass of an upgrade.



/** After one side has ended its stream, how long the other may go on; a WebSocket's closing handshake is done by then. */
const HALF_CLOSED_MS = 30_000;
/** A visitor who has ended its stream has mostly left: the app has this long from one piece to the next. */
const VISITOR_LEFT_MS = 1_000;
/** What a visitor may send before the app has agreed to the WebSocket; it should send nothing (RFC 6455, 4.1). */
const MAX_EARLY_BYTES = 64 * 1024;
/** Any answer but 101 is relayed like that of an ordinary request, and the connection is closed behind it. */
function forwardUpgrade(visit, upgrade, route) {
    const request = { ...describeRequest(visit, route), upgrade: 'websocket' };
    const early = new EarlyBytes(visit, upgrade);
    const relay = new UpgradeRelay(visit, upgrade.socket, early, route.onNoAnswer);
    route.link.select(route.address).dispatch(request, relay);
}
/**
 * Reads a visitor's stream until it is joined with the app's: one that is not read could not tell that the visitor has
 * left, and the app's request would go on for nobody. Who has ended its stream, or sends so much that it is not read any
 * more, waits for the app for a moment only.
 */
class EarlyBytes {
    #socket;
    #chunks;
    #left;
    #timer;
    #onData = (chunk) => this.#keep(chunk);
    #onEnd = () => this.#limit();
    #giveUp;
    constructor({ response }, { socket, head }) {
        this.#socket = socket;
        this.#chunks = [head];
        this.#left = MAX_EARLY_BYTES - head.length;
        // An answer that is out already ends the stream by itself.
        this.#giveUp = () => {
            if (!response.writableEnded)
                socket.destroy();
        };
        socket.on('data', this.#onData).once('end', this.#onEnd);
        socket.once('close', () => clearTimeout(this.#timer));
    }
    /** What has come so far; the stream is left to the caller. */
    take() {
        clearTimeout(this.#timer);
        this.#socket.off('data', this.#onData).off('end', this.#onEnd).pause();
        return Buffer.concat(this.#chunks);
    }
    #keep(chunk) {
        this.#chunks.push(chunk);
        this.#left -= chunk.length;
        if (this.#left >= 0)
            return;
        this.#socket.pause();
        this.#limit();
    }
    #limit() {
        this.#timer ??= setTimeout(this.#giveUp, VISITOR_LEFT_MS);
    }
}
class UpgradeRelay extends AnswerRelay {
    #socket;
    #early;
    constructor(visit, socket, early, onNoAnswer) {
        super(visit, onNoAnswer);
        this.#socket = socket;
        this.#early = early;
    }
    onRequestUpgrade(controller, _, headers, app) {
        const socket = this.#socket;
        app.on('error', upgrade_ignore);
        if (socket.destroyed) {
            app.destroy();
            return;
        }
        if (String(headers.upgrade).toLowerCase() !== 'websocket') {
            app.destroy();
            this.onNoAnswer(new Error('the app switched to a protocol nobody asked for'));
            return;
        }
        this.response.detachSocket(this.response.req.socket);
        socket.write(renderSwitch(readRaw(controller.rawHeaders)), 'latin1');
        const early = this.#early.take();
        if (early.length > 0)
            app.write(early);
        joinStreams(socket, app);
    }
}
function renderSwitch(raw) {
    const headers = renderResponseHeaders(raw, 101, false);
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'];
    for (let index = 0; index < headers.length; index += 2)
        lines.push(`${headers[index]}: ${headers[index + 1]}`);
    return `${lines.join('\r\n')}\r\n\r\n`;
}
/**
 * Pipes both ways. The end of one direction is passed on as such; a broken stream takes the other with it, and so does a
 * visitor's end, once the app has no more to say.
 */
function joinStreams(visitor, app) {
    let timer;
    const cut = () => {
        clearTimeout(timer);
        clearTimeout(silence);
        visitor.destroy();
        app.destroy();
    };
    let silence;
    const watchApp = () => {
        silence = setTimeout(cut, VISITOR_LEFT_MS);
        app.on('data', () => silence?.refresh());
    };
    if (visitor.readableEnded)
        watchApp();
    else
        visitor.once('end', watchApp);
    for (const [from, to] of [
        [visitor, app],
        [app, visitor],
    ]) {
        from.allowHalfOpen = true;
        from.pipe(to);
        from.once('end', () => {
            timer ??= setTimeout(cut, HALF_CLOSED_MS);
        });
        from.once('close', () => {
            if (!from.readableEnded || to.closed)
                cut();
            // Nobody takes what the visitor sends any more: read on, or nobody would see it leave.
            else if (from === app)
                visitor.resume();
        });
    }
}
function upgrade_ignore() { }

;// CONCATENATED MODULE: ./build/js/gateway/gateway.js
// The gateway: takes visitors' streams out of the tunnel, refuses what is malformed, answers for an app that is away,
// and hands the rest to the app. Started by ingress.ts; nothing else on the machine can connect to it.
//
//   downstream/ (visitors' connections: HTTP/1.1, TLS, HTTP/2) ──► passes: guard, access/, own pages ──► upstream/ (the app)


















/** Ready at once: there is no port to listen on. */
function startGateway(options) {
    const link = new AppLink();
    const tally = { visits: 0, lastVisitAt: undefined };
    const condemned = new WeakSet();
    const readAddress = rememberAddress(options.place);
    const siteData = new SiteData();
    const access = new AccessControl(options.rules, siteData, options.endsAt ?? (() => undefined));
    const passes = [
        visit => refuseMalformed(condemned, visit),
        visit => answerProbe(visit, options.proofKey),
        visit => access.check(visit),
        visit => siteData.renew(visit),
        visit => withholdCookies(visit),
        visit => refuseOwnPath(visit),
        () => countVisit(tally),
        visit => refuseLargeBody(visit, options.rules.maxBodyBytes),
        visit => answerWhileAway(link, visit),
        visit => handToApp(link, options, visit),
    ];
    const plainPasses = [
        visit => refuseMalformed(condemned, visit),
        visit => sendToHttps(visit),
    ];
    const limits = { ...VISITOR_LIMITS, ...options.limits };
    if (options.rules.access.kind === 'open')
        limits.strangers = 0;
    const serve = (arrival, among = passes) => {
        const visit = { ...arrival, app: options.app(), address: readAddress(), ownHeaders: [] };
        runPasses(among, visit, options.logger);
    };
    const server = options.tls
        ? startTlsFront(options.tls, limits, { secure: serve, plain: arrival => serve(arrival, plainPasses) })
        : startVisitorServer(limits, serve);
    return {
        accept: socket => {
            if (!server.admit(socket))
                options.logger.debug('a visitor was turned away: too many are here, or we are leaving');
        },
        get visits() {
            return tally.visits;
        },
        get lastVisitAt() {
            return tally.lastVisitAt;
        },
        stop: async (drainMs) => {
            await server.stop(drainMs);
            await link.forget();
        },
    };
}
/** A mistake of ours costs one visit, not the tunnel. */
function runPasses(passes, visit, logger) {
    visit.response.on('error', error => logger.debug(`an answer broke off: ${sanitise((0,errors/* describeError */.Uc)(error))}`));
    try {
        for (const pass of passes)
            if (pass(visit))
                return;
    }
    catch (error) {
        logger.warn(`${describeVisit(visit)} failed: ${sanitise((0,errors/* describeError */.Uc)(error))}`);
        if (visit.response.headersSent)
            visit.response.destroy();
        else
            sendText(visit, 500, 'the gateway failed on this request\n');
    }
}
/**
 * Where two readers could disagree about one request, nothing behind it can be trusted: its connection is closed, and
 * the requests that came in the same packet, which Node would still hand over, are dropped.
 */
function refuseMalformed(condemned, visit) {
    const { socket } = visit.request;
    if (condemned.has(socket))
        return true;
    const refusal = findRefusal(visit);
    if (refusal === undefined)
        return false;
    condemned.add(socket);
    const allow = refusal.status === 405 ? { allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' } : {};
    sendText(visit, refusal.status, `${refusal.reason}\n`, { connection: 'close', ...allow });
    return true;
}
function withholdCookies({ request }) {
    dropOwnCookies(request);
    return false;
}
function countVisit(tally) {
    tally.visits += 1;
    tally.lastVisitAt = new Date();
    return false;
}
function answerWhileAway(link, visit) {
    if (visit.app.status === 'running')
        return false;
    void link.forget();
    sendNotice(visit, describeAway(visit.app));
    return true;
}
function handToApp(link, options, visit) {
    if (visit.app.status !== 'running')
        return false;
    const { upstream } = visit.app;
    if (upstream.kind === 'handler') {
        for (const [name, value] of visit.ownHeaders)
            visit.response.appendHeader(name, value);
        upstream.handle(visit.request, visit.response, status => sendNotice(visit, describeFile(status)));
        return true;
    }
    const { maxBodyBytes } = options.rules;
    const onNoAnswer = (error) => {
        if (error instanceof BodyTooLarge)
            return sendTooLarge(visit, maxBodyBytes);
        options.logger.debug(`no answer to ${describeVisit(visit)}: ${sanitise((0,errors/* describeError */.Uc)(error))}`);
        const app = options.app();
        sendNotice(visit, app.status === 'running' ? describeNoAnswer(error) : describeAway(app));
    };
    const route = { link, address: upstream, maxBodyBytes, onNoAnswer };
    if (visit.upgrade === undefined)
        forwardRequest(visit, route);
    else
        forwardUpgrade(visit, visit.upgrade, route);
    return true;
}
function describeVisit({ request }) {
    return sanitise(`${request.method} ${readPath(request)}`);
}

;// CONCATENATED MODULE: ./build/js/tunnel/relay/read-buffers.js
// The memory that raw visitors' bytes are read into. Used by relay.ts alone; its rule is what keeps bytes right:
// a buffer that a write may still hold is never read into again before that write is done.
/** Enough for what a small read brings: everybody reads into the same one, and writes a copy. */
const SHARED_BYTES = 64 * 1_024;
/** For one direction in full flow: fewer and larger system calls. */
const OWN_BYTES = 256 * 1_024;
/** Directions with a buffer of their own at a time, 16 MB for each thread; the others go on with copies, a little slower. */
const MAX_OWN = 64;
/** Read by every socket in its turn, and free again when its reader returns. */
const SHARED = Buffer.allocUnsafeSlow(SHARED_BYTES);
const spare = [];
let lent = 0;
/** A buffer nobody else reads into, or undefined where too many are lent. To be given back with `giveBack`. */
function borrow() {
    if (lent >= MAX_OWN)
        return undefined;
    lent += 1;
    return spare.pop() ?? Buffer.allocUnsafeSlow(OWN_BYTES);
}
/** Only what no write holds any more. */
function giveBack(buffer) {
    lent -= 1;
    spare.push(buffer);
}

;// CONCATENATED MODULE: ./build/js/tunnel/relay/relay.js
// Raw mode (`protocol: tcp`): carries visitors' bytes to a port of this machine and the answers back, whatever protocol
// they speak. Made by ingress.ts, fed by visitors.ts.




/** A read of this size is a direction in full flow: from here on a copy costs more than a buffer of its own. */
const BULK_BYTES = 16 * 1_024;
/** A connection on which nothing moved for this long is forgotten: a visitor who vanished is never reported (bore). */
const IDLE_MS = 60 * 60_000;
/** The same where one side has said its last word and the other stays silent. */
const HALF_CLOSED_IDLE_MS = 5 * 60_000;
/** How often they are looked for, as a part of the shorter limit. */
const relay_SWEEPS_PER_LIMIT = 5;
/** First probe after this much silence; the kernel notices a dead peer some minutes later. */
const relay_KEEP_ALIVE_MS = 30_000;
/**
 * Both directions to their ends: the end of one is passed on as such (half-close), a broken connection takes the other
 * with it, and a reader who is slow makes the writer wait. Memory is bounded per connection.
 */
class Relay {
    options;
    #bridges = new Set();
    #sweeper;
    #visits = 0;
    #awaited;
    #branches = [];
    constructor(options) {
        this.options = options;
    }
    /** Visitors since the start, our own probes not counted. */
    get visits() {
        return this.#branches.reduce((sum, { visits }) => sum + visits, this.#visits);
    }
    /** Visitors whose connections, that to the app too, are not closed yet. */
    get open() {
        return this.#branches.reduce((sum, { open }) => sum + open, this.#bridges.size);
    }
    /** Our own probe is on its way, and has to come out here and not in a branch. */
    get isAwaiting() {
        return this.#awaited !== undefined;
    }
    /** Counts the visitors of a relay on another thread from now on. */
    addBranch(branch) {
        this.#branches.push(branch);
    }
    /** `target` may say something else from now on: a port that the app has left may be somebody else's soon. */
    followTarget() {
        const target = this.options.target();
        for (const branch of this.#branches)
            branch.follow(target);
    }
    /** The reading side of a visitor's connection, before it is opened; until `admit` its bytes are the handshake's. */
    openLeg() {
        return new Leg();
    }
    /**
     * What `socket`, opened with `leg`, brings from here on is the visitor's, and comes behind `first`. Resets it while the
     * app is away.
     */
    admit(socket, leg, first) {
        const target = this.options.target();
        if (target === undefined) {
            this.options.logger.debug('a visitor was reset: the app is away');
            resetSocket(socket);
            return;
        }
        if (!(leg instanceof Leg))
            throw new TypeError('a leg of another relay');
        const bridge = new Bridge(socket, leg, target, {
            onAppError: error => this.options.logger.debug(`the app broke a connection: ${(0,errors/* describeError */.Uc)(error)}`),
            onClosed: () => {
                this.#bridges.delete(bridge);
                this.options.onClosed?.();
            },
        });
        bridge.begin(first);
        this.#visits += 1;
        if (this.#awaited)
            this.#inspect(bridge, leg, this.#awaited);
        this.#bridges.add(bridge);
        this.#sweeper ??= this.#startSweeping();
    }
    /**
     * True when a visitor whose first bytes are `token` came in before `signal` says so, and false else. That visitor is
     * ourselves: it is reset, and not counted. One at a time.
     */
    awaitToken(token, signal) {
        return new Promise(resolve => {
            const settle = (seen) => {
                signal.removeEventListener('abort', onAbort);
                this.#awaited = undefined;
                resolve(seen);
            };
            const onAbort = () => settle(false);
            if (signal.aborted)
                return resolve(false);
            signal.addEventListener('abort', onAbort, { once: true });
            this.#awaited = { token, seen: () => settle(true) };
        });
    }
    /** Cuts every connection. More may come. */
    cut() {
        for (const bridge of this.#bridges)
            bridge.cut();
    }
    #inspect(bridge, leg, { token, seen }) {
        leg.inspect = first => {
            if (!first.subarray(0, token.length).equals(token))
                return false;
            this.#visits -= 1;
            bridge.cut();
            seen();
            return true;
        };
    }
    /** Runs while there are connections. */
    #startSweeping() {
        const { idleMs = IDLE_MS, halfClosedIdleMs = HALF_CLOSED_IDLE_MS } = this.options;
        const interval = Math.min(idleMs, halfClosedIdleMs) / relay_SWEEPS_PER_LIMIT;
        const timer = setInterval(() => {
            const now = performance.now();
            for (const bridge of this.#bridges)
                bridge.sweep(now, idleMs, halfClosedIdleMs);
            if (this.#bridges.size > 0)
                return;
            clearInterval(timer);
            this.#sweeper = undefined;
        }, interval);
        return timer.unref();
    }
}
/** One visitor and the connection to the app made for it. */
class Bridge {
    #visitor;
    #app;
    #toApp;
    #isKeptAlive = false;
    #movedAt = performance.now();
    constructor(socket, visitor, target, events) {
        const app = new Leg();
        const toApp = (0,external_node_net_.connect)({
            ...target,
            noDelay: true,
            allowHalfOpen: true,
            ...app.socketOptions,
        });
        toApp.on('error', events.onAppError);
        // Either may outlast the other, with a last word that nobody takes.
        toApp.on('close', () => socket.destroyed && events.onClosed());
        socket.on('close', () => toApp.destroyed && events.onClosed());
        visitor.join(socket, toApp);
        app.join(toApp, socket);
        this.#visitor = visitor;
        this.#app = app;
        this.#toApp = toApp;
    }
    #keepAlive() {
        this.#isKeptAlive = true;
        this.#visitor.keepAlive();
        this.#app.keepAlive();
    }
    begin(first) {
        if (first.length > 0)
            this.#toApp.write(first);
    }
    cut() {
        this.#visitor.cut();
        this.#app.cut();
    }
    sweep(now, idleMs, halfClosedIdleMs) {
        // Both, for each forgets its mark.
        const moved = [this.#visitor.takeMark(), this.#app.takeMark()].includes(true);
        if (moved)
            this.#movedAt = now;
        const isHalfClosed = this.#visitor.isOver || this.#app.isOver;
        if (now - this.#movedAt >= (isHalfClosed ? halfClosedIdleMs : idleMs))
            this.cut();
        // Only here, where long connections come by: it takes four system calls, as many as a short visit has reads.
        else if (!this.#isKeptAlive)
            this.#keepAlive();
    }
}
/**
 * One socket as a source. Node hands its bytes over in a buffer of ours (`onread`), which saves an allocation and a
 * stream's book-keeping per read: see read-buffers.ts for what may be done with it.
 */
class Leg {
    socketOptions;
    hear = () => { };
    /** Gets a copy of the first bytes after `join`; true: they are not the peer's. */
    inspect;
    #socket;
    #peer;
    #own;
    /** In the hands of a write that is not done. */
    #held;
    #isPaused = false;
    #hasMoved = false;
    constructor() {
        this.socketOptions = {
            onread: { buffer: () => this.#own ?? SHARED, callback: length => this.#read(length) },
            // A write that passes a buffer of ours on is never smaller, and so always ends in 'drain'.
            writableHighWaterMark: BULK_BYTES,
        };
    }
    get isOver() {
        return this.#socket?.readableEnded === true;
    }
    /** From now on all that is read goes to `peer`. */
    join(socket, peer) {
        this.#socket = socket;
        this.#peer = peer;
        socket.on('end', () => this.#end(peer));
        socket.on('close', () => this.#close());
        peer.on('drain', () => this.#goOn());
        peer.on('close', () => this.#takeBack());
    }
    cut() {
        if (this.#socket)
            resetSocket(this.#socket);
    }
    keepAlive() {
        this.#socket?.setKeepAlive(true, relay_KEEP_ALIVE_MS);
    }
    /** Whether anything was read since the last call. */
    takeMark() {
        const moved = this.#hasMoved;
        this.#hasMoved = false;
        return moved;
    }
    #read(length) {
        const buffer = this.#own ?? SHARED;
        const peer = this.#peer;
        if (peer === undefined) {
            this.hear(Buffer.from(buffer.subarray(0, length)));
            return true;
        }
        this.#hasMoved = true;
        if (this.inspect !== undefined && this.#isInspected(buffer.subarray(0, length)))
            return false;
        const goesOn = length < BULK_BYTES ? this.#copy(peer, buffer, length) : this.#pass(peer, buffer, length);
        this.#isPaused = !goesOn;
        return goesOn;
    }
    #isInspected(chunk) {
        const { inspect } = this;
        this.inspect = undefined;
        return inspect?.(Buffer.from(chunk)) ?? false;
    }
    /** The buffer is free when this returns; one of our own is given back, for the flow is a trickle now. */
    #copy(peer, buffer, length) {
        const goesOn = peer.write(Buffer.from(buffer.subarray(0, length)));
        this.#release();
        return goesOn;
    }
    #pass(peer, buffer, length) {
        if (this.#own === undefined) {
            const goesOn = peer.write(Buffer.from(buffer.subarray(0, length)));
            this.#own = borrow();
            return goesOn;
        }
        peer.write(buffer.subarray(0, length));
        if (peer.writableLength === 0)
            return true;
        // What the kernel did not take is still to be written out of this buffer: the next read needs another.
        this.#held = this.#own;
        this.#own = borrow();
        return false;
    }
    #goOn() {
        this.#takeBack();
        if (!this.#isPaused)
            return;
        this.#isPaused = false;
        this.#socket?.resume();
    }
    #takeBack() {
        if (this.#held !== undefined)
            giveBack(this.#held);
        this.#held = undefined;
    }
    #release() {
        if (this.#own !== undefined)
            giveBack(this.#own);
        this.#own = undefined;
    }
    #end(peer) {
        // The last of both ends needs no shutdown of its own: closing says the same.
        if (peer.readableEnded && peer.writableLength === 0)
            peer.destroy();
        else
            peer.end();
    }
    #close() {
        this.#release();
        const peer = this.#peer;
        if (peer === undefined)
            return;
        if (!this.isOver)
            resetSocket(peer);
        else if (this.#socket?.writableFinished === true)
            return;
        // Its last word was heard, though it listens no more: that much is still passed on.
        else if (peer.writableFinished)
            peer.destroy();
        else
            peer.once('finish', () => peer.destroy());
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/timings.js
// How long the tunnel waits, and for how many: every number with its reason. Tests hand in shorter ones.

/** All in milliseconds. */
const TIMINGS = {
    /** For each address of the server: a SYN lost once is repeated after 1 s, lost twice after 3 s. */
    dialAddress: 3_000,
    /**
     * After this the next address is dialled too, or the same once more: above nearly any round trip, and below the
     * kernel's own second attempt, so that a link is in use again soon after it was healed.
     */
    dialNext: 400,
    /** For all addresses together, the name's resolution included. */
    dial: 10_000,
    /** For the server's `Challenge`. One without a secret hangs up after NETWORK_TIMEOUT_MS, which is worth waiting for. */
    challenge: NETWORK_TIMEOUT_MS + 500,
    /** Hanging up earlier than this has other reasons than a secret nobody asked for. */
    earlyEnd: NETWORK_TIMEOUT_MS - 500,
    /** For the answer to `Hello`. */
    hello: NETWORK_TIMEOUT_MS,
    /** Ten heartbeats missed. */
    heartbeat: 5_000,
    /** A session that lasted this long was a good one: the next loss starts with an attempt at once. */
    goodSession: 5_000,
    /**
     * Between attempts, with as much again at random: a server that restarts does not get everybody in one moment, and
     * who lost it for half a minute at most is served 0.6 s after it is back.
     */
    retry: 200,
    /** After an outage of this length the pauses double, */
    fastRetry: 30_000,
    /** up to this one. */
    slowRetry: 10_000,
    /** Between attempts to get the same port back, which the server frees 0.25 s after a reset. */
    portRetry: 100,
    /** At the start each server of several is tried this long before the next: one that restarts is back by then. */
    serverFirst: 3_000,
    /** A server that is away this long loses the tunnel to the next: a restart is no reason to change the address. */
    serverAway: 30_000,
    /** A first connect waits this long for a taken port: an older job may be dying. */
    portFirst: 10_000,
    /** A reconnect waits this long before it takes another port, where it may. */
    portAgain: 5_000,
    /** A move to another port. */
    move: 10_000,
    /** For one attempt to fetch a visitor: two of them fit before the server drops it. */
    dataLine: 4_000,
    /** A line opened ahead waits this long for a visitor; with half a second for the way, the server still listens. */
    warmHold: NETWORK_TIMEOUT_MS - 500,
    /** From this distance on lines are opened ahead; nearer, a dial costs less than the book-keeping. */
    warmRoundTrip: 5,
    /** Between attempts to fetch a visitor, */
    visitorRetry: 100,
    /** until a second before the server drops them. */
    visitor: PENDING_VISITOR_MS - 1_000,
    /** Visitors in the middle of something, at the end. */
    drain: 5_000,
};
/** Visitors at a time, fetched and waiting together. Each is two sockets, and a process has 4,096 or more. */
const MAX_VISITORS = 1_024;
/** The same where the receiver bounds itself, as the gateway does: who comes makes a stranger leave, and waiting costs no socket. */
const MAX_INVITED = 4_096;
/** Connections to the server being opened at a time, by each thread: the usual backlog of a listening socket. */
const MAX_DIALS = 128;
/** Attempts before a failure is worth a hint, and before an unknown name is believed. */
const ATTEMPTS_BEFORE_HINT = 3;

;// CONCATENATED MODULE: ./build/js/exposure/tcp-probe.js
// The proof that a public address leads here where no gateway could answer: our own bytes, sent to the address, come
// out at our relay. Used by entrance.





/** 256 bits: no visitor sends them by chance. */
const tcp_probe_TOKEN_BYTES = 32;
/** The way out, through the server and back in takes five round trips; half a second each is a satellite's. */
const ARRIVAL_TIMEOUT_MS = 3_000;
/**
 * Connects to `url` (`tcp://host:port`), sends a token, and waits for it at the relay. `unproved`: the connection stood
 * and the token did not come; so it does with a stranger, and where something in between accepts every connection.
 */
async function askForToken(url, relay, signal) {
    const token = (0,external_node_crypto_.randomBytes)(tcp_probe_TOKEN_BYTES);
    const over = new AbortController();
    const limit = AbortSignal.any([signal, over.signal, AbortSignal.timeout(ARRIVAL_TIMEOUT_MS)]);
    const visitsBefore = relay.visits;
    const arrival = relay.awaitToken(token, limit);
    const sent = await tcp_probe_send(url, token, limit);
    try {
        if (sent instanceof Error)
            return { kind: 'silent', detail: (0,errors/* describeError */.Uc)(sent) };
        if (await arrival)
            return { kind: 'proved' };
        if (signal.aborted)
            return { kind: 'silent', detail: 'no answer in time' };
        // They came the same way, and may have taken the place that was meant for us.
        if (relay.visits > visitsBefore || relay.open >= MAX_VISITORS)
            return { kind: 'silent', detail: 'too many visitors came in between' };
        return { kind: 'unproved', detail: 'it takes connections, and what is sent there does not arrive here' };
    }
    finally {
        over.abort();
        if (!(sent instanceof Error))
            sent.destroy();
    }
}
/** Resolves with the connection, the bytes on their way, or with why there is none. */
function tcp_probe_send(url, bytes, signal) {
    const { hostname, port } = new URL(url);
    const socket = (0,external_node_net_.connect)({ host: stripBrackets(hostname), port: Number(port), noDelay: true });
    return new Promise(resolve => {
        const giveUp = () => {
            socket.destroy();
            resolve(new Error('no answer in time'));
        };
        if (signal.aborted)
            return giveUp();
        signal.addEventListener('abort', giveUp, { once: true });
        socket.on('error', resolve); // and stays: whoever answers may break the connection
        socket.once('connect', () => {
            signal.removeEventListener('abort', giveUp);
            socket.write(bytes);
            resolve(socket);
        });
    });
}

;// CONCATENATED MODULE: ./build/js/exposure/ingress.js
// What takes visitors in where the tunnel ends: the gateway for http, a relay for raw bytes. Used by exposure and
// public-tunnel.






/** Ready at once. */
function openEntrance(options) {
    return options.protocol === 'tcp' ? openRelay(options) : openGateway(options);
}
function openGateway({ app, place, endsAt, gateway: rules, tls, logger }) {
    const proofKey = (0,external_node_crypto_.randomBytes)(32);
    const gateway = startGateway({ app, place, endsAt, rules, proofKey, ...(tls && { tls }), logger });
    const certificate = tls && new external_node_crypto_.X509Certificate(tls.cert).fingerprint256;
    return {
        destination: visitor => gateway.accept(visitor),
        get visits() {
            return gateway.visits;
        },
        needsApp: false,
        endsTls: tls !== undefined,
        ask: (url, signal) => askForProof(url, proofKey, signal, certificate),
        followApp: () => { },
        stop: drainMs => gateway.stop(drainMs),
    };
}
function openRelay({ app, threadScript, logger }) {
    const target = () => {
        const state = app();
        return state.status === 'running' && state.upstream.kind === 'address' ? state.upstream : undefined;
    };
    const relay = new Relay({
        target,
        logger,
        ...(threadScript && { secondThread: { script: threadScript } }),
    });
    return {
        destination: relay,
        get visits() {
            return relay.visits;
        },
        needsApp: true,
        endsTls: false,
        ask: async (url, signal) => {
            // Its visitors are cut off, and so would our own bytes be: that says nothing about the address.
            const address = target();
            const isUp = address && (await findListening({ hosts: [address.host], port: address.port }));
            return isUp ? askForToken(url, relay, signal) : { kind: 'app away', detail: 'the app is away' };
        },
        followApp: () => relay.followTarget(),
        stop: async () => { },
    };
}

;// CONCATENATED MODULE: ./build/js/tunnel/failure.js
// What can go wrong between us and a bore server: each failure with its class and with what a user should do.
// Thrown by dial.ts, greeting.ts and session.ts, judged by attempts.ts and port-choice.ts.





/** Enough to recognise an HTTP server or an SSH banner by. */
const MAX_QUOTE_LENGTH = 60;
class TunnelFailure extends errors/* TunnelError */.Tm {
    kind;
    /** What to do about the port where the user chose it. */
    portAdvice;
    constructor(kind, message, options = {}) {
        super(message, {
            ...(options.cause === undefined ? {} : { cause: options.cause }),
            retryable: kind !== 'secret' && kind !== 'not-bore' && kind !== 'wrong-port',
        });
        this.kind = kind;
        this.portAdvice = options.portAdvice;
    }
}
/**
 * True where this server will not do, however often it is asked; `served` says whether any server has served in this
 * run, `failures` how often this one has failed in a row. What is wrong with a port is for port-choice.ts to say.
 */
function isHopeless({ kind }, served, failures) {
    if (kind === 'secret' || kind === 'wrong-port')
        return true;
    if (kind === 'secret-unwanted' || kind === 'not-bore' || kind === 'mute')
        return !served;
    return kind === 'unknown-host' && !served && failures >= ATTEMPTS_BEFORE_HINT;
}
/** True where the workflow has to change: to go on with another server would hide it until that one is lost too. */
function isMisconfiguration({ kind }) {
    return kind === 'secret' || kind === 'secret-unwanted' || kind === 'port-refused';
}
/** A stranger's bytes, short and harmless, in quotes. */
function quote(text) {
    return `"${sanitise(typeof text === 'string' ? text : text.toString('latin1'), MAX_QUOTE_LENGTH)}"`;
}
/** The server could not be reached: `error` is of node:net, node:dns, or a time-out. */
function explainDial(server, error) {
    const cause = { cause: error };
    if ((0,errors/* hasCode */.up)(error, 'ENOTFOUND'))
        return new TunnelFailure('unknown-host', `there is no host ${server.host} (${(0,errors/* describeError */.Uc)(error)}): check \`server\` for a typo`, cause);
    const message = `could not reach ${renderAddress(server)}: ${(0,errors/* describeError */.Uc)(error)}`;
    return new TunnelFailure('transient', message, cause);
}
/** It was given up because something else was to be done. */
function explainLate(server) {
    return new TunnelFailure('transient', `${renderAddress(server)} did not answer in time`);
}
/** What a repeated `explainDial` is worth saying in addition. */
function hintAtFirewall(server) {
    return `is the bore server running, and does a firewall let connections to port ${server.port} out?`;
}
/** The `Error` frame that answered our `Hello(port)`; `hasSecret` says whether we proved one in front of it. */
function explainErrorFrame(server, port, text, hasSecret) {
    const where = renderAddress(server);
    switch (text) {
        case ERROR_TEXT.invalidSecret:
            return new TunnelFailure('secret', `${where} refused the secret: \`secret\` must be the one the server was started with`);
        case ERROR_TEXT.secretRequired:
            // The proof was lost on the way.
            if (hasSecret)
                return new TunnelFailure('transient', `${where} did not get the proof of the secret`);
            return explainSecretRequired(server);
        case ERROR_TEXT.portOutOfRange:
            return new TunnelFailure('port-refused', `${where} does not give out port ${port}`, {
                portAdvice: 'choose a `remote-port` between the --min-port and --max-port of the server',
            });
        case ERROR_TEXT.portForbidden:
            return new TunnelFailure('port-refused', `${where} may not open port ${port} (permission denied there)`, { portAdvice: 'choose a `remote-port` of 1024 or above' });
        case ERROR_TEXT.portTaken:
            return new TunnelFailure('port-taken', `port ${port} of ${server.host} is in use`, {
                portAdvice: 'wait for the other tunnel to end, or choose another `remote-port`',
            });
        case ERROR_TEXT.noPortFree:
        case ERROR_TEXT.bindFailed:
            return new TunnelFailure('transient', `${where} could not open a port (${text}): it may be full`);
        default:
            return new TunnelFailure('transient', `${where} answered with an error: ${quote(text)}`);
    }
}
/** The failure as it is told where its port is the user's own choice. */
function explainFixedPort(failure) {
    const { kind, message, portAdvice, cause } = failure;
    return portAdvice === undefined ? failure : new TunnelFailure(kind, `${message}: ${portAdvice}`, { cause });
}
const FIT_RANGE = 'set `port-range` to the --min-port and --max-port of the server';
/** None of the ports that `auto` asked for was given. */
function explainNoCandidate(server, { min, max }, { count, allTaken }) {
    const ports = count === 1
        ? `did not give the only port of \`port-range\`, ${min === max ? min : `${min}-${max}`}`
        : `gave none of ${count} ports between ${min} and ${max}`;
    const remedy = allTaken
        ? `${count === 1 ? 'it is' : 'they are'} in use: choose a wider \`port-range\``
        : FIT_RANGE;
    return new TunnelFailure(allTaken ? 'port-taken' : 'port-refused', `${renderAddress(server)} ${ports}: ${remedy}`);
}
/** No failure yet: where any port will do, the server is asked for one. */
function explainAnyPort(server, { allTaken }) {
    const remedy = allTaken ? 'they are all in use' : FIT_RANGE;
    return `${renderAddress(server)} gives none of this preview's own ports, so it picks one, and another in the next run: ${remedy}`;
}
function explainSecretRequired(server) {
    return new TunnelFailure('secret', `the server ${renderAddress(server)} requires a secret: set the \`secret\` input`);
}
function explainSecretUnwanted(server) {
    return new TunnelFailure('secret-unwanted', `the server ${renderAddress(server)} asks for no secret, but one was given: remove \`secret\`, or check \`server\``);
}
/** It said something no bore server says (`said`), or, where that is empty, nothing. */
function explainNotBore(server, said) {
    const silent = said.length === 0;
    const detail = silent ? 'it accepts connections and says nothing' : `it says ${quote(firstLine(said))}`;
    return new TunnelFailure(silent ? 'mute' : 'not-bore', `${renderAddress(server)} does not answer like a bore server (${detail}): check host and port in \`server\``);
}
/** What an HTTP server says after its status line tells nothing more. */
function firstLine(said) {
    const text = said.toString('latin1');
    return /^[^\r\n]+/.exec(text)?.[0] ?? text;
}
function explainWrongPort(server, asked, got) {
    const instead = asked === 0 ? '' : ` instead of ${asked}`;
    return new TunnelFailure('wrong-port', `the server ${renderAddress(server)} answered with port ${got}${instead}: it cannot be relied on, check \`server\``);
}

;// CONCATENATED MODULE: ./build/js/tunnel/retry/backoff.js
// How long to wait before the next attempt. Used by attempts.ts.
/** `reset()` when a session was a good one: the next attempt is then made at once. */
class Backoff {
    #timings;
    #random;
    #since;
    #pause = 0;
    constructor(timings, random = Math.random) {
        this.#timings = timings;
        this.#random = random;
    }
    /** Milliseconds to wait before the next attempt; `now` is of a monotonic clock. */
    next(now) {
        const { retry, fastRetry, slowRetry } = this.#timings;
        if (this.#since === undefined) {
            this.#since = now;
            return 0;
        }
        if (now - this.#since < fastRetry)
            this.#pause = retry;
        else
            this.#pause = Math.min(Math.max(2 * this.#pause, retry), slowRetry / 2);
        return this.#pause * (1 + this.#random());
    }
    reset() {
        this.#since = undefined;
        this.#pause = 0;
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/retry/failure-log.js
// What went wrong since the tunnel was connected last, server by server: what people are told of it, and how loudly.
// Used by attempts.ts.




/** Sessions that ended as soon as they stood, in a row, before it is worth a warning. */
const SHORT_SESSIONS_BEFORE_WARNING = 3;
class FailureLog {
    #logger;
    #counts = new Map();
    /** The last failure of each server, as people are told of it. */
    #last = new Map();
    #shortSessions = 0;
    #wentRound = false;
    /** About a port that is taken. */
    #told = new Set();
    constructor(logger) {
        this.#logger = logger;
    }
    /** How often `server` has failed, this time included. */
    count(server) {
        const name = renderAddress(server);
        const count = (this.#counts.get(name) ?? 0) + 1;
        this.#counts.set(name, count);
        return count;
    }
    /** Keeps a failure and returns what to tell; `isStart` while nobody has served yet and people wait. */
    note(server, failure, isStart = false) {
        const name = renderAddress(server);
        const count = this.#counts.get(name) ?? 1;
        const isPuzzling = failure.kind === 'transient' && count >= ATTEMPTS_BEFORE_HINT;
        const reason = `${(0,errors/* describeError */.Uc)(failure)}${isPuzzling ? `; ${hintAtFirewall(server)}` : ''}`;
        this.#last.set(name, new errors/* TunnelError */.Tm(reason, { cause: failure, retryable: failure.retryable }));
        if (isStart && count === ATTEMPTS_BEFORE_HINT)
            this.#logger.warn(reason);
        else
            this.#logger.debug(`attempt ${count} failed: ${reason}`);
        return reason;
    }
    /** All of it in one error; undefined where nothing has failed. */
    sum() {
        const [first, ...others] = this.#last.values();
        if (first === undefined || others.length === 0)
            return first;
        const message = [first, ...others].map(one => one.message).join('; ');
        return new errors/* TunnelError */.Tm(message, { retryable: [first, ...others].some(one => one.retryable) });
    }
    /** `port` is in use, and `next` is asked for: where it is the same, for as long as an older job may be ending. */
    tellTaken({ host }, port, next) {
        const text = next === port
            ? `port ${port} of ${host} is in use, by an older job perhaps: waiting for it to be free`
            : `port ${port} of ${host} stays in use: asking for ${next === 0 ? 'any other' : next}`;
        if (this.#told.has(text))
            return;
        this.#told.add(text);
        this.#logger.info(text);
    }
    /** The tunnel is connected. */
    clear() {
        this.#told.clear();
        this.#counts.clear();
        this.#last.clear();
        this.#wentRound = false;
    }
    /** A session is over. A server that drops one after the other fills no log. */
    tellLoss(server, reason, wasGood) {
        this.#shortSessions = wasGood ? 0 : this.#shortSessions + 1;
        const text = `reconnecting to ${renderAddress(server)}: ${reason}`;
        if (this.#shortSessions <= 1)
            this.#logger.info(text);
        else
            this.#logger.debug(text);
        if (this.#shortSessions === SHORT_SESSIONS_BEFORE_WARNING)
            this.#logger.warn(`${renderAddress(server)} opens the tunnel and drops it at once, again and again: ${reason}`);
    }
    tellReturn(text) {
        if (this.#shortSessions <= 1)
            this.#logger.info(text);
        else
            this.#logger.debug(text);
    }
    /** `from` was tried long enough, and `to` is next. Said once: from the second round on it is the same again. */
    tellTurn(from, to, isNewRound) {
        this.#wentRound ||= isNewRound;
        const text = `${renderAddress(from)} stays away: trying ${renderAddress(to)}`;
        if (this.#wentRound)
            this.#logger.debug(text);
        else
            this.#logger.info(text);
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/retry/blocked-ports.js
// Ports that are open and still of no use. Used by placement.ts, and by exposure through address-check.ts.
/**
 * Browsers, and every `fetch`, refuse to open them because other protocols live there (WHATWG Fetch, "bad port").
 * A link with one of them is of no use to a reviewer.
 */
const BLOCKED_PORTS = new Set([
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
    109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
    526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
    3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10_080,
]);
function isBlockedPort(port) {
    return port !== undefined && BLOCKED_PORTS.has(port);
}

;// CONCATENATED MODULE: ./build/js/tunnel/retry/placement.js
// Where a preview lives: in which order it asks the servers, and each of them for which ports. The same in every run,
// and unknown beforehand to whoever does not know the server's secret. Used by server-choice.ts and port-choice.ts.


/**
 * A preview's address is public, so each one lets anybody test guesses of the secret, at home and without asking the
 * server. This makes a guess cost some 40 ms and 16 MB (scrypt, RFC 7914), as it costs us once at the start.
 */
const STRETCH = { N: 2 ** 14, r: 8, p: 1 };
const KEY_BYTES = 32;
const SALT = 'expose-action, where a preview lives';
/** As many as readUIntBE reads exactly, and far more than a port needs. */
const DRAW_BYTES = 6;
/**
 * The servers, best first, by rendezvous hashing: each one's score is its own affair, so that a server that is added
 * or lost moves only the previews it gets or had.
 */
function orderServers(servers, identity) {
    if (servers.length < 2)
        return [...servers];
    const scored = servers.map(server => {
        const { host, port } = server.address;
        return { server, score: hash(server.secret, ['server', host, port, identity]) };
    });
    return scored.sort((a, b) => Buffer.compare(b.score, a.score)).map(({ server }) => server);
}
/**
 * Every port of the range once, in an order that is the preview's own; those that browsers refuse are left out, unless
 * there are no others. Lazily: a port costs one hash.
 */
function* listCandidates(identity, secret, { min, max }) {
    const isUseful = hasOpenPort(min, max) ? (port) => !isBlockedPort(port) : () => true;
    // Fisher and Yates' shuffle from the end, one step for each port that is asked for; only what was moved is written.
    const moved = new Map();
    for (let left = max - min + 1; left > 0; left -= 1) {
        const chosen = draw(secret, identity, left);
        const port = min + (moved.get(chosen) ?? chosen);
        moved.set(chosen, moved.get(left - 1) ?? left - 1);
        if (isUseful(port))
            yield port;
    }
}
function hasOpenPort(min, max) {
    for (let port = min; port <= max; port += 1)
        if (!isBlockedPort(port))
            return true;
    return false;
}
/** A whole number below `limit`, a port count: the remainder favours the smaller ones by less than one in a billion. */
function draw(secret, identity, limit) {
    return hash(secret, ['port', limit, identity]).readUIntBE(0, DRAW_BYTES) % limit;
}
/** Keyed with the secret where there is one. The parts keep their borders: `ab`, `c` is not `a`, `bc`. */
function hash(secret, parts) {
    const text = JSON.stringify(['expose-action', ...parts]);
    if (secret === undefined)
        return (0,external_node_crypto_.createHash)('sha256').update(text).digest();
    return (0,external_node_crypto_.createHmac)('sha256', stretch(secret)).update(text).digest();
}
/** By secret; a process knows one, or a few. */
const stretched = new Map();
function stretch(secret) {
    const key = stretched.get(secret) ?? (0,external_node_crypto_.scryptSync)(secret, SALT, KEY_BYTES, STRETCH);
    stretched.set(secret, key);
    return key;
}

;// CONCATENATED MODULE: ./build/js/tunnel/retry/port-choice.js
// Which public port of one server to ask for next. Used by attempts.ts, through server-choice.ts.



/**
 * Candidates of `auto` that are asked for. Where half of all ports are taken, 32 in a row are in one of four billion
 * runs; and where the server's own range is narrower, all of them are refused within seconds, which is when people
 * should hear of it.
 */
const MAX_CANDIDATES = 32;
/** What a server gives out without a privilege, and where it ends. */
const LOWEST_PORT = 1_024;
const HIGHEST_PORT = 65_535;
class PortChoice {
    #server;
    #options;
    /** Where strangers answer. */
    #left = new Set();
    #list;
    #port;
    #patience;
    #takenSince;
    /** Of this round through the list. */
    #asked = 1;
    #wasTaken = false;
    #wasRefused = false;
    #isWholeRound = false;
    /** The server is asked for one of its own choice. */
    #isAnyPort = false;
    #served = false;
    constructor(server, options) {
        this.#server = server;
        this.#options = options;
        this.#list = listPorts(server, options);
        this.#port = this.#list.next().value ?? 0;
        const { portAgain, portFirst } = options.timings;
        this.#patience = readPreferred(server, options) === undefined ? portFirst : portAgain;
    }
    /** What to put into `Hello`; 0 for any. */
    get port() {
        return this.#port;
    }
    /** The server gave us `port`: it is the one to ask for from now on. */
    settle(port) {
        this.#port = port;
        this.#served = true;
        this.#isWholeRound = false;
        this.#expect(this.#options.timings.portAgain);
    }
    /** A stranger answers at our port: it is not asked for again. False where there is no other. */
    leave() {
        if (this.#port === 0)
            return true; // any port is another one
        this.#left.add(this.#port);
        if (this.#advance())
            return true;
        this.#startOver();
        return !this.#left.has(this.#port);
    }
    /**
     * The server did not give us the port (kind `port-taken` or `port-refused`); `now` is of a monotonic clock. Where
     * another server has served before (`isTakeover`), visitors wait, and the address changes in any case.
     */
    judge({ kind }, now, isTakeover) {
        if (kind === 'port-taken') {
            this.#takenSince ??= now;
            if (!isTakeover && now - this.#takenSince < this.#patience)
                return 'later';
            this.#wasTaken = true;
        }
        else
            this.#wasRefused = true;
        if (this.#advance())
            return 'next';
        // Who has served for an hour waits for a port to become free; but a range that does not fit stays as it is.
        const hasServed = this.#served || isTakeover;
        if (!hasServed || (this.#isWholeRound && !this.#wasTaken))
            return 'never';
        this.#startOver();
        return 'later';
    }
    /** The server could not be asked: how long the port is taken already counts anew. */
    forgetTaken() {
        this.#takenSince = undefined;
    }
    /** True while our own port is taken, by what is left of the session before. */
    isBeingFreed(now) {
        return this.#served && this.#takenSince !== undefined && now - this.#takenSince < this.#patience;
    }
    /** What came of this round through the list so far. */
    get asked() {
        return { count: this.#asked, allTaken: !this.#wasRefused };
    }
    /** What people are told of a port that was not given: advice about `remote-port` only where they chose it. */
    explain(failure) {
        return this.#options.remotePort.kind === 'fixed' ? explainFixedPort(failure) : failure;
    }
    /** What people are told after `never`. */
    explainEnd(last) {
        const { remotePort } = this.#options;
        return remotePort.kind === 'auto'
            ? explainNoCandidate(this.#server.address, remotePort, this.asked)
            : this.explain(last);
    }
    #expect(patience) {
        this.#patience = patience;
        this.#takenSince = undefined;
    }
    /** False where the list has no other port. */
    #advance() {
        for (let next = this.#list.next(); !next.done; next = this.#list.next()) {
            if (this.#left.has(next.value))
                continue;
            if (next.value === this.#port)
                return false;
            this.#port = next.value;
            this.#isAnyPort ||= next.value === 0;
            this.#asked += 1;
            this.#expect(0);
            return true;
        }
        return false;
    }
    #startOver() {
        // Who was given none of them once need not ask for all of them again.
        this.#list = this.#isAnyPort ? [0].values() : listPorts(this.#server, this.#options);
        this.#advance();
        this.#expect(0);
        this.#asked = 1;
        this.#wasTaken = false;
        this.#wasRefused = false;
        this.#isWholeRound = true;
    }
}
function* listPorts(server, options) {
    const wish = options.remotePort;
    if (wish.kind === 'fixed') {
        yield wish.port;
        return;
    }
    const before = readPreferred(server, options);
    if (before !== undefined)
        yield before;
    if (wish.kind === 'random')
        for (;;)
            yield 0;
    let count = 0;
    for (const port of listCandidates(options.identity, server.secret, wish)) {
        if (port !== before)
            yield port;
        count += 1;
        if (count === MAX_CANDIDATES)
            break;
    }
    // Where any port will do, one that changes from run to run is better than none.
    if (isWholeRange(wish))
        yield 0;
}
/** True where any port that a server gives out will do. */
function isWholeRange({ min, max }) {
    return min <= LOWEST_PORT && max === HIGHEST_PORT;
}
/** The port the tunnel had on this server before, where the wish allows it. */
function readPreferred({ address }, { preferred, remotePort }) {
    if (preferred === undefined || preferred.host !== address.host)
        return undefined;
    return allows(remotePort, preferred.port) ? preferred.port : undefined;
}
function allows(wish, port) {
    if (wish.kind === 'auto')
        return port >= wish.min && port <= wish.max && !isBlockedPort(port);
    return wish.kind === 'random';
}

;// CONCATENATED MODULE: ./build/js/tunnel/retry/server-choice.js
// Which server has the tunnel, and which is asked next when that one stays away. Used by attempts.ts, which knows
// what became of each attempt.



/** All times are of one monotonic clock, in milliseconds. */
class ServerChoice {
    #places;
    #timings;
    /** Asked in vain in this round. */
    #asked = new Set();
    /** Set aside until some server serves. */
    #unfit = new Set();
    #current;
    #awaySince;
    #deadline;
    constructor(options, now) {
        const { servers, identity, preferred, timings } = options;
        this.#timings = timings;
        this.#places = orderServers(servers, identity).map(server => ({
            address: server.address,
            key: server.secret === undefined ? undefined : deriveKey(server.secret),
            ports: new PortChoice(server, options),
        }));
        const [best] = this.#places;
        if (best === undefined)
            throw new Error('a tunnel needs a server');
        this.#current = this.#places.find(({ address }) => address.host === preferred?.host) ?? best;
        this.#deadline = now + timings.serverFirst;
    }
    get current() {
        return this.#current;
    }
    /** The current server serves: whatever was held against the others may be over. */
    settle() {
        this.#asked.clear();
        this.#unfit.clear();
    }
    /**
     * The current server is away, and was last heard of at `heardAt`. It stays the current one for a while; one that
     * only ever serves for moments (`wasGood` false) is away since it began to do so.
     */
    lose(heardAt, wasGood, now) {
        if (wasGood || this.#awaySince === undefined)
            this.#awaySince = heardAt;
        this.#deadline = this.#awaySince + this.#timings.serverAway;
        // After a standstill of this machine it was we who were away: one attempt is owed.
        if (wasGood)
            this.#deadline = Math.max(this.#deadline, now + this.#timings.serverFirst);
    }
    /** At the start: the current server answered, if only that a port is taken. It is not away. */
    hear(now) {
        this.#deadline = now + this.#timings.serverFirst;
    }
    /** How long the current server may still be tried; Infinity where there is no other. */
    patience(now) {
        return this.#places.length - this.#unfit.size > 1 ? this.#deadline - now : Number.POSITIVE_INFINITY;
    }
    /**
     * Goes on to the next server. True where all had their turn, and it is that of the best one again: that comes after
     * `pauseMs`, and its time counts from then.
     */
    advance(now, pauseMs = 0) {
        this.#asked.add(this.#current);
        const fit = this.#places.filter(place => !this.#unfit.has(place));
        const [next] = fit.filter(place => !this.#asked.has(place));
        if (next === undefined)
            this.#asked.clear();
        this.#current = next ?? fit[0] ?? this.#current;
        this.#awaySince = undefined;
        this.#deadline = now + this.#timings.serverFirst + (next === undefined ? pauseMs : 0);
        return next === undefined;
    }
    /** Sets the current server aside and goes on to the next. False where none is left. */
    dismiss(now) {
        this.#unfit.add(this.#current);
        if (this.#unfit.size === this.#places.length)
            return false;
        this.advance(now);
        return true;
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/retry/attempts.js
// Decides after each attempt when and where the next one is made, or that there is none. Used by reconnect.ts, which
// makes them.






class Attempts {
    #options;
    #timings;
    #servers;
    #backoff;
    #failures;
    /** Where the last session was. */
    #home;
    constructor(options, timings) {
        this.#options = options;
        this.#timings = timings;
        this.#servers = new ServerChoice({ ...options, timings }, performance.now());
        this.#backoff = new Backoff(timings);
        this.#failures = new FailureLog(options.logger);
    }
    /** Where the next attempt is made. */
    get place() {
        return this.#servers.current;
    }
    /** Undefined until there was one. */
    get home() {
        return this.#home;
    }
    /**
     * For one attempt. At the start every server gets the time it takes, and so does one that takes over; but the one
     * that is away keeps nobody waiting for longer than its patience.
     */
    limit() {
        const patience = this.#servers.patience(performance.now());
        if (this.place !== this.#home || patience === Number.POSITIVE_INFINITY)
            return undefined;
        return AbortSignal.timeout(Math.max(1, Math.ceil(patience)));
    }
    /** There is a session; the server gave it `port`. */
    succeed(port) {
        this.#home = this.place;
        this.place.ports.settle(port);
        this.#servers.settle();
        this.#failures.clear();
    }
    /** The session is over; `isWanted` where we ended it ourselves. */
    lose(session, reason, isWanted) {
        const wasGood = isWanted || performance.now() - session.startedAt >= this.#timings.goodSession;
        if (wasGood)
            this.#backoff.reset();
        this.#servers.lose(session.heardAt, wasGood, performance.now());
        this.#failures.tellLoss(this.place.address, reason, wasGood);
    }
    /** After `lose`: there is a session again. */
    comeBack(afterMs, port) {
        this.#failures.tellReturn(`connected again after ${(afterMs / 1_000).toFixed(1)} s, public port ${port}`);
    }
    /** Milliseconds until the next attempt, which may be at another server by then. */
    nextPause() {
        const now = performance.now();
        const pause = this.#backoff.next(now);
        if (this.#servers.patience(now) > pause)
            return pause;
        const { address } = this.place;
        const isNewRound = this.#servers.advance(now, pause);
        this.#failures.tellTurn(address, this.place.address, isNewRound);
        return isNewRound ? pause : 0;
    }
    /** Throws a TunnelError where trying again cannot help. */
    judge(error) {
        if (!(error instanceof TunnelFailure))
            throw explainBug(error);
        const { address, ports } = this.place;
        const failures = this.#failures.count(address);
        if (error.kind === 'port-taken' || error.kind === 'port-refused')
            return this.#judgePort(error);
        if (isHopeless(error, this.#home !== undefined, failures))
            return this.#dismiss(error);
        ports.forgetTaken();
        const reason = this.#failures.note(address, error, this.#home === undefined);
        return {
            pauseMs: ports.isBeingFreed(performance.now()) ? this.#timings.portRetry : this.nextPause(),
            reason,
        };
    }
    /** Why it was all in vain, where time was over. */
    explainEnd() {
        return this.#failures.sum() ?? explainLate(this.place.address);
    }
    #judgePort(failure) {
        const now = performance.now();
        const { address, ports } = this.place;
        if (this.#home === undefined)
            this.#servers.hear(now);
        const { port } = ports;
        const isTakeover = this.#home !== undefined && this.#home !== this.place;
        const verdict = ports.judge(failure, now, isTakeover);
        if (verdict === 'never')
            return this.#dismiss(ports.explainEnd(failure));
        const reason = this.#failures.note(address, ports.explain(failure));
        // Our own port is taken for a moment after every link that fell silent: that is not worth a line.
        if (failure.kind === 'port-taken' && (this.#home === undefined || port !== ports.port))
            this.#failures.tellTaken(address, port, ports.port);
        if (this.#options.remotePort.kind === 'auto' && ports.port === 0)
            this.#options.logger.warn(explainAnyPort(address, ports.asked));
        if (verdict === 'next')
            return { pauseMs: 0, reason };
        return { pauseMs: ports.isBeingFreed(now) ? this.#timings.portRetry : this.nextPause(), reason };
    }
    /** This server will not do: on to the next one, unless there is none, or the workflow has to change. */
    #dismiss(failure) {
        const reason = this.#failures.note(this.place.address, failure);
        if (this.#home === undefined && isMisconfiguration(failure))
            throw failure;
        if (!this.#servers.dismiss(performance.now()))
            throw this.explainEnd();
        this.#options.logger.warn(`${reason}; going on with ${renderAddress(this.place.address)}`);
        return { pauseMs: 0, reason };
    }
}
function explainBug(error) {
    return new errors/* TunnelError */.Tm(`this is a bug: ${(0,errors/* describeError */.Uc)(error)}`, { cause: error, retryable: false });
}

// EXTERNAL MODULE: external "node:dns/promises"
var external_node_dns_promises_ = __webpack_require__(1553);
;// CONCATENATED MODULE: ./build/js/tunnel/session/dial.js
// Opens the control connection to a server, whichever of its addresses answers. Used by session.ts.




const lookupAll = host => (0,external_node_dns_promises_.lookup)(host, { all: true, order: 'verbatim' });
/** Asks for the server's addresses, and dials them. Throws TunnelFailure, or the signal's reason. */
async function dialServer(server, options) {
    const { signal, timings } = options;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(timings.dial)]);
    try {
        const addresses = await resolve(server, options.lookup ?? lookupAll, limited);
        return await new Race(addresses, timings, limited).run();
    }
    catch (error) {
        signal.throwIfAborted();
        throw explainDial(server, error);
    }
}
async function resolve({ host, port }, lookup, signal) {
    if ((0,external_node_net_.isIP)(host) !== 0)
        return [{ host, port }];
    const found = await raceSignal(lookup(host), signal);
    return found.map(({ address }) => ({ host: address, port }));
}
/**
 * The addresses in their order, each with a start on the next; none is given up because another is dialled. When all
 * were dialled it starts again with those that are silent: on a link that is down for a while every packet is lost.
 * Node's own way (autoSelectFamily) gives each address up after 250 ms: too early for another continent.
 */
class Race {
    #addresses;
    #timings;
    #outer;
    #signal;
    #over = new AbortController();
    #failed = new Set();
    #result = Promise.withResolvers();
    #turn = 0;
    constructor(addresses, timings, signal) {
        this.#addresses = addresses;
        this.#timings = timings;
        this.#outer = signal;
        this.#signal = AbortSignal.any([signal, this.#over.signal]);
    }
    async run() {
        const timer = setInterval(() => this.#dialNext(), this.#timings.dialNext);
        try {
            if (this.#addresses.length === 0)
                throw new Error('the host has no address');
            this.#dialNext();
            return await raceSignal(this.#result.promise, this.#outer);
        }
        finally {
            clearInterval(timer);
            this.#over.abort();
        }
    }
    #dialNext() {
        const left = this.#addresses.filter(address => !this.#failed.has(address));
        const address = this.#addresses[this.#turn] ?? left[this.#turn % Math.max(1, left.length)];
        this.#turn += 1;
        if (address !== undefined)
            void this.#dial(address);
    }
    async #dial(address) {
        try {
            const socket = await dialAddress(address, this.#timings.dialAddress, this.#signal);
            if (this.#signal.aborted)
                resetSocket(socket);
            else
                this.#result.resolve({ socket, address });
            this.#over.abort();
        }
        catch (error) {
            this.#failed.add(address);
            if (this.#failed.size === this.#addresses.length)
                this.#result.reject(error);
            else if (this.#turn < this.#addresses.length && !this.#signal.aborted)
                this.#dialNext();
        }
    }
}
/** One TCP connection: small writes go out at once, and the end of one direction is not the end of the other. */
function dialAddress({ host, port }, timeoutMs, signal) {
    return new Promise((resolve, reject) => {
        if (signal.aborted)
            return reject(signal.reason);
        const socket = (0,external_node_net_.connect)({ host, port, noDelay: true, allowHalfOpen: true });
        let isOver = false;
        const settle = () => {
            isOver = true;
            clearTimeout(timer);
            signal.removeEventListener('abort', onAbort);
        };
        const giveUp = (reason) => {
            settle();
            socket.destroy();
            reject(reason);
        };
        const onAbort = () => giveUp(signal.reason);
        const late = () => isOver || giveUp(new Error(`no answer within ${timeoutMs / 1_000} s`));
        // After a stall of this process the timer comes first, and the answer waits in the kernel.
        const timer = setTimeout(() => setImmediate(late), timeoutMs);
        signal.addEventListener('abort', onAbort, { once: true });
        socket.on('error', giveUp); // and stays: whoever reads the socket sees 'close'
        socket.once('connect', () => {
            settle();
            resolve(socket);
        });
    });
}
/** A look-up cannot be called back, only left alone. */
function raceSignal(promise, signal) {
    return new Promise((resolve, reject) => {
        const onAbort = () => reject(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        // Whatever becomes of it later is heard, or it would end the process.
        promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
        if (signal.aborted)
            onAbort();
    });
}

;// CONCATENATED MODULE: ./build/js/tunnel/session/greeting.js
// The first words on the control connection. Used by session.ts; a visitor's connection has its own, in data-connection.ts.

/** A frame came, but not one that has its place there. */
class OddFrame extends Error {
    frame;
    constructor(frame) {
        super('the server said something unexpected');
        this.name = 'OddFrame';
        this.frame = Buffer.from(frame);
    }
}
/**
 * Proves the secret where there is one, and makes the request. Both in one write: the server does not confirm the
 * proof, and a second small write would wait a round trip for the first one's acknowledgement.
 * Rejects with NoFrame, FrameTooLong or OddFrame, all of them before anything of the request was sent.
 */
async function greet(socket, reader, key, request, timeoutMs) {
    if (key === undefined) {
        socket.write(encodeFrame(request));
        return;
    }
    const frame = await reader.next(timeoutMs);
    const message = decodeServerMessage(frame);
    if (typeof message !== 'object' || !('Challenge' in message))
        throw new OddFrame(frame);
    const proof = { Authenticate: answerChallenge(key, message.Challenge) };
    socket.write(Buffer.concat([encodeFrame(proof), encodeFrame(request)]));
}

;// CONCATENATED MODULE: ./build/js/tunnel/session/watchdog.js
// Notices a link that has fallen silent. Used by session.ts.
/** Calls `onSilence` once, as soon as nothing was heard for `timeoutMs`. `readClock` is for tests. */
function startWatchdog(timeoutMs, onSilence, readClock = () => performance.now()) {
    let heardAt = readClock();
    let isOver = false;
    const stop = () => {
        isOver = true;
        clearTimeout(timer);
    };
    const decide = () => {
        if (isOver)
            return;
        const leftMs = timeoutMs - (readClock() - heardAt);
        // Timers count in whole milliseconds, so one may fire before its time by this clock: every third did. Only the rest
        // is waited for then; all of it once more would be twice the time.
        if (leftMs > 0) {
            clearTimeout(timer);
            timer = setTimeout(look, leftMs);
            return;
        }
        stop();
        onSilence();
    };
    // After a stall of this process the timer comes first, and the heartbeats wait in the kernel: they are read before
    // anything is decided, and the timer starts anew with each of them.
    const look = () => void setImmediate(decide);
    let timer = setTimeout(look, timeoutMs);
    const hear = () => {
        heardAt = readClock();
        timer.refresh(); // which wakes no timer that was cleared
    };
    return {
        get heardAt() {
            return heardAt;
        },
        hear,
        stop,
    };
}

;// CONCATENATED MODULE: ./build/js/tunnel/session/session.js
// One session with a bore server: dials, greets, asks for a port, then listens for visitors and heartbeats until the
// control connection is lost. Used by reconnect.ts, which decides what to do about it.









/** Limits the connections of each address it serves: none is opened there that may not be needed. */
const SHARED_SERVER = 'bore.pub';
/** Resolves when the server has opened the port. Rejects with TunnelFailure, or the signal's reason. */
async function startSession(options) {
    const { signal } = options;
    const line = await dialServer(options.server, options);
    const abandon = () => resetSocket(line.socket);
    signal.addEventListener('abort', abandon, { once: true });
    try {
        signal.throwIfAborted();
        options.onDialled();
        const reader = new FrameReader(line.socket);
        return serve(options, line, reader, await askForPort(options, line, reader));
    }
    catch (error) {
        resetSocket(line.socket);
        signal.throwIfAborted();
        throw error;
    }
    finally {
        signal.removeEventListener('abort', abandon);
    }
}
async function askForPort(options, { socket }, reader) {
    const { server, key, port, timings } = options;
    const connectedAt = performance.now();
    try {
        await greet(socket, reader, key, { Hello: port }, timings.challenge);
    }
    catch (error) {
        const late = performance.now() - connectedAt >= timings.earlyEnd;
        if (late && error instanceof NoFrame && error.why === 'ended' && error.said.length === 0)
            throw explainSecretUnwanted(server);
        throw explainGreeting(options, error);
    }
    try {
        return session_readPort(options, await reader.next(timings.hello));
    }
    catch (error) {
        throw explainGreeting(options, error);
    }
}
function session_readPort({ server, port }, frame) {
    const message = decodeServerMessage(frame);
    if (typeof message !== 'object' || !('Hello' in message))
        throw new OddFrame(frame);
    if (message.Hello === 0 || (port !== 0 && message.Hello !== port))
        throw explainWrongPort(server, port, message.Hello);
    return message.Hello;
}
function explainGreeting(options, error) {
    const { server } = options;
    if (error instanceof FrameTooLong)
        return explainNotBore(server, error.bytes);
    if (error instanceof OddFrame)
        return explainOddFrame(options, error.frame);
    if (!(error instanceof NoFrame))
        return error;
    if (error.why === 'timeout' || error.said.length > 0)
        return explainNotBore(server, error.said);
    const message = `${renderAddress(server)} closed the connection during the handshake`;
    return new TunnelFailure('transient', message, { cause: error.cause });
}
function explainOddFrame({ server, key, port }, frame) {
    const message = decodeServerMessage(frame);
    if (typeof message === 'object' && 'Error' in message)
        return explainErrorFrame(server, port, message.Error, key !== undefined);
    if (typeof message === 'object' && 'Challenge' in message)
        return explainSecretRequired(server);
    return explainNotBore(server, frame);
}
function serve(options, { socket, address }, reader, port) {
    const { promise: ended, resolve } = Promise.withResolvers();
    const { heartbeat } = options.timings;
    const watchdog = startWatchdog(heartbeat, () => resolve(`no heartbeat for ${heartbeat / 1_000} s`));
    const leave = (reason) => {
        watchdog.stop();
        resolve(reason);
    };
    const hear = listenForVisitors(options, address);
    reader.follow(frame => hear(frame), error => leave((0,errors/* describeError */.Uc)(error)));
    socket.on('data', watchdog.hear);
    socket.once('end', () => leave('the server closed the control connection'));
    socket.once('close', () => leave(socket.errored?.message ?? 'the control connection was closed'));
    return {
        port,
        startedAt: performance.now(),
        get heardAt() {
            return watchdog.heardAt;
        },
        ended,
        leave,
        stop: () => void resetSocket(socket),
    };
}
/** Nothing a server says after `Hello` ends the session: the first oddity is told, the rest ignored. */
function listenForVisitors({ visitors, logger, server, key }, address) {
    let told = false;
    return frame => {
        const message = decodeServerMessage(frame);
        if (message === 'Heartbeat')
            return;
        // To the very address of this session: another one of the same name may be another server, which knows nobody.
        if (message !== undefined && 'Connection' in message)
            return visitors.invite(message.Connection, { address, key, mayWarm: server.host !== SHARED_SERVER });
        if (told)
            return;
        told = true;
        const said = message !== undefined && 'Error' in message ? message.Error : frame;
        logger.warn(`${renderAddress(server)} says ${quote(said)}; the tunnel goes on`);
    };
}

// EXTERNAL MODULE: external "node:worker_threads"
var external_node_worker_threads_ = __webpack_require__(5919);
;// CONCATENATED MODULE: ./build/js/tunnel/visitors/thread-handle.js
// A second thread that fetches raw visitors and carries their bytes, as the first one sees it. Its own side is
// src/visitor-thread.ts. Used by shared-visitors.ts.


/** Beyond the visitors' time to finish, for the thread to end by itself. */
const END_MS = 1_000;
/** Places in the shared counts. */
const THREAD_COUNTS = { invited: 0, load: 1, open: 2, visits: 3 };
class ThreadHandle {
    #worker;
    #counts;
    #ended;
    #isReady = false;
    #invited = 0;
    #source;
    #hasNewSource = false;
    #target;
    #ids = [];
    /**
     * Starts the thread; one that breaks later is told of, and takes nobody any more. Throws where the system gives no
     * more threads, or there is no such script.
     */
    constructor(script, options) {
        const { destination, logger, timings, maxVisitors, maxDials } = options;
        const { idleMs, halfClosedIdleMs } = destination.options;
        const counts = new SharedArrayBuffer(Object.keys(THREAD_COUNTS).length * Int32Array.BYTES_PER_ELEMENT);
        const data = {
            counts,
            timings,
            maxVisitors,
            maxDials,
            limits: {
                ...(idleMs !== undefined && { idleMs }),
                ...(halfClosedIdleMs !== undefined && { halfClosedIdleMs }),
            },
        };
        this.#counts = new Int32Array(counts);
        // Neither the environment nor the arguments, for both may hold what only the first thread has to know.
        this.#worker = new external_node_worker_threads_.Worker(script, { workerData: data, env: {}, argv: [], name: 'visitors' });
        this.#worker.unref();
        this.follow(destination.options.target());
        this.#worker.on('message', (word) => {
            if (word.kind === 'ready')
                this.#isReady = true;
            else
                logger[word.level](word.text);
        });
        this.#worker.on('error', error => {
            this.#isReady = false;
            logger.warn(`the second thread for visitors broke, and the first one goes on alone; who was on it has to connect again: ${(0,errors/* describeError */.Uc)(error)}`);
        });
        this.#ended = new Promise(resolve => this.#worker.once('exit', () => {
            this.#isReady = false;
            this.#source = undefined;
            this.#forgetVisitors();
            resolve();
        }));
    }
    get isReady() {
        return this.#isReady;
    }
    /** Visitors who are there or on their way, those it has not heard of yet among them. */
    get load() {
        return this.#invited - this.#read('invited') + this.#read('load');
    }
    get open() {
        return this.#read('open');
    }
    get visits() {
        return this.#read('visits');
    }
    invite(id, source) {
        if (this.#source?.address !== source.address)
            this.#changeSource(source);
        this.#invited += 1;
        this.#ids.push(id);
        if (this.#ids.length === 1)
            queueMicrotask(() => this.#sendInvitations());
    }
    /** The port of an app that is away may be somebody else's by now: told at once, not with the next visitor. */
    follow(target) {
        if (target?.host === this.#target?.host && target?.port === this.#target?.port)
            return;
        this.#target = target && { host: target.host, port: target.port };
        this.#tell({ kind: 'target', target: this.#target });
    }
    async stop(drainMs) {
        this.#tell({ kind: 'stop', drainMs });
        const timer = setTimeout(() => void this.#worker.terminate(), drainMs + END_MS);
        await this.#ended;
        clearTimeout(timer);
    }
    #changeSource(source) {
        this.#sendInvitations();
        this.#source = source;
        this.#hasNewSource = true;
    }
    /** Those of one read of the control connection together. */
    #sendInvitations() {
        if (this.#ids.length === 0)
            return;
        this.#tell({
            kind: 'invite',
            ids: this.#ids,
            ...(this.#hasNewSource && this.#source && { source: this.#source }),
        });
        this.#ids = [];
        this.#hasNewSource = false;
    }
    #tell(order) {
        this.#worker.postMessage(order);
    }
    #read(name) {
        return Atomics.load(this.#counts, THREAD_COUNTS[name]);
    }
    /** What it had served still counts. */
    #forgetVisitors() {
        this.#invited = this.#read('invited');
        Atomics.store(this.#counts, THREAD_COUNTS.load, 0);
        Atomics.store(this.#counts, THREAD_COUNTS.open, 0);
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/visitors/data-connection.js
// One connection to the server that fetches one visitor: dialled, proved, and then the visitor's own. Made by
// visitors.ts for a visitor who waits, or ahead of one (warm). Callbacks and one timer: of many short visits, this is
// where the time goes (bench B4).



const UNEXPECTED = 'the server said something unexpected';
class DataLine {
    source;
    #holdMs;
    #onDialled;
    #onLost;
    #leg;
    #socket;
    #decoder = new FrameDecoder();
    #dialledAt = performance.now();
    #timer;
    /** The frames that answer the server's challenge, '' where it asks for none. */
    #proof;
    #visitor;
    #isOver = false;
    /**
     * Dials at once. With `leg` the bytes are read by it, else by whoever gets the socket. `onLost` counts until a visitor
     * is asked for.
     */
    constructor(source, leg, limits, events) {
        this.source = source;
        this.#holdMs = limits.holdMs;
        this.#onDialled = events.onDialled;
        this.#onLost = () => events.onLost?.(this);
        this.#leg = leg;
        this.#socket = (0,external_node_net_.connect)({
            ...source.address,
            noDelay: true,
            allowHalfOpen: true,
            ...leg?.socketOptions,
        });
        this.#timer = setTimeout(() => this.#lose('no answer in time'), limits.timeoutMs);
        this.#socket.on('error', error => this.#lose(error.message)); // and stays: later readers see 'close'
        this.#socket.on('end', this.#onEnd);
        this.#socket.on('connect', () => this.#connected());
        if (leg)
            leg.hear = chunk => this.#hear(chunk);
        else
            this.#socket.on('readable', this.#onReadable);
    }
    /** The server may hang up any moment, for it heard nothing since we dialled. */
    get isStale() {
        return this.#ageMs >= this.#holdMs;
    }
    get #ageMs() {
        return performance.now() - this.#dialledAt;
    }
    /** Fetches the visitor `id`, now or as soon as the server lets us. Once. */
    accept(id, { onVisitor, onLost }) {
        this.#visitor = { id, onVisitor };
        this.#onLost = onLost;
        if (this.#proof !== undefined)
            this.#send(this.#visitor, this.#proof);
    }
    /** Where nobody was fetched, says nothing any more and hangs up. */
    abandon() {
        if (this.#isOver)
            return;
        this.#settle();
        this.#socket.destroy();
    }
    #connected() {
        this.#onDialled?.(this.#ageMs);
        if (this.source.key === undefined)
            this.#prove('');
    }
    #onReadable = () => {
        const chunk = this.#socket.read();
        if (Buffer.isBuffer(chunk))
            this.#hear(chunk);
    };
    #onEnd = () => this.#lose('the server hung up');
    #hear(chunk) {
        if (this.#isOver)
            return;
        try {
            this.#decoder.push(chunk);
            const frame = this.#decoder.next();
            if (frame === undefined)
                return;
            const message = decodeServerMessage(frame);
            const { key } = this.source;
            if (key !== undefined && typeof message === 'object' && 'Challenge' in message)
                this.#prove(renderFrame({ Authenticate: answerChallenge(key, message.Challenge) }));
            else
                this.#lose(UNEXPECTED);
        }
        catch {
            this.#lose(UNEXPECTED);
        }
    }
    #prove(proof) {
        this.#proof = proof;
        clearTimeout(this.#timer);
        if (this.#visitor !== undefined)
            this.#send(this.#visitor, proof);
        else
            this.#timer = setTimeout(() => this.#lose('nobody came'), this.#holdMs - this.#ageMs);
    }
    /** In one write: a second small one would wait a round trip for the first one's acknowledgement. */
    #send({ id, onVisitor }, proof) {
        this.#settle();
        this.#socket.off('end', this.#onEnd).off('readable', this.#onReadable);
        this.#socket.write(`${proof}${renderFrame({ Accept: id })}`, 'latin1');
        onVisitor(this.#socket, this.#leg, this.#decoder.takeRest());
    }
    #lose(reason) {
        if (this.#isOver)
            return;
        this.#settle();
        resetSocket(this.#socket);
        this.#onLost(reason);
    }
    #settle() {
        this.#isOver = true;
        clearTimeout(this.#timer);
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/visitors/spare-connections.js
// Connections to the server opened ahead of the visitors who will need them. A browser that comes once opens more
// connections soon, and over a real distance each would wait for a dial and a challenge: 4 round trips, or 2 when it is
// warm (bench B7). Used by visitors.ts.
/** A browser opens six connections to a host; the first one is here when these are opened. */
const WARM_LINES = 5;
class WarmLines {
    #open;
    #lines = [];
    constructor(open) {
        this.#open = open;
    }
    /** The line that was opened first, and so is most likely ready; it is the caller's from here on. None that is stale. */
    take(source) {
        if (this.#lines[0]?.source.address !== source.address)
            this.stop();
        for (let line = this.#lines.shift(); line; line = this.#lines.shift()) {
            if (!line.isStale)
                return line;
            line.abandon();
        }
        return undefined;
    }
    /** Opens what is missing; called when a visitor came, never ahead of the first. */
    refill(source) {
        while (this.#lines.length < WARM_LINES)
            this.#lines.push(this.#open(source, lost => {
                this.#lines = this.#lines.filter(line => line !== lost);
            }));
    }
    /** Hangs up on all of them. May be called twice. */
    stop() {
        for (const line of this.#lines)
            line.abandon();
        this.#lines = [];
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/visitors/visitors.js
// The visitors: fetches each one over a connection of its own, hands it on, and knows who is here. They belong to the
// tunnel and not to a session, because they live on when the control connection is lost. Used by session.ts and
// reconnect.ts.







class Visitors {
    #options;
    #here = new Set();
    #queue = [];
    /** Ids queued and being fetched: a second invitation with the same id is no second visitor. */
    #expected = new Set();
    #lines = new Set();
    #retries = new Set();
    #warm = new WarmLines((source, onLost) => this.#openLine(source, { onLost }));
    /** The shortest dial to the server of now: one that took longer was only held up, by this machine or that one. */
    #roundTripMs = Number.POSITIVE_INFINITY;
    #dialled;
    #isStopped = false;
    constructor(options) {
        this.#options = options;
    }
    get open() {
        return this.#here.size;
    }
    /** Visitors who are here or on their way. */
    get load() {
        return this.#here.size + this.#expected.size;
    }
    invite(id, source) {
        const { maxVisitors, maxDials, timings, logger } = this.#options;
        if (this.#isStopped || this.#expected.has(id))
            return;
        if (this.load >= maxVisitors) {
            logger.debug(`a visitor was left out: ${maxVisitors} are here already`);
            return;
        }
        this.#expected.add(id);
        this.#options.onChange?.();
        const invitation = { id, source, deadline: performance.now() + timings.visitor };
        if (this.#lines.size < maxDials)
            this.#fetch(invitation);
        else
            this.#queue.push(invitation);
    }
    async stop(drainMs) {
        this.#isStopped = true;
        this.#queue.length = 0;
        for (const timer of this.#retries)
            clearTimeout(timer);
        for (const line of this.#lines)
            line.abandon();
        this.#warm.stop();
        const patience = AbortSignal.timeout(drainMs);
        for (const socket of this.#here)
            if (drainMs > 0)
                await (0,external_node_events_.once)(socket, 'close', { signal: patience }).catch(() => { });
        for (const socket of this.#here)
            resetSocket(socket);
        if (this.#options.destination instanceof Relay)
            this.#options.destination.cut();
    }
    #fetch(invitation) {
        const { source } = invitation;
        const onDialled = (roundTripMs) => {
            const before = this.#dialled === source.address ? this.#roundTripMs : Number.POSITIVE_INFINITY;
            this.#dialled = source.address;
            this.#roundTripMs = Math.min(before, roundTripMs);
            this.#warmUp(source);
        };
        const line = this.#warm.take(source) ?? this.#openLine(source, { onDialled });
        this.#lines.add(line);
        line.accept(invitation.id, {
            onVisitor: (socket, leg, first) => {
                this.#forget(line, invitation);
                this.#handOn(socket, leg, first);
                this.#options.onChange?.();
            },
            onLost: reason => this.#tryAgain(line, invitation, reason),
        });
        this.#warmUp(source);
    }
    #warmUp(source) {
        const { warm, timings } = this.#options;
        if (!warm || !source.mayWarm || this.#isStopped || this.#dialled !== source.address)
            return;
        if (this.#roundTripMs >= timings.warmRoundTrip)
            this.#warm.refill(source);
    }
    #openLine(source, events) {
        const { destination, timings } = this.#options;
        const leg = destination instanceof Relay ? destination.openLeg() : undefined;
        const limits = { timeoutMs: timings.dataLine, holdMs: timings.warmHold };
        return new DataLine(source, leg, limits, events);
    }
    #forget(line, { id }) {
        this.#lines.delete(line);
        this.#expected.delete(id);
        this.#fetchNext();
    }
    #fetchNext() {
        while (this.#lines.size < this.#options.maxDials) {
            const next = this.#queue.shift();
            if (next === undefined)
                return;
            if (performance.now() < next.deadline)
                this.#fetch(next);
            else
                this.#giveUp(next, 'it was not their turn in time');
        }
    }
    #tryAgain(line, invitation, reason) {
        const { visitorRetry } = this.#options.timings;
        if (performance.now() + visitorRetry >= invitation.deadline) {
            this.#giveUp(invitation, reason);
            this.#forget(line, invitation);
            return;
        }
        // The line keeps its place among the dials until it is replaced.
        const timer = setTimeout(() => {
            this.#retries.delete(timer);
            this.#lines.delete(line);
            this.#fetch(invitation);
        }, visitorRetry);
        this.#retries.add(timer);
    }
    #giveUp({ id }, reason) {
        this.#expected.delete(id);
        this.#options.onChange?.();
        this.#options.logger.debug(`a visitor was lost: ${sanitise(reason)}`);
    }
    #handOn(socket, leg, first) {
        const { destination, logger } = this.#options;
        this.#here.add(socket);
        socket.on('close', () => {
            this.#here.delete(socket);
            this.#options.onChange?.();
        });
        try {
            if (typeof destination === 'function') {
                if (first.length > 0)
                    socket.unshift(first);
                destination(socket);
            }
            else if (leg !== undefined)
                destination.admit(socket, leg, first);
        }
        catch (error) {
            resetSocket(socket);
            logger.error(`a visitor could not be served: ${(0,errors/* describeError */.Uc)(error)}`);
        }
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/visitors/shared-visitors.js
// Visitors on two threads: one thread of Node.js carries about two thirds of what the Rust client does on two, when many
// connections come and go (bench B4). The second is started only where this one is busy with many raw visitors, and takes
// every other one of those that come then. Made by reconnect.ts.




/** How much of its time this thread worked, over how long, before it gets help. */
const BUSY_SHARE = 0.6;
const BUSY_MS = 1_000;
/** So few are no faster on two threads, and cost more. */
const ALONE = 8;
/** Ready at once. */
function openVisitors(options) {
    const { destination } = options;
    if (!(destination instanceof Relay))
        return new Visitors(options);
    const { secondThread } = destination.options;
    return secondThread ? new SharedVisitors({ ...options, destination }, secondThread) : new Visitors(options);
}
class SharedVisitors {
    #options;
    #thread;
    #first;
    #second;
    #isRefused = false;
    #isTheirTurn = false;
    #measured = performance.eventLoopUtilization();
    #measuredAt = performance.now();
    #isStopped = false;
    constructor(options, thread) {
        this.#options = options;
        this.#thread = thread;
        this.#first = new Visitors(options);
    }
    get open() {
        return this.#first.open + (this.#second?.open ?? 0);
    }
    invite(id, source) {
        if (this.#isStopped)
            return;
        if (this.#second === undefined) {
            this.#first.invite(id, source);
            if (!this.#isRefused && this.#first.load >= ALONE && this.#isBusy())
                this.#startSecond();
            return;
        }
        const { destination, maxVisitors, logger } = this.#options;
        const isFull = this.#first.load + this.#second.load >= maxVisitors;
        if (isFull)
            logger.debug(`a visitor was left out: ${maxVisitors} are here already`);
        else if (this.#takesTurns(this.#second) && !destination.isAwaiting)
            this.#second.invite(id, source);
        else
            this.#first.invite(id, source);
    }
    async stop(drainMs) {
        this.#isStopped = true;
        await Promise.all([this.#first.stop(drainMs), this.#second?.stop(drainMs)]);
    }
    /** In turns and not by their number: a thousand who are silent are less work than one who is busy. */
    #takesTurns(second) {
        if (this.#first.load < ALONE || !second.isReady)
            return false;
        this.#isTheirTurn = !this.#isTheirTurn;
        return this.#isTheirTurn;
    }
    /** Asked with each visitor: whoever has none is not busy with them. */
    #isBusy() {
        const { busyShare = BUSY_SHARE, busyMs = BUSY_MS } = this.#thread;
        const now = performance.now();
        if (now - this.#measuredAt < busyMs)
            return false;
        const { utilization } = performance.eventLoopUtilization(this.#measured);
        this.#measured = performance.eventLoopUtilization();
        this.#measuredAt = now;
        return utilization >= busyShare;
    }
    #startSecond() {
        const { destination, logger } = this.#options;
        try {
            this.#second = new ThreadHandle(this.#thread.script, this.#options);
            destination.addBranch(this.#second);
            logger.debug('many visitors: a second thread takes its share of the new ones');
        }
        catch (error) {
            this.#isRefused = true;
            logger.warn(`there is no second thread for visitors, so one carries them all: ${(0,errors/* describeError */.Uc)(error)}`);
        }
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/reconnect.js
// The tunnel: one session after the other, on the same server and port wherever that is possible. Used by
// public-tunnel.ts. When and where the next attempt is made is decided in attempts.ts.








/**
 * Resolves at the first Connected. Rejects with TunnelError: at once where trying again cannot help (state Failed),
 * else when `signal` says so, with the last failures seen (state Disconnected).
 */
async function reconnect_startTunnel(options) {
    const tunnel = new ReconnectingTunnel(options);
    await tunnel.start(options.signal);
    return tunnel;
}
class ReconnectingTunnel {
    #options;
    #timings;
    #attempts;
    #visitors;
    #stopping = new AbortController();
    #session;
    #state = { status: 'Not started' };
    #moved;
    #reconnects = 0;
    constructor(options) {
        this.#options = options;
        this.#timings = { ...TIMINGS, ...options.timings };
        this.#attempts = new Attempts(options, this.#timings);
        this.#visitors = openVisitors({
            destination: options.destination,
            logger: options.logger,
            timings: this.#timings,
            warm: options.warm ?? true,
            maxVisitors: options.maxVisitors ?? (options.destination instanceof Relay ? MAX_VISITORS : MAX_INVITED),
            maxDials: options.maxDials ?? MAX_DIALS,
        });
    }
    get state() {
        return this.#state;
    }
    get openVisitors() {
        return this.#visitors.open;
    }
    get reconnects() {
        return this.#reconnects;
    }
    async start(signal) {
        this.#enter({ status: 'Connecting' });
        const session = await this.#connect(AbortSignal.any([signal, this.#stopping.signal]));
        void this.#keepUp(session);
    }
    async move() {
        const { address, ports } = this.#attempts.place;
        if (this.#stopping.signal.aborted || this.#state.status === 'Failed')
            throw explainClosed();
        const mayMove = this.#moved !== undefined || (this.#options.remotePort.kind !== 'fixed' && ports.leave());
        if (!mayMove)
            throw new errors/* TunnelError */.Tm(`somebody else answers at ${address.host}:${ports.port}: choose another \`remote-port\``, { retryable: false });
        this.#moved ??= this.#startMove();
        const late = new errors/* TunnelError */.Tm(`${address.host} gave no other port in time`, { retryable: true });
        const timer = setTimeout(() => this.#endMove(late), this.#timings.move);
        await this.#moved.promise.finally(() => clearTimeout(timer));
    }
    async stop({ drainMs = this.#timings.drain } = {}) {
        if (!this.#stopping.signal.aborted) {
            this.#stopping.abort();
            this.#session?.stop();
            this.#endMove(explainClosed());
            if (this.#state.status !== 'Failed')
                this.#enter({ status: 'Disconnected' });
        }
        await this.#visitors.stop(drainMs);
    }
    /** Replaces every session that ends, until we are stopped or there is no hope. */
    async #keepUp(first) {
        for (let session = first;;) {
            const reason = await session.ended;
            if (this.#stopping.signal.aborted)
                return;
            const lostAt = performance.now();
            this.#attempts.lose(session, reason, this.#moved !== undefined);
            if (this.#moved === undefined)
                this.#reconnecting(reason);
            try {
                session = await this.#connect(this.#stopping.signal);
            }
            catch {
                return; // stopped, or Failed: the state says it
            }
            this.#attempts.comeBack(performance.now() - lostAt, session.port);
        }
    }
    /** Tries until there is a session. Rejects with TunnelError where there is no hope, or `signal` ends it. */
    async #connect(signal) {
        let pause = this.#attempts.nextPause();
        for (;;) {
            try {
                await (0,external_node_timers_promises_.setTimeout)(pause, undefined, { signal });
                const session = await this.#startSession(signal);
                if (signal.aborted)
                    session.stop(); // the end came in the very moment of success
                signal.throwIfAborted();
                this.#settle(session);
                return session;
            }
            catch (error) {
                if (signal.aborted)
                    throw this.#giveUp();
                pause = this.#judge(error);
            }
        }
    }
    async #startSession(signal) {
        const { place, home } = this.#attempts;
        const { port } = place.ports;
        const old = this.#session;
        const limit = this.#attempts.limit();
        try {
            return await startSession({
                server: place.address,
                key: place.key,
                port,
                visitors: this.#visitors,
                // Now, and not when it fell silent, the reset has a way to the server. The one we move away from stays until
                // there is another, which then cannot be the same.
                onDialled: () => {
                    if (place === home && port === old?.port)
                        old.stop();
                },
                lookup: this.#options.lookup,
                logger: this.#options.logger,
                timings: this.#timings,
                signal: limit === undefined ? signal : AbortSignal.any([signal, limit]),
            });
        }
        catch (error) {
            if (limit?.aborted && !signal.aborted)
                throw explainLate(place.address);
            throw error;
        }
    }
    #settle(session) {
        const { place, home } = this.#attempts;
        if (home !== undefined && this.#moved === undefined)
            this.#reconnects += 1;
        this.#session?.stop();
        this.#session = session;
        this.#attempts.succeed(session.port);
        this.#enter({ status: 'Connected', host: place.address.host, port: session.port });
        this.#moved?.resolve();
        this.#moved = undefined;
    }
    /** Milliseconds until the next attempt; throws where none makes sense. */
    #judge(error) {
        try {
            const { pauseMs, reason } = this.#attempts.judge(error);
            if (this.#state.status === 'Connecting')
                this.#enter({ status: 'Connecting', reason });
            else if (this.#moved === undefined)
                this.#reconnecting(reason);
            return pauseMs;
        }
        catch (failure) {
            this.#session?.stop();
            this.#enter({ status: 'Failed', reason: (0,errors/* describeError */.Uc)(failure) });
            this.#endMove(failure);
            throw failure;
        }
    }
    #reconnecting(reason) {
        const state = this.#state;
        if (state.status === 'Connected' || (state.status === 'Reconnecting' && state.reason !== reason))
            this.#enter({ status: 'Reconnecting', host: state.host, port: state.port, reason });
    }
    #giveUp() {
        if (this.#state.status === 'Connecting')
            this.#enter({ status: 'Disconnected' });
        return this.#attempts.explainEnd();
    }
    #startMove() {
        this.#session?.leave('somebody else answers at our address; asking for another port');
        return Promise.withResolvers();
    }
    #endMove(failure) {
        this.#moved?.reject(failure);
        this.#moved = undefined;
    }
    #enter(state) {
        this.#state = state;
        this.#options.onState(state);
    }
}
function explainClosed() {
    return new errors/* TunnelError */.Tm('the tunnel is closed', { retryable: false });
}

;// CONCATENATED MODULE: ./build/js/exposure/address-check.js
// The address visitors use: written from the `public-url` template, and proved to lead to this very exposure before
// anybody is told. Used by public-tunnel; its templates by the inputs.


/** How long an answer is waited for. Where the network has no hairpin none ever comes. */
const PROOF_TIMEOUT_MS = 5_000;
const PROOF_RETRY_MS = 250;
/** Strangers met in a row before giving up: with ports chosen at random even one is rare. */
const MAX_STRANGERS = 3;
/**
 * What was found out about the address, or undefined when there was none or the check was given up. An answer without
 * our proof means that somebody else is there: another port, or a TunnelError. Where that is not certain, the last
 * port is kept, unverified.
 */
async function proveAddress(check) {
    let strangers = 0;
    let last = { kind: 'silent', detail: '' };
    let url;
    for (let end = startClock(); performance.now() < end;) {
        const now = check.readUrl();
        if (now !== url)
            end = startClock();
        url = now;
        const answer = await askInTime(check, url, end);
        if (check.signal.aborted)
            return undefined;
        if (check.readUrl() !== url)
            continue; // what was asked is of no interest any more
        if (url !== undefined && answer.kind === 'proved')
            return { url, verified: true, doubt: undefined };
        // The last answer is cut off by the clock, and says the least.
        if (answer.kind !== 'proved' && (last.detail === '' || performance.now() < end))
            last = answer;
        if (url !== undefined && answer.kind === 'unproved' && check.isPlain) {
            strangers += 1;
            if (strangers >= MAX_STRANGERS && !check.isCertain)
                break;
            if (!(await leaveStranger(check, url, strangers)))
                break;
        }
        else
            await (0,external_node_timers_promises_.setTimeout)(PROOF_RETRY_MS, undefined, { signal: check.signal }).catch(() => { });
    }
    if (check.signal.aborted || url === undefined)
        return undefined;
    check.logger.warn(explainDoubt(url, last));
    return { url, verified: false, doubt: last.kind };
}
function explainDoubt(url, { kind, detail }) {
    switch (kind) {
        case 'silent':
            return `${url} did not answer from here (${detail}); that is normal where a network does not route back to itself, so the link is handed out all the same`;
        case 'unproved':
            return `${url} is not known to lead here (${detail}): somebody else may have this address, or something in between answers for it; it is handed out all the same, so try it from elsewhere`;
        case 'app away':
            return `${url} could not be checked (${detail}); it is handed out all the same`;
    }
}
function startClock() {
    return performance.now() + PROOF_TIMEOUT_MS;
}
async function askInTime(check, url, end) {
    if (url === undefined)
        return { kind: 'silent', detail: 'the tunnel is away' };
    const deadline = AbortSignal.timeout(Math.max(1, Math.ceil(end - performance.now())));
    return await check.ask(url, AbortSignal.any([check.signal, deadline]));
}
/** False where there is no other port, and it is not certain that this one is a stranger's. */
async function leaveStranger(check, url, strangers) {
    const message = `somebody else answers at ${url}: the bore server gave out an address that leads elsewhere`;
    if (strangers >= MAX_STRANGERS)
        throw new errors/* TunnelError */.Tm(message, { retryable: false });
    check.logger.warn(`${message}; asking for another port`);
    try {
        await check.move();
        return true;
    }
    catch (error) {
        if (check.isCertain || check.signal.aborted)
            throw error;
        return false;
    }
}

;// CONCATENATED MODULE: ./build/js/exposure/tunnel-status.js
// What an exposure's state says about the way in, and who waits for it. Used by public-tunnel, whose
// record of it exposure follows.

class WayInRecord {
    #onChange;
    #waiting = new Set();
    #now = {
        tunnel: { status: 'Not started' },
        url: undefined,
        verified: undefined,
        doubt: undefined,
        reconnects: 0,
        moves: 0,
    };
    /** `onChange` is called with every change. */
    constructor(onChange) {
        this.#onChange = onChange;
    }
    get now() {
        return this.#now;
    }
    change(change) {
        this.#now = { ...this.#now, ...change };
        this.#onChange(this.#now);
        for (const look of this.#waiting)
            look();
    }
    /** The tunnel is connected, and its address known to lead here or not to be known. */
    connect(place, more = {}) {
        const { host, port, url } = place;
        const { tunnel, reconnects } = this.#now;
        this.change({
            tunnel: { status: 'Connected', host, port },
            url,
            reconnects: reconnects + (tunnel.status === 'Reconnecting' ? 1 : 0),
            ...more,
        });
    }
    /** There is a connection, but its address is not for people's ears yet. */
    withhold(reason) {
        const { tunnel } = this.#now;
        const isKnown = tunnel.status === 'Connected' || tunnel.status === 'Reconnecting';
        const held = isKnown
            ? { ...tunnel, status: 'Reconnecting', reason }
            : { status: 'Connecting', reason };
        this.change({ tunnel: held });
    }
    /** Resolves when it is Connected. Rejects with TunnelError when it has failed, or when the signal says so. */
    async awaitConnected(signal) {
        await new Promise((resolve, reject) => {
            const settle = (outcome) => {
                this.#waiting.delete(look);
                signal.removeEventListener('abort', giveUp);
                outcome();
            };
            const giveUp = () => settle(() => reject(new errors/* TunnelError */.Tm('the tunnel is not connected yet', { retryable: true })));
            const look = () => {
                const { tunnel } = this.#now;
                if (tunnel.status === 'Connected')
                    settle(resolve);
                else if (tunnel.status === 'Failed')
                    settle(() => reject(new errors/* TunnelError */.Tm(tunnel.reason, { retryable: false })));
            };
            this.#waiting.add(look);
            signal.addEventListener('abort', giveUp, { once: true });
            look(); // it may have failed long ago
            if (signal.aborted)
                giveUp();
        });
    }
}

;// CONCATENATED MODULE: ./build/js/exposure/public-tunnel.js
// The way in: opens the tunnel, proves that its address leads here, closes and reopens it on command, and says what
// became of the address. Used by exposure, which owns the state.







/** Of 64,512 ports 19 are blocked: even one move is rare. */
const MAX_MOVES = 5;
/** `tunnel/start` answers within the API client's patience. */
const RESTART_TIMEOUT_MS = 8_000;
class PublicTunnel {
    #options;
    #tunnel;
    /** The same, from the moment it begins: its first address may have to be left before it is there. */
    #starting;
    #turn = Promise.resolve();
    #wayIn;
    #place;
    /** Asked for again after a stop. */
    #lastPlace;
    /** The address people were told; undefined before they were. */
    #announced;
    #closed = new AbortController();
    /** Of the tunnel whose new address is being checked. */
    #checking;
    constructor(options) {
        this.#options = options;
        this.#wayIn = new WayInRecord(options.onChange);
    }
    get wayIn() {
        return this.#wayIn.now;
    }
    /** Where visitors come in, or came in last, announced or not; `wayIn` has it only when it is proved. */
    get lastPlace() {
        return this.#lastPlace;
    }
    /** The first start; resolves when Connected, the address not proved yet. Rejects with TunnelError. */
    open(signal) {
        return this.#inTurn(async () => {
            await this.#open(signal);
            await this.#leaveBlockedPort();
        });
    }
    /**
     * Asks for a proof through the address, and leaves it where a stranger answers. From now on it counts as announced: a
     * later change of it is proved first. A tunnel that is away is waited for, until the signal, after which nothing
     * is announced. Rejects with TunnelError where a stranger cannot be helped.
     */
    async verify(signal) {
        let finding = await this.#prove(signal);
        while (finding === undefined || (this.#place !== undefined && finding.url !== this.#place.url)) {
            if (signal.aborted)
                return;
            await this.#wayIn.awaitConnected(signal);
            finding = await this.#prove(signal);
        }
        this.#wayIn.change({ verified: finding.verified, doubt: finding.doubt });
        this.#announced = this.#wayIn.now.url;
    }
    /** `tunnel/start`: the same port first. Resolves when Connected; rejects with a TunnelError. */
    start() {
        return this.#inTurn(() => this.#startAgain());
    }
    /** `tunnel/stop`: gives the public port back. */
    stop(drainMs) {
        return this.#inTurn(async () => {
            await this.close(drainMs);
            if (this.#options.signal.aborted)
                return;
            this.#wayIn.change({
                tunnel: { status: 'Disconnected' },
                url: undefined,
                verified: undefined,
                doubt: undefined,
            });
        });
    }
    /** Gives the public port back at once, which is told, and lets visitors finish. */
    async close(drainMs) {
        const tunnel = this.#tunnel;
        this.#tunnel = undefined;
        this.#place = undefined;
        this.#closed.abort();
        if (tunnel !== undefined && this.#wayIn.now.tunnel.status !== 'Failed')
            this.#wayIn.change({ tunnel: { status: 'Disconnected' } });
        await tunnel?.stop({ drainMs });
    }
    /** One after the other: two starts at once would open two tunnels. */
    #inTurn(work) {
        const turn = this.#turn.then(work);
        this.#turn = turn.catch(() => { }); // whoever asked for it hears of the failure
        return turn;
    }
    async #startAgain() {
        if (this.#options.signal.aborted)
            throw new errors/* TunnelError */.Tm('the exposure has ended', { retryable: false });
        if (this.#wayIn.now.tunnel.status === 'Connected')
            return;
        const signal = AbortSignal.any([AbortSignal.timeout(RESTART_TIMEOUT_MS), this.#options.signal]);
        if (this.#tunnel === undefined)
            await this.#open(signal);
        await this.#wayIn.awaitConnected(signal);
    }
    async #open(signal) {
        const { config, entrance, logger } = this.#options;
        const { servers, identity, remotePort, warm } = config;
        this.#closed = new AbortController();
        const { signal: closed } = this.#closed;
        this.#starting = reconnect_startTunnel({
            servers,
            identity,
            remotePort,
            preferred: this.#lastPlace,
            destination: entrance.destination,
            warm,
            onState: state => {
                if (!closed.aborted)
                    this.#follow(state);
            },
            logger,
            signal,
        });
        const tunnel = await this.#starting;
        if (closed.aborted)
            await tunnel.stop({ drainMs: 0 });
        else
            this.#tunnel = tunnel;
    }
    async #move() {
        const tunnel = await this.#starting;
        await tunnel?.move();
    }
    #follow(tunnel) {
        if (this.#options.signal.aborted)
            return;
        if (tunnel.status !== 'Connected') {
            this.#place = undefined;
            this.#wayIn.change({ tunnel });
            return;
        }
        const { host, port } = tunnel;
        this.#place = { host, port, url: renderPublicUrl(this.#options.config.publicUrl, host, port) };
        this.#lastPlace = this.#place;
        const { url, verified } = this.#wayIn.now;
        const isKnown = this.#place.url === url && verified !== undefined;
        if (this.#announced === undefined || isKnown)
            this.#wayIn.connect(this.#place);
        else
            void this.#checkNewPlace();
    }
    /** People hear of a new address when it is known to lead here; until then the tunnel is on its way. */
    async #checkNewPlace() {
        this.#wayIn.withhold('the new address is being checked');
        const closed = this.#closed;
        if (this.#checking === closed)
            return; // that check goes on with where the tunnel is by then
        this.#checking = closed;
        try {
            const signal = AbortSignal.any([this.#options.signal, closed.signal]);
            // Where the tunnel is lost again, the next Connected begins anew.
            while (this.#place !== undefined && !signal.aborted) {
                await this.#leaveBlockedPort();
                const finding = await this.#prove(signal);
                if (finding === undefined || finding.url !== this.#place?.url)
                    continue;
                this.#announce(this.#place, finding);
                return;
            }
        }
        catch (error) {
            if (!closed.signal.aborted)
                this.#options.onLost(error);
        }
        finally {
            if (this.#checking === closed)
                this.#checking = undefined;
        }
    }
    #announce(place, { url, verified, doubt }) {
        const hasMoved = url !== this.#announced;
        this.#announced = url;
        this.#wayIn.connect(place, { verified, doubt, moves: this.#wayIn.now.moves + (hasMoved ? 1 : 0) });
        if (hasMoved)
            this.#options.logger.warn(`the public address changed: it is ${url} now`);
    }
    #prove(signal) {
        const { config, entrance, logger } = this.#options;
        // Without a gateway, whatever accepts every connection looks like a stranger: a port of the user's choice is kept.
        const isCertain = !entrance.needsApp;
        return proveAddress({
            readUrl: () => this.#place?.url,
            ask: (url, limit) => entrance.ask(url, limit),
            isPlain: isPlainPublicUrl(config.publicUrl, entrance.endsTls) &&
                (isCertain || config.remotePort.kind !== 'fixed'),
            isCertain,
            move: () => this.#move(),
            logger,
            signal,
        });
    }
    /** A link no browser opens is no link: where the server chose such a port, it is asked for another. */
    async #leaveBlockedPort() {
        const { config, entrance } = this.#options;
        const { remotePort, publicUrl } = config;
        if (!/^https?:/.test(publicUrl) || !isPlainPublicUrl(publicUrl, entrance.endsTls))
            return;
        for (let moves = 0; isBlockedPort(this.#place?.port); moves += 1) {
            this.#options.logger.warn(`browsers refuse to open port ${this.#place?.port}: another \`remote-port\` is better`);
            if (!isServersChoice(remotePort) || moves === MAX_MOVES)
                return;
            await this.#move();
        }
    }
}
/** `auto` asks for blocked ports only where its range has no others; in the whole range such a port was the server's. */
function isServersChoice(wish) {
    if (wish.kind === 'auto')
        return isWholeRange(wish);
    return wish.kind === 'random';
}

;// CONCATENATED MODULE: ./build/js/exposure/exposure.js
// One exposure: composes gateway, tunnel and app, owns the state, and is its only writer.
//
//   visitor ──► bore server ──► tunnel ──► entrance ──► app          entrance: gateway │ relay (raw bytes)
//                                  └─────────┴───────────┴──► state ──► control API, comment, summary
//
// Data flows to the right, knowledge flows down. Started in the order gateway, tunnel, app, so that an early visitor
// finds a page that says "starting"; stopped in reverse, but for the tunnel's port, which is given back first.










/** Visitors in mid-download get this long at the end. */
const exposure_DRAIN_MS = 5_000;
/** Strangers answer at once; where the network does not route back nobody does, and the app need not wait for that. */
const PROOF_HEAD_START_MS = 1_000;
/** Two clocks are compared this often: a laptop that slept must not come back to an exposure past its end. */
const CLOCK_CHECK_MS = 1_000;
const exposure_MAX_LINE_LENGTH = 1_000;
/** As many as anybody reads. */
const MAX_WARNINGS = 10;
class Exposure {
    #options;
    #listeners = new Set();
    #cancelled = new AbortController();
    #entrance;
    #tunnel;
    #app;
    #appStart;
    #state;
    #clock;
    #ending;
    constructor(options) {
        this.#options = options;
        const { config, logger } = options;
        this.#entrance = openEntrance({
            protocol: config.protocol,
            app: () => this.#state.app,
            place: () => this.#tunnel.lastPlace,
            endsAt: () => this.#expiresAt,
            gateway: config.gateway,
            threadScript: config.tunnel.threadScript,
            tls: config.tls,
            logger,
        });
        this.#tunnel = new PublicTunnel({
            config: config.tunnel,
            entrance: this.#entrance,
            onChange: wayIn => this.#followTunnel(wayIn),
            onLost: error => void this.fail(error),
            logger,
            signal: this.#cancelled.signal,
        });
        this.#state = {
            ...this.#tunnel.wayIn,
            mode: config.spec.mode,
            phase: { phase: 'starting' },
            app: { status: 'starting' },
            restarts: 0,
            warnings: [],
        };
    }
    get #expiresAt() {
        const { phase } = this.#state;
        return phase.phase === 'live' ? phase.expiresAt : undefined;
    }
    get state() {
        const { url } = this.#state;
        return { ...this.#state, visits: this.#entrance.visits, link: url && this.#renderLink(url) };
    }
    #renderLink(url) {
        const { access } = this.#options.config.gateway;
        return access.kind === 'link' && access.isGenerated ? renderKeyLink(url, access.key) : url;
    }
    subscribe(listener) {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    }
    describeApp() {
        return { pid: this.#app?.pid, console: this.#app?.consoleTail() ?? [] };
    }
    /** Resolves when live. A failure ends the exposure (phase `failed`) and is thrown. */
    async start() {
        const { startupTimeoutMs } = this.#options.config;
        const timeout = AbortSignal.timeout(Math.min(startupTimeoutMs, MAX_DURATION_MS));
        const signal = AbortSignal.any([timeout, this.#cancelled.signal]);
        try {
            await this.#tunnel.open(signal);
            this.#options.logger.info(`tunnel connected: ${this.#state.url}`);
            await this.#startBehind(signal);
            if (signal.aborted)
                throw new errors/* TunnelError */.Tm('the public address was not proved in time', { retryable: false });
            this.#goLive();
        }
        catch (error) {
            if (this.#ending === undefined)
                await this.fail(explainStart(error, timeout, startupTimeoutMs));
            await this.#ending;
            throw error;
        }
    }
    /** An app is told its address when it starts, so a stranger who answers there is left before the first start. */
    async #startBehind(signal) {
        if (this.#entrance.needsApp) {
            await this.#startApp(signal);
            return this.#tunnel.verify(signal);
        }
        const verified = this.#tunnel.verify(signal);
        await Promise.race([verified, (0,external_node_timers_promises_.setTimeout)(PROOF_HEAD_START_MS, undefined, { ref: false })]);
        await Promise.all([verified, this.#startApp(signal)]);
    }
    /** Ends it well; resolves when nothing of it is left. May be called twice, the first reason counts. */
    stop(reason = 'stopped') {
        return this.#end(liveAt => ({ phase: 'ended', reason, ...liveAt, endedAt: new Date() }));
    }
    /** `tunnel/start`: the same port first. Resolves when Connected; rejects with a TunnelError. */
    startTunnel() {
        return this.#tunnel.start();
    }
    /** `tunnel/stop`: gives the public port back and leaves the app running. */
    stopTunnel() {
        return this.#tunnel.stop(exposure_DRAIN_MS);
    }
    #followTunnel(wayIn) {
        if (this.#ending)
            return;
        this.#update(wayIn);
        const { tunnel } = wayIn;
        if (tunnel.status === 'Failed' && this.#state.phase.phase === 'live')
            void this.fail(new errors/* TunnelError */.Tm(tunnel.reason, { retryable: false }));
    }
    async #startApp(signal) {
        const { config, folder, logger, onChild } = this.#options;
        const appFolder = (0,external_node_path_.join)(folder, 'app');
        (0,external_node_fs_.mkdirSync)(appFolder, { recursive: true, mode: 0o700 });
        this.#appStart = startApp({
            spec: config.spec,
            publicUrl: () => this.#state.url ?? '',
            baseEnvironment: config.baseEnvironment,
            env: config.env,
            healthPath: config.healthPath,
            folder: appFolder,
            logger,
            onChild,
            onState: state => this.#followApp(state),
            signal,
        });
        this.#app = await this.#appStart;
    }
    #followApp(app) {
        if (this.#ending)
            return;
        this.#update({ app, restarts: this.#state.restarts + (app.status === 'restarting' ? 1 : 0) });
        this.#entrance.followApp();
        if (app.status === 'failed' && this.#state.phase.phase === 'live')
            void this.fail(new errors/* AppError */.uV(app.reason, { lastLines: app.lastLines }));
    }
    #goLive() {
        const { durationMs } = this.#options.config;
        const liveAt = new Date();
        const expiresAt = durationMs === undefined ? undefined : new Date(liveAt.getTime() + durationMs);
        this.#update({ phase: { phase: 'live', liveAt, ...(expiresAt && { expiresAt }) } });
        if (expiresAt && durationMs !== undefined)
            this.#watchClocks(expiresAt.getTime(), performance.now() + durationMs);
    }
    #watchClocks(wallEnd, monotonicEnd) {
        const leftMs = Math.min(wallEnd - Date.now(), monotonicEnd - performance.now());
        if (leftMs <= 0)
            return void this.stop('duration over');
        this.#clock = setTimeout(() => this.#watchClocks(wallEnd, monotonicEnd), Math.min(leftMs, CLOCK_CHECK_MS));
    }
    /** Something is not as it should be, and the exposure goes on: said in the log, and in every state from now on. */
    warn(message) {
        const { warnings } = this.#state;
        if (warnings.includes(message) || warnings.length >= MAX_WARNINGS)
            return;
        this.#update({ warnings: [...warnings, message] });
        this.#options.logger.warn(message);
    }
    /** Ends it badly: `error` is what people are told. May be called twice, the first counts. */
    fail(error) {
        const lastLines = error instanceof errors/* AppError */.uV ? error.lastLines.map(shortenLine) : [];
        const reason = (0,errors/* describeError */.Uc)(error);
        return this.#end(liveAt => ({ phase: 'failed', reason, lastLines, ...liveAt, endedAt: new Date() }), error);
    }
    #end(finish, error) {
        this.#ending ??= this.#release(finish, error);
        return this.#ending;
    }
    async #release(finish, error) {
        clearTimeout(this.#clock);
        this.#cancelled.abort();
        const { phase } = this.#state;
        const outcome = finish(phase.phase === 'live' ? { liveAt: phase.liveAt } : {});
        // The port is free at once; who is in the middle of a download keeps gateway and app until the drain is over.
        const drained = this.#tunnel.close(exposure_DRAIN_MS);
        await this.#attempt('the visitors', this.#entrance.stop(exposure_DRAIN_MS));
        await this.#attempt('the tunnel', drained);
        await this.#appStart?.then(app => app.stop()).catch(() => { }); // a start that failed left nothing
        // The end is told in any case: a file that is open on Windows, or a mount, may keep its folder.
        const left = await removeFolder((0,external_node_path_.join)(this.#options.folder, 'app'));
        if (left !== undefined)
            this.warn(left);
        const failed = outcome.phase === 'failed';
        const lostTunnel = error instanceof errors/* TunnelError */.Tm;
        this.#update({
            phase: outcome,
            tunnel: failed ? { status: 'Failed', reason: outcome.reason } : { status: 'Disconnected' },
            app: failed && !lostTunnel
                ? { status: 'failed', reason: outcome.reason, lastLines: outcome.lastLines }
                : { status: 'stopped' },
        });
    }
    /** Of the end: what fails is logged, and the rest is ended all the same. */
    async #attempt(what, ending) {
        await ending.catch(error => this.#options.logger.warn(`${what} did not end well: ${(0,errors/* describeError */.Uc)(error)}`));
    }
    #update(change) {
        this.#state = { ...this.#state, ...change };
        for (const listener of this.#listeners) {
            try {
                listener(this.state);
            }
            catch (error) {
                this.#options.logger.error(`a change could not be passed on: ${(0,errors/* describeError */.Uc)(error)}`);
            }
        }
    }
}
/** A line that is longer is data, and nobody reads it in a comment. */
function shortenLine(line) {
    return line.length > exposure_MAX_LINE_LENGTH ? `${line.slice(0, exposure_MAX_LINE_LENGTH)}…` : line;
}
/** A start that ran into its deadline says so, together with what it was waiting for. */
function explainStart(error, timeout, timeoutMs) {
    if (!timeout.aborted)
        return error;
    const message = `not ready within ${formatDuration(timeoutMs)}, the \`startup-timeout\``;
    if (error instanceof errors/* TunnelError */.Tm)
        return new errors/* TunnelError */.Tm(message, { cause: error, retryable: false });
    return new errors/* AppError */.uV(message, { cause: error, lastLines: error instanceof errors/* AppError */.uV ? error.lastLines : [] });
}

;// CONCATENATED MODULE: ./build/js/supervisor/ends.js
// The ends of an exposure that come from outside: the `continue` file, and a runner that is gone. Used by supervision.


/** A file somebody touches, a runner that died: seen within this time. */
const WATCH_MS = 500;
/** Looks for the two ends that come from outside: the `continue` file, and a runner that is gone. */
function watchEnds(config, end) {
    const { continueFile, runner } = config;
    const before = readModified(continueFile);
    const timer = setInterval(() => {
        const now = readModified(continueFile);
        if (now !== undefined && now !== before)
            end('continue file');
        if (runner && !isAlive(runner))
            end('runner gone');
    }, WATCH_MS);
    return () => clearInterval(timer);
}
/** A file that was there before the start does not count until it is made anew; a link in its place does not count. */
function readModified(file) {
    try {
        const found = file === undefined ? undefined : (0,external_node_fs_.lstatSync)(file);
        return found?.isFile() ? found.mtimeMs : undefined;
    }
    catch {
        return undefined;
    }
}

// EXTERNAL MODULE: ./node_modules/@octokit/core/dist-src/index.js + 13 modules
var dist_src = __webpack_require__(5194);
// EXTERNAL MODULE: ./node_modules/@octokit/plugin-paginate-rest/dist-bundle/index.js
var dist_bundle = __webpack_require__(3779);
// EXTERNAL MODULE: ./node_modules/@octokit/plugin-throttling/dist-bundle/index.js
var plugin_throttling_dist_bundle = __webpack_require__(6856);
;// CONCATENATED MODULE: ./build/js/github/api.js
// The one connection to GitHub's REST API: every answer is checked by a schema, every request has a time limit,
// and rate limits are waited out as GitHub asks. Works with Enterprise servers through `apiUrl`.







/** A single request, from sending to the last byte of the answer; GitHub itself gives up after 10 s. */
const REQUEST_TIMEOUT_MS = 15_000;
/** Longest pause asked for by `Retry-After` that is waited out; secondary limits ask for a minute. */
const LONGEST_PAUSE_MS = 60_000;
/** A request that met the rate limit is tried this many times more. */
const MAX_RATE_LIMIT_RETRIES = 2;
/** GitHub refused, could not be reached, or answered with something unexpected. */
class GitHubError extends Error {
    /** HTTP status; undefined where there was no answer. */
    status;
    /** True where asking again later may help. */
    retryable;
    constructor(message, options) {
        super(message, options);
        this.name = 'GitHubError';
        this.status = options.status;
        this.retryable = options.retryable;
    }
}
/** Asks nothing yet. */
function connectGitHub(options) {
    const octokit = createOctokit(options);
    return {
        async request(schema, route, { parameters, signal }) {
            const request = octokit.request(route, { ...parameters, request: signal ? { signal } : {} });
            const response = await settle(request, route, signal);
            return check(schema, response.data, route);
        },
        async list(schema, route, { parameters, signal }) {
            const items = [];
            const pages = octokit.paginate.iterator(route, { ...parameters, per_page: 100 });
            const collect = async () => {
                for await (const { data } of pages) {
                    signal?.throwIfAborted();
                    items.push(...(Array.isArray(data) ? data : [data]));
                }
            };
            await settle(collect(), route, signal);
            return items.map(item => check(schema, item, route));
        },
        async readLogin(signal) {
            const query = 'query { viewer { login } }';
            const answer = await settle(octokit.graphql(query), 'POST /graphql', signal);
            return check(Viewer, answer, 'POST /graphql').viewer.login;
        },
    };
}
const Viewer = valibot_dist/* object */.Ikc({ viewer: valibot_dist/* object */.Ikc({ login: valibot_dist/* string */.YjP() }) });
const ThrottledOctokit = dist_src/* Octokit */.E.plugin(dist_bundle/* paginateRest */.ud, plugin_throttling_dist_bundle/* throttling */.A);
function createOctokit(options) {
    const { token, apiUrl, logger, proxy = {}, longestPauseMs = LONGEST_PAUSE_MS } = options;
    const retry = (seconds, _request, _octokit, tries) => {
        const wanted = tries < MAX_RATE_LIMIT_RETRIES && seconds * 1000 <= longestPauseMs;
        logger.info(`GitHub's rate limit is reached; ${wanted ? `trying again in ${seconds} s` : 'giving up'}`);
        return wanted;
    };
    return new ThrottledOctokit({
        auth: token,
        baseUrl: apiUrl.replace(/\/+$/, ''),
        userAgent: 'expose-action',
        log: { debug: logger.debug, info: logger.debug, warn: logger.debug, error: logger.debug },
        request: { fetch: createFetchInTime(proxy) },
        // One queue for each connection: the limits belong to the token.
        throttle: { onRateLimit: retry, onSecondaryRateLimit: retry, id: crypto.randomUUID() },
    });
}
/** The limit starts when a request is sent, not while it waits its turn. */
function createFetchInTime(proxy) {
    let opened;
    return async (url, options) => {
        opened ??= (0,shared_proxy/* createFetch */.Hy)(proxy);
        const send = await opened;
        const limit = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
        const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
        return send(url, { ...options, signal });
    };
}
/** The work's result, or a GitHubError; the signal ends the wait even while a rate limit is waited out. */
async function settle(work, route, signal) {
    const { promise: aborted, reject } = Promise.withResolvers();
    const abort = () => reject(signal?.reason);
    signal?.addEventListener('abort', abort);
    if (signal?.aborted)
        abort();
    try {
        return await Promise.race([work, aborted]);
    }
    catch (error) {
        if (signal?.aborted)
            throw isTimeout(signal.reason) ? renderTimeout(route, signal.reason) : signal.reason;
        throw explainFailure(error, route);
    }
    finally {
        signal?.removeEventListener('abort', abort);
    }
}
/** `AbortSignal.timeout` ends with this: a limit that was reached, not somebody's wish. */
function isTimeout(reason) {
    return reason instanceof Error && reason.name === 'TimeoutError';
}
function renderTimeout(route, cause) {
    return new GitHubError(`GitHub did not answer in time (${route})`, { retryable: false, cause });
}
function explainFailure(error, route) {
    if (error instanceof Error && error.cause instanceof shared_proxy/* ProxyError */.T6)
        return new GitHubError(error.cause.message, { retryable: false, cause: error.cause });
    const message = sanitise((0,errors/* describeError */.Uc)(error));
    // Octokit invents status 500 where no answer came; only a failure with a response has a real one.
    const answered = valibot_dist.is(Answered, error) ? error : undefined;
    if (!answered) {
        return new GitHubError(`GitHub could not be reached (${route}): ${message}`, {
            retryable: true,
            cause: error,
        });
    }
    const { status } = answered;
    const retryable = status >= 500 || status === 429 || /rate limit/i.test(message);
    return new GitHubError(`GitHub answered ${status} to ${route}: ${message}`, {
        status,
        retryable,
        cause: error,
    });
}
const Answered = valibot_dist/* object */.Ikc({ status: valibot_dist/* number */.aig(), response: valibot_dist/* object */.Ikc({ status: valibot_dist/* number */.aig() }) });
function check(schema, data, route) {
    const result = valibot_dist/* safeParse */.xLC(schema, data);
    if (result.success)
        return result.output;
    const problem = sanitise(valibot_dist/* summarize */.ehc(result.issues));
    throw new GitHubError(`GitHub's answer to ${route} is not as documented: ${problem}`, { retryable: false });
}

;// CONCATENATED MODULE: ./build/js/github/text.js
// Other people's text in Markdown: as inline code, with a fence no text can close, and in no other way.
// Used by markdown.ts for every value it shows.

/**
 * Text as inline code. CommonMark 6.1: a code span ends only at a run of as many backticks as it began with, and one
 * space on both sides is dropped. Inside, GitHub links nothing and mentions nobody.
 */
function renderCode(text, maxLength) {
    const line = sanitise(text, maxLength);
    if (line.trim() === '')
        return '(empty)';
    const fence = '`'.repeat(longestRun(line) + 1);
    const pad = /^[ `]|[ `]$/.test(line) ? ' ' : '';
    return `${fence}${pad}${line}${pad}${fence}`;
}
/** Lines as one block of code. CommonMark 4.5: only a longer or equal fence closes it. */
function renderCodeBlock(lines) {
    const clean = lines.map(line => sanitise(line));
    const fence = '`'.repeat(Math.max(3, ...clean.map(line => longestRun(line) + 1)));
    return [`${fence}text`, ...clean, fence].join('\n');
}
/** Longer than any sentence: this only keeps the default limit off. */
const MAX_CODE_LENGTH = 2_000;
/** Plain words, short numbers, and the punctuation around them: nothing here means anything to Markdown or GitHub. */
const WORD = /^[("']*[A-Za-z]+(?:['’][A-Za-z]+|-[A-Za-z]+)*[)"']*[.,:;!?]?[)"']*$|^\d{1,4}[,;%]?$|^[–—.,:;]$/;
/** A sentence of ours that may hold names and values: those, and what stands in backticks, become inline code. */
function renderSentence(text, maxLength = 500) {
    const pieces = sanitise(text, maxLength).split('`');
    return pieces
        .map(piece => piece.trim())
        .map((piece, index) => index % 2 === 0 || piece === '' ? renderWords(piece) : renderCode(piece, maxLength))
        .filter(piece => piece !== '')
        .join(' ')
        .replaceAll(/` ([.,:;])(?= |$)/g, '`$1');
}
/** Neighbours that are not plain words share one code span. */
function renderWords(text) {
    const runs = [];
    for (const word of text.split(' ').filter(word => word !== '')) {
        const plain = WORD.test(word);
        const last = runs.at(-1);
        if (last?.plain === plain)
            last.words.push(word);
        else
            runs.push({ plain, words: [word] });
    }
    return runs
        .map(({ plain, words }) => (plain ? words.join(' ') : renderCode(words.join(' '), MAX_CODE_LENGTH)))
        .join(' ');
}
/** A link whose text is Markdown of ours; the address as inline code where it is not a web address. */
function renderLink(markdown, address) {
    const url = URL.parse(address);
    if (url === null || !/^https?:$/.test(url.protocol))
        return renderCode(address);
    // The URL parser has already encoded `<`, `>`, spaces and controls everywhere but in the fragment.
    const target = url.href.replace(/[\\<>`\s]/g, encodeURIComponent).replaceAll('&', '&amp;');
    return `[${markdown}](<${target}>)`;
}
/** To the minute, in UTC: readers are in many time zones. */
function renderTime(time) {
    return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
function longestRun(text) {
    return Math.max(0, ...(text.match(/`+/g) ?? []).map(run => run.length));
}

;// CONCATENATED MODULE: ./build/js/github/markdown.js
// The comment and the step summary as Markdown. Pure: the same view gives the same text.
// Written so that a runner that dies leaves no lie behind: whatever can end says when it will.


/** GitHub refuses longer comments. Every part is bounded far below; this is for the sum of them. */
const MAX_COMMENT_LENGTH = 65_536;
/** Lines of the app's console that help; more are in the log. */
const MAX_LAST_LINES = 20;
/** A comment is no place for a list of everything; the log has them all. */
const markdown_MAX_WARNINGS = 10;
/** The whole comment: the marker opens it, so that nobody who quotes it can pass for us. */
function renderComment(view, marker) {
    return `${marker}\n${renderPreview(view)}\n`;
}
/** The step summary: the comment's text, and once there are some, the figures. */
function renderSummary(view, figures) {
    if (figures === undefined)
        return `${renderPreview(view)}\n`;
    const { visits, restarts, reconnects, moves, durationMs } = figures;
    const parts = [
        `live for ${renderDuration(durationMs)}`,
        renderCount(visits, 'visit'),
        renderCount(restarts, 'app restart'),
        renderCount(reconnects, 'tunnel reconnect'),
        ...(moves > 0 ? [`${renderCount(moves, 'change')} of address`] : []),
    ];
    return `${renderPreview(view)}\n\n${parts.join(' · ')}\n`;
}
function renderPreview(view) {
    const { preview, state } = view;
    const paragraphs = [
        `### ${renderTitle(preview.name, state)}`,
        ...renderState(preview, state),
        ...renderCautions(preview, state),
        renderFooter(view),
    ];
    return paragraphs.join('\n\n');
}
const TITLES = {
    starting: ['🟡', 'is starting'],
    live: ['🟢', 'is live'],
    reconnecting: ['🟠', 'is away for a moment'],
    ended: ['⚪', 'has ended'],
    failed: ['🔴', 'failed'],
};
function renderTitle(name, state) {
    const [sign, words] = TITLES[state.kind];
    return `${sign} Preview ${renderCode(name, 100)} ${words}`;
}
function renderState(preview, state) {
    switch (state.kind) {
        case 'starting':
            return [`The link will appear here. ${renderEnd(preview, state.endsAt)}`];
        case 'live':
            return renderLive(preview, state);
        case 'reconnecting':
            return [
                `${OUTAGES[state.outage]} since ${renderTime(state.since)}. ${OUTLOOKS[state.outage]}`,
                `${renderEnd(preview, state.endsAt)}${state.url === undefined ? '' : ` Its address: ${markdown_renderAddress(state.url)}.`}`,
            ];
        case 'ended':
            return [
                `${ENDINGS[state.reason]} at ${renderTime(state.endedAt)}.${renderOldAddress(state.url)}`,
                AGAIN,
            ];
        case 'failed':
            return renderFailed(state);
    }
}
function renderLive(preview, state) {
    const host = markdown_renderAddress(state.url);
    const isWeb = /^https?:/i.test(state.url);
    const address = isWeb
        ? `**${renderLink('Open the preview', state.url)}** at ${host}`
        : `Connect to **${host}**, for instance with`;
    const line = renderClientLine(state.url);
    const lines = [address, ...(line === undefined ? [] : [renderCodeBlock([line])])];
    lines.push(renderEnd(preview, state.endsAt));
    if (preview.entry !== undefined)
        lines.push(renderSentence(preview.entry));
    if (state.doubt !== undefined)
        lines.push(DOUBTS[state.doubt]);
    return lines;
}
const DOUBTS = {
    silent: 'The runner could not reach this address itself, so it is not verified from here.',
    unproved: 'The runner could not tell whether this address leads to the preview: **somebody else may have it**, so it is not verified from here.',
    'app away': 'The app was away when this address was checked, so it is not verified from here.',
};
const OUTAGES = {
    tunnel: 'The tunnel has been down',
    'tunnel closed': 'The workflow has had the tunnel closed',
    app: 'The app has been down',
};
const OUTLOOKS = {
    tunnel: 'It is being opened again, and this comment will say when it is.',
    'tunnel closed': 'This comment will say when it is open again.',
    app: 'It is being started again, and this comment will say when it answers.',
};
/** Each is followed by "at" and the time. */
const ENDINGS = {
    'job ended': 'It ended with its job',
    'duration over': 'Its time was over',
    'continue file': 'The workflow went on',
    stopped: 'It was stopped',
    cancelled: 'The run was cancelled',
    'runner gone': 'The runner went away',
};
const AGAIN = 'Push a commit or run the workflow again to get a new one.';
function renderFailed(state) {
    const paragraphs = [renderCode(state.reason, 1_000)];
    if (state.advice !== undefined)
        paragraphs.push(`What to do: ${renderSentence(state.advice, 1_000)}`);
    const lines = state.lastLines.slice(-MAX_LAST_LINES);
    if (lines.length > 0) {
        paragraphs.push('<details><summary>Last lines of the app</summary>', renderCodeBlock(lines), '</details>');
    }
    paragraphs.push(`It failed at ${renderTime(state.endedAt)}.${renderOldAddress(state.url)}`);
    return paragraphs;
}
/** The end, said from the first write on: a runner that dies cannot say it any more. */
function renderEnd(preview, endsAt) {
    if (endsAt === undefined) {
        return `The preview ends with its ${renderLink('job', preview.runUrl)} and may be gone after that.`;
    }
    return `The preview runs until **${renderTime(endsAt)}** at the latest and may be gone after that.`;
}
/** No link: tomorrow the port may be somebody else's. */
function renderOldAddress(url) {
    return url === undefined
        ? ''
        : ` Its address was ${markdown_renderAddress(url)}, which may be somebody else's by now.`;
}
/** Address as text, without the key that may be in its path or query. */
function markdown_renderAddress(url) {
    const parsed = URL.parse(url);
    return renderCode(parsed === null || parsed.host === '' ? url : `${parsed.protocol}//${parsed.host}`);
}
/** Warnings about what is, or will be, reachable; nothing to warn about once it is gone. */
function renderCautions({ openWarning, warnings }, state) {
    if (state.kind === 'ended' || state.kind === 'failed')
        return [];
    const cautions = openWarning === undefined ? [...warnings] : [openWarning, ...warnings];
    if (cautions.length === 0)
        return [];
    const shown = cautions.slice(0, markdown_MAX_WARNINGS).map(caution => renderSentence(caution));
    return [`> [!WARNING]\n${shown.map(caution => `> ${caution}`).join('\n>\n')}`];
}
function renderFooter({ preview, updatedAt }) {
    const commit = renderLink(renderCode(preview.commit.slice(0, 7)), preview.commitUrl);
    const run = renderLink('workflow run', preview.runUrl);
    return `<sub>${commit} · ${preview.mode} mode · ${run} · updated ${renderTime(updatedAt)}</sub>`;
}
function renderCount(count, noun) {
    return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
function renderDuration(milliseconds) {
    const seconds = Math.max(0, Math.round(milliseconds / 1000));
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
    if (hours > 0)
        return `${hours} h ${minutes} min`;
    return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

;// CONCATENATED MODULE: ./build/js/github/marker.js
// The hidden first line of our comment: which preview it belongs to, and which run wrote it last.
/** Only hex digits and decimals go in, so nothing can close the HTML comment early. */
const MARKER = /^<!-- expose-action preview=([0-9a-f]{1,64}) run=(\d{1,20}) attempt=(\d{1,6}) -->/;
function renderMarker({ key, runId, runAttempt }) {
    return `<!-- expose-action preview=${key} run=${runId} attempt=${runAttempt} -->`;
}
/** The marker that opens a comment's body; a comment that only quotes one further down is not ours. */
function readMarker(body) {
    const [, key, runId, attempt] = MARKER.exec(body) ?? [];
    if (key === undefined || runId === undefined || attempt === undefined)
        return undefined;
    return { key, runId, runAttempt: Number(attempt) };
}
/** Negative where `a` is the older run, positive where it is the newer, 0 where both are the same attempt. */
function compareRuns(a, b) {
    const [idA, idB] = [BigInt(a.runId), BigInt(b.runId)];
    if (idA !== idB)
        return idA < idB ? -1 : 1;
    return a.runAttempt - b.runAttempt;
}

;// CONCATENATED MODULE: ./build/js/github/own-comment.js
// Our one comment on a pull request: finding it, telling whose it is, and writing it. comment.ts decides when.
// Found by marker and author together, on all pages: a marker alone can be copied by anyone who can comment.



const CommentSchema = valibot_dist/* object */.Ikc({
    id: valibot_dist/* number */.aig(),
    body: valibot_dist/* nullish */.cl6(valibot_dist/* string */.YjP(), ''),
    html_url: valibot_dist/* string */.YjP(),
    user: valibot_dist/* nullable */.mee(valibot_dist/* object */.Ikc({ login: valibot_dist/* string */.YjP() })),
});
const RunSchema = valibot_dist/* object */.Ikc({ run_attempt: valibot_dist/* optional */.lqM(valibot_dist/* number */.aig(), 1) });
/** The login behind a job's own token, for servers that do not say who the token's user is. */
const JOB_TOKEN_LOGIN = 'github-actions[bot]';
const ONE = '/repos/{owner}/{repo}/issues/comments/{comment_id}';
const ALL = '/repos/{owner}/{repo}/issues/{issue_number}/comments';
class OwnComment {
    #options;
    /** Opens every body that is written. */
    marker;
    /** The comment this process wrote, and the user it wrote it as, once known. */
    #id;
    #login;
    constructor(options) {
        const { runId, runAttempt, identity } = options.target;
        this.#options = options;
        this.marker = { key: identity.key, runId, runAttempt };
    }
    /** Rejects with a GitHubError. The body opens with the marker. Safe to repeat: a first try that got through is found again. */
    async write(body) {
        const found = (await this.#readOwn()) ?? (await this.#findAll());
        const created = found.length === 0 ? await this.#create(body) : undefined;
        const [kept, ...spare] = created ? await this.#findBeside(created) : found;
        if (kept === undefined)
            throw new Error('a comment was made and then not found');
        for (const { id } of spare)
            await this.#remove(id);
        if (await this.#mustYieldTo(kept.marker))
            return { kind: 'yielded', to: kept.marker };
        this.#id = kept.id;
        if (kept.id !== created?.id)
            await this.#ask(CommentSchema, `PATCH ${ONE}`, { comment_id: kept.id, body });
        return { kind: 'written', url: kept.html_url };
    }
    /** The comment written before, as it is now; undefined where there is none, or somebody deleted it. */
    async #readOwn() {
        if (this.#id === undefined)
            return undefined;
        try {
            const comment = await this.#ask(CommentSchema, `GET ${ONE}`, { comment_id: this.#id });
            return [{ ...comment, marker: this.#readMarker(comment) ?? this.marker }];
        }
        catch (error) {
            if (!isStatus(error, 404))
                throw error;
            this.#id = undefined;
            return undefined;
        }
    }
    /** All our comments for this preview, the newest run's first. More than one only where two runs started at once. */
    async #findAll() {
        const { github, target, signal } = this.#options;
        const parameters = { ...this.#place(), issue_number: target.pullRequest };
        const comments = await github.list(CommentSchema, `GET ${ALL}`, { parameters, signal });
        const marked = comments.flatMap(comment => {
            const marker = this.#readMarker(comment);
            return marker === undefined ? [] : [{ ...comment, marker }];
        });
        if (marked.length === 0)
            return [];
        const author = await this.#readLogin();
        return marked
            .filter(({ user }) => user?.login === author)
            .sort((a, b) => compareRuns(b.marker, a.marker) || a.id - b.id);
    }
    async #create(body) {
        const parameters = { issue_number: this.#options.target.pullRequest, body };
        const comment = await this.#ask(CommentSchema, `POST ${ALL}`, parameters);
        this.#login = comment.user?.login ?? this.#login;
        return { ...comment, marker: this.marker };
    }
    /** Looks again after making one: another run may have made its own in the same second. */
    async #findBeside(created) {
        const all = await this.#findAll();
        return all.some(({ id }) => id === created.id) ? all : [...all, created];
    }
    async #remove(id) {
        this.#options.logger.debug(`deleting comment ${id}: another comment shows the same preview`);
        try {
            await this.#ask(valibot_dist/* unknown */.L5J(), `DELETE ${ONE}`, { comment_id: id });
        }
        catch (error) {
            if (!isStatus(error, 404))
                throw error;
        }
    }
    /** True for a newer run that GitHub knows. A run it denies was made up, or deleted: its comment is taken over. */
    async #mustYieldTo(marker) {
        if (compareRuns(marker, this.marker) <= 0)
            return false;
        try {
            const route = 'GET /repos/{owner}/{repo}/actions/runs/{run_id}';
            const run = await this.#ask(RunSchema, route, { run_id: marker.runId });
            return run.run_attempt >= marker.runAttempt;
        }
        catch (error) {
            // A token without `actions: read` cannot ask. The marker is under our own name: believing it hides one link
            // at worst, while overwriting a newer run's link would leave a dead one.
            if (isStatus(error, 403))
                return true;
            if (isStatus(error, 404))
                return false;
            throw error;
        }
    }
    async #readLogin() {
        const { github, signal } = this.#options;
        this.#login ??= await github.readLogin(signal).catch(error => {
            if (error instanceof GitHubError)
                return JOB_TOKEN_LOGIN;
            throw error;
        });
        return this.#login;
    }
    #readMarker(comment) {
        const marker = readMarker(comment.body);
        return marker?.key === this.marker.key ? marker : undefined;
    }
    #ask = (schema, route, parameters) => {
        const { github, signal } = this.#options;
        return github.request(schema, route, { parameters: { ...this.#place(), ...parameters }, signal });
    };
    #place() {
        const { owner, name: repo } = this.#options.repository;
        return { owner, repo };
    }
}
function isStatus(error, status) {
    return error instanceof GitHubError && error.status === status;
}

;// CONCATENATED MODULE: ./build/js/github/wording.js
// Sentences that more than one part of the action says: missing permissions, and who can open a preview.
const PERMISSIONS = {
    comment: { does: 'comment on the pull request', line: 'pull-requests: write' },
    deployment: { does: 'create a deployment', line: 'deployments: write' },
    'pull request lookup': { does: 'find the pull request', line: 'pull-requests: read' },
};
/** One warning of one line: what GitHub said and, where it was a refusal, the two lines of YAML that give the permission. */
function describeReportFailure(feature, error) {
    const { does, line } = PERMISSIONS[feature];
    const problem = `could not ${does}: ${error.message}`;
    if (error.status !== 403 && error.status !== 404)
        return problem;
    return `${problem}. If the token lacks the permission, add two lines to the job: "permissions:", and indented below it "${line}"`;
}
/** What a visitor needs beside the link; undefined where the link is enough. */
function describeEntry(access) {
    if (access === 'given key')
        return 'It asks for a key: the author of the workflow has it.';
    if (access === 'basic')
        return 'It asks for a user and a password: the author of the workflow has them.';
    return undefined;
}
/** The warning for previews that show a stranger what the repository would not. */
function describeOpenWarning(access, visibility) {
    if (visibility === 'public')
        return undefined;
    if (access === 'open')
        return 'Anyone with the address can open this preview, and ports can be found by trying.';
    if (access === 'link')
        return 'Anyone with the link can open this preview.';
    return undefined;
}

;// CONCATENATED MODULE: ./build/js/github/comment.js
// The sticky comment: one per preview, edited and never repeated. Writes are serialised, and only the newest view is
// written. Whatever goes wrong here is one warning; the preview does not care.







/** A hiccup of GitHub's is over in seconds; a longer outage is left to the next change of state. */
const RETRY_DELAYS_MS = [1_000, 4_000];
/** Nothing is written before the first `update`. The signal ends all writing, also a wait for a rate limit. */
function startComment(options) {
    const { github, job, target, logger, signal } = options;
    const comment = new OwnComment({ github, repository: job.repository, target, logger, signal });
    return new CommentWriter(comment, logger, signal);
}
class CommentWriter {
    commentUrl;
    #comment;
    #logger;
    #signal;
    #newest;
    #writing;
    #warned = false;
    /** Set when there is nothing more to be done here: no permission, or a newer run has taken over. */
    #closed = false;
    constructor(comment, logger, signal) {
        this.#comment = comment;
        this.#logger = logger;
        this.#signal = signal;
    }
    update(view) {
        this.#newest = view;
        this.#writing ??= this.#writeAll();
        return this.#writing;
    }
    async flush() {
        await this.#writing;
    }
    async #writeAll() {
        // Two changes in one turn are one write.
        await Promise.resolve();
        for (let view = this.#take(); view !== undefined; view = this.#take()) {
            await this.#write(view).catch(error => this.#giveUp(error));
        }
        // In the same turn as the last look, so that no update can fall in between.
        this.#writing = undefined;
    }
    #take() {
        const view = this.#closed || this.#signal?.aborted ? undefined : this.#newest;
        this.#newest = undefined;
        return view;
    }
    async #write(view) {
        let newest = view;
        for (const delayMs of [...RETRY_DELAYS_MS, undefined]) {
            try {
                return await this.#writeOnce(newest);
            }
            catch (error) {
                const retryable = error instanceof GitHubError && error.retryable;
                if (!retryable || delayMs === undefined)
                    throw error;
                this.#logger.debug(`the comment is tried again in ${delayMs} ms: ${(0,errors/* describeError */.Uc)(error)}`);
                await (0,external_node_timers_promises_.setTimeout)(delayMs, undefined, this.#signal ? { signal: this.#signal } : {});
                newest = this.#take() ?? newest;
            }
        }
    }
    async #writeOnce(view) {
        const written = await this.#comment.write(renderComment(view, renderMarker(this.#comment.marker)));
        if (written.kind === 'written') {
            this.commentUrl = written.url;
            return;
        }
        this.#closed = true;
        this.#logger.info(`run ${written.to.runId} is newer: from now on the comment shows its preview`);
    }
    #giveUp(error) {
        const known = error instanceof GitHubError;
        if (this.#signal?.aborted && !known)
            return;
        this.#closed = !(known && error.retryable);
        if (this.#warned)
            return;
        this.#warned = true;
        this.#logger.warn(known ? describeReportFailure('comment', error) : `could not comment: ${(0,errors/* describeError */.Uc)(error)}`);
    }
}

;// CONCATENATED MODULE: ./build/js/github/job.js
// What the runner told us about the job. step/runner.ts reads it from the environment and hands it in;
// this folder never looks at the environment itself.
/** The page of this attempt of the run, with its logs. */
function renderRunUrl(job) {
    return `${renderRepositoryUrl(job)}/actions/runs/${job.runId}/attempts/${job.runAttempt}`;
}
/** The page of a commit. */
function renderCommitUrl(job, sha) {
    return `${renderRepositoryUrl(job)}/commit/${sha}`;
}
function renderRepositoryUrl({ serverUrl, repository }) {
    return `${serverUrl}/${repository.owner}/${repository.name}`;
}

;// CONCATENATED MODULE: ./build/js/github/view.js
// What the comment and the summary show: the exposure's two facts (tunnel, app) and its phase, as one state of the
// preview, with only what is valid in it.

/** Shorter outages are not worth a write: most are over before anybody has read about them. */
const OUTAGE_SHOWN_AFTER_MS = 15_000;
function viewOf(exposure, context) {
    const { phase } = exposure;
    const lastUrl = context.lastUrl ?? exposure.url;
    const url = lastUrl === undefined ? {} : { url: lastUrl };
    switch (phase.phase) {
        case 'starting':
            return { kind: 'starting', ...endOf(context.endsAt) };
        case 'live':
            return viewLive(exposure, phase.expiresAt, context);
        case 'ended':
            return { kind: 'ended', ...url, reason: phase.reason, endedAt: phase.endedAt };
        case 'failed': {
            const advice = context.advice === undefined ? {} : { advice: context.advice };
            const { reason, endedAt } = phase;
            const lastLines = context.hideConsole ? [] : phase.lastLines;
            return { kind: 'failed', ...url, reason, lastLines, ...advice, endedAt };
        }
    }
}
function viewLive(exposure, expiresAt, context) {
    const { now, outageSince: since, lastUrl } = context;
    const outage = readOutage(exposure);
    const url = exposure.url ?? lastUrl;
    const shown = since !== undefined && now.getTime() - since.getTime() >= OUTAGE_SHOWN_AFTER_MS;
    if (outage !== undefined && since !== undefined && (shown || url === undefined)) {
        return {
            kind: 'reconnecting',
            ...(url === undefined ? {} : { url }),
            outage,
            since,
            ...endOf(expiresAt),
        };
    }
    if (url === undefined)
        return { kind: 'starting', ...endOf(expiresAt) };
    const doubt = exposure.doubt === undefined ? {} : { doubt: exposure.doubt };
    return { kind: 'live', url: exposure.link ?? url, ...doubt, ...endOf(expiresAt) };
}
/** The tunnel comes first: without it nobody sees how the app is. */
function readOutage({ tunnel, app }) {
    if (tunnel.status === 'Disconnected')
        return 'tunnel closed';
    if (tunnel.status !== 'Connected')
        return 'tunnel';
    return app.status === 'running' ? undefined : 'app';
}
function endOf(endsAt) {
    return endsAt === undefined ? {} : { endsAt };
}
/** The facts that hold from start to end. */
function describePreview(job, facts) {
    return { ...facts, commitUrl: renderCommitUrl(job, facts.commit), runUrl: renderRunUrl(job) };
}

;// CONCATENATED MODULE: ./build/js/supervisor/reporting.js
// Keeps the comment in step with the exposure: turns its states into views, and waits before it speaks of an outage.
// Used by the supervision; post uses the same pieces when the supervisor is dead.



/** The last word must not keep the post step, which has 30 s in all. */
const FINISH_TIMEOUT_MS = 8_000;
/** The comment of a preview, written through the job's proxy; nothing is written before its first update. */
function openComment(config, proxy, logger, signal) {
    const { job, token, pullRequest, identity } = config;
    const github = connectGitHub({ token, apiUrl: job.apiUrl, logger, proxy });
    const target = { pullRequest, identity, runId: job.runId, runAttempt: job.runAttempt };
    return startComment({ github, job, target, logger, signal });
}
/** The facts of a preview, as its comment and its summary show them. */
function describeFacts(config, preview, mode) {
    const { openWarning, entry, showConsole: _, ...rest } = preview;
    return describePreview(config.job, {
        ...rest,
        name: config.identity.name,
        mode,
        ...(entry !== undefined && { entry }),
        ...(openWarning !== undefined && { openWarning }),
    });
}
/** Tells the pull request every change people care about; without one to tell, does nothing. */
function startReporting(config, exposure, logger) {
    if (config.comment === undefined)
        return { finish: async () => { } };
    const given = new AbortController();
    const comment = openComment(config.comment, config.exposure.baseEnvironment, logger, given.signal);
    const facts = describeFacts(config.comment, config.comment.preview, exposure.state.mode);
    const memory = new Memory(config.exposure, config.comment.preview);
    let timer;
    let last = '';
    const tell = () => {
        const now = new Date();
        const state = viewOf(exposure.state, memory.recall(exposure.state, now));
        const preview = { ...facts, warnings: [...facts.warnings, ...exposure.state.warnings] };
        const key = JSON.stringify([state, preview.warnings]);
        if (key !== last)
            void comment.update({ preview, state, updatedAt: now });
        last = key;
        clearTimeout(timer);
        if (memory.outageSince !== undefined && state.kind !== 'reconnecting')
            timer = setTimeout(tell, OUTAGE_SHOWN_AFTER_MS - (now.getTime() - memory.outageSince.getTime()) + 1);
    };
    exposure.subscribe(tell);
    tell();
    return {
        finish: async () => {
            clearTimeout(timer);
            const limit = setTimeout(() => given.abort(), FINISH_TIMEOUT_MS);
            await comment.flush();
            clearTimeout(limit);
        },
    };
}
/** What a view needs to know of the past. */
class Memory {
    outageSince;
    #lastUrl;
    #endsAt;
    #hideConsole;
    constructor(exposure, preview) {
        this.#hideConsole = !preview.showConsole;
        if (exposure.durationMs !== undefined)
            this.#endsAt = new Date(Date.now() + exposure.startupTimeoutMs + exposure.durationMs);
    }
    recall(state, now) {
        const isUp = state.tunnel.status === 'Connected' && state.app.status === 'running';
        this.outageSince = isUp || state.phase.phase !== 'live' ? undefined : (this.outageSince ?? now);
        this.#lastUrl = state.url ?? this.#lastUrl;
        return {
            now,
            lastUrl: this.#lastUrl,
            endsAt: this.#endsAt,
            outageSince: this.outageSince,
            hideConsole: this.#hideConsole,
        };
    }
}

;// CONCATENATED MODULE: ./build/js/supervisor/supervision.js
// One exposure with its API, its comment, and the ends that come from outside. Used by supervisor, and by cli in the
// foreground.








/** One that comes again and again must not fill the log. */
const MAX_BUGS_LOGGED = 10;
/** Resolves when the control API listens; the exposure itself is then on its way. */
async function startSupervision(config, logger) {
    const files = sessionFiles(config.folder);
    const exposure = new Exposure({
        config: config.exposure,
        folder: config.folder,
        logger,
        onChild: ({ pid, role }) => {
            const problem = attempt(() => writeJournal(files.journal, recordProcess(pid, role)));
            if (problem !== undefined)
                exposure.warn(`${role} is on no record, and is left behind if this process is killed: ${problem}`);
        },
    });
    failOnBugs(exposure, logger);
    const ended = awaitEnd(exposure);
    const reporting = startReporting(config, exposure, logger);
    const api = await startControlApi(exposure, config.controlToken);
    const unwatch = watchEnds(config, reason => void exposure.stop(reason));
    // What went wrong is part of the last state, where everybody finds it.
    exposure.start().catch(error => logger.debug(`the start failed: ${(0,errors/* describeError */.Uc)(error)}`));
    const finish = async () => {
        const state = await ended;
        unwatch();
        const problem = attempt(() => writeOutcome(config.folder, state));
        if (problem !== undefined)
            exposure.warn(`how the preview ended could not be written down: ${problem}`);
        await reporting.finish().catch(error => logger.warn(`the last report failed: ${(0,errors/* describeError */.Uc)(error)}`));
        await api.stop();
        return state;
    };
    return { exposure, controlUrl: api.url, finished: finish() };
}
/** What nobody caught ends the exposure. Logging and failing may fail, too: neither throws, or it would come back here. */
function failOnBugs(exposure, logger) {
    let left = MAX_BUGS_LOGGED;
    process.on('uncaughtException', error => {
        if (left > 0)
            logger.error(`a bug in expose, please report it: ${error.stack ?? (0,errors/* describeError */.Uc)(error)}`);
        left -= 1;
        exposure.fail(error).catch(() => { });
    });
}
/** Why it failed; undefined where it did not. */
function attempt(act) {
    try {
        act();
        return undefined;
    }
    catch (error) {
        return (0,errors/* describeError */.Uc)(error);
    }
}
function awaitEnd(exposure) {
    return new Promise(resolve => {
        exposure.subscribe(state => {
            if (state.phase.phase === 'ended' || state.phase.phase === 'failed')
                resolve(state);
        });
    });
}

;// CONCATENATED MODULE: ./build/js/commands/foreground.js
// An exposure in the foreground of a terminal: its status on one line, Ctrl-C to end it. Used by `run` and `demo`.












const REDRAW_MS = 1_000;
const CLEAR_LINE = '\r\u001b[2K';
/** SIGHUP: the terminal's window was closed. */
const LEAVE_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** Whoever presses Ctrl-C twice does not want to wait. */
const HURRY_MS = 500;
/** Runs it until it ends or Ctrl-C is pressed; a second Ctrl-C does not wait for visitors. */
async function runForeground(config, json) {
    let warn = (_message) => { };
    const screen = new Screen(json, (name, reason) => warn(`nobody reads ${name} any more (${reason}); the preview goes on until it is stopped`));
    const logger = createLogger({
        level: config.logLevel,
        hidden: listSecrets(config.exposure),
        write: (line, level) => screen.log(level === 'warn' ? `warning: ${line}` : line),
    });
    const { exposure, controlUrl, finished } = await startSupervision(config, logger);
    warn = message => exposure.warn(message);
    const self = recordProcess(process.pid, 'expose');
    const { name, folder, controlToken } = config;
    try {
        writeSession(folder, { name, pid: self.pid, startTime: self.startTime, controlUrl, controlToken });
    }
    catch (error) {
        warn(`\`expose url\`, \`status\` and \`stop\` will not find this preview: ${(0,errors/* describeError */.Uc)(error)}`);
    }
    const hurry = async () => {
        await reapJournal(sessionFiles(folder).journal, HURRY_MS);
        await removeFolder(folder);
        process.exit(1);
    };
    let asked = 0;
    const leave = () => {
        asked += 1;
        if (asked === 1)
            void exposure.stop('stopped');
        else if (asked === 2)
            void hurry();
    };
    for (const signal of LEAVE_SIGNALS)
        process.on(signal, leave);
    exposure.subscribe(() => screen.show(exposure.state));
    screen.watch(() => exposure.state);
    const state = await finished;
    screen.close();
    for (const signal of LEAVE_SIGNALS)
        process.off(signal, leave);
    const left = await removeFolder(folder);
    if (left !== undefined)
        screen.complain(`warning: ${left}`);
    if (state.phase.phase !== 'failed')
        return 0;
    screen.complain(`expose: ${[state.phase.reason, ...state.phase.lastLines].map(line => sanitise(line)).join('\n  ')}`);
    return 1;
}
/** What a person sees: on a terminal one status line that is kept up to date, elsewhere a line for each change. */
class Screen {
    #json;
    #out;
    #errors;
    #live;
    #timer;
    #last = '';
    #announced = '';
    /** `onLost`: one of the two streams cannot be written to any more. */
    constructor(json, onLost) {
        this.#json = json;
        this.#out = new output/* LineOutput */.a1(process.stdout, reason => onLost('standard output', reason));
        this.#errors = new output/* LineOutput */.a1(process.stderr, reason => onLost('standard error', reason));
        this.#live = this.#out.isTerminal;
    }
    /** Redraws the clock and the counters of the status line. */
    watch(read) {
        if (this.#live && !this.#json)
            this.#timer = setInterval(() => this.show(read()), REDRAW_MS);
    }
    show(state) {
        if (this.#json) {
            this.#write(JSON.stringify(describeState(state)));
            return;
        }
        if (state.phase.phase === 'live' && state.link !== undefined && state.link !== this.#announced) {
            this.#announced = state.link;
            this.log(sanitiseLines(`\n  ${state.link}\n${renderClientRow(state.link)}`));
        }
        const line = sanitise(renderStatus(state, this.#live), Number.POSITIVE_INFINITY);
        // A longer line would wrap, and only its last row could be cleared.
        if (this.#live)
            this.#out.write(`${CLEAR_LINE}${line.slice(0, this.#out.columns - 1)}`);
        else
            this.#write(line);
    }
    log(line) {
        if (this.#json || this.#out.isLost)
            this.#errors.writeLine(line);
        else
            this.#out.writeLine(`${this.#live ? CLEAR_LINE : ''}${line}`);
    }
    complain(text) {
        this.#errors.write(`${text}\n`);
    }
    close() {
        clearInterval(this.#timer);
        if (this.#live && !this.#json)
            this.#out.write('\n');
    }
    /** The same line twice says nothing new. */
    #write(line) {
        if (line !== this.#last)
            this.#out.write(`${line}\n`);
        this.#last = line;
    }
}
function renderStatus(state, withCounters) {
    const { phase, tunnel, app } = state;
    if (phase.phase === 'ended')
        return `ended: ${phase.reason}`;
    if (phase.phase === 'failed')
        return 'failed';
    const parts = [`tunnel ${tunnel.status}`, `app ${app.status}`];
    // Elsewhere than on a terminal the log says it, once.
    if (withCounters && 'reason' in tunnel && tunnel.reason)
        parts.push(tunnel.reason);
    if (phase.phase !== 'live' || !withCounters)
        return parts.join(' · ');
    parts.push(`${state.visits} visits`, `up ${formatDuration(Date.now() - phase.liveAt.getTime())}`);
    if (phase.expiresAt)
        parts.push(`${formatDuration(phase.expiresAt.getTime() - Date.now())} left`);
    return [...parts, 'Ctrl-C ends it'].join(' · ');
}

;// CONCATENATED MODULE: ./build/js/commands/terminal.js
// What the commands print, but for those that run in the foreground: names and paths hold what other people chose, and
// a terminal obeys control characters.

/** The answer to the command, for people. */
function print(text) {
    process.stdout.write(`${sanitiseLines(text)}\n`);
}
/** The same for programs: one line of JSON. */
function printJson(value) {
    process.stdout.write(`${JSON.stringify(value)}\n`);
}
/** What is said beside the answer. */
function printAside(text) {
    process.stderr.write(`${sanitiseLines(text)}\n`);
}

;// CONCATENATED MODULE: ./build/js/commands/demo.js
// `expose demo`: everything built in and on loopback: bore-compatible server, example app, gateway, tunnel.










const demo = {
    summary: 'Show it all on this machine: own bore server, example app, public link.',
    usage: '',
    flags: {},
    async run({ flags, shell }) {
        const example = findExample('web-hello');
        const secret = (0,external_node_crypto_.randomBytes)(16).toString('hex');
        const server = await startBoreServer({ secret });
        try {
            const given = {
                path: example,
                mode: 'web',
                server: `127.0.0.1:${server.controlPort}`,
                secret,
                // The server is new each time, and so is its secret: no port could stay the same.
                'remote-port': 'random',
            };
            const inputs = parseInputs(name => given[name] ?? INPUT_DEFAULTS[name] ?? '', shell.variables, process.cwd());
            const { access } = resolveAccess(inputs.gateway.access, inputs.protocol, false);
            if (!flags.json)
                print(`bore server  127.0.0.1:${server.controlPort} (built in, with a secret)\napp          ${example}`);
            const config = planSupervisor({
                inputs,
                host: shell.host,
                wasmrun: '',
                folder: createSessionFolder(shell.host.tempFolder),
                name: 'demo',
                identity: 'demo',
                access,
            });
            return await runForeground(config, flags.json === true);
        }
        finally {
            await server.stop();
        }
    },
};
/** The examples lie beside dist and src alike. */
function findExample(name) {
    const script = (0,external_node_fs_.realpathSync)(process.argv[1] ?? '');
    for (let folder = (0,external_node_path_.dirname)(script); folder !== (0,external_node_path_.dirname)(folder); folder = (0,external_node_path_.dirname)(folder))
        if ((0,external_node_fs_.existsSync)((0,external_node_path_.join)(folder, 'examples', name)))
            return (0,external_node_path_.join)(folder, 'examples', name);
    throw new Error(`examples/${name} is not beside ${script}: the demo runs from a checkout of the repository`);
}

;// CONCATENATED MODULE: ./build/js/shared/cancellation.js
// A process that is told to end while it still prepares a preview: it undoes what it has begun, for as long as that may
// take, and leaves. Used by main, and by `expose run` before it has a preview in the foreground.

class Cancellation {
    #controller = new AbortController();
    #signals;
    #onCancel;
    #exitCode;
    #undoMs;
    #work;
    /** Listens from now on. `undoMs` is how long it may take to leave; a second signal ends the process at once. */
    constructor(signals, options) {
        this.#signals = signals;
        this.#exitCode = options.exitCode;
        this.#undoMs = options.undoMs;
        this.#onCancel = options.onCancel ?? (() => { });
        for (const signal of signals)
            process.once(signal, this.#leave);
    }
    /** Aborted when the process has been told to end. */
    get signal() {
        return this.#controller.signal;
    }
    /**
     * Runs work that ends soon after the signal, and undoes itself then: the process waits for that, for a moment. Never
     * settles once the process is about to leave, for nobody is to report the work that was broken off.
     */
    async guard(work) {
        const running = work(this.signal);
        this.#work = running;
        try {
            return await running;
        }
        catch (error) {
            if (this.signal.aborted)
                return await new Promise(() => { });
            throw error;
        }
        finally {
            this.#work = undefined;
        }
    }
    /** From now on somebody else listens. */
    stop() {
        for (const signal of this.#signals)
            process.off(signal, this.#leave);
    }
    #leave = () => {
        this.#onCancel();
        this.#controller.abort();
        const undone = this.#work?.catch(() => { });
        void Promise.race([undone, (0,external_node_timers_promises_.setTimeout)(this.#undoMs)]).then(() => process.exit(this.#exitCode));
    };
}

;// CONCATENATED MODULE: ./build/js/commands/secrets.js
// Secrets on a laptop come from a file or the environment, never from an argument, which every user of the machine can
// read. Used by run and server.


/** From the file that was named, else from the environment; '' if it was not given. Throws an InputError. */
function readSecret(name, { flags, shell }) {
    const file = flags[`${name}-file`];
    return typeof file === 'string' ? readFlagFile(`${name}-file`, file) : shell.secrets[name];
}
function readFlagFile(flag, file) {
    try {
        return (0,external_node_fs_.readFileSync)(file, 'utf8');
    }
    catch (cause) {
        throw new errors/* InputError */.dz(`--${flag} ${file} cannot be read: ${(0,errors/* describeError */.Uc)(cause)}`, { cause });
    }
}

// EXTERNAL MODULE: ./build/js/commands/shell.js + 2 modules
var shell = __webpack_require__(1763);
;// CONCATENATED MODULE: ./build/js/commands/run.js
// `expose run PATH`: the action's exposure on a laptop; the flags are the action's inputs.












/** As of a program that Ctrl-C has ended: 128 + SIGINT. */
const CANCELLED = 130;
/** The folder of a build that was broken off has thousands of files, and nobody comes to remove it later. */
const UNDO_MS = 30_000;
/** Input → the flag's help; inputs that only mean something in a job have no flag. */
const INPUT_FLAGS = {
    'mode MODE': 'auto, os, exec, web or port (default auto)',
    'port N': 'a local port that something already serves',
    'command LINE': 'a command to start first, with bash',
    'args LINES': 'arguments for the program in exec mode, one a line',
    'env LINES': 'KEY=VALUE lines for the app (exec and port mode)',
    'wasmrun-version V': 'install and use exactly this version',
    'vm HOST': 'what hosts the OS-mode page: node, browser or auto (default auto)',
    'browser PATH': 'Chrome or Chromium for --vm browser',
    spa: 'web mode: unknown paths answer index.html',
    'cross-origin-isolation': 'web mode: send COOP and COEP',
    'protocol PROTOCOL': 'http, or tcp for raw bytes (default http)',
    'health-path PATH': 'path that must answer before the URL is shown (default /)',
    'startup-timeout TIME': 'how long app and tunnel together may take (default 120s)',
    'server HOST': 'bore server, host or host:port; several with commas (default bore.pub)',
    'remote-port PORT': 'public port: auto (always the same), random, or a number',
    'port-range RANGE': 'where --remote-port auto picks from (default 1024-65535)',
    'public-url URL': 'template of the address behind a proxy of your own',
    'tls-cert FILE': 'certificate (PEM, with its chain): TLS ends on this machine',
    'tls-key FILE': 'its key (PEM)',
    'access KIND': 'who may open it: link (with a key), basic, or open (default link)',
    'public-paths PATTERNS': 'paths that need no key, like /webhooks/**',
    'max-body SIZE': 'longest upload (default 25MB)',
    'name NAME': 'tells previews of one folder apart, for their ports and for --session',
    'duration TIME': 'how long it stays up, like 45m (default: until Ctrl-C)',
    'log-level LEVEL': 'quiet, info or debug (default info)',
};
const run = {
    summary: 'Expose an app from this machine until Ctrl-C.',
    usage: '[PATH] [--server HOST] [--mode MODE] …',
    notes: 'Secrets come from files, or from BORE_SECRET, EXPOSE_ACCESS_KEY and EXPOSE_BASIC_AUTH,\nnever from an argument.',
    maxArguments: 1,
    flags: {
        ...INPUT_FLAGS,
        'secret-file FILE': 'file that holds the secret of the bore server',
        'access-key-file FILE': 'file that holds the key of --access link (default: a new one)',
        'basic-auth-file FILE': 'file that holds user:password for --access basic',
    },
    async run(call) {
        const { flags, shell } = call;
        const { host } = shell;
        const inputs = parseInputs(createSource(call), shell.variables, process.cwd());
        for (const warning of inputs.warnings)
            printAside(`warning: ${warning}`);
        const logger = createLogger({ level: inputs.logLevel, write: printAside });
        logger.info(`mode ${inputs.app.mode}: ${inputs.app.modeReason}`);
        // Nobody but whoever runs this knows who may see it.
        const { access, reason } = resolveAccess(inputs.gateway.access, inputs.protocol, false);
        logger.info(`access ${access.kind}: ${reason}`);
        // A program of the installation does not hear Ctrl-C itself: it has a process group of its own.
        const cancellation = new Cancellation(LEAVE_SIGNALS, { exitCode: CANCELLED, undoMs: UNDO_MS });
        const wasmrun = await cancellation.guard(signal => locateWasmrun(inputs.app, host, logger, { signal }));
        cancellation.stop();
        const config = planSupervisor({
            inputs,
            host,
            wasmrun,
            folder: createSessionFolder(host.tempFolder),
            name: inputs.name ?? (0,external_node_path_.basename)(inputs.app.path),
            identity: identifyHome(inputs, shell.user),
            access,
        });
        return runForeground(config, flags.json === true);
    },
};
/** The same for every run of the same thing on the same machine, so that its public port is the same too. */
function identifyHome({ app, name }, user) {
    return JSON.stringify([user, (0,external_node_os_.hostname)(), app.path, app.port ?? '', name ?? '']);
}
function createSource(call) {
    const { flags, positionals } = call;
    return name => {
        if (name === 'path')
            return positionals[0] ?? '.';
        if ((0,shell/* isSecret */.$)(name))
            return readSecret(name, call);
        const flag = flags[name];
        if ((name === 'tls-cert' || name === 'tls-key') && typeof flag === 'string')
            return readFlagFile(name, flag);
        return flag === undefined ? (INPUT_DEFAULTS[name] ?? '') : String(flag);
    };
}

;// CONCATENATED MODULE: ./build/js/control/client.js
// Talks to the control API: main, post, stop and the `expose` command.





const ErrorSchema = valibot_dist/* object */.Ikc({ success: valibot_dist/* literal */.euz(false), error: valibot_dist/* string */.YjP() });
/** How long an answer may take; ending an exposure drains its visitors for up to 5 s. */
const client_ANSWER_TIMEOUT_MS = 10_000;
/** Calls a route such as `POST /api/stop` and returns its JSON. Throws with the API's own error text. */
async function callControl(address, route, timeoutMs = client_ANSWER_TIMEOUT_MS) {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
        const response = await ask(address, route, signal);
        const body = await (0,consumers_.json)(response);
        if (isSuccess(response))
            return body;
        throw new Error(valibot_dist.is(ErrorSchema, body) ? body.error : `the API answered ${response.statusCode}`);
    }
    catch (error) {
        // Node's own error only says that the request was aborted.
        signal.throwIfAborted();
        throw error;
    }
}
/** Never through the job's proxy: that one has another loopback. */
function ask(address, route, signal) {
    const [method = '', path = ''] = route.split(' ');
    const headers = { Authorization: `Bearer ${address.controlToken}` };
    return askLoopback(`${address.controlUrl}${path}`, { method, headers, signal });
}
function isSuccess({ statusCode = 0 }) {
    return statusCode >= 200 && statusCode < 300;
}
/** The state now. */
async function readState(address) {
    return valibot_dist/* parse */.qgA(messages_StateMessageSchema, await callControl(address, 'GET /api/tunnel/status'));
}
/** Every state from the present one on; ends when the exposure's process does, or with the signal. */
async function* followStates(address, signal) {
    try {
        const response = await ask(address, 'GET /api/events', signal);
        if (!isSuccess(response))
            return void response.destroy();
        for await (const data of readEvents(response))
            yield v.parse(StateMessageSchema, JSON.parse(data));
    }
    catch (error) {
        // The stream breaks off when its process is gone: whoever follows it learns that from the process itself.
        if (!signal.aborted && !isConnectionLost(error))
            throw error;
    }
}
function isConnectionLost(error) {
    return hasCode(error, 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE');
}
/** The `data` of each server-sent event; our own events have one data line each. */
async function* readEvents(body) {
    let rest = '';
    // Decoded as one text, not chunk by chunk: a character may lie in two of them.
    body.setEncoding('utf8');
    for await (const text of body) {
        const events = `${rest}${text}`.split('\n\n');
        rest = events.pop() ?? '';
        for (const event of events) {
            const line = event.split('\n').find(part => part.startsWith('data: '));
            if (line !== undefined)
                yield line.slice('data: '.length);
        }
    }
}

;// CONCATENATED MODULE: ./build/js/commands/running.js
// `expose url`, `status` and `stop`: ask the exposure of this job, or of this machine.







/** Long enough for visitors to be drained. */
const STOP_TIMEOUT_MS = 20_000;
const SESSION_FLAG = {
    'session NAME': 'which exposure, where there are several (name, or the `session` output)',
};
const url = {
    summary: 'Print the public URL.',
    usage: '[--link] [--session NAME]',
    flags: { link: 'the link to click, with its key where there is one', ...SESSION_FLAG },
    async run(call) {
        const state = await readCurrent(call);
        const { public_url: url, preview_url, status } = state;
        const shown = call.flags.link ? preview_url : url;
        if (call.flags.json)
            printJson({ url, preview_url, status });
        else if (shown !== null)
            print(shown);
        else
            printAside(`expose url: there is no public address now: ${describeStatus(state)}`);
        return shown === null ? 1 : 0;
    },
};
const running_status = {
    summary: 'Print how the tunnel, the app and the exposure are.',
    usage: '[--session NAME]',
    flags: SESSION_FLAG,
    async run(call) {
        const state = await readCurrent(call);
        const fine = state.status !== 'Failed' && state.app.status !== 'failed';
        if (call.flags.json)
            printJson(state);
        else
            print(running_renderState(state));
        return fine ? 0 : 1;
    },
};
const stop = {
    summary: 'End the exposure before the job ends.',
    usage: '[--session NAME]',
    flags: SESSION_FLAG,
    async run(call) {
        const found = findSession(call);
        const { folder, session } = found;
        const running = isRunning(found);
        if (running)
            await callControl(session, 'POST /api/stop', STOP_TIMEOUT_MS);
        const message = running ? 'stopped' : 'had ended already';
        if (call.flags.json)
            printJson({ success: true, message });
        else
            print(`${(0,external_node_path_.basename)(folder)} ${message}`);
        return 0;
    },
};
function findSession({ flags, shell }) {
    const wanted = typeof flags.session === 'string' ? flags.session : undefined;
    return chooseSession(shell.sessionsFolder, wanted);
}
/** The state now, or the last one where it has ended. */
async function readCurrent(call) {
    const { folder, session } = findSession(call);
    const outcome = readOutcome(folder);
    if (outcome !== undefined)
        return outcome;
    try {
        return await readState(session);
    }
    catch (cause) {
        const ended = readOutcome(folder);
        if (ended !== undefined)
            return ended;
        const reason = isAlive(session) ? (0,errors/* describeError */.Uc)(cause) : 'its process died';
        throw new Error(`${session.name} does not answer: ${reason}`, { cause });
    }
}
function describeStatus({ status: word, tunnel_reason, exposure }) {
    const reason = exposure.phase === 'failed' ? exposure.reason : tunnel_reason;
    return reason === null ? word : `${word} (${reason})`;
}
function running_renderState(state) {
    const { app, exposure } = state;
    const rows = [
        ['tunnel', describeStatus(state)],
        ['url', state.public_url],
        ['link', state.preview_url === state.public_url ? null : state.preview_url],
        ['connect', renderClientLine(state.public_url ?? '') ?? null],
        [
            'app',
            `${app.status} (mode ${state.mode}${app.port === null ? '' : `, port ${app.port}`})${app.reason === null ? '' : `: ${app.reason}`}`,
        ],
        ['exposure', exposure.phase === 'ended' ? `ended: ${exposure.reason}` : exposure.phase],
        [
            'ends',
            exposure.phase === 'live' ? (exposure.expires_at ?? 'with its job, or when it is stopped') : null,
        ],
        [
            'so far',
            `${state.visits} visits, ${state.reconnects} reconnects, ${state.address_changes} changes of address, ${state.restarts} restarts`,
        ],
        ...state.warnings.map((warning) => ['warning', warning]),
    ];
    return rows.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(9)}${value}`])).join('\n');
}

;// CONCATENATED MODULE: ./build/js/commands/server.js
// `expose server`: the embedded bore-compatible server, for laptops and tests.








const server = {
    summary: 'Run a bore-compatible server; for anything public use the real `bore server`.',
    usage: '[--port 7835] [--min-port 1024] [--max-port 65535]',
    notes: 'The secret comes from BORE_SECRET or --secret-file; without one, everybody may open tunnels.',
    flags: {
        'host ADDRESS': 'address to listen on (default 127.0.0.1; 0.0.0.0 for everybody)',
        'port N': `control port (default ${DEFAULT_CONTROL_PORT})`,
        'min-port N': 'lowest public port (default 1024)',
        'max-port N': 'highest public port (default 65535)',
        'secret-file FILE': 'file that holds the secret',
    },
    async run(call) {
        const { flags } = call;
        // One server, one secret: line ends around it mean nothing.
        const secret = readSecret('secret', call).trim();
        const host = typeof flags.host === 'string' ? flags.host : '127.0.0.1';
        const minPort = server_readPort(flags, 'min-port', 1024);
        const maxPort = server_readPort(flags, 'max-port', 65_535);
        if (minPort > maxPort)
            throw new errors/* InputError */.dz(`--min-port ${minPort} is above --max-port ${maxPort}`);
        const running = await startBoreServer({
            host,
            controlPort: server_readPort(flags, 'port', DEFAULT_CONTROL_PORT),
            minPort,
            maxPort,
            ...(secret !== '' && { secret }),
            logger: createLogger({
                level: 'info',
                hidden: [secret],
                write: printAside,
            }),
        });
        const address = { host, port: running.controlPort, minPort, maxPort, secret: secret !== '' };
        const text = `listening on ${host}:${running.controlPort}, public ports ${minPort} to ${maxPort}, ${secret === '' ? 'no secret' : 'secret required'}`;
        if (flags.json)
            printJson(address);
        else
            print(text);
        await Promise.race([(0,external_node_events_.once)(process, 'SIGINT'), (0,external_node_events_.once)(process, 'SIGTERM')]);
        await running.stop();
        return 0;
    },
};
function server_readPort(flags, name, fallback) {
    const text = flags[name];
    return parseWholeNumber(typeof text === 'string' ? text : undefined, `--${name}`, 0, 65_535) ?? fallback;
}

;// CONCATENATED MODULE: ./build/js/commands/commands.js
// The commands by name, what each prints as help, and how their errors become exit codes. Used by cli.









const COMMANDS = { demo: demo, run: run, server: server, url: url, status: running_status, stop: stop };
const COMMON_FLAGS = {
    json: 'print JSON instead of text',
    help: 'print this',
};
/** Runs `expose ARGUMENTS`; errors are printed, never thrown. */
async function commands_runCommand(args, shell) {
    const [name = '', ...rest] = args;
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (command === undefined) {
        const asked = ['', 'help', '--help', '-h'].includes(name);
        if (!asked)
            printAside(`expose: there is no command '${sanitise(name)}'\n`);
        (asked ? print : printAside)(renderOverview());
        return asked && name !== '' ? 0 : 2;
    }
    try {
        const call = parseCall(command, rest, shell);
        if (call.flags.help) {
            print(renderHelp(name, command));
            return 0;
        }
        return await command.run(call);
    }
    catch (error) {
        const lines = (0,errors/* describeError */.Uc)(error).split('\n');
        printAside(lines.map(line => `expose ${name}: ${line}`).join('\n'));
        return error instanceof errors/* InputError */.dz ? 2 : 1;
    }
}
function parseCall(command, args, shell) {
    const options = Object.fromEntries(Object.keys({ ...command.flags, ...COMMON_FLAGS }).map(flag => {
        const [name = '', value] = flag.split(' ');
        return [name, { type: value === undefined ? 'boolean' : 'string' }];
    }));
    try {
        const { values, positionals } = (0,external_node_util_.parseArgs)({ args: [...args], options, allowPositionals: true });
        const extra = positionals[command.maxArguments ?? 0];
        if (extra !== undefined && !values.help)
            throw new errors/* InputError */.dz(`nothing can be done with the argument '${sanitise(extra)}'; see --help`);
        return { flags: values, positionals, shell };
    }
    catch (cause) {
        if (cause instanceof errors/* InputError */.dz)
            throw cause;
        throw new errors/* InputError */.dz(`${describeMisuse(cause)}; see --help`);
    }
}
/** Node's own texts begin with what is wrong, and go on with advice that is none here. */
function describeMisuse(error) {
    const [message = ''] = (0,errors/* describeError */.Uc)(error).split(/\. (?=[A-Z])/);
    if (!(0,errors/* hasCode */.up)(error, 'ERR_PARSE_ARGS_UNKNOWN_OPTION'))
        return sanitise(message);
    const flag = /'(-[^']*)'/.exec(message)?.[1] ?? '';
    const secret = Object.entries(shell/* SECRET_VARIABLES */.V).find(([name]) => flag === `--${name}`);
    return secret !== undefined
        ? `a secret as an argument can be read by every user of this machine: set ${secret[1]}, or give ${flag}-file FILE`
        : `there is no flag ${sanitise(flag)}`;
}
function renderOverview() {
    const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(8)} ${summary}`);
    return `Usage: expose COMMAND [--help]\n\n${rows.join('\n')}\n\nTry \`expose demo\`: it needs no server and no account.`;
}
function renderHelp(name, command) {
    const flags = Object.entries({ ...command.flags, ...COMMON_FLAGS });
    const width = Math.max(...flags.map(([flag]) => flag.length));
    const rows = flags.map(([flag, meaning]) => `  --${flag.padEnd(width)}  ${meaning}`);
    const notes = command.notes === undefined ? '' : `\n${command.notes}`;
    const usage = `expose ${name} ${command.usage}`.trimEnd();
    return `Usage: ${usage}\n\n${command.summary}${notes}\n\n${rows.join('\n')}`;
}


/***/ }),

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
