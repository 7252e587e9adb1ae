// The workflows with webhooks that the documentation tells users to paste, run by act: a real bore server, the built
// action, and each service played with its own SDK, which signs. When a step calls the service's API, the service sends
// from outside of the job, through the public port.

import { spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startAct } from '../support/act.ts';
import { sandbox } from '../support/payments.ts';
import { type ApiCall, type Provider, type Service, startProvider } from '../support/provider.ts';
import { loadSdk } from '../support/provider-sdks.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { readDocumented } from '../support/workflows.ts';

interface Scene {
  workflow: string;
  /** Where the bore server listens. */
  host: string;
  service: Service;
  /** Address of the service's API, if it is written in the workflow. */
  origin?: string;
  secrets?: Record<string, string>;
  variables?: Record<string, string>;
}

/** Runs the workflow to its end, and expects it to be green, with every webhook answered by the app. */
async function play(scene: Scene): Promise<Provider> {
  const boreSecret = randomBytes(16).toString('hex');
  await startRealServer(scene.host, { secret: boreSecret });
  const provider = await startProvider(scene.service);
  const text = scene.workflow;
  if (scene.origin !== undefined) expect(text).toContain(scene.origin);
  const run = startAct({
    workflow: scene.origin === undefined ? text : text.replaceAll(scene.origin, provider.url),
    eventName: 'push',
    event: { repository: { private: false, full_name: 'octo/app' } },
    checkout: 'webhooks',
    programs: [requirePart('jq'), requirePart('pytest')],
    secrets: { BORE_SECRET: boreSecret, GITHUB_TOKEN: 'token-of-the-job', ...scene.secrets },
    variables: {
      BORE_SERVER: scene.host,
      PAYMENTS_API: provider.url,
      SERVICE_API: provider.url,
      ...scene.variables,
    },
    environment: { GITHUB_API_URL: provider.url },
  });
  const code = await run.finished;
  if (code !== 0) throw new Error(`act ended with ${code}:\n${run.log}\n${provider.deliveries.join('\n')}`);
  expect(provider.deliveries.length).toBeGreaterThan(0);
  expect(new Set(provider.deliveries)).toEqual(new Set([204]));
  return provider;
}

/** The calls of the service's API, as `METHOD path`. */
const listCalls = ({ calls }: Provider) => calls.map(({ method, path }) => `${method} ${path}`);

const readForm = ({ body }: ApiCall) => Object.fromEntries(new URLSearchParams(body));

