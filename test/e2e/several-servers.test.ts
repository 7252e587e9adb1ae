// Two real bore servers: one that is not there at the start is passed over, one that stays away is replaced, and
// nothing moves back while the other one works.

import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { followStates } from '../../src/control/client.ts';
import type { StateMessage } from '../../src/shared/state-json.ts';
import { readSession } from '../../src/supervisor/session-folder.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { type RealServer, startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { ask, createPreview, goLive, type Preview, SECRET, startHold } from './job-rig.ts';

const PAGE = { 'index.html': 'the preview' };
/** Longer than the pauses after which a tunnel would look at its first server again. */
const NO_FLAP_MS = 5_000;
const TAKEOVER_LIMIT_MS = 35_000;

/** Every state the event stream tells, from now on. */
function recordEvents(preview: Preview): StateMessage[] {
  const session = readSession(preview.folder());
  if (session === undefined) throw new Error('there is no session');
  const seen: StateMessage[] = [];
  void (async () => {
    for await (const state of followStates(session, AbortSignal.timeout(110_000))) seen.push(state);
  })().catch(() => {});
  return seen;
}

async function startPair(hosts: readonly string[]): Promise<Map<string, RealServer>> {
  const started = hosts.map(async host => [host, await startRealServer(host, { secret: SECRET })] as const);
  return new Map(await Promise.all(started));
}

describeWithReal(['bore'], 'several servers', () => {
  it('replace each other: events, comment and log have the new address, which stays', async () => {
    const hosts = ['127.0.0.140', '127.0.0.141'];
    const servers = await startPair(hosts);
    const preview = await createPreview({ server: hosts.join('\n'), hold: 'true' }, PAGE);
    const first = await startHold(preview);
    const { hostname } = new URL(first);
    const other = hosts.find(host => host !== hostname) ?? '';
    const events = recordEvents(preview);
    await waitUntil(() => preview.github.state.comments[0]?.body.includes(first) ?? false, 'the comment');

    await servers.get(hostname)?.kill();
    const killed = performance.now();
    const isThere = (state: StateMessage) => state.status === 'Connected' && state.public_host === other;
    await waitUntil(() => events.some(isThere), `${other} takes over`, 60_000);
    const told = performance.now();
    const second = events.find(isThere)?.public_url ?? '';
    await waitUntil(() => preview.github.state.comments[0]?.body.includes(second) ?? false, 'the comment');
    const commented = performance.now();
    console.log(
      `the other server took over ${Math.round(told - killed)} ms after the first was killed, and the comment had it ${Math.round(commented - told)} ms later`,
    );
    expect(commented - killed).toBeLessThan(TAKEOVER_LIMIT_MS);
    expect(await ask(second)).toBe('the preview');
    expect(preview.github.state.comments[0]?.body).not.toContain(first);
    const line = `the public address changed: it is ${second} now`;
    await waitUntil(() => preview.job.log.includes(line), `the log says: ${line}`);
    // Nobody heard of the new address before it was proved.
    expect(
      events.filter(({ public_url }) => public_url === second).map(({ verified }) => verified),
    ).not.toContain(null);

    await startRealServer(hostname, { secret: SECRET });
    const count = events.length;
    // The silence is what is tested.
    await delay(NO_FLAP_MS);
    expect(events.slice(count).map(({ public_url }) => public_url)).toEqual([]);
    expect(await ask(second)).toBe('the preview');
    preview.job.signal('SIGTERM');
    await preview.job.finished();
    const post = await preview.job.post();
    // No later step ran that could have used the old address.
    expect(post.log).not.toMatch(/^::warning::the public address changed/m);
    expect(preview.titles()).toEqual([
      'is starting',
      'is live',
      'is away for a moment',
      'is live',
      'has ended',
    ]);
  }, 120_000);

  it('are tried in turn at the start, and the same one is first in every run', async () => {
    const hosts = ['127.0.0.142', '127.0.0.143'];
    const servers = await startPair(hosts);
    const home = await runOnce(hosts);
    expect(await runOnce([...hosts].reverse())).toBe(home);
    const { hostname } = new URL(home);
    await servers.get(hostname)?.kill();
    const away = await runOnce(hosts);
    expect(new URL(away).hostname).toBe(hosts.find(host => host !== hostname));
    await startRealServer(hostname, { secret: SECRET });
    expect(await runOnce(hosts)).toBe(home);
  });

  it('each have a secret of their own, one per line', async () => {
    const secrets = new Map([
      ['127.0.0.144', 'the-secret-of-the-first'],
      ['127.0.0.145', 'the-secret-of-the-second'],
    ]);
    const servers = new Map<string, RealServer>();
    for (const [host, secret] of secrets) servers.set(host, await startRealServer(host, { secret }));
    const inputs = { server: [...secrets.keys()].join(), secret: [...secrets.values()].join('\n') };
    const { url: home, log } = await runWith(inputs);
    for (const secret of secrets.values()) expect(log).toContain(`::add-mask::${secret}`);
    await servers.get(new URL(home).hostname)?.kill();
    const { url: away } = await runWith(inputs);
    expect(new URL(away).hostname).not.toBe(new URL(home).hostname);
  });
});

async function runOnce(hosts: readonly string[]): Promise<string> {
  return (await runWith({ server: hosts.join(), secret: SECRET })).url;
}

async function runWith(inputs: Record<string, string>): Promise<{ url: string; log: string }> {
  const preview = await createPreview(inputs, PAGE);
  const url = await goLive(preview);
  expect(await ask(url)).toBe('the preview');
  expect((await preview.job.post()).code).toBe(0);
  return { url, log: preview.job.log };
}
