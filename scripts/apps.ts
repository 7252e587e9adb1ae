// `npm run apps`: drives all rows of the matrix of real apps and writes what was seen to docs/apps.md. With IDs of rows
// it only prints; `--input name=value` adds an input of the action to every row.

import { parseArgs } from 'node:util';
import { type Access, startDrive } from '../test/apps/drive.ts';
import { ROWS } from '../test/apps/rows.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { input: { type: 'string', multiple: true, default: [] }, access: { type: 'string' }, log: { type: 'boolean' } },
});
const inputs = Object.fromEntries(
  values.input.map(text => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]),
);
const rows = positionals.length > 0 ? ROWS.filter(({ id }) => positionals.includes(id)) : ROWS;
const drive = await startDrive(ROWS, values.log ? { log: console.error } : {});
try {
  for (const row of rows)
    for (const access of ['open', 'link'] as const satisfies Access[]) {
      if (values.access !== undefined && access !== values.access) continue;
      const began = performance.now();
      const seen = await drive.visit(row, access, inputs).catch(error => ({ page: String(error) }));
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      console.log(`${row.id} (${access}, ${seconds} s):`, JSON.stringify(seen));
    }
} finally {
  await drive.stop();
}
