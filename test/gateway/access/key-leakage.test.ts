// Ways in which the app could still get keys and passwords, and header fields of visitors that could mislead it.

import { describe, expect, it } from 'vitest';
import type { AccessRules } from '../../../src/gateway/access/access.ts';
import { useClosers } from '../../support/closers.ts';
import { openDoor, sendRaw } from '../../support/gateway-door.ts';
import { startRawApp } from '../../support/raw-app.ts';

const KEY = 'K3y-of-this-preview_0123456789';
const HOST = 'Host: bore.example:4321\r\nConnection: close\r\n';
const publicPaths = ['/webhooks/**'];
const LINK: AccessRules = { access: { kind: 'link', key: KEY }, publicPaths };
const BASIC: AccessRules = { access: { kind: 'basic', user: 'ada', password: 'secret word' }, publicPaths };
const PASSWORD = Buffer.from('ada:secret word').toString('base64');

const closers = useClosers();

async function open(rules: AccessRules) {
  const app = await startRawApp();
  const door = await openDoor(app.port, { rules });
  closers.push(app.stop, door.stop);
  return {
    app,
    door,
    ask: (line: string, fields = '') => sendRaw(door.port, `${line} HTTP/1.1\r\n${HOST}${fields}\r\n`),
  };
}

describe('key leakage', () => {
  it('does not happen through the password, which browsers send to public paths too', async () => {
    const { app, ask } = await open(BASIC);
    expect(await ask('GET /webhooks/a', `Authorization: Basic ${PASSWORD}\r\n`)).toMatch(/^HTTP\/1.1 200 /);
    expect(await ask('GET /webhooks/a', 'Authorization: Basic b2Y6YXBw\r\n')).toMatch(/^HTTP\/1.1 200 /);
    expect(app.requestLines).toHaveLength(2);
    expect(app.seen).not.toContain(PASSWORD);
    expect(app.seen).toContain('Basic b2Y6YXBw'); // the app's own passes
  });

  it('does not happen if the key is in a header as well as in the query', async () => {
    const { app, ask } = await open(LINK);
    const fields = `Authorization: Bearer ${KEY}\r\nContent-Length: 0\r\n`;
    expect(await ask(`POST /a?expose-key=${KEY}`, fields)).toMatch(/^HTTP\/1.1 200 /);
    expect(app.requestLines).toEqual(['POST /a HTTP/1.1']);
    expect(app.seen).not.toContain(KEY);
  });

  it('does not happen through the Referer of a page that cannot be redirected', async () => {
    const { app, ask } = await open(LINK);
    const referer = `http://bore.example:4321/form?a=b&expose-key=${KEY}`;
    await ask('POST /a', `Authorization: Bearer ${KEY}\r\nReferer: ${referer}\r\nContent-Length: 0\r\n`);
    expect(app.requestLines).toHaveLength(1);
    expect(app.seen).not.toContain(KEY);
    expect(app.seen).toContain(`Referer: http://localhost:${app.port}/form?a=b\r\n`);
  });

  it('does not happen through the log, for any request and any failure', async () => {
    const app = await startRawApp(socket => socket.destroy());
    const door = await openDoor(app.port, { rules: LINK });
    closers.push(app.stop, door.stop);
    for (const line of [
      `POST /a?expose-key=${KEY}`,
      `GET /?expose-key=${KEY}`,
      `DELETE /?x&expose-key=${KEY}`,
    ])
      await sendRaw(door.port, `${line} HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`);
    expect(door.log.join('\n')).toContain('no answer to POST /a');
    expect(door.log.join('\n')).not.toContain(KEY);
  });
});

describe('path tricks: a field that names another path', () => {
  it.each(['X-Original-URL', 'x-rewrite-url', 'X_Original_URL', 'X-Rewrite_URL'])(
    'does not reach the app, which might serve that path without a key: %s',
    async name => {
      const { app, ask } = await open(LINK);
      expect(await ask('GET /webhooks/a', `${name}: /admin\r\n`)).toMatch(/^HTTP\/1.1 200 /);
      expect(app.requestLines).toEqual(['GET /webhooks/a HTTP/1.1']);
      expect(app.seen).not.toContain('/admin');
    },
  );
});

describe('the redirect of the sign-in (open redirect)', () => {
  it('leads to the same host, and never fails, for any requested path', async () => {
    const { door, ask } = await open(LINK);
    const odd = ['/.//evil.example', '/%2f/evil.example', '/%5cevil.example', '/a\\..\\..//evil.example'];
    odd.push('/@evil.example', '/:80/evil', '/http://evil.example', '/%0d%0aset-cookie:%20a=b', '/;');
    for (const path of odd) {
      const answer = await ask(`GET ${path}?expose-key=${KEY}`);
      expect(answer).toMatch(/^HTTP\/1.1 303 /);
      const location = /^location: (.*)\r$/im.exec(answer)?.[1] ?? '';
      expect(location).toBe(path);
      expect(new URL(location, 'http://bore.example:4321').host).toBe('bore.example:4321');
      expect(answer.match(/^set-cookie/gim)).toHaveLength(1);
    }
    for (let code = 0; code < 256; code += 1) {
      const answer = await ask(`GET /${String.fromCharCode(code)}?expose-key=${KEY}`);
      expect(answer).toMatch(/^HTTP\/1.1 (?:303|400|401|505) /);
    }
    expect(door.log.filter(line => !line.startsWith('debug refused'))).toEqual([]);
  });
});
