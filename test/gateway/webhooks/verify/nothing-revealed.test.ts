// Without the key and without a right signature, nobody can find out which paths have a rule of `verify`: everything that
// a stranger can see of an answer is the same on such a path, on one with another rule, and on any other path.

import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { Access } from '../../../../src/gateway/access/access.ts';
import { parseRules } from '../../../../src/gateway/webhooks/verify/parse-rules.ts';
import { useClosers } from '../../../support/closers.ts';
import { openDoor, PUBLIC_URL } from '../../../support/gateway-door.ts';
import { startRawApp } from '../../../support/raw-app.ts';
import { SAMPLE_LINES } from './sample-rules.ts';

const closers = useClosers();
const HOST = `Host: ${new URL(PUBLIC_URL).host}\r\n`;

/** All of the same length. The first has a rule; so have the second and the last, in another spelling. */
const PATHS = ['/hooks/gh', '/HOOKS/gh', '/hooks/sl', '/other/xx', '/index.js', '/%68ooks/g'];
const RULES = [
  SAMPLE_LINES.slack?.replace('/hooks/slack', '/hooks/sl'),
  'github /hooks/gh a-secret-of-this-test',
  'github /hooks/g another-secret-of-this-test',
  'stripe /elsewhere whsec_0123456789',
].join('\n');

const SIGNATURES: Readonly<Record<string, string>> = {
  none: '',
  github: `X-Hub-Signature-256: sha256=${'0'.repeat(64)}\r\n`,
  'the old one of github': 'X-Hub-Signature: sha1=0\r\n',
  slack: 'X-Slack-Signature: v0=0\r\nX-Slack-Request-Timestamp: 1\r\n',
  'half of slack': 'X-Slack-Request-Timestamp: 1\r\n',
  'github twice': 'X-Hub-Signature-256: a\r\nX-Hub-Signature-256: b\r\n',
  'an empty one': 'Stripe-Signature:\r\n',
  'a provider without a rule': 'X-Square-HmacSha256-Signature: x\r\n',
  'all at once': 'X-Hub-Signature-256: a\r\nX-Slack-Signature: v0=0\r\nStripe-Signature: t=1,v1=0\r\n',
};

interface Attempt {
  method?: string;
  query?: string;
  version?: string;
  fields?: string;
  /** Sent with the head. */
  first?: string;
  /** Sent when the gateway has had time to answer the first part. */
  rest?: string;
  /** The rest of the body never comes: the stranger leaves when there is an answer. */
  leaves?: boolean;
}

const length = (bytes: number) => `Content-Length: ${bytes}\r\n`;

const ATTEMPTS: Readonly<Record<string, Attempt>> = {
  'no body': {},
  'a whole body': { fields: length(5), first: 'hello' },
  'a body in two parts': { fields: length(10), first: 'hello', rest: 'world' },
  'a chunked body in two parts': {
    fields: 'Transfer-Encoding: chunked\r\n',
    first: '5\r\nhello\r\n',
    rest: '5\r\nworld\r\n0\r\n\r\n',
  },
  'a body after a 100': { fields: `${length(5)}Expect: 100-continue\r\n`, rest: 'hello' },
  'a body that is too long': { fields: length(1024 ** 2 + 1), first: 'x', leaves: true },
  'a chunked body that is too long': {
    fields: 'Transfer-Encoding: chunked\r\n',
    first: `${(1024 ** 2 + 1).toString(16)}\r\n${'x'.repeat(1024 ** 2 + 1)}\r\n`,
    leaves: true,
  },
  'a body above max-body': { fields: length(26 * 1024 ** 2), first: 'x', leaves: true },
  'two requests in one packet': { fields: length(2), first: `{}GET / HTTP/1.1\r\n${HOST}\r\n` },
  GET: { method: 'GET' },
  HEAD: { method: 'HEAD' },
  'a preflight': {
    method: 'OPTIONS',
    fields: 'Origin: http://x.example\r\nAccess-Control-Request-Method: POST\r\n',
  },
  'a preflight with a body': {
    method: 'OPTIONS',
    fields: `Origin: http://x.example\r\nAccess-Control-Request-Method: POST\r\n${length(4)}`,
    first: 'ab',
    rest: 'cd',
  },
  'a WebSocket': {
    method: 'GET',
    fields:
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n',
  },
  'a browser': { method: 'GET', fields: 'Accept: text/html\r\n' },
  'a form of a browser': { fields: `Accept: text/html\r\n${length(3)}`, first: 'a=b' },
  JSON: { fields: 'Accept: application/json\r\n' },
  'a wrong key': { query: '?expose-key=undefined' },
  'a wrong password': { fields: 'Authorization: Basic eDp5\r\n' },
  'a handshake': { query: '?validationToken=x', fields: length(0) },
  'HTTP/1.0': { version: '1.0', fields: length(5), first: 'hello' },
};

/** What a stranger sees: what came before the rest of the request was sent, and what came in all. */
async function observe(port: number, path: string, signature: string, attempt: Attempt) {
  const { method = 'POST', query = '', version = '1.1', fields = '', first = '', rest, leaves } = attempt;
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  const seen = { early: '', all: '' };
  socket.on('data', text => {
    seen.all += text;
    if (leaves) socket.end();
  });
  const closed = awaitClose(socket);
  socket.write(
    `${method} ${path}${query} HTTP/${version}\r\n${HOST}${signature}${fields}\r\n${first}`,
    'latin1',
  );
  if (rest !== undefined) {
    // Each of these requests is answered by a gateway that has read the bytes above.
    for (let turn = 0; turn < 3; turn += 1) await askForNothing(port);
    seen.early = seen.all;
    if (!socket.destroyed) socket.write(rest, 'latin1');
  }
  await closed;
  const hideTime = (text: string) => text.replaceAll(/^date: .*$/gim, 'date');
  return { early: hideTime(seen.early), all: hideTime(seen.all) };
}

async function askForNothing(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.end(`GET /nothing HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`).resume();
  await awaitClose(socket);
}

/** A connection that is reset is closed, too. */
function awaitClose(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    socket.on('error', () => {}).once('close', () => resolve());
  });
}

const ACCESS: Readonly<Record<string, Access>> = {
  link: { kind: 'link', key: 'K3y-of-this-preview_0123456789' },
  basic: { kind: 'basic', user: 'ada', password: 'secret word' },
};

describe.each(Object.keys(ACCESS))(
  'paths with a rule and without one (webhook forgery), access: %s',
  kind => {
    it.each(Object.keys(ATTEMPTS))('look the same to strangers who send: %s', async name => {
      const app = await startRawApp();
      const access = ACCESS[kind] ?? { kind: 'open' as const };
      const door = await openDoor(app.port, {
        rules: { access, verify: parseRules(RULES) },
      });
      closers.push(app.stop, door.stop);
      const attempt = ATTEMPTS[name] ?? {};
      for (const [signature, fields] of Object.entries(SIGNATURES)) {
        const [reference, ...others] = await Promise.all(
          PATHS.map(path => observe(door.port, path, fields, attempt)),
        );
        for (const other of others) expect([signature, other]).toEqual([signature, reference]);
        expect(reference?.all).toMatch(/^HTTP\/1\.1 (?:100|204|401|503) /);
      }
      expect(app.connections).toBe(0);
    });
  },
);
