// What strangers write into a comment, a log or a summary stays harmless on the demo's page.

import { expect, it } from 'vitest';
import { comment, LIVE_DEMO, openDemoPage } from '../../support/demo-page.ts';

const RUN = 'window.pwned=1';
const ATTACKS = [
  `<script>${RUN}</script>`,
  `<img src=x onerror="${RUN}">`,
  `<svg><script>${RUN}</script></svg><svg onload=${RUN}>`,
  `<a href="javascript:${RUN}">x</a> [y](javascript:${RUN}) <javascript:${RUN}>`,
  `<iframe srcdoc="<script>parent.pwned=1</script>"></iframe><object data="data:text/html,x"></object>`,
  `<form action="/api/cancel" method="post"><button id="cancel">x</button></form>`,
  `<style>*{background:url(http://evil.example/x)}</style><link rel=stylesheet href=http://evil.example>`,
  `<base href="http://evil.example/"><meta http-equiv=refresh content="0;url=http://evil.example/">`,
  `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${RUN}&gt;">`,
  `<div id="content" name="now">clobber</div><input autofocus onfocus=${RUN}>`,
  '```mermaid\nflowchart LR\n  a["<img src=x onerror=window.top.pwned=1>"] --> b\n  click a "javascript:top.pwned=1"\n```',
];

it('nothing of it runs, loads, or takes the place of a part of the page', async () => {
  const markdown = ATTACKS.join('\n\n');
  const at = '2026-05-04T10:00:00.000Z';
  const { page, feed, actions, faults } = await openDemoPage({
    pull: { ...LIVE_DEMO.pull, title: markdown, body: markdown, branch: markdown, author: markdown },
    comments: [{ ...comment(markdown), author: markdown }],
    deployments: [{ id: 1, environment: markdown, state: markdown }],
    events: [{ at, text: markdown }],
    recorded: [{ id: 1, at, method: markdown, target: markdown, refusal: markdown }],
    run: { ...LIVE_DEMO.run, phase: 'over', conclusion: 'success', summary: markdown },
  });
  for (const kind of ['group', 'text', 'warning'] as const)
    feed.addLine({ step: 'main', at, kind, text: ATTACKS.join(' ') });
  await page.click('#tab-run');
  await page.waitForFunction(`document.querySelector('#log').innerText.includes('onerror')`);
  const frame = page.frames().find(one => one.url().endsWith('/chart/frame.html'));
  await frame?.waitForSelector('svg');
  expect(await page.evaluate('window.pwned')).toBeUndefined();
  const left =
    '.markdown-body :is(script, style, form, iframe:not(.chart), object, link, base, meta, svg, math, [id], [name], [style])';
  expect(await page.$$eval(left, all => all.map(element => element.outerHTML))).toEqual([]);
  expect(
    await page.$$eval('.markdown-body a[href]', all => all.map(link => link.getAttribute('href'))),
  ).toEqual(expect.not.arrayContaining([expect.stringMatching(/^javascript:/i)]));
  expect(actions).toEqual([]);
  // The page's policy also holds in the document in which the Markdown is cleaned, and the console says so.
  expect(faults.filter(fault => !fault.startsWith('console: '))).toEqual([]);
});
