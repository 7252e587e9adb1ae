import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_COMMENT_LENGTH, renderComment, renderStale } from '../../../src/github/comment/markdown.ts';
import { readMarker, renderMarker } from '../../../src/github/comment/marker.ts';
import type { PreviewFacts, PreviewState } from '../../../src/github/view.ts';
import { describeEntry, describeOpenWarning } from '../../../src/github/wording.ts';
import { sampleView } from '../samples.ts';
import { hostileText, maskCode } from './markdown-oracle.ts';

const marker = renderMarker({ key: 'abc123', runId: '100', runAttempt: 1 });
const endsAt = new Date('2026-05-04T10:32:00Z');
const endedAt = new Date('2026-05-04T10:32:00Z');
const since = new Date('2026-05-04T10:05:00Z');
const url = 'http://bore.pub:23456';
const lastLines = ['[app] listening on 3000', 'TypeError: x is not a function', '```'];
const openWarning = describeOpenWarning('link', 'not known to be public') ?? '';
const entry = describeEntry('basic') ?? '';
const warnings = ['The server bore.pub is run by strangers, who can read what passes through it.'];

const SAMPLES: Record<string, [PreviewState, Partial<PreviewFacts>?]> = {
  starting: [{ kind: 'starting', endsAt }],
  'starting-with-the-job': [{ kind: 'starting' }, { mode: 'web', name: 'preview (ubuntu, 24)' }],
  live: [{ kind: 'live', url, endsAt }],
  'live-private': [
    { kind: 'live', url: `${url}/?key=k3y`, endsAt, unverifiedReason: 'silent' },
    { openWarning, warnings },
  ],
  'live-inspector': [{ kind: 'live', url, inspectorUrl: 'http://bore.pub:34567/#key=k3y', endsAt }],
  'live-basic': [{ kind: 'live', url: 'https://23456.preview.example.com' }, { entry }],
  'live-unproved': [{ kind: 'live', url: 'tcp://bore.pub:23456', endsAt, unverifiedReason: 'unproved' }],
  'live-tcp': [{ kind: 'live', url: 'tcp://bore.pub:23456', endsAt }],
  reconnecting: [{ kind: 'reconnecting', url, outage: 'tunnel', since, endsAt }],
  'app-restarting': [{ kind: 'reconnecting', url, outage: 'app', since }],
  ended: [{ kind: 'ended', url, reason: 'duration over', endedAt }, { openWarning }],
  'ended-before-live': [{ kind: 'ended', reason: 'stopped', endedAt }],
  failed: [
    {
      kind: 'failed',
      url,
      reason: 'the app exited with code 1 before it answered on port 3000',
      lastLines,
      endedAt,
    },
  ],
};

describe('the comment', () => {
  it.each(Object.entries(SAMPLES))('reads as in comments/%s.md', async (name, [state, facts]) => {
    const body = renderComment(sampleView(state, facts), marker);
    expect(readMarker(body)).toMatchObject({ key: 'abc123', runId: '100', runAttempt: 1 });
    await expect(body).toMatchFileSnapshot(`comments/${name}.md`);
  });

  it('links the address only while the preview is live', () => {
    for (const [state, facts] of Object.values(SAMPLES)) {
      const { masked } = maskCode(renderComment(sampleView(state, facts), marker));
      const isWeb = state.kind === 'live' && !state.url.startsWith('tcp:');
      expect(/bore\.pub|preview\.example/.test(masked)).toBe(isWeb);
    }
  });

  it('shows when it will end, or that it ends with its job, until it has ended', () => {
    for (const [state, facts] of Object.values(SAMPLES)) {
      const body = renderComment(sampleView(state, facts), marker);
      const over = state.kind === 'ended' || state.kind === 'failed';
      expect(/10:32 UTC\*\* at the latest|ends with its \[job\]/.test(body)).toBe(!over);
      expect(body.includes('may be gone after that')).toBe(!over);
    }
  });

  it('shows the key only in the link', () => {
    const body = renderComment(sampleView({ kind: 'live', url: `${url}/?key=k3y` }), marker);
    expect(body.match(/k3y/g)).toHaveLength(1);
    const ended = { kind: 'ended', url: `${url}/?key=k3y`, reason: 'stopped', endedAt } as const;
    expect(renderComment(sampleView(ended), marker)).not.toContain('k3y');
  });

  it('shows untrusted text as code, and the rest does not depend on that text', () => {
    const render = (name: string, reason: string, lines: string[]) => {
      const state = { kind: 'failed', reason, lastLines: lines, endedAt } as const;
      return maskCode(renderComment(sampleView(state, { name }), marker));
    };
    const plain = render('web', 'reason', ['line']).masked;
    const text = hostileText.filter(candidate => candidate.trim() !== '');
    fc.assert(
      fc.property(text, text, fc.array(text, { minLength: 1 }), (name, reason, lines) => {
        expect(render(name, reason, lines).masked).toBe(plain);
      }),
    );
  });

  it('keeps its name when a later run marks it as ended, however many backticks are in it', () => {
    for (const name of ['app', '`', 'a``b`', '`'.repeat(100), 'é'.repeat(300)]) {
      const body = renderComment({ ...sampleView({ kind: 'live', url }, { name }) }, marker);
      const heading = /Preview (.*) is live/.exec(body)?.[1] ?? '';
      expect(renderStale(body, marker, endedAt)).toContain(`### ⚪ Preview ${heading} has ended\n`);
    }
  });

  it('that somebody has edited is read in linear time, whatever is in it (CPU exhaustion)', () => {
    const half = MAX_COMMENT_LENGTH / 2;
    const fillings = [
      '`'.repeat(2 * half),
      '`'.repeat(half) + 'a'.repeat(half),
      ' · updated '.repeat(half / 6),
    ];
    for (const filling of [...fillings, '### x Preview '.repeat(half / 7), '`http://a'.repeat(half / 5)])
      expect(renderStale(`${marker}\n### x Preview ${filling}`, marker, endedAt)).toContain(' has ended\n');
  }, 10_000);

  it("stays below GitHub's size limit with everything at its longest", () => {
    const long = '`a'.repeat(50_000);
    const state = {
      kind: 'failed',
      url: `http://a.b/${long}`,
      reason: long,
      lastLines: Array(500).fill(long),
      endedAt,
    } as const;
    const failed = renderComment(sampleView(state, { name: long }), marker);
    expect(failed.length).toBeLessThan(MAX_COMMENT_LENGTH);
    const live = { kind: 'live', url } as const;
    const facts = { name: long, entry: long, openWarning: long, warnings: Array(500).fill(long) };
    expect(renderComment(sampleView(live, facts), marker).length).toBeLessThan(MAX_COMMENT_LENGTH);
  });
});
