import { describe, expect, it } from 'vitest';
import type { GatewayRules } from '../../../src/gateway/gateway.ts';
import type { AppState } from '../../../src/shared/state.ts';
import { useClosers } from '../../support/closers.ts';
import { type Door, openDoor, sendRaw } from '../../support/gateway-door.ts';
import { OPEN_GATEWAY } from '../../support/open-gateway.ts';
import { type RawApp, startRawApp } from '../../support/raw-app.ts';

const HOST = 'bore.example:4321';
const KEY = 'K3y-of-this-preview_0123456789';
const LINK: GatewayRules = {
  access: { kind: 'link', key: KEY },
  publicPaths: ['/webhooks/**'],
  maxBodyBytes: 1 << 20,
  compress: true,
};
const BASIC: GatewayRules = {
  access: { kind: 'basic', user: 'ada', password: 'pässword:with colon' },
  publicPaths: [],
  maxBodyBytes: 1 << 20,
  compress: true,
};
const BASIC_HEADER = `Authorization: Basic ${Buffer.from('ada:pässword:with colon').toString('base64')}\r\n`;
const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n';

const closers = useClosers();

async function open(rules: GatewayRules, options: Parameters<typeof openDoor>[1] = {}) {
  const app = await startRawApp();
  const door = await openDoor(app.port, { rules, ...options });
  closers.push(app.stop, door.stop);
  return { app, door, ask: (line: string, fields = '') => askOnce(door, line, fields) };
}

interface Answer {
  status: number;
  head: string;
  body: string;
  cookie: string;
  location: string;
}

/** One request on a connection of its own; `line` is method and target. */
async function askOnce(door: Door, line: string, fields = ''): Promise<Answer> {
  const close = /^connection:/im.test(fields) ? '' : 'Connection: close\r\n';
  const text = await sendRaw(door.port, `${line} HTTP/1.1\r\nHost: ${HOST}\r\n${close}${fields}\r\n`);
  const end = text.indexOf('\r\n\r\n');
  const head = text.slice(0, end);
  return {
    status: Number(head.split(' ')[1]),
    head,
    body: text.slice(end + 4),
    cookie: /^set-cookie: ([^;\r]*)/im.exec(head)?.[1] ?? '',
    location: /^location: (.*)/im.exec(head)?.[1] ?? '',
  };
}

/** The `Cookie` field of a visitor who clicked the link. */
async function signIn(ask: (line: string) => Promise<Answer>): Promise<string> {
  return `Cookie: ${(await ask(`GET /?expose-key=${KEY}`)).cookie}\r\n`;
}

const seen = (app: RawApp) => app.seen.toLowerCase();

