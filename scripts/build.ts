// Compiles src with tsc and bundles each entry into dist/NAME/index.js. dist is committed: it is what runners run.
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';

const ENTRIES = ['main', 'post', 'supervisor', 'page-host', 'cli', 'stop'].filter(name =>
  existsSync(`src/${name}.ts`),
);

const run = (tool: string, ...args: string[]) =>
  execFileSync(process.execPath, [tool, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });

rmSync('build', { recursive: true, force: true });
rmSync('dist', { recursive: true, force: true });
run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
for (const name of ENTRIES)
  run('node_modules/@vercel/ncc/dist/ncc/cli.js', 'build', `build/${name}.js`, '-o', `dist/${name}`, '-q');
