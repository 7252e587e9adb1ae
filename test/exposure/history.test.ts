import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { History } from '../../src/exposure/history.ts';
import { VisitCounts } from '../../src/exposure/visit-counts.ts';
import { RequestRecorder } from '../../src/gateway/webhooks/record/recorder.ts';
import type { CapturedRequest } from '../../src/shared/captured-request.ts';
import { ResponseTimes } from '../../src/shared/response-times.ts';
import type { ExposureState } from '../../src/shared/state.ts';
import { LIVE } from '../support/sample-state.ts';

const START = Date.parse('2026-05-04T10:00:00Z');
const MINUTE_MS = 60_000;

describe('the visits a minute', () => {
  it('are counted from the totals', () => {
    const counts = new VisitCounts(START);
    counts.observe(3, START + 1);
    counts.observe(5, START + 59_999);
    counts.observe(6, START + 3 * MINUTE_MS);
    expect(counts.describe()).toEqual({ from: '2026-05-04T10:00:00.000Z', minutes: 1, counts: [5, 0, 0, 1] });
  });

  it('take no more room in 24 days than in two hours, and lose no visit', () => {
    const counts = new VisitCounts(START);
    for (let minute = 0; minute <= 24 * 24 * 60; minute += 1)
      counts.observe(minute, START + minute * MINUTE_MS);
    const { minutes, counts: steps } = counts.describe();
    expect(minutes).toBe(512);
    expect(steps.length).toBeLessThanOrEqual(120);
    expect(steps.reduce((sum, count) => sum + count, 0)).toBe(24 * 24 * 60);
    expect(steps[3]).toBe(512);
  });

  it('survive a clock that is put back, or forward by years', () => {
    const counts = new VisitCounts(START);
    counts.observe(1, START + 5 * MINUTE_MS);
    counts.observe(3, START - 500 * MINUTE_MS);
    expect(counts.describe().counts).toEqual([0, 0, 0, 0, 0, 3]);
    counts.observe(4, START + 10 * 365 * 24 * 60 * MINUTE_MS);
    expect(counts.describe().counts.reduce((sum, count) => sum + count, 0)).toBe(4);
  });
});

describe('the times of answers', () => {
  it('have a median and a percentile that are at most 5 % off', () => {
    const times = new ResponseTimes();
    for (let ms = 1; ms <= 1_000; ms += 1) times.add(ms, () => ({ method: 'GET', path: '/', status: 200 }));
    expect(Math.abs((times.percentile(0.5) ?? 0) / 500 - 1)).toBeLessThan(0.05);
    expect(Math.abs((times.percentile(0.95) ?? 0) / 950 - 1)).toBeLessThan(0.05);
    expect(new ResponseTimes().percentile(0.5)).toBeUndefined();
  });

  it('list the ten slowest, one for each method and path, and look at no other request', () => {
    const times = new ResponseTimes();
    let looks = 0;
    const add = (ms: number, path: string) =>
      times.add(ms, () => {
        looks += 1;
        return { method: 'GET', path, status: 200 };
      });
    for (let n = 0; n < 12; n += 1) add(100 + n, `/${n}`);
    add(300, '/11');
    expect(times.slowest.map(({ path, durationMs }) => `${path} ${durationMs}`)).toEqual([
      '/11 300',
      ...[10, 9, 8, 7, 6, 5, 4, 3, 2].map(n => `/${n} ${100 + n}`),
    ]);
    const before = looks;
    for (let n = 0; n < 1_000; n += 1) add(50, '/quick');
    expect(looks).toBe(before);
  });
});

