// What a key keeps out, and what it must not keep out, as Chromium shows it: under a host name, over http and over TLS
// that ends at the gateway.

import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { useClosers } from '../../support/closers.ts';
import { openDoor } from '../../support/gateway-door.ts';
import { listen } from '../../support/listen.ts';
import { describeWithReal, requirePart } from '../../support/real-parts.ts';
import { hashPublicKey, TestCa, type TestCertificate } from '../../support/test-ca.ts';

const KEY = 'K3y-of-this-preview_0123456789';
/** The default of helmet 8. */
const HELMET =
  "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests";
const FORM = '<form method="post" action="/form"><input name="a" value="b"><button>Send</button></form>';

const closers = useClosers();

async function openServer(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return await listen(server);
}

const describeRequest = ({ method, url }: IncomingMessage) => `${method} ${url}`;

describeWithReal(['chromium'], 'a preview with a key, in Chromium', () => {
  let ca: TestCa;
  let tls: TestCertificate;
  let browser: Browser;
  beforeAll(async () => {
    ca = new TestCa();
    tls = ca.issue(['DNS:preview.test']);
    browser = await puppeteer.launch({
      executablePath: requirePart('chromium'),
      args: [
        ...['--no-sandbox', '--disable-gpu', '--no-proxy-server'],
        '--host-resolver-rules=MAP *.test 127.0.0.1',
        `--ignore-certificate-errors-spki-list=${hashPublicKey(tls.cert)}`,
      ],
    });
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    ca.remove();
  });

  interface PreviewOptions {
    scheme?: 'http' | 'https';
    publicPaths?: string[];
    fields?: Record<string, string>;
    answer?: RequestListener;
  }

  /** The app shows `FORM`, unless `answer` is given, and `fields` with every answer. */
  async function openPreview({
    scheme = 'http',
    publicPaths = [],
    fields = {},
    answer,
  }: PreviewOptions = {}) {
    const seen: string[] = [];
    const app = await openServer((request, response) => {
      seen.push(describeRequest(request));
      for (const [name, value] of Object.entries(fields)) response.setHeader(name, value);
      if (answer) return void answer(request, response);
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(request.method === 'POST' ? 'taken' : `<!doctype html><title>app</title>${FORM}`);
    });
    const door = await openDoor(app, {
      rules: { access: { kind: 'link', key: KEY }, publicPaths },
      publicUrl: `${scheme}://preview.test:{port}`,
      ...(scheme === 'https' && { tls }),
    });
    closers.push(door.stop);
    return { seen, url: `${scheme}://preview.test:${door.port}` };
  }

  async function openPage(): Promise<Page> {
    const context = await browser.createBrowserContext();
    closers.push(() => context.close());
    return await context.newPage();
  }

  const readText = async (page: Page) => String(await page.evaluate('document.body.innerText'));

  async function submit(page: Page): Promise<string> {
    await Promise.all([page.waitForNavigation(), page.click('button')]);
    return await readText(page);
  }

  const signIn = (page: Page, url: string) => page.goto(`${url}/?expose-key=${KEY}`);

  it.each([
    ['http', 'strict-origin-when-cross-origin', 'taken'],
    ['http', 'same-origin', 'taken'],
    ['http', 'no-referrer', 'Referrer-Policy: same-origin'],
    ['https', 'same-origin', 'taken'],
    ['https', 'no-referrer', 'taken'],
  ] as const)(
    'takes the form of the app, or says how to make that possible: %s, Referrer-Policy: %s',
    async (scheme, policy, outcome) => {
      const fields = { 'referrer-policy': policy, 'content-security-policy': HELMET };
      const { seen, url } = await openPreview({ scheme, fields });
      const page = await openPage();
      await page.goto(url);
      // The key's own form works under every policy, because the page comes from the gateway.
      await page.type('#key', KEY);
      expect(await submit(page)).toContain('Send');
      expect(await submit(page)).toContain(outcome);
      expect(seen.includes('POST /form')).toBe(outcome === 'taken');
    },
    30_000,
  );

  it('refuses a form of another port or site over https, although it hides its origin (cross-site)', async () => {
    const victim = await openPreview({ scheme: 'https' });
    const attack: RequestListener = (request, response) => {
      if (request.url === '/sandboxed') response.setHeader('content-security-policy', 'sandbox allow-forms');
      response.writeHead(200, { 'content-type': 'text/html', 'referrer-policy': 'no-referrer' });
      response.end(`<form method="post" action="${victim.url}/form"><button>Send</button></form>`);
    };
    const neighbour = await openPreview({ scheme: 'https', answer: attack });
    const stranger = await openServer(attack);
    const page = await openPage();
    for (const { url } of [victim, neighbour]) await signIn(page, url);
    expect(await submit(page)).toContain('This request comes from another site');
    // The browser sends these without the cookie.
    for (const url of [`${neighbour.url}/sandboxed`, `http://other.test:${stranger}`]) {
      await page.goto(url);
      expect(await submit(page)).toContain('This preview is not open to everybody');
    }
    expect(victim.seen.filter(line => line.startsWith('POST'))).toEqual([]);
  }, 30_000);

  it.each(['http', 'https'] as const)(
    'lets the page of another preview call its API with the key in a header: %s',
    async scheme => {
      const api = await openPreview({
        scheme,
        fields: { 'access-control-allow-origin': '*' },
        answer: (request, response) => response.end(`${request.method} by ${request.headers.authorization}`),
      });
      const frontend = await openPreview({ scheme });
      const page = await openPage();
      await signIn(page, frontend.url);
      const call = (init: object) =>
        page.evaluate(
          `fetch(${JSON.stringify(`${api.url}/x`)}, ${JSON.stringify(init)})
            .then(async answer => answer.status + ' ' + (await answer.text()).split('\\n')[0], () => 'no answer')`,
        );
      const headers = {
        authorization: `Bearer ${KEY}`,
        'x-of-the-app': '1',
        'content-type': 'application/json',
      };
      for (const method of ['GET', 'PUT', 'DELETE', 'PATCH'])
        expect(await call({ method, headers, ...(method === 'PUT' && { body: '{}' }) })).toBe(
          `200 ${method} by undefined`,
        );
      // A script that has forgotten the key, or has a wrong one, sees the refusal.
      const refused = '401 This preview is not open to everybody.';
      expect(await call({ method: 'PUT' })).toBe(refused);
      expect(await call({ headers: { authorization: 'Bearer wrong' } })).toBe(refused);
      // With the cookie of a visitor who is signed in at both, nothing can be changed.
      await signIn(page, api.url);
      await page.goto(frontend.url);
      const before = api.seen.length;
      expect(await call({ method: 'PUT', credentials: 'include', body: '{}' })).toBe('no answer');
      expect(await call({ method: 'POST', credentials: 'include', body: '{}' })).toBe('no answer');
      expect(api.seen.length).toBe(before);
    },
    30_000,
  );

  it('lets a page of another preview read events with the key in the address', async () => {
    const api = await openPreview({
      fields: { 'access-control-allow-origin': '*', 'content-type': 'text/event-stream' },
      answer: (_, response) => response.end('data: hello\n\n'),
    });
    const frontend = await openPreview();
    const page = await openPage();
    await signIn(page, frontend.url);
    const event = await page.evaluate(`new Promise((resolve, reject) => {
      const events = new EventSource('${api.url}/events?expose-key=${KEY}');
      events.onmessage = ({ data }) => { events.close(); resolve(data); };
      events.onerror = () => reject(new Error('no events'));
    })`);
    expect(event).toBe('hello');
  }, 30_000);

  it.each([
    [[], 'browsers leave the cookie out'],
    [['/callback'], 'Send'],
  ])(
    'tells a visitor who comes back from a sign-in service by a form, or lets the form in: public-paths %j',
    async (publicPaths, words) => {
      const preview = await openPreview({
        publicPaths,
        answer: (request, response) =>
          request.method === 'POST'
            ? response.writeHead(303, { location: '/' }).end()
            : response.setHeader('content-type', 'text/html').end(FORM),
      });
      const service = await openServer((_, response) =>
        response
          .setHeader('content-type', 'text/html')
          .end(`<form method="post" action="${preview.url}/callback"><button>Back</button></form>`),
      );
      const page = await openPage();
      await signIn(page, preview.url);
      await page.goto(`http://other.test:${service}`);
      expect(await submit(page)).toContain(words);
      expect(preview.seen.includes('POST /callback')).toBe(publicPaths.length > 0);
      if (publicPaths.length > 0) return;
      await Promise.all([page.waitForNavigation(), page.click('a.button')]);
      expect(await readText(page)).toContain('Send');
    },
    30_000,
  );

  it.each([
    ['', [], ''],
    [' crossorigin="use-credentials"', [], '{"name":"x"}'],
    ['', ['/app.webmanifest'], '{"name":"x"}'],
  ])(
    'loads the manifest with one of the documented remedies only: %j, public-paths %j',
    async (attribute, publicPaths, data) => {
      const { url } = await openPreview({
        publicPaths,
        answer: (request, response) =>
          request.url === '/'
            ? response
                .setHeader('content-type', 'text/html')
                .end(`<!doctype html><link rel="manifest" href="/app.webmanifest"${attribute}>`)
            : response.end('{"name":"x"}'),
      });
      const page = await openPage();
      await signIn(page, url);
      const session = await page.createCDPSession();
      expect((await session.send('Page.getAppManifest')).data ?? '').toBe(data);
    },
    30_000,
  );
});
