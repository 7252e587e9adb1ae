// Requests that come while the app is away are kept, and sent to it in order when it is back.

import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { QueueLimits } from '../../../../src/gateway/webhooks/queue/limits.ts';
import type { RequestRecorder } from '../../../../src/gateway/webhooks/record/recorder.ts';
import { openSigner } from '../../../../src/gateway/webhooks/verify/providers.ts';
import type { CapturedRequest } from '../../../../src/shared/captured-request.ts';
import type { AppState } from '../../../../src/shared/state.ts';
import { useClosers } from '../../../support/closers.ts';
import { type Door, runningOn, sendRaw } from '../../../support/gateway-door.ts';
import { TestCa } from '../../../support/test-ca.ts';
import { waitUntil } from '../../../support/wait-until.ts';
import {
  openWebhookStage,
  type StageOptions,
  WebhookApp,
  type WebhookStage,
} from '../../../support/webhook-app.ts';
import { makeRule, SAMPLE_LINES } from '../verify/sample-rules.ts';

const closers = useClosers();
const HOST = 'Host: bore.example:4321\r\n';
const AWAY: AppState = { status: 'restarting', reason: 'test', attempt: 1 };

async function open(
  queueLimits: Partial<QueueLimits> = {},
  options: StageOptions = {},
): Promise<WebhookStage> {
  const stage = await openWebhookStage({ queueLimits, ...options });
  closers.push(() => stage.app.kill(), stage.door.stop);
  return stage;
}

function post({ url }: Door, body: string | Buffer, path = '/hooks/a', headers = {}): Promise<Response> {
  return fetch(`${url}${path}`, { method: 'POST', body, headers });
}

async function settled(recorder: RequestRecorder, count: number): Promise<readonly CapturedRequest[]> {
  const isOver = ({ delivery }: CapturedRequest) => (delivery?.outcome.kind ?? 'waiting') !== 'waiting';
  await waitUntil(
    () => recorder.list().filter(isOver).length === count,
    `${count} requests are delivered or dropped`,
  );
  return recorder.list();
}

