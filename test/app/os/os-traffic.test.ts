// What visitors send to a program in OS mode, and what they get, on wasmhub's real runtime. One suite for both hosts of
// the page.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Program } from '../../../src/app/program.ts';
import { openDoor } from '../../support/gateway-door.ts';
import { createOsRig, type OsRig } from '../../support/os-rig.ts';
import { describeWithReal } from '../../support/real-parts.ts';

const MB = 1024 * 1024;
/** How many requests the program holds before it answers all of them. */
const SLOW = 20;

const PROGRAM = `
  const http = require('node:http');
  const { createHash } = require('node:crypto');
  const held = [];
  let events;

  const routes = {
    '/hash': (request, response) => {
      const hash = createHash('sha256');
      request.on('data', chunk => hash.update(chunk));
      request.on('end', () => response.end(hash.digest('hex')));
    },
    '/large': (request, response) => {
      const size = Number(request.headers['x-size']);
      response.end(Buffer.alloc(size).map((_, index) => index % 251));
    },
    '/events': (request, response) => {
      events = response;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 0\\n\\n');
    },
    '/publish': (request, response) => {
      events.write('data: ' + request.headers['x-event'] + '\\n\\n');
      response.end();
    },
    '/slow': (request, response) => {
      if (held.push(response) === ${SLOW}) held.forEach((one, index) => one.end(String(index)));
    },
    '/connection': (request, response) => response.end(request.headers.connection),
    '/asked': (request, response) => response.end(asked.join(' ')),
    '/empty': (request, response) => {
      response.writeHead(204, { 'set-cookie': ['a=1; Path=/', 'b=2; HttpOnly'] });
      response.end();
    },
    '/': (request, response) => response.end('a page'),
  };
  const asked = [];
  http.createServer((request, response) => {
    asked.push(request.url);
    const route = routes[request.url];
    if (route) route(request, response);
    else response.end('at ' + request.url);
  }).listen(3000);
`;

describeWithReal(['wasmrun', 'runtime', 'chromium'], 'the traffic of a program in OS mode', () => {
  let rig: OsRig;
  beforeAll(async () => {
    rig = await createOsRig();
  });
  afterAll(() => rig.stop());

  describe.each(['node', 'browser'] as const)('with vm: %s', vm => {
    let program: Program;
    let url: string;
    beforeAll(async () => {
      ({ program, url } = await rig.start(rig.createProject({ 'index.js': PROGRAM }), vm));
    });
    afterAll(() => program.stop());

    it('uploads a megabyte unchanged', async () => {
      const body = randomBytes(MB);
      const response = await fetch(`${url}/hash`, { method: 'POST', body });
      expect(await response.text()).toBe(createHash('sha256').update(body).digest('hex'));
    });

    // The network proxy closes all connections at a frame of more than 16 MiB.
    it.each([MB, 20 * MB])('downloads %i bytes unchanged', async size => {
      const response = await fetch(`${url}/large`, { headers: { 'x-size': String(size) } });
      const body = new Uint8Array(await response.arrayBuffer());
      expect(body.length).toBe(size);
      expect(body.findIndex((byte, index) => byte !== index % 251)).toBe(-1);
    });

    it('delivers each server-sent event when it is written', async () => {
      const given = new AbortController();
      const response = await fetch(`${url}/events`, { signal: given.signal });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      for (const number of [0, 1, 2]) {
        expect((await reader?.read())?.value).toBe(`data: ${number}\n\n`);
        await fetch(`${url}/publish`, { headers: { 'x-event': String(number + 1) } });
      }
      given.abort();
    });

    it(`holds ${SLOW} requests at a time`, async () => {
      const answers = await Promise.all(
        Array.from({ length: SLOW }, async () => await (await fetch(`${url}/slow`)).text()),
      );
      expect(answers.map(Number).sort((a, b) => a - b)).toEqual([...answers.keys()]);
    });

    it('gives no visitor the answer to a request that another one hid in a body', async () => {
      const door = await openDoor(() => ({ status: 'running', upstream: program.upstream }));
      const ask = async (path: string, init?: RequestInit) =>
        `${path} ${await (await fetch(`${door.url}${path}`, init)).text()}`;
      const body = 'GET /hidden HTTP/1.1\r\nHost: a.example\r\n\r\n';
      const visit = async (visitor: number) => {
        for (let turn = 0; turn < 40; turn += 1) {
          const path = `/visitor/${visitor}/${turn}`;
          const init = turn % 3 === 0 ? { method: 'POST', body } : {};
          expect(await ask(path, init)).toBe(`${path} at ${path}`);
        }
      };
      await Promise.all([0, 1, 2, 3, 4, 5].map(visit));
      expect(await ask('/connection', { method: 'POST', body })).toBe('/connection close');
      await door.stop();
    });

    it('runs no request that a visitor without the key hides in a body at a public path', async () => {
      const key = 'K'.repeat(32);
      const door = await openDoor(() => ({ status: 'running', upstream: program.upstream }), {
        rules: { access: { kind: 'link', key }, publicPaths: ['/hook'] },
      });
      const body = 'GET /protected HTTP/1.1\r\nHost: a.example\r\n\r\n';
      const posted = await fetch(`${door.url}/hook`, { method: 'POST', body });
      // The program may have answered before it got the body.
      expect([200, 400]).toContain(posted.status);
      const asked = await fetch(`${door.url}/asked`, { headers: { authorization: `Bearer ${key}` } });
      const paths = (await asked.text()).split(' ');
      expect(paths).not.toContain('/protected');
      await door.stop();
    });

    it('answers HEAD without a body, and 204 with two cookies', async () => {
      const head = await fetch(url, { method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([200, '']);
      const empty = await fetch(`${url}/empty`);
      expect([empty.status, await empty.text()]).toEqual([204, '']);
      expect(empty.headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2; HttpOnly']);
    });

    it('sends a small answer in one piece, because a second one would wait for its acknowledgement', async () => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      // On a kept-alive connection: on a new one, the kernel acknowledges at once.
      for (let turn = 0; turn < 5; turn += 1) {
        socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
        const [piece] = await once(socket, 'data');
        expect(String(piece)).toMatch(/^HTTP\/1\.1 200 OK\r\n.*a page.*0\r\n\r\n$/s);
      }
      socket.destroy();
    });
  });
});