describe('a visitor without the key (scanners on public ports)', () => {
  const paths = [
    '/',
    '/index.html',
    '/admin',
    '/__expose',
    '/__expose/probe',
    '/__expose/x',
    '/%2e%2e/x',
    '/a?b=c',
  ];
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'HEAD'];

  it.each([
    ['link', LINK],
    ['basic', BASIC],
  ])('gets the same answer to every request, and none reaches the app: %s', async (_, rules) => {
    const { app, door, ask } = await open(rules);
    const answers = new Set<string>();
    for (const path of paths)
      for (const method of methods) {
        const { status, head, body } = await ask(`${method} ${path}`);
        expect(head).toMatch(/\r\nconnection: close\r\n/i);
        answers.add(
          `${status} ${/content-length: \d+/i.exec(head)?.[0]} ${method === 'HEAD' || body.length}`,
        );
        const upgrade = await ask(`GET ${path}`, UPGRADE);
        answers.add(
          `${upgrade.status} ${/content-length: \d+/i.exec(upgrade.head)?.[0]} ${upgrade.body.length}`,
        );
      }
    expect([...answers].map(answer => answer.split(' ')[0])).toEqual(['401', '401']); // HEAD has no body
    expect(new Set([...answers].map(answer => answer.split(' ').slice(1, 3).join(' '))).size).toBe(1);
    expect([app.connections, door.gateway.visits]).toEqual([0, 0]);
  });

  it('is disconnected after the refusal, even if a request with a body came in the same packet', async () => {
    const { app, door } = await open(LINK);
    const host = `Host: ${HOST}\r\n`;
    const packet = `HEAD / HTTP/1.1\r\n${host}\r\nDELETE / HTTP/1.1\r\n${host}Content-Length: 9\r\n\r\n123456789`;
    const answer = await sendRaw(door.port, packet);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 401']);
    expect(app.connections).toBe(0);
  });

  it('gets the same answer if the app is not running', async () => {
    const door = await openDoor(() => ({ status: 'starting' }), { rules: LINK });
    closers.push(door.stop);
    const away = await askOnce(door, 'GET /');
    const { ask } = await open(LINK);
    const date = /date: [^\r]*/i;
    expect(away.head.replace(date, '')).toBe((await ask('GET /')).head.replace(date, ''));
  });

  it('learns nothing about the server software', async () => {
    const { ask } = await open(LINK);
    const { head, body } = await ask('GET /');
    expect(head).not.toMatch(/^(server|x-powered-by|via):/im);
    expect(`${head}${body}`).not.toMatch(/wasm|bore|node/i);
    expect(head).toMatch(/^www-authenticate: Bearer realm="preview"\r?$/im);
  });

  it('is not let in by guesses of any length (timing)', async () => {
    const { app, ask } = await open(LINK);
    for (const length of [0, 1, KEY.length - 1, KEY.length, KEY.length + 1, 1_000, 10_000]) {
      const guess = 'K3y-of-this-preview_012345678X'.padEnd(length, 'x').slice(0, length);
      expect((await ask(`GET /?expose-key=${guess}`)).status).toBe(401);
      expect((await ask('GET /', `Authorization: Bearer ${guess}\r\n`)).status).toBe(401);
    }
    for (const odd of [
      'Bearer',
      'Basic',
      'Basic %%%',
      `Basic ${btoa('ada')}`,
      'Digest x',
      `bearer ${KEY} ${KEY}`,
    ])
      expect((await ask('GET /', `Authorization: ${odd}\r\n`)).status).toBe(401);
    expect(app.connections).toBe(0);
  });

  it('gets a page to paste the key if it accepts HTML, and text or JSON otherwise', async () => {
    const { ask } = await open(LINK);
    const page = await ask('GET /deep/page', 'Accept: text/html\r\n');
    expect(page.body).toContain('<form method="post" action="/__expose/sign-in">');
    expect(page.head).toMatch(/content-security-policy: .*default-src 'none'.*form-action 'self'/i);
    expect(JSON.parse((await ask('GET /', 'Accept: application/json\r\n')).body)).toMatchObject({
      status: 401,
    });
    expect((await ask('GET /')).body).toMatch(/^This preview is not open to everybody\.\n/);
  });
});

describe('the link', () => {
  it('redirects to the same page without the key, with a cookie that gives access (key leakage)', async () => {
    const { app, ask } = await open(LINK);
    const { status, location, head, cookie } = await ask(`GET /docs/a%2fb?x=1&expose-key=${KEY}&y=%20`);
    expect([status, location]).toEqual([303, '/docs/a%2fb?x=1&y=%20']);
    expect(head).toMatch(/^set-cookie: .*; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax\r?$/im);
    expect(head).toMatch(/^referrer-policy: no-referrer\r?$/im);
    expect(head).toMatch(/^cache-control: no-store\r?$/im);
    expect(cookie).toMatch(/^expose-session-4321=\d+\.[\w-]{43}$/);
    expect(cookie).not.toContain(KEY);
    expect(app.connections).toBe(0);
    expect((await ask('GET /', `Cookie: ${cookie}\r\n`)).body).toBe('ok');
  });

  it.each([
    [`/?expose-key=${KEY}`, '/'],
    [`/a?expose-key=${KEY}&expose-key=x`, '/a'],
    [`/?a&expose-key=${KEY}`, '/?a'],
    [`/?expose-key=${encodeURIComponent(KEY).replace('-', '%2d')}`, '/'],
  ])('may be written as %s', async (target, location) => {
    const { ask } = await open(LINK);
    expect(await ask(`GET ${target}`)).toMatchObject({ status: 303, location });
  });

  it('lets in requests that cannot be redirected, and removes the key from them', async () => {
    const { app, ask } = await open(LINK);
    expect((await ask(`POST /hook?expose-key=${KEY}&a=b`, 'Content-Length: 0\r\n')).status).toBe(200);
    await ask(`GET /ws?expose-key=${KEY}`, UPGRADE);
    expect(app.requestLines).toEqual(['POST /hook?a=b HTTP/1.1', 'GET /ws HTTP/1.1']);
    expect(app.seen).not.toContain(KEY);
  });
});

