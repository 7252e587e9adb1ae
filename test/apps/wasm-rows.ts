// The rows of the matrix whose code is WebAssembly: built web apps in `mode: web`, and programs in `mode: exec`.

import { type AppRow, counts, posts, type Step, shows } from './row.ts';

/** A link without `.html` leads to a page; it opens on a reload, too, which asks the server for it. */
const links = (path: string, text: string): Step => ({
  name: 'page',
  run: async visit => {
    await visit.page.locator(`a[href="${path}"]`).click();
    await shows(text).run(visit);
    await visit.page.reload();
    await shows(text).run(visit);
  },
});

/** A certificate for the rig's host name, and the inputs that use it: what needs https is not for plain previews. */
const CERTIFY =
  'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=preview.test -addext subjectAltName=DNS:preview.test -keyout key.pem -out cert.pem';
const TLS = { 'tls-cert': 'cert.pem', 'tls-key': 'key.pem' };

export const WASM_ROWS: readonly AppRow[] = [
  {
    id: 'sql-js',
    title: 'sql.js (Emscripten), in its worker',
    app: 'sql-js',
    versions: ['sql.js'],
    build: 'cp node_modules/sql.js/dist/worker.sql-wasm.js node_modules/sql.js/dist/sql-wasm.wasm site',
    inputs: { path: 'site', mode: 'web' },
    steps: [shows('SQLite says 5050', '#result'), counts()],
  },
  {
    id: 'go-wasm',
    title: 'Go with its wasm_exec.js',
    app: 'go-wasm',
    versions: ['Go'],
    build:
      'cp "$(go env GOROOT)/lib/wasm/wasm_exec.js" site && cd source && GOOS=js GOARCH=wasm go build -trimpath -o ../site/main.wasm .',
    inputs: { path: 'site', mode: 'web' },
    steps: [shows('Go says 5050', '#result'), counts()],
  },
  {
    id: 'assemblyscript',
    title: 'AssemblyScript with the loader of asc',
    app: 'assemblyscript',
    versions: ['assemblyscript'],
    build: 'npx asc source/count.ts -O --bindings esm -o site/count.wasm',
    inputs: { path: 'site', mode: 'web' },
    steps: [shows('AssemblyScript says 5050', '#result'), counts()],
    heavy: true,
  },
  {
    id: 'vite-base',
    title: 'Vite build with `base` and `?init`',
    app: 'assemblyscript',
    versions: ['vite'],
    build: 'npx asc source/count.ts -O -o vite/count.wasm && npx vite build',
    inputs: { path: 'vite-dist', mode: 'web' },
    steps: [shows('Vite says 5050', '#result'), counts()],
  },
  {
    id: 'exec-assemblyscript',
    title: 'AssemblyScript server on WASI',
    app: 'assemblyscript',
    versions: ['assemblyscript'],
    build: 'npx asc source/server.ts -O --exportStart _start --use abort= -o server/server.wasm',
    inputs: { path: 'server/server.wasm' },
    steps: [shows('first words'), posts()],
  },
  {
    id: 'exec-rust',
    title: 'Rust server on WASI',
    app: 'exec-rust',
    versions: ['Rust'],
    build:
      'rustup target add wasm32-wasip1 && cd source && cargo build --release --locked --target wasm32-wasip1 --target-dir ../target && install -D ../target/wasm32-wasip1/release/server.wasm -t ../server',
    inputs: { path: 'server/server.wasm' },
    steps: [shows('first words'), posts()],
    heavy: true,
  },
  {
    id: 'exec-c',
    title: 'C server on WASI, compiled by zig',
    app: 'exec-c',
    versions: ['ziglang'],
    build:
      'mkdir server && venv/bin/python -m ziglang cc -target wasm32-wasi -Os -s -o server/server.wasm server.c',
    inputs: { path: 'server/server.wasm' },
    steps: [shows('first words'), posts()],
    heavy: true,
  },
  {
    id: 'exec-go',
    title: 'Go server on WASI, with `sock_accept`',
    app: 'exec-go',
    versions: ['Go'],
    build: 'cd source && GOOS=wasip1 GOARCH=wasm go build -trimpath -o ../server/server.wasm .',
    inputs: { path: 'server/server.wasm' },
    steps: [shows('first words'), posts()],
    heavy: true,
  },
  {
    id: 'resvg',
    title: 'resvg (wasm-bindgen)',
    app: 'resvg',
    versions: ['@resvg/resvg-wasm'],
    build: 'cp node_modules/@resvg/resvg-wasm/index.mjs node_modules/@resvg/resvg-wasm/index_bg.wasm site',
    inputs: { path: 'site', mode: 'web' },
    steps: [shows('A PNG, 64 pixels wide', '#result'), counts()],
    heavy: true,
  },
  {
    id: 'pyodide',
    title: 'Pyodide',
    app: 'pyodide',
    versions: ['pyodide'],
    build:
      'mkdir site/pyodide && cd node_modules/pyodide && cp pyodide.mjs pyodide.asm.mjs pyodide.asm.wasm python_stdlib.zip pyodide-lock.json ../../site/pyodide',
    inputs: { path: 'site', mode: 'web' },
    steps: [shows('Python says 5050', '#result'), counts()],
    heavy: true,
  },
  {
    id: 'duckdb',
    title: 'DuckDB-Wasm in a worker, built with Vite',
    app: 'duckdb',
    versions: ['@duckdb/duckdb-wasm', 'vite'],
    build: 'npx vite build',
    inputs: { path: 'dist', mode: 'web' },
    steps: [shows('DuckDB says 5050', '#result'), counts()],
    heavy: true,
  },
  {
    id: 'onnxruntime',
    title: 'ONNX Runtime Web with a model',
    app: 'onnxruntime',
    versions: ['onnxruntime-web'],
    build:
      'node make-model.js site/add.onnx && cd node_modules/onnxruntime-web/dist && cp ort.wasm.min.js ort-wasm-simd-threaded.mjs ort-wasm-simd-threaded.wasm ../../../site',
    inputs: { path: 'site', mode: 'web' },
    steps: [shows('ONNX Runtime says 42', '#result'), counts()],
    heavy: true,
  },
  {
    id: 'ffmpeg-http',
    title: 'ffmpeg.wasm with threads, over http',
    app: 'ffmpeg',
    versions: ['@ffmpeg/core-mt'],
    inputs: { path: 'site', mode: 'web' },
    steps: [shows('ffmpeg made a video', '#result')],
    heavy: true,
    limit: {
      step: 'page',
      seen: '#result says ""',
      remedy:
        'Threads need `cross-origin-isolation`, which needs https. A warning at the start names the `.wasm`.',
    },
  },
  {
    id: 'ffmpeg',
    title: 'ffmpeg.wasm with threads, isolated over https',
    app: 'ffmpeg',
    versions: ['@ffmpeg/core-mt'],
    build: `${CERTIFY} && mkdir site/ffmpeg site/core && cp node_modules/@ffmpeg/ffmpeg/dist/umd/*.js site/ffmpeg && cp node_modules/@ffmpeg/core-mt/dist/umd/* site/core`,
    inputs: { path: 'site', mode: 'web', 'cross-origin-isolation': 'true', ...TLS },
    steps: [shows('ffmpeg made a video', '#result'), counts()],
    heavy: true,
  },
  {
    id: 'wasm-bindgen',
    title: 'Rust with wasm-bindgen',
    app: 'wasm-bindgen',
    versions: ['wasm-bindgen'],
    build:
      'rustup target add wasm32-unknown-unknown && cargo install wasm-bindgen-cli --version 0.2.118 --locked --root ../wasm-bindgen-cli && cd source && cargo build --release --locked --target wasm32-unknown-unknown --target-dir ../target && ../../wasm-bindgen-cli/bin/wasm-bindgen --target web --out-dir ../site --out-name app ../target/wasm32-unknown-unknown/release/app.wasm',
    inputs: { path: 'site', mode: 'web' },
    steps: [shows('Rust greets the page', '#result'), counts()],
    heavy: true,
  },
  {
    id: 'unity',
    title: 'Unity-like export: `.js.gz`, `.data.gz`, `.wasm.br`',
    app: 'unity',
    versions: [],
    build: 'node build.js',
    inputs: { path: 'site', mode: 'web' },
    steps: [shows('The game says 42', '#result'), counts()],
    heavy: true,
  },
  {
    id: 'next-export',
    title: 'Next, static export with links without `.html`',
    app: 'next-export',
    versions: ['next', 'react'],
    build: 'npx next build',
    inputs: { path: 'out', mode: 'web' },
    steps: [
      shows('first words'),
      counts(),
      links('/about', 'about words'),
      links('/about/team', 'team words'),
    ],
    heavy: true,
  },
  {
    id: 'sveltekit-static',
    title: 'SvelteKit, adapter-static',
    app: 'sveltekit-static',
    versions: ['@sveltejs/kit', '@sveltejs/adapter-static'],
    build: 'npx vite build',
    inputs: { path: 'build', mode: 'web' },
    steps: [
      shows('first words'),
      counts(),
      links('/about', 'about words'),
      links('/about/team', 'team words'),
    ],
    heavy: true,
  },
  {
    id: 'vitepress',
    title: 'VitePress with `cleanUrls`',
    app: 'vitepress',
    versions: ['vitepress'],
    build: 'npx vitepress build',
    inputs: { path: '.vitepress/dist', mode: 'web' },
    steps: [
      shows('first words'),
      counts(),
      links('/about', 'about words'),
      links('/about/team', 'team words'),
    ],
    heavy: true,
  },
];
