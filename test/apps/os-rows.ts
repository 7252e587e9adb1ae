// The rows of the matrix in OS mode: the examples as they are, and two more frameworks, bundled as they show.

import { type AppRow, posts, shows } from './row.ts';

/** In the folder of a framework's server.js. */
const BUNDLE = 'cp ../os-express/wasmrun.toml . && node ../os-express/bundle.js';

export const OS_ROWS: readonly AppRow[] = [
  {
    id: 'os-hello',
    title: 'OS mode, plain `http`: examples/os-hello',
    app: 'os',
    versions: [],
    inputs: { path: 'os-hello', mode: 'os' },
    steps: [shows('Hello from WebAssembly'), posts('message', 'output', '200 hello')],
  },
  {
    id: 'os-express',
    title: 'OS mode, Express: examples/os-express',
    app: 'os',
    versions: ['express'],
    build: 'cd os-express && npm run bundle',
    inputs: { path: 'os-express', mode: 'os' },
    steps: [shows('Guests'), posts('name', 'li')],
    heavy: true,
  },
  {
    id: 'os-koa',
    title: 'OS mode, Koa',
    app: 'os',
    versions: ['koa'],
    build: `cd koa && ${BUNDLE}`,
    inputs: { path: 'koa', mode: 'os' },
    steps: [shows('first words'), posts()],
    heavy: true,
  },
  {
    id: 'os-hono',
    title: 'OS mode, Hono',
    app: 'os',
    versions: ['hono', '@hono/node-server'],
    build: `cd hono && ${BUNDLE}`,
    inputs: { path: 'hono', mode: 'os' },
    steps: [shows('first words'), posts()],
    heavy: true,
  },
];
