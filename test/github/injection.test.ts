// Text from outside in everything that reaches GitHub: names, titles, paths, reasons, console lines, headers. The same
// view with harmless text must give the same elements, links, images, mentions and charts.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderComment } from '../../src/github/comment/markdown.ts';
import { renderMarker } from '../../src/github/comment/marker.ts';
import { describeStatus } from '../../src/github/deployment/deployment-writer.ts';
import { renderFinalSummary, renderLiveSummary } from '../../src/github/summary/summary.ts';
import type { PreviewState, PreviewView } from '../../src/github/view.ts';
import { describeState } from '../../src/shared/state-json.ts';
import { type Renderer, readSkeleton, renderHtml } from '../support/github-flavoured.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { findCommands, hostileText as hostileLog } from '../support/runner-commands.ts';
import { EVENTFUL } from '../support/sample-history.ts';
import { sampleEnd } from '../support/sample-state.ts';
import { hostileText as hostileMarkdown } from './comment/markdown-oracle.ts';
import { sampleView } from './samples.ts';

const MARKER = renderMarker({ key: 'abc', runId: '1', runAttempt: 1, slot: 1 });
const time = new Date('2026-05-04T10:30:30Z');
const liveAt = new Date('2026-05-04T10:00:30Z');

const CLASSICS = [
  '::error::x',
  '##[add-mask]x',
  '`` ` ```',
  '```mermaid\ngraph TD; click A "javascript:alert(1)"',
  '%%{init: {"securityLevel": "loose"}}%%',
  '--> <!-- x',
  '@octocat and @octo/team',
  '![x](https://e.vil/x.png) [y](https://e.vil)',
  '<img src=x onerror=alert(1)><script>alert(1)</script></details>',
  'www.e.vil http://e.vil a@e.vil',
  '#12 GH-1 octo/app#3 a5c3785ed8d6a35868bc169f07e40e889087fd2e',
  ':tada: $x^2$ $$x$$ $`x`$',
  'a\rb\u2028c\u202ed\u0085e',
  '| a | b |\\| c \\\\|',
  '[^1] [x]: https://e.vil',
  '\\`\\`\\`',
  '~~x~~ **y** # z',
];

const hostile = fc
  .oneof(
    fc.constantFrom(...CLASSICS),
    hostileMarkdown,
    hostileLog,
    fc.tuple(hostileMarkdown, fc.constantFrom(...CLASSICS)).map(([a, b]) => `${a}${b}`),
  )
  .filter(text => text.trim() !== '');

interface Texts {
  name: string;
  reason: string;
  lines: string[];
  warning: string;
  host: string;
  method: string;
  path: string;
  server: string;
}

const HARMLESS: Texts = {
  name: 'web',
  reason: 'reason',
  lines: ['line'],
  warning: 'A warning.',
  host: 'host',
  method: 'GET',
  path: '/path',
  server: 'server',
};

const texts: fc.Arbitrary<Texts> = fc.record({
  name: hostile,
  reason: hostile,
  lines: fc.array(hostile, { minLength: 1, maxLength: 4 }),
  warning: hostile,
  host: hostile,
  method: hostile,
  path: hostile.map(text => `/${text}`),
  server: hostile,
});

function listStates({ reason, lines, host }: Texts): PreviewState[] {
  return [
    { kind: 'live', url: `tcp:${host}`, endsAt: time },
    { kind: 'reconnecting', url: `tcp:${host}`, outage: 'app', since: time },
    { kind: 'ended', url: `tcp:${host}`, reason: 'stopped', endedAt: time },
    { kind: 'failed', url: `tcp:${host}`, reason, lastLines: lines, endedAt: time },
  ];
}

/** Every document that shows such texts, the hardest first. */
function listDocuments(given: Texts): string[] {
  const { name, reason, warning, host, method, path, server } = given;
  const views: PreviewView[] = listStates(given).map(state =>
    sampleView(state, { name, warnings: [warning] }),
  );
  const [outage] = EVENTFUL.outages;
  const [slow] = EVENTFUL.slowest;
  const [webhook] = EVENTFUL.webhooks.paths;
  if (!outage || !slow || !webhook) throw new Error('the sample has none');
  const history = {
    ...EVENTFUL,
    address: `tcp:${host}`,
    outages: [{ ...outage, reason }],
    slowest: [{ ...slow, method, path }],
    moves: [{ at: liveAt.toISOString(), url: `tcp:${host}` }],
    webhooks: { ...EVENTFUL.webhooks, paths: [{ ...webhook, method, path }] },
  };
  const phase = { kind: 'ended', reason: 'stopped', liveAt, endedAt: time } as const;
  const state = describeState(sampleEnd(phase, { visits: 3 }));
  const exposedAs = { protocol: 'http', access: 'open', servers: [server] } as const;
  const final = views.slice(-2).map(view => renderFinalSummary({ view, state, history, exposedAs }));
  return [
    ...final,
    ...views.map(view => renderComment(view, MARKER)),
    renderLiveSummary(views[0] ?? sampleView()),
  ];
}

function expectInert(renderer: Renderer, numRuns: number): void {
  const read = (given: Texts) =>
    listDocuments(given).map(document => readSkeleton(renderHtml(document, renderer)));
  const harmless = read(HARMLESS);
  expect(harmless.flatMap(({ live }) => live)).toEqual([]);
  expect(harmless.flatMap(({ charts }) => charts)).toHaveLength(4);
  fc.assert(
    fc.property(texts, given => {
      expect(read(given)).toEqual(harmless);
    }),
    { numRuns },
  );
}

describe('text from outside, in comment and summary', () => {
  it('changes no element, link, image, mention or chart in marked', () => expectInert('marked', 100));

  it('contains no command of the runner, should a step print it', () => {
    fc.assert(
      fc.property(texts, given => {
        for (const document of listDocuments(given)) expect(findCommands(document)).toEqual([]);
      }),
    );
  });
});

describeWithReal(['cmark-gfm'], "text from outside, in GitHub's own renderer", () => {
  it.each(CLASSICS)('changes no element, link, image, mention or chart: %j', text => {
    const given: Texts = {
      ...{ name: text, reason: text, lines: [text], warning: text, host: text },
      ...{ method: text, path: `/${text}`, server: text },
    };
    const read = (some: Texts) =>
      listDocuments(some).map(document => readSkeleton(renderHtml(document, 'cmark-gfm')));
    expect(read(given)).toEqual(read(HARMLESS));
  });

  it('changes nothing in random mixtures either', () => expectInert('cmark-gfm', 25));
});

describe('text from outside, in a deployment', () => {
  it('is one line of at most 140 characters, without commands and controls', () => {
    fc.assert(
      fc.property(texts, given => {
        for (const state of listStates(given)) {
          const { description = '' } = describeStatus(sampleView(state, { name: given.name }));
          expect(description.length).toBeLessThanOrEqual(140);
          expect(description).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
          expect(findCommands(description)).toEqual([]);
        }
      }),
    );
  });
});