describe('while the app is away', () => {
  it('answers 202, and delivers what came in order and byte for byte when the app is back', async () => {
    const { app, door, recorder, become } = await open();
    become(AWAY);
    const bytes = Buffer.from([0xff, 0x00, 0xe2, 0x80, 0xa8, 0x0d, 0x0a]);
    const head = `PUT /hooks/a%20b?x=%2F&x=1 HTTP/1.1\r\n${HOST}X-Second: 2\r\nx-First: \xe4\r\nx-first: 1\r\nContent-Length: 7\r\n`;
    const answer = await sendRaw(door.port, `${head}Connection: close\r\n\r\n${bytes.toString('latin1')}`);
    expect(answer).toMatch(/^HTTP\/1\.1 202 .*cache-control: no-store/s);
    for (let index = 1; index < 20; index += 1) expect((await post(door, `hook ${index}`)).status).toBe(202);
    expect(app.received).toEqual([]);
    become(runningOn(app.port));
    const records = await settled(recorder, 20);
    expect(app.received[0]?.line).toBe('PUT /hooks/a%20b?x=%2F&x=1');
    expect(app.received[0]?.body).toEqual(bytes);
    expect(app.received[0]?.rawHeaders.slice(0, 10)).toEqual([
      ...['host', `localhost:${app.port}`, 'connection', 'close'],
      ...['X-Second', '2', 'x-First', 'ä', 'x-first', '1'],
    ]);
    expect(app.bodies.slice(1)).toEqual(Array.from({ length: 19 }, (_, index) => `hook ${index + 1}`));
    expect(records.map(({ answer: sent, delivery }) => [sent?.status, delivery])).toEqual(
      Array.from({ length: 20 }, () => [
        202,
        {
          queuedAt: expect.any(Date),
          attempts: 1,
          outcome: { kind: 'delivered', at: expect.any(Date), status: 200, durationMs: expect.any(Number) },
        },
      ]),
    );
    expect(door.log.filter(line => line.includes('webhook'))).toEqual([
      'info the app is away: webhooks are kept from now on, and sent to it when it is back',
      'info 20 webhooks delivered',
    ]);
  });

  it.each(['GET', 'HEAD', 'OPTIONS'])(
    'answers %s with 503 and Retry-After, and records it as refused',
    async method => {
      const { door, recorder, become } = await open();
      become({ status: 'starting' });
      const answer = await fetch(`${door.url}/hooks/a`, { method });
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2']);
      expect(recorder.list()[0]).toMatchObject({
        refusal: expect.stringMatching(/the app was not running: .*send it again/),
      });
    },
  );

  it.each<[string, string, string, Record<string, string>]>([
    ['Slack', '/hooks/a', '{"type":"url_verification","challenge":"c"}', {}],
    ['Microsoft Graph', '/hooks/a?validationToken=t', '', {}],
    ['Zoom', '/hooks/a', '{"event":"endpoint.url_validation","payload":{}}', {}],
    ['Twitch', '/hooks/a', '{}', { 'twitch-eventsub-message-type': 'webhook_callback_verification' }],
    ['monday.com', '/hooks/a', '{"challenge":"c"}', {}],
    ['a page of a browser', '/hooks/a', 'a=b', { origin: 'http://bore.example:4321' }],
  ])('answers the request of %s with 503, because only the app can', async (_, path, body, headers) => {
    const { app, door, become } = await open();
    become(AWAY);
    expect((await post(door, body, path, headers)).status).toBe(503);
    become(runningOn(app.port));
    expect((await post(door, 'next')).status).toBe(200);
    expect(app.bodies).toEqual(['next']);
  });

  it('answers 503 on paths that are not captured, and with `queue: false`', async () => {
    const { door, become } = await open();
    become(AWAY);
    expect((await post(door, 'x', '/other')).status).toBe(503);
    const off = await open({}, { rules: { queue: false } });
    off.become(AWAY);
    expect((await post(off.door, 'x')).status).toBe(503);
  });

  it('keeps nothing for an app that has failed for good', async () => {
    const { door, become } = await open();
    become({ status: 'failed', reason: 'it ended', lastLines: [] });
    expect((await post(door, 'x')).status).toBe(502);
  });

  it('asks a sender who waits for it to send the body, and does not keep an upload that breaks off', async () => {
    const { app, door, recorder, become } = await open();
    become(AWAY);
    const head = `POST /hooks/a HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`;
    const patient = connect(door.port, '127.0.0.1');
    patient.write(head);
    expect(String((await once(patient, 'data'))[0])).toMatch(/^HTTP\/1\.1 100 /);
    patient.write('whole');
    expect(String((await once(patient, 'data'))[0])).toMatch(/^HTTP\/1\.1 202 /);
    const broken = connect(door.port, '127.0.0.1');
    broken.write(head);
    await once(broken, 'data');
    broken.write('ha', () => broken.destroy());
    await waitUntil(() => recorder.list().length === 2, 'the broken upload is recorded');
    expect(recorder.list()[1]?.refusal).toMatch(/the sender left/);
    become(runningOn(app.port));
    await settled(recorder, 1);
    expect(app.bodies).toEqual(['whole']);
    patient.destroy();
  });
});

describe('an app that counts as running', () => {
  it('gets later what came while its port refused connections, in order, with bodies that had begun to come', async () => {
    const { app, door, recorder } = await open();
    await app.kill();
    const slow = connect(door.port, '127.0.0.1');
    slow.write(`POST /hooks/a HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nsl`);
    expect((await post(door, 'first')).status).toBe(202);
    slow.write('ow');
    expect(String((await once(slow, 'data'))[0])).toMatch(/^HTTP\/1\.1 202 /);
    const chunked = `POST /hooks/a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
    expect(await sendRaw(door.port, `${chunked}3\r\nchu\r\n4\r\nnked\r\n0\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 202 /,
    );
    expect((await fetch(`${door.url}/hooks/a`)).status).toBe(502);
    await app.start();
    const records = await settled(recorder, 3);
    expect(app.bodies).toEqual(['first', 'slow', 'chunked']);
    const kept = records.filter(({ delivery }) => delivery !== undefined);
    expect(kept.map(({ body }) => body.toString())).toEqual(app.bodies);
    slow.destroy();
  });

  it('gets a handshake at once, past what is still kept', async () => {
    const { app, door, become } = await open();
    become(AWAY);
    await post(door, 'hangs');
    app.answer = body => (body === 'hangs' ? 'hang' : 200);
    become(runningOn(app.port));
    await waitUntil(() => app.received.length === 1, 'the first one is at the app');
    expect((await post(door, 'behind')).status).toBe(202);
    expect((await post(door, '{"type":"url_verification","challenge":"c"}')).status).toBe(200);
    expect(app.bodies).toEqual(['hangs', '{"type":"url_verification","challenge":"c"}']);
  });

  it('does not get a request again that it has read before it crashed', async () => {
    const { app, door, recorder } = await open();
    app.answer = () => 'crash';
    expect((await post(door, 'poison')).status).toBe(502);
    app.answer = () => 200;
    await app.start();
    expect((await post(door, 'next')).status).toBe(200);
    expect(app.bodies).toEqual(['poison', 'next']);
    expect(recorder.list().map(({ delivery }) => delivery)).toEqual([undefined, undefined]);
  });

  it('gets a large body that waits for a 100 (Continue)', async () => {
    const { app, door, recorder } = await open();
    await app.kill();
    const sender = connect(door.port, '127.0.0.1');
    sender.write(`POST /hooks/a HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`);
    expect(String((await once(sender, 'data'))[0])).toMatch(/^HTTP\/1\.1 100 /);
    sender.write('whole');
    expect(String((await once(sender, 'data'))[0])).toMatch(/^HTTP\/1\.1 202 /);
    await app.start();
    await settled(recorder, 1);
    expect(app.bodies).toEqual(['whole']);
    sender.destroy();
  });
});

