// B18: the gateway that asks for a password, against the two programs that do the same job: Caddy in front of the app,
// and `bore local` in front of Caddy. Run by main.ts.

import { type Bench, type Case, chooseSeconds } from '../case.ts';
import { type Comparison, comparePairs } from '../compare.ts';
import type { Row } from '../results.ts';
import { readCaddyVersion } from '../rig/caddy.ts';
import { measureRounds } from '../rig/rounds.ts';
import { startTestbed, type Testbed } from '../rig/testbed.ts';
import { CADDY_PAIR, LOCKED, type LockedName } from '../rig/tunnels.ts';
import { runRate } from '../rig/visitors.ts';
import { CPU_PER_REQUEST, describeErrors, measureRequests } from './requests.ts';
import { CPU_PER_GB, DIRECTIONS, measureStreams } from './throughput.ts';

const SHAPES = [
  { what: 'keep-alive, 32 connections', connections: 32, closing: false },
  { what: 'a connection each, 16 at a time', connections: 16, closing: true },
];
const REQUEST_SECONDS = 2;
const RATE_SECONDS = 2;
/** The cookie of a link is measured where requests count; for bytes it makes no difference. */
const NAMES = [CADDY_PAIR, ...LOCKED] as const;
const PASSWORD_NAMES = [CADDY_PAIR, 'gateway with a password'] as const;

type PairComparison = Comparison<LockedName, typeof CADDY_PAIR>;

export const sameJob: Case = {
  id: 'B18',
  title: 'The same job: a preview that asks for a password, against `bore local` with Caddy',
  minutes: bench => (bench.quick ? 0.9 : 1.2 + bench.rounds * 0.62),
  run: async bench => {
    await using testbed = await startTestbed(bench, NAMES);
    const requests = await measureShapes(bench, testbed);
    const rows = [
      ...requests.rows,
      ...(await measureBothWays(bench, testbed)),
      ...(await measureWaiting(bench, testbed)),
    ];
    return { rows, notes: [describeCaddy(), ...requests.notes] };
  },
};

async function measureShapes(bench: Bench, testbed: Testbed): Promise<{ rows: Row[]; notes: string[] }> {
  const rows: Row[] = [];
  const notes: string[] = [];
  for (const { what, ...shape } of SHAPES) {
    const load = { ...shape, seconds: chooseSeconds(bench, REQUEST_SECONDS) };
    const measured = await measureRequests(bench, testbed, NAMES, load);
    rows.push(
      ...comparePair({ what, measured, key: 'perSecond', unit: 'requests/s', better: 'higher' }),
      ...comparePair({
        what: `${what}, processor time`,
        measured,
        ...{ key: CPU_PER_REQUEST.key, unit: CPU_PER_REQUEST.unit, better: 'lower' },
      }),
    );
    notes.push(...describeErrors(measured, `, ${what}`));
  }
  return { rows, notes };
}

async function measureBothWays(bench: Bench, testbed: Testbed): Promise<Row[]> {
  const rows: Row[] = [];
  for (const direction of DIRECTIONS) {
    const measured = await measureStreams(bench, testbed, PASSWORD_NAMES, direction);
    const what = `600 MB ${direction}`;
    rows.push(
      ...comparePair({ what, measured, key: 'mbPerSecond', unit: 'MB/s', better: 'higher', cpu: CPU_PER_GB }),
    );
  }
  return rows;
}

async function measureWaiting(bench: Bench, testbed: Testbed): Promise<Row[]> {
  const seconds = chooseSeconds(bench, RATE_SECONDS);
  for (const name of PASSWORD_NAMES) await runRate(testbed.tunnel(name), seconds);
  const measured = await measureRounds(PASSWORD_NAMES, bench.rounds, async name => {
    const { p50, p99, errors } = await runRate(testbed.tunnel(name), seconds);
    if (errors > 0) bench.log(`${name}: ${errors} requests failed`);
    return { p50, p99 };
  });
  const common = { measured, unit: 'ms', better: 'lower' } as const;
  return [
    ...comparePair({ ...common, what: '500 requests/s, median', key: 'p50' }),
    ...comparePair({ ...common, what: '500 requests/s, 99th percentile', key: 'p99' }),
  ];
}

/** Every row has the same target: no worse than the pair. */
function comparePair(comparison: PairComparison): Row[] {
  const reach = { [CADDY_PAIR]: { reach: 1 } } as const;
  const targets = { 'gateway with a password': reach, 'gateway with a link': reach };
  return comparePairs(LOCKED, [CADDY_PAIR], { ...comparison, targets });
}

function describeCaddy(): string {
  return (
    `Caddy ${readCaddyVersion() ?? '(not installed)'} has \`basicauth\` and \`reverse_proxy\`, and no access log. It remembers a password that was right, so bcrypt costs nothing here. ` +
    "The pair's processor time is the sum of both programs. A gateway with a link has visitors with its cookie."
  );
}
