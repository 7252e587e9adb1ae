// Requests to a program on this machine, which never go through the job's proxy: that one has another loopback. Used by
// control/client and app/os-server.

import { Agent, type IncomingMessage, request } from 'node:http';

/** Node gives the job's proxy to `fetch` and to its global agent where NODE_USE_ENV_PROXY is set; this one has none. */
const DIRECT = new Agent();

/**
 * Asks a program on this machine over a connection of its own, never through a proxy. Resolves with the answer's head;
 * the signal ends the body, too.
 */
export function askLoopback(
  url: string | URL,
  options: { method?: string; headers?: Record<string, string>; signal: AbortSignal },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { ...options, agent: DIRECT }, resolve)
      .on('error', reject)
      .end();
  });
}