describe('a bearer token', () => {
  it('lets scripts in, and the app does not see it', async () => {
    const { app, ask } = await open(LINK);
    const { status, cookie } = await ask('DELETE /a', `Authorization: Bearer ${KEY}\r\n`);
    expect([status, cookie]).toEqual([200, '']);
    expect(seen(app)).not.toContain('authorization');
  });

  it('that belongs to the app reaches the app, if the visitor has the cookie', async () => {
    const { app, ask } = await open(LINK);
    const cookie = await signIn(ask);
    expect((await ask('GET /api', `${cookie}Authorization: Bearer of-the-app\r\n`)).status).toBe(200);
    expect(app.seen.toLowerCase()).toContain('authorization: bearer of-the-app');
  });
});

describe('the cookie', () => {
  it('does not reach the app, nor do those of other previews on the host; the app keeps its own', async () => {
    const { app, ask } = await open(LINK);
    const session = (await signIn(ask)).trim().replace('Cookie: ', '');
    const cookies = `a=1; ${session}; expose-session-9=x.y; __Host-expose-seen-443=z; b=2`;
    expect((await ask('GET /', `Cookie: ${cookies}\r\n`)).status).toBe(200);
    expect(seen(app)).toContain('cookie: a=1; b=2\r\n');
    await ask('GET /', `Cookie: ${session}\r\n`);
    expect(seen(app).match(/^cookie:/gm)).toHaveLength(1);
  });

  it('is not valid at another port, after a change of address, or at another exposure of the same address', async () => {
    let url = `http://${HOST}`;
    const { door, ask } = await open(LINK, {
      place: () => ({ url, host: 'bore.example', port: Number(new URL(url).port) }),
    });
    const cookie = await signIn(ask);
    expect((await ask('GET /', cookie)).status).toBe(200);
    const { ask: askOther } = await open(LINK);
    expect((await askOther('GET /', cookie)).status).toBe(401);
    url = 'http://bore.example:5000';
    const moved = await sendRaw(
      door.port,
      `GET / HTTP/1.1\r\nHost: bore.example:5000\r\nConnection: close\r\n${cookie.replace('4321', '5000')}\r\n`,
    );
    expect(moved).toMatch(/^HTTP\/1.1 401 /);
  });

  it('ends with the exposure', async () => {
    let endsAt = new Date(Date.now() + 90_000);
    const { ask } = await open(LINK, { endsAt: () => endsAt });
    const { cookie, head } = await ask(`GET /?expose-key=${KEY}`);
    expect(Number(/max-age=(\d+)/i.exec(head)?.[1])).toBeLessThanOrEqual(91);
    expect((await ask('GET /', `Cookie: ${cookie}\r\n`)).status).toBe(200);
    endsAt = new Date(Date.now() - 5_000);
    const { cookie: over } = await ask(`GET /?expose-key=${KEY}`);
    expect((await ask('GET /', `Cookie: ${over}\r\n`)).status).toBe(401);
  });

  it('cannot be forged', async () => {
    const { ask } = await open(LINK);
    const cookie = (await signIn(ask)).trim();
    const [, name, expires, mac = ''] = /Cookie: (.*)=(\d+)\.(.*)/.exec(cookie) ?? [];
    const forged = [
      `${name}=${Number(expires) + 1}.${mac}`,
      `${name}=${expires}.${mac.slice(0, -1)}${mac.endsWith('A') ? 'B' : 'A'}`,
      `${name}=${expires}.`,
      `${name}=`,
      `${name}=${KEY}`,
    ];
    for (const one of forged) expect((await ask('GET /', `Cookie: ${one}\r\n`)).status).toBe(401);
  });

  it('is valid even if a page on another port put one of the same name in front', async () => {
    const { ask } = await open(LINK);
    const cookie = (await signIn(ask)).trim().replace('Cookie: ', '');
    expect((await ask('GET /', `Cookie: expose-session-4321=evil; ${cookie}\r\n`)).status).toBe(200);
  });

  it('is Secure, and bound to the host, over https', async () => {
    const place = { url: 'https://4321.preview.example', host: 'bore.example', port: 4321 };
    const { ask } = await open(LINK, { place: () => place });
    const { head, cookie } = await ask(`GET /?expose-key=${KEY}`);
    expect(cookie).toMatch(/^__Host-expose-session-443=/);
    expect(head).toMatch(/^set-cookie: __Host-[^\r]*; Secure\r?$/im);
  });
});

