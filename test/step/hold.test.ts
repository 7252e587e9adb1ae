// The line a minute of a hold.

import { expect, it } from 'vitest';
import type { ExposureState } from '../../src/shared/state.ts';
import { describeState } from '../../src/shared/state-json.ts';
import { Progress } from '../../src/step/hold.ts';
import { LIVE } from '../support/sample-state.ts';

const liveAt = new Date('2026-05-04T10:00:00Z');
const phase = { kind: 'live', liveAt, expiresAt: new Date('2026-05-04T10:30:00Z') } as const;
const at = (minute: number) => new Date(liveAt.getTime() + minute * 60_000);
const stateOf = (changes: Partial<ExposureState>) => describeState({ ...LIVE, phase, ...changes });
const PREVIEW = 'Preview: http://bore.example:12345';

it('has the link, the time that is left, and the visits of the last minute', () => {
  const progress = new Progress(stateOf({ visits: 0 }));
  expect(progress.render(stateOf({ visits: 0 }), at(1))).toBe(`${PREVIEW} · 29m left · no visit yet`);
  expect(progress.render(stateOf({ visits: 1 }), at(2))).toBe(
    `${PREVIEW} · 28m left · 1 visit, 1 in the last minute`,
  );
  expect(progress.render(stateOf({ visits: 1 }), at(3))).toBe(
    `${PREVIEW} · 27m left · 1 visit, none in the last minute`,
  );
});

it('has no time left if the preview ends with its job', () => {
  const endless = { ...LIVE, phase: { kind: 'live', liveAt } } as const;
  const line = new Progress(describeState(endless)).render(describeState(endless), at(1));
  expect(line).toBe(`${PREVIEW} · 7 visits, none in the last minute`);
});

it('says what is away, and what was, with the last link', () => {
  const progress = new Progress(stateOf({}));
  const away = stateOf({
    tunnel: { status: 'Reconnecting', host: 'bore.example', port: 12345, reason: 'no heartbeat' },
    app: { status: 'restarting', reason: 'it exited', attempt: 1 },
    link: undefined,
    reconnects: 2,
    restarts: 1,
  });
  expect(progress.render(away, at(1))).toBe(
    `${PREVIEW} · 29m left · 7 visits, none in the last minute · the tunnel is reconnecting (no heartbeat) · the app is restarting · 2 reconnects · 1 app restart`,
  );
});
