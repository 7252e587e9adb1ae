import { expect, it, onTestFinished } from 'vitest';
import { startWatchdog } from '../../src/tunnel/watchdog.ts';
import { waitUntil } from '../support/wait-until.ts';

it('that fires a hair before its time starts anew, and notices the silence all the same', async () => {
  // The clock stands a hair before the end whenever the timer fires for the first time.
  let looks = 0;
  const readClock = () => [0, 49.6][looks++] ?? 100;
  let silences = 0;
  const onSilence = () => {
    silences += 1;
  };
  const watchdog = startWatchdog(50, onSilence, readClock);
  onTestFinished(watchdog.stop);
  await waitUntil(() => looks === 2, 'it fired too early');
  expect(silences).toBe(0);
  await waitUntil(() => silences === 1, 'the silence is noticed');
});

it('calls once, and not while something comes', async () => {
  let silences = 0;
  const watchdog = startWatchdog(200, () => {
    silences += 1;
  });
  onTestFinished(watchdog.stop);
  const started = performance.now();
  await waitUntil(() => {
    watchdog.hear();
    return performance.now() - started > 600;
  }, 'there was time to fire three times');
  expect(silences).toBe(0);
  await waitUntil(() => silences > 0, 'the silence is noticed');
  expect(performance.now() - watchdog.heardAt).toBeGreaterThanOrEqual(200);
  // What comes after the end wakes nothing up.
  watchdog.hear();
  const until = performance.now() + 500;
  await waitUntil(() => performance.now() > until, 'there was time to fire again');
  expect(silences).toBe(1);
});

it('that was stopped between its timer and its decision stays silent', async () => {
  let silences = 0;
  const watchdog = startWatchdog(20, () => {
    silences += 1;
  });
  // Both timers are due when the loop turns, and decisions come after timers.
  const stopped = new Promise<void>(resolve => {
    setTimeout(() => resolve(watchdog.stop()), 25);
  });
  const until = performance.now() + 40;
  while (performance.now() < until);
  await stopped;
  for (let turn = 0; turn < 3; turn += 1) await new Promise(resolve => setImmediate(resolve));
  expect(silences).toBe(0);
});
