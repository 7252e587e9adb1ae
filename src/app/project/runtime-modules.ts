// What wasmhub's Node.js runtime 0.6.0 can load: its modules (main.js, `builtins`), and which programs it can parse.
// Used by staging.ts before the start, and by page-program.ts when a program has ended.

import { builtinModules } from 'node:module';
import { dirname, posix } from 'node:path';
import { compileFunction } from 'node:vm';
import { AppError } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';

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
function adviseOnModule(name: string): string {
  const shown = sanitise(name);
  const plain = name.replace(/^node:/, '');
  if (/^[./]/.test(name)) return `${shown} is not among the files in the VM; see which were left out`;
  if (name.startsWith('node:') || builtinModules.includes(plain))
    return `wasmrun's runtime has no ${shown}: replace it when you bundle (${GUIDE}), or use \`mode: port\` with a \`command\``;
  return `${shown} is not in the VM, which gets no node_modules: bundle the program (${GUIDE})`;
}

/** The rest of a sentence about a program that ended: what its last lines say is missing, and what to do. */
export function adviseOnOutput(lines: readonly string[]): string {
  const text = lines.join('\n');
  const missing = /Cannot find module '([^'\n]+)'/.exec(text)?.[1];
  if (missing !== undefined) return `; ${adviseOnModule(missing)}`;
  if (/is not supported in this sandbox/.test(text))
    return "; wasmrun's runtime cannot do that (docs/os.md#the-runtime); use `mode: port` with a `command`";
  return '';
}

/**
 * Looks at the program before it starts. Throws an AppError if the runtime cannot parse the entry file. Returns a
 * warning for each module that is required and cannot be loaded: only the program knows whether it does without.
 */
export function checkProgram(entry: string, read: (path: string) => string | undefined): string[] {
  const warnings = new Set<string>();
  const files = new Set([entry]);
  for (const file of files) {
    const source = read(file);
    if (source === undefined || files.size > MAX_FILES) continue;
    if (file === entry) checkSyntax(file, source);
    for (const name of listRequired(source)) {
      if (name.startsWith('.')) {
        const found = findFile(posix.join(dirname(file), name), read);
        if (found?.endsWith('.js')) files.add(found);
      } else if (!isLoadable(name)) warnings.add(`${sanitise(file)}: ${adviseOnModule(name)}`);
    }
  }
  return [...warnings];
}

/** The runtime runs a file as the body of a function, as Node.js does with CommonJS; Node.js's parser knows more. */
function checkSyntax(file: string, source: string): void {
  if (source.startsWith('#!'))
    throw new AppError(
      `${sanitise(file)} begins with #!, and wasmrun's runtime cannot parse that line: remove it, or bundle the program without it`,
      { restartable: false },
    );
  try {
    compileFunction(source, ['exports', 'require', 'module', '__filename', '__dirname'], { filename: file });
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    const isModule = /import statement|token 'export'|import\.meta|await is only valid/.test(cause.message);
    const line = /:(\d+)\n/.exec(cause.stack ?? '')?.[1];
    const place = line === undefined ? sanitise(file) : `${sanitise(file)}, line ${line}`;
    throw new AppError(
      isModule
        ? `${place} is an ES module, and wasmrun's runtime runs only CommonJS: bundle the program (${GUIDE})`
        : `${place} is not JavaScript that wasmrun's runtime can run (${sanitise(cause.message)}); bundle or correct it`,
      { cause, restartable: false },
    );
  }
}

/** Modules required by a fixed name, except in comments, and where a `try` around the call expects a failure. */
function listRequired(source: string): string[] {
  const calls = [...source.matchAll(/(?<![\w.$])require\((['"])([^'"\n]{1,200})\1\)/g)];
  return calls.flatMap(({ 2: name, index }) => {
    const before = source.slice(Math.max(0, index - LOOK_BACK), index);
    const isOptional = /\btry\s*\{[^}]*$/.test(before);
    const isComment = /(?:\/\/|^\s*\*)[^\n]*$/.test(before.slice(before.lastIndexOf('\n') + 1));
    return name === undefined || isOptional || isComment ? [] : [name];
  });
}

function isLoadable(name: string): boolean {
  if (name === 'node:test') return true;
  return MODULES.has(name.replace(/^node:/, '')) || /^[#/]/.test(name);
}

function findFile(path: string, read: (path: string) => string | undefined): string | undefined {
  return [path, `${path}.js`, `${path}/index.js`].find(candidate => read(candidate) !== undefined);
}
