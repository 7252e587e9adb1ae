// A soak: visitors come at a steady rate while the connection to the server is cut or falls silent, or the server dies.
// Used by test/tunnel/soak.test.ts and, for an hour, by the benchmarks; does not need a test runner.

import { setTimeout as delay } from 'node:timers/promises';
import { describeError } from '../../src/shared/errors.ts';
import { openRandom, type Random } from './noise.ts';
import { SoakFaults } from './soak-faults.ts';
import { findLost, fitSlope, type LostVisit, type MemorySample } from './soak-report.ts';
import { chooseVisit } from './soak-visits.ts';
import { MODES, openSoakWorld, type SoakWorld } from './soak-world.ts';

/** Visitors who left disappear from the tunnels in a moment; if they stay longer than this, it is a leak. */
const LEAVE_DEADLINE_MS = 30_000;

export interface SoakOptions {
  seconds: number;
  visitsPerSecond: number;
  /** The same seed gives the same visits and faults, as far as clocks allow. */
  seed: number;
  onEvent?: (event: SoakEvent) => void;
  /** Loopback address of the real bore server. */
  host?: string;
  /** Sends more visits beside those that are checked, until `ending`. Resolves with how many were answered. */
  crowd?: (host: string, ports: readonly number[], ending: AbortSignal) => Promise<number>;
}

/** An event to print while the soak runs. */
export interface SoakEvent {
  /** Seconds since the start. */
  atSeconds: number;
  text: string;
}

export interface SoakReport {
  seed: number;
  seconds: number;
  visits: number;
  /** How many visits of the crowd were answered. */
  crowdVisits: number;
  /** How many visits went through each kind of tunnel. */
  visitsByMode: Record<string, number>;
  /** Failed visits that a fault explains. */
  lostInside: number;
  /** Failed visits that nothing explains: there must be none. */
  lostOutside: LostVisit[];
  /** How often each fault happened. */
  faults: Record<string, number>;
  /** Longest time in ms from the end of a fault until all tunnels were connected. */
  longestRecoveryMs: number;
  /** Faults from which the tunnels did not recover, and ports that changed: there must be none. */
  notRecovered: string[];
  /** Uncaught exceptions and rejections in the process of the tunnels: there must be none. */
  unhandled: string[];
  /** Error lines of the tunnels' log. */
  errors: string[];
  memory: MemorySample[];
  /** The slope of the resident memory after the first quarter, in MB per hour. */
  slopeMbPerHour: number;
  /** Visitors the tunnels still held when all had left. */
  leftBehind: number;
}

/** Runs one soak. Rejects if it could not start, or if the process of the tunnels died. */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const world = await openSoakWorld(options.host ?? '127.0.0.210');
  try {
    return await new Soak(options, world).run();
  } finally {
    await world.close();
  }
}

class Soak {
  readonly #options: SoakOptions;
  readonly #world: SoakWorld;
  readonly #faults: SoakFaults;
  readonly #startedAt = performance.now();
  readonly #failed: LostVisit[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #memory: MemorySample[] = [];
  readonly #visitsByMode: Record<string, number> = {};
  #visits = 0;

  constructor(options: SoakOptions, world: SoakWorld) {
    this.#options = options;
    this.#world = world;
    const now = () => this.#now();
    const report = (text: string) => options.onEvent?.({ atSeconds: now() / 1_000, text });
    this.#faults = new SoakFaults(world, openRandom(options.seed), now, report);
  }

  async run(): Promise<SoakReport> {
    const ending = AbortSignal.timeout(this.#options.seconds * 1_000);
    const crowd = this.#options.crowd?.(this.#world.host, this.#world.tunnels.ports, ending) ?? 0;
    await Promise.all([this.#sendVisitors(ending), this.#sampleMemory(ending), this.#faults.run(ending)]);
    const crowdVisits = await crowd;
    await Promise.all(this.#running);
    const leftBehind = await this.#awaitLeaving();
    await this.#world.tunnels.stop();
    return this.#report(leftBehind, crowdVisits);
  }

  async #sendVisitors(ending: AbortSignal): Promise<void> {
    const pauseMs = 1_000 / this.#options.visitsPerSecond;
    const random = openRandom(this.#options.seed + 1);
    // Timed by the clock and not by pauses in a row, which would become longer under load.
    for (let dueAt = performance.now(); !ending.aborted; dueAt += pauseMs) {
      await pause(dueAt - performance.now(), ending);
      const running = this.#visit(random).finally(() => this.#running.delete(running));
      this.#running.add(running);
    }
  }

  async #visit(random: Random): Promise<void> {
    const number = this.#visits % MODES.length;
    const mode = MODES[number] ?? '';
    const port = this.#world.tunnels.lastPorts[number] ?? 0;
    const { kind, run } = chooseVisit(random);
    this.#visits += 1;
    this.#visitsByMode[mode] = (this.#visitsByMode[mode] ?? 0) + 1;
    const from = this.#now();
    try {
      await run(this.#world.host, port);
    } catch (error) {
      this.#failed.push({ from, until: this.#now(), mode, kind, reason: describeError(error) });
    }
  }

  async #sampleMemory(ending: AbortSignal): Promise<void> {
    const everyMs = Math.max(1_000, (this.#options.seconds * 1_000) / 120);
    for (; !ending.aborted; await pause(everyMs, ending)) {
      const { rss, heapUsed, external } = await this.#world.tunnels.measure();
      this.#memory.push({ atSeconds: this.#now() / 1_000, rss, heapUsed, external });
    }
  }

  async #awaitLeaving(): Promise<number> {
    const deadline = performance.now() + LEAVE_DEADLINE_MS;
    for (;;) {
      const { openVisitors } = await this.#world.tunnels.measure();
      if (openVisitors === 0 || performance.now() > deadline) return openVisitors;
      await delay(50);
    }
  }

  #report(leftBehind: number, crowdVisits: number): SoakReport {
    const { windows, counts, longestRecoveryMs, notRecovered } = this.#faults;
    const { unhandled, log } = this.#world.tunnels;
    const { inside, outside } = findLost(this.#failed, windows);
    return {
      seed: this.#options.seed,
      seconds: this.#options.seconds,
      visits: this.#visits,
      crowdVisits,
      visitsByMode: this.#visitsByMode,
      lostInside: inside.length,
      lostOutside: outside,
      faults: counts,
      longestRecoveryMs,
      notRecovered,
      unhandled: [...unhandled],
      errors: log.filter(line => line.startsWith('error ')),
      memory: this.#memory,
      slopeMbPerHour: fitSlope(this.#memory),
      leftBehind,
    };
  }

  #now(): number {
    return performance.now() - this.#startedAt;
  }
}

/** Ends early and without an error when the soak ends. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal }).catch(() => {});
}
