// A sandbox for payments, as in examples/webhooks: each payment sends a webhook to the address that the call names.

import type { Service } from './provider.ts';

export const sandbox: Service = call => {
  if (call.path !== '/payments') return undefined;
  const { amount, callback = '' } = Object.fromEntries(new URLSearchParams(call.body));
  const payment = { id: 'pay_1', amount: Number(amount) };
  const body = JSON.stringify({ type: 'payment.succeeded', payment });
  return {
    json: payment,
    webhooks: [{ url: callback, headers: { 'Content-Type': 'application/json' }, body }],
  };
};
