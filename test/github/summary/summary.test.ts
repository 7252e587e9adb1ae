import { describe, expect, it } from 'vitest';
import {
  type ExposedAs,
  renderFinalSummary,
  renderLiveSummary,
  type SummaryFacts,
} from '../../../src/github/summary/summary.ts';
import type { PreviewState } from '../../../src/github/view.ts';
import type { HistoryMessage } from '../../../src/shared/history.ts';
import type { ExposureState } from '../../../src/shared/state.ts';
import { describeState } from '../../../src/shared/state-json.ts';
import { EVENTFUL, NOTHING } from '../../support/sample-history.ts';
import { sampleEnd } from '../../support/sample-state.ts';
import { sampleView } from '../samples.ts';

const liveAt = new Date('2026-05-04T10:00:30Z');
const endedAt = new Date('2026-05-04T10:30:30Z');
const url = 'http://bore.pub:23456';
const exposedAs: ExposedAs = { protocol: 'http', access: 'link', servers: ['bore.pub:7835'] };
const ENDED: PreviewState = { kind: 'ended', url, reason: 'duration over', endedAt };

function factsOf(
  history: HistoryMessage | undefined,
  changes: Partial<ExposureState> = {},
  state: PreviewState = ENDED,
): SummaryFacts {
  const phase = { kind: 'ended', reason: 'duration over', liveAt, endedAt } as const;
  return { view: sampleView(state), state: describeState(sampleEnd(phase, changes)), history, exposedAs };
}

const failed: PreviewState = {
  kind: 'failed',
  url,
  reason: 'the app exited with code 1 before it answered on port 3000',
  lastLines: ['listening', '```', 'TypeError: x is not a function'],
  endedAt,
};
const neverLive = { kind: 'failed', reason: 'x', lastLines: [], endedAt } as const;

const SAMPLES: Record<string, SummaryFacts> = {
  'eventful-half-hour': factsOf(EVENTFUL, { visits: 180, restarts: 1, reconnects: 1, addressChanges: 1 }),
  'no-visit': factsOf({ ...NOTHING, address: url, visits: { ...NOTHING.visits, counts: [0, 0] } }),
  'failed-before-live': factsOf(NOTHING, { phase: neverLive }, failed),
  'killed-without-history': { ...factsOf(undefined, { visits: 3 }, failed), exposedAs: undefined },
};

describe('the summary of a preview that is over', () => {
  it.each(Object.entries(SAMPLES))('reads as in summaries/%s.md', async (name, facts) => {
    await expect(renderFinalSummary(facts)).toMatchFileSnapshot(`summaries/${name}.md`);
  });

  it('has no link to the address', () => {
    for (const facts of Object.values(SAMPLES))
      expect(renderFinalSummary(facts)).not.toContain('](<http://bore');
  });

  it('lists the first of many, and counts the rest', () => {
    const one = EVENTFUL.outages[0];
    const outages = Array.from({ length: 25 }, () => ({
      ...one,
      part: 'tunnel' as const,
      from: EVENTFUL.visits.from,
      until: null,
      reason: null,
    }));
    const away = { ...EVENTFUL.away, tunnel: { count: 40, ms: 400_000 } };
    const text = renderFinalSummary(factsOf({ ...EVENTFUL, outages, away }));
    expect(text.match(/\| to the end \|/g)).toHaveLength(10);
    expect(text).toContain('31 more are not listed.');
  });

  it('stays far below the limit of a summary, with everything at its longest', () => {
    const long = '`|a\u202e'.repeat(5_000);
    const { outages, slowest, webhooks } = EVENTFUL;
    const fill = <T>(list: readonly T[], change: Partial<T>) =>
      Array.from({ length: 100 }, (_, at) => ({ ...list[at % list.length], ...change }) as T);
    const history = {
      ...EVENTFUL,
      address: long,
      outages: fill(outages, { reason: long }),
      slowest: fill(slowest, { path: long, method: long }),
      webhooks: { ...webhooks, paths: fill(webhooks.paths, { path: long }) },
    };
    const text = renderFinalSummary(
      factsOf(history, { visits: 5 }, { ...failed, reason: long, lastLines: Array(100).fill(long) }),
    );
    expect(text.length).toBeLessThan(100_000);
  });
});

describe('the summary of a preview beside later steps', () => {
  it('has the link, its end, and says that it will be dead', () => {
    const state = { kind: 'live', url: `${url}/?expose-key=k3y`, endsAt: endedAt } as const;
    expect(renderLiveSummary(sampleView(state))).toContain(
      '**[Open it](<http://bore.pub:23456/?expose-key=k3y>)**, until 2026-05-04 10:30 UTC at the latest. When the job is over, the link is dead',
    );
    const tcp = renderLiveSummary(sampleView({ kind: 'live', url: 'tcp://bore.pub:23456' }));
    expect(tcp).toContain('**Its address: `tcp://bore.pub:23456`**, until its job ends.');
  });
});
