import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { Window } from 'happy-dom';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { describeAway, describeNoAnswer, withoutReload } from '../../../src/gateway/pages/notice.ts';
import { renderPage } from '../../../src/gateway/pages/page.ts';
import { ClientError } from '../../../src/gateway/upstream/client/errors.ts';
import type { AppState } from '../../../src/shared/state.ts';
import { type Door, openDoor } from '../../support/gateway-door.ts';

const HOSTILE = '</pre><script>alert(1)</script>\u202e&\'"\u001b[31m';
const restarting: AppState = { status: 'restarting', reason: HOSTILE, attempt: 1 };
let door: Door;
beforeAll(async () => {
  door = await openDoor(() => restarting);
});
afterAll(() => door.stop());

const ask = (accept: string, method = 'GET') => fetch(door.url, { method, headers: { accept } });

describe('a page', () => {
  it('shows untrusted text as text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.constant(HOSTILE)), reason => {
        const window = new Window({ settings: { disableJavaScriptEvaluation: true } });
        window.document.write(renderPage(describeAway({ status: 'restarting', reason, attempt: 1 })));
        const detail = window.document.querySelectorAll('pre');
        expect(detail).toHaveLength(1);
        expect([...(detail[0]?.childNodes ?? [])].filter(node => node.nodeType !== node.TEXT_NODE)).toEqual(
          [],
        );
        expect(window.document.querySelectorAll('script')).toHaveLength(0);
        expect(detail[0]?.textContent).not.toMatch(/[\u0000-\u001f\u202a-\u202e]/);
      }),
      { numRuns: 50 },
    );
  });

  it('runs no script, fetches nothing, and has only the style sheet that its policy names', async () => {
    const response = await ask('text/html');
    const policy = response.headers.get('content-security-policy') ?? '';
    const style = /<style>([\s\S]*)<\/style>/.exec(await response.text())?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64');
    expect(policy.split('; ')).toEqual([
      "default-src 'none'",
      `style-src 'sha256-${hash}'`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ]);
  });

  it('is not cached, and says when to try again, as its own reload does', async () => {
    const response = await ask('text/html');
    expect(response.status).toBe(503);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('retry-after')).toBe('2');
    expect(await response.text()).toContain('<meta http-equiv="refresh" content="2">');
  });

  it('does not reload after a form, which that would lose, and says so', async () => {
    const page = await (await ask('text/html', 'POST')).text();
    expect(page).not.toContain('http-equiv="refresh"');
    expect(page).not.toContain('next try in');
    expect(page).toContain('This page does not reload by itself');
    const asked = await (await ask('text/html')).text();
    expect(asked).toContain('This page reloads by itself.');
  });

  it('does not reload if the app did not answer in time, which would start its work again', async () => {
    const late = new ClientError('ERR_APP_ANSWER_TIMEOUT', 'no answer came in time');
    const closed = new ClientError('ERR_APP_CLOSED', 'the connection was closed');
    for (const notice of [describeNoAnswer(late), withoutReload(describeNoAnswer(closed))]) {
      const page = renderPage(notice);
      expect(page).not.toContain('http-equiv="refresh"');
      expect(page).toContain('This page does not reload by itself');
    }
    expect(describeNoAnswer(late)).toMatchObject({ status: 504, what: expect.stringContaining('an hour') });
    expect(describeNoAnswer(late).retryAfterS).toBeUndefined();
    expect(renderPage(describeNoAnswer(closed))).toContain('http-equiv="refresh"');
  });

  it('reloads more rarely the more often the app has been restarted, up to a limit', () => {
    const waits = [1, 2, 3, 4, 50].map(
      attempt => describeAway({ status: 'restarting', reason: '', attempt }).retryAfterS,
    );
    expect(waits).toEqual([2, 4, 8, 15, 15]);
  });

  it('of a failed app names the exit code, and shows none of the app’s output', () => {
    const lastLines = ['DATABASE_URL=s3cret'];
    const page = renderPage(describeAway({ status: 'failed', reason: 'exited', exitCode: 101, lastLines }));
    expect(page).toContain('exit code 101');
    expect(page).not.toContain('s3cret');
  });
});

describe('a notice', () => {
  it.each([
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'text/html; charset=utf-8'],
    ['application/json', 'application/json'],
    ['application/vnd.api+json', 'application/json'],
    ['*/*', 'text/plain; charset=utf-8'],
    ['text/css', 'text/plain; charset=utf-8'],
  ])('has the form that the visitor accepts: %s', async (accept, type) => {
    const response = await ask(accept);
    expect(response.headers.get('content-type')).toBe(type);
    expect(response.headers.get('vary')).toBe('accept');
    expect(await response.text()).toContain('The app is restarting');
  });

  it('as JSON says what is wrong and when to try again', async () => {
    expect(await (await ask('application/json')).json()).toEqual({
      error: 'The app is restarting: The app stopped and is being started again (attempt 1).',
      detail: expect.stringContaining('alert(1)'),
      status: 503,
      retry_after: 2,
    });
  });

  it('has no body for HEAD', async () => {
    const response = await ask('text/html', 'HEAD');
    expect([response.status, await response.text()]).toEqual([503, '']);
  });
});

describe('a refusal of a built web app', () => {
  it.each([
    [404, 'Nothing is here'],
    [405, 'Files can only be read'],
    [500, 'The file cannot be read'],
  ] as const)('looks like the other pages, and has a line for programs: %d', async (status, title) => {
    const web = await openDoor(() => ({
      status: 'running',
      upstream: { kind: 'handler', handle: (_request, _response, refuse) => refuse(status) },
    }));
    onTestFinished(web.stop);
    const page = await fetch(`${web.url}/no<b>thing`, { headers: { accept: 'text/html,*/*' } });
    expect([page.status, page.headers.get('content-type')]).toEqual([status, 'text/html; charset=utf-8']);
    const html = await page.text();
    expect(html).toContain(`<h1>${title}</h1>`);
    expect(html).toContain('<a class="button" href="/">');
    expect(html).not.toMatch(/no<b>thing|http-equiv="refresh"/);
    expect(page.headers.get('retry-after')).toBeNull();
    expect(await (await fetch(`${web.url}/x`)).text()).toMatch(new RegExp(`^${title}\\.\\n[^\\n]+\\n$`));
    const json = await fetch(`${web.url}/x`, { headers: { accept: 'application/json' } });
    expect(await json.json()).toEqual({ error: expect.stringContaining(title), status });
  });
});
