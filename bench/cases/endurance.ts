// B15: an hour of visits, while the link and the server fail at random. It uses the soak of the tests
// (test/support/soak.ts). Run by main.ts.

import { runSoak, type SoakReport } from '../../test/support/soak.ts';
import type { Case } from '../case.ts';
import type { Row } from '../results.ts';
import { HOST } from '../rig/bore-server.ts';

const VISITS_PER_SECOND = 20;
/** MB per hour. Memory varies by this much without a leak; a leak of 100 bytes per visit would add 7. */
const SLOPE_REACH = 5;
/** In shorter runs the process is still warming up, and the slope of its memory says nothing about leaks. */
const MIN_MINUTES = 15;
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
      onEvent: ({ atSeconds, text }) => bench.log(`${atSeconds.toFixed(0).padStart(5)} s  ${text}`),
    });
    return { rows: buildRows(report), notes: buildNotes(report) };
  },
};

function buildRows(report: SoakReport): Row[] {
  const mustBeZero = (what: string, count: number): Row => {
    return { what, samples: [count], unit: '', take: 'worst', better: 'lower', reach: 0 };
  };
  return [
    mustBeZero('unhandled errors', report.unhandled.length),
    mustBeZero('visits lost that no fault explains', report.lostOutside.length),
    mustBeZero('faults not got over, or with another port', report.notRecovered.length),
    mustBeZero('visitors left behind at the end', report.leftBehind),
    {
      what: 'growth of the resident memory, after the first quarter',
      samples: [report.slopeMbPerHour],
      unit: 'MB/h',
      take: 'median',
      better: 'lower',
      ...(report.seconds >= MIN_MINUTES * 60 && { reach: SLOPE_REACH }),
    },
  ];
}

function buildNotes(report: SoakReport): string[] {
  const faults = Object.entries(report.faults).map(([name, count]) => `${count} × ${name}`);
  const share = ((report.lostInside / report.visits) * 100).toFixed(1);
  return [
    `${report.visits} visits in ${(report.seconds / 60).toFixed(0)} minutes; ${faults.join(', ')}.`,
    `A fault explains ${report.lostInside} lost visits (${share} %). The longest recovery took ${report.longestRecoveryMs.toFixed(0)} ms.`,
    `Resident memory in MB: ${describeMemory(report)}.`,
    ...[...report.unhandled, ...report.notRecovered].slice(0, 5),
    ...report.lostOutside.slice(0, 5).map(({ mode, kind, reason }) => `lost: ${mode}, ${kind}: ${reason}`),
    'The tunnel runs from its sources, with the gateway and raw bytes in one process.',
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
