// The table of docs/apps.md. Used by scripts/apps.ts, which writes it after it has driven all rows, and by the contract
// test that holds the page to the rows.

import { readVersions } from './installed.ts';
import type { AppRow, StepName } from './row.ts';

const COLUMNS: Readonly<Record<StepName, string>> = {
  page: 'page',
  click: 'click',
  form: 'form',
  socket: 'WebSocket',
  reload: 'hot reload',
};
const STEPS = Object.keys(COLUMNS) as StepName[];

/** One line for each row; `yes` for each step that works, `–` where the app has nothing of the kind. */
export function renderTable(rows: readonly AppRow[]): string {
  const head = ['app', 'versions', 'inputs', ...STEPS.map(name => COLUMNS[name])];
  const lines = [head, head.map(() => '---'), ...rows.map(renderRow)];
  return lines.map(cells => `| ${cells.join(' | ')} |`).join('\n');
}

/** What does not work: what people see, and what helps. */
export function renderLimits(rows: readonly AppRow[]): string {
  return rows
    .flatMap(({ title, limit }) =>
      limit === undefined
        ? []
        : [
            `- **${title}**, ${COLUMNS[limit.step]}: “${limit.seen}”. Reason and remedy: ${limit.remedy.replace(/\.$/, '')}.`,
          ],
    )
    .join('\n');
}

function renderRow(row: AppRow): string[] {
  const { title, inputs, steps, limit } = row;
  const cells = STEPS.map(name => {
    if (limit?.step === name) return limit.access === 'link' ? 'not with a key, see below' : 'no, see below';
    return steps.some(step => step.name === name) ? 'yes' : '–';
  });
  const listed = Object.entries(inputs).map(([name, value]) => `\`${name}: ${value.replace(/\|/g, '\\|')}\``);
  return [title, readVersions(row).join(', '), listed.join('<br>'), ...cells];
}