describe('a request of another site with the cookie (cross-site)', () => {
  const origins = {
    none: '',
    ours: `Origin: http://${HOST}\r\n`,
    'another site': 'Origin: https://evil.example\r\n',
    'another port': 'Origin: http://bore.example:4322\r\n',
    'another scheme': `Origin: https://${HOST}\r\n`,
    'a sandboxed page': 'Origin: null\r\n',
    'a sandboxed page, over https': 'Origin: null\r\nSec-Fetch-Site: cross-site\r\n',
    'a hidden page of another port': 'Origin: null\r\nSec-Fetch-Site: same-site\r\n',
    'a page without an origin': 'Origin: null\r\nSec-Fetch-Site: none\r\n',
    'two answers': 'Origin: null\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Site: same-origin\r\n',
    'another site that claims to be ours': 'Origin: https://evil.example\r\nSec-Fetch-Site: same-origin\r\n',
    'ours under no-referrer, over https': 'Origin: null\r\nSec-Fetch-Site: same-origin\r\n',
  };
  const isOurs = (name: string) => name === 'none' || name.startsWith('ours');
  it.each(Object.entries(origins))('is accepted or refused by its Origin: %s', async (name, origin) => {
    const { app, ask } = await open(LINK);
    const cookie = await signIn(ask);
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      expect((await ask(`${method} /`, `${cookie}${origin}`)).status).toBe(200);
    const before = app.requestLines.length;
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
      expect((await ask(`${method} /`, `${cookie}${origin}Content-Length: 0\r\n`)).status).toBe(
        isOurs(name) ? 200 : 403,
      );
    const upgrade = await ask('GET /ws', `${cookie}${origin}${UPGRADE}`);
    expect(upgrade.status).toBe(isOurs(name) ? 200 : 403);
    expect(app.requestLines.length - before).toBe(isOurs(name) ? 5 : 0);
  });

  it.each([
    ['Origin: https://evil.example\r\n', 'This request comes from another site', 'public-paths'],
    ['Origin: null\r\n', 'does not say which page sent it', 'Referrer-Policy: same-origin'],
    [
      'Origin: null\r\nSec-Fetch-Site: cross-site\r\n',
      'This request comes from another site',
      'public-paths',
    ],
  ])('is told why, and what to do, in a page and in text: %s', async (fields, title, remedy) => {
    const { ask } = await open(LINK);
    const cookie = await signIn(ask);
    for (const accept of ['', 'Accept: text/html\r\n']) {
      const { head, body } = await ask('POST /', `${cookie}${fields}${accept}Content-Length: 0\r\n`);
      expect(head).toMatch(/^HTTP\/1.1 403 [\s\S]*\r\nconnection: close\r\n/i);
      expect(body).toContain(title);
      expect(body).toContain(remedy);
      expect(body).not.toContain('evil');
    }
  });

  it('is also refused if it has a password that the browser remembers', async () => {
    const { ask } = await open(BASIC);
    const evil = `${BASIC_HEADER}Origin: https://evil.example\r\nContent-Length: 0\r\n`;
    expect((await ask('POST /', evil)).status).toBe(403);
  });

  it('is let in with the key itself, and on public paths', async () => {
    const { ask } = await open(LINK);
    const evil = 'Origin: https://evil.example\r\nContent-Length: 0\r\n';
    expect((await ask('POST /', `${evil}Authorization: Bearer ${KEY}\r\n`)).status).toBe(200);
    expect((await ask('POST /webhooks/a', evil)).status).toBe(200);
    expect((await ask('POST /webhooks/a', `${await signIn(ask)}${evil}`)).status).toBe(200);
  });
});

