// Sends webhooks to the preview as GitHub would, signed or not. Used by the demo's story.

import { createHmac, randomUUID } from 'node:crypto';

/** The path of the preview that takes them, and that its `verify` rule is for. */
export const WEBHOOK_PATH = '/webhooks/github';
const TIMEOUT_MS = 10_000;

/** Resolves with the HTTP status, or with what went wrong. */
export async function sendWebhook(options: {
  /** Base address of the preview. */
  url: string;
  /** Undefined: it carries no signature. */
  secret: string | undefined;
  repository: string;
  pullRequest: number;
}): Promise<number | string> {
  const { url, secret, repository, pullRequest } = options;
  const event = { action: 'labeled', number: pullRequest, repository: { full_name: repository } };
  const body = JSON.stringify(event);
  const headers: Record<string, string> = {
    'Content-Type': 'application/json',
    'User-Agent': 'GitHub-Hookshot/demo',
    'X-GitHub-Delivery': randomUUID(),
    'X-GitHub-Event': 'pull_request',
  };
  if (secret !== undefined)
    headers['X-Hub-Signature-256'] = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(`${url}${WEBHOOK_PATH}`, { method: 'POST', headers, body, signal });
    await response.text();
    return response.status;
  } catch {
    return 'no answer';
  }
}
