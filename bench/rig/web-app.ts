// Writes the web app of B16: a WebAssembly program in Go, and 20 text and image files. Used by cases/web-app.ts.

import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Noise } from '../../test/support/noise.ts';
import { runProgram } from './process.ts';

const BENCH = resolve(import.meta.dirname, '..');
const PROJECT = resolve(BENCH, '..');
const BUILD_LIMIT_MS = 180_000;

/** What the page loads beside itself: 11 text files and 8 images, and the program. */
export const APP_OBJECTS = 20;

/** English text, which gets smaller as the text of web apps does. */
const TEXTS = [
  'README.md',
  'docs/threat-model.md',
  'docs/troubleshooting.md',
  'docs/access.md',
  'docs/os.md',
];

const STYLES = ['base.css', 'layout.css', 'theme.css'];
const SCRIPTS = ['vendor.js', 'router.js', 'store.js', 'views.js'];
const DATA = ['strings.json', 'routes.json', 'icons.svg'];
const IMAGES = Array.from({ length: 8 }, (_, index) => `image-${index}.png`);

/** Resolves with a new folder, which the caller removes. */
export async function writeWebApp(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-web-app-'));
  await buildProgram(join(folder, 'app.wasm'));
  const goRoot = (await runProgram('go', ['env', 'GOROOT'], { limitMs: BUILD_LIMIT_MS })).trim();
  copyFileSync(join(goRoot, 'lib', 'wasm', 'wasm_exec.js'), join(folder, 'wasm_exec.js'));
  const text = TEXTS.map(name => readFileSync(join(PROJECT, name), 'utf8')).join('');
  const names = [...STYLES, ...SCRIPTS, ...DATA];
  const length = Math.floor(text.length / names.length);
  for (const [index, name] of names.entries())
    writeFileSync(join(folder, name), wrap(name, text.slice(index * length, (index + 1) * length)));
  const noise = new Noise(16);
  for (const [index, name] of IMAGES.entries())
    writeFileSync(join(folder, name), noise.take(8_000 * (index + 1)));
  writeFileSync(join(folder, 'index.html'), PAGE);
  return folder;
}

async function buildProgram(output: string): Promise<void> {
  const build = ['GOOS=js', 'GOARCH=wasm', 'go', 'build', '-trimpath', '-ldflags=-s', '-o', output, './wasm'];
  await runProgram('env', build, { cwd: BENCH, limitMs: BUILD_LIMIT_MS });
}

function wrap(name: string, text: string): string {
  if (name.endsWith('.css')) return `/* ${text.replaceAll('*/', '')} */`;
  if (name.endsWith('.js')) return `globalThis.texts = [${JSON.stringify(text)}];`;
  return JSON.stringify({ text });
}

const PAGE = `<!doctype html><meta charset="utf-8"><title>a web app</title>
${STYLES.map(name => `<link rel="stylesheet" href="${name}">`).join('\n')}
<script src="wasm_exec.js"></script>
<script>
  const go = new Go();
  globalThis.mainRan = () => { globalThis.mainRanAt = performance.now(); };
  WebAssembly.instantiateStreaming(fetch('app.wasm'), go.importObject).then(({ instance }) => go.run(instance));
  for (const name of ${JSON.stringify(DATA)}) fetch(name).then(answer => answer.text());
</script>
${SCRIPTS.map(name => `<script defer src="${name}"></script>`).join('\n')}
${IMAGES.map(name => `<img src="${name}" alt="">`).join('\n')}
`;