describe('a CORS preflight without the key', () => {
  const ASK = 'Origin: https://evil.example\r\nAccess-Control-Request-Method: DELETE\r\n';
  const states: Record<string, AppState> = {
    starting: { status: 'starting' },
    stopped: { status: 'stopped' },
    failed: { status: 'failed', reason: 'it ended', lastLines: [] },
  };

  it.each([
    ['link', LINK],
    ['basic', BASIC],
  ])(
    'gets one constant answer, whatever it asks and whether the app runs, and reaches nothing: %s',
    async (_, rules) => {
      const { app, door, ask } = await open(rules);
      const away = Object.values(states).map(state => openDoor(() => state, { rules }));
      const asks = [ask];
      for (const other of await Promise.all(away)) {
        closers.push(other.stop);
        asks.push((line, fields) => askOnce(other, line, fields));
      }
      const answers = new Set<string>();
      for (const send of asks)
        for (const path of ['/', '/api/x?y', '/%2e%2e/', '/__expose', '/__expose/sign-in', '/__expose/probe'])
          for (const more of [
            '',
            'Access-Control-Request-Headers: authorization,x-of-the-app\r\n',
            'Access-Control-Request-Private-Network: true\r\n',
            'Cookie: expose-session-4321=9999999999.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n',
          ])
            answers.add(
              (await send(`OPTIONS ${path}`, `${ASK}${more}`)).head.replace(/\r\ndate: [^\r]*/i, ''),
            );
      expect([...answers]).toHaveLength(1);
      expect([...answers][0]?.toLowerCase().split('\r\n')).toEqual([
        'http/1.1 204 no content',
        'access-control-allow-origin: *',
        'access-control-allow-methods: *',
        'access-control-allow-headers: *, authorization',
        'access-control-max-age: 600',
        'cache-control: no-store',
        'connection: close',
      ]);
      expect([app.connections, door.gateway.visits]).toEqual([0, 0]);
    },
  );

  it.each([
    ['OPTIONS /', ''],
    ['OPTIONS /', 'Origin: https://evil.example\r\n'],
    ['OPTIONS /', 'Access-Control-Request-Method: GET\r\n'],
    ['GET /', ASK],
    ['POST /', ASK],
  ])('is only what the standard calls so: %s %s', async (line, fields) => {
    const { app, ask } = await open(LINK);
    const { status, head } = await ask(line, fields);
    expect(status).toBe(401);
    expect(head).toMatch(/^access-control-allow-origin: \*\r?$/im); // a script sees the 401
    expect(head).not.toMatch(/allow-credentials|allow-headers/i);
    expect(app.connections).toBe(0);
  });

  it('is answered by the app if its path is public, or if it has the key', async () => {
    const { app, ask } = await open(LINK);
    for (const line of ['OPTIONS /webhooks/a', `OPTIONS /api?expose-key=${KEY}`])
      expect((await ask(line, ASK)).status).toBe(200);
    expect(app.requestLines).toEqual(['OPTIONS /webhooks/a HTTP/1.1', 'OPTIONS /api HTTP/1.1']);
  });

  it('is answered by the app in an open preview', async () => {
    const { app, ask } = await open(OPEN_GATEWAY);
    expect((await ask('OPTIONS /', ASK)).status).toBe(200);
    expect(app.requestLines).toHaveLength(1);
  });
});

