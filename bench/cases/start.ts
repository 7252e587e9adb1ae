// B12: how soon after the end the public port is free. B13: how long a start takes. Run by main.ts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench, Case } from '../case.ts';
import type { Row } from '../results.ts';
import { startApp } from '../rig/app.ts';
import { SECRET, startBoreServer } from '../rig/bore-server.ts';
import { startProgram } from '../rig/process.ts';
import { PROGRAMS } from '../rig/programs.ts';
import { timeStep } from '../rig/step.ts';
import { type RunningSupervisor, startSupervisor } from '../rig/supervisor.ts';
import {
  describeOwnCommand,
  OURS,
  parseState,
  type RunningTunnel,
  startTunnel,
  type TunnelName,
  type TunnelTarget,
} from '../rig/tunnels.ts';
import { median } from '../statistics.ts';

const FREE_PORT_LIMIT_MS = 15_000;
const RUNS = 10;

export const portFree: Case = {
  id: 'B12',
  title: 'How soon after the end the public port is free',
  minutes: bench => (bench.quick ? 0.1 : 0.6),
  run: async bench => {
    await using stack = new AsyncDisposableStack();
    const server = stack.adopt(await startBoreServer(), one => one.kill());
    const app = stack.adopt(await startApp(), one => one.stop());
    const target = { server: server.host, port: app.port, fromSource: bench.fromSource };
    const rows: Row[] = [];
    for (const own of OURS)
      rows.push(buildPortRow(own, await repeat(bench, () => measurePortRelease(own, target))));
    const peer = await repeat(bench, () => measurePortRelease('bore local', target));
    return { rows, notes: [`bore local, ended by the same signal: ${median(peer).toFixed(2)} s.`] };
  },
};

function buildPortRow(own: TunnelName, samples: number[]): Row {
  const what = `${own}, from SIGTERM to another client's having the port`;
  return { what, samples, unit: 's', take: 'worst', better: 'lower', reach: 0.6 };
}

/** Seconds from the signal that ends the tunnel until a second client, which keeps asking for the same port, has it. */
async function measurePortRelease(name: TunnelName, target: TunnelTarget): Promise<number> {
  const tunnel = await startTunnel(name, target);
  const began = performance.now();
  tunnel.program.kill('SIGTERM');
  const second = await takePort(tunnel);
  const seconds = (performance.now() - began) / 1_000;
  await Promise.all([second.stop(), tunnel.stop()]);
  return seconds;
}

async function takePort({ host, port }: RunningTunnel): Promise<{ stop(): Promise<void> }> {
  // The local port does not matter, because no visitor comes.
  const args = ['local', '9', '--to', host, '--port', `${port}`];
  for (const deadline = performance.now() + FREE_PORT_LIMIT_MS; performance.now() < deadline; ) {
    const program = startProgram(PROGRAMS.bore, args, { environment: { BORE_SECRET: SECRET } });
    try {
      await program.waitFor(text => /listening at/.exec(text)?.[0], 'the port');
      return program;
    } catch {
      await program.stop(); // still taken
    }
  }
  throw new Error(`port ${port} was not free after ${FREE_PORT_LIMIT_MS / 1_000} s`);
}

export const start: Case = {
  id: 'B13',
  title:
    'The start: from the start of the process to the tunnel, to the first line in the log, and to the URL',
  minutes: bench => (bench.quick ? 0.3 : 0.7),
  run: async bench => {
    await using stack = new AsyncDisposableStack();
    const server = stack.adopt(await startBoreServer(), one => one.kill());
    const app = stack.adopt(await startApp(), one => one.stop());
    const target = { server: server.host, port: app.port, fromSource: bench.fromSource };
    const starts = await repeat(bench, () => measureSupervisor(target));
    const announced = await repeat(bench, () => measureCommandLine(target));
    const peer = await repeat(bench, () => measurePeerStart(target));
    const folder = stack.adopt(createSite(), one => rmSync(one, { recursive: true }));
    const portSteps = await repeat(bench, () => timeStep(server.host, { mode: 'port', port: `${app.port}` }));
    const webSteps = await repeat(bench, () => timeStep(server.host, { mode: 'web', path: folder }));
    const firstLines = [...portSteps, ...webSteps].map(({ firstLineMs }) => firstLineMs);
    const announcements = (steps: typeof portSteps) => steps.map(({ announcedMs }) => announcedMs);
    const pickStart = (key: keyof Start) => starts.map(one => one[key]);
    return {
      rows: [
        buildStartRow('supervisor, spawned → tunnel connected', pickStart('connectedMs'), 250),
        buildStartRow('supervisor, spawned → live', pickStart('liveMs'), 1_000),
        buildStartRow('command line, started → URL announced', announced, 1_000),
        buildStartRow('step, started → first line in the log', firstLines),
        buildStartRow('step, started → URL announced, port mode', announcements(portSteps), 1_000),
        buildStartRow('step, started → URL announced, web mode', announcements(webSteps), 1_000),
      ],
      notes: [`bore local, started → port announced: ${median(peer).toFixed(0)} ms.`],
    };
  },
};

function buildStartRow(what: string, samples: number[], reach?: number): Row {
  return {
    what,
    samples,
    unit: 'ms',
    take: 'median',
    better: 'lower',
    ...(reach !== undefined && { reach }),
  };
}

function createSite(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bench-site-'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>a site</title>');
  return folder;
}

type Start = Pick<RunningSupervisor, 'connectedMs' | 'liveMs'>;

async function measureSupervisor(target: TunnelTarget): Promise<Start> {
  const { connectedMs, liveMs, stop } = await startSupervisor('gateway', target);
  await stop();
  return { connectedMs, liveMs };
}

async function measureCommandLine(target: TunnelTarget): Promise<number> {
  const [command, ...args] = describeOwnCommand('gateway', target);
  const began = performance.now();
  const program = startProgram(command, args, { environment: { BORE_SECRET: SECRET } });
  const { at } = await program.waitFor(
    text => (parseState(text)?.exposure.phase === 'live' ? true : undefined),
    'the state live',
  );
  await program.stop();
  return at - began;
}

async function measurePeerStart(target: TunnelTarget): Promise<number> {
  const began = performance.now();
  const tunnel = await startTunnel('bore local', target);
  const millis = performance.now() - began;
  await tunnel.stop();
  return millis;
}

async function repeat<T>(bench: Bench, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let run = 0; run < (bench.quick ? 3 : RUNS); run += 1) results.push(await work());
  return results;
}
