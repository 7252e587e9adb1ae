// Renders RESULTS.md, the tables in docs/servers.md, and a section for the terminal. Used by main.ts. Pure.

import { type Results, type Returns, type Row, renderTimes, type Section, type Visitors } from './results.ts';

/** A table of docs/servers.md stands between the line of its name and the next END. */
const BEGIN = (table: string) => `<!-- npm run bench:load writes: ${table} -->`;
const END = '<!-- npm run bench:load: end -->';

export function renderSection({ title, rows, returns, visitors }: Section): string {
  const lines = [
    ...(returns === undefined ? [] : describeReturns(returns)),
    ...rows,
    ...(visitors === undefined ? [] : describeVisitors(visitors)),
  ];
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

function describeVisitors({ visits, failed, webSockets, cut }: Visitors): Row[] {
  return [
    {
      what: 'visits that failed without an outage of their server',
      value: `${failed} of ${visits}`,
      unit: '',
    },
    { what: 'WebSockets cut without an outage of their server', value: `${cut} of ${webSockets}`, unit: '' },
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

/** `text` with fresh tables between its marks. Throws if it has not all marks. */
export function replaceTables(text: string, results: Results): string {
  const tables = {
    restarts: [renderReturnTable(results), renderVisitors(results), results.conditions],
    capacity: [renderCapacityTable(results)],
  };
  return Object.entries(tables).reduce((page, [name, parts]) => replaceTable(page, name, parts), text);
}

function replaceTable(text: string, name: string, parts: readonly string[]): string {
  const begin = BEGIN(name);
  const from = text.indexOf(begin);
  const to = text.indexOf(END, from);
  if (from < 0 || to < 0) throw new Error(`the page has no lines '${begin}' and '${END}'`);
  return `${text.slice(0, from)}${[begin, ...parts, text.slice(to)].join('\n\n')}`;
}

function renderReturnTable({ sections }: Results): string {
  const rows = sections.flatMap(({ title, returns }) => {
    if (returns === undefined) return [];
    const { previews, moved, seconds, since } = returns;
    return `| ${title}${since === 'loss' ? ' *' : ''} | ${previews} | ${renderTimes(seconds)} | ${moved} |`;
  });
  const head = [
    '| what happens | previews | seconds until they serve again | with another URL |',
    '|---|---|---|---|',
  ];
  return `${[...head, ...rows].join('\n')}\n\n${TIMES_NOTE}`;
}

const TIMES_NOTE = `The times are median / 95 % / longest, from the moment the server (or the link) works again. In rows with a star, they are
the whole outage as a visitor sees it.`;

/** One sentence about all sections; empty if there were no visitors. */
function renderVisitors({ sections }: Results): string {
  const all = sections.flatMap(({ visitors }) => visitors ?? []);
  const sum = (read: (visitors: Visitors) => number) =>
    all.reduce((total, one) => total + read(one), 0).toLocaleString('en');
  if (all.length === 0) return '';
  const [failed, visits] = [sum(one => one.failed), sum(one => one.visits)];
  const [cut, webSockets] = [sum(one => one.cut), sum(one => one.webSockets)];
  return `With three servers, visits went on all the time. Of ${visits} visits, ${failed} failed without an outage of their own server. Of
${webSockets} WebSockets, ${cut} broke without one.`;
}

function renderCapacityTable({ sections }: Results): string {
  const rows = sections.find(({ id }) => id === 'capacity')?.rows ?? [];
  return ['| one server | |', '|---|---|', ...rows.map(row => `| ${row.what} | ${renderValue(row)} |`)].join(
    '\n',
  );
}

function renderValue({ value, unit }: Row): string {
  return `${typeof value === 'number' ? value.toLocaleString('en') : value} ${unit}`.trim();
}
