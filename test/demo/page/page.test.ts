// What the demo's page shows and does, with documents that the tests fill.

import { expect, it } from 'vitest';
import { comment, LIVE_DEMO, openDemoPage } from '../../support/demo-page.ts';
import { waitUntil } from '../../support/wait-until.ts';

const text = (selector: string) => `(document.querySelector('${selector}')?.innerText ?? '')`;

it('renders a comment as GitHub does', async () => {
  const body = [
    '<!-- hidden -->',
    '### 🟢 Preview `web` is live',
    'one line\nanother line',
    '> [!WARNING]\n> Be **careful**.',
    '<details><summary>More</summary>\n\n```\n▄▀\n```\n\n</details>',
    '| a | b |\n| --- | --- |\n| 1 | 2 |',
    '- [x] done',
    '<sub>small</sub> ~~gone~~ https://example.com/x',
  ].join('\n\n');
  const { page, faults } = await openDemoPage({ comments: [comment(body)] });
  const html = await page.$eval('[data-comment]', element => element.innerHTML);
  expect(html).not.toContain('hidden');
  expect(html).toContain('<h3>🟢 Preview <code>web</code> is live</h3>');
  expect(html).toContain('one line<br>another line');
  expect(html).toMatch(
    /<div class="markdown-alert markdown-alert-warning"><p [^>]*>Warning<\/p>\s*<p>Be <strong>/,
  );
  expect(html).toMatch(/<details><summary>More<\/summary>\s*<pre tabindex="0"><code>▄▀/);
  expect(html).toMatch(/<td>1<\/td>\s*<td>2<\/td>/);
  expect(html).toMatch(/<input [^>]*type="checkbox"/);
  expect(html).toContain('<sub>small</sub> <del>gone</del>');
  expect(html).toMatch(/<a href="https:\/\/example\.com\/x"[^>]*rel="noopener nofollow"/);
  expect(faults).toEqual([]);
});

it('steps through the versions of a comment, and what is below it does not move', async () => {
  const { page, feed } = await openDemoPage();
  const top = () => page.$eval('#details', element => element.getBoundingClientRect().top);
  const long = `### live\n\n${'A paragraph.\n\n'.repeat(8)}`;
  feed.change({ comments: [comment('### starting', long)] });
  await page.waitForFunction(`${text('[data-comment]')}.includes('A paragraph')`);
  const before = await top();
  feed.change({ comments: [comment('### starting', long, '### ended')] });
  await page.waitForFunction(`${text('[data-comment]')} === 'ended'`);
  expect(await top()).toBe(before);
  const which = () => page.$eval('.which', element => element.textContent);
  expect(await which()).toBe('3 of 3');
  for (const [label, shown, number] of [
    ['Earlier', 'A paragraph', '2 of 3'],
    ['Earlier', 'starting', '1 of 3'],
    ['Later', 'A paragraph', '2 of 3'],
    ['Later', 'ended', '3 of 3'],
  ] as const) {
    await page.click(`[aria-label="${label} version"]`);
    expect(await page.$eval('[data-comment]', element => element.textContent)).toContain(shown);
    expect(await which()).toBe(number);
  }
  expect(await page.$eval('[aria-label="Later version"]', button => button.hasAttribute('disabled'))).toBe(
    true,
  );
});

