// The faults of a soak: causes them, ends them, and records which lost visits they explain. Used by soak.ts.

import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from './noise.ts';
import type { FaultWindow } from './soak-report.ts';
import type { SoakWorld } from './soak-world.ts';

/** The time a tunnel may need to recover from the longest fault; if it needs more, the soak has failed. */
const RECOVERY_DEADLINE_MS = 30_000;

type Fault = 'control reset' | 'control ended' | 'data cut' | 'server restarted' | 'silent link';

const EXCUSES: Record<Fault, FaultWindow['excuses']> = {
  'control reset': 'arrivals',
  'control ended': 'arrivals',
  'data cut': 'all',
  'server restarted': 'all',
  'silent link': 'all',
};

export class SoakFaults {
  readonly windows: FaultWindow[] = [];
  readonly counts: Record<string, number> = {};
  /** Faults from which the tunnels did not recover, and ports that changed. */
  readonly notRecovered: string[] = [];
  longestRecoveryMs = 0;
  readonly #world: SoakWorld;
  readonly #random: Random;
  readonly #now: () => number;
  readonly #report: (text: string) => void;
  readonly #ports: readonly number[];
  #bag: Fault[] = [];

  /** `now` returns ms since the start of the soak. */
  constructor(world: SoakWorld, random: Random, now: () => number, report: (text: string) => void) {
    this.#world = world;
    this.#random = random;
    this.#now = now;
    this.#report = report;
    this.#ports = world.tunnels.ports;
  }

  /** Causes one fault at a time, with some seconds without faults in between, and each kind equally often. */
  async run(ending: AbortSignal): Promise<void> {
    for (;;) {
      await delay(3_000 + this.#random(5_000), undefined, { signal: ending }).catch(() => {});
      if (ending.aborted) return;
      if (this.#bag.length === 0) this.#bag = Object.keys(EXCUSES) as Fault[];
      const [fault] = this.#bag.splice(this.#random(this.#bag.length), 1) as [Fault];
      await this.#cause(fault);
    }
  }

  async #cause(fault: Fault): Promise<void> {
    this.counts[fault] = (this.counts[fault] ?? 0) + 1;
    this.#report(`fault: ${fault}`);
    const before = (await this.#world.tunnels.measure()).reconnects;
    const window: FaultWindow = {
      from: this.#now(),
      until: Number.POSITIVE_INFINITY,
      excuses: EXCUSES[fault],
    };
    this.windows.push(window);
    const cut = await this.#break(fault);
    const healedAt = this.#now();
    if (cut !== undefined) window.atMost = cut;
    else if (!(await this.#recover(fault, before))) return;
    window.until = this.#now();
    const tookMs = Math.round(window.until - healedAt);
    this.longestRecoveryMs = Math.max(this.longestRecoveryMs, tookMs);
    this.#report(`${fault}: over, recovered in ${tookMs} ms`);
  }

  /** Causes the fault and ends it. If the fault cuts data connections, returns how many. */
  async #break(fault: Fault): Promise<number | undefined> {
    const { link, killServer, startServer } = this.#world;
    switch (fault) {
      case 'control reset':
        return void link.cutControl('reset');
      case 'control ended':
        return void link.cutControl('end');
      case 'data cut':
        return link.cutData(1 + this.#random(3));
      case 'server restarted':
        await killServer();
        await delay(500 + this.#random(3_000));
        return void (await startServer());
      case 'silent link':
        link.fallSilent();
        await delay(6_000 + this.#random(4_000));
        return void link.heal();
    }
  }

  /** Waits until every tunnel has lost its connection and has reconnected. */
  async #recover(fault: Fault, before: readonly number[]): Promise<boolean> {
    const { tunnels } = this.#world;
    const deadline = performance.now() + RECOVERY_DEADLINE_MS;
    for (;;) {
      const { reconnects } = await tunnels.measure();
      const states = tunnels.states;
      if (
        reconnects.every((count, at) => count > (before[at] ?? 0)) &&
        states.every(state => state.status === 'Connected')
      )
        break;
      if (performance.now() > deadline) {
        this.notRecovered.push(`${fault}: ${JSON.stringify(states)}`);
        return false;
      }
      await delay(20);
    }
    if (String(tunnels.ports) !== String(this.#ports))
      this.notRecovered.push(`${fault}: ports ${this.#ports} became ${tunnels.ports}`);
    return true;
  }
}
