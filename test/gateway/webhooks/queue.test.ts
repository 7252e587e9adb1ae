// Requests that come while the app is away are kept, and sent to it in order when it is back.

import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { QueueLimits } from '../../../src/gateway/webhooks/queue.ts';
import type { RequestRecorder } from '../../../src/gateway/webhooks/recorder.ts';
import type { CapturedRequest } from '../../../src/shared/captured-request.ts';
import type { AppState } from '../../../src/shared/state.ts';
import { useClosers } from '../../support/closers.ts';
import { type Door, runningOn, sendRaw } from '../../support/gateway-door.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { openWebhookStage, type StageOptions, type WebhookStage } from '../../support/webhook-app.ts';

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
      expect(recorder.list()[0]).toMatchObject({ refusal: 'the app was away' });
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