describe('a delivery', () => {
  it('that crashes the app is dropped, and the rest waits for the next start', async () => {
    const { app, door, recorder, become } = await open();
    app.answer = body => (body === 'poison' ? 'crash' : 200);
    app.onCrash = () => become(AWAY);
    become(AWAY);
    for (const body of ['a', 'poison', 'b', 'c']) await post(door, body);
    become(runningOn(app.port));
    await settled(recorder, 2);
    expect(app.bodies).toEqual(['a', 'poison']);
    await app.start();
    become(runningOn(app.port));
    const records = await settled(recorder, 4);
    expect(app.bodies).toEqual(['a', 'poison', 'b', 'c']);
    expect(records.map(({ delivery }) => delivery?.outcome.kind)).toEqual([
      ...['delivered', 'dropped', 'delivered', 'delivered'],
    ]);
    expect(records[1]?.delivery).toMatchObject({
      attempts: 1,
      outcome: { reason: expect.stringMatching(/^the app (closed the connection|stopped before)/) },
    });
    await waitUntil(
      () => door.log.filter(line => /delivered|dropped/.test(line)).length === 3,
      'all is logged',
    );
    expect(door.log.filter(line => /delivered|dropped/.test(line))).toEqual([
      'info 1 webhook delivered',
      expect.stringMatching(/^warn 1 webhook dropped: the app /),
      'info 2 webhooks delivered',
    ]);
  });

  it.each([200, 404, 500])('counts whatever the app answers: %d', async status => {
    const { app, door, recorder, become } = await open();
    app.answer = () => status;
    become(AWAY);
    await post(door, 'a');
    become(runningOn(app.port));
    const [record] = await settled(recorder, 1);
    expect(record?.delivery?.outcome).toMatchObject({ kind: 'delivered', status });
  });

  it('without an answer is dropped after its time limit, and the next one has its turn', async () => {
    const { app, door, recorder, become } = await open({ answerMs: 200 });
    app.answer = body => (body === 'hangs' ? 'hang' : 200);
    become(AWAY);
    await post(door, 'hangs');
    await post(door, 'next');
    become(runningOn(app.port));
    const records = await settled(recorder, 2);
    expect(records.map(({ delivery }) => delivery?.outcome)).toMatchObject([
      { kind: 'dropped', reason: expect.stringMatching(/^the app did not answer within/) },
      { kind: 'delivered' },
    ]);
  });

  it('to an app that goes away is ended, and the next one waits', async () => {
    const { app, door, recorder, become } = await open();
    app.answer = body => (body === 'hangs' ? 'hang' : 200);
    become(AWAY);
    await post(door, 'hangs');
    await post(door, 'next');
    become(runningOn(app.port));
    await waitUntil(() => app.received.length === 1, 'the first one is at the app');
    become(AWAY);
    const records = await settled(recorder, 1);
    expect(records[0]?.delivery?.outcome).toMatchObject({ reason: 'the app stopped before it answered' });
    become(runningOn(app.port));
    await settled(recorder, 2);
    expect(app.bodies).toEqual(['hangs', 'next']);
  });

  it('is left out if this app could run its body as a request that needs the key', async () => {
    const { app, door, recorder, become } = await open(
      {},
      { rules: { access: { kind: 'link', key: 'K'.repeat(32) }, publicPaths: ['/hooks/**'] } },
    );
    become(AWAY);
    expect((await post(door, 'GET /admin HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(202);
    await post(door, 'harmless');
    const running = runningOn(app.port);
    if (running.status !== 'running' || running.upstream.kind !== 'address') throw new Error('not running');
    become({ ...running, upstream: { ...running.upstream, leavesBodies: true } });
    await settled(recorder, 2);
    expect(app.bodies).toEqual(['harmless']);
  });

  it('goes to the port that the app has now', async () => {
    const { app, door, recorder, become } = await open();
    become(AWAY);
    await post(door, 'a');
    const moved = new WebhookApp();
    await moved.start();
    closers.push(() => moved.kill());
    become(runningOn(moved.port));
    await settled(recorder, 1);
    expect([app.bodies, moved.bodies]).toEqual([[], ['a']]);
    expect(moved.received[0]?.rawHeaders.slice(0, 2)).toEqual(['host', `localhost:${moved.port}`]);
  });
});

describe('the limits', () => {
  it.each<[string, Partial<QueueLimits>, string[]]>([
    ['count', { requests: 2 }, ['a', 'b']],
    ['bytes', { bytes: 2_000 }, ['a'.repeat(700), 'b'.repeat(700)]],
  ])(
    'of %s: what is too much gets 503 with Retry-After, and is recorded as refused',
    async (_, limits, fitting) => {
      const { app, door, recorder, become } = await open(limits);
      become(AWAY);
      for (const body of fitting) expect((await post(door, body)).status).toBe(202);
      const full = await post(door, 'c'.repeat(700));
      expect([full.status, full.headers.get('retry-after')]).toEqual([503, '30']);
      expect(recorder.list()[2]?.refusal).toMatch(/no more requests could be kept/);
      become(runningOn(app.port));
      await settled(recorder, 2);
      become(AWAY);
      for (const body of fitting) expect((await post(door, body)).status).toBe(202);
      become(runningOn(app.port));
      await settled(recorder, 4);
      expect(app.bodies).toEqual([...fitting, ...fitting]);
    },
  );

  it('of bytes also hold for bodies of unknown length, and `max-body` for all', async () => {
    const { door, become } = await open({ bytes: 2_000 }, { rules: { maxBodyBytes: 1_000 } });
    become(AWAY);
    const send = (length: number) =>
      sendRaw(
        door.port,
        `POST /hooks/a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n${length.toString(16)}\r\n${'x'.repeat(length)}\r\n0\r\n\r\n`,
      );
    expect(await send(1_001)).toMatch(/^HTTP\/1\.1 413 /);
    expect(await send(999)).toMatch(/^HTTP\/1\.1 202 /);
    expect(await send(999)).toMatch(/^HTTP\/1\.1 503 .*retry-after: 30/s);
  });

  it('of age: older requests are dropped', async () => {
    const { app, door, recorder, become } = await open({ ageMs: 100 });
    become(AWAY);
    await post(door, 'a');
    await post(door, 'b');
    const records = await settled(recorder, 2);
    expect(records[0]?.delivery?.outcome).toMatchObject({
      kind: 'dropped',
      reason: expect.stringMatching(/^not delivered within/),
    });
    become(runningOn(app.port));
    expect((await post(door, 'c')).status).toBe(200);
    expect(app.bodies).toEqual(['c']);
    expect(door.log.filter(line => line.includes('dropped')).join()).toMatch(
      /webhooks? dropped: not delivered within/,
    );
  });
});

describe('at the end', () => {
  it('what waits is recorded as dropped, and what comes then is not kept', async () => {
    const { door, recorder, become } = await open();
    become(AWAY);
    await post(door, 'a');
    await post(door, 'b');
    await door.gateway.stop();
    expect(recorder.list().map(({ delivery }) => delivery?.outcome)).toMatchObject([
      { kind: 'dropped', reason: 'the preview ended before the app was back' },
      { kind: 'dropped' },
    ]);
    expect(door.log).toContain('warn 2 webhooks dropped: the preview ended before the app was back');
  });

  it('an app that is there gets the rest while visitors are drained', async () => {
    const { app, door, recorder, become } = await open();
    become(AWAY);
    for (const body of ['a', 'b', 'c']) await post(door, body);
    app.answer = body => {
      if (body === 'a') void door.gateway.stop(5_000);
      return 200;
    };
    become(runningOn(app.port));
    await settled(recorder, 3);
    expect(app.bodies).toEqual(['a', 'b', 'c']);
  });

  it('a delivery that hangs does not hold up the end', async () => {
    const { app, door, recorder, become } = await open();
    app.answer = () => 'hang';
    become(AWAY);
    for (const body of ['a', 'b', 'c']) await post(door, body);
    become(runningOn(app.port));
    await waitUntil(() => app.received.length === 1, 'one is at the app');
    await door.gateway.stop(100);
    expect(recorder.list().map(({ delivery }) => delivery?.outcome)).toMatchObject([
      { kind: 'dropped', reason: 'the preview ended before the app answered' },
      { kind: 'dropped', reason: 'the preview ended before the app was back' },
      { kind: 'dropped' },
    ]);
    expect(app.bodies).toEqual(['a']);
  });

  it('of an app that failed for good: what waits is dropped', async () => {
    const { door, recorder, become } = await open();
    become(AWAY);
    await post(door, 'a');
    become({ status: 'failed', reason: 'it ended', lastLines: [] });
    expect(recorder.list()[0]?.delivery?.outcome).toMatchObject({
      reason: 'the app failed, and is not started again',
    });
  });
});

describe('what counts for live requests', () => {
  it('counts for requests over HTTP/2, also for bodies whose forwarding was refused', async () => {
    const ca = new TestCa();
    const tls = ca.issue(['DNS:localhost']);
    const { app, door, recorder, become } = await open({}, { tls, publicUrl: 'https://localhost:{port}' });
    const session = connectHttp2(`https://localhost:${door.port}`, { ca: ca.pem });
    closers.push(
      () => session.destroy(),
      () => ca.remove(),
    );
    const send = async (body: string) => {
      const stream = session.request({ ':method': 'POST', ':path': '/hooks/a?b=%20', 'x-one': '1' });
      stream.end(body);
      const [headers] = await once(stream, 'response');
      return headers[':status'];
    };
    become(AWAY);
    expect(await send('over HTTP/2')).toBe(202);
    become(runningOn(app.port));
    await settled(recorder, 1);
    await app.kill();
    expect(await send('refused')).toBe(202);
    await app.start();
    await settled(recorder, 2);
    expect(app.bodies).toEqual(['over HTTP/2', 'refused']);
    expect(app.received[0]?.line).toBe('POST /hooks/a?b=%20');
    expect(app.received[0]?.rawHeaders.slice(0, 2)).toEqual(['host', `localhost:${app.port}`]);
  });

  it('counts for signed webhooks: what is wrongly signed is not kept', async () => {
    const rule = makeRule(SAMPLE_LINES.github ?? '');
    const { app, door, recorder, become } = await open({}, { rules: { verify: [rule] } });
    const sign = (body: string) => {
      const request = {
        method: 'POST',
        target: rule.path,
        rawHeaders: [],
        body: Buffer.from(body),
        origins: [],
      };
      return Object.fromEntries(openSigner(rule).sign(request, 0));
    };
    become(AWAY);
    expect((await post(door, 'right', rule.path, sign('right'))).status).toBe(202);
    expect((await post(door, 'wrong', rule.path, sign('right'))).status).toBe(401);
    become(runningOn(app.port));
    await settled(recorder, 1);
    await app.kill();
    expect((await post(door, 'refused', rule.path, sign('refused'))).status).toBe(202);
    await app.start();
    await settled(recorder, 2);
    expect(app.bodies).toEqual(['right', 'refused']);
    expect(recorder.list().map(({ verified }) => verified)).toEqual(['github', undefined, 'github']);
  });

  it('counts for the key: without it nothing is kept, and the app does not see it', async () => {
    const key = 'K'.repeat(32);
    const { app, door, recorder, become } = await open({}, { rules: { access: { kind: 'link', key } } });
    become(AWAY);
    expect((await post(door, 'a stranger')).status).toBe(401);
    expect((await post(door, 'a friend', '/hooks/a', { authorization: `Bearer ${key}` })).status).toBe(202);
    become(runningOn(app.port));
    await settled(recorder, 1);
    expect(app.bodies).toEqual(['a friend']);
    expect(JSON.stringify(app.received[0]?.rawHeaders)).not.toContain(key);
  });
});
