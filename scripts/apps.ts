// `npm run apps`: drives all rows of the matrix of real apps, or those whose IDs are given. When every row, with its
// present sources, has gone as it says, in this run or an earlier one, it writes docs/apps.md. `--input NAME=VALUE` adds
// an input to every row, `--access open` (or link) leaves out the other, `--log` shows what expose logs.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Drive, startDrive } from '../test/apps/drive.ts';
import { installedAt } from '../test/apps/installed.ts';
import { type AppRow, listSurprises, type Seen } from '../test/apps/row.ts';
import { ROWS } from '../test/apps/rows.ts';
import { renderLimits, renderTable } from '../test/apps/table.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    input: { type: 'string', multiple: true, default: [] },
    access: { type: 'string' },
    log: { type: 'boolean' },
  },
});
const ACCESSES = (['open', 'link'] as const).filter(access => (values.access ?? access) === access);
const inputs = Object.fromEntries(values.input.map(text => text.split(/=(.*)/s).slice(0, 2)));
const unknown = positionals.filter(id => ROWS.every(row => row.id !== id));
if (unknown.length > 0) throw new Error(`there is no row ${unknown.join(', ')} in test/apps/rows.ts`);
const rows = ROWS.filter(({ id }) => positionals.length === 0 || positionals.includes(id));

/** What earlier runs of this checkout have seen: row → what it was then. */
const SEEN_FILE = resolve('build/apps-seen.json');

/** As many as share a small machine without time-outs. */
const AT_A_TIME = 2;

const drive = await startDrive(ROWS, values.log ? { log: console.error } : {});
try {
  const surprising = await driveAll(drive, rows, AT_A_TIME);
  // Once more, alone: on a busy machine a step may have had too little time.
  const left = await driveAll(drive, surprising, 1);
  if (left.length > 0) process.exitCode = 1;
  // Inputs that are not the row's own are an experiment.
  if (ACCESSES.length === 2 && values.input.length === 0)
    record(
      rows.filter(row => !left.includes(row)),
      await drive.browser.version(),
    );
} finally {
  await drive.stop();
}

/** Returns the rows that did not go as they say. */
async function driveAll(by: Drive, all: readonly AppRow[], atATime: number): Promise<AppRow[]> {
  const queue = [...all];
  const surprising: AppRow[] = [];
  const work = async () => {
    for (let row = queue.shift(); row !== undefined; row = queue.shift())
      if ((await driveRow(by, row)) > 0) surprising.push(row);
  };
  await Promise.all(Array.from({ length: atATime }, work));
  return surprising;
}

/** Returns how many steps did not go as the row says. */
async function driveRow({ visit }: Drive, row: AppRow): Promise<number> {
  let count = 0;
  for (const access of ACCESSES) {
    const began = performance.now();
    const seen = await visit(row, access, inputs).catch((error): Seen => ({ page: String(error) }));
    const unexpected = listSurprises(row, access, seen);
    count += unexpected.length;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const result = unexpected.length > 0 ? unexpected.join('; ') : 'as the row says';
    console.log(`${row.id} (${access}, ${seconds} s): ${result}`);
  }
  return count;
}

/** Remembers the rows as gone well; writes the page when that is all of them. */
function record(good: readonly AppRow[], browser: string): void {
  const known: Record<string, string> = existsSync(SEEN_FILE)
    ? JSON.parse(readFileSync(SEEN_FILE, 'utf8'))
    : {};
  for (const row of good) known[row.id] = identify(row);
  mkdirSync(dirname(SEEN_FILE), { recursive: true });
  writeFileSync(SEEN_FILE, JSON.stringify(known, null, 2));
  const missing = ROWS.filter(row => known[row.id] !== identify(row)).map(({ id }) => id);
  if (missing.length === 0) writePage(browser);
  else console.log(`docs/apps.md stays as it is, without: ${missing.join(', ')}`);
}

/** Changes with the row's inputs and its app's sources. */
function identify(row: AppRow): string {
  return `${basename(installedAt(row.app, ROWS))} ${JSON.stringify(row.inputs)}`;
}

function writePage(browser: string): void {
  const today = new Date().toISOString().slice(0, 10);
  writeFileSync(
    resolve('docs/apps.md'),
    `# Apps that were tried

Each app below was started as its users start it, with the inputs shown and no others, and used in a browser on another
machine: through a bore server with a host name, with \`access: open\` and with a key. \`npm run apps\` does all this, and
wrote this page on ${today} (${browser}, Node ${process.version}). The lighter rows also run with every change.

- **page**: the first page appears, and the browser's console shows no error.
- **click**: a button that needs the code on the page works.
- **form**: a form is posted, and its answer appears.
- **WebSocket**: the page opens one and gets an answer.
- **hot reload**: an edited source file changes the open page.

“–” means that the app has nothing of this kind.

${renderTable(ROWS)}

## What does not work

${renderLimits(ROWS)}
`,
  );
}
