// The pool of connections to the app at its limit.

import { createServer, type ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import type { AnswerHandler } from '../../../../src/gateway/upstream/client/message.ts';
import { Pool } from '../../../../src/gateway/upstream/client/pool.ts';
import { listen } from '../../../support/listen.ts';
import { waitUntil } from '../../../support/wait-until.ts';

it('a request that finds all connections in use gets the first that is free, and does not wait until that is closed', async () => {
  const waiting = new Map<string, ServerResponse>();
  const server = createServer((request, response) => void waiting.set(request.url ?? '', response));
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  const port = await listen(server);
  const pool = new Pool({ host: '127.0.0.1', port, isTls: false }, { keepsAlive: true, maxConnections: 2 });
  const answered: string[] = [];
  for (const target of ['/1', '/2', '/3', '/4']) {
    const handler: AnswerHandler = {
      onConnected: () => {},
      onHead: () => {},
      onData: (_, giveBack) => giveBack?.(),
      onEnd: () => void answered.push(target),
      onError: error => void answered.push(String(error)),
    };
    pool.dispatch({ method: 'GET', target, headers: ['host', 'app'], body: undefined }, handler);
  }
  await waitUntil(() => waiting.size === 2, 'both connections are in use');
  // The other one stays in use: nothing but this answer can wake the pool.
  waiting.get('/1')?.end('ok');
  await waitUntil(() => waiting.size === 3, 'the third request is at the app');
  waiting.get('/3')?.end('ok');
  await waitUntil(() => waiting.size === 4, 'the fourth request is at the app');
  waiting.get('/4')?.end('ok');
  await waitUntil(() => answered.length === 3, 'three answers');
  expect(answered).toEqual(['/1', '/3', '/4']);
  // Otherwise the free one was closed as idle first, seconds later.
  expect(connections).toBe(2);
  await pool.close();
  expect(answered[3]).toContain('the app stopped');
  server.closeAllConnections();
  server.close();
});