describe('the history of an exposure', () => {
  function open(secrets: string[] = []) {
    vi.useFakeTimers({ now: START, toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const recorder = new RequestRecorder({ kind: 'unsafe methods' });
    const times = new ResponseTimes();
    const history = new History({ readVisits: () => 0, times, requests: recorder, secrets });
    onTestFinished(() => history.stop());
    const see = (seconds: number, changes: Partial<ExposureState>) => {
      vi.setSystemTime(START + seconds * 1_000);
      history.observe({ ...LIVE, ...changes });
    };
    return { history, recorder, times, see };
  }

  const away = (reason: string): Partial<ExposureState> => ({
    tunnel: { status: 'Reconnecting', host: 'bore.example', port: 12345, reason },
  });

  it('lists the outages of tunnel and app, each with its first reason', () => {
    const { history, see } = open();
    see(0, {});
    see(10, away('no heartbeat'));
    see(11, { ...away('another'), app: { status: 'restarting', reason: 'it exited', attempt: 1 } });
    see(20, { app: { status: 'restarting', reason: 'it exited again', attempt: 2 } });
    see(25, {});
    const { outages, away: sums } = history.describe();
    const time = (seconds: number) => new Date(START + seconds * 1_000).toISOString();
    expect(outages).toEqual([
      { part: 'tunnel', from: time(10), until: time(20), reason: 'no heartbeat' },
      { part: 'app', from: time(11), until: time(25), reason: 'it exited' },
    ]);
    expect(sums).toEqual({ tunnel: { count: 1, ms: 10_000 }, app: { count: 1, ms: 14_000 } });
  });

  it('counts neither the start nor the end as an outage', () => {
    const { history, see } = open();
    see(0, { phase: { kind: 'starting' }, tunnel: { status: 'Connecting' }, app: { status: 'starting' } });
    see(5, {});
    history.end();
    see(9, { tunnel: { status: 'Disconnected' }, app: { status: 'stopped' } });
    expect(history.describe()).toMatchObject({
      outages: [],
      away: { tunnel: { count: 0 }, app: { count: 0 } },
    });
  });

  it('an outage lasts until the end, and thousands take no more room', () => {
    const { history, see } = open();
    see(0, {});
    for (let n = 1; n <= 5_000; n += 1) {
      see(n * 10, away('x'));
      see(n * 10 + 1, {});
    }
    see(60_000, away('the last'));
    vi.setSystemTime(START + 60_010_000);
    history.end();
    vi.setSystemTime(START + 70_000_000);
    const { outages, away: sums } = history.describe();
    expect(outages.length).toBeLessThanOrEqual(50);
    expect(sums.tunnel).toEqual({ count: 5_001, ms: 5_010_000 });
  });

  it('keeps the last address, and the changes while live', () => {
    const { history, see } = open();
    see(0, { phase: { kind: 'starting' }, address: { kind: 'unchecked', url: 'http://a.example:1' } });
    see(1, { phase: { kind: 'starting' }, address: { kind: 'unchecked', url: 'http://a.example:2' } });
    see(2, { address: { kind: 'verified', url: 'http://a.example:2' } });
    see(3, { address: { kind: 'verified', url: 'http://a.example:3' } });
    see(4, { address: { kind: 'none' } });
    expect(history.describe()).toMatchObject({
      address: 'http://a.example:3',
      moves: [{ at: new Date(START + 3_000).toISOString(), url: 'http://a.example:3' }],
    });
  });

  it('masks secrets in paths, reasons and methods, also percent-encoded ones', () => {
    const secret = 'top/secret value';
    const { history, see, times } = open([secret]);
    see(0, {});
    see(1, away(`cannot use ${secret}`));
    times.add(5, () => ({ method: 'GET', path: `/x/${encodeURIComponent(secret)}`, status: 200 }));
    // Cut only after masking: half a secret would be left otherwise.
    times.add(6, () => ({ method: 'GET', path: `/${'y'.repeat(190)}${secret}`, status: 200 }));
    const text = JSON.stringify(history.describe());
    expect(text).not.toContain('top');
    expect(text.match(/\*\*\*/g)?.length).toBeGreaterThanOrEqual(3);
  });

  it('counts each recorded request once, by method, path without query, and status', () => {
    const { history, recorder } = open();
    const original = { httpVersion: '1.1', handshake: undefined, id: 1 } as CapturedRequest;
    const send = (target: string, refusal?: string) =>
      recorder.startReplay(
        original,
        { method: 'POST', target, rawHeaders: [], body: Buffer.of(), verified: undefined },
        refusal,
      );
    send('/hook?key=secret').end({ answer: { status: 200, durationMs: 1 } });
    const twice = send('/hook');
    twice.end({ answer: { status: 500, durationMs: 1 } });
    twice.end({ answer: { status: 500, durationMs: 1 } });
    send('/unfinished');
    expect(history.describe().webhooks).toMatchObject({ count: 0, replayed: 2, paths: [] });
  });
});
