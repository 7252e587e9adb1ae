// B15: visits for an hour, while the line and the server fail at random. The soak itself is that of the tests
// (test/support/soak.ts). Run by main.ts.

import { runSoak, type SoakReport } from '../../test/support/soak.ts';
import type { Case } from '../case.ts';
import type { Row } from '../results.ts';
import { HOST } from '../rig/bore-server.ts';

const VISITS_PER_SECOND = 20;
/** What an hour's memory goes up and down by itself; a leak of 100 bytes a visit would be 7 MB an hour. */
const SLOPE_REACH = 5;
/** Below this the slope is that of a process that is still warming up. */
const LEAST_MINUTES = 15;
/** Random, but the same every time. */
const SEED = 15;

export const endurance: Case = {
  id: 'B15',
  title: 'Visits while the line and the server fail at random',
  minutes: bench => bench.soakMinutes,
  run: async bench => {
    const report = await runSoak({
      seconds: bench.soakMinutes * 60,
      visitsPerSecond: VISITS_PER_SECOND,
      seed: SEED,
      host: HOST,
      onEvent: ({ atSeconds, text }) => bench.say(`${atSeconds.toFixed(0).padStart(5)} s  ${text}`),
    });
    return { rows: describe(report), notes: explain(report) };
  },
};

function describe(report: SoakReport): Row[] {
  const none = (what: string, count: number): Row => {
    return { what, samples: [count], unit: '', take: 'worst', better: 'lower', reach: 0 };
  };
  return [
    none('unhandled errors', report.unhandled.length),
    none('visits lost that no fault explains', report.lostOutside.length),
    none('faults not got over, or with another port', report.notRecovered.length),
    none('visitors left behind at the end', report.leftBehind),
    {
      what: 'growth of the resident memory, after the first quarter',
      samples: [report.slopeMbPerHour],
      unit: 'MB/h',
      take: 'median',
      better: 'lower',
      ...(report.seconds >= LEAST_MINUTES * 60 && { reach: SLOPE_REACH }),
    },
  ];
}

function explain(report: SoakReport): string[] {
  const faults = Object.entries(report.faults).map(([name, count]) => `${count} × ${name}`);
  const share = ((report.lostInside / report.visits) * 100).toFixed(1);
  return [
    `${report.visits} visits in ${(report.seconds / 60).toFixed(0)} minutes; ${faults.join(', ')}.`,
    `${report.lostInside} visits (${share} %) were lost to a fault; the longest way back took ${report.longestRecoveryMs.toFixed(0)} ms.`,
    `Resident memory, in MB: ${describeMemory(report)}.`,
    ...[...report.unhandled, ...report.notRecovered].slice(0, 5),
    ...report.lostOutside.slice(0, 5).map(({ mode, kind, reason }) => `lost: ${mode}, ${kind}: ${reason}`),
    'It runs the tunnel from its sources, gateway and raw bytes in one process.',
  ];
}

/** Nine values are enough to see which way it goes. */
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
