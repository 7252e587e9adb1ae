// Who can open a preview, for every visibility of the repository, `access` and `protocol`, in a job on a pull request;
// and which places show the visitors' key.

import { createServer } from 'node:http';
import { beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { listen } from '../support/listen.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { click } from '../support/reviewer.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createPreview, type Preview, SECRET } from './job-rig.ts';

const HOST = '127.0.0.186';
const GIVEN_KEY = 'a-key-of-the-workflow-author';
const PASSWORD = 'a-password-of-the-author';
const BASIC_AUTH = `ada:${PASSWORD}`;

type Visibility = 'public' | 'private' | 'unknown';

/** `open`: visitors need nothing. `refused`: the inputs are wrong. */
type Outcome = 'open' | 'generated key' | 'given key' | 'password' | 'refused';

/** Without an outcome for tcp: the inputs alone are wrong, which test/inputs/inputs.test.ts shows. */
const ROWS: [Visibility, Record<string, string>, http: Outcome, tcp?: Outcome][] = [
  ['public', {}, 'open', 'open'],
  ['public', { access: 'open' }, 'open', 'open'],
  ['public', { access: 'link' }, 'generated key', 'refused'],
  ['public', { 'access-key': GIVEN_KEY }, 'given key'],
  ['public', { access: 'link', 'access-key': GIVEN_KEY }, 'given key'],
  ['public', { access: 'basic', 'basic-auth': BASIC_AUTH }, 'password', 'refused'],
  ['private', {}, 'generated key', 'refused'],
  ['private', { access: 'open' }, 'open', 'open'],
  ['private', { access: 'link' }, 'generated key'],
  ['private', { access: 'link', 'access-key': GIVEN_KEY }, 'given key'],
  ['private', { 'basic-auth': BASIC_AUTH }, 'password'],
  ['unknown', {}, 'generated key', 'refused'],
  ['unknown', { access: 'open' }, 'open', 'open'],
];
const CASES = ROWS.flatMap(([visibility, inputs, http, tcp]) => [
  { visibility, inputs, protocol: 'http', outcome: http, title: JSON.stringify(inputs) },
  ...(tcp === undefined
    ? []
    : [{ visibility, inputs, protocol: 'tcp', outcome: tcp, title: JSON.stringify(inputs) }]),
]);

describeWithReal(['bore'], 'a preview', () => {
  let port: number;
  let visits = 0;
  beforeAll(async () => {
    const app = createServer((_, response) => {
      visits += 1;
      response.end('the app');
    });
    port = await listen(app);
    return () => void app.close();
  });
  beforeEach(() => startRealServer(HOST, { secret: SECRET }));

  it.each(CASES)('of a $visibility repository with $title over $protocol: $outcome', async row => {
    const { visibility, inputs, protocol, outcome } = row;
    const given = { server: HOST, port: String(port), protocol, ...inputs };
    const preview = await createPreview(given, {}, {}, undefined, describeRepository(visibility));
    const { job, github } = preview;
    // Neither the event nor GitHub's API says it.
    if (visibility === 'unknown')
      github.state.faults.push({ path: /^\/repos\/octo\/app$/, status: 403, message: 'Forbidden' });
    const { code, log } = await job.main();
    onTestFinished(async () => void (await job.post()));
    if (outcome === 'refused') {
      expect([code, log]).toEqual([1, expect.stringContaining('write access: open')]);
      expect(log).not.toContain('Preview: ');
      return;
    }
    expect([code, log]).toEqual([0, expect.stringContaining('Preview: ')]);
    const { url = '', key = '', 'preview-url': link = '' } = job.outputs;
    if (protocol === 'tcp') expect([link, key]).toEqual([url, '']);
    else await letsIn(outcome, url, link);
    const places = await findKey(preview, log, { generated: key, given: GIVEN_KEY, password: PASSWORD });
    const everywhere = ['comment', 'log', 'preview-url', 'summary'];
    expect(places).toEqual({
      generated: outcome === 'generated key' ? everywhere : [],
      given: [],
      password: [],
    });
  });

  /**
   * Without a key or password visitors are refused, except in open previews; with what was handed out they are let in.
   */
  async function letsIn(outcome: Outcome, url: string, link: string): Promise<void> {
    const before = visits;
    const bare = await fetch(`${url}/secret.html`);
    if (outcome === 'open') {
      expect([link, bare.status]).toEqual([url, 200]);
      return;
    }
    expect([bare.status, visits]).toEqual([401, before]);
    const ask = (headers: Record<string, string>) => fetch(url, { headers });
    if (outcome === 'generated key')
      expect(await (await (await click(link)).visit('/page')).text()).toBe('the app');
    else expect(link).toBe(url);
    if (outcome === 'given key')
      expect((await ask({ authorization: `Bearer ${GIVEN_KEY}` })).status).toBe(200);
    if (outcome === 'password')
      expect((await ask({ authorization: `Basic ${btoa(BASIC_AUTH)}` })).status).toBe(200);
  }
});

/** What the event's payload says of the repository. */
function describeRepository(visibility: Visibility): { private: boolean } | null {
  return visibility === 'unknown' ? null : { private: visibility === 'private' };
}

/** Which of the places where people look contain each text. */
async function findKey(preview: Preview, log: string, texts: Record<string, string>) {
  const { github, job } = preview;
  const body = () => github.state.comments[0]?.body ?? '';
  await waitUntil(() => body().includes('is live'), 'the comment says that it is live');
  // The runner is told once what to mask.
  const said = log.replaceAll(/^::add-mask::.*$/gm, '');
  const places = {
    comment: body(),
    log: said,
    'preview-url': job.outputs['preview-url'] ?? '',
    summary: job.summary,
  };
  const find = (text: string) =>
    Object.entries(places).flatMap(([name, content]) =>
      text !== '' && content.includes(text) ? [name] : [],
    );
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, find(text)]));
}
