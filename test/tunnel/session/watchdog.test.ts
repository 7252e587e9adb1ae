import { expect, it, onTestFinished } from 'vitest';
import { startWatchdog } from '../../../src/tunnel/session/watchdog.ts';
import { waitUntil } from '../../support/wait-until.ts';

it('waits only for the remaining time when its timer fires early', async () => {
  // When the timer fires for the first time, the clock is 0.4 ms short of the time.
  const clock = [0, 499.6];
  const happened: string[] = [];
  const readClock = () => clock.shift() ?? 1_000;
  const watchdog = startWatchdog(500, () => happened.push('noticed'), readClock);
  onTestFinished(watchdog.stop);
  setTimeout(() => happened.push('nearly twice the time is over'), 900);
  await waitUntil(() => happened.length === 2, 'both callbacks were called');
  expect(happened).toEqual(['noticed', 'nearly twice the time is over']);
});

it('reports a silence once, and not while bytes come', async () => {
  let silences = 0;
  const watchdog = startWatchdog(200, () => {
    silences += 1;
  });
  onTestFinished(watchdog.stop);
  const started = performance.now();
  await waitUntil(() => {
    watchdog.onData();
    return performance.now() - started > 600;
  }, 'there was time to fire three times');
  expect(silences).toBe(0);
  await waitUntil(() => silences > 0, 'the silence is noticed');
  expect(performance.now() - watchdog.lastDataAt).toBeGreaterThanOrEqual(200);
  // Bytes that come after the report do not start the watchdog again.
  watchdog.onData();
  const until = performance.now() + 500;
  await waitUntil(
    () => performance.now() > until,
    'the time has passed in which the watchdog could fire again',
  );
  expect(silences).toBe(1);
});

it('reports no silence if it is stopped just after its timer fired', async () => {
  let silences = 0;
  const watchdog = startWatchdog(20, () => {
    silences += 1;
  });
  // Both timers are due in the same turn, and the decision comes after the timers.
  const stopped = new Promise<void>(resolve => {
    setTimeout(() => resolve(watchdog.stop()), 25);
  });
  const until = performance.now() + 40;
  while (performance.now() < until);
  await stopped;
  for (let turn = 0; turn < 3; turn += 1) await new Promise(resolve => setImmediate(resolve));
  expect(silences).toBe(0);
});
