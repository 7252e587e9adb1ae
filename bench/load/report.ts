// Renders RESULTS.md, the tables in docs/servers.md, and a section for the terminal. Used by main.ts. Pure.

import { type Results, type Returns, type Row, renderTimes, type Section } from './results.ts';

/** The lines of docs/servers.md between which the tables stand. */
const BEGIN = '<!-- written by `npm run bench:load`: begin -->';
const END = '<!-- written by `npm run bench:load`: end -->';

export function renderSection({ title, rows, returns }: Section): string {
  const lines = [...(returns === undefined ? [] : describeReturns(returns)), ...rows];
  return [title, ...lines.map(({ what, value, unit }) => `  ${what}: ${value} ${unit}`.trimEnd())].join('\n');
}

function describeReturns({ previews, moved, seconds, since }: Returns): Row[] {
  const what = since === 'return' ? 'served again after its return' : 'outage';
  return [
    { what: 'previews', value: previews, unit: '' },
    { what: `${what} (median / 95 % / longest)`, value: renderTimes(seconds), unit: 's' },
    { what: 'with another URL', value: moved, unit: '' },
  ];
}

/** The whole RESULTS.md. */
export function renderReport(results: Results): string {
  const sections = results.sections.map(section => {
    const [title, ...lines] = renderSection(section).split('\n');
    return `## ${title}\n\n${lines.map(line => `- ${line.trim()}`).join('\n')}`;
  });
  const head = `# Results of the load simulator

This file is written by \`npm run bench:load\`. [README.md](../README.md#the-load-simulator) explains how it measures.
Three times with slashes between them are the median, the 95th percentile and the longest.

${results.conditions}`;
  return `${[head, ...sections].join('\n\n')}\n`;
}

/** `text` with fresh tables between the two marks. Throws if it has no marks. */
export function replaceTables(text: string, results: Results): string {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the page has no lines '${BEGIN}' and '${END}'`);
  const tables = [renderReturnTable(results), renderCapacityTable(results), results.conditions];
  return `${text.slice(0, from)}${BEGIN}\n\n${tables.filter(part => part !== '').join('\n\n')}\n\n${text.slice(to)}`;
}

function renderReturnTable({ sections }: Results): string {
  const rows = sections.flatMap(({ title, returns }) =>
    returns === undefined
      ? []
      : `| ${title} | ${returns.previews} | ${renderTimes(returns.seconds)}${returns.since === 'loss' ? ' *' : ''} | ${returns.moved} |`,
  );
  if (rows.length === 0) return '';
  const head = [
    '| what happens | previews | seconds until they serve again | with another URL |',
    '|---|---|---|---|',
  ];
  const note =
    'Median / 95th percentile / longest, from the moment the server or the link works again; with a star, the whole outage as visitors see it.';
  return `${[...head, ...rows].join('\n')}\n\n${note}`;
}

function renderCapacityTable({ sections }: Results): string {
  const rows = sections.find(({ id }) => id === 'capacity')?.rows ?? [];
  if (rows.length === 0) return '';
  return ['| one server | |', '|---|---|', ...rows.map(row => `| ${row.what} | ${renderValue(row)} |`)].join(
    '\n',
  );
}

function renderValue({ value, unit }: Row): string {
  return `${typeof value === 'number' ? value.toLocaleString('en') : value} ${unit}`.trim();
}