/** What the libraries are used for here. */
interface Octokit {
  Webhooks: new (options: { secret: string }) => { sign(body: string): Promise<string> };
}
interface Stripe {
  webhooks: { generateTestHeaderString(options: { payload: string; secret: string }): string };
}
interface Twilio {
  getExpectedTwilioSignature(token: string, url: string, form: Record<string, string>): string;
}
interface StandardWebhooks {
  Webhook: new (secret: string) => { sign(id: string, at: Date, body: string): string };
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
const SECRET = 'a-secret-of-the-webhook';

describeWithReal(['act', 'bore', 'wasmrun', 'jq', 'pytest'], 'a workflow of the documentation', () => {
  it('waits with the wait action, and checks the body', async () => {
    await play({ workflow: readDocumented('README.md', 1), host: '127.0.0.168', service: sandbox });
  });

  it('waits with the command in a script', async () => {
    await play({
      workflow: readFileSync('test/e2e/act/expose-wait.yml', 'utf8'),
      host: '127.0.0.169',
      service: sandbox,
    });
  });

  it('waits for a webhook in pytest, over the REST API', async () => {
    await play({
      workflow: readDocumented('docs/recipes/from-a-test.md'),
      host: '127.0.0.170',
      service: sandbox,
    });
  });
});

describeWithReal(['act', 'bore', 'wasmrun', 'jq', 'pytest', 'provider-sdks'], 'the recipe', () => {
  it('for GitHub registers a webhook, receives the event of a label, and removes both', async () => {
    const { Webhooks }: Octokit = loadSdk('@octokit/webhooks/dist-bundle/index.js');
    const signer = new Webhooks({ secret: SECRET });
    let url = '';
    const send = async (event: string, payload: object) => {
      const body = JSON.stringify(payload);
      const headers = {
        ...JSON_TYPE,
        'User-Agent': 'GitHub-Hookshot/044aadd',
        'X-GitHub-Event': event,
        'X-GitHub-Delivery': `${event}-of-the-test`,
        'X-Hub-Signature-256': await signer.sign(body),
      };
      return { url, headers, body };
    };
    const service: Service = async ({ method, path, body }) => {
      if (method === 'DELETE') return { json: {} };
      if (path === '/repos/octo/app/hooks') {
        const { config } = JSON.parse(body);
        expect(config).toMatchObject({ secret: SECRET, content_type: 'json' });
        url = config.url;
        return {
          json: { id: 12 },
          webhooks: [await send('ping', { zen: 'Design for failure.', hook_id: 12 })],
        };
      }
      if (path !== '/repos/octo/app/labels') return undefined;
      const label = JSON.parse(body);
      return { json: label, webhooks: [await send('label', { action: 'created', label })] };
    };
    const provider = await play({
      workflow: readDocumented('docs/recipes/github.md'),
      host: '127.0.0.171',
      service,
      secrets: { WEBHOOK_SECRET: SECRET, HOOKS_TOKEN: 'token' },
    });
    expect(listCalls(provider)).toEqual(
      expect.arrayContaining([
        'DELETE /repos/octo/app/hooks/12',
        expect.stringMatching(/^DELETE \/repos\/octo\/app\/labels\/webhook-test-\d+$/),
      ]),
    );
  });

  it('for Stripe creates an endpoint, receives the event of a payment, and removes the endpoint', async () => {
    const { webhooks }: Stripe = loadSdk('stripe');
    const secret = 'whsec_of_the_test';
    let url = '';
    const service: Service = ({ method, path, body }) => {
      if (method === 'DELETE') return { json: { deleted: true } };
      const form = new URLSearchParams(body);
      if (path === '/v1/webhook_endpoints') {
        url = form.get('url') ?? '';
        return { json: { id: 'we_1', secret } };
      }
      if (path !== '/v1/payment_intents') return undefined;
      const object = {
        amount_received: Number(form.get('amount')),
        metadata: { run: form.get('metadata[run]') },
      };
      const payload = JSON.stringify({ type: 'payment_intent.succeeded', data: { object } }, null, 2);
      const signature = webhooks.generateTestHeaderString({ payload, secret });
      return {
        json: object,
        webhooks: [{ url, headers: { ...JSON_TYPE, 'Stripe-Signature': signature }, body: payload }],
      };
    };
    const provider = await play({
      workflow: readDocumented('docs/recipes/stripe.md'),
      host: '127.0.0.172',
      origin: 'https://api.stripe.com',
      service,
      secrets: { STRIPE_TEST_KEY: 'sk_test_of_the_test' },
    });
    expect(listCalls(provider).at(-1)).toBe('DELETE /v1/webhook_endpoints/we_1');
  });

  it('for Slack receives the event of a message', async () => {
    const service: Service = call => {
      if (call.path !== '/api/chat.postMessage') return undefined;
      const { channel, text } = readForm(call);
      const body = JSON.stringify({ type: 'event_callback', event: { type: 'message', channel, text } });
      const seconds = `${Math.floor(Date.now() / 1_000)}`;
      // https://docs.slack.dev/authentication/verifying-requests-from-slack
      const digest = createHmac('sha256', SECRET).update(`v0:${seconds}:${body}`).digest('hex');
      const headers = {
        ...JSON_TYPE,
        'X-Slack-Request-Timestamp': seconds,
        'X-Slack-Signature': `v0=${digest}`,
      };
      const url = 'http://127.0.0.173:20444/hooks/slack';
      return { json: { ok: true, ts: '1.2' }, webhooks: [{ url, headers, body }] };
    };
    await play({
      workflow: readDocumented('docs/recipes/slack.md'),
      host: '127.0.0.173',
      origin: 'https://slack.com',
      service,
      secrets: { SLACK_SIGNING_SECRET: SECRET, SLACK_BOT_TOKEN: 'xoxb-of-the-test' },
      variables: { SLACK_CHANNEL: 'C024BE91L' },
    });
  });

  it('for Slack lets the app answer the challenge of the registration, on a laptop', async () => {
    const host = '127.0.0.176';
    await startRealServer(host, { secret: SECRET });
    const [, line = ''] = /^ +(BORE_SECRET=.*)$/m.exec(readFileSync('docs/recipes/slack.md', 'utf8')) ?? [];
    const command = line
      .replace('BORE_SECRET=…', `BORE_SECRET=${SECRET} exec`)
      .replace('expose', `'${process.execPath}' '${resolve('dist/cli/index.js')}'`)
      .replace('bore.example.com', host);
    const child = spawn('bash', ['-c', command], {
      cwd: 'examples/webhooks',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    onTestFinished(async () => {
      child.kill('SIGINT');
      await once(child, 'close');
    });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', text => {
      printed += text;
    });
    await waitUntil(() => printed.includes(`http://${host}:20444/`), 'the preview is live at its address');
    const response = await fetch(`http://${host}:20444/hooks/slack`, {
      method: 'POST',
      headers: JSON_TYPE,
      body: JSON.stringify({ type: 'url_verification', challenge: '3eZbrw1aBm2rZgRNFdxV2595E9CY3gmd' }),
    });
    expect(await response.text()).toBe('3eZbrw1aBm2rZgRNFdxV2595E9CY3gmd');
  });

  it('for Twilio receives the callbacks of a message, and waits for the one that says delivered', async () => {
    const { getExpectedTwilioSignature }: Twilio = loadSdk('twilio/lib/webhooks/webhooks.js');
    const service: Service = call => {
      if (call.path !== '/2010-04-01/Accounts/AC1/Messages.json') return undefined;
      const { From = '', To = '', StatusCallback: url = '' } = readForm(call);
      const webhooks = ['sent', 'delivered'].map(MessageStatus => {
        const form = { MessageSid: 'SM1', MessageStatus, From, To };
        const headers = {
          'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8',
          'X-Twilio-Signature': getExpectedTwilioSignature(SECRET, url, form),
        };
        return { url, headers, body: new URLSearchParams(form).toString() };
      });
      return { json: { sid: 'SM1' }, webhooks };
    };
    await play({
      workflow: readDocumented('docs/recipes/twilio.md'),
      host: '127.0.0.174',
      origin: 'https://api.twilio.com',
      service,
      secrets: { TWILIO_ACCOUNT_SID: 'AC1', TWILIO_AUTH_TOKEN: SECRET },
      variables: { TWILIO_FROM: '+15005550006', TWILIO_TO: '+15005550009' },
    });
  });

  it('for any service receives what follows Standard Webhooks', async () => {
    const { Webhook }: StandardWebhooks = loadSdk('standardwebhooks');
    const secret = `whsec_${Buffer.from(SECRET).toString('base64')}`;
    const service: Service = call => {
      if (call.path !== '/orders') return undefined;
      const { item, webhook: url = '' } = readForm(call);
      const body = JSON.stringify({ type: 'order.shipped', data: { item } });
      const now = new Date();
      const headers = {
        ...JSON_TYPE,
        'webhook-id': 'msg_1',
        'webhook-timestamp': `${Math.floor(now.getTime() / 1_000)}`,
        'webhook-signature': new Webhook(secret).sign('msg_1', now, body),
      };
      return { json: { order: 1 }, webhooks: [{ url, headers, body }] };
    };
    await play({
      workflow: readDocumented('docs/recipes/any-service.md'),
      host: '127.0.0.175',
      service,
      secrets: { WEBHOOK_SECRET: secret, SERVICE_TOKEN: 'token' },
    });
  });
});
