// With `trusted-proxy`: the sender's address in the record, in the queue, and in replays.

import { describe, expect, it } from 'vitest';
import { renderRow, renderWhole } from '../../../src/commands/request-table.ts';
import { describeRequest } from '../../../src/shared/request-json.ts';
import type { AppState } from '../../../src/shared/state.ts';
import { useClosers } from '../../support/closers.ts';
import { runningOn, sendRaw } from '../../support/gateway-door.ts';
import { waitUntil } from '../../support/wait-until.ts';
import {
  openWebhookStage,
  type ReceivedWebhook,
  type StageOptions,
  WebhookApp,
} from '../../support/webhook-app.ts';

const AWAY: AppState = { status: 'restarting', reason: 'test', attempt: 1 };
const KEY = 'K3y-of-this-preview_0123456789';
const closers = useClosers();

async function open({ rules, ...options }: StageOptions = {}) {
  const stage = await openWebhookStage({ rules: { trustedProxy: true, ...rules }, ...options });
  closers.push(() => stage.app.kill(), stage.door.stop);
  const post = (fields: string) =>
    sendRaw(
      stage.door.port,
      `POST /hooks/a HTTP/1.1\r\nHost: bore.example:4321\r\n${fields}Content-Length: 2\r\nConnection: close\r\n\r\nhi`,
    );
  return { ...stage, post };
}

function readField({ rawHeaders }: ReceivedWebhook): string[] {
  return rawHeaders.filter(
    (_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === 'x-forwarded-for',
  );
}

const FORGED = 'X-Forwarded-For: 10.0.0.1, [2001:DB8::7]:4711\r\n';

describe("the sender's address", () => {
  it('is recorded beside the headers, which stay as they came', async () => {
    const { post, recorder } = await open();
    await post(FORGED);
    await waitUntil(() => recorder.find(1)?.isFinished === true, 'it is recorded');
    const message = describeRequest(recorder.find(1) ?? expect.fail('no record'));
    expect(message.visitor_address).toBe('2001:db8::7');
    expect(message.headers).toContainEqual(['X-Forwarded-For', '10.0.0.1, [2001:DB8::7]:4711']);
    expect(renderRow(message)).toMatch(/→ 200 {2}2 bytes {2}from 2001:db8::7$/);
    expect(renderWhole(message)).toContain('from 2001:db8::7\n');
  });

  it.each([
    ['without a key', { access: { kind: 'link' as const, key: KEY } }, ''],
    ['for another host', {}, 'Host: evil.example\r\n'],
    ['malformed', {}, 'Content_Length: 5\r\n'],
  ])('is recorded of a request that is refused: %s', async (_, rules, fields) => {
    const { post, recorder } = await open({ rules });
    await post(`${FORGED}${fields}`);
    await waitUntil(() => recorder.find(1)?.isFinished === true, 'it is recorded');
    expect(recorder.find(1)).toMatchObject({ visitorAddress: '2001:db8::7', refusal: expect.any(String) });
  });

  it('is not recorded without `trusted-proxy`', async () => {
    const { post, recorder } = await open({ rules: { trustedProxy: false } });
    await post(FORGED);
    await waitUntil(() => recorder.find(1)?.isFinished === true, 'it is recorded');
    const message = describeRequest(recorder.find(1) ?? expect.fail('no record'));
    expect(message.visitor_address).toBeNull();
    expect(renderRow(message)).toMatch(/2 bytes$/);
  });

  it('reaches the app with a request that was kept while the app was away', async () => {
    const { app, become, post } = await open();
    become(AWAY);
    expect(await post(FORGED)).toMatch(/^HTTP\/1\.1 202 /);
    become(runningOn(app.port));
    await waitUntil(() => app.received.length === 1, 'it is delivered');
    expect(app.received.map(readField)).toEqual([['2001:db8::7']]);
  });

  it('reaches the app with a replay, but no other server', async () => {
    const { app, door, post, recorder } = await open();
    const other = new WebhookApp();
    await other.start();
    closers.push(() => other.kill());
    await post(FORGED);
    const captured = recorder.find(1) ?? expect.fail('no record');
    await door.gateway.replay(captured, { to: undefined, reSign: false });
    await door.gateway.replay(captured, { to: new URL(`http://127.0.0.1:${other.port}/`), reSign: false });
    expect(app.received.map(readField)).toEqual([['2001:db8::7'], ['2001:db8::7']]);
    expect(other.received.map(readField)).toEqual([[]]);
    expect(recorder.list().map(one => one.visitorAddress)).toEqual(['2001:db8::7', '2001:db8::7', undefined]);
  });
});