it('tells at each moment what happens, and offers what can be done then', async () => {
  const { page, feed, actions } = await openDemoPage();
  const { preview: live, run } = LIVE_DEMO;
  if (live === undefined) throw new Error('the sample has no preview');
  const offered = () =>
    page.$$eval('.now .actions > :not([hidden])', all => all.map(({ id }) => id).join(' '));
  const { preview: _, ...starting } = LIVE_DEMO;
  const away = { address: '', isUp: false, cutAt: new Date().toISOString() };
  for (const [title, changes, ids] of [
    ['The preview is live', {}, 'open cut end cancel'],
    ['The preview answers', { comments: [comment('### starting')] }, 'open cut end cancel'],
    ['The server is down', { server: away }, 'restore end cancel'],
    ['Reconnecting', { preview: { ...live, status: 'Reconnecting' } }, 'end cancel'],
    ['Live again, at the same address', { preview: { ...live, reconnects: 1 } }, 'open cut end cancel'],
    ['The preview is ending', { preview: { ...live, status: 'Disconnected' } }, 'cancel'],
    ['Cleaning up', { run: { ...run, phase: 'post' } }, ''],
    ['The preview has ended', { run: { ...run, phase: 'over', conclusion: 'success' } }, 'again'],
    ['The run was cancelled', { run: { ...run, phase: 'over', conclusion: 'cancelled' } }, 'again'],
    ['The step has failed', { run: { ...run, phase: 'over', conclusion: 'failure' } }, 'again'],
    ['The demo has ended', { isOver: true }, ''],
  ] as const) {
    feed.replace({ ...LIVE_DEMO, ...changes });
    await page.waitForFunction(`${text('#now')} === ${JSON.stringify(title)}`);
    expect([title, await offered()]).toEqual([title, ids]);
  }
  feed.replace(starting);
  await page.waitForFunction(`${text('#now')} === 'The preview is starting'`);
  expect(await offered()).toBe('cancel');
  await page.click('#cancel');
  await waitUntil(() => actions.length > 0, 'the button is obeyed');
  expect(actions).toEqual(['cancel']);
});

it('shows the log with groups that fold, annotations, colours and masks', async () => {
  const { page, feed, faults } = await openDemoPage();
  const at = '2026-05-04T10:00:00.000Z';
  feed.addLine({ step: 'main', at, kind: 'group', text: 'Inputs' });
  feed.addLine({ step: 'main', at, kind: 'text', text: 'secret: ***' });
  feed.addLine({ step: 'main', at, kind: 'end of group', text: '' });
  feed.addLine({ step: 'main', at, kind: 'text', text: '\x1b[32mgreen\x1b[0m plain\x1b[2K' });
  feed.addLine({ step: 'main', at, kind: 'warning', text: 'take care' });
  feed.addLine({ step: 'post', at, kind: 'text', text: 'cleaned' });
  await page.click('#tab-run');
  await page.waitForFunction(`${text('#log')}.includes('cleaned')`);
  const log = await page.$eval('#log', element => element.textContent);
  expect(log).toMatch(
    /expose-action@v1.*1Inputs2secret: \*\*\*3green plain4Warning: take care.*Post .*1cleaned$/,
  );
  expect(await page.$eval('.ansi-green', element => element.textContent)).toBe('green');
  expect(await page.$eval('.group', group => group.hasAttribute('open'))).toBe(false);
  await page.click('.group summary');
  expect(await page.$eval('.group', group => group.hasAttribute('open'))).toBe(true);
  expect(await page.$eval('#annotation-rows', rows => rows.textContent)).toContain('take care');
  feed.change({ run: { ...LIVE_DEMO.run, number: 2 } });
  await page.waitForFunction(`${text('#log')} === ''`);
  expect(faults).toEqual([]);
});

it('shows the summary, with its charts, when the step has ended', async () => {
  const chart = '```mermaid\npie title Requests\n  "200" : 3\n  "401" : 1\n```';
  const broken = '```mermaid\nthis is no chart\n```';
  const run = { ...LIVE_DEMO.run, summary: `## Figures\n\n${chart}\n\n${broken}` };
  const { page, feed, faults } = await openDemoPage({ run });
  await page.click('#tab-run');
  expect(await page.$eval('#summary', summary => summary.hasAttribute('hidden'))).toBe(true);
  feed.change({ run: { ...run, phase: 'over', conclusion: 'success' } });
  await page.waitForSelector('#summary:not([hidden])');
  await page.waitForFunction(`${text('#summary')}.includes('this is no chart')`);
  const frame = page.frames().find(one => one.url().endsWith('/chart/frame.html'));
  await frame?.waitForSelector('svg');
  expect(await frame?.evaluate('document.body.textContent')).toContain('Requests');
  // The browser reports the frame's own origin as opaque: it can read nothing of the page.
  expect(await frame?.evaluate('self.origin')).toBe('null');
  expect(faults).toEqual([]);
});

