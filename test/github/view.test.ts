import { describe, expect, it } from 'vitest';
import { viewOf } from '../../src/github/view.ts';
import type { ExposureState } from '../../src/shared/state.ts';

const now = new Date('2026-05-04T10:00:20Z');
const liveAt = new Date('2026-05-04T09:00:00Z');
const expiresAt = new Date('2026-05-04T10:30:00Z');
const url = 'http://bore.pub:2345';

const live: ExposureState = {
  mode: 'os',
  phase: { kind: 'live', liveAt, expiresAt },
  tunnel: { status: 'Connected', host: 'bore.pub', port: 2345 },
  app: { status: 'running', upstream: { kind: 'address', host: '127.0.0.1', port: 3000 } },
  url,
  link: url,
  verified: true,
  doubt: undefined,
  restarts: 0,
  reconnects: 0,
  moves: 0,
  visits: 0,
  warnings: [],
};

const tunnelLost: ExposureState = {
  ...live,
  tunnel: { status: 'Reconnecting', host: 'bore.pub', port: 2345, reason: 'no heartbeat' },
};
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000);

describe('what is shown of an exposure', () => {
  it('says the latest end from the first view on', () => {
    const starting: ExposureState = { ...live, phase: { kind: 'starting' } };
    expect(viewOf(starting, { now, endsAt: expiresAt })).toEqual({ kind: 'starting', endsAt: expiresAt });
    expect(viewOf(starting, { now })).toEqual({ kind: 'starting' });
  });

  it('links the address with its key while live', () => {
    const link = `${url}/?key=k`;
    expect(viewOf({ ...live, link }, { now })).toEqual({
      kind: 'live',
      url: link,
      endsAt: expiresAt,
    });
    const unsure: ExposureState = { ...live, verified: false, doubt: 'unproved' };
    expect(viewOf(unsure, { now })).toMatchObject({ doubt: 'unproved' });
    expect(viewOf(live, { now })).toMatchObject({ url });
  });

  it('keeps quiet about an outage shorter than 15 s', () => {
    expect(viewOf(tunnelLost, { now, outageSince: ago(14.9) }).kind).toBe('live');
    expect(viewOf(tunnelLost, { now }).kind).toBe('live');
    expect(viewOf(tunnelLost, { now, outageSince: ago(15) })).toEqual({
      kind: 'reconnecting',
      url,
      outage: 'tunnel',
      since: ago(15),
      endsAt: expiresAt,
    });
  });

  it('tells a lost tunnel from a lost app and from a tunnel that was closed', () => {
    const outageSince = ago(60);
    const appLost: ExposureState = { ...live, app: { status: 'restarting', reason: 'exit 1', attempt: 1 } };
    expect(viewOf(appLost, { now, outageSince })).toMatchObject({ outage: 'app' });
    expect(viewOf({ ...tunnelLost, app: appLost.app }, { now, outageSince })).toMatchObject({
      outage: 'tunnel',
    });
    const closed: ExposureState = { ...live, tunnel: { status: 'Disconnected' }, url: undefined };
    expect(viewOf(closed, { now, outageSince: ago(1) })).toMatchObject({ outage: 'tunnel closed' });
    expect(viewOf(live, { now, outageSince })).toMatchObject({ kind: 'live' });
  });

  it('ends with the address that was announced last', () => {
    const endedAt = now;
    const gone = { ...live, url: undefined, tunnel: { status: 'Not started' } } as const;
    const ended: ExposureState = { ...gone, phase: { kind: 'ended', reason: 'duration over', endedAt } };
    expect(viewOf(ended, { now, lastUrl: url })).toEqual({
      kind: 'ended',
      url,
      reason: 'duration over',
      endedAt,
    });
    const failed: ExposureState = {
      ...gone,
      phase: { kind: 'failed', reason: 'exit 1', lastLines: ['boom'], endedAt },
    };
    expect(viewOf(failed, { now, hideConsole: true })).toMatchObject({ reason: 'exit 1', lastLines: [] });
    expect(viewOf(failed, { now, advice: 'Look at main.js.' })).toEqual({
      kind: 'failed',
      reason: 'exit 1',
      lastLines: ['boom'],
      advice: 'Look at main.js.',
      endedAt,
    });
  });
});
