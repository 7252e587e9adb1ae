// B19: what it costs to record webhooks. Run by main.ts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bench, type Case, chooseSeconds, WARM_UP_SECONDS } from '../case.ts';
import type { Row } from '../results.ts';
import { startApp } from '../rig/app.ts';
import { startBoreServer } from '../rig/bore-server.ts';
import { divideRounds, measureRounds, pick, type Rounds } from '../rig/rounds.ts';
import { measureCpu } from '../rig/testbed.ts';
import { type RunningTunnel, startTunnel } from '../rig/tunnels.ts';
import { runWrk } from '../rig/visitors.ts';
import { median } from '../statistics.ts';

const PATH = '/sink';
const BODY_BYTES = 2_048;
const CONNECTIONS = 32;
const SECONDS = 2;

/** Each tunnel → the paths that it records. */
const CAPTURES = { recorded: PATH, 'not recorded': '/elsewhere', 'capture: none': 'none' } as const;
type Name = keyof typeof CAPTURES;
const NAMES: readonly Name[] = ['capture: none', 'recorded', 'not recorded'];

/** Of the requests per second without a recorder. */
const REACH: Readonly<Partial<Record<Name, number>>> = { recorded: 0.9, 'not recorded': 0.97 };

export const recording: Case = {
  id: 'B19',
  title: 'Webhooks of 2 KB on 32 kept connections: recorded, on other paths, and without a recorder',
  minutes: bench => (bench.quick ? 0.3 : 0.4 + bench.rounds * 0.22),
  run: async bench => {
    await using stack = new AsyncDisposableStack();
    const server = stack.adopt(await startBoreServer(), one => one.kill());
    const app = stack.adopt(await startApp(), one => one.stop());
    const tunnels = new Map<Name, RunningTunnel>();
    for (const name of NAMES) {
      const target = {
        server: server.host,
        port: app.port,
        capture: CAPTURES[name],
        fromSource: bench.fromSource,
      };
      tunnels.set(
        name,
        stack.adopt(await startTunnel('gateway', target), one => one.stop()),
      );
    }
    const folder = stack.adopt(mkdtempSync(join(tmpdir(), 'bench-recording-')), one =>
      rmSync(one, { recursive: true }),
    );
    const script = join(folder, 'webhook.lua');
    writeFileSync(script, renderScript());
    const measured = await measure(bench, tunnels, script);
    return { rows: [buildRow('recorded', measured), buildRow('not recorded', measured)] };
  },
};

/** As many services send it: JSON with a token. */
function renderScript(): string {
  const start = '{"token":"0123456789abcdef","text":"';
  const body = `${start}${'x'.repeat(BODY_BYTES - start.length - 2)}"}`;
  return [
    'wrk.method = "POST"',
    `wrk.body = '${body}'`,
    'wrk.headers["Content-Type"] = "application/json"',
    'wrk.headers["X-Hub-Signature-256"] = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"',
  ].join('\n');
}

async function measure(
  bench: Bench,
  tunnels: ReadonlyMap<Name, RunningTunnel>,
  script: string,
): Promise<Rounds<Name>> {
  const load = (name: Name, seconds: number) => {
    const { url = '', pids = [] } = tunnels.get(name) ?? {};
    return measureCpu(pids, async () => {
      const wrk = { connections: CONNECTIONS, seconds: chooseSeconds(bench, seconds), script };
      const { requests, perSecond, errors } = await runWrk(`${url}${PATH}`, wrk);
      if (errors > 0) throw new Error(`${errors} webhooks of '${name}' failed`);
      return { figures: { perSecond }, amount: requests };
    });
  };
  for (const name of NAMES) await load(name, WARM_UP_SECONDS);
  return await measureRounds(NAMES, bench.rounds, name => load(name, SECONDS));
}

function buildRow(name: Name, measured: Rounds<Name>): Row {
  const base = measured['capture: none'];
  const medianOf = (rounds: Rounds<Name>[Name], key: string) => median(pick(rounds, key));
  const reach = REACH[name];
  return {
    what: `${name} ÷ capture: none`,
    samples: divideRounds(pick(measured[name], 'perSecond'), pick(base, 'perSecond')),
    unit: '×',
    take: 'median',
    better: 'higher',
    ...(reach !== undefined && { reach }),
    absolute: {
      ours: medianOf(measured[name], 'perSecond'),
      peer: medianOf(base, 'perSecond'),
      unit: 'requests/s',
    },
    cpu: {
      ours: medianOf(measured[name], 'cpuSeconds') * 1e6,
      peer: medianOf(base, 'cpuSeconds') * 1e6,
      unit: 'µs/request',
    },
  };
}
