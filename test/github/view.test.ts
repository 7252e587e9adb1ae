import { describe, expect, it } from 'vitest';
import { type ViewContext, viewOf } from '../../src/github/view.ts';
import type { ExposureState } from '../../src/shared/state.ts';
import { describeState } from '../../src/shared/state-json.ts';
import { LIVE } from '../support/sample-state.ts';

const now = new Date('2026-05-04T10:00:20Z');
const liveAt = new Date('2026-05-04T09:00:00Z');
const expiresAt = new Date('2026-05-04T10:30:00Z');
const url = 'http://bore.pub:2345';

const live: ExposureState = {
  ...LIVE,
  phase: { kind: 'live', liveAt, expiresAt },
  tunnel: { status: 'Connected', host: 'bore.pub', port: 2345 },
  address: { kind: 'verified', url },
  link: url,
};

const tunnelLost: ExposureState = {
  ...live,
  tunnel: { status: 'Reconnecting', host: 'bore.pub', port: 2345, reason: 'no heartbeat' },
};
const view = (state: ExposureState, context: ViewContext) => viewOf(describeState(state), context);
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000);

describe('the view of an exposure', () => {
  it('shows the latest end from the first view on', () => {
    const starting: ExposureState = { ...live, phase: { kind: 'starting' } };
    expect(view(starting, { now, endsAt: expiresAt })).toEqual({ kind: 'starting', endsAt: expiresAt });
    expect(view(starting, { now })).toEqual({ kind: 'starting' });
  });

  it('links the address with its key while live', () => {
    const link = `${url}/?key=k`;
    expect(view({ ...live, link }, { now })).toEqual({
      kind: 'live',
      url: link,
      endsAt: expiresAt,
    });
    const unsure: ExposureState = { ...live, address: { kind: 'unverified', url, reason: 'unproved' } };
    expect(view(unsure, { now })).toMatchObject({ unverifiedReason: 'unproved' });
    expect(view(live, { now })).toMatchObject({ url });
  });

  it('hides an outage shorter than 15 s', () => {
    expect(view(tunnelLost, { now, outageSince: ago(14.9) }).kind).toBe('live');
    expect(view(tunnelLost, { now }).kind).toBe('live');
    // The comment keeps its link, with the key, although the state has none.
    const closed: ExposureState = {
      ...tunnelLost,
      tunnel: { status: 'Disconnected' },
      address: { kind: 'none' },
      link: undefined,
    };
    const lastLink = `${url}/?key=k`;
    expect(view(closed, { now, lastUrl: url, lastLink, outageSince: ago(1) })).toMatchObject({
      kind: 'live',
      url: lastLink,
    });
    expect(view(tunnelLost, { now, outageSince: ago(15) })).toEqual({
      kind: 'reconnecting',
      url,
      outage: 'tunnel',
      since: ago(15),
      endsAt: expiresAt,
    });
  });

  it('distinguishes a lost tunnel, a lost app and a closed tunnel', () => {
    const outageSince = ago(60);
    const appLost: ExposureState = { ...live, app: { status: 'restarting', reason: 'exit 1', attempt: 1 } };
    expect(view(appLost, { now, outageSince })).toMatchObject({ outage: 'app' });
    expect(view({ ...tunnelLost, app: appLost.app }, { now, outageSince })).toMatchObject({
      outage: 'tunnel',
    });
    const closed: ExposureState = { ...live, tunnel: { status: 'Disconnected' }, address: { kind: 'none' } };
    expect(view(closed, { now, outageSince: ago(1) })).toMatchObject({ outage: 'tunnel closed' });
    expect(view(live, { now, outageSince })).toMatchObject({ kind: 'live' });
  });

  it('shows the last published address after the end', () => {
    const endedAt = now;
    const gone = { ...live, address: { kind: 'none' }, tunnel: { status: 'Not started' } } as const;
    const ended: ExposureState = { ...gone, phase: { kind: 'ended', reason: 'duration over', endedAt } };
    expect(view(ended, { now, lastUrl: url })).toEqual({
      kind: 'ended',
      url,
      reason: 'duration over',
      endedAt,
    });
    const failed: ExposureState = {
      ...gone,
      phase: { kind: 'failed', reason: 'exit 1', lastLines: ['boom'], endedAt },
    };
    expect(view(failed, { now, hideConsole: true })).toMatchObject({ reason: 'exit 1', lastLines: [] });
    expect(view(failed, { now })).toEqual({
      kind: 'failed',
      reason: 'exit 1',
      lastLines: ['boom'],
      endedAt,
    });
  });
});
