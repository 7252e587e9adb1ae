// Hundreds of previews on three servers: all start at once, servers are killed and restarted, previews come and go, and
// one server stays away for a minute. Run by main.ts.

import { setTimeout as delay } from 'node:timers/promises';
import type { CrowdReport } from '../crowd.ts';
import { listUnexplained, measureOutages, type Window } from '../outages.ts';
import { describeTimes, type Section } from '../results.ts';
import { World } from '../world.ts';
import { startAll } from './start.ts';
import { runStorm, type StormOptions, toReturns } from './storm.ts';

export const HOSTS = ['127.0.0.220', '127.0.0.221', '127.0.0.222'];
/** Service before each restart. A tunnel waits longer after a session of less than 5 s. */
const SERVICE_MS = 6_000;
const PROBE_MS = 500;
const VISITS_PER_SECOND = 50;
const WEB_SOCKETS = 30;
/** As in bench B10. */
const CLOSE_PROBE_MS = 20;
const WATCHED_CLOSELY = 10;
/** The close watch begins this long before a restart, and goes on this long after it. */
const LEAD_MS = 1_000;
const AWAY_MS = 60_000;
const CHURN_S = 20;
const CHURN_PER_SECOND = 3;

export async function runThreeServers(previews: number, log: (line: string) => void): Promise<Section[]> {
  await using world = await World.start({ hosts: HOSTS, previews });
  const story = new Story(world, log);
  await story.start();
  await story.storm('one-killed', 'One of three servers is killed, and starts again after 1 s', {
    ...{ hosts: HOSTS.slice(0, 1), signal: 'SIGKILL', downMs: 1_000, probeMs: PROBE_MS },
  });
  await story.storm('all-killed', 'All three servers are killed at once, and start again after 1 s', {
    ...{ hosts: HOSTS, signal: 'SIGKILL', downMs: 1_000, probeMs: PROBE_MS },
  });
  await story.restartInTurn();
  await story.churn();
  await story.loseOne();
  return story.sections;
}

class Story {
  readonly sections: Section[] = [];
  readonly #world: World;
  readonly #log: (line: string) => void;
  readonly #windows: Window[] = [];

  constructor(world: World, log: (line: string) => void) {
    this.#world = world;
    this.#log = log;
  }

  async start(): Promise<void> {
    const { rows } = await startAll(this.#world);
    this.#add({ id: 'three-start', title: 'All previews start at once, on three servers', rows });
    this.#world.crowd.tell({ kind: 'visit', perSecond: VISITS_PER_SECOND });
    this.#world.crowd.tell({ kind: 'hold', names: [...this.#world.places.keys()].slice(0, WEB_SOCKETS) });
  }

  async storm(id: string, title: string, options: StormOptions): Promise<void> {
    await delay(SERVICE_MS);
    const storm = await runStorm(this.#world, options);
    this.#windows.push(storm.window);
    await this.#addWithVisits({ id, title, rows: [], returns: toReturns(storm) });
  }

  /** As `systemctl restart bore` on one server after the other. */
  async restartInTurn(): Promise<void> {
    const { crowd } = this.#world;
    const outages: number[] = [];
    const awayMs: number[] = [];
    const closely = new Set<string>();
    let [previews, moved] = [0, 0];
    for (const host of HOSTS) {
      await delay(SERVICE_MS);
      const names = this.#world.listOn(host).slice(0, WATCHED_CLOSELY);
      for (const name of names) closely.add(name);
      crowd.tell({ kind: 'watch', names, everyMs: CLOSE_PROBE_MS, untilServed: false });
      await delay(LEAD_MS);
      const how = { signal: 'SIGTERM', downMs: 0, probeMs: PROBE_MS, except: names } as const;
      const storm = await runStorm(this.#world, { hosts: [host], ...how });
      await delay(LEAD_MS);
      crowd.tell({ kind: 'unwatch' });
      previews += storm.previews;
      moved += storm.moved.length;
      awayMs.push(...storm.awayMs);
      this.#windows.push(storm.window);
    }
    const report = await crowd.report();
    for (const name of closely) outages.push(...measureOutages(report.probes[name] ?? []));
    const title = 'One server after the other is restarted (SIGTERM, and started at once)';
    const seconds = outages.map(ms => ms / 1_000);
    const returns = { previews, moved, seconds, since: 'loss' } as const;
    const rows = [describeTimes('from the signal until the server listens again', awayMs)];
    await this.#addWithVisits({ id: 'rolling', title, rows, returns }, report);
  }

  async churn(): Promise<void> {
    const world = this.#world;
    const began = Date.now();
    const opened = new Map<string, number>();
    for (let second = 0; second < CHURN_S; second += 1) {
      world.close([...world.connected].slice(0, CHURN_PER_SECOND));
      for (const name of world.open(CHURN_PER_SECOND)) opened.set(name, Date.now());
      await delay(1_000);
    }
    const names = [...opened.keys()];
    await world.waitFor(() => names.every(name => world.connected.has(name)), 'new previews connect');
    const starts = world.events.flatMap(event => {
      const since = opened.get(event.name);
      return event.kind === 'connected' && since !== undefined ? [event.at - since] : [];
    });
    const lost = world.events.filter(event => event.kind === 'lost' && event.at > began).length;
    await this.#addWithVisits({
      id: 'churn',
      title: `For ${CHURN_S} s, ${CHURN_PER_SECOND} previews end and ${CHURN_PER_SECOND} start each second`,
      rows: [
        describeTimes('a new preview is connected after', starts),
        { what: 'previews that lost their tunnel', value: lost, unit: '' },
      ],
    });
  }

  async loseOne(): Promise<void> {
    const world = this.#world;
    const [host = ''] = HOSTS;
    const others = new Map([...world.places].filter(([, place]) => place.host !== host));
    const options = { hosts: [host], signal: 'SIGKILL', downMs: AWAY_MS, probeMs: 2 * PROBE_MS } as const;
    const storm = await runStorm(world, options);
    this.#windows.push(storm.window);
    const disturbed = [...others].filter(([name, place]) => world.places.get(name) !== place).length;
    await this.#addWithVisits({
      id: 'one-away',
      title: 'One server stays away for 60 s',
      rows: [{ what: 'previews of the other servers that were disturbed', value: disturbed, unit: '' }],
      returns: toReturns(storm, 'loss'),
    });
  }

  /** Adds what the visitors saw since the last report. Opens the lost WebSockets again. */
  async #addWithVisits(section: Section, report?: CrowdReport): Promise<void> {
    const { crowd, places } = this.#world;
    const { visits, failures, lost, echoing } = report ?? (await crowd.report());
    const failed = listUnexplained(failures, this.#windows);
    for (const { name, from, to, reason } of failed)
      this.#log(`a visit to ${name} failed without an outage, after ${to - from} ms: ${reason}`);
    const losses = lost.map(({ name, at }) => ({ name, from: at, to: at }));
    const cut = listUnexplained(losses, this.#windows).length;
    const names = losses.map(({ name }) => name).filter(name => places.has(name));
    crowd.tell({ kind: 'hold', names });
    const visitors = { visits, failed: failed.length, webSockets: echoing + cut, cut };
    this.#add({ ...section, visitors });
  }

  #add(section: Section): void {
    this.sections.push(section);
    this.#log(section.title);
  }
}
