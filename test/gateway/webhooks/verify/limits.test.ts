// The limits of bodies that are read to check their signatures.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { RequestRecorder } from '../../../../src/gateway/webhooks/record/recorder.ts';
import { parseRules } from '../../../../src/gateway/webhooks/verify/parse-rules.ts';
import { openSigner } from '../../../../src/gateway/webhooks/verify/providers.ts';
import { useClosers } from '../../../support/closers.ts';
import { openDoor, PUBLIC_URL, sendRaw } from '../../../support/gateway-door.ts';
import { startRawApp } from '../../../support/raw-app.ts';
import { waitUntil } from '../../../support/wait-until.ts';
import { makeRule, SAMPLE_LINES } from './sample-rules.ts';

const closers = useClosers();
const MB = 1024 ** 2;
const LINE = SAMPLE_LINES.github ?? '';
const PATH = makeRule(LINE).path;

async function open() {
  const app = await startRawApp();
  const key = 'K3y-of-this-preview_0123456789';
  const recorder = new RequestRecorder({ kind: 'paths', patterns: [PATH] }, { secrets: [key] });
  const access = { kind: 'link', key } as const;
  const door = await openDoor(app.port, {
    rules: { access, verify: parseRules(LINE) },
    limits: { lingerMs: 50 },
    recorder,
  });
  closers.push(app.stop, door.stop);
  return { app, door, recorder };
}

const head = (fields: string) =>
  `POST ${PATH} HTTP/1.1\r\nHost: ${new URL(PUBLIC_URL).host}\r\nConnection: close\r\n${fields}\r\n`;

function sign(body: string): string {
  const request = { method: 'POST', target: PATH, rawHeaders: [], body: Buffer.from(body), origins: [] };
  const [[name, value] = []] = openSigner(makeRule(LINE)).sign(request, 0);
  return `${name}: ${value}\r\nContent-Length: ${body.length}\r\n`;
}

describe('bodies whose signatures are checked', () => {
  it('may have 1 MB, and longer ones get 503, with the reason in the record', async () => {
    const { app, door, recorder } = await open();
    const longest = 'x'.repeat(MB);
    expect(await sendRaw(door.port, `${head(sign(longest))}${longest}`)).toMatch(/^HTTP\/1\.1 200/);
    const longer = `${longest}x`;
    expect(await sendRaw(door.port, `${head(sign(longer))}${longer}`)).toMatch(
      /^HTTP\/1\.1 503 .*retry-after/is,
    );
    expect(recorder.list().at(-1)?.refusal).toMatch(/longer than the 1048576 bytes/);
    expect(app.requestLines).toHaveLength(1);
  });

  it('leave room for a webhook, although strangers fill it with bodies that never end', async () => {
    const { app, door } = await open();
    const strangers: { socket: Socket; answer: string }[] = [];
    for (let count = 0; count < 80; count += 1) {
      const socket = connect(door.port, '127.0.0.1').setEncoding('latin1');
      const stranger = { socket, answer: '' };
      socket.on('data', text => {
        stranger.answer += text;
      });
      socket.on('error', () => {});
      closers.push(() => socket.destroy());
      socket.write(`${head(`X-Hub-Signature-256: x\r\nContent-Length: ${MB}\r\n`)}${'x'.repeat(MB - 1)}`);
      strangers.push(stranger);
    }
    await waitUntil(
      () => strangers.filter(({ answer }) => answer !== '').length >= 15,
      'the first are refused',
    );
    for (const { answer } of strangers) expect(answer).toMatch(/^$|^HTTP\/1\.1 503 /);
    expect(await sendRaw(door.port, `${head(sign('{}'))}{}`)).toMatch(/^HTTP\/1\.1 200/);
    expect(app.requestLines).toHaveLength(1);
  }, 30_000);

  it('get a 100 before they are sent, if their sender waits for that', async () => {
    const { door } = await open();
    const socket = connect(door.port, '127.0.0.1').setEncoding('latin1');
    closers.push(() => socket.destroy());
    socket.write(head(`Expect: 100-continue\r\n${sign('{}')}`));
    const [first] = await once(socket, 'data');
    expect(first).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('{}');
    const [second] = await once(socket, 'data');
    expect(second).toMatch(/^HTTP\/1\.1 200/);
  });

  it('are given up when their sender leaves', async () => {
    const { door, recorder } = await open();
    const socket = connect(door.port, '127.0.0.1');
    const cookie = `Cookie: expose-session-4321=1.${'x'.repeat(43)}; b=2\r\n`;
    const fields = `${cookie}X-Hub-Signature-256: x\r\nContent-Length: 9\r\n`;
    socket.write(`${head(fields)}half`, () => socket.destroy());
    await waitUntil(() => recorder.list().length === 1, 'it is recorded');
    const [request] = recorder.list();
    expect(request?.refusal).toMatch(/sender left/);
    // Without the cookies of the preview.
    expect(request?.rawHeaders).toContain('b=2');
  });
});

it('a form of very many names is checked in time that grows with its length (CPU exhaustion)', () => {
  const names = Array.from({ length: 100_000 }, (_, index) => `${index.toString(36)}=`);
  const request = {
    method: 'POST',
    target: '/hooks/twilio',
    rawHeaders: ['Content-Type', 'application/x-www-form-urlencoded', 'X-Twilio-Signature', 'x'],
    body: Buffer.from(names.join('&')),
    origins: [PUBLIC_URL],
  };
  // It took a minute once; then the time limit of the test fails.
  expect(openSigner(makeRule(SAMPLE_LINES.twilio ?? '')).check(request, 0)).toEqual({ kind: 'mismatch' });
});
