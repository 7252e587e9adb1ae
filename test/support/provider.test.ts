// The fake itself: what it answers, and that it sends what it is told to.

import { createServer } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from './listen.ts';
import { startProvider } from './provider.ts';
import { waitUntil } from './wait-until.ts';

it('answers calls of its API, and then sends the webhooks in order', async () => {
  const received: string[] = [];
  const receiver = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    received.push(`${request.headers['x-signature']} ${body}`);
    response.writeHead(received.length === 1 ? 204 : 500).end();
  });
  const url = `http://127.0.0.1:${await listen(receiver)}`;
  onTestFinished(() => void receiver.close());
  const provider = await startProvider(({ body }) => ({
    json: { id: 'pay_1' },
    webhooks: [1, 2].map(number => ({
      url,
      headers: { 'X-Signature': `s${number}` },
      body: `${body} ${number}`,
    })),
  }));

  const response = await fetch(`${provider.url}/payments?a=b`, { method: 'POST', body: 'paid' });
  expect(await response.json()).toEqual({ id: 'pay_1' });
  await waitUntil(() => provider.deliveries.length === 2, 'both webhooks were sent');
  expect(received).toEqual(['s1 paid 1', 's2 paid 2']);
  expect(provider.deliveries).toEqual([204, 500]);
  expect(provider.calls).toMatchObject([{ method: 'POST', path: '/payments', body: 'paid' }]);
});

it('answers 404 to what its API does not have, and says why a webhook was not answered', async () => {
  const provider = await startProvider(({ path }) =>
    path === '/known'
      ? { json: {}, webhooks: [{ url: 'http://127.0.0.1:9', headers: {}, body: '' }] }
      : undefined,
  );
  expect((await fetch(`${provider.url}/unknown`)).status).toBe(404);
  await fetch(`${provider.url}/known`);
  await waitUntil(() => provider.deliveries.length === 1, 'the webhook was tried');
  expect(provider.deliveries[0]).toContain('fetch failed');
});
