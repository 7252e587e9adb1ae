import { createRequire as __WEBPACK_EXTERNAL_createRequire } from "module";
/******/ var __webpack_modules__ = ({

/***/ 4589:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:assert");

/***/ }),

/***/ 6698:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:async_hooks");

/***/ }),

/***/ 4573:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:buffer");

/***/ }),

/***/ 7540:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:console");

/***/ }),

/***/ 7598:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:crypto");

/***/ }),

/***/ 3053:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:diagnostics_channel");

/***/ }),

/***/ 610:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:dns");

/***/ }),

/***/ 8474:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:events");

/***/ }),

/***/ 1455:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:fs/promises");

/***/ }),

/***/ 7067:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:http");

/***/ }),

/***/ 2467:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:http2");

/***/ }),

/***/ 7030:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:net");

/***/ }),

/***/ 6760:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:path");

/***/ }),

/***/ 643:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:perf_hooks");

/***/ }),

/***/ 1792:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:querystring");

/***/ }),

/***/ 99:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:sqlite");

/***/ }),

/***/ 7075:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:stream");

/***/ }),

/***/ 7830:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:stream/web");

/***/ }),

/***/ 7997:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:timers");

/***/ }),

/***/ 1692:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:tls");

/***/ }),

/***/ 3136:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:url");

/***/ }),

/***/ 7975:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:util");

/***/ }),

/***/ 3429:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:util/types");

/***/ }),

/***/ 5919:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:worker_threads");

/***/ }),

/***/ 8522:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:zlib");

/***/ })

/******/ });
/************************************************************************/
/******/ // The module cache
/******/ var __webpack_module_cache__ = {};
/******/ 
/******/ // The require function
/******/ function __nccwpck_require__(moduleId) {
/******/ 	// Check if module is in cache
/******/ 	var cachedModule = __webpack_module_cache__[moduleId];
/******/ 	if (cachedModule !== undefined) {
/******/ 		return cachedModule.exports;
/******/ 	}
/******/ 	// Create a new module (and put it into the cache)
/******/ 	var module = __webpack_module_cache__[moduleId] = {
/******/ 		id: moduleId,
/******/ 		loaded: false,
/******/ 		exports: {}
/******/ 	};
/******/ 
/******/ 	// Execute the module function
/******/ 	var threw = true;
/******/ 	try {
/******/ 		__webpack_modules__[moduleId](module, module.exports, __nccwpck_require__);
/******/ 		threw = false;
/******/ 	} finally {
/******/ 		if(threw) delete __webpack_module_cache__[moduleId];
/******/ 	}
/******/ 
/******/ 	// Flag the module as loaded
/******/ 	module.loaded = true;
/******/ 
/******/ 	// Return the exports of the module
/******/ 	return module.exports;
/******/ }
/******/ 
/******/ // expose the modules object (__webpack_modules__)
/******/ __nccwpck_require__.m = __webpack_modules__;
/******/ 
/************************************************************************/
/******/ /* webpack/runtime/asset-relocator-loader */
/******/ if (typeof __nccwpck_require__ !== 'undefined') __nccwpck_require__.ab = decodeURIComponent(new URL('.', import.meta.url).pathname).slice(import.meta.url.match(/^file:\/\/\/\w:/) ? 1 : 0, -1) + "/";
/******/ 
/******/ /* webpack/runtime/create fake namespace object */
/******/ (() => {
/******/ 	var getProto = Object.getPrototypeOf ? (obj) => (Object.getPrototypeOf(obj)) : (obj) => (obj.__proto__);
/******/ 	var leafPrototypes;
/******/ 	// create a fake namespace object
/******/ 	// mode & 1: value is a module id, require it
/******/ 	// mode & 2: merge all properties of value into the ns
/******/ 	// mode & 4: return value when already ns object
/******/ 	// mode & 16: return value when it's Promise-like
/******/ 	// mode & 8|1: behave like require
/******/ 	__nccwpck_require__.t = function(value, mode) {
/******/ 		if(mode & 1) value = this(value);
/******/ 		if(mode & 8) return value;
/******/ 		if(typeof value === 'object' && value) {
/******/ 			if((mode & 4) && value.__esModule) return value;
/******/ 			if((mode & 16) && typeof value.then === 'function') return value;
/******/ 		}
/******/ 		var ns = Object.create(null);
/******/ 		__nccwpck_require__.r(ns);
/******/ 		var def = {};
/******/ 		leafPrototypes = leafPrototypes || [null, getProto({}), getProto([]), getProto(getProto)];
/******/ 		for(var current = mode & 2 && value; typeof current == 'object' && !~leafPrototypes.indexOf(current); current = getProto(current)) {
/******/ 			Object.getOwnPropertyNames(current).forEach((key) => (def[key] = () => (value[key])));
/******/ 		}
/******/ 		def['default'] = () => (value);
/******/ 		__nccwpck_require__.d(ns, def);
/******/ 		return ns;
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/define property getters */
/******/ (() => {
/******/ 	// define getter functions for harmony exports
/******/ 	__nccwpck_require__.d = (exports, definition) => {
/******/ 		for(var key in definition) {
/******/ 			if(__nccwpck_require__.o(definition, key) && !__nccwpck_require__.o(exports, key)) {
/******/ 				Object.defineProperty(exports, key, { enumerable: true, get: definition[key] });
/******/ 			}
/******/ 		}
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/ensure chunk */
/******/ (() => {
/******/ 	__nccwpck_require__.f = {};
/******/ 	// This file contains only the entry chunk.
/******/ 	// The chunk loading function for additional chunks
/******/ 	__nccwpck_require__.e = (chunkId) => {
/******/ 		return Promise.all(Object.keys(__nccwpck_require__.f).reduce((promises, key) => {
/******/ 			__nccwpck_require__.f[key](chunkId, promises);
/******/ 			return promises;
/******/ 		}, []));
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/get javascript chunk filename */
/******/ (() => {
/******/ 	// This function allow to reference async chunks
/******/ 	__nccwpck_require__.u = (chunkId) => {
/******/ 		// return url for filenames based on template
/******/ 		return "" + chunkId + ".index.js";
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/hasOwnProperty shorthand */
/******/ (() => {
/******/ 	__nccwpck_require__.o = (obj, prop) => (Object.prototype.hasOwnProperty.call(obj, prop))
/******/ })();
/******/ 
/******/ /* webpack/runtime/make namespace object */
/******/ (() => {
/******/ 	// define __esModule on exports
/******/ 	__nccwpck_require__.r = (exports) => {
/******/ 		if(typeof Symbol !== 'undefined' && Symbol.toStringTag) {
/******/ 			Object.defineProperty(exports, Symbol.toStringTag, { value: 'Module' });
/******/ 		}
/******/ 		Object.defineProperty(exports, '__esModule', { value: true });
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/node module decorator */
/******/ (() => {
/******/ 	__nccwpck_require__.nmd = (module) => {
/******/ 		module.paths = [];
/******/ 		if (!module.children) module.children = [];
/******/ 		return module;
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/import chunk loading */
/******/ (() => {
/******/ 	// no baseURI
/******/ 	
/******/ 	// object to store loaded and loading chunks
/******/ 	// undefined = chunk not loaded, null = chunk preloaded/prefetched
/******/ 	// [resolve, Promise] = chunk loading, 0 = chunk loaded
/******/ 	var installedChunks = {
/******/ 		792: 0
/******/ 	};
/******/ 	
/******/ 	var installChunk = (data) => {
/******/ 		var {ids, modules, runtime} = data;
/******/ 		// add "modules" to the modules object,
/******/ 		// then flag all "ids" as loaded and fire callback
/******/ 		var moduleId, chunkId, i = 0;
/******/ 		for(moduleId in modules) {
/******/ 			if(__nccwpck_require__.o(modules, moduleId)) {
/******/ 				__nccwpck_require__.m[moduleId] = modules[moduleId];
/******/ 			}
/******/ 		}
/******/ 		if(runtime) runtime(__nccwpck_require__);
/******/ 		for(;i < ids.length; i++) {
/******/ 			chunkId = ids[i];
/******/ 			if(__nccwpck_require__.o(installedChunks, chunkId) && installedChunks[chunkId]) {
/******/ 				installedChunks[chunkId][0]();
/******/ 			}
/******/ 			installedChunks[ids[i]] = 0;
/******/ 		}
/******/ 	
/******/ 	}
/******/ 	
/******/ 	__nccwpck_require__.f.j = (chunkId, promises) => {
/******/ 			// import() chunk loading for javascript
/******/ 			var installedChunkData = __nccwpck_require__.o(installedChunks, chunkId) ? installedChunks[chunkId] : undefined;
/******/ 			if(installedChunkData !== 0) { // 0 means "already installed".
/******/ 	
/******/ 				// a Promise means "currently loading".
/******/ 				if(installedChunkData) {
/******/ 					promises.push(installedChunkData[1]);
/******/ 				} else {
/******/ 					if(true) { // all chunks have JS
/******/ 						// setup Promise in chunk cache
/******/ 						var promise = import("./" + __nccwpck_require__.u(chunkId)).then(installChunk, (e) => {
/******/ 							if(installedChunks[chunkId] !== 0) installedChunks[chunkId] = undefined;
/******/ 							throw e;
/******/ 						});
/******/ 						var promise = Promise.race([promise, new Promise((resolve) => (installedChunkData = installedChunks[chunkId] = [resolve]))])
/******/ 						promises.push(installedChunkData[1] = promise);
/******/ 					}
/******/ 				}
/******/ 			}
/******/ 	};
/******/ 	
/******/ 	// no prefetching
/******/ 	
/******/ 	// no preloaded
/******/ 	
/******/ 	// no external install chunk
/******/ 	
/******/ 	// no on chunks loaded
/******/ })();
/******/ 
/************************************************************************/
var __webpack_exports__ = {};

// EXPORTS
__nccwpck_require__.d(__webpack_exports__, {
  n: () => (/* reexport */ runDemo)
});

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __nccwpck_require__(7598);
;// CONCATENATED MODULE: external "node:fs"
const external_node_fs_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:fs");
;// CONCATENATED MODULE: external "node:os"
const external_node_os_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:os");
// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __nccwpck_require__(6760);
// EXTERNAL MODULE: external "node:fs/promises"
var promises_ = __nccwpck_require__(1455);
;// CONCATENATED MODULE: ./build/js/shared/errors.js
// The error classes of all folders. Lower layers throw them with a cause; the programs decide what is fatal.
/** The workflow (or the command line) must change. Carries every problem found, so that all are reported at once. */
class errors_InputError extends Error {
    problems;
    constructor(problems, options) {
        const list = typeof problems === 'string' ? [problems] : problems;
        super(list.join('\n'), options);
        this.name = 'InputError';
        this.problems = list;
    }
}
/** The tunnel could not be opened or kept. `retryable` says whether trying again may help. */
class TunnelError extends Error {
    retryable;
    constructor(message, options) {
        super(message, options);
        this.name = 'TunnelError';
        this.retryable = options.retryable;
    }
}
/** The app did not start, or ended. */
class errors_AppError extends Error {
    /** Exit code of the program; undefined if it did not exit, or not by itself. */
    exitCode;
    /** The last lines it printed, oldest first; at most 20. */
    lastLines;
    /** False if another start would fail in the same way. */
    restartable;
    constructor(message, options = {}) {
        super(message, options);
        this.name = 'AppError';
        this.exitCode = options.exitCode;
        this.lastLines = options.lastLines ?? [];
        this.restartable = options.restartable ?? true;
    }
}
/** What was thrown, as an Error: JavaScript can throw anything. */
function toError(thrown) {
    return thrown instanceof Error ? thrown : new Error(errors_describeError(thrown));
}
/** The message of anything thrown, followed by the messages of its causes: `a: b: c`. One line per problem. */
function errors_describeError(error) {
    if (!(error instanceof Error))
        return String(error);
    // node:net tries all addresses of a name, and then throws an AggregateError without a message.
    const attempts = error instanceof AggregateError ? error.errors.map(errors_describeError).join(', ') : '';
    const message = error.message || attempts;
    // A time-out as the cause adds nothing to a message that already says what was waited for.
    const cause = error.cause === undefined || (message !== '' && isTimeout(error.cause)) ? '' : errors_describeError(error.cause);
    return cause === '' || message.includes(cause) ? message : `${message}: ${cause}`;
}
/** True for the reason of `AbortSignal.timeout`: a time limit was reached, and nobody cancelled the work. */
function isTimeout(error) {
    return error instanceof Error && error.name === 'TimeoutError';
}
/** True for an error of node:fs, node:net or node:dns with that `code`. */
function errors_hasCode(error, ...codes) {
    return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

;// CONCATENATED MODULE: ./build/js/shared/duration.js
// Durations as people write them in workflows: `90s`, `45m`, `1h30m`. Used by inputs, log lines and reports.

/**
 * 24 days: the longest duration of any input. Node's timers take 2^31 - 1 ms (24.8 days) and turn longer ones into 1
 * ms; the difference is room for what the code adds to a duration.
 */
const MAX_DURATION_MS = (/* unused pure expression or super */ null && (24 * 24 * 3_600_000));
const UNITS_MS = { h: 3_600_000, m: 60_000, s: 1_000 };
/** Milliseconds of `1h30m`, `45m` or `90s`; `input` names the input in the InputError. */
function duration_parseDuration(text, input) {
    const match = /^(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?$/.exec(text.trim().toLowerCase());
    const [hours, minutes, seconds] = (match ?? []).slice(1).map(part => Number(part ?? 0));
    const total = (hours ?? 0) * UNITS_MS.h + (minutes ?? 0) * UNITS_MS.m + (seconds ?? 0) * UNITS_MS.s;
    if (match === null || total === 0)
        throw new InputError(`\`${input}\` is '${text}', which is not a duration: write it like 90s, 45m or 1h30m`);
    if (total > MAX_DURATION_MS)
        throw new InputError(`\`${input}\` is '${text}': no duration is longer than ${MAX_DURATION_MS / UNITS_MS.h}h (24 days)`);
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
function sanitise_sanitise(text, maxLength = MAX_UNTRUSTED_LENGTH) {
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
        .map(line => sanitise_sanitise(line, Number.POSITIVE_INFINITY))
        .join('\n');
}
/**
 * JSON on one line, harmless for a terminal and for the runner, wherever it is printed or saved: the characters that could
 * harm are written as `\\uXXXX`, so that it says the same.
 */
function renderJson(value) {
    const json = JSON.stringify(value);
    const escaped = hasOnlyAscii(json)
        ? json
        : json.replace(UNSAFE, text => Array.from({ length: text.length }, (_, at) => escapeUnit(text, at)).join(''));
    return escaped.replaceAll('##[', '#\\u0023[');
}
/** Without DEL. JSON has no other control, and to search for each costs as much as to render it. */
function hasOnlyAscii(json) {
    return Buffer.byteLength(json) === json.length && !json.includes('\u007f');
}
function escapeUnit(text, at) {
    return `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`;
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

;// CONCATENATED MODULE: external "node:child_process"
const external_node_child_process_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:child_process");
// EXTERNAL MODULE: external "node:events"
var external_node_events_ = __nccwpck_require__(8474);
;// CONCATENATED MODULE: external "node:timers/promises"
const external_node_timers_promises_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:timers/promises");
;// CONCATENATED MODULE: ./build/js/shared/lines.js
// Splits text into lines: text that arrives in pieces, for the consoles of programs (app) and the log file (step), and
// lists that people have written (inputs and control).
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
/** The items of a list that a person has written: one per line, or with commas between them. */
function lines_splitItems(text) {
    return text
        .split(/[\n,]/)
        .map(item => item.trim())
        .filter(item => item !== '');
}

;// CONCATENATED MODULE: ./build/js/shared/stop-times.js
// How long the parts of an end may take. The post step has promised to be over after 30 s (a cancelled job is killed
// some minutes later), and everything here has to fit into that. Used wherever a preview is ended.
/** At the end, visitors have this long to finish their downloads. */
const DRAIN_MS = 5_000;
/** Time for the app to stop after SIGTERM, unless `stop-timeout` says otherwise. */
const DEFAULT_STOP_TIMEOUT_MS = 5_000;
/** The longest `stop-timeout`: `docker compose` gives its containers 10 s by default. */
const stop_times_MAX_STOP_TIMEOUT_MS = 20_000;
/** SIGKILL takes effect at once, except for a process in an uninterruptible call of the kernel. */
const stop_times_KILL_MS = 1_000;
/** All of post. */
const POST_LIMIT_MS = 30_000;
/** Until an answer of the control API arrives on a busy machine. */
const ANSWER_MS = 1_000;
/** When an answer to `POST /api/stop` is overdue: visitors are drained, the app has stopped or was killed. */
function limitStop(stopTimeoutMs) {
    return DRAIN_MS + stopTimeoutMs + stop_times_KILL_MS + ANSWER_MS;
}
/**
 * `wantedMs`, or what is left of post's time if that is less; `keptMs` is kept for what comes later. post begins with
 * its process.
 */
function limitInPost(wantedMs, keptMs) {
    return Math.max(0, Math.min(wantedMs, POST_LIMIT_MS - keptMs - performance.now()));
}

;// CONCATENATED MODULE: ./build/js/shared/processes.js
// Processes by id, safe against recycled ids, and process groups. The only reader of /proc/PID/stat, and the one place
// that ends a group. A pid alone identifies no process: it is trusted only with the start time it was recorded with.






/** The first look comes soon; each later one reads all of /proc, so they become rarer. */
const POLL_MS = 20;
const MAX_POLL_MS = 200;
/** Linux only: undefined elsewhere, and for a process that has ended, a zombie included. */
function readProcessStat(pid) {
    const stat = readText(`/proc/${pid}/stat`);
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
function readText(file) {
    try {
        return (0,external_node_fs_namespaceObject.readFileSync)(file, 'latin1');
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
        const text = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
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
function processes_isAlive(record) {
    return readStartTime(record.pid) === record.startTime;
}
/** Resolves with true when the process of the record has ended, and with false if it still runs after `timeoutMs`. */
function waitForEnd(record, timeoutMs) {
    return waitUntilGone(() => processes_isAlive(record), timeoutMs);
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
        await waitUntilGone(() => this.isRunning(), stop_times_KILL_MS);
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
        return !errors_hasCode(error, 'ESRCH');
    }
}
/** False if the time limit is reached first. */
async function waitUntilGone(isRunning, limitMs) {
    const end = performance.now() + limitMs;
    for (let pauseMs = POLL_MS; isRunning(); pauseMs = Math.min(pauseMs * 1.2, MAX_POLL_MS)) {
        const leftMs = end - performance.now();
        if (leftMs <= 0)
            return false;
        await (0,external_node_timers_promises_namespaceObject.setTimeout)(Math.min(pauseMs, leftMs));
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
        const [command = ''] = readText(`/proc/${pid}/cmdline`).split('\0');
        return { pid, name: (0,external_node_path_.basename)(command) || stat.name };
    });
}
/** Linux: the ids of all processes. */
function listProcesses() {
    return (0,external_node_fs_namespaceObject.readdirSync)('/proc')
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

;// CONCATENATED MODULE: external "node:string_decoder"
const external_node_string_decoder_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:string_decoder");
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
    #decoder = new external_node_string_decoder_namespaceObject.StringDecoder('utf8');
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
    const child = (0,external_node_child_process_namespaceObject.spawn)(options.command, options.args, {
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
    const killer = (0,external_node_child_process_namespaceObject.spawn)('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore', windowsHide: true });
    killer.on('error', () => child.kill());
    await Promise.race([exited, (0,external_node_timers_promises_namespaceObject.setTimeout)(TASKKILL_MS, undefined, { ref: false })]);
}
const REMEDIES = {
    bash: 'install bash: apt-get install bash, apk add bash, or Git for Windows',
    wasmrun: 'set wasmrun-version, so that it is installed, or install it in an earlier step',
    cargo: 'install Rust (https://rustup.rs)',
    ar: 'install binutils',
};
function describeSpawnFailure(options, cause) {
    const command = sanitise_sanitise(options.command);
    if (!(0,external_node_fs_namespaceObject.existsSync)(options.cwd))
        return new errors_AppError(`${options.role} cannot start: its folder ${sanitise_sanitise(options.cwd)} does not exist; check \`path\``, { cause, restartable: false });
    const remedy = REMEDIES[options.command] ?? 'install it, or put its folder on PATH';
    const message = errors_hasCode(cause, 'ENOENT')
        ? `${options.role} cannot start: the program ${command} was not found; ${remedy}`
        : errors_hasCode(cause, 'EACCES')
            ? `${options.role} cannot start: ${command} may not be executed; make it executable (chmod +x)`
            : `${options.role} cannot start: ${command} could not be run`;
    return new errors_AppError(message, { cause, restartable: false });
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
    const last = sanitise_sanitise(lastLines.findLast(line => line.trim() !== '') ?? 'it printed nothing');
    throw new errors_AppError(`${role} ended ${describeEnd(end)} (${last})`, { lastLines });
}

;// CONCATENATED MODULE: ./node_modules/valibot/dist/index.mjs
//#region src/storages/globalConfig/globalConfig.ts
let store$4;
const DEFAULT_CONFIG = {
	lang: void 0,
	message: void 0,
	abortEarly: void 0,
	abortPipeEarly: void 0
};
/**
* Sets the global configuration.
*
* @param config The configuration.
*/
function setGlobalConfig(config$1) {
	store$4 = {
		...store$4,
		...config$1
	};
}
/**
* Returns the global configuration.
*
* @param config The config to merge.
*
* @returns The configuration.
*/
/* @__NO_SIDE_EFFECTS__ */
function getGlobalConfig(config$1) {
	if (!config$1 && !store$4) return DEFAULT_CONFIG;
	return {
		lang: config$1?.lang ?? store$4?.lang,
		message: config$1?.message,
		abortEarly: config$1?.abortEarly ?? store$4?.abortEarly,
		abortPipeEarly: config$1?.abortPipeEarly ?? store$4?.abortPipeEarly
	};
}
/**
* Deletes the global configuration.
*/
function deleteGlobalConfig() {
	store$4 = void 0;
}

//#endregion
//#region src/storages/globalMessage/globalMessage.ts
let store$3;
/**
* Sets a global error message.
*
* @param message The error message.
* @param lang The language of the message.
*/
function setGlobalMessage(message$1, lang) {
	if (!store$3) store$3 = /* @__PURE__ */ new Map();
	store$3.set(lang, message$1);
}
/**
* Returns a global error message.
*
* @param lang The language of the message.
*
* @returns The error message.
*/
/* @__NO_SIDE_EFFECTS__ */
function getGlobalMessage(lang) {
	return store$3?.get(lang);
}
/**
* Deletes a global error message.
*
* @param lang The language of the message.
*/
function deleteGlobalMessage(lang) {
	store$3?.delete(lang);
}

//#endregion
//#region src/storages/schemaMessage/schemaMessage.ts
let store$2;
/**
* Sets a schema error message.
*
* @param message The error message.
* @param lang The language of the message.
*/
function setSchemaMessage(message$1, lang) {
	if (!store$2) store$2 = /* @__PURE__ */ new Map();
	store$2.set(lang, message$1);
}
/**
* Returns a schema error message.
*
* @param lang The language of the message.
*
* @returns The error message.
*/
/* @__NO_SIDE_EFFECTS__ */
function getSchemaMessage(lang) {
	return store$2?.get(lang);
}
/**
* Deletes a schema error message.
*
* @param lang The language of the message.
*/
function deleteSchemaMessage(lang) {
	store$2?.delete(lang);
}

//#endregion
//#region src/storages/specificMessage/specificMessage.ts
let store$1;
/**
* Sets a specific error message.
*
* @param reference The identifier reference.
* @param message The error message.
* @param lang The language of the message.
*/
function setSpecificMessage(reference, message$1, lang) {
	if (!store$1) store$1 = /* @__PURE__ */ new Map();
	if (!store$1.get(reference)) store$1.set(reference, /* @__PURE__ */ new Map());
	store$1.get(reference).set(lang, message$1);
}
/**
* Returns a specific error message.
*
* @param reference The identifier reference.
* @param lang The language of the message.
*
* @returns The error message.
*/
/* @__NO_SIDE_EFFECTS__ */
function getSpecificMessage(reference, lang) {
	return store$1?.get(reference)?.get(lang);
}
/**
* Deletes a specific error message.
*
* @param reference The identifier reference.
* @param lang The language of the message.
*/
function deleteSpecificMessage(reference, lang) {
	store$1?.get(reference)?.delete(lang);
}

//#endregion
//#region src/utils/_stringify/_stringify.ts
/**
* Stringifies an unknown input to a literal or type string.
*
* @param input The unknown input.
*
* @returns A literal or type string.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _stringify(input) {
	const type = typeof input;
	if (type === "string") return `"${input}"`;
	if (type === "number" || type === "bigint" || type === "boolean") return `${input}`;
	if (type === "object" || type === "function") return (input && Object.getPrototypeOf(input)?.constructor?.name) ?? "null";
	return type;
}

//#endregion
//#region src/utils/_addIssue/_addIssue.ts
/**
* Adds an issue to the dataset.
*
* @param context The issue context.
* @param label The issue label.
* @param dataset The input dataset.
* @param config The configuration.
* @param other The optional props.
*
* @internal
*/
function _addIssue(context, label, dataset, config$1, other) {
	const input = other && "input" in other ? other.input : dataset.value;
	const expected = other?.expected ?? context.expects ?? null;
	const received = other?.received ?? /* @__PURE__ */ _stringify(input);
	const issue = {
		kind: context.kind,
		type: context.type,
		input,
		expected,
		received,
		message: `Invalid ${label}: ${expected ? `Expected ${expected} but r` : "R"}eceived ${received}`,
		requirement: context.requirement,
		path: other?.path,
		issues: other?.issues,
		lang: config$1.lang,
		abortEarly: config$1.abortEarly,
		abortPipeEarly: config$1.abortPipeEarly
	};
	const isSchema = context.kind === "schema";
	const message$1 = other?.message ?? context.message ?? /* @__PURE__ */ getSpecificMessage(context.reference, issue.lang) ?? (isSchema ? /* @__PURE__ */ getSchemaMessage(issue.lang) : null) ?? config$1.message ?? /* @__PURE__ */ getGlobalMessage(issue.lang);
	if (message$1 !== void 0) issue.message = typeof message$1 === "function" ? message$1(issue) : message$1;
	if (isSchema) dataset.typed = false;
	if (dataset.issues) dataset.issues.push(issue);
	else dataset.issues = [issue];
}

//#endregion
//#region src/utils/_cloneDataset/_cloneDataset.ts
/**
* Creates a shallow copy of a dataset.
*
* Hint: The `value` is copied by reference, but the `issues` array, its issues
* and their `path` arrays are cloned to avoid reusing mutable dataset state
* across multiple runs. Mutating a returned object or array value can
* therefore affect later cache hits that reuse the same cached output.
*
* @param dataset The output dataset.
*
* @returns The copied output dataset.
*/
/* @__NO_SIDE_EFFECTS__ */
function _cloneDataset(dataset) {
	return {
		typed: dataset.typed,
		value: dataset.value,
		issues: dataset.issues?.map((issue) => ({
			...issue,
			path: issue.path && [...issue.path]
		}))
	};
}

//#endregion
//#region src/utils/_formatCase/_formatCase.ts
/**
* Splits a string into lowercase words and rejoins them with the given
* separator and capitalization rules.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries. Whether the first or subsequent words are
* capitalized is controlled by `capFirst` and `capRest`.
*
* Hint: Implemented in a single pass that emits directly to the result
* string to avoid an intermediate `string[]` allocation. ASCII chars are
* classified via char codes to skip `.toLowerCase()` and `.toUpperCase()`
* method calls in the common case.
*
* Hint: Digits are treated as a separate character class, so `item2Name`
* yields `item2` and `name` rather than `item`, `2` and `name`.
*
* @param input The input string.
* @param separator The string inserted between words.
* @param capFirst Whether to capitalize the first word.
* @param capRest Whether to capitalize subsequent words.
*
* @returns The formatted string.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _formatCase(input, separator, capFirst, capRest) {
	let result = "";
	let firstWord = true;
	let start = 0;
	let prev = 0;
	let prevPrev = 0;
	const flush = (end) => {
		if (end > start) {
			let word = input.slice(start, end).toLowerCase();
			if (firstWord ? capFirst : capRest) {
				const firstCode = word.charCodeAt(0);
				if (firstCode >= 97 && firstCode <= 122) word = String.fromCharCode(firstCode - 32) + word.slice(1);
				else {
					const charLen = firstCode >= 55296 && firstCode <= 56319 ? 2 : 1;
					word = word.slice(0, charLen).toUpperCase() + word.slice(charLen);
				}
			}
			result += firstWord ? word : separator + word;
			firstWord = false;
		}
	};
	for (let index = 0; index < input.length; index++) {
		const code = input.charCodeAt(index);
		let type;
		if (code === 32 || code === 9 || code === 10 || code === 11 || code === 12 || code === 13 || code === 45 || code === 95) {
			flush(index);
			start = index + 1;
			type = 0;
		} else if (code < 128) type = code >= 65 && code <= 90 ? 1 : code >= 97 && code <= 122 ? 2 : 3;
		else {
			const char = input[index];
			const charLower = char.toLowerCase();
			type = charLower === char.toUpperCase() ? 3 : char === charLower ? 2 : 1;
		}
		if (type === 1 && (prev === 2 || prev === 3) && index > start) {
			flush(index);
			start = index;
		} else if (type === 2 && prev === 1 && prevPrev === 1 && index - 1 > start) {
			flush(index - 1);
			start = index - 1;
		}
		prevPrev = prev;
		prev = type;
	}
	flush(input.length);
	return result;
}

//#endregion
//#region src/utils/_getByteCount/_getByteCount.ts
let textEncoder;
/**
* Returns the byte count of the input.
*
* @param input The input to be measured.
*
* @returns The byte count.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getByteCount(input) {
	if (!textEncoder) textEncoder = new TextEncoder();
	return textEncoder.encode(input).length;
}

//#endregion
//#region src/utils/_getCodePointCount/_getCodePointCount.ts
/**
* Returns the code point count of the input.
*
* @param input The input to be measured.
*
* @returns The code point count.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getCodePointCount(input) {
	let count = input.length;
	const lengthMinus1 = input.length - 1;
	for (let i = 0; i < lengthMinus1;) if (input.codePointAt(i) <= 65535) i++;
	else {
		i += 2;
		count--;
	}
	return count;
}

//#endregion
//#region src/utils/_getGraphemeCount/_getGraphemeCount.ts
let segmenter;
/**
* Returns the grapheme count of the input.
*
* @param input The input to be measured.
*
* @returns The grapheme count.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getGraphemeCount(input) {
	if (!segmenter) segmenter = new Intl.Segmenter();
	const segments = segmenter.segment(input);
	let count = 0;
	for (const _ of segments) count++;
	return count;
}

//#endregion
//#region src/utils/_getLastMetadata/_getLastMetadata.ts
/**
* Returns the last top-level value of a given metadata type from a schema
* using a breadth-first search that starts with the last item in the pipeline.
*
* @param schema The schema to search.
* @param type The metadata type.
*
* @returns The value, if any.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getLastMetadata(schema, type) {
	if ("pipe" in schema) {
		const nestedSchemas = [];
		for (let index = schema.pipe.length - 1; index >= 0; index--) {
			const item = schema.pipe[index];
			if (item.kind === "schema" && "pipe" in item) nestedSchemas.push(item);
			else if (item.kind === "metadata" && item.type === type) return item[type];
		}
		for (const nestedSchema of nestedSchemas) {
			const result = /* @__PURE__ */ _getLastMetadata(nestedSchema, type);
			if (result !== void 0) return result;
		}
	}
}

//#endregion
//#region src/utils/_getWordCount/_getWordCount.ts
let store;
/**
* Returns the word count of the input.
*
* @param locales The locales to be used.
* @param input The input to be measured.
*
* @returns The word count.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getWordCount(locales, input) {
	if (!store) store = /* @__PURE__ */ new Map();
	const key = String(locales);
	let segmenter$1 = store.get(key);
	if (!segmenter$1) {
		segmenter$1 = new Intl.Segmenter(locales, { granularity: "word" });
		store.set(key, segmenter$1);
	}
	const segments = segmenter$1.segment(input);
	let count = 0;
	for (const segment of segments) if (segment.isWordLike) count++;
	return count;
}

//#endregion
//#region src/utils/_isLuhnAlgo/_isLuhnAlgo.ts
/**
* Non-digit regex.
*/
const NON_DIGIT_REGEX = /\D/gu;
/**
* Checks whether a string with numbers corresponds to the luhn algorithm.
*
* @param input The input to be checked.
*
* @returns Whether input is valid.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isLuhnAlgo(input) {
	const number$1 = input.replace(NON_DIGIT_REGEX, "");
	let length$1 = number$1.length;
	let bit = 1;
	let sum = 0;
	while (length$1) {
		const value$1 = +number$1[--length$1];
		bit ^= 1;
		sum += bit ? [
			0,
			2,
			4,
			6,
			8,
			1,
			3,
			5,
			7,
			9
		][value$1] : value$1;
	}
	return sum % 10 === 0;
}

//#endregion
//#region src/utils/_isSameValueZero/_isSameValueZero.ts
/**
* Compares two values using the SameValueZero algorithm, which treats `NaN`
* as equal to itself unlike `===`.
*
* @param value1 The first value.
* @param value2 The second value.
*
* @returns Whether the values are equal.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isSameValueZero(value1, value2) {
	return value1 === value2 || Number.isNaN(value1) && Number.isNaN(value2);
}

//#endregion
//#region src/utils/_isValidObjectKey/_isValidObjectKey.ts
/**
* Disallows inherited object properties and prevents object prototype
* pollution by disallowing certain keys.
*
* @param object The object to check.
* @param key The key to check.
*
* @returns Whether the key is allowed.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isValidObjectKey(object$1, key) {
	return Object.prototype.hasOwnProperty.call(object$1, key) && key !== "__proto__" && key !== "prototype" && key !== "constructor";
}

//#endregion
//#region src/utils/_isValueMatch/_isValueMatch.ts
/**
* Checks whether a value matches a value action requirement.
*
* @param requirement The value action requirement.
* @param value The value to check.
*
* @returns Whether the value matches the requirement.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isValueMatch(requirement, value$1) {
	return Number.isNaN(requirement) && Number.isNaN(value$1) || requirement <= value$1 && requirement >= value$1;
}

//#endregion
//#region src/utils/_joinExpects/_joinExpects.ts
/**
* Joins multiple `expects` values with the given separator.
*
* @param values The `expects` values.
* @param separator The separator.
*
* @returns The joined `expects` property.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _joinExpects(values$1, separator) {
	const list = [...new Set(values$1)];
	if (list.length > 1) return `(${list.join(` ${separator} `)})`;
	return list[0] ?? "never";
}

//#endregion
//#region src/utils/_standardSchema/_standardSchema.ts
/**
* Eagerly creates and attaches the Standard Schema properties of a schema.
*
* Hint: The contextual `this` type includes the standard properties that are
* attached before the schema is returned.
*
* @param schema The schema to attach standard properties to.
*
* @returns The schema with standard properties attached.
*
* @internal
*/
function _standardSchema(schema) {
	schema["~standard"] = {
		version: 1,
		vendor: "valibot",
		validate: (value$1) => schema["~run"]({ value: value$1 }, /* @__PURE__ */ getGlobalConfig())
	};
	return schema;
}

//#endregion
//#region src/utils/entriesFromList/entriesFromList.ts
/**
* Creates an object entries definition from a list of keys and a schema.
*
* @param list A list of keys.
* @param schema The schema of the keys.
*
* @returns The object entries.
*/
/* @__NO_SIDE_EFFECTS__ */
function entriesFromList(list, schema) {
	const entries$1 = {};
	for (const key of list) entries$1[key] = schema;
	return entries$1;
}

//#endregion
//#region src/utils/entriesFromObjects/entriesFromObjects.ts
/* @__NO_SIDE_EFFECTS__ */
function entriesFromObjects(schemas) {
	const entries$1 = {};
	for (const schema of schemas) Object.assign(entries$1, schema.entries);
	return entries$1;
}

//#endregion
//#region src/utils/getDotPath/getDotPath.ts
/* @__NO_SIDE_EFFECTS__ */
function getDotPath(issue) {
	if (issue.path) {
		let key = "";
		for (const item of issue.path) if (typeof item.key === "string" || typeof item.key === "number") if (key) key += `.${item.key}`;
		else key += item.key;
		else return null;
		return key;
	}
	return null;
}

//#endregion
//#region src/utils/isOfKind/isOfKind.ts
/**
* A generic type guard to check the kind of an object.
*
* @param kind The kind to check for.
* @param object The object to check.
*
* @returns Whether it matches.
*/
/* @__NO_SIDE_EFFECTS__ */
function isOfKind(kind, object$1) {
	return object$1.kind === kind;
}

//#endregion
//#region src/utils/isOfType/isOfType.ts
/**
* A generic type guard to check the type of an object.
*
* @param type The type to check for.
* @param object The object to check.
*
* @returns Whether it matches.
*/
/* @__NO_SIDE_EFFECTS__ */
function isOfType(type, object$1) {
	return object$1.type === type;
}

//#endregion
//#region src/utils/ValiError/ValiError.ts
/**
* A Valibot error with useful information.
*/
var ValiError = class extends Error {
	/**
	* Creates a Valibot error with useful information.
	*
	* @param issues The error issues.
	*/
	constructor(issues) {
		super(issues[0].message);
		this.name = "ValiError";
		this.issues = issues;
	}
};

//#endregion
//#region src/utils/isValiError/isValiError.ts
/**
* A type guard to check if an error is a ValiError.
*
* @param error The error to check.
*
* @returns Whether its a ValiError.
*/
/* @__NO_SIDE_EFFECTS__ */
function isValiError(error) {
	return error instanceof ValiError;
}

//#endregion
//#region src/actions/args/args.ts
/* @__NO_SIDE_EFFECTS__ */
function args(schema) {
	return {
		kind: "transformation",
		type: "args",
		reference: args,
		async: false,
		schema,
		"~run"(dataset, config$1) {
			const func = dataset.value;
			dataset.value = (...args_) => {
				const argsDataset = this.schema["~run"]({ value: args_ }, config$1);
				if (argsDataset.issues) throw new ValiError(argsDataset.issues);
				return func(...argsDataset.value);
			};
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/args/argsAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function argsAsync(schema) {
	return {
		kind: "transformation",
		type: "args",
		reference: argsAsync,
		async: false,
		schema,
		"~run"(dataset, config$1) {
			const func = dataset.value;
			dataset.value = async (...args$1) => {
				const argsDataset = await schema["~run"]({ value: args$1 }, config$1);
				if (argsDataset.issues) throw new ValiError(argsDataset.issues);
				return func(...argsDataset.value);
			};
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/await/awaitAsync.ts
/**
* Creates an await transformation action.
*
* @returns An await action.
*/
/* @__NO_SIDE_EFFECTS__ */
function awaitAsync() {
	return {
		kind: "transformation",
		type: "await",
		reference: awaitAsync,
		async: true,
		async "~run"(dataset) {
			dataset.value = await dataset.value;
			return dataset;
		}
	};
}

//#endregion
//#region src/regex.ts
/**
* [Base64](https://en.wikipedia.org/wiki/Base64) regex.
*/
const BASE64_REGEX = /^(?:[\da-z+/]{4})*(?:[\da-z+/]{2}==|[\da-z+/]{3}=)?$/iu;
/**
* [BIC](https://en.wikipedia.org/wiki/ISO_9362) regex.
*/
const BIC_REGEX = /^[A-Z]{6}(?!00)[\dA-Z]{2}(?:[\dA-Z]{3})?$/u;
/**
* [Cuid2](https://github.com/paralleldrive/cuid2) regex.
*/
const CUID2_REGEX = /^[a-z][\da-z]*$/u;
/**
* [Decimal](https://en.wikipedia.org/wiki/Decimal) regex.
*/
const DECIMAL_REGEX = /^[+-]?(?:\d*\.)?\d+$/u;
/**
* [Digits](https://en.wikipedia.org/wiki/Numerical_digit) regex.
*/
const DIGITS_REGEX = /^\d+$/u;
/**
* [Domain name](https://en.wikipedia.org/wiki/Domain_name) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
* ASCII-only validation. Internationalized domain names (IDNs) are not
* supported, including Punycode-encoded labels.
*/
const DOMAIN_REGEX = /^(?=.{1,253}$)(?:(?![Xx][Nn]--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$/u;
/**
* [Email address](https://en.wikipedia.org/wiki/Email_address) regex.
*
* Hint: We decided against the `i` flag to avoid matching non-ASCII characters.
*/
const EMAIL_REGEX = /^[\w+-]+(?:\.[\w+-]+)*@[\da-zA-Z]+(?:[.-][\da-zA-Z]+)*\.[a-zA-Z]{2,}$/u;
/**
* Emoji regex from [emoji-regex-xs](https://github.com/slevithan/emoji-regex-xs) v1.0.0 (MIT license).
*
* Hint: We decided against the newer `/^\p{RGI_Emoji}+$/v` regex because it is
* not supported in older runtimes and does not match all emoji.
*/
const EMOJI_REGEX = /^(?:[\u{1F1E6}-\u{1F1FF}]{2}|\u{1F3F4}[\u{E0061}-\u{E007A}]{2}[\u{E0030}-\u{E0039}\u{E0061}-\u{E007A}]{1,3}\u{E007F}|(?:\p{Emoji}\uFE0F\u20E3?|\p{Emoji_Modifier_Base}\p{Emoji_Modifier}?|(?![\p{Emoji_Modifier_Base}\u{1F1E6}-\u{1F1FF}])\p{Emoji_Presentation})(?:\u200D(?:\p{Emoji}\uFE0F\u20E3?|\p{Emoji_Modifier_Base}\p{Emoji_Modifier}?|(?![\p{Emoji_Modifier_Base}\u{1F1E6}-\u{1F1FF}])\p{Emoji_Presentation}))*)+$/u;
/**
* [Hexadecimal](https://en.wikipedia.org/wiki/Hexadecimal) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const HEXADECIMAL_REGEX = /^(?:0[hx])?[\da-fA-F]+$/u;
/**
* [Hex color](https://en.wikipedia.org/wiki/Web_colors#Hex_triplet) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const HEX_COLOR_REGEX = /^#(?:[\da-fA-F]{3,4}|[\da-fA-F]{6}|[\da-fA-F]{8})$/u;
/**
* [IMEI](https://en.wikipedia.org/wiki/International_Mobile_Equipment_Identity) regex.
*/
const IMEI_REGEX = /^\d{15}$|^\d{2}-\d{6}-\d{6}-\d$/u;
/**
* [IPv4](https://en.wikipedia.org/wiki/IPv4) regex.
*/
const IPV4_REGEX = /^(?:(?:[1-9]|1\d|2[0-4])?\d|25[0-5])(?:\.(?:(?:[1-9]|1\d|2[0-4])?\d|25[0-5])){3}$/u;
/**
* [IPv6](https://en.wikipedia.org/wiki/IPv6) regex.
*/
const IPV6_REGEX = /^(?:(?:[\da-f]{1,4}:){7}[\da-f]{1,4}|(?:[\da-f]{1,4}:){1,7}:|(?:[\da-f]{1,4}:){1,6}:[\da-f]{1,4}|(?:[\da-f]{1,4}:){1,5}(?::[\da-f]{1,4}){1,2}|(?:[\da-f]{1,4}:){1,4}(?::[\da-f]{1,4}){1,3}|(?:[\da-f]{1,4}:){1,3}(?::[\da-f]{1,4}){1,4}|(?:[\da-f]{1,4}:){1,2}(?::[\da-f]{1,4}){1,5}|[\da-f]{1,4}:(?::[\da-f]{1,4}){1,6}|:(?:(?::[\da-f]{1,4}){1,7}|:)|fe80:(?::[\da-f]{0,4}){0,4}%[\da-z]+|::(?:f{4}(?::0{1,4})?:)?(?:(?:25[0-5]|(?:2[0-4]|1?\d)?\d)\.){3}(?:25[0-5]|(?:2[0-4]|1?\d)?\d)|(?:[\da-f]{1,4}:){1,4}:(?:(?:25[0-5]|(?:2[0-4]|1?\d)?\d)\.){3}(?:25[0-5]|(?:2[0-4]|1?\d)?\d))$/iu;
/**
* [IP](https://en.wikipedia.org/wiki/IP_address) regex.
*/
const IP_REGEX = /^(?:(?:[1-9]|1\d|2[0-4])?\d|25[0-5])(?:\.(?:(?:[1-9]|1\d|2[0-4])?\d|25[0-5])){3}$|^(?:(?:[\da-f]{1,4}:){7}[\da-f]{1,4}|(?:[\da-f]{1,4}:){1,7}:|(?:[\da-f]{1,4}:){1,6}:[\da-f]{1,4}|(?:[\da-f]{1,4}:){1,5}(?::[\da-f]{1,4}){1,2}|(?:[\da-f]{1,4}:){1,4}(?::[\da-f]{1,4}){1,3}|(?:[\da-f]{1,4}:){1,3}(?::[\da-f]{1,4}){1,4}|(?:[\da-f]{1,4}:){1,2}(?::[\da-f]{1,4}){1,5}|[\da-f]{1,4}:(?::[\da-f]{1,4}){1,6}|:(?:(?::[\da-f]{1,4}){1,7}|:)|fe80:(?::[\da-f]{0,4}){0,4}%[\da-z]+|::(?:f{4}(?::0{1,4})?:)?(?:(?:25[0-5]|(?:2[0-4]|1?\d)?\d)\.){3}(?:25[0-5]|(?:2[0-4]|1?\d)?\d)|(?:[\da-f]{1,4}:){1,4}:(?:(?:25[0-5]|(?:2[0-4]|1?\d)?\d)\.){3}(?:25[0-5]|(?:2[0-4]|1?\d)?\d))$/iu;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) date regex.
*/
const ISO_DATE_REGEX = /^\d{4}-(?:0[1-9]|1[0-2])-(?:[12]\d|0[1-9]|3[01])$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) date-time regex.
*/
const ISO_DATE_TIME_REGEX = /^\d{4}-(?:0[1-9]|1[0-2])-(?:[12]\d|0[1-9]|3[01])[T ](?:0\d|1\d|2[0-3]):[0-5]\d$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) date-time with seconds regex.
*/
const ISO_DATE_TIME_SECOND_REGEX = /^\d{4}-(?:0[1-9]|1[0-2])-(?:[12]\d|0[1-9]|3[01])[T ](?:0\d|1\d|2[0-3])(?::[0-5]\d){2}$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) time regex.
*/
const ISO_TIME_REGEX = /^(?:0\d|1\d|2[0-3]):[0-5]\d$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) time with seconds regex.
*/
const ISO_TIME_SECOND_REGEX = /^(?:0\d|1\d|2[0-3])(?::[0-5]\d){2}$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) timestamp regex. Allows a
* space as a date/time separator and an optional space before the UTC offset.
*/
const ISO_TIMESTAMP_REGEX = /^\d{4}-(?:0[1-9]|1[0-2])-(?:[12]\d|0[1-9]|3[01])[T ](?:0\d|1\d|2[0-3])(?::[0-5]\d){2}(?:\.\d{1,9})?(?:Z| ?[+-](?:0\d|1\d|2[0-3])(?::?[0-5]\d)?)$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) week regex.
*/
const ISO_WEEK_REGEX = /^\d{4}-W(?:0[1-9]|[1-4]\d|5[0-3])$/u;
/**
* [JWS compact serialization](https://datatracker.ietf.org/doc/html/rfc7515#section-3.1)
* regex.
*
* Hint: Empty payload and signature segments are allowed because the
* Base64URL-encoded representation of an empty octet sequence is an empty
* string.
*/
const JWS_COMPACT_REGEX = /^(?:[\w-]{2,3}|(?:[\w-]{4})+(?:[\w-]{2,3})?)\.(?:[\w-]{2,3}|(?:[\w-]{4})+(?:[\w-]{2,3})?)?\.(?:[\w-]{2,3}|(?:[\w-]{4})+(?:[\w-]{2,3})?)?$/u;
/**
* [ISRC](https://en.wikipedia.org/wiki/International_Standard_Recording_Code) regex.
*/
const ISRC_REGEX = /^(?:[A-Z]{2}[A-Z\d]{3}\d{7}|[A-Z]{2}-[A-Z\d]{3}-\d{2}-\d{5})$/u;
/**
* [KSUID](https://github.com/segmentio/ksuid) regex.
*/
const KSUID_REGEX = /^[a-zA-Z0-9]{27}$/u;
/**
* [MAC](https://en.wikipedia.org/wiki/MAC_address) 48 bit regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const MAC48_REGEX = /^(?:[\da-fA-F]{2}:){5}[\da-fA-F]{2}$|^(?:[\da-fA-F]{2}-){5}[\da-fA-F]{2}$|^(?:[\da-fA-F]{4}\.){2}[\da-fA-F]{4}$/u;
/**
* [MAC](https://en.wikipedia.org/wiki/MAC_address) 64 bit regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const MAC64_REGEX = /^(?:[\da-fA-F]{2}:){7}[\da-fA-F]{2}$|^(?:[\da-fA-F]{2}-){7}[\da-fA-F]{2}$|^(?:[\da-fA-F]{4}\.){3}[\da-fA-F]{4}$|^(?:[\da-fA-F]{4}:){3}[\da-fA-F]{4}$/u;
/**
* [MAC](https://en.wikipedia.org/wiki/MAC_address) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const MAC_REGEX = /^(?:[\da-fA-F]{2}:){5}[\da-fA-F]{2}$|^(?:[\da-fA-F]{2}-){5}[\da-fA-F]{2}$|^(?:[\da-fA-F]{4}\.){2}[\da-fA-F]{4}$|^(?:[\da-fA-F]{2}:){7}[\da-fA-F]{2}$|^(?:[\da-fA-F]{2}-){7}[\da-fA-F]{2}$|^(?:[\da-fA-F]{4}\.){3}[\da-fA-F]{4}$|^(?:[\da-fA-F]{4}:){3}[\da-fA-F]{4}$/u;
/**
* [Nano ID](https://github.com/ai/nanoid) regex.
*/
const NANO_ID_REGEX = /^[\w-]+$/u;
/**
* [Octal](https://en.wikipedia.org/wiki/Octal) regex.
*/
const OCTAL_REGEX = /^(?:0o)?[0-7]+$/u;
/**
* [RFC 5322 email address](https://datatracker.ietf.org/doc/html/rfc5322#section-3.4.1) regex.
*
* Hint: This regex was taken from the [HTML Living Standard Specification](https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address) and does not perfectly represent RFC 5322.
*/
const RFC_EMAIL_REGEX = /^[a-zA-Z0-9.!#$%&'*+\/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
/**
* [Slug](https://en.wikipedia.org/wiki/Clean_URL#Slug) regex.
*/
const SLUG_REGEX = /^[\da-z]+(?:[-_][\da-z]+)*$/u;
/**
* [ULID](https://github.com/ulid/spec) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
* Hint: The first character is restricted to `[0-7]` because the 48-bit
* timestamp cannot exceed 2^48-1, making the maximum valid ULID
* `7ZZZZZZZZZZZZZZZZZZZZZZZZZ` in Crockford's Base32 encoding.
*/
const ULID_REGEX = /^[0-7][\da-hjkmnp-tv-zA-HJKMNP-TV-Z]{25}$/u;
/**
* [UUID](https://en.wikipedia.org/wiki/Universally_unique_identifier) regex.
*/
const UUID_REGEX = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/iu;

//#endregion
//#region src/actions/base64/base64.ts
/* @__NO_SIDE_EFFECTS__ */
function base64(message$1) {
	return {
		kind: "validation",
		type: "base64",
		reference: base64,
		async: false,
		expects: null,
		requirement: BASE64_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "Base64", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/bic/bic.ts
/* @__NO_SIDE_EFFECTS__ */
function bic(message$1) {
	return {
		kind: "validation",
		type: "bic",
		reference: bic,
		async: false,
		expects: null,
		requirement: BIC_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "BIC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/brand/brand.ts
/**
* Creates a brand transformation action.
*
* @param name The brand name.
*
* @returns A brand action.
*/
/* @__NO_SIDE_EFFECTS__ */
function brand(name) {
	return {
		kind: "transformation",
		type: "brand",
		reference: brand,
		async: false,
		name,
		"~run"(dataset) {
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/bytes/bytes.ts
/* @__NO_SIDE_EFFECTS__ */
function bytes(requirement, message$1) {
	return {
		kind: "validation",
		type: "bytes",
		reference: bytes,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const length$1 = /* @__PURE__ */ _getByteCount(dataset.value);
				if (length$1 !== this.requirement) _addIssue(this, "bytes", dataset, config$1, { received: `${length$1}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/check/check.ts
/* @__NO_SIDE_EFFECTS__ */
function check(requirement, message$1) {
	return {
		kind: "validation",
		type: "check",
		reference: check,
		async: false,
		expects: null,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "input", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/check/checkAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function checkAsync(requirement, message$1) {
	return {
		kind: "validation",
		type: "check",
		reference: checkAsync,
		async: true,
		expects: null,
		requirement,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (dataset.typed && !await this.requirement(dataset.value)) _addIssue(this, "input", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/checkItems/checkItems.ts
/* @__NO_SIDE_EFFECTS__ */
function checkItems(requirement, message$1) {
	return {
		kind: "validation",
		type: "check_items",
		reference: checkItems,
		async: false,
		expects: null,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) for (let index = 0; index < dataset.value.length; index++) {
				const item = dataset.value[index];
				if (!this.requirement(item, index, dataset.value)) _addIssue(this, "item", dataset, config$1, {
					input: item,
					path: [{
						type: "array",
						origin: "value",
						input: dataset.value,
						key: index,
						value: item
					}]
				});
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/checkItems/checkItemsAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function checkItemsAsync(requirement, message$1) {
	return {
		kind: "validation",
		type: "check_items",
		reference: checkItemsAsync,
		async: true,
		expects: null,
		requirement,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (dataset.typed) {
				const requirementResults = await Promise.all(dataset.value.map(this.requirement));
				for (let index = 0; index < dataset.value.length; index++) if (!requirementResults[index]) {
					const item = dataset.value[index];
					_addIssue(this, "item", dataset, config$1, {
						input: item,
						path: [{
							type: "array",
							origin: "value",
							input: dataset.value,
							key: index,
							value: item
						}]
					});
				}
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/codePoints/codePoints.ts
/* @__NO_SIDE_EFFECTS__ */
function codePoints(requirement, message$1) {
	return {
		kind: "validation",
		type: "code_points",
		reference: codePoints,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getCodePointCount(dataset.value);
				if (count !== this.requirement) _addIssue(this, "code points", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/creditCard/creditCard.ts
/**
* Credit card regex.
*/
const CREDIT_CARD_REGEX = /^(?:\d{13,19}|\d{4}(?: \d{3,6}){2,4}|\d{4}(?:-\d{3,6}){2,4})$/u;
/**
* Sanitize regex.
*/
const SANITIZE_REGEX = /[- ]/gu;
/**
* Provider regex list.
*/
const PROVIDER_REGEX_LIST = (/* unused pure expression or super */ null && ([
	/^3[47]\d{13}$/u,
	/^3(?:0[0-5]|[68]\d)\d{11,13}$/u,
	/^6(?:011|5\d{2})\d{12,15}$/u,
	/^(?:2131|1800|35\d{3})\d{11}$/u,
	/^(?:5[1-5]\d{2}|222\d|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}$/u,
	/^(?:6[27]\d{14,17}|81\d{14,17})$/u,
	/^4\d{12}(?:\d{3,6})?$/u
]));
/* @__NO_SIDE_EFFECTS__ */
function creditCard(message$1) {
	return {
		kind: "validation",
		type: "credit_card",
		reference: creditCard,
		async: false,
		expects: null,
		requirement(input) {
			let sanitized;
			return CREDIT_CARD_REGEX.test(input) && (sanitized = input.replace(SANITIZE_REGEX, "")) && PROVIDER_REGEX_LIST.some((regex$1) => regex$1.test(sanitized)) && /* @__PURE__ */ _isLuhnAlgo(sanitized);
		},
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "credit card", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/cuid2/cuid2.ts
/* @__NO_SIDE_EFFECTS__ */
function cuid2(message$1) {
	return {
		kind: "validation",
		type: "cuid2",
		reference: cuid2,
		async: false,
		expects: null,
		requirement: CUID2_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "Cuid2", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/decimal/decimal.ts
/* @__NO_SIDE_EFFECTS__ */
function decimal(message$1) {
	return {
		kind: "validation",
		type: "decimal",
		reference: decimal,
		async: false,
		expects: null,
		requirement: DECIMAL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "decimal", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/description/description.ts
/**
* Creates a description metadata action.
*
* @param description_ The description text.
*
* @returns A description action.
*/
/* @__NO_SIDE_EFFECTS__ */
function description(description_) {
	return {
		kind: "metadata",
		type: "description",
		reference: description,
		description: description_
	};
}

//#endregion
//#region src/actions/digits/digits.ts
/* @__NO_SIDE_EFFECTS__ */
function digits(message$1) {
	return {
		kind: "validation",
		type: "digits",
		reference: digits,
		async: false,
		expects: null,
		requirement: DIGITS_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "digits", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/domain/domain.ts
/* @__NO_SIDE_EFFECTS__ */
function domain(message$1) {
	return {
		kind: "validation",
		type: "domain",
		reference: domain,
		expects: null,
		async: false,
		requirement: DOMAIN_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "domain", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/email/email.ts
/* @__NO_SIDE_EFFECTS__ */
function email(message$1) {
	return {
		kind: "validation",
		type: "email",
		reference: email,
		expects: null,
		async: false,
		requirement: EMAIL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "email", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/emoji/emoji.ts
/* @__NO_SIDE_EFFECTS__ */
function emoji(message$1) {
	return {
		kind: "validation",
		type: "emoji",
		reference: emoji,
		async: false,
		expects: null,
		requirement: EMOJI_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "emoji", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/empty/empty.ts
/* @__NO_SIDE_EFFECTS__ */
function empty(message$1) {
	return {
		kind: "validation",
		type: "empty",
		reference: empty,
		async: false,
		expects: "0",
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length > 0) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/endsWith/endsWith.ts
/* @__NO_SIDE_EFFECTS__ */
function endsWith(requirement, message$1) {
	return {
		kind: "validation",
		type: "ends_with",
		reference: endsWith,
		async: false,
		expects: `"${requirement}"`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.endsWith(this.requirement)) _addIssue(this, "end", dataset, config$1, { received: `"${dataset.value.slice(-this.requirement.length)}"` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/entries/entries.ts
/* @__NO_SIDE_EFFECTS__ */
function entries(requirement, message$1) {
	return {
		kind: "validation",
		type: "entries",
		reference: entries,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!dataset.typed) return dataset;
			const count = Object.keys(dataset.value).length;
			if (dataset.typed && count !== this.requirement) _addIssue(this, "entries", dataset, config$1, { received: `${count}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/everyItem/everyItem.ts
/* @__NO_SIDE_EFFECTS__ */
function everyItem(requirement, message$1) {
	return {
		kind: "validation",
		type: "every_item",
		reference: everyItem,
		async: false,
		expects: null,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.every(this.requirement)) _addIssue(this, "item", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/examples/examples.ts
/**
* Creates an examples metadata action.
*
* @param examples_ The examples.
*
* @returns An examples action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function examples(examples_) {
	return {
		kind: "metadata",
		type: "examples",
		reference: examples,
		examples: examples_
	};
}

//#endregion
//#region src/actions/excludes/excludes.ts
/* @__NO_SIDE_EFFECTS__ */
function excludes(requirement, message$1) {
	const received = /* @__PURE__ */ _stringify(requirement);
	return {
		kind: "validation",
		type: "excludes",
		reference: excludes,
		async: false,
		expects: `!${received}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.includes(this.requirement)) _addIssue(this, "content", dataset, config$1, { received });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/filterItems/filterItems.ts
/* @__NO_SIDE_EFFECTS__ */
function filterItems(operation) {
	return {
		kind: "transformation",
		type: "filter_items",
		reference: filterItems,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = dataset.value.filter(this.operation);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/findItem/findItem.ts
/* @__NO_SIDE_EFFECTS__ */
function findItem(operation) {
	return {
		kind: "transformation",
		type: "find_item",
		reference: findItem,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = dataset.value.find(this.operation);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/finite/finite.ts
/* @__NO_SIDE_EFFECTS__ */
function finite(message$1) {
	return {
		kind: "validation",
		type: "finite",
		reference: finite,
		async: false,
		expects: null,
		requirement: Number.isFinite,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "finite", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/flavor/flavor.ts
/**
* Creates a flavor transformation action.
*
* @param name The flavor name.
*
* @returns A flavor action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function flavor(name) {
	return {
		kind: "transformation",
		type: "flavor",
		reference: flavor,
		async: false,
		name,
		"~run"(dataset) {
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/graphemes/graphemes.ts
/* @__NO_SIDE_EFFECTS__ */
function graphemes(requirement, message$1) {
	return {
		kind: "validation",
		type: "graphemes",
		reference: graphemes,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getGraphemeCount(dataset.value);
				if (count !== this.requirement) _addIssue(this, "graphemes", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/gtValue/gtValue.ts
/* @__NO_SIDE_EFFECTS__ */
function gtValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "gt_value",
		reference: gtValue,
		async: false,
		expects: `>${requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !(dataset.value > this.requirement)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/guard/guard.ts
/* @__NO_SIDE_EFFECTS__ */
function guard(requirement, message$1) {
	return {
		kind: "transformation",
		type: "guard",
		reference: guard,
		async: false,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) {
				_addIssue(this, "input", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/hash/hash.ts
/**
* Hash lengths object.
*/
const HASH_LENGTHS = {
	md4: 32,
	md5: 32,
	sha1: 40,
	sha256: 64,
	sha384: 96,
	sha512: 128,
	ripemd128: 32,
	ripemd160: 40,
	tiger128: 32,
	tiger160: 40,
	tiger192: 48,
	crc32: 8,
	crc32b: 8,
	adler32: 8
};
/* @__NO_SIDE_EFFECTS__ */
function hash(types, message$1) {
	return {
		kind: "validation",
		type: "hash",
		reference: hash,
		expects: null,
		async: false,
		requirement: RegExp(types.map((type) => `^[a-fA-F0-9]{${HASH_LENGTHS[type]}}$`).join("|"), "u"),
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "hash", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/hexadecimal/hexadecimal.ts
/* @__NO_SIDE_EFFECTS__ */
function hexadecimal(message$1) {
	return {
		kind: "validation",
		type: "hexadecimal",
		reference: hexadecimal,
		async: false,
		expects: null,
		requirement: HEXADECIMAL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "hexadecimal", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/hexColor/hexColor.ts
/* @__NO_SIDE_EFFECTS__ */
function hexColor(message$1) {
	return {
		kind: "validation",
		type: "hex_color",
		reference: hexColor,
		async: false,
		expects: null,
		requirement: HEX_COLOR_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "hex color", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/imei/imei.ts
/* @__NO_SIDE_EFFECTS__ */
function imei(message$1) {
	return {
		kind: "validation",
		type: "imei",
		reference: imei,
		async: false,
		expects: null,
		requirement(input) {
			return IMEI_REGEX.test(input) && /* @__PURE__ */ _isLuhnAlgo(input);
		},
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "IMEI", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/includes/includes.ts
/* @__NO_SIDE_EFFECTS__ */
function includes(requirement, message$1) {
	const expects = /* @__PURE__ */ _stringify(requirement);
	return {
		kind: "validation",
		type: "includes",
		reference: includes,
		async: false,
		expects,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.includes(this.requirement)) _addIssue(this, "content", dataset, config$1, { received: `!${expects}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/integer/integer.ts
/* @__NO_SIDE_EFFECTS__ */
function integer(message$1) {
	return {
		kind: "validation",
		type: "integer",
		reference: integer,
		async: false,
		expects: null,
		requirement: Number.isInteger,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "integer", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ip/ip.ts
/* @__NO_SIDE_EFFECTS__ */
function ip(message$1) {
	return {
		kind: "validation",
		type: "ip",
		reference: ip,
		async: false,
		expects: null,
		requirement: IP_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "IP", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ipv4/ipv4.ts
/* @__NO_SIDE_EFFECTS__ */
function ipv4(message$1) {
	return {
		kind: "validation",
		type: "ipv4",
		reference: ipv4,
		async: false,
		expects: null,
		requirement: IPV4_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "IPv4", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ipv6/ipv6.ts
/* @__NO_SIDE_EFFECTS__ */
function ipv6(message$1) {
	return {
		kind: "validation",
		type: "ipv6",
		reference: ipv6,
		async: false,
		expects: null,
		requirement: IPV6_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "IPv6", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isbn/utils/_isIsbn10.ts
/**
* [Validates an ISBN-10](https://en.wikipedia.org/wiki/ISBN#ISBN-10_check_digits).
*
* @param input The input value.
*
* @returns `true` if the input is a valid ISBN-10, `false` otherwise.
*
* @internal
*/
function _isIsbn10(input) {
	const digits$1 = input.split("").map((c) => c === "X" ? 10 : parseInt(c));
	let sum = 0;
	for (let i = 0; i < 10; i++) sum += digits$1[i] * (10 - i);
	return sum % 11 === 0;
}

//#endregion
//#region src/actions/isbn/utils/_isIsbn13.ts
/**
* [Validates an ISBN-13](https://en.wikipedia.org/wiki/ISBN#ISBN-13_check_digit_calculation).
*
* @param input The input value.
*
* @returns `true` if the input is a valid ISBN-13, `false` otherwise.
*
* @internal
*/
function _isIsbn13(input) {
	const digits$1 = input.split("").map((c) => parseInt(c));
	let sum = 0;
	for (let i = 0; i < 13; i++) sum += digits$1[i] * (i % 2 === 0 ? 1 : 3);
	return sum % 10 === 0;
}

//#endregion
//#region src/actions/isbn/isbn.ts
/**
* ISBN separator regex.
*/
const ISBN_SEPARATOR_REGEX = /[- ]/gu;
/**
* ISBN-10 detection regex.
*/
const ISBN_10_DETECTION_REGEX = /^\d{9}[\dX]$/u;
/**
* ISBN-13 detection regex.
*/
const ISBN_13_DETECTION_REGEX = /^\d{13}$/u;
/* @__NO_SIDE_EFFECTS__ */
function isbn(message$1) {
	return {
		kind: "validation",
		type: "isbn",
		reference: isbn,
		async: false,
		expects: null,
		requirement(input) {
			const replacedInput = input.replace(ISBN_SEPARATOR_REGEX, "");
			if (ISBN_10_DETECTION_REGEX.test(replacedInput)) return _isIsbn10(replacedInput);
			else if (ISBN_13_DETECTION_REGEX.test(replacedInput)) return _isIsbn13(replacedInput);
			return false;
		},
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "ISBN", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isrc/isrc.ts
/* @__NO_SIDE_EFFECTS__ */
function isrc(message$1) {
	return {
		kind: "validation",
		type: "isrc",
		reference: isrc,
		async: false,
		expects: null,
		requirement: ISRC_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "ISRC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoDate/isoDate.ts
/* @__NO_SIDE_EFFECTS__ */
function isoDate(message$1) {
	return {
		kind: "validation",
		type: "iso_date",
		reference: isoDate,
		async: false,
		expects: null,
		requirement: ISO_DATE_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "date", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoDateTime/isoDateTime.ts
/* @__NO_SIDE_EFFECTS__ */
function isoDateTime(message$1) {
	return {
		kind: "validation",
		type: "iso_date_time",
		reference: isoDateTime,
		async: false,
		expects: null,
		requirement: ISO_DATE_TIME_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "date-time", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoDateTimeSecond/isoDateTimeSecond.ts
/* @__NO_SIDE_EFFECTS__ */
function isoDateTimeSecond(message$1) {
	return {
		kind: "validation",
		type: "iso_date_time_second",
		reference: isoDateTimeSecond,
		async: false,
		expects: null,
		requirement: ISO_DATE_TIME_SECOND_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "date-time-second", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoTime/isoTime.ts
/* @__NO_SIDE_EFFECTS__ */
function isoTime(message$1) {
	return {
		kind: "validation",
		type: "iso_time",
		reference: isoTime,
		async: false,
		expects: null,
		requirement: ISO_TIME_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "time", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoTimeSecond/isoTimeSecond.ts
/* @__NO_SIDE_EFFECTS__ */
function isoTimeSecond(message$1) {
	return {
		kind: "validation",
		type: "iso_time_second",
		reference: isoTimeSecond,
		async: false,
		expects: null,
		requirement: ISO_TIME_SECOND_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "time-second", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoTimestamp/isoTimestamp.ts
/* @__NO_SIDE_EFFECTS__ */
function isoTimestamp(message$1) {
	return {
		kind: "validation",
		type: "iso_timestamp",
		reference: isoTimestamp,
		async: false,
		expects: null,
		requirement: ISO_TIMESTAMP_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "timestamp", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoWeek/isoWeek.ts
/* @__NO_SIDE_EFFECTS__ */
function isoWeek(message$1) {
	return {
		kind: "validation",
		type: "iso_week",
		reference: isoWeek,
		async: false,
		expects: null,
		requirement: ISO_WEEK_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "week", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/jwsCompact/jwsCompact.ts
/* @__NO_SIDE_EFFECTS__ */
function jwsCompact(message$1) {
	return {
		kind: "validation",
		type: "jws_compact",
		reference: jwsCompact,
		async: false,
		expects: null,
		requirement: JWS_COMPACT_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "JWS compact", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ksuid/ksuid.ts
/* @__NO_SIDE_EFFECTS__ */
function ksuid(message$1) {
	return {
		kind: "validation",
		type: "ksuid",
		reference: ksuid,
		async: false,
		expects: null,
		requirement: KSUID_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "KSUID", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/length/length.ts
/* @__NO_SIDE_EFFECTS__ */
function dist_length(requirement, message$1) {
	return {
		kind: "validation",
		type: "length",
		reference: dist_length,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length !== this.requirement) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ltValue/ltValue.ts
/* @__NO_SIDE_EFFECTS__ */
function ltValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "lt_value",
		reference: ltValue,
		async: false,
		expects: `<${requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !(dataset.value < this.requirement)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/mac/mac.ts
/* @__NO_SIDE_EFFECTS__ */
function mac(message$1) {
	return {
		kind: "validation",
		type: "mac",
		reference: mac,
		async: false,
		expects: null,
		requirement: MAC_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "MAC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/mac48/mac48.ts
/* @__NO_SIDE_EFFECTS__ */
function mac48(message$1) {
	return {
		kind: "validation",
		type: "mac48",
		reference: mac48,
		async: false,
		expects: null,
		requirement: MAC48_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "48-bit MAC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/mac64/mac64.ts
/* @__NO_SIDE_EFFECTS__ */
function mac64(message$1) {
	return {
		kind: "validation",
		type: "mac64",
		reference: mac64,
		async: false,
		expects: null,
		requirement: MAC64_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "64-bit MAC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/mapItems/mapItems.ts
/* @__NO_SIDE_EFFECTS__ */
function mapItems(operation) {
	return {
		kind: "transformation",
		type: "map_items",
		reference: mapItems,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = dataset.value.map(this.operation);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxBytes/maxBytes.ts
/* @__NO_SIDE_EFFECTS__ */
function maxBytes(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_bytes",
		reference: maxBytes,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const length$1 = /* @__PURE__ */ _getByteCount(dataset.value);
				if (length$1 > this.requirement) _addIssue(this, "bytes", dataset, config$1, { received: `${length$1}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxCodePoints/maxCodePoints.ts
/* @__NO_SIDE_EFFECTS__ */
function maxCodePoints(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_code_points",
		reference: maxCodePoints,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getCodePointCount(dataset.value);
				if (count > this.requirement) _addIssue(this, "code points", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxEntries/maxEntries.ts
/* @__NO_SIDE_EFFECTS__ */
function maxEntries(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_entries",
		reference: maxEntries,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!dataset.typed) return dataset;
			const count = Object.keys(dataset.value).length;
			if (dataset.typed && count > this.requirement) _addIssue(this, "entries", dataset, config$1, { received: `${count}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxGraphemes/maxGraphemes.ts
/* @__NO_SIDE_EFFECTS__ */
function maxGraphemes(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_graphemes",
		reference: maxGraphemes,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getGraphemeCount(dataset.value);
				if (count > this.requirement) _addIssue(this, "graphemes", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxLength/maxLength.ts
/* @__NO_SIDE_EFFECTS__ */
function maxLength(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_length",
		reference: maxLength,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length > this.requirement) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxSize/maxSize.ts
/* @__NO_SIDE_EFFECTS__ */
function maxSize(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_size",
		reference: maxSize,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.size > this.requirement) _addIssue(this, "size", dataset, config$1, { received: `${dataset.value.size}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxValue/maxValue.ts
/* @__NO_SIDE_EFFECTS__ */
function maxValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_value",
		reference: maxValue,
		async: false,
		expects: `<=${requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !(dataset.value <= this.requirement)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxWords/maxWords.ts
/* @__NO_SIDE_EFFECTS__ */
function maxWords(locales, requirement, message$1) {
	return {
		kind: "validation",
		type: "max_words",
		reference: maxWords,
		async: false,
		expects: `<=${requirement}`,
		locales,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getWordCount(this.locales, dataset.value);
				if (count > this.requirement) _addIssue(this, "words", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/metadata/metadata.ts
/**
* Creates a custom metadata action.
*
* @param metadata_ The metadata object.
*
* @returns A metadata action.
*/
/* @__NO_SIDE_EFFECTS__ */
function metadata(metadata_) {
	return {
		kind: "metadata",
		type: "metadata",
		reference: metadata,
		metadata: metadata_
	};
}

//#endregion
//#region src/actions/mimeType/mimeType.ts
/* @__NO_SIDE_EFFECTS__ */
function mimeType(requirement, message$1) {
	return {
		kind: "validation",
		type: "mime_type",
		reference: mimeType,
		async: false,
		expects: /* @__PURE__ */ _joinExpects(requirement.map((option) => `"${option}"`), "|"),
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.includes(dataset.value.type)) _addIssue(this, "MIME type", dataset, config$1, { received: `"${dataset.value.type}"` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minBytes/minBytes.ts
/* @__NO_SIDE_EFFECTS__ */
function minBytes(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_bytes",
		reference: minBytes,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const length$1 = /* @__PURE__ */ _getByteCount(dataset.value);
				if (length$1 < this.requirement) _addIssue(this, "bytes", dataset, config$1, { received: `${length$1}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minCodePoints/minCodePoints.ts
/* @__NO_SIDE_EFFECTS__ */
function minCodePoints(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_code_points",
		reference: minCodePoints,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getCodePointCount(dataset.value);
				if (count < this.requirement) _addIssue(this, "code points", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minEntries/minEntries.ts
/* @__NO_SIDE_EFFECTS__ */
function minEntries(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_entries",
		reference: minEntries,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!dataset.typed) return dataset;
			const count = Object.keys(dataset.value).length;
			if (dataset.typed && count < this.requirement) _addIssue(this, "entries", dataset, config$1, { received: `${count}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minGraphemes/minGraphemes.ts
/* @__NO_SIDE_EFFECTS__ */
function minGraphemes(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_graphemes",
		reference: minGraphemes,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getGraphemeCount(dataset.value);
				if (count < this.requirement) _addIssue(this, "graphemes", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minLength/minLength.ts
/* @__NO_SIDE_EFFECTS__ */
function minLength(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_length",
		reference: minLength,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length < this.requirement) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minSize/minSize.ts
/* @__NO_SIDE_EFFECTS__ */
function minSize(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_size",
		reference: minSize,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.size < this.requirement) _addIssue(this, "size", dataset, config$1, { received: `${dataset.value.size}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minValue/minValue.ts
/* @__NO_SIDE_EFFECTS__ */
function minValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_value",
		reference: minValue,
		async: false,
		expects: `>=${requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !(dataset.value >= this.requirement)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minWords/minWords.ts
/* @__NO_SIDE_EFFECTS__ */
function minWords(locales, requirement, message$1) {
	return {
		kind: "validation",
		type: "min_words",
		reference: minWords,
		async: false,
		expects: `>=${requirement}`,
		locales,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getWordCount(this.locales, dataset.value);
				if (count < this.requirement) _addIssue(this, "words", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/multipleOf/multipleOf.ts
/* @__NO_SIDE_EFFECTS__ */
function multipleOf(requirement, message$1) {
	return {
		kind: "validation",
		type: "multiple_of",
		reference: multipleOf,
		async: false,
		expects: `%${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value % this.requirement != 0) _addIssue(this, "multiple", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/nanoid/nanoid.ts
/* @__NO_SIDE_EFFECTS__ */
function nanoid(message$1) {
	return {
		kind: "validation",
		type: "nanoid",
		reference: nanoid,
		async: false,
		expects: null,
		requirement: NANO_ID_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "Nano ID", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/nonEmpty/nonEmpty.ts
/* @__NO_SIDE_EFFECTS__ */
function nonEmpty(message$1) {
	return {
		kind: "validation",
		type: "non_empty",
		reference: nonEmpty,
		async: false,
		expects: "!0",
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length === 0) _addIssue(this, "length", dataset, config$1, { received: "0" });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/normalize/normalize.ts
/* @__NO_SIDE_EFFECTS__ */
function normalize(form) {
	return {
		kind: "transformation",
		type: "normalize",
		reference: normalize,
		async: false,
		form,
		"~run"(dataset) {
			dataset.value = dataset.value.normalize(this.form);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notBytes/notBytes.ts
/* @__NO_SIDE_EFFECTS__ */
function notBytes(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_bytes",
		reference: notBytes,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const length$1 = /* @__PURE__ */ _getByteCount(dataset.value);
				if (length$1 === this.requirement) _addIssue(this, "bytes", dataset, config$1, { received: `${length$1}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notCodePoints/notCodePoints.ts
/* @__NO_SIDE_EFFECTS__ */
function notCodePoints(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_code_points",
		reference: notCodePoints,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getCodePointCount(dataset.value);
				if (count === this.requirement) _addIssue(this, "code points", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notEntries/notEntries.ts
/* @__NO_SIDE_EFFECTS__ */
function notEntries(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_entries",
		reference: notEntries,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!dataset.typed) return dataset;
			const count = Object.keys(dataset.value).length;
			if (dataset.typed && count === this.requirement) _addIssue(this, "entries", dataset, config$1, { received: `${count}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notGraphemes/notGraphemes.ts
/* @__NO_SIDE_EFFECTS__ */
function notGraphemes(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_graphemes",
		reference: notGraphemes,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getGraphemeCount(dataset.value);
				if (count === this.requirement) _addIssue(this, "graphemes", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notLength/notLength.ts
/* @__NO_SIDE_EFFECTS__ */
function notLength(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_length",
		reference: notLength,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length === this.requirement) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notSize/notSize.ts
/* @__NO_SIDE_EFFECTS__ */
function notSize(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_size",
		reference: notSize,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.size === this.requirement) _addIssue(this, "size", dataset, config$1, { received: `${dataset.value.size}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notValue/notValue.ts
/* @__NO_SIDE_EFFECTS__ */
function notValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_value",
		reference: notValue,
		async: false,
		expects: requirement instanceof Date ? `!${requirement.toJSON()}` : `!${/* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && /* @__PURE__ */ _isValueMatch(this.requirement, dataset.value)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notValues/notValues.ts
/* @__NO_SIDE_EFFECTS__ */
function notValues(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_values",
		reference: notValues,
		async: false,
		expects: `!${/* @__PURE__ */ _joinExpects(requirement.map((value$1) => value$1 instanceof Date ? value$1.toJSON() : /* @__PURE__ */ _stringify(value$1)), "|")}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && this.requirement.some((requirement$1) => /* @__PURE__ */ _isValueMatch(requirement$1, dataset.value))) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notWords/notWords.ts
/* @__NO_SIDE_EFFECTS__ */
function notWords(locales, requirement, message$1) {
	return {
		kind: "validation",
		type: "not_words",
		reference: notWords,
		async: false,
		expects: `!${requirement}`,
		locales,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getWordCount(this.locales, dataset.value);
				if (count === this.requirement) _addIssue(this, "words", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/octal/octal.ts
/* @__NO_SIDE_EFFECTS__ */
function octal(message$1) {
	return {
		kind: "validation",
		type: "octal",
		reference: octal,
		async: false,
		expects: null,
		requirement: OCTAL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "octal", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/parseBoolean/parseBoolean.ts
const TRUTHY = (/* unused pure expression or super */ null && ([
	true,
	1,
	"true",
	"1",
	"yes",
	"y",
	"on",
	"enabled"
]));
const FALSY = (/* unused pure expression or super */ null && ([
	false,
	0,
	"false",
	"0",
	"no",
	"n",
	"off",
	"disabled"
]));
/* @__NO_SIDE_EFFECTS__ */
function dist_parseBoolean(config$1, message$1) {
	const normalize$1 = (v) => typeof v === "string" ? v.toLowerCase() : v;
	const truthyRaw = config$1?.truthy ?? TRUTHY;
	const falsyRaw = config$1?.falsy ?? FALSY;
	const truthy = config$1?.truthy ? config$1.truthy.map(normalize$1) : TRUTHY;
	const falsy = config$1?.falsy ? config$1.falsy.map(normalize$1) : FALSY;
	return {
		kind: "transformation",
		type: "parse_boolean",
		reference: dist_parseBoolean,
		expects: /* @__PURE__ */ _joinExpects([...truthyRaw, ...falsyRaw].map(_stringify), "|"),
		config: config$1,
		message: message$1,
		async: false,
		"~run"(dataset, config$2) {
			const input = normalize$1(dataset.value);
			if (truthy.includes(input)) dataset.value = true;
			else if (falsy.includes(input)) dataset.value = false;
			else {
				_addIssue(this, "boolean", dataset, config$2);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/parseJson/parseJson.ts
/* @__NO_SIDE_EFFECTS__ */
function parseJson(config$1, message$1) {
	return {
		kind: "transformation",
		type: "parse_json",
		reference: parseJson,
		config: config$1,
		message: message$1,
		async: false,
		"~run"(dataset, config$2) {
			try {
				dataset.value = JSON.parse(dataset.value, this.config?.reviver);
			} catch (error) {
				if (error instanceof Error) {
					_addIssue(this, "JSON", dataset, config$2, { received: `"${error.message}"` });
					dataset.typed = false;
				} else throw error;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/partialCheck/utils/_isPartiallyTyped/_isPartiallyTyped.ts
/**
* Checks if a dataset is partially typed.
*
* @param dataset The dataset to check.
* @param paths The paths to check.
*
* @returns Whether it is partially typed.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isPartiallyTyped(dataset, paths) {
	if (dataset.issues) for (const path of paths) for (const issue of dataset.issues) {
		let typed = false;
		const bound = Math.min(path.length, issue.path?.length ?? 0);
		for (let index = 0; index < bound; index++) if (path[index] !== issue.path[index].key && (path[index] !== "$" || issue.path[index].type !== "array")) {
			typed = true;
			break;
		}
		if (!typed) return false;
	}
	return true;
}

//#endregion
//#region src/actions/partialCheck/partialCheck.ts
/* @__NO_SIDE_EFFECTS__ */
function partialCheck(paths, requirement, message$1) {
	return {
		kind: "validation",
		type: "partial_check",
		reference: partialCheck,
		async: false,
		expects: null,
		paths,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if ((dataset.typed || /* @__PURE__ */ _isPartiallyTyped(dataset, paths)) && !this.requirement(dataset.value)) _addIssue(this, "input", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/partialCheck/partialCheckAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function partialCheckAsync(paths, requirement, message$1) {
	return {
		kind: "validation",
		type: "partial_check",
		reference: partialCheckAsync,
		async: true,
		expects: null,
		paths,
		requirement,
		message: message$1,
		async "~run"(dataset, config$1) {
			if ((dataset.typed || /* @__PURE__ */ _isPartiallyTyped(dataset, paths)) && !await this.requirement(dataset.value)) _addIssue(this, "input", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rawCheck/rawCheck.ts
/**
* Creates a raw check validation action.
*
* @param action The validation action.
*
* @returns A raw check action.
*/
/* @__NO_SIDE_EFFECTS__ */
function rawCheck(action) {
	return {
		kind: "validation",
		type: "raw_check",
		reference: rawCheck,
		async: false,
		expects: null,
		"~run"(dataset, config$1) {
			action({
				dataset,
				config: config$1,
				addIssue: (info) => _addIssue(this, info?.label ?? "input", dataset, config$1, info)
			});
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rawCheck/rawCheckAsync.ts
/**
* Creates a raw check validation action.
*
* @param action The validation action.
*
* @returns A raw check action.
*/
/* @__NO_SIDE_EFFECTS__ */
function rawCheckAsync(action) {
	return {
		kind: "validation",
		type: "raw_check",
		reference: rawCheckAsync,
		async: true,
		expects: null,
		async "~run"(dataset, config$1) {
			await action({
				dataset,
				config: config$1,
				addIssue: (info) => _addIssue(this, info?.label ?? "input", dataset, config$1, info)
			});
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rawTransform/rawTransform.ts
/**
* Creates a raw transformation action.
*
* @param action The transformation action.
*
* @returns A raw transform action.
*/
/* @__NO_SIDE_EFFECTS__ */
function rawTransform(action) {
	return {
		kind: "transformation",
		type: "raw_transform",
		reference: rawTransform,
		async: false,
		"~run"(dataset, config$1) {
			const output = action({
				dataset,
				config: config$1,
				addIssue: (info) => _addIssue(this, info?.label ?? "input", dataset, config$1, info),
				NEVER: null
			});
			if (dataset.issues) dataset.typed = false;
			else dataset.value = output;
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rawTransform/rawTransformAsync.ts
/**
* Creates a raw transformation action.
*
* @param action The transformation action.
*
* @returns A raw transform action.
*/
/* @__NO_SIDE_EFFECTS__ */
function rawTransformAsync(action) {
	return {
		kind: "transformation",
		type: "raw_transform",
		reference: rawTransformAsync,
		async: true,
		async "~run"(dataset, config$1) {
			const output = await action({
				dataset,
				config: config$1,
				addIssue: (info) => _addIssue(this, info?.label ?? "input", dataset, config$1, info),
				NEVER: null
			});
			if (dataset.issues) dataset.typed = false;
			else dataset.value = output;
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/readonly/readonly.ts
/* @__NO_SIDE_EFFECTS__ */
function readonly() {
	return {
		kind: "transformation",
		type: "readonly",
		reference: readonly,
		async: false,
		"~run"(dataset) {
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/reduceItems/reduceItems.ts
/* @__NO_SIDE_EFFECTS__ */
function reduceItems(operation, initial) {
	return {
		kind: "transformation",
		type: "reduce_items",
		reference: reduceItems,
		async: false,
		operation,
		initial,
		"~run"(dataset) {
			dataset.value = dataset.value.reduce(this.operation, this.initial);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/regex/regex.ts
/* @__NO_SIDE_EFFECTS__ */
function regex(requirement, message$1) {
	return {
		kind: "validation",
		type: "regex",
		reference: regex,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "format", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/returns/returns.ts
/* @__NO_SIDE_EFFECTS__ */
function returns(schema) {
	return {
		kind: "transformation",
		type: "returns",
		reference: returns,
		async: false,
		schema,
		"~run"(dataset, config$1) {
			const func = dataset.value;
			dataset.value = (...args_) => {
				const returnsDataset = this.schema["~run"]({ value: func(...args_) }, config$1);
				if (returnsDataset.issues) throw new ValiError(returnsDataset.issues);
				return returnsDataset.value;
			};
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/returns/returnsAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function returnsAsync(schema) {
	return {
		kind: "transformation",
		type: "returns",
		reference: returnsAsync,
		async: false,
		schema,
		"~run"(dataset, config$1) {
			const func = dataset.value;
			dataset.value = async (...args_) => {
				const returnsDataset = await this.schema["~run"]({ value: await func(...args_) }, config$1);
				if (returnsDataset.issues) throw new ValiError(returnsDataset.issues);
				return returnsDataset.value;
			};
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rfcEmail/rfcEmail.ts
/* @__NO_SIDE_EFFECTS__ */
function rfcEmail(message$1) {
	return {
		kind: "validation",
		type: "rfc_email",
		reference: rfcEmail,
		expects: null,
		async: false,
		requirement: RFC_EMAIL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "email", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/safeInteger/safeInteger.ts
/* @__NO_SIDE_EFFECTS__ */
function safeInteger(message$1) {
	return {
		kind: "validation",
		type: "safe_integer",
		reference: safeInteger,
		async: false,
		expects: null,
		requirement: Number.isSafeInteger,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "safe integer", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/size/size.ts
/* @__NO_SIDE_EFFECTS__ */
function size(requirement, message$1) {
	return {
		kind: "validation",
		type: "size",
		reference: size,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.size !== this.requirement) _addIssue(this, "size", dataset, config$1, { received: `${dataset.value.size}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/slug/slug.ts
/* @__NO_SIDE_EFFECTS__ */
function slug(message$1) {
	return {
		kind: "validation",
		type: "slug",
		reference: slug,
		async: false,
		expects: null,
		requirement: SLUG_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "slug", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/someItem/someItem.ts
/* @__NO_SIDE_EFFECTS__ */
function someItem(requirement, message$1) {
	return {
		kind: "validation",
		type: "some_item",
		reference: someItem,
		async: false,
		expects: null,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.some(this.requirement)) _addIssue(this, "item", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/sortItems/sortItems.ts
/* @__NO_SIDE_EFFECTS__ */
function sortItems(operation) {
	return {
		kind: "transformation",
		type: "sort_items",
		reference: sortItems,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = dataset.value.sort(this.operation);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/startsWith/startsWith.ts
/* @__NO_SIDE_EFFECTS__ */
function startsWith(requirement, message$1) {
	return {
		kind: "validation",
		type: "starts_with",
		reference: startsWith,
		async: false,
		expects: `"${requirement}"`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.startsWith(this.requirement)) _addIssue(this, "start", dataset, config$1, { received: `"${dataset.value.slice(0, this.requirement.length)}"` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/stringifyJson/stringifyJson.ts
/* @__NO_SIDE_EFFECTS__ */
function stringifyJson(config$1, message$1) {
	return {
		kind: "transformation",
		type: "stringify_json",
		reference: stringifyJson,
		message: message$1,
		config: config$1,
		async: false,
		"~run"(dataset, config$2) {
			try {
				const output = JSON.stringify(dataset.value, this.config?.replacer, this.config?.space);
				if (output === void 0) {
					_addIssue(this, "JSON", dataset, config$2);
					dataset.typed = false;
				} else dataset.value = output;
			} catch (error) {
				if (error instanceof Error) {
					_addIssue(this, "JSON", dataset, config$2, { received: `"${error.message}"` });
					dataset.typed = false;
				} else throw error;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/title/title.ts
/**
* Creates a title metadata action.
*
* @param title_ The title text.
*
* @returns A title action.
*/
/* @__NO_SIDE_EFFECTS__ */
function title(title_) {
	return {
		kind: "metadata",
		type: "title",
		reference: title,
		title: title_
	};
}

//#endregion
//#region src/actions/toBigint/toBigint.ts
/* @__NO_SIDE_EFFECTS__ */
function toBigint(message$1) {
	return {
		kind: "transformation",
		type: "to_bigint",
		reference: toBigint,
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			try {
				dataset.value = BigInt(dataset.value);
			} catch {
				_addIssue(this, "bigint", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toBoolean/toBoolean.ts
/**
* Creates a to boolean transformation action.
*
* @returns A to boolean action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toBoolean() {
	return {
		kind: "transformation",
		type: "to_boolean",
		reference: toBoolean,
		async: false,
		"~run"(dataset) {
			dataset.value = Boolean(dataset.value);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toCamelCase/toCamelCase.ts
/**
* Creates a to camel case transformation action.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries.
*
* Hint: Acronym runs are normalized to lowercase (e.g. `parseURLValue` →
* `parseUrlValue`) and digits stay attached to the preceding token (e.g.
* `item2Name` → `item2Name`).
*
* @returns A to camel case action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toCamelCase() {
	return {
		kind: "transformation",
		type: "to_camel_case",
		reference: toCamelCase,
		async: false,
		"~run"(dataset) {
			dataset.value = /* @__PURE__ */ _formatCase(dataset.value, "", false, true);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toDate/toDate.ts
/* @__NO_SIDE_EFFECTS__ */
function toDate(message$1) {
	return {
		kind: "transformation",
		type: "to_date",
		reference: toDate,
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			try {
				dataset.value = new Date(dataset.value);
				if (isNaN(dataset.value)) {
					_addIssue(this, "date", dataset, config$1, { received: "\"Invalid Date\"" });
					dataset.typed = false;
				}
			} catch {
				_addIssue(this, "date", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toKebabCase/toKebabCase.ts
/**
* Creates a to kebab case transformation action.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries.
*
* Hint: Acronym runs are normalized to lowercase (e.g. `parseURLValue` →
* `parse-url-value`) and digits stay attached to the preceding token (e.g.
* `item2Name` → `item2-name`).
*
* @returns A to kebab case action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toKebabCase() {
	return {
		kind: "transformation",
		type: "to_kebab_case",
		reference: toKebabCase,
		async: false,
		"~run"(dataset) {
			dataset.value = /* @__PURE__ */ _formatCase(dataset.value, "-", false, false);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toLowerCase/toLowerCase.ts
/**
* Creates a to lower case transformation action.
*
* @returns A to lower case action.
*/
/* @__NO_SIDE_EFFECTS__ */
function toLowerCase() {
	return {
		kind: "transformation",
		type: "to_lower_case",
		reference: toLowerCase,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.toLowerCase();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toMaxValue/toMaxValue.ts
/**
* Creates a to max value transformation action.
*
* @param requirement The maximum value.
*
* @returns A to max value action.
*/
/* @__NO_SIDE_EFFECTS__ */
function toMaxValue(requirement) {
	return {
		kind: "transformation",
		type: "to_max_value",
		reference: toMaxValue,
		async: false,
		requirement,
		"~run"(dataset) {
			dataset.value = dataset.value > this.requirement ? this.requirement : dataset.value;
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toMinValue/toMinValue.ts
/**
* Creates a to min value transformation action.
*
* @param requirement The minimum value.
*
* @returns A to min value action.
*/
/* @__NO_SIDE_EFFECTS__ */
function toMinValue(requirement) {
	return {
		kind: "transformation",
		type: "to_min_value",
		reference: toMinValue,
		async: false,
		requirement,
		"~run"(dataset) {
			dataset.value = dataset.value < this.requirement ? this.requirement : dataset.value;
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toNumber/toNumber.ts
/* @__NO_SIDE_EFFECTS__ */
function toNumber(message$1) {
	return {
		kind: "transformation",
		type: "to_number",
		reference: toNumber,
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			try {
				dataset.value = Number(dataset.value);
				if (isNaN(dataset.value)) {
					_addIssue(this, "number", dataset, config$1);
					dataset.typed = false;
				}
			} catch {
				_addIssue(this, "number", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toPascalCase/toPascalCase.ts
/**
* Creates a to pascal case transformation action.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries.
*
* Hint: Acronym runs are normalized to lowercase (e.g. `parseURLValue` →
* `ParseUrlValue`) and digits stay attached to the preceding token (e.g.
* `item2Name` → `Item2Name`).
*
* @returns A to pascal case action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toPascalCase() {
	return {
		kind: "transformation",
		type: "to_pascal_case",
		reference: toPascalCase,
		async: false,
		"~run"(dataset) {
			dataset.value = /* @__PURE__ */ _formatCase(dataset.value, "", true, true);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toSnakeCase/toSnakeCase.ts
/**
* Creates a to snake case transformation action.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries.
*
* Hint: Acronym runs are normalized to lowercase (e.g. `parseURLValue` →
* `parse_url_value`) and digits stay attached to the preceding token (e.g.
* `item2Name` → `item2_name`).
*
* @returns A to snake case action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toSnakeCase() {
	return {
		kind: "transformation",
		type: "to_snake_case",
		reference: toSnakeCase,
		async: false,
		"~run"(dataset) {
			dataset.value = /* @__PURE__ */ _formatCase(dataset.value, "_", false, false);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toString/toString.ts
/* @__NO_SIDE_EFFECTS__ */
function dist_toString(message$1) {
	return {
		kind: "transformation",
		type: "to_string",
		reference: dist_toString,
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			try {
				dataset.value = String(dataset.value);
			} catch {
				_addIssue(this, "string", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toUpperCase/toUpperCase.ts
/**
* Creates a to upper case transformation action.
*
* @returns A to upper case action.
*/
/* @__NO_SIDE_EFFECTS__ */
function toUpperCase() {
	return {
		kind: "transformation",
		type: "to_upper_case",
		reference: toUpperCase,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.toUpperCase();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/transform/transform.ts
/**
* Creates a custom transformation action.
*
* @param operation The transformation operation.
*
* @returns A transform action.
*/
/* @__NO_SIDE_EFFECTS__ */
function transform(operation) {
	return {
		kind: "transformation",
		type: "transform",
		reference: transform,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = this.operation(dataset.value);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/transform/transformAsync.ts
/**
* Creates a custom transformation action.
*
* @param operation The transformation operation.
*
* @returns A transform action.
*/
/* @__NO_SIDE_EFFECTS__ */
function transformAsync(operation) {
	return {
		kind: "transformation",
		type: "transform",
		reference: transformAsync,
		async: true,
		operation,
		async "~run"(dataset) {
			dataset.value = await this.operation(dataset.value);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/trim/trim.ts
/**
* Creates a trim transformation action.
*
* @returns A trim action.
*/
/* @__NO_SIDE_EFFECTS__ */
function trim() {
	return {
		kind: "transformation",
		type: "trim",
		reference: trim,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.trim();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/trimEnd/trimEnd.ts
/**
* Creates a trim end transformation action.
*
* @returns A trim end action.
*/
/* @__NO_SIDE_EFFECTS__ */
function trimEnd() {
	return {
		kind: "transformation",
		type: "trim_end",
		reference: trimEnd,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.trimEnd();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/trimStart/trimStart.ts
/**
* Creates a trim start transformation action.
*
* @returns A trim start action.
*/
/* @__NO_SIDE_EFFECTS__ */
function trimStart() {
	return {
		kind: "transformation",
		type: "trim_start",
		reference: trimStart,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.trimStart();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ulid/ulid.ts
/* @__NO_SIDE_EFFECTS__ */
function ulid(message$1) {
	return {
		kind: "validation",
		type: "ulid",
		reference: ulid,
		async: false,
		expects: null,
		requirement: ULID_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "ULID", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/url/url.ts
/* @__NO_SIDE_EFFECTS__ */
function url(message$1) {
	return {
		kind: "validation",
		type: "url",
		reference: url,
		async: false,
		expects: null,
		requirement(input) {
			try {
				if (URL.canParse) return URL.canParse(input);
				new URL(input);
				return true;
			} catch {
				return false;
			}
		},
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "URL", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/uuid/uuid.ts
/* @__NO_SIDE_EFFECTS__ */
function uuid(message$1) {
	return {
		kind: "validation",
		type: "uuid",
		reference: uuid,
		async: false,
		expects: null,
		requirement: UUID_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "UUID", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/value/value.ts
/* @__NO_SIDE_EFFECTS__ */
function value(requirement, message$1) {
	return {
		kind: "validation",
		type: "value",
		reference: value,
		async: false,
		expects: requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement),
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !/* @__PURE__ */ _isValueMatch(this.requirement, dataset.value)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/values/values.ts
/* @__NO_SIDE_EFFECTS__ */
function values(requirement, message$1) {
	return {
		kind: "validation",
		type: "values",
		reference: values,
		async: false,
		expects: `${/* @__PURE__ */ _joinExpects(requirement.map((value$1) => value$1 instanceof Date ? value$1.toJSON() : /* @__PURE__ */ _stringify(value$1)), "|")}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.some((requirement$1) => /* @__PURE__ */ _isValueMatch(requirement$1, dataset.value))) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/words/words.ts
/* @__NO_SIDE_EFFECTS__ */
function words(locales, requirement, message$1) {
	return {
		kind: "validation",
		type: "words",
		reference: words,
		async: false,
		expects: `${requirement}`,
		locales,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getWordCount(this.locales, dataset.value);
				if (count !== this.requirement) _addIssue(this, "words", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/const.ts
const ABORT_EARLY_CONFIG = { abortEarly: true };

//#endregion
//#region src/methods/assert/assert.ts
/**
* Checks if the input matches the schema. As this is an assertion function, it
* can be used as a type guard.
*
* @param schema The schema to be used.
* @param input The input to be tested.
*/
function assert(schema, input) {
	const issues = schema["~run"]({ value: input }, ABORT_EARLY_CONFIG).issues;
	if (issues) throw new ValiError(issues);
}

//#endregion
//#region src/methods/cache/_LruCache.ts
/**
* Efficient LRU cache using Map iteration order.
*/
var _LruCache = class {
	constructor(config$1) {
		this.refCount = 0;
		this.maxSize = config$1?.maxSize ?? 1e3;
		this.maxAge = config$1?.maxAge ?? Infinity;
		this.hasMaxAge = isFinite(this.maxAge);
	}
	/**
	* Stringifies an unknown input to a cache key component.
	*
	* @param input The unknown input.
	*
	* @returns A cache key component.
	*/
	stringify(input) {
		const type = typeof input;
		if (type === "string") return `"${input}"`;
		if (type === "number" || type === "boolean") return `${input}`;
		if (type === "bigint") return `${input}n`;
		if (type === "object" || type === "function") {
			if (input) {
				this.refIds ?? (this.refIds = /* @__PURE__ */ new WeakMap());
				let id = this.refIds.get(input);
				if (!id) {
					id = ++this.refCount;
					this.refIds.set(input, id);
				}
				return `#${id}`;
			}
			return "null";
		}
		return type;
	}
	/**
	* Creates a cache key from input and config.
	*
	* @param input The input value.
	* @param config The parse configuration.
	*
	* @returns The cache key.
	*/
	key(input, config$1 = {}) {
		return `${this.stringify(input)}|${this.stringify(config$1.lang)}|${this.stringify(config$1.message)}|${this.stringify(config$1.abortEarly)}|${this.stringify(config$1.abortPipeEarly)}`;
	}
	/**
	* Gets a value from the cache by key.
	*
	* @param key The cache key.
	*
	* @returns The cached value.
	*/
	get(key) {
		if (!this.store) return void 0;
		const entry = this.store.get(key);
		if (!entry) return void 0;
		if (this.hasMaxAge && Date.now() - entry[1] > this.maxAge) {
			this.store.delete(key);
			return;
		}
		this.store.delete(key);
		this.store.set(key, entry);
		return entry[0];
	}
	/**
	* Sets a value in the cache by key.
	*
	* @param key The cache key.
	* @param value The cached value.
	*/
	set(key, value$1) {
		this.store ?? (this.store = /* @__PURE__ */ new Map());
		this.store.delete(key);
		const timestamp = this.hasMaxAge ? Date.now() : 0;
		this.store.set(key, [value$1, timestamp]);
		if (this.store.size > this.maxSize) this.store.delete(this.store.keys().next().value);
	}
	/**
	* Clears all entries from the cache.
	*/
	clear() {
		this.store?.clear();
	}
};

//#endregion
//#region src/methods/cache/cache.ts
/* @__NO_SIDE_EFFECTS__ */
function cache(schema, config$1) {
	return _standardSchema({
		...schema,
		cacheConfig: config$1,
		cache: new _LruCache(config$1),
		"~run"(dataset, runConfig) {
			const key = this.cache.key(dataset.value, runConfig);
			let outputDataset = this.cache.get(key);
			if (!outputDataset) this.cache.set(key, outputDataset = schema["~run"](dataset, runConfig));
			return /* @__PURE__ */ _cloneDataset(outputDataset);
		}
	});
}

//#endregion
//#region src/methods/cache/cacheAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function cacheAsync(schema, config$1) {
	let activeRuns;
	return _standardSchema({
		...schema,
		async: true,
		cacheConfig: config$1,
		cache: new _LruCache(config$1),
		async "~run"(dataset, runConfig) {
			const key = this.cache.key(dataset.value, runConfig);
			const cached = this.cache.get(key);
			if (cached) return /* @__PURE__ */ _cloneDataset(cached);
			let promise$1 = activeRuns?.get(key);
			if (!promise$1) {
				activeRuns ?? (activeRuns = /* @__PURE__ */ new Map());
				promise$1 = Promise.resolve(schema["~run"](dataset, runConfig));
				activeRuns.set(key, promise$1);
			}
			try {
				const outputDataset = await promise$1;
				this.cache.set(key, outputDataset);
				return /* @__PURE__ */ _cloneDataset(outputDataset);
			} finally {
				activeRuns?.delete(key);
			}
		}
	});
}

//#endregion
//#region src/methods/config/config.ts
/**
* Changes the local configuration of a schema.
*
* @param schema The schema to configure.
* @param config The parse configuration.
*
* @returns The configured schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function config(schema, config$1) {
	return _standardSchema({
		...schema,
		"~run"(dataset, config_) {
			return schema["~run"](dataset, {
				...config_,
				...config$1
			});
		}
	});
}

//#endregion
//#region src/methods/getFallback/getFallback.ts
/**
* Returns the fallback value of the schema.
*
* @param schema The schema to get it from.
* @param dataset The output dataset if available.
* @param config The config if available.
*
* @returns The fallback value.
*/
/* @__NO_SIDE_EFFECTS__ */
function getFallback(schema, dataset, config$1) {
	return typeof schema.fallback === "function" ? schema.fallback(dataset, config$1) : schema.fallback;
}

//#endregion
//#region src/methods/fallback/fallback.ts
/**
* Returns a fallback value as output if the input does not match the schema.
*
* @param schema The schema to catch.
* @param fallback The fallback value.
*
* @returns The passed schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function fallback(schema, fallback$1) {
	return _standardSchema({
		...schema,
		fallback: fallback$1,
		"~run"(dataset, config$1) {
			const outputDataset = schema["~run"](dataset, config$1);
			return outputDataset.issues ? {
				typed: true,
				value: /* @__PURE__ */ getFallback(this, outputDataset, config$1)
			} : outputDataset;
		}
	});
}

//#endregion
//#region src/methods/fallback/fallbackAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function fallbackAsync(schema, fallback$1) {
	return _standardSchema({
		...schema,
		fallback: fallback$1,
		async: true,
		async "~run"(dataset, config$1) {
			const outputDataset = await schema["~run"](dataset, config$1);
			return outputDataset.issues ? {
				typed: true,
				value: await /* @__PURE__ */ getFallback(this, outputDataset, config$1)
			} : outputDataset;
		}
	});
}

//#endregion
//#region src/methods/flatten/flatten.ts
/* @__NO_SIDE_EFFECTS__ */
function flatten(issues) {
	const flatErrors = {};
	for (const issue of issues) if (issue.path) {
		const dotPath = /* @__PURE__ */ getDotPath(issue);
		if (dotPath) {
			if (!flatErrors.nested) flatErrors.nested = {};
			if (Object.prototype.hasOwnProperty.call(flatErrors.nested, dotPath)) flatErrors.nested[dotPath].push(issue.message);
			else flatErrors.nested[dotPath] = [issue.message];
		} else if (flatErrors.other) flatErrors.other.push(issue.message);
		else flatErrors.other = [issue.message];
	} else if (flatErrors.root) flatErrors.root.push(issue.message);
	else flatErrors.root = [issue.message];
	return flatErrors;
}

//#endregion
//#region src/methods/forward/forward.ts
/**
* Forwards the issues of the passed validation action.
*
* @param action The validation action.
* @param path The path to forward the issues to.
*
* @returns The modified action.
*/
/* @__NO_SIDE_EFFECTS__ */
function forward(action, path) {
	return {
		...action,
		"~run"(dataset, config$1) {
			const prevIssues = dataset.issues && [...dataset.issues];
			dataset = action["~run"](dataset, config$1);
			if (dataset.issues) {
				for (const issue of dataset.issues) if (!prevIssues?.includes(issue)) {
					let pathInput = dataset.value;
					for (const key of path) {
						const pathValue = pathInput[key];
						const pathItem = {
							type: "unknown",
							origin: "value",
							input: pathInput,
							key,
							value: pathValue
						};
						if (issue.path) issue.path.push(pathItem);
						else issue.path = [pathItem];
						if (!pathValue) break;
						pathInput = pathValue;
					}
				}
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/methods/forward/forwardAsync.ts
/**
* Forwards the issues of the passed validation action.
*
* @param action The validation action.
* @param path The path to forward the issues to.
*
* @returns The modified action.
*/
/* @__NO_SIDE_EFFECTS__ */
function forwardAsync(action, path) {
	return {
		...action,
		async: true,
		async "~run"(dataset, config$1) {
			const prevIssues = dataset.issues && [...dataset.issues];
			dataset = await action["~run"](dataset, config$1);
			if (dataset.issues) {
				for (const issue of dataset.issues) if (!prevIssues?.includes(issue)) {
					let pathInput = dataset.value;
					for (const key of path) {
						const pathValue = pathInput[key];
						const pathItem = {
							type: "unknown",
							origin: "value",
							input: pathInput,
							key,
							value: pathValue
						};
						if (issue.path) issue.path.push(pathItem);
						else issue.path = [pathItem];
						if (!pathValue) break;
						pathInput = pathValue;
					}
				}
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/methods/getDefault/getDefault.ts
/**
* Returns the default value of the schema.
*
* @param schema The schema to get it from.
* @param dataset The input dataset if available.
* @param config The config if available.
*
* @returns The default value.
*/
/* @__NO_SIDE_EFFECTS__ */
function getDefault(schema, dataset, config$1) {
	return typeof schema.default === "function" ? schema.default(dataset, config$1) : schema.default;
}

//#endregion
//#region src/methods/getDefaults/getDefaults.ts
/**
* Returns the default values of the schema.
*
* Hint: The difference to `getDefault` is that for object and tuple schemas
* this function recursively returns the default values of the subschemas
* instead of `undefined`.
*
* @param schema The schema to get them from.
*
* @returns The default values.
*/
/* @__NO_SIDE_EFFECTS__ */
function getDefaults(schema) {
	if ("entries" in schema) {
		const object$1 = {};
		for (const key in schema.entries) object$1[key] = /* @__PURE__ */ getDefaults(schema.entries[key]);
		return object$1;
	}
	if ("items" in schema) return schema.items.map(getDefaults);
	return /* @__PURE__ */ getDefault(schema);
}

//#endregion
//#region src/methods/getDefaults/getDefaultsAsync.ts
/**
* Returns the default values of the schema.
*
* Hint: The difference to `getDefault` is that for object and tuple schemas
* this function recursively returns the default values of the subschemas
* instead of `undefined`.
*
* @param schema The schema to get them from.
*
* @returns The default values.
*/
/* @__NO_SIDE_EFFECTS__ */
async function getDefaultsAsync(schema) {
	if ("entries" in schema) return Object.fromEntries(await Promise.all(Object.entries(schema.entries).map(async ([key, value$1]) => [key, await /* @__PURE__ */ getDefaultsAsync(value$1)])));
	if ("items" in schema) return Promise.all(schema.items.map(getDefaultsAsync));
	return /* @__PURE__ */ getDefault(schema);
}

//#endregion
//#region src/methods/getDescription/getDescription.ts
/**
* Returns the description of the schema.
*
* If multiple descriptions are defined, the last one of the highest level is
* returned. If no description is defined, `undefined` is returned.
*
* @param schema The schema to get the description from.
*
* @returns The description, if any.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function getDescription(schema) {
	return /* @__PURE__ */ _getLastMetadata(schema, "description");
}

//#endregion
//#region src/methods/getExamples/getExamples.ts
/**
* Returns the examples of a schema.
*
* If multiple examples are defined, it concatenates them using depth-first
* search. If no examples are defined, an empty array is returned.
*
* @param schema The schema to get the examples from.
*
* @returns The examples, if any.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function getExamples(schema) {
	const examples$1 = [];
	function depthFirstCollect(schema$1) {
		if ("pipe" in schema$1) {
			for (const item of schema$1.pipe) if (item.kind === "schema" && "pipe" in item) depthFirstCollect(item);
			else if (item.kind === "metadata" && item.type === "examples") for (const example of item.examples) examples$1.push(example);
		}
	}
	depthFirstCollect(schema);
	return examples$1;
}

//#endregion
//#region src/methods/getFallbacks/getFallbacks.ts
/**
* Returns the fallback values of the schema.
*
* Hint: The difference to `getFallback` is that for object and tuple schemas
* this function recursively returns the fallback values of the subschemas
* instead of `undefined`.
*
* @param schema The schema to get them from.
*
* @returns The fallback values.
*/
/* @__NO_SIDE_EFFECTS__ */
function getFallbacks(schema) {
	if ("entries" in schema) {
		const object$1 = {};
		for (const key in schema.entries) object$1[key] = /* @__PURE__ */ getFallbacks(schema.entries[key]);
		return object$1;
	}
	if ("items" in schema) return schema.items.map(getFallbacks);
	return /* @__PURE__ */ getFallback(schema);
}

//#endregion
//#region src/methods/getFallbacks/getFallbacksAsync.ts
/**
* Returns the fallback values of the schema.
*
* Hint: The difference to `getFallback` is that for object and tuple schemas
* this function recursively returns the fallback values of the subschemas
* instead of `undefined`.
*
* @param schema The schema to get them from.
*
* @returns The fallback values.
*/
/* @__NO_SIDE_EFFECTS__ */
async function getFallbacksAsync(schema) {
	if ("entries" in schema) return Object.fromEntries(await Promise.all(Object.entries(schema.entries).map(async ([key, value$1]) => [key, await /* @__PURE__ */ getFallbacksAsync(value$1)])));
	if ("items" in schema) return Promise.all(schema.items.map(getFallbacksAsync));
	return /* @__PURE__ */ getFallback(schema);
}

//#endregion
//#region src/methods/getMetadata/getMetadata.ts
/**
* Returns the metadata of a schema.
*
* If multiple metadata are defined, it shallowly merges them using depth-first
* search. If no metadata is defined, an empty object is returned.
*
* @param schema Schema to get the metadata from.
*
* @returns The metadata, if any.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function getMetadata(schema) {
	const result = {};
	function depthFirstMerge(schema$1) {
		if ("pipe" in schema$1) {
			for (const item of schema$1.pipe) if (item.kind === "schema" && "pipe" in item) depthFirstMerge(item);
			else if (item.kind === "metadata" && item.type === "metadata") Object.assign(result, item.metadata);
		}
	}
	depthFirstMerge(schema);
	return result;
}

//#endregion
//#region src/methods/getTitle/getTitle.ts
/**
* Returns the title of the schema.
*
* If multiple titles are defined, the last one of the highest level is
* returned. If no title is defined, `undefined` is returned.
*
* @param schema The schema to get the title from.
*
* @returns The title, if any.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function getTitle(schema) {
	return /* @__PURE__ */ _getLastMetadata(schema, "title");
}

//#endregion
//#region src/methods/is/is.ts
/**
* Checks if the input matches the schema. By using a type predicate, this
* function can be used as a type guard.
*
* @param schema The schema to be used.
* @param input The input to be tested.
*
* @returns Whether the input matches the schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function is(schema, input) {
	return !schema["~run"]({ value: input }, ABORT_EARLY_CONFIG).issues;
}

//#endregion
//#region src/schemas/any/any.ts
/**
* Creates an any schema.
*
* Hint: This schema function exists only for completeness and is not
* recommended in practice. Instead, `unknown` should be used to accept
* unknown data.
*
* @returns An any schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function any() {
	return _standardSchema({
		kind: "schema",
		type: "any",
		reference: any,
		expects: "any",
		async: false,
		"~run"(dataset) {
			dataset.typed = true;
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/array/array.ts
/* @__NO_SIDE_EFFECTS__ */
function array(item, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "array",
		reference: array,
		expects: "Array",
		async: false,
		item,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < input.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.item["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/array/arrayAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function arrayAsync(item, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "array",
		reference: arrayAsync,
		expects: "Array",
		async: true,
		item,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const itemDatasets = await Promise.all(input.map((value$1) => this.item["~run"]({ value: value$1 }, config$1)));
				for (let key = 0; key < itemDatasets.length; key++) {
					const itemDataset = itemDatasets[key];
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: input[key]
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/bigint/bigint.ts
/* @__NO_SIDE_EFFECTS__ */
function bigint(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "bigint",
		reference: bigint,
		expects: "bigint",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "bigint") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/blob/blob.ts
/* @__NO_SIDE_EFFECTS__ */
function blob(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "blob",
		reference: blob,
		expects: "Blob",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof Blob) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/boolean/boolean.ts
/* @__NO_SIDE_EFFECTS__ */
function dist_boolean(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "boolean",
		reference: dist_boolean,
		expects: "boolean",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "boolean") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/custom/custom.ts
/* @__NO_SIDE_EFFECTS__ */
function custom(check$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "custom",
		reference: custom,
		expects: "unknown",
		async: false,
		check: check$1,
		message: message$1,
		"~run"(dataset, config$1) {
			if (this.check(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/custom/customAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function customAsync(check$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "custom",
		reference: customAsync,
		expects: "unknown",
		async: true,
		check: check$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (await this.check(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/date/date.ts
/* @__NO_SIDE_EFFECTS__ */
function date(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "date",
		reference: date,
		expects: "Date",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof Date) if (!isNaN(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1, { received: "\"Invalid Date\"" });
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/enum/enum.ts
/* @__NO_SIDE_EFFECTS__ */
function enum_(enum__, message$1) {
	const options = [];
	for (const key in enum__) if (`${+key}` !== key || typeof enum__[key] !== "string" || !Object.is(enum__[enum__[key]], +key)) options.push(enum__[key]);
	return _standardSchema({
		kind: "schema",
		type: "enum",
		reference: enum_,
		expects: /* @__PURE__ */ _joinExpects(options.map(_stringify), "|"),
		async: false,
		enum: enum__,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			if (this.options.includes(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/exactOptional/exactOptional.ts
/* @__NO_SIDE_EFFECTS__ */
function exactOptional(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "exact_optional",
		reference: exactOptional,
		expects: wrapped.expects,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/exactOptional/exactOptionalAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function exactOptionalAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "exact_optional",
		reference: exactOptionalAsync,
		expects: wrapped.expects,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/file/file.ts
/* @__NO_SIDE_EFFECTS__ */
function file(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "file",
		reference: file,
		expects: "File",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof File) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/function/function.ts
/* @__NO_SIDE_EFFECTS__ */
function function_(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "function",
		reference: function_,
		expects: "Function",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "function") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/instance/instance.ts
/* @__NO_SIDE_EFFECTS__ */
function instance(class_, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "instance",
		reference: instance,
		expects: class_.name,
		async: false,
		class: class_,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof this.class) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/intersect/utils/_merge/_merge.ts
/**
* Merges two values into one single output.
*
* @param value1 First value.
* @param value2 Second value.
*
* @returns The merge dataset.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _merge(value1, value2) {
	if (typeof value1 === typeof value2) {
		if (/* @__PURE__ */ _isSameValueZero(value1, value2) || value1 instanceof Date && value2 instanceof Date && /* @__PURE__ */ _isSameValueZero(+value1, +value2)) return { value: value1 };
		if (value1 && value2 && value1.constructor === Object && value2.constructor === Object) {
			const nextValue = {
				...value1,
				...value2
			};
			for (const key in value2) if (Object.prototype.hasOwnProperty.call(value1, key) && Object.prototype.hasOwnProperty.call(value2, key)) {
				const dataset = /* @__PURE__ */ _merge(value1[key], value2[key]);
				if (dataset.issue) return dataset;
				nextValue[key] = dataset.value;
			}
			return { value: nextValue };
		}
		if (Array.isArray(value1) && Array.isArray(value2)) {
			if (value1.length === value2.length) {
				const nextValue = [...value1];
				for (let index = 0; index < value1.length; index++) {
					const dataset = /* @__PURE__ */ _merge(value1[index], value2[index]);
					if (dataset.issue) return dataset;
					nextValue[index] = dataset.value;
				}
				return { value: nextValue };
			}
		}
	}
	return { issue: true };
}

//#endregion
//#region src/schemas/intersect/intersect.ts
/* @__NO_SIDE_EFFECTS__ */
function intersect(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "intersect",
		reference: intersect,
		expects: /* @__PURE__ */ _joinExpects(options.map((option) => option.expects), "&"),
		async: false,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			if (this.options.length) {
				const input = dataset.value;
				let outputs;
				dataset.typed = true;
				for (const schema of this.options) {
					const optionDataset = schema["~run"]({ value: input }, config$1);
					if (optionDataset.issues) {
						if (dataset.issues) for (const issue of optionDataset.issues) dataset.issues.push(issue);
						else dataset.issues = optionDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!optionDataset.typed) dataset.typed = false;
					if (dataset.typed) if (outputs) outputs.push(optionDataset.value);
					else outputs = [optionDataset.value];
				}
				if (dataset.typed) {
					dataset.value = outputs[0];
					for (let index = 1; index < outputs.length; index++) {
						const mergeDataset = /* @__PURE__ */ _merge(dataset.value, outputs[index]);
						if (mergeDataset.issue) {
							_addIssue(this, "type", dataset, config$1, { received: "unknown" });
							break;
						}
						dataset.value = mergeDataset.value;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/intersect/intersectAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function intersectAsync(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "intersect",
		reference: intersectAsync,
		expects: /* @__PURE__ */ _joinExpects(options.map((option) => option.expects), "&"),
		async: true,
		options,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (this.options.length) {
				const input = dataset.value;
				let outputs;
				dataset.typed = true;
				const optionDatasets = await Promise.all(this.options.map((schema) => schema["~run"]({ value: input }, config$1)));
				for (const optionDataset of optionDatasets) {
					if (optionDataset.issues) {
						if (dataset.issues) for (const issue of optionDataset.issues) dataset.issues.push(issue);
						else dataset.issues = optionDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!optionDataset.typed) dataset.typed = false;
					if (dataset.typed) if (outputs) outputs.push(optionDataset.value);
					else outputs = [optionDataset.value];
				}
				if (dataset.typed) {
					dataset.value = outputs[0];
					for (let index = 1; index < outputs.length; index++) {
						const mergeDataset = /* @__PURE__ */ _merge(dataset.value, outputs[index]);
						if (mergeDataset.issue) {
							_addIssue(this, "type", dataset, config$1, { received: "unknown" });
							break;
						}
						dataset.value = mergeDataset.value;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/lazy/lazy.ts
/**
* Creates a lazy schema.
*
* @param getter The schema getter.
*
* @returns A lazy schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function lazy(getter) {
	return _standardSchema({
		kind: "schema",
		type: "lazy",
		reference: lazy,
		expects: "unknown",
		async: false,
		getter,
		"~run"(dataset, config$1) {
			return this.getter(dataset.value)["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/lazy/lazyAsync.ts
/**
* Creates a lazy schema.
*
* @param getter The schema getter.
*
* @returns A lazy schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function lazyAsync(getter) {
	return _standardSchema({
		kind: "schema",
		type: "lazy",
		reference: lazyAsync,
		expects: "unknown",
		async: true,
		getter,
		async "~run"(dataset, config$1) {
			return (await this.getter(dataset.value))["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/literal/literal.ts
/* @__NO_SIDE_EFFECTS__ */
function literal(literal_, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "literal",
		reference: literal,
		expects: /* @__PURE__ */ _stringify(literal_),
		async: false,
		literal: literal_,
		message: message$1,
		"~run"(dataset, config$1) {
			if (/* @__PURE__ */ _isSameValueZero(dataset.value, this.literal)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/looseObject/looseObject.ts
/* @__NO_SIDE_EFFECTS__ */
function looseObject(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "loose_object",
		reference: looseObject,
		expects: "Object",
		async: false,
		entries: entries$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const key in this.entries) {
					const valueSchema = this.entries[key];
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : /* @__PURE__ */ getDefault(valueSchema);
						const valueDataset = valueSchema["~run"]({ value: value$1 }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: value$1
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					} else if (valueSchema.fallback !== void 0) dataset.value[key] = /* @__PURE__ */ getFallback(valueSchema);
					else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
						_addIssue(this, "key", dataset, config$1, {
							input: void 0,
							expected: `"${key}"`,
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						if (config$1.abortEarly) break;
					}
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (/* @__PURE__ */ _isValidObjectKey(input, key) && !Object.prototype.hasOwnProperty.call(this.entries, key)) dataset.value[key] = input[key];
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/looseObject/looseObjectAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function looseObjectAsync(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "loose_object",
		reference: looseObjectAsync,
		expects: "Object",
		async: true,
		entries: entries$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const valueDatasets = await Promise.all(Object.entries(this.entries).map(async ([key, valueSchema]) => {
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : await /* @__PURE__ */ getDefault(valueSchema);
						return [
							key,
							value$1,
							valueSchema,
							await valueSchema["~run"]({ value: value$1 }, config$1)
						];
					}
					return [
						key,
						input[key],
						valueSchema,
						null
					];
				}));
				for (const [key, value$1, valueSchema, valueDataset] of valueDatasets) if (valueDataset) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				} else if (valueSchema.fallback !== void 0) dataset.value[key] = await /* @__PURE__ */ getFallback(valueSchema);
				else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
					_addIssue(this, "key", dataset, config$1, {
						input: void 0,
						expected: `"${key}"`,
						path: [{
							type: "object",
							origin: "key",
							input,
							key,
							value: value$1
						}]
					});
					if (config$1.abortEarly) break;
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (/* @__PURE__ */ _isValidObjectKey(input, key) && !Object.prototype.hasOwnProperty.call(this.entries, key)) dataset.value[key] = input[key];
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/looseTuple/looseTuple.ts
/* @__NO_SIDE_EFFECTS__ */
function looseTuple(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "loose_tuple",
		reference: looseTuple,
		expects: "Array",
		async: false,
		items,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < this.items.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.items[key]["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!dataset.issues || !config$1.abortEarly) for (let key = this.items.length; key < input.length; key++) dataset.value.push(input[key]);
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/looseTuple/looseTupleAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function looseTupleAsync(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "loose_tuple",
		reference: looseTupleAsync,
		expects: "Array",
		async: true,
		items,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const itemDatasets = await Promise.all(this.items.map(async (item, key) => {
					const value$1 = input[key];
					return [
						key,
						value$1,
						await item["~run"]({ value: value$1 }, config$1)
					];
				}));
				for (const [key, value$1, itemDataset] of itemDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!dataset.issues || !config$1.abortEarly) for (let key = this.items.length; key < input.length; key++) dataset.value.push(input[key]);
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/map/map.ts
/* @__NO_SIDE_EFFECTS__ */
function map(key, value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "map",
		reference: map,
		expects: "Map",
		async: false,
		key,
		value: value$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input instanceof Map) {
				dataset.typed = true;
				dataset.value = /* @__PURE__ */ new Map();
				for (const [inputKey, inputValue] of input) {
					const keyDataset = this.key["~run"]({ value: inputKey }, config$1);
					if (keyDataset.issues) {
						const pathItem = {
							type: "map",
							origin: "key",
							input,
							key: inputKey,
							value: inputValue
						};
						for (const issue of keyDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = keyDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					const valueDataset = this.value["~run"]({ value: inputValue }, config$1);
					if (valueDataset.issues) {
						const pathItem = {
							type: "map",
							origin: "value",
							input,
							key: inputKey,
							value: inputValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!keyDataset.typed || !valueDataset.typed) dataset.typed = false;
					dataset.value.set(keyDataset.value, valueDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/map/mapAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function mapAsync(key, value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "map",
		reference: mapAsync,
		expects: "Map",
		async: true,
		key,
		value: value$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input instanceof Map) {
				dataset.typed = true;
				dataset.value = /* @__PURE__ */ new Map();
				const datasets = await Promise.all([...input].map(([inputKey, inputValue]) => Promise.all([
					inputKey,
					inputValue,
					this.key["~run"]({ value: inputKey }, config$1),
					this.value["~run"]({ value: inputValue }, config$1)
				])));
				for (const [inputKey, inputValue, keyDataset, valueDataset] of datasets) {
					if (keyDataset.issues) {
						const pathItem = {
							type: "map",
							origin: "key",
							input,
							key: inputKey,
							value: inputValue
						};
						for (const issue of keyDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = keyDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (valueDataset.issues) {
						const pathItem = {
							type: "map",
							origin: "value",
							input,
							key: inputKey,
							value: inputValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!keyDataset.typed || !valueDataset.typed) dataset.typed = false;
					dataset.value.set(keyDataset.value, valueDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nan/nan.ts
/* @__NO_SIDE_EFFECTS__ */
function nan(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "nan",
		reference: nan,
		expects: "NaN",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (Number.isNaN(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/never/never.ts
/* @__NO_SIDE_EFFECTS__ */
function never(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "never",
		reference: never,
		expects: "never",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			_addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonNullable/nonNullable.ts
/* @__NO_SIDE_EFFECTS__ */
function nonNullable(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_nullable",
		reference: nonNullable,
		expects: "!null",
		async: false,
		wrapped,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value !== null) dataset = this.wrapped["~run"](dataset, config$1);
			if (dataset.value === null) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonNullable/nonNullableAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nonNullableAsync(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_nullable",
		reference: nonNullableAsync,
		expects: "!null",
		async: true,
		wrapped,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (dataset.value !== null) dataset = await this.wrapped["~run"](dataset, config$1);
			if (dataset.value === null) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonNullish/nonNullish.ts
/* @__NO_SIDE_EFFECTS__ */
function nonNullish(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_nullish",
		reference: nonNullish,
		expects: "(!null & !undefined)",
		async: false,
		wrapped,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!(dataset.value === null || dataset.value === void 0)) dataset = this.wrapped["~run"](dataset, config$1);
			if (dataset.value === null || dataset.value === void 0) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonNullish/nonNullishAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nonNullishAsync(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_nullish",
		reference: nonNullishAsync,
		expects: "(!null & !undefined)",
		async: true,
		wrapped,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (!(dataset.value === null || dataset.value === void 0)) dataset = await this.wrapped["~run"](dataset, config$1);
			if (dataset.value === null || dataset.value === void 0) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonOptional/nonOptional.ts
/* @__NO_SIDE_EFFECTS__ */
function nonOptional(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_optional",
		reference: nonOptional,
		expects: "!undefined",
		async: false,
		wrapped,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value !== void 0) dataset = this.wrapped["~run"](dataset, config$1);
			if (dataset.value === void 0) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonOptional/nonOptionalAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nonOptionalAsync(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_optional",
		reference: nonOptionalAsync,
		expects: "!undefined",
		async: true,
		wrapped,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (dataset.value !== void 0) dataset = await this.wrapped["~run"](dataset, config$1);
			if (dataset.value === void 0) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/null/null.ts
/* @__NO_SIDE_EFFECTS__ */
function null_(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "null",
		reference: null_,
		expects: "null",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value === null) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nullable/nullable.ts
/* @__NO_SIDE_EFFECTS__ */
function nullable(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "nullable",
		reference: nullable,
		expects: `(${wrapped.expects} | null)`,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			if (dataset.value === null) {
				if (this.default !== void 0) dataset.value = /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === null) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/nullable/nullableAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nullableAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "nullable",
		reference: nullableAsync,
		expects: `(${wrapped.expects} | null)`,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			if (dataset.value === null) {
				if (this.default !== void 0) dataset.value = await /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === null) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/nullish/nullish.ts
/* @__NO_SIDE_EFFECTS__ */
function nullish(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "nullish",
		reference: nullish,
		expects: `(${wrapped.expects} | null | undefined)`,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			if (dataset.value === null || dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === null || dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/nullish/nullishAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nullishAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "nullish",
		reference: nullishAsync,
		expects: `(${wrapped.expects} | null | undefined)`,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			if (dataset.value === null || dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = await /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === null || dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/number/number.ts
/* @__NO_SIDE_EFFECTS__ */
function number(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "number",
		reference: number,
		expects: "number",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "number" && !isNaN(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/object/object.ts
/* @__NO_SIDE_EFFECTS__ */
function object(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "object",
		reference: object,
		expects: "Object",
		async: false,
		entries: entries$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const key in this.entries) {
					const valueSchema = this.entries[key];
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : /* @__PURE__ */ getDefault(valueSchema);
						const valueDataset = valueSchema["~run"]({ value: value$1 }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: value$1
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					} else if (valueSchema.fallback !== void 0) dataset.value[key] = /* @__PURE__ */ getFallback(valueSchema);
					else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
						_addIssue(this, "key", dataset, config$1, {
							input: void 0,
							expected: `"${key}"`,
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						if (config$1.abortEarly) break;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/object/objectAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function objectAsync(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "object",
		reference: objectAsync,
		expects: "Object",
		async: true,
		entries: entries$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const valueDatasets = await Promise.all(Object.entries(this.entries).map(async ([key, valueSchema]) => {
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : await /* @__PURE__ */ getDefault(valueSchema);
						return [
							key,
							value$1,
							valueSchema,
							await valueSchema["~run"]({ value: value$1 }, config$1)
						];
					}
					return [
						key,
						input[key],
						valueSchema,
						null
					];
				}));
				for (const [key, value$1, valueSchema, valueDataset] of valueDatasets) if (valueDataset) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				} else if (valueSchema.fallback !== void 0) dataset.value[key] = await /* @__PURE__ */ getFallback(valueSchema);
				else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
					_addIssue(this, "key", dataset, config$1, {
						input: void 0,
						expected: `"${key}"`,
						path: [{
							type: "object",
							origin: "key",
							input,
							key,
							value: value$1
						}]
					});
					if (config$1.abortEarly) break;
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/objectWithRest/objectWithRest.ts
/* @__NO_SIDE_EFFECTS__ */
function objectWithRest(entries$1, rest, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "object_with_rest",
		reference: objectWithRest,
		expects: "Object",
		async: false,
		entries: entries$1,
		rest,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const key in this.entries) {
					const valueSchema = this.entries[key];
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : /* @__PURE__ */ getDefault(valueSchema);
						const valueDataset = valueSchema["~run"]({ value: value$1 }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: value$1
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					} else if (valueSchema.fallback !== void 0) dataset.value[key] = /* @__PURE__ */ getFallback(valueSchema);
					else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
						_addIssue(this, "key", dataset, config$1, {
							input: void 0,
							expected: `"${key}"`,
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						if (config$1.abortEarly) break;
					}
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (/* @__PURE__ */ _isValidObjectKey(input, key) && !Object.prototype.hasOwnProperty.call(this.entries, key)) {
						const valueDataset = this.rest["~run"]({ value: input[key] }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: input[key]
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/objectWithRest/objectWithRestAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function objectWithRestAsync(entries$1, rest, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "object_with_rest",
		reference: objectWithRestAsync,
		expects: "Object",
		async: true,
		entries: entries$1,
		rest,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const [normalDatasets, restDatasets] = await Promise.all([Promise.all(Object.entries(this.entries).map(async ([key, valueSchema]) => {
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : await /* @__PURE__ */ getDefault(valueSchema);
						return [
							key,
							value$1,
							valueSchema,
							await valueSchema["~run"]({ value: value$1 }, config$1)
						];
					}
					return [
						key,
						input[key],
						valueSchema,
						null
					];
				})), Promise.all(Object.entries(input).filter(([key]) => /* @__PURE__ */ _isValidObjectKey(input, key) && !Object.prototype.hasOwnProperty.call(this.entries, key)).map(async ([key, value$1]) => [
					key,
					value$1,
					await this.rest["~run"]({ value: value$1 }, config$1)
				]))]);
				for (const [key, value$1, valueSchema, valueDataset] of normalDatasets) if (valueDataset) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				} else if (valueSchema.fallback !== void 0) dataset.value[key] = await /* @__PURE__ */ getFallback(valueSchema);
				else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
					_addIssue(this, "key", dataset, config$1, {
						input: void 0,
						expected: `"${key}"`,
						path: [{
							type: "object",
							origin: "key",
							input,
							key,
							value: value$1
						}]
					});
					if (config$1.abortEarly) break;
				}
				if (!dataset.issues || !config$1.abortEarly) for (const [key, value$1, valueDataset] of restDatasets) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/optional/optional.ts
/* @__NO_SIDE_EFFECTS__ */
function optional(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "optional",
		reference: optional,
		expects: `(${wrapped.expects} | undefined)`,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			if (dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/optional/optionalAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function optionalAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "optional",
		reference: optionalAsync,
		expects: `(${wrapped.expects} | undefined)`,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			if (dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = await /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/picklist/picklist.ts
/* @__NO_SIDE_EFFECTS__ */
function picklist(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "picklist",
		reference: picklist,
		expects: /* @__PURE__ */ _joinExpects(options.map(_stringify), "|"),
		async: false,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			if (this.options.includes(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/promise/promise.ts
/* @__NO_SIDE_EFFECTS__ */
function promise(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "promise",
		reference: promise,
		expects: "Promise",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof Promise) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/record/record.ts
/* @__NO_SIDE_EFFECTS__ */
function record(key, value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "record",
		reference: record,
		expects: "Object",
		async: false,
		key,
		value: value$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const entryKey in input) if (/* @__PURE__ */ _isValidObjectKey(input, entryKey)) {
					const entryValue = input[entryKey];
					const keyDataset = this.key["~run"]({ value: entryKey }, config$1);
					if (keyDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "key",
							input,
							key: entryKey,
							value: entryValue
						};
						for (const issue of keyDataset.issues) {
							issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = keyDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					const valueDataset = this.value["~run"]({ value: entryValue }, config$1);
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key: entryKey,
							value: entryValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!keyDataset.typed || !valueDataset.typed) dataset.typed = false;
					if (keyDataset.typed) dataset.value[keyDataset.value] = valueDataset.value;
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/record/recordAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function recordAsync(key, value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "record",
		reference: recordAsync,
		expects: "Object",
		async: true,
		key,
		value: value$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const datasets = await Promise.all(Object.entries(input).filter(([key$1]) => /* @__PURE__ */ _isValidObjectKey(input, key$1)).map(([entryKey, entryValue]) => Promise.all([
					entryKey,
					entryValue,
					this.key["~run"]({ value: entryKey }, config$1),
					this.value["~run"]({ value: entryValue }, config$1)
				])));
				for (const [entryKey, entryValue, keyDataset, valueDataset] of datasets) {
					if (keyDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "key",
							input,
							key: entryKey,
							value: entryValue
						};
						for (const issue of keyDataset.issues) {
							issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = keyDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key: entryKey,
							value: entryValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!keyDataset.typed || !valueDataset.typed) dataset.typed = false;
					if (keyDataset.typed) dataset.value[keyDataset.value] = valueDataset.value;
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/set/set.ts
/* @__NO_SIDE_EFFECTS__ */
function set(value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "set",
		reference: set,
		expects: "Set",
		async: false,
		value: value$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input instanceof Set) {
				dataset.typed = true;
				dataset.value = /* @__PURE__ */ new Set();
				for (const inputValue of input) {
					const valueDataset = this.value["~run"]({ value: inputValue }, config$1);
					if (valueDataset.issues) {
						const pathItem = {
							type: "set",
							origin: "value",
							input,
							key: null,
							value: inputValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value.add(valueDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/set/setAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function setAsync(value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "set",
		reference: setAsync,
		expects: "Set",
		async: true,
		value: value$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input instanceof Set) {
				dataset.typed = true;
				dataset.value = /* @__PURE__ */ new Set();
				const valueDatasets = await Promise.all([...input].map(async (inputValue) => [inputValue, await this.value["~run"]({ value: inputValue }, config$1)]));
				for (const [inputValue, valueDataset] of valueDatasets) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "set",
							origin: "value",
							input,
							key: null,
							value: inputValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value.add(valueDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/strictObject/strictObject.ts
/* @__NO_SIDE_EFFECTS__ */
function strictObject(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "strict_object",
		reference: strictObject,
		expects: "Object",
		async: false,
		entries: entries$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const key in this.entries) {
					const valueSchema = this.entries[key];
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : /* @__PURE__ */ getDefault(valueSchema);
						const valueDataset = valueSchema["~run"]({ value: value$1 }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: value$1
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					} else if (valueSchema.fallback !== void 0) dataset.value[key] = /* @__PURE__ */ getFallback(valueSchema);
					else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
						_addIssue(this, "key", dataset, config$1, {
							input: void 0,
							expected: `"${key}"`,
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						if (config$1.abortEarly) break;
					}
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (!Object.prototype.hasOwnProperty.call(this.entries, key)) {
						_addIssue(this, "key", dataset, config$1, {
							input: key,
							expected: "never",
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						break;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/strictObject/strictObjectAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function strictObjectAsync(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "strict_object",
		reference: strictObjectAsync,
		expects: "Object",
		async: true,
		entries: entries$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const valueDatasets = await Promise.all(Object.entries(this.entries).map(async ([key, valueSchema]) => {
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : await /* @__PURE__ */ getDefault(valueSchema);
						return [
							key,
							value$1,
							valueSchema,
							await valueSchema["~run"]({ value: value$1 }, config$1)
						];
					}
					return [
						key,
						input[key],
						valueSchema,
						null
					];
				}));
				for (const [key, value$1, valueSchema, valueDataset] of valueDatasets) if (valueDataset) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				} else if (valueSchema.fallback !== void 0) dataset.value[key] = await /* @__PURE__ */ getFallback(valueSchema);
				else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
					_addIssue(this, "key", dataset, config$1, {
						input: void 0,
						expected: `"${key}"`,
						path: [{
							type: "object",
							origin: "key",
							input,
							key,
							value: value$1
						}]
					});
					if (config$1.abortEarly) break;
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (!Object.prototype.hasOwnProperty.call(this.entries, key)) {
						_addIssue(this, "key", dataset, config$1, {
							input: key,
							expected: "never",
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						break;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/strictTuple/strictTuple.ts
/* @__NO_SIDE_EFFECTS__ */
function strictTuple(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "strict_tuple",
		reference: strictTuple,
		expects: "Array",
		async: false,
		items,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < this.items.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.items[key]["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!(dataset.issues && config$1.abortEarly) && this.items.length < input.length) _addIssue(this, "type", dataset, config$1, {
					input: input[this.items.length],
					expected: "never",
					path: [{
						type: "array",
						origin: "value",
						input,
						key: this.items.length,
						value: input[this.items.length]
					}]
				});
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/strictTuple/strictTupleAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function strictTupleAsync(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "strict_tuple",
		reference: strictTupleAsync,
		expects: "Array",
		async: true,
		items,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const itemDatasets = await Promise.all(this.items.map(async (item, key) => {
					const value$1 = input[key];
					return [
						key,
						value$1,
						await item["~run"]({ value: value$1 }, config$1)
					];
				}));
				for (const [key, value$1, itemDataset] of itemDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!(dataset.issues && config$1.abortEarly) && this.items.length < input.length) _addIssue(this, "type", dataset, config$1, {
					input: input[this.items.length],
					expected: "never",
					path: [{
						type: "array",
						origin: "value",
						input,
						key: this.items.length,
						value: input[this.items.length]
					}]
				});
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/string/string.ts
/* @__NO_SIDE_EFFECTS__ */
function string(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "string",
		reference: string,
		expects: "string",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "string") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/symbol/symbol.ts
/* @__NO_SIDE_EFFECTS__ */
function symbol(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "symbol",
		reference: symbol,
		expects: "symbol",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "symbol") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/tuple/tuple.ts
/* @__NO_SIDE_EFFECTS__ */
function tuple(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "tuple",
		reference: tuple,
		expects: "Array",
		async: false,
		items,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < this.items.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.items[key]["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/tuple/tupleAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function tupleAsync(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "tuple",
		reference: tupleAsync,
		expects: "Array",
		async: true,
		items,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const itemDatasets = await Promise.all(this.items.map(async (item, key) => {
					const value$1 = input[key];
					return [
						key,
						value$1,
						await item["~run"]({ value: value$1 }, config$1)
					];
				}));
				for (const [key, value$1, itemDataset] of itemDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/tupleWithRest/tupleWithRest.ts
/* @__NO_SIDE_EFFECTS__ */
function tupleWithRest(items, rest, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "tuple_with_rest",
		reference: tupleWithRest,
		expects: "Array",
		async: false,
		items,
		rest,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < this.items.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.items[key]["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!dataset.issues || !config$1.abortEarly) for (let key = this.items.length; key < input.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.rest["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/tupleWithRest/tupleWithRestAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function tupleWithRestAsync(items, rest, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "tuple_with_rest",
		reference: tupleWithRestAsync,
		expects: "Array",
		async: true,
		items,
		rest,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const [normalDatasets, restDatasets] = await Promise.all([Promise.all(this.items.map(async (item, key) => {
					const value$1 = input[key];
					return [
						key,
						value$1,
						await item["~run"]({ value: value$1 }, config$1)
					];
				})), Promise.all(input.slice(this.items.length).map(async (value$1, key) => {
					return [
						key + this.items.length,
						value$1,
						await this.rest["~run"]({ value: value$1 }, config$1)
					];
				}))]);
				for (const [key, value$1, itemDataset] of normalDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!dataset.issues || !config$1.abortEarly) for (const [key, value$1, itemDataset] of restDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/undefined/undefined.ts
/* @__NO_SIDE_EFFECTS__ */
function undefined_(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "undefined",
		reference: undefined_,
		expects: "undefined",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value === void 0) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/undefinedable/undefinedable.ts
/* @__NO_SIDE_EFFECTS__ */
function undefinedable(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "undefinedable",
		reference: undefinedable,
		expects: `(${wrapped.expects} | undefined)`,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			if (dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/undefinedable/undefinedableAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function undefinedableAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "undefinedable",
		reference: undefinedableAsync,
		expects: `(${wrapped.expects} | undefined)`,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			if (dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = await /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/union/utils/_subIssues/_subIssues.ts
/**
* Returns the sub issues of the provided datasets for the union issue.
*
* @param datasets The datasets.
*
* @returns The sub issues.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _subIssues(datasets) {
	let issues;
	if (datasets) for (const dataset of datasets) if (issues) for (const issue of dataset.issues) issues.push(issue);
	else issues = dataset.issues;
	return issues;
}

//#endregion
//#region src/schemas/union/union.ts
/* @__NO_SIDE_EFFECTS__ */
function union(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "union",
		reference: union,
		expects: /* @__PURE__ */ _joinExpects(options.map((option) => option.expects), "|"),
		async: false,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			let validDataset;
			let typedDatasets;
			let untypedDatasets;
			for (const schema of this.options) {
				const optionDataset = schema["~run"]({ value: dataset.value }, config$1);
				if (optionDataset.typed) if (optionDataset.issues) if (typedDatasets) typedDatasets.push(optionDataset);
				else typedDatasets = [optionDataset];
				else {
					validDataset = optionDataset;
					break;
				}
				else if (untypedDatasets) untypedDatasets.push(optionDataset);
				else untypedDatasets = [optionDataset];
			}
			if (validDataset) return validDataset;
			if (typedDatasets) {
				if (typedDatasets.length === 1) return typedDatasets[0];
				_addIssue(this, "type", dataset, config$1, { issues: /* @__PURE__ */ _subIssues(typedDatasets) });
				dataset.typed = true;
			} else if (untypedDatasets?.length === 1) return untypedDatasets[0];
			else _addIssue(this, "type", dataset, config$1, { issues: /* @__PURE__ */ _subIssues(untypedDatasets) });
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/union/unionAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function unionAsync(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "union",
		reference: unionAsync,
		expects: /* @__PURE__ */ _joinExpects(options.map((option) => option.expects), "|"),
		async: true,
		options,
		message: message$1,
		async "~run"(dataset, config$1) {
			let validDataset;
			let typedDatasets;
			let untypedDatasets;
			for (const schema of this.options) {
				const optionDataset = await schema["~run"]({ value: dataset.value }, config$1);
				if (optionDataset.typed) if (optionDataset.issues) if (typedDatasets) typedDatasets.push(optionDataset);
				else typedDatasets = [optionDataset];
				else {
					validDataset = optionDataset;
					break;
				}
				else if (untypedDatasets) untypedDatasets.push(optionDataset);
				else untypedDatasets = [optionDataset];
			}
			if (validDataset) return validDataset;
			if (typedDatasets) {
				if (typedDatasets.length === 1) return typedDatasets[0];
				_addIssue(this, "type", dataset, config$1, { issues: /* @__PURE__ */ _subIssues(typedDatasets) });
				dataset.typed = true;
			} else if (untypedDatasets?.length === 1) return untypedDatasets[0];
			else _addIssue(this, "type", dataset, config$1, { issues: /* @__PURE__ */ _subIssues(untypedDatasets) });
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/unknown/unknown.ts
/**
* Creates a unknown schema.
*
* @returns A unknown schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function unknown() {
	return _standardSchema({
		kind: "schema",
		type: "unknown",
		reference: unknown,
		expects: "unknown",
		async: false,
		"~run"(dataset) {
			dataset.typed = true;
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/variant/variant.ts
/* @__NO_SIDE_EFFECTS__ */
function variant(key, options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "variant",
		reference: variant,
		expects: "Object",
		async: false,
		key,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				let outputDataset;
				let maxDiscriminatorPriority = 0;
				let invalidDiscriminatorKey = this.key;
				let expectedDiscriminators = [];
				const parseOptions = (variant$1, allKeys) => {
					for (const schema of variant$1.options) {
						if (schema.type === "variant") parseOptions(schema, new Set(allKeys).add(schema.key));
						else {
							let keysAreValid = true;
							let currentPriority = 0;
							for (const currentKey of allKeys) {
								const discriminatorSchema = schema.entries[currentKey];
								if (currentKey in input ? discriminatorSchema["~run"]({
									typed: false,
									value: input[currentKey]
								}, ABORT_EARLY_CONFIG).issues : discriminatorSchema.type !== "exact_optional" && discriminatorSchema.type !== "optional" && discriminatorSchema.type !== "nullish") {
									keysAreValid = false;
									if (invalidDiscriminatorKey !== currentKey && (maxDiscriminatorPriority < currentPriority || maxDiscriminatorPriority === currentPriority && currentKey in input && !(invalidDiscriminatorKey in input))) {
										maxDiscriminatorPriority = currentPriority;
										invalidDiscriminatorKey = currentKey;
										expectedDiscriminators = [];
									}
									if (invalidDiscriminatorKey === currentKey) expectedDiscriminators.push(schema.entries[currentKey].expects);
									break;
								}
								currentPriority++;
							}
							if (keysAreValid) {
								const optionDataset = schema["~run"]({ value: input }, config$1);
								if (!outputDataset || !outputDataset.typed && optionDataset.typed) outputDataset = optionDataset;
							}
						}
						if (outputDataset && !outputDataset.issues) break;
					}
				};
				parseOptions(this, new Set([this.key]));
				if (outputDataset) return outputDataset;
				_addIssue(this, "type", dataset, config$1, {
					input: input[invalidDiscriminatorKey],
					expected: /* @__PURE__ */ _joinExpects(expectedDiscriminators, "|"),
					path: [{
						type: "object",
						origin: "value",
						input,
						key: invalidDiscriminatorKey,
						value: input[invalidDiscriminatorKey]
					}]
				});
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/variant/variantAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function variantAsync(key, options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "variant",
		reference: variantAsync,
		expects: "Object",
		async: true,
		key,
		options,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				let outputDataset;
				let maxDiscriminatorPriority = 0;
				let invalidDiscriminatorKey = this.key;
				let expectedDiscriminators = [];
				const parseOptions = async (variant$1, allKeys) => {
					for (const schema of variant$1.options) {
						if (schema.type === "variant") await parseOptions(schema, new Set(allKeys).add(schema.key));
						else {
							let keysAreValid = true;
							let currentPriority = 0;
							for (const currentKey of allKeys) {
								const discriminatorSchema = schema.entries[currentKey];
								if (currentKey in input ? (await discriminatorSchema["~run"]({
									typed: false,
									value: input[currentKey]
								}, ABORT_EARLY_CONFIG)).issues : discriminatorSchema.type !== "exact_optional" && discriminatorSchema.type !== "optional" && discriminatorSchema.type !== "nullish") {
									keysAreValid = false;
									if (invalidDiscriminatorKey !== currentKey && (maxDiscriminatorPriority < currentPriority || maxDiscriminatorPriority === currentPriority && currentKey in input && !(invalidDiscriminatorKey in input))) {
										maxDiscriminatorPriority = currentPriority;
										invalidDiscriminatorKey = currentKey;
										expectedDiscriminators = [];
									}
									if (invalidDiscriminatorKey === currentKey) expectedDiscriminators.push(schema.entries[currentKey].expects);
									break;
								}
								currentPriority++;
							}
							if (keysAreValid) {
								const optionDataset = await schema["~run"]({ value: input }, config$1);
								if (!outputDataset || !outputDataset.typed && optionDataset.typed) outputDataset = optionDataset;
							}
						}
						if (outputDataset && !outputDataset.issues) break;
					}
				};
				await parseOptions(this, new Set([this.key]));
				if (outputDataset) return outputDataset;
				_addIssue(this, "type", dataset, config$1, {
					input: input[invalidDiscriminatorKey],
					expected: /* @__PURE__ */ _joinExpects(expectedDiscriminators, "|"),
					path: [{
						type: "object",
						origin: "value",
						input,
						key: invalidDiscriminatorKey,
						value: input[invalidDiscriminatorKey]
					}]
				});
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/void/void.ts
/* @__NO_SIDE_EFFECTS__ */
function void_(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "void",
		reference: void_,
		expects: "void",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value === void 0) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/methods/keyof/keyof.ts
/* @__NO_SIDE_EFFECTS__ */
function keyof(schema, message$1) {
	return /* @__PURE__ */ picklist(Object.keys(schema.entries), message$1);
}

//#endregion
//#region src/methods/message/message.ts
/**
* Changes the local message configuration of a schema.
*
* @param schema The schema to configure.
* @param message_ The error message.
*
* @returns The configured schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function message(schema, message_) {
	return _standardSchema({
		...schema,
		"~run"(dataset, config$1) {
			return schema["~run"](dataset, {
				...config$1,
				message: message_
			});
		}
	});
}

//#endregion
//#region src/methods/omit/omit.ts
/**
* Creates a modified copy of an object schema that does not contain the
* selected entries.
*
* @param schema The schema to omit from.
* @param keys The selected entries.
*
* @returns An object schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function omit(schema, keys) {
	const entries$1 = { ...schema.entries };
	for (const key of keys) delete entries$1[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/parse/parse.ts
/**
* Parses an unknown input based on a schema.
*
* @param schema The schema to be used.
* @param input The input to be parsed.
* @param config The parse configuration.
*
* @returns The parsed input.
*/
function dist_parse(schema, input, config$1) {
	const dataset = schema["~run"]({ value: input }, /* @__PURE__ */ getGlobalConfig(config$1));
	if (dataset.issues) throw new ValiError(dataset.issues);
	return dataset.value;
}

//#endregion
//#region src/methods/parse/parseAsync.ts
/**
* Parses an unknown input based on a schema.
*
* @param schema The schema to be used.
* @param input The input to be parsed.
* @param config The parse configuration.
*
* @returns The parsed input.
*/
async function parseAsync(schema, input, config$1) {
	const dataset = await schema["~run"]({ value: input }, /* @__PURE__ */ getGlobalConfig(config$1));
	if (dataset.issues) throw new ValiError(dataset.issues);
	return dataset.value;
}

//#endregion
//#region src/methods/parser/parser.ts
/* @__NO_SIDE_EFFECTS__ */
function parser(schema, config$1) {
	const func = (input) => dist_parse(schema, input, config$1);
	func.schema = schema;
	func.config = config$1;
	return func;
}

//#endregion
//#region src/methods/parser/parserAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function parserAsync(schema, config$1) {
	const func = (input) => parseAsync(schema, input, config$1);
	func.schema = schema;
	func.config = config$1;
	return func;
}

//#endregion
//#region src/methods/partial/partial.ts
/* @__NO_SIDE_EFFECTS__ */
function partial(schema, keys) {
	const entries$1 = {};
	for (const key in schema.entries) entries$1[key] = !keys || keys.includes(key) ? /* @__PURE__ */ optional(schema.entries[key]) : schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/partial/partialAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function partialAsync(schema, keys) {
	const entries$1 = {};
	for (const key in schema.entries) entries$1[key] = !keys || keys.includes(key) ? /* @__PURE__ */ optionalAsync(schema.entries[key]) : schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/pick/pick.ts
/**
* Creates a modified copy of an object schema that contains only the selected
* entries.
*
* @param schema The schema to pick from.
* @param keys The selected entries.
*
* @returns An object schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function pick(schema, keys) {
	const entries$1 = {};
	for (const key of keys) entries$1[key] = schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/pipe/pipe.ts
/* @__NO_SIDE_EFFECTS__ */
function pipe(...pipe$1) {
	return _standardSchema({
		...pipe$1[0],
		pipe: pipe$1,
		"~run"(dataset, config$1) {
			for (const item of pipe$1) if (item.kind !== "metadata") {
				if (dataset.issues && (item.kind === "schema" || item.kind === "transformation")) {
					dataset.typed = false;
					break;
				}
				if (!dataset.issues || !config$1.abortEarly && !config$1.abortPipeEarly) dataset = item["~run"](dataset, config$1);
			}
			return dataset;
		}
	});
}

//#endregion
//#region src/methods/pipe/pipeAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function pipeAsync(...pipe$1) {
	return _standardSchema({
		...pipe$1[0],
		pipe: pipe$1,
		async: true,
		async "~run"(dataset, config$1) {
			for (const item of pipe$1) if (item.kind !== "metadata") {
				if (dataset.issues && (item.kind === "schema" || item.kind === "transformation")) {
					dataset.typed = false;
					break;
				}
				if (!dataset.issues || !config$1.abortEarly && !config$1.abortPipeEarly) dataset = await item["~run"](dataset, config$1);
			}
			return dataset;
		}
	});
}

//#endregion
//#region src/methods/required/required.ts
/* @__NO_SIDE_EFFECTS__ */
function required(schema, arg2, arg3) {
	const keys = Array.isArray(arg2) ? arg2 : void 0;
	const message$1 = Array.isArray(arg2) ? arg3 : arg2;
	const entries$1 = {};
	for (const key in schema.entries) entries$1[key] = !keys || keys.includes(key) ? /* @__PURE__ */ nonOptional(schema.entries[key], message$1) : schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/required/requiredAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function requiredAsync(schema, arg2, arg3) {
	const keys = Array.isArray(arg2) ? arg2 : void 0;
	const message$1 = Array.isArray(arg2) ? arg3 : arg2;
	const entries$1 = {};
	for (const key in schema.entries) entries$1[key] = !keys || keys.includes(key) ? /* @__PURE__ */ nonOptionalAsync(schema.entries[key], message$1) : schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/safeParse/safeParse.ts
/**
* Parses an unknown input based on a schema.
*
* @param schema The schema to be used.
* @param input The input to be parsed.
* @param config The parse configuration.
*
* @returns The parse result.
*/
/* @__NO_SIDE_EFFECTS__ */
function safeParse(schema, input, config$1) {
	const dataset = schema["~run"]({ value: input }, /* @__PURE__ */ getGlobalConfig(config$1));
	return {
		typed: dataset.typed,
		success: !dataset.issues,
		output: dataset.value,
		issues: dataset.issues
	};
}

//#endregion
//#region src/methods/safeParse/safeParseAsync.ts
/**
* Parses an unknown input based on a schema.
*
* @param schema The schema to be used.
* @param input The input to be parsed.
* @param config The parse configuration.
*
* @returns The parse result.
*/
/* @__NO_SIDE_EFFECTS__ */
async function safeParseAsync(schema, input, config$1) {
	const dataset = await schema["~run"]({ value: input }, /* @__PURE__ */ getGlobalConfig(config$1));
	return {
		typed: dataset.typed,
		success: !dataset.issues,
		output: dataset.value,
		issues: dataset.issues
	};
}

//#endregion
//#region src/methods/safeParser/safeParser.ts
/* @__NO_SIDE_EFFECTS__ */
function safeParser(schema, config$1) {
	const func = (input) => /* @__PURE__ */ safeParse(schema, input, config$1);
	func.schema = schema;
	func.config = config$1;
	return func;
}

//#endregion
//#region src/methods/safeParser/safeParserAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function safeParserAsync(schema, config$1) {
	const func = (input) => /* @__PURE__ */ safeParseAsync(schema, input, config$1);
	func.schema = schema;
	func.config = config$1;
	return func;
}

//#endregion
//#region src/methods/summarize/summarize.ts
/**
* Summarize the error messages of issues in a pretty-printable multi-line string.
*
* @param issues The list of issues.
*
* @returns A summary of the issues.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function summarize(issues) {
	let summary = "";
	for (const issue of issues) {
		if (summary) summary += "\n";
		summary += `× ${issue.message}`;
		const dotPath = /* @__PURE__ */ getDotPath(issue);
		if (dotPath) summary += `\n  → at ${dotPath}`;
	}
	return summary;
}

//#endregion
//#region src/methods/unwrap/unwrap.ts
/**
* Unwraps the wrapped schema.
*
* @param schema The schema to be unwrapped.
*
* @returns The unwrapped schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function unwrap(schema) {
	return schema.wrapped;
}

//#endregion

;// CONCATENATED MODULE: ./build/js/app/wasmrun/kept.js
// What is kept of an installation of wasmrun between jobs, and what is checked when it comes back. Used by install.ts,
// and by step/installation-cache.ts, which gives it to the runner's cache service and gets it back from there.
//
//   installation.json   the version, and how long the installation took
//   bin/wasmrun         the program
//   runtimes/           what wasmrun downloads on first use, flat: NAME.json and NAME.wasm







const NewInstallationSchema = object({
    version: string(),
    /** Absolute path of the program. */
    program: string(),
    /** Of the program, right after its installation: code that ran later in the job may have changed the file. */
    digest: string(),
    /** Whether it was downloaded or compiled, and the milliseconds that took. */
    way: picklist(['download', 'build']),
    tookMs: number(),
});
const RecordSchema = object({
    version: string(),
    way: picklist(['download', 'build']),
    tookMs: pipe(number(), minValue(0), maxValue(24 * 3_600_000)),
});
/** The program's file name. */
const PROGRAM = process.platform === 'win32' ? 'wasmrun.exe' : 'wasmrun';
/** The names that wasmrun gives its runtimes and their descriptions. */
const RUNTIME_FILE = /^[A-Za-z0-9][\w.-]*\.(?:json|wasm)$/;
/** The names of the entry for a version: what makes a program unusable on another machine is part of them. */
function nameEntries(version) {
    const program = `expose-wasmrun-${version}-${describeSystem()}-program`.toLowerCase();
    // A service that finds no entry of a name takes one that begins with it: so this name begins with the other one.
    return { program, withRuntimes: `${program}-runtimes` };
}
/**
 * `linux-x64-glibc2.39`, `darwin-arm64-24`, `win32-x64`. A program built on one system runs on the same one, and mostly
 * not on one with an older C library.
 */
function describeSystem() {
    const { platform, arch } = process;
    if (platform === 'linux')
        return `linux-${arch}-${readLibc()}`;
    return platform === 'darwin' ? `darwin-${arch}-${release().split('.')[0]}` : `${platform}-${arch}`;
}
function readLibc() {
    const { header } = v.parse(ReportSchema, process.report.getReport());
    return header.glibcVersionRuntime === undefined ? 'musl' : `glibc${header.glibcVersionRuntime}`;
}
const ReportSchema = object({ header: object({ glibcVersionRuntime: optional(string()) }) });
/** Hex SHA-256 of a file. */
async function digestFile(file) {
    return (0,external_node_crypto_.createHash)('sha256')
        .update(await (0,promises_.readFile)(file))
        .digest('hex');
}
/**
 * Fills the folder with the installation and the given runtimes. Throws an AppError if the program is no longer the one
 * that was installed.
 */
async function packInstallation(folder, { version, program, digest, way, tookMs }, runtimes) {
    const places = describeFolder(folder);
    for (const place of [places.bin, places.runtimes])
        await mkdir(place, { recursive: true });
    await copyFile(program, places.program);
    if ((await digestFile(places.program)) !== digest)
        throw new AppError(`${program} was changed after its installation`);
    const record = { version, way, tookMs };
    await writeFile(places.record, JSON.stringify(record));
    await copyRuntimes(runtimes, places.runtimes);
}
/**
 * The program of a kept installation, and how it was made. Throws an AppError if the folder does not hold what
 * `packInstallation` writes: then something else wrote the entry. Whether the program runs is for the caller to see.
 */
async function openKept(folder, version) {
    const places = describeFolder(folder);
    const record = readRecord(places.record);
    if (record.version !== version)
        throw new errors_AppError(`it is wasmrun ${record.version}`);
    if (!isPlainFolder(places.bin) || !isPlainFile(places.program))
        throw new errors_AppError('it holds no program');
    await (0,promises_.chmod)(places.program, 0o755);
    return { program: places.program, record, runtimes: listRuntimes(places.runtimes) };
}
function describeFolder(folder) {
    const bin = (0,external_node_path_.join)(folder, 'bin');
    return {
        bin,
        program: (0,external_node_path_.join)(bin, PROGRAM),
        record: (0,external_node_path_.join)(folder, 'installation.json'),
        runtimes: (0,external_node_path_.join)(folder, 'runtimes'),
    };
}
function readRecord(file) {
    if (!isPlainFile(file))
        throw new errors_AppError('it is not described');
    try {
        return dist_parse(RecordSchema, JSON.parse((0,external_node_fs_namespaceObject.readFileSync)(file, 'utf8')));
    }
    catch (cause) {
        throw new errors_AppError('its description cannot be read', { cause });
    }
}
/** The runtimes in a folder of wasmrun's; none if there is no folder. */
function listRuntimes(folder) {
    if (!isPlainFolder(folder))
        return [];
    return (0,external_node_fs_namespaceObject.readdirSync)(folder)
        .filter(name => RUNTIME_FILE.test(name))
        .map(name => (0,external_node_path_.join)(folder, name))
        .filter(isPlainFile);
}
/** Adds runtimes to a folder of wasmrun's, and leaves those that are there as they are. */
async function copyRuntimes(files, folder) {
    await (0,promises_.mkdir)(folder, { recursive: true });
    // A description last: wasmrun may start at any time, and looks for it first.
    for (const file of [...files].sort((one, other) => (0,external_node_path_.extname)(other).localeCompare((0,external_node_path_.extname)(one))))
        await (0,promises_.copyFile)(file, (0,external_node_path_.join)(folder, (0,external_node_path_.basename)(file)), external_node_fs_namespaceObject.constants.COPYFILE_EXCL).catch((error) => {
            if (!errors_hasCode(error, 'EEXIST'))
                throw error;
        });
}
// A link could lead anywhere.
function isPlainFile(path) {
    return (0,external_node_fs_namespaceObject.lstatSync)(path, { throwIfNoEntry: false })?.isFile() === true;
}
function isPlainFolder(path) {
    return (0,external_node_fs_namespaceObject.lstatSync)(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

;// CONCATENATED MODULE: ./build/js/app/wasmrun/progress.js
// What the log says of an installation: how far it is, so that nobody thinks it hangs, and how long it took. Used by the
// installation of wasmrun.

/** Logs what `describe` says every `intervalMs` until the work has ended; nothing if it ends before. */
async function reportProgress({ logger, intervalMs, describe }, work) {
    const timer = setInterval(() => logger.info(describe()), intervalMs);
    try {
        return await work();
    }
    finally {
        clearInterval(timer);
    }
}
/** `6.1 MB`, decimal, as GitHub shows sizes of downloads. */
function formatMegabytes(bytes) {
    return `${(bytes / 1e6).toFixed(1)} MB`;
}
/** `1.4 s`, `6m 12s`. */
function formatTime(ms) {
    return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : duration_formatDuration(ms);
}
/** Counts the crates that cargo compiles, from the lines it prints. */
class CargoProgress {
    #compiled = 0;
    #crate;
    /** Takes a line of cargo's: `   Compiling serde v1.0.228`. */
    read(line) {
        const crate = /^\s*Compiling (\S+)/.exec(line)?.[1];
        if (crate === undefined)
            return;
        this.#compiled += 1;
        this.#crate = crate;
    }
    /** `it compiles serde, crate 12`. How many there are in all, cargo says to terminals only. */
    describe() {
        return this.#crate === undefined
            ? 'it downloads the sources'
            : `it compiles ${this.#crate}, crate ${this.#compiled}`;
    }
}

// EXTERNAL MODULE: external "node:stream"
var external_node_stream_ = __nccwpck_require__(7075);
;// CONCATENATED MODULE: external "node:stream/promises"
const external_node_stream_promises_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:stream/promises");
;// CONCATENATED MODULE: ./build/js/shared/proxy.js
// Requests to GitHub, which go through the job's proxy if one is set. Used by github and app/wasmrun/release;
// supervisor passes the variables on. Requests to this machine never go through it: see loopback.ts.
const VARIABLES = (/* unused pure expression or super */ null && (['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']));
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
    const { fetch: fetchThrough } = await __nccwpck_require__.e(/* import() */ 752).then(__nccwpck_require__.t.bind(__nccwpck_require__, 6752, 19));
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
    const { EnvHttpProxyAgent } = await __nccwpck_require__.e(/* import() */ 752).then(__nccwpck_require__.t.bind(__nccwpck_require__, 6752, 19));
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

;// CONCATENATED MODULE: ./build/js/app/wasmrun/release.js
// Installs wasmrun from the .deb of its GitHub release: looks it up, downloads, checks and unpacks it, without root.
// Used by install.ts.












/** The API refused the request: a bad token, or the rate limit. A request without the token may succeed. */
class RefusalError extends errors_AppError {
}
/** The rate limit is used up. */
class RateLimitError extends RefusalError {
}
/** What was downloaded is not what was published. No other way is tried then: a person should look at it. */
class DigestError extends errors_AppError {
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
/** On a fast line the download is over before. */
const PROGRESS_INTERVAL_MS = 5_000;
const Asset = object({
    name: string(),
    browser_download_url: pipe(string(), url()),
    size: pipe(number(), integer(), maxValue(MAX_DOWNLOAD_BYTES)),
    digest: pipe(string(), regex(/^sha256:[0-9a-f]{64}$/)),
});
/** Assets are checked when one is chosen: those for other systems do not matter. */
const Release = object({ assets: array(looseObject({ name: string() })) });
/** Puts the program of the release at `program`; rejects with an AppError that says why this way failed. */
async function installFromRelease(options) {
    const name = `wasmrun-v${options.version}-${findTarget()}.deb`;
    const dispatcher = await createDispatcher(options.environment);
    try {
        const asset = await findAsset(name, options, dispatcher);
        const file = (0,external_node_path_.join)(options.stage, 'download.deb');
        options.logger.info(`wasmrun ${options.version}: downloading ${name}, ${formatMegabytes(asset.size)}`);
        await downloadAsset(asset, file, options, dispatcher);
        options.logger.info(`wasmrun ${options.version}: unpacking`);
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
        throw new errors_AppError(`there is no ready-made wasmrun for ${process.platform} ${process.arch}`);
    if ((0,external_node_fs_namespaceObject.existsSync)(target.loader))
        return target.name;
    throw new errors_AppError('the ready-made wasmrun needs glibc, which this system (musl, as in Alpine) does not have');
}
async function findAsset(name, options, dispatcher) {
    const url = `${options.releasesUrl}/tags/v${options.version}`;
    const answer = await fetchRelease(url, options, dispatcher);
    const release = safeParse(Release, await readJson(answer, url));
    if (!release.success)
        throw new errors_AppError(`${url} did not answer with a release`);
    const listed = release.output.assets.find(asset => asset.name === name);
    if (listed === undefined)
        throw new errors_AppError(`the release v${options.version} has no ${name}`);
    const asset = safeParse(Asset, listed);
    if (asset.success)
        return asset.output;
    throw new errors_AppError(`${name} is published without a usable digest, size or address`);
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
    const { fetch } = await __nccwpck_require__.e(/* import() */ 752).then(__nccwpck_require__.t.bind(__nccwpck_require__, 6752, 19));
    const answer = await fetch(url, options).catch((cause) => {
        throw new errors_AppError(`${url} cannot be reached`, { cause });
    });
    if (answer.ok)
        return answer;
    await answer.body?.cancel();
    throw describeRefusal(url, answer, options.headers?.authorization !== undefined);
}
function describeRefusal(url, { status, headers }, hasToken) {
    if (![401, 403, 429].includes(status))
        return new errors_AppError(`${url} answered ${status}`);
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
        throw new errors_AppError(`${url} did not answer with JSON`, { cause });
    }
}
async function* limitBytes(answer, limit) {
    let total = 0;
    for await (const chunk of answer.body ?? external_node_stream_.Readable.from([])) {
        total += chunk.length;
        if (total > limit)
            throw new errors_AppError(`more than ${limit} bytes arrived`);
        yield chunk;
    }
}
async function downloadAsset(asset, file, options, dispatcher) {
    for (let attempt = 1;; attempt += 1) {
        try {
            await downloadOnce(asset, file, options, dispatcher);
            return;
        }
        catch (error) {
            options.signal.throwIfAborted();
            if (error instanceof DigestError || attempt === DOWNLOAD_ATTEMPTS)
                throw error;
        }
    }
}
async function downloadOnce(asset, file, { version, logger, progressIntervalMs = PROGRESS_INTERVAL_MS, signal: outer }, dispatcher) {
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
    const describe = () => `wasmrun ${version}: ${formatMegabytes(size)} of ${formatMegabytes(asset.size)} downloaded, ` +
        `${Math.floor((100 * size) / asset.size)} %`;
    const write = () => (0,external_node_stream_promises_namespaceObject.pipeline)(limitBytes(answer, asset.size), observe, (0,external_node_fs_namespaceObject.createWriteStream)(file), { signal });
    try {
        await reportProgress({ logger, intervalMs: progressIntervalMs, describe }, write);
    }
    catch (cause) {
        throw new errors_AppError(`the download of ${asset.name} broke off after ${size} of ${asset.size} bytes`, {
            cause,
        });
    }
    if (size < asset.size)
        throw new errors_AppError(`the download of ${asset.name} ended after ${size} of ${asset.size} bytes`);
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
        if (!(error instanceof errors_AppError && errors_hasCode(error.cause, 'ENOENT')))
            throw error;
        await unpackWithAr(file, run);
    });
    try {
        await (0,promises_.copyFile)((0,external_node_path_.join)(folder, 'usr', 'bin', 'wasmrun'), options.program);
        await (0,promises_.chmod)(options.program, 0o755);
    }
    catch (cause) {
        throw new errors_AppError('the .deb holds no usr/bin/wasmrun', { cause });
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
        throw new errors_AppError(`the .deb cannot be unpacked (that needs dpkg-deb, or ar and tar): ${sanitise_sanitise(errors_describeError(cause))}`, { cause });
    }
}

;// CONCATENATED MODULE: ./build/js/app/wasmrun/version.js
// Which versions of wasmrun work. Used by install.ts, and by inputs before anything is started.


/** `1.0.0` or `v1.0.0`, from 1.0.0 on. Throws an InputError. */
function version_parseWasmrunVersion(text) {
    const version = /^v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(text.trim())?.[1];
    const problem = `\`wasmrun-version\` is '${sanitise_sanitise(text)}'`;
    if (version === undefined)
        throw new errors_InputError(`${problem}: write an exact version like 1.0.0, or leave it out`);
    if (isTooOld(version))
        throw new errors_InputError(`${problem}, which is too old: 1.0.0 is the first that works; leave it out`);
    return version;
}
/** Takes a version as the wasmrun on PATH prints it, or as `parseWasmrunVersion` returns it. */
function isTooOld(version) {
    return version.startsWith('0.') || version.startsWith('1.0.0-');
}

;// CONCATENATED MODULE: ./build/js/app/wasmrun/install.js
// Finds wasmrun, or installs it: PATH, tool cache, the release's .deb, cargo. Used by supervisor/plan.ts.











/** The version this action was tested with. */
const PINNED_VERSION = '1.0.0';
const MODES_WITHOUT = 'or use `mode: web` or `mode: port`, which need no wasmrun';
/** `wasmrun --version` prints and exits; from a cold disk that may take seconds. */
const VERSION_TIMEOUT_MS = 20_000;
/** cargo takes minutes. */
const CARGO_PROGRESS_INTERVAL_MS = 30_000;
/**
 * The absolute path of a wasmrun that runs. Throws an InputError for an impossible version, and an AppError that says
 * what was tried.
 */
async function findOrInstallWasmrun(options) {
    const version = options.version === undefined ? undefined : version_parseWasmrunVersion(options.version);
    const found = await findOnPath(options, version);
    if (found !== undefined)
        return found;
    const wanted = version ?? PINNED_VERSION;
    const cached = (0,external_node_path_.join)(options.toolCache, 'wasmrun', wanted, process.arch);
    if ((0,external_node_fs_namespaceObject.existsSync)(`${cached}.complete`) && isExecutable((0,external_node_path_.join)(cached, 'bin', PROGRAM))) {
        options.logger.info(`wasmrun ${wanted}: from the tool cache`);
        return (0,external_node_path_.join)(cached, 'bin', PROGRAM);
    }
    return (await restoreKept(wanted, options)) ?? (await installInto(cached, wanted, options));
}
/**
 * The program of an installation that an earlier job kept; undefined if there is none that runs. It stays in a folder
 * of this job's: it is never put into the tool cache, which on a runner of your own serves other jobs, too.
 */
async function restoreKept(version, options) {
    const { store, logger, signal } = options;
    const began = performance.now();
    const kept = await store?.restore(version, signal);
    if (store === undefined || kept === undefined)
        return undefined;
    try {
        const { program, record, runtimes } = await openKept(kept.folder, version);
        const found = await readVersion(program, options);
        if (found !== version)
            throw new errors_AppError(`it says that it is version ${found}`);
        if (store.runtimesFolder !== undefined)
            await copyRuntimes(runtimes, store.runtimesFolder);
        const before = `${record.way === 'build' ? 'building' : 'installing'} it took ${formatTime(record.tookMs)}`;
        logger.info(`wasmrun ${version}: from the cache, in ${formatTime(performance.now() - began)} (${before})`);
        return program;
    }
    catch (error) {
        signal.throwIfAborted();
        logger.warn(`wasmrun ${version} from the cache cannot be used (${errors_describeError(error)}), so it is installed; ` +
            `delete the cache entry ${kept.name}: entries are never replaced`);
        return undefined;
    }
}
/** Without a wanted version, the first on PATH is used. If that is too old, throws, because the job chose it. */
async function findOnPath(options, wanted) {
    const path = findProgram(PROGRAM, options.pathVariable);
    if (path === undefined)
        return undefined;
    const version = await readVersion(path, options).catch((error) => {
        options.signal.throwIfAborted();
        options.logger.warn(`${path} does not run (${errors_describeError(error)}), so wasmrun is installed`);
        return undefined;
    });
    if (version === undefined || (wanted !== undefined && version !== wanted))
        return undefined;
    if (isTooOld(version))
        throw new errors_AppError(`wasmrun ${version} at ${path} is too old, 1.0.0 is the first that works; ` +
            `update it, set wasmrun-version: ${PINNED_VERSION} to have that installed, ${MODES_WITHOUT}`, { restartable: false });
    options.logger.info(`wasmrun ${version}: ${path}`);
    return path;
}
/** The program's path, absolute, as a shell would find it. */
function findProgram(name, pathVariable) {
    const folders = pathVariable.split(external_node_path_.delimiter).filter(folder => (0,external_node_path_.isAbsolute)(folder));
    return folders.map(folder => (0,external_node_path_.join)(folder, name)).find(isExecutable);
}
function isExecutable(path) {
    try {
        (0,external_node_fs_namespaceObject.accessSync)(path, external_node_fs_namespaceObject.constants.X_OK);
        return (0,external_node_fs_namespaceObject.statSync)(path).isFile();
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
        throw new errors_AppError(`${path} --version names no version`);
    return version;
}
/**
 * Installs into a folder beside the cached one and renames it when it runs: a cache folder is complete or absent.
 * The layout and the `.complete` file are those of @actions/tool-cache. Resolves with the program's path.
 */
async function installInto(cached, version, options) {
    const stage = await createStage(cached, options);
    const began = performance.now();
    try {
        const way = await install(stage, version, options);
        const tookMs = Math.round(performance.now() - began);
        options.logger.info(`wasmrun ${version}: installed, in ${formatTime(tookMs)}`);
        const digest = await digestFile((0,external_node_path_.join)(stage, 'bin', PROGRAM));
        const folder = await publishStage(stage, stage.startsWith(cached) ? cached : `${stage}-installed`);
        const program = (0,external_node_path_.join)(folder, 'bin', PROGRAM);
        options.store?.noteInstalled({ version, program, digest, way, tookMs });
        return program;
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
    throw new errors_AppError(`wasmrun cannot be installed: neither ${options.toolCache} nor ${options.tempFolder} can be written to`, {
        cause: first,
        restartable: false,
    });
}
/** Another job on this machine may have been faster: then its folder stays, because it may be in use. */
async function publishStage(stage, target) {
    const marker = `${target}.complete`;
    if ((0,external_node_fs_namespaceObject.existsSync)(marker) && (0,external_node_fs_namespaceObject.existsSync)(target))
        return target;
    await (0,promises_.rm)(target, { recursive: true, force: true, maxRetries: 3 });
    await (0,promises_.rename)(stage, target).catch((error) => {
        if (!(0,external_node_fs_namespaceObject.existsSync)(target))
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
            throw new errors_AppError(`version ${installed} was installed instead`);
    };
    const failures = [];
    for (const [way, attempt] of WAYS) {
        try {
            await attempt({ ...options, stage, program, version, failure: failures[0] });
            await check();
            return way;
        }
        catch (error) {
            options.signal.throwIfAborted();
            if (error instanceof DigestError)
                throw error;
            failures.push(error);
        }
    }
    throw new errors_AppError(`wasmrun ${version} was not found and could not be installed: ${failures.map(errors_describeError).join('; and ')}. ` +
        `Install it in an earlier step (cargo install wasmrun), ${MODES_WITHOUT}`, { restartable: false });
}
const WAYS = [
    ['download', installFromRelease],
    ['build', installWithCargo],
];
async function installWithCargo(options) {
    const { stage, version, failure, environment, signal, logger } = options;
    const cargo = findProgram(process.platform === 'win32' ? 'cargo.exe' : 'cargo', options.pathVariable);
    if (cargo === undefined)
        throw new errors_AppError('cargo is not on PATH (https://rustup.rs)');
    const notice = `wasmrun ${version} is built with cargo, which takes 5 to 10 minutes (${errors_describeError(failure)})`;
    // A token would save these minutes, and the message says so: a warning is seen.
    if (failure instanceof RateLimitError)
        logger.warn(notice);
    else
        logger.info(notice);
    // Beside the program, not in the system's temp folder, where a killed cargo would leave its files.
    const build = (0,external_node_path_.join)(stage, 'build');
    const progress = new CargoProgress();
    const began = performance.now();
    const describe = () => `wasmrun ${version}: cargo has run for ${duration_formatDuration(performance.now() - began)}, ${progress.describe()}`;
    const run = () => runCommand({
        command: cargo,
        args: ['install', 'wasmrun', '--version', version, '--locked', '--root', stage],
        cwd: stage,
        environment: { ...environment, CARGO_TARGET_DIR: build },
        signal,
        onLine: line => {
            logger.debug(`cargo: ${line}`);
            progress.read(line);
        },
        ...(options.onChild && { onChild: options.onChild }),
    });
    const { progressIntervalMs: intervalMs = CARGO_PROGRESS_INTERVAL_MS } = options;
    await reportProgress({ logger, intervalMs, describe }, run);
    await (0,promises_.rm)(build, { recursive: true, force: true, maxRetries: 3 });
}

;// CONCATENATED MODULE: ./build/js/shared/count.js
// Counts as people read them. Used by comment, summary and commands.
/** `1 visit`, `2 visits`. */
function renderCount(count, noun) {
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
                return `${sanitise_sanitise(folder)} could not be removed: ${sanitise_sanitise(errors_describeError(error))}`;
            await (0,external_node_timers_promises_namespaceObject.setTimeout)(RETRY_DELAY_MS);
        }
    }
}

;// CONCATENATED MODULE: ./build/js/shared/secrets.js
// Compares secrets in constant time, and hides them in logs and pages. Used by gateway, control, tunnel, exposure,
// supervisor and step.

/** A shorter line of a key reveals nothing, and masking it would blank out half of the log. */
const MIN_HIDDEN_LENGTH = 8;
/** Takes the same time for every guess, of any length. For keys, passwords and MACs. */
function secrets_isSame(given, wanted) {
    return (0,external_node_crypto_.timingSafeEqual)((0,external_node_crypto_.hash)('sha256', given, 'buffer'), (0,external_node_crypto_.hash)('sha256', wanted, 'buffer'));
}
/** The lengths of texts that `createComparison` keeps apart: a shorter one takes as long as one of this length. */
const COMPARED_BLOCK_BYTES = 256;
/**
 * A function that compares texts with one secret, as `isSame` does, but without a hash for each of them: the gateway
 * compares the credential of every request. Takes the same time for every text that is no longer than the secret, rounded
 * up to whole blocks.
 */
function createComparison(wanted) {
    const blocks = 1 + Math.floor(Buffer.byteLength(wanted) / COMPARED_BLOCK_BYTES);
    const expected = Buffer.alloc(blocks * COMPARED_BLOCK_BYTES);
    expected.write(wanted);
    const compared = Buffer.alloc(expected.length);
    return given => {
        compared.fill(0).write(given);
        // The length distinguishes a text that is cut, or ends with NUL bytes.
        return timingSafeEqual(compared, expected) && given.length === wanted.length;
    };
}
/** A function that replaces each of the texts by `***`, wherever it stands. */
function createMask(hidden) {
    // The longest first: otherwise a secret that begins with another one would leave its end behind.
    const longestFirst = hidden.filter(text => text !== '').sort((a, b) => b.length - a.length);
    return text => longestFirst.reduce((masked, secret) => masked.replaceAll(secret, '***'), text);
}
/**
 * The texts of a PEM key to hide in logs: the whole key, and each of its lines, because the runner masks line by line.
 */
function listKeyTexts(key) {
    const lines = key.split('\n').map(line => line.trim());
    return [key.trim(), ...lines].filter(text => text.length >= MIN_HIDDEN_LENGTH && !/^-----.*-----$/.test(text));
}

;// CONCATENATED MODULE: ./build/js/shared/log.js
// The logger. Used in every folder; each program decides where the lines go.


const log_LOG_LEVELS = (/* unused pure expression or super */ null && (['quiet', 'info', 'debug']));
/**
 * A logger that passes finished lines (no line break) to `write`. Every line goes through the sanitiser without its
 * length limit, and each of the `hidden` texts is replaced by `***`.
 */
function createLogger(options) {
    const mask = createMask(options.hidden ?? []);
    const logAt = (level) => (message) => {
        if (level === 'debug' && options.level !== 'debug')
            return;
        if (level === 'info' && options.level === 'quiet')
            return;
        if (level !== 'error' && options.isFull?.())
            return;
        for (const line of mask(message).split('\n'))
            options.write(sanitise_sanitise(line, Number.POSITIVE_INFINITY), level);
    };
    return { debug: logAt('debug'), info: logAt('info'), warn: logAt('warn'), error: logAt('error') };
}
const silentLogger = { debug() { }, info() { }, warn() { }, error() { } };

;// CONCATENATED MODULE: ./build/js/shared/public-url.js
// How the public address is written: the templates of `public-url`, IPv6 brackets, and the command to paste for TCP.
// Used wherever an address is parsed, printed or dialled.
/** The bore server's own address, without a proxy in front. */
const public_url_PLAIN_PUBLIC_URLS = { http: 'http://{host}:{port}', tcp: 'tcp://{host}:{port}' };
/** The bore server's own address if TLS ends on the runner. */
const public_url_TLS_PUBLIC_URL = 'https://{host}:{port}';
/** Stands for the port while there is none: only the form of the address matters. */
const public_url_SAMPLE_PORT = 12_345;
/** Whether this is the bore server's own address, without a proxy in front; `endsTls`: TLS ends on the runner. */
function isPlainPublicUrl(template, endsTls) {
    return endsTls ? template === public_url_TLS_PUBLIC_URL : Object.values(public_url_PLAIN_PUBLIC_URLS).includes(template);
}
/** Fills `{host}` and `{port}`; an IPv6 address gets its brackets (RFC 3986, 3.2.2). */
function public_url_renderPublicUrl(template, host, port) {
    return template.replaceAll('{host}', addBrackets(host)).replaceAll('{port}', String(port));
}
/** An IPv6 address as it stands in a URL (RFC 3986, 3.2.2); names and IPv4 addresses as they are. */
function addBrackets(host) {
    return host.includes(':') ? `[${host}]` : host;
}
/** The `hostname` of a URL as sockets and certificates want it: an IPv6 address without its brackets. */
function public_url_stripBrackets(hostname) {
    return hostname.replace(/^\[|\]$/g, '');
}
/**
 * The link to an inspector: its key is in the fragment, which browsers send to nobody. `url` is without a trailing
 * slash.
 */
function renderKeyFragment(url, key) {
    return `${url}/#key=${key}`;
}
/** The command to paste for `tcp://host:port`; undefined for an http(s) URL. */
function renderClientLine(url) {
    const parsed = URL.parse(url);
    if (parsed?.protocol !== 'tcp:')
        return undefined;
    return `nc ${public_url_stripBrackets(parsed.hostname)} ${parsed.port}`;
}
/** Whether the `hostname` of a URL is a name of the machine itself: secure contexts in browsers, even over http. */
function public_url_isLoopbackName(hostname) {
    return /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}
/** The client line, indented by two and with a newline; '' for http(s). */
function renderClientRow(url) {
    const line = renderClientLine(url);
    return line === undefined ? '' : `  ${line}\n`;
}

;// CONCATENATED MODULE: ./build/js/demo/apps.js
// The apps that the demo exposes: what a checkout and a build leave in the job's workspace, and the inputs for it. Used
// by the demo's story.

/** `root` holds `examples`. */
function describeApp(kind, root) {
    const example = (name) => (0,external_node_path_.join)(root, 'examples', name);
    if (kind === 'os')
        return {
            checkout: { '': example('os-hello') },
            inputs: { path: '.', mode: 'os' },
            description: 'A Node.js program that runs in the OS mode of wasmrun, a WebAssembly runtime.',
        };
    return {
        checkout: { '': example('demo'), dist: example('web-hello') },
        inputs: { command: 'node server.js' },
        description: 'A web app whose pixels come from WebAssembly, sent by a small server.',
    };
}

;// CONCATENATED MODULE: ./build/js/demo/page/feed.js
// What the page shows, kept for the browsers that watch it. The demo's story changes it, and server.ts sends it.
/** Changes that come together are sent together. */
const GATHER_MS = 40;
class Feed {
    #documents;
    #lines = [];
    #newLines = [];
    #isChanged = false;
    #timer;
    #watchers = new Set();
    constructor(documents) {
        this.#documents = documents;
    }
    get documents() {
        return this.#documents;
    }
    change(changes) {
        this.replace({ ...this.#documents, ...changes });
    }
    replace(documents) {
        this.#documents = documents;
        this.#isChanged = true;
        this.#gather();
    }
    addLine(line) {
        const run = this.#documents.run.number;
        if (this.#lines[0] !== undefined && this.#lines[0].run !== run)
            this.#lines = [];
        const numbered = { ...line, run, index: this.#lines.length };
        this.#lines.push(numbered);
        this.#newLines.push(numbered);
        this.#gather();
    }
    /** Calls back with everything, and then with every change, until the returned function is called. */
    watch(watcher) {
        this.flush();
        watcher({ type: 'state', data: this.#documents });
        if (this.#lines.length > 0)
            watcher({ type: 'log', data: this.#lines });
        this.#watchers.add(watcher);
        return () => void this.#watchers.delete(watcher);
    }
    /** Sends what is waiting. */
    flush() {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        const lines = this.#newLines;
        this.#newLines = [];
        if (this.#isChanged)
            this.#send({ type: 'state', data: this.#documents });
        this.#isChanged = false;
        if (lines.length > 0)
            this.#send({ type: 'log', data: lines });
    }
    #gather() {
        this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
    }
    #send(event) {
        for (const watcher of this.#watchers)
            watcher(event);
    }
}

;// CONCATENATED MODULE: external "node:module"
const external_node_module_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:module");
;// CONCATENATED MODULE: ./build/js/shared/page-file.js
// Files of a page that a browser gets one by one, without a bundler. Used by the inspector and by the demo.


const CONTENT_TYPES = {
    '.html': 'text/html; charset=utf-8',
    '.css': 'text/css; charset=utf-8',
    '.svg': 'image/svg+xml',
    '.js': 'text/javascript; charset=utf-8',
    '.ts': 'text/javascript; charset=utf-8',
};
/** The source file `name`, as a browser takes it: TypeScript without its types. */
function compilePageFile(name, source) {
    const ending = (0,external_node_path_.extname)(name);
    const type = CONTENT_TYPES[ending] ?? 'text/plain; charset=utf-8';
    return { type, text: ending === '.ts' ? compile(source) : source };
}
/** What the browser calls the file. */
function renamePageFile(name) {
    return name.replace(/\.ts$/, '.js');
}
function compile(source) {
    return (0,external_node_module_namespaceObject.stripTypeScriptTypes)(source).replace(/(?<=^(?:import|export|\}) .*'\.\/[\w-]+)\.ts(?=';$)/gm, '.js');
}

;// CONCATENATED MODULE: ./build/js/demo/page/files.js
// The files of the demo's page: its own from browser/, compiled, and those of packages. A build writes them beside the
// bundle (scripts/build.ts), which reads them from there. Used by demo.ts.



/** Path in the page → a package, and its file. */
const PACKAGED = {
    '/package/marked.js': ['marked', 'lib/marked.esm.js'],
    '/package/dompurify.js': ['dompurify', 'dist/purify.es.mjs'],
    '/package/markdown.css': ['github-markdown-css', 'github-markdown.css'],
    '/chart/mermaid.js': ['@mermaid-js/tiny', 'dist/mermaid.tiny.js'],
};
/** The packages whose files are parts of the page. */
const PAGE_PACKAGES = Object.values(PACKAGED).map(([name]) => name);
/** From the sources: `root` is a checkout with its packages. */
function compilePage(root) {
    const folder = (0,external_node_path_.join)(root, 'src/demo/page/browser');
    const own = listFiles(folder).map(name => compileFile(name, (0,external_node_fs_namespaceObject.readFileSync)((0,external_node_path_.join)(folder, name), 'utf8')));
    const packaged = Object.entries(PACKAGED).map(([path, [name, file]]) => {
        const text = (0,external_node_fs_namespaceObject.readFileSync)((0,external_node_path_.join)(root, 'node_modules', name, file), 'utf8');
        // Their source maps are not a part of the page.
        return [path, compilePageFile(path, text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n'))];
    });
    return Object.fromEntries([...own, ...packaged]);
}
/** What `writePage` has written into the folder. */
function files_readPage(folder) {
    return Object.fromEntries(listFiles(folder).map(name => [
        `/${name}`,
        compilePageFile(name, (0,external_node_fs_namespaceObject.readFileSync)((0,external_node_path_.join)(folder, name), 'utf8')),
    ]));
}
function writePage(folder, files) {
    for (const [path, { text }] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), text);
    }
}
function listFiles(folder) {
    return (0,external_node_fs_namespaceObject.readdirSync)(folder, { recursive: true, encoding: 'utf8' })
        .filter(name => (0,external_node_path_.extname)(name) !== '')
        .map(name => name.replaceAll(external_node_path_.sep, '/'));
}
/** Packages are files of the page, too. */
function compileFile(name, source) {
    const text = source.replace(/(?<=^import .* from ')(marked|dompurify)(?=';$)/gm, './package/$1.js');
    return [`/${renamePageFile(name)}`, compilePageFile(name, text)];
}

// EXTERNAL MODULE: external "node:http"
var external_node_http_ = __nccwpck_require__(7067);
;// CONCATENATED MODULE: ./build/js/demo/page/documents.js
// What the demo's page shows, as JSON: the server sends all of it when something has changed, and the lines of the log
// one by one. Shared by the server and the page.
const ACTIONS = ['cut', 'restore', 'end', 'cancel', 'again', 'signed', 'unsigned'];

;// CONCATENATED MODULE: ./build/js/demo/page/server.js
// Serves the demo's page on 127.0.0.1. The data and the buttons need the key, which is in the fragment of the printed
// link; a page of another site has no key, and a name that leads here is refused (DNS rebinding).





/** Only files of this page run. Markdown becomes elements through DOMPurify alone (Trusted Types). */
const POLICY = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "frame-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types dompurify',
].join('; ');
/** The frame of a chart has no origin: what Mermaid makes of a text can reach nothing. */
const renderChartPolicy = (origin) => [
    'sandbox allow-scripts',
    "default-src 'none'",
    `script-src ${origin}`,
    "style-src 'unsafe-inline'",
    `frame-ancestors ${origin}`,
].join('; ');
const KEEPALIVE_MS = 15_000;
const LAST_STATE_MS = 300;
/** Rejects with the error of node:net if the port cannot be had. */
async function startPageServer(options) {
    const streams = new Set();
    const server = (0,external_node_http_.createServer)((request, response) => answer(request, response, { ...options, streams }));
    await (0,external_node_events_.once)(server.listen(options.port, '127.0.0.1'), 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string')
        throw new Error('the page has no port');
    const origin = `http://127.0.0.1:${address.port}`;
    return {
        origin,
        link: `${origin}/#key=${options.key}`,
        async stop() {
            options.feed.flush();
            const closed = new Promise(resolve => server.close(resolve));
            // The last state must reach the pages that still read.
            const sent = Promise.all([...streams].map(stream => new Promise(done => stream.end(done))));
            await Promise.race([sent, (0,external_node_timers_promises_namespaceObject.setTimeout)(LAST_STATE_MS)]);
            server.closeAllConnections();
            await closed;
        },
    };
}
function answer(request, response, options) {
    const { host = '', authorization = '' } = request.headers;
    const port = request.socket.localPort;
    if (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`)
        return void refuse(response, 421, `the demo's page is at http://127.0.0.1:${port}`);
    // As it was sent: for the URL parser, some paths are addresses (`//`), or none at all.
    const [pathname = '/'] = (request.url ?? '/').split('?');
    if (!pathname.startsWith('/api/'))
        return void sendFile(request, response, findFile(options.files, pathname));
    if (!secrets_isSame(authorization, `Bearer ${options.key}`))
        return void refuse(response, 401, 'the key of the printed link is needed');
    if (request.method === 'GET' && pathname === '/api/events')
        return void sendEvents(response, options);
    const action = ACTIONS.find(name => pathname === `/api/${name}`);
    if (request.method !== 'POST' || action === undefined)
        return void refuse(response, 404, 'there is nothing here');
    options.act(action);
    response.writeHead(204, { 'Cache-Control': 'no-store' }).end();
}
function refuse(response, status, text) {
    response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' });
    response.end(`${text}\n`);
}
/** The page itself is also at the addresses of its pull request and run, to which the comment links. */
function findFile(files, path) {
    const name = path === '/' || path.startsWith('/octo/') ? '/page.html' : path;
    return [name, Object.hasOwn(files, name) ? files[name] : undefined];
}
function sendFile(request, response, [path, file]) {
    if (file === undefined || (request.method !== 'GET' && request.method !== 'HEAD'))
        return void refuse(response, 404, 'there is nothing here');
    response.writeHead(200, describeHead(file, path, `http://${request.headers.host}`));
    response.end(request.method === 'HEAD' ? undefined : file.text);
}
function describeHead({ type, text }, path, origin) {
    const isChart = path.startsWith('/chart/');
    return {
        'Content-Type': type,
        'Content-Length': String(Buffer.byteLength(text)),
        'Cache-Control': 'no-store',
        'Content-Security-Policy': isChart ? renderChartPolicy(origin) : POLICY,
        // A frame without an origin counts as another site, even for its own scripts.
        'Cross-Origin-Resource-Policy': isChart ? 'cross-origin' : 'same-origin',
        'Referrer-Policy': 'no-referrer',
        'X-Content-Type-Options': 'nosniff',
        ...(!isChart && { 'X-Frame-Options': 'DENY' }),
    };
}
function sendEvents(response, { feed, streams }) {
    streams.add(response);
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const unwatch = feed.watch(({ type, data }) => response.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`));
    const timer = setInterval(() => response.write(': still here\n\n'), KEEPALIVE_MS);
    response.once('close', () => {
        unwatch();
        streams.delete(response);
        clearInterval(timer);
    });
}

;// CONCATENATED MODULE: external "node:stream/consumers"
const consumers_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:stream/consumers");
;// CONCATENATED MODULE: ./build/js/shared/loopback.js
// HTTP requests to programs on this machine. They never go through the job's proxy: for the proxy, 127.0.0.1 is another
// machine. Used by control/client and app/os.

/** With NODE_USE_ENV_PROXY set, Node's `fetch` and its global agent use the job's proxy; this agent does not. */
const DIRECT = new external_node_http_.Agent();
/**
 * Sends a request over a new connection, never through a proxy. Resolves with the response when its head has arrived;
 * the signal also aborts the body.
 */
function requestLoopback(url, { body, ...options }) {
    return new Promise((resolve, reject) => {
        (0,external_node_http_.request)(url, { ...options, agent: DIRECT }, resolve)
            .on('error', reject)
            .end(body);
    });
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
const state_PROTOCOLS = (/* unused pure expression or super */ null && (['http', 'tcp']));
/**
 * Why an exposure ended as planned. A new reason also needs a sentence in github/comment/markdown.ts, and a place in
 * control/api.ts if clients may give it.
 */
const END_REASONS = [
    'job ended',
    'duration over',
    'idle timeout',
    'continue file',
    'stopped',
    'pull request closed',
    'pull request merged',
    'newer commit',
    'label removed',
    'runner gone',
];

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
const PhaseSchema = variant('phase', [
    object({ phase: literal('starting') }),
    object({ phase: literal('live'), live_at: string(), expires_at: nullable(string()) }),
    object({
        phase: literal('ended'),
        reason: picklist(END_REASONS),
        live_at: nullable(string()),
        ended_at: string(),
    }),
    object({
        phase: literal('failed'),
        reason: string(),
        last_lines: array(string()),
        live_at: nullable(string()),
        ended_at: string(),
    }),
]);
const state_json_StateMessageSchema = object({
    mode: picklist(APP_MODES),
    status: picklist(TUNNEL_STATUSES),
    /** Null unless the tunnel is Connected or Reconnecting. */
    public_url: nullable(string()),
    preview_url: nullable(string()),
    /** Null without a public inspector, and where a given key or password protects the preview. */
    inspector_url: nullable(string()),
    public_host: nullable(string()),
    public_port: nullable(number()),
    /** Null unless the tunnel is Connected. */
    connected_at: nullable(string()),
    tunnel_reason: nullable(string()),
    verified: nullable(dist_boolean()),
    doubt: nullable(picklist(UNVERIFIED_REASONS)),
    app: object({
        status: picklist(APP_STATUSES),
        port: nullable(number()),
        reason: nullable(string()),
    }),
    restarts: number(),
    reconnects: number(),
    address_changes: number(),
    visits: number(),
    warnings: array(string()),
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
        inspector_url: state.inspectorLink ?? null,
        public_host: hasAddress ? tunnel.host : null,
        public_port: hasAddress ? tunnel.port : null,
        connected_at: (tunnel.status === 'Connected' && state.connectedAt?.toISOString()) || null,
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

;// CONCATENATED MODULE: ./build/js/control/client.js
// The client of the control API. Used by main, post, stop and the `expose` command.





const ErrorSchema = object({ success: literal(false), error: string() });
/** How long a response may take; ending an exposure drains its visitors for up to 5 s. */
const client_ANSWER_TIMEOUT_MS = 10_000;
/** The API's refusal; `status` is the HTTP status. */
class ControlError extends Error {
    status;
    constructor(status, message) {
        super(message);
        this.name = 'ControlError';
        this.status = status;
    }
}
/**
 * Calls a route such as `POST /api/stop`, with `sent` as the JSON of its body; resolves with its JSON. Rejects with a
 * ControlError that has the API's own text.
 */
async function callControl(address, route, timeoutMs = client_ANSWER_TIMEOUT_MS, sent) {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
        const response = await send(address, route, signal, { sent });
        const body = await (0,consumers_namespaceObject.json)(response);
        if (isSuccess(response))
            return body;
        throw client_toError(response, body);
    }
    catch (error) {
        // Node's own error only says that the request was aborted.
        signal.throwIfAborted();
        throw error;
    }
}
function client_toError({ statusCode = 0 }, body) {
    return new ControlError(statusCode, is(ErrorSchema, body) ? body.error : `the API answered ${statusCode}`);
}
function send(address, route, signal, { sent, accept } = {}) {
    const [method = '', path = ''] = route.split(' ');
    const body = sent && JSON.stringify(sent);
    const headers = {
        Authorization: `Bearer ${address.controlToken}`,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...(accept !== undefined && { Accept: accept }),
    };
    return requestLoopback(`${address.controlUrl}${path}`, { method, headers, signal, body });
}
function isSuccess({ statusCode = 0 }) {
    return statusCode >= 200 && statusCode < 300;
}
/** The current state. */
async function readState(address) {
    return v.parse(StateMessageSchema, await callControl(address, 'GET /api/tunnel/status'));
}
const InspectorSchema = object({ public_inspector_url: nullable(string()) });
/** The public inspector's link, with its key, even where it is not published; undefined if there is none. */
async function readInspectorUrl(address) {
    const document = v.parse(InspectorSchema, await callControl(address, 'GET /api/inspector'));
    return document.public_inspector_url ?? undefined;
}
/** Every state from the current one on; ends with the exposure's process, or with the signal. */
async function* followStates(address, signal) {
    try {
        const response = await send(address, 'GET /api/events', signal);
        if (!isSuccess(response))
            return void response.destroy();
        for await (const { type, data } of readEvents(response))
            if (type === 'state')
                yield v.parse(StateMessageSchema, JSON.parse(data));
    }
    catch (error) {
        // A stream that breaks off means that its process is gone, which callers check themselves.
        if (!signal.aborted && !isConnectionLost(error))
            throw error;
    }
}
/** Whether the process at the other end is gone. */
function isConnectionLost(error) {
    return hasCode(error, 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE');
}
/**
 * The server-sent events of a route. Rejects with a ControlError if the API refuses, and as the connection does if it
 * breaks off.
 */
async function* openEvents(address, route, signal) {
    const response = await send(address, route, signal, { accept: 'text/event-stream' });
    if (!isSuccess(response))
        throw client_toError(response, await (0,consumers_namespaceObject.json)(response).catch(() => undefined));
    yield* readEvents(response);
}
/** Server-sent events. The API writes one `event` line and one `data` line for each; a line may have 100 MB. */
async function* readEvents(body) {
    let parts = [];
    // Decoded by the stream: a character may be split over two chunks.
    body.setEncoding('utf8');
    for await (const text of body) {
        const end = `${parts.at(-1)?.at(-1) ?? ''}${text}`;
        parts.push(String(text));
        // Joined once for each event: for each chunk, a long event would take minutes.
        if (!end.includes('\n\n'))
            continue;
        const events = parts.join('').split('\n\n');
        parts = [events.pop() ?? ''];
        for (const event of events) {
            const lines = event.split('\n');
            const read = (field) => lines.find(line => line.startsWith(`${field}: `))?.slice(field.length + 2);
            const data = read('data');
            if (data !== undefined)
                yield { type: read('event') ?? 'message', data };
        }
    }
}

// EXTERNAL MODULE: external "node:net"
var external_node_net_ = __nccwpck_require__(7030);
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

;// CONCATENATED MODULE: ./build/js/tunnel/wire/protocol.js
// The wire protocol of bore 0.5 and 0.6 (ekzhang/bore, src/shared.rs): messages and frames. No I/O; used by our client
// and our bore server.

/** The control port of every real bore server, which cannot be configured. */
const protocol_DEFAULT_CONTROL_PORT = 7835;
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
const port = pipe(number(), integer(), minValue(0), maxValue(65_535));
const id = pipe(string(), uuid());
const clientMessage = union([
    /** The first frame on every connection to a server with a secret, in answer to its `Challenge`: see challenge.ts. */
    strictObject({ Authenticate: string() }),
    /** The request of a control connection: opens this public port, or any if it is 0. */
    strictObject({ Hello: port }),
    /** The request of a data connection: takes the visitor of this id. The visitor's bytes follow in both directions. */
    strictObject({ Accept: id }),
]);
const serverMessage = union([
    /** At least every 500 ms on the control connection, so that a dead link is noticed. */
    literal('Heartbeat'),
    /** On the control connection when a visitor comes: the server waits 10 s for an `Accept` of this id. */
    strictObject({ Connection: id }),
    /** The first frame on every connection if the server has a secret; otherwise there is none. */
    strictObject({ Challenge: id }),
    /** Answers `Hello`: the public port that was opened. */
    strictObject({ Hello: port }),
    /**
     * The answer to an `Authenticate` or `Hello` that is refused; then the server hangs up. A wrong `Accept` gets none.
     */
    strictObject({ Error: string() }),
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
    return decodePlain(frame.toString('latin1')) ?? decode(serverMessage, frame);
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
    return decode(clientMessage, frame);
}
function decode(schema, frame) {
    try {
        const result = safeParse(schema, JSON.parse(frame.toString('utf8')));
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
                server_send(control, { Connection: id });
        });
        const refusal = await this.#listenWithin(listener, wanted);
        if (refusal !== undefined)
            return server_refuse(control, refusal);
        const port = findPort(listener);
        this.#ports.add(listener);
        const heartbeat = setInterval(() => server_send(control, 'Heartbeat'), HEARTBEAT_INTERVAL_MS);
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
        server_send(control, { Hello: port });
        server_send(control, 'Heartbeat');
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
    server_send(socket, { Challenge: question });
    const reply = await readRequest(reader);
    if (reply === undefined || !('Authenticate' in reply))
        return ERROR_TEXT.secretRequired;
    const isRight = secrets_isSame(reply.Authenticate, answerChallenge(key, question));
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
        if (errors_hasCode(error, 'EADDRINUSE'))
            return ERROR_TEXT.portTaken;
        return errors_hasCode(error, 'EACCES') ? ERROR_TEXT.portForbidden : ERROR_TEXT.bindFailed;
    }
}
function server_send(socket, message) {
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

;// CONCATENATED MODULE: ./build/js/demo/bore.js
// The demo's bore server, which can be cut and comes back on the same port. Used by the demo's story.


/** An outage shows in the comment after 15 s; so much longer it lasts, for people to read it. */
const CUT_MS = 25_000;
class DemoBoreServer {
    secret = (0,external_node_crypto_.randomBytes)(16).toString('hex');
    #server;
    #port = 0;
    #timer;
    #isStopped = false;
    #work = Promise.resolve();
    get address() {
        return `127.0.0.1:${this.#port}`;
    }
    get isUp() {
        return this.#server !== undefined;
    }
    start() {
        return this.#next(async () => {
            if (this.#server || this.#isStopped)
                return;
            this.#server = await startBoreServer({ secret: this.secret, controlPort: this.#port });
            this.#port = this.#server.controlPort;
        });
    }
    /** Stops it; it starts again by itself, and then `onBack` is called. Resolves with the time when that will be. */
    async cut(onBack) {
        await this.#next(() => this.#close());
        this.#timer = setTimeout(() => void this.start().then(onBack), CUT_MS);
        return new Date(Date.now() + CUT_MS);
    }
    /** Starts it before its time. */
    async restore() {
        clearTimeout(this.#timer);
        await this.start();
    }
    stop() {
        this.#isStopped = true;
        clearTimeout(this.#timer);
        return this.#next(() => this.#close());
    }
    async #close() {
        const server = this.#server;
        this.#server = undefined;
        await server?.stop();
    }
    /** One step at a time: a button may be pressed twice. */
    #next(step) {
        this.#work = this.#work.then(step);
        return this.#work;
    }
}

;// CONCATENATED MODULE: ./build/js/demo/github/exchange.js
// One request to the server that plays GitHub and its answer; pages, refusals and the headers that GitHub sends with
// everything. Used by all routes.
/** Called with every exchange of every server in this process: the tests check them all here. */
const exchangeListeners = new Set();
function publish(exchange) {
    for (const listener of exchangeListeners)
        listener(exchange);
}
const NO_ACCESS = 'Resource not accessible by integration';
function exchange_refuse(status, message, errors) {
    const documentation_url = 'https://docs.github.com/rest';
    return {
        status,
        body: { message, ...(errors && { errors }), documentation_url, status: String(status) },
    };
}
const notFound = () => exchange_refuse(404, 'Not Found');
/** A field of the body that is missing or wrong, in GitHub's words. */
function refuseField(resource, field, code = 'missing_field') {
    return exchange_refuse(422, 'Validation Failed', [{ resource, field, code }]);
}
/** A field of the body; undefined where it is not there or of another type. */
function readString({ body }, name) {
    const value = readField(body, name);
    return typeof value === 'string' ? value : undefined;
}
function readBoolean({ body }, name) {
    const value = readField(body, name);
    return typeof value === 'boolean' ? value : undefined;
}
function readField(body, name) {
    return typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined;
}
const DEFAULT_PAGE_SIZE = 30;
const MAX_PAGE_SIZE = 100;
/** One page, with the `Link` header of GitHub's lists if there are others. Links use the repository's id, as GitHub's do. */
function takePage(items, { url }, state) {
    const size = Math.min(readPositive(url, 'per_page') ?? DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE);
    const page = readPositive(url, 'page') ?? 1;
    const last = Math.max(1, Math.ceil(items.length / size));
    const link = (rel, number) => {
        const target = new URL(url);
        target.pathname = url.pathname.replace(`/repos/${state.repository}`, repositoryPath(state.repository));
        target.searchParams.set('page', String(number));
        return `<${target}>; rel="${rel}"`;
    };
    const links = [
        ...(page > 1 ? [link('prev', page - 1)] : []),
        ...(page < last ? [link('next', page + 1), link('last', last)] : []),
        ...(page > 1 ? [link('first', 1)] : []),
    ];
    return {
        items: items.slice((page - 1) * size, page * size),
        headers: links.length === 0 ? {} : { link: links.join(', ') },
    };
}
function paginate(items, call, state) {
    const page = takePage(items, call, state);
    return { status: 200, body: page.items, headers: page.headers };
}
function readPositive(url, name) {
    const value = Number(url.searchParams.get(name) ?? Number.NaN);
    return Number.isInteger(value) && value > 0 ? value : undefined;
}
/** The path that stays the same when the repository is renamed. */
function repositoryPath(fullName) {
    return `/repositories/${idOf(fullName.toLowerCase())}`;
}
/** A number for a name: the same each time, and hardly ever that of another name. */
function idOf(name) {
    let id = 5381;
    for (const character of name)
        id = (id * 33 + (character.codePointAt(0) ?? 0)) % 900_000_000;
    return id + 1;
}
/** GitHub's opaque ids. */
function nodeId(kind, id) {
    return Buffer.from(`${kind}${id}`).toString('base64');
}

;// CONCATENATED MODULE: ./build/js/demo/github/users.js
// Users as GitHub describes them, and the route that shows one.

const API = 'https://api.github.com';
/** Accounts whose number is well known. */
const IDS = {
    'github-actions[bot]': 41_898_282,
    'dependabot[bot]': 49_699_333,
    ghost: 10_137,
};
function describeUser(login) {
    const id = IDS[login] ?? idOf(login);
    const isBot = login.endsWith('[bot]');
    const url = `${API}/users/${encodeURIComponent(login)}`;
    return {
        login,
        id,
        node_id: nodeId('User', id),
        avatar_url: `https://avatars.githubusercontent.com/u/${id}?v=4`,
        gravatar_id: '',
        url,
        html_url: `https://github.com/${isBot ? `apps/${login.replace('[bot]', '')}` : login}`,
        followers_url: `${url}/followers`,
        following_url: `${url}/following{/other_user}`,
        gists_url: `${url}/gists{/gist_id}`,
        starred_url: `${url}/starred{/owner}{/repo}`,
        subscriptions_url: `${url}/subscriptions`,
        organizations_url: `${url}/orgs`,
        repos_url: `${url}/repos`,
        events_url: `${url}/events{/privacy}`,
        received_events_url: `${url}/received_events`,
        type: isBot ? 'Bot' : 'User',
        user_view_type: 'public',
        site_admin: false,
    };
}
/** null for somebody whose account is gone. */
function describeAuthor(login) {
    return login === null ? null : describeUser(login ?? 'mona');
}
/** The routes outside of the repository; undefined where it is none of them. */
function answerUsers(state, { method, url }) {
    // A job's token belongs to an app's installation, not to a user.
    if (method === 'GET' && url.pathname === '/user')
        return exchange_refuse(403, 'Resource not accessible by integration');
    const login = /^\/users\/([^/]+)$/.exec(url.pathname)?.[1];
    if (method !== 'GET' || login === undefined)
        return undefined;
    const name = decodeURIComponent(login);
    const known = name === state.login || state.comments.some(comment => comment.login === name);
    if (!known)
        return notFound();
    const date = '2020-01-01T00:00:00Z';
    const zero = { public_repos: 0, public_gists: 0, followers: 0, following: 0 };
    const empty = {
        name: null,
        company: null,
        blog: '',
        location: null,
        email: null,
        hireable: null,
        bio: null,
    };
    return {
        status: 200,
        body: { ...describeUser(name), ...zero, ...empty, created_at: date, updated_at: date },
    };
}
/** The one query that a job's token needs: who am I? */
function answerGraphql({ login }, call) {
    if (call.token === '')
        return exchange_refuse(401, 'This endpoint requires you to be authenticated.');
    return { status: 200, body: { data: { viewer: { login } } } };
}

;// CONCATENATED MODULE: ./build/js/demo/github/repository.js
// The repository and its commits as GitHub describes them.


const repository_API = 'https://api.github.com';
/** Names of `…_url` and what follows the repository's own address. */
const ADDRESSES = {
    archive: '/{archive_format}{/ref}',
    assignees: '/assignees{/user}',
    blobs: '/git/blobs{/sha}',
    branches: '/branches{/branch}',
    collaborators: '/collaborators{/collaborator}',
    comments: '/comments{/number}',
    commits: '/commits{/sha}',
    compare: '/compare/{base}...{head}',
    contents: '/contents/{+path}',
    contributors: '/contributors',
    deployments: '/deployments',
    downloads: '/downloads',
    events: '/events',
    forks: '/forks',
    git_commits: '/git/commits{/sha}',
    git_refs: '/git/refs{/sha}',
    git_tags: '/git/tags{/sha}',
    hooks: '/hooks',
    issue_comment: '/issues/comments{/number}',
    issue_events: '/issues/events{/number}',
    issues: '/issues{/number}',
    keys: '/keys{/key_id}',
    labels: '/labels{/name}',
    languages: '/languages',
    merges: '/merges',
    milestones: '/milestones{/number}',
    notifications: '/notifications{?since,all,participating}',
    pulls: '/pulls{/number}',
    releases: '/releases{/id}',
    stargazers: '/stargazers',
    statuses: '/statuses/{sha}',
    subscribers: '/subscribers',
    subscription: '/subscription',
    tags: '/tags',
    teams: '/teams',
    trees: '/git/trees{/sha}',
};
const DATE = '2026-01-01T00:00:00Z';
/** Has all that GitHub's `full-repository`, `repository` and `minimal-repository` require. */
function describeRepository(fullName, isPrivate, isFork = false) {
    const [owner = '', name = ''] = fullName.split('/');
    const url = `${repository_API}/repos/${fullName}`;
    const addresses = Object.entries(ADDRESSES).map(([key, rest]) => [`${key}_url`, url + rest]);
    const counts = ['forks', 'forks_count', 'open_issues', 'open_issues_count', 'watchers', 'watchers_count'];
    return {
        ...Object.fromEntries(addresses),
        ...Object.fromEntries(counts.map(key => [key, 0])),
        id: idOf(fullName.toLowerCase()),
        node_id: nodeId('Repository', idOf(fullName.toLowerCase())),
        name,
        full_name: fullName,
        private: isPrivate,
        visibility: isPrivate ? 'private' : 'public',
        owner: describeUser(owner),
        html_url: `https://github.com/${fullName}`,
        description: null,
        fork: isFork,
        url,
        git_url: `git://github.com/${fullName}.git`,
        ssh_url: `git@github.com:${fullName}.git`,
        clone_url: `https://github.com/${fullName}.git`,
        svn_url: `https://github.com/${fullName}`,
        mirror_url: null,
        homepage: null,
        language: 'TypeScript',
        license: null,
        size: 108,
        default_branch: 'main',
        stargazers_count: 0,
        network_count: 0,
        subscribers_count: 0,
        has_issues: true,
        has_projects: true,
        has_wiki: true,
        has_pages: false,
        has_downloads: true,
        has_discussions: false,
        archived: false,
        disabled: false,
        pushed_at: DATE,
        created_at: DATE,
        updated_at: DATE,
    };
}
/** A commit in the short form that runs carry. */
function describeHeadCommit(sha) {
    const person = { name: 'Mona', email: 'mona@example.com' };
    return {
        id: sha,
        tree_id: sha,
        message: 'Change the app',
        timestamp: DATE,
        author: person,
        committer: person,
    };
}
const REPOSITORY_ROUTES = [
    [
        /^GET $/,
        ({ repository, isPrivate }) => ({ status: 200, body: describeRepository(repository, isPrivate) }),
    ],
    [/^GET \/commits\/([^/]+)$/, showCommit],
];
/** Every full commit id exists; of names, only those of the pull requests' branches and the default branch do. */
function showCommit(state, _call, ref) {
    const pull = state.pulls.find(({ head }) => head.ref === ref);
    const sha = /^[0-9a-f]{40}$/.test(ref) ? ref : (pull?.head.sha ?? (ref === 'main' ? '0'.repeat(40) : ''));
    if (sha === '')
        return exchange_refuse(422, `No commit found for SHA: ${ref}`);
    const url = `${repository_API}/repos/${state.repository}/commits/${sha}`;
    const person = { name: 'Mona', email: 'mona@example.com', date: DATE };
    const tree = { sha, url: `${repository_API}/repos/${state.repository}/git/trees/${sha}` };
    const commit = {
        author: person,
        committer: person,
        message: 'Change the app',
        comment_count: 0,
        tree,
        url,
    };
    const mona = describeUser('mona');
    return {
        status: 200,
        body: {
            sha,
            node_id: nodeId('Commit', idOf(sha)),
            url,
            html_url: `https://github.com/${state.repository}/commit/${sha}`,
            comments_url: `${url}/comments`,
            commit,
            author: mona,
            committer: mona,
            parents: [],
        },
    };
}
/**
 * Where a request for a former name goes: 301, and for writes 307, after which clients repeat the method and the body
 * (GitHub docs, "Follow redirects").
 */
function redirectFormerName(state, { method, url }) {
    const former = state.formerNames.find(name => isBelow(url.pathname, `/repos/${name}`));
    if (former === undefined)
        return undefined;
    const target = new URL(url);
    target.pathname = url.pathname.replace(`/repos/${former}`, repositoryPath(state.repository));
    const [status, message] = method === 'GET' ? [301, 'Moved Permanently'] : [307, 'Temporary Redirect'];
    const documentation_url = 'https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects';
    return {
        status: Number(status),
        headers: { location: String(target) },
        body: { message, url: String(target), documentation_url },
    };
}
function isBelow(path, prefix) {
    return path === prefix || path.startsWith(`${prefix}/`);
}

;// CONCATENATED MODULE: ./build/js/demo/github/state.js
// What the server that plays GitHub knows: the shapes a test or the demo fills in, and what holds where they say
// nothing.
function createState(changes) {
    return {
        repository: 'octo/app',
        formerNames: [],
        isPrivate: false,
        login: 'github-actions[bot]',
        token: 'ghs_test',
        pullRequests: 'write',
        deployments: 'write',
        actions: 'read',
        comments: [],
        pulls: [],
        runs: {},
        deploymentList: [],
        roles: {},
        reactions: [],
        faults: [],
        ...changes,
    };
}
/** Higher than all that are there. */
function nextId(taken) {
    return Math.max(1000, ...taken.map(({ id }) => id)) + 1;
}

;// CONCATENATED MODULE: ./build/js/demo/github/comments.js
// The comments of issues and pull requests.




const MAX_BODY_LENGTH = 65_536;
const LONG_AGO = '2026-01-01T00:00:00Z';
const COMMENT_ROUTES = [
    [/^GET \/issues\/(\d+)\/comments$/, listComments],
    [/^POST \/issues\/(\d+)\/comments$/, createComment],
    [/^GET \/issues\/comments\/(\d+)$/, showComment],
    [/^PATCH \/issues\/comments\/(\d+)$/, editComment],
    [/^DELETE \/issues\/comments\/(\d+)$/, deleteComment],
];
function listComments(state, call, issue = '') {
    const since = Date.parse(call.url.searchParams.get('since') ?? LONG_AGO);
    const found = state.comments.filter(comment => comment.issue === Number(issue) && Date.parse(comment.updatedAt ?? LONG_AGO) >= since);
    return paginate(found.map(comment => describeComment(state, comment)), call, state);
}
function createComment(state, call, issue = '') {
    const refusal = refuseWrite(state, call);
    if (refusal)
        return refusal;
    const pull = state.pulls.find(({ number }) => number === Number(issue));
    if (pull?.locked)
        return exchange_refuse(403, 'Unable to create comment because issue is locked.');
    const now = new Date().toISOString();
    const comment = {
        id: nextId(state.comments),
        issue: Number(issue),
        login: state.login,
        body: readString(call, 'body') ?? '',
        createdAt: now,
        updatedAt: now,
    };
    state.comments.push(comment);
    const described = describeComment(state, comment);
    return { status: 201, body: described, headers: { location: described.url } };
}
function showComment(state, _call, id = '') {
    const comment = findComment(state, id);
    return comment ? { status: 200, body: describeComment(state, comment) } : notFound();
}
function editComment(state, call, id = '') {
    const comment = findComment(state, id);
    if (comment === undefined)
        return notFound();
    const refusal = refuseWrite(state, call);
    if (refusal)
        return refusal;
    comment.body = readString(call, 'body') ?? '';
    comment.updatedAt = new Date().toISOString();
    return { status: 200, body: describeComment(state, comment) };
}
function deleteComment(state, call, id = '') {
    const comment = findComment(state, id);
    if (comment === undefined)
        return notFound();
    const refusal = refuseAccess(state, call);
    if (refusal)
        return refusal;
    state.comments.splice(state.comments.indexOf(comment), 1);
    return { status: 204 };
}
function findComment(state, id) {
    return state.comments.find(candidate => candidate.id === Number(id));
}
function refuseAccess(state, call) {
    if (call.token === '')
        return exchange_refuse(401, 'Requires authentication');
    return state.pullRequests === 'write' ? undefined : exchange_refuse(403, NO_ACCESS);
}
function refuseWrite(state, call) {
    const refusal = refuseAccess(state, call);
    if (refusal)
        return refusal;
    const text = readString(call, 'body') ?? '';
    const invalid = (message) => exchange_refuse(422, 'Validation Failed', [
        { resource: 'IssueComment', code: 'unprocessable', field: 'data', message },
    ]);
    if (text.trim() === '')
        return invalid('Body cannot be blank');
    return text.length > MAX_BODY_LENGTH
        ? invalid('Body is too long (maximum is 65536 characters)')
        : undefined;
}
function describeComment({ repository }, comment) {
    const { id, issue, login, body, createdAt = LONG_AGO, updatedAt = createdAt } = comment;
    const url = `${repository_API}/repos/${repository}/issues/comments/${id}`;
    return {
        id,
        node_id: nodeId('IssueComment', id),
        url,
        html_url: `https://github.com/${repository}/pull/${issue}#issuecomment-${id}`,
        issue_url: `${repository_API}/repos/${repository}/issues/${issue}`,
        body,
        user: describeAuthor(login),
        created_at: createdAt,
        updated_at: updatedAt,
        author_association: login?.endsWith('[bot]') ? 'NONE' : 'CONTRIBUTOR',
        performed_via_github_app: null,
    };
}

;// CONCATENATED MODULE: ./build/js/demo/github/deployments.js
// Deployments and their statuses.




const STATES = ['error', 'failure', 'inactive', 'in_progress', 'queued', 'pending', 'success'];
const DEPLOYMENT_ROUTES = [
    [/^GET \/deployments$/, listDeployments],
    [/^POST \/deployments$/, createDeployment],
    [/^GET \/deployments\/(\d+)$/, showDeployment],
    [/^DELETE \/deployments\/(\d+)$/, deleteDeployment],
    [/^GET \/deployments\/(\d+)\/statuses$/, listStatuses],
    [/^POST \/deployments\/(\d+)\/statuses$/, createStatus],
    [/^GET \/deployments\/(\d+)\/statuses\/(\d+)$/, showStatus],
];
/** Newest first. */
function listDeployments(state, call) {
    const found = state.deploymentList.filter(deployment => ['sha', 'ref', 'task', 'environment'].every(name => {
        const wanted = call.url.searchParams.get(name);
        return wanted === null || wanted === 'none' || deployment[name] === wanted;
    }));
    return paginate(found.reverse().map(deployment => describeDeployment(state, deployment)), call, state);
}
function createDeployment(state, call) {
    const refusal = deployments_refuseWrite(state, call);
    if (refusal)
        return refusal;
    const ref = readString(call, 'ref') ?? '';
    if (ref === '')
        return refuseField('Deployment', 'ref');
    const sha = resolveRef(state, ref);
    if (sha === undefined)
        return exchange_refuse(422, `No ref found for: ${ref}`);
    // Without `required_contexts: []`, all commit statuses must be green; those of a running job never are.
    if (readField(call.body, 'required_contexts') === undefined)
        return exchange_refuse(409, `Conflict: Commit status checks failed for ${ref}.`);
    if (readBoolean(call, 'auto_merge') !== false && sha !== '0'.repeat(40))
        return exchange_refuse(409, `Conflict merging main into ${ref}.`);
    const environment = readString(call, 'environment') ?? 'production';
    const deployment = {
        id: nextId(state.deploymentList),
        sha,
        ref,
        task: readString(call, 'task') ?? 'deploy',
        environment,
        description: readString(call, 'description') ?? null,
        payload: readField(call.body, 'payload') ?? {},
        transient: readBoolean(call, 'transient_environment') ?? false,
        production: readBoolean(call, 'production_environment') ?? environment === 'production',
        login: state.login,
        createdAt: new Date().toISOString(),
        statuses: [],
    };
    state.deploymentList.push(deployment);
    return { status: 201, body: describeDeployment(state, deployment) };
}
/** Every commit exists, and every branch: only names that git forbids do not. */
function resolveRef({ pulls }, ref) {
    if (/^[0-9a-f]{40}$/.test(ref))
        return ref;
    if (/[\s~^:?*[\\]|\.\.|\/$/.test(ref))
        return undefined;
    const name = ref.replace(/^refs\/heads\//, '');
    return pulls.find(({ head }) => head.ref === name)?.head.sha ?? '0'.repeat(40);
}
function showDeployment(state, _call, id = '') {
    const deployment = findDeployment(state, id);
    return deployment ? { status: 200, body: describeDeployment(state, deployment) } : notFound();
}
function deleteDeployment(state, call, id = '') {
    const refusal = deployments_refuseWrite(state, call);
    if (refusal)
        return refusal;
    const deployment = findDeployment(state, id);
    if (deployment === undefined)
        return notFound();
    const isOnly = state.deploymentList.filter(({ environment }) => environment === deployment.environment).length === 1;
    const isActive = deployment.statuses.at(-1)?.state !== 'inactive';
    if (isActive && !isOnly)
        return exchange_refuse(422, 'We cannot delete an active deployment unless it is the only deployment in a given environment.');
    state.deploymentList.splice(state.deploymentList.indexOf(deployment), 1);
    return { status: 204 };
}
/** Newest first. */
function listStatuses(state, call, id = '') {
    const deployment = findDeployment(state, id);
    if (deployment === undefined)
        return notFound();
    const statuses = [...deployment.statuses].reverse();
    return paginate(statuses.map(status => describeStatus(state, deployment, status)), call, state);
}
function showStatus(state, _call, id = '', statusId = '') {
    const deployment = findDeployment(state, id);
    const status = deployment?.statuses.find(candidate => candidate.id === Number(statusId));
    return deployment && status ? { status: 200, body: describeStatus(state, deployment, status) } : notFound();
}
function createStatus(state, call, id = '') {
    const refusal = deployments_refuseWrite(state, call);
    if (refusal)
        return refusal;
    const deployment = findDeployment(state, id);
    if (deployment === undefined)
        return notFound();
    const wanted = readString(call, 'state') ?? '';
    if (!STATES.includes(wanted))
        return refuseField('DeploymentStatus', 'state', 'custom');
    const description = readString(call, 'description') ?? '';
    if (description.length > 140)
        return exchange_refuse(422, 'Validation Failed', [
            {
                resource: 'DeploymentStatus',
                code: 'custom',
                field: 'description',
                message: 'description is too long (maximum is 140 characters)',
            },
        ]);
    const status = addStatus(state, deployment, {
        state: wanted,
        description,
        environmentUrl: readString(call, 'environment_url') ?? '',
        logUrl: readString(call, 'log_url') ?? readString(call, 'target_url') ?? '',
    });
    if (wanted === 'success' && readBoolean(call, 'auto_inactive') !== false)
        deactivateOthers(state, deployment);
    return { status: 201, body: describeStatus(state, deployment, status) };
}
/** A success ends the earlier deployments of the environment, except transient and production ones (GitHub docs). */
function deactivateOthers(state, current) {
    for (const other of state.deploymentList) {
        const sameEnvironment = other.environment === current.environment && other.id < current.id;
        if (sameEnvironment &&
            !other.transient &&
            !other.production &&
            other.statuses.at(-1)?.state === 'success')
            addStatus(state, other, { state: 'inactive', description: '', environmentUrl: '', logUrl: '' });
    }
}
function addStatus(state, deployment, status) {
    const all = state.deploymentList.flatMap(({ statuses }) => statuses);
    const added = { ...status, id: nextId(all), login: state.login, createdAt: new Date().toISOString() };
    deployment.statuses.push(added);
    return added;
}
function findDeployment(state, id) {
    return state.deploymentList.find(candidate => candidate.id === Number(id));
}
function deployments_refuseWrite(state, call) {
    if (call.token === '')
        return exchange_refuse(401, 'Requires authentication');
    return state.deployments === 'write' ? undefined : exchange_refuse(403, NO_ACCESS);
}
function describeDeployment({ repository }, deployment) {
    const { id, sha, ref, task, environment, description, payload, login, createdAt } = deployment;
    const url = `${repository_API}/repos/${repository}/deployments/${id}`;
    return {
        id,
        node_id: nodeId('Deployment', id),
        url,
        statuses_url: `${url}/statuses`,
        repository_url: `${repository_API}/repos/${repository}`,
        sha,
        ref,
        task,
        environment,
        original_environment: environment,
        description,
        payload,
        creator: describeAuthor(login),
        created_at: createdAt,
        updated_at: deployment.statuses.at(-1)?.createdAt ?? createdAt,
        transient_environment: deployment.transient,
        production_environment: deployment.production,
        performed_via_github_app: null,
    };
}
function describeStatus({ repository }, deployment, status) {
    const deploymentUrl = `${repository_API}/repos/${repository}/deployments/${deployment.id}`;
    return {
        id: status.id,
        node_id: nodeId('DeploymentStatus', status.id),
        url: `${deploymentUrl}/statuses/${status.id}`,
        deployment_url: deploymentUrl,
        repository_url: `${repository_API}/repos/${repository}`,
        state: status.state,
        description: status.description,
        environment: deployment.environment,
        environment_url: status.environmentUrl,
        log_url: status.logUrl,
        target_url: status.logUrl,
        creator: describeAuthor(status.login),
        created_at: status.createdAt,
        updated_at: status.createdAt,
        performed_via_github_app: null,
    };
}

;// CONCATENATED MODULE: ./build/js/demo/github/people.js
// What people may do in the repository, and their reactions to comments.



const PEOPLE_ROUTES = [
    [/^GET \/collaborators\/([^/]+)\/permission$/, showPermission],
    [/^POST \/issues\/comments\/(\d+)\/reactions$/, createReaction],
];
const REACTIONS = ['+1', '-1', 'laugh', 'confused', 'heart', 'hooray', 'rocket', 'eyes'];
/** The old names of roles, which scripts compare: `maintain` shows as `write`, `triage` as `read`. */
const PERMISSIONS = {
    admin: 'admin',
    maintain: 'write',
    write: 'write',
    triage: 'read',
    read: 'read',
};
function showPermission({ roles, isPrivate }, call, login = '') {
    if (call.token === '')
        return exchange_refuse(401, 'Requires authentication');
    const role = roles[login] ?? (isPrivate ? undefined : 'read');
    if (role === undefined)
        return notFound();
    const user = { ...describeUser(login), role_name: role };
    return { status: 200, body: { permission: PERMISSIONS[role] ?? 'none', role_name: role, user } };
}
function createReaction(state, call, comment = '') {
    if (call.token === '')
        return exchange_refuse(401, 'Requires authentication');
    if (state.pullRequests !== 'write')
        return exchange_refuse(403, NO_ACCESS);
    if (!state.comments.some(({ id }) => id === Number(comment)))
        return notFound();
    const content = readString(call, 'content') ?? '';
    if (!REACTIONS.includes(content))
        return refuseField('Reaction', 'content', 'invalid');
    const wanted = { comment: Number(comment), login: state.login, content };
    const known = state.reactions.find(other => other.comment === wanted.comment && other.login === wanted.login && other.content === content);
    const { id, login } = known ?? { id: nextId(state.reactions), ...wanted };
    if (known === undefined)
        state.reactions.push({ id, ...wanted });
    const created_at = new Date().toISOString();
    const body = { id, node_id: nodeId('Reaction', id), user: describeUser(login), content, created_at };
    return { status: known === undefined ? 201 : 200, body };
}

;// CONCATENATED MODULE: ./build/js/demo/github/pulls.js
// Pull requests: one, those with a head, those of a commit, and their labels.



const pulls_DATE = '2026-01-01T00:00:00Z';
const PULL_ROUTES = [
    [/^GET \/pulls\/(\d+)$/, showPullRequest],
    [/^GET \/pulls$/, listPullRequests],
    [/^GET \/commits\/([^/]+)\/pulls$/, listPullRequestsOfCommit],
    [/^GET \/issues\/(\d+)\/labels$/, listLabels],
];
function showPullRequest(state, _call, number = '') {
    const pull = findPull(state, number);
    if (pull === undefined)
        return notFound();
    const counts = { additions: 1, deletions: 1, changed_files: 1, commits: 1, review_comments: 0 };
    const comments = state.comments.filter(({ issue }) => issue === pull.number).length;
    return {
        status: 200,
        body: {
            ...describePull(state, pull),
            ...counts,
            comments,
            mergeable: null,
            mergeable_state: 'unknown',
            merged: pull.merged ?? false,
            merged_by: pull.merged ? describeUser('mona') : null,
            maintainer_can_modify: false,
        },
    };
}
/** `head` is `owner:branch`. */
function listPullRequests(state, call) {
    const { searchParams } = call.url;
    const wanted = searchParams.get('state') ?? 'open';
    const head = searchParams.get('head');
    const found = state.pulls.filter(pull => (wanted === 'all' || pull.state === wanted) &&
        (head === null || renderHead(state, pull).label === head));
    return paginate(found.map(pull => describePull(state, pull)), call, state);
}
function listPullRequestsOfCommit(state, call, sha = '') {
    const found = state.pulls.filter(({ head, commits = [] }) => head.sha === sha || commits.includes(sha));
    return paginate(found.map(pull => describePull(state, pull)), call, state);
}
function listLabels(state, call, number = '') {
    const labels = findPull(state, number)?.labels ?? [];
    return paginate(labels.map(name => describeLabel(state, name)), call, state);
}
function findPull(state, number) {
    return state.pulls.find(candidate => candidate.number === Number(number));
}
function renderHead(state, { head, number }) {
    const [owner = 'unknown'] = (head.repo?.full_name ?? 'unknown').split('/');
    const ref = head.ref ?? `change-${number}`;
    const name = head.repo?.full_name;
    return {
        label: `${owner}:${ref}`,
        ref,
        sha: head.sha,
        user: name === undefined ? null : describeUser(owner),
        repo: name === undefined ? null : describeRepository(name, state.isPrivate, name !== state.repository),
    };
}
/** The form of a list; `GET /pulls/{number}` adds to it. */
function describePull(state, pull) {
    const { number, merged = false } = pull;
    const { repository, isPrivate } = state;
    const [owner = ''] = repository.split('/');
    const base = pull.base ?? { ref: 'main', sha: '0'.repeat(40) };
    const api = `${repository_API}/repos/${repository}`;
    const url = `${api}/pulls/${number}`;
    const page = `https://github.com/${repository}/pull/${number}`;
    const closedAt = pull.state === 'closed' ? pulls_DATE : null;
    const links = {
        html: page,
        self: url,
        issue: `${api}/issues/${number}`,
        comments: `${api}/issues/${number}/comments`,
        commits: `${url}/commits`,
        statuses: `${api}/statuses/${pull.head.sha}`,
        review_comments: `${url}/comments`,
        review_comment: `${api}/pulls/comments{/number}`,
    };
    return {
        id: idOf(`${repository}#${number}`),
        node_id: nodeId('PullRequest', number),
        number,
        state: pull.state,
        locked: pull.locked ?? false,
        active_lock_reason: null,
        title: pull.title ?? `Change ${number}`,
        body: null,
        user: describeAuthor(pull.login),
        labels: (pull.labels ?? []).map(name => describeLabel(state, name)),
        milestone: null,
        draft: pull.draft ?? false,
        assignee: null,
        assignees: [],
        requested_reviewers: [],
        requested_teams: [],
        head: renderHead(state, pull),
        base: {
            ...base,
            label: `${owner}:${base.ref}`,
            user: describeUser(owner),
            repo: describeRepository(repository, isPrivate),
        },
        author_association: 'CONTRIBUTOR',
        auto_merge: null,
        created_at: pulls_DATE,
        updated_at: pulls_DATE,
        closed_at: closedAt,
        merged_at: merged ? closedAt : null,
        merge_commit_sha: null,
        url,
        html_url: page,
        diff_url: `${page}.diff`,
        patch_url: `${page}.patch`,
        issue_url: links.issue,
        comments_url: links.comments,
        commits_url: links.commits,
        statuses_url: links.statuses,
        review_comments_url: links.review_comments,
        review_comment_url: links.review_comment,
        _links: Object.fromEntries(Object.entries(links).map(([name, href]) => [name, { href }])),
    };
}
function describeLabel({ repository }, name) {
    const url = `${repository_API}/repos/${repository}/labels/${encodeURIComponent(name)}`;
    const id = idOf(name);
    return { id, node_id: nodeId('Label', id), url, name, description: '', color: 'ededed', default: false };
}

;// CONCATENATED MODULE: ./build/js/demo/github/runs.js
// Workflow runs.



const runs_DATE = '2026-01-01T00:00:00Z';
const RUN_ROUTES = [
    [/^GET \/actions\/runs$/, listRuns],
    [/^GET \/actions\/runs\/(\d+)$/, showRun],
    [/^GET \/actions\/runs\/(\d+)\/attempts\/(\d+)$/, showRun],
    [/^GET \/actions\/workflows\/([^/]+)\/runs$/, listRuns],
];
function showRun(state, _call, id = '', attempt) {
    if (state.actions === 'none')
        return exchange_refuse(403, NO_ACCESS);
    const run = readRun(state, id);
    if (run === undefined || Number(attempt ?? 1) > (run.attempt ?? 1))
        return notFound();
    const shown = attempt === undefined ? run : { ...run, attempt: Number(attempt) };
    return { status: 200, body: describeRun(state, id, shown) };
}
/** Newest first. `workflow` is the name of the file. */
function listRuns(state, call, workflow) {
    if (state.actions === 'none')
        return exchange_refuse(403, NO_ACCESS);
    const all = Object.keys(state.runs)
        .sort((a, b) => Number(b) - Number(a))
        .map(id => describeRun(state, id, readRun(state, id) ?? {}));
    const found = all.filter(run => (workflow === undefined || run.path.endsWith(`/${workflow}`)) && fits(run, call.url.searchParams));
    const { items, headers } = takePage(found, call, state);
    return { status: 200, body: { total_count: found.length, workflow_runs: items }, headers };
}
function fits(run, wanted) {
    const equal = (name, ...values) => {
        const value = wanted.get(name);
        return value === null || values.includes(value);
    };
    return (equal('head_sha', run.head_sha) &&
        equal('branch', run.head_branch) &&
        equal('event', run.event) &&
        equal('actor', run.actor.login) &&
        equal('status', run.status, run.conclusion));
}
function readRun({ runs }, id) {
    const run = runs[id];
    return typeof run === 'number' ? { attempt: run } : run;
}
function describeRun(state, id, run) {
    const { repository, isPrivate } = state;
    const { path = '.github/workflows/preview.yml', headRepository = repository, createdAt = runs_DATE } = run;
    const api = `${repository_API}/repos/${repository}`;
    const url = `${api}/actions/runs/${id}`;
    const workflow = idOf(path);
    const sha = run.headSha ?? '1'.repeat(40);
    const actor = describeUser(run.actor ?? 'mona');
    return {
        id: Number(id),
        node_id: nodeId('WorkflowRun', Number(id)),
        name: 'Preview',
        display_title: 'Change the app',
        path,
        event: run.event ?? 'pull_request',
        run_number: Number(id),
        run_attempt: run.attempt ?? 1,
        status: run.status ?? 'in_progress',
        conclusion: run.conclusion ?? null,
        workflow_id: workflow,
        head_branch: run.headBranch === undefined ? 'change' : run.headBranch,
        head_sha: sha,
        head_commit: describeHeadCommit(sha),
        head_repository: describeRepository(headRepository, isPrivate, headRepository !== repository),
        repository: describeRepository(repository, isPrivate),
        pull_requests: (run.pullRequests ?? []).map(number => describeMinimalPull(state, number)),
        actor,
        triggering_actor: actor,
        created_at: createdAt,
        updated_at: createdAt,
        run_started_at: createdAt,
        url,
        html_url: `https://github.com/${repository}/actions/runs/${id}`,
        jobs_url: `${url}/jobs`,
        logs_url: `${url}/logs`,
        cancel_url: `${url}/cancel`,
        rerun_url: `${url}/rerun`,
        artifacts_url: `${url}/artifacts`,
        check_suite_url: `${api}/check-suites/${id}`,
        workflow_url: `${api}/actions/workflows/${workflow}`,
    };
}
/** As `workflow_run.pull_requests` lists them. */
function describeMinimalPull({ repository, pulls }, number) {
    const pull = pulls.find(candidate => candidate.number === number);
    const repo = (fullName) => ({
        id: idOf(fullName.toLowerCase()),
        name: fullName.split('/')[1] ?? '',
        url: `${repository_API}/repos/${fullName}`,
    });
    return {
        id: idOf(`${repository}#${number}`),
        number,
        url: `${repository_API}/repos/${repository}/pulls/${number}`,
        head: {
            ref: pull?.head.ref ?? `change-${number}`,
            sha: pull?.head.sha ?? '1'.repeat(40),
            repo: repo(pull?.head.repo?.full_name ?? repository),
        },
        base: { ref: pull?.base?.ref ?? 'main', sha: pull?.base?.sha ?? '0'.repeat(40), repo: repo(repository) },
    };
}

;// CONCATENATED MODULE: ./build/js/demo/github/server.js
// Plays the part of GitHub's API on loopback that the action uses, with GitHub's own status codes, headers and bodies.
// Used by the demo, by tests, and by test/support/github-server.ts, which runs it alone: there it shows its state and log
// at /_test/state and /_test/requests.











const ROUTES = [
    ...PEOPLE_ROUTES,
    ...REPOSITORY_ROUTES,
    ...COMMENT_ROUTES,
    ...PULL_ROUTES,
    ...RUN_ROUTES,
    ...DEPLOYMENT_ROUTES,
];
const RATE_LIMIT = 5_000;
async function startGitHubServer(changes = {}, onRequest = () => { }, { isOpen = false } = {}) {
    const state = createState(changes);
    const requests = [];
    const record = (call, status) => {
        const { pathname, search } = call.url;
        const logged = { method: call.method, path: pathname + search, body: call.body, status };
        requests.push(logged);
        onRequest(logged);
    };
    const server = (0,external_node_http_.createServer)(async (request, response) => {
        const call = await readCall(request).catch(() => undefined);
        // The client hung up before its request was complete, or sent none that can be read.
        if (call === undefined)
            return void response.destroy();
        const test = answerTest(call, isOpen, state, requests);
        if (test)
            return github_server_send(response, test);
        const fault = takeFault(call, state);
        if (fault && 'does' in fault) {
            publish({ call, answer: undefined, fault: true });
            record(call, 0);
            if (fault.does === 'lose')
                answerCall(call, state);
            return fail(response, fault.does);
        }
        const answer = fault ? renderFault(fault) : addEtag(call, answerCall(call, state));
        publish({ call, answer, fault: fault !== undefined });
        github_server_send(response, answer, requests.length);
        record(call, answer.status);
    });
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string')
        throw new Error('the server has no port');
    return {
        url: `http://127.0.0.1:${address.port}`,
        state,
        requests,
        async stop() {
            const closed = new Promise(resolve => server.close(() => resolve()));
            server.closeAllConnections();
            await closed;
        },
    };
}
/** Marks a body that is not JSON. */
const UNREADABLE = Symbol('unreadable');
/** Rejects if the client hangs up, or sends a path that cannot be decoded. */
async function readCall(request) {
    const chunks = [];
    for await (const chunk of request)
        chunks.push(chunk);
    const { headers, method = 'GET' } = request;
    const token = (headers.authorization ?? '').replace(/^(token|bearer) /i, '');
    const url = new URL(`http://${headers.host}${request.url}`);
    decodeURIComponent(url.pathname);
    return { method, url, headers, token, body: parseBody(Buffer.concat(chunks).toString()) };
}
function parseBody(text) {
    if (text === '')
        return undefined;
    try {
        return JSON.parse(text);
    }
    catch {
        return UNREADABLE;
    }
}
function github_server_send(response, { status, body, headers }, used = 0) {
    response.writeHead(status, {
        'content-type': 'application/json; charset=utf-8',
        'x-github-media-type': 'github.v3; format=json',
        'x-github-request-id': `0A1B:${used}`,
        'x-ratelimit-limit': RATE_LIMIT,
        'x-ratelimit-remaining': Math.max(1, RATE_LIMIT - used),
        'x-ratelimit-used': used,
        'x-ratelimit-reset': Math.ceil(Date.now() / 1000) + 3600,
        'x-ratelimit-resource': 'core',
        ...headers,
    });
    response.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body));
}
function fail(response, how) {
    if (how === 'hang')
        return;
    if (how === 'cut' || how === 'lose')
        return void response.destroy();
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': 1000 });
    response.write('{"id":', () => response.destroy());
}
/** For tests that run in another process: shows everything, and changes the state. */
function answerTest(call, isOpen, state, requests) {
    if (!call.url.pathname.startsWith('/_test/'))
        return undefined;
    if (!isOpen)
        return notFound();
    if (call.url.pathname === '/_test/requests')
        return { status: 200, body: requests };
    if (call.url.pathname !== '/_test/state')
        return notFound();
    if (call.method === 'PATCH')
        Object.assign(state, call.body);
    return { status: 200, body: state };
}
function answerCall(call, state) {
    if (call.body === UNREADABLE)
        return exchange_refuse(400, 'Problems parsing JSON');
    if (call.token !== '' && call.token !== state.token)
        return exchange_refuse(401, 'Bad credentials');
    // What is private does not exist for strangers.
    if (state.isPrivate && call.token === '')
        return notFound();
    const { pathname } = call.url;
    if (pathname === '/graphql')
        return answerGraphql(state, call);
    const prefix = [`/repos/${state.repository}`, repositoryPath(state.repository)].find(candidate => isBelow(pathname.toLowerCase(), candidate.toLowerCase()));
    if (prefix === undefined)
        return redirectFormerName(state, call) ?? answerUsers(state, call) ?? notFound();
    const path = `${call.method} ${pathname.slice(prefix.length)}`;
    for (const [pattern, handle] of ROUTES) {
        const match = pattern.exec(path);
        if (match)
            return handle(state, call, ...match.slice(1).map(part => decodeURIComponent(part)));
    }
    return notFound();
}
/** As GitHub does: who has this answer already does not get it again. */
function addEtag(call, answer) {
    if (call.method !== 'GET' || answer.status !== 200)
        return answer;
    const digest = (0,external_node_crypto_.createHash)('sha256').update(JSON.stringify(answer.body)).digest('hex');
    const headers = { ...answer.headers, etag: `W/"${digest}"` };
    return call.headers['if-none-match'] === headers.etag ? { status: 304, headers } : { ...answer, headers };
}
function takeFault(call, state) {
    for (const fault of state.faults) {
        const fits = (fault.method ?? call.method) === call.method && fault.path.test(call.url.pathname);
        if (!fits || fault.times === 0)
            continue;
        if (fault.after !== undefined && fault.after > 0) {
            fault.after -= 1;
            continue;
        }
        if (fault.times !== undefined)
            fault.times -= 1;
        return fault;
    }
    return undefined;
}
function renderFault(fault) {
    const { status, message, headers = {}, body } = fault;
    if (body === undefined)
        return { ...exchange_refuse(status, message), headers };
    return { status, body, headers: { 'content-type': 'text/html; charset=utf-8', ...headers } };
}

;// CONCATENATED MODULE: ./build/js/app/program.js
// The types that all modes share: what to run, what it is started with, and the running program. Used by app.ts and the
// modes; AppSpec is a part of the exposure's configuration, too.

const program_VM_HOSTS = ['auto', 'node', 'browser'];
const Port = pipe(number(), integer(), minValue(1), maxValue(65_535));
/** What to run: the inputs are checked, and wasmrun is installed. Paths are absolute. */
const AppSpecSchema = variant('mode', [
    object({
        mode: literal('os'),
        path: string(),
        wasmrun: string(),
        vm: picklist(program_VM_HOSTS),
        /** Chrome or Chromium; absent: the usual places are searched when it is needed. */
        browser: optional(string()),
        /** The bundle (or source) that hosts the page under Node. */
        pageHostScript: string(),
    }),
    object({ mode: literal('exec'), path: string(), wasmrun: string(), args: array(string()) }),
    object({
        mode: literal('web'),
        path: string(),
        spa: dist_boolean(),
        /** True sends COOP and COEP with `require-corp`. */
        crossOriginIsolation: union([dist_boolean(), literal('credentialless')]),
        /** Where visitors see the folder, like /repo/; absent: at /. */
        basePath: optional(string()),
        /** Absent: yes. */
        compress: optional(dist_boolean()),
    }),
    object({
        mode: literal('port'),
        path: string(),
        port: optional(Port),
        /** The machine of the port, if it is another one: a name, or an IP address without brackets. */
        service: optional(string()),
        command: optional(string()),
    }),
]);

;// CONCATENATED MODULE: ./build/js/app/project/project-file.js
// Reads the small files of a project: wasmrun.toml, package.json, .gitignore, and of a build: _redirects, _headers.
// Used by the other files of this folder, and by web/host-files.ts. A pull request may commit anything under these names,
// even a link to a device or to a secret.




/** Far more than a file written by hand has. */
const MAX_BYTES = (/* unused pure expression or super */ null && (1024 * 1024));
/**
 * The text, or undefined if there is no such file. A link, a device or a pipe counts as absent and is never waited for.
 * Throws an InputError with the name for a file over 1 MB, or one that cannot be read.
 */
function project_file_readProjectFile(folder, name) {
    const file = openExisting(folder, name);
    if (file === undefined)
        return undefined;
    try {
        const found = fstatSync(file);
        if (!found.isFile())
            return undefined;
        if (found.size > MAX_BYTES)
            throw new InputError(`path: ${name} is over 1 MB; make it smaller`);
        return readFileSync(file, 'utf8');
    }
    finally {
        closeSync(file);
    }
}
function openExisting(folder, name) {
    try {
        // Without O_NONBLOCK, opening a pipe waits for its writer.
        return openSync(join(folder, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    }
    catch (cause) {
        // A link is ELOOP, a socket ENXIO (EOPNOTSUPP on macOS).
        if (hasCode(cause, 'ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENXIO', 'ENODEV', 'EOPNOTSUPP'))
            return undefined;
        throw new InputError(`path: ${name} in ${sanitise(folder)} cannot be read; check its permissions`, {
            cause,
        });
    }
}
/** Whether a path from such a file leaves the project. */
function project_file_leadsOut(path) {
    return external_node_path_.posix.isAbsolute(path) || external_node_path_.posix.normalize(path).split('/')[0] === '..';
}

;// CONCATENATED MODULE: ./build/js/app/project/entry-file.js
// Which file of a Node.js project is run. Used by mode.ts to recognise a project, and by staging.ts to check that the
// file is copied. wasmrun 1.0.0 recognises a project by fewer names than those under which its page finds the program.
// start-page.ts and web/source-page.ts also use `isFile`.





/** Where wasmrun's page looks for the program, in its order, after wasmrun.toml and package.json. */
const entry_file_ENTRY_FILES = [
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
const entry_file_DETECTED_FILES = entry_file_ENTRY_FILES.filter(name => !name.includes('/'));
/** A member of another type counts as absent. */
const EntryName = fallback(optional(string()), undefined);
const PackageSchema = object({ main: EntryName, module: EntryName });
/** The entry files that package.json names, as they are written there; none if it cannot be parsed. */
function entry_file_readPackage(folder) {
    try {
        const { main, module } = v.parse(PackageSchema, JSON.parse(readProjectFile(folder, 'package.json') ?? ''));
        return { main: main || undefined, module: module || undefined };
    }
    catch (error) {
        if (error instanceof InputError)
            throw error;
        return { main: undefined, module: undefined };
    }
}
function entry_file_isFile(path) {
    return entry_file_statPath(path)?.isFile() ?? false;
}
/** Undefined if nothing is at the path. Throws an InputError if that cannot be found out. */
function entry_file_statPath(path) {
    try {
        return statSync(path, { throwIfNoEntry: false });
    }
    catch (error) {
        // The last two: `main` of package.json may be any text.
        if (hasCode(error, 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'))
            return undefined;
        throw new InputError(`path: ${sanitise(path)} cannot be read; check its permissions`, { cause: error });
    }
}

;// CONCATENATED MODULE: ./build/js/app/project/wasm-sections.js
// Reads what a WebAssembly file imports and exports, without compiling it: only the head of each section is read, so
// that a file of any size takes a millisecond. Used by wasm-file.ts. Formats: WebAssembly core 3.0, "Binary Format";
// Component Model, "Binary.md" (its outer sections have the same form).

/** A section reaches beyond the end of the file. */
class wasm_sections_CutOffError extends Error {
    /** How many bytes the file should have at least. */
    expected;
    constructor(expected) {
        super(`a section ends at byte ${expected}`);
        this.expected = expected;
    }
}
/** The file uses an encoding that this reader does not know. */
class wasm_sections_UnknownEncodingError extends (/* unused pure expression or super */ null && (Error)) {
}
/** Magic number, version and layer. */
const PREAMBLE_BYTES = 8;
/** Id and size of a section: one byte, and a number of at most five. */
const SECTION_HEAD_BYTES = 6;
/** Compilers write a few hundred at most. */
const MAX_SECTIONS = 100_000;
/** Far more than the names of any program. */
const MAX_NAMES_BYTES = (/* unused pure expression or super */ null && (16 * 1024 * 1024));
const MODULE_IDS = { import: 2, memory: 5, export: 7, start: 8 };
/** In the flags of limits. */
const SHARED = 0x02;
const COMPONENT_IDS = { import: 10, export: 11 };
/** Throws a CutOffError or an UnknownEncodingError. */
function wasm_sections_readModuleSections(opened) {
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
function wasm_sections_readComponentNames(opened) {
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
            throw new wasm_sections_CutOffError(at);
        sections.push(section);
        if (sections.length > MAX_SECTIONS)
            throw new wasm_sections_UnknownEncodingError('too many sections');
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
            throw new wasm_sections_CutOffError(opened.size + 1);
        throw error;
    }
}
function readBodies(opened, sections, id) {
    const wanted = sections.filter(section => section.id === id);
    if (wanted.reduce((sum, { size }) => sum + size, 0) > MAX_NAMES_BYTES)
        throw new wasm_sections_UnknownEncodingError('too many names');
    return wanted.map(({ start, size }) => readAt(opened, start, size));
}
function readAt({ file }, position, length) {
    const buffer = Buffer.alloc(length);
    const read = readSync(file, buffer, 0, length, position);
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
        throw new wasm_sections_UnknownEncodingError(`import of kind ${kind}`);
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
            throw new wasm_sections_UnknownEncodingError('a value is missing');
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
        throw new wasm_sections_UnknownEncodingError('a number is too long');
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
function wasm_file_readWasmFile(path) {
    const file = wasm_file_open(path);
    try {
        const found = fstatSync(file);
        const head = Buffer.alloc(HEAD_BYTES);
        const length = found.isFile() ? readSync(file, head, 0, HEAD_BYTES, 0) : 0;
        return recognise({ file, size: found.size }, head.subarray(0, length), basename(path));
    }
    finally {
        closeSync(file);
    }
}
function wasm_file_open(path) {
    try {
        // Without O_NONBLOCK, opening a pipe waits for its writer.
        return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    }
    catch (cause) {
        throw new InputError(`path: ${sanitise(path)} cannot be read; check its permissions`, { cause });
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
    const text = wasm_file_readText(head);
    if (text !== undefined)
        return describeText(text, name);
    const bytes = head.subarray(0, 4).toString('hex').replace(/..\B/g, '$& ');
    return `is not WebAssembly, which begins with the bytes 00 61 73 6d: it begins with ${bytes}. Look at the step that wrote it; if it is compressed (brotli), unpack it first`;
}
/** Undefined if the bytes are not text: those have no control characters. The last one may be cut in the middle. */
function wasm_file_readText(head) {
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
const ENTRIES = (/* unused pure expression or super */ null && (['main', '_start']));
/** The version that docs/exec.md and its test use. */
const JCO = '@bytecodealliance/jco@1.35.0';
/** Names in one message: enough to recognise the program. */
const MAX_NAMES = 5;
/** Throws an InputError that says what the file is, and what to do. Returns a warning if the program may not work. */
function exec_file_checkExecFile(path) {
    const wasm = readWasmFile(path);
    const problem = findProblem(wasm, basename(path));
    if (problem !== undefined)
        throw new InputError(`path: ${sanitise(path)} ${problem}`);
    const doubt = wasm.kind === 'module' && wasm.sections ? findDoubt(wasm.sections) : undefined;
    return doubt && `${sanitise(basename(path))} ${doubt}`;
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
function exec_file_checkOtherName(path, found) {
    if (!found.isFile())
        return;
    const wasm = readWasmFile(path);
    if (wasm.kind !== 'broken')
        throw new InputError(`path: ${sanitise(path)} is WebAssembly, but wasmrun takes only names that end in .wasm; rename it`);
    if (RELATED_NAME.test(path))
        throw new InputError(`path: ${sanitise(path)} ${wasm.problem}`);
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

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/error.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */
function getLineColFromPtr(string, ptr) {
    let lines = string.slice(0, ptr).split(/\r?\n/);
    return [lines.length, lines.pop().length + 1];
}
function makeCodeBlock(string, line, column) {
    let lines = string.split(/\r?\n/);
    let codeblock = '';
    let numberLen = (Math.log10(line + 1) | 0) + 1;
    for (let i = line - 1; i <= line + 1; i++) {
        let l = lines[i - 1];
        if (!l)
            continue;
        codeblock += i.toString().padEnd(numberLen, ' ');
        codeblock += ':  ';
        codeblock += l;
        codeblock += '\n';
        if (i === line) {
            codeblock += ' '.repeat(numberLen + column + 2);
            codeblock += '^\n';
        }
    }
    return codeblock;
}
class error_TomlError extends Error {
    line;
    column;
    codeblock;
    constructor(message, options) {
        const [line, column] = getLineColFromPtr(options.toml, options.ptr);
        const codeblock = makeCodeBlock(options.toml, line, column);
        super(`Invalid TOML document: ${message}\n\n${codeblock}`, options);
        this.line = line;
        this.column = column;
        this.codeblock = codeblock;
    }
    /** @internal */
    static x(message, ctx, ptr) {
        throw new error_TomlError(message, { toml: ctx.s, ptr: ptr ?? ctx.p });
    }
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/primitive.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */

/** @internal */
function parseString(ctx) {
    let startPtr = ctx.p;
    let c = ctx.s.charCodeAt(ctx.p++);
    let first = c;
    let isLiteral = c === 0x27; /* ' */
    let isMultiline = c === ctx.s.charCodeAt(ctx.p) && c === ctx.s.charCodeAt(ctx.p + 1);
    if (isMultiline) {
        // Trim initial newline
        if ((c = ctx.s.charCodeAt(ctx.p += 2)) === 0xa /* \n */)
            ctx.p++;
        else if (c === 0xd /* \r */ && ctx.s.charCodeAt(ctx.p + 1) === 0xa /* \n */)
            ctx.p += 2;
    }
    // For the record: it is not worth it to use a fast-path for literal strings using `indexOf`.
    // Doing a char-by-char iteration ends up dispatching less instructions, for the same wall-clock runtime.
    let parsed = '';
    let sliceStart = ctx.p;
    // states:
    //   0 - decoding
    //   1 - decoding escape
    //   2 - whitespace escape (no newline encountered yet, must fail on non-whitespace)
    //   3 - whitespace escape (newline encountered, allowed to transition back to normal decode)
    let state = 0;
    for (; ctx.p < ctx.s.length; ctx.p++) {
        c = ctx.s.charCodeAt(ctx.p);
        // Deal with newlines first, since that simplifies control character checking and handling across all states
        if (isMultiline && (c === 0xa /* \n */ || (c === 0xd /* \r */ && ctx.s.charCodeAt(ctx.p + 1) === 0xa /* \n */))) {
            state = state && 3;
        }
        // Control characters are banned in TOML, so we throw an error if we encounter them
        else if ((c < 0x20 && c !== 0x9 /* \t */) || c === 0x7f) {
            error_TomlError.x('control characters are not allowed in strings', ctx);
        }
        // The string might terminate while we're parsing through a newline escape.
        // It must have encountered a newline; otherwise, it'll simply fail in another branch.
        else if ((!state || state === 3) && c === first && (!isMultiline || (ctx.s.charCodeAt(ctx.p + 1) === first && ctx.s.charCodeAt(ctx.p + 2) === first))) {
            if (isMultiline) {
                // If the string ends with 4-5 quotes, then the first 1-2 are part of the string
                if (ctx.s.charCodeAt(ctx.p + 3) === first)
                    ctx.p++;
                if (ctx.s.charCodeAt(ctx.p + 3) === first)
                    ctx.p++;
            }
            // If we're in a newline escape still, then there's nothing to add.
            if (!state) {
                // Avoid a useless concat operation if the string can be used as-is.
                let s = ctx.s.slice(sliceStart, ctx.p);
                parsed = parsed ? parsed + s : s;
            }
            ctx.p += isMultiline ? 3 : 1;
            return parsed;
        }
        // Baseline state; keep moving forward unless an escape sequence starts
        else if (!state) {
            if (!isLiteral && c === 0x5c /* \ */) {
                parsed += ctx.s.slice(sliceStart, (sliceStart = ctx.p));
                state = 1;
            }
        }
        else if (state === 1) {
            if (c === 0x78 /* x */ || c === 0x75 /* u */ || c === 0x55 /* U */) { // Unicode escape
                let errPtr = ctx.p++ - 1;
                let value = 0;
                let len = c === 0x78 /* x */ ? 2 : c === 0x75 /* u */ ? 4 : 8;
                for (let j = 0; j < len; j++, ctx.p++) {
                    let hex = ctx.s.charCodeAt(ctx.p);
                    let digit = 
                    /* 0-9 */ hex >= 0x30 && hex <= 0x39 ? hex - 0x30 :
                        /* A-F */ hex >= 0x41 && hex <= 0x46 ? hex - 0x41 + 10 :
                            /* a-f */ hex >= 0x61 && hex <= 0x66 ? hex - 0x61 + 10 : -1;
                    if (digit < 0)
                        error_TomlError.x('invalid non-hex character in unicode escape', ctx);
                    value = (value << 4) | digit;
                }
                // Because JS does bitwise on signed 32bit integers, all 0xfzzzzzzz values are actually seen as negative
                if (value < 0 || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
                    error_TomlError.x('invalid unicode escape', ctx, errPtr);
                }
                parsed += String.fromCodePoint(value);
                sliceStart = ctx.p--;
                state = 0;
            }
            // Newline escape sequence. We only need to care about spaces and tabs; newlines are dealt with earlier
            else if (isMultiline && (c === 0x20 || c === 0x9 /* \t */)) {
                state = 2;
            }
            // Basic escape sequence
            else {
                if (c === 0x62 /* b */)
                    parsed += '\b';
                else if (c === 0x74 /* t */)
                    parsed += '\t';
                else if (c === 0x6e /* n */)
                    parsed += '\n';
                else if (c === 0x66 /* f */)
                    parsed += '\f';
                else if (c === 0x72 /* r */)
                    parsed += '\r';
                else if (c === 0x65 /* e */)
                    parsed += '\x1b';
                else if (c === 0x22 /* " */)
                    parsed += '"';
                else if (c === 0x5c /* \ */)
                    parsed += '\\';
                else
                    error_TomlError.x('unrecognised escape sequence', ctx);
                sliceStart = ctx.p + 1;
                state = 0;
            }
        }
        // Newline escape continuation: keep moving forward until the first non-whitespace char
        else if (c !== 0x20 && c !== 0x9 /* \t */) {
            if (state === 2)
                error_TomlError.x('invalid escape: only line-ending whitespace may be escaped', ctx, sliceStart);
            // State cannot be zero, or we'd have branched earlier already.
            // If it's a backslash, immediately transition to the escape state so it can be processed.
            state = !isLiteral && c === 0x5c /* \ */ ? 1 : 0;
            sliceStart = ctx.p;
        }
    }
    error_TomlError.x('unfinished string', ctx, startPtr);
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/date.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */
let DATE_TIME_RE = /^(\d{4}-\d{2}-\d{2})?[Tt ]?(?:(\d{2}):\d{2}(?::\d{2}(?:\.\d+)?)?)?(Z|z|[-+]\d{2}:\d{2})?$/i;
class TomlDate extends Date {
    #hasDate = false;
    #hasTime = false;
    #offset = null;
    constructor(date, fasttype, unsafeDelim) {
        let hasDate = true;
        let hasTime = true;
        let offset = 'Z';
        let c;
        if (typeof date === 'string') {
            if (fasttype)
                prep: {
                    // Date-time
                    if (fasttype < 3) {
                        if (+date.slice(11, 13) > 23) {
                            date = '';
                            break prep;
                        }
                        // Local
                        if (fasttype === 2) {
                            offset = null;
                            date += 'Z';
                        }
                        // Offset; keep track of offset if not Z
                        else if ((c = date.charCodeAt(date.length - 1)) !== 0x5a /* Z */ && c !== 0x7a /* z */) {
                            offset = date.slice(date.length - 6);
                        }
                        if (unsafeDelim)
                            date = date.slice(0, 10) + 'T' + date.slice(11);
                    }
                    // Time
                    else if (fasttype === 4) {
                        date = +date.slice(0, 2) > 23 ? '' : `0000-01-01T${date}Z`;
                    }
                    hasDate = fasttype !== 4;
                    hasTime = fasttype !== 3;
                }
            else {
                let match = date.match(DATE_TIME_RE);
                if (match) {
                    if (!match[1]) {
                        hasDate = false;
                        date = `0000-01-01T${date}`;
                    }
                    hasTime = !!match[2];
                    // Make sure to use T instead of a space. Breaks in case of extreme values otherwise.
                    hasTime && date[10] === ' ' && (date = date.replace(' ', 'T'));
                    // Do not allow rollover hours.
                    if (match[2] && +match[2] > 23) {
                        date = '';
                    }
                    else {
                        offset = match[3] || null;
                        if (!offset && hasTime)
                            date += 'Z';
                    }
                }
                else {
                    date = '';
                }
            }
        }
        super(date);
        if (!isNaN(this.getTime())) {
            this.#hasDate = hasDate;
            this.#hasTime = hasTime;
            this.#offset = offset;
        }
    }
    isDateTime() {
        return this.#hasDate && this.#hasTime;
    }
    isLocal() {
        return !this.#hasDate || !this.#hasTime || !this.#offset;
    }
    isDate() {
        return this.#hasDate && !this.#hasTime;
    }
    isTime() {
        return this.#hasTime && !this.#hasDate;
    }
    isValid() {
        return this.#hasDate || this.#hasTime;
    }
    toISOString() {
        let iso = super.toISOString();
        // Local Date
        if (this.isDate())
            return iso.slice(0, 10);
        // Local Time
        if (this.isTime())
            return iso.slice(11, 23);
        // Local DateTime
        if (this.#offset === null)
            return iso.slice(0, -1);
        // Offset DateTime
        if (this.#offset === 'Z' || this.#offset === 'z')
            return iso;
        // This part is quite annoying: JS strips the original timezone from the ISO string representation
        // Instead of using a "modified" date and "Z", we restore the representation "as authored"
        let offset = (+(this.#offset.slice(1, 3)) * 60) + +(this.#offset.slice(4, 6));
        offset = this.#offset[0] === '-' ? offset : -offset;
        let offsetDate = new Date(this.getTime() - (offset * 60e3));
        return offsetDate.toISOString().slice(0, -1) + this.#offset;
    }
    static wrapAsOffsetDateTime(jsDate, offset = 'Z') {
        let date = new TomlDate(jsDate);
        date.#offset = offset;
        return date;
    }
    static wrapAsLocalDateTime(jsDate) {
        let date = new TomlDate(jsDate);
        date.#offset = null;
        return date;
    }
    static wrapAsLocalDate(jsDate) {
        let date = new TomlDate(jsDate);
        date.#hasTime = false;
        date.#offset = null;
        return date;
    }
    static wrapAsLocalTime(jsDate) {
        let date = new TomlDate(jsDate);
        date.#hasDate = false;
        date.#offset = null;
        return date;
    }
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/extract.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */




function isDigit(char, base = 10) {
    return base === 16
        ? (char > 0x2f && char < 0x3a) || (char > 0x40 && char < 0x47) || (char > 0x60 && char < 0x67)
        : (char > 0x2f && char < 0x30 + base);
}
function isEndOfValue(char, delim) {
    // Whitespace -- we're permissive on `\r` for performance; it'll be dealt with later anyway
    return char === 0x20 || char === 0x9 /* \t */ || char === 0xa /* \n */ || char === 0xd /* \r */ ||
        // Structure end or next value delimiter
        (delim && (char === delim || char === 0x2c /* , */)) ||
        // Comment
        char === 0x23; /* # */
}
/** @internal */
function extractValue(ctx, end) {
    let errPtr = ctx.p;
    let c = ctx.s.charCodeAt(ctx.p);
    // Structs
    if (c === 0x5b /* [ */ || c === 0x7b /* { */) {
        ctx.d-- || error_TomlError.x('document contains excessively nested structures. aborting.', ctx);
        let value = c === 0x5b /* [ */
            ? parseArray(ctx)
            : parseInlineTable(ctx);
        ctx.d++;
        return value;
    }
    // Strings
    if (c === 0x22 /* " */ || c === 0x27 /* ' */) {
        return parseString(ctx);
    }
    // Booleans
    // We can fast-path because the first character is enough to know the only possible value
    if (c === 0x74 /* t */) { // Only possible valid value is `true`
        if (ctx.s.charCodeAt(++ctx.p) !== 0x72 || ctx.s.charCodeAt(++ctx.p) !== 0x75 || ctx.s.charCodeAt(++ctx.p) !== 0x65)
            error_TomlError.x('invalid value', ctx, errPtr);
        return ctx.p++, true;
    }
    if (c === 0x66 /* f */) { // Only possible valid value is `false`
        if (ctx.s.charCodeAt(++ctx.p) !== 0x61 || ctx.s.charCodeAt(++ctx.p) !== 0x6c || ctx.s.charCodeAt(++ctx.p) !== 0x73 || ctx.s.charCodeAt(++ctx.p) !== 0x65)
            error_TomlError.x('invalid value', ctx, errPtr);
        return ctx.p++, false;
    }
    if (c === 0x2b /* + */ || c === 0x2d /* - */) {
        return parseNumber(ctx, ctx.p, ctx.s.charCodeAt(++ctx.p), 0x2c - c, end);
    }
    // Rough heuristic, but `parseDate` falls back to number parsing if it's a false positive.
    // e.g.: `a = 1\n-------------- = 1` would match this heuristic, but gracefully fallback to numbers.
    if (ctx.s.charCodeAt(ctx.p + 4) === 0x2d /* - */ && ctx.s.charCodeAt(ctx.p + 7) === 0x2d /* - */) {
        return parseDate(ctx, c, end);
    }
    // Same logic as above; `parseTime` falls back to number parsing if it's a false positive.
    if (ctx.s.charCodeAt(ctx.p + 2) === 0x3a /* : */) {
        return parseTime(ctx, c, end);
    }
    return parseNumber(ctx, ctx.p, c, 0, end);
}
// State:
// 0: init
// 1: integer
// 2: fractional dot
// 3: fractional
// 4: exponent letter
// 5: exponent
// 6: exponent sign
// 7: exponent with sign
// >9: underscore; see below
//     -> 12: was integer
//     -> 14: was fractional
//     -> 16: was exponent
// states 2-5, 14, 16 are ONLY permitted iif base === 10
function parseNumber(ctx, startPtr, startChr, sign, endChr) {
    let c = startChr;
    let state = 0;
    let hasUnderscores = false;
    // (+/-)inf
    if (c === 0x69 /* i */) {
        if (ctx.s.charCodeAt(++ctx.p) !== 0x6e || ctx.s.charCodeAt(++ctx.p) !== 0x66)
            error_TomlError.x('invalid value', ctx, startPtr);
        return ctx.p++, (sign || 1) / 0;
    }
    // (+/-)nan
    if (c === 0x6e /* n */) {
        if (ctx.s.charCodeAt(++ctx.p) !== 0x61 || ctx.s.charCodeAt(++ctx.p) !== 0x6e)
            error_TomlError.x('invalid value', ctx, startPtr);
        return ctx.p++, NaN;
    }
    // Leading zero
    // Only allowed cases: `0<EOV>`, `0.(...)`, `0e(...)`, `0x(...)`, `0b(...)`, `0o(...)`
    // FWIW, `0e(...)` is a stupid case, but it's not banned per-se so we have to parse it
    if (c === 0x30 /* 0 */) {
        if (++ctx.p >= ctx.s.length || isEndOfValue(c = ctx.s.charCodeAt(ctx.p), endChr))
            return ctx.bi === true ? 0n : 0; // note: conveniently deals with `-0`
        if (!sign) {
            if (c === 0x78 /* x */)
                return parseIntegerBaseN(ctx, startPtr, 16, endChr);
            else if (c === 0x62 /* b */)
                return parseIntegerBaseN(ctx, startPtr, 2, endChr);
            else if (c === 0x6f /* o */)
                return parseIntegerBaseN(ctx, startPtr, 8, endChr);
        }
        if (c === 0x2e /* . */)
            state = 2;
        else if (c === 0x65 /* e */ || c === 0x45 /* E */)
            state = 4;
        else
            error_TomlError.x('illegal leading zero', ctx, startPtr);
    }
    // If the 1st char is not a digit by now, then it's not a valid TOML value at all
    else if (!isDigit(c))
        error_TomlError.x('invalid value', ctx, startPtr);
    while (++ctx.p < ctx.s.length && (c = ctx.s.charCodeAt(ctx.p), !isEndOfValue(c, endChr))) {
        if (!state)
            state = 1; // Detects single-digit numbers we can use a fast parse path for
        // The way the states are numbered is not random: underscores are always permitted in odd-numbered states and
        // never permitted in even-numbered ones.
        if (c === 0x5f /* _ */) {
            if (!(state & 1))
                error_TomlError.x('illegal underscore', ctx);
            state += 11; // 11 is a marker that makes the state even and greater than 9; see the numbering + rationale above
            hasUnderscores = true;
        }
        // Transition to fractional part.
        else if (state === 1 && c === 0x2e /* . */)
            state = 2;
        // Transition to exponent part.
        else if ((state === 1 || state === 3) && (c === 0x65 /* e */ || c === 0x45 /* E */))
            state = 4;
        // + and - are permitted in state 4 only (handled before entering the function for state 0)
        else if (state === 4 && (c === 0x2b /* + */ || c === 0x2d /* - */)) {
            state = 6;
        }
        // All special cases have been handled; only digits are allowed here
        else if (!isDigit(c))
            error_TomlError.x(`illegal character in numeric literal`, ctx);
        // Clear state flags
        else if (state > 9)
            state -= 11;
        else if (!(state & 1))
            state++;
    }
    // Single-char number; we can fast-path these very easily.
    if (!state) {
        let val = (startChr - 0x30 /* 0 */) * (sign || 1);
        return ctx.bi === true ? BigInt(val) : val;
    }
    // Even-numbered states absolutely require a digit next; not even end of value is permitted
    if (!(state & 1))
        error_TomlError.x('unfinished numeric value', ctx, startPtr);
    let str = ctx.s.slice(startPtr, ctx.p);
    if (hasUnderscores)
        str = str.replaceAll('_', ''); // perf: replaceAll 1.25x faster than replace with a regex
    return state > 1
        ? parseFloat(str)
        : parseInteger(ctx, str, 10, startPtr);
}
function parseIntegerBaseN(ctx, startPtr, base, endChr) {
    let c, underscore = 1;
    while (++ctx.p < ctx.s.length && (c = ctx.s.charCodeAt(ctx.p), !isEndOfValue(c, endChr))) {
        if (c === 0x5f /* _ */) {
            if (underscore & 1)
                error_TomlError.x('illegal underscore', ctx);
            underscore = 3;
        }
        // We only need to check if the number is a valid digit, nothing else is permitted
        else if (!isDigit(c, base))
            error_TomlError.x(`illegal character in numeric literal`, ctx);
        // Clear underscore flag
        else if (underscore & 1)
            underscore--;
    }
    // Trailing underscore is not allowed
    if (underscore & 1)
        error_TomlError.x('unfinished numeric value', ctx);
    let str = ctx.s.slice(startPtr + 2, ctx.p);
    if (underscore)
        str = str.replaceAll('_', ''); // perf: replaceAll 1.25x faster than replace with a regex
    return parseInteger(ctx, str, base, startPtr);
}
function parseInteger(ctx, str, base, startPtr) {
    if (ctx.bi !== true)
        int: {
            let val = parseInt(str, base);
            if (!Number.isSafeInteger(val)) {
                if (ctx.bi)
                    break int;
                error_TomlError.x('integer value cannot be represented losslessly', ctx, startPtr);
            }
            return val;
        }
    return base === 10 ? BigInt(str) : BigInt((base === 2 ? '0b' : base === 8 ? '0o' : '0x') + str);
}
function parseDate(ctx, c, endChr) {
    let startPtr = ctx.p++, unsafeSeparator;
    if (!isDigit(c) ||
        !isDigit(ctx.s.charCodeAt(ctx.p++)) ||
        !isDigit(ctx.s.charCodeAt(ctx.p++)) ||
        !isDigit(ctx.s.charCodeAt(ctx.p++))) {
        return parseNumber(ctx, ctx.p = startPtr, c, 0, endChr);
    }
    ctx.p += 5;
    if (!isDigit(ctx.s.charCodeAt(ctx.p++)))
        error_TomlError.x('invalid date-time: date part is malformed', ctx, startPtr);
    if (ctx.p >= ctx.s.length || (((c = ctx.s.charCodeAt(ctx.p)) !== 0x20 || (unsafeSeparator = true, !isDigit(ctx.s.charCodeAt(ctx.p + 1)))) && c !== 0x54 /* T */ && c !== 0x74 /* t */)) {
        let t = ctx.s.slice(startPtr, ctx.p);
        return readDate(ctx, t, 3, false, startPtr);
    }
    if (ctx.s.charCodeAt(ctx.p += 3) !== 0x3a /* : */)
        error_TomlError.x('invalid date-time: time part is malformed', ctx, startPtr);
    if (ctx.s.charCodeAt(ctx.p += 3) === 0x3a /* : */)
        ctx.p += 3;
    if (ctx.s.charCodeAt(ctx.p) === 0x2e /* . */)
        while (isDigit(ctx.s.charCodeAt(++ctx.p)))
            ;
    if (c = ctx.s.charCodeAt(ctx.p)) {
        if (c === 0x5a /* Z */ || c === 0x7a /* z */) {
            let t = ctx.s.slice(startPtr, ++ctx.p);
            return readDate(ctx, t, 1, unsafeSeparator, startPtr, '[+00:00]');
        }
        if (c === 0x2b /* + */ || c === 0x2d /* - */) {
            // Temporal's ZonedDateTime is weird asf when it comes to dealing with traditional offsets...
            // It's 1.2x faster to allocate a new string to pass to ZDT than use Instant.toZonedDateTimeISO
            let t = ctx.s.slice(startPtr, ctx.p += 6);
            return readDate(ctx, t, 1, unsafeSeparator, startPtr, !ctx.ld && ('[' + ctx.s.slice(ctx.p - 6, ctx.p) + ']'));
        }
    }
    let t = ctx.s.slice(startPtr, ctx.p);
    return readDate(ctx, t, 2, unsafeSeparator, startPtr);
}
function parseTime(ctx, c, endChr) {
    let start = ctx.p;
    if (!isDigit(c) || !isDigit(ctx.s.charCodeAt(++ctx.p))) {
        return parseNumber(ctx, --ctx.p, c, 0, endChr);
    }
    if (ctx.s.charCodeAt(ctx.p += 4) === 0x3a /* : */)
        ctx.p += 3;
    if (ctx.s.charCodeAt(ctx.p) === 0x2e /* . */)
        while (isDigit(ctx.s.charCodeAt(++ctx.p)))
            ;
    let t = ctx.s.slice(start, ctx.p);
    return readDate(ctx, t, 4, false, start);
}
function readDate(ctx, str, type, unsafeDelim, errPtr, temporalSuffix) {
    if (ctx.ld) {
        let date = new TomlDate(str, type, unsafeDelim);
        if (!date.isValid())
            error_TomlError.x('invalid date', ctx, errPtr);
        return date;
    }
    try {
        if (temporalSuffix)
            str += temporalSuffix;
        switch (type) {
            case 1: return Temporal.ZonedDateTime.from(str);
            case 2: return Temporal.PlainDateTime.from(str);
            case 3: return Temporal.PlainDate.from(str);
            case 4: return Temporal.PlainTime.from(str);
        }
    }
    catch (e) {
        error_TomlError.x(e instanceof Error ? e.message : '' + e, ctx, errPtr);
    }
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/util.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */

/** @internal */
function skipComment(ctx) {
    for (; ctx.p < ctx.s.length; ctx.p++) {
        let c = ctx.s.charCodeAt(ctx.p);
        if (c === 0xa /* \n */)
            break;
        if (c === 0xd /* \r */ && ctx.s.charCodeAt(ctx.p + 1) === 0xa /* \n */) {
            ctx.p++;
            break;
        }
        if ((c < 0x20 && c !== 0x9 /* \t */) || c === 0x7f) {
            error_TomlError.x('control characters are not allowed in comments', ctx);
        }
    }
}
/** @internal */
function skipVoid(ctx, banNewLines, banComments) {
    let c;
    while (ctx.p < ctx.s.length) {
        while (ctx.p < ctx.s.length && ((c = ctx.s.charCodeAt(ctx.p)) === 0x20 ||
            c === 0x9 /* \t */ ||
            (!banNewLines &&
                (c === 0xa /* \n */ || (c === 0xd /* \r */ && ctx.s.charCodeAt(ctx.p + 1) === 0xa /* \n */)))))
            ctx.p++;
        if (banComments || c !== 0x23 /* # */)
            break;
        skipComment(ctx);
    }
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/struct.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */




/** @internal */
function parseKey(ctx, end = 0x3d /* = */) {
    // States:
    // 0: before first char
    // 1: parsing bare key
    // 2: after key component
    let startPtr;
    let state = 0;
    let parsed = [];
    let sliceStart;
    let c = ctx.s.charCodeAt(startPtr = ctx.p);
    do {
        // End of key
        if (c === end) {
            if (!state)
                error_TomlError.x('unexpected end of key', ctx);
            if (state === 1)
                parsed.push(ctx.s.slice(sliceStart, ctx.p));
            return ctx.p++, parsed;
        }
        // Dotted key separator
        else if (c === 0x2e /* . */) {
            if (!state)
                error_TomlError.x('illegal empty bare key', ctx);
            if (state === 1)
                parsed.push(ctx.s.slice(sliceStart, ctx.p));
            state = 0;
        }
        // Quoted key
        else if (!state && (c === 0x22 /* " */ || c === 0x27 /* ' */)) {
            if (c === ctx.s.charCodeAt(ctx.p + 1) && c === ctx.s.charCodeAt(ctx.p + 2))
                error_TomlError.x('illegal quoted key: multiline strings are not allowed', ctx);
            parsed.push(parseString(ctx));
            state = 2;
            ctx.p--;
        }
        // Whitespace; no-op in state 0 and 2, end of bare key in state 1
        else if (c === 0x20 || c === 0x9 /* \t */) {
            if (state === 1) {
                parsed.push(ctx.s.slice(sliceStart, ctx.p));
                state = 2;
            }
        }
        // If state is post-key, no character is allowed; otherwise ensure it's a bare-key component
        else if (state === 2 || (c < 0x30 && c !== 0x2d /* - */) || (c > 0x39 && c < 0x41) || (c > 0x5a && c < 0x61 && c !== 0x5f /* _ */) || c > 0x7a) {
            error_TomlError.x('illegal character in key', ctx);
        }
        // Illegal character
        else if (!state) {
            state = 1;
            sliceStart = ctx.p;
        }
    } while (c = ctx.s.charCodeAt(++ctx.p));
    error_TomlError.x('incomplete key-value: cannot find end of key', ctx, startPtr);
}
/** @internal */
function parseInlineTable(ctx) {
    let startPtr = ctx.p++;
    let res = Object.create(null);
    let seen = new Set();
    let c;
    while (ctx.p < ctx.s.length) {
        skipVoid(ctx);
        if ((c = ctx.s.charCodeAt(ctx.p)) === 0x7d /* } */) {
            ctx.p++;
            return res;
        }
        let k;
        let t = res;
        let hasOwn = false;
        let errPtr = ctx.p;
        let key = parseKey(ctx);
        for (let i = 0; i < key.length; i++) {
            if (i)
                t = hasOwn ? t[k] : (t[k] = Object.create(null));
            k = key[i];
            if ((hasOwn = Object.hasOwn(t, k)) && (typeof t[k] !== 'object' || seen.has(t[k]))) {
                error_TomlError.x('trying to redefine an already defined value', ctx, errPtr);
            }
            let unsafe = k === '__proto__';
            if (ctx.uk && (unsafe || k === 'constructor')) {
                t = ctx.uk !== 1 && error_TomlError.x('document contains an unsafe property', ctx, errPtr);
                break;
            }
            if (!hasOwn && unsafe) {
                Object.defineProperty(t, k, { enumerable: true, configurable: true, writable: true });
            }
        }
        if (hasOwn) {
            error_TomlError.x('trying to redefine an already defined value', ctx, errPtr);
        }
        skipVoid(ctx, true, true);
        let value = extractValue(ctx, 0x7d /* } */);
        if (t && typeof (t[k] = value) === 'object')
            seen.add(value);
        skipVoid(ctx);
        if ((c = ctx.s.charCodeAt(ctx.p++)) === 0x7d /* } */) {
            return res;
        }
        if (c !== 0x2c /* , */)
            error_TomlError.x('expected comma or end of structure', ctx, ctx.p - 1);
    }
    error_TomlError.x('unfinished table', ctx, startPtr);
}
/** @internal */
function parseArray(ctx) {
    let startPtr = ctx.p++;
    let res = [];
    let c;
    while (ctx.p < ctx.s.length) {
        skipVoid(ctx);
        if ((c = ctx.s.charCodeAt(ctx.p)) === 0x5d /* ] */) {
            ctx.p++;
            return res;
        }
        res.push(extractValue(ctx, 0x5d /* ] */));
        skipVoid(ctx);
        if ((c = ctx.s.charCodeAt(ctx.p++)) === 0x5d /* ] */) {
            return res;
        }
        if (c !== 0x2c /* , */)
            error_TomlError.x('expected comma or end of structure', ctx, ctx.p - 1);
    }
    error_TomlError.x('unfinished array', ctx, startPtr);
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/parse.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */




function peekTable(ctx, key, table, meta, type) {
    let t = table;
    let m = meta;
    let k;
    let hasOwn = false;
    let state;
    for (let i = 0; i < key.length; i++) {
        if (i) {
            t = hasOwn ? t[k] : (t[k] = Object.create(null));
            m = (state = m[k]).c;
            if (type === 0 /* Type.DOTTED */ && (state.t === 1 /* Type.EXPLICIT */ || state.t === 2 /* Type.ARRAY */)) {
                return null;
            }
            if (state.t === 2 /* Type.ARRAY */) {
                let l = t.length - 1;
                t = t[l];
                m = m[l].c;
            }
        }
        k = key[i];
        if ((hasOwn = Object.hasOwn(t, k)) && m[k]?.t === 0 /* Type.DOTTED */ && m[k]?.d) {
            return null;
        }
        if (!hasOwn) {
            let unsafe = k === '__proto__';
            if (ctx.uk && (unsafe || k === 'constructor'))
                return false;
            if (unsafe) {
                Object.defineProperty(t, k, { enumerable: true, configurable: true, writable: true });
                Object.defineProperty(m, k, { enumerable: true, configurable: true, writable: true });
            }
            m[k] = {
                t: i < key.length - 1 && type === 2 /* Type.ARRAY */
                    ? 3 /* Type.ARRAY_DOTTED */ : type,
                d: false,
                i: 0,
                c: Object.create(null),
            };
        }
    }
    state = m[k];
    if (state.t !== type && !(type === 1 /* Type.EXPLICIT */ && state.t === 3 /* Type.ARRAY_DOTTED */)) {
        // Bad key type!
        return null;
    }
    if (type === 2 /* Type.ARRAY */) {
        if (!state.d) {
            state.d = true;
            t[k] = [];
        }
        t[k].push(t = Object.create(null));
        state.c[state.i++] = (state = { t: 1 /* Type.EXPLICIT */, d: false, i: 0, c: Object.create(null) });
    }
    if (state.d) {
        // Redefining a table!
        return null;
    }
    state.d = true;
    if (type === 1 /* Type.EXPLICIT */) {
        t = hasOwn ? t[k] : (t[k] = Object.create(null));
    }
    else if (type === 0 /* Type.DOTTED */ && hasOwn) {
        return null;
    }
    return [k, t, state.c];
}
function validateTablePeek(ctx, peek, ptr) {
    if (peek === null || ctx.uk === 2)
        error_TomlError.x(peek === null
            ? 'trying to redefine an already defined table or value'
            : 'document contains an unsafe property', ctx, ptr);
}
function parse_parse(toml, options = {}) {
    let ctx = {
        s: toml,
        p: 0,
        d: options.maxDepth ?? 1000,
        bi: options.integersAsBigInt ?? false,
        ld: options.useLegacyDate ?? true,
        uk: options.unsafeKeyBehaviour === 'throw' ? 2 : options.unsafeKeyBehaviour === 'drop' ? 1 : 0,
    };
    let res = Object.create(null);
    let meta = Object.create(null);
    let tmp;
    let skipping = false;
    let tbl = res;
    let m = meta;
    // BOM is allowed, skip.
    // JS is UTF-16, so we have to check for the UTF-16 BOM instead of the UTF-8 BOM sequence!
    if (toml.charCodeAt(0) === 0xfeff)
        ctx.p++;
    skipVoid(ctx);
    while (ctx.p < toml.length) {
        if (toml.charCodeAt(ctx.p) === 0x5b /* [ */) {
            let isTableArray = toml.charCodeAt(++ctx.p) === 0x5b; /* [ */
            tmp = ctx.p += +isTableArray;
            skipping = false;
            let k = parseKey(ctx, 0x5d /* ] */);
            if (isTableArray) {
                if (toml.charCodeAt(ctx.p) !== 0x5d /* ] */) {
                    error_TomlError.x('expected end of table array declaration', ctx);
                }
                ctx.p++;
            }
            let p = peekTable(ctx, k, res, meta, isTableArray ? 2 /* Type.ARRAY */ : 1 /* Type.EXPLICIT */);
            if (!p) {
                validateTablePeek(ctx, p, tmp);
                skipping = true;
            }
            else {
                m = p[2];
                tbl = p[1];
            }
        }
        else {
            tmp = ctx.p;
            let k = parseKey(ctx);
            let p = peekTable(ctx, k, tbl, m, 0 /* Type.DOTTED */);
            if (!p && !skipping)
                validateTablePeek(ctx, p, tmp);
            skipVoid(ctx, true, true);
            let v = extractValue(ctx, void 0);
            if (p && !skipping)
                p[1][p[0]] = v;
        }
        skipVoid(ctx, true);
        if (ctx.p < toml.length && (tmp = toml.charCodeAt(ctx.p)) !== 0xa /* \n */ && (tmp !== 0xd /* \r */ || toml.charCodeAt(ctx.p + 1) !== 0xa /* \n */)) {
            error_TomlError.x('each key-value declaration must be followed by an end-of-line', ctx);
        }
        skipVoid(ctx);
    }
    return res;
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/stringify.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */
let BARE_KEY = /^[a-z0-9-_]+$/i;
let HAS_WELLFORMED = !!(''.isWellFormed);
function extendedTypeOf(obj) {
    let type = typeof obj;
    if (type === 'object') {
        if (Array.isArray(obj))
            return 'array';
        if (typeof obj.getUTCDate === 'function' && obj instanceof Date)
            return 'date';
        if (globalThis.Temporal) {
            if (obj.until) {
                if (obj instanceof Temporal.ZonedDateTime)
                    return 'temporal/tz+uc';
                if (obj instanceof Temporal.PlainDateTime || obj instanceof Temporal.PlainDate)
                    return 'temporal/uc';
                if (obj instanceof Temporal.PlainTime || obj instanceof Temporal.Instant)
                    return 'temporal';
                if (obj instanceof Temporal.PlainYearMonth)
                    return 'temporal/x';
            }
            else if ((obj.toPlainDate && obj instanceof Temporal.PlainMonthDay) ||
                (obj.negated && obj instanceof Temporal.Duration)) {
                return 'temporal/x';
            }
        }
    }
    return type;
}
function isArrayOfTables(obj) {
    for (let i = 0; i < obj.length; i++) {
        if (extendedTypeOf(obj[i]) !== 'object')
            return false;
    }
    return obj.length != 0;
}
function formatWellFormedStringUnchecked(s) {
    return JSON.stringify(s).replaceAll('\x7f', '\\u007f');
}
function formatString(s) {
    return formatWellFormedStringUnchecked(HAS_WELLFORMED ? s.toWellFormed() : s);
}
function formatKey(s) {
    if (BARE_KEY.test(s))
        return s;
    if (HAS_WELLFORMED && !s.isWellFormed())
        throw new RangeError('key contains illegal lone surrogates');
    return formatWellFormedStringUnchecked(s);
}
function stringifyValue(val, type, depth, numberAsFloat, strictTemporal) {
    if (depth === 0) {
        throw new Error('Could not stringify the object: maximum object depth exceeded');
    }
    switch (type) {
        // @ts-expect-error -- intentional fallthrough case
        case 'number':
            if (isNaN(val))
                return 'nan';
            if (val === Infinity)
                return 'inf';
            if (val === -Infinity)
                return '-inf';
            if (Number.isInteger(val) && (numberAsFloat || !Number.isSafeInteger(val)))
                return val.toFixed(1);
        case 'bigint':
        case 'boolean':
        case 'temporal':
            return val.toString();
        case 'string':
            return formatString(val);
        case 'date':
            if (isNaN(val.getTime()))
                throw new TypeError('cannot serialize invalid date');
            return val.toISOString();
        case 'object':
            return stringifyInlineTable(val, depth, numberAsFloat, strictTemporal);
        case 'array':
            return stringifyArray(val, depth, numberAsFloat, strictTemporal);
        // @ts-expect-error -- intentional fallthrough case
        case 'temporal/tz+uc':
            if (strictTemporal) {
                let tz = val.timeZoneId;
                let tzc = tz.charCodeAt(0);
                if (
                // Classic offset
                tzc !== 0x2b /* + */ && tzc !== 0x2d /* - */ &&
                    (
                    // Fast pre-check pass; see below for the actually accepted values
                    (tzc !== 0x55 /* U */ && tzc !== 0x47 /* G */ && tzc !== 0x5a /* Z */ && tzc !== 0x45 /* E */) ||
                        (
                        // UTC and its aliases; Temporal implementations don't all canonicalise unfortunately
                        tz !== 'UTC' && tz !== 'UCT' && tz !== 'Universal' && tz !== 'Zulu' &&
                            // GMT is a TZ but it's for all intents and purposes equivalent to UTC. Safe to downgrade.
                            !tz.startsWith('GMT') && tz !== 'Greenwich' &&
                            // Etc/* are all safe to downgrade to offset (either UTC, GMT, or offset)
                            !tz.startsWith('Etc/')))) {
                    throw new TypeError('Temporal objects with an IANA timezone are not allowed in Temporal strict mode');
                }
            }
        case 'temporal/uc':
            if (strictTemporal && val.calendarId !== 'iso8601')
                throw new TypeError('Temporal objects with a non-default calendar are not allowed in Temporal strict mode');
            return val.toString({
                calendarName: 'never',
                timeZoneName: 'never',
            });
        case 'temporal/x':
            throw new TypeError('Unsupported ' + val[Symbol.toStringTag]);
    }
}
function stringifyInlineTable(obj, depth, numberAsFloat, strictTemporal) {
    let keys = Object.keys(obj);
    if (keys.length === 0)
        return '{}';
    let res = '{ ';
    for (let i = 0; i < keys.length; i++) {
        let k = keys[i];
        if (i)
            res += ', ';
        res += formatKey(k) + ' = ' + stringifyValue(obj[k], extendedTypeOf(obj[k]), depth - 1, numberAsFloat, strictTemporal);
    }
    return res + ' }';
}
function stringifyArray(array, depth, numberAsFloat, strictTemporal) {
    if (array.length === 0)
        return '[]';
    let res = '[ ';
    for (let i = 0; i < array.length; i++) {
        if (i)
            res += ', ';
        if (array[i] === null || array[i] === void 0) {
            throw new TypeError('arrays cannot contain null or undefined values');
        }
        res += stringifyValue(array[i], extendedTypeOf(array[i]), depth - 1, numberAsFloat, strictTemporal);
    }
    return res + ' ]';
}
function stringifyArrayTable(array, key, depth, numberAsFloat, strictTemporal) {
    if (depth === 0) {
        throw new Error('Could not stringify the object: maximum object depth exceeded');
    }
    let res = '';
    for (let i = 0; i < array.length; i++) {
        res += `${res && '\n'}[[${key}]]\n`;
        res += stringifyTable(0, array[i], key, depth, numberAsFloat, strictTemporal);
    }
    return res;
}
function stringifyTable(tableKey, obj, prefix, depth, numberAsFloat, strictTemporal) {
    if (depth === 0) {
        throw new Error('Could not stringify the object: maximum object depth exceeded');
    }
    let preamble = '';
    let tables = '';
    let keys = Object.keys(obj);
    for (let i = 0; i < keys.length; i++) {
        let k = keys[i];
        if (obj[k] !== null && obj[k] !== void 0) {
            let type = extendedTypeOf(obj[k]);
            if (type === 'symbol' || type === 'function') {
                throw new TypeError(`cannot serialize values of type '${type}'`);
            }
            let key = formatKey(k);
            if (type === 'array' && isArrayOfTables(obj[k])) {
                tables += (tables && '\n') + stringifyArrayTable(obj[k], prefix ? `${prefix}.${key}` : key, depth - 1, numberAsFloat, strictTemporal);
            }
            else if (type === 'object') {
                let tblKey = prefix ? `${prefix}.${key}` : key;
                tables += (tables && '\n') + stringifyTable(tblKey, obj[k], tblKey, depth - 1, numberAsFloat, strictTemporal);
            }
            else {
                preamble += key;
                preamble += ' = ';
                preamble += stringifyValue(obj[k], type, depth, numberAsFloat, strictTemporal);
                preamble += '\n';
            }
        }
    }
    if (tableKey && (preamble || !tables)) // Create table only if necessary
        preamble = preamble ? `[${tableKey}]\n${preamble}` : `[${tableKey}]`;
    return preamble && tables
        ? `${preamble}\n${tables}`
        : preamble || tables;
}
function stringify(obj, { maxDepth = 1000, numbersAsFloat = false, strictTemporal = false } = {}) {
    if (extendedTypeOf(obj) !== 'object') {
        throw new TypeError('stringify can only be called with an object');
    }
    let str = stringifyTable(0, obj, '', maxDepth, numbersAsFloat, strictTemporal);
    if (str[str.length - 1] !== '\n')
        return str + '\n';
    return str;
}

;// CONCATENATED MODULE: ./node_modules/smol-toml/dist/index.js
/*!
 * Copyright (c) Squirrel Chat et al., All rights reserved.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are met:
 *
 * 1. Redistributions of source code must retain the above copyright notice, this
 *    list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice,
 *    this list of conditions and the following disclaimer in the
 *    documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors
 *    may be used to endorse or promote products derived from this software without
 *    specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
 * WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
 * DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
 * SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
 * CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
 * OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */





/** @deprecated use `import * as ... from 'smol-toml'` instead */
/* harmony default export */ const dist = ({ parse: parse_parse, stringify: stringify, TomlDate: TomlDate, TomlError: error_TomlError });

;// CONCATENATED MODULE: ./build/js/app/project/project-config.js
// Reads a project's wasmrun.toml. Used by mode.ts before anything is started, and by staging.ts for the copy.





const CONFIG_FILE = 'wasmrun.toml';
const Limit = optional(pipe(number(), integer(), minValue(0)));
/** The keys that are read here; wasmrun itself checks all others. */
const ConfigSchema = looseObject({
    os: optional(looseObject({
        entry: optional(pipe(string(), check(entry => !project_file_leadsOut(entry), 'it leads out of the project; give a path in it'))),
        limits: optional(looseObject({ max_memory_mb: Limit, max_output_mb: Limit })),
        network: optional(looseObject({
            deny: optional(array(string())),
            bind_ports: optional(string()),
            max_connections: Limit,
            max_bandwidth_mbps: Limit,
        })),
    })),
});
/** The folder's wasmrun.toml; an empty one if there is none. Throws an InputError if it is broken. */
function project_config_readProjectConfig(folder) {
    return parseProjectConfig(readProjectFile(folder, CONFIG_FILE) ?? '');
}
/** Throws an InputError that names the line, or each key that is wrong. */
function parseProjectConfig(text) {
    const result = v.safeParse(ConfigSchema, parseToml(text));
    if (result.success)
        return result.output;
    throw new InputError(result.issues.map(issue => `path: wasmrun.toml: ${v.getDotPath(issue) ?? 'the file'} is wrong: ${sanitise(issue.message)}`));
}
function parseToml(text) {
    try {
        return parse(text);
    }
    catch (cause) {
        const place = cause instanceof TomlError ? ` (line ${cause.line}, column ${cause.column})` : '';
        const reason = sanitise(describeError(cause).split('\n')[0] ?? '');
        throw new InputError(`path: wasmrun.toml cannot be read${place}: ${reason}; correct the file`, {
            cause,
        });
    }
}

;// CONCATENATED MODULE: ./build/js/app/project/start-page.js
// The page that a built web app begins with, and where it is if `path` is one folder too high. Used by mode.ts and by
// the files of web.



/** In this order. Builds of apps with only one page (SvelteKit) may write no index.html. */
const START_PAGES = (/* unused pure expression or super */ null && (['index.html', '200.html']));
/** Where frameworks write their build, relative to the project; `*` is the app's name (Angular). */
const BUILT_FOLDERS = (/* unused pure expression or super */ null && ([
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
]));
/** More than any page with its scripts in one file needs to show what it loads. */
const MAX_PAGE_BYTES = (/* unused pure expression or super */ null && (4 * 1024 * 1024));
/** Create React App's, Vue CLI's and webpack's source of a page. */
const SOURCE_MARK = /%PUBLIC_URL%|<%/;
/** The name of the start page in `folder`; undefined if there is none. */
function start_page_findStartPage(folder) {
    return START_PAGES.find(name => isFile(join(folder, name)));
}
/** The text of a page or script, without byte order mark; of a very long one, only its start. Throws if it cannot be read. */
function start_page_readPageText(path) {
    const file = openSync(path, 'r');
    try {
        const bytes = Buffer.alloc(MAX_PAGE_BYTES);
        return bytes.toString('utf8', 0, readSync(file, bytes, 0, MAX_PAGE_BYTES, 0)).replace(/^\ufeff/, '');
    }
    finally {
        closeSync(file);
    }
}
/** The folder below `project` (`dist`, `dist/app/browser`) that has a built page; undefined if none has. */
function start_page_findBuiltFolder(project) {
    return BUILT_FOLDERS.flatMap(folder => expand(project, folder)).find(folder => {
        const page = start_page_findStartPage(join(project, folder));
        return page !== undefined && !SOURCE_MARK.test(start_page_readPageText(join(project, folder, page)));
    });
}
function expand(project, folder) {
    const [before, after] = folder.split('*');
    if (before === undefined || after === undefined)
        return [folder];
    try {
        return readdirSync(join(project, before)).map(name => `${before}${name}${after}`);
    }
    catch {
        return [];
    }
}

;// CONCATENATED MODULE: ./build/js/app/project/mode.js
// Chooses the mode of an app, and checks that its path suits it. Used by inputs before anything starts.









/** Chooses and checks the mode. Throws an InputError that says what was looked for, or which inputs contradict. */
function mode_chooseMode(input) {
    const path = sanitise(input.path);
    const found = statPath(input.path);
    if (found === undefined)
        throw new InputError(`path: ${path} does not exist; was it built in an earlier step?`);
    const service = input.port === undefined ? 'command' : 'port';
    if (input.port === undefined && input.command === undefined) {
        const choice = input.mode === 'auto' ? findMode(input.path, found) : checkMode(input.mode, input.path, found);
        checkProjectFiles(choice.mode, input.path);
        const warning = choice.mode === 'exec' ? checkExecFile(input.path) : undefined;
        return { ...choice, ...(warning !== undefined && { warning }) };
    }
    if (input.mode !== 'auto' && input.mode !== 'port')
        throw new InputError(`mode: ${input.mode} contradicts \`${service}\`, which means mode: port; leave one of the two out`);
    if (input.command !== undefined && !found.isDirectory())
        throw new InputError(`path: ${path} is not a folder, and \`command\` runs in it; give a folder`);
    return { mode: 'port', reason: `\`${service}\` is given` };
}
function findMode(path, found) {
    if (found.isFile() && path.endsWith('.wasm'))
        return { mode: 'exec', reason: 'the path is a .wasm file' };
    if (!found.isDirectory()) {
        checkOtherName(path, found);
        throw new InputError(`path: ${sanitise(path)} is neither a folder nor a .wasm file; give one of them`);
    }
    const program = mode_findProgram(path);
    if (program !== undefined)
        return { mode: 'os', reason: program };
    const page = findStartPage(path);
    if (page !== undefined)
        return { mode: 'web', reason: `the folder has ${page === 'index.html' ? 'an' : 'a'} ${page}` };
    throw new InputError(`path: nothing to run in ${sanitise(path)}. Looked for [os] in wasmrun.toml, \`main\` of package.json and ` +
        `${ENTRY_FILES.join(', ')} (mode: os), and for index.html (mode: web). ` +
        `Give the folder that has one of them, a .wasm file${listWasmFiles(path)}, or \`port\` or \`command\`${suggestBuiltFolder(path)}`);
}
const ANGULAR_PAGE = 'index.csr.html';
/** The rest of a sentence: people often give the project instead of its build. */
function suggestBuiltFolder(project) {
    if (isFile(join(project, ANGULAR_PAGE)))
        return `; ${ANGULAR_PAGE} is Angular's page without server rendering: copy it to index.html`;
    const folder = findBuiltFolder(project);
    return folder === undefined ? '' : `; ${sanitise(folder)} has a built page: is it the \`path\`?`;
}
/** ` (app.wasm)`: a program that was built into the folder. */
function listWasmFiles(folder) {
    const names = readdirSync(folder).filter(name => name.endsWith('.wasm'));
    return names.length === 0 ? '' : ` (${sanitise(names.sort().join(', '))})`;
}
/** Why OS mode can run the folder; undefined if it cannot. */
function mode_findProgram(folder) {
    if (readProjectConfig(folder).os !== undefined)
        return 'wasmrun.toml has an [os] table';
    const { main } = readPackage(folder);
    if (main !== undefined && !leadsOut(main) && isFile(join(folder, main)))
        return `${sanitise(main)} is \`main\` of package.json`;
    const hasPackage = readProjectFile(folder, 'package.json') !== undefined;
    const entry = (hasPackage ? ENTRY_FILES : DETECTED_FILES).find(name => isFile(join(folder, name)));
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
        throw new InputError('mode: port needs `port`, `command` or both; give one of them');
    if (mode === 'exec') {
        if (found.isFile() && path.endsWith('.wasm'))
            return choice;
        checkOtherName(path, found);
        throw new InputError(`path: mode: exec runs one .wasm file, and ${shown} is not one; give the path of the file`);
    }
    if (!found.isDirectory())
        throw new InputError(`path: mode: ${mode} needs a folder, and ${shown} is not one; give the folder`);
    if (mode === 'web' && findStartPage(path) === undefined)
        throw new InputError(`path: ${shown} has no index.html, which mode: web serves; give the folder of the built app${suggestBuiltFolder(path)}`);
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
        readProjectFile(dirname(path), '.gitignore');
}

;// CONCATENATED MODULE: ./build/js/app/web/files.js
// Finds the file of a folder that a URL path names, and refuses those that visitors must not see. Used by the other
// files of this folder, for every request and for the checks before the start.




/** Error codes of a path that leads nowhere. */
const MISSING = (/* unused pure expression or super */ null && (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'EACCES', 'EPERM']));
/** A FIFO must not block the open; a link put there after the check must not be followed. Windows has neither flag. */
const OPEN_FLAGS = external_node_fs_namespaceObject.constants.O_RDONLY | (external_node_fs_namespaceObject.constants.O_NONBLOCK ?? 0) | (external_node_fs_namespaceObject.constants.O_NOFOLLOW ?? 0);
/**
 * Looks up a URL path (still percent-encoded, without query) below `root`, a real path. Only regular files whose real
 * path stays in the root are found, and no dotfiles but those in `.well-known` (RFC 8615).
 */
async function files_findFile(root, urlPath) {
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
        const real = await realpath(join(root, ...segments));
        if (!isVisibleBelow(root, real))
            return { kind: 'refused' };
        const stats = await stat(real);
        if (stats.isDirectory())
            return { kind: 'folder' };
        return stats.isFile() ? await openFile(real) : { kind: 'refused' };
    }
    catch (error) {
        if (hasCode(error, ...MISSING))
            return { kind: 'missing' };
        throw error;
    }
}
/** Whether `findFile` would find a file there now; for checks before the start. Never throws. */
function files_hasFile(root, urlPath) {
    const segments = decodeSegments(urlPath);
    return !isHidden(segments) && listSpellings(segments).some(spelling => hasSpelling(root, spelling));
}
function hasSpelling(root, segments) {
    try {
        const real = realpathSync(join(root, ...segments));
        return isVisibleBelow(root, real) && statSync(real).isFile();
    }
    catch {
        return false;
    }
}
/** Checks a real path again, because of links out of the root or to hidden files, and short names (GIT~1). */
function isVisibleBelow(root, real) {
    const inside = relative(root, real);
    return !isAbsolute(inside) && areVisible(inside.split(sep));
}
/** Checks the opened file, because another one may have been at the path a moment ago. */
async function openFile(path) {
    const handle = await open(path, OPEN_FLAGS);
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
        .map(files_decodeSegment);
}
/** Browsers send it as it is written in a link, also beside what they encode themselves: `100% yes` is `100%%20yes`. */
const BARE_PERCENT = /%(?![0-9a-f]{2})/gi;
/** Also used to compare paths: `%C3%A9`, `%c3%a9` and `é` are one name. What is no UTF-8 stays as it is. */
function files_decodeSegment(segment) {
    try {
        return decodeURIComponent(segment.replace(BARE_PERCENT, '%25'));
    }
    catch {
        return segment;
    }
}
/** Rules for the host (host-files.ts), which may hold passwords; hosts do not send them either. */
const HOST_FILES = (/* unused pure expression or super */ null && (['_headers', '_redirects']));
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
const CHUNK_BYTES = (/* unused pure expression or super */ null && (64 * 1024));
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
const base_path_NO_BASE = '/';
/** Below the base path, the path of the file in the folder, which begins with a slash; otherwise undefined. */
function base_path_stripBase(base, path) {
    if (base === base_path_NO_BASE)
        return path;
    const expected = base.slice(1, -1).split('/');
    const [, ...segments] = path.split('/');
    if (segments.length <= expected.length)
        return undefined;
    const isBelow = expected.every((segment, index) => decodeSegment(segment) === decodeSegment(segments[index] ?? ''));
    return isBelow ? `/${segments.slice(expected.length).join('/')}` : undefined;
}
/** Whether `path` leads to a file of the folder, if the app is served below `base`. */
function base_path_isServed(root, base, path) {
    const below = base_path_stripBase(base, path);
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
function base_path_findBasePath(root, paths, documentBase) {
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
        : base_path_NO_BASE;
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
function path_pattern_parsePattern(text) {
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
function path_pattern_fillIn(text, values) {
    return text.replace(/:([A-Za-z]\w*)/g, (written, name) => Object.hasOwn(values, name) ? (values[name] ?? written) : written);
}

;// CONCATENATED MODULE: ./build/js/app/web/host-files.js
// `_redirects` and `_headers` of a build: the files that Netlify, Cloudflare Pages, GitLab Pages and others share. Used
// by web.ts, and by page-check.ts and inputs/web.ts before the start. Syntax: https://docs.netlify.com/manage/routing/redirects/overview/,
// https://developers.cloudflare.com/pages/configuration/headers/.





/** They belong to hosts that do more than send files, or to their command lines. */
const OTHER_FILES = (/* unused pure expression or super */ null && ([
    'vercel.json',
    'netlify.toml',
    'staticwebapp.config.json',
    'firebase.json',
    'serve.json',
    '_worker.js',
    '.htaccess',
    'web.config',
]));
const REDIRECTS = (/* unused pure expression or super */ null && ([301, 302, 303, 307, 308]));
const REWRITES = (/* unused pure expression or super */ null && ([200, 404]));
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
function host_files_readHostRules(root) {
    const ignored = [];
    const redirects = readLines(root, '_redirects', ignored).flatMap(line => parseRedirect(line) ?? note(ignored, line));
    const [forced, usual] = [redirects.filter(rule => rule.isForced), redirects.filter(rule => !rule.isForced)];
    const headers = parseHeaders(readLines(root, '_headers', ignored), ignored);
    return {
        redirect: (path, isForced) => findRedirection(isForced ? forced : usual, path),
        listFields: path => headers.filter(({ pattern }) => pattern.match(path)).flatMap(({ fields }) => fields),
        ignored: [...ignored, ...OTHER_FILES.filter(name => existsSync(join(root, name)))],
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
        if (!(error instanceof InputError))
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

;// CONCATENATED MODULE: ./build/js/app/web/page.js
// What a page loads, and whether it shows anything, read from its HTML. Used by page-check.ts
// and source-page.ts.


/** Modules, and the JavaScript types of the MIME Sniffing Standard, 4.6: browsers run the old ones, too. */
const SCRIPT_TYPES = /^(|module|(text|application)\/(x-)?(java|ecma)script|text\/(javascript1\.[0-5]|jscript|livescript))$/i;
/** `rel` of links whose files a page can do without. */
const OPTIONAL_LINKS = (/* unused pure expression or super */ null && (['preload', 'prefetch', 'icon', 'apple-touch-icon', 'manifest']));
/** Browsers with scripts ignore what is in these. */
const INERT_ELEMENTS = ['noscript', 'template'];
/** Text in these is not shown either. */
const HIDDEN_ELEMENTS = [...INERT_ELEMENTS, 'title', 'script', 'style'];
const SHOWN_ELEMENTS = (/* unused pure expression or super */ null && ([
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
]));
/** Never throws: as in a browser, any text is a page. */
function page_readPage(html) {
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
    const parser = new Parser({
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
function source_page_findSourceMark(page, { references, text, runs }) {
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
function source_page_findSourceImport(root, page, { modules, scripts }) {
    const read = (path) => readScript(root, path);
    if (page.hasImportMap || !isFile(join(root, 'package.json')))
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
        return readPageText(join(root, decodeSegment(path)));
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
function page_check_checkPage(folder, wanted) {
    const root = realpathSync(folder);
    const name = findStartPage(root);
    if (name === undefined)
        return { basePath: wanted === 'auto' ? NO_BASE : wanted, warnings: [] };
    if (!hasFile(root, `/${name}`))
        throw new InputError(`path: ${name} in ${sanitise(root)} ${LEADS_OUT}`);
    const text = readPageText(join(root, name));
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
        throw new InputError(`path: ${name} ${sanitise(mark)}: ${describeSource(root)}`);
    const found = findBase(start, documentBase);
    const basePath = wanted === 'auto' ? found : wanted;
    const rules = readHostRules(root);
    const missing = start.references.filter(({ kind, path }) => kind !== 'other' && !isServed(root, basePath, path) && !isRedirected(root, basePath, rules, path));
    if (missing.length === 0)
        return { basePath, warnings: text !== '' && isEmpty(page) ? [describeEmpty(name)] : [] };
    const message = `${describeMissing(start, missing, basePath)}. ${describeRemedy(start, missing, { found, basePath })}`;
    if (isDead(start, missing))
        throw new InputError(`path: ${message}`);
    return { basePath, warnings: [message] };
}
/**
 * The name of the start page, if its policy makes browsers load the files of the folder with https; otherwise
 * undefined. It stays blank where the preview has none.
 */
function page_check_findHttpsPage(folder) {
    const root = realpathSync(folder);
    const name = findStartPage(root);
    if (name === undefined || !hasFile(root, `/${name}`))
        return undefined;
    const page = readPage(readPageText(join(root, name)));
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
    if (missing.some(({ path }) => existsSync(join(root, decodeSegment(path)))))
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
const host_rule_HOST_HEADERS = ['auto', ...HOST_RULES];

;// CONCATENATED MODULE: ./build/js/inputs/env.js
// The `env` input: what the app gets in addition to the allow-list of app/environment.ts. Used by inputs/app.ts.

/**
 * Reads the `env` input: `KEY=VALUE` lines, a bare `KEY` copies the job's value; empty lines and `#` lines are skipped.
 * Throws an InputError with every problem. Problems name line and key, never a value: those are often secrets.
 */
function env_parseEnv(text, job) {
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
        throw new InputError(problems);
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

;// CONCATENATED MODULE: external "node:dns/promises"
const external_node_dns_promises_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:dns/promises");
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
function service_address_isNeverExposed(address) {
    const version = isIP(address);
    return version !== 0 && NEVER_EXPOSED.check(address, version === 4 ? 'ipv4' : 'ipv6');
}
/** Why it is refused, after the address. */
const service_address_NEVER_EXPOSED_REASON = 'which is never exposed: it belongs to the machine or the network itself, and clouds give out credentials there';
/**
 * All addresses of the host, in the system's order. Rejects with the resolver's error, or with an AppError if one of
 * them is never exposed: an attempt to connect could end at any of them.
 */
async function resolveService(host) {
    const addresses = (await lookup(host, { all: true })).map(({ address }) => address);
    const refused = addresses.find(service_address_isNeverExposed);
    if (refused === undefined)
        return addresses;
    const where = refused === host ? host : `${sanitise(host)} is ${refused},`;
    throw new AppError(`\`port\`: ${where} ${service_address_NEVER_EXPOSED_REASON}`, { restartable: false });
}

;// CONCATENATED MODULE: ./build/js/inputs/port.js
// The `port` input: a port of this machine, or `host:port` of another one. Used by inputs/app.ts.





/** `8080`, `redis:6379` or `[fd12::5]:8080`; undefined for an empty text. Throws an InputError. */
function port_parsePortInput(text, command) {
    if (text === '')
        return undefined;
    if (/^\d+$/.test(text))
        return { port: parsePort(text, text), service: undefined };
    const [, host = '', digits = ''] = /^(\[[^\]]*\]|[^:/@?#[\]\s]+):(\d+)$/.exec(text) ?? [];
    // The parser of URLs knows names in other scripts, and the many forms of an IP address.
    const name = URL.parse(`http://${host}`)?.hostname ?? '';
    if (name === '')
        throw port_refuse(text, describeForm(text));
    const port = parsePort(digits, text);
    const service = stripBrackets(name);
    if (service === 'localhost')
        return { port, service: undefined };
    const mistake = describeOwnPort(host, service, port);
    if (mistake !== undefined)
        throw port_refuse(text, mistake);
    if (isNeverExposed(service))
        throw port_refuse(text, `it leads to ${service}, ${NEVER_EXPOSED_REASON}`);
    if (command !== undefined)
        throw port_refuse(text, `\`command\` starts the app on this machine; write only the number, ${port}`);
    return { port, service };
}
function parsePort(digits, text) {
    const port = Number(digits);
    if (port >= 1 && port <= 65_535)
        return port;
    throw port_refuse(text, 'write a whole number from 1 to 65535');
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
    if (isIPv6(text))
        return 'write an IPv6 address in brackets, and a port, like [fd12::5]:8080';
    if (/^[\w.-]*[a-z][\w.-]*$/i.test(text))
        return `add the port of the service, like ${text}:8080`;
    return 'write a whole number from 1 to 65535, or host:port for a service on another machine';
}
function port_refuse(text, remedy) {
    return new InputError(`\`port\` is '${sanitise(text)}': ${remedy}`);
}

;// CONCATENATED MODULE: ./build/js/inputs/values.js
// Parses single input values. Each parser names the input and the value in its InputError. Used by the files of this
// folder and by commands/server.ts.

const values_DEFAULT_HEALTH_PATH = '/';
const values_DEFAULT_STARTUP_TIMEOUT = '120s';
const values_DEFAULT_STOP_TIMEOUT = '5s';
/**
 * A template such as `https://{port}.preview.example.com`, with a scheme of the protocol and nothing after the port.
 */
function values_parsePublicUrl(template, protocol) {
    const sample = template.replaceAll('{host}', 'host.example').replaceAll('{port}', '12345');
    const url = URL.canParse(sample) ? new URL(sample) : undefined;
    const problem = url === undefined ? PUBLIC_URLS[protocol].problem : values_findProblem(url, sample, protocol);
    if (problem === undefined)
        return template.replace(/\/$/, '');
    throw new InputError(`\`public-url\` is '${template}', which ${problem}: write it like ${PUBLIC_URLS[protocol].example}`);
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
function values_parseWholeNumber(text, input, min, max) {
    if (text === undefined)
        return undefined;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max)
        return value;
    throw new InputError(`\`${input}\` is '${text}': write a whole number from ${min} to ${max}`);
}
function values_parseBoolean(text, input, fallback) {
    const word = text.toLowerCase();
    if (word === '')
        return fallback;
    if (word === 'true' || word === 'false')
        return word === 'true';
    throw new InputError(`\`${input}\` is '${text}': write true or false`);
}
function values_parseChoice(text, input, choices) {
    const found = choices.find(choice => choice === text.toLowerCase());
    if (found !== undefined)
        return found;
    throw new InputError(`\`${input}\` is '${text}': write one of ${choices.join(', ')}`);
}
function values_parseHealthPath(text) {
    if (/^\/[^\s#]*$/.test(text) && !text.startsWith('//'))
        return text;
    throw new InputError(`\`health-path\` is '${text}': write a path that begins with one /`);
}
/** What no path of a folder holds: an empty or dotted segment, an encoded separator, a bare percent sign. */
const BROKEN_PATH = /\/\/|\/(\.|%2e){1,2}\/|%(2f|5c|00)|%(?![\da-f]{2})/i;
/**
 * The base path of a web app, percent-encoded and with a slash at both ends; `auto` as it is. People write it with and
 * without the last slash (Vite's `base`, `homepage` of Create React App).
 */
function values_parseBasePath(text) {
    if (text.toLowerCase() === 'auto')
        return 'auto';
    const path = text.endsWith('/') ? text : `${text}/`;
    if (/^\/[^\s?#\\]*$/.test(path) && !BROKEN_PATH.test(path))
        return new URL(path, 'http://host.example').pathname;
    throw new InputError(`\`base-path\` is '${text}': write auto, or a path that begins with one /, like /repo/`);
}
const BYTES = { '': 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };
/** Bytes of `500KB`, `25MB` or `2GB`; as with most servers, 1 KB is 1,024 bytes. */
function values_parseBytes(text, input) {
    const [, count, unit = ''] = /^(\d{1,12}(?:\.\d{1,3})?) ?([kmg]?i?b?)$/.exec(text.toLowerCase()) ?? [];
    const factor = Object.entries(BYTES).find(([name]) => name === unit.replace('i', '') || name === `${unit}b`);
    const bytes = Math.floor(Number(count) * (factor?.[1] ?? 0));
    if (bytes > 0 && Number.isSafeInteger(bytes))
        return bytes;
    throw new InputError(`\`${input}\` is '${text}', which is not a size: write it like 500KB, 25MB or 2GB`);
}

;// CONCATENATED MODULE: ./build/js/inputs/app.js
// The inputs about the app: what is run, how, and when it counts as up. Used by inputs.ts.















const ISOLATIONS = (/* unused pure expression or super */ null && (['true', 'false', 'credentialless']));
const MODES = ['auto', ...APP_MODES];
/** Relative paths are resolved against `base`. Notes every problem in `problems`; throws if there is one. */
function app_parseAppInputs(read, context) {
    const { environment, base, protocol, problems } = context;
    const text = (name) => read(name).trim();
    const path = resolve(base, text('path') || '.');
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
    throw new InputError(`\`stop-timeout\` is '${text}': write at most ${MAX_STOP_TIMEOUT_MS / 1_000}s; the post step, which ends the app, has 30 s for everything`);
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
        throw new InputError('`env` cannot be used with `mode: os`: the page gives programs a fixed environment; write the values into a file of the project instead');
}
/** The gateway serves the files of a web app, and with `protocol: tcp` there is no gateway. */
function checkTcpMode(wanted, chosen) {
    if (wanted === 'web')
        throw new InputError('`protocol` is tcp, and `mode: web` has no port of its own to pass bytes to: use protocol: http, or a command that serves the folder');
    if (chosen?.mode === 'web')
        throw new InputError('`protocol` is tcp, and what was found at `path` is a web app, which has no port of its own to pass bytes to: give the `port` of your service, or a `command` that opens one');
}
function checkTcpHealthPath(healthPath) {
    if (healthPath !== DEFAULT_HEALTH_PATH)
        throw new InputError('`health-path` cannot be used with `protocol: tcp`: the app is up when its port accepts; leave it out');
}
function checkTcpHostHeader(hostHeader) {
    if (hostHeader !== undefined && hostHeader !== 'auto')
        throw new InputError('`host-header` cannot be used with `protocol: tcp`: bytes reach the app unread; leave it out');
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
        throw new InputError(problems);
}

;// CONCATENATED MODULE: ./build/js/shared/path-patterns.js
// Patterns of request paths, such as `/webhooks/**`: of paths that need no key, that need a signature, and whose requests
// are recorded. Used by gateway/, and by inputs/ to check the patterns.
//
// The app may read a path differently: decode it, even twice, treat `\` as `/`, or drop what follows a `;`. So a path
// is public only if every such reading of it matches. A path with dot segments is never public. A request is recorded if
// any reading matches: that opens nothing.

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
function path_patterns_findPatternProblem(pattern) {
    if (!pattern.startsWith('/'))
        return 'does not begin with /';
    if (/\?[^/?]*=/.test(pattern))
        return 'has a query: write the path before the ? alone';
    if (/[\s\\;%#]|\/\/|\/\.{1,2}(?:\/|$)/.test(pattern))
        return 'is not a plain path';
    if (pattern.split('/').some(name => name !== '**' && name.split('*').length - 1 > MAX_STARS_IN_NAME))
        return 'has more than one * in a name';
    if (pattern.split('/').filter(name => name === '**').length > MAX_FOLDER_STARS)
        return 'has more than two **';
    // With `|` picomatch would make two patterns of one.
    if (/[()[\]{}!|]/.test(pattern))
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
        const { readings, isDoubtful } = listReadings(path);
        return !isDoubtful && readings.every(reading => matches(reading));
    };
}
/** Returns a function: does a spelling, one of `listSpellings`, match one of the patterns? */
function compileSpelling(patterns) {
    const compiled = patterns.map(pattern => splitNames(pattern.toLowerCase()).map(compileName));
    return names => compiled.some(pattern => matchNames(pattern, names));
}
/** A path is rarely encoded twice; if it is still encoded after so many rounds, somebody is trying something. */
const MAX_LOOSE_DECODINGS = 8;
/** Of all readings of a path together: twice what a head may hold. More would take long to match. */
const MAX_READ_LENGTH = (/* unused pure expression or super */ null && (32 * 1024));
/**
 * Every way in which an app could read a request's path (target without query), as lists of names. For paths that need a
 * signature, doubt must count against the request: another spelling of the path must not lead around the check. So letter
 * case, a slash at the end and the format that some frameworks take from the end of a path (`.json`) make no difference.
 *
 * Undefined if there are too many ways, or if it has dot segments: apps resolve them before or after they decode, and with
 * or without empty names. No client sends such a path.
 */
function path_patterns_listSpellings(path) {
    const texts = [path.toLowerCase()];
    for (let round = 0;; round += 1) {
        const decoded = decodeLeniently(texts.at(-1) ?? '').toLowerCase();
        if (decoded === texts.at(-1))
            break;
        if (round === MAX_LOOSE_DECODINGS)
            return undefined;
        texts.push(decoded);
    }
    const readings = new Set(texts
        .flatMap(text => [text, cutEnd(text)])
        .flatMap(text => [text, text.replaceAll(/;[^/\\]*/g, '')])
        .flatMap(text => [text, mergeSlashes(text)]));
    if ([...readings].reduce((length, text) => length + text.length, 0) > MAX_READ_LENGTH)
        return undefined;
    const spellings = [...readings].map(splitNames);
    if (spellings.some(names => names.includes('.') || names.includes('..')))
        return undefined;
    return spellings.flatMap(names => [names, ...dropFormat(names)]);
}
/** Without what comes after a decoded end: `$` of many regular expressions matches before a line break, too. */
function cutEnd(text) {
    return (text.split(/[?#\n\r\0]/, 1)[0] ?? '').trimEnd();
}
/** Decodes what can be decoded, and leaves the rest: some servers do. */
function decodeLeniently(text) {
    return text.replaceAll(/(?:%[\da-f]{2})+/gi, run => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
}
function splitNames(path) {
    return path.split('/').filter(name => name !== '');
}
/** The same without a format at its end; nothing if it has none. */
function dropFormat(names) {
    const last = names.at(-1) ?? '';
    const short = last.replace(/(?<=.)\.\w+$/, '');
    return short === last ? [] : [names.with(-1, short)];
}
function compileName(pattern) {
    if (pattern === '**')
        return undefined;
    if (!/[*?]/.test(pattern))
        return name => name === pattern;
    const source = pattern
        .replaceAll(/[.+^$|]/g, '\\$&')
        .replaceAll('?', '.')
        .replace('*', '.*');
    const wanted = new RegExp(`^${source}$`, 's');
    return name => wanted.test(name);
}
/** If a name does not match, the last `**` takes one more: no path takes more than its length times the pattern's. */
function matchNames(pattern, names) {
    let [next, from, taken] = [0, -1, 0];
    for (let index = 0; index < names.length;) {
        const wanted = pattern[next];
        if (next < pattern.length && wanted === undefined) {
            next += 1;
            [from, taken] = [next, index];
        }
        else if (wanted?.(names[index] ?? '')) {
            next += 1;
            index += 1;
        }
        else if (from >= 0) {
            next = from;
            taken += 1;
            index = taken;
        }
        else
            return false;
    }
    return pattern.slice(next).every(one => one === undefined);
}
/** Returns a function: does a request's path match one of the patterns in any reading? */
function compileLoosePatterns(patterns) {
    if (patterns.length === 0)
        return () => false;
    const matches = picomatch([...patterns], OPTIONS);
    return path => path.length <= MAX_LENGTH && listReadings(path).readings.some(reading => matches(reading));
}
/** Whether some path may match both patterns. */
function canOverlap(one, other) {
    return overlapNames(one.split('/'), other.split('/'));
}
/** The same for lists of names, where `**` stands for any number of them. */
function overlapNames(one, other) {
    const [[first, ...rest], [second, ...others]] = [one, other];
    if (first === '**')
        return overlapNames(rest, other) || (second !== undefined && overlapNames(one, others));
    if (second === '**')
        return overlapNames(other, one);
    if (first === undefined || second === undefined)
        return first === second;
    return overlapSigns(first, second) && overlapNames(rest, others);
}
/** The same within a name, where `*` stands for any number of characters. */
function overlapSigns(one, other) {
    if (one.startsWith('*'))
        return overlapSigns(one.slice(1), other) || (other !== '' && overlapSigns(one, other.slice(1)));
    if (other.startsWith('*'))
        return overlapSigns(other, one);
    if (one === '' || other === '')
        return one === other;
    return ((one[0] === '?' || other[0] === '?' || one[0] === other[0]) && overlapSigns(one.slice(1), other.slice(1)));
}
/** Ways to read the path; doubtful if readers are too likely to disagree in yet other ways. */
function listReadings(path) {
    const readings = [path];
    for (let decoded = path, round = 0;; round += 1) {
        const variants = [decoded, decoded.replaceAll(/;[^/\\]*/g, '')].map(mergeSlashes);
        if (variants.some(hasDotSegment))
            return { readings, isDoubtful: true };
        readings.push(...variants);
        const next = path_patterns_decode(decoded);
        if (next === decoded)
            return { readings, isDoubtful: false };
        if (next === undefined || round === MAX_DECODINGS)
            return { readings, isDoubtful: true };
        decoded = next;
    }
}
function path_patterns_decode(text) {
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




const ACCESS_WORDS = (/* unused pure expression or super */ null && (['auto', 'open', 'link', 'basic']));
const DEFAULT_MAX_BODY = '25MB';
/** Shorter keys can be guessed; 16 characters of base64 are 96 bits, of hex 64. */
const MIN_KEY_LENGTH = 16;
/** Notes every problem in `problems`; throws if there is one. */
function gateway_parseGatewayInputs(read, protocol, problems) {
    const text = (name) => read(name).trim();
    const access = problems.check(() => parseAccess(text('access'), text('access-key'), text('basic-auth')));
    const publicPaths = problems.check(() => gateway_parsePatterns(read('public-paths'), 'public-paths'));
    const maxBodyBytes = problems.check(() => parseBytes(text('max-body') || DEFAULT_MAX_BODY, 'max-body'));
    const compress = problems.check(() => parseBoolean(text('compress'), 'compress', true));
    if (protocol === 'tcp') {
        problems.check(() => checkTcpAccess(access.value));
        problems.check(() => gateway_checkTcpUse('public-paths', text('public-paths'), '', 'there are no paths'));
        problems.check(() => gateway_checkTcpUse('max-body', text('max-body'), DEFAULT_MAX_BODY, 'there are no requests with a body'));
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
        throw new InputError('`access-key` and `basic-auth` are both given: leave one of the two out');
    const meant = word !== 'auto' ? word : key !== '' ? 'link' : basicAuth !== '' ? 'basic' : 'auto';
    if (key !== '' && meant !== 'link')
        throw refuseUnused('access-key', meant, 'link');
    if (basicAuth !== '' && meant !== 'basic')
        throw refuseUnused('basic-auth', meant, 'basic');
    switch (meant) {
        case 'link':
            return { kind: 'link', key: key === '' ? undefined : gateway_parseKey(key) };
        case 'basic':
            return { kind: 'basic', ...parseBasicAuth(basicAuth) };
        default:
            return { kind: meant };
    }
}
function refuseUnused(input, meant, wanted) {
    return new InputError(`\`${input}\` is given, and \`access\` is ${meant}, which does not use it: write access: ${wanted}, or leave it out`);
}
function gateway_parseKey(key) {
    if (key.length < MIN_KEY_LENGTH)
        throw new InputError(`\`access-key\` has ${key.length} characters, and could be guessed: use ${MIN_KEY_LENGTH} or more, for instance those of \`openssl rand -hex 32\``);
    if (/^[\x21-\x7e]{1,512}$/.test(key))
        return key;
    throw new InputError('`access-key` has spaces, line breaks or special characters, or is longer than 512 characters: use letters and digits, for instance those of `openssl rand -hex 32`');
}
function parseBasicAuth(text) {
    if (text === '')
        throw new InputError('`access` is basic, and `basic-auth` is empty: is the secret it comes from set? Write user:password');
    const colon = text.indexOf(':');
    const [user, password] = [text.slice(0, Math.max(0, colon)), text.slice(colon + 1)];
    if (user !== '' && password !== '' && !/\p{Cc}/u.test(text))
        return { user, password };
    throw new InputError('`basic-auth` is not written like user:password, on one line');
}
/** The path patterns of an input: one per line, or separated by commas. */
function gateway_parsePatterns(text, input) {
    const patterns = splitItems(text);
    const problems = patterns.flatMap(pattern => {
        const problem = findPatternProblem(pattern);
        return problem === undefined
            ? []
            : [`\`${input}\` has '${pattern}', which ${problem}: write patterns like /webhooks/**`];
    });
    if (problems.length > 0)
        throw new InputError(problems);
    return patterns;
}
/** The gateway asks for keys and passwords, and with `protocol: tcp` there is no gateway. */
function checkTcpAccess({ kind }) {
    if (kind === 'link' || kind === 'basic')
        throw new InputError(`\`access\` is ${kind}, and \`protocol\` is tcp, which has no gateway to ask for it: write access: open, and let the app have a password of its own`);
}
/** Throws if an input that needs a gateway is given with `protocol: tcp`. */
function gateway_checkTcpUse(input, text, fallback, why) {
    if (text !== '' && text !== fallback)
        throw new InputError(`\`${input}\` cannot be used with \`protocol: tcp\`: ${why}; leave it out`);
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
/** One warning for each server whose link browsers would refuse. */
function https_zones_listHttpsWarnings({ servers, publicUrl, }) {
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

;// CONCATENATED MODULE: ./build/js/inputs/inspector.js
// The `inspector` input: whether the inspector also gets a public port of its own. Used by inputs.


/** The public inspector needs a second port on the bore server, and an address that leads there. */
function inspector_parseInspector(text, { protocol, tunnel }) {
    const isWanted = parseBoolean(text, 'inspector', false);
    if (!isWanted)
        return false;
    if (protocol === 'tcp')
        throw new InputError('`inspector` cannot be used with `protocol: tcp`: there are no requests to show; leave it out');
    // Their own problem is reported.
    if (tunnel === undefined)
        return false;
    const { publicUrl, inspectorPort: port } = tunnel;
    if (!publicUrl.includes('{port}'))
        throw new InputError(`\`inspector\` is true, and \`public-url\` is '${publicUrl}', which leads to one port only, but the inspector has a port of its own: write a template with {port}, like https://{port}.preview.example.com, or leave \`inspector\` out`);
    if (port.kind === 'auto' && port.min === port.max)
        throw new InputError(`\`inspector\` is true, and \`port-range\` has one port only, ${port.min}, which the preview takes: give it two or more, or leave \`inspector\` out`);
    return true;
}

;// CONCATENATED MODULE: ./build/js/inputs/lifetime.js
// Parses the inputs that say how long a preview stays up: `hold`, `duration` and `idle-timeout`. Used by inputs.ts.


const DEFAULT_HOLD_MS = (/* unused pure expression or super */ null && (30 * 60_000));
/** The job's token expires after a day; from then on the comment cannot be edited. */
const LONG_DURATION_MS = (/* unused pure expression or super */ null && (24 * 60 * 60_000));
/** `inForeground`: the caller itself waits for the end, as a step with `hold` does. */
function lifetime_parseLifetime(read, inForeground) {
    const idleText = read('idle-timeout').trim();
    const idleTimeoutMs = idleText === '' ? undefined : parseDuration(idleText, 'idle-timeout');
    const life = parseHold(read('hold').trim(), read('duration').trim());
    if (idleTimeoutMs !== undefined && !life.hold && !inForeground)
        throw new InputError(`\`idle-timeout\` is '${idleText}', but without \`hold\` later steps use the preview, and it ends with the job: set \`hold\` as well, or remove \`idle-timeout\``);
    return { ...life, idleTimeoutMs };
}
/** `hold` is false, true or a duration, which a `duration` must not contradict. */
function parseHold(holdText, durationText) {
    const duration = durationText === '' ? undefined : parseDuration(durationText, 'duration');
    const word = holdText.toLowerCase();
    if (word === '' || word === 'false')
        return { hold: false, durationMs: duration };
    if (word === 'true')
        return { hold: true, durationMs: duration ?? DEFAULT_HOLD_MS };
    const hold = parseDuration(holdText, 'hold');
    if (duration !== undefined && duration !== hold)
        throw new InputError(`\`hold\` is '${holdText}' and \`duration\` is '${durationText}': give only one of them`);
    return { hold: true, durationMs: hold };
}
function lifetime_listLifetimeWarnings({ durationMs, idleTimeoutMs }) {
    if (durationMs === undefined)
        return [];
    return [
        ...(durationMs > LONG_DURATION_MS
            ? [
                "the duration is above 24 hours: the job's token will have expired by then, so the comment cannot be updated",
            ]
            : []),
        ...(idleTimeoutMs !== undefined && idleTimeoutMs >= durationMs
            ? [
                `\`idle-timeout\` has no effect: the preview ends after ${formatDuration(durationMs)} in any case; set a longer \`hold\` or a shorter \`idle-timeout\``,
            ]
            : []),
    ];
}

;// CONCATENATED MODULE: ./build/js/inputs/problems.js
// Collects what is wrong with the inputs, so that one run shows all of it. Used by inputs and its parts. Every parser
// throws an InputError for a wrong value; `check` notes it and goes on.

class problems_Problems {
    #found = [];
    /** Notes an InputError; errors of any other kind pass through. */
    check(parse) {
        try {
            const value = parse();
            return { value, known: value };
        }
        catch (error) {
            if (error instanceof InputError)
                this.#found.push(...error.problems);
            else if (!(error instanceof RefusedError))
                throw error;
            return REFUSED;
        }
    }
    /** Throws one InputError with everything that was noted. */
    throwIfAny() {
        if (this.#found.length > 0)
            throw new InputError(this.#found);
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
var external_node_tls_ = __nccwpck_require__(1692);
;// CONCATENATED MODULE: ./build/js/inputs/tls.js
// The inputs for TLS that ends on the runner: certificate and key, checked before anything is started. Messages reveal
// nothing of the key except what kind of text it is. Used by inputs.






/** Certificates are usually renewed weeks before they expire: so close to the end, a renewal was missed. */
const NEAR_END_MS = (/* unused pure expression or super */ null && (3 * 24 * 60 * 60_000));
/** How many names of a certificate a message lists. */
const tls_MAX_NAMES = 10;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
/** Undefined if neither input is given. Notes every problem in `problems`; throws if there is one. */
function tls_parseTlsInputs(read, context) {
    const { protocol, tunnel, problems } = context;
    const [cert, key] = [read('tls-cert').trim(), read('tls-key').trim()];
    if (cert === '' && key === '')
        return undefined;
    if (protocol === 'tcp')
        throw new InputError('`tls-cert` cannot be used with `protocol: tcp`: the bytes go to the app as they are, so let the app speak TLS; leave it out');
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
        throw new InputError('`tls-cert` holds no certificate: give the text of the file (fullchain.pem)');
    return leaf;
}
/** What is allowed but unwise. */
function tls_listTlsWarnings({ expiresAt }, durationMs) {
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
        throw new InputError('`tls-key` is given without `tls-cert`: is the secret it comes from set? Give both, or leave both out');
    if (text.includes('PRIVATE KEY'))
        throw new InputError('`tls-cert` holds a private key: it belongs in `tls-key` alone; give the text of the certificate (fullchain.pem)');
    const blocks = text.match(CERTIFICATE);
    if (blocks === null)
        throw new InputError(`\`tls-cert\` is not a PEM certificate, but ${tls_describeText(text)}: give the text of the file (fullchain.pem), from -----BEGIN CERTIFICATE----- on`);
    return blocks.map((block, index) => parseCertificate(block, index));
}
function parseCertificate(block, index) {
    try {
        return new X509Certificate(block);
    }
    catch (cause) {
        throw new InputError(`certificate ${index + 1} of \`tls-cert\` cannot be read (${describeError(cause)}): give the text of the file as it is, line breaks included`, { cause });
    }
}
function tls_parseKey(text) {
    if (text === '')
        throw new InputError('`tls-cert` is given without `tls-key`: is the secret it comes from set? Give both, or leave both out');
    if (/ENCRYPTED/.test(text))
        throw new InputError('`tls-key` is protected by a passphrase: give the key without one (openssl pkey -in key.pem), as a secret of the repository');
    if (!/-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/.test(text))
        throw new InputError(`\`tls-key\` is not a PEM private key, but ${tls_describeText(text)}: give the text of the file (privkey.pem), from -----BEGIN PRIVATE KEY----- on`);
    try {
        return createPrivateKey(text);
    }
    catch {
        // OpenSSL's message does not help here, and as a cause it might reveal a part of the key.
        throw new InputError(`\`tls-key\` cannot be read as a private key (it is ${tls_describeText(text)}): give the text of the file as it is, line breaks included`);
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
        throw new InputError(`\`tls-key\` belongs to certificate ${position + 1} of \`tls-cert\`: put that one first, then the intermediates`);
    if (position === -1)
        throw new InputError(`\`tls-key\` is not the key of the certificate in \`tls-cert\` (${describeNames(chain[0])}): give the two files of one renewal`);
    try {
        createSecureContext({ cert: renderChain(chain), key: keyText, minVersion: 'TLSv1.2' });
    }
    catch (cause) {
        throw new InputError(`\`tls-cert\` and \`tls-key\` cannot be used for TLS (${sanitise(describeError(cause))}): make new ones, with a usual key (P-256, or RSA of 2048 bits)`);
    }
}
function checkDates(leaf, now) {
    const [from, to] = [new Date(leaf.validFrom), new Date(leaf.validTo)];
    if (now < from)
        throw new InputError(`the certificate of \`tls-cert\` is not valid before ${from.toISOString()}, and it is ${now.toISOString()}: wait, or set the clock of the machine`);
    if (now >= to)
        throw new InputError(`the certificate of \`tls-cert\` expired at ${to.toISOString()}, and it is ${now.toISOString()}: renew it, and update the secret`);
}
function chooseTemplate(publicUrl) {
    if (publicUrl === PLAIN_PUBLIC_URLS.http)
        return TLS_PUBLIC_URL;
    if (publicUrl.startsWith('https:'))
        return publicUrl;
    throw new InputError(`\`public-url\` is '${publicUrl}', and with \`tls-cert\` visitors speak https: write https://, or leave it out`);
}
/** Checks the certificate's names against the public host of every server. */
function checkNames(leaf, { servers }, publicUrl) {
    const hosts = servers.map(({ address }) => new URL(renderPublicUrl(publicUrl, address.host, SAMPLE_PORT)).hostname);
    const missing = [...new Set(hosts)].filter(host => !isFor(leaf, host));
    if (missing.length > 0)
        throw new InputError(missing.map(host => `the certificate of \`tls-cert\` is not for ${sanitise(host)}, which visitors use, but ${describeNames(leaf)}: get one for that name, or change \`public-url\``));
}
/** Whether browsers take the certificate for this host name or IP address. */
function isFor(leaf, host) {
    const bare = stripBrackets(host);
    if (isIP(bare) !== 0)
        return leaf.checkIP(bare) !== undefined;
    // Browsers look at the list of names alone, not at the subject.
    return leaf.checkHost(bare, { subject: 'never' }) !== undefined;
}
/** `for a.example, b.example`: at most ten names, safe to print. */
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

;// CONCATENATED MODULE: ./build/js/inputs/trusted-proxy.js
// The `trusted-proxy` input: whether visitors' addresses are read from the `X-Forwarded-For` of the proxy in front. Used by
// inputs.



const EXAMPLE = 'https://{port}.preview.example.com';
/** Throws if there can be no proxy that sets the field. */
function trusted_proxy_parseTrustedProxy(text, context) {
    const { protocol, tunnel, tls } = context;
    if (!parseBoolean(text, 'trusted-proxy', false))
        return false;
    if (protocol === 'tcp')
        throw new InputError('`trusted-proxy` cannot be used with `protocol: tcp`: raw bytes have no X-Forwarded-For; leave it out');
    const publicUrl = tls.value?.publicUrl ?? tunnel.value.publicUrl;
    if (leadsToServer(publicUrl, tunnel.value, tls.value !== undefined))
        throw new InputError(`\`trusted-proxy\` is true, and \`public-url\` is '${publicUrl}', the address of the bore server itself, where no proxy sets X-Forwarded-For and visitors could forge it: set \`public-url\` to the address of your proxy, like ${EXAMPLE}, or leave \`trusted-proxy\` out`);
    return true;
}
/**
 * Whether visitors who open the URL come to the bore server, without a proxy. bore has no TLS: https on its host and port
 * is a proxy that listens there, unless TLS ends on the runner.
 */
function leadsToServer(publicUrl, { servers, remotePort }, endsTls) {
    if (publicUrl.startsWith('https:') && !endsTls)
        return false;
    const port = remotePort.kind === 'fixed' ? remotePort.port : SAMPLE_PORT;
    return servers.some(({ address: { host } }) => {
        const url = URL.parse(renderPublicUrl(publicUrl, host, port));
        const own = URL.parse(renderPublicUrl(`${url?.protocol}//{host}:{port}`, host, port));
        return url !== null && url.host === own?.host;
    });
}

// EXTERNAL MODULE: external "node:url"
var external_node_url_ = __nccwpck_require__(3136);
;// CONCATENATED MODULE: ./build/js/tunnel/address.js
// The address of a bore server: parsed from the `server` input (inputs/tunnel.ts), rendered in messages.





/** `host`, `host:port`, `[::1]` or `[::1]:port`; white space around it is ignored. Throws InputError. */
function address_parseServerAddress(text) {
    const trimmed = text.trim();
    if (trimmed === '')
        throw new InputError('`server` is empty; give the host of a bore server');
    const parts = /^(?:\[(?<v6>[^\]]*)\]|(?<name>[^:[\]]*))(?::(?<port>[^:]*))?$/su.exec(trimmed)?.groups;
    if (parts === undefined)
        throw refuseAddress(trimmed, address_describeForm(trimmed));
    return { host: parseHost(parts.v6, parts.name ?? '', trimmed), port: address_parsePort(parts.port, trimmed) };
}
/** `host:port`, with brackets if the host is an IPv6 address. */
function address_renderAddress({ host, port }) {
    return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
function parseHost(v6, name, text) {
    if (v6 !== undefined) {
        if (isIPv6(v6))
            return v6;
        throw refuseAddress(text, 'the part in brackets must be an IPv6 address');
    }
    // Names in other scripts are converted to their form in the DNS. A final dot only marks the name as complete: without
    // it, a host has one form to compare.
    const host = domainToASCII(name).replace(/\.$/u, '');
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
    if (isIPv6(text))
        return `write an IPv6 address in brackets, [${text}]`;
    return 'write host or host:port';
}
function refuseAddress(text, remedy) {
    // The whole sentence is made safe: an IPv6 address may begin with `::`, as the runner's commands do at the start of a
    // line.
    return new InputError(`${sanitise(`\`server\` '${text}`)}' is not an address: ${remedy}`);
}

;// CONCATENATED MODULE: ./build/js/inputs/tunnel.js
// The inputs about the tunnel: servers, secrets, public port and address. Used by inputs.





/** Ports below 1024 need special rights at the server, and bore's own default begins here. */
const DEFAULT_RANGE = { min: 1024, max: 65_535 };
const DEFAULT_PORT_RANGE = `${DEFAULT_RANGE.min}-${DEFAULT_RANGE.max}`;
/** Notes every problem in `problems`; throws if there is one. */
function tunnel_parseTunnelInputs(read, protocol, problems) {
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
    const inspectorPort = remotePort.value.kind === 'fixed' ? { kind: 'auto', ...range.value } : remotePort.value;
    return { servers, remotePort: remotePort.value, inspectorPort, publicUrl: publicUrl.value };
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
        throw new InputError('`server` is empty: is the variable it comes from set? Write host or host:port, or leave the input out to use bore.pub');
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
        throw new InputError([...doubled].map(name => `\`server\` names ${name} more than once: name each server once`));
}
function parseServer(entry, index) {
    if (entry !== '')
        return parseServerAddress(entry);
    throw new InputError(`entry ${index + 1} of \`server\` is empty: is the variable it comes from set? Write one host or host:port in each line, or between commas`);
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
        throw new InputError(`entry ${blank + 1} of \`secret\` is empty: is the variable it comes from set? Write one line for all servers, or one line for each, in the order of \`server\``);
    if (lines.length > 1 && servers > 0 && lines.length !== servers)
        throw new InputError(`\`secret\` has ${lines.length} lines, and \`server\` names ${servers === 1 ? 'one server' : `${servers} servers`}: write one line for all, or one line for each, in the same order`);
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
    throw new InputError(`\`remote-port\` is '${text}': write auto, random, or a whole number from 1 to 65535`);
}
/** Throws if `remote-port` contradicts the range; the default range fits every port. */
function combinePorts(port, range) {
    if (port.kind === 'auto')
        return { ...port, ...range };
    const shown = `${range.min}-${range.max}`;
    if (shown === DEFAULT_PORT_RANGE)
        return port;
    if (port.kind === 'random')
        throw new InputError(`\`remote-port\` is random, so the server picks the port, and \`port-range\`, ${shown}, has no effect: leave one of the two out`);
    if (port.port < range.min || port.port > range.max)
        throw new InputError(`\`remote-port\` is ${port.port}, which is outside \`port-range\`, ${shown}: leave one of the two out`);
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
    throw new InputError(`\`port-range\` is '${text}', which ${problem}: write it like 20000-29999`);
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
function folder_check_checkFolder(root) {
    const files = folder_check_listFiles(root);
    const known = new Set(files);
    const wasm = files.filter(file => file.endsWith('.wasm')).slice(0, MAX_WASM_FILES);
    const modules = wasm.map(file => ({ file, ...inspectWasm(join(root, file)) }));
    const broken = modules.find(({ problem }) => problem !== undefined);
    const pointers = files
        .filter(file => !file.endsWith('.wasm'))
        .filter(file => isPointer(join(root, file)))
        .slice(0, MAX_POINTERS);
    return {
        warnings: [
            ...(broken === undefined ? [] : [`${sanitise(broken.file)} ${broken.problem}`]),
            ...(pointers.length === 0
                ? []
                : [
                    `not the files themselves, but pointers of Git LFS: ${folder_check_nameFiles(pointers)}; add \`lfs: true\` to actions/checkout`,
                ]),
        ],
        threads: modules.find(({ sharesMemory }) => sharesMemory)?.file,
        brotli: files.filter(file => file.endsWith('.br') && !known.has(file.slice(0, -'.br'.length))),
    };
}
/** `Build/a.wasm.br and 2 more` */
function folder_check_nameFiles([first = '', ...rest]) {
    return `${sanitise(first)}${rest.length === 0 ? '' : ` and ${rest.length} more`}`;
}
/** Hidden folders are not served, and packages are not part of a build. */
function folder_check_listFiles(root) {
    const files = [];
    const folders = [''];
    for (let folder = folders.shift(); folder !== undefined; folder = folders.shift())
        for (const entry of listEntries(join(root, folder))) {
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
        return readdirSync(folder, { withFileTypes: true });
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
        const { size } = statSync(path);
        return size >= POINTER_BYTES.min && size <= POINTER_BYTES.max && isLfsPointer(readHead(path));
    }
    catch {
        return false;
    }
}
function readHead(path) {
    const file = openSync(path, 'r');
    try {
        const head = Buffer.alloc(LFS_START_BYTES);
        return head.toString('latin1', 0, readSync(file, head, 0, head.length, 0));
    }
    finally {
        closeSync(file);
    }
}

;// CONCATENATED MODULE: ./build/js/inputs/web.js
// What may not work of a web app that is served as the inputs say. Used by inputs.ts.




const NEEDS_HTTPS = 'use `tls-cert`, or `public-url` with a proxy that has TLS';
/** Warnings; none for other modes than web. */
function web_listWebWarnings({ mode, path, crossOriginIsolation }, tunnel) {
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
const ISOLATION_WITHOUT_HTTPS = (/* unused pure expression or super */ null && (`\`cross-origin-isolation\` has no effect over http, so there is no SharedArrayBuffer: ${NEEDS_HTTPS}`));
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

;// CONCATENATED MODULE: ./build/js/gateway/raw-headers.js
// Header fields as Node gives them: names and values in turn, as on the wire. Used by every file of the
// gateway that reads, changes or writes a whole head. Pure.
/** Calls `onField` for each field, in order. */
function raw_headers_forEachField(raw, onField) {
    for (let index = 0; index + 1 < raw.length; index += 2)
        onField(raw[index] ?? '', raw[index + 1] ?? '');
}
/** Letters, digits and hyphens, as most names have. */
const PLAIN_NAME = /^[a-z\d-]*$/;
/**
 * The name as CGI-style servers read it, which know letters, digits and one other character (RFC 3875, 4.1.18): they cannot
 * distinguish `X_Forwarded_For`, and some not even `X.Forwarded.For`, from `X-Forwarded-For`. `key` is in lower case.
 */
function foldName(key) {
    return PLAIN_NAME.test(key) ? key : key.replaceAll(/[^a-z\d]/g, '-');
}
/** `wanted` is in lower case. The length is compared first, because few names have it. */
function isName(name, wanted) {
    return name?.length === wanted.length && name.toLowerCase() === wanted;
}
/** How many fields have this lower-case name. */
function countFields(raw, wanted) {
    let count = 0;
    raw_headers_forEachField(raw, name => {
        if (isName(name, wanted))
            count += 1;
    });
    return count;
}
/** Changes the value of each field of this lower-case name; a field whose value becomes empty is removed. */
function rewriteFields(raw, wanted, rewrite) {
    for (let index = raw.length - 2; index >= 0; index -= 2) {
        if (!isName(raw[index], wanted))
            continue;
        const value = rewrite(raw[index + 1] ?? '');
        if (value === '')
            raw.splice(index, 2);
        else
            raw[index + 1] = value;
    }
}

;// CONCATENATED MODULE: ./build/js/shared/http-message.js
// The types of a request and its response: what Node's classes for HTTP/1.1 and the gateway's classes for HTTP/2 have
// in common. Used by gateway/, control/ and app/web/.
/** The methods that change nothing (RFC 9110, 9.2.1), apart from TRACE, which the gateway refuses. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
/** A request target without its query. */
function http_message_cutQuery(target) {
    const query = target.indexOf('?');
    return query === -1 ? target : target.slice(0, query);
}

;// CONCATENATED MODULE: ./build/js/gateway/visit.js
// One visit: a request, what is known about it, and the means to answer it. Built by the servers of downstream/, used
// by every pass.


/** The request target exactly as received. Do not parse it against a base URL: `//host` would choose another host. */
function visit_readTarget(request) {
    return request.url ?? '';
}
/** The target without its query, because that may contain the key. Sanitise the path before it is logged. */
function readPath(request) {
    return cutQuery(visit_readTarget(request));
}
/** The length of the target and of all fields, in characters. */
function measureHead({ rawHeaders, url = '' }) {
    return rawHeaders.reduce((length, text) => length + text.length, url.length);
}
/** Whether the request announces a body (RFC 9112, 6.3). */
function hasBody(request) {
    return (request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0);
}
/** Method and path, and the visitor's address if it is known, fit for a log. */
function describeVisit({ request, visitorAddress }) {
    const what = sanitise(`${request.method} ${readPath(request)}`);
    return visitorAddress === undefined ? what : `${what} from ${visitorAddress}`;
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/whole-request.js
// A request with its whole body, as signatures cover it and as it can be sent again, and how its fields are read. Used
// by every file of webhooks/; a CapturedRequest is one too.


/** The request of a visit; its body is empty unless a pass has read it. */
function whole_request_readRequest({ request, body, visitorAddress }) {
    return {
        method: request.method ?? '',
        target: readTarget(request),
        rawHeaders: request.rawHeaders,
        body: body ?? Buffer.alloc(0),
        visitorAddress,
    };
}
/** The values of each field with this lower-case name. */
function listValues(raw, wanted) {
    const values = [];
    raw_headers_forEachField(raw, (name, value) => {
        if (name.toLowerCase() === wanted)
            values.push(value.trim());
    });
    return values;
}
/** The value of the field with this lower-case name; undefined if there is none, or more than one. */
function whole_request_readValue(raw, wanted) {
    const [value, another] = listValues(raw, wanted);
    return another === undefined ? value : undefined;
}
/** The body's JSON if it is an object; undefined if it is anything else. */
function parseObject(body) {
    try {
        const value = JSON.parse(body.toString('utf8'));
        return isObject(value) ? value : undefined;
    }
    catch {
        return undefined;
    }
}
function isObject(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/handshakes.js
// Handshakes: requests with which a provider asks whether the address exists, before it sends deliveries. Only the app
// can answer them, mostly by sending a part of them back within seconds. Used by verify/, which lets the unsigned ones
// through if a rule names them; by the queue, which never keeps one for later; and by the recorder, which names them.


/** A body of a handshake has a few hundred bytes; a longer one is not parsed. */
const MAX_BODY_BYTES = 16 * 1024;
const WORDS = ['"challenge"', 'endpoint.url_validation'];
/**
 * The unsigned ones, which a rule lets through with `handshake=`. Each is exact about method and query, has no body, and
 * none has a cookie, a password or another method: so it carries no authority but that of a stranger.
 */
const UNSIGNED = {
    /** Microsoft Graph, Bot Framework: the token comes back as plain text. */
    graph: ({ method }, query) => method === 'POST' && hasOne(query, 'validationToken'),
    /** Meta: Facebook, Instagram, WhatsApp, Messenger; also Strava. */
    meta: ({ method }, query) => method === 'GET' &&
        query.get('hub.mode') === 'subscribe' &&
        ['hub.mode', 'hub.challenge', 'hub.verify_token'].every(name => hasOne(query, name)),
    /** WebSub hubs, such as YouTube's (W3C WebSub, 5.3). */
    websub: ({ method }, query) => method === 'GET' &&
        ['subscribe', 'unsubscribe'].includes(query.get('hub.mode') ?? '') &&
        ['hub.mode', 'hub.topic', 'hub.challenge'].every(name => hasOne(query, name)),
    dropbox: ({ method }, query) => method === 'GET' && hasOne(query, 'challenge'),
    /** Trello, Mandrill: is there anything at all? */
    head: ({ method }) => method === 'HEAD',
    /** Mailchimp, SurveyMonkey: the same with GET. */
    get: ({ method }) => method === 'GET',
};
/** Credentials, and fields that make some frameworks take another method (as `_method` in a query does). */
const NOT_IN_HANDSHAKES = new Set([
    'authorization',
    'cookie',
    'x-http-method',
    'x-http-method-override',
    'x-method-override',
]);
/** The signed ones: they pass by their signature, and only need to be known as what they are. */
const SIGNED = {
    slack: ({ method, body }) => {
        const message = method === 'POST' ? parseSmall(body) : undefined;
        return message?.type === 'url_verification' && typeof message.challenge === 'string';
    },
    zoom: ({ method, body }) => method === 'POST' && parseSmall(body)?.event === 'endpoint.url_validation',
    twitch: ({ method, rawHeaders }) => method === 'POST' &&
        whole_request_readValue(rawHeaders, 'twitch-eventsub-message-type') === 'webhook_callback_verification',
};
/** Those of providers for which `verify` has no rule: only the queue needs to know them. */
const OTHER = {
    /** The secret has to come back in the same field. */
    asana: ({ rawHeaders }) => whole_request_readValue(rawHeaders, 'x-hook-secret') !== undefined,
    /** Azure Event Grid. */
    eventgrid: ({ rawHeaders }) => whole_request_readValue(rawHeaders, 'aeg-event-type') === 'SubscriptionValidation',
    /** monday.com: the same object has to come back. */
    monday: ({ method, body }) => {
        const { challenge, ...rest } = (method === 'POST' && parseSmall(body)) || {};
        return typeof challenge === 'string' && Object.keys(rest).length === 0;
    },
};
/** The words of `handshake=`. */
const handshakes_UNSIGNED_HANDSHAKES = Object.keys(UNSIGNED).filter(handshakes_isUnsigned);
const SIGNED_HANDSHAKES = Object.keys(SIGNED).filter(word => isSigned(word));
const OTHER_HANDSHAKES = Object.keys(OTHER).filter(word => isOther(word));
/** A plain GET or HEAD is one only where a rule says so; `wait` does not count them anyway. */
const ONLY_WITH_RULE = new Set(['head', 'get']);
function handshakes_isUnsigned(word) {
    return Object.hasOwn(UNSIGNED, word);
}
function isSigned(word) {
    return Object.hasOwn(SIGNED, word);
}
function isOther(word) {
    return Object.hasOwn(OTHER, word);
}
/** Which handshake the request looks like, on any path and without any rule; undefined if it looks like none. */
function findHandshake(request) {
    const known = handshakes_UNSIGNED_HANDSHAKES.filter(word => !ONLY_WITH_RULE.has(word));
    return (findUnsignedHandshake(request, known) ??
        findSignedHandshake(request) ??
        OTHER_HANDSHAKES.find(word => OTHER[word](request)));
}
/** Which of these unsigned handshakes it is. `body` must have been read, unless none is announced. */
function findUnsignedHandshake(request, allowed) {
    if (allowed.length === 0 || request.body.length > 0 || hasForeignField(request.rawHeaders))
        return undefined;
    const query = readQuery(request.target);
    if (query.has('_method'))
        return undefined;
    return allowed.find(word => UNSIGNED[word](request, query));
}
/** Which handshake a rightly signed request is. */
function findSignedHandshake(request) {
    return SIGNED_HANDSHAKES.find(word => SIGNED[word](request));
}
function hasOne(query, name) {
    const values = query.getAll(name);
    return values.length === 1 && values[0] !== '';
}
function hasForeignField(raw) {
    let found = false;
    forEachField(raw, name => {
        found ||= NOT_IN_HANDSHAKES.has(name.toLowerCase().replaceAll('_', '-'));
    });
    return found;
}
function readQuery(target) {
    const start = target.indexOf('?');
    return new URLSearchParams(start === -1 ? '' : target.slice(start + 1));
}
/** Only what has a word of a handshake: to parse each body would slow down the recorder. */
function parseSmall(body) {
    const mayBe = body.length <= MAX_BODY_BYTES && WORDS.some(word => body.includes(word));
    return mayBe ? parseObject(body) : undefined;
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/verify/signer.js
// What the verifier needs of one provider with one secret, and what the providers have in common. Implemented by
// body-hmac.ts, timestamped.ts and url-hmac.ts.



const signer_RIGHT = { kind: 'right' };
const signer_MISMATCH = { kind: 'mismatch' };
/** The tolerance of Stripe, Slack and Standard Webhooks. */
const TOLERANCE_S = 5 * 60;
function signer_sign(algorithm, key, parts, encoding) {
    const hmac = (0,external_node_crypto_.createHmac)(algorithm, key);
    for (const part of parts)
        hmac.update(part);
    return hmac.digest(encoding);
}
/**
 * Each of the fields must be there once. Libraries read a repeated one in different ways (the first, the last, both
 * joined), so the app could check another signature than we did.
 */
function signer_findFieldProblem(raw, names) {
    for (const name of names) {
        const values = listValues(raw, name.toLowerCase());
        if (values.length > 1)
            return { kind: 'malformed', reason: `it has ${name} more than once` };
        if (!values[0])
            return { kind: 'missing', header: name };
    }
    return undefined;
}
/** Seconds since 1970 at the start of the text, as the SDKs read them; undefined if there are none. */
function parseTimestamp(text) {
    const seconds = Number.parseInt(text ?? '', 10);
    return Number.isSafeInteger(seconds) ? seconds : undefined;
}
/**
 * To be called only with a right signature: otherwise the timestamp means nothing. `mayBeAhead`: whether a time in the
 * future is accepted, which only whoever has the secret can write.
 */
function checkAge(timestamp, nowS, mayBeAhead) {
    const ageS = nowS - timestamp;
    if (ageS <= TOLERANCE_S && (mayBeAhead || ageS >= -TOLERANCE_S))
        return signer_RIGHT;
    const distance = duration_formatDuration(Math.abs(ageS) * 1000);
    const where = ageS > 0 ? `${distance} old` : `${distance} in the future`;
    return {
        kind: 'stale',
        reason: `its signature is right, but its timestamp is ${where}, and the limit is 5m: it was sent again without a new signature, or a clock is wrong`,
    };
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/verify/body-hmac.js
// Providers that sign nothing but the body: GitHub, Shopify, and every other one by `hmac-sha256` and `hmac-sha1`.



const OLD_GITHUB = 'it has only the old X-Hub-Signature, which is made with SHA-1: X-Hub-Signature-256 is required, which GitHub sends with it';
/** docs.github.com, "Validating webhook deliveries": `sha256=` and lower-case hex. */
function signGitHub(secret) {
    const render = (body) => `sha256=${signer_sign('sha256', secret, [body], 'hex')}`;
    return {
        headers: ['x-hub-signature-256'],
        check: ({ rawHeaders, body }) => {
            const problem = signer_findFieldProblem(rawHeaders, ['X-Hub-Signature-256']);
            if (problem?.kind === 'missing' && whole_request_readValue(rawHeaders, 'x-hub-signature') !== undefined)
                return { kind: 'malformed', reason: OLD_GITHUB };
            if (problem !== undefined)
                return problem;
            return secrets_isSame(whole_request_readValue(rawHeaders, 'x-hub-signature-256') ?? '', render(body)) ? signer_RIGHT : signer_MISMATCH;
        },
        sign: ({ body }) => [['X-Hub-Signature-256', render(body)]],
        // Two hooks get the same event with the same delivery id, if each belongs to another App (github/docs #32822).
        findDeliveryId: ({ rawHeaders }) => {
            const delivery = whole_request_readValue(rawHeaders, 'x-github-delivery');
            return delivery && `${delivery} ${whole_request_readValue(rawHeaders, 'x-github-hook-id') ?? ''}`;
        },
    };
}
/** The second name is that of Shopify's newer events. */
const SHOPIFY_HEADERS = ['X-Shopify-Hmac-Sha256', 'Shopify-Hmac-Sha256'];
/** shopify.dev, "Verify webhook deliveries": base64. */
function signShopify(secret) {
    const render = (body) => signer_sign('sha256', secret, [body], 'base64');
    return {
        headers: SHOPIFY_HEADERS.map(name => name.toLowerCase()),
        check: ({ rawHeaders, body }) => {
            const problems = SHOPIFY_HEADERS.map(name => signer_findFieldProblem(rawHeaders, [name]));
            const problem = problems.find(one => one?.kind === 'malformed');
            if (problem !== undefined)
                return problem;
            const given = SHOPIFY_HEADERS.flatMap(name => whole_request_readValue(rawHeaders, name.toLowerCase()) || []);
            if (given.length === 0)
                return { kind: 'missing', header: SHOPIFY_HEADERS[0] };
            return given.every(one => secrets_isSame(one, render(body))) ? signer_RIGHT : signer_MISMATCH;
        },
        sign: ({ rawHeaders, body }) => [
            [
                SHOPIFY_HEADERS.find(name => whole_request_readValue(rawHeaders, name.toLowerCase())) ?? SHOPIFY_HEADERS[0],
                render(body),
            ],
        ],
        // Several subscriptions of one topic share the event's id.
        findDeliveryId: ({ rawHeaders }) => ['x-shopify-webhook-id', 'shopify-webhook-id', 'x-shopify-event-id'].reduce((found, name) => found ?? whole_request_readValue(rawHeaders, name), undefined),
    };
}
/** Any provider that puts the HMAC of the body into a header of its own. */
function body_hmac_signBody(secret, algorithm, { header, encoding, prefix, separator }) {
    const name = header.toLowerCase();
    const normalise = encoding === 'hex' ? normaliseHex : normaliseBase64;
    const render = (body) => sign(algorithm, secret, [body], encoding);
    return {
        headers: [name],
        check: ({ rawHeaders, body }) => {
            const problem = findFieldProblem(rawHeaders, [header]);
            if (problem !== undefined)
                return problem;
            const value = readValue(rawHeaders, name) ?? '';
            const parts = separator === '' ? [value] : value.split(separator).map(part => part.trim());
            const signatures = parts.filter(part => part.startsWith(prefix));
            if (signatures.length === 0)
                return {
                    kind: 'malformed',
                    reason: `its ${header} has no signature that begins with the prefix of the rule`,
                };
            const wanted = normalise(render(body));
            return signatures.some(one => isSame(normalise(one.slice(prefix.length)), wanted)) ? RIGHT : MISMATCH;
        },
        sign: ({ body }) => [[header, `${prefix}${render(body)}`]],
        findDeliveryId: () => undefined,
    };
}
/** Providers write hex in either case. */
function normaliseHex(text) {
    return text.toLowerCase();
}
/** With or without padding, in either alphabet (RFC 4648, 4 and 5). */
function normaliseBase64(text) {
    return text
        .replaceAll('-', '+')
        .replaceAll('_', '/')
        .replace(/={1,2}$/, '');
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/verify/timestamped.js
// Providers that sign the time with the body: Stripe, Slack, and all that follow Standard Webhooks.



/**
 * docs.stripe.com/webhooks/signature: `t=TIME,v1=HEX,v1=HEX,v0=HEX`. There are several v1 while a secret is rolled; v0
 * is for test events, and never enough. As stripe-node, this accepts a time in the future.
 */
function signStripe(secret) {
    const render = (timestamp, body) => signer_sign('sha256', secret, [`${timestamp}.`, body], 'hex');
    return {
        headers: ['stripe-signature'],
        check: ({ rawHeaders, body }, nowS) => {
            const problem = signer_findFieldProblem(rawHeaders, ['Stripe-Signature']);
            if (problem !== undefined)
                return problem;
            const { timestamp, signatures } = parseStripe(whole_request_readValue(rawHeaders, 'stripe-signature') ?? '');
            if (timestamp === undefined)
                return { kind: 'malformed', reason: 'its Stripe-Signature has no time (t=…)' };
            if (signatures.length === 0)
                return { kind: 'malformed', reason: 'its Stripe-Signature has no signature of version v1' };
            const wanted = render(timestamp, body);
            return signatures.some(one => secrets_isSame(one, wanted)) ? checkAge(timestamp, nowS, true) : signer_MISMATCH;
        },
        sign: ({ body }, nowS) => [['Stripe-Signature', `t=${nowS},v1=${render(nowS, body)}`]],
        findDeliveryId: ({ body }) => timestamped_readText(body, 'id'),
    };
}
/** A part that is malformed is skipped (stripe-go, pull request 413); the last time counts, as in stripe-node. */
function parseStripe(value) {
    const pairs = value.split(',').map(part => part.split('='));
    const last = pairs.findLast(([name]) => name === 't');
    return {
        timestamp: parseTimestamp(last?.[1]),
        signatures: pairs.flatMap(([name, signature]) => (name === 'v1' && signature ? [signature] : [])),
    };
}
const SLACK_TIME = 'X-Slack-Request-Timestamp';
const SLACK_SIGNATURE = 'X-Slack-Signature';
/** docs.slack.dev, "Verifying requests from Slack": `v0=` and the HMAC of `v0:TIME:BODY` in hex. */
function signSlack(secret) {
    const render = (timestamp, body) => signer_sign('sha256', secret, [`v0:${timestamp}:`, body], 'hex');
    return {
        headers: [SLACK_SIGNATURE.toLowerCase()],
        check: ({ rawHeaders, body }, nowS) => {
            const problem = signer_findFieldProblem(rawHeaders, [SLACK_SIGNATURE, SLACK_TIME]);
            if (problem !== undefined)
                return problem;
            const time = whole_request_readValue(rawHeaders, SLACK_TIME.toLowerCase()) ?? '';
            const [version, given = ''] = (whole_request_readValue(rawHeaders, SLACK_SIGNATURE.toLowerCase()) ?? '').split('=');
            if (!/^\d{1,15}$/.test(time))
                return { kind: 'malformed', reason: `its ${SLACK_TIME} is not a number of seconds` };
            if (version !== 'v0')
                return { kind: 'malformed', reason: `its ${SLACK_SIGNATURE} is not of version v0` };
            return secrets_isSame(given, render(time, body)) ? checkAge(Number(time), nowS, false) : signer_MISMATCH;
        },
        sign: ({ body }, nowS) => [
            [SLACK_TIME, `${nowS}`],
            [SLACK_SIGNATURE, `v0=${render(`${nowS}`, body)}`],
        ],
        findDeliveryId: ({ body }) => timestamped_readText(body, 'event_id'),
    };
}
/** Both families of names; Svix, who began it, still sends the second. */
const FAMILIES = ['webhook', 'svix'];
/**
 * standardwebhooks.com: the HMAC of `ID.TIME.BODY` in base64, as `v1,SIGNATURE`, several with spaces between them. Other
 * versions are skipped; v1a is made with a key pair.
 */
function signStandardWebhooks(secret) {
    const key = Buffer.from(stripPrefix(secret), 'base64');
    const render = (id, timestamp, body) => signer_sign('sha256', key, [`${id}.${timestamp}.`, body], 'base64');
    return {
        headers: FAMILIES.map(family => `${family}-signature`),
        check: ({ rawHeaders, body }, nowS) => {
            const family = findFamily(rawHeaders);
            const names = ['signature', 'id', 'timestamp'].map(part => `${family}-${part}`);
            const problem = signer_findFieldProblem(rawHeaders, names);
            if (problem !== undefined)
                return problem;
            const { id, timestamp: time, signature } = readMessage(rawHeaders, family);
            const timestamp = parseTimestamp(time);
            if (timestamp === undefined)
                return { kind: 'malformed', reason: `its ${family}-timestamp is not a number of seconds` };
            const signatures = signature.split(' ').flatMap(part => {
                const [version, given] = part.split(',');
                return version === 'v1' && given ? [given] : [];
            });
            if (signatures.length === 0)
                return { kind: 'malformed', reason: `its ${family}-signature has no signature of version v1` };
            const wanted = render(id, timestamp, body);
            return signatures.some(one => secrets_isSame(one, wanted)) ? checkAge(timestamp, nowS, false) : signer_MISMATCH;
        },
        sign: ({ rawHeaders, body }, nowS) => {
            const family = findFamily(rawHeaders);
            const id = readMessage(rawHeaders, family).id || `msg_${nowS}`;
            return [
                [`${family}-id`, id],
                [`${family}-timestamp`, `${nowS}`],
                [`${family}-signature`, `v1,${render(id, nowS, body)}`],
            ];
        },
        findDeliveryId: ({ rawHeaders }) => readMessage(rawHeaders, findFamily(rawHeaders)).id || undefined,
    };
}
/** The base64 of a secret, which is written with `whsec_` before it, by Supabase even with `v1,whsec_`. */
function stripPrefix(secret) {
    return secret.replace(/^(?:v1,)?whsec_/, '');
}
/** `svix` if only its names are there. */
function findFamily(raw) {
    const isThere = (family) => whole_request_readValue(raw, `${family}-signature`) !== undefined;
    return !isThere('webhook') && isThere('svix') ? 'svix' : 'webhook';
}
function readMessage(raw, family) {
    const read = (part) => whole_request_readValue(raw, `${family}-${part}`) ?? '';
    return { id: read('id'), timestamp: read('timestamp'), signature: read('signature') };
}
function timestamped_readText(body, name) {
    const value = parseObject(body)?.[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
}

// EXTERNAL MODULE: external "node:querystring"
var external_node_querystring_ = __nccwpck_require__(1792);
;// CONCATENATED MODULE: ./build/js/gateway/webhooks/verify/url-hmac.js
// Providers that sign the URL that they call, together with the body: Twilio and Square. They know the preview by its
// public URL, which the gateway does not see in the request: it tries the few forms that the URL can have.





const SQUARE_HEADER = 'X-Square-HmacSha256-Signature';
/** developer.squareup.com, "Validate the notification": the HMAC of URL and body, in base64. */
function signSquare(secret) {
    const render = (url, body) => signer_sign('sha256', secret, [url, body], 'base64');
    return {
        headers: [SQUARE_HEADER.toLowerCase()],
        check: ({ rawHeaders, body, origins, target }) => {
            const problem = signer_findFieldProblem(rawHeaders, [SQUARE_HEADER]);
            if (problem !== undefined)
                return problem;
            const given = whole_request_readValue(rawHeaders, SQUARE_HEADER.toLowerCase()) ?? '';
            const urls = unique(origins.map(origin => `${origin}${target}`).flatMap(url => [url, addPort(url)]));
            return urls.some(url => secrets_isSame(given, render(url, body))) ? signer_RIGHT : signer_MISMATCH;
        },
        sign: ({ body, origins, target }) => [[SQUARE_HEADER, render(`${origins[0] ?? ''}${target}`, body)]],
        findDeliveryId: ({ body }) => {
            const id = parseObject(body)?.event_id;
            return typeof id === 'string' && id !== '' ? id : undefined;
        },
    };
}
const TWILIO_HEADER = 'X-Twilio-Signature';
/** Only with a shared key in place of the auth token; names the algorithm. */
const TWILIO_SETTINGS = 'x-twilio-webhooks-signature-settings';
/**
 * twilio.com/docs/usage/security, "Validating requests": the HMAC of the URL and the sorted fields of the form, in
 * base64. A body that is not a form is covered by its hash in the URL (`bodySHA256`); without it, it is not covered, and
 * refused.
 */
function signTwilio(secret) {
    return {
        headers: [TWILIO_HEADER.toLowerCase()],
        check: request => {
            const { rawHeaders, origins, target } = request;
            const problem = signer_findFieldProblem(rawHeaders, [TWILIO_HEADER]);
            if (problem !== undefined)
                return problem;
            const algorithm = findAlgorithm(whole_request_readValue(rawHeaders, TWILIO_SETTINGS) ?? '');
            if (algorithm === undefined)
                return { kind: 'malformed', reason: 'it is signed with an algorithm that is not known here' };
            const content = readContent(request);
            if (typeof content !== 'string')
                return content;
            const given = whole_request_readValue(rawHeaders, TWILIO_HEADER.toLowerCase()) ?? '';
            const urls = unique(origins.flatMap(origin => listTwilioUrls(`${origin}${target}`)));
            const isRight = urls.some(url => secrets_isSame(given, signer_sign(algorithm, secret, [url, content], 'base64')));
            return isRight ? signer_RIGHT : signer_MISMATCH;
        },
        sign: request => {
            const algorithm = findAlgorithm(whole_request_readValue(request.rawHeaders, TWILIO_SETTINGS) ?? '') ?? 'sha1';
            const content = readContent(request);
            const url = `${request.origins[0] ?? ''}${request.target}`;
            const parts = [url, typeof content === 'string' ? content : ''];
            return [[TWILIO_HEADER, signer_sign(algorithm, secret, parts, 'base64')]];
        },
        findDeliveryId: ({ rawHeaders }) => whole_request_readValue(rawHeaders, 'i-twilio-idempotency-token'),
    };
}
function findAlgorithm(settings) {
    const parts = settings.split(',').map(part => part.split('=').map(text => text.trim()));
    const [, name = ''] = parts.find(([key, value]) => key === 'algorithm' && value) ?? [];
    switch (name.toUpperCase()) {
        case '':
        case 'HMAC_SHA1':
            return 'sha1';
        case 'HMAC_SHA256':
            return 'sha256';
        default:
            return undefined;
    }
}
/** What is signed behind the URL; a verdict if the body is not what the URL says, or is not covered. */
function readContent({ rawHeaders, target, body }) {
    if (target.includes('bodySHA256')) {
        const query = target.includes('?') ? target.slice(target.indexOf('?') + 1) : '';
        const wanted = parseForm(query).get('bodySHA256') ?? '';
        return secrets_isSame((0,external_node_crypto_.hash)('sha256', body, 'hex'), wanted)
            ? ''
            : { kind: 'malformed', reason: 'its body is not the one whose SHA-256 is in its URL (bodySHA256)' };
    }
    if (body.length === 0)
        return '';
    const type = whole_request_readValue(rawHeaders, 'content-type') ?? '';
    if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type))
        return {
            kind: 'malformed',
            reason: 'its body is not a form, and its URL has no bodySHA256: the signature would not cover the body',
        };
    return renderForm(parseForm(body.toString('utf8')));
}
/** URLSearchParams drops a question mark at the start of its text; here it belongs to the first name. */
function parseForm(text) {
    return new URLSearchParams(`?${text}`);
}
/**
 * Each name with its values, sorted; a value that is there twice counts once, as in Twilio's own library. Strangers send
 * forms of a hundred thousand names: to look for the values of each would block the gateway for minutes.
 */
function renderForm(form) {
    const fields = new Map();
    for (const [name, value] of form)
        fields.set(name, (fields.get(name) ?? new Set()).add(value));
    return [...fields.keys()]
        .sort()
        .flatMap(name => [...(fields.get(name) ?? [])].sort().map(value => `${name}${value}`))
        .join('');
}
/**
 * The URLs that Twilio's own library tries (twilio-node 6, `validateRequest`): as received, and as `URL` and the old
 * `querystring` write it, each with and without its port.
 */
function listTwilioUrls(url) {
    const normalised = URL.parse(url)?.href ?? url;
    const normalisedTwice = [removePort(normalised), addPort(normalised)];
    return [removePort(url), addPort(url), ...normalisedTwice, ...normalisedTwice.map(rewriteQuery)];
}
const AUTHORITY = /^(https?):\/\/(\[[^\]]*\]|[^/?#:]*)(:\d+)?/i;
function removePort(url) {
    return url.replace(AUTHORITY, '$1://$2');
}
function addPort(url) {
    return url.replace(AUTHORITY, (_, scheme, host, port) => `${scheme}://${host}${port ?? (scheme.toLowerCase() === 'https' ? ':443' : ':80')}`);
}
function rewriteQuery(url) {
    const start = url.indexOf('?');
    if (start === -1 || start === url.length - 1)
        return url;
    return `${url.slice(0, start)}?${(0,external_node_querystring_.stringify)((0,external_node_querystring_.parse)(url.slice(start + 1)))}`;
}
function unique(texts) {
    return [...new Set(texts)];
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/verify/providers.js
// The table of providers: how each one signs, and what a rule for it must know. Used by verifier.ts and parse-rules.ts.



const providers_PROVIDERS = {
    github: { title: 'GitHub', open: signGitHub },
    stripe: {
        title: 'Stripe',
        open: signStripe,
        findSecretProblem: secret => /^(?:sk|rk|pk)_/.test(secret)
            ? "is an API key: take the endpoint's signing secret, which begins with whsec_"
            : undefined,
        // 'URLs in livemode must begin with "https://"', its API says; test mode takes http.
        httpsOnly: 'webhooks of live mode',
    },
    slack: {
        title: 'Slack',
        open: signSlack,
        findSecretProblem: secret => /^xox[a-z]-|^xapp-/.test(secret)
            ? "is a token: take the app's Signing Secret, under Basic Information"
            : undefined,
        httpsOnly: 'webhooks',
    },
    'standard-webhooks': {
        title: 'Standard Webhooks',
        open: signStandardWebhooks,
        findSecretProblem: findBase64Problem,
    },
    shopify: { title: 'Shopify', open: signShopify, httpsOnly: 'webhooks' },
    twilio: { title: 'Twilio', open: signTwilio },
    square: { title: 'Square', open: signSquare, httpsOnly: 'webhooks' },
};
function openSigner(rule) {
    switch (rule.provider) {
        case 'hmac-sha256':
            return signBody(rule.secret, 'sha256', rule);
        case 'hmac-sha1':
            return signBody(rule.secret, 'sha1', rule);
        default:
            return providers_PROVIDERS[rule.provider].open(rule.secret);
    }
}
function findBase64Problem(secret) {
    if (/^wh[ps]k_/.test(secret))
        return 'is a key of a key pair (v1a), which is not supported: take the one that begins with whsec_';
    const encoded = stripPrefix(secret);
    // The library of Standard Webhooks takes a missing padding, and nothing else that is not base64.
    const isBase64 = /^[A-Za-z\d+/]{2,}={0,2}$/.test(encoded) && encoded.replace(/=+$/, '').length % 4 !== 1;
    return isBase64 ? undefined : 'is not base64, with or without whsec_ before it';
}

;// CONCATENATED MODULE: ./build/js/gateway/webhooks/verify/parse-rules.js
// Turns the text of `verify` into rules. Used by inputs/webhooks.ts, and by exposure/signature-check.ts for a rule that is
// given to the control API or the command line. No message contains a secret, nor a word that may be a part of one.





const parse_rules_OPTIONS = (/* unused pure expression or super */ null && (['header', 'encoding', 'prefix', 'separator', 'handshake']));
const parse_rules_EXAMPLE = 'write PROVIDER PATH SECRET, like github /webhooks/github SECRET';
/** One rule a line; empty lines and those that begin with # are skipped. Throws an InputError with every problem. */
function parse_rules_parseRules(text) {
    const problems = [];
    const rules = [];
    const seen = new Map();
    for (const line of splitLines(text)) {
        const fail = (problem) => problems.push(`\`verify\`, line ${line.number}${problem}`);
        try {
            const rule = parseRule(line);
            const key = JSON.stringify([rule.provider, rule.path, rule.secret]);
            const before = seen.get(key);
            if (before !== undefined)
                fail(` (${rule.provider} ${rule.path}): it is the same rule as line ${before}`);
            else
                rules.push(rule);
            seen.set(key, line.number);
        }
        catch (error) {
            if (!(error instanceof RuleError))
                throw error;
            fail(error.message);
        }
    }
    if (problems.length > 0)
        throw new InputError(problems);
    return rules;
}
/**
 * The texts of all lines that are secrets, or may be parts of one that is written wrongly: to be masked before anything
 * is printed. Never throws.
 */
function listRuleSecrets(text) {
    return splitLines(text).flatMap(({ provider, path, secret, options }) => [
        ...(isPlainWord(provider) ? [] : [provider]),
        ...(path.startsWith('/') && secret !== '' ? [] : [path]),
        secret,
        ...options.filter(option => !isOption(option)),
    ]);
}
/** The rule, for any path. Throws an InputError. */
function makeRule({ provider, secret, options }) {
    const words = Object.entries(options).map(([name, value]) => `${name}=${value}`);
    try {
        return parseRule({ number: 0, provider, path: '/**', secret: secret.trim(), options: words });
    }
    catch (error) {
        if (error instanceof RuleError)
            throw new InputError(`the rule${error.message}`);
        throw error;
    }
}
class RuleError extends (/* unused pure expression or super */ null && (Error)) {
}
function splitLines(text) {
    return text.split('\n').flatMap((line, index) => {
        const words = splitWords(line);
        const [provider = '', path = '', third = ''] = words;
        if (provider === '' || provider.startsWith('#'))
            return [];
        // An expression without a value leaves no word, and the first option takes its place.
        const isMissing = !line.includes('"') && isOption(third);
        const secret = isMissing ? '' : third;
        return [{ number: index + 1, provider, path, secret, options: words.slice(isMissing ? 2 : 3) }];
    });
}
/** A word, or one in double quotes with `\"` and `\\` in it; the value of an option may be quoted too. */
const WORD = /((?:header|encoding|prefix|separator|handshake)=)?"((?:[^"\\]|\\.)*)"(?=\s|$)|(\S+)/g;
function splitWords(line) {
    return [...line.matchAll(WORD)].map(([, name = '', quoted, plain]) => quoted === undefined ? (plain ?? '') : `${name}${quoted.replaceAll(/\\(.)/g, '$1')}`);
}
function isOption(word) {
    return parse_rules_OPTIONS.some(name => word.startsWith(`${name}=`));
}
/** A word that nobody uses as a secret, so that a message may show it. */
function isPlainWord(word) {
    return /^(?:[a-z][a-z-]{0,19}|hmac-sha\d+)$/i.test(word);
}
/** Throws a RuleError, whose message goes behind "`verify`, line N". */
function parseRule({ provider, path, secret, options: words }) {
    const word = provider.toLowerCase();
    const named = NAMED_PROVIDERS.find(name => name === word);
    const hmac = HMAC_PROVIDERS.find(name => name === word);
    const known = named ?? hmac;
    if (known === undefined)
        throw new RuleError(describeUnknown(word));
    if (!path.startsWith('/'))
        throw new RuleError(` (${known}): there is no path that begins with / behind it: ${parse_rules_EXAMPLE}`);
    if (secret === '')
        throw new RuleError(` (${known}): the secret is empty: is the secret that it comes from set? If the provider shows it only after a first request succeeded, list the path in \`public-paths\` until then (docs/verify.md)`);
    const fail = (problem) => new RuleError(` (${known} ${path}): ${problem}`);
    const problem = findPatternProblem(path);
    if (problem !== undefined)
        throw fail(`the path ${problem}: write a pattern like /webhooks/github`);
    if (/^".*[^"]$|^"$/.test(secret))
        throw fail('the quotation mark before the secret is not closed');
    const options = parseOptions(words, fail);
    const handshakes = parseHandshakes(options.handshake, fail);
    if (hmac !== undefined)
        return { provider: hmac, path, secret, handshakes, ...parseFormat(hmac, options, fail) };
    if (named === undefined)
        throw new RuleError(describeUnknown(word));
    const superfluous = parse_rules_OPTIONS.find(name => name !== 'handshake' && options[name] !== undefined);
    if (superfluous !== undefined)
        throw fail(`\`${superfluous}\` is only for ${HMAC_PROVIDERS.join(' and ')}: leave it out`);
    const wrong = PROVIDERS[named].findSecretProblem?.(secret);
    if (wrong !== undefined)
        throw fail(`the secret ${wrong}`);
    return { provider: named, path, secret, handshakes };
}
function parseOptions(words, fail) {
    const options = {};
    for (const word of words) {
        const name = parse_rules_OPTIONS.find(one => word.startsWith(`${one}=`));
        if (name === undefined)
            throw fail(describeUnknownOption(word));
        if (options[name] !== undefined)
            throw fail(`\`${name}\` is given twice`);
        options[name] = word.slice(name.length + 1);
    }
    return options;
}
/** The word may be a part of the secret, so only what was probably meant is shown. */
function describeUnknownOption(word) {
    const meant = word.includes('=') ? findNearest(word.slice(0, word.indexOf('=')), parse_rules_OPTIONS) : undefined;
    return meant === undefined
        ? `there is something behind the secret that is not an option (${parse_rules_OPTIONS.map(name => `${name}=…`).join(', ')}): put a secret with spaces in double quotes`
        : `there is an option that is not known: did you mean ${meant}=…?`;
}
function parseHandshakes(text, fail) {
    if (text === undefined)
        return [];
    const words = text.split(',').map(word => word.trim().toLowerCase());
    const handshakes = words.filter(isUnsigned);
    if (handshakes.length < words.length)
        throw fail(`\`handshake\` is '${text}': write ${UNSIGNED_HANDSHAKES.join(', ')}, or several with commas between them`);
    return [...new Set(handshakes)];
}
function parseFormat(provider, options, fail) {
    const { header = '', encoding: encodingText = 'hex', prefix = '', separator = '' } = options;
    if (header === '')
        throw fail(`it does not say which header has the signature: write ${provider} PATH SECRET header=X-Signature encoding=hex`);
    // RFC 9110, 5.6.2.
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(header))
        throw fail('`header` is not the name of a header');
    const encoding = ENCODINGS.find(one => one === encodingText.toLowerCase());
    if (encoding === undefined)
        throw fail(`\`encoding\` is '${encodingText}': write ${ENCODINGS.join(' or ')}`);
    return { header, encoding, prefix, separator };
}
/** What people write who know a provider by another name → the rule for it. */
const OTHER_NAMES = {
    svix: 'standard-webhooks PATH SECRET',
    gitea: 'hmac-sha256 PATH SECRET header=X-Gitea-Signature',
    meta: 'hmac-sha256 PATH SECRET header=X-Hub-Signature-256 prefix=sha256= handshake=meta',
    facebook: 'hmac-sha256 PATH SECRET header=X-Hub-Signature-256 prefix=sha256= handshake=meta',
    whatsapp: 'hmac-sha256 PATH SECRET header=X-Hub-Signature-256 prefix=sha256= handshake=meta',
    linear: 'hmac-sha256 PATH SECRET header=Linear-Signature',
    dropbox: 'hmac-sha256 PATH SECRET header=X-Dropbox-Signature handshake=dropbox',
};
function describeUnknown(word) {
    const shown = isPlainWord(word) ? `: '${word}' is not a provider` : ': it does not begin with a provider';
    const other = Object.hasOwn(OTHER_NAMES, word) ? OTHER_NAMES[word] : findNearest(word, NAMED_PROVIDERS);
    if (other !== undefined)
        return `${shown}: did you mean ${other}?`;
    return `${shown}: write one of ${NAMED_PROVIDERS.join(', ')}, or for any other ${HMAC_PROVIDERS.join(' or ')}`;
}
/** The one that needs fewest changes, if these are few. */
function findNearest(word, names) {
    const ranked = names
        .map(name => ({ name, changes: countChanges(word.toLowerCase().slice(0, 30), name) }))
        .sort((a, b) => a.changes - b.changes);
    return ranked.find(({ name, changes }) => changes <= Math.max(1, Math.floor(name.length / 3)))?.name;
}
/** Letters to insert, remove or replace (Levenshtein distance). */
function countChanges(from, to) {
    let row = [...Array(to.length + 1).keys()];
    for (const [index, letter] of [...from].entries()) {
        const next = [index + 1];
        for (const [column, wanted] of [...to].entries())
            next.push(Math.min((next[column] ?? 0) + 1, (row[column + 1] ?? 0) + 1, (row[column] ?? 0) + (letter === wanted ? 0 : 1)));
        row = next;
    }
    return row.at(-1) ?? 0;
}

;// CONCATENATED MODULE: ./build/js/inputs/webhooks.js
// The inputs about webhooks: which requests are recorded, whether they are kept while the app is away, what people see of
// them, and which must be signed. Used by inputs.






// For step/, which masks them before the inputs are parsed.

const DEFAULT_CAPTURE = 'auto';
/**
 * Notes every problem in `problems`; throws if there is one. `publicPaths` is undefined if they could not be read: then
 * their own problem is reported.
 */
function webhooks_parseWebhookInputs(read, { protocol, publicPaths, problems }) {
    const verify = problems.check(() => parseRules(read('verify')));
    const exempt = [...(publicPaths ?? []), ...(verify.known ?? []).map(({ path }) => path)];
    const capture = problems.check(() => parseCapture(read('capture'), exempt));
    const queue = problems.check(() => parseBoolean(read('queue').trim(), 'queue', true));
    const redact = problems.check(() => parseBoolean(read('redact').trim(), 'redact', true));
    if (protocol === 'tcp')
        checkUnused(read, problems);
    return { capture: capture.value, queue: queue.value, redact: redact.value, verify: verify.value };
}
/** With `protocol: tcp` there are no requests. `capture: none` says the same, and is allowed. */
function checkUnused(read, problems) {
    const check = (input, fallback, why) => {
        const given = read(input).trim();
        const isNone = input === 'capture' && given.toLowerCase() === 'none';
        if (!isNone)
            problems.check(() => checkTcpUse(input, given, fallback, why));
    };
    check('capture', DEFAULT_CAPTURE, 'there are no requests to record');
    check('queue', 'true', 'there are no requests to keep');
    check('verify', '', 'there are no requests to check');
    check('redact', 'true', 'there are no requests to show');
}
/** `auto`: the paths that need no key, or, without any, every request that may change something. */
function parseCapture(text, exempt) {
    const word = text.trim().toLowerCase();
    if (word === 'none')
        return { kind: 'none' };
    if (word !== '' && word !== DEFAULT_CAPTURE)
        return { kind: 'paths', patterns: parsePatterns(text, 'capture') };
    return exempt.length > 0 ? { kind: 'paths', patterns: [...new Set(exempt)] } : { kind: 'unsafe methods' };
}
/** Shorter secrets are easily guessed, and masking one blanks out the same letters elsewhere in the log. */
const MIN_SECRET_LENGTH = 8;
/** One warning for each provider that needs https while the link has none, and for each secret that is too short. */
function webhooks_listVerifyWarnings(rules, tunnel) {
    const { servers, publicUrl } = tunnel;
    const isPlain = servers.some(({ address }) => renderPublicUrl(publicUrl, address.host, SAMPLE_PORT).startsWith('http:'));
    const used = NAMED_PROVIDERS.filter(name => rules.some(({ provider }) => provider === name));
    const demanding = used
        .map(name => PROVIDERS[name])
        .filter(({ httpsOnly }) => isPlain && httpsOnly !== undefined);
    const short = rules.filter(({ secret }) => secret.length < MIN_SECRET_LENGTH);
    return [
        ...demanding.map(({ title, httpsOnly }) => `${title} sends ${httpsOnly} to https addresses only, and the link has plain http: set \`tls-cert\`, or put a proxy with https in front and set \`public-url\` to https://…`),
        ...short.map(({ provider, path }) => `the secret of \`verify\` for ${provider} ${path} is shorter than ${MIN_SECRET_LENGTH} characters: it is easily guessed`),
    ];
}

;// CONCATENATED MODULE: ./build/js/inputs/inputs.js
// Turns the text of the inputs into checked values. All problems are reported together, and an empty string means "not
// given". The action's inputs and the command line's flags pass through the same checks.















/** Shorter secrets are easily guessed, and the runner does not mask them reliably. */
const inputs_MIN_SECRET_LENGTH = 8;
/** Every input that `action.yml` declares, with its default; a test compares the two. */
const INPUT_DEFAULTS = {
    path: '.',
    mode: 'auto',
    port: '',
    command: '',
    args: '',
    env: '',
    'wasmrun-version': '',
    cache: 'true',
    vm: 'auto',
    browser: '',
    spa: 'false',
    'base-path': 'auto',
    'cross-origin-isolation': 'false',
    protocol: 'http',
    'health-path': values_DEFAULT_HEALTH_PATH,
    'host-header': 'auto',
    'startup-timeout': values_DEFAULT_STARTUP_TIMEOUT,
    'stop-timeout': values_DEFAULT_STOP_TIMEOUT,
    server: 'bore.pub',
    secret: '',
    'remote-port': 'auto',
    'port-range': DEFAULT_PORT_RANGE,
    'public-url': public_url_PLAIN_PUBLIC_URLS.http,
    'trusted-proxy': 'false',
    'tls-cert': '',
    'tls-key': '',
    access: 'auto',
    'access-key': '',
    'basic-auth': '',
    'public-paths': '',
    capture: 'auto',
    queue: 'true',
    redact: 'true',
    verify: '',
    inspector: 'false',
    'max-body': DEFAULT_MAX_BODY,
    compress: 'true',
    hold: 'false',
    duration: '',
    'idle-timeout': '',
    'github-token': '',
    comment: 'true',
    deployment: 'false',
    name: '',
    'pr-number': '',
    'allow-untrusted-head': 'false',
    'fail-on-error': 'true',
    'log-level': 'info',
};
/**
 * Checks every input; throws one InputError with all problems. Relative paths are resolved against `base`.
 * `inForeground`: the caller waits for the end of the preview by itself, without `hold`.
 */
function parseInputs(read, environment, base, { inForeground = false } = {}) {
    const problems = new Problems();
    const text = (name) => read(name).trim();
    const boolean = (name, fallback) => problems.check(() => parseBoolean(text(name), name, fallback));
    const wanted = problems.check(() => parseChoice(text('protocol') || 'http', 'protocol', PROTOCOLS));
    const protocol = wanted.known ?? 'http';
    const app = problems.check(() => parseAppInputs(read, { environment, base, protocol, problems }));
    const tunnel = problems.check(() => parseTunnelInputs(read, protocol, problems));
    const gateway = problems.check(() => parseGatewayInputs(read, protocol, problems));
    const webhooks = problems.check(() => parseWebhookInputs(read, { protocol, publicPaths: gateway.known?.publicPaths, problems }));
    const tls = problems.check(() => parseTlsInputs(read, { protocol, tunnel, problems }));
    const trustedProxy = problems.check(() => parseTrustedProxy(text('trusted-proxy'), { protocol, tunnel, tls }));
    const inspector = problems.check(() => parseInspector(text('inspector'), { protocol, tunnel: tunnel.known }));
    const lifetime = problems.check(() => parseLifetime(read, inForeground));
    const prNumber = problems.check(() => parseWholeNumber(text('pr-number') || undefined, 'pr-number', 1, 2 ** 31));
    const comment = boolean('comment', true);
    const deployment = boolean('deployment', false);
    const cache = boolean('cache', true);
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
        trustedProxy: trustedProxy.value,
        webhooks: webhooks.value,
        inspector: inspector.value,
        ...lifetime.value,
        prNumber: prNumber.value,
        comment: comment.value,
        deployment: deployment.value,
        cache: cache.value,
        failOnError: failOnError.value,
        name: text('name') || undefined,
        logLevel: logLevel.value,
        warnings: [
            ...app.value.warnings,
            ...listWebWarnings(app.value, publicTunnel),
            ...listWarnings(tunnel.value, gateway.value),
            ...listLifetimeWarnings(lifetime.value),
            ...listHttpsWarnings(publicTunnel),
            ...listVerifyWarnings(webhooks.value.verify, publicTunnel),
            ...(tls.value ? listTlsWarnings(tls.value, lifetime.value.durationMs) : []),
        ],
    };
}
function listWarnings(tunnel, { access }) {
    const { servers, publicUrl } = tunnel;
    const secrets = servers.flatMap(({ secret }) => secret ?? []);
    const shown = [publicUrl, ...servers.map(({ address }) => address.host)].join(' ');
    return [
        ...(secrets.some(secret => secret.length < inputs_MIN_SECRET_LENGTH)
            ? [
                `the secret is shorter than ${inputs_MIN_SECRET_LENGTH} characters: it is easily guessed, and the runner masks it wherever the same characters occur`,
            ]
            : []),
        ...(access.kind === 'basic' && access.password.length < inputs_MIN_SECRET_LENGTH
            ? [
                `the password of \`basic-auth\` is shorter than ${inputs_MIN_SECRET_LENGTH} characters: it is easily guessed`,
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
    ];
}

;// CONCATENATED MODULE: ./build/js/demo/pull-request.js
// The pull request that the demo previews: as its page shows it, as the server that plays GitHub knows it, and as the
// event of the run describes it. Used by the demo's story.
const PULL = {
    repository: 'octo/app',
    number: 7,
    title: 'Draw the picture in WebAssembly',
    author: 'mona',
    branch: 'julia-set',
    base: 'main',
    commit: '8f3c1e9ad27b60415c9e0b7f4a6d8e2153f7c0aa',
    body: 'The picture is now computed by a WebAssembly module. Please have a look at it before we merge.',
};
const pull_request_HEAD = { sha: PULL.commit, ref: PULL.branch, repo: { full_name: PULL.repository } };
const PULL_ON_GITHUB = {
    number: PULL.number,
    state: 'open',
    head: pull_request_HEAD,
    base: { sha: '2b7d40f1c85ea3960d1f7be4926ac05d83e1f6b9', ref: PULL.base },
    title: PULL.title,
    login: PULL.author,
};
/** The repository is private, so that the preview's link gets a key. */
const PULL_EVENT = {
    pull_request: { number: PULL.number, state: 'open', head: pull_request_HEAD, base: { ref: PULL.base } },
    repository: { full_name: PULL.repository, private: true },
};

;// CONCATENATED MODULE: ./build/js/demo/webhook.js
// Sends webhooks to the preview as GitHub would, signed or not. Used by the demo's story.

/** The path of the preview that takes them, and that its `verify` rule is for. */
const WEBHOOK_PATH = '/webhooks/github';
const TIMEOUT_MS = 10_000;
/** Resolves with the HTTP status, or with what went wrong. */
async function sendWebhook(options) {
    const { url, secret, repository, pullRequest } = options;
    const event = { action: 'labeled', number: pullRequest, repository: { full_name: repository } };
    const body = JSON.stringify(event);
    const headers = {
        'Content-Type': 'application/json',
        'User-Agent': 'GitHub-Hookshot/demo',
        'X-GitHub-Delivery': (0,external_node_crypto_.randomUUID)(),
        'X-GitHub-Event': 'pull_request',
    };
    if (secret !== undefined)
        headers['X-Hub-Signature-256'] = `sha256=${(0,external_node_crypto_.createHmac)('sha256', secret).update(body).digest('hex')}`;
    try {
        const signal = AbortSignal.timeout(TIMEOUT_MS);
        const response = await fetch(`${url}${WEBHOOK_PATH}`, { method: 'POST', headers, body, signal });
        await response.text();
        return response.status;
    }
    catch {
        return 'no answer';
    }
}

;// CONCATENATED MODULE: ./build/js/demo/plan.js
// The workflow of the demo, and the job of one of its runs. Used by the demo's story.




/** The workflow's job: the preview has its name. */
const JOB = 'app';
/** Below the ports that the kernel gives to connections: one of them could have the preview's port after an outage. */
const PORT_RANGE = '20000-29999';
/** GitHub's id of the run that the page shows as `number`. */
function idOfRun(number) {
    return String(100 + number);
}
/** What the workflow gives. `address` and `secret`: the bore server's. */
function listInputs(app, given) {
    return {
        ...app.inputs,
        server: given.address,
        secret: given.secret,
        'port-range': PORT_RANGE,
        verify: `github ${WEBHOOK_PATH} ${given.webhookSecret}`,
        hold: '30m',
        deployment: 'true',
        'github-token': given.token,
    };
}
/** `apiUrl`: of the server that plays GitHub. */
function planRun({ root, tempFolder, machine, environment, app, toolCache, serverUrl }, run) {
    return {
        root,
        tempFolder,
        machine,
        inputs: { ...INPUT_DEFAULTS, ...run.inputs },
        eventName: 'pull_request',
        event: PULL_EVENT,
        environment: {
            ...environment,
            GITHUB_JOB: JOB,
            GITHUB_RUN_ID: idOfRun(run.number),
            GITHUB_SERVER_URL: serverUrl,
            GITHUB_HEAD_REF: PULL.branch,
            GITHUB_REF: `refs/pull/${PULL.number}/merge`,
            GITHUB_ACTOR: PULL.author,
            RUNNER_TOOL_CACHE: toolCache,
            RUNNER_TRACKING_ID: `demo_${(0,external_node_crypto_.randomBytes)(8).toString('hex')}`,
        },
        apiUrl: run.apiUrl,
        checkout: app.checkout,
    };
}

// EXTERNAL MODULE: external "node:buffer"
var external_node_buffer_ = __nccwpck_require__(4573);
;// CONCATENATED MODULE: ./build/js/shared/request-json.js
// A captured request as JSON: what the control API sends and requests-file holds. One schema for both ends.


const DeliverySchema = object({
    queued_at: string(),
    attempts: number(),
    delivered_at: nullable(string()),
    /** The app's answer. */
    status: nullable(number()),
    duration_ms: nullable(number()),
    dropped_at: nullable(string()),
    /** Why it is not delivered any more. */
    dropped: nullable(string()),
});
const RequestMessageSchema = object({
    id: number(),
    received_at: string(),
    method: string(),
    target: string(),
    http_version: string(),
    /** The IP address of its sender; null without `trusted-proxy`. */
    visitor_address: nullable(string()),
    /** In the order and the case in which they came. */
    headers: array(tuple([string(), string()])),
    /** Text if the bytes are valid UTF-8, otherwise base64; null if it was left out. */
    body: nullable(string()),
    body_encoding: nullable(picklist(['utf8', 'base64'])),
    /** Length of the whole body, or as much as has come. Redaction may change the length of `body`. */
    body_bytes: number(),
    /** Whether only the beginning of the body was kept. */
    body_cut: dist_boolean(),
    refusal: nullable(string()),
    /** The provider of the `verify` rule whose secret has signed it. */
    verified: nullable(string()),
    /** Which handshake it is; null for a delivery. */
    handshake: nullable(string()),
    /** Id of the first request that carried the same delivery. */
    duplicate_of: nullable(number()),
    /** What went wrong after it was let in. */
    problem: nullable(string()),
    /** Null while there is no answer, and if the sender left before it. */
    status: nullable(number()),
    duration_ms: nullable(number()),
    /** Whether its answer was sent, or its sender is gone: nothing more happens on its connection. */
    finished: dist_boolean(),
    /** Null unless the app was away when it came. */
    delivery: nullable(DeliverySchema),
    /** The id of the request that was sent again; null if this is no replay. */
    replay_of: nullable(number()),
});
/** `withBody: false` leaves the body out. */
function describeRequest(request, { withBody } = { withBody: true }) {
    const { rawHeaders, answer } = request;
    return {
        id: request.id,
        received_at: request.receivedAt.toISOString(),
        method: request.method,
        target: request.target,
        http_version: request.httpVersion,
        visitor_address: request.visitorAddress ?? null,
        headers: pairUp(rawHeaders),
        ...(withBody ? describeBody(request.body, request.bodyBytes) : { body: null, body_encoding: null }),
        body_bytes: request.bodyBytes,
        body_cut: request.body.length < request.bodyBytes,
        refusal: request.refusal ?? null,
        verified: request.verified ?? null,
        handshake: request.handshake ?? null,
        duplicate_of: request.duplicateOf ?? null,
        problem: request.problem ?? null,
        status: answer?.status ?? null,
        duration_ms: answer?.durationMs ?? null,
        finished: request.isFinished,
        delivery: request.delivery === undefined ? null : describeDelivery(request.delivery),
        replay_of: request.replayOf ?? null,
    };
}
function describeDelivery({ queuedAt, attempts, outcome, }) {
    const delivered = outcome.kind === 'delivered' ? outcome : undefined;
    const dropped = outcome.kind === 'dropped' ? outcome : undefined;
    return {
        queued_at: queuedAt.toISOString(),
        attempts,
        delivered_at: delivered?.at.toISOString() ?? null,
        status: delivered?.status ?? null,
        duration_ms: delivered?.durationMs ?? null,
        dropped_at: dropped?.at.toISOString() ?? null,
        dropped: dropped?.reason ?? null,
    };
}
/** Text if the bytes are valid UTF-8, otherwise base64. `wholeBytes`: of the body, if `body` is only its beginning. */
function describeBody(body, wholeBytes = body.length) {
    const text = body.length < wholeBytes ? dropPartOfCharacter(body) : body;
    return isUtf8(text)
        ? { body: text.toString('utf8'), body_encoding: 'utf8' }
        : { body: body.toString('base64'), body_encoding: 'base64' };
}
/** Without the last bytes if they are the beginning of a character (RFC 3629, 3): the text was cut off there. */
function dropPartOfCharacter(text) {
    for (let back = 1; back <= 3; back += 1) {
        const byte = text[text.length - back] ?? 0;
        if (byte >= 0x80 && byte < 0xc0)
            continue;
        const length = byte > 0xf4 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
        return length > back ? text.subarray(0, -back) : text;
    }
    return text;
}
function pairUp(raw) {
    const pairs = [];
    for (let index = 0; index + 1 < raw.length; index += 2)
        pairs.push([raw[index] ?? '', raw[index + 1] ?? '']);
    return pairs;
}

;// CONCATENATED MODULE: ./build/js/supervisor/session-folder.js
// The folder of one exposure on this machine. Main, post, stop and the `expose` command find the exposure through it.
//
//   expose-XXXXXX/   0700, in RUNNER_TEMP or the system's temp folder
//     session.json   how to reach it (0600: it holds the control token)
//     journal        every process it started
//     expose.log     its log
//     outcome.json   its last state and history, written when it ends; until then blanks, which reserve the space
//     latest.json    the same while it lives, half a minute old at most, for the case that it is killed
//     requests.ndjson  the captured requests (0600)
//     bin/           the `expose` command for later steps
//     app/           whatever the app needs: staged copy, profile of the browser
//     wasmrun/       a wasmrun from the runner's cache service





const PREFIX = 'expose-';
/** How many previews a message names. */
const MAX_NAMED = 10;
/**
 * Enough for any last state: it has up to twenty lines of the app, of 1,000 characters of up to six bytes each, and a
 * history with about a hundred texts of 200 such characters.
 */
const OUTCOME_BYTES = (/* unused pure expression or super */ null && (320 * 1024));
const SessionSchema = object({
    /** What people see; not unique. */
    name: string(),
    pid: number(),
    startTime: string(),
    controlUrl: pipe(string(), regex(/^http:\/\/127\.0\.0\.1:\d{1,5}$/)),
    controlToken: string(),
});
/** The files of a session folder. */
function sessionFiles(folder) {
    return {
        session: (0,external_node_path_.join)(folder, 'session.json'),
        journal: (0,external_node_path_.join)(folder, 'journal'),
        log: (0,external_node_path_.join)(folder, 'expose.log'),
        outcome: (0,external_node_path_.join)(folder, 'outcome.json'),
        latest: (0,external_node_path_.join)(folder, 'latest.json'),
        requests: (0,external_node_path_.join)(folder, 'requests.ndjson'),
        bin: (0,external_node_path_.join)(folder, 'bin'),
        app: (0,external_node_path_.join)(folder, 'app'),
        wasmrun: (0,external_node_path_.join)(folder, 'wasmrun'),
    };
}
/** Makes a folder only this user can enter. */
function createSessionFolder(parent) {
    mkdirSync(parent, { recursive: true });
    const folder = mkdtempSync(join(parent, PREFIX));
    mkdirSync(sessionFiles(folder).app, { mode: 0o700 });
    writeFileSync(sessionFiles(folder).outcome, ' '.repeat(OUTCOME_BYTES), { mode: 0o600 });
    return folder;
}
/** Writes and returns the session of a preview whose API listens. Throws if its folder has one already. */
function writeSession({ folder, name, controlToken }, { pid, startTime }, controlUrl) {
    const session = { name, pid, startTime, controlUrl, controlToken };
    writeFileSync(sessionFiles(folder).session, JSON.stringify(session), { mode: 0o600, flag: 'wx' });
    return session;
}
/** The session of a folder, or undefined if its supervisor never got ready. */
function readSession(folder) {
    return readDocument(sessionFiles(folder).session, SessionSchema);
}
/** A file of the folder as JSON; undefined if it is missing, or not whole. */
function readDocument(file, schema) {
    if (!(0,external_node_fs_namespaceObject.existsSync)(file))
        return undefined;
    try {
        return dist_parse(schema, JSON.parse((0,external_node_fs_namespaceObject.readFileSync)(file, 'utf8')));
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
    const running = meant.filter(isRunning);
    if (wanted && meant.length === 0)
        throw new InputError(`no exposure is called '${wanted}' here; there ${describeList(all.filter(isRunning))}`);
    const candidates = running.length > 0 ? running : meant;
    const [only] = candidates;
    if (only === undefined)
        throw new InputError(`nothing is exposed here (looked for ${join(parent, `${PREFIX}*`)}): start it first`);
    if (candidates.length > 1)
        throw new InputError(`several exposures are here; choose one with \`session\`: there ${describeList(candidates)}`);
    return only;
}
/** False from the end on, even while its process still writes the last comment. */
function isRunning({ folder, session }) {
    return isAlive(session) && readDocument(sessionFiles(folder).outcome, v.object({})) === undefined;
}
/** Whether `wanted` is its `session` output, the folder's path or name, or the name people see, which is not unique. */
function isCalled({ folder, session }, wanted) {
    return [sessionFiles(folder).session, folder, basename(folder), session.name].includes(wanted);
}
/** The sessions whose control API was started, running or ended; a skipped preview leaves none. */
function listSessions(parent) {
    if (!(0,external_node_fs_namespaceObject.existsSync)(parent))
        return [];
    return (0,external_node_fs_namespaceObject.readdirSync)(parent)
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
    const found = (0,external_node_fs_namespaceObject.lstatSync)(folder, { throwIfNoEntry: false });
    return found?.isDirectory() === true && found.uid === process.getuid() && (found.mode & 0o077) === 0;
}
/** The first ones: killed processes leave their folders, and nobody reads hundreds of names. */
function describeList(all) {
    if (all.length === 0)
        return 'are none that run';
    const names = all.slice(0, MAX_NAMED).map(one => `${basename(one.folder)} (${one.session.name})`);
    const left = all.length - names.length;
    return `are ${names.join(', ')}${left > 0 ? ` and ${left} more` : ''}`;
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

;// CONCATENATED MODULE: ./build/js/demo/preview-watch.js
// Follows the preview of a run through its control API: its states and the requests that it records. Used by the demo's
// story.






/** How often the session is looked for while the action starts. */
const LOOK_MS = 100;
/** Waits for the job's session in its temp folder and follows it. Ends with the preview, or with the signal. */
async function watchPreview(temp, listener, signal) {
    const session = await findSession(temp, signal);
    if (session === undefined)
        return;
    listener.onSession(session);
    try {
        for await (const { type, data } of openEvents(session, 'GET /api/events?types=state,request', signal)) {
            if (type === 'state')
                listener.onState(dist_parse(state_json_StateMessageSchema, JSON.parse(data)));
            else if (type === 'request')
                listener.onRequest(dist_parse(RequestMessageSchema, JSON.parse(data)));
        }
    }
    catch {
        // The stream breaks off with the preview.
    }
}
async function findSession(temp, signal) {
    while (!signal.aborted) {
        const [found] = listSessions(temp);
        if (found !== undefined)
            return found.session;
        await (0,external_node_timers_promises_namespaceObject.setTimeout)(LOOK_MS, undefined, { signal }).catch(() => { });
    }
    return undefined;
}

;// CONCATENATED MODULE: ./build/js/demo/runner/log.js
// A step's log as GitHub shows it: the runner's commands in it are obeyed (ActionCommandManager and ActionCommand of
// actions/runner), and what is masked is shown as ***. Used by the demo.
/** Shown with their message, and listed on the run's page. */
const ANNOTATIONS = ['notice', 'warning', 'error'];
/** Obeyed without a trace in the log. */
const SILENT = new Set(['add-mask', 'add-matcher', 'remove-matcher', 'echo', 'save-state', 'set-output']);
class StepLog {
    #step;
    #masks;
    #onLine;
    #rest = '';
    /** Set while commands are not obeyed: the command that ends this. */
    #resume;
    /** `masks`: secrets of the job, to which the step's own are added; shared by the steps of a job. */
    constructor(step, masks, onLine) {
        this.#step = step;
        this.#masks = masks;
        this.#onLine = onLine;
    }
    /** Takes what the step has printed, in pieces of any length. */
    write(text) {
        // A CR at the end may be the first half of a CRLF.
        const lines = `${this.#rest}${text}`.split(/\r\n|\n|\r(?!$)/);
        this.#rest = lines.pop() ?? '';
        for (const line of lines)
            this.#readLine(line);
    }
    /** The step has ended. */
    end() {
        if (this.#rest !== '')
            this.#readLine(this.#rest.replace(/\r$/, ''));
        this.#rest = '';
    }
    /** A line of the runner itself. */
    add(kind, text) {
        this.#onLine({ step: this.#step, at: new Date().toISOString(), kind, text: this.mask(text) });
    }
    mask(text) {
        // The longest first: one mask may be a part of another.
        const masks = [...this.#masks].sort((a, b) => b.length - a.length);
        return masks.reduce((masked, secret) => masked.replaceAll(secret, '***'), text);
    }
    #readLine(line) {
        const command = parseCommand(line);
        if (command === undefined || !this.#obey(command, line))
            this.add('text', line);
    }
    /** False if it is no command at the moment. */
    #obey({ name, data }, line) {
        const annotation = ANNOTATIONS.find(one => one === name);
        if (this.#resume !== undefined) {
            if (name !== this.#resume)
                return false;
            this.#resume = undefined;
            this.add('command', line);
        }
        else if (name === 'stop-commands') {
            this.#resume = data.toLowerCase();
            this.add('command', line);
        }
        else if (name === 'add-mask') {
            for (const secret of data.split(/[\r\n]+/))
                if (secret.trim() !== '')
                    this.#masks.add(secret);
        }
        else if (name === 'group')
            this.add('group', data);
        else if (name === 'endgroup')
            this.add('end of group', '');
        else if (annotation !== undefined)
            this.add(annotation, data);
        else if (name === 'debug')
            return true; // shown only in a run with debug logging
        else
            return SILENT.has(name);
        return true;
    }
}
/** `::name properties::data` at the start of a line, or `##[name properties]data` anywhere in it. */
function parseCommand(line) {
    const trimmed = line.trimStart();
    const end = trimmed.startsWith('::') ? trimmed.indexOf('::', 2) : -1;
    if (end > 0)
        return describeCommand(trimmed.slice(2, end), trimmed.slice(end + 2));
    const [, head, data] = /##\[([^\]]*)\](.*)$/s.exec(line) ?? [];
    return head === undefined ? undefined : describeCommand(head, data ?? '');
}
function describeCommand(head, data) {
    const [name = ''] = head.trim().split(' ');
    return { name: name.toLowerCase(), data: unescapeData(data) };
}
function unescapeData(text) {
    return text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');
}

;// CONCATENATED MODULE: ./build/js/demo/runner/messages.js
// What the demo and its worker tell each other, over the worker's IPC channel. The worker plays `Runner.Worker`: a
// process of its own, as on a real runner, so that nothing stays behind when the demo itself is killed.

const TextSchema = record(string(), string());
/** A job, as the demo orders it. */
const PlanSchema = object({
    root: string(),
    tempFolder: string(),
    machine: object({ PATH: string(), HOME: exactOptional(string()) }),
    inputs: TextSchema,
    eventName: string(),
    event: unknown(),
    environment: TextSchema,
    apiUrl: string(),
    /** Path in the workspace → what is copied there: what a checkout and a build leave. */
    checkout: TextSchema,
});
/** From the demo. `leave`: end at once, without the post step. */
const OrderSchema = variant('order', [
    object({ order: literal('run'), plan: PlanSchema }),
    object({ order: literal('cancel') }),
    object({ order: literal('leave') }),
]);
const EntrySchema = picklist(['main', 'post', 'stop', 'wait']);
/** From the worker. The folders are there until `done`. */
const NewsSchema = variant('news', [
    object({ news: literal('started'), temp: string() }),
    object({ news: literal('text'), entry: EntrySchema, text: string() }),
    object({
        news: literal('ended'),
        entry: EntrySchema,
        code: nullable(number()),
        outputs: TextSchema,
        summary: string(),
    }),
    object({ news: literal('done') }),
]);

;// CONCATENATED MODULE: ./build/js/demo/runner/run.js
// One run of the workflow, in a worker of its own, as the demo sees it. Used by the demo's story.



/** Main is killed after 10 s; post takes less than 30 s. */
const END_TIMEOUT_MS = 45_000;
class WorkflowRun {
    #worker;
    /** Resolves when the job is over and the worker is gone. */
    over;
    /** `script`: the program demo-runner. */
    constructor(script, plan, onNews) {
        // Not in the terminal's process group: Ctrl-C is the demo's, which then cancels the run.
        this.#worker = (0,external_node_child_process_namespaceObject.fork)(script, { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
        this.#worker.on('message', message => onNews(dist_parse(NewsSchema, message)));
        this.#worker.on('error', () => { });
        this.over = new Promise(resolve => {
            this.#worker.once('exit', () => resolve());
        });
        this.#send({ order: 'run', plan });
    }
    /** Cancels the run, as GitHub's button does. Resolves when it is over. */
    async cancel() {
        this.#send({ order: 'cancel' });
        const timer = setTimeout(() => this.#worker.kill('SIGKILL'), END_TIMEOUT_MS);
        await this.over;
        clearTimeout(timer);
    }
    /** Ends it at once, without the post step. */
    async leave() {
        this.#send({ order: 'leave' });
        await this.over;
    }
    #send(order) {
        if (this.#worker.connected)
            this.#worker.send(order);
    }
}

;// CONCATENATED MODULE: ./build/js/demo/views.js
// What the demo's page shows of GitHub, of the preview and of its requests, from what those say themselves. Used by the
// demo's story.

/** Keeps the address that was known `before`, while there is none. */
function describePreview(state, before) {
    const [url, link] = [state.public_url ?? before?.url, state.preview_url ?? before?.link];
    return {
        mode: state.mode,
        phase: state.exposure.phase,
        status: state.status,
        ...(url !== undefined && { url }),
        ...(link !== undefined && { link }),
        visits: state.visits,
        reconnects: state.reconnects,
    };
}
function describeRecorded(request) {
    const { id, received_at, method, target, status, verified, refusal } = request;
    return {
        id,
        at: received_at,
        method,
        target,
        ...(status !== null && { status }),
        ...(verified !== null && { verified }),
        ...(refusal !== null && { refusal }),
    };
}
function views_describeDeployment({ id, environment, statuses }) {
    const { state = 'pending', environmentUrl = '' } = statuses.at(-1) ?? {};
    return { id, environment, state, ...(environmentUrl !== '' && { url: environmentUrl }) };
}
/** The comment's heading, without its marks. */
function readTitle(body) {
    return (/^#+ (.*)$/m.exec(body)?.[1] ?? 'without a title').replaceAll('`', '');
}
/** What the page shows before the first run. */
function describeStart(app) {
    return {
        pull: PULL,
        app: app.description,
        comments: [],
        deployments: [],
        run: { number: 0, phase: 'over', startedAt: new Date().toISOString() },
        server: { address: '', isUp: false },
        events: [],
        deliveries: [],
        recorded: [],
        isOver: false,
    };
}

;// CONCATENATED MODULE: ./build/js/demo/story.js
// The demo's story: a pull request, a workflow run that exposes its app, and what the page's buttons do to it. Tells the
// feed all that happens. Used by demo.ts.












/** More than a person reads in the page's lists; each change sends them whole. */
const MAX_EVENTS = 50;
const MAX_RECORDED = 50;
class Story {
    #options;
    #feed;
    #bore = new DemoBoreServer();
    #webhookSecret = (0,external_node_crypto_.randomBytes)(16).toString('hex');
    #gitHub;
    #run;
    #session;
    #isCancelled = false;
    #isStopped = false;
    constructor(options) {
        this.#options = options;
        this.#feed = options.feed;
    }
    /** Starts the servers and the first run. */
    async start() {
        await this.#bore.start();
        // Other users of this machine can reach the server: it tells and obeys only who has the token.
        const token = `ghs_${(0,external_node_crypto_.randomBytes)(18).toString('hex')}`;
        const state = { repository: PULL.repository, token, isPrivate: true, pulls: [PULL_ON_GITHUB] };
        this.#gitHub = await startGitHubServer(state, () => this.#readGitHub());
        this.#showServer();
        this.#startRun();
    }
    /** Does what a button of the page says, where that makes sense at the moment. */
    act(action) {
        if (this.#isStopped)
            return;
        const { run } = this.#feed.documents;
        switch (action) {
            case 'cut':
                return void this.#cut();
            case 'restore':
                return void this.#bore.restore().then(() => this.#showBack());
            case 'end':
                return void this.#end();
            case 'cancel':
                return void this.#cancel();
            case 'again':
                if (run.phase === 'over')
                    this.#startRun();
                return;
            case 'signed':
            case 'unsigned':
                return void this.#send(action === 'signed');
        }
    }
    /** Cancels the run and stops the servers. */
    async stop() {
        this.#isStopped = true;
        // The end of the preview is easier to follow with a server; the action does not need one.
        await this.#bore.restore();
        this.#cancel();
        await this.#run?.over;
        await this.#close();
    }
    /** The same at once, without the post step. */
    async leave() {
        this.#isStopped = true;
        await this.#run?.leave();
        await this.#close();
    }
    async #close() {
        await Promise.all([this.#bore.stop(), this.#gitHub?.stop()]);
        this.#feed.change({ isOver: true });
    }
    #startRun() {
        const number = this.#feed.documents.run.number + 1;
        const run = { number, phase: 'main', startedAt: new Date().toISOString() };
        const { preview: _, ...rest } = this.#feed.documents;
        this.#feed.replace({ ...rest, run, recorded: [] });
        this.#note(`Workflow run ${number} has started.`);
        this.#isCancelled = false;
        if (this.#gitHub)
            this.#gitHub.state.runs[idOfRun(number)] = {
                attempt: 1,
                event: 'pull_request',
                headSha: PULL.commit,
            };
        const masks = new Set([this.#bore.secret, this.#webhookSecret, this.#gitHub?.state.token ?? '']);
        const logs = new Map();
        const logOf = (entry) => {
            const log = logs.get(entry) ?? this.#openLog(entry, masks);
            logs.set(entry, log);
            return log;
        };
        logOf('main');
        const over = new AbortController();
        const plan = planRun(this.#options, { number, inputs: this.#inputs(), apiUrl: this.#gitHub?.url ?? '' });
        const workflow = new WorkflowRun(this.#options.runnerScript, plan, news => this.#hear(news, logOf, over.signal));
        this.#run = workflow;
        void workflow.over.then(() => {
            over.abort();
            this.#endRun();
        });
    }
    #inputs() {
        const { address, secret } = this.#bore;
        const token = this.#gitHub?.state.token ?? '';
        return listInputs(this.#options.app, { address, secret, webhookSecret: this.#webhookSecret, token });
    }
    /** A step's log begins with lines of the runner: what it runs, with which inputs. */
    #openLog(entry, masks) {
        const log = new StepLog(entry, masks, line => this.#feed.addLine(line));
        if (entry !== 'main')
            return log;
        log.add('group', 'Run wasmrun/expose-action@v1');
        log.add('text', 'with:');
        for (const [name, value] of Object.entries(this.#inputs()))
            log.add('text', `  ${name}: ${value}`);
        log.add('end of group', '');
        return log;
    }
    #hear(news, logOf, signal) {
        switch (news.news) {
            case 'started':
                return void this.#follow(news.temp, signal);
            case 'text':
                return void logOf(news.entry).write(news.text);
            case 'ended':
                logOf(news.entry).end();
                return void this.#endStep(news, logOf(news.entry));
            case 'done':
        }
    }
    #endStep({ entry, code, summary }, log) {
        const { run } = this.#feed.documents;
        const text = `${run.summary ?? ''}${log.mask(summary)}`;
        const shown = text === '' ? run : { ...run, summary: text };
        if (entry !== 'main')
            return void this.#feed.change({ run: shown });
        const conclusion = this.#isCancelled ? 'cancelled' : code === 0 ? 'success' : 'failure';
        this.#feed.change({ run: { ...shown, phase: 'post', conclusion } });
        this.#note('The step has ended. Now its post step cleans up.');
    }
    #endRun() {
        const { run, preview } = this.#feed.documents;
        const conclusion = run.conclusion ?? (this.#isCancelled ? 'cancelled' : 'failure');
        this.#feed.change({
            run: { ...run, phase: 'over', conclusion, endedAt: new Date().toISOString() },
            ...(preview?.phase === 'live' && { preview: { ...preview, phase: 'ended' } }),
        });
        this.#note(`Workflow run ${run.number} is over. No process and no port of it is left on the runner.`);
    }
    #follow(temp, signal) {
        let inspector = '';
        return watchPreview(temp, {
            onSession: session => {
                this.#session = session;
                inspector = renderKeyFragment(session.controlUrl, session.controlToken);
                this.#options.onSession(session);
            },
            onState: state => {
                const { preview } = this.#feed.documents;
                this.#feed.change({ preview: { ...describePreview(state, preview), inspector } });
                this.#options.onState(state);
            },
            onRequest: request => this.#showRequest(request),
        }, signal);
    }
    #showRequest(request) {
        const others = this.#feed.documents.recorded.filter(({ id }) => id !== request.id);
        this.#feed.change({ recorded: [...others, describeRecorded(request)].slice(-MAX_RECORDED) });
    }
    #cancel() {
        if (this.#run === undefined || this.#feed.documents.run.phase === 'over')
            return;
        this.#isCancelled ||= this.#feed.documents.run.phase === 'main';
        void this.#run.cancel();
    }
    /** As `expose stop` does. */
    async #end() {
        // The preview may have ended meanwhile.
        if (this.#session)
            await callControl(this.#session, 'POST /api/stop').catch(() => { });
    }
    async #cut() {
        if (!this.#bore.isUp)
            return;
        const backAt = await this.#bore.cut(() => this.#showBack());
        this.#showServer(new Date(), backAt);
        this.#note('The bore server is down: no visitor can reach the preview.');
    }
    #showBack() {
        if (this.#feed.documents.server.isUp)
            return;
        this.#showServer();
        this.#note('The bore server is back.');
    }
    #showServer(cutAt, backAt) {
        this.#feed.change({
            server: {
                address: this.#bore.address,
                isUp: this.#bore.isUp,
                ...(cutAt && { cutAt: cutAt.toISOString() }),
                ...(backAt && { backAt: backAt.toISOString() }),
            },
        });
    }
    async #send(isSigned) {
        const { preview, deliveries } = this.#feed.documents;
        if (preview?.url === undefined)
            return;
        const delivery = { number: deliveries.length + 1, at: new Date().toISOString(), isSigned };
        this.#feed.change({ deliveries: [...deliveries, delivery] });
        const answer = await sendWebhook({
            url: preview.url,
            secret: isSigned ? this.#webhookSecret : undefined,
            repository: PULL.repository,
            pullRequest: PULL.number,
        });
        this.#feed.change({
            deliveries: this.#feed.documents.deliveries.map(one => one.number === delivery.number ? { ...one, answer } : one),
        });
    }
    /** Looks at what the last request has changed. */
    #readGitHub() {
        const { state } = this.#gitHub ?? {};
        const before = this.#feed.documents;
        const comments = (state?.comments ?? []).map(({ id, login, body }) => {
            const known = before.comments.find(comment => comment.id === id)?.versions ?? [];
            const author = login ?? 'ghost';
            if (known.at(-1)?.body === body)
                return { id, author, versions: known };
            const verb = known.length === 0 ? 'wrote a comment' : 'edited its comment';
            this.#note(`The action ${verb}: ${readTitle(body)}`);
            return { id, author, versions: [...known, { body, at: new Date().toISOString() }] };
        });
        const deployments = (state?.deploymentList ?? []).map(views_describeDeployment);
        if (JSON.stringify([comments, deployments]) !== JSON.stringify([before.comments, before.deployments]))
            this.#feed.change({ comments, deployments });
    }
    #note(text) {
        const event = { at: new Date().toISOString(), text };
        this.#feed.change({ events: [...this.#feed.documents.events, event].slice(-MAX_EVENTS) });
    }
}

;// CONCATENATED MODULE: ./build/js/shared/output.js
// Writes to streams and files that may fail at any moment: a full disk, a closed terminal, a pipe whose reader is gone
// or slow. Used by the programs and by commands/foreground.ts. Nothing here throws, and every 'error' event has a
// listener: otherwise the handler for uncaught errors would run, and try to write again.


/** How much waits for a slow reader. Beyond that, lines are left out, because an app may print without end. */
const MAX_WAITING_BYTES = 1024 * 1024;
const READER_GRACE_MS = 1_000;
/** From now on a failed write to stdout or stderr is not an exception. Called by every process but the page host. */
function tolerateBrokenOutput() {
    for (const stream of [process.stdout, process.stderr])
        stream.on('error', () => { });
}
/**
 * Sets the exit code. The process ends by itself once everything is written, or after a second: if nobody reads a pipe,
 * Node would wait for ever.
 */
function leaveWith(code) {
    process.exitCode = code;
    if (process.stdout.writableLength + process.stderr.writableLength > 0)
        setTimeout(() => process.exit(code), READER_GRACE_MS).unref();
}
/** A stream of lines for a person or a pipe. */
class LineOutput {
    #stream;
    #onLost;
    #onDrain = () => this.#reportSkipped();
    #onError = (error) => {
        if (this.#isLost)
            return;
        this.#isLost = true;
        this.#onLost(errors_describeError(error));
    };
    #skipped = 0;
    #isLost = false;
    /** `onLost` is called once, with the reason, when the stream cannot be written to any more. */
    constructor(stream, onLost = () => { }) {
        this.#stream = stream;
        this.#onLost = onLost;
        stream.on('drain', this.#onDrain).on('error', this.#onError);
    }
    /** Removes the listeners from the stream, which may outlive this. Nothing is to be written afterwards. */
    release() {
        this.#stream.off('drain', this.#onDrain).off('error', this.#onError);
    }
    get isLost() {
        return this.#isLost;
    }
    get isTerminal() {
        return this.#stream.isTTY === true;
    }
    get columns() {
        return this.#stream.columns || 80;
    }
    /** Writes the text as it is, and never leaves it out. */
    write(text) {
        if (!this.#isLost)
            this.#stream.write(text);
    }
    /** Writes a line, or leaves it out if the reader is slow. Once the reader has caught up, a line gives the number. */
    writeLine(line) {
        if (this.#stream.writableLength > MAX_WAITING_BYTES)
            this.#skipped += 1;
        else {
            this.#reportSkipped();
            this.write(`${line}\n`);
        }
    }
    #reportSkipped() {
        if (this.#skipped === 0)
            return;
        const count = this.#skipped;
        this.#skipped = 0;
        this.write(`… ${count} lines left out: they came faster than they were read\n`);
    }
}
/**
 * A log file of limited size, behind a descriptor. What cannot be written is lost and counted; when writing works
 * again, a line says so.
 */
class LogFile {
    #descriptor;
    #maxBytes;
    #onLost;
    #bytes = 0;
    #lost = 0;
    #endsInLine = true;
    /** `onLost` is called each time writing begins to fail. */
    constructor(descriptor, maxBytes, onLost) {
        this.#descriptor = descriptor;
        this.#maxBytes = maxBytes;
        this.#onLost = onLost;
    }
    /** Whether only errors are still written: a noisy app must not fill the runner's disk. */
    get isFull() {
        return this.#bytes > this.#maxBytes;
    }
    writeLine(line, isError) {
        if (this.isFull && !isError)
            return;
        const wasFull = this.isFull;
        if (this.#lost > 0 && this.#append(`(lines missing here: ${this.#lost})\n`))
            this.#lost = 0;
        if (this.#lost > 0 || !this.#append(`${line}\n`))
            this.#lost += 1;
        if (!wasFull && this.isFull)
            this.#append('the log is full; only errors follow\n');
    }
    #append(text) {
        const bytes = Buffer.from(this.#endsInLine ? text : `\n${text}`);
        this.#bytes += bytes.length;
        try {
            const written = writeSync(this.#descriptor, bytes);
            this.#endsInLine = written === bytes.length || bytes[written - 1] === 0x0a;
            if (written < bytes.length)
                throw new Error('no space is left');
            return true;
        }
        catch (error) {
            if (this.#lost === 0)
                this.#onLost(describeError(error));
            return false;
        }
    }
}

;// CONCATENATED MODULE: ./build/js/demo/terminal.js
// What the demo prints: its links, once, then on a terminal one status line that is kept up to date, otherwise a line
// for each change. Used by demo.ts.


/** Goes to the start of a terminal's line, and clears it. */
const CLEAR_LINE = '\r\u001b[2K';
const REDRAW_MS = 1_000;
class DemoTerminal {
    #isJson;
    #out;
    #errors;
    #timer;
    #render;
    #last = '';
    constructor(isJson) {
        this.#isJson = isJson;
        this.#out = new LineOutput(process.stdout, reason => this.#complainOf('standard output', reason));
        this.#errors = new LineOutput(process.stderr, reason => this.#complainOf('standard error', reason));
    }
    /** Lines that stay. */
    print(text) {
        if (this.#isJson)
            this.#errors.writeLine(sanitiseLines(text));
        else
            this.#out.write(`${this.#out.isTerminal ? CLEAR_LINE : ''}${sanitiseLines(text)}\n`);
        this.refresh();
    }
    /** One line of JSON, with --json. */
    printJson(value) {
        if (this.#isJson)
            this.#out.write(`${renderJson(value)}\n`);
    }
    warn(text) {
        if (this.#out.isTerminal)
            this.#out.write(CLEAR_LINE);
        this.#errors.writeLine(sanitise_sanitise(`warning: ${text}`, 1_000));
        this.refresh();
    }
    /** The status line from now on. Without a terminal it should have no clock in it: each change is a line. */
    show(render) {
        this.#render = render;
        if (this.#out.isTerminal)
            this.#timer ??= setInterval(() => this.refresh(), REDRAW_MS);
        this.refresh();
    }
    /** What the status line says has changed. */
    refresh() {
        if (this.#render === undefined || this.#isJson)
            return;
        const line = sanitise_sanitise(this.#render(this.#out.isTerminal), 1_000);
        // A longer line would wrap, and only its last row could be cleared.
        if (this.#out.isTerminal)
            this.#out.write(`${CLEAR_LINE}${line.slice(0, this.#out.columns - 1)}`);
        else if (line !== this.#last)
            this.#out.write(`${line}\n`);
        this.#last = line;
    }
    close() {
        clearInterval(this.#timer);
        if (!this.#isJson && this.#out.isTerminal)
            this.#out.write('\n');
        this.#out.release();
        this.#errors.release();
    }
    #complainOf(name, reason) {
        this.#errors.writeLine(`warning: nobody reads ${name} any more (${reason}); the demo goes on until it is stopped`);
    }
}
/** `name  value` lines, the values in one column. */
function renderRows(rows) {
    const width = Math.max(...rows.map(([name]) => name.length));
    return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
}

;// CONCATENATED MODULE: ./build/js/demo/demo.js
// `expose demo`: everything on this machine. Starts the page and its story, prints the links, and ends all of it on
// Ctrl-C. The program of the same name hands this to the `expose` command.


















/** SIGHUP: the terminal's window was closed. */
const LEAVE_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** 144 bits. */
const KEY_BYTES = 18;
const INSTALL_TIMEOUT_MS = 15 * 60_000;
/** Runs until Ctrl-C. A second one does not wait for the end of the run. */
const runDemo = async (call) => {
    const terminal = new DemoTerminal(call.json);
    const toolCache = call.host.toolCache ?? (0,external_node_path_.join)((0,external_node_os_namespaceObject.homedir)(), '.cache', 'expose-action', 'tools');
    const kind = call.app ?? (isOsReady(call.host, toolCache) ? 'os' : 'web');
    if (call.app === 'os')
        await installWasmrun(call.host, toolCache, terminal);
    const { root, files } = locateFiles(call.script);
    const app = describeApp(kind, root);
    const folder = (0,external_node_fs_namespaceObject.mkdtempSync)((0,external_node_path_.join)(call.host.tempFolder, 'expose-demo-'));
    const feed = new Feed(describeStart(app));
    let story;
    let page;
    const leaving = listenForLeave(async () => {
        await story?.leave();
        await removeFolder(folder);
        process.exit(1);
    });
    try {
        const key = (0,external_node_crypto_.randomBytes)(KEY_BYTES).toString('base64url');
        page = await openPage({ port: call.port, key, files, feed, act: action => story?.act(action) });
        const { link } = page;
        const links = new Links(terminal, link, APPS[kind]);
        story = new Story({
            feed,
            root,
            runnerScript: call.runnerScript,
            tempFolder: folder,
            machine: describeMachine(call),
            environment: selectWasmrunVariables(call.variables),
            toolCache,
            app,
            serverUrl: page.origin,
            onSession: ({ controlUrl, controlToken }) => links.setInspector(renderKeyFragment(controlUrl, controlToken)),
            onState: state => {
                terminal.printJson({ page_url: link, ...state });
                if (state.exposure.phase === 'live' && state.preview_url)
                    links.show(state.preview_url);
            },
        });
        await story.start();
        terminal.show(isTerminal => renderStatus(feed.documents, isTerminal, leaving.isAsked()));
        feed.watch(({ type }) => type === 'state' && terminal.refresh());
        await leaving.asked;
        await story.stop();
        return 0;
    }
    finally {
        leaving.stop();
        await page?.stop();
        const left = await removeFolder(folder);
        if (left !== undefined)
            terminal.warn(left);
        terminal.close();
    }
};
/** The folder that holds `dist` and `examples`, and the page. */
function locateFiles(script) {
    const folder = (0,external_node_path_.dirname)(script);
    if (script.endsWith('.ts'))
        return { root: (0,external_node_path_.resolve)(folder, '..'), files: compilePage((0,external_node_path_.resolve)(folder, '..')) };
    return { root: (0,external_node_path_.resolve)(folder, '../..'), files: files_readPage((0,external_node_path_.join)(folder, 'page')) };
}
const APPS = {
    os: "a Node.js program in wasmrun's OS mode (--web: a web app)",
    web: "a web app (--os: a Node.js program in wasmrun's OS mode)",
};
/** Prints the links when all of them are known, and again when one has changed. */
class Links {
    #terminal;
    #inspector = '';
    #shown = '';
    constructor(terminal, page, app) {
        this.#terminal = terminal;
        const rows = renderRows([
            ['app', app],
            ['pull request', page],
        ]);
        terminal.print(`\n${rows}`);
    }
    setInspector(link) {
        this.#inspector = link;
    }
    show(preview) {
        const rows = renderRows([
            ['preview     ', preview],
            ['inspector', this.#inspector],
        ]);
        if (rows === this.#shown)
            return;
        this.#shown = rows;
        this.#terminal.print(`${rows}\n`);
    }
}
/** The first signal resolves `asked`; the second calls `onHurry`. */
function listenForLeave(onHurry) {
    let count = 0;
    const { promise: asked, resolve } = Promise.withResolvers();
    const leave = () => {
        count += 1;
        if (count === 1)
            resolve();
        else if (count === 2)
            void onHurry();
    };
    for (const signal of LEAVE_SIGNALS)
        process.on(signal, leave);
    return {
        asked,
        isAsked: () => count > 0,
        stop: () => {
            for (const signal of LEAVE_SIGNALS)
                process.off(signal, leave);
        },
    };
}
async function openPage(options) {
    try {
        return await startPageServer(options);
    }
    catch (cause) {
        throw new errors_InputError(`the page cannot listen on port ${options.port}; give another --port, or none`, {
            cause,
        });
    }
}
function renderStatus({ run, preview, server, isOver }, withFigures, isLeaving) {
    if (isOver)
        return 'the demo has ended';
    const parts = [`run ${run.number}`];
    if (!server.isUp)
        parts.push('the bore server is down');
    if (run.phase === 'over')
        parts.push(run.conclusion ?? 'over', 'the page can run it again');
    else if (run.phase === 'post')
        parts.push('cleaning up');
    else if (preview === undefined || preview.phase === 'starting')
        parts.push('starting');
    else
        parts.push(preview.status === 'Connected' ? 'live' : preview.status.toLowerCase());
    if (withFigures && preview?.phase === 'live')
        parts.push(renderCount(preview.visits, 'visit'));
    return [...parts, isLeaving ? 'Ctrl-C again ends it at once' : 'Ctrl-C ends it'].join(' · ');
}
/** `command: node …` finds this Node. */
function describeMachine({ host, variables }) {
    const PATH = [(0,external_node_path_.dirname)(process.execPath), host.pathVariable].join(external_node_path_.delimiter);
    const home = variables.HOME ?? variables.USERPROFILE;
    return { PATH, ...(home !== undefined && { HOME: home }) };
}
function selectWasmrunVariables(variables) {
    return Object.fromEntries(Object.entries(variables).flatMap(([name, value]) => /^WASMRUN_(?!TUNNEL)/.test(name) && value !== undefined ? [[name, value]] : []));
}
/** Whether OS mode needs no download: wasmrun is here, and so is a runtime for it. */
function isOsReady({ pathVariable, childEnvironments }, toolCache) {
    const program = process.platform === 'win32' ? 'wasmrun.exe' : 'wasmrun';
    const isInstalled = (0,external_node_fs_namespaceObject.existsSync)((0,external_node_path_.join)(toolCache, 'wasmrun')) ||
        pathVariable.split(external_node_path_.delimiter).some(folder => folder !== '' && (0,external_node_fs_namespaceObject.existsSync)((0,external_node_path_.join)(folder, program)));
    const { HOME, USERPROFILE } = childEnvironments.wasmrun;
    return isInstalled && hasEntries((0,external_node_path_.join)(HOME ?? USERPROFILE ?? '', '.wasmrun', 'runtimes'));
}
function hasEntries(folder) {
    try {
        return (0,external_node_fs_namespaceObject.readdirSync)(folder).length > 0;
    }
    catch {
        return false;
    }
}
/** Shows how long it has taken so far: without a release package it compiles for minutes. */
async function installWasmrun(host, toolCache, terminal) {
    const began = Date.now();
    const cancelled = new AbortController();
    const leaving = listenForLeave(async () => process.exit(1));
    void leaving.asked.then(() => cancelled.abort(new errors_InputError('the installation was interrupted')));
    terminal.show(() => `looking for wasmrun, or installing it · ${duration_formatDuration(Date.now() - began)} · Ctrl-C ends it`);
    try {
        await findOrInstallWasmrun({
            pathVariable: host.pathVariable,
            toolCache,
            tempFolder: host.tempFolder,
            releasesUrl: host.releasesUrl,
            environment: host.childEnvironments.installation,
            logger: createLogger({ level: 'info', write: line => terminal.print(line) }),
            signal: AbortSignal.any([cancelled.signal, AbortSignal.timeout(INSTALL_TIMEOUT_MS)]),
        });
    }
    finally {
        leaving.stop();
    }
}

;// CONCATENATED MODULE: ./build/js/demo.js
// The program of `expose demo`, which loads it: a bundle of its own, because users of the action do not need it.


var __webpack_exports__runDemo = __webpack_exports__.n;
export { __webpack_exports__runDemo as runDemo };
