// The entry of `npm run bench:load`: runs the scenarios and writes their figures to results.json, RESULTS.md,
// docs/servers.md and docs/images/previews-return.svg.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine, readLoad, readVersions } from '../rig/machine.ts';
import { buildPrograms } from '../rig/programs.ts';
import { renderPlot } from './plot.ts';
import { renderReport, renderSection, replaceTables } from './report.ts';
import { type Results, readResults, type Section, writeResults } from './results.ts';
import { runCapacity } from './scenarios/capacity.ts';
import { runFar } from './scenarios/far.ts';
import { runFiles } from './scenarios/files.ts';
import { runOneServer } from './scenarios/one-server.ts';
import { runThreeServers } from './scenarios/three-servers.ts';

const PAGE = resolve(import.meta.dirname, '../../docs/servers.md');
const PLOT = resolve(import.meta.dirname, '../../docs/images/previews-return.svg');
const REPORT = join(import.meta.dirname, 'RESULTS.md');

const USAGE = `npm run bench:load -- [SCENARIO…] [options]

Hundreds of previews against real bore servers on this machine. Scenarios: three, one, far, capacity, files.
Without names, all run: about seven minutes. Needs Linux, the programs of scripts/install-real-parts, and root for \`far\`.

  --previews N  how many previews (default 300); \`capacity\` opens three times as many tunnels, \`far\` a third
  --dry         print the figures and write nothing
  --render      run nothing; write report, page and plot again
`;

type Scenario = (previews: number) => Promise<Section[]>;

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  three: previews => runThreeServers(previews, print),
  one: runOneServer,
  far: previews => runFar(Math.ceil(previews / 3)),
  capacity: previews => runCapacity(3 * previews),
  files: () => runFiles(),
};

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function run(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      previews: { type: 'string', default: '300' },
      dry: { type: 'boolean', default: false },
      render: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return print(USAGE);
  const chosen = chooseScenarios(positionals);
  const previews = parseCount(values.previews);
  if (values.render) return writeAll(readResults());
  await buildPrograms();
  const conditions = describeConditions();
  for (const [name, scenario] of chosen) {
    print(`${name} …`);
    const sections = await scenario(previews);
    for (const section of sections) print(renderSection(section));
    if (!values.dry) writeAll(writeResults({ date: new Date().toISOString(), conditions, sections }));
  }
}

function chooseScenarios(names: readonly string[]): [string, Scenario][] {
  const all = Object.entries(SCENARIOS);
  const unknown = names.filter(name => !Object.hasOwn(SCENARIOS, name));
  if (unknown.length > 0)
    throw new Error(
      `no such scenario: ${unknown.join(', ')}; there are ${Object.keys(SCENARIOS).join(', ')}`,
    );
  return names.length === 0 ? all : all.filter(([name]) => names.includes(name));
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 30 && count <= 1_000) return count;
  throw new Error(`--previews ${text}: give a whole number from 30 to 1000`);
}

function describeConditions(): string {
  const { cores, processor, memoryGb, kernel } = describeMachine();
  const { node, bore } = readVersions();
  return [
    `Measured on ${new Date().toISOString().slice(0, 10)} with bore ${bore} and Node.js ${node} on one machine with ${cores} cores`,
    `(${processor}), ${memoryGb} GB and Linux ${kernel}, which ran servers, previews and visitors at the same time;`,
    `its load before the start was ${readLoad().toFixed(1)}.`,
  ].join('\n');
}

function writeAll(results: Results | undefined): void {
  if (results === undefined) throw new Error('there are no results yet');
  writeFileSync(REPORT, renderReport(results));
  writeFileSync(PLOT, renderPlot(results));
  writeFileSync(PAGE, replaceTables(readFileSync(PAGE, 'utf8'), results));
}

// An interrupted run exits like a finished one, so that `exit` handlers end the programs it started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
void run(process.argv.slice(2)).catch(error => {
  process.stderr.write(`bench:load: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
