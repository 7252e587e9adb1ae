// HTTP requests to programs on this machine. They never go through the job's proxy: for the proxy, 127.0.0.1 is another
// machine. Used by control/client and app/os.

import { Agent, type IncomingMessage, request } from 'node:http';

/** With NODE_USE_ENV_PROXY set, Node's `fetch` and its global agent use the job's proxy; this agent does not. */
const DIRECT = new Agent();

/**
 * Sends a request over a new connection, never through a proxy. Resolves with the response when its head has arrived;
 * the signal also aborts the body.
 */
export function requestLoopback(
  url: string | URL,
  {
    body,
    ...options
  }: {
    method?: string;
    headers?: Record<string, string>;
    signal: AbortSignal;
    body?: string | undefined;
  },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { ...options, agent: DIRECT }, resolve)
      .on('error', reject)
      .end(body);
  });
}
