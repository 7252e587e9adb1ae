export const id = 41;
export const ids = [41,66];
export const modules = {

/***/ 8041:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  runCommand: () => (/* binding */ commands_runCommand)
});

// EXTERNAL MODULE: external "node:util"
var external_node_util_ = __webpack_require__(7975);
// EXTERNAL MODULE: ./build/js/shared/errors.js
var errors = __webpack_require__(3903);
;// CONCATENATED MODULE: ./build/js/shared/sanitise.js
// The one sanitiser for every text that visitors, apps and pull requests can influence. Used wherever such a text is
// printed, logged or put into a message.
/** Longest piece of untrusted text that is shown, in characters. */
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
    // Cut again: escaping makes text longer.
    return shorten(clean, maxLength);
}
/** Makes text of several lines harmless, line by line, without a limit of length. */
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

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(7598);
// EXTERNAL MODULE: external "node:fs"
var external_node_fs_ = __webpack_require__(3024);
// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __webpack_require__(6760);
;// CONCATENATED MODULE: ./build/js/shared/duration.js
// Durations as people write them in workflows: `90s`, `45m`, `1h30m`. Used by inputs, log lines and reports.

/**
 * 24 days: the longest duration of any input. Node's timers take 2^31 - 1 ms (24.8 days) and turn longer ones into 1
 * ms; the difference is room for what the code adds to a duration.
 */
const MAX_DURATION_MS = 24 * 24 * 3_600_000;
const UNITS_MS = { h: 3_600_000, m: 60_000, s: 1_000 };
/** Milliseconds of `1h30m`, `45m` or `90s`; `input` names the input in the InputError. */
function parseDuration(text, input) {
    const match = /^(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?$/.exec(text.trim().toLowerCase());
    const [hours, minutes, seconds] = (match ?? []).slice(1).map(part => Number(part ?? 0));
    const total = (hours ?? 0) * UNITS_MS.h + (minutes ?? 0) * UNITS_MS.m + (seconds ?? 0) * UNITS_MS.s;
    if (match === null || total === 0)
        throw new errors/* InputError */.dz(`\`${input}\` is '${text}', which is not a duration: write it like 90s, 45m or 1h30m`);
    if (total > MAX_DURATION_MS)
        throw new errors/* InputError */.dz(`\`${input}\` is '${text}': no duration is longer than ${MAX_DURATION_MS / UNITS_MS.h}h (24 days)`);
    return total;
}
/** `1h 30m`, `45m`, `12s`: the two largest units, rounded down. */
function duration_formatDuration(ms) {
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

;// CONCATENATED MODULE: ./build/js/shared/log.js
// The logger. Used in every folder; each program decides where the lines go.

const LOG_LEVELS = ['quiet', 'info', 'debug'];
/**
 * A logger that passes finished lines (no line break) to `write`. Every line goes through the sanitiser without its
 * length limit, and each of the `hidden` texts is replaced by `***`.
 */
function createLogger(options) {
    // The longest first: otherwise a secret that begins with another one would leave its end behind.
    const hidden = (options.hidden ?? []).filter(text => text !== '').sort((a, b) => b.length - a.length);
    const logAt = (level) => (message) => {
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
    return { debug: logAt('debug'), info: logAt('info'), warn: logAt('warn'), error: logAt('error') };
}
const silentLogger = { debug() { }, info() { }, warn() { }, error() { } };

;// CONCATENATED MODULE: ./build/js/shared/public-url.js
// How the public address is written: the templates of `public-url`, IPv6 brackets, and the command to paste for TCP.
// Used wherever an address is parsed, printed or dialled.
/** The bore server's own address, without a proxy in front. */
const PLAIN_PUBLIC_URLS = { http: 'http://{host}:{port}', tcp: 'tcp://{host}:{port}' };
/** The bore server's own address if TLS ends on the runner. */
const TLS_PUBLIC_URL = 'https://{host}:{port}';
/** Whether this is the bore server's own address, without a proxy in front; `endsTls`: TLS ends on the runner. */
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
/** The command to paste for `tcp://host:port`; undefined for an http(s) URL. */
function renderClientLine(url) {
    const parsed = URL.parse(url);
    if (parsed?.protocol !== 'tcp:')
        return undefined;
    return `nc ${stripBrackets(parsed.hostname)} ${parsed.port}`;
}
/** Whether the `hostname` of a URL is a name of the machine itself: secure contexts in browsers, even over http. */
function isLoopbackName(hostname) {
    return /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}
/** The client line, indented by two and with a newline; '' for http(s). */
function renderClientRow(url) {
    const line = renderClientLine(url);
    return line === undefined ? '' : `  ${line}\n`;
}

;// CONCATENATED MODULE: ./build/js/shared/state.js
// What is known about one exposure: two facts (tunnel, app) and the phase they add up to.
// exposure.ts is the only writer; control, github and the gateway's pages only read.
/**
 * Why the public address is unverified: no answer (no hairpin NAT), an answer without our proof, or, with `protocol:
 * tcp`, the app was down.
 */
const UNVERIFIED_REASONS = ['silent', 'unproved', 'app away'];
/** The four ways the app can be run; `auto` is resolved before anything starts. */
const APP_MODES = ['os', 'exec', 'web', 'port'];
/** What visitors send: HTTP requests, which the gateway reads, or bytes that reach the app unread. */
const PROTOCOLS = ['http', 'tcp'];
/**
 * Why an exposure ended as planned. A new reason also needs a sentence in github/comment/markdown.ts, and a place in
 * control/api.ts if clients may give it.
 */
const END_REASONS = ['job ended', 'duration over', 'continue file', 'stopped', 'runner gone'];

// EXTERNAL MODULE: ./node_modules/valibot/dist/index.mjs
var dist = __webpack_require__(7934);
;// CONCATENATED MODULE: ./build/js/app/program.js
// The types that all modes share: what to run, what it is started with, and the running program. Used by app.ts and the
// modes; AppSpec is a part of the exposure's configuration, too.

const VM_HOSTS = ['auto', 'node', 'browser'];
const Port = dist/* pipe */.FsL(dist/* number */.aig(), dist/* integer */.ndf(), dist/* minValue */.Wwf(1), dist/* maxValue */.cGV(65_535));
/** What to run: the inputs are checked, and wasmrun is installed. Paths are absolute. */
const AppSpecSchema = dist/* variant */.Oxt('mode', [
    dist/* object */.Ikc({
        mode: dist/* literal */.euz('os'),
        path: dist/* string */.YjP(),
        wasmrun: dist/* string */.YjP(),
        vm: dist/* picklist */.KIO(VM_HOSTS),
        /** Chrome or Chromium; absent: the usual places are searched when it is needed. */
        browser: dist/* optional */.lqM(dist/* string */.YjP()),
        /** The bundle (or source) that hosts the page under Node. */
        pageHostScript: dist/* string */.YjP(),
    }),
    dist/* object */.Ikc({ mode: dist/* literal */.euz('exec'), path: dist/* string */.YjP(), wasmrun: dist/* string */.YjP(), args: dist/* array */.YOg(dist/* string */.YjP()) }),
    dist/* object */.Ikc({
        mode: dist/* literal */.euz('web'),
        path: dist/* string */.YjP(),
        spa: dist/* boolean */.zMY(),
        /** True sends COOP and COEP with `require-corp`. */
        crossOriginIsolation: dist/* union */.KCZ([dist/* boolean */.zMY(), dist/* literal */.euz('credentialless')]),
        /** Where visitors see the folder, like /repo/; absent: at /. */
        basePath: dist/* optional */.lqM(dist/* string */.YjP()),
        /** Absent: yes. */
        compress: dist/* optional */.lqM(dist/* boolean */.zMY()),
    }),
    dist/* object */.Ikc({
        mode: dist/* literal */.euz('port'),
        path: dist/* string */.YjP(),
        port: dist/* optional */.lqM(Port),
        /** The machine of the port, if it is another one: a name, or an IP address without brackets. */
        service: dist/* optional */.lqM(dist/* string */.YjP()),
        command: dist/* optional */.lqM(dist/* string */.YjP()),
    }),
]);

;// CONCATENATED MODULE: ./build/js/app/project/project-file.js
// Reads the small files of a project: wasmrun.toml, package.json, .gitignore, and of a build: _redirects, _headers.
// Used by the other files of this folder, and by web/host-files.ts. A pull request may commit anything under these names,
// even a link to a device or to a secret.




/** Far more than a file written by hand has. */
const MAX_BYTES = 1024 * 1024;
/**
 * The text, or undefined if there is no such file. A link, a device or a pipe counts as absent and is never waited for.
 * Throws an InputError with the name for a file over 1 MB, or one that cannot be read.
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
/** Whether a path from such a file leaves the project. */
function leadsOut(path) {
    return external_node_path_.posix.isAbsolute(path) || external_node_path_.posix.normalize(path).split('/')[0] === '..';
}

;// CONCATENATED MODULE: ./build/js/app/project/entry-file.js
// Which file of a Node.js project is run. Used by mode.ts to recognise a project, and by staging.ts to check that the
// file is copied. wasmrun 1.0.0 recognises a project by fewer names than those under which its page finds the program.
// start-page.ts and web/source-page.ts also use `isFile`.





/** Where wasmrun's page looks for the program, in its order, after wasmrun.toml and package.json. */
const ENTRY_FILES = [
    'index',
    'src/index',
    'main',
    'app',
    'src/main',
    'src/app',
    'server',
    'src/server',
].map(name => `${name}.js`);
/** Those by which wasmrun recognises a Node.js project that has no package.json. */
const DETECTED_FILES = ENTRY_FILES.filter(name => !name.includes('/'));
/** A member of another type counts as absent. */
const EntryName = dist/* fallback */.NpB(dist/* optional */.lqM(dist/* string */.YjP()), undefined);
const PackageSchema = dist/* object */.Ikc({ main: EntryName, module: EntryName });
/** The entry files that package.json names, as they are written there; none if it cannot be parsed. */
function readPackage(folder) {
    try {
        const { main, module } = dist/* parse */.qgA(PackageSchema, JSON.parse(readProjectFile(folder, 'package.json') ?? ''));
        return { main: main || undefined, module: module || undefined };
    }
    catch (error) {
        if (error instanceof errors/* InputError */.dz)
            throw error;
        return { main: undefined, module: undefined };
    }
}
function isFile(path) {
    return statPath(path)?.isFile() ?? false;
}
/** Undefined if nothing is at the path. Throws an InputError if that cannot be found out. */
function statPath(path) {
    try {
        return (0,external_node_fs_.statSync)(path, { throwIfNoEntry: false });
    }
    catch (error) {
        // The last two: `main` of package.json may be any text.
        if ((0,errors/* hasCode */.up)(error, 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'))
            return undefined;
        throw new errors/* InputError */.dz(`path: ${sanitise(path)} cannot be read; check its permissions`, { cause: error });
    }
}

;// CONCATENATED MODULE: ./build/js/app/project/lfs-pointer.js
// Recognises a pointer of Git LFS, which is in the place of a file if the checkout did not fetch it (git-lfs,
// docs/spec.md). Used for .wasm files, and by `mode: web` for all others.
/** Enough of a file's beginning for `isLfsPointer`. */
const LFS_START_BYTES = 40;
/** `start`: the beginning of the file, as latin1 or UTF-8. The second host is that of versions before 1.0. */
function isLfsPointer(start) {
    return /^version https:\/\/(git-lfs|hawser)\.github\.com\//.test(start);
}

;// CONCATENATED MODULE: ./build/js/app/project/wasm-sections.js
// Reads what a WebAssembly file imports and exports, without compiling it: only the head of each section is read, so
// that a file of any size takes a millisecond. Used by wasm-file.ts. Formats: WebAssembly core 3.0, "Binary Format";
// Component Model, "Binary.md" (its outer sections have the same form).

/** A section reaches beyond the end of the file. */
class CutOffError extends Error {
    /** How many bytes the file should have at least. */
    expected;
    constructor(expected) {
        super(`a section ends at byte ${expected}`);
        this.expected = expected;
    }
}
/** The file uses an encoding that this reader does not know. */
class UnknownEncodingError extends Error {
}
/** Magic number, version and layer. */
const PREAMBLE_BYTES = 8;
/** Id and size of a section: one byte, and a number of at most five. */
const SECTION_HEAD_BYTES = 6;
/** Compilers write a few hundred at most. */
const MAX_SECTIONS = 100_000;
/** Far more than the names of any program. */
const MAX_NAMES_BYTES = 16 * 1024 * 1024;
const MODULE_IDS = { import: 2, memory: 5, export: 7, start: 8 };
/** In the flags of limits. */
const SHARED = 0x02;
const COMPONENT_IDS = { import: 10, export: 11 };
/** Throws a CutOffError or an UnknownEncodingError. */
function readModuleSections(opened) {
    const sections = listSections(opened);
    const bytesOf = (id) => readBodies(opened, sections, id);
    const imports = bytesOf(MODULE_IDS.import).flatMap(parseImports);
    const memories = bytesOf(MODULE_IDS.memory).flatMap(parseMemories);
    return {
        imports: imports.map(({ module, name, isFunction }) => ({ module, name, isFunction })),
        functions: new Set(bytesOf(MODULE_IDS.export).flatMap(parseFunctionExports)),
        hasStart: sections.some(({ id }) => id === MODULE_IDS.start),
        sharesMemory: [...memories, ...imports.map(({ memory }) => memory)].some(flags => (flags & SHARED) !== 0),
    };
}
/**
 * The texts that hold the names of a component's imports and exports (`wasi:http/incoming-handler@0.2.3`), between
 * other bytes. Throws a CutOffError or an UnknownEncodingError.
 */
function readComponentNames(opened) {
    const sections = listSections(opened);
    const textOf = (id) => readBodies(opened, sections, id)
        .map(body => body.toString('latin1'))
        .join('\n');
    return { imports: textOf(COMPONENT_IDS.import), exports: textOf(COMPONENT_IDS.export) };
}
function listSections(opened) {
    const sections = [];
    for (let at = PREAMBLE_BYTES; at < opened.size;) {
        const head = readSectionHead(opened, at);
        const section = { ...head, start: at + head.length };
        at = section.start + section.size;
        if (at > opened.size)
            throw new CutOffError(at);
        sections.push(section);
        if (sections.length > MAX_SECTIONS)
            throw new UnknownEncodingError('too many sections');
    }
    return sections;
}
function readSectionHead(opened, at) {
    const bytes = new Bytes(readAt(opened, at, SECTION_HEAD_BYTES));
    try {
        return { id: bytes.byte(), size: bytes.number(), length: bytes.position };
    }
    catch (error) {
        if (at + SECTION_HEAD_BYTES > opened.size)
            throw new CutOffError(opened.size + 1);
        throw error;
    }
}
function readBodies(opened, sections, id) {
    const wanted = sections.filter(section => section.id === id);
    if (wanted.reduce((sum, { size }) => sum + size, 0) > MAX_NAMES_BYTES)
        throw new UnknownEncodingError('too many names');
    return wanted.map(({ start, size }) => readAt(opened, start, size));
}
function readAt({ file }, position, length) {
    const buffer = Buffer.alloc(length);
    const read = (0,external_node_fs_.readSync)(file, buffer, 0, length, position);
    return buffer.subarray(0, read);
}
/** `memory`: the flags of an imported memory, otherwise 0. */
function parseImports(body) {
    const bytes = new Bytes(body);
    return Array.from(bytes.counts(), () => ({
        module: bytes.name(),
        name: bytes.name(),
        ...readImportType(bytes),
    }));
}
/** The flags of each memory. */
function parseMemories(body) {
    const bytes = new Bytes(body);
    return Array.from(bytes.counts(), () => readLimits(bytes));
}
function readImportType(bytes) {
    const kind = bytes.byte();
    if (kind === 2)
        return { isFunction: false, memory: readLimits(bytes) };
    if (kind === 0)
        bytes.skipNumber();
    else if (kind === 1) {
        skipValueType(bytes);
        readLimits(bytes);
    }
    else if (kind === 3) {
        skipValueType(bytes);
        bytes.byte();
    }
    else if (kind === 4) {
        bytes.byte();
        bytes.skipNumber();
    }
    else
        throw new UnknownEncodingError(`import of kind ${kind}`);
    return { isFunction: kind === 0, memory: 0 };
}
/** One byte, or for a typed reference a byte and its heap type. */
function skipValueType(bytes) {
    const type = bytes.byte();
    if (type === 0x63 || type === 0x64)
        bytes.skipNumber();
}
/** Returns the flags. */
function readLimits(bytes) {
    const flags = bytes.byte();
    bytes.skipNumber();
    if ((flags & 0x01) !== 0)
        bytes.skipNumber();
    // The custom page size of a memory.
    if ((flags & 0x08) !== 0)
        bytes.skipNumber();
    return flags;
}
function parseFunctionExports(body) {
    const bytes = new Bytes(body);
    const names = [];
    for (const _ of bytes.counts()) {
        const name = bytes.name();
        const kind = bytes.byte();
        bytes.skipNumber();
        if (kind === 0)
            names.push(name);
    }
    return names;
}
/** Reads values one after another; throws an UnknownEncodingError where there is none. */
class Bytes {
    #bytes;
    position = 0;
    constructor(bytes) {
        this.#bytes = bytes;
    }
    byte() {
        const byte = this.#bytes[this.position];
        if (byte === undefined)
            throw new UnknownEncodingError('a value is missing');
        this.position += 1;
        return byte;
    }
    /** An unsigned number of at most 32 bits, LEB128. */
    number() {
        let value = 0;
        for (let shift = 0; shift < 35; shift += 7) {
            const byte = this.byte();
            value += (byte & 0x7f) * 2 ** shift;
            if ((byte & 0x80) === 0)
                return value;
        }
        throw new UnknownEncodingError('a number is too long');
    }
    /** Of any size, signed or not. */
    skipNumber() {
        while ((this.byte() & 0x80) !== 0)
            ;
    }
    name() {
        const length = this.number();
        const name = this.#bytes.toString('utf8', this.position, this.position + length);
        this.position += length;
        return name;
    }
    /** Counts up to a number that is read now; a number that is too large ends in an error, not in memory. */
    *counts() {
        const count = this.number();
        for (let index = 0; index < count; index += 1)
            yield index;
    }
}

;// CONCATENATED MODULE: ./build/js/app/project/wasm-file.js
// What a .wasm file really is, from its bytes: people also put pointers, error pages and compressed files there. Used
// by exec-file.ts, and for the files of a built web app.






/** Enough for the magic number of every format, and for the first words of a text. */
const HEAD_BYTES = 1_024;
const MAGIC = '\0asm';
const wasm_file_PREAMBLE_BYTES = 8;
const SHOWN_CHARACTERS = 40;
/** Reads a regular file, or a link to one. Throws an InputError if it cannot be read. */
function readWasmFile(path) {
    const file = wasm_file_open(path);
    try {
        const found = (0,external_node_fs_.fstatSync)(file);
        const head = Buffer.alloc(HEAD_BYTES);
        const length = found.isFile() ? (0,external_node_fs_.readSync)(file, head, 0, HEAD_BYTES, 0) : 0;
        return recognise({ file, size: found.size }, head.subarray(0, length), (0,external_node_path_.basename)(path));
    }
    finally {
        (0,external_node_fs_.closeSync)(file);
    }
}
function wasm_file_open(path) {
    try {
        // Without O_NONBLOCK, opening a pipe waits for its writer.
        return (0,external_node_fs_.openSync)(path, external_node_fs_.constants.O_RDONLY | external_node_fs_.constants.O_NONBLOCK);
    }
    catch (cause) {
        throw new errors/* InputError */.dz(`path: ${sanitise(path)} cannot be read; check its permissions`, { cause });
    }
}
function recognise(opened, head, name) {
    if (head.toString('latin1', 0, MAGIC.length) !== MAGIC)
        return broken(describeOther(head, name));
    if (head.length < wasm_file_PREAMBLE_BYTES)
        return broken(describeCut(opened.size, wasm_file_PREAMBLE_BYTES));
    const [version, layer] = [head.readUInt16LE(4), head.readUInt16LE(6)];
    if (layer > 1 || (layer === 0 && version !== 1))
        return broken(`is WebAssembly of version ${version}${layer > 0 ? `, layer ${layer}` : ''}, which nothing runs; build it with a released compiler (version 1)`);
    try {
        return layer === 1
            ? { kind: 'component', ...readComponentNames(opened) }
            : { kind: 'module', sections: readModuleSections(opened) };
    }
    catch (error) {
        if (error instanceof CutOffError)
            return broken(describeCut(opened.size, error.expected));
        if (!(error instanceof UnknownEncodingError))
            throw error;
        return layer === 1
            ? { kind: 'component', exports: '', imports: '' }
            : { kind: 'module', sections: undefined };
    }
}
const broken = (problem) => ({ kind: 'broken', problem });
function describeCut(size, expected) {
    return `is cut off or damaged: it has ${size} bytes, and its contents need at least ${expected}; was its build, copy or download interrupted?`;
}
/** The first bytes of what people have by mistake under this name, as latin1, and what it is. */
const FORMATS = [
    ['\x1f\x8b', 'is compressed (gzip); unpack it first: `gunzip`'],
    ['\x28\xb5\x2f\xfd', 'is compressed (zstd); unpack it first: `zstd -d`'],
    ['\xfd7zXZ\0', 'is compressed (xz); unpack it first: `xz -d`'],
    ['BZh', 'is compressed (bzip2); unpack it first: `bzip2 -d`'],
    ['PK\x03\x04', 'is a zip archive; unpack it first: `unzip`'],
    ['7z\xbc\xaf\x27\x1c', 'is a 7z archive; unpack it first'],
    ['!<arch>\n', 'is an archive of object files (.a), not linked yet; link it into a program'],
    ['BC\xc0\xde', 'is LLVM bitcode, not linked yet; link it into a program'],
    ['wasmer', 'was compiled by Wasmer for one kind of machine; give the .wasm file that it was made from'],
    // XCOFF and Java's class files are rarer than a program for the Mac.
    ...['\xfe\xed\xfa\xce', '\xfe\xed\xfa\xcf', '\xce\xfa\xed\xfe', '\xcf\xfa\xed\xfe', '\xca\xfe\xba\xbe'].map(start => [start, describeNative('macOS')]),
    ['MZ', describeNative('Windows')],
];
/** Wasmtime's compiled programs are ELF files with this number of an operating system (ELFOSABI_WASMTIME). */
const WASMTIME_ABI = 200;
function describeNative(system) {
    return `is a program for ${system}, not WebAssembly; build it for wasm32-wasip1, or start it with \`command\``;
}
function describeOther(head, name) {
    if (head.length === 0)
        return 'is empty (0 bytes); look at the step that should have written it';
    const start = head.toString('latin1');
    const format = FORMATS.find(([magic]) => start.startsWith(magic));
    if (format !== undefined)
        return format[1];
    if (start.startsWith('\x7fELF'))
        return head[7] === WASMTIME_ABI
            ? 'was compiled by Wasmtime for one kind of machine (.cwasm); give the .wasm file that it was made from'
            : describeNative('Linux');
    const text = readText(head);
    if (text !== undefined)
        return describeText(text, name);
    const bytes = head.subarray(0, 4).toString('hex').replace(/..\B/g, '$& ');
    return `is not WebAssembly, which begins with the bytes 00 61 73 6d: it begins with ${bytes}. Look at the step that wrote it; if it is compressed (brotli), unpack it first`;
}
/** Undefined if the bytes are not text: those have no control characters. The last one may be cut in the middle. */
function readText(head) {
    const text = head.toString('utf8').replace(/\ufffd$/, '');
    return /[\u0000-\u0008\u000e-\u001a\u001c-\u001f\ufffd]/.test(text)
        ? undefined
        : text.replace(/^\ufeff/, '');
}
function describeText(text, name) {
    if (isLfsPointer(text))
        return 'is a Git LFS pointer, not the file itself; add `lfs: true` to actions/checkout';
    const trimmed = text.trimStart();
    if (/^(<!doctype html|<html|<head|<body|<\?xml|<!--)/i.test(trimmed))
        return 'is an HTML or XML page, not WebAssembly: a download probably saved an error page; check its address, and let it fail on errors (`curl -f`)';
    // Comments may come first.
    if (/^(;;[^\n]*\n\s*|\(;[\s\S]*?;\)\s*)*\(\s*(module|component|type|func|import|export|memory)\b/.test(trimmed))
        return `is WebAssembly as text; translate it first: \`wat2wasm ${sanitise(name.replace(/\.wasm$/, '.wat'))}\``;
    if (trimmed.startsWith('AGFzb'))
        return 'is WebAssembly as base64 text; decode it first: `base64 -d`';
    const shown = sanitise(trimmed.split('\n')[0]?.trim() ?? '', SHOWN_CHARACTERS);
    return `is text that begins with '${shown}', not WebAssembly; look at the step that wrote it`;
}

;// CONCATENATED MODULE: ./build/js/app/project/exec-file.js
// Checks that a .wasm file is a program that `mode: exec` can run and that can take connections. Used by mode.ts before
// anything starts. What wasmrun 1.0.0 offers is in its sources: runtime/wasi/mod.rs and runtime/core/native_executor.rs.




const WASI = 'wasi_snapshot_preview1';
/** wasmrun runs the start section, else one of these exports; never two of them. */
const ENTRIES = ['main', '_start'];
/** The version that docs/exec.md and its test use. */
const JCO = '@bytecodealliance/jco@1.35.0';
/** Names in one message: enough to recognise the program. */
const MAX_NAMES = 5;
/** Throws an InputError that says what the file is, and what to do. Returns a warning if the program may not work. */
function checkExecFile(path) {
    const wasm = readWasmFile(path);
    const problem = findProblem(wasm, (0,external_node_path_.basename)(path));
    if (problem !== undefined)
        throw new errors/* InputError */.dz(`path: ${sanitise(path)} ${problem}`);
    const doubt = wasm.kind === 'module' && wasm.sections ? findDoubt(wasm.sections) : undefined;
    return doubt && `${sanitise((0,external_node_path_.basename)(path))} ${doubt}`;
}
function findDoubt({ imports, functions, hasStart }) {
    const unused = ENTRIES.find(entry => functions.has(entry));
    if (hasStart && unused !== undefined)
        return (`has a start section, which wasmrun runs instead of \`${unused}\`, so the program may end at once; with ` +
            'AssemblyScript, write it as top-level code and build it with `--exportStart _start`');
    const missing = listForeignImports(imports);
    if (missing.length === 0)
        return undefined;
    return `imports functions that wasmrun does not have, and ends if it calls one of them: ${sanitise(missing.join(', '))}`;
}
/** What people have in place of the .wasm file itself: `app.wasm.gz`, `app.wat`, `app.cwasm`. */
const RELATED_NAME = /\.(wat|wast|cwasm|wasm\.[a-z0-9]+)$/i;
/**
 * For a file with another name: throws an InputError if it is WebAssembly, which wasmrun takes only under a name in
 * .wasm, or if it is made from a .wasm file.
 */
function checkOtherName(path, found) {
    if (!found.isFile())
        return;
    const wasm = readWasmFile(path);
    if (wasm.kind !== 'broken')
        throw new errors/* InputError */.dz(`path: ${sanitise(path)} is WebAssembly, but wasmrun takes only names that end in .wasm; rename it`);
    if (RELATED_NAME.test(path))
        throw new errors/* InputError */.dz(`path: ${sanitise(path)} ${wasm.problem}`);
}
/**
 * Only a warning is due: wasmrun looks a function up when it is called. Those of WASI preview 1 are left out, because
 * libraries import more of it than they call.
 */
function listForeignImports(imports) {
    return (imports
        // AssemblyScript calls `env.abort` only to report an error that ends the program anyway.
        .filter(({ module, name }) => module !== WASI && !(module === 'env' && name === 'abort'))
        // wasmrun makes a memory and globals itself (clang's and AssemblyScript's option to import the memory).
        .filter(({ isFunction }) => isFunction)
        .map(({ module, name }) => `${module}.${name}`));
}
function findProblem(wasm, name) {
    switch (wasm.kind) {
        case 'broken':
            return wasm.problem;
        case 'component':
            return describeComponent(wasm, sanitise(name));
        case 'module':
            return wasm.sections && findModuleProblem(wasm.sections);
    }
}
function describeComponent(component, name) {
    if (/wasi:http\/(incoming-)?handler\b/.test(component.exports))
        return ('is a WebAssembly component that answers HTTP (wasi:http), and `mode: exec` runs core modules only. ' +
            `Serve it with jco: leave \`mode\` out, set \`path\` to its folder and \`command\` to \`npx --yes ${JCO} serve --port "$PORT" ${name}\``);
    const what = component.exports.includes('wasi:cli/run')
        ? 'is a WebAssembly component with a command (wasi:cli)'
        : 'is a WebAssembly component';
    return `${what}, and \`mode: exec\` runs core modules only; build it for wasm32-wasip1, or start it with \`command\` and a runtime for components`;
}
function findModuleProblem({ imports, functions, hasStart }) {
    const hasEntry = hasStart || ENTRIES.some(entry => functions.has(entry));
    const takesConnections = imports.some(({ module, name }) => module === WASI && name === 'sock_accept');
    if (hasEntry && takesConnections)
        return undefined;
    const builder = findBrowserBuilder(imports);
    if (builder !== undefined)
        return `was built for the browser (${builder}), and \`mode: exec\` has no page; give the folder with its index.html (\`mode: web\`)`;
    if (!hasEntry)
        return describeLibrary(functions);
    if (imports.some(({ module }) => module === 'wasi_unstable'))
        return 'was built for an early form of WASI (wasi_unstable), which wasmrun does not have; build it with a newer compiler, for wasm32-wasip1';
    return ('can take no connections: it does not import `sock_accept` of WASI preview 1, and a program in `mode: exec` gets ' +
        `its listening socket in WASMHUB_LISTEN_FD (see docs/exec.md). It imports ${listModules(imports)}`);
}
function describeLibrary(functions) {
    const exported = functions.size === 0 ? 'nothing' : [...functions].slice(0, MAX_NAMES).join(', ');
    return (`is a library: it has no \`_start\` or \`main\` to run, and exports ${sanitise(exported)}; build a program ` +
        '(with a main function, for wasm32-wasip1), or give the folder of the page that loads it (`mode: web`)');
}
function listModules(imports) {
    const modules = [...new Set(imports.map(({ module }) => module))];
    if (modules.length === 0)
        return 'nothing';
    return `from ${sanitise(modules.slice(0, MAX_NAMES).join(', '))}`;
}
/** The tool whose JavaScript a module needs, by its imports. */
function findBrowserBuilder(imports) {
    const from = (pattern) => imports.some(({ module }) => pattern.test(module));
    if (from(/^(__wbindgen|wbg$)|_bg\.js$/))
        return 'wasm-bindgen';
    if (from(/^(gojs|go)$/))
        return 'Go with GOOS=js';
    if (from(/^dart2wasm/))
        return 'Dart';
    if (from(/^js_code$|\.uninstantiated\.mjs$/))
        return 'Kotlin';
    const isEmscripten = imports.some(({ module, name }) => (module === 'env' && /^(_?emscripten_|__syscall_|invoke_|_embind_|__cxa_throw$)/.test(name)) ||
        // Emscripten shortens all names in optimised builds.
        (module === 'a' && name.length <= 3));
    return isEmscripten ? 'Emscripten' : undefined;
}

// EXTERNAL MODULE: ./node_modules/smol-toml/dist/index.js + 8 modules
var smol_toml_dist = __webpack_require__(3292);
;// CONCATENATED MODULE: ./build/js/app/project/project-config.js
// Reads a project's wasmrun.toml. Used by mode.ts before anything is started, and by staging.ts for the copy.





const CONFIG_FILE = 'wasmrun.toml';
const Limit = dist/* optional */.lqM(dist/* pipe */.FsL(dist/* number */.aig(), dist/* integer */.ndf(), dist/* minValue */.Wwf(0)));
/** The keys that are read here; wasmrun itself checks all others. */
const ConfigSchema = dist/* looseObject */._H3({
    os: dist/* optional */.lqM(dist/* looseObject */._H3({
        entry: dist/* optional */.lqM(dist/* pipe */.FsL(dist/* string */.YjP(), dist/* check */.z6Y(entry => !leadsOut(entry), 'it leads out of the project; give a path in it'))),
        limits: dist/* optional */.lqM(dist/* looseObject */._H3({ max_memory_mb: Limit, max_output_mb: Limit })),
        network: dist/* optional */.lqM(dist/* looseObject */._H3({
            deny: dist/* optional */.lqM(dist/* array */.YOg(dist/* string */.YjP())),
            bind_ports: dist/* optional */.lqM(dist/* string */.YjP()),
            max_connections: Limit,
            max_bandwidth_mbps: Limit,
        })),
    })),
});
/** The folder's wasmrun.toml; an empty one if there is none. Throws an InputError if it is broken. */
function readProjectConfig(folder) {
    return parseProjectConfig(readProjectFile(folder, CONFIG_FILE) ?? '');
}
/** Throws an InputError that names the line, or each key that is wrong. */
function parseProjectConfig(text) {
    const result = dist/* safeParse */.xLC(ConfigSchema, parseToml(text));
    if (result.success)
        return result.output;
    throw new errors/* InputError */.dz(result.issues.map(issue => `path: wasmrun.toml: ${dist/* getDotPath */.BuJ(issue) ?? 'the file'} is wrong: ${sanitise(issue.message)}`));
}
function parseToml(text) {
    try {
        return (0,smol_toml_dist/* parse */.qg)(text);
    }
    catch (cause) {
        const place = cause instanceof smol_toml_dist/* TomlError */.zx ? ` (line ${cause.line}, column ${cause.column})` : '';
        const reason = sanitise((0,errors/* describeError */.Uc)(cause).split('\n')[0] ?? '');
        throw new errors/* InputError */.dz(`path: wasmrun.toml cannot be read${place}: ${reason}; correct the file`, {
            cause,
        });
    }
}

;// CONCATENATED MODULE: ./build/js/app/project/start-page.js
// The page that a built web app begins with, and where it is if `path` is one folder too high. Used by mode.ts and by
// the files of web.



/** In this order. Builds of apps with only one page (SvelteKit) may write no index.html. */
const START_PAGES = ['index.html', '200.html'];
/** Where frameworks write their build, relative to the project; `*` is the app's name (Angular). */
const BUILT_FOLDERS = [
    'dist',
    'build',
    'out',
    'dist/browser',
    'dist/*/browser',
    'dist/*',
    'dist/client',
    'build/client',
    'build/web',
    'build/dist/js/productionExecutable',
    'browser',
    'client',
    '.output/public',
    'www',
    '_site',
    'site',
    'public',
    'storybook-static',
    '.vitepress/dist',
    'docs/.vitepress/dist',
    'docs/build',
    'docs',
];
/** More than any page with its scripts in one file needs to show what it loads. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** Create React App's, Vue CLI's and webpack's source of a page. */
const SOURCE_MARK = /%PUBLIC_URL%|<%/;
/** The name of the start page in `folder`; undefined if there is none. */
function findStartPage(folder) {
    return START_PAGES.find(name => isFile((0,external_node_path_.join)(folder, name)));
}
/** The text of a page or script, without byte order mark; of a very long one, only its start. Throws if it cannot be read. */
function readPageText(path) {
    const file = (0,external_node_fs_.openSync)(path, 'r');
    try {
        const bytes = Buffer.alloc(MAX_PAGE_BYTES);
        return bytes.toString('utf8', 0, (0,external_node_fs_.readSync)(file, bytes, 0, MAX_PAGE_BYTES, 0)).replace(/^\ufeff/, '');
    }
    finally {
        (0,external_node_fs_.closeSync)(file);
    }
}
/** The folder below `project` (`dist`, `dist/app/browser`) that has a built page; undefined if none has. */
function findBuiltFolder(project) {
    return BUILT_FOLDERS.flatMap(folder => expand(project, folder)).find(folder => {
        const page = findStartPage((0,external_node_path_.join)(project, folder));
        return page !== undefined && !SOURCE_MARK.test(readPageText((0,external_node_path_.join)(project, folder, page)));
    });
}
function expand(project, folder) {
    const [before, after] = folder.split('*');
    if (before === undefined || after === undefined)
        return [folder];
    try {
        return (0,external_node_fs_.readdirSync)((0,external_node_path_.join)(project, before)).map(name => `${before}${name}${after}`);
    }
    catch {
        return [];
    }
}

;// CONCATENATED MODULE: ./build/js/app/project/mode.js
// Chooses the mode of an app, and checks that its path suits it. Used by inputs before anything starts.









/** Chooses and checks the mode. Throws an InputError that says what was looked for, or which inputs contradict. */
function chooseMode(input) {
    const path = sanitise(input.path);
    const found = statPath(input.path);
    if (found === undefined)
        throw new errors/* InputError */.dz(`path: ${path} does not exist; was it built in an earlier step?`);
    const service = input.port === undefined ? 'command' : 'port';
    if (input.port === undefined && input.command === undefined) {
        const choice = input.mode === 'auto' ? findMode(input.path, found) : checkMode(input.mode, input.path, found);
        checkProjectFiles(choice.mode, input.path);
        const warning = choice.mode === 'exec' ? checkExecFile(input.path) : undefined;
        return { ...choice, ...(warning !== undefined && { warning }) };
    }
    if (input.mode !== 'auto' && input.mode !== 'port')
        throw new errors/* InputError */.dz(`mode: ${input.mode} contradicts \`${service}\`, which means mode: port; leave one of the two out`);
    if (input.command !== undefined && !found.isDirectory())
        throw new errors/* InputError */.dz(`path: ${path} is not a folder, and \`command\` runs in it; give a folder`);
    return { mode: 'port', reason: `\`${service}\` is given` };
}
function findMode(path, found) {
    if (found.isFile() && path.endsWith('.wasm'))
        return { mode: 'exec', reason: 'the path is a .wasm file' };
    if (!found.isDirectory()) {
        checkOtherName(path, found);
        throw new errors/* InputError */.dz(`path: ${sanitise(path)} is neither a folder nor a .wasm file; give one of them`);
    }
    const program = findProgram(path);
    if (program !== undefined)
        return { mode: 'os', reason: program };
    const page = findStartPage(path);
    if (page !== undefined)
        return { mode: 'web', reason: `the folder has ${page === 'index.html' ? 'an' : 'a'} ${page}` };
    throw new errors/* InputError */.dz(`path: nothing to run in ${sanitise(path)}. Looked for [os] in wasmrun.toml, \`main\` of package.json and ` +
        `${ENTRY_FILES.join(', ')} (mode: os), and for index.html (mode: web). ` +
        `Give the folder that has one of them, a .wasm file${listWasmFiles(path)}, or \`port\` or \`command\`${suggestBuiltFolder(path)}`);
}
const ANGULAR_PAGE = 'index.csr.html';
/** The rest of a sentence: people often give the project instead of its build. */
function suggestBuiltFolder(project) {
    if (isFile((0,external_node_path_.join)(project, ANGULAR_PAGE)))
        return `; ${ANGULAR_PAGE} is Angular's page without server rendering: copy it to index.html`;
    const folder = findBuiltFolder(project);
    return folder === undefined ? '' : `; ${sanitise(folder)} has a built page: is it the \`path\`?`;
}
/** ` (app.wasm)`: a program that was built into the folder. */
function listWasmFiles(folder) {
    const names = (0,external_node_fs_.readdirSync)(folder).filter(name => name.endsWith('.wasm'));
    return names.length === 0 ? '' : ` (${sanitise(names.sort().join(', '))})`;
}
/** Why OS mode can run the folder; undefined if it cannot. */
function findProgram(folder) {
    if (readProjectConfig(folder).os !== undefined)
        return 'wasmrun.toml has an [os] table';
    const { main } = readPackage(folder);
    if (main !== undefined && !leadsOut(main) && isFile((0,external_node_path_.join)(folder, main)))
        return `${sanitise(main)} is \`main\` of package.json`;
    const hasPackage = readProjectFile(folder, 'package.json') !== undefined;
    const entry = (hasPackage ? ENTRY_FILES : DETECTED_FILES).find(name => isFile((0,external_node_path_.join)(folder, name)));
    if (entry === undefined)
        return undefined;
    // Emscripten writes index.html, index.js and index.wasm: without a package, a script beside a page belongs to the
    // page.
    if (findStartPage(folder) !== undefined && !hasPackage)
        return undefined;
    return `${entry} is a Node.js program`;
}
function checkMode(mode, path, found) {
    const shown = sanitise(path);
    const choice = { mode, reason: 'as given' };
    if (mode === 'port')
        throw new errors/* InputError */.dz('mode: port needs `port`, `command` or both; give one of them');
    if (mode === 'exec') {
        if (found.isFile() && path.endsWith('.wasm'))
            return choice;
        checkOtherName(path, found);
        throw new errors/* InputError */.dz(`path: mode: exec runs one .wasm file, and ${shown} is not one; give the path of the file`);
    }
    if (!found.isDirectory())
        throw new errors/* InputError */.dz(`path: mode: ${mode} needs a folder, and ${shown} is not one; give the folder`);
    if (mode === 'web' && findStartPage(path) === undefined)
        throw new errors/* InputError */.dz(`path: ${shown} has no index.html, which mode: web serves; give the folder of the built app${suggestBuiltFolder(path)}`);
    return choice;
}
/** The start would refuse these files, too, but then the preview has failed; here it is a wrong input. */
function checkProjectFiles(mode, path) {
    if (mode === 'os') {
        readProjectConfig(path);
        for (const name of ['package.json', '.gitignore'])
            readProjectFile(path, name);
    }
    else if (mode === 'exec')
        readProjectFile((0,external_node_path_.dirname)(path), '.gitignore');
}

;// CONCATENATED MODULE: ./build/js/app/wasmrun/version.js
// Which versions of wasmrun work. Used by install.ts, and by inputs before anything is started.


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
/** Takes a version as the wasmrun on PATH prints it, or as `parseWasmrunVersion` returns it. */
function isTooOld(version) {
    return version.startsWith('0.') || version.startsWith('1.0.0-');
}

// EXTERNAL MODULE: external "node:fs/promises"
var promises_ = __webpack_require__(1455);
;// CONCATENATED MODULE: ./build/js/app/web/files.js
// Finds the file of a folder that a URL path names, and refuses those that visitors must not see. Used by the other
// files of this folder, for every request and for the checks before the start.




/** Error codes of a path that leads nowhere. */
const MISSING = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'EACCES', 'EPERM'];
/** A FIFO must not block the open; a link put there after the check must not be followed. Windows has neither flag. */
const OPEN_FLAGS = external_node_fs_.constants.O_RDONLY | (external_node_fs_.constants.O_NONBLOCK ?? 0) | (external_node_fs_.constants.O_NOFOLLOW ?? 0);
/**
 * Looks up a URL path (still percent-encoded, without query) below `root`, a real path. Only regular files whose real
 * path stays in the root are found, and no dotfiles but those in `.well-known` (RFC 8615).
 */
async function findFile(root, urlPath) {
    const segments = decodeSegments(urlPath);
    if (isHidden(segments))
        return { kind: 'refused' };
    for (const spelling of listSpellings(segments)) {
        const found = await findSpelling(root, spelling);
        if (found.kind !== 'missing')
            return found;
    }
    return { kind: 'missing' };
}
async function findSpelling(root, segments) {
    try {
        const real = await (0,promises_.realpath)((0,external_node_path_.join)(root, ...segments));
        if (!isVisibleBelow(root, real))
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
/** Whether `findFile` would find a file there now; for checks before the start. Never throws. */
function hasFile(root, urlPath) {
    const segments = decodeSegments(urlPath);
    return !isHidden(segments) && listSpellings(segments).some(spelling => hasSpelling(root, spelling));
}
function hasSpelling(root, segments) {
    try {
        const real = (0,external_node_fs_.realpathSync)((0,external_node_path_.join)(root, ...segments));
        return isVisibleBelow(root, real) && (0,external_node_fs_.statSync)(real).isFile();
    }
    catch {
        return false;
    }
}
/** Checks a real path again, because of links out of the root or to hidden files, and short names (GIT~1). */
function isVisibleBelow(root, real) {
    const inside = (0,external_node_path_.relative)(root, real);
    return !(0,external_node_path_.isAbsolute)(inside) && areVisible(inside.split(external_node_path_.sep));
}
/** Checks the opened file, because another one may have been at the path a moment ago. */
async function openFile(path) {
    const handle = await (0,promises_.open)(path, OPEN_FLAGS);
    const stats = await handle.stat({ bigint: true });
    if (stats.isFile())
        return { kind: 'file', handle, stats };
    await handle.close();
    return { kind: 'refused' };
}
function decodeSegments(urlPath) {
    return urlPath
        .split('/')
        .filter(segment => segment !== '')
        .map(decodeSegment);
}
/** Browsers send it as it is written in a link, also beside what they encode themselves: `100% yes` is `100%%20yes`. */
const BARE_PERCENT = /%(?![0-9a-f]{2})/gi;
/** Also used to compare paths: `%C3%A9`, `%c3%a9` and `é` are one name. What is no UTF-8 stays as it is. */
function decodeSegment(segment) {
    try {
        return decodeURIComponent(segment.replace(BARE_PERCENT, '%25'));
    }
    catch {
        return segment;
    }
}
/** Rules for the host (host-files.ts), which may hold passwords; hosts do not send them either. */
const HOST_FILES = ['_headers', '_redirects'];
const SEPARATOR = /[/\\]/;
/** Hidden files stay hidden behind encoded separators. No file has a NUL in its name. */
function isHidden(segments) {
    return (!areVisible(segments.flatMap(segment => segment.split(SEPARATOR))) ||
        (segments.length === 1 && HOST_FILES.includes(segments[0] ?? '')) ||
        segments.some(segment => segment.includes('\0')));
}
/**
 * How the names of a path may be stored: macOS and its archives have decomposed umlauts, where pages have composed
 * ones. None if a name cannot be a file's, like those of routers with an encoded separator.
 */
function listSpellings(segments) {
    const forbidden = process.platform === 'win32' ? /[/\\:]/ : SEPARATOR;
    if (segments.some(segment => forbidden.test(segment)))
        return [];
    const forms = [
        segments.join('/'),
        ...['NFC', 'NFD'].map(form => segments.join('/').normalize(form)),
    ];
    return [...new Set(forms)].map(form => form.split('/'));
}
/** False for `..` too: it begins with a dot. */
function areVisible(segments) {
    return segments.every((segment, index) => !segment.startsWith('.') || (index === 0 && segment === '.well-known'));
}
const CHUNK_BYTES = 64 * 1024;
/**
 * Both ends are included. Throws if the file is shorter: the visitor must see a broken response, not wait for the rest.
 */
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
/**
 * Changes with every write and every replacement of the file, also if a tool sets the time of the last write back.
 * Different for each coding (RFC 9110, 8.8.3.3).
 */
function createETag(stats, coding) {
    const parts = [stats.size, stats.mtimeNs, stats.ctimeNs, stats.ino].map(number => number.toString(36));
    return `"${[...parts, ...(coding === undefined ? [] : [coding])].join('-')}"`;
}

;// CONCATENATED MODULE: ./build/js/app/web/base-path.js
// The path that a web app was built for, like /repo/ on GitHub Pages: found in what its page loads, and taken off the
// paths that visitors ask for. Used by page-check.ts and web.ts.

/** The base path of an app that was built for the root of a host. */
const NO_BASE = '/';
/** Below the base path, the path of the file in the folder, which begins with a slash; otherwise undefined. */
function stripBase(base, path) {
    if (base === NO_BASE)
        return path;
    const expected = base.slice(1, -1).split('/');
    const [, ...segments] = path.split('/');
    if (segments.length <= expected.length)
        return undefined;
    const isBelow = expected.every((segment, index) => decodeSegment(segment) === decodeSegment(segments[index] ?? ''));
    return isBelow ? `/${segments.slice(expected.length).join('/')}` : undefined;
}
/** Whether `path` leads to a file of the folder, if the app is served below `base`. */
function isServed(root, base, path) {
    const below = stripBase(base, path);
    return isThere(root, path) || (below !== undefined && isThere(root, below));
}
/** Compressed only, a file is served, too. */
function isThere(root, path) {
    return ['', '.br', '.gz'].some(ending => hasFile(root, path + ending));
}
/**
 * The base path that makes the most of `paths` lead to files, if not more of them do without one. `documentBase` is the
 * path of `<base href>`. The first of several equally good ones is returned.
 */
function findBasePath(root, paths, documentBase) {
    const votes = new Map();
    const missing = paths.filter(path => !isThere(root, path));
    for (const base of missing.flatMap(path => findBaseOf(root, path) ?? []))
        votes.set(base, (votes.get(base) ?? 0) + 1);
    const [best] = [...votes].sort(([, one], [, other]) => other - one);
    if (best !== undefined && best[1] >= paths.length - missing.length)
        return best[0];
    // A page without files of its own: only its links say where it belongs.
    return paths.every(path => !isThere(root, path)) && !hasFile(root, `${documentBase}index.html`)
        ? documentBase
        : NO_BASE;
}
/** The shortest beginning of `path` without which it is the path of a file. */
function findBaseOf(root, path) {
    const segments = path.split('/').slice(1);
    const length = segments.findIndex((_, index) => index > 0 && isThere(root, `/${segments.slice(index).join('/')}`));
    return length < 0 ? undefined : `/${segments.slice(0, length).join('/')}/`;
}

;// CONCATENATED MODULE: ./build/js/app/web/path-pattern.js
// The path patterns of `_redirects` and `_headers`: `/blog/:year/*`. Used by host-files.ts.

const PLACEHOLDER = /^:([A-Za-z]\w*)$/;
/** Undefined for what is not a path, and for a `*` that is not the last segment: only Cloudflare knows that one. */
function parsePattern(text) {
    const segments = splitPath(text);
    const isOpen = segments.at(-1) === '*';
    const fixed = isOpen ? segments.slice(0, -1) : segments;
    if (!text.startsWith('/') || fixed.some(segment => segment.includes('*')))
        return undefined;
    return { match: path => matchSegments(fixed, isOpen, splitPath(path)) };
}
function matchSegments(pattern, isOpen, segments) {
    if (segments.length < pattern.length || (segments.length > pattern.length && !isOpen))
        return undefined;
    const found = {};
    for (const [index, expected] of pattern.entries()) {
        const segment = segments[index] ?? '';
        const name = PLACEHOLDER.exec(expected)?.[1];
        if (name !== undefined)
            found[name] = segment;
        else if (decodeSegment(expected) !== decodeSegment(segment))
            return undefined;
    }
    return isOpen ? { ...found, splat: segments.slice(pattern.length).join('/') } : found;
}
function splitPath(path) {
    return path.split('/').filter(segment => segment !== '');
}
/** Puts the values of the placeholders into a path or an address. */
function fillIn(text, values) {
    return text.replace(/:([A-Za-z]\w*)/g, (written, name) => Object.hasOwn(values, name) ? (values[name] ?? written) : written);
}

;// CONCATENATED MODULE: ./build/js/app/web/host-files.js
// `_redirects` and `_headers` of a build: the files that Netlify, Cloudflare Pages, GitLab Pages and others share. Used
// by web.ts, and by page-check.ts and inputs/web.ts before the start. Syntax: https://docs.netlify.com/manage/routing/redirects/overview/,
// https://developers.cloudflare.com/pages/configuration/headers/.





/** They belong to hosts that do more than send files, or to their command lines. */
const OTHER_FILES = [
    'vercel.json',
    'netlify.toml',
    'staticwebapp.config.json',
    'firebase.json',
    'serve.json',
    '_worker.js',
    '.htaccess',
    'web.config',
];
const REDIRECTS = [301, 302, 303, 307, 308];
const REWRITES = [200, 404];
/** Not permanent, because the next commit has the same address. */
const DEFAULT_STATUS = 302;
/**
 * Fields that `_headers` does not decide: those of the bytes and the connection, caches (they would show an old commit
 * under the same address), and what holds for the whole host, on which other previews are too. Netlify's Basic-Auth is
 * no field of answers at all.
 */
const OWN_FIELDS = new Set([
    ...['content-type', 'content-length', 'content-encoding', 'content-range', 'transfer-encoding', 'trailer'],
    ...['connection', 'keep-alive', 'upgrade', 'te', 'date', 'etag', 'last-modified', 'accept-ranges', 'vary'],
    ...['cache-control', 'cdn-cache-control', 'netlify-cdn-cache-control', 'expires', 'pragma', 'location'],
    ...['strict-transport-security', 'alt-svc', 'clear-site-data', 'set-cookie', 'basic-auth'],
]);
const FIELD = /^([!#$%&'*+.^_`|~\w-]+):\s*([\t\x20-\x7e]*)$/;
/** Reads both files of the folder. One that cannot be read is `ignored`: the app may work without it. */
function readHostRules(root) {
    const ignored = [];
    const redirects = readLines(root, '_redirects', ignored).flatMap(line => parseRedirect(line) ?? note(ignored, line));
    const [forced, usual] = [redirects.filter(rule => rule.isForced), redirects.filter(rule => !rule.isForced)];
    const headers = parseHeaders(readLines(root, '_headers', ignored), ignored);
    return {
        redirect: (path, isForced) => findRedirection(isForced ? forced : usual, path),
        listFields: path => headers.filter(({ pattern }) => pattern.match(path)).flatMap(({ fields }) => fields),
        ignored: [...ignored, ...OTHER_FILES.filter(name => (0,external_node_fs_.existsSync)((0,external_node_path_.join)(root, name)))],
    };
}
function readLines(root, file, ignored) {
    return host_files_readText(root, file, ignored)
        .split(/\r?\n/)
        .map((text, index) => ({ file, number: index + 1, text: text.replace(/(^|\s)#.*$/, '').trimEnd() }))
        .filter(({ text }) => text !== '');
}
function host_files_readText(root, file, ignored) {
    try {
        return readProjectFile(root, file) ?? '';
    }
    catch (error) {
        if (!(error instanceof errors/* InputError */.dz))
            throw error;
        ignored.push(error.message.replace(/^path: /, ''));
        return '';
    }
}
function note(ignored, { file, number, text }) {
    ignored.push(`${file}, line ${number}: ${text.trim()}`);
    return [];
}
/** Undefined for a rule that cannot be kept: for other hosts, for countries or roles, with query parameters, a proxy. */
function parseRedirect({ text }) {
    const [from = '', to = '', code = String(DEFAULT_STATUS), ...conditions] = text.trim().split(/\s+/);
    const pattern = parsePattern(from);
    const [, digits = '', force = ''] = /^(\d{3})(!?)$/.exec(code) ?? [];
    const status = Number(digits);
    const isLocal = to.startsWith('/');
    // A placeholder in the host would let visitors choose where a link of the preview leads.
    const isAddress = /^https?:\/\/[^/:?#@\\]+(:\d+)?([/?#]|$)/i.test(to);
    const isKept = isLocal
        ? [...REDIRECTS, ...REWRITES].includes(status)
        : isAddress && REDIRECTS.includes(status);
    if (pattern === undefined || !isKept || conditions.length > 0)
        return undefined;
    return { pattern, to, status, isForced: force !== '' };
}
function findRedirection(rules, path) {
    for (const { pattern, to, status } of rules) {
        const values = pattern.match(path);
        if (values === undefined)
            continue;
        const target = fillIn(to, values);
        if (REWRITES.includes(status))
            return { kind: 'rewrite', path: target.replace(/[?#].*$/s, ''), status };
        return { kind: 'redirect', location: stayHere(target), status };
    }
    return undefined;
}
/** `//x` and `/\x` would be another host. */
function stayHere(target) {
    return target.replace(/^[/\\]+/, '/');
}
function parseHeaders(lines, ignored) {
    const rules = [];
    let open;
    for (const line of lines) {
        if (!/^\s/.test(line.text)) {
            const pattern = parsePattern(line.text);
            open = pattern && { pattern, fields: [] };
            if (open === undefined)
                note(ignored, line);
            else
                rules.push(open);
            continue;
        }
        const [, name = '', value = ''] = FIELD.exec(line.text.trim()) ?? [];
        if (name === '' || OWN_FIELDS.has(name.toLowerCase()) || open === undefined)
            note(ignored, line);
        else
            open.fields.push([name, value]);
    }
    return rules;
}

// EXTERNAL MODULE: ./node_modules/htmlparser2/dist/Parser.js + 7 modules
var Parser = __webpack_require__(6963);
;// CONCATENATED MODULE: ./build/js/shared/upgrade-policy.js
// A directive of Content-Security-Policy that a preview over plain http must not have. Used by gateway/upstream/headers.ts
// and by `mode: web`.
/**
 * Removes `upgrade-insecure-requests` from policies (W3C Upgrade Insecure Requests, 3.1), which helmet sets by default.
 * Browsers would load everything of the preview with https, which it does not have.
 */
function dropUpgrade(policies) {
    return policies.replace(/(^|[;,])(?:\s*upgrade-insecure-requests(?:\s[^;,]*)?(?:;|(?=,)|$))+/gi, '$1');
}

;// CONCATENATED MODULE: ./build/js/app/web/page.js
// What a page loads, and whether it shows anything, read from its HTML. Used by page-check.ts
// and source-page.ts.


/** Modules, and the JavaScript types of the MIME Sniffing Standard, 4.6: browsers run the old ones, too. */
const SCRIPT_TYPES = /^(|module|(text|application)\/(x-)?(java|ecma)script|text\/(javascript1\.[0-5]|jscript|livescript))$/i;
/** `rel` of links whose files a page can do without. */
const OPTIONAL_LINKS = ['preload', 'prefetch', 'icon', 'apple-touch-icon', 'manifest'];
/** Browsers with scripts ignore what is in these. */
const INERT_ELEMENTS = ['noscript', 'template'];
/** Text in these is not shown either. */
const HIDDEN_ELEMENTS = [...INERT_ELEMENTS, 'title', 'script', 'style'];
const SHOWN_ELEMENTS = [
    'img',
    'picture',
    'svg',
    'canvas',
    'video',
    'audio',
    'iframe',
    'frame',
    'object',
    'embed',
    'input',
    'button',
    'select',
    'textarea',
    'hr',
    'table',
];
/** Never throws: as in a browser, any text is a page. */
function readPage(html) {
    const references = [];
    const page = {
        base: undefined,
        inline: 'none',
        hasImportMap: false,
        wantsHttps: false,
        hasContent: false,
        textLength: 0,
        isTrunkSource: false,
    };
    const open = [];
    const isIn = (elements) => open.some(name => elements.includes(name));
    const parser = new Parser/* Parser */.i({
        onopentag(name, attributes) {
            if (!isIn(INERT_ELEMENTS)) {
                page.isTrunkSource ||= 'data-trunk' in attributes;
                page.hasContent ||=
                    SHOWN_ELEMENTS.includes(name) || /^refresh$/i.test(attributes['http-equiv'] ?? '');
                page.hasImportMap ||= name === 'script' && /^importmap$/i.test(attributes.type?.trim() ?? '');
                page.wantsHttps ||= name === 'meta' && hasUpgrade(attributes);
                if (name === 'base')
                    page.base ??= attributes.href;
                if (name === 'script')
                    page.inline = strongest(page.inline, addScript(attributes, references));
                if (name === 'link')
                    addLink(attributes, references);
            }
            if (HIDDEN_ELEMENTS.includes(name))
                open.push(name);
        },
        onclosetag(name) {
            const last = open.lastIndexOf(name);
            if (last >= 0)
                open.splice(last, 1);
        },
        ontext(text) {
            if (isIn(HIDDEN_ELEMENTS))
                return;
            page.textLength += text.trim().length;
            page.hasContent ||= page.textLength > 0;
        },
    });
    parser.end(html);
    return { ...page, references };
}
function hasUpgrade({ 'http-equiv': field = '', content = '' }) {
    return /^content-security-policy$/i.test(field.trim()) && dropUpgrade(content) !== content;
}
function strongest(one, other) {
    return one === 'module' || other === 'none' ? one : other;
}
/** Returns how a script without a file runs; `none` for one with a file, or for data. */
function addScript(attributes, references) {
    const { src, type = '' } = attributes;
    if (!SCRIPT_TYPES.test(type.trim()))
        return 'none';
    const kind = /^module$/i.test(type.trim()) ? 'module' : 'script';
    if (src === undefined)
        return kind;
    // It loads nothing, and what is in it is not run (HTML Standard, "prepare the script element").
    if (src.trim() === '')
        return 'none';
    // Browsers with modules do not load what is there for those without.
    if (!('nomodule' in attributes))
        references.push({ kind, url: src });
    return 'none';
}
function addLink({ rel = '', href }, references) {
    const relations = rel.toLowerCase().split(/\s+/);
    const has = (...names) => names.some(name => relations.includes(name));
    if (href === undefined || href.trim() === '')
        return;
    if (has('modulepreload'))
        references.push({ kind: 'import', url: href });
    else if (has('stylesheet') && !has('alternate'))
        references.push({ kind: 'style', url: href });
    else if (has(...OPTIONAL_LINKS))
        references.push({ kind: 'other', url: href });
}

;// CONCATENATED MODULE: ./build/js/app/web/source-page.js
// Recognises the page of an app's source, which shows nothing before it is built. Used by page-check.ts.




/** What no browser runs. */
const SOURCE_ENDING = /\.([cm]?tsx?|jsx|vue|svelte|astro|coffee|elm|rs)$/i;
/** Of Create React App and Vite, webpack and Vue CLI, Jinja and Jekyll, JavaScript. */
const TEMPLATE_MARK = /%[A-Z_][A-Z\d_]{2,}%|<%|\{[{%]|\$\{/;
/** Jekyll's. */
const FRONT_MATTER = /^---\r?\n/;
/** Why the page is a source, as the end of a sentence that begins with its name; undefined if it is not. */
function findSourceMark(page, { references, text, runs }) {
    if (page.isTrunkSource)
        return 'has data-trunk attributes, which Trunk replaces when it builds the app';
    const script = references.find(({ kind, url }) => (kind === 'script' || kind === 'module') && SOURCE_ENDING.test(url.replace(/[?#].*$/s, '')));
    if (script !== undefined)
        return `loads ${script.url}, which no browser can run`;
    const template = (runs ? [] : [page.base ?? '', ...references.map(({ url }) => url)]).find(isTemplate);
    if (template !== undefined)
        return `refers to ${template}, which a build replaces`;
    return FRONT_MATTER.test(text) ? 'begins with front matter, which a build removes' : undefined;
}
/** In `/%E4%BD%A0ABC%E5%A5%BD.png`, `%A0ABC%` is no mark: its percent signs encode characters. */
function isTemplate(url) {
    return TEMPLATE_MARK.test(decodeSegment(url) === url ? url : url.replace(/%[\da-f]{2}/gi, ''));
}
/**
 * What a module begins with, piece by piece: space, comments, directives, static imports. What comes later is not looked
 * at, because it may be a text, such as an example of code.
 */
const HEAD = /\s+|;|\/\/.*|\/\*[\s\S]*?\*\/|(['"])use \w+\1|import\b[^'"`;()]*(['"])(?<specifier>[^'"\n]+)\2(?<type>\s*(?:with|assert)\b\s*\{[^}]*\})?/gy;
const ADDRESS = /^(?:\.{0,2}\/|[a-z][a-z\d+.-]*:)/i;
const ASSET = /\.(?:css|scss|sass|less|styl|svg|png|jpe?g|gif|webp|vue|svelte|[cm]?tsx?|jsx)(?:\?.*)?$|\?(?:init|url|raw|inline|worker)\b/i;
/**
 * Why the modules at these paths cannot run before a build: one imports a package by name, or a stylesheet. Only looked
 * for beside a package.json, which builds leave behind. `scripts`: the paths of the classic scripts that are there.
 */
function findSourceImport(root, page, { modules, scripts }) {
    const read = (path) => readScript(root, path);
    if (page.hasImportMap || !isFile((0,external_node_path_.join)(root, 'package.json')))
        return undefined;
    // JSPM writes a script that adds the import map.
    if (scripts.some(path => read(path).includes('importmap')))
        return undefined;
    for (const path of modules) {
        const unknown = listImports(read(path)).find(specifier => !ADDRESS.test(specifier) || ASSET.test(specifier));
        if (unknown !== undefined)
            return `loads ${path}, which imports '${unknown}', and only a build can resolve that`;
    }
    return undefined;
}
/** The start of a script, which may have many megabytes; empty if it cannot be read. */
function readScript(root, path) {
    try {
        return readPageText((0,external_node_path_.join)(root, decodeSegment(path)));
    }
    catch {
        return '';
    }
}
/** The imports that a module begins with. One with a type (`with { type: 'css' }`) is for browsers that know it. */
function listImports(text) {
    return [...text.matchAll(HEAD)].flatMap(({ groups }) => groups?.specifier === undefined || groups.type !== undefined ? [] : [groups.specifier]);
}

;// CONCATENATED MODULE: ./build/js/app/web/page-check.js
// Looks at the page of a built web app before anything starts: for which base path it was built, and whether it can
// only end as a blank page. Used by inputs/app.ts and inputs/web.ts.










/** An address that no page has: what is on other hosts differs from it. */
const PAGE_URL = 'http://page.invalid/';
const PAGE_ORIGIN = new URL(PAGE_URL).origin;
/** Bazel, Nix and some packagers write such links. */
const LEADS_OUT = 'is hidden, or a link that leads out of the folder, and only what is in it is served: copy the files (`cp -rL`)';
/** Characters: more than a page says while its app is loaded. */
const MUCH_TEXT = 500;
/** Names in one message. */
const SHOWN_FILES = 3;
/**
 * `wanted` is the base path, or `auto`. Throws an InputError if the page is the source of an app, or if none of its
 * scripts is there.
 */
function checkPage(folder, wanted) {
    const root = (0,external_node_fs_.realpathSync)(folder);
    const name = findStartPage(root);
    if (name === undefined)
        return { basePath: wanted === 'auto' ? NO_BASE : wanted, warnings: [] };
    if (!hasFile(root, `/${name}`))
        throw new errors/* InputError */.dz(`path: ${name} in ${sanitise(root)} ${LEADS_OUT}`);
    const text = readPageText((0,external_node_path_.join)(root, name));
    const page = readPage(text);
    const documentBase = URL.parse(page.base ?? '', PAGE_URL) ?? new URL(PAGE_URL);
    const start = { root, name, page, references: listLocal(page, documentBase) };
    const listThere = (kind) => start.references
        .filter(reference => reference.kind === kind && hasFile(root, reference.path))
        .map(({ path }) => path);
    const [modules, scripts] = [listThere('module'), listThere('script')];
    const runs = modules.length + scripts.length > 0;
    const mark = findSourceMark(page, { references: start.references, text, runs }) ??
        findSourceImport(root, page, { modules, scripts });
    if (mark !== undefined)
        throw new errors/* InputError */.dz(`path: ${name} ${sanitise(mark)}: ${describeSource(root)}`);
    const found = findBase(start, documentBase);
    const basePath = wanted === 'auto' ? found : wanted;
    const rules = readHostRules(root);
    const missing = start.references.filter(({ kind, path }) => kind !== 'other' && !isServed(root, basePath, path) && !isRedirected(root, basePath, rules, path));
    if (missing.length === 0)
        return { basePath, warnings: text !== '' && isEmpty(page) ? [describeEmpty(name)] : [] };
    const message = `${describeMissing(start, missing, basePath)}. ${describeRemedy(start, missing, { found, basePath })}`;
    if (isDead(start, missing))
        throw new errors/* InputError */.dz(`path: ${message}`);
    return { basePath, warnings: [message] };
}
/**
 * The name of the start page, if its policy makes browsers load the files of the folder with https; otherwise
 * undefined. It stays blank where the preview has none.
 */
function findHttpsPage(folder) {
    const root = (0,external_node_fs_.realpathSync)(folder);
    const name = findStartPage(root);
    if (name === undefined || !hasFile(root, `/${name}`))
        return undefined;
    const page = readPage(readPageText((0,external_node_path_.join)(root, name)));
    return page.wantsHttps && listLocal(page, new URL(PAGE_URL)).length > 0 ? name : undefined;
}
/** What is loaded from other hosts, from `data:` and the like is not a matter of the folder. */
function listLocal(page, documentBase) {
    return page.references.flatMap(reference => {
        const url = URL.parse(reference.url, documentBase.href);
        return url?.origin === PAGE_ORIGIN ? [{ ...reference, path: url.pathname }] : [];
    });
}
function findBase({ root, references }, documentBase) {
    if (documentBase.origin !== PAGE_ORIGIN)
        return NO_BASE;
    const folder = documentBase.pathname.replace(/[^/]*$/, '');
    const paths = listNeeded(references)
        // A relative link is right, or wrong, below every base path.
        .filter(({ url }) => folder !== NO_BASE || /^\s*[/\\]/.test(url))
        .map(({ path }) => path);
    return findBasePath(root, paths, folder);
}
/** What the page needs most: its scripts, otherwise its styles. A wrong link to an icon says nothing about the app. */
function listNeeded(references) {
    const choices = [
        references.filter(isScript),
        references.filter(({ kind }) => kind === 'style'),
        references,
    ];
    return choices.find(({ length }) => length > 0) ?? [];
}
function isScript({ kind }) {
    return kind === 'module' || kind === 'script' || kind === 'import';
}
/** Whether a rule of `_redirects` leads to a file, or to another host. A page in place of a script does not help. */
function isRedirected(root, basePath, rules, path) {
    const local = stripBase(basePath, path) ?? path;
    const rule = rules.redirect(local, true) ?? rules.redirect(local, false);
    if (rule === undefined)
        return false;
    const target = rule.kind === 'rewrite' ? rule.path : rule.location.replace(/[?#].*$/s, '');
    return !target.startsWith('/') || (!target.endsWith('.html') && isServed(root, basePath, target));
}
/**
 * No script of the folder is there, and nothing else can be the app. Beside a missing module, only another module can:
 * in the page, or on another host. Beside a classic script, which may be only a `/config.js`, any text or script can.
 */
function isDead({ page, references }, missing) {
    const scripts = missing.filter(isScript);
    if (scripts.length === 0 || scripts.length < references.filter(isScript).length)
        return false;
    if (page.textLength >= MUCH_TEXT)
        return false;
    if (scripts.some(({ kind }) => kind === 'import'))
        return true;
    const elsewhere = page.references
        .filter(isScript)
        .filter(one => !references.some(({ url }) => url === one.url));
    if (page.inline === 'module' || elsewhere.some(({ kind }) => kind === 'module'))
        return false;
    if (scripts.some(({ kind }) => kind === 'module'))
        return true;
    return !page.hasContent && page.inline === 'none' && elsewhere.length === 0;
}
function isEmpty({ hasContent, inline, references }) {
    return (!hasContent && inline === 'none' && !references.some(({ kind }) => kind === 'script' || kind === 'module'));
}
function describeEmpty(name) {
    return `${name} has neither text nor a script, so visitors see a blank page: was the app built?`;
}
function describeSource(root) {
    const built = findBuiltFolder(root);
    const what = 'this is the source of an app, not its build';
    return built === undefined
        ? `${what}; build it in an earlier step, and give \`path\` the folder of the build (often dist)`
        : `${what}; give \`path\` the folder of the build: ${sanitise(built)} has a page`;
}
function describeMissing({ root, name }, missing, basePath) {
    const paths = [...new Set(missing.map(({ path }) => path))];
    const more = paths.length > SHOWN_FILES ? ` and ${paths.length - SHOWN_FILES} more` : '';
    const shown = `${paths
        .slice(0, SHOWN_FILES)
        .map(path => sanitise(path))
        .join(', ')}${more}`;
    const below = basePath === NO_BASE ? '' : `, served below ${sanitise(basePath)}`;
    return `${name} loads ${shown}, missing from ${sanitise(root)}${below}`;
}
function describeRemedy({ root }, missing, { found, basePath }) {
    if (found !== NO_BASE && found !== basePath)
        return `It fits the base path ${sanitise(found)}: leave \`base-path\` out, or give that`;
    if (missing.some(({ path }) => (0,external_node_fs_.existsSync)((0,external_node_path_.join)(root, decodeSegment(path)))))
        return `One of them ${LEADS_OUT}`;
    const built = findBuiltFolder(root);
    if (built !== undefined)
        return `${sanitise(built)} has a page, too: perhaps \`path\` must be that folder`;
    return 'Check the build and `path`; if a server adds a path in front of these files, give it as `base-path`';
}

;// CONCATENATED MODULE: ./build/js/shared/host-rule.js
// Under which name the app is addressed: the two rules behind the input `host-header`. Used by inputs/, app/ (which
// chooses a rule at each start) and gateway/ (which follows it).
/**
 * - `rewrite`: the app sees itself as localhost (a service on another machine: under its name there). `Host` says so, and
 *   in `Origin` and `Referer` the preview's own address.
 * - `preserve`: the app sees the public address, as the visitor sent it.
 */
const HOST_RULES = ['rewrite', 'preserve'];
/** The values of the input: a rule, or `auto` to ask the app. */
const HOST_HEADERS = ['auto', ...HOST_RULES];

;// CONCATENATED MODULE: ./build/js/shared/stop-times.js
// How long the parts of an end may take. The post step has promised to be over after 30 s (a cancelled job is killed
// some minutes later), and everything here has to fit into that. Used wherever a preview is ended.
/** At the end, visitors have this long to finish their downloads. */
const DRAIN_MS = 5_000;
/** Time for the app to stop after SIGTERM, unless `stop-timeout` says otherwise. */
const DEFAULT_STOP_TIMEOUT_MS = 5_000;
/** The longest `stop-timeout`: `docker compose` gives its containers 10 s by default. */
const MAX_STOP_TIMEOUT_MS = 20_000;
/** SIGKILL takes effect at once, except for a process in an uninterruptible call of the kernel. */
const KILL_MS = 1_000;
/** All of post. */
const POST_LIMIT_MS = 30_000;
/** Until an answer of the control API arrives on a busy machine. */
const ANSWER_MS = 1_000;
/** When an answer to `POST /api/stop` is overdue: visitors are drained, the app has stopped or was killed. */
function limitStop(stopTimeoutMs) {
    return DRAIN_MS + stopTimeoutMs + KILL_MS + ANSWER_MS;
}
/**
 * `wantedMs`, or what is left of post's time if that is less; `keptMs` is kept for what comes later. post begins with
 * its process.
 */
function limitInPost(wantedMs, keptMs) {
    return Math.max(0, Math.min(wantedMs, POST_LIMIT_MS - keptMs - performance.now()));
}

;// CONCATENATED MODULE: ./build/js/inputs/env.js
// The `env` input: what the app gets in addition to the allow-list of app/environment.ts. Used by inputs/app.ts.

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
        const problem = env_findProblem(key, value, env);
        if (problem !== undefined)
            problems.push(`env, line ${index + 1}: ${problem}`);
        else if (value !== undefined)
            env.set(key, value);
    }
    if (problems.length > 0)
        throw new errors/* InputError */.dz(problems);
    return Object.fromEntries(env);
}
function env_findProblem(key, value, env) {
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

// EXTERNAL MODULE: external "node:net"
var external_node_net_ = __webpack_require__(7030);
// EXTERNAL MODULE: external "node:dns/promises"
var external_node_dns_promises_ = __webpack_require__(1553);
;// CONCATENATED MODULE: ./build/js/app/port/service-address.js
// The address of a service on another machine, such as a service container of the job: `port: redis:6379`. Used by
// port.ts, and by the inputs before anything starts.




/**
 * Addresses at which no service of a job listens, and at which clouds hand the credentials of the machine to everybody
 * who asks (169.254.169.254, fd00:ec2::254, 168.63.129.16, 100.100.100.200). A link in a pull request must not lead
 * there, even if a name in the workflow does. The rest is never the address of one machine.
 */
const NEVER_EXPOSED = new external_node_net_.BlockList();
NEVER_EXPOSED.addSubnet('169.254.0.0', 16);
NEVER_EXPOSED.addSubnet('fe80::', 10, 'ipv6');
NEVER_EXPOSED.addAddress('168.63.129.16');
NEVER_EXPOSED.addAddress('100.100.100.200');
NEVER_EXPOSED.addAddress('fd00:ec2::254', 'ipv6');
NEVER_EXPOSED.addSubnet('0.0.0.0', 8);
NEVER_EXPOSED.addAddress('::', 'ipv6');
NEVER_EXPOSED.addSubnet('224.0.0.0', 3);
NEVER_EXPOSED.addSubnet('ff00::', 8, 'ipv6');
/** False for a name, and for the addresses above, also when written as IPv6 (`::ffff:169.254.169.254`). */
function isNeverExposed(address) {
    const version = (0,external_node_net_.isIP)(address);
    return version !== 0 && NEVER_EXPOSED.check(address, version === 4 ? 'ipv4' : 'ipv6');
}
/** Why it is refused, after the address. */
const NEVER_EXPOSED_REASON = 'which is never exposed: it belongs to the machine or the network itself, and clouds give out credentials there';
/**
 * All addresses of the host, in the system's order. Rejects with the resolver's error, or with an AppError if one of
 * them is never exposed: an attempt to connect could end at any of them.
 */
async function resolveService(host) {
    const addresses = (await (0,external_node_dns_promises_.lookup)(host, { all: true })).map(({ address }) => address);
    const refused = addresses.find(isNeverExposed);
    if (refused === undefined)
        return addresses;
    const where = refused === host ? host : `${sanitise(host)} is ${refused},`;
    throw new errors/* AppError */.uV(`\`port\`: ${where} ${NEVER_EXPOSED_REASON}`, { restartable: false });
}

;// CONCATENATED MODULE: ./build/js/inputs/port.js
// The `port` input: a port of this machine, or `host:port` of another one. Used by inputs/app.ts.





/** `8080`, `redis:6379` or `[fd12::5]:8080`; undefined for an empty text. Throws an InputError. */
function parsePortInput(text, command) {
    if (text === '')
        return undefined;
    if (/^\d+$/.test(text))
        return { port: parsePort(text, text), service: undefined };
    const [, host = '', digits = ''] = /^(\[[^\]]*\]|[^:/@?#[\]\s]+):(\d+)$/.exec(text) ?? [];
    // The parser of URLs knows names in other scripts, and the many forms of an IP address.
    const name = URL.parse(`http://${host}`)?.hostname ?? '';
    if (name === '')
        throw refuse(text, describeForm(text));
    const port = parsePort(digits, text);
    const service = stripBrackets(name);
    if (service === 'localhost')
        return { port, service: undefined };
    const mistake = describeOwnPort(host, service, port);
    if (mistake !== undefined)
        throw refuse(text, mistake);
    if (isNeverExposed(service))
        throw refuse(text, `it leads to ${service}, ${NEVER_EXPOSED_REASON}`);
    if (command !== undefined)
        throw refuse(text, `\`command\` starts the app on this machine; write only the number, ${port}`);
    return { port, service };
}
function parsePort(digits, text) {
    const port = Number(digits);
    if (port >= 1 && port <= 65_535)
        return port;
    throw refuse(text, 'write a whole number from 1 to 65535');
}
/** Forms of a port of this machine that other programs take: of Docker (`8080:80`), and of servers (`0.0.0.0:80`). */
function describeOwnPort(host, service, port) {
    if (/^\d{1,5}$/.test(host))
        return `write only the port on this machine, ${host}`;
    if (service === '0.0.0.0' || service === '::' || service === '*')
        return `${service} is only an address to listen on; write only the number, ${port}`;
    return undefined;
}
function describeForm(text) {
    if (text.includes('//'))
        return 'write it without http:// and without a path, like redis:6379';
    if ((0,external_node_net_.isIPv6)(text))
        return 'write an IPv6 address in brackets, and a port, like [fd12::5]:8080';
    if (/^[\w.-]*[a-z][\w.-]*$/i.test(text))
        return `add the port of the service, like ${text}:8080`;
    return 'write a whole number from 1 to 65535, or host:port for a service on another machine';
}
function refuse(text, remedy) {
    return new errors/* InputError */.dz(`\`port\` is '${sanitise(text)}': ${remedy}`);
}

;// CONCATENATED MODULE: ./build/js/inputs/values.js
// Parses single input values. Each parser names the input and the value in its InputError. Used by the files of this
// folder and by commands/server.ts.

const DEFAULT_HEALTH_PATH = '/';
const DEFAULT_STARTUP_TIMEOUT = '120s';
const DEFAULT_STOP_TIMEOUT = '5s';
/**
 * A template such as `https://{port}.preview.example.com`, with a scheme of the protocol and nothing after the port.
 */
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
        problem: 'is not an http or https address',
        example: 'https://{port}.preview.example.com',
    },
    tcp: {
        scheme: /^tcp:$/,
        problem: 'is not a tcp address, which `protocol: tcp` needs',
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
/** What no path of a folder holds: an empty or dotted segment, an encoded separator, a bare percent sign. */
const BROKEN_PATH = /\/\/|\/(\.|%2e){1,2}\/|%(2f|5c|00)|%(?![\da-f]{2})/i;
/**
 * The base path of a web app, percent-encoded and with a slash at both ends; `auto` as it is. People write it with and
 * without the last slash (Vite's `base`, `homepage` of Create React App).
 */
function parseBasePath(text) {
    if (text.toLowerCase() === 'auto')
        return 'auto';
    const path = text.endsWith('/') ? text : `${text}/`;
    if (/^\/[^\s?#\\]*$/.test(path) && !BROKEN_PATH.test(path))
        return new URL(path, 'http://host.example').pathname;
    throw new errors/* InputError */.dz(`\`base-path\` is '${text}': write auto, or a path that begins with one /, like /repo/`);
}
const BYTES = { '': 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };
/** Bytes of `500KB`, `25MB` or `2GB`; as with most servers, 1 KB is 1,024 bytes. */
function parseBytes(text, input) {
    const [, count, unit = ''] = /^(\d{1,12}(?:\.\d{1,3})?) ?([kmg]?i?b?)$/.exec(text.toLowerCase()) ?? [];
    const factor = Object.entries(BYTES).find(([name]) => name === unit.replace('i', '') || name === `${unit}b`);
    const bytes = Math.floor(Number(count) * (factor?.[1] ?? 0));
    if (bytes > 0 && Number.isSafeInteger(bytes))
        return bytes;
    throw new errors/* InputError */.dz(`\`${input}\` is '${text}', which is not a size: write it like 500KB, 25MB or 2GB`);
}

;// CONCATENATED MODULE: ./build/js/inputs/app.js
// The inputs about the app: what is run, how, and when it counts as up. Used by inputs.ts.















const ISOLATIONS = ['true', 'false', 'credentialless'];
const MODES = ['auto', ...APP_MODES];
/** Relative paths are resolved against `base`. Notes every problem in `problems`; throws if there is one. */
function parseAppInputs(read, context) {
    const { environment, base, protocol, problems } = context;
    const text = (name) => read(name).trim();
    const path = (0,external_node_path_.resolve)(base, text('path') || '.');
    const command = text('command') || undefined;
    const port = problems.check(() => parsePortInput(text('port'), command));
    const wanted = problems.check(() => parseChoice(text('mode') || 'auto', 'mode', MODES));
    // A port that was refused implies `mode: port`, too: nothing is missing in the folder then.
    const givenPort = text('port') === '' ? undefined : (port.known?.port ?? 0);
    const chosen = problems.check(() => chooseMode({ mode: wanted.value, path, port: givenPort, command }));
    const env = problems.check(() => parseEnv(read('env'), environment));
    problems.check(() => checkEnvUse(text('env'), chosen.value.mode));
    const version = problems.check(() => parseVersion(text('wasmrun-version')));
    const vm = problems.check(() => parseChoice(text('vm') || 'auto', 'vm', VM_HOSTS));
    const spa = problems.check(() => parseBoolean(text('spa'), 'spa', false));
    const isolation = problems.check(() => parseIsolation(text('cross-origin-isolation')));
    const basePath = problems.check(() => parseBasePath(text('base-path') || 'auto'));
    const healthPath = problems.check(() => parseHealthPath(text('health-path') || DEFAULT_HEALTH_PATH));
    const hostHeader = problems.check(() => parseChoice(text('host-header') || 'auto', 'host-header', HOST_HEADERS));
    const startupTimeoutMs = problems.check(() => parseDuration(text('startup-timeout') || DEFAULT_STARTUP_TIMEOUT, 'startup-timeout'));
    const stopTimeoutMs = problems.check(() => parseStopTimeout(text('stop-timeout') || DEFAULT_STOP_TIMEOUT));
    if (protocol === 'tcp') {
        problems.check(() => checkTcpMode(wanted.value, chosen.known));
        problems.check(() => checkTcpHealthPath(healthPath.value));
        problems.check(() => checkTcpHostHeader(hostHeader.known));
        problems.check(() => checkTcpPages({ spa: spa.known, isolation: isolation.known, basePath: basePath.known }));
    }
    const page = problems.check(() => chosen.value.mode === 'web' ? checkPage(path, basePath.value) : { basePath: NO_BASE, warnings: [] });
    return {
        path,
        mode: chosen.value.mode,
        modeReason: describeMode(chosen.value, page.value.basePath),
        warnings: [...(chosen.value.warning === undefined ? [] : [chosen.value.warning]), ...page.value.warnings],
        port: port.value?.port,
        service: port.value?.service,
        command,
        args: parseArgs(read('args')),
        env: env.value,
        wasmrunVersion: version.value,
        vm: vm.value,
        browser: text('browser') || undefined,
        spa: spa.value,
        crossOriginIsolation: isolation.value,
        basePath: page.value.basePath,
        healthPath: protocol === 'tcp' ? undefined : healthPath.value,
        hostHeader: protocol === 'tcp' ? undefined : hostHeader.value,
        startupTimeoutMs: startupTimeoutMs.value,
        stopTimeoutMs: stopTimeoutMs.value,
    };
}
function describeMode({ reason }, basePath) {
    return basePath === NO_BASE ? reason : `${reason}; served below the base path ${sanitise(basePath)}`;
}
function parseIsolation(text) {
    const choice = parseChoice(text || 'false', 'cross-origin-isolation', ISOLATIONS);
    return choice === 'credentialless' ? choice : choice === 'true';
}
function parseStopTimeout(text) {
    const ms = parseDuration(text, 'stop-timeout');
    if (ms <= MAX_STOP_TIMEOUT_MS)
        return ms;
    throw new errors/* InputError */.dz(`\`stop-timeout\` is '${text}': write at most ${MAX_STOP_TIMEOUT_MS / 1_000}s; the post step, which ends the app, has 30 s for everything`);
}
/** One argument per line. */
function parseArgs(text) {
    return text
        .split('\n')
        .map(line => line.trim())
        .filter(line => line !== '');
}
function parseVersion(text) {
    return text === '' ? undefined : parseWasmrunVersion(text);
}
function checkEnvUse(env, mode) {
    if (env !== '' && mode === 'os')
        throw new errors/* InputError */.dz('`env` cannot be used with `mode: os`: the page gives programs a fixed environment; write the values into a file of the project instead');
}
/** The gateway serves the files of a web app, and with `protocol: tcp` there is no gateway. */
function checkTcpMode(wanted, chosen) {
    if (wanted === 'web')
        throw new errors/* InputError */.dz('`protocol` is tcp, and `mode: web` has no port of its own to pass bytes to: use protocol: http, or a command that serves the folder');
    if (chosen?.mode === 'web')
        throw new errors/* InputError */.dz('`protocol` is tcp, and what was found at `path` is a web app, which has no port of its own to pass bytes to: give the `port` of your service, or a `command` that opens one');
}
function checkTcpHealthPath(healthPath) {
    if (healthPath !== DEFAULT_HEALTH_PATH)
        throw new errors/* InputError */.dz('`health-path` cannot be used with `protocol: tcp`: the app is up when its port accepts; leave it out');
}
function checkTcpHostHeader(hostHeader) {
    if (hostHeader !== undefined && hostHeader !== 'auto')
        throw new errors/* InputError */.dz('`host-header` cannot be used with `protocol: tcp`: bytes reach the app unread; leave it out');
}
function checkTcpPages({ spa, isolation, basePath, }) {
    const problems = [];
    if (spa)
        problems.push('`spa` cannot be used with `protocol: tcp`: no page is served for the app; leave it out');
    if (isolation)
        problems.push('`cross-origin-isolation` cannot be used with `protocol: tcp`: there are no headers to send; leave it out');
    if (basePath !== undefined && basePath !== 'auto')
        problems.push('`base-path` cannot be used with `protocol: tcp`: no page is served for the app; leave it out');
    if (problems.length > 0)
        throw new errors/* InputError */.dz(problems);
}

// EXTERNAL MODULE: ./node_modules/picomatch/index.js
var picomatch = __webpack_require__(4006);
;// CONCATENATED MODULE: ./build/js/gateway/access/public-paths.js
// Patterns of paths that need no key, such as `/webhooks/**`. Used by access.ts, and by inputs/ to check the patterns.
//
// The app may read a path differently: decode it, even twice, treat `\` as `/`, or drop what follows a `;`. So a path
// is public only if every such reading of it matches. A path with dot segments is never public.

/** No app encodes its paths more often than this; a path that is encoded more often is not public. */
const MAX_DECODINGS = 4;
/**
 * Longer paths are not public. A pattern with several stars is matched by backtracking, whose time is a power of the
 * path's length. A visitor without a key could block the gateway for seconds with one long path. The number of stars is
 * limited for the same reason.
 */
const MAX_LENGTH = 1_024;
const MAX_STARS_IN_NAME = 1;
const MAX_FOLDER_STARS = 2;
/** `**` any number of folders, `*` any part of a name, `?` one character. Case-sensitive. */
const OPTIONS = {
    dot: true, // `/.well-known/x` is a path like any other
    nonegate: true,
    noextglob: true,
    nobracket: true,
    strictSlashes: true,
};
/** Why the pattern is not valid, as the end of "`public-paths` has 'x', which …"; undefined if it is valid. */
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
/** Returns a function: does a request's path (target without query) match one of the patterns in every reading? */
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
/** Every way to read the path; undefined if readers are too likely to disagree. */
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
/** Apps resolve dot segments differently if empty folders or parameters are near; no webhook needs dot segments. */
function hasDotSegment(path) {
    return /\/\.{1,2}(?:\/|$)/.test(path);
}

;// CONCATENATED MODULE: ./build/js/inputs/gateway.js
// The inputs about access and limits: who may open the preview, which paths need no key, how large a body may be. Used
// by inputs; supervisor/access.ts resolves `auto` when it is known whether the repository is public.



const ACCESS_WORDS = ['auto', 'open', 'link', 'basic'];
const DEFAULT_MAX_BODY = '25MB';
/** Shorter keys can be guessed; 16 characters of base64 are 96 bits, of hex 64. */
const MIN_KEY_LENGTH = 16;
/** Notes every problem in `problems`; throws if there is one. */
function parseGatewayInputs(read, protocol, problems) {
    const text = (name) => read(name).trim();
    const access = problems.check(() => parseAccess(text('access'), text('access-key'), text('basic-auth')));
    const publicPaths = problems.check(() => parsePatterns(read('public-paths')));
    const maxBodyBytes = problems.check(() => parseBytes(text('max-body') || DEFAULT_MAX_BODY, 'max-body'));
    const compress = problems.check(() => parseBoolean(text('compress'), 'compress', true));
    if (protocol === 'tcp') {
        problems.check(() => checkTcpAccess(access.value));
        problems.check(() => checkTcpUse('public-paths', text('public-paths'), '', 'there are no paths'));
        problems.check(() => checkTcpUse('max-body', text('max-body'), DEFAULT_MAX_BODY, 'there are no requests with a body'));
    }
    return {
        access: access.value,
        publicPaths: publicPaths.value,
        maxBodyBytes: maxBodyBytes.value,
        compress: compress.value,
    };
}
/** With `access: auto`, a key means link and a password means basic. No message shows either of them. */
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
        throw new errors/* InputError */.dz(`\`access-key\` has ${key.length} characters, and could be guessed: use ${MIN_KEY_LENGTH} or more, for instance those of \`openssl rand -hex 32\``);
    if (/^[\x21-\x7e]{1,512}$/.test(key))
        return key;
    throw new errors/* InputError */.dz('`access-key` has spaces, line breaks or special characters, or is longer than 512 characters: use letters and digits, for instance those of `openssl rand -hex 32`');
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
/** One per line, or separated by commas. */
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
/** The gateway asks for keys and passwords, and with `protocol: tcp` there is no gateway. */
function checkTcpAccess({ kind }) {
    if (kind === 'link' || kind === 'basic')
        throw new errors/* InputError */.dz(`\`access\` is ${kind}, and \`protocol\` is tcp, which has no gateway to ask for it: write access: open, and let the app have a password of its own`);
}
function checkTcpUse(input, text, fallback, why) {
    if (text !== '' && text !== fallback)
        throw new errors/* InputError */.dz(`\`${input}\` cannot be used with \`protocol: tcp\`: ${why}; leave it out`);
}

;// CONCATENATED MODULE: ./build/js/inputs/https-zones.js
// Warns of a plain http link under a top-level domain where browsers open only https (HSTS preload list): a click there
// shows an error page of the browser, although everything here works. Used by inputs.ts.

/**
 * The top-level domains of the HSTS preload list with `include_subdomains`: Chromium's
 * net/http/transport_security_state_static.json, which Firefox and Safari use too. As of November 2026: every
 * top-level domain of the Public Suffix List, opened over http in Chromium 156.
 */
const HTTPS_ONLY = new Set(`amazon android app audible azure bank bing boo channel chrome dad day dev eat esq fire fly foo fujitsu gle gmail
  google hangout hotmail imdb ing insurance kindle meet meme microsoft mov new nexus office page phd play prime prof
  rsvp search silk skype windows xbox xn--cckwcxetd xn--jlq480n2rg youtube zappos zip`.split(/\s+/));
/** Stands for the port until it is known. */
const SAMPLE_PORT = 12_345;
/** One warning for each server whose link browsers would refuse. */
function listHttpsWarnings({ servers, publicUrl }) {
    const hosts = servers.flatMap(({ address }) => findHttpsOnlyHost(publicUrl, address.host) ?? []);
    return [...new Set(hosts)].map(host => {
        const zone = host.slice(host.lastIndexOf('.'));
        return `browsers open names under ${zone} only with https, so the link to ${host.replace(`${SAMPLE_PORT}`, '{port}')} will show an error: set \`tls-cert\`, or put a proxy with https in front and set \`public-url\` to https://…`;
    });
}
function findHttpsOnlyHost(publicUrl, server) {
    const url = URL.parse(renderPublicUrl(publicUrl, server, SAMPLE_PORT));
    if (url?.protocol !== 'http:')
        return undefined;
    // A name may end with the dot of the root.
    const host = url.hostname.replace(/\.$/, '');
    return HTTPS_ONLY.has(host.slice(host.lastIndexOf('.') + 1)) ? host : undefined;
}

;// CONCATENATED MODULE: ./build/js/inputs/problems.js
// Collects what is wrong with the inputs, so that one run shows all of it. Used by inputs and its parts. Every parser
// throws an InputError for a wrong value; `check` notes it and goes on.

class Problems {
    #found = [];
    /** Notes an InputError; errors of any other kind pass through. */
    check(parse) {
        try {
            const value = parse();
            return { value, known: value };
        }
        catch (error) {
            if (error instanceof errors/* InputError */.dz)
                this.#found.push(...error.problems);
            else if (!(error instanceof RefusedError))
                throw error;
            return REFUSED;
        }
    }
    /** Throws one InputError with everything that was noted. */
    throwIfAny() {
        if (this.#found.length > 0)
            throw new errors/* InputError */.dz(this.#found);
    }
}
/** Thrown when the value of a refused input is read; its problem is noted already. */
class RefusedError extends Error {
}
const REFUSED = {
    get value() {
        throw new RefusedError('this input was refused');
    },
    known: undefined,
};

// EXTERNAL MODULE: external "node:tls"
var external_node_tls_ = __webpack_require__(1692);
;// CONCATENATED MODULE: ./build/js/inputs/tls.js
// The inputs for TLS that ends on the runner: certificate and key, checked before anything is started. Messages reveal
// nothing of the key except what kind of text it is. Used by inputs.






/** Certificates are usually renewed weeks before they expire: so close to the end, a renewal was missed. */
const NEAR_END_MS = 3 * 24 * 60 * 60_000;
/** How many names of a certificate a message lists. */
const tls_MAX_NAMES = 10;
/** Any port will do: certificates contain none. */
const tls_SAMPLE_PORT = 12_345;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
/** Undefined if neither input is given. Notes every problem in `problems`; throws if there is one. */
function parseTlsInputs(read, context) {
    const { protocol, tunnel, problems } = context;
    const [cert, key] = [read('tls-cert').trim(), read('tls-key').trim()];
    if (cert === '' && key === '')
        return undefined;
    if (protocol === 'tcp')
        throw new errors/* InputError */.dz('`tls-cert` cannot be used with `protocol: tcp`: the bytes go to the app as they are, so let the app speak TLS; leave it out');
    const chain = problems.check(() => parseChain(cert));
    const privateKey = problems.check(() => tls_parseKey(key));
    const leaf = problems.check(() => findLeaf(chain.value, privateKey.known));
    problems.check(() => checkPair(chain.value, privateKey.value, key));
    problems.check(() => checkDates(leaf.value, new Date()));
    const publicUrl = problems.check(() => chooseTemplate(tunnel.value.publicUrl));
    problems.check(() => checkNames(leaf.value, tunnel.value, publicUrl.value));
    return {
        cert: renderChain(chain.value),
        key,
        publicUrl: publicUrl.value,
        expiresAt: new Date(leaf.value.validTo),
    };
}
/** The certificate that matches the key, otherwise the first: the chain may be out of order. */
function findLeaf(chain, key) {
    const leaf = chain.find(one => key && one.checkPrivateKey(key)) ?? chain[0];
    if (leaf === undefined)
        throw new errors/* InputError */.dz('`tls-cert` holds no certificate: give the text of the file (fullchain.pem)');
    return leaf;
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
        throw new errors/* InputError */.dz(`\`tls-cert\` is not a PEM certificate, but ${tls_describeText(text)}: give the text of the file (fullchain.pem), from -----BEGIN CERTIFICATE----- on`);
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
        throw new errors/* InputError */.dz(`\`tls-key\` is not a PEM private key, but ${tls_describeText(text)}: give the text of the file (privkey.pem), from -----BEGIN PRIVATE KEY----- on`);
    try {
        return (0,external_node_crypto_.createPrivateKey)(text);
    }
    catch {
        // OpenSSL's message does not help here, and as a cause it might reveal a part of the key.
        throw new errors/* InputError */.dz(`\`tls-key\` cannot be read as a private key (it is ${tls_describeText(text)}): give the text of the file as it is, line breaks included`);
    }
}
/** What kind of text it is, without its content. */
function tls_describeText(text) {
    const size = `a text of ${text.length} characters in ${text.split('\n').length} lines`;
    if (text.includes('\\n'))
        return `${size}, in which line breaks are written as \\n`;
    const kind = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text)?.[1];
    if (kind !== undefined)
        return `${size}, which says it is a ${kind}`;
    return /^\S*[/\\]\S*$/.test(text) && text.length < 256 ? `${size}, a file name perhaps` : size;
}
function checkPair(chain, key, keyText) {
    const position = chain.findIndex(certificate => certificate.checkPrivateKey(key));
    if (position > 0)
        throw new errors/* InputError */.dz(`\`tls-key\` belongs to certificate ${position + 1} of \`tls-cert\`: put that one first, then the intermediates`);
    if (position === -1)
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
        throw new errors/* InputError */.dz(`the certificate of \`tls-cert\` expired at ${to.toISOString()}, and it is ${now.toISOString()}: renew it, and update the secret`);
}
function chooseTemplate(publicUrl) {
    if (publicUrl === PLAIN_PUBLIC_URLS.http)
        return TLS_PUBLIC_URL;
    if (publicUrl.startsWith('https:'))
        return publicUrl;
    throw new errors/* InputError */.dz(`\`public-url\` is '${publicUrl}', and with \`tls-cert\` visitors speak https: write https://, or leave it out`);
}
/** Checks the certificate's names against the public host of every server. */
function checkNames(leaf, { servers }, publicUrl) {
    const hosts = servers.map(({ address }) => new URL(renderPublicUrl(publicUrl, address.host, tls_SAMPLE_PORT)).hostname);
    const missing = [...new Set(hosts)].filter(host => !isFor(leaf, host));
    if (missing.length > 0)
        throw new errors/* InputError */.dz(missing.map(host => `the certificate of \`tls-cert\` is not for ${sanitise(host)}, which visitors use, but ${describeNames(leaf)}: get one for that name, or change \`public-url\``));
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
    const rest = names.length > tls_MAX_NAMES ? ` and ${names.length - tls_MAX_NAMES} more` : '';
    return `for ${sanitise(names.slice(0, tls_MAX_NAMES).join(', '))}${rest}`;
}
function renderChain(chain) {
    return chain.map(String).join('');
}

// EXTERNAL MODULE: external "node:url"
var external_node_url_ = __webpack_require__(3136);
;// CONCATENATED MODULE: ./build/js/tunnel/wire/protocol.js
// The wire protocol of bore 0.5 and 0.6 (ekzhang/bore, src/shared.rs): messages and frames. No I/O; used by our client
// and our bore server.

/** The control port of every real bore server, which cannot be configured. */
const DEFAULT_CONTROL_PORT = 7835;
/** Longest JSON of a frame, in bytes, the NUL not counted (bore's MAX_FRAME_LENGTH). */
const MAX_FRAME_LENGTH = 256;
/** The real server drops a client that sends nothing for this long (bore's NETWORK_TIMEOUT). */
const NETWORK_TIMEOUT_MS = 3_000;
/** The real server sends a heartbeat at least this often. */
const HEARTBEAT_INTERVAL_MS = 500;
/** The real server keeps a visitor waiting for `Accept` this long. */
const PENDING_VISITOR_MS = 10_000;
/** The texts of the server's `Error` frames, the only way to distinguish them (bore, src/server.rs). */
const ERROR_TEXT = {
    invalidSecret: 'invalid secret',
    secretRequired: 'server requires secret, but no secret was provided',
    portOutOfRange: 'client port number not in allowed range',
    portForbidden: 'permission denied',
    portTaken: 'port already in use',
    bindFailed: 'failed to bind to port',
    noPortFree: 'failed to find an available port',
};
const port = dist/* pipe */.FsL(dist/* number */.aig(), dist/* integer */.ndf(), dist/* minValue */.Wwf(0), dist/* maxValue */.cGV(65_535));
const id = dist/* pipe */.FsL(dist/* string */.YjP(), dist/* uuid */.uRe());
const clientMessage = dist/* union */.KCZ([
    /** The first frame on every connection to a server with a secret, in answer to its `Challenge`: see challenge.ts. */
    dist/* strictObject */.rej({ Authenticate: dist/* string */.YjP() }),
    /** The request of a control connection: opens this public port, or any if it is 0. */
    dist/* strictObject */.rej({ Hello: port }),
    /** The request of a data connection: takes the visitor of this id. The visitor's bytes follow in both directions. */
    dist/* strictObject */.rej({ Accept: id }),
]);
const serverMessage = dist/* union */.KCZ([
    /** At least every 500 ms on the control connection, so that a dead link is noticed. */
    dist/* literal */.euz('Heartbeat'),
    /** On the control connection when a visitor comes: the server waits 10 s for an `Accept` of this id. */
    dist/* strictObject */.rej({ Connection: id }),
    /** The first frame on every connection if the server has a secret; otherwise there is none. */
    dist/* strictObject */.rej({ Challenge: id }),
    /** Answers `Hello`: the public port that was opened. */
    dist/* strictObject */.rej({ Hello: port }),
    /**
     * The answer to an `Authenticate` or `Hello` that is refused; then the server hangs up. A wrong `Accept` gets none.
     */
    dist/* strictObject */.rej({ Error: dist/* string */.YjP() }),
]);
/** A message as text, as it is sent. All of it is ASCII, except the text of an `Error`. */
function renderFrame(message) {
    return `${JSON.stringify(message)}\0`;
}
/** A message in bytes. */
function encodeFrame(message) {
    return Buffer.from(renderFrame(message));
}
const PLAIN_ID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;
/** In bytes. Shorter frames are not parsed: in a flood of NULs, each would cost an error of JSON.parse, 8 µs. */
const SHORTEST_MESSAGE = '{"Hello":0}'.length;
/** The message in a frame, or undefined if no bore server sends it. */
function decodeServerMessage(frame) {
    if (frame.length < SHORTEST_MESSAGE)
        return undefined;
    return decodePlain(frame.toString('latin1')) ?? protocol_decode(serverMessage, frame);
}
/** Decodes the two messages that come for every visitor, as the Rust server writes them: far faster than the schema. */
function decodePlain(text) {
    const isChallenge = text.startsWith('{"Challenge":"');
    if (!(isChallenge || text.startsWith('{"Connection":"')) || !text.endsWith('"}'))
        return undefined;
    const id = text.slice(isChallenge ? 14 : 15, -2);
    if (!PLAIN_ID.test(id))
        return undefined;
    return isChallenge ? { Challenge: id } : { Connection: id };
}
/** The message in a frame, or undefined if no bore client sends it. */
function decodeClientMessage(frame) {
    if (frame.length < SHORTEST_MESSAGE)
        return undefined;
    return protocol_decode(clientMessage, frame);
}
function protocol_decode(schema, frame) {
    try {
        const result = dist/* safeParse */.xLC(schema, JSON.parse(frame.toString('utf8')));
        return result.success ? result.output : undefined;
    }
    catch {
        return undefined; // not JSON
    }
}
/** Cuts a byte stream into frames. Once `next` has returned undefined, it holds less than a frame. */
class FrameDecoder {
    #rest = Buffer.alloc(0);
    push(chunk) {
        this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    }
    /** The next frame without its NUL, or undefined if more bytes are needed. Throws FrameTooLong. */
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
    /** Removes and returns the bytes after the last frame. */
    takeRest() {
        const rest = this.#rest;
        this.#rest = Buffer.alloc(0);
        return rest;
    }
}
/** More bytes without a NUL than any message has; `bytes` are the first of them. */
class FrameTooLong extends Error {
    bytes;
    constructor(bytes) {
        super(`a frame is longer than ${MAX_FRAME_LENGTH} bytes`);
        this.name = 'FrameTooLong';
        this.bytes = Buffer.from(bytes.subarray(0, MAX_FRAME_LENGTH));
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/address.js
// The address of a bore server: parsed from the `server` input (inputs/tunnel.ts), rendered in messages.





/** `host`, `host:port`, `[::1]` or `[::1]:port`; white space around it is ignored. Throws InputError. */
function parseServerAddress(text) {
    const trimmed = text.trim();
    if (trimmed === '')
        throw new errors/* InputError */.dz('`server` is empty; give the host of a bore server');
    const parts = /^(?:\[(?<v6>[^\]]*)\]|(?<name>[^:[\]]*))(?::(?<port>[^:]*))?$/su.exec(trimmed)?.groups;
    if (parts === undefined)
        throw refuseAddress(trimmed, address_describeForm(trimmed));
    return { host: parseHost(parts.v6, parts.name ?? '', trimmed), port: address_parsePort(parts.port, trimmed) };
}
/** `host:port`, with brackets if the host is an IPv6 address. */
function renderAddress({ host, port }) {
    return (0,external_node_net_.isIPv6)(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
function parseHost(v6, name, text) {
    if (v6 !== undefined) {
        if ((0,external_node_net_.isIPv6)(v6))
            return v6;
        throw refuseAddress(text, 'the part in brackets must be an IPv6 address');
    }
    // Names in other scripts are converted to their form in the DNS. A final dot only marks the name as complete: without
    // it, a host has one form to compare.
    const host = (0,external_node_url_.domainToASCII)(name).replace(/\.$/u, '');
    if (/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/u.test(host) && host.length <= 253)
        return host;
    throw refuseAddress(text, address_describeForm(text));
}
function address_parsePort(text, whole) {
    if (text === undefined)
        return DEFAULT_CONTROL_PORT;
    const port = /^[0-9]{1,5}$/u.test(text) ? Number(text) : 0;
    if (port >= 1 && port <= 65_535)
        return port;
    throw refuseAddress(whole, whole.includes('//') ? address_describeForm(whole) : 'the port must be a whole number from 1 to 65535');
}
function address_describeForm(text) {
    if (text.includes('//'))
        return 'write the host alone, without http:// or a path';
    if ((0,external_node_net_.isIPv6)(text))
        return `write an IPv6 address in brackets, [${text}]`;
    return 'write host or host:port';
}
function refuseAddress(text, remedy) {
    // The whole sentence is made safe: an IPv6 address may begin with `::`, as the runner's commands do at the start of a
    // line.
    return new errors/* InputError */.dz(`${sanitise(`\`server\` '${text}`)}' is not an address: ${remedy}`);
}

;// CONCATENATED MODULE: ./build/js/inputs/tunnel.js
// The inputs about the tunnel: servers, secrets, public port and address. Used by inputs.





/** Ports below 1024 need special rights at the server, and bore's own default begins here. */
const DEFAULT_PORT_RANGE = '1024-65535';
/** Notes every problem in `problems`; throws if there is one. */
function parseTunnelInputs(read, protocol, problems) {
    const text = (name) => read(name).trim();
    const entries = splitServers(read('server'));
    const addresses = problems.check(() => parseServers(entries));
    const secrets = problems.check(() => parseSecrets(read('secret'), entries.length));
    const range = problems.check(() => parsePortRange(text('port-range') || DEFAULT_PORT_RANGE));
    const port = problems.check(() => parseRemotePort(text('remote-port')));
    const remotePort = problems.check(() => combinePorts(port.value, range.value));
    const publicUrl = problems.check(() => parseTemplate(text('public-url'), protocol));
    const servers = addresses.value.map((address, index) => ({
        address,
        secret: secrets.value[index] ?? secrets.value[0],
    }));
    return { servers, remotePort: remotePort.value, publicUrl: publicUrl.value };
}
/**
 * Split at commas and line ends; a comma may stand before a line end. An empty entry is kept, because it means a
 * variable that is not set.
 */
function splitServers(text) {
    if (text.trim() === '')
        return [];
    return takeFinalLineEnd(text)
        .split(/,?[ \t]*\r?\n|,/)
        .map(entry => entry.trim());
}
/** YAML ends a block with one line end; further ones are empty entries. */
function takeFinalLineEnd(text) {
    return text.replace(/\r?\n$/, '');
}
/** Throws with one problem for each entry that is wrong. */
function parseServers(entries) {
    if (entries.length === 0)
        throw new errors/* InputError */.dz('`server` is empty: is the variable it comes from set? Write host or host:port, or leave the input out to use bore.pub');
    const problems = new Problems();
    const addresses = entries.map((entry, index) => problems.check(() => parseServer(entry, index)));
    problems.check(() => checkDuplicates(addresses.flatMap(({ known }) => known ?? [])));
    problems.throwIfAny();
    return addresses.map(({ value }) => value);
}
function checkDuplicates(addresses) {
    const names = addresses.map(renderAddress);
    const doubled = new Set(names.filter((name, index) => names.indexOf(name) !== index));
    if (doubled.size > 0)
        throw new errors/* InputError */.dz([...doubled].map(name => `\`server\` names ${name} more than once: name each server once`));
}
function parseServer(entry, index) {
    if (entry !== '')
        return parseServerAddress(entry);
    throw new errors/* InputError */.dz(`entry ${index + 1} of \`server\` is empty: is the variable it comes from set? Write one host or host:port in each line, or between commas`);
}
/** The lines of the `secret` input, each trimmed; none if it was not given. A line may be blank. */
function splitSecrets(text) {
    if (text.trim() === '')
        return [];
    return takeFinalLineEnd(text)
        .split('\n')
        .map(line => line.trim());
}
/** One for all servers, one for each, or none. No message shows any of them. */
function parseSecrets(text, servers) {
    const entries = splitSecrets(text);
    // With one server there is no order to keep: blank lines mean nothing.
    const lines = servers === 1 ? entries.filter(line => line !== '') : entries;
    const blank = lines.indexOf('');
    if (blank !== -1)
        throw new errors/* InputError */.dz(`entry ${blank + 1} of \`secret\` is empty: is the variable it comes from set? Write one line for all servers, or one line for each, in the order of \`server\``);
    if (lines.length > 1 && servers > 0 && lines.length !== servers)
        throw new errors/* InputError */.dz(`\`secret\` has ${lines.length} lines, and \`server\` names ${servers === 1 ? 'one server' : `${servers} servers`}: write one line for all, or one line for each, in the same order`);
    return lines;
}
function parseRemotePort(text) {
    const word = text.toLowerCase();
    if (word === '' || word === 'auto')
        return { kind: 'auto' };
    if (word === 'random')
        return { kind: 'random' };
    if (/^\d+$/.test(text))
        return { kind: 'fixed', port: parseWholeNumber(text, 'remote-port', 1, 65_535) ?? 0 };
    throw new errors/* InputError */.dz(`\`remote-port\` is '${text}': write auto, random, or a whole number from 1 to 65535`);
}
/** Throws if `remote-port` contradicts the range; the default range fits every port. */
function combinePorts(port, range) {
    if (port.kind === 'auto')
        return { ...port, ...range };
    const shown = `${range.min}-${range.max}`;
    if (shown === DEFAULT_PORT_RANGE)
        return port;
    if (port.kind === 'random')
        throw new errors/* InputError */.dz(`\`remote-port\` is random, so the server picks the port, and \`port-range\`, ${shown}, has no effect: leave one of the two out`);
    if (port.port < range.min || port.port > range.max)
        throw new errors/* InputError */.dz(`\`remote-port\` is ${port.port}, which is outside \`port-range\`, ${shown}: leave one of the two out`);
    return port;
}
/** Accepts a hyphen, and what people paste: a dash, or the colon that firewalls use. */
function parsePortRange(text) {
    const [, low, high] = /^(\d{1,5})\s*[-–:]\s*(\d{1,5})$/.exec(text) ?? [];
    const [min, max] = [Number(low), Number(high)];
    const problem = low === undefined
        ? 'is not a range'
        : min < 1 || max > 65_535
            ? 'has ports outside 1 to 65535'
            : min > max
                ? 'begins above its end'
                : undefined;
    if (problem === undefined)
        return { min, max };
    throw new errors/* InputError */.dz(`\`port-range\` is '${text}', which ${problem}: write it like 20000-29999`);
}
/** The default means the bore server's own address, in the form of the protocol. */
function parseTemplate(text, protocol) {
    const isDefault = text === '' || text === PLAIN_PUBLIC_URLS.http;
    return isDefault ? PLAIN_PUBLIC_URLS[protocol] : parsePublicUrl(text, protocol);
}

;// CONCATENATED MODULE: ./build/js/app/web/folder-check.js
// Looks through the folder of a web app for files that browsers cannot use as they are. Used by inputs/web.ts.





/** A look must not take long; what is beyond is not checked. */
const MAX_ENTRIES = 10_000;
const MAX_WASM_FILES = 50;
/** Sizes of Git LFS pointers: three short lines (git-lfs, docs/spec.md). */
const POINTER_BYTES = { min: 100, max: 200 };
const MAX_POINTERS = 100;
/** Paths are relative to `root`. Never throws: what cannot be read is left to the visitors' requests. */
function checkFolder(root) {
    const files = listFiles(root);
    const known = new Set(files);
    const wasm = files.filter(file => file.endsWith('.wasm')).slice(0, MAX_WASM_FILES);
    const modules = wasm.map(file => ({ file, ...inspectWasm((0,external_node_path_.join)(root, file)) }));
    const broken = modules.find(({ problem }) => problem !== undefined);
    const pointers = files
        .filter(file => !file.endsWith('.wasm'))
        .filter(file => isPointer((0,external_node_path_.join)(root, file)))
        .slice(0, MAX_POINTERS);
    return {
        warnings: [
            ...(broken === undefined ? [] : [`${sanitise(broken.file)} ${broken.problem}`]),
            ...(pointers.length === 0
                ? []
                : [
                    `not the files themselves, but pointers of Git LFS: ${nameFiles(pointers)}; add \`lfs: true\` to actions/checkout`,
                ]),
        ],
        threads: modules.find(({ sharesMemory }) => sharesMemory)?.file,
        brotli: files.filter(file => file.endsWith('.br') && !known.has(file.slice(0, -'.br'.length))),
    };
}
/** `Build/a.wasm.br and 2 more` */
function nameFiles([first = '', ...rest]) {
    return `${sanitise(first)}${rest.length === 0 ? '' : ` and ${rest.length} more`}`;
}
/** Hidden folders are not served, and packages are not part of a build. */
function listFiles(root) {
    const files = [];
    const folders = [''];
    for (let folder = folders.shift(); folder !== undefined; folder = folders.shift())
        for (const entry of listEntries((0,external_node_path_.join)(root, folder))) {
            const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
            if (files.length + folders.length > MAX_ENTRIES)
                return files;
            if (entry.name.startsWith('.') || entry.name === 'node_modules')
                continue;
            if (entry.isDirectory())
                folders.push(path);
            else if (entry.isFile())
                files.push(path);
        }
    return files;
}
function listEntries(folder) {
    try {
        return (0,external_node_fs_.readdirSync)(folder, { withFileTypes: true });
    }
    catch {
        return [];
    }
}
function inspectWasm(path) {
    try {
        const found = readWasmFile(path);
        if (found.kind === 'broken')
            return { problem: found.problem, sharesMemory: false };
        return { sharesMemory: found.kind === 'module' && (found.sections?.sharesMemory ?? false) };
    }
    catch {
        return { sharesMemory: false };
    }
}
function isPointer(path) {
    try {
        const { size } = (0,external_node_fs_.statSync)(path);
        return size >= POINTER_BYTES.min && size <= POINTER_BYTES.max && isLfsPointer(readHead(path));
    }
    catch {
        return false;
    }
}
function readHead(path) {
    const file = (0,external_node_fs_.openSync)(path, 'r');
    try {
        const head = Buffer.alloc(LFS_START_BYTES);
        return head.toString('latin1', 0, (0,external_node_fs_.readSync)(file, head, 0, head.length, 0));
    }
    finally {
        (0,external_node_fs_.closeSync)(file);
    }
}

;// CONCATENATED MODULE: ./build/js/inputs/web.js
// What may not work of a web app that is served as the inputs say. Used by inputs.ts.





const NEEDS_HTTPS = 'use `tls-cert`, or `public-url` with a proxy that has TLS';
/** Warnings; none for other modes than web. */
function listWebWarnings({ mode, path, crossOriginIsolation }, tunnel) {
    if (mode !== 'web')
        return [];
    const isSecure = tunnel.servers.every(({ address }) => isSecureContext(tunnel.publicUrl, address.host));
    const isWanted = crossOriginIsolation !== false;
    const { warnings, threads, brotli } = checkFolder(path);
    return [
        ...warnings,
        ...(isSecure ? [] : warnOfHttpsPage(path)),
        ...(isWanted && !isSecure ? [ISOLATION_WITHOUT_HTTPS] : []),
        ...(threads !== undefined && !isWanted
            ? warnOfThreads(threads, { isSecure, isIsolated: isIsolatedByFile(path) })
            : []),
        ...(brotli.length > 0 && !isSecure ? [describeBrotli(brotli)] : []),
    ];
}
/** As browsers see the address (W3C Secure Contexts, 3.1): with https, or on the machine itself. */
function isSecureContext(publicUrl, host) {
    const url = URL.parse(renderPublicUrl(publicUrl, host, SAMPLE_PORT));
    return url !== null && (url.protocol === 'https:' || isLoopbackName(url.hostname));
}
function warnOfHttpsPage(folder) {
    const page = findHttpsPage(folder);
    if (page === undefined)
        return [];
    return [
        `${page} has a policy with \`upgrade-insecure-requests\`, so browsers load its files with https, which this preview does not have: remove that, or ${NEEDS_HTTPS}`,
    ];
}
/** Browsers isolate a page only in a secure context (HTML Standard, cross-origin isolation). */
const ISOLATION_WITHOUT_HTTPS = `\`cross-origin-isolation\` has no effect over http, so there is no SharedArrayBuffer: ${NEEDS_HTTPS}`;
function warnOfThreads(file, { isSecure, isIsolated }) {
    const missing = [
        ...(isIsolated ? [] : ['set `cross-origin-isolation: true`']),
        ...(isSecure ? [] : [NEEDS_HTTPS]),
    ];
    if (missing.length === 0)
        return [];
    return [
        `${nameFiles([file])} uses threads, which browsers allow only on isolated pages over https; otherwise it uses one thread, or does not start: ${missing.join(', and ')}`,
    ];
}
function describeBrotli(files) {
    return `compressed with brotli: ${nameFiles(files)}. Browsers accept that only over https; over http the files are sent decompressed, which takes longer: ${NEEDS_HTTPS}`;
}
/** `_headers` may isolate the page, too. */
function isIsolatedByFile(folder) {
    const names = readHostRules(folder)
        .listFields('/')
        .map(([name]) => name.toLowerCase());
    return names.includes('cross-origin-embedder-policy') && names.includes('cross-origin-opener-policy');
}

;// CONCATENATED MODULE: ./build/js/inputs/inputs.js
// Turns the text of the inputs into checked values. All problems are reported together, and an empty string means "not
// given". The action's inputs and the command line's flags pass through the same checks.













const DEFAULT_HOLD_MS = 30 * 60_000;
/** The job's token expires after a day; from then on the comment cannot be edited. */
const LONG_DURATION_MS = 24 * 60 * 60_000;
/** Shorter secrets are easily guessed, and the runner does not mask them reliably. */
const MIN_SECRET_LENGTH = 8;
/** Every input that `action.yml` declares, with its default; a test compares the two. */
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
    'base-path': 'auto',
    'cross-origin-isolation': 'false',
    protocol: 'http',
    'health-path': DEFAULT_HEALTH_PATH,
    'host-header': 'auto',
    'startup-timeout': DEFAULT_STARTUP_TIMEOUT,
    'stop-timeout': DEFAULT_STOP_TIMEOUT,
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
    compress: 'true',
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
    const boolean = (name, fallback) => problems.check(() => parseBoolean(text(name), name, fallback));
    const wanted = problems.check(() => parseChoice(text('protocol') || 'http', 'protocol', PROTOCOLS));
    const protocol = wanted.known ?? 'http';
    const app = problems.check(() => parseAppInputs(read, { environment, base, protocol, problems }));
    const tunnel = problems.check(() => parseTunnelInputs(read, protocol, problems));
    const gateway = problems.check(() => parseGatewayInputs(read, protocol, problems));
    const tls = problems.check(() => parseTlsInputs(read, { protocol, tunnel, problems }));
    const lifetime = problems.check(() => parseLifetime(text('hold'), text('duration')));
    const prNumber = problems.check(() => parseWholeNumber(text('pr-number') || undefined, 'pr-number', 1, 2 ** 31));
    const comment = boolean('comment', true);
    const failOnError = boolean('fail-on-error', true);
    // The fork rules have read this input before; only here is a wrong word reported.
    boolean('allow-untrusted-head', false);
    const logLevel = problems.check(() => parseChoice(text('log-level') || 'info', 'log-level', LOG_LEVELS));
    problems.throwIfAny();
    const publicTunnel = tls.value ? { ...tunnel.value, publicUrl: tls.value.publicUrl } : tunnel.value;
    return {
        protocol,
        app: app.value,
        tunnel: publicTunnel,
        tls: tls.value,
        gateway: gateway.value,
        ...lifetime.value,
        prNumber: prNumber.value,
        comment: comment.value,
        failOnError: failOnError.value,
        name: text('name') || undefined,
        logLevel: logLevel.value,
        warnings: [
            ...app.value.warnings,
            ...listWebWarnings(app.value, publicTunnel),
            ...listWarnings(tunnel.value, gateway.value, lifetime.value.durationMs),
            ...listHttpsWarnings(publicTunnel),
            ...(tls.value ? listTlsWarnings(tls.value, lifetime.value.durationMs) : []),
        ],
    };
}
/** `hold` is false, true or a duration, which a `duration` must not contradict. */
function parseLifetime(holdText, durationText) {
    const duration = durationText === '' ? undefined : parseDuration(durationText, 'duration');
    const word = holdText.toLowerCase();
    if (word === '' || word === 'false')
        return { hold: false, durationMs: duration };
    if (word === 'true')
        return { hold: true, durationMs: duration ?? DEFAULT_HOLD_MS };
    const hold = parseDuration(holdText, 'hold');
    if (duration !== undefined && duration !== hold)
        throw new errors/* InputError */.dz(`\`hold\` is '${holdText}' and \`duration\` is '${durationText}': give only one of them`);
    return { hold: true, durationMs: hold };
}
function listWarnings(tunnel, { access }, durationMs) {
    const { servers, publicUrl } = tunnel;
    const secrets = servers.flatMap(({ secret }) => secret ?? []);
    const shown = [publicUrl, ...servers.map(({ address }) => address.host)].join(' ');
    return [
        ...(secrets.some(secret => secret.length < MIN_SECRET_LENGTH)
            ? [
                `the secret is shorter than ${MIN_SECRET_LENGTH} characters: it is easily guessed, and the runner masks it wherever the same characters occur`,
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
                `\`public-url\` has no {host}, so the address stays the same when another server takes over: put the proxy in front of all of them, or write it like ${publicUrl.startsWith('tcp:') ? 'tcp://{host}:{port}' : 'https://{port}.{host}'}`,
            ]
            : []),
        ...(durationMs !== undefined && durationMs > LONG_DURATION_MS
            ? [
                "the duration is above 24 hours: the job's token will have expired by then, so the comment cannot be updated",
            ]
            : []),
    ];
}

;// CONCATENATED MODULE: ./build/js/supervisor/access.js
// Decides what the `access` input means in this repository or on this machine. Used by step and commands before they
// plan an exposure.


/** 192 bits. */
const GENERATED_KEY_BYTES = 24;
/**
 * Resolves `auto`: `open` if everybody can read the repository anyway, otherwise a link with a key. Throws an
 * InputError if raw bytes would be open to everybody without the workflow saying so.
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

// EXTERNAL MODULE: external "node:os"
var external_node_os_ = __webpack_require__(8161);
// EXTERNAL MODULE: external "node:child_process"
var external_node_child_process_ = __webpack_require__(1421);
// EXTERNAL MODULE: external "node:events"
var external_node_events_ = __webpack_require__(8474);
// EXTERNAL MODULE: external "node:timers/promises"
var external_node_timers_promises_ = __webpack_require__(8500);
;// CONCATENATED MODULE: ./build/js/shared/lines.js
// Splits text that arrives in pieces into lines. Used by app for the consoles of programs, and by step for the log
// file.
/** A program that never ends its line must not fill our memory; longer lines are passed on in pieces. */
const MAX_LINE_LENGTH = 16_384;
/** How many lines an error carries: more would not be read. */
const LAST_LINES = 20;
/** Cuts text at line ends, LF or CRLF. */
class LineBuffer {
    #rest = '';
    /** The unfinished last line. */
    get rest() {
        return this.#rest;
    }
    /** Returns the lines that end in `text`, without their line ends, and the pieces of a line that is too long. */
    add(text) {
        const parts = (this.#rest + text).split('\n');
        let rest = parts.pop() ?? '';
        const lines = parts.map(line => (line.endsWith('\r') ? line.slice(0, -1) : line));
        for (; rest.length > MAX_LINE_LENGTH; rest = rest.slice(MAX_LINE_LENGTH))
            lines.push(rest.slice(0, MAX_LINE_LENGTH));
        this.#rest = rest;
        return lines;
    }
    /** Returns the unfinished last line, if there is one; later text begins a new line. */
    end() {
        const rest = this.#rest;
        this.#rest = '';
        return rest === '' ? [] : [rest];
    }
}
/** The last lines of a console, oldest first. */
class LastLines {
    #limit;
    #lines = [];
    constructor(limit = LAST_LINES) {
        this.#limit = limit;
    }
    add(line) {
        this.#lines.push(line);
        if (this.#lines.length > this.#limit)
            this.#lines.shift();
    }
    /** All that are kept, or only the last `count` of them. */
    list(count = this.#limit) {
        return this.#lines.slice(-count);
    }
}

;// CONCATENATED MODULE: ./build/js/shared/processes.js
// Processes by id, safe against recycled ids, and process groups. The only reader of /proc/PID/stat, and the one place
// that ends a group. A pid alone identifies no process: it is trusted only with the start time it was recorded with.






/** The first look comes soon; each later one reads all of /proc, so they become rarer. */
const POLL_MS = 20;
const MAX_POLL_MS = 200;
/** Linux only: undefined elsewhere, and for a process that has ended, a zombie included. */
function readProcessStat(pid) {
    const stat = processes_readText(`/proc/${pid}/stat`);
    // The name may hold spaces and parentheses: fields are counted from its last ')'.
    const end = stat.lastIndexOf(')');
    const [state = 'X', parent, group, ...rest] = stat.slice(end + 2).split(' ');
    const startTime = rest[16];
    if (/^[ZX]/.test(state) || startTime === undefined)
        return undefined;
    return {
        name: stat.slice(stat.indexOf('(') + 1, end),
        parent: Number(parent),
        group: Number(group),
        startTime,
    };
}
function processes_readText(file) {
    try {
        return (0,external_node_fs_.readFileSync)(file, 'latin1');
    }
    catch {
        return ''; // ended, perhaps since it was listed
    }
}
/** When the process began, in a form that is good only for comparison; undefined if there is no such process. */
function readStartTime(pid) {
    if (process.platform === 'linux')
        return readProcessStat(pid)?.startTime;
    const [command, args] = process.platform === 'win32'
        ? ['powershell.exe', ['-NoProfile', '-Command', `(Get-Process -Id ${pid}).StartTime.Ticks`]]
        : ['ps', ['-o', 'lstart=', '-p', String(pid)]];
    try {
        const text = (0,external_node_child_process_.execFileSync)(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
        return text.trim() || undefined;
    }
    catch {
        return undefined;
    }
}
function recordProcess(pid, role) {
    return { pid, startTime: readStartTime(pid) ?? 'unknown', role };
}
/** Whether the recorded process still runs; false if its number now belongs to another one. */
function isAlive(record) {
    return readStartTime(record.pid) === record.startTime;
}
/** Resolves with true when the process of the record has ended, and with false if it still runs after `timeoutMs`. */
function waitForEnd(record, timeoutMs) {
    return waitUntilGone(() => isAlive(record), timeoutMs);
}
/**
 * Ends the process and its group: SIGTERM, then SIGKILL after `graceMs`. A group whose leader is gone is ended too:
 * its number cannot be given to another process while the group has members. Resolves when nothing is left or KILL_MS
 * after SIGKILL, with whether that was needed.
 */
async function endProcess(record, graceMs) {
    const steps = [
        ['SIGTERM', graceMs],
        ['SIGKILL', KILL_MS],
    ];
    let killed = false;
    for (const [signal, waitMs] of steps) {
        if (!isPresent(record))
            break;
        killed = signal === 'SIGKILL';
        signalGroup(record.pid, signal);
        // The process may be a member of another group.
        signalProcess(record.pid, signal);
        await waitUntilGone(() => isPresent(record), waitMs);
    }
    return { killed };
}
/** Whether the process of the record, or a member of its group, still runs. */
function isPresent(record) {
    const startTime = readStartTime(record.pid);
    if (startTime !== undefined)
        return startTime === record.startTime;
    return process.platform === 'linux' && hasMembers(record.pid);
}
/**
 * The group that a child of this process leads; on Windows, which has no groups, the child alone. Once the group was
 * found empty, its number is not used any more: another process may have it by then.
 */
class ProcessGroup {
    #leader;
    #isGone = false;
    constructor(leader) {
        this.#leader = leader;
    }
    /** False if only zombies are left: in a container without an init, no process reaps them. */
    isRunning() {
        return this.#signal(0) && (process.platform !== 'linux' || hasMembers(this.#leader));
    }
    /**
     * SIGTERM, and SIGKILL for what is left after `graceMs`; with 0, SIGKILL at once. Resolves when nothing is left, with
     * the members that had `graceMs` and did not use it.
     */
    async end(graceMs) {
        let killed = [];
        if (graceMs > 0) {
            this.#signal('SIGTERM');
            if (await waitUntilGone(() => this.isRunning(), graceMs))
                return [];
            killed = listMembers(this.#leader);
        }
        this.#signal('SIGKILL');
        await waitUntilGone(() => this.isRunning(), KILL_MS);
        return killed;
    }
    #signal(signal) {
        this.#isGone ||= !signalGroup(this.#leader, signal);
        return !this.#isGone;
    }
}
/** False if there is no such group. */
function signalGroup(leader, signal) {
    return signalProcess(process.platform === 'win32' ? leader : -leader, signal);
}
/** False if there is no such process; a negative number is a group. */
function signalProcess(pid, signal) {
    try {
        process.kill(pid, signal);
        return true;
    }
    catch (error) {
        return !(0,errors/* hasCode */.up)(error, 'ESRCH');
    }
}
/** False if the time limit is reached first. */
async function waitUntilGone(isRunning, limitMs) {
    const end = performance.now() + limitMs;
    for (let pauseMs = POLL_MS; isRunning(); pauseMs = Math.min(pauseMs * 1.2, MAX_POLL_MS)) {
        const leftMs = end - performance.now();
        if (leftMs <= 0)
            return false;
        await (0,external_node_timers_promises_.setTimeout)(Math.min(pauseMs, leftMs));
    }
    return true;
}
/** Linux: whether a process group has members that run. */
function hasMembers(group) {
    return listProcesses().some(pid => readProcessStat(pid)?.group === group);
}
function listMembers(group) {
    if (process.platform !== 'linux')
        return [{ pid: group, name: undefined }];
    return listProcesses().flatMap(pid => {
        const stat = readProcessStat(pid);
        if (stat?.group !== group)
            return [];
        // Node.js names its main thread `MainThread`; the command line has the program as people call it.
        const [command = ''] = processes_readText(`/proc/${pid}/cmdline`).split('\0');
        return { pid, name: (0,external_node_path_.basename)(command) || stat.name };
    });
}
/** Linux: the ids of all processes. */
function listProcesses() {
    return (0,external_node_fs_.readdirSync)('/proc')
        .filter(name => /^\d+$/.test(name))
        .map(Number);
}
/**
 * The nearest ancestor of this process with that name. The parent itself would be the wrong one: under a shell or in a
 * container it may end long before the job. Linux only; elsewhere undefined.
 */
function findAncestor(name) {
    for (let pid = process.ppid; pid > 1;) {
        const stat = readProcessStat(pid);
        if (stat?.name === name)
            return { pid, startTime: stat.startTime, role: name };
        pid = stat?.parent ?? 0;
    }
    return undefined;
}

// EXTERNAL MODULE: external "node:string_decoder"
var external_node_string_decoder_ = __webpack_require__(6193);
;// CONCATENATED MODULE: ./build/js/app/process/lines.js
// A program's console as lines, read no faster than they can be handled. Used by child.ts.


/**
 * How many lines are read from one stream: a burst, then so many per second. A program that prints without pause is
 * slowed down by its pipe, as on a slow terminal; sanitising every line of `yes` would keep visitors waiting instead.
 */
const BURST_LINES = 20_000;
const LINES_PER_SECOND = 5_000;
/** A longer line counts as several. */
const LINE_BYTES = 512;
/** Passes on every line of a stream without its line end (LF or CRLF), and after `end()` the unfinished last one. */
class LineSplitter {
    #stream;
    #decoder = new external_node_string_decoder_.StringDecoder('utf8');
    #onLine;
    #buffer = new LineBuffer();
    #budget = BURST_LINES;
    /** When `#budget` was computed, by performance.now(). */
    #budgetAt = performance.now();
    #pause;
    #isHurried = false;
    constructor(stream, onLine) {
        this.#stream = stream;
        this.#onLine = onLine;
        stream.on('data', (chunk) => {
            const lines = this.#buffer.add(this.#decoder.write(chunk));
            for (const line of lines)
                onLine(line);
            this.#spend(Math.max(lines.length, chunk.length / LINE_BYTES));
        });
        // The pipe may break when the process ends, which is reported elsewhere.
        stream.on('error', () => undefined);
    }
    /** The program has ended: from now on, what it left in the pipe is read without delay. */
    hurry() {
        this.#isHurried = true;
        clearTimeout(this.#pause);
        this.#stream.resume();
    }
    /** The program's output is over: passes on the unfinished line. Bytes that still arrive begin a new line. */
    end() {
        this.hurry();
        for (const line of this.#buffer.add(this.#decoder.end()))
            this.#onLine(line);
        for (const line of this.#buffer.end())
            this.#onLine(line);
        // Later output comes from a process that outlives the program, and may be as noisy.
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
}

;// CONCATENATED MODULE: ./build/js/app/process/child.js
// Runs a program in a process group of its own, reads its output line by line, and ends it with all its children. Used
// by every mode that runs a program, and by the installation of wasmrun.










/** How long to wait for the last lines after the program's end: a grandchild may keep the pipes open. */
const child_DRAIN_MS = 50;
/** taskkill ends a program at once, or not at all. */
const TASKKILL_MS = 1_000;
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
    // Also emitted if a signal cannot be delivered. The program's end is reported by `ended`.
    child.on('error', () => undefined);
    return watchChild(child, pid, options);
}
function watchChild(child, pid, { onLine, onKill, stopTimeoutMs = DEFAULT_STOP_TIMEOUT_MS }) {
    const lines = new LastLines();
    const keepLine = (line) => {
        lines.add(line);
        onLine(line);
    };
    const splitters = [child.stdout, child.stderr].map(stream => new LineSplitter(stream, keepLine));
    child.once('exit', () => {
        for (const splitter of splitters)
            splitter.hurry();
    });
    const group = new ProcessGroup(pid);
    // If the group is empty now, another process may get its number: the group must notice that at once.
    child.once('exit', () => group.isRunning());
    const end = async (graceMs) => {
        if (process.platform === 'win32')
            return await stopTree(child, pid);
        const killed = await group.end(graceMs);
        if (killed.length > 0)
            onKill?.(killed);
    };
    const ended = child_waitForEnd(child).then(end => {
        for (const splitter of splitters)
            splitter.end();
        return end;
    });
    let stopping;
    return {
        pid,
        ended,
        lastLines: () => lines.list(),
        stop: (graceMs = stopTimeoutMs) => {
            stopping ??= end(graceMs);
            return stopping;
        },
    };
}
/** The program's end, at most DRAIN_MS late. */
async function child_waitForEnd(child) {
    return await new Promise(resolve => {
        child.once('exit', (code, signal) => {
            const timer = setTimeout(() => resolve({ code, signal }), child_DRAIN_MS);
            child.once('close', () => {
                clearTimeout(timer);
                resolve({ code, signal });
            });
        });
    });
}
/** Windows has no process groups and no SIGTERM: `taskkill /T` ends the program with what it started. */
async function stopTree(child, pid) {
    if (child.exitCode !== null || child.signalCode !== null)
        return;
    const exited = (0,external_node_events_.once)(child, 'exit');
    const killer = (0,external_node_child_process_.spawn)('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore', windowsHide: true });
    killer.on('error', () => child.kill());
    await Promise.race([exited, (0,external_node_timers_promises_.setTimeout)(TASKKILL_MS, undefined, { ref: false })]);
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
/** How a program ended, in words: `with exit code 1`, `by signal SIGKILL`. */
function describeEnd(end) {
    return end.signal === null ? `with exit code ${end.code ?? 'unknown'}` : `by signal ${end.signal}`;
}

;// CONCATENATED MODULE: ./build/js/app/process/command.js
// Runs a program to its end, for its output or its effect. Used by the installation of wasmrun.




/**
 * No grace: an aborted command has nothing to finish, and is killed in the same tick. A second Ctrl-C ends this process
 * at once, and would leave behind a command that still had time to end.
 */
const ABORT_GRACE_MS = 0;
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
// EXTERNAL MODULE: ./build/js/shared/proxy.js
var shared_proxy = __webpack_require__(5894);
;// CONCATENATED MODULE: ./build/js/app/wasmrun/release.js
// Installs wasmrun from the .deb of its GitHub release: looks it up, downloads, checks and unpacks it, without root.
// Used by install.ts.











/** The API refused the request: a bad token, or the rate limit. A request without the token may succeed. */
class RefusalError extends errors/* AppError */.uV {
}
/** The rate limit is used up. */
class RateLimitError extends RefusalError {
}
/** What was downloaded is not what was published. No other way is tried then: a person should look at it. */
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
/** A download that broke off is tried once more. */
const DOWNLOAD_ATTEMPTS = 2;
const Asset = dist/* object */.Ikc({
    name: dist/* string */.YjP(),
    browser_download_url: dist/* pipe */.FsL(dist/* string */.YjP(), dist/* url */.OZ5()),
    size: dist/* pipe */.FsL(dist/* number */.aig(), dist/* integer */.ndf(), dist/* maxValue */.cGV(MAX_DOWNLOAD_BYTES)),
    digest: dist/* pipe */.FsL(dist/* string */.YjP(), dist/* regex */.yGV(/^sha256:[0-9a-f]{64}$/)),
});
/** Assets are checked when one is chosen: those for other systems do not matter. */
const Release = dist/* object */.Ikc({ assets: dist/* array */.YOg(dist/* looseObject */._H3({ name: dist/* string */.YjP() })) });
/** Puts the program of the release at `program`; rejects with an AppError that says why this way failed. */
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
/** The name that the release has for this machine's architecture. */
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
    const answer = await fetchRelease(url, options, dispatcher);
    const release = dist/* safeParse */.xLC(Release, await readJson(answer, url));
    if (!release.success)
        throw new errors/* AppError */.uV(`${url} did not answer with a release`);
    const listed = release.output.assets.find(asset => asset.name === name);
    if (listed === undefined)
        throw new errors/* AppError */.uV(`the release v${options.version} has no ${name}`);
    const asset = dist/* safeParse */.xLC(Asset, listed);
    if (asset.success)
        return asset.output;
    throw new errors/* AppError */.uV(`${name} is published without a usable digest, size or address`);
}
/** Sends the token if it may be sent to `url`. If GitHub refuses it, tries again without: the release is public. */
async function fetchRelease(url, options, dispatcher) {
    const token = selectToken(url, options.gitHub);
    const headers = { accept: 'application/vnd.github+json', 'user-agent': 'expose-action' };
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
    if (token !== undefined) {
        const authorization = `Bearer ${token}`;
        try {
            return await fetchFrom(url, { headers: { ...headers, authorization }, signal, dispatcher });
        }
        catch (error) {
            if (!(error instanceof RefusalError))
                throw error;
            options.logger.info(`${error.message}; trying again without the token`);
        }
    }
    return await fetchFrom(url, { headers, signal, dispatcher });
}
/** The token if it may be sent to `url`. undici drops it if a redirect leads to another origin (Fetch Standard). */
function selectToken(url, gitHub) {
    if (gitHub === undefined || gitHub.token === '')
        return undefined;
    const origin = URL.parse(url)?.origin;
    return origin !== undefined && URL.parse(gitHub.apiUrl)?.origin === origin ? gitHub.token : undefined;
}
async function fetchFrom(url, options) {
    // Loaded late: most jobs install nothing.
    const { fetch } = await __webpack_require__.e(/* import() */ 752).then(__webpack_require__.t.bind(__webpack_require__, 6752, 19));
    const answer = await fetch(url, options).catch((cause) => {
        throw new errors/* AppError */.uV(`${url} cannot be reached`, { cause });
    });
    if (answer.ok)
        return answer;
    await answer.body?.cancel();
    throw describeRefusal(url, answer, options.headers?.authorization !== undefined);
}
function describeRefusal(url, { status, headers }, hasToken) {
    if (![401, 403, 429].includes(status))
        return new errors/* AppError */.uV(`${url} answered ${status}`);
    const end = readLimitEnd(headers);
    if (end !== undefined) {
        const until = `until ${end.toISOString().slice(11, 16)} UTC`;
        return new RateLimitError(hasToken
            ? `GitHub's rate limit for \`github-token\` is used up ${until}`
            : `GitHub's rate limit for requests without a token is used up ${until}; in a job, pass \`github-token\``);
    }
    const hint = status === 401 ? '' : ' (the limit of requests may be used up)';
    return new RefusalError(`${url} answered ${status}${hint}`);
}
/** The end of the rate limit that refused the request; undefined if none did (docs.github.com, "Rate limits"). */
function readLimitEnd(headers) {
    const reset = headers.get('x-ratelimit-remaining') === '0' ? headers.get('x-ratelimit-reset') : null;
    const pause = headers.get('retry-after');
    const end = new Date(reset !== null ? Number(reset) * 1_000 : Date.now() + Number(pause ?? Number.NaN) * 1_000);
    return Number.isNaN(end.getTime()) ? undefined : end;
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
            throw new errors/* AppError */.uV(`more than ${limit} bytes arrived`);
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
            'Nothing was installed. Run the job again; if it happens again, report it to the maintainers of wasmrun', { restartable: false });
}
/** Keeps only the program. Debian and Ubuntu have dpkg-deb; more systems have ar and tar. */
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
        throw new errors/* AppError */.uV(`the .deb cannot be unpacked (that needs dpkg-deb, or ar and tar): ${sanitise((0,errors/* describeError */.Uc)(cause))}`, { cause });
    }
}

;// CONCATENATED MODULE: ./build/js/app/wasmrun/install.js
// Finds wasmrun, or installs it: PATH, tool cache, the release's .deb, cargo. Used by supervisor/plan.ts.








/** The version this action was tested with. */
const PINNED_VERSION = '1.0.0';
const MODES_WITHOUT = 'or use `mode: web` or `mode: port`, which need no wasmrun';
/** `wasmrun --version` prints and exits; from a cold disk that may take seconds. */
const VERSION_TIMEOUT_MS = 20_000;
const PROGRAM = process.platform === 'win32' ? 'wasmrun.exe' : 'wasmrun';
/**
 * The absolute path of a wasmrun that runs. Throws an InputError for an impossible version, and an AppError that says
 * what was tried.
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
/** Without a wanted version, the first on PATH is used. If that is too old, throws, because the job chose it. */
async function findOnPath(options, wanted) {
    const path = install_findProgram(PROGRAM, options.pathVariable);
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
function install_findProgram(name, pathVariable) {
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
/** The version that `--version` prints among colours and a frame. */
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
 * Installs into a folder beside the cached one and renames it when it runs: a cache folder is complete or absent.
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
/** A tool cache that cannot be written to (a read-only image) is skipped. */
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
/** Another job on this machine may have been faster: then its folder stays, because it may be in use. */
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
/** The .deb, then cargo. If both fail, the error gives both reasons. */
async function install(stage, version, options) {
    const program = (0,external_node_path_.join)(stage, 'bin', PROGRAM);
    const check = async () => {
        const installed = await readVersion(program, options);
        if (installed !== version)
            throw new errors/* AppError */.uV(`version ${installed} was installed instead`);
    };
    const failures = [];
    for (const attempt of [installFromRelease, installWithCargo]) {
        try {
            await attempt({ ...options, stage, program, version, failure: failures[0] });
            await check();
            options.logger.info(`wasmrun ${version}: installed`);
            return;
        }
        catch (error) {
            options.signal.throwIfAborted();
            if (error instanceof DigestError)
                throw error;
            failures.push(error);
        }
    }
    throw new errors/* AppError */.uV(`wasmrun ${version} was not found and could not be installed: ${failures.map(errors/* describeError */.Uc).join('; and ')}. ` +
        `Install it in an earlier step (cargo install wasmrun), ${MODES_WITHOUT}`, { restartable: false });
}
async function installWithCargo(options) {
    const { stage, version, failure, environment, signal, logger } = options;
    const cargo = install_findProgram(process.platform === 'win32' ? 'cargo.exe' : 'cargo', options.pathVariable);
    if (cargo === undefined)
        throw new errors/* AppError */.uV('cargo is not on PATH (https://rustup.rs)');
    const notice = `wasmrun ${version} is built with cargo, which takes 5 to 10 minutes (${(0,errors/* describeError */.Uc)(failure)})`;
    // A token would save these minutes, and the message says so: a warning is seen.
    if (failure instanceof RateLimitError)
        logger.warn(notice);
    else
        logger.info(notice);
    // Beside the program, not in the system's temp folder, where a killed cargo would leave its files.
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
// Turns checked inputs into the document that a supervisor is started with. Used by step and by the `expose` command.






/** Compiling wasmrun takes minutes; it does not count towards `startup-timeout`. */
const INSTALL_TIMEOUT_MS = 15 * 60_000;
/** Characters of a list of names: a workflow has a few, a laptop many. */
const MAX_LEFT_OUT = 500;
/** 256 bits. */
const TOKEN_BYTES = 32;
/** The bundle or source file of another program, beside the one that runs now. */
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
    return {
        folder,
        name,
        controlToken: (0,external_node_crypto_.randomBytes)(TOKEN_BYTES).toString('hex'),
        logLevel: inputs.logLevel,
        exposure: {
            protocol,
            spec: describeSpec(inputs, wasmrun),
            env: app.env,
            baseEnvironment: chooseEnvironment(app, host),
            healthPath: app.healthPath,
            hostHeader: app.hostHeader,
            startupTimeoutMs: app.startupTimeoutMs,
            stopTimeoutMs: app.stopTimeoutMs,
            durationMs: inputs.durationMs,
            gateway: { ...gateway, access },
            tls: tls && { cert: tls.cert, key: tls.key },
            tunnel: {
                servers: [...tunnel.servers],
                identity,
                remotePort: tunnel.remotePort,
                publicUrl: tunnel.publicUrl,
                spareConnections: host.spareConnections,
                threadScript: protocol === 'tcp' ? resolveBundle('visitor-thread') : undefined,
            },
        },
        continueFile: plan.continueFile,
        runner: plan.runner,
        comment: plan.comment,
    };
}
/**
 * Finds or installs wasmrun and resolves with its program file; '' if the app needs none. Rejects with an InputError,
 * an AppError, or the reason of the context's signal.
 */
async function locateWasmrun(app, host, logger, context) {
    if (!needsWasmrun(app.mode))
        return '';
    const limit = AbortSignal.timeout(INSTALL_TIMEOUT_MS);
    return findOrInstallWasmrun({
        ...context,
        version: app.wasmrunVersion,
        pathVariable: host.pathVariable,
        // Read only now: without HOME and without an entry in passwd, there is no home folder.
        toolCache: host.toolCache ?? (0,external_node_path_.join)((0,external_node_os_.homedir)(), '.cache', 'expose-action', 'tools'),
        tempFolder: host.tempFolder,
        releasesUrl: host.releasesUrl,
        environment: host.childEnvironments.installation,
        logger,
        signal: AbortSignal.any([context.signal, limit]),
    });
}
function chooseEnvironment({ mode, command }, { childEnvironments, commandEnvironment }) {
    if (needsWasmrun(mode))
        return childEnvironments.wasmrun;
    return command === undefined ? childEnvironments.program : commandEnvironment.passed;
}
/**
 * A line for the log about the variables of the job that the command does not see; undefined if there are none. A
 * command that misses one may fail in any way, and its author looks here.
 */
function describeLeftOut({ command, env }, { commandEnvironment }) {
    const names = commandEnvironment.leftOut.filter(name => !(name in env));
    if (command === undefined || names.length === 0)
        return undefined;
    return `variables of the job that \`command\` does not see, unless you name them in \`env\`: ${sanitise(names.join(', '), MAX_LEFT_OUT)}`;
}
function needsWasmrun(mode) {
    return mode === 'os' || mode === 'exec';
}
function describeSpec({ app, gateway }, wasmrun) {
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
            return {
                mode,
                path,
                spa: app.spa,
                crossOriginIsolation: app.crossOriginIsolation,
                basePath: app.basePath,
                compress: gateway.compress,
            };
        case 'port':
            return { mode, path, port: app.port, service: app.service, command: app.command };
    }
}

;// CONCATENATED MODULE: ./build/js/shared/state-json.js
// The state of an exposure as JSON: what the control API sends, outcome.json holds, and comment, summary and commands
// read. One schema for both ends.


const TUNNEL_STATUSES = [
    'Not started',
    'Connecting',
    'Connected',
    'Reconnecting',
    'Disconnected',
    'Failed',
];
const APP_STATUSES = [
    'starting',
    'running',
    'restarting',
    'stopped',
    'failed',
];
const PhaseSchema = dist/* variant */.Oxt('phase', [
    dist/* object */.Ikc({ phase: dist/* literal */.euz('starting') }),
    dist/* object */.Ikc({ phase: dist/* literal */.euz('live'), live_at: dist/* string */.YjP(), expires_at: dist/* nullable */.mee(dist/* string */.YjP()) }),
    dist/* object */.Ikc({
        phase: dist/* literal */.euz('ended'),
        reason: dist/* picklist */.KIO(END_REASONS),
        live_at: dist/* nullable */.mee(dist/* string */.YjP()),
        ended_at: dist/* string */.YjP(),
    }),
    dist/* object */.Ikc({
        phase: dist/* literal */.euz('failed'),
        reason: dist/* string */.YjP(),
        last_lines: dist/* array */.YOg(dist/* string */.YjP()),
        live_at: dist/* nullable */.mee(dist/* string */.YjP()),
        ended_at: dist/* string */.YjP(),
    }),
]);
const state_json_StateMessageSchema = dist/* object */.Ikc({
    mode: dist/* picklist */.KIO(APP_MODES),
    status: dist/* picklist */.KIO(TUNNEL_STATUSES),
    /** Null unless the tunnel is Connected or Reconnecting. */
    public_url: dist/* nullable */.mee(dist/* string */.YjP()),
    preview_url: dist/* nullable */.mee(dist/* string */.YjP()),
    public_host: dist/* nullable */.mee(dist/* string */.YjP()),
    public_port: dist/* nullable */.mee(dist/* number */.aig()),
    tunnel_reason: dist/* nullable */.mee(dist/* string */.YjP()),
    verified: dist/* nullable */.mee(dist/* boolean */.zMY()),
    doubt: dist/* nullable */.mee(dist/* picklist */.KIO(UNVERIFIED_REASONS)),
    app: dist/* object */.Ikc({
        status: dist/* picklist */.KIO(APP_STATUSES),
        port: dist/* nullable */.mee(dist/* number */.aig()),
        reason: dist/* nullable */.mee(dist/* string */.YjP()),
    }),
    restarts: dist/* number */.aig(),
    reconnects: dist/* number */.aig(),
    address_changes: dist/* number */.aig(),
    visits: dist/* number */.aig(),
    warnings: dist/* array */.YOg(dist/* string */.YjP()),
    exposure: PhaseSchema,
});
function describeState(state) {
    const { tunnel, app, address } = state;
    const hasAddress = tunnel.status === 'Connected' || tunnel.status === 'Reconnecting';
    return {
        mode: state.mode,
        status: tunnel.status,
        public_url: hasAddress && address.kind !== 'none' ? address.url : null,
        preview_url: hasAddress ? (state.link ?? null) : null,
        public_host: hasAddress ? tunnel.host : null,
        public_port: hasAddress ? tunnel.port : null,
        tunnel_reason: ('reason' in tunnel ? tunnel.reason : undefined) ?? null,
        verified: isVerified(address),
        doubt: address.kind === 'unverified' ? address.reason : null,
        app: {
            status: app.status,
            port: app.status === 'running' && app.upstream.kind === 'address' ? app.upstream.port : null,
            reason: 'reason' in app ? app.reason : null,
        },
        restarts: state.restarts,
        reconnects: state.reconnects,
        address_changes: state.addressChanges,
        visits: state.visits,
        warnings: [...state.warnings],
        exposure: describePhase(state.phase),
    };
}
function describePhase(phase) {
    if (phase.kind === 'starting')
        return { phase: 'starting' };
    const live_at = phase.liveAt?.toISOString() ?? null;
    if (phase.kind === 'live')
        return {
            phase: 'live',
            live_at: phase.liveAt.toISOString(),
            expires_at: phase.expiresAt?.toISOString() ?? null,
        };
    const ended_at = phase.endedAt.toISOString();
    if (phase.kind === 'ended')
        return { phase: 'ended', reason: phase.reason, live_at, ended_at };
    return { phase: 'failed', reason: phase.reason, last_lines: [...phase.lastLines], live_at, ended_at };
}
/** Null before the first check. */
function isVerified({ kind }) {
    return kind === 'verified' || (kind === 'unverified' ? false : null);
}

;// CONCATENATED MODULE: ./build/js/supervisor/session-folder.js
// The folder of one exposure on this machine. Main, post, stop and the `expose` command find the exposure through it.
//
//   expose-XXXXXX/   0700, in RUNNER_TEMP or the system's temp folder
//     session.json   how to reach it (0600: it holds the control token)
//     journal        every process it started
//     expose.log     its log
//     outcome.json   its last state, written when it ends; until then blanks, which reserve the space on the disk
//     bin/           the `expose` command for later steps
//     app/           whatever the app needs: staged copy, profile of the browser






const PREFIX = 'expose-';
/** Enough for any last state: it has up to twenty lines of the app, of 1,000 characters of up to six bytes each. */
const OUTCOME_BYTES = 160 * 1024;
const SessionSchema = dist/* object */.Ikc({
    /** What people see; not unique. */
    name: dist/* string */.YjP(),
    pid: dist/* number */.aig(),
    startTime: dist/* string */.YjP(),
    controlUrl: dist/* pipe */.FsL(dist/* string */.YjP(), dist/* regex */.yGV(/^http:\/\/127\.0\.0\.1:\d{1,5}$/)),
    controlToken: dist/* string */.YjP(),
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
/** Writes and returns the session of a preview whose API listens. Throws if its folder has one already. */
function writeSession({ folder, name, controlToken }, { pid, startTime }, controlUrl) {
    const session = { name, pid, startTime, controlUrl, controlToken };
    (0,external_node_fs_.writeFileSync)(sessionFiles(folder).session, JSON.stringify(session), { mode: 0o600, flag: 'wx' });
    return session;
}
/** The session of a folder, or undefined if its supervisor never got ready. */
function readSession(folder) {
    return readDocument(sessionFiles(folder).session, SessionSchema);
}
/**
 * Saves the last state, for post, and for `expose status` after the end. It replaces the blanks that were written at
 * the start: a full disk has no room for a new file, and without one post would report a killed supervisor.
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
    return readDocument(sessionFiles(folder).outcome, state_json_StateMessageSchema);
}
function readDocument(file, schema) {
    if (!(0,external_node_fs_.existsSync)(file))
        return undefined;
    try {
        return dist/* parse */.qgA(schema, JSON.parse((0,external_node_fs_.readFileSync)(file, 'utf8')));
    }
    catch {
        return undefined; // a document cut off in mid-write is as good as none
    }
}
/**
 * The session a command is meant for: the only one with the wanted name, or the only one at all. Ended ones count only
 * if none runs. Throws an InputError if there is none, and one that lists them if there are several.
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
        throw new errors/* InputError */.dz(`several exposures are here; choose one with \`session\`: there ${describeList(candidates)}`);
    return only;
}
/** False from the end on, even while its process still writes the last comment. */
function isRunning({ folder, session }) {
    return isAlive(session) && readOutcome(folder) === undefined;
}
/** Whether `wanted` is its `session` output, the folder's path or name, or the name people see, which is not unique. */
function isCalled({ folder, session }, wanted) {
    return [sessionFiles(folder).session, folder, (0,external_node_path_.basename)(folder), session.name].includes(wanted);
}
/** The sessions whose control API was started, running or ended; a skipped preview leaves none. */
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
/** Writes the `expose` command for later steps: it runs this bundle with this Node. Returns the folder for PATH. */
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
// Closes a connection so that the other side notices at once. Used by tunnel and gateway.
/**
 * Sends a TCP reset, which arrives even if the other side does not read. Two kinds of socket are destroyed instead:
 * one with a FIN under way, because libuv refuses to reset it (EINVAL) and Node.js 24 then takes it for closed, so that
 * nothing is sent and the process never exits; and one that is still connecting, because Node.js would wait for the
 * connection in order to reset it, on a dead link for two minutes.
 */
function resetSocket(socket) {
    if (socket.connecting || (socket.writableEnded && !socket.writableFinished))
        socket.destroy();
    else
        socket.resetAndDestroy();
}

;// CONCATENATED MODULE: ./build/js/shared/secrets.js
// Compares secrets in constant time, and lists the texts of a key that logs must hide. Used by gateway, control,
// tunnel, exposure and step.

/** A shorter line of a key reveals nothing, and masking it would blank out half of the log. */
const MIN_HIDDEN_LENGTH = 8;
/** Takes the same time for every guess, of any length. For keys, passwords and MACs. */
function isSame(given, wanted) {
    return (0,external_node_crypto_.timingSafeEqual)((0,external_node_crypto_.hash)('sha256', given, 'buffer'), (0,external_node_crypto_.hash)('sha256', wanted, 'buffer'));
}
/**
 * The texts of a PEM key to hide in logs: the whole key, and each of its lines, because the runner masks line by line.
 */
function listKeyTexts(key) {
    const lines = key.split('\n').map(line => line.trim());
    return [key.trim(), ...lines].filter(text => text.length >= MIN_HIDDEN_LENGTH && !/^-----.*-----$/.test(text));
}

;// CONCATENATED MODULE: ./build/js/tunnel/wire/challenge.js
// How a client proves that it knows the server's secret (bore, src/auth.rs). Used by handshake.ts,
// retry/server-rotation.ts and our own bore server.

/** A secret as an HMAC key. As a KeyObject, one answer takes 3 µs; with the bytes of the key it would take 25 µs. */
function deriveKey(secret) {
    return (0,external_node_crypto_.createSecretKey)((0,external_node_crypto_.createHash)('sha256').update(secret).digest());
}
/** The answer, in hex, to a challenge, which is a UUID: HMAC-SHA256 of its 16 raw bytes (bore, src/auth.rs). */
function answerChallenge(key, challenge) {
    return (0,external_node_crypto_.createHmac)('sha256', key).update(challenge.replaceAll('-', ''), 'hex').digest('hex');
}

;// CONCATENATED MODULE: ./build/js/tunnel/wire/frame-reader.js
// Reads frames off a socket: one at a time in a handshake, then each as it comes. Used by session/ on our client's
// side, and by server/server.ts on the other.

/** No frame came: the other side hung up, or the time was over. `received`: bytes that are not a whole frame. */
class NoFrame extends Error {
    reason;
    received;
    constructor(reason, received, options) {
        super(reason === 'ended' ? 'the connection was closed' : 'no frame came in time', options);
        this.name = 'NoFrame';
        this.reason = reason;
        this.received = received;
    }
}
/** Requires a socket that nothing else reads and that has an 'error' handler. */
class FrameReader {
    #socket;
    #decoder = new FrameDecoder();
    constructor(socket) {
        this.#socket = socket;
    }
    /** Waits for one frame and consumes no byte after it. Rejects with NoFrame or FrameTooLong. */
    async next(timeoutMs) {
        const { promise, resolve, reject } = Promise.withResolvers();
        const fail = (reason) => reject(new NoFrame(reason, this.#decoder.takeRest(), { cause: this.#socket.errored ?? undefined }));
        const check = () => {
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
        // After a stall of this process the timer fires first, while what arrived in time is still unread.
        const timer = setTimeout(() => setImmediate(() => isOver || fail('timeout')), timeoutMs);
        const events = ['readable', 'end', 'close'];
        for (const event of events)
            this.#socket.on(event, check);
        check();
        try {
            return await promise;
        }
        finally {
            isOver = true;
            clearTimeout(timer);
            for (const event of events)
                this.#socket.off(event, check);
        }
    }
    /** Calls `onFrame` with every frame from now on, and `onBroken` once if the bytes cannot be a frame. */
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
        onData(Buffer.alloc(0)); // frames that came together with the last one of the handshake
    }
    /** Stops reading: puts the bytes after the last frame back into the socket. */
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
// The visitors of our bore server: waiting for a client to accept them, or connected. Used by server.ts.



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
    /** Keeps a visitor, paused, for PENDING_VISITOR_MS. Returns its id; if there are too many, resets it: undefined. */
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
    /** Joins the visitor `id` with `socket`, both directions to their ends. False if no such visitor waits. */
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
/** Passes on bytes and ends in both directions; when one connection breaks, the other one is reset. */
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
// A bore server, for `expose demo`, `expose server` and the tests. Behaves like the real one (bore 0.6.0,
// src/server.rs), but frees a port as soon as its owner hangs up. A connection that fails does not affect the others.









/** As many as the real server makes: enough to find a free port among many that are in use. */
const RANDOM_PORT_ATTEMPTS = 150;
/** Resolves when it listens; rejects with the error of node:net if it cannot. */
async function startBoreServer(options = {}) {
    const server = new Bore(options);
    await server.listen(options.controlPort ?? 0);
    return server;
}
class Bore {
    host;
    #bindTunnels;
    #range;
    #key;
    #logger;
    #pending;
    #sockets = new Set();
    #ports = new Set();
    #control;
    #controlPort = 0;
    constructor(options) {
        this.host = options.host ?? '127.0.0.1';
        this.#bindTunnels = options.bindTunnels ?? this.host;
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
    get controlPort() {
        return this.#controlPort;
    }
    async listen(port) {
        await (0,external_node_events_.once)(this.#control.listen(port, this.host), 'listening');
        this.#controlPort = findPort(this.#control);
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
                return server_refuse(socket, refusal);
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
            return server_refuse(control, refusal);
        const port = findPort(listener);
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
    /** Undefined when it listens, otherwise the error for the client. */
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
/** Undefined if the client proves that it knows the secret, otherwise the error for it. */
async function challenge(socket, reader, key) {
    const question = crypto.randomUUID();
    send(socket, { Challenge: question });
    const reply = await readRequest(reader);
    if (reply === undefined || !('Authenticate' in reply))
        return ERROR_TEXT.secretRequired;
    const isRight = isSame(reply.Authenticate, answerChallenge(key, question));
    return isRight ? undefined : ERROR_TEXT.invalidSecret;
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
function server_refuse(socket, text) {
    socket.end(encodeFrame({ Error: text }), () => socket.destroy());
}
function findPort(server) {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
}

;// CONCATENATED MODULE: ./build/js/exposure/config.js
// The configuration of one exposure: the app, who may open it, and the servers. Part of the supervisor's document
// (supervisor/config.ts), and checked with it.






const config_Port = dist/* pipe */.FsL(dist/* number */.aig(), dist/* integer */.ndf(), dist/* minValue */.Wwf(1), dist/* maxValue */.cGV(65_535));
const Milliseconds = dist/* pipe */.FsL(dist/* number */.aig(), dist/* minValue */.Wwf(0), dist/* maxValue */.cGV(MAX_DURATION_MS));
const Environment = dist/* record */.g1P(dist/* string */.YjP(), dist/* string */.YjP());
const ExposureConfigSchema = dist/* object */.Ikc({
    /** `tcp`: visitors' bytes reach the app unread. */
    protocol: dist/* picklist */.KIO(PROTOCOLS),
    spec: AppSpecSchema,
    env: Environment,
    baseEnvironment: Environment,
    /** Absent if an accepting port is enough. */
    healthPath: dist/* optional */.lqM(dist/* string */.YjP()),
    /** Absent: `auto`. Unused with `protocol: tcp`. */
    hostHeader: dist/* optional */.lqM(dist/* picklist */.KIO(HOST_HEADERS)),
    startupTimeoutMs: Milliseconds,
    /** Absent: DEFAULT_STOP_TIMEOUT_MS. */
    stopTimeoutMs: dist/* optional */.lqM(Milliseconds),
    /** From "live" on; absent: until it is stopped. */
    durationMs: dist/* optional */.lqM(Milliseconds),
    /** For the gateway; unused with `protocol: tcp`. */
    gateway: dist/* object */.Ikc({
        access: dist/* variant */.Oxt('kind', [
            dist/* object */.Ikc({ kind: dist/* literal */.euz('open') }),
            dist/* object */.Ikc({
                kind: dist/* literal */.euz('link'),
                key: dist/* string */.YjP(),
                /** A generated key is as public as the link that contains it; a given key is never shown. */
                isGenerated: dist/* boolean */.zMY(),
            }),
            dist/* object */.Ikc({ kind: dist/* literal */.euz('basic'), user: dist/* string */.YjP(), password: dist/* string */.YjP() }),
        ]),
        publicPaths: dist/* array */.YOg(dist/* string */.YjP()),
        maxBodyBytes: dist/* pipe */.FsL(dist/* number */.aig(), dist/* minValue */.Wwf(1)),
        compress: dist/* boolean */.zMY(),
    }),
    /** PEM; absent: plain HTTP. */
    tls: dist/* optional */.lqM(dist/* object */.Ikc({ cert: dist/* string */.YjP(), key: dist/* string */.YjP() })),
    tunnel: dist/* object */.Ikc({
        servers: dist/* pipe */.FsL(dist/* array */.YOg(dist/* object */.Ikc({
            address: dist/* object */.Ikc({ host: dist/* string */.YjP(), port: config_Port }),
            secret: dist/* optional */.lqM(dist/* string */.YjP()),
        })), dist/* minLength */.BpQ(1)),
        /** Identifies the preview in every run. */
        identity: dist/* string */.YjP(),
        remotePort: dist/* variant */.Oxt('kind', [
            dist/* object */.Ikc({ kind: dist/* literal */.euz('fixed'), port: config_Port }),
            dist/* object */.Ikc({ kind: dist/* literal */.euz('random') }),
            dist/* object */.Ikc({ kind: dist/* literal */.euz('auto'), min: config_Port, max: config_Port }),
        ]),
        /** Template with `{host}` and `{port}`. */
        publicUrl: dist/* string */.YjP(),
        /** Whether connections to a far server may be opened ahead of visitors; absent: yes. */
        spareConnections: dist/* optional */.lqM(dist/* boolean */.zMY()),
        /** The program of a second thread for raw visitors; absent: one thread for all. */
        threadScript: dist/* optional */.lqM(dist/* string */.YjP()),
    }),
});
/** The texts to hide in logs. A generated key is not one: it is part of the link. */
function listSecrets({ tunnel, gateway, tls }) {
    const { access } = gateway;
    return [
        ...tunnel.servers.flatMap(({ secret }) => secret ?? []),
        ...(access.kind === 'link' && !access.isGenerated ? [access.key] : []),
        ...(access.kind === 'basic' ? [access.password] : []),
        ...listKeyTexts(tls?.key ?? ''),
    ];
}

;// CONCATENATED MODULE: ./build/js/shared/count.js
// Counts as people read them. Used by comment, summary and commands.
/** `1 visit`, `2 visits`. */
function count_renderCount(count, noun) {
    return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

;// CONCATENATED MODULE: ./build/js/shared/folders.js
// Removes folders that a process or a mount may still hold. Used by exposure, app, step and commands.




/**
 * Open files on Windows and `.nfs` files on NFS keep a folder from being removed, mostly for a moment. Retried here and
 * not by Node's `maxRetries`, which waits again at every level of the tree: with a mount in it that took a minute.
 */
const ATTEMPTS = 3;
const RETRY_DELAY_MS = 200;
/**
 * Removes the folder and its contents, if it exists. If that fails, resolves with a warning that says why; never
 * rejects.
 */
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
;// CONCATENATED MODULE: ./build/js/supervisor/process-journal.js
// The journal of an exposure's processes: post and the foreground read it to end what a killed supervisor left behind.
// Used by background, supervision, step and commands.



const ProcessRecordSchema = dist/* object */.Ikc({
    pid: dist/* pipe */.FsL(dist/* number */.aig(), dist/* integer */.ndf(), dist/* minValue */.Wwf(2)),
    startTime: dist/* string */.YjP(),
    role: dist/* string */.YjP(),
});
/** Appends to the journal (0600). Called in the same tick as the spawn, so that every child is on record if we die. */
function writeJournal(file, record) {
    (0,external_node_fs_.appendFileSync)(file, `${JSON.stringify(record)}\n`, { mode: 0o600 });
}
/** The journal's records, newest first; skips a last line that was cut off. */
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
            return [dist/* parse */.qgA(ProcessRecordSchema, JSON.parse(line))];
        }
        catch {
            return [];
        }
    })
        .reverse();
}
/** Ends every recorded process that still runs, with SIGKILL after `graceMs`, and returns those. */
async function reapJournal(file, graceMs) {
    const left = readJournal(file).filter(isPresent);
    return await Promise.all(left.map(async (record) => ({ ...record, ...(await endProcess(record, graceMs)) })));
}

// EXTERNAL MODULE: external "node:http"
var external_node_http_ = __webpack_require__(7067);
;// CONCATENATED MODULE: ./build/js/control/api.js
// The control API on the runner's loopback: wasmrun's three tunnel routes, and further ones for the exposure.
// openapi.yaml describes it; a test compares the two. Used by supervisor/supervision.




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
/** A comment line now and then shows a client that a quiet stream is not dead. */
const KEEPALIVE_MS = 15_000;
/** Time for the client that requested the end to read its response. */
const CLOSE_GRACE_MS = 1_000;
/** The reasons that a client may give. */
const CALLER_REASONS = ['stopped', 'job ended'];
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
    response.on('error', () => { }); // a client that has disconnected needs no response
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const route = ROUTES[`${request.method} ${path}`];
    const allowed = ROUTE_NAMES.filter(name => name.endsWith(` ${path}`)).map(name => name.split(' ')[0]);
    // Keeps out web pages whose host name points to 127.0.0.1 (DNS rebinding).
    if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? ''))
        return api_refuse(response, 403, 'this API accepts requests to its loopback address only');
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
    return isSame(request.headers.authorization ?? '', `Bearer ${token}`);
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
/** Server-sent events (WHATWG HTML §9.2): `event: state` with a StateMessage, the current one first. */
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

;// CONCATENATED MODULE: ./build/js/shared/app-authority.js
// The name under which the app is addressed on its own side: for the Host that it gets, and for messages. Used by app
// and gateway.

/** `localhost:8080` or `redis:6379`, as a browser beside the app would write it: without port 80. */
function renderAppAuthority({ port, service }) {
    const host = addBrackets(service ?? 'localhost');
    return port === 80 ? host : `${host}:${port}`;
}
/** For a message: `port 8080` or `redis:6379`. */
function describeAppPort({ port, service }) {
    return service === undefined ? `port ${port}` : `${addBrackets(service)}:${port}`;
}

;// CONCATENATED MODULE: ./build/js/app/process/free-port.js
// Finds a free port for a program that does not choose one itself. Used by the modes exec, port and os.



/** Then any port will do: on an unusual machine some address may be refused for every port. */
const MAX_ATTEMPTS = 20;
/** A TCP port, at most `max`, that was free a moment ago. */
async function findFreePort(max = 65_535) {
    for (let attempt = 1;; attempt += 1) {
        const port = await tryToListen('127.0.0.1', 0);
        // The program may listen at all addresses, and then another program at any of them is in its way.
        if (port <= max && (attempt > MAX_ATTEMPTS || (await isFreePort(port))))
            return port;
    }
}
/** Every address that a program may listen on. Some systems let two programs have one port at different addresses. */
const ADDRESSES = ['127.0.0.1', '::1', '0.0.0.0', '::'];
/** Whether a program may listen on `port`, at whichever address it does. */
async function isFreePort(port) {
    for (const address of ADDRESSES) {
        const failure = await tryToListen(address, port).then(() => undefined, error => error);
        // A machine without IPv6 cannot have the port taken there.
        if (failure !== undefined && !(0,errors/* hasCode */.up)(failure, 'EADDRNOTAVAIL', 'EAFNOSUPPORT'))
            return false;
    }
    return true;
}
/** Listens for a moment, and resolves with the port. Rejects with the system's error. */
async function tryToListen(host, port) {
    const server = (0,external_node_net_.createServer)().listen({ host, port, ipv6Only: true });
    await (0,external_node_events_.once)(server, 'listening');
    const address = server.address();
    server.close();
    await (0,external_node_events_.once)(server, 'close');
    if (address === null || typeof address === 'string')
        throw new errors/* AppError */.uV(`no free port on ${host}`);
    return address.port;
}

;// CONCATENATED MODULE: ./build/js/app/process/port-owner.js
// Finds the process that listens on a port: a program that is still starting may find its port taken, and what answers
// there meanwhile must not be published. Linux only; used by listener.ts.



/** Ports of `docker run -p` and similar commands belong to a process of the container engine. */
const CONTAINER_PROXIES = ['docker-proxy', 'rootlessport', 'pasta', 'slirp4netns', 'conmon'];
/** proc_pid_net(5): the state LISTEN. */
const LISTEN = '0A';
/**
 * The process that listens on `port` of a loopback host, if it is known and not ours. Undefined if it is ours or
 * unknown (another user's process, another system).
 */
async function findForeignOwner(address, ours) {
    if (process.platform !== 'linux')
        return undefined;
    const sockets = await listSockets(address);
    if (sockets.size === 0)
        return undefined;
    let foreign;
    for (const pid of listProcesses()) {
        if (!(await holdsSocket(pid, sockets)))
            continue;
        const stat = readProcessStat(pid);
        if (stat === undefined)
            continue;
        if (await isOurs(pid, stat, ours))
            return undefined;
        foreign = { pid, name: (await readCommand(pid)) || stat.name };
    }
    return foreign;
}
/** The program as people call it, from its command line: Node.js names its main thread `MainThread`. */
async function readCommand(pid) {
    const [command = ''] = (await port_owner_readText(`/proc/${pid}/cmdline`)).split('\0');
    return (0,external_node_path_.basename)(command);
}
async function isOurs(pid, stat, ours) {
    if (stat.group === ours.group || CONTAINER_PROXIES.includes(stat.name))
        return true;
    return (await port_owner_readText(`/proc/${pid}/environ`)).split('\0').includes(ours.variable);
}
/** Names of the listening sockets a connection to the address may end at, as links of /proc/PID/fd show them. */
async function listSockets({ host, port }) {
    const files = host === '127.0.0.1' ? ['tcp', 'tcp6'] : ['tcp6'];
    const tables = await Promise.all(files.map(name => port_owner_readText(`/proc/net/${name}`)));
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
async function port_owner_readText(path) {
    return await (0,promises_.readFile)(path, 'utf8').catch(() => '');
}

;// CONCATENATED MODULE: ./build/js/shared/invalid-answer.js
// Says what is wrong with an answer that is not HTTP/1.1, and what to do about it. Used for the app's answers, by
// app/process/readiness.ts (Node's errors) and by gateway/pages/notice.ts (undici's). Pure.


/** Browsers accept 256 KB, and apps with long policies or many cookies exceed Node's default of 16 KB. */
const MAX_ANSWER_HEAD_BYTES = 65_536;
/** An app that expects TLS, and got plain HTTP. */
const SPEAKS_TLS = {
    problem: 'it speaks TLS (https)',
    remedy: 'let the app speak plain http here; visitors get https with `tls-cert`, or from a proxy in front',
};
/** How much of an unknown answer a message shows. */
const MAX_QUOTE = 40;
const USE_LIBRARY = 'let the HTTP library of the app write the head of its answers';
const USE_TCP = 'give the port of an HTTP server, or use `protocol: tcp`';
/** What llhttp reports, and what that means for the app. The first that matches counts. */
const REASONS = [
    [
        /expected (?:CR|LF)|CRLF/i,
        'it ends a line of its head without CR LF (\\r\\n)',
        'let the app end every line of the head with \\r\\n',
    ],
    [
        /present with/,
        'it has both Content-Length and Transfer-Encoding',
        'let the app send only one of the two',
    ],
    [/Duplicate Content-Length/, 'it has two Content-Length fields', 'let the app send one'],
    [/in Content-Length|Content-Length overflow/, 'its Content-Length is not a number', USE_LIBRARY],
    [
        /header/i,
        'it has a header line that is not valid: a space in a name, no colon, or a control character',
        USE_LIBRARY,
    ],
    [/status/i, 'its status is not a number from 100 to 999', USE_LIBRARY],
    [/version|dot/i, 'its first line names another version than HTTP/1.0 or HTTP/1.1', USE_LIBRARY],
    [/chunk/i, 'its body is not chunked correctly', USE_LIBRARY],
];
/** What servers of other protocols say first, or in answer to an HTTP request. */
const OTHER_PROTOCOLS = [
    [/^SSH-/, 'SSH'],
    [/^-(?:ERR|NOAUTH|DENIED)/, 'Redis'],
    [/^220[ -]/, 'SMTP or FTP'],
    [/^.\0\0\0[\n\xff]/s, 'MySQL'],
    [/^E\0\0\0|^[NS]$/, 'PostgreSQL'],
    [/^AMQP/, 'AMQP'],
    [/^I?t looks like you are trying to access MongoDB/, 'MongoDB'],
    [/^(?:ERROR|CLIENT_ERROR)\r\n/, 'Memcached'],
];
/** Undefined if the error does not come from the bytes of an answer. */
function explainInvalidAnswer(error) {
    if (!(error instanceof Error))
        return undefined;
    if ((0,errors/* hasCode */.up)(error, 'UND_ERR_HEADERS_OVERFLOW', 'HPE_HEADER_OVERFLOW'))
        return {
            problem: `its head is longer than ${MAX_ANSWER_HEAD_BYTES / 1024} KB`,
            remedy: 'let the app send fewer or shorter headers, such as cookies',
        };
    // undici reports every error in the rest of the head like this, once it has read a Content-Length (createError in
    // lib/dispatcher/client-h1.js).
    if ((0,errors/* hasCode */.up)(error, 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'))
        return {
            problem: 'a header line after its Content-Length is not valid: a second Content-Length, a Transfer-Encoding, or a line that is not NAME: VALUE',
            remedy: USE_LIBRARY,
        };
    if (!isParseError(error))
        return undefined;
    if (/Expected HTTP/.test(error.message))
        return explainFirstBytes(readRest(error));
    const [, problem, remedy] = REASONS.find(([reported]) => reported.test(error.message)) ?? [];
    if (problem === undefined || remedy === undefined)
        return { problem: `it is not valid HTTP (${sanitise(error.message)})`, remedy: USE_LIBRARY };
    return { problem, remedy };
}
function isParseError(error) {
    if (error.name === 'HTTPParserError')
        return true;
    return 'code' in error && String(error.code).startsWith('HPE_');
}
/** What came, from about where the parser stopped: all of it in Node's `rawPacket`, the rest in undici's `data`. */
function readRest(error) {
    if ('rawPacket' in error && Buffer.isBuffer(error.rawPacket))
        return error.rawPacket.toString('latin1');
    return 'data' in error && error.data !== undefined ? String(error.data) : '';
}
function explainFirstBytes(text) {
    // An alert or a handshake (RFC 8446, 5.1).
    if (/^[\x15\x16]\x03/.test(text))
        return SPEAKS_TLS;
    // SETTINGS or GOAWAY of the connection itself (RFC 9113, 4.1).
    if (/^\0[\s\S]{2}[\x04\x07][\s\S]\0{4}/.test(text))
        return {
            problem: 'it speaks HTTP/2 only, as gRPC servers do',
            remedy: 'let the app speak HTTP/1.1 too, or use `protocol: tcp`',
        };
    const protocol = OTHER_PROTOCOLS.find(([begins]) => begins.test(text))?.[1];
    if (protocol !== undefined)
        return { problem: `it speaks ${protocol}`, remedy: USE_TCP };
    if (/^(?:status|content-type|[\w-]+):/i.test(text))
        return {
            problem: 'it has no status line (HTTP/1.1 200 OK) before its headers',
            remedy: 'a CGI script needs a server in front; let that answer here',
        };
    const quote = sanitise(text.slice(0, MAX_QUOTE)).trim();
    return {
        problem: `it begins with "${quote}" instead of a status line (HTTP/1.1 200 OK)`,
        remedy: USE_TCP,
    };
}

;// CONCATENATED MODULE: ./build/js/app/process/readiness.js
// When a program counts as up: its port accepts, and its health path answers. Used by app.ts, listener.ts, `mode:
// port`, and exposure/ingress.ts.






const readiness_POLL_MS = 50;
/** A connection on loopback is accepted at once, or not at all. */
const CONNECT_TIMEOUT_MS = 1_000;
/** The first request may start a compilation of the project; a later attempt is then answered faster. */
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
        const fail = () => {
            socket.destroy();
            resolve(false);
        };
        socket.once('timeout', fail);
        socket.on('error', fail);
        socket.once('connect', () => {
            // Where nobody listens, TCP may connect a socket to itself, if the system gives it this very port (RFC 9293, 3.5:
            // simultaneous open). Reset, it does not keep the port from the program.
            if (socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress) {
                socket.resetAndDestroy();
                resolve(false);
                return;
            }
            // Not destroyed: a program that greets its visitors would get a reset, and many end because of it.
            socket.end().resume().unref();
            resolve(true);
        });
    });
}
/**
 * Resolves with the first answer to GET `path` with a status below 500. `onAttempt` is called with the outcome of each
 * other attempt. Rejects with the signal's reason.
 */
async function waitForHealth(target, signal) {
    for (let attempt = 1;; attempt += 1) {
        signal.throwIfAborted();
        const outcome = await askOnce(target, isPowerOfTwo(attempt), signal);
        if (outcome.kind === 'answer' && outcome.status < 500)
            return outcome;
        // An attempt that was cut off by the deadline says nothing about the app.
        signal.throwIfAborted();
        target.onAttempt(outcome);
        await (0,external_node_timers_promises_.setTimeout)(readiness_POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
}
/** Rarer and rarer: a program that is only slow to start should not get many connections with TLS. */
function isPowerOfTwo(attempt) {
    return (attempt & (attempt - 1)) === 0;
}
/**
 * Some servers refuse plain HTTP on their TLS port with 400, and some close the connection without a word. `tryTls`:
 * whether to try a handshake in the second case.
 */
async function askOnce(request, tryTls, signal) {
    const outcome = await sendRequest(request, signal);
    const mayBeTls = (outcome.kind === 'closed' && tryTls) || (outcome.kind === 'answer' && outcome.status === 400);
    return mayBeTls && (await speaksTls(request.address)) ? { kind: 'invalid', ...SPEAKS_TLS } : outcome;
}
async function sendRequest({ address, host, path }, signal) {
    return await new Promise(resolve => {
        const request = (0,external_node_http_.get)({
            host: address.host,
            port: address.port,
            path,
            headers: { host, 'user-agent': 'expose-action' },
            agent: false,
            maxHeaderSize: MAX_ANSWER_HEAD_BYTES,
            signal: AbortSignal.any([signal, AbortSignal.timeout(readiness_ANSWER_TIMEOUT_MS)]),
        });
        request.once('response', response => {
            resolve({ kind: 'answer', status: response.statusCode ?? 0, headers: response.headers });
            response.destroy();
        });
        request.once('error', error => {
            const invalid = explainInvalidAnswer(error);
            if (invalid !== undefined)
                resolve({ kind: 'invalid', ...invalid });
            else
                resolve({ kind: (0,errors/* hasCode */.up)(error, 'ECONNRESET', 'EPIPE') ? 'closed' : 'none' });
        });
    });
}
/** Whether a TLS handshake succeeds there, with any certificate. */
async function speaksTls({ host, port }) {
    return await new Promise(resolve => {
        const socket = (0,external_node_tls_.connect)({ host, port, rejectUnauthorized: false, timeout: CONNECT_TIMEOUT_MS });
        const finish = (answer) => {
            socket.destroy();
            resolve(answer);
        };
        socket.once('secureConnect', () => finish(true));
        socket.once('timeout', () => finish(false));
        socket.once('error', () => finish(false));
        socket.once('close', () => finish(false));
    });
}

;// CONCATENATED MODULE: ./build/js/app/process/listener.js
// Starts a program that must listen on a port. Used by the modes exec and port; app.ts and os/ use only `raceEnd`.






/** An app that listens on `localhost` may be reachable at only one of them. */
const LOOPBACK_HOSTS = ['127.0.0.1', '::1'];
/**
 * Starts a program and resolves when it listens. Rejects with an AppError if another process has the port, before the
 * start or by the time it accepts, or if the program ends.
 */
async function startListener(options) {
    const { context, port, role } = options;
    const target = { hosts: LOOPBACK_HOSTS, port };
    const variable = `EXPOSE_URL=${options.environment.EXPOSE_URL ?? ''}`;
    const taken = await findListening(target);
    // Nothing has been started yet, so no group is ours.
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
    return new errors/* AppError */.uV(`port ${port} is taken by another process${who}, so ${role} cannot use it; ` +
        'choose another `port`, or leave `command` out if that process is the app');
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
    const { onOutput: onLine, onChild, stopTimeoutMs, logger } = context;
    const onKill = (killed) => logger.warn(`${role} did not stop within ${duration_formatDuration(stopTimeoutMs)}, the \`stop-timeout\`, and was killed: ${listNames(killed)}`);
    return { command, args, cwd, environment, role, onLine, onChild, stopTimeoutMs, onKill };
}
function listNames(members) {
    const names = members.map(({ pid, name }) => (name === undefined ? `${pid}` : `${name} (${pid})`));
    return sanitise(names.join(', '));
}
/** Resolves as `wait` does. If the program ends first, aborts the wait and rejects with the program's error. */
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
// Which files wasmrun ships into its VM: the rules of wasmrun 1.0.0 (project_files.rs), which differ from git's. Used
// by staging.ts, which reports before the start what the VM will not see.
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
        .map(ignore_rules_parsePattern);
    return (path, isFolder) => findBuiltIn(path, isFolder) ?? findPattern(patterns, path, isFolder);
}
function ignore_rules_parsePattern(line) {
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
/**
 * A pattern with a slash is matched against the whole path, one without against the name (for files, every name in it).
 */
function matchesPath(pattern, path, isFolder) {
    if (pattern.text.includes('/'))
        return matchesTokens(pattern.tokens, path);
    const names = path.split('/');
    return (isFolder ? names.slice(-1) : names).some(name => matchesTokens(pattern.tokens, name));
}
/** Follows all paths through the pattern at once, so the time is bounded by the length of pattern times text. */
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
/** `*` and `**` may match nothing, so the token after them is a possible position, too. */
function skipRuns(tokens, positions) {
    for (const at of positions) {
        const kind = tokens[at]?.kind;
        if (kind === 'anything' || kind === 'segment')
            positions.add(at + 1);
    }
    return positions;
}

;// CONCATENATED MODULE: ./build/js/app/project/network-policy.js
// What a program in wasmrun's VM may connect to: our list of the runner's own ranges, merged into the project's
// wasmrun.toml. Used by staging.ts. wasmnet 0.2.0 checks its deny rules first, for every address a name resolves to,
// so nothing in `allow` can open these ranges again.


/**
 * wasmnet's own list leaves `0.0.0.0`, `::1` and `::ffff:127.0.0.1` open, and with them wasmrun's file-writing API
 * (measured). These are the ranges of RFC 6890 that can lead to this machine or its network, in every notation.
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
/** The VM's memory if the project sets no limit or a higher one: a runner has 7 GB, and the job needs some of it. */
const MAX_MEMORY_MB = 2_048;
/**
 * What the page keeps for its Console panel, which nobody sees here. The page copies the whole list for every line, in
 * the thread that also moves the program's bytes. Our own log still gets every line.
 */
const MAX_PAGE_CONSOLE_MB = 1;
/** The default of wasmnet 0.2.0, which binds these ports on the runner: other ports may belong to other services. */
const DEFAULT_BIND_PORTS = '3000-9999';
const [MIN_BIND_PORT, MAX_BIND_PORT] = [3_000, 9_999];
const MAX_CONNECTIONS = 50;
const MAX_BANDWIDTH_MBPS = 10;
/** The wasmrun.toml for our copy of the project: the project's own, narrowed by our rules and limits. */
function renderStagedConfig(config, ownAddresses = []) {
    const { limits, network, ...os } = config.os ?? {};
    const { max_memory_mb, max_output_mb } = limits ?? {};
    const { deny = [], max_connections, max_bandwidth_mbps } = network ?? {};
    return (0,smol_toml_dist/* stringify */.As)({
        os: {
            ...os,
            limits: {
                ...limits,
                ...(max_memory_mb === undefined ? {} : { max_memory_mb: narrow(max_memory_mb, MAX_MEMORY_MB) }),
                max_output_mb: narrow(max_output_mb ?? 0, MAX_PAGE_CONSOLE_MB),
            },
            network: {
                ...network,
                deny: [...new Set([...DENIED_RANGES, ...ownAddresses, ...deny])],
                ...(findRefusedPorts(config) === undefined ? {} : { bind_ports: DEFAULT_BIND_PORTS }),
                // Unlike in the other limits, 0 means none here.
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
/** The project's `bind_ports` if some lie outside of wasmnet's default range, which then replaces them. */
function findRefusedPorts({ os }) {
    const wanted = os?.network?.bind_ports;
    return wanted === undefined || wanted.split(',').every(isBindable) ? undefined : wanted;
}
/** Rust accepts more spellings of a number (`+22`) than this does: they are refused. */
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
/** This machine's addresses as rules: a service on all interfaces would answer on a public one, too. */
function listOwnAddresses() {
    return Object.values((0,external_node_os_.networkInterfaces)())
        .flatMap(addresses => addresses ?? [])
        .map(({ address, family }) => (family === 'IPv6' ? `${address.split('%')[0]}/128` : `${address}/32`));
}

// EXTERNAL MODULE: external "node:module"
var external_node_module_ = __webpack_require__(8995);
// EXTERNAL MODULE: external "node:vm"
var external_node_vm_ = __webpack_require__(714);
;// CONCATENATED MODULE: ./build/js/app/project/runtime-modules.js
// What wasmhub's Node.js runtime 0.6.0 can load: its modules (main.js, `builtins`), and which programs it can parse.
// Used by staging.ts before the start, and by page-program.ts when a program has ended.





/** Those that load. Some only throw when they are used (`child_process`, `tls`, `zlib`, …), with a message of their own. */
const MODULES = new Set([
    ...[
        'assert',
        'async_hooks',
        'buffer',
        'child_process',
        'console',
        'crypto',
        'dgram',
        'events',
        'fs',
        'fs/promises',
    ],
    ...['http', 'https', 'net', 'os', 'path', 'process', 'querystring', 'stream', 'string_decoder', 'timers'],
    ...['timers/promises', 'tls', 'tty', 'url', 'util', 'worker_threads', 'zlib'],
]);
const GUIDE = 'docs/os.md#packages-bundle-them';
/** A program of this many files of its own is more than a warning needs. */
const MAX_FILES = 200;
/** How far before a call its `try` is looked for. */
const LOOK_BACK = 200;
/** What to do about a module that the program cannot load. `name` is as written in `require`. */
function adviseOnModule(name) {
    const shown = sanitise(name);
    const plain = name.replace(/^node:/, '');
    if (/^[./]/.test(name))
        return `${shown} is not among the files in the VM; see which were left out`;
    if (name.startsWith('node:') || external_node_module_.builtinModules.includes(plain))
        return `wasmrun's runtime has no ${shown}: replace it when you bundle (${GUIDE}), or use \`mode: port\` with a \`command\``;
    return `${shown} is not in the VM, which gets no node_modules: bundle the program (${GUIDE})`;
}
/** The rest of a sentence about a program that ended: what its last lines say is missing, and what to do. */
function adviseOnOutput(lines) {
    const text = lines.join('\n');
    const missing = /Cannot find module '([^'\n]+)'/.exec(text)?.[1];
    if (missing !== undefined)
        return `; ${adviseOnModule(missing)}`;
    if (/is not supported in this sandbox/.test(text))
        return "; wasmrun's runtime cannot do that (docs/os.md#the-runtime); use `mode: port` with a `command`";
    return '';
}
/**
 * Looks at the program before it starts. Throws an AppError if the runtime cannot parse the entry file. Returns a
 * warning for each module that is required and cannot be loaded: only the program knows whether it does without.
 */
function checkProgram(entry, read) {
    const warnings = new Set();
    const files = new Set([entry]);
    for (const file of files) {
        const source = read(file);
        if (source === undefined || files.size > MAX_FILES)
            continue;
        if (file === entry)
            checkSyntax(file, source);
        for (const name of listRequired(source)) {
            if (name.startsWith('.')) {
                const found = runtime_modules_findFile(external_node_path_.posix.join((0,external_node_path_.dirname)(file), name), read);
                if (found?.endsWith('.js'))
                    files.add(found);
            }
            else if (!isLoadable(name))
                warnings.add(`${sanitise(file)}: ${adviseOnModule(name)}`);
        }
    }
    return [...warnings];
}
/** The runtime runs a file as the body of a function, as Node.js does with CommonJS; Node.js's parser knows more. */
function checkSyntax(file, source) {
    if (source.startsWith('#!'))
        throw new errors/* AppError */.uV(`${sanitise(file)} begins with #!, and wasmrun's runtime cannot parse that line: remove it, or bundle the program without it`, { restartable: false });
    try {
        (0,external_node_vm_.compileFunction)(source, ['exports', 'require', 'module', '__filename', '__dirname'], { filename: file });
    }
    catch (cause) {
        if (!(cause instanceof SyntaxError))
            throw cause;
        const isModule = /import statement|token 'export'|import\.meta|await is only valid/.test(cause.message);
        const line = /:(\d+)\n/.exec(cause.stack ?? '')?.[1];
        const place = line === undefined ? sanitise(file) : `${sanitise(file)}, line ${line}`;
        throw new errors/* AppError */.uV(isModule
            ? `${place} is an ES module, and wasmrun's runtime runs only CommonJS: bundle the program (${GUIDE})`
            : `${place} is not JavaScript that wasmrun's runtime can run (${sanitise(cause.message)}); bundle or correct it`, { cause, restartable: false });
    }
}
/** Modules required by a fixed name, except in comments, and where a `try` around the call expects a failure. */
function listRequired(source) {
    const calls = [...source.matchAll(/(?<![\w.$])require\((['"])([^'"\n]{1,200})\1\)/g)];
    return calls.flatMap(({ 2: name, index }) => {
        const before = source.slice(Math.max(0, index - LOOK_BACK), index);
        const isOptional = /\btry\s*\{[^}]*$/.test(before);
        const isComment = /(?:\/\/|^\s*\*)[^\n]*$/.test(before.slice(before.lastIndexOf('\n') + 1));
        return name === undefined || isOptional || isComment ? [] : [name];
    });
}
function isLoadable(name) {
    if (name === 'node:test')
        return true;
    return MODULES.has(name.replace(/^node:/, '')) || /^[#/]/.test(name);
}
function runtime_modules_findFile(path, read) {
    return [path, `${path}.js`, `${path}/index.js`].find(candidate => read(candidate) !== undefined);
}

;// CONCATENATED MODULE: ./build/js/app/project/staging.js
// Makes the copy of a project that OS mode runs on. The checkout itself is not used, because wasmrun's API can write
// into the folder it serves, and our network policy becomes a part of it. Used by os.ts and, for a plain copy, exec.ts.











/** wasmrun 1.0.0 ships no more than this into the VM (project_files.rs); larger files would be missing silently. */
const MAX_FILE_BYTES = 10 * 1024 * 1024;
const MAX_TOTAL_BYTES = 50 * 1024 * 1024;
const staging_MAX_FILES = 5_000;
/**
 * Copies the project into `target` (which must not exist), with our network policy in its wasmrun.toml. Throws an
 * InputError for a broken wasmrun.toml, and an AppError if the program's entry file would be left out.
 */
async function stageProject(source, target, logger) {
    const config = readProjectConfig(source);
    const rules = parseIgnoreRules(readProjectFile(source, '.gitignore') ?? '');
    const walk = await createWalk(source, target, rules);
    await copyFolder(walk, '');
    await (0,promises_.writeFile)((0,external_node_path_.join)(target, CONFIG_FILE), renderStagedConfig(config, listOwnAddresses()));
    logger.info(describeStaging(walk, 'for the VM'));
    const refused = findRefusedPorts(config);
    if (refused !== undefined)
        logger.warn(`wasmrun.toml: os.network.bind_ports ${sanitise(refused)} is not within ${DEFAULT_BIND_PORTS}, which is used instead`);
    const entry = await checkEntry(walk, config.os?.entry);
    if (entry === undefined || !entry.endsWith('.js'))
        return;
    const read = (path) => walk.files.has(path) ? (0,external_node_fs_.readFileSync)((0,external_node_path_.join)(walk.to, path), 'utf8') : undefined;
    for (const warning of checkProgram(entry, read))
        logger.warn(warning);
}
/**
 * Copies a folder into `target` (which must not exist) for a program that gets it as its root directory: by the same
 * rules, and without dotfiles except `.well-known`, because the program may show visitors what it can read.
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
    if (walk.files.size >= staging_MAX_FILES)
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
/**
 * The file the page will run: named by wasmrun.toml, otherwise by package.json, otherwise one of the usual names.
 * Undefined if the page takes any script.
 */
async function checkEntry(walk, configured) {
    const wanted = configured ?? readPackageEntry(walk.from);
    const entry = wanted === undefined ? undefined : external_node_path_.posix.normalize(wanted);
    if (entry !== undefined && walk.files.has(entry))
        return entry;
    if (entry !== undefined && (configured !== undefined || isFile((0,external_node_path_.join)(walk.from, entry))))
        throw describeLostEntry(walk, entry);
    const usual = ENTRY_FILES.find(name => walk.files.has(name));
    if (usual !== undefined)
        return usual;
    for (const name of ENTRY_FILES)
        if (isFile((0,external_node_path_.join)(walk.from, name)))
            throw describeLostEntry(walk, name);
    // As a last resort the page takes any script of the root; without one there is nothing to run.
    if (![...walk.files].some(path => path.endsWith('.js')))
        throw await describeUnsuited(walk.from);
    return undefined;
}
function describeLostEntry(walk, entry) {
    const shown = sanitise(entry);
    if (!isFile((0,external_node_path_.join)(walk.from, entry)))
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
/** The entry that the page takes from package.json; undefined if it leads out of the project. */
function readPackageEntry(folder) {
    const { main, module } = readPackage(folder);
    const entry = main ?? module;
    return entry === undefined || leadsOut(entry) ? undefined : entry;
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
        `(looked for package.json, ${DETECTED_FILES.join(', ')}); ${other}`, { restartable: false });
}

;// CONCATENATED MODULE: ./build/js/app/exec/exec.js
// `mode: exec`: one .wasm file in wasmrun's interpreter, which gives it a listening socket. Used by app.ts.




/** As much as OS mode allows. Without a limit, a program could take all of the runner's memory. */
const exec_MAX_MEMORY_MB = 2_048;
/**
 * Starts the program. It sees a staged copy of the file's folder at `/`, `env`, and no network except its socket.
 * `env` is passed in wasmrun's argv, which other processes of the machine can read: wasmrun 1.0.0 has no other way.
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

;// CONCATENATED MODULE: ./build/js/app/host-header/choice.js
// `host-header: auto`: which address the app should see as its own, decided from what it answered when it was asked
// under both (questions.ts). Used by host-header.ts. Pure.
//
// `rewrite` suits development servers, which refuse every Host but localhost. `preserve` suits servers that build
// absolute URLs, or that know their public address. Where both work, plain http is preserved: then the app sees what the
// browser sent. Behind https it is not: the app itself speaks http, and if it compares `Origin` with its own scheme, it
// refuses its own forms (Django, Astro). The evidence is in docs/host-header.md.
/** The first row that applies. */
function chooseHostRule(answers) {
    const { atLocal, atPublic, script, isTold, isHttps } = answers;
    const rewrite = (reason) => ({ rule: 'rewrite', reason });
    const preserve = (reason) => ({ rule: 'preserve', reason });
    if (atPublic === undefined)
        return rewrite('did not answer in time at its public address');
    const [local, open] = [rankPage(atLocal), rankPage(atPublic)];
    if (open > local)
        return rewrite(isRefusal(atPublic.status) || !atPublic.leadsAway
            ? `refuses its public address with status ${atPublic.status}`
            : 'redirects from its public address to another one');
    if (script && rank(script.atPublic) > rank(script.atLocal))
        return rewrite(`refuses its script at its public address with status ${script.atPublic}`);
    // webpack-dev-server 4, and so Vue CLI 5 and Create React App 5, refuse a Host with status 200 and a short text.
    if (atLocal?.hasScript && !atPublic.hasScript && open === local)
        return rewrite('shows a page without its script at its public address');
    if (local > open)
        return preserve('answers only at its public address');
    if (isHttps && atPublic.publicSchemes.includes('http'))
        return rewrite('takes itself for http, and its public address is https');
    if (isTold)
        return preserve('is started with its public address');
    if (atPublic.namesLocal)
        return rewrite('calls itself localhost, whatever its address is');
    if (!isHttps)
        return preserve('answers at its public address as at localhost');
    if (atPublic.assumesHttps)
        return preserve('takes itself for https');
    const seesHttps = atPublic.publicSchemes.includes('https') || (atPublic.isSecure && !atLocal?.isSecure);
    return seesHttps
        ? preserve('knows that its public address is https')
        : rewrite('does not show that it knows of https');
}
/** The statuses of a server that refuses a Host or an Origin, or fails because of it. */
function isRefusal(status) {
    return status === 400 || status === 403 || status === 421 || status >= 500;
}
/** How well a request went: 0 is best. */
function rank(status) {
    if (status === undefined)
        return 3;
    if (isRefusal(status))
        return 2;
    return status >= 400 ? 1 : 0;
}
function rankPage(page) {
    return Math.max(rank(page?.status), page?.leadsAway ? 1 : 0);
}

;// CONCATENATED MODULE: ./build/js/app/host-header/questions.js
// Asks a healthy app for its page under localhost and under its public address, as a browser would, for the choice of
// `host-header: auto` (choice.ts). Used by host-header.ts.


/** The app has answered before, so it need not be waited for. */
const questions_ANSWER_TIMEOUT_MS = 2_000;
/** Time for all questions: they delay the start. */
const TOTAL_TIMEOUT_MS = 5_000;
/** A page's head, and what its first screen is made of. */
const questions_MAX_PAGE_BYTES = 262_144;
/** `/` → `/login`, `/` → `/en/`. */
const MAX_REDIRECTS = 3;
/** Sends a few requests, one after the other. A question that gets no answer in time counts as unanswered. */
async function askUnderBothNames({ address, path, publicUrl }, signal) {
    const authority = renderAppAuthority(address);
    const local = { origin: `http://${authority}`, authority, fields: {} };
    const open = {
        origin: publicUrl.origin,
        authority: publicUrl.host,
        fields: { 'x-forwarded-host': publicUrl.host, 'x-forwarded-proto': publicUrl.protocol.slice(0, -1) },
    };
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(TOTAL_TIMEOUT_MS)]);
    const ask = (name, target) => fetchAnswer(address, name, target, AbortSignal.any([deadline, AbortSignal.timeout(questions_ANSWER_TIMEOUT_MS)]));
    const given = await fetchPage(ask, local, path);
    const isPage = path === '/' || given?.headers['content-type']?.includes('html') === true;
    const atLocal = isPage ? given : await fetchPage(ask, local, '/');
    const atPublic = await fetchPage(ask, open, isPage ? path : '/');
    const scriptPath = atPublic && findScript(atPublic);
    const describe = (page) => page && describePage(page, { local, open });
    return {
        atLocal: describe(atLocal),
        atPublic: describe(atPublic),
        script: scriptPath
            ? {
                atLocal: (await ask(local, scriptPath))?.status,
                atPublic: (await ask(open, scriptPath))?.status,
            }
            : undefined,
        isHttps: publicUrl.protocol === 'https:',
    };
}
/** Follows redirects within the origin. */
async function fetchPage(ask, name, path) {
    let url = new URL(path, name.origin);
    for (let left = MAX_REDIRECTS;; left -= 1) {
        const answer = await ask(name, `${url.pathname}${url.search}`);
        if (answer === undefined)
            return undefined;
        const next = findRedirect(answer, url);
        if (next === undefined || next.origin !== name.origin || left === 0)
            return { ...answer, url };
        url = next;
    }
}
function findRedirect({ status, headers }, base) {
    if (status < 300 || status >= 400 || typeof headers.location !== 'string')
        return undefined;
    return URL.parse(headers.location, base.href) ?? undefined;
}
function describePage(page, { local, open }) {
    const { status, headers, text, url } = page;
    const next = findRedirect(page, url);
    const everything = `${JSON.stringify(headers)} ${text}`;
    return {
        status,
        hasScript: findScript(page) !== undefined,
        leadsAway: next !== undefined && next.origin !== url.origin,
        namesLocal: listSchemes(everything, local.authority).length > 0,
        publicSchemes: listSchemes(everything, open.authority),
        isSecure: headers['strict-transport-security'] !== undefined ||
            /;\s*secure\b/i.test(String(headers['set-cookie'] ?? '')),
        // SvelteKit's Node.js adapter: it compares a form's Origin with https://HOST, on localhost too.
        assumesHttps: headers['x-sveltekit-page'] !== undefined,
    };
}
/** The schemes of the URLs with exactly this authority. JSON may escape their slashes. */
function listSchemes(text, authority) {
    const urls = new RegExp(`([a-z]+):\\\\?/\\\\?/${authority.replace(/[.[\]]/g, '\\$&')}(?![\\w.:@-])`, 'gi');
    return [...text.matchAll(urls)].map(([, scheme = '']) => scheme.toLowerCase());
}
/** The path of the first script that comes from the page's own origin. */
function findScript({ text, url }) {
    for (const [, source = ''] of text.matchAll(/<script\b[^>]*?\ssrc\s*=\s*["']?([^"'\s>]+)/gi)) {
        const script = URL.parse(source.replaceAll('&amp;', '&'), url.href);
        if (script?.origin === url.origin)
            return `${script.pathname}${script.search}`;
    }
    return undefined;
}
/** One GET, with the Origin that scripts of the page send. Undefined if no whole head came in time. */
async function fetchAnswer({ host, port }, { authority, origin, fields }, path, signal) {
    return await new Promise(resolve => {
        let answer;
        const request = (0,external_node_http_.get)({
            ...{ host, port, path, signal, agent: false },
            headers: {
                host: authority,
                origin,
                accept: 'text/html, */*',
                'user-agent': 'expose-action',
                ...fields,
            },
        });
        // A page that is still being sent, such as an event stream, is judged by what has come.
        const finish = () => {
            resolve(answer);
            request.destroy();
        };
        request.once('error', finish).once('response', response => {
            const begun = { status: response.statusCode ?? 0, headers: response.headers, text: '' };
            answer = begun;
            response.setEncoding('latin1').on('data', (chunk) => {
                begun.text += chunk;
                if (begun.text.length >= questions_MAX_PAGE_BYTES)
                    finish();
            });
            response.once('end', finish).on('error', finish);
        });
    });
}

;// CONCATENATED MODULE: ./build/js/app/host-header/host-header.js
// Which address the app should see as its own: the rule of the input `host-header`, or one that fits the app's answers.
// Used by app.ts at each start of the app.



/** The Host of requests before the rule is known. Development servers refuse any other than localhost. */
function renderFirstHost(address, { hostHeader, publicUrl }) {
    const open = hostHeader === 'preserve' ? URL.parse(publicUrl()) : null;
    return open?.host ?? renderAppAuthority(address);
}
/** With `auto`, asks the app, which must have answered GET `path` before. Logs the choice. Never rejects. */
async function findHostRule(address, path, options, signal) {
    if (options.hostHeader !== 'auto')
        return options.hostHeader;
    const publicUrl = URL.parse(options.publicUrl());
    if (publicUrl === null)
        return 'rewrite';
    const answers = await askUnderBothNames({ address, path, publicUrl }, signal);
    const { rule, reason } = chooseHostRule({ ...answers, isTold: isTold(options) });
    options.logger.info(`host-header ${rule}: the app ${reason}`);
    return rule;
}
/** What tells a program its public address, or where to read it: SvelteKit's PROTOCOL_HEADER=x-forwarded-proto. */
const PUBLIC_ADDRESS = /\{url\}|\bEXPOSE_URL\b|\bx-forwarded-(?:host|proto)\b/i;
/** Whether the app is started with its public address. */
function isTold({ spec, env }) {
    const command = spec.mode === 'port' ? spec.command : undefined;
    const args = spec.mode === 'exec' ? spec.args : [];
    return [command ?? '', ...args, ...Object.values(env)].some(text => PUBLIC_ADDRESS.test(text));
}

;// CONCATENATED MODULE: ./build/js/shared/abort.js
// Makes any wait abortable. Used by app, exposure, tunnel and github.
/**
 * Settles as the promise does, or rejects with the signal's reason if the signal is aborted first. The work behind the
 * promise is not stopped; if it fails after that, the error is ignored.
 */
function raceSignal(promise, signal) {
    return new Promise((resolve, reject) => {
        const onAbort = () => reject(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
        if (signal.aborted)
            onAbort();
    });
}

// EXTERNAL MODULE: external "node:stream/consumers"
var consumers_ = __webpack_require__(8321);
;// CONCATENATED MODULE: ./build/js/shared/loopback.js
// HTTP requests to programs on this machine. They never go through the job's proxy: for the proxy, 127.0.0.1 is another
// machine. Used by control/client and app/os.

/** With NODE_USE_ENV_PROXY set, Node's `fetch` and its global agent use the job's proxy; this agent does not. */
const DIRECT = new external_node_http_.Agent();
/**
 * Sends a request over a new connection, never through a proxy. Resolves with the response when its head has arrived;
 * the signal also aborts the body.
 */
function requestLoopback(url, options) {
    return new Promise((resolve, reject) => {
        (0,external_node_http_.request)(url, { ...options, agent: DIRECT }, resolve)
            .on('error', reject)
            .end();
    });
}

;// CONCATENATED MODULE: ./build/js/app/os/os-server.js
// `wasmrun os` on a staged project: its page and its API, which has no authentication and is never exposed. Used by
// os.ts.










/** wasmrun searches for wasmnet's port from 20 above its own upwards, so there must be room. */
const MAX_PORT = 65_000;
const os_server_POLL_MS = 20;
const RuntimesSchema = dist/* object */.Ikc({ detected_language: dist/* string */.YjP() });
/** Starts wasmrun on `project`; resolves when its API answers. Its network proxy is up by then, too. */
async function startOsServer(wasmrun, project, context) {
    const port = await findFreePort(MAX_PORT);
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
            'so check that the runner can reach it, or raise `startup-timeout`', { cause: error, lastLines: child.lastLines() });
    }
}
/**
 * wasmrun leaves its temporary files behind, so they go into our folder. It creates its runtime folder only when it
 * starts, and a job that prunes caches may delete it later.
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
/** Polls until wasmrun answers, which may wait for wasmhub's manifest. Only the time limit of the start ends this. */
async function readLanguage(url, signal) {
    for (;;) {
        try {
            const response = await requestLoopback(new URL('/api/runtimes', url), { signal });
            return dist/* parse */.qgA(RuntimesSchema, await (0,consumers_.json)(response)).detected_language;
        }
        catch (error) {
            signal.throwIfAborted();
            if (error instanceof dist/* ValiError */.H6d)
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

;// CONCATENATED MODULE: ./build/js/app/os/page-host/join-writes.js
// Joins what the program writes. Runs inside the VM's worker, before wasmrun's script there, so it must be
// self-contained: the worker gets its source text. Used by node-worker.ts and browser.ts.
/**
 * Sends what the program writes to one connection in one go as one message. wasmhub's runtime writes an answer in five
 * pieces. wasmrun's page makes a frame of each, and its network proxy a TCP segment without TCP_NODELAY, so that the
 * kernel holds back the second piece until the first is acknowledged: 40 ms for every answer. A message is also cut
 * where the proxy would refuse its frame: over 16 MiB (tungstenite's `max_frame_size`), it closes all connections.
 *
 * Joined bytes are sent when the program waits, reads, or tells its host anything else.
 */
function joinWrites(scope) {
    const maxWaiting = 4 * 1024 * 1024;
    const maxMessage = 4 * 1024 * 1024;
    const waiting = new Map();
    let waitingBytes = 0;
    const post = scope.postMessage.bind(scope);
    const flush = () => {
        if (waiting.size === 0)
            return;
        for (const [id, pieces] of waiting) {
            const joined = join(pieces);
            for (let at = 0; at < joined.length; at += maxMessage)
                post({ type: 'sock', op: 'send', id, bytes: joined.subarray(at, at + maxMessage) });
        }
        waiting.clear();
        waitingBytes = 0;
    };
    const join = (pieces) => {
        const [first] = pieces;
        if (pieces.length === 1 && first !== undefined)
            return first;
        const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
        let at = 0;
        for (const piece of pieces) {
            joined.set(piece, at);
            at += piece.length;
        }
        return joined;
    };
    scope.postMessage = (message, transfer) => {
        const write = message;
        if (write.type !== 'sock' || write.op !== 'send') {
            flush();
            post(message, transfer);
            return;
        }
        const pieces = waiting.get(write.id);
        if (pieces === undefined)
            waiting.set(write.id, [write.bytes]);
        else
            pieces.push(write.bytes);
        waitingBytes += write.bytes.length;
        if (waitingBytes >= maxWaiting)
            flush();
    };
    /** These two return to the program when something arrived, or time has passed: another turn. */
    const ends = ['poll_oneoff', 'sock_recv'];
    const instantiate = scope.WebAssembly.instantiate;
    scope.WebAssembly.instantiate = async (source, imports) => {
        const wasi = { ...imports.wasi_snapshot_preview1 };
        for (const name of ends) {
            const call = wasi[name];
            if (typeof call !== 'function')
                continue;
            wasi[name] = (...args) => {
                flush();
                return call(...args);
            };
        }
        return await instantiate(source, { ...imports, wasi_snapshot_preview1: wasi });
    };
}

;// CONCATENATED MODULE: ./build/js/app/os/page-host/page-host.js
// The common interface of the two hosts of wasmrun's page: node.ts, a process of Node.js, and browser.ts, a headless
// Chrome. Used by os.ts.

/** The page cannot be started in this host; another host may work. */
class PageHostError extends errors/* AppError */.uV {
    constructor(message, options = {}) {
        super(message, { ...options, restartable: false });
        this.name = 'PageHostError';
    }
}
/** Page and script are 90 KB from loopback, and start within a second; a busy machine may need longer. */
const PAGE_TIMEOUT_MS = 30_000;
/** The few variables a host needs: system folders on Windows, and the mark by which the runner finds what is left. */
function selectHostEnvironment(environment) {
    return Object.fromEntries(Object.entries(environment).filter(([name]) => /^(SYSTEMROOT|WINDIR|RUNNER_TRACKING_ID)$/i.test(name)));
}

;// CONCATENATED MODULE: ./build/js/app/os/page-host/page-message.js
// What a page host reports about wasmrun's page: messages between the page and its Worker, refused requests, and
// failures of the page. Used by both hosts and by page-program.ts.

/** wasmrun's own message types (os.js of wasmrun 1.0.0); `terminated` and those in kebab-case are ours. */
const PageMessageSchema = dist/* variant */.Oxt('type', [
    /** A piece of the program's console; lines may be cut anywhere. */
    dist/* object */.Ikc({ type: dist/* picklist */.KIO(['stdout', 'stderr']), text: dist/* string */.YjP() }),
    /** How far the Worker is; `running` comes right before the program's first instruction. */
    dist/* object */.Ikc({ type: dist/* literal */.euz('status'), status: dist/* string */.YjP() }),
    dist/* object */.Ikc({ type: dist/* literal */.euz('exit'), code: dist/* number */.aig() }),
    dist/* object */.Ikc({ type: dist/* literal */.euz('error'), message: dist/* string */.YjP() }),
    /** The page starts the program; `address` is `127.0.0.1:PORT`, empty without a port, null without a network. */
    dist/* object */.Ikc({ type: dist/* literal */.euz('start'), address: dist/* nullable */.mee(dist/* string */.YjP()) }),
    /** The page ended its Worker, as it does silently after `[os.limits] timeout_secs`. */
    dist/* object */.Ikc({ type: dist/* literal */.euz('terminated') }),
    /** The Run button was pressed. */
    dist/* object */.Ikc({ type: dist/* literal */.euz('run-pressed') }),
    /** wasmrun refused something the page needs before the program can start. */
    dist/* object */.Ikc({ type: dist/* literal */.euz('request-failed'), path: dist/* string */.YjP(), status: dist/* number */.aig(), reason: dist/* string */.YjP() }),
    /** The page itself broke. */
    dist/* object */.Ikc({ type: dist/* literal */.euz('page-error'), message: dist/* string */.YjP() }),
]);
/** Checks what came through a pipe; undefined if it is not a message. */
function readPageMessage(message) {
    const result = dist/* safeParse */.xLC(PageMessageSchema, message);
    return result.success ? result.output : undefined;
}

;// CONCATENATED MODULE: ./build/js/app/os/page-host/page-script.js
// The functions that run inside wasmrun's page. They must be self-contained: a browser gets their source text. Used by
// browser.ts and node-page.ts.
/**
 * Reports the messages between the page and its Worker, except those of sockets, which carry visitors' bytes. Must run
 * before the page's script.
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
/** For the browser: runs `source` in the page's Worker, before the Worker's own script. `base` is the page's address. */
function addToWorker(scope, base, source) {
    const OriginalWorker = scope.Worker;
    scope.Worker = class extends OriginalWorker {
        constructor(url, options) {
            const original = new URL(url, base).href;
            const script = `${source}\nimportScripts(${JSON.stringify(original)});`;
            super(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), options);
        }
    };
}
/**
 * For the browser, whose page must not wait: output is dropped while 256 reports are being sent, and the next report
 * says how much. All other messages are always sent.
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
// wasmrun's page in a headless Chrome, driven over a pipe. Used by os.ts if Node.js cannot run the page, and as
// the reference in tests.










const NAMES = ['google-chrome', 'google-chrome-stable', 'chromium', 'chromium-browser', 'chrome.exe'];
/** Where the installers of macOS and Windows put Chrome. */
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
/** The function through which the page reports to this process. */
const REPORT = '__exposeReport';
/** Chrome writes its profile when it is closed; the profile is thrown away. */
const CLOSE_TIMEOUT_MS = 3_000;
const browser_POLL_MS = 20;
/** Starts Chrome with a throw-away profile; resolves when Run has been pressed. */
async function startBrowserHost(options) {
    const { context } = options;
    const executable = options.browser ?? (await findBrowser(context.environment.PATH ?? ''));
    context.signal.throwIfAborted();
    const browser = await launchBrowser(executable, options);
    const chrome = browser.process();
    const pid = chrome?.pid;
    // puppeteer removes its listeners before the pipe is gone, and a killed Chrome was seen to reset it (ECONNRESET).
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
        throw new PageHostError("wasmrun's page could not be started in Chrome (`vm: browser`)", { cause });
    }
    finally {
        context.signal.removeEventListener('abort', stop);
    }
}
/**
 * Chrome keeps its socket in the system's temp folder, where it stays if Chrome is killed. Our own folder cannot be its
 * TMPDIR: a socket's path is limited to 107 bytes, and Chrome aborts if it is longer.
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
            // Nobody sees the page, and painting its animations cost more processor time than the program.
            defaultViewport: { width: 1, height: 1 },
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
/** Resolves when Run has been pressed. */
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
    const workerSource = JSON.stringify(`(${joinWrites})(self);`);
    await page.evaluateOnNewDocument(`(${addToWorker})(globalThis, location.href, ${workerSource});
    (${watchPage})(globalThis, (${limitOutput})(globalThis.${REPORT}));`);
}
/** Closes Chrome, and kills what is left of its process group: puppeteer gives it one of its own. */
async function stopBrowser(browser, pid) {
    const closed = browser.close().catch(() => undefined);
    await Promise.race([closed, (0,external_node_timers_promises_.setTimeout)(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
    await new ProcessGroup(pid).end(0);
}

;// CONCATENATED MODULE: ./build/js/app/os/page-host/node.js
// wasmrun's page in a process of Node.js: no browser needed. Used by os.ts.







/** For the page's own thread; files and runtime lie outside of this heap. */
const MAX_HEAP_MB = 512;
const ROLE = 'page host';
/** Short, because the page host has nothing to finish. */
const STOP_GRACE_MS = 1_000;
/**
 * Starts the process; resolves when Run has been pressed. It gets the few variables of `selectHostEnvironment`. Node's
 * permission model keeps the page's thread from files, programs and addons; it covers neither the VM's thread nor the
 * network.
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
    const stop = () => child.stop(STOP_GRACE_MS);
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
    await raceEnd(over => raceSignal(ready, over), lost, deadline);
}
function describeFailure(error, child, signal) {
    if (signal.aborted)
        return signal.reason;
    return new PageHostError("wasmrun's page could not be started under Node.js (`vm: node`)", {
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
/** Read access to the bundle's folder; when run from source, also to the packages that it imports. */
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
// The program inside wasmrun's page, as its page host reports it. Used by os.ts.





/** An error of the page may contain a whole stack trace. */
const MAX_REASON_LENGTH = 16_384;
/** Follows one program from Run to its end. */
class PageProgram {
    #onOutput;
    #started = Promise.withResolvers();
    #ended = Promise.withResolvers();
    #lines = new LastLines();
    #streams = { stdout: new LineBuffer(), stderr: new LineBuffer() };
    #port;
    #runs = false;
    #stage = 'the page is loading, or wasmrun is downloading the runtime';
    constructor(onOutput) {
        this.#onOutput = onOutput;
    }
    /**
     * The program's port, once its first instruction runs. wasmrun opened the port before, so it accepts connections even
     * if the program does not answer. Never rejects: failures are reported by `ended`.
     */
    get started() {
        return this.#started.promise;
    }
    /** Resolves with the reason why the program ended; a PageHostError if another host may be able to run it. */
    get ended() {
        return this.#ended.promise;
    }
    /** What a start that takes too long was waiting for. */
    get stage() {
        return this.#stage;
    }
    lastLines() {
        return this.#lines.list();
    }
    receive(message) {
        switch (message.type) {
            case 'stdout':
            case 'stderr':
                for (const line of this.#streams[message.type].add(message.text))
                    this.#addLine(line);
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
                this.#end(page_program_describeRefusal(message));
        }
    }
    /** The host has ended, and the program with it. */
    endWithHost(reason) {
        if (this.#runs)
            this.#end(reason);
        else
            this.#ended.resolve(new PageHostError(reason, { lastLines: this.lastLines() }));
    }
    #setPort(address) {
        this.#stage = 'the runtime is being compiled';
        this.#port = Number(/^127\.0\.0\.1:(\d+)$/.exec(address ?? '')?.[1] ?? 0) || undefined;
        if (address === null)
            this.#end('wasmrun gave the program no network, so the program cannot listen; the log says why');
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
    /** Before the first instruction the host may be at fault; afterwards the program is. */
    #fail(reason) {
        const shown = sanitise(reason, MAX_REASON_LENGTH);
        if (this.#runs)
            this.#end(`the program crashed: ${shown}`);
        else
            this.#ended.resolve(new PageHostError(`the VM did not start: ${shown}`, { lastLines: this.lastLines() }));
    }
    #end(message, options = {}) {
        for (const stream of Object.values(this.#streams))
            for (const line of stream.end())
                this.#addLine(line);
        this.#ended.resolve(new errors/* AppError */.uV(`${message}${adviseOnOutput(this.lastLines())}`, {
            ...options,
            lastLines: this.lastLines(),
        }));
    }
    #addLine(line) {
        this.#lines.add(line);
        this.#onOutput(line);
    }
}
function describeExit(code) {
    return code === 0
        ? 'the program ended with exit code 0; to be reachable for visitors, it must keep listening'
        : `the program ended with exit code ${code}`;
}
function page_program_describeRefusal({ path, status, reason }) {
    const shown = sanitise(readReason(reason), 500);
    return path.startsWith('/api/runtime')
        ? `wasmrun has no runtime for the program: ${shown}; it downloads one from github.com on first use, ` +
            'so check that the runner can reach it, or restore ~/.wasmrun/runtimes from a cache'
        : `wasmrun did not send the project's files (${sanitise(path)}, status ${status}): ${shown}`;
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
 * Starts the program and resolves when it runs and its port accepts. Both happen before the program calls `listen`, so
 * only an answer proves that it serves. Rejects with an AppError or the signal's reason after all processes have ended.
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
        // wasmhub's runtime 0.6.0 takes the unread rest of a body for the next request on the connection, and its answer
        // would go to the next visitor.
        upstream: { kind: 'address', host: '127.0.0.1', port, leavesBodies: true },
        pid: host.pid,
        ended: Promise.race([program.ended, server.ended]),
        stop: async () => void (await Promise.all([host.stop(), server.stop()])),
    };
}
/** `auto` uses the browser only if the page does not start under Node.js, and logs why. */
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
        void host.ended.then(reason => program.endWithHost(reason));
        const ended = Promise.race([program.ended, server.ended]);
        const port = await raceEnd(signal => raceSignal(program.started, signal), ended, context.signal);
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
/** After a time-out: an AppError that says what the start was waiting for. Otherwise the error itself. */
function describeAbort(error, program) {
    if (!(0,errors/* isTimeout */.kL)(error))
        return error;
    return new errors/* AppError */.uV(`the program did not start in time (${program.stage}); raise \`startup-timeout\``, {
        cause: error,
        lastLines: program.lastLines(),
    });
}

;// CONCATENATED MODULE: ./build/js/app/port/port.js
// `mode: port`: a service that the job runs itself, or a command that starts one. Used by app.ts.











/** Each attempt may ask the network's DNS. */
const REMOTE_POLL_MS = 250;
/** The options of bash in a `run:` step with `shell: bash`. */
const BASH_ARGS = ['--noprofile', '--norc', '-eo', 'pipefail', '-c'];
/** Starts the command, or finds the running service. */
async function startPort(spec, options, context) {
    if (spec.command !== undefined)
        return await startCommand(spec, spec.command, options, context);
    if (spec.port !== undefined)
        return await findService({ ...spec, port: spec.port }, context);
    throw new errors/* AppError */.uV('mode: port needs `port`, `command` or both; give one of them', { restartable: false });
}
async function startCommand(spec, command, { env, preferredPort }, context) {
    const port = spec.port ?? (await choosePort(preferredPort));
    const handedOver = { PORT: String(port) };
    // Only the port chosen here is watched, so `env` must not replace it; with a given `port`, `env` may set PORT.
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
async function choosePort(preferred) {
    return preferred !== undefined && (await isFreePort(preferred)) ? preferred : await findFreePort();
}
/** A service that another step started is neither restarted nor ended: `ended` never resolves, `stop` does nothing. */
async function findService({ port, service }, { signal }) {
    const upstream = await (service === undefined
        ? findLocal(port, signal)
        : findRemote({ host: service, port }, signal));
    return { upstream, ended: new Promise(() => undefined), stop: async () => undefined };
}
async function findLocal(port, signal) {
    try {
        return await waitForListening({ hosts: LOOPBACK_HOSTS, port }, signal);
    }
    catch (error) {
        if (!(0,errors/* isTimeout */.kL)(error))
            throw error;
        throw new errors/* AppError */.uV(`nothing listens on port ${port} (127.0.0.1 and ::1 were tried); ` +
            'start the service in an earlier step, or give `command`', { cause: error });
    }
}
/**
 * Waits until one address of the host accepts, and keeps to that address: a name that leads elsewhere later has no
 * effect.
 */
async function findRemote(target, signal) {
    const { host, port } = target;
    let last;
    try {
        for (;;) {
            const hosts = await raceSignal(resolveService(host), signal).catch(error => {
                if (error instanceof errors/* AppError */.uV || signal.aborted)
                    throw error;
                last = error;
                return [];
            });
            const found = await findListening({ hosts, port });
            if (found !== undefined)
                return { ...found, service: host };
            if (hosts.length > 0)
                last = undefined;
            await (0,external_node_timers_promises_.setTimeout)(REMOTE_POLL_MS, undefined, { signal });
        }
    }
    catch (error) {
        if (!(0,errors/* isTimeout */.kL)(signal.reason) || error instanceof errors/* AppError */.uV)
            throw error;
        throw new errors/* AppError */.uV(describeUnreachable(target, last), { cause: last ?? signal.reason });
    }
}
/** `failure` is what the resolver answered; undefined if it knew the host. */
function describeUnreachable({ host, port }, failure) {
    const service = describeAppPort({ port, service: host });
    if (failure === undefined)
        return `nothing listens on ${service}; is it the port inside of the service's container, and does the service start in time?`;
    return (`\`port\` names ${service}, and the host ${sanitise(host)} is not known here; services of the job have names only ` +
        `in a job with \`container:\`. In other jobs, publish the port (\`ports: ["${port}:${port}"]\`) and write \`port: ${port}\``);
}
/** On Windows the first `bash` of PATH may be that of WSL, which sees another file system. */
function findBash(environment) {
    const programs = environment.ProgramFiles;
    const bash = programs === undefined ? undefined : (0,external_node_path_.join)(programs, 'Git', 'bin', 'bash.exe');
    return process.platform === 'win32' && bash !== undefined && (0,external_node_fs_.existsSync)(bash) ? bash : 'bash';
}

;// CONCATENATED MODULE: ./build/js/app/process/https-demand.js
// Finds out whether an app sends browsers to https although its preview is plain http: its pages then cannot be opened,
// while everything looks well from here. Used by app.ts.


/** A warning about the app's answer to `path`, or undefined. `publicUrl`: the address that visitors open. */
function findHttpsDemand(answer, path, publicUrl) {
    const url = URL.parse(publicUrl);
    if (url?.protocol !== 'http:' || answer.status < 300 || answer.status >= 400)
        return undefined;
    const target = URL.parse(answer.headers.location ?? '');
    if (target?.protocol !== 'https:')
        return undefined;
    if (!isLoopbackName(target.hostname) && target.hostname !== url.hostname)
        return undefined;
    return `the app redirects GET ${path} to ${sanitise(target.origin)}, but the preview is plain http, so visitors get an error: switch that off for previews, or give the preview https (\`tls-cert\`, or a proxy in front)`;
}

;// CONCATENATED MODULE: ./build/js/app/restart.js
// Keeps a program running: one that ends is started again, a limited number of times. Used by app.ts.


/** Five restarts in about half a minute: visitors wait that long. A program that has served 5 minutes works. */
const RESTART_TIMING = {
    pausesMs: [500, 1_000, 3_000, 8_000, 15_000],
    resetAfterMs: 5 * 60_000,
    startMs: 120_000,
};
/** Runs one program after another, from `start` until `stop` or until no restart is left. */
class RestartLoop {
    #options;
    #timing;
    #stopped = new AbortController();
    #stopRequested;
    #state = { status: 'starting' };
    #program;
    #running = Promise.resolve();
    #used = 0;
    #stopping;
    constructor(options) {
        this.#options = options;
        this.#timing = options.timing ?? RESTART_TIMING;
        this.#stopRequested = new Promise(resolve => {
            this.#stopped.signal.addEventListener('abort', () => resolve(undefined), { once: true });
        });
    }
    /** The program that answers now. */
    get program() {
        return this.#program;
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
    /** Resolves with the reason why the program ended, or with undefined after a stop. */
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
            // Processes that the program left may still hold the port, or write to the console.
            await lost.stop();
            if (!goesOn)
                return undefined;
            try {
                await (0,external_node_timers_promises_.setTimeout)(pause, undefined, { signal });
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

;// CONCATENATED MODULE: ./build/js/shared/content-coding.js
// Content codings (RFC 9110, 8.4): which one a visitor is sent, and which media types are worth one. Used by the
// gateway for the app's answers, and by `mode: web` for files. Pure.
/** In our order: zstd takes the least time. */
const CODINGS = ['zstd', 'br', 'gzip'];
const ALIASES = { 'x-gzip': 'gzip' };
/** A shorter body fits into one packet anyway. */
const MIN_BYTES = 1_024;
/** Types besides text/* and those that end like +json. */
const COMPRESSIBLE = new Set([
    'application/ecmascript',
    'application/graphql',
    'application/javascript',
    'application/json',
    'application/json5',
    'application/jsonlines',
    'application/jwk-set',
    'application/manifest',
    'application/ndjson',
    'application/rtf',
    'application/sql',
    'application/toml',
    'application/typescript',
    'application/vnd.ms-fontobject',
    'application/wasm',
    'application/x-font-ttf',
    'application/x-javascript',
    'application/x-jsonlines',
    'application/x-ndjson',
    'application/x-sh',
    'application/x-yaml',
    'application/xml',
    'application/xml-dtd',
    'application/yaml',
    'font/collection',
    'font/otf',
    'font/sfnt',
    'font/ttf',
    'image/bmp',
    'image/svg',
    'image/vnd.microsoft.icon',
    'image/x-icon',
    'image/x-ms-bmp',
]);
/** Types that say little about the bytes: a sample of them decides. */
const DOUBTFUL = new Set([
    'application/cbor',
    'application/msgpack',
    'application/octet-stream',
    'application/protobuf',
    'application/vnd.msgpack',
    'application/vnd.sqlite3',
    'application/x-msgpack',
    'application/x-protobuf',
    'application/x-sqlite3',
    'application/x-tar',
    'model/gltf-binary',
]);
/** Whether bytes of this `Content-Type` usually get smaller. Not streams of events and calls. */
function rateMediaType(contentType) {
    const type = (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
    if (type === 'text/event-stream' || type.startsWith('application/grpc'))
        return 'no';
    if (DOUBTFUL.has(type))
        return 'doubtful';
    return type.startsWith('text/') || /\+(?:json|json-seq|text|xml|yaml)$/.test(type) || COMPRESSIBLE.has(type)
        ? 'yes'
        : 'no';
}
/**
 * The coding that the visitor weights highest in its `Accept-Encoding` (RFC 9110, 12.5.3); of equal ones, the first in
 * `offered`. Undefined: send the bytes as they are. `*` stands for gzip, the only coding that everybody knows.
 */
function chooseCoding(accepted, offered = CODINGS) {
    if (accepted === undefined || accepted === '')
        return undefined;
    const weights = readWeights(accepted);
    const weightOf = (name) => weights.get(name) ?? (name === 'gzip' ? weights.get('*') : undefined) ?? 0;
    let best;
    let bestWeight = weights.get('identity') ?? 0;
    for (const coding of offered) {
        const weight = weightOf(coding);
        if (weight === 0 || (best === undefined ? weight < bestWeight : weight <= bestWeight))
            continue;
        [best, bestWeight] = [coding, weight];
    }
    return best;
}
/** Coding → weight from 0 to 1. An element that is not well-formed is ignored. */
function readWeights(accepted) {
    const weights = new Map();
    for (const element of accepted.toLowerCase().split(',')) {
        const match = /^\s*([!#$%&'*+.^_`|~\w-]+)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?$/.exec(element);
        if (match?.[1] === undefined)
            continue;
        const weight = Math.min(1, Number(match[2] ?? 1));
        weights.set(ALIASES[match[1]] ?? match[1], weight);
    }
    return weights;
}

;// CONCATENATED MODULE: ./build/js/app/web/media-types.js
// The media types of the files a web app is built of. Used by response.ts and stored-encoding.ts.

const TEXT = 'text/plain; charset=utf-8';
const HTML = 'text/html; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';
const JSON_TYPE = 'application/json';
const XML = 'application/xml';
const ICON = 'image/vnd.microsoft.icon';
/**
 * `application/wasm` decides whether a browser compiles while it loads; a module with a wrong type does not load. Text
 * that browsers would download under its own type is shown as plain text.
 */
const MEDIA_TYPES = {
    html: HTML,
    htm: HTML,
    xhtml: 'application/xhtml+xml',
    css: 'text/css; charset=utf-8',
    js: SCRIPT,
    mjs: SCRIPT,
    cjs: SCRIPT,
    wasm: 'application/wasm',
    json: JSON_TYPE,
    map: JSON_TYPE,
    topojson: JSON_TYPE,
    geojson: 'application/geo+json',
    jsonld: 'application/ld+json',
    webmanifest: 'application/manifest+json',
    txt: TEXT,
    log: TEXT,
    ini: TEXT,
    toml: TEXT,
    jsonl: TEXT,
    wat: TEXT,
    wgsl: TEXT,
    glsl: TEXT,
    vert: TEXT,
    frag: TEXT,
    md: 'text/markdown; charset=utf-8',
    csv: 'text/csv; charset=utf-8',
    tsv: 'text/tab-separated-values; charset=utf-8',
    yaml: 'text/yaml; charset=utf-8',
    yml: 'text/yaml; charset=utf-8',
    vtt: 'text/vtt; charset=utf-8',
    ics: 'text/calendar; charset=utf-8',
    xml: XML,
    xsl: XML,
    xslt: 'application/xslt+xml',
    rss: 'application/rss+xml',
    atom: 'application/atom+xml',
    svg: 'image/svg+xml',
    png: 'image/png',
    apng: 'image/apng',
    jpg: 'image/jpeg',
    jpeg: 'image/jpeg',
    jfif: 'image/jpeg',
    gif: 'image/gif',
    webp: 'image/webp',
    avif: 'image/avif',
    jxl: 'image/jxl',
    heic: 'image/heic',
    tif: 'image/tiff',
    tiff: 'image/tiff',
    ico: ICON,
    cur: ICON,
    bmp: 'image/bmp',
    ktx2: 'image/ktx2',
    woff: 'font/woff',
    woff2: 'font/woff2',
    ttf: 'font/ttf',
    otf: 'font/otf',
    ttc: 'font/collection',
    eot: 'application/vnd.ms-fontobject',
    mp3: 'audio/mpeg',
    ogg: 'audio/ogg',
    oga: 'audio/ogg',
    opus: 'audio/ogg',
    wav: 'audio/wav',
    flac: 'audio/flac',
    aac: 'audio/aac',
    m4a: 'audio/mp4',
    weba: 'audio/webm',
    mid: 'audio/midi',
    mp4: 'video/mp4',
    m4v: 'video/mp4',
    m4s: 'video/iso.segment',
    mov: 'video/quicktime',
    ogv: 'video/ogg',
    webm: 'video/webm',
    mkv: 'video/matroska',
    ts: 'video/mp2t',
    m3u8: 'application/vnd.apple.mpegurl',
    mpd: 'application/dash+xml',
    pdf: 'application/pdf',
    epub: 'application/epub+zip',
    zip: 'application/zip',
    gz: 'application/gzip',
    tgz: 'application/gzip',
    zst: 'application/zstd',
    tar: 'application/x-tar',
    glb: 'model/gltf-binary',
    gltf: 'model/gltf+json',
    obj: 'model/obj',
    mtl: 'model/mtl',
    stl: 'model/stl',
    usdz: 'model/vnd.usdz+zip',
};
/** Files without an ending whose readers insist on a type (Apple, Supporting associated domains). */
const NAMED_TYPES = { 'apple-app-site-association': JSON_TYPE };
/** The type for the ending of a URL path; bytes of an unknown kind are offered as a download. */
function findMediaType(path) {
    const name = decodeSegment(path.slice(path.lastIndexOf('/') + 1)).toLowerCase();
    const ending = /\.([^.]+)$/.exec(name)?.[1] ?? '';
    return lookUp(MEDIA_TYPES, ending) ?? lookUp(NAMED_TYPES, name) ?? 'application/octet-stream';
}
function lookUp(types, name) {
    return Object.hasOwn(types, name) ? types[name] : undefined;
}

;// CONCATENATED MODULE: ./build/js/app/web/stored-encoding.js
// Files that are stored compressed: beside the file, in its place, or asked for by their own name. Used by lookup.ts
// and web.ts.




const stored_encoding_CODINGS = [
    { name: 'br', ending: '.br' },
    { name: 'gzip', ending: '.gz' },
];
/**
 * What pages load under the name of the compressed file, and leave to the browser to decompress: scripts, and the files
 * of Unity (Manual, "Server configuration code samples") and Unreal Engine. Of other .gz files (.tar.gz, .csv.gz,
 * .json.gz, .nii.gz) browsers get the bytes, because pages decompress those themselves, and downloads keep their name.
 */
const LOADED_GZIP = /\.(?:[cm]?js|wasm|data|mem|symbols\.json|css|html|svg)$/i;
/** Pages cannot decompress brotli, so only downloads are left out. */
const DATA = /\.(?:data|mem|bin|pck|onnx)$/i;
const DOWNLOADS = /^application\/(?:octet-stream|gzip|zip|zstd|x-tar)$/;
/** Older names of the same: `.jsgz`, and `.svgz`. */
const OLD_NAME = /\.(?:(js|wasm|data|mem)gz|(svg)z)$/i;
/**
 * The path without the ending of the compression, and the coding, if a page that asks for this path wants the content;
 * undefined if it wants the bytes.
 */
function readStoredName(path) {
    const full = path.replace(OLD_NAME, '.$1$2.gz');
    const coding = stored_encoding_CODINGS.find(({ ending }) => full.toLowerCase().endsWith(ending));
    if (coding === undefined)
        return undefined;
    const inner = full.slice(0, -coding.ending.length);
    const isLoaded = coding.name === 'gzip'
        ? LOADED_GZIP.test(inner)
        : DATA.test(inner) || !DOWNLOADS.test(findMediaType(inner));
    return isLoaded ? { path: inner, encoding: coding.name } : undefined;
}
/** A file that is there only with one of the endings; undefined if there is none. */
async function openCompressedOnly(root, path) {
    for (const { name, ending } of stored_encoding_CODINGS) {
        const found = await findFile(root, path + ending);
        if (found.kind !== 'file')
            continue;
        if (await isCompressed(found, name))
            return { file: found, path, encoding: name };
        await found.handle.close();
    }
    return undefined;
}
/**
 * How to send the file at `path` to a visitor with this `Accept-Encoding`: from the compressed file beside it if there
 * is one, or decompressed if only a compressed one is there. Only the file that is sent stays open.
 */
async function chooseStored(root, stored, accepted) {
    const { file, path } = stored;
    const named = stored.encoding === undefined ? readStoredName(path) : undefined;
    if (named !== undefined) {
        if (!(await isCompressed(file, named.encoding)))
            return { file, path: named.path };
        return { file, ...named, decode: !accepts(accepted, named.encoding) };
    }
    if (stored.encoding !== undefined)
        return { ...stored, decode: !accepts(accepted, stored.encoding) };
    return (await openSibling(root, stored, accepted)) ?? stored;
}
/** Without the field, any coding will do (RFC 9110, 12.5.3). */
function accepts(accepted, coding) {
    return accepted === undefined || chooseCoding(accepted, [coding]) !== undefined;
}
async function openSibling(root, { file, path }, accepted) {
    for (const { name, ending } of stored_encoding_CODINGS) {
        if (chooseCoding(accepted, [name]) === undefined)
            continue;
        const sibling = await findFile(root, path + ending);
        if (sibling.kind !== 'file')
            continue;
        // One older than the file is left over from an earlier build. Archives keep whole seconds only.
        const isFresh = sibling.stats.mtimeMs / 1000n >= file.stats.mtimeMs / 1000n;
        const isUsed = isFresh && (await isCompressed(sibling, name));
        await (isUsed ? file : sibling).handle.close();
        if (isUsed)
            return { file: sibling, path, encoding: name };
    }
    return undefined;
}
const GZIP_START = '\x1f\x8b';
/** False for a text, an empty file or a pointer of Git LFS with such a name: browsers could not decode it. */
async function isCompressed({ handle, stats }, coding) {
    if (stats.size === 0n)
        return false;
    const head = Buffer.alloc(LFS_START_BYTES);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    const start = head.toString('latin1', 0, bytesRead);
    return coding === 'gzip' ? start.startsWith(GZIP_START) : !isLfsPointer(start);
}

;// CONCATENATED MODULE: ./build/js/app/web/lookup.js
// Decides what a URL path of a web app leads to, by the conventions of static hosts (docs/web.md has them as a table).
// Used by web.ts.


const INDEX = 'index.html';
/**
 * Looks up `path` (percent-encoded, without query) below `root`. A file wins over a page without its ending (`/about`
 * for about.html), which wins over a folder's index: this is the order of GitHub Pages, Netlify and Cloudflare Pages.
 * Redirects keep relative links right: to a folder with its slash, to a page without one.
 */
async function lookup_lookUp(root, path) {
    if (path.endsWith('/'))
        return await lookUpFolder(root, path);
    const found = await findFile(root, path);
    if (found.kind === 'file')
        return { kind: 'file', file: found, path };
    if (found.kind === 'refused')
        return found;
    const page = await lookup_openFile(root, `${path}.html`);
    if (page !== undefined)
        return page;
    if (found.kind === 'missing') {
        const compressed = await openCompressedOnly(root, path);
        return compressed === undefined ? found : { kind: 'file', ...compressed };
    }
    return (await lookup_isFile(root, `${path}/${INDEX}`))
        ? { kind: 'redirect', location: `./${lastName(path)}/` }
        : { kind: 'missing' };
}
async function lookUpFolder(root, path) {
    const found = await findFile(root, `${path}${INDEX}`);
    if (found.kind === 'file')
        return { kind: 'file', file: found, path: `${path}${INDEX}` };
    if (found.kind === 'refused')
        return found;
    const page = withoutLastSlashes(path);
    if (page !== '' && (await lookup_isFile(root, `${page}.html`)))
        return { kind: 'redirect', location: `${'../'.repeat(path.length - page.length)}${lastName(page)}` };
    return { kind: 'missing' };
}
/** The file at `path`, undefined if visitors can see none there. */
async function lookup_openFile(root, path) {
    const found = await findFile(root, path);
    return found.kind === 'file' ? { kind: 'file', file: found, path } : undefined;
}
async function lookup_isFile(root, path) {
    const opened = await lookup_openFile(root, path);
    await opened?.file.handle.close();
    return opened !== undefined;
}
/** Not `/\/+$/`, which takes quadratic time for a path of many slashes, and so lets one visitor keep all others waiting. */
function withoutLastSlashes(path) {
    let end = path.length;
    while (path[end - 1] === '/')
        end -= 1;
    return path.slice(0, end);
}
function lastName(path) {
    return path.slice(path.lastIndexOf('/') + 1);
}

// EXTERNAL MODULE: external "node:zlib"
var external_node_zlib_ = __webpack_require__(8522);
;// CONCATENATED MODULE: ./build/js/app/web/response.js
// Sends one file as an HTTP response: type, encoding, validators, ranges (RFC 9110). Used by web.ts.




/** Sends the file, or the part of it that was asked for. Rejects when the visitor leaves or the file gets shorter. */
async function sendFile(answer) {
    const { request, response, file } = answer;
    const type = findMediaType(answer.path);
    try {
        const coding = answer.encoding === undefined ? await answer.variants?.choose(request, type, file) : undefined;
        const etag = createETag(file.stats, answer.decode ? 'identity' : coding);
        setHeaders(answer, etag, coding);
        if (answer.status === 200 && isNotModified(request, etag, file.stats)) {
            response.statusCode = 304;
            response.end();
            return;
        }
        response.statusCode = answer.status;
        response.setHeader('content-type', type);
        if (coding !== undefined)
            await sendVariant(answer, etag, coding);
        else if (answer.decode)
            await sendDecoded(answer);
        else if (answer.status === 200)
            await sendRange(answer, etag);
        else
            await sendBytes(answer, { start: 0, end: Number(file.stats.size) - 1 });
    }
    finally {
        await file.handle.close();
    }
}
/** `coding`: of the variant that is sent. Variants and decompressed files have no ranges. */
function setHeaders({ response, file, encoding, decode, status }, etag, coding) {
    response.setHeader('vary', 'Accept-Encoding');
    const sent = decode ? undefined : (encoding ?? coding);
    if (sent !== undefined)
        response.setHeader('content-encoding', sent);
    if (status !== 200) {
        response.setHeader('cache-control', 'no-store');
        return;
    }
    response.setHeader('etag', etag);
    response.setHeader('last-modified', file.stats.mtime.toUTCString());
    if (coding === undefined && !decode)
        response.setHeader('accept-ranges', 'bytes');
    // The file of the next commit has the same URL.
    response.setHeader('cache-control', 'no-cache');
}
async function sendVariant({ request, response, file, variants }, tag, coding) {
    const length = variants?.findLength(tag);
    if (length !== undefined)
        response.setHeader('content-length', length);
    if (request.method === 'HEAD' || variants === undefined) {
        response.end();
        return;
    }
    const variant = variants.open(tag, file, coding);
    await variant.send(response).finally(() => variant.settled);
}
/** The length is not known before. */
async function sendDecoded({ request, response, file, encoding }) {
    if (request.method === 'HEAD') {
        response.end();
        return;
    }
    const decoder = encoding === 'br' ? (0,external_node_zlib_.createBrotliDecompress)() : (0,external_node_zlib_.createGunzip)();
    await (0,external_node_stream_promises_.pipeline)(readBytes(file.handle, { start: 0, end: Number(file.stats.size) - 1 }), decoder, response);
}
async function sendRange(answer, etag) {
    const { request, response, file } = answer;
    const size = Number(file.stats.size);
    // Of HEAD, too, a range would be ignored (RFC 9110 §14.2).
    const hasRange = request.method === 'GET' && isRangeValid(request, etag, file.stats);
    const range = hasRange ? parseRange(request.headers.range, size) : 'whole';
    if (range === 'unsatisfiable')
        return sendUnsatisfiable(response, size);
    if (range !== 'whole') {
        response.statusCode = 206;
        response.setHeader('content-range', `bytes ${range.start}-${range.end}/${size}`);
    }
    await sendBytes(answer, range === 'whole' ? { start: 0, end: size - 1 } : range);
}
/** RFC 9110 §13.2.2: the date counts only if no tag was sent. */
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
/** One range; several at once, and malformed ones, may be answered with the whole file (RFC 9110 §14.2). */
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

;// CONCATENATED MODULE: ./build/js/shared/encoder.js
// Compresses bytes: one body at once, or an answer piece by piece. Used by the gateway for the app's answers, and by
// `mode: web` for files.

// Measured with 8 MB of WebAssembly. `fast` leaves 25 % in 143 ms (gzip), 22 % in 104 ms (br) and 22 % in 48 ms (zstd);
// `small` 23 % in 160 ms, 19 % in 220 ms and 19 % in 140 ms.
const GZIP = {
    fast: { level: 4, flush: external_node_zlib_.constants.Z_SYNC_FLUSH },
    small: { level: 5 },
};
const BROTLI = {
    fast: {
        flush: external_node_zlib_.constants.BROTLI_OPERATION_FLUSH,
        params: { [external_node_zlib_.constants.BROTLI_PARAM_QUALITY]: 3, [external_node_zlib_.constants.BROTLI_PARAM_LGWIN]: 18 },
    },
    // A larger window saves 1 %, and takes 26 MB of memory instead of 3.
    small: { params: { [external_node_zlib_.constants.BROTLI_PARAM_QUALITY]: 5, [external_node_zlib_.constants.BROTLI_PARAM_LGWIN]: 18 } },
};
const ZSTD = {
    fast: {
        flush: external_node_zlib_.constants.ZSTD_e_flush,
        params: { [external_node_zlib_.constants.ZSTD_c_compressionLevel]: 3, [external_node_zlib_.constants.ZSTD_c_windowLog]: 18 },
    },
    small: { params: { [external_node_zlib_.constants.ZSTD_c_compressionLevel]: 6, [external_node_zlib_.constants.ZSTD_c_windowLog]: 20 } },
};
/** Takes up to about 1 MB of memory if `fast`, and 3 MB if `small`. */
function openEncoder(coding, effort) {
    switch (coding) {
        case 'br':
            return (0,external_node_zlib_.createBrotliCompress)(BROTLI[effort]);
        case 'gzip':
            return (0,external_node_zlib_.createGzip)(GZIP[effort]);
        case 'zstd':
            return (0,external_node_zlib_.createZstdCompress)(ZSTD[effort]);
    }
}
/** For short bodies: up to about 16 KB, starting a task in another thread takes longer than the task. */
function compressAtOnce(coding, effort, bytes) {
    switch (coding) {
        case 'br':
            return (0,external_node_zlib_.brotliCompressSync)(bytes, BROTLI[effort]);
        case 'gzip':
            return (0,external_node_zlib_.gzipSync)(bytes, GZIP[effort]);
        case 'zstd':
            return (0,external_node_zlib_.zstdCompressSync)(bytes, ZSTD[effort]);
    }
}
/** Enough to see what the bytes are, and little enough to be compressed at once. */
const SAMPLE_BYTES = 16 * 1024;
/** A body that shrinks by less is not worth the time of either side. */
const MIN_SAVING = 0.1;
/** Whether the beginning of a body gets notably smaller. */
function savesEnough(bytes) {
    const sample = bytes.subarray(0, SAMPLE_BYTES);
    return compressAtOnce('zstd', 'fast', sample).length <= sample.length * (1 - MIN_SAVING);
}

;// CONCATENATED MODULE: ./build/js/shared/encoder-slots.js
// Limits what compression takes from the machine, on which the job's tests may be running: memory by the number of open
// encoders, CPU by letting one of them work at a time. Used by the gateway and by `mode: web`.
class EncoderSlots {
    #limit;
    #open = 0;
    #isWorking = false;
    #waiting = [];
    /** `limit`: how many encoders may be open. */
    constructor(limit) {
        this.#limit = limit;
    }
    get areFull() {
        return this.#open >= this.#limit;
    }
    /** Call the result when the encoder is closed; further calls do nothing. */
    take() {
        let isTaken = true;
        this.#open += 1;
        return () => {
            if (isTaken)
                this.#open -= 1;
            isTaken = false;
        };
    }
    /**
     * Calls `start` when no other encoder works. What it starts takes about a millisecond. It must call `done` in any
     * case; further calls do nothing.
     */
    work(start) {
        if (this.#isWorking)
            this.#waiting.push(() => this.#run(start));
        else
            this.#run(start);
    }
    #run(start) {
        let isDone = false;
        this.#isWorking = true;
        start(() => {
            if (isDone)
                return;
            isDone = true;
            this.#isWorking = false;
            this.#waiting.shift()?.();
        });
    }
}

;// CONCATENATED MODULE: ./build/js/app/web/variants.js
// Compressed variants of files, kept in memory for the next visitor. Used by response.ts.





/** For all variants together. While a variant grows, its file's size counts, because it may get that large. */
const variants_MAX_BYTES = 64 * 1024 ** 2;
/** While they grow. Each has an encoder, which takes 3 MB. */
const MAX_GROWING = 16;
/** Compressed at once, in about a millisecond; longer files in another thread. */
const AT_ONCE_BYTES = 64 * 1024;
class Variants {
    #slots = new EncoderSlots(MAX_GROWING);
    /** Entity tag → variant; the one used longest ago first. */
    #kept = new Map();
    #maxBytes;
    /** `maxBytes`: another limit for tests. */
    constructor(maxBytes = variants_MAX_BYTES) {
        this.#maxBytes = maxBytes;
    }
    /** The coding in which to send a file of this media type. Undefined: as it is. */
    async choose(request, type, { stats, handle }) {
        const { 'accept-encoding': accepted, range } = request.headers;
        const worth = rateMediaType(type);
        const size = Number(stats.size);
        if (worth === 'no' || size < MIN_BYTES || range !== undefined || request.httpVersion === '1.0')
            return undefined;
        const coding = chooseCoding(accepted?.toString());
        if (coding === undefined || this.#kept.has(createETag(stats, coding)))
            return coding;
        if (this.#slots.areFull || !this.#hasRoom(size))
            return undefined;
        return worth === 'yes' || (await isCompressible(handle)) ? coding : undefined;
    }
    /** Length of the variant; undefined while it is not known. */
    findLength(tag) {
        return this.#kept.get(tag)?.length;
    }
    /** The variant with this entity tag. One that does not exist begins to grow, and reads the file until `settled`. */
    open(tag, file, coding) {
        const kept = this.#kept.get(tag);
        if (kept === undefined)
            this.#makeRoom(Number(file.stats.size));
        const variant = kept ?? this.#grow(file, coding, () => this.#kept.delete(tag));
        this.#kept.delete(tag);
        this.#kept.set(tag, variant);
        return variant;
    }
    #grow({ handle, stats }, coding, onFailure) {
        const giveBack = this.#slots.take();
        const variant = new Variant(Number(stats.size));
        variant.settled = compressFile(handle, coding, variant, this.#slots)
            .then(() => variant.finish(), (error) => {
            onFailure();
            variant.fail(error);
        })
            .finally(giveBack);
        return variant;
    }
    /** What still grows cannot be forgotten. */
    #hasRoom(bytes) {
        let left = this.#maxBytes - bytes;
        for (const variant of this.#kept.values())
            if (variant.length === undefined)
                left -= variant.weight;
        return left >= 0;
    }
    /** Forgets what was used longest ago. */
    #makeRoom(bytes) {
        let left = this.#maxBytes - bytes;
        for (const { weight } of this.#kept.values())
            left -= weight;
        for (const [tag, variant] of this.#kept) {
            if (left >= 0)
                return;
            if (variant.length === undefined)
                continue;
            this.#kept.delete(tag);
            left += variant.weight;
        }
    }
}
/** The compressed bytes of one file. Visitors read it while it grows. */
class Variant {
    /** Resolves when no more is read from the file. */
    settled = Promise.resolve();
    fileSize;
    #chunks = [];
    #state = { kind: 'growing' };
    #readers = 0;
    #change = Promise.withResolvers();
    #bytes = 0;
    constructor(fileSize) {
        this.fileSize = fileSize;
    }
    /** Undefined while it grows. */
    get length() {
        return this.#state.kind === 'whole' ? this.#bytes : undefined;
    }
    /** Bytes of memory that it takes, or may take. */
    get weight() {
        return this.length ?? this.fileSize;
    }
    /** Whether nobody waits for it. */
    get isAbandoned() {
        return this.#readers === 0;
    }
    /** Sends it to one visitor, as far as it has grown and then as it grows. Rejects if that fails, on either side. */
    async send(response) {
        this.#readers += 1;
        try {
            await (0,external_node_stream_promises_.pipeline)(this.#read(), response);
        }
        finally {
            this.#readers -= 1;
        }
    }
    push(chunk) {
        this.#chunks.push(chunk);
        this.#bytes += chunk.length;
        this.#notify();
    }
    finish() {
        this.#state = { kind: 'whole' };
        this.#notify();
    }
    fail(error) {
        this.#state = { kind: 'failed', error };
        this.#notify();
    }
    async *#read() {
        for (let index = 0;;) {
            const chunk = this.#chunks[index];
            if (chunk !== undefined) {
                index += 1;
                yield chunk;
            }
            else if (this.#state.kind === 'whole')
                return;
            else if (this.#state.kind === 'failed')
                throw this.#state.error;
            else
                await this.#change.promise;
        }
    }
    #notify() {
        this.#change.resolve();
        this.#change = Promise.withResolvers();
    }
}
async function isCompressible(handle) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(16 * 1024), 0, 16 * 1024, 0);
    return savesEnough(buffer.subarray(0, bytesRead));
}
/** Rejects if the file gets shorter, or when nobody waits for the variant any more. */
async function compressFile(handle, coding, variant, slots) {
    const whole = { start: 0, end: variant.fileSize - 1 };
    if (variant.fileSize <= AT_ONCE_BYTES) {
        const chunks = [];
        for await (const chunk of readBytes(handle, whole))
            chunks.push(chunk);
        variant.push(compressAtOnce(coding, 'small', Buffer.concat(chunks)));
        return;
    }
    const encoder = openEncoder(coding, 'small').on('data', chunk => variant.push(chunk));
    // The write that fails reports it.
    encoder.on('error', () => { });
    try {
        for await (const chunk of readBytes(handle, whole)) {
            if (variant.isAbandoned)
                throw new Error('no visitor waits for this file');
            await encode(encoder, chunk, slots);
        }
        await finish(encoder, slots);
    }
    finally {
        encoder.destroy();
    }
}
function encode(encoder, chunk, slots) {
    return new Promise((resolve, reject) => slots.work(done => encoder.write(chunk, error => {
        done();
        if (error)
            reject(error);
        else
            resolve();
    })));
}
function finish(encoder, slots) {
    return new Promise((resolve, reject) => slots.work(done => encoder.once('close', done).once('end', resolve).once('error', reject).end()));
}

;// CONCATENATED MODULE: ./build/js/app/web/web.js
// `mode: web`: a folder with a built web app, answered by a handler inside this process. Used by app.ts.














/** Sent with status 404 (all static hosts), and with 200 for pages that the app's own router knows (Surge, sirv). */
const ERROR_PAGE = '/404.html';
const FALLBACK_PAGE = '/200.html';
/** Characters of a log line. */
const MAX_LISTED = 1_000;
/** Starts no process. Files are looked up with every request, so that a rebuilt app is served at once. */
async function startWeb(spec, { logger = silentLogger, isPlain = false } = {}) {
    const root = await (0,promises_.realpath)(spec.path).catch((cause) => {
        throw new errors/* AppError */.uV(`the folder ${sanitise(spec.path)} cannot be read; check \`path\``, {
            cause,
            restartable: false,
        });
    });
    const page = START_PAGES.find(name => hasFile(root, `/${name}`));
    if (page === undefined)
        throw new errors/* AppError */.uV(`${sanitise(root)} has no ${INDEX} to serve; give \`path\` the folder of the built app`, { restartable: false });
    const { size } = await (0,promises_.stat)((0,external_node_path_.join)(root, page));
    if (size === 0)
        logger.warn(`${page} is empty, so visitors see a blank page: was the app built?`);
    const { ignored } = readHostRules(root);
    if (ignored.length > 0)
        logger.info(`not honoured here: ${sanitise(ignored.join('; '), MAX_LISTED)}`);
    return {
        upstream: { kind: 'handler', handle: createHandler({ ...spec, path: root }, isPlain) },
        ended: new Promise(() => undefined),
        stop: async () => undefined,
    };
}
/**
 * Answers GET and HEAD from the folder `path`, a real path. Never rejects and never throws. `isPlain`: the preview has
 * no https.
 */
function createHandler(spec, isPlain = false) {
    const variants = spec.compress === false ? undefined : new Variants();
    const rules = readHostRules(spec.path);
    return (request, response, refuse) => {
        const target = request.url ?? '/';
        const path = target.replace(/[?#].*$/s, '');
        const query = target.slice(path.length);
        const base = spec.basePath ?? NO_BASE;
        web_answer({ spec, variants, rules, isPlain, request, response, refuse, path, query, base }).catch(() => {
            // The visitor left, or the file vanished while it was sent.
            if (response.headersSent)
                response.destroy();
            else
                refuse(500);
        });
    };
}
async function web_answer(visit) {
    const { spec, rules, request, response, refuse, path, query, base } = visit;
    const localPath = stripBase(base, path) ?? path;
    for (const [name, value] of rules.listFields(localPath))
        setField(visit, name, value);
    if (spec.crossOriginIsolation !== false)
        setIsolation(response, spec.crossOriginIsolation);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('allow', 'GET, HEAD');
        return refuse(405);
    }
    const forced = rules.redirect(localPath, true);
    if (forced !== undefined)
        return await follow(visit, forced);
    const found = await lookUpBelow(spec.path, base, path);
    switch (found.kind) {
        case 'redirect':
            return sendRedirect(response, `${found.location}${query}`);
        case 'file':
            return await web_send(visit, found);
        case 'missing': {
            const rule = rules.redirect(localPath, false);
            return rule === undefined ? await answerUnknown(visit) : await follow(visit, rule);
        }
        case 'refused':
            return await answerMissing(visit);
    }
}
/**
 * Below the base path, a file is also found under the path as it is: the folder may have one of that name. Elsewhere,
 * files are found, and pages are redirected to their place below the base path: routers start from there.
 */
async function lookUpBelow(root, base, path) {
    const below = stripBase(base, path);
    if (below !== undefined) {
        const found = await lookup_lookUp(root, below);
        return found.kind === 'missing' && below !== path ? await lookup_lookUp(root, path) : found;
    }
    if (`${path}/` === base)
        return { kind: 'redirect', location: base };
    const found = await lookup_lookUp(root, path);
    if (found.kind !== 'file' || !found.path.endsWith('.html'))
        return found;
    await found.file.handle.close();
    return { kind: 'redirect', location: `${base}${path.slice(1)}` };
}
/** A page may have several links; of other fields, the last one counts. */
function setField({ response, isPlain }, name, value) {
    const key = name.toLowerCase();
    const shown = isPlain && key === 'content-security-policy' ? dropUpgrade(value) : value;
    if (key === 'link')
        response.appendHeader(name, shown);
    else if (shown !== '')
        response.setHeader(name, shown);
}
/** As a rule of `_redirects` says. Missing scripts get no page, as with `spa`. */
async function follow(visit, rule) {
    const { spec, request, response, path, query, base } = visit;
    if (rule.kind === 'redirect') {
        const { location, status } = rule;
        const isWhole = !location.startsWith('/') || stripBase(base, location) !== undefined;
        const target = isWhole ? location : `${base}${location.slice(1)}`;
        return sendRedirect(response, /[?#]/.test(target) ? target : `${target}${query}`, status);
    }
    const found = await lookup_lookUp(spec.path, stripBase(base, rule.path) ?? rule.path);
    if (found.kind !== 'file')
        return await answerMissing(visit);
    if (!found.path.endsWith('.html') || asksForPage(request, path))
        return await web_send(visit, found, rule.status);
    await found.file.handle.close();
    await answerMissing(visit);
}
/** With the page of an app that has a router of its own, if a page is asked for. */
async function answerUnknown(visit) {
    const { spec, request, response, path, query, base } = visit;
    const page = asksForPage(request, path) ? await openFallback(spec) : undefined;
    if (page === undefined)
        return await answerMissing(visit);
    if (stripBase(base, path) !== undefined)
        return await web_send(visit, page);
    await page.file.handle.close();
    sendRedirect(response, `${base}${path.slice(1)}${query}`);
}
/** With the folder's own error page, or the gateway's. */
async function answerMissing(visit) {
    const page = await lookup_openFile(visit.spec.path, ERROR_PAGE);
    if (page === undefined)
        return visit.refuse(404);
    await web_send(visit, page, 404);
}
/**
 * Builds that prerender some pages write a 200.html beside index.html for all others (SvelteKit, Nuxt): its name says
 * what it is for, so it needs no `spa`.
 */
async function openFallback({ path, spa }) {
    const page = await lookup_openFile(path, FALLBACK_PAGE);
    return page ?? (spa ? await lookup_openFile(path, `/${INDEX}`) : undefined);
}
async function web_send({ spec, variants, request, response }, found, status = 200) {
    const accepted = request.headers['accept-encoding']?.toString();
    const stored = await chooseStored(spec.path, found, accepted).catch(async (error) => {
        await found.file.handle.close();
        throw error;
    });
    await sendFile({ request, response, status, variants, ...stored });
}
/** A missing script or image is a 404: a page in its place would hide the mistake. */
function asksForPage(request, path) {
    return acceptsHtml(request) || !path.slice(path.lastIndexOf('/')).includes('.');
}
/** SharedArrayBuffer needs these on the page and on what it loads (HTML Standard, cross-origin isolation). */
function setIsolation(response, kind) {
    response.setHeader('cross-origin-opener-policy', 'same-origin');
    response.setHeader('cross-origin-embedder-policy', kind === true ? 'require-corp' : kind);
    response.setHeader('cross-origin-resource-policy', 'same-origin');
}
function sendRedirect(response, location, status = 302) {
    response.setHeader('location', location);
    response.setHeader('cache-control', 'no-store');
    response.statusCode = status;
    response.end();
}
function acceptsHtml(request) {
    return request.headers.accept?.includes('text/html') ?? false;
}

;// CONCATENATED MODULE: ./build/js/app/app.js
// The app of a preview: one interface for all four modes. Used by exposure/exposure.ts.
















/** Enough to see what led to a crash, in the status page and in the failed comment. */
const CONSOLE_LINES = 200;
/**
 * How long a start may take to fail by itself after its signal is aborted, beyond the time its processes have to stop:
 * its error then says what it waited for.
 */
const START_GRACE_MS = 10_000;
/** A longer line is data, not a message. */
const CONSOLE_LINE_LENGTH = 1_000;
/**
 * Starts the app; resolves when it has answered for the first time. Rejects with an AppError or the signal's reason,
 * after all its processes were stopped. If it dies later it is restarted; `onState` is called at once.
 */
async function startApp(options, timing) {
    const lines = new LastLines(CONSOLE_LINES);
    const onOutput = (line) => {
        lines.add(line);
        options.logger.info(`app | ${sanitise(line, CONSOLE_LINE_LENGTH)}`);
    };
    const lastLines = () => lines.list(LAST_LINES);
    let prefersPublicPort = true;
    const startNext = async (signal) => {
        try {
            return await startOnce(options, { onOutput, lastLines, prefersPublicPort }, signal);
        }
        catch (error) {
            // A program that died a moment ago may be unable to use its port for a minute (without SO_REUSEADDR).
            prefersPublicPort = false;
            throw error;
        }
    };
    const loop = new RestartLoop({
        startOnce: startNext,
        onState: options.onState,
        logger: options.logger,
        ...(timing === undefined ? {} : { timing }),
    });
    await loop.start(options.signal);
    return {
        get pid() {
            return loop.program?.pid;
        },
        consoleTail: () => lines.list(),
        stop: () => loop.stop(),
    };
}
/**
 * One start: resolves when the program has answered. The folder of the start is removed when the program is stopped.
 */
async function startOnce(options, { onOutput, lastLines, prefersPublicPort }, signal) {
    const folder = await (0,promises_.mkdtemp)((0,external_node_path_.join)(options.folder, 'app-'));
    const removeOwnFolder = async () => {
        const left = await removeFolder(folder);
        if (left !== undefined)
            options.logger.warn(left);
    };
    const publicUrl = options.publicUrl();
    const environment = { ...options.baseEnvironment, EXPOSE_URL: publicUrl };
    const { logger, onChild, stopTimeoutMs } = options;
    try {
        const context = { folder, environment, logger, onOutput, onChild, stopTimeoutMs, signal };
        const start = startProgram(options, { publicUrl, prefersPublicPort }, context);
        const program = await waitForStart(start, signal, START_GRACE_MS + stopTimeoutMs);
        const upstream = await waitUntilHealthy(program, options, lastLines, signal);
        return {
            upstream,
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
 * Settles as the start does. If the start is still pending `graceMs` after the signal is aborted, rejects with the
 * signal's reason; a program that starts even later is stopped.
 */
async function waitForStart(start, signal, graceMs) {
    const over = Promise.withResolvers();
    let timer;
    const giveUp = () => {
        over.reject(signal.reason);
        start.then(program => program.stop()).catch(() => undefined);
    };
    const abort = () => {
        timer = setTimeout(giveUp, graceMs);
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
async function startProgram(options, { publicUrl, prefersPublicPort }, context) {
    const { spec } = options;
    const fillIn = (text) => text.replaceAll('{url}', publicUrl);
    const env = Object.fromEntries(Object.entries(options.env).map(([key, value]) => [key, fillIn(value)]));
    switch (spec.mode) {
        case 'os':
            return await startOs(spec, context);
        case 'exec':
            return await startExec({ ...spec, args: spec.args.map(fillIn) }, { ...env, EXPOSE_URL: publicUrl }, context);
        case 'web':
            return await startWeb(spec, { logger: context.logger, isPlain: publicUrl.startsWith('http:') });
        case 'port':
            return await startPort(spec.command === undefined ? spec : { ...spec, command: fillIn(spec.command) }, 
            // Then addresses that the app builds from its own port are right.
            { env, preferredPort: prefersPublicPort ? readPort(publicUrl) : undefined }, context);
    }
}
/** The port in the address bar, if one is shown there. Those below 1024 belong to the system. */
function readPort(publicUrl) {
    const port = Number(URL.parse(publicUrl)?.port);
    return port >= 1_024 ? port : undefined;
}
/** Resolves with the upstream and its host rule. Stops the program if it does not become healthy. */
async function waitUntilHealthy(program, options, lastLines, signal) {
    const { upstream } = program;
    const { healthPath: path } = options;
    if (upstream.kind !== 'address' || path === undefined)
        return upstream;
    let last = { kind: 'none' };
    const onAttempt = (outcome) => {
        // In between, the same port may close connections: what was understood once says more.
        if (outcome.kind === 'closed' && last.kind === 'invalid')
            return;
        // This will hardly change, and `startup-timeout` may be long.
        if (outcome.kind === 'invalid' && last.kind !== 'invalid')
            options.logger.warn(`${describeUnhealthy(path, describeAppPort(upstream), outcome)}; still waiting`);
        last = outcome;
    };
    const target = { address: upstream, host: renderFirstHost(upstream, options), path, onAttempt };
    try {
        const answer = await raceEnd(over => waitForHealth(target, over), program.ended, signal);
        const demand = findHttpsDemand(answer, path, options.publicUrl());
        if (demand !== undefined)
            options.onWarning?.(demand);
        const ask = (over) => findHostRule(upstream, path, options, over);
        return { ...upstream, hostHeader: await raceEnd(ask, program.ended, signal) };
    }
    catch (error) {
        await program.stop();
        if (!(0,errors/* isTimeout */.kL)(error))
            throw error;
        const message = describeUnhealthy(path, describeAppPort(upstream), last);
        throw new errors/* AppError */.uV(message, { cause: error, lastLines: lastLines() });
    }
}
/** An open port proves nothing: in OS mode wasmrun opens it before the program listens. */
function describeUnhealthy(path, place, last) {
    switch (last.kind) {
        case 'answer':
            return `the app answered GET ${path} on ${place} with status ${last.status} until the time was over; it is up when the status is below 500: check \`health-path\`, or raise \`startup-timeout\``;
        case 'invalid':
            return `the app's answer to GET ${path} on ${place} is not valid HTTP: ${last.problem}; ${last.remedy}`;
        case 'closed':
        case 'none':
            return `the app did not answer GET ${path} on ${place} in time; let it listen there, check \`health-path\`, or raise \`startup-timeout\`${last.kind === 'closed' ? ' (it closed each connection without an answer)' : ''}`;
    }
}

;// CONCATENATED MODULE: ./build/js/gateway/raw-headers.js
// Header fields as Node and undici give them: names and values in turn, as on the wire. Used by every file of the
// gateway that reads, changes or writes a whole head. Pure.
/** Calls `onField` for each field, in order. */
function forEachField(raw, onField) {
    for (let index = 0; index + 1 < raw.length; index += 2)
        onField(raw[index] ?? '', raw[index + 1] ?? '');
}
/** How many fields have this lower-case name. */
function countFields(raw, wanted) {
    let count = 0;
    forEachField(raw, name => {
        if (name.toLowerCase() === wanted)
            count += 1;
    });
    return count;
}
/** Changes the value of each field of this lower-case name; a field whose value becomes empty is removed. */
function rewriteFields(raw, wanted, rewrite) {
    for (let index = raw.length - 2; index >= 0; index -= 2) {
        if (raw[index]?.toLowerCase() !== wanted)
            continue;
        const value = rewrite(raw[index + 1] ?? '');
        if (value === '')
            raw.splice(index, 2);
        else
            raw[index + 1] = value;
    }
}
/** undici gives fields as buffers, and nothing if there are no fields. */
function decodeFields(raw) {
    if (!Array.isArray(raw))
        return [];
    return raw.map(part => (Buffer.isBuffer(part) ? part.toString('latin1') : String(part)));
}

;// CONCATENATED MODULE: ./build/js/gateway/visit.js
// One visit: a request, what is known about it, and the means to answer it. Built by the servers of downstream/, used
// by every pass.
/** The request target exactly as received. Do not parse it against a base URL: `//host` would choose another host. */
function readTarget(request) {
    return request.url ?? '';
}
/** The target without its query, because that may contain the key. Sanitise the path before it is logged. */
function readPath(request) {
    const target = readTarget(request);
    const query = target.indexOf('?');
    return query === -1 ? target : target.slice(0, query);
}
/** Whether the request announces a body (RFC 9112, 6.3). */
function hasBody(request) {
    return (request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0);
}

;// CONCATENATED MODULE: ./build/js/gateway/access/session-cookie.js
// The cookie of a visitor who has shown the key once. Used by access.ts, credentials.ts and site-data.ts.
//
// Cookies are not bound to a port (RFC 6265, 8.5): a server on another port of the same host receives ours. So the
// cookie never contains the key. It contains its expiry and a MAC over the address and the expiry, with a secret of
// this exposure, which is worthless anywhere else.

/** A preview without an end ends with its job, and jobs on hosted runners last six hours. */
const MAX_AGE_MS = 24 * 60 * 60_000;
/** Matches every cookie name of ours, for any preview and port. These cookies are removed from requests to the app. */
const OWN_NAME = /^(?:__Host-)?expose-(?:session|seen)-\d{1,5}$/;
/** The cookies of one exposure. */
class SessionCookies {
    /** New for each exposure: a cookie of another exposure is refused, even at the same address. */
    #key = (0,external_node_crypto_.createSecretKey)((0,external_node_crypto_.randomBytes)(32)); // a key object, because raw bytes would be prepared again at every request
    /** A `Set-Cookie` value for a visitor at `url`; valid until `endsAt`, or for a day. */
    issue(url, endsAt) {
        const latest = Date.now() + MAX_AGE_MS;
        const expiresMs = Math.min(endsAt?.getTime() ?? latest, latest);
        const expires = Math.ceil(expiresMs / 1000);
        return renderCookie(url, nameCookie(url, 'session'), `${expires}.${this.#sign(url, expires)}`, {
            maxAgeS: Math.max(0, expires - Math.floor(Date.now() / 1000)),
        });
    }
    /** Whether the `Cookie` field has a session cookie of this exposure, for this address, that has not expired. */
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
/** The name contains the port, so that two previews on one host do not sign out each other's visitors. */
function nameCookie(url, purpose) {
    const port = url.port || (url.protocol === 'https:' ? '443' : '80');
    // The prefix makes browsers refuse a cookie set by another host (RFC 6265bis, 4.1.3.2); it requires Secure.
    return `${url.protocol === 'https:' ? '__Host-' : ''}expose-${purpose}-${port}`;
}
/** `SameSite=Lax`, because a click on the link in the comment comes from another site, and must send the cookie. */
function renderCookie(url, name, value, { maxAgeS }) {
    const secure = url.protocol === 'https:' ? '; Secure' : '';
    return `${name}=${value}; Path=/; Max-Age=${maxAgeS}; HttpOnly; SameSite=Lax${secure}`;
}
/** All values of that name, because a page on another port can put a cookie of the same name in front. */
function readCookies(header, name) {
    return splitCookies(header ?? '').flatMap(pair => pair.startsWith(`${name}=`) ? pair.slice(name.length + 1) : []);
}
/** A `Cookie` field without our cookies; '' if nothing is left. */
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
// The key, password or session that a visitor sends: reads it from the request, and removes it so that the app does not
// see it. Used by access.ts and passes.ts. exposure.ts makes the link with the key here.



/** The query parameter of the link that contains the key. */
const KEY_PARAMETER = 'expose-key';
/** The link to open: `url` (no trailing slash) with the key. */
function renderKeyLink(url, key) {
    return `${url}/?${KEY_PARAMETER}=${encodeURIComponent(key)}`;
}
/**
 * Removes the key's parameter from a request target; the rest stays byte for byte. `key` is the value of the first one,
 * or undefined if there is none.
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
/** As forms encode it: `+` is a space. A value that is not encoded correctly is taken as it is. */
function credentials_decode(text) {
    try {
        return decodeURIComponent(text.replaceAll('+', ' '));
    }
    catch {
        return text;
    }
}
/** Returns the key in the query, and removes it from the request's target and from its `Referer`. */
function takeKey(request) {
    const { key, rest } = splitKey(readTarget(request));
    if (key !== undefined)
        request.url = rest;
    const { referer } = request.headers;
    // A page that could not be redirected, such as the answer to a form, keeps the key in its address.
    if (referer?.includes(KEY_PARAMETER)) {
        rewriteFields(request.rawHeaders, 'referer', value => splitKey(value).rest);
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
/** Removes `Authorization`. To be called only if it contains a credential of the gateway. */
function dropAuthorization(request) {
    rewriteFields(request.rawHeaders, 'authorization', () => '');
    delete request.headers.authorization;
}
/** Removes our cookies from the request, including those of other previews on the same host. */
function dropOwnCookies(request) {
    const { cookie } = request.headers;
    if (!cookie?.includes('expose-'))
        return;
    rewriteFields(request.rawHeaders, 'cookie', withoutOwnCookies);
    const rest = withoutOwnCookies(cookie);
    if (rest === '')
        delete request.headers.cookie;
    else
        request.headers.cookie = rest;
}

;// CONCATENATED MODULE: ./build/js/gateway/pages/notice.js
// The text of the gateway's own answers: one notice for each reason why a visitor does not get the app's answer. Used
// by the passes, sent by answer.ts.



/** A start takes seconds; reloading more often would only fill the log. */
const STARTING_RETRY_S = 2;
/** The page waits longer after each restart, as the restarts do, but a reviewer should not wait longer than this. */
const MAX_RESTARTING_RETRY_S = 15;
/** A running app that gave no answer to one request usually answers the next. */
const NO_ANSWER_RETRY_S = 5;
/** The app does not come back by itself, but the next commit's preview has the same address. */
const OVER_RETRY_S = 30;
const STAYS = 'This page does not reload by itself, because that would start the work again, or lose what you sent.';
/** The same notice, on a page that leaves it to the visitor to try again. */
function withoutReload(notice) {
    if (notice.retryAfterS === undefined)
        return notice;
    return { ...notice, staysAsItIs: true, next: `${STAYS} To try again, go back and start from there.` };
}
/** The notice for an app that is not running. */
function describeAway(app) {
    switch (app.status) {
        case 'starting':
            return {
                status: 503,
                mood: 'waiting',
                title: 'The app is starting',
                what: 'The preview is open, but its app does not answer yet.',
                next: 'It shows the app as soon as the app answers.',
                retryAfterS: STARTING_RETRY_S,
            };
        case 'restarting':
            return {
                status: 503,
                mood: 'trouble',
                title: 'The app is restarting',
                what: `The app stopped and is being started again (attempt ${app.attempt}).`,
                next: 'It shows the app as soon as the app answers again.',
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
 * The notice for a visitor without the key or password. It is the same for every request, and shows nothing of the app;
 * only its title differs if a key was sent that is `wrong`. Without `keyForm` it is for a visitor who has sent a form
 * of the app: the sign-in cannot bring back what the form contained.
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
        next: keyForm === undefined ? LOST_FORM : isLink ? PASTE_KEY : ASK_AUTHOR,
        nextForScripts: isLink ? 'Send it as Authorization: Bearer KEY.' : 'Send them as HTTP Basic.',
        ...(keyForm === undefined ? { leadsHome: true } : isLink && { keyForm }),
    };
}
const PASTE_KEY = 'Open it with the whole link, or paste the key here.';
const ASK_AUTHOR = 'The author of the workflow has them; reload the page to be asked again.';
const LOST_FORM = 'You were sent here with a form, and nothing of it has reached the app. If you have signed in before: browsers leave the cookie out if another site sends the form, such as a sign-in or payment service. The author of the workflow can then add this path to public-paths. Go on at the start page.';
/** The notice for a request that has only a cookie or password, and may come from another site. */
function describeForeignRequest(sender) {
    const common = { status: 403, mood: 'locked', leadsHome: true };
    if (sender === 'foreign')
        return {
            ...common,
            title: 'This request comes from another site',
            what: "Its Origin is not the address of this preview, so the visitor's cookie or password does not count. Nothing of it has reached the app.",
            next: 'Go on at the start page. If another site has to send such requests, the author of the workflow can add their path to public-paths.',
            nextForScripts: 'Send the key as Authorization: Bearer KEY, or add the path to public-paths.',
        };
    return {
        ...common,
        title: 'This request does not say which page sent it',
        what: 'Its Origin is "null", so it may come from another site. Nothing of it has reached the app.',
        next: `The app's own pages do this if they have Referrer-Policy: no-referrer, which is the default of helmet. ${SAY_ORIGIN}`,
        nextForScripts: `Send the key as Authorization: Bearer KEY. If a page of the app sent this: ${SAY_ORIGIN}`,
    };
}
const SAY_ORIGIN = 'Set Referrer-Policy: same-origin in the app, or use https (input tls-cert): then browsers say in Sec-Fetch-Site that it is the own page.';
/** The notice for a file that `mode: web` cannot serve. */
function describeFile(status) {
    const common = {
        status,
        next: 'The start page may lead to what you are looking for.',
        leadsHome: true,
    };
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
                what: 'It exists, but it is not readable.',
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
/** In the units of `max-body`, in the largest that fits. */
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
/** The notice for an app that runs but gave no answer to this request, or none that is valid. */
function describeNoAnswer(error) {
    const invalid = explainInvalidAnswer(error);
    if (invalid !== undefined) {
        const remedy = `${invalid.remedy.charAt(0).toUpperCase()}${invalid.remedy.slice(1)}.`;
        return {
            status: 502,
            mood: 'failed',
            title: 'The app answered, but not with valid HTTP',
            what: `What it sent could not be understood as an HTTP answer: ${invalid.problem}.`,
            next: remedy,
            nextForScripts: remedy,
            retryAfterS: NO_ANSWER_RETRY_S,
        };
    }
    if ((0,errors/* hasCode */.up)(error, 'UND_ERR_HEADERS_TIMEOUT'))
        return {
            status: 504,
            mood: 'trouble',
            title: 'The app did not answer in time',
            what: 'It accepted the request, but sent no answer for an hour.',
            next: `${STAYS} The log of the workflow run shows what the app printed.`,
        };
    return {
        status: 502,
        mood: 'trouble',
        title: 'The app did not answer',
        what: explainNoAnswer(error),
        next: 'If that does not help, the log of the workflow run shows what the app printed.',
        retryAfterS: NO_ANSWER_RETRY_S,
    };
}
function explainNoAnswer(error) {
    if ((0,errors/* hasCode */.up)(error, 'ECONNREFUSED', 'UND_ERR_CONNECT_TIMEOUT'))
        return 'Nothing accepts connections on its port.';
    if ((0,errors/* hasCode */.up)(error, 'UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'))
        return 'It closed the connection without an answer.';
    if ((0,errors/* hasCode */.up)(error, 'UND_ERR_DESTROYED', 'UND_ERR_ABORTED'))
        return 'It stopped, or moved to another port, during the request.';
    return 'What it sent could not be understood as an HTTP answer.';
}

;// CONCATENATED MODULE: ./build/js/gateway/pages/page.js
// Renders a notice as HTML (no script, no external assets, light and dark, from 320 px), plain text or JSON. Used by
// answer.ts. Pure.


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
/** The page's Content-Security-Policy: allows only our own style sheet, by its hash, and our own form. */
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
    const reload = notice.staysAsItIs ? undefined : notice.retryAfterS;
    const next = reload === undefined ? notice.next : `This page reloads by itself. ${notice.next}`;
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
${detail}<p class="soft">${escapeHtml(next)}</p>
${renderForm(notice.keyForm)}${notice.leadsHome ? '<a class="button" href="/">To the start page</a>\n' : ''}<footer>${notice.status} ${external_node_http_.STATUS_CODES[notice.status]}${reload === undefined ? '' : ` · next try in ${reload} s`}</footer>
</main>
</body>
</html>
`;
}
/** The form has a password field, so that keyboards do not learn the key, and browsers offer to store it. */
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
/** Plain text, for a terminal. */
function renderText({ title, what, nextForScripts, detail, retryAfterS }) {
    const again = retryAfterS === undefined ? undefined : `Try again in ${retryAfterS} s.`;
    const lines = [`${title}.`, what, detail, nextForScripts, again];
    return `${lines.filter(line => line !== undefined).join('\n')}\n`;
}
/**
 * JSON, for a program: `{"error","detail"?,"status","retry_after"?}`; `retry_after` in seconds, if trying again may
 * help.
 */
function renderJson(notice) {
    const { title, what, detail, status, retryAfterS } = notice;
    return `${JSON.stringify({ error: `${title}: ${what}`, detail, status, retry_after: retryAfterS })}\n`;
}
function escapeHtml(text) {
    return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
}

;// CONCATENATED MODULE: ./build/js/gateway/pages/answer.js
// Sends a notice in the form that the visitor accepts: HTML, JSON or plain text. Used by the gateway's passes.


/** Whether `Accept` names HTML. Browsers name it for pages, not for scripts, styles and images; curl does not. */
function wantsPage({ headers }) {
    return /\btext\/html\b/i.test(headers.accept ?? '');
}
function sendNotice({ request, response }, notice, headers = {}) {
    const [type, body] = render(request, canRepeat(request) ? notice : withoutReload(notice));
    response.writeHead(notice.status, {
        'content-type': type,
        'content-length': Buffer.byteLength(body),
        'cache-control': 'no-store',
        'content-security-policy': renderPolicy(notice),
        // The sign-in needs a Referer to lead back to the page with the form; no other page needs one.
        'referrer-policy': notice.keyForm === undefined ? 'no-referrer' : 'same-origin',
        ...(notice.retryAfterS !== undefined && { 'retry-after': String(notice.retryAfterS) }),
        vary: 'accept',
        'x-content-type-options': 'nosniff',
        ...headers,
    });
    response.end(body);
}
/** A page reloads itself with GET: it would lose what another method has sent. */
function canRepeat({ method }) {
    return method === 'GET' || method === 'HEAD';
}
function render(request, notice) {
    if (wantsPage(request))
        return ['text/html; charset=utf-8', renderPage(notice)];
    if (/\bapplication\/(?:[\w.-]+\+)?json\b/i.test(request.headers.accept ?? ''))
        return ['application/json', renderJson(notice)];
    return ['text/plain; charset=utf-8', renderText(notice)];
}

;// CONCATENATED MODULE: ./build/js/gateway/access/cross-site.js
// Whether another site made the browser send a request, and the answer to such a request. Used by access.ts.


/** Methods that only read (RFC 9110, 9.2.1): a page of any other site can make a browser send them. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Whether the request may come from another site. */
const isCrossSite = (visit) => findSender(visit) !== 'own';
/** True if the request may come from another site: it has then been refused with 403. */
function refuseCrossSite(visit) {
    const sender = findSender(visit);
    if (sender === 'own')
        return false;
    sendNotice(visit, describeForeignRequest(sender), { connection: 'close' });
    return true;
}
/**
 * `SameSite` does not tell: another port of the same host is the same site. Every browser sends `Origin` with methods
 * that are not safe, and with WebSockets (Fetch Standard, 3.2).
 */
function findSender({ request, upgrade, address }) {
    const { origin, 'sec-fetch-site': site } = request.headers;
    if (origin === undefined || (SAFE.has(request.method ?? '') && upgrade === undefined))
        return 'own';
    if (address?.origins.has(origin.toLowerCase()))
        return 'own';
    // Forms of a page with `Referrer-Policy: no-referrer` send `null`, and so do sandboxed pages of any site. Over https
    // Sec-Fetch-Site tells them apart, and no script can set it (Fetch Metadata, 2.3; Fetch Standard, 2.2.2).
    if (origin !== 'null')
        return 'foreign';
    if (site === undefined)
        return 'unnamed';
    return site === 'same-origin' ? 'own' : 'foreign';
}

;// CONCATENATED MODULE: ./build/js/gateway/access/preflight.js
// The answer to CORS preflights that have no key. A browser sends one before a request of another origin that has a
// header such as `Authorization`, and never puts a credential into it (Fetch Standard, 4.8). So without this answer, no
// page could send the key to a preview at another address. Used by access.ts.
//
// The answer is constant and does not come from the app, so it tells nothing about it. It allows every request, but
// without cookies and passwords (`*`, and no Access-Control-Allow-Credentials). What a page can send then, everybody can
// send with curl, and it needs the key like any other request. The app's own fields decide whether the page may read
// the answer. Pages of the internet still may not reach a private network: Access-Control-Allow-Private-Network is
// missing.
/** How long browsers need not ask again; a preview that ends soon should not leave a permission behind for long. */
const MAX_AGE_S = 600;
/** Lets pages of any origin read an answer, if the request had no cookie and no password of the browser. */
const READABLE_BY_ALL = { 'access-control-allow-origin': '*' };
/** A CORS preflight, as the Fetch Standard, 3.3.2 defines it. */
function isPreflight({ method, headers }) {
    return (method === 'OPTIONS' &&
        headers.origin !== undefined &&
        headers['access-control-request-method'] !== undefined);
}
/** Closes the connection, as every answer to a visitor without the key does. */
function sendPreflight({ response }) {
    response.writeHead(204, {
        ...READABLE_BY_ALL,
        'access-control-allow-methods': '*',
        // `*` does not include Authorization (Fetch Standard, 4.8).
        'access-control-allow-headers': '*, Authorization',
        'access-control-max-age': String(MAX_AGE_S),
        'cache-control': 'no-store',
        connection: 'close',
    });
    response.end();
}

;// CONCATENATED MODULE: ./build/js/gateway/access/access.js
// Decides which requests are let in. Refuses unauthenticated visitors, all with the same answer. Removes the key or
// password from the requests that it lets in, so that the app never sees it. Used by passes.ts, before any pass whose
// answer depends on the app.









/** Where the sign-in page sends the key. */
const SIGN_IN_PATH = '/__expose/sign-in';
/** A key and the name of its field take a few hundred bytes. */
const MAX_FORM_BYTES = 4_096;
class AccessControl {
    #access;
    #isPublic;
    #cookies = new SessionCookies();
    #siteData;
    #endsAt;
    /** `endsAt` returns when the exposure ends, if that is known; no session lasts longer. */
    constructor(rules, siteData, endsAt) {
        this.#access = rules.access;
        this.#isPublic = compilePatterns(rules.publicPaths);
        this.#siteData = siteData;
        this.#endsAt = endsAt;
    }
    /** True if the request has been answered: with a refusal, or with a step of the sign-in. */
    check(visit) {
        const { request } = visit;
        const key = takeKey(request);
        if (this.#access.kind === 'open')
            return letIn(visit);
        const hasSession = this.#hasSession(visit);
        const credential = this.#takeAuthorization(request);
        if (readPath(request) === SIGN_IN_PATH)
            return this.#answerSignIn(visit, hasSession);
        const isRightKey = this.#isKey(key);
        if (isRightKey && isPageLoad(visit) && !isForeignFetch(request))
            return this.#signIn(visit, readTarget(request));
        const grant = isRightKey ? 'shown' : this.#findGrant(visit, credential, hasSession);
        if (grant === undefined)
            return this.#refuse(visit);
        if (grant === 'ambient' && refuseCrossSite(visit))
            return true;
        if (grant !== 'public')
            return letIn(visit);
        // A request to a public path does not authenticate its connection, unless it has a session or a credential as well.
        const isKnown = hasSession || credential !== undefined;
        visit.isPublicOnly = !isKnown || isCrossSite(visit);
        return isKnown ? letIn(visit) : false;
    }
    #findGrant(visit, credential, hasSession) {
        if (credential === 'key')
            return 'shown';
        if (this.#isPublic(readPath(visit.request)))
            return 'public';
        if (credential === 'password') {
            // Scripts of the app may later replace the browser's `Authorization` with one of their own; then the cookie
            // counts.
            if (!hasSession && visit.address)
                visit.ownHeaders.push(['set-cookie', this.#issue(visit.address.url)]);
            return 'ambient';
        }
        return hasSession ? 'ambient' : undefined;
    }
    /** Removes the gateway's credential from every request, because browsers send a password to public paths too. */
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
    /**
     * Redirects to `target`, which lacks the key: the key must not stay in the address bar, in histories and in
     * `Referer`.
     */
    #signIn(visit, target) {
        const { request, response, address } = visit;
        if (address === undefined)
            return this.#refuse(visit);
        visit.markAuthenticated();
        response.writeHead(303, [
            ...['location', target],
            ...['set-cookie', this.#issue(address.url)],
            ...this.#siteData.clearFor(request, address.url).flat(),
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
    /** Reads the only body that the gateway itself uses. Anybody can send one, so its length is limited. */
    #readForm(visit) {
        const { request, response, awaitsContinue } = visit;
        if (refuseCrossSite(visit))
            return;
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
    /**
     * The same answer for every path, method and upgrade, whether the app runs or not; only preflights get another one.
     * The page says more to a visitor who sent a form. The connection is closed.
     */
    #refuse(visit, { wrongKey = false } = {}) {
        const { request } = visit;
        if (isPreflight(request)) {
            sendPreflight(visit);
            return true;
        }
        const kind = this.#access.kind === 'basic' ? 'basic' : 'link';
        const isLostForm = request.method === 'POST' && wantsPage(request) && readPath(request) !== SIGN_IN_PATH;
        sendNotice(visit, notice_describeRefusal(kind, wrongKey, isLostForm ? undefined : SIGN_IN_PATH), {
            ...READABLE_BY_ALL,
            connection: 'close',
            'www-authenticate': kind === 'basic' ? 'Basic realm="preview", charset="UTF-8"' : 'Bearer realm="preview"',
        });
        return true;
    }
}
function letIn(visit) {
    visit.markAuthenticated();
    return false;
}
function isPageLoad({ request, upgrade }) {
    return (request.method === 'GET' || request.method === 'HEAD') && upgrade === undefined;
}
/**
 * Whether a script of another origin reads the answer, with `fetch` or `EventSource`. It could not use the cookie of a
 * sign-in. Some browsers send `Origin` with page loads too, after a redirect.
 */
function isForeignFetch(request) {
    return request.headers.origin !== undefined && !wantsPage(request);
}
/** Where to go after the sign-in: back to the page that showed the form. */
function readReturn({ request, address }) {
    const from = URL.parse(request.headers.referer ?? '');
    if (from === null || !address?.origins.has(from.origin))
        return '/';
    const target = splitKey(`${from.pathname}${from.search}`).rest;
    // Two slashes would redirect to another host.
    return /^\/[/\\]/.test(target) || target.startsWith(SIGN_IN_PATH) ? '/' : target;
}

;// CONCATENATED MODULE: ./build/js/gateway/access/site-data.js
// Clears what an earlier preview left in the visitor's browser under the same address: its service worker would keep
// serving that commit. Used by passes.ts and access.ts.


/** Longer than any preview lasts. */
const SEEN_MAX_AGE_S = 7 * 24 * 60 * 60;
/** Service workers are part of storage; clearing `cache` as well can take a browser many seconds. */
const CLEAR = '"storage"';
/** `Sec-Fetch-Dest` of page loads, and of the check for a newer service worker, which the old one cannot intercept. */
const FIRST_REQUESTS = new Set(['document', 'serviceworker']);
class SiteData {
    /** Identifies this exposure in its visitors' browsers. */
    #exposure = (0,external_node_crypto_.randomBytes)(9).toString('base64url');
    /** Fields that clear the browser's storage, once for this exposure; browsers honour them only over https. */
    clearFor(request, url) {
        if (url.protocol !== 'https:' || this.#wasHere(request, url))
            return [];
        const seen = renderCookie(url, nameCookie(url, 'seen'), this.#exposure, { maxAgeS: SEEN_MAX_AGE_S });
        return [
            ['clear-site-data', CLEAR],
            ['set-cookie', seen],
        ];
    }
    /** Adds the fields to the answer, if the request loads a page. */
    addFields({ request, address, ownHeaders }) {
        if (address !== undefined && FIRST_REQUESTS.has(String(request.headers['sec-fetch-dest'])))
            ownHeaders.push(...this.clearFor(request, address.url));
    }
    #wasHere(request, url) {
        return readCookies(request.headers.cookie, nameCookie(url, 'seen')).includes(this.#exposure);
    }
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/connection-slots.js
// Decides which visitors' connections may stay open, and how many requests of each may run. All servers of a gateway
// share one ConnectionSlots, so that TLS, HTTP/1.1 and HTTP/2 share its limits. Used by them, and by connection-set.ts.
//
// There are two groups, authenticated connections and all others; neither can use up the room for requests of the
// other. In a full group the connection with most requests loses one first. So the first request of a connection is
// served as long as another connection of the group has two. docs/threat-model.md describes what this guarantees.
/**
 * A connection may use this part of the room that is free in its group: the more requests run, the fewer of them one
 * connection may have. One request may always run.
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
        this.#unauthenticated = createGroup(limits.strangers);
        this.#authenticated = createGroup(limits.sockets);
        this.#newcomers = limits.strangers === 0 ? this.#authenticated : this.#unauthenticated;
    }
    /**
     * Gives the connection a slot until it is closed; the connection begins unauthenticated. False if no slot is free and
     * no other connection can be closed to free one. May be called twice.
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
    /** Gives `stream`, for instance the decrypted side of a TLS connection, the slot of `connection`. */
    join(stream, connection) {
        const slot = this.#slots.get(connection);
        if (slot !== undefined)
            this.#slots.set(stream, slot);
    }
    /** The connection that has the slot of this stream. */
    connectionOf(stream) {
        return this.#slots.get(stream)?.connection ?? stream;
    }
    /**
     * Call this if the visitor has shown the key, or needs none: to make room, its connection is then closed only if
     * idle.
     */
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
    /** Whether the connection has an open request. */
    isBusy(stream) {
        const slot = this.#slots.get(stream);
        return slot !== undefined && countOpen(slot) > 0;
    }
    /**
     * Opens a request. Returns the function to call when it has ended; a second call, or one after an eviction, does
     * nothing. Evicts the request at once if its connection has too many, or if its group is full and no other connection
     * in it has at least two more.
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
     * Closes an idle connection. If less than half of the unauthenticated ones are idle, closes a busy unauthenticated
     * one: otherwise new connections, which are idle at first, would only push out one another.
     */
    #freeSlot() {
        const [unauthenticated, authenticated] = [this.#unauthenticated, this.#authenticated];
        const isFull = unauthenticated.slots.size + authenticated.slots.size >= this.#limits.sockets;
        const isCrowded = this.#newcomers === unauthenticated && unauthenticated.slots.size >= this.#limits.strangers;
        if (!isFull && !isCrowded)
            return true;
        const leaving = (isMostlyIdle(unauthenticated) ? findIdle(unauthenticated) : undefined) ??
            (isCrowded ? undefined : findIdle(authenticated)) ??
            findBusiest(unauthenticated);
        if (leaving === undefined)
            return false;
        remove(leaving);
        leaving.connection.destroy();
        return true;
    }
}
function createGroup(capacity) {
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
/** Begins the waiting requests that may begin. */
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
/** How many requests of the slot may run now. */
function findLimit({ group, share }) {
    const free = group.capacity - group.active;
    return Math.max(1, Math.min(share.active, Math.floor(free * PART_OF_FREE)));
}
/**
 * Makes room in the group for one more request of this slot. Only a slot with at least two more requests loses one:
 * otherwise two connections would push out each other's requests forever.
 */
function makeRoom(slot) {
    const { group } = slot;
    if (group.open < group.capacity)
        return true;
    const busiest = findBusiest(group);
    if (busiest === undefined || countOpen(busiest) < countOpen(slot) + 2)
        return false;
    return evictNewest(busiest);
}
/** Takes a waiting request first, because the app has not seen it. */
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
/** The slot that has been idle for longest. */
function findIdle({ slots }) {
    let found;
    for (const slot of slots)
        if (countOpen(slot) === 0 && (found === undefined || slot.idleSince < found.idleSince))
            found = slot;
    return found;
}
/** The slot with most requests; if there are several, the oldest. */
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

;// CONCATENATED MODULE: ./build/js/gateway/downstream/closing.js
// Ways to close a visitor's connection. Used by every server of this folder.



/**
 * The gateway need not react to a visitor's broken connection, but an 'error' without a listener would end the process.
 */
function ignoreErrors(stream) {
    stream.on('error', () => { });
}
/** Sends what is still buffered, then closes. If that takes longer than `lingerMs`, cuts the connection. */
function closeFlushed(stream, lingerMs) {
    if (stream.destroyed)
        return;
    const timer = setTimeout(() => stream.destroy(), lingerMs);
    stream.once('close', () => clearTimeout(timer));
    stream.end(() => stream.destroy());
}
/**
 * Closes the stream at once. A TCP connection is reset, so that the system drops the bytes that a visitor does not
 * read. Never throws, for any kind of stream: Node.js can reset only a bare TCP socket, and throws
 * ERR_INVALID_HANDLE_TYPE for a TLSSocket, which is a Socket too.
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

;// CONCATENATED MODULE: ./build/js/gateway/downstream/connection-set.js
// The open connections of one server of this folder: admits them, and closes them when the server stops. Used by
// http1-server, http2-server and tls-front. connection-slots.ts decides for all three whether there is room for a
// connection.


class ConnectionSet {
    #slots;
    #open = new Set();
    #isStopping = false;
    constructor(slots) {
        this.#slots = slots;
    }
    /** The connections that are not closed yet. */
    get open() {
        return this.#open;
    }
    get isStopping() {
        return this.#isStopping;
    }
    /** If there is no slot for the connection, or the server is stopping, closes it and returns false. */
    admit(connection) {
        ignoreErrors(connection);
        if (this.#isStopping || connection.destroyed || !this.#slots.take(connection)) {
            connection.destroy();
            return false;
        }
        this.#open.add(connection);
        connection.once('close', () => this.#open.delete(connection));
        // As Node does to the connections it accepts itself.
        if (connection instanceof external_node_net_.Socket)
            connection.setNoDelay(true);
        return true;
    }
    /** From now on no connection is admitted. */
    refuseNew() {
        this.#isStopping = true;
    }
    /**
     * Refuses new connections, and calls `end` for each open one; `end` may close it now, or once its answers are sent.
     * Destroys what is still open after `drainMs`. Resolves when all are closed. May be called twice.
     */
    async stop(drainMs, end) {
        this.refuseNew();
        const closed = [...this.#open].map(awaitClose);
        if (drainMs === 0)
            this.#destroyAll();
        else
            for (const connection of this.#open)
                end(connection);
        const timer = setTimeout(() => this.#destroyAll(), drainMs);
        await Promise.all(closed);
        clearTimeout(timer);
    }
    #destroyAll() {
        for (const connection of this.#open)
            connection.destroy();
    }
}
/** Resolves when the stream is closed, at once if it already is. */
function awaitClose(stream) {
    return new Promise(resolve => {
        if (stream.closed)
            resolve();
        else
            stream.once('close', () => resolve());
    });
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/linger.js
// Closes a connection whose visitor is still sending after its answer. Reads and drops the rest for a while before
// that, because closing a connection with unread bytes can destroy the answer on its way. Used by http1-server.ts.

class Linger {
    #limits;
    /** The current request of each connection, if it has a body: its answer may be sent before its end. */
    #requests = new WeakMap();
    #last = new WeakSet();
    #drained = new WeakSet();
    constructor(limits) {
        this.#limits = limits;
    }
    /** Whether the last answer of the connection is sent: later requests get no answer (RFC 9112, 9.6). */
    isLast(socket) {
        return this.#last.has(socket);
    }
    /** After an early answer, Node reads the rest of the body to find the next request. Limits how long and how much. */
    watch(request, response) {
        const { socket } = request;
        this.#holdOpen(socket, request);
        response.once('prefinish', () => {
            if (request.complete)
                return;
            // Start reading now: otherwise Node would drop an unread body itself, and its bytes could not be counted.
            request.read(0);
            this.#drain(request, socket);
        });
    }
    /** Does this for a connection from which Node has detached its parser; it ends with this answer. */
    watchLast(response, socket) {
        response.once('finish', () => {
            socket.end();
            this.#bound(socket, socket);
            this.#startTimer(socket, socket);
            socket.resume();
        });
    }
    /** Node destroys a connection right after an answer with `Connection: close`; here the rest is read first. */
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
            // This may be a request after the last answered one, which is read only here.
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
// Limits the memory of pipelined requests that wait for the answer before them. Used by http1-server.ts.

/** The limit for heads and bodies in the queue of one connection; a connection that exceeds it is closed. */
const MAX_QUEUED_BYTES = 64 * 1024;
/**
 * How often the bodies in a queue are measured. If the buffer of a body is full, Node stops reading the connection, and
 * the gateway would not notice that the visitor leaves. So such a connection is closed.
 */
const MEASURE_INTERVAL_MS = 500;
class QueuedRequests {
    #queues = new WeakMap();
    /** The request begins to wait. */
    add(socket, request) {
        const queue = this.#queues.get(socket) ?? this.#open(socket);
        const measure = () => {
            if (isFull(queue))
                socket.destroy();
        };
        queue.requests.set(request, measureHead(request));
        if (hasBody(request))
            queue.timer ??= setInterval(measure, MEASURE_INTERVAL_MS);
        measure();
    }
    /** The request no longer waits. */
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
function measureHead({ rawHeaders, url = '' }) {
    return rawHeaders.reduce((sum, text) => sum + text.length, url.length);
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/slow-uploads.js
// Finds uploads that stand still, or come so slowly that only an attacker would send them like that (R-U-D-Y): they
// would keep their slot forever. An upload that goes on may take any time. Used by http1-server.ts and
// http2-session.ts.

/** Of a body, in `requestTimeoutMs`: 55 bytes a second with the usual limit, which every line can carry. */
const slow_uploads_MIN_BYTES = 16 * 1024;
/** How many times the uploads are checked within the shorter limit. */
const SWEEPS_PER_LIMIT = 4;
class SlowUploads {
    #limits;
    #uploads = new Map();
    #timer;
    constructor(limits) {
        this.#limits = limits;
        const shorter = Math.min(limits.stalledMs, limits.requestTimeoutMs);
        this.#timer = setInterval(() => this.#sweep(), shorter / SWEEPS_PER_LIMIT).unref();
    }
    /** Calls `cut`, at most once, if the upload is too slow. Returns the function that ends the watch. */
    watch(upload, cut) {
        const now = performance.now();
        const bytes = upload.receivedBytes;
        this.#uploads.set(upload, { cut, movedAt: now, movedBytes: bytes, pacedAt: now, pacedBytes: bytes });
        return () => void this.#uploads.delete(upload);
    }
    stop() {
        clearInterval(this.#timer);
    }
    #sweep() {
        const now = performance.now();
        for (const [upload, progress] of this.#uploads) {
            const isSlow = this.#isSlow(upload, progress, now);
            if (isSlow || upload.complete)
                this.#uploads.delete(upload);
            if (isSlow)
                progress.cut();
        }
    }
    #isSlow(upload, progress, now) {
        if (upload.complete)
            return false;
        const bytes = upload.receivedBytes;
        // If the app does not read, the gateway does not either, and the visitor cannot send.
        if (bytes !== progress.movedBytes || upload.readableFlowing !== true) {
            progress.movedBytes = bytes;
            progress.movedAt = now;
        }
        if (bytes - progress.pacedBytes >= slow_uploads_MIN_BYTES) {
            progress.pacedBytes = bytes;
            progress.pacedAt = now;
        }
        return (now - progress.movedAt >= this.#limits.stalledMs ||
            now - progress.pacedAt >= this.#limits.requestTimeoutMs);
    }
}
/** Node's request, which counts the bytes of its body. */
class CountedRequest extends external_node_http_.IncomingMessage {
    receivedBytes = 0;
    push(chunk, encoding) {
        this.receivedBytes += chunk?.length ?? 0;
        return super.push(chunk, encoding);
    }
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/stalled-readers.js
// Finds visitors who do not read their answers: they would keep their slot, and the memory for their answer, forever.
// Used by http1-server.ts, for WebSockets too, and by http2-server.ts.

/** How many times the streams are checked within `stalledMs`. */
const stalled_readers_SWEEPS_PER_LIMIT = 4;
/**
 * Calls `close`, which must not throw, for each stream that has had bytes waiting for `stalledMs` and has sent none of
 * them. Progress is seen only in whole chunks as they were written, of 64 KB at most. `countTaken` counts the sent
 * bytes of streams that do not count them. A stream with nothing waiting may be silent for any time.
 */
function watchStalledReaders(listOpen, stalledMs, close, countTaken = countBytes) {
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
        for (const socket of listOpen())
            check(socket, now);
    };
    const timer = setInterval(sweep, stalledMs / stalled_readers_SWEEPS_PER_LIMIT).unref();
    return { stop: () => clearInterval(timer) };
}
/** If the stream does not count its bytes, only a change in the number of waiting bytes can be seen. */
function countBytes(socket) {
    return (socket instanceof external_node_net_.Socket ? socket.bytesWritten : 0) - socket.writableLength;
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/http1-server.js
// Node's HTTP/1.1 server, over connections from the tunnel. Turns everything that a visitor can send (request, upgrade,
// CONNECT) into one kind of visit, one at a time on each connection. Used by gateway.ts and tls-front.ts.










/**
 * Pipelined requests wait until the answer before them is sent, because answers must keep the order of the requests.
 * Browsers send one request at a time; a connection with more than `open` requests is closed.
 */
const HTTP1_SHARE = { active: 1, open: 64 };
const HTTP2_REFUSAL = [
    'HTTP/1.1 400 Bad Request',
    'content-type: text/plain; charset=utf-8',
    'connection: close',
    '',
    'HTTP/2 works over https only. To expose a gRPC service, use `protocol: tcp`: see docs/tcp.md of expose-action.\n',
].join('\r\n');
/** How long such a client may take to read that. */
const HTTP2_LINGER_MS = 1_000;
/** How often Node looks for requests that have exceeded a time limit. */
const CHECK_INTERVAL_MS = 1_000;
const TIMED_OUT = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\nthe upload stood still, or came too slowly\n';
/**
 * Node's server, which answers with 400 what it cannot parse. It says more to a client that begins with HTTP/2 without
 * TLS ("prior knowledge", RFC 9113, 3.3), as gRPC clients do. Not a listener for `clientError`: that would have to
 * answer every other error, too.
 */
class ParsingServer extends external_node_http_.Server {
    /** Whether an answer is being sent: nothing may be written into it. */
    isBusy = () => false;
    emit(event, ...args) {
        const [error, socket] = args;
        const isHttp2 = event === 'clientError' && (0,errors/* hasCode */.up)(error, 'HPE_PAUSED_H2_UPGRADE');
        if (!isHttp2 || !(socket instanceof external_node_stream_.Duplex) || this.isBusy(socket))
            return super.emit(event, ...args);
        socket.write(HTTP2_REFUSAL);
        closeFlushed(socket, HTTP2_LINGER_MS);
        return true;
    }
}
class Http1Server {
    #limits;
    #handler;
    #slots;
    #connections;
    #queued = new QueuedRequests();
    #linger;
    #stalledReaders;
    #slowUploads;
    #server;
    /** Ready at once. `slots` are shared with other servers. */
    constructor(limits, handler, slots) {
        this.#limits = limits;
        this.#handler = handler;
        this.#slots = slots;
        this.#connections = new ConnectionSet(slots);
        this.#linger = new Linger(limits);
        this.#slowUploads = new SlowUploads(limits);
        const { open } = this.#connections;
        this.#stalledReaders = watchStalledReaders(() => open, limits.stalledMs, socket => {
            cut(slots.connectionOf(socket));
            socket.destroy();
        });
        this.#server = this.#openServer();
    }
    admit(connection) {
        return this.#connections.admit(connection) && this.#server.emit('connection', connection);
    }
    async stop(drainMs = 0) {
        await this.#connections.stop(drainMs, connection => {
            if (!this.#slots.isBusy(connection))
                connection.destroy();
        });
        this.#stalledReaders.stop();
        this.#slowUploads.stop();
        this.#server.close();
    }
    #openServer() {
        const server = new ParsingServer({
            IncomingMessage: CountedRequest,
            headersTimeout: this.#limits.headersTimeoutMs,
            // Node's limit is for the whole request; slow-uploads.ts has a better one.
            requestTimeout: 0,
            keepAliveTimeout: this.#limits.keepAliveMs,
            connectionsCheckingInterval: CHECK_INTERVAL_MS,
            // Always the strict parser, even if NODE_OPTIONS selects the lenient one.
            insecureHTTPParser: false,
            // The guard refuses a missing Host instead: unlike Node, it also drops the requests behind it.
            requireHostHeader: false,
            // Any other upgrade (h2c) is ignored, as RFC 9110, 7.8 allows, and its request served as usual.
            shouldUpgradeCallback: isWebSocket,
        });
        server.isBusy = connection => this.#slots.isBusy(connection);
        // 0: no limit, because Node would silently drop the fields above it. The guard refuses too many fields.
        server.maxHeadersCount = 0;
        server.on('request', (request, response) => this.#receive(request, response, false));
        server.on('checkContinue', (request, response) => this.#receive(request, response, true));
        // Node would answer an unknown expectation itself. The guard answers it, so that `slots` knows every request.
        server.on('checkExpectation', (request, response) => this.#receive(request, response, false));
        server.on('upgrade', (request, socket, head) => this.#receiveLast(request, socket, head));
        server.on('connect', (request, socket) => this.#receiveLast(request, socket));
        // This server never listens on a port: without this event, headersTimeout would not work.
        server.emit('listening');
        return server;
    }
    #receive(request, response, awaitsContinue) {
        if (hasBody(request))
            this.#linger.watch(request, response);
        // After an upgrade that was not accepted, Node reads no further request: close the connection instead of stalling
        // it.
        if (request.headers.upgrade !== undefined)
            response.shouldKeepAlive = false;
        this.#enqueue(request, response, awaitsContinue, undefined);
    }
    /** Handles a request after which Node has detached its parser. `head` is set if it may become a WebSocket. */
    #receiveLast(request, socket, head) {
        // No honest client requests another protocol before the answers to earlier requests are sent.
        if (this.#slots.isBusy(socket) || this.#linger.isLast(socket))
            return void socket.destroy();
        const response = openLastResponse(request, socket, this.#linger);
        if (response === undefined)
            return;
        const detachResponse = () => response.detachSocket(request.socket);
        this.#enqueue(request, response, false, head && { socket, head, detachResponse });
    }
    /** Handles the request once the answers before it are sent. */
    #enqueue(request, response, awaitsContinue, upgrade) {
        const { socket } = request;
        if (this.#isOver(socket))
            return;
        if (this.#slots.isBusy(socket))
            this.#queued.add(socket, request);
        const close = this.#slots.open(socket, HTTP1_SHARE, {
            begin: () => {
                this.#queued.delete(socket, request);
                if (!this.#isOver(socket))
                    this.#handle(request, response, awaitsContinue, upgrade);
            },
            evict: () => socket.destroy(),
        });
        // A WebSocket counts as an open request until its connection is closed.
        if (upgrade !== undefined)
            return;
        response.once('close', () => {
            close();
            if (this.#connections.isStopping && !this.#slots.isBusy(socket))
                closeFlushed(socket, this.#limits.lingerMs);
        });
    }
    #handle(request, response, awaitsContinue, upgrade) {
        if (request instanceof CountedRequest && hasBody(request))
            this.#watchUpload(request, response);
        this.#handler.handle({
            request,
            response,
            app: this.#handler.readApp(),
            address: this.#handler.readAddress(),
            ownHeaders: [],
            markAuthenticated: () => this.#slots.markAuthenticated(request.socket),
            awaitsContinue,
            upgrade,
        });
    }
    /** After the answer, `linger` limits the rest. */
    #watchUpload(request, response) {
        const { socket } = request;
        const leave = this.#slowUploads.watch(request, () => {
            // As Node does for its own limits.
            if (!response.headersSent && socket.writable)
                socket.write(TIMED_OUT);
            socket.destroy();
        });
        response.once('prefinish', leave).once('close', leave);
    }
    /** True if the request must be ignored: Node still emits requests that came in the same packet as the last one. */
    #isOver(socket) {
        return socket.destroyed || this.#linger.isLast(socket);
    }
}
function isWebSocket(request) {
    return request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket';
}
/**
 * Opens an ordinary response on a connection from which Node has detached its parser; the connection ends with it. If
 * Node is still writing an answer there, closes the connection and returns undefined.
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
    // Node has removed its own listeners together with its parser.
    ignoreErrors(socket);
    socket.on('drain', () => response.emit('drain'));
    linger.watchLast(response, socket);
    return response;
}

// EXTERNAL MODULE: external "node:http2"
var external_node_http2_ = __webpack_require__(2467);
;// CONCATENATED MODULE: ./build/js/gateway/downstream/http2-presence.js
// Finds out whether the visitor of an HTTP/2 session is still there. Used by http2-session.ts.
/** The speed of the slowest connection that we expect; the acknowledgement waits behind the bytes sent before it. */
const SLOW_LINE_BYTES_PER_MS = 32;
/** The longest time that these bytes may delay the acknowledgement. */
const MAX_QUEUE_MS = 120_000;
/**
 * Sends our settings again and again: every visitor must acknowledge them (RFC 9113, 6.5.3), so one who does not is
 * gone. This is needed because Node may have stopped reading, and then does not notice that a visitor leaves. Node
 * stops without any event after a malformed frame on a session that is closing (after a GOAWAY by either side). Such a
 * session cannot simply be ended, because it must finish its answers: Node's own client, for example, sends GOAWAY and
 * waits for them. A ping would not do, because it does not work on a session that is closing.
 */
function watchPresence(session, options) {
    const { settings, intervalMs, timeoutMs, isNeeded, countSent, leave } = options;
    let askedAt;
    let sentBefore = 0;
    const check = () => {
        // A session is destroyed some time before its 'close' event, and cannot send settings in between.
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
        session.settings(settings, () => {
            askedAt = undefined;
            sentBefore = countSent();
        });
    };
    const timer = setInterval(check, intervalMs);
    session.once('close', () => clearInterval(timer));
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/http2-request.js
// Makes an HTTP/2 request look like Node's HTTP/1.1 request, so that the passes handle both. Used by http2-session.ts.


/** If one of these fields is repeated, only the first value is kept, as in Node's own `headers`. */
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
    /** 1.1 for the passes: they need to know only that it is not 1.0. */
    httpVersion = '1.1';
    method;
    /** '' if the request had no target. */
    url;
    /** Contains `host` in place of the pseudo fields. */
    rawHeaders;
    headers;
    /** The stream of this request alone. */
    socket;
    /** Whether the whole body has arrived. */
    complete;
    /** Of the body. */
    receivedBytes = 0;
    #isListening = false;
    constructor(stream, raw) {
        super();
        const { pseudo, fields } = splitHead(raw);
        this.socket = stream;
        this.method = pseudo.get(':method') ?? '';
        this.url = pseudo.get(':path') ?? '';
        this.rawHeaders = renderFields(pseudo.get(':authority'), fields);
        this.headers = renderHeaders(this.rawHeaders);
        // An empty body may have ended before it is read.
        this.complete = stream.endAfterHeaders || stream.readableEnded;
        // HTTP/1.1 announces a body of unknown length like this.
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
    /** Called only when the body is read: until then the visitor's flow-control window must not grow. */
    #listen() {
        this.#isListening = true;
        this.socket.on('data', (chunk) => {
            this.receivedBytes += chunk.length;
            if (!this.push(chunk))
                this.socket.pause();
        });
        this.socket.once('end', () => this.#finish());
    }
    /** Ends the body, unless the visitor cancelled the rest: an incomplete body must not look complete. */
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
    forEachField(raw, (name, value) => {
        if (name.startsWith(':'))
            pseudo.set(name, value);
        else
            fields.push([name, value]);
    });
    return { pseudo, fields };
}
/**
 * `:authority` becomes the Host. An additional Host is kept only if it differs, so that the guard refuses the request
 * (RFC 9113, 8.3.1). Split cookie fields become one again (8.2.3).
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
/** As Node's own: names in lower case, repeated fields joined. */
function renderHeaders(raw) {
    const headers = Object.create(null);
    forEachField(raw, (name, value) => {
        const key = name.toLowerCase();
        const before = headers[key];
        if (before === undefined)
            headers[key] = value;
        else if (!ONLY_FIRST.has(key))
            headers[key] = `${before}, ${value}`;
    });
    return { ...headers };
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/http2-response.js
// Makes an HTTP/2 answer look like Node's HTTP/1.1 response, so that the passes, and handlers in this process, can
// write both. Used by http2-session.ts.



/** These fields describe an HTTP/1 connection, and would make an HTTP/2 answer malformed (RFC 9113, 8.2.2). */
const CONNECTION_FIELDS = new Set([
    'connection',
    'http2-settings',
    'keep-alive',
    'proxy-connection',
    'te',
    'transfer-encoding',
    'upgrade',
]);
/** Statuses whose answers have no body (RFC 9110, 15). */
const NO_BODY = new Set([204, 205, 304]);
/** How much of an answer is buffered for a visitor who reads slowly; undici delivers chunks of this size. */
const BUFFER_BYTES = 64 * 1024;
class Http2Response extends external_node_stream_.Writable {
    statusCode = 200;
    /** True from `writeHead` on: after that the head cannot be changed. */
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
        // The visitor cancelled the request, or is gone.
        stream.once('close', () => this.destroy());
    }
    setHeader(name, value) {
        if (this.headersSent)
            throw new Error('the head of this answer is already written');
        this.#fields.set(name.toLowerCase(), typeof value === 'object' ? [...value] : String(value));
        return this;
    }
    appendHeader(name, value) {
        if (this.headersSent)
            throw new Error('the head of this answer is already written');
        this.#add(name, typeof value === 'object' ? [...value] : value);
        return this;
    }
    /** As Node's: `writeHead(status, headers)` or `writeHead(status, reason, headers)`; HTTP/2 has no reasons. */
    writeHead(status, ...rest) {
        this.statusCode = status;
        const headers = rest.find(one => typeof one === 'object');
        if (headers !== undefined)
            this.#addAll(headers);
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
    addTrailers(trailers) {
        for (const [name, value] of trailers) {
            const key = name.toLowerCase();
            if (CONNECTION_FIELDS.has(key))
                continue;
            const before = this.#trailers[key];
            this.#trailers[key] = before === undefined ? value : [before, value].flat().map(String);
        }
    }
    _write(chunk, _, done) {
        this.headersSent = true;
        this.#respond(false);
        // Drops the body if the status allows none, or the visitor has cancelled the request.
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
    /** An incomplete answer must not look complete. */
    _destroy(error, done) {
        if (!this.writableFinished && !this.#stream.closed)
            this.#stream.close(external_node_http2_.constants.NGHTTP2_INTERNAL_ERROR);
        done(error);
    }
    #hasNoBody() {
        return this.#isHead || NO_BODY.has(this.statusCode);
    }
    #addAll(headers) {
        if (isRaw(headers)) {
            forEachField(headers, (name, value) => this.#add(name, value));
            return;
        }
        for (const [name, value] of Object.entries(headers))
            if (value !== undefined)
                this.#add(name, Array.isArray(value) ? [...value] : String(value));
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
        // Node sends no body with 205, and a length without a body would be an error for the visitor.
        if (this.statusCode === 205)
            delete head['content-length'];
        const endStream = this.#hasNoBody() || (isEnd && Object.keys(this.#trailers).length === 0);
        const waitForTrailers = !endStream && !this.#fields.has('content-length');
        if (waitForTrailers)
            this.#stream.once('wantTrailers', () => this.#try(() => this.#stream.sendTrailers(this.#trailers)));
        this.#try(() => this.#stream.respond(head, { endStream, waitForTrailers }));
    }
    /** If Node refuses a field, only this answer fails, not the session. */
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
function isRaw(headers) {
    return Array.isArray(headers);
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/http2-session.js
// One visitor's HTTP/2 session: turns each request into a visit, as http1-server.ts does, and limits the session's
// time, its number of streams and the size of heads. Used by http2-server.ts.





/** Requests at a time in one session: the most that browsers use, and the minimum that RFC 9113, 6.5.2 recommends. */
const MAX_STREAMS = 100;
const HTTP2_SHARE = { active: MAX_STREAMS, open: MAX_STREAMS };
/** The limit of a head in Node's HTTP/1 parser. */
const MAX_HEAD_BYTES = 16 * 1024;
/** High, because browsers send each cookie as a field of its own. */
const MAX_HEAD_FIELDS = 256;
/**
 * While a session is closing: how often the visitor's presence is checked, and how long the acknowledgement may take.
 */
const CLOSING_PRESENCE = { intervalMs: 250, timeoutMs: 1_000 };
const SESSION_OPTIONS = {
    settings: {
        maxConcurrentStreams: MAX_STREAMS,
        maxHeaderListSize: MAX_HEAD_BYTES,
        // Browsers then open an HTTP/1.1 connection for their WebSockets (RFC 8441).
        enableConnectProtocol: false,
    },
    maxHeaderListPairs: MAX_HEAD_FIELDS,
    // A field that the app sends twice is passed on twice.
    strictSingleValueFields: false,
    // Against rapid reset: a browser that leaves a page cancels its requests, but does not cancel hundreds again and
    // again.
    streamResetBurst: 2 * MAX_STREAMS,
    streamResetRate: 33,
    maxSessionInvalidFrames: 100,
    // In megabytes: how much memory nghttp2 may use for one session, apart from the buffers of its streams.
    maxSessionMemory: 4,
};
class VisitorSession {
    #session;
    #connection;
    #context;
    /** How many bytes of all answers together have been sent. */
    #takenBytes = 0;
    #isClosed = false;
    /** A time of performance.now(): when `cutIfEnded` first found the session ended. */
    #endedAt;
    constructor(session, connection, context) {
        this.#session = session;
        this.#connection = connection;
        this.#context = context;
        session.on('error', () => { });
        session.once('close', () => this.#onClose());
        connection.once('close', () => session.destroy());
        // The tunnel's sockets can be half open, and Node would keep the session of a visitor who has left.
        connection.once('end', () => session.destroy());
        session.once('goaway', () => this.#closeWatched());
        this.#watchBusy();
        const watchStream = watchIdleness(session, context.limits, () => this.#closeIdle());
        session.on('stream', (stream, _head, _flags, raw) => {
            watchStream(stream);
            this.#receive(stream, raw);
        });
    }
    /** Sends a GOAWAY. An idle session ends at once, any other after its last stream. */
    close() {
        this.#session.close();
    }
    /**
     * Cuts the connection some time after the session has ended. Node closes such a connection only when the visitor
     * closes it too; if the visitor never does, it would stay open forever.
     */
    cutIfEnded(now) {
        if (!this.#session.destroyed)
            return;
        this.#endedAt ??= now;
        if (now - this.#endedAt >= this.#context.limits.lingerMs)
            this.#connection.destroy();
    }
    #onClose() {
        this.#isClosed = true;
        this.#context.onClose();
        closeFlushed(this.#connection, this.#context.limits.lingerMs);
    }
    /**
     * Watches busy sessions: Node also stops reading while a visitor does not read, and would not notice that it leaves.
     */
    #watchBusy() {
        const { limits, slots } = this.#context;
        watchPresence(this.#session, {
            settings: SESSION_OPTIONS.settings,
            intervalMs: limits.stalledMs / 4,
            timeoutMs: limits.stalledMs,
            isNeeded: () => slots.isBusy(this.#connection),
            countSent: () => this.#takenBytes,
            leave: () => this.#connection.destroy(),
        });
    }
    /** Closes the session when its requests have ended, or its visitor is gone. */
    #closeWatched() {
        if (this.#session.destroyed)
            return;
        this.#session.close();
        watchPresence(this.#session, {
            ...CLOSING_PRESENCE,
            settings: SESSION_OPTIONS.settings,
            isNeeded: () => true,
            countSent: () => this.#takenBytes,
            leave: () => {
                if (!this.#isClosed)
                    this.#connection.destroy();
            },
        });
    }
    /** Sends a GOAWAY, and cuts the connection if that has not closed it in time: the visitor may read nothing. */
    #closeIdle() {
        this.#session.close();
        const timer = this.#cutAfterLinger();
        this.#connection.once('close', () => clearTimeout(timer));
    }
    #cutAfterLinger() {
        return setTimeout(() => this.#connection.destroy(), this.#context.limits.lingerMs);
    }
    #receive(stream, raw) {
        ignoreErrors(stream);
        if (this.#isClosed)
            stream.close(external_node_http2_.constants.NGHTTP2_REFUSED_STREAM);
        // Node does not enforce this limit until the visitor has acknowledged our settings.
        else if (http2_session_measureHead(raw) > MAX_HEAD_BYTES)
            refuseHead(stream);
        else if (this.#context.isStopping())
            stream.close(external_node_http2_.constants.NGHTTP2_REFUSED_STREAM);
        else
            this.#open(stream, raw);
    }
    /** Handles the request when the connection's share allows. */
    #open(stream, raw) {
        const { slots, streams } = this.#context;
        streams.set(stream, 0);
        let hasBegun = false;
        const begin = () => {
            if (stream.closed || stream.destroyed || this.#session.destroyed)
                return;
            hasBegun = true;
            this.#handle(stream, raw);
        };
        const close = slots.open(this.#connection, HTTP2_SHARE, {
            // Later, so that a stream that is reset in the same packet (rapid reset) never reaches the app.
            begin: () => void setImmediate(begin),
            evict: () => {
                stream.close(hasBegun ? external_node_http2_.constants.NGHTTP2_ENHANCE_YOUR_CALM : external_node_http2_.constants.NGHTTP2_REFUSED_STREAM);
                // If the visitor reads nothing, the stream would stay open, but the app's request must end.
                setImmediate(() => stream.destroy());
            },
        });
        stream.once('close', () => {
            streams.delete(stream);
            close();
        });
    }
    #handle(stream, raw) {
        const { handler, slots } = this.#context;
        const request = new Http2Request(stream, raw);
        const response = new Http2Response(stream, request.method, {
            onLast: () => {
                if (!slots.isAuthenticated(this.#connection))
                    this.#closeAfter(stream);
            },
            onTaken: bytes => this.#countTaken(stream, bytes),
        });
        if (!request.complete)
            boundUpload(stream, request, response, this.#context);
        handler.handle({
            request,
            response,
            app: handler.readApp(),
            address: handler.readAddress(),
            ownHeaders: [],
            markAuthenticated: () => slots.markAuthenticated(this.#connection),
            awaitsContinue: !request.complete && request.headers.expect?.toLowerCase() === '100-continue',
            upgrade: undefined,
        });
    }
    /**
     * Closes the session after an answer with `Connection: close`. Its other requests may finish. Cuts the connection if
     * this answer cannot be sent in time.
     */
    #closeAfter(refused) {
        const timer = this.#cutAfterLinger();
        refused.once('close', () => {
            clearTimeout(timer);
            this.#closeWatched();
        });
    }
    #countTaken(stream, bytes) {
        this.#takenBytes += bytes;
        const { streams } = this.#context;
        const before = streams.get(stream);
        if (before !== undefined)
            streams.set(stream, before + bytes);
    }
}
/** Does nothing if the stream has ended: the visitor may have cancelled it in the same packet. */
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
/** Applies the limits of HTTP/1 uploads: for their pace, and for the rest after an early answer. */
function boundUpload(stream, request, response, { slowUploads, limits }) {
    let timer;
    const leave = slowUploads.watch(request, () => stream.close(external_node_http2_.constants.NGHTTP2_CANCEL));
    response.once('finish', () => {
        leave();
        if (request.complete)
            return;
        request.resume();
        // The answer is complete, so the visitor may stop its upload without an error (RFC 9113, 8.1).
        timer = setTimeout(() => stream.close(external_node_http2_.constants.NGHTTP2_NO_ERROR), limits.lingerMs);
    });
    request.once('end', () => clearTimeout(timer));
    stream.once('close', () => {
        leave();
        clearTimeout(timer);
    });
}
/**
 * Calls `end` for a session without a request: soon after the handshake, later between two requests. Pings do not
 * count.
 */
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
/** The size of a head as RFC 9113, 6.5.2 counts it. */
function http2_session_measureHead(raw) {
    return raw.reduce((sum, text) => sum + text.length + 16, 0);
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/http2-server.js
// The HTTP/2 server: gets connections after their TLS handshake, and opens a session on each. Used by tls-front.ts.





/** How often the server looks for sessions that have ended but whose connection is still open. */
const ENDED_INTERVAL_MS = 500;
class Http2Server {
    #limits;
    #handler;
    #slots;
    #connections;
    #sessions = new Map();
    /** Open requests → how many bytes of the answer have been sent. */
    #streams = new Map();
    #stalledReaders;
    #slowUploads;
    #endedTimer;
    /** Ready at once. `slots` are shared with other servers. */
    constructor(limits, handler, slots) {
        this.#limits = limits;
        this.#handler = handler;
        this.#slots = slots;
        this.#connections = new ConnectionSet(slots);
        this.#stalledReaders = watchStalledReaders(() => this.#streams.keys(), limits.stalledMs, stream => stream.destroy(), stream => this.#streams.get(stream) ?? 0);
        this.#slowUploads = new SlowUploads(limits);
        this.#endedTimer = setInterval(() => this.#cutEnded(), ENDED_INTERVAL_MS).unref();
    }
    admit(connection) {
        if (!this.#connections.admit(connection))
            return false;
        const session = new VisitorSession((0,external_node_http2_.performServerHandshake)(connection, SESSION_OPTIONS), connection, {
            limits: this.#limits,
            handler: this.#handler,
            slots: this.#slots,
            slowUploads: this.#slowUploads,
            streams: this.#streams,
            isStopping: () => this.#connections.isStopping,
            onClose: () => this.#sessions.delete(connection),
        });
        this.#sessions.set(connection, session);
        return true;
    }
    async stop(drainMs = 0) {
        await this.#connections.stop(drainMs, connection => this.#sessions.get(connection)?.close());
        this.#stalledReaders.stop();
        this.#slowUploads.stop();
        clearInterval(this.#endedTimer);
    }
    #cutEnded() {
        const now = performance.now();
        for (const session of this.#sessions.values())
            session.cutIfEnded(now);
    }
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/tls-front.js
// Where TLS ends. Distinguishes TLS from plain HTTP by a visitor's first byte, does the TLS handshake, and passes the
// connection to the HTTP/1.1 or HTTP/2 server, as negotiated (ALPN). Used by gateway.ts in place of a bare HTTP/1.1
// server.






/** The type of the first TLS record of a connection (RFC 8446, 5.1); no HTTP method begins with this byte. */
const HANDSHAKE_RECORD = 0x16;
class TlsFront {
    #limits;
    #slots;
    #secureContext;
    /** All TCP connections, with TLS or plain HTTP. */
    #connections;
    /** The connections that have not sent a byte yet, or are in the handshake. */
    #handshaking = new Set();
    #http1;
    #http2;
    #plain;
    /** Ready at once; throws if certificate and key do not match. */
    constructor({ cert, key }, limits, { secure, plain }) {
        this.#limits = limits;
        this.#slots = new ConnectionSlots(limits);
        this.#connections = new ConnectionSet(this.#slots);
        this.#secureContext = (0,external_node_tls_.createSecureContext)({ cert, key, minVersion: 'TLSv1.2' });
        this.#http1 = new Http1Server(limits, secure, this.#slots);
        this.#http2 = new Http2Server(limits, secure, this.#slots);
        this.#plain = new Http1Server(limits, plain, this.#slots);
    }
    admit(connection) {
        if (!this.#connections.admit(connection))
            return false;
        this.#handshaking.add(connection);
        connection.once('close', () => this.#handshaking.delete(connection));
        readFirstByte(connection, this.#limits.handshakeTimeoutMs, byte => {
            if (byte === HANDSHAKE_RECORD)
                return this.#shakeHands(connection);
            this.#handshaking.delete(connection);
            this.#plain.admit(connection);
        });
        return true;
    }
    async stop(drainMs = 0) {
        this.#connections.refuseNew();
        for (const connection of this.#handshaking)
            connection.destroy();
        await Promise.all([this.#http1, this.#http2, this.#plain].map(server => server.stop(drainMs)));
        // Now only TCP connections are left whose TLS has ended.
        await this.#connections.stop(0, () => { });
    }
    #shakeHands(connection) {
        const socket = new external_node_tls_.TLSSocket(connection, {
            isServer: true,
            secureContext: this.#secureContext,
            ALPNProtocols: ['h2', 'http/1.1'],
        });
        this.#slots.join(socket, connection);
        const timer = setTimeout(() => socket.destroy(), this.#limits.handshakeTimeoutMs);
        socket.once('close', () => clearTimeout(timer));
        // After the handshake Node reports a TLS error only with this event, and drops what was to be written. It would
        // emit 'error' and destroy the socket only for a tls.Server, which releases the socket's control (_tls_wrap.js).
        socket.on('_tlsError', () => connection.destroy());
        // A failed handshake is the visitor's problem; Node closes its connection.
        ignoreErrors(socket);
        socket.once('secure', () => {
            clearTimeout(timer);
            this.#handshaking.delete(connection);
            // http2 waits for this. Node's tls.Server would set it, but does not show which connection its socket belongs to.
            Object.assign(socket, { secureConnecting: false });
            (socket.alpnProtocol === 'h2' ? this.#http2 : this.#http1).admit(socket);
        });
    }
}
/**
 * Calls `onByte` with the first byte, which stays in the stream. Closes a connection that sends nothing in time, or
 * ends.
 */
function readFirstByte(connection, timeoutMs, onByte) {
    const timer = setTimeout(() => connection.destroy(), timeoutMs);
    const leave = () => connection.destroy();
    const read = () => {
        const chunk = connection.read();
        if (!Buffer.isBuffer(chunk))
            return;
        clearTimeout(timer);
        connection.off('readable', read).off('end', leave);
        connection.unshift(chunk);
        onByte(chunk[0]);
    };
    connection.on('readable', read).once('end', leave);
    connection.once('close', () => clearTimeout(timer));
}

;// CONCATENATED MODULE: ./build/js/gateway/downstream/visitor-server.js
// What the servers of this folder have in common: they admit visitors' connections, and limit their number and their
// times. Used by all of them, and by gateway.ts.
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

;// CONCATENATED MODULE: ./build/js/gateway/own-address.js
// The preview's public address, and the values of Host and Origin that name it. Made by gateway.ts; the passes get it
// with every visit. Pure.

const DEFAULT_PORTS = { 'http:': '80', 'https:': '443' };
/**
 * Names of the machine itself. One allows the others, because no attacker can make them lead elsewhere (DNS rebinding).
 */
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];
/** Undefined if the address is not a URL. */
function describeAddress({ url: text, host, port }) {
    const url = URL.parse(text) ?? undefined;
    if (url === undefined)
        return undefined;
    // A proxy in front may send the Host that visitors use, or the one that it connects to.
    const plain = URL.parse(`${url.protocol}//${addBrackets(host)}:${port}`) ?? url;
    const toOrigin = (name) => `${url.protocol}//${name}`;
    const own = own_address_listNames(url);
    const origins = new Set([...own, ...own_address_listNames(plain)].map(toOrigin));
    // A Host that is not in the URL was written by the proxy, whose visitors see the URL.
    const hosts = [
        ...own_address_listNames(plain).map(name => [name, url.origin]),
        ...own.map(name => [name, toOrigin(name)]),
    ];
    return {
        url,
        hosts: new Map(hosts.flatMap(([name = '', origin = '']) => [
            [name, origin],
            [withOtherPort(name, url.protocol), origin],
        ])),
        origins,
    };
}
/** Reads the address at every request, but parses it again only when it has changed. */
function rememberAddress(read) {
    let last;
    let own;
    return () => {
        const current = read();
        if (current !== last)
            own = current && describeAddress(current);
        last = current;
        return own;
    };
}
/** `host:port` as a browser writes it, without the scheme's default port. */
function own_address_listNames({ hostname, port }) {
    const names = LOOPBACK.includes(hostname) ? LOOPBACK : [hostname];
    return names.map(name => (port === '' ? name : `${name}:${port}`));
}
/** The name without its port; a name without a port gets the default one. */
function withOtherPort(name, protocol) {
    const plain = name.replace(/:\d+$/, '');
    return plain === name ? `${name}:${DEFAULT_PORTS[protocol]}` : plain;
}

// EXTERNAL MODULE: external "node:https"
var external_node_https_ = __webpack_require__(4708);
;// CONCATENATED MODULE: ./build/js/gateway/probe-tls.js
// Opens the probe's TLS connection to an address where TLS ends at our own gateway: this machine may not trust its
// certificate. Used by probe.ts.



/** Another program answered: with another certificate, or without TLS. */
class ForeignPeerError extends Error {
    name = 'ForeignPeerError';
}
/**
 * Opens a TLS connection. The server must have the certificate with this SHA-256 fingerprint, or, because a proxy may
 * be in between, one that the machine trusts for this name. Rejects with ForeignPeerError if it has neither.
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
            // The certificate is checked below, before the request is sent.
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
/** OpenSSL's own errors: the bytes received are not a TLS handshake. */
function isNoTls(error) {
    return 'code' in error && /^(?:EPROTO|ERR_SSL_)/.test(String(error.code));
}

;// CONCATENATED MODULE: ./build/js/gateway/probe.js
// The probe proves that a public address leads to this exposure: it sends a challenge, and only this exposure has the
// key to sign it. Sent by exposure/ before a URL is published, answered by passes.ts.







/** Path of the probe on every exposure. */
const PROBE_PATH = '/__expose/probe';
/** A proof has 64 characters. A much longer answer is some other page, and is not read to its end. */
const probe_MAX_ANSWER_BYTES = 4_096;
const CHALLENGE = /^[0-9a-f]{32,128}$/;
/** The keyed answer to a challenge (lower-case hex, 16 to 64 bytes), or undefined if it is not one. */
function renderProof(proofKey, challenge) {
    if (!CHALLENGE.test(challenge))
        return undefined;
    return (0,external_node_crypto_.createHmac)('sha256', proofKey).update(`expose probe\n${challenge}`).digest('hex');
}
/**
 * Sends one challenge to `url` (no trailing slash), over a new connection, and follows no redirect. `certificate`: the
 * SHA-256 fingerprint of ours, if the gateway speaks TLS. Never rejects.
 */
async function probeHttp(url, proofKey, signal, certificate) {
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
    // No agent: a kept-alive connection could still lead to an earlier target of the address.
    const options = socket
        ? { createConnection: () => socket, signal }
        : { agent: false, signal };
    return new Promise((resolve, reject) => {
        get(url, options, resolve).once('error', reject);
    });
}
/** Reads at most the first few KB, then closes the connection. */
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
    // llhttp's own errors: the bytes received are not HTTP.
    const isForeign = error instanceof Error && 'code' in error && String(error.code).startsWith('HPE_');
    return isForeign
        ? { kind: 'unproved', detail: `the answer was not HTTP: ${detail}` }
        : { kind: 'silent', detail };
}

;// CONCATENATED MODULE: ./build/js/gateway/own-pages.js
// The gateway's own paths under /__expose/, apart from the sign-in (access.ts), and its short answers in plain text. No
// page there accepts a cookie as authorization, because the app shares the origin. Used by passes.ts, and `sendText` by
// others.


const OWN_FOLDER = '/__expose';
/** The answer to a probe (see probe.ts); undefined if the request is not a probe. */
function readProof(request, proofKey) {
    if (request.method !== 'GET' || readPath(request) !== PROBE_PATH)
        return undefined;
    const query = new URLSearchParams(readTarget(request).slice(PROBE_PATH.length));
    return renderProof(proofKey, query.get('challenge') ?? '');
}
/** Whether the gateway answers this path itself. */
function isOwnPath(path) {
    return path === OWN_FOLDER || path.startsWith(`${OWN_FOLDER}/`);
}
/** Sends a short answer in plain text, which is not cached. */
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

;// CONCATENATED MODULE: ./build/js/gateway/body-limit.js
// The answer to a body that is longer than `max-body`. Used by passes.ts, which checks `Content-Length`, and by
// upload.ts, which counts the bytes of chunked bodies.


/** A body turned out to be longer than allowed while it was being forwarded to the app. */
class BodyTooLarge extends Error {
    name = 'BodyTooLarge';
    constructor(maxBytes) {
        super(`the body is longer than the ${maxBytes} bytes of max-body`);
    }
}
function sendTooLarge(visit, maxBytes) {
    sendNotice(visit, describeTooLarge(maxBytes), { connection: 'close' });
}

;// CONCATENATED MODULE: ./build/js/gateway/guard.js
// The first pass: refuses every request that two HTTP implementations could read differently. Node's parser refuses the
// rest (two lengths, bare LF, folded lines, a space before the colon). Used by passes.ts.


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
/** Browsers send about twenty, and a proxy in front adds a few. */
const MAX_FIELDS = 256;
// Fields that frame or route a message. CGI-style servers treat `_` as `-`: they would read `Content_Length` as a
// second one.
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
/** The first reason to refuse this request, or undefined. */
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
    return { status: 505, reason: 'only HTTP/1.0 and HTTP/1.1 are supported' };
}
/** Node limits the size of a head (16 KB), not the number of its fields: thousands of empty fields would pass. */
function checkFieldCount({ request }) {
    if (request.rawHeaders.length <= 2 * MAX_FIELDS)
        return undefined;
    return { status: 431, reason: `a request may have at most ${MAX_FIELDS} header fields` };
}
function checkTarget({ request }) {
    const target = readTarget(request);
    if (!target.startsWith('/'))
        return { status: 400, reason: 'the request target must be a path' };
    // Browsers and many URL libraries read a host name after `//` and `/\`.
    if (/^\/[/\\]/.test(target))
        return { status: 400, reason: 'the path must begin with a single slash' };
    if (target.includes('#'))
        return { status: 400, reason: 'the request target must have no fragment' };
    return undefined;
}
function checkHost({ request }) {
    if (countFields(request.rawHeaders, 'host') === 1)
        return undefined;
    return { status: 400, reason: 'the request must have exactly one Host' };
}
/** Host must be one of the preview's own names: any other name that points here is refused (DNS rebinding). */
function checkOwnHost({ request, address }) {
    if (address?.hosts.has(request.headers.host?.toLowerCase() ?? ''))
        return undefined;
    return { status: 421, reason: 'this Host is not the address of this preview' };
}
function checkAliases({ request }) {
    let hasAlias = false;
    forEachField(request.rawHeaders, name => {
        hasAlias ||= name.includes('_') && FRAMING_FIELDS.has(name.toLowerCase().replaceAll('_', '-'));
    });
    if (!hasAlias)
        return undefined;
    return {
        status: 400,
        reason: 'a header name with an underscore looks like one that frames the message',
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
    return { status: 501, reason: 'the only supported Transfer-Encoding is chunked' };
}
/** RFC 9110, 10.1.1 defines only one expectation. */
function checkExpectation({ request }) {
    const { expect } = request.headers;
    if (expect === undefined || expect.toLowerCase() === '100-continue')
        return undefined;
    return { status: 417, reason: 'the only supported expectation is 100-continue' };
}
function checkUpgradeBody({ request, upgrade }) {
    if (upgrade === undefined)
        return undefined;
    const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers;
    if (Number(length) === 0 && coding === undefined)
        return undefined;
    return { status: 400, reason: 'a request for a WebSocket must have no body' };
}

;// CONCATENATED MODULE: ./build/js/gateway/hidden-request.js
// Finds a request that hides in the body of another one, and the answer to it. Used by upload.ts, where the app may run
// what it leaves of a body as the next request, and by passes.ts.

/**
 * The end of a request line. wasmhub's runtime 0.6.0 begins a request nowhere else (parseRequestHead in its main.js),
 * and takes no line that the frames of a chunked body complete: the line behind it would be no field.
 */
const END_OF_REQUEST_LINE = / HTTP\/\d\.\d\r\n/;
const END_LENGTH = ' HTTP/1.1\r\n'.length;
/** A body contained a request while it was being forwarded to the app. */
class HiddenRequest extends Error {
    name = 'HiddenRequest';
    constructor() {
        super('the body contains the first line of another request');
    }
}
/** Returns a function that gets a body chunk by chunk, and returns true for the chunk that completes a request line. */
function createRequestFinder() {
    let end = '';
    return chunk => {
        const text = end + chunk.toString('latin1');
        end = text.slice(1 - END_LENGTH);
        return END_OF_REQUEST_LINE.test(text);
    };
}
function sendHiddenRequest(visit) {
    const text = 'the body contains the first line of another request, which this app could run. Send the key with it, or encode it\n';
    sendText(visit, 400, text, { connection: 'close' });
}

;// CONCATENATED MODULE: ./build/js/gateway/https-only.js
// The answer to plain HTTP on a port that speaks TLS. Used by passes.ts; such a request never reaches the app.


/**
 * Redirects to the same path of the public address, never to a host that the request names. Only GET and HEAD are
 * redirected: any other request may already have sent a body unencrypted, and should fail visibly.
 */
function sendToHttps(visit) {
    const { request, upgrade, address } = visit;
    const publicUrl = address?.url;
    const mayRepeat = upgrade === undefined && (request.method === 'GET' || request.method === 'HEAD');
    const close = { connection: 'close' };
    if (!mayRepeat || publicUrl?.protocol !== 'https:') {
        sendText(visit, 403, 'only https is supported here\n', close);
        return;
    }
    const location = `${publicUrl.origin}${readTarget(request)}`;
    sendText(visit, 308, `only https is supported here: ${location}\n`, { ...close, location });
}

;// CONCATENATED MODULE: ./build/js/gateway/upstream/weakened-tags.js
// Entity tags that the gateway has weakened. A compressed answer has other bytes than the app's, so its tag is weak
// (RFC 9110, 8.8.1). But some visitors send the tag back in If-Match, where a weak one never matches: the app gets its
// own tag then. Used by compression.ts and proxy.ts.

/** Far more than one visitor has in use at a time. If a tag is forgotten, the app gets the weak one. */
const MAX_TAGS = 2_000;
const MAX_TAG_LENGTH = 256;
/** Fields that the app compares with its own tag. Not If-Range: a part must not be added to compressed bytes. */
const CONDITIONS = ['if-match', 'if-none-match'];
class WeakenedTags {
    /** The app's own tags, which are strong; the one used longest ago first. */
    #strong = new Set();
    /** The tag for the visitor. */
    weaken(tag) {
        if (!tag.startsWith('"'))
            return tag;
        this.#remember(tag);
        return `W/${tag}`;
    }
    /** Changes weakened tags in the conditions of a request back into the app's own. */
    restore(headers) {
        if (this.#strong.size === 0)
            return;
        for (const name of CONDITIONS)
            rewriteFields(headers, name, value => value.replaceAll(/W\/("[^"]*")/g, (weak, tag) => (this.#strong.has(tag) ? tag : weak)));
    }
    /** Whether the visitor has a compressed copy with this tag of the app: a 304 must then have the weakened tag too. */
    isHeldBy(condition, tag) {
        return this.#strong.has(tag) && condition.includes(`W/${tag}`);
    }
    #remember(tag) {
        if (tag.length > MAX_TAG_LENGTH)
            return;
        this.#strong.delete(tag);
        this.#strong.add(tag);
        const [oldest] = this.#strong;
        if (this.#strong.size > MAX_TAGS && oldest !== undefined)
            this.#strong.delete(oldest);
    }
}

;// CONCATENATED MODULE: ./build/js/gateway/upstream/compression.js
// Decides whether an answer of the app is compressed for its visitor, and changes its head. The body is done by
// encoded-answer.ts. Used by answer-relay.ts and proxy.ts.




/** Each takes up to 1 MB. Further answers are sent as they are. */
const MAX_ENCODERS = 32;
/** Statuses without a body, or with a part of one (RFC 9110, 15). */
const NEVER = new Set([204, 205, 206, 304]);
/** Only answers to these are kept by caches, which must learn that the answer varies. */
const CACHEABLE = new Set(['GET', 'HEAD']);
// Whoever sends one of these has signed, hashed or encoded the bytes as they are, or sends a part of them.
const BINDING_FIELDS = new Set([
    'content-digest',
    'content-encoding',
    'content-md5',
    'content-range',
    'digest',
    'repr-digest',
    'signature-input',
]);
/** The compression of one gateway. */
class Compression {
    slots = new EncoderSlots(MAX_ENCODERS);
    tags = new WeakenedTags();
    /** Undefined if the answer is passed on unchanged, whoever asks. `raw`: the app's head. */
    judge(request, status, raw) {
        const fields = readFields(raw);
        if (fields === undefined || NEVER.has(status))
            return undefined;
        const worth = rateMediaType(fields.type);
        if (worth === 'no' || fields.length < MIN_BYTES)
            return undefined;
        const isAsked = request.headers['accept-encoding'] !== undefined;
        if (!isAsked && (worth === 'doubtful' || !CACHEABLE.has(request.method ?? '')))
            return undefined;
        return { coding: this.#choose(request), isDoubtful: worth === 'doubtful' };
    }
    #choose(request) {
        const { 'accept-encoding': accepted, 'cache-control': control = '', range } = request.headers;
        if (accepted === undefined || request.httpVersion === '1.0' || range !== undefined)
            return undefined;
        if (forbidsChange(control) || isForeign(request) || this.slots.areFull)
            return undefined;
        return chooseCoding(String(accepted));
    }
    /** Changes the head of an answer whose body is sent in `coding`. Its length is not known yet. */
    encodeHead(headers, coding) {
        rewriteFields(headers, 'content-length', () => '');
        // A part of the encoded bytes cannot be asked for.
        rewriteFields(headers, 'accept-ranges', () => '');
        rewriteFields(headers, 'etag', tag => this.tags.weaken(tag));
        headers.push('content-encoding', coding);
    }
    /** A 304 names the copy that the visitor has: if that is compressed, its tag was weakened (RFC 9110, 15.4.5). */
    matchTags({ status, headers }, request) {
        if (status !== 304)
            return;
        const { 'if-none-match': held = '' } = request.headers;
        rewriteFields(headers, 'etag', tag => (this.tags.isHeldBy(held, tag) ? this.tags.weaken(tag) : tag));
    }
}
/** `Vary`, so that a cache gives no visitor a coding that it has not asked for (RFC 9110, 12.5.5). */
function addVary(headers) {
    let varies = false;
    forEachField(headers, (name, value) => {
        varies ||= name.toLowerCase() === 'vary' && /(?:^|,)\s*(?:\*|accept-encoding)\s*(?:,|$)/i.test(value);
    });
    if (varies)
        return;
    let hasField = false;
    rewriteFields(headers, 'vary', value => {
        if (hasField || value.trim() === '')
            return value;
        hasField = true;
        return `${value}, Accept-Encoding`;
    });
    if (!hasField)
        headers.push('vary', 'Accept-Encoding');
}
/** Type and length, which is infinite if it is not known; undefined if another field forbids any change. */
function readFields(raw) {
    let [type, length, isBound] = ['', Number.POSITIVE_INFINITY, false];
    forEachField(raw, (name, value) => {
        const key = name.toLowerCase();
        if (key === 'content-type')
            type = value;
        else if (key === 'content-length')
            length = Number(value);
        else if (BINDING_FIELDS.has(key) || (key === 'cache-control' && forbidsChange(value)))
            isBound = true;
        else if (key === 'trailer' && announcesBinding(value))
            isBound = true;
    });
    return isBound ? undefined : { type, length };
}
/** The hash of a streamed body comes behind it (RFC 9530, 2 and 3). */
function announcesBinding(trailer) {
    return trailer.split(',').some(name => BINDING_FIELDS.has(name.trim().toLowerCase()));
}
/** RFC 9111, 5.2.1.6 and 5.2.2.6. */
function forbidsChange(cacheControl) {
    return /(?:^|[,\s])no-transform(?:$|[,\s])/i.test(cacheControl);
}
/**
 * Whether a page of another site made the browser send this request. Such a page can choose a part of the answer, and
 * learn from its compressed length what else is in it (BREACH). It could not make a person click for each try, so a
 * page load after a click is not such a request. Browsers send these fields over https only; over http, an attacker can
 * read the answer itself.
 */
function isForeign({ headers }) {
    const site = headers['sec-fetch-site'];
    if (site !== 'cross-site' && site !== 'same-site')
        return false;
    const { 'sec-fetch-dest': destination, 'sec-fetch-user': byUser } = headers;
    return destination !== 'document' || byUser !== '?1';
}

;// CONCATENATED MODULE: ./build/js/gateway/upstream/waiting-heads.js
// Heads of answers that wait for the first chunk of their body, so that both are sent in one write. Two small writes
// take 44 ms through bore (Nagle at the server meets a delayed ACK at the visitor). Used by answer-relay.ts.
/** A first chunk up to this size is written as text, because Node then sends head and chunk in one write. */
const TEXT_BYTES = 4_096;
/** Writes the first chunk of a body. */
function writeFirst(response, chunk) {
    return chunk.length <= TEXT_BYTES
        ? response.write(chunk.toString('latin1'), 'latin1')
        : response.write(chunk);
}
/** Ends an answer with the last chunk of its body, which may be the first one. */
function endWith(response, chunk) {
    if (chunk.length <= TEXT_BYTES)
        response.end(chunk.toString('latin1'), 'latin1');
    else
        response.end(chunk);
}
/** How long a head waits for its body. */
const HEAD_WAIT_MS = 5;
/** All heads share one timer: a timer for each answer would cost more time than parsing the answer. */
class WaitingHeads {
    /** Each waiting answer → since when (performance.now()); the oldest first. */
    #since = new Map();
    #timer;
    /** Sends the head after HEAD_WAIT_MS, unless `delete` is called before. */
    add(response) {
        this.#since.set(response, performance.now());
        this.#timer ??= setTimeout(() => this.#flush(), HEAD_WAIT_MS);
    }
    /** To be called when the body has begun, or never will. */
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

;// CONCATENATED MODULE: ./build/js/gateway/upstream/encoded-answer.js
// Compresses the body of one answer, piece by piece. Nothing waits for more: what the app has sent is encoded and
// passed on as soon as the encoder is free. Used by answer-relay.ts.



/** A body that has come whole and is not longer is encoded at once (see compressAtOnce). */
const encoded_answer_AT_ONCE_BYTES = 16 * 1024;
/** How much may wait for the encoder before the app is paused. */
const MAX_WAITING_BYTES = 64 * 1024;
class EncodedAnswer {
    #options;
    #waiting = [];
    #waitingBytes = 0;
    #trailers;
    /** Undefined until the head is written. */
    #form;
    #hasWritten = false;
    #encoder;
    #output = [];
    /** While bytes are encoded, or wait for a visitor who reads slowly. */
    #isBusy = false;
    #isScheduled = false;
    #isClosed = false;
    #endWork = () => { };
    #giveBack;
    constructor(options) {
        this.#options = options;
        this.#giveBack = options.slots.take();
    }
    /** False: stop sending until `onReady` is called. */
    write(chunk) {
        if (this.#form === 'plain')
            return this.#options.response.write(chunk);
        this.#waiting.push(chunk);
        this.#waitingBytes += chunk.length;
        this.#schedule();
        return this.#waitingBytes < MAX_WAITING_BYTES;
    }
    end(trailers) {
        this.#trailers = trailers;
        if (this.#form === 'plain')
            this.#finish(Buffer.alloc(0));
        else
            this.#schedule();
    }
    /** Sends the head without waiting for the body. */
    flushHeaders() {
        this.#attempt(() => {
            if (this.#form === undefined)
                this.#begin(this.#options.isDoubtful ? 'plain' : 'encoded');
            this.#options.response.flushHeaders();
        });
    }
    /** To be called when the visitor has read what was written. */
    drained() {
        if (this.#form === 'plain')
            this.#options.onReady();
        else
            this.#attempt(() => this.#goOn());
    }
    /** To be called when the answer has ended, however it did. May be called twice. */
    close() {
        if (this.#isClosed)
            return;
        this.#isClosed = true;
        this.#encoder?.destroy();
        this.#endWork();
        this.#giveBack();
    }
    /** What comes in one read of the app's connection is encoded together. */
    #schedule() {
        if (this.#isBusy || this.#isScheduled)
            return;
        this.#isScheduled = true;
        queueMicrotask(() => {
            this.#isScheduled = false;
            this.#attempt(() => this.#advance());
        });
    }
    /** An exception fails this one answer, not the whole preview: nobody above catches it. */
    #attempt(act) {
        try {
            act();
        }
        catch (error) {
            this.#options.response.destroy(error instanceof Error ? error : new Error(String(error)));
        }
    }
    #advance() {
        if (this.#isBusy || this.#isClosed)
            return;
        const isLast = this.#trailers !== undefined;
        if (this.#waiting.length === 0 && !isLast)
            return;
        const bytes = this.#takeWaiting();
        if (this.#form === undefined && !this.#decide(bytes, isLast))
            return;
        this.#encode(bytes, isLast);
    }
    #takeWaiting() {
        const [first = Buffer.alloc(0)] = this.#waiting;
        const bytes = this.#waiting.length > 1 ? Buffer.concat(this.#waiting) : first;
        this.#waiting = [];
        this.#waitingBytes = 0;
        return bytes;
    }
    /** Chooses the form of the body by its beginning. False: `bytes` have been sent. */
    #decide(bytes, isLast) {
        const { coding, isDoubtful, writeHead } = this.#options;
        if (isLast && bytes.length < MIN_BYTES)
            return this.#sendPlain(bytes);
        if (isDoubtful && !savesEnough(bytes))
            return this.#sendPlain(bytes);
        if (!isLast || bytes.length > encoded_answer_AT_ONCE_BYTES) {
            this.#begin('encoded');
            return true;
        }
        const encoded = compressAtOnce(coding, 'fast', bytes);
        if (encoded.length >= bytes.length)
            return this.#sendPlain(bytes);
        this.#form = 'encoded';
        writeHead(coding, encoded.length);
        this.#finish(encoded);
        return false;
    }
    #begin(form) {
        this.#form = form;
        this.#options.writeHead(form === 'encoded' ? this.#options.coding : undefined);
        if (form === 'plain')
            this.#giveBack();
    }
    #sendPlain(bytes) {
        this.#begin('plain');
        if (this.#trailers !== undefined)
            this.#finish(bytes);
        else if (writeFirst(this.#options.response, bytes))
            this.#options.onReady();
        return false;
    }
    #encode(bytes, isLast) {
        this.#isBusy = true;
        this.#encoder ??= this.#open();
        const encoder = this.#encoder;
        this.#options.slots.work(done => {
            if (this.#isClosed)
                return done();
            this.#endWork = done;
            const deliver = () => this.#attempt(() => this.#deliver(isLast));
            if (isLast)
                encoder.once('end', deliver).end(bytes);
            else
                encoder.write(bytes, deliver);
        });
        // The app sends on while these bytes are encoded.
        this.#options.onReady();
    }
    #open() {
        const encoder = openEncoder(this.#options.coding, 'fast');
        encoder.on('data', (chunk) => this.#output.push(chunk));
        // What has been sent must not look complete.
        encoder.on('error', () => this.#options.response.destroy());
        return encoder;
    }
    #deliver(isLast) {
        this.#endWork();
        if (this.#isClosed)
            return;
        const bytes = Buffer.concat(this.#output);
        this.#output = [];
        if (isLast) {
            this.#finish(bytes);
            return;
        }
        const isFirst = !this.#hasWritten;
        this.#hasWritten = true;
        const { response } = this.#options;
        if (isFirst ? writeFirst(response, bytes) : response.write(bytes))
            this.#goOn();
    }
    #goOn() {
        this.#isBusy = false;
        this.#advance();
    }
    #finish(bytes) {
        const { response } = this.#options;
        const trailers = this.#trailers ?? [];
        if (trailers.length > 0)
            response.addTrailers(trailers);
        endWith(response, bytes);
        this.close();
    }
}

;// CONCATENATED MODULE: ./build/js/gateway/upstream/headers.js
// Decides which header fields pass the gateway. Fields about one connection do not, forwarding fields are replaced by our
// own, and names.ts maps the fields that name the preview. Used by proxy.ts, answer-relay.ts and upgrade.ts. Pure.


// RFC 9110, 7.6.1, with the older ones of RFC 2616, 13.5.1. They describe one connection and must not be forwarded.
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
// Replaced by our own values, or handled by the gateway: the app must not trust what a visitor claims about itself.
// `Trailer` is removed because undici cannot send the trailers of a request. The two `-url` fields make some frameworks
// serve a path other than the requested one, for which access.ts might have required a key.
const NOT_FROM_VISITORS = new Set([
    'expect',
    'forwarded',
    'host',
    'trailer',
    'x-original-url',
    'x-real-ip',
    'x-rewrite-url',
]);
// A trailer must not change the framing, routing or cookies of the head (RFC 9110, 6.5.1).
const NOT_IN_TRAILERS = new Set(['content-length', 'host', 'set-cookie', 'trailer']);
/** The head for the app. There is no `X-Forwarded-For`, because bore does not pass on the visitor's IP address. */
function renderRequestHeaders(raw, names) {
    const headers = ['host', names.host];
    const isHopByHop = findHopByHop(raw);
    forEachField(raw, (name, value) => {
        const key = name.toLowerCase();
        // CGI-style servers cannot distinguish X_Forwarded_Host from X-Forwarded-Host.
        const alias = key.replaceAll('_', '-');
        if (isHopByHop(key) || NOT_FROM_VISITORS.has(alias) || alias.startsWith('x-forwarded-'))
            return;
        const mapped = names.toApp(key, value);
        if (mapped !== undefined)
            headers.push(name, mapped);
    });
    headers.push(...names.forwardedFields);
    return headers;
}
/** The head for the visitor. `keepsTrailer`: whether the answer is sent chunked, the only form with trailers. */
function renderResponseHeaders(raw, names, { status, keepsTrailer }) {
    const isHopByHop = findHopByHop(raw);
    const headers = [];
    forEachField(raw, (name, value) => {
        const key = name.toLowerCase();
        if (isHopByHop(key) || (key === 'trailer' && !keepsTrailer))
            return;
        // RFC 9110, 8.6: these answers have no length, and some clients would wait for that many bytes.
        if (key === 'content-length' && (status === 204 || status < 200))
            return;
        const mapped = names.toVisitor(key, value);
        const shown = names.isPlain && key === 'content-security-policy' ? dropUpgrade(mapped) : mapped;
        if (shown !== '' || value === '')
            headers.push(name, shown);
    });
    return headers;
}
/** Trailers as `[name, value]` pairs, without fields that are not allowed there. */
function renderTrailers(raw, names) {
    const trailers = [];
    forEachField(raw, (name, value) => {
        const key = name.toLowerCase();
        if (!HOP_BY_HOP.has(key) && !NOT_IN_TRAILERS.has(key))
            trailers.push([name, names.toVisitor(key, value)]);
    });
    return trailers;
}
function findHopByHop(raw) {
    const named = new Set();
    forEachField(raw, (name, value) => {
        if (name.toLowerCase() !== 'connection')
            return;
        for (const option of value.split(','))
            named.add(option.trim().toLowerCase());
    });
    return key => HOP_BY_HOP.has(key) || named.has(key);
}

;// CONCATENATED MODULE: ./build/js/gateway/upstream/answer-relay.js
// Relays one answer of the app to one visitor, piece by piece as undici reads it. Used by proxy.ts and upgrade.ts.






class AnswerRelay {
    response;
    names;
    onNoAnswer;
    /** Whether any byte of an answer has come. */
    hasBegun = false;
    #visit;
    #compression;
    #isHttp11;
    #hasBody;
    #bodyHasBegun = false;
    /** Set if the body is compressed. */
    #encoded;
    #controller;
    /**
     * `onNoAnswer` is called at most once: if the app's answer has not begun, and the visitor still waits for one.
     * Without `compression`, the answer is passed on as it is.
     */
    constructor(visit, names, onNoAnswer, compression) {
        const { request, response } = visit;
        this.response = response;
        this.names = names;
        this.#visit = visit;
        this.#compression = compression;
        this.#isHttp11 = request.httpVersion === '1.1';
        this.#hasBody = request.method !== 'HEAD';
        this.onNoAnswer = onNoAnswer;
        response.once('close', () => this.#endWithVisitor());
        response.on('drain', () => (this.#encoded === undefined ? this.#resume() : this.#encoded.drained()));
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
        const raw = decodeFields(controller.rawHeaders);
        if (status < 200) {
            this.#passInterim(status, raw);
            return;
        }
        const isChunked = this.#isHttp11 &&
            this.#hasBody &&
            status !== 204 &&
            status !== 304 &&
            countFields(raw, 'content-length') === 0;
        const headers = renderResponseHeaders(raw, this.names, { status, keepsTrailer: isChunked });
        for (const [name, value] of this.#visit.ownHeaders)
            headers.push(name, value);
        this.#begin({ status, reason, headers }, this.#compression?.judge(this.#visit.request, status, raw));
    }
    onResponseData(controller, chunk) {
        waitingHeads.delete(this.#encoded ?? this.response);
        if (!this.#write(chunk))
            controller.pause();
    }
    onResponseEnd(controller) {
        waitingHeads.delete(this.#encoded ?? this.response);
        const trailers = renderTrailers(decodeFields(controller.rawTrailers), this.names);
        if (this.#encoded !== undefined) {
            this.#encoded.end(trailers);
            return;
        }
        if (trailers.length > 0)
            this.response.addTrailers(trailers);
        this.response.end();
    }
    onResponseError(_, error) {
        waitingHeads.delete(this.#encoded ?? this.response);
        if (this.response.destroyed)
            return;
        // An incomplete answer must not look complete: without the end of its framing, the visitor notices that it is not.
        if (this.response.headersSent || this.#encoded !== undefined)
            this.response.destroy();
        else
            this.onNoAnswer(error);
    }
    /** Passes on 102 and 103. HTTP/1.0 has no interim responses (RFC 9110, 15.2). Failures are ignored. */
    #passInterim(status, raw) {
        if (!this.#isHttp11 || this.response.headersSent)
            return;
        try {
            const headers = renderResponseHeaders(raw, this.names, { status, keepsTrailer: false });
            this.response.writeInformation?.(status, headers);
        }
        catch {
            // Node refuses some fields and statuses. The final answer must not fail because of that.
        }
    }
    /** Writes the head, or leaves that to `#encoded`. */
    #begin(head, eligible) {
        const { coding, isDoubtful = false } = eligible ?? {};
        if (eligible !== undefined)
            addVary(head.headers);
        if (this.#compression === undefined || coding === undefined)
            this.#compression?.matchTags(head, this.#visit.request);
        else if (this.#hasBody)
            this.#encoded = this.#encode(head, coding, isDoubtful, this.#compression);
        // Without a body there is no sample, so nobody knows what an answer to GET would be.
        else if (!isDoubtful)
            this.#compression.encodeHead(head.headers, coding);
        if (this.#encoded === undefined)
            this.#writeHead(head);
        waitingHeads.add(this.#encoded ?? this.response);
    }
    #encode(head, coding, isDoubtful, compression) {
        const hasLength = countFields(head.headers, 'content-length') > 0;
        return new EncodedAnswer({
            response: this.response,
            coding,
            isDoubtful,
            slots: compression.slots,
            writeHead: (chosen, length) => {
                if (chosen !== undefined)
                    compression.encodeHead(head.headers, chosen);
                if (hasLength && length !== undefined)
                    head.headers.push('content-length', String(length));
                this.#writeHead(head);
            },
            onReady: () => this.#resume(),
        });
    }
    #writeHead({ status, reason, headers }) {
        if (isOwnReason(status, reason))
            this.response.writeHead(status, reason, headers);
        else
            this.response.writeHead(status, headers);
    }
    #write(chunk) {
        if (this.#encoded !== undefined)
            return this.#encoded.write(chunk);
        const isFirst = !this.#bodyHasBegun;
        this.#bodyHasBegun = true;
        return isFirst ? writeFirst(this.response, chunk) : this.response.write(chunk);
    }
    #resume() {
        this.#controller?.resume();
    }
    #endWithVisitor() {
        waitingHeads.delete(this.#encoded ?? this.response);
        this.#encoded?.close();
        if (!this.response.writableFinished)
            this.#controller?.abort(new Error('the visitor is gone'));
    }
}
/**
 * Whether the app's reason phrase differs from the usual one. If a status line comes in several packets, undici has
 * only the last part of the phrase: so the end of the usual phrase counts as the usual one.
 */
function isOwnReason(status, reason) {
    return /^[\t\x20-\x7e]+$/.test(reason) && external_node_http_.STATUS_CODES[status]?.endsWith(reason) !== true;
}

;// CONCATENATED MODULE: ./build/js/gateway/upstream/names.js
// The names of the preview on both sides of the gateway: what the app sees as its own address, and how the addresses in
// its answers are mapped back. Which rule applies is chosen at each start of the app (app/host-header/). Used by
// headers.ts, for every request. Pure.
//
// The app must see one address: programs compare `Host` with `Origin`, `Referer` or `X-Forwarded-Host`, and refuse
// their own page if these differ (RFC 6455, 10.2; the CSRF checks of Django, SvelteKit, Next.js and others).

/** The names for one visit. */
function chooseNames({ request, address }, app) {
    const { host = '', origin = '' } = request.headers;
    // Behind a proxy that writes a Host of its own, only Origin contains the address that the visitor uses.
    const visited = address?.origins.has(origin) ? origin : address?.hosts.get(host.toLowerCase());
    return visited !== undefined && app.hostHeader === 'preserve'
        ? new PublicNames(visited)
        : new LocalNames(renderAppAuthority(app), address, visited);
}
/** `preserve`: the app sees the public address, so nothing needs to be mapped. */
class PublicNames {
    host;
    forwardedFields;
    isPlain;
    constructor(origin) {
        const scheme = origin.slice(0, origin.indexOf(':'));
        this.isPlain = scheme === 'http';
        this.host = readAuthority(origin);
        const port = /:(\d+)$/.exec(this.host)?.[1] ?? (this.isPlain ? '80' : '443');
        this.forwardedFields = [
            ...['x-forwarded-host', this.host],
            ...['x-forwarded-proto', scheme],
            // Tomcat takes the port from here, and otherwise assumes the scheme's default.
            ...['x-forwarded-port', port],
        ];
    }
    toApp(_, value) {
        return value;
    }
    toVisitor(_, value) {
        return value;
    }
}
/**
 * `rewrite`: the app sees `http://localhost:PORT`, an origin that the gateway invents (for a service on another machine,
 * `http://redis:6379`). There are no forwarding fields: an app that trusts them would expect another `Origin` than it
 * gets.
 */
class LocalNames {
    host;
    forwardedFields = [];
    isPlain;
    #address;
    #visited;
    constructor(host, address, visited) {
        this.host = host;
        this.#address = address;
        this.#visited = visited;
        this.isPlain = visited?.startsWith('http:') === true;
    }
    toApp(key, value) {
        if (key === 'origin')
            return this.#mapSource(value, 'null');
        // WebDAV servers compare the host of Destination with their own (RFC 4918, 10.3).
        if (key === 'referer' || key === 'destination')
            return this.#mapSource(value, undefined);
        return value;
    }
    toVisitor(key, value) {
        const map = ANSWER_FIELDS.get(key);
        if (map === undefined || this.#visited === undefined)
            return value;
        return map(value, { local: this.host.toLowerCase(), visited: this.#visited });
    }
    /**
     * Replaces the preview's own origin at the start of the URL. Other origins stay as they are, so that the app can
     * refuse them. An origin that the app would take for its own, a page at the same port of the visitor's own machine,
     * becomes `disguised`, which any page can make its browser send: so such a page gains nothing.
     */
    #mapSource(value, disguised) {
        const start = ORIGIN.exec(value)?.[0] ?? '';
        if (this.#address?.origins.has(start.toLowerCase()))
            return `http://${this.host}${value.slice(start.length)}`;
        return this.#namesApp(value) ? disguised : value;
    }
    #namesApp(source) {
        const url = URL.parse(source);
        // The default port depends on the scheme, which some apps ignore.
        return url !== null && url.host === URL.parse(`${url.protocol}//${this.host}`)?.host;
    }
}
const ORIGIN = /^https?:\/\/[^/?#]*/i;
/** The fields of an answer in which apps name their own address. */
const ANSWER_FIELDS = new Map([
    ['location', mapUrl],
    ['content-location', mapUrl],
    ['refresh', mapRefresh],
    ['link', mapLinks],
    ['set-cookie', dropDomain],
    ['access-control-allow-origin', mapUrl],
    ['content-security-policy', mapSources],
    ['content-security-policy-report-only', mapSources],
]);
/** Scheme and authority; what follows is `/`, `?`, `#` or nothing, so that no longer name can begin with ours. */
const URL_START = /^(https?:)?\/\/([^/?#]*)/i;
/** A URL with exactly the authority that the gateway invented gets the visitor's origin; all others stay unchanged. */
function mapUrl(url, { local, visited }) {
    const [start = '', scheme, authority] = URL_START.exec(url) ?? [];
    if (authority?.toLowerCase() !== local)
        return url;
    return `${scheme === undefined ? `//${readAuthority(visited)}` : visited}${url.slice(start.length)}`;
}
/** Seconds, then `url=` and the URL, which may be quoted (HTML Standard, 4.2.5.3). */
const REFRESH = /^([\d.\s]*[;,\s]\s*(?:url\s*=\s*)?)(?:(["'])(.*?)(?=\2|$)|(.*)$)/i;
function mapRefresh(value, mapping) {
    return value.replace(REFRESH, (_, before, quote = '', quoted, plain = '') => [before, quote, mapUrl(quoted ?? plain, mapping)].join(''));
}
/**
 * A quoted parameter, which is passed over, or a target in angle brackets (RFC 8288, 3). No URL contains `<`: otherwise
 * many of them would take quadratic time, and apps put the visitor's own text into links to the next page.
 */
const LINK_PART = /"(?:[^"\\]|\\.)*"?|<([^<>]*)>/g;
function mapLinks(value, mapping) {
    return value.replace(LINK_PART, (part, target) => target === undefined ? part : `<${mapUrl(target, mapping)}>`);
}
/** Browsers end the value of a cookie at the first semicolon, quoted or not (RFC 6265, 5.2). */
const DOMAIN = /;\s*domain\s*=\s*\.?([^;]*)/gi;
/** Without the attribute, the cookie belongs to the host that the visitor sees (RFC 6265, 5.3). */
function dropDomain(cookie, { local }) {
    const host = local.replace(/:\d+$/, '');
    return cookie.replace(DOMAIN, (attribute, domain) => domain.trim().toLowerCase() === host ? '' : attribute);
}
/** Host sources of a policy, with their delimiters (CSP 3, 2.3.1). */
const SOURCE = /(?<=^|[\s;,])(?:(http|ws)s?:\/\/)?([^\s;,/]+)(?=[\s;,/]|$)/gi;
function mapSources(policy, { local, visited }) {
    if (!policy.toLowerCase().includes(local))
        return policy;
    return policy.replace(SOURCE, (source, scheme, host) => {
        if (host.toLowerCase() !== local)
            return source;
        if (scheme === undefined)
            return readAuthority(visited);
        return scheme.toLowerCase() === 'ws' ? visited.replace('http', 'ws') : visited;
    });
}
function readAuthority(origin) {
    return origin.slice(origin.indexOf('//') + 2);
}

;// CONCATENATED MODULE: ./build/js/gateway/upstream/upload.js
// Streams the body of a request to the app. Used by proxy.ts.



/**
 * Returns a stream that reads the request's body only as fast as the app does. It is separate from the request because
 * undici destroys its body when the app answers before the upload has ended. Then the rest of the upload is read and
 * dropped, because the visitor may not read the answer before it has sent everything. If the visitor leaves, the app's
 * request ends, and this stream with it (see answer-relay.ts).
 *
 * A visitor who sent `Expect: 100-continue` gets its 100 once the app is connected. If the app cannot be reached, the
 * visitor gets an answer without sending the body. The 100 does not come from the app, because undici does not send the
 * head before the first chunk of the body.
 *
 * If the body is longer than `maxBodyBytes`, the app's request fails with BodyTooLarge. It fails with HiddenRequest if
 * the app could run a part of the body as a request that the visitor may not make; the chunk that would complete it does
 * not reach the app. If an answer has begun, that is cut off.
 */
function openUpload(visit, { address, maxBodyBytes }) {
    const { request, response, awaitsContinue } = visit;
    const hidesRequest = address.leavesBodies && visit.isPublicOnly ? createRequestFinder() : () => false;
    let hasContinued = !awaitsContinue;
    let left = maxBodyBytes;
    const body = new external_node_stream_.Readable({
        read() {
            if (!hasContinued)
                response.writeContinue();
            hasContinued = true;
            request.resume();
        },
        destroy(error, done) {
            request.resume();
            done(error);
        },
    });
    const onData = (chunk) => {
        left -= chunk.length;
        if (left < 0)
            refuse(new BodyTooLarge(maxBodyBytes));
        else if (body.destroyed)
            return;
        else if (hidesRequest(chunk))
            refuse(new HiddenRequest());
        else if (!body.push(chunk))
            request.pause();
    };
    const refuse = (reason) => {
        request.off('data', onData);
        if (body.destroyed)
            response.destroy();
        else
            body.destroy(reason);
    };
    request.on('data', onData).pause();
    request.once('end', () => body.destroyed || body.push(null));
    // After the answer, linger.ts counts the bytes.
    response.once('prefinish', () => request.off('data', onData));
    return body;
}

;// CONCATENATED MODULE: ./build/js/gateway/upstream/proxy.js
// Streams a request to the app, and the answer to the visitor. Used by the last pass (passes.ts), and by upgrade.ts.






/** The methods that may reach the app twice without harm (RFC 9110, 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);
/** An idle connection that the app is closing breaks at once. Later, the app has worked on the request. */
const TRY_AGAIN_MS = 1_000;
/** Relays the app's answer to the visitor, or calls `onNoAnswer`. Ends the app's request if the visitor leaves. */
function forwardRequest(visit, route) {
    const names = chooseNames(visit, route.address);
    const request = describeRequest(visit, route, names);
    const { compression } = route;
    const begun = performance.now();
    const onNoAnswer = (error) => {
        const isEarly = !relay.hasBegun && performance.now() - begun < TRY_AGAIN_MS;
        const mayAgain = isEarly && mayTryAgain(visit.request, error);
        const again = mayAgain ? route.link.selectFresh(route.address) : undefined;
        if (again === undefined)
            route.onNoAnswer(error);
        else
            again.dispatch(request, new AnswerRelay(visit, names, route.onNoAnswer, compression));
    };
    const relay = new AnswerRelay(visit, names, onNoAnswer, compression);
    const kept = route.link.select(route.address);
    // After a body that the app may not have read, the connection is not used again.
    const once = route.address.leavesBodies && hasBody(visit.request);
    const connections = once ? (route.link.selectFresh(route.address) ?? kept) : kept;
    connections.dispatch(request, relay);
}
/** The request for the app: the target unchanged, a head of our own, the body streamed. */
function describeRequest(visit, route, names) {
    const { request } = visit;
    const headers = renderRequestHeaders(request.rawHeaders, names);
    if (request.headers.range === undefined)
        route.compression?.tags.restore(headers);
    return {
        method: request.method ?? 'GET',
        path: readTarget(request),
        headers,
        body: hasBody(request) ? openUpload(visit, route) : null,
    };
}
/** The app may close an idle connection at the moment we send on it; the visitor should not notice. */
function mayTryAgain(request, error) {
    return (IDEMPOTENT.has(request.method ?? '') &&
        !hasBody(request) &&
        (0,errors/* hasCode */.up)(error, 'UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'));
}

;// CONCATENATED MODULE: ./build/js/gateway/upstream/upgrade.js
// WebSockets: forwards the upgrade to the app, and joins the two connections only after its 101. Used by the last pass
// (passes.ts).





/** How long one side may go on after the other has ended; a WebSocket's closing handshake takes less. */
const HALF_CLOSED_MS = 30_000;
/** A visitor who has ended its stream has usually left. After that, the app may pause this long between two chunks. */
const VISITOR_LEFT_MS = 1_000;
/** What a visitor may send before the app's 101; it should send nothing (RFC 6455, 4.1). */
const MAX_EARLY_BYTES = 64 * 1024;
/** An answer other than 101 is relayed as for an ordinary request, and then the connection is closed. */
function forwardUpgrade(visit, upgrade, route) {
    const names = chooseNames(visit, route.address);
    const request = { ...describeRequest(visit, route, names), upgrade: 'websocket' };
    const early = new EarlyBytes(visit, upgrade);
    const relay = new UpgradeRelay(visit, names, { upgrade, early, onNoAnswer: route.onNoAnswer });
    route.link.select(route.address).dispatch(request, relay);
}
/**
 * Reads a visitor's stream until it is joined with the app's: otherwise the gateway would not notice that the visitor
 * leaves, and the app's request would continue. If a visitor ends its stream, or sends more than MAX_EARLY_BYTES, its
 * connection is closed unless the app answers soon.
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
        // If a complete answer was sent, the stream ends by itself.
        this.#giveUp = () => {
            if (!response.writableEnded)
                socket.destroy();
        };
        socket.on('data', this.#onData).once('end', this.#onEnd);
        socket.once('close', () => clearTimeout(this.#timer));
    }
    /** The bytes so far; from now on the caller reads the stream. */
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
    #upgrade;
    #early;
    constructor(visit, names, options) {
        super(visit, names, options.onNoAnswer);
        this.#upgrade = options.upgrade;
        this.#early = options.early;
    }
    onRequestUpgrade(controller, _, headers, app) {
        const { socket } = this.#upgrade;
        app.on('error', ignore);
        if (socket.destroyed) {
            app.destroy();
            return;
        }
        if (String(headers.upgrade).toLowerCase() !== 'websocket') {
            app.destroy();
            this.onNoAnswer(new Error('the app switched to a protocol that was not requested'));
            return;
        }
        this.#upgrade.detachResponse();
        socket.write(renderSwitch(decodeFields(controller.rawHeaders), this.names), 'latin1');
        const early = this.#early.take();
        if (early.length > 0)
            app.write(early);
        joinStreams(socket, app);
    }
}
function renderSwitch(raw, names) {
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'];
    const fields = renderResponseHeaders(raw, names, { status: 101, keepsTrailer: false });
    forEachField(fields, (name, value) => lines.push(`${name}: ${value}`));
    return `${lines.join('\r\n')}\r\n\r\n`;
}
/**
 * Pipes both ways. Passes on the end of one direction. If a stream breaks, destroys the other. If the visitor's stream
 * has ended, destroys both once the app has been silent for a while.
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
            // The app no longer reads what the visitor sends. Read on, to notice when the visitor leaves.
            else if (from === app)
                visitor.resume();
        });
    }
}
function ignore() { }

;// CONCATENATED MODULE: ./build/js/gateway/passes.js
// Everything that happens to a request. Each step is one function, a pass; two lists give their order. Run by
// gateway.ts.













/** A page that takes longer is work, not a click. */
const LONG_WORK_MS = 10_000;
/** The passes for each request: over TLS if the gateway has a certificate, otherwise over plain HTTP. */
const PASSES = [
    refuseMalformed,
    answerProbe,
    checkAccess,
    clearSiteData,
    removeOwnCookies,
    refuseOwnPath,
    countVisit,
    refuseLargeBody,
    answerWhileAway,
    forwardToApp,
];
/** The passes for each request over plain HTTP if the gateway has a certificate. */
const PLAIN_PASSES = [refuseMalformed, redirectToHttps];
/**
 * Refuses with 4xx or 5xx what two HTTP implementations could read differently (see guard.ts), and closes the
 * connection. Drops the requests behind it in the same packet, because Node still emits them.
 */
function refuseMalformed(visit, { rejectedConnections }) {
    const { socket } = visit.request;
    if (rejectedConnections.has(socket))
        return true;
    const refusal = findRefusal(visit);
    if (refusal === undefined)
        return false;
    rejectedConnections.add(socket);
    const allow = refusal.status === 405 ? { allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' } : {};
    sendText(visit, refusal.status, `${refusal.reason}\n`, { connection: 'close', ...allow });
    return true;
}
/**
 * Answers the address check of exposure/, which needs no key. Closes the connection after the answer: otherwise an
 * unauthenticated visitor could fill our buffers with answers that it does not read.
 */
function answerProbe(visit, { proofKey }) {
    const proof = readProof(visit.request, proofKey);
    if (proof === undefined)
        return false;
    sendText(visit, 200, proof, { connection: 'close' });
    return true;
}
/**
 * Refuses with 401 a request without the key or password, and with 403 one that another site has caused. Answers the
 * sign-in. Removes the key and the password from requests that are let in.
 */
function checkAccess(visit, { access }) {
    return access.check(visit);
}
/**
 * Adds `Clear-Site-Data` to the first page of a browser over https, because an earlier preview may have had the
 * address.
 */
function clearSiteData(visit, { siteData }) {
    siteData.addFields(visit);
    return false;
}
/** Removes the gateway's own cookies from the request. */
function removeOwnCookies({ request }) {
    dropOwnCookies(request);
    return false;
}
/** Answers 404 for any other path under /__expose; none of these requests reaches the app. */
function refuseOwnPath(visit) {
    if (!isOwnPath(readPath(visit.request)))
        return false;
    sendText(visit, 404, 'not found\n');
    return true;
}
/** Counts the request; never answers it. */
function countVisit(_, { tally }) {
    tally.visits += 1;
    tally.lastVisitAt = new Date();
    return false;
}
/** Refuses with 413 a `Content-Length` above `max-body`, before a 100 (Continue). upload.ts counts chunked bodies. */
function refuseLargeBody(visit, { maxBodyBytes }) {
    // Node's parser accepts only digits.
    if (Number(visit.request.headers['content-length'] ?? 0) <= maxBodyBytes)
        return false;
    sendTooLarge(visit, maxBodyBytes);
    return true;
}
/** Answers 502 or 503, with `Retry-After`, while the app is not running. */
function answerWhileAway(visit, { link }) {
    if (visit.app.status === 'running')
        return false;
    void link.forget();
    sendNotice(visit, describeAway(visit.app));
    return true;
}
/** Forwards the request, or the upgrade to WebSocket, to the app; answers 502 or 504 if the app gives no answer. */
function forwardToApp(visit, context) {
    if (visit.app.status !== 'running')
        return false;
    const { upstream } = visit.app;
    if (upstream.kind === 'handler') {
        for (const [name, value] of visit.ownHeaders)
            visit.response.appendHeader(name, value);
        upstream.handle(visit.request, visit.response, status => sendNotice(visit, describeFile(status)));
        return true;
    }
    const { link, maxBodyBytes, compression } = context;
    const begun = performance.now();
    const onNoAnswer = (error) => answerForApp(visit, context, error, performance.now() - begun);
    const route = { link, address: upstream, maxBodyBytes, compression, onNoAnswer };
    if (visit.upgrade === undefined)
        forwardRequest(visit, route);
    else
        forwardUpgrade(visit, visit.upgrade, route);
    return true;
}
/** Redirects GET and HEAD to https, and refuses anything else with 403. */
function redirectToHttps(visit) {
    sendToHttps(visit);
    return true;
}
/**
 * Sends the gateway's own answer, because the app gave none. If the app has worked on the request for long, the page
 * does not reload by itself: that would start the work again, which may have ended the app.
 */
function answerForApp(visit, { readApp, maxBodyBytes, logger }, error, workedMs) {
    if (error instanceof BodyTooLarge) {
        sendTooLarge(visit, maxBodyBytes);
        return;
    }
    if (error instanceof HiddenRequest) {
        sendHiddenRequest(visit);
        return;
    }
    logger.debug(`no answer to ${describeVisit(visit)}: ${sanitise((0,errors/* describeError */.Uc)(error))}`);
    const app = readApp();
    const notice = app.status === 'running' ? describeNoAnswer(error) : describeAway(app);
    sendNotice(visit, workedMs < LONG_WORK_MS ? notice : withoutReload(notice));
}
/** Method and path, fit for a log. */
function describeVisit({ request }) {
    return sanitise(`${request.method} ${readPath(request)}`);
}

// EXTERNAL MODULE: ./node_modules/undici/lib/dispatcher/pool.js
var pool = __webpack_require__(628);
;// CONCATENATED MODULE: ./build/js/gateway/upstream/app-link.js
// The connections to the app: pools for its current address. They are destroyed as soon as the app has another address
// or none, because the old port may already belong to another process. Used by gateway.ts, passes.ts and proxy.ts.



/**
 * As many as the requests that connection-slots.ts lets run in both groups, so that no request waits for a connection.
 */
const app_link_MAX_CONNECTIONS = 1_280;
/**
 * How long the app may take to send its head. Local models and reports need many minutes. If the visitor leaves, the
 * app's request ends at once, so this limit is only for those who wait.
 */
const app_link_ANSWER_TIMEOUT_MS = 60 * 60_000;
/** The app is on this machine: if connecting takes longer, its accept queue is full. */
const app_link_CONNECT_TIMEOUT_MS = 10_000;
/** Less than the 5 s after which Node and many others close an idle connection, so that we close it first. */
const KEEP_ALIVE_MS = 4_000;
class AppLink {
    #address;
    #kept;
    #fresh;
    /** Connections to this address, kept alive between requests. Those to any other address are destroyed. */
    select(address) {
        if (!this.leadsTo(address))
            void this.forget();
        this.#address = address;
        this.#kept ??= openPool(address, 1);
        return this.#kept;
    }
    /** Connections used once, for a second try; undefined if the app has another address by now. */
    selectFresh(address) {
        if (!this.leadsTo(address))
            return undefined;
        this.#fresh ??= openPool(address, 0);
        return this.#fresh;
    }
    /** Whether `address` is where the app was last seen. */
    leadsTo(address) {
        return this.#address?.host === address.host && this.#address.port === address.port;
    }
    /** Destroys every connection, so that requests under way fail; resolves when all are closed. May be called twice. */
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
        // An event stream may be silent for any time; it ends when its visitor leaves.
        bodyTimeout: 0,
        keepAliveTimeout: KEEP_ALIVE_MS,
    });
}

;// CONCATENATED MODULE: ./build/js/gateway/gateway.js
// The gateway: gets visitors' connections from the tunnel, refuses malformed requests, answers while the app is not running,
// and forwards everything else to the app. Started by ingress.ts. It has no port: no other program can connect to it.
//
//   downstream/ (visitors' connections: HTTP/1.1, TLS, HTTP/2) ──► passes.ts: guard, access/, own pages ──► upstream/ (the app)













/** Ready at once: there is no port to listen on. */
function startGateway(options) {
    const context = createContext(options);
    const readAddress = rememberAddress(options.place);
    const serveWith = (passes) => ({
        readApp: options.app,
        readAddress,
        handle: visit => runPasses(passes, visit, context),
    });
    const limits = { ...VISITOR_LIMITS, ...options.limits };
    if (options.rules.access.kind === 'open')
        limits.strangers = 0;
    const server = options.tls
        ? new TlsFront(options.tls, limits, { secure: serveWith(PASSES), plain: serveWith(PLAIN_PASSES) })
        : new Http1Server(limits, serveWith(PASSES), new ConnectionSlots(limits));
    return {
        accept: socket => {
            if (!server.admit(socket))
                options.logger.debug('a connection was refused: there are too many, or the gateway is stopping');
        },
        get visits() {
            return context.tally.visits;
        },
        get lastVisitAt() {
            return context.tally.lastVisitAt;
        },
        stop: async (drainMs) => {
            await server.stop(drainMs);
            await context.link.forget();
        },
    };
}
function createContext({ app, rules, endsAt, proofKey, logger }) {
    const siteData = new SiteData();
    return {
        readApp: app,
        access: new AccessControl(rules, siteData, endsAt ?? (() => undefined)),
        siteData,
        link: new AppLink(),
        rejectedConnections: new WeakSet(),
        proofKey,
        maxBodyBytes: rules.maxBodyBytes,
        compression: rules.compress ? new Compression() : undefined,
        logger,
        tally: { visits: 0, lastVisitAt: undefined },
    };
}
/** An exception (a bug of the gateway) fails this one request, not the whole preview. */
function runPasses(passes, visit, context) {
    const { logger } = context;
    visit.response.on('error', error => logger.debug(`an answer could not be completed: ${sanitise((0,errors/* describeError */.Uc)(error))}`));
    try {
        for (const pass of passes)
            if (pass(visit, context))
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

;// CONCATENATED MODULE: ./build/js/tunnel/timings.js
// The tunnel's time limits and maximum numbers, each with its reason. Used everywhere in the tunnel; tests pass shorter
// times.

/** All in milliseconds. */
const TIMINGS = {
    /** For each address of the server: the kernel repeats a lost SYN after 1 s, and after 3 s. */
    dialAddress: 3_000,
    /**
     * After this the next address is dialled too, or a silent one again: longer than nearly any round trip, and shorter
     * than the kernel's pause before its second attempt, so that a repaired link is soon in use again.
     */
    dialNext: 400,
    /** For all addresses together, name resolution included. */
    dial: 10_000,
    /** For the server's `Challenge`. A server without a secret hangs up after NETWORK_TIMEOUT_MS: we wait to see that. */
    challenge: NETWORK_TIMEOUT_MS + 500,
    /** If a server hangs up earlier than this, the reason is not that it runs without a secret. */
    earlyEnd: NETWORK_TIMEOUT_MS - 500,
    /** For the answer to `Hello`. */
    hello: NETWORK_TIMEOUT_MS,
    /** Ten heartbeats missed. */
    heartbeat: 5_000,
    /** A session that lasted this long was good: when it is lost, the first attempt is made at once. */
    goodSession: 5_000,
    /**
     * Between attempts, plus a random time of up to this length, so that all tunnels do not reconnect at one moment.
     * After an outage of up to half a minute, visitors are served 0.6 s after the server is back.
     */
    retry: 200,
    /** After an outage of this length the pauses double with each attempt. */
    fastRetry: 30_000,
    /** The longest pause. */
    slowRetry: 10_000,
    /** Between attempts to get the same port back, which the server frees 0.25 s after a reset. */
    portRetry: 100,
    /** At the start each of several servers is tried this long before the next one: a restart takes less. */
    serverFirst: 3_000,
    /** A server that is away this long loses the tunnel to the next one. A restart takes less and keeps the address. */
    serverAway: 30_000,
    /** A first connect waits this long for a port in use: an older job may be ending. */
    portFirst: 10_000,
    /** A reconnect waits this long for its port before it asks for another one, if `remote-port` allows that. */
    portAgain: 5_000,
    /** For a change to another port. */
    changePort: 10_000,
    /** For one attempt to fetch a visitor: two of them fit before the server drops it. */
    dataConnection: 4_000,
    /** A spare connection waits this long for a visitor: half a second for the network, before the server hangs up. */
    spareHold: NETWORK_TIMEOUT_MS - 500,
    /** From this round trip on, spare connections are opened; below it, a dial costs less than the book-keeping. */
    spareRoundTrip: 5,
    /** Between attempts to fetch a visitor. */
    visitorRetry: 100,
    /** For all attempts to fetch a visitor: a second less than the server keeps a visitor waiting. */
    visitor: PENDING_VISITOR_MS - 1_000,
    /** For visitors to finish when the tunnel stops. */
    drain: 5_000,
};
/** First probe of a visitor's connection after this much silence; the kernel notices a dead peer some minutes later. */
const timings_KEEP_ALIVE_MS = 30_000;
/** Visitors at a time, fetched and waiting together. Each is two sockets, and a process has 4,096 or more. */
const MAX_VISITORS = 1_024;
/** Higher limit for the gateway, which evicts unauthenticated connections itself. Waiting visitors cost no socket. */
const MAX_GATEWAY_VISITORS = 4_096;
/** Connections to the server being opened at a time, by each thread: the usual backlog of a listening socket. */
const MAX_DIALS = 128;
/** Failed attempts before a hint is added to the failure, and before an unknown host name counts as permanent. */
const ATTEMPTS_BEFORE_HINT = 3;

;// CONCATENATED MODULE: ./build/js/tunnel/relay/read-buffers.js
// The buffers that raw visitors' bytes are read into. Used only by pipe.ts, whose opening comment describes a buffer's
// life. To keep the bytes correct, no read goes into a buffer while a write may still use it.
/** For small reads: every socket of the thread reads into this one in turn, and writes a copy. */
const SHARED_BYTES = 64 * 1_024;
/** For one direction in full flow: fewer and larger system calls. */
const OWN_BYTES = 256 * 1_024;
/** Buffers lent at a time, 16 MB for each thread; other directions go on with copies, a little slower. */
const MAX_LENT = 64;
/** Free again when the callback of the read that filled it returns. */
const SHARED_BUFFER = Buffer.allocUnsafeSlow(SHARED_BYTES);
const free = [];
let lent = 0;
/** A buffer for one direction only; undefined if too many are lent. Give it back with `returnBuffer`. */
function borrowBuffer() {
    if (lent >= MAX_LENT)
        return undefined;
    lent += 1;
    return free.pop() ?? Buffer.allocUnsafeSlow(OWN_BYTES);
}
/** Call it only when no write uses the buffer any more. */
function returnBuffer(buffer) {
    lent -= 1;
    free.push(buffer);
}

;// CONCATENATED MODULE: ./build/js/tunnel/relay/pipe.js
// One visitor of raw mode and the connection to the app made for it: a Pipe with two ends. Used by relay.ts; visitors/
// opens data connections with a PipeEnd.
//
// A buffer's life. Node.js reads each socket into a buffer we choose (`onread`), which saves an allocation and a
// stream's book-keeping per read. As long as reads are small, all sockets share one buffer, and what was read is copied
// for the write: the buffer is free again at once. A read of BULK_BYTES means the direction is in full flow: its end
// borrows a buffer of its own, which is written without a copy. If the kernel takes all of it, the next read goes into
// the same buffer. If not, the write holds the buffer until the peer's 'drain'; until then the end reads nothing, and
// then it reads into another one. A small read, or the close of the socket, returns an end's own buffer; 'drain', or
// the close of the peer, the one that a write held.




/** From this size of read on, a copy costs more than a buffer of its own. */
const BULK_BYTES = 16 * 1_024;
class Pipe {
    #visitor;
    #app;
    #toApp;
    #isKeptAlive = false;
    #activeAt = performance.now();
    /** Connects to the app. `visitor` is the end that `socket` was opened with. */
    constructor(socket, visitor, target, events) {
        const app = new PipeEnd();
        const toApp = (0,external_node_net_.connect)({
            ...target,
            noDelay: true,
            allowHalfOpen: true,
            ...app.socketOptions,
        });
        toApp.on('error', events.onAppError);
        // Either socket may close last, because it may still have bytes to write.
        toApp.on('close', () => socket.destroyed && events.onClosed());
        socket.on('close', () => toApp.destroyed && events.onClosed());
        visitor.join(socket, toApp);
        app.join(toApp, socket);
        this.#visitor = visitor;
        this.#app = app;
        this.#toApp = toApp;
    }
    /** Sends the app the visitor's bytes that came with the handshake. */
    begin(first) {
        if (first.length > 0)
            this.#toApp.write(first);
    }
    cut() {
        this.#visitor.cut();
        this.#app.cut();
    }
    /** Cuts the pipe if nothing was read for too long; called at intervals. */
    sweep(now, { idleMs, halfClosedIdleMs }) {
        const visitorWasActive = this.#visitor.takeActivity();
        const appWasActive = this.#app.takeActivity();
        if (visitorWasActive || appWasActive)
            this.#activeAt = now;
        const isHalfClosed = this.#visitor.hasEnded || this.#app.hasEnded;
        if (now - this.#activeAt >= (isHalfClosed ? halfClosedIdleMs : idleMs))
            this.cut();
        // Not earlier: this takes four system calls, as many as a short visit has reads, and only long visits need it.
        else if (!this.#isKeptAlive)
            this.#keepAlive();
    }
    #keepAlive() {
        this.#isKeptAlive = true;
        this.#visitor.keepAlive();
        this.#app.keepAlive();
    }
}
/** One socket of a pipe: reads its bytes and writes them to the other socket, its peer. */
class PipeEnd {
    /** Options to give to `net.connect`. */
    socketOptions;
    /** Called before `join` with a copy of each chunk that is read. */
    onData = () => { };
    /** Called with a copy of the first bytes after `join`. If it returns true, they are not passed on. */
    inspectFirst;
    #socket;
    #peer;
    #ownBuffer;
    /** A write that is not finished still uses this buffer. */
    #heldBuffer;
    #isPaused = false;
    #wasActive = false;
    constructor() {
        this.socketOptions = {
            onread: { buffer: () => this.#ownBuffer ?? SHARED_BUFFER, callback: length => this.#read(length) },
            // A write from a borrowed buffer always has at least this size, so that 'drain' always follows it.
            writableHighWaterMark: BULK_BYTES,
        };
    }
    /** The other side has ended its direction. */
    get hasEnded() {
        return this.#socket?.readableEnded === true;
    }
    /** From now on everything read from `socket` is written to `peer`. */
    join(socket, peer) {
        this.#socket = socket;
        this.#peer = peer;
        socket.on('end', () => this.#passEnd(peer));
        socket.on('close', () => this.#onClose());
        peer.on('drain', () => this.#onDrain());
        peer.on('close', () => this.#returnHeld());
    }
    cut() {
        if (this.#socket)
            resetSocket(this.#socket);
    }
    keepAlive() {
        this.#socket?.setKeepAlive(true, timings_KEEP_ALIVE_MS);
    }
    /** Whether anything was read since the last call. */
    takeActivity() {
        const wasActive = this.#wasActive;
        this.#wasActive = false;
        return wasActive;
    }
    /** `length` bytes are in the buffer. Returning false pauses the socket (Node.js, `onread`). */
    #read(length) {
        const buffer = this.#ownBuffer ?? SHARED_BUFFER;
        const peer = this.#peer;
        if (peer === undefined) {
            this.onData(Buffer.from(buffer.subarray(0, length)));
            return true;
        }
        this.#wasActive = true;
        if (this.inspectFirst !== undefined && this.#isInspected(buffer.subarray(0, length)))
            return false;
        const goesOn = length < BULK_BYTES ? this.#writeCopy(peer, buffer, length) : this.#writeBulk(peer, buffer, length);
        this.#isPaused = !goesOn;
        return goesOn;
    }
    #isInspected(chunk) {
        const { inspectFirst } = this;
        this.inspectFirst = undefined;
        return inspectFirst?.(Buffer.from(chunk)) ?? false;
    }
    #writeCopy(peer, buffer, length) {
        const goesOn = peer.write(Buffer.from(buffer.subarray(0, length)));
        this.#returnOwn();
        return goesOn;
    }
    #writeBulk(peer, buffer, length) {
        if (this.#ownBuffer === undefined) {
            const goesOn = peer.write(Buffer.from(buffer.subarray(0, length)));
            this.#ownBuffer = borrowBuffer();
            return goesOn;
        }
        peer.write(buffer.subarray(0, length));
        if (peer.writableLength === 0)
            return true;
        this.#heldBuffer = this.#ownBuffer;
        this.#ownBuffer = borrowBuffer();
        return false;
    }
    #onDrain() {
        this.#returnHeld();
        if (!this.#isPaused)
            return;
        this.#isPaused = false;
        this.#socket?.resume();
    }
    #returnHeld() {
        if (this.#heldBuffer !== undefined)
            returnBuffer(this.#heldBuffer);
        this.#heldBuffer = undefined;
    }
    #returnOwn() {
        if (this.#ownBuffer !== undefined)
            returnBuffer(this.#ownBuffer);
        this.#ownBuffer = undefined;
    }
    #passEnd(peer) {
        // When both directions have ended, closing the socket is enough: it sends the end, too.
        if (peer.readableEnded && peer.writableLength === 0)
            peer.destroy();
        else
            peer.end();
    }
    #onClose() {
        this.#returnOwn();
        const peer = this.#peer;
        if (peer === undefined)
            return;
        if (!this.hasEnded)
            resetSocket(peer);
        else if (this.#socket?.writableFinished === true)
            return;
        // This socket ended its direction and then broke: write what it sent to the peer, then close the peer.
        else if (peer.writableFinished)
            peer.destroy();
        else
            peer.once('finish', () => peer.destroy());
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/relay/relay.js
// Raw mode (`protocol: tcp`): carries visitors' bytes to a port of this machine and the answers back, for any protocol.
// Made by exposure/ingress.ts, and on the second thread by visitor-thread.ts; used by visitors/ as a VisitorSink.





/** bore does not report a visitor who disappears without a close: after this much silence the connection is cut. */
const IDLE_MS = 60 * 60_000;
const HALF_CLOSED_IDLE_MS = 5 * 60_000;
/** How many times idle connections are searched for within the shorter limit. */
const relay_SWEEPS_PER_LIMIT = 5;
/**
 * Carries the bytes of both directions. The end of one direction is passed on alone (half-close), a broken connection
 * breaks the other one, and a slow reader makes the writer wait. Memory is bounded for each connection.
 */
class Relay {
    maxVisitors = MAX_VISITORS;
    secondThread;
    idleLimits;
    #options;
    #pipes = new Set();
    #sweeper;
    #visits = 0;
    #awaitedToken;
    #workers = [];
    constructor(options) {
        const { secondThread, idleMs = IDLE_MS, halfClosedIdleMs = HALF_CLOSED_IDLE_MS } = options;
        this.#options = options;
        this.idleLimits = { idleMs, halfClosedIdleMs };
        this.secondThread = secondThread && { ...secondThread, relay: this };
    }
    /** Where the app is now. */
    get target() {
        return this.#options.target();
    }
    /** Visitors since the start, our own probes not counted. */
    get visits() {
        return this.#workers.reduce((sum, { visits }) => sum + visits, this.#visits);
    }
    /** Visitors with at least one open connection: their own, or ours to the app. */
    get open() {
        return this.#workers.reduce((sum, { open }) => sum + open, this.#pipes.size);
    }
    /** Our own probe is expected. Only this relay can recognise it, not one on another thread. */
    get isAwaitingToken() {
        return this.#awaitedToken !== undefined;
    }
    /** Counts the visitors of a relay on another thread from now on. */
    addWorker(worker) {
        this.#workers.push(worker);
    }
    /**
     * Sends a changed `target` to the workers at once, because another program may soon use the port that the app left.
     */
    updateTarget() {
        const { target } = this;
        for (const worker of this.#workers)
            worker.setTarget(target);
    }
    /** The reading side of a connection that is about to be opened; until `accept` its bytes belong to the handshake. */
    openEnd() {
        return new PipeEnd();
    }
    /**
     * From this call on, `socket`, opened with `end`, carries a visitor's bytes; `first` holds those already read. Resets
     * the socket while the app is away.
     */
    accept(socket, first, end) {
        if (end === undefined)
            throw new TypeError('the connection was not opened with a PipeEnd');
        const { target } = this;
        const { logger } = this.#options;
        if (target === undefined) {
            logger.debug('a visitor was reset: the app is away');
            resetSocket(socket);
            return;
        }
        const pipe = new Pipe(socket, end, target, {
            onAppError: error => logger.debug(`the app broke a connection: ${(0,errors/* describeError */.Uc)(error)}`),
            onClosed: () => {
                this.#pipes.delete(pipe);
                this.#options.onClosed?.();
            },
        });
        pipe.begin(first);
        this.#visits += 1;
        if (this.#awaitedToken)
            this.#inspect(pipe, end, this.#awaitedToken);
        this.#pipes.add(pipe);
        this.#sweeper ??= this.#startSweeping();
    }
    /**
     * Resolves with true when a visitor's first bytes are `token`: it is our own probe, which is reset and not counted.
     * Resolves with false if `signal` is aborted first. Only one call at a time.
     */
    async awaitToken(token, signal) {
        const seen = Promise.withResolvers();
        this.#awaitedToken = { token, onSeen: seen.resolve };
        try {
            await raceSignal(seen.promise, signal);
            return true;
        }
        catch {
            return false;
        }
        finally {
            this.#awaitedToken = undefined;
        }
    }
    /** Cuts every connection. New connections may follow. */
    cut() {
        for (const pipe of this.#pipes)
            pipe.cut();
    }
    #inspect(pipe, end, { token, onSeen }) {
        end.inspectFirst = first => {
            if (!first.subarray(0, token.length).equals(token))
                return false;
            this.#visits -= 1;
            pipe.cut();
            onSeen();
            return true;
        };
    }
    /** Runs while there are connections. */
    #startSweeping() {
        const { idleMs, halfClosedIdleMs } = this.idleLimits;
        const timer = setInterval(() => {
            const now = performance.now();
            for (const pipe of this.#pipes)
                pipe.sweep(now, this.idleLimits);
            if (this.#pipes.size > 0)
                return;
            clearInterval(timer);
            this.#sweeper = undefined;
        }, Math.min(idleMs, halfClosedIdleMs) / relay_SWEEPS_PER_LIMIT);
        return timer.unref();
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/visitors/visitor-sink.js
// The destination of visitors' connections: a Relay for raw bytes, or a receiver of streams. Made by
// exposure/ingress.ts, used by the other files of this folder.

/** Gives each visitor to `receiver` as a stream. If `receiver` throws, only that visitor is lost. */
function createStreamSink(receiver) {
    return {
        maxVisitors: MAX_GATEWAY_VISITORS,
        secondThread: undefined,
        openEnd: () => undefined,
        accept: (socket, first) => {
            // A visitor may wait long for an answer or an event, and cloud networks forget a connection that is silent for
            // four minutes (Azure's outbound connections, for instance, which GitHub's runners have).
            socket.setKeepAlive(true, timings_KEEP_ALIVE_MS);
            if (first.length > 0)
                socket.unshift(first);
            receiver(socket);
        },
        cut: () => { },
    };
}

;// CONCATENATED MODULE: ./build/js/exposure/tcp-probe.js
// Checks that a public address leads here when there is no gateway to answer: a token that is sent to the address must
// arrive at our relay. Used by ingress.





/** 256 bits: no visitor sends them by chance. */
const tcp_probe_TOKEN_BYTES = 32;
/** The token takes five round trips; over a satellite each takes half a second. */
const ARRIVAL_TIMEOUT_MS = 3_000;
/**
 * Connects to `url` (`tcp://host:port`), sends a token, and waits for it at the relay. `unproved`: the connection
 * opened, but the token did not arrive: another program has the port, or a proxy in between accepts every connection.
 */
async function probeTcp(url, relay, signal) {
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
        // Visitors came through the same port, and may have taken the connection slot meant for the token.
        if (relay.visits > visitsBefore || relay.open >= MAX_VISITORS)
            return { kind: 'silent', detail: 'too many visitors came in between' };
        return {
            kind: 'unproved',
            detail: 'it accepts connections, but what is sent there does not arrive here',
        };
    }
    finally {
        over.abort();
        if (!(sent instanceof Error))
            sent.destroy();
    }
}
/** Resolves with the connection once the bytes are sent, or with the error that kept it from opening. */
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
        socket.on('error', resolve); // stays: the other side may break the connection later
        socket.once('connect', () => {
            signal.removeEventListener('abort', giveUp);
            socket.write(bytes);
            resolve(socket);
        });
    });
}

;// CONCATENATED MODULE: ./build/js/exposure/ingress.js
// Receives visitors from the tunnel: a gateway for `protocol: http`, a relay for `protocol: tcp`. Used by exposure and
// public-tunnel.







/** Ready at once. */
function openIngress(options) {
    return options.protocol === 'tcp' ? openRelay(options) : openGateway(options);
}
function openGateway(options) {
    const { app, publicAddress, endsAt, gateway: rules, tls, logger } = options;
    const proofKey = (0,external_node_crypto_.randomBytes)(32);
    const gateway = startGateway({
        app,
        place: publicAddress,
        endsAt,
        rules,
        proofKey,
        ...(tls && { tls }),
        logger,
    });
    const certificate = tls && new external_node_crypto_.X509Certificate(tls.cert).fingerprint256;
    return {
        destination: createStreamSink(visitor => gateway.accept(visitor)),
        get visits() {
            return gateway.visits;
        },
        needsApp: false,
        endsTls: tls !== undefined,
        probe: (url, signal) => probeHttp(url, proofKey, signal, certificate),
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
        probe: async (url, signal) => {
            // While the app is down, every connection is cut off: our probe would say nothing about the address.
            const address = target();
            const isUp = address && (await findListening({ hosts: [address.host], port: address.port }));
            return isUp ? probeTcp(url, relay, signal) : { kind: 'app away', detail: 'the app is away' };
        },
        followApp: () => relay.updateTarget(),
        stop: async () => { },
    };
}

;// CONCATENATED MODULE: ./build/js/tunnel/failure.js
// What can go wrong between us and a bore server: each failure with its kind and with what the user should do.
// Thrown by session/, reconnect.ts and retry/port-choice.ts; retry/retry-policy.ts decides what follows.





/** Enough to recognise an HTTP server or an SSH banner. */
const MAX_QUOTE_LENGTH = 60;
class TunnelFailure extends errors/* TunnelError */.Tm {
    kind;
    /** What to do about the port if the user chose it. */
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
 * True if trying this server again cannot help. `hasServed`: there was a session in this run, on any server;
 * `failures`: how often this server has failed since. Not used for port failures, which port-choice.ts decides.
 */
function isPermanent({ kind }, hasServed, failures) {
    if (kind === 'secret' || kind === 'wrong-port')
        return true;
    if (kind === 'secret-unwanted' || kind === 'not-bore' || kind === 'silent')
        return !hasServed;
    return kind === 'unknown-host' && !hasServed && failures >= ATTEMPTS_BEFORE_HINT;
}
/** True if the workflow has to change: another server would only hide the mistake, until that server is lost, too. */
function isMisconfiguration({ kind }) {
    return kind === 'secret' || kind === 'secret-unwanted' || kind === 'port-refused';
}
/** Bytes from the network, in quotes: short, and safe to print. */
function quote(text) {
    return `"${sanitise(typeof text === 'string' ? text : text.toString('latin1'), MAX_QUOTE_LENGTH)}"`;
}
/** The server could not be reached: `error` comes from node:net or node:dns, or is a time-out. */
function explainDial(server, error) {
    const cause = { cause: error };
    if ((0,errors/* hasCode */.up)(error, 'ENOTFOUND'))
        return new TunnelFailure('unknown-host', `there is no host ${server.host} (${(0,errors/* describeError */.Uc)(error)}): check \`server\` for a typo`, cause);
    const message = `could not reach ${renderAddress(server)}: ${(0,errors/* describeError */.Uc)(error)}`;
    return new TunnelFailure('transient', message, cause);
}
/** The attempt reached its time limit. */
function explainTimeout(server) {
    return new TunnelFailure('transient', `${renderAddress(server)} did not answer in time`);
}
/** What is added to a transient failure that repeats. */
function hintAtFirewall(server) {
    return `is the bore server running, and does a firewall let connections to port ${server.port} out?`;
}
/** The `Error` frame that answered our `Hello(port)`; `hasSecret`: we sent a proof before it. */
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
/** The failure with advice about the port, for a user who chose the port. */
function explainFixedPort(failure) {
    const { kind, message, portAdvice, cause } = failure;
    return portAdvice === undefined ? failure : new TunnelFailure(kind, `${message}: ${portAdvice}`, { cause });
}
const FIT_RANGE = 'set `port-range` to the --min-port and --max-port of the server';
/** The server gave none of the ports that `auto` asked for. */
function explainNoCandidate(server, { min, max }, { count, allTaken }) {
    const ports = count === 1
        ? `did not give the only port of \`port-range\`, ${min === max ? min : `${min}-${max}`}`
        : `gave none of ${count} ports between ${min} and ${max}`;
    const remedy = allTaken
        ? `${count === 1 ? 'it is' : 'they are'} in use: choose a wider \`port-range\``
        : FIT_RANGE;
    return new TunnelFailure(allTaken ? 'port-taken' : 'port-refused', `${renderAddress(server)} ${ports}: ${remedy}`);
}
/** Not a failure yet: if any port will do, the server is asked to choose one. */
function explainAnyPort(server, { allTaken }) {
    const remedy = allTaken ? 'they are all in use' : FIT_RANGE;
    return `${renderAddress(server)} gives none of this preview's own ports, so it picks one, and may pick another in the next run: ${remedy}`;
}
function explainSecretRequired(server) {
    return new TunnelFailure('secret', `the server ${renderAddress(server)} requires a secret: set the \`secret\` input`);
}
function explainSecretUnwanted(server) {
    return new TunnelFailure('secret-unwanted', `the server ${renderAddress(server)} requires no secret, but one was given: remove \`secret\`, or check \`server\``);
}
/** `received` is not what a bore server sends; it may be empty. */
function explainNotBore(server, received) {
    const silent = received.length === 0;
    const detail = silent
        ? 'it accepts connections and sends nothing'
        : `it sent ${quote(firstLine(received))}`;
    return new TunnelFailure(silent ? 'silent' : 'not-bore', `${renderAddress(server)} does not answer like a bore server (${detail}): check host and port in \`server\``);
}
/** The first line: enough for an HTTP answer, whose first line is the status. */
function firstLine(received) {
    const text = received.toString('latin1');
    return /^[^\r\n]+/.exec(text)?.[0] ?? text;
}
function explainWrongPort(server, asked, got) {
    const instead = asked === 0 ? '' : ` instead of ${asked}`;
    return new TunnelFailure('wrong-port', `the server ${renderAddress(server)} answered with port ${got}${instead}: it cannot be relied on, check \`server\``);
}

;// CONCATENATED MODULE: ./build/js/tunnel/retry/backoff.js
// How long to wait before the next attempt. Used by retry-policy.ts.
/** Call `reset()` after a good session, so that the next attempt is made at once. */
class Backoff {
    #timings;
    #random;
    #since;
    #pause = 0;
    constructor(timings, random = Math.random) {
        this.#timings = timings;
        this.#random = random;
    }
    /** Milliseconds to wait before the next attempt; `now` is the time of a monotonic clock. */
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
// The failures of each server since the tunnel was last connected: decides what is logged, at which level, and which
// failures the final error contains. Used by retry-policy.ts.




/** The number of sessions in a row that ended at once after which a warning is logged. */
const SHORT_SESSIONS_BEFORE_WARNING = 3;
class FailureLog {
    #logger;
    #counts = new Map();
    /** The last failure of each server, worded for the user. */
    #last = new Map();
    #shortSessions = 0;
    #hasGoneRound = false;
    /** Lines about ports in use that were logged already: each is logged once. */
    #logged = new Set();
    constructor(logger) {
        this.#logger = logger;
    }
    /** Counts a failure of `server` and returns how many there are. */
    count(server) {
        const name = renderAddress(server);
        const count = (this.#counts.get(name) ?? 0) + 1;
        this.#counts.set(name, count);
        return count;
    }
    /** Stores and logs a failure, and returns its text; `isStart`: there was no session yet, and the user waits. */
    record(server, failure, isStart = false) {
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
    /** The last failures of all servers in one error; undefined if nothing has failed. */
    summarise() {
        const [first, ...others] = this.#last.values();
        if (first === undefined || others.length === 0)
            return first;
        const message = [first, ...others].map(one => one.message).join('; ');
        return new errors/* TunnelError */.Tm(message, { retryable: [first, ...others].some(one => one.retryable) });
    }
    /** `port` is in use. The next request is for `next`: the same port again while an older job may be ending. */
    logTaken({ host }, port, next) {
        const text = next === port
            ? `port ${port} of ${host} is in use, perhaps by an older job: waiting for it to be free`
            : `port ${port} of ${host} is still in use: asking for ${next === 0 ? 'any other' : next}`;
        if (this.#logged.has(text))
            return;
        this.#logged.add(text);
        this.#logger.info(text);
    }
    /** The tunnel is connected: all failures are forgotten. */
    clear() {
        this.#logged.clear();
        this.#counts.clear();
        this.#last.clear();
        this.#hasGoneRound = false;
    }
    /** A session is over. If a server drops one session after the other, only the first losses are logged above debug. */
    logLoss(server, reason, wasGood) {
        this.#shortSessions = wasGood ? 0 : this.#shortSessions + 1;
        const text = `reconnecting to ${renderAddress(server)}: ${reason}`;
        if (this.#shortSessions <= 1)
            this.#logger.info(text);
        else
            this.#logger.debug(text);
        if (this.#shortSessions === SHORT_SESSIONS_BEFORE_WARNING)
            this.#logger.warn(`${renderAddress(server)} repeatedly opens the tunnel and drops it at once: ${reason}`);
    }
    /** The tunnel is connected again. */
    logReturn(text) {
        if (this.#shortSessions <= 1)
            this.#logger.info(text);
        else
            this.#logger.debug(text);
    }
    /** `from` was tried long enough, and `to` is next. The second and later rounds repeat the first: logged at debug. */
    logNextServer(from, to, isNewRound) {
        this.#hasGoneRound ||= isNewRound;
        const text = `${renderAddress(from)} is not available: trying ${renderAddress(to)}`;
        if (this.#hasGoneRound)
            this.#logger.debug(text);
        else
            this.#logger.info(text);
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/retry/blocked-ports.js
// Ports that browsers refuse to open. Used by placement.ts, port-choice.ts and exposure/public-tunnel.ts.
/**
 * Browsers and every `fetch` refuse these ports because other protocols use them (WHATWG Fetch, "bad port"), so a
 * reviewer could not open the link.
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
// A preview's own order of servers, and of ports on each server. It is the same in every run, and only someone with the
// server's secret can predict it. Used by server-rotation.ts and port-choice.ts.


/**
 * A preview's address is public and follows from the secret, so anybody can test guesses of the secret offline. scrypt
 * (RFC 7914) makes each guess cost some 40 ms and 16 MB; we pay that once, at the start.
 */
const STRETCH = { N: 2 ** 14, r: 8, p: 1 };
const KEY_BYTES = 32;
const SALT = 'expose-action, where a preview lives';
/** The most bytes that readUIntBE reads, and far more than a port needs. */
const DRAW_BYTES = 6;
/**
 * The servers, best first, by rendezvous hashing: a server's score does not depend on the other servers. So a new
 * server moves only the previews that it gets, and a lost one only those that it had.
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
 * Every port of the range once, in the preview's own order. Ports that browsers refuse are left out, unless the range
 * has no others. Lazy: each port costs one hash.
 */
function* listCandidates(identity, secret, { min, max }) {
    const isUseful = hasOpenPort(min, max) ? (port) => !isBlockedPort(port) : () => true;
    // Fisher-Yates shuffle from the end, one step for each port; the map holds only the entries that were swapped.
    const swapped = new Map();
    for (let left = max - min + 1; left > 0; left -= 1) {
        const chosen = draw(secret, identity, left);
        const port = min + (swapped.get(chosen) ?? chosen);
        swapped.set(chosen, swapped.get(left - 1) ?? left - 1);
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
/** A whole number below `limit`, at most the number of ports: the bias of the remainder is below one in a billion. */
function draw(secret, identity, limit) {
    return hash(secret, ['port', limit, identity]).readUIntBE(0, DRAW_BYTES) % limit;
}
/** Keyed with the secret if there is one. JSON keeps the parts apart: `ab`, `c` is not `a`, `bc`. */
function hash(secret, parts) {
    const text = JSON.stringify(['expose-action', ...parts]);
    if (secret === undefined)
        return (0,external_node_crypto_.createHash)('sha256').update(text).digest();
    return (0,external_node_crypto_.createHmac)('sha256', stretch(secret)).update(text).digest();
}
/** One key for each secret; a process has one or a few. */
const stretched = new Map();
function stretch(secret) {
    const key = stretched.get(secret) ?? (0,external_node_crypto_.scryptSync)(secret, SALT, KEY_BYTES, STRETCH);
    stretched.set(secret, key);
    return key;
}

;// CONCATENATED MODULE: ./build/js/tunnel/retry/port-choice.js
// Which public port to ask one server for next. Used by retry-policy.ts, through server-rotation.ts; isWholeRange also by
// exposure/public-tunnel.ts.
//
// Ports are asked for in rounds: the one the tunnel had before, then those that `remotePort` allows, each once.
// (`random` asks for any port each time, and its round never ends.)
//
// | the server's answer | and (the first row that is true)                   | then                                  |
// |---------------------|---------------------------------------------------|---------------------------------------|
// | port given          |                                                   | `confirm`: it is asked for first now  |
// | in use              | within the port's grace period, not in a takeover | 'later': the same port, after a pause |
// | in use, or refused  | the round has another port                        | 'next': that port, at once            |
// |                     | there was no session yet, on any server           | 'never': give this server up          |
// |                     | the round was complete, and every port refused    | 'never': waiting would not help       |
// |                     | otherwise                                         | 'later': a new round                  |
//
// Grace periods: `portFirst` for the first port of all (an older job may be ending), `portAgain` for a port the tunnel
// had (the server frees it a moment after the session), none for any other.



/**
 * How many candidates of `auto` are asked for. If half of all ports are in use, 32 in a row are in use once in four
 * billion runs. If the server's own range is narrower, it refuses all of them within seconds, so that the user need not
 * wait long for the error.
 */
const MAX_CANDIDATES = 32;
/** The ports a server can open without privileges. */
const LOWEST_PORT = 1_024;
const HIGHEST_PORT = 65_535;
class PortChoice {
    #server;
    #options;
    /** Ports on which another program answered our probe; never used again. */
    #rejected = new Set();
    #round;
    #port;
    #graceMs;
    #takenSince;
    /** The server gave none of the ports before, so it was asked to choose one. */
    #hasAskedForAny = false;
    #hasServed = false;
    constructor(server, options) {
        this.#server = server;
        this.#options = options;
        this.#round = startRound(listPorts(server, options), false);
        this.#port = this.#round.ports.next().value ?? 0;
        this.#round.count = 1;
        const { portAgain, portFirst } = options.timings;
        this.#graceMs = readPreferred(server, options) === undefined ? portFirst : portAgain;
    }
    /** The port to put into `Hello`; 0 for any. */
    get port() {
        return this.#port;
    }
    /** The server opened `port` for us: from now on, this port is asked for first. */
    confirm(port) {
        this.#port = port;
        this.#hasServed = true;
        this.#round.isComplete = false;
        this.#startGrace(this.#options.timings.portAgain);
    }
    /** Another program answers at our port, so this port is not asked for again. False if there is no other port. */
    reject() {
        if (this.#port === 0)
            return true; // the server will choose another port
        this.#rejected.add(this.#port);
        if (this.#advance())
            return true;
        this.#startOver();
        return !this.#rejected.has(this.#port);
    }
    /**
     * The server did not give us the port (kind `port-taken` or `port-refused`); `now` is the time of a
     * monotonic clock. In a takeover (another server has served before) there is no grace period: visitors wait, and
     * the address changes in any case.
     */
    nextPort({ kind }, now, isTakeover) {
        if (kind === 'port-taken') {
            this.#takenSince ??= now;
            if (!isTakeover && now - this.#takenSince < this.#graceMs)
                return 'later';
            this.#round.sawTaken = true;
        }
        else
            this.#round.sawRefused = true;
        if (this.#advance())
            return 'next';
        if (!(this.#hasServed || isTakeover))
            return 'never';
        // After a working session, wait for a port; but not if all were refused as out of range.
        if (this.#round.isComplete && !this.#round.sawTaken)
            return 'never';
        this.#startOver();
        return 'later';
    }
    /** The server could not be asked: the grace period starts again with the next answer. */
    resetGrace() {
        this.#takenSince = undefined;
    }
    /** True while the server may still hold our own port for the previous session. */
    isBeingFreed(now) {
        return this.#hasServed && this.#takenSince !== undefined && now - this.#takenSince < this.#graceMs;
    }
    /** The results of this round so far. */
    get asked() {
        return { count: this.#round.count, allTaken: !this.#round.sawRefused };
    }
    /** The failure as it is reported: with advice about `remote-port` only if the user chose the port. */
    explain(failure) {
        return this.#options.remotePort.kind === 'fixed' ? explainFixedPort(failure) : failure;
    }
    /** The failure as it is reported after 'never'. */
    explainEnd(last) {
        const { remotePort } = this.#options;
        return remotePort.kind === 'auto'
            ? explainNoCandidate(this.#server.address, remotePort, this.asked)
            : this.explain(last);
    }
    #startGrace(graceMs) {
        this.#graceMs = graceMs;
        this.#takenSince = undefined;
    }
    /** Goes on to the next port of the round. False if it has no other. */
    #advance() {
        const { ports } = this.#round;
        for (let next = ports.next(); !next.done; next = ports.next()) {
            if (this.#rejected.has(next.value))
                continue;
            if (next.value === this.#port)
                return false;
            this.#port = next.value;
            this.#hasAskedForAny ||= next.value === 0;
            this.#round.count += 1;
            this.#startGrace(0);
            return true;
        }
        return false;
    }
    #startOver() {
        // A server that once gave none of our own ports is not asked for all of them again.
        const ports = this.#hasAskedForAny ? [0].values() : listPorts(this.#server, this.#options);
        this.#round = startRound(ports, true);
        this.#advance();
        this.#round.count = 1;
        this.#startGrace(0);
    }
}
function startRound(ports, isComplete) {
    return { ports, count: 0, sawTaken: false, sawRefused: false, isComplete };
}
function* listPorts(server, options) {
    const { remotePort } = options;
    if (remotePort.kind === 'fixed') {
        yield remotePort.port;
        return;
    }
    const preferred = readPreferred(server, options);
    if (preferred !== undefined)
        yield preferred;
    if (remotePort.kind === 'random')
        for (;;)
            yield 0;
    let count = 0;
    for (const port of listCandidates(options.identity, server.secret, remotePort)) {
        if (port !== preferred)
            yield port;
        count += 1;
        if (count === MAX_CANDIDATES)
            break;
    }
    // If the user set no range, a port that changes from run to run is better than none.
    if (isWholeRange(remotePort))
        yield 0;
}
/** True for a range that holds every port a server can open without privileges. */
function isWholeRange({ min, max }) {
    return min <= LOWEST_PORT && max === HIGHEST_PORT;
}
/** The port the tunnel had on this server before, if `remotePort` allows it. */
function readPreferred({ address }, { preferred, remotePort }) {
    if (preferred === undefined || preferred.host !== address.host)
        return undefined;
    return allows(remotePort, preferred.port) ? preferred.port : undefined;
}
function allows(remotePort, port) {
    if (remotePort.kind === 'auto')
        return port >= remotePort.min && port <= remotePort.max && !isBlockedPort(port);
    return remotePort.kind === 'random';
}

;// CONCATENATED MODULE: ./build/js/tunnel/retry/server-rotation.js
// Which server has the tunnel, and which one is tried next when that server does not come back. Used by
// retry-policy.ts, which reports the outcome of each attempt.



/** All times are milliseconds of the same monotonic clock. */
class ServerRotation {
    /** In the preview's own order, best first. */
    #servers;
    #timings;
    #triedThisRound = new Set();
    /** Servers that are not tried again until any server serves. */
    #excluded = new Set();
    #current;
    #awaySince;
    /** The time at which the current server has been tried long enough. */
    #deadline;
    constructor(options, now) {
        const { servers, identity, preferred, timings } = options;
        this.#timings = timings;
        this.#servers = orderServers(servers, identity).map(server => ({
            address: server.address,
            key: server.secret === undefined ? undefined : deriveKey(server.secret),
            ports: new PortChoice(server, options),
        }));
        const [best] = this.#servers;
        if (best === undefined)
            throw new Error('a tunnel needs a server');
        this.#current = this.#servers.find(({ address }) => address.host === preferred?.host) ?? best;
        this.#deadline = now + timings.serverFirst;
    }
    get current() {
        return this.#current;
    }
    /** The current server serves. The problems of the others may be over: none is excluded any more. */
    confirm() {
        this.#triedThisRound.clear();
        this.#excluded.clear();
    }
    /**
     * The current server is away; its last bytes came at `lastDataAt`. It stays the current server for a grace period. If
     * its sessions end early (`wasGood` false), the period is counted from the first such loss.
     */
    markLost(lastDataAt, wasGood, now) {
        if (wasGood || this.#awaySince === undefined)
            this.#awaySince = lastDataAt;
        this.#deadline = this.#awaySince + this.#timings.serverAway;
        // If this machine was suspended, the grace period is over although the server may be fine: allow one more attempt.
        if (wasGood)
            this.#deadline = Math.max(this.#deadline, now + this.#timings.serverFirst);
    }
    /** At the start: the current server answered, perhaps only that a port is in use. Its time starts again. */
    markReachable(now) {
        this.#deadline = now + this.#timings.serverFirst;
    }
    /** How much longer the current server may be tried; Infinity if there is no other. */
    graceLeft(now) {
        return this.#servers.length - this.#excluded.size > 1 ? this.#deadline - now : Number.POSITIVE_INFINITY;
    }
    /**
     * Goes on to the next server. True if all servers had their turn and a new round begins with the best one: its first
     * attempt comes after `pauseMs`, and its time is counted from then.
     */
    advance(now, pauseMs = 0) {
        this.#triedThisRound.add(this.#current);
        const usable = this.#servers.filter(server => !this.#excluded.has(server));
        const next = usable.find(server => !this.#triedThisRound.has(server));
        const isNewRound = next === undefined;
        if (isNewRound)
            this.#triedThisRound.clear();
        this.#current = next ?? usable[0] ?? this.#current;
        this.#awaySince = undefined;
        this.#deadline = now + this.#timings.serverFirst + (isNewRound ? pauseMs : 0);
        return isNewRound;
    }
    /** Excludes the current server and goes on to the next one. False if none is left. */
    exclude(now) {
        this.#excluded.add(this.#current);
        if (this.#excluded.size === this.#servers.length)
            return false;
        this.advance(now);
        return true;
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/retry/retry-policy.js
// Decides after each attempt when and on which server the next one is made, or that it was the last one. Used by
// reconnect.ts, which makes the attempts.
//
// | the attempt ended with                 | then                                                                 |
// |----------------------------------------|----------------------------------------------------------------------|
// | a session                              | `markConnected`: it is the last server now, failures are forgotten    |
// | a port in use or refused               | port-choice.ts: the same port after a pause, another one at once, or |
// |                                        | this server is excluded                                              |
// | a failure that will not go away        | this server is excluded                                              |
// | any other failure of the tunnel        | the same server after a pause, until its grace period is over; then  |
// |                                        | the next server at once, or the best one after a pause               |
// | anything else                          | the end: a bug                                                       |
//
// After a server is excluded, the next one is tried at once; if none is left, the tunnel fails. Before the first
// session it also fails if the workflow has to change (isMisconfiguration).






class RetryPolicy {
    #options;
    #timings;
    #servers;
    #backoff;
    #failures;
    #lastServer;
    constructor(options, timings) {
        this.#options = options;
        this.#timings = timings;
        this.#servers = new ServerRotation({ ...options, timings }, performance.now());
        this.#backoff = new Backoff(timings);
        this.#failures = new FailureLog(options.logger);
    }
    /** The server of the next attempt. */
    get server() {
        return this.#servers.current;
    }
    /** The server of the last session; undefined before the first session. */
    get lastServer() {
        return this.#lastServer;
    }
    /**
     * The time limit of one attempt: undefined on a first connect or a new server; on a lost server, the rest of its
     * grace period.
     */
    createLimit() {
        const graceMs = this.#servers.graceLeft(performance.now());
        if (this.server !== this.#lastServer || graceMs === Number.POSITIVE_INFINITY)
            return undefined;
        return AbortSignal.timeout(Math.max(1, Math.ceil(graceMs)));
    }
    /** A session has started; the server opened `port`. */
    markConnected(port) {
        this.#lastServer = this.server;
        this.server.ports.confirm(port);
        this.#servers.confirm();
        this.#failures.clear();
    }
    /** The session is over; `isWanted` if we ended it ourselves. */
    markLost(session, reason, isWanted) {
        const wasGood = isWanted || performance.now() - session.startedAt >= this.#timings.goodSession;
        if (wasGood)
            this.#backoff.reset();
        this.#servers.markLost(session.lastDataAt, wasGood, performance.now());
        this.#failures.logLoss(this.server.address, reason, wasGood);
    }
    /** Call it when a session has started after `markLost`. */
    logReconnected(afterMs, port) {
        this.#failures.logReturn(`connected again after ${(afterMs / 1_000).toFixed(1)} s, public port ${port}`);
    }
    /** Milliseconds until the next attempt, which may go to another server. */
    nextPause() {
        const now = performance.now();
        const pause = this.#backoff.next(now);
        if (this.#servers.graceLeft(now) > pause)
            return pause;
        const { address } = this.server;
        const isNewRound = this.#servers.advance(now, pause);
        this.#failures.logNextServer(address, this.server.address, isNewRound);
        return isNewRound ? pause : 0;
    }
    /** Throws a TunnelError if trying again cannot help. */
    decideRetry(error) {
        if (!(error instanceof TunnelFailure))
            throw explainBug(error);
        const { address, ports } = this.server;
        const count = this.#failures.count(address);
        if (error.kind === 'port-taken' || error.kind === 'port-refused')
            return this.#decideAboutPort(error);
        if (isPermanent(error, this.#lastServer !== undefined, count))
            return this.#excludeServer(error);
        ports.resetGrace();
        const reason = this.#failures.record(address, error, this.#lastServer === undefined);
        return { pauseMs: this.nextPause(), reason };
    }
    /** The error once the time is over: why no attempt succeeded. */
    explainEnd() {
        return this.#failures.summarise() ?? explainTimeout(this.server.address);
    }
    #decideAboutPort(failure) {
        const now = performance.now();
        const { ports } = this.server;
        if (this.#lastServer === undefined)
            this.#servers.markReachable(now);
        const { port } = ports;
        const isTakeover = this.#lastServer !== undefined && this.#lastServer !== this.server;
        const verdict = ports.nextPort(failure, now, isTakeover);
        if (verdict === 'never')
            return this.#excludeServer(ports.explainEnd(failure));
        const reason = this.#failures.record(this.server.address, ports.explain(failure));
        this.#logPort(failure, port);
        if (verdict === 'next')
            return { pauseMs: 0, reason };
        return { pauseMs: ports.isBeingFreed(now) ? this.#timings.portRetry : this.nextPause(), reason };
    }
    /** Logs that the server did not give `port`. The next port has been chosen already. */
    #logPort(failure, port) {
        const { address, ports } = this.server;
        // After a silent link, the server always holds our own port for a moment: this is not logged.
        if (failure.kind === 'port-taken' && (this.#lastServer === undefined || port !== ports.port))
            this.#failures.logTaken(address, port, ports.port);
        if (this.#options.remotePort.kind === 'auto' && ports.port === 0)
            this.#options.logger.warn(explainAnyPort(address, ports.asked));
    }
    #excludeServer(failure) {
        const reason = this.#failures.record(this.server.address, failure);
        if (this.#lastServer === undefined && isMisconfiguration(failure))
            throw failure;
        if (!this.#servers.exclude(performance.now()))
            throw this.explainEnd();
        this.#options.logger.warn(`${reason}; going on with ${renderAddress(this.server.address)}`);
        return { pauseMs: 0, reason };
    }
}
function explainBug(error) {
    return new errors/* TunnelError */.Tm(`this is a bug: ${(0,errors/* describeError */.Uc)(error)}`, { cause: error, retryable: false });
}

;// CONCATENATED MODULE: ./build/js/tunnel/session/dial.js
// Opens the control connection to a server, on the first of its addresses that answers. Used by session.ts.





const lookupAll = host => (0,external_node_dns_promises_.lookup)(host, { all: true, order: 'verbatim' });
/** Looks up the server's addresses and dials them. Throws TunnelFailure, or the signal's reason. */
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
 * Dials the addresses in their order, each some time before the next one; starting a dial does not end the others. When
 * all were dialled, it starts again with the silent ones: while a link is down, every packet is lost.
 * Node's own algorithm (autoSelectFamily) gives up each address after 250 ms: too early for another continent.
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
                throw new Error('the host name has no address');
            this.#dialNext();
            return await raceSignal(this.#result.promise, this.#outer);
        }
        finally {
            clearInterval(timer);
            this.#over.abort();
        }
    }
    #dialNext() {
        const silent = this.#addresses.filter(address => !this.#failed.has(address));
        const address = this.#addresses[this.#turn] ?? silent[this.#turn % Math.max(1, silent.length)];
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
/** One TCP connection: small writes go out at once, and the end of one direction does not end the other. */
function dialAddress({ host, port }, timeoutMs, signal) {
    return new Promise((resolve, reject) => {
        if (signal.aborted)
            return reject(signal.reason);
        const socket = (0,external_node_net_.connect)({ host, port, noDelay: true, allowHalfOpen: true });
        let isOver = false;
        const finish = () => {
            isOver = true;
            clearTimeout(timer);
            signal.removeEventListener('abort', onAbort);
        };
        const fail = (reason) => {
            finish();
            socket.destroy();
            reject(reason);
        };
        const onAbort = () => fail(signal.reason);
        const onTimeout = () => isOver || fail(new Error(`no answer within ${timeoutMs / 1_000} s`));
        // After a stall of this process the timer fires first, while the answer waits in the kernel.
        const timer = setTimeout(() => setImmediate(onTimeout), timeoutMs);
        signal.addEventListener('abort', onAbort, { once: true });
        socket.on('error', fail); // never removed: the connection's later readers rely on 'close' alone
        socket.once('connect', () => {
            finish();
            resolve(socket);
        });
    });
}

;// CONCATENATED MODULE: ./build/js/tunnel/wire/handshake.js
// The client's side of bore's handshake, as `client_handshake` in bore's src/auth.rs. Used by the control connection
// (session/open-port.ts) and by each data connection (visitors/data-connection.ts).


/** The proof for a server without a secret, which sends no challenge: empty. */
const NO_PROOF = '';
/** The frame that proves we know the secret, or undefined if `frame`, the server's first one, is not a challenge. */
function renderAuthentication(key, frame) {
    const message = decodeServerMessage(frame);
    if (typeof message !== 'object' || !('Challenge' in message))
        return undefined;
    return renderFrame({ Authenticate: answerChallenge(key, message.Challenge) });
}
/**
 * Sends proof and request in one write: the server does not confirm the proof, and a second small write would wait a
 * round trip for the acknowledgement of the first one.
 */
function handshake_sendRequest(socket, proof, request) {
    socket.write(`${proof}${renderFrame(request)}`, 'latin1');
}

;// CONCATENATED MODULE: ./build/js/tunnel/session/open-port.js
// The handshake on the control connection: proves the secret, asks for the public port, and explains what goes wrong.
// Used by session.ts.





/** A frame came that the handshake does not allow at this point. */
class UnexpectedFrame extends Error {
    frame;
    constructor(frame) {
        super('the server sent something unexpected');
        this.name = 'UnexpectedFrame';
        this.frame = Buffer.from(frame);
    }
}
/** Resolves with the public port the server opened for us. Rejects with TunnelFailure. */
async function openPort(socket, reader, request) {
    const { port, timings } = request;
    const proof = await proveSecret(reader, request);
    handshake_sendRequest(socket, proof, { Hello: port });
    try {
        return open_port_readPort(request, await reader.next(timings.hello));
    }
    catch (error) {
        throw explainHandshake(request, error);
    }
}
async function proveSecret(reader, request) {
    const { server, key, timings } = request;
    if (key === undefined)
        return NO_PROOF;
    const connectedAt = performance.now();
    try {
        const frame = await reader.next(timings.challenge);
        const proof = renderAuthentication(key, frame);
        if (proof === undefined)
            throw new UnexpectedFrame(frame);
        return proof;
    }
    catch (error) {
        // A server without a secret waits for our first frame while we wait for its challenge, and then hangs up.
        const isLate = performance.now() - connectedAt >= timings.earlyEnd;
        const saidNothing = error instanceof NoFrame && error.reason === 'ended' && error.received.length === 0;
        if (isLate && saidNothing)
            throw explainSecretUnwanted(server);
        throw explainHandshake(request, error);
    }
}
function open_port_readPort({ server, port }, frame) {
    const message = decodeServerMessage(frame);
    if (typeof message !== 'object' || !('Hello' in message))
        throw new UnexpectedFrame(frame);
    if (message.Hello === 0 || (port !== 0 && message.Hello !== port))
        throw explainWrongPort(server, port, message.Hello);
    return message.Hello;
}
function explainHandshake(request, error) {
    const { server } = request;
    if (error instanceof FrameTooLong)
        return explainNotBore(server, error.bytes);
    if (error instanceof UnexpectedFrame)
        return explainUnexpectedFrame(request, error.frame);
    if (!(error instanceof NoFrame))
        return error;
    if (error.reason === 'timeout' || error.received.length > 0)
        return explainNotBore(server, error.received);
    const message = `${renderAddress(server)} closed the connection during the handshake`;
    return new TunnelFailure('transient', message, { cause: error.cause });
}
function explainUnexpectedFrame({ server, key, port }, frame) {
    const message = decodeServerMessage(frame);
    if (typeof message === 'object' && 'Error' in message)
        return explainErrorFrame(server, port, message.Error, key !== undefined);
    if (typeof message === 'object' && 'Challenge' in message)
        return explainSecretRequired(server);
    return explainNotBore(server, frame);
}

;// CONCATENATED MODULE: ./build/js/tunnel/session/watchdog.js
// Notices that a link has fallen silent. Used by session.ts.
/** Calls `onSilence` once, when no bytes came for `timeoutMs`. Tests replace `readClock`. */
function startWatchdog(timeoutMs, onSilence, readClock = () => performance.now()) {
    let lastDataAt = readClock();
    let isOver = false;
    const stop = () => {
        isOver = true;
        clearTimeout(timer);
    };
    const decide = () => {
        if (isOver)
            return;
        const leftMs = timeoutMs - (readClock() - lastDataAt);
        // Timers count in whole milliseconds, so one may fire early by this clock (every third did). In this case wait only
        // for the remaining time; a new start would double it.
        if (leftMs > 0) {
            clearTimeout(timer);
            timer = setTimeout(check, leftMs);
            return;
        }
        stop();
        onSilence();
    };
    // After a stall of this process the timer fires first, while heartbeats wait in the kernel: setImmediate lets the
    // event loop read them before the decision.
    const check = () => void setImmediate(decide);
    let timer = setTimeout(check, timeoutMs);
    const onData = () => {
        lastDataAt = readClock();
        timer.refresh(); // does not wake a timer that was cleared
    };
    return {
        get lastDataAt() {
            return lastDataAt;
        },
        onData,
        stop,
    };
}

;// CONCATENATED MODULE: ./build/js/tunnel/session/session.js
// One session with a bore server: connects, asks for a port, then receives visitors' announcements and heartbeats until
// the control connection is lost. Used by reconnect.ts, which decides what happens then.









/** This server limits the connections from each client address, so no spare connections are opened there. */
const SHARED_SERVER = 'bore.pub';
/** Resolves when the server has opened the port. Rejects with TunnelFailure, or the signal's reason. */
async function startSession(options) {
    const { signal } = options;
    const control = await dialServer(options.server, options);
    const abandon = () => resetSocket(control.socket);
    signal.addEventListener('abort', abandon, { once: true });
    try {
        signal.throwIfAborted();
        options.onDialled();
        const reader = new FrameReader(control.socket);
        return serve(options, control, reader, await openPort(control.socket, reader, options));
    }
    catch (error) {
        resetSocket(control.socket);
        signal.throwIfAborted();
        throw error;
    }
    finally {
        signal.removeEventListener('abort', abandon);
    }
}
function serve(options, { socket, address }, reader, port) {
    const { promise: ended, resolve } = Promise.withResolvers();
    const { heartbeat } = options.timings;
    const watchdog = startWatchdog(heartbeat, () => resolve(`no heartbeat for ${heartbeat / 1_000} s`));
    const retire = (reason) => {
        watchdog.stop();
        resolve(reason);
    };
    const onFrame = createFrameHandler(options, address);
    reader.follow(frame => onFrame(frame), error => retire((0,errors/* describeError */.Uc)(error)));
    socket.on('data', watchdog.onData);
    socket.once('end', () => retire('the server closed the control connection'));
    socket.once('close', () => retire(socket.errored?.message ?? 'the control connection was closed'));
    return {
        port,
        startedAt: performance.now(),
        get lastDataAt() {
            return watchdog.lastDataAt;
        },
        ended,
        retire,
        stop: () => void resetSocket(socket),
    };
}
/** Nothing a server sends after `Hello` ends the session: the first unexpected frame is logged, the rest ignored. */
function createFrameHandler({ visitors, logger, server, key }, address) {
    let hasWarned = false;
    return frame => {
        const message = decodeServerMessage(frame);
        if (message === 'Heartbeat')
            return;
        // Use the IP address of this session: another address of the same name may be another server, without this visitor.
        if (message !== undefined && 'Connection' in message)
            return visitors.fetch(message.Connection, {
                address,
                key,
                allowsSpares: server.host !== SHARED_SERVER,
            });
        if (hasWarned)
            return;
        hasWarned = true;
        const text = message !== undefined && 'Error' in message ? message.Error : frame;
        logger.warn(`${renderAddress(server)} sent ${quote(text)}; the tunnel goes on`);
    };
}

// EXTERNAL MODULE: external "node:worker_threads"
var external_node_worker_threads_ = __webpack_require__(5919);
;// CONCATENATED MODULE: ./build/js/tunnel/visitors/thread-handle.js
// The first thread's handle of the second one, which fetches raw visitors and relays their bytes. The program of the
// second thread is src/visitor-thread.ts. Used by shared-visitors.ts.


/** When stopped, the thread gets this much more time than its visitors have to finish; then it is terminated. */
const END_MS = 1_000;
/** Positions in the shared counts. `fetched` counts the ids received; the others are those of Visitors and Relay. */
const THREAD_COUNTS = { fetched: 0, load: 1, open: 2, visits: 3 };
class ThreadHandle {
    #worker;
    #counts;
    #ended;
    #isReady = false;
    #sent = 0;
    #source;
    #hasNewSource = false;
    #target;
    #ids = [];
    /**
     * Starts the thread. If it breaks later, a warning is logged, and it takes no more visitors. Throws if the system
     * refuses a thread or there is no such script.
     */
    constructor(script, relay, options) {
        const { logger, timings, maxVisitors, maxDials } = options;
        const counts = new SharedArrayBuffer(Object.keys(THREAD_COUNTS).length * Int32Array.BYTES_PER_ELEMENT);
        const data = { counts, timings, maxVisitors, maxDials, limits: relay.idleLimits };
        this.#counts = new Int32Array(counts);
        // Without environment and arguments: both may hold secrets that the thread does not need.
        this.#worker = new external_node_worker_threads_.Worker(script, { workerData: data, env: {}, argv: [], name: 'visitors' });
        this.#worker.unref();
        this.setTarget(relay.target);
        this.#worker.on('message', (event) => {
            if (event.kind === 'ready')
                this.#isReady = true;
            else
                logger[event.level](event.text);
        });
        this.#worker.on('error', error => {
            this.#isReady = false;
            logger.warn(`the second thread for visitors broke, so the first one serves all; visitors on it have to connect again: ${(0,errors/* describeError */.Uc)(error)}`);
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
    /** Visitors connected or being fetched, also those in commands that the thread has not read yet. */
    get load() {
        return this.#sent - this.#read('fetched') + this.#read('load');
    }
    get open() {
        return this.#read('open');
    }
    get visits() {
        return this.#read('visits');
    }
    fetch(id, source) {
        if (this.#source?.address !== source.address)
            this.#changeSource(source);
        this.#sent += 1;
        this.#ids.push(id);
        if (this.#ids.length === 1)
            queueMicrotask(() => this.#sendIds());
    }
    /** Sent at once, not with the next visitor: another program may already use the port that the app left. */
    setTarget(target) {
        if (target?.host === this.#target?.host && target?.port === this.#target?.port)
            return;
        this.#target = target && { host: target.host, port: target.port };
        this.#send({ kind: 'target', target: this.#target });
    }
    async stop(drainMs) {
        this.#send({ kind: 'stop', drainMs });
        const timer = setTimeout(() => void this.#worker.terminate(), drainMs + END_MS);
        await this.#ended;
        clearTimeout(timer);
    }
    #changeSource(source) {
        this.#sendIds();
        this.#source = source;
        this.#hasNewSource = true;
    }
    /** All ids that came in one read of the control connection, in one command. */
    #sendIds() {
        if (this.#ids.length === 0)
            return;
        this.#send({
            kind: 'fetch',
            ids: this.#ids,
            ...(this.#hasNewSource && this.#source && { source: this.#source }),
        });
        this.#ids = [];
        this.#hasNewSource = false;
    }
    #send(command) {
        this.#worker.postMessage(command);
    }
    #read(name) {
        return Atomics.load(this.#counts, THREAD_COUNTS[name]);
    }
    /** The visits that the thread has served still count. */
    #forgetVisitors() {
        this.#sent = this.#read('fetched');
        Atomics.store(this.#counts, THREAD_COUNTS.load, 0);
        Atomics.store(this.#counts, THREAD_COUNTS.open, 0);
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/visitors/data-connection.js
// One connection to the server that fetches one visitor: dials, proves the secret, and then carries the visitor's
// bytes. Opened by visitors.ts for a visitor who waits, or before one comes (spare-connections.ts). It uses callbacks
// and one timer instead of promises, because many short visits spend most of their time here (bench B4).




const UNEXPECTED = 'the server sent something unexpected';
class DataConnection {
    source;
    #holdMs;
    #onDialled;
    #onFailed;
    #end;
    #socket;
    #decoder = new FrameDecoder();
    #dialledAt = performance.now();
    #timer;
    /** What proves the secret; undefined until the server has sent its challenge. */
    #proof;
    #visitor;
    #isOver = false;
    /**
     * Dials at once. `end` reads the bytes; without it they are read as a stream. A failure calls this `onFailed`; after
     * `accept` it calls the one given there.
     */
    constructor(source, end, limits, events) {
        this.source = source;
        this.#holdMs = limits.holdMs;
        this.#onDialled = events.onDialled;
        this.#onFailed = () => events.onFailed?.(this);
        this.#end = end;
        this.#socket = (0,external_node_net_.connect)({
            ...source.address,
            noDelay: true,
            allowHalfOpen: true,
            ...end?.socketOptions,
        });
        this.#timer = setTimeout(() => this.#fail('no answer in time'), limits.timeoutMs);
        this.#socket.on('error', error => this.#fail(error.message)); // never removed: later readers rely on 'close' alone
        this.#socket.on('end', this.#onEnd);
        this.#socket.on('connect', () => this.#onConnect());
        if (end)
            end.onData = chunk => this.#onData(chunk);
        else
            this.#socket.on('readable', this.#onReadable);
    }
    /** The server may hang up at any moment, because it has received nothing since we dialled. */
    get isStale() {
        return this.#ageMs >= this.#holdMs;
    }
    get #ageMs() {
        return performance.now() - this.#dialledAt;
    }
    /** Fetches the visitor `id`, now or as soon as the server has sent its challenge. To be called once. */
    accept(id, { onVisitor, onFailed }) {
        this.#visitor = { id, onVisitor };
        this.#onFailed = onFailed;
        if (this.#proof !== undefined)
            this.#fetch(this.#visitor, this.#proof);
    }
    /** Hangs up and calls no event; does nothing if a visitor was fetched. */
    abandon() {
        if (this.#isOver)
            return;
        this.#finish();
        this.#socket.destroy();
    }
    #onConnect() {
        this.#onDialled?.(this.#ageMs);
        if (this.source.key === undefined)
            this.#setProof(NO_PROOF);
    }
    #onReadable = () => {
        const chunk = this.#socket.read();
        if (Buffer.isBuffer(chunk))
            this.#onData(chunk);
    };
    #onEnd = () => this.#fail('the server hung up');
    #onData(chunk) {
        if (this.#isOver)
            return;
        try {
            this.#decoder.push(chunk);
            const frame = this.#decoder.next();
            if (frame === undefined)
                return;
            const { key } = this.source;
            const proof = key && renderAuthentication(key, frame);
            if (proof === undefined)
                this.#fail(UNEXPECTED);
            else
                this.#setProof(proof);
        }
        catch {
            this.#fail(UNEXPECTED); // more bytes than a frame has
        }
    }
    #setProof(proof) {
        this.#proof = proof;
        clearTimeout(this.#timer);
        if (this.#visitor !== undefined)
            this.#fetch(this.#visitor, proof);
        else
            this.#timer = setTimeout(() => this.#fail('no visitor came'), Math.max(0, this.#holdMs - this.#ageMs));
    }
    #fetch({ id, onVisitor }, proof) {
        this.#finish();
        this.#socket.off('end', this.#onEnd).off('readable', this.#onReadable);
        handshake_sendRequest(this.#socket, proof, { Accept: id });
        onVisitor(this.#socket, this.#decoder.takeRest(), this.#end);
    }
    #fail(reason) {
        if (this.#isOver)
            return;
        this.#finish();
        resetSocket(this.#socket);
        this.#onFailed(reason);
    }
    #finish() {
        this.#isOver = true;
        clearTimeout(this.#timer);
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/visitors/spare-connections.js
// Spare data connections, opened before the visitors who need them come. A browser opens more connections soon after
// its first one, and on a far server each would wait 4 round trips for a dial and a challenge; with a spare one it
// waits 2 (bench B7). Used by visitors.ts.
/** A browser opens six connections to a host; these are opened when its first one has come. */
const SPARE_CONNECTIONS = 5;
class SpareConnections {
    #open;
    /** Oldest first. */
    #connections = [];
    constructor(open) {
        this.#open = open;
    }
    /** Removes and returns the oldest one, which is most likely ready; undefined if none is fresh enough. */
    take(source) {
        if (this.#connections[0]?.source.address !== source.address)
            this.stop();
        for (let oldest = this.#connections.shift(); oldest; oldest = this.#connections.shift()) {
            if (!oldest.isStale)
                return oldest;
            oldest.abandon();
        }
        return undefined;
    }
    /** Opens the missing ones; called when a visitor came, never before the first. */
    refill(source) {
        while (this.#connections.length < SPARE_CONNECTIONS)
            this.#connections.push(this.#open(source, failed => {
                this.#connections = this.#connections.filter(connection => connection !== failed);
            }));
    }
    /** Closes all of them. May be called twice. */
    stop() {
        for (const connection of this.#connections)
            connection.abandon();
        this.#connections = [];
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/visitors/visitors.js
// Fetches each visitor over a data connection of its own, gives it to the sink, and counts the open visitors. Visitors
// belong to the tunnel and not to a session, because they stay when the control connection is lost. Made by
// shared-visitors.ts and visitor-thread.ts; session.ts and reconnect.ts use it as VisitorFetcher.






class Visitors {
    #options;
    #open = new Set();
    #queue = [];
    /** Ids queued or being fetched: a second announcement with the same id is not another visitor. */
    #expected = new Set();
    #dialling = new Set();
    #retries = new Set();
    #spares = new SpareConnections((source, onFailed) => this.#connect(source, { onFailed }));
    /** Shortest connect time to the current server, our estimate of the round trip. */
    #roundTripMs = Number.POSITIVE_INFINITY;
    #measuredServer;
    #isStopped = false;
    constructor(options) {
        this.#options = options;
    }
    get open() {
        return this.#open.size;
    }
    /** Visitors open, queued or being fetched. */
    get load() {
        return this.#open.size + this.#expected.size;
    }
    fetch(id, source) {
        const { maxVisitors, maxDials, timings, logger } = this.#options;
        if (this.#isStopped || this.#expected.has(id))
            return;
        if (this.load >= maxVisitors) {
            logger.debug(explainFull(maxVisitors));
            return;
        }
        this.#expected.add(id);
        this.#options.onChange?.();
        const invitation = { id, source, deadline: performance.now() + timings.visitor };
        if (this.#dialling.size < maxDials)
            this.#dial(invitation);
        else
            this.#queue.push(invitation);
    }
    async stop(drainMs) {
        this.#isStopped = true;
        this.#queue.length = 0;
        for (const timer of this.#retries)
            clearTimeout(timer);
        for (const connection of this.#dialling)
            connection.abandon();
        this.#spares.stop();
        const deadline = AbortSignal.timeout(drainMs);
        for (const socket of this.#open)
            if (drainMs > 0)
                await (0,external_node_events_.once)(socket, 'close', { signal: deadline }).catch(() => { });
        for (const socket of this.#open)
            resetSocket(socket);
        this.#options.destination.cut();
    }
    #dial(invitation) {
        const { source } = invitation;
        const onDialled = (roundTripMs) => this.#onRoundTrip(source, roundTripMs);
        const connection = this.#spares.take(source) ?? this.#connect(source, { onDialled });
        this.#dialling.add(connection);
        connection.accept(invitation.id, {
            onVisitor: (socket, first, end) => {
                this.#forget(connection, invitation);
                this.#deliver(socket, first, end);
                this.#options.onChange?.();
            },
            onFailed: reason => this.#retry(connection, invitation, reason),
        });
        this.#openSpares(source);
    }
    #onRoundTrip(source, roundTripMs) {
        const shortest = this.#measuredServer === source.address ? this.#roundTripMs : Number.POSITIVE_INFINITY;
        this.#measuredServer = source.address;
        this.#roundTripMs = Math.min(shortest, roundTripMs);
        this.#openSpares(source);
    }
    #openSpares(source) {
        const { spareConnections, timings } = this.#options;
        if (!spareConnections || !source.allowsSpares || this.#isStopped)
            return;
        if (this.#measuredServer !== source.address)
            return;
        if (this.#roundTripMs >= timings.spareRoundTrip)
            this.#spares.refill(source);
    }
    #connect(source, events) {
        const { destination, timings } = this.#options;
        const limits = { timeoutMs: timings.dataConnection, holdMs: timings.spareHold };
        return new DataConnection(source, destination.openEnd(), limits, events);
    }
    #forget(connection, { id }) {
        this.#dialling.delete(connection);
        this.#expected.delete(id);
        this.#dialNext();
    }
    #dialNext() {
        while (this.#dialling.size < this.#options.maxDials) {
            const next = this.#queue.shift();
            if (next === undefined)
                return;
            if (performance.now() < next.deadline)
                this.#dial(next);
            else
                this.#giveUp(next, 'no dial was free in time');
        }
    }
    #retry(connection, invitation, reason) {
        const { visitorRetry } = this.#options.timings;
        if (performance.now() + visitorRetry >= invitation.deadline) {
            this.#giveUp(invitation, reason);
            this.#forget(connection, invitation);
            return;
        }
        // The failed connection counts as being dialled until another one replaces it.
        const timer = setTimeout(() => {
            this.#retries.delete(timer);
            this.#dialling.delete(connection);
            this.#dial(invitation);
        }, visitorRetry);
        this.#retries.add(timer);
    }
    #giveUp({ id }, reason) {
        this.#expected.delete(id);
        this.#options.onChange?.();
        this.#options.logger.debug(`a visitor was lost: ${sanitise(reason)}`);
    }
    #deliver(socket, first, end) {
        const { destination, logger } = this.#options;
        this.#open.add(socket);
        socket.on('close', () => {
            this.#open.delete(socket);
            this.#options.onChange?.();
        });
        try {
            destination.accept(socket, first, end);
        }
        catch (error) {
            resetSocket(socket);
            logger.error(`a visitor could not be served: ${(0,errors/* describeError */.Uc)(error)}`);
        }
    }
}
/** Log text: a visitor is not fetched. */
function explainFull(maxVisitors) {
    return `a visitor was not fetched: the limit of ${maxVisitors} visitors is reached`;
}

;// CONCATENATED MODULE: ./build/js/tunnel/visitors/shared-visitors.js
// Visitors on two threads: when many connections come and go, one thread of Node.js carries about two thirds of what
// the Rust client does on two (bench B4). The second is started only while the first is busy with many raw visitors,
// and then takes every other new one. Used by reconnect.ts.



/** How busy the first thread must be, and over how many milliseconds, before the second one is started. */
const BUSY_SHARE = 0.6;
const BUSY_MS = 1_000;
/** Below this many visitors a second thread costs more than it gains. */
const MIN_VISITORS_FOR_SECOND_THREAD = 8;
/** Fetches visitors on one thread, or on two if the destination allows it. */
function createVisitors(options) {
    const { secondThread } = options.destination;
    return secondThread ? new SharedVisitors(options, secondThread) : new Visitors(options);
}
class SharedVisitors {
    #options;
    #thread;
    #first;
    #second;
    /** The system refused a second thread; it is not tried again. */
    #isRefused = false;
    #isSecondsTurn = false;
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
    fetch(id, source) {
        if (this.#isStopped)
            return;
        if (this.#second === undefined) {
            this.#first.fetch(id, source);
            if (this.#needsSecond())
                this.#startSecond();
            return;
        }
        const { maxVisitors, logger } = this.#options;
        const isFull = this.#first.load + this.#second.load >= maxVisitors;
        if (isFull)
            logger.debug(explainFull(maxVisitors));
        else if (this.#takesTurns(this.#second) && !this.#thread.relay.isAwaitingToken)
            this.#second.fetch(id, source);
        else
            this.#first.fetch(id, source);
    }
    async stop(drainMs) {
        this.#isStopped = true;
        await Promise.all([this.#first.stop(drainMs), this.#second?.stop(drainMs)]);
    }
    /** Alternates, instead of comparing numbers of visitors: a thousand silent visitors are less work than a busy one. */
    #takesTurns(second) {
        if (this.#first.load < MIN_VISITORS_FOR_SECOND_THREAD || !second.isReady)
            return false;
        this.#isSecondsTurn = !this.#isSecondsTurn;
        return this.#isSecondsTurn;
    }
    #needsSecond() {
        return !this.#isRefused && this.#first.load >= MIN_VISITORS_FOR_SECOND_THREAD && this.#isBusy();
    }
    /** Measured when a visitor comes: a thread without new visitors is not busy with them. */
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
        const { logger } = this.#options;
        const { script, relay } = this.#thread;
        try {
            this.#second = new ThreadHandle(script, relay, this.#options);
            relay.addWorker(this.#second);
            logger.debug('many visitors: a second thread takes its share of the new ones');
        }
        catch (error) {
            this.#isRefused = true;
            logger.warn(`could not start a second thread for visitors, so one serves all: ${(0,errors/* describeError */.Uc)(error)}`);
        }
    }
}

;// CONCATENATED MODULE: ./build/js/tunnel/reconnect.js
// The tunnel: one session after the other, on the same server and port if possible. Used by exposure/public-tunnel.ts.
// retry/retry-policy.ts decides when and where the next attempt is made.







/**
 * Resolves at the first Connected. Rejects with TunnelError: at once if trying again cannot help (state Failed),
 * otherwise when `signal` is aborted, with the last failures (state Disconnected).
 */
async function reconnect_startTunnel(options) {
    const tunnel = new ReconnectingTunnel(options);
    await tunnel.start(options.signal);
    return tunnel;
}
class ReconnectingTunnel {
    #options;
    #timings;
    #retryPolicy;
    #visitors;
    #stopping = new AbortController();
    #session;
    #state = { status: 'Not started' };
    /** Set while we change to another port: resolved when Connected there. */
    #portChange;
    constructor(options) {
        this.#options = options;
        this.#timings = { ...TIMINGS, ...options.timings };
        this.#retryPolicy = new RetryPolicy(options, this.#timings);
        this.#visitors = createVisitors({
            destination: options.destination,
            logger: options.logger,
            timings: this.#timings,
            spareConnections: options.spareConnections ?? true,
            maxVisitors: options.maxVisitors ?? options.destination.maxVisitors,
            maxDials: options.maxDials ?? MAX_DIALS,
        });
    }
    get openVisitors() {
        return this.#visitors.open;
    }
    async start(signal) {
        this.#enter({ status: 'Connecting' });
        const session = await this.#connect(AbortSignal.any([signal, this.#stopping.signal]));
        void this.#replaceSessions(session);
    }
    async changePort() {
        const { address, ports } = this.#retryPolicy.server;
        if (this.#stopping.signal.aborted || this.#state.status === 'Failed')
            throw explainClosed();
        const isPossible = this.#portChange !== undefined || (this.#options.remotePort.kind !== 'fixed' && ports.reject());
        if (!isPossible)
            throw new errors/* TunnelError */.Tm(`another program answers at ${address.host}:${ports.port}: choose another \`remote-port\``, { retryable: false });
        this.#portChange ??= this.#startPortChange();
        const late = new errors/* TunnelError */.Tm(`${address.host} gave no other port in time`, { retryable: true });
        const timer = setTimeout(() => this.#failPortChange(late), this.#timings.changePort);
        await this.#portChange.promise.finally(() => clearTimeout(timer));
    }
    async stop({ drainMs = this.#timings.drain } = {}) {
        if (!this.#stopping.signal.aborted) {
            this.#stopping.abort();
            this.#session?.stop();
            this.#failPortChange(explainClosed());
            if (this.#state.status !== 'Failed')
                this.#enter({ status: 'Disconnected' });
        }
        await this.#visitors.stop(drainMs);
    }
    /** Replaces every session that ends, until we are stopped, or trying again cannot help. */
    async #replaceSessions(first) {
        for (let session = first;;) {
            const reason = await session.ended;
            if (this.#stopping.signal.aborted)
                return;
            const lostAt = performance.now();
            this.#retryPolicy.markLost(session, reason, this.#portChange !== undefined);
            this.#reportReconnecting(reason);
            try {
                session = await this.#connect(this.#stopping.signal);
            }
            catch {
                return; // stopped, or Failed: `onState` has reported it
            }
            this.#retryPolicy.logReconnected(performance.now() - lostAt, session.port);
        }
    }
    /** Tries until there is a session. Rejects with TunnelError if that cannot succeed, or `signal` ends it. */
    async #connect(signal) {
        let pause = this.#retryPolicy.nextPause();
        for (;;) {
            try {
                await (0,external_node_timers_promises_.setTimeout)(pause, undefined, { signal });
                const session = await this.#startSession(signal);
                if (signal.aborted)
                    session.stop(); // aborted at the moment of success
                signal.throwIfAborted();
                this.#use(session);
                return session;
            }
            catch (error) {
                if (signal.aborted)
                    throw this.#explainAbort();
                pause = this.#decidePause(error);
            }
        }
    }
    async #startSession(signal) {
        const { server, lastServer } = this.#retryPolicy;
        const { port } = server.ports;
        const old = this.#session;
        const limit = this.#retryPolicy.createLimit();
        try {
            return await startSession({
                server: server.address,
                key: server.key,
                port,
                visitors: this.#visitors,
                // Only now can a reset reach the server and free the port: when the session fell silent, the link was dead. If
                // we change to another port, the old session stays open until the new one is ready, so that the server cannot
                // give us the old port again.
                onDialled: () => {
                    if (server === lastServer && port === old?.port)
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
                throw explainTimeout(server.address);
            throw error;
        }
    }
    #use(session) {
        this.#session?.stop();
        this.#session = session;
        this.#retryPolicy.markConnected(session.port);
        const { host } = this.#retryPolicy.server.address;
        this.#enter({ status: 'Connected', host, port: session.port });
        this.#portChange?.resolve();
        this.#portChange = undefined;
    }
    /** Milliseconds until the next attempt. Throws if trying again cannot help. */
    #decidePause(error) {
        try {
            const { pauseMs, reason } = this.#retryPolicy.decideRetry(error);
            if (this.#state.status === 'Connecting')
                this.#enter({ status: 'Connecting', reason });
            else
                this.#reportReconnecting(reason);
            return pauseMs;
        }
        catch (failure) {
            this.#session?.stop();
            this.#enter({ status: 'Failed', reason: (0,errors/* describeError */.Uc)(failure) });
            this.#failPortChange(failure);
            throw failure;
        }
    }
    /** Reports nothing during a change of port, which we wanted: the old address is shown until there is a new one. */
    #reportReconnecting(reason) {
        if (this.#portChange !== undefined)
            return;
        const state = this.#state;
        if (state.status === 'Connected' || (state.status === 'Reconnecting' && state.reason !== reason))
            this.#enter({ status: 'Reconnecting', host: state.host, port: state.port, reason });
    }
    #explainAbort() {
        if (this.#state.status === 'Connecting')
            this.#enter({ status: 'Disconnected' });
        return this.#retryPolicy.explainEnd();
    }
    #startPortChange() {
        this.#session?.retire('another program answers at our address; asking for another port');
        return Promise.withResolvers();
    }
    #failPortChange(failure) {
        this.#portChange?.reject(failure);
        this.#portChange = undefined;
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
// Checks that the public address leads to this exposure, before it is published. Used by public-tunnel.


/** How long to wait for an answer. Without hairpin NAT, none ever comes. */
const CHECK_TIMEOUT_MS = 5_000;
const RETRY_MS = 250;
/** How many ports are tried if another program answers on each: even one such port is rare. */
const MAX_FOREIGN_ANSWERS = 3;
/**
 * Probes the address until our own proof comes back, for 5 s from its last change. Resolves with undefined if there was
 * no address, or the signal was aborted. With `isPlain`, an answer without our proof means that another program has the
 * port: asks for another port, and rejects with a TunnelError if there is none. If `isCertain` is false, it keeps the
 * last port instead.
 */
async function checkAddress(check) {
    let url = check.readUrl();
    let deadline = startClock();
    let lastAnswer = { kind: 'silent', detail: '' };
    let foreignAnswers = 0;
    while (performance.now() < deadline && !check.signal.aborted) {
        const current = check.readUrl();
        if (current !== url)
            [url, deadline] = [current, startClock()];
        const answer = await probeOnce(check, url, deadline);
        if (check.signal.aborted)
            return undefined;
        if (check.readUrl() !== url)
            continue; // the URL changed meanwhile: drop this answer
        if (url !== undefined && answer.kind === 'proved')
            return { kind: 'verified', url };
        // A probe that the deadline cut off says the least, so the previous answer is kept.
        const isInTime = performance.now() < deadline;
        if (answer.kind !== 'proved' && (isInTime || lastAnswer.detail === ''))
            lastAnswer = answer;
        if (url !== undefined && answer.kind === 'unproved' && check.isPlain) {
            foreignAnswers += 1;
            if (!(await leavePort(check, url, foreignAnswers)))
                break;
        }
        else
            await (0,external_node_timers_promises_.setTimeout)(RETRY_MS, undefined, { signal: check.signal }).catch(() => { });
    }
    if (check.signal.aborted || url === undefined)
        return undefined;
    check.logger.warn(explain(url, lastAnswer));
    return { kind: 'unverified', url, reason: lastAnswer.kind };
}
function explain(url, { kind, detail }) {
    switch (kind) {
        case 'silent':
            return `${url} did not answer from here (${detail}); that is normal if a network does not route back to itself, so the link is published anyway`;
        case 'unproved':
            return `${url} could not be verified (${detail}): another program may have this address, or a proxy in between answers for it; it is published anyway, so try it from elsewhere`;
        case 'app away':
            return `${url} could not be checked (${detail}); it is published anyway`;
    }
}
function startClock() {
    return performance.now() + CHECK_TIMEOUT_MS;
}
async function probeOnce(check, url, deadline) {
    if (url === undefined)
        return { kind: 'silent', detail: 'the tunnel is away' };
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(deadline - performance.now())));
    return await check.probe(url, AbortSignal.any([check.signal, timeout]));
}
/** Another program answers at the port: asks for a different one. False if this port is to be kept, unverified. */
async function leavePort(check, url, foreignAnswers) {
    const message = `another program answers at ${url}: the bore server gave out an address that leads elsewhere`;
    if (foreignAnswers >= MAX_FOREIGN_ANSWERS) {
        if (check.isCertain)
            throw new errors/* TunnelError */.Tm(message, { retryable: false });
        return false;
    }
    check.logger.warn(`${message}; asking for another port`);
    try {
        await check.changePort();
        return true;
    }
    catch (error) {
        if (check.isCertain || check.signal.aborted)
            throw error;
        return false;
    }
}

;// CONCATENATED MODULE: ./build/js/exposure/tunnel-status.js
// The part of an exposure's state that describes the tunnel, and the wait until it is connected. Written by
// public-tunnel; exposure copies every change into its state.


class TunnelStatusRecord {
    #onChange;
    #waiting = new Set();
    #now = {
        tunnel: { status: 'Not started' },
        address: { kind: 'none' },
        reconnects: 0,
        addressChanges: 0,
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
    /** The tunnel is connected to that server and port, with that address in front. */
    connect({ host, port }, address, addressChanges = 0) {
        const { tunnel, reconnects } = this.#now;
        this.change({
            tunnel: { status: 'Connected', host, port },
            address,
            reconnects: reconnects + (tunnel.status === 'Reconnecting' ? 1 : 0),
            addressChanges: this.#now.addressChanges + addressChanges,
        });
    }
    /** Connected, but the address must not be published yet. */
    withhold(reason) {
        const { tunnel } = this.#now;
        const hasAddress = tunnel.status === 'Connected' || tunnel.status === 'Reconnecting';
        const withheld = hasAddress
            ? { ...tunnel, status: 'Reconnecting', reason }
            : { status: 'Connecting', reason };
        this.change({ tunnel: withheld });
    }
    /** Resolves when Connected. Rejects with a TunnelError when the tunnel has failed, or when the signal is aborted. */
    async waitUntilConnected(signal) {
        const connected = Promise.withResolvers();
        const look = () => {
            const { tunnel } = this.#now;
            if (tunnel.status === 'Connected')
                connected.resolve();
            if (tunnel.status === 'Failed')
                connected.reject(new errors/* TunnelError */.Tm(tunnel.reason, { retryable: false }));
        };
        this.#waiting.add(look);
        look(); // it may have failed long ago
        try {
            await raceSignal(connected.promise, signal);
        }
        catch (error) {
            throw error instanceof errors/* TunnelError */.Tm
                ? error
                : new errors/* TunnelError */.Tm('the tunnel is not connected yet', { retryable: true });
        }
        finally {
            this.#waiting.delete(look);
        }
    }
}

;// CONCATENATED MODULE: ./build/js/exposure/public-tunnel.js
// Opens the tunnel, checks that its address leads here, and closes and reopens it on command. Used by exposure, which
// owns the state.
//
// It keeps three facts: the current public address (`#location`), the URL that was published (`#publishedUrl`), and
// what the state says (`#status`). A new URL is checked before it replaces the published one.







/** Of 64,512 ports 19 are blocked: even one change is rare. */
const MAX_PORT_CHANGES = 5;
/** `tunnel/start` must answer before the client of the API gives up. */
const RESTART_TIMEOUT_MS = 8_000;
class PublicTunnel {
    #options;
    #status;
    #tunnel;
    /** Set while the tunnel starts, so that the port can be changed before `startTunnel` resolves. */
    #starting;
    #turn = Promise.resolve();
    /** The current public address, or the last one: it is requested again after a stop. */
    #location;
    /** Undefined until an address was published. */
    #publishedUrl;
    #closed = new AbortController();
    /** `#closed` of the tunnel whose new address is being checked. */
    #checking;
    constructor(options) {
        this.#options = options;
        this.#status = new TunnelStatusRecord(options.onChange);
    }
    get status() {
        return this.#status.now;
    }
    /** Where visitors come in, or came in last, published or not. */
    get lastAddress() {
        return this.#location?.address;
    }
    /** Undefined while the tunnel is away. */
    get #address() {
        return this.#location?.isConnected ? this.#location.address : undefined;
    }
    /** The first start; resolves when Connected, with an unchecked address. Rejects with a TunnelError. */
    open(signal) {
        return this.#inTurn(async () => {
            await this.#open(signal);
            await this.#leaveBlockedPort();
        });
    }
    /**
     * Checks the address, and changes the port if another program has it. From now on the address counts as published: a
     * later change is checked first. While the tunnel is away, waits for it; once the signal is aborted, publishes
     * nothing. Rejects with a TunnelError if another program has the address and there is no other port.
     */
    async verify(signal) {
        for (;;) {
            const checked = await this.#check(signal);
            if (checked !== undefined && (this.#address === undefined || this.#address.url === checked.url)) {
                this.#status.change({ address: checked });
                this.#publishedUrl = checked.url;
                return;
            }
            if (signal.aborted)
                return;
            await this.#status.waitUntilConnected(signal);
        }
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
            this.#status.change({ tunnel: { status: 'Disconnected' }, address: { kind: 'none' } });
        });
    }
    /** Gives the public port back at once, updates the state, and lets visitors finish for `drainMs`. */
    async close(drainMs) {
        const tunnel = this.#tunnel;
        this.#tunnel = undefined;
        this.#disconnect();
        this.#closed.abort();
        if (tunnel !== undefined && this.#status.now.tunnel.status !== 'Failed')
            this.#status.change({ tunnel: { status: 'Disconnected' } });
        await tunnel?.stop({ drainMs });
    }
    /** Runs one piece of work after the other: two starts at once would open two tunnels. */
    #inTurn(work) {
        const turn = this.#turn.then(work);
        this.#turn = turn.catch(() => { }); // the caller gets the failure
        return turn;
    }
    async #startAgain() {
        if (this.#options.signal.aborted)
            throw new errors/* TunnelError */.Tm('the exposure has ended', { retryable: false });
        if (this.#status.now.tunnel.status === 'Connected')
            return;
        const signal = AbortSignal.any([AbortSignal.timeout(RESTART_TIMEOUT_MS), this.#options.signal]);
        if (this.#tunnel === undefined)
            await this.#open(signal);
        await this.#status.waitUntilConnected(signal);
    }
    async #open(signal) {
        const { config, ingress, logger } = this.#options;
        const { servers, identity, remotePort, spareConnections } = config;
        this.#closed = new AbortController();
        const { signal: closed } = this.#closed;
        this.#starting = reconnect_startTunnel({
            servers,
            identity,
            remotePort,
            preferred: this.lastAddress,
            destination: ingress.destination,
            spareConnections,
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
    async #changePort() {
        const tunnel = await this.#starting;
        await tunnel?.changePort();
    }
    #disconnect() {
        if (this.#location !== undefined)
            this.#location = { ...this.#location, isConnected: false };
    }
    #follow(tunnel) {
        if (this.#options.signal.aborted)
            return;
        if (tunnel.status !== 'Connected') {
            this.#disconnect();
            this.#status.change({ tunnel });
            return;
        }
        const { host, port } = tunnel;
        const url = renderPublicUrl(this.#options.config.publicUrl, host, port);
        this.#location = { address: { host, port, url }, isConnected: true };
        const { address } = this.#status.now;
        const isChecked = address.kind === 'verified' || address.kind === 'unverified';
        if (isChecked && address.url === url)
            this.#status.connect(tunnel, address);
        else if (this.#publishedUrl === undefined)
            this.#status.connect(tunnel, { kind: 'unchecked', url });
        else
            void this.#checkNewAddress();
    }
    /** A new address is published when its check is over; until then the state says that the tunnel reconnects. */
    async #checkNewAddress() {
        this.#status.withhold('the new address is being checked');
        const closed = this.#closed;
        if (this.#checking === closed)
            return; // the running check reads the new address by itself
        this.#checking = closed;
        try {
            const signal = AbortSignal.any([this.#options.signal, closed.signal]);
            // If the tunnel is lost again, the next Connected begins a new check.
            while (this.#address !== undefined && !signal.aborted) {
                await this.#leaveBlockedPort();
                const checked = await this.#check(signal);
                if (checked === undefined || checked.url !== this.#address?.url)
                    continue;
                this.#publish(this.#address, checked);
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
    #publish(server, address) {
        const hasChanged = address.url !== this.#publishedUrl;
        this.#publishedUrl = address.url;
        this.#status.connect(server, address, hasChanged ? 1 : 0);
        if (hasChanged)
            this.#options.logger.warn(`the public address changed: it is ${address.url} now`);
    }
    #check(signal) {
        const { config, ingress, logger } = this.#options;
        // Without a gateway, anything that accepts every connection looks like another program: a fixed port is kept then.
        const isCertain = !ingress.needsApp;
        return checkAddress({
            readUrl: () => this.#address?.url,
            probe: (url, limit) => ingress.probe(url, limit),
            isPlain: isPlainPublicUrl(config.publicUrl, ingress.endsTls) &&
                (isCertain || config.remotePort.kind !== 'fixed'),
            isCertain,
            changePort: () => this.#changePort(),
            logger,
            signal,
        });
    }
    /** Browsers refuse to open some ports: if the server chose one of them, changes the port. */
    async #leaveBlockedPort() {
        const { config, ingress, logger } = this.#options;
        const { remotePort, publicUrl } = config;
        if (!/^https?:/.test(publicUrl) || !isPlainPublicUrl(publicUrl, ingress.endsTls))
            return;
        for (let changes = 0; isBlockedPort(this.#address?.port); changes += 1) {
            const canChange = isServersChoice(remotePort) && changes < MAX_PORT_CHANGES;
            const remedy = canChange ? 'asking for another port' : 'choose another `remote-port`';
            logger.warn(`browsers refuse to open port ${this.#address?.port}: ${remedy}`);
            if (!canChange)
                return;
            await this.#changePort();
        }
    }
}
/** Whether the server chose the blocked port: `auto` asks for one itself only if a narrower range has no other. */
function isServersChoice(remotePort) {
    return remotePort.kind === 'auto' ? isWholeRange(remotePort) : remotePort.kind === 'random';
}

;// CONCATENATED MODULE: ./build/js/exposure/exposure.js
// One exposure: composes gateway, tunnel and app, owns the state, and is its only writer.
//
//   visitor ──► bore server ──► tunnel ──► ingress ──► app           ingress: gateway │ relay (raw bytes)
//                                  └─────────┴──────────┴───► state ──► control API, comment, summary
//
// Data flows to the right, state flows down. Started in the order gateway, tunnel, app, so that an early visitor
// finds a page that says "starting"; stopped in reverse, except that the tunnel's port is given back first.











/** How long the app waits for the check: another program answers at once, and without hairpin NAT no answer comes. */
const CHECK_HEAD_START_MS = 1_000;
/** How often two clocks are compared with the end: after a laptop has slept, an exposure past its end must stop. */
const CLOCK_CHECK_MS = 1_000;
const exposure_MAX_LINE_LENGTH = 1_000;
/** Nobody would read more. */
const MAX_WARNINGS = 10;
class Exposure {
    #options;
    #listeners = new Set();
    #cancelled = new AbortController();
    #ingress;
    #tunnel;
    #app;
    #appStart;
    #state;
    #clock;
    #ending;
    constructor(options) {
        this.#options = options;
        const { config, logger } = options;
        this.#ingress = openIngress({
            protocol: config.protocol,
            app: () => this.#state.app,
            publicAddress: () => this.#tunnel.lastAddress,
            endsAt: () => this.#expiresAt,
            gateway: config.gateway,
            threadScript: config.tunnel.threadScript,
            tls: config.tls,
            logger,
        });
        this.#tunnel = new PublicTunnel({
            config: config.tunnel,
            ingress: this.#ingress,
            onChange: status => this.#followTunnel(status),
            onLost: error => void this.fail(error),
            logger,
            signal: this.#cancelled.signal,
        });
        this.#state = {
            ...this.#tunnel.status,
            mode: config.spec.mode,
            phase: { kind: 'starting' },
            app: { status: 'starting' },
            restarts: 0,
            warnings: [],
        };
    }
    get #expiresAt() {
        const { phase } = this.#state;
        return phase.kind === 'live' ? phase.expiresAt : undefined;
    }
    get state() {
        const url = this.#url;
        return { ...this.#state, visits: this.#ingress.visits, link: url && this.#renderLink(url) };
    }
    get #url() {
        const { address } = this.#state;
        return address.kind === 'none' ? undefined : address.url;
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
            this.#options.logger.info(`tunnel connected: ${this.#url}`);
            await this.#startBehind(signal);
            if (signal.aborted)
                throw new errors/* TunnelError */.Tm('the public address was not checked in time', { retryable: false });
            this.#goLive();
        }
        catch (error) {
            if (this.#ending === undefined)
                await this.fail(explainStart(error, timeout, startupTimeoutMs));
            await this.#ending;
            throw error;
        }
    }
    /** The app gets its public URL when it starts, so a port on which another program answers is changed before that. */
    async #startBehind(signal) {
        if (this.#ingress.needsApp) {
            await this.#startApp(signal);
            return this.#tunnel.verify(signal);
        }
        const verified = this.#tunnel.verify(signal);
        await Promise.race([verified, (0,external_node_timers_promises_.setTimeout)(CHECK_HEAD_START_MS, undefined, { ref: false })]);
        await Promise.all([verified, this.#startApp(signal)]);
    }
    /** Ends the exposure as planned; resolves when all of it has ended. A second call changes nothing. */
    stop(reason = 'stopped') {
        return this.#end(liveAt => ({ kind: 'ended', reason, ...liveAt, endedAt: new Date() }));
    }
    /** `tunnel/start`: the same port first. Resolves when Connected; rejects with a TunnelError. */
    startTunnel() {
        return this.#tunnel.start();
    }
    /** `tunnel/stop`: gives the public port back and leaves the app running. */
    stopTunnel() {
        return this.#tunnel.stop(DRAIN_MS);
    }
    #followTunnel(status) {
        if (this.#ending)
            return;
        this.#update(status);
        const { tunnel } = status;
        if (tunnel.status === 'Failed' && this.#state.phase.kind === 'live')
            void this.fail(new errors/* TunnelError */.Tm(tunnel.reason, { retryable: false }));
    }
    async #startApp(signal) {
        const { config, folder, logger, onChild } = this.#options;
        const appFolder = (0,external_node_path_.join)(folder, 'app');
        (0,external_node_fs_.mkdirSync)(appFolder, { recursive: true, mode: 0o700 });
        this.#appStart = startApp({
            spec: config.spec,
            publicUrl: () => this.#url ?? '',
            baseEnvironment: config.baseEnvironment,
            env: config.env,
            healthPath: config.healthPath,
            hostHeader: config.hostHeader ?? 'auto',
            stopTimeoutMs: config.stopTimeoutMs ?? DEFAULT_STOP_TIMEOUT_MS,
            folder: appFolder,
            logger,
            onChild,
            onState: state => this.#followApp(state),
            onWarning: message => this.warn(message),
            signal,
        });
        this.#app = await this.#appStart;
    }
    #followApp(app) {
        if (this.#ending)
            return;
        this.#update({ app, restarts: this.#state.restarts + (app.status === 'restarting' ? 1 : 0) });
        this.#ingress.followApp();
        if (app.status === 'failed' && this.#state.phase.kind === 'live')
            void this.fail(new errors/* AppError */.uV(app.reason, { lastLines: app.lastLines }));
    }
    #goLive() {
        const { durationMs } = this.#options.config;
        const liveAt = new Date();
        const expiresAt = durationMs === undefined ? undefined : new Date(liveAt.getTime() + durationMs);
        this.#update({ phase: { kind: 'live', liveAt, ...(expiresAt && { expiresAt }) } });
        if (expiresAt && durationMs !== undefined)
            this.#watchClocks(expiresAt.getTime(), performance.now() + durationMs);
    }
    #watchClocks(wallEnd, monotonicEnd) {
        const leftMs = Math.min(wallEnd - Date.now(), monotonicEnd - performance.now());
        if (leftMs <= 0)
            return void this.stop('duration over');
        this.#clock = setTimeout(() => this.#watchClocks(wallEnd, monotonicEnd), Math.min(leftMs, CLOCK_CHECK_MS));
    }
    /** A problem that does not end the exposure: goes to the log, and into every state from now on. */
    warn(message) {
        const { warnings } = this.#state;
        if (warnings.includes(message) || warnings.length >= MAX_WARNINGS)
            return;
        this.#update({ warnings: [...warnings, message] });
        this.#options.logger.warn(message);
    }
    /** Ends the exposure as failed; people read the message of `error`. May be called twice: the first error counts. */
    fail(error) {
        const lastLines = error instanceof errors/* AppError */.uV ? error.lastLines.map(shortenLine) : [];
        const reason = (0,errors/* describeError */.Uc)(error);
        return this.#end(liveAt => ({ kind: 'failed', reason, lastLines, ...liveAt, endedAt: new Date() }), error);
    }
    #end(finish, error) {
        this.#ending ??= this.#release(finish, error);
        return this.#ending;
    }
    async #release(finish, error) {
        clearTimeout(this.#clock);
        this.#cancelled.abort();
        const { phase } = this.#state;
        const last = exposure_describeEnd(finish(phase.kind === 'live' ? { liveAt: phase.liveAt } : {}), error);
        this.#announceEnd(last);
        // The port is free at once; gateway and app stay until downloads are over, or DRAIN_MS have passed.
        const drained = this.#tunnel.close(DRAIN_MS);
        await this.#attempt('the visitors', this.#ingress.stop(DRAIN_MS));
        await this.#attempt('the tunnel', drained);
        await this.#appStart?.then(app => app.stop()).catch(() => { }); // a start that failed left nothing
        // On Windows an open file, or a mount, may keep the folder from being removed: the end is reported anyway.
        const left = await removeFolder((0,external_node_path_.join)(this.#options.folder, 'app'));
        if (left !== undefined)
            this.warn(left);
        this.#update(last);
    }
    #announceEnd(last) {
        try {
            this.#options.onEnding?.({ ...this.state, ...last });
        }
        catch (error) {
            this.#options.logger.error(`the end could not be passed on: ${(0,errors/* describeError */.Uc)(error)}`);
        }
    }
    /** Waits for one part of the end. If it fails, that is logged, and the other parts still end. */
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
/** The last state of an exposure that ended in this phase, because of this error if there was one. */
function exposure_describeEnd(phase, error) {
    if (phase.kind !== 'failed')
        return { phase, tunnel: { status: 'Disconnected' }, app: { status: 'stopped' } };
    const { reason, lastLines } = phase;
    return {
        phase,
        tunnel: { status: 'Failed', reason },
        app: error instanceof errors/* TunnelError */.Tm ? { status: 'stopped' } : { status: 'failed', reason, lastLines },
    };
}
/** A longer line is data, and nobody reads that in a comment. */
function shortenLine(line) {
    return line.length > exposure_MAX_LINE_LENGTH ? `${line.slice(0, exposure_MAX_LINE_LENGTH)}…` : line;
}
/** If the time limit ended the start: an error that says so, with the given one as its cause. */
function explainStart(error, timeout, timeoutMs) {
    if (!timeout.aborted)
        return error;
    const message = `not ready within ${duration_formatDuration(timeoutMs)}, the \`startup-timeout\``;
    if (error instanceof errors/* TunnelError */.Tm)
        return new errors/* TunnelError */.Tm(message, { cause: error, retryable: false });
    return new errors/* AppError */.uV(message, { cause: error, lastLines: error instanceof errors/* AppError */.uV ? error.lastLines : [] });
}

;// CONCATENATED MODULE: ./build/js/supervisor/ends.js
// Events outside of the exposure that end it: the `continue` file appears, or the runner is gone. Used by supervision.


/** How often the file and the runner are checked. */
const WATCH_MS = 500;
/** Calls `end` when one of them happens; returns the function that stops watching. */
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
/** When the file was last written. One from before the start counts only once it is written again, a link never. */
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
// The one connection to GitHub's REST API. A schema checks every answer, every request has a time limit, and the
// connection waits as long as a rate limit requires. Works with Enterprise servers through `apiUrl`. Used by step/ and
// supervisor/.
//
// Built on @octokit/core, not on @actions/github 9.1, which adds 1.08 MB to each of four bundles, with a method for
// every route and a second undici. @actions/github also reads the proxy from the environment when it is imported, so
// that we cannot pass one; it has no SOCKS, ignores HTTP_PROXY for https, and silently uses no proxy if the value is
// wrong.








/** For a single request, from sending it to the last byte of the answer. GitHub itself gives up after 10 s. */
const REQUEST_TIMEOUT_MS = 15_000;
/** The longest pause that we accept from `Retry-After`; secondary rate limits ask for a minute. */
const LONGEST_PAUSE_MS = 60_000;
/** How many more times a request is tried after it met the rate limit. */
const MAX_RATE_LIMIT_RETRIES = 2;
/** GitHub refused, could not be reached, or answered with something unexpected. */
class GitHubError extends Error {
    /** HTTP status; undefined if there was no answer. */
    status;
    /** Whether a later request may succeed. */
    retryable;
    constructor(message, options) {
        super(message, options);
        this.name = 'GitHubError';
        this.status = options.status;
        this.retryable = options.retryable;
    }
}
/** Sends nothing yet. */
function connectGitHub(options) {
    const octokit = createOctokit(options);
    return {
        async request(schema, route, { parameters, signal }) {
            const request = octokit.request(route, { ...parameters, request: signal ? { signal } : {} });
            const response = await awaitAnswer(request, route, signal);
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
            await awaitAnswer(collect(), route, signal);
            return items.map(item => check(schema, item, route));
        },
        async readLogin(signal) {
            const query = 'query { viewer { login } }';
            const answer = await awaitAnswer(octokit.graphql(query), 'POST /graphql', signal);
            return check(Viewer, answer, 'POST /graphql').viewer.login;
        },
    };
}
const Viewer = dist/* object */.Ikc({ viewer: dist/* object */.Ikc({ login: dist/* string */.YjP() }) });
const ThrottledOctokit = dist_src/* Octokit */.E.plugin(dist_bundle/* paginateRest */.ud, plugin_throttling_dist_bundle/* throttling */.A);
function createOctokit(options) {
    const { token, apiUrl, logger, proxy = {} } = options;
    const retry = (seconds, _request, _octokit, tries) => {
        const wanted = tries < MAX_RATE_LIMIT_RETRIES && seconds * 1000 <= LONGEST_PAUSE_MS;
        logger.info(`GitHub's rate limit is reached; ${wanted ? `trying again in ${seconds} s` : 'giving up'}`);
        return wanted;
    };
    return new ThrottledOctokit({
        auth: token,
        baseUrl: apiUrl.replace(/\/+$/, ''),
        userAgent: 'expose-action',
        log: { debug: logger.debug, info: logger.debug, warn: logger.debug, error: logger.debug },
        request: { fetch: createFetchInTime(proxy) },
        // One queue for each connection, because the limits belong to the token.
        throttle: { onRateLimit: retry, onSecondaryRateLimit: retry, id: crypto.randomUUID() },
    });
}
/** The time limit starts when a request is sent, not while it waits in the queue. */
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
/** Resolves with the result, or rejects as `GitHub` documents. The signal also ends a pause for a rate limit. */
async function awaitAnswer(work, route, signal) {
    try {
        return await (signal ? raceSignal(work, signal) : work);
    }
    catch (error) {
        if (signal?.aborted)
            throw (0,errors/* isTimeout */.kL)(signal.reason) ? renderTimeout(route, signal.reason) : signal.reason;
        throw explainFailure(error, route);
    }
}
function renderTimeout(route, cause) {
    return new GitHubError(`GitHub did not answer in time (${route})`, { retryable: false, cause });
}
function explainFailure(error, route) {
    if (error instanceof Error && error.cause instanceof shared_proxy/* ProxyError */.T6)
        return new GitHubError(error.cause.message, { retryable: false, cause: error.cause });
    const message = sanitise((0,errors/* describeError */.Uc)(error));
    // Octokit sets status 500 if no answer came; only an error with a response has a real status.
    const answered = dist.is(Answered, error) ? error : undefined;
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
const Answered = dist/* object */.Ikc({ status: dist/* number */.aig(), response: dist/* object */.Ikc({ status: dist/* number */.aig() }) });
function check(schema, data, route) {
    const result = dist/* safeParse */.xLC(schema, data);
    if (result.success)
        return result.output;
    const problem = sanitise(dist/* summarize */.ehc(result.issues));
    throw new GitHubError(`GitHub's answer to ${route} is not as documented: ${problem}`, { retryable: false });
}

;// CONCATENATED MODULE: ./build/js/github/wording.js
// Sentences about missing permissions, and about who can open a preview. Used by step/report-target and
// comment-writer.ts.
const PERMISSIONS = {
    comment: { does: 'comment on the pull request', line: 'pull-requests: write' },
    deployment: { does: 'create a deployment', line: 'deployments: write' },
    'pull request lookup': { does: 'find the pull request', line: 'pull-requests: read' },
};
/** A warning in one line: GitHub's message and, after a refusal, the two lines of YAML that give the permission. */
function describeReportFailure(feature, error) {
    const { does, line } = PERMISSIONS[feature];
    const problem = `could not ${does}: ${error.message}`;
    if (error.status !== 403 && error.status !== 404)
        return problem;
    return `${problem}. If the token lacks the permission, add two lines to the job: "permissions:", and indented below it "${line}"`;
}
/** What a visitor needs apart from the link; undefined if the link is enough. */
function describeEntry(access) {
    if (access === 'given key')
        return 'It asks for a key: the author of the workflow has it.';
    if (access === 'basic')
        return 'It asks for a user and a password: the author of the workflow has them.';
    return undefined;
}
/** The warning for previews that show more than the repository does; undefined if they do not. */
function describeOpenWarning(access, visibility) {
    if (visibility === 'public')
        return undefined;
    if (access === 'open')
        return 'Anyone with the address can open this preview, and port scans can find it.';
    if (access === 'link')
        return 'Anyone with the link can open this preview.';
    return undefined;
}

;// CONCATENATED MODULE: ./build/js/github/comment/escaping.js
// Renders untrusted text in Markdown, always as code with a fence that the text cannot close. Used by markdown.ts for
// every value that it shows.

/**
 * Text as inline code. CommonMark 6.1: a code span ends only at a run of as many backticks as it began with, and one
 * space on both sides is dropped. GitHub makes no links and no mentions inside a code span.
 */
function renderCode(text, maxLength) {
    const line = sanitise(text, maxLength);
    if (line.trim() === '')
        return '(empty)';
    const fence = '`'.repeat(longestRun(line) + 1);
    const pad = /^[ `]|[ `]$/.test(line) ? ' ' : '';
    return `${fence}${pad}${line}${pad}${fence}`;
}
/** Lines as one code block. CommonMark 4.5: only a fence of at least the same length closes it. */
function renderCodeBlock(lines) {
    const clean = lines.map(line => sanitise(line));
    const fence = '`'.repeat(Math.max(3, ...clean.map(line => longestRun(line) + 1)));
    return [`${fence}text`, ...clean, fence].join('\n');
}
/** Longer than any sentence, so that `renderCode` cuts nothing: `renderSentence` has already limited the text. */
const MAX_CODE_LENGTH = 2_000;
/** Plain words, short numbers, and the punctuation around them: nothing of this is Markdown, a link or a mention. */
const WORD = /^[("']*[A-Za-z]+(?:['’][A-Za-z]+|-[A-Za-z]+)*[)"']*[.,:;!?]?[)"']*$|^\d{1,4}[,;%]?$|^[–—.,:;]$/;
/** One of our own sentences. Names and values in it, and text in backticks, become inline code. */
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
/** A link with trusted Markdown as its text. An address that is not http(s) is shown as inline code. */
function renderLink(markdown, address) {
    const url = URL.parse(address);
    if (url === null || !/^https?:$/.test(url.protocol))
        return renderCode(address);
    // The URL parser has already encoded `<`, `>`, spaces and controls everywhere except in the fragment.
    const target = url.href.replace(/[\\<>`\s]/g, encodeURIComponent).replaceAll('&', '&amp;');
    return `[${markdown}](<${target}>)`;
}
/** In UTC, because readers are in many time zones; without seconds. */
function renderTime(time) {
    return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
function longestRun(text) {
    return Math.max(0, ...(text.match(/`+/g) ?? []).map(run => run.length));
}

;// CONCATENATED MODULE: ./build/js/github/comment/markdown.js
// Renders the comment and the step summary as Markdown. Pure: the same view gives the same text. The text always names
// the end of the preview, because a runner that dies cannot correct it. Used by comment-writer.ts and step/summary.ts.




/** GitHub refuses longer comments. The limits of the parts are much lower, so that their sum stays below this one. */
const MAX_COMMENT_LENGTH = 65_536;
/** How many of the app's last lines are shown; more are in the log. */
const MAX_LAST_LINES = 20;
/** How many warnings are shown; all are in the log. */
const markdown_MAX_WARNINGS = 10;
/** The whole comment. The marker comes first: a quoted comment has it further down, and does not count as ours. */
function renderComment(view, marker) {
    return `${marker}\n${renderPreview(view)}\n`;
}
/** The step summary: the comment's text, and the figures if there are any. */
function renderSummary(view, figures) {
    if (figures === undefined)
        return `${renderPreview(view)}\n`;
    const { visits, restarts, reconnects, addressChanges, durationMs } = figures;
    const parts = [
        `live for ${formatDuration(Math.round(durationMs / 1000) * 1000)}`,
        renderCount(visits, 'visit'),
        renderCount(restarts, 'app restart'),
        renderCount(reconnects, 'tunnel reconnect'),
        ...(addressChanges > 0 ? [`${renderCount(addressChanges, 'change')} of address`] : []),
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
    if (state.unverifiedReason !== undefined)
        lines.push(UNVERIFIED[state.unverifiedReason]);
    return lines;
}
const UNVERIFIED = {
    silent: 'The runner could not reach this address itself, so it is not verified from here.',
    unproved: 'The runner could not tell whether this address leads to the preview: **another program may have it**, so it is not verified from here.',
    'app away': 'The app was away when this address was checked, so it is not verified from here.',
};
const OUTAGES = {
    tunnel: 'The tunnel has been down',
    'tunnel closed': 'The tunnel has been closed by the workflow',
    app: 'The app has been down',
};
const OUTLOOKS = {
    tunnel: 'It is being opened again, and this comment will show when it is open.',
    'tunnel closed': 'This comment will show when it is open again.',
    app: 'It is being started again, and this comment will show when it answers.',
};
/** Each is followed by "at" and the time. */
const ENDINGS = {
    'job ended': 'It ended with its job',
    'duration over': 'Its time was over',
    'continue file': 'The workflow continued',
    stopped: 'It was stopped',
    'runner gone': 'The runner went away',
};
const AGAIN = 'Push a commit or run the workflow again to get a new one.';
function renderFailed(state) {
    const paragraphs = [renderCode(state.reason, 1_000)];
    const lines = state.lastLines.slice(-MAX_LAST_LINES);
    if (lines.length > 0) {
        paragraphs.push('<details><summary>Last lines of the app</summary>', renderCodeBlock(lines), '</details>');
    }
    paragraphs.push(`It failed at ${renderTime(state.endedAt)}.${renderOldAddress(state.url)}`);
    return paragraphs;
}
/** The end. It is shown from the first write on, because a runner that dies cannot add it later. */
function renderEnd(preview, endsAt) {
    if (endsAt === undefined) {
        return `The preview ends with its ${renderLink('job', preview.runUrl)} and may be gone after that.`;
    }
    return `The preview runs until **${renderTime(endsAt)}** at the latest and may be gone after that.`;
}
/** The last address, not as a link, because another program may get the port later. */
function renderOldAddress(url) {
    return url === undefined
        ? ''
        : ` Its address was ${markdown_renderAddress(url)}, which may be somebody else's by now.`;
}
/** The address as text, without path and query, because they may contain the key. */
function markdown_renderAddress(url) {
    const parsed = URL.parse(url);
    return renderCode(parsed === null || parsed.host === '' ? url : `${parsed.protocol}//${parsed.host}`);
}
/** Warnings about what visitors can reach; none once the preview is over. */
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

;// CONCATENATED MODULE: ./build/js/github/comment/marker.js
// The hidden first line of our comment: which preview it belongs to, and which run wrote it last. Used by
// comment-writer.ts and own-comment.ts.
/** The values are only hex and decimal digits, so that none can close the HTML comment early. */
const MARKER = /^<!-- expose-action preview=([0-9a-f]{1,64}) run=(\d{1,20}) attempt=(\d{1,6}) -->/;
function renderMarker({ key, runId, runAttempt }) {
    return `<!-- expose-action preview=${key} run=${runId} attempt=${runAttempt} -->`;
}
/** The marker that opens a comment's body; a marker further down is a quote and does not count. */
function readMarker(body) {
    const [, key, runId, attempt] = MARKER.exec(body) ?? [];
    if (key === undefined || runId === undefined || attempt === undefined)
        return undefined;
    return { key, runId, runAttempt: Number(attempt) };
}
/** Negative if `a` is the older run, positive if it is the newer one, 0 if both are the same attempt. */
function compareRuns(a, b) {
    const [idA, idB] = [BigInt(a.runId), BigInt(b.runId)];
    if (idA !== idB)
        return idA < idB ? -1 : 1;
    return a.runAttempt - b.runAttempt;
}

;// CONCATENATED MODULE: ./build/js/github/comment/own-comment.js
// Our one comment on a pull request: finds it by its marker and its author, on all pages, and writes it. The marker is
// not enough, because anyone who can comment can copy it. Used by comment-writer.ts, which decides when to write.



const CommentSchema = dist/* object */.Ikc({
    id: dist/* number */.aig(),
    body: dist/* nullish */.cl6(dist/* string */.YjP(), ''),
    user: dist/* nullable */.mee(dist/* object */.Ikc({ login: dist/* string */.YjP() })),
});
const RunSchema = dist/* object */.Ikc({ run_attempt: dist/* optional */.lqM(dist/* number */.aig(), 1) });
/** The login of a job's own token, for servers that do not return the token's user. */
const JOB_TOKEN_LOGIN = 'github-actions[bot]';
const ONE = '/repos/{owner}/{repo}/issues/comments/{comment_id}';
const ALL = '/repos/{owner}/{repo}/issues/{issue_number}/comments';
class OwnComment {
    #options;
    /** The first line of every body that is written. */
    marker;
    /** The comment that this process wrote, and its author, once they are known. */
    #id;
    #login;
    constructor(options) {
        const { runId, runAttempt, identity } = options.target;
        this.#options = options;
        this.marker = { key: identity.key, runId, runAttempt };
    }
    /**
     * Creates or edits the comment. `body` must begin with the marker. Can be repeated after a failure: it finds a
     * comment that the failed attempt created. Rejects with a GitHubError.
     */
    async write(body) {
        const found = (await this.#readOwn()) ?? (await this.#findAll());
        const created = found.length === 0 ? await this.#create(body) : undefined;
        const [kept, ...spare] = created ? await this.#findBeside(created) : found;
        if (kept === undefined)
            throw new Error('a comment was created and then not found');
        for (const { id } of spare)
            await this.#remove(id);
        if (await this.#mustYieldTo(kept.marker))
            return { kind: 'yielded', to: kept.marker };
        this.#id = kept.id;
        if (kept.id !== created?.id)
            await this.#request(CommentSchema, `PATCH ${ONE}`, { comment_id: kept.id, body });
        return { kind: 'written' };
    }
    /** The comment that this process wrote before, as it is now; undefined if there is none, or somebody deleted it. */
    async #readOwn() {
        if (this.#id === undefined)
            return undefined;
        try {
            const comment = await this.#request(CommentSchema, `GET ${ONE}`, { comment_id: this.#id });
            return [{ ...comment, marker: this.#readMarker(comment) ?? this.marker }];
        }
        catch (error) {
            if (!isStatus(error, 404))
                throw error;
            this.#id = undefined;
            return undefined;
        }
    }
    /**
     * All our comments for this preview, that of the newest run first. There are several only if two runs started at
     * once.
     */
    async #findAll() {
        const { github, target, signal } = this.#options;
        const parameters = { ...this.#repository(), issue_number: target.pullRequest };
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
        const comment = await this.#request(CommentSchema, `POST ${ALL}`, parameters);
        this.#login = comment.user?.login ?? this.#login;
        return { ...comment, marker: this.marker };
    }
    /** Looks again after a comment was created, because another run may have created its own at the same time. */
    async #findBeside(created) {
        const all = await this.#findAll();
        return all.some(({ id }) => id === created.id) ? all : [...all, created];
    }
    async #remove(id) {
        this.#options.logger.debug(`deleting comment ${id}: another comment shows the same preview`);
        try {
            await this.#request(dist/* unknown */.L5J(), `DELETE ${ONE}`, { comment_id: id });
        }
        catch (error) {
            if (!isStatus(error, 404))
                throw error;
        }
    }
    /**
     * True if the marker names a newer run that GitHub knows. If GitHub does not know it, this run takes over the
     * comment.
     */
    async #mustYieldTo(marker) {
        if (compareRuns(marker, this.marker) <= 0)
            return false;
        try {
            const route = 'GET /repos/{owner}/{repo}/actions/runs/{run_id}';
            const run = await this.#request(RunSchema, route, { run_id: marker.runId });
            return run.run_attempt >= marker.runAttempt;
        }
        catch (error) {
            // A token without `actions: read` cannot check the run. The author is our own user, so trust the marker: at worst
            // this hides one link, while overwriting the link of a newer run would leave a dead one.
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
    #request = (schema, route, parameters) => {
        const { github, signal } = this.#options;
        return github.request(schema, route, { parameters: { ...this.#repository(), ...parameters }, signal });
    };
    #repository() {
        const { owner, name: repo } = this.#options.repository;
        return { owner, repo };
    }
}
function isStatus(error, status) {
    return error instanceof GitHubError && error.status === status;
}

;// CONCATENATED MODULE: ./build/js/github/comment/comment-writer.js
// Decides when the sticky comment is written: one comment per preview, which is edited and never repeated. Writes one
// view at a time, always the newest. A failure is one warning and never affects the preview. Used by the supervisor and
// by post.







/** Short failures of GitHub end in seconds. After a longer one, only the next change of state is written. */
const RETRY_DELAYS_MS = [1_000, 4_000];
class CommentWriter {
    #comment;
    #logger;
    #signal;
    #newest;
    #writing;
    #warned = false;
    /** True once nothing more can be written: the permission is missing, or a newer run has taken over. */
    #closed = false;
    /** Nothing is written before the first `update`. */
    constructor({ github, job, target, logger, signal }) {
        this.#comment = new OwnComment({ github, repository: job.repository, target, logger, signal });
        this.#logger = logger;
        this.#signal = signal;
    }
    /** Never rejects. Resolves when this view, or a newer one, is written or given up. */
    update(view) {
        this.#newest = view;
        this.#writing ??= this.#writeAll();
        return this.#writing;
    }
    /** Resolves when nothing is left to write. */
    async flush() {
        await this.#writing;
    }
    async #writeAll() {
        // Wait, so that two changes in one turn of the event loop become one write.
        await Promise.resolve();
        for (let view = this.#take(); view !== undefined; view = this.#take()) {
            await this.#write(view).catch(error => this.#giveUp(error));
        }
        // In the same turn as the last #take, so that no update can come in between.
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
                this.#logger.debug(`the comment will be written again in ${delayMs} ms: ${(0,errors/* describeError */.Uc)(error)}`);
                await (0,external_node_timers_promises_.setTimeout)(delayMs, undefined, this.#signal ? { signal: this.#signal } : {});
                newest = this.#take() ?? newest;
            }
        }
    }
    async #writeOnce(view) {
        const written = await this.#comment.write(renderComment(view, renderMarker(this.#comment.marker)));
        if (written.kind === 'written')
            return;
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
// The job as the runner describes it. step/job-environment.ts reads it from the environment and passes it to this
// folder, which never reads the environment itself.
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

;// CONCATENATED MODULE: ./build/js/github/comment/view.js
// What the comment and the summary show: turns the states of the tunnel, the app and the exposure into one state of the
// preview. Used by the supervisor's reports, by markdown.ts, and by the step for its summary and the last comment.

/** Shorter outages are not written: most are over before anybody could read about them. */
const OUTAGE_SHOWN_AFTER_MS = 15_000;
function viewOf(state, context) {
    const { exposure } = state;
    const lastUrl = context.lastUrl ?? state.public_url ?? undefined;
    const url = lastUrl === undefined ? {} : { url: lastUrl };
    switch (exposure.phase) {
        case 'starting':
            return { kind: 'starting', ...endOf(context.endsAt) };
        case 'live':
            return viewLive(state, exposure.expires_at, context);
        case 'ended':
            return { kind: 'ended', ...url, reason: exposure.reason, endedAt: new Date(exposure.ended_at) };
        case 'failed': {
            const { reason, ended_at, last_lines } = exposure;
            const lastLines = context.hideConsole ? [] : last_lines;
            return { kind: 'failed', ...url, reason, lastLines, endedAt: new Date(ended_at) };
        }
    }
}
function viewLive(state, expiresAt, context) {
    const { now, outageSince: since, lastUrl, lastLink } = context;
    const endsAt = endOf(expiresAt === null ? undefined : new Date(expiresAt));
    const outage = readOutage(state);
    const url = state.public_url ?? lastUrl;
    const isShown = since !== undefined && now.getTime() - since.getTime() >= OUTAGE_SHOWN_AFTER_MS;
    if (outage !== undefined && since !== undefined && (isShown || url === undefined))
        return { kind: 'reconnecting', ...(url === undefined ? {} : { url }), outage, since, ...endsAt };
    if (url === undefined)
        return { kind: 'starting', ...endsAt };
    const unverified = state.doubt === null ? {} : { unverifiedReason: state.doubt };
    return { kind: 'live', url: state.preview_url ?? lastLink ?? url, ...unverified, ...endsAt };
}
/** The tunnel comes first: without it, visitors cannot reach the app, whatever its state is. */
function readOutage({ status, app }) {
    if (status === 'Disconnected')
        return 'tunnel closed';
    if (status !== 'Connected')
        return 'tunnel';
    return app.status === 'running' ? undefined : 'app';
}
function endOf(endsAt) {
    return endsAt === undefined ? {} : { endsAt };
}
/** The facts that do not change during the preview. */
function describePreview(job, facts) {
    const { name, mode, commit, entry, openWarning, warnings } = facts;
    const [commitUrl, runUrl] = [renderCommitUrl(job, commit), renderRunUrl(job)];
    return { name, mode, commit, commitUrl, runUrl, entry, openWarning, warnings };
}

;// CONCATENATED MODULE: ./build/js/supervisor/reporting.js
// Keeps the comment in step with the exposure: turns its states into views, and shows an outage only when it lasts.
// Used by supervision; post uses the same parts when the supervisor is dead.




/**
 * The last write must not hold up the post step, which has 30 s in all: it begins with the end, while the app stops.
 */
const FINISH_TIMEOUT_MS = 8_000;
/** The comment of a preview, written through the job's proxy; nothing is written before its first update. */
function openComment(config, proxy, logger, signal) {
    const { job, token, pullRequest, identity } = config;
    const github = connectGitHub({ token, apiUrl: job.apiUrl, logger, proxy });
    const target = { pullRequest, identity, runId: job.runId, runAttempt: job.runAttempt };
    return new CommentWriter({ github, job, target, logger, signal });
}
/** Writes every change that people care about to the comment; does nothing if there is no comment to write. */
function startReporting(config, exposure, logger) {
    if (config.comment === undefined)
        return { announceEnd: () => { }, finish: async () => { } };
    const overdue = new AbortController();
    const comment = openComment(config.comment, config.exposure.baseEnvironment, logger, overdue.signal);
    const { job, identity, preview: constant } = config.comment;
    const facts = describePreview(job, { ...constant, name: identity.name, mode: exposure.state.mode });
    const history = new History(config.exposure, constant);
    let timer;
    let last = '';
    const report = (current) => {
        const now = new Date();
        const message = describeState(current);
        const state = viewOf(message, history.observe(message, now));
        const preview = { ...facts, warnings: [...facts.warnings, ...message.warnings] };
        const key = JSON.stringify([state, preview.warnings]);
        if (key !== last)
            void comment.update({ preview, state, updatedAt: now });
        last = key;
        clearTimeout(timer);
        const { outageSince } = history;
        if (outageSince === undefined || state.kind === 'reconnecting')
            return;
        const untilShown = OUTAGE_SHOWN_AFTER_MS - (now.getTime() - outageSince.getTime()) + 1;
        timer = setTimeout(() => report(exposure.state), untilShown);
    };
    let limit;
    exposure.subscribe(current => {
        // While it ends, the exposure still counts as live.
        if (limit === undefined || isOver(current))
            report(current);
    });
    report(exposure.state);
    return {
        announceEnd: last => {
            limit ??= setTimeout(() => overdue.abort(), FINISH_TIMEOUT_MS);
            report(last);
        },
        finish: async () => {
            clearTimeout(timer);
            await comment.flush();
            clearTimeout(limit);
        },
    };
}
function isOver({ phase }) {
    return phase.kind === 'ended' || phase.kind === 'failed';
}
/** What a view needs to know about earlier states. */
class History {
    outageSince;
    #lastUrl;
    #lastLink;
    #endsAt;
    #hideConsole;
    constructor(exposure, preview) {
        this.#hideConsole = !preview.showConsole;
        if (exposure.durationMs !== undefined)
            this.#endsAt = new Date(Date.now() + exposure.startupTimeoutMs + exposure.durationMs);
    }
    /** Records the state, and returns what a view of it needs to know about earlier ones. */
    observe(state, now) {
        const isUp = state.status === 'Connected' && state.app.status === 'running';
        this.outageSince = isUp || state.exposure.phase !== 'live' ? undefined : (this.outageSince ?? now);
        this.#lastUrl = state.public_url ?? this.#lastUrl;
        this.#lastLink = state.preview_url ?? this.#lastLink;
        return {
            now,
            lastUrl: this.#lastUrl,
            lastLink: this.#lastLink,
            endsAt: this.#endsAt,
            outageSince: this.outageSince,
            hideConsole: this.#hideConsole,
        };
    }
}

;// CONCATENATED MODULE: ./build/js/supervisor/supervision.js
// One exposure with its control API, its comment, and the events that end it from outside. Used by the supervisor
// process, and by `expose run` and `demo` in the foreground.








/** A bug that repeats must not fill the log. */
const MAX_BUGS_LOGGED = 10;
/** Resolves when the control API listens, while the exposure still starts. */
async function startSupervision(config, logger) {
    const files = sessionFiles(config.folder);
    const exposure = new Exposure({
        config: config.exposure,
        folder: config.folder,
        logger,
        onChild: ({ pid, role }) => {
            const problem = attempt(() => writeJournal(files.journal, recordProcess(pid, role)));
            if (problem !== undefined)
                exposure.warn(`${role} could not be recorded, and would keep running if this process is killed: ${problem}`);
        },
        onEnding: last => reporting.announceEnd(last),
    });
    const ended = awaitEnd(exposure);
    const reporting = startReporting(config, exposure, logger);
    const api = await startControlApi(exposure, config.controlToken);
    const unwatch = watchEnds(config, reason => void exposure.stop(reason));
    // The reason is part of the last state, which all readers get.
    exposure.start().catch(error => logger.debug(`the start failed: ${(0,errors/* describeError */.Uc)(error)}`));
    const finish = async () => {
        const state = await ended;
        unwatch();
        const problem = attempt(() => writeOutcome(config.folder, state));
        if (problem !== undefined)
            exposure.warn(`the outcome of the preview could not be saved: ${problem}`);
        await reporting.finish().catch(error => logger.warn(`the last report failed: ${(0,errors/* describeError */.Uc)(error)}`));
        await api.stop();
        return state;
    };
    return { exposure, controlUrl: api.url, finished: finish(), failOnBug: createBugHandler(exposure, logger) };
}
/** Logging and failing may fail, too: neither throws, or the error would come back here. */
function createBugHandler(exposure, logger) {
    let left = MAX_BUGS_LOGGED;
    return error => {
        if (left > 0)
            logger.error(`a bug in expose, please report it: ${error.stack ?? (0,errors/* describeError */.Uc)(error)}`);
        left -= 1;
        exposure.fail(error).catch(() => { });
    };
}
/** Why `act` failed; undefined if it did not. */
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
            if (state.phase.kind === 'ended' || state.phase.kind === 'failed')
                resolve(state);
        });
    });
}

;// CONCATENATED MODULE: ./build/js/commands/foreground.js
// Runs an exposure in the foreground of a terminal, with its status on one line, until Ctrl-C. Used by `run` and
// `demo`.














const REDRAW_MS = 1_000;
const CLEAR_LINE = '\r\u001b[2K';
/** SIGHUP: the terminal's window was closed. */
const LEAVE_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** How long the processes may take to end after a second Ctrl-C. */
const END_NOW_MS = 500;
/** Runs the exposure until it ends or Ctrl-C is pressed; a second Ctrl-C does not wait for visitors. */
async function runForeground(config, json) {
    let warn = (_message) => { };
    const screen = new Screen(json, (name, reason) => warn(`nobody reads ${name} any more (${reason}); the preview goes on until it is stopped`));
    const logger = createLogger({
        level: config.logLevel,
        hidden: listSecrets(config.exposure),
        write: (line, level) => screen.log(level === 'warn' ? `warning: ${line}` : line),
    });
    const { exposure, controlUrl, finished, failOnBug } = await startSupervision(config, logger);
    process.on('uncaughtException', failOnBug);
    warn = message => exposure.warn(message);
    const self = recordProcess(process.pid, 'expose');
    const { folder } = config;
    try {
        writeSession(config, self, controlUrl);
    }
    catch (error) {
        warn(`\`expose url\`, \`status\` and \`stop\` will not find this preview: ${(0,errors/* describeError */.Uc)(error)}`);
    }
    const endNow = async () => {
        await reapJournal(sessionFiles(folder).journal, END_NOW_MS);
        await removeFolder(folder);
        process.exit(1);
    };
    let asked = 0;
    const leave = () => {
        asked += 1;
        if (asked === 1)
            void exposure.stop('stopped');
        else if (asked === 2)
            void endNow();
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
    if (state.phase.kind !== 'failed')
        return 0;
    screen.complain(`expose: ${[state.phase.reason, ...state.phase.lastLines].map(line => sanitise(line)).join('\n  ')}`);
    return 1;
}
/** What the user sees: on a terminal one status line that is kept up to date, otherwise a line for each change. */
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
        if (state.phase.kind === 'live' && state.link !== undefined && state.link !== this.#announced) {
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
    /** Leaves out repeated lines. */
    #write(line) {
        if (line !== this.#last)
            this.#out.write(`${line}\n`);
        this.#last = line;
    }
}
function renderStatus(state, withCounters) {
    const { phase, tunnel, app } = state;
    if (phase.kind === 'ended')
        return `ended: ${phase.reason}`;
    if (phase.kind === 'failed')
        return 'failed';
    const parts = [`tunnel ${tunnel.status}`, `app ${app.status}`];
    // Without a terminal, the reason is only in the log, once.
    if (withCounters && 'reason' in tunnel && tunnel.reason)
        parts.push(tunnel.reason);
    if (phase.kind !== 'live' || !withCounters)
        return parts.join(' · ');
    parts.push(count_renderCount(state.visits, 'visit'), `up ${duration_formatDuration(Date.now() - phase.liveAt.getTime())}`);
    if (phase.expiresAt)
        parts.push(`${duration_formatDuration(phase.expiresAt.getTime() - Date.now())} left`);
    return [...parts, 'Ctrl-C ends it'].join(' · ');
}

;// CONCATENATED MODULE: ./build/js/commands/terminal.js
// Output to the terminal, sanitised because names and paths contain untrusted text, and terminals obey control
// characters. Used by every command; while a preview runs, foreground.ts has its own output.

/** Prints a command's result, for people. */
function print(text) {
    process.stdout.write(`${sanitiseLines(text)}\n`);
}
/** Prints a command's result for programs: one line of JSON. */
function printJson(value) {
    process.stdout.write(`${JSON.stringify(value)}\n`);
}
/** Prints everything other than the result, on standard error. */
function printAside(text) {
    process.stderr.write(`${sanitiseLines(text)}\n`);
}

;// CONCATENATED MODULE: ./build/js/commands/demo.js
// `expose demo`: a whole preview on this machine alone, with a built-in bore-compatible server and an example app.










const demo = {
    summary: 'Try everything on this machine: a bore server, an example app, and a link to it.',
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
                // Server and secret are new each time, so a port that stays the same is not possible.
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
/** The folder `examples` is beside `dist` and `src`. */
function findExample(name) {
    const script = (0,external_node_fs_.realpathSync)(process.argv[1] ?? '');
    for (let folder = (0,external_node_path_.dirname)(script); folder !== (0,external_node_path_.dirname)(folder); folder = (0,external_node_path_.dirname)(folder))
        if ((0,external_node_fs_.existsSync)((0,external_node_path_.join)(folder, 'examples', name)))
            return (0,external_node_path_.join)(folder, 'examples', name);
    throw new Error(`examples/${name} is not beside ${script}: the demo runs from a checkout of the repository`);
}

;// CONCATENATED MODULE: ./build/js/shared/cancellation.js
// Ends a process that gets a signal while it still prepares a preview: waits, within a time limit, until the work has
// undone itself, and exits. Used by main, and by `expose run` until its preview runs in the foreground.

class Cancellation {
    #controller = new AbortController();
    #signals;
    #onCancel;
    #exitCode;
    #undoMs;
    #work;
    /** Listens from now on. The process exits at most `undoMs` after the signal; a second signal ends it at once. */
    constructor(signals, options) {
        this.#signals = signals;
        this.#exitCode = options.exitCode;
        this.#undoMs = options.undoMs;
        this.#onCancel = options.onCancel ?? (() => { });
        for (const signal of signals)
            process.once(signal, this.#leave);
    }
    /** Aborted when the process gets one of the signals. */
    get signal() {
        return this.#controller.signal;
    }
    /**
     * Runs work that stops and undoes itself when the signal is aborted; the process waits for that before it exits. The
     * promise stays pending then, so that nobody reports the cancelled work as failed.
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
    /** Stops listening: the caller handles signals from now on. */
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
// Reads secrets from a file or the environment, never from an argument, because every user of the machine can read
// those. Used by run and server.


/** Reads a secret from the flag's file, otherwise from the environment; '' if neither is set. Throws an InputError. */
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

// EXTERNAL MODULE: ./build/js/commands/shell.js + 3 modules
var shell = __webpack_require__(5066);
;// CONCATENATED MODULE: ./build/js/commands/run.js
// `expose run PATH`: the action's exposure on a laptop; the flags are the action's inputs.












/** The usual exit code after Ctrl-C: 128 + SIGINT. */
const CANCELLED = 130;
/**
 * How long cleaning up may take: an interrupted installation leaves thousands of files, and nothing removes them later.
 */
const UNDO_MS = 30_000;
/** Flag → its help. A flag has the name of its input; inputs that only make sense in a job have no flag. */
const INPUT_FLAGS = {
    'mode MODE': 'auto, os, exec, web or port (default auto)',
    'port PORT': 'a local port that something already serves, or HOST:PORT',
    'command LINE': 'a command to start first, with bash',
    'args LINES': 'arguments for the program in exec mode, one per line',
    'env LINES': 'KEY=VALUE lines for the app (exec and port mode)',
    'wasmrun-version V': 'install and use exactly this version',
    'vm HOST': 'host of the OS-mode page: node, browser or auto (default auto)',
    'browser PATH': 'Chrome or Chromium for --vm browser',
    spa: 'web mode: serve index.html for unknown paths',
    'base-path PATH': 'web mode: path the app was built for, like /repo/ (default auto)',
    'cross-origin-isolation[=KIND]': 'web mode: send COOP and COEP; KIND may be credentialless',
    'protocol PROTOCOL': 'http, or tcp for raw bytes (default http)',
    'health-path PATH': 'path that must answer before the URL is shown (default /)',
    'host-header RULE': 'the Host the app sees: rewrite, preserve or auto (default auto)',
    'startup-timeout TIME': 'how long app and tunnel together may take (default 120s)',
    'stop-timeout TIME': 'how long the app may take to stop (default 5s)',
    'server HOST': 'bore server, HOST or HOST:PORT; with commas (default bore.pub)',
    'remote-port PORT': 'public port: auto (always the same), random, or a number',
    'port-range RANGE': 'range of --remote-port auto (default 1024-65535)',
    'public-url URL': 'template of the address behind a proxy of your own',
    'tls-cert FILE': 'certificate (PEM, with its chain): TLS ends on this machine',
    'tls-key FILE': 'its key (PEM)',
    'access KIND': 'who may open it: link (with a key), basic or open (default link)',
    'public-paths PATTERNS': 'paths that need no key, for example /webhooks/**',
    'max-body SIZE': 'longest upload (default 25MB)',
    'compress WORD': 'compress answers: true or false (default true)',
    'name NAME': 'tells previews of one folder apart: their ports, and --session',
    'duration TIME': 'how long it stays up, for example 45m (default: until Ctrl-C)',
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
        const leftOut = describeLeftOut(inputs.app, host);
        if (leftOut !== undefined)
            logger.debug(leftOut);
        // On a laptop `auto` never means open, because the repository is unknown here.
        const { access, reason } = resolveAccess(inputs.gateway.access, inputs.protocol, false);
        logger.info(`access ${access.kind}: ${reason}`);
        // Ctrl-C does not reach the programs that install wasmrun: they have their own process groups.
        const cancellation = new Cancellation(LEAVE_SIGNALS, { exitCode: CANCELLED, undoMs: UNDO_MS });
        const wasmrun = await cancellation.guard(signal => locateWasmrun(inputs.app, host, logger, { signal }));
        cancellation.stop();
        const config = planSupervisor({
            inputs,
            host,
            wasmrun,
            folder: createSessionFolder(host.tempFolder),
            name: inputs.name ?? (0,external_node_path_.basename)(inputs.app.path),
            identity: identifyLocalPreview(inputs, shell.user),
            access,
        });
        return runForeground(config, flags.json === true);
    },
};
/**
 * The same for each run of one folder, port and name by this user on this machine. The public port is derived from it.
 */
function identifyLocalPreview({ app, name }, user) {
    // Only at the end, and only if given: all other previews keep the port that they have.
    const service = app.service === undefined ? [] : [app.service];
    return JSON.stringify([user, (0,external_node_os_.hostname)(), app.path, app.port ?? '', name ?? '', ...service]);
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
// The client of the control API. Used by main, post, stop and the `expose` command.





const ErrorSchema = dist/* object */.Ikc({ success: dist/* literal */.euz(false), error: dist/* string */.YjP() });
/** How long a response may take; ending an exposure drains its visitors for up to 5 s. */
const client_ANSWER_TIMEOUT_MS = 10_000;
/** Calls a route such as `POST /api/stop`; resolves with its JSON. Rejects with the API's own error text. */
async function callControl(address, route, timeoutMs = client_ANSWER_TIMEOUT_MS) {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
        const response = await client_send(address, route, signal);
        const body = await (0,consumers_.json)(response);
        if (isSuccess(response))
            return body;
        throw new Error(dist.is(ErrorSchema, body) ? body.error : `the API answered ${response.statusCode}`);
    }
    catch (error) {
        // Node's own error only says that the request was aborted.
        signal.throwIfAborted();
        throw error;
    }
}
function client_send(address, route, signal) {
    const [method = '', path = ''] = route.split(' ');
    const headers = { Authorization: `Bearer ${address.controlToken}` };
    return requestLoopback(`${address.controlUrl}${path}`, { method, headers, signal });
}
function isSuccess({ statusCode = 0 }) {
    return statusCode >= 200 && statusCode < 300;
}
/** The current state. */
async function readState(address) {
    return dist/* parse */.qgA(state_json_StateMessageSchema, await callControl(address, 'GET /api/tunnel/status'));
}
/** Every state from the current one on; ends with the exposure's process, or with the signal. */
async function* followStates(address, signal) {
    try {
        const response = await client_send(address, 'GET /api/events', signal);
        if (!isSuccess(response))
            return void response.destroy();
        for await (const data of readEvents(response))
            yield v.parse(StateMessageSchema, JSON.parse(data));
    }
    catch (error) {
        // A stream that breaks off means that its process is gone, which callers check themselves.
        if (!signal.aborted && !isConnectionLost(error))
            throw error;
    }
}
function isConnectionLost(error) {
    return hasCode(error, 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE');
}
/** The `data` of each server-sent event. The API writes one data line per event. */
async function* readEvents(body) {
    let rest = '';
    // Decoded by the stream: a character may be split over two chunks.
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
// `expose url`, `status` and `stop`: they find a preview of this job or machine by its session folder, and send it
// requests.









const SESSION_FLAG = {
    'session NAME': 'which preview, if there are several (its name, or the `session` output)',
};
const url = {
    summary: 'Print the public URL.',
    usage: '[--link] [--session NAME]',
    flags: { link: 'the link to click, with its key if it has one', ...SESSION_FLAG },
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
    summary: 'Print the state of the tunnel, the app and the preview.',
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
    summary: 'End a preview that is running.',
    usage: '[--session NAME]',
    flags: SESSION_FLAG,
    async run(call) {
        const found = findSession(call);
        const { folder, session } = found;
        const running = isRunning(found);
        if (running)
            await callControl(session, 'POST /api/stop', limitStop(MAX_STOP_TIMEOUT_MS));
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
/** The state now, or the last one after the end. */
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
            exposure.phase === 'live' ? (exposure.expires_at ?? 'when its job ends, or it is stopped') : null,
        ],
        [
            'so far',
            [
                count_renderCount(state.visits, 'visit'),
                count_renderCount(state.reconnects, 'reconnect'),
                count_renderCount(state.address_changes, 'address change'),
                count_renderCount(state.restarts, 'restart'),
            ].join(', '),
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
    notes: 'The secret comes from BORE_SECRET or --secret-file; without one, anybody can open tunnels.',
    flags: {
        'host ADDRESS': 'address to listen on (default 127.0.0.1; 0.0.0.0: all networks)',
        'port N': `control port (default ${DEFAULT_CONTROL_PORT})`,
        'min-port N': 'lowest public port (default 1024)',
        'max-port N': 'highest public port (default 65535)',
        'secret-file FILE': 'file that holds the secret',
    },
    async run(call) {
        const { flags } = call;
        // A file usually ends with a line break, which is not part of the secret.
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
// Finds a command by its name, parses its arguments, prints help, and turns errors into exit codes. Used by cli.









const COMMANDS = { demo: demo, run: run, server: server, url: url, status: running_status, stop: stop };
const COMMON_FLAGS = {
    json: 'print JSON instead of text',
    help: 'print this help',
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
    const flags = Object.keys({ ...command.flags, ...COMMON_FLAGS });
    const options = Object.fromEntries(flags.map(flag => {
        const [name = '', value] = flag.split(/ |\[=/);
        return [name, { type: value === undefined ? 'boolean' : 'string' }];
    }));
    // parseArgs has no flags with an optional value.
    const complete = (arg) => flags.some(flag => `--${flag}`.startsWith(`${arg}[=`)) ? `${arg}=true` : arg;
    try {
        const { values, positionals } = (0,external_node_util_.parseArgs)({ args: args.map(complete), options, allowPositionals: true });
        const extra = positionals[command.maxArguments ?? 0];
        if (extra !== undefined && !values.help)
            throw new errors/* InputError */.dz(`unexpected argument '${sanitise(extra)}'; see --help`);
        return { flags: values, positionals, shell };
    }
    catch (cause) {
        if (cause instanceof errors/* InputError */.dz)
            throw cause;
        throw new errors/* InputError */.dz(`${describeMisuse(cause)}; see --help`);
    }
}
/** Node's messages begin with the problem; the advice after it does not fit these commands, and is left out. */
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
    'SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS CURL_CA_BUNDLE REQUESTS_CA_BUNDLE GIT_SSL_CAINFO';
/** Windows programs do not start without their system folders; names are case-insensitive there. */
const WINDOWS = 'SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT TEMP TMP OS USERNAME USERPROFILE USERDOMAIN HOMEDRIVE HOMEPATH ' +
    'APPDATA LOCALAPPDATA ALLUSERSPROFILE PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROGRAMW6432 ' +
    'COMMONPROGRAMFILES COMMONPROGRAMFILES(X86) COMMONPROGRAMW6432 NUMBER_OF_PROCESSORS PROCESSOR_ARCHITECTURE';
/** Where Rust is installed. Not all of CARGO_*: CARGO_REGISTRY_TOKEN is one of them. */
const RUST = 'CARGO_HOME RUSTUP_HOME RUSTUP_TOOLCHAIN CARGO_HTTP_CAINFO CARGO_HTTP_PROXY';
const ALLOWED = new Set(`${SYSTEM} ${NETWORK}`.split(' '));
const ALLOWED_ON_WINDOWS = new Set(`${SYSTEM} ${NETWORK} ${WINDOWS}`.toUpperCase().split(' '));
const ALLOWED_FOR_INSTALLATION = new Set(RUST.split(' '));
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
function readHost(environment, tempFolder) {
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
    const { fetch: fetchThrough } = await Promise.all(/* import() */[__webpack_require__.e(752), __webpack_require__.e(628)]).then(__webpack_require__.t.bind(__webpack_require__, 6752, 19));
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
    const { EnvHttpProxyAgent } = await Promise.all(/* import() */[__webpack_require__.e(752), __webpack_require__.e(628)]).then(__webpack_require__.t.bind(__webpack_require__, 6752, 19));
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
