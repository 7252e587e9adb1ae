// Plays DuckDNS's API, https://www.duckdns.org/spec.jsp. For the tests of self-host/duckdns.

import { once } from 'node:events';
import { createServer } from 'node:https';
import { isIPv4, isIPv6 } from 'node:net';
import type { TestCa } from './test-ca.ts';

export interface DuckdnsServer {
  readonly port: number;
  /** Of the one name; '' where there is none. */
  readonly records: { ip: string; ipv6: string; txt: string };
  /** Paths and queries of all requests so far. */
  readonly requests: readonly string[];
  /** Answers the next requests with these instead, one each. */
  readonly faults: { status: number; body: string }[];
  /** Is called with each request, before its answer. */
  onRequest: () => void;
  stop(): Promise<void>;
}

/** An account with one name, on 127.0.0.1, with a certificate for `localhost` and `www.duckdns.org`. */
export async function startDuckdnsServer(
  ca: TestCa,
  account: { name: string; token: string },
): Promise<DuckdnsServer> {
  const records = { ip: '', ipv6: '', txt: '' };
  const requests: string[] = [];
  const faults: DuckdnsServer['faults'] = [];
  const duckdns: Omit<DuckdnsServer, 'port' | 'stop'> = { records, requests, faults, onRequest: () => {} };
  const server = createServer(ca.issue(['DNS:localhost', 'DNS:www.duckdns.org']), (request, response) => {
    requests.push(request.url ?? '');
    duckdns.onRequest();
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://www.duckdns.org');
    const fault = faults.shift();
    if (fault !== undefined) response.writeHead(fault.status).end(fault.body);
    else if (pathname !== '/update') response.writeHead(404).end('not found');
    else response.end(update(records, account, searchParams, request.socket.remoteAddress ?? ''));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  return Object.assign(duckdns, {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    stop: async () => {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  });
}

/** What the service answers. It is `KO` for every mistake, without a reason. */
function update(
  records: DuckdnsServer['records'],
  account: { name: string; token: string },
  parameters: URLSearchParams,
  visitor: string,
): string {
  const get = (name: string) => parameters.get(name) ?? '';
  const [ip, ipv6, clear] = [get('ip'), get('ipv6'), get('clear') === 'true'];
  if (get('domains') !== account.name || get('token') !== account.token) return 'KO';
  if ((ip !== '' && !isIPv4(ip) && !isIPv6(ip)) || (ipv6 !== '' && !isIPv6(ipv6))) return 'KO';
  const before = JSON.stringify(records);
  if (parameters.has('txt')) records.txt = clear ? '' : get('txt');
  else if (clear) Object.assign(records, { ip: '', ipv6: '' });
  else if (isIPv6(ip)) records.ipv6 = ip;
  else {
    // An address is recognised only where none is given.
    if (ip !== '' || ipv6 === '') records.ip = ip === '' ? visitor.replace('::ffff:', '') : ip;
    if (ipv6 !== '') records.ipv6 = ipv6;
  }
  if (get('verbose') !== 'true') return 'OK';
  const current = parameters.has('txt') ? [records.txt] : [records.ip, records.ipv6];
  return ['OK', ...current, JSON.stringify(records) === before ? 'NOCHANGE' : 'UPDATED'].join('\n');
}
