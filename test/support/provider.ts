// Plays a service that sends webhooks: its API, which a job calls, and its sender, which then calls the job's public
// address from outside of the job. Used by the tests of the recipes in docs/.

import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { onTestFinished } from 'vitest';
import { listen } from './listen.ts';

export interface ApiCall {
  method: string;
  /** Without the query. */
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A webhook to send. */
export interface Webhook {
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** What the API answers, as JSON, and what the service sends because of the call, in this order. */
export interface ApiAnswer {
  json: unknown;
  webhooks?: Webhook[];
}

/** Returns undefined for what the API does not have: 404. */
export type Service = (call: ApiCall) => ApiAnswer | undefined | Promise<ApiAnswer | undefined>;

export interface Provider {
  readonly url: string;
  readonly calls: readonly ApiCall[];
  /** What each webhook was answered: its status, or why there was none. */
  readonly deliveries: readonly (number | string)[];
}

export async function startProvider(answer: Service): Promise<Provider> {
  const calls: ApiCall[] = [];
  const deliveries: (number | string)[] = [];
  const server = createServer(async (request, response) => {
    const call = await readCall(request);
    calls.push(call);
    const { json, webhooks = [] } = (await answer(call)) ?? { json: undefined };
    response.writeHead(json === undefined ? 404 : 200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(json ?? { message: 'Not Found' }));
    for (const webhook of webhooks) deliveries.push(await deliver(webhook));
  });
  const port = await listen(server);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${port}`, calls, deliveries };
}

async function readCall(request: IncomingMessage): Promise<ApiCall> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return {
    method: request.method ?? '',
    path: (request.url ?? '').split('?', 1)[0] ?? '',
    headers: request.headers,
    body: Buffer.concat(chunks).toString(),
  };
}

async function deliver({ url, headers, body }: Webhook): Promise<number | string> {
  try {
    const response = await fetch(url, { method: 'POST', headers, body });
    await response.arrayBuffer();
    return response.status;
  } catch (error) {
    return String(error);
  }
}