describe('a script on a page of another origin', () => {
  const ORIGIN = 'Origin: http://bore.example:9\r\n';

  it('gets the answer with the key in its address, without a redirect that needs a cookie', async () => {
    const { app, ask } = await open(LINK);
    expect(
      (await ask(`GET /events?expose-key=${KEY}`, `${ORIGIN}Accept: text/event-stream\r\n`)).status,
    ).toBe(200);
    expect(app.requestLines).toEqual(['GET /events HTTP/1.1']);
    // A page load after a redirect may have an Origin too.
    expect((await ask(`GET /?expose-key=${KEY}`, 'Origin: null\r\nAccept: text/html,*/*\r\n')).status).toBe(
      303,
    );
  });
});

describe('a form of another site, without the cookie', () => {
  it.each([
    ['link', LINK],
    ['basic', BASIC],
  ])('gets a page that says what happened and leads to the start page: %s', async (_, rules) => {
    const { app, ask } = await open(rules);
    const form =
      'Origin: https://appleid.apple.example\r\nAccept: text/html\r\nContent-Length: 4\r\n\r\nid=1';
    const { status, body } = await ask('POST /callback', form);
    expect(status).toBe(401);
    expect(body).toContain('nothing of it has reached the app');
    expect(body).toContain('public-paths');
    expect(body).toContain('<a class="button" href="/">');
    expect(body).not.toContain('<form');
    expect(app.connections).toBe(0);
  });
});

describe('a public path', () => {
  it('needs no key, whatever the method, and no other path is public', async () => {
    const { app, ask } = await open(LINK);
    for (const line of ['GET /webhooks/a?b', 'PUT /webhooks/a/b', 'OPTIONS /webhooks/'])
      expect((await ask(line, 'Content-Length: 0\r\n')).status).toBe(200);
    for (const path of ['/webhooks', '/webhooksx', '/webhooks/../x', '/webhooks/%2e%2e/x', '/x?/webhooks/a'])
      expect((await ask(`GET ${path}`)).status).toBe(401);
    expect(app.requestLines).toHaveLength(3);
  });
});

describe('signing in by hand', () => {
  const post = (ask: (line: string, fields?: string) => Promise<Answer>, body: string, fields = '') =>
    ask(
      'POST /__expose/sign-in',
      `Content-Type: application/x-www-form-urlencoded\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`,
    );

  it('leads back to the requested page', async () => {
    const { ask } = await open(LINK);
    const referer = `Origin: http://${HOST}\r\nReferer: http://${HOST}/deep/page?a=b&expose-key=wrong\r\n`;
    const answer = await post(ask, `key=${KEY}`, referer);
    expect(answer).toMatchObject({ status: 303, location: '/deep/page?a=b' });
    expect((await ask('GET /', `Cookie: ${answer.cookie}\r\n`)).status).toBe(200);
    expect((await post(ask, `key=+${KEY}%0A`)).status).toBe(303); // pasted with whitespace around it
  });

  it.each([
    'https://evil.example/deep',
    `http://${HOST}//evil.example`,
    `http://${HOST}/\\evil.example`,
    `http://${HOST}/__expose/sign-in`,
    'nonsense',
  ])('never leads to another site: %s', async referer => {
    const { ask } = await open(LINK);
    const { status, location } = await post(ask, `key=${KEY}`, `Referer: ${referer}\r\n`);
    expect(status).toBe(303);
    expect(new URL(location, `http://${HOST}`).host).toBe(HOST);
    expect(location).not.toContain('sign-in');
  });

  it('reports a wrong key, and refuses a form that is longer than a key', async () => {
    const { app, ask } = await open(LINK);
    const wrong = await post(ask, 'key=wrong', 'Accept: text/html\r\n');
    expect([wrong.status, wrong.cookie]).toEqual([401, '']);
    expect(wrong.body).toContain('That is not the key');
    expect((await post(ask, '')).status).toBe(401);
    expect((await post(ask, `key=${'x'.repeat(10_000)}&key=${KEY}`)).status).toBe(401);
    expect((await post(ask, `key=${KEY}`, 'Origin: https://evil.example\r\n')).status).toBe(403);
    expect(app.connections).toBe(0);
  });

  it('does not exist in an open preview', async () => {
    const { ask } = await open(OPEN_GATEWAY);
    expect((await post(ask, `key=${KEY}`)).status).toBe(404);
  });
});