it('draws a chart that came while its tab was hidden when the tab is opened, and again in other colours', async () => {
  const chart = '```mermaid\ngantt\n  dateFormat HH:mm\n  section Tunnel\n  up :done, 10:00, 10:30\n```';
  const run = { ...LIVE_DEMO.run, phase: 'over', conclusion: 'success', summary: chart } as const;
  const { page, faults } = await openDemoPage({ run });
  const frame = await page.waitForFrame(one => one.url().endsWith('/chart/frame.html'));
  await page.click('#tab-run');
  const isSeen = '(document.querySelector("rect.task")?.getBoundingClientRect().width ?? 0) > 50';
  await frame.waitForFunction(isSeen);
  const colour = "getComputedStyle(document.querySelector('.sectionTitle')).fill";
  const light = await frame.evaluate(colour);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
  await frame.waitForFunction(`${colour} !== '${light}' && ${isSeen}`);
  expect(faults).toEqual([]);
});

it('shows webhooks with their answers, and what was recorded', async () => {
  const at = '2026-05-04T10:00:00.000Z';
  const { page, actions } = await openDemoPage({
    deliveries: [
      { number: 1, at, isSigned: true, answer: 200 },
      { number: 2, at, isSigned: false, answer: 401 },
    ],
    recorded: [
      { id: 1, at, method: 'POST', target: '/webhooks/github', status: 200, verified: 'github' },
      { id: 2, at, method: 'POST', target: '/webhooks/github', status: 401, refusal: 'it is not signed' },
    ],
  });
  await page.click('#tab-webhooks');
  expect(await page.$eval('#deliveries', rows => rows.textContent)).toMatch(
    /none401 refused.*right200 the app/,
  );
  expect(await page.$eval('#recorded', rows => rows.textContent)).toMatch(
    /401 it is not signed.*200 signed by github/,
  );
  expect(await page.$eval('#inspector', link => link.getAttribute('href'))).toBe(
    'http://127.0.0.1:34567/#key=key',
  );
  await page.click('#signed');
  await page.click('#unsigned');
  await waitUntil(() => actions.length === 2, 'both are sent');
  expect(actions).toEqual(['signed', 'unsigned']);
});

it('shows the deployments with their links', async () => {
  const deployment = { id: 1, environment: 'preview/pr-7', state: 'success', url: 'http://127.0.0.1:23456' };
  const { page } = await openDemoPage({ deployments: [deployment] });
  expect(await page.$eval('#deployments', box => box.textContent)).toMatch(
    /preview\/pr-7 success\s*View deployment/,
  );
});

it('follows links to GitHub on the page itself', async () => {
  const { page, feed, origin } = await openDemoPage();
  const links = `[run](${origin}/octo/app/actions/runs/101/attempts/1) [commit](${origin}/octo/app/commit/abc)`;
  feed.change({ comments: [comment(links)] });
  await page.waitForFunction(`${text('[data-comment]')}.includes('commit')`);
  await page.click('[data-comment] a');
  expect(await page.$eval('#run', panel => panel.hasAttribute('hidden'))).toBe(false);
});

it('moves between its tabs by keyboard', async () => {
  const { page } = await openDemoPage();
  await page.focus('#tab-conversation');
  for (const tab of ['run', 'webhooks', 'conversation']) {
    await page.keyboard.press('ArrowRight');
    expect(await page.evaluate('document.activeElement.id')).toBe(`tab-${tab}`);
    expect(await page.$eval(`#${tab}`, panel => panel.hasAttribute('hidden'))).toBe(false);
  }
});

it('asks for the printed link if its key is missing, and says when the demo is gone', async () => {
  const { page, origin, feed } = await openDemoPage();
  feed.change({ isOver: true });
  await page.waitForFunction(`${text('#now')} === 'The demo has ended'`);
  await page.evaluate('sessionStorage.clear()');
  await page.goto(`${origin}/#`);
  await page.reload();
  await page.waitForFunction(`${text('#notice')}.includes('printed in the terminal')`);
  expect(await page.$eval('#content', content => content.hasAttribute('hidden'))).toBe(true);
});

it('needs no scrolling to the side on the narrowest phones', async () => {
  const { page } = await openDemoPage({
    comments: [comment(`### ${'x'.repeat(200)}\n\n\`${'y'.repeat(200)}\``)],
  });
  await page.setViewport({ width: 360, height: 740 });
  for (const tab of ['conversation', 'run', 'webhooks']) {
    await page.click(`#tab-${tab}`);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  }
});
