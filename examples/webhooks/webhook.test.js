// For Jest, import from '@jest/globals' instead.
import { expect, test } from 'vitest';

const { PREVIEW_URL, CONTROL_URL, CONTROL_TOKEN, PAYMENTS_API } = process.env;

/** Returns the requests that were waited for, oldest first. */
async function waitForWebhook(conditions) {
  const response = await fetch(`${CONTROL_URL}/api/requests/wait?${new URLSearchParams(conditions)}`, {
    headers: { Authorization: `Bearer ${CONTROL_TOKEN}` },
  });
  const answer = await response.json();
  if (!answer.success) throw new Error(answer.error);
  return answer.requests;
}

test('a payment sends its webhook', async () => {
  const callback = `${PREVIEW_URL}/hooks/payments`;
  const body = new URLSearchParams({ amount: 2000, callback });
  const { id } = await (await fetch(`${PAYMENTS_API}/payments`, { method: 'POST', body })).json();

  const [webhook] = await waitForWebhook({
    path: '/hooks/payments',
    match: `json:$.payment.id=${id}`,
    timeout: '30s',
  });

  expect(JSON.parse(webhook.body)).toMatchObject({ type: 'payment.succeeded', payment: { amount: 2000 } });
  expect(webhook.status).toBe(204); // what your app answered
}, 40_000);