describe('HTTP Basic', () => {
  it('gives access and a cookie, and the app does not see the password', async () => {
    const { app, ask } = await open(BASIC);
    const refused = await ask('GET /');
    expect([refused.status, /^www-authenticate: (.*)/im.exec(refused.head)?.[1]]).toEqual([
      401,
      'Basic realm="preview", charset="UTF-8"',
    ]);
    const { status, cookie } = await ask('GET /', BASIC_HEADER);
    expect(status).toBe(200);
    expect(seen(app)).not.toContain('authorization');
    const fetched = await ask('GET /api', `Cookie: ${cookie}\r\nAuthorization: Bearer of-the-app\r\n`);
    expect(fetched.status).toBe(200);
    expect(app.seen).toContain('Bearer of-the-app');
  });

  it.each(['ada:wrong', 'eve:pässword:with colon', 'ada', ':', 'ada:'])('refuses %s', async text => {
    const { app, ask } = await open(BASIC);
    const header = `Authorization: Basic ${Buffer.from(text).toString('base64')}\r\n`;
    expect((await ask('GET /', header)).status).toBe(401);
    expect(app.connections).toBe(0);
  });
});

describe('the Host field (DNS rebinding)', () => {
  it.each([
    ['bore.example:4321', 200],
    ['BORE.example:4321', 200],
    ['bore.example', 200],
    ['Bore.Example', 200],
    ['bore.example.', 421],
    ['bore.example:80', 421],
    ['example', 421],
    ['sub.bore.example', 421],
    ['bore.example:04321', 421],
    ['bore.example.:4321', 421],
    ['user@bore.example:4321', 421],
    ['evil.example:4321', 421],
    ['evil.example', 421],
    ['bore.example:4321, evil.example', 421],
    ['169.254.169.254', 421],
    ['', 421],
  ])('is accepted only if it names the preview: %s gets %d', async (host, status) => {
    const { app, door } = await open(OPEN_GATEWAY);
    const answer = await sendRaw(door.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(app.connections).toBe(status === 200 ? 1 : 0);
  });

  it('may be the public name, with the default port or without, or the address that a proxy in front connects to', async () => {
    const place = { url: 'https://4321.preview.example', host: '10.0.0.1', port: 4321 };
    const { door } = await open(OPEN_GATEWAY, { place: () => place });
    for (const host of ['4321.preview.example', '4321.preview.example:443', '10.0.0.1:4321'])
      expect(
        await sendRaw(door.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
      ).toMatch(/^HTTP\/1.1 200 /);
  });

  it('may be any loopback name if the address is a loopback name', async () => {
    const place = { url: 'http://127.0.0.1:4321', host: '127.0.0.1', port: 4321 };
    const { door } = await open(OPEN_GATEWAY, { place: () => place });
    for (const host of ['127.0.0.1:4321', 'localhost:4321', '[::1]:4321'])
      expect(
        await sendRaw(door.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
      ).toMatch(/^HTTP\/1.1 200 /);
  });
});

describe('a client that leaves the port out of Host', () => {
  it.each([
    ['[2001:db8::1]', 200],
    ['[2001:DB8::1]', 200],
    ['[2001:db8::1]:4321', 200],
    ['2001:db8::1', 421],
    ['[2001:db8::2]', 421],
    ['[2001:db8::1]:80', 421],
  ])('is served if the name is ours, also for IPv6 addresses: %s gets %d', async (host, status) => {
    const place = { url: 'http://[2001:db8::1]:4321', host: '2001:db8::1', port: 4321 };
    const { door } = await open(OPEN_GATEWAY, { place: () => place });
    const answer = await sendRaw(door.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it('needs the key like any other, and an Origin without the port is another server (cross-site)', async () => {
    const { app, door, ask } = await open(LINK);
    const post = async (fields: string) =>
      (
        await sendRaw(
          door.port,
          `POST / HTTP/1.1\r\nHost: bore.example\r\nConnection: close\r\nContent-Length: 0\r\n${fields}\r\n`,
        )
      ).slice(0, 12);
    const cookie = await signIn(ask);
    expect(await post('')).toBe('HTTP/1.1 401');
    expect(await post(`${cookie}Origin: http://bore.example\r\n`)).toBe('HTTP/1.1 403');
    expect(app.connections).toBe(0);
    expect(await post(cookie)).toBe('HTTP/1.1 200');
  });
});

describe('what an earlier preview left in the browser (service workers)', () => {
  const https = { url: 'https://4321.preview.example', host: 'bore.example', port: 4321 };
  const PAGE = 'Sec-Fetch-Dest: document\r\n';

  it('is cleared once, over https, with the first page', async () => {
    const { app, ask } = await open(OPEN_GATEWAY, { place: () => https });
    const first = await ask('GET /', PAGE);
    expect(first.head).toMatch(/^clear-site-data: "storage"\r?$/im);
    expect(first.cookie).toMatch(/^__Host-expose-seen-443=/);
    const next = await ask('GET /', `${PAGE}Cookie: ${first.cookie}\r\n`);
    expect(next.head).not.toMatch(/clear-site-data|set-cookie/i);
    expect(seen(app)).not.toContain('cookie');
    expect((await ask('GET /sw.js', 'Sec-Fetch-Dest: serviceworker\r\n')).head).toMatch(/clear-site-data/i);
    expect((await ask('GET /a.js', 'Sec-Fetch-Dest: script\r\n')).head).not.toMatch(/clear-site-data/i);
  });

  it('is cleared again by another exposure at the same address, and when signing in', async () => {
    const { ask } = await open(LINK, { place: () => https });
    const { ask: askNext } = await open(LINK, { place: () => https });
    const first = await ask(`GET /?expose-key=${KEY}`);
    expect(first.head).toMatch(/^clear-site-data: "storage"\r?$/im);
    const cookies = [...first.head.matchAll(/^set-cookie: ([^;\r]*)/gim)]
      .map(([, cookie]) => cookie)
      .join('; ');
    expect((await ask(`GET /?expose-key=${KEY}`, `Cookie: ${cookies}\r\n`)).head).not.toMatch(
      /clear-site-data/i,
    );
    expect((await askNext(`GET /?expose-key=${KEY}`, `Cookie: ${cookies}\r\n`)).head).toMatch(
      /clear-site-data/i,
    );
  });

  it('is not cleared over http, where browsers ignore the field', async () => {
    const { ask } = await open(OPEN_GATEWAY);
    expect((await ask('GET /', PAGE)).head).not.toMatch(/clear-site-data|set-cookie/i);
  });

  it('is cleared for a built web app too', async () => {
    const handle = {
      kind: 'handler',
      handle: (_: unknown, response: { end(text: string): void }) => response.end('web'),
    };
    const door = await openDoor(() => ({ status: 'running', upstream: handle as never }), {
      place: () => https,
    });
    closers.push(door.stop);
    expect((await askOnce(door, 'GET /', PAGE)).head).toMatch(/clear-site-data/i);
  });
});
