// B15: an hour of visits, or ten minutes with as many as possible, while the link and the server fail at random. It uses
// the soak of the tests (test/support/soak.ts). Run by main.ts.

import { setTimeout as delay } from 'node:timers/promises';
import { runSoak, type SoakReport } from '../../test/support/soak.ts';
import type { Case } from '../case.ts';
import type { Row } from '../results.ts';
import { HOST } from '../rig/bore-server.ts';
import { runWrk } from '../rig/visitors.ts';

const VISITS_PER_SECOND = 20;
/** MB per hour. Memory varies by this much without a leak; a leak of 100 bytes per visit would add 7. */
const SLOPE_REACH = 5;
/** In shorter runs the process is still warming up, and the slope of its memory says nothing about leaks. */
const MIN_MINUTES = 15;
/** MB per million visits: a leak of ten bytes per visit. */
const MILLION_REACH = 10;
const CROWD_CONNECTIONS = 8;
const CROWD_SECONDS = 5;
/** While the server is away, wrk ends at once. */
const CROWD_PAUSE_MS = 200;
/** A fixed seed, so that every run has the same random visits and faults. */
const SEED = 15;

export const endurance: Case = {
  id: 'B15',
  title: 'Visits while the link and the server fail at random',
  minutes: bench => bench.soakMinutes,
  run: async bench => {
    const report = await runSoak({
      seconds: bench.soakMinutes * 60,
      visitsPerSecond: VISITS_PER_SECOND,
      seed: SEED,
      host: HOST,
      ...(bench.crowd && { crowd: sendCrowd }),
      onEvent: ({ atSeconds, text }) => bench.log(`${atSeconds.toFixed(0).padStart(5)} s  ${text}`),
    });
    return { rows: buildRows(report), notes: buildNotes(report) };
  },
};

/** Sends visits to all tunnels as fast as they are answered, each on a connection of its own. */
async function sendCrowd(host: string, ports: readonly number[], ending: AbortSignal): Promise<number> {
  const load = { connections: CROWD_CONNECTIONS, seconds: CROWD_SECONDS, closing: true };
  const sums = ports.map(async port => {
    let sum = 0;
    while (!ending.aborted) {
      try {
        sum += (await runWrk(`http://${host}:${port}/small`, load)).requests;
      } catch {
        await delay(CROWD_PAUSE_MS); // a fault
      }
    }
    return sum;
  });
  return (await Promise.all(sums)).reduce((sum, one) => sum + one, 0);
}

function buildRows(report: SoakReport): Row[] {
  const mustBeZero = (what: string, count: number): Row => {
    return { what, samples: [count], unit: '', take: 'worst', better: 'lower', reach: 0 };
  };
  return [
    mustBeZero('unhandled errors', report.unhandled.length),
    mustBeZero('visits lost that no fault explains', report.lostOutside.length),
    mustBeZero('faults not got over, or with another port', report.notRecovered.length),
    mustBeZero('visitors left behind at the end', report.leftBehind),
    buildMemoryRow(report),
  ];
}

function buildMemoryRow(report: SoakReport): Row {
  const row = { take: 'median', better: 'lower' } as const;
  const what = 'growth of the resident memory, after the first quarter';
  if (report.crowdVisits === 0) {
    const reach = report.seconds >= MIN_MINUTES * 60 && { reach: SLOPE_REACH };
    return { ...row, what, samples: [report.slopeMbPerHour], unit: 'MB/h', ...reach };
  }
  const millionsPerHour = ((countAll(report) / report.seconds) * 3_600) / 1e6;
  const samples = [report.slopeMbPerHour / millionsPerHour];
  return { ...row, what: `${what}, per million visits`, samples, unit: 'MB', reach: MILLION_REACH };
}

function countAll({ visits, crowdVisits }: SoakReport): number {
  return visits + crowdVisits;
}

function buildNotes(report: SoakReport): string[] {
  const faults = Object.entries(report.faults).map(([name, count]) => `${count} × ${name}`);
  const share = ((report.lostInside / report.visits) * 100).toFixed(1);
  return [
    `${report.visits} visits in ${(report.seconds / 60).toFixed(0)} minutes; ${faults.join(', ')}.`,
    ...describeCrowd(report),
    `A fault explains ${report.lostInside} lost visits (${share} %). The longest recovery took ${report.longestRecoveryMs.toFixed(0)} ms.`,
    `Resident memory in MB: ${describeMemory(report)}.`,
    ...[...report.unhandled, ...report.notRecovered].slice(0, 5),
    ...report.lostOutside.slice(0, 5).map(({ mode, kind, reason }) => `lost: ${mode}, ${kind}: ${reason}`),
    'The tunnel runs from its sources, with the gateway and raw bytes in one process.',
  ];
}

function describeCrowd(report: SoakReport): string[] {
  if (report.crowdVisits === 0) return [];
  const hours = (countAll(report) / VISITS_PER_SECOND / 3_600).toFixed(1);
  return [
    `Beside them, whose answers are checked byte by byte, there were ${report.crowdVisits} more, as fast as they were answered: together as many as in ${hours} hours at ${VISITS_PER_SECOND} per second.`,
  ];
}

/** About nine values, which are enough to see a trend. */
function describeMemory({ memory }: SoakReport): string {
  const every = Math.max(1, Math.floor(memory.length / 8));
  const shown = memory.filter((_, index) => index % every === 0);
  return shown
    .map(({ atSeconds, rss }) => `${(rss / 1e6).toFixed(0)} at ${formatTime(atSeconds)}`)
    .join(', ');
}

function formatTime(seconds: number): string {
  return seconds < 120 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(0)} min`;
}
